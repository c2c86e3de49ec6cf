"""What a repository is asked by rules: the same answers, and the same refusals, from every store."""

from __future__ import annotations

import datetime as dt
import gc
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from honestwork.adapters.repositories import repository
from honestwork.domain import (
    BadValue,
    HonestworkError,
    MultipleFound,
    NotFound,
    RuleRefused,
    UnitClosed,
    desc,
    nulls_first,
    rule,
)
from honestwork.rules import trace_order, write_cursor
from honestwork.service_layer import Store
from tests.contract.shop import (
    Colour,
    Customer,
    Discount,
    Line,
    Money,
    Order,
    Parcel,
    Product,
    Sample,
    Shop,
    lines,
    mapping,
    rows,
    stored,
)

EARLY = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
RATINGS = {"a": 3, "b": None, "c": 5, "d": 3, "e": None, "f": 1}


@rule
def good(product: Product) -> bool:
    return product.rating is not None and product.rating >= 3


def codes(found: Iterable[Product]) -> str:
    return "".join(product.code for product in found)


@pytest.fixture
def shelf(store: Store) -> Store:
    """Six products, of which two have no rating and two the same one."""
    stored(store, *(Product(code, rating=rating, quantity=ord(code) % 3) for code, rating in RATINGS.items()))
    return store


def an_order(number: int, *quantities: int, **values: Any) -> Order:
    return Order([Line("ab"[q % 2], q) for q in quantities], id=UUID(int=number), **values)


# --- find ---------------------------------------------------------------------------------------------


def test_find_gives_those_for_which_the_rule_is_true_by_their_keys(shelf: Store, uow: Shop) -> None:
    with uow:
        assert codes(uow.products.find(good)) == "acd"
        assert codes(uow.products.find(~good)) == "bef"
        assert codes(uow.products.find(lambda product: product.rating is None or product.rating < 3)) == "bef"
        assert codes(uow.products.find(lambda product: product.rating != 3)) == "bcef"
        assert uow.products.find(lambda product: product.code == "a")[0] is uow.products["a"]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (lambda product: product.rating, "fadcbe"),
        (lambda product: desc(product.rating), "cadfbe"),
        (lambda product: nulls_first(product.rating), "befadc"),
        (lambda product: nulls_first(desc(product.rating)), "becadf"),
        (lambda product: (product.rating, desc(product.code)), "fdaceb"),
        (lambda product: desc(product.code), "fedcba"),
        (lambda product: (product.quantity, desc(product.rating)), "cfadbe"),
    ],
)
def test_those_without_a_value_come_last_unless_asked_and_keys_decide(
    shelf: Store, uow: Shop, order_by: Callable[[Product], object], expected: str
) -> None:
    with uow:
        assert codes(uow.products.all(order_by=order_by)) == expected
        assert codes(uow.products.find(lambda product: True, order_by=order_by, limit=3)) == expected[:3]
        assert codes(uow.products.find(lambda product: True, order_by=order_by, limit=2, offset=3)) == expected[3:5]
        assert codes(uow.products.find(lambda product: True, order_by=order_by, offset=4)) == expected[4:]
        first = uow.products.first(order_by=order_by)
        assert first is not None
        assert first.code == expected[0]


def test_a_piece_may_be_empty(shelf: Store, uow: Shop) -> None:
    with uow:
        assert uow.products.find(good, limit=0) == []
        assert uow.products.find(good, offset=3) == []
        assert uow.products.find(good, limit=2**63 - 1, offset=2**63 - 1) == []
        assert codes(uow.products.find(good, limit=2**63 - 1)) == "acd"


def test_what_is_not_flushed_is_found_and_what_is_removed_is_not(shelf: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("g", rating=4))
        uow.products["a"].rating = 1
        uow.products.remove(uow.products["c"])

        assert codes(uow.products.find(good)) == "dg"
        assert uow.products.count(good) == 2
        assert uow.products.select(lambda product: product.code, good) == ["d", "g"]
        assert [product.code for product in uow.products.stream(good)] == ["d", "g"]
        assert codes(uow.products.page(good, limit=9)) == "dg"


def test_first_one_count_and_exists_take_rules_and_values(shelf: Store, uow: Shop) -> None:
    with uow:
        assert uow.products.count() == 6
        assert uow.products.count(good) == 3
        assert uow.products.count(good, quantity=1) == 2
        assert uow.products.count(rating=None) == 2
        assert uow.products.exists(good)
        assert not uow.products.exists(good, quantity=5)
        assert uow.products.one(good, rating=5).code == "c"
        first = uow.products.first(good, order_by=lambda product: desc(product.code))
        assert first is not None
        assert first.code == "d"
        assert uow.products.first(good, code="b") is None
        with pytest.raises(NotFound, match="no Product satisfies good and has code = 'b'"):
            uow.products.one(good, code="b")
        with pytest.raises(MultipleFound, match="satisfies good"):
            uow.products.one(good)


def test_rules_look_into_the_whole_aggregate(store: Store, uow: Shop) -> None:
    stored(
        store,
        an_order(1, 1, 2, price=Money(Decimal("9.50"), "EUR")),
        an_order(2, 5),
        Order([Line("c", 1, [Discount(50), Discount(5)])], price=Money(Decimal(1), "USD"), id=UUID(int=3)),
        Order(parcel=Parcel(7), id=UUID(int=4)),
    )

    def found(rule: Callable[[Order], bool]) -> list[int]:
        return [order.id.int for order in uow.orders.find(rule)]

    with uow:
        assert found(lambda order: any(line.quantity > 1 for line in order.lines)) == [1, 2]
        assert found(lambda order: all(line.product != "c" for line in order.lines)) == [1, 2, 4]
        assert found(lambda order: not order.lines) == [4]
        assert found(lambda order: len(order.lines) == 2) == [1]
        assert found(lambda order: sum(line.quantity for line in order.lines) > 3) == [2]
        assert found(lambda order: any(any(d.percent > 9 for d in line.discounts) for line in order.lines)) == [3]
        assert found(lambda order: order.price is None) == [2, 4]
        assert found(lambda order: order.price == Money(Decimal("9.5"), "EUR")) == [1]
        assert found(lambda order: order.price is not None and order.price.currency == "USD") == [3]
        assert found(lambda order: order.price is not None and order.price.amount > 5) == [1]
        assert found(lambda order: order.price is None or not order.price.amount > 5) == [2, 3, 4]
        assert found(lambda order: order.id in (UUID(int=2), UUID(int=9))) == [2]


def test_state_behind_a_property_is_asked_by_its_column(store: Store, uow: Shop) -> None:
    rich, poor = Customer("rich@example.com"), Customer("poor@example.com")
    rich.lend(100)
    stored(store, rich, poor)

    with uow:
        assert [each.email for each in uow.customers.find(lambda customer: customer.credit > 50)] == [
            "rich@example.com"
        ]


@pytest.mark.parametrize(
    "rule",
    [
        lambda sample: sample.size == "small",
        lambda sample: sample.size is not None and sample.size.startswith("sm"),
        lambda sample: sample.size is not None and sample.size.upper() == "SMALL",
        lambda sample: sample.size is not None and "m" in sample.size,
        lambda sample: sample.size in ("small", "medium"),
        lambda sample: sample.size is not None and sample.size > "m",
        lambda sample: sample.colour is Colour.RED,
        lambda sample: sample.document is not None,
        lambda sample: sample.day is not None and sample.day > dt.date.min,
        lambda sample: sample.aware == dt.datetime(2000, 1, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        lambda sample: sample.hour is not None and sample.hour < dt.time(10),
        lambda sample: sample.span == dt.timedelta(hours=1),
        lambda sample: sample.blob in (b"ab", b""),
        lambda sample: sample.wide is not None and sample.wide * 3 > 0.3,
        lambda sample: sample.exact is not None and sample.exact * 3 == Decimal("0.3"),
        lambda sample: sample.small is not None and sample.small * 100000 > 5,
    ],
)
def test_every_type_of_column_is_asked_as_python_asks(store: Store, uow: Shop, rule: Callable[[Sample], bool]) -> None:
    stored(
        store,
        Sample(
            **{"id": UUID(int=1), "size": "small", "colour": Colour.RED, "document": {}, "day": dt.date(2000, 1, 1)},
            **{"aware": dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC), "hour": dt.time(9), "blob": b"ab"},
            **{"span": dt.timedelta(hours=1), "wide": 0.2, "exact": Decimal("0.1"), "small": 1},
        ),
        Sample(id=UUID(int=2)),
        Sample(id=UUID(int=3), size="large", colour=Colour.GREEN, hour=dt.time(11), small=0, wide=0.1, blob=b"b"),
    )

    with uow:
        samples = uow.samples.all()
        assert uow.samples.find(rule) == [sample for sample in samples if rule(sample)]
        assert rule(samples[0])


# --- refusals -----------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[Shop], object], type[Exception], str]] = {
    "a negative limit": (lambda uow: uow.products.find(good, limit=-1), ValueError, "limit=-1"),
    "a limit that is no number": (lambda uow: uow.products.find(good, limit="3"), ValueError, "limit='3'"),  # type: ignore[arg-type]
    "a bool as limit": (lambda uow: uow.products.find(good, limit=True), ValueError, "limit=True"),
    "an enormous limit": (lambda uow: uow.products.find(good, limit=2**63), ValueError, "limit="),
    "a negative offset": (lambda uow: uow.products.find(good, offset=-1), ValueError, "offset=-1"),
    "an enormous offset": (lambda uow: uow.products.find(good, offset=2**64), ValueError, "offset="),
    "a fraction as offset": (lambda uow: uow.products.find(good, offset=1.0), ValueError, "offset=1.0"),  # type: ignore[arg-type]
    "a negative limit of columns": (lambda uow: uow.products.select(lambda p: p.code, limit=-1), ValueError, "limit"),
    "a page of none": (lambda uow: uow.products.page(limit=0), ValueError, "at least one place"),
    "an enormous page": (lambda uow: uow.products.page(limit=2**63 - 1), ValueError, "a page has"),
    "an unguarded comparison": (lambda uow: uow.products.find(lambda p: p.rating > 3), RuleRefused, "when rating is"),  # type: ignore[operator]
    "an unknown attribute": (lambda uow: uow.products.count(lambda p: p.colour == 1), RuleRefused, r"Product\.colour"),  # type: ignore[attr-defined]
    "another type": (lambda uow: uow.products.exists(lambda p: p.quantity == "1"), RuleRefused, "mixes quantity"),  # type: ignore[comparison-overlap]
    "no bool": (lambda uow: uow.products.find(lambda p: [p.code]), RuleRefused, "and not a bool"),  # type: ignore[arg-type, return-value]
    "a text that no database stores": (
        lambda uow: uow.products.find(lambda p: p.code == "\ud800"), RuleRefused, "surrogate"),
    "an aware time": (
        lambda uow: uow.samples.find(lambda s: s.hour == dt.time(9, tzinfo=dt.UTC)), RuleRefused, "has no time zone"),
    "a naive datetime": (
        lambda uow: uow.samples.find(lambda s: s.aware == dt.datetime(2000, 1, 1)), RuleRefused, "time zone"),
    "a datetime before UTC": (
        lambda uow: uow.samples.find(lambda s: s.aware == EARLY),
        RuleRefused, "in UTC"),
    "an enormous timedelta": (
        lambda uow: uow.samples.find(lambda s: s.span == dt.timedelta.max), RuleRefused, "64 bits"),
    "the inside of a document": (
        lambda uow: uow.samples.find(lambda s: s.document is not None and s.document["a"] == 1), RuleRefused, "index"),
    "a single child": (
        lambda uow: uow.orders.find(lambda o: o.parcel is not None), RuleRefused, "a single child"),
    "what is not mapped": (
        lambda uow: uow.customers.find(lambda c: "made" in c.events), RuleRefused, "neither mapped nor annotated"),
    "an order by an enumeration": (lambda uow: uow.samples.all(order_by=lambda s: s.size), RuleRefused, "no order"),
    "an order by a constant": (lambda uow: uow.products.all(order_by=lambda p: 3), RuleRefused, "orders by int 3"),
    "an order with a branch": (
        lambda uow: uow.products.all(order_by=lambda p: p.code if p.rating else p.sku), RuleRefused, "branches"),
    "an order by children": (lambda uow: uow.orders.all(order_by=lambda o: o.lines), RuleRefused, "orders by"),
    "a whole aggregate as columns": (lambda uow: uow.products.select(lambda p: p), RuleRefused, "a whole Product"),
    "a computation as columns": (
        lambda uow: uow.products.select(lambda p: p.code.strip()), RuleRefused, r"uses \.strip"),
    "an attribute that is unknown": (lambda uow: uow.products.find_by(colour=1), BadValue, "cannot be found by"),
    "a value of another type": (lambda uow: uow.products.find_by(quantity="1"), BadValue, "products.quantity"),
    "a document": (lambda uow: uow.products.find_by(details={}), BadValue, "cannot be found by"),
    "a cursor of nobody": (lambda uow: uow.products.page(limit=2, after="nonsense"), RuleRefused, "damaged"),
    "a cursor that is no text": (lambda uow: uow.products.page(limit=2, after=7), RuleRefused, "damaged"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("question", REFUSED)
def test_what_has_no_answer_is_refused_alike_and_the_unit_goes_on(shelf: Store, uow: Shop, question: str) -> None:
    ask, error, words = REFUSED[question]

    with uow:
        uow.products["a"].quantity = 9
        with pytest.raises(error, match=words):
            ask(uow)
        assert uow.products.count(quantity=9) == 1  # nothing has happened
        uow.commit()


# --- pages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 7])
@pytest.mark.parametrize(
    "order_by",
    [
        None,
        lambda product: product.rating,
        lambda product: (nulls_first(desc(product.rating)), desc(product.code)),
        lambda product: (product.quantity, nulls_first(product.sku), product.rating),
    ],
)
def test_pages_are_the_whole_cut_into_pieces(
    shelf: Store, uow: Shop, limit: int, order_by: Callable[[Product], object] | None
) -> None:
    with uow:
        whole = uow.products.all(order_by=order_by)
        walked: list[Product] = []
        after, pages = None, 0
        while pages == 0 or after is not None:
            page = uow.products.page(order_by=order_by, limit=limit, after=after)
            walked += page
            after, pages = page.next, pages + 1

        assert walked == whole
        assert pages == -(-len(whole) // limit)


def test_a_page_goes_on_where_it_was_whoever_comes_and_goes(shelf: Store, uow: Shop) -> None:
    with uow:
        first = uow.products.page(order_by=lambda product: desc(product.rating), limit=2)
        uow.products.remove(uow.products["a"])  # it has been seen
        uow.products.add(Product("A", rating=5))  # its place is before
        uow.products.add(Product("da", rating=3))  # and that of this one after
        uow.commit()
    with uow:
        following = uow.products.page(order_by=lambda product: desc(product.rating), limit=9, after=first.next)

    assert (codes(first), codes(following)) == ("ca", "ddafbe")


def test_a_cursor_belongs_to_its_order(shelf: Store, uow: Shop) -> None:
    with uow:
        cursor = uow.products.page(order_by=lambda product: product.rating, limit=2).next
        assert cursor is not None
        for other in (None, lambda product: desc(product.rating), lambda product: nulls_first(product.rating)):
            with pytest.raises(RuleRefused, match="made by another order"):
                uow.products.page(order_by=other, limit=2, after=cursor)
        for damaged in (cursor[:-2], cursor + "A", cursor[::-1], ""):
            with pytest.raises(RuleRefused, match="damaged"):
                uow.products.page(order_by=lambda product: product.rating, limit=2, after=damaged)


@pytest.mark.parametrize("values", [["a", "a"], [10**30, "a"], [3, "a\0"], [3, "\ud800"], [3, None, 1], [[], "a"]])
def test_a_cursor_that_somebody_has_made_up_is_refused(shelf: Store, uow: Shop, values: list[Any]) -> None:
    keys = trace_order(lambda product: product.rating, Product, key=["code"], facts=mapping.schema.facts.__getitem__)
    texts = [*keys, *keys[:1]][: len(values)]
    made_up = write_cursor(texts, [0] * len(texts)) if len(values) > 2 else _forged(keys, values)

    with uow, pytest.raises(RuleRefused):
        uow.products.page(order_by=lambda product: product.rating, limit=2, after=made_up)


def _forged(keys: Any, values: list[Any]) -> str:
    from honestwork.rules import cursor

    original = dict(cursor._WRITERS)
    try:
        cursor._WRITERS.update({int: lambda value: value, str: lambda value: value})
        return write_cursor(keys, values)
    finally:
        cursor._WRITERS.update(original)


# --- streams ------------------------------------------------------------------------------------------


def test_a_stream_gives_all_in_order_and_keeps_few(shelf: Store, uow: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "STREAMED_AT_ONCE", 10)
    stored(store := shelf, *(Product(f"p{number:03}", quantity=number) for number in range(95)))
    alive: list[weakref.ref[Product]] = []
    most = 0

    with Shop(store) as uow:
        seen = []
        for product in uow.products.stream(order_by=lambda product: (desc(product.quantity), product.code)):
            seen.append((-product.quantity, product.code))
            if len(seen) % 10 == 5:
                gc.collect()
            alive = [ref for ref in alive if ref() is not None] + [weakref.ref(product)]
            most = max(most, len(alive))

    assert len(seen) == 101
    assert seen == sorted(seen)
    assert most <= 31  # a chunk, the next one, and the loop's own


def test_what_a_stream_yields_is_for_reading(shelf: Store, uow: Shop) -> None:
    with uow:
        for product in uow.products.stream(good):
            assert product is not uow.products[product.code]
            product.quantity = 77
        uow.commit()

    with uow:
        assert uow.products.count(quantity=77) == 0


def test_a_stream_ends_with_its_transaction(shelf: Store, uow: Shop) -> None:
    with uow:
        stream = uow.products.stream()
        next(stream)
        uow.commit()

        with pytest.raises(UnitClosed, match="has ended"):
            next(stream)


def test_a_stream_brings_whole_aggregates(store: Store, uow: Shop) -> None:
    stored(store, an_order(1, 1, 2), an_order(2, 5, price=Money(Decimal(2), "EUR")))

    with uow:
        streamed = list(uow.orders.stream(order_by=lambda order: desc(order.id)))

    assert [[line.quantity for line in order.lines] for order in streamed] == [[5], [2, 1]]
    assert streamed[0].price == Money(Decimal(2), "EUR")


def test_a_stream_is_refused_when_it_is_asked_for(shelf: Store, uow: Shop) -> None:
    with uow, pytest.raises(RuleRefused):
        uow.products.stream(lambda product: product.rating > 3)  # type: ignore[operator]


# --- columns ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    code: str
    rating: int | None = None


@dataclass(frozen=True)
class Total:
    order: UUID
    price: Money | None
    lines: int


def test_columns_are_read_into_tuples_and_objects(shelf: Store, uow: Shop) -> None:
    with uow:
        products = uow.products
        assert products.select(lambda product: product.code, limit=2) == ["a", "b"]
        assert products.select(lambda product: (product.code, product.rating), ~good) == [
            ("b", None), ("e", None), ("f", 1)]  # fmt: skip
        assert products.select(
            lambda product: Entry(product.code, rating=product.rating),
            good,
            order_by=lambda product: desc(product.code),
        ) == [Entry("d", 3), Entry("c", 5), Entry("a", 3)]
        assert products.select(lambda product: (product.code.upper() + "!", product.quantity + 1), good, limit=1) == [
            ("A!", 2)]  # fmt: skip
        assert products.select(lambda product: "x", good) == ["x"] * 3


def test_columns_may_come_from_children_and_value_objects(store: Store, uow: Shop) -> None:
    stored(store, an_order(1, 1, 2, price=Money(Decimal("9.50"), "EUR")), an_order(2))

    with uow:
        assert uow.orders.select(lambda order: Total(order.id, order.price, len(order.lines))) == [
            Total(UUID(int=1), Money(Decimal("9.50"), "EUR"), 2),
            Total(UUID(int=2), None, 0),
        ]
        assert uow.orders.select(lambda order: sum(line.quantity for line in order.lines)) == [3, 0]
        assert uow.orders.select(lambda order: sum(1 for line in order.lines if line.quantity > 1)) == [1, 0]
        with pytest.raises(RuleRefused, match="asks whether price is None"):
            uow.orders.select(lambda order: order.price.currency if order.price else "EUR")


def test_json_is_read_as_it_was_stored(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"tags": ["new"]}), Product("RUG"))

    with uow:
        assert uow.products.select(lambda product: (product.code, product.details)) == [
            ("LAMP", {"tags": ["new"]}),
            ("RUG", None),
        ]


def test_no_aggregate_is_built_for_columns(shelf: Store, uow: Shop) -> None:
    def alive() -> int:
        gc.collect()
        return sum(type(each) is Product for each in gc.get_objects())

    with uow:
        before = alive()  # those of other tests that are not forgotten yet

        assert uow.products.select(lambda product: product.code, good) == ["a", "c", "d"]
        assert uow.products.count(good) == 3
        assert uow.products.exists(good)
        assert alive() == before
        assert uow.products.find(good)
        assert alive() == before + 3


# --- remove_where -------------------------------------------------------------------------------------


def test_remove_where_removes_those_and_their_children_and_says_how_many(store: Store, uow: Shop) -> None:
    stored(store, an_order(1, 1, 2), an_order(2, 5), an_order(3))

    with uow:
        uow.orders.add(an_order(4, 9))
        removed = uow.orders.remove_where(lambda order: any(line.quantity > 1 for line in order.lines))
        left = [order.id.int for order in uow.orders]
        uow.commit()

    assert (removed, left) == (3, [3])
    assert rows(store, lines) == []


def test_remove_where_with_a_rule_that_is_refused_removes_nothing(shelf: Store, uow: Shop) -> None:
    with uow:
        with pytest.raises(HonestworkError):
            uow.products.remove_where(lambda product: product.rating > 3)  # type: ignore[operator]
        assert uow.products.remove_where(lambda product: product.code == "z") == 0
        assert len(uow.products) == 6
