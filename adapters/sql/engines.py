"""Engines whose every transaction reads one snapshot, on SQLite, PostgreSQL and MariaDB alike.

Drivers do not do this by default: sqlite3 starts no transaction before the first write, so a read-modify-write
loses updates and savepoints survive a rollback; PostgreSQL's READ COMMITTED and MariaDB's REPEATABLE READ lose
updates too. Here SQLite gets a real BEGIN on a write-ahead log, PostgreSQL gets REPEATABLE READ, and MariaDB's
snapshot isolation is switched on (`innodb_snapshot_isolation`, from 10.6.18 on).

A transaction begins as soon as its connection is checked out. No driver needs a round trip more for that, and a
connection that has died in the pool is found before anything is lost: `begun` takes a fresh one in its place.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote
from weakref import WeakValueDictionary

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import asbool

from ...domain.errors import BackendError, BadValue, Unavailable
from ...domain.interrupts import came_from_outside
from ..engine.turn import Turn
from ..internals import expire_connections, record_of
from .drivers import end_pipelines_quietly, interrupt_in, mark_busy
from .forks import beginning
from .limits import cut_by_bytes, measure_statements
from .patience import make_patient
from .pool import UnitPool
from .rules import learn_collations, register_functions

__all__ = ["Settings", "begun", "configured", "file_of", "in_memory", "turn_to_write"]

# The drivers that are tested, where a URL names none; SQLAlchemy's own choice for some is another one.
DRIVERS = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql", "mysql": "mysql+pymysql"}
SUPPORTED = ("sqlite", *DRIVERS)
SNAPSHOT = "REPEATABLE READ"
READING = "honestwork_reading"  # a note in the info of SQLite's connection: it refuses writes
LONGEST = 2_000_000  # seconds, which every database counts in milliseconds
MAY_BE_NONE = ("statement_timeout", "pool_timeout", "pool_recycle")
GRACE = 5.0  # seconds that a server has to end a statement by itself, before its connection is closed
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}  # libpq's names; seconds
SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}  # SQLite's setting for each durability


@dataclass(frozen=True)
class Settings:
    """How a store uses its database. `SqlStore` documents each."""

    begin: str = "immediate"
    lock_timeout: float = 5.0
    statement_timeout: float | None = 60.0
    connect_timeout: float = 10.0
    durability: str = "power"
    pool_size: int | None = None
    max_overflow: int | None = None
    pool_timeout: float | None = None
    pool_recycle: float | None = None
    connect_args: Mapping[str, Any] | None = None
    echo: bool | str = False
    hide_parameters: bool = True

    def __post_init__(self) -> None:
        _require_one_of("begin", self.begin, ("immediate", "deferred"))
        _require_one_of("durability", self.durability, tuple(SYNCHRONOUS))
        for name in ("lock_timeout", "connect_timeout", "statement_timeout", "pool_timeout", "pool_recycle"):
            _require_seconds(name, getattr(self, name))
        for name, least in (("pool_size", 1), ("max_overflow", 0)):
            count = getattr(self, name)
            if count is not None and (type(count) is not int or count < least):
                raise BadValue(f"{name}: expected a whole number from {least} on, got {count!r}", value=count)

    def require_no_engine_options(self) -> None:
        """Raises BadValue for what an Engine of the user's own decides."""
        default = Settings()
        names = (
            "connect_timeout",
            "pool_size",
            "max_overflow",
            "pool_timeout",
            "pool_recycle",
            "connect_args",
            "echo",
            "hide_parameters",
        )
        given = [name for name in names if getattr(self, name) != getattr(default, name)]
        if given:
            raise BadValue(
                f"{', '.join(given)}: an Engine of your own decides this: give it to create_engine(), or give the"
                " store a URL",
                value=given,
            )


def _require_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadValue(f"{name}={value!r}: write {' or '.join(f'{each!r}' for each in allowed)}", value=value)


def _require_seconds(name: str, value: Any) -> None:
    if value is None and name in MAY_BE_NONE:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise BadValue(f"{name}: expected seconds from 0 to {LONGEST:,}, got {value!r}", value=value)


def configured(database: str | URL | Engine, settings: Settings) -> Engine:
    """An engine for this database.

    If you pass an Engine, its new connections are configured; its pool stays as it is, with its own reset.

    Raises BadValue if the URL is none, or of a database that is not supported; Unavailable if its driver
    is not installed.
    """
    if isinstance(database, Engine):
        settings.require_no_engine_options()
        engine = database
    else:
        engine = _engine(_url(database), settings)
    match engine.dialect.name:
        case "sqlite":
            _configure_sqlite(engine, settings)
        case "postgresql":
            _configure_postgresql(engine, settings)
        case "mariadb" | "mysql":
            _configure_mariadb(engine, settings)
        case other:
            raise _unsupported(other)
    cut_by_bytes(engine.dialect)
    return engine


def begun(engine: Engine, *, reading: bool) -> PoolProxiedConnection:
    """A connection of this engine, checked out, in a transaction on one snapshot that has just begun.

    With *reading*, the database itself refuses writes in it. A connection that has died in the pool is replaced
    once: nothing has been done on it.

    Raises `sqlalchemy.exc.DBAPIError` and `TimeoutError`.
    """
    if getattr(engine.dialect, "is_on_a_file", False):
        with beginning():
            return _begun(engine, reading=reading)
    return _begun(engine, reading=reading)


def _begun(engine: Engine, *, reading: bool) -> PoolProxiedConnection:
    dialect: Any = engine.dialect
    for is_last in (False, True):
        link: Any = None
        try:
            link = engine.raw_connection()
            link.reading = reading
            if not isinstance(engine.pool, UnitPool) and dialect.name in DRIVERS:
                # A pool of the user's own may hold connections already: each is told now, and told back afterwards.
                record_of(link).finalize_callback.append(dialect.reset_isolation_level)
                dialect.set_isolation_level(link.dbapi_connection, SNAPSHOT)
            dialect.do_begin(link)
            link.begun = True
            return cast(PoolProxiedConnection, link)
        except dialect.loaded_dbapi.Error as error:
            is_dead = link is not None and interrupt_in(error) is None and dialect.is_disconnect(error, link, None)
            if link is not None:
                link.invalidate(error)
            if is_dead and not is_last:
                expire_connections(engine.pool, link, error)  # those beside it have died with it
                continue
            raise DBAPIError.instance(
                None,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=is_dead or (link is None and dialect.is_disconnect(error, None, None)),
                dialect=dialect,
            ) from error
        except BaseException as error:
            if link is not None:
                link.invalidate()
            elif isinstance(error, TypeError | ValueError | AttributeError | OSError) and not came_from_outside(error):
                raise BackendError(
                    f"the driver cannot connect with these options ({type(error).__name__}): check those in the store's"
                    " URL and in connect_args"
                ) from None
            raise
    raise AssertionError("the second time returns or raises")


def _unsupported(database: str) -> BadValue:
    return BadValue(f"{database} is not supported: use sqlite, postgresql or mariadb", value=database)


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


def _engine(url: URL, settings: Settings) -> Engine:
    url, secrets = _secrets_apart(url)
    backend = url.get_backend_name()
    if backend not in SUPPORTED:
        raise _unsupported(backend)
    options: dict[str, Any] = {
        "poolclass": UnitPool,
        "hide_parameters": settings.hide_parameters,
        "echo": settings.echo,
        "connect_args": {**_connect_args(url, settings), **secrets, **(settings.connect_args or {})},
    }
    for name in ("pool_size", "max_overflow", "pool_timeout", "pool_recycle"):
        if (value := getattr(settings, name)) is not None:
            options[name] = value
    if backend != "sqlite":
        options["isolation_level"] = SNAPSHOT  # set once for each connection, and not for each unit
    elif in_memory(url):  # the database is one connection
        options |= {"pool_size": 1, "max_overflow": 0, "pool_timeout": settings.lock_timeout}
    try:
        engine = create_engine(url, **options)
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
    cast(UnitPool, engine.pool).keep = backend == "sqlite" and in_memory(url)
    return engine


def _connect_args(url: URL, settings: Settings) -> dict[str, Any]:
    """What the tested drivers are told when they connect. What the URL says goes first."""
    wanted: dict[str, Any] = {}
    match url.drivername.partition("+")[2] or "pysqlite":  # a server's URL has a driver by now
        case "pysqlite":
            wanted = {"timeout": settings.lock_timeout, "check_same_thread": False}
        case "psycopg":
            # The driver counts whole seconds, of which it takes at least two.
            wanted = {"connect_timeout": max(2, round(settings.connect_timeout)), **KEEPALIVE}
        case "pymysql":
            # A server that accepts and says nothing is a matter of reading; see `_configure_mariadb`.
            seconds = max(1, round(settings.connect_timeout))
            wanted = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    return {name: value for name, value in wanted.items() if name not in url.query}


def in_memory(url: URL) -> bool:
    """Whether the URL names a SQLite database in memory, which is gone with its connection."""
    if url.database in (None, "", ":memory:"):
        return True
    database = str(url.database)
    if not database.startswith("file:") or not asbool(url.query.get("uri", False)):
        return False
    path = unquote(database.removeprefix("file:").partition("?")[0])
    return path in ("", ":memory:") or url.query.get("mode") == "memory" or url.query.get("vfs") == "memdb"


def _begin_by(engine: Engine, begin: Callable[[Any, bool], None]) -> None:
    """From now on *begin* begins each transaction, given the checked-out connection, and whether it is for reading.

    In the place of the dialect's own, and not as an event: an engine whose events are heard sends no statement straight
    to the driver, which makes a unit take twice as long.
    """

    def do_begin(link: Any) -> None:
        if not getattr(link, "begun", False):
            begin(link, getattr(link, "reading", False))

    dialect: Any = engine.dialect
    dialect.do_begin = do_begin


def _configure_sqlite(engine: Engine, settings: Settings) -> None:
    statement = f"BEGIN {settings.begin.upper()}"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        register_functions(connection)
        for pragma in (
            "foreign_keys=ON",
            f"busy_timeout={round(settings.lock_timeout * 1000)}",
            "journal_mode=WAL",
            f"synchronous={SYNCHRONOUS[settings.durability]}",
        ):
            with _read_only_accepted():
                connection.execute(f"PRAGMA {pragma}")

    def begin(link: Any, is_reading: bool) -> None:
        connection = link.dbapi_connection
        if is_reading:
            link.info[READING] = True
            record_of(link).finalize_callback.append(_let_write)
            connection.execute("PRAGMA query_only=ON")
        elif link.info.pop(READING, False):
            _let_write(connection)
        connection.execute("BEGIN DEFERRED" if is_reading else statement)

    _begin_by(engine, begin)


def _let_write(connection: Any) -> None:
    connection.execute("PRAGMA query_only=OFF")


@contextmanager
def _read_only_accepted() -> Iterator[None]:
    """A file that is read-only keeps its journal as it is, and can be read."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
            raise


def _configure_postgresql(engine: Engine, settings: Settings) -> None:
    timeout = settings.statement_timeout
    is_psycopg = engine.dialect.driver == "psycopg"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            # To the server 0 means to wait for ever.
            cursor.execute(f"SET lock_timeout = {max(1, round(settings.lock_timeout * 1000))}")
            if timeout is not None:
                cursor.execute(f"SET statement_timeout = {max(1, round(timeout * 1000))}")
            cursor.execute("SET TIME ZONE 'UTC'")
            learn_collations(engine.dialect, cursor)
        connection.commit()

        if is_psycopg and timeout is not None:
            make_patient(connection, timeout + GRACE)

    if is_psycopg:
        end_pipelines_quietly(engine.dialect)
        mark_busy(engine.dialect)
        _begin_by(engine, _begin_psycopg)


def _begin_psycopg(link: Any, is_reading: bool) -> None:
    """Send the BEGIN that psycopg would send with the first statement."""
    connection = link.dbapi_connection
    if bool(connection.read_only) is not is_reading:
        connection.read_only = is_reading or None
    with connection.lock:
        connection.wait(connection._start_query())


def _configure_mariadb(engine: Engine, settings: Settings) -> None:
    timeout = settings.statement_timeout
    is_pymysql = engine.dialect.driver == "pymysql"

    @event.listens_for(engine, "connect")
    def connect(connection: Any, entry: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_snapshot_isolation = ON")
            # The server counts whole seconds; 0 means not to wait at all.
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {round(settings.lock_timeout)}")
            if timeout is not None:
                cursor.execute(f"SET SESSION max_statement_time = {timeout:g}")
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
        measure_statements(connection)
        register_functions(connection)
        if is_pymysql:
            # Until here the limit was that of connecting.
            connection._read_timeout = connection._write_timeout = None if timeout is None else timeout + GRACE
            _keep_alive(connection._sock)

    def begin(link: Any, is_reading: bool) -> None:
        # By itself the server takes its snapshot at the first SELECT, which may come after a write.
        with link.dbapi_connection.cursor() as cursor:
            statement = f"START TRANSACTION WITH CONSISTENT SNAPSHOT{', READ ONLY' if is_reading else ''}"
            engine.dialect.do_execute(cursor, statement, None)

    if is_pymysql:
        mark_busy(engine.dialect)
    _begin_by(engine, begin)


def _keep_alive(connected: socket.socket) -> None:
    """Let the system notice when the server's machine is gone, as KEEPALIVE does for PostgreSQL."""
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for option, name in (("TCP_KEEPIDLE", "idle"), ("TCP_KEEPINTVL", "interval"), ("TCP_KEEPCNT", "count")):
        if hasattr(socket, option):  # not every system has them
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), KEEPALIVE[f"keepalives_{name}"])


_turns: WeakValueDictionary[str, Turn] = WeakValueDictionary()  # by the path of the file


def turn_to_write(engine: Engine, timeout: float) -> Turn:
    """The turn to write to this database: one for all stores on a file, its own for a database in memory."""
    if in_memory(engine.url):
        return Turn(timeout)
    return _turns.setdefault(file_of(engine.url), Turn(timeout))


def file_of(url: URL) -> str:
    """The path of the file that a SQLite URL names, the same however it is written."""
    name = str(url.database)
    if asbool(url.query.get("uri", False)):
        name = unquote(name.removeprefix("file:").partition("?")[0])
    return str(Path(name).resolve())
