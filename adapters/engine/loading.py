"""From rows to objects: one object for each row, whole aggregates, one read for each kind of member.

`load` gives objects that the unit tracks; `load_apart` gives objects that belong to no unit, for streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import instance_state

from ...domain.errors import UnreadableRow
from ..objects.instances import fill, has_members, identity, set_children, set_members
from ..objects.ownership import NOBODY
from ..plan.entities import ChildrenPlan, EntityPlan, MembersPlan
from ..plan.tables import Key, Row
from .rows import Found, Rows
from .tracking import Known, commit_state

if TYPE_CHECKING:
    from .session import EngineSession

__all__ = ["load", "load_apart", "load_one"]

Loaded = dict[EntityPlan, list[Known]]


def load(unit: EngineSession, found: Sequence[Found]) -> list[Any]:
    """Return the objects that stand for these rows, with all their members: the same object for a row each time.

    An object from an earlier transaction of the unit is brought up to date. Raises UnreadableRow, after which no object
    is half loaded.
    """
    new: Loaded = {}
    again: Loaded = {}
    try:
        loaded = _loaded(unit, found, new, again)
        for entity, owners in (*new.items(), *again.items()):
            _load_members(unit, entity, owners)
    except UnreadableRow:
        for known in chain.from_iterable(new.values()):
            unit.expunge(known)
        if again:  # some objects are of two states
            unit.fail()
        raise
    return loaded


def load_one(unit: EngineSession, entity: EntityPlan, row: Row) -> Any:
    """Return the object that stands for this row, as `load` does."""
    found = ((entity, row),)
    return (load(unit, found) if entity.is_loaded_in_steps else _loaded(unit, found, {}, {}))[0]


def _loaded(unit: EngineSession, found: Iterable[Found], new: Loaded, again: Loaded) -> list[Any]:
    loaded = []
    transaction, reference, by_id, offered = unit.transaction, unit.changes.reference, unit.by_id, unit.offered
    last = None
    for entity, row in found:
        if entity is not last:  # seldom: the rows of a class stand together
            last, key_of, by_key = entity, entity.table.key, unit.by_key[entity.identity_class]
            hydrate, has_documents, is_loaded_in_steps = entity.hydrate, entity.documents, entity.is_loaded_in_steps
        key = key_of(row)
        known = by_key.get(key)
        if known is not None and known.transaction != transaction:
            known = _renewed(unit, known, entity, row, again)
        if known is None:
            made = offered.pop(identity(entity, key), None) if offered else None
            if made is None:
                values = entity.decoded(row) if has_documents else row
                made = hydrate(values, key, unit, reference)
                known = Known(entity, key, row, made, instance_state(made), transaction)
                by_key[key] = by_id[id(made)] = known  # what `remember` does, in place: each object comes here
                if has_documents:
                    unit.documents[id(made)] = known
            else:
                known = _taken(unit, entity, key, row, made)
            if is_loaded_in_steps:
                new.setdefault(entity, []).append(known)
                entity.build_values(made, key)
        loaded.append(known.instance)
    return loaded


def _renewed(unit: EngineSession, known: Known, entity: EntityPlan, row: Row, again: Loaded) -> Known | None:
    """What is known from an earlier transaction, brought up to date; None if its row is another object's now."""
    if known.entity is not entity:  # another unit has stored an object of another subclass in its place
        unit.expunge_aggregate(known)
        return None
    known.transaction = unit.transaction
    if known.row is not row and known.row != row:
        _refill(unit, known, row)
    if entity.relations:
        again.setdefault(entity, []).append(known)
    return known


def _taken(unit: EngineSession, entity: EntityPlan, key: Key, row: Row, made: Any) -> Known:
    """Take an object that SQLAlchemy's session has made: fill it, and let that session know nothing of it."""
    known = unit.register(entity, key, row, made)
    state = known.state
    state.session_id = None
    for note in ("load_options", "load_path", "callables"):  # of the statement; they would be kept, and pickled
        state.__dict__.pop(note, None)
    fill(entity, made, entity.decoded(row))
    commit_state(state)
    return known


def _refill(unit: EngineSession, known: Known, row: Row) -> None:
    known.row = row
    fill(known.entity, known.instance, known.entity.decoded(row))
    known.entity.build_values(known.instance, known.key)
    commit_state(known.state)
    unit.changes.modified.discard(known.state)


def _load_members(unit: EngineSession, entity: EntityPlan, owners: list[Known]) -> None:
    for relation in entity.relations:
        rows = unit.rows.members(entity, relation, [owner.key for owner in owners])
        members = iter(load(unit, [*chain.from_iterable(rows)]))
        is_children = isinstance(relation, ChildrenPlan)
        for owner, own in zip(owners, rows, strict=True):
            given = [*islice(members, len(own))]
            _give(owner.instance, relation, given)
            if is_children:
                for child in given:
                    unit.of(child).owner = owner


def _give(owner: Any, relation: MembersPlan, members: list[Any]) -> None:
    if isinstance(relation, ChildrenPlan):
        set_children(owner, relation, members)
    elif not has_members(owner, relation, members):
        set_members(owner, relation.attribute, members)


def load_apart(rows: Rows, found: Sequence[Found], known: dict[Any, Any] | None = None) -> list[Any]:
    """Return objects that stand for these rows and belong to no unit, with their members.

    *known* are the objects of the same load, by their identities: members may be shared.
    """
    known = {} if known is None else known
    loaded: list[Any] = []
    new: dict[EntityPlan, list[tuple[Key, Any]]] = {}
    for entity, row in found:
        key = entity.table.key(row)
        if entity.is_flat:  # its row comes once
            loaded.append(entity.hydrate_apart(row, key, NOBODY))
            continue
        name = entity.identity_class, key
        instance = known.get(name)
        if instance is None:
            values = entity.decoded(row) if entity.documents else row
            instance = known[name] = entity.hydrate_apart(values, key, NOBODY)
            entity.build_values(instance, key)
            if entity.relations:
                new.setdefault(entity, []).append((key, instance))
        loaded.append(instance)
    for entity, owners in new.items():
        for relation in entity.relations:
            rows_of = rows.members(entity, relation, [key for key, _ in owners])
            members = iter(load_apart(rows, [*chain.from_iterable(rows_of)], known))
            for (_, owner), own in zip(owners, rows_of, strict=True):
                _give(owner, relation, [*islice(members, len(own))])
    return loaded
