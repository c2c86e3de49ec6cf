"""The oracle: random programs on a store and on a plain `sqlalchemy.orm.Session`, in lock-step.

A store in memory and a store on a database share their flush, so they may agree on what is wrong. The ORM has a flush
of its own. After each commit the rows of both are the same, and each line raises an error of the same kind or none,
wherever `wanted.py` does not say otherwise. Objects are not compared: two stores do that, line by line.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from textwrap import dedent
from typing import Any, NoReturn

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import SAWarning

from honestwork.adapters import MemoryStore
from honestwork.domain.errors import ConstraintViolated, HonestworkError
from honestwork.service_layer import Store
from honestwork.testing.lockstep.agreement import Agreement
from honestwork.testing.lockstep.cast import Cast
from honestwork.testing.lockstep.observation import Eye, Renaming
from honestwork.testing.lockstep.player import Player
from honestwork.testing.lockstep.programs import programs as random_programs
from honestwork.testing.lockstep.referee import NAMES, RETURN, UNIT, Referee, Workspace, _compiled, _pruned
from honestwork.testing.lockstep.side import Outcome, Side, vocabulary
from honestwork.testing.lockstep.steps import Step
from honestwork.testing.lockstep.truthful import search, staged

from .plain_orm import PlainDatabase, PlainSide, Rows, kind_of
from .wanted import BETTER, COMPARED, EITHER, OF_READS, OURS_ALONE, kept
from .worlds import World, world

__all__ = ["Court", "Disagreement", "consult", "court", "judged", "replay"]

APPENDED = re.compile(r"(.+)\.(\w+)\.append\((.+)\)$")


class Disagreement(AssertionError):
    """The store and the ORM differ after these lines."""

    def __init__(self, lines: list[str], store: str, ours: object, orm: object) -> None:
        program = "\n".join(f"    {line}" for line in lines)
        super().__init__(f"{store} and the ORM differ:\n\n  {store}: {ours}\n  the ORM: {orm}\n\n{program}\n")
        self.lines = lines


@dataclass
class Court:
    """A world twice, for a store and for the ORM. Programs are played here, one after the other."""

    name: str
    world: World
    clear: Callable[[], Store]  # gives the store, with no row in it
    rows: Callable[[Store], Rows]
    plain: PlainDatabase
    seen_through: Callable[[Any], Any] = lambda store: store  # a test may plant a lie here

    def __post_init__(self) -> None:
        self.schema = self.world.mapping.schema
        self.renaming = Renaming(self.world.mapping)
        self.tables = self.world.mapping.metadata.sorted_tables
        self.cast = Cast(self.world.unit, self.world.mapping)


@contextmanager
def court(make: Callable[[], World], database: str = "memory", oracle: str = "sqlite://") -> Iterator[Court]:
    """A court for the store in memory, or for the one on this *database*; the ORM is on the *oracle*'s database.

    *make* gives a new mapping of new classes with each call.
    """
    ours, twin = make(), make()
    plain = PlainDatabase(twin.mapping, twin.unit, oracle)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # of what programs do wrong on purpose
            if database == "memory":
                names = [table.name for table in ours.mapping.metadata.sorted_tables]
                yield Court(
                    "memory",
                    ours,
                    lambda: MemoryStore(ours.mapping),
                    lambda store: {name: store.rows(name) for name in names},  # type: ignore[attr-defined]
                    plain,
                )
                return
            with staged(ours.unit, ours.mapping, database) as stage:

                def clear() -> Store:
                    stage.clear()
                    return stage.store

                yield Court(stage.dialect, ours, clear, lambda store: stage.rows(), plain)
    finally:
        plain.dispose()


class Judge(Referee):
    """One program on a store and on the ORM. The store leads: the program is made of what is seen there."""

    def __init__(self, court: Court) -> None:
        court.plain.clear()
        self.court = court
        self.stage = court  # type: ignore[assignment]  # for the player, who asks it for the schema
        self.store = court.clear()
        served = court.seen_through(self.store)
        self.memory = Side(court.name, served, court.world.unit, 1, court.schema, court.renaming, lambda: None)
        self.sides = (self.memory,)  # type: ignore[assignment]
        self.orm = PlainSide(court.plain, 1, vocabulary(court.schema))
        self.eyes = [Eye(court.schema, court.renaming, lambda instance, path: "") for _ in range(2)]
        self.agreement = Agreement(court.name, alone=True)
        self.lines = []
        self.workspaces = [Workspace()]
        self.unowned = set()
        self.finished = set()
        self.stale = set()
        self.is_over = False

    def close(self) -> None:
        self.memory.close()
        self.orm.close()

    def play(self, line: str) -> Outcome:
        """Play one line on both. Raises Disagreement; where they differ as is wanted, both are undone."""
        self.lines.append(line)
        given = RETURN.match(line)
        path, expression = (given[1], given[2]) if given else (f"result_{len(self.lines)}", line)
        before = set(self.memory.paths)
        ours = self.memory.run(_compiled(expression), path)
        self._name_members(line)
        better = self._ask_orm(expression, path, ours.error)
        if better is not None:
            self._undo(expression)
            return Outcome((kind_of(better),), better)
        for name in [each for each in self.memory.paths if each not in before]:
            self._meet(name)
        unit = UNIT.search(expression)
        self._keep_books(int(unit[1]) if unit else None, expression, ours, before)
        if ".commit()" in expression and ours.error is None:
            self._compare_rows()
        return ours

    def _ask_orm(self, expression: str, path: str, ours: Exception | None) -> Exception | None:
        """Play the line on the ORM, and compare the errors. Returns the ORM's if ours is better for having none."""
        if isinstance(ours, tuple(OF_READS)):
            ours = None
        if isinstance(ours, HonestworkError) and not isinstance(ours, COMPARED):
            if type(ours) not in OURS_ALONE:
                self._disagree(_told(ours), "has not been asked, for this error is not among those that are wanted")
            self._skip(expression)
            return None
        if isinstance(ours, ConstraintViolated) and self.orm.loses_one(ours):
            self._skip(expression)
            return None
        is_true = isinstance(ours, ConstraintViolated) and self.orm.breaks(ours)
        theirs = self.orm.run(_compiled(expression), path)
        if _kind(ours) == (None if theirs is None else kind_of(theirs)):
            return None
        if is_true and theirs is not None:
            return None  # several things are wrong, a value among them that the ORM sends, and each names one
        if ours is not None and theirs is not None and (kind_of(ours), kind_of(theirs)) in EITHER:
            return None
        if ours is not None or theirs is None or kind_of(theirs) not in BETTER:
            self._disagree(_told(ours), _told(theirs))
        return theirs

    def _undo(self, expression: str) -> None:
        """The store went on where the ORM could not: undo the unit on both. Nothing can follow a commit."""
        if ".commit()" in expression:
            self._require_unique()
            self.is_over = True
            return
        undone = set(self.workspaces[0].objects)
        self.lines.append("leave(u0, Undo())")
        self.memory.run(_compiled(self.lines[-1]), "left")
        self.orm.run(_compiled(self.lines[-1]), "left")
        self._end(0, readable=False)
        self.workspaces[0] = Workspace()
        self.stale |= undone
        self.unowned -= undone

    def _require_unique(self) -> None:
        """What the store has committed breaks no key and no unique constraint."""
        rows = self.court.rows(self.store)
        for table in self.court.tables:
            for constraint in table.constraints:
                if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
                    values = [tuple(row[name] for name in list(constraint.columns.keys())) for row in rows[table.name]]
                    known = [each for each in values if None not in each]
                    if len(known) > len(set(known)):
                        self._disagree(f"the table {table.name} has {rows[table.name]}", f"{constraint.name} is broken")

    def _skip(self, expression: str) -> None:
        """Do not ask the ORM about this line; but a block has ended all the same, and is undone."""
        if expression in ("unnest(u0)", "leave(u0)"):
            self.orm.run(_compiled(expression.replace("u0", "u0, Undo()")), "skipped")

    def _name_members(self, line: str) -> None:
        """Give names to all that belongs to the objects of a line."""
        for name in NAMES.findall(line):
            if name in self.memory.paths and name in self.memory.namespace and name not in self.stale:
                with suppress(Exception):  # what cannot be read is told by two stores
                    self.memory.eye.state(self.memory.namespace[name], name)

    def _meet(self, name: str) -> None:
        """An object has come into sight in the store: the ORM has one at the same place."""
        path = self.memory.paths[name]
        ours = self.memory.namespace[name]
        try:
            theirs = self.orm.name(name, path)
        except Exception as error:
            self._disagree(f"{path} is a {type(ours).__name__}", _told(error))
        if type(theirs).__name__ != type(ours).__name__:
            self._disagree(f"{path} is a {type(ours).__name__}", f"{path} is {theirs!r}")

    def _compare_rows(self) -> None:
        ours, theirs = self.court.rows(self.store), self.court.plain.rows()
        for table in self.court.tables:
            found = [
                [eye.row(table.name, row) for row in rows[table.name]]
                for eye, rows in zip(self.eyes, (ours, theirs), strict=True)
            ]
            if found[0] != found[1]:
                mine, other = _pruned(*found)
                self._disagree(f"the table {table.name} has {mine}", f"it has {other}")

    def _disagree(self, ours: object, orm: object) -> NoReturn:
        raise Disagreement(list(self.lines), self.court.name, ours, orm)


class Careful(Player):
    """Plays the steps of one program. Leaves out what is wanted to differ and depends on what has gone before."""

    referee: Judge

    def play(self, line: str) -> bool:
        """Play a line, but for one that joins the same two members again: with us they are joined once."""
        if (joined := APPENDED.match(line)) is not None and self._is_joined(*joined.groups()):
            return True
        return super().play(line)

    def is_deleted(self, name: str) -> bool:
        """Also before the flush: a new member of a removed owner goes with it, where the ORM inserts it without one."""
        return super().is_deleted(name) or self.referee.orm.is_going(name)

    def _is_joined(self, owner: str, attribute: str, member: str) -> bool:
        links = [each.attribute for each in self.cast.schema.entities[type(self.value_of(owner))].links]
        there = self.value_of(f"{owner}.{attribute}") if attribute in links else []
        return any(each is self.value_of(member) for each in there)


def judged(court: Court, steps: list[Step]) -> list[str]:
    """Play one program; gives its lines. Raises Disagreement."""
    judge = Judge(court)
    try:
        Careful(judge, court.cast).perform(kept(steps))
    finally:
        judge.close()
    return judge.lines


def consult(
    database: str,
    *,
    programs: int,
    first: int,
    shrink: bool = True,
    oracle: str = "sqlite://",
    per_world: int = 10,
    seen_through: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """Play so many programs in worlds from *first* on. Gives their number, and the difference if there is one.

    *database* is the URL of the store's database, or `memory`; *oracle* that of the ORM's own. Both are emptied.
    """
    played = lines = 0
    started = time.monotonic()
    difference = ""
    seed = first
    while played < programs and not difference:
        with court(partial(world.__wrapped__, seed), database, oracle) as found:
            found.seen_through = seen_through or found.seen_through

            def one(steps: Any) -> None:
                nonlocal played, lines
                played += 1
                lines += len(judged(found, steps))  # called within this turn

            try:
                search(
                    random_programs(found.cast, 1),
                    one,
                    examples=min(per_world, programs - played),
                    setting="",
                    seed=seed,
                    shrink=shrink,
                )
            except Disagreement as disagreement:
                difference = f"in world({seed}) {disagreement}"
        seed += 1
    seconds = round(time.monotonic() - started, 1)
    return {"programs": played, "lines": lines, "worlds": seed - first, "seconds": seconds, "difference": difference}


def replay(
    make: Callable[[], World],
    program: str,
    database: str = "memory",
    seen_through: Callable[[Any], Any] | None = None,
) -> None:
    """Play one program, given as lines of Python. Raises Disagreement if the store and the ORM differ."""
    with court(make, database) as found:
        found.seen_through = seen_through or found.seen_through
        judge = Judge(found)
        try:
            for line in dedent(program).strip().splitlines():
                judge.play(line)
        finally:
            judge.close()


def _kind(error: Exception | None) -> str | None:
    if error is None:
        return None
    return next((each.__name__ for each in COMPARED if isinstance(error, each)), type(error).__name__)


def _told(error: Exception | None) -> str:
    return "no error" if error is None else f"{kind_of(error)}: {error}"
