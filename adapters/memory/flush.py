"""From changed objects to written rows, in the order in which SQLAlchemy's unit of work writes them.

The order can be seen through constraints, so it is part of the truth: table by table, those that are
referred to first, the updates by key and then the inserts in the order of adding; after all tables, the
deletes, those that refer first. That is why a unique value cannot move from a removed row to a new one
in a single flush, here as there.

Most of what is flushed stands alone: objects without members, which are members of nothing. Where there is
nothing else, the walks over members are left out; all the rest is the same for everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import get_history, instance_dict, instance_state

from ...domain.errors import Duplicate
from ..aggregates import members_touched
from ..entities import ChildrenPlan, EntityPlan, FieldPlan, LinksPlan, Part
from ..instances import Given, complete_members
from ..lookover import look_over_changed, look_over_new, look_over_removed, refuse_members_of
from ..membership import settle_members
from ..refusals import foreign
from ..tables import Row, TablePlan
from ..violations import conflict, violation
from .instances import Known, commit_state, mark_deleted

if TYPE_CHECKING:
    from .session import MemorySession
    from .tables import MemoryTable
    from .transaction import Transaction

__all__ = ["Flush"]


class Flush:
    """One flush of one session. Runs once, under the lock of the store."""

    raised: Collection[int] = ()  # ids of the roots that get a new version because a member has changed
    given = Given(())  # what new objects had before

    def __init__(self, session: MemorySession) -> None:
        self.session = session
        self.schema = session.store.schema
        self.tables = session.store.tables
        self.transaction = session.transaction
        self.new = session.pending  # by id, in the order of arrival
        self.changed: dict[int, Known] = {}
        self.removed: dict[int, Known] = {}
        self.replaced: dict[int, Known] = {}  # removed rows that a new object takes over, by the new one's id
        self.adopted: dict[int, tuple[ChildrenPlan, Any]] = {}  # (relation, owner) of members that came to an owner
        self.written: dict[int, Row] = defaultdict(tuple)  # what stands in the tables for a new object, so far

    def run(self) -> None:
        self._collect()
        if self.new:
            self.given = Given([instance for _, instance in self.new.values()])
        self._look_over()
        self._find_raised()
        tables = self._tables_to_write()
        if self.removed:
            for table in reversed(tables):
                self._part(table)  # first of all: a new object may take over the row, and have members of its own
        for table in tables:
            if self.changed:
                self._update(table)
            if self.new:
                self._insert(table)
            if self.schema.joining:
                self._join(table)
        if self.removed:
            for table in reversed(tables):
                self._delete(table)
        self._settle()

    # What there is to do

    def _collect(self) -> None:
        session = self.session
        for state in session.changes.modified:
            known = session.known(state.obj())
            if known is not None and id(known.instance) not in session.removed:
                self.changed[id(known.instance)] = known
        if session.removed:
            self.removed = dict(session.removed)
        self.entities = self._classes()
        for entity in self.entities:
            if not entity.stands_alone:
                self._collect_members()
                self.entities = self._classes()
                break

    def _classes(self) -> set[EntityPlan]:
        """The classes of all that is flushed."""
        classes = {entity for entity, _ in self.new.values()} if self.new else set()
        if self.changed or self.removed:
            classes.update([known.entity for known in (*self.changed.values(), *self.removed.values())])
        return classes

    def _collect_members(self) -> None:
        session = self.session
        settle_members(
            session,
            self.schema.entities,
            new=[instance for _, instance in self.new.values()],
            changed=[known.instance for known in self.changed.values()],
            removed=[known.instance for known in session.removed.values()],
        )
        self.removed = dict(session.removed)
        for ident in self.removed:
            self.changed.pop(ident, None)
        for entity, instance in list(self.new.values()):
            state = instance_state(instance)
            if not entity.is_root and state._orphaned_outside_of_session and entity.mapper._is_orphan(state):
                session.detach(entity, instance)  # as the ORM does; others are written, and miss their owner
        for entity, instance in self.new.values():
            self._collect_adopted(entity, instance)
        for known in list(self.changed.values()):
            self._collect_adopted(known.entity, known.instance)

    def _collect_adopted(self, entity: EntityPlan, owner: Any) -> None:
        """Members that came to their owner since it was stored: new ones, and ones that had another owner."""
        for children in entity.children:
            for member in get_history(owner, children.attribute).added or ():
                if member is None:
                    continue
                self.adopted[id(member)] = (children, owner)
                if (known := self.session.known(member)) is not None:
                    self.changed[id(member)] = known
                elif id(member) not in self.new:
                    foreign(children.entity, member)

    def _look_over(self) -> None:
        if self.new:
            self._give_keys_of_owners()
            look_over_new(self.new.values())
        if self.changed:
            look_over_changed([(known.entity, known.instance) for known in self.changed.values()])
        if self.removed:
            look_over_removed((known.entity, known.instance) for known in self.removed.values())
        for entity, instance in [*self.new.values()]:
            if entity.table.generated is None:
                self._look_over_key(entity, instance)

    def _give_keys_of_owners(self) -> None:
        """Where the owner's key is part of a member's, one that is given twice is found before anything is written."""
        for _, instance in self.new.values() if self.schema.giving_keys and self.adopted else ():
            if id(instance) in self.adopted:
                children, owner = self.adopted[id(instance)]
                if children in self.schema.giving_keys.get(type(owner), ()):
                    self._adopt(instance)

    def _look_over_key(self, entity: EntityPlan, instance: Any) -> None:
        """A key that this unit has an object for is taken, whatever others have done to its row."""
        if not (at_hand := self.session.known_by_key(entity)):
            return
        known = at_hand.get(entity.key_of(instance))
        if known is None or id(known.instance) in self.removed:
            return
        table = self.tables[entity.table.name]
        if self.session.renewed and self.transaction.view(table, known.key) is None:
            refuse_members_of(known.entity, known.instance, instance)
            self._part_with(known)  # another unit has removed it since this one has committed
            return
        self.transaction.require_writing()
        raise violation(Duplicate, table.plan.name, table.plan.key_columns, table.plan.key_name)

    def _part_with(self, known: Known) -> None:
        """This object, whose row is gone, belongs to the unit no more, nor do its members: another has its key."""
        for each in known.entity.tree(known.instance):
            if (lost := self.session.known(each)) is not None:
                self.session.forget(lost)
                self.changed.pop(id(each), None)
            else:
                self.session.detach(self.schema.entities[type(each)], each)

    def _find_raised(self) -> None:
        if not self.schema.has_versioned_members:
            return
        touched = {
            *self.new,
            *(
                ident
                for ident, known in self.changed.items()
                if known.entity.row_of(known.instance, known.row) != known.row
            ),
        }
        self.raised = raised = set()
        for known in self.session.all_known():
            if (
                known.entity.version is not None
                and id(known.instance) not in self.removed
                and members_touched(known.entity, known.instance, touched)
            ):
                raised.add(id(known.instance))
                self.changed[id(known.instance)] = known
                self.entities.add(known.entity)

    def _tables_to_write(self) -> list[TablePlan]:
        """Those that are referred to come first."""
        if len(self.entities) == 1:
            (entity,) = self.entities
            tables = entity.written_tables
        else:
            tables = list({table for entity in self.entities for table in entity.written_tables})
        return sorted(tables, key=self._place) if len(tables) > 1 else tables

    def _place(self, table: TablePlan) -> int:
        return self.schema.order[table.name]

    # Doing it

    def _update(self, table: TablePlan) -> None:
        here = [(known, part) for known in self.changed.values() for part in known.entity.parts if part.table is table]
        for known, part in sorted(here, key=_by_key) if len(here) > 1 else here:
            if self.adopted:
                self._adopt(known.instance)
            wanted = known.entity.row_of(known.instance, known.row)
            if wanted != known.row or id(known.instance) in self.raised:
                _update_part(self.session, known, part, wanted)

    def _insert(self, plan: TablePlan) -> None:
        table = self.tables[plan.name]
        for ident, (entity, instance) in self.new.items():
            for part in entity.parts:
                if part.table is plan:
                    if self.adopted:
                        self._adopt(instance)
                    self.written[ident] += self._insert_part(entity, instance, part, table)

    def _insert_part(self, entity: EntityPlan, instance: Any, part: Part, table: MemoryTable) -> Row:
        values = instance_dict(instance)
        row = part.new_row(values, table.next_key)
        key = part.table.key(row)
        if self.removed and part is entity.parts[0] and (replaced := self._removed_with(entity, key)) is not None:
            del self.removed[id(replaced.instance)]
            self.replaced[id(instance)] = replaced
        if self.replaced and id(instance) in self.replaced:
            row = self._replace_part(entity, row, part, self.replaced[id(instance)])
        else:
            self.transaction.insert(table, key, row)
        part.tell(values, row)
        return row

    def _replace_part(self, entity: EntityPlan, row: Row, part: Part, replaced: Known) -> Row:
        """A row that is deleted and inserted in one flush is updated, as the ORM does it; its version goes on."""
        stored = _still_there(self.transaction, self.tables[part.table.name], replaced, part)
        if stored is None:
            raise conflict("the row is gone")
        row = tuple(
            [
                old if each.attribute is None else old + 1 if each is entity.version else new
                for each, new, old in zip(entity.fields[part.piece], row, stored, strict=True)
            ]
        )
        self.transaction.update(self.tables[part.table.name], replaced.key, stored, row)
        return row

    def _delete(self, table: TablePlan) -> None:
        here = [(known, part) for known in self.removed.values() for part in known.entity.parts if part.table is table]
        for known, part in sorted(here, key=_by_key):
            if _still_there(self.transaction, self.tables[table.name], known, part) is not None:
                self.transaction.delete(self.tables[table.name], known.key)

    def _join(self, table: TablePlan) -> None:
        """Write the rows that join members to members, where collections of them have changed."""
        if table not in self.schema.joining:
            return
        holders = [*self.new.values(), *((known.entity, known.instance) for known in self.changed.values())]
        changes = [
            (links, instance, get_history(instance, links.attribute))
            for entity, instance in holders
            for links in entity.links
            if links.table is table
        ]
        for links, instance, history in changes:
            for member in history.deleted or ():
                self._unlink(links, instance, member)
        for links, instance, history in changes:
            for member in history.added or ():
                if id(member) not in self.new and self.session.known(member) is None:
                    continue  # nobody stores it
                row = links.row(self._key(instance), self._key(member))
                key = links.table.key(row)
                if self.transaction.view(self.tables[table.name], key) is None:
                    self.transaction.insert(self.tables[table.name], key, row)

    def _part(self, table: TablePlan) -> None:
        """Delete the rows that join what is removed."""
        for known in self.removed.values():
            for links in known.entity.links:
                if links.table is table:
                    history = get_history(known.instance, links.attribute)
                    for member in (*(history.unchanged or ()), *(history.deleted or ())):
                        self._unlink(links, known.instance, member)

    def _unlink(self, links: LinksPlan, holder: Any, member: Any) -> None:
        key, table = links.table.key(links.row(self._key(holder), self._key(member))), self.tables[links.table.name]
        self.transaction.require_writing()
        if self.transaction.view(table, key) is None:
            raise conflict("the two are joined no more")
        self.transaction.delete(table, key)

    def _settle(self) -> None:
        session = self.session
        for known in (*self.removed.values(), *self.replaced.values()):
            mark_deleted(known.state, True)
            session.forget(known)
            session.written.append(("deleted", known))
        for ident, (entity, instance) in self.new.items():
            row = self.written[ident]
            if entity.relations:
                complete_members(entity, instance)
            known = session.register(entity, entity.table.key(row), row, instance)
            session.written.append(("inserted", known))
            commit_state(known.state)
        for known in self.changed.values():
            session.written.append(("changed", known))
            for name in known.entity.values:
                known.state.dict.pop(name, None)  # a value object is made again from its columns
            commit_state(known.state)
        session.pending.clear()
        session.changes.modified.clear()
        session.removed.clear()

    # Rows

    def _key(self, instance: Any) -> Any:
        return self.schema.entities[type(instance)].key_of(instance)

    def _removed_with(self, entity: EntityPlan, key: Any) -> Known | None:
        return next(
            (
                known
                for known in self.removed.values()
                if known.key == key and known.entity.identity_class is entity.identity_class
            ),
            None,
        )

    def _adopt(self, member: Any) -> None:
        """Give a member the key of its owner, which is known by now."""
        if id(member) in self.adopted:
            children, owner = self.adopted[id(member)]
            values, noted = instance_dict(member), instance_state(member).committed_state
            for attribute, source in children.adopted:
                noted.setdefault(attribute, values.get(attribute))
                values[attribute] = instance_dict(owner).get(source)


def _update_part(session: MemorySession, known: Known, part: Part, wanted: Row) -> None:
    """Write what has changed in one table of an object."""
    entity, table, transaction = known.entity, session.store.tables[part.table.name], session.transaction
    version = entity.version if part is entity.parts[0] else None
    piece, before = wanted[part.piece], known.row[part.piece]
    if version is None and piece == before:
        return
    stored = _still_there(transaction, table, known, part)
    if stored is None:
        raise conflict("the row is gone")
    row = _merged(part, stored, piece, before)
    if version is not None:
        row = (*row[: version.position], row[version.position] + 1, *row[version.position + 1 :])
    transaction.update(table, known.key, stored, row)
    seen = row if stored is before else _seen(part, row, piece, before, version)
    if seen is not piece:
        part.tell(instance_dict(known.instance), seen)
    if len(entity.parts) == 1:
        known.row = seen
    else:
        known.row = (*known.row[: part.piece.start], *seen, *known.row[part.piece.stop :])


def _still_there(transaction: Transaction, table: MemoryTable, known: Known, part: Part) -> Row | None:
    """The row as it stands now. Raises Conflict if its version is not the one that was loaded, UnitReadOnly."""
    transaction.require_writing()
    row = transaction.view(table, known.key)
    version = known.entity.version
    if (
        version is not None
        and part is known.entity.parts[0]
        and (row is None or row[version.position] != known.row[version.position])
    ):
        raise conflict("its version has changed")
    return row


def _merged(part: Part, stored: Row, wanted: Row, before: Row) -> Row:
    """What an UPDATE of the changed columns makes of the stored row."""
    if stored is before and not part.table.has_onupdate:
        return wanted
    return tuple(
        [
            now if now != old else column.renewed() if column.onupdate is not None else there
            for column, there, now, old in zip(part.table.columns, stored, wanted, before, strict=True)
        ]
    )


def _seen(part: Part, row: Row, wanted: Row, before: Row, version: FieldPlan | None) -> Row:
    """What the object has of a row that others may have changed too: what was written, and else what it had."""
    counted = None if version is None else version.column
    return tuple(
        [
            written if now != old or column.onupdate is not None or column is counted else now
            for column, written, now, old in zip(part.table.columns, row, wanted, before, strict=True)
        ]
    )


def _by_key(found: tuple[Known, Part]) -> Any:
    known, _ = found
    return known.entity.identity_class.__name__, known.key
