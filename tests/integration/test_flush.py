"""What a flush sends to a database, and what the objects are after it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, NoReturn

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import instance_dict, instance_state

from honestwork.adapters import SqlStore
from honestwork.domain import Duplicate
from tests.contract import shop
from tests.integration.bank import Account, Bank, Payment, accounts, bank, payments


@pytest.fixture(params=["sqlite_url", "postgres_url", "mariadb_url"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    with bank(request.getfixturevalue(request.param)) as store:
        yield store


def written(store: SqlStore) -> list[tuple[str, ...]]:
    """(verb, table) of what a unit writes, neighbours that are alike once; all of it undone."""
    statements: list[tuple[str, ...]] = []

    def note(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        verb, *words = statement.split()
        if verb in ("INSERT", "UPDATE", "DELETE"):
            statements.append((verb, words[0] if verb == "UPDATE" else words[1]))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        with Bank(store) as uow:
            john = uow.accounts["John"]
            jane, jim = Account("Jane", 5, "5"), Account("Jim", number=None)
            uow.payments.add(Payment("John", 1))
            uow.accounts.add(jane)
            uow.accounts.add(jim)
            bills = [Payment("Jane", 2), Payment("Jim", 3)]
            uow.payments.add_many(bills)
            john.balance, john.number = 90, None
            uow.flush()
            uow.payments.remove(bills[0])
            uow.accounts.remove(jane)
            john.balance = 80
            bills[1].amount = 33
            uow.flush()
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    return [statement for statement, _ in groupby(statements)]


def test_updates_come_before_inserts_and_those_that_are_referred_to_first_and_deletes_last(store: SqlStore) -> None:
    assert written(store) == [
        ("UPDATE", "accounts"),
        ("INSERT", "accounts"),
        ("INSERT", "payments"),
        ("UPDATE", "accounts"),
        ("UPDATE", "payments"),
        ("DELETE", "payments"),
        ("DELETE", "accounts"),
    ]


def test_no_flush_goes_through_a_session_of_sqlalchemy(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the ORM flushes")

    monkeypatch.setattr(OrmSession, "flush", refuse)
    with Bank(store) as uow:
        uow.accounts.add(Account("Jane"))
        uow.accounts.remove(uow.accounts["John"])
        uow.accounts["Jane"].balance += 1

        uow.commit()

    with Bank(store) as uow:
        assert [(each.owner, each.balance) for each in uow.accounts] == [("Jane", 1)]


def test_many_new_ones_get_their_keys_in_the_order_of_adding(store: SqlStore) -> None:
    with Bank(store) as uow:
        many = [Payment("John", number) for number in range(2500)]
        uow.payments.add_many(many)
        uow.commit()

    with store.engine.connect() as connection:
        rows = connection.execute(select(payments.c.id, payments.c.amount).order_by(payments.c.id)).all()
    assert [tuple(row) for row in rows] == [(each.id, each.amount) for each in many]
    assert [each.amount for each in many] == list(range(2500))


def test_what_fails_after_others_were_written_leaves_no_traces_on_the_objects(store: SqlStore) -> None:
    jane, copy = Account("Jane", number="7"), Account("Jim", number="7")
    payment = Payment("John", 1)
    with Bank(store) as uow:
        uow.accounts.add_many([jane, copy])
        uow.payments.add(payment)
        with pytest.raises(Duplicate):
            uow.flush()
        uow.rollback()

        assert not any(hasattr(instance_state(each), "key") and instance_state(each).key for each in (jane, payment))
        assert "version" not in instance_dict(jane)
        assert "id" not in instance_dict(payment)

    with store.engine.connect() as connection:
        assert connection.execute(select(accounts.c.owner)).scalars().all() == ["John"]


def test_a_flush_that_fails_in_a_savepoint_leaves_what_was_before_it(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.accounts.add(Account("Jane", number="7"))
        with pytest.raises(Duplicate), uow.nested():
            uow.accounts["John"].balance = 2
            uow.accounts.add(Account("Jim", number="7"))
        uow.commit()

    with Bank(store) as uow:
        assert [(each.owner, each.balance) for each in uow.accounts] == [("Jane", 0), ("John", 1)]


def test_where_equal_values_are_assigned_no_transaction_begins(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, shop.mapping, durability="process")
    store.create_tables()
    order = shop.Order(price=shop.Money(Decimal("9.90"), "EUR"), lines=[shop.Line("LAMP")])
    shop.stored(store, order)
    begun: list[Any] = []
    with shop.Shop(store) as uow:
        order = uow.orders[order.id]
        uow.commit()
        event.listen(store.engine, "begin", begun.append)

        order.price = shop.Money(Decimal("9.9"), "EUR")
        order.lines[0].quantity = 1
        uow.commit()

        assert (begun, order.version, str(order.price)) == ([], 1, "Money(amount=Decimal('9.90'), currency='EUR')")
    store.dispose()
