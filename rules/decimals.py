"""Decimals as rules calculate with them: exactly, whatever the context of the thread rounds to."""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow

__all__ = ["EXACT", "plain"]

EXACT = Context(prec=1_000, traps=[InvalidOperation, DivisionByZero, Overflow])
"""More digits than any calculation of a rule has."""


def plain(value: Decimal) -> str:
    """The one spelling of a number: without an exponent, trailing zeros, or the sign of a zero."""
    return format(value.normalize(EXACT), "f") if value else "0"
