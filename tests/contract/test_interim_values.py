"""An interim value is gone when the flush ends, and takes nothing away that another unit has stored."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Column, Integer, String, Table, UniqueConstraint

from honestwork.adapters import Mapping
from honestwork.domain import Conflict, Duplicate, Repository
from honestwork.service_layer import UnitOfWork
from tests.stores import MakeStore


def hooks_on_a_wall(make_store: MakeStore, *, versioned: bool) -> Any:
    """A class of units; two hooks are stored, at the only places that a CHECK allows."""

    class Hook:
        def __init__(self, number: int, place: int) -> None:
            self.number, self.wall, self.place = number, "north", place

    mapping = Mapping()
    hooks = Table(
        "hooks",
        mapping.metadata,
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("wall", String(9), nullable=False),
        Column("place", Integer, nullable=False),
        *([Column("version", Integer, nullable=False)] if versioned else []),
        UniqueConstraint("wall", "place"),
    )
    hooks.append_constraint(CheckConstraint(hooks.c.place.in_([1, 2]), name="ck_hooks_place"))
    mapping.aggregate(Hook, hooks, version=hooks.c.version if versioned else None)
    store = make_store(mapping)
    unit: Any = type("Hooks", (UnitOfWork,), {"__annotations__": {"hooks": Repository[Hook, int]}})
    with unit(store) as uow:
        uow.hooks.add_many([Hook(1, 1), Hook(2, 2)])
        uow.commit()
    return lambda: unit(store)


def exchange(one: Any, other: Any) -> None:
    one.place, other.place = other.place, one.place


def stored(unit: Any) -> list[tuple[str, int]]:
    with unit() as uow:
        return [(hook.wall, hook.place) for hook in uow.hooks.all()]


@pytest.mark.parametrize("versioned", [True, False])
def test_places_are_exchanged_through_another_column(make_store: MakeStore, versioned: bool) -> None:
    unit = hooks_on_a_wall(make_store, versioned=versioned)

    with unit() as uow:
        exchange(*uow.hooks.all())
        uow.commit()

    assert stored(unit) == [("north", 2), ("north", 1)]


@pytest.mark.parametrize("versioned", [True, False])
def test_what_another_unit_has_changed_since_the_snapshot_is_a_conflict(make_store: MakeStore, versioned: bool) -> None:
    unit = hooks_on_a_wall(make_store, versioned=versioned)

    with pytest.raises(Conflict), unit() as uow:
        one, two = uow.hooks.all()
        with unit() as other:
            other.hooks[1].wall = "south"
            other.commit()
        exchange(one, two)
        uow.commit()

    assert stored(unit) == [("south", 1), ("north", 2)]


@pytest.mark.parametrize("versioned", [True, False])
def test_what_another_unit_has_changed_before_the_snapshot_is_not_lost(make_store: MakeStore, versioned: bool) -> None:
    """The objects are those of the transaction before: nobody has read them again."""
    unit = hooks_on_a_wall(make_store, versioned=versioned)

    with pytest.raises((Conflict, Duplicate)), unit() as uow:
        one, two = uow.hooks.all()
        uow.commit()
        with unit() as other:
            other.hooks[1].wall = "south"
            other.commit()
        exchange(one, two)
        uow.commit()

    assert stored(unit) == [("south", 1), ("north", 2)]
