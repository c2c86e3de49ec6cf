"""What a column holds when nothing is given: the same value on every store, or none at all."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnDefault,
    DateTime,
    Integer,
    Numeric,
    String,
    Table,
    Uuid,
    false,
    func,
    text,
    true,
)

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.adapters.plan.defaults import producer, server_producer
from honestwork.domain import BadValue, MappingRefused, Repository
from honestwork.service_layer import Store, UnitOfWork


class Thing:
    def __init__(self, key: int) -> None:
        self.id = key


def mapped(*columns: Column[Any]) -> Mapping:
    class Own(Thing):
        pass

    mapping = Mapping()
    table = Table("things", mapping.metadata, Column("id", Integer, primary_key=True, autoincrement=False), *columns)
    mapping.aggregate(Own, table)
    return mapping


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def stored(kind: str, column: Column[Any]) -> tuple[Any, Any]:
    """What the object has after the flush, and what a fresh unit loads."""
    mapping = mapped(column)
    (own,) = mapping.roots

    class Own(UnitOfWork):
        things: Repository[own, int]  # type: ignore[valid-type]

    store: Store = MemoryStore(mapping) if kind == "memory" else SqlStore("sqlite://", mapping)
    store.create_tables()
    thing = own(1)
    try:
        with Own(store) as uow:
            uow.things.add(thing)
            uow.commit()
        with Own(store) as uow:
            loaded: Any = uow.things[1]
            return getattr(thing, column.name), getattr(loaded, column.name)
    finally:
        store.dispose()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("n", Integer, nullable=False, default=7), 7),
        (Column("n", Integer, nullable=False, default=lambda: 8), 8),
        (Column("n", Integer, nullable=False, default=int), 0),
        (Column("n", Integer, nullable=False, server_default="-9"), -9),
        (Column("n", Integer, nullable=False, server_default=text("10")), 10),
        (Column("n", Boolean, nullable=False, server_default=true()), True),
        (Column("n", Boolean, nullable=False, server_default=false()), False),
        (Column("n", Boolean, nullable=False, server_default="0"), False),
        (Column("n", String(9), nullable=False, server_default="new"), "new"),
        (Column("n", String(9), nullable=False, server_default=""), ""),
        (Column("n", String(9), nullable=False, server_default="it's"), "it's"),
        (Column("n", Numeric(5, 2), nullable=False, default=Decimal("1.5")), Decimal("1.50")),
        (Column("n", JSON, nullable=False, default=dict), {}),
        (Column("n", DateTime(timezone=True), nullable=False, default=lambda: dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
         dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    ],
)  # fmt: skip
def test_a_default_is_what_the_object_has_and_what_is_loaded(kind: str, column: Column[Any], value: Any) -> None:
    had, loaded = stored(kind, column._copy())

    assert repr(had) == repr(value)
    assert repr(loaded) == repr(value)


def test_a_default_is_made_anew_for_each_object(kind: str) -> None:
    _, one = stored(kind, Column("n", Uuid, nullable=False, default=uuid4))
    _, two = stored(kind, Column("n", Uuid, nullable=False, default=uuid4))

    assert type(one) is UUID
    assert one != two


@pytest.mark.parametrize(
    "column",
    [
        Column("n", Integer, nullable=False, default=lambda: 2.5),
        Column("n", String(3), nullable=False, default=lambda: "long"),
        Column("n", JSON, nullable=False, default=lambda: {1: 2}),
    ],
)
def test_a_default_that_the_column_cannot_hold_is_refused_when_it_is_made(kind: str, column: Column[Any]) -> None:
    with pytest.raises(BadValue) as caught:
        stored(kind, column._copy())

    assert caught.value.attribute == "things.n"


@pytest.mark.parametrize(
    "column",
    [
        Column("n", Integer, nullable=False, default=2.5),
        Column("n", String(3), nullable=False, default="long"),
        Column("n", String(3), nullable=False, server_default="long"),
        Column("n", Numeric(5, 2), nullable=False, default=Decimal("1.005")),
        Column("n", Integer, nullable=False, default="7"),
    ],
)
def test_a_constant_that_the_column_cannot_hold_is_refused_with_the_mapping(column: Column[Any]) -> None:
    with pytest.raises(MappingRefused, match=r"the default of things\.n is one that it cannot hold"):
        mapped(column._copy()).check()


@pytest.mark.parametrize(
    "column",
    [
        Column("n", Integer, server_default=func.now()),
        Column("n", Integer, server_default=text("1 + 1")),
        Column("n", String, server_default=text("lower('A')")),
    ],
)
def test_what_only_a_database_can_compute_is_refused(column: Column[Any]) -> None:
    with pytest.raises(MappingRefused, match="which only a database can compute"):
        server_producer(column)


def test_a_default_that_is_an_expression_is_refused() -> None:
    with pytest.raises(MappingRefused, match="computed by the database"):
        producer(ColumnDefault(func.now()))


def test_no_default_gives_nothing() -> None:
    assert producer(None) is None
    assert server_producer(Column("n", Integer)) is None
