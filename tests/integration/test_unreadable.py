"""Rows that a class cannot represent, as older programs and other hands leave them, have an error of the domain."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum as PythonEnum
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
    Uuid,
    create_engine,
    insert,
    text,
)
from sqlalchemy.types import TypeDecorator

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children, value
from honestwork.domain import Repository, UnreadableRow
from honestwork.service_layer import Store, UnitOfWork

TOKEN = UUID(int=1)


class Status(PythonEnum):
    ACTIVE = "active"


class Even(TypeDecorator[int]):
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        if value is not None and value % 2:
            raise AttributeError("odd")
        return value


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("no debts")


@dataclass(eq=False)
class Animal:
    name: str
    id: int = field(init=False)


@dataclass(eq=False)
class Dog(Animal):
    tricks: int = 0


@dataclass(eq=False)
class Part:
    size: int
    id: int = field(init=False)


@dataclass(eq=False)
class Thing:
    id: int
    amount: int = 1
    currency: str = "EUR"
    number: int = 1
    ratio: float = 1.5
    price: Decimal = Decimal("1.50")
    is_new: bool = True
    status: Status = Status.ACTIVE
    choice: str = "a"
    even: int = 2
    day: dt.date = dt.date(2020, 1, 1)
    at: dt.datetime = dt.datetime(2020, 1, 1)
    utc: dt.datetime = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    clock: dt.time = dt.time(12)
    span: dt.timedelta = dt.timedelta(1)
    token: UUID = TOKEN
    data: Any = "x"
    blob: bytes = b"x"
    parts: list[Part] = field(default_factory=list)


mapping = Mapping()
things = Table(
    "things",
    mapping.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("number", Integer, nullable=False),
    Column("ratio", Float, nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
    Column("is_new", Boolean, nullable=False),
    Column("status", Enum(Status, name="status", native_enum=False), nullable=False),
    Column("choice", Enum("a", "b", name="choice", native_enum=False), nullable=False),
    Column("even", Even, nullable=False),
    Column("day", Date, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("utc", DateTime(timezone=True), nullable=False),
    Column("clock", Time, nullable=False),
    Column("span", Interval, nullable=False),
    Column("token", Uuid, nullable=False),
    Column("data", JSON, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)
parts = Table(
    "parts",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("thing", ForeignKey("things.id"), nullable=False),
    Column("size", Integer, nullable=False),
)
animals = Table(
    "animals",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(20), nullable=False),
)
dogs = Table(
    "dogs",
    mapping.metadata,
    Column("id", ForeignKey("animals.id"), primary_key=True),
    Column("tricks", Integer, nullable=False),
)
mapping.member(Part, parts)
mapping.aggregate(
    Thing,
    things,
    properties={"money": value(Money, things.c.amount, things.c.currency), "parts": children(Part)},
)
mapping.aggregate(Animal, animals, polymorphic_on=animals.c.kind, polymorphic_identity="animal")
mapping.aggregate(Dog, dogs, inherits=Animal, polymorphic_identity="dog")


class Zoo(UnitOfWork):
    things: Repository[Thing, int]
    animals: Repository[Animal, int]
    dogs: Repository[Dog, int]


# What an older program has left: all columns are text, and may be NULL.
old = MetaData()
KEPT = ("id", "amount", "even", "ratio", "price")
old_things = Table(
    "things",
    old,
    Column("id", Integer, primary_key=True, autoincrement=False),
    *(Column(each.name, String(40)) for each in things.columns if each.name not in KEPT),
    Column("ratio", Float),
    Column("price", Numeric(8, 2)),
    Column("amount", Integer),
    Column("even", Integer),
)
old_parts = Table(
    "parts",
    old,
    Column("id", Integer, primary_key=True),
    Column("thing", Integer),
    Column("size", String(20)),
)
old_animals = Table(
    "animals", old, Column("id", Integer, primary_key=True), Column("kind", String(10)), Column("name", String(20))
)
old_dogs = Table("dogs", old, Column("id", Integer, primary_key=True), Column("tricks", Integer))


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """A store on tables whose columns are looser than the mapping says."""
    store = SqlStore(request.getfixturevalue(f"{request.param}_url"), mapping, durability="process")
    old.create_all(store.engine)
    yield store
    store.dispose()
    old.drop_all(store.engine)
    store.dispose()


def put(store: SqlStore, table: Table, **values: Any) -> None:
    with store.engine.begin() as connection:
        connection.execute(insert(table), values)


READS: dict[str, Callable[[Repository[Any, int]], Any]] = {
    "get": lambda things: things.get(7),
    "getitem": lambda things: things[7],
    "iterate": list,
    "find": lambda things: things.find(lambda thing: thing.id > 6),
    "find_by": lambda things: things.find_by(id=7),
    "first": lambda things: things.first(lambda thing: thing.id > 6),
    "one": lambda things: things.one(id=7),
    "page": lambda things: things.page(lambda thing: thing.id > 6, limit=5),
    "stream": lambda things: list(things.stream()),
}


def refused(uow: Zoo, read: Callable[[Repository[Any, int]], Any]) -> UnreadableRow:
    with pytest.raises(UnreadableRow) as caught:
        read(uow.things)
    return caught.value


BAD = {
    "number": "secret",
    "is_new": "secret",
    "status": "secret",
    "choice": "secret",
    "day": "secret",
    "at": "secret",
    "utc": "secret",
    "clock": "secret",
    "span": "secret",
    "token": "secret",
    "even": 3,
}


@pytest.mark.parametrize("column", BAD)
def test_a_value_that_its_attribute_cannot_have_is_unreadable(store: SqlStore, column: str) -> None:
    put(store, old_things, id=7, **{column: BAD[column]})
    if column != "number":
        with store.engine.begin() as connection:  # the others are as they should be
            connection.execute(text("UPDATE things SET amount = 1"))

    with Zoo(store) as uow:
        error = refused(uow, lambda things: things.select(lambda thing: getattr(thing, column)))
        assert (error.table, error.column) == ("things", column)
        assert "secret" not in str(error)


@pytest.mark.parametrize("read", READS)
def test_whoever_reads_it_gets_the_same_error(store: SqlStore, read: str) -> None:
    put(store, old_things, id=7, status="ARCHIVED", amount=1)

    with Zoo(store) as uow:
        error = refused(uow, READS[read])
        assert (error.table, error.key, error.column) == ("things", 7, "status")
        assert isinstance(error.__cause__, LookupError)
        assert "migration" in str(error)
        assert "ARCHIVED" not in str(error)


def test_the_unit_stays_usable_after_a_row_that_it_cannot_read(store: SqlStore) -> None:
    put(store, old_things, id=7, status="ARCHIVED")
    put(store, old_animals, id=1, kind="animal", name="Tom")

    with Zoo(store) as uow:
        tom = uow.animals[1]
        tom.name = "Tim"
        refused(uow, list)
        refused(uow, list)
        assert uow.things.count() == 1
        assert uow.things.exists(lambda thing: thing.id == 7)
        assert uow.animals[1] is tom
        uow.commit()
    with Zoo(store) as uow:
        assert uow.animals[1].name == "Tim"


def test_null_in_a_column_that_must_have_a_value_is_unreadable(store: SqlStore) -> None:
    put(store, old_animals, id=1, kind="animal", name=None)

    with Zoo(store) as uow:
        with pytest.raises(UnreadableRow, match="NULL") as caught:
            uow.animals.all()
        assert (caught.value.table, caught.value.key, caught.value.column) == ("animals", 1, "name")
        with pytest.raises(UnreadableRow, match="NULL"):
            uow.animals.select(lambda animal: (animal.id, animal.name))


@pytest.mark.parametrize("kind", ["cat", None])
def test_a_row_of_a_class_that_is_no_more_is_unreadable(store: SqlStore, kind: str | None) -> None:
    put(store, old_animals, id=1, kind=kind, name="Tom")

    with Zoo(store) as uow:
        with pytest.raises(UnreadableRow, match="names no class of Animal") as caught:
            uow.animals.get(1)
        assert (caught.value.table, caught.value.key, caught.value.column) == ("animals", 1, "kind")


def test_a_subclass_without_its_row_in_its_own_table_is_unreadable(store: SqlStore) -> None:
    put(store, old_animals, id=1, kind="dog", name="Rex")

    with Zoo(store) as uow:
        with pytest.raises(UnreadableRow, match="Dog has no row in this table") as caught:
            uow.animals.all()
        assert (caught.value.table, caught.value.key, caught.value.column) == ("dogs", 1, None)


GOOD = {
    "currency": "EUR",
    "number": 1,
    "ratio": 1.5,
    "price": 1.5,
    "is_new": 1,
    "status": "ACTIVE",
    "choice": "a",
    "even": 2,
    "day": "2020-01-01",
    "at": "2020-01-01 00:00:00",
    "utc": "2020-01-01 00:00:00",
    "clock": "12:00:00",
    "span": 1,
    "token": "0" * 32,
    "data": '"x"',
    "blob": b"x",
}


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[SqlStore]:
    """A store whose tables are those of the mapping, where SQLite still takes any value in any column."""
    store = SqlStore(sqlite_url, mapping, durability="process")
    store.create_tables()
    yield store
    store.dispose()


def put_raw(store: SqlStore, **values: Any) -> None:
    engine = create_engine(store.engine.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        connection.exec_driver_sql(f"INSERT INTO things ({names}) VALUES ({places})", values)
    engine.dispose()


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        *((column, "secret") for column in (*BAD, "ratio", "price", "data") if column != "even"),
        ("even", 3),
        ("number", 1.5),
        ("number", b"secret"),
        ("is_new", 7),
        ("currency", b"secret"),
        ("blob", "secret"),
        ("blob", 5),
    ],
)
def test_sqlite_may_hold_anything_anywhere(sqlite: SqlStore, column: str, stored: Any) -> None:
    put_raw(sqlite, **{"id": 6, "amount": 1, **GOOD})
    put_raw(sqlite, **{"id": 7, "amount": 1, **GOOD, column: stored})

    with Zoo(sqlite) as uow:
        assert uow.things[6].number == 1
        for read in READS.values():
            error = refused(uow, read)
            assert (error.table, error.key, error.column) == ("things", 7, column)
            assert "secret" not in str(error)
        assert uow.things[6].number == 1


def test_text_that_is_no_utf_8_is_unreadable(sqlite: SqlStore) -> None:
    put_raw(sqlite, id=7, amount=1, **GOOD)
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE things SET currency = CAST(x'ff' AS TEXT)")

    with Zoo(sqlite) as uow:
        error = refused(uow, list)
        assert (error.table, error.key, error.column) == ("things", 7, "currency")
        assert uow.things.count() == 1


def test_a_member_that_cannot_be_read_leaves_nothing_half_loaded(sqlite: SqlStore) -> None:
    put_raw(sqlite, id=7, amount=1, **GOOD)
    put(sqlite, old_parts, id=1, thing=7, size="secret")

    with Zoo(sqlite) as uow:
        for _ in range(2):
            error = refused(uow, lambda things: things.get(7))
            assert (error.table, error.key, error.column) == ("parts", 1, "size")
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE parts SET size = 5")
    with Zoo(sqlite) as uow:
        assert [part.size for part in uow.things[7].parts] == [5]


@pytest.fixture(params=["memory", "sqlite", "postgres", "mariadb"])
def any_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    made = (
        MemoryStore(mapping)
        if request.param == "memory"
        else SqlStore(request.getfixturevalue(f"{request.param}_url"), mapping, durability="process")
    )
    made.create_tables()
    yield made
    made.drop_tables()
    made.dispose()


def test_a_value_object_that_refuses_its_columns_is_unreadable(any_store: Store) -> None:
    """In memory too, where the columns were assigned and not the value."""
    with Zoo(any_store) as uow:
        uow.things.add_many([Thing(6), Thing(7, amount=-1, parts=[Part(1)])])
        uow.commit()

    with Zoo(any_store) as uow:
        for read in READS.values():
            error = refused(uow, read)
            assert (error.table, error.key, error.column) == ("things", 7, None)
            assert isinstance(error.__cause__, ValueError)
        refused(uow, lambda things: things.select(lambda thing: thing.money))
        assert uow.things[6].money == Money(1, "EUR")  # type: ignore[attr-defined]
        uow.things[6].amount = 5
        uow.commit()
    with Zoo(any_store) as uow:
        assert uow.things[6].amount == 5


class Tired(TypeDecorator[Any]):
    """Cannot be read; and a signal comes when it is asked again, for the sake of the error."""

    impl = JSON
    cache_ok = True
    asked: list[object] | None = None

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if Tired.asked is None:
            return value
        Tired.asked.append(value)
        if len(Tired.asked) == 2:
            signal.raise_signal(signal.SIGUSR1)
        raise AttributeError("tired")


class TookTooLong(Exception):
    """What a signal handler raises."""


def took_too_long(*about: object) -> None:
    raise TookTooLong


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="a signal is heard in the main thread alone"
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_interrupt_while_it_is_looked_for_which_value_cannot_be_read_comes_out(
    kind: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(eq=False)
    class Note:
        id: str
        data: Any

    class Notes(UnitOfWork):
        notes: Repository[Note, str]

    mapping = Mapping()
    table = Table("notes", mapping.metadata, Column("id", String(5), primary_key=True), Column("data", Tired))
    mapping.aggregate(Note, table)
    store = MemoryStore(mapping) if kind == "memory" else SqlStore(sqlite_url, mapping, durability="process")
    store.create_tables()
    with Notes(store) as uow:
        uow.notes.add(Note("a", {}))
        uow.commit()

    before = signal.signal(signal.SIGUSR1, took_too_long)
    try:
        monkeypatch.setattr(Tired, "asked", [])
        with Notes(store) as uow, pytest.raises(TookTooLong):
            uow.notes.get("a")
    finally:
        signal.signal(signal.SIGUSR1, before)
        store.dispose()
