"""Servers that accept a connection and say nothing, at once or in the middle of a unit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from honestwork.domain import CommitOutcomeUnknown, HonestworkError, Unavailable

from .model import Bank, furnish
from .proxy import PASS, SILENT, Proxy
from .report import Report
from .stores import left_behind, made

__all__ = ["run"]

CONNECT = 2.0  # seconds that the store waits for a connection
STATEMENT = 1.0  # and for a statement
CLOSED_AFTER = 5.0  # after which the connection is closed, where the server has not ended the statement itself
SLACK = 2.0


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    end, cases = time.monotonic() + seconds, {name: url for name, url in databases.items() if name != "sqlite"}
    for url in cases.values():
        store = made(url)
        furnish(store, accounts=8)
        store.dispose()
    while cases:
        threads = [
            threading.Thread(target=case, args=(report, name, url, number), daemon=True)
            for name, url in cases.items()
            for number, case in enumerate((_never_speaks, *_CASES))  # each with an account of its own
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if time.monotonic() > end:
            break


def _never_speaks(report: Report, name: str, url: str, number: int) -> None:
    """Connecting gives up."""
    with Proxy(url, SILENT) as proxy:
        store = made(proxy.url, connect_timeout=CONNECT)

        def read() -> None:
            with Bank(store) as uow:
                uow.accounts.get(1)

        _expect(report, f"{name}, a server that never speaks", read, CONNECT + SLACK, Unavailable)


def _falls_silent(
    in_the_block: Callable[[Bank], object], expected: type[Exception] | tuple[type[Exception], ...]
) -> Callable[[Report, str, str, int], None]:
    def case(report: Report, name: str, url: str, number: int) -> None:
        with Proxy(url) as proxy:
            store = made(proxy.url, connect_timeout=CONNECT, statement_timeout=STATEMENT)

            def interrupted() -> None:
                with Bank(store) as uow:
                    uow.accounts[number].balance += 1
                    uow.flush()
                    uow.accounts[number].balance += 1
                    proxy.mode = SILENT
                    in_the_block(uow)

            note = f"{name}, silent from {in_the_block.__name__.strip('_')} on"
            # The limit is for the statement and for leaving the block: no statement follows the one that is given up.
            if _expect(report, note, interrupted, STATEMENT + CLOSED_AFTER + SLACK, expected):
                proxy.mode = PASS
                report.within(10, f"{note}, a unit afterwards", lambda: _works(Bank(store), number))
                for each in left_behind(store):
                    report.fault("leaked", f"{note}: {each}")
                store.dispose()

    return case


def _read(uow: Bank) -> None:
    uow.baskets.get("A")


def _flush(uow: Bank) -> None:
    uow.flush()


def _leave(uow: Bank) -> None:
    """Nothing is asked: the block ends, and the rollback finds the server silent."""


def _nested(uow: Bank) -> None:
    with uow.nested():
        uow.accounts.get(1)


# StatementTimeout is a class of the tree; which one is not said here.
_CASES = (
    _falls_silent(_read, HonestworkError),
    _falls_silent(_flush, HonestworkError),
    _falls_silent(_nested, HonestworkError),
    _falls_silent(_leave, ()),
)


def _works(uow: Bank, number: int) -> None:
    with uow:
        uow.accounts[number].balance += 1
        uow.commit()


def _expect(
    report: Report,
    note: str,
    work: Callable[[], object],
    limit: float,
    expected: type[Exception] | tuple[type[Exception], ...],
) -> bool:
    """The work ends within its limit, with the expected error, or well where none is. Returns whether it ended."""
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            outcome.append(error)
        else:
            outcome.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    report.did("silences")
    if not outcome:
        report.fault("stuck", f"{note}: not done after {limit:g} s")
        return False
    error = outcome[0]
    if isinstance(error, CommitOutcomeUnknown) and expected is not CommitOutcomeUnknown:
        report.fault("stuck", f"{note}: {type(error).__name__}, though nothing was committed")
    elif error is None:
        if expected:
            report.fault("lost", f"{note}: no error at all")
    elif not isinstance(error, expected or HonestworkError):
        report.failed(note, error)
    return True
