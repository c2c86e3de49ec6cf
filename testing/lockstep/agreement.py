"""Where two truthful stores may differ.

Equality is asked for everywhere but here: what a database leaves open is written down as a relation between
the fake's answer and the database's, and all else is a lie of one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy.orm.attributes import instance_dict, instance_state

from ...adapters.engine.session import EngineSession
from ...adapters.memory.rows import MemoryRows
from ...adapters.memory.store import MemoryStore
from ...adapters.memory.tables import MemoryTable
from ...adapters.objects.ownership import owner_of
from ...adapters.plan.tables import Key, Row, TablePlan
from ...domain.errors import (
    BadValue,
    CheckFailed,
    CommitOutcomeUnknown,
    Conflict,
    Duplicate,
    KeyChanged,
    MissingValue,
    ReferenceViolated,
    Unavailable,
    UnitFailed,
    UnitReadOnly,
)
from .observation import Seen, error_seen
from .side import Outcome, Side

__all__ = ["Agreement"]

BEFORE_SQL = BadValue | Duplicate | KeyChanged | MissingValue | UnitReadOnly
RACES = (Conflict, Duplicate, ReferenceViolated)
SAME, TOLERATED, DIFFERENT = "same", "tolerated", "different"


class Agreement(NamedTuple):
    """The relation for one database.

    `dialect` is its name, `alone` tells that no other unit of work is about. PostgreSQL is the reference: there, the
    kind of an error and the moment at which it comes are the same, also in a race. SQLite has one writer, so a
    second one gets a Conflict that row locks would not give; MariaDB locks gaps between rows, and judges
    references by the newest rows.
    """

    dialect: str
    alone: bool

    def judge(
        self, memory: Side, mine: Outcome, theirs: Outcome, names: Iterable[str], *, crashed: bool = False
    ) -> str:
        """How the outcomes of one line compare; *names* are the objects of the unit, which may be a *crashed* one."""
        if not (mine.is_foreseen and theirs.is_foreseen):
            # Python's own errors on plain objects are alike; a driver's error must never come through.
            return SAME if mine.seen == theirs.seen and not _is_internal(theirs.error) else DIFFERENT
        if mine.seen == theirs.seen:
            return SAME
        if crashed and isinstance(mine.error, Unavailable):
            return self._judge_crash(theirs)
        if mine.error is not None and theirs.error is not None:
            return self._judge_errors(memory, mine.error, theirs.error, names)
        if not self.alone and self._is_excused(mine.error, theirs.error):
            return TOLERATED
        return DIFFERENT

    @staticmethod
    def _judge_crash(theirs: Outcome) -> str:
        """The fake says that a transaction is lost. A unit on a database hears of it when it next asks the database."""
        if theirs.error is None:
            return TOLERATED  # it has answered from what it knew
        # Whether a COMMIT has come through only the fake can know; and some things are refused before any SQL.
        return SAME if isinstance(theirs.error, CommitOutcomeUnknown | BEFORE_SQL) else DIFFERENT

    def _judge_errors(self, memory: Side, mine: Exception, theirs: Exception, names: Iterable[str]) -> str:
        if self.dialect == "sqlite" and isinstance(theirs, ReferenceViolated) and isinstance(mine, ReferenceViolated):
            return SAME  # SQLite does not tell which
        if not self.alone and self._is_race(mine, theirs):
            return SAME
        broken = set(_broken(memory, names))
        if self.dialect == "sqlite" and any(kind == ReferenceViolated.__name__ for kind, *_ in broken):
            broken.add((ReferenceViolated.__name__, "", ()))
        if error_seen(mine) in broken and error_seen(theirs) in broken:
            return SAME  # several are broken, and each store names one
        return DIFFERENT

    def _is_race(self, mine: Exception, theirs: Exception) -> bool:
        match self.dialect:
            case "sqlite":
                return isinstance(theirs, Conflict)
            case "postgresql":
                return _is_freed_key(mine)
        return isinstance(theirs, Conflict) or (isinstance(mine, RACES) and isinstance(theirs, RACES))

    def _is_excused(self, mine: Exception | None, theirs: Exception | None) -> bool:
        match self.dialect:
            case "sqlite":
                return isinstance(theirs, Conflict)
            case "postgresql":
                return theirs is None and _is_freed_key(mine)
        # A race that is lost in a block takes the whole unit with it there.
        return isinstance(theirs, Conflict | UnitFailed) or (
            theirs is None and isinstance(mine, ReferenceViolated | Conflict)
        )


def _is_freed_key(mine: Exception | None) -> bool:
    """A key that another unit has freed since the snapshot: PostgreSQL gives it anew, and then shows both rows."""
    return isinstance(mine, Conflict) and "removed the row with this key" in str(mine)


def _is_internal(error: Exception | None) -> bool:
    return error is not None and type(error).__module__.startswith(("sqlalchemy", "psycopg", "pymysql", "sqlite3"))


def _broken(memory: Side, names: Iterable[str]) -> Iterator[Seen]:
    """Everything that these objects break, as errors are seen: each constraint, each value."""
    store = memory.store
    assert isinstance(store, MemoryStore)
    # By the names of the schema, for the store makes a table when it is first asked for.
    committed: dict[str, list[Row]] = {name: list(store.tables[name].rows.values()) for name in memory.schema.tables}
    pending: list[tuple[TablePlan, object, Row]] = []
    instances = [found for found in map(memory.namespace.get, names) if found is not None]
    adopted = _adopted(memory, instances)
    for instance in instances:
        entity = memory.schema.entities[type(instance)]
        values: list[Any] = []
        for each in entity.fields:
            held = None if each.attribute is None else instance_dict(instance).get(each.attribute)
            held = adopted.get((id(instance), each.attribute)) if held is None else held
            if held is None and each.column.default is not None:
                held = each.column.default()
            try:
                values.append(held if held is None else each.column.encoded(each.column.guard(held)))
            except BadValue as error:
                values.append(None)
                yield error_seen(error)
        pending += [(part.table, instance, tuple(values[part.piece])) for part in entity.parts]
    for table, instance, row in pending:
        others = [each for other, owner, each in pending if other is table and owner is not instance]
        # A row of this very object may be among the committed ones.
        mine = table.key(row) if instance_state(instance).key is not None else None
        others += [each for each in committed[table.name] if mine is None or table.key(each) != mine]
        yield from _broken_by_row(store, table, row, others)
        for reference in table.references:
            target = reference.values(row)
            targets = store.tables[reference.target]
            is_new = any(targets.plan.key(each) == target for other, _, each in pending if other is targets.plan)
            if target is not None and not is_new and not _is_seen(instance, targets, target):
                yield (ReferenceViolated.__name__, reference.table, reference.columns)
        for reference in table.referrers:  # it may be this one that is removed
            if any(reference.values(each) == table.key(row) for each in committed[reference.table]):
                yield (ReferenceViolated.__name__, reference.table, reference.columns)


def _is_seen(instance: object, table: MemoryTable, key: Key) -> bool:
    """Is there a row with this key for the unit that has the object? Others may have stored it since it looked."""
    unit = owner_of(instance)
    if isinstance(unit, EngineSession) and isinstance(unit.rows, MemoryRows) and unit.rows.snapshot is not None:
        return unit.rows.view(table, key) is not None
    return key in table.rows


def _adopted(memory: Side, instances: list[Any]) -> dict[tuple[int, str | None], Any]:
    """What members have of their owners' keys, by (id of the member, attribute): a flush that fails takes it back."""
    found: dict[tuple[int, str | None], Any] = {}
    for owner in instances:
        for children in memory.schema.entities[type(owner)].children:
            for member in children.members(owner):
                for attribute, source in children.adopted:
                    held = instance_dict(owner).get(source)
                    found[id(member), attribute] = found.get((id(owner), source)) if held is None else held
    return found


def _broken_by_row(store: MemoryStore, table: TablePlan, row: Row, others: list[Row]) -> Iterator[Seen]:
    for column, value in zip(table.columns, row, strict=True):
        if value is None and not column.nullable:
            yield (MissingValue.__name__, table.name, (column.name,))
    for check, holds in store.checks[table.name]:
        if not holds(row):
            yield (CheckFailed.__name__, table.name, check.columns)
    if any(table.key(each) == table.key(row) for each in others):
        yield (Duplicate.__name__, table.name, table.key_columns)
    for unique in table.uniques:
        value = unique.values(row)
        if value is not None and any(unique.values(each) == value for each in others):
            yield (Duplicate.__name__, table.name, unique.columns)
