"""What the benchmarks store: people, orders with their lines, and accounts that are found by a unique name."""

from __future__ import annotations

from dataclasses import dataclass, field

from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

__all__ = ["Account", "Line", "Order", "Shop", "User"]


@dataclass(eq=False)
class User:
    name: str
    age: int
    id: int = field(init=False)


@dataclass(eq=False)
class Line:
    sku: str
    quantity: int
    id: int = field(init=False)


@dataclass(eq=False)
class Order:
    reference: str
    batch: int
    lines: list[Line] = field(default_factory=list)
    id: int = field(init=False)


@dataclass(eq=False)
class Account:
    name: str
    id: int = field(init=False)


class Shop(UnitOfWork):
    users: Repository[User, int]
    orders: Repository[Order, int]
    accounts: Repository[Account, int]
