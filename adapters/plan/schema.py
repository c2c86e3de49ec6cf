"""The plan: what a mapping says about tables and classes, as plain facts read once.

`tables.py` has the facts that a database would know, `entities.py` those that the mapper knows. The engine and both
stores work from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import CascadeOptions, Mapper
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE, ONETOMANY

from ..internals import sort_key_of
from .entities import ChildrenPlan, EntityPlan, children_plan, entity_plan, links_plan
from .facts import facts_of
from .tables import Checks, TablePlan, Twin, table_plan

__all__ = ["Schema"]


class Schema:
    """The plans of all tables and classes of a mapping. The tables that are referred to come first.

    *violations* are the errors that the user wants for broken constraints, and *twins* the meanings of CHECKs that only
    a database can answer, both by the names of the constraints. `checks` has the CHECKs of all tables, by the tables'
    names; the mapping fills it in, for what evaluates them stands above this room.
    """

    def __init__(
        self,
        tables: Iterable[Table],
        mappers: Sequence[Mapper[Any]],
        roots: Collection[type[Any]],
        violations: Mapping[str, type[Exception]],
        twins: Mapping[str, Twin],
    ) -> None:
        self.violations = violations
        self.twins = twins
        self.checks: dict[str, Checks] = {}
        self.tables = {table.name: table_plan(table) for table in tables}
        for table in self.tables.values():
            for reference in table.references:
                self.tables[reference.target].referrers.append(reference)
        self.entities = {
            mapper.class_: entity_plan(mapper, self.tables, is_root=mapper.class_ in roots) for mapper in mappers
        }
        for entity in self.entities.values():
            self._relate(entity)
        self.facts = {entity.cls: facts_of(entity) for entity in self.entities.values()}
        self.has_versions = any(entity.version is not None for entity in self.entities.values())
        self.joining = {links.table for entity in self.entities.values() for links in entity.links}
        self._owners: dict[EntityPlan, list[tuple[EntityPlan, ChildrenPlan]]] = {}
        self.classes_in_order = self._classes_in_order()
        self.order = {table.name: place for place, table in enumerate(self._tables_in_order())}
        for table in self.tables.values():  # those that refer to one another in a circle, by `use_alter`
            place = self.order.get(table.name, -1)
            if any(self.order.get(reference.target, place) > place for reference in table.references):
                table.orders_rows = True
        self.giving_keys = {entity.cls: entity.key_giving for entity in self.entities.values() if entity.key_giving}

    def _relate(self, entity: EntityPlan) -> None:
        for relation in entity.mapper.relationships:
            if relation.direction is ONETOMANY:
                # The ORM would let go of stored members with a new object that was dropped: others may have them.
                relation.cascade = CascadeOptions(relation.cascade - {"expunge"})
                children = children_plan(relation, self.entities)
                entity.children.append(children)
                children.entity.adopted.update(attribute for attribute, _ in children.adopted)
            elif relation.direction is MANYTOONE:  # an owner is stored because it was added, and not by its member
                relation.cascade = CascadeOptions(relation.cascade - {"save-update", "merge", "expunge"})
            elif relation.direction is MANYTOMANY:
                entity.links.append(links_plan(relation, self.entities, self.tables))
        for identity, mapper in entity.mapper.polymorphic_map.items():
            entity.subclasses[identity] = self.entities[mapper.class_]

    def owners_of(self, member: EntityPlan) -> list[tuple[EntityPlan, ChildrenPlan]]:
        """The classes that have objects of this class as their children, and how."""
        found = self._owners.get(member)
        if found is None:
            found = self._owners[member] = [
                (owner, children)
                for owner in self.entities.values()
                for children in owner.children
                if children.entity.covers(member)
            ]
        return found

    def _classes_in_order(self) -> list[Mapper[Any]]:
        """The base classes, those that are referred to first; where they refer to one another, in no special order."""
        bases = {
            part.table.name: entity.mapper.base_mapper for entity in self.entities.values() for part in entity.parts
        }
        ordered: list[Mapper[Any]] = []
        seen = set()

        def put(base: Mapper[Any]) -> None:
            if base in seen:
                return
            seen.add(base)
            for name, own in bases.items():
                for reference in self.tables[name].references if own is base else ():
                    if reference.target in bases:
                        put(bases[reference.target])
            ordered.append(base)

        for name in self.tables:
            if name in bases:
                put(bases[name])
        return ordered

    def _tables_in_order(self) -> list[TablePlan]:
        """The order in which a flush writes: the tables of a class are together, what joins two follows the second."""
        found: dict[TablePlan, None] = {}
        done: set[str] = set()
        joining = {
            f"{sort_key_of(entity.mapper)}_{links.attribute}": links
            for entity in self.entities.values()
            for links in entity.links
        }
        for base in self.classes_in_order:
            kin = [entity for entity in self.entities.values() if entity.mapper.base_mapper is base]
            here = {part.table for entity in kin for part in entity.parts}
            found.update(dict.fromkeys(table for table in self.tables.values() if table in here))
            done.update(table.name for table in here)
            for _, links in sorted(joining.items()):
                if links.to_owner.target in done and links.to_member.target in done:
                    found.setdefault(links.table)
        return list(dict.fromkeys((*found, *self.tables.values())))
