"""The unit of work itself: how it is entered, used and left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from honestwork.domain import (
    Duplicate,
    MultipleFound,
    NotFound,
    UnitClosed,
    UnitNested,
    UnitReadOnly,
)
from honestwork.service_layer import Store
from tests.contract.shop import Customer, Line, Order, Product, Products, Shop, products, rows, stored


class Stop(Exception):
    pass


def codes(store: Store) -> list[str]:
    return [row["code"] for row in rows(store, products)]


def in_thread(function: Callable[[], Any]) -> BaseException | None:
    """What the function raises in a thread of its own."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return raised[0] if raised else None


def test_an_error_in_the_block_undoes_the_unit_and_passes_on(store: Store, uow: Shop) -> None:
    with pytest.raises(Stop), uow:
        uow.products.add(Product("LAMP"))
        uow.flush()
        raise Stop

    assert codes(store) == []


def test_an_error_after_the_commit_undoes_nothing(store: Store, uow: Shop) -> None:
    with pytest.raises(Stop), uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
        uow.products.add(Product("DESK"))
        raise Stop

    assert codes(store) == ["LAMP"]


def test_a_unit_may_commit_more_than_once(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
        uow.products["LAMP"].quantity = 2
        uow.products.add(Product("DESK"))
        uow.commit()
        uow.products["DESK"].quantity = 3

    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("DESK", 0), ("LAMP", 2)]


def test_a_commit_of_nothing_does_nothing(store: Store, uow: Shop) -> None:
    with uow:
        uow.commit()
        uow.flush()
        uow.commit()
        uow.rollback()
        uow.rollback()

    assert codes(store) == []


def test_a_rollback_leaves_what_was_committed(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
        uow.products.add(Product("DESK"))
        uow.rollback()
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_a_unit_can_be_entered_again(store: Store, uow: Shop) -> None:
    for code in ("LAMP", "DESK"):
        with uow:
            uow.products.add(Product(code))
            uow.commit()

    assert codes(store) == ["DESK", "LAMP"]


def test_a_unit_begins_afresh_each_time(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))

    with uow:
        uow.commit()
        assert uow.products.all() == []


def test_a_unit_cannot_be_entered_twice_at_once_and_the_outer_one_loses_nothing(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("LAMP"))
        with pytest.raises(UnitNested):
            uow.__enter__()
        with pytest.raises(UnitNested), uow.reading():
            pass
        uow.commit()

    assert codes(store) == ["LAMP"]


@pytest.mark.parametrize(
    "use",
    [
        lambda uow: uow.products,
        lambda uow: uow.commit(),
        lambda uow: uow.rollback(),
        lambda uow: uow.flush(),
        lambda uow: uow.nested().__enter__(),
    ],
    ids=["repository", "commit", "rollback", "flush", "nested"],
)
def test_a_unit_is_of_no_use_outside_of_its_block(uow: Shop, use: Callable[[Shop], Any]) -> None:
    with pytest.raises(UnitClosed):
        use(uow)

    with uow:
        uow.products.all()

    with pytest.raises(UnitClosed):
        use(uow)


def test_a_generator_that_is_closed_in_its_block_undoes_the_unit(store: Store, uow: Shop) -> None:
    def service() -> Iterator[None]:
        with uow:
            uow.products.add(Product("LAMP"))
            uow.flush()
            yield
            uow.commit()

    running = service()
    next(running)
    running.close()  # type: ignore[attr-defined]

    assert codes(store) == []
    with uow:
        assert uow.products.all() == []


def test_another_thread_can_use_a_unit_that_has_ended(store: Store, uow: Shop) -> None:
    def service() -> None:
        with uow:
            uow.products.add(Product("DESK"))
            uow.commit()

    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()

    assert in_thread(service) is None
    assert codes(store) == ["DESK", "LAMP"]


def test_threads_share_a_store(store: Store) -> None:
    errors = [in_thread(lambda code=code: stored(store, Product(code))) for code in "ABCD"]  # type: ignore[misc]

    assert errors == [None] * 4
    assert codes(store) == ["A", "B", "C", "D"]


def test_a_reading_unit_reads(store: Store, uow: Shop) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(store, order, Product("LAMP"))

    with uow.reading() as reader:
        assert [line.product for line in reader.orders[order.id].lines] == ["LAMP"]
        assert uow.products.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda uow: uow.products.add(Product("DESK")),
        lambda uow: uow.products.remove(uow.products["LAMP"]),
        lambda uow: setattr(uow.products["LAMP"], "quantity", 2),
        lambda uow: uow.products["LAMP"].details.append(1),
    ],
    ids=["add", "remove", "change", "change in place"],
)
@pytest.mark.parametrize("end", ["flush", "commit"])
def test_a_reading_unit_refuses_changes(store: Store, uow: Shop, change: Callable[[Shop], Any], end: str) -> None:
    stored(store, Product("LAMP", quantity=1, details=[]))
    before = rows(store, products)
    with uow.reading():
        change(uow)

        with pytest.raises(UnitReadOnly):
            getattr(uow, end)()

    assert rows(store, products) == before


def test_a_reading_unit_may_commit_when_nothing_has_changed(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))
    with uow.reading():
        assert uow.products["LAMP"].quantity == 0
        uow.commit()
        assert uow.products["LAMP"].quantity == 0


def test_after_a_reading_unit_the_same_unit_writes(store: Store, uow: Shop) -> None:
    with uow.reading():
        uow.products.all()

    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_a_reading_unit_sees_one_state_of_the_data(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1), Product("DESK", quantity=1))
    with uow.reading():
        assert uow.products["LAMP"].quantity == 1
        with Shop(store) as other:
            other.products["LAMP"].quantity = 2
            other.products["DESK"].quantity = 2
            other.products.add(Product("SOFA"))
            other.commit()

        assert uow.products["DESK"].quantity == 1
        assert uow.products.count() == 2


def test_a_unit_serves_named_collections_with_queries_of_their_own(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP", quantity=1), Product("DESK"))

    with uow:
        assert isinstance(uow.products, Products)
        assert [product.code for product in uow.products.in_stock()] == ["LAMP"]


def test_a_unit_gives_the_same_repository_each_time(uow: Shop) -> None:
    with uow:
        assert uow.products is uow.products


def test_an_empty_repository_is_true(uow: Shop) -> None:
    with uow:
        assert uow.products
        assert len(uow.products) == 0


def test_one_finds_the_only_one_or_says_what_is_wrong(store: Store, uow: Shop) -> None:
    stored(store, Product("A", quantity=1), Product("B", quantity=2), Product("C", quantity=2))

    with uow:
        assert uow.products.one(quantity=1).code == "A"
        with pytest.raises(NotFound, match="quantity = 3"):
            uow.products.one(quantity=3)
        with pytest.raises(MultipleFound, match="quantity = 2"):
            uow.products.one(quantity=2)


def test_first_finds_the_lowest_key_or_none(store: Store, uow: Shop) -> None:
    stored(store, Product("C", quantity=2), Product("B", quantity=2), Product("A", quantity=1))

    with uow:
        found = uow.products.first(quantity=2)
        assert found is not None
        assert found.code == "B"
        assert uow.products.first(quantity=3) is None


def test_reading_finds_what_was_not_flushed_and_refuses_what_cannot_be(store: Store, uow: Shop) -> None:
    stored(store, Customer("john@example.org"))
    with uow:
        uow.customers.add(Customer("john@example.org"))

        with pytest.raises(Duplicate):
            uow.customers.count()
