"""Where the databases of tests are, and one of its own for each process that tests.

PostgreSQL: the URL in HONESTWORK_POSTGRES; else a throw-away server made of the binaries in HONESTWORK_PG_BIN; else
what listens on this machine; else a throw-away server made of any binaries found.

MariaDB: the URL in HONESTWORK_MARIADB; else what listens on this machine.

A URL of `none` does without, on purpose. Where there is a server, each process creates a database in it, after dropping
those that killed processes have left, and drops its own in the end.
"""

from __future__ import annotations

import os
import platform
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, NullPool, create_engine, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .postgres_server import find_binaries, throw_away_postgres

__all__ = ["Missing", "Unwanted", "mariadb_database", "postgres_database"]

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
MARIADB = "mariadb+pymysql://root@127.0.0.1:3306/"


class Missing(Exception):
    """There is no such server on this machine."""


class Unwanted(Missing):
    """Somebody has said that there is none."""


@contextmanager
def postgres_database(worker: str = "main") -> Iterator[str]:
    """The URL of a new PostgreSQL database, which lives as long as the block."""
    with _postgres() as server, _database(server, worker, "TEMPLATE template0 ENCODING 'UTF8'", " WITH (FORCE)") as url:
        yield url


@contextmanager
def mariadb_database(worker: str = "main") -> Iterator[str]:
    """The URL of a new MariaDB database, which lives as long as the block."""
    with _database(_mariadb(), worker, "CHARACTER SET utf8mb4") as url:
        yield url


@contextmanager
def _postgres() -> Iterator[URL]:
    if given := _given("HONESTWORK_POSTGRES"):
        yield given
        return
    listening = make_url(POSTGRES)
    refusal = "HONESTWORK_PG_BIN is set" if "HONESTWORK_PG_BIN" in os.environ else _refusal(listening)
    if not refusal:
        yield listening
        return
    if (binaries := find_binaries()) is None:
        raise Missing(f"no PostgreSQL: {refusal}, and no binaries are found; HONESTWORK_POSTGRES may name one")
    with throw_away_postgres(binaries) as url:
        yield make_url(url)


def _mariadb() -> URL:
    if given := _given("HONESTWORK_MARIADB"):
        return given
    if refusal := _refusal(make_url(MARIADB)):
        raise Missing(f"no MariaDB: {refusal}; HONESTWORK_MARIADB may name one")
    return make_url(MARIADB)


def _given(variable: str) -> URL | None:
    value = os.environ.get(variable)
    if value == "none":
        raise Unwanted(f"{variable}=none")
    return make_url(value) if value else None


def _refusal(url: URL) -> str:
    """Why the server does not let us in, or nothing if it does."""
    try:
        with _connected(url):
            return ""
    except DBAPIError as error:
        return f"{url.host}:{url.port} does not let us in ({str(error.orig).splitlines()[0]})"


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    # Both drivers know connect_timeout, in seconds.
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"connect_timeout": 3})
    with engine.connect() as connection:
        yield connection


@contextmanager
def _database(server: URL, worker: str, options: str, force: str = "") -> Iterator[str]:
    # A process is known by its number only on its own machine, and several may share one server.
    machine = f"honestwork_{zlib.crc32(platform.node().encode()):08x}_"
    name = f"{machine}{os.getpid()}_{worker}"
    with _connected(server) as connection:
        for left in _left_over(connection, machine) | {name}:
            with suppress(DBAPIError):  # another worker may be dropping it just now
                connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {left}{force}")
        connection.exec_driver_sql(f"CREATE DATABASE {name} {options}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with _connected(server) as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}{force}")


def _left_over(connection: Connection, machine: str) -> set[str]:
    """The databases whose makers were killed before they could drop them."""
    catalog = "SELECT datname FROM pg_database" if connection.dialect.name == "postgresql" else "SHOW DATABASES"
    names = [name for (name,) in connection.exec_driver_sql(catalog) if name.startswith(machine)]
    return {name for name in names if not _is_alive(int(name.removeprefix(machine).partition("_")[0]))}


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
