"""What the doctor finds in tables: keys, constraints, indexes, and the names of them all."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Constraint,
    Enum,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm.interfaces import MANYTOONE

from ....domain.errors import MappingRefused
from ...internals import creation_order, is_type_bound
from ...plan.checks import read_check
from ...plan.declared import constraints_of, indexes_of, mappers_of
from ...plan.guards import INTEGERS, Guard, guard_for
from .columns import of_column, refused
from .names import of_the_names_of

if TYPE_CHECKING:
    from ..mapping import Mapping

__all__ = ["of_names", "of_table", "of_tables"]

INDEXED_BYTES = 2700  # PostgreSQL's indexes hold no more of one row
BYTES_OF_A_CHARACTER = 4
ONE_DATABASE_ONLY = {
    "postgresql_nulls_not_distinct": "takes NULLs for equal, which only PostgreSQL does",
    "postgresql_where": "is partial, which MariaDB does not have",
    "sqlite_where": "is partial, which MariaDB does not have",
    "postgresql_ops": "compares in a way of its own, which only PostgreSQL does",
    "mysql_length": "looks at the beginning of the value only, which only MariaDB does",
    "mariadb_length": "looks at the beginning of the value only, which only MariaDB does",
    "sqlite_on_conflict": "says ON CONFLICT, which only SQLite does",
}


def of_tables(mapping: Mapping) -> Iterator[str]:
    """What is wrong between tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SAWarning)
        try:
            _ = mapping.metadata.sorted_tables
        except SAWarning:
            yield (
                "some tables refer to one another in a circle, so that no order of writing satisfies all foreign keys:"
                " keep one of the keys without ForeignKey, or in a table of its own"
            )
    yield from _taken_for_one("tables", mapping.metadata.tables)
    for table in mapping.metadata.tables.values():
        yield from _taken_for_one(f"columns of {table.name}", table.columns.keys())
    yield from _names_given_twice(mapping)


def of_names(mapping: Mapping) -> Iterator[str]:
    """Words of the domain for constraints that there are not."""
    tables = mapping.metadata.tables.values()
    known = {each.name for table in tables for each in _named(table) if not isinstance(each, Index) or each.unique}
    for name in mapping.violations:
        if name not in known:
            yield f"mapping.violation({name!r}, …) names no constraint of these tables: is it spelled as in the tables?"
    checks = {each.name for table in tables for each in constraints_of(table) if isinstance(each, CheckConstraint)}
    for name in mapping.twins:
        if name not in checks:
            yield f"mapping.check_twin({name!r}, …) names no check of these tables: is it spelled as in the tables?"


def _names_given_twice(mapping: Mapping) -> Iterator[str]:
    """Indexes are called apart from each other and from tables on PostgreSQL, foreign keys on MariaDB."""
    seen = {name.casefold(): f"the table {name}" for name in mapping.metadata.tables}
    for table in mapping.metadata.tables.values():
        of_table: set[str] = set()
        for each in sorted(_named(table), key=_in_order):
            name = str(each.name or "").casefold()
            if not name or isinstance(each, PrimaryKeyConstraint):
                continue
            what = f"{each.name} of {table.name}"
            if isinstance(each, CheckConstraint):
                if name in of_table:
                    yield f"two constraints of {table.name} are called {each.name}: name them apart"
            elif seen.setdefault(name, what) != what or name in of_table:
                yield f"{what} has the name of {seen[name]}, and not every database takes both: name them apart"
            of_table.add(name)


def _in_order(named: Constraint | Index) -> tuple[bool, int]:
    """Checks come last, and constraints as they were declared: a table has them in a set."""
    return isinstance(named, CheckConstraint), 0 if isinstance(named, Index) else creation_order(named)


def _named(table: Table) -> list[Constraint | Index]:
    return [*constraints_of(table), *indexes_of(table)]


def _taken_for_one(what: str, names: Iterable[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) != name:
            yield f"the {what} {other!r} and {name!r} are one to SQLite, which ignores case: name them apart"


def of_table(table: Table, mapping: Mapping) -> Iterator[str]:
    if table.schema is not None:
        yield (
            f"{table.name} is in the schema {table.schema}, which SQLite does not have: name it without, and let the"
            " database find it (PostgreSQL: options=-csearch_path=… in the URL)"
        )
    for dialect in ("mysql", "mariadb"):
        engine = (
            table.dialect_options[dialect].get("engine", "InnoDB") if dialect in table.dialect_options else "InnoDB"
        )
        if str(engine).lower() != "innodb":
            yield f"{table.name} is stored by {engine} on MariaDB, which has no transactions: leave it to InnoDB"
    if not table.primary_key.columns:
        yield f"{table.name} has no primary key: every row needs one to be found by"
    for column in table.columns:
        yield from of_column(table, column)
    yield from of_the_names_of(table)
    for constraint in constraints_of(table):
        yield from _constraint(table, constraint, mapping)
    for index in indexes_of(table):
        yield from _index(table, index)


def _constraint(table: Table, constraint: Any, mapping: Mapping) -> Iterator[str]:
    where = f"{constraint.name} of {table.name}"
    match constraint:
        case PrimaryKeyConstraint():
            yield from _key(table, constraint)
            yield from _options(where, constraint)
            yield from _indexed(where, constraint.columns)
        case UniqueConstraint():
            if constraint.deferrable or constraint.initially:
                yield f"{where} is a deferrable unique constraint: only PostgreSQL has it"
            yield from _options(where, constraint)
            yield from _indexed(where, constraint.columns)
        case ForeignKeyConstraint():
            yield from _foreign_key(table, constraint, inside=frozenset(constraint.columns) in _deleted_first(mapping))
        case CheckConstraint():
            if constraint.name not in mapping.twins and not is_type_bound(constraint):
                yield from refused(lambda: read_check(constraint))
        case _:
            yield f"{where} is of the kind {type(constraint).__name__}, which only one database has"


def _options(where: str, declared: UniqueConstraint | PrimaryKeyConstraint | Index) -> Iterator[str]:
    """Options of one database that change what is unique."""
    for option, why in ONE_DATABASE_ONLY.items():
        if declared.dialect_kwargs.get(option) not in (None, False, {}):
            yield f"{where} {why}"


def _key(table: Table, constraint: PrimaryKeyConstraint) -> Iterator[str]:
    for column in constraint.columns:
        where = f"{table.name}.{column.name}"
        guard = _guard(table, column)
        inner = getattr(column.type, "impl_instance", column.type)
        if isinstance(inner, Enum):
            yield f"{where} is an Enum in a primary key, and each database sorts enums in its own way: use String"
        elif isinstance(inner, JSON | LargeBinary) or (guard is not None and guard.encode is not None):
            yield f"{where} is a key of the type {type(column.type).__name__}: keys are int, str, UUID and the like"


def _indexed(where: str, columns: Iterable[Column[Any]]) -> Iterator[str]:
    """What an index cannot hold on every database."""
    size = 0
    for column in columns:
        inner = getattr(column.type, "impl_instance", column.type)
        if isinstance(inner, JSON):
            yield f"{where} compares JSON, which PostgreSQL cannot: keep what has to be unique in a column of its own"
        elif isinstance(inner, String | LargeBinary) and not isinstance(inner, Enum):
            if inner.length is None:
                yield f"{where} is over {column}, which may be too long for an index: give it a length"
            else:
                size += inner.length * (BYTES_OF_A_CHARACTER if isinstance(inner, String) else 1)
    if size > INDEXED_BYTES:
        yield (
            f"{where} may be {size} bytes long, and an index holds {INDEXED_BYTES}: that is"
            f" {INDEXED_BYTES // BYTES_OF_A_CHARACTER} characters"
        )


def _deleted_first(mapping: Mapping) -> set[frozenset[Any]]:
    """The columns of foreign keys whose rows a store deletes before the row that they refer to."""
    found: set[frozenset[Any]] = set()
    for mapper in mappers_of(mapping):
        if mapper.inherits is not None and not mapper.single:
            found.add(frozenset(mapper.local_table.primary_key))
        for relation in mapper.relationships:
            if relation.direction is not MANYTOONE:
                found.add(frozenset(column for _, column in relation.synchronize_pairs))
    return found


def _foreign_key(table: Table, constraint: ForeignKeyConstraint, *, inside: bool) -> Iterator[str]:
    """Where the rows that refer are *inside* of what they refer to, they go first: a CASCADE has nothing to do."""
    where = f"the foreign key {constraint.name} of {table.name}"
    target = constraint.referred_table
    if {element.column.name for element in constraint.elements} != {column.name for column in target.primary_key}:
        yield f"{where} refers to other columns than the primary key of {target.name}: refer to the key"
    for element in constraint.elements:
        ours, theirs = _kind(table, element.parent), _kind(target, element.column)
        if ours is not None and theirs is not None and ours != theirs:
            yield f"{where}: {element.parent} is of another type than {element.column}: leave the type out"
    if constraint.deferrable or constraint.initially:
        yield f"{where} is deferrable, which MariaDB does not have and which moves its errors to the commit"
    if constraint.match is not None:
        yield f"{where} says MATCH {constraint.match}, which not every database does"
    harmless = ("RESTRICT", "NO ACTION", "CASCADE") if inside else ("RESTRICT", "NO ACTION")
    if (constraint.ondelete or "RESTRICT").upper() not in harmless:
        yield (
            f"{where} has ON DELETE {constraint.ondelete}, which changes rows behind the unit of work: children()"
            " removes members with their owner; between aggregates only RESTRICT is kept"
        )
    if (constraint.onupdate or "RESTRICT").upper() not in ("RESTRICT", "NO ACTION"):
        yield f"{where} has ON UPDATE {constraint.onupdate}: keys never change"


def _kind(table: Table, column: Column[Any]) -> Any:
    """What has to be the same on both ends of a reference."""
    guard = _guard(table, column)
    if guard is None:
        return None
    return guard.type, next((kind for kind in INTEGERS if isinstance(column.type, kind)), None)


def _guard(table: Table, column: Column[Any]) -> Guard | None:
    try:
        return guard_for(table.name, column)
    except MappingRefused:
        return None  # a finding of its own


def _index(table: Table, index: Index) -> Iterator[str]:
    where = f"{index.name} of {table.name}"
    columns = [each for each in index.expressions if isinstance(each, Column)]
    if not index.unique:
        if len(columns) != len(index.expressions):
            yield f"{where} is over an expression, which MariaDB does not have: store the expression in a column"
        yield from _indexed(where, columns)
        return
    partial = any(index.dialect_options[dialect].get("where") is not None for dialect in ("postgresql", "sqlite"))
    if partial:
        yield f"{where} is a partial unique index, which MariaDB does not have"
    else:
        yield from _options(where, index)
    if len(columns) != len(index.expressions):
        yield f"{where} is a unique index over an expression: store the expression in a column"
    yield from _indexed(where, columns)
