"""What a driver's error means is told from its code, for every code there is a meaning for."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg.errors
import pymysql.err
import pytest
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout

from honestwork.adapters import SqlStore
from honestwork.adapters.sql.errors import translated
from honestwork.domain import (
    BackendError,
    CheckFailed,
    CommitOutcomeUnknown,
    Conflict,
    Duplicate,
    HonestworkError,
    LockTimeout,
    MissingValue,
    ReadOnlyDatabase,
    ReferenceViolated,
    StatementTimeout,
    Unavailable,
    UnitReadOnly,
)
from tests.integration.bank import Bank, bank, mapping

SQLITE: dict[str, type[HonestworkError]] = {
    "SQLITE_CONSTRAINT_UNIQUE": Duplicate,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Duplicate,
    "SQLITE_CONSTRAINT_ROWID": Duplicate,
    "SQLITE_CONSTRAINT_NOTNULL": MissingValue,
    "SQLITE_CONSTRAINT_FOREIGNKEY": ReferenceViolated,
    "SQLITE_CONSTRAINT_TRIGGER": ReferenceViolated,
    "SQLITE_CONSTRAINT_CHECK": CheckFailed,
    "SQLITE_BUSY": LockTimeout,
    "SQLITE_BUSY_SNAPSHOT": Conflict,
    "SQLITE_BUSY_RECOVERY": LockTimeout,
    "SQLITE_BUSY_TIMEOUT": LockTimeout,
    "SQLITE_LOCKED": LockTimeout,
    "SQLITE_LOCKED_SHAREDCACHE": LockTimeout,
    "SQLITE_PROTOCOL": LockTimeout,
    "SQLITE_READONLY": ReadOnlyDatabase,
    "SQLITE_READONLY_DBMOVED": ReadOnlyDatabase,
    "SQLITE_CANTOPEN": BackendError,
    "SQLITE_CANTOPEN_ISDIR": BackendError,
    "SQLITE_NOTADB": BackendError,
    "SQLITE_IOERR_WRITE": BackendError,
    "SQLITE_CONSTRAINT": BackendError,
    "SQLITE_ERROR": BackendError,
    "SQLITE_CORRUPT": BackendError,
    "SQLITE_FULL": BackendError,
}
POSTGRESQL: dict[str, type[HonestworkError]] = {
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
    "08000": Unavailable,
    "08006": Unavailable,
    "28P01": BackendError,
    "28000": BackendError,
    "3D000": BackendError,
    "57P04": Unavailable,
    "57P05": Unavailable,
    "25P03": Unavailable,
    "53100": BackendError,
    "53300": Unavailable,
    "42P01": BackendError,
    "22003": BackendError,
    "XX000": BackendError,
}
MARIADB: dict[int, type[HonestworkError]] = {
    1062: Duplicate,
    1048: MissingValue,
    1364: MissingValue,
    1216: ReferenceViolated,
    1217: ReferenceViolated,
    1451: ReferenceViolated,
    1452: ReferenceViolated,
    4025: CheckFailed,
    1020: Conflict,
    1205: LockTimeout,
    1969: StatementTimeout,
    3024: StatementTimeout,
    1213: Conflict,
    1036: ReadOnlyDatabase,
    1290: ReadOnlyDatabase,
    1792: ReadOnlyDatabase,
    1836: ReadOnlyDatabase,
    1040: Unavailable,
    1044: BackendError,
    1045: BackendError,
    1049: BackendError,
    1053: Unavailable,
    1129: Unavailable,
    1203: Unavailable,
    1226: Unavailable,
    1927: Unavailable,
    2002: Unavailable,
    2003: Unavailable,
    2006: Unavailable,
    2013: Unavailable,
    1146: BackendError,
    1264: BackendError,
}


def from_sqlite(name: str) -> Exception:
    error: Any = sqlite3.OperationalError("no words")
    error.sqlite_errorname = name
    return DBAPIError("UPDATE accounts", None, error)


def from_postgresql(state: str) -> Exception:
    return DBAPIError("UPDATE accounts", None, psycopg.errors.lookup(state)("no words"))


def from_mariadb(number: int, words: str = "no words") -> Exception:
    return DBAPIError("UPDATE accounts", None, pymysql.err.OperationalError(number, words))


@pytest.mark.parametrize(("name", "kind"), SQLITE.items())
def test_an_error_of_sqlite_is_known_by_its_name(name: str, kind: type[HonestworkError]) -> None:
    assert type(translated(from_sqlite(name), mapping.schema)) is kind


@pytest.mark.parametrize(("state", "kind"), POSTGRESQL.items())
def test_an_error_of_postgresql_is_known_by_its_sqlstate(state: str, kind: type[HonestworkError]) -> None:
    assert type(translated(from_postgresql(state), mapping.schema)) is kind


@pytest.mark.parametrize(("number", "kind"), MARIADB.items())
def test_an_error_of_mariadb_is_known_by_its_number(number: int, kind: type[HonestworkError]) -> None:
    assert type(translated(from_mariadb(number), mapping.schema)) is kind


@pytest.mark.parametrize("error", [from_sqlite("SQLITE_READONLY"), from_postgresql("25006"), from_mariadb(1792)])
def test_a_change_in_a_reading_unit_is_told_from_a_database_that_is_read_only(error: Exception) -> None:
    assert type(translated(error, mapping.schema, reading=True)) is UnitReadOnly
    assert type(translated(error, mapping.schema)) is ReadOnlyDatabase


def test_an_option_of_mariadb_that_is_not_about_reading_leaves_the_database_writable() -> None:
    words = "The MariaDB server is running with the --{} option so it cannot execute this statement"

    assert type(translated(from_mariadb(1290, words.format("read-only")), mapping.schema)) is ReadOnlyDatabase
    assert type(translated(from_mariadb(1290, words.format("secure-file-priv")), mapping.schema)) is BackendError


def test_a_statement_that_somebody_has_cancelled_did_not_take_too_long() -> None:
    cancelled = DBAPIError("SELECT", None, psycopg.errors.QueryCanceled("canceling statement due to user request"))

    assert type(translated(cancelled, mapping.schema)) is BackendError


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('connection failed: connection to server at "::1" failed: Connection refused', Unavailable),
        ("failed to resolve host 'nowhere'", Unavailable),
        ("connection failed: FATAL:  sorry, too many clients already", Unavailable),
        ("connection failed: FATAL:  the database system is starting up", Unavailable),
        ('connection failed: FATAL:  password authentication failed for user "john"', BackendError),
        ("connection failed: fe_sendauth: no password supplied", BackendError),
        ('connection failed: FATAL:  database "nothing" does not exist', BackendError),
        ('connection failed: FATAL:  role "nobody" does not exist', BackendError),
        ("connection failed: FATAL:  no pg_hba.conf entry for host", BackendError),
    ],
)
def test_a_connection_that_another_attempt_would_not_get_either_is_not_unavailable(
    words: str, kind: type[HonestworkError]
) -> None:
    """To psycopg all of them are one: an OperationalError without an SQLSTATE."""
    assert type(translated(DBAPIError(None, None, psycopg.OperationalError(words)), mapping.schema)) is kind


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("sending query failed: another command is already in progress"),
        psycopg.ProgrammingError("cannot adapt type 'object' using placeholder '%s' (format: AUTO)"),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    ],
)
def test_what_psycopg_itself_refuses_loses_no_connection(error: Exception) -> None:
    assert type(translated(DBAPIError("SELECT", None, error), mapping.schema)) is BackendError
    assert type(translated(DBAPIError("SELECT", None, error), mapping.schema, committing=True)) is BackendError


@pytest.mark.parametrize("state", ["08007", "40003"])
def test_a_server_that_does_not_know_the_outcome_of_a_commit_says_so(state: str) -> None:
    error: Any = psycopg.OperationalError("no words")
    error.sqlstate = state

    assert type(translated(DBAPIError("COMMIT", None, error), mapping.schema)) is CommitOutcomeUnknown


def test_who_repeats_what_is_unavailable_does_not_repeat_a_commit_of_unknown_outcome() -> None:
    assert not issubclass(CommitOutcomeUnknown, Unavailable)
    assert issubclass(LockTimeout, Conflict)


@pytest.mark.parametrize("error", [from_postgresql("57P01"), from_postgresql("08006"), from_mariadb(2013)])
def test_a_connection_that_is_lost_in_a_commit_leaves_the_outcome_unknown(error: Exception) -> None:
    assert type(translated(error, mapping.schema, committing=True)) is CommitOutcomeUnknown
    assert type(translated(error, mapping.schema)) is Unavailable


def test_other_errors_of_a_commit_are_what_they_are_elsewhere() -> None:
    assert type(translated(from_postgresql("40001"), mapping.schema, committing=True)) is Conflict


def test_a_pool_that_is_exhausted_is_unavailable() -> None:
    assert type(translated(PoolTimeout("all are busy"), mapping.schema)) is Unavailable


@pytest.mark.parametrize(
    ("words", "table", "columns", "constraint"),
    [
        ("Duplicate entry 'John' for key 'PRIMARY'", "accounts", ("owner",), "pk_accounts"),
        ("Duplicate entry '1' for key 'uq_accounts_number'", "accounts", ("number",), "uq_accounts_number"),
        ("Duplicate entry '1' for key 'accounts.uq_accounts_number'", "accounts", ("number",), "uq_accounts_number"),
        ("Duplicate entry 'it's for key 'x'' for key 'PRIMARY'", "accounts", ("owner",), "pk_accounts"),
    ],
)
def test_what_is_duplicate_on_mariadb_is_found_in_its_words(
    words: str, table: str, columns: tuple[str, ...], constraint: str
) -> None:
    error = translated(from_mariadb(1062, words), mapping.schema)

    assert isinstance(error, Duplicate)
    assert (error.table, error.columns, error.constraint) == (table, columns, constraint)


@pytest.mark.parametrize("server", ["sqlite_url", "postgres_url", "mariadb_url"])
def test_an_error_that_nobody_foresaw_keeps_its_cause(request: pytest.FixtureRequest, server: str) -> None:
    store = SqlStore(request.getfixturevalue(server), mapping)

    with Bank(store) as uow, pytest.raises(BackendError, match="accounts") as caught:
        uow.accounts.all()

    assert isinstance(caught.value.__cause__, DBAPIError)
    store.dispose()


@pytest.mark.parametrize("server", ["sqlite_url", "postgres_url", "mariadb_url"])
def test_a_known_error_keeps_its_cause_too(request: pytest.FixtureRequest, server: str) -> None:
    with bank(request.getfixturevalue(server)) as store, Bank(store) as uow:
        uow.accounts["John"].balance = -1

        with pytest.raises(CheckFailed) as caught:
            uow.commit()

    assert isinstance(caught.value.__cause__, DBAPIError)
