"""The store on a real database: one engine, one pool, as many sessions as there are units of work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from ...domain.errors import WrongProcess
from ...service_layer import process
from ...service_layer.store import Store
from ..engine.session import EngineSession
from ..mapping.mapping import Mapping
from ..plan.entities import EntityPlan
from ..plan.tables import TablePlan
from ..repositories.ports import Serving
from ..repositories.repository import cursor_key_of
from .engines import Settings, configured, file_of, in_memory, turn_to_write
from .errors import DRIVER_ERRORS, raised
from .forks import close_before_forks, require_no_open_parent
from .pool import drop, give_back
from .reading import Reading
from .repository import SqlRepository
from .rows import SqlRows
from .writing import Writing

__all__ = ["SqlStore"]

_of_the_parent: list[Any] = []  # in a child process: never used, and never collected


class SqlStore(Serving, Store):
    """Units of work on SQLite, PostgreSQL or MariaDB. Made once, shared by all threads:

        store = SqlStore("sqlite:///users.db", mapping)
        store.create_tables()
        uow = Directory(store)

    *database* is a URL (`sqlite:///file.db`, `postgresql+psycopg://…`, `mariadb+pymysql://…`) or an Engine
    of your own, whose pool is used as it is, with its own reset. A store may be made before a fork: parent and
    children go on with connections of their own. A database in SQLite's memory stays with the process that made it.
    A child that was forked while a unit was open on a SQLite file is refused that file, for SQLite forbids it; a fork
    waits a second for the units of other threads to end.

    Every unit reads one snapshot of the data, taken at its first statement. *begin* is for SQLite, which has
    one writer at a time: "immediate" lets a unit wait for its turn before it reads, so that nothing it read
    can have changed when it writes; "deferred" lets units overlap: a second writer waits for *lock_timeout*, and
    one that has read before another unit committed gets a Conflict at once.

    Times are in seconds:

    - *lock_timeout*: how long a unit waits for the locks of others before it gets a LockTimeout, which
      is a Conflict;
    - *statement_timeout*: how long a statement may take on PostgreSQL and MariaDB, None for no limit. The server
      ends it then; where the server does not answer, the connection is closed 5 s later;
    - *connect_timeout*: how long to try to connect, in whole seconds;
    - *pool_timeout*: how long a unit waits for a connection where all are in use (30);
    - *pool_recycle*: the age at which a connection is replaced (never).

    *pool_size* connections are kept (5), and up to *max_overflow* more are opened when they are needed (10).
    *connect_args* goes to the driver. *echo* logs statements. Values of rows stay out of log and errors, unless
    *hide_parameters* is False; what an Engine of your own shows, it goes on showing.

    *durability* is for SQLite: "power" keeps what was committed through a power cut (`synchronous=FULL`: each commit
    waits for the disk); "process" keeps it through the end of the process alone (`synchronous=NORMAL`), and is
    many times faster: for tests.

    *cursor_key* signs the cursors of pages: a cursor that was not written with the same key, for the same class and
    order, raises RuleRefused. Give at least 16 random bytes, the same to every process that reads the cursors.

    Raises BadValue for a URL that is none, a key that is none and a setting out of range, Unavailable if the driver is
    not installed. The database itself is first reached by the first statement.
    """

    def __init__(
        self,
        database: str | URL | Engine,
        mapping: Mapping,
        *,
        begin: str = "immediate",
        lock_timeout: float = 5.0,
        statement_timeout: float | None = 60.0,
        connect_timeout: float = 10.0,
        durability: str = "power",
        pool_size: int | None = None,
        max_overflow: int | None = None,
        pool_timeout: float | None = None,
        pool_recycle: float | None = None,
        connect_args: dict[str, Any] | None = None,
        echo: bool | str = False,
        hide_parameters: bool = True,
        cursor_key: bytes | None = None,
    ) -> None:
        super().__init__()
        self.schema = mapping.schema
        self.cursor_key = cursor_key_of(cursor_key)
        settings = Settings(
            begin=begin,
            lock_timeout=lock_timeout,
            statement_timeout=statement_timeout,
            connect_timeout=connect_timeout,
            durability=durability,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=pool_timeout,
            pool_recycle=pool_recycle,
            connect_args=connect_args,
            echo=echo,
            hide_parameters=hide_parameters,
        )
        self.engine = configured(database, settings)
        self.metadata = mapping.metadata
        self._readings: dict[type[Any], Reading] = {}
        self._writings: dict[str, Writing] = {}
        self._process = process.this
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._is_in_memory = is_sqlite and in_memory(self.engine.url)
        has_one_writer = is_sqlite and (begin == "immediate" or self._is_in_memory)
        self._turn = turn_to_write(self.engine, lock_timeout) if has_one_writer else None
        self._file = None if not is_sqlite or self._is_in_memory else file_of(self.engine.url)
        if self._file is not None:
            close_before_forks(self.engine, self._file)
        process.after_fork(self._begin_in_child)

    repository_base = SqlRepository

    def open(self, *, reading: bool = False) -> EngineSession:
        if self._is_in_memory and self._process is not process.this:
            raise WrongProcess(
                "this SQLite database in memory belongs to the process that forked this one: use a file, or make the"
                " store and its tables after the fork"
            )
        if self._file is not None:
            require_no_open_parent(self._file)
        # A database in memory has one connection for all units, so that readers take turns with the others.
        turn = None if reading and not self._is_in_memory else self._turn
        return EngineSession(self, SqlRows(self, turn, reading=reading), reading=reading)

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

    def give_back(self, link: Any) -> None:
        """Give a connection back to the pool, outside of a transaction; close it if that cannot be had."""
        give_back(link, self.engine.dialect)

    def drop(self, link: Any) -> None:
        """Let go of a connection from a finalizer: close it, and note that its place in the pool is free."""
        drop(link, self.engine.dialect)

    def leave_to_parent(self, *things: Any) -> None:
        """Keep what belongs to the parent of this process from being collected, which might end it for both."""
        _of_the_parent.append(things)

    def _begin_in_child(self) -> None:
        """Called in a child process: it uses connections of its own."""
        self.leave_to_parent(self.engine.pool)
        self.engine.dispose(close=False)

    def reading(self, entity: EntityPlan) -> Reading:
        """How the rows of a class are read, with its prepared statements; it lives as long as the store."""
        found = self._readings.get(entity.cls)
        if found is None:
            found = self._readings[entity.cls] = Reading(self, entity)
        return found

    def writing(self, table: TablePlan) -> Writing:
        """How the rows of a table are written, with its prepared statements; it lives as long as the store."""
        found = self._writings.get(table.name)
        if found is None:
            found = self._writings[table.name] = Writing(self.engine, table, self.metadata.tables[table.name])
        return found
