"""Databases filled with the same rows for each side of a comparison."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Engine, Table, insert

from benchmarks.bars import Absent, Bench
from benchmarks.floors import CoreUnits, DriverUnits
from benchmarks.hand_written import BookUnits, HandWritten, metadata, plain_engine
from benchmarks.harness import Case
from benchmarks.honest import HonestUnits
from honestwork.testing import Missing, mariadb_database, postgres_database

__all__ = [
    "ORDER_UNITS",
    "POPULATION",
    "Peers",
    "Units",
    "fill_orders",
    "fill_users",
    "mariadb_url",
    "on_postgres",
    "on_sqlite",
    "postgres_url",
]

POPULATION = 10_000  # users; a hundred of each age
ORDERS = 2_000

ORDER_UNITS = ("get order", "change line", "insert order")

number = itertools.count().__next__  # one for all sides, so that each value that is written is new


class Units(Protocol):
    """The units of work on one user, which each side has."""

    engine: Engine
    users: Table

    def get(self, key: int) -> None: ...
    def change(self, key: int, name: str) -> None: ...
    def insert(self, name: str) -> None: ...
    def delete(self, key: int) -> None: ...


class OrderUnits(Protocol):
    """The units of work on one order with five lines."""

    def get_order(self, key: int) -> None: ...
    def change_lines(self, key: int, quantity: int) -> None: ...
    def insert_order(self, reference: str) -> int: ...


class Peers:
    """All sides of a comparison, on one database."""

    def __init__(self, ours: str, plain: str) -> None:
        self.ours = HonestUnits(ours)
        engine = plain_engine(plain)
        metadata.drop_all(engine)
        metadata.create_all(engine)
        self.by_hand = HandWritten(engine)
        for side in (self.ours, self.by_hand):
            fill_users(side.engine, side.users, POPULATION)
            fill_orders(side.engine, side.orders, side.lines, ORDERS)
        core = CoreUnits(engine)
        self.all: dict[str, Units] = {
            "ours": self.ours,
            "by hand": self.by_hand,
            "book": BookUnits(engine),
            "Core": core,
            "driver": DriverUnits(engine),
        }
        self.with_orders: dict[str, OrderUnits] = {"ours": self.ours, "by hand": self.by_hand, "Core": core}

    def dispose(self) -> None:
        self.ours.store.dispose()
        self.by_hand.engine.dispose()

    def cases(self, unit: str) -> dict[str, Case]:
        """Return the unit `get`, `change`, `insert`, `delete` or one of ORDER_UNITS of each side that has it."""
        if unit in ORDER_UNITS:
            return {name: _order_case(unit, units) for name, units in self.with_orders.items()}
        return {name: _case(unit, units) for name, units in self.all.items()}


def _case(unit: str, units: Units) -> Case:
    key = keys(POPULATION)
    match unit:
        case "get":
            return Case(lambda: units.get(key()))
        case "change":
            return Case(lambda: units.change(key(), f"name {number()}"))
        case "insert":
            return Case(lambda: units.insert(f"name {number()}"))
        case "delete":
            doomed: list[int] = []

            def prepare(count: int) -> None:
                new = insert(units.users).values([{"name": "doomed", "age": -1}] * count).returning(units.users.c.id)
                with units.engine.begin() as connection:
                    doomed.extend(connection.scalars(new))

            return Case(lambda: units.delete(doomed.pop()), prepare)
    raise ValueError(unit)


def _order_case(unit: str, units: OrderUnits) -> Case:
    key = keys(ORDERS)
    match unit:
        case "get order":
            return Case(lambda: units.get_order(key()))
        case "change line":
            return Case(lambda: units.change_lines(key(), number()))
        case "insert order":
            return Case(lambda: units.insert_order(f"order {number()}"))
    raise ValueError(unit)


def keys(population: int) -> Callable[[], int]:
    """Return the keys one by one, shuffled in the same order for each side."""
    shuffled = list(range(1, population + 1))
    random.Random(2).shuffle(shuffled)
    return itertools.cycle(shuffled).__next__


def fill_users(engine: Engine, table: Table, count: int) -> None:
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"name": f"user {i}", "age": i // 100} for i in range(count)])


def fill_orders(engine: Engine, orders: Table, lines: Table, count: int, batch: int = 0) -> list[int]:
    """Store orders of five lines each, and return their keys."""
    with engine.begin() as connection:
        new = insert(orders).returning(orders.c.id, sort_by_parameter_order=True)
        stored = list(connection.scalars(new, [{"reference": f"order {i}", "batch": batch} for i in range(count)]))
        connection.execute(
            lines.insert(),
            [{"order_id": key, "sku": f"sku {i}", "quantity": i} for key in stored for i in range(5)],
        )
    return stored


def on_sqlite(bench: Bench) -> Peers:
    peers = Peers("sqlite://", "sqlite://")
    bench.enter(_Disposing(peers))
    return peers


def on_postgres(bench: Bench) -> Peers:
    url = bench.shared(postgres_url)
    peers = Peers(url, url)
    bench.enter(_Disposing(peers))
    return peers


def postgres_url(bench: Bench) -> str:
    """Return the URL of a new database on this machine's server. Raises Absent if there is none."""
    try:
        url = bench.enter(postgres_database("benchmarks"))
    except Missing as missing:
        raise Absent(str(missing)) from missing
    # The disk of this machine is not what is compared.
    return f"{url}{'&' if '?' in url else '?'}options=-c%20synchronous_commit%3Doff"


def mariadb_url(bench: Bench) -> str:
    """Return the URL of a new database on this machine's server. Raises Absent if there is none."""
    try:
        return bench.enter(mariadb_database("benchmarks"))
    except Missing as missing:
        raise Absent(str(missing)) from missing


class _Disposing:
    def __init__(self, peers: Peers) -> None:
        self.peers = peers

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, *error: object) -> None:
        self.peers.dispose()
