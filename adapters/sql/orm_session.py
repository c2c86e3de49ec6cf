"""A session of SQLAlchemy over a unit's transaction, made when somebody asks for it.

It finds objects and owns none: its identity map is a view of the unit's, and what it has made is handed to the unit
before the caller gets the result. It reads, and runs statements of Core; everything that would store or forget
objects, or end the transaction, is the unit's, and is refused by name.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.identity import IdentityMap

from ...domain.errors import Misuse
from ..engine.adoption import adopt

if TYPE_CHECKING:
    from ..engine.session import EngineSession
    from .connection import UnitConnection

__all__ = ["OrmSessionOnDemand"]


class _View(IdentityMap):
    """What SQLAlchemy takes for its identity map: the unit's objects, and those that it is making itself."""

    def __init__(self, unit: EngineSession) -> None:
        super().__init__()
        self.unit = unit
        self.made: dict[Any, Any] = {}  # by the running statement

    def get(self, key: Any, default: Any = None) -> Any:
        cls, parts, _ = key
        known = self.unit.known_by_identity(cls, parts if len(parts) > 1 else parts[0])
        return self.made.get(key, default) if known is None else known.instance

    def contains_state(self, state: Any) -> bool:
        return state.key is not None and self.get(state.key) is state.obj()

    def all_states(self) -> list[Any]:
        return []  # what the session does to all that it has (expire, detach, roll back), it does to nothing

    def _dirty_states(self) -> Any:
        return self.unit.changes.modified  # for session.dirty

    def _add_unpresent(self, state: Any, key: Any) -> None:
        self.made[key] = state.obj()


ENDS = "would end the transaction of the unit of work: call commit() or rollback() of the unit, or leave its block"
STORES = "is not for the objects of a unit of work: use add() and remove() of the repository, or a statement of Core"
FORGETS = "is not for the objects of a unit of work: it keeps them, and reads them again after a statement of Core"
REFUSED = {
    "commit": ENDS,
    "rollback": ENDS,
    "close": ENDS,
    "reset": ENDS,
    "invalidate": ENDS,
    "prepare": ENDS,
    "begin": ENDS,
    "get_transaction": ENDS,
    "get_nested_transaction": ENDS,
    "begin_nested": "would set a savepoint that the objects know nothing of: use `with uow.nested():` of the unit",
    "flush": "is not how a unit of work stores its objects: call flush() of the unit; a statement flushes by itself",
    "add": STORES,
    "add_all": STORES,
    "delete": STORES,
    "delete_all": STORES,
    "merge": STORES,
    "merge_all": STORES,
    "bulk_save_objects": STORES,
    "bulk_insert_mappings": STORES,
    "bulk_update_mappings": STORES,
    "refresh": FORGETS,
    "expire": FORGETS,
    "expire_all": FORGETS,
    "expunge": FORGETS,
    "expunge_all": FORGETS,
    "enable_relationship_loading": FORGETS,
}


class OrmSessionOnDemand(OrmSession):
    """A `sqlalchemy.orm.Session` in the transaction of a unit of work. Lives as long as the transaction.

    Allowed are SELECTs, also of mapped classes, `get`, `get_one`, `scalars` and `connection`, and INSERT, UPDATE and
    DELETE of tables. Each flushes the unit first. Objects that come of it are the unit's own. After a statement that
    may have changed rows, everything that is loaded is read again. A result is read to its end at once.

    Raises Misuse for everything that is the unit's to do.
    """

    unit: EngineSession | None = None  # none while SQLAlchemy itself opens or closes it

    def __init__(self, unit: EngineSession, connection: UnitConnection) -> None:
        super().__init__(
            connection,
            autoflush=False,
            expire_on_commit=False,
            close_resets_only=False,
            join_transaction_mode="rollback_only",
        )
        self.identity_map = _View(unit)
        self.unit = unit

    def let_go(self) -> None:
        """Close it, with the transaction of the unit as it is."""
        self.unit = None
        OrmSession.close(self)

    def get(self, *about: Any, **options: Any) -> Any:
        self._flush_unit()  # what is removed is not to be found in the identity map
        return super().get(*about, **options)

    def get_one(self, *about: Any, **options: Any) -> Any:
        self._flush_unit()
        return super().get_one(*about, **options)

    def _flush_unit(self) -> None:
        if self.unit is not None:
            self.unit.flush()


def _refusal(name: str, why: str) -> Any:
    allowed = getattr(OrmSession, name, None)

    def refused(self: OrmSessionOnDemand, *about: Any, **options: Any) -> Any:
        if self.unit is None and allowed is not None:
            return allowed(self, *about, **options)
        if self.unit is not None:
            self.unit.require_this_process()
        raise Misuse(f"{name} of the session {why}")

    refused.__name__ = name
    return refused


for _name, _why in REFUSED.items():
    setattr(OrmSessionOnDemand, _name, _refusal(_name, _why))


@event.listens_for(OrmSessionOnDemand, "do_orm_execute")
def _execute(asked: Any) -> Any:
    unit: EngineSession | None = asked.session.unit
    if unit is None or asked.is_relationship_load or asked.is_column_load:
        return None  # it is closed, as SQLAlchemy will say; or this is a part of the statement that is running
    if asked.is_orm_statement and (asked.is_insert or asked.is_update or asked.is_delete):
        raise Misuse(
            "an INSERT, UPDATE or DELETE of a mapped class would change objects that the unit of work has loaded"
            " without a word: change the objects, or write the statement for the table, like"
            " update(mapping.metadata.tables['users'])"
        )
    unit.flush()
    asked.update_execution_options(populate_existing=False)
    made = asked.session.identity_map.made
    try:
        result, frozen = asked.invoke_statement(), None
        if asked.is_orm_statement:
            try:
                frozen = result.freeze()  # all objects are made now
            except InvalidRequestError:  # joined collections: rows come several times, and the caller says unique()
                frozen = asked.invoke_statement().unique().freeze()
        if made:
            _adopt(unit, made)
        return result if frozen is None else frozen()
    finally:
        made.clear()


def _adopt(unit: EngineSession, made: dict[Any, Any]) -> None:
    call = (get_ident(),)
    try:
        unit.begin_call(call)
        adopt(unit, made)
        unit.end_call(call)
    except BaseException as error:
        unit.end_call_by(call, error)
        raise
