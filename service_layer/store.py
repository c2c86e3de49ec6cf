"""The ports that a unit of work calls: a store, and the session that it opens for one unit.

A store is made once and lives as long as the application; a session lives as long as one `with` block.
Both stores of this library (`SqlStore` and `MemoryStore`, in the adapters) keep the same contract, so a
unit of work never knows which of them it runs on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any

from ..domain.repository import Repository

__all__ = ["Opened", "Session", "Store", "line_of"]

Opened = tuple[CodeType, int, int]  # the code that opened a unit, the instruction in it, and the thread


def line_of(opened: Opened | None) -> str:
    """The line that opened a unit, as `file.py:12`; empty where nobody knows it."""
    if opened is None:
        return ""
    code, instruction, _ = opened
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    return f"{code.co_filename}:{line}"


class Session(ABC):
    """The workspace of one unit of work: what it has loaded, added, changed and removed, and its transaction.

    The transaction begins with the first statement and not with the session, and begins anew after a
    commit or a rollback: a unit that has not asked for anything pins nothing.

    Every method but `close` raises UnitClosed after `close`, UnitInUse while another thread is in a call of the same
    session and in a task that is unrelated to the one that opened it, WrongProcess in a child of the process that
    opened it, and, `rollback` and `close` apart, UnitFailed after an error in `flush`.
    """

    opened: Opened | None = None  # told by the unit, for messages

    @abstractmethod
    def repository(self, port: type[Repository[Any, Any]], aggregate: type[Any]) -> Repository[Any, Any]:
        """A repository of *aggregate* that has the methods of *port*, bound to this session."""

    @abstractmethod
    def flush(self) -> None:
        """Send all changes to the store, inside the transaction. Generated keys appear here."""

    @abstractmethod
    def commit(self) -> None:
        """Flush, then make everything durable and visible to others, all of it or nothing."""

    @abstractmethod
    def rollback(self) -> None:
        """Undo everything since the last commit and forget every object."""

    @abstractmethod
    def nested(self) -> AbstractContextManager[None]:
        """A savepoint: flushes, and undoes what follows in the block if the block raises."""

    @abstractmethod
    def close(self) -> None:
        """Undo what was not committed and release everything the session holds. Twice is the same as once.

        In a child of the process that opened the session it releases nothing: all of it is the parent's.
        """

    @abstractmethod
    def interrupted(self, error: BaseException) -> BaseException:
        """Note that *error* left a call halfway: only a rollback can follow. Return what was raised first.

        Called for every error that is not one of this library, which the session has dealt with by itself.
        """

    @abstractmethod
    def abandon(self) -> bool:
        """Let go of what the session holds, from a finalizer: without waiting, and without a lock.

        Returns whether there was anything to let go of: not after `close`, and not in a child process.
        """


class Store(ABC):
    """Where units of work come from. Long-lived, thread-safe, made once."""

    @abstractmethod
    def open(self, *, reading: bool = False) -> Session:
        """A session for one unit of work; with *reading*, one in which the store itself refuses changes."""

    @abstractmethod
    def create_tables(self) -> None:
        """Create the tables of the mapping that do not exist yet. For tests and small programs; see Alembic."""

    @abstractmethod
    def drop_tables(self) -> None:
        """Drop all tables of the mapping, with all they hold."""

    @abstractmethod
    def dispose(self) -> None:
        """Release what the store holds: pooled connections, or nothing."""
