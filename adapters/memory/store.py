"""The store in memory: the tables of a mapping, without a database."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from ...domain.errors import BackendError
from ...service_layer.process import around_fork
from ...service_layer.store import Store
from ..engine.session import EngineSession
from ..engine.turn import Turn
from ..mapping.mapping import Mapping
from ..repositories.ports import Serving
from ..repositories.repository import cursor_key_of
from .fidelity import Fidelity, fidelity
from .repository import MemoryRepository
from .rows import MemoryRows
from .tables import MemoryTable, Overlay

__all__ = ["MemoryStore"]


class MemoryStore(Serving, Store):
    """Units of work in memory, for tests, that tell the truth about the database:

        store = MemoryStore(mapping)
        uow = Directory(store)

    It keeps rows, and never objects, in the tables that the mapping describes, and enforces what they
    declare: keys, unique, not null, foreign keys, checks, lengths, versions. Units are isolated from one another by
    snapshots, roll back for real, and raise the errors that a database would make them raise.

    Made in microseconds, empty; make one for each test. With a *cursor_key* the cursors of pages are signed, as by
    `SqlStore`.

    With *one_writer*, it stands for SQLite: one unit writes at a time, and others wait for their turn, up to
    *lock_timeout* seconds; see `SqlStore`.

    A fork copies the store: parent and child go on with what was committed, each for itself. Units that were open are
    the parent's, and hold nothing in the child.

    Raises MappingRefused if the mapping has something in it that cannot be imitated; BadValue if the cursor_key is no
    key.
    """

    def __init__(
        self,
        mapping: Mapping,
        *,
        one_writer: bool = False,
        lock_timeout: float = 5.0,
        cursor_key: bytes | None = None,
    ) -> None:
        super().__init__()
        self.schema = mapping.schema
        self.cursor_key = cursor_key_of(cursor_key)
        self.checks = self.schema.checks
        self.lock = threading.RLock()
        self.turn = Turn(lock_timeout, "store") if one_writer else None
        self.dropped: deque[MemoryRows] = deque()  # of units that were never left
        self.tables = _Tables(self)
        self.time = 0
        self.snapshots: dict[MemoryRows, int] = {}  # of the open transactions
        self.superseded: dict[MemoryTable, None] = {}  # those that keep rows for an older snapshot
        _stores.add(self)

    repository_base = MemoryRepository

    def open(self, *, reading: bool = False) -> EngineSession:
        if self.dropped:
            try:
                self.end_dropped()
            except BaseException:
                self.unlock()
                raise
        return EngineSession(self, MemoryRows(self, reading=reading), reading=reading)

    def create_tables(self) -> None:
        self.tables.dropped = False

    def drop_tables(self) -> None:
        self.tables.clear()
        self.tables.dropped = True

    def dispose(self) -> None:
        """There is nothing to release."""

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The committed rows of a table, in the order of their keys; for tests that look behind the repository."""
        found = self.table(table)
        return [
            {
                column.name: column.decoded(value)
                for column, value in zip(found.plan.columns, found.rows[key], strict=True)
            }
            for key in sorted(found.rows)
        ]

    def table(self, name: str) -> MemoryTable:
        """Raises BackendError if the table was dropped."""
        return self.tables[name]

    def crash(self) -> None:
        """What a power cut does: every open unit loses its transaction, and what was committed stays.

        The units get Unavailable from then on, until they roll back or end.
        """
        with self.lock:
            for rows in list(self.snapshots):
                rows.crash()

    def fidelity(self) -> Fidelity:
        """How true this store is to a database, constraint by constraint; print it to read it."""
        return fidelity(self.schema)

    def begin(self, rows: MemoryRows) -> int:
        """The snapshot of a new transaction."""
        with self.lock:
            self.snapshots[rows] = self.time
            return self.time

    def publish(self, rows: MemoryRows, overlays: dict[MemoryTable, Overlay]) -> None:
        """Make the rows of a transaction the newest ones, all at once: an interrupt comes after it, or before."""
        others = len(self.snapshots) > (rows in self.snapshots)
        time = self.time + 1
        try:
            self._publish(overlays, time, keep=others)
        except BaseException:
            self._publish(overlays, time, keep=others)  # what is done twice is as if it were done once
            raise

    def _publish(self, overlays: dict[MemoryTable, Overlay], time: int, *, keep: bool) -> None:
        for table, overlay in overlays.items():
            if keep:
                self.superseded[table] = None
            table.publish(overlay, time, keep=keep)
        self.time = time

    def unlock(self) -> None:
        """Let go of the lock in this thread, where an interrupt has left it held."""
        while self.lock._is_owned():  # type: ignore[attr-defined]
            self.lock.release()

    def end(self, rows: MemoryRows) -> None:
        """A transaction needs its snapshot no more; what only it could see is forgotten."""
        snapshot = self.snapshots.pop(rows, None)
        if self.superseded:
            oldest = min(self.snapshots.values(), default=self.time)
            if snapshot is not None and snapshot >= oldest and self.snapshots:
                return  # an older snapshot still needs all that this one needed
            for table in self.superseded:
                for key in list(table.history):
                    table.forget(key, oldest)
            self.superseded = {table: None for table in self.superseded if table.history}

    def end_dropped(self) -> None:
        """End the transactions of units that were never left."""
        while self.dropped:
            with suppress(IndexError, ValueError):  # another thread ends it too
                rows = self.dropped[0]
                rows.end()
                self.dropped.remove(rows)  # last: an interrupt leaves it to the next one who asks

    def _begin_in_child(self) -> None:
        """Nothing is open in a child process: its parent's units are not its own."""
        self.lock = threading.RLock()
        self.snapshots.clear()
        for table in self.tables.values():
            for locks in (table.locks, table.claims, table.sharers, table.renaming):
                locks.clear()


class _Tables(dict[str, MemoryTable]):
    """The tables by name, each made when it is first asked for: most tests need a few of them."""

    def __init__(self, store: MemoryStore) -> None:
        self.plans = store.schema.tables
        self.checks = store.checks
        self.dropped = False

    def __missing__(self, name: str) -> MemoryTable:
        if self.dropped:
            raise BackendError(f"there is no table {name}: it was dropped; create_tables() makes it again")
        return self.setdefault(name, MemoryTable(self.plans[name], self.checks[name]))


# A child must not find a store in the middle of a commit: whoever forks waits until no thread is in one.

_stores: WeakSet[MemoryStore] = WeakSet()
_held: list[MemoryStore] = []


def _hold() -> None:
    for store in list(_stores):
        store.lock.acquire()
        _held.append(store)


def _let_go() -> None:
    while _held:
        _held.pop().lock.release()


def _begin_in_child() -> None:
    while _held:
        _held.pop()._begin_in_child()


around_fork(_hold, _let_go, _begin_in_child)
