"""What a SQLite file or a database in memory does beyond the contract of all stores."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from honestwork.adapters import SqlStore
from honestwork.domain import BadValue, Conflict, LockTimeout, ReferenceViolated, UnitNested, UnitReadOnly
from tests.integration.bank import Account, Bank, accounts, balance, bank, mapping, sql

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(sqlite_url: str) -> Iterator[SqlStore]:
    with bank(sqlite_url, lock_timeout=0.1) as store:
        yield store


@pytest.fixture(params=["file", "memory"])
def either(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[SqlStore]:
    """A file, and a database in memory with its single connection."""
    with bank(sqlite_url if request.param == "file" else "sqlite://") as store:
        yield store


def deposit(store: SqlStore, amount: int = 1) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance += amount
        uow.commit()


def together(*services: Callable[[], object]) -> list[object]:
    """What they give, each in a thread of its own, all at once."""
    with ThreadPoolExecutor(len(services)) as pool:
        return [each.result(30) for each in [pool.submit(service) for service in services]]


@pytest.mark.parametrize(
    ("pragma", "value"), [("foreign_keys", 1), ("journal_mode", "wal"), ("synchronous", 1), ("busy_timeout", 100)]
)
def test_a_file_is_opened_with(store: SqlStore, pragma: str, value: object) -> None:
    with Bank(store) as uow:
        assert sql(uow, f"PRAGMA {pragma}") == value


def test_a_writing_unit_holds_the_lock_of_the_file_from_its_first_statement(store: SqlStore, sqlite_url: str) -> None:
    other = SqlStore(sqlite_url, mapping, begin="deferred", lock_timeout=0)
    with Bank(store) as uow:
        assert uow.accounts["John"].balance == 100

        with Bank(other) as rival, pytest.raises(Conflict):
            rival.accounts.add(Account("Mary"))
            rival.flush()
    other.dispose()


def test_a_unit_that_has_asked_for_nothing_holds_no_lock(store: SqlStore) -> None:
    with Bank(store):
        deposit(store)

    assert balance(store) == 101


def test_a_second_writing_unit_in_the_same_thread_is_refused_at_once(either: SqlStore) -> None:
    with Bank(either) as outer:
        outer.accounts["John"].balance = 1
        outer.flush()
        began = time.monotonic()
        with Bank(either) as inner, pytest.raises(UnitNested):
            inner.accounts.get("John")

        assert time.monotonic() - began < 1
        outer.commit()
    assert balance(either) == 1


def test_a_second_writing_unit_in_the_same_thread_is_refused_also_by_another_store_of_the_file(
    store: SqlStore, sqlite_url: str
) -> None:
    same = SqlStore(sqlite_url, mapping, durability="process")
    with Bank(store) as outer:
        outer.accounts.all()

        with Bank(same) as inner, pytest.raises(UnitNested):
            inner.accounts.all()
    same.dispose()


def test_the_next_unit_is_free_after_one_that_was_refused(either: SqlStore) -> None:
    with Bank(either) as outer:
        outer.accounts.all()
        with Bank(either) as inner, suppress(UnitNested):
            inner.accounts.all()

    deposit(either)
    assert balance(either) == 101


def test_a_unit_of_another_thread_waits_for_its_turn_until_its_lock_timeout(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.all()

        def rival() -> type[Exception] | None:
            try:
                deposit(store)
            except Conflict as error:
                return type(error)
            return None

        assert together(rival) == [LockTimeout]
    assert together(rival) == [None]


def test_a_reading_unit_of_a_file_waits_for_nobody(store: SqlStore) -> None:
    with Bank(store) as writer:
        writer.accounts["John"].balance = 1
        writer.flush()

        assert balance(store) == 100
        writer.commit()
    assert balance(store) == 1


def test_a_writing_unit_of_a_file_waits_for_no_reader(store: SqlStore) -> None:
    with Bank(store).reading() as reader:
        assert reader.accounts["John"].balance == 100
        deposit(store)

        assert reader.accounts.count(balance=100) == 1
    assert balance(store) == 101


def test_a_reading_unit_of_a_database_in_memory_takes_its_turn(store: SqlStore) -> None:
    with bank("sqlite://") as memory:
        with Bank(memory) as writer:
            writer.accounts["John"].balance = 1
            writer.flush()
            with pytest.raises(UnitNested), Bank(memory).reading() as reader:
                reader.accounts.all()
            writer.commit()

        assert balance(memory) == 1
        deposit(memory)  # and nothing has become read-only


def test_eight_threads_lose_nothing(either: SqlStore) -> None:
    def service() -> None:
        for _ in range(20):
            deposit(either)
            balance(either)

    together(*[service] * 8)

    assert balance(either) == 260


def test_two_stores_on_one_file_lose_nothing(store: SqlStore, sqlite_url: str) -> None:
    other = SqlStore(sqlite_url, mapping, durability="process")

    def service(each: SqlStore) -> None:
        for _ in range(20):
            deposit(each)

    together(*[lambda: service(store), lambda: service(other)] * 2)

    assert balance(store) == 180
    other.dispose()


def test_units_that_overlap_and_try_again_lose_nothing(sqlite_url: str) -> None:
    with bank(sqlite_url, begin="deferred", lock_timeout=0.05) as store:

        def service() -> int:
            conflicts = 0
            for _ in range(10):
                while True:
                    try:
                        deposit(store)
                        break
                    except Conflict:
                        conflicts += 1
            return conflicts

        together(*[service] * 4)

        assert balance(store) == 140


def test_a_database_in_memory_is_the_same_for_all_threads() -> None:
    with bank("sqlite:///:memory:") as store:
        assert together(lambda: balance(store), lambda: deposit(store)) is not None

        assert balance(store) == 101


def test_a_savepoint_does_not_survive_the_rollback_of_its_unit(either: SqlStore) -> None:
    with Bank(either) as uow, uow.nested():
        uow.accounts.add(Account("Mary"))

    with Bank(either).reading() as uow:
        assert [account.owner for account in uow.accounts] == ["John"]


def test_the_database_itself_refuses_changes_in_a_reading_unit(either: SqlStore) -> None:
    with Bank(either).reading() as uow, pytest.raises(UnitReadOnly):
        sql(uow, "UPDATE accounts SET balance = 0")

    deposit(either)
    assert balance(either) == 101


def test_foreign_keys_are_enforced_by_the_database_itself(store: SqlStore) -> None:
    with Bank(store) as uow, pytest.raises(ReferenceViolated):
        sql(uow, "INSERT INTO payments (account, amount) VALUES ('nobody', 1)")


def test_raw_sql_is_part_of_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        assert sql(uow, "SELECT balance FROM accounts") == 1
        sql(uow, "UPDATE accounts SET balance = 7")

    assert balance(store) == 100


def test_nothing_of_a_process_that_dies_is_stored(store: SqlStore, sqlite_url: str) -> None:
    program = f"""
import os
from honestwork.adapters import SqlStore
from tests.integration.bank import Bank, mapping
uow = Bank(SqlStore({sqlite_url!r}, mapping)).__enter__()
uow.accounts["John"].balance = 1
uow.flush()
os._exit(3)
"""
    died = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

    assert (died.returncode, died.stderr) == (3, "")
    assert balance(store) == 100
    deposit(store)


def test_a_key_is_never_given_again_also_by_plain_sql(store: SqlStore) -> None:
    with Bank(store) as uow:
        for _ in range(2):
            sql(uow, "INSERT INTO payments (account, amount) VALUES ('John', 1)")
            sql(uow, "DELETE FROM payments")
        sql(uow, "INSERT INTO payments (account, amount) VALUES ('John', 1)")

        assert sql(uow, "SELECT id FROM payments") == 3


def test_begin_is_immediate_or_deferred() -> None:
    with pytest.raises(BadValue, match="immediate"):
        SqlStore("sqlite://", mapping, begin="exclusive")


def test_connections_are_given_back(either: SqlStore) -> None:
    for _ in range(30):
        with suppress(ZeroDivisionError), Bank(either) as uow:
            uow.accounts.all()
            raise ZeroDivisionError
        balance(either)

    with either.engine.connect() as connection:
        assert connection.scalar(select(accounts.c.balance)) == 100
    assert threading.active_count() < 20
