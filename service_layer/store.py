"""The ports that a unit of work calls: a store, and the session that it opens for one unit.

A store is made once and lives as long as the application; a session lives as long as one `with` block.
Both stores of this library (`SqlStore` and `MemoryStore`, in the adapters) keep the same contract, so a
unit of work never knows which of them it runs on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any

from ..domain.repository import Repository

__all__ = ["Session", "Store"]


class Session(ABC):
    """The workspace of one unit of work: what it has loaded, added, changed and removed, and its transaction.

    The transaction begins with the first statement and not with the session, and begins anew after a
    commit or a rollback: a unit that has not asked for anything pins nothing.

    Every method but `close` raises UnitClosed after `close`, WrongThread in a thread other than the one
    that opened the session, and, `rollback` and `close` apart, UnitFailed after an error in `flush`.
    """

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
        """Undo what was not committed and release everything the session holds. Twice is the same as once."""


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
