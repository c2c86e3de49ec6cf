"""A table with a column of each type, and rows for it whose values meet, or are the largest that there are."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
)

from honestwork.adapters.mapping.completion import complete
from honestwork.adapters.plan.checks import read_check
from honestwork.adapters.plan.tables import TablePlan, table_plan
from honestwork.adapters.queries.checks import predicate

__all__ = ["CENTS", "COLOURS", "UUIDS", "Colour", "made", "plan_of", "rows", "says"]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


COLOURS = Enum(Colour, name="checked_colour")
KINDS = Enum("new", "old", name="checked_kind")
UUIDS = [UUID(int=1), UUID(int=2**127 + 5), UUID("ffffffff-0000-4000-8000-000000000000")]
NOON = dt.datetime(2024, 1, 1, 12)
TYPES: dict[str, Any] = {
    "a": Integer,
    "b": Integer,
    "small": SmallInteger,
    "big": BigInteger,
    "real": Float,
    "price": Numeric(10, 2),
    "tax": Numeric(6, 4),
    "word": String(10),
    "name": Text,
    "day": Date,
    "due": Date,
    "at": DateTime(timezone=True),
    "until": DateTime(timezone=True),
    "local": DateTime,
    "clock": Time,
    "span": Interval,
    "code": Uuid,
    "flag": Boolean,
    "done": Boolean,
    "colour": COLOURS,
    "tint": COLOURS,
    "kind": KINDS,
}
TEXTS = st.text(alphabet="abA%_\\'*?[]/é☃ \n", max_size=3)
NUMBERS = st.integers(-3, 4)
MOMENTS = st.sampled_from([-3600, -1, 0, 1, 3600]).map(lambda n: NOON + dt.timedelta(seconds=n, microseconds=n))
AWARE = MOMENTS.map(lambda each: each.replace(tzinfo=dt.UTC))
DAYS = st.dates(dt.date(2023, 12, 30), dt.date(2024, 1, 3))
SPANS = st.sampled_from([0, 1, -1, 86_400, -90_000, 3 * 10**12]).map(lambda n: dt.timedelta(seconds=n, microseconds=n))
# Few, whose sums and products meet; as binary floats they would miss each other.
CENTS = st.sampled_from([0, 1, 5, 10, 20, 30, -30, 60, 70, 110, 121]).map(lambda n: Decimal(n) / 100)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "a": NUMBERS | st.sampled_from([2**31 - 1, -(2**31)]),
    "b": NUMBERS | st.sampled_from([2**31 - 1, -(2**31)]),
    "small": NUMBERS | st.sampled_from([2**15 - 1, -(2**15)]),
    "big": NUMBERS | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]),
    "real": st.sampled_from([0.0, 0.1, 0.5, -0.5, 1.0, 2.0, -3.0, 0.1 + 0.2, 1e300, 5e-324]),
    "price": CENTS | st.sampled_from([Decimal("99999999.99"), Decimal("-99999999.99"), Decimal("0.30")]),
    "tax": CENTS | st.sampled_from([Decimal("0.0001"), Decimal("99.9999"), Decimal("-99.9999")]),
    "word": TEXTS,
    "name": TEXTS,
    "day": DAYS,
    "due": DAYS,
    "at": AWARE,
    "until": AWARE,
    "local": MOMENTS,
    "clock": st.sampled_from([dt.time(0), dt.time(12), dt.time(12, 0, 0, 1), dt.time(23, 59, 59, 999_999)]),
    "span": SPANS,
    "code": st.sampled_from(UUIDS),
    "flag": st.booleans(),
    "done": st.booleans(),
    "colour": st.sampled_from(Colour),
    "tint": st.sampled_from(Colour),
    "kind": st.sampled_from(["new", "old"]),
}
Row = dict[str, Any]
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | each for name, each in VALUES.items()}), min_size=4, max_size=8
)


def made(*checks: Any, columns: Collection[str] = TYPES, name: str = "checked_things") -> Table:
    """The table with these of the columns and CHECKs, each an expression, a text, or a function that makes one of `c`.

    It is temporary, so that each CHECK has one of its own.
    """
    table = Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        *(Column(name, TYPES[name]) for name in TYPES if name in columns),
        prefixes=["TEMPORARY"],
    )
    for number, check in enumerate(checks):
        written = check(table.c) if callable(check) else check
        table.append_constraint(CheckConstraint(written, name=f"ck_{number}"))
    complete(table)
    return table


def plan_of(table: Table) -> TablePlan:
    """What memory knows of the table. Raises MappingRefused for a CHECK that is refused."""
    for each in table.constraints:
        if isinstance(each, CheckConstraint):
            read_check(each)
    return table_plan(table)


def says(plan: TablePlan) -> Callable[[Row], bool]:
    """Whether memory lets a row pass."""
    holds = [predicate(plan, check, {}) for check in plan.checks]

    def passes(row: Row) -> bool:
        values = {"id": 1, **row}
        stored = tuple(None if (v := values[each.name]) is None else each.guard(v) for each in plan.columns)
        return all(hold(stored) for hold in holds)

    return passes
