"""The statements that write the rows of a table: prepared once for each store, and compiled once by SQLAlchemy.

Many rows are written by few statements: an INSERT of several rows gives back the keys that it generates, in their
order; a DELETE names several keys; UPDATEs of the same columns go to the driver together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Delete, Engine, Table, bindparam, column, literal_column, null, select

from ..engine.rows import Change, Deletion
from ..plan.tables import Row, TablePlan
from ..plan.violations import conflict
from .prepared import Prepared
from .reading import one_of, slices

if TYPE_CHECKING:
    from .rows import SqlRows

__all__ = ["Writing"]

ROWS_AT_ONCE = 1000  # what Python makes of so many parameters is gone before it makes more


class Writing:
    """How the rows of one table are written. Lives as long as the store."""

    def __init__(self, engine: Engine, plan: TablePlan, table: Table) -> None:
        self.engine = engine
        self.dialect = engine.dialect
        self.plan = plan
        self.table = table
        self.columns = [table.c[column.name] for column in plan.columns]
        self.keys = [table.c[name] for name in plan.key_columns]
        self.inserted = [each.position for each in plan.columns if not each.generated]
        self.decoders: dict[int, Callable[[Any], Any]] = {
            each.position: each.decoded for each in plan.columns if each.guard.decode is not None
        }
        self.evaluates_none = {n for n, column in enumerate(self.columns) if column.type.should_evaluate_none}
        generated = None if plan.generated is None else self.columns[plan.generated]
        names = [self.columns[position].key for position in self.inserted]
        self.insert_one = Prepared(engine, table.insert(), names, gives_key=generated is not None)
        self.insert_many = (
            None if generated is None else table.insert().returning(generated, sort_by_parameter_order=True)
        )
        looking = table.insert().returning(_is_seen(table, self.keys))
        self.insert_and_look = Prepared(engine, looking, names, gives_value=True)
        # SQLite runs in this process, where many statements cost no more than one; and it does not say which row fails.
        self.is_one_by_one = self.dialect.name == "sqlite"
        self.is_plain = not (self.decoders or self.evaluates_none)
        self._updates: dict[tuple[tuple[int, ...], int | None], Prepared] = {}
        self._deletes: dict[int | None, tuple[Prepared, Delete]] = {}

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

    def insert(self, rows: SqlRows, new: Sequence[Row], given: list[Any]) -> Sequence[Row]:
        """Insert rows. Return them with the keys that the database has generated.

        What the database has *given* for each row is noted, for it tells after an error which rows are written.
        """
        values = [*map(self._new, new)]
        if rows.has_begun and self.plan.generated is None and self.dialect.name == "postgresql":
            for start in range(0, len(new), ROWS_AT_ONCE):
                given += self._insert_and_look(rows, values[start : start + ROWS_AT_ONCE])
        elif self.is_one_by_one or len(new) == 1:
            rows.run_each(self.insert_one, values, given)
        else:
            for start in range(0, len(new), ROWS_AT_ONCE):
                given += self._insert_together(rows, values[start : start + ROWS_AT_ONCE])
        place = self.plan.generated
        if place is None:
            return new
        return [(*row[:place], key, *row[place + 1 :]) for row, key in zip(new, given, strict=True)]

    def _insert_together(self, rows: SqlRows, new: list[Sequence[Any]]) -> Sequence[Any]:
        """Insert rows by one statement, where it gives the keys in their order."""
        if self.insert_many is None and not self.dialect.use_insertmanyvalues_wo_returning:
            rows.run_together(self.insert_one, new)
            return new
        parameters = [*map(self.insert_one.named, new)]
        if self.insert_many is None:  # SQLAlchemy makes one statement of many for a driver that does not
            rows.connection().execute(self.insert_one.statement, parameters)
            return new
        if self.dialect.insert_executemany_returning_sort_by_parameter_order:
            return rows.connection().execute(self.insert_many, parameters).scalars().all()
        return [rows.run(self.insert_one, each) for each in new]

    def _insert_and_look(self, rows: SqlRows, new: list[Sequence[Any]]) -> Sequence[Any]:
        """Insert rows. Raises Conflict if another unit has removed rows with their keys that this one still sees."""
        if len(new) == 1:
            seen = [rows.run(self.insert_and_look, new[0])]
        else:
            parameters = [*map(self.insert_and_look.named, new)]
            seen = [*rows.connection().execute(self.insert_and_look.statement, parameters).scalars()]
        if any(seen):  # PostgreSQL would show both rows from then on
            raise conflict("it has removed the row with this key")
        return seen

    def failing(self, new: Sequence[Row], given: list[Any]) -> Sequence[Row]:
        """The rows of the INSERT that has failed."""
        return new[len(given) :][: 1 if self.is_one_by_one else ROWS_AT_ONCE]

    def _new(self, row: Row) -> Sequence[Any]:
        """The values of a new row as they are sent, without the key that is generated."""
        if self.is_plain:
            place = self.plan.generated
            return row if place is None else (*row[:place], *row[place + 1 :])
        return [self.sent(position, row[position]) for position in self.inserted]

    # Updates

    def update(self, rows: SqlRows, changes: Sequence[Change]) -> bool:
        """Change rows. Return whether each of them was there, with its version."""
        if len(changes) == 1:
            change = changes[0]
            return bool(rows.run(self._update(*_shape(change)), self._changed(change)) == 1)
        for shape, found in groupby(changes, key=_shape):
            same = list(found)
            prepared = self._update(*shape)
            for start in range(0, len(same), ROWS_AT_ONCE):
                some = [*map(self._changed, same[start : start + ROWS_AT_ONCE])]
                if len(some) > 1 and self.dialect.supports_sane_multi_rowcount:
                    matched = rows.run_together(prepared, some)
                else:
                    matched = sum(rows.run(prepared, each) for each in some)
                if matched != len(some):
                    return False
        return True

    def _update(self, names: tuple[int, ...], version: int | None) -> Prepared:
        found = self._updates.get((names, version))
        if found is None:
            new = {self.columns[n]: bindparam(f"new_{n}", type_=self.columns[n].type) for n in names}
            where, names_of_row = self._is_row(version)
            statement = self.table.update().where(*where).values(new)
            prepared = Prepared(self.engine, statement, [*(f"new_{n}" for n in names), *names_of_row])
            found = self._updates[names, version] = prepared
        return found

    def _is_row(self, version: int | None) -> tuple[list[Any], list[str]]:
        """The condition that a row has a key, and maybe a version; and the names of its parameters."""
        columns = {f"key_{n}": key for n, key in enumerate(self.keys)}
        if version is not None:
            columns["version"] = self.columns[version]
        where = [column == bindparam(name, type_=column.type) for name, column in columns.items()]
        return where, [*columns]

    def _changed(self, change: Change) -> list[Any]:
        """The values of a change, in the order of the parameters."""
        values = (
            [*change.values.values()] if self.is_plain else [self.sent(n, value) for n, value in change.values.items()]
        )
        return values + _named(change)

    # Deletes

    def delete(self, rows: SqlRows, deletions: Sequence[Deletion]) -> int:
        """Delete rows. Return how many were there, with their versions."""
        matched = 0
        for version, found in groupby(deletions, key=_version):
            same = [*map(_named, found)]
            one, many = self._delete(version)
            # MariaDB would meet a parent before its child, where a statement deletes both.
            is_one_by_one = self.plan.refers_to_itself and self.dialect.name in ("mysql", "mariadb")
            if len(same) == 1 or is_one_by_one:
                matched += sum(rows.run(one, each) for each in same)
                continue
            columns = self.keys if version is None else [*self.keys, self.columns[version]]
            keys = [*map(tuple, same)] if len(columns) > 1 else [key for (key,) in same]
            for some in slices(keys, columns):
                matched += rows.connection().execute(many, {"keys": some}).rowcount
        return matched

    def _delete(self, version: int | None) -> tuple[Prepared, Delete]:
        """The statements that delete one row, and several."""
        found = self._deletes.get(version)
        if found is None:
            columns = self.keys if version is None else [*self.keys, self.columns[version]]
            where, names = self._is_row(version)
            one = Prepared(self.engine, self.table.delete().where(*where), names)
            found = self._deletes[version] = one, self.table.delete().where(one_of(columns, "keys"))
        return found


def _shape(change: Change) -> tuple[tuple[int, ...], int | None]:
    """What changes of one statement have in common: the columns, and whether there is a version."""
    return tuple(change.values), _version(change)


def _version(write: Change | Deletion) -> int | None:
    """The position of the version that a row is to have, if it is to have one."""
    return None if write.version is None else write.version[0]


def _named(write: Change | Deletion) -> list[Any]:
    """The values that name a row: those of its key, and its version."""
    key, version = write.key, write.version
    named = [*key] if isinstance(key, tuple) else [key]
    if version is not None:
        named.append(version[1])
    return named


def _is_seen(table: Table, keys: list[Any]) -> ColumnElement[bool]:
    """Has the snapshot a row with the key of a row that the statement inserts? The new one is not in it yet."""
    # SQLAlchemy correlates nothing in a RETURNING: without a table, the name of a key can only be that of the new row.
    there = select(*[key.label(f"honestwork_{n}") for n, key in enumerate(keys)]).subquery()
    same = [old == column(key.name, key.type) for old, key in zip(there.c, keys, strict=True)]
    return select(literal_column("1")).select_from(there).where(*same).exists()
