"""Numbers as rules compare and calculate with them: exactly, whatever their types and the thread's context are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from .facts import Scalar
from .formula import Expr, const

__all__ = ["EXACT", "in_the_type_of", "measure", "plain", "remainder"]

EXACT = Context(prec=1_000, traps=[InvalidOperation, DivisionByZero, Overflow])
"""More digits than any calculation of a rule has."""


def plain(value: Decimal) -> str:
    """The one spelling of a number: without an exponent, trailing zeros, or the sign of a zero."""
    if not value:
        return "0"
    spelled = format(value, "f")
    return spelled.rstrip("0").rstrip(".") if "." in spelled else spelled


def remainder(dividend: int, divisor: int) -> int:
    """SQL's %: it has the sign of the dividend."""
    left = abs(dividend) % abs(divisor)
    return -left if dividend < 0 else left


def in_the_type_of(e: Expr, op: str, number: Any) -> tuple[str, Expr | None]:
    """A comparison of an int with a fraction, or of a float with an int, as one with a number of the type of *e*.

    Databases convert one into the other, and not as Python compares them: `i < 2.5` is `i <= 2`. The constant is
    None where no number of that type is equal, or all of them are on one side.
    """
    if e.type is int:
        below: Any = math.floor(number)
    else:
        try:
            below = float(number)
        except OverflowError:
            return op, None
        if below > number:
            below = math.nextafter(below, -math.inf)
    if below == number:
        return op, const(below)
    return ("le" if op in ("lt", "le") else "gt"), (None if op in ("eq", "ne") else const(below))


def measure(scalars: Mapping[Expr, Scalar], e: Expr, *, rows: int = 0) -> tuple[int, int] | None:
    """How many digits a number may have before and behind the point; None if an attribute does not tell.

    *scalars* are the facts of the attributes in it, and *rows* is how many digits the count of the rows of
    a sum may have.
    """
    match e.op:
        case "const":
            if e.type is int:
                return len(str(abs(e.args[0]))), 0
            if e.type is Decimal:
                # 1E1 has one digit fewer than none behind the point: what is multiplied by it has one fewer, too.
                return max(0, e.args[0].adjusted() + 1), -int(e.args[0].as_tuple().exponent)
            return None
        case "attr":
            fact = scalars.get(e)
            return None if fact is None or fact.digits is None else (fact.digits - fact.scale, fact.scale)
        case "length" | "year" | "month" | "day":
            return 10, 0
        case "mod" | "rem":
            return measure(scalars, e.args[1])
        case "sum":
            value = measure(scalars, e.args[5], rows=rows)
            return None if value is None else (value[0] + rows, value[1])
    parts = [measure(scalars, each, rows=rows) for each in e.children()]
    known = [each for each in parts if each is not None]
    if len(known) < len(parts):
        return None
    before, after = [each[0] for each in known], [each[1] for each in known]
    if e.op == "mul":
        return sum(before), sum(after)
    return max(before) + (e.op in ("add", "sub")), max(after)
