"""What only the store in memory can do: show its rows, lose its power, and say how true it is."""

from __future__ import annotations

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import relationship

from honestwork.adapters import Mapping, MemoryStore, children
from honestwork.domain import BackendError, Repository, Unavailable, UnitFailed
from honestwork.service_layer import UnitOfWork


class Author:
    def __init__(self, name: str) -> None:
        self.id: int
        self.name = name


class Book:
    def __init__(self, isbn: str, author_id: int) -> None:
        self.isbn = isbn
        self.author_id = author_id


mapping = Mapping()
authors = Table(
    "authors",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False, unique=True),
)
authors.append_constraint(CheckConstraint(authors.c.name != "", name="ck_name"))
books = Table(
    "books",
    mapping.metadata,
    Column("isbn", String(20), primary_key=True),
    Column("author_id", ForeignKey(authors.c.id), nullable=False),
    Column("copies", Integer, nullable=False, default=1),
)
mapping.aggregate(Author, authors)
mapping.aggregate(Book, books)


class Library(UnitOfWork):
    authors: Repository[Author, int]
    books: Repository[Book, str]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(mapping)


def test_its_committed_rows_can_be_looked_at(store: MemoryStore) -> None:
    uow = Library(store)

    with uow:
        uow.authors.add(Author("Austen"))
        uow.flush()
        assert store.rows("authors") == []
        uow.commit()

    assert store.rows("authors") == [{"id": 1, "name": "Austen"}]


def test_a_crash_takes_what_is_not_committed_and_leaves_the_rest(store: MemoryStore) -> None:
    with Library(store) as uow:
        uow.authors.add(Author("Austen"))
        uow.commit()

        uow.authors.add(Author("Joyce"))
        uow.flush()
        store.crash()

        with pytest.raises(Unavailable):
            uow.authors.get(1)

    with Library(store) as fresh:
        assert [author.name for author in fresh.authors] == ["Austen"]


def test_after_a_crash_an_open_unit_cannot_commit(store: MemoryStore) -> None:
    with Library(store) as uow:
        uow.authors.add(Author("Joyce"))
        uow.flush()
        store.crash()

        with pytest.raises(Unavailable):
            uow.commit()
        with pytest.raises(UnitFailed):
            uow.commit()

        uow.rollback()
        uow.authors.add(Author("Woolf"))
        uow.commit()

    assert [row["name"] for row in store.rows("authors")] == ["Woolf"]


def test_a_crash_frees_what_open_units_have_locked(store: MemoryStore) -> None:
    with Library(store) as lost:
        lost.authors.add(Author("Austen"))
        lost.flush()
        store.crash()

        with Library(store) as uow:
            uow.authors.add(Author("Austen"))
            uow.commit()

    assert len(store.rows("authors")) == 1


def test_a_table_that_was_dropped_is_missed(store: MemoryStore) -> None:
    store.drop_tables()

    with Library(store) as uow, pytest.raises(BackendError, match="no table authors"):
        uow.authors.get(1)


def test_tables_that_exist_are_not_created_anew(store: MemoryStore) -> None:
    with Library(store) as uow:
        uow.authors.add(Author("Austen"))
        uow.commit()

    store.create_tables()

    assert len(store.rows("authors")) == 1


def test_its_fidelity_has_a_line_for_every_constraint(store: MemoryStore) -> None:
    fidelity = store.fidelity()

    said = {(promise.table, promise.what): promise.kept for promise in fidelity}
    assert said["authors", "primary key (id)"] == "enforced"
    assert said["authors", "unique (name)"] == "enforced"
    assert said["authors", "check ck_name"] == "enforced"
    assert said["books", "foreign key (author_id)"] == "enforced"
    assert said["books", "default of copies"] == "enforced"
    assert said["", "waiting for locks"] == "approximated"
    assert said["", "triggers"] == "refused"


def test_its_fidelity_tells_all_that_a_mapping_promises() -> None:
    class Named(Exception):
        pass

    mapping = Mapping()
    things = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(5), nullable=False),
        Column("name", String(5), unique=True),
        Column("parent", ForeignKey("things.id")),
        Column("changes", Integer, nullable=False, default=0, onupdate=lambda: 1),
        Column("shelf", Integer, nullable=False, server_default="1"),
        Column("version", Integer, nullable=False),
        CheckConstraint("shelf > 0", name="ck_shelf"),
    )
    parts = Table(
        "parts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    labels = Table("labels", mapping.metadata, Column("id", Integer, primary_key=True))
    labelled = Table(
        "labelled",
        mapping.metadata,
        Column("part", ForeignKey("parts.id"), primary_key=True),
        Column("label", ForeignKey("labels.id"), primary_key=True),
    )
    thing, part, label = (type(name, (), {}) for name in ("Thing", "Part", "Label"))
    mapping.member(label, labels)
    mapping.member(part, parts, properties={"labels": relationship(label, secondary=labelled, lazy="selectin")})
    mapping.aggregate(
        thing,
        things,
        version=things.c.version,
        polymorphic_on=things.c.kind,
        polymorphic_identity="thing",
        properties={"parts": children(part)},
    )
    mapping.aggregate(type("Sub", (thing,), {}), inherits=thing, polymorphic_identity="sub")
    mapping.violation("uq_things_name", Named)
    mapping.check_twin("ck_shelf", lambda row: row["shelf"] > 0)

    said = {(each.table, each.what): (each.kept, each.how) for each in MemoryStore(mapping).fidelity()}

    assert said["things", "unique (name)"][1].endswith("told as Named")
    assert said["things", "foreign key (parent)"][0] == "approximated"
    assert said["things", "check ck_shelf"][0] == "approximated"
    assert {what for table, what in said if table == "things"} >= {
        "default of changes",
        "onupdate of changes",
        "default of shelf",
        "version version",
        "inheritance by kind",
        "members Thing.parts",
        "members Sub.parts",
    }
    assert said["parts", "links Part.labels"][0] == "enforced"


def test_its_fidelity_reads_as_a_table(store: MemoryStore) -> None:
    lines = str(store.fidelity()).splitlines()

    assert lines[0].split() == ["table", "what", "kept", "how"]
    assert any("unique (name)" in line and "enforced" in line for line in lines)


def superseded(store: MemoryStore) -> list[str | None]:
    """The names of authors that the store keeps although they are no longer the newest; None for a row that was not."""
    history = store.tables["authors"].history
    return [None if row is None else row[1] for key in sorted(history) for _, row in history[key]]


def rename(store: MemoryStore, name: str) -> None:
    with Library(store) as uow:
        author = uow.authors.first()
        if author is None:
            uow.authors.add(Author(name))
        else:
            author.name = name
        uow.commit()


def test_it_keeps_only_the_versions_that_somebody_can_still_see(store: MemoryStore) -> None:
    rename(store, "a")
    rename(store, "b")
    assert superseded(store) == []

    with Library(store).reading() as oldest:
        assert oldest.authors.count() == 1
        rename(store, "c")
        with Library(store).reading() as middle, Library(store).reading() as twin:
            assert middle.authors.count() == twin.authors.count() == 1
            rename(store, "d")
            assert superseded(store) == ["b", "c"]
            twin.rollback()
            assert superseded(store) == ["b", "c"]
            oldest.rollback()

            assert superseded(store) == ["c"]
            assert middle.authors.one().name == "c"
        assert superseded(store) == []


def test_a_younger_reader_that_ends_takes_nothing_from_an_older_one(store: MemoryStore) -> None:
    rename(store, "a")
    with Library(store).reading() as older:
        assert older.authors.count() == 1
        rename(store, "b")
        with Library(store).reading() as younger:
            assert younger.authors.count() == 1
            rename(store, "c")

        assert "a" in superseded(store)
        assert older.authors.one().name == "a"
    assert superseded(store) == []


def test_it_looks_only_at_tables_that_keep_something_when_a_unit_ends(store: MemoryStore) -> None:
    rename(store, "a")
    with Library(store).reading() as reader:
        assert reader.authors.count() == 1
        rename(store, "b")
        assert [*store.superseded] == [store.tables["authors"]]

    assert [*store.superseded] == []
