"""How true the store in memory is to a database, said constraint by constraint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..plan.entities import EntityPlan
from ..plan.schema import Schema
from ..plan.tables import TablePlan

__all__ = ["Fidelity", "Promise", "fidelity"]


@dataclass(frozen=True)
class Promise:
    """One line: what it is about, how it is kept, and what that means."""

    table: str
    what: str
    kept: Literal["enforced", "approximated", "refused"]
    how: str


class Fidelity(list[Promise]):
    """All promises, those about tables first. Its text is a table."""

    def __str__(self) -> str:
        rows = [("table", "what", "kept", "how"), *((each.table, each.what, each.kept, each.how) for each in self)]
        widths = [max(len(row[number]) for row in rows) for number in range(3)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
        )


EVERYWHERE = [
    Promise("", "isolation", "enforced", "snapshot isolation: a row changed by another unit is a Conflict"),
    Promise("", "rollback, savepoints", "enforced", "rows, locks and objects go back"),
    Promise("", "locks of an undone block", "approximated", "free at once; MariaDB keeps them until the unit ends"),
    Promise(
        "",
        "order of writing",
        "enforced",
        "updates, inserts, deletes; parents first, and whoever gives a unique value up",
    ),
    Promise("", "waiting for locks", "approximated", "does not wait: LockTimeout at once, as with a lock timeout of 0"),
    Promise("", "several violations at once", "approximated", "one of them is reported, not always the same one"),
    Promise("", "gaps in generated keys", "approximated", "keys rise and are never reused; databases leave other gaps"),
    Promise("", "triggers", "refused", "not seen by a mapping: write what they do in the domain"),
    Promise("", "SQL by hand", "refused", "only a repository written for a database can run it"),
]


def fidelity(schema: Schema) -> Fidelity:
    """What holds for the tables and classes of this schema."""
    of_tables = [promise for table in schema.tables.values() for promise in _of_table(schema, table)]
    of_classes = [promise for entity in schema.entities.values() for promise in _of_class(entity)]
    return Fidelity([*of_tables, *dict.fromkeys(of_classes), *EVERYWHERE])


def _of_table(schema: Schema, table: TablePlan) -> Iterator[Promise]:
    def told(how: str, constraint: str | None) -> str:
        own = schema.violations.get(constraint or "")
        return how if own is None else f"{how}; told as {own.__name__}"

    key = ", ".join(table.key_columns)
    given = "generated, from 1 on" if table.generated is not None else "given by the program"
    unique_key = told(f"unique, never changed, {given}", table.key_name)
    yield Promise(table.name, f"primary key ({key})", "enforced", unique_key)
    for unique in table.uniques:
        what = f"unique ({', '.join(unique.columns)})"
        how = told("NULLs are distinct; sees the newest rows of other units", unique.name)
        yield Promise(table.name, what, "enforced", how)
    for reference in table.references:
        what = f"foreign key ({', '.join(reference.columns)})"
        how = told(f"its {reference.target} has to exist, and cannot be removed before it", reference.name)
        if reference.target == table.name:
            how = f"{how}; checked row by row within one flush (MariaDB keeps a row that refers to itself)"
            yield Promise(table.name, what, "approximated", how)
        else:
            yield Promise(table.name, what, "enforced", how)
    for check in table.checks:
        if (check.name or "") in schema.twins:
            how = told("as its twin in Python says; assert_truthful() compares the two", check.name)
            yield Promise(table.name, f"check {check.name}", "approximated", how)
        else:
            how = told("evaluated in Python, with SQL's NULLs", check.name)
            yield Promise(table.name, f"check {check.name or ''}", "enforced", how)
    required = [column.name for column in table.columns if not column.nullable and column.name not in table.key_columns]
    if required:
        yield Promise(table.name, f"not null ({', '.join(required)})", "enforced", "after the defaults")
    yield Promise(table.name, "types and lengths", "enforced", "what would not come back as it went in is a BadValue")
    for column in table.columns:
        if column.default is not None:
            yield Promise(table.name, f"default of {column.name}", "enforced", "where an INSERT has no value, or None")
        if column.onupdate is not None:
            yield Promise(table.name, f"onupdate of {column.name}", "enforced", "where an UPDATE changes anything else")


def _of_class(entity: EntityPlan) -> Iterator[Promise]:
    table = entity.table.name
    if entity.version is not None:
        how = "counts the changes of the whole aggregate; a stale one is a Conflict"
        yield Promise(table, f"version {entity.version.column.name}", "enforced", how)
    if entity.discriminator is not None:
        how = "each row comes back as the class that it was; an object stays of its class"
        yield Promise(table, f"inheritance by {entity.discriminator.column.name}", "enforced", how)
    for children in entity.children:
        what = f"members {entity.name}.{children.attribute}"
        yield Promise(table, what, "enforced", "loaded, stored and removed with their owner, in their order")
    for links in entity.links:
        what = f"links {entity.name}.{links.attribute}"
        yield Promise(table, what, "enforced", f"rows of {links.table.name} come and go with the ends they join")
