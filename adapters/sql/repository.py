"""The repository of one kind of aggregate on a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Select, literal, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import instance_state

from ...domain.page import Page
from ...domain.repository import OrderBy, Repository, Rule, require_page
from ...domain.rules.formula import TRUE
from ...domain.rules.projection import trace_columns
from ..entities import EntityPlan
from ..instances import identity
from ..ownership import owner_of, require_own
from ..ports import register, repository_class
from ..queries import Query, query
from ..refusals import already_removed, foreign, not_an_aggregate, not_in_unit
from ..streams import STREAMED_AT_ONCE, Chunk, cursor_after
from .rules import column, order_by as order_by_, where

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["SqlRepository"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")


class SqlRepository(Repository[A, K]):
    """Aggregates as rows of a database. Made by the store; lives as long as its unit of work."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__ != repository_class.__module__:  # written by a user, not made for a port
            register(SqlRepository, cls)

    def __init__(self, session: SqlSession, entity: EntityPlan) -> None:
        self._session = session
        self._entity = entity
        self._schema = session.store.schema
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
        if owner_of(aggregate) not in (None, self._session):
            foreign(self._entity, aggregate)
        state = instance_state(aggregate)
        if state.deleted or state.was_deleted:
            already_removed(self._entity, aggregate)
        if state.key is not None and aggregate not in self._session.orm:
            foreign(self._entity, aggregate)  # also one of this unit, from a transaction that was undone
        require_own(self._entity, aggregate, self._session)
        if state.key is None and self._session.is_forgetting(self._entity, aggregate):
            self._session.flush()  # the old row goes first, and the new one is a row of its own
        self._session.orm.add(aggregate)

    def remove(self, aggregate: A) -> None:
        self._session.require_usable()
        not_an_aggregate(self._entity, aggregate)
        if owner_of(aggregate) not in (None, self._session):
            foreign(self._entity, aggregate)
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
        wanted = self._where(self._query(rule, equal))
        self._session.flush()
        return int(self._session.rows(self._loader.count.where(*wanted))[0][0])

    def exists(self, rule: Rule[A] | None = None, /, **equal: object) -> bool:
        wanted = self._where(self._query(rule, equal))
        self._session.flush()
        return bool(self._session.rows(self._loader.select.where(*wanted).limit(1)))

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
        values = [column(each, self._entity.cls) for each in wanted.expressions]
        statement = select(*values, *([] if values else [literal(1)])).select_from(self._loader.joined)
        statement = statement.where(*self._loader.of_this_class, *self._where(asked)).order_by(*self._order(asked))
        return [wanted.build(row) for row in self._session.rows(statement.limit(limit))]

    # Asking

    def _query(self, *about: Any, **options: Any) -> Query:
        return query(self._schema, self._entity, *about, **options)

    def _where(self, asked: Query) -> list[ColumnElement[bool]]:
        return [] if asked.formula is TRUE else [where(asked.formula, self._entity.cls)]

    def _order(self, asked: Query) -> list[Any]:
        return self._loader.keys if asked.keys is self._entity.key_order else order_by_(asked.keys, self._entity.cls)

    def _statement(self, asked: Query) -> Select[Any]:
        statement = self._loader.select.where(*self._where(asked)).order_by(*self._order(asked)).limit(asked.limit)
        return statement.offset(asked.offset) if asked.offset else statement

    def _load_those(self, asked: Query) -> list[A]:
        self._session.flush()
        return self._load(self._statement(asked))

    def _load(self, statement: Select[Any], parameters: dict[str, Any] | None = None) -> list[A]:
        return self._loader.load(self._session, self._session.rows(statement, parameters))

    def _chunk(self, rule: Rule[A] | None, order_by: OrderBy[A] | None, cursor: str | None) -> Chunk[A]:
        asked = self._query(rule, order_by=order_by, limit=STREAMED_AT_ONCE, cursor=cursor)
        self._session.flush()
        found: list[A] = self._loader.load(self._session, self._session.rows(self._statement(asked)), apart={})
        return found, cursor_after(asked.keys, found[-1]) if len(found) == STREAMED_AT_ONCE else None
