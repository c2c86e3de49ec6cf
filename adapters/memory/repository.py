"""The repository of one kind of aggregate in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ...domain.page import Page
from ...domain.repository import OrderBy, Repository, Rule, require_page
from ...domain.rules.projection import trace_columns
from ..entities import EntityPlan
from ..ownership import owner_of, require_own
from ..ports import register, repository_class
from ..queries import Query, query
from ..refusals import already_removed, foreign, not_an_aggregate, not_in_unit
from ..streams import STREAMED_AT_ONCE, Chunk, cursor_after
from ..tables import Key, Row
from .searching import Search

if TYPE_CHECKING:
    from .session import MemorySession

__all__ = ["MemoryRepository"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")


class MemoryRepository(Repository[A, K]):
    """Aggregates as rows in memory. Made by the store; lives as long as its unit of work."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__ != repository_class.__module__:  # written by a user, not made for a port
            register(MemoryRepository, cls)

    def __init__(self, session: MemorySession, entity: EntityPlan) -> None:
        self._session = session
        self._entity = entity
        self._schema = session.store.schema
        self._table = session.store.table(entity.table.name)

    @property
    def aggregate_name(self) -> str:
        return self._entity.name

    def add(self, aggregate: A) -> None:
        session = self._session
        session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if owner_of(aggregate) not in (None, session):
            foreign(self._entity, aggregate)
        if session.known(aggregate) is not None:
            session.removed.pop(id(aggregate), None)
            return
        if instance_state(aggregate).was_deleted:
            already_removed(self._entity, aggregate)
        if instance_state(aggregate).key is not None:
            foreign(self._entity, aggregate)  # also one of this unit, from a transaction that was undone
        require_own(self._entity, aggregate, session)
        if session.is_forgetting(self._entity, aggregate):
            session.flush()  # the old row goes first, and the new one is a row of its own
        session.attach(self._entity, aggregate)

    def remove(self, aggregate: A) -> None:
        session = self._session
        session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if owner_of(aggregate) not in (None, session):
            foreign(self._entity, aggregate)
        if (known := session.known(aggregate)) is not None:
            session.removed[id(aggregate)] = known
        elif id(aggregate) in session.pending:
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
        return iter(self._load_those(self._query()))

    def all(self, *, order_by: OrderBy[A] | None = None) -> list[A]:
        return self._load_those(self._query(order_by=order_by))

    def find(
        self, rule: Rule[A], *, order_by: OrderBy[A] | None = None, limit: int | None = None, offset: int = 0
    ) -> list[A]:
        return self._load_those(self._query(rule, order_by=order_by, limit=limit, offset=offset))

    def find_by(self, **equal: object) -> list[A]:
        return self._load_those(self._query(None, equal))

    def first(self, rule: Rule[A] | None = None, /, *, order_by: OrderBy[A] | None = None, **equal: object) -> A | None:
        found = self._load_those(self._query(rule, equal, order_by=order_by, limit=1))
        return found[0] if found else None

    def one(self, rule: Rule[A] | None = None, /, **equal: object) -> A:
        return self._only(self._load_those(self._query(rule, equal, limit=2)), rule, equal)

    def count(self, rule: Rule[A] | None = None, /, **equal: object) -> int:
        asked = self._query(rule, equal)
        self._session.flush()
        return len(self._search.matching(asked))

    def exists(self, rule: Rule[A] | None = None, /, **equal: object) -> bool:
        asked = self._query(rule, equal)
        self._session.flush()
        return bool(self._search.matching(asked))

    def page(
        self, rule: Rule[A] | None = None, *, order_by: OrderBy[A] | None = None, limit: int, after: str | None = None
    ) -> Page[A]:
        require_page(limit)
        asked = self._query(rule, order_by=order_by, limit=limit + 1, cursor=after)
        found = self._load_those(asked)
        return Page(found[:limit], next=cursor_after(asked.keys, found[limit - 1]) if len(found) > limit else None)

    def stream(self, rule: Rule[A] | None = None, *, order_by: OrderBy[A] | None = None) -> Iterator[A]:
        return self._session.stream(lambda cursor: self._chunk(rule, order_by, cursor))

    def select(
        self,
        columns: Callable[[A], R],
        rule: Rule[A] | None = None,
        *,
        order_by: OrderBy[A] | None = None,
        limit: int | None = None,
    ) -> list[R]:
        wanted = trace_columns(columns, self._entity.cls, facts=self._schema.facts.__getitem__)
        asked = self._query(rule, order_by=order_by, limit=limit)
        self._session.flush()
        return self._search.values(asked, wanted)

    # Asking

    def _query(self, *about: Any, **options: Any) -> Query:
        return query(self._schema, self._entity, *about, **options)

    @cached_property
    def _search(self) -> Search:
        return Search(self._session, self._entity)

    def _load_those(self, asked: Query) -> list[A]:
        self._session.flush()
        return [self._session.load(*self._named(row)) for row in self._search.rows(asked)]

    def _chunk(self, rule: Rule[A] | None, order_by: OrderBy[A] | None, cursor: str | None) -> Chunk[A]:
        asked = self._query(rule, order_by=order_by, limit=STREAMED_AT_ONCE, cursor=cursor)
        self._session.flush()
        found: list[A] = [self._session.load_apart(*self._named(row)) for row in self._search.rows(asked)]
        return found, cursor_after(asked.keys, found[-1]) if len(found) == STREAMED_AT_ONCE else None

    def _named(self, row: Row) -> tuple[EntityPlan, Key, Row]:
        return self._entity.of_row(row), self._table.plan.key(row), row
