"""One CHECK, one answer: memory and the database let the same rows pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable, DropTable

from .things import COLOURS, KINDS, Row, made, plan_of, says

__all__ = ["Checked", "connected"]


class Checked:
    """A database in which there is, for each CHECK, a temporary table of its own."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.name = connection.dialect.name

    def passes(self, table: sa.Table, rows: Sequence[Row]) -> list[bool]:
        """Which of the rows the database takes."""
        self.connection.execute(CreateTable(table))
        try:
            return [self._takes(table, {"id": number, **row}) for number, row in enumerate(rows)]
        finally:
            self.connection.execute(DropTable(table))

    def _takes(self, table: sa.Table, row: Row) -> bool:
        try:
            with self.connection.begin_nested():
                self.connection.execute(table.insert(), row)
        except DBAPIError as error:
            if "ck_0" not in str(error.orig):
                raise
            return False
        return True

    def answers(self, condition: Any, rows: Sequence[Row]) -> list[bool] | None:
        """Which of the rows pass a condition as it is written; None if the database has no answer for all of them."""
        table = made()
        condition = condition(table.c) if callable(condition) else sa.literal_column(f"({condition})", sa.Boolean())
        self.connection.execute(CreateTable(table))
        try:
            with self.connection.begin_nested():
                self.connection.execute(table.insert(), [{"id": number, **row} for number, row in enumerate(rows)])
                failed = set(self.connection.scalars(sa.select(table.c.id).where(sa.not_(condition))))
            return [number not in failed for number in range(len(rows))]
        except DBAPIError:
            return None
        finally:
            self.connection.execute(DropTable(table))

    def agree(self, check: Any, rows: Sequence[Row]) -> list[bool]:
        """Assert that memory and the database let the same rows pass, and return which."""
        table = made(check)
        passes = says(plan_of(table))
        expected = [passes(row) for row in rows]
        found = self.passes(table, rows)
        (written,) = (each for each in table.constraints if isinstance(each, sa.CheckConstraint))
        assert found == expected, f"{self.name} lets pass {found}, memory {expected}: {written.sqltext}, {rows}"
        return expected


@contextmanager
def connected(url: str) -> Iterator[Checked]:
    """A transaction that is taken back at the end."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def transactional(driver: Any, _: Any) -> None:
            driver.isolation_level = None  # or the first savepoint would be none

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    with engine.connect() as connection:
        for each in (COLOURS, KINDS):
            each.create(connection, checkfirst=True)
        try:
            yield Checked(connection)
        finally:
            connection.rollback()
    engine.dispose()
