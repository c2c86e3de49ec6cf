"""Statements that are the same for every unit, built once for each class.

Measured: `Session.get` spends half of its time on building its statement and that statement's cache key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from ..entities import EntityPlan

__all__ = ["Statements"]


class Statements:
    """The statements of one mapped class. A key's parts are the parameters `key_0`, `key_1`, …"""

    def __init__(self, entity: EntityPlan) -> None:
        self.entity = entity
        self.keys = [getattr(entity.cls, attribute) for attribute in entity.key_attributes]
        self.by_key: Select[Any] = select(entity.cls).where(
            *(column == bindparam(f"key_{number}") for number, column in enumerate(self.keys))
        )
        self.all: Select[Any] = select(entity.cls).order_by(*self.keys)
        self.count_all: Select[Any] = select(func.count()).select_from(entity.cls)

    def find(self, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """The aggregates that satisfy all conditions, in the order of their keys."""
        return self.all.where(*conditions)

    def count(self, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """How many there are."""
        return self.count_all.where(*conditions)
