"""Small functions written for one class each: they run for every object, so they are written out.

A loop over a class's columns costs more than what it does. Instead of looping, the source of a function
with one line a column is put together once, when the plan is made; for a class with a name and an age:

    def row_of(d, before):
        return (d.get('id'), d.get('name'), d.get('age'),)

    def fill(d, row):
        d['id'], d['name'], d['age'], = row

    def guard(d):
        v = d.get('name')
        if v is not None and not (v.__class__ is str and v.isascii() and '\\0' not in v and len(v) <= 80):
            d['name'] = guard_1(v)
        …

*d* is the object's `__dict__`. Attribute names are written with repr, so that no name can be more than a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entities import FieldPlan
    from .tables import Row

__all__ = ["filler", "guarder", "row_reader"]


def row_reader(fields: Sequence[FieldPlan]) -> Callable[[dict[str, Any], Row], Row]:
    """The row that an object stands for; where it has no attribute for a column, what was *before*."""
    names: dict[str, Any] = {}
    parts = []
    for each in fields:
        if each.attribute is None:
            parts.append(f"before[{each.position}]")
        elif each.column.guard.encode is None:
            parts.append(f"d.get({each.attribute!r})")
        else:
            names[f"encoded_{each.position}"] = each.column.encoded
            parts.append(f"encoded_{each.position}(d.get({each.attribute!r}))")
    return _function("def row_of(d, before):", [f"return ({', '.join(parts)},)"], names)


def filler(fields: Sequence[FieldPlan]) -> Callable[[dict[str, Any], Sequence[Any]], None]:
    """Give an object the values of a row; what the row has beyond the fields is passed over."""
    targets = [f"d[{each.attribute!r}]" if each.attribute is not None else "_" for each in fields]
    return _function("def fill(d, row):", [f"{', '.join(targets)}, *_ = row" if targets else "pass"], {})


def guarder(fields: Sequence[FieldPlan]) -> Callable[[dict[str, Any]], None]:
    """Guard an object's values, and keep them as they will be loaded. Raises BadValue."""
    names: dict[str, Any] = {}
    lines = []
    for each in fields:
        guard, number = each.column.guard, each.position
        names[f"guard_{number}"], names[f"type_{number}"] = guard, guard.type
        sure = f" and not ({guard.sure.format(type=f'type_{number}')})" if guard.sure else ""
        lines += [
            f"v = d.get({each.attribute!r})",
            f"if v is not None{sure}:",
            f"    d[{each.attribute!r}] = guard_{number}(v)",
        ]
    return _function("def guard(d):", lines or ["pass"], names)


def _function(head: str, lines: list[str], names: dict[str, Any]) -> Callable[..., Any]:
    source = "\n    ".join([head, *lines])
    exec(compile(source, f"<{head}>", "exec"), names)
    function: Callable[..., Any] = names[head.split("(")[0].removeprefix("def ")]
    return function
