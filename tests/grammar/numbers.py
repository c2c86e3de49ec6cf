"""Numbers that notice when a calculation has more than 64 bits: rules cannot, see "What is not noticed" in docs/rules.md."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from .domain import NAMESPACE, Grain, Part, Specimen
from .generator import Tree
from .productions import DECIMAL_TURN, GRAIN, INT_TURN, PART, TEXT_TURN

__all__ = ["is_beyond"]


class _Beyond(Exception):
    """A result that no database has."""


def _checked(value: Any) -> Any:
    if type(value) is int or type(value) is _Int:
        if not -(2**63) <= value < 2**63:
            raise _Beyond
        return _Int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Beyond
        return _Float(value)
    return value


def _operator(kind: type, name: str) -> Callable[..., Any]:
    def calculate(self: Any, *others: Any) -> Any:
        plain = [int(each) if type(each) is _Int else float(each) if type(each) is _Float else each for each in others]
        result = getattr(kind, name)(self, *plain)
        if result is NotImplemented:
            return result
        if kind is float and others and result == 0 and name.strip("_r") == "mul" and self and plain[0]:
            raise _Beyond  # an underflow
        return _checked(result)

    return calculate


_NAMES = ("add", "radd", "sub", "rsub", "mul", "rmul", "neg", "abs", "mod")
_Int = type("_Int", (int,), {f"__{name}__": _operator(int, f"__{name}__") for name in _NAMES})
_Float = type("_Float", (float,), {f"__{name}__": _operator(float, f"__{name}__") for name in _NAMES})


def is_beyond(tree: Tree, people: Sequence[Specimen]) -> bool:
    """May a calculation in it have a result that databases have not: of more than 64 bits, or beyond all floats?

    A database may calculate what Python does not come to, behind a condition that is not true.
    """
    watched = [_watched(each) for each in people]
    return any(_goes_beyond(part, watched) for part in tree.all() if part.production.takes and _is_number(part))


def _is_number(tree: Tree) -> bool:
    return tree.production.makes.strip("=?") in ("int", "float", "decimal")


def _goes_beyond(tree: Tree, people: Sequence[Specimen]) -> bool:
    loops = "".join(f" for {name} in {_SOURCES[cls]}" for name, cls in tree.seen[1:])
    calculate = eval(f"lambda u: [calculated(lambda: {tree}){loops}]", NAMESPACE | {"calculated": _calculated})
    return any(any(calculate(each)) for each in people)


_SOURCES = {
    PART: "u.parts",
    GRAIN: "[grain for part in u.parts for grain in part.grains]",
    INT_TURN: "(1, 2, 3, -1, 2**53)",
    DECIMAL_TURN: "(D('0.1'), D(2))",
    TEXT_TURN: "('a',)",
}


def _calculated(calculate: Callable[[], Any]) -> bool:
    try:
        calculate()
    except _Beyond:
        return True
    except Exception:  # as it is without being watched
        return False
    return False


class _Watched:
    """An object whose numbers notice. A copy would be one of a mapped class, with all that follows from that."""

    def __init__(self, original: Any) -> None:
        self._class = type(original)
        for field in dataclasses.fields(original):
            if hasattr(original, field.name):
                setattr(self, field.name, _watched(getattr(original, field.name)))

    def __getattr__(self, name: str) -> Any:
        found = inspect.getattr_static(self._class, name)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        return functools.partial(found, self) if inspect.isfunction(found) else found


def _watched(value: Any) -> Any:
    if isinstance(value, list):
        return [_watched(each) for each in value]
    if isinstance(value, Specimen | Part | Grain):
        return _Watched(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _watched(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **parts)
    return value if isinstance(value, bool) else _checked(value)
