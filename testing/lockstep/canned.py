"""What is rare by chance, and tells much.

A value that is spoiled, one that is passed on, a block that begins early, one that is undone before work goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cast import Role, Values
from .source import Expression, source
from .steps import Poke, Step

if TYPE_CHECKING:
    from .player import Player

__all__ = ["EarlyNest", "Regret", "Spoil", "Succeed"]


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
class EarlyNest(Step):
    """A block begins before its unit has read anything; another unit stores something; then the unit reads."""

    unit: int
    role: Role
    change: Step

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if player.settle(self.unit, "commit"):
            player.play(f"nest({unit})")
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
