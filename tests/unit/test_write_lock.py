"""The lock before SQLite's own: one writer at a time, in the order of asking."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread, get_ident
from types import SimpleNamespace
from typing import Any

import pytest

from honestwork.adapters.sql import engines
from honestwork.adapters.sql.engines import WriteLock
from honestwork.domain import Conflict


def taken(timeout: float) -> WriteLock:
    """A lock that another thread has."""
    lock = WriteLock(timeout)
    owner = Thread(target=lock.acquire)
    owner.start()
    owner.join()
    return lock


def interrupted(monkeypatch: pytest.MonkeyPatch, before: Callable[[], None] = lambda: None) -> None:
    """From now on who waits is interrupted, when this was done."""

    def wait(timeout: float) -> bool:
        before()
        raise KeyboardInterrupt

    def place(thread: int) -> Any:
        return SimpleNamespace(thread=thread, turn=SimpleNamespace(acquire=wait, release=lambda: None))

    monkeypatch.setattr(engines, "_Place", place)


def test_who_comes_again_waits_for_those_who_came_before() -> None:
    lock, done = WriteLock(5), list[int]()

    def work(number: int) -> None:
        lock.acquire()
        done.append(number)
        lock.release()

    lock.acquire()
    threads = [Thread(target=work, args=(number,)) for number in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(lock._waiting) == number:
            time.sleep(0.001)

    lock.release()
    lock.acquire()

    assert done == [0, 1, 2]
    for thread in threads:
        thread.join()


def test_who_has_waited_too_long_gets_a_conflict_and_is_not_waited_for() -> None:
    lock = taken(timeout=0.001)

    with pytest.raises(Conflict, match=r"for 0\.001 seconds"):
        lock.acquire()

    lock.release()
    lock.acquire()
    assert lock._owner == get_ident()


def test_who_is_interrupted_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = taken(timeout=5)
    interrupted(monkeypatch)

    with pytest.raises(KeyboardInterrupt):
        lock.acquire()

    lock.release()
    lock.acquire()
    assert lock._owner == get_ident()


def test_who_is_interrupted_when_the_turn_has_come_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = taken(timeout=5)
    interrupted(monkeypatch, before=lock.release)

    with pytest.raises(KeyboardInterrupt):
        lock.acquire()

    lock.acquire()
    assert lock._owner == get_ident()
