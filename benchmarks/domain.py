"""The aggregates of the benchmarks.

Users stand alone, orders have lines, projects have two kinds of members, and accounts have a unique name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

__all__ = ["Account", "Line", "Note", "Order", "Project", "Shop", "Task", "User"]


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
class Task:
    title: str
    id: int = field(init=False)


@dataclass(eq=False)
class Note:
    text: str
    id: int = field(init=False)


@dataclass(eq=False)
class Project:
    batch: int
    tasks: list[Task] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    id: int = field(init=False)


@dataclass(eq=False)
class Account:
    name: str
    id: int = field(init=False)


class Shop(UnitOfWork):
    users: Repository[User, int]
    orders: Repository[Order, int]
    projects: Repository[Project, int]
    accounts: Repository[Account, int]
