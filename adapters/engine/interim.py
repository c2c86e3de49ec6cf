"""A value that a row may have for a moment, while another row takes over its unique value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from math import copysign
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter
from sqlalchemy.sql import visitors

from ...domain.errors import BadValue, MappingRefused
from ..plan.schema import Schema
from ..plan.tables import ColumnPlan, Key, Row, TablePlan, Unique
from .rows import Rows

__all__ = ["Around", "interim_values"]

TRIED = 1000
ASKED_AT_ONCE = 20

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
    """What the same flush does around the row: what it was asked of the rows before does not know of it."""

    used: Collection[Any]  # values that it gives up or takes, of the unique constraint
    free: Collection[Any]  # those of them that no row has by now, and none will take
    gone: Collection[tuple[TablePlan, Key]]  # the rows that it deletes


def interim_values(
    schema: Schema,
    rows: Rows,
    table: TablePlan,
    unique: Unique,
    row: Row,
    around: Around,
    changing: Collection[int],
) -> dict[int, Any] | None:
    """Return values for a row, by position, that free its unique value: NULL where a column takes it.

    They satisfy all CHECKs and foreign keys of the row, no other row has them, and the writes *around* leave them
    alone. None where there are no such values. For the same rows they are the same. Columns at the *changing*
    positions come first: the write that follows gives them new values anyway.
    """
    try:
        checks = schema.checks_of(table)
    except MappingRefused:  # nobody knows what they accept
        return None
    columns = [table.columns[table.position(name)] for name in unique.columns if name not in table.key_columns]
    first = [column for column in columns if column.position in changing]
    others = [column for column in columns if column.position not in changing]
    candidates = (
        (column, value, changed)
        for some in (first, others)
        for column, value in _candidates(schema, rows, table, some, row, around)
        if _is_left(unique.values(changed := (*row[: column.position], value, *row[column.position + 1 :])), around)
        and all(holds(changed) for _, holds in checks)
    )
    while asked := [*islice(candidates, ASKED_AT_ONCE)]:
        values = [value for *_, changed in asked if (value := unique.values(changed)) is not None]
        taken = rows.taken(table, unique, values) if values else set()
        for column, value, changed in asked:
            if (freed := unique.values(changed)) not in taken or freed in around.free:
                return {column.position: value}
    return None


def _is_left(value: Any, around: Around) -> bool:
    return value not in around.used or value in around.free


def _candidates(
    schema: Schema, rows: Rows, table: TablePlan, columns: list[ColumnPlan], row: Row, around: Around
) -> Iterator[tuple[ColumnPlan, Any]]:
    tried = TRIED + len(around.used)
    yield from ((column, None) for column in columns if column.nullable)
    for column in columns:
        reference = next((each for each in table.references if column.name in each.columns), None)
        if reference is None and column.guard.encode is None:
            for found in (_far_values(column, tried), _near_values(column, table, row[column.position], tried)):
                yield from ((column, value) for value in islice(_accepted(column, found), tried))
    for column in columns:
        reference = next((each for each in table.references if each.columns == (column.name,)), None)
        if reference is not None:
            target = schema.tables[reference.target]
            keys = rows.some_keys(target, tried + len(around.gone))
            yield from ((column, key) for key in keys if (target, key) not in around.gone)


def _accepted(column: ColumnPlan, values: Iterator[Any]) -> Iterator[Any]:
    """Those of the values that the column takes."""
    for value in values:
        with suppress(BadValue, OverflowError, ValueError):
            yield column.guard(value)


def _far_values(column: ColumnPlan, tried: int) -> Iterator[Any]:
    guard = column.guard
    numbers = range(tried)
    if guard.choices:
        yield from guard.choices
    elif guard.type is int:
        for bound in BOUNDS:
            yield from (bound - n if bound > 0 else bound + n for n in range(tried // len(BOUNDS)))
    elif guard.type is str:
        yield from (f"~{n:x}" for n in numbers)
        yield from (chr(n) for n in range(0x21, 0x7F))
    elif guard.type is Decimal:
        for digits in range(15, 0, -1):
            yield from (Decimal(10**digits - 1 - n) for n in range(50))
        yield from (Decimal(n) / 100 for n in range(100))
    elif guard.type is dt.datetime:
        latest = dt.datetime.max.replace(tzinfo=dt.UTC if guard.aware else None) - dt.timedelta(days=2)
        yield from (latest - n * MICROSECOND for n in numbers)
    elif guard.type in FAR:
        yield from map(FAR[guard.type], numbers)
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
        for each in visitors.iterate(check.expression):
            if isinstance(each, BindParameter):
                value = each.effective_value
                yield from value if isinstance(value, list | tuple) else [value]


def _alike(text: str) -> Iterator[str]:
    """Texts of the same length, for columns whose CHECK asks for one."""
    for n in range(TRIED):
        end = f"{n:x}"
        if len(end) <= len(text):
            yield text[: len(text) - len(end)] + end
