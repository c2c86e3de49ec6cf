"""A table completed, so that every database makes the same of it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy.sql.elements import conv
from sqlalchemy.sql.schema import CallableColumnDefault

from ..internals import creation_order, is_type_bound, variants_of
from ..plan.declared import constraints_of, indexes_of, keep_order
from ..plan.defaults import takes_context
from ..plan.guards import guard_for
from ..plan.types import portable
from .spelling import spell_alike

__all__ = ["CONSTRAINT_NAMES", "complete"]

CONSTRAINT_NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}
PREFIXES: dict[type[Any], str] = {
    PrimaryKeyConstraint: "pk",
    UniqueConstraint: "uq",
    ForeignKeyConstraint: "fk",
    CheckConstraint: "ck",
}
LONGEST = 63  # PostgreSQL would cut a longer name, and MariaDB one of 65


def complete(table: Table) -> None:
    """Give the columns their portable types, and names to constraints that have none. May be done again."""
    is_first = not table.info.setdefault("completed by honestwork", False)
    table.info["completed by honestwork"] = True
    generated = table.autoincrement_column if len(table.primary_key) == 1 else None
    table.dialect_options["sqlite"]["autoincrement"] = generated is not None
    for column in table.columns:
        column.type = portable(column.type)
        if is_first and isinstance(column.onupdate, CallableColumnDefault) and not takes_context(column.onupdate):
            column.onupdate.arg = _guarded(table.name, column, column.onupdate.arg)
    if generated is not None and isinstance(generated.type, BigInteger | SmallInteger):
        variants = variants_of(generated.type)
        if "sqlite" not in variants:  # where no other type than INTEGER counts
            generated.type = generated.type.with_variant(Integer(), "sqlite")
    for column in table.columns:
        _hand_over_checks(column, table)
    _name_constraints(table)
    keep_order(table)
    for constraint in constraints_of(table):
        if isinstance(constraint, CheckConstraint) and not is_type_bound(constraint):
            spell_alike(constraint)


def _guarded(table: str, column: Column[Any], function: Callable[[Any], Any]) -> Any:
    """The same function, refused where it gives what would not come back as it went in."""

    def give() -> Any:
        value = function(None)
        return None if value is None else guard_for(table, column)(value)

    return CallableColumnDefault(give).arg


def _hand_over_checks(column: Column[Any], table: Table) -> None:
    """Make the CHECKs of a column those of its table: MariaDB takes no name of one that stands at a column."""
    for constraint in sorted(column.constraints, key=creation_order):
        if isinstance(constraint, CheckConstraint) and not is_type_bound(constraint):
            column.constraints.discard(constraint)
            table.append_constraint(constraint)


def _name_constraints(table: Table) -> None:
    constraints: list[Any] = constraints_of(table)
    everything: list[Any] = [*constraints, *indexes_of(table)]
    taken = {str(each.name) for each in everything}
    for constraint in constraints:
        prefix = PREFIXES.get(type(constraint))
        if constraint.name is None and prefix is not None and not is_type_bound(constraint):
            columns = [] if prefix == "pk" else [column.name for column in constraint.columns]
            name = plain = "_".join([prefix, table.name, *columns])
            number = 1
            while name in taken:
                number += 1
                name = f"{plain}_{number}"
            taken.add(name)
            constraint.name = conv(name)
    for named in everything:
        if isinstance(named.name, conv) and len(named.name.encode()) > LONGEST:
            digest = md5(named.name.encode(), usedforsecurity=False).hexdigest()[-4:]
            named.name = conv(f"{named.name[: LONGEST - 8]}_{digest}")  # as PostgreSQL's dialect does it
