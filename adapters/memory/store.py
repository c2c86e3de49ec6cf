"""The store in memory: the tables of a mapping, without a database."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ...domain.errors import BackendError
from ...service_layer.store import Store
from ..mapping import Mapping
from ..repository import cursor_key_of
from .checks import predicate
from .fidelity import Fidelity, fidelity
from .session import MemorySession
from .tables import Checks, MemoryTable, Overlay

if TYPE_CHECKING:
    from .transaction import Transaction

__all__ = ["MemoryStore"]


class MemoryStore(Store):
    """Units of work in memory, for tests, that tell the truth about the database:

        store = MemoryStore(mapping)
        uow = Directory(store)

    It keeps rows, and never objects, in the tables that the mapping describes, and enforces what they
    declare: keys, unique, not null, foreign keys, checks, lengths, versions. Units are isolated from one another by
    snapshots, roll back for real, and raise the errors that a database would make them raise.

    Made in microseconds, empty; make one for each test. With a *cursor_key* the cursors of pages are signed, as by
    `SqlStore`.

    Raises MappingRefused if the mapping has something in it that cannot be imitated; BadValue if the cursor_key is no
    key.
    """

    def __init__(self, mapping: Mapping, *, cursor_key: bytes | None = None) -> None:
        self.schema = mapping.schema
        self.cursor_key = cursor_key_of(cursor_key)
        self.checks: dict[str, Checks] = mapping.prepared(_checks)
        self.lock = threading.RLock()
        self.tables = _Tables(self)
        self.time = 0
        self._open: dict[Transaction, int] = {}
        self._superseded: set[MemoryTable] = set()  # those that keep rows for an older snapshot

    def open(self, *, reading: bool = False) -> MemorySession:
        return MemorySession(self, reading=reading)

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
            for transaction in list(self._open):
                transaction.crash()

    def fidelity(self) -> Fidelity:
        """How true this store is to a database, constraint by constraint; print it to read it."""
        return fidelity(self.schema)

    def begin(self, transaction: Transaction) -> int:
        """The snapshot of a new transaction."""
        with self.lock:
            self._open[transaction] = self.time
            return self.time

    def publish(self, transaction: Transaction, overlays: dict[MemoryTable, Overlay]) -> None:
        """Make the rows of a transaction the newest ones, all at once."""
        others = len(self._open) > (transaction in self._open)
        time = self.time + 1
        for table, overlay in overlays.items():
            if others:
                self._superseded.add(table)
            table.publish(overlay, time, keep=others)
        self.time = time

    def end(self, transaction: Transaction) -> None:
        """A transaction needs its snapshot no more; what only it could see is forgotten."""
        self._open.pop(transaction, None)
        if self._superseded:
            oldest = min(self._open.values(), default=self.time)
            for table in self._superseded:
                for key in list(table.history):
                    table.forget(key, oldest)
            self._superseded = {table for table in self._superseded if table.history}


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


def _checks(mapping: Mapping) -> dict[str, Checks]:
    """What the checks of each table say, compiled."""
    return {
        plan.name: [(check, predicate(plan, check, mapping.twins)) for check in plan.checks]
        for plan in mapping.schema.tables.values()
    }
