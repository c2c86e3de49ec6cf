"""A database that accepts no changes is not a mistake of the program: servers become standbys while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, event, text

from honestwork.adapters import SqlStore
from honestwork.domain import Misuse, ReadOnlyDatabase, StatementTimeout, UnitReadOnly
from tests.integration.bank import Account, Bank, balance, bank, mapping, sql

READ_ONLY = ["sqlite", "sqlite without a journal", "sqlite immutable", "postgres", "mariadb"]


@pytest.fixture(params=READ_ONLY)
def read_only(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """A store in which John has 100, and whose database has become read-only since."""
    server = request.param.partition(" ")[0]
    url = request.getfixturevalue(f"{server}_url")
    with bank(url) as writable:
        writable.dispose()
        with made_read_only(request.param, url) as store:
            yield store
            store.dispose()


@contextmanager
def made_read_only(database: str, url: str) -> Iterator[SqlStore]:
    if database.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        if database != "sqlite":
            engine = create_engine(url)
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
            engine.dispose()
        mode = "immutable=1" if database == "sqlite immutable" else "mode=ro"
        yield SqlStore(f"sqlite:///file:{path}?{mode}&uri=true", mapping)
        return
    store = SqlStore(url, mapping)
    switch = {
        "postgres": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }[database]

    @event.listens_for(store.engine, "connect")
    def standby(connection: object, entry: object) -> None:
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute(switch)
        connection.commit()  # type: ignore[attr-defined]

    yield store


def test_a_database_that_is_read_only_can_be_read(read_only: SqlStore) -> None:
    assert balance(read_only) == 100


def test_a_change_in_a_database_that_is_read_only_is_no_misuse(read_only: SqlStore) -> None:
    with Bank(read_only) as uow, pytest.raises(ReadOnlyDatabase, match="the database is read-only") as caught:
        uow.accounts["John"].balance = 1
        uow.commit()

    assert not isinstance(caught.value, Misuse)
    assert balance(read_only) == 100


def test_a_new_row_and_a_removal_are_refused_there_too(read_only: SqlStore) -> None:
    with Bank(read_only) as uow, pytest.raises(ReadOnlyDatabase):
        uow.accounts.add(Account("Mary"))
        uow.flush()
    with Bank(read_only) as uow, pytest.raises(ReadOnlyDatabase):
        uow.accounts.remove(uow.accounts["John"])
        uow.flush()


def test_a_change_in_a_reading_unit_is_a_misuse_whatever_the_database_is(read_only: SqlStore) -> None:
    with Bank(read_only).reading() as uow, pytest.raises(UnitReadOnly):
        uow.accounts["John"].balance = 1
        uow.flush()


def test_tables_cannot_be_made_there(read_only: SqlStore) -> None:
    with pytest.raises(ReadOnlyDatabase):
        read_only.drop_tables()


@pytest.mark.parametrize(
    ("server", "limit", "wait"),
    [
        ("postgres", "SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)"),
        ("mariadb", "SET max_statement_time = 0.02", "SELECT SLEEP(5)"),
    ],
)
def test_a_statement_that_the_server_ends_is_told_by_its_own_error(
    request: pytest.FixtureRequest, server: str, limit: str, wait: str
) -> None:
    with bank(request.getfixturevalue(f"{server}_url")) as store, Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.flush()
        sql(uow, limit)

        with pytest.raises(StatementTimeout, match="nothing of the unit is stored"):
            uow.accounts._session.rows.rows(text(wait))  # type: ignore[attr-defined]
        uow.rollback()
        assert balance(store) == 100
