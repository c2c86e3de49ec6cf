"""What goes wrong outside of the data has an error of the domain, too."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from examples.users.adapters.orm import mapping
from examples.users.service_layer import services
from examples.users.service_layer.unit_of_work import Directory
from honestwork.adapters import SqlStore
from honestwork.domain import BackendError, BadValue, LockTimeout, ReadOnlyDatabase


@pytest.mark.parametrize("begin", ["immediate", "deferred"])
def test_a_unit_that_waits_too_long_for_another_program_is_in_conflict(begin: str, sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, mapping, begin=begin, lock_timeout=0.05, durability="process")
    store.create_tables()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LockTimeout, match="again in a fresh unit"):
        services.register("John Doe", 30, uow=Directory(store))

    other.close()
    assert services.list_users(uow=Directory(store)) == []
    store.dispose()


def test_a_file_that_is_read_only_refuses_changes_and_can_be_read(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, mapping, durability="process")
    store.create_tables()
    services.register("John Doe", 30, uow=Directory(store))
    path = sqlite_url.removeprefix("sqlite:///")

    read_only = SqlStore(f"sqlite:///file:{path}?mode=ro&uri=true", mapping)

    assert [entry.name for entry in services.list_users(uow=Directory(read_only))] == ["John Doe"]
    with pytest.raises(ReadOnlyDatabase, match="the database is read-only"):
        services.register("Mary Major", 17, uow=Directory(read_only))
    for each in (store, read_only):
        each.dispose()


@pytest.mark.parametrize(
    ("database", "complaint"),
    [
        ("file.db", "no database URL"),
        ("sqlite://file.db", "no database URL"),
        ("postgresql://host:port/name", "no database URL"),
        ("oracle://host/name", "oracle is not supported"),
        ("sqlite+nosuch:///file.db", "no driver that is known here"),
        (None, "no database URL"),
    ],
)
def test_a_url_that_names_no_database_is_a_bad_value(database: Any, complaint: str) -> None:
    with pytest.raises(BadValue, match=complaint):
        SqlStore(database, mapping)


@pytest.mark.parametrize(
    ("database", "driver"),
    [("postgresql://host/name", "psycopg"), ("mariadb://host/name", "pymysql"), ("mysql://host/name", "pymysql")],
)
def test_a_url_without_a_driver_gets_the_one_that_is_tested(database: str, driver: str) -> None:
    assert SqlStore(database, mapping).engine.dialect.driver == driver


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"])
def test_who_has_no_tables_is_told_to_make_them(database: str, request: pytest.FixtureRequest) -> None:
    store = SqlStore(request.getfixturevalue(f"{database}_url"), mapping)

    with pytest.raises(BackendError, match=r"was create_tables\(\) called"):
        services.list_users(uow=Directory(store))

    store.dispose()
