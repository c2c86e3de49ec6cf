"""Units that are never left: in a thread that ends, in a cycle of garbage, in a generator that is dropped."""

from __future__ import annotations

import gc
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from honestwork.adapters import MemoryStore
from honestwork.domain import Conflict, UnitNested
from honestwork.service_layer import Store

from .model import COUNTER, Bank, Transfer, furnish, mapping, works
from .report import Report
from .stores import left_behind, made

__all__ = ["run"]

SOON = 2.0  # seconds in which the next unit works


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="honestwork", ignore_cleanup_errors=True) as folder:
        for name, make in _stores(databases, Path(folder)).items():
            _told(report, name, partial(_each_way, report, name, make))
        share = max(end - time.monotonic(), 1.0) / 2
        for name in ("memory", "sqlite"):
            store = MemoryStore(mapping) if name == "memory" else made(f"sqlite:///{folder}/storm.db")
            furnish(store)
            note = f"{name}, while others commit"
            _told(report, note, partial(_storm, report, note, store, share))


def _told(report: Report, note: str, work: Callable[[], object]) -> None:
    """An error ends this work, and not that on the other stores."""
    try:
        work()
    except Exception as error:
        report.failed(note, error)


def _each_way(report: Report, name: str, make: Callable[[], Store]) -> None:
    store = make()
    furnish(store)
    for way in (_in_a_thread, _in_a_cycle, _in_a_generator, _many):
        if not _abandon(report, f"{name}, {way.__name__[1:].replace('_', ' ')}", store, way):
            store = make()  # the one before takes no more writes
            if name in ("memory", "sqlite in memory"):
                furnish(store)
    store.dispose()


def _stores(databases: dict[str, str], folder: Path) -> dict[str, Callable[[], Store]]:
    stores: dict[str, Callable[[], Store]] = {
        "memory": lambda: MemoryStore(mapping),
        "sqlite in memory": lambda: made("sqlite://"),
        "sqlite deferred": lambda: made(f"sqlite:///{folder}/deferred.db", begin="deferred"),
    }
    for name, url in databases.items():
        stores[name] = partial(made, url)
    return stores


def _entered(store: Store) -> Bank:
    uow = Bank(store)
    uow.__enter__()
    uow.accounts[0].balance = 777
    uow.transfers.add(Transfer("abandoned", 0, 1, 1))
    uow.flush()
    return uow


def _in_a_thread(store: Store) -> None:
    thread = threading.Thread(target=lambda: _entered(store) and None)
    thread.start()
    thread.join()


def _in_a_cycle(store: Store) -> None:
    cycle: list[Any] = [_entered(store)]
    cycle.append(cycle)


def _in_a_generator(store: Store) -> None:
    def rows() -> Iterator[int]:
        with Bank(store) as uow:
            uow.accounts[0].balance = 777
            uow.transfers.add(Transfer("abandoned", 0, 1, 1))
            uow.flush()
            yield from range(3)

    reading = rows()
    next(reading)
    del reading  # which leaves the block: what is tested is that this does no harm


def _many(store: Store) -> None:
    """One after the other, each in the way of the next one until it is collected."""
    for _ in range(10):
        _in_a_thread(store)
        gc.collect()


def _abandon(report: Report, note: str, store: Store, way: Callable[[Store], None]) -> bool:
    """Abandon a unit; whatever it held comes back, nothing of it is stored, and it is told in a ResourceWarning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if not report.within(20, note, lambda: way(store)):
            return False
        gc.collect()
        report.did("units abandoned")
        fine = report.within(SOON, f"{note}, the next unit of another thread", lambda: _works(store))
        try:
            _works(store)
        except BaseException as error:
            report.failed(f"{note}, the next unit of this thread", error)
            fine = False
    if way is not _in_a_generator and not any(each.category is ResourceWarning for each in caught):
        report.fault("leaked", f"{note}: no ResourceWarning")
    for each in left_behind(store):
        report.fault("leaked", f"{note}: {each}")
    try:
        with Bank(store).reading() as uow:
            if uow.accounts[0].balance == 777 or uow.transfers.get("abandoned") is not None:
                report.fault("uncommitted", note)
                fine = False
    except BaseException as error:
        report.failed(f"{note}, reading", error)
        return False
    return fine


def _works(store: Store) -> None:
    with Bank(store) as uow:
        works(uow)


def _storm(report: Report, note: str, store: Store, seconds: float) -> None:
    """Threads commit while others abandon units, and garbage is collected all the time: also inside of locks."""
    done = threading.Event()
    acknowledged = [0] * 3

    def commit(number: int) -> None:
        while not done.is_set():
            try:
                _works(store)
                acknowledged[number] += 1
            except Conflict:
                continue
            except BaseException as error:
                report.failed(note, error)
                return

    def abandon() -> None:
        while not done.is_set():
            try:
                cycle: list[Any] = [_entered(store)]
                cycle.append(cycle)
                report.did("units abandoned")
            except (Conflict, UnitNested):  # the one before is not collected yet
                gc.collect()
                continue
            except BaseException as error:
                report.failed(note, error)
                return
            del cycle
            time.sleep(0.001)

    thresholds = gc.get_threshold()
    gc.set_threshold(20, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            threads = [threading.Thread(target=commit, args=(number,), daemon=True) for number in range(3)]
            threads.append(threading.Thread(target=abandon, daemon=True))
            for thread in threads:
                thread.start()
            time.sleep(seconds)
            done.set()
            for thread in threads:
                thread.join(10)
                report.fault("stuck", f"{note}: a thread does not end", int(thread.is_alive()))
        finally:
            gc.set_threshold(*thresholds)
        gc.collect()
        if any(thread.is_alive() for thread in threads):
            return
        report.within(SOON, f"{note}: a unit afterwards", lambda: _works(store))
        with Bank(store).reading() as uow:
            missing = sum(acknowledged) - uow.accounts[COUNTER].balance
        report.did("commits beside abandoned units", sum(acknowledged))
        report.fault("unstored", f"{note}: {missing} commits", max(missing, 0))
        for each in left_behind(store):
            report.fault("leaked", f"{note}: {each}")
