"""Databases of their own for these tests, on the servers that are listening here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

POSTGRES = os.environ.get("HONESTWORK_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB = os.environ.get("HONESTWORK_MARIADB", "mariadb+pymysql://root@127.0.0.1:3306/mysql")


@contextmanager
def database(server: str) -> Iterator[str | None]:
    """The URL of a fresh database on this server; None if no server is listening there."""
    name = f"hw_rules_{os.getpid()}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name}"))
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    except sa.exc.OperationalError:
        yield None
        return
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name}"))
        engine.dispose()
