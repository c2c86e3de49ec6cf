"""The objects that a unit tracks, and how it learns of their changes.

SQLAlchemy's instrumentation reports every modified object to its session. The engine listens in the same place: it
notices exactly what the ORM notices, and a flush costs what has changed, not what was loaded.
"""

from __future__ import annotations

import weakref
from typing import Any, Literal

from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.state import InstanceState

from ..internals import PENDING_MUTATIONS, commit_all, report_to_nobody
from ..objects.ownership import set_owner
from ..plan.entities import EntityPlan
from ..plan.tables import Key, Row, TablePlan

__all__ = [
    "Changes",
    "Known",
    "Written",
    "commit_state",
    "make_transient",
    "mark_changed_documents",
]


class Changes:
    """Where the ORM's instrumentation reports: the states of the objects that were modified."""

    __slots__ = ("__weakref__", "_modified", "modified", "reference")

    def __init__(self) -> None:
        self.modified: set[InstanceState[Any]] = set()
        self._modified = self.modified  # by this name the instrumentation knows it
        self.reference: Any = weakref.ref(self)  # what states report to

    def _fast_discard(self, state: InstanceState[Any]) -> None:
        """Called when an object is garbage."""
        self.modified.discard(state)


Written = Literal["inserted", "changed", "deleted"]
"""What a flush has done to the row of an object: a rollback does the opposite to the object."""


class Known:
    """An object that a unit has loaded or stored, and the row that it stands for.

    `transaction` is the number of the unit's transaction in which the object was last loaded, with its members; in a
    later one it may be stale. `owner` is the object whose child it is, if it is one.
    """

    __slots__ = ("entity", "instance", "key", "owner", "row", "state", "transaction")

    def __init__(
        self,
        entity: EntityPlan,
        key: Key,
        row: Row,
        instance: Any,
        state: InstanceState[Any],
        transaction: int,
    ) -> None:
        self.entity = entity
        self.key = key
        self.row = row
        self.instance = instance
        self.state = state
        self.transaction = transaction
        self.owner: Known | None = None

    def piece_in(self, table: TablePlan) -> Row:
        """The piece of its row that stands in one of its tables."""
        return self.row[self.entity.piece_of(table)]

    @property
    def root(self) -> Known:
        """The object at the top of its aggregate."""
        found = self
        while found.owner is not None:
            found = found.owner
        return found


def commit_state(state: InstanceState[Any]) -> None:
    """What the object has now is what is stored."""
    state.committed_state.clear()
    state.modified = False
    if state.expired_attributes or PENDING_MUTATIONS in state.__dict__:
        commit_all(state, state.dict)


def make_transient(known: Known) -> None:
    """This object was never stored: it is as new again."""
    known.state.key = None
    report_to_nobody(known.state)
    set_owner(known.instance, None)
    known.entity.renew(known.instance)


def mark_changed_documents(known: Known) -> None:
    """Notice JSON values that were changed in place."""
    for attribute, each in known.entity.documents:
        values = known.state.dict  # without the attribute where it was deleted, which was noticed
        if attribute in values and each.column.differs(values[attribute], known.row[each.position]):
            flag_modified(known.instance, attribute)
