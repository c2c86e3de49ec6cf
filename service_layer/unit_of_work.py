"""One business transaction, owned by a `with` block."""

from __future__ import annotations

import contextlib
import sys
import typing
from abc import ABC
from contextlib import AbstractContextManager, suppress
from threading import get_ident
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Self
from warnings import warn

from ..domain.errors import HonestworkError, Misuse, UnitClosed, UnitInUse, UnitNested, WrongProcess
from ..domain.repository import Repository
from . import process
from .store import Opened, Session, Store, line_of

__all__ = ["UnitOfWork"]

_CONTEXTLIB = vars(contextlib)
_getframe = sys._getframe


class UnitOfWork(ABC):
    """One business transaction. Subclass it to name its repositories, by annotation:

        class Directory(UnitOfWork):
            users: Repository[User, int]

        def register(name: str, age: int, *, uow: Directory) -> int:
            with uow:
                user = User(name, age)
                uow.users.add(user)
                uow.commit()
                return user.id

    Entering the block opens a session of the *store*; leaving it rolls back whatever was not committed
    and releases the session, always. There is no commit on exit: what is not committed is not wanted.

    One instance can be entered again and again, one unit at a time, and serves one caller at a time. It is cheap
    to make; make one for each request, or a factory of them (see `adapters/container.py`), and share the
    store. Threads may take turns: a unit can be entered in one, used in another and left in a third. A unit
    that was entered in an asyncio task serves this task and those that descend from it.

    A unit that is never left (it was entered by hand, in a thread that has ended) releases everything when it is
    collected, and says so in a ResourceWarning; `close()` does it earlier.

    A repository passed by name takes the place of the one the store would make, which is how a test
    swaps in a hand-written one: `Directory(store, users=FailingUsers())`.

    Raises UnitNested when it is entered twice at once, UnitInUse when two threads use it at the same moment or an
    unrelated task uses it, WrongProcess when a child of the process that entered it uses it, UnitClosed when it or
    one of its repositories is used outside of the block.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        defining = sys._getframe(1)
        while defining.f_globals.get("__name__") == "abc" and defining.f_back is not None:
            defining = defining.f_back
        with suppress(NameError):  # something is defined further down: read the annotations at the first use
            _serve(cls, defining.f_locals)

    _repositories: ClassVar[dict[str, _Served]]  # each class has its own, of all that it names and inherits

    # What a unit has while it is not entered.
    _session: Session | None = None
    _depth = 0
    _opened: Opened | None = None

    def __init__(self, store: Store, **repositories: Repository[Any, Any]) -> None:
        if repositories or "_repositories" not in type(self).__dict__:
            _require_served(type(self), repositories)
        self._store = store
        self._replaced = repositories
        self._made: list[str] = []  # the names of the repositories that are in use
        # Entering takes what is in here, and leaving puts it back: single operations, which no signal can split.
        self._free = {True: True}
        self._process = process.this

    def __enter__(self) -> Self:
        try:
            self._begin(reading=False)
            return self
        except Misuse:
            raise
        except BaseException:
            self._end_again()
            raise

    # Nothing may stand before the `try` in what leaves a block: an interrupt there could not be answered. What was
    # interrupted is done again; to end something twice is the same as once.

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        except UnitInUse:
            raise
        except BaseException:
            self._end_again()
            raise

    def __del__(self) -> None:
        if (session := self._session) is not None and session.abandon():
            warn(
                f"a {type(self).__name__}, opened at {self.opened_at}, was never left: it is undone, and its resources"
                " are released; use a `with` block, or call close()",
                ResourceWarning,
                stacklevel=2,
            )

    def close(self) -> None:
        """End the unit as leaving its block does, from wherever it is called. Twice is the same as once.

        For units that are entered by hand, and for those whose block was interrupted before it could be left.
        """
        self.__exit__(None, None, None)

    @property
    def opened_at(self) -> str:
        """The line that has entered the unit last, as `file.py:12`; empty where none has."""
        return line_of(self._opened)

    def commit(self) -> None:
        """Store everything the unit has added, changed and removed: all of it, or nothing and an error.

        The unit goes on: a second commit is a second transaction. Objects stay readable, also after the block.

        Raises ConstraintViolated, BadValue or Conflict, after which only a rollback can follow; ReadOnlyDatabase
        where the database accepts no changes; CommitOutcomeUnknown, after which nobody may repeat it blindly;
        UnitNested inside of `nested()`.
        """
        self._outermost("commit").commit()

    def rollback(self) -> None:
        """Undo everything since the last commit. Objects loaded or added before are stale: fetch them again.

        Raises UnitNested inside of `nested()`, where raising an error is the way to undo the block.
        """
        self._outermost("rollback").rollback()

    def flush(self) -> None:
        """Send changes to the store without committing them. Reading does this by itself.

        After it, generated keys are known and constraints have been checked.
        """
        self._open().flush()

    def nested(self) -> AbstractContextManager[None]:
        """A savepoint: if the block raises, all of the block is undone and the unit goes on.

        with uow:
            uow.users.add(john)
            with suppress(Duplicate), uow.nested():
                uow.users.add(namesake)
            uow.commit()                    # john is stored in any case
        """
        return _Nested(self)

    def reading(self) -> AbstractContextManager[Self]:
        """A unit in which the store itself refuses changes: `with uow.reading(): …`.

        Everything in it sees one and the same state of the data. Raises UnitReadOnly at the flush of a change.
        """
        return _Reading(self)

    def _begin(self, *, reading: bool) -> None:
        if not self._free.pop(True, False):
            self._refuse_second_entry()
        try:
            frame: Any = _getframe(2)
            if frame.f_globals is _CONTEXTLIB:  # ExitStack.enter_context
                frame = frame.f_back
            self._opened = opened = frame.f_code, frame.f_lasti, get_ident()
            self._session = session = self._store.open(reading=reading)
            session.opened = opened
        except BaseException:
            self._end_again()
            raise

    def _end(self) -> None:
        if (session := self._session) is not None:
            session.close()
            self._session = None
        if self._made:
            for name in self._made:
                self.__dict__.pop(name, None)
            self._made.clear()
        self._depth = 0
        self._free[True] = True

    def _end_again(self) -> None:
        """After an error in `_end`: end what it has left, and be of use again in any case."""
        try:
            if (session := self._session) is not None:
                session.close()
        finally:
            self._session = None
            self._end()

    def _open(self) -> Session:
        if (session := self._session) is None:
            raise UnitClosed(f"this {type(self).__name__} is not open: use it inside of its `with` block")
        return session

    def _outermost(self, what: str) -> Session:
        session = self._open()
        if self._depth:
            raise UnitNested(
                f"{what} inside of `with uow.nested():` would end the whole unit: leave the block first,"
                " or raise an error to undo the block"
            )
        return session

    def _refuse_second_entry(self) -> NoReturn:
        name = f"this {type(self).__name__}, opened at {self.opened_at},"
        if self._process is not process.this:
            raise WrongProcess(f"{name} belongs to the process that forked this one: make a unit of work here")
        if self._opened is not None and self._opened[2] != get_ident():
            raise UnitInUse(f"{name} is in use by another thread: make a unit of work for each, on the same store")
        raise UnitNested(
            f"{name} is still open: call an inner service with a unit of its own, or move what both do into a function"
            " that takes the open unit; `with uow.nested():` gives a savepoint. If its block was interrupted before"
            " it could be left, close() ends it"
        )


class _Reading:
    """The block of a reading unit."""

    def __init__(self, unit: Any) -> None:
        self.unit = unit

    def __enter__(self) -> Any:
        unit: Any = self.unit
        try:
            unit._begin(reading=True)
            return unit
        except Misuse:
            raise
        except BaseException:
            unit._end_again()
            raise

    def __exit__(self, *raised: Any) -> None:
        try:
            self.unit._end()
        except UnitInUse:
            raise
        except BaseException:
            self.unit._end_again()
            raise


class _Nested:
    """The block of a savepoint."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit

    def __enter__(self) -> None:
        unit = self.unit
        self.session = unit._open()
        self.savepoint = self.session.nested()
        self.depth = unit._depth
        try:
            self.savepoint.__enter__()
            unit._depth = self.depth + 1
        except BaseException:
            unit._depth = self.depth
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.unit._depth = self.depth
            self.savepoint.__exit__(kind, error, trace)
        except BaseException as raised_instead:
            self.unit._depth = self.depth
            if not isinstance(raised_instead, HonestworkError):  # nobody knows whether the block was undone
                self.session.interrupted(raised_instead)
            raise


class _Served:
    """A repository of a unit of work: made by the session on first use, gone with the session."""

    def __init__(self, name: str, port: type[Repository[Any, Any]], aggregate: type[Any]) -> None:
        self.name = name
        self.port = port
        self.aggregate = aggregate

    def __get__(self, unit: UnitOfWork | None, owner: type[UnitOfWork]) -> Any:
        if unit is None:
            return self
        session = unit._open()
        repository = unit._replaced.get(self.name)
        if repository is None:
            repository = session.repository(self.port, self.aggregate)
        unit._made.append(self.name)
        setattr(unit, self.name, repository)  # found before this descriptor, until the unit ends
        return repository


def _require_served(unit: type[UnitOfWork], repositories: dict[str, Repository[Any, Any]]) -> None:
    """Raises TypeError if one of these has a name that the class does not give to a repository."""
    served = _served_by(unit)
    if unknown := repositories.keys() - served:
        raise TypeError(
            f"{unit.__name__} has no repository named {', '.join(sorted(unknown))}:"
            f" it names {', '.join(served) or 'none'}, by annotations in its class body"
        )


def _served_by(unit: type[UnitOfWork]) -> dict[str, _Served]:
    """The repositories that a class of units names by annotation; read once for each class."""
    if (known := unit.__dict__.get("_repositories")) is not None:
        return known  # type: ignore[no-any-return]
    if unit is UnitOfWork:
        raise TypeError("UnitOfWork is abstract: subclass it, and name its repositories by annotations")
    try:
        return _serve(unit, {})
    except NameError as error:
        raise TypeError(
            f"the annotations of {unit.__name__} cannot be read: {error}."
            " Import the aggregates where the class is defined, not only for type checking"
        ) from error


def _serve(unit: type[UnitOfWork], names: dict[str, Any]) -> dict[str, _Served]:
    """Read the annotations of a class, where these *names* are known beside those of its module."""
    hints = typing.get_type_hints(unit, localns=names)
    served = {}
    for name, hint in hints.items():
        port = typing.get_origin(hint) or hint
        if isinstance(port, type) and issubclass(port, Repository):
            served[name] = _Served(name, port, _aggregate_of(unit, name, hint))
            setattr(unit, name, served[name])
    unit._repositories = served
    return served


def _aggregate_of(unit: type[UnitOfWork], name: str, hint: Any) -> type[Any]:
    """`Repository[User, int]`, or a named subclass of it, is a repository of User."""
    known: dict[Any, Any] = {}
    while (port := typing.get_origin(hint) or hint) is not Repository:
        known = dict(zip(getattr(port, "__parameters__", ()), _arguments(hint, known), strict=False))
        hint = next(
            base
            for base in getattr(port, "__orig_bases__", port.__bases__)
            if issubclass(typing.get_origin(base) or base, Repository)
        )
    arguments = _arguments(hint, known)
    if not arguments or not isinstance(arguments[0], type):
        raise TypeError(
            f"{unit.__name__}.{name} does not say what it is a repository of:"
            f" annotate it as `{name}: Repository[Aggregate, Key]`"
        )
    return arguments[0]


def _arguments(hint: Any, known: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple(known.get(argument, argument) for argument in typing.get_args(hint))
