"""Engines whose every transaction reads one snapshot, on SQLite, PostgreSQL and MariaDB alike.

The drivers' defaults do not: SQLite's begins no transaction before the first write, so a read-modify-write
loses updates and savepoints survive a rollback; PostgreSQL's READ COMMITTED and MariaDB's REPEATABLE READ
lose updates too. Here SQLite gets a real BEGIN on a write-ahead log, PostgreSQL gets REPEATABLE READ, and
MariaDB's snapshot isolation is switched on (`innodb_snapshot_isolation`, from 10.6.18 on).
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from ...domain.errors import BadValue, LockTimeout, Unavailable, UnitNested
from .rules import register_functions

__all__ = ["READING", "WriteLock", "configured", "in_memory", "reading", "write_lock"]

# The drivers that are tested, where a URL names none; SQLAlchemy's own choice for some is another one.
DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql", "mysql": "mysql+pymysql"}
SUPPORTED = ("sqlite", *DRIVERS)
READING = "honestwork_reading"  # a note in the info of a connection: its transaction refuses writes
SNAPSHOT = "REPEATABLE READ"


def configured(database: str | Engine, *, begin: str, lock_timeout: float) -> Engine:
    """An engine for this database. *begin* is SQLite's: "immediate" or "deferred".

    An engine that is given is configured for its new connections, and keeps its pool.

    Raises BadValue if the URL is none, or of a database that is not supported; Unavailable if its driver
    is not installed.
    """
    if begin not in ("immediate", "deferred"):
        raise BadValue(f'begin={begin!r}: write "immediate" or "deferred"', value=begin)
    if isinstance(database, Engine):
        engine = database
        if engine.dialect.name in DRIVERS:
            # Its pool may hold connections already, so each is told when it is taken, and told back afterwards.
            engine = engine.execution_options(isolation_level=SNAPSHOT)
    else:
        engine = _engine(_url(database), lock_timeout)
    match engine.dialect.name:
        case "sqlite":
            _configure_sqlite(engine, begin, lock_timeout)
        case "postgresql":
            _configure_postgresql(engine, lock_timeout)
        case "mariadb" | "mysql":
            _configure_mariadb(engine, lock_timeout)
        case other:
            raise _unsupported(other)
    return engine


def _unsupported(database: str) -> BadValue:
    return BadValue(f"{database} is not supported: use sqlite, postgresql or mariadb", value=database)


def reading(engine: Engine) -> Engine:
    """The same engine, with the same pool, for units in which the database refuses writes."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(postgresql_readonly=True)
    reader = engine.execution_options()

    @event.listens_for(reader, "begin")
    def begin(connection: Connection) -> None:
        connection.info[READING] = True

    return reader


def _url(database: str | URL) -> URL:
    """The URL of a text. Raises BadValue, without a word of the text that may be a password, however it is written."""
    if not isinstance(database, str | URL):
        raise _no_url("")
    text = database if isinstance(database, str) else database.render_as_string(hide_password=False)
    if (url := _parsed(text)) is None:  # outside of an except block, so that no error goes along that quotes the text
        raise _no_url(text)
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def _parsed(text: str) -> URL | None:
    try:
        text.encode()
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        return None
    if "\0" in unquote(text):
        return None
    # With a second @ a piece of the password would be taken for the host, and be named in the driver's errors.
    is_ambiguous = text.count("@") > 1 and url.get_backend_name() != "sqlite"
    return None if is_ambiguous else url


def _no_url(text: str) -> BadValue:
    scheme = re.match(r"[\w+]+://", text)
    rest = text[scheme.end() :] if scheme else text
    shown = text if not re.search(r"[@:=?%\s]", rest) else f"{scheme[0] if scheme else ''}…"
    return BadValue(
        f"{shown!r} is no database URL: write one like sqlite:///file.db or postgresql+psycopg://host/name, and"
        " percent-encode what is special in a password (@ is %40)",
        value=shown,
    )


def _secrets_apart(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL without the passwords that its query has, which SQLAlchemy would show, and the passwords."""
    if url.get_backend_name() == "sqlite":
        return url, {}
    names = [name for name in url.query if "pass" in name.lower() and name.lower() != "passfile"]
    found: dict[str, Any] = {}
    for name in names:
        value = url.query[name]
        found["password" if name == "passwd" else name] = value if isinstance(value, str) else value[-1]
    url = url.difference_update_query(names)
    password = found.get("password", url.password) or ""
    if url.get_backend_name() in ("mariadb", "mysql") and not _is_latin(password):
        found["password"] = password.encode()  # the driver would refuse it, and quote it
    return url, found


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def _engine(url: URL, lock_timeout: float) -> Engine:
    # A session ends its transaction before it gives the connection back: the pool need not do it again.
    options: dict[str, Any] = {"pool_reset_on_return": None}
    options["hide_parameters"] = True  # values of rows are no business of logs and tracebacks
    url, secrets = _secrets_apart(url)
    if url.get_backend_name() not in SUPPORTED:
        raise _unsupported(url.get_backend_name())
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": lock_timeout, "check_same_thread": False}
        if in_memory(url):
            options["poolclass"] = StaticPool
    else:
        options["isolation_level"] = SNAPSHOT  # set once for each connection, and not for each unit
        options["connect_args"] = secrets
    try:
        return create_engine(url, **options)
    except NoSuchModuleError:
        raise BadValue(
            f"{url.drivername!r} is no driver that is known here: use sqlite, postgresql+psycopg or mariadb+pymysql",
            value=url.drivername,
        ) from None
    except ArgumentError:  # sqlite://file.db, with a slash too few
        raise _no_url(str(url)) from None
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the driver of {url.drivername} is not installed: No module named {error.name!r};"
            " install honestwork[postgres] or honestwork[mariadb]"
        ) from error


def in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _begin_by(engine: Engine, begin: Callable[[Any, bool], None]) -> None:
    """From now on *begin* begins each transaction, given the driver's connection, and whether it is for reading.

    In the place of the dialect's own, and not as an event: an engine whose events are heard tells of every
    statement, which costs as much as a tenth of a unit.
    """

    def do_begin(connection: Any) -> None:
        begin(connection.dbapi_connection, READING in connection.info)

    dialect: Any = engine.dialect
    dialect.do_begin = do_begin

    @event.listens_for(engine, "reset")
    def reset(connection: Any, entry: ConnectionPoolEntry, state: Any) -> None:
        if entry.info.pop(READING, False) and engine.dialect.name == "sqlite" and not state.terminate_only:
            connection.execute("PRAGMA query_only=OFF")


def _configure_sqlite(engine: Engine, begin: str, lock_timeout: float) -> None:
    statement = f"BEGIN {begin.upper()}"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        register_functions(connection)
        for pragma in (
            "foreign_keys=ON",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={round(lock_timeout * 1000)}",
        ):
            with _read_only_accepted():
                connection.execute(f"PRAGMA {pragma}")

    def begin_(connection: Any, is_reading: bool) -> None:
        if is_reading:
            connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN DEFERRED" if is_reading else statement)

    _begin_by(engine, begin_)


@contextmanager
def _read_only_accepted() -> Iterator[None]:
    """A file that is read-only keeps its journal as it is, and can be read."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
            raise


def _configure_postgresql(engine: Engine, lock_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            # To the server 0 means to wait for ever.
            cursor.execute(f"SET lock_timeout = {max(1, round(lock_timeout * 1000))}")
            cursor.execute("SET TIME ZONE 'UTC'")
        connection.commit()


def _configure_mariadb(engine: Engine, lock_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_snapshot_isolation = ON")
            # The server counts whole seconds; 0 means not to wait at all.
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {round(lock_timeout)}")
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")

    def begin(connection: Any, is_reading: bool) -> None:
        # By itself the server takes its snapshot at the first SELECT, which may come after a write.
        with connection.cursor() as cursor:
            cursor.execute(f"START TRANSACTION WITH CONSISTENT SNAPSHOT{', READ ONLY' if is_reading else ''}")

    _begin_by(engine, begin)


class WriteLock:
    """One writer at a time in this process, in the order of asking.

    SQLite has one writer anyway; those who wait for it sleep and poll, unfairly. Measured with 16 threads, beside
    units that wait in SQLite: five times as many are done, and of a hundred the slowest waits 10 ms and not 500.
    Where a turn is left to whoever is quicker it waits 20 ms, and no more are done.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._guard = threading.Lock()
        self._owner = 0
        self._waiting: deque[_Place] = deque()

    def acquire(self) -> None:
        """Raises UnitNested if this thread has it already, LockTimeout if others keep it too long."""
        me = threading.get_ident()
        if self._owner == me:
            raise UnitNested(
                "this thread has another unit of work open on the same SQLite database, which has one writer:"
                " end that one first, or, unless the database is in memory, open one of them with `reading()`"
            )
        with self._guard:
            if not self._owner:
                self._owner = me
                return
            place = _Place(me)
            self._waiting.append(place)
        try:
            has_come = place.turn.acquire(timeout=self.timeout)
        except BaseException:  # somebody has interrupted the program
            if not self._leaves(place):
                self.release()
            raise
        if not has_come and self._leaves(place):
            raise LockTimeout(
                f"another unit of work has been writing to this SQLite database for {self.timeout:g} seconds:"
                " try again, and keep units short"
            )

    def release(self) -> None:
        with self._guard:
            if not self._waiting:
                self._owner = 0
                return
            next_one = self._waiting.popleft()
            self._owner = next_one.thread
            next_one.turn.release()

    def _leaves(self, place: _Place) -> bool:
        """Does this one stop waiting? It does not, if its turn has come meanwhile."""
        with self._guard:
            if place not in self._waiting:
                return False
            self._waiting.remove(place)
            return True


class _Place:
    """Where a thread waits for its turn."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.turn = threading.Lock()
        self.turn.acquire()  # until somebody hands the turn over


_locks: WeakValueDictionary[str, WriteLock] = WeakValueDictionary()
_locks_guard = threading.Lock()


def write_lock(engine: Engine, timeout: float) -> WriteLock:
    """The lock of this database: the same for every store on one file, its own for a database in memory."""
    if in_memory(engine.url):
        return WriteLock(timeout)
    from pathlib import Path

    path = str(Path(str(engine.url.database)).resolve())
    with _locks_guard:
        lock = _locks.get(path)
        if lock is None:
            _locks[path] = lock = WriteLock(timeout)
        return lock
