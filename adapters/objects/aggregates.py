"""Walks over one aggregate in memory, for what concerns it as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy.orm.attributes import get_history, instance_state

from ..plan.entities import EntityPlan

__all__ = ["anything_expired", "loaded_with", "members_touched"]


def anything_expired(entity: EntityPlan, owner: object) -> bool:
    """Has the ORM forgotten any attribute of this object, or of one that is loaded with it?"""
    return any(instance_state(each).expired_attributes for each in loaded_with(entity, owner))


def loaded_with(entity: EntityPlan, owner: object) -> Iterator[object]:
    """An object, its members, and what it and they are linked to, as they are in memory now."""
    yield owner
    for members in entity.relations:
        for member in members.members(owner):
            yield from loaded_with(members.entity.of(member), member)


def members_touched(entity: EntityPlan, owner: object, touched: Collection[int]) -> bool:
    """Is any member of this owner among the objects with these ids, or has one come or gone?

    The version stands on the root only, so a change of a member has to reach it.
    """
    if any(get_history(owner, members.attribute).has_changes() for members in entity.relations):
        return True
    return any(
        id(member) in touched or members_touched(children.entity.of(member), member, touched)
        for children in entity.children
        for member in children.members(owner)
    )
