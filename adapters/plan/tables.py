"""What the database would know of each table: columns, keys, constraints; as plain facts.

A row is a tuple of values in the order of the table's columns. A key is the value of the primary key's
column, or a tuple of them where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import CheckConstraint, Index, Table, UniqueConstraint

from ...domain.errors import BadValue
from ...rules.formula import Expr
from ..internals import is_type_bound
from .checks import columns_in, formula_of
from .codegen import ALSO_READ, key_guarder
from .declared import constraints_of, foreign_keys_of, indexes_of
from .defaults import producer, server_producer
from .guards import Guard, guard_for, spoken_type

__all__ = ["Check", "Checks", "ColumnPlan", "Key", "Reference", "Row", "TablePlan", "Twin", "Unique", "table_plan"]

Row = tuple[Any, ...]
Key = Any
Twin = Callable[[dict[str, Any]], bool | None]  # what a CHECK means, told in Python


@dataclass(frozen=True, eq=False)
class ColumnPlan:
    """One column: what may be stored in it, and what is stored when nothing is given."""

    name: str
    position: int
    guard: Guard
    nullable: bool
    generated: bool  # the database gives the value: an autoincrementing key
    default: Callable[[], Any] | None
    is_default_ours: bool  # made in Python, and not by the database
    onupdate: Callable[[], Any] | None

    def given(self) -> Any:
        """What a row holds where nothing is given."""
        return None if self.default is None else self._made(self.default())

    def renewed(self) -> Any:
        """What a row holds after a change of anything else in it."""
        return None if self.onupdate is None else self._made(self.onupdate())

    def _made(self, value: Any) -> Any:
        return None if value is None else self.encoded(self.guard(value))

    def encoded(self, value: Any) -> Any:
        """A guarded value as a row holds it."""
        encode = self.guard.encode
        return value if value is None or encode is None else encode(value)

    def differs(self, value: Any, stored: Any) -> bool:
        """Is the value not the one that a row holds? It is whatever it was changed to in place, good or bad."""
        try:
            return bool(self.encoded(value) != stored)
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
            return True  # no row can hold it; the guard will say so

    def fits(self, value: Any) -> bool:
        """Is this, which a database gave, a value that an attribute may have?"""
        if value is None:
            return self.nullable
        return self.guard.type is object or type(value) in (self.guard.type, *ALSO_READ.get(self.guard.type, ()))

    def decoded(self, stored: Any) -> Any:
        """A fresh value from what a row holds."""
        decode = self.guard.decode
        return stored if stored is None or decode is None else decode(stored)


@dataclass(frozen=True, eq=False)
class Unique:
    """A unique constraint or index. NULLs are distinct, also in a compound one."""

    name: str | None
    columns: tuple[str, ...]
    values: Callable[[Row], Any]  # None if one of them is NULL


@dataclass(frozen=True, eq=False)
class Reference:
    """A foreign key to the primary key of another table."""

    name: str | None
    table: str
    columns: tuple[str, ...]
    number: int  # among the references of the table
    target: str
    values: Callable[[Row], Any]  # the key of the target row; None if one of them is NULL


@dataclass(frozen=True, eq=False)
class Check:
    """A CHECK constraint over the columns of one row. *formula* is None where only a database can answer it."""

    name: str | None
    columns: tuple[str, ...]
    formula: Expr | None


Checks = Sequence[tuple[Check, Callable[[Row], bool]]]  # the checks of a table, and whether a row satisfies each


@dataclass(eq=False)
class TablePlan:
    """What the database knows of one table."""

    name: str
    columns: tuple[ColumnPlan, ...]
    key_name: str | None  # of the primary key constraint
    key_columns: tuple[str, ...]
    key: Callable[[Row], Key]
    key_guard: Callable[[Any], Key]
    generated: int | None  # the position of the generated key
    uniques: tuple[Unique, ...]
    references: tuple[Reference, ...]
    checks: tuple[Check, ...]
    referrers: list[Reference] = field(default_factory=list)  # the references of other tables to this one

    def __post_init__(self) -> None:
        self.required = [column for column in self.columns if not column.nullable]
        self.refers_to_itself = any(reference.target == self.name for reference in self.references)
        self.orders_rows = self.refers_to_itself  # is the order of tables not enough? See Schema
        self.unique_positions = sorted({self.position(name) for each in self.uniques for name in each.columns})
        self.has_onupdate = any(column.onupdate is not None for column in self.columns)

    def position(self, column: str) -> int:
        return next(each.position for each in self.columns if each.name == column)


def table_plan(table: Table) -> TablePlan:
    """The facts of a table that the doctor has found healthy."""
    names = [column.name for column in table.columns]
    generated = table.autoincrement_column if len(table.primary_key) == 1 else None
    columns = tuple(
        ColumnPlan(
            name=column.name,
            position=position,
            guard=guard_for(table.name, column),
            nullable=bool(column.nullable),
            generated=column is generated,
            default=producer(column.default) or server_producer(column),
            is_default_ours=column.default is not None,
            onupdate=producer(column.onupdate),
        )
        for position, column in enumerate(table.columns)
    )
    positions = [names.index(column.name) for column in table.primary_key]
    return TablePlan(
        name=table.name,
        columns=columns,
        key_name=_name(table.primary_key),
        key_columns=tuple(names[position] for position in positions),
        key=_values(positions),
        key_guard=_key_guard([columns[position].guard for position in positions]),
        generated=None if generated is None else names.index(generated.name),
        uniques=tuple(_uniques(table, names)),
        references=tuple(
            Reference(
                name=_name(constraint),
                table=table.name,
                columns=tuple(element.parent.name for element in constraint.elements),
                number=number,
                target=constraint.referred_table.name,
                values=_values(
                    [
                        names.index(element.parent.name)
                        for target in constraint.referred_table.primary_key
                        for element in constraint.elements
                        if element.column is target
                    ]
                ),
            )
            for number, constraint in enumerate(
                sorted(foreign_keys_of(table), key=lambda each: names.index(each.column_keys[0]))
            )
        ),
        checks=tuple(
            _check(constraint)
            for constraint in constraints_of(table)
            if isinstance(constraint, CheckConstraint) and not is_type_bound(constraint)
        ),
    )


def _check(constraint: CheckConstraint) -> Check:
    formula = formula_of(constraint)
    columns = tuple(column.name for column in constraint.columns)  # none of a text
    return Check(_name(constraint), columns or (() if formula is None else columns_in(formula)), formula)


def _uniques(table: Table, names: list[str]) -> list[Unique]:
    declared: list[UniqueConstraint | Index] = [
        *(each for each in constraints_of(table) if isinstance(each, UniqueConstraint)),
        *(each for each in indexes_of(table) if each.unique),
    ]
    return [
        Unique(
            name=_name(each),
            columns=tuple(column.name for column in each.columns),
            values=_values([names.index(column.name) for column in each.columns]),
        )
        for each in declared
    ]


def _name(constraint: Any) -> str | None:
    name = constraint.name
    if name is None or isinstance(name, str):
        return None if name is None else str(name)
    return None


def _values(positions: list[int]) -> Callable[[Row], Any]:
    """The value at the position, or a tuple of several; None if one of them is None."""
    if len(positions) == 1:
        return itemgetter(positions[0])

    def several(row: Row) -> Any:
        values = tuple([row[position] for position in positions])
        return None if None in values else values

    return several


def _key_guard(guards: list[Guard]) -> Callable[[Any], Key]:
    if len(guards) == 1:
        return key_guarder(guards[0])

    def several(key: Any) -> Key:
        if type(key) is not tuple or len(key) != len(guards):
            raise BadValue(
                f"expected a key of {len(guards)} parts, ({', '.join(guard.attribute for guard in guards)}), got"
                f" {f'{len(key)} parts' if type(key) is tuple else spoken_type(key)}",
                value=key,
            )
        return tuple([guard.key(part) for guard, part in zip(guards, key, strict=True)])

    return several
