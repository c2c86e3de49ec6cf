"""Every service test runs on the store in memory and on each database there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.service_layer import Store

MakeStore = Callable[[Mapping], Store]


@pytest.fixture(params=["memory", "sqlite", "postgres", "mariadb"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Makes stores of a mapping, all on the same kind of database; their tables are new, and go with the test."""
    made: list[Store] = []

    def make(mapping: Mapping) -> Store:
        store: Store
        if request.param == "memory":
            store = MemoryStore(mapping)
        else:
            # Deferred, so that units overlap on SQLite as they do on the others.
            store = SqlStore(request.getfixturevalue(f"{request.param}_url"), mapping, begin="deferred")
        made.append(store)
        store.create_tables()
        return store

    yield make

    for store in made:
        store.drop_tables()
        store.dispose()
