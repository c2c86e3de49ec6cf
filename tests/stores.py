"""Stores of any mapping, on each kind of database: the same test runs on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.service_layer import Store

__all__ = ["STORES", "MakeStore", "stores_of_a_kind"]

STORES = ["memory", "sqlite", "postgres", "mariadb"]

MakeStore = Callable[[Mapping], Store]


@contextmanager
def stores_of_a_kind(request: pytest.FixtureRequest, *, lock_timeout: float) -> Iterator[MakeStore]:
    """Makes stores, all of the kind that the fixture is asked for; their tables are new, and go with the test."""
    made: list[Store] = []

    def make(mapping: Mapping) -> Store:
        store: Store
        if request.param == "memory":
            store = MemoryStore(mapping)
        else:
            # Deferred, so that units overlap on SQLite as they do on the others; no test waits for the disk.
            url: str = request.getfixturevalue(f"{request.param}_url")
            store = SqlStore(url, mapping, begin="deferred", lock_timeout=lock_timeout, durability="process")
        made.append(store)
        store.create_tables()
        return store

    yield make

    for store in made:
        store.drop_tables()
        store.dispose()
