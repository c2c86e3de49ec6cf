"""Turns steps into lines: finds the objects that they speak of, and cleans up after errors as a caller would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm.attributes import instance_state

from ...adapters.objects.ownership import owner_of
from ...adapters.plan.entities import EntityPlan
from .cast import GUESSED, Cast, KeyOf, Role, Values
from .referee import Referee
from .side import Outcome
from .source import Expression, call
from .steps import Step

__all__ = ["Player"]


class Player:
    """Plays the steps of one program."""

    def __init__(self, referee: Referee, cast: Cast) -> None:
        self.referee = referee
        self.cast = cast
        self._lists = 0

    def perform(self, steps: list[Step]) -> None:
        """Play them all, then commit and leave every unit."""
        for step in steps:
            if not self.referee.is_over:
                step.play(self)
        for number in range(len(self.referee.workspaces)):
            if self.is_open(number) and not self.referee.is_over:
                self.settle(number, "commit")
                self.play(f"leave(u{number})")

    def play(self, line: str) -> bool:
        """Play a line; after an error leave the unit in a state that can be used. True if it ended well."""
        if self.referee.is_over:
            return False
        outcome = self.referee.play(line)
        if outcome.error is not None:
            self._clean_up(line)
        return outcome.error is None

    def settle(self, number: int, how: str) -> bool:
        """Flush, commit or roll back a unit; what stands around it is ended first."""
        while how != "flush" and self.depth(number):
            self.play(f"unnest(u{number})")
        # Where stores may differ in a race, they do so before anything is committed.
        if how == "commit" and not self.referee.agreement.alone and not self.settle(number, "flush"):
            return False
        return self.is_open(number) and self.play(f"u{number}.{how}()")

    def _clean_up(self, line: str) -> None:
        number = next((number for number in range(len(self.referee.workspaces)) if f"u{number}" in line), None)
        if number is None or not self.is_open(number) or line.startswith("enter") or self.referee.is_over:
            return
        if self._ends_well(f"u{number}.flush()"):
            return
        if self.depth(number):
            self.referee.play(f"unnest(u{number}, Undo())")
            if self.referee.workspaces[number].crashed:  # no block around it is of any use either
                self._clean_up(line)
        elif len(self.referee.lines) % 3:
            self.referee.play(f"u{number}.rollback()")
        else:
            self.referee.play(f"leave(u{number}, Undo())")

    def _ends_well(self, line: str) -> bool:
        outcome: Outcome = self.referee.play(line)
        return outcome.error is None

    @property
    def is_over(self) -> bool:
        """The stores have parted ways, and both were right."""
        return self.referee.is_over

    # Units

    def unit_name(self, number: int) -> str:
        return f"u{number}"

    def is_open(self, number: int) -> bool:
        return self.referee.workspaces[number].is_open

    def depth(self, number: int) -> int:
        return self.referee.workspaces[number].depth

    def entered(self, number: int) -> str:
        """The name of a unit that is open; entered now, if it was not."""
        if not self.is_open(number):
            self.play(f"enter(u{number})")
        return f"u{number}"

    # Objects

    def fresh(self) -> str:
        """The name of the next object."""
        return self.referee.memory.next_name()

    def fresh_list(self, kind: str = "found") -> str:
        """The name of the next list, page or stream."""
        self._lists += 1
        return f"{kind}_{self._lists}"

    def make(self, unit: int, role: Role, values: Values) -> str | None:
        """A new object, and its name; None if its class refuses to be made."""
        name = self.fresh()
        return name if self.play(f"{name} = {self._new(unit, role, values)}") else None

    def _new(self, unit: int, role: Role, values: Values) -> str:
        resolved = self.resolved(unit, values)
        if role.given is not None:
            return call(role.name, **resolved)
        for children in role.children:
            if children.attribute in values:
                member = self.cast.roles[children.entity.cls.__name__]
                made = [Expression(self._new(unit, member, each)) for each in values[children.attribute]]
                resolved[children.attribute] = made
        return call("new", Expression(role.name), **resolved)

    def join_members(self, name: str | None, number: int | None) -> None:
        """Join members of a new aggregate to one of its others, where the class has links; *number* says which."""
        if name is None or number is None:
            return
        places = list(self._places(name))
        for path, entity in places:
            for links in entity.links:
                members = [each for each, kind in places if links.entity.covers(kind)]
                if members:
                    self.play(f"{path}.{links.attribute}.append({members[number % len(members)]})")

    def _places(self, path: str) -> Iterator[tuple[str, EntityPlan]]:
        """(path, class) of an object and of all its members in lists."""
        entity = self.referee.stage.schema.entities[type(self.value_of(path))]
        yield path, entity
        for children in entity.children:
            members = self.value_of(f"{path}.{children.attribute}") if children.is_collection else ()
            for number in range(len(members) if isinstance(members, list) else 0):
                yield from self._places(f"{path}.{children.attribute}[{number}]")

    def resolved(self, unit: int, values: Values) -> Values:
        """The values, with keys of objects put in."""
        return {name: self._key_part(unit, each) if isinstance(each, KeyOf) else each for name, each in values.items()}

    def _key_part(self, unit: int, wanted: KeyOf) -> Any:
        role = self.cast.roles[wanted.entity]
        candidates = self._candidates(unit, role)
        if not candidates or wanted.pick >= GUESSED:
            return wanted.otherwise
        return Expression(f"{candidates[wanted.pick % len(candidates)]}.{role.entity.key_attributes[wanted.part]}")

    def pick(self, unit: int, role: Role | None, number: int) -> str | None:
        """An object of the unit: any, or one of a class. What a repository has is fetched if nothing is at hand."""
        if not (found := self._candidates(unit, role)) and role is not None and role.repository and self.is_open(unit):
            self.play(f"{self.fresh_list()} = u{unit}.{role.repository}.all()")
            found = self._candidates(unit, role)
        return found[number % len(found)] if found else None

    def has(self, unit: int, role: Role, name: str) -> bool:
        """Does the object belong to the unit, still?"""
        return name in self._candidates(unit, role)

    def pick_sibling(self, unit: int, name: str, role: Role, number: int) -> str | None:
        """An object of this class, of the aggregate that another object belongs to; of any one if there is none."""
        memory = self.referee.memory
        instance = memory.namespace[name]
        found = self._candidates(unit, role)
        for root in self._candidates(unit, None):
            tree = [id(each) for each in self.role_of(root).entity.tree(memory.namespace[root])]
            if self.role_of(root).entity.is_root and id(instance) in tree:
                found = [each for each in found if id(memory.namespace[each]) in tree] or found
        return found[number % len(found)] if found else None

    def pick_unowned(self, number: int) -> str | None:
        return _pick(sorted(self.referee.unowned), number)

    def pick_finished(self, number: int) -> str | None:
        return _pick(sorted(self.referee.finished), number)

    def pick_foreign(self, unit: int, number: int) -> str | None:
        others = [name for other, each in enumerate(self.referee.workspaces) if other != unit for name in each.objects]
        elsewhere = [*self.referee.finished, *self.referee.unowned, *self.referee.stale]
        known = [name for name in elsewhere if name in self.referee.memory.namespace]
        return _pick([*sorted(known), *others], number)

    def repository_of(self, name: str) -> str | None:
        return self.cast.roles[self.referee.memory.entity_name(name)].repository

    def key_of(self, name: str) -> str:
        parts = [f"{name}.{each}" for each in self.role_of(name).entity.key_attributes]
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    def is_known(self, name: str) -> bool:
        """Is there an object of this name?"""
        return self.referee.memory.namespace.get(name) is not None

    def is_deleted(self, name: str) -> bool:
        """Has its row been deleted, or has it been removed before it had one?"""
        instance = self.referee.memory.namespace[name]
        return bool(instance_state(instance).was_deleted) or owner_of(instance) is None

    def role_of(self, name: str) -> Role:
        """What an object is."""
        return self.cast.roles[self.referee.memory.entity_name(name)]

    def _candidates(self, unit: int, role: Role | None) -> list[str]:
        return [
            name
            for name in self.referee.live(unit)
            if name in self.referee.memory.namespace and (role is None or role.entity.covers(self.role_of(name).entity))
        ]

    # Values, as the fake has them

    def value_of(self, path: str) -> Any:
        return eval(path, self.referee.memory.namespace)  # our own words

    def length(self, path: str) -> int:
        found = self.value_of(path)
        return len(found) if found is not None and hasattr(found, "__len__") else 0

    def inside(self, path: str) -> str | None:
        """The path of something mutable inside of a JSON value."""
        value = self.value_of(path)
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return next((f"{path}[{key!r}]" for key, each in pairs if isinstance(each, dict | list)), None)


def _pick(names: list[str], number: int) -> str | None:
    return names[number % len(names)] if names else None
