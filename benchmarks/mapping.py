"""Where the benchmarks' classes are stored by this project."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from benchmarks.domain import Account, Line, Order, User
from honestwork.adapters import Mapping, children

__all__ = ["lines", "mapping", "orders", "users"]

mapping = Mapping()

users = Table(
    "users",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
    Column("age", Integer, nullable=False, index=True),
)
orders = Table(
    "orders",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(50), nullable=False),
    Column("batch", Integer, nullable=False, index=True),
)
lines = Table(
    "lines",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("orders.id"), nullable=False, index=True),
    Column("sku", String(50), nullable=False),
    Column("quantity", Integer, nullable=False),
)
accounts = Table(
    "accounts",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False, unique=True),
)

mapping.aggregate(User, users)
mapping.member(Line, lines)
mapping.aggregate(Order, orders, properties={"lines": children(Line)})
mapping.aggregate(Account, accounts)
