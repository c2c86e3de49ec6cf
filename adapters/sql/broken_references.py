"""Which foreign key is broken, where SQLite does not say.

SQLite's error names neither the table nor the key. But its transaction goes on after the statement, which was
undone alone, so that the database can be asked what the statement's values refer to. This happens while
the driver's error is on its way: later the transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, and_, event, exists, select
from sqlalchemy.engine import ExceptionContext

from ..declared import foreign_keys_of
from ..schema import Schema
from ..tables import Reference, TablePlan

__all__ = ["broken_reference", "watch_references"]

NOTE = "honestwork_broken_reference"


def watch_references(engine: Engine, metadata: MetaData, schema: Schema) -> None:
    """From now on errors of this engine carry the foreign key that is broken."""

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        error: Any = context.original_exception
        execution: Any = context.execution_context
        if (
            "FOREIGN KEY" not in str(error)
            or context.connection is None
            or getattr(execution, "compiled", None) is None
        ):
            return
        plan = schema.tables.get(getattr(execution.compiled.statement.table, "name", ""))
        if plan is not None:
            suspects = _deleted if execution.isdelete else _written
            candidates = suspects(metadata, schema, plan, execution.compiled_parameters)
            found = next((each for each, broken in candidates if _is_there(context.connection, broken)), None)
            setattr(error, NOTE, found)


def broken_reference(error: Exception) -> Reference | None:
    """The foreign key that a driver's error is about, if it is known."""
    found: Reference | None = getattr(error, NOTE, None)
    return found


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


def _deleted(metadata: MetaData, schema: Schema, plan: TablePlan, rows: list[dict[str, Any]]) -> Suspects:
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


def _is_there(connection: Connection, condition: Any) -> bool:
    return bool(connection.scalar(select(condition)))
