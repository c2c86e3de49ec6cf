"""The doctor: what in a mapping cannot be served truthfully, found before anything is stored.

A database does more than can be imitated exactly: it computes defaults, runs triggers, sorts by the rules of
a language. Whatever would make the stores differ is refused here, for all stores, with every finding at once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    String,
    Table,
    TextClause,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE, ONETOMANY
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from ..domain.errors import BadValue, MappingRefused
from .defaults import producer, server_producer
from .guard import guard_for

if TYPE_CHECKING:
    from .mapping import Mapping

__all__ = ["findings"]


def findings(mapping: Mapping) -> list[str]:
    """A sentence for each reason to refuse the mapping; none if it is healthy."""
    found: list[str] = []
    for table in mapping.metadata.sorted_tables:
        found += _table(table, mapping)
    mappers = sorted(mapping.mappers, key=lambda mapper: mapper.class_.__name__)
    for mapper in mappers:
        found += _class(mapper)
        for relation in mapper.relationships:
            found += _relation(relation, mapping)
    return list(dict.fromkeys(found))


# Tables


def _table(table: Table, mapping: Mapping) -> Iterator[str]:
    if not table.primary_key.columns:
        yield f"{table.name} has no primary key: every row needs one to be found by"
    for column in table.columns:
        yield from _column(table, column)
    for constraint in sorted(table.constraints, key=lambda each: str(each.name)):
        match constraint:
            case UniqueConstraint() if constraint.deferrable:
                yield f"{constraint.name} of {table.name} is a deferrable unique constraint: only PostgreSQL has it"
            case ForeignKeyConstraint():
                yield from _foreign_key(table, constraint, inside=table.name not in mapping.root_tables)
            case CheckConstraint() if isinstance(constraint.sqltext, TextClause):
                if constraint.name not in mapping.twins:
                    yield (
                        f"the check {constraint.name} of {table.name} is text, which only a database can read: write it"
                        f" with columns, CheckConstraint({table.name}.c.column >= 0), or give its meaning in Python:"
                        f" mapping.check_twin({constraint.name!r}, lambda row: …)"
                    )
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        yield from _index(table, index)


def _column(table: Table, column: Column[Any]) -> Iterator[str]:
    where = f"{table.name}.{column.name}"
    declared = column.type
    if isinstance(column.server_default, Computed):
        yield f"{where} is computed by the database: compute it in the class"
        return
    if isinstance(column.server_default, Identity) and column.server_default.always:
        yield f"{where} is GENERATED ALWAYS: use Identity() or a plain integer primary key"
    if isinstance(declared, CHAR):
        yield f"{where} is a CHAR, which databases pad with spaces: use String"
    elif isinstance(declared, String) and declared.collation is not None:
        yield f"{where} has the collation {declared.collation}: text is compared by code point on every store"
    elif (
        isinstance(declared, Numeric) and declared.asdecimal and (declared.precision is None or declared.scale is None)
    ):
        yield f"{where} is a Numeric without precision and scale, which databases round differently: Numeric(12, 2)"
    else:
        yield from _findings_of(lambda: guard_for(table.name, column))
    yield from _findings_of(lambda: producer(column.default))
    yield from _findings_of(lambda: producer(column.onupdate))
    yield from _findings_of(lambda: server_producer(column))
    yield from _unfit_default(table, column)
    if column.nullable and (column.default is not None or column.server_default is not None):
        yield (
            f"{where} may be NULL and has a default: None stored by INSERT would become the default and None stored by"
            " UPDATE would stay; declare nullable=False, or give the default in the class"
        )


def _unfit_default(table: Table, column: Column[Any]) -> Iterator[str]:
    """A constant that the column itself cannot hold."""
    try:
        for default in (column.default, column.onupdate):
            if isinstance(default, ScalarElementColumnDefault):
                guard_for(table.name, column)(default.arg)
        if (give := server_producer(column)) is not None:
            guard_for(table.name, column)(give())
    except BadValue as bad:
        yield f"the default of {table.name}.{column.name} is one that it cannot hold: {bad}"
    except MappingRefused:
        pass  # a finding of its own


def _findings_of(attempt: Any) -> list[str]:
    try:
        attempt()
    except MappingRefused as refused:
        return refused.findings
    return []


def _foreign_key(table: Table, constraint: ForeignKeyConstraint, *, inside: bool) -> Iterator[str]:
    """*inside* of an aggregate the ORM deletes the rows that refer first, so that a CASCADE has nothing to do."""
    where = f"the foreign key {constraint.name} of {table.name}"
    target = constraint.referred_table
    if {element.column.name for element in constraint.elements} != {column.name for column in target.primary_key}:
        yield f"{where} refers to other columns than the primary key of {target.name}: refer to the key"
    if constraint.deferrable or constraint.initially:
        yield f"{where} is deferrable, which MariaDB does not have and which moves its errors to the commit"
    harmless = ("RESTRICT", "NO ACTION", "CASCADE") if inside else ("RESTRICT", "NO ACTION")
    if (constraint.ondelete or "RESTRICT").upper() not in harmless:
        yield (
            f"{where} has ON DELETE {constraint.ondelete}, which changes rows behind the unit of work: children()"
            " removes members with their owner; between aggregates only RESTRICT is kept"
        )
    if (constraint.onupdate or "RESTRICT").upper() not in ("RESTRICT", "NO ACTION"):
        yield f"{where} has ON UPDATE {constraint.onupdate}: keys never change"


def _index(table: Table, index: Index) -> Iterator[str]:
    if not index.unique:
        return
    options = [index.dialect_options[dialect].get("where") for dialect in ("postgresql", "sqlite")]
    if any(option is not None for option in options):
        yield f"{index.name} of {table.name} is a partial unique index, which MariaDB does not have"
    if len(index.columns) != len(index.expressions) or any(not isinstance(each, Column) for each in index.expressions):
        yield f"{index.name} of {table.name} is a unique index over an expression: store the expression in a column"


# Classes


def _class(mapper: Mapper[Any]) -> Iterator[str]:
    cls = mapper.class_
    parameters: Any = getattr(cls, "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        yield f"{cls.__name__} is a frozen dataclass, and an entity changes: map it with value(), or thaw it"
    if mapper.polymorphic_on is not None and not isinstance(mapper.polymorphic_on, Column):
        yield f"{cls.__name__} tells its subclasses by an expression: use a column"
    if mapper.concrete:
        yield f"{cls.__name__} is mapped with concrete inheritance: use single-table or joined inheritance"
    if mapper.version_id_col is not None and mapper.version_id_col.nullable:
        yield f"the version {mapper.version_id_col} may be NULL: declare it nullable=False"
    for column in mapper.local_table.columns:
        if column not in mapper._columntoproperty and not column.nullable and not _filled(mapper.local_table, column):
            yield f"{column} is not mapped to an attribute of {cls.__name__}, has no default and may not be NULL"
    for name, composite in mapper.composites.items():
        kind: Any = composite.composite_class
        shape: Any = getattr(kind, "__dataclass_params__", None)
        if shape is not None and not shape.frozen:
            yield (
                f"{cls.__name__}.{name} is a {kind.__name__} that can be changed in place, which is never noticed:"
                " make it @dataclass(frozen=True)"
            )
    yield from _annotations(mapper)


def _filled(table: Any, column: Any) -> bool:
    return column.default is not None or column.server_default is not None or column is table.autoincrement_column


def _annotations(mapper: Mapper[Any]) -> Iterator[str]:
    """Where the class says what may be None, the columns have to say the same."""
    try:
        hints = typing.get_type_hints(mapper.class_)
    except (NameError, TypeError, AttributeError):
        return  # names that exist for type checkers only say nothing here
    for name, hint in hints.items():
        if name not in mapper.column_attrs or hint in (Any, object):
            continue
        column = mapper.column_attrs[name].columns[0]
        if not isinstance(column, Column) or column.primary_key or _inherited_by_siblings(mapper, column):
            continue
        optional = type(None) in typing.get_args(hint) and typing.get_origin(hint) in (typing.Union, types.UnionType)
        if column.nullable and not optional:
            yield (
                f"{mapper.class_.__name__}.{name} is annotated {_spelled(hint)} and {column} may be NULL:"
                f" annotate it {_spelled(hint)} | None, or declare the column nullable=False"
            )


def _inherited_by_siblings(mapper: Mapper[Any], column: Column[Any]) -> bool:
    """A column of a single-table subclass has to be nullable, for its siblings have no value for it."""
    return mapper.inherits is not None and mapper.single


def _spelled(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


# Relations


def _relation(relation: RelationshipProperty[Any], mapping: Mapping) -> Iterator[str]:
    where = f"{relation.parent.class_.__name__}.{relation.key}"
    target = relation.mapper.class_.__name__
    if relation.viewonly:
        yield f"{where} is viewonly: ask the repository instead"
        return
    if relation.direction is MANYTOONE:
        if not any(each.direction is ONETOMANY for each in relation._reverse_property):
            yield f"{where} refers to {target}, which is another aggregate: keep its key, and fetch it by the key"
        return
    if relation.lazy not in ("selectin", "joined", "immediate", "subquery"):
        yield f"{where} is loaded lazily, and would not be there after the unit: write children({target})"
    if relation.direction is ONETOMANY:
        yield from _children(relation, mapping, where, target)
    elif relation.direction is MANYTOMANY and not isinstance(relation.secondary, Table):
        yield f"{where} goes over something that is not a table"
    yield from _ordering(relation, where)


def _children(relation: RelationshipProperty[Any], mapping: Mapping, where: str, target: str) -> Iterator[str]:
    if relation.mapper.class_ in mapping.roots:
        yield f"{where} holds {target}, which is an aggregate of its own: map it with mapping.member, or keep its keys"
    if not relation.cascade.delete_orphan:
        yield f"{where} does not delete what is taken out of it (delete-orphan): write children({target})"
    if relation.mapper is relation.parent:
        yield f"{where} makes a tree of {target}s within one aggregate: keep the key of the parent instead"
    for _, remote in relation.local_remote_pairs or ():
        if remote.nullable:
            yield f"{remote} may be NULL, and a {target} without its owner would be stored: declare it nullable=False"


def _ordering(relation: RelationshipProperty[Any], where: str) -> Iterator[str]:
    for element in relation.order_by or ():
        column = element.element if isinstance(element, UnaryExpression) else element
        if not isinstance(column, Column) or column.table is not relation.mapper.local_table:
            yield f"{where} is ordered by {element}, which is no column of its members"
        elif column.nullable:
            yield f"{where} is ordered by {column}, which may be NULL: databases put NULLs first or last as they like"
