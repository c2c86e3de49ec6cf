"""From changed objects to written rows.

The order of writing can be seen through constraints, so it is part of the promise. By default it is SQLAlchemy's:
table by table, those that are referred to first, the updates by key and then the inserts in the order of adding;
after all tables the deletes, those that refer first. `order.py` departs from it where another order keeps a
constraint that this one would break.

A flush has three steps: it collects what has changed, plans the writes, and sends them. Changed objects learn what
their rows hold after all of it is written, so that a flush that fails leaves them as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import get_history, instance_dict, instance_state

from ...domain.errors import Duplicate, ReferenceViolated
from ..internals import is_orphan, is_orphaned, set_deleted
from ..objects.instances import Given, complete_members, stored_order
from ..objects.membership import settle_members
from ..objects.refusals import foreign
from ..objects.validation import look_over_changed, look_over_new, look_over_removed, refuse_members_of
from ..plan.entities import ChildrenPlan, EntityPlan, LinksPlan, Part
from ..plan.tables import Row, TablePlan
from ..plan.violations import conflict, violation
from .order import arranged, explained
from .tracking import Known, commit_state
from .writes import Delete, Insert, Link, Unlink, Update, Wait, Write

if TYPE_CHECKING:
    from .session import EngineSession

__all__ = ["Flush"]

Pair = tuple[TablePlan, int, int]  # a table that joins, and the ids of two objects in it


class Flush:
    """One flush of one session. Runs once."""

    given = Given(())  # what new objects had before

    def __init__(self, session: EngineSession) -> None:
        self.session = session
        self.schema = session.schema
        self.rows = session.rows
        self.new = session.pending  # by id, in the order of arrival
        self.changed: dict[int, Known] = {}
        self.changes: dict[int, dict[int, Any]] = {}  # what their rows will hold, by position
        self.updates: list[Update] = []
        self.removed: dict[int, Known] = {}
        self.replaced: dict[int, Known] = {}  # removed rows that a new object takes over, by the new one's id
        self.adopted: dict[int, tuple[ChildrenPlan, Any]] = {}  # (relation, owner) of members that came to an owner
        self.unlinked: set[Pair] = set()
        self.stored: dict[int, Row] = {}  # what stands in the tables for a new object, so far
        self.moved: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []  # (values, noted, what they were)
        self.waiting: list[tuple[int, Update]] = []  # rows taken over by new objects, with the ids of these

    def run(self) -> None:
        self._collect()
        self._look_over()
        writes = self._planned()
        if writes:
            self.rows.require_writing()
            try:
                self._send(writes)
            except Duplicate as error:
                raise explained(error, writes) from error.__cause__
        self._settle()

    def take_back(self) -> None:
        """Take back what a failing flush has given to new objects, and to members that have moved."""
        for values, noted, before in reversed(self.moved):
            values.update(before)
            for attribute in before:
                noted.pop(attribute, None)
        self.given.take_back()

    # What there is to do

    def _collect(self) -> None:
        session, changed = self.session, self.changed
        stands_alone = True  # is nothing of it a member, or has members?
        for state in session.changes.modified:
            ident = id(state.obj())
            known = session.by_id.get(ident)
            if known is not None and ident not in session.removed:
                changed[ident] = known
                stands_alone = stands_alone and known.entity.stands_alone
        for entity, _ in self.new.values():
            stands_alone = stands_alone and entity.stands_alone
        if session.removed:
            self.removed = dict(session.removed)
            stands_alone = stands_alone and all(known.entity.stands_alone for known in self.removed.values())
        if not stands_alone:
            self._collect_members()
        for block in session.blocks:
            for known in self.changed.values():
                block.keep(known)

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
            if not entity.is_root and is_orphaned(state) and is_orphan(entity.mapper, state):
                session.expunge_pending(entity, instance)  # as the ORM does; others are written, and miss their owner
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
        given: Sequence[tuple[EntityPlan, Any, Any]] = ()
        if self.new:
            self.given = Given([instance for _, instance in self.new.values()])
            if self.adopted and self.schema.giving_keys:
                self._give_keys_of_owners()
            given = look_over_new(self.new.values())
        if self.changed:
            self._look_over_changed()
        if self.removed:
            look_over_removed((known.entity, known.instance) for known in self.removed.values())
        for entity, instance, key in given:
            self._look_over_key(entity, instance, key)

    def _look_over_changed(self) -> None:
        """Find out what the rows of changed objects will hold. Of several errors it is the same one on every store."""
        if len(self.changed) > 1:
            in_order = sorted(self.changed.values(), key=lambda known: stored_order(known.instance))
            self.changed = {id(known.instance): known for known in in_order}
        for known in self.changed.values():
            look_over_changed(known.entity, known.instance)
        for ident, known in self.changed.items():
            self.changes[ident] = known.entity.changes(known.instance, known.row)

    def _give_keys_of_owners(self) -> None:
        """Where the owner's key is part of a member's, one that is given twice is found before anything is written."""
        for _, instance in self.new.values():
            if id(instance) in self.adopted:
                children, owner = self.adopted[id(instance)]
                if children in self.schema.giving_keys.get(type(owner), ()):
                    self._adopt(instance)

    def _look_over_key(self, entity: EntityPlan, instance: Any, key: Any) -> None:
        """A key that this unit has an object for is taken, whatever others have done to its row."""
        known = self.session.by_key[entity.identity_class].get(key)
        if known is None:
            return
        if id(known.instance) in self.removed:
            self.replaced[id(instance)] = known
            return
        base = self.schema.entities[entity.identity_class]
        if known.transaction != self.session.transaction and self.rows.by_key(base, known.key) is None:
            refuse_members_of(known.entity, known.instance, instance)
            for each in known.entity.tree(known.instance):
                self.changed.pop(id(each), None)
            self.session.expunge_aggregate(known)  # another unit has removed it since this one has committed
            return
        self.rows.require_writing()
        table = entity.table
        raise violation(Duplicate, table.name, table.key_columns, table.key_name)

    # What is written

    def _planned(self) -> list[Write]:
        """All writes, in the default order; or in another one, where that is needed."""
        writes: list[Write] = []
        if self.changed:
            self._plan_updates()
            writes += self.updates
        if self.new:
            writes += self._inserts()
        unlinks = self._unlinked_with_removed() if self.removed else []
        if self.schema.joining:
            writes += self._links()
        if len(writes) > 1:
            writes.sort(key=self._place)
        if self.removed:
            # Links go first of all: a new object may take over the row of a removed one, and have members of its own.
            unlinks.sort(key=self._place, reverse=True)
            writes = [*unlinks, *writes, *self._deletes()]
        return arranged(self.schema, self.rows, writes, self.session.transaction) if len(writes) > 1 else writes

    def _place(self, write: Write) -> int:
        return self.schema.order[write.table.name]

    def _plan_updates(self) -> None:
        """Plan the rows that change, in the order of their keys in each table."""
        for ident, known in self.changed.items() if self.adopted else ():
            if ident in self.adopted:
                self._adopt(known.instance)
                self.changes[ident] = known.entity.changes(known.instance, known.row)
        bumped = self._bumped() if self.schema.has_versions else {}
        for ident, known in self.changed.items():
            new = self.changes[ident]
            if new or ident in bumped or ident in self.adopted:
                for part in known.entity.parts:
                    self._plan_update(known, part, new, is_bumped=ident in bumped)
        for ident, root in bumped.items():
            if ident not in self.changed:
                self._plan_update(root, root.entity.parts[0], {}, is_bumped=True)
        if len(self.updates) > 1:
            self.updates.sort(key=lambda update: (self._place(update), update.key))

    def _bumped(self) -> dict[int, Known]:
        """The roots that get a new version: of the aggregates in which anything has changed."""
        touched = [
            known
            for ident, known in self.changed.items()
            if self.changes[ident] or _has_other_members(known.entity, known.instance)
        ]
        if self.adopted:
            known_owners = [self.session.known(owner) for _, owner in self.adopted.values()]
            touched += [owner for owner in known_owners if owner is not None]
        roots = [known.root for known in touched]
        bumped = {
            id(root.instance): root
            for root in roots
            if root.entity.version is not None and id(root.instance) not in self.removed
        }
        for block in self.session.blocks:
            for known in bumped.values():
                block.keep(known)
        return bumped

    def _plan_update(self, known: Known, part: Part, new: dict[int, Any], *, is_bumped: bool) -> None:
        """Plan what is to be written in one table of a changed object."""
        entity, table = known.entity, part.table
        values = new
        if len(entity.parts) > 1:
            piece = part.piece
            values = {n - piece.start: value for n, value in new.items() if piece.start <= n < piece.stop}
        waits = self._waits(entity, part, known.instance) if self.adopted else ()
        expected = None
        if is_bumped and entity.version is not None and part is entity.parts[0]:
            position = entity.version.position
            before = known.row[position]
            expected, values[position] = (position, before), before + 1
        if not values and not waits:
            return
        if table.has_onupdate:
            for column in table.columns:
                if column.onupdate is not None and column.position not in values:
                    values[column.position] = column.renewed()
        self.updates.append(Update(known, part, values, expected, waits))

    def _inserts(self) -> list[Write]:
        """The rows of new objects, in the order of arrival."""
        writes: list[Write] = []
        adopted, replaced = self.adopted, self.replaced
        for ident, (entity, instance) in self.new.items():
            if ident in adopted:
                self._adopt(instance)
            values, heir_of = instance_dict(instance), replaced.get(ident)
            for part in entity.parts:
                row = part.new_row(values)
                if heir_of is None or part.table not in heir_of.entity.own_tables:
                    waits = self._waits(entity, part, instance) if part.piece.start or ident in adopted else ()
                    writes.append(Insert(part, instance, row, waits))
                else:
                    update = self._take_over(entity, part, instance, row, heir_of)
                    if update.values or update.waits:
                        writes.append(update)
        return writes

    def _take_over(self, entity: EntityPlan, part: Part, instance: Any, row: Row, replaced: Known) -> Update:
        """A row that is deleted and inserted in one flush is updated, as the ORM does it; its version goes on."""
        before = replaced.piece_in(part.table)
        values: dict[int, Any] = {}
        expected = None
        for each, new, old in zip(entity.fields[part.piece], row, before, strict=True):
            position = each.column.position
            if each is entity.version:
                values[position] = old + 1
                expected = position, old
            elif each.attribute is not None and each.column.name not in part.table.key_columns:
                values[position] = new
        self.stored[id(instance)] = (
            *self.stored.get(id(instance), ()),
            *(values.get(n, old) for n, old in enumerate(before)),
        )
        update = Update(replaced, part, values, expected, self._waits(entity, part, instance))
        if update.waits:
            self.waiting.append((id(instance), update))
        return update

    def _waits(self, entity: EntityPlan, part: Part, instance: Any) -> list[Wait]:
        """What a row needs of keys that are not generated yet: the owner's, and in a second table its own."""
        waits: list[Wait] = []
        if id(instance) in self.adopted:
            children, owner = self.adopted[id(instance)]
            for ours, theirs in children.adopted:
                if ours in part.places and instance_dict(owner).get(theirs) is None:
                    waits.append((part.places[ours], owner, theirs))
        if part is not entity.parts[0] and entity.generated_key is not None and id(instance) in self.new:
            (key,) = part.table.key_columns
            waits.append((part.table.position(key), instance, entity.generated_key))
        return waits

    def _deletes(self) -> list[Delete]:
        """The rows that go, those that refer first, and in the order of their keys in each table."""
        deletes: list[Delete] = []
        replaced = {id(known.instance): ident for ident, known in self.replaced.items()}
        for ident, known in self.removed.items():
            kept = self.new[replaced[ident]][0].own_tables if ident in replaced else ()
            version = known.entity.version
            for part in known.entity.parts:
                if part.table not in kept:
                    expected = None
                    if version is not None and part is known.entity.parts[0]:
                        expected = version.position, known.row[version.position]
                    deletes.append(Delete(known, part, expected))
        deletes.sort(key=lambda delete: (-self._place(delete), delete.key))
        return deletes

    def _unlinked_with_removed(self) -> list[Write]:
        """The rows that join what is removed to others."""
        unlinks: list[Write] = []
        for known in self.removed.values():
            for links in known.entity.links:
                history = get_history(known.instance, links.attribute)
                for member in (*(history.unchanged or ()), *(history.deleted or ())):
                    self._unlink(links, known.instance, member, unlinks)
        return unlinks

    def _links(self) -> list[Write]:
        """The rows that join members to members, where collections of them have changed."""
        writes: list[Write] = []
        holders = [*self.new.values(), *((known.entity, known.instance) for known in self.changed.values())]
        changes = [
            (links, instance, get_history(instance, links.attribute))
            for entity, instance in holders
            for links in entity.links
        ]
        for links, instance, history in changes:
            for member in history.deleted or ():
                self._unlink(links, instance, member, writes)
        joined: set[Pair] = set()
        for links, instance, history in changes:
            for member in history.added or ():
                if id(member) not in self.new and self.session.known(member) is None:
                    raise violation(  # nobody stores it: it was new, and its owner has it no more
                        ReferenceViolated, links.table.name, links.to_member.columns, links.to_member.name
                    )
                pair = _pair(links, instance, member)
                if pair not in joined:  # it may be noted on both sides
                    joined.add(pair)
                    writes.append(Link(links, instance, member, self._key))
        return writes

    def _unlink(self, links: LinksPlan, owner: Any, member: Any, writes: list[Write]) -> None:
        pair = _pair(links, owner, member)
        if member is not None and pair not in self.unlinked:  # it may be noted on both sides
            self.unlinked.add(pair)
            writes.append(Unlink(links.table, links.row(self._key(owner), self._key(member))))

    # Writing it

    def _send(self, writes: list[Write]) -> None:
        """Send the writes in their order, neighbours of one kind and one table together."""
        batch: list[Write] = []
        for write in writes:
            if batch and (type(write) is not type(batch[0]) or write.table is not batch[0].table):
                self._send_together(batch)
                batch = []
            batch.append(write)
        self._send_together(batch)

    def _send_together(self, batch: Sequence[Any]) -> None:
        kind, table = type(batch[0]), batch[0].table
        if kind is Update:
            for write in batch:
                if write.waits:
                    write.complete()
            self.rows.update(table, batch)
        elif kind is Insert:
            rows = self.rows.insert(table, [write.complete() if write.waits else write.row for write in batch])
            for write, row in zip(batch, rows, strict=True):
                instance, part = write.instance, write.part
                part.tell(instance_dict(instance), row)
                self.stored[id(instance)] = (*self.stored[id(instance)], *row) if part.piece.start else row
        elif kind is Link:
            self.rows.insert(table, [link.complete() for link in batch])
        elif self.rows.delete(table, batch) != len(batch) and kind is Unlink:
            raise conflict("the two are joined no more")

    def _settle(self) -> None:
        session = self.session
        if self.removed:
            self._settle_removed()
        if self.new:
            self._settle_new()
        for update in self.updates:
            self._tell(update)
        for known in self.changed.values():
            session.written.append(("changed", known))
            for name in known.entity.values:
                known.state.dict.pop(name, None)  # a value object is made again from its columns
            commit_state(known.state)
        for ident, (_, owner) in self.adopted.items():
            if (member := session.by_id.get(ident)) is not None:
                member.owner = session.known(owner)
        session.changes.modified.clear()

    def _settle_removed(self) -> None:
        session = self.session
        for known in self.removed.values():
            set_deleted(known.state, True)
            session.expunge(known)
            session.written.append(("deleted", known))
        session.removed.clear()

    def _settle_new(self) -> None:
        session, stored = self.session, self.stored
        for ident, update in self.waiting:
            row, start = [*stored[ident]], update.part.piece.start
            for position, _, _ in update.waits:
                row[start + position] = update.values[position]
            stored[ident] = tuple(row)
        for ident, (entity, instance) in self.new.items():
            whole = stored[ident]
            if ident in self.replaced:
                for part in entity.parts:
                    part.tell(instance_dict(instance), whole[part.piece])
            if entity.relations:
                complete_members(entity, instance)
            known = session.register(entity, entity.table.key(whole), whole, instance)
            session.written.append(("inserted", known))
            commit_state(known.state)
        session.pending.clear()

    def _tell(self, update: Update) -> None:
        """Give a changed object what its row holds now."""
        known, part = update.known, update.part
        row, start = [*known.row], part.piece.start
        for position, value in update.values.items():
            row[start + position] = value
        known.row = tuple(row)
        if id(known.instance) not in self.changed:  # a root whose member has changed
            self.session.written.append(("changed", known))
        if update.version is not None or update.waits or update.table.has_onupdate:
            part.tell(known.state.dict, known.row[part.piece])

    # Keys

    def _key(self, instance: Any) -> Any:
        return self.schema.entities[type(instance)].key_of(instance)

    def _adopt(self, member: Any) -> None:
        """Give a member the key of its owner, as far as it is known by now."""
        children, owner = self.adopted[id(member)]
        values, noted = instance_dict(member), instance_state(member).committed_state
        if id(member) not in self.new:
            kept = {attribute for attribute, _ in children.adopted if attribute not in noted}
            self.moved.append((values, noted, {name: values[name] for name in kept if name in values}))
        for attribute, source in children.adopted:
            noted.setdefault(attribute, values.get(attribute))
            values[attribute] = instance_dict(owner).get(source)


def _has_other_members(entity: EntityPlan, instance: Any) -> bool:
    """Return whether a member has come to this object or gone from it."""
    return any(get_history(instance, members.attribute).has_changes() for members in entity.relations)


def _pair(links: LinksPlan, owner: Any, member: Any) -> Pair:
    """Names two objects that are joined, in the same order whichever of them has the collection."""
    one, other = (owner, member) if links.owner_positions < links.member_positions else (member, owner)
    return links.table, id(one), id(other)
