"""A value that a row may have for a moment, while another row takes over its unique value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from math import copysign
from typing import Any, NamedTuple
from uuid import UUID

from ...domain.errors import BadValue
from ..plan.checks import constants_in
from ..plan.schema import Schema
from ..plan.tables import ColumnPlan, Key, Row, TablePlan, Unique
from .rows import Rows

__all__ = ["Around", "Interim", "Wanting"]

Check = Callable[[Row], object]

TRIED = 1000  # beside those that are in use
ASKED_AT_ONCE = 20
MOST = 100_000  # as many rows may have an interim value at the same time
NO_MORE: Any = object()

MICROSECOND = dt.timedelta(microseconds=1)
SECOND = dt.timedelta(seconds=1)
SOME_DAY = dt.date(2000, 1, 1)

# From the far end of what a column holds, where other rows are unlikely to be.
FAR: dict[type[Any], Callable[[int], Any]] = {
    UUID: lambda n: UUID(int=2**128 - 1 - n),
    float: lambda n: 1e300 + n * 1e285,
    bytes: lambda n: b"~%x" % n,
    dt.date: lambda n: dt.date.max - dt.timedelta(days=n),
    dt.time: lambda n: (dt.datetime.max - n * MICROSECOND).time(),
    dt.timedelta: lambda n: dt.timedelta(days=100_000_000) - n * MICROSECOND,
}
BOUNDS = [2**63 - 1, 2**31 - 1, 2**15 - 1, -(2**63), -(2**31), -(2**15)]

# Away from a value by n steps, for columns whose CHECK keeps them from the far end.
MOVED: dict[type[Any], Callable[[Any, int], Any]] = {
    int: lambda value, n: value + n,
    float: lambda value, n: value + copysign(2.0 ** (10 - abs(n)), n),
    Decimal: lambda value, n: value + n * Decimal(1).scaleb(value.as_tuple().exponent),
    dt.date: lambda value, n: value + n * dt.timedelta(days=1),
    dt.datetime: lambda value, n: value + n * SECOND,
    dt.time: lambda value, n: (dt.datetime.combine(SOME_DAY, value) + n * SECOND).time(),
    dt.timedelta: lambda value, n: value + n * SECOND,
}


class Around(NamedTuple):
    """What the same flush does around the row: the stored rows do not know of it yet."""

    used: Collection[Any]  # values that it gives up or takes, of the unique constraint
    free: Collection[Any]  # those of them that no row has by now, and none will take
    gone: Collection[tuple[TablePlan, Key]]  # the rows that it deletes

    def leaves(self, value: Any) -> bool:
        """Return whether a row may have this unique value for a moment, as far as this flush is concerned."""
        return value not in self.used or value in self.free


class Wanting(NamedTuple):
    """A row that wants an interim value."""

    row: Row
    changing: Collection[int]  # the positions that get new values anyway: these are tried first
    may_be_put_back: bool  # may the others have what they had again, or has another unit perhaps changed them?


class Interim:
    """Finds interim values. Lives while the writes of one flush are put in order.

    What other rows may need is asked of the store together, and what it has said is kept: a flush of many circles
    takes a few questions, and no value is looked at twice while another row has it.
    """

    def __init__(self, schema: Schema, rows: Rows) -> None:
        self.schema = schema
        self.rows = rows
        self._is_taken: dict[Unique, dict[Any, bool]] = {}
        self._drawn: dict[ColumnPlan, _Drawn] = {}
        self._keys: dict[tuple[str, int], Sequence[Any]] = {}

    def values(
        self, table: TablePlan, unique: Unique, wanting: Wanting, around: Around, others: Iterable[Wanting] = ()
    ) -> dict[int, Any] | None:
        """Return values for a row, by position, that free its unique value: NULL where a column takes it.

        They satisfy all CHECKs and foreign keys of the row, no other row has them, and the writes *around* leave them
        alone. None where there are no such values. For the same rows they are the same. The *others* are rows that may
        soon need an interim value as well.
        """
        checks = [holds for _, holds in self.schema.checks[table.name]]
        is_taken = self._is_taken.setdefault(unique, {None: False})
        candidates = self._candidates(table, unique, wanting, around, checks)
        while asked := [*islice(candidates, 1)]:
            if asked[0][1] not in is_taken and asked[0][1] not in around.free:
                is_alone, is_first = len(unique.columns) == 1, len(is_taken) == 1
                asked += islice(candidates, len(is_taken) if is_alone else ASKED_AT_ONCE)
                wanted = [value for _, value in asked]
                for other in others if is_first and not is_alone else ():
                    wanted += [value for _, value in islice(self._candidates(table, unique, other, around, checks), 2)]
                self._ask(table, unique, wanted)
            for values, value in asked:
                if value in around.free or not is_taken[value]:
                    return values
        return None

    def release(self, table: TablePlan, unique: Unique, value: Any) -> None:
        """No row has this value for a moment any more."""
        if len(unique.columns) == 1:
            self._drawn_of(table.columns[table.position(unique.columns[0])]).release(value)

    def _ask(self, table: TablePlan, unique: Unique, values: Sequence[Any]) -> None:
        is_taken = self._is_taken[unique]
        new = [value for value in dict.fromkeys(values) if value not in is_taken]
        taken = self.rows.taken(table, unique, new)
        is_taken.update((value, value in taken) for value in new)

    def _candidates(
        self, table: TablePlan, unique: Unique, wanting: Wanting, around: Around, checks: Sequence[Check]
    ) -> Iterator[tuple[dict[int, Any], Any]]:
        """Values by position, and what the unique value is with them; None if it is none."""
        row, changing, may_be_put_back = wanting
        columns = [table.columns[table.position(name)] for name in unique.columns if name not in table.key_columns]
        first = [column for column in columns if column.position in changing]
        others = [column for column in columns if column.position not in changing]
        is_alone = len(unique.columns) == 1
        for some in (first, others if may_be_put_back else []):
            for column, value in self._for_columns(table, some, row, around, is_alone):
                changed = (*row[: column.position], value, *row[column.position + 1 :])
                if around.leaves(unique.values(changed)) and all(holds(changed) for holds in checks):
                    yield {column.position: value}, unique.values(changed)

    def _for_columns(
        self, table: TablePlan, columns: list[ColumnPlan], row: Row, around: Around, is_alone: bool
    ) -> Iterator[tuple[ColumnPlan, Any]]:
        tried = TRIED + len(around.used)
        yield from ((column, None) for column in columns if column.nullable)
        for column in columns:
            reference = next((each for each in table.references if column.name in each.columns), None)
            if reference is None and column.guard.encode is None:
                drawn = self._drawn_of(column).values(tried, around if is_alone else None)
                yield from ((column, value) for value in drawn)
                near = islice(_near_values(column, table, row[column.position], tried), tried)
                yield from ((column, value) for value in _accepted(column, near))
        for column in columns:
            reference = next((each for each in table.references if each.columns == (column.name,)), None)
            if reference is not None:
                target = self.schema.tables[reference.target]
                keys = self._keys_of(target, tried + len(around.gone))
                yield from ((column, key) for key in keys if (target, key) not in around.gone)

    def _drawn_of(self, column: ColumnPlan) -> _Drawn:
        if column not in self._drawn:
            self._drawn[column] = _Drawn(column)
        return self._drawn[column]

    def _keys_of(self, target: TablePlan, limit: int) -> Sequence[Any]:
        if (target.name, limit) not in self._keys:
            self._keys[target.name, limit] = self.rows.some_keys(target, limit)
        return self._keys[target.name, limit]


class _Drawn:
    """The values that a column takes far from where other rows are, in a fixed order, as far as they were drawn."""

    def __init__(self, column: ColumnPlan) -> None:
        self._more = _accepted(column, _far_values(column))
        self._drawn: list[Any] = []
        self._places: dict[Any, int] = {}
        self._start = 0  # all before it are in use

    def values(self, tried: int, around: Around | None) -> Iterator[Any]:
        """As many as are *tried*; without those that are not left *around*, where the column is unique by itself."""
        number = self._start
        while number < tried and self._is_drawn(number):
            value = self._drawn[number]
            if around is None or around.leaves(value):
                yield value
            elif number == self._start:
                self._start += 1
            number += 1

    def release(self, value: Any) -> None:
        self._start = min(self._start, self._places.get(value, self._start))

    def _is_drawn(self, number: int) -> bool:
        while number >= len(self._drawn):
            if (value := next(self._more, NO_MORE)) is NO_MORE:
                return False
            self._places.setdefault(value, len(self._drawn))
            self._drawn.append(value)
        return True


def _accepted(column: ColumnPlan, values: Iterable[Any]) -> Iterator[Any]:
    """Those of the values that the column takes."""
    for value in values:
        with suppress(BadValue, OverflowError, ValueError):
            yield column.guard(value)


def _far_values(column: ColumnPlan) -> Iterator[Any]:
    guard = column.guard
    if guard.choices:
        yield from guard.choices
    elif guard.type is int:
        bounds = [*_accepted(column, BOUNDS)]
        for start in range(0, MOST, 100):
            for bound in bounds:
                yield from (bound - n if bound > 0 else bound + n for n in range(start, start + 100))
    elif guard.type is str:
        yield from (f"~{n:x}" for n in range(TRIED))
        yield from (chr(n) for n in range(0x21, 0x7F))
        yield from (f"~{n:x}" for n in range(TRIED, MOST))
    elif guard.type is Decimal:
        for digits in range(15, 0, -1):
            yield from (Decimal(10**digits - 1 - n) for n in range(50))
        yield from (Decimal(n) / 100 for n in range(100))
    elif guard.type is dt.datetime:
        latest = dt.datetime.max.replace(tzinfo=dt.UTC if guard.aware else None) - dt.timedelta(days=2)
        yield from (latest - n * MICROSECOND for n in range(MOST))
    elif guard.type in FAR:
        yield from map(FAR[guard.type], range(MOST))
    elif hasattr(guard.type, "__members__"):  # an enumeration
        yield from guard.type.__members__.values()


def _near_values(column: ColumnPlan, table: TablePlan, present: Any, tried: int) -> Iterator[Any]:
    """Values that stand in the CHECKs of the table, and those beside them and beside the present one."""
    named = [*_constants(table)]
    yield from named
    seeds = [each for each in (present, *named) if type(each) is column.guard.type]
    if column.guard.type is str:
        for text in seeds:
            yield from _alike(text)
    elif (moved := MOVED.get(column.guard.type)) is not None:
        for n in range(1, tried):
            for seed in seeds:
                for steps in (n, -n):
                    with suppress(OverflowError):
                        yield moved(seed, steps)


def _constants(table: TablePlan) -> Iterator[Any]:
    for check in table.checks:
        if check.formula is not None:
            yield from constants_in(check.formula)


def _alike(text: str) -> Iterator[str]:
    """Texts of the same length, for columns whose CHECK asks for one."""
    for n in range(TRIED):
        end = f"{n:x}"
        if len(end) <= len(text):
            yield text[: len(text) - len(end)] + end
