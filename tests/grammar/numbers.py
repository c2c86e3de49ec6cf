"""Tells whether a calculation has more than 64 bits: rules cannot, see "What is not noticed" in docs/rules.md."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from .domain import NAMESPACE, Specimen
from .generator import Tree
from .productions import DECIMAL_TURN, GRAIN, INT_TURN, PART, TEXT_TURN

__all__ = ["is_beyond"]


def is_beyond(tree: Tree, people: Sequence[Specimen]) -> bool:
    """May a calculation in it have a result that databases have not: of more than 64 bits, or beyond all floats?

    A database may calculate what Python does not come to, behind a condition that is not true.
    """
    parts = [part for part in tree.all() if part.production.takes and part.production.makes != "rule"]
    return any(_goes_beyond(part, people) for part in parts)


def _goes_beyond(tree: Tree, people: Sequence[Specimen]) -> bool:
    text = str(tree)
    loops = "".join(f" for {name} in {_SOURCES[cls]}" for name, cls in tree.seen[1:] if name in text)
    source = ast.parse(f"lambda u: [was_beyond(lambda: {text}){loops}]", mode="eval")
    watched = ast.fix_missing_locations(_Watching().visit(source))
    calculate = eval(compile(watched, "<watched>", "eval"), NAMESPACE | _WATCHING)
    return any(any(calculate(each)) for each in people)


_SOURCES = {
    PART: "u.parts",
    GRAIN: "[grain for part in u.parts for grain in part.grains]",
    INT_TURN: "(1, 2, 3, -1, 2**53)",
    DECIMAL_TURN: "(D('0.1'), D(2))",
    TEXT_TURN: "('a',)",
}


class _Watching(ast.NodeTransformer):
    """Has each result looked at, also those behind a condition, and those of a collection that is empty."""

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        return ast.comprehension(node.target, _call("some", node.iter), [], 0)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult):
            return _call("times", node.left, node.right)
        return _call("looked_at", node) if isinstance(node.op, ast.Add | ast.Sub | ast.Mod) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _call("looked_at", node) if isinstance(node.op, ast.USub) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "sum":
            return _call("added_up", *node.args)
        return _call("looked_at", node) if isinstance(node.func, ast.Name) and node.func.id == "abs" else node


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


class _Beyond(Exception):
    """A result that no database has."""


def _looked_at(value: Any) -> Any:
    if (type(value) is int and not -(2**63) <= value < 2**63) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise _Beyond
    return value


def _times(one: Any, other: Any) -> Any:
    result = _looked_at(one * other)
    if isinstance(result, float) and not result and one and other:
        raise _Beyond  # some databases round to zero, and some do not
    return result


def _added_up(values: Iterable[Any], start: Any = 0) -> Any:
    total = start
    for each in values:
        total = _looked_at(total + each)
    return total


def _was_beyond(calculate: Callable[[], Any]) -> bool:
    try:
        calculate()
    except _Beyond:
        return True
    except Exception:  # as it is without being watched
        return False
    return False


_GRAIN = SimpleNamespace(size=7, weight=Decimal("3.33"), mark=None)
_PART = SimpleNamespace(
    **{"number": 7, "price": Decimal("3.33"), "label": "a", "maybe": 7, "tag": None, "is_ok": True, "share": 2.5},
    **{"made": date(2000, 1, 1), "grains": [_GRAIN]},
)


def _some(values: Any) -> Any:
    """The values of a loop; of children at least one, for a database may calculate what nobody asks for."""
    if isinstance(values, list) and not values:
        return [SimpleNamespace(**vars(_GRAIN), **vars(_PART))]
    return values


_WATCHING = {"some": _some, "looked_at": _looked_at, "times": _times, "added_up": _added_up, "was_beyond": _was_beyond}
