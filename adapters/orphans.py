"""Who has lost its owner, and who has not, although the ORM takes it for an orphan.

The ORM notes that a member has an owner when it comes to a collection, and that it has none when it is taken out. But a
collection may hold it twice for a moment: `lines[0], lines[1] = lines[1], lines[0]` puts one of the two where the
other is, and only then takes it out of its old place. From then on the ORM deletes its row, or never writes it,
though it stands in the list. Here a collection has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm.attributes import instance_dict, instance_state

from .entities import EntityPlan
from .instances import stored_order
from .ownership import Unit, owner_of
from .refusals import foreign

__all__ = ["readmit_members"]


def readmit_members(
    new: Iterable[object], changed: Iterable[object], entities: Mapping[type[Any], EntityPlan], unit: Unit
) -> None:
    """Before a flush, take back what was taken out of collections that still hold it. Raises ForeignObject."""
    owners = [each for each in new if entities[type(each)].children]
    owners += sorted([each for each in changed if entities[type(each)].children], key=stored_order)
    for owner in owners:
        _readmit(entities[type(owner)], owner, unit)


def _readmit(entity: EntityPlan, owner: object, unit: Unit) -> None:
    state = instance_state(owner)
    for children in entity.children:
        if not children.is_collection or children.attribute not in state.committed_state:
            continue  # nothing has come or gone
        attribute: Any = state.manager[children.attribute].impl
        for member in children.members(owner):
            if owner_of(member) not in (None, unit):
                foreign(children.entity, member)  # it went there after it was taken out here
            its = instance_state(member)
            if attribute.hasparent(its, optimistic=True):
                continue
            attribute.sethasparent(its, state, True)
            its._orphaned_outside_of_session = False
            if children.owner_attribute is not None:
                instance_dict(member)[children.owner_attribute] = owner
            if owner_of(member) is None:
                unit.attach(children.entity, member)
            _readmit(children.entity, member, unit)
