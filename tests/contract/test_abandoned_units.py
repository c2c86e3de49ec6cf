"""A unit of work that is never left is undone when it is collected, says so, and is in nobody's way afterwards."""

from __future__ import annotations

import gc
import inspect
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.adapters.memory.rows import MemoryRows
from honestwork.service_layer import Store
from tests.contract.conftest import made_store
from tests.contract.shop import Product, Shop, mapping, products, rows, stored

AT_ONCE = 2.0  # seconds; the stores here wait longer than that for a turn or a lock
KINDS = [
    "memory",
    "memory, one writer",
    "sqlite",
    "sqlite deferred",
    "sqlite in memory",
    "postgres",
    "mariadb",
]


@pytest.fixture(params=KINDS)
def patient(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with a lamp, whose units wait five seconds for one another."""
    kind = request.param
    if kind.startswith("memory"):
        store: Store = MemoryStore(mapping, one_writer=kind.endswith("writer"))
        stored(store, Product("LAMP", quantity=1))
        yield store
        return
    if kind in ("postgres", "mariadb"):
        for _ in made_store(request, kind):  # its tables
            store = SqlStore(request.getfixturevalue(f"{kind}_url"), mapping)
            stored(store, Product("LAMP", quantity=1))
            yield store
            store.dispose()
        return
    url = "sqlite://" if kind.endswith("memory") else request.getfixturevalue("sqlite_url")
    begin = "deferred" if kind.endswith("deferred") else "immediate"
    store = SqlStore(url, mapping, begin=begin, durability="process")
    store.create_tables()
    stored(store, Product("LAMP", quantity=1))
    yield store
    store.dispose()


# How units come not to be left. Each gives the line that has opened the unit.


def work_in(uow: Shop) -> None:
    uow.products["LAMP"].quantity = 2
    uow.products.add(Product("RUG"))
    uow.flush()


def a_thread_that_has_ended(store: Store) -> str:
    opened = []

    def work() -> None:
        uow = Shop(store)
        uow.__enter__()
        opened.append(line_above())
        work_in(uow)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return opened[0]


def a_cycle_of_garbage(store: Store) -> str:
    uow: Any = Shop(store)
    uow.__enter__()
    opened = line_above()
    work_in(uow)
    uow.myself = [uow]
    return opened


def a_stack_that_nobody_closes(store: Store) -> str:
    stack = ExitStack()
    uow = stack.enter_context(Shop(store))
    opened = line_above()
    work_in(uow)
    return opened


def a_reading_block_that_nobody_leaves(store: Store) -> str:
    uow = Shop(store).reading().__enter__()
    opened = line_above()
    assert uow.products["LAMP"].quantity == 1
    return opened


WAYS = [
    a_thread_that_has_ended,
    a_cycle_of_garbage,
    a_stack_that_nobody_closes,
    a_reading_block_that_nobody_leaves,
]


def line_above() -> str:
    """The line above the one that calls this, as warnings write it."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"opened at {frame.f_code.co_filename}:{frame.f_back.f_lineno - 1},"


def abandoned(store: Store, way: Callable[[Store], str]) -> tuple[str, list[str]]:
    """Abandon a unit, and collect it: the line that opened it, and what it has warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened = way(store)
        gc.collect()
    assert {each.category for each in caught} <= {ResourceWarning}
    return opened, [str(each.message) for each in caught]


def a_unit_works_at_once(store: Store) -> None:
    """It reads, changes what the abandoned one had changed, and commits."""
    began = time.monotonic()
    with Shop(store) as uow:
        assert [(each.code, each.quantity) for each in uow.products] == [("LAMP", 1)]
        uow.products["LAMP"].quantity = 3
        uow.commit()
    assert time.monotonic() - began < AT_ONCE
    assert [(row["code"], row["quantity"]) for row in rows(store, products)] == [("LAMP", 3)]


@pytest.mark.parametrize("way", WAYS)
def test_a_unit_that_is_never_left_says_which_line_has_opened_it(way: Callable[[Store], str], patient: Store) -> None:
    opened, warned = abandoned(patient, way)

    assert len(warned) == 1
    assert f"a Shop, {opened} was never left" in warned[0]


@pytest.mark.parametrize("way", WAYS)
def test_after_a_unit_that_was_never_left_the_next_one_works_at_once(
    way: Callable[[Store], str], patient: Store
) -> None:
    abandoned(patient, way)

    a_unit_works_at_once(patient)


@pytest.mark.parametrize("way", WAYS)
def test_after_a_unit_that_was_never_left_the_next_one_of_another_thread_works_at_once(
    way: Callable[[Store], str], patient: Store
) -> None:
    abandoned(patient, way)

    errors: list[BaseException] = []

    def work() -> None:
        try:
            a_unit_works_at_once(patient)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)

    assert not thread.is_alive()
    assert errors == []


@pytest.mark.parametrize("way", WAYS)
def test_the_connection_of_a_unit_that_was_never_left_is_back(way: Callable[[Store], str], patient: Store) -> None:
    abandoned(patient, way)

    if isinstance(patient, SqlStore):
        assert patient.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", WAYS)
def test_the_turn_of_a_unit_that_was_never_left_is_free(way: Callable[[Store], str], patient: Store) -> None:
    abandoned(patient, way)

    turn = patient._turn if isinstance(patient, SqlStore) else patient.turn  # type: ignore[attr-defined]
    assert turn is None or turn.is_free


def test_a_unit_that_waits_for_one_that_is_dropped_goes_on(patient: Store) -> None:
    uow = Shop(patient)
    uow.__enter__()
    work_in(uow)
    done: list[object] = []

    def work() -> None:
        try:
            with Shop(patient) as other:
                other.products.add(Product("DESK"))
                other.commit()
            done.append("stored")
        except BaseException as error:
            done.append(error)

    waiting = threading.Thread(target=work)
    waiting.start()
    time.sleep(0.2)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        del uow
        gc.collect()
    waiting.join(4)

    assert done == ["stored"]
    assert [row["code"] for row in rows(patient, products)] == ["DESK", "LAMP"]


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
@pytest.mark.parametrize("way", WAYS)
def test_the_locks_of_a_unit_that_was_never_left_are_free_for_other_programs_at_once(
    way: Callable[[Store], str], server: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{server}_url")
    for _ in made_store(request, server):
        store = SqlStore(url, mapping)
        stored(store, Product("LAMP", quantity=1))
        abandoned(store, way)

        began = time.monotonic()
        other = create_engine(url, poolclass=NullPool)
        with other.begin() as connection:
            connection.execute(products.update().values(quantity=9))

        assert time.monotonic() - began < AT_ONCE
        store.dispose()


def test_a_thread_that_gets_the_number_of_one_that_has_ended_is_nested_in_nothing(patient: Store) -> None:
    numbers: list[int] = []
    done: list[object] = []
    kept: list[Shop] = []

    def leave_open() -> None:
        uow = Shop(patient).reading().__enter__()
        uow.products.count()
        kept.append(uow)
        numbers.append(threading.get_ident())

    def work() -> None:
        numbers.append(threading.get_ident())
        try:
            with kept[0]:
                pass
        except BaseException as error:
            done.append(type(error).__name__)

    for target in (leave_open, work):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    kept[0].close()

    # The system mostly gives the number again. What is refused is the entry of this unit, which is open.
    assert done in (["UnitNested"], ["UnitInUse"])
    a_unit_works_at_once(patient)


def test_a_unit_of_a_thread_with_the_number_of_one_that_has_ended_waits_for_what_that_one_left_open(
    patient: Store,
) -> None:
    kept: list[Shop] = []
    done: list[object] = []

    def leave_open() -> None:
        uow = Shop(patient)
        uow.__enter__()
        work_in(uow)
        kept.append(uow)

    def work() -> None:
        try:
            a_unit_works_at_once(patient)
        except BaseException as error:
            done.append(error)

    first = threading.Thread(target=leave_open)
    first.start()
    first.join()
    second = threading.Thread(target=work)
    second.start()
    time.sleep(0.2)
    kept.pop().close()
    second.join(10)

    assert done == [] or type(done[0]).__name__ in ("Conflict", "LockTimeout")  # never UnitNested


@pytest.mark.parametrize("end", ["block", "close", "exit", "error", "generator"])
def test_a_unit_that_was_left_warns_of_nothing(end: str, patient: Store) -> None:
    def way(store: Store) -> str:
        uow = Shop(store)
        if end == "block":
            with uow:
                work_in(uow)
        elif end == "error":
            with pytest.raises(KeyError), uow:
                work_in(uow)
                raise KeyError
        elif end == "generator":
            suspended = generator(uow)
            next(suspended)
        else:
            uow.__enter__()
            work_in(uow)
            uow.close() if end == "close" else uow.__exit__(None, None, None)
        return ""

    def generator(uow: Shop) -> Iterator[None]:
        with uow:
            work_in(uow)
            yield

    _, warned = abandoned(patient, way)

    assert warned == []
    a_unit_works_at_once(patient)


def test_a_suspended_generator_that_holds_a_unit_in_a_stack_gives_it_back(patient: Store) -> None:
    def generator() -> Iterator[None]:
        stack = ExitStack()
        work_in(stack.enter_context(Shop(patient)))
        yield

    def way(store: Store) -> str:
        next(generator())
        return ""

    _, warned = abandoned(patient, way)

    assert len(warned) == 1
    a_unit_works_at_once(patient)


def test_many_units_in_a_row_that_were_never_left_take_up_no_connections(patient: Store) -> None:
    for _ in range(20):  # more than the pool has
        _, warned = abandoned(patient, a_cycle_of_garbage)
        assert len(warned) == 1

    a_unit_works_at_once(patient)


def test_a_unit_that_nobody_has_entered_warns_of_nothing(patient: Store) -> None:
    def way(store: Store) -> str:
        Shop(store)
        return ""

    assert abandoned(patient, way) == ("", [])


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_interrupt_while_an_abandoned_unit_is_ended_leaves_it_to_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In memory, the next unit that is opened ends it."""
    store = MemoryStore(mapping)
    stored(store, Product("LAMP", quantity=1))
    uow = Shop(store).__enter__()
    work_in(uow)
    del uow
    gc.collect()

    def interrupted(rows: MemoryRows) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(MemoryRows, "end", interrupted)
        Shop(store).__enter__()

    with Shop(store) as uow:
        work_in(uow)
        uow.commit()
    assert [row["quantity"] for row in rows(store, products) if row["code"] == "LAMP"] == [2]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_unit_that_was_open_already_is_not_kept_from_writing_by_an_abandoned_one() -> None:
    """As on a database: in memory nobody waits for locks, so that they have to be gone at once."""
    store = MemoryStore(mapping)
    stored(store, Product("LAMP", quantity=1))

    with Shop(store) as open_already:
        lamp = open_already.products["LAMP"]
        abandoned = Shop(store).__enter__()
        work_in(abandoned)
        del abandoned
        gc.collect()

        lamp.quantity = 3
        open_already.commit()

    assert [row["quantity"] for row in rows(store, products)] == [3]
