"""Constraints, indexes and mapped classes in the order in which they were declared.

SQLAlchemy keeps them in sets hashed by address, whose order differs from one process to the next. Everything that
is reported, generated or written iterates over them through this module.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Constraint, ForeignKeyConstraint, Index, Table
from sqlalchemy.orm import Mapper, MapperProperty, registry
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.util import OrderedSet

from ..internals import creation_order, managers_of

__all__ = ["constraints_of", "foreign_keys_of", "indexes_of", "keep_order", "mappers_of", "property_of"]


def constraints_of(table: Table) -> list[Constraint]:
    """The constraints of a table, in the order in which they were made."""
    return sorted(table.constraints, key=creation_order)


def foreign_keys_of(table: Table) -> list[ForeignKeyConstraint]:
    """The foreign keys among them."""
    return [each for each in constraints_of(table) if isinstance(each, ForeignKeyConstraint)]


def indexes_of(table: Table) -> list[Index]:
    """The indexes of a table, by their columns and then by name: SQLAlchemy notes no order of theirs."""
    if isinstance(table.indexes, OrderedSet):
        return list(table.indexes)
    places = {column: place for place, column in enumerate(table.columns)}

    def place(index: Index) -> Any:
        columns = [places.get(each, len(places)) for each in index.expressions if isinstance(each, Column)]
        return columns or [len(places)], str(index.name or ""), [str(each) for each in index.expressions]

    return sorted(table.indexes, key=place)


def keep_order(table: Table) -> None:
    """From now on the indexes of a table stay in order, also for SQLAlchemy, which writes the DDL."""
    if not isinstance(table.indexes, OrderedSet):
        table.indexes = OrderedSet(indexes_of(table))


def mappers_of(mapping: registry) -> list[Mapper[Any]]:
    """The mappers of a registry, in the order in which their classes were mapped."""
    return [manager.mapper for manager in managers_of(mapping) if manager.is_mapped]


def property_of(mapper: Mapper[Any], column: Column[Any]) -> MapperProperty[Any] | None:
    """What a column of a class is mapped to; None if it is not mapped."""
    try:
        return mapper.get_property_by_column(column)
    except UnmappedColumnError:
        return None
