"""The repository of one kind of aggregate in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ...domain.repository import Repository
from ..conditions import conditions
from ..entities import EntityPlan
from ..ownership import owner_of, require_own
from ..refusals import already_removed, foreign, not_an_aggregate, not_in_unit
from ..tables import Key, Row

if TYPE_CHECKING:
    from .session import MemorySession

__all__ = ["MemoryRepository"]

A = TypeVar("A")
K = TypeVar("K")


class MemoryRepository(Repository[A, K]):
    """Aggregates as rows in memory. Made by the store; lives as long as its unit of work."""

    def __init__(self, session: MemorySession, entity: EntityPlan) -> None:
        self._session = session
        self._entity = entity
        self._table = session.store.table(entity.table.name)

    @property
    def aggregate_name(self) -> str:
        return self._entity.name

    def add(self, aggregate: A) -> None:
        session = self._session
        session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if session.known(aggregate) is not None:
            session.removed.pop(id(aggregate), None)
            return
        if instance_state(aggregate).was_deleted:
            already_removed(self._entity, aggregate)
        require_own(self._entity, aggregate, session)
        if session.is_forgetting(self._entity, aggregate):
            session.flush()  # the old row goes first, and the new one is a row of its own
        session.attach(self._entity, aggregate)

    def remove(self, aggregate: A) -> None:
        session = self._session
        session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if (known := session.known(aggregate)) is not None:
            session.removed[id(aggregate)] = known
        elif owner_of(aggregate) is session and not instance_state(aggregate).was_deleted:
            session.detach(self._entity, aggregate)
        elif instance_state(aggregate).was_deleted:
            return
        elif owner_of(aggregate) is not None:
            foreign(self._entity, aggregate)
        else:
            not_in_unit(self._entity, aggregate)

    def get(self, key: K) -> A | None:
        key = self._entity.table.key_guard(key)
        session = self._session
        session.flush()
        row = session.transaction.view(self._table, key)
        found = None if row is None else session.find(self._entity, key, row)
        return None if found is None else session.load(found[0], key, found[1])

    def __iter__(self) -> Iterator[A]:
        return iter(self.find_by())

    def find_by(self, **equal: object) -> list[A]:
        return [self._session.load(*found) for found in self._find(equal)]

    def first(self, **equal: object) -> A | None:
        found = self._find(equal)
        return self._session.load(*found[0]) if found else None

    def count(self, **equal: object) -> int:
        return len(self._find(equal))

    def exists(self, **equal: object) -> bool:
        return bool(self._find(equal))

    def _find(self, equal: dict[str, object]) -> list[tuple[EntityPlan, Key, Row]]:
        """(class, key, row) of those that have these values, in the order of their keys."""
        wanted = conditions(self._entity, equal)
        self._session.flush()
        found = []
        for key, base_row in self._candidates({each.position: value for each, value in wanted}):
            whole = self._session.find(self._entity, key, base_row)
            if whole is not None and all(whole[1][each.position] == value for each, value in wanted):
                found.append((whole[0], key, whole[1]))
        return sorted(found, key=_key)

    def _candidates(self, wanted: dict[int, Any]) -> list[tuple[Key, Row]]:
        """Rows that may have these values: from an index if there is one, else all."""
        transaction, table = self._session.transaction, self._table
        for number, unique in enumerate(table.plan.uniques):
            values = [wanted.get(table.plan.position(name)) for name in unique.columns]
            if None not in values:
                return transaction.find_unique(table, number, values[0] if len(values) == 1 else tuple(values))
        return transaction.scan(table)


def _key(found: tuple[EntityPlan, Key, Row]) -> Any:
    return found[1]
