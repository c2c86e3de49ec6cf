"""What the repositories of both stores share: how a question is understood, and what its answer is made of.

Each store says for itself how it adds, removes and gets, and how it answers a `Query`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypedDict, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ..domain.errors import BadValue
from ..domain.page import Page
from ..domain.repository import OrderBy, Repository, Rule, require_page
from ..rules.cursor import read_cursor, write_cursor
from ..rules.projection import Projection, trace_columns
from .entities import EntityPlan
from .ownership import Unit, owner_of
from .ports import register, repository_class
from .queries import Query, query
from .refusals import copied, foreign, not_an_aggregate
from .schema import Schema
from .streams import STREAMED_AT_ONCE, Chunk, Place, values_in

__all__ = ["StoredRepository", "cursor_key_of"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")

SHORTEST_KEY = 16


def cursor_key_of(key: bytes | None) -> bytes | None:
    """The key that a store signs cursors with. Raises BadValue if it is no key."""
    if key is not None and (not isinstance(key, bytes) or len(key) < SHORTEST_KEY):
        got = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise BadValue(
            f"cursor_key: expected at least {SHORTEST_KEY} random bytes, got {got}; make them once with"
            " secrets.token_bytes(32), and give them to every process that reads the cursors",
            attribute="cursor_key",
        )
    return key


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
        cls = self._entity.cls
        signed: _Signed = {"secret": self._session.store.cursor_key, "about": f"{cls.__module__}.{cls.__qualname__}"}
        behind = None if after is None else lambda keys: read_cursor(keys, after, **signed)
        asked = self._query(rule, order_by=order_by, limit=limit + 1, behind=behind)
        found = self._load(asked)
        if len(found) <= limit:
            return Page(found, next=None)
        return Page(found[:limit], next=write_cursor(asked.keys, values_in(asked.keys, found[limit - 1]), **signed))

    def stream(self, rule: Rule[A] | None = None, *, order_by: OrderBy[A] | None = None) -> Iterator[A]:
        return self._session.stream(lambda place: self._chunk(rule, order_by, place))

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

    def _chunk(self, rule: Rule[A] | None, order_by: OrderBy[A] | None, place: Place | None) -> Chunk[A]:
        behind = None if place is None else lambda keys: place
        asked = self._query(rule, order_by=order_by, limit=STREAMED_AT_ONCE, behind=behind)
        found = self._load(asked, apart=True)
        return found, values_in(asked.keys, found[-1]) if len(found) == STREAMED_AT_ONCE else None

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


class _Signed(TypedDict):
    secret: bytes | None
    about: str


class _Store(Protocol):
    cursor_key: bytes | None


class _Session(Unit, Protocol):
    """What the sessions of both stores do for a repository."""

    @property
    def store(self) -> _Store: ...

    def require_usable(self) -> None: ...

    def stream(self, chunk: Callable[[Place | None], Chunk[A]]) -> Iterator[A]: ...
