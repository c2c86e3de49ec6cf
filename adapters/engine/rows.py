"""The port of rows: what one unit of work reads and writes, in memory or in a database.

The engine decides what objects mean; rows know of tables, keys and transactions, and nothing of objects. Every
method works on sets, so that a database needs one statement for each level of an aggregate, and not one for each row.

A row of an *entity* is the row of its table; where a class inherits over several tables it is their rows, one after
the other, the base's first. A row of a *table* is that table's piece of it. Both hold encoded values (see
`ColumnPlan.encoded`), which are immutable.

Every method raises the errors of the domain: constraints as ConstraintViolated, lost races as Conflict, a database
that is gone as Unavailable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..plan.entities import EntityPlan, MembersPlan
from ..plan.tables import Key, Row, TablePlan, Unique
from ..queries.query import Query

if TYPE_CHECKING:
    from ...rules.projection import Projection
    from .session import EngineSession

__all__ = ["Change", "Deletion", "Found", "Place", "Rows", "Savepoint"]

Found = tuple[EntityPlan, Row]
"""The class that a row stands for, which may be a subclass of the one that was asked for, and the whole row."""


Place = tuple[object, ...]
"""The values of an order's keys in a row."""


class Change:
    """New values for some columns of one row."""

    __slots__ = ("key", "values", "version")

    key: Key
    values: dict[int, Any]  # by the position of the column in the table
    version: tuple[int, Any] | None  # (position, value): the row changes only while it has this version

    def before(self) -> Row:
        """The row as the unit knows it, to say what an error is about."""
        raise NotImplementedError


class Deletion:
    """One row that goes."""

    __slots__ = ("key", "version")

    key: Key
    version: tuple[int, Any] | None  # as in `Change`


class Savepoint(ABC):
    """A mark in a transaction. Savepoints nest; each is either released or rolled back to."""

    @abstractmethod
    def release(self) -> None:
        """Keep what was written since."""

    @abstractmethod
    def rollback(self) -> bool:
        """Undo what was written since. Return False if the database has undone the whole transaction with it."""


class Rows(ABC):
    """The rows of one unit of work. Lives as long as its session, through one transaction after the other.

    A transaction begins with the first statement. All its reads see one snapshot, with its own writes over it.
    """

    # Reading

    @abstractmethod
    def by_key(self, entity: EntityPlan, key: Key) -> Found | None:
        """Return the row with this key, or None."""

    @abstractmethod
    def by_keys(self, entity: EntityPlan, keys: Sequence[Key]) -> list[Found]:
        """Return the rows with these keys, in no order; those that do not exist are left out."""

    @abstractmethod
    def members(self, owner: EntityPlan, relation: MembersPlan, keys: Sequence[Key]) -> list[list[Found]]:
        """Return the rows of the members of each of the owners with these *keys*, in the relation's order."""

    @abstractmethod
    def matching(self, asked: Query) -> Sequence[Found]:
        """Return the rows that a query asks for, in its order."""

    @abstractmethod
    def placed(self, asked: Query, last: int) -> tuple[Sequence[Found], Place | None]:
        """Return the rows that a query asks for, and the values that its keys have in the row number *last*, or None.

        The values are those that the store orders by: they are never computed a second time.
        """

    @abstractmethod
    def count(self, asked: Query) -> int:
        """Return how many rows match."""

    @abstractmethod
    def exists(self, asked: Query) -> bool:
        """Return whether a row matches."""

    @abstractmethod
    def values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        """Return the values of the projection's expressions, decoded, for each row that matches, in order."""

    @abstractmethod
    def taken(self, table: TablePlan, unique: Unique, values: Sequence[Any]) -> set[Any]:
        """Return those of the values of a unique constraint that a row has."""

    @abstractmethod
    def some_keys(self, table: TablePlan, limit: int) -> Sequence[Key]:
        """Return keys of a table, in their order, as many as there are up to the limit."""

    # Writing

    @abstractmethod
    def require_writing(self) -> None:
        """Raise UnitReadOnly if the unit was opened for reading."""

    @abstractmethod
    def insert(self, table: TablePlan, rows: Sequence[Row]) -> Sequence[Row]:
        """Insert rows in this order. Return them as they are stored: with the keys that were generated."""

    @abstractmethod
    def update(self, table: TablePlan, changes: Sequence[Change]) -> None:
        """Change rows, in this order. Raise Conflict if one is gone or does not have its version."""

    @abstractmethod
    def delete(self, table: TablePlan, deletions: Sequence[Deletion]) -> int:
        """Delete rows, in this order. Return how many existed. Raise Conflict if a version is not there."""

    # The transaction

    @abstractmethod
    def serve(self, unit: EngineSession) -> None:
        """Work for this session from now on. Called once, before anything else."""

    @abstractmethod
    def take_turn(self) -> None:
        """Wait until the unit may begin, where a store has one writer. Raises UnitNested, Conflict."""

    @abstractmethod
    def savepoint(self) -> Savepoint:
        """Set a savepoint."""

    @abstractmethod
    def commit(self) -> None:
        """Make all writes durable and visible, and end the transaction. The next statement begins a new one."""

    @abstractmethod
    def end(self) -> None:
        """Undo what was not committed and release everything. Calling it again does nothing."""

    @abstractmethod
    def interrupted(self, error: BaseException) -> BaseException:
        """Prepare to be ended after an interrupt between any two lines. Return what was raised first."""

    @abstractmethod
    def abandon(self) -> None:
        """Release everything from a finalizer, without waiting and without a lock."""

    @abstractmethod
    def leave_to_parent(self) -> None:
        """Let go without releasing anything: this is a child of the process to which all of it belongs."""
