"""`find_by(age=30)`: from attributes and values to columns and guarded values, for every store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...domain.errors import BadValue
from ..plan.entities import EntityPlan, FieldPlan

__all__ = ["conditions"]


def conditions(entity: EntityPlan, equal: Mapping[str, object]) -> list[tuple[FieldPlan, Any]]:
    """(field, guarded value) pairs; None asks for NULL. Raises BadValue."""
    pairs: list[tuple[FieldPlan, Any]] = []
    for name, value in equal.items():
        if name in entity.findable_values:
            pairs += entity.values[name].parts(value)
            continue
        place = entity.by_name.get(name)
        if place is None or place.column.guard.encode is not None:
            known = ", ".join(sorted({*entity.searchable, *entity.findable_values}))
            raise BadValue(f"{entity.name} cannot be found by {name!r}: by {known} it can", attribute=name)
        pairs.append((place, None if value is None else place.column.guard(value)))
    return pairs
