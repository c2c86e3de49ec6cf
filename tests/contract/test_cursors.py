"""A page goes on from a cursor of its own, signed or not, and from no other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.domain import BadValue, RuleRefused
from honestwork.rules import OrderKey, trace_order, write_cursor
from honestwork.service_layer import Store
from tests.contract.shop import Product, Sample, Shop, mapping, stored

KEY = b"sixteen bytes or more"


@pytest.fixture
def signing(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(store, "cursor_key", KEY)
    return store


def test_pages_go_on_by_signed_cursors(signing: Store) -> None:
    stored(signing, *[Product(code, rating=rating) for code, rating in zip("abcde", [3, 1, None, 2, 1], strict=True)])
    seen: list[str] = []
    after = None

    with Shop(signing) as uow:
        while True:
            page = uow.products.page(order_by=lambda product: product.rating, limit=2, after=after)
            seen += [product.code for product in page]
            if page.next is None:
                break
            after = page.next

    assert seen == ["b", "e", "d", "a", "c"]


@pytest.mark.parametrize("key", [None, b"another key of sixteen bytes"])
def test_a_cursor_that_this_store_has_not_signed_is_refused(
    signing: Store, monkeypatch: pytest.MonkeyPatch, key: bytes | None
) -> None:
    stored(signing, Product("a"), Product("b"))
    monkeypatch.setattr(signing, "cursor_key", key)
    with Shop(signing) as uow:
        cursor = uow.products.page(limit=1).next
    monkeypatch.setattr(signing, "cursor_key", KEY)

    with Shop(signing) as uow, pytest.raises(RuleRefused, match="not signed with the cursor_key"):
        uow.products.page(limit=1, after=cursor)


def test_a_signed_cursor_is_of_one_class(signing: Store) -> None:
    with Shop(signing) as uow:
        uow.samples.add_many([Sample(), Sample()])
        uow.commit()
        cursor = uow.samples.page(limit=1).next
        assert cursor is not None

        with pytest.raises(RuleRefused):
            uow.orders.page(limit=1, after=cursor)


@pytest.mark.parametrize("key", [b"short", "a text of sixteen or more", 7])
def test_a_cursor_key_is_random_bytes(key: Any) -> None:
    for make in (lambda: MemoryStore(mapping, cursor_key=key), lambda: SqlStore("sqlite://", mapping, cursor_key=key)):
        with pytest.raises(BadValue, match="at least 16 random bytes") as caught:
            make()
        assert "a text of" not in str(caught.value)
    assert MemoryStore(mapping, cursor_key=KEY).cursor_key == SqlStore("sqlite://", mapping, cursor_key=KEY).cursor_key


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("naive", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("aware", dt.datetime(2024, 1, 1)),
        ("price", Decimal("1e60000")),
        ("price", Decimal("NaN")),
        ("big", 2**63),
        ("word", "a\0"),
    ],
)
def test_a_cursor_with_what_no_row_holds_is_refused(store: Store, attribute: str, value: Any) -> None:
    """Given: a cursor that was made with the writer of cursors itself."""
    stored(store, Sample())

    def order(sample: Sample) -> object:
        return getattr(sample, attribute)

    keys = trace_order(order, Sample, key=["id"], facts=mapping.schema.facts.__getitem__)
    loose = [OrderKey(key.expression, key.descending, key.nulls_first) for key in keys]
    cursor = write_cursor(loose, [value, UUID(int=1)])

    with Shop(store) as uow, pytest.raises(RuleRefused, match="is damaged"):
        uow.samples.page(order_by=order, limit=1, after=cursor)


@pytest.mark.parametrize(
    "number",
    [Decimal("1e100000000"), Decimal("1e-100000000"), Decimal("0e100000000"), Decimal("1e65"), Decimal("1e-77")],
)
def test_a_constant_that_no_column_holds_is_refused(store: Store, number: Decimal) -> None:
    rules: list[Callable[[Sample], bool]] = [
        lambda sample: sample.price is not None and sample.price < number,
        lambda sample: sample.price == number,
        lambda sample: sample.price in (Decimal(1), number),
        lambda sample: sample.price is not None and sample.price * number > 1,
    ]

    with Shop(store) as uow:
        for rule in rules:
            with pytest.raises(RuleRefused, match="a column holds at most"):
                uow.samples.find(rule)
