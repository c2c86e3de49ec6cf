"""What the schema promises is kept by every store, and broken promises are told in the same words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from honestwork.domain import CheckFailed, ConstraintViolated, Duplicate, MissingValue, ReferenceViolated
from honestwork.service_layer import Store
from tests.contract.shop import (
    Customer,
    Line,
    Order,
    Product,
    Seat,
    Shop,
    customers,
    orders,
    products,
    rows,
    seats,
    stored,
)


def refused(store: Store, *aggregates: Any) -> ConstraintViolated:
    """The error of storing these."""
    with pytest.raises(ConstraintViolated) as caught:
        stored(store, *aggregates)
    return caught.value


def facts(error: ConstraintViolated) -> tuple[type[ConstraintViolated], str, tuple[str, ...], str | None]:
    return type(error), error.table, error.columns, error.constraint


def test_a_key_cannot_be_stored_twice(store: Store) -> None:
    stored(store, Product("LAMP", quantity=1))

    error = refused(store, Product("LAMP", quantity=2))

    assert facts(error) == (Duplicate, "products", ("code",), "pk_products")
    assert [row["quantity"] for row in rows(store, products)] == [1]


def test_two_new_aggregates_cannot_have_the_same_key(store: Store) -> None:
    error = refused(store, Product("LAMP"), Product("LAMP"))

    assert facts(error) == (Duplicate, "products", ("code",), "pk_products")


def test_the_key_of_a_loaded_aggregate_cannot_be_stored_twice(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products["LAMP"].quantity = 1
        uow.products.add(Product("LAMP"))

        with pytest.raises(Duplicate) as caught:
            uow.commit()

    assert facts(caught.value) == (Duplicate, "products", ("code",), "pk_products")


def test_the_key_of_an_aggregate_that_others_have_removed_is_free_after_a_commit(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        uow.products["LAMP"]
        uow.commit()
        with Shop(store) as other:
            other.products.remove(other.products["LAMP"])
            other.commit()
        lamp = Product("LAMP", quantity=2)
        uow.products.add(lamp)
        uow.commit()

        assert uow.products["LAMP"] is lamp
    assert [row["quantity"] for row in rows(store, products)] == [2]


def test_a_compound_key_cannot_be_stored_twice(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John"))

    error = refused(store, Seat("A", 1, guest="Jane"))

    assert facts(error) == (Duplicate, "seats", ("hall", "number"), "pk_seats")


def test_a_key_that_the_client_makes_cannot_be_stored_twice(store: Store) -> None:
    stored(store, Order(id=UUID(int=1)))

    assert facts(refused(store, Order(id=UUID(int=1)))) == (Duplicate, "orders", ("id",), "pk_orders")


def test_a_unique_value_cannot_be_stored_twice(store: Store) -> None:
    stored(store, Product("LAMP", sku="one"))

    error = refused(store, Product("DESK", sku="one"))

    assert facts(error) == (Duplicate, "products", ("sku",), "uq_products_sku")
    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_a_unique_value_cannot_be_changed_to_another_ones(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one"), Product("DESK", sku="two"))
    with uow:
        uow.products["DESK"].sku = "one"

        with pytest.raises(Duplicate) as caught:
            uow.commit()

    assert facts(caught.value) == (Duplicate, "products", ("sku",), "uq_products_sku")


def test_missing_values_are_never_duplicates(store: Store) -> None:
    stored(store, Product("LAMP", sku=None), Product("DESK", sku=None))

    assert len(rows(store, products)) == 2


def test_empty_text_is_a_value_like_any_other(store: Store) -> None:
    stored(store, Product("LAMP", sku=""))

    assert facts(refused(store, Product("DESK", sku=""))) == (Duplicate, "products", ("sku",), "uq_products_sku")


def test_unique_text_is_told_apart_by_case_accent_and_spaces(store: Store) -> None:
    skus = ["a", "A", "ä", "a ", " a", "a\u0308", "ss", "ß"]

    stored(store, *(Product(str(number), sku=sku) for number, sku in enumerate(skus)))

    assert [row["sku"] for row in rows(store, products)] == skus


def test_a_compound_unique_value_cannot_be_stored_twice(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John", meal="fish"))

    error = refused(store, Seat("A", 2, guest="John", meal="fish"))

    assert facts(error) == (Duplicate, "seats", ("guest", "meal"), "uq_seats_guest_meal")


def test_a_compound_unique_value_with_a_missing_part_is_never_a_duplicate(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John"), Seat("A", 2, guest="John"), Seat("A", 3, guest="John", meal="fish"))

    assert len(rows(store, seats)) == 3


def test_a_new_aggregate_takes_over_the_unique_value_of_a_removed_one_in_one_flush(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one"))
    with uow:
        uow.products.remove(uow.products["LAMP"])
        uow.products.add(Product("DESK", sku="one"))
        uow.commit()

    assert [(row["code"], row["sku"]) for row in rows(store, products)] == [("DESK", "one")]


def test_a_unique_value_is_free_after_the_flush_of_the_removal(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one"))
    with uow:
        uow.products.remove(uow.products["LAMP"])
        uow.flush()
        uow.products.add(Product("DESK", sku="one"))
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["DESK"]


def test_a_unique_value_that_is_given_up_is_free_for_a_new_aggregate_in_the_same_flush(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one"))
    with uow:
        uow.products["LAMP"].sku = "two"
        uow.products.add(Product("DESK", sku="one"))
        uow.commit()

    assert [row["sku"] for row in rows(store, products)] == ["one", "two"]


def test_unique_values_are_swapped_in_one_flush(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one"), Product("DESK", sku="two"))
    with uow:
        lamp, desk = uow.products["LAMP"], uow.products["DESK"]
        lamp.sku, desk.sku = desk.sku, lamp.sku
        uow.commit()

        assert (lamp.sku, desk.sku) == ("two", "one")

    assert [(row["code"], row["sku"]) for row in rows(store, products)] == [("DESK", "one"), ("LAMP", "two")]


def test_a_removed_aggregate_can_be_replaced_by_one_with_the_same_key(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="one", quantity=1, details={"old": True}))
    with uow:
        uow.products.remove(uow.products["LAMP"])
        uow.products.add(Product("LAMP", sku="one", quantity=2))
        uow.commit()

        assert uow.products["LAMP"].quantity == 2

    with uow:
        lamp = uow.products["LAMP"]
        assert (lamp.sku, lamp.quantity, lamp.details, lamp.status) == ("one", 2, None, "new")
    assert len(rows(store, products)) == 1


def test_an_aggregate_can_be_replaced_with_all_its_members(store: Store, uow: Shop) -> None:
    old = Order(lines=[Line("LAMP")])
    stored(store, old)
    with uow:
        uow.orders.remove(uow.orders[old.id])
        uow.orders.add(Order(id=old.id, lines=[Line("DESK")]))
        uow.commit()

    with uow:
        assert [line.product for line in uow.orders[old.id].lines] == ["DESK"]


@pytest.mark.parametrize(
    ("aggregate", "table", "column"),
    [
        (lambda: Product("LAMP", quantity=None), "products", "quantity"),  # type: ignore[arg-type]
        (lambda: Customer(None), "customers", "email"),  # type: ignore[arg-type]
        (lambda: Order(lines=[Line(None)]), "orders", "product"),  # type: ignore[arg-type]
        (lambda: Seat("A", 1, guest=None), "seats", "guest"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_must_be_there_is_missed(store: Store, aggregate: Any, table: str, column: str) -> None:
    error = refused(store, aggregate())

    assert facts(error) == (MissingValue, "order_lines" if column == "product" else table, (column,), None)


def test_a_value_that_must_be_there_cannot_be_taken_away(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products["LAMP"].quantity = None  # type: ignore[assignment]

        with pytest.raises(MissingValue) as caught:
            uow.commit()

    assert facts(caught.value) == (MissingValue, "products", ("quantity",), None)


def test_a_check_is_enforced_when_a_row_is_new(store: Store) -> None:
    error = refused(store, Product("LAMP", quantity=-1))

    assert facts(error) == (CheckFailed, "products", ("quantity",), "ck_products_quantity")


def test_a_check_is_enforced_when_a_row_changes(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", rating=1))
    with uow:
        uow.products["LAMP"].rating = 6

        with pytest.raises(CheckFailed) as caught:
            uow.commit()

    assert facts(caught.value) == (CheckFailed, "products", ("rating",), "ck_products_rating")


def test_a_check_of_a_missing_value_passes(store: Store) -> None:
    stored(store, Product("LAMP", rating=None))

    assert len(rows(store, products)) == 1


def test_a_reference_needs_its_target(store: Store) -> None:
    error = refused(store, Order(customer_id=99))

    assert facts(error) == (ReferenceViolated, "orders", ("customer_id",), "fk_orders_customer_id")
    assert rows(store, orders) == []


def test_a_reference_cannot_be_changed_to_no_target(store: Store, uow: Shop) -> None:
    order = Order()
    stored(store, order)
    with uow:
        uow.orders[order.id].customer_id = 99

        with pytest.raises(ReferenceViolated):
            uow.commit()


def test_a_missing_reference_needs_no_target(store: Store) -> None:
    stored(store, Order(customer_id=None))

    assert len(rows(store, orders)) == 1


def test_what_others_refer_to_cannot_be_removed(store: Store, uow: Shop, has_one_writer: bool) -> None:
    customer = Customer("john@example.org")
    stored(store, customer)
    stored(store, Order(customer_id=customer.id))
    with uow:
        uow.customers.remove(uow.customers[customer.id])

        with pytest.raises(ReferenceViolated) as caught:
            uow.commit()

    told = (ReferenceViolated, "orders", ("customer_id",), "fk_orders_customer_id")
    assert facts(caught.value) in ([told, (ReferenceViolated, "", (), None)] if has_one_writer else [told])
    assert len(rows(store, customers)) == 1


def test_what_others_referred_to_can_be_removed_when_they_let_go(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    stored(store, customer)
    order = Order(customer_id=customer.id)
    stored(store, order)
    with uow:
        uow.orders[order.id].customer_id = None
        uow.customers.remove(uow.customers[customer.id])
        uow.commit()

    assert rows(store, customers) == []


def test_both_ends_of_a_reference_can_be_removed_in_any_order(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    stored(store, customer)
    order = Order(customer_id=customer.id)
    stored(store, order)
    with uow:
        john, bill = uow.customers[customer.id], uow.orders[order.id]
        uow.customers.remove(john)
        uow.orders.remove(bill)
        uow.commit()

    assert (rows(store, customers), rows(store, orders)) == ([], [])


def test_nothing_of_a_refused_unit_is_stored(store: Store) -> None:
    refused(store, Customer("john@example.org"), Seat("A", 1), Product("LAMP"), Product("LAMP"))

    assert (rows(store, customers), rows(store, seats), rows(store, products)) == ([], [], [])
