"""Imperative mapping of plain classes, with the defaults that both stores need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping as Dict
from functools import cached_property
from typing import Any

from sqlalchemy import Column, FromClause, MetaData, Table
from sqlalchemy.orm import (
    CompositeProperty,
    Mapper,
    RelationshipProperty,
    class_mapper,
    composite,
    registry,
    relationship,
)

from ...domain.errors import MappingRefused
from ..objects.ownership import watch_members
from ..plan.declared import mappers_of
from ..plan.schema import Schema
from ..queries.checks import checks_of
from .completion import CONSTRAINT_NAMES, complete

__all__ = ["Mapping", "children", "owner", "value"]


class Mapping(registry):
    """A `sqlalchemy.orm.registry` that knows which classes are aggregates. Made once, beside the tables:

        mapping = Mapping()

        users = Table(
            "users",
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            Column("name", String(80), nullable=False),
            Column("age", Integer, nullable=False),
        )
        mapping.aggregate(User, users)

    It completes the tables it is given, so that every database answers alike: text compares by code
    point, datetimes keep their microseconds and, with `timezone=True`, come back aware and in UTC, and
    SQLite never gives a deleted row's key to a new row. Constraints without a name get one.

    It stays an ordinary registry: `mapping.metadata` serves Alembic, and `map_imperatively` is there for
    classes that no repository serves.
    """

    def __init__(self, *, metadata: MetaData | None = None) -> None:
        super().__init__(metadata=metadata or MetaData(naming_convention=CONSTRAINT_NAMES))
        self.roots: dict[type[Any], Mapper[Any]] = {}
        self.violations: dict[str, type[Exception]] = {}
        self.twins: dict[str, Callable[[dict[str, Any]], bool | None]] = {}

    def aggregate(
        self,
        root: type[object],
        table: FromClause | None = None,
        *,
        version: Column[int] | None = None,
        properties: Dict[str, Any] | None = None,
        **options: Any,
    ) -> Mapper[Any]:
        """Map the root of an aggregate: the class that a repository serves.

        *version* is an integer column that rises whenever anything in the aggregate changes, so that two
        units that change different parts of one aggregate cannot both succeed. *properties* are those of
        `map_imperatively`; write `children(Line)` for a collection, `value(Money, amount, currency)` for
        a value object, and `"_name": users.c.name` for a private attribute on a public column. *options*
        go to `map_imperatively` as they are; `inherits=Base, polymorphic_identity="…"` maps a subclass, without
        a table of its own where it shares that of its base.
        """
        mapper = self._map(root, table, version, properties, options)
        self.roots[root] = mapper
        return mapper

    def member(
        self,
        cls: type[object],
        table: FromClause | None = None,
        *,
        properties: Dict[str, Any] | None = None,
        **options: Any,
    ) -> Mapper[Any]:
        """Map a class that lives inside an aggregate: it is loaded, stored and removed with its root."""
        return self._map(cls, table, None, properties, options)

    def violation(self, constraint: str, error: type[Exception]) -> None:
        """Raise *error* where the constraint of this name is broken, on every store:

            mapping.violation("uq_users_email", EmailTaken)

        The error is made with a message; its `__cause__` is the `ConstraintViolated` with table and columns.
        """
        self._require_open(constraint)
        self.violations[constraint] = error

    def check_twin(self, constraint: str, holds: Callable[[dict[str, Any]], bool | None]) -> None:
        """What a CHECK means in Python that not every database answers alike, for the store in memory:

            mapping.check_twin("ck_users_code", lambda row: row["code"] == row["code"].upper())

        *holds* gets a row as a dict of columns, and returns None where SQL's answer is unknown.
        """
        self._require_open(constraint)
        self.twins[constraint] = holds

    def check(self) -> None:
        """Examine the mapping. Raises MappingRefused, with every finding, if it cannot be served truthfully.

        Making a store does this too; a test that calls it says so earlier.
        """
        from .doctor import findings  # called when the first store is made, and not before

        self._complete()
        if found := findings(self):
            raise MappingRefused(found)

    @cached_property
    def schema(self) -> Schema:
        """The plain facts that the stores work from, read once, when the first store is made."""
        self.check()
        tables = self.metadata.sorted_tables
        schema = Schema(tables, mappers_of(self), self.roots, self.violations, self.twins)
        schema.checks.update({name: checks_of(table, self.twins) for name, table in schema.tables.items()})
        for entity in schema.entities.values():
            for members in entity.relations:
                watch_members(entity, members)
        return schema

    def _complete(self) -> None:
        for table in self.metadata.tables.values():
            complete(table)
        self.configure()

    def _require_open(self, what: str) -> None:
        if "schema" in self.__dict__:
            raise TypeError(f"{what} comes after a store was made from this mapping: say it before")

    def _map(
        self,
        cls: type[object],
        table: FromClause | None,
        version: Column[int] | None,
        properties: Dict[str, Any] | None,
        options: dict[str, Any],
    ) -> Mapper[Any]:
        self._require_open(cls.__name__)
        if not any("__dict__" in vars(base) for base in cls.__mro__):
            raise MappingRefused([f"{cls.__name__} has slots, which leave SQLAlchemy no room for its notes: drop them"])
        if isinstance(table, Table):
            complete(table)
        if version is not None:
            options = {"version_id_col": version, **options}
        if "polymorphic_on" in options:
            # Nothing of a subclass is loaded later, nor is what the database gives: by itself the ORM asks for that
            # in the table of the base alone.
            options = {"with_polymorphic": "*", "eager_defaults": True, **options}
        # A row that is gone already is what a removal wants; versioned ones are still checked.
        options = {"confirm_deleted_rows": version is not None, **options}
        return self.map_imperatively(cls, table, properties=dict(properties or {}), **options)


def children(
    cls: type[object],
    *,
    order_by: Any = (),
    collection: type[Collection[Any]] | Callable[[], Collection[Any]] = list,
    **options: Any,
) -> RelationshipProperty[Any]:
    """A collection inside the aggregate: loaded with it, stored with it, and deleted when taken out of it.

    The order is that of *order_by*, a column or several, then of the children's keys. To keep the order
    of a list as it is, give the children a position column and write
    `children(Line, order_by=lines.c.position, collection=ordering_list("position"))`, with SQLAlchemy's
    `sqlalchemy.ext.orderinglist`.
    """
    given = order_by if isinstance(order_by, list | tuple) else (order_by,)
    return relationship(
        cls,
        collection_class=collection,
        order_by=lambda: [*given, *class_mapper(cls, configure=False).primary_key],
        **{"cascade": "all, delete-orphan", "lazy": "selectin", **options},
    )


def owner(cls: type[object], children: str) -> RelationshipProperty[Any]:
    """The way back from a member to its owner, loaded with it:

    mapping.member(Line, lines, properties={"order": owner(Order, "lines")})
    mapping.aggregate(Order, orders, properties={"lines": children(Line, back_populates="order")})
    """
    return relationship(cls, back_populates=children, cascade="")


def value(cls: type[object], *columns: Column[Any]) -> CompositeProperty[Any]:
    """A frozen value object over several columns: `"price": value(Money, shows.c.amount, shows.c.currency)`.

    The columns are in the order of the constructor's parameters. Where all of them are NULL, the
    attribute is None.
    """
    return composite(cls, *columns, return_none_on=_all_none)


def _all_none(*values: object) -> bool:
    return all(each is None for each in values)
