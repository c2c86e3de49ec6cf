"""A guard says what a column accepts, what becomes of it, and why the rest is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum as PythonEnum
from typing import Any

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.types import TypeDecorator

from honestwork.adapters.plan.guards import Guard, guard_for
from honestwork.adapters.plan.types import UTCDateTime
from honestwork.domain import BadValue, MappingRefused


class Colour(PythonEnum):
    RED = "r"


class Lower(TypeDecorator[str]):
    """Text that the database keeps in upper case."""

    impl = String(5)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.upper()

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.lower()


def guard(type_: Any) -> Guard:
    return guard_for("things", Column("n", type_))


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (Integer(), 1.5, "things.n: expected an int, got float"),
        (Integer(), True, "things.n: expected an int, got bool"),
        (SmallInteger(), 2**15, "expected an int from -32768 to 32767, got another int"),
        (BigInteger(), 2**63, "got another int"),
        (Boolean(), 1, "expected True or False, got int"),
        (String(3), "four", "expected at most 3 characters, got 4"),
        (String(3), "a\0", "without NUL"),
        (String(3), "\ud800", "lone surrogates"),
        (Numeric(4, 2), Decimal("1.005"), "a finite Decimal of 4 digits, 2 of them after the point"),
        (Numeric(4, 2), Decimal(100), "4 digits"),
        (Numeric(4, 2), 1, "expected a Decimal, got int"),
        (Float(), 1, "expected a float, got int"),
        (Float(), float("inf"), "a finite float"),
        (Enum(Colour), "RED", "expected a member of Colour, got str"),
        (Enum("small", "large"), "medium", "expected one of 'small', 'large', got another str"),
        (Uuid(), "x", "expected a UUID, got str"),
        (LargeBinary(2), b"abc", "expected at most 2 bytes, got 3"),
        (JSON(), {1: 2}, "what survives json"),
        (String(), "x" * 100 + "\0", "things.n: expected text without NUL"),
    ],
)
def test_a_refusal_says_what_is_allowed(type_: Any, value: Any, reason: str) -> None:
    with pytest.raises(BadValue, match=reason) as caught:
        guard(type_)(value)

    assert (caught.value.attribute, caught.value.value) == ("things.n", value)


@pytest.mark.parametrize(
    "type_", [ARRAY(Integer), Numeric(), Numeric(5), Numeric(5, 2, asdecimal=False), Uuid(as_uuid=False)]
)
def test_a_type_that_is_not_kept_alike_everywhere_is_refused(type_: Any) -> None:
    with pytest.raises(MappingRefused, match=r"things\.n"):
        guard(type_)


def test_a_key_may_not_be_none() -> None:
    with pytest.raises(BadValue, match="has the aggregate been flushed"):
        guard(Integer()).key(None)


@given(st.integers(-(2**31), 2**31 - 1))
def test_an_int_in_its_range_is_kept_as_it_is(value: int) -> None:
    assert guard(Integer())(value) is value


@given(st.decimals(-99, 99, places=2))
def test_a_decimal_gets_its_digits(value: Decimal) -> None:
    kept = guard(Numeric(4, 2))(value)

    assert kept == value
    assert kept.as_tuple().exponent == -2
    assert not (kept == 0 and kept.is_signed())


@given(st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.timezones()))
def test_a_guarded_value_is_guarded_to_itself(value: dt.datetime) -> None:
    once = guard(UTCDateTime())(value)

    assert once.timestamp() == value.timestamp()
    assert repr(guard(UTCDateTime())(once)) == repr(once)


def test_the_type_of_a_user_accepts_what_it_gives_back() -> None:
    lower = guard(Lower())

    assert lower("abc") == "abc"
    assert lower.encode is not None
    assert lower.encode("abc") == "ABC"


@pytest.mark.parametrize("value", ["Abc", "abcdef", 5, b"abc"])
def test_the_type_of_a_user_refuses_what_it_does_not_give_back(value: Any) -> None:
    with pytest.raises(BadValue):
        guard(Lower())(value)
