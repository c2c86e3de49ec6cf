"""Plays the grammar on memory and a database: `python -m tests.grammar postgresql`.

The last line counts what was played. Its exit status is 1 after a fault, and where fewer than 99 % of all pairs of
productions were played.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.service_layer import Store
from honestwork.testing import mariadb_database, postgres_database

from .play import Played, play
from .tables import mapping

__all__ = ["main", "report", "stores_on"]

ENOUGH = 99  # per cent of the pairs
DATABASES = ("sqlite", "postgresql", "mariadb")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.grammar", description=__doc__)
    parser.add_argument("databases", nargs="+", choices=DATABASES)
    parser.add_argument("--rules", type=int, default=45_000)
    parser.add_argument("--orders", type=int, default=3_000)
    parser.add_argument("--projections", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=int, default=5, help="how many to find of each kind before it is enough")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    with stores_on(given.databases) as stores:
        played = play(
            stores,
            rules=given.rules,
            orders=given.orders,
            projections=given.projections,
            seed=given.seed,
            most_faults=given.faults,
        )
    return report(", ".join(given.databases), played)


@contextmanager
def stores_on(databases: Sequence[str]) -> Iterator[dict[str, Store]]:
    """A store in memory and one on each of the databases, with new tables."""
    if not databases:
        yield {"memory": MemoryStore(mapping)}
        return
    *others, last = databases
    with stores_on(others) as stores, _url(last) as url:
        store = SqlStore(url, mapping, durability="process")
        store.create_tables()
        try:
            yield {**stores, last: store}
        finally:
            store.drop_tables()
            store.dispose()


@contextmanager
def _url(database: str) -> Iterator[str]:
    if database == "sqlite":
        with tempfile.TemporaryDirectory(prefix="honestwork") as folder:
            yield f"sqlite:///{folder}/grammar.db"
    else:
        with (postgres_database if database == "postgresql" else mariadb_database)("grammar") as url:
            yield url


def report(name: str, played: Sequence[Played]) -> int:
    """Print what came of it; the status to exit with."""
    wanted = sum(len(each.score.wanted) for each in played)
    done = sum(each.score.played for each in played)
    refused = sum(len(each.score.only_refused) for each in played)
    share = 100 * done / wanted
    for each in played:
        missing = each.score.missing
        print(f"{each}; {each.score.played} of {len(each.score.wanted)} pairs")
        for pair in missing[:5]:
            print(f"  not played: {pair}")
        for fault in each.faults:
            print(f"  FAULT: {fault}")
    faults = sum(len(each.faults) for each in played)
    counts = ", ".join(f"{each.count} {each.kind}s" for each in played)
    print(
        f"{name}: {counts}, {faults} faults; {share:.1f} % of {wanted} pairs of productions played,"
        f" {refused} of them refused by every store alike"
    )
    return 1 if faults or share < ENOUGH else 0


if __name__ == "__main__":
    sys.exit(main())
