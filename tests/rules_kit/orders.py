"""Orders with all that can be in one, and the walk that checks them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from honestwork.adapters.queries import evaluation as memory
from honestwork.domain import desc, nulls_first
from honestwork.rules import order, trace_order
from honestwork.rules.formula import TRUE
from honestwork.rules.order import OrderKey

from .judge import Judge
from .shop import User

ORDERS: dict[str, Callable[[Any], object]] = {
    "age": lambda u: u.age,
    "name": lambda u: u.name,
    "desc name": lambda u: desc(u.name),
    "a column without collation": lambda u: u.address.city,
    "nullable": lambda u: u.score,
    "desc nullable": lambda u: (desc(u.score), u.name),
    "nulls first": lambda u: (nulls_first(u.nick), desc(u.age)),
    "nulls first, desc": lambda u: (nulls_first(desc(u.score)), desc(u.name.lower())),
    "value object": lambda u: (u.address.city, desc(u.balance), u.banned),
    "value object or None": lambda u: (u.billing.city, desc(u.billing.zip)),
    "expressions": lambda u: (len(u.name), -u.age, u.score + u.age),
    "UUID": lambda u: (u.token, desc(u.born)),
    "desc UUID": lambda u: desc(u.token),
    "children": lambda u: (len(u.lines), desc(sum(x.qty for x in u.lines))),
}


def walk(judge: Judge, keys: Sequence[OrderKey]) -> None:
    """Raises AssertionError unless all agree on the order, and on what follows each row of it."""
    people = {each.id: each for each in judge.people}
    values = memory.compile_values([key.expression for key in keys], memory.Objects())
    whole: list[int] = []
    for way, ids in judge.ordered(keys, TRUE):
        whole = whole or ids
        assert ids == whole, f"{way} orders by {', '.join(map(str, keys))} as {ids}, another one as {whole}"
    _assert_sorted(keys, [values(people[each]) for each in whole])
    for i, last in enumerate(whole):
        for way, ids in judge.ordered(keys, order.after(keys, values(people[last]))):
            assert ids == whole[i + 1 :], f"{way} finds {ids} after {last}"


def walk_all(judge: Judge) -> None:
    for order_by in ORDERS.values():
        walk(judge, trace_order(order_by, User, key=["id"]))


def _assert_sorted(keys: Sequence[OrderKey], rows: list[tuple[object, ...]]) -> None:
    for one, next_one in itertools.pairwise(rows):
        for key, a, b in zip(keys, one, next_one, strict=True):
            if a == b:
                continue
            if a is None or b is None:
                assert (a is None) == key.nulls_first, f"{key}: {a} before {b}"
            else:
                assert (a > b) == key.descending, f"{key}: {a} before {b}"  # type: ignore[operator]
            break
