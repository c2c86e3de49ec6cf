"""Interrupts of what is really in flight: a statement that waits for a lock, or a unit that waits for its turn."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sqlalchemy import create_engine, make_url, text

from honestwork.adapters import SqlStore
from honestwork.domain import Conflict

from .lines import forget, judged, quiet, watched
from .model import COUNTER, Bank, Transfer, works
from .stores import SERVERS, House, left_behind

__all__ = ["WAITS", "Wait", "interrupt_a_wait"]

AFTER = 0.3  # seconds until the interrupt
LOCK_TIMEOUT = 1.0  # of the stores of a House, in seconds
Hold = Callable[[House], AbstractContextManager[None]]


@dataclass(frozen=True)
class Wait:
    """Something that a unit waits for: *hold* keeps it, and *ask* waits until the interrupt comes."""

    name: str
    kinds: tuple[str, ...]
    hold: Hold
    ask: Callable[[Bank], None]
    write: bool = True  # has the unit written something else before?
    always: bool = True  # else there may be a Conflict at once, and nobody waits


@contextmanager
def _row_is_locked(house: House) -> Iterator[None]:
    """Another connection has changed account 2 and added transfer 'wanted', and commits nothing."""
    engine = create_engine(house.url)
    try:
        with engine.connect() as connection:
            connection.execute(text("UPDATE accounts SET balance = balance + 1 WHERE number = 2"))
            connection.execute(text("INSERT INTO transfers VALUES ('wanted', 0, 1, 1)"))
            yield
            connection.rollback()
    finally:
        engine.dispose()


@contextmanager
def _file_is_locked(house: House) -> Iterator[None]:
    """Another connection, as of another process, is writing to the file."""
    connection = sqlite3.connect(str(make_url(house.url).database), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextmanager
def _turn_is_taken(house: House) -> Iterator[None]:
    """Another thread has an open unit of the same store that has written."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with Bank(house.store) as uow:
            uow.accounts[2].balance += 1
            uow.flush()
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    taken.wait(5)
    try:
        yield
    finally:
        done.set()
        thread.join(5)


def _change(uow: Bank) -> None:
    uow.accounts[2].balance -= 1
    uow.flush()


def _change_and_commit(uow: Bank) -> None:
    uow.accounts[2].balance -= 1
    uow.commit()


def _insert(uow: Bank) -> None:
    uow.transfers.add(Transfer("wanted", 0, 1, 1))
    uow.flush()


def _change_in_a_block(uow: Bank) -> None:
    with uow.nested():
        uow.accounts[2].balance -= 1


def _read(uow: Bank) -> None:
    uow.accounts.get(1)


FILES = ("sqlite", "sqlite-deferred")

WAITS = (
    Wait("change", SERVERS, _row_is_locked, _change),
    Wait("first-change", SERVERS, _row_is_locked, _change, write=False),
    Wait("insert", SERVERS, _row_is_locked, _insert),
    Wait("commit", SERVERS, _row_is_locked, _change_and_commit),
    Wait("nested", SERVERS, _row_is_locked, _change_in_a_block),
    Wait("busy-file", FILES, _file_is_locked, _change, write=False, always=False),
    Wait("busy-file-commit", FILES, _file_is_locked, _change_and_commit, write=False, always=False),
    Wait("turn", ("sqlite", "sqlite-memory"), _turn_is_taken, _read, write=False),
)


def interrupt_a_wait(house: House, wait: Wait, kind: type[BaseException], *, within: float = AFTER) -> list[str]:
    """Interrupt a unit that waits, by a real timer, and return what went wrong."""
    with quiet():
        wrong = _interrupted(house, wait, kind("time is up"), within)
    if wrong:
        house.renew()
    return wrong


def _interrupted(house: House, wait: Wait, interrupt: BaseException, within: float) -> list[str]:
    before = house.state()
    wrong: list[str] = []
    uow = Bank(house.store)
    with wait.hold(house):
        wrong += _waited(uow, wait, interrupt, within)
        if house.kind in SERVERS and wait.write:
            wrong += _locked(house, 2.0 if house.kind == "postgres" else LOCK_TIMEOUT + 2.0)
    wrong += left_behind(house.store)
    counted = 0
    for whose, unit in (("the same unit", uow), ("a fresh unit", Bank(house.store)), ("another", Bank(house.store))):
        try:
            with watched(), unit:
                works(unit)
            counted += 1
        except BaseException as error:
            wrong.append(f"{whose}: {type(error).__name__}: {str(error)[:110]}")
    wrong += left_behind(house.store)
    expected = {**before, "accounts": [(n, b + counted * (n == COUNTER)) for n, b in before["accounts"]]}
    if house.state() != expected:
        wrong.append("UNCOMMITTED IS STORED, or an acknowledged commit is not")
    return wrong


def _waited(uow: Bank, wait: Wait, interrupt: BaseException, within: float) -> list[str]:
    """Enter a unit, wait in it, be interrupted, leave it: what came out?"""

    rung = False

    def ring(*about: object) -> None:
        nonlocal rung
        rung = True
        raise interrupt

    handler = signal.signal(signal.SIGALRM, ring)
    started = time.monotonic()
    try:
        with uow:
            if wait.write:
                uow.accounts[1].balance -= 1
                uow.flush()
            signal.setitimer(signal.ITIMER_REAL, within)
            wait.ask(uow)
        raised: BaseException | None = None
    except BaseException as error:
        raised = error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    if rung:
        wrong = judged(raised, interrupt)
    elif isinstance(raised, Conflict) and not wait.always:
        wrong = []
    else:
        wrong = [f"it did not wait: {type(raised).__name__}"]
    raised = None
    forget(interrupt)
    if (took := time.monotonic() - started) > LOCK_TIMEOUT + 2.0:
        wrong.append(f"stuck for {took:.1f} s")
    return wrong


def _locked(house: House, patience: float) -> list[str]:
    """Can another connection change the row that the interrupted unit had changed?"""
    assert isinstance(house.store, SqlStore)
    engine, end = house.plain, time.monotonic() + patience
    assert engine is not None
    reason = ""
    while time.monotonic() < end:
        try:
            with engine.connect() as connection:
                if house.kind == "postgres":
                    connection.execute(text("SET lock_timeout = 200"))
                else:
                    connection.execute(text("SET innodb_lock_wait_timeout = 1"))
                connection.execute(text("UPDATE accounts SET balance = balance WHERE number = 1"))
            return []
        except Exception as error:
            reason = type(error).__name__
    return [f"the row stays locked ({reason})"]
