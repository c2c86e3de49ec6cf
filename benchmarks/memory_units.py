"""Units of work in memory, compared with SQLite in memory, a naive dict, and SQLAlchemy's own part of the work."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.orm import ClassManager, Session
from sqlalchemy.orm.attributes import instance_dict, instance_state, manager_of_class

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Account, Shop, User
from benchmarks.harness import Case, Timings, measure
from benchmarks.mapping import mapping
from benchmarks.naive_fake import NaiveUnit
from benchmarks.peers import keys
from honestwork.adapters import MemoryStore

ROWS = 1_000
SCANNED = 10_000
CROWD = 100_000

MANAGER: ClassManager[User] = manager_of_class(User)


def three_users(unit: Callable[[], Any]) -> None:
    """Do what a test of a service does: add three and commit; in another unit, get all of them and change one."""
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
    """Run the test as SQLAlchemy's documentation teaches it: in an outer transaction, each commit ends a savepoint."""
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


@bar("memory: the three-user test", peer="naive dict fake", at_most=2.50)
def test_beside_a_dict(bench: Bench) -> Figure:
    timings = bench.shared(_three_users)
    return Figure(timings.ratio("ours", "naive"), _micro(timings, "ours"), _micro(timings, "naive"))


@bar("memory: the three-user test, times faster", peer="SQLite :memory: + savepoint", at_least=35)
def test_beside_a_database(bench: Bench) -> Figure:
    timings = bench.shared(_three_users)
    return Figure(timings.ratio("by hand", "ours"), _micro(timings, "ours"), _micro(timings, "by hand"))


@bar("memory: get, change, commit", peer="hydrate and set, SQLAlchemy alone", at_most=4.00)
def change(bench: Bench) -> Figure:
    store, key, number = populated(ROWS), keys(ROWS), itertools.count().__next__

    def unit() -> None:
        with Shop(store) as uow:
            uow.users[key()].name = f"name {number()}"
            uow.commit()

    def alone() -> None:
        hydrated(key()).name = f"name {number()}"

    timings = measure({"ours": Case(unit), "alone": Case(alone)}, rounds=bench.rounds(241))
    return Figure(timings.ratio("ours", "alone"), _micro(timings, "ours"), _micro(timings, "alone"))


@bar("memory: open a unit with 100,000 committed rows, and get", peer="with 10", at_most=1.20)
def open_with_a_crowd(bench: Bench) -> Figure:
    def opening(store: MemoryStore) -> Case:
        key = keys(10)  # the same few rows in both, so that the CPU's cache does not differ

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
    populated(10)  # fills the caches that each class has once
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


@bar("memory: scan of 10,000 rows, a rule of two comparisons", peer="the rule on each object", at_most=1.00)
def scan(bench: Bench) -> Figure:
    count = bench.size(SCANNED)
    store, objects = populated(count), [User(f"user {i}", i // 100) for i in range(count)]

    def wanted(user: User) -> bool:
        return user.age == 7 and user.name < "user 701"  # few of them: the scan is timed, not the loading

    cases = {"ours": _finding(store, "users", wanted), "objects": Case(lambda: [u for u in objects if wanted(u)])}
    timings = measure(cases, rounds=bench.rounds(241))
    return Figure(timings.ratio("ours", "objects"), _micro(timings, "ours"), _micro(timings, "objects"))


@bar("memory: one hit by equality with a unique column, of 10,000", peer="of 100", at_most=1.20)
def hit(bench: Bench) -> Figure:
    def wanted(account: Account) -> bool:
        return account.name == "account 7"

    def finding(count: int) -> Case:
        store = MemoryStore(mapping)
        with Shop(store) as uow:
            uow.accounts.add_many(Account(f"account {i}") for i in range(count))
            uow.commit()
        return _finding(store, "accounts", wanted)

    timings = measure({"many": finding(bench.size(SCANNED)), "few": finding(100)}, rounds=bench.rounds(241))
    return Figure(timings.ratio("many", "few"), _micro(timings, "many"), _micro(timings, "few"))


def hydrated(key: int) -> User:
    """Make a user of a row as the ORM's loader does, with no session, query or unit around it."""
    user: User = MANAGER.new_instance()
    state, values = instance_state(user), instance_dict(user)
    state.key = (User, (key,), None)
    values["id"], values["name"], values["age"] = key, "ann", 7
    return user


def populated(count: int) -> MemoryStore:
    """Return a store with so many users, committed in units of a thousand; none of their objects is alive."""
    store = MemoryStore(mapping)
    for start in range(0, count, 1000):
        with Shop(store) as uow:
            uow.users.add_many(User(f"user {i}", i // 100) for i in range(start, min(start + 1000, count)))
            uow.commit()
    return store


def _three_users(bench: Bench) -> Timings:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    # The documentation's recipe for working savepoints.
    event.listen(engine, "connect", lambda connection, record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    hand_written.metadata.create_all(engine)
    with engine.connect() as connection:
        cases = {
            "ours": Case(three_users_in_memory),
            "naive": Case(three_users_in_a_dict),
            "by hand": Case(lambda: three_users_by_hand(connection)),
        }
        return measure(cases, rounds=bench.rounds(241))


def _finding(store: MemoryStore, name: str, rule: Callable[[Any], bool]) -> Case:
    def run() -> None:
        with Shop(store) as uow:
            getattr(uow, name).find(rule)

    return Case(run)


def _micro(timings: Timings, case: str) -> str:
    return spelled(timings.median(case) * 1e6, "µs")
