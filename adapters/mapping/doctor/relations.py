"""What the doctor finds in a relationship: does it keep an aggregate together?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Column, ColumnElement, Enum, Table
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE, ONETOMANY
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, UnaryExpression

from ...internals import reverse_of, without_annotations
from ...plan.declared import foreign_keys_of, mappers_of

if TYPE_CHECKING:
    from ..mapping import Mapping

__all__ = ["of_relation"]


def of_relation(relation: RelationshipProperty[Any], mapping: Mapping) -> Iterator[str]:
    where = f"{relation.parent.class_.__name__}.{relation.key}"
    target = relation.mapper.class_.__name__
    if relation.viewonly:
        yield f"{where} is viewonly: ask the repository instead"
        return
    if relation.direction is MANYTOONE:
        if not any(each.direction is ONETOMANY for each in reverse_of(relation)):
            yield f"{where} refers to {target}, which is another aggregate: keep its key, and fetch it by the key"
        return
    if relation.lazy not in ("selectin", "joined", "immediate", "subquery"):
        way_out = f"write children({target})" if relation.secondary is None else 'say lazy="selectin"'
        yield f"{where} is loaded lazily, and would not be there after the unit: {way_out}"
    if relation.mapper.class_ in mapping.roots:
        yield f"{where} holds {target}, which is an aggregate of its own: map it with mapping.member, or keep its keys"
    if relation.post_update:
        yield f"{where} says post_update, which writes rows twice: leave it out"
    if relation.passive_deletes == "all":
        yield f"{where} leaves the deletion of its members to the database: leave passive_deletes out"
    for mapper in dict.fromkeys((relation.parent, relation.mapper)):
        yield from _swapped_names(mapper)
    if relation.direction is ONETOMANY:
        yield from _children(relation, where, target)
        yield from _other_owners(relation, mapping, where, target)
    elif relation.direction is MANYTOMANY:
        yield from _links(relation, where, target)
    yield from _ordering(relation, where)


def _other_owners(relation: RelationshipProperty[Any], mapping: Mapping, where: str, target: str) -> Iterator[str]:
    for other in dict.fromkeys(each for mapper in mappers_of(mapping) for each in mapper.relationships):
        there = f"{other.parent.class_.__name__}.{other.key}"
        if (
            other.direction is ONETOMANY
            and other.mapper is relation.mapper
            and other.local_remote_pairs != relation.local_remote_pairs
            and there < where  # once for both
        ):
            yield f"{where} holds {target}s, which {there} holds too: a member has one owner, so map two classes"


def _children(relation: RelationshipProperty[Any], where: str, target: str) -> Iterator[str]:
    if not relation.cascade.delete_orphan:
        yield f"{where} does not delete what is taken out of it (delete-orphan): write children({target})"
    if relation.mapper is relation.parent:
        yield f"{where} makes a tree of {target}s within one aggregate: keep the key of the parent instead"
    pairs = relation.local_remote_pairs or []
    if not _is_reference(relation.mapper.local_table, [remote for _, remote in pairs]):
        yield f"{where} is joined by columns that are no foreign key of {relation.mapper.local_table}: declare one"
    elif not _joins(relation.primaryjoin, pairs):
        yield f"{where} is joined by more than a foreign key: hold all of them, and choose in the class"
    for other in relation.parent.relationships:
        if other.key < relation.key and other.direction is ONETOMANY and other.local_remote_pairs == pairs:
            yield f"{where} and {other.key} hold the same {target}s: keep one collection, and choose in the class"
    for _, remote in pairs:
        if remote.nullable:
            yield f"{remote} may be NULL, and a {target} without its owner would be stored: declare it nullable=False"


def _links(relation: RelationshipProperty[Any], where: str, target: str) -> Iterator[str]:
    table = relation.secondary
    if not isinstance(table, Table):
        yield f"{where} goes over something that is not a table"
        return
    if relation.parent.base_mapper in _reached_from(relation.mapper):
        yield f"{where} makes a circle: {target}s reach {relation.parent.class_.__name__}s again; keep keys on one side"
    if not relation.uselist:
        yield f"{where} holds one {target}, over a table that can join many: refer to it by a foreign key"
    if relation.cascade.delete or relation.cascade.delete_orphan:
        yield f"{where} deletes {target}s that others may be joined to: cascade='save-update, merge'"
    pairs = [*(relation.synchronize_pairs or ()), *(relation.secondary_synchronize_pairs or ())]
    joining = [column for _, column in pairs]
    ends = [
        [column for _, column in each or ()]
        for each in (relation.synchronize_pairs, relation.secondary_synchronize_pairs)
    ]
    if not all(_is_reference(table, columns) for columns in ends):
        yield f"{where} is joined by columns that are no foreign keys of {table.name}: declare them"
    elif not (
        _joins(relation.primaryjoin, relation.synchronize_pairs)
        and _joins(relation.secondaryjoin, relation.secondary_synchronize_pairs or [])
    ):
        yield f"{where} is joined by more than the foreign keys of {table.name}: hold all, and choose in the class"
    if set(table.columns) != set(joining) or set(table.primary_key) != set(joining):
        yield (
            f"{table.name} has more in it than the two keys that it joins, or another primary key: make the two its"
            " primary key, or map it as a class with mapping.member"
        )


def _reached_from(mapper: Any) -> set[Any]:
    """The base classes of all that an object of this class holds, and of what that holds."""
    reached, new = {mapper.base_mapper}, [mapper]
    while new:
        for heir in new.pop().self_and_descendants:
            for relation in heir.relationships:
                if relation.direction is not MANYTOONE and relation.mapper.base_mapper not in reached:
                    reached.add(relation.mapper.base_mapper)
                    new.append(relation.mapper)
    return reached


def _swapped_names(mapper: Any) -> Iterator[str]:
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        namesake = mapper.column_attrs.get(getattr(column, "name", attribute.key))
        if namesake is not None and namesake is not attribute:
            yield (
                f"{mapper.class_.__name__}.{namesake.key} has the name of the column of {attribute.key}: where an"
                " object has members, or is one, no attribute is called like another one's column"
            )


def _is_reference(table: Any, columns: Collection[Any]) -> bool:
    return any(set(constraint.columns) == set(columns) for constraint in foreign_keys_of(table))


def _joins(condition: Any, pairs: Collection[tuple[Any, Any]]) -> bool:
    """Does the condition say that these pairs are equal, and nothing else?"""
    clauses = list(condition.clauses) if isinstance(condition, BooleanClauseList) else [condition]
    wanted = {frozenset(pair) for pair in pairs}
    return len(clauses) == len(wanted) and {_equated(clause) for clause in clauses} == wanted


def _equated(clause: ColumnElement[Any]) -> frozenset[Any]:
    if not isinstance(clause, BinaryExpression) or clause.operator is not operators.eq:
        return frozenset()
    return frozenset(map(without_annotations, (clause.left, clause.right)))


def _ordering(relation: RelationshipProperty[Any], where: str) -> Iterator[str]:
    for element in relation.order_by or ():
        is_directed = isinstance(element, UnaryExpression) and element.modifier in (operators.asc_op, operators.desc_op)
        column = element.element if is_directed else element
        if not isinstance(column, Column) or column.table is not relation.mapper.local_table:
            yield f"{where} is ordered by {element}, which is no column of its members"
        elif column.nullable:
            yield f"{where} is ordered by {column}, which may be NULL: databases put NULLs first or last as they like"
        elif isinstance(getattr(column.type, "impl_instance", column.type), Enum | JSON):
            yield f"{where} is ordered by {column}, which each database sorts in its own way: take a number or text"
