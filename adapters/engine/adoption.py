"""Objects and rows that came about beside the engine: through a statement of the user's own.

A session of SQLAlchemy makes objects of what it selects. They become the unit's, by their keys alone: a statement may
have loaded some columns only, or a filtered collection, so that whatever they hold is read again. And a statement
that has changed rows makes every loaded object stale, so that they are read again, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm.attributes import instance_state

from ..entities import EntityPlan
from ..instances import stored_key
from ..ownership import NOBODY, set_owner
from ..tables import Key
from .loading import load
from .tracking import mark_deleted

if TYPE_CHECKING:
    from .session import EngineSession

__all__ = ["adopt", "renew"]

Keys = dict[EntityPlan, dict[Key, None]]


def adopt(unit: EngineSession, made: dict[Any, Any]) -> None:
    """Let the unit track these objects, by identity key, with the aggregates that they belong to.

    Those that stand for no row belong to nobody. *made* is empty afterwards.
    """
    wanted: Keys = {}
    for instance in made.values():
        wanted.setdefault(unit.schema.entities[type(instance)], {})[stored_key(instance)] = None
    unit.offered = made
    try:
        for keys in (_tops(unit, wanted), wanted):  # a member without an owner is loaded alone
            for entity, some in keys.items():
                if made:
                    load(unit, unit.rows.by_keys(entity, [*some]))
        for ghost in made.values():
            instance_state(ghost).session_id = None
            set_owner(ghost, NOBODY)
    finally:
        unit.offered = {}
        made.clear()


def _tops(unit: EngineSession, wanted: Keys) -> Keys:
    """The keys of the aggregates that these objects are members of, as far as they have owners."""
    tops: Keys = {}
    todo = [*wanted.items()]
    for entity, keys in todo:
        owners = unit.schema.owners_of(entity)
        if not owners:
            tops.setdefault(entity, {}).update(keys)
            continue
        above: Keys = {}
        for _, row in unit.rows.by_keys(entity, [*keys]):
            for owner, children in owners:
                if (key := children.reference.values(row)) is not None:
                    above.setdefault(owner, {})[key] = None
        todo += above.items()
    return tops


def renew(unit: EngineSession) -> None:
    """Read everything that the unit has loaded again; an object whose row is gone is removed."""
    keys: Keys = {}
    for known in unit.all_known():
        known.transaction = -1
        if known.owner is None:
            keys.setdefault(known.entity, {})[known.key] = None
    for entity, some in keys.items():
        load(unit, unit.rows.by_keys(entity, [*some]))
    for known in unit.all_known():
        if known.transaction == -1:
            mark_deleted(known.state, True)
            unit.forget(known)
