"""What a column holds when nothing is given, as a function that needs no database."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sqlalchemy import Boolean, Column, Computed, DefaultClause, Identity, Integer
from sqlalchemy.sql import elements, schema
from sqlalchemy.sql.schema import CallableColumnDefault, ScalarElementColumnDefault

from ...domain.errors import MappingRefused

__all__ = ["producer", "server_producer", "takes_context"]

# What each database takes for a boolean, in quotes or without.
BOOLEANS = {True: ("0", "1"), False: ("false", "true")}


def producer(default: Any) -> Callable[[], Any] | None:
    """What `default=` and `onupdate=` give, or None where there is neither."""
    match default:
        case ScalarElementColumnDefault():
            value = default.arg
            return (lambda: deepcopy(value)) if isinstance(value, dict | list) else lambda: value
        case CallableColumnDefault():
            function: Any = default.arg
            if takes_context(default):
                raise MappingRefused(
                    [
                        f"the default {getattr(function, '__qualname__', function)!r} takes a context, which only a"
                        " statement of SQLAlchemy has: give a function without parameters, or compute it in the class"
                    ]
                )
            return lambda: function(None)
        case None:
            return None
    raise MappingRefused([f"the default {default!r} is computed by the database: give it as a Python function"])


def takes_context(default: CallableColumnDefault) -> bool:
    """Does the user's function ask for a context? One that takes nothing has been wrapped by SQLAlchemy."""
    return getattr(default.arg, "__globals__", {}).get("__name__") != schema.__name__


def server_producer(column: Column[Any]) -> Callable[[], Any] | None:
    """What a literal `server_default=` gives, read with the column's type; None where there is none."""
    clause = column.server_default
    if clause is None or isinstance(clause, Identity | Computed):
        return None
    if not isinstance(clause, DefaultClause):
        raise MappingRefused([f"{column} is filled by something in the database: give a literal, or a Python function"])
    value = _literal(column, clause.arg)
    return lambda: value


def _literal(column: Column[Any], argument: Any) -> Any:
    match argument:
        case elements.True_() | elements.False_():
            return isinstance(argument, elements.True_)
        case str():
            spelled: str | None = argument
        case elements.TextClause():
            spelled = argument.text.strip("'")
        case _:
            spelled = None
    if spelled is not None and isinstance(column.type, Boolean) and spelled.lower() in BOOLEANS[type(argument) is str]:
        return spelled.lower() in ("1", "true")
    if spelled is not None and isinstance(column.type, Integer) and re.fullmatch("[+-]?[0-9]+", spelled):
        return int(spelled)
    if isinstance(argument, str) and column.type.python_type is str:
        return argument
    boolean = ", sqlalchemy.true() or false()" if isinstance(column.type, Boolean) else ""
    raise MappingRefused(
        [
            f"{column} has the server default {argument!s}, which only a database can compute:"
            f" give a literal{boolean}, or `default=` with a Python function"
        ]
    )
