"""Accounts and payments: what the tests of single databases store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table

from honestwork.adapters import Mapping, SqlRepository, SqlStore
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork


@dataclass(eq=False)
class Account:
    owner: str
    balance: int = 0
    number: str | None = None
    version: int = field(init=False)


@dataclass(eq=False)
class Payment:
    account: str
    amount: int
    id: int = field(init=False)


mapping = Mapping()
accounts = Table(
    "accounts",
    mapping.metadata,
    Column("owner", String(20), primary_key=True),
    Column("balance", Integer, nullable=False),
    Column("number", String(20), unique=True),
    Column("version", Integer, nullable=False),
)
accounts.append_constraint(CheckConstraint(accounts.c.balance >= 0, name="ck_accounts_balance"))
payments = Table(
    "payments",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("account", ForeignKey("accounts.owner"), nullable=False),
    Column("amount", Integer, nullable=False),
)
mapping.aggregate(Account, accounts, version=accounts.c.version)
mapping.aggregate(Payment, payments)


class Bank(UnitOfWork):
    accounts: Repository[Account, str]
    payments: Repository[Payment, int]


@contextmanager
def bank(url: str, *, durability: str = "process", **options: Any) -> Iterator[SqlStore]:
    """A store in which John has 100, for as long as the block. No test waits for the disk unless it says so."""
    store = SqlStore(url, mapping, durability=durability, **options)
    store.create_tables()
    try:
        with Bank(store) as uow:
            uow.accounts.add(Account("John", 100))
            uow.commit()
        yield store
    finally:
        store.drop_tables()
        store.dispose()


def balance(store: SqlStore, owner: str = "John") -> int:
    with Bank(store).reading() as uow:
        return uow.accounts[owner].balance


def sql(uow: Bank, statement: str) -> object:
    """The first value that a statement gives, run in the open unit's own transaction."""
    repository = uow.accounts
    assert isinstance(repository, SqlRepository)
    result = repository.session.connection().exec_driver_sql(statement)
    return result.scalar() if result.returns_rows else None
