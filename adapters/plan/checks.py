"""CHECK constraints, evaluated in Python from their SQLAlchemy expressions.

The logic is SQL's: a comparison with NULL is unknown (None here), `not` and `and` and `or` carry unknowns on,
and a check fails only where it is false. An expression with anything else in it than stands below is
refused when the store is made, so that no check is ever skipped in silence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.sql import elements, operators
from sqlalchemy.sql.functions import FunctionElement

from ...domain.errors import MappingRefused
from .operands import OTHER, Family, are_comparable, can_be_computed, family_of_type, family_of_value
from .tables import Check, Row, TablePlan

__all__ = ["Checks", "Twin", "predicate"]

ARITHMETIC = (operators.add, operators.sub, operators.mul)

Value = Callable[[Row], Any]
Checks = Sequence[tuple[Check, Callable[[Row], bool]]]  # the checks of a table, and whether a row satisfies each
Twin = Callable[[dict[str, Any]], bool | None]

COMPARISONS: dict[Any, Callable[[Any, Any], Any]] = {
    operators.eq: operator.eq,
    operators.ne: operator.ne,
    operators.lt: operator.lt,
    operators.le: operator.le,
    operators.gt: operator.gt,
    operators.ge: operator.ge,
    operators.add: operator.add,
    operators.sub: operator.sub,
    operators.mul: operator.mul,
}


def predicate(table: TablePlan, check: Check, twins: Mapping[str, Twin]) -> Callable[[Row], bool]:
    """A function that tells whether a row passes. Raises MappingRefused for what it cannot evaluate.

    *twins* has the meaning of checks that are written as text.
    """
    if (twin := twins.get(check.name or "")) is not None:
        return lambda row: twin({each.name: each.decoded(row[each.position]) for each in table.columns}) is not False
    value = _Evaluator(table, check).value(check.expression)
    return lambda row: value(row) is not False


class _Evaluator:
    def __init__(self, table: TablePlan, check: Check) -> None:
        self.table = table
        self.check = check

    def value(self, expression: Any) -> Value:
        match expression:
            case elements.Grouping() | elements.AsBoolean():
                inner = self.value(expression.element)
                return _negated(inner) if expression.operator is operators.is_false else inner
            case elements.True_() | elements.False_():
                truth = isinstance(expression, elements.True_)
                return lambda row: truth
            case elements.Null():
                return lambda row: None
            case elements.BindParameter():
                constant = expression.effective_value
                return lambda row: constant
            case elements.BooleanClauseList():
                return self._junction(expression)
            case elements.ExpressionClauseList() if expression.operator in COMPARISONS:  # a + b + c
                self._family(expression)
                first, *others = [self.value(clause) for clause in expression.clauses]
                return reduce(partial(_null_strict, COMPARISONS[expression.operator]), others, first)
            case elements.UnaryExpression(operator=operators.inv):
                return _negated(self.value(expression.element))
            case elements.BinaryExpression():
                return self._binary(expression)
            case FunctionElement(name="length" | "char_length" | "character_length"):
                (argument,) = expression.clauses
                if self._family(argument) != "text":
                    raise self._refused(expression)
                inner = self.value(argument)
                return lambda row: None if (text := inner(row)) is None else len(text)
            case ColumnElement() if getattr(expression, "table", None) is not None:
                position = self.table.position(expression.name)
                return lambda row: row[position]
        raise self._refused(expression)

    def _junction(self, expression: elements.BooleanClauseList) -> Value:
        parts = [self.value(clause) for clause in expression.clauses]
        decisive = expression.operator is operators.or_  # one true decides an `or`, one false an `and`

        def junction(row: Row) -> Any:
            values = [part(row) for part in parts]
            return decisive if decisive in values else None if None in values else not decisive

        return junction

    def _binary(self, expression: elements.BinaryExpression[Any]) -> Value:
        kind = expression.operator
        left = self.value(expression.left)
        if kind in (operators.is_, operators.is_not):
            right = self.value(expression.right)
            return lambda row: (left(row) is right(row)) is (kind is operators.is_)
        if kind in (operators.in_op, operators.not_in_op):
            members = getattr(expression.right, "effective_value", None) or ()
            if not members:
                raise self._refused(expression)
            for each in members:
                self._require_comparable(expression, expression.left, family_of_value(each), each)
            inside = _inside(left, members)
            return inside if kind is operators.in_op else _negated(inside)
        if kind in (operators.between_op, operators.not_between_op):
            if expression.modifiers.get("symmetric"):
                raise self._refused(expression)
            for each in expression.right.clauses:
                self._require_comparable(expression, expression.left, self._family(each), _constant(each))
            low, high = (self.value(clause) for clause in expression.right.clauses)
            inside = _between(left, low, high)
            return inside if kind is operators.between_op else _negated(inside)
        if (compare := COMPARISONS.get(kind)) is None:
            raise self._refused(expression)
        right = self.value(expression.right)
        if kind in ARITHMETIC:
            self._family(expression)
        else:
            self._require_comparable(
                expression, expression.left, self._family(expression.right), _constant(expression.right)
            )
        return _null_strict(compare, left, right)

    def _family(self, expression: Any) -> Family:
        """What an expression gives. Raises MappingRefused where databases do not compute it alike."""
        match expression:
            case elements.Grouping() | elements.AsBoolean():
                return self._family(expression.element)
            case elements.Null():
                return None
            case elements.BindParameter():
                return family_of_value(expression.effective_value)
            case elements.ExpressionClauseList() | elements.BinaryExpression() if expression.operator in ARITHMETIC:
                clauses = getattr(expression, "clauses", None) or (expression.left, expression.right)
                found = reduce(can_be_computed, map(self._family, clauses))
                if found is None:
                    raise self._refused(expression)
                return found
            case FunctionElement():
                return "int"
            case ColumnElement() if getattr(expression, "table", None) is not None:
                column = self.table.columns[self.table.position(expression.name)]
                if column.generated:  # which MariaDB does not take
                    raise self._refused(expression)
                return OTHER if column.guard.encode is not None else family_of_type(expression.type)
        return "bool"

    def _require_comparable(self, whole: Any, one: Any, other: Family, constant: Any) -> None:
        by_order = whole.operator not in (operators.eq, operators.ne, operators.in_op, operators.not_in_op)
        if not are_comparable(self._family(one), other, by_order=by_order, constant=constant):
            raise self._refused(whole)

    def _refused(self, expression: Any) -> MappingRefused:
        return MappingRefused(
            [
                f"the check {self.check.name or ''} of {self.table.name} has {expression!s} in it, which cannot be"
                " evaluated without a database as every database does: write it with columns, constants of the column's"
                " own type, comparisons, + - * of integers, and, or, not, in, between, is null and length; or as text,"
                " with its meaning in Python: mapping.check_twin()"
            ]
        )


def _constant(expression: Any) -> Any:
    return expression.effective_value if isinstance(expression, elements.BindParameter) else None


def _negated(value: Value) -> Value:
    return lambda row: None if (found := value(row)) is None else not found


def _null_strict(compare: Any, left: Value, right: Value) -> Value:
    def compared(row: Row) -> Any:
        one, other = left(row), right(row)
        return None if one is None or other is None else compare(one, other)

    return compared


def _inside(value: Value, members: Collection[Any]) -> Value:
    known = {each for each in members if each is not None}
    otherwise = None if None in members else False  # who knows what a NULL among them is

    def inside(row: Row) -> Any:
        found = value(row)
        return None if found is None else True if found in known else otherwise

    return inside


def _between(value: Value, low: Value, high: Value) -> Value:
    above = _null_strict(operator.ge, value, low)
    below = _null_strict(operator.le, value, high)

    def inside(row: Row) -> Any:
        both = (above(row), below(row))
        return False if False in both else None if None in both else True

    return inside
