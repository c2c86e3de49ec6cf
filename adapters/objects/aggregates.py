"""A walk over one aggregate in memory."""

from __future__ import annotations

from collections.abc import Iterator

from ..plan.entities import EntityPlan

__all__ = ["loaded_with"]


def loaded_with(entity: EntityPlan, owner: object) -> Iterator[object]:
    """An object, its members, and what it and they are linked to, as they are in memory now."""
    yield owner
    for members in entity.relations:
        for member in members.members(owner):
            yield from loaded_with(members.entity.of(member), member)
