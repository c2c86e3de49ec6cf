"""From a port and a store's own repository to the class that serves the port on that store."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..domain.repository import Repository
from .entities import EntityPlan
from .schema import Schema

__all__ = ["entity_of", "repository_class"]


@cache
def repository_class(port: type[Repository[Any, Any]], base: type[Any]) -> type[Any]:
    """*base* itself for the plain `Repository`; for a named port, a class with its queries and *base*'s methods.

    Users subclass `Repository` to give a collection queries of its own; the same body of such a query
    runs on every store, because it can only call what every store has.
    """
    if port is Repository:
        return base
    return type(f"{base.__name__.removesuffix('Repository')}{port.__name__}", (port, base), {})


def entity_of(schema: Schema, aggregate: type[Any]) -> EntityPlan:
    """The plan of an aggregate's root. Raises TypeError for a class that no repository can serve."""
    entity = schema.entities.get(aggregate)
    if entity is None:
        raise TypeError(
            f"{aggregate.__name__} is not mapped by the mapping of this store:"
            f" call mapping.aggregate({aggregate.__name__}, …) before the store is made"
        )
    if not entity.is_root:
        raise TypeError(
            f"{aggregate.__name__} lives inside of an aggregate and has no repository: reach it through its root,"
            " or map it with mapping.aggregate"
        )
    return entity
