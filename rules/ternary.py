"""Formulas in SQL's own logic, where an answer may be unknown: what a CHECK and the condition of an index are.

A rule asks whether an attribute is None before it asks more, so it is two-valued. A CHECK does not ask, and fails only
where it is false. The tree is the same one, and so is the evaluator: it tells where a formula is true, and a CHECK
holds where the opposite of its formula is not.

Nothing is simplified here: `a < 3 or a >= 3` is true of every number, and unknown of NULL.
"""

from __future__ import annotations

from .formula import FALSE, TRUE, Expr, opposite_of

__all__ = ["NULL", "UNKNOWN", "all_of", "any_of", "is_true", "negated"]

NULL = Expr("const", (None,), type(None))
UNKNOWN = Expr("const", (None,), bool)
"""What a comparison with NULL is."""


def all_of(*parts: Expr) -> Expr:
    return _joined("and", parts)


def any_of(*parts: Expr) -> Expr:
    return _joined("or", parts)


def negated(e: Expr) -> Expr:
    """The opposite: unknown where the formula is unknown, and with every `not` pushed down to the atoms."""
    if e in (TRUE, FALSE):
        return FALSE if e == TRUE else TRUE
    if e == UNKNOWN:
        return e
    if e.op in ("and", "or"):
        return (any_of if e.op == "and" else all_of)(*map(negated, e.args))
    if e.op == "not":
        opposite: Expr = e.args[0]
        return opposite
    if (other := opposite_of(e.op)) is not None:
        return Expr(other, e.args, bool)
    return Expr("not", (e,), bool)


def is_true(e: Expr) -> Expr:
    """`e IS TRUE`: false where the formula is unknown."""
    if e == UNKNOWN:
        return FALSE
    return e if _is_always_known(e) else Expr("istrue", (e,), bool)


def _is_always_known(e: Expr) -> bool:
    if e.op in ("and", "or", "not"):
        return all(map(_is_always_known, e.args))
    return e.op in ("isnull", "notnull", "istrue") or e in (TRUE, FALSE)


def _joined(op: str, parts: tuple[Expr, ...]) -> Expr:
    flat = [inner for part in parts for inner in (part.args if part.op == op else (part,))]
    return flat[0] if len(flat) == 1 else Expr(op, tuple(flat), bool)
