"""The rows that a failing statement was to write, asked for what the database does not tell.

SQLite names neither a foreign key that is broken nor a value that exists already. But its transaction goes on after the
statement, which was undone alone, so that the database can be asked. PostgreSQL and MariaDB tell the value as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, select

from ..engine.rows import Change, Deletion
from ..plan.declared import foreign_keys_of
from ..plan.tables import Reference, TablePlan
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
        candidates = [tuple([row[name] for name in columns]) for row in self.values if row.keys() >= set(columns)]
        found = _first_repeated(candidates)
        if found is None and len(candidates) == 1:
            (found,) = candidates
        if found is None and _is_of_sqlite(driver):
            found = self._existing(columns, candidates)
        elif found is None:
            told = _told(driver)
            found = next((each for each in candidates if _spelled(each) == told), None) if told else None
        return {} if found is None else dict(zip(columns, found, strict=True))

    def _values(self, written: Any) -> dict[str, Any]:
        """The values of a row by the names of their columns."""
        if isinstance(written, Deletion):
            return self._keyed(written.key)
        if isinstance(written, Change):
            changed = {self.plan.columns[position].name: value for position, value in written.values.items()}
            return self._keyed(written.key) | changed
        return {column.name: value for column, value in zip(self.plan.columns, written, strict=True)}

    def _keyed(self, key: Any) -> dict[str, Any]:
        return dict(zip(self.plan.key_columns, key if isinstance(key, tuple) else (key,), strict=True))

    def _existing(self, columns: Sequence[str], candidates: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
        table = self.metadata.tables[self.plan.name]
        asked = [table.c[name] for name in columns]
        statement = select(*asked).where(one_of(asked, "values"))
        names = [each if len(columns) > 1 else each[0] for each in candidates]
        for some in slices(names, asked):
            existing = {tuple(row) for row in self.rows.connection().execute(statement, {"values": some})}
            if (found := next((each for each in candidates if each in existing), None)) is not None:
                return found
        return None

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
    return None if match is None else re.sub(r",\s|-", "-", match[1])


def _spelled(values: Sequence[Any]) -> str:
    return re.sub(r",\s|-", "-", ", ".join(map(str, values)))
