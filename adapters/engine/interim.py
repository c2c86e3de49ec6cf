"""A value that a row may have for a moment, while another row takes over its unique value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from ...domain.errors import BadValue, MappingRefused
from ..schema import Schema
from ..tables import ColumnPlan, Row, TablePlan, Unique

__all__ = ["interim_values"]

TRIED = 1000

MICROSECOND = dt.timedelta(microseconds=1)

# From the far end of what a column holds, where other rows are unlikely to be.
FAR: dict[type[Any], Callable[[int], Any]] = {
    UUID: lambda n: UUID(int=2**128 - 1 - n),
    float: lambda n: 1e300 + n * 1e285,
    bytes: lambda n: b"~%x" % n,
    dt.date: lambda n: dt.date.max - dt.timedelta(days=n),
    dt.timedelta: lambda n: dt.timedelta(days=100_000_000) - n * MICROSECOND,
}
BOUNDS = [2**63 - 1, 2**31 - 1, 2**15 - 1, -(2**63), -(2**31), -(2**15)]


def interim_values(
    schema: Schema, table: TablePlan, unique: Unique, row: Row, taken: Collection[Any]
) -> dict[int, Any] | None:
    """Return values for a row, by position, that free its unique value: NULL where a column takes it.

    They satisfy all CHECKs and foreign keys of the row, and are none of those that are *taken*. None where there are
    no such values. It is always the same value, so that the same flush writes the same.
    """
    try:
        checks = schema.checks_of(table)
    except MappingRefused:  # nobody knows what they accept
        return None
    referring = {name for reference in table.references for name in reference.columns}
    free = [
        column
        for column in (table.columns[table.position(name)] for name in unique.columns)
        if column.name not in table.key_columns
    ]
    candidates = [(column, None) for column in free if column.nullable]
    for column in free:
        if column.name not in referring and column.guard.encode is None:
            candidates += [(column, value) for value in islice(_values(column, row[column.position]), TRIED)]
    for column, value in candidates:
        changed = (*row[: column.position], value, *row[column.position + 1 :])
        if unique.values(changed) not in taken and all(holds(changed) for _, holds in checks):
            return {column.position: value}
    return None


def _values(column: ColumnPlan, present: Any) -> Iterator[Any]:
    """Values that the column takes, in a fixed order."""
    for value in _candidates(column, present):
        try:
            yield column.guard(value)
        except (BadValue, OverflowError, ValueError):
            continue


def _candidates(column: ColumnPlan, present: Any) -> Iterator[Any]:
    guard = column.guard
    numbers = range(TRIED)
    if guard.choices:
        yield from guard.choices
    elif guard.type is int:
        for bound in BOUNDS:
            yield from (bound - n if bound > 0 else bound + n for n in range(TRIED // len(BOUNDS)))
        yield from (present + n for n in range(1, TRIED))
    elif guard.type is str:
        yield from (f"~{n:x}" for n in numbers)
        yield from (chr(n) for n in range(0x21, 0x7F))
        yield from _alike(present)
    elif guard.type is Decimal:
        for digits in range(15, 0, -1):
            yield from (Decimal(10**digits - 1 - n) for n in range(50))
        yield from (Decimal(n) / 100 for n in range(100))
    elif guard.type is dt.datetime:
        latest = dt.datetime.max.replace(tzinfo=dt.UTC if guard.aware else None) - dt.timedelta(days=2)
        yield from (latest - n * MICROSECOND for n in numbers)
    elif guard.type is dt.time:
        yield from ((dt.datetime.max - n * MICROSECOND).time() for n in numbers)
    elif guard.type in FAR:
        yield from map(FAR[guard.type], numbers)
    elif hasattr(guard.type, "__members__"):  # an enumeration
        yield from guard.type


def _alike(text: str) -> Iterator[str]:
    """Texts of the same length, for columns whose CHECK asks for one."""
    for n in range(TRIED):
        end = f"{n:x}"
        if len(end) <= len(text):
            yield text[: len(text) - len(end)] + end
