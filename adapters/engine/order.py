"""The order of writes, where the default one would break a constraint that another order keeps.

Three things ask for another order:

- a row refers to a row that is inserted: the insert comes first, also within one table;
- a row refers to a row that is deleted: the delete comes last;
- a unique value is handed on from one row to another: whoever gives it up comes first.

Where rows hand values on in a circle, as two that change places do, one of them takes an interim value first
(`interim.py`). All that is not asked for otherwise keeps the default order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from ...domain.errors import Duplicate, ReferenceViolated
from ..plan.schema import Schema
from ..plan.tables import Reference, Row, TablePlan, Unique
from ..plan.unreadable import may_be_shown
from .interim import Around, Interim, Wanting
from .rows import Rows
from .writes import Delete, Insert, Link, Update, Write

__all__ = ["arranged", "explained"]

GIVERS_TRIED = 10  # of a circle, where no interim value is found

Named = tuple[TablePlan, Any]  # a row, by its table and its key
BeforeAndAfter = tuple[Row | None, Row | None]  # what is known of a row


def arranged(schema: Schema, stored: Rows, writes: list[Write], transaction: int) -> list[Write]:
    """Return the writes in an order that keeps the constraints, the given one as far as possible.

    Raises Duplicate where rows exchange a unique value and there is no interim value that they may have, and
    ReferenceViolated where rows refer to one another in a circle. What was loaded in another transaction than the
    present one is perhaps not what the store has now.
    """
    tables = {write.table for write in writes}
    if not any(table.uniques or table.orders_rows for table in tables):
        return writes
    rows = [(write.before(), write.after()) for write in writes]
    handed = _Handed(writes, rows)
    if not handed.by_giver and not any(table.orders_rows for table in tables):
        return writes
    return _Sorter(schema, stored, writes, rows, handed, transaction).sorted()


class _Handed:
    """The unique values that one write gives up and another one takes, by the numbers of the writes."""

    def __init__(self, writes: Sequence[Write], rows: Sequence[BeforeAndAfter]) -> None:
        self.given: dict[tuple[Unique, Any], int] = {}
        self.taken: dict[tuple[Unique, Any], int] = {}
        for number, write in enumerate(writes):
            before, after = rows[number]
            for unique in write.table.uniques:
                old = None if before is None else unique.values(before)
                new = None if after is None else unique.values(after)
                if old != new:
                    if old is not None:
                        self.given[unique, old] = number
                    if new is not None:
                        self.taken[unique, new] = number
        self.by_giver: dict[int, dict[int, list[Unique]]] = {}  # giver, taker, and what is handed on
        for (unique, value), taker in self.taken.items():
            giver = self.given.get((unique, value))
            if giver is not None and giver != taker:
                self.by_giver.setdefault(giver, {}).setdefault(taker, []).append(unique)

        self._used: dict[Unique, set[Any]] = {}

    def used(self, unique: Unique) -> set[Any]:
        """All values of a unique constraint that any of the writes gives up or takes, also as an interim value."""
        if (used := self._used.get(unique)) is None:
            used = {value for each, value in (*self.given, *self.taken) if each is unique}
            self._used[unique] = used
        return used


class _Sorter:
    """Sorts the writes of one flush topologically; of those that may come next, the first in the default order does."""

    def __init__(
        self,
        schema: Schema,
        stored: Rows,
        writes: Sequence[Write],
        rows: Sequence[BeforeAndAfter],
        handed: _Handed,
        transaction: int,
    ) -> None:
        self.schema = schema
        self.transaction = transaction
        self.writes = writes
        self.rows = rows
        self.handed = handed
        self.gone: set[Named] = set()  # the rows that are deleted
        self.referring = {
            (first, second): reference for first, second, reference in self._references() if first != second
        }
        self.after: list[set[int]] = [set() for _ in writes]  # the numbers of the writes that have to wait for it
        for first, second in self.referring:
            self.after[first].add(second)
        for giver, takers in handed.by_giver.items():
            self.after[giver].update(takers)
        self.before: list[dict[int, None]] = [{} for _ in writes]  # the numbers of the writes that it has to wait for
        for first, seconds in enumerate(self.after):
            for second in seconds:
                self.before[second][first] = None
        self.done = [False] * len(writes)
        self.ready = [number for number, awaited in enumerate(self.before) if not awaited]
        self.path: dict[int, None] = {}  # writes, each of which waits for the next one
        self.first_left = 0  # all before it are done
        self.values = Interim(schema, stored)
        self.interim: dict[int, list[tuple[Unique, Any]]] = {}  # what rows have for a moment, by the writes that end it
        self.free: dict[Unique, set[Any]] = {}  # what was given up by now, and nobody takes

    def sorted(self) -> list[Write]:
        heapify(self.ready)
        ordered: list[Write] = []
        left = len(self.writes)
        while left:
            if not self.ready:
                ordered.append(self._break_a_circle())
                continue
            number = heappop(self.ready)
            self.done[number] = True
            left -= 1
            ordered.append(self.writes[number])
            self._note_free(number)
            for other in self.after[number]:
                self._let_go(number, other)
        return ordered

    def _note_free(self, number: int) -> None:
        """After this write no row has what it gave up, and what its row had for a moment."""
        table, (before, _) = self.writes[number].table, self.rows[number]
        for unique in table.uniques:
            value = None if before is None else unique.values(before)
            if self.handed.given.get((unique, value)) == number and (unique, value) not in self.handed.taken:
                self._let_have(table, unique, value)
        for unique, value in self.interim.pop(number, ()):
            self._let_have(table, unique, value)

    def _let_have(self, table: TablePlan, unique: Unique, value: Any) -> None:
        """From now on a row may have this value for a moment."""
        self.free.setdefault(unique, set()).add(value)
        self.values.release(table, unique, value)

    def _let_go(self, first: int, second: int) -> None:
        del self.before[second][first]
        if not self.before[second]:
            heappush(self.ready, second)

    # What has to wait for what

    def _references(self) -> Iterator[tuple[int, int, Reference]]:
        inserted: dict[Named, int] = {}
        new: dict[tuple[str, int], int] = {}  # by the table, and the id of the object
        deleted: dict[Named, int] = {}
        for number, write in enumerate(self.writes):
            before, after = self.rows[number]
            if isinstance(write, Insert):
                new[write.table.name, id(write.instance)] = number
                if (key := write.table.key(write.row)) is not None:
                    inserted[write.table, key] = number
            elif isinstance(write, Delete) and before is not None:
                deleted[write.table, write.table.key(before)] = number
        self.gone.update(deleted)
        tables = self.schema.tables
        for number, write in enumerate(self.writes):
            before, after = self.rows[number]
            for reference in write.table.references:
                target = tables[reference.target]
                if after is not None and (first := inserted.get((target, reference.values(after)))) is not None:
                    yield first, number, reference
                if before is not None and (last := deleted.get((target, reference.values(before)))) is not None:
                    yield number, last, reference
            sources: Sequence[Any] = ()
            if isinstance(write, Insert | Update):
                sources = [source for _, source, _ in write.waits]
            elif isinstance(write, Link):
                sources = write.owner, write.member
            for source in sources:
                for reference in write.table.references:
                    if (first := new.get((reference.target, id(source)))) is not None:
                        yield first, number, reference

    # Circles

    def _break_a_circle(self) -> Write:
        """Give up a unique value for an interim one, so that others need not wait for it any more."""
        circle = self._circle()
        waits = sorted(zip(circle, [*circle[1:], circle[0]], strict=True))  # (the first, the second of two writes)
        handing = [
            (giver, taker, uniques[0])
            for giver, taker in waits
            if (giver, taker) not in self.referring and (uniques := self.handed.by_giver.get(giver, {}).get(taker))
        ]
        if not handing:
            raise _circular(self.referring[waits[0]])
        for giver, _, unique in handing[:GIVERS_TRIED]:
            if (found := self._give_up(giver, unique)) is not None:
                return found
        giver, taker, unique = handing[0]
        raise _exchanged(self.writes[giver], self.writes[taker], unique)

    def _circle(self) -> list[int]:
        """Writes each of which waits for the one before it, and the first for the last; all that is left waits."""
        path, before = self.path, self.before
        while path and self.done[next(reversed(path))]:
            path.popitem()
        while self.done[self.first_left]:
            self.first_left += 1
        number = next(iter(before[next(reversed(path))])) if path else self.first_left
        while number not in path:
            path[number] = None
            number = next(iter(before[number]))
        circle = [number]
        while (last := path.popitem()[0]) != number:
            circle.append(last)
        path[number] = None  # it goes on from there when the circle is broken
        return circle

    def _give_up(self, giver: int, unique: Unique) -> Update | None:
        """The update that gives the row an interim value; None if there is none."""
        write = self.writes[giver]
        assert isinstance(write, Update | Delete)
        used, free = self.handed.used(unique), self.free.setdefault(unique, set())
        wanting = self._wanting(giver)
        around = Around(used, free, self.gone)
        values = self.values.values(write.table, unique, wanting, around, self._who_may_want(unique))
        if values is None:
            return None
        before = wanting.row
        if (interim := unique.values(_changed(before, values))) is not None:
            used.add(interim)  # another circle may be broken while the row has it
            free.discard(interim)
            self.interim.setdefault(giver, []).append((unique, interim))
        if isinstance(write, Update):
            for position in values:
                write.values.setdefault(position, before[position])
        for other, uniques in self.handed.by_giver[giver].items():
            if unique in uniques:
                uniques.remove(unique)
                if not uniques and (giver, other) not in self.referring:
                    self.after[giver].discard(other)
                    self._let_go(giver, other)
        return Update(write.known, write.part, values)

    def _who_may_want(self, unique: Unique) -> Iterator[Wanting]:
        """The rows that others wait for because of this constraint."""
        for giver, takers in self.handed.by_giver.items():
            if not self.done[giver] and any(unique in uniques for uniques in takers.values()):
                yield self._wanting(giver)

    def _wanting(self, giver: int) -> Wanting:
        write, (before, _) = self.writes[giver], self.rows[giver]
        assert isinstance(write, Update | Delete)
        assert before is not None
        if isinstance(write, Delete):
            return Wanting(before, (), may_be_put_back=True)  # nothing is
        # The row is locked, and a change since the snapshot is a conflict; one before it is found by the version alone.
        known = write.known
        is_current = known.transaction == self.transaction
        return Wanting(before, write.values, is_current or known.root.entity.version is not None)


def _changed(row: Row, values: Mapping[int, Any]) -> Row:
    return tuple([values.get(position, value) for position, value in enumerate(row)])


def _exchanged(one: Write, other: Write, unique: Unique) -> Duplicate:
    """The error of rows that exchange a unique value, where none of them can do without one meanwhile."""
    keys = [write.known.key for write in (one, other) if isinstance(write, Update | Delete)]
    shown = f" (those with the keys {' and '.join(map(str, keys))})" if all(map(may_be_shown, keys)) else ""
    return Duplicate(
        f"two rows of this unit exchange values of {one.table.name}({', '.join(unique.columns)}){shown}, and there is"
        " no value that one of them may have meanwhile: give it another one, flush(), and give it the right one then",
        table=one.table.name,
        columns=unique.columns,
        constraint=unique.name,
    )


def _circular(reference: Reference) -> ReferenceViolated:
    """The error of rows that refer to one another, so that none can be stored first, or removed first."""
    return ReferenceViolated(
        f"rows of this unit refer to one another in a circle by {reference.table}({', '.join(reference.columns)}), and"
        " none can be stored or removed first: let one of them refer to no row, flush(), and do the rest then",
        table=reference.table,
        columns=reference.columns,
        constraint=reference.name,
    )


def explained(error: Duplicate, writes: Sequence[Write]) -> Duplicate:
    """Say of a duplicate that both rows are of this unit, where they are; and decode its values."""
    table = next((write.table for write in writes if write.table.name == error.table), None)
    if table is None or not error.values:
        return error
    positions = [table.position(name) for name in error.columns]
    value = tuple(error.values.values())
    rows = [row for write in writes if write.table is table and (row := write.after()) is not None]
    if sum(tuple([row[position] for position in positions]) == value for row in rows) > 1:
        error.args = (
            f"two objects of this unit have the same value of {table.name}({', '.join(error.columns)}), which is in"
            " `values` of this error: look for it before you add the second, or give one of them another value",
        )
    columns = [table.columns[position] for position in positions]
    error.values = {column.name: column.decoded(held) for column, held in zip(columns, value, strict=True)}
    return error
