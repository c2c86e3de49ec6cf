"""Rules, orders and projections that answer as Python does, or are refused, on every store alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, Numeric, Table, Text

from honestwork.adapters import Mapping, children
from honestwork.adapters.repositories import repository
from honestwork.domain import Repository, RuleRefused, desc, negate
from honestwork.service_layer import Store, UnitOfWork
from tests.stores import MakeStore

Predicate = Callable[[Any], bool]


@dataclass(eq=False)
class Item:
    number: int
    price: Decimal = Decimal(0)
    id: int = field(init=False)


@dataclass(eq=False)
class Basket:
    id: int
    number: int = 0
    large: int = 0
    share: float = 0.0
    price: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    name: str = ""
    items: list[Item] = field(default_factory=list)
    bonus: int | None = None


mapping = Mapping()
items = Table(
    "items",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("basket_id", ForeignKey("baskets.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
)
baskets = Table(
    "baskets",
    mapping.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("large", BigInteger, nullable=False),
    Column("share", Double, nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
    Column("tax", Numeric(8, 4), nullable=False),
    Column("name", Text, nullable=False),
    Column("bonus", Integer),
)
mapping.member(Item, items)
mapping.aggregate(Basket, baskets, properties={"items": children(Item)})


class Baskets(UnitOfWork):
    baskets: Repository[Basket, int]


@pytest.fixture
def filled(make_store: MakeStore) -> Store:
    """A store of some baskets."""
    store = make_store(mapping)
    with Baskets(store) as uow:
        uow.baskets.add_many(samples())
        uow.commit()
    return store


def samples() -> list[Basket]:
    return [
        Basket(1, 3, 2**53 + 1, 3.0, Decimal("0.10"), Decimal("0.2"), "a", [Item(1), Item(2)], 4),
        Basket(2, 2, 2**53, 2.5, Decimal("0.30"), Decimal(0), "ß", [Item(5, Decimal("0.30"))]),
        Basket(3, 9, -(2**53) - 1, -0.5, Decimal("0.15"), Decimal("0.15"), "b", []),
        Basket(4, 5, 2**63 - 1, 2.0**53, Decimal("1.10"), Decimal("2.2"), "ss", [Item(0, Decimal("0.10"))], 2**31 - 1),
        Basket(5, -4, 0, 1e300, Decimal("-0.70"), Decimal(1), "SS", [Item(2), Item(2), Item(7, Decimal("3.33"))]),
    ]


def assert_exact(store: Store, rules: dict[str, Predicate]) -> None:
    """The store finds what each rule is true of."""
    with Baskets(store) as uow:
        every = list(uow.baskets)
        for name, rule in rules.items():
            expected = [basket.id for basket in every if rule(basket)]

            assert [basket.id for basket in uow.baskets.find(rule)] == expected, name
            assert [basket.id for basket in uow.baskets.find(negate(rule))] == [
                basket.id for basket in every if basket.id not in expected
            ], name


NO_NUMBERS: tuple[int, ...] = ()
LOOPS: dict[str, Predicate] = {
    "any": lambda b: any(i.number == x for i in b.items for x in (1, 2)),
    "any of the second": lambda b: any(i.number == x for i in b.items for x in (9, 2)),
    "all": lambda b: all(i.number != x for i in b.items for x in (9, 2)),
    "a sum": lambda b: sum(i.number * x for i in b.items for x in (1, 2)) > 10,
    "an if after the second": lambda b: any(i.number * x > 9 for i in b.items for x in (1, 2) if x == 2),
    "an if between": lambda b: all(i.number > x for i in b.items if i.number > 1 for x in (0, 1)),
    "three loops": lambda b: any(i.number == x + y for i in b.items for x in (1, 2) for y in (3, 5)),
    "an attribute of the outer one": lambda b: any(i.number == b.number + x for i in b.items for x in (0, 3)),
    "a sum of those": lambda b: sum(1 for i in b.items for x in (1, 2) if i.number == x) == 2,
    "a sum of some": lambda b: sum(x for i in b.items for x in (1, 2, 7) if i.number >= x) > 9,
    "none of them": lambda b: any(i.number == x for i in b.items for x in NO_NUMBERS),
    "all of none": lambda b: all(i.number == x for i in b.items for x in NO_NUMBERS),
}


def test_a_loop_within_a_loop_takes_all_its_turns(filled: Store) -> None:
    assert_exact(filled, LOOPS)


@pytest.mark.parametrize("where", ["in the rule", "outside of it"])
def test_an_iterator_that_the_first_child_would_use_up_is_refused(where: str, filled: Store) -> None:
    outside = iter((1, 2))

    def inside(basket: Basket) -> bool:
        numbers = iter((1, 2))
        return any(item.number == number for item in basket.items for number in numbers)

    asked = inside if where == "in the rule" else (lambda b: any(i.number == x for i in b.items for x in outside))
    with Baskets(filled) as uow, pytest.raises(RuleRefused, match="used up"):
        uow.baskets.count(asked)


def test_a_part_of_a_text_may_be_longer_than_a_pattern_of_sqlite(make_store: MakeStore) -> None:
    text = "[é*?%".join(map(str, range(10_000)))
    store = make_store(mapping)
    with Baskets(store) as uow:
        uow.baskets.add_many([Basket(1, name=f"{text}."), Basket(2, name=f".{text}"), Basket(3, name=text[:-1])])
        uow.commit()

    assert_exact(
        store,
        {
            "the beginning": lambda b: b.name.startswith(text),
            "the end": lambda b: b.name.endswith(text),
            "a part": lambda b: text in b.name,
        },
    )


OUTER: dict[str, Predicate] = {
    "an attribute": lambda b: sum(b.number for _ in b.items) > 4,
    "with a condition": lambda b: sum(b.number for i in b.items if i.number > 1) > 2,
    "a Decimal": lambda b: sum(b.price for _ in b.items) == Decimal("0.20"),
    "a calculation": lambda b: sum(b.number * 2 - b.id for _ in b.items) > 4,
    "a constant": lambda b: sum(3 for _ in b.items) == 6,
    "a Decimal constant": lambda b: sum(Decimal("0.1") for _ in b.items) == Decimal("0.3"),
    "a sum in a sum": lambda b: sum(sum(j.number for j in b.items) for i in b.items) == 33,
    "beside the inner one": lambda b: sum(b.number * i.number for i in b.items) == 9,
    "what may be None": lambda b: sum((b.bonus or 0) for _ in b.items) == 0,
    "what may be None, of some": lambda b: sum(b.bonus if b.bonus is not None else 0 for i in b.items if i.number) < 5,
    "what is not None": lambda b: sum(b.bonus for _ in b.items if b.bonus is not None) * 2 == 16,
    "what may be None, in a child": lambda b: any(sum((b.bonus or 0) for _ in b.items) < 1 for _ in b.items),
    "what may be None beside the inner one": lambda b: sum(b.bonus * i.number for i in b.items if b.bonus) == 0,
    "a count of others": lambda b: sum(len(b.items) for i in b.items if i.number > 1) == 9,
}


def test_what_is_added_up_may_belong_to_the_outer_object_alone(filled: Store) -> None:
    assert_exact(filled, OUTER)


def test_orders_projections_and_pages_add_up_what_belongs_to_the_outer_object(filled: Store) -> None:
    with Baskets(filled) as uow:
        total = uow.baskets.select(lambda b: (b.id, sum(b.number for _ in b.items)))
        ordered = [basket.id for basket in uow.baskets.all(order_by=lambda b: sum(b.number for _ in b.items))]
        page = uow.baskets.page(order_by=lambda b: desc(sum(b.number for _ in b.items)), limit=2)

        assert total == [(1, 6), (2, 2), (3, 0), (4, 5), (5, -12)]
        assert ordered == [5, 3, 2, 4, 1]
        assert [basket.id for basket in page] == [1, 4]


def test_an_order_or_a_projection_adds_up_nothing_that_may_be_none(filled: Store) -> None:
    with Baskets(filled) as uow:
        with pytest.raises(RuleRefused, match="adds up bonus, and bonus may be None"):
            uow.baskets.select(lambda b: sum((b.bonus or 0) for _ in b.items))
        with pytest.raises(RuleRefused, match="adds up bonus, and bonus may be None"):
            uow.baskets.all(order_by=lambda b: sum(b.bonus for _ in b.items if b.bonus is not None))


NUMBERS: dict[str, Predicate] = {
    "an int among fractions": lambda b: b.number in (3, 2.5),
    "fractions first": lambda b: b.number in (2.5, 3),
    "none of them": lambda b: b.number not in (3, 2.5),
    "a set": lambda b: b.number in {3, 2.5},
    "or": lambda b: b.number == 3 or b.number == 2.5,
    "a Decimal": lambda b: b.number == 3 or b.number == Decimal("2.5"),
    "a calculation": lambda b: b.number + 0 in (3, 2.5),
    "less than a fraction": lambda b: b.number < 2.5,
    "at most a fraction": lambda b: b.number <= -0.5,
    "more than a fraction": lambda b: b.number > Decimal("2.5"),
    "at least a fraction": lambda b: b.number >= -4.5,
    "between fractions": lambda b: 1.5 < b.number <= 3.0,
    "a fraction times an int": lambda b: b.number * 2.5 == 7.5,
    "a float among ints": lambda b: b.share in (3, 2),
    "a float among large ints": lambda b: b.share in (2**53, 10**400),
    "a float equal to a large int": lambda b: b.share == 2**53 + 1,
    "a float below a large int": lambda b: b.share < 2**53 + 1,
    "a float of at least a large int": lambda b: b.share >= 2**53 + 1,
    "a float below a huge int": lambda b: b.share < 10**400,
    "a float equal to a huge int": lambda b: b.share == int(1e300),
    "a large int equal to a float": lambda b: b.large == 2.0**53,
    "a large int above a float": lambda b: b.large > 2.0**53,
    "a large int below a float": lambda b: b.large < -(2.0**53),
    "a large int above a huge float": lambda b: b.large < 1e300,
    "an int beyond its column": lambda b: b.number < 2**40,
    "an int equal to one beyond its column": lambda b: b.number in (3, 2**40, 2**70),
    "the least int": lambda b: b.large > -(2**63),
    "an int beside a float": lambda b: b.number == b.share,
    "an int above a float": lambda b: b.number > b.share,
    "a Decimal among ints": lambda b: b.tax in (1, 0),
    "a Decimal beyond its column": lambda b: b.price < 10**17 + 1,
    "an int beside a Decimal": lambda b: b.number > b.tax,
    "floats are not associative": lambda b: b.share + (b.share + 0.1) == b.share + b.share + 0.1,
    "in products either": lambda b: b.share * 1.1 * (b.number * 1.3) == b.share * 1.1 * b.number * 1.3,
    "within 64 bits as it is written": lambda b: b.large + (b.number + -b.number) > 0,
    "a length times an int": lambda b: b.bonus is not None and (len(b.name) + 1) * (len(b.name) * b.bonus) > 2**31,
    "a length and an int": lambda b: b.bonus is not None and len(b.name) + b.bonus > 2**31 - 1,
    "a large int beside a Decimal": lambda b: b.large == b.tax,
}


def test_numbers_of_several_types_are_compared_as_in_python(filled: Store) -> None:
    assert_exact(filled, NUMBERS)


def test_a_large_int_beside_a_float_is_refused(filled: Store) -> None:
    with Baskets(filled) as uow:
        large: list[Predicate] = [lambda b: b.large == b.share, lambda b: sum(i.number for i in b.items) < b.share]
        for rule in large:
            with pytest.raises(RuleRefused, match="a float cannot express every whole number"):
                uow.baskets.count(rule)


def test_a_calculation_beside_more_than_64_bits_is_refused(filled: Store) -> None:
    wide: list[Predicate] = [lambda b: b.large + 1 == 2**63, lambda b: b.large + 1 in (2**63, 1)]
    with Baskets(filled) as uow:
        for rule in wide:
            with pytest.raises(RuleRefused, match="more than 64 bits hold"):
                uow.baskets.count(rule)


def test_a_set_with_numbers_that_the_attribute_cannot_be_compared_with_is_refused(filled: Store) -> None:
    with Baskets(filled) as uow, pytest.raises(RuleRefused, match="mixes price"):
        uow.baskets.count(lambda b: b.price in (1, 0.5))


ORDERS: dict[str, Callable[[Any], object]] = {
    "upper": lambda b: b.name.upper(),
    "upper, from the last": lambda b: desc(b.name.upper()),
    "lower and a number": lambda b: (b.name.lower(), desc(b.number * 2)),
    "a sum of Decimals": lambda b: b.price + b.tax,
    "a sum of Decimals, from the last": lambda b: desc(b.price + b.tax),
    "a product of Decimals": lambda b: b.price * b.tax,
    "a sum over children": lambda b: desc(sum(i.price * 3 for i in b.items)),
    "a float": lambda b: b.share * 1.1,
    "a count": lambda b: (len(b.items), desc(b.share)),
}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_and_streams_by_a_calculation_give_each_row_once(
    order: str, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "STREAMED_AT_ONCE", 2)
    order_by = ORDERS[order]
    with Baskets(filled) as uow:
        uow.baskets.add_many(
            Basket(10 + n, price=Decimal("0.1") * n, tax=Decimal("0.2") - n, name="ß") for n in range(4)
        )
        uow.flush()
        every = [basket.id for basket in uow.baskets.all(order_by=order_by)]
        paged: list[int] = []
        after = None
        while len(paged) < 20:
            page = uow.baskets.page(order_by=order_by, limit=1, after=after)
            paged += [basket.id for basket in page]
            if (after := page.next) is None:
                break

        assert sorted(every) == [1, 2, 3, 4, 5, 10, 11, 12, 13]
        assert paged == every
        assert [basket.id for basket in uow.baskets.stream(order_by=order_by)] == every


D = Decimal
DECIMALS: dict[str, Predicate] = {
    "a product": lambda b: b.price * 3 == D("0.30"),
    "a product among others": lambda b: b.price * 3 in (D("0.30"), D("5")),
    "none of them": lambda b: b.price * 3 not in (D("0.30"), D("5")),
    "or": lambda b: b.price * 3 == D("0.30") or b.price * 3 == D(5),
    "a sum": lambda b: b.price + b.price + b.price in (D("0.3"), D(9)),
    "a sum of columns": lambda b: b.price + b.tax == D("0.3"),
    "a difference": lambda b: b.price - b.tax == D("-1.1"),
    "less": lambda b: b.price + b.tax < D("0.3"),
    "at most": lambda b: b.price + b.tax <= D("0.3"),
    "a column beside a calculation": lambda b: b.price >= b.tax * 2,
    "a calculation beside a column": lambda b: -b.price == b.tax - 1,
    "two calculations": lambda b: b.price * b.tax == b.tax * b.price + 0,
    "an int beside a calculation": lambda b: b.number * D("0.1") == b.price + b.tax,
    "a calculated int beside a calculation": lambda b: b.number + 1 > b.price * 3,
    "abs": lambda b: abs(b.price) == D("0.7"),
    "a whole Decimal": lambda b: b.large * D(-1) < 0,
    "a whole Decimal more": lambda b: b.large + D(7) > b.large,
    "an int and a Decimal of more than 32 bits": lambda b: (b.bonus or 0) + (b.number + b.price) > 2**31 - 1,
    "a fine Decimal": lambda b: b.price + D("1E-10") > b.price,
    "a fine Decimal, to the last digit": lambda b: b.price * D("1E-10") == D("1E-11"),
    "a huge Decimal": lambda b: b.price + D("1E+20") == D("1E+20"),
    "a long product": lambda b: b.price * b.tax * D("0.0001") == D("0.0000020"),
    "a sum over children": lambda b: sum(i.price for i in b.items) == D("0.30"),
    "among others": lambda b: sum(i.price for i in b.items) in (D("3.33"), 0),
    "a sum of products": lambda b: sum(i.price * i.number for i in b.items) == D("23.31"),
    "a sum of nothing": lambda b: sum(i.price for i in b.items) == 0,
    "a sum beside a column": lambda b: sum(i.price for i in b.items) > b.price,
    "in a child": lambda b: any(i.price * 10 == D(3) for i in b.items),
    "a column of the outer one": lambda b: any(i.price * 2 > b.tax for i in b.items),
}


def test_decimals_are_calculated_exactly(filled: Store) -> None:
    many = tuple(D(n) / 10 for n in range(-600, 600))
    sets: dict[str, Predicate] = {
        "a column among many": lambda b: b.price in many,
        "a calculation among many": lambda b: b.price * 2 in many,
    }

    assert_exact(filled, DECIMALS | sets)


def test_decimals_are_read_with_the_digits_that_python_gives_them(filled: Store) -> None:
    with Baskets(filled) as uow:
        found = uow.baskets.select(
            lambda b: (
                *(b.price + b.tax, b.price * b.tax, -b.price, b.price * -1, sum(i.price for i in b.items)),
                *(b.tax * D("1E1"), b.number * D("1E1")),
            ),
            lambda b: b.id in (1, 2),
        )

        assert [[str(each) for each in row] for row in found] == [
            ["0.3000", "0.020000", "-0.10", "-0.10", "0.00", "2.000", "3E+1"],
            ["0.3000", "0.000000", "-0.30", "-0.30", "0.30", "0.000", "2E+1"],
        ]


def test_the_context_of_a_thread_does_not_round(filled: Store) -> None:
    with Baskets(filled) as uow, localcontext() as context:
        context.prec = 2

        assert uow.baskets.count(lambda b: b.price + 100 == D("100.10")) == 1


def test_a_calculation_with_more_digits_than_python_keeps_is_refused(filled: Store) -> None:
    with Baskets(filled) as uow, pytest.raises(RuleRefused, match="which may have 32 digits"):
        uow.baskets.count(lambda b: b.price * b.price * b.tax * b.tax > 3)
