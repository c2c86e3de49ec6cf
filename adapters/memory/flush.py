"""From changed objects to written rows, in the order in which SQLAlchemy's unit of work writes them.

The order can be seen through constraints, so it is part of the truth: table by table, those that are
referred to first, the updates by key and then the inserts in the order of adding; after all tables, the
deletes, those that refer first. That is why a unique value cannot move from a removed row to a new one
in a single flush, here as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import get_history, instance_dict

from ...domain.errors import UnitReadOnly
from ..aggregates import members_touched
from ..lookover import look_over_changed, look_over_new
from ..refusals import foreign
from ..schema import ChildrenPlan, EntityPlan, Row, TablePlan
from ..violations import conflict
from .instances import Known, commit_state, mark_deleted, owner_of

if TYPE_CHECKING:
    from .session import MemorySession

__all__ = ["Flush"]


class Flush:
    """One flush of one session. Runs once, under the lock of the store."""

    def __init__(self, session: MemorySession) -> None:
        self.session = session
        self.schema = session.store.schema
        self.transaction = session.transaction
        self.new: dict[int, tuple[EntityPlan, Any]] = {}  # by id, in the order of insertion
        self.changed: dict[int, Known] = {}
        self.removed: dict[int, Known] = {}
        self.owners: dict[int, tuple[ChildrenPlan, Any]] = {}  # of members that came to an owner, by the member's id

    def run(self) -> None:
        if self.session.reading:
            raise UnitReadOnly("a unit opened with `reading()` has changes: open it with `with uow:` to store them")
        self._collect()
        self._look_over()
        raised = self._roots_to_raise()
        for table in self.schema.tables.values():
            self._update(table, raised)
            self._insert(table)
        for table in reversed(self.schema.tables.values()):
            self._delete(table)
        self._settle()

    # What there is to do

    def _collect(self) -> None:
        session = self.session
        for gone in session.removed.values():
            self._collect_removed(gone)
        modified = [known for state in session.changes.modified if (known := session.known(state.obj())) is not None]
        for known in sorted(modified, key=_by_class_and_key):
            if id(known.instance) not in self.removed:
                self.changed[id(known.instance)] = known
        for instance in session.new.values():
            self._collect_new(self.schema.entities[type(instance)], instance)
        for known in list(self.changed.values()):
            self._collect_members(known.entity, known.instance)
        for known in list(self.changed.values()):
            self._collect_orphans(known)

    def _collect_new(self, entity: EntityPlan, instance: Any) -> None:
        if id(instance) in self.new:
            return
        if owner_of(instance) not in (None, self.session):
            foreign(entity, instance)
        self.new[id(instance)] = (entity, instance)
        self._collect_members(entity, instance)

    def _collect_members(self, entity: EntityPlan, owner: Any) -> None:
        """Members that came to their owner since it was stored: new ones, and ones that had another owner."""
        for children in entity.children:
            for member in get_history(owner, children.attribute).added or ():
                if member is None:
                    continue
                self.owners[id(member)] = (children, owner)
                if (known := self.session.known(member)) is not None:
                    self.changed[id(member)] = known
                else:
                    self._collect_new(self.schema.entities[type(member)], member)

    def _collect_orphans(self, known: Known) -> None:
        for children in known.entity.children:
            for member in get_history(known.instance, children.attribute).deleted or ():
                lost = self.session.known(member)
                if lost is not None and lost.entity.mapper._is_orphan(lost.state):
                    self._collect_removed(lost)

    def _collect_removed(self, known: Known) -> None:
        self.removed[id(known.instance)] = known
        self.changed.pop(id(known.instance), None)
        for children in known.entity.children:
            history = get_history(known.instance, children.attribute)
            for member in (*(history.unchanged or ()), *(history.deleted or ())):
                lost = self.session.known(member)
                if lost is not None and id(member) not in self.removed:
                    self._collect_removed(lost)

    def _look_over(self) -> None:
        for entity, instance in self.new.values():
            look_over_new(entity, instance)
        for known in self.changed.values():
            look_over_changed(known.entity, known.instance)

    def _roots_to_raise(self) -> set[int]:
        """The ids of the roots that get a new version because a member has changed."""
        if not self.schema.has_versioned_members:
            return set()
        touched = {
            *self.new,
            *(ident for ident, known in self.changed.items() if _row(known.entity, known.instance) != known.row),
        }
        return {
            id(known.instance)
            for known in self.session.all_known()
            if known.entity.version is not None
            and id(known.instance) not in self.removed
            and members_touched(known.entity, known.instance, touched)
        }

    # Doing it

    def _update(self, plan: TablePlan, raised: set[int]) -> None:
        known_here = {
            ident: known
            for ident, known in (*self.changed.items(), *((each, self._known(each)) for each in raised))
            if known.entity.table is plan
        }
        for known in sorted(known_here.values(), key=_by_class_and_key):
            self._adopt(known.instance)
            row = _row(known.entity, known.instance)
            if row != known.row or id(known.instance) in raised:
                self._update_one(known, row)

    def _update_one(self, known: Known, wanted: Row) -> None:
        entity, table = known.entity, self.session.store.tables[known.entity.table.name]
        stored = self._still_there(known)
        if stored is None:
            raise conflict("the row is gone")
        row = list(stored)
        for column in entity.table.columns:
            position = column.position
            if wanted[position] != known.row[position]:
                row[position] = wanted[position]
            elif column.onupdate is not None:
                row[position] = column.guard(column.onupdate())
        if entity.version is not None:
            row[entity.columns[entity.version].position] += 1
        self.transaction.update(table, known.key, stored, tuple(row))
        known.row = tuple(row)
        _tell(entity, known.instance, known.row)

    def _insert(self, plan: TablePlan) -> None:
        for entity, instance in self.new.values():
            if entity.table is plan:
                self._adopt(instance)
                self._insert_one(entity, instance)

    def _insert_one(self, entity: EntityPlan, instance: Any) -> None:
        table = self.session.store.tables[entity.table.name]
        row = self._new_row(entity, instance)
        key = entity.table.key(row)
        if (replaced := self._removed_with(entity, key)) is not None:
            self._replace(entity, instance, replaced)
            return
        self.transaction.insert(table, key, row)
        self._store(entity, key, row, instance)

    def _replace(self, entity: EntityPlan, instance: Any, replaced: Known) -> None:
        """A row that is deleted and inserted in one flush is updated, as the ORM does it."""
        table = self.session.store.tables[entity.table.name]
        stored = self._still_there(replaced)
        if stored is None:
            raise conflict("the row is gone")
        values = instance_dict(instance)
        row = tuple(
            [
                old if attribute is None or attribute not in values else column.encoded(values[attribute])
                for attribute, column, old in zip(entity.attributes, entity.table.columns, stored, strict=True)
            ]
        )
        self.transaction.update(table, replaced.key, stored, row)
        del self.removed[id(replaced.instance)]
        self.session.forget(replaced)
        self.session.deleted.append(replaced)
        self._store(entity, replaced.key, row, instance)

    def _store(self, entity: EntityPlan, key: Any, row: Row, instance: Any) -> None:
        _tell(entity, instance, row)
        self.session.inserted.append(self.session.register(entity, key, row, instance))

    def _delete(self, plan: TablePlan) -> None:
        table = self.session.store.tables[plan.name]
        here = [known for known in self.removed.values() if known.entity.table is plan]
        for known in sorted(here, key=_by_class_and_key):
            if self._still_there(known) is not None:
                self.transaction.delete(table, known.key)

    def _settle(self) -> None:
        session = self.session
        for known in self.removed.values():
            mark_deleted(known.state, True)
            session.forget(known)
            session.deleted.append(known)
        for _, instance in self.new.values():
            commit_state(self._known(id(instance)).state, session.changes)
        for known in self.changed.values():
            commit_state(known.state, session.changes)
        session.changes.modified.clear()
        session.new.clear()
        session.removed.clear()

    # Rows

    def _known(self, ident: int) -> Known:
        known = self.session.known_by_id(ident)
        assert known is not None
        return known

    def _removed_with(self, entity: EntityPlan, key: Any) -> Known | None:
        return next(
            (
                known
                for known in self.removed.values()
                if known.key == key and known.entity.identity_class is entity.identity_class
            ),
            None,
        )

    def _still_there(self, known: Known) -> Row | None:
        """The row as it stands now. Raises Conflict if its version is not the one that was loaded."""
        entity = known.entity
        row = self.transaction.view(self.session.store.tables[entity.table.name], known.key)
        if entity.version is not None:
            position = entity.columns[entity.version].position
            if row is None or row[position] != known.row[position]:
                raise conflict("its version has changed")
        return row

    def _adopt(self, member: Any) -> None:
        """Give a member the key of its owner, which is known by now."""
        if id(member) not in self.owners:
            return
        children, owner = self.owners[id(member)]
        owner_entity, entity = self.schema.entities[type(owner)], children.entity
        owned = instance_dict(member)
        for name, key_attribute in zip(children.reference_columns, owner_entity.key_attributes, strict=True):
            attribute = entity.attributes[entity.table.position(name)]
            assert attribute is not None
            owned[attribute] = instance_dict(owner).get(key_attribute)

    def _new_row(self, entity: EntityPlan, instance: Any) -> Row:
        values = instance_dict(instance)
        row = []
        for attribute, column in zip(entity.attributes, entity.table.columns, strict=True):
            value = None if attribute is None else values.get(attribute)
            if column.generated:
                value = self.session.store.tables[entity.table.name].next_key()
            elif attribute is not None and attribute == entity.version:
                value = 1
            elif value is None and column.default is not None:
                value = column.guard(column.default())
            row.append(column.encoded(value))
        return tuple(row)


def _row(entity: EntityPlan, instance: Any) -> Row:
    """The row that an object stands for now. A column without an attribute is not looked at: it never changes."""
    values = instance_dict(instance)
    return tuple(
        [
            None if attribute is None else column.encoded(values.get(attribute))
            for attribute, column in zip(entity.attributes, entity.table.columns, strict=True)
        ]
    )


def _tell(entity: EntityPlan, instance: Any, row: Row) -> None:
    """Give an object what the store has added to its row: keys, defaults, versions."""
    values = instance_dict(instance)
    for attribute, column, stored in zip(entity.attributes, entity.table.columns, row, strict=True):
        if attribute is not None and column.guard.encode is None:
            values[attribute] = stored
        elif attribute is not None and values.get(attribute) is None:
            values[attribute] = column.decoded(stored)


def _by_class_and_key(known: Known) -> Any:
    return (known.entity.name, known.key)
