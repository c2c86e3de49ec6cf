"""Who may use a unit of work, and when: one caller at a time, whoever it is."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.adapters.repositories.repository import StoredRepository
from honestwork.domain import Conflict, LockTimeout, UnitClosed, UnitInUse, UnitNested
from honestwork.service_layer import Store
from tests.contract.conftest import made_store
from tests.contract.shop import Product, Shop, mapping, products, rows, stored

R = TypeVar("R")

SOON = 10.0  # seconds after which a test counts as one that hangs
AT_ONCE = 1.0  # seconds; the stores with one writer wait longer for their turn


def elsewhere(call: Callable[[], R]) -> R:
    """What a call gives in a thread of its own, which has ended by then."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(SOON)


def codes(store: Store) -> list[str]:
    """The products that are committed."""
    return [row["code"] for row in rows(store, products)]


def line_above() -> str:
    """The line above the one that calls this, as errors write it."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f"opened at {frame.f_code.co_filename}:{frame.f_back.f_lineno - 1},"


# Threads that take turns


def test_a_unit_is_entered_used_and_left_by_three_threads(store: Store) -> None:
    uow = Shop(store)

    elsewhere(uow.__enter__)
    elsewhere(lambda: uow.products.add(Product("LAMP")))
    elsewhere(uow.commit)
    elsewhere(lambda: uow.__exit__(None, None, None))

    assert codes(store) == ["LAMP"]


def test_what_one_thread_has_added_another_one_finds_changes_and_undoes(store: Store) -> None:
    uow = Shop(store)

    with uow:
        lamp = elsewhere(lambda: added(uow, "LAMP"))
        found = elsewhere(lambda: uow.products["LAMP"])
        elsewhere(uow.rollback)
        count = elsewhere(uow.products.count)

    assert found is lamp
    assert count == 0


def test_a_block_of_a_savepoint_is_entered_and_left_by_two_threads(store: Store) -> None:
    with Shop(store) as uow:
        block = uow.nested()
        elsewhere(block.__enter__)
        uow.products.add(Product("RUG"))
        uow.flush()
        error = KeyError()
        elsewhere(lambda: block.__exit__(KeyError, error, None))
        uow.products.add(Product("LAMP"))
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_a_unit_that_another_thread_has_left_is_closed_and_can_be_entered_again(store: Store) -> None:
    uow = Shop(store)
    uow.__enter__()
    repository = uow.products
    elsewhere(lambda: uow.__exit__(None, None, None))

    with pytest.raises(UnitClosed):
        repository.count()
    with pytest.raises(UnitClosed):
        uow.commit()
    with uow:
        assert uow.products.count() == 0


@pytest.mark.parametrize("end", ["close", "exit"])
def test_to_end_a_unit_twice_is_the_same_as_once(end: str, store: Store) -> None:
    uow = Shop(store)
    with uow:
        uow.products.add(Product("LAMP"))
        uow.flush()
        for _ in range(2):
            elsewhere(uow.close if end == "close" else lambda: uow.__exit__(None, None, None))

        with pytest.raises(UnitClosed):
            uow.commit()

    assert codes(store) == []
    with uow:
        uow.products.add(Product("LAMP"))
        uow.commit()
    assert codes(store) == ["LAMP"]


def added(uow: Shop, code: str) -> Product:
    product = Product(code)
    uow.products.add(product)
    return product


# Two at the same moment


class Held:
    """A thread that stays in the middle of adding a LAMP, for as long as the block."""

    def __init__(self, uow: Shop) -> None:
        self.uow = uow
        self.is_in, self.go = threading.Event(), threading.Event()
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self) -> None:
        original = StoredRepository._require_ours

        def slowly(repository: Any, aggregate: Any) -> None:
            if aggregate is lamp:
                self.is_in.set()
                assert self.go.wait(SOON)
            original(repository, aggregate)

        lamp = Product("LAMP")
        self.patch = patch.object(StoredRepository, "_require_ours", slowly)
        self.patch.start()
        self.call = self.pool.submit(self.uow.products.add, lamp)
        assert self.is_in.wait(SOON)

    def __exit__(self, *raised: object) -> None:
        self.go.set()
        self.pool.shutdown()
        self.patch.stop()
        self.call.result()


CALLS: dict[str, Callable[[Shop], Any]] = {
    "get": lambda uow: uow.products.get("LAMP"),
    "add": lambda uow: uow.products.add(Product("DESK")),
    "find": lambda uow: uow.products.find(lambda product: product.quantity > 0),
    "count": lambda uow: uow.products.count(),
    "iterate": lambda uow: list(uow.products),
    "remove_where": lambda uow: uow.products.remove_where(lambda product: product.quantity > 0),
    "another repository": lambda uow: uow.seats.count(),
    "flush": lambda uow: uow.flush(),
    "commit": lambda uow: uow.commit(),
    "rollback": lambda uow: uow.rollback(),
    "nested": lambda uow: uow.nested().__enter__(),
    "leave": lambda uow: uow.__exit__(None, None, None),
    "close": lambda uow: uow.close(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_second_call_at_the_same_moment_is_refused_at_once_and_the_first_loses_nothing(
    call: str, store: Store
) -> None:
    with Shop(store) as uow:
        opened = line_above()
        with Held(uow):
            began = time.monotonic()

            with pytest.raises(UnitInUse) as refused:
                CALLS[call](uow)

            assert time.monotonic() - began < AT_ONCE
            assert opened in str(refused.value)
        uow.commit()

    assert codes(store) == ["LAMP"]


def test_a_unit_that_one_thread_has_open_cannot_be_entered_by_another(store: Store) -> None:
    with Shop(store) as uow:
        opened = line_above()
        for enter in (uow.__enter__, uow.reading().__enter__):
            with pytest.raises(UnitInUse, match=re.escape(opened)):
                elsewhere(enter)

        uow.products.add(Product("LAMP"))
        uow.commit()
    assert codes(store) == ["LAMP"]


def test_a_unit_that_is_entered_twice_by_one_thread_is_nested(store: Store) -> None:
    with Shop(store) as uow:
        for enter in (uow.__enter__, uow.reading().__enter__):
            with pytest.raises(UnitNested, match=r"test_callers\.py:\d+, is still open"):
                enter()

        uow.products.add(Product("LAMP"))
        uow.commit()
    assert codes(store) == ["LAMP"]


def test_of_many_threads_that_use_one_unit_some_are_refused_and_nothing_is_lost(store: Store) -> None:
    done: list[str] = []
    refused: list[str] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(SOON)
        for count in range(25):
            code = f"{number}-{count:02}"
            try:
                uow.products.add(Product(code))
            except UnitInUse:
                refused.append(code)
            else:
                done.append(code)

    with Shop(store) as uow, ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, number) for number in range(4)]:
            each.result(SOON)
        uow.commit()

    assert len(done) + len(refused) == 100
    assert codes(store) == sorted(done)


# Tasks


def test_a_unit_that_was_entered_in_a_task_is_refused_in_one_that_does_not_descend_from_it(store: Store) -> None:
    uow = Shop(store)
    entered, refused = asyncio.Event(), asyncio.Event()
    errors: list[UnitInUse] = []

    async def owner() -> None:
        with uow:
            uow.products.add(Product("LAMP"))
            entered.set()
            await refused.wait()
            uow.commit()

    async def stranger() -> None:
        await entered.wait()
        for call in (uow.commit, uow.rollback, uow.flush, uow.products.count, lambda: uow.products.add(Product("RUG"))):
            with pytest.raises(UnitInUse, match=r"test_callers\.py:\d+, belongs to another task") as caught:
                call()
            errors.append(caught.value)
        refused.set()

    async def both() -> None:
        await asyncio.wait_for(asyncio.gather(owner(), stranger()), SOON)

    asyncio.run(both())

    assert len(errors) == 5
    assert codes(store) == ["LAMP"]


def test_a_unit_that_was_entered_in_a_task_serves_its_child_tasks(store: Store) -> None:
    async def endpoint(uow: Shop) -> None:
        await asyncio.sleep(0)
        uow.products.add(Product("LAMP"))

    async def middleware() -> None:
        with Shop(store) as uow:
            await asyncio.create_task(endpoint(uow))
            await asyncio.gather(*(asyncio.create_task(endpoint_of_a_child(uow)) for _ in range(2)))
            uow.commit()

    async def endpoint_of_a_child(uow: Shop) -> None:
        await asyncio.create_task(counted(uow))

    async def counted(uow: Shop) -> None:
        assert uow.products.count() == 1

    asyncio.run(asyncio.wait_for(middleware(), SOON))

    assert codes(store) == ["LAMP"]


def test_a_unit_that_was_entered_in_a_task_serves_the_threads_that_the_task_waits_for(store: Store) -> None:
    async def service() -> None:
        with Shop(store) as uow:
            await asyncio.to_thread(uow.products.add, Product("LAMP"))
            await asyncio.get_running_loop().run_in_executor(None, uow.products.add, Product("RUG"))
            await asyncio.to_thread(uow.commit)

    asyncio.run(asyncio.wait_for(service(), SOON))

    assert codes(store) == ["LAMP", "RUG"]


def test_tasks_with_a_unit_each_do_not_disturb_one_another(store: Store) -> None:
    async def service(number: int) -> int:
        with Shop(store).reading() as uow:
            await asyncio.sleep(0.001 * (number % 3))
            found = uow.products.count()
            await asyncio.sleep(0)
            return found + uow.products.count()

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(service(number) for number in range(10)))

    stored(store, Product("LAMP"))

    assert asyncio.run(asyncio.wait_for(all_of_them(), SOON)) == [2] * 10


# As web frameworks do it


def test_a_dependency_that_yields_a_unit_serves_requests_whose_parts_run_on_threads_of_a_pool(
    request_store: Store,
) -> None:
    """FastAPI enters and leaves a dependency on any thread of its pool, and runs the endpoint on another one."""

    def dependency() -> Iterator[Shop]:
        with Shop(request_store) as uow:
            yield uow

    def endpoint(uow: Shop, number: int) -> int:
        uow.products.add(Product(f"{number:03}"))
        uow.commit()
        return number

    async def answer(number: int) -> int:
        given = dependency()
        uow = await in_the_pool(lambda: next(given))
        try:
            return await in_the_pool(lambda: endpoint(uow, number))
        finally:
            await in_the_pool(lambda: next(given, None))

    async def in_the_pool(call: Callable[[], R]) -> R:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(pool, lambda: context.run(call))

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(answer(number) for number in range(100)), return_exceptions=True)

    with ThreadPoolExecutor(40) as pool:
        answers = asyncio.run(asyncio.wait_for(all_of_them(), 60))

    assert answers == list(range(100))
    assert codes(request_store) == [f"{number:03}" for number in range(100)]


@pytest.fixture(params=["memory", "sqlite", "postgres", "mariadb"])
def request_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with which 100 requests at once wait for one another, as in production."""
    if request.param == "memory":
        yield MemoryStore(mapping)
        return
    for _ in made_store(request, request.param):  # its tables
        url = request.getfixturevalue(f"{request.param}_url")
        store = SqlStore(url, mapping, lock_timeout=30, durability="process")
        yield store
        store.dispose()


# One writer


@pytest.fixture(params=["one writer in memory", "sqlite", "sqlite in memory"])
def one_writer(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store in which one unit writes at a time, and others wait for it for two seconds."""
    if request.param == "one writer in memory":
        yield MemoryStore(mapping, one_writer=True, lock_timeout=2)
        return
    url = "sqlite://" if request.param.endswith("memory") else request.getfixturevalue("sqlite_url")
    store = SqlStore(url, mapping, lock_timeout=2, durability="process")
    store.create_tables()
    yield store
    store.dispose()


def written(uow: Shop, code: str) -> None:
    uow.products.add(Product(code))
    uow.flush()


def test_a_second_writing_unit_inside_of_the_first_is_refused_at_once(one_writer: Store) -> None:
    with Shop(one_writer) as outer:
        written(outer, "LAMP")
        began = time.monotonic()

        with Shop(one_writer) as inner, pytest.raises(UnitNested, match="inside another one"):
            written(inner, "RUG")

        assert time.monotonic() - began < AT_ONCE
        outer.commit()
    stored(one_writer, Product("DESK"))
    assert codes(one_writer) == ["DESK", "LAMP"]


def test_a_unit_inside_of_another_one_is_refused_also_in_a_thread_that_it_waits_for(one_writer: Store) -> None:
    async def service() -> None:
        with Shop(one_writer) as outer:
            written(outer, "LAMP")
            with Shop(one_writer) as inner, pytest.raises(UnitNested):
                await asyncio.to_thread(written, inner, "RUG")
            outer.commit()

    asyncio.run(asyncio.wait_for(service(), SOON))

    assert codes(one_writer) == ["LAMP"]


def test_an_unrelated_unit_on_another_thread_waits_for_its_turn(one_writer: Store) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Shop(one_writer) as uow:
            written(uow, "LAMP")
            later = pool.submit(stored, one_writer, Product("RUG"))
            time.sleep(0.1)
            assert not later.done()
            uow.commit()

        later.result(SOON)

    assert codes(one_writer) == ["LAMP", "RUG"]


def test_an_unrelated_unit_waits_no_longer_than_its_lock_timeout(one_writer: Store) -> None:
    with Shop(one_writer) as uow:
        written(uow, "LAMP")
        began = time.monotonic()

        with pytest.raises(LockTimeout, match="for 2 seconds"):
            elsewhere(lambda: stored(one_writer, Product("RUG")))

        assert 1.9 < time.monotonic() - began < 5


def test_an_event_loop_is_not_made_to_wait_for_a_turn(one_writer: Store) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with Shop(one_writer) as uow:
            written(uow, "LAMP")
            holding.set()
            assert done.wait(SOON)
            uow.commit()

    async def service() -> None:
        with Shop(one_writer) as uow:
            began = time.monotonic()
            with pytest.raises(Conflict, match="would block the event loop"):
                written(uow, "RUG")
            assert time.monotonic() - began < AT_ONCE
        done.set()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert holding.wait(SOON)
        try:
            asyncio.run(service())
        finally:
            done.set()
        held.result(SOON)

    asyncio.run(asyncio.wait_for(asyncio.to_thread(stored, one_writer, Product("RUG")), SOON))
    assert codes(one_writer) == ["LAMP", "RUG"]


# A database in SQLite's memory has one connection for all units.
@pytest.mark.parametrize("one_writer", ["one writer in memory", "sqlite"], indirect=True)
def test_a_reading_unit_inside_of_a_writing_one_is_free_of_the_turn(one_writer: Store) -> None:
    with Shop(one_writer) as outer:
        written(outer, "LAMP")

        with Shop(one_writer).reading() as inner:
            assert inner.products.count() == 0

        outer.commit()
    assert codes(one_writer) == ["LAMP"]


def test_where_units_overlap_one_may_be_inside_of_another(store: Store) -> None:
    stored(store, Product("LAMP", quantity=1))
    with Shop(store) as outer:
        assert outer.products["LAMP"].quantity == 1

        stored(store, Product("RUG"))

    assert codes(store) == ["LAMP", "RUG"]
