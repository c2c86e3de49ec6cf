"""The repository of one kind of aggregate on a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Select, literal, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import instance_state

from ...rules.formula import TRUE, Expr
from ...rules.projection import Projection
from ..entities import EntityPlan, FieldPlan
from ..instances import identity
from ..ownership import owner_of, require_own
from ..queries import Query
from ..refusals import already_removed, foreign, not_in_unit
from ..repository import StoredRepository
from ..tables import Row
from ..usable import one_call
from .rules import column, order_by, where

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["SqlRepository"]

A = TypeVar("A")
K = TypeVar("K")


class SqlRepository(StoredRepository[A, K]):
    """Aggregates as rows of a database. Made by the store; lives as long as its unit of work."""

    _session: SqlSession

    def __init__(self, session: SqlSession, entity: EntityPlan) -> None:
        self._session = session
        self._schema = session.store.schema
        self._entity = entity
        self._loader = session.store.loader(entity)

    @property
    def session(self) -> OrmSession:
        """The ORM's session of this unit, for statements that a repository has no words for."""
        self._session.flush()
        self._session.take_turn()
        return self._session.orm

    @one_call
    def add(self, aggregate: A) -> None:
        self._require_ours(aggregate)
        session, state = self._session, instance_state(aggregate)
        if state.was_deleted:
            already_removed(self._entity, aggregate)
        if state.key is not None and aggregate not in session.orm:
            foreign(self._entity, aggregate)  # also one of this unit, from a transaction that was undone
        if state.key is None and session.is_forgetting(self._entity, aggregate):
            session.flush()  # the old row goes first, and the new one is a row of its own
        require_own(self._entity, aggregate, session)
        session.add(aggregate)

    @one_call
    def remove(self, aggregate: A) -> None:
        self._require_ours(aggregate)
        orm, state = self._session.orm, instance_state(aggregate)
        if aggregate in orm.new:
            for each in self._entity.tree(aggregate):
                self._session.let_go_new(each)
        elif aggregate in orm:
            orm.delete(aggregate)
        elif state.was_deleted:
            return
        elif owner_of(aggregate) is not None:
            foreign(self._entity, aggregate)
        else:
            not_in_unit(self._entity, aggregate)

    @one_call
    def get(self, key: K) -> A | None:
        key = self._entity.table.key_guard(key)
        session = self._session
        session.flush()
        if not session.renewed:
            known: A | None = session.orm.identity_map.get(identity(self._entity, key))
            if known is not None:
                return known if isinstance(known, self._entity.cls) else None
        rows = session.rows(self._loader.by_key, self._loader.key_parameters(key))
        found: list[A] = self._loader.load(session, rows)
        return found[0] if found else None

    @one_call
    def _load(self, asked: Query, *, apart: bool = False) -> list[A]:
        statement = self._loader.select.where(*self._where(asked)).order_by(*self._order(asked)).limit(asked.limit)
        rows = self._rows(statement.offset(asked.offset) if asked.offset else statement)
        load = self._loader.load_apart if apart else self._loader.load
        return load(self._session, rows)

    @one_call
    def _count(self, asked: Query) -> int:
        return int(self._rows(self._loader.count.where(*self._where(asked)))[0][0])

    @one_call
    def _exists(self, asked: Query) -> bool:
        statement = select(literal(1)).select_from(self._loader.joined).where(*self._loader.of_this_class)
        return bool(self._rows(statement.where(*self._where(asked)).limit(1)))

    @one_call
    def _values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        values = [column(each, self._entity.cls) for each in wanted.expressions] or [literal(1)]
        statement = select(*values).select_from(self._loader.joined).where(*self._loader.of_this_class)
        statement = statement.where(*self._where(asked)).order_by(*self._order(asked)).limit(asked.limit)
        rows = self._rows(statement)
        if wanted.expressions:
            self._loader.require_fitting(tuple(map(self._place, wanted.expressions)), rows)
        return rows

    def _place(self, expression: Expr) -> FieldPlan | None:
        """The place that an expression reads as it is, if it does nothing else."""
        if expression.op != "attr":
            return None
        variable, path, _ = expression.args
        if variable != 0:
            return None
        if len(path) == 1:
            return self._entity.by_name.get(path[0])
        value = self._entity.values.get(path[0])
        return None if value is None or path[1] not in value.names else value.fields[value.names.index(path[1])]

    def _rows(self, statement: Select[Any]) -> Sequence[Row]:
        self._session.flush()
        return self._session.rows(statement)

    def _where(self, asked: Query) -> list[ColumnElement[bool]]:
        return [] if asked.formula is TRUE else [where(asked.formula, self._entity.cls)]

    def _order(self, asked: Query) -> list[Any]:
        return self._loader.keys if asked.keys is self._entity.key_order else order_by(asked.keys, self._entity.cls)
