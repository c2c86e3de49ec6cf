"""The rows of the table: each has a case, a peer and a limit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["BARS", "TOLERANCE", "Absent", "Bar", "Bench", "Figure", "Measured", "bar", "holds", "spelled"]

TOLERANCE = 0.05  # the ratios of the same code differ by as much between runs

T = TypeVar("T")


class Absent(Exception):
    """This machine lacks something that the comparison needs. The bar neither holds nor falls short."""


@dataclass(frozen=True)
class Figure:
    """The result of one measurement: the value that the bar limits, and the figures of both sides as text."""

    value: float
    ours: str = ""
    peer: str = ""
    beside: str = ""  # for information, such as the floor


class Bench:
    """One run of the benchmarks: how thorough it is, and the databases and timings that its rows share."""

    def __init__(self, *, quick: bool, stack: ExitStack) -> None:
        self.quick = quick
        self._stack = stack
        self._shared: dict[object, object] = {}

    def rounds(self, thorough: int) -> int:
        """Return the number of rounds: *thorough*, or a tenth in a quick run."""
        return max(3, thorough // 10) if self.quick else thorough

    def size(self, thorough: int) -> int:
        """Return the number of rows or items: *thorough*, or a tenth in a quick run."""
        return max(10, thorough // 10) if self.quick else thorough

    def shared(self, make: Callable[[Bench], T]) -> T:
        """Return the result of `make(self)`, which is called once in a run."""
        if make not in self._shared:
            self._shared[make] = make(self)
        return self._shared[make]  # type: ignore[return-value]

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter the context and return its value; it is left when the run ends."""
        return self._stack.enter_context(context)


@dataclass(frozen=True)
class Bar:
    """A row of the table, and the function that measures it."""

    case: str
    peer: str  # the other side of the comparison; empty for a bar without one
    limit: float | None  # None if the row is only for information
    unit: str
    at_least: bool
    measure: Callable[[Bench], Figure]

    @property
    def spelled(self) -> str:
        if self.limit is None:
            return "–"
        return f"{'≥' if self.at_least else '≤'} {spelled(self.limit, self.unit)}"


@dataclass(frozen=True)
class Measured:
    """A row with its figure, or with the reason why it has none."""

    bar: Bar
    figure: Figure | None
    missing: str = ""
    ok: bool | None = None  # None if the bar cannot be judged


BARS: list[Bar] = []


def bar(
    case: str,
    *,
    peer: str = "",
    at_most: float | None = None,
    at_least: float | None = None,
    unit: str = "×",
) -> Callable[[Callable[[Bench], Figure]], Callable[[Bench], Figure]]:
    """Add a row to the table, measured by the decorated function. Without a limit it is only for information."""
    limit = at_least if at_most is None else at_most

    def added(measure: Callable[[Bench], Figure]) -> Callable[[Bench], Figure]:
        BARS.append(Bar(case, peer, limit, unit, at_least is not None, measure))
        return measure

    return added


def holds(bar: Bar, value: float) -> bool | None:
    """Return whether the value is within the bar and its tolerance, or None for a row without a bar."""
    if bar.limit is None:
        return None
    return value >= bar.limit / (1 + TOLERANCE) if bar.at_least else value <= bar.limit * (1 + TOLERANCE)


def spelled(value: float, unit: str) -> str:
    """Return a figure as text: `0.85`, `15 µs`, `60`. Ratios have no unit."""
    digits = 2 if unit == "×" or 0 < abs(value) < 1 else 1 if abs(value) < 100 else 0
    text = f"{value:.{digits}f}"
    if unit != "×" or abs(value) >= 10:
        text = text.removesuffix(".0").removesuffix(".00")
    return text if unit in ("×", "") else f"{text} {unit}"
