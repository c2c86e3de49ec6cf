"""Who interrupts a unit of work, as Ctrl-C and a signal's timeout do, finds it undone and nothing hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from honestwork.adapters import SqlStore
from honestwork.adapters.engine.session import EngineSession
from honestwork.domain import UnitFailed
from honestwork.service_layer import Store
from tests.contract.conftest import made_store
from tests.contract.shop import Product, Shop, products, rows, stored
from tests.stores import STORES


class TookTooLong(Exception):
    """What a signal handler raises."""


@pytest.fixture(params=[KeyboardInterrupt, TookTooLong])
def interrupt(request: pytest.FixtureRequest) -> type[BaseException]:
    raised: type[BaseException] = request.param
    return raised


@pytest.fixture(params=[each for each in STORES if each != "memory"])
def database(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """A database in which there is a lamp."""
    for store in made_store(request, request.param):
        assert isinstance(store, SqlStore)
        stored(store, Product("LAMP", quantity=1))
        yield store


@contextmanager
def raising(error: type[BaseException], store: SqlStore, when: str) -> Iterator[None]:
    """For as long as the block, the next statement that begins so, or event of this name, raises the error."""
    left = [error]

    def interrupted(*about: Any) -> None:
        if left and (when.islower() or about[2].startswith(when)):
            raise left.pop()

    heard = when if when.islower() else "before_cursor_execute"
    event.listen(store.engine, heard, interrupted)
    try:
        yield
    finally:
        event.remove(store.engine, heard, interrupted)


def changed(uow: Shop) -> None:
    uow.products["LAMP"].quantity = 2
    uow.products.add(Product("RUG"))
    uow.commit()


def nested(uow: Shop) -> None:
    with uow.nested():
        uow.products["LAMP"].quantity = 2
        uow.products.add(Product("RUG"))
        uow.flush()


@pytest.mark.parametrize(
    ("service", "when"),
    [
        (changed, "SELECT"),
        (changed, "UPDATE"),
        (changed, "INSERT"),
        (changed, "commit"),
        (nested, "UPDATE"),
        (nested, "INSERT"),
        (nested, "release_savepoint"),
    ],
)
def test_an_interrupt_comes_out_as_it_is_and_undoes_what_it_interrupts(
    service: Callable[[Shop], None], when: str, interrupt: type[BaseException], database: SqlStore
) -> None:
    with Shop(database) as uow:
        lamp = uow.products["LAMP"]
        uow.commit()

        with raising(interrupt, database, when), pytest.raises(interrupt):
            service(uow)

        assert service is changed or lamp.quantity == 1
        uow.rollback()
        assert uow.products.count() == 1

    assert [(row["code"], row["quantity"]) for row in rows(database, products)] == [("LAMP", 1)]


@pytest.mark.parametrize("when", ["UPDATE", "commit"])
def test_after_an_interrupt_a_unit_refuses_all_but_a_rollback(
    when: str, interrupt: type[BaseException], database: SqlStore
) -> None:
    with Shop(database) as uow:
        with raising(interrupt, database, when), pytest.raises(interrupt):
            changed(uow)

        for attempt in (uow.products.count, uow.commit, uow.flush):
            with pytest.raises(UnitFailed):
                attempt()


def test_after_an_interrupt_in_a_search_a_unit_refuses_all_but_a_rollback(
    interrupt: type[BaseException], database: SqlStore
) -> None:
    with Shop(database) as uow:
        with raising(interrupt, database, "SELECT"), pytest.raises(interrupt):
            uow.products.count()

        with pytest.raises(UnitFailed):
            uow.products.count()
        uow.rollback()
        assert uow.products.count() == 1


def test_after_an_interrupt_before_a_block_is_undone_a_unit_refuses_to_commit_half_of_it(
    store: Store, interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt comes first of all when the block is left."""

    class LeftTooLate:
        def __init__(self, block: AbstractContextManager[None]) -> None:
            self.block = block

        def __enter__(self) -> None:
            self.block.__enter__()

        def __exit__(self, *about: object) -> None:
            raise interrupt

    nested = EngineSession.nested
    monkeypatch.setattr(EngineSession, "nested", lambda session: LeftTooLate(nested(session)))

    with Shop(store) as uow:
        with pytest.raises(interrupt), uow.nested():
            uow.products.add(Product("RUG"))
            uow.flush()
            raise ValueError

        with pytest.raises(UnitFailed):
            uow.commit()
        uow.rollback()
        assert uow.products.count() == 0

    assert rows(store, products) == []


@pytest.mark.parametrize(
    "call",
    [lambda uow: uow.products.get(object()), lambda uow: uow.products.add(object())],
    ids=["get", "add"],
)
def test_an_interrupt_while_a_call_is_refused_leaves_the_unit_to_other_threads(
    call: Callable[[Shop], object], store: Store, interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*about: object) -> None:
        raise interrupt

    with Shop(store) as uow, ThreadPoolExecutor(1) as pool:
        with monkeypatch.context() as patched, pytest.raises(interrupt):
            patched.setattr(EngineSession, "end_call_by", interrupted)
            call(uow)

        assert pool.submit(uow.products.count).result() == 0
