"""One transaction on rows, with snapshot isolation: what PostgreSQL's REPEATABLE READ does, measured.

Reads see the snapshot taken by the first of them, and the transaction's own writes over it. Writes look
past the snapshot, as a database's do:

- a row that was changed since the snapshot, or is locked by another transaction, is a Conflict;
- a unique value is compared with the newest committed rows, and with what others are about to commit;
- a new reference needs its target in the snapshot, unchanged by others meanwhile;
- a row can be deleted if nothing committed or about to be committed refers to it.

Where a database would wait for another transaction to end, this one does not: it raises LockTimeout at once,
as a database does whose lock timeout has passed. Nothing here knows of objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from ...domain.errors import (
    CheckFailed,
    ConstraintViolated,
    Duplicate,
    MissingValue,
    ReferenceViolated,
    Unavailable,
)
from ..engine.rows import Change, Deletion, Found, Place, Rows, Savepoint
from ..engine.turn import Ticket
from ..plan.entities import EntityPlan, LinksPlan, MembersPlan
from ..plan.tables import Key, Reference, Row, TablePlan, Unique
from ..plan.unreadable import unread
from ..plan.violations import conflict, lock_timeout, read_only, violation
from .searching import Search
from .tables import MemoryTable, Overlay

if TYPE_CHECKING:
    from ...rules.projection import Projection
    from ..engine.session import EngineSession
    from ..queries.query import Query
    from .store import MemoryStore

__all__ = ["MemoryRows"]

MISSING: Any = object()


class MemoryRows(Rows):
    """The rows that one unit of work sees and writes. Writing takes the store's lock."""

    snapshot: int | None = None
    crashed = False
    ticket: Ticket | None = None  # where the store has one writer
    _journal: list[tuple[Overlay, Key, Any]] | None = None  # (overlay, key, what was there before)

    def __init__(self, store: MemoryStore, *, reading: bool) -> None:
        self.store = store
        self.reading = reading
        self._overlays: dict[MemoryTable, Overlay] = {}
        self._held: list[tuple[dict[Any, Any], Any]] = []  # (where, which) of each lock
        self._searches: dict[type[Any], Search] = {}

    def serve(self, unit: EngineSession) -> None:
        self._unit = ref(unit)  # weakly, so that both go as soon as the unit has ended
        if self.store.turn is not None and not self.reading:
            unit.be_numbered()
            self.ticket = Ticket(unit.number)

    # What the engine reads

    def by_key(self, entity: EntityPlan, key: Key) -> Found | None:
        row = self.view(self.store.tables[entity.table.name], key)
        if row is None or entity.discriminator is None:
            return None if row is None else (entity, row)
        return self.whole(entity, key, row)

    def by_keys(self, entity: EntityPlan, keys: Sequence[Key]) -> list[Found]:
        return [found for key in keys if (found := self.by_key(entity, key)) is not None]

    def members(self, owner: EntityPlan, relation: MembersPlan, keys: Sequence[Key]) -> list[list[Found]]:
        return [self._members_of(relation, key) for key in keys]

    def _members_of(self, relation: MembersPlan, key: Key) -> list[Found]:
        if isinstance(relation, LinksPlan):
            table = self.store.tables[relation.entity.table.name]
            joined = [relation.to_member.values(row) for _, row in self.referring(relation.to_owner, key)]
            rows = [(each, row) for each in joined if (row := self.view(table, each)) is not None]
        else:
            rows = self.referring(relation.reference, key)  # type: ignore[attr-defined]
        if len(rows) > 1:
            rows.sort(key=lambda found: relation.order(found[1]))
        whole = [self.whole(relation.entity, each, row) for each, row in rows]
        return [found for found in whole if found is not None]

    def whole(self, entity: EntityPlan, key: Key, base_row: Row) -> Found | None:
        """Return a row with its pieces in other tables, from that of the base; None if it is not of this class."""
        if entity.discriminator is None:
            return entity, base_row
        actual = entity.of_row(base_row)
        if not entity.covers(actual):
            return None
        row = base_row
        for part in actual.parts[1:]:
            piece = self.view(self.store.tables[part.table.name], key)
            if piece is None:
                raise unread(f"{actual.name} has no row in this table", table=part.table.name, key=key)
            row += piece
        return actual, row

    def matching(self, asked: Query) -> list[Found]:
        entity = asked.entity
        rows = self._search(entity).rows(asked)
        return [(entity, row) for row in rows] if entity.is_plain else [(entity.of_row(row), row) for row in rows]

    def placed(self, asked: Query, last: int) -> tuple[list[Found], Place | None]:
        found = self.matching(asked)
        return found, self._search(asked.entity).place(asked, found[last][1]) if len(found) > last else None

    def count(self, asked: Query) -> int:
        return len(self._search(asked.entity).matching(asked))

    def exists(self, asked: Query) -> bool:
        return bool(self._search(asked.entity).matching(asked))

    def values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        return self._search(asked.entity).values(asked, wanted)

    def taken(self, table: TablePlan, unique: Unique, values: Sequence[Any]) -> set[Any]:
        here, number = self.store.tables[table.name], table.uniques.index(unique)
        return {value for value in values if self.find(here, number, value)}

    def some_keys(self, table: TablePlan, limit: int) -> Sequence[Key]:
        return sorted(key for key, _ in self.scan(self.store.tables[table.name]))[:limit]

    def _search(self, entity: EntityPlan) -> Search:
        search = self._searches.get(entity.cls)
        if search is None:
            table = self.store.tables[entity.table.name]
            search = self._searches[entity.cls] = Search(self, entity, table)
        return search

    # What the engine writes

    def insert(self, plan: TablePlan, rows: Sequence[Row]) -> Sequence[Row]:
        table = self.store.tables[plan.name]
        with self.store.lock:
            if self.snapshot is None:
                self.begin()
            overlay = self._overlay(table)
            return [self._insert(table, overlay, row) for row in rows]

    def update(self, plan: TablePlan, changes: Sequence[Change]) -> None:
        table = self.store.tables[plan.name]
        with self.store.lock:
            for change in changes:
                self._update(table, change)

    def delete(self, plan: TablePlan, deletions: Sequence[Deletion]) -> int:
        table = self.store.tables[plan.name]
        with self.store.lock:
            # All rows are locked before references are judged, as one DELETE of PostgreSQL does it.
            there = [each.key for each in deletions if self._claim_deletion(table, each)]
            for key in there:
                self._delete(table, key)
            return len(there)

    def require_writing(self) -> None:
        if self.reading:
            self.require_alive()
            raise read_only()

    def _insert(self, table: MemoryTable, overlay: Overlay, row: Row) -> Row:
        if (generated := table.plan.generated) is None:
            key = table.plan.key(row)
        else:
            key = table.next_key()
            row = (*row[:generated], key, *row[generated + 1 :])
        if None in row or table.checks:
            self._check_row(table, row)
        if generated is None:  # otherwise the table has just made the key, and nobody else knows of it
            self._claim_key(table, overlay, key)
        if table.uniques:
            self._check_uniques(table, key, row, None)
        if table.references:
            self._check_references(table, row, None)
        self._put(overlay, key, row)
        return row

    def _update(self, table: MemoryTable, change: Change) -> None:
        key = change.key
        old = self.view(table, key)
        if change.version is not None and (old is None or old[change.version[0]] != change.version[1]):
            raise conflict("its version has changed")
        if old is None:
            raise conflict("the row is gone")
        new = [*old]
        for position, value in change.values.items():
            new[position] = value
        row = tuple(new)
        if None in row or table.checks:
            self._check_row(table, row)
        self._claim_row(table, key)
        if table.uniques:
            if _is_renamed(table.plan, old, change):
                self._rename(table, key)
            self._check_uniques(table, key, row, old)
        if table.references:
            known = None if self._has_written(table, key) else old
            self._check_references(table, row, known)
        self._put(self._overlay(table), key, row)

    def _claim_deletion(self, table: MemoryTable, deletion: Deletion) -> bool:
        """Lock the row that is to be deleted. Return whether there is one."""
        key = deletion.key
        old = self.view(table, key)
        if deletion.version is not None and (old is None or old[deletion.version[0]] != deletion.version[1]):
            raise conflict("its version has changed")
        if old is None:
            return False
        self._claim_row(table, key)
        self._rename(table, key)
        return True

    def _delete(self, table: MemoryTable, key: Key) -> None:
        for reference in table.plan.referrers:
            self._check_unreferred(reference, key)
        self._put(self._overlay(table), key, None)

    # The transaction and its snapshot

    def begin(self) -> int:
        """Return the snapshot; it is taken now, if it was not yet."""
        if self.snapshot is None:
            if self.crashed:
                self.require_alive()
            if self.ticket is not None:
                self.take_turn()
            self.snapshot = self.store.begin(self)
        return self.snapshot

    def take_turn(self) -> None:
        if self.store.dropped:
            self.store.end_dropped()  # what they have locked is free
        if self.ticket is not None and self.ticket.place is None:
            assert self.store.turn is not None
            self.store.turn.take(self.ticket)

    def view(self, table: MemoryTable, key: Key) -> Row | None:
        """The row with this key, as this transaction sees it."""
        if self._overlays and (overlay := self._overlays.get(table)) is not None and key in overlay.rows:
            row: Row | None = overlay.rows[key]
            return row
        return table.at(key, self.begin() if self.snapshot is None else self.snapshot)

    def scan(self, table: MemoryTable) -> list[tuple[Key, Row]]:
        """All rows of a table, in no order."""
        snapshot = self.begin()
        overlay = self._overlays.get(table)
        with self.store.lock:
            rows = list(table.scan(snapshot))
        if overlay is None:
            return rows
        return [
            *((key, row) for key, row in rows if key not in overlay.rows),
            *((key, row) for key, row in overlay.rows.items() if row is not None),
        ]

    def rows(self, table: MemoryTable) -> list[Row]:
        """The same, without their keys."""
        if table in self._overlays or table.changed > self.begin():
            return [row for _, row in self.scan(table)]
        with self.store.lock:
            return list(table.rows.values()) if table.changed <= self.begin() else [row for _, row in self.scan(table)]

    def referring(self, reference: Reference, target: Key) -> list[tuple[Key, Row]]:
        """The rows whose reference points to this key, in no order."""
        table = self.store.tables[reference.table]
        return self.find(table, len(table.uniques) + reference.number, target)

    def find(self, table: MemoryTable, number: int, value: Any) -> list[tuple[Key, Row]]:
        """The rows that have this value in an index, in no order."""
        snapshot = self.begin()
        overlay = self._overlays.get(table)
        with self.store.lock:
            keys = table.find(table.indexes[number], value, snapshot)
        if overlay is not None:
            own = overlay.indexes[number].find(value)
            keys = [*(key for key in keys if key not in overlay.rows), *own]
            return [(key, row) for key in keys if (row := self.view(table, key)) is not None]
        return [(key, row) for key in keys if (row := table.at(key, snapshot)) is not None]

    def _overlay(self, table: MemoryTable) -> Overlay:
        overlay = self._overlays.get(table)
        if overlay is None:
            overlay = self._overlays[table] = Overlay(table.plan)
        return overlay

    def _put(self, overlay: Overlay, key: Key, row: Row | None) -> None:
        if self._journal is not None:
            self._journal.append((overlay, key, overlay.rows.get(key, MISSING)))
        if overlay.indexes:
            overlay.put(key, row)
        else:
            overlay.rows[key] = row

    def _newest(self, table: MemoryTable, key: Key) -> Row | None:
        """The row as everybody will see it, were this transaction to commit now."""
        overlay = self._overlays.get(table)
        if overlay is not None and key in overlay.rows:
            row: Row | None = overlay.rows[key]
            return row
        return table.rows.get(key)

    def _claim_row(self, table: MemoryTable, key: Key) -> None:
        if table.locks.get(key) is self:
            return  # what others have done to the row they did before; it may be a new one of this unit
        if table.stamps and table.stamps.get(key, 0) > self.begin():  # who locks it does not matter
            raise conflict()
        self._lock(table.locks, key)

    def _claim_key(self, table: MemoryTable, overlay: Overlay, key: Key) -> None:
        # The lock first: a database waits for whoever has it before it judges.
        self._require_unlocked(table.locks, key)
        if key in overlay.rows or key in table.rows or key in table.history:
            self._require_gone(table, key)
        self._held.append((table.locks, key))
        table.locks[key] = self

    def _require_gone(self, table: MemoryTable, key: Key) -> None:
        """There is a row with this key, or was one. Raises Duplicate, Conflict."""
        if self._newest(table, key) is not None:
            raise _taken(table.plan, table.plan.key_columns, table.plan.key_name, key)
        if self.view(table, key) is not None:
            raise conflict("it has removed the row with this key")

    def _check_row(self, table: MemoryTable, row: Row) -> None:
        plan = table.plan
        for column in plan.required:
            if row[column.position] is None:
                raise violation(MissingValue, plan.name, (column.name,), None)
        for check, holds in table.checks:
            if not holds(row):
                raise violation(CheckFailed, plan.name, check.columns, check.name)

    def _check_uniques(self, table: MemoryTable, key: Key, row: Row, old: Row | None) -> None:
        overlay = self._overlays.get(table)
        for number, unique in enumerate(table.plan.uniques):
            value = unique.values(row)
            if value is None or (old is not None and unique.values(old) == value):
                continue
            if overlay is not None and any(other != key for other in overlay.indexes[number].find(value)):
                raise _taken(table.plan, unique.columns, unique.name, value)
            for other in table.uniques[number].find(value):
                if other == key or (overlay is not None and other in overlay.rows):
                    continue
                self._require_unlocked(table.locks, other)  # whoever has it may be giving the value up
                raise _taken(table.plan, unique.columns, unique.name, value)
            self._lock(table.claims, (number, value))

    def _check_references(self, table: MemoryTable, row: Row, old: Row | None) -> None:
        for reference in table.plan.references:
            target = reference.values(row)
            if target is None or (old is not None and reference.values(old) == target):
                continue
            targets = self.store.tables[reference.target]
            if targets is table and target == table.plan.key(row):
                continue  # a row may refer to itself
            if self.view(targets, target) is None:
                raise self._broken(reference)
            if targets.renamed.get(target, 0) > self.begin():
                raise conflict("the row that is referred to has been removed, or known by another value")
            if targets.renaming.get(target, self) is not self:
                raise lock_timeout("the row that is referred to is being removed, or known by another value")
            self._share(targets, target)

    def _has_written(self, table: MemoryTable, key: Key) -> bool:
        """Is the row as it stands this transaction's? Then PostgreSQL checks its references again, changed or not."""
        return (overlay := self._overlays.get(table)) is not None and key in overlay.rows

    def _check_unreferred(self, reference: Reference, key: Key) -> None:
        table = self.store.tables[reference.table]
        number = reference.number
        own = key if reference.table == reference.target else MISSING  # a row that refers to itself can go
        overlay = self._overlays.get(table)
        if overlay is not None and any(
            other != own for other in overlay.indexes[len(table.uniques) + number].find(key)
        ):
            raise self._broken(reference)
        for other in table.references[number].find(key):
            if other != own and (overlay is None or other not in overlay.rows):
                if table.renaming.get(other, self) is not self:
                    raise lock_timeout("the row that refers to this one is being removed, or known by another value")
                raise self._broken(reference)

    @staticmethod
    def _broken(reference: Reference) -> ConstraintViolated:
        return violation(ReferenceViolated, reference.table, reference.columns, reference.name)

    # Locks

    def _require_unlocked(self, where: dict[Any, Any], which: Any) -> None:
        if where.get(which, self) is not self:
            raise lock_timeout("another unit is storing it right now")

    def _lock(self, where: dict[Any, Any], which: Any) -> None:
        self._held.append((where, which))  # first, for what is held and not noted would be held for ever
        if where.setdefault(which, self) is not self:
            raise lock_timeout("another unit is storing it right now")

    def _rename(self, table: MemoryTable, key: Key) -> None:
        """Remove a row, or change a unique value of it: nobody may refer to it meanwhile, nor have begun to."""
        if any(sharer is not self for sharer in table.sharers.get(key, ())):
            raise lock_timeout("a new row refers to this one")
        self._lock(table.renaming, key)

    def _share(self, table: MemoryTable, key: Key) -> None:
        self._held.append((table.sharers, key))
        table.sharers.setdefault(key, set()).add(self)

    def _release(self, since: int = 0) -> None:
        released = self._held
        if since:
            released = released[since:]
            kept = {(id(where), which) for where, which in self._held[:since]}
            released = [(where, which) for where, which in released if (id(where), which) not in kept]
        for where, which in released:
            owner = where.get(which)
            if owner is self:
                del where[which]
            elif owner.__class__ is set:  # others may share it
                owner.discard(self)
                if not owner:
                    del where[which]
        del self._held[since:]

    # Ending

    def commit(self) -> None:
        """Make all writes visible to the snapshots taken from now on. Raises Unavailable after a crash."""
        if self.crashed:
            self.require_alive()
        if self.snapshot is None and not self._held:
            self._release_turn()
            return
        with self.store.lock:
            try:
                if self._overlays:
                    self.store.publish(self, self._overlays)
            finally:
                self._end()

    def end(self) -> None:
        """Forget all writes and let go of everything. The next read begins a new transaction."""
        self.crashed = False
        if self.snapshot is None and not (self._held or self in self.store.snapshots):
            self._release_turn()
            return
        with self.store.lock:
            self._end()

    def _end(self) -> None:
        if self._held:
            self._release()
        self.store.end(self)
        if self._overlays:
            self._overlays = {}
        self._journal = None
        self.snapshot = None
        if self.ticket is not None:
            self._release_turn()

    def _release_turn(self) -> None:
        if self.ticket is not None:
            assert self.store.turn is not None
            self.store.turn.release(self.ticket)

    def require_alive(self) -> None:
        """Raises Unavailable after a crash."""
        if self.crashed:
            unit = self._unit()
            assert unit is not None  # it is asking
            unit.fail()
            raise Unavailable("the store has crashed, and this unit's transaction with it: run the service again")

    def crash(self) -> None:
        """Lose everything that is not committed, and be of no use until the unit rolls back."""
        self.end()
        self.crashed = True

    def interrupted(self, error: BaseException) -> BaseException:
        self.store.unlock()
        return error

    def abandon(self) -> None:
        self.ticket = None  # the turn is free from now on
        self.store.dropped.append(self)

    def leave_to_parent(self) -> None:
        """The child has forgotten what its parent's units held."""

    def savepoint(self) -> MemorySavepoint:
        """Set a savepoint. It begins nothing: the snapshot is still taken by the first read or write."""
        self.require_alive()
        return MemorySavepoint(self)


class MemorySavepoint(Savepoint):
    """A mark in a transaction in memory. Raises Unavailable after a crash."""

    def __init__(self, rows: MemoryRows) -> None:
        self._rows = rows
        self._outermost = rows._journal is None
        if rows._journal is None:
            rows._journal = []
        self._writes = len(rows._journal)
        self._locks = len(rows._held)

    def release(self) -> None:
        self._rows.require_alive()
        if self._outermost:
            self._rows._journal = None

    def rollback(self) -> bool:
        rows = self._rows
        rows.require_alive()
        journal = rows._journal
        assert journal is not None
        with rows.store.lock:
            for overlay, key, before in reversed(journal[self._writes :]):
                overlay.put(key, None if before is MISSING else before)
                if before is MISSING:
                    del overlay.rows[key]
            del journal[self._writes :]
            rows._release(self._locks)
        self.release()
        return True


def _taken(plan: TablePlan, columns: tuple[str, ...], name: str | None, value: Any) -> ConstraintViolated:
    error = violation(Duplicate, plan.name, columns, name)
    assert isinstance(error, Duplicate)
    error.values = dict(zip(columns, value if len(columns) > 1 else (value,), strict=True))
    return error


def _is_renamed(plan: TablePlan, old: Row, change: Change) -> bool:
    """Does a change give a row another unique value, if only beside a NULL? Databases lock it against references."""
    changes = change.values
    return any(position in changes and changes[position] != old[position] for position in plan.unique_positions)
