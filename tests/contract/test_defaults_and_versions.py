"""What the store adds to a row: defaults, what is set on an update, versions."""

from __future__ import annotations

import pytest

from honestwork.domain import BadValue, MissingValue, ReferenceViolated
from honestwork.service_layer import Store
from tests.contract.shop import (
    Customer,
    Discount,
    Line,
    Order,
    Parcel,
    Product,
    Shop,
    Stop,
    orders,
    products,
    rows,
    stored,
)


def version_of(store: Store) -> int:
    (row,) = rows(store, orders)
    version: int = row["version"]
    return version


def test_defaults_are_filled_in_at_the_flush(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        assert lamp.status is None
        uow.flush()

        assert (lamp.status, lamp.shelf, lamp.is_sold, lamp.revision) == ("new", 11, False, 0)
        uow.commit()

    assert rows(store, products)[0].items() >= {"status": "new", "shelf": 11, "is_sold": False}.items()


def test_a_given_value_wins_over_the_default_also_when_it_is_empty(store: Store) -> None:
    lamp = Product("LAMP")
    lamp.status, lamp.shelf, lamp.is_sold = "", 0, True

    stored(store, lamp)

    assert rows(store, products)[0].items() >= {"status": "", "shelf": 0, "is_sold": True}.items()


def test_none_at_the_first_flush_is_the_default(store: Store) -> None:
    lamp = Product("LAMP")
    lamp.status = None  # type: ignore[assignment]
    lamp.shelf = None  # type: ignore[assignment]

    stored(store, lamp)

    assert (lamp.status, lamp.shelf) == ("new", 11)


@pytest.mark.parametrize("attribute", ["status", "shelf"])
def test_none_at_a_later_flush_is_no_default(store: Store, uow: Shop, attribute: str) -> None:
    stored(store, Product("LAMP"))
    with uow:
        setattr(uow.products["LAMP"], attribute, None)

        with pytest.raises(MissingValue) as caught:
            uow.commit()

    assert (caught.value.table, caught.value.columns) == ("products", (attribute,))


def test_onupdate_is_set_when_something_has_changed(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 1
        uow.flush()

        assert lamp.revision > 0
        uow.commit()

    assert rows(store, products)[0]["revision"] == lamp.revision


def test_onupdate_is_not_set_when_nothing_has_changed(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 1
        uow.commit()

    assert rows(store, products)[0]["revision"] == 0


def test_an_assigned_value_wins_over_onupdate(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 1
        lamp.revision = -1
        uow.commit()

    assert rows(store, products)[0]["revision"] == -1


def test_a_version_appears_at_the_flush(uow: Shop) -> None:
    order = Order()
    with uow:
        uow.orders.add(order)
        assert order.version is None
        uow.flush()

        assert type(order.version) is int


def test_a_version_rises_with_each_unit_that_changes_the_root(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        before = lamp.version
        lamp.quantity = 1
        uow.commit()

        assert lamp.version > before
        assert rows(store, products)[0]["version"] == lamp.version


def test_what_was_deleted_is_null(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", sku="1", details={"size": 1}, rating=3))
    with uow:
        lamp = uow.products["LAMP"]
        del lamp.sku, lamp.details, lamp.rating
        uow.commit()

        assert (lamp.sku, lamp.details, lamp.rating) == (None, None, None)

    assert [(row["sku"], row["details"], row["rating"]) for row in rows(store, products)] == [(None, None, None)]


@pytest.mark.parametrize("attribute", ["quantity", "sku", "rating", "status", "is_sold", "details"])
def test_assigning_the_same_value_is_no_change(store: Store, uow: Shop, attribute: str) -> None:
    lamp = Product("LAMP", details={"tags": ["new"]})
    stored(store, lamp)
    before = rows(store, products)
    with uow:
        lamp = uow.products["LAMP"]
        setattr(lamp, attribute, getattr(lamp, attribute))
        uow.commit()

    assert rows(store, products) == before


def test_a_change_that_is_taken_back_before_the_flush_is_no_change(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    before = rows(store, products)
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 2
        lamp.quantity = 1
        uow.commit()

    assert rows(store, products) == before


def test_a_change_of_json_in_place_is_stored_and_raises_the_version(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"a": {"b": [1]}}))
    (before,) = rows(store, products)
    with uow:
        uow.products["LAMP"].details["a"]["b"].append(2)
        uow.commit()

    (after,) = rows(store, products)
    assert after["details"] == {"a": {"b": [1, 2]}}
    assert after["version"] > before["version"]


def test_a_refused_change_of_a_member_leaves_the_version_as_it_was(store: Store, uow: Shop) -> None:
    order = Order([Line("LAMP")])
    stored(store, order)
    with uow:
        order = uow.orders[order.id]
        order.lines[0].quantity = 2
        order.customer_id = 99
        with pytest.raises(ReferenceViolated):
            uow.commit()

        assert order.version == 1


def test_json_that_was_changed_in_place_and_then_assigned_as_it_was_is_no_change(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"tags": []}))
    before = rows(store, products)
    with uow:
        lamp = uow.products["LAMP"]
        lamp.details["tags"].append("new")
        lamp.details = {"tags": []}
        uow.commit()

    assert rows(store, products) == before


def test_a_change_of_json_in_place_right_after_a_commit_is_stored(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP", details={"tags": []})
    with uow:
        uow.products.add(lamp)
        uow.commit()
        lamp.details["tags"].append("new")
        uow.commit()

    assert rows(store, products)[0]["details"] == {"tags": ["new"]}


def test_a_change_of_json_in_place_right_after_a_flush_is_stored(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP", details={"tags": []})
    with uow:
        uow.products.add(lamp)
        uow.flush()
        lamp.details["tags"].append("new")
        uow.flush()
        lamp.details["tags"].append("newer")
        uow.commit()

    assert rows(store, products)[0]["details"] == {"tags": ["new", "newer"]}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda order: order.lines.append(Line("CHAIR")), id="a member comes"),
        pytest.param(lambda order: order.lines.pop(), id="a member goes"),
        pytest.param(lambda order: setattr(order.lines[0], "quantity", 9), id="a member changes"),
        pytest.param(lambda order: order.lines[0].discounts.append(Discount(5)), id="a member of a member comes"),
        pytest.param(lambda order: order.lines[0].discounts.pop(), id="a member of a member goes"),
        pytest.param(
            lambda order: setattr(order.lines[0].discounts[0], "percent", 9), id="a member of a member changes"
        ),
        pytest.param(lambda order: order.stops.insert(0, order.stops.pop()), id="positions change"),
        pytest.param(lambda order: setattr(order, "parcel", Parcel(2)), id="a single member comes"),
        pytest.param(lambda order: setattr(order, "lines", []), id="all members go"),
    ],
)
def test_the_version_of_the_root_rises_when(store: Store, uow: Shop, change: object) -> None:
    order = Order(lines=[Line("LAMP", discounts=[Discount(3)])], stops=[Stop("Rome"), Stop("Oslo")])
    stored(store, order)
    before = version_of(store)
    with uow:
        change(uow.orders[order.id])  # type: ignore[operator]
        uow.commit()

        assert uow.orders[order.id].version > before

    assert version_of(store) > before


def test_reading_members_does_not_raise_the_version(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    before = version_of(store)
    with uow:
        line = uow.orders[order.id].lines[0]
        line.quantity = line.quantity + 0
        uow.commit()

    assert version_of(store) == before


def test_the_version_of_one_root_does_not_rise_with_another(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP")]), Order(lines=[Line("LAMP")])
    stored(store, one, two)
    with uow:
        before = uow.orders[two.id].version
        uow.orders[one.id].lines[0].quantity = 9
        uow.commit()

    with uow:
        assert uow.orders[two.id].version == before


def test_a_version_is_as_it_was_after_a_rollback(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    before = rows(store, products)
    with uow:
        uow.products["LAMP"].quantity = 1
        uow.flush()
        uow.rollback()

        assert uow.products["LAMP"].version == before[0]["version"]
    assert rows(store, products) == before


def test_a_version_that_is_assigned_is_refused(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products["LAMP"].version = 77

        with pytest.raises(BadValue) as caught:
            uow.commit()

    assert (caught.value.attribute, caught.value.value) == ("products.version", 77)


def test_a_version_given_to_a_new_object_is_not_the_one_that_is_stored(store: Store, uow: Shop) -> None:
    lamp, desk = Product("LAMP"), Product("DESK")
    lamp.version = 77
    stored(store, lamp, desk)

    assert lamp.version == desk.version
    assert {row["version"] for row in rows(store, products)} == {lamp.version}


def test_an_aggregate_without_a_version_is_changed_all_the_same(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    stored(store, customer)
    with uow:
        uow.customers[customer.id].lend(5)
        uow.commit()

    with uow:
        assert uow.customers[customer.id].credit == 5
