"""Which foreign key is broken, where SQLite does not say.

SQLite's error names neither the table nor the key. But its transaction goes on after the statement, which was
undone alone, so that the database can be asked what the rows refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, and_, exists, select

from ..declared import foreign_keys_of
from ..engine.rows import Change, Deletion
from ..schema import Schema
from ..tables import Reference, TablePlan

if TYPE_CHECKING:
    from .rows import SqlRows

__all__ = ["named_reference"]


def named_reference(rows: SqlRows, error: Exception, plan: TablePlan, written: Sequence[Any]) -> Reference | None:
    """The foreign key that an error of SQLite is about, which was raised as these rows of a table were written."""
    driver: Any = getattr(error, "orig", None)
    if not getattr(driver, "sqlite_errorname", "") or "FOREIGN KEY" not in str(driver):
        return None
    metadata, schema = rows.store.metadata, rows.store.schema
    if written and isinstance(written[0], Deletion):
        suspects = _deleted(metadata, plan, [_values(plan.key_columns, each.key) for each in written])
    else:
        suspects = _written(metadata, schema, plan, [_written_values(plan, each) for each in written])
    connection = rows.connection()
    return next((each for each, broken in suspects if connection.scalar(select(broken))), None)


def _written_values(plan: TablePlan, written: Any) -> dict[str, Any]:
    """By the names of their columns."""
    if isinstance(written, Change):
        return {plan.columns[position].name: value for position, value in written.values.items()}
    return {column.name: value for column, value in zip(plan.columns, written, strict=True)}


def _values(names: Sequence[str], key: Any) -> dict[str, Any]:
    return dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))


Suspects = Iterator[tuple[Reference, Any]]  # with what is true if it is broken


def _written(metadata: MetaData, schema: Schema, plan: TablePlan, rows: list[dict[str, Any]]) -> Suspects:
    """References of the table to what is not there."""
    for row in rows:
        for reference in plan.references:
            target = metadata.tables[reference.target]
            values = [row.get(column) for column in reference.columns]
            if None not in values:
                key = zip(_target_columns(metadata, reference), values, strict=True)
                yield (
                    reference,
                    ~exists(select(1).select_from(target).where(*(column == value for column, value in key))),
                )


def _deleted(metadata: MetaData, plan: TablePlan, rows: list[dict[str, Any]]) -> Suspects:
    """References of any table to what is deleted."""
    for row in rows:
        for reference in plan.referrers:
            table = metadata.tables[reference.table]
            pairs = zip(reference.columns, _target_columns(metadata, reference), strict=True)
            same = and_(*(table.c[ours] == row.get(theirs.name) for ours, theirs in pairs))
            yield reference, exists(select(1).select_from(table).where(same))


def _target_columns(metadata: MetaData, reference: Reference) -> list[Any]:
    """The columns that are referred to, in the order of those that refer."""
    table = metadata.tables[reference.table]
    constraint = next(each for each in foreign_keys_of(table) if tuple(each.column_keys) == reference.columns)
    return [element.column for element in constraint.elements]
