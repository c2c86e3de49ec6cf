"""Column types that mean the same on every database.

Measured: PostgreSQL sorts text by the database's language, MariaDB ignores case and trailing spaces, and
both are wrong for Python's `str`; MariaDB cuts microseconds; SQLite and MariaDB forget time zones.

The dialects are imported where one of them is used: together they take longer than all the rest.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    BLOB,
    CLOB,
    DATETIME,
    DOUBLE,
    DOUBLE_PRECISION,
    JSON,
    NVARCHAR,
    TIMESTAMP,
    UUID,
    VARCHAR,
    BigInteger,
    Boolean,
    DateTime,
    Double,
    Enum,
    Float,
    Interval,
    LargeBinary,
    PickleType,
    String,
    Text,
    Time,
    Unicode,
    Uuid,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from ..internals import set_variants, variants_of

__all__ = ["CODE_POINTS", "Duration", "OnMariaDB", "UTCDateTime", "portable"]

MARIADB = ("mysql", "mariadb")
CODE_POINTS = {"postgresql": "C", "mysql": "utf8mb4_nopad_bin", "mariadb": "utf8mb4_nopad_bin"}  # collations
# Types that are written as SQL has them, and not every database has: the generic ones are spelled for each.
SQL_NAMES: dict[type[Any], type[TypeEngine[Any]]] = {
    BLOB: LargeBinary,
    CLOB: Text,
    DATETIME: DateTime,
    DOUBLE: Double,
    DOUBLE_PRECISION: Double,
    NVARCHAR: Unicode,
    TIMESTAMP: DateTime,
    UUID: Uuid,
}
TRUTHS = {None: None, 0: False, 1: True}
MADE_HERE = "honestwork: means the same everywhere"


class OnMariaDB(TypeDecorator[Any]):
    """One of MariaDB's own types, by its name."""

    impl = String
    cache_ok = True

    def __init__(self, name: str, collation: str | None = None, fsp: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.collation = collation
        self.fsp = fsp

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        from sqlalchemy.dialects import mysql

        options = {"collation": self.collation, "fsp": self.fsp}
        given = {name: option for name, option in options.items() if option is not None}
        return dialect.type_descriptor(getattr(mysql, self.name)(**given))


class Truth(Boolean):
    """A Boolean that reads 0 and 1 alone, where a database has no type of its own. `Boolean` becomes this."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None if dialect.supports_native_boolean else TRUTHS.__getitem__


class UTCDateTime(TypeDecorator[dt.datetime]):
    """An aware datetime, stored in UTC and loaded in UTC. `DateTime(timezone=True)` becomes this."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in MARIADB:
            return OnMariaDB("DATETIME", fsp=6).load_dialect_impl(dialect)
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        value = value.astimezone(dt.UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


class Duration(TypeDecorator[dt.timedelta]):
    """A timedelta: INTERVAL on PostgreSQL, a count of microseconds elsewhere. `Interval` becomes this."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Interval() if dialect.name == "postgresql" else BigInteger())

    def process_bind_param(self, value: dt.timedelta | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else value // dt.timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.timedelta | None:
        return value if value is None or dialect.name == "postgresql" else dt.timedelta(microseconds=value)


def portable(declared: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type that keeps, on every database, what was declared.

    Variants that were declared stay; the doctor judges them. A type that was made here is returned as it is: a
    foreign key has the type of its target.
    """
    if MADE_HERE in vars(declared):
        return declared
    plain = declared if isinstance(declared, Enum) or not variants_of(declared) else _with_variants(declared, {})
    made = _portable(plain)
    if made is declared:
        return declared
    made = _with_variants(made, {**variants_of(made), **variants_of(declared)})
    vars(made)[MADE_HERE] = True
    return made


def _with_variants(declared: TypeEngine[Any], variants: dict[str, TypeEngine[Any]]) -> TypeEngine[Any]:
    copied = declared.copy()
    set_variants(copied, {dialect: _nullable(variant) for dialect, variant in variants.items()})
    return copied


def _portable(declared: TypeEngine[Any]) -> TypeEngine[Any]:
    if (generic := SQL_NAMES.get(type(declared))) is not None:
        declared = declared.adapt(generic)
    match declared:
        case Enum() | PickleType() | UTCDateTime() | Duration():
            return declared
        case Uuid(as_uuid=True):
            # MariaDB's own type sorts by time stamps and refuses what RFC 4122 does not know.
            return declared.with_variant(Uuid(native_uuid=False), *MARIADB)
        case Boolean() if type(declared) is Boolean:
            return declared.adapt(Truth)
        case LargeBinary():
            return declared.with_variant(OnMariaDB("LONGBLOB"), *MARIADB)
        case Interval():
            return Duration()
        case TypeDecorator():
            copied = declared.copy()
            copied.impl = copied.impl_instance = portable(declared.impl_instance)
            return copied
        case String(collation=None, length=None):
            return declared.with_variant(
                type(declared)(collation=CODE_POINTS["postgresql"]), "postgresql"
            ).with_variant(OnMariaDB("LONGTEXT", collation=CODE_POINTS["mariadb"]), *MARIADB)
        case String(collation=None, length=length):
            # PostgreSQL's TEXT takes no length; the guard sees to it.
            limit = None if isinstance(declared, Text) else length
            return declared.with_variant(
                type(declared)(limit, collation=CODE_POINTS["postgresql"]), "postgresql"
            ).with_variant(VARCHAR(length, collation=CODE_POINTS["mariadb"]), *MARIADB)
        case DateTime(timezone=True):
            return UTCDateTime()
        case DateTime():
            return declared.with_variant(OnMariaDB("DATETIME", fsp=6), *MARIADB)
        case Time():
            return declared.with_variant(OnMariaDB("TIME", fsp=6), *MARIADB)
        case Float(asdecimal=False) if not isinstance(declared, Double):
            return Double()
    return _nullable(declared)


def _nullable(declared: TypeEngine[Any]) -> TypeEngine[Any]:
    """None is NULL, also in a JSON column, and not JSON's null."""
    if not isinstance(declared, JSON) or declared.none_as_null:
        return declared
    copied = declared.copy()
    copied.none_as_null = True
    return copied
