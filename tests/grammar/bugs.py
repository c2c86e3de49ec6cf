"""Bugs, planted one at a time in the tracer, the evaluator and the compiler: the grammar has to find each of them.

    python -m tests.grammar.bugs sqlite

A proof that finds nothing may be blind. Each bug is looked for among as many formulas as are played in a minute or two.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from honestwork.adapters.queries import evaluation, query
from honestwork.adapters.sql import decimals, rules as sql
from honestwork.rules import after, formula, instrument, standins, trace_order
from honestwork.rules.formula import Expr

from .__main__ import DATABASES, stores_on
from .play import Played, play

__all__ = ["BUGS", "Bug", "find"]

Plant = Callable[[pytest.MonkeyPatch], None]
MOST = {"rules": 1_500, "orders": 120, "projections": 500}  # formulas to find a bug in
ROUGH = Context(prec=5)


class Bug(NamedTuple):
    """What is wrong, how to make it so, and in which kind of formulas it shows; *on* is the database that has it."""

    name: str
    plant: Plant
    shown_by: str = "rules"
    on: str | None = None


def _unknown_is_false(patch: pytest.MonkeyPatch) -> None:
    # `x != 1` without `x IS NULL OR`: what SQL does when nobody helps it
    right = formula.or_

    def wrong(*parts: Expr) -> Expr:
        nulls = [part for part in parts if part.op == "isnull"]
        rest = [part for part in parts if part.op != "isnull"]
        return right(*(rest if nulls and any(part.op in ("ne", "notin") for part in rest) else parts))

    patch.setattr(formula, "or_", wrong)


def _guards_go(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(formula, "_strict", lambda e, attribute: True)


def _outer_is_added_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standins, "scopes", lambda e: range(100))


def _none_is_multiplied(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(formula.Expr, "nullables", lambda self: ())


def _first_type_for_all(patch: pytest.MonkeyPatch) -> None:
    right = standins.equal_to

    def wrong(t: Any, e: Expr, value: Any) -> Expr | None:
        return right(t, e, int(value) if e.type is int and isinstance(value, float) and abs(value) < 10 else value)

    patch.setattr(standins, "equal_to", wrong)
    patch.setattr(instrument, "equal_to", wrong)


def _true_is_any_number_but_zero(patch: pytest.MonkeyPatch) -> None:
    right = standins.Symbol.__eq__

    def wrong(self: Any, other: Any) -> Any:
        return bool(self) if other is True else right(self, other)  # type: ignore[call-arg]

    patch.setattr(standins.Symbol, "__eq__", wrong)


def _order_without_key(patch: pytest.MonkeyPatch) -> None:
    def wrong(order_by: Any, cls: type, *, key: Any, facts: Any) -> Any:
        return trace_order(order_by, cls, key=(), facts=facts)

    patch.setattr(query, "trace_order", wrong)


def _cursor_is_rounded(patch: pytest.MonkeyPatch) -> None:
    def wrong(keys: Any, values: Sequence[object]) -> Expr:
        return after(keys, [ROUGH.plus(each) if isinstance(each, Decimal) else each for each in values])

    patch.setattr(query, "after", wrong)


def _nulls_at_the_other_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql._NullsLast, "place", "FIRST")


def _wildcards_stay_wild(patch: pytest.MonkeyPatch) -> None:
    templates = {"startswith": "{0}{1}", "endswith": "{1}{0}", "contains": "{1}{0}{1}"}

    def wrong(self: Any, value: str, dialect: Any) -> str:
        return templates[self.kind].format(value, "*" if dialect.name == "sqlite" else "%")

    patch.setattr(sql._Pattern, "process_bind_param", wrong)


def _decimals_are_rounded(patch: pytest.MonkeyPatch) -> None:
    for name, function in {"add": ROUGH.add, "sub": ROUGH.subtract, "mul": ROUGH.multiply}.items():
        patch.setitem(decimals._OF_TWO, name, function)


def _decimals_are_rounded_in_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluation, "EXACT", ROUGH)


def _remainder_has_the_sign_of_the_dividend(patch: pytest.MonkeyPatch) -> None:
    right = sql._Compiler._unary

    def wrong(self: Any, e: Expr) -> Any:
        return self.value(e.args[0]) % self.value(e.args[1]) if e.op == "mod" else right(self, e)

    patch.setattr(sql._Compiler, "_unary", wrong)


def _parentheses_go(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql, "Apart", lambda value: value)


def _operator(one: str, other: str) -> Plant:
    return lambda patch: patch.setitem(evaluation._COMPARISONS, one, other)


def _first_column_tells_whether_it_is_none(patch: pytest.MonkeyPatch) -> None:
    right = standins._read_value

    def wrong(t: Any, fact: Any, scope: int, path: tuple[str, ...]) -> Any:
        if not fact.nullable or t.straight:
            return right(t, fact, scope, path)
        name = next(iter(fact.attributes))
        if t.decide(formula.isnull(formula.attr(scope, (*path, name), fact.attributes[name].type, True))):
            return None
        return standins.Thing(t, fact.cls, scope, path, fact.attributes, optional=True)

    patch.setattr(standins, "_read_value", wrong)


def _sum_of_nothing_is_null(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sa.func, "coalesce", lambda value, _: value, raising=False)


def _members_are_those_of_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sa.Select, "correlate", lambda self, *_: self)


def _small_letters_are_ascii(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql, "_null_strict", lambda function: lambda text: text and text.encode().lower().decode())


def _length_in_bytes(patch: pytest.MonkeyPatch) -> None:
    def compiled(element: Any, compiler: Any, **kw: Any) -> str:
        return f"length({compiler.process(element.clauses, **kw)})"

    patch.setitem(sql._Length._compiler_dispatcher.specs, "default", compiled)  # type: ignore[attr-defined]


BUGS = [
    Bug("unknown counts as false", _unknown_is_false),
    Bug("a guard against None goes always", _guards_go),
    Bug("a sum is over the wrong scope", _outer_is_added_up),
    Bug("0 * None is added up", _none_is_multiplied, "projections"),
    Bug("a set has the type of its ints", _first_type_for_all),
    Bug("True equals every number but zero", _true_is_any_number_but_zero),
    Bug("an order ends without the key", _order_without_key, "orders"),
    Bug("the values of a cursor are calculated again, and rounded", _cursor_is_rounded, "orders"),
    Bug("NULLs are at the other end", _nulls_at_the_other_end, "orders"),
    Bug("wildcards are not escaped", _wildcards_stay_wild),
    Bug("Decimals are rounded on SQLite", _decimals_are_rounded, on="sqlite"),
    Bug("Decimals are rounded in memory", _decimals_are_rounded_in_memory),
    Bug("a remainder has the sign of the dividend", _remainder_has_the_sign_of_the_dividend),
    Bug("parentheses of a sum of floats go", _parentheses_go, "projections"),
    Bug("less or equal is less", _operator("le", "<")),
    Bug("not in is in", _operator("notin", "in")),
    Bug("the first column tells whether a value object is None", _first_column_tells_whether_it_is_none),
    Bug("a sum of nothing is NULL", _sum_of_nothing_is_null),
    Bug("lower() and upper() know ASCII alone", _small_letters_are_ascii, on="sqlite"),
    Bug("a length is in bytes", _length_in_bytes, on="mariadb"),
]


def find(bug: Bug, database: str, seed: int = 0) -> Played:
    """What was played until the bug showed, or until it was enough."""
    counts = {kind: most if kind == bug.shown_by else 0 for kind, most in MOST.items()}
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        with stores_on([database]) as stores:
            played = play(stores, **counts, seed=seed)
    return next(each for each in played if each.count)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.grammar.bugs", description=__doc__)
    parser.add_argument("database", choices=DATABASES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the names of the bugs to plant")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    bugs = [bug for bug in BUGS if bug.on in (None, given.database) and given.only in bug.name]
    found = 0
    for bug in bugs:
        started = time.monotonic()
        played = find(bug, given.database, given.seed)
        found += bool(played.faults)
        how = f"after {played.count} {played.kind}s" if played.faults else f"NOT FOUND in {played.count} {played.kind}s"
        print(f"{how}, {time.monotonic() - started:.0f} s: {bug.name}", flush=True)
    print(f"{given.database}: {found} of {len(bugs)} bugs found in rules, orders and pages")
    return 0 if found == len(bugs) else 1


if __name__ == "__main__":
    sys.exit(main())
