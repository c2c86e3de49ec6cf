"""What a rule may know of a class: its attributes, their types, and which of them may be None.

The facts come from the annotations unless someone knows better. A store does: it has the mapping, and
hands its own facts to `trace` for classes that annotate nothing:

    class Account:
        def __init__(self, owner: str) -> None:
            self._owner = owner                     # mapped to a column, annotated nowhere

    trace(rule, Account, facts={Account: {"_owner": Scalar(str)}}.__getitem__)

Properties and methods need no facts. A rule that uses them runs them, down to the attributes they read.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

__all__ = ["SCALARS", "Attribute", "Choice", "Facts", "Many", "Scalar", "Value", "annotated"]

SCALARS = (str, int, float, Decimal, date, datetime, time, timedelta, bytes, UUID, bool, Enum)
"""The types of single values that every database can store and compare."""


class Choice(str):
    """The type of a text that is one of a few, which a database may store as an enumeration and no text."""


@dataclasses.dataclass(frozen=True)
class Scalar:
    """One column: a single value, of one of `SCALARS` if a rule is to do more with it than ask whether it is None.

    *aware* says whether its datetimes have a time zone; None where nobody knows, as from an annotation. *choices*
    are all the values that a `Choice` may have. *digits* is how many digits its whole numbers or Decimals may have,
    of which *scale* are behind the point; None where nobody knows.
    """

    type: type
    nullable: bool = False
    aware: bool | None = None
    choices: tuple[str, ...] = ()
    digits: int | None = None
    scale: int = 0


@dataclasses.dataclass(frozen=True)
class Value:
    """A value object over several columns. A *nullable* one is None where all its columns are NULL."""

    cls: type
    attributes: Mapping[str, Scalar]
    nullable: bool = False


@dataclasses.dataclass(frozen=True)
class Many:
    """A collection of children inside the aggregate, all of one class."""

    cls: type


Attribute = Scalar | Value | Many
Facts = Callable[[type], Mapping[str, Attribute]]

_known: WeakKeyDictionary[type, dict[str, Attribute]] = WeakKeyDictionary()


def annotated(cls: type) -> Mapping[str, Attribute]:
    """The facts that the annotations of *cls* and its bases tell.

    Raises NameError if an annotation names something that cannot be found at run time, for instance a
    class that is imported under `if TYPE_CHECKING:` alone.
    """
    if (found := _known.get(cls)) is None:
        hints = typing.get_type_hints(cls)
        found = {name: fact for name, hint in hints.items() if (fact := _fact(hint)) is not None}
        _known[cls] = found
    return found


def _fact(hint: Any) -> Attribute | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if isinstance(origin, type) and issubclass(origin, list | set | frozenset | tuple | typing.Sequence):
        # A list of strings is one column (JSON, perhaps), a list of lines is a table.
        child = arguments[0]
        return Many(child) if isinstance(child, type) and not issubclass(child, SCALARS) else Scalar(origin)
    if origin is typing.Literal:
        kinds = {type(each) for each in arguments}
        return Scalar(kinds.pop()) if len(kinds) == 1 else None
    if isinstance(hint, typing.NewType):
        return _fact(hint.__supertype__)
    if isinstance(origin, type):
        return Scalar(origin)
    if not isinstance(hint, type) or hint is Any:
        return None  # ClassVar, TypeVar, Any: nothing a column could hold
    if dataclasses.is_dataclass(hint):
        inner = annotated(hint)
        return Value(hint, {name: fact for name, fact in inner.items() if isinstance(fact, Scalar)})
    return Scalar(hint)


def _optional(arguments: tuple[Any, ...]) -> Attribute | None:
    present = [argument for argument in arguments if argument is not type(None)]
    fact = _fact(present[0]) if len(present) == 1 else None
    if fact is None or isinstance(fact, Many) or len(present) == len(arguments):
        return fact
    return dataclasses.replace(fact, nullable=True)
