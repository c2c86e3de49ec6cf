"""CHECKs, written again from their formulas, so that every database makes the same of them.

What SQLAlchemy would write for an expression, or the user has written as text, is one thing here and another there:

| in a CHECK            | what goes wrong                                  | what is written instead               |
|-----------------------|--------------------------------------------------|---------------------------------------|
| constants             | cut to the type of the column: IN (5, 0.5)       | each as what it is                    |
| times with a zone     | the text of another zone on SQLite and MariaDB   | the time in UTC                       |
| intervals             | a date on some databases                         | INTERVAL, or microseconds             |
| length                | bytes on MariaDB                                 | char_length                           |
| LIKE                  | ignores case on SQLite                           | GLOB                                  |
| \\ in a pattern        | quotes on PostgreSQL and on MariaDB              | ESCAPE '/'                            |
| a IS b                | a syntax error on PostgreSQL and on MariaDB      | (a = b OR both are NULL) IS TRUE      |
| + - * of ints         | 32 bits on PostgreSQL                            | CAST(x AS BIGINT)                     |
| + - * of Decimals     | floats on SQLite                                 | whole numbers of the last digit       |

Other programs write rows too, so there is no function of ours in a CHECK, and it has no parameters.
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement

from ...domain.errors import MappingRefused
from ...rules.formula import FALSE, TRUE, Expr
from ...rules.numbers import plain
from ...rules.patterns import as_glob, quoted
from ...rules.ternary import UNKNOWN
from ..plan.checks import read_check

__all__ = ["OPERATORS", "Length", "Wide", "spell_alike", "spelled"]

Column = sa.ColumnElement[Any]
MARIADB = ("mariadb", "mysql")
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "rem": operator.mod,
}
PATTERNS = {"like": "{}", "startswith": "{}%", "endswith": "%{}", "contains": "%{}%"}


def spell_alike(check: CheckConstraint) -> None:
    """From now on the check means the same on every database. One that cannot be read stays as it is."""
    try:
        formula = read_check(check)
    except MappingRefused:  # the doctor tells
        return
    check.sqltext = spelled(formula, check.table)


def spelled(formula: Expr, table: Table) -> Column:
    """The condition on rows of a table, for its DDL."""
    return _Speller(table).value(formula)


class _Speller:
    def __init__(self, table: Table) -> None:
        self.table = table

    def value(self, e: Expr) -> Column:
        match e.op:
            case "const":
                return _truth(e) if e.type is bool else _constant(e.args[0])
            case "attr":
                return self._column(e)
            case "and":
                return sa.and_(*map(self.value, e.args))
            case "or":
                return sa.or_(*map(self.value, e.args))
            case "not":
                return self._negated(e.args[0])
            case "istrue":
                return _grouped(self.value(e.args[0])).is_(sa.true())
            case "isnull":
                return self.value(e.args[0]).is_(None)
            case "notnull":
                return self.value(e.args[0]).is_not(None)
            case "in" | "notin":
                return self._membership(*e.args, is_in=e.op == "in")
            case "like" | "startswith" | "endswith" | "contains":
                return _Matches(self.value(e.args[0]), _pattern(e))
        return self._binary(e) if e.op in OPERATORS else self._other(e)

    def _column(self, e: Expr) -> Column:
        column: Column = self.table.columns[e.args[1][0]]
        return column

    def _negated(self, e: Expr) -> Column:
        if e.op in PATTERNS:
            return _MatchesNot(self.value(e.args[0]), _pattern(e))
        if e.op == "istrue":
            return _grouped(self.value(e.args[0])).is_not(sa.true())
        return sa.not_(self.value(e))

    def _membership(self, one: Expr, members: tuple[Expr, ...], *, is_in: bool) -> Column:
        if _adds_decimals(one):  # each of them has digits of its own
            asked = [self.value(Expr("eq" if is_in else "ne", (one, each), bool)) for each in members]
            return sa.or_(*asked) if is_in else sa.and_(*asked)
        subject, spelled = self.value(one), [self._beside(one, each) for each in members]
        return subject.in_(spelled) if is_in else subject.not_in(spelled)

    def _binary(self, e: Expr) -> Column:
        one, other = e.args
        if e.type is bool:
            if any(map(_adds_decimals, e.args)):
                scale = max(map(self._scale, e.args))
                exact = OPERATORS[e.op](self._scaled(one, scale), self._scaled(other, scale))
                return _OnSqlite(sa.Boolean(), self._plain(e), exact)
            return cast(Column, OPERATORS[e.op](self._beside(other, one), self._beside(one, other)))
        return self._plain(e)

    def _plain(self, e: Expr) -> Column:
        one, other = e.args
        left = self.value(one)
        return cast(Column, OPERATORS[e.op](_wide(one, left), self.value(other)))

    def _beside(self, one: Expr, constant: Expr) -> Column:
        """A constant in the words of the column that it is compared with."""
        if (
            constant.op != "const"
            or one.op != "attr"
            or constant.type in (int, float, Decimal, str, bool, dt.timedelta)
        ):
            return self.value(constant)
        return sa.bindparam(None, constant.args[0], type_=self.value(one).type, unique=True)

    def _other(self, e: Expr) -> Column:
        if e.op == "concat":
            return self.value(e.args[0]).concat(self.value(e.args[1]))
        operand = self.value(e.args[0])
        match e.op:
            case "coalesce":
                return sa.func.coalesce(operand, self.value(e.args[1]), type_=operand.type)
            case "neg":
                return -_wide(e.args[0], operand)
            case "abs":
                return sa.func.abs(_wide(e.args[0], operand), type_=operand.type)
            case "length":
                return Length(operand)
            case _:
                return sa.extract(e.op, operand)

    # --- Decimals on SQLite -----------------------------------------------------------------------------

    def _scale(self, e: Expr) -> int:
        """How many digits a number has behind the point."""
        if e.op == "const":
            return max(0, -int(Decimal(e.args[0]).as_tuple().exponent))
        if e.op == "attr":
            return int(getattr(self.value(e).type, "scale", None) or 0)
        scales = [self._scale(each) for each in e.children()] if e.type is Decimal else [0]
        return sum(scales) if e.op == "mul" else max(scales)

    def _scaled(self, e: Expr, scale: int) -> Column:
        """A number as a whole one, in units of the last digit: what SQLite stores as a float is rounded to it."""
        own = self._scale(e)
        match e.op:
            case "const":
                return _constant(int(Decimal(e.args[0]).scaleb(scale)))
            case "attr" if e.type is Decimal:
                number: Column = _Rounded(self.value(e) * _constant(10**own)) if own else self.value(e)
            case "mul" if e.type is Decimal:
                number = OPERATORS["mul"](*(self._scaled(each, self._scale(each)) for each in e.args))
            case "add" | "sub" if e.type is Decimal:
                return cast(Column, OPERATORS[e.op](*(self._scaled(each, scale) for each in e.args)))
            case "neg" if e.type is Decimal:
                return -self._scaled(e.args[0], scale)
            case "coalesce" if e.type is Decimal:
                return sa.func.coalesce(*(self._scaled(each, scale) for each in e.args), type_=sa.BigInteger())
            case "abs" if e.type is Decimal:
                return sa.func.abs(self._scaled(e.args[0], scale), type_=sa.BigInteger())
            case _:
                number = self.value(e)
        return number if scale == own else number * _constant(10 ** (scale - own))


def _grouped(condition: Column) -> Column:
    """In parentheses, for NOT binds less than IS."""
    return condition if isinstance(condition, sa.Column) else Grouping(condition)


def _adds_decimals(e: Expr) -> bool:
    return (e.type is Decimal and e.op in ("add", "sub", "mul")) or any(map(_adds_decimals, e.children()))


# --- constants --------------------------------------------------------------------------------------------


class _Decimal(sa.types.TypeDecorator[Decimal]):
    """A Decimal, without an exponent: that would make a float of it."""

    impl = sa.Numeric
    cache_ok = True

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        return plain(value)


class _Float(sa.types.TypeDecorator[float]):
    """A float, with an exponent: without one it would be a Decimal."""

    impl = sa.Double
    cache_ok = True

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        spelled = repr(value)
        return spelled if "e" in spelled else f"{spelled}e0"


class _Span(sa.types.TypeDecorator[dt.timedelta]):
    """A timedelta, exactly: PostgreSQL would count its seconds in a float."""

    impl = sa.String
    cache_ok = True

    def process_literal_param(self, value: Any, dialect: Dialect) -> str:
        return str(value)

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        if dialect.name == "postgresql":
            return lambda span: f"INTERVAL '{span.days} days {span.seconds}.{span.microseconds:06} seconds'"
        return lambda span: str(span // dt.timedelta(microseconds=1))


TYPES: dict[type[Any], Any] = {
    int: sa.BigInteger(),
    float: _Float(),
    Decimal: _Decimal(),
    str: sa.String(),
    dt.timedelta: _Span(),
}


def _truth(e: Expr) -> Column:
    if e == UNKNOWN:
        return sa.null()
    return {TRUE: sa.true(), FALSE: sa.false()}[e]


def _constant(value: Any) -> Column:
    return sa.bindparam(None, value, type_=TYPES.get(type(value)), unique=True)


def _pattern(e: Expr) -> Column:
    text = e.args[1].args[0]
    return _constant(PATTERNS[e.op].format(text if e.op == "like" else quoted(text)))


# --- what each database spells in its own way -------------------------------------------------------------


class Length(FunctionElement[int]):
    """The length of a text, in characters."""

    inherit_cache = True
    type = sa.Integer()


@compiles(Length)
def _length(element: Any, compiler: Any, **kw: Any) -> str:
    name = "char_length" if compiler.dialect.name in MARIADB else "length"
    return f"{name}({compiler.process(element.clauses, **kw)})"


class Wide(FunctionElement[int]):
    """A whole number to calculate with: 64 bits wide."""

    inherit_cache = True
    type = sa.BigInteger()


def _wide(e: Expr, value: Column) -> Column:
    is_wide = e.op in ("add", "sub", "mul", "rem", "neg", "abs")
    is_wide = is_wide or (e.op == "attr" and isinstance(value.type, sa.BigInteger))
    return value if is_wide or e.type is not int else Wide(value.self_group(against=sa.sql.operators.mul))


@compiles(Wide)
def _cast_to_64_bits(element: Any, compiler: Any, **kw: Any) -> str:
    text: str = compiler.process(element.clauses, **kw)
    return f"CAST({text} AS BIGINT)" if compiler.dialect.name == "postgresql" else text


class _Rounded(FunctionElement[int]):
    """A whole number that SQLite has calculated from a float."""

    inherit_cache = True
    type = sa.BigInteger()


@compiles(_Rounded)
def _rounded(element: Any, compiler: Any, **kw: Any) -> str:
    return f"CAST(round({compiler.process(element.clauses, **kw)}) AS INTEGER)"


class _OnSqlite(FunctionElement[Any]):
    """An expression that SQLite alone gets in other words."""

    inherit_cache = True

    def __init__(self, type_: Any, elsewhere: Column, on_sqlite: Column) -> None:
        super().__init__(elsewhere, on_sqlite)
        self.type = type_

    def self_group(self, against: Any = None) -> Any:
        return Grouping(self)


@compiles(_OnSqlite)
def _on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    elsewhere, on_sqlite = element.clauses
    text: str = compiler.process(on_sqlite if compiler.dialect.name == "sqlite" else elsewhere, **kw)
    return text


class _Matches(FunctionElement[bool]):
    """A text matches a pattern, and its case with it."""

    inherit_cache = True
    type = sa.Boolean()
    negation = ""

    def self_group(self, against: Any = None) -> Any:
        return self  # a condition as it stands


class _MatchesNot(_Matches):
    inherit_cache = True
    negation = "NOT "


def _matches(element: Any, compiler: Any, **kw: Any) -> str:
    value, pattern = element.clauses
    subject = compiler.process(value.self_group(against=sa.sql.operators.like_op), **kw)
    if compiler.dialect.name == "sqlite":
        return f"{subject} {element.negation}GLOB {compiler.process(_constant(as_glob(pattern.value)), **kw)}"
    return f"{subject} {element.negation}LIKE {compiler.process(pattern, **kw)} ESCAPE '/'"


compiles(_Matches)(_matches)
compiles(_MatchesNot)(_matches)
