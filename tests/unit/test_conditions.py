"""What an aggregate can be found by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from honestwork.adapters.queries.conditions import conditions
from honestwork.domain import BadValue
from tests.contract.shop import Customer, Money, Order, Product, mapping


def found(cls: type[object], **equal: object) -> dict[str, Any]:
    pairs = conditions(mapping.schema.entities[cls], equal)
    return {place.column.name: value for place, value in pairs}


def test_an_attribute_is_its_column() -> None:
    assert found(Product, code="LAMP", quantity=3) == {"code": "LAMP", "quantity": 3}


def test_nothing_is_no_condition() -> None:
    assert found(Product) == {}


def test_none_stays_none() -> None:
    assert found(Product, sku=None) == {"sku": None}


def test_a_private_attribute_is_found_by_its_own_name_and_by_that_of_its_column() -> None:
    assert found(Customer, _credit=1) == found(Customer, credit=1) == {"credit": 1}


def test_a_value_object_is_all_of_its_columns() -> None:
    assert found(Order, price=Money(Decimal("1.5"), "EUR")) == {"amount": Decimal("1.50"), "currency": "EUR"}
    assert found(Order, price=None) == {"amount": None, "currency": None}


@pytest.mark.parametrize(
    "equal",
    [{"nothing": 1}, {"details": {}}, {"details": None}, {"quantity": "1"}, {"quantity": 2**31}, {"code": "x" * 21}],
)
def test_what_no_row_can_have_is_refused(equal: dict[str, Any]) -> None:
    with pytest.raises(BadValue):
        found(Product, **equal)


@pytest.mark.parametrize("price", [("1.5", "EUR"), 1, Money(Decimal("1.005"), "EUR")])
def test_a_value_object_of_another_kind_is_refused(price: Any) -> None:
    with pytest.raises(BadValue):
        found(Order, price=price)


def test_a_refusal_tells_by_what_it_can_be_found() -> None:
    with pytest.raises(BadValue, match=r"Order cannot be found by 'total': by .*price"):
        found(Order, total=1)
