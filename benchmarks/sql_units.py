"""Units of work on a database, beside the Session code that one would write by hand."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from functools import partial

from benchmarks import domain, hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.hand_written import HandWritten, plain_engine
from benchmarks.harness import Case, Timings, measure
from benchmarks.honest import HonestUnits
from benchmarks.peers import ORDERS, POPULATION, Peers, fill_users, keys, on_postgres, on_sqlite

BY_HAND = "hand-written ORM"
UNITS = {"get": "get by key", "change": "get, change, commit", "insert": "insert", "delete": "get, delete, commit"}
BARS_OF_UNITS = {
    ("SQLite :memory:", on_sqlite): {"get": 0.80, "change": 0.85, "insert": 1.00, "delete": 1.00},
    ("PostgreSQL", on_postgres): {"get": 0.90, "change": 0.90, "insert": 1.00, "delete": 1.00},
}
STREAMED = 100_000
ADDED = 10_000


def one_unit(on: Callable[[Bench], Peers], unit: str, bench: Bench) -> Figure:
    peers = bench.shared(on)
    timings = measure(peers.cases(unit), rounds=bench.rounds(241))
    others = [f"{name} {timings.ratio(name, 'by hand'):.2f}" for name in ("book", "Core", "driver")]
    if on is on_postgres:
        others.append(f"ours by the wall clock {timings.wall_ratio('ours', 'by hand'):.2f}")
    return _figure(timings, ", ".join(others))


for (database, on), limits in BARS_OF_UNITS.items():
    for unit, limit in limits.items():
        bar(f"{UNITS[unit]}, {database}", peer=BY_HAND, at_most=limit)(partial(one_unit, on, unit))


@bar("aggregate with 5 children: get by key", peer=f"{BY_HAND}, selectin", at_most=0.60)
def get_aggregate(bench: Bench) -> Figure:
    peers, key = bench.shared(on_sqlite), keys(ORDERS)
    return _compare(bench, lambda: peers.ours.get_order(key()), lambda: peers.by_hand.get_order(key()))


@bar("aggregate with 5 children: change one child, commit", peer=f"{BY_HAND}, selectin", at_most=0.90)
def change_aggregate(bench: Bench) -> Figure:
    peers, key, number = bench.shared(on_sqlite), keys(ORDERS), itertools.count(100).__next__
    return _compare(
        bench,
        lambda: peers.ours.change_line(key(), number()),
        lambda: peers.by_hand.change_line(key(), number()),
    )


@bar("query of 100", peer=BY_HAND, at_most=1.03)
def query(bench: Bench) -> Figure:
    peers, age = bench.shared(on_sqlite), itertools.cycle(range(POPULATION // 100)).__next__
    return _compare(bench, lambda: peers.ours.find(age()), lambda: peers.by_hand.find(age()))


@bar("iterate 100,000", peer=f"{BY_HAND}, yield_per=1000", at_most=0.85)
def iterate(bench: Bench) -> Figure:
    ours, by_hand = _alone(bench.size(STREAMED))
    cases = {"ours": Case(ours.iterate), "by hand": Case(by_hand.iterate)}
    return _figure(measure(cases, rounds=bench.rounds(11), batch=None))


@bar("memory while iterating 100,000", peer="iterating 10,000", at_most=1.50)
def iterate_in_constant_memory(bench: Bench) -> Figure:
    few, many = (_peak(_alone(bench.size(count))[0].iterate) for count in (STREAMED // 10, STREAMED))
    return Figure(many / few, f"{many / 1e6:.1f} MB", f"{few / 1e6:.1f} MB")


@bar("add_many of 10,000, keys returned", peer="add_all + commit", at_most=0.40)
def add_many(bench: Bench) -> Figure:
    ours, by_hand = _alone(0)
    count = bench.size(ADDED)
    ours_new: list[domain.User] = []
    plain_new: list[hand_written.User] = []

    # Making the objects is not timed: it is the same for both, and the caller's.
    def prepare_ours(calls: int) -> None:
        with ours.engine.begin() as connection:
            connection.execute(ours.users.delete())
        ours_new[:] = [domain.User(f"name {i}", i % 90) for i in range(count)]

    def prepare_plain(calls: int) -> None:
        with by_hand.engine.begin() as connection:
            connection.execute(by_hand.users.delete())
        plain_new[:] = [hand_written.User(f"name {i}", i % 90) for i in range(count)]

    cases = {
        "ours": Case(lambda: ours.add_many(ours_new), prepare_ours),
        "by hand": Case(lambda: by_hand.add_many(plain_new), prepare_plain),
    }
    return _figure(measure(cases, rounds=bench.rounds(15), batch=None))


def _compare(bench: Bench, ours: Callable[[], object], by_hand: Callable[[], object]) -> Figure:
    return _figure(measure({"ours": Case(ours), "by hand": Case(by_hand)}, rounds=bench.rounds(241)))


def _figure(timings: Timings, beside: str = "") -> Figure:
    return Figure(timings.ratio("ours", "by hand"), _time(timings, "ours"), _time(timings, "by hand"), beside)


def _time(timings: Timings, case: str) -> str:
    seconds = timings.median(case)
    return spelled(seconds * 1e6, "µs") if seconds < 0.001 else spelled(seconds * 1e3, "ms")


def _alone(count: int) -> tuple[HonestUnits, HandWritten]:
    """Both sides on databases of their own, with so many users."""
    ours, by_hand = HonestUnits("sqlite://"), HandWritten(plain_engine("sqlite://"))
    hand_written.metadata.create_all(by_hand.engine)
    if count:
        fill_users(ours.engine, ours.users, count)
        fill_users(by_hand.engine, by_hand.users, count)
    return ours, by_hand


def _peak(run: Callable[[], object]) -> int:
    """The most bytes of Python objects that are alive at once."""
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
