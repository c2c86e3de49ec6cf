"""Units of work on a database, compared with hand-written Session code. Core and the driver are for information."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import domain, hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.floors import CoreUnits
from benchmarks.hand_written import HandWritten, plain_engine
from benchmarks.harness import Case, Timings, measure
from benchmarks.honest import HonestUnits
from benchmarks.peers import ORDER_UNITS, POPULATION, Peers, fill_users, on_postgres, on_sqlite

BY_HAND = "hand-written ORM"
UNITS = {
    "get": "get by key",
    "change": "get, change, commit",
    "insert": "insert",
    "delete": "get, delete, commit",
    "get order": "order with 5 lines: get by key",
    "change line": "order with 5 lines: change one line, commit",
    "insert order": "order with 5 lines: insert",
}
LIMITS: dict[tuple[str, Callable[[Bench], Peers]], dict[str, float | None]] = {
    ("SQLite :memory:", on_sqlite): {
        "get": 0.30,
        "change": 0.28,
        "insert": 0.32,
        "delete": 0.35,
        "get order": 0.25,
        "change line": 0.22,
        "insert order": 0.35,
    },
    ("PostgreSQL", on_postgres): {
        "get": 0.55,
        "change": 0.50,
        "insert": 0.55,
        "delete": 0.58,
        **dict.fromkeys(ORDER_UNITS),  # only for information
    },
}
STREAMED = 100_000
ADDED = 10_000


def one_unit(on: Callable[[Bench], Peers], unit: str, bench: Bench) -> Figure:
    timings = measure(bench.shared(on).cases(unit), rounds=bench.rounds(241))
    return _figure(timings, by_wall=on is on_postgres)


for (database, on), limits in LIMITS.items():
    for unit, limit in limits.items():
        peer = f"{BY_HAND}, selectin" if unit in ORDER_UNITS else BY_HAND
        bar(f"{UNITS[unit]}, {database}", peer=peer, at_most=limit)(partial(one_unit, on, unit))


@bar("query of 100", peer=BY_HAND, at_most=0.70)
def query(bench: Bench) -> Figure:
    peers = bench.shared(on_sqlite)
    core = CoreUnits(peers.by_hand.engine)
    cases = {"ours": _finding(peers.ours), "by hand": _finding(peers.by_hand), "Core": _finding(core)}
    return _figure(measure(cases, rounds=bench.rounds(241)))


@bar("iterate 100,000", peer=f"{BY_HAND}, yield_per=1000", at_most=0.60)
def iterate(bench: Bench) -> Figure:
    ours, by_hand, core = _alone(bench.size(STREAMED))
    cases = {"ours": Case(ours.iterate), "by hand": Case(by_hand.iterate), "Core": Case(core.iterate)}
    return _figure(measure(cases, rounds=bench.rounds(11), batch=None))


@bar("memory while iterating 100,000", peer="iterating 10,000", at_most=1.50)
def iterate_in_constant_memory(bench: Bench) -> Figure:
    few, many = (_peak(_alone(bench.size(count))[0].iterate) for count in (STREAMED // 10, STREAMED))
    return Figure(many / few, f"{many / 1e6:.1f} MB", f"{few / 1e6:.1f} MB")


@bar("add_many of 10,000, keys returned", peer="add_all + commit", at_most=0.33)
def add_many(bench: Bench) -> Figure:
    ours, by_hand, core = _alone(0)
    count = bench.size(ADDED)
    return _figure(
        measure(
            {
                # Making the objects is not timed: it is the caller's work, and the same for both.
                "ours": _adding(ours, count, domain.User),
                "by hand": _adding(by_hand, count, hand_written.User),
                "Core": _adding(core, count, lambda name, age: {"name": name, "age": age}),
            },
            rounds=bench.rounds(15),
            batch=None,
        )
    )


def _finding(side: HonestUnits | HandWritten | CoreUnits) -> Case:
    age = itertools.cycle(range(POPULATION // 100)).__next__
    return Case(lambda: side.find(age()))


def _adding(side: Any, count: int, make: Callable[[str, int], object]) -> Case:
    new: list[object] = []

    def prepare(calls: int) -> None:
        with side.engine.begin() as connection:
            connection.execute(side.users.delete())
        new[:] = [make(f"name {i}", i % 90) for i in range(count)]

    return Case(lambda: side.add_many(new), prepare)


def _figure(timings: Timings, *, by_wall: bool = False) -> Figure:
    others = [name for name in ("book", "Core", "driver") if name in timings.cpu]
    beside = [f"{name} {timings.ratio(name, 'by hand'):.2f}" for name in others]
    if by_wall:
        beside.append(f"ours by the wall clock {timings.wall_ratio('ours', 'by hand'):.2f}")
    ratio = timings.ratio("ours", "by hand")
    return Figure(ratio, _time(timings, "ours"), _time(timings, "by hand"), ", ".join(beside))


def _time(timings: Timings, case: str) -> str:
    seconds = timings.median(case)
    return spelled(seconds * 1e6, "µs") if seconds < 0.001 else spelled(seconds * 1e3, "ms")


def _alone(count: int) -> tuple[HonestUnits, HandWritten, CoreUnits]:
    """Return the sides on new databases with so many users; Core shares that of the hand-written code."""
    ours, by_hand = HonestUnits("sqlite://"), HandWritten(plain_engine("sqlite://"))
    hand_written.metadata.create_all(by_hand.engine)
    if count:
        fill_users(ours.engine, ours.users, count)
        fill_users(by_hand.engine, by_hand.users, count)
    return ours, by_hand, CoreUnits(by_hand.engine)


def _peak(run: Callable[[], object]) -> int:
    """Return the most bytes of Python objects that are alive at once during the call."""
    run()  # caches are filled before
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        run()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
