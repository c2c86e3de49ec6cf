"""Is what an error claims to be broken really broken, by the objects of a plain session and the rows around them?

Where several constraints are broken at once, each of two flushes names the one that it meets first. Then the kinds of
the errors differ, and both can be right: that is what is found out here, before the session has tried its flush.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Table, select
from sqlalchemy.orm import Session, object_mapper

from honestwork.domain.errors import (
    CheckFailed,
    ConstraintViolated,
    Duplicate,
    MissingValue,
    ReferenceViolated,
)

__all__ = ["is_broken"]

Values = tuple[Any, ...]


def is_broken(session: Session, tables: dict[str, Table], error: ConstraintViolated) -> bool:
    """Do the objects that a session has not flushed yet break the constraint that this error names?"""
    with session.no_autoflush:
        match error:
            case MissingValue():
                return any(None in values for _, values in _pending(session, tables[error.table], error.columns))
            case Duplicate():
                return _is_duplicate(session, tables[error.table], error.columns)
            case ReferenceViolated():
                wanted = [tables[error.table]] if error.table else list(tables.values())  # SQLite names none
                return any(_is_reference_broken(session, table, error.columns) for table in wanted)
            case CheckFailed():  # only whether it can be: a CHECK is SQL, and nothing here reads it
                table = tables[error.table]
                has_check = any(isinstance(each, CheckConstraint) for each in table.constraints)
                return has_check and any(True for _ in _pending(session, table, ()))
    return False


def _is_duplicate(session: Session, table: Table, columns: tuple[str, ...]) -> bool:
    pending = list(_pending(session, table, columns))
    stored = _stored(session, table, columns)
    for number, (key, values) in enumerate(pending):
        if None in values:
            continue
        if any(other == values for _, other in pending[:number]):
            return True
        if any(other == values for other_key, other in stored if key is None or other_key != key):
            return True
    return False


def _is_reference_broken(session: Session, table: Table, columns: tuple[str, ...]) -> bool:
    for constraint in table.foreign_key_constraints:
        if columns and set(constraint.column_keys) != set(columns):
            continue
        names = tuple(element.parent.name for element in constraint.elements)
        target = constraint.referred_table
        its_names = tuple(element.column.name for element in constraint.elements)
        gone = {values for _, values in _going(session, target, its_names)}
        there = {values for _, values in _stored(session, target, its_names)} - gone
        there |= {values for _, values in _pending(session, target, its_names)}
        referring = [values for _, values in (*_pending(session, table, names), *_stored(session, table, names))]
        if any(None not in values and values not in there for values in referring):
            return True
    return False


def _pending(session: Session, table: Table, columns: tuple[str, ...]) -> Iterator[tuple[Values | None, Values]]:
    """(stored key or None, values of the columns) of new and changed objects, as their rows are going to be."""
    for instance in (*session.new, *session.dirty):
        if table in object_mapper(instance).tables:
            key = object_mapper(instance).primary_key_from_instance(instance) if instance in session.dirty else None
            yield None if key is None else tuple(key), tuple(_value(instance, table, name) for name in columns)


def _going(session: Session, table: Table, columns: tuple[str, ...]) -> Iterator[tuple[None, Values]]:
    for instance in session.deleted:
        if table in object_mapper(instance).tables:
            yield None, tuple(_value(instance, table, name) for name in columns)


def _stored(session: Session, table: Table, columns: tuple[str, ...]) -> list[tuple[Values, Values]]:
    """(key, values of the columns) of all rows that the session's transaction sees."""
    key = list(table.primary_key)
    rows = session.execute(select(*key, *(table.c[name] for name in columns))).all()
    return [(tuple(row[: len(key)]), tuple(row[len(key) :])) for row in rows]


def _value(instance: object, table: Table, name: str) -> Any:
    column = table.c[name]
    held = getattr(instance, object_mapper(instance).get_property_by_column(column).key)
    if held is None and column.default is not None and column.default.is_scalar:
        return column.default.arg
    return held
