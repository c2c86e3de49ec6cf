"""The store on a real database: one engine, one pool, as many sessions as there are units of work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine

from ...service_layer.store import Store
from ..entities import EntityPlan
from ..mapping import Mapping
from .broken_references import watch_references
from .engines import configured, in_memory, reading, write_lock
from .errors import DRIVER_ERRORS, raised
from .flush import Writer
from .loading import Loader
from .session import SqlSession

__all__ = ["SqlStore"]


class SqlStore(Store):
    """Units of work on SQLite, PostgreSQL or MariaDB. Made once, shared by all threads:

        store = SqlStore("sqlite:///users.db", mapping)
        store.create_tables()
        uow = Directory(store)

    *database* is a URL (`sqlite:///file.db`, `postgresql+psycopg://…`, `mariadb+pymysql://…`) or an Engine
    of your own, whose pool is used as it is.

    Every unit reads one snapshot of the data, taken at its first statement. *begin* is for SQLite, which has
    one writer at a time: "immediate" lets a unit wait for its turn before it reads, so that nothing it read
    can have changed when it writes; "deferred" lets units overlap, and the second writer gets a Conflict.

    *lock_timeout*, in seconds, is how long a unit waits for the locks of others before it gets a LockTimeout, which
    is a Conflict.

    Values of rows and passwords stay out of errors: an engine made from a URL hides parameters. What an Engine of your
    own shows, it goes on showing.

    Raises BadValue for a URL that is none, Unavailable if the driver is not installed. The database itself
    is first reached by the first statement.
    """

    def __init__(
        self, database: str | Engine, mapping: Mapping, *, begin: str = "immediate", lock_timeout: float = 5.0
    ) -> None:
        self.schema = mapping.schema
        self.engine = configured(database, begin=begin, lock_timeout=lock_timeout)
        self._reading = reading(self.engine)
        self.metadata = mapping.metadata
        self._loaders: dict[type[Any], Loader] = {}
        self._writers: dict[type[Any], Writer] = {}
        self._one_writer = self.engine.dialect.name == "sqlite" and (begin == "immediate" or in_memory(self.engine.url))
        self._write_lock = write_lock(self.engine, lock_timeout) if self._one_writer else None
        if self.engine.dialect.name == "sqlite":
            watch_references(self.engine, self.metadata, self.schema)

    def open(self, *, reading: bool = False) -> SqlSession:
        if reading:
            # A database in memory has one connection for all units, so that readers take turns with the others.
            turn = self._write_lock if in_memory(self.engine.url) else None
            return SqlSession(self, self._reading, turn, reading=True)
        return SqlSession(self, self.engine, self._write_lock, reading=False)

    def create_tables(self) -> None:
        try:
            self.metadata.create_all(self.engine)
        except DRIVER_ERRORS as error:
            raised(error, self.schema)

    def drop_tables(self) -> None:
        try:
            self.metadata.drop_all(self.engine)
        except DRIVER_ERRORS as error:
            raised(error, self.schema)

    def dispose(self) -> None:
        self.engine.dispose()

    def loader(self, entity: EntityPlan) -> Loader:
        """What loads a class, with its prepared statements; it lives as long as the store."""
        found = self._loaders.get(entity.cls)
        if found is None:
            found = self._loaders[entity.cls] = Loader(self, entity)
        return found

    def writer(self, cls: type[Any]) -> Writer:
        """What writes the rows of a class where there is nothing more to it; it lives as long as the store."""
        found = self._writers.get(cls)
        if found is None:
            found = self._writers[cls] = Writer(self, self.schema.entities[cls])
        return found
