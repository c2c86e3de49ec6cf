"""What no other test guarantees: found by lies that nobody noticed. Each belongs to every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from sqlalchemy import select, update

from honestwork.adapters import SqlStore
from honestwork.domain import Conflict
from honestwork.service_layer import Store
from tests.contract.shop import (
    Address,
    Customer,
    Line,
    Order,
    Product,
    Shop,
    mapping,
    products,
    rows,
    stored,
    two_units,
)


class Stop(Exception):
    pass


def test_a_removal_that_was_not_flushed_is_taken_back_with_its_block(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))

    with uow:
        lamp = uow.products["LAMP"]
        with suppress(Stop), uow.nested():
            uow.products.remove(lamp)
            raise Stop
        uow.commit()

    assert [row["code"] for row in rows(store, products)] == ["LAMP"]


def change(uow: Shop, product: Product) -> None:
    product.quantity = 12


def remove(uow: Shop, product: Product) -> None:
    uow.products.remove(product)


@pytest.mark.parametrize("act", [change, remove])
def test_what_others_have_changed_since_an_earlier_transaction_is_a_conflict(
    act: Callable[[Shop, Product], None], store: Store
) -> None:
    stored(store, Product("A", quantity=10))
    with two_units(store) as (one, two):
        theirs = two.products["A"]
        two.commit()
        one.products["A"].quantity = 11
        one.commit()
        act(two, theirs)

        with pytest.raises(Conflict):
            two.commit()

    assert [row["quantity"] for row in rows(store, products)] == [11]


@pytest.mark.parametrize("act", [change, remove])
def test_what_others_have_removed_since_an_earlier_transaction_is_a_conflict(
    act: Callable[[Shop, Product], None], store: Store
) -> None:
    stored(store, Product("A"))
    with two_units(store) as (one, two):
        theirs = two.products["A"]
        two.commit()
        one.products.remove(one.products["A"])
        one.commit()
        act(two, theirs)

        with pytest.raises(Conflict):
            two.commit()

    assert rows(store, products) == []


def test_what_takes_over_a_row_in_one_flush_raises_its_version(store: Store, uow: Shop) -> None:
    stored(store, Product("LAMP"))

    with uow:
        old, new = uow.products["LAMP"], Product("LAMP")
        uow.products.add(new)
        uow.products.remove(old)
        uow.commit()

    assert new.version > old.version
    assert rows(store, products)[0]["version"] == new.version


def test_a_change_of_a_member_that_the_same_unit_has_added_raises_the_version(store: Store, uow: Shop) -> None:
    order, line = Order(), Line("LAMP")
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        found.lines.append(line)
        uow.flush()
        before = found.version
        line.quantity = 5
        uow.commit()

    assert found.version > before


def test_a_stored_member_can_move_to_a_new_aggregate_whose_key_is_generated(store: Store, uow: Shop) -> None:
    john, jane = Customer("john@example.org"), Customer("jane@example.org")
    john.addresses.add(Address("Oslo"))
    stored(store, john)

    with uow:
        old = uow.customers[john.id]
        jane.addresses.add(old.addresses.pop())
        uow.customers.add(jane)
        uow.commit()

    with uow:
        assert [each.city for each in uow.customers[jane.id].addresses] == ["Oslo"]
        assert not uow.customers[john.id].addresses


def test_more_aggregates_than_a_statement_takes_keys_are_read_whole(store: Store, uow: Shop) -> None:
    customers = [Customer(f"{number}@example.org") for number in range(1200)]
    for number, customer in enumerate(customers):
        customer.addresses.add(Address(f"city {number}"))
    stored(store, *customers)

    with uow:
        found = {customer.email: [each.city for each in customer.addresses] for customer in uow.customers}

    assert found == {f"{number}@example.org": [f"city {number}"] for number in range(1200)}


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[SqlStore]:
    """A store whose units have a session of SQLAlchemy within reach."""
    store = SqlStore(sqlite_url, mapping, durability="process")
    store.create_tables()
    yield store
    store.dispose()


def test_what_a_statement_of_the_session_changes_is_read_again(sqlite_store: SqlStore) -> None:
    stored(sqlite_store, Product("LAMP", quantity=1))

    with Shop(sqlite_store) as uow:
        lamp = uow.products["LAMP"]
        uow.products.session.execute(update(products).values(quantity=50))  # type: ignore[attr-defined]

        assert lamp.quantity == 50


def test_what_a_statement_of_the_session_makes_up_does_not_come_into_an_object(sqlite_store: SqlStore) -> None:
    stored(sqlite_store, Product("LAMP", quantity=1))

    with Shop(sqlite_store) as uow:
        session = uow.products.session  # type: ignore[attr-defined]
        made_up = select(*[each if each.name != "quantity" else (each + 1).label("quantity") for each in products.c])
        [lamp] = session.scalars(select(Product).from_statement(made_up))

        assert lamp.quantity == 1


def test_a_member_that_the_session_finds_alone_raises_the_version_of_its_root(sqlite_store: SqlStore) -> None:
    order = Order(lines=[Line("LAMP")])
    stored(sqlite_store, order)

    with Shop(sqlite_store) as uow:
        [line] = uow.orders.session.scalars(select(Line))  # type: ignore[attr-defined]
        line.quantity = 5
        uow.commit()

        assert uow.orders[order.id].version > order.version
