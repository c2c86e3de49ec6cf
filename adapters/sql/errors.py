"""What a driver's error means, told from its code and never from its words.

PostgreSQL gives an SQLSTATE, MariaDB a number, SQLite a name. Names of constraints and columns come with
the error in three different manners, and are brought together through the schema: whatever the database
says, the error names the table and its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from ...domain.errors import (
    BackendError,
    CheckFailed,
    CommitOutcomeUnknown,
    Conflict,
    ConstraintViolated,
    Duplicate,
    HonestworkError,
    MissingValue,
    ReferenceViolated,
    Unavailable,
    UnitReadOnly,
)
from ..schema import Schema
from ..tables import Check, Reference, TablePlan, Unique
from ..violations import conflict, in_words_of_the_domain, read_only, violation
from .broken_references import broken_reference
from .limits import OVERFLOWS, exceeded

__all__ = ["DRIVER_ERRORS", "has_no_savepoint", "is_lost", "raised", "translated"]

DRIVER_ERRORS = (DBAPIError, StaleDataError, PoolTimeout, OverflowError)

SQLITE: dict[str, type[HonestworkError]] = {
    "SQLITE_CONSTRAINT_UNIQUE": Duplicate,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Duplicate,
    "SQLITE_CONSTRAINT_ROWID": Duplicate,
    "SQLITE_CONSTRAINT_NOTNULL": MissingValue,
    "SQLITE_CONSTRAINT_FOREIGNKEY": ReferenceViolated,
    "SQLITE_CONSTRAINT_TRIGGER": ReferenceViolated,  # so called for ON DELETE RESTRICT
    "SQLITE_CONSTRAINT_CHECK": CheckFailed,
    "SQLITE_BUSY": Conflict,
    "SQLITE_BUSY_SNAPSHOT": Conflict,
    "SQLITE_LOCKED": Conflict,
    "SQLITE_READONLY": UnitReadOnly,
    "SQLITE_CANTOPEN": Unavailable,
    "SQLITE_NOTADB": Unavailable,
}
POSTGRESQL: dict[str, type[HonestworkError]] = {
    "23505": Duplicate,
    "23502": MissingValue,
    "23503": ReferenceViolated,
    "23001": ReferenceViolated,
    "23514": CheckFailed,
    "40001": Conflict,
    "40P01": Conflict,
    "55P03": Conflict,
    "25006": UnitReadOnly,
    "57P01": Unavailable,
    "57P02": Unavailable,
    "57P03": Unavailable,
    "57P04": Unavailable,
    "57P05": Unavailable,
    "25P03": Unavailable,  # it was idle in a transaction for too long, and the server has ended the connection
    "3D000": Unavailable,
    "53300": Unavailable,
}
POSTGRESQL_CLASSES: dict[str, type[HonestworkError]] = {"08": Unavailable, "28": Unavailable}
MARIADB: dict[int, type[HonestworkError]] = {
    1062: Duplicate,
    1048: MissingValue,
    1364: MissingValue,
    1216: ReferenceViolated,  # as 1452 and 1451, for users who may not see the other table
    1217: ReferenceViolated,
    1451: ReferenceViolated,
    1452: ReferenceViolated,
    4025: CheckFailed,
    1020: Conflict,
    1205: Conflict,
    1213: Conflict,
    1290: UnitReadOnly,
    1792: UnitReadOnly,
    1836: UnitReadOnly,
    1040: Unavailable,
    1044: Unavailable,
    1045: Unavailable,
    1049: Unavailable,
    1053: Unavailable,
    1129: Unavailable,
    1203: Unavailable,
    1226: Unavailable,
    1698: Unavailable,
    1927: Unavailable,
    2002: Unavailable,
    2003: Unavailable,
    2006: Unavailable,
    2013: Unavailable,
}


NAME = "`((?:[^`]|``)+)`"  # as MariaDB writes one
NO_SAVEPOINT = 1305  # MariaDB's: after a deadlock, or where a row has changed since the snapshot


def raised(error: Exception, schema: Schema, *, committing: bool = False) -> NoReturn:
    """Raise the domain's error for a driver's, with the driver's as its cause."""
    if isinstance(error, OverflowError) and not str(error).endswith(OVERFLOWS):
        raise error  # of a function of the mapping
    translation = translated(_first(error), schema, committing=committing)
    translation.__cause__ = error
    own = in_words_of_the_domain(translation, schema.violations)
    raise own from own.__cause__


def is_lost(error: Exception) -> bool:
    """Is the connection gone, and with it the transaction?"""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or (exceeded(error) is None and _kind(error.orig) is Unavailable)


def has_no_savepoint(error: Exception) -> bool:
    """Has the database undone the whole transaction, and the savepoint with it, to which it was to return?"""
    return isinstance(error, DBAPIError) and bool(error.orig.args) and error.orig.args[0] == NO_SAVEPOINT  # type: ignore[union-attr]


def _first(error: Exception) -> Exception:
    """Where the return to a savepoint has failed, the error because of which it was tried."""
    found: BaseException | None = error if has_no_savepoint(error) else None
    while found is not None:
        found = found.__context__
        if isinstance(found, DRIVER_ERRORS) and not has_no_savepoint(found):
            return found
    return error


def translated(error: Exception, schema: Schema, *, committing: bool = False) -> HonestworkError:
    """The domain's error for a driver's."""
    if isinstance(error, StaleDataError):
        return conflict()
    if (too_large := exceeded(error)) is not None:
        return too_large
    if isinstance(error, PoolTimeout):
        return Unavailable(
            f"no connection was free: {error}; units of work are kept open too long, or the pool is small"
        )
    assert isinstance(error, DBAPIError)
    driver: Any = error.orig
    kind = Unavailable if error.connection_invalidated else _kind(driver)
    if issubclass(kind, ConstraintViolated):
        return violation(kind, *_violated(driver, schema, error.statement))
    if kind is Unavailable and committing:
        return CommitOutcomeUnknown(
            f"the connection was lost during COMMIT ({_words(driver)}): look whether the change is there before"
            " doing it again"
        )
    if kind is Conflict:
        return conflict(_words(driver))
    if kind is Unavailable:
        return Unavailable(f"the database cannot be reached: {_words(driver)}")
    if kind is UnitReadOnly:
        return read_only()
    way_out = ": was create_tables() called, or the migration run?" if _misses_a_table(driver) else ""
    return BackendError(f"the database refused: {_words(driver)}{way_out}")


def _misses_a_table(driver: Any) -> bool:
    """SQLite has no code for it."""
    code = getattr(driver, "sqlstate", None) or next(iter(driver.args), "")
    return code in ("42P01", "42S02", 1146) or str(code).startswith("no such table")


def _kind(driver: Any) -> type[HonestworkError]:
    if name := getattr(driver, "sqlite_errorname", None):
        return next((SQLITE[code] for code in _codes(name) if code in SQLITE), BackendError)
    if driver.args and isinstance(driver.args[0], int):
        return MARIADB.get(driver.args[0], BackendError)
    if hasattr(driver, "sqlstate"):
        state = driver.sqlstate
        if state is None:  # psycopg gives none where no server has answered
            return Unavailable if type(driver).__name__ in ("OperationalError", "ConnectionTimeout") else BackendError
        return POSTGRESQL.get(state) or POSTGRESQL_CLASSES.get(state[:2], BackendError)
    return BackendError


def _codes(name: str) -> Iterable[str]:
    """SQLITE_BUSY_RECOVERY, then SQLITE_BUSY: an extended code is a kind of the shorter one."""
    while "_" in name:
        yield name
        name = name.rpartition("_")[0]


Violated = tuple[str, tuple[str, ...], str | None]  # table, columns, constraint


def _violated(driver: Any, schema: Schema, statement: str | None) -> Violated:
    """What is violated, as far as the database tells."""
    if hasattr(driver, "sqlite_errorname"):
        return _violated_on_sqlite(driver, schema, *_target(statement))
    if diagnosis := getattr(driver, "diag", None):
        table = diagnosis.table_name or ""
        if diagnosis.column_name:
            return table, (diagnosis.column_name,), None
        return _by_constraint(schema, diagnosis.constraint_name, table)
    _, target = _target(statement)
    return _violated_on_mariadb(str(driver.args[-1]), schema, target.replace("%%", "%"))  # as PyMySQL is given it


def _violated_on_sqlite(driver: Exception, schema: Schema, verb: str, target: str) -> Violated:
    words = str(driver)
    detail = words.partition(": ")[2]
    if words.startswith("CHECK"):
        return _by_constraint(schema, detail, target)  # several tables may have a check of one name
    if words.startswith("FOREIGN KEY"):
        if (reference := broken_reference(driver)) is not None:
            return reference.table, reference.columns, reference.name
        return _only_reference(schema.tables.get(target), deleting=verb == "DELETE FROM")
    if detail.startswith("index '"):
        return _by_constraint(schema, detail[len("index '") : -1], "")
    # A name may have dots and commas in it: what is written is compared with what the schema would be written as.
    for plan in sorted(schema.tables.values(), key=lambda plan: plan.name != target):
        for columns in _constrained(plan, is_unique=words.startswith("UNIQUE")):
            if detail == ", ".join(f"{plan.name}.{column}" for column in columns):
                return plan.name, columns, _unique_name(plan, columns) if words.startswith("UNIQUE") else None
    return target, (), None


def _constrained(plan: TablePlan, *, is_unique: bool) -> Iterable[tuple[str, ...]]:
    """The columns that have to be unique together, or each that must have a value."""
    if is_unique:
        return plan.key_columns, *(unique.columns for unique in plan.uniques)
    return [(column.name,) for column in plan.columns]


def _only_reference(plan: TablePlan | None, *, deleting: bool) -> Violated:
    """SQLite says nothing of which foreign key is broken; it is known where there is only one."""
    candidates = [] if plan is None else plan.referrers if deleting else list(plan.references)
    if len(candidates) != 1:
        return "", (), None
    (reference,) = candidates
    return reference.table, reference.columns, reference.name


def _violated_on_mariadb(words: str, schema: Schema, target: str) -> Violated:
    plan = schema.tables.get(target)
    if match := re.search(r"for key '(.+)'$", words, re.DOTALL):
        # The value comes before the key, and both may have quotes in them: the longest name that fits.
        known = [] if plan is None else [unique.name for unique in plan.uniques if unique.name]
        for name in sorted(["PRIMARY", *known], key=len, reverse=True):
            if words.endswith((f"for key '{name}'", f"for key '{target}.{name}'")):  # the second is MySQL's
                break
        else:
            name = match[1].rpartition("for key '")[2].removeprefix(f"{target}.")
        if name == "PRIMARY":
            return (target, plan.key_columns, plan.key_name) if plan is not None else (target, (), None)
        return _by_constraint(schema, name, target)
    if match := re.search(rf"{NAME}, CONSTRAINT {NAME} FOREIGN KEY", words):
        return _by_constraint(schema, _unquoted(match[2], "`"), _unquoted(match[1], "`"))
    if match := re.search(rf"CONSTRAINT {NAME} failed for {NAME}\.{NAME}$", words):
        table = _unquoted(match[3], "`")
        return _by_constraint(schema, _unquoted(match[1], "`").removeprefix(f"{table}."), table)
    if match := re.search(r"^(?:Column|Field) '(.+)' (?:cannot be null|doesn't have)", words, re.DOTALL):
        return target, (match[1],), None
    return target, (), None


def _by_constraint(schema: Schema, name: str | None, table: str) -> Violated:
    for plan in schema.tables.values():
        if table and plan.name != table:
            continue
        constraints: tuple[Unique | Reference | Check, ...] = (*plan.uniques, *plan.references, *plan.checks)
        for constraint in constraints:
            if constraint.name == name:
                return plan.name, constraint.columns, name
        if name in (f"{plan.name}_pkey", plan.key_name):
            return plan.name, plan.key_columns, plan.key_name
    return table, (), name


def _target(statement: str | None) -> tuple[str, str]:
    """The verb and the table of a statement."""
    match = re.match(rf"""(INSERT INTO|UPDATE|DELETE FROM) (?:{NAME}|"((?:[^"]|"")+)"|([^\s("`]+))""", statement or "")
    if match is None:
        return "", ""
    verb, marked, quoted, bare = match.groups()
    return verb, _unquoted(marked, "`") if marked else _unquoted(quoted, '"') if quoted else bare


def _unquoted(name: str, quote: str) -> str:
    return name.replace(2 * quote, quote)


def _unique_name(plan: TablePlan, columns: tuple[str, ...]) -> str | None:
    if columns == plan.key_columns:
        return plan.key_name
    return next((unique.name for unique in plan.uniques if unique.columns == columns), None)


def _words(driver: Any) -> str:
    spoken = str(driver.args[-1] if driver.args else driver).strip()
    return spoken.splitlines()[0] if spoken else type(driver).__name__
