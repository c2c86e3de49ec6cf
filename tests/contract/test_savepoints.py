"""`with uow.nested():` is stored with the unit, or undone alone."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from honestwork.adapters.engine import session as engine
from honestwork.domain import Conflict, Duplicate, UnitClosed, UnitFailed, UnitNested, UnreadableRow
from honestwork.service_layer import Store
from tests.contract.shop import (
    Customer,
    Discount,
    Line,
    Money,
    Order,
    Parcel,
    Product,
    Seat,
    Shop,
    lines,
    parcels,
    products,
    rows,
    stored,
    two_units,
)


class Stop(Exception):
    pass


def codes(store: Store) -> list[str]:
    return [row["code"] for row in rows(store, products)]


def test_a_block_that_succeeds_is_stored_with_the_unit(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        with uow.nested():
            uow.products.add(Product("DESK"))
        uow.commit()

    assert codes(store) == ["DESK", "LAMP"]


def test_a_block_that_succeeds_is_lost_with_the_unit(store: Store, uow: Shop) -> None:
    with uow, uow.nested():
        uow.products.add(Product("DESK"))

    assert codes(store) == []


def test_a_block_that_succeeds_is_undone_by_a_later_rollback(store: Store, uow: Shop) -> None:
    with uow:
        with uow.nested():
            uow.products.add(Product("DESK"))
        uow.rollback()
        uow.products.add(Product("LAMP"))
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_a_block_that_raises_is_undone_and_the_unit_goes_on(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        with suppress(Stop), uow.nested():
            uow.products.add(Product("DESK"))
            raise Stop
        uow.products.add(Product("SOFA"))
        uow.commit()

    assert codes(store) == ["LAMP", "SOFA"]


def test_a_duplicate_inside_of_a_block_undoes_the_block_alone(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        uow.products.add(Product("SOFA"))
        with pytest.raises(Duplicate), uow.nested():
            uow.products.add(Product("DESK"))
            uow.products.add(Product("LAMP"))
        uow.commit()

    assert codes(store) == ["LAMP", "SOFA"]


def test_an_error_that_was_caught_inside_of_a_block_still_undoes_it(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        with pytest.raises(UnitFailed), uow.nested():
            uow.products.add(Product("DESK"))
            uow.products.add(Product("LAMP"))
            with suppress(Duplicate):
                uow.flush()
        uow.products.add(Product("SOFA"))
        uow.commit()

    assert codes(store) == ["LAMP", "SOFA"]


def test_changes_inside_of_an_undone_block_are_taken_back_from_the_object(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1, details={"tags": []}))
    with uow:
        lamp = uow.products["LAMP"]
        version = lamp.version
        with suppress(Stop), uow.nested():
            lamp.quantity = 9
            lamp.details["tags"].append("new")
            uow.flush()
            raise Stop

        assert (lamp.quantity, lamp.details, lamp.version) == (1, {"tags": []}, version)
        assert uow.products["LAMP"] is lamp
        uow.commit()

    assert rows(store, products)[0].items() >= {"quantity": 1, "details": {"tags": []}}.items()


def test_unflushed_changes_inside_of_an_undone_block_are_taken_back_too(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1, details={"tags": []}))
    with uow:
        lamp = uow.products["LAMP"]
        with suppress(Stop), uow.nested():
            lamp.quantity = 9
            lamp.details["tags"].append("new")
            raise Stop

        assert (lamp.quantity, lamp.details) == (1, {"tags": []})


def test_changes_before_an_undone_block_are_kept(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 2
        with suppress(Stop), uow.nested():
            lamp.quantity = 9
            raise Stop
        assert lamp.quantity == 2
        uow.commit()

    assert rows(store, products)[0]["quantity"] == 2


def test_a_removal_inside_of_an_undone_block_is_taken_back(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        lamp = uow.products["LAMP"]
        with suppress(Stop), uow.nested():
            uow.products.remove(lamp)
            uow.flush()
            raise Stop

        assert uow.products["LAMP"] is lamp
        lamp.quantity = 2
        uow.commit()

    assert [row["quantity"] for row in rows(store, products)] == [2]


@pytest.mark.parametrize("flushed", [False, True])
def test_what_is_done_to_a_removed_object_inside_of_an_undone_block_is_taken_back(
    store: Store, uow: Shop, flushed: bool
) -> None:
    stored(store, Product("LAMP", quantity=1), Product("SOFA", details={"size": 1}))
    order = Order(lines=[Line("DESK")])
    stored(store, order)
    with uow:
        lamp, sofa, line = uow.products["LAMP"], uow.products["SOFA"], uow.orders[order.id].lines[0]
        with suppress(Stop), uow.nested():
            for product in (lamp, sofa):
                uow.products.remove(product)
            uow.orders.remove(uow.orders[order.id])
            uow.flush()
            lamp.quantity, sofa.details["size"], line.quantity = 9, 9, 9
            if flushed:
                uow.flush()
            raise Stop

        assert (lamp.quantity, sofa.details, line.quantity) == (1, {"size": 1}, 1)
        uow.commit()

    assert [(row["quantity"], row["details"]) for row in rows(store, products)] == [(1, None), (0, {"size": 1})]
    assert [row["quantity"] for row in rows(store, lines)] == [1]


def test_json_of_an_object_whose_removal_was_undone_can_be_changed_in_place(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", details={"size": 1}))
    with uow:
        lamp = uow.products["LAMP"]
        with suppress(Stop), uow.nested():
            uow.products.remove(lamp)
            uow.flush()
            raise Stop
        lamp.details["size"] = 2
        uow.commit()

    assert [row["details"] for row in rows(store, products)] == [{"size": 2}]


def test_a_member_that_came_after_a_flush_of_nothing_goes_with_an_undone_block(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK")], customer_id=None)
    stored(store, order)
    with uow:
        order = uow.orders[order.id]
        with suppress(Stop), uow.nested():
            order.customer_id = None  # as it was
            uow.flush()
            order.lines.append(Line("LAMP"))
            raise Stop

        assert [line.product for line in order.lines] == ["DESK"]
        uow.commit()

    assert [row["product"] for row in rows(store, lines)] == ["DESK"]


@pytest.mark.parametrize("flushed", [False, True])
def test_a_member_that_an_undone_block_has_taken_out_can_be_changed(store: Store, uow: Shop, flushed: bool) -> None:
    """The ORM alone goes on taking it for an orphan, and deletes it."""
    order = Order(lines=[Line("DESK"), Line("LAMP")], parcel=Parcel(1))
    stored(store, order)
    with uow:
        order = uow.orders[order.id]
        with suppress(Stop), uow.nested():
            order.lines.pop(0)
            order.parcel = None
            if flushed:
                uow.flush()
            raise Stop
        order.lines[0].quantity = 2
        assert order.parcel is not None
        order.parcel.weight = 3
        uow.commit()

    assert [(row["product"], row["quantity"]) for row in rows(store, lines)] == [("DESK", 2), ("LAMP", 1)]
    assert [row["weight"] for row in rows(store, parcels)] == [3]


def test_members_inside_of_an_undone_block_are_taken_back(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK"), Line("LAMP")])
    stored(store, order)
    with uow:
        order = uow.orders[order.id]
        with suppress(Stop), uow.nested():
            order.lines.pop(0)
            order.lines[0].quantity = 9
            order.lines.append(Line("SOFA"))
            uow.flush()
            raise Stop

        assert [(line.product, line.quantity) for line in order.lines] == [("DESK", 1), ("LAMP", 1)]
        uow.commit()

    assert [row["product"] for row in rows(store, lines)] == ["DESK", "LAMP"]


def test_what_was_added_inside_of_an_undone_block_is_new_again(store: Store, uow: Shop) -> None:
    customer, order = Customer("john@example.org"), Order(lines=[Line("LAMP")])
    with uow:
        with suppress(Stop), uow.nested():
            uow.customers.add(customer)
            uow.orders.add(order)
            uow.flush()
            raise Stop
        assert customer.id is None
        assert uow.orders.get(order.id) is None

        uow.customers.add(customer)
        uow.orders.add(order)
        uow.commit()

    with uow:
        assert uow.customers[customer.id].email == "john@example.org"
        assert [line.product for line in uow.orders[order.id].lines] == ["LAMP"]


def test_what_was_added_before_an_undone_block_survives(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        with suppress(Stop), uow.nested():
            raise Stop
        key = customer.id

        assert uow.customers[key] is customer
        uow.commit()

    with uow:
        assert uow.customers[key].email == "john@example.org"


def test_a_unique_value_is_free_after_an_undone_block(store: Store, uow: Shop) -> None:
    with uow:
        with suppress(Stop), uow.nested():
            uow.products.add(Product("LAMP", sku="one"))
            uow.flush()
            raise Stop
        uow.products.add(Product("DESK", sku="one"))
        uow.commit()

    assert codes(store) == ["DESK"]


def test_blocks_nest(store: Store, uow: Shop) -> None:
    with uow:
        with suppress(Stop), uow.nested():
            uow.products.add(Product("A"))
            with uow.nested():
                uow.products.add(Product("B"))
            with suppress(Stop), uow.nested():
                uow.products.add(Product("C"))
                raise Stop
            assert [product.code for product in uow.products] == ["A", "B"]
            raise Stop
        uow.products.add(Product("D"))
        with uow.nested():
            uow.products.add(Product("E"))
            with suppress(Stop), uow.nested():
                uow.products["D"].quantity = 9
                raise Stop
            with uow.nested():
                uow.products["E"].quantity = 5
        uow.commit()

    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("D", 0), ("E", 5)]


def test_blocks_follow_one_another(store: Store, uow: Shop) -> None:
    with uow:
        for code in "ABCD":
            with suppress(Stop), uow.nested():
                uow.products.add(Product(code))
                if code in "BD":
                    raise Stop
        uow.commit()

    assert codes(store) == ["A", "C"]


def test_a_block_after_a_commit_is_undone_alone(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
        with suppress(Stop), uow.nested():
            uow.products["LAMP"].quantity = 9
            uow.products.add(Product("DESK"))
            raise Stop
        uow.commit()

    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("LAMP", 0)]


def test_commit_inside_of_a_block_is_refused(store: Store, uow: Shop) -> None:
    with uow:
        with uow.nested():
            uow.products.add(Product("LAMP"))
            with pytest.raises(UnitNested):
                uow.commit()
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_rollback_inside_of_a_block_is_refused(store: Store, uow: Shop) -> None:
    with uow:
        with uow.nested():
            uow.products.add(Product("LAMP"))
            with pytest.raises(UnitNested):
                uow.rollback()
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_an_error_before_a_block_keeps_it_from_opening(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products.add(Product("LAMP"))
        with pytest.raises(Duplicate), uow.nested():
            raise AssertionError("not reached")
        with pytest.raises(UnitFailed):
            uow.commit()

        uow.rollback()
        uow.products.add(Product("DESK"))
        uow.commit()

    assert codes(store) == ["DESK", "LAMP"]


def test_an_undone_block_gives_an_object_whose_row_is_gone_what_it_had(store: Store) -> None:
    stored(store, Product("A1", sku="s", quantity=3, details={"n": [1]}))
    with two_units(store) as (uow, other):
        product = uow.products["A1"]
        uow.commit()
        other.products.remove(other.products["A1"])
        other.commit()

        with pytest.raises(Conflict), uow.nested():
            product.sku = "t"
            product.details["n"].append(2)

        assert (product.sku, product.quantity, product.details) == ("s", 3, {"n": [1]})
        assert "A1" not in uow.products
        uow.products.add(Product("A2"))
        uow.commit()

    with Shop(store) as fresh:
        assert [product.code for product in fresh.products.all()] == ["A2"]


def test_an_undone_block_gives_an_object_of_one_plain_row_what_it_had(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John"))
    with two_units(store) as (uow, other):
        seat = uow.seats["A", 1]
        uow.commit()
        other.seats.remove(other.seats["A", 1])
        other.commit()

        with pytest.raises(Conflict), uow.nested():
            seat.guest = "Jane"

        assert (seat.guest, seat.meal) == ("John", None)


def test_an_undone_block_gives_an_aggregate_whose_rows_are_gone_the_members_it_had(store: Store) -> None:
    order = Order([Line("a", 1, [Discount(5)]), Line("b", 2)], price=Money(Decimal("1.50"), "EUR"))
    stored(store, order)
    with two_units(store) as (uow, other):
        mine = uow.orders[order.id]
        uow.commit()
        other.orders.remove(other.orders[order.id])
        other.commit()
        gone, kept = mine.lines

        with pytest.raises(Conflict), uow.nested():
            gone.discounts[0].percent = 6
            mine.lines.remove(gone)
            mine.lines.append(Line("c"))
            kept.product = "d"
            mine.price = None
            mine.parcel = Parcel(1)

        assert mine.lines == [gone, kept]
        assert [(line.product, [each.percent for each in line.discounts]) for line in mine.lines] == [
            ("a", [5]),
            ("b", []),
        ]
        assert (mine.price, mine.parcel) == (Money(Decimal("1.50"), "EUR"), None)


def test_a_block_that_is_left_after_its_unit_has_ended_is_refused(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        block = uow.nested()
        block.__enter__()
        uow.products["LAMP"].quantity = 2

    with pytest.raises(UnitClosed):
        block.__exit__(None, None, None)

    assert [row["quantity"] for row in rows(store, products)] == [1]


def test_a_unit_whose_objects_cannot_be_read_again_after_an_undone_block_refuses_to_commit(
    store: Store, uow: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(store, Product("LAMP", quantity=1))

    def cannot_read(*about: object) -> None:
        raise UnreadableRow("products: cannot read a row", table="products")

    with uow:
        lamp = uow.products["LAMP"]
        with pytest.raises(UnreadableRow), uow.nested():
            lamp.quantity = 2
            uow.flush()
            monkeypatch.setattr(engine, "load", cannot_read)
            raise ValueError

        monkeypatch.undo()
        with pytest.raises(UnitFailed):
            uow.commit()
