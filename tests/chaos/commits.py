"""Connections that are lost in a COMMIT, after which nobody knows; and connections that were lost while idle."""

from __future__ import annotations

import threading
import time

from honestwork.domain import CommitOutcomeUnknown

from .model import Bank, Transfer, furnish, works
from .proxy import CUT, DROP, PASS, SILENT, SWALLOW, Proxy
from .report import Report
from .stores import left_behind, made, plain_engine, rows, terminate_all

__all__ = ["run"]

STORED = {DROP: True, CUT: True, SWALLOW: False}
IDLE = 4  # connections that are killed while nobody uses them


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    cases = {name: url for name, url in databases.items() if name != "sqlite"}
    for name, url in cases.items():
        store = made(url)
        furnish(store)
        end = time.monotonic() + seconds / len(cases)
        _falls_silent(report, name, url)
        _killed_while_idle(report, name, url)
        _lost_in_commits(report, name, url, end)
        store.dispose()


def _lost_in_commits(report: Report, name: str, url: str, end: float) -> None:
    """Each of them is told as unknown, the next unit works, and a retry of what is known to be undone pays once."""
    expected: dict[str, bool] = {}
    with Proxy(url) as proxy:
        store = made(proxy.url, statement_timeout=10, connect_timeout=5)
        number = 0
        while number < len(STORED) or time.monotonic() < end:
            mode = list(STORED)[number % len(STORED)]
            transfer = f"commit-{number}"
            number += 1
            note = f"{name}, COMMIT and {mode}"
            report.within(20, note, lambda: _lose(report, note, proxy, Bank(store), transfer, mode))  # noqa: B023
            expected[transfer] = STORED[mode]
            if not report.within(10, f"{note}: the next unit", lambda: _works(Bank(store))):
                break
            report.did(f"{name} lost commits")
        for each in left_behind(store):
            report.fault("leaked", f"{name}, lost commits: {each}")
        store.dispose()
    engine = plain_engine(url)
    stored = {row[0] for row in rows(engine)["transfers"]}
    engine.dispose()
    for transfer, is_stored in expected.items():
        if (transfer in stored) != is_stored:
            report.fault("lost" if is_stored else "uncommitted", f"{name}, {transfer}")


def _lose(report: Report, note: str, proxy: Proxy, uow: Bank, transfer: str, mode: str) -> None:
    try:
        with uow:
            uow.transfers.add(Transfer(transfer, 0, 1, 1))
            uow.flush()
            proxy.mode = mode
            uow.commit()
        report.fault("unstored" if mode == SWALLOW else "lost", f"{note}: acknowledged")
    except CommitOutcomeUnknown:
        pass
    except BaseException as error:
        report.failed(note, error)
    finally:
        proxy.mode = PASS


def _falls_silent(report: Report, name: str, url: str) -> None:
    """The server falls silent before COMMIT: told as unknown, when the time for a statement is up."""
    with Proxy(url) as proxy:
        store = made(proxy.url, statement_timeout=1, connect_timeout=2)
        note = f"{name}, COMMIT and {SILENT}"
        report.within(8, note, lambda: _lose(report, note, proxy, Bank(store), "silent", SILENT))
        report.did("silent commits")


def _killed_while_idle(report: Report, name: str, url: str) -> None:
    """The first units after that work, all of them: nothing of theirs had been done."""
    store = made(url, pool_size=IDLE, max_overflow=0)
    for round_ in range(4):
        ready = threading.Barrier(IDLE)

        def fill(ready: threading.Barrier = ready) -> None:
            with Bank(store).reading() as uow:
                uow.accounts.get(1)
                ready.wait(10)

        threads = [threading.Thread(target=fill) for _ in range(IDLE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report.did("idle connections killed", terminate_all(url, idle=True))
        time.sleep(0.1)
        note = f"{name}, the first unit after idle connections were killed"
        for number in range(IDLE):
            if (number + round_) % 2:
                report.within(10, note, lambda: _works(Bank(store)))
            else:
                report.within(10, f"{note}, reading", lambda: _reads(Bank(store)))
    for each in left_behind(store):
        report.fault("leaked", f"{name}, killed while idle: {each}")
    store.dispose()


def _works(uow: Bank) -> None:
    with uow:
        works(uow)


def _reads(uow: Bank) -> None:
    with uow.reading():
        uow.accounts.get(1)
