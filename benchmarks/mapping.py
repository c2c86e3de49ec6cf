"""The mapping of the benchmarks' aggregates for this project's stores."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from benchmarks.domain import Account, Line, Note, Order, Project, Task, User
from honestwork.adapters import Mapping, children

__all__ = ["lines", "mapping", "notes", "orders", "projects", "tasks", "users"]

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
projects = Table(
    "projects",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("batch", Integer, nullable=False, index=True),
)
tasks = Table(
    "tasks",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("title", String(50), nullable=False),
)
notes = Table(
    "notes",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False, index=True),
    Column("text", String(50), nullable=False),
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
mapping.member(Task, tasks)
mapping.member(Note, notes)
mapping.aggregate(Project, projects, properties={"tasks": children(Task), "notes": children(Note)})
mapping.aggregate(Account, accounts)
