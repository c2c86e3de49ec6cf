"""Is a session in a state to be used, and by whom? The same answers on every store."""

from __future__ import annotations

from asyncio import _get_running_loop
from collections.abc import Callable
from functools import wraps
from threading import get_ident
from typing import Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar, cast

from ...domain.errors import HonestworkError, UnitClosed, UnitFailed, UnitInUse, WrongProcess
from ...domain.interrupts import interrupt_behind
from ...service_layer import process
from ...service_layer.store import Opened, line_of
from . import open_units

__all__ = ["CALL", "Call", "Usable", "one_call", "one_call_of_a_session"]

CALL = "call"
Call = tuple[int]  # the thread that calls; each call is a tuple of its own

P = ParamSpec("P")
R = TypeVar("R")


class Usable:
    """A session serves one caller at a time, may fail, recovers by a rollback, and is closed once.

    It belongs to the process that opened it, and, where a task did, to that task and those that descend from it.
    Threads may take turns.
    """

    closed = False
    opened: Opened | None = None
    number = 0  # among the open units, where it is of interest which of them are around the code that runs
    was_interrupted = False  # between any two lines, so that nothing can be relied on but a rollback
    _has_failed = False
    _is_of_a_task = False

    def __init__(self) -> None:
        # The call that has the session, if any. A call notes itself by a single operation, and knows itself again by
        # identity. So an interrupt between any two instructions can be answered by ending the call once more.
        self.calls: dict[str, Call] = {}
        # Asked before everything that a session does, so all answers are in one object.
        self._usable_in: process.Process | None = process.this
        self._process = process.this
        if _get_running_loop() is not None:
            self._is_of_a_task = True
            self._usable_in = None
            self.be_numbered()

    def be_numbered(self) -> None:
        """Let it be known which units are opened around others, from this one on."""
        if not self.number:
            self.number = open_units.begin()

    # Who

    def begin_call(self, call: Call) -> None:
        """Let this call have the session, unless it is inside of one that has it. Raises UnitInUse."""
        holder = self.calls.setdefault(CALL, call)
        if holder[0] != call[0]:
            self.refuse_call()

    def require_no_other_call(self) -> None:
        """Raises UnitInUse while a call of another thread has the session."""
        if (holder := self.calls.get(CALL)) is not None and holder[0] != get_ident():
            self.refuse_call()

    def refuse_call(self) -> NoReturn:
        """Raises UnitInUse: a call of another thread has the session."""
        raise UnitInUse(
            f"this unit of work{self._opened()} is in use by another thread at this moment: make a unit of work"
            " for each thread, on the same store, or let them take turns"
        )

    def end_call(self, call: Call) -> None:
        """Let the next call have the session, if this one has it. Twice is the same as once."""
        if self.calls.get(CALL) is call:
            del self.calls[CALL]

    def end_call_by(self, call: Call, error: BaseException) -> None:
        """End a call that has raised. Raises what was raised at first, where another error has come in its place.

        An error of this library has been dealt with where it was raised.
        """
        first = error if isinstance(error, HonestworkError) else self.interrupted(error)
        self.end_call(call)
        if first is not error:
            raise first

    def require_open(self) -> None:
        """Raises UnitClosed, WrongProcess, UnitInUse."""
        if self.closed:
            raise UnitClosed(
                "this unit of work has ended, and its repositories with it: do the work inside of the `with` block"
            )
        self.require_this_process()
        if self._is_of_a_task and _get_running_loop() is not None and not open_units.is_around(self.number):
            raise UnitInUse(
                f"this unit of work{self._opened()} belongs to another task: make a unit of work for each task, on the"
                " same store"
            )

    def require_this_process(self) -> None:
        """Raises WrongProcess in a child of the process that opened the unit."""
        if self._process is not process.this:
            raise WrongProcess(
                f"this unit of work{self._opened()} belongs to the process that forked this one: make a unit of work"
                " here, on the same store"
            )

    def require_reader(self) -> None:
        """Raises WrongProcess, UnitInUse: also what was read may not be handed out to everybody."""
        self.require_this_process()
        if self._is_of_a_task and not self.closed:
            self.require_open()

    def require_usable(self) -> None:
        """Raises UnitClosed, WrongProcess, UnitInUse, UnitFailed."""
        if self._usable_in is process.this:
            return
        self.require_open()
        if self._has_failed:
            raise UnitFailed(
                "an earlier error has ended this unit's transaction and nothing of it is stored: leave the block and"
                " run the service again in a fresh unit, or call rollback() first"
            )

    @property
    def is_of_this_process(self) -> bool:
        return self._process is process.this

    def _opened(self) -> str:
        return f", opened at {line_of(self.opened)}," if self.opened is not None else ""

    # In which state

    def fail(self) -> None:
        """Only a rollback can follow."""
        self._has_failed = True
        self._usable_in = None

    def recover(self) -> None:
        """What failed has been undone."""
        self._has_failed = self.was_interrupted = False
        self._usable_in = None if self._is_of_a_task else self._process

    def close_for_good(self) -> None:
        self.closed = True
        self._usable_in = None
        if self.number:
            open_units.end(self.number)

    def interrupted(self, error: BaseException) -> BaseException:
        """Something has left a call halfway, that is no error of the data: only a rollback can follow.

        Returns what was raised at first, where another error has come in its place.
        """
        self.was_interrupted = True
        self.fail()
        return interrupt_behind(error, "honestwork.", "sqlalchemy.", "psycopg", "pymysql", "contextlib") or error


class _OfASession(Protocol):
    _session: Any


S = TypeVar("S", bound=_OfASession)
U = TypeVar("U", bound=Usable)


def one_call_of_a_session(method: Callable[[U], R]) -> Callable[[U], R]:
    """The same as `one_call`, for a method of the session itself."""

    @wraps(method)
    def called(session: U) -> R:
        call = (get_ident(),)
        try:
            calls = session.calls  # what `begin_call` and `end_call` do, in place: each unit comes here
            holder = calls.setdefault(CALL, call)
            if holder is not call and holder[0] != call[0]:
                session.refuse_call()
            result = method(session)
            if calls.get(CALL) is call:
                del calls[CALL]
            return result
        except BaseException as error:
            try:
                session.end_call_by(call, error)
            finally:
                session.end_call(call)  # where an interrupt has hit the line above
            raise

    return called


def one_call(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method of a repository that nobody else may be in the middle of, in the same unit.

    Whatever interrupts it, a signal's error above all, leaves objects and transaction halfway: the unit fails. An
    error of this library has been dealt with where it was raised.
    """

    @wraps(method)
    def called(self: S, *arguments: P.args, **options: P.kwargs) -> R:
        session = self._session
        call = (get_ident(),)
        try:
            calls = session.calls  # what `begin_call` and `end_call` do, in place: most of what units do comes here
            holder = calls.setdefault(CALL, call)
            if holder is not call and holder[0] != call[0]:
                session.refuse_call()
            result = method(self, *arguments, **options)
            if calls.get(CALL) is call:
                del calls[CALL]
            return result
        except BaseException as error:
            try:
                session.end_call_by(call, error)
            finally:
                session.end_call(call)  # where an interrupt has hit the line above
            raise

    return cast("Callable[Concatenate[S, P], R]", called)
