"""The plan: what a mapping says about tables and classes, as plain facts read once.

`tables.py` has the facts that a database would know, `entities.py` those that the mapper knows. The memory
store lives on both; the SQL store uses them for what it refuses and for the words of its errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Mapper
from sqlalchemy.orm.interfaces import MANYTOMANY, ONETOMANY

from .entities import ChildrenPlan, EntityPlan, children_plan, entity_plan, links_plan
from .facts import facts_of
from .ownership import watch_members
from .tables import table_plan

if TYPE_CHECKING:
    from .mapping import Mapping

__all__ = ["Schema"]


class Schema:
    """The plans of all tables and classes of a mapping. The tables that are referred to come first."""

    def __init__(self, mapping: Mapping) -> None:
        self.violations = mapping.violations
        self.twins = mapping.twins
        self.tables = {table.name: table_plan(table) for table in mapping.metadata.sorted_tables}
        self.order = {name: number for number, name in enumerate(self.tables)}
        for table in self.tables.values():
            for reference in table.references:
                self.tables[reference.target].referrers.append(reference)
        self.entities = {
            mapper.class_: entity_plan(mapper, self.tables, is_root=mapper.class_ in mapping.roots)
            for mapper in mapping.mappers
        }
        for entity in self.entities.values():
            self._relate(entity)
        self.facts = {entity.cls: facts_of(entity) for entity in self.entities.values()}
        self.has_versioned_members = any(entity.version and entity.children for entity in self.entities.values())
        self.joining = {links.table for entity in self.entities.values() for links in entity.links}
        self.references_between = self._references_between()
        self.giving_keys = {entity.cls: given for entity in self.entities.values() if (given := _giving_keys(entity))}

    def _relate(self, entity: EntityPlan) -> None:
        for relation in entity.mapper.relationships:
            if relation.direction is ONETOMANY:
                children = children_plan(relation, self.entities)
                entity.children.append(children)
                children.entity.adopted.update(attribute for attribute, _ in children.adopted)
            elif relation.direction is MANYTOMANY:
                entity.links.append(links_plan(relation, self.entities, self.tables))
        for members in entity.relations:
            watch_members(entity, members)
        for identity, mapper in entity.mapper.polymorphic_map.items():
            entity.subclasses[identity] = self.entities[mapper.class_]

    def _references_between(self) -> list[tuple[Mapper[Any], Mapper[Any]]]:
        """(referring, target) of classes that a foreign key joins and no relationship does."""
        mappers = {
            part.table.name: entity.mapper.base_mapper for entity in self.entities.values() for part in entity.parts
        }
        related = {
            frozenset((relation.parent.base_mapper, relation.mapper.base_mapper))
            for entity in self.entities.values()
            for relation in entity.mapper.relationships
        }
        pairs = [
            (mappers[reference.table], mappers[reference.target])
            for table in self.tables.values()
            for reference in table.references
            if reference.table in mappers and reference.target in mappers
        ]
        return [pair for pair in dict.fromkeys(pairs) if pair[0] is not pair[1] and frozenset(pair) not in related]


def _giving_keys(entity: EntityPlan) -> list[ChildrenPlan]:
    """Those of its children whose key has the owner's in it."""
    return [
        children
        for children in entity.children
        if any(attribute in children.entity.key_attributes for attribute, _ in children.adopted)
    ]
