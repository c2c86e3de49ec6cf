"""The ORM's session of a unit writes by statements of Core alone, and the transaction stays the unit's."""

# A checker takes `Order.id` for an int, and does not know that the mapping has put a column there.
# mypy: disable-error-code="arg-type, attr-defined, call-overload, misc, no-untyped-call"

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.orm import Session as OrmSession, merge_frozen_result

from honestwork.adapters import SqlStore
from honestwork.domain import AlreadyRemoved, Conflict, Duplicate, Misuse, UnitFailed, UnitReadOnly
from tests.integration.trade import (
    CashPayment,
    Customer,
    Line,
    Note,
    Order,
    Trade,
    cards,
    customers,
    lines,
    notes,
    orders,
    payments,
    session_of,
    trade,
)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    with trade(request.getfixturevalue(f"{request.param}_url")) as made:
        yield made


@pytest.fixture
def uow(store: SqlStore) -> Iterator[Trade]:
    with Trade(store) as made:
        yield made


def has_returning(store: SqlStore) -> bool:
    """MariaDB returns rows from INSERT and DELETE alone."""
    return store.engine.dialect.name != "mariadb"


# What statements change

older = update(customers).values(age=customers.c.age + 100)
CHANGES: dict[str, Callable[[OrmSession], Any]] = {
    "update": lambda session: session.execute(older),
    "text": lambda session: session.execute(text("UPDATE trade_customers SET age = age + 100")),
    "many": lambda session: session.execute(
        update(customers).where(customers.c.id == bindparam("key")).values(age=bindparam("new")),
        [{"key": 1, "new": 101}, {"key": 2, "new": 102}],
    ),
    "connection": lambda session: session.connection().execute(older),
    "class on the connection": lambda session: session.connection().execute(
        update(Customer).values(age=Customer.age + 100)
    ),
    "driver": lambda session: session.connection().exec_driver_sql("UPDATE trade_customers SET age = age + 100"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_statement_changes_is_read_again_at_once(
    change: Callable[[OrmSession], Any], uow: Trade, store: SqlStore
) -> None:
    ann, bob = uow.customers
    ann.name = "Anna"

    change(session_of(uow))

    assert (ann.age, bob.age, ann.name) == (101, 102, "Anna")
    ann.age += 1
    uow.commit()
    with Trade(store) as other:
        assert [(each.name, each.age) for each in other.customers] == [("Anna", 102), ("Bob", 102)]


def test_a_statement_tells_how_many_rows_it_has_changed(uow: Trade) -> None:
    session = session_of(uow)

    assert session.execute(older).rowcount == 2
    assert session.execute(text("DELETE FROM trade_notes")).rowcount == 1
    inserted = session.execute(insert(customers).values(name="Eve", age=4))
    assert inserted.inserted_primary_key == (3,)
    assert uow.customers[3].name == "Eve"


def test_an_object_whose_row_a_statement_deletes_is_removed(uow: Trade) -> None:
    bob, session = uow.customers[2], session_of(uow)

    session.execute(delete(customers).where(customers.c.id == 2))

    assert uow.customers.get(2) is None
    assert session.get(Customer, 2) is None
    assert bob not in session
    assert inspect(bob).was_deleted
    with pytest.raises(AlreadyRemoved):
        uow.customers.add(bob)


def test_what_a_statement_inserts_is_found(uow: Trade) -> None:
    session = session_of(uow)

    session.execute(insert(customers), [{"name": "Eve", "age": 4}, {"name": "Dan", "age": 5}])

    assert session.scalars(select(Customer).where(Customer.name == "Eve")).one().age == 4
    assert [each.name for each in uow.customers.find_by(age=5)] == ["Dan"]


def test_members_that_statements_insert_and_delete_come_and_go(uow: Trade) -> None:
    order, session = uow.orders[1], session_of(uow)
    pen, ink = order.lines

    session.execute(delete(notes))
    assert pen.notes == []
    session.execute(insert(lines).values(order_id=1, product="hat", quantity=4))
    assert [line.product for line in order.lines] == ["pen", "ink", "hat"]
    assert order.lines[2].order is order
    session.execute(delete(lines).where(lines.c.product == "ink"))
    assert [line.product for line in order.lines] == ["pen", "hat"]
    assert ink not in session
    assert inspect(ink).was_deleted


@pytest.mark.parametrize("is_loaded", [True, False], ids=["both loaded", "one loaded"])
def test_a_member_that_a_statement_moves_is_with_its_new_owner(is_loaded: bool, uow: Trade, store: SqlStore) -> None:
    order, session = uow.orders[1], session_of(uow)
    ink = order.lines[1]
    if is_loaded:
        assert uow.orders[2].id == 2

    session.execute(update(lines).where(lines.c.product == "ink").values(order_id=2))

    assert [line.product for line in order.lines] == ["pen"]
    assert [line.product for line in uow.orders[2].lines] == ["ink", "cap"]
    assert uow.orders[2].lines[0] is ink
    assert ink.order is uow.orders[2]
    ink.quantity = 7
    uow.commit()
    with Trade(store) as other:
        assert [(each.version, each.lines[0].quantity) for each in other.orders] == [(1, 1), (2, 7)]


def test_a_statement_may_change_the_class_of_an_object(uow: Trade) -> None:
    was_card, session = uow.payments[2], session_of(uow)

    session.execute(delete(cards).where(cards.c.id == 2))
    session.execute(update(payments).where(payments.c.id == 2).values(kind="cash", coins=3))

    is_cash = uow.payments[2]
    assert isinstance(is_cash, CashPayment)
    assert session.get(CashPayment, 2) is is_cash
    assert was_card not in session


def test_a_collection_that_a_statement_does_not_change_stays_the_same_list(uow: Trade, store: SqlStore) -> None:
    order, session = uow.orders[1], session_of(uow)
    held = order.lines

    session.execute(older)
    session.execute(text("SELECT 1"))
    session.execute(update(orders).values(amount=7))
    held.append(Line("hat"))
    held[0].quantity = 9
    uow.commit()

    with Trade(store) as other:
        assert [(line.product, line.quantity) for line in other.orders[1].lines] == [("pen", 9), ("ink", 2), ("hat", 1)]


def test_a_version_that_a_statement_raises_is_the_one_that_is_expected(uow: Trade, store: SqlStore) -> None:
    order, session = uow.orders[1], session_of(uow)

    session.execute(update(orders).values(version=orders.c.version + 1))
    order.lines[0].quantity = 9
    uow.commit()

    assert order.version == 3


def test_rows_that_a_statement_returns_are_the_units_objects(uow: Trade, store: SqlStore) -> None:
    session, ann = session_of(uow), uow.customers[1]

    asked = insert(customers).values(name="Eve", age=4).returning(*customers.c)
    eve = session.scalars(select(Customer).from_statement(asked)).one()
    assert uow.customers[eve.id] is eve
    if has_returning(store):
        changed = update(customers).values(age=customers.c.age + 100).returning(*customers.c)
        assert {*session.scalars(select(Customer).from_statement(changed))} == {*uow.customers}
        assert (ann.age, eve.age) == (101, 104)
        words = text("UPDATE trade_customers SET age = age + 100 RETURNING id, name, age")
        assert {*session.scalars(select(Customer).from_statement(words))} == {*uow.customers}
        assert (ann.age, eve.age) == (201, 204)
        eve.age = 5
        assert session.execute(words.columns(*customers.c)).all()[0].age == 301
        assert (ann.age, eve.age) == (301, 105)
    gone = delete(customers).where(customers.c.id == eve.id).returning(customers.c.name)
    assert session.execute(gone).scalars().all() == ["Eve"]
    assert eve not in session
    assert inspect(eve).was_deleted


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # it alone has such a WITH
def test_a_select_over_a_statement_that_changes_rows_is_one(uow: Trade, store: SqlStore) -> None:
    ann = uow.customers[1]
    changed = update(customers).values(age=customers.c.age + 100).returning(customers.c.age).cte()

    assert session_of(uow).scalars(select(func.max(changed.c.age))).one() == 102

    assert ann.age == 101


def test_what_a_statement_changes_is_stored_by_the_commit_alone(store: SqlStore) -> None:
    with Trade(store) as uow:
        session_of(uow).execute(older)

    with Trade(store) as uow:
        assert [each.age for each in uow.customers] == [1, 2]
        session_of(uow).execute(older)
        uow.commit()

    with Trade(store) as uow:
        assert [each.age for each in uow.customers] == [101, 102]


def test_an_error_of_a_statement_is_one_of_the_domain_and_fails_the_unit(uow: Trade) -> None:
    session = session_of(uow)

    with pytest.raises(Duplicate):
        session.execute(insert(customers).values(name="Ann", age=1))
    for attempt in (lambda: session.execute(text("SELECT 1")), lambda: session.get(Customer, 1), uow.commit):
        with pytest.raises(UnitFailed):
            attempt()

    uow.rollback()
    assert session_of(uow).get_one(Customer, 1).age == 1


def test_a_reading_unit_finds_objects_and_refuses_statements_that_change_rows(store: SqlStore) -> None:
    with Trade(store).reading() as uow:
        session = session_of(uow)
        assert session.get(Customer, 1) is uow.customers[1]

        with pytest.raises(UnitReadOnly):
            session.execute(older)


# Blocks


def test_a_block_that_raises_undoes_what_was_done_to_objects_that_the_session_found(uow: Trade) -> None:
    session = session_of(uow)
    ann = session.get_one(Customer, 1)

    with pytest.raises(ZeroDivisionError), uow.nested():
        ann.age = 60
        assert session.scalar(select(Customer.age).where(Customer.id == 1)) == 60
        bob = session.get_one(Customer, 2)
        bob.age = 61
        _ = 1 / 0

    assert (ann.age, bob.age) == (1, 2)
    assert session.scalar(select(Customer.age).where(Customer.id == 1)) == 1
    assert session.get(Customer, 2) is bob


@pytest.mark.parametrize("depth", [1, 2], ids=["itself", "around another"])
def test_a_block_that_raises_undoes_what_statements_did_to_objects(depth: int, uow: Trade, store: SqlStore) -> None:
    session, (ann, bob), order = session_of(uow), uow.customers, uow.orders[1]
    pen, ink = order.lines

    def work() -> None:
        session.execute(older)
        session.execute(delete(customers).where(customers.c.id == 2))
        session.execute(insert(customers).values(id=50, name="Eve", age=4))
        session.execute(insert(lines).values(order_id=1, product="hat", quantity=4))
        session.execute(delete(lines).where(lines.c.product == "ink"))
        assert (ann.age, bob in session, [line.product for line in order.lines]) == (101, False, ["pen", "hat"])

    with pytest.raises(ZeroDivisionError), uow.nested():
        if depth == 2:
            with uow.nested():
                work()
        else:
            work()
        eve = uow.customers[50]
        hat = order.lines[1]
        _ = 1 / 0

    assert (ann.age, bob.age, order.lines) == (1, 2, [pen, ink])
    assert uow.customers[2] is bob
    assert uow.customers.get(50) is None
    assert not inspect(bob).was_deleted
    assert [each in session for each in (ann, bob, eve, pen, ink, hat)] == [True, True, False, True, True, False]
    bob.age, ink.quantity = 33, 9
    uow.commit()
    with Trade(store) as other:
        assert [(each.name, each.age) for each in other.customers] == [("Ann", 1), ("Bob", 33)]
        assert [(line.product, line.quantity) for line in other.orders[1].lines] == [("pen", 1), ("ink", 9)]


def test_a_block_that_ends_well_keeps_what_statements_did(uow: Trade, store: SqlStore) -> None:
    ann = uow.customers[1]
    with uow.nested():
        session_of(uow).execute(older)
        ann.age += 1
    uow.commit()

    with Trade(store) as other:
        assert [each.age for each in other.customers] == [102, 102]


def test_a_rollback_gives_back_what_a_statement_has_deleted(uow: Trade) -> None:
    bob = uow.customers[2]
    session_of(uow).execute(delete(customers).where(customers.c.id == 2))

    uow.rollback()

    assert not inspect(bob).was_deleted
    assert uow.customers[2].name == "Bob"


# One transaction after the other


def test_each_transaction_has_a_session_of_its_own(uow: Trade) -> None:
    for end in (uow.commit, uow.rollback):
        session = session_of(uow)
        ann = session.get_one(Customer, 1)
        ann.age += 1
        end()

        for attempt in (
            lambda session=session: session.execute(text("SELECT 1")),
            lambda session=session: session.get(Customer, 1),
            lambda session=session: session.query(Customer).all(),
            lambda session=session: session.connection(),
            lambda session=session: session.add(Customer("Eve")),
            lambda session=session: session.new,
        ):
            with pytest.raises(Misuse, match="has ended"):
                attempt()
        assert session_of(uow) is not session
        assert session_of(uow).get_one(Customer, 1).age == 2


def another_unit_changes(store: SqlStore) -> None:
    with Trade(store) as other:
        other.customers[1].age = 63
        other.customers.remove(other.customers[2])
        other.orders[1].lines.pop()
        other.orders[1].lines[0].quantity = 9
        other.commit()


FINDS: dict[str, Callable[[OrmSession, type[Any], int], Any]] = {
    "get": lambda session, cls, key: session.get(cls, key),
    "locked": lambda session, cls, key: session.get(cls, key, with_for_update=True),
    "select": lambda session, cls, key: session.scalars(select(cls).where(cls.id == key)).one_or_none(),
    "query": lambda session, cls, key: session.query(cls).filter_by(id=key).one_or_none(),
}


@pytest.mark.parametrize("find", FINDS.values(), ids=FINDS)
def test_objects_from_before_a_commit_are_brought_up_to_date_when_they_are_found(
    find: Callable[[OrmSession, type[Any], int], Any], uow: Trade, store: SqlStore
) -> None:
    (ann, _), order = uow.customers, uow.orders[1]
    pen = order.lines[0]
    uow.commit()
    another_unit_changes(store)

    session = session_of(uow)

    assert find(session, Order, 1) is order
    assert find(session, Customer, 1) is ann
    assert ann.age == 63
    assert find(session, Customer, 2) is None
    assert uow.customers.get(2) is None
    assert find(session, Line, 2) is None
    assert find(session, Line, 1) is pen
    assert (pen.quantity, order.version, order.lines) == (9, 3, [pen])
    ann.age += 1
    pen.quantity += 1
    uow.commit()
    with Trade(store) as other:
        assert (other.customers[1].age, other.orders[1].lines[0].quantity) == (64, 10)


def test_a_row_of_another_class_in_the_place_of_an_old_one_is_another_object(uow: Trade, store: SqlStore) -> None:
    was_card = uow.payments[2]
    uow.commit()
    with store.engine.begin() as connection:
        connection.execute(delete(cards).where(cards.c.id == 2))
        connection.execute(update(payments).where(payments.c.id == 2).values(kind="cash", coins=3))

    for found in (
        session_of(uow).get(CashPayment, 2),
        session_of(uow).scalars(select(CashPayment).filter_by(id=2)).one(),
    ):
        assert isinstance(found, CashPayment)
        assert found is uow.payments[2]
        assert found is not was_card
        assert found.coins == 3


def test_a_statement_does_not_hide_a_lost_race(uow: Trade, store: SqlStore) -> None:
    session, order = session_of(uow), uow.orders[1]
    with Trade(store) as other:
        other.orders[1].lines[0].quantity = 9
        other.commit()

    with pytest.raises(Conflict):
        session.execute(update(orders).values(amount=7))
    with pytest.raises(UnitFailed):
        order.lines[0].quantity = 8
        uow.commit()


UNREAD: dict[str, Callable[[OrmSession], Any]] = {
    "of the connection": lambda session: session.connection().execute(select(customers).order_by(customers.c.id)),
    "of the driver": lambda session: session.connection().exec_driver_sql("SELECT * FROM trade_customers ORDER BY id"),
}


@pytest.mark.parametrize("asked", UNREAD.values(), ids=UNREAD)
def test_a_result_that_is_not_read_to_its_end_keeps_no_snapshot(
    asked: Callable[[OrmSession], Any], uow: Trade, store: SqlStore
) -> None:
    unread = asked(session_of(uow))
    assert unread.fetchone()[0] == 1
    uow.rollback()

    with Trade(store) as other:
        other.customers[1].age = 50
        other.commit()

    assert uow.customers[1].age == 50
    uow.customers[1].age = 51
    uow.commit()
    with pytest.raises(ResourceClosedError):
        unread.fetchone()


# What is refused

CALLS: dict[str, Callable[[OrmSession, Customer], Any]] = {
    "add": lambda session, ann: session.add(Customer("Eve")),
    "add_all": lambda session, ann: session.add_all([Customer("Eve")]),
    "delete": lambda session, ann: session.delete(ann),
    "delete_all": lambda session, ann: session.delete_all([ann]),
    "merge": lambda session, ann: session.merge(Customer("Eve")),
    "merge_all": lambda session, ann: session.merge_all([Customer("Eve")]),
    "bulk_save_objects": lambda session, ann: session.bulk_save_objects([Customer("Eve")]),
    "bulk_insert_mappings": lambda session, ann: session.bulk_insert_mappings(Customer, [{"name": "Eve", "age": 1}]),
    "bulk_update_mappings": lambda session, ann: session.bulk_update_mappings(Customer, [{"id": 1, "age": 1}]),
    "flush": lambda session, ann: session.flush(),
    "commit": lambda session, ann: session.commit(),
    "rollback": lambda session, ann: session.rollback(),
    "begin": lambda session, ann: session.begin(),
    "begin_nested": lambda session, ann: session.begin_nested(),
    "get_transaction": lambda session, ann: session.get_transaction(),
    "get_nested_transaction": lambda session, ann: session.get_nested_transaction(),
    "prepare": lambda session, ann: session.prepare(),
    "close": lambda session, ann: session.close(),
    "reset": lambda session, ann: session.reset(),
    "invalidate": lambda session, ann: session.invalidate(),
    "refresh": lambda session, ann: session.refresh(ann),
    "expire": lambda session, ann: session.expire(ann),
    "expire_all": lambda session, ann: session.expire_all(),
    "expunge": lambda session, ann: session.expunge(ann),
    "expunge_all": lambda session, ann: session.expunge_all(),
    "enable_relationship_loading": lambda session, ann: session.enable_relationship_loading(ann),
    "no_autoflush": lambda session, ann: session.no_autoflush,
    "bind_mapper": lambda session, ann: session.bind_mapper(Customer, session.get_bind().engine),
    "bind_table": lambda session, ann: session.bind_table(customers, session.get_bind().engine),
    "INSERT": lambda session, ann: session.execute(insert(Customer).values(name="Eve", age=1)),
    "INSERT of many": lambda session, ann: session.execute(insert(Customer), [{"name": "Eve", "age": 1}]),
    "UPDATE": lambda session, ann: session.execute(update(Customer).values(age=3)),
    "UPDATE by key": lambda session, ann: session.execute(update(Customer), [{"id": 1, "age": 3}]),
    "DELETE": lambda session, ann: session.execute(delete(Customer)),
    "UPDATE returning": lambda session, ann: session.scalars(
        select(Customer).from_statement(update(Customer).values(age=3).returning(Customer))
    ),
    "query update": lambda session, ann: session.query(Customer).update({"age": 3}),
    "query delete": lambda session, ann: session.query(Note).delete(),
    "merge_frozen_result": lambda session, ann: merge_frozen_result(
        session, select(Customer), session.execute(select(Customer)).freeze(), load=False
    ),
    "another bind": lambda session, ann: session.execute(
        select(Customer), bind_arguments={"bind": session.get_bind().engine}
    ),
    "savepoint of the connection": lambda session, ann: session.connection().begin_nested(),
    "commit of the connection": lambda session, ann: session.connection().commit(),
    "rollback of the connection": lambda session, ann: session.connection().rollback(),
    "transaction of the connection": lambda session, ann: session.connection().get_transaction(),
    "options of the connection": lambda session, ann: session.connection().execution_options(stream_results=True),
    "detach of the connection": lambda session, ann: session.connection().detach(),
    "invalidate of the connection": lambda session, ann: session.connection().invalidate(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_the_units_to_do_is_refused_and_nothing_of_it_is_done(
    call: Callable[[OrmSession, Customer], Any], uow: Trade, store: SqlStore
) -> None:
    session, ann = session_of(uow), uow.customers[1]
    ann.age = 50

    with pytest.raises(Misuse) as refused:
        call(session, ann)

    assert ": " in str(refused.value), "it names no way out"
    assert (ann.age, ann in session) == (50, True)
    uow.commit()
    with Trade(store) as other:
        assert [(each.name, each.age) for each in other.customers] == [("Ann", 50), ("Bob", 2)]
        assert len(other.orders[1].lines[0].notes) == 1


def test_every_name_of_a_session_is_allowed_or_refused() -> None:
    allowed = """
        bind connection connection_callable deleted dirty dispatch execute execution_options get get_bind get_one
        identity_key in_nested_transaction in_transaction info is_active is_modified new object_session query scalar
        scalars
    """
    refused = {*CALLS} & {*dir(OrmSession)}

    names = {name for name in dir(OrmSession) if not name.startswith("_")}

    assert names - {*allowed.split()} - refused == set()


def test_a_block_of_the_session_ends_with_the_refusal_of_its_end(uow: Trade) -> None:
    with pytest.raises(Misuse, match="close of the session would end the transaction"), session_of(uow) as session:
        assert session.get(Customer, 1) is uow.customers[1]

    assert session.get(Customer, 1) is uow.customers[1]


def test_the_order_of_an_aggregate_cannot_be_bypassed_by_a_cascade(uow: Trade, store: SqlStore) -> None:
    order = session_of(uow).scalars(select(Order).where(Order.id == 1)).one()

    hat = Line("hat")
    hat.order = order

    assert hat not in session_of(uow).new or hat in order.lines
    uow.commit()
    with Trade(store) as other:
        assert [line.product for line in other.orders[1].lines] == ["pen", "ink", "hat"]
