"""Is what an error claims to be broken really broken, by the objects of a plain session and the rows around them?

Where several constraints are broken at once, each of two flushes names the one that it meets first. Then the kinds of
the errors differ, and both can be right: that is what is found out here, before the session has tried its flush.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Column, Table, select
from sqlalchemy.orm import RelationshipProperty, Session, object_mapper
from sqlalchemy.orm.interfaces import ONETOMANY
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from honestwork.domain.errors import CheckFailed, ConstraintViolated, Duplicate, MissingValue, ReferenceViolated

__all__ = ["is_broken", "is_taken_twice"]

Values = tuple[Any, ...]
Columns = tuple[str, ...]


def is_broken(session: Session, tables: dict[str, Table], error: ConstraintViolated) -> bool:
    """Do the objects that a session has not flushed yet break the constraint that this error names?"""
    with session.no_autoflush:
        return _Pending(session).breaks(tables, error)


def is_taken_twice(session: Session, tables: dict[str, Table], error: Duplicate) -> bool:
    """Do two new objects have the same key, the one that the error names?"""
    table = tables[error.table]
    with session.no_autoflush:
        taken = [values for key, values in _Pending(session).rows(table, error.columns) if key is None]
    return error.columns == tuple(table.primary_key.columns.keys()) and len(taken) > len(set(taken))


class _Pending:
    """What a session is going to store. Lives for one question."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.owners: dict[int, tuple[object, RelationshipProperty[Any]]] = {}  # by the id of their member
        for owner in (*session.new, *session.identity_map.values()):
            for relation in object_mapper(owner).relationships:
                if relation.direction is ONETOMANY:
                    for member in getattr(owner, relation.key):
                        self.owners[id(member)] = (owner, relation)

    def breaks(self, tables: dict[str, Table], error: ConstraintViolated) -> bool:
        match error:
            case MissingValue():
                return any(None in values for _, values in self.rows(tables[error.table], error.columns))
            case Duplicate():
                return self.repeats(tables[error.table], error.columns)
            case ReferenceViolated():
                named = [tables[error.table]] if error.table else list(tables.values())  # SQLite names none
                return any(self.refers_to_nothing(table, error.columns) for table in named)
            case CheckFailed():  # only whether it can be: a CHECK is SQL, and nothing here reads it
                table = tables[error.table]
                has_check = any(isinstance(each, CheckConstraint) for each in table.constraints)
                return has_check and any(True for _ in self.rows(table, ()))
        return False

    def repeats(self, table: Table, columns: Columns) -> bool:
        """Does a row have the same values as another one?"""
        pending = [(key, values) for key, values in self.rows(table, columns) if None not in values]
        stored = self.stored(table, columns)
        return any(
            any(other == values for _, other in pending[:number])
            or any(other == values for its_key, other in stored if key is None or its_key != key)
            for number, (key, values) in enumerate(pending)
        )

    def refers_to_nothing(self, table: Table, columns: Columns) -> bool:
        """Does a row of this table refer to none, or to one that goes?"""
        for constraint in table.foreign_key_constraints:
            if columns and set(constraint.column_keys) != set(columns):
                continue
            names = tuple(element.parent.name for element in constraint.elements)
            target = constraint.referred_table
            its_names = tuple(element.column.name for element in constraint.elements)
            there = {values for _, values in self.stored(target, its_names)}
            there -= {self.values(each, target, its_names) for each in self.session.deleted if _is_in(each, target)}
            there |= {values for _, values in self.rows(target, its_names)}
            referring = (*self.rows(table, names), *self.stored(table, names))
            if any(None not in values and values not in there for _, values in referring):
                return True
        return False

    def rows(self, table: Table, columns: Columns) -> Iterator[tuple[Values | None, Values]]:
        """(stored key or None, values of the columns) of new and changed objects, as their rows are going to be."""
        for instance in (*self.session.new, *self.session.dirty):
            if _is_in(instance, table):
                key = object_mapper(instance).primary_key_from_instance(instance)
                yield None if instance in self.session.new else tuple(key), self.values(instance, table, columns)

    def stored(self, table: Table, columns: Columns) -> list[tuple[Values, Values]]:
        """(key, values of the columns) of all rows that the session's transaction sees."""
        key = list(table.primary_key)
        rows = self.session.execute(select(*key, *(table.c[name] for name in columns))).all()
        return [(tuple(row[: len(key)]), tuple(row[len(key) :])) for row in rows]

    def values(self, instance: object, table: Table, columns: Columns) -> Values:
        return tuple(self.value(instance, table.c[name]) for name in columns)

    def value(self, instance: object, column: Column[Any]) -> Any:
        """What the column is going to hold: a member gets the key of its owner by the flush."""
        held = getattr(instance, object_mapper(instance).get_property_by_column(column).key)
        if held is None and id(instance) in self.owners:
            owner, relation = self.owners[id(instance)]
            for local, remote in relation.local_remote_pairs or ():
                if remote is column and isinstance(local, Column):
                    return self.value(owner, local)
        if held is None and isinstance(column.default, ScalarElementColumnDefault):
            return column.default.arg
        return held


def _is_in(instance: object, table: Table) -> bool:
    return table in object_mapper(instance).tables
