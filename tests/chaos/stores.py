"""Stores of each kind, and what can be seen of them from outside: rows, connections, transactions, flags."""

from __future__ import annotations

import inspect
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.service_layer import Store

from .model import furnish, mapping

__all__ = [
    "KINDS",
    "SERVERS",
    "House",
    "State",
    "administrator",
    "checked_out",
    "left_behind",
    "made",
    "plain_engine",
    "rows",
    "supported",
    "terminate_all",
]

KINDS = ("memory", "sqlite", "sqlite-deferred", "sqlite-memory", "postgres", "mariadb")
SERVERS = ("postgres", "mariadb")
State = dict[str, list[tuple[Any, ...]]]


def supported(**options: Any) -> dict[str, Any]:
    """Those of the options that a SqlStore takes."""
    known = inspect.signature(SqlStore.__init__).parameters
    return {name: value for name, value in options.items() if name in known}


def made(url: str, *, begin: str = "immediate", lock_timeout: float = 1.0, **options: Any) -> SqlStore:
    """A store on this database, with the cheapest durability where SQLite offers a choice."""
    given = supported(durability="process", **options) if url.startswith("sqlite") else supported(**options)
    return SqlStore(url, mapping, begin=begin, lock_timeout=lock_timeout, **given)


def plain_engine(url: str) -> Engine:
    """An engine that has nothing to do with any store, and commits each statement."""
    return create_engine(make_url(url), isolation_level="AUTOCOMMIT", pool_pre_ping=True)


class _Elsewhere:
    """Another thread, which works while this one waits. It is a daemon, for what it does may never end."""

    def __init__(self) -> None:
        self._works: SimpleQueue[tuple[Future[None], Callable[..., None], tuple[Any, ...]] | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        done: Future[None] = Future()
        self._works.put((done, work, arguments))
        return done

    def end(self) -> None:
        self._works.put(None)

    def _run(self) -> None:
        while (given := self._works.get()) is not None:
            done, work, arguments = given
            try:
                done.set_result(work(*arguments))
            except BaseException as error:
                done.set_exception(error)
            del given, done, work, arguments  # with the unit that they hold


class House:
    """Where the stores of one kind live: `store` is furnished, and `renew` replaces one that is broken."""

    def __init__(self, kind: str, server: str | None = None) -> None:
        self.kind = kind
        self._folder = tempfile.TemporaryDirectory(prefix="honestwork", ignore_cleanup_errors=True)
        self._server = server
        self._number = 0
        self._plain: Engine | None = None
        self.url = ""
        self.store: Store
        self._build()

    def renew(self) -> None:
        """Give up a store that something has broken, with all its connections, and furnish a new one."""
        self._tear_down()
        self._build()

    def close(self) -> None:
        self._tear_down()
        self._folder.cleanup()

    @property
    def engine(self) -> Engine | None:
        return self.store.engine if isinstance(self.store, SqlStore) else None

    @property
    def plain(self) -> Engine | None:
        """An engine of its own on the same database; None where there cannot be one."""
        if self.kind in ("memory", "sqlite-memory"):
            return None
        if self._plain is None:
            self._plain = plain_engine(self.url)
        return self._plain

    def state(self) -> State:
        """All rows of all tables, as anybody can see them who asks after the last commit."""
        if isinstance(self.store, MemoryStore):
            return {
                name: sorted(tuple(row.values()) for row in self.store.rows(name)) for name in mapping.metadata.tables
            }
        engine = self.plain or self.engine
        assert engine is not None
        return rows(engine)

    def _build(self) -> None:
        self.elsewhere = _Elsewhere()
        if self.kind == "memory":
            self.store = MemoryStore(mapping)
        elif self.kind == "sqlite-memory":
            self.store = made("sqlite://")
        elif self.kind in SERVERS:
            assert self._server is not None
            self.url = self._server
            self.store = made(self.url)
            self.store.drop_tables()
        else:
            self._number += 1
            self.url = f"sqlite:///{Path(self._folder.name) / f'{self._number}.db'}"
            self.store = made(self.url, begin="deferred" if self.kind == "sqlite-deferred" else "immediate")
        furnish(self.store)

    def _tear_down(self) -> None:
        self.elsewhere.end()
        with suppress(Exception):
            self.store.dispose()
        if self._plain is not None:
            self._plain.dispose()
            self._plain = None
        if self.kind in SERVERS:
            terminate_all(self.url)


def rows(engine: Engine) -> State:
    """All rows of all tables of the model, by plain SQL."""
    with engine.connect() as connection:
        return {
            name: sorted(tuple(row) for row in connection.execute(table.select()))
            for name, table in mapping.metadata.tables.items()
        }


@contextmanager
def administrator(url: str) -> Iterator[Any]:
    """A connection to another database of the same server, whose statements are each on their own."""
    there = make_url(url)
    aside = there.set(database="postgres" if there.get_backend_name() == "postgresql" else "mysql")
    engine = create_engine(aside, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def terminate_all(url: str, *, one: bool = False, idle: bool = False) -> int:
    """End the connections to this database from the server's side (or *one* of them by chance), and count them."""
    there = make_url(url)
    with administrator(url) as connection:
        if there.get_backend_name() == "postgresql":
            query = "SELECT pid FROM pg_stat_activity WHERE datname = :name" + (" AND state = 'idle'" if idle else "")
            kill = "SELECT pg_terminate_backend({})"
        else:
            query = "SELECT id FROM information_schema.processlist WHERE db = :name" + (
                " AND command = 'Sleep'" if idle else ""
            )
            kill = "KILL {}"
        if one:
            query += f" ORDER BY {'random' if there.get_backend_name() == 'postgresql' else 'rand'}() LIMIT 1"
        victims = list(connection.execute(text(query), {"name": there.database}).scalars())
        for victim in victims:
            with suppress(DBAPIError):  # it may have ended meanwhile
                connection.exec_driver_sql(kill.format(victim))
    return len(victims)


def checked_out(store: Store) -> int:
    """How many connections of the store's pool are in use."""
    count = getattr(store.engine.pool, "checkedout", None) if isinstance(store, SqlStore) else None
    return int(count()) if count is not None else 0


def left_behind(store: Store) -> list[str]:
    """What of a store nobody uses is not as it should be: connections in use, in a transaction, read-only."""
    if not isinstance(store, SqlStore):
        return []
    found = []
    if (count := checked_out(store)) != 0:
        found.append(f"{count} connection(s) not given back")
    for connection in _resting(store.engine):
        found += _unrest(connection)
    return found


def _resting(engine: Engine) -> list[Any]:
    """The driver's connections that the pool keeps."""
    queue = getattr(getattr(engine.pool, "_pool", None), "queue", None)
    if queue is not None:
        return [entry.dbapi_connection for entry in list(queue) if entry is not None and entry.dbapi_connection]
    entry = engine.pool.__dict__.get("connection")  # a StaticPool has one, once it was asked for it
    return [entry.dbapi_connection] if entry is not None and entry.dbapi_connection is not None else []


def _unrest(connection: Any) -> list[str]:
    # Of PyMySQL's class the store has made one of its own.
    modules = [each.__module__.partition(".")[0] for each in type(connection).__mro__]
    driver = next((each for each in modules if each in ("sqlite3", "psycopg", "pymysql")), modules[0])
    match driver:
        case "sqlite3":
            if connection.in_transaction:
                return ["a pooled connection is in a transaction"]
            if connection.execute("PRAGMA query_only").fetchone()[0]:
                return ["a pooled connection is read-only"]
        case "psycopg":
            if connection.closed:
                return []
            if (status := connection.info.transaction_status.name) != "IDLE":
                return [f"a pooled connection is {status}"]
        case "pymysql":
            if connection.open and connection.server_status & 1:
                return ["a pooled connection is in a transaction"]
        case _:
            return [f"a pooled connection of {driver}, which nobody knows here"]
    return []
