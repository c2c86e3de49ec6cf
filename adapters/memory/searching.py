"""How rows are found in memory: by an index where a formula names its values, by one compiled scan otherwise.

Objects are built by the repository, for the rows that match and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...domain.rules.formula import TRUE, Expr
from ...domain.rules.projection import Projection
from ..entities import ChildrenPlan, EntityPlan
from ..queries import Query
from ..tables import Key, Row
from .rules import Path, Rows, compile_scan, compile_sort, compile_values, lookups

if TYPE_CHECKING:
    from .session import MemorySession

__all__ = ["Search"]


class Search:
    """Finds the rows of one class for one session. Lives as long as its repository."""

    def __init__(self, session: MemorySession, entity: EntityPlan) -> None:
        self.session = session
        self.entity = entity
        self.table = session.store.table(entity.table.name)
        self.layout = _layout(session, entity)

    def matching(self, asked: Query) -> list[Row]:
        """The rows for which the formula is true, in no order."""
        self.session.flush()
        candidates = self._candidates(asked.formula)
        if not candidates:
            return candidates
        return candidates if asked.formula is TRUE else compile_scan(asked.formula, self.layout)(candidates)

    def rows(self, asked: Query) -> list[Row]:
        """The rows that are asked for, in their order."""
        found = list(self.matching(asked))
        if len(found) > 1:
            compile_sort(asked.keys, self.layout)(found)
        end = None if asked.limit is None else asked.offset + asked.limit
        return found[asked.offset : end]

    def values(self, asked: Query, wanted: Projection[Any]) -> list[Any]:
        """What the projection makes of the rows that are asked for."""
        read = compile_values(wanted.expressions, self.layout)
        return [wanted.build(read(row)) for row in self.rows(asked)]

    def _candidates(self, formula: Expr) -> list[Row]:
        """Rows that may match: those an index gives for the values that the formula names, else all."""
        found = self._indexed(lookups(formula))
        entity, transaction = self.entity, self.session.transaction
        if entity.is_plain:
            return transaction.rows(self.table) if found is None else [row for _, row in found]
        whole = (
            self.session.find(entity, key, row)
            for key, row in (transaction.scan(self.table) if found is None else found)
        )
        return [each[1] for each in whole if each is not None]

    def _indexed(self, named: dict[Path, tuple[Any, ...]]) -> list[tuple[Key, Row]] | None:
        if not named:
            return None
        transaction, plan = self.session.transaction, self.table.plan
        by_column = {
            self.entity.by_name[path[0]].column.name: values for path, values in named.items() if len(path) == 1
        }
        if plan.key_columns[0] in by_column and len(plan.key_columns) == 1:
            seen = [(key, transaction.view(self.table, key)) for key in dict.fromkeys(by_column[plan.key_columns[0]])]
            return [(key, row) for key, row in seen if row is not None]
        for number, unique in enumerate(plan.uniques):
            if len(unique.columns) == 1 and unique.columns[0] in by_column:
                values = dict.fromkeys(by_column[unique.columns[0]])
                return [pair for value in values for pair in transaction.find_unique(self.table, number, value)]
        for reference in plan.references:
            if len(reference.columns) == 1 and reference.columns[0] in by_column:
                values = dict.fromkeys(by_column[reference.columns[0]])
                return [pair for value in values for pair in transaction.referring(reference, value)]
        return None


def _layout(session: MemorySession, entity: EntityPlan) -> Rows:
    positions: dict[Path, int] = {
        (each.attribute,): each.position for each in entity.fields if each.attribute is not None
    }
    for name, value in entity.values.items():
        positions |= {(name, part): each.position for part, each in zip(value.names, value.fields, strict=True)}
    collections: dict[Path, tuple[Callable[[Row], list[Row]], Rows]] = {
        (children.attribute,): (_children(session, entity, children), _layout(session, children.entity))
        for children in entity.children
    }
    return Rows(positions, collections)


def _children(session: MemorySession, entity: EntityPlan, children: ChildrenPlan) -> Callable[[Row], list[Row]]:
    def rows(owner: Row) -> list[Row]:
        found = session.transaction.referring(children.reference, entity.table.key(owner))
        whole = (session.find(children.entity, key, row) for key, row in found)
        return [each[1] for each in whole if each is not None]

    return rows
