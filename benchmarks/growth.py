"""The cost of a commit in a unit that has loaded many aggregates and changed one of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Line, Order, Shop
from benchmarks.hand_written import HandWritten, plain_engine
from benchmarks.harness import Case, Timings, measure, slope
from benchmarks.honest import HonestUnits
from benchmarks.mapping import mapping
from benchmarks.peers import fill_orders
from honestwork.adapters import MemoryStore

SIZES = (25, 50, 100, 200, 400)
FACTOR = 4  # a commit after four times as many aggregates may take four times as long


class Committing:
    """Units that have loaded so many orders, with their lines, and changed a line of one; a call commits one."""

    def __init__(self, load: Callable[[ExitStack, int], tuple[list[Any], Callable[[], None]]]) -> None:
        self._load = load
        self._open = ExitStack()
        self._commit: Callable[[], None] | None = None
        self._number = itertools.count(100).__next__

    def case(self, size: int) -> Case:
        def prepare(calls: int) -> None:
            self._open.close()
            orders, self._commit = self._load(self._open, size)
            assert len(orders) == size
            orders[size // 2].lines[2].quantity = self._number()

        return Case(self._run, prepare)

    def _run(self) -> None:
        assert self._commit is not None
        self._commit()


@bar("commit with N aggregates loaded: cost of each", peer="hand-written ORM", at_most=1.00)
def slope_beside_hand_written(bench: Bench) -> Figure:
    timings = bench.shared(_on_sqlite)
    ours, by_hand = _slope(timings, "ours"), _slope(timings, "by hand")
    return Figure(ours / by_hand, spelled(ours * 1e6, "µs"), spelled(by_hand * 1e6, "µs"))


@bar("commit with 400 aggregates loaded", peer="with 100", at_most=FACTOR)
def linear(bench: Bench) -> Figure:
    return _linear(bench.shared(_on_sqlite))


@bar("memory: commit with 400 aggregates loaded", peer="with 100", at_most=FACTOR)
def linear_in_memory(bench: Bench) -> Figure:
    return _linear(bench.shared(_in_memory))


def _linear(timings: Timings) -> Figure:
    few, many = (timings.median(f"ours {size}") for size in (SIZES[-1] // FACTOR, SIZES[-1]))
    ratio = timings.ratio(f"ours {SIZES[-1]}", f"ours {SIZES[-1] // FACTOR}")
    each = _slope(timings, "ours") * 1e6
    return Figure(ratio, spelled(many * 1e6, "µs"), spelled(few * 1e6, "µs"), f"each {spelled(each, 'µs')}")


def _slope(timings: Timings, side: str) -> float:
    return slope(SIZES, [timings.median(f"{side} {size}") for size in SIZES])


def _on_sqlite(bench: Bench) -> Timings:
    ours, by_hand = HonestUnits("sqlite://"), HandWritten(plain_engine("sqlite://"))
    hand_written.metadata.create_all(by_hand.engine)
    for side in (ours, by_hand):
        for size in SIZES:
            fill_orders(side.engine, side.orders, side.lines, size, batch=size)
    plain_session = sessionmaker(by_hand.engine)

    def load_ours(stack: ExitStack, size: int) -> tuple[list[Any], Callable[[], None]]:
        uow = stack.enter_context(Shop(ours.store))
        return uow.orders.find_by(batch=size), uow.commit

    def load_plain(stack: ExitStack, size: int) -> tuple[list[Any], Callable[[], None]]:
        session = stack.enter_context(plain_session())
        wanted: Any = hand_written.orders.c.batch == size
        return list(session.scalars(select(hand_written.Order).where(wanted))), session.commit

    return _measured(bench, {"ours": Committing(load_ours), "by hand": Committing(load_plain)})


def _in_memory(bench: Bench) -> Timings:
    store = MemoryStore(mapping)
    with Shop(store) as uow:
        for size in SIZES:
            for number in range(size):
                uow.orders.add(Order(f"order {number}", size, [Line(f"sku {i}", i) for i in range(5)]))
        uow.commit()

    def load(stack: ExitStack, size: int) -> tuple[list[Any], Callable[[], None]]:
        uow = stack.enter_context(Shop(store))
        return uow.orders.find_by(batch=size), uow.commit

    return _measured(bench, {"ours": Committing(load)})


def _measured(bench: Bench, sides: dict[str, Committing]) -> Timings:
    cases = {f"{name} {size}": side.case(size) for name, side in sides.items() for size in SIZES}
    return measure(cases, rounds=bench.rounds(21), batch=None)
