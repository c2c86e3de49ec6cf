"""What the doctor finds in names: those that a database cuts, keeps for itself, or does not know as names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Column, Constraint, Enum, Index, PrimaryKeyConstraint, Table
from sqlalchemy.types import TypeDecorator

__all__ = ["of_the_names_of"]

NAME_LENGTH = 63  # bytes, of PostgreSQL, which cuts longer ones; MariaDB has 64 characters
SYSTEM_COLUMNS = {
    **dict.fromkeys(("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"), "PostgreSQL"),
    **dict.fromkeys(("db_row_id", "db_trx_id", "db_roll_ptr", "fts_doc_id"), "MariaDB"),
}
SYSTEM_INDEXES = ("primary", "gen_clust_index")  # MariaDB's
DEVICES = re.compile(r"(con|prn|aux|nul|clock\$|com[1-9]|lpt[1-9])", re.IGNORECASE)


def of_the_names_of(table: Table) -> Iterator[str]:
    yield from _of_name("table", table.name)
    yield from _of_table_name(table)
    for column in table.columns:
        yield from _of_name(f"column of {table.name}", column.name)
        yield from _of_column_name(table, column)
    named: list[Constraint | Index] = [*table.constraints, *table.indexes]
    for each in sorted(named, key=lambda each: str(each.name)):
        if isinstance(each.name, str):
            what = f"{'index' if isinstance(each, Index) else 'constraint'} of {table.name}"
            yield from _of_name(what, each.name, is_index=not isinstance(each, PrimaryKeyConstraint | CheckConstraint))
            yield from _of_constraint_name(what, each)


def _of_name(what: str, name: str, *, is_index: bool = True) -> Iterator[str]:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        yield f"the name {name!r} of a {what} has a lone surrogate, which no database takes: leave it out"
        return
    if length > NAME_LENGTH:
        yield f"the name {name} is longer than {NAME_LENGTH} bytes, and PostgreSQL would cut it: name it shorter"
    if "\0" in name:
        yield f"the name {name!r} of a {what} has a NUL character, which no database takes: leave it out"
    if max(name, default="") > "\uffff":
        yield f"the name {name!r} of a {what} has a character beyond U+FFFF, which MariaDB does not take: leave it out"
    if is_index and name.endswith(" "):
        yield f"the name {name!r} of a {what} ends with a space, which MariaDB does not take: leave it out"


def _of_table_name(table: Table) -> Iterator[str]:
    name = table.name
    if name.lower().startswith("sqlite_"):
        yield f"the name {name} of a table begins with sqlite_, which SQLite keeps for itself: write another prefix"
    if name.startswith("pg_"):
        yield (
            f"the name {name} of a table begins with pg_, and PostgreSQL finds its own tables of such names first:"
            " write another prefix"
        )
    if DEVICES.fullmatch(name) and (table.foreign_keys or _is_referred_to(table)):
        yield f"the table {name} has the name of a device, to which MariaDB makes no foreign keys: write {name}_ or so"


def _of_column_name(table: Table, column: Column[Any]) -> Iterator[str]:
    # PostgreSQL tells capitals apart, and only its own spelling is taken.
    for name in dict.fromkeys((column.name, column.name.lower())):
        database = SYSTEM_COLUMNS.get(name)
        if database == "MariaDB" or (database is not None and name == column.name):
            yield (
                f"the column {column.name} of {table.name} has the name of a column that {database} has in every table:"
                f' write {column.name}_ or so, and name the attribute in the mapping, properties={{"{column.name}":'
                f" {table.name}.c.{column.name}_}}"
            )
            return
    declared = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(declared, Enum) and isinstance(declared.name, str) and declared.native_enum:
        yield from _of_name(f"type of {table.name}.{column.name}", declared.name)
        if declared.name in table.metadata.tables:
            yield (
                f"the Enum {declared.name} of {table.name}.{column.name} has the name of a table, and PostgreSQL has a"
                " type of that name for each table: name them apart"
            )


def _of_constraint_name(what: str, declared: Any) -> Iterator[str]:
    name = declared.name.lower()
    if isinstance(declared, PrimaryKeyConstraint):
        return
    if name in SYSTEM_INDEXES and (name == "primary" or not isinstance(declared, CheckConstraint)):
        yield f"the name {declared.name} of a {what} is that of an index of MariaDB itself: name it otherwise"
    if isinstance(declared, Index) and name.startswith("sqlite_"):
        yield (
            f"the name {declared.name} of a {what} begins with sqlite_, which SQLite keeps for itself: write another"
            " prefix"
        )


def _is_referred_to(table: Table) -> bool:
    return any(key.references(table) for other in table.metadata.tables.values() for key in other.foreign_keys)
