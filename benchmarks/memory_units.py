"""Units of work in memory, beside a database in memory and beside a fake that believes everything."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.orm import Session

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Account, Shop, User
from benchmarks.harness import Case, Timings, calibration, measure
from benchmarks.mapping import mapping
from benchmarks.naive_fake import NaiveUnit
from benchmarks.peers import keys
from honestwork.adapters import MemoryStore

ROWS = 1_000
SCANNED = 10_000
CROWD = 100_000


def three_users(unit: Callable[[], Any]) -> None:
    """What a test of a service does: add three, commit; then, in another unit, get all of them and change one."""
    with unit() as uow:
        new = [User("ann", 1), User("bob", 2), User("cid", 3)]
        for user in new:
            uow.users.add(user)
        uow.commit()
        stored = [user.id for user in new]
    with unit() as uow:
        users = [uow.users[key] for key in stored]
        assert [user.name for user in users] == ["ann", "bob", "cid"]
        users[1].name = "bee"
        uow.commit()


def three_users_in_memory() -> None:
    store = MemoryStore(mapping)
    three_users(lambda: Shop(store))


def three_users_in_a_dict() -> None:
    rows: dict[int, User] = {}
    three_users(lambda: NaiveUnit(rows))


def three_users_by_hand(connection: Connection) -> None:
    """The test as SQLAlchemy's documentation teaches it: an outer transaction, each commit is a savepoint in it."""
    outer = connection.begin()
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        new = [hand_written.User("ann", 1), hand_written.User("bob", 2), hand_written.User("cid", 3)]
        session.add_all(new)
        session.commit()
        stored = [user.id for user in new]
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        users = [session.get_one(hand_written.User, key) for key in stored]
        assert [user.name for user in users] == ["ann", "bob", "cid"]
        users[1].name = "bee"
        session.commit()
    outer.rollback()


@bar("memory: get, change, commit", at_most=15, unit="µs")
def change(bench: Bench) -> Figure:
    store, key, number = populated(ROWS), keys(ROWS), itertools.count().__next__

    def run() -> None:
        with Shop(store) as uow:
            uow.users[key()].name = f"name {number()}"
            uow.commit()

    return _absolute(measure({"ours": Case(run), "calibration": calibration}, rounds=bench.rounds(241)))


@bar("memory: the three-user test", at_most=75, unit="µs")
def test(bench: Bench) -> Figure:
    return _absolute(bench.shared(_three_users))


@bar("memory: the three-user test, so many times as fast", peer="SQLite :memory: + savepoint", at_least=60)
def test_beside_a_database(bench: Bench) -> Figure:
    timings = bench.shared(_three_users)
    return Figure(timings.ratio("by hand", "ours"), _micro(timings, "ours"), _micro(timings, "by hand"))


@bar("memory: the three-user test", peer="naive dict fake", at_most=2.00)
def test_beside_a_dict(bench: Bench) -> Figure:
    timings = bench.shared(_three_users)
    return Figure(timings.ratio("ours", "naive"), _micro(timings, "ours"), _micro(timings, "naive"))


@bar("memory: open a unit with 100,000 committed rows, and get", peer="with 10", at_most=1.20)
def open_with_a_crowd(bench: Bench) -> Figure:
    def opening(store: MemoryStore) -> Case:
        key = keys(10)  # the same few rows in both, for what differs should be the crowd and not the cache

        def run() -> None:
            with Shop(store) as uow:
                uow.users.get(key())

        return Case(run)

    cases = {"many": opening(populated(bench.size(CROWD))), "few": opening(populated(10))}
    timings = measure(cases, rounds=bench.rounds(241))
    return Figure(timings.ratio("many", "few"), _micro(timings, "many"), _micro(timings, "few"))


@bar("memory: bytes of a committed row of 3 columns", at_most=400, unit="B")
def bytes_of_a_row(bench: Bench) -> Figure:
    count = bench.size(SCANNED)
    populated(10)  # what is made once for each class is made
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        store = populated(count)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del store
    return Figure((after - before) / count, spelled((after - before) / count, "B"))


@bar("memory: scan of 10,000 rows, a rule of two comparisons", at_most=1500, unit="µs")
def scan(bench: Bench) -> Figure:
    store = populated(bench.size(SCANNED))

    def wanted(user: User) -> bool:
        return user.age == 77 and user.name < "user 7701"  # one of them: what is timed is the scan

    return _absolute(measure(_finding(store, "users", wanted), rounds=bench.rounds(241)))


@bar("memory: one hit by equality with a unique column, of 10,000", at_most=60, unit="µs")
def hit(bench: Bench) -> Figure:
    store, count = MemoryStore(mapping), bench.size(SCANNED)
    with Shop(store) as uow:
        uow.accounts.add_many(Account(f"account {i}") for i in range(count))
        uow.commit()

    def wanted(account: Account) -> bool:
        return account.name == "account 77"

    return _absolute(measure(_finding(store, "accounts", wanted), rounds=bench.rounds(241)))


def populated(count: int) -> MemoryStore:
    """A store with so many users, committed in units of a thousand, of whose objects none is alive."""
    store = MemoryStore(mapping)
    for start in range(0, count, 1000):
        with Shop(store) as uow:
            uow.users.add_many(User(f"user {i}", i // 100) for i in range(start, min(start + 1000, count)))
            uow.commit()
    return store


def _three_users(bench: Bench) -> Timings:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    # What the documentation asks for, so that the driver's savepoints work.
    event.listen(engine, "connect", lambda connection, record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    hand_written.metadata.create_all(engine)
    with engine.connect() as connection:
        cases = {
            "ours": Case(three_users_in_memory),
            "naive": Case(three_users_in_a_dict),
            "by hand": Case(lambda: three_users_by_hand(connection)),
            "calibration": calibration,
        }
        return measure(cases, rounds=bench.rounds(241))


def _finding(store: MemoryStore, name: str, rule: Callable[[Any], bool]) -> dict[str, Case]:
    def run() -> None:
        with Shop(store) as uow:
            getattr(uow, name).find(rule)

    return {"ours": Case(run), "calibration": calibration}


def _absolute(timings: Timings) -> Figure:
    seconds = timings.calibrated("ours")
    return Figure(seconds * 1e6, spelled(seconds * 1e6, "µs"), beside=f"here {_micro(timings, 'ours')}")


def _micro(timings: Timings, case: str) -> str:
    return spelled(timings.median(case) * 1e6, "µs")
