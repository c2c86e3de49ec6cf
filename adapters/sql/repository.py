"""The repository of one kind of aggregate on a database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import instance_state

from ...domain.repository import Repository
from ..conditions import conditions
from ..entities import EntityPlan
from ..instances import identity
from ..ownership import owner_of, require_own
from ..refusals import already_removed, foreign, not_an_aggregate, not_in_unit

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["SqlRepository"]

A = TypeVar("A")
K = TypeVar("K")


class SqlRepository(Repository[A, K]):
    """Aggregates as rows of a database. Made by the store; lives as long as its unit of work."""

    def __init__(self, session: SqlSession, entity: EntityPlan) -> None:
        self._session = session
        self._entity = entity
        self._loader = session.store.loader(entity)

    @property
    def aggregate_name(self) -> str:
        return self._entity.name

    @property
    def session(self) -> OrmSession:
        """The ORM's session of this unit, for statements that a repository has no words for."""
        self._session.flush()
        self._session.take_turn()
        return self._session.orm

    def add(self, aggregate: A) -> None:
        self._session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        state = instance_state(aggregate)
        if state.deleted or state.was_deleted:
            already_removed(self._entity, aggregate)
        require_own(self._entity, aggregate, self._session)
        if state.key is None and self._session.is_forgetting(self._entity, aggregate):
            self._session.flush()  # the old row goes first, and the new one is a row of its own
        self._session.orm.add(aggregate)

    def remove(self, aggregate: A) -> None:
        self._session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        orm, state = self._session.orm, instance_state(aggregate)
        if aggregate in orm.new:
            orm.expunge(aggregate)
        elif aggregate in orm:
            orm.delete(aggregate)
        elif state.deleted or state.was_deleted:
            return
        elif owner_of(aggregate) is not None:
            foreign(self._entity, aggregate)
        else:
            not_in_unit(self._entity, aggregate)

    def get(self, key: K) -> A | None:
        key = self._entity.table.key_guard(key)
        session = self._session
        session.flush()
        if not session.renewed:
            known: A | None = session.orm.identity_map.get(identity(self._entity, key))
            if known is not None:
                return known if isinstance(known, self._entity.cls) else None
        found = self._load(self._loader.by_key, self._loader.key_parameters(key))
        return found[0] if found else None

    def __iter__(self) -> Iterator[A]:
        return iter(self.find_by())

    def find_by(self, **equal: object) -> list[A]:
        return self._find(self._conditions(equal))

    def first(self, **equal: object) -> A | None:
        found = self._find(self._conditions(equal), limit=1)
        return found[0] if found else None

    def count(self, **equal: object) -> int:
        wanted = self._conditions(equal)
        self._session.flush()
        return int(self._session.rows(self._loader.count.where(*wanted))[0][0])

    def exists(self, **equal: object) -> bool:
        wanted = self._conditions(equal)
        self._session.flush()
        return bool(self._session.rows(self._loader.select.where(*wanted).limit(1)))

    def _find(self, wanted: list[ColumnElement[bool]], limit: int | None = None) -> list[A]:
        self._session.flush()
        return self._load(self._loader.all.where(*wanted).limit(limit))

    def _load(self, statement: Select[Any], parameters: dict[str, Any] | None = None) -> list[A]:
        return self._loader.load(self._session, self._session.rows(statement, parameters))

    def _conditions(self, equal: dict[str, object]) -> list[ColumnElement[bool]]:
        columns = [(self._loader.columns[each.position], value) for each, value in conditions(self._entity, equal)]
        return [column.is_(None) if value is None else column == value for column, value in columns]
