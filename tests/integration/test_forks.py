"""A store that was used before a fork: gunicorn --preload, Celery's prefork pool, multiprocessing."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.adapters.sql import forks
from honestwork.adapters.sql.pool import UnitPool
from honestwork.domain import Conflict, HonestworkError
from honestwork.service_layer import Store
from tests.integration.bank import Account, Bank, Payment, mapping

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    # From 3.12 on Python warns of a fork where threads run, which is what some of these tests are about.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

PATIENCE = 30.0  # seconds after which a child is killed, and counts as one that hangs
AT_ONCE = 2.0  # seconds; units wait five seconds for one another


class Child:
    """A forked process that does some work, says in JSON what came of it, and ends without a visit to its parent's."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._pipe, mine = os.pipe()
        self._pid = os.fork()
        if self._pid != 0:
            os.close(mine)
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                said = json.dumps(work())
        except BaseException as error:
            said = json.dumps(f"{type(error).__name__}: {error}")
        try:
            os.write(mine, said.encode())
        finally:
            os._exit(0)

    def result(self) -> Any:
        """What it has said. Raises TimeoutError if it hangs, and AssertionError if it has ended without a word."""
        deadline, said = time.monotonic() + PATIENCE, b""
        try:
            while True:
                if not select.select([self._pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError(f"the child hangs; so far it has said {said!r}")
                if not (more := os.read(self._pipe, 65536)):
                    break
                said += more
        finally:
            os.close(self._pipe)
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        assert said
        return json.loads(said)


def in_a_child(work: Callable[[], Any]) -> Any:
    return Child(work).result()


KINDS = [f"{owner} {database}" for database in ("sqlite", "postgres", "mariadb") for owner in ("url", "engine")]


def made(request: pytest.FixtureRequest, kind: str) -> Iterator[SqlStore]:
    owner, name = kind.split()
    url = request.getfixturevalue(f"{name}_url")
    engine: str | Engine = url if owner == "url" else create_engine(url)
    store = SqlStore(engine, mapping, durability="process")
    store.create_tables()
    store_with(store, "John")
    yield store
    store.drop_tables()
    store.dispose()


def store_with(store: Store, owner: str) -> None:
    with Bank(store) as uow:
        uow.accounts.add(Account(owner, 100))
        uow.commit()


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """A store on a database outside of this process, made from a URL or from an Engine, in which John has 100."""
    yield from made(request, request.param)


@pytest.fixture(params=["memory", "memory, one writer", *KINDS])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same, or a store in memory."""
    if request.param.startswith("memory"):
        in_memory = MemoryStore(mapping, one_writer="one" in request.param)
        store_with(in_memory, "John")
        yield in_memory
    else:
        yield from made(request, request.param)


def paid(store: Store, who: str, *, times: int = 1) -> list[int]:
    """Payments of different amounts by a number of units, each run again where another one was faster."""
    amounts = [int.from_bytes(who.encode()) % 1000 * 1000 + number for number in range(times)]
    for amount in amounts:
        while True:
            try:
                with Bank(store) as uow:
                    uow.payments.add(Payment("John", amount))
                    uow.commit()
                break
            except Conflict:
                continue
    return amounts


def payments(store: Store) -> list[int]:
    with Bank(store).reading() as uow:
        return sorted(uow.payments.select(lambda payment: payment.amount))


def last_of(*calls: Callable[[], object]) -> object:
    """What the last of these calls gives, done one after the other."""
    return [call() for call in calls][-1]


def refused(call: Callable[[], object]) -> str:
    """The name of the error that a call raises."""
    try:
        call()
    except HonestworkError as error:
        return type(error).__name__
    return "allowed"


# A store that was used before


def test_a_store_that_was_used_before_works_in_parent_and_children_at_once(database: SqlStore) -> None:
    before = paid(database, "before")

    children = [Child(lambda who=who: paid(database, who, times=15)) for who in ("one", "two")]  # type: ignore[misc]
    mine = paid(database, "parent", times=15)
    theirs = [child.result() for child in children]

    assert [len(each) for each in theirs] == [15, 15]
    assert payments(database) == sorted([*before, *mine, *theirs[0], *theirs[1]])


def test_a_child_of_a_child_works_too(database: SqlStore) -> None:
    before = paid(database, "before")

    said = in_a_child(lambda: [paid(database, "child"), in_a_child(lambda: paid(database, "grandchild"))])

    assert payments(database) == sorted([*before, *said[0], *said[1]])


def test_a_child_that_ends_takes_no_connection_of_its_parent_with_it(database: SqlStore) -> None:
    paid(database, "before")
    with Bank(database) as uow:
        uow.payments.add(Payment("John", 1))
        uow.flush()

        in_a_child(lambda: [paid(database, "x") if database.engine.dialect.name != "sqlite" else None, gc.collect()][1])
        in_a_child(lambda: database.dispose())

        uow.commit()
    assert 1 in payments(database)


def test_a_store_in_memory_is_copied_by_a_fork() -> None:
    store = MemoryStore(mapping)
    store_with(store, "John")

    def change() -> int:
        with Bank(store) as uow:
            uow.accounts["John"].balance += 1
            uow.commit()
        with Bank(store) as uow:
            return uow.accounts["John"].balance

    assert in_a_child(change) == 101
    with Bank(store) as uow:
        assert uow.accounts["John"].balance == 100


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:forks?mode=memory&uri=true"])
def test_a_database_in_sqlites_memory_is_refused_in_a_child_with_the_reason(url: str) -> None:
    store = SqlStore(url, mapping)
    store.create_tables()
    store_with(store, "John")

    for unit in (lambda: Bank(store).__enter__(), lambda: Bank(store).reading().__enter__()):
        said = in_a_child(unit)
        assert said.startswith("WrongProcess: this SQLite database in memory belongs to the process that forked")

    with Bank(store) as uow:
        assert uow.accounts["John"].balance == 100
    store.dispose()


# A unit that was open


def test_a_unit_of_the_parent_refuses_everything_in_a_child(store: Store) -> None:
    with Bank(store) as uow:
        john = uow.accounts["John"]
        john.balance = 99
        uow.flush()
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: uow.accounts.get("John"),
            "find": lambda: uow.accounts.find_by(balance=1),
            "count": lambda: uow.accounts.count(),
            "iterate": lambda: list(uow.accounts),
            "add": lambda: last_of(lambda: uow.accounts.add(Account("Mary")), uow.flush),
            "flush": uow.flush,
            "commit": uow.commit,
            "rollback": uow.rollback,
            "nested": lambda: uow.nested().__enter__(),
        }

        said = in_a_child(lambda: {what: refused(call) for what, call in calls.items()})

        assert said == dict.fromkeys(calls, "WrongProcess")
        assert "John" in uow.accounts


def exited(uow: Bank) -> None:
    uow.__exit__(None, None, None)


def failed(uow: Bank) -> None:
    uow.__exit__(KeyError, KeyError(), None)


def closed(uow: Bank) -> None:
    uow.close()


@pytest.mark.parametrize("end", [exited, failed, closed])
def test_to_leave_a_unit_of_the_parent_in_a_child_ends_nothing(end: Callable[[Bank], None], store: Store) -> None:
    with Bank(store) as uow:
        uow.payments.add(Payment("John", 7))
        uow.accounts["John"].balance = 93
        uow.flush()

        said = in_a_child(lambda: last_of(lambda: end(uow), gc.collect, lambda: "ended"))

        assert said == "ended"
        assert uow.accounts["John"].balance == 93
        uow.commit()
    assert payments(store) == [7]


def test_to_leave_a_savepoint_of_the_parent_in_a_child_undoes_nothing(store: Store) -> None:
    with Bank(store) as uow:
        with uow.nested():
            uow.accounts.add(Account("Mary", 1))
            uow.flush()

            def leave_by_an_error() -> str:
                with suppress(LookupError), uow.nested():
                    raise LookupError
                return "left"

            block = uow.nested()
            block.__enter__()
            assert in_a_child(lambda: str(block.__exit__(LookupError, LookupError(), None))) == "None"
            assert in_a_child(lambda: str(block.__exit__(None, None, None))) == "None"
            assert in_a_child(lambda: refused(leave_by_an_error)).startswith("WrongProcess")
            block.__exit__(None, None, None)
        uow.commit()

    with Bank(store) as uow:
        assert [account.owner for account in uow.accounts] == ["John", "Mary"]


def test_the_session_of_a_parents_unit_does_nothing_in_a_child(database: SqlStore) -> None:
    with Bank(database) as uow:
        uow.accounts.add(Account("Mary", 1))
        session = uow.accounts.session  # type: ignore[attr-defined]

        calls: list[Callable[[], object]] = [
            lambda: session.execute(text("DELETE FROM accounts")),
            lambda: session.rollback(),
            lambda: session.connection().execute(text("DELETE FROM accounts")),
        ]
        assert [in_a_child(lambda call=call: refused(call))[:12] for call in calls] == ["WrongProcess"] * 3  # type: ignore[misc]
        uow.commit()

    with Bank(database) as uow:
        assert [account.owner for account in uow.accounts] == ["John", "Mary"]


def test_a_stream_and_the_unit_of_a_parent_are_of_no_use_in_a_child(store: Store) -> None:
    with Bank(store) as uow:
        stream = uow.accounts.stream()

        assert in_a_child(lambda: refused(lambda: next(stream))).startswith("WrongProcess")
        assert in_a_child(lambda: refused(uow.__enter__)).startswith("WrongProcess")
        assert next(stream).owner == "John"


def test_to_collect_a_unit_of_the_parent_in_a_child_ends_nothing(store: Store) -> None:
    units = [Bank(store)]
    units[0].__enter__()
    units[0].payments.add(Payment("John", 7))
    units[0].flush()

    said = in_a_child(lambda: last_of(units.clear, gc.collect, lambda: "collected"))

    assert said == "collected"
    units[0].commit()
    units[0].close()
    assert payments(store) == [7]


# SQLite forbids it: see test_a_child_that_was_forked_while_a_unit_was_open_on_a_file.
@pytest.mark.parametrize(
    "store", ["memory", "memory, one writer", *(kind for kind in KINDS if "sqlite" not in kind)], indirect=True
)
def test_a_unit_that_was_left_in_a_child_can_be_entered_there(store: Store) -> None:
    uow = Bank(store)

    def work() -> int:
        uow.close()
        with uow:
            uow.payments.add(Payment("John", 3))
            uow.commit()
            return uow.payments.count()

    with uow:
        uow.accounts.all()

        assert in_a_child(work) == 1


def test_an_error_in_a_child_that_leaves_the_block_of_its_parent_comes_out_as_it_is(store: Store) -> None:
    def work() -> None:
        with uow:
            raise AssertionError("unreachable")

    with Bank(store) as uow:
        uow.accounts.all()

        assert in_a_child(work).startswith(("UnitNested", "WrongProcess", "UnitInUse"))
        uow.payments.add(Payment("John", 5))
        uow.commit()
    assert payments(store) == [5]


# Locks


@pytest.mark.parametrize("one_writer", [False, True])
def test_what_units_of_the_parent_have_locked_in_memory_is_free_in_a_child(one_writer: bool) -> None:
    store = MemoryStore(mapping, one_writer=one_writer)
    store_with(store, "John")

    def change() -> list[float]:
        began = time.monotonic()
        with Bank(store) as uow:
            uow.accounts["John"].balance += 1
            uow.accounts.add(Account("Mary"))
            uow.commit()
            return [uow.accounts["John"].balance, time.monotonic() - began]

    with Bank(store) as outer:
        outer.accounts["John"].balance = 1
        outer.accounts.add(Account("Mary", 1))
        outer.flush()

        balance, seconds = in_a_child(change)

        assert balance == 101
        assert seconds < AT_ONCE
        outer.commit()


@pytest.mark.parametrize("kind", ["memory", "memory, one writer", "sqlite", "postgres", "mariadb"])
def test_a_child_that_is_forked_while_threads_commit_sees_a_whole_state_and_commits(
    kind: str, request: pytest.FixtureRequest
) -> None:
    if kind.startswith("memory"):
        store: Store = MemoryStore(mapping, one_writer="one" in kind)
    else:
        store = SqlStore(request.getfixturevalue(f"{kind}_url"), mapping, durability="process")
    store.create_tables()
    with Bank(store) as uow:
        uow.accounts.add_many([Account("John"), *(Account(f"{number}", 1000) for number in range(4))])
        uow.commit()
    done = threading.Event()

    def move(source: str, target: str) -> int:
        count = 0
        while not done.is_set():
            with suppress(Conflict), Bank(store) as uow:
                payer, receiver = uow.accounts[source], uow.accounts[target]
                payer.balance, receiver.balance = receiver.balance + 1, payer.balance - 1
                uow.commit()
                count += 1
            time.sleep(0.001)
        return count

    def work() -> list[Any]:
        with Bank(store).reading() as uow:
            whole = sum(uow.accounts.select(lambda account: account.balance))
        return [whole, len(paid(store, "child"))]

    with ThreadPoolExecutor(2) as pool:
        moving = [pool.submit(move, *pair) for pair in (("0", "1"), ("2", "3"))]
        try:
            said = []
            for _ in range(6):
                time.sleep(0.02)
                said.append(in_a_child(work))
        finally:
            done.set()
        counts = [each.result(PATIENCE) for each in moving]

    assert said == [[4000, 1]] * 6
    assert all(counts)
    if isinstance(store, SqlStore):
        store.drop_tables()
        store.dispose()


# SQLite's files: the library forbids to carry a connection into a child


@pytest.fixture(params=["url", "engine"])
def file(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[SqlStore]:
    """An empty store on a file, made from a URL or from an Engine."""
    database: str | Engine = sqlite_url if request.param == "url" else create_engine(sqlite_url)
    store = SqlStore(database, mapping, durability="process")
    store.create_tables()
    yield store
    store.dispose()


def owners(store: Store) -> list[str]:
    with Bank(store).reading() as uow:
        return [account.owner for account in uow.accounts]


def test_what_a_child_commits_after_its_parent_has_closed_the_file_is_stored(file: SqlStore, sqlite_url: str) -> None:
    store_with(file, "before")
    reader, writer = os.pipe()

    def work() -> None:
        store_with(file, "A")
        assert os.read(reader, 1)
        store_with(file, "B")

    child = Child(work)
    file.dispose()
    os.write(writer, b".")

    assert child.result() is None
    other = SqlStore(sqlite_url, mapping)
    assert owners(other) == ["A", "B", "before"]
    other.dispose()
    for each in (reader, writer):
        os.close(each)


def test_a_child_waits_for_a_unit_of_its_parent_that_began_after_the_fork(file: SqlStore) -> None:
    reader, writer = os.pipe()

    def work() -> None:
        assert os.read(reader, 1)
        store_with(file, "John")

    child = Child(work)
    with Bank(file) as uow:
        uow.accounts.add(Account("Mary"))
        uow.flush()
        os.write(writer, b".")
        time.sleep(0.2)
        uow.commit()

    assert child.result() is None
    assert owners(file) == ["John", "Mary"]
    for each in (reader, writer):
        os.close(each)


def test_a_fork_waits_for_the_units_that_other_threads_have_open(file: SqlStore) -> None:
    holding = threading.Event()

    def hold() -> None:
        with Bank(file) as uow:
            uow.accounts.add(Account("Mary"))
            uow.flush()
            holding.set()
            time.sleep(0.2)
            uow.commit()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(PATIENCE)

        assert in_a_child(lambda: last_of(lambda: store_with(file, "John"), lambda: owners(file))) == ["John", "Mary"]
        held.result(PATIENCE)


def test_a_child_that_was_forked_while_a_unit_was_open_on_a_file_is_refused_the_file(
    file: SqlStore, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "PATIENCE", 0.1)
    holding, go = threading.Event(), threading.Event()

    def hold() -> None:
        with Bank(file) as uow:
            uow.accounts.add(Account("Mary"))
            uow.flush()
            holding.set()
            assert go.wait(PATIENCE)
            uow.commit()

    def work() -> list[object]:
        assert file._turn is not None
        same = SqlStore(sqlite_url, mapping)
        return [file._turn.is_free, *(refused(lambda store=each: owners(store)) for each in (file, same))]  # type: ignore[misc]

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(PATIENCE)
        try:
            said = in_a_child(work)
        finally:
            go.set()
        held.result(PATIENCE)

    assert said == [True, "WrongProcess", "WrongProcess"]
    assert in_a_child(lambda: owners(file)) == ["Mary"]


def test_a_fork_inside_of_a_unit_on_a_file_waits_for_nobody(file: SqlStore) -> None:
    with Bank(file) as uow:
        uow.accounts.all()
        began = time.monotonic()

        said = in_a_child(lambda: refused(lambda: owners(file)))

        assert said == "WrongProcess"
        if isinstance(file.engine.pool, UnitPool):
            assert time.monotonic() - began < 0.8  # the unit is this thread's own
        uow.commit()


def test_the_connections_of_an_engine_of_ones_own_are_made_anew_in_a_child(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url)
    made_in: list[int] = []
    event.listen(engine, "connect", lambda *about: made_in.append(os.getpid()))
    store = SqlStore(engine, mapping, durability="process")
    store.create_tables()

    said = in_a_child(lambda: last_of(lambda: store_with(store, "John"), lambda: made_in[-1] == os.getpid()))

    assert said is True
    assert set(made_in) == {os.getpid()}
    store.dispose()
