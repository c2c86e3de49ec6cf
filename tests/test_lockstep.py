"""Random programs cannot tell the fake from the databases; and those that once could, cannot any more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table, inspect
from sqlalchemy.orm.attributes import instance_dict

from honestwork.adapters import Mapping, SqlStore, children
from honestwork.adapters.memory.rows import MemoryRows
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork
from honestwork.testing import assert_truthful, replay
from honestwork.testing.lockstep.observation import Eye, Renaming
from tests.truth.hunt import hunt
from tests.truth.worlds import world


class Line:
    def __init__(self, sku: str, quantity: int) -> None:
        self.sku = sku
        self.quantity = quantity


@dataclass(eq=False)
class Order:
    number: str
    lines: list[Line]


class Shop(UnitOfWork):
    orders: Repository[Order, str]


@cache  # a class is mapped once
def shop() -> Mapping:
    mapping = Mapping()
    lines = Table(
        "proof_lines",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("order_number", ForeignKey("proof_orders.number"), nullable=False),
        Column("sku", String(3), nullable=False),
        quantity := Column("quantity", Integer, nullable=False),
        CheckConstraint(quantity > 0, name="quantity"),
    )
    orders = Table(
        "proof_orders",
        mapping.metadata,
        Column("number", String(4), primary_key=True),
        Column("version", Integer, nullable=False),
    )
    mapping.member(Line, lines)
    mapping.aggregate(Order, orders, version=orders.c.version, properties={"lines": children(Line)})
    return mapping


def test_random_programs_agree_on_sqlite(sqlite_url: str) -> None:
    found = hunt(sqlite_url, units=1, programs=150, first=0)

    assert not found["difference"], found["difference"]


def test_random_programs_of_two_units_agree_on_postgresql(postgres_url: str) -> None:
    found = hunt(postgres_url, units=2, programs=60, first=0)

    assert not found["difference"], found["difference"]


def test_random_programs_of_two_units_agree_on_mariadb(mariadb_url: str) -> None:
    found = hunt(mariadb_url, units=2, programs=30, first=0)

    assert not found["difference"], found["difference"]


def test_a_users_own_mapping_is_proven_with_one_call(sqlite_url: str) -> None:
    assert_truthful(Shop, shop(), sqlite_url, examples=10, units=1)
    assert_truthful(Shop, shop(), "sqlite://", examples=2, units=1)


def test_three_units_are_played_too(sqlite_url: str) -> None:
    assert_truthful(Shop, shop(), sqlite_url, examples=5, units=3)


def test_objects_may_be_made_by_their_constructors(sqlite_url: str) -> None:
    assert_truthful(
        Shop,
        shop(),
        sqlite_url,
        examples=5,
        units=1,
        make={Order: st.fixed_dictionaries({"number": st.sampled_from("ab"), "lines": st.builds(list)})},
    )


def test_a_lie_is_told_as_a_test_that_can_be_pasted(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryRows, "_check_uniques", lambda *_: None)
    monkeypatch.setattr(MemoryRows, "_check_row", lambda *_: None)

    with pytest.raises(AssertionError, match="here they differ") as caught:
        assert_truthful(Shop, shop(), sqlite_url, examples=200, units=1)

    pasted: dict[str, Any] = {"Shop": Shop, "mapping": shop()}
    exec(str(caught.value).partition("\n\n")[2].partition("\n\n")[2], pasted)  # what follows the two answers
    with pytest.raises(AssertionError, match="memory: "):
        pasted["test_the_fake_tells_the_truth"](tmp_path)


def test_a_world_is_the_same_for_the_same_number() -> None:
    assert world(3) is world(3)
    assert repr(world(3)) == "world(3)"


REGRESSIONS = {
    "what a failing flush has given to a new object is taken back": """
        enter(u0)
        o1 = new(Order, number='a', lines=[new(Line, sku='a', quantity=1), new(Line, sku=None, quantity=1)])
        u0.orders.add(o1)
        u0.commit()
        u0.rollback()
        o1.lines.pop(1)
        u0.orders.add(o1)
        u0.commit()
    """,
    "a new object whose unit ended undone belongs to nobody": """
        enter(u0)
        o1 = new(Order, number='a', lines=[new(Line, sku='a', quantity=1)])
        u0.orders.add(o1)
        u0.flush()
        leave(u0)
        enter(u0)
        u0.orders.add(o1)
        u0.commit()
    """,
    "a row that a new object takes over counts its version": """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.commit()
        o2 = new(Order, number='a', lines=[])
        u0.orders.add(o2)
        u0.orders.remove(o1)
        u0.commit()
    """,
    "an object of an undone transaction is foreign to its own unit": """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.commit()
        u0.orders.remove(o1)
        u0.flush()
        u0.rollback()
        u0.orders.add(o1)
        u0.orders.remove(o1)
    """,
    "two new objects cannot have one key": """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        o2 = new(Order, number='a', lines=[])
        u0.orders.add(o2)
        u0.commit()
    """,
    "a reading unit is judged by what it writes": """
        enter(u0, reading=True)
        o1 = new(Order, number='a', lines=[new(Line, sku='long', quantity=1)])
        u0.orders.add(o1)
        u0.flush()
    """,
    "a child that comes to a removed owner goes with it": """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.commit()
        u0.orders.remove(o1)
        o2 = new(Line, sku='a', quantity=1)
        o1.lines.append(o2)
        u0.commit()
    """,
    "a collection that nobody has touched is there, also after the unit": """
        enter(u0)
        o1 = new(Order, number='a')
        u0.orders.add(o1)
        u0.commit()
        leave(u0)
        len(o1.lines)
    """,
    "an order and its line break two constraints, and each store names one": """
        enter(u0)
        o1 = new(Order, number='a', lines=[new(Line, sku='a', quantity=0)])
        u0.orders.add(o1)
        o2 = new(Order, number='a', lines=[])
        u0.orders.add(o2)
        u0.flush()
    """,
}

CRASHES = {
    "a crash undoes what was not committed": """
        enter(u0)
        u0.orders.add(new(Order, number='a', lines=[]))
        u0.commit()
        u0.orders.add(new(Order, number='b', lines=[]))
        u0.flush()
        crash()
        u0.orders.all()
        u0.orders.all()
        u0.rollback()
        u0.orders.all()
        u0.commit()
    """,
    "a unit that did nothing yet does not hear of a crash": """
        enter(u0)
        crash()
        u0.orders.all()
    """,
    "a unit that has found nothing to store does not hear of a crash": """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.commit()
        o1.number = 'a'
        u0.flush()
        crash()
        u0.commit()
        u0.orders.all()
    """,
    "a unit ends in peace after a crash": """
        enter(u0)
        u0.orders.all()
        crash()
        leave(u0)
        enter(u0)
        u0.orders.all()
    """,
    "a savepoint cannot save a unit from a crash": """
        enter(u0)
        u0.orders.add(new(Order, number='a', lines=[]))
        nest(u0)
        u0.orders.all()
        crash()
        u0.orders.all()
        unnest(u0, Undo())
        u0.orders.all()
        u0.rollback()
        u0.orders.all()
    """,
    "the end of a savepoint tells of a crash": """
        enter(u0)
        u0.orders.add(new(Order, number='a', lines=[]))
        nest(u0)
        u0.orders.all()
        crash()
        unnest(u0)
        u0.rollback()
        u0.orders.all()
    """,
    "the commit tells of a crash": """
        enter(u0)
        u0.orders.add(new(Order, number='a', lines=[]))
        u0.flush()
        crash()
        u0.commit()
        u0.rollback()
        u0.orders.all()
    """,
}


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url", "mariadb_url"])
@pytest.mark.parametrize("claim", CRASHES)
def test_a_crash_is_the_same_everywhere(claim: str, database: str, request: pytest.FixtureRequest) -> None:
    replay(Shop, shop(), request.getfixturevalue(database), CRASHES[claim])


@pytest.mark.parametrize("claim", REGRESSIONS)
def test_programs_that_once_told_the_stores_apart(claim: str, sqlite_url: str) -> None:
    replay(Shop, shop(), sqlite_url, REGRESSIONS[claim])


def test_a_stale_removal_of_a_versioned_row_is_a_conflict(sqlite_url: str) -> None:
    replay(
        Shop,
        shop(),
        sqlite_url,
        """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.commit()
        enter(u1)
        o2 = u1.orders.get('a')
        o3 = new(Line, sku='a', quantity=1)
        o2.lines.append(o3)
        u1.commit()
        u0.orders.remove(o1)
        u0.flush()
        """,
        units=2,
    )


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url", "mariadb_url"])
def test_a_savepoint_takes_no_snapshot(database: str, request: pytest.FixtureRequest) -> None:
    replay(
        Shop,
        shop(),
        request.getfixturevalue(database),
        """
        enter(u0)
        nest(u0)
        enter(u1)
        u1.orders.add(new(Order, number='a', lines=[]))
        u1.commit()
        len(u0.orders)
        """,
        units=2,
    )


def test_of_two_violations_either_may_be_told_also_where_others_have_stored_what_is_missed(postgres_url: str) -> None:
    replay(
        world(45).unit,
        world(45).mapping,
        postgres_url,
        units=2,
        program="""
        enter(u0)
        len(u0.alphas)
        enter(u1)
        o2 = new(Alpha, code='a', number=1, b=1, pair=Pair(number=1, text='a'))
        u1.alphas.add(o2)
        u1.commit()
        o3 = new(Beta, a=datetime.timedelta(0), alpha_code='a', alpha_number=1)
        u0.betas.add(o3)
        o4 = new(Beta, a=None, alpha_code='a', alpha_number=1)
        u0.betas.add(o4)
        u0.flush()
        """,
    )


def test_the_worlds_can_be_served() -> None:
    for seed in range(40):
        world(seed).mapping.check()


def test_an_object_that_reads_the_database_when_it_is_asked_is_told_from_one_that_does_not(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, shop(), durability="process")
    store.create_tables()
    eye = Eye(store.schema, Renaming(shop()), lambda instance, path: path)

    with Shop(store) as uow:
        order = Order("a", [])
        uow.orders.add(order)
        uow.commit()
        inspect(order)._expire_attributes(instance_dict(order), ["version"])
        seen = eye.state(order, "o1")

    assert seen == ("o1", "Order", "reads the database when it is asked for version")
    store.dispose()


def test_keys_that_only_one_store_has_shown_are_not_compared(sqlite_url: str) -> None:
    """SQLite lets one unit write at a time, so the other one sees its new keys in memory alone."""
    replay(
        Shop,
        shop(),
        sqlite_url,
        """
        enter(u0)
        o1 = new(Order, number='a', lines=[])
        u0.orders.add(o1)
        u0.flush()
        enter(u1)
        o2 = new(Order, number='b', lines=[new(Line, sku='a', quantity=1)])
        u1.orders.add(o2)
        found_1 = u1.orders.all()
        u0.commit()
        o4 = new(Line, sku='b', quantity=1)
        o1.lines.append(o4)
        u0.commit()
        """,
        units=2,
    )


WORLDLY = {
    "a value object of a subclass is made again from its columns": (
        62,
        """
        enter(u0)
        o1 = new(BetaKin, code='a', number=1, a=datetime.timedelta(0), alpha_id=None, pair=Pair(number=None, text=None))
        u0.betas.add(o1)
        u0.flush()
        """,
    ),
    "what an undone savepoint has changed is read again": (
        4,
        """
        enter(u0)
        o1 = new(Alpha, id='a', a='x')
        u0.alphas.add(o1)
        u0.commit()
        leave(u0)
        enter(u0)
        nest(u0)
        o2 = u0.alphas.get('a')
        o2.a = 'y'
        u0.flush()
        o3 = new(Alpha, id='a')
        u0.alphas.add(o3)
        unnest(u0)
        u0.flush()
        u0.flush()
        """,
    ),
    "a new member that was taken out is not linked": (
        77,
        """
        enter(u0)
        o1 = new(Beta, b=b'', c=datetime.date(2024, 2, 29), alpha_id=None, tags=[new(BetaTag, a=0.0)])
        o1.marks.append(o1.tags[0])
        u0.betas.add(o1)
        o1.tags.pop(0)
        u0.commit()
        """,
    ),
    "a new member that was taken out and is linked again misses its owner": (
        111,
        """
        enter(u0)
        o1 = new(Alpha, id='a', a=Decimal('1'), b=Decimal('1'), c=Decimal('1'), tags=[])
        u0.alphas.add(o1)
        u0.commit()
        o2 = new(AlphaTag, code='a', number=1, a=Decimal('1'), b=datetime.date(2024, 2, 29), c={})
        o1.tags.append(o2)
        o1.tags.pop(0)
        o1.marks.append(o2)
        u0.commit()
        """,
    ),
    "a new member that was taken out before its unit knew of it misses its owner when it is linked": (
        111,
        """
        enter(u0)
        o1 = new(Alpha, id='a', a=Decimal('1'), b=Decimal('1'), c=Decimal('1'), tags=[])
        o2 = new(AlphaTag, code='a', number=1, a=Decimal('1'), b=datetime.date(2024, 2, 29), c={})
        o1.tags.append(o2)
        o1.tags.pop(0)
        u0.alphas.add(o1)
        o1.marks.append(o2)
        u0.commit()
        """,
    ),
    "what a stream has given of an undone transaction has a key that another row may get": (
        176,
        """
        enter(u0)
        o1 = new(Alpha, a=Colour.RED, pair=Pair(number=1, text='a'), parts=[])
        u0.alphas.add(o1)
        stream_1 = u0.alphas.stream(lambda each: True)
        found_2 = take(stream_1, 9)
        u0.rollback()
        o3 = new(Alpha, a=Colour.RED, pair=Pair(number=1, text='a'), parts=[])
        u0.alphas.add(o3)
        scramble(o2)
        u0.commit()
        """,
    ),
    "members of a row that is taken over are parted": (
        1,
        """
        enter(u0)
        o1 = new(Alpha, id=UUID(int=1), a=datetime.date(2024, 2, 29), tags=[
            new(AlphaTag, id=UUID(int=1), a=datetime.time(12, 30))])
        o1.marks.append(o1.tags[0])
        u0.alphas.add(o1)
        u0.flush()
        o3 = new(Alpha, id=UUID(int=1), a=datetime.date(2024, 2, 29), tags=[])
        u0.alphas.add(o3)
        u0.alphas.remove(o1)
        u0.commit()
        """.replace("[\n            ", "["),
    ),
    "what the database gives to a subclass is there at once": (
        14,
        """
        enter(u0)
        o1 = new(AlphaOwn, id=UUID(int=1), b=datetime.date(2024, 2, 29), pair=Pair(number=1, text='a'), parts=[])
        u0.alphas.add(o1)
        u0.commit()
        """,
    ),
}


@pytest.mark.parametrize("claim", WORLDLY)
def test_worlds_whose_stores_once_differed(claim: str, sqlite_url: str) -> None:
    seed, program = WORLDLY[claim]
    replay(world(seed).unit, world(seed).mapping, sqlite_url, program)


@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url", "mariadb_url"])
def test_a_block_whose_transaction_is_lost_leaves_the_unit_failed(
    database: str, request: pytest.FixtureRequest
) -> None:
    """Whether the loss is noticed in the block, or as it is undone."""
    begun = ["enter(u0)", "len(u0.orders)", "nest(u0)", "o1 = new(Order, number='a', lines=[])", "u0.orders.add(o1)"]
    undone = ["unnest(u0, Undo())", "u0.flush()"]
    for noticed in ([], ["len(u0.orders)", "u0.flush()"]):
        program = "\n".join([*begun, "crash()", *noticed, *undone])

        replay(Shop, shop(), request.getfixturevalue(database), program, units=1)
