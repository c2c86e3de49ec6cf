"""The plain flush writes what the ORM's flush writes, and leaves to it whatever is not plain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, NoReturn

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import instance_dict, instance_state

from honestwork.adapters import SqlRepository, SqlStore
from honestwork.domain import Duplicate
from tests.contract import shop
from tests.integration.bank import Account, Bank, Payment, accounts, bank, payments


@pytest.fixture(params=["sqlite_url", "postgres_url", "mariadb_url"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    with bank(request.getfixturevalue(request.param)) as store:
        yield store


@pytest.fixture
def without_orm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ORM's flush is not to be used."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the ORM flushes what is plain")

    monkeypatch.setattr(OrmSession, "flush", refuse)


def orm_of(uow: Bank) -> OrmSession:
    repository = uow.accounts
    assert isinstance(repository, SqlRepository)
    return repository.session


def listen(orm: OrmSession) -> None:
    """Somebody wants to hear of each flush, which only the ORM's tells of."""
    event.listen(orm, "before_flush", lambda *_: None)


def stay_silent(orm: OrmSession) -> None: ...


def written(store: SqlStore, prepare: Callable[[OrmSession], None]) -> tuple[list[tuple[str, ...]], list[Any]]:
    """(verb, table) of what a unit writes, and what its objects are then; all of it undone."""
    statements: list[tuple[str, ...]] = []

    def note(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        verb, *words = statement.split()
        if verb in ("INSERT", "UPDATE", "DELETE"):
            statements.append((verb, words[1] if verb == "INSERT" else words[0]))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        with Bank(store) as uow:
            orm = orm_of(uow)
            prepare(orm)
            john = uow.accounts["John"]
            jane, jim = Account("Jane", 5, "5"), Account("Jim", number=None)
            uow.payments.add(Payment("John", 1))
            uow.accounts.add(jane)
            uow.accounts.add(jim)
            bills = [Payment("Jane", 2), Payment("Jim", 3)]
            uow.payments.add_many(bills)
            john.balance, john.number = 90, None
            uow.flush()
            jane.balance, jim.balance, john.balance = 5, 7, 80
            bills[0].amount = 22
            uow.flush()
            objects = [john, jane, jim, *bills]
            states = [(each in orm, instance_state(each).modified, instance_state(each).key) for each in objects]
            first = bills[0].id
            values = [instance_dict(each) | {"_sa_instance_state": None} for each in objects]
            for each in values:
                each["id"] = each["id"] - first if "id" in each else None
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    generated = [(known, modified, None if key is None else key[0]) for known, modified, key in states]
    return [statement for statement, _ in groupby(statements)], [generated, values]


def test_the_same_is_written_in_the_same_order_and_the_objects_end_alike(store: SqlStore) -> None:
    plainly, ours = written(store, stay_silent)
    by_the_orm, theirs = written(store, listen)

    assert plainly == by_the_orm
    assert plainly[:3] == [("UPDATE", "accounts"), ("INSERT", "accounts"), ("INSERT", "payments")]
    assert ours == theirs


@pytest.mark.usefixtures("without_orm")
def test_single_objects_and_values_in_columns_do_without_the_orm(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.add(Account("Jane"))
        uow.payments.add(Payment("John", 1))
        uow.accounts["John"].balance += 1
        uow.commit()


def test_a_removal_goes_through_the_orm(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.add(Account("Jane"))
        uow.accounts.remove(uow.accounts["John"])
        uow.commit()

    with Bank(store) as uow:
        assert [each.owner for each in uow.accounts] == ["Jane"]


@pytest.mark.parametrize("told", ["before_insert", "after_insert", "before_update", "after_update"])
def test_whoever_listens_to_a_class_hears_of_it(store: SqlStore, told: str) -> None:
    heard: list[object] = []

    def hear(mapper: object, connection: object, instance: object) -> None:
        heard.append(instance)

    event.listen(Account, told, hear)
    try:
        with Bank(store) as uow:
            jane = Account("Jane")
            uow.accounts.add(jane)
            uow.flush()
            jane.balance = 1
            uow.flush()
    finally:
        event.remove(Account, told, hear)

    assert heard == [jane]


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
    """Also not for an aggregate that the ORM flushes."""
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
