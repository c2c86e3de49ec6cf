"""The same tests on four stores: what holds on one holds on all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.service_layer import Store
from tests.contract.shop import Shop, mapping
from tests.stores import STORES, MakeStore, stores_of_a_kind


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, in which two units can be open at the same time in one thread."""
    yield from made_store(request, request.param)


@pytest.fixture
def uow(store: Store) -> Shop:
    """A unit of work that is not open yet."""
    return Shop(store)


@pytest.fixture
def has_one_writer(store: Store) -> bool:
    """SQLite locks the whole database for a writer: a second one gets a Conflict, whatever it writes."""
    return isinstance(store, SqlStore) and store.engine.dialect.name == "sqlite"


@pytest.fixture(scope="session")
def postgres_store(postgres_url: str) -> Iterator[SqlStore]:
    yield from served(SqlStore(postgres_url, mapping, lock_timeout=0.05))


@pytest.fixture(scope="session")
def mariadb_store(mariadb_url: str) -> Iterator[SqlStore]:
    # MariaDB counts whole seconds; none means that nobody waits.
    yield from served(SqlStore(mariadb_url, mapping, lock_timeout=0))


def made_store(request: pytest.FixtureRequest, name: str) -> Iterator[Store]:
    if name == "memory":
        yield MemoryStore(mapping)
    elif name == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        yield from served(SqlStore(url, mapping, begin="deferred", lock_timeout=0.01, durability="process"))
    else:
        # Creating tables takes a server longer than a test: they are created once, and emptied after each test.
        server: SqlStore = request.getfixturevalue(f"{name}_store")
        yield server
        with server.engine.begin() as connection:
            for table in reversed(mapping.metadata.sorted_tables):
                connection.execute(table.delete())


def served(store: SqlStore) -> Iterator[SqlStore]:
    store.create_tables()
    try:
        yield store
    finally:
        store.drop_tables()
        store.dispose()


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    with stores_of_a_kind(request, lock_timeout=0 if request.param == "mariadb" else 0.05) as make:
        yield make
