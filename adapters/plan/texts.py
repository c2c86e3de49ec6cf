"""CHECKs that are written as text, read into a formula. sqlglot parses them; it is imported where the first is met."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from types import ModuleType
from typing import Any
from uuid import UUID

from sqlalchemy import Enum

from ...rules.facts import Choice
from ...rules.formula import FALSE, TRUE, Expr
from ...rules.ternary import NULL, all_of, any_of, negated
from .operands import Operands

__all__ = ["read_text"]

COMPARISONS = {"EQ": "eq", "NEQ": "ne", "LT": "lt", "LTE": "le", "GT": "gt", "GTE": "ge"}
CALCULATIONS = {"Add": "add", "Sub": "sub", "Mul": "mul", "Mod": "rem"}
NAMES = {"Lower": "lower", "Upper": "upper", "ILike": "ilike", "Div": "/", "IntDiv": "/", "Concat": "concat()"}
# No two databases agree on which of these come first, and sqlglot agrees with none of them.
CALLS = {"IN", "LENGTH", "CHAR_LENGTH", "CHARACTER_LENGTH", "ABS", "EXTRACT", "CAST", "COALESCE"}
PREDICATES = {*COMPARISONS, "Between", "In", "Is", "Like", "NullSafeEQ", "NullSafeNEQ"}
TRUTHS = {"0": False, "1": True}  # what databases without a type for them write
# What a part of the text may have beside `this` and `expression`. More would change its meaning, in a way that a
# later sqlglot has thought of.
ALSO: dict[str, set[str]] = {
    "Between": {"low", "high"},
    "Cast": {"to"},
    "Coalesce": {"expressions"},
    "Column": {"table"},
    "DPipe": {"safe"},
    "In": {"expressions"},
    "Interval": {"unit"},
    "Like": {"negate"},
    "Literal": {"is_string"},
}
UNITS = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
FORMS: dict[type[Any], tuple[str, Callable[[str], Any]]] = {
    dt.date: (r"\d{4}-\d\d-\d\d", dt.date.fromisoformat),
    dt.datetime: (
        r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?",
        lambda text: dt.datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-")),
    ),
    dt.time: (r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?", dt.time.fromisoformat),
    UUID: (r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", UUID),
}
CASTS: dict[str, type[Any]] = {
    "DATE": dt.date,
    "DATETIME": dt.datetime,
    "TIME": dt.time,
    "TIMESTAMP": dt.datetime,
    "TIMESTAMPTZ": dt.datetime,
    "UUID": UUID,
}


def read_text(text: str, operands: Operands) -> Expr:
    """The formula. Raises MappingRefused for what not every database answers alike, and where there is no sqlglot."""
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError:
        raise operands.refuse(
            "is text, and sqlglot, which reads it, is not installed: pip install 'honestwork[checks]', or write it with"
            f" columns, CheckConstraint({operands.table.name}.c.column >= 0)"
        ) from None
    try:
        tokens = sqlglot.tokenize(text := text.replace(r"\:", ":"))
        (parsed,) = sqlglot.parse(text)
        if parsed is None:
            raise ValueError("nothing")
    except (SqlglotError, ValueError, RecursionError) as error:
        raise operands.refuse(f"is text that is no condition in SQL ({type(error).__name__})") from None
    groups = len(list(parsed.find_all(sqlglot.exp.Paren)))
    formula = operands.condition(_Reader(operands, sqlglot.exp).value(parsed))
    if groups != _written_groups(tokens):
        raise operands.refuse("has a condition within another: put it in parentheses")
    return formula


def _written_groups(tokens: list[Any]) -> int:
    """How many parentheses somebody has written: sqlglot adds some where it has guessed which operator comes first."""
    before = ["", *(token.text.upper() for token in tokens)]
    opening = [name for name, token in zip(before, tokens, strict=False) if token.token_type.name == "L_PAREN"]
    return sum(name not in CALLS for name in opening)


class _Written:
    """A constant whose type is that of what it is compared with: a number, or a text in quotes."""

    def __init__(self, text: str, is_text: bool) -> None:
        self.text = text
        self.is_text = is_text


class _Reader:
    def __init__(self, operands: Operands, exp: ModuleType) -> None:
        self.operands = operands
        self.exp = exp

    def condition(self, node: Any) -> Expr:
        return self.operands.condition(self.value(node))

    def value(self, node: Any, like: Expr | None = None) -> Expr:
        """What a part of the text says. *like* is what it is compared or calculated with."""
        exp, operands = self.exp, self.operands
        kind = type(node).__name__
        if kind in PREDICATES and (bare := [each for each in node.iter_expressions() if _is_bare(each)]):
            raise operands.refuse(f"has {bare[0].sql()} within another condition: put it in parentheses")
        if {name for name, given in node.args.items() if given} - {"this", "expression"} - ALSO.get(kind, set()):
            raise operands.unlike(NAMES.get(kind, ""), node.sql())
        if (written := self._written(node)) is not None:
            return operands.constant(self._constant(written, like))
        if kind in COMPARISONS:
            return operands.compared(COMPARISONS[kind], *self._pair(node))
        if kind in CALCULATIONS:
            return operands.calculated(CALCULATIONS[kind], *self._pair(node))
        match node:
            case exp.Paren():
                return self.value(node.this, like)
            case exp.Column():
                return self._column(node)
            case exp.Boolean():
                return TRUE if node.this else FALSE
            case exp.Null():
                return NULL
            case exp.And() | exp.Or():
                parts = [self.condition(each) for each in node.flatten()]
                return (all_of if isinstance(node, exp.And) else any_of)(*parts)
            case exp.Not():
                return negated(self.condition(node.this))
            case exp.Neg():
                return operands.turned("neg", self.value(node.this, like))
            case exp.Abs():
                return operands.turned("abs", self.value(node.this, like))
            case exp.In() if node.expressions:
                one = self.value(node.this)
                return operands.member(one, [self.value(each, one) for each in node.expressions])
            case exp.Between():
                one = self.value(node.this)
                return operands.between(one, self.value(node.args["low"], one), self.value(node.args["high"], one))
            case exp.Is() | exp.NullSafeEQ():
                return operands.same(*self._pair(node))
            case exp.NullSafeNEQ():
                return negated(operands.same(*self._pair(node)))
            case exp.Like():
                return self._like(node, None)
            case exp.Escape() if isinstance(node.this, exp.Like):
                return self._like(node.this, str(node.expression.this))
            case exp.Coalesce() if len(node.expressions) == 1:
                one = self.value(node.this)
                return operands.instead(one, self.value(node.expressions[0], one))
            case exp.DPipe():
                return operands.joined(self.value(node.this), self.value(node.expression))
            case exp.Length():
                return operands.length(self.value(node.this))
            case exp.Extract():
                return operands.part(str(node.this.name).lower(), self.value(node.expression))
            case exp.Cast() if (made := self._cast(node)) is not None:
                return made
            case exp.Interval() if (span := _span(node)) is not None:
                return operands.constant(span)
        raise operands.unlike(NAMES.get(kind, ""), node.sql())

    def _like(self, node: Any, escape: str | None) -> Expr:
        asked = self.operands.like(self.value(node.this), self.value(node.expression), escape)
        return negated(asked) if node.args.get("negate") else asked

    def _pair(self, node: Any) -> tuple[Expr, Expr]:
        """Both sides, that which has a type of its own first: it says what the other one is."""
        left, right = node.this, node.expression
        if self._is_written(left):
            second = self.value(right)
            return self.value(left, second), second
        first = self.value(left)
        return first, self.value(right, first)

    def _is_written(self, node: Any) -> bool:
        exp = self.exp
        if isinstance(node, exp.Paren | exp.Neg):
            return self._is_written(node.this)
        return isinstance(node, exp.Literal)

    def _written(self, node: Any) -> _Written | None:
        """A constant, with its sign."""
        exp = self.exp
        if isinstance(node, exp.Literal):
            return _Written(str(node.this), bool(node.is_string))
        if isinstance(node, exp.Paren):
            return self._written(node.this)
        if isinstance(node, exp.Neg) and (inner := self._written(node.this)) is not None and not inner.is_text:
            return _Written(inner.text[1:] if inner.text.startswith("-") else f"-{inner.text}", False)
        return None

    def _constant(self, written: _Written, like: Expr | None) -> Any:
        text, kind = written.text, None if like is None else like.type
        if not written.is_text:
            if kind is bool and text in TRUTHS:
                return TRUTHS[text]
            if kind is float and abs(number := float(text)) != float("inf"):
                return number
            return int(text) if re.fullmatch(r"-?\d+", text) else Decimal(text)
        if kind is None or like is None or kind in (str, Choice):
            return text
        if issubclass(kind, enum.Enum) and like.op == "attr":
            return self._member(text, like)
        return self._formed(text, kind) if kind in FORMS else text

    def _member(self, text: str, like: Expr) -> Any:
        declared: Any = self.operands.table.columns[like.args[1][0]].type
        declared = getattr(declared, "impl_instance", declared)
        members = self._stored(declared) if isinstance(declared, Enum) else {}
        if text not in members:
            raise self.operands.refuse(f"compares {like} with {text!r}, which is none of {', '.join(members)}")
        return members[text]

    @staticmethod
    def _stored(declared: Enum) -> dict[str, Any]:
        """The members of an enumeration, by what a column holds for them."""
        members = list(declared.enum_class or ())
        return dict(zip(declared.enums, members, strict=True)) if len(declared.enums) == len(members) else {}

    def _formed(self, text: str, kind: type[Any]) -> Any:
        form, made = FORMS[kind]
        try:
            if re.fullmatch(form, text):
                return made(text)
        except ValueError:
            pass
        raise self.operands.refuse(f"has {text!r} for a {kind.__name__}, which not every database reads as one")

    def _cast(self, node: Any) -> Expr | None:
        """`DATE '2024-01-01'`"""
        kind = CASTS.get(node.to.this.name)
        written = self._written(node.this)
        if kind is None or written is None or not written.is_text:
            return None
        value = self._formed(written.text, kind)
        if kind is dt.datetime and (value.tzinfo is None) is (node.to.this.name == "TIMESTAMPTZ"):
            raise self.operands.refuse(
                f"has {written.text!r} for a time with a zone or without one, and it is the other: write"
                " TIMESTAMP '2024-01-01 12:00', or TIMESTAMP WITH TIME ZONE '2024-01-01 12:00+00:00'"
            )
        return self.operands.constant(value)

    def _column(self, node: Any) -> Expr:
        names, table = self.columns, self.operands.table.name
        if node.table and node.table.casefold() != table.casefold():
            raise self.operands.refuse(f"asks for {node.sql()}, which is no column of the table")
        return self.operands.column(node.name if node.this.quoted else names.get(node.name.casefold(), node.name))

    @cached_property
    def columns(self) -> dict[str, str]:
        """The names of the columns, as they are found where nobody quotes them."""
        return {name.casefold(): name for name in self.operands.table.columns.keys()}  # noqa: SIM118


def _is_bare(node: Any) -> bool:
    """Is it a condition without parentheses around it?"""
    return type(node).__name__ in (*PREDICATES, "And", "Escape", "Not", "Or")


def _span(node: Any) -> dt.timedelta | None:
    """An interval of one unit, whose length is the same on every day of the year."""
    unit, amount = str(node.unit or "").upper().rstrip("S"), getattr(node.this, "name", "")
    if unit not in UNITS or not re.fullmatch(r"-?\d{1,9}", amount):
        return None
    return dt.timedelta(seconds=UNITS[unit] * int(amount))
