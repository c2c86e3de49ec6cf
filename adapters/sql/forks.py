"""What SQLite needs around a fork: no connection to a file may be open then.

SQLite keeps in the process what it has locked, and the system takes file locks from a child. A child in which a
connection of its parent is still open believes to hold locks that it does not: its parent, as the last one to close
the file, deletes the write-ahead log in which the child goes on to commit. If the parent's connection was writing, no
unit of the child ever gets the lock. See "Carrying an open database connection across a fork()" on
https://sqlite.org/howtocorrupt.html.

So a process that is about to fork lets no transaction begin on a file, waits until those of other threads have ended,
and closes the connections that rest. Files on which a transaction is still open then are noted, and refused in the
child.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from ...domain.errors import WrongProcess
from ...service_layer.process import around_fork
from .pool import UnitPool

__all__ = ["beginning", "close_before_forks", "require_no_open_parent"]

PATIENCE = 1.0  # seconds that a fork waits for the transactions of other threads
PAUSE = 0.001  # seconds

_files: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()  # the file of each engine
_beginning: set[int] = set()  # the threads in which a transaction is about to begin
_forking: list[int] = []  # the thread that forks
_crossed: set[str] = set()  # the files on which a connection was open when this process was forked
_left_open: list[str] = []  # the same for the fork that is under way


def close_before_forks(engine: Engine, file: str) -> None:
    """From now on, close the resting connections of this engine, which is on this file, before a fork."""
    _files[engine] = file
    engine.dialect.is_on_a_file = True  # type: ignore[attr-defined]


def require_no_open_parent(file: str) -> None:
    """Raises WrongProcess if a connection to this file was open when this process was forked."""
    if file in _crossed:
        raise WrongProcess(
            "a unit of work was open on this SQLite file when this process was forked, and SQLite cannot be used in it"
            " since: fork outside of units, or start the process by `spawn`"
        )


@contextmanager
def beginning() -> Iterator[None]:
    """A transaction begins on a file in this block, unless a fork is under way: then it waits for its end."""
    mine = get_ident()
    try:
        _beginning.add(mine)
        while _forking and _forking[0] != mine:
            _beginning.discard(mine)
            time.sleep(PAUSE)
            _beginning.add(mine)
        yield
    finally:
        _beginning.discard(mine)


def _before() -> None:
    _forking.append(get_ident())
    _beginning.discard(get_ident())  # what an interrupt may have left
    deadline = time.monotonic() + PATIENCE
    # Other threads may make stores meanwhile, so that the dictionary is copied by a single operation.
    files = [(engine, _files[engine]) for each in _files.keyrefs() if (engine := each()) is not None]
    while time.monotonic() < deadline and (_beginning or any(_is_in_use_elsewhere(engine) for engine, _ in files)):
        time.sleep(PAUSE)
    for engine, file in files:
        pool = engine.pool
        if isinstance(pool, UnitPool):
            pool.dispose()
        elif isinstance(pool, QueuePool) and not pool.checkedout():
            engine.dispose()
        if _beginning or (isinstance(pool, QueuePool) and pool.checkedout()):
            _left_open.append(file)


def _is_in_use_elsewhere(engine: Engine) -> bool:
    """Return whether another thread than this one has a connection."""
    pool: Any = engine.pool
    if isinstance(pool, UnitPool):
        return any(thread != get_ident() for thread in pool.threads())
    return isinstance(pool, QueuePool) and pool.checkedout() > 0


def _in_parent() -> None:
    _left_open.clear()
    _forking.clear()


def _in_child() -> None:
    _crossed.update(_left_open)
    _beginning.clear()
    _in_parent()


around_fork(_before, _in_parent, _in_child)
