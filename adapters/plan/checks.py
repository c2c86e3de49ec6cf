"""CHECK constraints as formulas: what a row has to satisfy, read from what is declared.

A CHECK and a rule are one kind of expression. Here the first becomes a formula, whether it is written with SQLAlchemy
or as text; `queries/checks.py` tells which rows satisfy it, and `mapping/spelling.py` writes it for each database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Table

from ...rules.formula import Expr
from .expressions import read_expression
from .operands import Operands

__all__ = ["columns_in", "constants_in", "formula_of", "read_check", "read_condition"]

FORMULA = "formula of honestwork"


def read_condition(expression: Any, table: Table, subject: str, way_out: str) -> Expr:
    """The formula of a condition over the rows of a table: a CHECK, or the WHERE of an index.

    Raises MappingRefused for what not every database, and Python, answers alike. It says that of the *subject*, and
    what to do, the *way_out*.
    """
    return read_expression(expression, Operands(table, subject, way_out))


def read_check(check: CheckConstraint) -> Expr:
    """The formula of a CHECK, which is noted. Raises MappingRefused, as `read_condition` does."""
    found = formula_of(check)
    if found is None:
        found = check.info[FORMULA] = read_condition(
            check.sqltext,
            check.table,
            f"the check {check.name} of {check.table.name}",
            "what not every database answers alike has to be said in Python, too:"
            f" mapping.check_twin({check.name!r}, lambda row: …)",
        )
    return found


def formula_of(check: CheckConstraint) -> Expr | None:
    """The formula of a CHECK that was read."""
    found: Expr | None = check.info.get(FORMULA)
    return found


def columns_in(formula: Expr) -> tuple[str, ...]:
    """The columns that a formula asks for, each once."""
    return tuple(dict.fromkeys(each.args[1][0] for each in _parts(formula) if each.op == "attr"))


def constants_in(formula: Expr) -> tuple[Any, ...]:
    """The constants that a formula compares with, each once."""
    found = dict.fromkeys(each for each in _parts(formula) if each.op == "const" and each.type is not bool)
    return tuple(each.args[0] for each in found)


def _parts(part: Any) -> Iterator[Expr]:
    """An expression, and all that it is made of."""
    if isinstance(part, Expr):
        yield part
    if isinstance(part, tuple):
        for inner in part.args if isinstance(part, Expr) else part:
            yield from _parts(inner)
