"""Steps that ask in Python: rules, orders, pages, streams, projections, and removals by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cast import Role, Values
from .source import Expression, call
from .steps import Collect, Link, Step

if TYPE_CHECKING:
    from .player import Player

__all__ = ["AddMany", "Ask", "Drain", "RemoveWhere", "Turn"]


@dataclass(frozen=True)
class Ask(Step):
    """Ask a repository by a rule: for objects, for one, for their number, for what a projection makes of them."""

    unit: int
    role: Role
    how: str
    rule: str
    order: str | None
    columns: str
    limit: int | None
    offset: int

    def play(self, player: Player) -> None:
        repository = f"{player.entered(self.unit)}.{self.role.repository}"
        rule, given = Expression(self.rule), _given(order_by=self.order, limit=self.limit)
        match self.how:
            case "find":
                options = given | ({"offset": self.offset} if self.offset else {})
                player.play(f"{player.fresh_list()} = {call(f'{repository}.find', rule, **options)}")
            case "all":
                player.play(f"{player.fresh_list()} = {call(f'{repository}.all', **_given(order_by=self.order))}")
            case "first":
                options = _given(order_by=self.order)
                player.play(f"{player.fresh()} = {call(f'{repository}.first', rule, **options)}")
            case "one":
                player.play(f"{player.fresh()} = {call(f'{repository}.one', rule)}")
            case "count" | "exists":
                player.play(call(f"{repository}.{self.how}", rule))
            case "select":
                player.play(call(f"{repository}.select", Expression(self.columns), rule, **given))


@dataclass(frozen=True)
class Turn(Step):
    """Turn the pages of a result, to the last one or until there were three; perhaps change something in between."""

    unit: int
    role: Role
    rule: str
    order: str | None
    limit: int
    between: Step | None

    def play(self, player: Player) -> None:
        repository = f"{player.entered(self.unit)}.{self.role.repository}"
        options: dict[str, Any] = _given(order_by=self.order, limit=self.limit)
        for _ in range(3):
            page = player.fresh_list("page")
            if not player.play(f"{page} = {call(f'{repository}.page', Expression(self.rule), **options)}"):
                return
            if player.is_over or player.value_of(f"{page}.next") is None:
                return
            options["after"] = Expression(f"{page}.next")
            if self.between is not None:
                self.between.play(player)
                if not player.is_open(self.unit):
                    return


@dataclass(frozen=True)
class Drain(Step):
    """Read a stream, or a part of it. A transaction may end in between; what was read may change, for nobody."""

    unit: int
    role: Role
    rule: str
    order: str | None
    ending: str | None
    change: Collect | Link | None = None

    def play(self, player: Player) -> None:
        repository = f"{player.entered(self.unit)}.{self.role.repository}"
        stream = player.fresh_list("stream")
        if not player.play(
            f"{stream} = {call(f'{repository}.stream', Expression(self.rule), **_given(order_by=self.order))}"
        ):
            return
        name = player.fresh()
        found = player.play(f"{player.fresh_list()} = take({stream}, 1)") and player.is_known(name)
        if self.ending is not None:
            player.settle(self.unit, self.ending)
        player.play(f"{player.fresh_list()} = take({stream}, 9)")
        if found and self.change is not None and player.is_known(name) and player.is_open(self.unit):
            self._change(player, self.change, name)

    def _change(self, player: Player, change: Collect | Link, name: str) -> None:
        if change.role.entity.covers(player.role_of(name).entity):
            change.on(player, name)
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class RemoveWhere(Step):
    """Remove whatever satisfies a rule."""

    unit: int
    role: Role
    rule: str
    flush: bool = False

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        player.play(call(f"{unit}.{self.role.repository}.remove_where", Expression(self.rule)))
        if self.flush:
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class AddMany(Step):
    """Add several new aggregates at once; one of them may be one that is there already."""

    unit: int
    role: Role
    values: tuple[Values, ...]
    known: int | None

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        names = [player.make(self.unit, self.role, each) for each in self.values]
        if self.known is not None:
            names.append(player.pick(self.unit, self.role, self.known))
        given = [Expression(name) for name in names if name is not None]
        player.play(call(f"{unit}.{self.role.repository}.add_many", given))
        player.settle(self.unit, "flush")


def _given(*, order_by: str | None, **options: Any) -> dict[str, Any]:
    found = {name: value for name, value in options.items() if value is not None}
    return found if order_by is None else {"order_by": Expression(order_by), **found}
