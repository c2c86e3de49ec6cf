"""Which unit of work an object belongs to. The same bookkeeping on every store.

An object belongs to the unit that has loaded or added it, also after that unit has ended; one that was
just made, or whose adding was rolled back, belongs to none. The note stands beside the ORM's own, on the
object's `InstanceState`.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.orm.attributes import get_history, instance_state

from ...domain.errors import HonestworkError
from ..internals import clear_orphaned
from ..plan.entities import EntityPlan, MembersPlan
from .refusals import already_removed, copied, foreign, not_a_member

__all__ = ["NOBODY", "Unit", "owner_of", "require_own", "set_owner", "watch_members"]


class Unit(Protocol):
    """What a session does for its objects."""

    def attach(self, entity: EntityPlan, member: Any) -> None:
        """A new object has come to an aggregate of this unit."""

    def member_left(self, member: Any) -> None:
        """An object, or the None that stood for it, has gone from an aggregate of this unit."""

    def has(self, member: Any) -> bool:
        """Has the unit loaded or stored this object, and not forgotten it since?"""
        ...

    def remove_orphan(self, member: Any) -> None:
        """No owner has this member any more."""

    def fail(self) -> None:
        """Something was done halfway: only a rollback can follow."""


class _Nobody:
    """The owner of what was read from a stream: no unit stores it."""

    def attach(self, entity: EntityPlan, member: Any) -> None:
        """What comes to such an object is not stored either."""

    def member_left(self, member: Any) -> None:
        """Nor was what goes from it."""

    def has(self, member: Any) -> bool:
        """Whatever was read from a stream."""
        return True

    def remove_orphan(self, member: Any) -> None:
        """It has no row to be removed."""

    def fail(self) -> None:
        """There is nothing to be stored."""


NOBODY = _Nobody()


def owner_of(instance: object) -> Unit | None:
    """The unit that an object belongs to."""
    owner: Unit | None = instance_state(instance).__dict__.get("honestwork_owner")
    return owner


def set_owner(instance: object, owner: Unit | None) -> None:
    """Note which unit an object belongs to."""
    instance_state(instance).__dict__["honestwork_owner"] = owner


def require_own(entity: EntityPlan, aggregate: object, unit: Unit) -> None:
    """Raises ForeignObject if the object or a member belongs to another unit, AlreadyRemoved if its row is deleted."""
    if owner_of(aggregate) not in (None, unit):
        foreign(entity, aggregate)
    if instance_state(aggregate).was_deleted:
        already_removed(entity, aggregate)
    for children in entity.children:
        for member in children.members(aggregate):
            require_own(children.entity.of(member), member, unit)


def watch_members(owning: EntityPlan, members: MembersPlan) -> None:
    """From now on tell the owner's unit of each object that comes to this attribute, or goes from it."""

    def require_welcome(owner: object, member: Any) -> Unit | None:
        """Return the owner's unit. Raises what speaks against this member: BadValue, ForeignObject, AlreadyRemoved."""
        if not (isinstance(member, members.entity.cls) and members.entity.knows(member)):
            not_a_member(owning, members, member)
        unit, state = owner_of(owner), instance_state(member)
        if state.obj() is not member:
            copied(members.entity, member)
        if unit is None:
            return None
        entity = members.entity.of(member)
        require_own(entity, member, unit)
        if owner_of(member) is None and state.key is not None:
            copied(entity, member)  # by pickle, or by copy.deepcopy
        if state.key is not None and not unit.has(member):
            foreign(entity, member)  # it is from a transaction that was undone
        return unit

    def arrived(owner: object, member: Any, *_: Any) -> None:
        try:
            unit = require_welcome(owner, member)
        except HonestworkError:
            unit = owner_of(owner)
            # One of several members may be refused, as by extend(), when others have come or gone already.
            if unit is not None and get_history(owner, members.attribute).has_changes():
                unit.fail()
            raise
        state = instance_state(member)
        if state.key is not None:
            # The ORM asks a stored member's last owner when others let go of it, and gives up where that is garbage.
            state.__dict__["honestwork_last_owner"] = owner
        if unit is not None and owner_of(member) is None:
            clear_orphaned(state)  # as the ORM does where it has a session
            unit.attach(members.entity.of(member), member)

    def assigned(owner: object, found: list[Any], *_: Any) -> None:
        """All of a new collection is looked at before the old one goes, so that a refusal leaves the old one."""
        for member in found:
            require_welcome(owner, member)

    def parted(owner: object, member: Any, *_: Any) -> None:
        if (unit := owner_of(owner)) is not None:
            unit.member_left(member)

    def replaced(owner: object, member: Any, before: Any, *_: Any) -> None:
        if member is not None:
            arrived(owner, member)
        if before is not member:
            parted(owner, before)

    attribute = getattr(owning.cls, members.attribute)
    coming: dict[str, Any] = {"set": replaced}
    if members.is_collection:
        _hear_of_unions(type(attribute.impl.collection_factory()))
        # `append_wo_mutation` tells of what was there before.
        coming = {"append": arrived, "append_wo_mutation": arrived, "bulk_replace": assigned}
    for heard, listener in coming.items():
        event.listen(attribute, heard, listener)
        # The ORM's own listener puts the object into its session. A stranger has to be refused before that.
        getattr(attribute.impl.dispatch, heard).listeners.rotate(1)
    event.listen(attribute, "remove", parted)


def _hear_of_unions(collection: Any) -> None:
    """Let `lines |= {"lamp": Line("lamp")}` do what update() does: of a dict, the ORM does not hear of it."""

    def union(self: Any, others: Any) -> Any:
        self.update(others)
        return self

    if issubclass(collection, dict) and collection.__ior__ is dict.__ior__:
        collection.__ior__ = union
