"""What the doctor finds in a column: its type, its variants, its defaults."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    CHAR,
    JSON,
    NCHAR,
    BigInteger,
    Column,
    Computed,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Time,
    Uuid,
)
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.types import TypeDecorator, TypeEngine

from ....domain.errors import BadValue, MappingRefused
from ...internals import variants_of
from ...plan.defaults import producer, server_producer
from ...plan.guards import guard_for
from ...plan.types import CODE_POINTS, OnMariaDB

__all__ = ["of_column", "refused"]

LONGEST_STRING = 16383
DIGITS, DECIMALS = 65, 38  # of MariaDB's DECIMAL, which has the fewest


def of_column(table: Table, column: Column[Any]) -> Iterator[str]:
    where = f"{table.name}.{column.name}"
    if isinstance(column.server_default, Computed):
        yield f"{where} is computed by the database: compute it in the class"
        return
    if column.key != column.name:
        yield (
            f"{where} has the key {column.key}: leave it out, and name the attribute in the mapping,"
            f' properties={{"{column.key}": {table.name}.c["{column.name}"]}}'
        )
    if any("on_conflict" in option for option in column.dialect_kwargs):
        yield f"{where} says ON CONFLICT, which only SQLite does: what is wrong is an error on every store"
    yield from _identity(table, column, where)
    of_type = list(_type(where, column.type))
    yield from of_type
    if not of_type:
        yield from refused(lambda: guard_for(table.name, column))
        yield from _variants(where, column.type)
    yield from refused(lambda: producer(column.default))
    yield from refused(lambda: producer(column.onupdate))
    yield from refused(lambda: server_producer(column))
    yield from _unfit_default(table, column)
    if column.server_onupdate is not None:
        yield f"{where} is changed by the database at each UPDATE: use onupdate= with a Python function"
    if column.nullable and (column.default is not None or column.server_default is not None):
        yield (
            f"{where} may be NULL and has a default: None stored by INSERT would become the default and None stored by"
            " UPDATE would stay; declare nullable=False, or give the default in the class"
        )


def refused(attempt: Callable[[], object]) -> list[str]:
    """The findings of something that refuses a mapping by itself."""
    try:
        attempt()
    except MappingRefused as error:
        return error.findings
    return []


def _identity(table: Table, column: Column[Any], where: str) -> Iterator[str]:
    generated = table.autoincrement_column is column
    if generated and len(table.primary_key) > 1:
        yield f"{where} is generated and only a part of the primary key, which SQLite cannot do: give it yourself"
    identity = column.identity
    if identity is None:
        return
    if identity.always:
        yield f"{where} is GENERATED ALWAYS: use Identity() or a plain integer primary key"
    if not generated:
        yield f"{where} is an Identity outside of the primary key, which only PostgreSQL counts: count it in the class"
    if (identity.increment or 1) != 1 or (identity.start or 1) != 1 or identity.cycle or identity.maxvalue is not None:
        yield f"{where} counts in a way of its own, and only on PostgreSQL: generated keys rise from 1 on everywhere"


def _type(where: str, declared: TypeEngine[Any]) -> Iterator[str]:
    if isinstance(declared, TypeDecorator):
        yield from _type(where, declared.impl_instance)
        if type(declared).compare_values is not TypeDecorator.compare_values:
            yield f"{where} is of a type that overrides compare_values, which only the ORM asks: write __eq__"
    if declared.should_evaluate_none and not isinstance(declared, JSON | TypeDecorator):
        yield f"{where} says evaluates_none(): leave it out, for None is NULL on every store"
    if _is_of_one_database(declared):
        yield f"{where} is of the type {declared!r}, which only one database has: use a type of `sqlalchemy` itself"
    elif isinstance(declared, CHAR | NCHAR):
        yield f"{where} is of the type {type(declared).__name__}, which databases pad with spaces: use String"
    elif isinstance(declared, Enum):
        if declared.name is None:
            yield f'{where} is an Enum without a name, which PostgreSQL asks for: Enum("a", "b", name="…")'
        yield from _members(where, declared)
    elif isinstance(declared, String) and declared.collation is not None:
        yield f"{where} has the collation {declared.collation}: text is compared by code point on every store"
    elif type(declared) is String and declared.length is not None and declared.length > LONGEST_STRING:
        yield f"{where} is longer than the {LONGEST_STRING} characters that MariaDB's rows hold: use Text"
    elif isinstance(declared, Numeric) and declared.asdecimal:
        if declared.precision is None or declared.scale is None:
            yield f"{where} is a Numeric without precision and scale, which databases round differently: Numeric(12, 2)"
        elif not 0 <= declared.scale <= declared.precision <= DIGITS or declared.scale > DECIMALS:
            yield (
                f"{where} is of the type {declared!r}, which not every database has: at most {DIGITS} digits,"
                f" at most {DECIMALS} of them after the point"
            )
    elif isinstance(declared, Time) and declared.timezone:
        yield f"{where} is a time with a time zone, which only PostgreSQL keeps: keep the zone in a column of its own"


def _is_of_one_database(declared: TypeEngine[Any]) -> bool:
    return type(declared).__module__.startswith("sqlalchemy.dialects.")


def _members(where: str, declared: Enum) -> Iterator[str]:
    """MariaDB takes some names for one; and what is not the enum's own type does not check its members."""
    seen: dict[str, str] = {}
    for name in declared.enums:
        other = seen.setdefault(_as_mariadb_reads(name), name)
        if other != name:
            yield f"{where} is an Enum in which MariaDB takes {other!r} and {name!r} for one: name them apart"
    yield from _mistaken(where, declared)
    if variants_of(declared):
        yield f"{where} is an Enum with variants: it is stored in its own way on each database without them"


def _mistaken(where: str, declared: Enum) -> Iterator[str]:
    """SQLAlchemy takes a member that is a text for the member of that name, and stores the other one."""
    typed: Any = declared
    dialect = DefaultDialect()
    store, load = typed.bind_processor(dialect), typed.result_processor(dialect, None)
    for member in declared.enum_class or ():
        if isinstance(member, str):
            stored = load(store(member))
            if stored is not member:
                yield (
                    f"{where} is an Enum in which the value of {member.name} is {str.__str__(member)!r}, the name of"
                    f" {getattr(stored, 'name', stored)}, and SQLAlchemy stores one for the other: rename one of them,"
                    " or store the values, with values_callable=lambda members: [each.value for each in members]"
                )
                return


def _as_mariadb_reads(text: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    return bare.casefold().rstrip(" ")


def _variants(where: str, declared: TypeEngine[Any]) -> Iterator[str]:
    """What a column is on one database has to hold what it holds on the others."""
    if isinstance(declared, Enum):
        return
    for dialect, variant in variants_of(declared).items():
        if dialect in ("sqlite", *CODE_POINTS) and not _holds_as_much(dialect, declared, variant):
            yield (
                f"{where} is of the type {variant!r} on {dialect}, which does not keep the same values as"
                f" {declared.__class__.__name__} does elsewhere: leave the variant out"
            )


def _holds_as_much(dialect: str, declared: TypeEngine[Any], variant: TypeEngine[Any]) -> bool:
    if isinstance(variant, OnMariaDB):
        return True
    kind = next((each for each in KINDS if isinstance(declared, each)), None)
    if kind is None or not isinstance(variant, kind):
        return type(variant).__name__ in ("DATETIME", "TIME") and getattr(variant, "fsp", None) == 6
    match declared:
        case String():
            length: int | None = getattr(variant, "length", None)
            roomy = length is None or (declared.length is not None and length >= declared.length)
            collation = getattr(variant, "collation", None)
            return roomy and collation == CODE_POINTS.get(dialect) and not isinstance(variant, CHAR | NCHAR)
        case Integer():
            return dialect == "sqlite" or _bytes(variant) >= _bytes(declared)
        case Numeric():
            return (declared.precision, declared.scale) == (
                getattr(variant, "precision", None),
                getattr(variant, "scale", None),
            )
    return True


KINDS = (String, Integer, Numeric, JSON, Uuid, LargeBinary)


def _bytes(declared: TypeEngine[Any]) -> int:
    if isinstance(declared, BigInteger):
        return 8
    if isinstance(declared, SmallInteger):
        return 2
    is_standard = not _is_of_one_database(declared) or type(declared).__name__ == "INTEGER"
    return 4 if is_standard and not getattr(declared, "unsigned", False) else 0


def _unfit_default(table: Table, column: Column[Any]) -> Iterator[str]:
    """A constant that the column itself cannot hold."""
    try:
        for default in (column.default, column.onupdate):
            if isinstance(default, ScalarElementColumnDefault):
                guard_for(table.name, column)(default.arg)
        if isinstance(column.onupdate, ScalarElementColumnDefault) and isinstance(column.onupdate.arg, dict | list):
            yield f"the onupdate of {table.name}.{column.name} would be shared by all rows: give a function, lambda: …"
        if (give := server_producer(column)) is not None:
            guard_for(table.name, column)(give())
    except BadValue as bad:
        yield f"the default of {table.name}.{column.name} is one that it cannot hold: {bad}"
    except MappingRefused:
        pass  # a finding of its own
