"""How an order is written: `lambda user: (desc(user.score), user.name)`.

NULLs come last in both directions unless `nulls_first` says otherwise, and texts are compared by code point,
as Python does.

    users.find(adult, order_by=lambda user: user.name)
    users.find(adult, order_by=lambda user: (desc(user.score), user.name.lower()))
    users.find(adult, order_by=lambda user: nulls_first(user.nickname))

What is computed from a missing value is missing: `user.nickname.lower()` sorts with the NULLs.

Here are the marks, and `in_order`, which sorts objects at hand by them. `honestwork.rules` turns the same
functions into keys for a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

__all__ = ["Directed", "asc", "desc", "directed", "in_order", "nulls_first", "nulls_last"]

A = TypeVar("A")


@dataclass(frozen=True)
class Directed:
    """What `desc()` and its like return: a key of an order, and how it is marked."""

    value: Any
    descending: bool = False
    nulls_first: bool = False


def asc(key: object) -> object:
    """Smallest first. The default; it is there to be said."""
    return replace(directed(key), descending=False)


def desc(key: object) -> object:
    """Largest first, and NULLs last nevertheless."""
    return replace(directed(key), descending=True)


def nulls_first(key: object) -> object:
    """Rows without a value come first."""
    return replace(directed(key), nulls_first=True)


def nulls_last(key: object) -> object:
    """Rows without a value come last. The default; it is there to be said."""
    return replace(directed(key), nulls_first=False)


def directed(key: object) -> Directed:
    """Return a key as it is marked; one without a mark is ascending, with its NULLs last."""
    return key if type(key) is Directed else Directed(key)


def in_order(aggregates: Iterable[A], order_by: Callable[[A], object] | None) -> list[A]:
    """Objects at hand, in this order; those on a level stay as they come. What the stores have to agree with."""
    found = list(aggregates)
    if order_by is None or not found:
        return found
    places = {id(each): _places(order_by(each)) for each in found}
    for number in reversed(range(len(places[id(found[0])]))):  # sorting is stable: the last key comes first
        key = places[id(found[0])][number]
        present = [each for each in found if places[id(each)][number].value is not None]
        missing = [each for each in found if places[id(each)][number].value is None]
        present.sort(key=lambda each: places[id(each)][number].value, reverse=key.descending)
        found = missing + present if key.nulls_first else present + missing
    return found


def _places(keys: object) -> list[Directed]:
    return [directed(each) for each in (keys if isinstance(keys, tuple) else (keys,))]
