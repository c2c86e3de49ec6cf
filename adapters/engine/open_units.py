"""Which units are open around the code that runs now: in this context, or in the one that it descends from.

A context variable tells. A task, and what `asyncio.to_thread` runs, gets a copy of its parent's context; a plain
thread begins with an empty one. Units are known by number, so that a context keeps none of them alive.
"""

from __future__ import annotations

from asyncio import _get_running_loop
from contextvars import ContextVar
from itertools import count

__all__ = ["begin", "end", "is_around", "is_on_an_event_loop"]

_numbers = count(1)
_open: set[int] = set()
_around: ContextVar[tuple[int, ...]] = ContextVar("honestwork_units", default=())


def begin() -> int:
    """Open a unit here, and return its number."""
    number = next(_numbers)
    _open.add(number)
    around = _around.get()
    _around.set((*[each for each in around if each in _open], number) if around else (number,))
    return number


def end(number: int) -> None:
    """The unit is open no more. May be called from anywhere, and twice."""
    _open.discard(number)
    if number in (around := _around.get()):
        _around.set(tuple([each for each in around if each != number]) if len(around) > 1 else ())


def is_around(number: int) -> bool:
    """Return whether this unit was opened around the code that runs now."""
    return number in _around.get()


def is_on_an_event_loop() -> bool:
    """Return whether an event loop runs in this thread."""
    return _get_running_loop() is not None
