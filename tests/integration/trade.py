"""Customers, orders and payments: what the tests of the ORM's session store.

Customer    a generated key, unique, no version
Order       a version, a value object, JSON, lines that know their order, with notes of their own
Tag         a member that lines are linked to, and that is nobody's child
Payment     a hierarchy: a subclass with a table of its own, and one that shares the table of the base
Rate        a compound key of a date and a UUID
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import JSON, Column, Date, ForeignKey, Integer, Numeric, String, Table, Uuid
from sqlalchemy.orm import Session as OrmSession, relationship

from honestwork.adapters import Mapping, SqlRepository, SqlStore, children, value
from honestwork.adapters.mapping import owner
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

LEAP_DAY = dt.date(2024, 2, 29)
SOURCE = UUID(int=7)


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str


@dataclass(eq=False)
class Customer:
    name: str
    age: int = 1
    id: int = field(init=False)


@dataclass(eq=False)
class Note:
    text: str
    id: int = field(init=False)


@dataclass(eq=False)
class Tag:
    name: str
    id: int = field(init=False)


@dataclass(eq=False)
class Line:
    product: str
    quantity: int = 1
    notes: list[Note] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    id: int = field(init=False)
    order: Order = field(init=False)


@dataclass(eq=False)
class Order:
    lines: list[Line] = field(default_factory=list)
    price: Money | None = None
    extra: Any = None
    id: int = field(init=False)
    version: int = field(init=False)


@dataclass(eq=False)
class Payment:
    payer: str
    id: int = field(init=False)


@dataclass(eq=False)
class CardPayment(Payment):
    number: str = ""


@dataclass(eq=False)
class CashPayment(Payment):
    coins: int | None = 0


@dataclass(eq=False)
class Rate:
    day: dt.date
    source: UUID
    rate: Decimal


mapping = Mapping()
customers = Table(
    "trade_customers",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False, unique=True),
    Column("age", Integer, nullable=False),
)
orders = Table(
    "trade_orders",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("amount", Integer),
    Column("currency", String(3)),
    Column("extra", JSON),
    Column("version", Integer, nullable=False),
)
lines = Table(
    "trade_order_lines",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("trade_orders.id"), nullable=False),
    Column("product", String(20), nullable=False),
    Column("quantity", Integer, nullable=False),
)
notes = Table(
    "trade_notes",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("line_id", ForeignKey("trade_order_lines.id"), nullable=False),
    Column("text", String(20), nullable=False),
)
tags = Table(
    "trade_tags",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False),
)
tagged = Table(
    "trade_tagged_lines",
    mapping.metadata,
    Column("line_id", ForeignKey("trade_order_lines.id"), primary_key=True),
    Column("tag_id", ForeignKey("trade_tags.id"), primary_key=True),
)
payments = Table(
    "trade_payments",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("payer", String(20), nullable=False),
    Column("coins", Integer),
)
cards = Table(
    "trade_card_payments",
    mapping.metadata,
    Column("id", ForeignKey("trade_payments.id"), primary_key=True),
    Column("number", String(20), nullable=False),
)
rates = Table(
    "trade_rates",
    mapping.metadata,
    Column("day", Date, primary_key=True),
    Column("source", Uuid, primary_key=True),
    Column("rate", Numeric(10, 4), nullable=False),
)

mapping.aggregate(Customer, customers)
mapping.member(Note, notes)
mapping.member(Tag, tags)
mapping.member(
    Line,
    lines,
    properties={
        "order": owner(Order, "lines"),
        "notes": children(Note),
        "tags": relationship(Tag, secondary=tagged, lazy="selectin", order_by=tags.c.id),
    },
)
mapping.aggregate(
    Order,
    orders,
    version=orders.c.version,
    properties={
        "price": value(Money, orders.c.amount, orders.c.currency),
        "lines": children(Line, back_populates="order"),
    },
)
mapping.aggregate(Payment, payments, polymorphic_on=payments.c.kind, polymorphic_identity="payment")
mapping.aggregate(CardPayment, cards, inherits=Payment, polymorphic_identity="card")
mapping.aggregate(CashPayment, inherits=Payment, polymorphic_identity="cash")
mapping.aggregate(Rate, rates)


class Trade(UnitOfWork):
    customers: Repository[Customer, int]
    orders: Repository[Order, int]
    payments: Repository[Payment, int]
    rates: Repository[Rate, tuple[dt.date, UUID]]


def session_of(uow: Trade) -> OrmSession:
    """SQLAlchemy's session in the unit's transaction."""
    return cast("SqlRepository[Customer, int]", uow.customers).session


@contextmanager
def trade(url: str) -> Iterator[SqlStore]:
    """A store with the customers Ann (1) and Bob (2), two orders with three lines, and three payments."""
    # Deferred, so that units overlap on SQLite as they do on the others; no test waits for the disk.
    store = SqlStore(url, mapping, begin="deferred", durability="process")
    store.create_tables()
    try:
        with Trade(store) as uow:
            uow.customers.add(Customer("Ann", 1))
            uow.customers.add(Customer("Bob", 2))
            pen = Line("pen", 1, [Note("blue")], [Tag("fragile")])
            uow.orders.add(Order([pen, Line("ink", 2)], Money(5, "EUR"), {"k": 1}))
            uow.flush()  # so that keys rise
            uow.orders.add(Order([Line("cap", 1)]))
            uow.payments.add(Payment("Ann"))
            uow.flush()
            uow.payments.add(CardPayment("Bob", "4711"))
            uow.flush()
            uow.payments.add(CashPayment("Cid", 9))
            uow.rates.add(Rate(LEAP_DAY, SOURCE, Decimal("1.25")))
            uow.commit()
        yield store
    finally:
        store.drop_tables()
        store.dispose()
