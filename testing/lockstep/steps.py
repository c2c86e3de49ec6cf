"""What a program does next. A step is drawn without knowing where the program stands: it finds its objects when played.

That is what makes programs shrink well: any step can be left out, and those that remain still mean something.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cast import Role, Values
from .source import Expression, call, source

if TYPE_CHECKING:
    from .player import Player

__all__ = [
    "Add",
    "AddAgain",
    "Change",
    "Collect",
    "Crash",
    "Enter",
    "Foreign",
    "Link",
    "Look",
    "Misuse",
    "Nest",
    "Note",
    "Poke",
    "Race",
    "Rearrange",
    "Remove",
    "Replace",
    "Scramble",
    "Settle",
    "Step",
    "Swap",
]


class Step(ABC):
    """One step of a program, in some unit of work."""

    unit: int

    @abstractmethod
    def play(self, player: Player) -> None:
        """Write the lines for it."""


@dataclass(frozen=True)
class Enter(Step):
    """Open a unit, to read only if so wished."""

    unit: int
    reading: bool

    def play(self, player: Player) -> None:
        unit = player.unit_name(self.unit)
        if not player.is_open(self.unit):
            player.play(f"enter({unit}, reading=True)" if self.reading else f"enter({unit})")


@dataclass(frozen=True)
class Settle(Step):
    """Flush, commit, roll back, leave: how a unit goes on or ends."""

    unit: int
    how: str

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if self.how.startswith("leave"):
            player.play(f"leave({unit}, Undo())" if self.how == "leave undone" else f"leave({unit})")
        else:
            player.settle(self.unit, self.how)


@dataclass(frozen=True)
class Nest(Step):
    """Begin or end a savepoint."""

    unit: int
    how: str

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if self.how == "begin":
            player.play(f"nest({unit})")
        elif player.depth(self.unit):
            player.play(f"unnest({unit}, Undo())" if self.how == "undo" else f"unnest({unit})")


@dataclass(frozen=True)
class Add(Step):
    """Make a new aggregate, with its children, and add it."""

    unit: int
    role: Role
    values: Values
    flush: bool = False
    links: int | None = None

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        name = player.make(self.unit, self.role, self.values)
        if name is not None:
            player.join_members(name, self.links)
            player.play(f"{unit}.{self.role.repository}.add({name})")
            if self.flush:
                player.settle(self.unit, "flush")


@dataclass(frozen=True)
class AddAgain(Step):
    """Add an object that was there already: still there, removed, or undone with its unit."""

    unit: int
    pick: int
    undone: bool

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        name = player.pick_unowned(self.pick) if self.undone else player.pick(self.unit, None, self.pick)
        if name is not None and (repository := player.repository_of(name)):
            player.play(f"{unit}.{repository}.add({name})")


@dataclass(frozen=True)
class Remove(Step):
    """Remove an aggregate."""

    unit: int
    role: Role
    pick: int
    flush: bool = False

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        if (name := player.pick(self.unit, self.role, self.pick)) is not None:
            player.play(f"{unit}.{self.role.repository}.remove({name})")
            if self.flush:
                player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Replace(Step):
    """Remove an aggregate and add another one with the same values, the key apart or the key as well."""

    unit: int
    role: Role
    pick: int
    values: Values
    same_key: bool
    add_first: bool = False

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        name = player.pick(self.unit, self.role, self.pick)
        if name is None or player.role_of(name) is not self.role:
            return
        copied = {
            each.name: Expression(f"{name}.{each.name}")
            for each in self.role.attributes
            if each.is_key == self.same_key
        }
        removal = f"{unit}.{self.role.repository}.remove({name})"
        if not self.add_first:
            player.play(removal)
        other = player.make(self.unit, self.role, {**self.values, **copied})
        if other is not None:
            player.play(f"{unit}.{self.role.repository}.add({other})")
        if self.add_first:
            player.play(removal)
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Look(Step):
    """Ask a repository."""

    unit: int
    role: Role
    how: str
    key: Any
    equal: Values
    pick: int

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        repository = f"{unit}.{self.role.repository}"
        equal = player.resolved(self.unit, self.equal)
        match self.how:
            case "get":
                player.play(f"{player.fresh()} = {call(f'{repository}.get', self.key)}")
            case "get known":
                if (name := player.pick(self.unit, self.role, self.pick)) is not None:
                    player.play(f"{player.fresh()} = {repository}.get({player.key_of(name)})")
            case "item":
                player.play(f"{player.fresh()} = {repository}[{source(self.key)}]")
            case "contains":
                player.play(f"{source(self.key)} in {repository}")
            case "all":
                player.play(f"{player.fresh_list()} = {repository}.all()")
            case "len":
                player.play(f"len({repository})")
            case "find_by":
                player.play(f"{player.fresh_list()} = {call(f'{repository}.find_by', **equal)}")
            case "count" | "exists":
                player.play(call(f"{repository}.{self.how}", **equal))
            case _:
                player.play(f"{player.fresh()} = {call(f'{repository}.{self.how}', **equal)}")


@dataclass(frozen=True)
class Change(Step):
    """Assign attributes of an object."""

    unit: int
    role: Role
    pick: int
    values: Values
    flush: bool = False

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        if (name := player.pick(self.unit, self.role, self.pick)) is None:
            return
        for attribute, value in player.resolved(self.unit, self.values).items():
            player.play(f"{name}.{attribute} = {source(value)}")
        if self.flush:
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Swap(Step):
    """Exchange an attribute of two objects; a constraint may see the moment in between."""

    unit: int
    role: Role
    picks: tuple[int, int]
    attribute: str

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        one, other = (player.pick(self.unit, self.role, pick) for pick in self.picks)
        if one is not None and other is not None:
            here, there = f"{one}.{self.attribute}", f"{other}.{self.attribute}"
            player.play(f"swapped = ({here}, {there})")
            player.play(f"{here} = swapped[1]")
            player.play(f"{there} = swapped[0]")


@dataclass(frozen=True)
class Collect(Step):
    """Change a collection of children: what lists can do, moves between owners, and new children."""

    unit: int
    role: Role
    pick: int
    children: str
    member: Role
    how: str
    values: Values
    other: int
    flush: bool = False

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        name = player.pick(self.unit, self.role, self.pick)
        if name is None or player.is_deleted(name):  # the ORM lets nobody touch the collections of a deleted object
            return
        self.on(player, name)

    def on(self, player: Player, name: str) -> None:
        """Change the collection of this object."""
        here = f"{name}.{self.children}"
        count = player.length(here)
        where = self.other % count if count else 0
        match self.how:
            case "append" | "insert" | "replace":
                made = player.make(self.unit, self.member, self.values)
                if made is not None:
                    how = {
                        "append": f"{here}.append({made})",
                        "insert": f"{here}.insert({where}, {made})",
                        "replace": f"{here} = [{made}, *{here}[1:]]",
                    }
                    player.play(how[self.how])
            case "pop" | "remove" | "change" | "append again" | "move" | "exchange" if not count:
                return
            case "pop":
                player.play(f"{here}.pop({where})")
            case "remove":
                player.play(f"{here}.remove({here}[{where}])")
            case "change":
                self._change(player, f"{here}[{where}]")
            case "append again":
                player.play(f"{here}.append({here}[{where}])")
            case "exchange":
                player.play(_exchange(here, where, (where + 1) % count))
            case "move":
                other = player.pick(self.unit, self.role, self.other)
                if other is not None and not player.is_deleted(other):
                    player.play(f"{other}.{self.children}.append({here}.pop({where}))")
            case "reverse" | "clear":
                player.play(f"{here}.{self.how}()")
            case "assign none":
                player.play(f"{here} = None")
            case "assign":
                player.play(f"{here} = list({here})[::-1]")
            case "assign a slice":
                player.play(f"{here}[{where}:] = {here}[::-1]")
        if self.flush:
            player.settle(self.unit, "flush")

    def _change(self, player: Player, path: str) -> None:
        for attribute, value in player.resolved(self.unit, self.values).items():
            if attribute in {each.name for each in self.member.changeable}:
                player.play(f"{path}.{attribute} = {source(value)}")
                return


def _exchange(path: str, one: int, other: int) -> str:
    return f"{path}[{one}], {path}[{other}] = {path}[{other}], {path}[{one}]"


@dataclass(frozen=True)
class Link(Step):
    """Join members of an aggregate to others of it, or part them."""

    unit: int
    role: Role
    pick: int
    links: str
    member: Role
    how: str
    other: int
    flush: bool = False

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        name = player.pick(self.unit, self.role, self.pick)
        if name is not None and not player.is_deleted(name):
            self.on(player, name)

    def on(self, player: Player, name: str) -> None:
        """Change the links of this object."""
        here = f"{name}.{self.links}"
        count = player.length(here)
        match self.how:
            case "append" | "assign":
                member = player.pick_sibling(self.unit, name, self.member, self.other)
                if member is not None:
                    player.play(f"{here}.append({member})" if self.how == "append" else f"{here} = [{member}]")
            case "pop" if count:
                player.play(f"{here}.pop({self.other % count})")
            case "append again" if count:
                player.play(f"{here}.append({here}[{self.other % count}])")
            case "exchange" if count:
                player.play(_exchange(here, self.other % count, (self.other + 1) % count))
            case "reverse" | "clear":
                player.play(f"{here}.{self.how}()")
        if self.flush:
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Crash(Step):
    """Cut the power, while units are at work; then one of them goes on, as if nothing had happened."""

    unit: int
    role: Role

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        player.play("crash()")
        player.play(f"{player.fresh_list()} = {unit}.{self.role.repository}.all()")


@dataclass(frozen=True)
class Rearrange(Step):
    """A new aggregate with members is committed, and then its collections change: rare by chance, and worth a look."""

    unit: int
    role: Role
    values: Values
    changes: tuple[Collect | Link, ...]
    links: int | None = None

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        name = player.make(self.unit, self.role, self.values)
        player.join_members(name, self.links)
        if name is None or not player.play(f"{unit}.{self.role.repository}.add({name})"):
            return
        if player.settle(self.unit, "commit"):
            for change in self.changes:
                if player.has(self.unit, self.role, name):  # an error may have undone the unit
                    change.on(player, name)
            player.settle(self.unit, "commit")


@dataclass(frozen=True)
class Poke(Step):
    """Change a JSON value in place, somewhere inside."""

    unit: int
    role: Role
    pick: int
    attribute: str
    deep: int
    value: Any

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        if (name := player.pick(self.unit, self.role, self.pick)) is None:
            return
        path = f"{name}.{self.attribute}"
        for _ in range(self.deep):
            inner = player.inside(path)
            if inner is None:
                break
            path = inner
        match player.value_of(path):
            case dict():
                player.play(f"{path}['z'] = {source(self.value)}")
            case list():
                player.play(f"{path}.append({source(self.value)})")


@dataclass(frozen=True)
class Note(Step):
    """Set an attribute that is not mapped: an object keeps it, as long as it is the same object."""

    unit: int
    pick: int
    value: int

    def play(self, player: Player) -> None:
        player.entered(self.unit)
        if (name := player.pick(self.unit, None, self.pick)) is not None:
            player.play(f"{name}.note = {self.value}")


@dataclass(frozen=True)
class Foreign(Step):
    """Give a repository an object that belongs elsewhere, or that nobody knows."""

    unit: int
    pick: int
    how: str

    def play(self, player: Player) -> None:
        unit = player.entered(self.unit)
        name = player.pick_foreign(self.unit, self.pick)
        if name is not None and (repository := player.repository_of(name)):
            player.play(f"{unit}.{repository}.{self.how}({name})")


@dataclass(frozen=True)
class Scramble(Step):
    """Change, in place, what can be reached from an object whose unit has ended: nobody else may notice."""

    unit: int
    pick: int

    def play(self, player: Player) -> None:
        if (name := player.pick_finished(self.pick)) is not None:
            player.play(f"scramble({name})")


@dataclass(frozen=True)
class Misuse(Step):
    """What no program should do, and what must be said to it."""

    unit: int
    role: Role
    pick: int
    how: str
    value: Any

    def play(self, player: Player) -> None:
        unit = player.unit_name(self.unit)
        match self.how:
            case "use closed" if not player.is_open(self.unit):
                player.play(f"len({unit}.{self.role.repository})")
                player.play(f"{unit}.commit()")
            case "enter twice" if player.is_open(self.unit):
                player.play(f"enter({unit})")
            case "commit inside" | "rollback inside":
                player.entered(self.unit)
                if player.depth(self.unit):
                    player.play(f"{unit}.{self.how.split()[0]}()")
            case "key" | "version":
                self._assign(player)
            case "wrong class":
                player.entered(self.unit)
                player.play(f"{unit}.{self.role.repository}.add('nobody')")
            case "unknown attribute":
                player.entered(self.unit)
                player.play(f"{unit}.{self.role.repository}.find_by(nobody=1)")
            case "forget":
                player.play("forget()")

    def _assign(self, player: Player) -> None:
        entity = self.role.entity
        version = entity.version.attribute if entity.version else None
        attribute = version if self.how == "version" else entity.key_attributes[0]
        player.entered(self.unit)
        name = player.pick(self.unit, self.role, self.pick)
        if name is not None and attribute is not None:
            player.play(f"{name}.{attribute} = {source(self.value)}")
            player.settle(self.unit, "flush")


@dataclass(frozen=True)
class Race(Step):
    """Two units see the same rows; one changes something and commits, or only flushes; then the other does.

    With the right two changes this is each of the classic races: the lost update, the unique race, the stale
    delete, the new reference to a row that goes, the write skew.
    """

    unit: int
    role: Role
    first: Step
    second: Step
    ending: str

    def play(self, player: Player) -> None:
        one, other = self.first.unit, self.second.unit
        for unit in (one, other):
            name = player.entered(unit)
            player.play(f"{player.fresh_list()} = {name}.{self.role.repository}.all()")
        self.first.play(player)
        player.settle(one, self.ending)
        self.second.play(player)
        player.settle(other, "commit")
        if self.ending == "flush":
            player.settle(one, "commit")
        name = player.entered(one)
        player.play(f"{player.fresh_list()} = {name}.{self.role.repository}.all()")
