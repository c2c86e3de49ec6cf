"""An aggregate is stored, loaded, changed and removed whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from honestwork.domain import BadValue, ForeignObject, MissingValue, Repository, UnitFailed
from honestwork.service_layer import Store, UnitOfWork
from tests.contract.shop import (
    Address,
    Customer,
    Discount,
    Line,
    Money,
    Order,
    Parcel,
    Shop,
    Stop,
    addresses,
    discounts,
    lines,
    orders,
    parcels,
    rows,
    stops,
    stored,
    two_units,
)


def products_of(store: Store, order: Order) -> list[tuple[str, int]]:
    with Shop(store) as uow:
        return [(line.product, line.quantity) for line in uow.orders[order.id].lines]


def places_of(store: Store, order: Order) -> list[str]:
    with Shop(store) as uow:
        return [stop.place for stop in uow.orders[order.id].stops]


def full_order() -> Order:
    return Order(
        lines=[Line("LAMP", discounts=[Discount(5), Discount(10)]), Line("DESK")],
        stops=[Stop("Rome"), Stop("Oslo")],
        parcel=Parcel(3),
        price=Money(Decimal("9.90"), "EUR"),
    )


def test_an_aggregate_comes_back_whole(store: Store, uow: Shop) -> None:
    order = full_order()
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        assert [line.product for line in found.lines] == ["DESK", "LAMP"]
        assert [discount.percent for discount in found.lines[1].discounts] == [5, 10]
        assert [stop.place for stop in found.stops] == ["Rome", "Oslo"]
        assert found.parcel is not None
        assert found.parcel.weight == 3
        assert found.price == Money(Decimal("9.90"), "EUR")


def test_many_aggregates_come_back_whole(store: Store, uow: Shop) -> None:
    stored(store, *(Order(lines=[Line(f"{number}", discounts=[Discount(number)])]) for number in range(5)))

    with uow:
        found = uow.orders.all()

    assert sorted(int(order.lines[0].product) for order in found) == [0, 1, 2, 3, 4]
    assert all(order.lines[0].discounts[0].percent == int(order.lines[0].product) for order in found)


def test_an_aggregate_without_members_comes_back_without_them(store: Store, uow: Shop) -> None:
    order = Order()
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        assert (found.lines, found.stops, found.parcel, found.price) == ([], [], None, None)


def test_an_aggregate_is_removed_with_all_its_members(store: Store, uow: Shop) -> None:
    order, other = full_order(), full_order()
    stored(store, order, other)
    with uow:
        uow.orders.remove(uow.orders[order.id])
        uow.commit()

    assert [len(rows(store, table)) for table in (orders, lines, discounts, stops, parcels)] == [1, 2, 2, 2, 1]


def test_members_come_in_their_declared_order_whatever_the_list_was(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("C"), Line("A"), Line("B")])
    stored(store, order)
    with uow:
        uow.orders[order.id].lines.reverse()
        uow.commit()

    assert [product for product, _ in products_of(store, order)] == ["A", "B", "C"]


def test_members_that_are_equal_in_order_come_by_their_keys(store: Store) -> None:
    order = Order(lines=[Line("A", 3), Line("A", 1), Line("A", 2)])

    stored(store, order)

    assert products_of(store, order) == [("A", 3), ("A", 1), ("A", 2)]


def test_a_member_that_is_taken_out_is_deleted(store: Store, uow: Shop) -> None:
    order = full_order()
    stored(store, order)
    with uow:
        found = uow.orders[order.id]
        found.lines.remove(found.lines[1])
        uow.commit()

    assert products_of(store, order) == [("DESK", 1)]
    assert rows(store, discounts) == []


def test_a_member_that_is_put_in_is_stored(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    with uow:
        uow.orders[order.id].lines.append(Line("DESK", discounts=[Discount(5)]))
        uow.commit()

    assert [product for product, _ in products_of(store, order)] == ["DESK", "LAMP"]
    assert len(rows(store, discounts)) == 1


def test_a_member_that_is_put_in_and_taken_out_is_not_stored(store: Store, uow: Shop) -> None:
    order = Order()
    stored(store, order)
    with uow:
        line = Line("LAMP")
        uow.orders[order.id].lines.append(line)
        uow.orders[order.id].lines.remove(line)
        uow.commit()

    assert rows(store, lines) == []


def test_a_member_that_is_taken_out_and_put_back_stays(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP", discounts=[Discount(5)])])
    stored(store, order)
    before = rows(store, lines), rows(store, discounts)
    with uow:
        found = uow.orders[order.id]
        line = found.lines.pop()
        found.lines.append(line)
        uow.commit()

    assert (rows(store, lines), rows(store, discounts)) == before


def test_a_member_changes_with_its_aggregate(store: Store, uow: Shop) -> None:
    order = full_order()
    stored(store, order)
    with uow:
        found = uow.orders[order.id]
        found.lines[0].quantity = 7
        found.lines[1].discounts[0].percent = 50
        assert found.parcel is not None
        found.parcel.weight = 4
        uow.commit()

    assert products_of(store, order) == [("DESK", 7), ("LAMP", 1)]
    assert [row["percent"] for row in rows(store, discounts)] == [50, 10]
    assert [row["weight"] for row in rows(store, parcels)] == [4]


def test_the_whole_list_can_be_replaced(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP"), Line("DESK")])
    stored(store, order)
    with uow:
        uow.orders[order.id].lines = [Line("SOFA")]
        uow.commit()

    assert products_of(store, order) == [("SOFA", 1)]


def test_a_list_that_is_replaced_keeps_the_members_that_stay(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK"), Line("LAMP")])
    stored(store, order)
    kept = rows(store, lines)[1]
    with uow:
        found = uow.orders[order.id]
        found.lines = [Line("SOFA"), *found.lines[1:]]
        uow.commit()

    assert products_of(store, order) == [("LAMP", 1), ("SOFA", 1)]
    assert kept in rows(store, lines)


def test_a_list_can_be_emptied(store: Store, uow: Shop) -> None:
    order = full_order()
    stored(store, order)
    with uow:
        uow.orders[order.id].lines.clear()
        uow.commit()

    assert (products_of(store, order), rows(store, discounts)) == ([], [])


@pytest.mark.parametrize("wrong", [None, 7, "LAMP"])
def test_a_list_cannot_become_something_else(store: Store, uow: Shop, wrong: Any) -> None:
    order = Order()
    stored(store, order)
    with uow:
        found = uow.orders[order.id]

        with pytest.raises((TypeError, AttributeError)):
            found.lines = wrong


def test_the_list_that_was_assigned_is_not_the_one_that_is_kept(store: Store, uow: Shop) -> None:
    ours = [Line("LAMP")]
    order = Order(lines=ours)
    stored(store, order)

    ours.append(Line("DESK"))

    assert len(order.lines) == 1


def test_a_member_that_is_put_in_twice_is_stored_once(store: Store, uow: Shop) -> None:
    order = Order()
    line = Line("LAMP")
    with uow:
        uow.orders.add(order)
        order.lines.append(line)
        order.lines.append(line)
        uow.commit()

    assert products_of(store, order) == [("LAMP", 1)]


def test_stored_members_can_change_places(store: Store, uow: Shop) -> None:
    """The ORM alone takes one of them for an orphan, and deletes it."""
    order = Order(stops=[Stop("Rome"), Stop("Oslo")], lines=[Line("DESK"), Line("LAMP")])
    stored(store, order)
    with uow:
        found = uow.orders[order.id]
        found.stops[0], found.stops[1] = found.stops[1], found.stops[0]
        found.lines[0], found.lines[1] = found.lines[1], found.lines[0]
        found.lines[1].quantity, found.lines[0].quantity = 8, 9
        uow.commit()
        found.stops[0].place, found.stops[1].place = "Bern", "Nice"
        uow.commit()

    assert places_of(store, order) == ["Bern", "Nice"]
    assert products_of(store, order) == [("DESK", 8), ("LAMP", 9)]


@pytest.mark.parametrize("added", ["before", "between", "after"])
def test_new_members_can_change_places(store: Store, uow: Shop, added: str) -> None:
    """The ORM alone takes one of them for an orphan, and never writes it; nor what belongs to it."""
    order = Order()
    with uow:
        if added == "before":
            uow.orders.add(order)
            uow.flush()
        order.lines.extend([Line("DESK"), Line("LAMP", discounts=[Discount(5), Discount(10)])])
        if added == "between":
            uow.orders.add(order)
        order.lines[0], order.lines[1] = order.lines[1], order.lines[0]
        gifts = order.lines[0].discounts
        gifts[0], gifts[1] = gifts[1], gifts[0]
        if added == "after":
            uow.orders.add(order)
        uow.commit()
        assert sorted(row["product"] for row in rows(store, lines)) == ["DESK", "LAMP"]
        order.lines[0].quantity, gifts[0].percent = 7, 20
        uow.commit()

    assert products_of(store, order) == [("DESK", 1), ("LAMP", 7)]
    assert sorted(row["percent"] for row in rows(store, discounts)) == [5, 20]


def test_a_member_that_was_put_in_twice_and_taken_out_once_stays(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK")])
    stored(store, order)
    with uow:
        found = uow.orders[order.id]
        found.lines.append(found.lines[0])
        found.lines.pop(0).quantity = 2
        uow.commit()
        found.lines.pop()
        uow.commit()

    assert products_of(store, order) == []


def test_a_new_member_that_is_in_two_places_belongs_to_one_unit(store: Store) -> None:
    one, two = Order(), Order()
    stored(store, one, two)
    with two_units(store) as (ours, theirs):
        mine, other, line = ours.orders[one.id], theirs.orders[two.id], Line("LAMP")
        mine.lines.extend([line, line])
        mine.lines.pop()
        other.lines.append(line)

        with pytest.raises(ForeignObject):
            ours.commit()


def test_what_a_refused_flush_has_given_to_members_that_changed_places_is_taken_back(store: Store, uow: Shop) -> None:
    order, lamp, desk = Order(), Line("LAMP"), Line("DESK", quantity=None)  # type: ignore[arg-type]
    stored(store, order)
    with uow:
        found = uow.orders[order.id].lines
        found.extend([lamp, desk])
        found[0], found[1] = found[1], found[0]

        with pytest.raises(MissingValue):
            uow.flush()

    assert not hasattr(lamp, "id") or lamp.id is None
    assert getattr(lamp, "order_id", None) is None


def test_a_member_can_move_to_another_aggregate(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP", discounts=[Discount(5)])]), Order()
    stored(store, one, two)
    (before,) = rows(store, lines)
    with uow:
        giver, taker = uow.orders[one.id], uow.orders[two.id]
        line = giver.lines[0]
        giver.lines.remove(line)
        taker.lines.append(line)
        uow.commit()

    assert rows(store, lines) == [before | {"order_id": two.id}]
    assert (products_of(store, one), products_of(store, two)) == ([], [("LAMP", 1)])
    assert len(rows(store, discounts)) == 1


@pytest.mark.parametrize("is_new", [False, True])
def test_a_member_that_has_moved_outlives_its_old_aggregate(store: Store, uow: Shop, is_new: bool) -> None:
    one, two = Order(lines=[Line("LAMP", discounts=[Discount(5)]), Line("DESK")]), Order()
    stored(store, one)
    if not is_new:
        stored(store, two)
    with uow:
        giver, taker = uow.orders[one.id], two if is_new else uow.orders[two.id]
        if is_new:
            uow.orders.add(taker)
        taker.lines.append(giver.lines.pop())
        uow.orders.remove(giver)
        uow.commit()

    assert products_of(store, two) == [("LAMP", 1)]
    assert (len(rows(store, lines)), len(rows(store, discounts))) == (1, 1)


def test_a_member_that_comes_to_an_aggregate_that_is_removed_goes_with_it(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP", discounts=[Discount(5)])]), Order()
    stored(store, one, two)
    with uow:
        giver, taker = uow.orders[one.id], uow.orders[two.id]
        uow.orders.remove(taker)
        taker.lines.append(giver.lines.pop())
        taker.lines.append(Line("SOFA"))
        uow.commit()

    assert (rows(store, lines), rows(store, discounts)) == ([], [])
    assert [row["id"] for row in rows(store, orders)] == [one.id]


def test_what_has_gone_from_a_member_is_kept_when_the_member_goes(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK"), Line("LAMP", discounts=[Discount(5), Discount(7)])])
    stored(store, order)
    with uow:
        desk, lamp = uow.orders[order.id].lines
        desk.discounts.append(lamp.discounts.pop())
        uow.orders[order.id].lines.remove(lamp)
        uow.commit()

    with uow:
        assert [[each.percent for each in line.discounts] for line in uow.orders[order.id].lines] == [[7]]


def test_a_member_that_moved_earlier_is_kept_where_its_old_list_lets_it_go(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP"), Line("DESK")]), Order()
    stored(store, one, two)
    with uow:
        giver, taker = uow.orders[one.id], uow.orders[two.id]
        lamp = next(line for line in giver.lines if line.product == "LAMP")
        taker.lines.append(lamp)
        uow.flush()
        giver.lines.remove(lamp)
        uow.commit()

    assert (products_of(store, one), products_of(store, two)) == ([("DESK", 1)], [("LAMP", 1)])


def test_a_member_in_two_aggregates_belongs_to_the_one_that_got_it_last(store: Store, uow: Shop) -> None:
    one, two, line = Order(), Order(), Line("LAMP")
    with uow:
        uow.orders.add_many([one, two])
        two.lines.append(line)
        one.lines.append(line)
        uow.commit()
        assert (len(one.lines), len(two.lines)) == (1, 0)

    assert (products_of(store, one), products_of(store, two)) == ([("LAMP", 1)], [])


def test_a_member_can_move_to_a_new_aggregate(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP")]), Order()
    stored(store, one)
    with uow:
        giver = uow.orders[one.id]
        line = giver.lines[0]
        giver.lines.remove(line)
        two.lines.append(line)
        uow.orders.add(two)
        uow.commit()

    assert (products_of(store, one), products_of(store, two)) == ([], [("LAMP", 1)])


def test_both_versions_rise_when_a_member_moves(store: Store, uow: Shop) -> None:
    one, two = Order(lines=[Line("LAMP")]), Order()
    stored(store, one, two)
    with uow:
        giver, taker = uow.orders[one.id], uow.orders[two.id]
        before = giver.version, taker.version
        taker.lines.append(giver.lines.pop())
        uow.commit()

        assert giver.version > before[0]
        assert taker.version > before[1]


@pytest.mark.parametrize("is_added", [True, False])
def test_a_member_that_went_to_what_is_not_stored_is_removed(is_added: bool, store: Store, uow: Shop) -> None:
    giver, taker = Order(lines=[Line("LAMP"), Line("DESK")], parcel=Parcel(7)), Order()
    stored(store, giver)
    with uow:
        giver = uow.orders[giver.id]
        if is_added:
            uow.orders.add(taker)
        taker.lines.append(giver.lines.pop())
        taker.parcel, giver.parcel = giver.parcel, None
        if is_added:
            uow.orders.remove(taker)
        uow.commit()

        assert len(giver.lines) == 1
    assert [row["product"] for row in rows(store, lines)] == [giver.lines[0].product]
    assert rows(store, parcels) == []


def test_a_member_of_another_units_aggregate_cannot_be_put_in(store: Store) -> None:
    one, two = Order(lines=[Line("LAMP")]), Order()
    stored(store, one, two)
    with two_units(store) as (ours, theirs):
        line = ours.orders[one.id].lines[0]
        taker = theirs.orders[two.id]

        with pytest.raises(ForeignObject):
            taker.lines.append(line)
            theirs.flush()


def test_a_new_member_that_was_taken_out_again_can_be_put_into_another_units_aggregate(store: Store) -> None:
    line, parcel = Line("LAMP"), Parcel(2)
    with two_units(store) as (uow, other):
        order, theirs = Order([line], parcel=parcel), Order()
        uow.orders.add(order)
        other.orders.add(theirs)
        order.lines.remove(line)
        order.parcel = None

        theirs.lines.append(line)
        theirs.parcel = parcel
        other.commit()

    with Shop(store) as fresh:
        found = fresh.orders[theirs.id]
        assert [each.product for each in found.lines] == ["LAMP"]
        assert found.parcel is not None


def test_a_list_with_positions_keeps_its_order(store: Store, uow: Shop) -> None:
    order = Order(stops=[Stop("Rome"), Stop("Oslo"), Stop("Bonn")])
    stored(store, order)
    assert places_of(store, order) == ["Rome", "Oslo", "Bonn"]
    with uow:
        found = uow.orders[order.id]
        found.stops.insert(0, found.stops.pop())
        uow.commit()
    assert places_of(store, order) == ["Bonn", "Rome", "Oslo"]

    with uow:
        found = uow.orders[order.id]
        found.stops.pop(1)
        found.stops.insert(1, Stop("Nice"))
        uow.commit()
    assert places_of(store, order) == ["Bonn", "Nice", "Oslo"]
    assert sorted(row["position"] for row in rows(store, stops)) == [0, 1, 2]


def test_a_single_member_can_be_replaced_and_taken_away(store: Store, uow: Shop) -> None:
    order = Order(parcel=Parcel(1))
    stored(store, order)
    with uow:
        uow.orders[order.id].parcel = Parcel(2)
        uow.commit()
    assert [row["weight"] for row in rows(store, parcels)] == [2]

    with uow:
        uow.orders[order.id].parcel = None
        uow.commit()
    assert rows(store, parcels) == []


def test_a_set_of_members_is_stored(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    customer.addresses = {Address("Rome"), Address("Oslo")}
    stored(store, customer)
    with uow:
        found = uow.customers[customer.id]
        assert isinstance(found.addresses, set)
        assert {address.city for address in found.addresses} == {"Rome", "Oslo"}
        found.addresses = {address for address in found.addresses if address.city == "Rome"} | {Address("Bonn")}
        uow.commit()

    assert sorted(row["city"] for row in rows(store, addresses)) == ["Bonn", "Rome"]


def test_a_value_object_is_stored_changed_and_taken_away(store: Store, uow: Shop) -> None:
    order = Order(price=Money(Decimal("1.50"), "EUR"))
    stored(store, order)
    with uow:
        assert uow.orders[order.id].price == Money(Decimal("1.50"), "EUR")
        uow.orders[order.id].price = Money(Decimal("2.50"), "USD")
        uow.commit()
    with uow:
        assert uow.orders[order.id].price == Money(Decimal("2.50"), "USD")
        uow.orders[order.id].price = None
        uow.commit()
    with uow:
        assert uow.orders[order.id].price is None


def test_an_equal_value_object_is_no_change(store: Store, uow: Shop) -> None:
    order = Order(price=Money(Decimal("1.50"), "EUR"))
    stored(store, order)
    before = rows(store, orders)
    with uow:
        uow.orders[order.id].price = Money(Decimal("1.50"), "EUR")
        uow.commit()

    assert rows(store, orders) == before


def test_a_value_object_of_nothing_is_none_from_the_flush_on(store: Store, uow: Shop) -> None:
    order = Order()
    stored(store, order)
    with uow:
        order = uow.orders[order.id]
        order.price = Money(None, None)  # type: ignore[arg-type]
        uow.commit()

        assert order.price is None


def test_a_value_object_is_found_by_its_value(store: Store, uow: Shop) -> None:
    one, two = Order(price=Money(Decimal("1.50"), "EUR")), Order()
    stored(store, one, two)

    with uow:
        assert [order.id for order in uow.orders.find_by(price=Money(Decimal("1.50"), "EUR"))] == [one.id]
        assert uow.orders.find_by(price=Money(Decimal("1.50"), "USD")) == []
        assert [order.id for order in uow.orders.find_by(price=None)] == [two.id]


def test_a_value_object_is_written_as_its_columns_keep_it_from_the_flush_on(store: Store) -> None:
    order = Order(price=Money(Decimal("1.5"), "EUR"))

    stored(store, order)

    assert repr(order.price) == repr(Money(Decimal("1.50"), "EUR"))


def test_a_private_attribute_is_stored_under_its_public_column(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    customer.lend(5)
    stored(store, customer)
    with uow:
        uow.customers[customer.id].lend(7)
        uow.commit()

    with uow:
        assert uow.customers[customer.id].credit == 12


def test_an_aggregate_may_refer_to_one_that_is_new_in_the_same_unit(store: Store, uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        uow.flush()
        uow.orders.add(Order(customer_id=customer.id))
        uow.commit()

    assert [row["customer_id"] for row in rows(store, orders)] == [customer.id]


def test_a_member_has_no_repository(store: Store) -> None:
    class Lines(UnitOfWork):
        lines: Repository[Line, int]

    with Lines(store) as uow, pytest.raises(TypeError, match="Line lives inside of an aggregate"):
        uow.lines.all()


def test_changes_in_many_aggregates_are_stored_together(store: Store, uow: Shop) -> None:
    kept = [Order(lines=[Line(f"{number}")]) for number in range(4)]
    stored(store, *kept)
    with uow:
        found = uow.orders.all()
        for order in found:
            order.lines[0].quantity = 9
        uow.orders.remove(found[0])
        uow.orders.add(Order(lines=[Line("new", 9)]))
        uow.commit()

    assert [row["quantity"] for row in rows(store, lines)] == [9] * 4


Change = Callable[[Order, Order], object]


def of_an_ended_unit(store: Store) -> Order:
    with Shop(store) as uow:
        return uow.orders.one()


@pytest.mark.parametrize(
    "change",
    [
        lambda order, old: setattr(order, "lines", old.lines),
        lambda order, old: setattr(order, "lines", [Line("CHAIR"), old.lines[0]]),
        lambda order, old: setattr(order, "lines", [*copy.deepcopy(list(order.lines))]),
        lambda order, old: setattr(order, "lines", ["no line"]),
        lambda order, old: setattr(order, "lines", None),
        lambda order, old: setattr(order, "stops", [Stop("X"), old.lines[0]]),
        lambda order, old: setattr(order, "parcel", old.parcel),
        lambda order, old: order.lines.append(old.lines[0]),
        lambda order, old: order.lines.insert(0, old.lines[0]),
        lambda order, old: order.lines.__setitem__(0, old.lines[0]),
    ],
)
def test_a_refused_collection_leaves_the_old_one(change: Change, store: Store, uow: Shop) -> None:
    stored(store, Order([Line("LAMP"), Line("DESK")], [Stop("A")], Parcel(1)))
    old = of_an_ended_unit(store)
    with uow:
        order = uow.orders.one()
        before = contents(order)

        with pytest.raises((ForeignObject, BadValue, TypeError)):
            change(order, old)

        assert contents(order) == before
        uow.commit()

    with uow:
        assert contents(uow.orders.one()) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda order, old: order.lines.__setitem__(slice(None), old.lines),
        lambda order, old: order.lines.extend([Line("CHAIR"), old.lines[0]]),
        lambda order, old: order.lines.__iadd__([Line("CHAIR"), old.lines[0]]),
        lambda order, old: order.lines.__setitem__(slice(0, 2), [Line("CHAIR"), "no line"]),
    ],
)
def test_a_list_that_was_changed_by_half_is_not_committed(change: Change, store: Store, uow: Shop) -> None:
    stored(store, Order([Line("LAMP"), Line("DESK")], [Stop("A")], Parcel(1)))
    old = of_an_ended_unit(store)
    before = contents(old)
    with uow:
        order = uow.orders.one()
        with pytest.raises((ForeignObject, BadValue)):
            change(order, old)

        with pytest.raises(UnitFailed):
            uow.commit()
        uow.rollback()
        assert contents(uow.orders.one()) == before


def contents(order: Order) -> Any:
    """What an order holds."""
    return (
        [line.product for line in order.lines],
        [stop.place for stop in order.stops],
        order.parcel and order.parcel.weight,
    )


def test_many_are_added_all_or_none(store: Store, uow: Shop) -> None:
    stored(store, Order([Line("LAMP")]))
    old = of_an_ended_unit(store)
    with uow:
        with pytest.raises(ForeignObject):
            uow.orders.add_many([Order([Line("DESK")]), old])

        uow.commit()

    with uow:
        assert [contents(order)[0] for order in uow.orders] == [["LAMP"]]
