"""The statements that write the rows of a table: prepared once for each store, and compiled once by SQLAlchemy.

Many rows are written by few statements: an INSERT of several rows gives back the keys that it generates, in their
order; a DELETE names several keys; UPDATEs of the same columns go to the driver together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Delete, Table, Update, bindparam, null

from ..engine.rows import Change, Deletion
from ..plan.tables import Key, Row, TablePlan
from .reading import one_of, slices

__all__ = ["Writing"]

ROWS_AT_ONCE = 1000  # what Python makes of so many parameters is gone before it makes more

Parameters = dict[str, Any]


class Writing:
    """How the rows of one table are written. Lives as long as the store."""

    def __init__(self, plan: TablePlan, table: Table) -> None:
        self.plan = plan
        self.table = table
        self.columns = [table.c[column.name] for column in plan.columns]
        self.keys = [table.c[name] for name in plan.key_columns]
        self.inserted = [
            (column.key, each.position)
            for column, each in zip(self.columns, plan.columns, strict=True)
            if not each.generated
        ]
        self.decoders: dict[int, Callable[[Any], Any]] = {
            each.position: each.decoded for each in plan.columns if each.guard.decode is not None
        }
        self.evaluates_none = {n for n, column in enumerate(self.columns) if column.type.should_evaluate_none}
        self.insert_one = table.insert()
        generated = None if plan.generated is None else self.columns[plan.generated]
        self.insert_many = (
            None if generated is None else table.insert().returning(generated, sort_by_parameter_order=True)
        )
        self.insert_rising = None if generated is None else table.insert().returning(generated)
        self._updates: dict[tuple[tuple[int, ...], int | None], Update] = {}
        self._deletes: dict[int | None, Delete] = {}

    def columns_named(self, names: Sequence[str]) -> list[Any]:
        """The columns of a constraint."""
        return [self.table.c[name] for name in names]

    def sent_for(self, names: Sequence[str], rows: Sequence[Row]) -> list[Any]:
        """Values of rows in these columns, as an IN of the columns takes them."""
        positions = [self.plan.position(name) for name in names]
        sent = [tuple(map(self.sent, positions, row)) for row in rows]
        return sent if len(names) > 1 else [each for (each,) in sent]

    def encoded_for(self, names: Sequence[str], row: Sequence[Any]) -> Row:
        """Values of these columns as the database gives them, encoded as in a row."""
        columns = [self.plan.columns[self.plan.position(name)] for name in names]
        return tuple([column.encoded(value) for column, value in zip(columns, row, strict=True)])

    def sent(self, position: int, value: Any) -> Any:
        """A value of a row, as SQLAlchemy sends it."""
        if value is None:
            return null() if position in self.evaluates_none else None
        decode = self.decoders.get(position)
        return value if decode is None else decode(value)

    # Inserts

    def insert(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """Insert rows. Return them with the keys that the database has generated."""
        stored: list[Row] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            stored += self._insert(connection, some)
        return stored

    def _insert(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        is_plain = not (self.decoders or self.evaluates_none)
        parameters = [{name: row[n] if is_plain else self.sent(n, row[n]) for name, n in self.inserted} for row in rows]
        place = self.plan.generated
        if place is None:
            connection.execute(self.insert_one, parameters)
            return rows
        keys = self._generated(connection, parameters)
        return [(*row[:place], key, *row[place + 1 :]) for row, key in zip(rows, keys, strict=True)]

    def _generated(self, connection: Connection, rows: list[Parameters]) -> list[Key]:
        """Insert rows. Return the keys that the database has generated for them, in their order."""
        if len(rows) > 1 and connection.dialect.insert_executemany_returning_sort_by_parameter_order:
            assert self.insert_rising is not None
            assert self.insert_many is not None
            if connection.dialect.name == "sqlite":
                # SQLAlchemy would insert them one by one, for SQLite may give keys back in any order. But the keys
                # of an AUTOINCREMENT, which every table of a mapping has, rise with each row.
                return sorted(connection.execute(self.insert_rising, rows).scalars())
            return list(connection.execute(self.insert_many, rows).scalars())
        keys: list[Any] = [connection.execute(self.insert_one, row).inserted_primary_key for row in rows]
        return [key for (key,) in keys]

    # Updates

    def update(self, connection: Connection, changes: Sequence[Change]) -> bool:
        """Change rows. Return whether each of them was there, with its version."""
        for (names, version), found in groupby(changes, key=_shape):
            same = list(found)
            statement = self._update(names, version)
            for start in range(0, len(same), ROWS_AT_ONCE):
                some = same[start : start + ROWS_AT_ONCE]
                parameters = [self._changed(change) for change in some]
                if len(parameters) > 1 and not connection.dialect.supports_sane_multi_rowcount:
                    matched = sum(connection.execute(statement, each).rowcount for each in parameters)
                else:
                    matched = connection.execute(statement, parameters).rowcount
                if matched != len(some):
                    return False
        return True

    def _update(self, names: tuple[int, ...], version: int | None) -> Update:
        found = self._updates.get((names, version))
        if found is None:
            where = [key == bindparam(f"key_{n}", type_=key.type) for n, key in enumerate(self.keys)]
            if version is not None:
                column = self.columns[version]
                where.append(column == bindparam("version", type_=column.type))
            new = {self.columns[n]: bindparam(f"new_{n}", type_=self.columns[n].type) for n in names}
            found = self._updates[names, version] = self.table.update().where(*where).values(new)
        return found

    def _changed(self, change: Change) -> Parameters:
        key = change.key
        parameters = {f"new_{n}": self.sent(n, value) for n, value in change.values.items()}
        for n, part in enumerate(key if isinstance(key, tuple) else (key,)):
            parameters[f"key_{n}"] = part
        if change.version is not None:
            parameters["version"] = change.version[1]
        return parameters

    # Deletes

    def delete(self, connection: Connection, deletions: Sequence[Deletion]) -> int:
        """Delete rows. Return how many were there, with their versions."""
        matched = 0
        for version, found in groupby(deletions, key=lambda each: None if each.version is None else each.version[0]):
            same = list(found)
            columns = self.keys if version is None else [*self.keys, self.columns[version]]
            for some in self._together([_named(each) for each in same], columns, connection):
                matched += connection.execute(self._delete(version), {"keys": some}).rowcount
        return matched

    def _together(self, names: list[Any], columns: list[Any], connection: Connection) -> Iterator[Sequence[Any]]:
        """The rows that one statement deletes: one by one where MariaDB would meet a parent before its child."""
        if self.plan.refers_to_itself and connection.dialect.name in ("mysql", "mariadb"):
            return ([name] for name in names)
        return slices(names, columns)

    def _delete(self, version: int | None) -> Delete:
        found = self._deletes.get(version)
        if found is None:
            columns = self.keys if version is None else [*self.keys, self.columns[version]]
            found = self._deletes[version] = self.table.delete().where(one_of(columns, "keys"))
        return found


def _shape(change: Change) -> tuple[tuple[int, ...], int | None]:
    """What changes of one statement have in common: the columns, and whether there is a version."""
    return tuple(change.values), None if change.version is None else change.version[0]


def _named(deletion: Deletion) -> Any:
    """The values that name a row to be deleted."""
    key = deletion.key
    if deletion.version is None:
        return key
    return (*(key if isinstance(key, tuple) else (key,)), deletion.version[1])
