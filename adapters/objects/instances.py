"""Objects made as the ORM makes them when it loads.

A mapped class is instrumented by SQLAlchemy: its objects carry an `InstanceState` that records which attributes were
assigned and which collections changed. Objects are made here with the same state, so that everything a domain object
can notice is as with the ORM: an attribute that was never set reads None, a list is an instrumented list, `__init__`
does not run. The ORM's own loader is far more general; measured, it takes three times as long for a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.attributes import init_collection, instance_dict, instance_state, set_committed_value
from sqlalchemy.orm.collections import collection_adapter

from ..internals import commit_all
from ..plan.entities import ChildrenPlan, EntityPlan, MembersPlan
from ..plan.tables import Key

__all__ = [
    "Given",
    "as_stored",
    "blank",
    "complete_members",
    "fill",
    "give_back",
    "has_members",
    "identity",
    "link_once",
    "put_members",
    "set_children",
    "set_members",
    "stored_key",
    "stored_order",
]


def blank(entity: EntityPlan) -> Any:
    """A new object of the class, without running `__init__`."""
    return entity.mapper.class_manager.new_instance()


def identity(entity: EntityPlan, key: Key) -> Any:
    """What the ORM calls the identity key."""
    return (entity.identity_class, key if isinstance(key, tuple) else (key,), None)


def stored_key(instance: object) -> Key:
    """The key of the row that an object stands for, also where the ORM has made it forget all that it has."""
    key: Any = instance_state(instance).key
    return key[1] if len(key[1]) > 1 else key[1][0]


def stored_order(instance: object) -> Any:
    """Sorts objects that stand for rows, in the same order on every store."""
    key: Any = instance_state(instance).key
    return key[0].__name__, key[1]


def fill(entity: EntityPlan, instance: Any, values: Sequence[Any]) -> None:
    """Give an object its values, as if it had just been loaded.

    They are in the order of the entity's fields; what a statement has selected beyond them is passed over.
    """
    own = instance_dict(instance)
    for name in entity.values:
        own.pop(name, None)  # a value object is made again from its columns
    entity.fill(own, values)


def set_members(instance: Any, attribute: str, members: Any) -> None:
    """Give an object its members, or its owner, as if they had just been loaded."""
    set_committed_value(instance, attribute, members)


def has_members(owner: Any, plan: MembersPlan, found: list[Any]) -> bool:
    """Return whether an owner has these members, in this order, and nothing is noted of a change to them."""
    if plan.attribute not in instance_dict(owner) or plan.attribute in instance_state(owner).committed_state:
        return False
    return [*map(id, plan.members(owner))] == [*map(id, found)]


def set_children(owner: Any, children: ChildrenPlan, found: list[Any]) -> None:
    """Give an owner its children, and them their owner, as if all had just been loaded."""
    if not has_members(owner, children, found):  # else whoever holds the collection goes on with it
        set_members(owner, children.attribute, found if children.is_collection else next(iter(found), None))
    for child in found:
        instance_state(child).__dict__.pop("parents", None)  # no orphan, whatever it was before a block was undone
        if children.owner_attribute is not None:
            set_members(child, children.owner_attribute, owner)


def complete_members(entity: EntityPlan, instance: Any) -> None:
    """What is stored has no other members than it was given: nothing is left to be loaded later."""
    if not (entity.children or entity.links):
        return
    values = instance_dict(instance)
    for members in entity.relations:
        if members.attribute in values:
            continue
        if members.is_collection:
            init_collection(instance, members.attribute)
        else:
            values[members.attribute] = None


def as_stored(entity: EntityPlan, instance: object, documents: Mapping[str, Any]) -> dict[str, Any]:
    """What an object had when it was last loaded or stored, with its JSON *documents* as its row holds them."""
    state = instance_state(instance)
    assigned: dict[str, Any] = state.committed_state  # what was assigned since, with what it had before
    values = {name: value for name, value in instance_dict(instance).items() if name in state.manager}
    for members in entity.relations:
        if members.is_collection and members.attribute in values:
            values[members.attribute] = members.members(instance)  # the collection itself may go on changing
    values.update((name, value) for name, value in assigned.items() if value is not LoaderCallableStatus.NO_VALUE)
    for attribute, each in entity.documents:
        if attribute in documents:
            values[attribute] = each.column.decoded(documents[attribute])
    return values


def give_back(entity: EntityPlan, instance: object, stored: dict[str, Any]) -> None:
    """Undo what was done to an object that has no row any more from which it could be loaded again."""
    own, state = instance_dict(instance), instance_state(instance)
    for name in state.manager:
        own.pop(name, None)
    own.update((name, value) for name, value in stored.items() if name not in entity.values)
    for members in entity.relations:
        if members.is_collection and members.attribute in stored:
            set_members(instance, members.attribute, own.pop(members.attribute))
    state.expired_attributes.clear()
    commit_all(state, own)


def link_once(entity: EntityPlan, instance: Any) -> None:
    """A member that has come to a collection of links again is linked once: the ORM would part it as often."""
    for links in entity.links:
        members = links.members(instance)
        if len(members) > 1 and len(once := {id(each): each for each in members}) < len(members):
            put_members(instance, links, once.values())


def put_members(owner: Any, plan: MembersPlan, found: Iterable[Any]) -> None:
    """Let an owner have no other members than these, of those that it has, and tell nobody."""
    values = instance_dict(owner)
    if not plan.is_collection:
        values[plan.attribute] = next(iter(found), None)
        return
    held = values[plan.attribute]
    if isinstance(held, dict):  # by keys that the members may have changed since
        staying = {id(each) for each in found}
        for key in [key for key, each in held.items() if id(each) not in staying]:
            dict.__delitem__(held, key)
        return
    collection = collection_adapter(held)
    collection.clear_without_event()
    for member in found:
        collection.append_without_event(member)


class Given:
    """What new objects had before a flush, so that what a failing flush has given them can be taken back."""

    def __init__(self, instances: Iterable[object]) -> None:
        self._had = [(values, values.copy()) for values in map(instance_dict, instances)]

    def take_back(self) -> None:
        """Keys, defaults, the keys of owners: an object whose row was never written has none of them."""
        for values, before in self._had:
            for name in values.keys() - before:
                del values[name]
            values.update(before)  # also where None stood for what was to come
