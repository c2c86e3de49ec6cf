"""Objects watched as the ORM's session watches them.

SQLAlchemy's instrumentation tells the session of an object that it was modified. The memory store hears of
changes the same way, which makes it notice just what the ORM notices, and keeps a flush proportional to
what has changed and not to what was loaded.
"""

from __future__ import annotations

import weakref
from typing import Any

from sqlalchemy.orm.attributes import flag_modified, instance_state
from sqlalchemy.orm.state import InstanceState

from ..entities import EntityPlan
from ..ownership import set_owner
from ..tables import Key, Row

__all__ = [
    "Changes",
    "Known",
    "commit_state",
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


def commit_state(state: InstanceState[Any], changes: Changes) -> None:
    """What the object has now is what is stored."""
    state._commit_all(state.dict, changes)  # type: ignore[arg-type]


def make_transient(known: Known) -> None:
    """This object was never stored; what the store gave it is taken back."""
    known.state.key = None
    set_owner(known.instance, None)
    known.entity.forget_generated(known.state.dict)


def mark_deleted(state: InstanceState[Any], deleted: bool) -> None:
    """Note that the row of an object is deleted, where the ORM notes it."""
    state._deleted = deleted


def mark_changed_documents(known: Known) -> None:
    """Notice JSON values that were changed in place."""
    for attribute, each in known.entity.documents:
        if each.column.differs(known.state.dict.get(attribute), known.row[each.position]):
            flag_modified(known.instance, attribute)
