"""Objects and rows that came about beside the engine: through a statement of the user's own.

A session of SQLAlchemy makes objects of what it selects. They become the unit's, by their keys alone: a statement may
have loaded some columns only, or a filtered collection, so that whatever they hold is read again. And a statement
that has changed rows makes every loaded object stale, so that they are read again, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import instance_state

from ...domain.errors import Misuse
from ..internals import set_deleted
from ..objects.instances import stored_key
from ..objects.ownership import NOBODY, set_owner
from ..plan.entities import EntityPlan
from ..plan.tables import Key
from .loading import load
from .tracking import Known

if TYPE_CHECKING:
    from .session import EngineSession

__all__ = ["adopt", "refresh", "renew"]

Keys = dict[EntityPlan, dict[Key, None]]


def adopt(unit: EngineSession, made: dict[Any, Any]) -> None:
    """Let the unit track these objects, by identity key, with the aggregates that they belong to.

    Those that stand for no row belong to nobody. *made* is empty afterwards. Raises Misuse for an object of a class
    that this unit's mapping does not have.
    """
    unit.offered = made
    try:
        _load_aggregates(unit, ((_entity(unit, each), stored_key(each)) for each in made.values()))
        for ghost in made.values():
            instance_state(ghost).session_id = None
            set_owner(ghost, NOBODY)
    finally:
        unit.offered = None
        made.clear()


def refresh(unit: EngineSession, stale: Iterable[Known]) -> bool:
    """Bring objects from an earlier transaction up to date, with their aggregates.

    Return whether all of them stand for their rows still. The unit forgets those that do not.
    """
    known = [*stale]
    _load_aggregates(unit, _named(known))
    lost = [each for each in known if each.transaction != unit.transaction or not _is_known(unit, each)]
    for each in lost:
        if _is_known(unit, each):
            unit.expunge(each)
    return not lost


def renew(unit: EngineSession) -> None:
    """Read everything that the unit has loaded again; an object whose row is gone is removed."""
    loaded = unit.all_known()
    for block in unit.blocks:  # which undo it, if they are undone
        block.is_renewed = True
        for known in loaded:
            block.keep(known)
    if unit.blocks:
        unit.written += [("changed", known) for known in loaded]
    for known in loaded:
        known.transaction = -1
    _load_aggregates(unit, _named(known for known in loaded if known.owner is None))
    _load_aggregates(unit, _named(_unread(unit, loaded)))  # members of aggregates that were not loaded
    for known in _unread(unit, loaded):
        set_deleted(known.state, True)
        unit.expunge(known)
        unit.written.append(("deleted", known))


def _load_aggregates(unit: EngineSession, wanted: Iterable[tuple[EntityPlan, Key]]) -> None:
    """Load objects by class and key, with the aggregates that they are members of."""
    keys: Keys = {}
    for entity, key in wanted:
        keys.setdefault(entity, {})[key] = None
    for entity, some in _tops(unit, keys).items():
        load(unit, unit.rows.by_keys(entity, [*some]))


def _tops(unit: EngineSession, wanted: Keys) -> Keys:
    """The keys of the aggregates that these objects are members of, or of the objects where nobody owns them."""
    tops: Keys = {}
    todo = [*wanted.items()]
    for entity, keys in todo:
        owners = unit.schema.owners_of(entity)
        if not owners:
            tops.setdefault(entity, {}).update(keys)
            continue
        above: Keys = {}
        for actual, row in unit.rows.by_keys(entity, [*keys]):
            found = [(owner, children.reference.values(row)) for owner, children in owners]
            owned = [(owner, key) for owner, key in found if key is not None]
            for owner, key in owned:
                above.setdefault(owner, {})[key] = None
            if not owned:
                tops.setdefault(actual, {})[actual.table.key(row)] = None
        todo += above.items()
    return tops


def _entity(unit: EngineSession, instance: object) -> EntityPlan:
    entity = unit.schema.entities.get(type(instance))
    if entity is None:
        raise Misuse(
            f"{type(instance).__name__} is not mapped by the mapping of this store, and a unit of work would not store"
            " its objects: select columns, or map the class with aggregate() or member()"
        )
    return entity


def _named(found: Iterable[Known]) -> Iterable[tuple[EntityPlan, Key]]:
    return ((known.entity, known.key) for known in found)


def _unread(unit: EngineSession, loaded: Iterable[Known]) -> list[Known]:
    return [known for known in loaded if known.transaction == -1 and _is_known(unit, known)]


def _is_known(unit: EngineSession, known: Known) -> bool:
    return unit.known(known.instance) is known
