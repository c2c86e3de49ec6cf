"""What the chaos proof and the tests of interrupts store: accounts, transfers between them, and baskets with items."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table

from honestwork.adapters import Mapping, children
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork

__all__ = ["COUNTER", "Account", "Bank", "Basket", "Item", "Transfer", "furnish", "mapping", "works"]

COUNTER = 9  # the account on which `works` counts


@dataclass(eq=False)
class Account:
    """Without a version: that no update is lost is up to the isolation alone."""

    number: int
    balance: int


@dataclass(eq=False)
class Transfer:
    id: str
    source: int
    target: int
    amount: int


@dataclass(eq=False)
class Item:
    amount: int
    id: int = field(init=False)


@dataclass(eq=False)
class Basket:
    code: str
    items: list[Item] = field(default_factory=list)
    version: int = field(init=False)


mapping = Mapping()
accounts = Table(
    "accounts",
    mapping.metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("balance", BigInteger, nullable=False),
)
transfers = Table(
    "transfers",
    mapping.metadata,
    Column("id", String(60), primary_key=True),
    Column("source", Integer, nullable=False),
    Column("target", Integer, nullable=False),
    Column("amount", Integer, nullable=False),
)
baskets = Table(
    "baskets",
    mapping.metadata,
    Column("code", String(20), primary_key=True),
    Column("version", Integer, nullable=False),
)
items = Table(
    "items",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("basket", ForeignKey("baskets.code"), nullable=False),
    Column("amount", Integer, nullable=False),
)
mapping.member(Item, items)
mapping.aggregate(Account, accounts)
mapping.aggregate(Transfer, transfers)
mapping.aggregate(Basket, baskets, version=baskets.c.version, properties={"items": children(Item)})


class Bank(UnitOfWork):
    accounts: Repository[Account, int]
    transfers: Repository[Transfer, str]
    baskets: Repository[Basket, str]


def furnish(store: Store, accounts: int = 3, balance: int = 1000) -> None:
    """Create the tables, some accounts, the counter, a transfer and two baskets with two items each."""
    store.create_tables()
    with Bank(store) as uow:
        uow.accounts.add_many([Account(number, balance) for number in range(accounts)])
        if accounts <= COUNTER:
            uow.accounts.add(Account(COUNTER, 0))
        uow.transfers.add(Transfer("first", 0, 1, 0))
        for code in ("A", "B"):
            uow.baskets.add(Basket(code, [Item(1), Item(2)]))
        uow.commit()


def works(uow: Bank) -> None:
    """Read, change and commit in an open unit: the counter is one higher then."""
    uow.accounts[COUNTER].balance += 1
    uow.commit()
