"""Who belongs to an aggregate when it is stored, and who goes: the collections have the last word.

SQLAlchemy's instrumentation notes of each member whether it has an owner, when it comes to a collection and when it is
taken out. That is not always what the collections hold in the end:

- `lines[0], lines[1] = lines[1], lines[0]` puts one of the two where the other is, and only then takes it out of its
  old place. From then on it counts as one that has no owner.
- A line that has moved from one new order to another may be heard of last as it leaves the first.
- A line that is in two orders belongs to the one that was the last to get it.
- A line that has moved to an order that stays is kept, though its old order is removed, and with what belongs to it;
  one that comes to an order that is removed goes with it, and so does one that comes to an order of no unit.

So before each flush the notes are brought into line with what the collections hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.attributes import get_history, instance_dict, instance_state

from ..internals import clear_orphaned, note_change
from ..plan.entities import ChildrenPlan, EntityPlan
from .instances import complete_members, put_members, stored_order
from .ownership import Unit, owner_of
from .refusals import foreign

__all__ = ["settle_members"]

Entities = Mapping[type[Any], EntityPlan]
UNKNOWN = object()  # the owner of a member that was loaded, and has not moved
Holders = dict[int, set[int]]  # by the id of a member, the ids of those that have it in a collection that has changed


def settle_members(
    unit: Unit, entities: Entities, *, new: Iterable[Any], changed: Iterable[Any], removed: list[Any]
) -> None:
    """Before a flush, keep the members of what stays, and let go of those that nobody has.

    *removed* are the aggregates that go. Raises ForeignObject for a member that belongs to another unit by now.
    """
    new, changed = list(new), sorted(changed, key=stored_order)
    for owner in changed:
        complete_members(entities[type(owner)], owner)  # what was deleted, as in `del order.lines`, is empty
    owners = [each for each in (*new, *changed) if entities[type(each)].children]
    holders = _holders(entities, owners)
    lost = [each for each in new if entities[type(each)].needs_owner and id(each) not in holders]
    going = _going(unit, entities, owners, holders, [*removed, *lost])
    for member in going.values():
        _keep_only(entities[type(member)], member, going)
    for member in going.values():
        unit.remove_orphan(member)
    for owner in owners:
        if id(owner) not in going:
            _keep_members(unit, entities[type(owner)], owner)


def _holders(entities: Entities, owners: list[Any]) -> Holders:
    holders: Holders = {}
    for owner in owners:
        for children in _touched(entities[type(owner)], owner):
            for member in children.members(owner):
                holders.setdefault(id(member), set()).add(id(owner))
    return holders


def _going(unit: Unit, entities: Entities, owners: list[Any], holders: Holders, removed: list[Any]) -> dict[int, Any]:
    """What is removed, by id, with all members that nobody else has."""
    going = {id(each): each for each in removed}
    for owner in owners:
        for children in _touched(entities[type(owner)], owner):
            for member in _taken_out(children, owner):
                if id(member) in holders:
                    continue
                home = _home(children, owner, member)
                if home is None or owner_of(home) is not unit or id(home) in going:
                    going[id(member)] = member
    reached = list(going.values())
    for owner in reached:
        for children in entities[type(owner)].children:
            for member in (*children.members(owner), *_taken_out(children, owner)):
                if id(member) in going:
                    continue
                has_stayed = _last_owner(children, owner, member) is owner  # nobody has to look for it
                home = None if has_stayed else _home(children, owner, member)
                has_moved = home is not None and owner_of(home) is unit and id(home) not in going
                if not has_moved and all(holder in going for holder in holders.get(id(member), ())):
                    going[id(member)] = member
                    reached.append(member)
    return going


def _keep_only(entity: EntityPlan, owner: Any, going: dict[int, Any]) -> None:
    """Let an owner that goes have none of those that stay, for the ORM would remove them with it."""
    for children in entity.children:
        members = children.members(owner)
        if not all(id(each) in going for each in members):
            # Noted as a change: where the removal is undone, it is undone too.
            noted = _attribute(children, owner), LoaderCallableStatus.NO_VALUE, children.is_collection
            note_change(_state(owner), instance_dict(owner), *noted)
            put_members(owner, children, [each for each in members if id(each) in going])


def _keep_members(unit: Unit, entity: EntityPlan, owner: Any) -> None:
    for children in _touched(entity, owner):
        members = children.members(owner)
        staying = [each for each in members if not _has_moved(unit, children, owner, each)]
        if len(staying) < len(members):
            put_members(owner, children, staying)
        for member in staying:
            plan = children.entity.of(member)
            if owner_of(member) not in (None, unit):
                foreign(plan, member)  # it went there after it was taken out here
            last = _last_owner(children, owner, member)
            if last is not owner and last is not UNKNOWN:
                _attribute(children, owner).sethasparent(_state(member), _state(owner), True)
                clear_orphaned(_state(member))
                if children.owner_attribute is not None:
                    instance_dict(member)[children.owner_attribute] = owner
            if owner_of(member) is None:
                unit.attach(plan, member)
            _keep_members(unit, plan, member)


def _has_moved(unit: Unit, children: ChildrenPlan, owner: Any, member: Any) -> bool:
    """Has another owner of this unit got the member after this one, and has it still?"""
    if _last_owner(children, owner, member) is owner:
        return False  # most are where they came to; nobody has to look for them
    home = _home(children, owner, member)
    return home is not None and home is not owner and owner_of(home) is unit


def _home(children: ChildrenPlan, owner: Any, member: Any) -> Any:
    """Who was the last to get this member into such a collection, if it is in it now; else None."""
    last = _last_owner(children, owner, member)
    if last is None or last is UNKNOWN or not any(each is member for each in children.members(last)):
        return None
    return last


def _last_owner(children: ChildrenPlan, owner: Any, member: Any) -> Any:
    """Who was the last to get this member into such a collection; None if it was taken out since."""
    noted = _state(member).parents.get(id(_attribute(children, owner).parent_token), UNKNOWN)
    return noted if noted is UNKNOWN else noted.obj() if noted else None


def _attribute(children: ChildrenPlan, owner: Any) -> Any:
    return _state(owner).manager[children.attribute].impl


def _touched(entity: EntityPlan, owner: Any) -> Iterator[ChildrenPlan]:
    """The collections to which something has come, or from which something has gone."""
    assigned = _state(owner).committed_state
    return (children for children in entity.children if children.attribute in assigned)


def _taken_out(children: ChildrenPlan, owner: Any) -> Iterator[Any]:
    return (each for each in get_history(owner, children.attribute).deleted or () if each is not None)


def _state(instance: Any) -> Any:
    return instance_state(instance)
