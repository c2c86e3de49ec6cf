"""The repository of one kind of aggregate in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ...domain.repository import Repository
from ..conditions import conditions
from ..refusals import already_removed, foreign, not_an_aggregate, not_in_unit
from ..schema import EntityPlan, Key, Row
from .instances import owner_of, set_owner

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
        self._table = session.store.tables[entity.table.name]

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
        state = instance_state(aggregate)
        if state.was_deleted:
            already_removed(self._entity, aggregate)
        if owner_of(aggregate) not in (None, session) or state.key is not None:
            foreign(self._entity, aggregate)
        if session.is_forgetting(self._entity, aggregate):
            session.flush()  # the old row goes first, and the new one is a row of its own
        set_owner(aggregate, session)
        session.new[id(aggregate)] = aggregate

    def remove(self, aggregate: A) -> None:
        session = self._session
        session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if (known := session.known(aggregate)) is not None:
            session.removed[id(aggregate)] = known
        elif session.new.pop(id(aggregate), None) is not None:
            set_owner(aggregate, None)
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
        return None if row is None else session.load(self._entity, key, row)

    def __iter__(self) -> Iterator[A]:
        return iter(self.find_by())

    def find_by(self, **equal: object) -> list[A]:
        return [self._session.load(self._entity, key, row) for key, row in self._rows(equal)]

    def first(self, **equal: object) -> A | None:
        found = self._rows(equal)
        return self._session.load(self._entity, *found[0]) if found else None

    def count(self, **equal: object) -> int:
        return len(self._rows(equal))

    def exists(self, **equal: object) -> bool:
        return bool(self._rows(equal))

    def _rows(self, equal: dict[str, object]) -> list[tuple[Key, Row]]:
        """The rows that have these values, in the order of their keys."""
        wanted = conditions(self._entity, equal)
        self._session.flush()
        found = [
            (key, row)
            for key, row in self._candidates(dict(wanted))
            if all(row[position] == value for position, value in wanted)
        ]
        return sorted(found, key=_key)

    def _candidates(self, wanted: dict[int, Any]) -> list[tuple[Key, Row]]:
        """Rows that may have these values: from an index if there is one, else all."""
        transaction, table = self._session.transaction, self._table
        for number, unique in enumerate(table.plan.uniques):
            positions = [table.plan.position(name) for name in unique.columns]
            values = [wanted.get(position) for position in positions]
            if None not in values:
                return transaction.find_unique(table, number, values[0] if len(values) == 1 else tuple(values))
        return transaction.scan(table)


def _key(found: tuple[Key, Row]) -> Any:
    return found[0]
