"""Databases with the same rows for everybody who is compared on them."""

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
from honestwork.testing import Missing, postgres_database

__all__ = ["POPULATION", "Peers", "Units", "fill_orders", "fill_users", "on_postgres", "on_sqlite", "postgres_url"]

POPULATION = 10_000  # users; a hundred of each age
ORDERS = 2_000

number = itertools.count().__next__  # one for all, so that no peer writes what another has written before it


class Units(Protocol):
    """The units of work on one user, which everybody has."""

    engine: Engine
    users: Table

    def get(self, key: int) -> None: ...
    def change(self, key: int, name: str) -> None: ...
    def insert(self, name: str) -> None: ...
    def delete(self, key: int) -> None: ...


class Peers:
    """Everybody, on one database."""

    def __init__(self, ours: str, plain: str) -> None:
        self.ours = HonestUnits(ours)
        engine = plain_engine(plain)
        metadata.drop_all(engine)
        metadata.create_all(engine)
        self.by_hand = HandWritten(engine)
        for side in (self.ours, self.by_hand):
            fill_users(side.engine, side.users, POPULATION)
            fill_orders(side.engine, side.orders, side.lines, ORDERS)
        self.all: dict[str, Units] = {
            "ours": self.ours,
            "by hand": self.by_hand,
            "book": BookUnits(engine),
            "Core": CoreUnits(engine),
            "driver": DriverUnits(engine),
        }

    def dispose(self) -> None:
        self.ours.store.dispose()
        self.by_hand.engine.dispose()

    def cases(self, unit: str) -> dict[str, Case]:
        """The unit of this name, `get`, `change`, `insert` or `delete`, of everybody."""
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


def keys(population: int) -> Callable[[], int]:
    """Keys in an order that nobody can foresee, the same for everybody."""
    shuffled = list(range(1, population + 1))
    random.Random(2).shuffle(shuffled)
    return itertools.cycle(shuffled).__next__


def fill_users(engine: Engine, table: Table, count: int) -> None:
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"name": f"user {i}", "age": i // 100} for i in range(count)])


def fill_orders(engine: Engine, orders: Table, lines: Table, count: int, batch: int = 0) -> list[int]:
    """Store orders of five lines each, and give their keys."""
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
    """A database of its own on this machine's server. Raises Absent."""
    try:
        url = bench.enter(postgres_database("benchmarks"))
    except Missing as missing:
        raise Absent(str(missing)) from missing
    # The disk of this machine is not what is compared.
    return f"{url}{'&' if '?' in url else '?'}options=-c%20synchronous_commit%3Doff"


class _Disposing:
    def __init__(self, peers: Peers) -> None:
        self.peers = peers

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, *error: object) -> None:
        self.peers.dispose()
