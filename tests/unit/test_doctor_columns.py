"""What looks like a healthy column, and is another one on each database."""

from __future__ import annotations

from enum import Enum as PythonEnum, StrEnum
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    JSON,
    NCHAR,
    BigInteger,
    Boolean,
    Column,
    Enum,
    FetchedValue,
    Float,
    Identity,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
    func,
    text,
    true,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeDecorator

from honestwork.adapters import Mapping
from tests.unit.doctoring import fresh, said_of, said_of_table


class Swapped(str, PythonEnum):  # noqa: UP042  # as it was written before there was a StrEnum
    ON = "OFF"
    OFF = "ON"


class Hidden(StrEnum):
    A = "a"
    BB = "A"


class Shout(PythonEnum):
    red = 1
    RED = 2


class Plain(TypeDecorator[Any]):
    impl = String(5)
    cache_ok = True


class Padded(Plain):
    impl = CHAR(5)


class Nullless(Plain):
    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value or ""


class Careless(Plain):
    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value.lower()


class Chameleon(Plain):
    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(String(5))


class Lowered(Plain):
    def bind_expression(self, bindvalue: Any) -> Any:
        return func.lower(bindvalue)


class Lenient(Plain):
    def compare_values(self, x: Any, y: Any) -> bool:
        return str(x).lower() == str(y).lower()


class Processor(Plain):
    def bind_processor(self, dialect: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("c", NCHAR(5)), "NCHAR, which databases pad"),
        (Column("c", Padded), "CHAR, which databases pad"),
        (Column("c", mysql.TINYINT), "which only one database has"),
        (Column("c", postgresql.JSONB), "which only one database has"),
        (Column("c", Integer().with_variant(mysql.TINYINT, "mariadb")), "leave the variant out"),
        (Column("c", Integer().with_variant(mysql.INTEGER(unsigned=True), "mariadb")), "leave the variant out"),
        (Column("c", BigInteger().with_variant(Integer, "postgresql")), "leave the variant out"),
        (Column("c", String(80).with_variant(String(3, collation="C"), "postgresql")), "leave the variant out"),
        (Column("c", String(5).with_variant(String(5, collation="NOCASE"), "sqlite")), "leave the variant out"),
        (Column("c", String(5).with_variant(Text, "mariadb")), "leave the variant out"),
        (Column("c", Numeric(10, 2).with_variant(Numeric(10, 1), "sqlite")), "leave the variant out"),
        (Column("c", Enum("a", "b", name="ab").with_variant(String(5), "sqlite")), "Enum with variants"),
        (Column("c", Enum(Shout)), "'red' and 'RED'"),
        (Column("c", Enum("e", "é", name="e")), "'e' and 'é'"),
        (Column("c", Enum(Swapped)), "the value of ON is 'OFF', the name of OFF"),
        (Column("c", Enum(Hidden)), "the value of BB is 'A', the name of A,"),
        (Column("c", Enum("a", "b")), "an Enum without a name"),
        (Column("c", String(20000)), "use Text"),
        (Column("c", Numeric(5, -2)), "not every database has"),
        (Column("c", Numeric(2, 4)), "not every database has"),
        (Column("c", Numeric(80, 2)), "not every database has"),
        (Column("c", Numeric(10, 2, asdecimal=False)), "not kept alike"),
        (Column("c", Float(asdecimal=True)), "not kept alike"),
        (Column("c", Time(timezone=True)), "time with a time zone"),
        (Column("c", Uuid(as_uuid=False)), "not kept alike"),
        (Column("c", Nullless), "None for None"),
        (Column("c", Careless), "None for None"),
        (Column("c", Chameleon), "load_dialect_impl"),
        (Column("c", Lowered), "lets the database change"),
        (Column("c", Lenient), "overrides compare_values"),
        (Column("c", Integer().evaluates_none()), "evaluates_none()"),
        (Column("c", Integer, server_default="--5", nullable=False), "only a database can compute"),
        (Column("c", Integer, server_default="٣", nullable=False), "only a database can compute"),
        (Column("c", JSON, onupdate=[1], nullable=False), "shared by all rows"),
        (Column("c", Processor), "processors of its own"),
        (Column("c", Integer, key="number"), "has the key number"),
        (Column("c", Integer, Identity(), nullable=False), "outside of the primary key"),
        (Column("c", Integer, server_default=FetchedValue(), nullable=False), "filled by something"),
        (Column("c", Integer, server_onupdate=FetchedValue()), "changed by the database"),
        (Column("c", Boolean, server_default="true", nullable=False), "sqlalchemy.true()"),
        (Column("c", Boolean, server_default="abc", nullable=False), "sqlalchemy.true()"),
        (Column("c", Boolean, server_default=text("1"), nullable=False), "sqlalchemy.true()"),
        (Column("c", Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE"), "ON CONFLICT"),
        (Column("c", Integer, default=2**40, nullable=False), "expected an int from"),
        (Column("c", String(2), server_default="long", nullable=False), "expected at most 2"),
        (Column("c", Integer, default=lambda context: 1, nullable=False), "takes a context"),
        (Column("c", Integer, onupdate=lambda context: 1, nullable=False), "takes a context"),
    ],
)
def test_a_column_is_refused(column: Column[Any], said: str) -> None:
    (finding,) = said_of_table(column)

    assert said in finding


@pytest.mark.parametrize(
    "column",
    [
        Column("c", JSON().with_variant(postgresql.JSONB(), "postgresql")),
        Column("c", BigInteger().with_variant(Integer, "sqlite")),
        Column("c", String(5).with_variant(String(9, collation="C"), "postgresql")),
        Column("c", Enum(Swapped, values_callable=lambda members: [each.value for each in members])),
        Column("c", Plain),
        Column("c", Text(50)),
        Column("c", Boolean, server_default=true(), nullable=False),
        Column("c", Boolean, server_default="0", nullable=False),
        Column("c", Boolean, server_default=text("false"), nullable=False),
        Column("c", Integer, default=lambda: 1, onupdate=lambda number=1: number, nullable=False),
        Column("c", Integer, default=int, nullable=False),
    ],
)
def test_a_column_is_accepted(column: Column[Any]) -> None:
    assert said_of_table(column) == []


@pytest.mark.parametrize(
    "identity",
    [
        Identity(start=-1, increment=-1),
        Identity(increment=2),
        Identity(start=-5),
        Identity(start=100),
        Identity(cycle=True),
    ],
)
def test_a_key_that_counts_in_a_way_of_its_own_is_refused(identity: Identity) -> None:
    mapping = Mapping()
    mapping.aggregate(fresh(), Table("things", mapping.metadata, Column("id", Integer, identity, primary_key=True)))

    assert ["rise from 1 on" in finding for finding in said_of(mapping)] == [True]


@pytest.mark.parametrize("kind", [SmallInteger, Integer, BigInteger])
def test_a_generated_key_may_be_of_any_size(kind: Any) -> None:
    mapping = Mapping()
    mapping.aggregate(fresh(), Table("things", mapping.metadata, Column("id", kind, primary_key=True)))

    assert said_of(mapping) == []
