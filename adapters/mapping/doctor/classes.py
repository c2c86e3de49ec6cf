"""What the doctor finds in a mapped class: its inheritance, version, attributes, annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, Table
from sqlalchemy.ext.mutable import MutableBase
from sqlalchemy.orm import Mapper

from ....domain.errors import BadValue, MappingRefused
from ...internals import reconstructor_of
from ...plan.declared import property_of
from ...plan.guards import guard_for

if TYPE_CHECKING:
    from ..mapping import Mapping

__all__ = ["of_class"]

HOOKS = (
    "before_insert",
    "after_insert",
    "before_update",
    "after_update",
    "before_delete",
    "after_delete",
)  # fmt: skip
OF_COMPOSITES = ("after_insert", "after_update")


def of_class(mapper: Mapper[Any], mapping: Mapping) -> Iterator[str]:
    cls = mapper.class_
    table = mapper.local_table
    if not isinstance(table, Table) or mapping.metadata.tables.get(table.key) is not table:
        yield f"{cls.__name__} is not mapped to a table of this mapping's metadata, but to {table}: map it to one"
        return
    if _is_frozen(cls):
        yield f"{cls.__name__} is a frozen dataclass, and an entity changes: map it with value(), or thaw it"
    if mapper.inherits is None and set(mapper.primary_key) != set(table.primary_key):
        yield f"{cls.__name__} has another primary key than its table {table.name}: declare the key in the table"
    yield from _options(mapper)
    for column in table.columns:
        if property_of(mapper, column) is None and not column.nullable and not _filled(table, column):
            yield f"{column} is not mapped to an attribute of {cls.__name__}, has no default and may not be NULL"
    for attribute in mapper.column_attrs:
        where = f"{cls.__name__}.{attribute.key}"
        if not isinstance(attribute.columns[0], Column):
            yield f"{where} is computed by the database: write a property, or a rule"
        elif len({column.table for column in attribute.columns}) < len(attribute.columns):
            yield f"{where} stands for several columns of one table: give each an attribute of its own"
        elif len(attribute.columns) > 1 and any(column.onupdate is not None for column in attribute.columns):
            yield f"{where} stands for a column in each of two tables, and has an onupdate: name one of them otherwise"
    yield from _values(mapper)
    yield from _inheritance(mapper, table)
    yield from _version(mapper)
    yield from _hooks(mapper)
    yield from _annotations(mapper)


def _options(mapper: Mapper[Any]) -> Iterator[str]:
    """Options of the ORM's mapper that would be followed by one store alone."""
    name = mapper.class_.__name__
    lazily = mapper.eager_defaults is False or (mapper.polymorphic_on is not None and mapper.eager_defaults is not True)
    if mapper.inherits is None and lazily:
        yield f"{name} leaves what the database gives to be loaded later: leave eager_defaults out"
    if mapper.passive_deletes:
        yield f"{name} leaves rows of its subclasses to the database: leave passive_deletes out"


def _is_frozen(cls: type[Any]) -> bool:
    parameters: Any = getattr(cls, "__dataclass_params__", None)
    if parameters is not None:
        return bool(parameters.frozen)
    return hasattr(cls, "__attrs_attrs__") and cls.__setattr__.__name__ == "_frozen_setattrs"  # as attrs calls it


def _filled(table: Any, column: Any) -> bool:
    return column.default is not None or column.server_default is not None or column is table.autoincrement_column


def _values(mapper: Mapper[Any]) -> Iterator[str]:
    for name, composite in mapper.composites.items():
        kind: Any = composite.composite_class
        loose = hasattr(kind, "__dataclass_params__") or hasattr(kind, "__attrs_attrs__")
        if (loose and not _is_frozen(kind)) or (isinstance(kind, type) and issubclass(kind, MutableBase)):
            yield (
                f"{mapper.class_.__name__}.{name} is a {kind.__name__} that can be changed in place, which is never"
                " noticed: make it @dataclass(frozen=True)"
            )


# Inheritance


def _inheritance(mapper: Mapper[Any], table: Table) -> Iterator[str]:
    name = mapper.class_.__name__
    if mapper.concrete:
        yield f"{name} is mapped with concrete inheritance: use single-table or joined inheritance"
        return
    if mapper.polymorphic_on is not None and not isinstance(mapper.polymorphic_on, Column):
        yield f"{name} tells its subclasses by an expression: use a column"
    elif mapper.polymorphic_on is not None and mapper.polymorphic_identity is not None:
        try:
            guard_for(str(mapper.base_mapper.local_table), mapper.polymorphic_on)(mapper.polymorphic_identity)
        except BadValue as bad:
            yield f"the polymorphic_identity of {name} is one that its column cannot hold: {bad}"
        except MappingRefused:
            pass  # a finding of its own
    if mapper.inherits is None:
        return
    if mapper.polymorphic_on is None:
        yield (
            f"{name} inherits the mapping of {mapper.inherits.class_.__name__}, and no column tells which of them a row"
            " is: give the base polymorphic_on= and each class a polymorphic_identity="
        )
    if not mapper.single:
        base = {mapper.get_property_by_column(column).key for column in mapper.base_mapper.local_table.primary_key}
        for column in table.primary_key:
            if (mapped := property_of(mapper, column)) is not None and mapped.key not in base:
                yield (
                    f"the key {column} of {name} is an attribute beside that of its base: call the column as the base"
                    " does, or map both to one attribute"
                )


# Versions


def _version(mapper: Mapper[Any]) -> Iterator[str]:
    column = mapper.version_id_col
    if column is not None and mapper.inherits is not None and column is not mapper.inherits.version_id_col:
        yield f"{mapper.class_.__name__} has a version of its own: give it to the base, whose row is in every aggregate"
    if column is None or mapper.inherits is not None:
        return
    if column.nullable:
        yield f"the version {column} may be NULL: declare it nullable=False"
    if not isinstance(column.type, Integer) or not _counts(mapper.version_id_generator):
        yield f"the version {column} is no plain count: use an Integer column and no version_id_generator"
    if column.default is not None or column.server_default is not None or column.onupdate is not None:
        yield f"the version {column} has a default: the store counts it, from 1 on"


def _counts(generator: Any) -> bool:
    try:
        return bool(generator(None) == 1 and generator(7) == 8)
    except Exception:
        return False


# Hooks of the ORM


def _hooks(mapper: Mapper[Any]) -> Iterator[str]:
    name = mapper.class_.__name__
    for hook in HOOKS:
        # The ORM listens itself to the rows that value objects are made of; for those that subclasses inherit, again.
        composites = [each for heir in mapper.self_and_descendants for each in heir.composites.values()]
        own = sum(each.parent is mapper for each in composites) if hook in OF_COMPOSITES else 0
        if len(list(getattr(mapper.dispatch, hook))) > own:
            yield f"{name} is listened to by {hook}, which only the ORM's own flush calls: do it in the class"
    if reconstructor_of(mapper) is not None:
        yield (
            f"{name} has a @reconstructor, which no store calls: an object is loaded without __init__, so give the"
            " class an attribute or a property that needs none"
        )


# Annotations


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
        if not isinstance(column, Column) or column.primary_key or _shared_by_siblings(mapper, column):
            continue
        optional = type(None) in typing.get_args(hint) and typing.get_origin(hint) in (typing.Union, types.UnionType)
        where = f"{mapper.class_.__name__}.{name} is annotated {_spelled(hint)}"
        if column.nullable and not optional:
            yield (
                f"{where} and {column} may be NULL:"
                f" annotate it {_spelled(hint)} | None, or declare the column nullable=False"
            )
        elif optional and not (column.nullable or column.foreign_keys or _filled(column.table, column)):
            yield (
                f"{where} and {column} may not be NULL:"
                f" annotate it without None, or leave nullable=False out of the column"
            )


def _shared_by_siblings(mapper: Mapper[Any], column: Column[Any]) -> bool:
    """A column of a single-table subclass has to be nullable, for its siblings have no value for it."""
    return mapper.inherits is not None and mapper.single


def _spelled(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
