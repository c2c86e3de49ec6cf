"""One business transaction, owned by a `with` block."""

from __future__ import annotations

import sys
import typing
from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, get_ident
from types import TracebackType
from typing import Any, NoReturn, Self

from ..domain.errors import UnitClosed, UnitNested, WrongThread
from ..domain.repository import Repository
from .store import Session, Store

__all__ = ["UnitOfWork"]


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

    One instance can be entered again and again, one unit at a time, by one thread at a time. It is cheap
    to make; make one for each request, or a factory of them (see `adapters/container.py`), and share the
    store.

    A repository passed by name takes the place of the one the store would make, which is how a test
    swaps in a hand-written one: `Directory(store, users=FailingUsers())`.

    Raises UnitNested when it is entered twice at once, WrongThread when another thread uses it meanwhile,
    UnitClosed when it or one of its repositories is used outside of the block.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        defining = sys._getframe(1)
        while defining.f_globals.get("__name__") == "abc" and defining.f_back is not None:
            defining = defining.f_back
        with suppress(NameError):  # something is defined further down: read the annotations at the first use
            _serve(cls, defining.f_locals)

    # What a unit has while it is not entered.
    _session: Session | None = None
    _thread = 0
    _depth = 0

    def __init__(self, store: Store, **repositories: Repository[Any, Any]) -> None:
        if repositories or "_repositories" not in type(self).__dict__:
            _require_served(type(self), repositories)
        self._store = store
        self._replaced = repositories
        self._made: list[str] = []  # the names of the repositories that are in use
        self._entered = Lock()

    def __enter__(self) -> Self:
        self._begin(reading=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

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

    @contextmanager
    def nested(self) -> Iterator[None]:
        """A savepoint: if the block raises, all of the block is undone and the unit goes on.

        with uow:
            uow.users.add(john)
            with suppress(Duplicate), uow.nested():
                uow.users.add(namesake)
            uow.commit()                    # john is stored in any case
        """
        session = self._open()
        self._depth += 1
        try:
            with session.nested():
                yield
        finally:
            self._depth -= 1

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """A unit in which the store itself refuses changes: `with uow.reading(): …`.

        Everything in it sees one and the same state of the data. Raises UnitReadOnly at the flush of a change.
        """
        self._begin(reading=True)
        try:
            yield self
        finally:
            self._end()

    def _begin(self, *, reading: bool) -> None:
        if not self._entered.acquire(False):
            self._refuse_second_entry()
        self._thread = get_ident()
        try:
            self._session = self._store.open(reading=reading)
        except BaseException:
            self._entered.release()
            raise

    def _end(self) -> None:
        session, self._session = self._session, None
        if self._made:
            for name in self._made:
                self.__dict__.pop(name, None)
            self._made.clear()
        self._depth = 0
        try:
            if session is not None:
                session.close()
        finally:
            self._entered.release()

    def _open(self) -> Session:
        if (session := self._session) is None:
            raise UnitClosed(f"this {type(self).__name__} is not open: use it inside of its `with` block")
        if self._thread != get_ident():
            raise WrongThread(
                f"this {type(self).__name__} was entered by another thread: make a unit of work for each"
                " thread, on the same store"
            )
        return session

    def _outermost(self, what: str) -> Session:
        session = self._session
        if session is None or self._thread != get_ident():
            return self._open()  # says why not
        if self._depth:
            raise UnitNested(
                f"{what} inside of `with uow.nested():` would end the whole unit: leave the block first,"
                " or raise an error to undo the block"
            )
        return session

    def _refuse_second_entry(self) -> NoReturn:
        name = type(self).__name__
        if self._thread != get_ident():
            raise WrongThread(
                f"this {name} is in use by another thread: make a unit of work for each thread, on the same store"
            )
        raise UnitNested(
            f"this {name} is already open: call the inner service with a unit of its own, or move what both"
            " do into a function that takes the open unit; `with uow.nested():` gives a savepoint"
        )


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
        setattr(unit, self.name, repository)  # found before this descriptor, until the unit ends
        unit._made.append(self.name)
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
    unit._repositories = served  # type: ignore[attr-defined]
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
