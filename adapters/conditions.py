"""`find_by(age=30)`: from attributes and values to columns and guarded values, for every store."""

from __future__ import annotations

from typing import Any

from ..domain.errors import BadValue
from .schema import EntityPlan

__all__ = ["conditions"]


def conditions(entity: EntityPlan, equal: dict[str, object]) -> list[tuple[int, Any]]:
    """(position of the column, value) pairs; None asks for NULL. Raises BadValue."""
    pairs: list[tuple[int, Any]] = []
    for name, value in equal.items():
        if name in entity.values:
            pairs += zip(*entity.values[name].parts(value), strict=True)
            continue
        column = entity.columns.get(name)
        if column is None or column.guard.encode is not None:
            known = ", ".join(sorted({*entity.searchable, *entity.values}))
            raise BadValue(f"{entity.name} cannot be found by {name!r}: by {known} it can", attribute=name)
        pairs.append((column.position, None if value is None else column.guard(value)))
    return pairs
