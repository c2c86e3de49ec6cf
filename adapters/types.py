"""Column types that mean the same on every database.

Measured: PostgreSQL sorts text by the database's language, MariaDB ignores case and trailing spaces, and
both are wrong for Python's `str`; MariaDB cuts microseconds; SQLite and MariaDB forget time zones.

The dialects are imported where one of them is used: together they take longer than all the rest.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    JSON,
    VARCHAR,
    BigInteger,
    DateTime,
    Double,
    Enum,
    Float,
    Interval,
    LargeBinary,
    String,
    Time,
    Uuid,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Duration", "UTCDateTime", "portable"]

MARIADB = ("mysql", "mariadb")


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
    """The type that keeps, on every database, what was declared."""
    if MARIADB[0] in declared._variant_mapping:
        return declared  # a foreign key has the type of its target, which may be complete already
    match declared:
        case Enum():
            return declared
        case _ if declared._variant_mapping:
            return declared  # it is portable already, or somebody has taken care of it
        case Uuid(as_uuid=True):
            # MariaDB's own type sorts by time stamps and refuses what RFC 4122 does not know.
            return declared.with_variant(Uuid(native_uuid=False), *MARIADB)
        case LargeBinary():
            return declared.with_variant(OnMariaDB("LONGBLOB"), *MARIADB)
        case Interval():
            return Duration()
        case String(collation=None, length=None):
            return declared.with_variant(type(declared)(collation="C"), "postgresql").with_variant(
                OnMariaDB("LONGTEXT", collation="utf8mb4_nopad_bin"), *MARIADB
            )
        case String(collation=None, length=length):
            return declared.with_variant(type(declared)(length, collation="C"), "postgresql").with_variant(
                VARCHAR(length, collation="utf8mb4_nopad_bin"), *MARIADB
            )
        case DateTime(timezone=True):
            return UTCDateTime()
        case DateTime():
            return declared.with_variant(OnMariaDB("DATETIME", fsp=6), *MARIADB)
        case Time():
            return declared.with_variant(OnMariaDB("TIME", fsp=6), *MARIADB)
        case Float(asdecimal=False) if not isinstance(declared, Double):
            return Double()
    if type(declared) is JSON:
        return JSON(none_as_null=True)
    return declared
