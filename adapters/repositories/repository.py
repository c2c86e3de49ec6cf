"""Repositories: how aggregates are added, removed and fetched, and how a question becomes a `Query`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ...domain.errors import BadValue
from ...domain.page import Page
from ...domain.repository import OrderBy, Repository, Rule, require_page
from ...rules.cursor import read_cursor, write_cursor
from ...rules.projection import Projection, trace_columns
from ..engine.loading import load, load_apart
from ..engine.rows import Place
from ..engine.session_state import CALL, one_call
from ..engine.streaming import Chunk
from ..objects.ownership import owner_of, require_own
from ..objects.refusals import already_removed, copied, foreign, not_an_aggregate, not_in_unit
from ..plan.entities import EntityPlan
from ..queries.query import Query, query
from .ports import register, repository_class

if TYPE_CHECKING:
    from ..engine.session import EngineSession

__all__ = ["StoredRepository", "cursor_key_of"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")

SHORTEST_KEY = 16
STREAMED_AT_ONCE = 1000


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

    def __init__(self, session: EngineSession, entity: EntityPlan) -> None:
        self._session = session
        self._entity = entity

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
        asked = query(self._session.schema, self._entity, rule, order_by=order_by, limit=limit, offset=offset)
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
        found, place = self._placed(asked, limit - 1)
        if place is None or len(found) <= limit:
            return Page(found, next=None)
        return Page(found[:limit], next=write_cursor(asked.keys, place, **signed))

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
        wanted = trace_columns(columns, self._entity.cls, facts=self._session.schema.facts.__getitem__)
        asked = self._query(rule, order_by=order_by, limit=limit)
        return [wanted.build(values) for values in self._values(asked, wanted)]

    @one_call
    def add(self, aggregate: A) -> None:
        self._require_addable(aggregate)
        self._attach(aggregate)

    @one_call
    def _add_all(self, aggregates: list[A]) -> None:
        for aggregate in aggregates:
            self._require_addable(aggregate)
        for aggregate in aggregates:
            self._attach(aggregate)

    def add_many(self, aggregates: Iterable[A]) -> None:
        self._add_all(list(aggregates))

    @one_call
    def remove(self, aggregate: A) -> None:
        self._require_ours(aggregate)
        session = self._session
        if (known := session.known(aggregate)) is not None:
            session.removed[id(aggregate)] = known
        elif id(aggregate) in session.pending:
            session.expunge_pending(self._entity, aggregate)
        elif instance_state(aggregate).was_deleted:
            return
        elif owner_of(aggregate) is not None:
            foreign(self._entity, aggregate)
        else:
            not_in_unit(self._entity, aggregate)

    def get(self, key: K) -> A | None:
        entity, session = self._entity, self._session
        call = (get_ident(),)
        try:
            # What `one_call` does, in place: nothing is asked as often as this.
            calls = session.calls
            holder = calls.setdefault(CALL, call)
            if holder is not call and holder[0] != call[0]:
                session.refuse_call()
            key = entity.table.key_guard(key)
            session.write()
            found: A | None = session.get(entity, key)
            if calls.get(CALL) is call:
                del calls[CALL]
            return found
        except BaseException as error:
            try:
                session.end_call_by(call, error)
            finally:
                session.end_call(call)  # where an interrupt has hit the line above
            raise

    # What the unit's rows answer, after a flush

    @one_call
    def _load(self, asked: Query) -> list[A]:
        session = self._session
        session.write()
        return load(session, session.rows.matching(asked))

    @one_call
    def _placed(self, asked: Query, last: int, *, apart: bool = False) -> Chunk[A]:
        session = self._session
        session.write()
        found, place = session.rows.placed(asked, last)
        return (load_apart(session.rows, found) if apart else load(session, found)), place

    @one_call
    def _count(self, asked: Query) -> int:
        self._session.write()
        return self._session.rows.count(asked)

    @one_call
    def _exists(self, asked: Query) -> bool:
        self._session.write()
        return self._session.rows.exists(asked)

    @one_call
    def _values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        self._session.write()
        return self._session.rows.values(asked, wanted)

    # Asking

    def _query(self, *about: Any, **options: Any) -> Query:
        return query(self._session.schema, self._entity, *about, **options)

    def _chunk(self, rule: Rule[A] | None, order_by: OrderBy[A] | None, place: Place | None) -> Chunk[A]:
        behind = None if place is None else lambda keys: place
        asked = self._query(rule, order_by=order_by, limit=STREAMED_AT_ONCE, behind=behind)
        return self._placed(asked, STREAMED_AT_ONCE - 1, apart=True)

    # Adding and removing

    def _require_addable(self, aggregate: A) -> None:
        """Raises UnitClosed, UnitInUse, UnitFailed, BadValue, ForeignObject, AlreadyRemoved."""
        self._require_ours(aggregate)
        session, entity, state = self._session, self._entity, instance_state(aggregate)
        if (state.key is not None or state.was_deleted) and id(aggregate) not in session.by_id:
            if state.was_deleted:
                already_removed(entity, aggregate)
            foreign(entity, aggregate)  # also one of this unit, from a transaction that was undone
        if entity.children:
            require_own(entity, aggregate, session)

    def _attach(self, aggregate: A) -> None:
        session, entity = self._session, self._entity
        if id(aggregate) in session.by_id:
            session.removed.pop(id(aggregate), None)
            return
        if session.removed and session.is_forgetting(entity, aggregate):
            session.write()  # the old row goes first, and the new one is a row of its own
        session.attach(entity, aggregate)

    def _require_ours(self, aggregate: A) -> None:
        """Raises UnitClosed, UnitInUse, UnitFailed, BadValue, ForeignObject."""
        session, entity = self._session, self._entity
        session.require_usable()
        if type(aggregate) is not entity.cls:
            not_an_aggregate(entity, aggregate)
        if instance_state(aggregate).obj() is not aggregate:
            copied(entity, aggregate)
        owner = owner_of(aggregate)
        if owner is not None and owner is not session:
            foreign(entity, aggregate)


class _Signed(TypedDict):
    secret: bytes | None
    about: str
