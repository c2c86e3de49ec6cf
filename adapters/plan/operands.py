"""What may stand beside what in a CHECK, so that every database and Python say the same of it.

Numbers are where they part: SQLite computes with Numeric columns as with floats, Python does not compare a
Decimal with a float as a database does, and enumerations are sorted by name here and by declaration there.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Hashable
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from .types import Duration, UTCDateTime

__all__ = ["OTHER", "Family", "are_comparable", "can_be_computed", "family_of_type", "family_of_value"]

Family = Hashable  # kinds of operands; None for NULL, which goes with all

OTHER = "other"
NUMBERS = {
    frozenset(pair)
    for pair in [
        ("int", "big int"),
        ("int", "float"),
        ("int", "decimal"),
        ("big int", "decimal"),
        ("constant int", "int"),
        ("constant int", "big int"),
        ("constant int", "float"),
        ("constant int", "decimal"),
    ]
}
COMPUTED = ("int", "big int", "constant int", "float")

# The special ones first: an Enum is a String to SQLAlchemy, and a Float a Numeric.
OF_TYPES: dict[type[TypeEngine[Any]], Family] = {
    BigInteger: "big int",
    Integer: "int",
    Float: "float",
    Numeric: "decimal",
    Boolean: "bool",
    DateTime: "datetime",
    Date: "date",
    Time: "time",
    Uuid: "uuid",
    LargeBinary: OTHER,
    String: "text",
}
OF_VALUES: dict[type[Any], Family] = {
    bool: "bool",
    int: "constant int",
    float: "float",
    Decimal: "decimal",
    str: "text",
    dt.datetime: "datetime",
    dt.date: "date",
    dt.time: "time",
    dt.timedelta: "interval",
    UUID: "uuid",
}


def family_of_type(declared: TypeEngine[Any]) -> Family:
    """What a column of this type holds."""
    if isinstance(declared, Duration):
        return "interval"
    if isinstance(declared, UTCDateTime):
        return "instant"
    inner: Any = declared.impl_instance if isinstance(declared, TypeDecorator) else declared
    if isinstance(inner, Enum):
        return ("enum", inner.enum_class or tuple(inner.enums))
    return next((family for kind, family in OF_TYPES.items() if isinstance(inner, kind)), OTHER)


def family_of_value(value: Any) -> Family:
    """What a constant is."""
    if value is None:
        return None
    if isinstance(value, enum.Enum):
        return ("enum", type(value))
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return "instant"
    return OF_VALUES.get(type(value), OTHER)


def are_comparable(one: Family, other: Family, *, by_order: bool, constant: Any = None) -> bool:
    """May these be compared? *constant* is the other one, if it is one."""
    if OTHER in (one, other):
        return False
    if isinstance(one, tuple) or isinstance(other, tuple):  # enumerations
        is_name = isinstance(one, tuple) and isinstance(one[1], tuple) and constant in one[1]
        return not by_order and (one == other or is_name or None in (one, other))
    return one == other or None in (one, other) or frozenset((one, other)) in NUMBERS


def can_be_computed(one: Family, other: Family) -> Family | None:
    """What adding, subtracting and multiplying these gives; None if databases do not agree on it."""
    if one not in COMPUTED or other not in COMPUTED or {one, other} in ({"float", "int"}, {"float", "big int"}):
        return None
    return "float" if "float" in (one, other) else "big int" if "big int" in (one, other) else "int"
