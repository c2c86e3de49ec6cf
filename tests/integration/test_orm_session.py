"""The ORM's session of a unit reads: it finds the unit's own objects, whole, whatever a statement loads."""

# A checker takes `Order.id` for an int, and does not know that the mapping has put a column there.
# mypy: disable-error-code="arg-type, attr-defined, call-overload, index, misc, union-attr"

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, inspect, literal_column, select, text
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import (
    Bundle,
    Session as OrmSession,
    aliased,
    contains_eager,
    defer,
    joinedload,
    lazyload,
    load_only,
    object_session,
    raiseload,
    registry,
    selectinload,
    subqueryload,
    with_loader_criteria,
)
from sqlalchemy.orm.attributes import instance_state

from honestwork.adapters import SqlStore
from honestwork.domain import AlreadyRemoved, ForeignObject, Misuse
from tests.integration.trade import (
    LEAP_DAY,
    SOURCE,
    CardPayment,
    CashPayment,
    Customer,
    Line,
    Money,
    Note,
    Order,
    Payment,
    Rate,
    Tag,
    Trade,
    customers,
    lines,
    orders,
    rates,
    session_of,
    tags,
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


# Identity


def test_the_session_is_one_of_sqlalchemy_and_the_same_for_all_repositories_of_the_unit(uow: Trade) -> None:
    session = session_of(uow)

    assert isinstance(session, OrmSession)
    assert uow.orders.session is session


def test_objects_that_the_unit_has_loaded_come_out_of_the_session(uow: Trade) -> None:
    ann = uow.customers[1]

    session = session_of(uow)

    assert session.scalars(select(Customer).where(Customer.id == 1)).one() is ann
    assert session.get(Customer, 1) is ann
    assert session.get_one(Customer, 1) is ann
    assert session.query(Customer).filter_by(id=1).one() is ann
    assert session.execute(select(Customer, Order).join(Order, Order.id == Customer.id)).all()[0][0] is ann


def test_objects_that_the_session_finds_are_the_units(uow: Trade, store: SqlStore) -> None:
    bob = session_of(uow).scalars(select(Customer).where(Customer.name == "Bob")).one()

    assert uow.customers[2] is bob
    bob.age = 77
    uow.commit()

    with Trade(store) as other:
        assert other.customers[2].age == 77


def test_an_object_that_the_session_finds_can_be_removed(uow: Trade, store: SqlStore) -> None:
    order = session_of(uow).scalars(select(Order).where(Order.id == 1)).one()

    uow.orders.remove(order)
    uow.commit()

    with Trade(store) as other:
        assert [each.id for each in other.orders] == [2]


def test_sqlalchemy_takes_the_objects_for_detached(uow: Trade) -> None:
    order = session_of(uow).scalars(select(Order).where(Order.id == 1)).one()

    for each in (order, *order.lines, *order.lines[0].notes):
        assert object_session(each) is None
        assert inspect(each).detached


def test_found_objects_are_like_loaded_ones_to_sqlalchemy(store: SqlStore) -> None:
    with Trade(store) as uow:
        loaded = uow.orders[1]
        states = [instance_state(each) for each in (loaded, *loaded.lines, *loaded.lines[0].notes)]
        noted = [[name for name, noted in state.__getstate__().items() if noted] for state in states]
        values = [set(state.dict) for state in states]

    with Trade(store) as uow:
        found = session_of(uow).scalars(select(Order).where(Order.id == 1).options(load_only(Order.id))).one()
        states = [instance_state(each) for each in (found, *found.lines, *found.lines[0].notes)]

    assert [set(state.dict) for state in states] == values
    assert [[name for name, noted in state.__getstate__().items() if noted] for state in states] == noted
    assert not any(state.modified or state.expired for state in states)


def test_what_the_session_finds_twice_is_one_object(uow: Trade) -> None:
    session = session_of(uow)

    rows = session.execute(select(Order, Line).join(Line, Line.order_id == Order.id).order_by(Line.id)).all()

    assert [line.product for _, line in rows] == ["pen", "ink", "cap"]
    assert rows[0][0] is rows[1][0] is uow.orders[1]
    assert rows[0][1] is uow.orders[1].lines[0]


def test_keys_of_any_type_find_the_same_object(uow: Trade) -> None:
    session = session_of(uow)

    found = session.scalars(select(Rate)).one()

    assert uow.rates[LEAP_DAY, SOURCE] is found
    assert session.get(Rate, (LEAP_DAY, SOURCE)) is found
    assert session.get(Rate, {"day": LEAP_DAY, "source": SOURCE}) is found
    assert session.scalars(select(Rate).where(rates.c.rate > 1)).one() is found


def test_an_identity_token_names_no_other_object(uow: Trade, store: SqlStore) -> None:
    session = session_of(uow)

    order = session.get(Order, 1, identity_token="here")
    ann = session.scalars(select(Customer).where(Customer.id == 1).execution_options(identity_token="here")).one()

    assert uow.orders[1] is order
    assert uow.customers[1] is ann is session.get(Customer, 1, identity_token="there")
    assert instance_state(ann).identity_token is None
    ann.age, order.lines[0].quantity = 50, 60
    uow.commit()
    with Trade(store) as other:
        assert (other.customers[1].age, other.orders[1].lines[0].quantity) == (50, 60)


def test_the_identity_map_of_the_session_is_the_units(uow: Trade) -> None:
    session, ann, order = session_of(uow), uow.customers[1], uow.orders[1]

    found, key = session.identity_map, session.identity_key(instance=ann)

    assert {ann, order, *order.lines} <= {*found.values()}
    assert len(found) == len([*found]) == len([*found.keys()]) == len([*session])
    assert key in found
    assert found[key] is found.get(key) is ann
    assert (Customer, (99,), None) not in found
    with pytest.raises(KeyError):
        found[Customer, (99,), None]


def test_a_class_finds_its_subclasses_with_the_columns_of_their_own(uow: Trade, store: SqlStore) -> None:
    payment, card, cash = session_of(uow).scalars(select(Payment).order_by(Payment.id))

    assert (type(payment), type(card), type(cash)) == (Payment, CardPayment, CashPayment)
    assert isinstance(card, CardPayment)
    assert isinstance(cash, CashPayment)
    assert (card.number, cash.coins) == ("4711", 9)
    assert uow.payments[2] is card
    card.number, card.payer = "4712", "Bo"
    uow.commit()

    with Trade(store) as other:
        card = other.payments[2]
        session = session_of(other)
        assert session.scalars(select(CardPayment)).one() is card
        assert (card.number, card.payer) == ("4712", "Bo")
        assert session.get(CashPayment, 2) is None
        assert session.get(Payment, 3) is session.get(CashPayment, 3) is other.payments[3]


def test_an_outer_join_gives_none_where_there_is_nothing(uow: Trade) -> None:
    rows = session_of(uow).execute(
        select(Customer, Order).outerjoin(Order, Order.id == Customer.id + 1).order_by(Customer.id)
    )

    assert [(customer.name, order and order.id) for customer, order in rows] == [("Ann", 2), ("Bob", None)]


def test_classes_of_another_mapping_are_refused(uow: Trade) -> None:
    class Row:
        """A customer, as a report sees it."""

    other = registry()
    other.map_imperatively(Row, customers)

    with pytest.raises(Misuse, match="Row is not mapped by the mapping of this store"):
        session_of(uow).scalars(select(Row)).all()

    other.dispose()


# Flushing


def test_each_statement_flushes_the_unit(uow: Trade) -> None:
    ann, session = uow.customers[1], session_of(uow)

    ann.age = 50
    assert session.scalars(select(Customer.age).where(Customer.age == 50)).all() == [50]
    ann.age = 51
    assert session.scalar(select(func.max(customers.c.age))) == 51
    ann.age = 52
    assert session.execute(text("SELECT age FROM trade_customers WHERE id = 1")).scalar() == 52
    ann.age = 53
    assert session.connection().exec_driver_sql("SELECT age FROM trade_customers WHERE id = 1").scalar() == 53
    ann.age = 54
    assert session.connection().scalar(select(customers.c.age).where(customers.c.id == 1)) == 54
    ann.age = 55
    assert session.query(Customer.age).filter(Customer.id == 1).scalar() == 55
    assert session.scalar(select(func.count()).select_from(lines)) == 3
    uow.orders[2].lines.append(Line("hat"))
    assert session.scalar(select(func.count()).select_from(lines)) == 4


def test_what_was_added_is_found_and_what_was_removed_is_not(uow: Trade) -> None:
    session, ann, order = session_of(uow), uow.customers[1], uow.orders[1]
    eve = Customer("Eve")

    uow.customers.add(eve)
    assert session.scalars(select(Customer).where(Customer.name == "Eve")).one() is eve
    assert session.get(Customer, eve.id) is eve
    uow.customers.remove(ann)
    assert session.get(Customer, 1) is None
    with pytest.raises(NoResultFound):
        session.get_one(Customer, 1)
    pen = order.lines.pop(0)
    assert session.get(Line, 1) is None
    assert pen not in session.scalars(select(Line)).all()
    uow.orders.remove(order)
    assert session.scalars(select(Order)).all() == [uow.orders[2]]
    assert inspect(order).was_deleted


def test_a_result_is_read_before_the_next_change(uow: Trade) -> None:
    ann, session = uow.customers[1], session_of(uow)
    ages = session.execute(select(customers.c.age).order_by(customers.c.id))
    found = session.scalars(select(Customer).order_by(Customer.id))
    words = session.execute(text("SELECT age FROM trade_customers ORDER BY id"))

    ann.age = 42
    uow.commit()

    assert ages.scalars().all() == [1, 2]
    assert words.scalars().all() == [1, 2]
    assert found.first() is ann
    assert ann.age == 42


def test_populate_existing_takes_no_change_back(uow: Trade) -> None:
    ann, session = uow.customers[1], session_of(uow)

    ann.age = 50
    found = session.scalars(select(Customer).where(Customer.id == 1).execution_options(populate_existing=True))
    ann.age = 51

    assert found.one() is ann
    assert ann.age == 51
    assert session.get(Customer, 1, populate_existing=True) is ann
    assert session.query(Customer).populate_existing().filter_by(id=1).one() is ann
    assert ann.age == 51


def test_a_query_without_autoflush_flushes_as_well(uow: Trade) -> None:
    ann, session = uow.customers[1], session_of(uow)
    ann.age = 50

    asked = select(Customer.id).where(Customer.age == 50).execution_options(autoflush=False)

    assert session.scalars(asked).all() == [1]


def test_autoflush_cannot_be_switched_on_and_the_session_goes_on(uow: Trade) -> None:
    ann, session = uow.customers[1], session_of(uow)

    with pytest.raises(Misuse, match="each statement flushes what has changed"):
        session.autoflush = True

    assert session.get(Customer, 1) is ann
    assert session.autoflush is False


# Whole aggregates

PARTIAL: dict[str, Callable[[], Any]] = {
    "load_only": lambda: load_only(Order.id),
    "defer": lambda: defer(Order.extra),
    "lazyload": lambda: lazyload(Order.lines),
    "lazyload all": lambda: lazyload("*"),
    "raiseload": lambda: raiseload("*"),
    "raiseload columns": lambda: load_only(Order.id, raiseload=True),
    "filtered selectinload": lambda: selectinload(Order.lines.and_(Line.quantity > 1)),
    "deep selectinload": lambda: selectinload(Order.lines).selectinload(Line.notes),
    "subqueryload": lambda: subqueryload(Order.lines.and_(Line.quantity > 1)),
    "criteria": lambda: with_loader_criteria(Line, Line.quantity > 1),
    "joinedload": lambda: joinedload(Order.lines),
    "filtered joinedload": lambda: joinedload(Order.lines.and_(Line.quantity > 1)),
}


@pytest.mark.parametrize("option", PARTIAL.values(), ids=PARTIAL)
@pytest.mark.parametrize("is_loaded", [True, False], ids=["loaded before", "fresh"])
def test_an_aggregate_is_whole_whatever_the_statement_loads(
    option: Callable[[], Any], is_loaded: bool, uow: Trade, store: SqlStore
) -> None:
    held = uow.orders[1] if is_loaded else None

    order = session_of(uow).scalars(select(Order).where(Order.id == 1).options(option())).unique().one()

    assert held is None or held is order
    assert uow.orders[1] is order
    assert [line.product for line in order.lines] == ["pen", "ink"]
    assert all(line.order is order for line in order.lines)
    assert ([note.text for note in order.lines[0].notes], order.extra) == (["blue"], {"k": 1})
    assert (order.price, [tag.name for tag in order.lines[0].tags]) == (Money(5, "EUR"), ["fragile"])
    order.extra["k"] = 2
    uow.commit()
    with Trade(store) as other:
        assert (len(other.orders[1].lines), other.orders[1].extra, other.orders[1].version) == (2, {"k": 2}, 2)


FILTERED: dict[str, Callable[[], Any]] = {
    "contains_eager": lambda: (
        select(Order).join(Order.lines).where(Line.quantity > 1).options(contains_eager(Order.lines))
    ),
    "populate_existing": lambda: (
        select(Order)
        .join(Order.lines)
        .where(Line.quantity > 1)
        .options(contains_eager(Order.lines))
        .execution_options(populate_existing=True)
    ),
}


@pytest.mark.parametrize("asked", FILTERED.values(), ids=FILTERED)
def test_a_filtered_collection_does_not_take_the_other_members_away(asked: Callable[[], Any], store: SqlStore) -> None:
    with Trade(store) as uow:
        order = session_of(uow).scalars(asked()).unique().one()
        assert [line.product for line in order.lines] == ["pen", "ink"]

    with Trade(store) as uow:
        order = uow.orders[1]
        members = order.lines
        assert session_of(uow).scalars(asked()).unique().one() is order
        assert order.lines is members
        assert [line.product for line in order.lines] == ["pen", "ink"]
        order.lines[0].quantity = 5
        uow.commit()

    with Trade(store) as uow:
        assert [line.quantity for line in uow.orders[1].lines] == [5, 2]


def test_joined_collections_give_each_aggregate_once(uow: Trade) -> None:
    session = session_of(uow)

    found = session.scalars(select(Order).options(joinedload(Order.lines)).order_by(Order.id))

    assert found.unique().all() == [uow.orders[1], uow.orders[2]]
    again = select(Order).options(joinedload(Order.lines)).order_by(Order.id)
    assert session.scalars(again).all() == [uow.orders[1], uow.orders[2]]
    assert session.execute(again).all() == [(uow.orders[1],), (uow.orders[2],)]
    assert session.query(Order).options(joinedload(Order.lines)).order_by(Order.id).all() == [*uow.orders]
    assert session.query(Order).options(joinedload(Order.lines)).filter_by(id=1).one() is uow.orders[1]


def test_a_join_without_a_collection_repeats_its_rows(uow: Trade) -> None:
    assert len(session_of(uow).scalars(select(Order).join(Order.lines)).all()) == 3


def test_what_a_subquery_makes_up_does_not_come_into_an_object(uow: Trade) -> None:
    shouted = select(customers.c.id, func.upper(customers.c.name).label("name"), literal_column("99").label("age"))
    loud = aliased(Customer, shouted.subquery(), adapt_on_names=True)

    found = session_of(uow).scalars(select(loud).order_by(loud.id)).all()

    assert [(each.name, each.age) for each in found] == [("Ann", 1), ("Bob", 2)]


def test_what_a_text_makes_up_does_not_come_into_an_object(uow: Trade) -> None:
    asked = select(Customer).from_statement(
        text("SELECT id, 'nobody' AS name, 99 AS age FROM trade_customers ORDER BY id")
    )

    found = session_of(uow).scalars(asked).all()

    assert [(each.name, each.age) for each in found] == [("Ann", 1), ("Bob", 2)]
    found[0].age = 5
    uow.commit()
    assert found[0].name == "Ann"


def test_an_object_without_a_row_belongs_to_no_unit(uow: Trade, store: SqlStore) -> None:
    session = session_of(uow)
    asked = select(Customer).from_statement(text("SELECT 999 AS id, 'ghost' AS name, 3 AS age"))

    ghost = session.scalars(asked).one()

    assert (ghost.name, object_session(ghost)) == ("ghost", None)
    assert ghost not in session
    ghost.age = 4
    uow.commit()
    assert uow.customers.get(999) is None
    with pytest.raises(ForeignObject):
        uow.customers.add(ghost)


def test_an_alias_of_a_class_finds_the_same_objects(uow: Trade) -> None:
    one, two = aliased(Customer), aliased(Customer)

    rows = session_of(uow).execute(select(one, two).where(one.id < two.id)).all()

    assert [tuple(row) for row in rows] == [(uow.customers[1], uow.customers[2])]


# Members


def test_a_member_brings_its_aggregate(uow: Trade) -> None:
    note = session_of(uow).scalars(select(Note)).one()

    order = uow.orders[1]

    assert order.lines[0].notes == [note]
    assert order.lines[0].notes[0] is note
    assert order.lines[0].order is order


def test_a_member_that_was_found_alone_and_is_changed_raises_the_version_of_its_root(store: SqlStore) -> None:
    with Trade(store) as uow:
        session_of(uow).scalars(select(Note)).one().text = "red"
        uow.commit()

    with Trade(store) as uow:
        assert (uow.orders[1].version, uow.orders[1].lines[0].notes[0].text) == (2, "red")


def test_members_that_were_found_can_come_and_go(uow: Trade, store: SqlStore) -> None:
    pen, ink, _ = session_of(uow).scalars(select(Line).order_by(Line.id))

    pen.order.lines.remove(ink)
    pen.notes.append(Note("new"))
    uow.orders[2].lines.append(Line("hat"))
    uow.commit()

    with Trade(store) as other:
        assert [line.product for line in other.orders[1].lines] == ["pen"]
        assert [note.text for note in other.orders[1].lines[0].notes] == ["blue", "new"]
        assert [line.product for line in other.orders[2].lines] == ["cap", "hat"]


def test_a_linked_member_is_the_same_object_wherever_it_comes_from(uow: Trade, store: SqlStore) -> None:
    tag = session_of(uow).scalars(select(Tag)).one()

    assert uow.orders[1].lines[0].tags[0] is tag
    tag.name = "heavy"
    uow.commit()

    with Trade(store) as other:
        assert session_of(other).scalars(select(tags.c.name)).all() == ["heavy"]


def test_a_set_of_aggregates_is_read_by_a_statement_for_each_kind_of_member(uow: Trade, store: SqlStore) -> None:
    for number in range(30):
        uow.orders.add(Order([Line(f"l{number}", notes=[Note("n")])]))
    uow.commit()

    with Trade(store) as other:
        session = session_of(other)
        counted: list[str] = []
        event.listen(store.engine, "before_cursor_execute", lambda *about: counted.append(about[2]))
        found = session.scalars(select(Order)).all()

    assert len(found) == 32
    assert len(counted) == 5  # the statement; orders, lines, notes and tags


# Columns and other results


def test_columns_come_as_they_are_stored(uow: Trade) -> None:
    session = session_of(uow)

    assert session.execute(select(Customer.id, Customer.name).order_by(Customer.id)).all() == [(1, "Ann"), (2, "Bob")]
    assert session.execute(select(Order.price).where(Order.id == 1)).scalar_one() == Money(5, "EUR")
    assert session.execute(select(Bundle("who", Customer.id, Customer.name))).first()[0].name == "Ann"
    assert session.execute(select(orders.c.extra).where(orders.c.id == 1)).scalar_one() == {"k": 1}
    assert session.execute(select(Customer).where(Customer.id == 1)).mappings().one()["Customer"] is uow.customers[1]


def test_results_in_portions_give_the_units_objects(uow: Trade) -> None:
    session, asked = session_of(uow), select(Customer).order_by(Customer.id)

    portions = session.scalars(asked.execution_options(yield_per=1)).partitions()
    assert [[each.name for each in portion] for portion in portions] == [["Ann"], ["Bob"]]
    assert [each.name for each in session.scalars(asked.execution_options(stream_results=True))] == ["Ann", "Bob"]
    assert [each.name for each in session.query(Customer).order_by(Customer.id).yield_per(1)] == ["Ann", "Bob"]
    streamed = session.scalars(select(customers.c.name).order_by(customers.c.id).execution_options(yield_per=1))
    assert (streamed.first(), uow.customers[2].name) == ("Ann", "Bob")


def test_the_unit_works_on_while_a_result_in_portions_is_read(uow: Trade, store: SqlStore) -> None:
    for customer in session_of(uow).scalars(select(Customer).execution_options(yield_per=1)):
        customer.age += 10
        uow.flush()
        assert uow.orders[1].id == 1
    uow.commit()

    with Trade(store) as other:
        assert [each.age for each in other.customers] == [11, 12]


def test_the_query_api_finds_the_units_objects(uow: Trade) -> None:
    query = session_of(uow).query(Customer).order_by(Customer.id)

    assert [*query] == query.all() == query[0:2] == [*uow.customers]
    assert query.first() is uow.customers[1]
    assert query.filter(Customer.age > 1).one() is query.filter_by(name="Bob").one_or_none() is uow.customers[2]
    assert query.count() == 2
    assert query.with_for_update().first() is uow.customers[1]
    assert session_of(uow).query(query.exists()).scalar()
    assert session_of(uow).query(Customer, Order).filter(Order.id == Customer.id).first()[1] is uow.orders[1]
    assert query.with_entities(Customer.name).all() == [("Ann",), ("Bob",)]


def test_rows_can_be_locked(uow: Trade) -> None:
    session = session_of(uow)

    assert session.scalars(select(Customer).where(Customer.id == 1).with_for_update()).one() is uow.customers[1]
    assert session.get(Customer, 2, with_for_update=True) is uow.customers[2]
    assert session.get(Order, 1, with_for_update=True) is uow.orders[1]
    assert session.get(Order, 1, with_for_update=True) is uow.orders[1]


# What the session shows


def test_the_session_shows_what_the_unit_has_not_flushed(uow: Trade) -> None:
    session, ann, bob, eve = session_of(uow), uow.customers[1], uow.customers[2], Customer("Eve")
    assert [*session.new, *session.dirty, *session.deleted] == []

    ann.age = 33
    uow.customers.add(eve)
    uow.customers.remove(bob)

    assert ([*session.new], [*session.dirty], [*session.deleted]) == ([eve], [ann], [bob])
    assert all(each in session for each in (ann, bob, eve))
    assert Customer("Dan") not in session
    assert session.is_modified(ann)
    assert {*session} == {ann, bob, eve}
    uow.flush()
    assert [*session.new, *session.dirty, *session.deleted] == []
    assert bob not in session


def test_the_objects_of_another_unit_are_not_in_the_session(uow: Trade, store: SqlStore) -> None:
    with Trade(store) as other:
        theirs = other.customers[1]

    assert session_of(uow).get(Customer, 1) is not theirs
    assert theirs not in session_of(uow)


# Events


def test_a_listener_hears_each_statement_once(uow: Trade) -> None:
    heard = []

    def hear(asked: Any) -> None:
        if not (asked.is_relationship_load or asked.is_column_load):
            heard.append(asked.is_select)

    event.listen(OrmSession, "do_orm_execute", hear)
    try:
        session_of(uow).scalars(select(Customer)).all()
    finally:
        event.remove(OrmSession, "do_orm_execute", hear)

    assert heard == [True]


def test_a_criterion_for_all_sessions_filters_what_is_found_and_no_members(uow: Trade) -> None:
    def only_many(asked: Any) -> None:
        asked.statement = asked.statement.options(with_loader_criteria(Line, Line.quantity > 1))

    event.listen(OrmSession, "do_orm_execute", only_many)
    try:
        found = session_of(uow).scalars(select(Line)).all()
    finally:
        event.remove(OrmSession, "do_orm_execute", only_many)

    assert [line.product for line in found] == ["ink"]
    assert [line.product for line in found[0].order.lines] == ["pen", "ink"]


def test_a_statement_inside_of_a_load_event_gives_the_units_objects_too(uow: Trade) -> None:
    seen = []

    def look(line: Line, context: Any) -> None:
        seen.append((line, context.session.scalars(select(Customer).where(Customer.id == 1)).one()))

    event.listen(Line, "load", look)
    try:
        found = session_of(uow).scalars(select(Line).options(load_only(Line.id)).order_by(Line.id)).all()
    finally:
        event.remove(Line, "load", look)

    assert {line for line, _ in seen} == {*found}
    assert {customer for _, customer in seen} == {uow.customers[1]}
    assert [line.product for line in found] == ["pen", "ink", "cap"]


# After the unit


def test_found_objects_are_readable_after_the_unit(store: SqlStore) -> None:
    with Trade(store) as uow:
        session = session_of(uow)
        order = session.scalars(select(Order).options(load_only(Order.id))).first()
        assert order is not None

    assert [line.product for line in order.lines] == ["pen", "ink"]
    assert order.lines[0].order is order
    assert (order.price, order.extra) == (Money(5, "EUR"), {"k": 1})
    with pytest.raises(Misuse, match="has ended"):
        session.scalars(select(Customer)).all()


def test_a_found_object_can_be_copied_and_pickled(uow: Trade) -> None:
    order = session_of(uow).scalars(select(Order).options(lazyload("*")).order_by(Order.id)).first()

    for twin in (pickle.loads(pickle.dumps(order)), copy.deepcopy(order)):
        assert [line.product for line in twin.lines] == ["pen", "ink"]
        assert twin.lines[0].notes[0].text == "blue"


def test_nothing_keeps_a_session_and_its_objects_after_the_unit(store: SqlStore) -> None:
    with Trade(store) as uow:
        session = session_of(uow)
        found = session.scalars(select(Customer)).all()
        left = [weakref.ref(each) for each in (session, session.identity_map, found[0])]
    del session, found
    gc.collect()

    assert [each() for each in left] == [None, None, None]


def test_a_removed_object_that_the_session_found_is_not_added_again(uow: Trade) -> None:
    ann = session_of(uow).get_one(Customer, 1)
    uow.customers.remove(ann)
    uow.flush()

    with pytest.raises(AlreadyRemoved):
        uow.customers.add(ann)
