"""Constraints, indexes and names that are not the same everywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.types import TypeDecorator

from honestwork.adapters import Mapping
from tests.unit.doctoring import fresh, said_of, said_of_table


class Reversed(TypeDecorator[str]):
    impl = String(5)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]


@pytest.mark.parametrize(
    ("kind", "constraint", "said"),
    [
        (Integer, lambda: UniqueConstraint("c", postgresql_nulls_not_distinct=True), "takes NULLs for equal"),
        (Integer, lambda: UniqueConstraint("c", sqlite_on_conflict="REPLACE"), "ON CONFLICT"),
        (Integer, lambda: UniqueConstraint("c", initially="DEFERRED"), "deferrable"),
        (Integer, lambda: Index("ix", "c", unique=True, postgresql_nulls_not_distinct=True), "takes NULLs for equal"),
        (Integer, lambda: ExcludeConstraint(("c", "="), using="btree", name="ex"), "only one database has"),
        (String(20), lambda: Index("ix", "c", unique=True, mariadb_length=3), "the beginning of the value"),
        (Text, lambda: UniqueConstraint("c"), "give it a length"),
        (String, lambda: Index("ix", "c"), "give it a length"),
        (LargeBinary, lambda: UniqueConstraint("c"), "give it a length"),
        (String(700), lambda: UniqueConstraint("c"), "675 characters"),
        (JSON, lambda: UniqueConstraint("c"), "compares JSON"),
        (Integer, lambda: CheckConstraint("c > now()"), "the check ck_things of things has"),
        (Integer, lambda: Index("things", "c"), "the name of the table things"),
        (String(5), lambda: Index("ix", func.lower(text("c"))), "is over an expression"),
        (Integer, lambda: ForeignKeyConstraint(["c"], ["things.id"]), "another type"),
        (String(5), lambda: ForeignKeyConstraint(["c"], ["things.id"], match="FULL"), "MATCH FULL"),
        (String(5), lambda: UniqueConstraint("c", name="u" * 64), "longer than 63"),
    ],
)
def test_a_constraint_is_refused(kind: Any, constraint: Any, said: str) -> None:
    (finding,) = said_of_table(Column("c", kind), constraint())

    assert said in finding


def test_a_name_that_a_database_would_cut_is_refused() -> None:
    (finding,) = said_of_table(Column("c" * 64, Integer))

    assert "longer than 63" in finding


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("id", Enum("a", "b", name="ab"), primary_key=True), "sorts enums in its own way"),
        (Column("id", Reversed, primary_key=True), "keys are int, str, UUID"),
        (Column("id", LargeBinary(5), primary_key=True), "keys are int, str, UUID"),
        (Column("id", String, primary_key=True), "give it a length"),
    ],
)
def test_a_key_is_refused(column: Column[Any], said: str) -> None:
    mapping = Mapping()
    mapping.aggregate(fresh(), Table("things", mapping.metadata, column))

    (finding,) = said_of(mapping)

    assert said in finding


def test_a_generated_part_of_a_compound_key_is_refused() -> None:
    finding, *_ = said_of_table(Column("number", Integer, primary_key=True, autoincrement=True))

    assert "only a part of the primary key" in finding


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schema": "app"}, "is in the schema app"),
        ({"mariadb_engine": "MyISAM"}, "no transactions"),
        ({"mysql_engine": "MyISAM"}, "no transactions"),
    ],
)
def test_a_table_is_refused(options: dict[str, Any], said: str) -> None:
    assert any(said in finding for finding in said_of_table(**options))


def test_names_that_differ_in_case_only_are_refused() -> None:
    (finding,) = said_of_table(Column("a", Integer), Column("A", Integer))

    assert "'a' and 'A' are one to SQLite" in finding


def test_tables_that_differ_in_case_only_are_refused() -> None:
    mapping = Mapping()
    for name in ("things", "Things"):
        mapping.aggregate(fresh(), Table(name, mapping.metadata, Column("id", Integer, primary_key=True)))

    (finding,) = said_of(mapping)

    assert "'things' and 'Things' are one to SQLite" in finding


def test_tables_that_refer_to_one_another_in_a_circle_are_refused() -> None:
    mapping = Mapping()
    for name, other in (("eggs", "hens"), ("hens", "eggs")):
        table = Table(
            name, mapping.metadata, Column("id", Integer, primary_key=True), Column("of", ForeignKey(f"{other}.id"))
        )
        mapping.aggregate(fresh(), table)

    (finding,) = said_of(mapping)

    assert "in a circle" in finding


def test_a_reference_of_another_size_is_refused() -> None:
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", BigInteger, primary_key=True))
    others = Table(
        "others",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", Integer, ForeignKey("things.id")),
    )
    mapping.aggregate(fresh(), things)
    mapping.aggregate(fresh(), others)

    (finding,) = said_of(mapping)

    assert "others.thing is of another type than things.id" in finding


def test_words_for_a_constraint_that_there_is_not_are_refused() -> None:
    mapping = Mapping()
    table = Table(
        "things", mapping.metadata, Column("id", Integer, primary_key=True), Column("c", Integer, unique=True)
    )
    mapping.aggregate(fresh(), table)
    mapping.violation("uq_things_c", LookupError)
    mapping.violation("uq_thing_c", LookupError)
    mapping.check_twin("ck_thing_c", lambda row: True)

    violation, twin = said_of(mapping)

    assert "'uq_thing_c', …) names no constraint" in violation
    assert "'ck_thing_c', …) names no check" in twin


def test_constraints_without_names_get_some_also_in_a_metadata_that_names_none() -> None:
    mapping = Mapping(metadata=MetaData())
    parts = Table(
        "parts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("rank", Integer, nullable=False, unique=True),
    )
    parts.append_constraint(CheckConstraint(parts.c.rank > 0))
    parts.append_constraint(CheckConstraint(parts.c.rank < 9))
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))
    for table in (parts, things):
        mapping.aggregate(fresh(), table)

    plan = mapping.schema.tables["parts"]

    assert plan.key_name == "pk_parts"
    assert [unique.name for unique in plan.uniques] == ["uq_parts_rank"]
    assert [reference.name for reference in plan.references] == ["fk_parts_thing"]
    assert [check.name for check in plan.checks] == ["ck_parts_rank", "ck_parts_rank_2"]


def test_a_name_that_is_given_is_no_longer_than_any_database_takes() -> None:
    mapping = Mapping()
    long = [f"a_column_with_a_very_long_name_{number}" for number in range(3)]
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        *(Column(name, Integer) for name in long),
        UniqueConstraint(*long),
    )
    mapping.aggregate(fresh(), table)

    (unique,) = mapping.schema.tables["things"].uniques

    assert unique.name is not None
    assert len(unique.name) == 60
    assert unique.name.startswith("uq_things_a_column_with")


def test_names_that_are_given_twice_are_refused() -> None:
    """In one table, and where databases keep them together, in all of them."""
    mapping = Mapping()
    for name in ("things", "others"):
        table = Table(
            name,
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            number := Column("number", Integer, nullable=False),
            UniqueConstraint("number", name="one_name"),
        )
        table.append_constraint(CheckConstraint(number > 0, name="positive"))
        mapping.aggregate(fresh(), table)
    table.append_constraint(CheckConstraint(number > 1, name="POSITIVE"))

    assert [finding.partition(",")[0].partition(":")[0] for finding in said_of(mapping)] == [
        "one_name of others has the name of one_name of things",
        "two constraints of others are called POSITIVE",
    ]


# --- names that a database has for itself -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "a column that PostgreSQL has in every table") for name in ("xmin", "xmax", "cmin", "cmax", "ctid")),
        ("tableoid", "a column that PostgreSQL has in every table: write tableoid_ or so"),
        *((name, "a column that MariaDB has in every table") for name in ("DB_ROW_ID", "db_trx_id", "FTS_DOC_ID")),
        ("a ", "ends with a space"),
        ("\U0001d11e", "beyond U\\+FFFF"),
        ("a\0b", "NUL character"),
        ("a\ud800", "lone surrogate"),
    ],
)
def test_a_column_has_no_name_that_a_database_has_for_itself(name: str, why: str) -> None:
    (finding,) = said_of_table(Column(name, Integer))

    assert re.search(why, finding)


@pytest.mark.parametrize(
    "name", ["rowid", "oid", "_rowid_", "XMIN", "order", "select", "a%b", 'a"b', "a`b", "a.b", " a"]
)
def test_other_names_of_columns_are_names(name: str) -> None:
    assert said_of_table(Column(name, Integer)) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sqlite_users", "SQLite keeps for itself"),
        ("SQLITE_users", "SQLite keeps for itself"),
        ("pg_class", "PostgreSQL finds its own"),
        ("users ", "ends with a space"),
        ("\U0001d11e", "beyond U\\+FFFF"),
    ],
)
def test_a_table_has_no_name_that_a_database_has_for_itself(name: str, why: str) -> None:
    mapping = Mapping()
    mapping.aggregate(fresh(), Table(name, mapping.metadata, Column("id", String(5), primary_key=True)))

    assert any(re.search(why, finding) for finding in said_of(mapping))


def test_a_table_that_is_called_as_a_device_has_no_foreign_keys() -> None:
    def findings(*columns: Column[Any]) -> list[str]:
        mapping = Mapping()
        table = Table("con", mapping.metadata, Column("id", String(5), primary_key=True), *columns)
        mapping.aggregate(fresh(), table)
        return said_of(mapping)

    assert findings() == []
    assert "the name of a device" in findings(Column("other", ForeignKey("con.id")))[0]


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (lambda: Index("sqlite_index", "c"), "SQLite keeps for itself"),
        (lambda: Index("PRIMARY", "c"), "an index of MariaDB itself"),
        (lambda: UniqueConstraint("c", name="gen_clust_index"), "an index of MariaDB itself"),
        (lambda: ForeignKeyConstraint(["c"], ["things.id"], name="primary"), "an index of MariaDB itself"),
        (lambda: UniqueConstraint("c", name="uq "), "ends with a space"),
        (lambda: UniqueConstraint("c", name="\U0001d11e"), "beyond U\\+FFFF"),
    ],
)
def test_a_constraint_has_no_name_that_a_database_has_for_itself(thing: Any, why: str) -> None:
    (finding,) = said_of_table(Column("c", String(5)), thing())

    assert re.search(why, finding)


def test_an_enum_is_not_called_as_a_table_is() -> None:
    (finding,) = said_of_table(Column("c", Enum("a", "b", name="things")))

    assert "has the name of a table" in finding
