"""Pieces of programs, each played at many moments in the life of some aggregates, in memory and on SQLite.

A world says what aggregates there are, what a piece of program calls them, and what of them is compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import text

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.domain import HonestworkError
from honestwork.service_layer import Store, UnitOfWork

__all__ = ["MOMENTS", "World", "compare"]

MOMENTS = ["stored", "changed after", "flushed and changed", "new", "added late", "undone", "flushed and undone",
    "undone and again", "twice", "before a removal"]  # fmt: skip


@dataclass
class World:
    """*made* gives new aggregates, whose keys are *keys*; *words* are what an idiom may speak of.

    *shown* says what there is to see of an aggregate, and *change* changes all that it has, so that what is lost shows.
    """

    mapping: Mapping
    unit: type[UnitOfWork]
    keys: list[Any]
    made: Callable[[], list[Any]]
    words: Callable[[list[Any]], dict[str, Any]]
    shown: Callable[[Any], tuple[Any, ...]]
    change: Callable[[Any], None]
    repository: Callable[[UnitOfWork, Any], Any] = field(default=lambda uow, aggregate: uow.orders)

    @cached_property
    def sqlite(self) -> SqlStore:
        store = SqlStore("sqlite://", self.mapping)
        store.create_tables()
        return store


# Nobody is told of these, and nothing of them is stored: a list stays as it was left.
UNHEARD = ("here.reverse()", "here *= 2")


@dataclass
class Act:
    """A piece of a program, and the world in which it means something."""

    world: World
    idiom: str

    def __call__(self, uow: UnitOfWork, aggregates: list[Any]) -> None:
        def add(each: Any) -> None:
            self.world.repository(uow, each).add(each)

        def remove(each: Any) -> None:
            self.world.repository(uow, each).remove(each)

        exec(self.idiom, {**self.world.words(aggregates), "uow": uow, "add": add, "remove": remove})


def compare(world: World, idiom: str) -> None:
    """Assert that memory and SQLite say the same at each moment, and that nothing is left of what is undone."""
    act = Act(world, idiom)
    for moment in MOMENTS:
        with warnings.catch_warnings():
            # A hint of the ORM that memory does not give: a member has an owner that is not stored.
            warnings.filterwarnings("ignore", "Object of type")
            memory = _played(world, MemoryStore(world.mapping), act, moment)
            with _emptied(world.sqlite) as store:
                sqlite = _played(world, store, act, moment)

        assert memory == sqlite, moment


@contextmanager
def _emptied(store: SqlStore) -> Iterator[SqlStore]:
    """A store that counts its keys from one again: making its tables for each moment takes longer than the moment."""
    try:
        yield store
    finally:
        with store.engine.begin() as connection:
            for table in reversed(store.metadata.sorted_tables):
                connection.execute(table.delete())
            connection.execute(text("DELETE FROM sqlite_sequence"))


def _played(world: World, store: Store, act: Act, moment: str) -> tuple[list[Any], str, list[Any]]:
    """(what was seen on the way, the error, what is stored)"""
    seen: list[Any] = []
    error = ""
    uow = world.unit(store)
    try:
        _live(world, uow, act, moment, seen)
    except (HonestworkError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as raised:
        error = type(raised).__name__
    with uow:
        repository = world.repository(uow, None)
        return seen, error, [world.shown(each) for each in repository]


def _live(world: World, uow: UnitOfWork, act: Act, moment: str, seen: list[Any]) -> None:
    new = world.made()
    with uow:
        if moment == "added late":
            act(uow, new)
        for each in new:
            world.repository(uow, each).add(each)
        if moment == "new":
            act(uow, new)
        if moment in ("new", "added late"):
            uow.flush()
            _change(world, new)
            seen += map(world.shown, new)
        uow.commit()
    if moment in ("new", "added late"):
        return
    with uow:
        there = [world.repository(uow, None)[key] for key in world.keys]
        if "undone" in moment:
            before = [*map(world.shown, there)]
            with suppress(KeyboardInterrupt), uow.nested():
                act(uow, there)
                if moment == "flushed and undone":
                    uow.flush()
                raise KeyboardInterrupt
            after = [*map(world.shown, there)]
            assert after == before or act.idiom in UNHEARD, "the block is undone and has left something"
            seen += after
        if moment not in ("undone", "flushed and undone"):
            act(uow, there)
        if moment in ("flushed and changed", "twice"):
            uow.flush()
        if moment == "twice":
            act(uow, there)
        if moment in ("changed after", "flushed and changed", "undone", "flushed and undone"):
            _change(world, there)
        if moment == "before a removal":
            world.repository(uow, there[1]).remove(there[1])
        uow.commit()
        if moment != "before a removal":
            seen += map(world.shown, there)


def _change(world: World, aggregates: list[Any]) -> None:
    for each in aggregates:
        world.change(each)
