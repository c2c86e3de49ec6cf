"""How things are timed: side by side, in one process, in short shuffled batches.

A shared machine changes its speed from second to second, so a figure alone says little. What does say
something is a ratio: two cases take turns every few milliseconds, each round gives one ratio, and the median of
the ratios is the result. Time is that of the processor (`process_time`), which does not run while others do.

Figures in µs are ratios too, to a fixed loop of plain Python that takes turns like every other case. How long
that loop takes on the machine for which the bars were set is written here; so 15 µs means the same everywhere.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["REFERENCE", "Case", "Timings", "calibration", "measure", "paired_difference", "paired_ratio", "slope"]

BATCH = 0.002  # seconds: long enough for the clock, short enough for both cases to see the same machine
LONGEST = 2000  # calls in one batch

# Seconds that `calibration` takes on the reference machine: a 2.5 GHz Xeon with a CPython 3.12 that was built without
# profile-guided optimisation. The bars in µs were set there. (An AMD EPYC of 2026 with CPython 3.11 needs 0.000330.)
REFERENCE = 0.000700


@dataclass(frozen=True)
class Case:
    """What is timed. `prepare(n)` is called before every n calls of `run`, and is not timed."""

    run: Callable[[], object]
    prepare: Callable[[int], object] | None = None


@dataclass(frozen=True)
class Timings:
    """Seconds per call: for each case a list, one figure for each round."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)

    def median(self, case: str) -> float:
        """Seconds of processor time that a call takes on this machine, now."""
        return statistics.median(self.cpu[case])

    def ratio(self, case: str, to: str) -> float:
        """How many times as long as the other a case takes."""
        return paired_ratio(self.cpu[case], self.cpu[to])

    def wall_ratio(self, case: str, to: str) -> float:
        """The same, with the time that is spent waiting."""
        return paired_ratio(self.wall[case], self.wall[to])

    def calibrated(self, case: str) -> float:
        """Seconds that a call takes on the reference machine. The cases must include `calibration`."""
        return self.ratio(case, "calibration") * REFERENCE

    def calibrated_difference(self, case: str, to: str) -> float:
        """Seconds on the reference machine by which a case takes longer than the other."""
        loops = self.cpu["calibration"]
        these, those = ([each / loop for each, loop in zip(self.cpu[name], loops, strict=True)] for name in (case, to))
        return paired_difference(these, those) * REFERENCE


def paired_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """The median of the ratios round by round; not the ratio of the medians, which may be of different moments."""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def paired_difference(these: Sequence[float], those: Sequence[float]) -> float:
    """The median of the differences round by round."""
    return statistics.median(this - that for this, that in zip(these, those, strict=True))


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """What one more costs: the least-squares line through the points."""
    return statistics.linear_regression(sizes, seconds).slope


def measure(cases: dict[str, Case], *, rounds: int, batch: float | None = BATCH) -> Timings:
    """Time all cases, taking turns. Without a *batch* each turn is a single call, for what takes long anyway."""
    calls = {name: _fitting(case, batch) for name, case in cases.items()}
    timings = Timings({name: [] for name in cases}, {name: [] for name in cases})
    turns = list(cases.items())
    shuffle = random.Random(5).shuffle
    # What is alive now stays alive; collecting garbage should cost what the case makes, and not what others left.
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


def _timed(case: Case, calls: int, *, warm: bool) -> tuple[float, float]:
    """Seconds per call of one batch: processor, wall."""
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
    """How many calls fill a batch."""
    if batch is None:
        return 1
    for _ in range(3):  # statements are compiled, repositories made, caches filled
        _timed(case, 3, warm=True)
    _, wall = _timed(case, 3, warm=True)
    return max(1, min(LONGEST, int(batch / wall)))


class _Thing:
    def __init__(self, number: int, weight: int) -> None:
        self.number = number
        self.weight = weight

    def total(self, more: int) -> int:
        return self.number + self.weight + more


def _loop() -> int:
    # What the framework's own code consists of: objects, attributes, calls, tuples, dicts, comparisons.
    rows: dict[int, tuple[int, str, int]] = {}
    total = 0
    for number in range(1000):
        thing = _Thing(number, 7)
        row = (number, "name", thing.total(1))
        rows[number & 127] = row
        if (found := rows.get(number - 1 & 127)) is not None and found != row:
            total += found[2]
    return total


calibration = Case(_loop)
