"""The floor: the same units of work without an ORM, through SQLAlchemy Core and through the driver alone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, bindparam
from sqlalchemy.exc import IntegrityError

from benchmarks.hand_written import accounts, lines, notes, orders, projects, tasks, users

__all__ = ["CoreUnits", "DriverUnits"]


class CoreUnits:
    """Prebuilt statements on a connection from the pool; one statement for each level of an aggregate."""

    users, orders, lines = users, orders, lines

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._get = users.select().where(users.c.id == bindparam("key"))
        self._change = users.update().where(users.c.id == bindparam("key")).values(name=bindparam("new"))
        self._insert = users.insert().values(name=bindparam("new"), age=-1)
        self._delete = users.delete().where(users.c.id == bindparam("key"))
        self._find = users.select().where(users.c.age == bindparam("age")).order_by(users.c.id)
        self._add_many = users.insert().returning(users.c.id, sort_by_parameter_order=True)
        self._get_order = orders.select().where(orders.c.id == bindparam("key"))
        self._get_lines = lines.select().where(lines.c.order_id == bindparam("key")).order_by(lines.c.id)
        self._change_line = lines.update().where(lines.c.id == bindparam("key")).values(quantity=bindparam("new"))
        self._insert_order = orders.insert().values(reference=bindparam("new"), batch=-1)
        self._insert_lines = lines.insert().returning(lines.c.id, sort_by_parameter_order=True)
        self._find_projects = projects.select().where(projects.c.batch == bindparam("batch")).order_by(projects.c.id)
        self._find_members = [
            table.select().where(table.c.project_id.in_(bindparam("keys", expanding=True))).order_by(table.c.id)
            for table in (tasks, notes)
        ]
        self._insert_account = accounts.insert().values(name=bindparam("new"))

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

    def get_order(self, key: int) -> None:
        with self.engine.connect() as connection:
            connection.execute(self._get_order, {"key": key}).one()
            connection.execute(self._get_lines, {"key": key}).all()

    def change_lines(self, key: int, quantity: int, count: int = 1) -> None:
        with self.engine.begin() as connection:
            connection.execute(self._get_order, {"key": key}).one()
            changed = connection.execute(self._get_lines, {"key": key}).all()[:count]
            connection.execute(self._change_line, [{"key": line.id, "new": quantity} for line in changed])

    def insert_order(self, reference: str, count: int = 5) -> int:
        with self.engine.begin() as connection:
            inserted = connection.execute(self._insert_order, {"new": reference}).inserted_primary_key
            assert inserted is not None
            new = [{"order_id": inserted.id, "sku": f"sku {i}", "quantity": i} for i in range(count)]
            connection.execute(self._insert_lines, new).all()
            return int(inserted.id)

    def insert_projects(self, count: int) -> None:
        """Store so many projects whose batch is their number, each with two tasks and two notes."""
        with self.engine.begin() as connection:
            new = projects.insert().returning(projects.c.id)
            keys = connection.scalars(new, [{"batch": count}] * count).all()
            connection.execute(tasks.insert(), [{"project_id": key, "title": "draw"} for key in keys for _ in range(2)])
            connection.execute(notes.insert(), [{"project_id": key, "text": "dear"} for key in keys for _ in range(2)])

    def find_projects(self, batch: int) -> int:
        with self.engine.connect() as connection:
            keys = [row.id for row in connection.execute(self._find_projects, {"batch": batch})]
            for members in self._find_members:
                assert len(connection.execute(members, {"keys": keys}).all()) == 2 * len(keys)
            return len(keys)

    def find(self, age: int) -> None:
        with self.engine.connect() as connection:
            connection.execute(self._find, {"age": age}).all()

    def iterate(self) -> int:
        with self.engine.connect().execution_options(yield_per=1000) as connection:
            return sum(1 for _ in connection.execute(users.select()))

    def add_many(self, new: list[dict[str, Any]]) -> list[int]:
        with self.engine.begin() as connection:
            return list(connection.scalars(self._add_many, new))

    def insert_account(self, name: str) -> None:
        """Insert an account; a name that is taken makes the statement fail."""
        with suppress(IntegrityError), self.engine.begin() as connection:
            connection.execute(self._insert_account, {"new": name})


class DriverUnits:
    """One connection of the driver, kept open, and SQL as text."""

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
