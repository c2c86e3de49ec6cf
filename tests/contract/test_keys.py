"""Keys: given by the client or by the database, of the right type, and never changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from honestwork.domain import BadValue, ForeignObject, KeyChanged, MissingValue, NotFound
from honestwork.service_layer import Store
from tests.contract.shop import (
    Customer,
    Discount,
    Line,
    Order,
    Product,
    Sample,
    Seat,
    Shop,
    customers,
    lines,
    orders,
    products,
    rows,
    samples,
    seats,
    stored,
    two_units,
)


def test_a_generated_key_is_unset_until_the_flush(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        before = customer.id
        uow.flush()

        assert before is None
        assert type(customer.id) is int


def test_generated_keys_rise_in_the_order_of_adding(uow: Shop) -> None:
    made = [Customer(f"{name}@example.org") for name in "dcba"]
    with uow:
        uow.customers.add_many(made)
        uow.flush()

        keys = [customer.id for customer in made]
        assert keys == sorted(keys)
        assert len(set(keys)) == 4


def test_generated_keys_rise_from_flush_to_flush(uow: Shop) -> None:
    one, two = Customer("one@example.org"), Customer("two@example.org")
    with uow:
        uow.customers.add(one)
        uow.flush()
        uow.customers.add(two)
        uow.flush()

        assert one.id < two.id


def test_the_key_of_a_removed_aggregate_is_never_given_again(store: Store, uow: Shop) -> None:
    first, second = Customer("one@example.org"), Customer("two@example.org")
    stored(store, first)
    with uow:
        uow.customers.remove(uow.customers[first.id])
        uow.commit()

    stored(store, second)

    assert second.id > first.id


def test_a_generated_key_is_taken_back_when_the_unit_ends_without_a_commit(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        uow.flush()

    assert customer.id is None


def test_a_generated_key_is_taken_back_by_a_rollback(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        uow.flush()
        uow.rollback()

        assert customer.id is None


def test_a_generated_key_of_a_committed_aggregate_stays_after_a_later_rollback(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        uow.commit()
        key = customer.id
        uow.rollback()

        assert uow.customers[key].email == "john@example.org"


def test_giving_a_key_that_is_generated_is_refused(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    customer.id = 100
    with uow:
        uow.customers.add(customer)

        with pytest.raises(BadValue) as caught:
            uow.flush()

    assert (caught.value.attribute, caught.value.value) == ("customers.id", 100)
    assert rows(store, customers) == []


def test_giving_a_generated_key_of_a_member_is_refused(store: Store, uow: Shop) -> None:
    line = Line("LAMP")
    line.id = 100
    with uow:
        uow.orders.add(Order(lines=[line]))

        with pytest.raises(BadValue) as caught:
            uow.flush()

    assert caught.value.attribute == "order_lines.id"


def test_members_get_their_keys_and_the_key_of_their_owner(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP", discounts=[Discount(5)])])
    with uow:
        uow.orders.add(order)
        uow.flush()
        line = order.lines[0]
        assert type(line.id) is int
        assert type(line.discounts[0].id) is int
        uow.commit()

    assert [(row["id"], row["order_id"]) for row in rows(store, lines)] == [(line.id, order.id)]


def test_a_key_that_the_client_makes_is_known_at_once(store: Store, uow: Shop) -> None:
    order = Order()
    with uow:
        uow.orders.add(order)

        assert uow.orders[order.id] is order


def test_a_key_with_a_default_appears_at_the_flush(uow: Shop) -> None:
    sample = Sample()
    with uow:
        uow.samples.add(sample)
        uow.flush()

        assert type(sample.id) is UUID
        assert uow.samples[sample.id] is sample


def test_a_key_with_a_default_may_be_given(store: Store) -> None:
    key = uuid4()

    stored(store, Sample(id=key))

    assert [row["id"] for row in rows(store, samples)] == [key]


def test_a_missing_natural_key_is_refused(uow: Shop) -> None:
    with uow:
        uow.products.add(Product(None))  # type: ignore[arg-type]

        with pytest.raises(MissingValue) as caught:
            uow.flush()

    assert (caught.value.table, caught.value.columns) == ("products", ("code",))


def test_a_missing_part_of_a_compound_key_is_refused(uow: Shop) -> None:
    with uow:
        uow.seats.add(Seat("A", None))  # type: ignore[arg-type]

        with pytest.raises(MissingValue) as caught:
            uow.flush()

    assert (caught.value.table, caught.value.columns) == ("seats", ("number",))


def test_a_compound_key_is_a_tuple_in_the_order_of_the_columns(store: Store, uow: Shop) -> None:
    stored(store, Seat("A", 1, guest="John"), Seat("A", 2, guest="Jane"), Seat("B", 1, guest="Jim"))

    with uow:
        assert uow.seats["A", 2].guest == "Jane"
        assert uow.seats.get(("B", 2)) is None
        assert ("B", 1) in uow.seats
        assert [(seat.hall, seat.number) for seat in uow.seats] == [("A", 1), ("A", 2), ("B", 1)]


@pytest.mark.parametrize("key", ["1", 1.0, True, None, 2**31, -(2**31) - 1, (1,), b"1"])
def test_an_integer_key_of_another_type_is_refused(store: Store, uow: Shop, key: Any) -> None:
    stored(store, Customer("john@example.org"))
    with uow:
        uow.customers.all()

        with pytest.raises(BadValue):
            uow.customers.get(key)
        with pytest.raises(BadValue):
            key in uow.customers  # noqa: B015
        with pytest.raises(BadValue):
            uow.customers[key]

        assert len(uow.customers) == 1  # nothing has failed


@pytest.mark.parametrize("key", [1, b"LAMP", None, "x" * 21, "LA\0MP", "\ud800", ("LAMP",)])
def test_a_text_key_of_another_type_is_refused(uow: Shop, key: Any) -> None:
    with uow, pytest.raises(BadValue):
        uow.products.get(key)


@pytest.mark.parametrize("key", ["6b8b4567-327b-43c6-a432-8d9a4b5c6d7e", 7, None, b"x" * 16])
def test_a_uuid_key_of_another_type_is_refused(uow: Shop, key: Any) -> None:
    with uow, pytest.raises(BadValue):
        uow.orders.get(key)


@pytest.mark.parametrize("key", ["A", ("A",), ("A", "1"), (1, "A"), ["A", 1], ("A", 1, 1), ("A", None), None])
def test_a_compound_key_of_another_shape_is_refused(uow: Shop, key: Any) -> None:
    with uow, pytest.raises(BadValue):
        uow.seats.get(key)


def test_a_key_that_no_row_has_is_not_found(uow: Shop) -> None:
    with uow:
        assert uow.customers.get(1) is None
        assert uow.customers.get(0) is None
        assert uow.customers.get(-1) is None
        with pytest.raises(NotFound, match="Customer"):
            uow.customers[1]
        with pytest.raises(LookupError):
            uow.orders[uuid4()]


def test_text_keys_are_told_apart_by_case_accent_and_spaces(store: Store, uow: Shop) -> None:
    codes = ["a", "A", "ä", "a ", " a", "á", "ß", "ss", "\u00e9", "e\u0301", "\U0001d11e", "☃"]
    stored(store, *(Product(code) for code in codes))

    with uow:
        assert [uow.products[code].code for code in codes] == codes
        assert uow.products.get("Ä") is None
        assert uow.products.get("a  ") is None


def test_text_keys_are_in_the_order_of_code_points(store: Store, uow: Shop) -> None:
    codes = ["b", "B", "a", "A", "ä", "z", "_", "1", "10", "2", "a b", "ab", "\U0001d11e", "\uffee", "~", " "]
    stored(store, *(Product(code) for code in codes))

    with uow:
        assert [product.code for product in uow.products] == sorted(codes)


def test_uuid_keys_are_in_order_and_the_same_on_every_store(store: Store, uow: Shop) -> None:
    keys = [UUID(int=number << shift) for number in (1, 2, 3, 255) for shift in (0, 40, 64, 120)]
    stored(store, *(Order(id=key) for key in keys))

    with uow:
        assert [order.id for order in uow.orders] == sorted(keys)


def test_the_key_of_a_stored_aggregate_never_changes(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products["LAMP"].code = "DESK"

        with pytest.raises(KeyChanged):
            uow.flush()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_a_key_cannot_become_none(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products["LAMP"].code = None  # type: ignore[assignment]

        with pytest.raises(KeyChanged):
            uow.commit()


def test_a_part_of_a_compound_key_never_changes(store: Store, uow: Shop) -> None:
    stored(store, Seat("A", 1))
    with uow:
        uow.seats["A", 1].number = 2

        with pytest.raises(KeyChanged):
            uow.commit()

    assert [row["number"] for row in rows(store, seats)] == [1]


def test_a_generated_key_never_changes(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    stored(store, customer)
    with uow:
        uow.customers[customer.id].id = customer.id + 1

        with pytest.raises(KeyChanged):
            uow.commit()


def test_the_key_of_a_member_never_changes(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    with uow:
        uow.orders[order.id].lines[0].id += 1

        with pytest.raises(KeyChanged):
            uow.commit()


def test_a_key_that_was_changed_and_changed_back_is_no_change(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    before = rows(store, products)
    with uow:
        lamp = uow.products["LAMP"]
        lamp.code = "DESK"
        lamp.code = "LAMP"
        uow.commit()

    assert rows(store, products) == before


def test_a_key_may_be_set_before_the_first_flush(store: Store, uow: Shop) -> None:
    order = Order()
    with uow:
        uow.orders.add(order)
        order.id = UUID(int=7)
        uow.commit()

    assert [row["id"] for row in rows(store, orders)] == [UUID(int=7)]


def test_an_object_whose_key_another_one_has_taken_belongs_to_the_unit_no_more(store: Store) -> None:
    stored(store, Product("A1", sku="old"))
    with two_units(store) as (uow, other):
        gone = uow.products["A1"]
        uow.commit()
        other.products.remove(other.products["A1"])
        other.commit()
        uow.products.add(Product("A1", sku="new"))
        uow.flush()

        with pytest.raises(ForeignObject):
            uow.products.remove(gone)
        uow.commit()

    assert [row["sku"] for row in rows(store, products)] == ["new"]


def test_a_change_of_an_object_whose_key_another_one_has_taken_is_not_stored(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John"))
    with two_units(store) as (uow, other):
        gone = uow.seats["A", 1]
        uow.commit()
        other.seats.remove(other.seats["A", 1])
        other.commit()
        gone.guest = "Jane"
        uow.seats.add(Seat("A", 1, guest="Jim"))
        uow.commit()

    with Shop(store) as fresh:
        assert [seat.guest for seat in fresh.seats] == ["Jim"]


def test_a_new_member_of_an_aggregate_whose_key_another_one_has_taken_is_not_stored(store: Store) -> None:
    old = Order([Line("LAMP")])
    stored(store, old)
    with two_units(store) as (uow, other):
        gone = uow.orders[old.id]
        uow.commit()
        other.orders.remove(other.orders[old.id])
        other.commit()
        new = Order([Line("DESK")])
        new.id = old.id
        uow.orders.add(new)
        sofa = Line("SOFA")
        gone.lines.append(sofa)
        uow.commit()

        assert not hasattr(sofa, "id") or sofa.id is None
    assert [row["product"] for row in rows(store, lines)] == ["DESK"]
