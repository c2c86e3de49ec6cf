"""Orders as the keys of a store, traced from functions such as `lambda user: (desc(user.score), user.name)`.

An order is always total: the key of the aggregate is appended to it. So the order is the same in every store,
and each row has one place in it, from which the next page goes on. What the marks mean: see
`honestwork.domain.order`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TypeVar

from ..domain.errors import RuleRefused
from ..domain.order import Directed, directed
from .facts import SCALARS, Choice, Facts, Scalar, annotated
from .formula import FALSE, Expr, and_, attr, const, isnull, notnull, or_
from .standins import Symbol, Thing, shown
from .trace import Tracer, require_function

__all__ = ["OrderKey", "after", "trace_order"]

A = TypeVar("A")


@dataclass(frozen=True)
class OrderKey:
    """One key of an order: an expression, its direction, and where its NULLs go.

    *aware* says whether its datetimes have a time zone; None where nobody knows.
    """

    expression: Expr
    descending: bool = False
    nulls_first: bool = False
    aware: bool | None = None

    def __str__(self) -> str:
        nulls = f" nulls {'first' if self.nulls_first else 'last'}" if self.expression.nullable else ""
        return f"{self.expression}{' desc' if self.descending else ''}{nulls}"


def trace_order(
    order_by: Callable[[A], object] | None,
    cls: type[A],
    *,
    key: Sequence[str],
    facts: Facts = annotated,
) -> tuple[OrderKey, ...]:
    """The keys of an order, from the first to the last; the attributes *key* make it total.

        >>> trace_order(lambda user: (desc(user.score), user.name), User, key=["id"])
        score desc nulls last, name, id

    Raises RuleRefused if a key is no single expression over attributes that have an order.
    """
    keys: dict[Expr, OrderKey] = {}  # a second key of one expression decides nothing
    if order_by is not None:
        t = Tracer("order", order_by, facts, straight=True)
        require_function(t, order_by, "user.name")
        result = t.explore(lambda: t.instrument(order_by)(Thing(t, cls, 0)))
        for each in result if type(result) is tuple else (result,):
            traced = _traced(t, directed(each))
            keys.setdefault(traced.expression, traced)
    for name in key:
        fact = facts(cls)[name]
        if not isinstance(fact, Scalar):
            raise RuleRefused(f"the key {name} of {cls.__name__} is no single column")
        expression = attr(0, (name,), fact.type, fact.nullable)
        keys.setdefault(expression, OrderKey(expression, aware=fact.aware))
    return tuple(keys.values())


def _traced(t: Tracer, marked: Directed) -> OrderKey:
    if type(marked.value) is not Symbol:
        raise t.refuse(f"orders by {shown(marked.value)}: each key is an attribute, or made of attributes")
    e: Expr = marked.value.__standin__.e
    if issubclass(e.type, Enum | Choice):
        raise t.refuse(f"orders by {e}: the members of an enum have no order; store a rank and order by it")
    if not issubclass(e.type, SCALARS) or e.type in (bytes, timedelta):
        raise t.refuse(f"orders by {e} ({e.type.__name__}), which databases do not all order alike")
    return OrderKey(e, marked.descending, marked.nulls_first, t.scalars[e].aware if e in t.scalars else None)


def after(keys: Sequence[OrderKey], values: Sequence[object]) -> Expr:
    """The formula of what comes strictly after the row with these *values* of the *keys*.

        score > 3 or score == 3 and (name > 'J' or name == 'J' and id > 7)

    spelled flat, and with NULLs in the place where the order puts them.
    """
    later: list[Expr] = []
    same: list[Expr] = []
    for key, value in zip(keys, values, strict=True):
        beyond, equal = _beyond(key, value)
        later.append(and_(*same, beyond))
        same.append(equal)
    return or_(*later)


def _beyond(key: OrderKey, value: object) -> tuple[Expr, Expr]:
    """What comes after *value* by this key alone, and what is level with it."""
    e = key.expression
    missing = or_(*map(isnull, e.nullables()))
    present = and_(*map(notnull, e.nullables()))
    if value is None:
        return (present if key.nulls_first else FALSE), missing
    beyond = and_(present, Expr("lt" if key.descending else "gt", (e, const(value)), bool))
    if not key.nulls_first:
        beyond = or_(missing, beyond)
    return beyond, and_(present, Expr("eq", (e, const(value)), bool))
