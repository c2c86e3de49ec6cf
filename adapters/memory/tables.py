"""Rows in memory as a database keeps them: committed versions, indexes, locks.

The newest committed row of a key stands in `rows`. While some unit of work still reads an older snapshot,
what was replaced stands in `history`, and `stamps` says when the newest one was committed; when nobody
needs them, both are empty and a row costs its tuple and one dict entry.

Times are counted in commits: a unit with the snapshot 7 sees what the commits 1 to 7 have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..plan.tables import Checks, Key, Row, TablePlan

if TYPE_CHECKING:
    from .rows import MemoryRows

__all__ = ["Index", "MemoryTable", "Overlay"]


class Index:
    """From the values of some columns to the keys of the rows that have them. NULLs are not indexed."""

    __slots__ = ("keys", "values")

    def __init__(self, values: Callable[[Row], Any]) -> None:
        self.values = values
        self.keys: dict[Any, dict[Key, None]] = {}

    def put(self, key: Key, row: Row) -> None:
        if (value := self.values(row)) is not None:
            self.keys.setdefault(value, {})[key] = None

    def drop(self, key: Key, row: Row) -> None:
        if (value := self.values(row)) is not None and (keys := self.keys.get(value)) is not None:
            keys.pop(key, None)
            if not keys:
                del self.keys[value]

    def find(self, value: Any) -> Iterable[Key]:
        return self.keys.get(value, ())


NONE: Sequence[Index] = ()


class Rows:
    """The rows of one table by key, and their indexes: one for each unique constraint and each reference."""

    __slots__ = ("indexes", "plan", "references", "rows", "uniques")

    def __init__(self, plan: TablePlan) -> None:
        self.plan = plan
        self.rows: dict[Key, Any] = {}
        self.uniques = self.references = self.indexes = NONE
        if plan.uniques or plan.references:
            self.uniques = [Index(unique.values) for unique in plan.uniques]
            self.references = [Index(reference.values) for reference in plan.references]
            self.indexes = [*self.uniques, *self.references]

    def put(self, key: Key, row: Row | None) -> None:
        if self.indexes:
            old = self.rows.get(key)
            for index in self.indexes:
                if old is not None:
                    index.drop(key, old)
                if row is not None:
                    index.put(key, row)
        self.rows[key] = row


class Overlay(Rows):
    """What one unit has written to a table and not committed. A deleted row is None."""

    __slots__ = ()


class MemoryTable(Rows):
    """The committed rows of one table, and the locks that open units hold on them."""

    __slots__ = (
        "changed",
        "checks",
        "claims",
        "history",
        "locks",
        "renamed",
        "renaming",
        "sequence",
        "sharers",
        "stamps",
    )

    def __init__(self, plan: TablePlan, checks: Checks) -> None:
        super().__init__(plan)
        self.checks = checks
        self.changed = 0  # the time of the newest commit that changed anything here
        self.stamps: dict[Key, int] = {}
        self.history: dict[Key, list[tuple[int, Row | None]]] = {}
        self.locks: dict[Key, MemoryRows] = {}
        self.claims: dict[tuple[int, Any], MemoryRows] = {}  # values of a unique constraint, by its number
        self.sharers: dict[Key, set[MemoryRows]] = {}  # units that refer to the row and need it to stay
        self.renaming: dict[Key, MemoryRows] = {}  # units that remove the row, or change a unique value of it
        self.renamed: dict[Key, int] = {}  # when that was last committed, as long as `stamps` has the row
        self.sequence = 0

    def next_key(self) -> int:
        """A generated key. Not part of any transaction: a rollback does not give it back."""
        self.sequence += 1
        return self.sequence

    def at(self, key: Key, snapshot: int) -> Row | None:
        """The row as a snapshot sees it."""
        # The row is read before its stamp and `publish` writes them the other way round, so that a commit
        # in between is seen whole or not at all.
        row: Row | None = self.rows.get(key)
        if not self.stamps or self.stamps.get(key, 0) <= snapshot:
            return row
        for stamp, old in reversed(self.history[key]):
            if stamp <= snapshot:
                return old
        return None

    def scan(self, snapshot: int) -> Iterator[tuple[Key, Row]]:
        """All rows that a snapshot sees, in no order."""
        if self.changed <= snapshot:
            yield from self.rows.items()
            return
        for key in {**self.rows, **self.history}:
            if (row := self.at(key, snapshot)) is not None:
                yield key, row

    def find(self, index: Index, value: Any, snapshot: int) -> list[Key]:
        """The keys of the rows that have these values, as a snapshot sees them."""
        if self.changed <= snapshot:
            return list(index.find(value))
        recent = [key for key, stamp in self.stamps.items() if stamp > snapshot]
        return [
            key
            for key in dict.fromkeys([*index.find(value), *recent])
            if (row := self.at(key, snapshot)) is not None and index.values(row) == value
        ]

    def publish(self, written: Overlay, time: int, *, keep: bool) -> None:
        """Make these rows, or their absence, the newest; with *keep*, somebody may still read those before."""
        if not (keep or self.stamps or self.indexes or None in written.rows.values()):
            self.rows.update(written.rows)
            self.changed = time
            return
        for key, row in written.rows.items():
            if row is None and key not in self.rows:
                continue  # it has come and gone in one transaction
            if keep and self.stamps.get(key) != time:  # else it is done again, after an interrupt
                self.history.setdefault(key, []).append((self.stamps.get(key, 0), self.rows.get(key)))
                self.stamps[key] = time
                if key in self.renaming:
                    self.renamed[key] = time
            elif not keep and self.stamps:
                self._forget(key)
            self.put(key, row)
            if row is None:
                self.rows.pop(key, None)
        self.changed = time

    def forget(self, key: Key, oldest: int) -> None:
        """Drop the versions of a row that no snapshot from *oldest* on can see."""
        if self.stamps.get(key, 0) <= oldest:
            self._forget(key)
            return
        versions = self.history[key]
        while len(versions) > 1 and versions[1][0] <= oldest:
            del versions[0]

    def _forget(self, key: Key) -> None:
        self.stamps.pop(key, None)
        self.history.pop(key, None)
        self.renamed.pop(key, None)
