"""The stores agree with a plain ORM session, and a store that lies is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table

from honestwork.adapters import Mapping
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork
from honestwork.testing.lockstep import steps
from honestwork.testing.lockstep.canned import Regret

from . import wanted
from .lying import DeletesFirst, KeepsSavepoints, LosesRemovals, forgetting_updates
from .oracle import Disagreement, consult, replay
from .worlds import World

pytestmark = pytest.mark.filterwarnings("ignore")  # the ORM and Hypothesis warn of what programs do on purpose

HANDED_ON = """
    enter(u0)
    o1 = new(Seat, id=1, name='a')
    u0.seats.add(o1)
    u0.commit()
    u0.seats.remove(o1)
    o2 = new(Seat, id=2, name='a')
    u0.seats.add(o2)
    u0.commit()
"""


def theatre() -> World:
    """Seats with unique names; a new mapping of a new class with each call."""
    seat = type("Seat", (), {})
    mapping = Mapping()
    seats = Table(
        "oracle_seats",
        mapping.metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("name", String(3), nullable=False, unique=True),
    )
    mapping.aggregate(seat, seats)
    hints = {"seats": Repository[seat, int]}  # type: ignore[valid-type]
    return World(0, mapping, type("Unit", (UnitOfWork,), {"__annotations__": hints}))


def test_the_store_in_memory_agrees_with_the_orm() -> None:
    found = consult("memory", programs=90, first=0, per_world=30)

    assert not found["difference"], found["difference"]


def test_the_store_on_sqlite_agrees_with_the_orm(sqlite_url: str) -> None:
    found = consult(sqlite_url, programs=60, first=20, per_world=30)

    assert not found["difference"], found["difference"]


@pytest.mark.parametrize("lie", [DeletesFirst, LosesRemovals, KeepsSavepoints])
def test_a_store_that_lies_is_noticed(lie: Callable[[Any], Any]) -> None:
    found = consult("memory", programs=300, first=0, shrink=False, per_world=30, seen_through=lie)

    assert "memory and the ORM differ" in found["difference"]


def test_a_flush_that_leaves_updates_out_is_noticed(sqlite_url: str) -> None:
    found = consult(sqlite_url, programs=300, first=0, shrink=False, per_world=30, seen_through=forgetting_updates)

    assert "sqlite and the ORM differ" in found["difference"]


def test_an_error_that_the_orm_alone_raises_is_a_disagreement_unless_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched, pytest.raises(Disagreement, match="Duplicate"):
        patched.delitem(wanted.BETTER, "Duplicate", raising=False)
        replay(theatre, HANDED_ON, seen_through=DeletesFirst)

    monkeypatch.setitem(wanted.BETTER, "Duplicate", "a unique value is handed on within one flush")
    replay(theatre, HANDED_ON, seen_through=DeletesFirst)


def test_what_the_orm_is_not_asked_to_play_is_left_out_inside_of_other_steps() -> None:
    again = steps.AddAgain(unit=0, pick=0, undone=True)
    settle = steps.Settle(0, "flush")

    kept = wanted.kept([again, settle, Regret(0, inside=(again, settle), after=(again,))])

    assert kept == [settle, Regret(0, inside=(settle,), after=())]


def test_each_wanted_difference_has_a_reason() -> None:
    lists = (wanted.HELPED, wanted.LEFT_OUT, wanted.OF_READS, wanted.OURS_ALONE, wanted.BETTER, wanted.EITHER)

    assert all(reason for reasons in lists for reason in reasons.values())
