"""Is a session in a state to be used, and by whom? The same answers on every store."""

from __future__ import annotations

from threading import get_ident

from ..domain.errors import UnitClosed, UnitFailed, WrongThread

__all__ = ["Usable"]

NOBODY = 0  # no thread has this number


class Usable:
    """A session is open in one thread, may fail, recovers by a rollback, and is closed once."""

    closed = False

    def __init__(self) -> None:
        # Asked before everything that a session does, so all three answers are in one number.
        self._usable_by = self._thread = get_ident()

    def require_open(self) -> None:
        """Raises UnitClosed, WrongThread."""
        if self.closed:
            raise UnitClosed(
                "this unit of work has ended, and its repositories with it: do the work inside of the `with` block"
            )
        if self._thread != get_ident():
            raise WrongThread(
                "this unit of work was entered by another thread: make one for each thread, on the same store"
            )

    def require_usable(self) -> None:
        """Raises UnitClosed, WrongThread, UnitFailed."""
        if self._usable_by == get_ident():
            return
        self.require_open()
        raise UnitFailed(
            "an earlier error has ended this unit's transaction and nothing of it is stored: leave the block and"
            " run the service again in a fresh unit, or call rollback() first"
        )

    def fail(self) -> None:
        """Only a rollback can follow."""
        self._usable_by = NOBODY

    @property
    def has_failed(self) -> bool:
        """Can only a rollback follow?"""
        return self._usable_by == NOBODY

    def recover(self) -> None:
        """What failed has been undone."""
        self._usable_by = self._thread

    def close_for_good(self) -> None:
        self.closed = True
        self._usable_by = NOBODY
