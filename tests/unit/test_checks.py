"""What a CHECK may say, so that memory and every database say the same of it."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Table,
    TypeDecorator,
    Uuid,
    func,
)

from honestwork.adapters import Mapping, MemoryStore
from honestwork.domain import MappingRefused
from tests.unit.doctoring import fresh


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Reversed(TypeDecorator[str]):
    impl = String(5)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]


class Plain(TypeDecorator[str]):
    impl = String(5)
    cache_ok = True


NAMES: dict[str, Any] = {
    "number": Integer,
    "count": Integer,
    "big": BigInteger,
    "real": Float,
    "price": Numeric(10, 2),
    "fee": Numeric(10, 2),
    "day": Date,
    "at": DateTime(timezone=True),
    "local": DateTime,
    "span": Interval,
    "text": String(5),
    "plain": Plain,
    "reversed": Reversed,
    "colour": Enum(Colour),
    "word": Enum("a", "b", name="word"),
    "data": LargeBinary,
    "json": JSON,
    "key": Uuid,
    "flag": Boolean,
}
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def store(check: Any) -> MemoryStore:
    mapping = Mapping()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        *(Column(name, kind) for name, kind in NAMES.items()),
    )
    table.append_constraint(CheckConstraint(check(table.c), name="ck"))
    mapping.aggregate(fresh(), table)
    return MemoryStore(mapping)


@pytest.mark.parametrize(
    "check",
    [
        lambda c: c.price >= 0.1,
        lambda c: c.price + c.fee == 1,
        lambda c: c.price * 2 > 1,
        lambda c: c.price == c.real,
        lambda c: c.real == c.big,
        lambda c: c.number * c.real > 1,
        lambda c: c.at - c.at > dt.timedelta(1),
        lambda c: c.at + c.span > NOON,
        lambda c: c.day >= NOON,
        lambda c: c.at >= dt.date(2024, 1, 1),
        lambda c: c.day - c.day > 1,
        lambda c: c.local >= NOON,
        lambda c: c.local == c.at,
        lambda c: c.colour < Colour.BLUE,
        lambda c: c.colour != "RED",
        lambda c: c.colour.in_(["RED"]),
        lambda c: c.word > "a",
        lambda c: c.word == "c",
        lambda c: c.reversed == "ab",
        lambda c: func.length(c.reversed) > 1,
        lambda c: c.json != {},
        lambda c: c.data != b"",
        lambda c: func.length(c.number) > 1,
        lambda c: c.number.in_([]),
        lambda c: c.number.not_in([]),
        lambda c: c.number.in_([1, 0.5]) & (c.price == 0.5),
        lambda c: c.number.between(5, 1, symmetric=True),
        lambda c: c.text > 1,
        lambda c: c.id > 0,
    ],
)
def test_what_databases_answer_each_in_their_own_way_is_refused(check: Any) -> None:
    with pytest.raises(MappingRefused, match="as every database does"):
        store(check)


@pytest.mark.parametrize(
    "check",
    [
        lambda c: c.price >= Decimal("0.1"),
        lambda c: c.price >= 1,
        lambda c: c.price.between(0, c.fee),
        lambda c: c.number + c.count - 1 > 2 * c.big,
        lambda c: c.real * 2 > 0.5,
        lambda c: c.real > c.number,
        lambda c: c.day >= dt.date(2024, 1, 1),
        lambda c: c.at.between(NOON, NOON),
        lambda c: c.span > dt.timedelta(1),
        lambda c: c.colour != Colour.RED,
        lambda c: c.colour.in_([Colour.RED, None]),
        lambda c: c.word.in_(["a"]),
        lambda c: (c.text > "a") == (func.length(c.plain) > 1),
        lambda c: c.json.is_not(None) | c.data.is_(None) | c.reversed.is_(None),
        lambda c: c.key == c.key,
        lambda c: c.flag & ~c.flag,
        lambda c: c.flag == True,  # noqa: E712
    ],
)
def test_what_all_databases_answer_alike_is_accepted(check: Any) -> None:
    store(check)
