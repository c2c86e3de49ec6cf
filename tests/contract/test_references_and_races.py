"""Rows that one unit refers to, and another one removes or knows by another value meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.domain import Conflict, Duplicate, LockTimeout, ReferenceViolated
from honestwork.service_layer import Store
from tests.contract.harbour import Berth, Boat, Harbour, berths, mapping, two_units
from tests.stores import MakeStore

Change = Callable[[Harbour], object]


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(mapping)


def stored_depths(store: Store) -> list[int]:
    if isinstance(store, MemoryStore):
        return [row["depth"] for row in store.rows(berths.name)]
    assert isinstance(store, SqlStore)
    with store.engine.connect() as connection:
        return [depth for (depth,) in connection.execute(select(berths.c.depth).order_by(berths.c.code))]


def change(uow: Harbour, code: str, name: str, value: object) -> None:
    setattr(uow.berths[code], name, value)
    uow.flush()


def remove(uow: Harbour, code: str) -> None:
    uow.berths.remove(uow.berths[code])
    uow.flush()


def away_and_back(uow: Harbour) -> None:
    change(uow, "A", "sign", "other")
    change(uow, "A", "sign", "first")


def removed_and_added_again(uow: Harbour) -> None:
    remove(uow, "A")
    uow.berths.add(Berth("A", sign="first", pier=1))
    uow.flush()


RENAMING: dict[str, Change] = {
    "a unique value": lambda uow: change(uow, "A", "sign", "other"),
    "a unique value, given up": lambda uow: change(uow, "A", "sign", None),
    "a part of one, beside a NULL": lambda uow: change(uow, "A", "pier", 5),
    "the other part of one": lambda uow: change(uow, "A", "place", 5),
    "a unique value, there and back": away_and_back,
    "the whole row": lambda uow: remove(uow, "A"),
    "the whole row, there and back": removed_and_added_again,
}


@pytest.fixture(params=[*RENAMING.values()], ids=[*RENAMING])
def rename(request: pytest.FixtureRequest) -> Change:
    """What changes a row so that databases lock it against new references."""
    given: Change = request.param
    return given


def test_a_row_whose_unique_value_is_being_changed_cannot_be_referred_to_yet(store: Store, rename: Change) -> None:
    with two_units(store) as (one, two):
        rename(one)

        two.boats.add(Boat("Ada", berth="A"))
        with pytest.raises(LockTimeout):
            two.flush()


def test_a_row_whose_unique_value_has_changed_meanwhile_cannot_be_referred_to(store: Store, rename: Change) -> None:
    with two_units(store) as (one, two):
        rename(one)
        one.commit()

        two.boats.add(Boat("Ada", berth="A"))
        with pytest.raises(Conflict):
            two.flush()


def test_a_row_that_another_unit_has_begun_to_refer_to_keeps_its_unique_values(store: Store, rename: Change) -> None:
    with two_units(store) as (one, two):
        one.boats.add(Boat("Ada", berth="A"))
        one.flush()

        with pytest.raises(LockTimeout):
            rename(two)


def test_after_an_undone_block_the_row_can_be_referred_to_but_on_mariadb(store: Store, rename: Change) -> None:
    """MariaDB keeps the locks of an undone block until the unit ends; SQLite that of its one writer."""
    with two_units(store) as (one, two):
        with pytest.raises(KeyError), one.nested():
            rename(one)
            raise KeyError
        two.boats.add(Boat("Ada", berth="A"))

        if is_locked_by_undone_blocks(store):
            with pytest.raises(LockTimeout):
                two.flush()
        else:
            two.commit()


def test_a_row_that_an_undone_block_has_changed_can_be_changed_by_others_but_on_mariadb(store: Store) -> None:
    with two_units(store) as (one, two):
        with pytest.raises(KeyError), one.nested():
            change(one, "B", "depth", 3)
            raise KeyError

        if is_locked_by_undone_blocks(store):
            with pytest.raises(LockTimeout):
                change(two, "B", "depth", 9)
            return
        change(two, "B", "depth", 9)
        two.commit()

    assert stored_depths(store) == [0, 9, 4]


def test_all_that_is_removed_together_is_locked_before_references_are_judged_but_on_mariadb(store: Store) -> None:
    with two_units(store) as (one, two):
        one.boats.add(Boat("Ada", berth="A"))
        one.commit()
        change(one, "B", "depth", 9)

        two.rollback()
        two.berths.remove_where(lambda each: True)
        with pytest.raises(ReferenceViolated if judges_row_by_row(store) else LockTimeout):
            two.flush()


def judges_row_by_row(store: Store) -> bool:
    return isinstance(store, SqlStore) and store.engine.dialect.name in ("mysql", "mariadb")


def is_locked_by_undone_blocks(store: Store) -> bool:
    return isinstance(store, SqlStore) and store.engine.dialect.name in ("sqlite", "mysql", "mariadb")


def test_the_key_of_a_row_that_another_unit_has_removed_is_not_free_for_a_unit_that_sees_the_row(
    store: Store,
) -> None:
    with two_units(store) as (one, two):
        remove(one, "C")
        one.commit()

        two.berths.add(Berth("C", depth=9))
        with pytest.raises(Conflict):
            two.flush()

    assert stored_depths(store) == [0, 0]


def test_a_key_that_the_unit_itself_has_freed_is_free(store: Store) -> None:
    with two_units(store) as (one, _):
        remove(one, "C")

        one.berths.add_many([Berth("C", depth=9), Berth("D", depth=2)])
        one.commit()

    assert stored_depths(store) == [0, 0, 9, 2]


def test_a_key_that_is_taken_is_a_duplicate_though_the_unit_has_not_loaded_its_row(store: Store) -> None:
    with two_units(store) as (one, _):
        one.berths.add(Berth("C", depth=9))

        with pytest.raises(Duplicate) as told:
            one.flush()

    assert told.value.values == {"code": "C"}


def test_a_reference_to_a_row_that_another_unit_has_added_since_is_refused(store: Store) -> None:
    """MariaDB has a Conflict there, as SQLite has wherever another unit has committed."""
    with two_units(store) as (one, two):
        one.berths.add(Berth("D"))
        one.commit()

        two.boats.add(Boat("Ada", berth="D"))
        with pytest.raises((ReferenceViolated, Conflict)):
            two.flush()
