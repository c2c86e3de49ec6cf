"""One unit of work: its objects, over the rows of one transaction after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from threading import get_ident
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm.attributes import instance_state

from ...domain.errors import HonestworkError
from ...domain.repository import Repository
from ...service_layer import process
from ...service_layer.store import Session
from ..internals import clear_orphaned, is_orphan, set_deleted
from ..objects.aggregates import loaded_with
from ..objects.instances import as_stored, give_back
from ..objects.ownership import owner_of, set_owner
from ..plan.entities import EntityPlan
from ..plan.schema import Schema
from ..plan.tables import Key, Row
from ..plan.violations import in_words_of_the_domain
from .adoption import renew
from .flush import Flush
from .loading import load, load_one
from .rows import Rows
from .session_state import Usable, one_call_of_a_session
from .streaming import Streaming
from .tracking import (
    Changes,
    Known,
    Written,
    make_transient,
    mark_changed_documents,
)

__all__ = ["EngineSession", "EngineStore"]

NO_ROW: Row = (object(),)  # no row is like this


class EngineStore(Protocol):
    """What a store gives to its sessions."""

    schema: Schema
    cursor_key: bytes | None

    def repository(
        self, session: EngineSession, port: type[Repository[Any, Any]], aggregate: type[Any]
    ) -> Repository[Any, Any]: ...


class EngineSession(Usable, Streaming, Session):
    """The workspace of one unit of work. Lives as long as the unit's `with` block.

    It keeps the identity map (one object for each key), what was added and removed since the last flush, and what was
    written since the last commit. Rows and transactions are the business of `rows`.
    """

    blocks: tuple[_Block, ...] = ()  # the open ones
    offered: dict[Any, Any] | None = None  # objects that were made beside the engine, by identity key; see `adoption`
    _released = False

    def __init__(self, store: EngineStore, rows: Rows, *, reading: bool) -> None:
        super().__init__()
        self.store = store
        self.schema = store.schema
        self.reading = reading
        self.rows = rows
        self.changes = Changes()
        self.pending: dict[int, tuple[EntityPlan, Any]] = {}  # new and not flushed, by id, in the order of arrival
        self.removed: dict[int, Known] = {}  # by id of the object
        self.written: list[tuple[Written, Known]] = []  # since the last commit
        self.documents: dict[int, Known] = {}  # those that have JSON values, by id of the object
        self.by_key: dict[type[Any], dict[Key, Known]] = defaultdict(dict)  # and by key, in the class at the base
        self.by_id: dict[int, Known] = {}  # all that was loaded or stored, by id of the object
        rows.serve(self)

    def repository(self, port: type[Repository[Any, Any]], aggregate: type[Any]) -> Repository[Any, Any]:
        return self.store.repository(self, port, aggregate)

    @one_call_of_a_session
    def flush(self) -> None:
        self.write()

    def write(self) -> None:
        """Flush, inside of a call."""
        if self._usable_in is not process.this:
            self.require_usable()
        for known in self.documents.values():
            mark_changed_documents(known)
        if not (self.changes.modified or self.pending or self.removed):
            return
        self.rows.take_turn()
        flush = Flush(self)
        try:
            flush.run()
        except Exception as error:
            self.fail()
            flush.take_back()
            own = in_words_of_the_domain(error, self.schema.violations)
            if own is not error:
                raise own from error
            raise
        except BaseException:
            self.fail()
            flush.take_back()
            raise

    @one_call_of_a_session
    def commit(self) -> None:
        self.write()
        try:
            self.rows.commit()
        except BaseException:
            self.fail()
            raise
        self.written.clear()
        self.end_streams()

    @one_call_of_a_session
    def rollback(self) -> None:
        self.require_open()
        self._forget_everything()
        self.changes = Changes()
        self.recover()

    def nested(self) -> AbstractContextManager[None]:
        return _Block(self)

    def close(self) -> None:
        if self._released:
            return
        if self._process is not process.this:  # nothing of it belongs to a child
            self.rows.leave_to_parent()
            self.close_for_good()
            self._released = True
            return
        if self.calls:
            self.require_no_other_call()
        try:
            self._close()
        except BaseException as error:
            first = error if isinstance(error, HonestworkError) else self.interrupted(error)
            self._close()
            if first is not error:
                raise first from None
            raise

    def abandon(self) -> bool:
        if self.closed:
            return False
        if not self.is_of_this_process:
            self.rows.leave_to_parent()
            self.close_for_good()
            return False
        self.close_for_good()
        self.rows.abandon()
        return True

    def interrupted(self, error: BaseException) -> BaseException:
        return super().interrupted(self.rows.interrupted(error))

    def _close(self) -> None:
        self.close_for_good()
        self.changes = None  # type: ignore[assignment]  # nobody reports to this unit any more
        self._forget_everything()
        self._released = True

    # Objects

    def known(self, instance: object) -> Known | None:
        """Return what this unit knows of an object, if it has loaded or stored it."""
        return self.by_id.get(id(instance))

    def all_known(self) -> list[Known]:
        """Return everything that this unit knows."""
        return [*self.by_id.values()]

    def of(self, instance: object) -> Known:
        """Return the same, of an object that it has loaded or stored."""
        return self.by_id[id(instance)]

    def known_by_identity(self, cls: type[Any], key: Key) -> Known | None:
        """Return what this unit knows of the object with this key, of a class at the base of its hierarchy."""
        known = self.by_key.get(cls)
        return None if known is None else known.get(key)

    def get(self, entity: EntityPlan, key: Key) -> Any:
        """Return the object with this key, or None."""
        known = self.by_key[entity.identity_class].get(key)
        if known is not None and known.transaction == self.transaction:
            return known.instance if entity.covers(known.entity) else None
        found = self.rows.by_key(entity, key)
        return None if found is None else load_one(self, *found)

    def is_forgetting(self, entity: EntityPlan, aggregate: object) -> bool:
        """Return whether an aggregate with the same key is removed, and not yet flushed."""
        if not self.removed:
            return False
        key = entity.key_of(aggregate)
        return any(
            known.key == key and known.entity.identity_class is entity.identity_class for known in self.removed.values()
        )

    def register(self, entity: EntityPlan, key: Key, row: Row, instance: Any) -> Known:
        """From now on this object stands for this row."""
        state = instance_state(instance)
        entity.claim(state, key, self, self.changes.reference)
        return self.remember(Known(entity, key, row, instance, state, self.transaction))

    def remember(self, known: Known) -> Known:
        """What is known of an object is found by its key and by the object."""
        entity, ident = known.entity, id(known.instance)
        self.by_key[entity.identity_class][known.key] = self.by_id[ident] = known
        if entity.documents:
            self.documents[ident] = known
        return known

    def expunge(self, known: Known) -> None:
        """This object stands for no row any more."""
        ident = id(known.instance)
        self.documents.pop(ident, None)
        del self.by_key[known.entity.identity_class][known.key]
        del self.by_id[ident]

    def expunge_aggregate(self, known: Known) -> None:
        """An object whose row is gone, and its members, belong to the unit no more: another has its key."""
        for each in known.entity.tree(known.instance):
            if (lost := self.known(each)) is not None:
                self.expunge(lost)
            else:
                self.expunge_pending(self.schema.entities[type(each)], each)

    def attach(self, entity: EntityPlan, member: Any) -> None:
        """A new object belongs to this unit from now on, with its members, and is stored by the next flush."""
        ident = id(member)
        if self.closed or ident in self.pending:
            return
        if entity.cls is not type(member):
            entity = self.schema.entities[type(member)]
        instance_state(member).honestwork_owner = self  # type: ignore[attr-defined]
        self.pending[ident] = (entity, member)
        for relation in entity.relations:
            for each in relation.members(member):
                if owner_of(each) is None:
                    self.attach(relation.entity, each)

    def has(self, member: Any) -> bool:
        """Has the unit loaded or stored this object, and not forgotten it since?"""
        return id(member) in self.by_id

    def member_left(self, member: Any) -> None:
        """A new object that has lost its owner belongs to nobody again."""
        entity, _ = self.pending.get(id(member), (None, None))
        if entity is not None and is_orphan(entity.mapper, instance_state(member)):
            clear_orphaned(instance_state(member))  # it was this unit's
            self.expunge_pending(entity, member)

    def expunge_pending(self, entity: EntityPlan, member: Any) -> None:
        """Take back an object that was attached and not flushed, with its members."""
        if self.pending.pop(id(member), None) is not None:
            set_owner(member, None)
            for children in entity.children:
                for each in children.members(member):
                    self.expunge_pending(children.entity.of(each), each)

    def remove_orphan(self, member: Any) -> None:
        """A member that no owner has goes with the next flush; a new one is not stored."""
        if (known := self.known(member)) is not None:
            self.removed[id(member)] = known
        elif self.pending.pop(id(member), None) is not None:
            set_owner(member, None)

    def _release_pending(self) -> None:
        """Nothing is pending any more, and belongs to nobody."""
        for _, instance in self.pending.values():
            set_owner(instance, None)
        self.pending.clear()

    # Undoing

    def return_to(self, block: _Block, *, is_there: bool) -> None:
        """Bring the objects back to what they were when the block began.

        Where the transaction *is there*, the rows are read again; else the objects get back what they had.
        """
        for known in self.documents.values():
            mark_changed_documents(known)
        self._release_pending()
        self.removed.clear()
        undone = self.written[block.written :]
        inserted = _those("inserted", undone)
        ghosts = {id(known.instance) for known in inserted}  # if they were deleted as well
        for known in inserted:
            if self.known(known.instance) is known:
                self.expunge(known)
            make_transient(known)
        for known in _those("deleted", undone):  # after those that may have taken over their keys
            set_deleted(known.state, False)
            if id(known.instance) in ghosts:
                continue
            if (heir := self.by_key[known.entity.identity_class].get(known.key)) is not None:
                self.expunge(heir)  # of a row that a statement of the user's own has inserted
            self.remember(known)
            mark_changed_documents(known)
            if known.state.modified:  # also what was done to it while it was removed is undone
                self.changes.modified.add(known.state)
        self.written[block.written :] = [each for each in undone if each[0] == "changed"]
        changed = {id(known.instance): known for known in _those("changed", undone)}
        for state in self.changes.modified:
            if (known_one := self.known(state.obj())) is not None:
                changed[id(known_one.instance)] = known_one
        self._restore([known for known in changed.values() if self.known(known.instance) is known], block, is_there)
        self.changes.modified.clear()
        if block.is_renewed and is_there:
            renew(self)

    def _restore(self, changed: list[Known], block: _Block, is_there: bool) -> None:
        """Bring whole aggregates back to what they were, of which any of these objects is a part."""
        tops = {id(known.root.instance): known.root for known in changed}
        stale = {id(known.instance): known for known in changed}  # also those that have left their aggregate
        for top in tops.values():
            for each in loaded_with(top.entity, top.instance):
                if (known_one := self.known(each)) is not None:
                    stale[id(each)] = known_one
        before = {ident: (known.row, known.transaction) for ident, known in stale.items()}
        if is_there:
            for known in stale.values():
                known.row, known.transaction = NO_ROW, -1
            for entity, keys in _by_entity(tops.values()):
                load(self, self.rows.by_keys(entity, keys))
        for ident, known in stale.items():
            if known.row is NO_ROW or not is_there:  # another unit has removed it
                known.row, known.transaction = before[ident]
                stored = block.kept.get(ident)
                if stored is None:
                    documents = {attribute: known.row[each.position] for attribute, each in known.entity.documents}
                    stored = as_stored(known.entity, known.instance, documents)
                give_back(known.entity, known.instance, stored)

    def _forget_everything(self) -> None:
        try:
            if self.pending or self.removed or self.written:
                self._release_pending()
                for known in _those("inserted", self.written):
                    self._make_new_again(known)
                for known in _those("deleted", self.written):
                    set_deleted(known.state, False)
                self.removed.clear()
                self.written.clear()
            self.by_key.clear()
            self.by_id.clear()
            if self.documents:
                self.documents.clear()
        finally:  # in any case: others wait for what the rows hold
            self.rows.end()
        self.end_streams()

    def _make_new_again(self, known: Known) -> None:
        try:
            make_transient(known)
        except (TypeError, AttributeError, LookupError, InvalidRequestError):
            if not self.was_interrupted:  # else it may be between two states, in which SQLAlchemy cannot read it
                raise


def _those(how: Written, written: list[tuple[Written, Known]]) -> list[Known]:
    return [known for each, known in written if each == how]


def _by_entity(found: Iterable[Known]) -> Iterable[tuple[EntityPlan, list[Key]]]:
    keys: dict[EntityPlan, list[Key]] = {}
    for known in found:
        keys.setdefault(known.entity, []).append(known.key)
    return keys.items()


class _Block:
    """A block that is undone whole if it raises."""

    def __init__(self, session: EngineSession) -> None:
        self.session = session
        self.is_renewed = False  # by a statement of the user's own in the block; see `adoption`
        self.kept: dict[int, dict[str, Any]] = {}  # what changed objects had before, by id

    def __enter__(self) -> None:
        session = self.session
        call = (get_ident(),)
        try:
            session.begin_call(call)
            session.write()
            session.rows.take_turn()
            self.savepoint = session.rows.savepoint()
            self.written = len(session.written)
            session.blocks = (*session.blocks, self)
            session.end_call(call)
        except BaseException as error:
            try:
                session.end_call_by(call, error)
            finally:
                session.end_call(call)
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
                self._undo()
            session.end_call(call)
        except BaseException as raised_instead:
            session.end_call_by(call, raised_instead)
            raise
        finally:
            session.end_call(call)
            session.blocks = tuple(block for block in session.blocks if block is not self)

    def keep(self, known: Known) -> None:
        """Remember what an object had before the block changed it, as far as nobody has remembered it yet."""
        if id(known.instance) not in self.kept:
            documents = {attribute: known.row[each.position] for attribute, each in known.entity.documents}
            self.kept[id(known.instance)] = as_stored(known.entity, known.instance, documents)

    def _keep(self) -> None:
        try:
            self.session.write()
            self.savepoint.release()
        except BaseException as error:
            if not isinstance(error, HonestworkError):
                self.session.interrupted(error)  # before it is undone, which cannot rely on anything then
            if not self.session.closed:
                self._undo()
            raise

    def _undo(self) -> None:
        session = self.session
        session.fail()  # until all of it is undone
        is_there = self.savepoint.rollback()
        session.return_to(self, is_there=is_there and not session.was_interrupted)
        if is_there and not session.was_interrupted:
            session.recover()
