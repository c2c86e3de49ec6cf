"""What the repositories of both stores share: how a question is understood, and what its answer is made of.

Each store says for itself how it adds, removes and gets, and how it answers a `Query`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ..domain.page import Page
from ..domain.repository import OrderBy, Repository, Rule, require_page
from ..domain.rules.projection import Projection, trace_columns
from .entities import EntityPlan
from .ownership import Unit, owner_of
from .ports import register, repository_class
from .queries import Query, query
from .refusals import copied, foreign, not_an_aggregate
from .schema import Schema
from .streams import STREAMED_AT_ONCE, Chunk, cursor_after

__all__ = ["StoredRepository"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")


class StoredRepository(Repository[A, K]):
    """Aggregates that a store keeps as rows. Made by the store; lives as long as its unit of work."""

    _session: _Session
    _schema: Schema
    _entity: EntityPlan

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        store = next(base for base in cls.__mro__ if StoredRepository in base.__bases__)
        if cls is not store and cls.__module__ != repository_class.__module__:  # written by a user
            register(store, cls)

    @property
    def aggregate_name(self) -> str:
        return self._entity.name

    def __iter__(self) -> Iterator[A]:
        return iter(self._load(self._query()))

    def all(self, *, order_by: OrderBy[A] | None = None) -> list[A]:
        return self._load(self._query(order_by=order_by))

    def find(
        self, rule: Rule[A], *, order_by: OrderBy[A] | None = None, limit: int | None = None, offset: int = 0
    ) -> list[A]:
        asked = query(self._schema, self._entity, rule, order_by=order_by, limit=limit, offset=offset)
        return self._load(asked)

    def find_by(self, **equal: object) -> list[A]:
        return self._load(self._query(None, equal))

    def first(self, rule: Rule[A] | None = None, /, *, order_by: OrderBy[A] | None = None, **equal: object) -> A | None:
        found = self._load(self._query(rule, equal, order_by=order_by, limit=1))
        return found[0] if found else None

    def one(self, rule: Rule[A] | None = None, /, **equal: object) -> A:
        return self._only(self._load(self._query(rule, equal, limit=2)), rule, equal)

    def count(self, rule: Rule[A] | None = None, /, **equal: object) -> int:
        return self._count(self._query(rule, equal))

    def exists(self, rule: Rule[A] | None = None, /, **equal: object) -> bool:
        return self._exists(self._query(rule, equal))

    def page(
        self, rule: Rule[A] | None = None, *, order_by: OrderBy[A] | None = None, limit: int, after: str | None = None
    ) -> Page[A]:
        require_page(limit)
        asked = self._query(rule, order_by=order_by, limit=limit + 1, cursor=after)
        found = self._load(asked)
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
        return [wanted.build(values) for values in self._values(asked, wanted)]

    # What a store answers: each flushes first

    @abstractmethod
    def _load(self, asked: Query, *, apart: bool = False) -> list[A]:
        """The aggregates that are asked for; those that are kept *apart* belong to no unit."""

    @abstractmethod
    def _count(self, asked: Query) -> int:
        """How many there are."""

    @abstractmethod
    def _exists(self, asked: Query) -> bool:
        """Is there one?"""

    @abstractmethod
    def _values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        """The values that the projection is made of, for each of them."""

    # Asking

    def _query(self, *about: Any, **options: Any) -> Query:
        return query(self._schema, self._entity, *about, **options)

    def _chunk(self, rule: Rule[A] | None, order_by: OrderBy[A] | None, cursor: str | None) -> Chunk[A]:
        asked = self._query(rule, order_by=order_by, limit=STREAMED_AT_ONCE, cursor=cursor)
        found = self._load(asked, apart=True)
        return found, cursor_after(asked.keys, found[-1]) if len(found) == STREAMED_AT_ONCE else None

    # Adding and removing

    def _require_ours(self, aggregate: A) -> None:
        """Raises UnitClosed, UnitInUse, UnitFailed, BadValue, ForeignObject."""
        self._session.require_usable()
        if type(aggregate) is not self._entity.cls:
            not_an_aggregate(self._entity, aggregate)
        if instance_state(aggregate).obj() is not aggregate:
            copied(self._entity, aggregate)
        owner = owner_of(aggregate)
        if owner is not None and owner is not self._session:
            foreign(self._entity, aggregate)


class _Session(Unit, Protocol):
    """What the sessions of both stores do for a repository."""

    def require_usable(self) -> None: ...

    def stream(self, chunk: Callable[[str | None], Chunk[A]]) -> Iterator[A]: ...
