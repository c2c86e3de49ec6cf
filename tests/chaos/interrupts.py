"""Interrupts: at as many lines of every phase as there is time for, in statements in flight, and at random moments."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import time
from itertools import count
from typing import Any

from .lines import INTERRUPTS, forget, hit_every_line, phases_of, quiet, watched
from .model import Bank, Transfer, works
from .report import Report
from .stores import KINDS, SERVERS, House, left_behind
from .waits import WAITS, interrupt_a_wait

__all__ = ["run"]

STRIDE = 40  # of the lines of one pass; the next pass takes the next ones


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    """Two processes, for two cores; each has half of the stores."""
    kinds = [kind for kind in KINDS if kind not in SERVERS or kind in databases]
    halves = [half for half in (kinds[0::2], kinds[1::2]) if half]
    children = [_in_a_process(half, seconds, databases, seed) for half in halves]
    for pid, pipe in children:
        said = b""
        while more := os.read(pipe, 65536):
            said += more
        os.close(pipe)
        os.waitpid(pid, 0)
        if said:
            report.add(Report.from_json(said.decode()))
        else:
            report.fault("outside", "a process that interrupts ended without a report")


def _in_a_process(kinds: list[str], seconds: float, databases: dict[str, str], seed: int) -> tuple[int, int]:
    """Fork before there is any store or thread: signals are heard in the main thread of a process alone."""
    reader, writer = os.pipe()
    if (pid := os.fork()) != 0:
        os.close(writer)
        return pid, reader
    report = Report()
    try:
        _play(report, kinds, seconds, databases, random.Random(seed))
    except BaseException as error:
        report.fault("outside", f"the proof itself broke: {type(error).__name__}: {str(error)[:300]}")
    finally:
        os.write(writer, report.to_json().encode())
        os._exit(0)


def _play(report: Report, kinds: list[str], seconds: float, databases: dict[str, str], chance: random.Random) -> None:
    houses = {kind: House(kind, databases.get(kind)) for kind in kinds}
    start = time.monotonic()
    for kind, house in houses.items():
        for wait in WAITS:
            if kind in wait.kinds and time.monotonic() < start + seconds * 0.3:
                for name, interrupt in INTERRUPTS.items():
                    report.did("statements in flight interrupted")
                    _count(report, f"{kind}, {wait.name}, {name}", interrupt_a_wait(house, wait, interrupt))
    for kind, house in houses.items():
        _at_random(report, kind, house, max(seconds * 0.2 / len(houses), 0.5), chance)
    cases = [
        (house, phase, name) for house in houses.values() for phase in phases_of(house.kind) for name in INTERRUPTS
    ]
    for turn in count(chance.randrange(STRIDE)):
        chance.shuffle(cases)
        for house, phase, name in cases:
            if (left := start + seconds - time.monotonic()) < 0:
                return
            outcome = hit_every_line(house, phase, name, stride=STRIDE, offset=turn, seconds=min(left + 1, 20.0))
            report.did("lines interrupted", outcome.hit)
            for wrong in outcome.wrong:
                _count(report, f"{house.kind}, {phase.name}, {name}, {wrong.line}", wrong.what)
        if turn % STRIDE == STRIDE - 1:
            report.did("passes over all lines")


def _count(report: Report, where: str, wrong: list[str]) -> None:
    for each in wrong:
        report.fault(_kind(each), f"{where}: {each}")


def _kind(wrong: str) -> str:
    """Which fault this is."""
    for mark, kind in (
        ("not stored", "unstored"),
        ("STORED", "uncommitted"),
        ("part of a commit", "uncommitted"),
        ("pooled connection", "leaked"),
        ("not given back", "leaked"),
        ("locked", "leaked"),
        ("in its place", "outside"),
        ("swallowed", "lost"),
    ):
        if mark in wrong:
            return kind
    return "stuck"


def _at_random(report: Report, kind: str, house: House, seconds: float, chance: random.Random) -> None:
    """A real timer interrupts a unit at any moment. A unit that is still open then is closed, as its user would."""
    end = time.monotonic() + seconds
    longest = _length(house)
    for number in count():
        if time.monotonic() > end:
            return
        interrupt = list(INTERRUPTS.values())[number % 2]("time is up")
        with quiet():
            wrong = _hit(house, interrupt, chance.uniform(0.0001, longest * 1.3), f"random-{number}")
        report.did("random interrupts")
        _count(report, f"{kind}, at random, {type(interrupt).__name__}", wrong)
        if wrong:
            house.renew()
            gc.collect()


def _unit(uow: Bank, transfer: str, told: dict[str, Any]) -> None:
    with uow:
        uow.accounts.get(1)
        uow.baskets.get("A")
        uow.transfers.add(Transfer(transfer, 0, 1, 1))
        with uow.nested():
            uow.accounts[0].balance -= 1
        uow.flush()
        told["committing"] = True
        uow.commit()
        told["committed"] = True


def _length(house: House) -> float:
    """How long such a unit takes, in seconds."""
    _unit(Bank(house.store), "warm", {})
    started = time.monotonic()
    _unit(Bank(house.store), "measured", {})
    return time.monotonic() - started


def _hit(house: House, interrupt: BaseException, after: float, transfer: str) -> list[str]:
    wrong: list[str] = []
    told: dict[str, Any] = {}
    ignored: list[object] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: ignored.append(unraisable.exc_value)
    rung = False

    def ring(*about: object) -> None:
        nonlocal rung
        if not rung:
            rung = True
            raise interrupt

    handler = signal.signal(signal.SIGALRM, ring)
    uow = Bank(house.store)
    raised: BaseException | None = None
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        _unit(uow, transfer, told)
        rung = rung or not signal.setitimer(signal.ITIMER_REAL, 0)[0]
        if rung and interrupt not in ignored and interrupt.__traceback__ is not None:
            wrong.append("the interrupt was swallowed")
    except BaseException as error:
        raised = error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        sys.unraisablehook = hook
    if raised is not None and raised is not interrupt:
        wrong.append(f"{type(raised).__name__} came out in its place")
    raised = None
    forget(interrupt)
    try:
        getattr(uow, "close", lambda: None)()
    except BaseException as error:
        wrong.append(f"close(): {type(error).__name__}")
    for whose, unit in (("the same unit", uow), ("a fresh unit", Bank(house.store))):
        try:
            with watched(), unit:
                works(unit)
        except BaseException as error:
            wrong.append(f"{whose}: {type(error).__name__}: {str(error)[:110]}")
    gc.collect()
    wrong += left_behind(house.store)
    try:
        stored = transfer in {row[0] for row in house.state()["transfers"]}
    except Exception as error:
        return [*wrong, f"the rows cannot be read: {type(error).__name__}: {str(error)[:110]}"]
    if stored and not told.get("committing"):
        wrong.append("UNCOMMITTED IS STORED")
    if not stored and told.get("committed"):
        wrong.append("an acknowledged commit is not stored")
    return wrong
