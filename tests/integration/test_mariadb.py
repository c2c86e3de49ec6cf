"""What MariaDB does beyond the contract of all stores."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from honestwork.adapters import SqlStore
from honestwork.domain import BackendError, Conflict, Unavailable, UnitFailed, UnitReadOnly
from tests.integration.bank import Bank, balance, bank, mapping, sql
from tests.integration.servers import lost_in_a_change, lost_in_a_commit, lost_in_a_read


@pytest.fixture
def store(mariadb_url: str) -> Iterator[SqlStore]:
    with bank(mariadb_url, lock_timeout=0) as store:
        yield store


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("@@tx_isolation", "REPEATABLE-READ"),
        ("@@innodb_snapshot_isolation", 1),
        ("@@innodb_lock_wait_timeout", 0),
        ("@@time_zone", "+00:00"),
        ("@@sql_mode LIKE '%STRICT_ALL_TABLES%'", 1),
        ("@@autocommit", 0),
    ],
)
@pytest.mark.parametrize("reading", [False, True])
def test_a_unit_runs_with(store: SqlStore, variable: str, value: object, reading: bool) -> None:
    with Bank(store).reading() if reading else Bank(store) as uow:
        assert sql(uow, f"SELECT {variable.replace('%', '%%')}") == value


def test_the_database_itself_refuses_changes_in_a_reading_unit(store: SqlStore) -> None:
    with Bank(store).reading() as uow, pytest.raises(UnitReadOnly):
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


def test_a_race_that_is_lost_in_a_block_takes_the_whole_unit(store: SqlStore) -> None:
    """MariaDB undoes the transaction, and the savepoint with it; other databases would let the unit go on."""
    with Bank(store) as one, Bank(store) as two:
        john = one.accounts["John"]
        assert john.balance == 100
        two.accounts["John"].balance = 50
        two.commit()

        with pytest.raises(Conflict), one.nested():
            one.accounts["John"].balance = 60
        assert john.balance == 100  # as before the block

        with pytest.raises(UnitFailed):
            one.accounts.all()
        one.rollback()
        assert one.accounts["John"].balance == 50


@pytest.mark.parametrize("lost", [lost_in_a_read, lost_in_a_change, lost_in_a_commit])
def test_a_connection_may_be(store: SqlStore, mariadb_url: str, lost: Callable[..., None]) -> None:
    lost(store, mariadb_url, whose="SELECT CONNECTION_ID()", kill="KILL {}")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = SqlStore("mariadb+pymysql://nobody@127.0.0.1:1/nothing", mapping)
    with Bank(store) as uow, pytest.raises(Unavailable):
        uow.accounts.all()


def test_a_database_that_is_not_there_is_not_worth_another_attempt(mariadb_url: str) -> None:
    store = SqlStore(mariadb_url.replace("honestwork_", "no_such_", 1), mapping)
    with Bank(store) as uow, pytest.raises(BackendError, match="check the user"):
        uow.accounts.all()
    store.dispose()


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="a signal is heard in the main thread alone"
)
def test_an_alarm_that_raises_a_timeout_error_is_not_taken_for_a_lost_connection(store: SqlStore) -> None:
    """PyMySQL takes any OSError for one, and a TimeoutError is an OSError."""

    class TookTooLong(TimeoutError):
        pass

    class Rung:
        def read(self, count: int) -> bytes:
            signal.raise_signal(signal.SIGUSR1)
            return b""

        def close(self) -> None:
            pass

    def took_too_long(*about: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGUSR1, took_too_long)
    try:
        with pytest.raises(TookTooLong), Bank(store) as uow:
            connection: Any = uow.accounts.session.connection().connection.dbapi_connection  # type: ignore[attr-defined]
            connection._rfile = Rung()  # the answer to ROLLBACK is waited for here
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert balance(store) == 100
