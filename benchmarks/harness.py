"""Timing: side by side, in one process, in short shuffled batches.

A shared machine changes its speed from second to second, so a single figure says little. A ratio says more: the cases
take turns every few milliseconds, each round gives one ratio, and the result is the median of the ratios. Time is CPU
time of the process (`process_time`), which stands still while other processes run.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

__all__ = ["Case", "PerItem", "Timings", "measure", "measure_per_item", "paired_ratio", "slope"]

BATCH = 0.002  # seconds: long enough for the clock, short enough for all cases to see the same machine
LONGEST = 2000  # calls in one batch


@dataclass(frozen=True)
class Case:
    """A call to time. `prepare(n)` is called before every n calls of `run`, and is not timed."""

    run: Callable[[], object]
    prepare: Callable[[int], object] | None = None


@dataclass(frozen=True)
class Timings:
    """Seconds per call: for each case a list with one figure per round."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)

    def median(self, case: str) -> float:
        """Return the seconds of CPU time that a call takes on this machine, now."""
        return statistics.median(self.cpu[case])

    def ratio(self, case: str, to: str) -> float:
        """Return how many times as long as the other case this one takes, in CPU time."""
        return paired_ratio(self.cpu[case], self.cpu[to])

    def wall_ratio(self, case: str, to: str) -> float:
        """Return the same ratio by the wall clock, which includes waiting."""
        return paired_ratio(self.wall[case], self.wall[to])


@dataclass(frozen=True)
class PerItem:
    """Seconds of CPU time per item, one figure per round, with few and with many items."""

    few: list[float]
    many: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long one item takes among many as it takes among few: 1 is linear."""
        return paired_ratio(self.many, self.few)


def paired_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the median of the ratios per round. (The two medians may come from different moments.)"""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the cost of one more item: the slope of the least-squares line through the points."""
    return statistics.linear_regression(sizes, seconds).slope


def measure(cases: dict[str, Case], *, rounds: int, batch: float | None = BATCH) -> Timings:
    """Time all cases, taking turns.

    *batch* is the length of a turn in seconds. None makes each turn a single call, for calls that take long.
    """
    calls = {name: _fitting(case, batch) for name, case in cases.items()}
    timings = Timings({name: [] for name in cases}, {name: [] for name in cases})
    turns = list(cases.items())
    shuffle = random.Random(5).shuffle
    # Collecting garbage should cost what the case itself makes, so everything that is alive now is hidden.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            shuffle(turns)
            for name, case in turns:
                cpu, wall = _timed(case, calls[name], warm=batch is not None)
                timings.cpu[name].append(cpu)
                timings.wall[name].append(wall)
    finally:
        gc.unfreeze()
    return timings


def measure_per_item(
    opened: Callable[[int], AbstractContextManager[Callable[[], object]]], *, few: int, many: int, rounds: int
) -> PerItem:
    """Time one call that works on *few* items, and one that works on *many*, taking turns.

    `opened(n)` prepares n items and yields the call to time; neither entering nor leaving it is timed. A round makes
    ten calls with few items, since one is too short for the clock.
    """
    timings = PerItem([], [])
    _per_item(opened, few, calls=3)  # statements are compiled, caches filled
    for _ in range(rounds):
        timings.few.append(_per_item(opened, few, calls=10))
        timings.many.append(_per_item(opened, many, calls=1))
    return timings


def _per_item(opened: Callable[[int], AbstractContextManager[Callable[[], object]]], count: int, calls: int) -> float:
    seconds = 0.0
    for _ in range(calls):
        with opened(count) as run:
            gc.collect()
            gc.freeze()  # a full collection takes longer with more items alive, whoever works on them
            try:
                begun = time.process_time()
                run()
                seconds += time.process_time() - begun
            finally:
                gc.unfreeze()
    return max(seconds, 1e-9) / calls / count


def _timed(case: Case, calls: int, *, warm: bool) -> tuple[float, float]:
    """Return the seconds per call of one batch: CPU time, wall clock."""
    if case.prepare is not None:
        case.prepare(calls + warm)
    if warm:
        case.run()  # not timed: the first call of a batch pays for the caches that the case before has filled
    run, turns = case.run, range(calls)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in turns:
        run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return max(cpu, 1e-9) / calls, wall / calls


def _fitting(case: Case, batch: float | None) -> int:
    """Return how many calls fill a batch."""
    if batch is None:
        return 1
    for _ in range(3):  # statements are compiled, repositories made, caches filled
        _timed(case, 3, warm=True)
    _, wall = _timed(case, 3, warm=True)
    return max(1, min(LONGEST, int(batch / wall)))
