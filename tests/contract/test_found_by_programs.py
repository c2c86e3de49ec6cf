"""What random programs have found, and nobody had thought of."""

from __future__ import annotations

import pytest

from honestwork.domain import BadValue, Duplicate, KeyChanged, UnitReadOnly
from honestwork.service_layer import Store
from tests.contract.shop import Customer, Line, Order, Product, Shop


def test_an_aggregate_that_takes_over_a_key_keeps_nothing_of_the_old_one(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1", sku="old", quantity=3, rating=5))
        uow.commit()

    with uow:
        old = uow.products["A1"]
        new = Product("A1", quantity=1)
        uow.products.add(new)
        uow.products.remove(old)
        uow.commit()

    with Shop(store) as fresh:
        found = fresh.products["A1"]
        assert (found.sku, found.quantity, found.rating) == (None, 1, None)


def test_keys_are_given_in_the_order_of_adding_also_where_one_was_taken_back(uow: Shop) -> None:
    with uow:
        taken_back, first, second = (Customer(f"{name}@example.org") for name in "abc")
        uow.customers.add(taken_back)
        uow.customers.add(first)
        uow.customers.remove(taken_back)
        uow.customers.add(second)
        uow.flush()

        assert first.id < second.id


def test_an_aggregate_that_a_savepoint_has_not_changed_stays_as_it_is(uow: Shop) -> None:
    with uow:
        order = Order([Line("b", 1), Line("a", 2)])
        other = Order([Line("x", 1)])
        uow.orders.add(order)
        uow.orders.add(other)
        uow.commit()
        order.lines.append(Line("0", 3))
        uow.flush()
        as_it_is = [line.product for line in order.lines]

        with pytest.raises(ZeroDivisionError), uow.nested():
            other.lines.clear()
            uow.flush()
            raise ZeroDivisionError

        assert [line.product for line in order.lines] == as_it_is
        assert [line.product for line in other.lines] == ["x"]


def test_a_change_of_a_removed_object_is_undone_with_its_removal(uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1", sku="s"))
        uow.commit()
        product = uow.products["A1"]

        with pytest.raises(ZeroDivisionError), uow.nested():
            uow.products.remove(product)
            product.sku = "t"
            uow.flush()
            raise ZeroDivisionError

        assert uow.products["A1"] is product
        assert product.sku == "s"


def test_an_assigned_key_is_told_before_a_bad_value_of_another_object(uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1"))
        uow.products.add(Product("B2"))
        uow.commit()
        uow.products["A1"].quantity = "many"  # type: ignore[assignment]
        with pytest.raises(BadValue):
            uow.flush()
        uow.rollback()
        one, two = uow.products.all()
        one.quantity = "many"  # type: ignore[assignment]
        two.code = "C3"

        with pytest.raises(KeyChanged):
            uow.flush()


def test_a_reading_unit_refuses_a_known_key_because_it_reads(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1"))
        uow.commit()
        uow.products.get("A1")
        uow.products.add(Product("A1"))
        with pytest.raises(Duplicate):
            uow.flush()

    with Shop(store).reading() as reading:
        reading.products.get("A1")
        reading.products.add(Product("A1"))

        with pytest.raises(UnitReadOnly):
            reading.flush()
