"""A query that only a database can do is written twice, and no store serves the port without it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, String, Table, func, select

from honestwork.adapters import Mapping, MemoryRepository, MemoryStore, SqlRepository, SqlStore, twin_of
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork
from honestwork.testing import assert_twins_agree


class Book:
    def __init__(self, title: str, author: str) -> None:
        self.id: int
        self.title = title
        self.author = author


mapping = Mapping()
books = Table(
    "books",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String(80), nullable=False),
    Column("author", String(80), nullable=False),
)
mapping.aggregate(Book, books)


class Books(Repository[Book, int]):
    @abstractmethod
    def of_busy_authors(self, at_least: int) -> list[Book]:
        """The books of authors that have written so many."""


class SqlBooks(SqlRepository[Book, int], Books):
    def of_busy_authors(self, at_least: int) -> list[Book]:
        busy = select(books.c.author).group_by(books.c.author).having(func.count() >= at_least)
        return list(self.session.scalars(select(Book).where(books.c.author.in_(busy)).order_by(books.c.id)))


class MemoryBooks(MemoryRepository[Book, int], Books):
    @twin_of(SqlBooks.of_busy_authors)
    def of_busy_authors(self, at_least: int) -> list[Book]:
        authors = [book.author for book in self]
        return [book for book in self if authors.count(book.author) >= at_least]


class Library(UnitOfWork):
    books: Books


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        made: Store = MemoryStore(mapping)
    else:
        made = SqlStore(f"sqlite:///{tmp_path}/b.db", mapping, durability="process")
    made.create_tables()
    yield made
    made.dispose()


def test_the_query_answers_alike_on_every_store_and_sees_what_is_not_flushed(store: Store) -> None:
    uow = Library(store)

    with uow:
        for title, author in (("Emma", "Austen"), ("Ulysses", "Joyce"), ("Persuasion", "Austen")):
            uow.books.add(Book(title, author))
        found = uow.books.of_busy_authors(2)

        assert [book.title for book in found] == ["Emma", "Persuasion"]
        assert found[0] is uow.books[1]


def test_a_query_in_sql_without_a_twin_is_an_error_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="of_busy_authors has no twin"):
        type("Forgetful", (MemoryRepository, Books), {})


def test_a_port_with_a_query_that_nobody_has_written_is_refused() -> None:
    class Rare(Repository[Book, int]):
        @abstractmethod
        def rarest(self) -> Book: ...

    class Shop(UnitOfWork):
        books: Rare

    uow = Shop(MemoryStore(mapping))

    with uow, pytest.raises(TypeError, match="declares rarest"):
        uow.books.rarest()


def test_a_class_that_is_written_for_one_store_is_no_port_for_another() -> None:
    class SqlShelf(SqlRepository[Book, int]):
        def titles(self) -> list[str]:
            return list(self.session.scalars(select(books.c.title)))

    class Shelf(UnitOfWork):
        books: SqlShelf

    uow = Shelf(MemoryStore(mapping))

    with uow, pytest.raises(TypeError, match=r"SqlShelf is a SqlRepository, .* needs a MemoryRepository: .* Shelf\("):
        uow.books.titles()


def test_the_twins_are_put_to_the_same_question(tmp_path: Path) -> None:
    assert_twins_agree(
        Library,
        mapping,
        f"sqlite:///{tmp_path}/twins.db",
        queries={"books.of_busy_authors": st.tuples(st.integers(0, 3))},
    )


def test_a_twin_that_answers_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryBooks, "of_busy_authors", lambda self, at_least: list(self))

    with pytest.raises(AssertionError, match=r"books.of_busy_authors\(.*from memory and .* from the database"):
        assert_twins_agree(
            Library,
            mapping,
            f"sqlite:///{tmp_path}/twins.db",
            queries={"books.of_busy_authors": st.tuples(st.integers(0, 3))},
        )
