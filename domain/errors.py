"""Everything that honestwork raises, and why.

    HonestworkError
    ├── NotFound (LookupError)           no aggregate has this key, or satisfies this condition
    ├── MultipleFound (LookupError)      one was asked for, several satisfy the condition
    ├── ConstraintViolated               the data would break a promise of the schema
    │   ├── Duplicate                        a primary key or a unique constraint
    │   ├── MissingValue                     NOT NULL
    │   ├── ReferenceViolated                a foreign key: the target is missing, or still referred to
    │   └── CheckFailed                      a CHECK constraint
    ├── BadValue (ValueError)            the value would not come back as it went in
    ├── TooLarge                         a value or a statement exceeds a limit of the database
    ├── UnreadableRow                    a stored row that the mapped class cannot represent
    ├── Conflict                         another unit of work was faster: run the service again in a fresh unit
    │   └── LockTimeout                      it held a lock for longer than this unit waits
    ├── Unavailable                      no connection, or it was lost before COMMIT: run the service again
    ├── CommitOutcomeUnknown             the connection was lost during COMMIT: look before you repeat anything
    ├── StatementTimeout                 the server ended a statement that ran for too long
    ├── ReadOnlyDatabase                 the database accepts no changes
    ├── BackendError                     a database error that nobody foresaw; the cause is attached
    ├── MappingRefused                   the mapping cannot be served faithfully; lists every finding
    ├── RuleRefused (ValueError)         a rule, an order or a cursor that no query can answer exactly
    └── Misuse (RuntimeError)            the program is wrong, not the data
        ├── UnitClosed                       used outside of its `with` block
        ├── UnitNested                       entered twice, or ended from inside a nested block
        ├── UnitFailed                       used after an error; only a rollback can follow
        ├── UnitReadOnly                     a change was made in a reading unit
        ├── UnitInUse                        used by two callers at once, or by an unrelated task
        ├── WrongProcess                     used in a child of the process that opened it
        ├── ForeignObject                    the object belongs to another unit of work
        ├── AlreadyRemoved                   added again after its row was deleted
        ├── NotInUnit                        removed without having been loaded or added
        └── KeyChanged                       the key of a stored aggregate was assigned

The classes live in the domain so that every store raises the very same ones, and so that a service
can catch `Duplicate` without knowing which database, if any, has found the duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "AlreadyRemoved",
    "BackendError",
    "BadValue",
    "CheckFailed",
    "CommitOutcomeUnknown",
    "Conflict",
    "ConstraintViolated",
    "Duplicate",
    "ForeignObject",
    "HonestworkError",
    "KeyChanged",
    "LockTimeout",
    "MappingRefused",
    "MissingValue",
    "Misuse",
    "MultipleFound",
    "NotFound",
    "NotInUnit",
    "ReadOnlyDatabase",
    "ReferenceViolated",
    "RuleRefused",
    "StatementTimeout",
    "TooLarge",
    "Unavailable",
    "UnitClosed",
    "UnitFailed",
    "UnitInUse",
    "UnitNested",
    "UnitReadOnly",
    "UnreadableRow",
    "WrongProcess",
]


class HonestworkError(Exception):
    """The root of all errors of this library."""


class NotFound(HonestworkError, LookupError):
    """No aggregate has the key, or none satisfies the condition."""


class MultipleFound(HonestworkError, LookupError):
    """Exactly one aggregate was asked for and several satisfy the condition."""


class ConstraintViolated(HonestworkError):
    """The data would break a constraint of the schema; nothing of the unit has been stored.

    `table` and `columns` name what is violated. `constraint` is its name in the schema, or None where
    the database does not tell (SQLite says nothing about foreign keys).
    """

    def __init__(
        self,
        message: str,
        *,
        table: str = "",
        columns: tuple[str, ...] = (),
        constraint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.table = table
        self.columns = columns
        self.constraint = constraint


class Duplicate(ConstraintViolated):
    """Another row has the same primary key, or the same value of a unique constraint.

    `values` are the values that exist already, by the names of the columns, so that an import of many rows can tell
    which of them it was. It is empty where the database does not tell. The message does not contain them: they may be
    personal, and messages end up in logs.
    """

    values: Mapping[str, object] = MappingProxyType({})


class MissingValue(ConstraintViolated):
    """A column that must have a value has none."""


class ReferenceViolated(ConstraintViolated):
    """A foreign key points to no row, or a row is deleted that others still refer to."""


class CheckFailed(ConstraintViolated):
    """A CHECK constraint of the table does not hold."""


class BadValue(HonestworkError, ValueError):
    """The database would refuse or silently change this value, so it is refused before any SQL runs."""

    def __init__(self, message: str, *, attribute: str = "", value: object = None) -> None:
        super().__init__(message)
        self.attribute = attribute
        self.value = value


class TooLarge(HonestworkError):
    """A value or a statement exceeds a limit of the database or of its driver. Nothing of the unit has been stored.

    `limit` is the name of the limit, a setting where there is one ("max_allowed_packet"), and `value` its value, or
    None where the database does not tell.
    """

    def __init__(self, message: str, *, limit: str = "", value: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.value = value


class UnreadableRow(HonestworkError):
    """A stored row that the mapped class cannot represent, such as one with an enum member that was since renamed.

    `table`, `key` and `column` name the value; `key` and `column` are None where they are unknown, and `column`
    is None where a whole row is missing. `__cause__` is the error that reading the value raised, if one was raised.

    The message never contains the value. The unit stays usable: nothing was changed, and other rows can be read.
    To mend it, migrate the row, or map its old value.
    """

    def __init__(self, message: str, *, table: str = "", key: object = None, column: str | None = None) -> None:
        super().__init__(message)
        self.table = table
        self.key = key
        self.column = column


class Conflict(HonestworkError):
    """Another unit of work has changed or locked the same rows. Nothing of this unit has been stored.

    Run the whole service again in a fresh unit: it sees the other's changes, and may well succeed.
    """


class LockTimeout(Conflict):
    """Another unit of work held a lock for longer than this unit waits (`lock_timeout`), and may still hold it."""


class Unavailable(HonestworkError):
    """No connection to the database could be had, or it was lost before COMMIT. Nothing of the unit has been stored.

    Running the whole service again is safe, and helps once the database is back: `except (Conflict, Unavailable)` is
    the place for a retry. A wrong password, an unknown database or a file that is no database are a BackendError
    instead, for another attempt would fail in the same way.
    """


class CommitOutcomeUnknown(HonestworkError):
    """The connection was lost during COMMIT: the unit is stored whole or not at all, and nobody can say which.

    Never repeat the service blindly, for it would be done twice if the commit came through. In a fresh unit, look
    whether the change is there; then decide. That is why this is no Unavailable.
    """


class StatementTimeout(HonestworkError):
    """The server ended a statement that ran longer than its statement timeout. Nothing of the unit has been stored.

    Running the service again would take as long again: make the query faster, or the timeout longer.
    """


class ReadOnlyDatabase(HonestworkError):
    """A unit that may write was refused by a database that accepts no changes. Nothing of the unit has been stored.

    The server is a standby or was set read-only, which happens in a failover; or the file, its folder or its URL
    (`mode=ro`) is read-only. A change in `uow.reading()` is a UnitReadOnly instead, whatever the database is.
    """


class BackendError(HonestworkError):
    """The database refused for a reason that has no class here. `__cause__` is the driver's error.

    Among the reasons are those that only a person can remove: no access, an unknown database, missing tables, a disk
    that is full. Running the service again does not help.
    """


class MappingRefused(HonestworkError):
    """The mapping cannot be served faithfully. `findings` has a sentence for each reason."""

    def __init__(self, findings: list[str]) -> None:
        lines = "\n".join(f"  {number}. {finding}" for number, finding in enumerate(findings, 1))
        super().__init__(f"the mapping is refused, for {len(findings)} reason(s):\n{lines}")
        self.findings = findings


class RuleRefused(HonestworkError, ValueError):
    """A rule, an order, a projection or a cursor cannot be answered exactly, so no query is made of it.

    Raised when the query is built, by every store alike, before any row is looked at. The message names
    the rule, what it does, and what to write instead.
    """


class Misuse(HonestworkError, RuntimeError):
    """The program uses a unit of work in a way that can only be a mistake."""


class UnitClosed(Misuse):
    """A unit of work, or a repository of it, is used outside of its `with` block."""


class UnitNested(Misuse):
    """A unit of work is entered a second time, or ended from inside `with uow.nested():`."""


class UnitFailed(Misuse):
    """A unit of work is used after an error in it. Leave the block or roll back, then begin afresh."""


class UnitReadOnly(Misuse):
    """Something was changed in a unit opened with `uow.reading()`. See ReadOnlyDatabase for writing units."""


class UnitInUse(Misuse):
    """A unit of work is used by two callers at once, or in a task that does not descend from the one that entered it.

    Threads may take turns: one enters, another calls, a third leaves.
    """


class WrongProcess(Misuse):
    """A unit of work is used in a child of the process that entered it; or a database in memory, that opened it."""


class ForeignObject(Misuse):
    """The object was loaded or added by another unit of work."""


class AlreadyRemoved(Misuse):
    """The object was removed, its row is deleted, and now it is added again."""


class NotInUnit(Misuse):
    """The object to remove was neither loaded nor added by this unit of work."""


class KeyChanged(Misuse):
    """The key of a stored aggregate was assigned. Keys never change: remove it and add a new one."""
