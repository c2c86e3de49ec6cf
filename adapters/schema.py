"""The plan: what a mapping says about tables and classes, as plain facts read once.

Two kinds of facts stand here. A `TablePlan` is what the database would know: columns, keys, constraints.
An `EntityPlan` is what the mapper knows: which attribute is which column, what belongs to an aggregate.
The memory store lives on both; the SQL store uses them for its guard and its error messages.

A row is a tuple of values in the order of the table's columns. A key is the value of the primary key's
column, or a tuple of them where there are several.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CheckConstraint, ColumnElement, Index, Table, UniqueConstraint
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_dict, instance_state
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.orm.interfaces import ONETOMANY
from sqlalchemy.sql import sqltypes
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import desc_op

from ..domain.errors import BadValue
from .defaults import producer, server_producer
from .guard import Guard, guard_for

if TYPE_CHECKING:
    from .mapping import Mapping

__all__ = ["Check", "ChildrenPlan", "ColumnPlan", "EntityPlan", "Reference", "Row", "Schema", "TablePlan", "Unique"]

Row = tuple[Any, ...]
Key = Any


@dataclass(frozen=True, eq=False)
class ColumnPlan:
    """One column: what may be stored in it, and what is stored when nothing is given."""

    name: str
    position: int
    guard: Guard
    nullable: bool
    generated: bool  # the database gives the value: an autoincrementing key
    default: Callable[[], Any] | None
    onupdate: Callable[[], Any] | None

    def encoded(self, value: Any) -> Any:
        """A guarded value as a row holds it."""
        encode = self.guard.encode
        return value if value is None or encode is None else encode(value)

    def decoded(self, stored: Any) -> Any:
        """A fresh value from what a row holds."""
        decode = self.guard.decode
        return stored if stored is None or decode is None else decode(stored)


@dataclass(frozen=True, eq=False)
class Unique:
    """A unique constraint or index. NULLs are distinct, also in a compound one."""

    name: str | None
    columns: tuple[str, ...]
    values: Callable[[Row], Any]  # None if one of them is NULL


@dataclass(frozen=True, eq=False)
class Reference:
    """A foreign key to the primary key of another table."""

    name: str | None
    table: str
    columns: tuple[str, ...]
    target: str
    values: Callable[[Row], Any]  # the key of the target row; None if one of them is NULL


@dataclass(frozen=True, eq=False)
class Check:
    """A CHECK constraint over the columns of one row."""

    name: str | None
    columns: tuple[str, ...]
    expression: ColumnElement[Any]


@dataclass(frozen=True, eq=False)
class TablePlan:
    """What the database knows of one table."""

    name: str
    columns: tuple[ColumnPlan, ...]
    key_columns: tuple[str, ...]
    key: Callable[[Row], Key]
    key_guard: Callable[[Any], Key]
    generated: int | None  # the position of the generated key
    uniques: tuple[Unique, ...]
    references: tuple[Reference, ...]
    checks: tuple[Check, ...]
    referrers: list[Reference] = field(default_factory=list)  # the references of other tables to this one

    def position(self, column: str) -> int:
        return next(each.position for each in self.columns if each.name == column)


@dataclass(frozen=True, eq=False)
class ValuePlan:
    """A value object over several columns."""

    cls: type[Any]
    columns: tuple[ColumnPlan, ...]

    def parts(self, value: Any) -> tuple[list[int], list[Any]]:
        """(positions of the columns, guarded values); a value of None is NULL in all of them."""
        positions = [column.position for column in self.columns]
        if value is None:
            return positions, [None] * len(positions)
        if not isinstance(value, self.cls):
            raise BadValue(f"{value!r} is no {self.cls.__name__}", value=value)
        own = getattr(value, "__composite_values__", None)
        parts = own() if own else [getattr(value, each.name) for each in fields(value)]
        guarded = [
            None if part is None else column.guard(part) for column, part in zip(self.columns, parts, strict=True)
        ]
        return positions, guarded


@dataclass(frozen=True, eq=False)
class ChildrenPlan:
    """A collection, or a single child, inside an aggregate."""

    attribute: str
    entity: EntityPlan
    is_collection: bool
    back_attribute: str | None  # the many-to-one attribute of the child that points back
    reference_columns: tuple[str, ...]  # of the child's table, in the order of the parent's key
    reference_number: int  # of that foreign key among the references of the child's table
    order: Callable[[Row], Any]  # the sort key of a child's row

    def members(self, owner: object) -> list[object]:
        """The children that the owner has in memory now."""
        found = instance_dict(owner).get(self.attribute)
        if found is None:
            return []
        return list(collection_adapter(found)) if self.is_collection else [found]


@dataclass(eq=False)
class EntityPlan:
    """What the mapper knows of one class."""

    cls: type[Any]
    mapper: Mapper[Any]
    table: TablePlan
    attributes: tuple[str | None, ...]  # of each column of the table
    key_attributes: tuple[str, ...]
    version: str | None
    columns: dict[str, ColumnPlan]  # by attribute, and by the column's name where no attribute has it
    children: list[ChildrenPlan] = field(default_factory=list)
    is_root: bool = False

    def __post_init__(self) -> None:
        mapped = [
            (attribute, column)
            for attribute, column in zip(self.attributes, self.table.columns, strict=True)
            if attribute is not None
        ]
        self.identity_class = self.mapper.base_mapper.class_
        self.values = {
            name: ValuePlan(
                cast("type[Any]", composite.composite_class), tuple(self.columns[prop.key] for prop in composite.props)
            )
            for name, composite in self.mapper.composites.items()
        }
        self.searchable = sorted(attribute for attribute, column in mapped if column.guard.encode is None)
        referring = {name for reference in self.table.references for name in reference.columns}
        self.given_keys = [
            (attribute, column.name)
            for attribute, column in mapped
            if column.name in self.table.key_columns
            and not (column.generated or column.default or column.name in referring)
        ]
        self.guarded = [(attribute, column) for attribute, column in mapped if attribute != self.version]
        self.documents = [(attribute, column) for attribute, column in mapped if column.guard.encode is not None]

    @property
    def name(self) -> str:
        return self.cls.__name__

    def key_of(self, instance: object) -> Key:
        """The key as the object has it now; None, or with None in it, where it is not complete."""
        values = instance_dict(instance)
        found = tuple([values.get(attribute) for attribute in self.key_attributes])
        return found if len(found) > 1 else found[0]

    def renew(self, instance: object) -> None:
        """Make a new object of one that was inserted and rolled back, so that it can be added again.

        What the store gave it is taken back, and its members count as new to it: the ORM would take them
        for stored and leave them out.
        """
        values = instance_dict(instance)
        if self.table.generated is not None:
            values.pop(self.key_attributes[0], None)
        if self.version is not None:
            values.pop(self.version, None)
        for children in self.children:
            members = values.pop(children.attribute, None)
            instance_state(instance).committed_state.pop(children.attribute, None)
            if members is not None:
                setattr(instance, children.attribute, members)


class Schema:
    """The plans of all tables and classes of a mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self.metadata = mapping.metadata
        self.tables = {table.name: _table_plan(table) for table in mapping.metadata.sorted_tables}
        for table in self.tables.values():
            for reference in table.references:
                self.tables[reference.target].referrers.append(reference)
        self.entities = {mapper.class_: self._entity_plan(mapper) for mapper in mapping.mappers}
        for plan in self.entities.values():
            plan.is_root = plan.cls in mapping.roots
            plan.children.extend(self._children_plans(plan))
        self.has_versioned_members = any(plan.version and plan.children for plan in self.entities.values())
        self.references_between = self._references_between()

    def _entity_plan(self, mapper: Mapper[Any]) -> EntityPlan:
        table = mapper.local_table
        assert isinstance(table, Table)
        plan = self.tables[table.name]
        attributes = tuple(
            mapper.get_property_by_column(column).key if column in mapper.columns.values() else None
            for column in table.columns
        )
        by_name = dict(zip(attributes, plan.columns, strict=True))
        return EntityPlan(
            cls=mapper.class_,
            mapper=mapper,
            table=plan,
            attributes=attributes,
            key_attributes=tuple(mapper.get_property_by_column(column).key for column in table.primary_key),
            version=mapper.get_property_by_column(mapper.version_id_col).key
            if mapper.version_id_col is not None
            else None,
            columns={column.name: column for column in plan.columns}
            | {attribute: column for attribute, column in by_name.items() if attribute is not None},
        )

    def _references_between(self) -> list[tuple[Mapper[Any], Mapper[Any]]]:
        """(referring, target) of classes that a foreign key joins and no relationship does."""
        mappers = {plan.table.name: plan.mapper.base_mapper for plan in self.entities.values()}
        related = {
            frozenset((relation.parent.base_mapper, relation.mapper.base_mapper))
            for plan in self.entities.values()
            for relation in plan.mapper.relationships
        }
        pairs = [
            (mappers[reference.table], mappers[reference.target])
            for table in self.tables.values()
            for reference in table.references
            if reference.table in mappers and reference.target in mappers
        ]
        return [pair for pair in pairs if pair[0] is not pair[1] and frozenset(pair) not in related]

    def _children_plans(self, plan: EntityPlan) -> list[ChildrenPlan]:
        return [
            self._children_plan(relation)
            for relation in plan.mapper.relationships
            if relation.direction is ONETOMANY and relation.cascade.delete_orphan
        ]

    def _children_plan(self, relation: RelationshipProperty[Any]) -> ChildrenPlan:
        child = self.entities[relation.mapper.class_]
        remote = {local.name: there.name for local, there in relation.local_remote_pairs or ()}
        parent_key = self.tables[relation.parent.local_table.name].key_columns  # type: ignore[attr-defined]
        columns = tuple(remote[name] for name in parent_key)
        back = next((each.key for each in relation._reverse_property), None)
        return ChildrenPlan(
            attribute=relation.key,
            entity=child,
            is_collection=bool(relation.uselist),
            back_attribute=back,
            reference_columns=columns,
            reference_number=next(
                number for number, reference in enumerate(child.table.references) if reference.columns == columns
            ),
            order=_order(child.table, relation.order_by or ()),
        )


def _table_plan(table: Table) -> TablePlan:
    names = [column.name for column in table.columns]
    generated = table.autoincrement_column if len(table.primary_key) == 1 else None
    columns = tuple(
        ColumnPlan(
            name=column.name,
            position=position,
            guard=guard_for(table.name, column),
            nullable=bool(column.nullable),
            generated=column is generated,
            default=producer(column.default) or server_producer(column),
            onupdate=producer(column.onupdate),
        )
        for position, column in enumerate(table.columns)
    )
    positions = [names.index(column.name) for column in table.primary_key]
    return TablePlan(
        name=table.name,
        columns=columns,
        key_columns=tuple(names[position] for position in positions),
        key=_values(positions),
        key_guard=_key_guard([columns[position].guard for position in positions]),
        generated=None if generated is None else names.index(generated.name),
        uniques=tuple(_uniques(table, names)),
        references=tuple(
            Reference(
                name=_name(constraint),
                table=table.name,
                columns=tuple(element.parent.name for element in constraint.elements),
                target=constraint.referred_table.name,
                values=_values(
                    [
                        names.index(element.parent.name)
                        for target in constraint.referred_table.primary_key
                        for element in constraint.elements
                        if element.column is target
                    ]
                ),
            )
            for constraint in sorted(table.foreign_key_constraints, key=lambda each: names.index(each.column_keys[0]))
        ),
        checks=tuple(
            Check(
                name=_name(constraint),
                columns=tuple(column.name for column in constraint.columns),
                expression=constraint.sqltext,
            )
            for constraint in sorted(table.constraints, key=_name_or_blank)
            if isinstance(constraint, CheckConstraint) and not isinstance(constraint.sqltext, sqltypes.TypeEngine)
        ),
    )


def _uniques(table: Table, names: list[str]) -> list[Unique]:
    declared: list[UniqueConstraint | Index] = [
        *(each for each in table.constraints if isinstance(each, UniqueConstraint)),
        *(each for each in table.indexes if each.unique),
    ]
    return [
        Unique(
            name=_name(each),
            columns=tuple(column.name for column in each.columns),
            values=_values([names.index(column.name) for column in each.columns]),
        )
        for each in sorted(declared, key=_name_or_blank)
    ]


def _name(constraint: Any) -> str | None:
    name = constraint.name
    if name is None or isinstance(name, str):
        return None if name is None else str(name)
    return None


def _name_or_blank(constraint: Any) -> str:
    return _name(constraint) or ""


def _values(positions: list[int]) -> Callable[[Row], Any]:
    """The value at the position, or a tuple of several; None if one of them is None."""
    if len(positions) == 1:
        (position,) = positions
        return lambda row: row[position]

    def several(row: Row) -> Any:
        values = tuple([row[position] for position in positions])
        return None if None in values else values

    return several


def _key_guard(guards: list[Guard]) -> Callable[[Any], Key]:
    if len(guards) == 1:
        (guard,) = guards
        return guard.key

    def several(key: Any) -> Key:
        if type(key) is not tuple or len(key) != len(guards):
            raise BadValue(
                f"{key!r} is no key here: a tuple of {', '.join(guard.attribute for guard in guards)} is", value=key
            )
        return tuple([guard.key(part) for guard, part in zip(guards, key, strict=True)])

    return several


def _order(table: TablePlan, order_by: Any) -> Callable[[Row], Any]:
    """The sort key that gives a database's order: NULLs never stand in such columns."""
    steps = []
    for element in order_by:
        descending = isinstance(element, UnaryExpression) and element.modifier is desc_op
        column: Any = element.element if isinstance(element, UnaryExpression) else element
        steps.append((table.position(column.name), descending))
    if not any(descending for _, descending in steps):
        positions = [position for position, _ in steps]
        return lambda row: tuple([row[position] for position in positions])
    return lambda row: tuple([_Reversed(row[position]) if down else row[position] for position, down in steps])


class _Reversed:
    """Sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(other.value == self.value)
