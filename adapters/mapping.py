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

from .schema import Schema
from .types import portable

__all__ = ["Mapping", "children", "value"]

CONSTRAINT_NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


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

    def aggregate(
        self,
        root: type[object],
        table: FromClause,
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
        go to `map_imperatively` as they are.
        """
        mapper = self._map(root, table, version, properties, options)
        self.roots[root] = mapper
        return mapper

    def member(
        self, cls: type[object], table: FromClause, *, properties: Dict[str, Any] | None = None, **options: Any
    ) -> Mapper[Any]:
        """Map a class that lives inside an aggregate: it is loaded, stored and removed with its root."""
        return self._map(cls, table, None, properties, options)

    @cached_property
    def schema(self) -> Schema:
        """The plain facts that the stores work from, read once, when the first store is made."""
        for table in self.metadata.tables.values():
            _complete(table)
        self.configure()
        return Schema(self)

    def _map(
        self,
        cls: type[object],
        table: FromClause,
        version: Column[int] | None,
        properties: Dict[str, Any] | None,
        options: dict[str, Any],
    ) -> Mapper[Any]:
        if "schema" in self.__dict__:
            raise TypeError(f"{cls.__name__} is mapped after a store was made from this mapping: map it before")
        if isinstance(table, Table):
            _complete(table)
        if version is not None:
            options = {"version_id_col": version, **options}
        # A row that is gone already is what a removal wants; versioned ones are still checked.
        options = {"confirm_deleted_rows": False, **options}
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


def value(cls: type[object], *columns: Column[Any]) -> CompositeProperty[Any]:
    """A frozen value object over several columns: `"price": value(Money, shows.c.amount, shows.c.currency)`.

    The columns are in the order of the constructor's parameters. Where all of them are NULL, the
    attribute is None.
    """
    return composite(cls, *columns, return_none_on=_all_none)


def _all_none(*values: object) -> bool:
    return all(each is None for each in values)


def _complete(table: Table) -> None:
    if not table.info.setdefault("completed by honestwork", False):
        table.info["completed by honestwork"] = True
        generated = len(table.primary_key) == 1 and table.autoincrement_column is not None
        table.dialect_options["sqlite"]["autoincrement"] = generated
        for column in table.columns:
            column.type = portable(column.type)
