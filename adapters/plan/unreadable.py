"""Rows that a mapped class cannot represent: what is wrong with them, told alike by every store.

The value itself stays out of the message: it may be personal, and messages end up in logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from ...domain.errors import UnreadableRow
from ...domain.interrupts import came_from_outside

if TYPE_CHECKING:
    from .entities import EntityPlan, FieldPlan
    from .tables import Key, Row

__all__ = ["may_be_shown", "misfit", "of_no_class", "unbuilt", "undecoded", "unread", "wrong"]

WAY_OUT = "mend the row in a migration, or map what it holds"


def unread(
    found: str, *, table: str, key: Key = None, column: str | None = None, cause: BaseException | None = None
) -> UnreadableRow:
    """The error of a row; *found* is what is wrong with it."""
    shown = f" with the key {key}" if may_be_shown(key) else ""
    where = f"{table}.{column}" if column is not None and table else column or table or "a query"
    error = UnreadableRow(f"{where}: cannot read a row{shown}: {found}; {WAY_OUT}", table=table, key=key, column=column)
    error.__cause__ = cause
    return error


def misfit(entity: EntityPlan, row: Row) -> NoReturn:
    """Raise the error of a row with a value that is not of its attribute's type."""
    key = _key(entity, row)
    for part in entity.parts:
        for place in entity.fields[part.piece]:
            value = row[place.position]
            if place.attribute is None or place.column.fits(value):
                continue
            if value is None and part is not entity.parts[0] and place.column.name in part.table.key_columns:
                raise unread(f"{entity.name} has no row in this table", table=part.table.name, key=key)
            found = wrong(place, value)
            raise unread(found, table=part.table.name, key=key, column=place.column.name)
    raise unread("it does not fit its class", table=entity.table.name, key=key)


def wrong(place: FieldPlan, value: object) -> str:
    """What is wrong with a value that does not fit its column."""
    if value is None:
        return "found NULL in a column that the mapping declares nullable=False"
    return f"expected {place.column.guard.type.__name__}, found {type(value).__name__}"


def of_no_class(entity: EntityPlan, base_row: Row) -> UnreadableRow:
    """The error of a row whose discriminator names no class that is mapped."""
    assert entity.discriminator is not None
    found = f"the column names no class of {entity.name} that is mapped: was a subclass renamed or removed?"
    key, column = _key(entity, base_row), entity.discriminator.column.name
    return unread(found, table=entity.table.name, key=key, column=column)


def unbuilt(entity: EntityPlan, key: Key, name: str, cause: Exception) -> UnreadableRow:
    """The error of a value object that refuses what its columns hold."""
    value = entity.values[name]
    table = next(
        (part.table.name for part in entity.parts for each in entity.fields[part.piece] if each is value.fields[0]),
        entity.table.name,
    )
    column = value.fields[0].column.name if len(value.fields) == 1 else None
    columns = ", ".join(each.column.name for each in value.fields)
    found = f"{value.cls.__name__} for {entity.name}.{name} refuses the values of {columns} ({type(cause).__name__})"
    return unread(found, table=table, key=key, column=column, cause=cause)


def undecoded(entity: EntityPlan, row: Row, cause: Exception) -> UnreadableRow:
    """The error of a row in memory with a value that its type does not read any more."""
    for place in entity.fields:
        try:
            place.column.decoded(row[place.position])
        except Exception as error:
            if came_from_outside(error):
                raise
            found = f"its type cannot read what is stored ({type(error).__name__})"
            table = next(part.table.name for part in entity.parts if place in entity.fields[part.piece])
            return unread(found, table=table, key=_key(entity, row), column=place.column.name, cause=error)
    return unread("it cannot be read", table=entity.table.name, key=_key(entity, row), cause=cause)


def _key(entity: EntityPlan, row: Row) -> Key:
    try:
        return entity.table.key(row)
    except Exception as error:
        if came_from_outside(error):
            raise
        return None


def may_be_shown(key: Any) -> bool:
    """Return whether a message may show a key: a number or a UUID says nothing of anybody."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(isinstance(part, int | UUID) for part in parts)
