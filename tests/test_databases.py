"""The databases of the tests are real, empty in the beginning, and gone in the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

from honestwork.testing import (
    Missing,
    Unwanted,
    find_binaries,
    mariadb_database,
    postgres_database,
    throw_away_postgres,
)
from tests.conftest import or_say_so

Database = Callable[[str], AbstractContextManager[str]]


@pytest.fixture(params=["postgres_url", "mariadb_url", "sqlite_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Makes more databases on the server of the fixture; skips where there is none."""
    server: str = request.getfixturevalue(f"{request.param}_url")
    monkeypatch.setenv(f"HONESTWORK_{request.param.upper()}", server)
    return postgres_database if request.param == "postgres" else mariadb_database


def run(url: str, *statements: str) -> list[object]:
    """The first column of what the last statement gives."""
    with create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as connection:
        for statement in statements[:-1]:
            connection.exec_driver_sql(statement)
        result = connection.exec_driver_sql(statements[-1])
        return list(result.scalars()) if result.returns_rows else []


def test_every_database_keeps_every_character(url: str) -> None:
    words = "h\u00e9llo \u2603 \U0001d11e"
    run(url, "CREATE TABLE greeting (words VARCHAR(20))", f"INSERT INTO greeting VALUES ('{words}')")

    kept = run(url, "SELECT words FROM greeting")

    run(url, "DROP TABLE greeting")
    assert kept == [words]


def test_a_database_is_dropped_also_after_a_failure(database: Database) -> None:
    with pytest.raises(KeyError), database("failing") as url:
        run(url, "CREATE TABLE greeting (words VARCHAR(20))")
        raise KeyError

    with pytest.raises(OperationalError):
        run(url, "SELECT 1")


def test_what_a_killed_process_has_left_is_dropped(database: Database) -> None:
    with database("first") as url:
        name = make_url(url).database
        assert name is not None
        machine = name.rsplit("_", 2)[0]
        # No system gives a process so high a number; our own is added, for another run may be here too.
        left = f"{machine}_{100_000_000 + os.getpid()}_main"
        run(url, f"CREATE DATABASE {left}")

        with database("second"):
            known = _names(url)

    assert left not in known
    assert name in known


def test_a_throw_away_server_starts_and_leaves_nothing() -> None:
    if (binaries := find_binaries()) is None:
        pytest.skip("no PostgreSQL binaries are found")

    with throw_away_postgres(binaries) as url:
        answer = run(url, "SELECT 1")

    assert answer == [1]
    assert not Path(str(make_url(url).query["host"])).exists()


@pytest.mark.parametrize(
    ("variable", "make"),
    [
        ("HONESTWORK_POSTGRES", postgres_database),
        ("HONESTWORK_MARIADB", mariadb_database),
    ],
)
def test_a_url_of_none_does_without(variable: str, make: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "none")

    with pytest.raises(Unwanted, match=f"{variable}=none"), make("unwanted"):
        pass


def test_a_missing_server_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HONESTWORK_MARIADB", raising=False)
    monkeypatch.setattr("honestwork.testing.databases.MARIADB", "mariadb+pymysql://root@127.0.0.1:1/")

    with pytest.raises(Missing, match=r"no MariaDB: 127\.0\.0\.1:1 does not let us in .* HONESTWORK_MARIADB"):
        mariadb_database("missing").__enter__()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_skips_at_home_and_fails_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def missing() -> Iterator[str]:
        raise Missing("nobody listens")
        yield

    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="nobody listens"), or_say_so(missing()):
        pass


def _names(url: str) -> list[object]:
    postgres = url.startswith("postgresql")
    return run(url, "SELECT datname FROM pg_database" if postgres else "SHOW DATABASES")
