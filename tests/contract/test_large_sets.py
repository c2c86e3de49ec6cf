"""A rule may ask for many values at once: the answer is that of a small set, on every store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from honestwork.adapters import explain
from honestwork.adapters.sql.rules import MANY
from honestwork.service_layer import Store
from tests.contract.shop import Product, Sample, Shop, mapping, stored

DAY = dt.date(2000, 1, 1)
NOON = dt.datetime(2000, 1, 1, 12)

# An attribute, values that are near to one another, and the rest of a large set: values of which none is stored.
KINDS: dict[str, tuple[list[Any], Callable[[int], Any]]] = {
    "small": ([0, 1, -1, 2**15 - 1, -(2**15)], lambda n: n - 20_000),
    "whole": ([0, 1, -1, 2**31 - 1, -(2**31)], lambda n: n + 10),
    "big": ([0, 2**53, 2**53 + 1, 2**63 - 1, -(2**63) + 1], lambda n: 2**53 + 2 + n),
    "price": ([Decimal("0.10"), Decimal("0.11"), Decimal("-0.10"), Decimal("99999999.99")], lambda n: Decimal(n) + 9),
    "exact": (
        [Decimal("0.123456789012"), Decimal("0.123456789013"), Decimal("-1.5")],
        lambda n: Decimal(n + 5) / 8,
    ),
    "ratio": ([0.1, 0.1 + 0.2, 0.3, 5e-324, 1.7976931348623157e308, 9.31322574615479e-10], lambda n: n / 7 + 1),
    "wide": ([1 / 3, 0.33333333333333337, 0.33333333333333326, -2.5], lambda n: 1 / (n + 5)),
    "word": (["a", "A", "a ", "á", "%", "'", '"', "\\"], lambda n: f"w{n}"),
    "prose": (
        ["", "a", "A ", "\U0001d11e", "e\u0301", "é", "{1,2}", "NULL", '["a"]', "a,b", "\r\n"],
        lambda n: f"p{n}",
    ),
    "day": ([DAY, dt.date.max, dt.date.min], lambda n: DAY + dt.timedelta(days=n + 1)),
    "naive": ([NOON, NOON + dt.timedelta(microseconds=1)], lambda n: NOON + dt.timedelta(hours=n + 1)),
    "aware": (
        [NOON.replace(tzinfo=dt.UTC), NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3)))],
        lambda n: NOON.replace(tzinfo=dt.UTC) + dt.timedelta(days=n + 1),
    ),
    "hour": (
        [dt.time(0), dt.time(23, 59, 59, 999999), dt.time(1)],
        lambda n: dt.time(n % 24, n // 24 % 60, 7, n),
    ),
    "span": (
        [dt.timedelta(0), dt.timedelta(microseconds=-1), dt.timedelta(days=40_000)],
        lambda n: dt.timedelta(seconds=n + 1),
    ),
    "token": ([UUID(int=0), UUID(int=1 << 96), UUID(int=2**128 - 1)], lambda n: UUID(int=n + 7)),
    "blob": ([b"", b"\0", b"abc", b"\xff\\'"], lambda n: b"b%d" % n),
}


def among(attribute: str, values: Any) -> Callable[[Sample], bool]:
    return lambda sample: getattr(sample, attribute) in values


@pytest.mark.parametrize("attribute", KINDS)
def test_a_large_set_is_answered_as_a_small_one(store: Store, attribute: str) -> None:
    values, other = KINDS[attribute]
    stored(store, *[Sample(**{attribute: value}) for value in [*values, None]])
    wanted = values[::2]
    large = [*wanted, *(other(n) for n in range(MANY + 1))]

    def found(rule: Callable[[Sample], bool]) -> set[Any]:
        with Shop(store) as uow:
            return {getattr(sample, attribute) for sample in uow.samples.find(rule)}

    assert found(among(attribute, wanted)) == set(wanted)
    assert found(among(attribute, large)) == set(wanted)
    assert found(lambda s: not among(attribute, large)(s)) == {*values[1::2], None}
    assert found(lambda s: getattr(s, attribute) is not None and not among(attribute, large)(s)) == set(values[1::2])
    assert found(among(attribute, frozenset([*large, None]))) == {*wanted, None}


@pytest.mark.parametrize("count", [70_000, 260_000])
def test_a_set_may_be_larger_than_the_parameters_of_a_statement(store: Store, count: int) -> None:
    stored(store, Sample(whole=count - 1), Sample(whole=count), Sample(whole=None))
    wanted = list(range(count))

    with Shop(store) as uow:
        inside = uow.samples.find(lambda sample: sample.whole in wanted)
        outside = uow.samples.find(lambda sample: sample.whole not in wanted)

    assert [sample.whole for sample in inside] == [count - 1]
    assert {sample.whole for sample in outside} == {count, None}


def test_several_large_sets_in_one_rule(store: Store) -> None:
    stored(store, Product("a", quantity=1, rating=1), Product("b", quantity=9, rating=1), Product("c", quantity=1))
    low, high, codes = range(40_000), range(9, 40_009), [f"x{n}" for n in range(40_000)]
    some, others = tuple(low), set(high)

    def rule(product: Product) -> bool:
        return product.quantity in some and product.quantity not in others and product.code not in codes

    with Shop(store) as uow:
        assert [each.code for each in uow.products.find(rule)] == ["a", "c"]
        assert [each.code for each in uow.products.find(lambda p: rule(p) and p.rating in some)] == ["a"]
        assert uow.products.count(lambda p: p.quantity in others or p.rating in some) == 2


@pytest.mark.parametrize("count", [0, MANY + 1])
def test_a_set_of_mixed_numbers(store: Store, count: int) -> None:
    stored(store, Sample(whole=2, price=Decimal("2.50"), ratio=1.5), Sample(whole=3, price=Decimal(3), ratio=2.0))
    rest = list(range(1000, 1000 + count))
    halves, wholes = [Decimal("2.5"), Decimal(3), 0.5, *rest], [Decimal("2.5"), 7, 10**17, *rest]
    floats = [1.5, 7, 10**17, *rest]

    with Shop(store) as uow:
        assert [each.whole for each in uow.samples.find(lambda sample: sample.whole in halves)] == [3]
        assert [each.whole for each in uow.samples.find(lambda sample: sample.whole not in halves)] == [2]
        assert [each.whole for each in uow.samples.find(lambda sample: sample.price in wholes)] == [2]
        assert [each.whole for each in uow.samples.find(lambda sample: sample.ratio in floats)] == [2]


def test_many_small_sets_in_one_rule(store: Store) -> None:
    stored(store, Product("a", quantity=1, rating=1), Product("b", quantity=9, rating=1))
    numbers = tuple(range(100_000, 100_000 + MANY))

    def rule(product: Product) -> bool:
        return all(product.quantity + n not in numbers for n in range(90)) and product.quantity == 9

    with Shop(store) as uow:
        assert [each.code for each in uow.products.find(rule)] == ["b"]


def test_a_large_set_can_be_removed_by_and_explained(store: Store) -> None:
    stored(store, Product("a"), Product("b"))
    wanted = [f"x{n}" for n in range(MANY)] + ["a"]

    with Shop(store) as uow:
        uow.products.remove_where(lambda product: product.code in wanted)
        uow.commit()

    with Shop(store) as uow:
        assert [each.code for each in uow.products] == ["b"]
    for dialect in ("sqlite", "postgresql", "mariadb"):
        shown = explain(lambda p: p.code in wanted and p.quantity in (1, 2), Product, dialect)
        assert "products.code IN ('x0', 'x1'," in shown
        assert shown.endswith(", 'x499', 'a') AND products.quantity IN (1, 2)")


@pytest.mark.parametrize("store", ["sqlite", "postgres", "mariadb"], indirect=True)
def test_large_sets_are_compiled_once(store: Store) -> None:
    engine: Any = getattr(store, "engine", None)

    def ask(count: int) -> None:
        wanted = range(count)
        numbers = tuple(wanted)
        with Shop(store) as uow:
            uow.products.count(lambda product: product.rating in numbers)

    ask(MANY + 1)
    before = len(engine._compiled_cache)
    for count in (MANY + 2, 2 * MANY, 10 * MANY):
        ask(count)

    assert len(engine._compiled_cache) == before


assert mapping  # the classes are mapped before any test makes an object of them
