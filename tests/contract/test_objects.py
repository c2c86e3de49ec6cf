"""What becomes of objects when their unit commits, rolls back, ends or fails."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable

import pytest

from honestwork.domain import AlreadyRemoved, BadValue, ForeignObject, NotFound, NotInUnit, UnitClosed
from honestwork.service_layer import Store
from tests.contract.shop import (
    Customer,
    Discount,
    Line,
    Order,
    Product,
    Shop,
    customers,
    products,
    rows,
    stored,
    two_units,
)


def test_what_is_committed_is_there_for_the_next_unit(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP", quantity=3))
        uow.commit()

    with uow:
        assert uow.products["LAMP"].quantity == 3
    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_what_is_not_committed_is_lost(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))

    with uow:
        uow.products["LAMP"].quantity = 9
        uow.products.add(Product("DESK"))

    with uow:
        assert uow.products["LAMP"].quantity == 1
        assert "DESK" not in uow.products


def test_what_is_flushed_and_not_committed_is_lost(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.flush()

    assert rows(store, products) == []


def test_what_is_removed_and_not_committed_is_still_there(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))

    with uow:
        uow.products.remove(uow.products["LAMP"])
        uow.flush()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_after_a_rollback_an_object_that_is_fetched_again_has_its_stored_values(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1, details={"tags": []}))

    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 9
        lamp.details["tags"].append("new")
        uow.rollback()

        again = uow.products["LAMP"]
        assert (again.quantity, again.details) == (1, {"tags": []})


def test_after_a_rollback_the_unit_goes_on(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.rollback()
        uow.products.add(Product("DESK"))
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["DESK"]


def test_objects_can_be_read_after_their_unit(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)

    with uow:
        fetched = uow.orders[order.id]
        uow.commit()

    assert [line.product for line in fetched.lines] == ["LAMP"]
    assert (fetched.version, fetched.price, fetched.stops) == (order.version, None, [])


def test_objects_that_were_only_read_can_be_read_after_their_unit(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order)

    with uow:
        fetched = uow.orders[order.id]

    assert [line.product for line in fetched.lines] == ["LAMP"]


def test_loading_does_not_run_init(store: Store, uow: Shop) -> None:
    made = Customer("john@example.org")
    stored(store, made)

    with uow:
        loaded = uow.customers[made.id]

        assert made.events == ["made"]
        assert not hasattr(loaded, "events")


def test_attributes_that_are_not_mapped_stay_with_the_object_of_the_unit(store: Store, uow: Shop) -> None:
    made = Customer("john@example.org")
    with uow:
        uow.customers.add(made)
        made.events.append("added")
        uow.commit()

        assert uow.customers[made.id].events == ["made", "added"]


def test_an_attribute_that_was_never_set_reads_none(uow: Shop) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)

        assert customer.id is None


def test_adding_twice_is_adding_once(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.products.add(lamp)
        uow.flush()
        uow.products.add(lamp)
        uow.commit()

    assert len(rows(store, products)) == 1


def test_adding_what_was_loaded_changes_nothing(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    before = rows(store, products)

    with uow:
        uow.products.add(uow.products["LAMP"])
        uow.commit()

    assert rows(store, products) == before


def test_add_many_adds_all(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add_many(Product(code) for code in ("LAMP", "DESK"))
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["DESK", "LAMP"]


def test_removing_what_was_added_takes_the_adding_back(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.products.remove(lamp)
        uow.commit()

    assert rows(store, products) == []


def test_what_was_added_and_removed_can_be_added_again(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.products.remove(lamp)
        uow.products.add(lamp)
        uow.commit()

    assert len(rows(store, products)) == 1


def test_what_was_added_and_removed_is_unknown_to_the_unit(uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.products.remove(lamp)

        with pytest.raises(NotInUnit):
            uow.products.remove(lamp)


def test_removing_what_was_added_and_flushed_leaves_nothing(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.flush()
        uow.products.remove(lamp)
        uow.commit()

    assert rows(store, products) == []


def test_removing_twice_is_removing_once(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        uow.products.remove(lamp)
        uow.products.remove(lamp)
        uow.flush()
        uow.products.remove(lamp)
        uow.commit()
        uow.products.remove(lamp)

    assert rows(store, products) == []


def test_removing_what_was_never_stored_is_refused(uow: Shop) -> None:
    with uow, pytest.raises(NotInUnit):
        uow.products.remove(Product("LAMP"))


def test_adding_what_is_removed_takes_the_removal_back(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        uow.products.remove(lamp)
        uow.products.add(lamp)
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_adding_what_is_removed_takes_the_removal_of_its_members_back(store: Store, uow: Shop) -> None:
    order = Order([Line("a", 1, [Discount(5)])])
    stored(store, order)
    with uow:
        found = uow.orders[order.id]
        uow.orders.remove(found)
        uow.orders.add(found)
        uow.commit()

    with Shop(store) as fresh:
        (line,) = fresh.orders[order.id].lines
        assert len(line.discounts) == 1


def test_changes_made_before_a_removal_is_taken_back_are_stored(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 2
        uow.products.remove(lamp)
        uow.products.add(lamp)
        uow.commit()

    assert [row["quantity"] for row in rows(store, products)] == [2]


def test_adding_what_was_removed_and_flushed_is_refused(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        uow.products.remove(lamp)
        uow.flush()

        with pytest.raises(AlreadyRemoved):
            uow.products.add(lamp)


def test_adding_what_was_removed_and_committed_is_refused(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]
        uow.products.remove(lamp)
        uow.commit()

        with pytest.raises(AlreadyRemoved):
            uow.products.add(lamp)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_what_is_stored_is_not_taken_for_it(
    copied: Callable[[object], object], store: Store, uow: Shop
) -> None:
    order = Order([Line("LAMP")])
    stored(store, order, Product("LAMP"))
    with uow:
        lamp, found = uow.products["LAMP"], uow.orders[order.id]

        for attempt in (uow.products.add, uow.products.remove):
            with pytest.raises((ForeignObject, NotInUnit)):
                attempt(copied(lamp))  # type: ignore[arg-type]
        with pytest.raises(ForeignObject, match="make a new Line"):
            found.lines.append(copied(found.lines[0]))  # type: ignore[arg-type]

        uow.commit()
    with uow:
        assert [line.product for line in uow.orders[order.id].lines] == ["LAMP"]
        assert "LAMP" in uow.products


def test_a_copy_that_shares_its_state_with_what_is_new_is_refused(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    rug = copy.copy(lamp)
    rug.code = "RUG"

    with uow:
        uow.products.add(lamp)
        with pytest.raises(ForeignObject, match=r"copy\.copy"):
            uow.products.add(rug)
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_an_object_of_a_class_that_is_not_mapped_is_refused(uow: Shop) -> None:
    class Bargain(Product):
        pass

    class Gift(Line):
        pass

    with uow:
        with pytest.raises(BadValue, match="not mapped"):
            uow.products.add(Bargain("LAMP"))
        with pytest.raises(BadValue, match="not mapped"):
            Order([Gift("LAMP")])


def test_what_goes_past_the_attributes_is_not_noticed(store: Store, uow: Shop) -> None:
    """As SQLAlchemy does not: `vars(lamp).update(…)` tells nobody."""
    stored(store, Product("LAMP", quantity=1, rating=1))
    with uow:
        lamp = uow.products["LAMP"]
        vars(lamp).update(quantity=2)
        lamp.rating = 2
        uow.commit()

    assert [(row["quantity"], row["rating"]) for row in rows(store, products)] == [(1, 2)]


def test_what_was_removed_can_still_be_read(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=3))
    with uow:
        lamp = uow.products["LAMP"]
        uow.products.remove(lamp)
        uow.commit()

    assert (lamp.code, lamp.quantity) == ("LAMP", 3)


def test_what_is_removed_is_not_found(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products.remove(uow.products["LAMP"])

        assert uow.products.get("LAMP") is None
        assert "LAMP" not in uow.products
        assert uow.products.find_by(code="LAMP") == []
        assert list(uow.products) == []
        assert len(uow.products) == 0
        with pytest.raises(NotFound):
            uow.products["LAMP"]


def test_a_unit_finds_what_it_has_added(uow: Shop) -> None:
    lamp = Product("LAMP", quantity=3)
    with uow:
        uow.products.add(lamp)

        assert uow.products.find_by(quantity=3) == [lamp]
        assert uow.products["LAMP"] is lamp
        assert uow.products.in_stock() == [lamp]
        assert uow.products.count() == 1


def test_a_unit_finds_what_it_has_changed(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        lamp = uow.products["LAMP"]
        lamp.quantity = 3

        assert uow.products.find_by(quantity=3) == [lamp]
        assert uow.products.count(quantity=1) == 0


def test_what_another_unit_has_loaded_cannot_be_added_or_removed(store: Store) -> None:
    stored(store, Product("LAMP"))
    with two_units(store) as (one, two):
        lamp = one.products["LAMP"]

        with pytest.raises(ForeignObject):
            two.products.add(lamp)
        with pytest.raises(ForeignObject):
            two.products.remove(lamp)


def test_what_another_unit_has_added_cannot_be_added_or_removed(store: Store) -> None:
    lamp = Product("LAMP")
    with two_units(store) as (one, two):
        one.products.add(lamp)

        with pytest.raises(ForeignObject):
            two.products.add(lamp)
        with pytest.raises(ForeignObject):
            two.products.remove(lamp)


def test_what_an_ended_unit_has_loaded_cannot_be_added_or_removed(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        lamp = uow.products["LAMP"]

    with uow:
        with pytest.raises(ForeignObject):
            uow.products.add(lamp)
        with pytest.raises(ForeignObject):
            uow.products.remove(lamp)


def test_what_an_ended_unit_has_stored_cannot_be_added_or_removed(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    stored(store, lamp)

    with uow:
        with pytest.raises(ForeignObject):
            uow.products.add(lamp)
        with pytest.raises(ForeignObject):
            uow.products.remove(lamp)


@pytest.mark.parametrize("flushed", [False, True])
def test_what_was_added_and_not_committed_can_be_added_to_the_next_unit(store: Store, uow: Shop, flushed: bool) -> None:
    customer = Customer("john@example.org")
    with uow:
        uow.customers.add(customer)
        if flushed:
            uow.flush()

    with uow:
        uow.customers.add(customer)
        uow.commit()

    assert [row["email"] for row in rows(store, customers)] == ["john@example.org"]
    assert [row["id"] for row in rows(store, customers)] == [customer.id]


def test_what_was_added_before_a_rollback_can_be_added_again(store: Store, uow: Shop) -> None:
    lamp = Product("LAMP")
    with uow:
        uow.products.add(lamp)
        uow.flush()
        uow.rollback()
        uow.products.add(lamp)
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def test_whole_aggregates_that_were_rolled_back_can_be_added_again(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP"), Line("DESK")])
    with uow:
        uow.orders.add(order)
        uow.flush()

    with uow:
        uow.orders.add(order)
        uow.commit()

    with uow:
        assert [line.product for line in uow.orders[order.id].lines] == ["DESK", "LAMP"]


def test_a_repository_takes_only_its_own_aggregates(uow: Shop) -> None:
    with uow:
        with pytest.raises(BadValue):
            uow.products.add(Customer("john@example.org"))  # type: ignore[arg-type]
        with pytest.raises(BadValue):
            uow.products.remove("LAMP")  # type: ignore[arg-type]

        uow.commit()  # nothing has failed


def test_a_repository_is_closed_with_its_unit(uow: Shop) -> None:
    with uow:
        kept = uow.products

    with pytest.raises(UnitClosed):
        kept.get("LAMP")
    with pytest.raises(UnitClosed):
        kept.add(Product("LAMP"))
    with pytest.raises(UnitClosed):
        kept.remove(Product("LAMP"))
    with pytest.raises(UnitClosed):
        kept.all()
    with pytest.raises(UnitClosed):
        kept.count()


def test_nothing_is_left_open_after_a_unit(store: Store) -> None:
    stored(store, Order(lines=[Line("LAMP")]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with Shop(store) as uow:
            uow.orders.all()
            uow.orders.add(Order())
            uow.flush()
        del uow

        gc.collect()
