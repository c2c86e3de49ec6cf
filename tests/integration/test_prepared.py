"""Statements that go straight to the driver do what SQLAlchemy's own connection would do with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Integer,
    Numeric,
    String,
    Table,
    Uuid,
    create_engine,
    event,
    select,
)

from honestwork.adapters import Mapping, SqlStore
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork
from tests.integration.bank import Account, Bank, Payment, accounts, bank, mapping as of_the_bank


@dataclass(eq=False)
class Parcel:
    token: UUID
    weight: Decimal
    sent: datetime
    is_open: bool
    label: Any
    odd: str
    id: int = field(init=False)


mapping = Mapping()
parcels = Table(
    "prepared_parcels",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("token", Uuid, nullable=False),
    Column("weight", Numeric(8, 3), nullable=False),
    Column("sent", DateTime(timezone=True), nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("label", JSON),
    Column("an odd (name): a%b.c", String(20), nullable=False),
)
mapping.aggregate(Parcel, parcels, properties={"odd": parcels.c["an odd (name): a%b.c"]})


class Post(UnitOfWork):
    parcels: Repository[Parcel, int]


@pytest.fixture(params=["sqlite_url", "postgres_url", "mariadb_url"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    store = SqlStore(request.getfixturevalue(request.param), mapping, durability="process")
    store.drop_tables()
    store.create_tables()
    yield store
    store.drop_tables()
    store.dispose()


@contextmanager
def heard(store: SqlStore) -> Iterator[list[str]]:
    """The first words of the statements that a listener of the engine hears in the block."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        statements.append(statement.split()[0])

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def sent(store: SqlStore) -> list[Parcel]:
    """Store one parcel, then two, and change, delete and read them; return what is left of them, changed."""
    values = uuid4(), Decimal("1.250"), datetime(2026, 12, 1, 12, tzinfo=UTC), False, {"to": ["John"]}
    with Post(store) as uow:
        one, *others = (Parcel(*values, f"{number}") for number in range(3))
        uow.parcels.add(one)
        uow.flush()
        uow.parcels.add_many(others)
        uow.flush()
        uow.parcels.remove(others[0])
        uow.commit()
    with Post(store) as uow:
        uow.parcels[one.id].label = None
        uow.parcels[others[1].id].is_open = True
        uow.commit()
    return [one, others[1]]


def told(parcels: list[Parcel]) -> list[tuple[Any, ...]]:
    return [(each.id, each.token, each.weight, each.sent, each.is_open, each.label, each.odd) for each in parcels]


def test_a_unit_that_is_listened_to_stores_and_finds_what_one_does_that_is_not(store: SqlStore) -> None:
    quiet = sent(store)
    with heard(store) as statements:
        loud = sent(store)

    with Post(store) as uow:
        found = told([uow.parcels[each.id] for each in [*quiet, *loud]])
    with heard(store), Post(store) as uow:
        heard_of = told([uow.parcels[each.id] for each in [*quiet, *loud]])

    assert found == heard_of
    assert [row[0] for row in found] == [each.id for each in [*quiet, *loud]]
    assert [row[2:] for row in found[:2]] == [row[2:] for row in found[2:]]
    assert [(row[4], row[5], row[6]) for row in found[:2]] == [(False, None, "0"), (True, {"to": ["John"]}, "2")]
    assert {"INSERT", "UPDATE", "DELETE", "SELECT"} <= {*statements}


def test_a_listener_hears_the_statements_of_a_unit_one_by_one(store: SqlStore) -> None:
    one, other = sent(store)

    with Post(store) as uow:
        uow.parcels.get(other.id)
        with heard(store) as statements:
            uow.parcels[one.id].is_open = True
            uow.commit()
        uow.parcels.get(other.id)

    assert statements == ["SELECT", "UPDATE"]


def test_statements_are_logged_without_their_values(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    (one, _) = sent(store)

    with caplog.at_level(logging.INFO, "sqlalchemy.engine"), Post(store) as uow:
        uow.parcels[one.id].odd = "secret"
        uow.commit()

    assert "UPDATE prepared_parcels" in caplog.text
    assert "secret" not in caplog.text


def test_an_engine_that_translates_schemas_is_followed(tmp_path: Path) -> None:
    plain = create_engine(f"sqlite:///{tmp_path / 'main.db'}")

    @event.listens_for(plain, "connect")
    def attach(connection: Any, record: Any) -> None:
        connection.execute(f"ATTACH DATABASE '{tmp_path / 'aside.db'}' AS aside")

    engine = plain.execution_options(schema_translate_map={None: "aside"})
    store = SqlStore(engine, of_the_bank, durability="process")
    store.create_tables()

    with Bank(store) as uow:
        uow.accounts.add(Account("John", 100))
        uow.payments.add_many([Payment("John", 1), Payment("John", 2)])
        uow.commit()
        uow.accounts["John"].balance = 50
        uow.commit()

    with plain.connect() as connection:
        assert connection.exec_driver_sql("SELECT owner, balance FROM aside.accounts").all() == [("John", 50)]
        assert not connection.exec_driver_sql("SELECT name FROM main.sqlite_master").all()
    engine.dispose()


def test_after_sqlalchemys_connection_was_asked_for_the_unit_goes_on_in_the_same_transaction(postgres_url: str) -> None:
    with bank(postgres_url) as store, Bank(store) as uow:
        uow.accounts["John"].balance = 50
        uow.flush()

        repository: Any = uow.accounts
        seen = repository.session.scalar(select(accounts.c.balance))
        uow.payments.add(Payment("John", 7))
        uow.commit()

        assert (seen, uow.accounts["John"].balance, uow.payments.count()) == (50, 50, 1)
