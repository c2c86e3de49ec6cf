"""Which value of which row made a query fail while its result was read.

SQLAlchemy and the drivers raise whatever they raise there, LookupError or ValueError, and name neither the column
nor the row. The transaction is intact, so the same query is asked again, once for each column alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Executable, Select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ...domain.errors import UnreadableRow
from ...domain.interrupts import came_from_outside
from ..plan.unreadable import unread

__all__ = ["unreadable"]


def unreadable(
    connection: Connection, statement: Executable, parameters: Any, error: Exception
) -> UnreadableRow | None:
    """The error of a row that cannot be read; None if the query does not fail again, or failed for another reason.

    Raises what else makes it fail when it is asked again: a lost connection, an interrupt.
    """
    if not isinstance(statement, Select) or not _is_of_a_value(error):
        return None
    row = _first_failing(connection, statement, parameters)
    if row is None:
        return None
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    for column in statement.selected_columns:
        alone = statement.with_only_columns(column, maintain_column_froms=True)
        place = _first_failing(connection, alone, parameters)
        if place is not None:
            table = getattr(column, "table", None) if isinstance(column, Column) else None
            name = getattr(table, "name", "")
            key = _key(connection, statement, parameters, table, place)
            found = f"the type {column.type!r} cannot read what is stored ({type(cause).__name__})"
            return unread(found, table=name, key=key, column=getattr(column, "name", None), cause=error)
    return unread(f"the driver cannot read it ({type(cause).__name__})", table=_table(statement), cause=error)


def _is_of_a_value(error: Exception) -> bool:
    """Did it come from reading a value? A driver has no code for that."""
    if came_from_outside(error):
        return False
    if isinstance(error, DBAPIError):
        driver: Any = error.orig
        if error.connection_invalidated or getattr(driver, "sqlite_errorname", None) is not None:
            return False
        kind = type(driver).__name__
        is_sqlite = type(driver).__module__.startswith("sqlite3") and kind == "OperationalError"
        return is_sqlite or (kind == "DataError" and getattr(driver, "sqlstate", "") is None)
    return not isinstance(error, SQLAlchemyError | MemoryError | RecursionError)


def _first_failing(connection: Connection, statement: Executable, parameters: Any) -> int | None:
    """The number of the first row of the result that cannot be read."""
    number = 0
    try:
        with connection.execute(statement, parameters) as result:
            while result.fetchone() is not None:
                number += 1
    except Exception as error:
        if not _is_of_a_value(error):
            raise
        return number
    return None


def _key(connection: Connection, statement: Select[Any], parameters: Any, table: Any, place: int) -> Any:
    columns = list(table.primary_key) if table is not None else []
    if not columns:
        return None
    try:
        keys = connection.execute(statement.with_only_columns(*columns, maintain_column_froms=True), parameters).all()
        key = tuple(keys[place])
    except Exception as error:
        if not _is_of_a_value(error):
            raise
        return None
    return key if len(key) > 1 else key[0]


def _table(statement: Select[Any]) -> str:
    return next((str(each.table.name) for each in statement.selected_columns if isinstance(each, Column)), "")
