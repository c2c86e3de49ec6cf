"""The words of broken constraints and conflicts: the same from every store."""

from __future__ import annotations

from collections.abc import Mapping

from ...domain.errors import (
    CheckFailed,
    Conflict,
    ConstraintViolated,
    Duplicate,
    LockTimeout,
    MissingValue,
    ReadOnlyDatabase,
    ReferenceViolated,
    UnitReadOnly,
)

__all__ = ["conflict", "in_words_of_the_domain", "lock_timeout", "read_only", "read_only_database", "violation"]

MEANING: dict[type[ConstraintViolated], str] = {
    Duplicate: "another row has the same value of {where}: look first, or catch Duplicate and tell the user",
    MissingValue: "{where} must have a value and has none",
    ReferenceViolated: "the foreign key {where} would point to no row: its target was never stored, or is removed"
    " while others still refer to it; every read flushes, so fetch everything first, and add and remove it then",
    CheckFailed: "the row does not satisfy the check {constraint} of {where}",
}


def violation(
    kind: type[ConstraintViolated], table: str, columns: tuple[str, ...], constraint: str | None
) -> ConstraintViolated:
    """The error of a broken constraint, for this table and these columns."""
    where = f"{table}({', '.join(columns)})" if columns else table or constraint or "a table"
    return kind(
        MEANING[kind].format(where=where, constraint=constraint or "constraint"),
        table=table,
        columns=columns,
        constraint=constraint,
    )


def in_words_of_the_domain(error: Exception, words: Mapping[str, type[Exception]]) -> Exception:
    """The user's own error for a broken constraint, where there is one; its cause is the general one."""
    if isinstance(error, ConstraintViolated) and error.constraint is not None and error.constraint in words:
        own = words[error.constraint](str(error))
        own.__cause__ = error
        return own
    return error


def conflict(cause: str = "") -> Conflict:
    """The error of a lost race."""
    because = f" ({cause})" if cause else ""
    return Conflict(
        f"another unit of work has changed or locked what this one wants to store{because}: run the whole"
        " service again in a fresh unit, which sees the other's changes"
    )


def lock_timeout(cause: str = "") -> LockTimeout:
    """The error of a lock that another unit holds."""
    because = f" ({cause})" if cause else ""
    return LockTimeout(
        f"another unit of work holds a lock on what this one wants to store{because}: run the whole service again in a"
        " fresh unit, and keep units short"
    )


def read_only() -> UnitReadOnly:
    """The error of a change in a reading unit."""
    return UnitReadOnly(
        "this unit was opened with `reading()`, which refuses changes: open it with `with uow:` to store them"
    )


def read_only_database(cause: str) -> ReadOnlyDatabase:
    """The error of a change that a database accepts from nobody."""
    return ReadOnlyDatabase(
        f"the database is read-only ({cause}): connect to one that accepts changes, or open the unit with `reading()`"
        " if it only reads"
    )
