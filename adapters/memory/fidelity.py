"""How true the store in memory is to a database, said constraint by constraint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..schema import Schema
from ..tables import TablePlan

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
    Promise("", "order of writing", "enforced", "updates, inserts, deletes, as the ORM writes them"),
    Promise("", "waiting for locks", "approximated", "does not wait: Conflict at once, as with a lock timeout of 0"),
    Promise("", "several violations at once", "approximated", "one of them is reported, not always the same one"),
    Promise("", "gaps in generated keys", "approximated", "keys rise and are never reused; databases leave other gaps"),
    Promise("", "triggers", "refused", "not seen by a mapping: write what they do in the domain"),
    Promise("", "SQL by hand", "refused", "only a repository written for a database can run it"),
]


def fidelity(schema: Schema) -> Fidelity:
    """What holds for the tables of this schema."""
    return Fidelity([*(promise for table in schema.tables.values() for promise in _of_table(table)), *EVERYWHERE])


def _of_table(table: TablePlan) -> Iterator[Promise]:
    key = ", ".join(table.key_columns)
    given = "generated, from 1 on" if table.generated is not None else "given by the program"
    yield Promise(table.name, f"primary key ({key})", "enforced", f"unique, never changed, {given}")
    for unique in table.uniques:
        what = f"unique ({', '.join(unique.columns)})"
        yield Promise(table.name, what, "enforced", "NULLs are distinct; sees the newest rows of other units")
    for reference in table.references:
        what = f"foreign key ({', '.join(reference.columns)})"
        how = f"its {reference.target} has to exist, and cannot be removed before it"
        if reference.target == table.name:
            yield Promise(table.name, what, "approximated", f"{how}; checked row by row within one flush")
        else:
            yield Promise(table.name, what, "enforced", how)
    for check in table.checks:
        yield Promise(table.name, f"check {check.name or ''}", "enforced", "evaluated in Python, with SQL's NULLs")
    required = [column.name for column in table.columns if not column.nullable and column.name not in table.key_columns]
    if required:
        yield Promise(table.name, f"not null ({', '.join(required)})", "enforced", "after the defaults")
    yield Promise(table.name, "types and lengths", "enforced", "what would not come back as it went in is a BadValue")
    for column in table.columns:
        if column.default is not None:
            yield Promise(table.name, f"default of {column.name}", "enforced", "where an INSERT has no value, or None")
