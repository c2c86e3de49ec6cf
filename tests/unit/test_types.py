"""Types mean the same on every database, once they are portable."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    String,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from honestwork.adapters import Mapping, MemoryStore
from honestwork.adapters.plan.types import portable


def spelled(type_: Any, dialect: Any) -> str:
    return str(portable(type_).compile(dialect=dialect)).replace("CHARACTER SET utf8mb4 ", "")


@pytest.mark.parametrize(
    ("type_", "on_sqlite", "on_postgresql", "on_mariadb"),
    [
        (String(9), "VARCHAR(9)", 'VARCHAR(9) COLLATE "C"', "VARCHAR(9) COLLATE utf8mb4_nopad_bin"),
        (String(), "VARCHAR", 'VARCHAR COLLATE "C"', "LONGTEXT COLLATE utf8mb4_nopad_bin"),
        (Text(), "TEXT", 'TEXT COLLATE "C"', "LONGTEXT COLLATE utf8mb4_nopad_bin"),
        (DateTime(), "DATETIME", "TIMESTAMP WITHOUT TIME ZONE", "DATETIME(6)"),
        (DateTime(timezone=True), "DATETIME", "TIMESTAMP WITH TIME ZONE", "DATETIME(6)"),
        (Time(), "TIME", "TIME WITHOUT TIME ZONE", "TIME(6)"),
        (Interval(), "BIGINT", "INTERVAL", "BIGINT"),
        (Float(), "DOUBLE", "DOUBLE PRECISION", "DOUBLE"),
        (Uuid(), "CHAR(32)", "UUID", "CHAR(32)"),
        (LargeBinary(), "BLOB", "BYTEA", "LONGBLOB"),
        (JSON(), "JSON", "JSON", "JSON"),
        (Integer(), "INTEGER", "INTEGER", "INTEGER"),
        (Enum("a", "b", name="ab"), "VARCHAR(1)", "ab", "ENUM('a','b')"),
    ],
)
def test_a_type_is_declared_as(type_: Any, on_sqlite: str, on_postgresql: str, on_mariadb: str) -> None:
    untyped: Any = sqlite.dialect, postgresql.dialect, lambda: mysql.dialect(is_mariadb=True)

    assert [spelled(type_, dialect()) for dialect in untyped] == [on_sqlite, on_postgresql, on_mariadb]


def test_json_keeps_none_as_null() -> None:
    made = portable(JSON())

    assert isinstance(made, JSON)
    assert made.none_as_null


@pytest.mark.parametrize(
    "type_", [String(9), Text(), DateTime(), DateTime(timezone=True), Time(), Interval(), Uuid(), LargeBinary(), JSON()]
)
def test_a_portable_type_stays_as_it_is(type_: Any) -> None:
    once = portable(type_)

    assert repr(portable(once)) == repr(once)


@pytest.mark.parametrize("type_", [String(9), Uuid(), DateTime()])
def test_a_foreign_key_may_have_the_type_of_a_table_that_is_mapped_already(type_: Any) -> None:
    class Owner:
        pass

    class Pet:
        pass

    mapping = Mapping()
    owners = Table("owners", mapping.metadata, Column("id", type_, primary_key=True))
    mapping.aggregate(Owner, owners)
    pets = Table(
        "pets", mapping.metadata, Column("id", Integer, primary_key=True), Column("owner", ForeignKey("owners.id"))
    )
    mapping.aggregate(Pet, pets)

    MemoryStore(mapping)

    assert repr(pets.c.owner.type) == repr(owners.c.id.type)
