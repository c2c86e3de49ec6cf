"""What a driver's error means is told from its code, for every code there is a meaning for."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg.errors
import pymysql.err
import pytest
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from honestwork.adapters import SqlStore
from honestwork.adapters.sql.errors import translated
from honestwork.domain import (
    BackendError,
    CheckFailed,
    CommitOutcomeUnknown,
    Conflict,
    Duplicate,
    HonestworkError,
    MissingValue,
    ReferenceViolated,
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
    "SQLITE_BUSY": Conflict,
    "SQLITE_BUSY_SNAPSHOT": Conflict,
    "SQLITE_BUSY_RECOVERY": Conflict,
    "SQLITE_BUSY_TIMEOUT": Conflict,
    "SQLITE_LOCKED": Conflict,
    "SQLITE_LOCKED_SHAREDCACHE": Conflict,
    "SQLITE_READONLY": UnitReadOnly,
    "SQLITE_READONLY_DBMOVED": UnitReadOnly,
    "SQLITE_CANTOPEN": Unavailable,
    "SQLITE_NOTADB": Unavailable,
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
    "55P03": Conflict,
    "25006": UnitReadOnly,
    "57P01": Unavailable,
    "57P02": Unavailable,
    "57P03": Unavailable,
    "08000": Unavailable,
    "08006": Unavailable,
    "28P01": Unavailable,
    "28000": Unavailable,
    "3D000": Unavailable,
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


@pytest.mark.parametrize("error", [from_postgresql("57P01"), from_postgresql("08006"), from_mariadb(2013)])
def test_a_connection_that_is_lost_in_a_commit_leaves_the_outcome_unknown(error: Exception) -> None:
    assert type(translated(error, mapping.schema, committing=True)) is CommitOutcomeUnknown
    assert type(translated(error, mapping.schema)) is Unavailable


def test_other_errors_of_a_commit_are_what_they_are_elsewhere() -> None:
    assert type(translated(from_postgresql("40001"), mapping.schema, committing=True)) is Conflict


def test_a_stale_row_is_a_conflict() -> None:
    assert type(translated(StaleDataError("1 row expected"), mapping.schema)) is Conflict


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
