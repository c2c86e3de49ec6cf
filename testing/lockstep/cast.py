"""What a program generator has to know of a mapping: which attributes there are, and what can be put into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import Column

from ...adapters.mapping.mapping import Mapping
from ...adapters.plan.declared import foreign_keys_of
from ...adapters.plan.entities import ChildrenPlan, EntityPlan, FieldPlan, LinksPlan
from ...adapters.plan.schema import Schema
from ...adapters.plan.tables import Reference
from ...service_layer.unit_of_work import UnitOfWork
from .observation import Renaming
from .values import nasty, usual

__all__ = ["GUESSED", "Attribute", "Cast", "KeyOf", "Role", "Values", "named", "unconstructed"]

Values = dict[str, Any]

GUESSED = 4  # from this `pick` on a key is guessed, and not that of an object at hand


@dataclass(frozen=True)
class KeyOf:
    """The key of some object at hand, or a part of it; *otherwise* where there is none, or the pick says so."""

    entity: str
    pick: int
    part: int
    otherwise: Any


@dataclass(frozen=True)
class Attribute:
    """Something that a program can assign, and the values it assigns."""

    name: str
    usual: SearchStrategy[Any]
    nasty: SearchStrategy[Any]
    is_needed: bool
    is_key: bool


class Role:
    """One class of the mapping. Lives as long as the cast."""

    def __init__(self, cast: Cast, entity: EntityPlan, repository: str | None) -> None:
        self.cast = cast
        self.entity = entity
        self.name = entity.cls.__name__
        self.repository = repository
        self.children: list[ChildrenPlan] = entity.children
        self.links: list[LinksPlan] = entity.links
        self.documents = [attribute for attribute, _ in entity.documents]
        self.given = cast.make.get(entity.cls)
        self._made: dict[Any, SearchStrategy[Any]] = {}
        parents = {
            name
            for parent in cast.schema.entities.values()
            for each in parent.children
            if each.entity is entity
            for name in each.reference.columns
        }
        inherited = {tuple(part.table.key_columns) for part in entity.parts[1:]}
        self.references = [
            reference
            for part in entity.parts
            for reference in part.table.references
            if not parents.issuperset(reference.columns)
            and not (part is not entity.parts[0] and reference.columns in inherited)
        ]
        referring = {name for reference in self.references for name in reference.columns}
        composed = {each.column.name for value in entity.values.values() for each in value.fields}
        self.columns = cast.columns_of(entity)
        self.attributes = [
            self._attribute(attribute, column)
            for attribute, column in self.columns
            if not _is_kept_by_store(entity, attribute) and column.name not in parents | referring | composed
        ]
        self.attributes += [self._value_object(name) for name in entity.values]
        self.sorted_by_store = _positions(cast.schema, entity)
        self.attributes = [each for each in self.attributes if each.name not in self.sorted_by_store]
        self.changeable = [each for each in self.attributes if not each.is_key]
        self.searchable = [each for each in self.attributes if each.name not in self.documents]

    def once(self, key: Any, make: Callable[[], SearchStrategy[Any]]) -> SearchStrategy[Any]:
        """A strategy that is made once: Hypothesis takes longer to look a new one over than to draw from it."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def key(self) -> SearchStrategy[Any]:
        """A key to look for: usual ones, so that there is something to find."""
        if self.entity.table.generated is not None:  # what a store generates cannot be guessed
            return st.sampled_from([0, -1, 2**31 - 1, 2**31, "1", True, None, (1,)])
        parts = [
            _often(st.sampled_from(usual(column)), st.sampled_from([*nasty(column), None, ("a",)]))
            for attribute, column in self.cast.columns_of(self.entity)
            if attribute in self.entity.key_attributes
        ]
        return parts[0] if len(parts) == 1 else st.tuples(*parts)

    @cached_property
    def new(self) -> SearchStrategy[Values]:
        """The values of a new object, with its children; mostly valid."""
        if self.given is not None:
            return self.given
        plain = st.fixed_dictionaries(
            {each.name: each.usual for each in self.attributes if each.is_needed},
            optional={each.name: each.usual for each in self.attributes if not each.is_needed},
        )
        parts = [plain, *(self.reference(each) for each in self.references)]
        for children in self.children:
            member = self.cast.roles[children.entity.cls.__name__]
            count = 2 if self.repository else 1
            parts.append(named(children.attribute, st.lists(member.new, max_size=count)))
        spoiled = self.spoiled()
        return st.tuples(st.tuples(*parts), _seldom(spoiled, {})).map(
            lambda found: {name: value for part in (*found[0], found[1]) for name, value in part.items()}
        )

    def spoiled(self) -> SearchStrategy[Values]:
        """One attribute with a value that it may not like."""
        choices = [named(each.name, each.nasty) for each in self.attributes]
        return st.one_of(choices) if choices else st.just({})

    def reference(self, reference: Reference) -> SearchStrategy[Values]:
        """A reference to an object at hand, mostly; else to what may not be there, or to nothing."""
        return self.once(reference, lambda: self._reference(reference))

    def astray(self, reference: Reference) -> SearchStrategy[Values]:
        """A reference to what may not be there."""
        return self.once(("astray", reference), lambda: self._reference(reference, st.just(GUESSED)))

    def referred(self, reference: Reference) -> tuple[Role, list[tuple[str, int]]]:
        """What a reference points to, and its (attribute, part of the target's key)."""
        target = next(
            role
            for role in self.cast.roles.values()
            if role.entity.table.name == reference.target and role.entity.mapper.inherits is None
        )
        return target, _reference_order(reference, self, target)

    def _reference(
        self, reference: Reference, picks: SearchStrategy[int | None] | None = None
    ) -> SearchStrategy[Values]:
        target, order = self.referred(reference)
        keys = dict(self.cast.columns_of(target.entity))
        guesses = [
            st.sampled_from(usual(keys[attribute]) if target.entity.table.generated is None else [0])
            for attribute in target.entity.key_attributes
        ]

        def referring(pick: int | None, guessed: tuple[Any, ...]) -> Values:
            return {
                attribute: None if pick is None else KeyOf(target.name, pick, part, guessed[part])
                for attribute, part in order
            }

        nullable = all(each.column.nullable for each in self.entity.fields if each.column.name in reference.columns)
        some = st.integers(0, GUESSED + 1)
        return st.builds(
            referring, picks or (st.one_of(some, some, st.none()) if nullable else some), st.tuples(*guesses)
        )

    def _attribute(self, name: str, column: Column[Any]) -> Attribute:
        plan = self.entity.by_name[name].column
        ordinary = st.sampled_from(usual(column))
        if column.nullable:
            ordinary = st.one_of(ordinary, ordinary, st.none())
        odd = nasty(column)
        return Attribute(
            name=name,
            usual=ordinary,
            nasty=st.sampled_from([None, *odd]),
            is_needed=not column.nullable and plan.default is None,
            is_key=bool(column.primary_key),
        )

    def _value_object(self, name: str) -> Attribute:
        plan = self.entity.values[name]
        columns = dict(self.cast.columns_of(self.entity))
        by_name = {column.name: column for column in columns.values()}
        mine = [by_name[each.column.name] for each in plan.fields]
        made = st.builds(plan.cls, *[st.sampled_from(usual(column)) for column in mine])
        odd = st.builds(plan.cls, *[st.sampled_from([*usual(column), *nasty(column), None]) for column in mine])
        nullable = all(column.nullable for column in mine)
        return Attribute(
            name=name,
            usual=st.one_of(made, st.none()) if nullable else made,
            nasty=st.one_of(odd, st.none()),
            is_needed=not nullable,
            is_key=False,
        )


class Cast:
    """All classes of a mapping that a unit of work serves. Lives as long as the mapping."""

    def __init__(
        self, unit: type[UnitOfWork], mapping: Mapping, make: dict[type[Any], SearchStrategy[Values]] | None = None
    ) -> None:
        self.schema = schema = mapping.schema
        self.tables = mapping.metadata.tables
        self.renaming = Renaming(mapping)
        self.make = make or {}
        self.roles: dict[str, Role] = {}
        served = {served.aggregate: name for name, served in _served(unit).items()}
        for cls, entity in schema.entities.items():
            served_as = (served[base] for base in cls.__mro__ if base in served)  # by itself, or by its base
            self.roles[cls.__name__] = Role(self, entity, next(served_as, None))
        self.roots = [role for role in self.roles.values() if role.repository]

    def columns_of(self, entity: EntityPlan) -> list[tuple[str, Column[Any]]]:
        """(attribute, column) of all that a class maps; of a key that several tables repeat, the first."""
        found: dict[str, Column[Any]] = {}
        for part in entity.parts:
            for each in entity.fields[part.piece]:
                if each.attribute is not None:
                    found.setdefault(each.attribute, self.tables[part.table.name].c[each.column.name])
        return list(found.items())


def _served(unit: type[UnitOfWork]) -> dict[str, Any]:
    from ...service_layer.unit_of_work import _served_by

    return dict(_served_by(unit))


def _is_kept_by_store(entity: EntityPlan, attribute: str) -> bool:
    place: FieldPlan = entity.by_name[attribute]
    return place.column.generated or place in (entity.version, entity.discriminator)


def _positions(schema: Schema, entity: EntityPlan) -> set[str]:
    """Attributes that an ordering list keeps."""
    found = set()
    for parent in schema.entities.values():
        for relation in parent.mapper.relationships:
            collection: Any = relation.collection_class
            if relation.mapper is entity.mapper and callable(collection):
                made = collection()
                if position := getattr(made, "ordering_attr", None):
                    found.add(str(position))
    return found


def _reference_order(reference: Reference, role: Role, target: Role) -> list[tuple[str, int]]:
    """(attribute, part of the target's key) for each column of a reference."""
    table = role.cast.tables[reference.table]
    constraint = next(
        each for each in foreign_keys_of(table) if tuple(e.parent.name for e in each.elements) == reference.columns
    )
    attributes = {column.name: attribute for attribute, column in role.cast.columns_of(role.entity)}
    return [
        (attributes[element.parent.name], target.entity.table.key_columns.index(element.column.name))
        for element in constraint.elements
    ]


def _often(usual_: SearchStrategy[Any], other: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.one_of(usual_, usual_, usual_, usual_, other)


def _seldom(strategy: SearchStrategy[Any], else_: Any) -> SearchStrategy[Any]:
    nothing = st.just(else_)
    return st.one_of(nothing, nothing, nothing, nothing, strategy)


def unconstructed(entity: EntityPlan) -> Any:
    """A new object without a run of its `__init__`; of what the ORM does at that, it has the name of its subclass."""
    instance = entity.mapper.class_manager.new_instance()
    if entity.discriminator is not None and entity.discriminator.attribute is not None:
        setattr(instance, entity.discriminator.attribute, entity.mapper.polymorphic_identity)
    return instance


def named(name: str, values: SearchStrategy[Any]) -> SearchStrategy[Values]:
    """These values, for one attribute."""
    return values.map(lambda value: {name: value})
