"""One unit of work in memory: objects over the rows of a transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import instance_state

from ...domain.errors import UnreadableRow
from ...domain.repository import Repository
from ...service_layer import process
from ...service_layer.store import Session
from ..aggregates import loaded_with
from ..entities import EntityPlan, MembersPlan
from ..instances import as_stored, fill, give_back, identity, set_children, set_members
from ..ownership import NOBODY, owner_of, set_owner
from ..ports import entity_of, repository_class
from ..streams import Streaming
from ..tables import Key, Row
from ..turn import Ticket
from ..unreadable import unread
from ..usable import Usable, one_call_of_a_session
from ..violations import in_words_of_the_domain
from .flush import Flush
from .instances import (
    Changes,
    Known,
    Written,
    commit_state,
    make_transient,
    mark_changed_documents,
    mark_deleted,
)
from .repository import MemoryRepository
from .transaction import Transaction

if TYPE_CHECKING:
    from .store import MemoryStore

__all__ = ["MemorySession"]


Load = Callable[[EntityPlan, Key, Row], Any]

NO_ROW: Row = (object(),)  # no row is like this


class MemorySession(Usable, Streaming, Session):
    """The workspace of one unit of work in memory. Lives as long as the unit's `with` block.

    It keeps the identity map (one object for each key), what was added and removed since the last flush, and
    what is new since the last commit. Rows are the business of its transaction.
    """

    _released = False

    def __init__(self, store: MemoryStore, *, reading: bool) -> None:
        super().__init__()
        self.store = store
        self.reading = reading
        self.transaction = Transaction(store, self.fail, reading=reading)
        if store.turn is not None and not reading:
            self.be_numbered()
            self.transaction.turn, self.transaction.ticket = store.turn, Ticket(self.number)
        self.changes = Changes()
        self.pending: dict[int, tuple[EntityPlan, Any]] = {}  # new and not flushed, by id, in the order of arrival
        self.removed: dict[int, Known] = {}  # by id of the object
        self.written: list[tuple[Written, Known]] = []  # since the last commit
        self.documents: list[Known] = []  # those that have JSON values
        self.renewed = False  # a transaction has ended: what was loaded in it may have changed since
        self._known: dict[type[Any], dict[Key, Known]] = defaultdict(dict)
        self._by_id: dict[int, Known] = {}

    def repository(self, port: type[Repository[Any, Any]], aggregate: type[Any]) -> MemoryRepository[Any, Any]:
        entity = entity_of(self.store.schema, aggregate)
        repository: MemoryRepository[Any, Any] = repository_class(port, MemoryRepository)(self, entity)
        return repository

    @one_call_of_a_session
    def flush(self) -> None:
        self.write()

    def write(self) -> None:
        """Flush, inside of a call."""
        if self._usable_in is not process.this:
            self.require_usable()
        for known in self.documents:
            mark_changed_documents(known)
        if not (self.changes.modified or self.pending or self.removed):
            return
        if self.transaction.turn is not None:
            self.transaction.take_turn()
        flush = Flush(self)
        try:
            with self.store.lock:
                flush.run()
        except Exception as error:
            self.fail()
            flush.given.take_back()
            own = in_words_of_the_domain(error, self.store.schema.violations)
            if own is not error:
                raise own from error
            raise
        except BaseException:
            self.fail()
            flush.given.take_back()
            raise

    @one_call_of_a_session
    def commit(self) -> None:
        self.write()
        try:
            self.transaction.commit()
        except BaseException:
            self.fail()
            raise
        self.written.clear()
        self.renewed = True
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
        if self._process is not process.this:  # the child has forgotten what its parent's units held
            self.close_for_good()
            self._released = True
            return
        self.require_no_other_call()
        try:
            self._close()
        except BaseException:
            self.store.unlock()
            self._close()
            raise

    def abandon(self) -> bool:
        if self.closed or not self.is_of_this_process:
            return False
        self.close_for_good()
        self.transaction.ticket = None  # the turn is free from now on
        self.store.dropped.append(self.transaction)
        return True

    def interrupted(self, error: BaseException) -> BaseException:
        self.store.unlock()
        return super().interrupted(error)

    def _close(self) -> None:
        self.close_for_good()
        self.changes = self.transaction.lost = None  # type: ignore[assignment]  # nobody reports to this unit any more
        self._forget_everything()
        self._released = True

    # Objects

    def known(self, instance: object) -> Known | None:
        """What this unit knows of an object, if it has loaded or stored it."""
        return self._by_id.get(id(instance))

    def known_by_key(self, entity: EntityPlan) -> dict[Key, Known] | None:
        """What this unit knows of the objects of this class and of those that share its table, if it knows any."""
        return self._known.get(entity.identity_class)

    def known_by_id(self, ident: int) -> Known | None:
        """The same, by the id of an object that is known to be alive."""
        return self._by_id.get(ident)

    def all_known(self) -> Iterable[Known]:
        return self._by_id.values()

    def is_forgetting(self, entity: EntityPlan, aggregate: object) -> bool:
        """Is an aggregate with the same key removed, and not yet flushed?"""
        if not self.removed:
            return False
        key = entity.key_of(aggregate)
        return any(
            known.key == key and known.entity.identity_class is entity.identity_class for known in self.removed.values()
        )

    def register(self, entity: EntityPlan, key: Key, row: Row, instance: Any) -> Known:
        """From now on this object stands for this row."""
        state = instance_state(instance)
        known = Known(entity, key, row, instance, state)
        self._remember(known)
        state.key = (entity.identity_class, key if key.__class__ is tuple else (key,), None)
        state.honestwork_owner = self  # type: ignore[attr-defined]
        state._instance_dict = self.changes.reference
        return known

    def _remember(self, known: Known) -> None:
        self._known[known.entity.identity_class][known.key] = known
        self._by_id[id(known.instance)] = known
        if known.entity.documents:
            self.documents.append(known)

    def forget(self, known: Known) -> None:
        """This object stands for no row any more."""
        if known in self.documents:
            self.documents.remove(known)
        del self._known[known.entity.identity_class][known.key]
        del self._by_id[id(known.instance)]

    def attach(self, entity: EntityPlan, member: Any) -> None:
        """A new object belongs to this unit from now on, with its members, and is stored by the next flush."""
        ident = id(member)
        if self.closed or ident in self.pending:
            return
        if entity.cls is not type(member):
            entity = self.store.schema.entities[type(member)]
        instance_state(member).honestwork_owner = self  # type: ignore[attr-defined]
        self.pending[ident] = (entity, member)
        for relation in entity.relations:
            for each in relation.members(member):
                if owner_of(each) is None:
                    self.attach(relation.entity, each)

    def has(self, member: Any) -> bool:
        """Has the unit loaded or stored this object, and not forgotten it since?"""
        return id(member) in self._by_id

    def part(self, member: Any) -> None:
        """A new object that has lost its owner belongs to nobody again."""
        entity, _ = self.pending.get(id(member), (None, None))
        if entity is not None and entity.mapper._is_orphan(instance_state(member)):
            instance_state(member)._orphaned_outside_of_session = False  # it was this unit's
            self.detach(entity, member)

    def detach(self, entity: EntityPlan, member: Any) -> None:
        """Take back an object that was attached and not flushed, with its members."""
        if self.pending.pop(id(member), None) is not None:
            set_owner(member, None)
            for children in entity.children:
                for each in children.members(member):
                    self.detach(children.entity.of(each), each)

    def keep(self, entity: EntityPlan, member: Any) -> None:
        """Members are removed by the flush alone: there is nothing to take back."""

    def let_go(self, entity: EntityPlan, member: Any) -> None:
        """The member goes, and nobody has it."""
        if (known := self.known(member)) is not None:
            self.removed[id(member)] = known
        elif self.pending.pop(id(member), None) is not None:
            set_owner(member, None)

    def _release_pending(self) -> None:
        """Nothing is pending any more, and belongs to nobody."""
        for _, instance in self.pending.values():
            set_owner(instance, None)
        self.pending.clear()

    def find(self, entity: EntityPlan, key: Key, base_row: Row) -> tuple[EntityPlan, Row] | None:
        """(class, row) of an entity, from the row of its base's table; None if it is not of this class."""
        if entity.discriminator is None:
            return entity, base_row
        actual = entity.of_row(base_row)
        if not entity.covers(actual):
            return None
        row = base_row
        for part in actual.parts[1:]:
            piece = self.transaction.view(self.store.tables[part.table.name], key)
            if piece is None:
                raise unread(f"{actual.name} has no row in this table", table=part.table.name, key=key)
            row += piece
        return actual, row

    def load(self, entity: EntityPlan, key: Key, row: Row) -> Any:
        """The object that stands for a row, with its members: the same one each time."""
        known = self._known[entity.identity_class].get(key)
        if known is None:
            values = entity.decoded(row) if entity.documents else row
            known = self.register(entity, key, row, entity.hydrate(values))
            if entity.relations or entity.refusing_values:
                try:
                    entity.build_values(known.instance, key)
                    self._fill_members(entity, key, known.instance, self.load)
                except UnreadableRow:  # it is not whole: nobody may find it
                    self.forget(known)
                    raise
        elif known.row is not row and known.row != row:  # an earlier transaction of this unit has loaded it
            if known.entity is not entity:  # since then another unit has stored one of another subclass in its place
                for each in known.entity.tree(known.instance):
                    if (lost := self.known(each)) is not None:
                        self.forget(lost)
                return self.load(entity, key, row)
            known.row = row
            self._fill(known)
        elif self.renewed:
            self._fill_members(entity, key, known.instance, self.load)
        return known.instance

    def _fill(self, known: Known) -> None:
        fill(known.entity, known.instance, known.entity.decoded(known.row))
        known.entity.build_values(known.instance, known.key)
        self._fill_members(known.entity, known.key, known.instance, self.load)
        commit_state(known.state)
        self.changes.modified.discard(known.state)

    def _fill_members(self, entity: EntityPlan, key: Key, instance: Any, load: Load) -> None:
        for children in entity.children:
            rows = self.transaction.referring(children.reference, key)
            set_children(instance, children, self._load_all(children, rows, load))
        for links in entity.links:
            table = self.store.tables[links.entity.table.name]
            keys = [links.to_member.values(row) for _, row in self.transaction.referring(links.to_owner, key)]
            rows = [(each, row) for each in keys if (row := self.transaction.view(table, each)) is not None]
            set_members(instance, links.attribute, self._load_all(links, rows, load))

    def loading_apart(self) -> Load:
        """What gives objects that stand for rows and belong to nobody, with their members: one for each row."""
        apart: dict[Any, Any] = {}

        def load(entity: EntityPlan, key: Key, row: Row) -> Any:
            name = identity(entity, key)
            if name not in apart:
                apart[name] = instance = entity.hydrate(entity.decoded(row))
                instance_state(instance).key = name
                entity.build_values(instance, key)
                set_owner(instance, NOBODY)
                self._fill_members(entity, key, instance, load)
            return apart[name]

        return load

    def _load_all(self, members: MembersPlan, rows: list[tuple[Key, Row]], load: Load) -> list[Any]:
        loaded = []
        for key, base_row in sorted(rows, key=lambda found: members.order(found[1])):
            if (found := self.find(members.entity, key, base_row)) is not None:
                loaded.append(load(found[0], key, found[1]))
        return loaded

    def _return_to(self, written: int) -> None:
        """Bring the objects back to what the rows are again, after a rollback to a savepoint."""
        for known in self.documents:
            mark_changed_documents(known)
        self._release_pending()
        self.removed.clear()
        undone = self.written[written:]
        inserted = _those("inserted", undone)
        ghosts = {id(known.instance) for known in inserted}  # if they were deleted as well
        for known in inserted:
            if self.known(known.instance) is known:
                self.forget(known)
            make_transient(known)
        for known in _those("deleted", undone):  # after those that may have taken over their keys
            mark_deleted(known.state, False)
            if id(known.instance) in ghosts:
                continue
            self._remember(known)
            mark_changed_documents(known)
            if known.state.modified:  # also what was done to it while it was removed is undone
                self.changes.modified.add(known.state)
        self.written[written:] = [each for each in undone if each[0] == "changed"]
        self._load_again({id(known.instance) for known in _those("changed", undone)})

    def _load_again(self, flushed: set[int]) -> None:
        """Bring objects back to what their rows are again: whole aggregates, of which anything has been changed."""
        changed = flushed | {id(state.obj()) for state in self.changes.modified}
        roots = [
            known
            for known in self._by_id.values()
            if known.entity.is_root and any(id(each) in changed for each in loaded_with(known.entity, known.instance))
        ]
        stale = [known for known in self._by_id.values() if id(known.instance) in changed]
        for root in roots:
            whole = loaded_with(root.entity, root.instance)
            stale += [known for each in whole if (known := self.known(each)) is not None]
        rows = {id(known.instance): known.row for known in reversed(stale)}
        for known in stale:
            known.row = NO_ROW
        renewed, self.renewed = self.renewed, True  # so that every collection is filled again
        for root in roots:
            base_row = self.transaction.view(self.store.tables[root.entity.table.name], root.key)
            found = None if base_row is None else self.find(root.entity, root.key, base_row)
            if found is not None:
                self.load(found[0], root.key, found[1])
        self.renewed = renewed
        for known in stale:
            if known.row is NO_ROW:  # another unit has removed it
                known.row = rows[id(known.instance)]
                documents = {attribute: known.row[each.position] for attribute, each in known.entity.documents}
                give_back(known.entity, known.instance, as_stored(known.entity, known.instance, documents))
        self.changes.modified.clear()

    def _forget_everything(self) -> None:
        if self.pending or self.removed or self.written:
            self._release_pending()
            for known in _those("inserted", self.written):
                make_transient(known)
            for known in _those("deleted", self.written):
                mark_deleted(known.state, False)
            self.removed.clear()
            self.written.clear()
        self._known.clear()
        self._by_id.clear()
        if self.documents:
            self.documents.clear()
        self.transaction.end()
        self.renewed = True
        self.end_streams()


def _those(how: Written, written: list[tuple[Written, Known]]) -> list[Known]:
    return [known for each, known in written if each == how]


class _Block:
    """A block that is undone whole if it raises."""

    def __init__(self, session: MemorySession) -> None:
        self.session = session

    def __enter__(self) -> None:
        session = self.session
        call = (get_ident(),)
        try:
            session.begin_call(call)
            session.write()
            if session.transaction.turn is not None:
                session.transaction.take_turn()
            self.savepoint = session.transaction.savepoint()
            self.written = len(session.written)
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
                self._undo()
            session.end_call(call)
        except BaseException as raised_instead:
            session.end_call_by(call, raised_instead)
            raise

    def _keep(self) -> None:
        try:
            self.session.write()
        except BaseException:
            self._undo()
            raise
        self.savepoint.release()

    def _undo(self) -> None:
        self.savepoint.rollback()
        self.session._return_to(self.written)
        if not self.session.was_interrupted:
            self.session.recover()
