"""Round trips of a unit of work, counted at the socket, compared with bare Core code that sends the same statements.

On a database across a network a unit takes as long as its round trips. A count is exact, and so is the bar: not one
more than bare Core, and none that depends on the number of members.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Protocol

from sqlalchemy import Engine

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar
from benchmarks.floors import CoreUnits
from benchmarks.hand_written import plain_engine
from benchmarks.honest import HonestUnits
from benchmarks.peers import mariadb_url, postgres_url
from benchmarks.proxy import CountingProxy, counted

FEW_LINES, MANY_LINES, CHANGED = 5, 500, 100
FEW_PROJECTS, MANY_PROJECTS = 10, 100
WARM, COUNTED = 12, 3  # psycopg prepares a statement when it has been executed five times


class Side(Protocol):
    """The units of work whose round trips are counted."""

    engine: Engine

    def get(self, key: int) -> None: ...
    def change(self, key: int, name: str) -> None: ...
    def insert(self, name: str) -> None: ...
    def get_order(self, key: int) -> None: ...
    def change_lines(self, key: int, quantity: int, count: int) -> None: ...
    def insert_order(self, reference: str, count: int) -> int: ...
    def insert_projects(self, count: int) -> None: ...
    def find_projects(self, batch: int) -> int: ...
    def insert_account(self, name: str) -> None: ...


UNITS = {
    "get": "get by key",
    "change": "get, change, commit",
    "get few": f"order with {FEW_LINES} lines: get",
    "get many": f"order with {MANY_LINES} lines: get",
    "change few": f"order with {FEW_LINES} lines: change all of them",
    "change many": f"order with {MANY_LINES} lines: change {CHANGED}",
    "insert few": f"order with {FEW_LINES} lines: insert",
    "insert many": f"order with {MANY_LINES} lines: insert",
    "find few": f"query of {FEW_PROJECTS} aggregates with two kinds of members",
    "find many": f"query of {MANY_PROJECTS} aggregates with two kinds of members",
    "fail": "a flush that fails",
}
SERVERS = {"PostgreSQL": postgres_url, "MariaDB": mariadb_url}
# PyMySQL sends an UPDATE for each row, so changing more lines takes more round trips there, whoever does it.
CONSTANT = {"PostgreSQL": ("get", "change", "insert", "find"), "MariaDB": ("get", "insert", "find")}

Counts = dict[str, int]


def counts(server: str, bench: Bench) -> tuple[Counts, Counts]:
    """Count the round trips of each unit: this project's, and those of bare Core."""
    url = bench.shared(SERVERS[server])
    proxy, through = bench.enter(counted(url))
    ours = HonestUnits(through)
    core = CoreUnits(plain_engine(through))
    hand_written.metadata.drop_all(core.engine)
    hand_written.metadata.create_all(core.engine)
    try:
        return _counts(proxy, ours), _counts(proxy, core)
    finally:
        ours.store.dispose()
        core.engine.dispose()


COUNTS = {server: partial(counts, server) for server in SERVERS}


def more_than_core(server: str, unit: str, bench: Bench) -> Figure:
    ours, core = bench.shared(COUNTS[server])
    return Figure(ours[unit] - core[unit], str(ours[unit]), str(core[unit]))


def more_with_more_members(server: str, bench: Bench) -> Figure:
    ours, core = bench.shared(COUNTS[server])
    units = CONSTANT[server]
    many, few = (sum(ours[f"{unit} {size}"] for unit in units) for size in ("many", "few"))
    both = (sum(core[f"{unit} {size}"] for unit in units) for size in ("many", "few"))
    return Figure(many - few, str(many), str(few), "bare Core {} v {}".format(*both))


for server in SERVERS:
    for unit, spelled_out in UNITS.items():
        bar(f"round trips, {server}, {spelled_out}: more", peer="bare Core", at_most=0, unit="")(
            partial(more_than_core, server, unit)
        )
    listed = ", ".join(CONSTANT[server])
    bar(f"round trips, {server}, {listed} with many members: more", peer="with few", at_most=0, unit="")(
        partial(more_with_more_members, server)
    )


def _counts(proxy: CountingProxy, side: Side) -> Counts:
    name = map("name {}".format, itertools.count()).__next__
    number = itertools.count().__next__
    side.insert("ann")
    few, many = (side.insert_order("stored", count) for count in (FEW_LINES, MANY_LINES))
    for projects in (FEW_PROJECTS, MANY_PROJECTS):
        side.insert_projects(projects)
        assert side.find_projects(projects) == projects
    side.insert_account("taken")
    units: dict[str, Callable[[], object]] = {
        "get": lambda: side.get(1),
        "change": lambda: side.change(1, name()),
        "get few": lambda: side.get_order(few),
        "get many": lambda: side.get_order(many),
        "change few": lambda: side.change_lines(few, number(), FEW_LINES),
        "change many": lambda: side.change_lines(many, number(), CHANGED),
        "insert few": lambda: side.insert_order(name(), FEW_LINES),
        "insert many": lambda: side.insert_order(name(), MANY_LINES),
        "find few": lambda: side.find_projects(FEW_PROJECTS),
        "find many": lambda: side.find_projects(MANY_PROJECTS),
        "fail": lambda: side.insert_account("taken"),
    }
    return {unit: _round_trips(proxy, run) for unit, run in units.items()}


def _round_trips(proxy: CountingProxy, run: Callable[[], object]) -> int:
    """Return the round trips of a call, once statements are compiled and prepared; the most of a few calls."""
    for _ in range(WARM):
        run()
    most = 0
    for _ in range(COUNTED):
        before = proxy.round_trips
        run()
        most = max(most, proxy.round_trips - before)
    return most
