"""Walks over one aggregate in memory, for what concerns it as a whole."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm.attributes import get_history, instance_dict, set_committed_value

from .entities import EntityPlan

__all__ = ["members_touched", "point_back"]


def point_back(entity: EntityPlan, owner: object) -> None:
    """Give each member the way back to its owner, where its class has one, as if it had been loaded with it."""
    for children in entity.children:
        for member in children.members(owner):
            if children.owner_attribute is not None and children.owner_attribute not in instance_dict(member):
                set_committed_value(member, children.owner_attribute, owner)
            point_back(children.entity, member)


def members_touched(entity: EntityPlan, owner: object, touched: Collection[int]) -> bool:
    """Is any member of this owner among the objects with these ids, or has one come or gone?

    The version stands on the root only, so a change of a member has to reach it.
    """
    if any(get_history(owner, members.attribute).has_changes() for members in entity.relations):
        return True
    return any(
        id(member) in touched or members_touched(children.entity, member, touched)
        for children in entity.children
        for member in children.members(owner)
    )
