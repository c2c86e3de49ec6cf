"""Projections: `lambda user: (user.id, user.name)` as the columns to read, and what to make of each row.

The function is run once, on stand-ins, to learn the expressions; then what it built is built again from
the values of each row. It may return one expression, a tuple of them, a value object, or an object made
by calling a class, in any nesting:

    users.select(lambda user: user.name)
    users.select(lambda user: (user.id, len(user.orders)), adult)
    users.select(lambda user: UserRow(user.id, user.name, at=user.address), adult)

A class is called with the real values, row by row, so its `__init__` may do whatever it likes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeVar

from ..domain.errors import UnreadableRow
from ..domain.interrupts import came_from_outside
from .facts import SCALARS, Facts, annotated
from .formula import Expr
from .numbers import EXACT, measure
from .standins import STANDINS, Symbol, Thing, shown
from .trace import Tracer, require_function

__all__ = ["Projection", "of_type", "trace_columns"]

A = TypeVar("A")
R = TypeVar("R", covariant=True)
Build = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Projection(Generic[R]):
    """The expressions to read from each row, and *build*, which makes a result of their values."""

    expressions: tuple[Expr, ...]
    build: Callable[[Sequence[Any]], R]


def trace_columns(columns: Callable[[A], R], cls: type[A], *, facts: Facts = annotated) -> Projection[R]:
    """What *columns* reads from an object of *cls*, without any object being made.

        >>> names = trace_columns(lambda user: (user.id, user.name), User)
        >>> names.expressions
        (id, name)
        >>> names.build([7, "Jo"])
        (7, 'Jo')

    Raises RuleRefused if it computes something no query can, or branches.
    """
    t = Tracer("projection", columns, facts, straight=True)
    t.construct = _Constructor
    require_function(t, columns, "(user.id, user.name)")
    result = t.explore(lambda: t.instrument(columns)(Thing(t, cls, 0)))
    expressions: dict[Expr, int] = {}
    build = _builder(t, result, expressions)
    return Projection(tuple(expressions), build)


class _Constructor:
    """A class as the projection sees it: called with stand-ins it makes a note instead of an object."""

    def __new__(cls, kind: type) -> Any:
        # Enums and plain values are used, not built, in a projection.
        return kind if issubclass(kind, (Enum, *SCALARS)) else super().__new__(cls)

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(type(each) in (*STANDINS, _Construction, tuple) for each in (*args, *kwargs.values())):
            return _Construction(self.kind, args, kwargs)
        return self.kind(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kind, name)


@dataclass(frozen=True, eq=False)
class _Construction:
    kind: type
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _builder(t: Tracer, value: Any, expressions: dict[Expr, int]) -> Build:
    """A function from the values of all *expressions* to what *value* stands for; adds those it needs."""
    if type(value) is Symbol:
        e: Expr = value.__standin__.e
        return _reader(t, e, expressions.setdefault(e, len(expressions)))
    if type(value) is Thing:
        return _value_object(t, value, expressions)
    if type(value) is _Construction:
        args = [_builder(t, each, expressions) for each in value.args]
        kwargs = {name: _builder(t, each, expressions) for name, each in value.kwargs.items()}
        kind = value.kind
        return lambda row: kind(*[each(row) for each in args], **{name: each(row) for name, each in kwargs.items()})
    if type(value) is tuple:
        parts = [_builder(t, each, expressions) for each in value]
        return lambda row: tuple([part(row) for part in parts])
    if type(value) not in STANDINS and (value is None or isinstance(value, SCALARS)):
        return lambda row: value
    raise t.refuse(
        f"returns {shown(value)}: select attributes and expressions, alone, in a tuple, or in a call of a class"
        " that this function names"
    )


def _reader(t: Tracer, e: Expr, index: int) -> Build:
    if e.op in ("attr", "lower", "upper", "concat") or e.type not in (int, Decimal):
        return operator.itemgetter(index)
    known = measure(t.scalars, e) if e.type is Decimal else None
    unit = None if known is None else Decimal(1).scaleb(-known[1])

    def read(row: Sequence[Any]) -> Any:
        value = of_type(e, row[index])
        return value if value is None or unit is None else _in_units(value, unit)

    return read


def of_type(e: Expr, value: Any) -> Any:
    """The value of a calculation: a database may count and add up in another type than that of what it adds."""
    return value if value is None or e.type not in (int, Decimal) else e.type(value)


def _in_units(value: Decimal, unit: Decimal) -> Decimal:
    """The number with the digits behind the point that the calculation gives it, and no sign where it is zero."""
    spelled = value.quantize(unit, context=EXACT)
    return EXACT.abs(spelled) if not spelled else spelled if spelled == value else value


def _value_object(t: Tracer, value: Thing, expressions: dict[Expr, int]) -> Build:
    _, cls, _, path, attributes, optional = value.__standin__
    if not path:
        raise t.refuse(f"returns a whole {cls.__name__}: select its attributes, or find() the objects")
    parts = {name: _builder(t, getattr(value, name), expressions) for name in attributes}

    def build(row: Sequence[Any]) -> Any:
        values = {name: part(row) for name, part in parts.items()}
        if optional and all(each is None for each in values.values()):
            return None
        try:
            return cls(**values)
        except Exception as error:
            if came_from_outside(error):
                raise
            raise UnreadableRow(
                f"cannot read a row: {cls.__name__} refuses its values ({type(error).__name__}); mend the row in a"
                " migration, or map what it holds"
            ) from error

    return build
