"""After an error in a flush only a rollback can follow, and nothing of the unit is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from honestwork.domain import (
    BadValue,
    Conflict,
    Duplicate,
    HonestworkError,
    KeyChanged,
    MissingValue,
    NotFound,
    UnitFailed,
)
from honestwork.service_layer import Store
from tests.contract.shop import Customer, Line, Order, Product, Shop, customers, products, rows, stored


def fail(uow: Shop) -> None:
    """Given: a product of the unit is refused by the store."""
    uow.products.add(Product("LAMP"))
    with pytest.raises(Duplicate):
        uow.flush()


@pytest.mark.parametrize(
    "use",
    [
        lambda uow: uow.products.get("LAMP"),
        lambda uow: uow.products["LAMP"],
        lambda uow: "LAMP" in uow.products,
        lambda uow: uow.products.all(),
        lambda uow: uow.products.find_by(code="LAMP"),
        lambda uow: uow.products.first(),
        lambda uow: uow.products.count(),
        lambda uow: uow.products.exists(),
        lambda uow: uow.products.add(Product("DESK")),
        lambda uow: uow.products.add_many([Product("DESK")]),
        lambda uow: uow.products.remove(Product("DESK")),
        lambda uow: uow.customers.all(),
        lambda uow: uow.flush(),
        lambda uow: uow.commit(),
        lambda uow: uow.nested().__enter__(),
    ],
    ids=[
        "get", "item", "in", "all", "find_by", "first", "count", "exists",
        "add", "add_many", "remove", "another", "flush", "commit", "nested",
    ],
)  # fmt: skip
def test_after_an_error_a_unit_refuses_all(store: Store, uow: Shop, use: Callable[[Shop], Any]) -> None:
    stored(store, Product("LAMP"))
    with uow:
        fail(uow)

        with pytest.raises(UnitFailed):
            use(uow)


def test_after_an_error_objects_can_be_read_as_they_are(store: Store, uow: Shop) -> None:
    """As a handler does that tells the user; the ORM alone forgets all that it has loaded."""
    order = Order(lines=[Line("DESK")])
    stored(store, Product("LAMP", sku="taken", details={"size": 1}), Product("SOFA"), order)
    found: list[Any] = []
    with pytest.raises(Duplicate), uow:
        lamp, sofa, there = uow.products["LAMP"], uow.products["SOFA"], uow.orders[order.id]
        new = Product("DESK", sku="taken")
        found += [lamp, sofa, there, new]
        lamp.quantity = 9
        there.lines.append(Line("CHAIR"))
        uow.products.remove(sofa)
        uow.products.add(new)
        try:
            uow.commit()
        except Duplicate:
            assert (lamp.quantity, new.sku) == (9, "taken")
            raise

    lamp, sofa, there, new = found
    assert (lamp.code, lamp.quantity, lamp.details) == ("LAMP", 9, {"size": 1})
    assert (sofa.code, new.code, new.sku) == ("SOFA", "DESK", "taken")
    assert [line.product for line in there.lines] == ["DESK", "CHAIR"]


def test_an_object_can_be_read_where_an_error_is_handled_inside_of_a_block(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("DESK")])
    stored(store, Product("LAMP", sku="taken"), Product("SOFA", quantity=1), order)
    with uow:
        sofa, there = uow.products["SOFA"], uow.orders[order.id]
        with pytest.raises(Duplicate), uow.nested():
            sofa.sku, sofa.quantity = "taken", 9
            there.lines.append(Line("CHAIR"))
            try:
                uow.flush()
            except Duplicate:
                assert (sofa.code, sofa.sku, sofa.quantity) == ("SOFA", "taken", 9)
                assert [line.product for line in there.lines] == ["DESK", "CHAIR"]
                raise

        assert (sofa.sku, sofa.quantity, [line.product for line in there.lines]) == (None, 1, ["DESK"])
        sofa.quantity = 2
        uow.commit()

    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("LAMP", 0), ("SOFA", 2)]


def test_after_a_lost_race_objects_can_be_read_as_they_are(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with pytest.raises(Conflict), uow:
        lamp = uow.products["LAMP"]
        with Shop(store) as other:
            other.products["LAMP"].quantity = 5
            other.commit()
        lamp.quantity = 9
        uow.commit()

    assert (lamp.code, lamp.quantity) == ("LAMP", 9)


def test_after_an_error_nothing_of_the_unit_is_stored(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        uow.customers.add(Customer("john@example.org"))
        uow.products["LAMP"].quantity = 9
        uow.products.add(Product("DESK"))
        uow.flush()
        uow.products.add(Product("LAMP"))
        with pytest.raises(Duplicate):
            uow.commit()

    assert rows(store, customers) == []
    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("LAMP", 1)]


def test_after_a_rollback_a_failed_unit_goes_on(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1))
    with uow:
        fail(uow)
        uow.rollback()

        uow.products["LAMP"].quantity = 2
        uow.products.add(Product("DESK"))
        uow.commit()

    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("DESK", 0), ("LAMP", 2)]


def test_after_a_failed_unit_the_next_one_is_well(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        fail(uow)

    with uow:
        uow.products.add(Product("DESK"))
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["DESK", "LAMP"]


def test_what_was_committed_before_the_error_stays(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
        uow.products.add(Product("DESK"))
        uow.products.add(Product("DESK"))
        with pytest.raises(Duplicate):
            uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda uow: uow.products.add(Product("DESK", quantity=1.5)), BadValue),  # type: ignore[arg-type]
        (lambda uow: setattr(uow.products["LAMP"], "code", "DESK"), KeyChanged),
        (lambda uow: uow.products.add(Product(None)), MissingValue),  # type: ignore[arg-type]
        (lambda uow: setattr(uow.products["LAMP"], "version", 7), BadValue),
    ],
    ids=["a bad value", "a changed key", "a missing key", "an assigned version"],
)
def test_what_is_refused_before_any_sql_fails_the_unit_too(
    store: Store, uow: Shop, mistake: Callable[[Shop], Any], error: type[HonestworkError]
) -> None:
    stored(store, Product("LAMP"))
    with uow:
        mistake(uow)
        with pytest.raises(error):
            uow.flush()

        with pytest.raises(UnitFailed):
            uow.products.get("LAMP")


def test_an_error_in_the_flush_of_a_read_fails_the_unit(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        uow.products.add(Product("LAMP"))
        with pytest.raises(Duplicate):
            uow.customers.all()

        with pytest.raises(UnitFailed):
            uow.customers.all()


def test_a_failed_look_up_fails_nothing(uow: Shop) -> None:
    with uow:
        with pytest.raises(NotFound):
            uow.products["LAMP"]
        with pytest.raises(BadValue):
            uow.products.get(1)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            uow.products.one(code="LAMP")

        uow.products.add(Product("LAMP"))
        uow.commit()


def test_objects_of_a_failed_unit_can_be_added_to_the_next_one(store: Store, uow: Shop) -> None:
    stored(store, Customer("john@example.org"))
    order, jane = Order(lines=[Line("LAMP")]), Customer("john@example.org")
    with uow:
        uow.orders.add(order)
        uow.flush()
        uow.customers.add(jane)
        with pytest.raises(Duplicate):
            uow.commit()

    jane.email = "jane@example.org"
    with uow:
        uow.orders.add(order)
        uow.customers.add(jane)
        uow.commit()

    with uow:
        assert [line.product for line in uow.orders[order.id].lines] == ["LAMP"]
        assert uow.customers[jane.id].email == "jane@example.org"


def test_a_unit_may_fail_and_roll_back_again_and_again(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow:
        for _ in range(3):
            fail(uow)
            uow.rollback()
        uow.products.add(Product("DESK"))
        uow.commit()

    assert len(rows(store, products)) == 2
