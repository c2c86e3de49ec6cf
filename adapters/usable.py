"""Is a session in a state to be used, and by whom? The same answers on every store."""

from __future__ import annotations

import threading

from ..domain.errors import UnitClosed, UnitFailed, WrongThread

__all__ = ["Usable"]


class Usable:
    """A session is open in one thread, may fail, recovers by a rollback, and is closed once."""

    def __init__(self) -> None:
        self.closed = False
        self._failed = False
        self._thread = threading.get_ident()

    def require_open(self) -> None:
        """Raises UnitClosed, WrongThread."""
        if self.closed:
            raise UnitClosed(
                "this unit of work has ended, and its repositories with it: do the work inside of the `with` block"
            )
        if self._thread != threading.get_ident():
            raise WrongThread(
                "this unit of work was entered by another thread: make one for each thread, on the same store"
            )

    def require_usable(self) -> None:
        """Raises UnitClosed, WrongThread, UnitFailed."""
        self.require_open()
        if self._failed:
            raise UnitFailed(
                "an earlier error has ended this unit's transaction and nothing of it is stored: leave the block and"
                " run the service again in a fresh unit, or call rollback() first"
            )

    def fail(self) -> None:
        """Only a rollback can follow."""
        self._failed = True

    def recover(self) -> None:
        """What failed has been undone."""
        self._failed = False

    def close_for_good(self) -> None:
        self.closed = True
