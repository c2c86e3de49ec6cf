"""What is rare by chance, and tells much.

A value that is spoiled, one that is passed on; a unit or a block that begins early, a block that is undone before work
goes on; a unit that others overtake more than once, one that refers to what comes and goes, and one to what is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...adapters.plan.tables import Reference
from .cast import Role, Values
from .source import Expression, source
from .steps import Poke, Step

if TYPE_CHECKING:
    from .player import Player

__all__ = ["Early", "Overtaken", "Refer", "ReferAstray", "Regret", "Spoil", "Succeed"]


@dataclass(frozen=True)
class Spoil(Step):
    """A unit changes JSON in place and stores nothing; the next one reads what is stored."""

    unit: int
    role: Role
    poke: Poke

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        if player.settle(self.unit, "commit"):
            player.play(f"leave(u{self.unit})")
            self._read(player)
            self.poke.play(player)
            player.play(f"leave(u{self.unit}, Undo())")
            self._read(player)

    def _read(self, player: Player) -> None:
        unit = player.entered(self.unit)
        player.play(f"{player.fresh_list()} = {unit}.{self.role.repository}.all()")


@dataclass(frozen=True)
class Succeed(Step):
    """A new aggregate gets the value that another one gives up in the same flush."""

    unit: int
    role: Role
    pick: int
    attribute: str
    given: Any
    values: Values

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if (name := player.pick(self.unit, self.role, self.pick)) is None:
            return
        place = f"{name}.{self.attribute}"
        heir = player.make(self.unit, self.role, {**self.values, self.attribute: Expression(place)})
        if heir is not None:
            player.play(f"{place} = {source(self.given)}")
            player.play(f"{unit}.{self.role.repository}.add({heir})")
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Early(Step):
    """A unit, or a block in it, begins before anything is read; another unit stores something; then the unit reads."""

    unit: int
    role: Role
    begins: Literal["unit", "block"]
    change: Step

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if not player.settle(self.unit, "commit"):
            return
        if self.begins == "block":
            player.play(f"nest({unit})")
        else:
            player.play(f"leave({unit})")
            player.entered(self.unit)
        self.change.play(player)
        player.settle(self.change.unit, "commit")
        player.play(f"{player.fresh_list()} = {player.entered(self.unit)}.{self.role.repository}.all()")


@dataclass(frozen=True)
class Regret(Step):
    """A block changes a few things and is undone; then the same unit changes some, and stores them."""

    unit: int
    inside: tuple[Step, ...]
    after: tuple[Step, ...]

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if not player.play(f"nest({unit})"):
            return
        depth = player.depth(self.unit)
        for step in self.inside:
            step.play(player)
        if player.is_open(self.unit) and player.depth(self.unit) == depth:  # an error has not undone it already
            player.play(f"unnest({unit}, Undo())")
        for step in self.after:
            step.play(player)
        player.settle(self.unit, "commit")


@dataclass(frozen=True)
class Overtaken(Step):
    """A unit has begun to read; another one commits change after change; the unit reads on, as of its beginning."""

    unit: int
    role: Role
    changes: tuple[Step, ...]

    def play(self, player: Player) -> None:
        _begin(player, self.unit, self.role)
        for change in self.changes:
            change.play(player)
            player.settle(change.unit, "commit")
        if player.is_open(self.unit):
            player.play(f"{player.fresh_list()} = u{self.unit}.{self.role.repository}.all()")


@dataclass(frozen=True)
class Refer(Step):
    """A unit refers to what another one has stored since the unit began, or has removed, or is going to remove."""

    unit: int
    other: int
    role: Role
    values: Values
    reference: Reference
    target: Values
    when: Literal["stored", "removed", "going"]

    def play(self, player: Player) -> None:
        target, places = self.role.referred(self.reference)
        if self.when == "stored":
            _begin(player, self.unit, target)
        repository = f"{player.entered(self.other)}.{target.repository}"
        name = player.make(self.other, target, self.target)
        if name is None or not player.play(f"{repository}.add({name})") or not player.settle(self.other, "commit"):
            return
        if self.when != "stored":
            _begin(player, self.unit, target)
        if self.when == "removed":
            player.play(f"{repository}.remove({name})")
            player.settle(self.other, "commit")
        key = {attribute: Expression(f"{name}.{target.entity.key_attributes[part]}") for attribute, part in places}
        referring = player.make(self.unit, self.role, {**self.values, **key})
        if referring is not None:
            player.play(f"{player.entered(self.unit)}.{self.role.repository}.add({referring})")
            player.settle(self.unit, "flush")
        if self.when == "going" and player.has(self.other, target, name):
            player.play(f"{repository}.remove({name})")
            player.settle(self.other, "commit")
        player.settle(self.unit, "commit")


@dataclass(frozen=True)
class ReferAstray(Step):
    """An aggregate that refers to another one comes to refer to a row that is not there."""

    unit: int
    role: Role
    reference: Reference
    targets: tuple[Values, ...]  # of which the first that can be stored is
    values: tuple[Values, ...]  # likewise
    astray: Values

    def play(self, player: Player) -> None:
        target, places = self.role.referred(self.reference)
        if (there := self._stored(player, target, self.targets)) is None:
            return
        key = {attribute: Expression(f"{there}.{target.entity.key_attributes[part]}") for attribute, part in places}
        referring = self._stored(player, self.role, [{**values, **key} for values in self.values])
        if referring is not None:
            for attribute, value in player.resolved(self.unit, self.astray).items():
                player.play(f"{referring}.{attribute} = {source(value)}")
            player.settle(self.unit, "commit")

    def _stored(self, player: Player, role: Role, tries: Sequence[Values]) -> str | None:
        """The name of a new aggregate that is stored, if any of these values can be."""
        for values in tries:
            repository = f"{player.entered(self.unit)}.{role.repository}"
            name = player.make(self.unit, role, values)
            if name is not None and player.play(f"{repository}.add({name})") and player.settle(self.unit, "commit"):
                return name
        return None


def _begin(player: Player, unit: int, role: Role) -> None:
    """A transaction of the unit begins, and sees what is there now."""
    player.entered(unit)
    player.settle(unit, "commit")
    player.play(f"len({player.entered(unit)}.{role.repository})")
