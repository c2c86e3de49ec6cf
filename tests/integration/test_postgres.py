"""What PostgreSQL does beyond the contract of all stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import DBAPIError

from honestwork.adapters import SqlStore
from honestwork.domain import BackendError, Conflict, Unavailable
from tests.integration.bank import Bank, balance, bank, mapping, sql
from tests.integration.servers import lost_in_a_change, lost_in_a_commit, lost_in_a_read


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStore]:
    with bank(postgres_url, lock_timeout=0.05) as store:
        yield store


@pytest.mark.parametrize(
    ("setting", "value"),
    [("transaction_isolation", "repeatable read"), ("transaction_read_only", "off"), ("lock_timeout", "50ms")],
)
def test_a_unit_runs_with(store: SqlStore, setting: str, value: str) -> None:
    with Bank(store) as uow:
        assert sql(uow, f"SHOW {setting}") == value


@pytest.mark.parametrize(
    ("setting", "value"), [("transaction_isolation", "repeatable read"), ("transaction_read_only", "on")]
)
def test_a_reading_unit_runs_with(store: SqlStore, setting: str, value: str) -> None:
    with Bank(store).reading() as uow:
        assert sql(uow, f"SHOW {setting}") == value


def test_the_database_itself_refuses_changes_in_a_reading_unit(store: SqlStore) -> None:
    with Bank(store).reading() as uow, pytest.raises(DBAPIError, match="read-only transaction"):
        sql(uow, "UPDATE accounts SET balance = 0")

    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.commit()
    assert balance(store) == 1


def test_raw_sql_is_part_of_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        assert sql(uow, "SELECT balance FROM accounts") == 1

    assert balance(store) == 100


def test_a_timeout_of_nothing_does_not_wait_for_ever(postgres_url: str) -> None:
    with bank(postgres_url, lock_timeout=0) as store, Bank(store) as one, Bank(store) as two:
        one.accounts["John"].balance = 1
        two.accounts["John"].balance = 2
        one.flush()
        began = time.monotonic()

        with pytest.raises(Conflict):
            two.flush()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("lost", [lost_in_a_read, lost_in_a_change, lost_in_a_commit])
def test_a_connection_may_be(store: SqlStore, postgres_url: str, lost: Callable[..., None]) -> None:
    lost(store, postgres_url, whose="SELECT pg_backend_pid()", kill="SELECT pg_terminate_backend({})")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = SqlStore("postgresql+psycopg://nobody@127.0.0.1:1/nothing", mapping)
    with Bank(store) as uow, pytest.raises(Unavailable):
        uow.accounts.all()


def test_a_database_that_is_not_there_is_not_worth_another_attempt(postgres_url: str) -> None:
    store = SqlStore(postgres_url.replace("honestwork_", "no_such_", 1), mapping)
    with Bank(store) as uow, pytest.raises(BackendError, match="check the user"):
        uow.accounts.all()
    store.dispose()
