"""Objects that a repository does not take, and why. The same words on every store."""

from __future__ import annotations

from typing import Any, NoReturn

from ...domain.errors import AlreadyRemoved, BadValue, ForeignObject, NotInUnit
from ..plan.entities import EntityPlan, MembersPlan

__all__ = ["already_removed", "copied", "foreign", "not_a_member", "not_an_aggregate", "not_in_unit"]


def not_an_aggregate(entity: EntityPlan, candidate: Any) -> None:
    """Raises BadValue unless the object is of the class that the repository serves, or of a subclass that is mapped."""
    if not isinstance(candidate, entity.cls):
        raise BadValue(
            f"a repository of {entity.name} takes a {entity.name}, not {type(candidate).__name__}", value=candidate
        )
    if not entity.knows(candidate):
        raise _unmapped(entity, candidate)


def _unmapped(entity: EntityPlan, candidate: Any) -> BadValue:
    name = type(candidate).__name__
    return BadValue(f"{name} is a subclass of {entity.name} that is not mapped: map it too, with inherits=", value=name)


def not_a_member(owning: EntityPlan, members: MembersPlan, candidate: Any) -> NoReturn:
    if isinstance(candidate, members.entity.cls):
        raise _unmapped(members.entity, candidate)
    raise BadValue(
        f"{owning.name}.{members.attribute} holds {members.entity.name}, and cannot take {type(candidate).__name__}",
        attribute=f"{owning.table.name}.{members.attribute}",
        value=candidate,
    )


def foreign(entity: EntityPlan, aggregate: Any) -> NoReturn:
    raise ForeignObject(
        f"this {entity.name} belongs to another unit of work, or to one that has ended:"
        " fetch it by its key in this unit, and change what you fetched"
    )


def copied(entity: EntityPlan, copy: Any) -> NoReturn:
    raise ForeignObject(
        f"this {entity.name} is a copy of one that is stored, or shares with another what SQLAlchemy notes of it, as"
        f" copy.copy() makes it: make a new {entity.name}, by its class or by dataclasses.replace()"
    )


def already_removed(entity: EntityPlan, aggregate: Any) -> NoReturn:
    raise AlreadyRemoved(
        f"this {entity.name} was removed and its row is deleted: make a new {entity.name} to store it again; and fetch"
        " both aggregates first where a member is to move from one to the other, for to fetch stores what has changed"
    )


def not_in_unit(entity: EntityPlan, aggregate: Any) -> NoReturn:
    raise NotInUnit(f"this {entity.name} was never stored: remove one that was fetched or added in this unit")
