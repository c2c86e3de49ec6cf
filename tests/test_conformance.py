"""The conformance kit, used as its users use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, String, Table

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork
from honestwork.testing.conformance import RepositoryContract


class User:
    id: int

    def __init__(self, name: str, age: int) -> None:
        self.name = name
        self.age = age


class Directory(UnitOfWork):
    users: Repository[User, int]


mapping = Mapping()
users = Table(
    "users",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("age", Integer, nullable=False),
)
mapping.aggregate(User, users)


class TestUsers(RepositoryContract[User, int]):
    unit, repository = Directory, "users"

    @pytest.fixture(params=["memory", "sqlite"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        made: Store = MemoryStore(mapping)
        if request.param == "sqlite":
            made = SqlStore(f"sqlite:///{tmp_path}/test.db", mapping)
            made.create_tables()
        yield made
        made.dispose()

    def new(self, number: int) -> User:
        return User(f"user {number}", 30)

    def change(self, aggregate: User) -> None:
        aggregate.age += 1

    def key(self, aggregate: User) -> int:
        return aggregate.id
