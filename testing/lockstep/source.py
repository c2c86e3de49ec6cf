"""Values as Python source, so that a program can be read, kept and run again."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

__all__ = ["Expression", "call", "source"]


class Expression(str):
    """A piece of source that stands for itself: `o3.id`."""

    __slots__ = ()


def source(value: Any) -> str:
    """What makes this value when it is evaluated."""
    match value:
        case Expression():
            return str(value)
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case float() if not math.isfinite(value):
            return f"float({str(value)!r})"
        case list():
            return f"[{', '.join(map(source, value))}]"
        case dict():
            return f"{{{', '.join(f'{source(key)}: {source(each)}' for key, each in value.items())}}}"
        case tuple():
            return f"({', '.join(map(source, value))}{',' if len(value) == 1 else ''})"
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        return call(type(value).__name__, **parts)
    return repr(value)


def call(function: str, *arguments: Any, **named: Any) -> str:
    """The source of a call."""
    spelled = [*map(source, arguments), *(f"{name}={source(value)}" for name, value in named.items())]
    return f"{function}({', '.join(spelled)})"
