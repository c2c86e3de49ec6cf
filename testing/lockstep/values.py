"""Values for columns: a few usual ones, so that they collide, and the nasty ones that databases change on their way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Time,
    Uuid,
)
from sqlalchemy.types import TypeDecorator

from ...adapters.plan.types import Duration, UTCDateTime

__all__ = ["nasty", "usual"]

NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 456789)
EAST = dt.timezone(dt.timedelta(hours=5))
BOUNDS = {SmallInteger: 2**15, BigInteger: 2**63, Integer: 2**31}


def usual(column: Column[Any]) -> list[Any]:
    """Two to five valid values of a column's type; small ones, for collisions are the point."""
    match column.type:
        case UTCDateTime():
            return [NOON.replace(tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=EAST)]
        case Duration():
            return [dt.timedelta(0), dt.timedelta(days=1, microseconds=1), dt.timedelta(hours=-3)]
        case TypeDecorator():
            return _of_python_type(column)
        case JSON():
            return [{}, {"a": {"b": [1]}}, [1, {"c": None}], {"a": 1.5, "b": "x"}]
        case Boolean():
            return [True, False]
        case Enum(enum_class=None):
            return list(column.type.enums[:3])
        case Enum():
            return list(column.type.enum_class or ())[:3]
        case Integer():
            return [1, 2, 3, 0]
        case Float():
            return [0.0, 1.5, 0.1]
        case Numeric():
            return [Decimal(1), Decimal(0), Decimal(5).scaleb(-(column.type.scale or 0))]
        case String():
            return ["a", "b", "c"]
        case LargeBinary():
            return [b"", b"a", b"\x00\xff"]
        case DateTime():
            return [NOON, dt.datetime(2024, 1, 1)]
        case Date():
            return [dt.date(2024, 2, 29), dt.date(2024, 1, 1)]
        case Time():
            return [dt.time(12, 30, 0, 1), dt.time(0)]
        case Uuid():
            return [UUID(int=1), UUID(int=2), UUID(int=2**127 + 3)]
    return _of_python_type(column)


def nasty(column: Column[Any]) -> list[Any]:
    """Values that some database refuses, changes or confuses with others; and a few that only look so."""
    match column.type:
        case UTCDateTime():
            return [NOON, dt.datetime.max.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=EAST), "2024-01-01"]
        case Duration():
            return [dt.timedelta.max, dt.timedelta(microseconds=-1), 5]
        case TypeDecorator():
            return []
        case JSON():
            return [
                (1,),
                {1: 2},
                float("nan"),
                Decimal(1),
                {"a": {"b": "\0"}},
                {"a": 1.0},
                "x",
                2**60,
                True,
                {"ä": "é"},
            ]
        case Boolean():
            return [1, 0, "y"]
        case Enum():
            return ["nobody", 1]
        case Integer():
            bound = next(bound for kind, bound in BOUNDS.items() if isinstance(column.type, kind))
            return [bound, bound - 1, -bound, -bound - 1, True, 1.0, "1", Decimal(1)]
        case Float():
            return [float("nan"), float("inf"), -0.0, 1e300, 0.1 + 0.2, 1]
        case Numeric():
            return _nasty_numbers(column.type)
        case String():
            return _nasty_texts(column.type.length)
        case LargeBinary():
            return [bytearray(b"a"), "a", bytes(range(256))]
        case DateTime():
            return [NOON.replace(tzinfo=dt.UTC), dt.datetime.max, NOON.replace(fold=1), NOON.date()]
        case Date():
            return [NOON, dt.date.max, dt.date(1000, 1, 1), "2024-01-01"]
        case Time():
            return [dt.time(1, tzinfo=dt.UTC), dt.time.max, dt.time(1, fold=1), "12:00"]
        case Uuid():
            return [str(UUID(int=1)), 1]
    return []


def _nasty_numbers(declared: Numeric[Any]) -> list[Any]:
    scale, precision = declared.scale or 0, declared.precision or 10
    finest = Decimal(1).scaleb(-scale)
    return [
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("-0"),
        finest / 2,
        Decimal(1).scaleb(precision - scale),
        Decimal(1).scaleb(min(precision, 15) - scale) - finest,
        -finest,
        1,
        1.5,
    ]


def _nasty_texts(length: int | None) -> list[Any]:
    texts: list[Any] = ["", "A", "a ", " ", "ä", "\U0001d11e", "%", "\0", "\ud800", 5, b"a"]
    if length is not None:
        texts = [text for text in texts if not isinstance(text, str) or len(text) <= length]
        texts += ["x" * (length + 1), "x" * length + " ", "é" * length]
    return texts


def _of_python_type(column: Column[Any]) -> list[Any]:
    for plain in (Boolean(), Integer(), String(), Float(), Date(), LargeBinary()):
        if column.type.python_type is plain.python_type:
            return usual(Column(column.name, plain))
    raise TypeError(
        f"no values are known for the type of {column}: give `make={{YourClass: a strategy of constructor arguments}}`"
    )
