"""CHECKs evaluated in Python: by the evaluator of rules, for one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...rules.ternary import negated
from ..plan.tables import Check, Checks, Row, TablePlan, Twin
from .evaluation import Rows, compile_condition

__all__ = ["checks_of", "predicate"]


def checks_of(table: TablePlan, twins: Mapping[str, Twin]) -> Checks:
    """The CHECKs of a table, and for each of them whether a row satisfies it."""
    return [(check, predicate(table, check, twins)) for check in table.checks]


def predicate(table: TablePlan, check: Check, twins: Mapping[str, Twin]) -> Callable[[Row], bool]:
    """A function that tells whether a row passes: it fails only where the CHECK is false, and not where it is unknown.

    *twins* has the meaning of checks that only a database can answer.
    """
    if (twin := twins.get(check.name or "")) is not None:
        return lambda row: twin({each.name: each.decoded(row[each.position]) for each in table.columns}) is not False
    assert check.formula is not None, "the doctor has seen it"
    fails = compile_condition(negated(check.formula), Rows({(each.name,): each.position for each in table.columns}))
    return lambda row: not fails(row)
