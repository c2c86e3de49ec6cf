"""How rows are found in memory: by an index where a formula names its values, by one compiled scan otherwise.

Objects are built by the repository, for the rows that match and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...rules.formula import TRUE, Expr
from ...rules.projection import Projection
from ..engine.rows import Place
from ..plan.entities import ChildrenPlan, EntityPlan
from ..plan.tables import ColumnPlan, Key, Row
from ..queries.evaluation import Path, Rows, compile_scan, compile_sort, compile_values, lookups
from ..queries.query import Query

if TYPE_CHECKING:
    from .rows import MemoryRows
    from .tables import MemoryTable

__all__ = ["Search"]


class Search:
    """Finds the rows of one class for one unit. Lives as long as its session."""

    def __init__(self, rows: MemoryRows, entity: EntityPlan, table: MemoryTable) -> None:
        self.seen = rows
        self.entity = entity
        self.table = table

    @cached_property
    def layout(self) -> Rows:
        return _layout(self.seen, self.entity)

    def matching(self, asked: Query) -> list[Row]:
        """The rows for which the formula is true, in no order."""
        named = lookups(asked.formula)
        found = self._indexed(named)
        candidates = self._all() if found is None else self._whole(found)
        # The index has answered already where the formula says no more than which values there may be.
        answered = asked.formula is TRUE or (found is not None and asked.formula.op != "and")
        return candidates if answered or not candidates else compile_scan(asked.formula, self.layout)(candidates)

    def rows(self, asked: Query) -> list[Row]:
        """The rows that are asked for, in their order."""
        found = self.matching(asked)
        if len(found) > 1:
            compile_sort(asked.keys, self.layout)(found)
        end = None if asked.limit is None else asked.offset + asked.limit
        return found[asked.offset : end]

    def place(self, asked: Query, row: Row) -> Place:
        """The values of the order's keys in a row."""
        return compile_values([key.expression for key in asked.keys], self.layout)(row)

    def values(self, asked: Query, wanted: Projection[Any]) -> list[list[Any]]:
        """The values that the projection is made of, for each of the rows that are asked for."""
        read = compile_values(wanted.expressions, self.layout)
        decode = [(number, column.decoded) for number, column in self._encoded(wanted.expressions)]
        found = []
        for row in self.rows(asked):
            values = [*read(row)]
            for number, decoded in decode:
                values[number] = decoded(values[number])
            found.append(values)
        return found

    def _encoded(self, expressions: Sequence[Expr]) -> Iterator[tuple[int, ColumnPlan]]:
        """Which of these are read from columns whose rows hold something else than the value, as for JSON."""
        for number, each in enumerate(expressions):
            if each.op == "attr":  # nothing can be computed from such a value
                _, path, _ = each.args
                column = self.entity.fields[self.layout.positions[path]].column
                if column.guard.decode is not None:
                    yield number, column

    def _all(self) -> list[Row]:
        seen = self.seen
        return seen.rows(self.table) if self.entity.is_plain else self._whole(seen.scan(self.table))

    def _whole(self, found: list[tuple[Key, Row]]) -> list[Row]:
        """The rows with what they have in other tables, those of other classes left out."""
        if self.entity.is_plain:
            return [row for _, row in found]
        whole = (self.seen.whole(self.entity, key, row) for key, row in found)
        return [each[1] for each in whole if each is not None]

    def _indexed(self, named: dict[Path, tuple[Any, ...]]) -> list[tuple[Key, Row]] | None:
        """The rows that an index gives for the values that a formula names; None if there is no such index."""
        if not named:
            return None
        seen, table = self.seen, self.table
        for path, number in self.entity.indexed:
            if path in named:
                values = named[path]
                if number is None:
                    views = [(key, seen.view(table, key)) for key in dict.fromkeys(values)]
                    return [(key, row) for key, row in views if row is not None]
                if len(values) == 1:
                    return seen.find(table, number, values[0])
                return [pair for value in dict.fromkeys(values) for pair in seen.find(table, number, value)]
        return None


def _layout(rows: MemoryRows, entity: EntityPlan) -> Rows:
    positions: dict[Path, int] = {
        (each.attribute,): each.position for each in entity.fields if each.attribute is not None
    }
    for name, value in entity.values.items():
        positions |= {(name, part): each.position for part, each in zip(value.names, value.fields, strict=True)}
    collections: dict[Path, tuple[Callable[[Row], list[Row]], Rows]] = {
        (children.attribute,): (_children(rows, entity, children), _layout(rows, children.entity))
        for children in entity.children
    }
    return Rows(positions, collections)


def _children(rows: MemoryRows, entity: EntityPlan, children: ChildrenPlan) -> Callable[[Row], list[Row]]:
    def children_of(owner: Row) -> list[Row]:
        found = rows.referring(children.reference, entity.table.key(owner))
        whole = (rows.whole(children.entity, key, row) for key, row in found)
        return [each[1] for each in whole if each is not None]

    return children_of
