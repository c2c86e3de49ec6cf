"""Plays a program on two stores, line by line, and compares all that can be seen of them."""

from __future__ import annotations

import gc
import re
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from sqlalchemy import Connection, event, select

from ...adapters.mapping.mapping import Mapping
from ...adapters.memory.store import MemoryStore
from ...adapters.sql.store import SqlStore
from ...service_layer.unit_of_work import UnitOfWork
from .agreement import DIFFERENT, TOLERATED, Agreement
from .observation import Renaming, Seen
from .side import Outcome, Side

__all__ = ["Difference", "Referee", "Stage"]

NAMES = re.compile(r"\b[a-z_]\w*\b")
UNIT = re.compile(r"\bu(\d)\b")
RETURN = re.compile(r"^(\w+) = (?!=)(.*)$", re.DOTALL)


class Difference(AssertionError):
    """The stores differ. `lines` is the program so far, the last of them the one that tells them apart."""

    def __init__(self, lines: list[str], memory: str, database: str, dialect: str) -> None:
        super().__init__(f"memory: {memory}\n{dialect}: {database}")
        self.lines = lines
        self.memory = memory
        self.database = database
        self.dialect = dialect


class Stage:
    """A database and a class of units of work, where programs are played one after the other."""

    def __init__(self, unit: type[UnitOfWork], store: SqlStore, mapping: Mapping) -> None:
        self.unit = unit
        self.store = store
        self.mapping = mapping
        self.schema = mapping.schema
        self.renaming = Renaming(mapping)
        self.tables = mapping.metadata.sorted_tables
        self.dialect = "mariadb" if store.engine.dialect.name == "mysql" else store.engine.dialect.name
        self.busy: dict[int, Any] = {}  # the driver's connections that units have taken from the pool, by id
        event.listen(store.engine, "checkout", lambda driver, *_: self.busy.update({id(driver): driver}))
        event.listen(store.engine, "checkin", lambda driver, *_: self.busy.pop(id(driver), None))

    def clear(self) -> None:
        """Leave no row behind."""
        with self.store.engine.begin() as connection:
            for table in reversed(self.tables):
                connection.execute(table.delete())

    def crash(self) -> None:
        """Cut every connection that a unit holds; back when the database has undone what they have left."""
        cut = list(self.busy.values())
        self.busy.clear()
        numbers = [_number(self.dialect, each) for each in cut]
        for each in cut:
            if self.dialect == "sqlite":
                each.rollback()  # a connection whose cursors still live keeps its locks, which no dead process does
            # PyMySQL would say good-bye, and complain when the pool closes the connection again.
            getattr(each, "_force_close", each.close)()
        deadline = time.monotonic() + 5
        while any(self._is_served(number) for number in numbers) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _is_served(self, number: int) -> bool:
        """Does the server still care for a connection of this number?"""
        if self.dialect == "sqlite":
            return False
        catalog = (
            "pg_stat_activity WHERE pid" if self.dialect == "postgresql" else "information_schema.processlist WHERE id"
        )
        with self.store.engine.begin() as connection:
            return bool(connection.exec_driver_sql(f"SELECT 1 FROM {catalog} = {number}").all())

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All committed rows, in the order of their keys."""
        with self.store.engine.begin() as connection:
            return {table.name: list(self._rows(connection, table)) for table in self.tables}

    def _rows(self, connection: Connection, table: Any) -> Iterator[dict[str, Any]]:
        for row in connection.execute(select(table).order_by(*table.primary_key)):
            yield dict(zip(table.c.keys(), row, strict=True))


def _number(dialect: str, driver: Any) -> int:
    """What the server calls a connection."""
    match dialect:
        case "postgresql":
            return int(driver.info.backend_pid)
        case "mariadb":
            return int(driver.thread_id())
    return 0


@dataclass
class Workspace:
    """What the referee knows of one unit of work."""

    is_open: bool = False
    depth: int = 0
    settled: bool = False  # just committed: what is in memory is what is stored
    crashed: bool = False  # the power was cut, and the unit has not begun afresh
    objects: dict[str, int] = field(default_factory=dict)  # the depth at which each was made, -1 if it was loaded


class Referee:
    """One program on the two stores of a stage. `lines` is what was played."""

    def __init__(self, stage: Stage, units: int) -> None:
        gc.freeze()  # what was there before the program is not looked at when it collects its garbage
        self.stage = stage
        stage.clear()
        store = MemoryStore(stage.mapping)
        self.memory = Side("memory", store, stage.unit, units, stage.schema, stage.renaming, store.crash)
        self.database = Side(stage.dialect, stage.store, stage.unit, units, stage.schema, stage.renaming, stage.crash)
        self.sides = (self.memory, self.database)
        self.agreement = Agreement(stage.dialect, alone=units == 1)
        self.lines: list[str] = []
        self.workspaces = [Workspace() for _ in range(units)]
        self.unowned: set[str] = set()  # objects that were made and belong to no unit
        self.finished: set[str] = set()  # objects of units that have ended well
        self.stale: set[str] = set()  # objects of transactions that were undone: nobody may rely on them
        self.is_over = False

    def close(self) -> None:
        for side in self.sides:
            side.close()
        gc.unfreeze()

    def play(self, line: str) -> Outcome:
        """Play one line on both stores. Raises Difference; after it, the objects of both are alike."""
        self.lines.append(line)
        given = RETURN.match(line)
        path, expression = (given[1], given[2]) if given else (f"result_{len(self.lines)}", line)
        code = _compiled(expression)
        before = set(self.memory.paths)
        mine, theirs = (side.run(code, path) for side in self.sides)
        unit = UNIT.search(expression)
        number = int(unit[1]) if unit else None
        crashed = number is not None and self.workspaces[number].crashed
        verdict = self.agreement.judge(self.memory, mine, theirs, self._names(number), crashed=crashed)
        if verdict == DIFFERENT:
            self._differ(_explained(mine), _explained(theirs))
        if verdict == TOLERATED:
            self._resynchronize(number, line)
            return mine if mine.error else theirs
        self._keep_books(number, expression, mine, before)
        self._compare_objects(number, expression, mine)
        if ".commit()" in expression and mine.error is None:
            self._compare_rows()
        return mine

    def live(self, unit: int) -> list[str]:
        """The objects of a unit, in the order in which they came into sight."""
        return list(self.workspaces[unit].objects)

    def _names(self, unit: int | None) -> list[str]:
        return [] if unit is None else [name for name in self.workspaces[unit].objects if name in self.memory.namespace]

    def _resynchronize(self, unit: int | None, line: str) -> None:
        """One store went on where the other could not, and both were right: undo the unit on both."""
        if unit is None or ".commit()" in line:
            self.is_over = True
            return
        for side, other in (self.sides, self.sides[::-1]):
            side.skip_names(other.paths)
        numbers = max(side.eye.count for side in self.sides)  # keys that one side has shown are numbered there alone
        for side in self.sides:
            side.eye.count = numbers
        self.lines.append(f"leave(u{unit}, Undo())")
        code = _compiled(self.lines[-1])
        for side in self.sides:
            side.run(code, "left")
        undone = set(self.workspaces[unit].objects)
        self._end(unit, readable=False)
        self.workspaces[unit] = Workspace()
        self.stale |= undone  # one store has stored what is new, and given it defaults
        self.unowned -= undone

    # Books

    def _keep_books(self, number: int | None, line: str, outcome: Outcome, before: set[str]) -> None:
        named = [name for name in NAMES.findall(line) if name in self.memory.paths]
        named += [name for name in self.memory.paths if name not in before]
        if line.startswith("new("):
            self.unowned.update(name for name in self.memory.paths if name not in before)
            return
        if line == "crash()":
            for workspace in self.workspaces:
                workspace.crashed = workspace.is_open
            for side in self.sides:
                side.eye.forget_uncommitted()
            return
        if ".stream(" in line or line.startswith("take("):
            self.finished.update(name for name in self.memory.paths if name not in before)
            return
        if line == "forget()":
            for workspace in self.workspaces:
                workspace.objects.clear()
            self.unowned.clear()
            self.finished.clear()
            return
        if number is None:
            owners = [each for each in self.workspaces if any(name in each.objects for name in named)]
            if owners:
                self._own(owners[0], named, made=True)
            return
        workspace = self.workspaces[number]
        failed = outcome.error is not None
        if failed:
            for side in self.sides:
                side.eye.forget_uncommitted()
        workspace.settled = not failed and ".commit()" in line
        match line.partition("(")[0].partition("_")[0]:
            case "enter" if not failed:
                workspace.is_open, workspace.depth = True, 0
            case "leave":
                self._end(number, readable=self._was_settled(number))
                self.workspaces[number] = Workspace()
            case "nest" if not failed:
                workspace.depth += 1
            case "unnest":
                if failed or "Undo()" in line:
                    self._release(workspace, workspace.depth)
                workspace.depth -= 1
            case _ if ".rollback()" in line and not failed:
                self._end(number, readable=False)
                workspace.crashed = False
            case _ if ".commit()" in line and not failed:
                workspace.objects = dict.fromkeys(workspace.objects, -1)
            case _ if not failed:
                self._own(workspace, named, made=".add(" in line or ".add_many(" in line)

    def _was_settled(self, number: int) -> bool:
        """Was the line before the last one of this unit a commit?"""
        earlier = [line for line in self.lines[:-1] if f"u{number}" in line]
        return bool(earlier) and ".commit()" in earlier[-1]

    def _own(self, workspace: Workspace, names: list[str], *, made: bool) -> None:
        for name in dict.fromkeys(member for each in names for member in self._family(each)):
            if any(name in each.objects for each in self.workspaces):
                continue
            if name in self.finished or name in self.stale:
                continue
            fresh = name in self.unowned
            self.unowned.discard(name)
            workspace.objects[name] = workspace.depth if fresh and made else -1

    def _family(self, name: str) -> list[str]:
        """An object and all that belongs to it."""
        instance = self.memory.namespace.get(name)
        entity = self.stage.schema.entities.get(type(instance))
        if entity is None:
            return []
        members = [self.memory.name_of(member, "") for each in entity.relations for member in each.members(instance)]
        return [name, *(found for member in members for found in self._family(member))]

    def _release(self, workspace: Workspace, depth: int) -> None:
        """What was made in a block that is undone belongs to nobody again."""
        for side in self.sides:
            side.eye.forget_uncommitted()
        for name, made in list(workspace.objects.items()):
            if made >= depth:
                del workspace.objects[name]
                (self.stale if self._refers_to_undone(name) else self.unowned).add(name)
        streamed = {name for name in self.finished if self._refers_to_undone(name)}
        self.finished -= streamed
        self.stale |= streamed

    def _refers_to_undone(self, name: str) -> bool:
        """Has an object kept a generated key that was undone? SQLite may give it again, to another row."""
        instance = self.memory.namespace.get(name)
        if instance is None:
            return True
        entity = self.stage.schema.entities[type(instance)]
        held = [
            (self.stage.renaming.domains.get((part.table.name, each.column.name)), getattr(instance, each.attribute))
            for part in entity.parts
            for each in entity.fields[part.piece]
            if each.attribute is not None
        ]
        return any(
            domain is not None and value is not None and not self.memory.eye.is_committed(domain, value)
            for domain, value in held
        )

    def _end(self, number: int, *, readable: bool) -> None:
        workspace = self.workspaces[number]
        for side in self.sides:
            side.eye.forget_uncommitted()
        if not readable:
            self._release(workspace, 0)
        (self.finished if readable else self.stale).update(workspace.objects)
        workspace.objects.clear()
        workspace.depth = 0

    # Comparing

    def _compare_objects(self, number: int | None, line: str, outcome: Outcome) -> None:
        if outcome.error is not None and number is not None:
            return  # the unit has failed: its objects are about to be undone
        names = {name for name in NAMES.findall(line) if name in self.memory.paths} - self.stale
        if number is not None and any(word in line for word in ("flush", "commit", "nest")):
            names |= set(self.workspaces[number].objects)
        for name in sorted(names, key=lambda name: (len(name), name)):
            if name in self.memory.namespace:
                mine, theirs = (self._state(side, name) for side in self.sides)
                if mine != theirs:
                    self._differ(mine, theirs)

    def _state(self, side: Side, name: str) -> Seen:
        try:
            return side.eye.state(side.namespace[name], name)
        except Exception as error:
            return f"cannot be read: {type(error).__name__}: {error}"

    def _compare_rows(self) -> None:
        theirs = self.stage.rows()
        memory = self.memory.store
        assert isinstance(memory, MemoryStore)
        for table in self.stage.tables:
            found = [
                [side.eye.row(table.name, row) for row in rows]
                for side, rows in ((self.memory, memory.rows(table.name)), (self.database, theirs[table.name]))
            ]
            if found[0] != found[1]:
                self._differ(found[0], found[1], f"the table {table.name} has ")

    def _differ(self, mine: Seen, theirs: Seen, prefix: str = "") -> None:
        mine, theirs = _pruned(mine, theirs)
        raise Difference(list(self.lines), f"{prefix}{mine}", f"{prefix}{theirs}", self.stage.dialect)


_code: dict[str, CodeType] = {}


def _compiled(line: str) -> CodeType:
    if (code := _code.get(line)) is None:
        try:
            code = compile(line, "<program>", "eval")
        except SyntaxError:
            code = compile(line, "<program>", "exec")
        if len(_code) > 10_000:
            _code.clear()
        _code[line] = code
    return code


def _explained(outcome: Outcome) -> Seen:
    """What came of a line; of an error that nobody foresaw, also where it comes from."""
    if outcome.is_foreseen:
        return outcome.seen
    error: BaseException | None = outcome.error
    assert error is not None
    *_, last = traceback.extract_tb(error.__traceback__)
    return (*outcome.seen, f"{error}, in {last.name}: {last.line}")


def _pruned(mine: Seen, theirs: Seen) -> tuple[Seen, Seen]:
    """Of two big things that differ, the small parts that do."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        differing = {key: _pruned(mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}
        return {key: each[0] for key, each in differing.items()}, {key: each[1] for key, each in differing.items()}
    if (
        isinstance(mine, tuple)
        and isinstance(theirs, tuple)
        and len(mine) == len(theirs) == 3
        and mine[:2] == theirs[:2]
    ):
        inner = _pruned(mine[2], theirs[2])
        return (*mine[:2], inner[0]), (*theirs[:2], inner[1])
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        pairs = [_pruned(one, other) for one, other in zip(mine, theirs, strict=True) if one != other]
        return [one for one, _ in pairs], [other for _, other in pairs]
    return mine, theirs
