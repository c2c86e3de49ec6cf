"""What you commit is what you load, on every store, or the flush says BadValue, on every store."""

from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from honestwork.adapters import MemoryStore
from honestwork.domain import BadValue
from honestwork.service_layer import Store
from tests.contract.shop import Colour, Money, Order, Product, Sample, Shop, mapping, rows, samples, stored

EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))


class Text(str):
    __slots__ = ()


class Number(IntEnum):
    ONE = 1


# One of every kind: right for one column and wrong for the others.
ANYTHING: list[Any] = [
    None, True, False, 0, 1, -1, 2**15, -(2**15), 2**31, -(2**31), 2**63, -(2**63), 10**30, Number.ONE,
    0.0, -0.0, 1.0, 1.5, 0.30000000000000004, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf,
    Decimal("1.1"), Decimal("-0"), Decimal("1.005"), Decimal("1E+2"), Decimal("99999999.99"), Decimal(100000000),
    Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999"), Decimal("1E-999"), Decimal(999999999999999),
    "", " ", "abc", "abc ", "abcde", "abcdef", "abcde ", "\0", "a\0b", "\ud800", "☃" * 5, "\U0001d11e" * 5, "e\u0301",
    "'", "\\", "%", "_", "\r\n", "null", "1", "r", "RED", "small", "SMALL", Text("abc"), "x" * 70_000,
    b"", b"\0", b"abc", b"x" * 70_000, bytearray(b"abc"), memoryview(b"abc"),
    dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29),
    dt.datetime(1, 1, 1), dt.datetime.max, dt.datetime(2024, 10, 27, 2, 30, 0, 1, fold=1),
    dt.datetime(2024, 1, 1, 12, 0, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 12, 0, 0, 999999, tzinfo=EAST),
    dt.datetime.min.replace(tzinfo=EAST), dt.datetime.max.replace(tzinfo=dt.UTC),
    dt.time(0), dt.time(23, 59, 59, 999999), dt.time(1, fold=1), dt.time(1, tzinfo=dt.UTC),
    dt.timedelta(0), dt.timedelta(microseconds=-1), dt.timedelta(days=-1, hours=5), dt.timedelta(days=40_000),
    dt.timedelta.max, dt.timedelta.min,
    UUID(int=0), UUID(int=2**128 - 1), "00000000-0000-0000-0000-000000000000", Colour.RED, Colour.GREEN,
    [], {}, (), [1, "a", None, True, 1.5], {"a": {"b": []}}, {"a": (1,)}, {1: 2}, {"": ""}, {"a\0": 1}, {"\ud800": 1},
    [1.0], [2**53], [2**53 - 1], [1e300], [0.1 + 0.2], [math.nan], [Decimal(1)], ["\0"], ["☃\U0001d11e"], [b""],
    {"b", "a"}, [1e-7], [5e-324], [123456789.12345679], object(), Sample,
]  # fmt: skip

DATES = {"min_value": dt.datetime(1, 1, 2), "max_value": dt.datetime(9999, 12, 30)}
DEEP = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "small": st.integers(-(2**15) - 1, 2**15),
    "whole": st.integers(-(2**31) - 1, 2**31),
    "big": st.integers(-(2**63) - 1, 2**63),
    "truth": st.booleans(),
    "price": st.decimals(-(10**8), 10**8, places=2) | st.decimals(),
    "exact": st.decimals(-1000, 1000, places=12) | st.decimals(-(10**15), 10**15, places=3),
    "ratio": st.floats(),
    "wide": st.floats(),
    "word": st.text(max_size=6),
    "prose": st.text(),
    "colour": st.sampled_from(Colour),
    "size": st.sampled_from(["small", "large", "SMALL", "small ", ""]),
    "day": st.dates(),
    "naive": st.datetimes(),
    "aware": st.datetimes(**DATES, timezones=st.sampled_from([dt.UTC, EAST])),
    "hour": st.times(),
    "span": st.timedeltas(dt.timedelta(days=-100_000), dt.timedelta(days=100_000)),
    "token": st.uuids(),
    "document": DEEP,
    "blob": st.binary(),
}


def spelled(value: Any) -> str:
    """Value and type in one; the order of keys in JSON is not promised."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else repr(value)


def is_accepted(store: Store, column: str, value: Any) -> bool:
    with Shop(store) as uow:
        uow.samples.add(Sample(**{column: value}))
        try:
            uow.flush()
        except BadValue as refused:
            return refused.attribute != f"samples.{column}"
        return True


def agree(store: Store, column: str, values: list[Any]) -> list[Any]:
    """The store takes what the memory store takes, which is returned, and gives it back as it was."""
    memory = MemoryStore(mapping)
    taken: list[Any] = []
    refused: list[Any] = []
    for value in values:
        (taken if is_accepted(memory, column, value) else refused).append(value)
    kept = [Sample(**{column: value}) for value in taken]
    stored(store, *kept)

    assert [value for value in refused if is_accepted(store, column, value)] == []
    with Shop(store) as uow:
        everything = {sample.id: sample for sample in uow.samples}
        for sample, value in zip(kept, taken, strict=True):
            found = getattr(everything[sample.id], column)
            assert found == value
            assert type(found) is type(value)
            assert spelled(found) == spelled(getattr(sample, column))
    return taken


@pytest.mark.parametrize("column", VALUES)
def test_a_nasty_value_comes_back_as_it_was_or_is_refused(store: Store, column: str) -> None:
    agree(store, column, ANYTHING)


@pytest.mark.parametrize("column", [column for column in VALUES if column != "document"])
def test_a_nasty_value_is_found(store: Store, column: str) -> None:
    taken = agree(store, column, ANYTHING)

    with Shop(store) as uow:
        assert [value for value in taken if not uow.samples.exists(**{column: value})] == []


@pytest.mark.parametrize("column", VALUES)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_comes_back_as_it_was_or_is_refused(store: Store, column: str, data: st.DataObject) -> None:
    agree(store, column, data.draw(st.lists(VALUES[column], min_size=1, max_size=12)))


@pytest.mark.parametrize(
    ("column", "given_", "kept"),
    [
        ("price", Decimal("1.1"), Decimal("1.10")),
        ("price", Decimal("1E+2"), Decimal("100.00")),
        ("price", Decimal("-0"), Decimal("0.00")),
        ("wide", -0.0, 0.0),
        ("aware", dt.datetime(2024, 1, 1, 12, 0, tzinfo=EAST), dt.datetime(2024, 1, 1, 6, 30, tzinfo=dt.UTC)),
        ("naive", dt.datetime(2024, 10, 27, 2, 30, fold=1), dt.datetime(2024, 10, 27, 2, 30)),
        ("hour", dt.time(2, 30, fold=1), dt.time(2, 30)),
    ],
)
def test_a_value_is_written_in_one_way_from_the_flush_on(store: Store, column: str, given_: Any, kept: Any) -> None:
    sample = Sample(**{column: given_})

    stored(store, sample)

    assert repr(getattr(sample, column)) == repr(kept)
    assert repr(rows(store, samples)[0][column]) == repr(kept)


def test_the_same_moment_in_another_time_zone_is_no_change(store: Store, uow: Shop) -> None:
    noon = dt.datetime(2024, 1, 1, 12, 0, tzinfo=dt.UTC)
    sample = Sample(aware=noon)
    stored(store, sample)

    with uow:
        uow.samples[sample.id].aware = noon.astimezone(EAST)
        uow.commit()

        assert repr(uow.samples[sample.id].aware) == repr(noon)


def test_json_none_is_null(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"a": 1}))
    with uow:
        uow.products["LAMP"].details = None
        uow.commit()

    with uow:
        assert uow.products["LAMP"].details is None


@pytest.mark.parametrize("depth", [20, 31, 32, 40, 200])
def test_deep_json_comes_back_or_is_refused_everywhere(store: Store, depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]

    agree(store, "document", [value])


def test_a_bad_value_is_refused_in_a_change_too(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        uow.products["LAMP"].quantity = 1.5  # type: ignore[assignment]

        with pytest.raises(BadValue) as caught:
            uow.commit()

    assert (caught.value.attribute, caught.value.value) == ("products.quantity", 1.5)


def test_a_bad_value_inside_of_json_that_was_changed_in_place_is_refused(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"a": []}))
    with uow:
        uow.products["LAMP"].details["a"].append((1, 2))

        with pytest.raises(BadValue):
            uow.commit()


@pytest.mark.parametrize("unspeakable", [float("nan"), object(), {1, 2}])
def test_what_json_cannot_express_is_refused_also_when_it_comes_in_place(
    store: Store, uow: Shop, unspeakable: Any
) -> None:
    stored(store, Product("LAMP", details={"a": []}))
    with uow:
        uow.products["LAMP"].details["a"].append(unspeakable)

        with pytest.raises(BadValue) as caught:
            uow.commit()

    assert caught.value.attribute == "products.details"


@pytest.mark.parametrize(
    "price",
    [Money(Decimal("1.005"), "EUR"), Money(Decimal(1), "EURO"), Money(1, "EUR")],  # type: ignore[arg-type]
)
def test_a_bad_value_inside_of_a_value_object_is_refused(uow: Shop, price: Money) -> None:
    with uow:
        uow.orders.add(Order(price=price))

        with pytest.raises(BadValue):
            uow.commit()


@pytest.mark.parametrize(
    "equal",
    [
        {"quantity": "1"},
        {"quantity": True},
        {"quantity": 1.0},
        {"code": 1},
        {"is_sold": 1},
        {"unknown": 1},
        {"details": {}},
    ],
)
def test_looking_for_a_value_of_another_type_is_refused(uow: Shop, equal: dict[str, Any]) -> None:
    with uow:
        for look in (
            uow.products.find_by,
            uow.products.first,
            uow.products.one,
            uow.products.count,
            uow.products.exists,
        ):
            with pytest.raises(BadValue):
                look(**equal)

        uow.commit()  # nothing has failed


def test_looking_for_none_finds_those_that_have_none(store: Store, uow: Shop) -> None:
    stored(store, Product("A", sku=None), Product("B", sku="b"), Product("C", sku=""))

    with uow:
        assert [product.code for product in uow.products.find_by(sku=None)] == ["A"]
        assert [product.code for product in uow.products.find_by(sku="")] == ["C"]
        assert uow.products.count(sku=None) == 1


def test_text_is_found_by_code_points(store: Store, uow: Shop) -> None:
    words = ["a", "A", "ä", "a ", "a\u0308", "%", "_", "", " ", "\\"]
    stored(store, *(Sample(word=word) for word in words))

    with uow:
        assert [uow.samples.count(word=word) for word in words] == [1] * len(words)
