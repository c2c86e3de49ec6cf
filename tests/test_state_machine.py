"""A memory unit and a SQLite unit, driven side by side by Hypothesis, cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import CheckConstraint, Column, Integer, String, Table

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.adapters.memory.rows import MemoryRows
from honestwork.domain import ConstraintViolated, HonestworkError, Repository
from honestwork.service_layer import UnitOfWork


class Item:
    def __init__(self, code: str | None, name: str | None, quantity: Any) -> None:
        self.code = code
        self.name = name
        self.quantity = quantity

    version: int


class Stock(UnitOfWork):
    items: Repository[Item, str]


class Undone(Exception):
    """Ends a savepoint block."""


mapping = Mapping()
items = Table(
    "items",
    mapping.metadata,
    Column("code", String(3), primary_key=True),
    Column("name", String(3), unique=True),
    quantity := Column("quantity", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint(quantity >= 0, name="ck_quantity"),
)
mapping.aggregate(Item, items, version=items.c.version)

CODES = st.sampled_from(["a", "b", "c", "d", "e"])
# Mostly valid: an error undoes the unit, and what comes of a race for a name is seen by those who got so far.
NAMES = st.sampled_from(["x", "y", "x", "y", "z", None, "long"])
QUANTITIES = st.sampled_from([0, 1, 2, 0, 1, 2, 0, 1, 2, -1, None, "1"])


class SideBySide(RuleBasedStateMachine):
    """Every rule does the same to both units; results, errors and committed rows have to be the same."""

    sqlite: SqlStore  # one for all examples, for tables cost more to make than to empty

    def __init__(self) -> None:
        super().__init__()
        with self.sqlite.engine.begin() as connection:
            connection.execute(items.delete())
        self.memory = MemoryStore(mapping)
        self.units = (Stock(self.memory), Stock(self.sqlite))
        self.savepoints: list[tuple[ExitStack, ExitStack]] = []
        self.blocks = tuple(ExitStack() for _ in self.units)

    @initialize(codes=st.sets(CODES, max_size=2))
    def some_items_are_stored(self, codes: set[str]) -> None:
        for unit, block in zip(self.units, self.blocks, strict=True):
            block.enter_context(unit)
            unit.items.add_many(Item(code, code, 1) for code in sorted(codes))
            unit.commit()

    @rule(code=CODES, name=NAMES, quantity=QUANTITIES)
    def add(self, code: str, name: str | None, quantity: Any) -> None:
        self.both(lambda unit: unit.items.add(Item(code, name, quantity)))

    @rule(code=CODES, name=NAMES)
    def store(self, code: str, name: str | None) -> None:
        def store(unit: Stock) -> None:
            unit.items.add(Item(code, name, 1))
            unit.flush()

        self.both(store)

    @rule(code=CODES)
    def get(self, code: str) -> None:
        self.both(lambda unit: seen(unit.items.get(code)))

    @rule(name=NAMES)
    def find(self, name: str | None) -> None:
        self.both(lambda unit: [seen(item) for item in unit.items.find(lambda item: item.name == name)])

    @rule(code=CODES, name=NAMES, quantity=QUANTITIES)
    def change(self, code: str, name: str | None, quantity: Any) -> None:
        def change(unit: Stock) -> None:
            item = unit.items[code]
            item.name, item.quantity = name, quantity

        self.both(change)

    @rule(code=CODES)
    def remove(self, code: str) -> None:
        self.both(lambda unit: unit.items.remove(unit.items[code]))

    @rule()
    def flush(self) -> None:
        self.both(lambda unit: unit.flush())

    @precondition(lambda self: not self.savepoints)
    @rule()
    def commit(self) -> None:
        self.both(lambda unit: unit.commit())

    @precondition(lambda self: not self.savepoints)
    @rule()
    def roll_back(self) -> None:
        self.both(lambda unit: unit.rollback())

    @rule()
    def begin_savepoint(self) -> None:
        opened = tuple(ExitStack() for _ in self.units)
        if self.both(lambda unit: opened[self.units.index(unit)].enter_context(unit.nested())):
            self.savepoints.append((opened[0], opened[1]))

    @precondition(lambda self: self.savepoints)
    @rule(undo=st.booleans())
    def end_savepoint(self, undo: bool) -> None:
        ending = self.savepoints.pop()

        def end(unit: Stock) -> None:
            error = Undone() if undo else None
            ending[self.units.index(unit)].__exit__(type(error) if error else None, error, None)

        self.both(end)

    @invariant()
    def the_committed_rows_are_the_same(self) -> None:
        with self.sqlite.engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(items.select().order_by(items.c.code))]

        assert self.memory.rows("items") == rows

    def both(self, act: Callable[[Stock], Any]) -> bool:
        """Do it to both units. After an error both are rolled back; a savepoint ends with its whole unit."""
        memory, sqlite = (outcome(act, unit) for unit in self.units)
        assert memory == sqlite
        if memory[0] == "done":
            return True
        while self.savepoints:
            for opened in self.savepoints.pop():
                outcome(lambda _, opened=opened: opened.__exit__(Undone, Undone(), None), self.units[0])  # type: ignore[misc]
        for unit in self.units:
            unit.rollback()
        return False

    def teardown(self) -> None:
        while self.savepoints:
            for opened in self.savepoints.pop():
                outcome(lambda _, opened=opened: opened.__exit__(Undone, Undone(), None), self.units[0])  # type: ignore[misc]
        for block in self.blocks:
            block.close()


def outcome(act: Callable[[Stock], Any], unit: Stock) -> tuple[Any, ...]:
    """What came of it: a result, or an error. Of several constraints that are broken each store names one."""
    try:
        return "done", act(unit)
    except Undone:
        return ("done", "undone")
    except ConstraintViolated as error:
        return "refused", ConstraintViolated, error.table
    except HonestworkError as error:
        return "refused", type(error)


def seen(item: Item | None) -> Any:
    return None if item is None else (item.code, item.name, item.quantity, item.version)


SETTINGS = settings(
    max_examples=80,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

SideBySide.TestCase.settings = SETTINGS
TestSideBySide = SideBySide.TestCase


@pytest.fixture(scope="module", autouse=True)
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    url = f"sqlite:///{tmp_path_factory.mktemp('machine') / 'items.db'}"
    SideBySide.sqlite = SqlStore(url, mapping, begin="deferred", lock_timeout=0.01, durability="process")
    SideBySide.sqlite.create_tables()
    yield
    SideBySide.sqlite.dispose()


@pytest.mark.parametrize("true", ["_check_uniques", "_check_row"])
def test_the_machine_finds_a_lie(true: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryRows, true, lambda *_: None)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(SideBySide, settings=settings(SETTINGS, phases=[Phase.generate]))
