"""Objects made and watched as the ORM makes and watches them.

A mapped class is instrumented by SQLAlchemy: its objects carry an `InstanceState` that records which
attributes were assigned and which collections changed. The memory store makes its objects with the same
state, so that everything a domain object can notice is the same on both stores: an attribute that was
never set reads None, a list becomes an instrumented list, `__init__` does not run on loading. And it
hears of changes the same way, which keeps a flush proportional to what has changed and not to what
was loaded.

This is the only module that touches the ORM's instrumentation from inside (SQLAlchemy ≥ 2.1, < 2.2).
"""

from __future__ import annotations

import weakref
from typing import Any

from sqlalchemy.orm.attributes import flag_modified, instance_dict, instance_state, set_committed_value
from sqlalchemy.orm.state import InstanceState

from ..entities import EntityPlan
from ..ownership import set_owner
from ..tables import Key, Row

__all__ = [
    "Changes",
    "Known",
    "blank",
    "commit_state",
    "fill",
    "fill_members",
    "identify",
    "make_transient",
    "mark_changed_documents",
    "mark_deleted",
]


class Changes:
    """Where the ORM's instrumentation reports: the states of the objects that were modified."""

    def __init__(self) -> None:
        self._modified: set[InstanceState[Any]] = set()
        self._reference = weakref.ref(self)

    def __bool__(self) -> bool:
        return True

    @property
    def modified(self) -> set[InstanceState[Any]]:
        return self._modified

    def _fast_discard(self, state: InstanceState[Any]) -> None:
        """Called when an object is garbage."""
        self._modified.discard(state)

    def watch(self, state: InstanceState[Any]) -> None:
        state._instance_dict = self._reference  # type: ignore[assignment]
        if state.modified:
            self._modified.add(state)


class Known:
    """An object that a unit has loaded or stored, and the row that it stands for."""

    __slots__ = ("entity", "instance", "key", "row", "state")

    def __init__(self, entity: EntityPlan, key: Key, row: Row, instance: Any) -> None:
        self.entity = entity
        self.key = key
        self.row = row
        self.instance = instance
        self.state: InstanceState[Any] = instance_state(instance)


def blank(entity: EntityPlan) -> Any:
    """A new object of the class, as the ORM makes one when it loads: without running `__init__`."""
    return entity.mapper.class_manager.new_instance()


def fill(entity: EntityPlan, instance: Any, row: Row) -> None:
    """Give an object the values of a row, as if it had just been loaded."""
    values = instance_dict(instance)
    for name in entity.values:
        values.pop(name, None)  # a value object is made again from its columns
    for each, stored in zip(entity.fields, row, strict=True):
        if each.attribute is not None:
            values[each.attribute] = each.column.decoded(stored)


def fill_members(instance: Any, attribute: str, members: Any) -> None:
    """Give an object its members, or its owner, as if they had just been loaded."""
    set_committed_value(instance, attribute, members)


def commit_state(state: InstanceState[Any], changes: Changes) -> None:
    """What the object has now is what is stored."""
    state._commit_all(state.dict, changes)  # type: ignore[arg-type]


def identify(entity: EntityPlan, state: InstanceState[Any], key: Key) -> None:
    """Mark an object as stored under this key, as the ORM does."""
    state.key = (entity.identity_class, key if isinstance(key, tuple) else (key,), None)


def make_transient(known: Known) -> None:
    """This object was never stored: it is as new again."""
    known.state.key = None
    known.state.__dict__.pop("_instance_dict", None)  # reports to this unit no more
    set_owner(known.instance, None)
    known.entity.renew(known.instance)


def mark_deleted(state: InstanceState[Any], deleted: bool) -> None:
    """Note that the row of an object is deleted, where the ORM notes it."""
    state._deleted = deleted


def mark_changed_documents(known: Known) -> None:
    """Notice JSON values that were changed in place."""
    for attribute, each in known.entity.documents:
        if each.column.encoded(known.state.dict.get(attribute)) != known.row[each.position]:
            flag_modified(known.instance, attribute)
