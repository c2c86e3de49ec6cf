"""Processes that fork: with a store in use, in the middle of a unit, and while other threads commit."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from honestwork.adapters import MemoryStore, SqlStore
from honestwork.domain import Conflict, HonestworkError, Misuse, WrongProcess
from honestwork.service_layer import Store

from .model import Bank, Transfer, furnish, mapping, works
from .report import Report
from .stores import left_behind, made, plain_engine, rows

__all__ = ["run"]

PATIENCE = 8.0  # seconds which a child may take
ACCOUNTS = 4
WHOLE = ACCOUNTS * 1000


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads is what is tested here
    end = time.monotonic() + seconds
    stores: dict[str, Callable[[], Store]] = {
        name: partial(made, url, lock_timeout=5.0, statement_timeout=10) for name, url in databases.items()
    }
    stores["memory"] = partial(MemoryStore, mapping)
    for name, make in stores.items():
        furnish(make(), ACCOUNTS) if name != "memory" else None
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        rounds += 1
        for name, make in stores.items():
            for case in (_used_before, _in_mid_unit, _while_others_commit):
                if case is _used_before and name == "memory":
                    continue
                if rounds > 1 and time.monotonic() > end:
                    break
                store = make()
                if name == "memory":
                    furnish(store, ACCOUNTS)
                case(report, name, store, f"{case.__name__}{rounds}")
                _end(report, name, store)
        _in_memory(report)


def _end(report: Report, name: str, store: Store) -> None:
    """The store works on in the parent, and has let go of everything."""
    report.within(10, f"{name}: a unit after the forks", lambda: _works(store))
    for each in left_behind(store):
        report.fault("leaked", f"{name} after forks: {each}")
    store.dispose()


def _works(store: Store) -> None:
    with Bank(store) as uow:
        works(uow)


# Children


@dataclass
class Child:
    """A forked process, which says a word of JSON at its end."""

    pid: int
    pipe: int

    def result(self, report: Report, note: str) -> Any:
        """What it has said; None if it hangs, and is killed, or ends without a word."""
        end, said = time.monotonic() + PATIENCE, b""
        while (left := end - time.monotonic()) > 0 and select.select([self.pipe], [], [], left)[0]:
            if not (more := os.read(self.pipe, 65536)):
                break
            said += more
        os.close(self.pipe)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        report.did("children")
        if not said:
            report.fault("stuck", f"{note}: the child hangs, or ended without a word")
            return None
        return json.loads(said)


def forked(work: Callable[[], Any]) -> Child:
    """Fork, do the work in the child, and end it without a visit to what its parent has on its stack."""
    reader, writer = os.pipe()
    if (pid := os.fork()) != 0:
        os.close(writer)
        return Child(pid, reader)
    try:
        try:
            said = work()
        except BaseException as error:
            said = {"broke": _error(error)}
        os.write(writer, json.dumps(said).encode())
    finally:
        os._exit(0)


def _error(error: BaseException) -> str:
    tree = "" if isinstance(error, HonestworkError) else "outside of the tree: "
    return f"{tree}{type(error).__name__}: {str(error)[:160]}"


def _fault(report: Report, note: str, error: str) -> None:
    report.fault("outside" if error.startswith("outside") else "stuck", f"{note}: {error}")


# Cases


def _used_before(report: Report, name: str, store: Store, label: str) -> None:
    """Parent and children use a store that the parent has used before: all that is acknowledged is stored."""

    def work(who: str) -> dict[str, Any]:
        stored, errors = [], []
        for number in range(15):
            transfer = f"{label}-{who}-{number}"
            try:
                with Bank(store) as uow:
                    uow.accounts.get(number % ACCOUNTS)
                    uow.transfers.add(Transfer(transfer, 0, 0, 0))
                    uow.commit()
                stored.append(transfer)
            except BaseException as error:
                errors.append(_error(error))
        return {"stored": stored, "errors": errors}

    _works(store)
    children = [forked(partial(work, f"child{number}")) for number in range(2)]
    told: list[dict[str, Any]] = []
    report.within(PATIENCE, f"{name}, used before the fork, in the parent", lambda: told.append(work("parent")))
    for child in children:
        result = child.result(report, f"{name}, used before the fork") or {"broke": "it says nothing"}
        told += [{"stored": [], "errors": [result["broke"]]} if "broke" in result else result]
    assert isinstance(store, SqlStore)
    engine = plain_engine(store.engine.url.render_as_string(hide_password=False))
    stored = {row[0] for row in rows(engine)["transfers"]}
    engine.dispose()
    for each in told:
        missing = [transfer for transfer in each["stored"] if transfer not in stored]
        report.fault("unstored", f"{name}, used before the fork: {missing[:3]}", len(missing))
        report.did("commits around forks", len(each["stored"]))
        for error in each["errors"]:
            _fault(report, f"{name}, used before the fork", error)


def _in_mid_unit(report: Report, name: str, store: Store, label: str) -> None:
    """A child is forked in the middle of a unit: it can do nothing with it, and ends nothing of its parent's."""
    note = f"{name}, forked in mid-unit"

    def in_child(uow: Bank) -> dict[str, Any]:
        said: dict[str, Any] = {}
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: uow.accounts.get(0),
            "flush": uow.flush,
            "commit": uow.commit,
        }
        for what, call in calls.items():
            try:
                call()
                said[what] = "allowed"
            except Misuse:
                said[what] = "refused"
            except BaseException as error:
                said[what] = _error(error)
        try:
            uow.__exit__(None, None, None)
        except BaseException as error:
            said["exit"] = _error(error)
        try:
            with Bank(store).reading() as other:
                whole = sum(other.accounts.select(lambda account: account.balance, lambda each: each.number < 4))
            said["sum"] = whole
        except WrongProcess:
            said["reading"] = "refused"
        except BaseException as error:
            said["reading"] = _error(error)
        store.dispose()
        gc.collect()
        return said

    transfer = f"{label}-mid"

    def work() -> None:
        with Bank(store) as uow:
            uow.transfers.add(Transfer(transfer, 0, 1, 1))
            uow.accounts[0].balance -= 1
            uow.accounts[1].balance += 1
            uow.flush()
            said = forked(lambda: in_child(uow)).result(report, note)
            for what, answer in (said or {}).items():
                if answer == "allowed":
                    report.fault("lost", f"{note}: the child's {what} in its parent's unit is allowed")
                elif what == "sum" and answer != WHOLE:
                    report.fault("lost", f"{note}: the child sees {answer} altogether")
                elif what == "reading" and (answer == "refused") != (name == "sqlite"):  # which forbids it
                    _fault(report, f"{note}, reading in the child", answer)
                elif answer not in ("refused", WHOLE):
                    _fault(report, f"{note}, {what} in the child", answer)
            uow.commit()
        with Bank(store) as uow:
            if uow.transfers.get(transfer) is None:
                report.fault("unstored", f"{note}: what the parent commits")
            report.did("commits around forks")

    report.within(PATIENCE + 10, note, work)


def _while_others_commit(report: Report, name: str, store: Store, label: str) -> None:
    """Children are forked while threads commit, at any moment of it: each sees a whole state, and works."""
    note = f"{name}, forked while threads commit"
    done = threading.Event()

    def commit(number: int) -> None:
        uow, count = Bank(store), 0
        while not done.is_set():
            count += 1
            try:
                with uow:
                    uow.accounts[number].balance -= 1
                    uow.accounts[number + 1].balance += 1
                    uow.transfers.add(Transfer(f"{label}-{number}-{count}", number, number + 1, 1))
                    uow.commit()
            except Conflict:
                continue
            except BaseException as error:
                report.failed(note, error)
                return
            report.did("commits around forks")
            time.sleep(0.002)  # for SQLite lets in whoever asks at the right moment

    def in_child() -> dict[str, Any]:
        with Bank(store).reading() as uow:
            whole = sum(uow.accounts.select(lambda account: account.balance, lambda each: each.number < 4))
        for attempt in range(20):
            try:
                with Bank(store) as uow:
                    uow.accounts.get(0)
                    uow.transfers.add(Transfer(f"{label}-child{os.getpid()}-{attempt}", 0, 0, 0))
                    uow.commit()
                break
            except Conflict:
                continue
        return {"sum": whole}

    threads = [threading.Thread(target=commit, args=(number,), daemon=True) for number in (0, 2)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        time.sleep(0.01)
        result = forked(in_child).result(report, note)
        if result is not None and "broke" in result:
            _fault(report, note, result["broke"])
        elif result is not None and result["sum"] != WHOLE:
            report.fault("lost", f"{note}: the child sees {result['sum']} altogether")
    done.set()
    for thread in threads:
        thread.join(10)
        report.fault("stuck", f"{note}: a thread of the parent", int(thread.is_alive()))


def _in_memory(report: Report) -> None:
    """A database in SQLite's memory stays with the process that made it: a child is refused, and is told why."""
    store = made("sqlite://")
    furnish(store)

    def in_child() -> str:
        try:
            with Bank(store) as uow:
                found = uow.accounts.count()
        except HonestworkError as error:
            return "refused" if "fork" in str(error) or "process" in str(error) else f"no reason: {error}"
        return f"found {found} accounts"

    said = forked(in_child).result(report, "SQLite in memory")
    if said is not None and said != "refused":
        report.fault("lost", f"SQLite in memory, in a child: {said}")
    _end(report, "SQLite in memory", store)
