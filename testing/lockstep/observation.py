"""What a program can see of a store, in a form that can be compared.

Two stores never return the same objects, and the keys that they generate may differ by gaps. So objects are
called by names, given in the order in which they come into sight (which makes equality of names the
identity of objects), and generated values by the order of their first appearance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Column
from sqlalchemy.orm.attributes import instance_dict, instance_state
from sqlalchemy.sql.schema import CallableColumnDefault

from ...adapters.mapping.mapping import Mapping
from ...adapters.plan.schema import Schema
from ...adapters.plan.tables import ColumnPlan
from ...domain.errors import BadValue, ConstraintViolated
from ...domain.page import Page

__all__ = ["Eye", "Renaming", "Seen", "error_seen"]

Seen = Any  # tuples, dicts, lists and text, all the way down


class Renaming:
    """Which columns hold values that a store makes up, so that only their order of appearance can be compared.

    A generated key is renamed, and so is every column that refers to it. Other values that a Python function
    makes (the time, a random token) are compared by their type alone.
    """

    def __init__(self, mapping: Mapping) -> None:
        schema = mapping.schema
        self.domains: dict[tuple[str, str], str] = {}
        self.opaque: set[tuple[str, str]] = set()
        for table in mapping.metadata.sorted_tables:
            plan = schema.tables[table.name]
            for column in plan.columns:
                made_up = any(
                    isinstance(each, CallableColumnDefault)
                    for each in (table.c[column.name].default, table.c[column.name].onupdate)
                )
                if column.generated or (made_up and column.name in plan.key_columns):
                    self.domains[table.name, column.name] = table.name
                elif made_up:
                    self.opaque.add((table.name, column.name))
            for reference in plan.references:
                for here, there in zip(reference.columns, schema.tables[reference.target].key_columns, strict=True):
                    if domain := self.domains.get((reference.target, there)):
                        self.domains[table.name, here] = domain

    def is_made_up(self, column: Column[Any]) -> bool:
        """May two stores have different values here, and both be right?"""
        where = (column.table.name, column.name)
        return where in self.domains or where in self.opaque


class Eye:
    """Looks at the objects and rows of one store. Lives as long as one program on it."""

    def __init__(self, schema: Schema, renaming: Renaming, name_of: Callable[[object, str], str]) -> None:
        self.schema = schema
        self.renaming = renaming
        self.name_of = name_of
        self.count = 0  # of the generated values that have been given a number
        self._appeared: dict[tuple[str, Any], int] = {}
        self._committed: set[tuple[str, Any]] = set()

    def forget_uncommitted(self) -> None:
        """Something was undone: SQLite may give its keys again, others leave a gap, and both are right."""
        self._appeared = {key: self._appeared[key] for key in self._appeared if key in self._committed}

    def is_committed(self, domain: str, value: Any) -> bool:
        """Has a row with this generated key been committed, as far as was seen?"""
        return (domain, value) in self._committed

    def result(self, value: Any, path: str) -> Seen:
        """What a call has returned; *path* is the source that leads to it."""
        if isinstance(value, Iterator):
            return "a stream"
        if isinstance(value, Page):
            return (self.result(list(value), path), "and more" if value.next is not None else "and no more")
        if isinstance(value, list):
            return [self.result(each, f"{path}[{number}]") for number, each in enumerate(value)]
        if type(value) in self.schema.entities:
            return self.state(value, path)
        return _typed(value)

    def state(self, instance: object, path: str) -> Seen:
        """An object with all that belongs to it."""
        name = self.name_of(instance, path)
        entity = self.schema.entities[type(instance)]
        if later := instance_state(instance).expired_attributes - instance_dict(instance).keys():
            return (name, entity.name, f"reads the database when it is asked for {', '.join(sorted(later))}")
        seen: dict[str, Seen] = {
            each.attribute: self.value(part.table.name, each.column, getattr(instance, each.attribute))
            for part in entity.parts
            for each in entity.fields[part.piece]
            if each.attribute is not None
        }
        for attribute in entity.values:
            seen[attribute] = _typed(getattr(instance, attribute))
        seen["note"] = _typed(instance_dict(instance).get("note"))
        for relation in entity.relations:
            seen[relation.attribute] = self.members(instance, relation.attribute, f"{name}.{relation.attribute}")
        return (name, entity.name, seen)

    def members(self, owner: object, attribute: str, path: str) -> Seen:
        """The children of an object."""
        found = getattr(owner, attribute)
        if type(found) in self.schema.entities:
            return self.state(found, path)
        if found is None:
            return None
        items = list(found.values() if isinstance(found, dict) else found)
        return [self.state(each, f"list({path})[{number}]") for number, each in enumerate(items)]

    def row(self, table: str, row: dict[str, Any]) -> Seen:
        """A committed row."""
        self._committed.update(
            (self.renaming.domains[table, name], value)
            for name, value in row.items()
            if (table, name) in self.renaming.domains
        )
        return {
            column.name: self.value(table, column, row[column.name]) for column in self.schema.tables[table].columns
        }

    def value(self, table: str, column: ColumnPlan, value: Any) -> Seen:
        """One value of one column."""
        where = table, column.name
        if value is None:
            return None
        if where in self.renaming.opaque:
            return type(value).__name__
        domain = self.renaming.domains.get(where)
        if domain is None:
            return _typed(value)
        if (number := self._appeared.get((domain, value))) is None:
            self.count += 1
            number = self._appeared[domain, value] = self.count
        return f"{type(value).__name__} key {number} of {domain}"


def error_seen(error: BaseException) -> Seen:
    """An error: its class, and what it says that it is about."""
    kind = type(error).__name__
    match error:
        case ConstraintViolated():
            return (kind, error.table, error.columns)
        case BadValue():
            return (kind, error.attribute)
    return (kind,)


def _typed(value: Any) -> Seen:
    """A value with its type, so that 1, 1.0 and True are three things."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {"dict": {_spelled(key): _typed(value[key]) for key in sorted(value, key=repr)}}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_typed(each) for each in value]}
    return _spelled(value)


def _spelled(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"
