"""The repository of one kind of aggregate in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.orm.attributes import instance_state

from ...rules.projection import Projection
from ..entities import EntityPlan
from ..ownership import owner_of, require_own
from ..queries import Query
from ..refusals import already_removed, foreign, not_in_unit
from ..repository import StoredRepository
from ..usable import CALL, one_call
from .searching import Search

if TYPE_CHECKING:
    from .session import MemorySession

__all__ = ["MemoryRepository"]

A = TypeVar("A")
K = TypeVar("K")


class MemoryRepository(StoredRepository[A, K]):
    """Aggregates as rows in memory. Made by the store; lives as long as its unit of work."""

    _session: MemorySession
    _made_search: Search | None = None

    def __init__(self, session: MemorySession, entity: EntityPlan) -> None:
        self._session = session
        self._schema = session.store.schema
        self._entity = entity
        self._table = session.store.table(entity.table.name)

    @one_call
    def add(self, aggregate: A) -> None:
        session, entity = self._session, self._entity
        self._require_ours(aggregate)
        state = instance_state(aggregate)
        if state.key is not None or state.was_deleted:
            if session.known(aggregate) is not None:
                require_own(entity, aggregate, session)
                session.removed.pop(id(aggregate), None)
                return
            if state.was_deleted:
                already_removed(entity, aggregate)
            foreign(entity, aggregate)  # also one of this unit, from a transaction that was undone
        if session.removed and session.is_forgetting(entity, aggregate):
            session.flush()  # the old row goes first, and the new one is a row of its own
        if entity.children:
            require_own(entity, aggregate, session)
        session.attach(entity, aggregate)

    @one_call
    def remove(self, aggregate: A) -> None:
        self._require_ours(aggregate)
        session = self._session
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
        entity, session = self._entity, self._session
        call = (get_ident(),)
        try:
            # What `one_call` does, in place: nothing is asked as often as this.
            calls = session.calls
            if calls.setdefault(CALL, call) is not call and calls[CALL][0] != call[0]:
                session.refuse_call()
            key = entity.table.key_guard(key)
            session.write()
            row = session.transaction.view(self._table, key)
            found: A | None = None
            if row is not None and entity.discriminator is None:
                found = session.load(entity, key, row)
            elif row is not None and (actual := session.find(entity, key, row)) is not None:
                found = session.load(actual[0], key, actual[1])
            if calls.get(CALL) is call:
                del calls[CALL]
            return found
        except BaseException as error:
            session.end_call_by(call, error)
            raise

    @one_call
    def _load(self, asked: Query, *, apart: bool = False) -> list[A]:
        load = self._session.loading_apart() if apart else self._session.load
        class_of, key_of = self._entity.of_row, self._entity.table.key
        return [load(class_of(row), key_of(row), row) for row in self._search.rows(asked)]

    @one_call
    def _count(self, asked: Query) -> int:
        return len(self._search.matching(asked))

    @one_call
    def _exists(self, asked: Query) -> bool:
        return bool(self._search.matching(asked))

    @one_call
    def _values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        return self._search.values(asked, wanted)

    @property
    def _search(self) -> Search:
        if (search := self._made_search) is None:  # most units ask for nothing but keys
            search = self._made_search = Search(self._session, self._entity, self._table)
        return search
