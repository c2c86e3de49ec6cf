"""What the mapper knows of each class: which attribute is which column, and what belongs to an aggregate.

An entity's row is the row of its table. Where a class inherits over several tables (joined inheritance), it
is the rows of them all, one after the other, the base's first; `parts` says which piece is whose. So the
row of a subclass begins with that of its base, and positions found for the base are right for both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_dict, instance_state
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import desc_op

from ...domain.errors import BadValue
from ...domain.interrupts import came_from_outside
from ...rules.formula import attr
from ...rules.order import OrderKey
from ..internals import deletes_orphans, reverse_of
from .codegen import changer, claimer, filler, fitter, guarder, hydrator, new_row_maker, teller
from .declared import property_of
from .tables import ColumnPlan, Key, Reference, Row, TablePlan
from .unreadable import misfit, of_no_class, unbuilt, undecoded

__all__ = [
    "ChildrenPlan",
    "EntityPlan",
    "FieldPlan",
    "LinksPlan",
    "MembersPlan",
    "Part",
    "ValuePlan",
    "entity_plan",
    "ordering",
    "sort_key",
]


@dataclass(frozen=True, eq=False)
class FieldPlan:
    """One place in an entity's row, and the attribute that holds it; None if the class has none for it."""

    attribute: str | None
    column: ColumnPlan
    position: int


@dataclass(frozen=True, eq=False)
class Part:
    """The piece of an entity's row that stands in one table."""

    table: TablePlan
    piece: slice
    new_row: Callable[[dict[str, Any]], Row]  # of a new object, without a generated key; see `codegen.py`
    tell: Callable[[dict[str, Any], Row], None]  # gives the object what the table has added
    places: dict[str, int]  # the position of each attribute in a row of the table


@dataclass(frozen=True, eq=False)
class ValuePlan:
    """A value object over several columns."""

    cls: type[Any]
    fields: tuple[FieldPlan, ...]

    @cached_property
    def names(self) -> list[str]:
        """The attributes of the value object, in the order of its fields."""
        if is_dataclass(self.cls):
            return [each.name for each in fields(self.cls) if each.init]
        return list(inspect.signature(self.cls).parameters)

    @cached_property
    def may_refuse(self) -> bool:
        """Can its constructor raise? That of a plain dataclass cannot."""
        made: Any = self.cls.__new__
        init: Any = getattr(self.cls.__init__, "__code__", None)
        is_plain = is_dataclass(self.cls) and init is not None and init.co_filename == "<string>"
        return not is_plain or hasattr(self.cls, "__post_init__") or made is not object.__new__

    def parts(self, value: Any) -> list[tuple[FieldPlan, Any]]:
        """The fields with their guarded values; a value of None is NULL in all of them. Raises BadValue."""
        if value is None:
            return [(each, None) for each in self.fields]
        if not isinstance(value, self.cls):
            raise BadValue(f"expected {self.cls.__name__}, got {type(value).__name__}", value=value)
        own = getattr(value, "__composite_values__", None)
        parts = own() if own else [getattr(value, name) for name in self.names]
        return [
            (each, None if part is None else each.column.guard(part))
            for each, part in zip(self.fields, parts, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class MembersPlan:
    """An attribute that holds members of the same aggregate: a collection of them, or one or none."""

    attribute: str
    entity: EntityPlan
    is_collection: bool
    order: Callable[[Row], Any]  # the sort key of a member's row

    def members(self, owner: object) -> list[Any]:
        """Those that the owner has in memory now."""
        found = instance_dict(owner).get(self.attribute)
        if found is None:
            return []
        return list(collection_adapter(found)) if self.is_collection else [found]


@dataclass(frozen=True, eq=False)
class ChildrenPlan(MembersPlan):
    """One-to-many: rows that refer to their owner, and go with it."""

    owner_attribute: str | None  # the child's attribute that points back
    reference: Reference
    adopted: tuple[tuple[str, str], ...]  # (the child's attribute, the owner's attribute that it repeats)


@dataclass(frozen=True, eq=False)
class LinksPlan(MembersPlan):
    """Many-to-many: rows of a table of their own join two members."""

    table: TablePlan
    to_owner: Reference
    to_member: Reference
    owner_positions: tuple[int, ...]  # in the joining row, in the order of the owner's key
    member_positions: tuple[int, ...]

    def row(self, owner: Key, member: Key) -> Row:
        """The joining row of these two."""
        values: list[Any] = [None] * len(self.table.columns)
        for positions, key in ((self.owner_positions, owner), (self.member_positions, member)):
            for position, part in zip(positions, key if len(positions) > 1 else (key,), strict=True):
                values[position] = part
        return tuple(values)


@dataclass(eq=False)
class EntityPlan:
    """One mapped class. `table` is that of the base class, which has the key and the version."""

    cls: type[Any]
    mapper: Mapper[Any]
    parts: tuple[Part, ...]
    fields: tuple[FieldPlan, ...]
    key_attributes: tuple[str, ...]
    version: FieldPlan | None
    discriminator: FieldPlan | None
    is_root: bool
    children: list[ChildrenPlan] = field(default_factory=list)
    links: list[LinksPlan] = field(default_factory=list)
    adopted: set[str] = field(default_factory=set)  # attributes that repeat the key of an owner
    subclasses: dict[Any, EntityPlan] = field(default_factory=dict)  # itself among them, by the discriminator's value

    def __post_init__(self) -> None:
        self.table = self.parts[0].table
        self.name = self.cls.__name__
        self.identity_class = self.mapper.base_mapper.class_
        mapped = [(each.attribute, each) for each in self.fields if each.attribute is not None]
        self.by_name = (
            {each.column.name: each for each in reversed(self.fields) if each.attribute is not None}
            | dict(reversed(mapped))
        )  # fmt: skip
        self.values = {
            name: ValuePlan(composite.composite_class, tuple(self.by_name[prop.key] for prop in composite.props))  # type: ignore[arg-type]
            for name, composite in self.mapper.composites.items()
        }
        self.refusing_values = [name for name, value in self.values.items() if value.may_refuse]
        self.findable_values = {
            name
            for name, value in self.values.items()
            if not any(each.column.guard.encode is not None for each in value.fields)
        }
        self.searchable = sorted(attribute for attribute, each in mapped if each.column.guard.encode is None)
        self.is_plain = len(self.parts) == 1 and self.discriminator is None
        self.changers = {name: changer(each, guarded=each is not self.version) for name, each in mapped}
        self.settled = {*self.key_attributes, *_names(self.version, self.discriminator)}  # nobody assigns these
        self.guard_new = guarder([each for _, each in mapped if each is not self.version and not each.column.generated])
        self.fill = filler(self.fields)
        self.fits = fitter(self.fields)
        compound = len(self.key_attributes) > 1
        self.hydrate, self.hydrate_apart = (
            hydrator(
                self.cls, self.mapper.class_manager, self.fields, self.identity_class, compound=compound, apart=apart
            )
            for apart in (False, True)
        )
        self.claim = claimer(self.identity_class, compound=compound)
        self.documents = [(attribute, each) for attribute, each in mapped if each.column.guard.encode is not None]
        self.given_keys = self._given_keys()
        self.generated_key = None if self.table.generated is None else self.key_attributes[0]
        self.defaulted = [
            (attribute, default)
            for attribute, each in mapped
            if each.column.is_default_ours and (default := each.column.default) is not None
        ]
        self.key_order = tuple(
            OrderKey(attr(0, (name,), guard.type), aware=guard.aware if guard.type is datetime else None)
            for name, guard in [(name, self.by_name[name].column.guard) for name in self.key_attributes]
        )

    def _given_keys(self) -> list[tuple[str, str]]:
        """(attribute, column) of the parts of the key that nobody but the program can give."""
        referring = {name for reference in self.table.references for name in reference.columns}
        return [
            (attribute, name)
            for attribute, name in zip(self.key_attributes, self.table.key_columns, strict=True)
            if not (
                (column := self.by_name[attribute].column).generated or column.default or name in referring
            )
        ]  # fmt: skip

    @cached_property
    def indexed(self) -> list[tuple[tuple[str], int | None]]:
        """The attributes whose value names rows of its table, the best first, each with the number of its index.

        The indexes are numbered as a table in memory has them: unique constraints, then references. None is the key.
        """
        table = self.table
        # A subclass may have a column of the same name in a table of its own.
        paths = {
            each.column.name: (each.attribute,)
            for each in self.fields[: len(table.columns)]
            if each.attribute is not None
        }
        columns: list[tuple[tuple[str, ...], int | None]] = [(table.key_columns, None)]
        columns += [(each.columns, number) for number, each in enumerate(table.uniques)]
        columns += [(each.columns, len(table.uniques) + each.number) for each in table.references]
        return [(paths[names[0]], number) for names, number in columns if len(names) == 1 and names[0] in paths]

    @cached_property
    def own_tables(self) -> list[TablePlan]:
        """The tables that an object of this class has a row in, the base's first."""
        return [part.table for part in self.parts]

    def piece_of(self, table: TablePlan) -> slice:
        """The piece of its row that stands in one of its tables."""
        return next(part.piece for part in self.parts if part.table is table)

    @cached_property
    def key_giving(self) -> list[ChildrenPlan]:
        """Those of its children whose key has this one's in it."""
        return [
            children
            for children in self.children
            if any(attribute in children.entity.key_attributes for attribute, _ in children.adopted)
        ]

    @cached_property
    def stands_alone(self) -> bool:
        """Has it no members, and is it the member of nothing?"""
        return self.is_root and not self.relations

    @cached_property
    def is_flat(self) -> bool:
        """Does it stand alone, and is an object of it made of the values of its row as they are?"""
        return self.stands_alone and not (self.documents or self.refusing_values)

    @cached_property
    def is_loaded_in_steps(self) -> bool:
        """Has an object of it to be given more than the values of its row, before all of it is loaded?"""
        return bool(self.relations or self.refusing_values)

    @cached_property
    def needs_owner(self) -> bool:
        """Is it the child of something, and not stored without it?"""
        return any(deletes_orphans(mapper) for mapper in self.mapper.iterate_to_root())

    @cached_property
    def relations(self) -> list[MembersPlan]:
        """All attributes that hold members."""
        return [*self.children, *self.links]

    def tree(self, owner: Any) -> Iterator[Any]:
        """An object and all its members, as they are in memory now."""
        yield owner
        for children in self.children:
            for member in children.members(owner):
                yield from children.entity.of(member).tree(member)

    def of(self, instance: object) -> EntityPlan:
        """What is known of this very object's class, which may be a subclass."""
        return self if type(instance) is self.cls else self._by_class[type(instance)]

    def knows(self, instance: object) -> bool:
        """Is this object of this class, or of a subclass that is mapped?"""
        return type(instance) is self.cls or type(instance) in self._by_class

    @cached_property
    def _by_class(self) -> dict[type[Any], EntityPlan]:
        return {each.cls: each for each in self.subclasses.values()}

    def covers(self, other: EntityPlan) -> bool:
        """Is the other class this one, or a subclass of it?"""
        return issubclass(other.cls, self.cls)

    def of_row(self, base_row: Row) -> EntityPlan:
        """The class that a row of the base's table stands for."""
        if self.discriminator is None:
            return self
        found = self.subclasses.get(base_row[self.discriminator.position])
        if found is None:
            raise of_no_class(self, base_row)
        return found

    def require_fitting(self, row: Row) -> None:
        """Raises UnreadableRow if a row that a database gave has what an object of the class may not have."""
        if not self.fits(row):
            misfit(self, row)

    def build_values(self, instance: object, key: Key) -> None:
        """Build the value objects whose classes may refuse what the row holds. Raises UnreadableRow.

        The others are built when they are first asked for.
        """
        for name in self.refusing_values:
            try:
                getattr(instance, name)
            except Exception as error:
                if came_from_outside(error):
                    raise
                raise unbuilt(self, key, name, error) from error

    def key_of(self, instance: object) -> Key:
        """The key as the object has it now; None, or with None in it, where it is not complete."""
        values = instance_dict(instance)
        found = tuple([values.get(attribute) for attribute in self.key_attributes])
        return found if len(found) > 1 else found[0]

    def changes(self, instance: object, before: Row) -> dict[int, Any]:
        """The new values of a changed object, by their positions in its row, which was so *before*. Raises BadValue."""
        values = instance_dict(instance)
        found: dict[int, Any] = {}
        for name in instance_state(instance).committed_state:  # what was assigned, or changed in place
            if name in self.changers:
                self.changers[name](values, before, found)
        return dict(sorted(found.items())) if len(found) > 1 else found

    def decoded(self, row: Row) -> Row:
        """Fresh values from a row."""
        if not self.documents:
            return row
        try:
            return tuple([each.column.decoded(stored) for each, stored in zip(self.fields, row, strict=True)])
        except Exception as error:
            if came_from_outside(error):
                raise
            raise undecoded(self, row, error) from error

    def renew(self, instance: object) -> None:
        """Make a new object of one that was inserted and rolled back, so that it can be added again.

        What the store gave it is taken back, and its members count as new to it: the ORM would take them
        for stored and leave them out.
        """
        values = instance_dict(instance)
        if self.table.generated is not None:
            values.pop(self.key_attributes[0], None)
        if self.version is not None and self.version.attribute is not None:
            values.pop(self.version.attribute, None)
        for attribute in self.adopted:
            values.pop(attribute, None)
        for relation in self.relations:
            members = values.pop(relation.attribute, None)
            instance_state(instance).committed_state.pop(relation.attribute, None)
            if members is not None:
                setattr(instance, relation.attribute, members)
                for member in relation.members(instance):
                    if instance_state(member).key is not None:  # a stored one has another owner
                        instance_state(member).__dict__.pop("parents", None)


def _names(*places: FieldPlan | None) -> list[str]:
    return [each.attribute for each in places if each is not None and each.attribute is not None]


def entity_plan(mapper: Mapper[Any], tables: dict[str, TablePlan], *, is_root: bool) -> EntityPlan:
    """The facts of a class that the doctor has found healthy; without its relations, which need all classes."""
    pieces: list[tuple[TablePlan, slice]] = []
    places: list[FieldPlan] = []
    for table in dict.fromkeys(each.local_table for each in reversed(list(mapper.iterate_to_root()))):
        plan = tables[table.name]
        start = len(places)
        for column in plan.columns:
            mapped = property_of(mapper, table.c[column.name])
            places.append(FieldPlan(mapped.key if mapped else None, column, start + column.position))
        pieces.append((plan, slice(start, len(places))))

    def place(name: str) -> FieldPlan:
        return next(each for each in places if each.column.name == name)

    base, _ = pieces[0]
    version = None if mapper.version_id_col is None else place(mapper.version_id_col.name)
    return EntityPlan(
        cls=mapper.class_,
        mapper=mapper,
        parts=tuple(
            Part(
                table=plan,
                piece=piece,
                new_row=new_row_maker(places[piece], version),
                tell=teller(places[piece], mapper.composites.keys()),
                places={each.attribute: each.column.position for each in places[piece] if each.attribute is not None},
            )
            for plan, piece in pieces
        ),
        fields=tuple(places),
        key_attributes=tuple(place(name).attribute or "" for name in base.key_columns),
        version=version,
        discriminator=None if mapper.polymorphic_on is None else place(mapper.polymorphic_on.name),
        is_root=is_root,
    )


def ordering(relation: RelationshipProperty[Any]) -> list[Any]:
    """The declared order of members, and then that of their keys: there is always one order."""
    declared = list(relation.order_by or ())
    return [
        *declared,
        *(column for column in relation.mapper.primary_key if not any(column is each for each in declared)),
    ]


def sort_key(table: TablePlan, order_by: Any) -> Callable[[Row], Any]:
    """The sort key that gives the order of a relationship's `order_by`; NULLs never stand in such columns."""
    steps = []
    for element in order_by:
        descending = isinstance(element, UnaryExpression) and element.modifier is desc_op
        column: Any = element.element if isinstance(element, UnaryExpression) else element
        steps.append((table.position(column.name), descending))
    if not any(descending for _, descending in steps):
        return itemgetter(*[position for position, _ in steps])
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


def children_plan(relation: RelationshipProperty[Any], entities: dict[type[Any], EntityPlan]) -> ChildrenPlan:
    """The facts of a one-to-many relationship inside an aggregate."""
    owner, child = entities[relation.parent.class_], entities[relation.mapper.class_]
    columns = {remote.name: local.name for local, remote in relation.local_remote_pairs or ()}
    reference = next(each for each in child.table.references if set(each.columns) == set(columns))
    return ChildrenPlan(
        attribute=relation.key,
        entity=child,
        is_collection=bool(relation.uselist),
        owner_attribute=min((each.key for each in reverse_of(relation)), default=None),
        reference=reference,
        adopted=tuple(
            (child.by_name[remote].attribute or "", owner.by_name[local].attribute or "")
            for remote, local in columns.items()
        ),
        order=sort_key(child.table, ordering(relation)),
    )


def links_plan(
    relation: RelationshipProperty[Any], entities: dict[type[Any], EntityPlan], tables: dict[str, TablePlan]
) -> LinksPlan:
    """The facts of a many-to-many relationship inside an aggregate."""
    owner, member = entities[relation.parent.class_], entities[relation.mapper.class_]
    assert relation.secondary is not None
    table = tables[relation.secondary.name]  # type: ignore[attr-defined]
    to_owner = {local.name: joining.name for local, joining in relation.synchronize_pairs}
    to_member = {remote.name: joining.name for remote, joining in relation.secondary_synchronize_pairs or ()}

    def reference(joining: dict[str, str]) -> Reference:
        return next(each for each in table.references if set(each.columns) == set(joining.values()))

    return LinksPlan(
        attribute=relation.key,
        entity=member,
        is_collection=True,
        table=table,
        to_owner=reference(to_owner),
        to_member=reference(to_member),
        owner_positions=tuple(table.position(to_owner[name]) for name in owner.table.key_columns),
        member_positions=tuple(table.position(to_member[name]) for name in member.table.key_columns),
        order=sort_key(member.table, ordering(relation)),
    )
