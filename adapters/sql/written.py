"""The rows that a failing statement was to write, asked for what the database does not tell.

SQLite names neither a foreign key that is broken nor a value that exists already. But its transaction goes on after the
statement, which was undone alone, so that the database can be asked. PostgreSQL and MariaDB tell the value as text.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import and_, exists, select

from ..engine.rows import Change, Deletion
from ..plan.declared import foreign_keys_of
from ..plan.tables import Reference, Row, TablePlan
from .reading import one_of, slices

if TYPE_CHECKING:
    from .rows import SqlRows

__all__ = ["Written"]

Suspects = Iterator[tuple[Reference, Any]]  # with what is true if it is broken


class Written:
    """What was written when an error was raised. Lives as long as the error is translated."""

    def __init__(self, rows: SqlRows, plan: TablePlan, written: Sequence[Any]) -> None:
        self.rows = rows
        self.plan = plan
        self.metadata = rows.store.metadata
        self.deletes = bool(written) and isinstance(written[0], Deletion)
        self.changes = bool(written) and isinstance(written[0], Change)
        self.values = [self._values(each) for each in written]

    def broken_reference(self, driver: Any) -> Reference | None:
        """The foreign key that is broken, where the database does not say which."""
        if not _is_of_sqlite(driver) or "FOREIGN KEY" not in str(driver):
            return None
        suspects = self._referring() if self.deletes else self._referred()
        connection = self.rows.connection()
        return next((each for each, broken in suspects if connection.scalar(select(broken))), None)

    def duplicate(self, driver: Any, columns: Sequence[str]) -> dict[str, Any]:
        """The values of these columns that exist already, by the names of the columns; empty if nobody knows."""
        if _is_of_sqlite(driver):
            found = self._held_by_others(columns)
        else:
            candidates = [tuple([row[name] for name in columns]) for row in self.values if row.keys() >= set(columns)]
            told = _told(driver)
            found = next((each for each in candidates if told and told in _spellings(each)), None)
            if found is None and len(candidates) == len(self.values):
                found = candidates[0] if len(candidates) == 1 else _first_repeated(candidates)
        return {} if found is None else dict(zip(columns, found, strict=True))

    def _values(self, written: Any) -> dict[str, Any]:
        """The values of a row by the names of their columns."""
        if isinstance(written, Deletion):
            return self._keyed(written.key)
        if isinstance(written, Change):
            changed = {self.plan.columns[position].name: value for position, value in written.values.items()}
            return self._named(written.before()) | self._keyed(written.key) | changed
        return self._named(written)

    def _named(self, row: Row) -> dict[str, Any]:
        return dict(zip([column.name for column in self.plan.columns], row, strict=False))

    def _keyed(self, key: Any) -> dict[str, Any]:
        return dict(zip(self.plan.key_columns, key if isinstance(key, tuple) else (key,), strict=True))

    def _held_by_others(self, columns: Sequence[str]) -> tuple[Any, ...] | None:
        """The first values that another row has, or that two rows were to have. The rows before it are written."""
        keys = self.plan.key_columns
        rows = [row for row in self.values if row.keys() >= set(columns)]
        candidates = [tuple([row[name] for name in columns]) for row in rows]
        if not self.changes:  # new rows go to SQLite one by one
            return candidates[0] if candidates else None
        if (found := _first_repeated(candidates)) is not None:
            return found
        holders: dict[tuple[Any, ...], tuple[Any, ...]] = {
            each[len(keys) :]: each[: len(keys)] for each in self._select([*keys, *columns], columns, rows)
        }
        own = [tuple([row[name] for name in keys]) for row in rows]
        return next((each for each, key in zip(candidates, own, strict=True) if holders.get(each, key) != key), None)

    def _select(self, names: Sequence[str], by: Sequence[str], rows: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """These columns of the rows in the database that have, in other columns, what one of these rows has."""
        writing = self.rows.store.writing(self.plan)
        asked = writing.columns_named(by)
        statement = select(*writing.columns_named(names)).where(one_of(asked, "values"))
        values = writing.sent_for(by, [tuple([row[name] for name in by]) for row in rows])
        for some in slices(values, asked):
            for row in self.rows.connection().execute(statement, {"values": some}):
                yield writing.encoded_for(names, row)

    def _referred(self) -> Suspects:
        """References of the table to what is not there."""
        for row in self.values:
            for reference in self.plan.references:
                target = self.metadata.tables[reference.target]
                values = [row.get(column) for column in reference.columns]
                if None not in values:
                    key = zip(self._targets(reference), values, strict=True)
                    there = exists(select(1).select_from(target).where(*(column == value for column, value in key)))
                    yield reference, ~there

    def _referring(self) -> Suspects:
        """References of any table to what is deleted."""
        for row in self.values:
            for reference in self.plan.referrers:
                table = self.metadata.tables[reference.table]
                pairs = zip(reference.columns, self._targets(reference), strict=True)
                same = and_(*(table.c[ours] == row.get(theirs.name) for ours, theirs in pairs))
                yield reference, exists(select(1).select_from(table).where(same))

    def _targets(self, reference: Reference) -> list[Any]:
        """The columns that are referred to, in the order of those that refer."""
        table = self.metadata.tables[reference.table]
        constraint = next(each for each in foreign_keys_of(table) if tuple(each.column_keys) == reference.columns)
        return [element.column for element in constraint.elements]


def _is_of_sqlite(driver: Any) -> bool:
    return bool(getattr(driver, "sqlite_errorname", ""))


def _first_repeated(candidates: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    seen = set()
    for each in candidates:
        if each in seen:
            return each
        if None not in each:
            seen.add(each)
    return None


def _told(driver: Any) -> str | None:
    """The value that PostgreSQL or MariaDB quotes."""
    detail = getattr(getattr(driver, "diag", None), "message_detail", None)
    pattern, words = (r"\)=\((.*)\)", detail) if detail else (r"Duplicate entry '(.*)' for key", str(driver))
    match = re.search(pattern, words, re.DOTALL)
    return None if match is None else _joined([match[1]])


def _spellings(values: Sequence[Any]) -> set[str]:
    """How PostgreSQL or MariaDB may quote the values of a constraint."""
    return {_joined(each) for each in product(*map(_spelled, values))}


def _joined(words: Sequence[str]) -> str:
    return re.sub(r",\s|-", "-", ", ".join(words))


def _spelled(value: Any) -> list[str]:
    """How they may write it: with digits that a column adds, in the time zone of the session, without hyphens."""
    if isinstance(value, bool):
        return [str(value), "ft"[value], "01"[value]]
    if isinstance(value, dt.datetime | dt.time):
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            value = value.astimezone(dt.UTC).replace(tzinfo=None)
        full = value.strftime("%H:%M:%S.%f") if isinstance(value, dt.time) else f"{value.date()} {value:%H:%M:%S.%f}"
        short = full.rstrip("0").rstrip(".")
        return [full, short, f"{short}+00"]
    if isinstance(value, Decimal):
        scale = max(0, -int(value.as_tuple().exponent))
        return [f"{value:.{digits}f}" for digits in range(scale, scale + 12)]
    if isinstance(value, float):
        return [str(value), str(value).removesuffix(".0"), str(value).replace("e+", "e")]
    if isinstance(value, UUID):
        return [str(value), value.hex]
    return [str(value)]
