"""Which process this is: after a fork, the child is another one, and what its parent has opened is not its own.

`this` is replaced in a child. So a comparison by identity tells a parent's unit from one's own, and costs less than
asking the system for a process id.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

__all__ = ["Process", "after_fork", "around_fork", "this"]


class Process:
    """One process, from its start or from the fork that made it."""


this = Process()  # read it as `process.this`: it changes with a fork

_in_child: list[WeakMethod[Callable[[], Any]]] = []


def after_fork(method: Callable[[], Any]) -> None:
    """Call a bound method in each child that is forked, as long as its object lives."""
    _in_child.append(WeakMethod(method, _in_child.remove))


def around_fork(before: Callable[[], None], in_parent: Callable[[], None], in_child: Callable[[], None]) -> None:
    """Call *before* in a process that is about to fork, and the others after it."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)


def _renew() -> None:
    global this
    this = Process()
    for each in _in_child.copy():
        if (method := each()) is not None:
            method()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew)
