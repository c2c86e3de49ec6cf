"""What a driver's error means, told from its code, and from its words only where there is no code.

PostgreSQL gives an SQLSTATE, MariaDB a number, SQLite a name. Names of constraints and columns come with
the error in three different manners, and are brought together through the schema: whatever the database
says, the error names the table and its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from ...domain.errors import (
    BackendError,
    CheckFailed,
    CommitOutcomeUnknown,
    Conflict,
    ConstraintViolated,
    Duplicate,
    HonestworkError,
    LockTimeout,
    MissingValue,
    ReadOnlyDatabase,
    ReferenceViolated,
    StatementTimeout,
    Unavailable,
)
from ..plan.schema import Schema
from ..plan.tables import Check, Reference, TablePlan, Unique
from ..plan.violations import (
    conflict,
    in_words_of_the_domain,
    lock_timeout,
    read_only,
    read_only_database,
    violation,
)
from .drivers import raise_interrupt_in
from .limits import OVERFLOWS, exceeded

if TYPE_CHECKING:
    from .written import Written

__all__ = ["DRIVER_ERRORS", "has_no_savepoint", "is_lost", "raised", "translated"]

DRIVER_ERRORS = (DBAPIError, PoolTimeout, OverflowError)

Kinds = type[HonestworkError]

SQLITE: dict[str, Kinds] = {
    "SQLITE_CONSTRAINT_UNIQUE": Duplicate,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Duplicate,
    "SQLITE_CONSTRAINT_ROWID": Duplicate,
    "SQLITE_CONSTRAINT_NOTNULL": MissingValue,
    "SQLITE_CONSTRAINT_FOREIGNKEY": ReferenceViolated,
    "SQLITE_CONSTRAINT_TRIGGER": ReferenceViolated,  # so called for ON DELETE RESTRICT
    "SQLITE_CONSTRAINT_CHECK": CheckFailed,
    "SQLITE_BUSY": LockTimeout,
    "SQLITE_BUSY_SNAPSHOT": Conflict,
    "SQLITE_LOCKED": LockTimeout,
    "SQLITE_PROTOCOL": LockTimeout,  # many have begun at once
    "SQLITE_READONLY": ReadOnlyDatabase,
}
POSTGRESQL: dict[str, Kinds] = {
    "23505": Duplicate,
    "23502": MissingValue,
    "23503": ReferenceViolated,
    "23001": ReferenceViolated,
    "23514": CheckFailed,
    "40001": Conflict,
    "40P01": Conflict,
    "55P03": LockTimeout,
    "57014": StatementTimeout,
    "25006": ReadOnlyDatabase,
    "57P01": Unavailable,
    "57P02": Unavailable,
    "57P03": Unavailable,
    "57P04": Unavailable,
    "57P05": Unavailable,
    "25P03": Unavailable,  # it was idle in a transaction for too long, and the server has ended the connection
    "25P04": Unavailable,  # the same for a transaction that took too long
    "53300": Unavailable,
    "08007": CommitOutcomeUnknown,
    "40003": CommitOutcomeUnknown,  # CockroachDB, for an ambiguous commit
}
POSTGRESQL_CLASSES: dict[str, Kinds] = {"08": Unavailable}
MARIADB: dict[int, Kinds] = {
    1062: Duplicate,
    1048: MissingValue,
    1364: MissingValue,
    1216: ReferenceViolated,  # as 1452 and 1451, for users who may not see the other table
    1217: ReferenceViolated,
    1451: ReferenceViolated,
    1452: ReferenceViolated,
    4025: CheckFailed,
    1020: Conflict,
    1213: Conflict,
    1205: LockTimeout,
    3572: LockTimeout,
    1969: StatementTimeout,
    3024: StatementTimeout,
    1036: ReadOnlyDatabase,
    1290: ReadOnlyDatabase,
    1792: ReadOnlyDatabase,
    1836: ReadOnlyDatabase,
    1040: Unavailable,
    1053: Unavailable,
    1077: Unavailable,
    1079: Unavailable,
    1080: Unavailable,
    1129: Unavailable,
    1152: Unavailable,
    1158: Unavailable,
    1159: Unavailable,
    1160: Unavailable,
    1161: Unavailable,
    1184: Unavailable,
    1203: Unavailable,
    1226: Unavailable,
    1927: Unavailable,
    2002: Unavailable,
    2003: Unavailable,
    2005: Unavailable,
    2006: Unavailable,
    2013: Unavailable,
    2055: Unavailable,
    4031: Unavailable,
}
# What only a person can mend: who may connect, and to what.
ACCESS = ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_AUTH", "SQLITE_PERM", "3D000", 1044, 1045, 1049, 1130, 1698)
# libpq gives no SQLSTATE where the server refuses a connection, only words: of those that another attempt would hear
# again. In another language they are not known, and the error is an Unavailable.
REFUSED = re.compile(
    "authentication failed|no password supplied|does not exist|no pg_hba.conf entry|not permitted to log in"
    "|permission denied for database|is not currently accepting connections|unrecognized configuration parameter"
    "|does not support SSL|certificate verify failed|invalid connection option|invalid .* value"
)
# Where drivers quote values of rows, or pieces of a statement into which PyMySQL has put values.
QUOTED = re.compile(
    "|".join(
        (
            r"(?<=entry )'.*'(?= for key )",
            r"(?<=value: )'.*'(?= for column )",
            r"(?<=near )'.*'(?= at line )",
            r"(?<=with text )'.*'$",
            r"(?<=: )(?:'.*'|\".*\")$",
            r"(?<=value )\".*\"(?= is out of range)",
        )
    ),
    re.DOTALL,
)


NAME = "`((?:[^`]|``)+)`"  # as MariaDB writes one
NO_SAVEPOINT = 1305  # MariaDB's: after a deadlock, or where a row has changed since the snapshot


def raised(
    error: Exception,
    schema: Schema,
    *,
    committing: bool = False,
    reading: bool = False,
    written: Written | None = None,
) -> NoReturn:
    """Raise the domain's error for a driver's, with the driver's as its cause.

    *committing* tells that the error came from COMMIT, *reading* that a unit opened with `reading()` made a change;
    *written* are the rows of a statement that failed.
    """
    if isinstance(error, OverflowError) and not str(error).endswith(OVERFLOWS):
        raise error  # of a function of the mapping
    driver = error.orig if isinstance(error, DBAPIError) else None
    raise_interrupt_in(driver)
    translation = translated(_first(error), schema, committing=committing, reading=reading, written=written)
    translation.__cause__ = error
    _hide_values(error)
    own = in_words_of_the_domain(translation, schema.violations)
    raise own from own.__cause__


def is_lost(error: Exception) -> bool:
    """Is the connection gone, and with it the transaction?"""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    return exceeded(error) is None and _kind(error) in (Unavailable, CommitOutcomeUnknown)


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


def translated(
    error: Exception,
    schema: Schema,
    *,
    committing: bool = False,
    reading: bool = False,
    written: Written | None = None,
) -> HonestworkError:
    """The domain's error for a driver's."""
    if (too_large := exceeded(error)) is not None:
        return too_large
    if isinstance(error, PoolTimeout):
        return Unavailable(
            f"no connection was free: {error}; units of work are kept open too long, or the pool is small"
        )
    assert isinstance(error, DBAPIError)
    driver: Any = error.orig
    kind = _kind(error)
    if issubclass(kind, ConstraintViolated):
        if written is not None and (reference := written.broken_reference(driver)) is not None:
            return violation(kind, reference.table, reference.columns, reference.name)
        found = violation(kind, *_violated(driver, schema, error.statement))
        if isinstance(found, Duplicate) and written is not None and found.columns:
            found.values = written.duplicate(driver, found.columns)
        return found
    words = _words(driver)
    if kind is CommitOutcomeUnknown or (kind is Unavailable and committing):
        return CommitOutcomeUnknown(
            f"the connection was lost during COMMIT ({words}): look in a fresh unit whether the change is there, and"
            " never repeat it blindly"
        )
    if kind is Conflict:
        return conflict(words)
    if kind is LockTimeout:
        return lock_timeout(words)
    if kind is Unavailable:
        return Unavailable(f"the database cannot be reached: {words}")
    if kind is StatementTimeout:
        return StatementTimeout(
            f"the server ended a statement that ran for too long ({words}), and nothing of the unit is stored: make the"
            " query faster, or the statement timeout longer"
        )
    if kind is ReadOnlyDatabase:
        # SQLite's extended codes tell of the file; the plain one may be the PRAGMA of a reading unit.
        is_ours = reading and getattr(driver, "sqlite_errorname", "SQLITE_READONLY") == "SQLITE_READONLY"
        return read_only() if is_ours else read_only_database(words)
    return BackendError(f"the database refused: {words}{_way_out(error)}")


def _way_out(error: DBAPIError) -> str:
    driver: Any = error.orig
    code = _code(driver)
    if code in ("42P01", "42S02", 1146) or str(driver).startswith("no such table"):  # SQLite has no code for it
        return ": was create_tables() called, or the migration run?"
    if code in ACCESS or str(code).startswith("28") or _is_refused(error):
        return ": check the user, the password and the database in the store's URL"
    return ""


def _code(driver: Any) -> Any:
    """SQLite's name, PostgreSQL's SQLSTATE or MariaDB's number of an error; None if it has none."""
    if name := getattr(driver, "sqlite_errorname", None):
        return name
    if driver.args and isinstance(driver.args[0], int):
        return driver.args[0]
    return getattr(driver, "sqlstate", None)


def _kind(error: DBAPIError) -> Kinds:
    driver: Any = error.orig
    code = _code(driver)
    if getattr(driver, "sqlite_errorname", None):
        kind = next((SQLITE[each] for each in _codes(code) if each in SQLITE), BackendError)
    elif isinstance(code, int):
        kind = MARIADB.get(code, BackendError)
        if code == 1290 and (option := re.search(r"--([\w-]+)", _words(driver))) and "read" not in option[1]:
            kind = BackendError  # another option of the server
    elif code is not None:
        kind = POSTGRESQL.get(code) or POSTGRESQL_CLASSES.get(code[:2], BackendError)
        if code == "57014" and "user request" in _words(driver):
            kind = BackendError  # somebody has cancelled it
    else:
        kind = Unavailable if _is_without_server(error) and not _is_refused(error) else BackendError
    return Unavailable if error.connection_invalidated and kind is not CommitOutcomeUnknown else kind


def _is_without_server(error: DBAPIError) -> bool:
    """Has psycopg failed to connect? Other errors without SQLSTATE are its own, and the connection lives."""
    names = [each.__name__ for each in type(error.orig).__mro__]
    return hasattr(error.orig, "sqlstate") and "OperationalError" in names and error.statement is None


def _is_refused(error: DBAPIError) -> bool:
    return _is_without_server(error) and REFUSED.search(str(error.orig)) is not None


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
    """The first line of what the driver says, without values of rows; PostgreSQL's details quote them, too."""
    primary = getattr(getattr(driver, "diag", None), "message_primary", None)
    spoken = str(primary or (driver.args[-1] if driver.args else driver)).strip()
    return QUOTED.sub("'…'", spoken).splitlines()[0] if spoken else type(driver).__name__


def _hide_values(error: BaseException) -> None:
    """Take values of rows out of the driver's words too, where the engine is to hide them: they end up in logs.

    On PostgreSQL they stay in `error.orig.diag`.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, DBAPIError) and found.hide_parameters and found.orig is not None and found.orig.args:
            driver = found.orig
            spoken, words = str(driver), _words(driver)
            driver.args = (*driver.args[:-1], words)
            found.args = tuple(_without(each, spoken, str(driver)) for each in found.args)
        found = found.__cause__ or found.__context__


def _without(text: Any, spoken: str, words: str) -> Any:
    return text.replace(spoken, words) if isinstance(text, str) and spoken else text
