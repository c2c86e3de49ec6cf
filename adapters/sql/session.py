"""One unit of work on a database: an ORM session, tuned, guarded and with its errors translated.

What is added to `sqlalchemy.orm.Session`:

- every read flushes first, and a flush refuses what the guard refuses, before any SQL;
- loaded objects are held strongly, so that no answer depends on the garbage collector;
- nothing expires and nothing is lazy: objects are readable after a commit and after the unit;
- a change anywhere in an aggregate raises the version of its root, also inside of a JSON value;
- generated keys of objects that are rolled back are taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Connection, Executable, event
from sqlalchemy.exc import DBAPIError, InvalidRequestError, StatementError
from sqlalchemy.orm import Session as OrmSession, make_transient
from sqlalchemy.orm.attributes import instance_dict, instance_state
from sqlalchemy.orm.state import InstanceState

from ...domain.errors import HonestworkError, Misuse, Unavailable, UnitFailed
from ...domain.repository import Repository
from ...service_layer.store import Session
from ..aggregates import anything_expired
from ..entities import EntityPlan
from ..instances import Given, as_stored, complete_members, give_back, stored_key
from ..membership import settle_members
from ..ownership import owner_of, set_owner
from ..ports import entity_of, repository_class
from ..streams import Streaming
from ..tables import Key, Row
from ..turn import Ticket, Turn
from ..usable import Usable, one_call_of_a_session
from .changes import look_over, mark_changed_documents, remember_documents, remembered_documents
from .connection import UnitConnection
from .drivers import State, state_of
from .engines import begun
from .errors import DRIVER_ERRORS, has_no_savepoint, is_lost, raised
from .flush import flushed_plainly, is_overheard
from .repository import SqlRepository
from .unreadable import unreadable

if TYPE_CHECKING:
    from .store import SqlStore

__all__ = ["SqlSession"]


class _Orm(OrmSession):
    """The ORM's session, which knows the unit that it works for, and uses its connection."""

    unit: SqlSession

    def get_bind(self, *about: Any, **options: Any) -> Connection:
        return self.unit.connection()

    # The transaction is the unit's, and is ended by it alone.

    def commit(self) -> None:
        self.unit.require_ending("commit")
        super().commit()

    def rollback(self) -> None:
        self.unit.require_ending("rollback")
        super().rollback()

    def close(self) -> None:
        self.unit.require_ending("close")
        super().close()


@event.listens_for(_Orm, "loaded_as_persistent")
def _loaded(orm: _Orm, instance: object) -> None:
    orm.unit.hold(orm.unit.store.schema.entities[type(instance)], [instance])


@event.listens_for(_Orm, "pending_to_persistent")
def _stored(orm: _Orm, instance: object) -> None:
    orm.unit.stored(orm.unit.store.schema.entities[type(instance)], [instance])


def _complete(entity: EntityPlan, instance: object) -> None:
    """What was never assigned is NULL now, and None: else the ORM takes an assignment of None for a change."""
    values, expired = instance_dict(instance), instance_state(instance).expired_attributes
    for each in entity.fields:
        if each.attribute is not None and each.attribute not in values and each.attribute not in expired:
            values[each.attribute] = None


@event.listens_for(_Orm, "transient_to_pending")
def _attached(orm: _Orm, instance: object) -> None:
    set_owner(instance, orm.unit)
    # The ORM counts those that are pending, and gives a number twice when one of them has gone again.
    instance_state(instance).insert_order = next(orm.unit.arrivals)


@event.listens_for(_Orm, "pending_to_transient")
@event.listens_for(_Orm, "persistent_to_transient")
def _released(orm: _Orm, instance: object) -> None:
    set_owner(instance, None)


@event.listens_for(_Orm, "persistent_to_deleted")
def _deleted(orm: _Orm, instance: object) -> None:
    orm.unit.deleted.append(instance)


@event.listens_for(_Orm, "after_rollback")
def _rolled_back(orm: _Orm) -> None:
    # Whatever the ORM still has when a transaction is undone it forgets, and an error handler could not read it.
    if orm.in_nested_transaction():
        orm.unit.keep_readable()
    else:
        orm.unit.let_go_all()


@event.listens_for(_Orm, "before_flush")
def _before_flush(orm: _Orm, context: Any, instances: Any) -> None:
    orm.unit.settle_members()
    orm.unit.given = Given(orm.new)
    look_over(orm, orm.unit.store.schema, orm.unit, context)
    orm.unit.keep_stored()
    if not is_overheard(orm) and orm.unit.is_as_it_was():
        orm.unit.settle_unwritten()


@event.listens_for(_Orm, "after_flush")
def _after_flush(orm: _Orm, context: Any) -> None:
    for state in context.states:
        entity = orm.unit.store.schema.entities[state.class_]
        if entity.values and entity.mapper.inherits is not None:
            for name in entity.values:
                state.dict.pop(name, None)  # made again from its columns: for a subclass the ORM leaves it as it was
    for entity, instance in orm.unit.documents:
        remember_documents(entity, instance)


def _first_raised(error: BaseException) -> BaseException:
    """What was raised before SQLAlchemy raised an error of its own because of it.

    It wraps whatever a function of the mapping raises; and where it is interrupted between two steps, it asserts in
    a `finally` that it was not, as psycopg does.
    """
    first: BaseException | None = error
    while first is not None and not isinstance(first, DBAPIError):
        if isinstance(first, StatementError):
            first = first.orig
        elif isinstance(first, AssertionError | InvalidRequestError) and _is_of_a_library(first):
            first = first.__context__
        else:
            return first
    return first or error


def _is_of_a_library(error: BaseException) -> bool:
    """Return whether SQLAlchemy or psycopg has raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__", "").startswith(("sqlalchemy.", "psycopg."))


class SqlSession(Usable, Streaming, Session):
    """The workspace of one unit of work on a database. Lives as long as the unit's `with` block."""

    def __init__(self, store: SqlStore, turn: Turn | None, *, reading: bool) -> None:
        super().__init__()
        if turn is not None:
            self.be_numbered()
        self.store = store
        self.reading = reading
        self.orm = self._new_orm()
        self.held: list[object] = []
        self.documents: list[tuple[EntityPlan, object]] = []  # those that have JSON values
        self.arrivals = count()  # new objects are inserted in the order of their coming
        self.inserted: list[object] = []  # since the last commit
        self.deleted: list[object] = []  # since the last commit
        self.given = Given(())
        self.raised: list[tuple[object, str, int]] = []  # (root, attribute, version before) of the present flush
        self._stored: list[tuple[EntityPlan, object, dict[str, Any]]] = []  # what objects had before a block
        self._readable: list[tuple[InstanceState[Any], dict[str, Any]]] = []  # what objects had when a block failed
        self.renewed = False  # a transaction has ended: what was loaded in it may have changed since
        self._turn = turn
        self._ticket = None if turn is None else Ticket(self.number)
        self._link: Any = None  # the pooled connection of the present transaction, as SQLAlchemy's pool gives it
        self._connection: UnitConnection | None = None  # the same, as SQLAlchemy's engine gives it
        self._lost = False  # the connection, and the transaction with it
        self._undone = False  # the whole transaction, by the database: MariaDB does so where a block has lost a race
        self._released = False

    def _new_orm(self) -> _Orm:
        orm = _Orm(autoflush=False, expire_on_commit=False, close_resets_only=False)
        orm.unit = self
        return orm

    def repository(self, port: type[Repository[Any, Any]], aggregate: type[Any]) -> SqlRepository[Any, Any]:
        entity = entity_of(self.store.schema, aggregate)
        repository: SqlRepository[Any, Any] = repository_class(port, SqlRepository)(self, entity)
        return repository

    @one_call_of_a_session
    def flush(self) -> None:
        self.require_usable()
        for entity, instance in self.documents:
            mark_changed_documents(entity, instance)
        orm = self.orm
        if not (orm._new or orm._deleted or orm.identity_map._modified):
            return
        self.take_turn()
        self.raised.clear()
        try:
            if not flushed_plainly(self):
                orm.flush()
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            self._take_back()
            raised(error, self.store.schema, reading=self.reading)
        except BaseException:
            self.fail()
            self._take_back()
            raise

    @one_call_of_a_session
    def commit(self) -> None:
        self.flush()
        self._require_alive()
        try:
            self.orm.commit()
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            raised(error, self.store.schema, committing=True)
        self.inserted.clear()
        self.deleted.clear()
        self._end_transaction()

    @one_call_of_a_session
    def rollback(self) -> None:
        self.require_open()
        if not self.was_interrupted:
            self.orm.expunge_all()  # first, for a rollback expires whatever the session still has
            while self.orm.in_transaction():
                self._end_orm(self.orm.rollback)
        self._let_go()
        if self.was_interrupted:  # SQLAlchemy's session may be in no state to go on
            self.orm = self._new_orm()
        self.recover()
        self._lost = self._undone = False

    def nested(self) -> AbstractContextManager[None]:
        return _Block(self)

    def close(self) -> None:
        if self._released:
            return
        if not self.is_of_this_process:
            self._leave_to_parent()
            return
        self.require_no_other_call()
        try:
            self.close_for_good()
            if not self.was_interrupted:
                self._end_orm(self.orm.close)
            self._let_go()
        except BaseException as error:
            first = error if isinstance(error, HonestworkError) else self.interrupted(error)
            self._let_go()
            if first is not error:
                raise first from None
            raise

    def abandon(self) -> bool:
        if self.closed:
            return False
        if not self.is_of_this_process:
            self._leave_to_parent()
            return False
        self.close_for_good()
        self._ticket = None  # the turn is free from now on
        if self._link is not None:
            self.store.drop(self._link)
            self._link = self._connection = None
        return True

    def interrupted(self, error: BaseException) -> BaseException:
        return super().interrupted(_first_raised(error))

    def _let_go(self) -> None:
        """Let go of all objects, and of the connection, whatever state the ORM is in. May be done again."""
        if self.was_interrupted:  # objects may be between two states, in which SQLAlchemy cannot read them
            with suppress(TypeError, AttributeError, LookupError, InvalidRequestError):
                self._let_go_of_objects()
        else:
            self._let_go_of_objects()
        self.held.clear()
        self.documents.clear()
        self._stored.clear()
        self._readable.clear()
        self._end_transaction()
        self._released = self.closed

    def _let_go_of_objects(self) -> None:
        self.orm.expunge_all()
        self._forget_since(0)
        self._bring_back_deleted()

    def _leave_to_parent(self) -> None:
        """This is a child of the process that opened the unit: what it holds is left as it is, and never collected."""
        self.store.leave_to_parent(self.orm, self._connection, self._link)
        self.close_for_good()
        self._released = True

    # The connection

    def require_ending(self, what: str) -> None:
        """Raises Misuse unless it is the unit that ends its transaction; WrongProcess."""
        self.require_this_process()
        if not self.calls and not self.closed:
            raise Misuse(
                f"{what} of the session or the connection would end the transaction of the unit of work: call"
                " commit() or rollback() of the unit, or leave its block"
            )

    def lose_transaction(self) -> NoReturn:
        """Raises UnitFailed: the transaction has been ended, and not by the unit."""
        self.fail()
        self.was_interrupted = True  # what SQLAlchemy believes of it is not true
        raise UnitFailed(
            "this unit's transaction has been ended, by an earlier error or by a statement of your own, and nothing of"
            " it is stored: leave the block and run the service again in a fresh unit, or call rollback() first"
        )

    def connection(self) -> Connection:
        """The connection of this unit's transaction, which begins now if none has begun."""
        if self._connection is None:
            self.require_open()
            try:
                self.take_turn()
                self._link = begun(self.store.engine, reading=self.reading)
                self._connection = UnitConnection(self.store.engine, self._link, self)
            except DRIVER_ERRORS as error:
                self.tell(error)
                raise
        return self._connection

    def tell(self, error: Exception) -> None:
        """Called with each error of the database. What the user's own statements raise is translated here.

        All others are translated where they are caught, also those of leaving the block.
        """
        if not self.calls and not self.closed:
            self._fail_by(error)
            raised(error, self.store.schema, reading=self.reading)

    def _require_alive(self) -> None:
        """Raises UnitFailed where the server has failed the transaction, for it would answer COMMIT with a rollback.

        Raises Unavailable where the connection is closed: nothing can have been stored.
        """
        if self._link is None:
            return
        connection = self._link.dbapi_connection
        match State.CLOSED if connection is None else state_of(connection, self.store.engine.dialect):
            case State.FAILED | State.IN_FLIGHT | State.READY:
                self.lose_transaction()
            case State.CLOSED:
                self.fail()
                self._lost = True
                raise Unavailable("the connection was lost before the commit: run the service again in a fresh unit")

    def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row]:
        """The rows of a statement, which runs in this unit's transaction."""
        self.take_turn()
        try:
            # As plain tuples, which is how the ORM reads them too: nobody asks for a column by its name.
            result = self.orm.connection().execute(statement, parameters)
            try:
                return result._raw_all_tuples()
            except Exception as error:
                row = unreadable(self.orm.connection(), statement, parameters, error)
                if row is None:
                    raise
                raise row from error
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            raised(error, self.store.schema)

    def forget_unread(self, instances: Iterable[object], *, is_mixed_up: bool) -> None:
        """These are not whole, for a row that belongs to them cannot be read: nobody may find them.

        Where others were loaded again on the way, they are *mixed up* of two states, and only a rollback can follow.
        """
        left = {id(each): each for each in instances}
        self.orm._expunge_states([instance_state(each) for each in left.values() if each in self.orm])
        self.held[:] = [each for each in self.held if id(each) not in left]
        self.documents[:] = [each for each in self.documents if id(each[1]) not in left]
        if is_mixed_up:
            self.fail()

    def has_row(self, entity: EntityPlan, key: Key) -> bool:
        """Is there a row with this key, as this unit's transaction sees it? It may be that of another subclass."""
        loader = self.store.loader(self.store.schema.entities[entity.identity_class])
        return bool(self.rows(loader.by_key, loader.key_parameters(key)))

    def hold(self, entity: EntityPlan, instances: Sequence[object]) -> None:
        """Keep objects as long as the unit lives."""
        self.held.extend(instances)
        for instance in instances:
            set_owner(instance, self)
        if entity.documents:
            for instance in instances:
                remember_documents(entity, instance)
                self.documents.append((entity, instance))

    def add(self, aggregate: object) -> None:
        """The aggregate belongs to this unit from now on, with its members."""
        orm, state = self.orm, instance_state(aggregate)
        if state in orm._deleted:  # the removal is taken back, for all that was removed with it
            for each in self.store.schema.entities[type(aggregate)].tree(aggregate):
                orm.add(each)
            return
        if state.key is not None or state in orm._new or not self._comes_alone(type(aggregate)):
            orm.add(aggregate)
            return
        orm._autobegin_t()
        orm._new[state] = aggregate
        state.session_id = orm.hash_key
        if state.modified:
            state._strong_obj = aggregate
        _attached(orm, aggregate)

    def _comes_alone(self, cls: type[Any]) -> bool:
        """May the ORM be spared to look what else comes with an object of this class, and whom to tell?"""
        told = self.orm.dispatch
        return (
            self.store.writer(cls).takes_new
            and not told.before_attach
            and not told.after_attach
            and len(told.transient_to_pending) == 1  # this module's
        )

    def stored(self, entity: EntityPlan, new: Sequence[object]) -> None:
        """New objects have their rows."""
        for instance in new:
            _complete(entity, instance)
            complete_members(entity, instance)
        self.hold(entity, new)
        self.inserted.extend(new)

    def remember(self, entity: EntityPlan, instance: object) -> None:
        """The object has been loaded again."""
        if entity.documents:
            remember_documents(entity, instance)

    def attach(self, entity: EntityPlan, member: Any) -> None:
        """A new object has come to an aggregate of this unit: into a collection, or because it was given its owner."""
        if not self.closed and instance_state(member).key is None and member not in self.orm:
            self.orm.add(member)

    def has(self, member: Any) -> bool:
        """Has the unit loaded or stored this object, and not forgotten it since?"""
        return member in self.orm

    def part(self, member: Any) -> None:
        """The ORM lets go by itself of a new object that has lost its owner; what it has goes with it, if it is new."""
        if member is not None and owner_of(member) is None:
            for each in self.store.schema.entities[type(member)].tree(member):
                self.let_go_new(each)

    def is_as_it_was(self) -> bool:
        """Were equal values assigned, and nothing else? Then there is nothing to write, and no transaction begins."""
        orm = self.orm
        return not (orm._new or orm._deleted) and not any(
            orm.is_modified(each) or self.store.schema.entities[type(each)].mapper._is_orphan(instance_state(each))
            for each in orm.dirty
        )

    def settle_unwritten(self) -> None:
        """What has changed stands for its row without a flush, and is loaded again should its block be undone."""
        orm = self.orm
        modified = [(state, state.dict) for state in orm.identity_map._modified]
        for state, values in modified:
            for name in self.store.schema.entities[state.class_].values:
                values.pop(name, None)  # made again from its columns, as in every flush
        InstanceState._commit_all_states(modified, orm.identity_map)
        orm._register_altered([state for state, _ in modified])
        for entity, instance in self.documents:
            remember_documents(entity, instance)

    def settle_members(self) -> None:
        """Tell the ORM what the collections hold, before it flushes."""
        orm, entities = self.orm, self.store.schema.entities
        removed = [each for each in orm.deleted if entities[type(each)].is_root]
        settle_members(self, entities, new=orm.new, changed=orm.dirty, removed=removed)

    def keep(self, entity: EntityPlan, member: Any) -> None:
        """The ORM removes an aggregate with all that it has at once; this member has found another since."""
        for each in entity.tree(member) if self.orm._deleted else ():
            if instance_state(each) in self.orm._deleted:
                self.orm.add(each)

    def let_go(self, entity: EntityPlan, member: Any) -> None:
        """The member goes, and nobody has it."""
        if not self.let_go_new(member) and member in self.orm:
            self.orm.delete(member)

    def let_go_new(self, instance: object) -> bool:
        """Give True if the object was new, and is not to be stored; what it has is not concerned."""
        state = instance_state(instance)
        if state not in self.orm._new:
            return False
        self.orm._expunge_states([state])
        return True

    def part_with(self, instance: object) -> None:
        """This object, whose row is gone, belongs to the unit no more, nor do its members."""
        for each in self.store.schema.entities[type(instance)].tree(instance):
            if each in self.orm:
                self.orm.expunge(each)

    def keep_readable(self) -> None:
        """A block is being undone, and the ORM is about to forget what was changed in it."""
        self._readable = [(state, dict(state.dict)) for state in self.orm.identity_map.all_states()]

    def fail(self) -> None:
        super().fail()
        for state, values in self._readable:
            state.dict.update(values)  # until they are loaded again, for they still count as expired
        self._readable.clear()

    def let_go_all(self) -> None:
        """The transaction is undone, and with it what the ORM knows. The objects keep what they have."""
        orm = self.orm
        orm._deleted.clear()
        if orm._transaction is not None:
            orm._transaction._deleted.clear()
        orm._expunge_states(list(orm.identity_map.all_states()))

    def is_forgetting(self, entity: EntityPlan, aggregate: object) -> bool:
        """Is an aggregate with the same key removed, and not yet flushed?"""
        if not self.orm._deleted:
            return False
        key = entity.key_of(aggregate)
        kin = entity.identity_class  # a row of this key may be that of another subclass
        return any(isinstance(each, kin) and entity.key_of(each) == key for each in self.orm.deleted)

    def take_turn(self) -> None:
        """Wait until this unit may begin its transaction. Raises UnitNested, Conflict."""
        if self._ticket is not None and self._ticket.place is None:
            assert self._turn is not None
            self._turn.take(self._ticket)

    def _end_transaction(self) -> None:
        self.renewed = True
        self.end_streams()
        if self._link is not None:
            self.store.give_back(self._link)
            self._link = self._connection = None
        if self._ticket is not None:
            assert self._turn is not None
            self._turn.release(self._ticket)

    def _fail_by(self, error: Exception) -> None:
        self.fail()
        self._lost = self._lost or is_lost(error)
        self._undone = self._undone or has_no_savepoint(error)

    def _end_orm(self, end: Callable[[], None]) -> None:
        """Undo what was not committed. Where the connection is lost, the database has done it already."""
        try:
            end()
        except DRIVER_ERRORS as error:
            if not is_lost(error):
                raised(error, self.store.schema)

    def _take_back(self) -> None:
        """What a failing flush has given to objects."""
        self.given.take_back()
        for root, version, before in self.raised:
            instance_dict(root)[version] = before
        self.raised.clear()

    def _savepoint(self) -> Any:
        try:
            return self.orm.begin_nested()
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            raised(error, self.store.schema)
        except BaseException:
            self.fail()
            raise

    def _release(self, savepoint: Any) -> None:
        try:
            savepoint.commit()
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            raised(error, self.store.schema)
        except BaseException:  # nobody knows how far it came
            self.fail()
            self._undone = True
            raise

    def _undo(self, savepoint: Any, before: int) -> None:
        for entity, instance in self.documents:
            mark_changed_documents(entity, instance)  # so that the rollback expires them
        self.keep_stored()
        if self.has_failed:
            self._drop_changes()
        try:
            try:
                savepoint.rollback()
            finally:
                self._forget_since(before)  # what is loaded again takes its members back from what is new again
            if self.was_interrupted:
                self._give_back()
                return
            if self._lost:
                raise Unavailable("the connection was lost, and this unit's transaction with it: run the service again")
            if self._undone:  # what was raised in the block says why, and only a rollback of the unit can follow
                self._give_back()
                return
            self.recover()
            self._load_again()
            self._give_back()
        except DRIVER_ERRORS as error:
            self._fail_by(error)
            if not self._undone:
                raised(error, self.store.schema)
            self._give_back()

    def _drop_changes(self) -> None:
        """An error has undone the block already: what was changed after it goes too, or the ORM would warn of it."""
        orm = self.orm
        orm._expunge_states(list(orm._new))
        for state in list(orm.identity_map._modified):
            state._expire(state.dict, orm.identity_map._modified)

    def _load_again(self) -> None:
        """Bring the objects back to what the rows are again, after a rollback to a savepoint."""
        renewed, self.renewed = self.renewed, True
        for instance in [each for each in self.held if each in self.orm]:
            entity = self.store.schema.entities[type(instance)]
            if entity.is_root and anything_expired(entity, instance):
                loader = self.store.loader(entity)
                loader.load(self, self.rows(loader.by_key, loader.key_parameters(stored_key(instance))))
        self.renewed = renewed
        self._readable.clear()

    def keep_stored(self) -> None:
        """Inside of a block, keep what changed objects had before: the ORM forgets it where a flush fails."""
        if not self.orm.in_nested_transaction():
            return
        for state in self.orm.identity_map._modified:
            if (instance := state.obj()) is not None:
                entity = self.store.schema.entities[type(instance)]
                self._stored.append((entity, instance, as_stored(entity, instance, remembered_documents(instance))))

    def _give_back(self) -> None:
        """What could not be loaded again has lost its row to another unit: it has what it had before the block."""
        for entity, instance, stored in self._stored:
            if instance_state(instance).expired_attributes and instance in self.orm:
                give_back(entity, instance, stored)
        self._stored.clear()
        self._readable.clear()

    def _forget_since(self, count: int) -> None:
        """Make new objects of those that the database does not have any more."""
        for instance in self.inserted[count:]:
            make_transient(instance)
            set_owner(instance, None)
        for instance in self.inserted[count:]:
            self.store.schema.entities[type(instance)].renew(instance)
        del self.inserted[count:]

    def _bring_back_deleted(self) -> None:
        """Rows whose deletion is undone are there again; the objects that stood for them do not say otherwise."""
        for instance in self.deleted:
            instance_state(instance)._deleted = False
        self.deleted.clear()


class _Block:
    """A block that is undone whole if it raises."""

    def __init__(self, session: SqlSession) -> None:
        self.session = session

    def __enter__(self) -> None:
        session = self.session
        call = (get_ident(),)
        try:
            session.begin_call(call)
            session.flush()
            session.take_turn()
            self.before = len(session.inserted)
            self.savepoint = session._savepoint()
            session.end_call(call)
        except BaseException as error:
            session.end_call_by(call, error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session = self.session
        call = (get_ident(),)
        try:
            if not session.is_of_this_process:
                return  # the savepoint is the parent's
            if session.closed:
                if kind is None:
                    session.require_open()
                return
            session.begin_call(call)
            if kind is None:
                self._keep()
            else:
                session._undo(self.savepoint, self.before)
            session.end_call(call)
        except BaseException as raised_instead:
            session.end_call_by(call, raised_instead)
            raise

    def _keep(self) -> None:
        session = self.session
        try:
            session.flush()
            session._release(self.savepoint)
            session._stored.clear()
        except BaseException:
            if not session.closed:
                session._undo(self.savepoint, self.before)
            raise
