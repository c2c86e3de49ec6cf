"""What the annotations of a class tell a rule."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NewType, Optional

import pytest

from honestwork.domain import RuleRefused
from honestwork.rules import Attribute, Many, Scalar, Value, annotated, trace

Key = NewType("Key", int)


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str
    parts: list[int]

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + other.amount, self.currency, [])


class Base:
    id: Key


class Item:
    name: str


class Everything(Base):
    optional: Optional[int]  # noqa: UP045  # as it is written in older code
    union: int | None
    several: int | str | None
    literal: Literal["a", "b"]
    noted: Annotated[str, "a note"] | None
    counted: ClassVar[int] = 3
    anything: Any
    tags: list[str]
    table: dict[str, int]
    items: list[Item]
    item_set: set[Item]
    item_tuple: tuple[Item, ...]
    price: Money
    discount: Money | None
    access: Access
    rank: Rank
    colour: Colour
    _private: str


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("id", Scalar(int)),
        ("optional", Scalar(int, nullable=True)),
        ("union", Scalar(int, nullable=True)),
        ("several", None),
        ("literal", Scalar(str)),
        ("noted", Scalar(str, nullable=True)),
        ("counted", None),
        ("anything", None),
        ("tags", Scalar(list)),
        ("table", Scalar(dict)),
        ("items", Many(Item)),
        ("item_set", Many(Item)),
        ("item_tuple", Many(Item)),
        ("price", Value(Money, {"amount": Scalar(int), "currency": Scalar(str), "parts": Scalar(list)})),
        ("access", Scalar(Access)),
        ("_private", Scalar(str)),
    ],
)
def test_an_annotation_is_a_fact(name: str, fact: Attribute | None) -> None:
    assert annotated(Everything).get(name) == fact


def test_a_value_object_may_be_none() -> None:
    fact = annotated(Everything)["discount"]

    assert isinstance(fact, Value)
    assert fact.nullable


def test_an_enum_that_is_a_number_or_a_text_is_both() -> None:
    assert str(trace(lambda e: e.rank >= 2, Everything)) == "rank != Rank.LOW"
    assert str(trace(lambda e: e.colour == "red", Everything)) == "colour == Colour.RED"
    assert str(trace(lambda e: e.colour.startswith("b"), Everything)) == "colour != Colour.RED"


def test_a_constant_of_such_an_enum_is_compared_as_what_it_is() -> None:
    key: Any = Rank.HIGH

    assert str(trace(lambda e: e.id == key, Everything)) == "id == 2"
    assert str(trace(lambda e: e._private == Colour.RED, Everything)) == "_private == 'red'"


def test_flags_are_equal_or_not_and_that_is_all() -> None:
    assert str(trace(lambda e: e.access == Access.READ | Access.WRITE, Everything)) == "access == Access.READ|WRITE"
    with pytest.raises(RuleRefused):
        trace(lambda e: Access.READ in e.access, Everything)
    with pytest.raises(RuleRefused):
        trace(lambda e: bool(e.access & Access.READ), Everything)


def test_what_no_column_holds_can_be_asked_for_none_alone() -> None:
    class Page:
        meta: dict[str, str] | None

    assert str(trace(lambda p: p.meta is None, Page)) == "meta is None"
    with pytest.raises(RuleRefused, match="meta"):
        trace(lambda p: p.meta is not None and p.meta == {"a": "b"}, Page)


def test_arithmetic_of_value_objects_is_refused_in_words_that_help() -> None:
    with pytest.raises(RuleRefused, match="needs its value, which only the database knows"):
        trace(lambda e: (e.price + e.price).amount > 3, Everything)


def test_a_datetime_with_a_time_zone_is_not_compared_with_one_without() -> None:
    class Event:
        at: Any

    facts: dict[type, dict[str, Attribute]] = {Event: {"at": Scalar(dt.datetime, aware=True)}}
    noon = dt.datetime(2020, 1, 1, 12)

    assert trace(lambda e: e.at < noon.replace(tzinfo=dt.UTC), Event, facts=facts.__getitem__)
    with pytest.raises(RuleRefused, match="one has a time zone and the other has none"):
        trace(lambda e: e.at < noon, Event, facts=facts.__getitem__)
