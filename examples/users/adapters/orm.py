"""Which class is kept in which table, and what the database promises about it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, String, Table

from honestwork.adapters import Mapping

from ..domain.user import User

mapping = Mapping()

users = Table(
    "users",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("age", Integer, nullable=False),
)

# An expression, and not text: so the store in memory can enforce it as well.
CheckConstraint(users.c.age >= 0, name="age_is_not_negative")

mapping.aggregate(User, users)
