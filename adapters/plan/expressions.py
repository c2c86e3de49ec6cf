"""CHECKs that are written as SQLAlchemy's expressions, read into a formula."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from sqlalchemy import ColumnClause, ColumnElement, TextClause
from sqlalchemy.sql import elements, operators
from sqlalchemy.sql.functions import FunctionElement

from ...rules.formula import FALSE, TRUE, Expr
from ...rules.ternary import NULL, all_of, any_of, negated
from .operands import Operands
from .texts import read_text

__all__ = ["read_expression"]

COMPARISONS = {
    operators.eq: "eq",
    operators.ne: "ne",
    operators.lt: "lt",
    operators.le: "le",
    operators.gt: "gt",
    operators.ge: "ge",
}
CALCULATIONS = {operators.add: "add", operators.sub: "sub", operators.mul: "mul", operators.mod: "rem"}
PATTERNS: dict[Any, dict[str, bool]] = {
    operators.like_op: {},
    operators.startswith_op: {"behind": True},
    operators.endswith_op: {"before": True},
    operators.contains_op: {"before": True, "behind": True},
}
NEGATIVE: dict[Any, Any] = {
    operators.is_not: operators.is_,
    operators.is_distinct_from: operators.is_,
    operators.not_in_op: operators.in_op,
    operators.not_between_op: operators.between_op,
    operators.not_like_op: operators.like_op,
    operators.not_startswith_op: operators.startswith_op,
    operators.not_endswith_op: operators.endswith_op,
    operators.not_contains_op: operators.contains_op,
}
NAMES = {operators.ilike_op: "ilike", operators.truediv: "/", operators.floordiv: "/"}


def read_expression(expression: Any, operands: Operands) -> Expr:
    """The formula. Raises MappingRefused for what not every database answers alike."""
    if isinstance(expression, TextClause):
        return read_text(expression.text, operands)
    return operands.condition(_Reader(operands).value(expression))


class _Reader:
    def __init__(self, operands: Operands) -> None:
        self.operands = operands

    def condition(self, expression: Any) -> Expr:
        return self.operands.condition(self.value(expression))

    def value(self, expression: Any) -> Expr:
        match expression:
            case elements.Grouping() | elements.AsBoolean() | elements.Label():
                inner = self.value(expression.element)
                return negated(self.operands.condition(inner)) if _says_no(expression) else inner
            case elements.True_() | elements.False_():
                return TRUE if isinstance(expression, elements.True_) else FALSE
            case elements.Null():
                return NULL
            case elements.BindParameter():
                return self.operands.constant(expression.effective_value)
            case elements.BooleanClauseList():
                joined = any_of if expression.operator is operators.or_ else all_of
                return joined(*map(self.condition, expression.clauses))
            case elements.ExpressionClauseList() if expression.operator in (*CALCULATIONS, operators.concat_op):
                return reduce(self._calculation(expression.operator), map(self.value, expression.clauses))
            case elements.UnaryExpression(operator=operators.inv):
                return negated(self.condition(expression.element))
            case elements.UnaryExpression(operator=operator.neg):
                return self.operands.turned("neg", self.value(expression.element))
            case elements.BinaryExpression():
                return self._binary(expression)
            case elements.Extract():
                return self.operands.part(str(expression.field), self.value(expression.expr))
            case FunctionElement():
                return self._function(expression)
            case TextClause():  # without parentheses of its own, it may mean another thing than where it stands alone
                raise self.operands.refuse("has a text within an expression: write all of it in one of the two ways")
            case ColumnClause() if not expression.is_literal and self._is_ours(expression):
                return self.operands.column(expression.name)
        raise self.operands.unlike(type(expression).__name__, str(expression))

    def _is_ours(self, column: ColumnClause[Any]) -> bool:
        return column.table is None or column.table is self.operands.table

    def _calculation(self, kind: Any) -> Callable[[Expr, Expr], Expr]:
        if kind is operators.concat_op:
            return self.operands.joined
        return partial(self.operands.calculated, CALCULATIONS[kind])

    def _binary(self, expression: elements.BinaryExpression[Any]) -> Expr:
        kind: Any = expression.operator
        if kind in NEGATIVE or kind is operators.is_not_distinct_from:
            positive = self._asked(NEGATIVE.get(kind, operators.is_), expression)
            return negated(positive) if kind in NEGATIVE else positive
        return self._asked(kind, expression)

    def _asked(self, kind: Any, expression: elements.BinaryExpression[Any]) -> Expr:
        operands, left = self.operands, self.value(expression.left)
        match kind:
            case operators.in_op:
                return operands.member(left, self._members(expression.right))
            case operators.between_op:
                if expression.modifiers.get("symmetric"):
                    raise operands.unlike("symmetric", str(expression))
                return operands.between(left, *map(self.value, expression.right.clauses))
            case operators.is_:
                return operands.same(left, self.value(expression.right))
        if kind in PATTERNS:
            pattern = self.value(expression.right)
            return operands.like(left, pattern, expression.modifiers.get("escape"), **PATTERNS[kind])
        if kind in COMPARISONS:
            return operands.compared(COMPARISONS[kind], left, self.value(expression.right))
        if kind in CALCULATIONS or kind is operators.concat_op:
            return self._calculation(kind)(left, self.value(expression.right))
        raise operands.unlike(NAMES.get(kind, ""), str(expression))

    def _members(self, right: Any) -> list[Expr]:
        if isinstance(right, elements.BindParameter):
            return [self.operands.constant(each) for each in right.effective_value or ()]
        right = right.element if isinstance(right, elements.Grouping) else right
        clauses = getattr(right, "clauses", None)
        if clauses is None:
            raise self.operands.unlike("", str(right))
        return [self.value(each) for each in clauses]

    def _function(self, expression: FunctionElement[Any]) -> Expr:
        name = str(getattr(expression, "name", "")).lower()
        arguments: list[ColumnElement[Any]] = list(expression.clauses)
        if len(arguments) == 1 and name in ("length", "char_length", "character_length"):
            return self.operands.length(self.value(arguments[0]))
        if len(arguments) == 1 and name == "abs":
            return self.operands.turned("abs", self.value(arguments[0]))
        if len(arguments) == 2 and name == "coalesce":
            return self.operands.instead(*map(self.value, arguments))
        raise self.operands.unlike({"concat": "concat()"}.get(name, name), str(expression))


def _says_no(expression: Any) -> bool:
    return getattr(expression, "operator", None) is operators.is_false
