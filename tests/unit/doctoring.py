"""What the doctor says of small mappings. Each class is made anew, for a class can be mapped only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from honestwork.adapters import Mapping
from honestwork.domain import MappingRefused

__all__ = ["Member", "Thing", "fresh", "said_of", "said_of_members", "said_of_table"]

numbers = count(1)


class Thing:
    pass


class Member:
    pass


def fresh(base: type[Any] = Thing) -> Any:
    """A class of its own."""
    return type(f"{base.__name__}{next(numbers)}", (base,), {})


def said_of(mapping: Mapping) -> list[str]:
    """The findings; none if the mapping is healthy."""
    try:
        mapping.check()
    except MappingRefused as refused:
        return refused.findings
    return []


def said_of_table(*things: Any, cls: type[Any] | None = None, options: Any = None, **table: Any) -> list[str]:
    """Of an aggregate with these columns and constraints beside its key."""
    mapping = Mapping()
    made = Table("things", mapping.metadata, Column("id", String(5), primary_key=True), *things, **table)
    mapping.aggregate(cls or fresh(), made, **(options(made) if options else {}))
    return said_of(mapping)


def said_of_members(
    relation: Callable[[Any, Table, Table], Any], *columns: Any, things: Sequence[Column[Any]] = ()
) -> list[str]:
    """Of an aggregate that has members by this relation, made of their class and both tables."""
    mapping = Mapping()
    owners = Table("things", mapping.metadata, Column("id", String(5), primary_key=True), *things)
    members = Table(
        "members",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        *(columns or [Column("thing", ForeignKey("things.id"), nullable=False)]),
        Column("rank", Integer, nullable=False),
    )
    member = fresh(Member)
    mapping.member(member, members)
    made = relation(member, owners, members)
    mapping.aggregate(fresh(), owners, properties=made if isinstance(made, dict) else {"members": made})
    return said_of(mapping)
