"""The length of a text, counted in characters on every database: MariaDB's `length` counts bytes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import replacement_traverse

__all__ = ["count_characters"]

SPELLINGS = ("length", "char_length", "character_length")


class _Length(FunctionElement[int]):
    """What `func.length(column)` and its like become in a CHECK."""

    name = "length"
    type = Integer()
    inherit_cache = True


@compiles(_Length)
def _length(element: _Length, compiler: Any, **options: Any) -> str:
    function = "char_length" if compiler.dialect.name in ("mariadb", "mysql") else "length"
    return f"{function}({compiler.process(element.clauses, **options)})"


def count_characters(check: CheckConstraint) -> None:
    """From now on the check means the same on every database."""
    check.sqltext = replacement_traverse(check.sqltext, {}, _replacement)


def _replacement(element: Any, **_: Any) -> Any:
    if isinstance(element, FunctionElement) and element.name in SPELLINGS and not isinstance(element, _Length):
        return _Length(*element.clauses)
    return None
