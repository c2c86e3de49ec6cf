"""A small shop that has one of everything the contract speaks of, mapped once for all tests.

Product     a natural key, unique, CHECK, defaults, JSON, a version
Customer    a generated key, a private attribute, no version, a set of children
Order       a UUID key, a version, children, grandchildren, an ordered list, a single child, a value object
Seat        a compound key, a compound unique constraint with a nullable member
Sample      a column of every type
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum as PythonEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    select,
)
from sqlalchemy.ext.orderinglist import ordering_list

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children, value
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork

revision = iter(range(1, 1_000_000))


class Colour(PythonEnum):
    RED = "r"
    GREEN = "g"


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(eq=False)
class Product:
    code: str
    sku: str | None = None
    quantity: int = 0
    details: Any = None
    rating: int | None = None
    status: str = field(init=False)
    shelf: int = field(init=False)
    is_sold: bool = field(init=False)
    revision: int = field(init=False)
    version: int = field(init=False)


@dataclass(eq=False)
class Address:
    city: str
    id: int = field(init=False)


class Customer:
    def __init__(self, email: str, name: str = "John Doe") -> None:
        self.email = email
        self.name = name
        self.addresses: set[Address] = set()
        self.events: list[str] = ["made"]  # not mapped
        self._credit = 0

    id: int

    @property
    def credit(self) -> int:
        return self._credit

    def lend(self, amount: int) -> None:
        self._credit += amount


@dataclass(eq=False)
class Discount:
    percent: int
    id: int = field(init=False)


@dataclass(eq=False)
class Line:
    product: str
    quantity: int = 1
    discounts: list[Discount] = field(default_factory=list)
    id: int = field(init=False)


@dataclass(eq=False)
class Stop:
    """Where a delivery passes. Its position in the list of the order is kept."""

    place: str
    id: int = field(init=False)
    position: int = field(init=False)


@dataclass(eq=False)
class Parcel:
    weight: int
    id: int = field(init=False)


@dataclass(eq=False)
class Order:
    lines: list[Line] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    parcel: Parcel | None = None
    price: Money | None = None
    customer_id: int | None = None
    id: UUID = field(default_factory=uuid4)
    version: int = field(init=False)


@dataclass(eq=False)
class Seat:
    hall: str
    number: int
    guest: str = "nobody"
    meal: str | None = None


@dataclass(eq=False, init=False)
class Sample:
    def __init__(self, **values: object) -> None:
        for name, given in values.items():
            setattr(self, name, given)

    id: UUID
    small: int | None
    whole: int | None
    big: int | None
    truth: bool | None
    price: Decimal | None
    exact: Decimal | None
    ratio: float | None
    wide: float | None
    word: str | None
    prose: str | None
    colour: Colour | None
    size: str | None
    day: dt.date | None
    naive: dt.datetime | None
    aware: dt.datetime | None
    hour: dt.time | None
    span: dt.timedelta | None
    token: UUID | None
    document: Any
    blob: bytes | None


mapping = Mapping()

products = Table(
    "products",
    mapping.metadata,
    Column("code", String(20), primary_key=True),
    Column("sku", String(20), unique=True),
    Column("quantity", Integer, nullable=False),
    Column("details", JSON),
    Column("rating", Integer),
    Column("status", String(10), nullable=False, default="new"),
    Column("shelf", Integer, nullable=False, server_default="11"),
    Column("is_sold", Boolean, nullable=False, default=lambda: False),
    Column("revision", Integer, nullable=False, default=0, onupdate=lambda: next(revision)),
    Column("version", Integer, nullable=False),
)
products.append_constraint(CheckConstraint(products.c.quantity >= 0, name="ck_products_quantity"))
products.append_constraint(
    CheckConstraint((products.c.rating > 0) & (products.c.rating < 6), name="ck_products_rating")
)
customers = Table(
    "customers",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(80), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("credit", Integer, nullable=False),
)
addresses = Table(
    "addresses",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("city", String(20), nullable=False),
)
orders = Table(
    "orders",
    mapping.metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", ForeignKey("customers.id")),
    Column("amount", Numeric(10, 2)),
    Column("currency", String(3)),
    Column("version", Integer, nullable=False),
)
lines = Table(
    "order_lines",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False),
    Column("product", String(20), nullable=False),
    Column("quantity", Integer, nullable=False),
)
discounts = Table(
    "discounts",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("line_id", ForeignKey("order_lines.id"), nullable=False),
    Column("percent", Integer, nullable=False),
)
stops = Table(
    "stops",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("place", String(20), nullable=False),
)
parcels = Table(
    "parcels",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False),
    Column("weight", Integer, nullable=False),
)
seats = Table(
    "seats",
    mapping.metadata,
    Column("hall", String(10), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("guest", String(20), nullable=False),
    Column("meal", String(20)),
    UniqueConstraint("guest", "meal"),
)
samples = Table(
    "samples",
    mapping.metadata,
    Column("id", Uuid, primary_key=True, default=uuid4),
    Column("small", SmallInteger),
    Column("whole", Integer),
    Column("big", BigInteger),
    Column("truth", Boolean),
    Column("price", Numeric(10, 2)),
    Column("exact", Numeric(30, 12)),
    Column("ratio", Float),
    Column("wide", Double),
    Column("word", String(5)),
    Column("prose", Text),
    Column("colour", Enum(Colour)),
    Column("size", Enum("small", "large", name="size")),
    Column("day", Date),
    Column("naive", DateTime),
    Column("aware", DateTime(timezone=True)),
    Column("hour", Time),
    Column("span", Interval),
    Column("token", Uuid),
    Column("document", JSON),
    Column("blob", LargeBinary),
)

mapping.aggregate(Product, products, version=products.c.version)
mapping.member(Address, addresses)
mapping.aggregate(
    Customer,
    customers,
    properties={"_credit": customers.c.credit, "addresses": children(Address, collection=set)},
)
mapping.member(Discount, discounts)
mapping.member(Line, lines, properties={"discounts": children(Discount)})
mapping.member(Stop, stops)
mapping.member(Parcel, parcels)
mapping.aggregate(
    Order,
    orders,
    version=orders.c.version,
    properties={
        "price": value(Money, orders.c.amount, orders.c.currency),
        "lines": children(Line, order_by=lines.c.product),
        "stops": children(Stop, order_by=stops.c.position, collection=ordering_list("position")),
        "parcel": children(Parcel, uselist=False),
    },
)
mapping.aggregate(Seat, seats)
mapping.aggregate(Sample, samples)


class Products(Repository[Product, str]):
    """A named collection with a query of its own."""

    def in_stock(self) -> list[Product]:
        return [product for product in self if product.quantity > 0]


class Shop(UnitOfWork):
    products: Products
    customers: Repository[Customer, int]
    orders: Repository[Order, UUID]
    seats: Repository[Seat, tuple[str, int]]
    samples: Repository[Sample, UUID]


@contextmanager
def two_units(store: Store) -> Iterator[tuple[Shop, Shop]]:
    """Two units of work that are open at the same time, in one thread."""
    with Shop(store) as one, Shop(store) as two:
        yield one, two


def stored(store: Store, *aggregates: object) -> None:
    """Given: these have been stored, by a unit that is over."""
    with Shop(store) as uow:
        for aggregate in aggregates:
            match aggregate:
                case Product():
                    uow.products.add(aggregate)
                case Customer():
                    uow.customers.add(aggregate)
                case Order():
                    uow.orders.add(aggregate)
                case Seat():
                    uow.seats.add(aggregate)
                case Sample():
                    uow.samples.add(aggregate)
                case _:
                    raise TypeError(aggregate)
        uow.commit()


def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """The committed rows of a table, in the order of their keys, read behind the back of the units of work."""
    if isinstance(store, MemoryStore):
        return store.rows(table.name)
    assert isinstance(store, SqlStore)
    with store.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
