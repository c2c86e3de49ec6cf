"""SQLite and forks: no thread is inside of SQLite, and none writes, while a process forks.

SQLite keeps one record of the locks on a file for all connections of a process. A child inherits it as it is: a
lock that another thread of the parent holds at this moment would be held in the child for ever. So whoever forks
waits until the units that write have ended, and until no call is inside of SQLite; see "How To Corrupt An SQLite
Database File", section 2.6, for the connections themselves, which a child never uses.

A unit that is open in the thread that forks cannot be waited for: while its transaction is open, its child cannot
write to the same file. Units of a store with `begin="deferred"` take no turns, and are not waited for.
"""

from __future__ import annotations

import time
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, ref

from ...domain.errors import HonestworkError
from ...service_layer import process
from ..turn import Ticket, Turn
from ..usable import CALL

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["opened", "turn_of"]

PATIENCE = 5.0  # seconds; a fork is not put off for longer

_turns: WeakValueDictionary[str, Turn] = WeakValueDictionary()  # by the path of the file
_sessions: dict[int, ref[SqlSession]] = {}
_taken: list[tuple[Turn, Ticket]] = []


def turn_of(path: str, timeout: float) -> Turn:
    """The turn to write to a file: one for all stores of this process."""
    return _turns.setdefault(path, Turn(timeout))


def opened(session: SqlSession) -> None:
    """From now on, until the session is gone, a fork waits for its calls to end."""
    number = id(session)
    _sessions[number] = ref(session, lambda _: _sessions.pop(number, None))


def _before() -> None:
    for turn in list(_turns.values()):
        ticket = Ticket(0)
        with suppress(HonestworkError):  # it is this thread's own, or others keep it for too long
            turn.take(ticket)
            _taken.append((turn, ticket))
    if not _sessions:
        return
    process.hold()
    deadline = time.monotonic() + PATIENCE
    while any(map(_is_inside, list(_sessions.values()))) and time.monotonic() < deadline:
        time.sleep(0.0005)


def _is_inside(known: ref[SqlSession]) -> bool:
    """Return whether another thread is in a call of this session."""
    session = known()
    if session is None or session.is_waiting or session.waits_for_turn:
        return False
    holder = session.calls.get(CALL)
    return holder is not None and holder[0] != get_ident()


def _in_parent() -> None:
    process.let_go()
    while _taken:
        turn, ticket = _taken.pop()
        turn.release(ticket)


def _in_child() -> None:
    _taken.clear()
    _sessions.clear()


process.around_fork(_before, _in_parent, _in_child)
