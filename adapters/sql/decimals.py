"""Calculations with Decimals on SQLite, which keeps them as binary floats and would calculate with those.

A stored Decimal has at most 15 digits, so its float stands for it and for no other: to compare columns and
constants is exact as it is. What is calculated is not. There, functions that are registered on the connection take
the stored numbers for the Decimals that they stand for, calculate exactly, and give the result as a text. Each
number has one spelling (see `plain`), so `=` and IN compare texts; `<` and ORDER BY have a collation.

All other databases calculate exactly by themselves, and get the plain operators. PyMySQL writes constants into the
statement, so that it has to be told how to write a Decimal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from ...rules.numbers import EXACT, plain

__all__ = ["CALCULATIONS", "EXACTLY", "Apart", "ByValue", "Number", "register_decimals"]

Column = sa.ColumnElement[Any]


# --- on the connection --------------------------------------------------------------------------------


def register_decimals(connection: Any) -> None:
    """Give a connection to SQLite what calculates with Decimals, and one of PyMySQL how to write them."""
    if hasattr(connection, "encoders"):
        connection.encoders[Decimal] = _literal
    if not hasattr(connection, "create_function"):
        return
    for name, function in _OF_ONE.items():
        connection.create_function(f"honestwork_{name}", 1, _of_one(function), deterministic=True)
    for name, of_both in _OF_TWO.items():
        connection.create_function(f"honestwork_{name}", 2, _of_two(of_both), deterministic=True)
    connection.create_aggregate("honestwork_sum", 1, _Sum)
    connection.create_collation("honestwork_number", _compared)


_OF_ONE: dict[str, Callable[[Decimal], Decimal]] = {"neg": EXACT.minus, "abs": EXACT.abs, "number": EXACT.plus}
_OF_TWO: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "add": EXACT.add,
    "sub": EXACT.subtract,
    "mul": EXACT.multiply,
}


def _literal(value: Decimal, _: object = None) -> str:
    """A literal that is a DECIMAL for MariaDB: `1` is a BIGINT, which overflows, and `1E-7` a DOUBLE, which rounds."""
    spelled = format(value, "f")
    return spelled if "." in spelled else f"{spelled}."


def _read(value: float | str) -> Decimal:
    return Decimal(repr(value) if isinstance(value, float) else value)


def _of_one(function: Callable[[Decimal], Decimal]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else plain(function(_read(value)))


def _of_two(function: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str | None]:
    return lambda one, other: None if one is None or other is None else plain(function(_read(one), _read(other)))


class _Sum:
    """SUM: NULLs are left out, and a sum of nothing is NULL."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: Any) -> None:
        if value is not None:
            self.total = _read(value) if self.total is None else EXACT.add(self.total, _read(value))

    def finalize(self) -> str | None:
        return None if self.total is None else plain(self.total)


def _compared(one: str, other: str) -> int:
    return int(EXACT.compare(Decimal(one), Decimal(other)))


# --- in a statement -----------------------------------------------------------------------------------


class _Exactly(sa.types.TypeDecorator[Decimal]):
    """A Decimal beside a calculation, or the result of one: a text on SQLite."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.Numeric())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return value if value is None or dialect.name != "sqlite" else plain(Decimal(value))

    process_literal_param = process_bind_param

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else Decimal(value)


EXACTLY = _Exactly()


class _Calculation(FunctionElement[Decimal]):
    """One step of a calculation."""

    inherit_cache = True
    type = EXACTLY
    function: str  # of ours, on SQLite
    calculate: Callable[..., Column]

    def plain(self) -> Column:
        """The same in the operators of SQL."""
        first, *rest = self.clauses
        # `a + (b + c)`: where b is a Decimal, and a and c are ints, `a + b + c` is another calculation.
        return type(self).calculate(first, *[Apart(each) if type(each) is type(self) else each for each in rest])

    def self_group(self, against: Any = None) -> Any:
        plain = self.plain()
        return self if plain.self_group(against) is plain else Grouping(self)


class _Add(_Calculation):
    inherit_cache = True
    function = "add"
    calculate = operator.add


class _Sub(_Calculation):
    inherit_cache = True
    function = "sub"
    calculate = operator.sub


class _Mul(_Calculation):
    inherit_cache = True
    function = "mul"
    calculate = operator.mul


class _Neg(_Calculation):
    inherit_cache = True
    function = "neg"
    calculate = operator.neg


class _Abs(_Calculation):
    inherit_cache = True
    function = "abs"
    calculate = sa.func.abs


class _Total(_Calculation):
    inherit_cache = True
    function = "sum"
    name = "coalesce"

    @staticmethod
    def calculate(value: Column) -> Column:
        return sa.func.coalesce(sa.func.sum(value), 0)


class Number(_Calculation):
    """A stored number beside a calculation."""

    inherit_cache = True
    function = "number"

    @staticmethod
    def calculate(value: Column) -> Column:
        return value


CALCULATIONS: dict[str, type[_Calculation]] = {each.function: each for each in (_Add, _Sub, _Mul, _Neg, _Abs, _Total)}


class Apart(FunctionElement[Any]):
    """An operand in parentheses. SQLAlchemy takes `+` and `*` for associative, and drops its own.

    Floats are not associative, and whole numbers only where there is no end to them.
    """

    inherit_cache = True

    def __init__(self, value: Column) -> None:
        super().__init__(value)
        self.type: TypeEngine[Any] = value.type

    def self_group(self, against: Any = None) -> Any:
        return self


@compiles(Apart)
def _compile_apart(element: Any, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.clauses.clauses[0], **kw)})"


class ByValue(FunctionElement[Decimal]):
    """A calculated number that is compared by its value, and not as a text."""

    inherit_cache = True
    type = EXACTLY


def _compile_calculation(element: Any, compiler: Any, **kw: Any) -> str:
    if compiler.dialect.name != "sqlite":
        text: str = compiler.process(element.plain(), **kw)
        return text
    called = f"honestwork_{element.function}({', '.join(compiler.process(each, **kw) for each in element.clauses)})"
    return f"coalesce({called}, '0')" if element.function == "sum" else called


for each in (*CALCULATIONS.values(), Number):
    compiles(each)(_compile_calculation)


@compiles(ByValue)
def _compile_by_value(element: Any, compiler: Any, **kw: Any) -> str:
    text: str = compiler.process(element.clauses, **kw)
    return f"{text} COLLATE honestwork_number" if compiler.dialect.name == "sqlite" else text
