"""The rows of the table: what is compared with what, and how good it has to be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["BARS", "TOLERANCE", "Absent", "Bar", "Bench", "Figure", "Measured", "bar", "holds", "spelled"]

TOLERANCE = 0.05  # ratios of one and the same thing differ by as much from run to run

T = TypeVar("T")


class Absent(Exception):
    """This machine lacks what the comparison needs. The bar neither holds nor falls short."""


@dataclass(frozen=True)
class Figure:
    """What one measurement says: how long each side takes, and the value that the bar is about."""

    value: float
    ours: str = ""
    peer: str = ""
    beside: str = ""  # what else is worth knowing, such as the floor


class Bench:
    """One run: how thorough it is, and what its measurements share."""

    def __init__(self, *, quick: bool, stack: ExitStack) -> None:
        self.quick = quick
        self._stack = stack
        self._shared: dict[object, object] = {}

    def rounds(self, thorough: int) -> int:
        """How many rounds to take where a thorough run takes so many."""
        return max(3, thorough // 10) if self.quick else thorough

    def size(self, thorough: int) -> int:
        """How many rows to store where a thorough run stores so many."""
        return max(10, thorough // 10) if self.quick else thorough

    def shared(self, make: Callable[[Bench], T]) -> T:
        """What *make* makes of this run, made once."""
        if make not in self._shared:
            self._shared[make] = make(self)
        return self._shared[make]  # type: ignore[return-value]

    def enter(self, context: AbstractContextManager[T]) -> T:
        """What the context gives; it is left when the run ends."""
        return self._stack.enter_context(context)


@dataclass(frozen=True)
class Bar:
    """A row of the table, and the function that measures it."""

    case: str
    peer: str  # with whom it is compared; nobody, for an absolute bar
    limit: float | None  # None: the row is only for information
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
    """A row with its figure, or with the reason why there is none."""

    bar: Bar
    figure: Figure | None
    missing: str = ""
    ok: bool | None = None  # None: nobody knows


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
    """Is the value within the bar, give or take what runs differ by? None where there is no bar."""
    if bar.limit is None:
        return None
    return value >= bar.limit / (1 + TOLERANCE) if bar.at_least else value <= bar.limit * (1 + TOLERANCE)


def spelled(value: float, unit: str) -> str:
    """`0.85`, `15.0 µs`, `60`: a ratio stands alone, everything else has its unit."""
    digits = 2 if unit == "×" or 0 < abs(value) < 1 else 1 if abs(value) < 100 else 0
    text = f"{value:.{digits}f}"
    if unit != "×" or abs(value) >= 10:
        text = text.removesuffix(".0").removesuffix(".00")
    return text if unit in ("×", "") else f"{text} {unit}"
