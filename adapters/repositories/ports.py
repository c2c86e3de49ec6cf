"""From a port to the class that serves it on one store.

A port is `Repository`, or a subclass of it that names a collection and its queries. A query written with
rules runs on every store, and nothing more is needed: the class is made here. A query that only a database
can do is declared abstract in the port and written twice, in SQL and in Python:

    class Orders(Repository[Order, UUID]):
        @abstractmethod
        def overdue_in(self, region: str) -> list[Order]: ...

    class SqlOrders(SqlRepository[Order, UUID], Orders):
        def overdue_in(self, region: str) -> list[Order]:
            return list(self.session.scalars(select(Order).where(…)))

    class MemoryOrders(MemoryRepository[Order, UUID], Orders):
        @twin_of(SqlOrders.overdue_in)
        def overdue_in(self, region: str) -> list[Order]: ...

A method of the one class without its twin in the other is an error where the second class is made: a fake
that cannot answer is no fake. `honestwork.testing` compares the answers of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from ...domain.repository import Repository
from ..plan.entities import EntityPlan
from ..plan.schema import Schema

__all__ = ["Serving", "entity_of", "queries_of", "register", "repository_class", "twin_of"]

F = TypeVar("F", bound=Callable[..., Any])

_written: dict[type[Any], list[type[Any]]] = {}  # by a store's own repository class, what users have written on it


def twin_of(query: Callable[..., Any]) -> Callable[[F], F]:
    """Mark a method of a `MemoryRepository` as the twin of a query in SQL: same arguments, same answer."""

    def mark(method: F) -> F:
        method.__twin__ = query  # type: ignore[attr-defined]
        return method

    return mark


def register(base: type[Any], written: type[Any]) -> None:
    """A user has written a class on a store's own repository. Raises TypeError if a query has no twin."""
    _written.setdefault(base, [])
    ports = _ports(written)
    for other_base, others in _written.items():
        for other in others if other_base is not base else []:
            if ports & _ports(other):
                _require_twins(written, other)
    _written[base].append(written)


def queries_of(written: type[Any]) -> dict[str, Callable[..., Any]]:
    """The methods that a user's repository class adds for its store."""
    return {
        name: method
        for name, method in vars(written).items()
        if callable(method) and not name.startswith("_") and not hasattr(Repository, name)
    }


def _ports(written: type[Any]) -> set[type[Any]]:
    """What the class is besides a repository of its store: not what stores are themselves, nor what is made of one."""
    return {
        base
        for base in written.__mro__
        if issubclass(base, Repository)
        and not any(issubclass(store, base) or issubclass(base, store) for store in _written)
    }


def _require_twins(one: type[Any], other: type[Any]) -> None:
    queries = [*queries_of(one).values(), *queries_of(other).values()]
    twins = [getattr(query, "__twin__", None) for query in queries]
    for query, twin in zip(queries, twins, strict=True):
        if twin is None and query not in twins:
            raise TypeError(
                f"{query.__qualname__} has no twin: {one.__name__} and {other.__name__} serve the same port, so each"
                f" query in SQL needs a method @twin_of({query.__qualname__}) that gives the same answer from memory"
            )


@cache
def repository_class(port: type[Repository[Any, Any]], base: type[Any]) -> type[Any]:
    """*base* itself for the plain `Repository`; what a user has written for the port; else a class made here.

    Raises TypeError if the port has abstract queries that nobody has written for this store, or is itself written
    for another store.
    """
    if port is Repository:
        return base
    for written in reversed(_written.get(base, [])):
        if issubclass(written, port):
            found: type[Any] = written
            return found
    if other := next((store for store in _written if store is not base and issubclass(port, store)), None):
        raise TypeError(
            f"{port.__name__} is a {other.__name__}, and this store needs a {base.__name__}: give the unit of work a"
            f" port (class {_plain(port)}(Repository[…])) that declares the queries, and let both be written for it"
        )
    name = f"{base.__name__.removesuffix('Repository')}{port.__name__}"
    made: type[Any] = type(name, (port, base), {"__module__": __name__})
    if missing := getattr(made, "__abstractmethods__", None):
        raise TypeError(
            f"{port.__name__} declares {', '.join(sorted(missing))}, which nobody has written for this store:"
            f" write class {name}({base.__name__}[…], {port.__name__}) with it"
        )
    return made


def _plain(port: type[Any]) -> str:
    return port.__name__.removeprefix("Sql").removeprefix("Memory")


class Serving:
    """A store, as far as it makes the repositories of its units: which class serves a port is found out once."""

    schema: Schema
    repository_base: type[Any]

    def __init__(self) -> None:
        self._served: dict[tuple[type[Any], type[Any]], tuple[type[Any], EntityPlan]] = {}

    def repository(self, session: Any, port: type[Repository[Any, Any]], aggregate: type[Any]) -> Any:
        """Make the repository of an aggregate for one unit. Raises TypeError if nothing can serve the port."""
        found = self._served.get((port, aggregate))
        if found is None:
            entity = entity_of(self.schema, aggregate)
            base: Any = self.repository_base
            found = self._served[port, aggregate] = repository_class(port, base), entity
        cls, entity = found
        return cls(session, entity)


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
