"""Mappings that are out of the ordinary: what the doctor accepts is the same on every store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import Flag
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Interval,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Time,
    UniqueConstraint,
    text,
    true,
    types,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import attribute_keyed_dict, relationship
from sqlalchemy.types import TypeDecorator

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children, owner, value
from honestwork.domain import (
    BadValue,
    CheckFailed,
    ConstraintViolated,
    Duplicate,
    KeyChanged,
    MissingValue,
    ReferenceViolated,
    Repository,
)
from honestwork.service_layer import Store, UnitOfWork

MakeStore = Callable[[Mapping], Store]
numbers = count(1)
EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))


class Plain:
    """It has what its table has."""

    def __init__(self, **values: Any) -> None:
        for name in values:
            setattr(self, name, values[name])

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...


def fresh(base: type[Any] = Plain) -> Any:
    """A class of its own, for a class can be mapped only once."""
    return type(f"Thing{next(numbers)}", (base,), {})


def units(**roots: Any) -> Any:
    """A class of units of work that has these repositories."""
    repository: Any = Repository
    annotations = {name: repository[root, Any] for name, root in roots.items()}
    return type("Units", (UnitOfWork,), {"__annotations__": annotations})


def add(uow: Any, repository: str, *aggregates: Any) -> None:
    with uow:
        getattr(uow, repository).add_many(aggregates)
        uow.commit()


def facts(attempt: Callable[[], object]) -> tuple[Any, ...]:
    """What the error of this says."""
    with pytest.raises(ConstraintViolated) as caught:
        attempt()
    return type(caught.value), caught.value.table, caught.value.columns, caught.value.constraint


def things(mapping: Mapping, *columns: Any, cls: Any = None, **options: Any) -> Any:
    """An aggregate with these columns beside a key that is given."""
    cls = cls or fresh()
    mapping.aggregate(
        cls, Table("things", mapping.metadata, Column("id", String(5), primary_key=True), *columns), **options
    )
    return cls


# Types


class Email:
    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Email) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Email({self.text!r})"


class EmailType(TypeDecorator[Email]):
    impl = String(20)
    cache_ok = True

    def process_bind_param(self, value: Email | None, dialect: Any) -> str | None:
        return None if value is None else value.text

    def process_result_value(self, value: str | None, dialect: Any) -> Email | None:
        return None if value is None else Email(value)


class Exactly(TypeDecorator[Any]):
    """Adds nothing to what it decorates."""

    impl = String
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.impl = self.impl_instance = kind


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (EmailType, Email("John@x"), Email("John@x")),
        (Exactly(Numeric(10, 2)), Decimal("1.1"), Decimal("1.10")),
        (Exactly(Float()), 0.30000000000000004, 0.30000000000000004),
        (Exactly(DateTime()), dt.datetime(2024, 1, 1, 0, 0, 0, 5), dt.datetime(2024, 1, 1, 0, 0, 0, 5)),
        (
            Exactly(DateTime(timezone=True)),
            dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        ),
        (Exactly(JSON()), {"a": [1]}, {"a": [1]}),
        (Exactly(JSON()), None, None),
        (BigInteger().with_variant(Integer, "sqlite"), 2**40, 2**40),
        (JSON().with_variant(JSONB(), "postgresql"), {"a": [1]}, {"a": [1]}),
        (types.UUID(), UUID(int=7), UUID(int=7)),
        (types.BLOB(9), b"\0a", b"\0a"),
        (types.CLOB(), "ä ", "ä "),
        (types.NVARCHAR(2), "ä ", "ä "),
        (types.VARCHAR(2), "ä ", "ä "),
        (types.DOUBLE(), 0.30000000000000004, 0.30000000000000004),
        (types.FLOAT(), 0.30000000000000004, 0.30000000000000004),
        (types.DECIMAL(5, 2), Decimal("1.1"), Decimal("1.10")),
        (types.DATETIME(), dt.datetime(1, 1, 1, 0, 0, 0, 5), dt.datetime(1, 1, 1, 0, 0, 0, 5)),
        (types.TIMESTAMP(), dt.datetime(1, 1, 1, 0, 0, 0, 5), dt.datetime(1, 1, 1, 0, 0, 0, 5)),
        (
            types.TIMESTAMP(timezone=True),
            dt.datetime(1000, 1, 1, tzinfo=dt.UTC),
            dt.datetime(1000, 1, 1, tzinfo=dt.UTC),
        ),
    ],
)
def test_a_type_of_ones_own_keeps_its_values(make_store: MakeStore, kind: Any, given: Any, kept: Any) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", kind))
    uow = units(things=cls)(make_store(mapping))
    thing = cls(id="1", c=given)
    add(uow, "things", thing)

    with uow:
        loaded = uow.things["1"].c
        assert (repr(loaded), repr(thing.c)) == (repr(kept), repr(kept))


@pytest.mark.parametrize("kind", [EmailType, Exactly(String(20))])
def test_a_type_of_ones_own_tells_text_apart_by_case_and_spaces(make_store: MakeStore, kind: Any) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", kind, unique=True))
    uow = units(things=cls)(make_store(mapping))
    made = Email if kind is EmailType else str

    add(uow, "things", *(cls(id=str(number), c=made(each)) for number, each in enumerate(["a", "A", "a ", "ä"])))

    assert facts(lambda: add(uow, "things", cls(id="9", c=made("a")))) == (Duplicate, "things", ("c",), "uq_things_c")


@pytest.mark.parametrize("kind", [JSON, JSON().with_variant(JSONB(), "postgresql"), Exactly(JSON())])
def test_none_is_missing_in_any_json_column(make_store: MakeStore, kind: Any) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", kind, nullable=False))
    uow = units(things=cls)(make_store(mapping))

    assert facts(lambda: add(uow, "things", cls(id="1", c=None))) == (MissingValue, "things", ("c",), None)


def test_a_type_that_stores_a_value_in_another_way_each_time_is_refused(make_store: MakeStore) -> None:
    class Salted(EmailType):
        cache_ok = True

        def process_bind_param(self, value: Any, dialect: Any) -> Any:
            return None if value is None else f"{next(numbers)}:{value}"

    mapping = Mapping()
    cls = things(mapping, Column("c", Salted))
    uow = units(things=cls)(make_store(mapping))

    with pytest.raises(BadValue, match="stores in one way"):
        add(uow, "things", cls(id="1", c="a"))


@pytest.mark.parametrize("kind", [SmallInteger, Integer, BigInteger])
def test_generated_keys_of_any_size_rise_and_are_not_given_again(make_store: MakeStore, kind: Any) -> None:
    mapping = Mapping()
    cls = fresh()
    mapping.aggregate(cls, Table("things", mapping.metadata, Column("id", kind, primary_key=True)))
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(), cls())
    with uow:
        uow.things.remove(uow.things[2])
        uow.commit()

    add(uow, "things", cls())

    with uow:
        assert [thing.id for thing in uow.things] == [1, 3]


@pytest.mark.parametrize("default", [true(), "1", text("true")])
def test_a_boolean_default_of_the_database_is_true(make_store: MakeStore, default: Any) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", Boolean, server_default=default, nullable=False))
    uow = units(things=cls)(make_store(mapping))

    add(uow, "things", cls(id="1"))

    with uow:
        assert uow.things["1"].c is True


@pytest.mark.parametrize(
    ("kind", "made"), [(EmailType, Email("new")), (JSON, {"new": [1]}), (String(5), "new"), (Integer, None)]
)
def test_what_onupdate_gives_is_stored_and_told(make_store: MakeStore, kind: Any, made: Any) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("n", Integer), Column("c", kind, onupdate=lambda: made))
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", n=1))

    with uow:
        thing = uow.things["1"]
        thing.n = 2
        uow.commit()
        assert thing.c == made

    with uow:
        assert uow.things["1"].c == made


def test_a_default_that_gives_nothing_is_missed(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", Integer, nullable=False, default=lambda: None))
    uow = units(things=cls)(make_store(mapping))

    assert facts(lambda: add(uow, "things", cls(id="1"))) == (MissingValue, "things", ("c",), None)


class Access(Flag):
    READ = 1
    WRITE = 2


def test_several_flags_at_once_are_refused(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", Enum(Access)))
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", c=Access.READ))

    with pytest.raises(BadValue, match="got several"):
        add(uow, "things", cls(id="2", c=Access.READ | Access.WRITE))


@dataclass(frozen=True)
class Contact:
    email: Email | None
    note: str | None


def test_a_value_object_with_a_type_of_ones_own_is_stored_and_not_looked_for(make_store: MakeStore) -> None:
    mapping = Mapping()
    email, note = Column("email", EmailType), Column("note", String(5))
    cls = things(mapping, email, note, properties={"contact": value(Contact, email, note)})
    uow = units(things=cls)(make_store(mapping))
    contact = Contact(Email("a"), "b")
    add(uow, "things", cls(id="1", contact=contact), cls(id="2", contact=None))

    with uow:
        assert [thing.contact for thing in uow.things] == [contact, None]
        with pytest.raises(BadValue, match="cannot be found by 'contact'"):
            uow.things.find_by(contact=contact)


KEYS: dict[Any, tuple[Any, ...]] = {
    DateTime(timezone=True): (dt.datetime(2023, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=EAST)),
    DateTime(): (dt.datetime(2023, 1, 1), dt.datetime(2024, 1, 1, microsecond=5)),
    Numeric(10, 2): (Decimal(-3), Decimal("1.1")),
    Float(): (-1.5, -0.0, 1e300),
    Boolean(): (False, True),
    Time(): (dt.time(0), dt.time(1, 2, 3, 4)),
    Interval(): (dt.timedelta(days=-1, microseconds=5), dt.timedelta(0)),
    types.UUID(): (UUID(int=7), UUID(int=2**127)),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_any_type_are_found_and_in_order(make_store: MakeStore, kind: Any) -> None:
    keys = KEYS[kind]
    mapping = Mapping()
    cls, member = fresh(), fresh()
    mapping.member(
        member,
        Table(
            "members",
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            Column("thing", ForeignKey("things.id"), nullable=False),
        ),
    )
    table = Table("things", mapping.metadata, Column("id", kind, primary_key=True), Column("n", Integer))
    mapping.aggregate(cls, table, properties={"members": children(member)})
    uow = units(things=cls)(make_store(mapping))

    add(uow, "things", *(cls(id=key, members=[member()]) for key in reversed(keys)))

    with uow:
        assert [thing.id for thing in uow.things] == list(keys)
        assert [len(uow.things[key].members) for key in keys] == [1] * len(keys)
        assert uow.things[keys[-1]] is uow.things.all()[-1]
    assert facts(lambda: add(uow, "things", cls(id=keys[0])))[0] is Duplicate


# Constraints, by whatever name


def test_constraints_are_told_alike_in_a_metadata_that_names_none(make_store: MakeStore) -> None:
    mapping = Mapping(metadata=MetaData())
    part = fresh()
    parts = Table(
        "parts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("rank", Integer, unique=True),
    )
    parts.append_constraint(CheckConstraint(parts.c.rank > 0))
    mapping.aggregate(part, parts)
    thing = things(mapping)
    uow = units(things=thing, parts=part)(make_store(mapping))
    add(uow, "things", thing(id="1"))
    add(uow, "parts", part(thing="1", rank=1))

    told = [
        facts(lambda: add(uow, "things", thing(id="1"))),
        facts(lambda: add(uow, "parts", part(thing="1", rank=1))),
        facts(lambda: add(uow, "parts", part(thing="1", rank=0))),
        facts(lambda: add(uow, "parts", part(thing="2", rank=2))),
    ]

    assert told == [
        (Duplicate, "things", ("id",), "pk_things"),
        (Duplicate, "parts", ("rank",), "uq_parts_rank"),
        (CheckFailed, "parts", ("rank",), "ck_parts_rank"),
        (ReferenceViolated, "parts", ("thing",), "fk_parts_thing"),
    ]


def test_constraints_are_told_alike_whatever_the_names(make_store: MakeStore) -> None:
    mapping = Mapping()
    thing, part = fresh(), fresh()
    table = Table(
        "my things",
        mapping.metadata,
        Column("the id", String(5), primary_key=True),
        Column("a b", Integer, unique=True),
        Column("c.d", Integer),
        Column("é", Integer, nullable=False),
        Column("select", Integer),
    )
    table.append_constraint(UniqueConstraint("c.d", "select"))
    table.append_constraint(CheckConstraint(table.c["select"] > 0, name="ck my things"))
    mapping.aggregate(thing, table)
    parts = Table(
        "my-parts",
        mapping.metadata,
        Column("id", String(5), primary_key=True),
        Column("the thing", ForeignKey("my things.the id"), nullable=False),
    )
    mapping.aggregate(part, parts)
    uow = units(things=thing, parts=part)(make_store(mapping))

    def new(key: str, **values: int | None) -> Any:
        return thing(**{"the id": key, "a b": None, "c.d": 1, "é": 1, "select": None, **values})

    add(uow, "things", new("1", **{"a b": 1, "select": 1}))
    told = [
        facts(lambda: add(uow, "things", new("1"))),
        facts(lambda: add(uow, "things", new("2", **{"a b": 1}))),
        facts(lambda: add(uow, "things", new("2", **{"select": 1}))),
        facts(lambda: add(uow, "things", new("2", **{"é": None}))),
        facts(lambda: add(uow, "things", new("2", **{"select": 0}))),
        facts(lambda: add(uow, "parts", part(**{"id": "1", "the thing": "2"}))),
    ]

    assert told == [
        (Duplicate, "my things", ("the id",), "pk_my things"),
        (Duplicate, "my things", ("a b",), "uq_my things_a b"),
        (Duplicate, "my things", ("c.d", "select"), "uq_my things_c.d_select"),
        (MissingValue, "my things", ("é",), None),
        (CheckFailed, "my things", ("select",), "ck my things"),
        (ReferenceViolated, "my-parts", ("the thing",), "fk_my-parts_the thing"),
    ]


@pytest.mark.parametrize(
    "part",
    [
        "%",
        "%%",
        "%(x)s",
        '"',
        "'",
        "`",
        ".",
        " ",
        "é☃",
        ", ",
        "$",
        "\\",
        "\n",
        ":",
        "?",
        '"."',
        "`, CONSTRAINT `",
        "' for key '",
    ],
)
def test_constraints_are_told_alike_whatever_is_in_the_names(make_store: MakeStore, part: str) -> None:
    mapping = Mapping()
    thing, other = fresh(), fresh()
    column = {name: f"{name}{part}x" for name in ("key", "ref", "unique", "needed", "checked")}
    others = Table(f"others{part}x", mapping.metadata, Column(column["key"], String(5), primary_key=True))
    table = Table(
        f"things{part}x",
        mapping.metadata,
        Column(column["key"], String(5)),
        Column(column["ref"], String(5)),
        Column(column["unique"], Integer),
        Column(column["needed"], Integer, nullable=False),
        Column(column["checked"], Integer),
        PrimaryKeyConstraint(column["key"], name=f"pk{part}x"),
        UniqueConstraint(column["unique"], name=f"uq{part}x"),
    )
    table.append_constraint(
        ForeignKeyConstraint([table.c[column["ref"]]], [others.c[column["key"]]], name=f"fk{part}x")
    )
    table.append_constraint(CheckConstraint(table.c[column["checked"]] > 0, name=f"ck{part}x"))
    mapping.aggregate(thing, table, properties={name: table.c[full] for name, full in column.items()})
    mapping.aggregate(other, others, properties={"key": others.c[column["key"]]})
    uow = units(things=thing, others=other)(make_store(mapping))
    add(uow, "others", other(key="1"))
    add(uow, "things", thing(key="1", ref="1", unique=1, needed=1, checked=1))

    def new(**values: Any) -> Any:
        return thing(**{"key": "2", "ref": None, "unique": None, "needed": 1, "checked": 1} | values)

    def change(**values: Any) -> None:
        with uow:
            for name, value in values.items():
                setattr(uow.things["1"], name, value)
            uow.commit()

    def remove() -> None:
        with uow:
            uow.others.remove(uow.others["1"])
            uow.commit()

    told = [
        facts(lambda: add(uow, "things", new(key="1"))),
        facts(lambda: add(uow, "things", new(unique=1))),
        facts(lambda: add(uow, "things", new(needed=None))),
        facts(lambda: add(uow, "things", new(checked=0))),
        facts(lambda: add(uow, "things", new(ref="2"))),
        facts(lambda: change(needed=None)),
        facts(lambda: change(checked=0)),
        facts(lambda: change(ref="2")),
        facts(remove),
    ]

    expected = [
        (Duplicate, "key", "pk"),
        (Duplicate, "unique", "uq"),
        (MissingValue, "needed", None),
        (CheckFailed, "checked", "ck"),
        (ReferenceViolated, "ref", "fk"),
        (MissingValue, "needed", None),
        (CheckFailed, "checked", "ck"),
        (ReferenceViolated, "ref", "fk"),
        (ReferenceViolated, "ref", "fk"),
    ]
    assert told == [
        (kind, table.name, (column[name],), None if constraint is None else f"{constraint}{part}x")
        for kind, name, constraint in expected
    ]


def test_a_name_that_databases_would_cut_is_told_alike(make_store: MakeStore) -> None:
    mapping = Mapping()
    long = [f"a_column_with_quite_a_long_name_{number}" for number in range(2)]
    cls = things(mapping, *(Column(name, Integer) for name in long), UniqueConstraint(*long))
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", **dict.fromkeys(long, 1)))

    kind, table, columns, name = facts(lambda: add(uow, "things", cls(id="2", **dict.fromkeys(long, 1))))

    assert (kind, table, columns) == (Duplicate, "things", tuple(long))
    assert name == mapping.schema.tables["things"].uniques[0].name


class Unknown(Exception):
    pass


@pytest.fixture
def letters(make_store: MakeStore) -> Any:
    """Letters from a person to another, or to nobody; John, Mary and Ann are there, and a letter from Mary to Ann."""
    mapping = Mapping()
    person, letter = fresh(), fresh()
    people = Table("people", mapping.metadata, Column("name", String(9), primary_key=True))
    mail = Table(
        "letters",
        mapping.metadata,
        Column("id", String(5), primary_key=True),
        Column("sender", ForeignKey("people.name"), nullable=False),
        Column("reader", ForeignKey("people.name")),
    )
    mapping.aggregate(person, people)
    mapping.aggregate(letter, mail)
    mapping.violation("fk_letters_reader", Unknown)
    uow = units(people=person, letters=letter)(make_store(mapping))
    add(uow, "people", *(person(name=name) for name in ("John", "Mary", "Ann")))
    add(uow, "letters", letter(id="1", sender="Mary", reader="Ann"))
    uow.letter = letter
    return uow


SENDER = (ReferenceViolated, "letters", ("sender",), "fk_letters_sender")
READER = (ReferenceViolated, "letters", ("reader",), "fk_letters_reader")


def cause(attempt: Callable[[], object]) -> tuple[Any, ...]:
    """What the error behind that of the domain says."""
    with pytest.raises(Unknown) as caught:
        attempt()
    behind = caught.value.__cause__
    assert isinstance(behind, ConstraintViolated)
    return type(behind), behind.table, behind.columns, behind.constraint


def test_of_several_references_the_broken_one_is_told_for_a_new_row(letters: Any) -> None:
    letter = letters.letter

    assert facts(lambda: add(letters, "letters", letter(id="2", sender="Tom", reader="Ann"))) == SENDER
    assert cause(lambda: add(letters, "letters", letter(id="2", sender="Ann", reader="Tom"))) == READER


def test_of_many_new_rows_the_broken_one_is_told(letters: Any) -> None:
    good = [letters.letter(id=str(number), sender="Ann", reader="John") for number in range(2, 5)]

    assert cause(lambda: add(letters, "letters", *good, letters.letter(id="9", sender="Ann", reader="Tom"))) == READER


def test_of_several_references_the_broken_one_is_told_for_a_changed_row(letters: Any) -> None:
    def change(**values: str) -> None:
        with letters:
            for name in values:
                setattr(letters.letters["1"], name, values[name])
            letters.commit()

    assert facts(lambda: change(sender="Tom")) == SENDER
    assert cause(lambda: change(reader="Tom")) == READER


def test_of_several_references_the_broken_one_is_told_for_a_removed_row(letters: Any) -> None:
    def remove(name: str) -> None:
        with letters:
            letters.people.remove(letters.people[name])
            letters.commit()

    assert facts(lambda: remove("Mary")) == SENDER
    assert cause(lambda: remove("Ann")) == READER

    remove("John")


def test_a_row_may_refer_to_itself_and_to_one_that_is_added_after_it(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("parent", ForeignKey("things.id")))
    uow = units(things=cls)(make_store(mapping))

    add(uow, "things", cls(id="1", parent="1"), cls(id="2", parent="1"))
    add(uow, "things", cls(id="4", parent="3"), cls(id="3"))

    with uow:
        assert [(each.id, each.parent) for each in uow.things] == [("1", "1"), ("2", "1"), ("3", None), ("4", "3")]
    assert facts(lambda: add(uow, "things", cls(id="6", parent="5"))) == (
        ReferenceViolated,
        "things",
        ("parent",),
        "fk_things_parent",
    )


def test_a_row_that_refers_to_itself_can_be_removed_but_on_mariadb(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("parent", ForeignKey("things.id")))
    store = make_store(mapping)
    uow = units(things=cls)(store)
    add(uow, "things", cls(id="1", parent="1"))

    def remove() -> None:
        with uow:
            uow.things.remove(uow.things["1"])
            uow.commit()

    if isinstance(store, SqlStore) and store.engine.dialect.name == "mariadb":
        assert facts(remove) == (ReferenceViolated, "things", ("parent",), "fk_things_parent")
    else:
        remove()
        with uow:
            assert len(uow.things) == 0


# Classes


def test_two_repositories_may_serve_one_table(make_store: MakeStore) -> None:
    mapping = Mapping()
    one, other = fresh(), fresh()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", String(5), primary_key=True),
        Column("a", Integer),
        Column("b", Integer),
    )
    mapping.aggregate(one, table, exclude_properties=["b"])
    mapping.aggregate(other, table, exclude_properties=["a"])
    uow = units(ones=one, others=other)(make_store(mapping))
    add(uow, "ones", one(id="1", a=1))

    with uow:
        uow.ones["1"].a, uow.others["1"].b = 2, 3
        uow.commit()

    with uow:
        assert (uow.ones["1"].a, uow.others["1"].b) == (2, 3)
        uow.ones.remove(uow.ones["1"])
        assert (uow.ones.get("1"), len(uow.others)) == (None, 0)


@pytest.fixture
def animals(make_store: MakeStore) -> Any:
    """Animals, dogs among them in a table of their own, puppies among those, and fleas on dogs."""
    mapping = Mapping()
    animal = fresh()
    dog, flea = fresh(animal), fresh()
    puppy = fresh(dog)
    table = Table(
        "animals",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(9), nullable=False),
        Column("name", String(9)),
        Column("version", Integer, nullable=False),
    )
    dogs = Table(
        "dogs",
        mapping.metadata,
        Column("id", ForeignKey("animals.id"), primary_key=True),
        Column("bark", String(9)),
    )
    puppies = Table(
        "puppies",
        mapping.metadata,
        Column("id", ForeignKey("dogs.id"), primary_key=True),
        Column("weeks", Integer, unique=True),
    )
    fleas = Table(
        "fleas",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("dog", ForeignKey("dogs.id"), nullable=False),
        Column("size", Integer),
    )
    mapping.aggregate(
        animal, table, version=table.c.version, polymorphic_on=table.c.kind, polymorphic_identity="animal"
    )
    mapping.member(flea, fleas)
    mapping.aggregate(dog, dogs, inherits=animal, polymorphic_identity="dog", properties={"fleas": children(flea)})
    mapping.aggregate(puppy, puppies, inherits=dog, polymorphic_identity="puppy")
    uow = units(animals=animal, dogs=dog, puppies=puppy)(make_store(mapping))
    uow.animal, uow.dog, uow.puppy, uow.flea = animal, dog, puppy, flea
    return uow


def test_each_repository_holds_its_class_and_those_that_inherit_from_it(animals: Any) -> None:
    add(animals, "animals", animals.puppy(name="P", weeks=1), animals.dog(name="D"), animals.animal(name="A"))

    with animals:
        assert [
            [each.name for each in repository] for repository in (animals.animals, animals.dogs, animals.puppies)
        ] == [
            ["P", "D", "A"],
            ["P", "D"],
            ["P"],
        ]
        assert (animals.dogs.get(3), animals.puppies.get(2)) == (None, None)
        assert animals.animals[1] is animals.puppies[1]


def test_a_subclass_has_members_which_raise_the_version_of_the_root(animals: Any) -> None:
    rex = animals.puppy(name="P", weeks=1, fleas=[animals.flea(size=1), animals.flea(size=2)])
    add(animals, "dogs", rex)
    with animals:
        rex = animals.animals[1]
        rex.fleas.pop(0)
        rex.fleas.append(animals.flea(size=3))
        animals.commit()
        rex.fleas[0].size = 9
        animals.commit()
        rex.weeks = 2
        animals.commit()

    with animals:
        rex = animals.puppies[1]
        assert ([flea.size for flea in rex.fleas], rex.weeks, rex.version) == ([9, 3], 2, 4)
        animals.animals.remove(rex)
        animals.commit()
        assert len(animals.dogs) == 0


def test_a_constraint_of_any_table_of_a_class_is_enforced(animals: Any) -> None:
    add(animals, "puppies", animals.puppy(weeks=1))

    broken = facts(lambda: add(animals, "animals", animals.puppy(weeks=1)))

    assert broken == (Duplicate, "puppies", ("weeks",), "uq_puppies_weeks")


def test_an_object_stays_of_its_class(animals: Any) -> None:
    add(animals, "dogs", animals.dog(kind="dog"))

    with pytest.raises(BadValue, match="stays of its class"):
        add(animals, "dogs", animals.dog(kind="animal"))
    with animals, pytest.raises(BadValue, match="stays of its class"):
        animals.dogs[1].kind = "animal"
        animals.commit()


# Members


def test_a_member_that_is_given_its_owner_is_stored(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls, member = fresh(), fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    mapping.member(member, table, properties={"owner": owner(cls, "members")})
    things(mapping, cls=cls, properties={"members": children(member, back_populates="owner")})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1"), cls(id="2"))

    with uow:
        moving = member(owner=uow.things["1"])
        uow.commit()
        moving.owner = uow.things["2"]
        member(owner=uow.things["2"])
        uow.commit()

    with uow:
        assert [len(thing.members) for thing in uow.things] == [0, 2]
        uow.things["2"].members[0].owner = None
        uow.commit()

    with uow:
        assert [len(thing.members) for thing in uow.things] == [0, 1]


def things_and_tools(mapping: Mapping, *own: Column[Any]) -> tuple[Any, Any]:
    """Two classes, of which one inherits from the other and has these columns in a table of its own."""
    thing = fresh()
    tool = fresh(thing)
    kind = Column("kind", String(9), nullable=False)
    things(mapping, kind, cls=thing, polymorphic_on=kind, polymorphic_identity="thing")
    tools = Table(
        "tools",
        mapping.metadata,
        Column("id", ForeignKey("things.id"), primary_key=True),
        *own,
    )
    mapping.aggregate(tool, tools, inherits=thing, polymorphic_identity="tool")
    return thing, tool


def test_an_object_that_another_one_of_its_base_has_replaced_is_another_one(make_store: MakeStore) -> None:
    mapping = Mapping()
    thing, tool = things_and_tools(mapping, Column("size", Integer, nullable=False))
    unit = units(things=thing, tools=tool)
    store = make_store(mapping)
    uow, other = unit(store), unit(store)
    add(uow, "tools", tool(id="1", size=1))

    with uow:
        old = uow.things["1"]
        uow.commit()
        with other:
            other.tools.remove(other.tools["1"])
            other.commit()
            other.things.add(thing(id="1"))
            other.commit()
        new = uow.things["1"]
        assert (type(old), type(new)) == (tool, thing)
        assert uow.things.all() == [new]


def test_what_the_database_gives_to_a_subclass_is_there_when_it_is_stored(make_store: MakeStore) -> None:
    mapping = Mapping()
    _, tool = things_and_tools(mapping, Column("size", Integer, nullable=False, server_default="8"))
    uow = units(tools=tool)(make_store(mapping))
    one, other = tool(id="1"), tool(id="2")

    with uow:
        uow.tools.add(one)
        uow.flush()
        uow.tools.remove_where(lambda each: True)
        uow.tools.add(other)
        uow.commit()

    assert (one.size, other.size) == (8, 8)


@pytest.fixture
def labelled(make_store: MakeStore) -> Any:
    """Things that are linked to labels, which are nobody's children; the label of the one thing is "a"."""
    mapping = Mapping()
    cls, label = fresh(), fresh()
    labels = Table("labels", mapping.metadata, Column("id", Integer, primary_key=True), Column("name", String(9)))
    joined = Table(
        "joined",
        mapping.metadata,
        Column("thing", ForeignKey("things.id"), primary_key=True),
        Column("label", ForeignKey("labels.id"), primary_key=True),
    )
    mapping.member(label, labels)
    linked = relationship(label, secondary=joined, lazy="selectin", order_by=labels.c.id)
    things(mapping, cls=cls, properties={"labels": linked})
    uow = units(things=cls)(make_store(mapping))
    uow.label = label
    add(uow, "things", cls(id="1", labels=[label(name="a")]))
    return uow


def test_members_that_are_linked_and_nobodys_children_are_stored(labelled: Any) -> None:
    with labelled:
        labelled.things["1"].labels.append(labelled.label(name="b"))
        labelled.commit()

    with labelled:
        assert [each.name for each in labelled.things["1"].labels] == ["a", "b"]


def test_members_of_a_dict_come_by_a_union_and_move_whatever_their_keys(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls, member = fresh(), fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("name", String(9), nullable=False),
    )
    mapping.member(member, table)
    things(mapping, cls=cls, properties={"members": children(member, collection=attribute_keyed_dict("name"))})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1"))

    with uow:
        uow.things["1"].members |= {"a": member(name="a"), "b": member(name="b")}
        uow.commit()

    with uow:
        assert sorted(uow.things["1"].members) == ["a", "b"]

    add(uow, "things", cls(id="2"))
    with uow:
        one, two = uow.things["1"], uow.things["2"]
        one.members["b"].name = "renamed"  # its key in the dict is an old one
        two.members["a"] = one.members["a"]
        uow.things.remove(one)
        uow.commit()

    with uow:
        assert sorted(uow.things["2"].members) == ["a"]


def test_members_that_know_their_owner_can_change_places(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls, member = fresh(), fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("rank", Integer, nullable=False),
    )
    mapping.member(member, table, properties={"owner": owner(cls, "members")})
    things(mapping, cls=cls, properties={"members": children(member, back_populates="owner", order_by=table.c.rank)})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", members=[member(rank=1), member(rank=2)]))

    with uow:
        members = uow.things["1"].members
        members[0], members[1] = members[1], members[0]
        members.extend([member(rank=3), member(rank=4)])
        members[2], members[3] = members[3], members[2]
        assert len(members) == 4
        for rank, each in enumerate(members, 5):
            each.rank = rank
        uow.commit()
        assert [each.owner is uow.things["1"] for each in members] == [True] * 4

    with uow:
        thing = uow.things["1"]
        assert [each.rank for each in thing.members] == [5, 6, 7, 8]
        assert [each.id for each in thing.members[:2]] == [2, 1]


def test_an_undone_block_takes_back_what_it_has_done_to_a_linked_member(labelled: Any) -> None:
    with labelled:
        found = labelled.things["1"].labels[0]
        with suppress(LookupError), labelled.nested():
            found.name = "b"
            labelled.flush()
            raise LookupError
        undone = vars(found)["name"]  # there at once, and not loaded when it is asked for
        found.name = "b"
        labelled.commit()

    with labelled:
        assert (undone, labelled.things["1"].labels[0].name) == ("a", "b")


def test_a_check_in_words_of_python_sees_values_and_not_what_rows_hold() -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", JSON), CheckConstraint("c IS NULL OR c IS NOT NULL", name="ck_things_c"))
    seen: list[Any] = []

    def sees(row: dict[str, Any]) -> bool:
        seen.append(row["c"])
        return True

    mapping.check_twin("ck_things_c", sees)
    uow = units(things=cls)(MemoryStore(mapping))

    add(uow, "things", cls(id="1", c={"a": 1}))

    assert seen == [{"a": 1}]


def test_a_json_default_is_a_value_of_its_own_for_each_object(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", JSON, default={}, nullable=False))
    uow = units(things=cls)(make_store(mapping))

    with uow:
        uow.things.add(one := cls(id="1"))
        uow.commit()
        one.c["a"] = 1
        uow.things.add(cls(id="2"))
        uow.commit()

    with uow:
        assert [each.c for each in uow.things] == [{"a": 1}, {}]


@pytest.mark.filterwarnings("ignore:Object of type")  # the ORM says so, and it is so
def test_an_owner_is_stored_because_it_was_added_and_not_by_its_member(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls, member = fresh(), fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    mapping.member(member, table, properties={"owner": relationship(cls, back_populates="members")})
    things(mapping, cls=cls, properties={"members": children(member, back_populates="owner")})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", members=[member()]))

    with uow:
        uow.things["1"].members[0].owner = cls(id="2")
        uow.commit()

    with uow:
        assert [thing.id for thing in uow.things] == ["1"]


def test_a_key_that_an_object_of_another_subclass_has_is_taken(make_store: MakeStore) -> None:
    mapping = Mapping()
    thing = fresh()
    tool = fresh(thing)
    kind, name = Column("kind", String(9), nullable=False), Column("name", String(9))
    things(mapping, kind, name, cls=thing, polymorphic_on=kind, polymorphic_identity="thing")
    mapping.aggregate(tool, inherits=thing, polymorphic_identity="tool")
    uow = units(things=thing, tools=tool)(make_store(mapping))
    add(uow, "things", thing(id="1", name="old"))

    with uow:
        old = uow.things["1"]
        uow.commit()
        with pytest.raises(Duplicate), uow.nested():
            uow.tools.add(tool(id="1", name="new"))
        old.name = "changed"
        uow.commit()

    with uow:
        assert [each.name for each in uow.things] == ["changed"]


@pytest.fixture
def books(make_store: MakeStore) -> Any:
    """Books with chapters, whose key is that of the book and a number."""
    mapping = Mapping()
    book, chapter = fresh(), fresh()
    chapters = Table(
        "chapters",
        mapping.metadata,
        Column("book", ForeignKey("things.id"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("pages", Integer),
    )
    mapping.member(chapter, chapters)
    things(mapping, cls=book, properties={"chapters": children(chapter, order_by=chapters.c.number)})
    uow = units(books=book)(make_store(mapping))
    uow.chapter = chapter
    add(uow, "books", book(id="1", chapters=[chapter(number=1, pages=1), chapter(number=2, pages=2)]), book(id="2"))
    return uow


def test_a_member_whose_key_has_the_owners_in_it_comes_and_goes(books: Any) -> None:
    with books:
        chapters = books.books["1"].chapters
        chapters.pop(0)
        chapters[0] = books.chapter(number=2, pages=99)
        chapters.append(books.chapter(number=3, pages=3))
        books.commit()

    with books:
        assert [(each.book, each.number, each.pages) for each in books.books["1"].chapters] == [
            ("1", 2, 99),
            ("1", 3, 3),
        ]


def test_a_member_whose_key_has_the_owners_in_it_is_there_once(books: Any) -> None:
    def again() -> None:
        with books:
            books.books["1"].chapters.append(books.chapter(number=2))
            books.commit()

    def twice() -> None:
        with books:
            books.books["2"].chapters.extend([books.chapter(number=1), books.chapter(number=1)])
            books.commit()

    assert facts(again) == (Duplicate, "chapters", ("book", "number"), "pk_chapters")
    assert facts(twice) == (Duplicate, "chapters", ("book", "number"), "pk_chapters")


def test_a_key_that_two_new_members_have_is_told_before_a_unit_says_that_it_is_for_reading(books: Any) -> None:
    def read() -> None:
        with books.reading():
            twice = [books.chapter(number=1), books.chapter(number=1)]
            books.books.add(type(books.books["1"])(id="3", chapters=twice))
            books.flush()

    assert facts(read) == (Duplicate, "chapters", ("book", "number"), "pk_chapters")


def test_a_member_whose_key_has_the_owners_in_it_stays_with_its_owner(books: Any) -> None:
    def moved_to_another() -> None:
        with books:
            books.books["2"].chapters.append(books.books["1"].chapters.pop(0))
            books.commit()

    def moved_to_a_new_one() -> None:
        with books:
            kind = type(books.books["1"])
            books.books.add(kind(id="3", chapters=[books.books["1"].chapters.pop(0)]))
            books.commit()

    for move in (moved_to_another, moved_to_a_new_one):
        with pytest.raises(KeyChanged, match="remove it and add a new one"):
            move()

    with books:
        chapters = books.books["1"].chapters
        chapters.append(chapters.pop(0))
        books.commit()
        assert [each.number for each in chapters] == [2, 1]


@pytest.mark.parametrize("by_hand", [False, True])
def test_members_come_by_their_keys_also_when_they_were_changed(make_store: MakeStore, by_hand: bool) -> None:
    mapping = Mapping()
    member = fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("n", Integer),
    )
    mapping.member(member, table)
    relation = relationship(member, cascade="all, delete-orphan", lazy="selectin") if by_hand else children(member)
    cls = things(mapping, properties={"members": relation})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", members=[member(n=number) for number in range(3)]))

    with uow:
        uow.things["1"].members[0].n = 9  # which moves the row to the end on PostgreSQL
        uow.commit()

    with uow:
        assert [each.n for each in uow.things["1"].members] == [9, 1, 2]


def test_members_may_be_kept_in_a_dict(make_store: MakeStore) -> None:
    mapping = Mapping()
    member = fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("name", String(5), nullable=False),
    )
    mapping.member(member, table)
    cls = things(mapping, properties={"members": children(member, collection=attribute_keyed_dict("name"))})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", members={name: member(name=name) for name in "ab"}))

    with uow:
        del uow.things["1"].members["a"]
        uow.commit()

    with uow:
        assert list(uow.things["1"].members) == ["b"]


def test_objects_that_are_false_are_there_all_the_same(make_store: MakeStore) -> None:
    class Empty(Plain):
        def __len__(self) -> int:
            return 0

    mapping = Mapping()
    member = fresh(Empty)
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    mapping.member(member, table)
    cls = things(mapping, cls=fresh(Empty), properties={"member": children(member, uselist=False)})
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", member=member()))

    with uow:
        thing = uow.things["1"]
        assert (uow.things.first() is thing, thing.member is None) == (True, False)
        thing.member = None
        uow.commit()
        uow.things.remove(thing)
        uow.commit()
        assert len(uow.things) == 0


# Savepoints


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_an_error_three_savepoints_deep_takes_back_its_own_block(make_store: MakeStore, depth: int) -> None:
    mapping = Mapping()
    member = fresh()
    table = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("n", Integer),
    )
    mapping.member(member, table)
    version = Column("version", Integer, nullable=False)
    cls = things(
        mapping, version, Column("n", Integer, unique=True), version=version, properties={"members": children(member)}
    )
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="0", n=0, members=[member(n=0)]))
    seen: dict[int, Any] = {}

    def state() -> Any:
        return [(each.id, each.n, each.version, [one.n for one in each.members]) for each in uow.things]

    def enter(level: int) -> None:
        uow.things["0"].members.append(member(n=level))
        uow.things.add(cls(id=str(level), n=level))
        seen[level] = state()
        try:
            with uow.nested():
                uow.things["0"].members[0].n = level * 10
                uow.things[str(level)].n = level + 50
                if level < 3:
                    enter(level + 1)
                if level == depth:
                    uow.things.add(cls(id="x", n=0))
                    uow.flush()
        except Duplicate:
            assert level == depth
            assert state() == seen[level]
        else:
            seen[level] = state()

    with uow:
        enter(1)
        last = state()
        uow.commit()

    with uow:
        assert state() == last
        assert uow.things.get("x") is None
        assert len(uow.things) == depth + 1


def test_the_values_of_a_duplicate_are_as_its_class_has_them(make_store: MakeStore) -> None:
    mapping = Mapping()
    cls = things(mapping, Column("c", EmailType(20), unique=True))
    uow = units(things=cls)(make_store(mapping))
    add(uow, "things", cls(id="1", c=Email("a")))

    with pytest.raises(Duplicate) as caught:
        add(uow, "things", cls(id="2", c=Email("a")))

    assert caught.value.values == {"c": Email("a")}
