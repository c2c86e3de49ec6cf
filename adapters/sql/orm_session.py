"""A session of SQLAlchemy over a unit's transaction, made when somebody asks for it.

It finds objects and owns none: its identity map is a view of the unit's, and what it has made is handed to the unit
before the caller gets the result. It reads, and runs statements of Core; everything that would store or forget
objects, or end the transaction, is the unit's, and is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import get_ident
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, event
from sqlalchemy.orm import Session as OrmSession, lazyload
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.identity import IdentityMap
from sqlalchemy.util import IdentitySet

from ...domain.errors import Misuse
from ..engine.adoption import adopt, refresh
from ..internals import is_for_mapped_class, must_be_unique

if TYPE_CHECKING:
    from ..engine.session import EngineSession
    from ..engine.tracking import Known
    from .connection import UnitConnection

__all__ = ["OrmSessionOnDemand"]


class _View(IdentityMap):
    """What SQLAlchemy takes for its identity map: the unit's objects, and those that it is making itself."""

    def __init__(self, unit: EngineSession) -> None:
        super().__init__()
        self.unit = unit
        self.made: dict[Any, Any] = {}  # by the running statement
        self.stale: dict[Any, Known] = {}  # found by it, and last read in an earlier transaction

    def get(self, key: Any, default: Any = None) -> Any:
        cls, parts, _ = key
        known = self.unit.known_by_identity(cls, parts if len(parts) > 1 else parts[0])
        if known is None:
            return self.made.get(_without_token(key), default)
        if known.transaction != self.unit.transaction:
            self.stale[key] = known
        return known.instance

    def __getitem__(self, key: Any) -> Any:
        if (found := self.get(key)) is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.values())

    def keys(self) -> list[Any]:
        return [known.state.key for known in self.unit.all_known()]

    def values(self) -> list[Any]:
        return [known.instance for known in self.unit.all_known()]

    def items(self) -> list[tuple[Any, Any]]:
        return [(known.state.key, known.instance) for known in self.unit.all_known()]

    def contains_state(self, state: Any) -> bool:
        return self.unit.has(state.obj())

    def all_states(self) -> list[Any]:
        return []  # what the session does to all that it has (expire, detach, roll back), it does to nothing

    def _add_unpresent(self, state: Any, key: Any) -> None:
        state.identity_token = None  # of a `get` or a statement with one: a unit has one object for a row all the same
        self.made[_without_token(key)] = state.obj()

    def settle(self) -> bool:
        """Give the unit what the running statement has made and found.

        Return False if something has lost its row to another unit, so that the statement finds something else now.
        """
        made, stale = self.made, [*self.stale.values()]
        if not made and not stale:
            return True
        self.stale.clear()
        call = (get_ident(),)
        try:
            self.unit.begin_call(call)
            is_settled = refresh(self.unit, stale) if stale else True
            if is_settled:
                adopt(self.unit, made)
            self.unit.end_call(call)
            return is_settled
        except BaseException as error:
            self.unit.end_call_by(call, error)
            raise
        finally:
            made.clear()


def _without_token(key: Any) -> Any:
    cls, parts, _ = key
    return cls, parts, None


ENDS = "would end the transaction of the unit of work: call commit() or rollback() of the unit, or leave its block"
STORES = "is not for the objects of a unit of work: use add() and remove() of the repository, or a statement of Core"
FORGETS = "is not for the objects of a unit of work: it keeps them, and reads them again after a statement of Core"
ELSEWHERE = "would leave the connection of the unit of work: make a Session of your own for another database"
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
    "bind_mapper": ELSEWHERE,
    "bind_table": ELSEWHERE,
    "_merge": STORES,  # called by merge_frozen_result()
}


class OrmSessionOnDemand(OrmSession):
    """A `sqlalchemy.orm.Session` in the transaction of a unit of work. Lives as long as the transaction.

    Allowed are SELECTs, also of mapped classes, `get`, `get_one`, `scalars` and `connection`, and INSERT, UPDATE and
    DELETE of tables. Each flushes the unit first. Objects that come of it are the unit's own. After a statement that
    may have changed rows, everything that is loaded is read again. Rows that are selected are all read at once.

    Raises Misuse for everything that is the unit's to do, and after its transaction.
    """

    unit: EngineSession | None = None  # none while SQLAlchemy itself opens or closes it
    identity_map: _View
    is_running = False  # a statement: what SQLAlchemy and listeners ask for meanwhile is a part of it
    has_ended = False

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
        self.has_ended = True

    def unit_now(self) -> EngineSession:
        """Return the unit. Raises Misuse after the transaction, WrongProcess."""
        if self.unit is None:
            raise Misuse("this session has ended with its transaction: ask the repository for its `session` again")
        self.unit.require_this_process()
        return self.unit

    # Reading

    def get(self, *about: Any, **options: Any) -> Any:
        self.unit_now().flush()  # what is removed is not to be found in the identity map
        found = super().get(*about, **options)
        return found if self.identity_map.settle() else super().get(*about, **options)

    def get_one(self, *about: Any, **options: Any) -> Any:
        self.unit_now().flush()
        found = super().get(*about, **options)
        return found if found is not None and self.identity_map.settle() else super().get_one(*about, **options)

    def connection(self, bind_arguments: Any = None, execution_options: Any = None) -> Any:
        self.get_bind(**(bind_arguments or {}))
        return super().connection(execution_options=execution_options)

    def get_bind(self, *about: Any, **options: Any) -> Any:
        self.unit_now()
        bind = super().get_bind(*about, **options)
        if bind is not self.bind:
            raise Misuse(f"another bind {ELSEWHERE}")
        return bind

    # Objects

    @property
    def new(self) -> Any:
        return IdentitySet([instance for _, instance in self.unit_now().pending.values()])

    @property
    def dirty(self) -> Any:
        unit = self.unit_now()
        changed = [state.obj() for state in unit.changes.modified]
        return IdentitySet([each for each in changed if unit.has(each) and id(each) not in unit.removed])

    @property
    def deleted(self) -> Any:
        return IdentitySet([known.instance for known in self.unit_now().removed.values()])

    def __contains__(self, instance: object) -> bool:
        unit = self.unit_now()
        return unit.has(instance) or id(instance) in unit.pending

    def __iter__(self) -> Iterator[object]:
        unit = self.unit_now()
        return iter([*(known.instance for known in unit.all_known()), *self.new])

    @property
    def autoflush(self) -> bool:
        """Whether SQLAlchemy is to flush. It never is: the unit does, before each statement."""
        return False

    @autoflush.setter
    def autoflush(self, wanted: bool) -> None:
        if wanted:
            raise Misuse("autoflush of the session is not for a unit of work: each statement flushes what has changed")

    @property
    def no_autoflush(self) -> Any:
        raise Misuse("no_autoflush of the session is not for a unit of work: each statement flushes what has changed")


def _refusal(name: str, why: str) -> Any:
    allowed = getattr(OrmSession, name, None)

    def refused(self: OrmSessionOnDemand, *about: Any, **options: Any) -> Any:
        if self.unit is None and not self.has_ended and allowed is not None:
            return allowed(self, *about, **options)
        if self.has_ended and name == "close":
            return None
        self.unit_now()
        raise Misuse(f"{name} of the session {why}")

    refused.__name__ = name
    return refused


for _name, _why in REFUSED.items():
    setattr(OrmSessionOnDemand, _name, _refusal(_name, _why))


@event.listens_for(OrmSessionOnDemand, "do_orm_execute")
def _execute(asked: Any) -> Any:
    session: OrmSessionOnDemand = asked.session
    unit = session.unit_now()
    _refuse_changes_of_classes(asked)
    if session.is_running:
        return None
    unit.flush()
    portion = asked.execution_options.get("yield_per")
    asked.update_execution_options(populate_existing=False, yield_per=None, stream_results=False)
    if asked.is_select and asked.is_orm_statement:
        asked.statement = asked.statement.options(lazyload("*"))  # the unit reads the members of what is found
    view = session.identity_map
    session.is_running = True
    try:
        result = _settled(asked, view)
    finally:
        session.is_running = False
        view.made.clear()
        view.stale.clear()
    return result.yield_per(portion) if portion else result


def _settled(asked: Any, view: _View) -> Any:
    try:
        result = _read(asked)
        if view.settle():
            return result
    except StaleDataError:  # a locked row has not the version that its object had in an earlier transaction
        view.settle()
    result = _read(asked)
    view.settle()
    return result


def _read(asked: Any) -> Any:
    """Run a statement. Rows that are selected are all read, and all objects made; others may tell of their writing."""
    result = asked.invoke_statement()
    is_text = isinstance(asked.statement, TextClause) and result.returns_rows
    if not (asked.is_orm_statement or asked.is_select or is_text):
        return result
    if must_be_unique(result):  # joined collections: SQLAlchemy gives each aggregate as often as it has members
        frozen = result.unique().freeze()
        return frozen.with_new_rows(frozen().unique().all())()
    return result.freeze()()


def _refuse_changes_of_classes(asked: Any) -> None:
    """Raises Misuse for an INSERT, UPDATE or DELETE of a mapped class."""
    statement = getattr(asked.statement, "element", asked.statement)  # of from_statement()
    if statement.is_dml and is_for_mapped_class(statement):
        raise Misuse(
            "an INSERT, UPDATE or DELETE of a mapped class would change objects that the unit of work has loaded"
            " without a word: change the objects, or write the statement for the table and its columns, like"
            " update(users).where(users.c.age > 18)"
        )
