"""What belongs to one aggregate in memory, and whether any of it has changed.

A version column stands on the root only, so a change of a member has to reach it; both stores ask here.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm.attributes import get_history

from .entities import EntityPlan

__all__ = ["members_touched"]


def members_touched(entity: EntityPlan, owner: object, touched: Collection[int]) -> bool:
    """Is any member of this owner among the objects with these ids, or has one come or gone?"""
    for children in entity.children:
        if get_history(owner, children.attribute).has_changes():
            return True
        for member in children.members(owner):
            if id(member) in touched or members_touched(children.entity, member, touched):
                return True
    return False
