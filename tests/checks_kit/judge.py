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
        self.plain = made(name="plain_things")
        connection.execute(CreateTable(self.plain))

    def agree(self, check: Any, rows: Sequence[Row]) -> list[bool]:
        """Assert that memory and the database let the same rows pass, and return which. Raises MappingRefused."""
        passes = says(plan_of(whole := made(check)))
        expected = [passes(row) for row in rows]
        (written,) = (each for each in whole.constraints if isinstance(each, sa.CheckConstraint))
        table = made(check, columns=written.columns.keys())
        found = self.passes(table, rows)
        assert found == expected, f"{self.name} lets pass {found}, memory {expected}: {written.sqltext}, {rows}"
        return expected

    def passes(self, table: sa.Table, rows: Sequence[Row]) -> list[bool]:
        """Which of the rows the database takes."""
        self.connection.execute(CreateTable(table))
        try:
            return [self._takes(table, {"id": number, **row}) for number, row in enumerate(rows)]
        finally:
            self.connection.execute(DropTable(table))

    def _takes(self, table: sa.Table, row: Row) -> bool:
        try:
            self.connection.execute(table.insert(), {name: row[name] for name in table.columns.keys()})  # noqa: SIM118
        except DBAPIError as error:
            if "ck_0" not in str(error.orig):
                raise
            return False
        return True

    def answers(self, condition: Any, rows: Sequence[Row]) -> list[bool] | None:
        """Which of the rows pass a condition as it is written; None if the database has no answer for all of them."""
        written = condition(self.plain.c) if callable(condition) else sa.literal_column(f"({condition})", sa.Boolean())
        self.connection.execute(self.plain.delete())
        self.connection.execute(self.plain.insert(), [{"id": number, **row} for number, row in enumerate(rows)])
        try:
            failed = set(self.connection.scalars(sa.select(self.plain.c.id).where(sa.not_(written))))
        except DBAPIError:
            return None
        return [number not in failed for number in range(len(rows))]


@contextmanager
def connected(url: str) -> Iterator[Checked]:
    """A connection, and what is on it until its end."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for each in (COLOURS, KINDS):
            each.create(connection, checkfirst=True)
        yield Checked(connection)
    engine.dispose()
