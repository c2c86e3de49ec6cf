"""The floor: the same units of work without an ORM, through SQLAlchemy Core and through the driver alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, bindparam

from benchmarks.hand_written import users

__all__ = ["CoreUnits", "DriverUnits"]


class CoreUnits:
    """Prebuilt statements on a connection from the pool."""

    users = users

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._get = users.select().where(users.c.id == bindparam("key"))
        self._change = users.update().where(users.c.id == bindparam("key")).values(name=bindparam("new"))
        self._insert = users.insert().values(name=bindparam("new"), age=-1)
        self._delete = users.delete().where(users.c.id == bindparam("key"))

    def get(self, key: int) -> None:
        with self.engine.connect() as connection:
            connection.execute(self._get, {"key": key}).one()

    def change(self, key: int, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._get, {"key": key}).one()
            connection.execute(self._change, {"key": key, "new": name})

    def insert(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._insert, {"new": name})

    def delete(self, key: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._get, {"key": key}).one()
            connection.execute(self._delete, {"key": key})


class DriverUnits:
    """One connection of the driver, kept open, and text."""

    users = users

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._connection: Any = engine.raw_connection().driver_connection
        mark = "?" if engine.dialect.name == "sqlite" else "%s"
        self._get = f"SELECT id, name, age FROM plain_users WHERE id = {mark}"
        self._change = f"UPDATE plain_users SET name = {mark} WHERE id = {mark}"
        self._insert = f"INSERT INTO plain_users (name, age) VALUES ({mark}, -1)"
        self._delete = f"DELETE FROM plain_users WHERE id = {mark}"

    def get(self, key: int) -> None:
        self._connection.execute(self._get, (key,)).fetchone()
        self._connection.rollback()

    def change(self, key: int, name: str) -> None:
        self._connection.execute(self._get, (key,)).fetchone()
        self._connection.execute(self._change, (name, key))
        self._connection.commit()

    def insert(self, name: str) -> None:
        self._connection.execute(self._insert, (name,))
        self._connection.commit()

    def delete(self, key: int) -> None:
        self._connection.execute(self._get, (key,)).fetchone()
        self._connection.execute(self._delete, (key,))
        self._connection.commit()
