"""One object for one row within a unit; nothing shared between two."""

from __future__ import annotations

import gc

from honestwork.service_layer import Store
from tests.contract.shop import Customer, Line, Order, Product, Shop, products, rows, stored, two_units


def test_a_key_gives_the_same_object_each_time(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=3))
    with uow:
        lamp = uow.products["LAMP"]

        assert uow.products.get("LAMP") is lamp
        assert uow.products.find_by(quantity=3)[0] is lamp
        assert uow.products.first() is lamp
        assert uow.products.one(code="LAMP") is lamp
        assert next(iter(uow.products)) is lamp


def test_a_key_gives_the_same_object_when_nobody_has_kept_it(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        uow.products["LAMP"].quantity = 9
        number = id(uow.products["LAMP"])
        gc.collect()

        assert id(uow.products["LAMP"]) == number
        assert uow.products["LAMP"].quantity == 9


def test_an_added_object_is_the_one_that_is_found(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        uow.flush()

        assert uow.customers[customer.id] is customer
        assert uow.customers.one(email="john@example.org") is customer


def test_a_committed_object_is_still_the_one_that_is_found(uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.commit()

        assert uow.products["LAMP"] is lamp


def test_members_are_the_same_objects_each_time(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    with uow:
        line = uow.orders[order.id].lines[0]

        assert uow.orders.all()[0].lines[0] is line


def test_two_units_have_objects_of_their_own(store: Store) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    with two_units(store) as (one, two):
        ours, theirs = one.orders[order.id], two.orders[order.id]

        assert ours is not theirs
        assert ours.lines is not theirs.lines
        assert ours.lines[0] is not theirs.lines[0]


def test_two_units_have_json_of_their_own(store: Store) -> None:
    stored(store, Product("LAMP", details={"tags": ["old"]}))
    with two_units(store) as (one, two):
        one.products["LAMP"].details["tags"].append("new")

        assert two.products["LAMP"].details == {"tags": ["old"]}


def test_changing_an_object_after_its_unit_changes_nothing_stored(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP", quantity=1, details={"tags": []})
    order = Order(lines=[Line("LAMP", quantity=1)])
    stored(store, lamp, order)

    lamp.quantity = 9
    lamp.details["tags"].append("new")
    order.lines[0].quantity = 9
    order.lines.append(Line("DESK"))

    with uow:
        assert (uow.products["LAMP"].quantity, uow.products["LAMP"].details) == (1, {"tags": []})
        assert [(line.product, line.quantity) for line in uow.orders[order.id].lines] == [("LAMP", 1)]


def test_json_given_to_two_objects_is_not_shared_when_it_comes_back(store: Store, uow: Shop) -> None:
    shared = {"tags": ["old"]}
    stored(store, Product("LAMP", details=shared), Product("DESK", details=shared))

    with uow:
        uow.products["LAMP"].details["tags"].append("new")

        assert uow.products["DESK"].details == {"tags": ["old"]}


def test_json_that_the_caller_keeps_is_not_what_is_stored(store: Store, uow: Shop) -> None:
    kept = {"tags": ["old"]}
    stored(store, Product("LAMP", details=kept))

    kept["tags"].append("new")

    assert rows(store, products)[0]["details"] == {"tags": ["old"]}


def test_what_is_found_satisfies_the_condition_also_when_it_was_changed(store: Store, uow: Shop) -> None:
    stored(store, Product("DESK", quantity=1), Product("LAMP", quantity=2))
    with uow:
        uow.products["DESK"].quantity = 2
        uow.products["LAMP"].quantity = 1

        assert [product.code for product in uow.products.find_by(quantity=2)] == ["DESK"]
        assert uow.products.exists(quantity=3) is False


def test_the_list_that_is_found_is_the_callers_own(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        found = uow.products.all()
        found.clear()

        assert len(uow.products.all()) == 1


def test_adding_while_iterating_does_not_disturb_the_iteration(store: Store, uow: Shop) -> None:
    stored(store, Product("A"), Product("B"))
    with uow:
        for product in uow.products:
            uow.products.add(Product(product.code * 2))
            uow.flush()

        assert [product.code for product in uow.products] == ["A", "AA", "B", "BB"]


def test_after_a_commit_the_unit_sees_what_others_have_committed_in_the_same_object(store: Store) -> None:
    stored(store, Product("LAMP", quantity=1, details={"tags": []}))
    with Shop(store) as one:
        lamp = one.products["LAMP"]
        one.commit()
        with Shop(store) as two:
            two.products["LAMP"].quantity = 9
            two.products["LAMP"].details["tags"].append("new")
            two.commit()

        assert one.products["LAMP"] is lamp
        assert (lamp.quantity, lamp.details) == (9, {"tags": ["new"]})


def test_after_a_commit_the_unit_sees_members_that_others_have_committed(store: Store) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)
    with Shop(store) as one:
        ours = one.orders[order.id]
        one.commit()
        with Shop(store) as two:
            two.orders[order.id].lines.append(Line("DESK"))
            two.orders[order.id].lines[0].quantity = 9
            two.commit()

        assert one.orders[order.id] is ours
        assert [line.product for line in ours.lines] == ["DESK", "LAMP"]


def test_after_a_commit_what_others_have_removed_is_gone(store: Store) -> None:
    stored(store, Product("LAMP"))
    with Shop(store) as one:
        one.products["LAMP"]
        one.commit()
        with Shop(store) as two:
            two.products.remove(two.products["LAMP"])
            two.commit()

        assert one.products.get("LAMP") is None
        assert one.products.all() == []
