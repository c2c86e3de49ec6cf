"""Units in memory while a reader holds an old snapshot, so that the store keeps rows that others have superseded."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Shop
from benchmarks.harness import Case, Timings, measure
from benchmarks.linear import FEW, LIMIT, MANY
from benchmarks.memory_units import populated
from benchmarks.peers import keys
from honestwork.adapters import MemoryStore

THREADS = 8
UNITS = 100_000
SUPERSEDED = 1_000
TURNS = 10  # in each, every side runs a tenth of the units


@bar("memory: 100,000 units in 8 threads, a reader with 1,000 superseded rows", peer="no reader", at_most=1.20)
def crowd(bench: Bench) -> Figure:
    beside, alone = populated(SUPERSEDED), populated(SUPERSEDED)
    each = bench.size(UNITS) // TURNS // THREADS
    with superseding(beside, SUPERSEDED):
        cases = {"beside": Case(lambda: _in_threads(beside, each)), "alone": Case(lambda: _in_threads(alone, each))}
        timings = measure(cases, rounds=TURNS, batch=None)
    beside_one, alone_one = (spelled(timings.median(case) / each / THREADS * 1e6, "µs") for case in ("beside", "alone"))
    return Figure(timings.ratio("beside", "alone"), beside_one, alone_one, "CPU of one unit")


def ending(bench: Bench) -> Timings:
    """Time units that get one row, in stores with 100 and with 10,000 superseded rows."""
    return measure(
        {
            "few": bench.enter(_getting(FEW)),
            "many": bench.enter(_getting(bench.size(MANY))),
        },
        rounds=bench.rounds(61),
    )


def ending_per_row(per_row: bool, bench: Bench) -> Figure:
    timings = bench.shared(ending)
    many, few = (spelled(timings.median(case) * 1e6, "µs") for case in ("many", "few"))
    items = bench.size(MANY) / FEW if per_row else 1
    return Figure(timings.ratio("many", "few") / items, many, few, "in all" if per_row else "")


ENDING = "memory: end a unit beside 10,000 superseded rows"
bar(f"{ENDING}, for each", peer=f"beside {FEW}", at_most=LIMIT)(partial(ending_per_row, True))
bar(f"{ENDING}, in all", peer=f"beside {FEW}")(partial(ending_per_row, False))


@contextmanager
def superseding(store: MemoryStore, count: int) -> Iterator[None]:
    """Keep a reader open from before so many users were changed until the block ends."""
    with Shop(store) as reader:
        before = reader.users[1].name
        for start in range(1, count + 1, 1000):
            with Shop(store) as writer:
                for key in range(start, min(start + 1000, count + 1)):
                    writer.users[key].name = "superseding"
                writer.commit()
        yield
        assert [user.name for user in reader.users.find_by(name="superseding")] == []
        assert reader.users[1].name == before


@contextmanager
def _getting(count: int) -> Iterator[Case]:
    store = populated(count)
    key = keys(FEW)  # the same few rows in both, so that the CPU's cache does not differ

    def run() -> None:
        with Shop(store) as uow:
            uow.users.get(key())

    with superseding(store, count):
        yield Case(run)


def _in_threads(store: MemoryStore, each: int) -> None:
    """Let each thread get, change and commit so many times. Each has rows of its own, so nothing conflicts."""

    def work(keys: range) -> None:
        key = itertools.cycle(keys).__next__
        for number in range(each):
            with Shop(store) as uow:
                uow.users[key()].name = f"name {number}"
                uow.commit()

    share = SUPERSEDED // THREADS
    _run_all([partial(work, range(1 + share * number, 1 + share * (number + 1))) for number in range(THREADS)])


def _run_all(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
