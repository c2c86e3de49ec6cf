"""Interrupts at every line: an exception is raised at the k-th line of one phase of a unit's life, for every k.

A line is a traced one, in whatever file: this project's, SQLAlchemy's, the driver's, Python's. `hit_every_line` plays
one phase on one store with one kind of interrupt and returns what went wrong, line by line; what each line has to
leave behind is said in `_Case.judge`.
"""

from __future__ import annotations

import gc
import itertools
import logging
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from honestwork.domain import Misuse

from .model import COUNTER, Bank, Basket, Item, Transfer, works
from .stores import House, State, left_behind

__all__ = [
    "INTERRUPTS",
    "PHASES",
    "CtrlC",
    "Outcome",
    "Phase",
    "SoftTimeLimit",
    "Stuck",
    "Wrong",
    "chosen",
    "forget",
    "hit_every_line",
    "judged",
    "phases_of",
    "quiet",
    "watched",
]

HARNESS = str(Path(__file__).parent)
OWN = tuple(f"/{layer}/" for layer in ("domain", "rules", "service_layer", "adapters"))
PATIENCE = 1.0  # seconds in which another thread can commit

Trace = Callable[[FrameType, str, Any], Any]


class CtrlC(KeyboardInterrupt):
    """What Python's own handler of SIGINT raises, in a class of its own."""


class SoftTimeLimit(Exception):
    """What a handler of Celery's or rq's kind raises."""


class Boom(Exception):
    """An error of the domain, which leaves a block."""


INTERRUPTS: dict[str, type[BaseException]] = {"ctrl-c": CtrlC, "timeout": SoftTimeLimit}


@dataclass(frozen=True)
class Phase:
    """A part of a unit's life. *act* traces it, by `sys.settrace`, from its first line to its last one."""

    name: str
    act: Callable[[Bank, Trace], None]
    prepare: Callable[[Bank], None] = lambda uow: None
    inside: bool = True  # of the unit's block; else *act* has a block of its own
    leaves: bool = False  # the phase begins with the end of a block
    commits: bool = False
    connects: bool = False  # the pool is empty when it begins


def _wrote(uow: Bank) -> None:
    """Something of the unit is in its transaction, and something is not yet."""
    uow.transfers.add(Transfer("flushed", 0, 1, 1))
    uow.accounts[0].balance -= 1
    uow.flush()
    uow.transfers.add(Transfer("pending", 0, 1, 1))
    uow.accounts[1].balance += 1


def _added(uow: Bank) -> None:
    uow.transfers.add(Transfer("added", 0, 1, 1))
    uow.baskets.add(Basket("C", [Item(1), Item(2)]))


def _changed(uow: Bank) -> None:
    uow.accounts[0].balance -= 1
    basket = uow.baskets["A"]
    basket.items[0].amount = 7
    basket.items.append(Item(3))


def _removed(uow: Bank) -> None:
    uow.transfers.remove(uow.transfers["first"])
    uow.baskets.remove(uow.baskets["A"])


def _get(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.accounts.get(1)
    sys.settrace(None)


def _find(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.accounts.find(lambda account: account.balance > 1)
    sys.settrace(None)


def _read_members(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.baskets.get("A")
    sys.settrace(None)


def _stream(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    for _ in uow.accounts.stream():
        pass
    sys.settrace(None)


def _flush(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.flush()
    sys.settrace(None)


def _commit(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.commit()
    sys.settrace(None)


def _rollback(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    uow.rollback()
    sys.settrace(None)


def _enter_nested(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    with uow.nested():
        sys.settrace(None)


def _leave_nested(uow: Bank, trace: Trace) -> None:
    with uow.nested():
        _added(uow)
        sys.settrace(trace)
    sys.settrace(None)


def _fail_nested(uow: Bank, trace: Trace) -> None:
    with suppress(Boom), uow.nested():
        _added(uow)
        uow.flush()
        sys.settrace(trace)
        raise Boom
    sys.settrace(None)


def _enter(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    with uow:
        sys.settrace(None)


def _leave(uow: Bank, trace: Trace) -> None:
    with uow:
        _wrote(uow)
        sys.settrace(trace)
    sys.settrace(None)


def _fail(uow: Bank, trace: Trace) -> None:
    with suppress(Boom), uow:
        _wrote(uow)
        sys.settrace(trace)
        raise Boom
    sys.settrace(None)


def _enter_reading(uow: Bank, trace: Trace) -> None:
    sys.settrace(trace)
    with uow.reading():
        sys.settrace(None)


def _read(uow: Bank, trace: Trace) -> None:
    with uow.reading():
        sys.settrace(trace)
        uow.accounts.get(1)
        uow.baskets.get("A")
        sys.settrace(None)


def _leave_reading(uow: Bank, trace: Trace) -> None:
    with uow.reading():
        uow.accounts.get(1)
        sys.settrace(trace)
    sys.settrace(None)


PHASES = (
    Phase("enter", _enter, inside=False),
    Phase("connect", _get, connects=True),
    Phase("get", _get),
    Phase("find", _find),
    Phase("members", _read_members),
    Phase("stream", _stream),
    Phase("insert", _flush, _added),
    Phase("change", _flush, _changed),
    Phase("remove", _flush, _removed),
    Phase("nested-enter", _enter_nested, _wrote),
    Phase("nested-leave", _leave_nested, _wrote, leaves=True),
    Phase("nested-fail", _fail_nested, _wrote, leaves=True),
    Phase("commit", _commit, _wrote, commits=True),
    Phase("rollback", _rollback, _wrote),
    Phase("leave", _leave, inside=False, leaves=True),
    Phase("fail", _fail, inside=False, leaves=True),
    Phase("reading-enter", _enter_reading, inside=False),
    Phase("reading", _read, inside=False),
    Phase("reading-leave", _leave_reading, inside=False, leaves=True),
)


def phases_of(kind: str) -> list[Phase]:
    """The phases that there are on a store of this kind: memory connects to nothing."""
    return [phase for phase in PHASES if not phase.connects or kind not in ("memory", "sqlite-memory")]


@dataclass
class Wrong:
    """What went wrong where one line was interrupted."""

    line: str
    what: list[str]

    def __str__(self) -> str:
        return f"{self.line}: {'; '.join(self.what)}"


@dataclass
class Outcome:
    """What came of interrupting the lines of one phase."""

    lines: int = 0  # there are
    hit: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    out_of_time: bool = False

    def table(self, most: int = 40) -> str:
        shown = [f"  {each}" for each in self.wrong[:most]]
        if len(self.wrong) > most:
            shown.append(f"  … and {len(self.wrong) - most} more")
        count = f"{len(self.wrong)} of {self.hit} interrupts went wrong ({self.lines} lines)"
        return "\n".join([f"{count}:", *shown])


class _Injector:
    """Raises at the k-th line; without a *k* it only takes down which lines there are."""

    def __init__(self, interrupt: BaseException, k: int | None, *, by_signal: bool = False) -> None:
        self.interrupt = interrupt
        self.k = k
        self.by_signal = by_signal
        self.lines: list[tuple[str, int, str]] = []
        self.fired: tuple[str, int, str] | None = None
        self.count = 0
        self.ours_seen = False  # before the line that was hit

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call":
            return None if frame.f_code.co_filename.startswith(HARNESS) else self.trace
        if event == "line":
            self.count += 1
            if self.k is None:
                self.lines.append(_line(frame))
            elif self.count == self.k:
                sys.settrace(None)
                self.fired = _line(frame)
                if self.by_signal:
                    signal.raise_signal(signal.SIGUSR1)
                raise self.interrupt
            elif not self.ours_seen:
                self.ours_seen = _is_own(frame.f_code.co_filename)
        return self.trace


def _line(frame: FrameType) -> tuple[str, int, str]:
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname


_own: dict[str, bool] = {}


def _is_own(path: str) -> bool:
    """Is this a file of the package?"""
    if (known := _own.get(path)) is None:
        known = _own[path] = "site-packages" not in path and any(layer in path for layer in OWN)
    return known


def _said(line: tuple[str, int, str] | None) -> str:
    if line is None:
        return "no line"
    path = Path(line[0])
    return f"{path.parent.name}/{path.name}:{line[1]} {line[2]}"


def judged(raised: BaseException | None, interrupt: BaseException) -> list[str]:
    """What is wrong with what came out, where this was raised."""
    if raised is interrupt:
        return []
    if raised is None:
        return ["the interrupt was swallowed"]
    return [f"{type(raised).__name__} came out in its place{_place_of(raised)}"]


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(each.filename).name}:{each.lineno}" for each in frames[:-6:-1]]
    return f", at {' < '.join(places)}" if places else ""


def forget(error: BaseException) -> None:
    """Drop the frames that an error has come through, as whoever has handled it drops them with it."""
    error.__traceback__ = error.__context__ = error.__cause__ = None


class _Case:
    """One interrupt, and what it leaves."""

    def __init__(self, house: House, phase: Phase, injector: _Injector, *, caught: bool) -> None:
        self.house = house
        self.phase = phase
        self.injector = injector
        self.caught = caught  # inside of the block, where the phase is inside of one
        self.wrong: list[str] = []
        self.counted = 0  # how often a unit has counted
        self.swallowed_by_python = False
        self.ended = False  # the interrupt came out, or the phase was done

    def play(self) -> None:
        """Run the phase and judge it. Afterwards the injector says whether it has fired at all."""
        if self.phase.connects and self.house.engine is not None:
            self.house.engine.dispose()
        before = self.house.state()
        uow = Bank(self.house.store)
        if self.phase.inside:
            self._play_inside(uow)
        else:
            self._play_around(uow)
        if self.injector.fired is not None:
            self.judge(uow, before)

    def judge(self, uow: Bank, before: State) -> None:
        """After an interrupt: the same unit works again, and a fresh one, and one of another thread; nothing is left
        in use, in a transaction or read-only; nothing is stored that was not committed."""
        self._use_again(uow)
        self.wrong += left_behind(self.house.store)
        self._use_in("a fresh unit", Bank(self.house.store))
        if self.house.kind.startswith("sqlite") or self.house.kind == "memory":
            self._use_in_another_thread()
        self.wrong += [each for each in left_behind(self.house.store) if each not in self.wrong]
        try:
            after = self.house.state()
        except BaseException as error:
            self.wrong.append(f"the rows cannot be read: {_words(error)}")
            return
        self._compare(before, after)

    def _play_inside(self, uow: Bank) -> None:
        try:
            with uow:
                self.phase.prepare(uow)
                try:
                    self.phase.act(uow, self.injector.trace)
                except BaseException as error:
                    sys.settrace(None)
                    if not self.caught:
                        raise
                    self._come_out(error)
                else:
                    if self.injector.fired is None:
                        return
                    self._come_out(None)
                self._go_on(uow)
        except BaseException as error:
            sys.settrace(None)
            if self.ended or self.injector.fired is None:
                self.wrong.append(f"leaving the block: {_words(error)}")
            else:
                self._come_out(error)

    def _play_around(self, uow: Bank) -> None:
        try:
            self.phase.act(uow, self.injector.trace)
        except BaseException as error:
            sys.settrace(None)
            self._come_out(error)
        else:
            if self.injector.fired is not None:
                self._come_out(None)

    def _come_out(self, error: BaseException | None) -> None:
        self.ended = True
        forget(self.injector.interrupt)
        if error is None and self.swallowed_by_python:
            return  # what is raised in a finalizer comes out nowhere: Python says so itself
        self.wrong += judged(error, self.injector.interrupt)

    def _go_on(self, uow: Bank) -> None:
        """In the block: the unit rolls back, and works."""
        try:
            uow.rollback()
        except Misuse as error:
            if not (self.phase.leaves and not self.injector.ours_seen):  # the inner block counts as open, then
                self.wrong.append(f"rollback: {_words(error)}")
            return
        except BaseException as error:
            self.wrong.append(f"rollback: {_words(error)}")
            return
        try:
            works(uow)
            self.counted += 1
        except BaseException as error:
            self.wrong.append(f"the unit after its rollback: {_words(error)}")

    def _use_again(self, uow: Bank) -> None:
        """After the block: the unit works. Python protects nothing before the first line of `__exit__`."""
        if not self.phase.inside and self.phase.leaves and not self.injector.ours_seen:
            try:
                with uow:
                    works(uow)
            except Misuse as error:
                if Path(__file__).name not in str(error):
                    self.wrong.append(f"it does not say where the open unit was opened: {_words(error)}")
            except BaseException as error:
                self.wrong.append(f"entering a unit that is still open: {_words(error)}")
            else:
                self.counted += 1
                if self.phase.name != "reading-leave":
                    self.wrong.append("a unit that was never left is entered as if it was not open")
                return
            try:
                uow.close()  # type: ignore[attr-defined, unused-ignore]
            except BaseException as error:
                self.wrong.append(f"close(): {_words(error)}")
                return
        self._use_in("the same unit", uow)

    def _use_in(self, whose: str, uow: Bank) -> None:
        try:
            with uow:
                works(uow)
            self.counted += 1
        except BaseException as error:
            self.wrong.append(f"{whose}: {_words(error)}")

    def _use_in_another_thread(self) -> None:
        work = self.house.elsewhere.submit(self._use_in, "another thread", Bank(self.house.store))
        try:
            work.result(PATIENCE)
        except TimeoutError:
            self.wrong.append("another thread waits for ever")

    def _compare(self, before: State, after: State) -> None:
        counted = _counter(after) - _counter(before)
        if counted < self.counted:
            self.wrong.append(f"{self.counted - counted} acknowledged commit(s) not stored")
        done = _without_counter(after)
        if done == _without_counter(before):
            return
        if self.phase.commits and done == _committed(before):
            return
        self.wrong.append("part of a commit is stored" if self.phase.commits else "UNCOMMITTED IS STORED")


def _words(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:110]}"


def _counter(state: State) -> int:
    return sum(row[1] for row in state["accounts"] if row[0] == COUNTER)


def _without_counter(state: State) -> State:
    return {**state, "accounts": [row for row in state["accounts"] if row[0] != COUNTER]}


def _committed(before: State) -> State:
    """What `_wrote` makes of a state, when it is committed."""
    state = _without_counter(before)
    moved = {0: -1, 1: 1}
    return {
        **state,
        "accounts": [(number, balance + moved.get(number, 0)) for number, balance in state["accounts"]],
        "transfers": sorted([*state["transfers"], ("flushed", 0, 1, 1), ("pending", 0, 1, 1)]),
    }


class Stuck(BaseException):
    """What has taken too long is given up."""


@contextmanager
def watched(seconds: float = 15.0) -> Iterator[None]:
    """Raise Stuck in the main thread where the block takes longer: nothing that hangs may hang the proof."""

    def give_up(*about: object) -> None:
        raise Stuck(f"not done after {seconds:g} seconds")

    handler = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def quiet() -> Iterator[None]:
    """No log, no warning and no collection of garbage for as long as the block."""
    enabled = gc.isenabled()
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        if enabled:
            gc.enable()


def recorded(house: House, phase: Phase) -> list[tuple[str, int, str]]:
    """The lines of a phase, in the order in which they run, where nothing interrupts it."""
    for _ in range(2):  # the first time, modules are imported and statements prepared
        injector = _Injector(CtrlC(), None)
        _Case(house, phase, injector, caught=True).play()
        if phase.commits:
            _take_back(house)
    return injector.lines


def _take_back(house: House) -> None:
    """Remove what a commit has stored, for the next one to store."""
    with Bank(house.store) as uow:
        for name in ("flushed", "pending"):
            if (transfer := uow.transfers.get(name)) is not None:
                uow.transfers.remove(transfer)
        uow.commit()


def chosen(lines: Sequence[tuple[str, int, str]], stride: int, offset: int, *, own: int) -> list[int]:
    """The numbers of the lines to hit: of the own lines, when they come first, one in *own*; of all one in *stride*."""
    seen: set[tuple[str, int]] = set()
    found = []
    for k, (path, number, _) in enumerate(lines, 1):
        is_new = (path, number) not in seen and _is_own(path)
        if is_new:
            seen.add((path, number))
        if (k + offset) % stride == 0 or (is_new and (len(seen) + offset) % own == 0):
            found.append(k)
    return found


def hit_every_line(
    house: House,
    phase: Phase,
    interrupt: str,
    *,
    stride: int = 1,
    offset: int = 0,
    own: int = 1,
    signals: int = 4,
    seconds: float = 600.0,
    most: int = 1_000_000,
) -> Outcome:
    """Interrupt the lines of a phase, one after the other: all of them with a *stride* of 1.

    Else those that `chosen` gives. Every fourth interrupt (of *signals*) comes from the handler of a signal. Stops
    after *seconds*, or after so many lines that went wrong.
    """
    outcome = Outcome()
    kind = INTERRUPTS[interrupt]
    # The two kinds of interrupt start at different places, so that together they hit all that each leaves out.
    start = zlib.crc32(f"{house.kind} {phase.name}".encode()) + offset
    start += list(INTERRUPTS).index(interrupt) * (1 + 2 * (stride // 4))
    with quiet():
        with watched(60):
            lines = recorded(house, phase)
        outcome.lines = len(lines)
        end = time.monotonic() + seconds
        numbers = itertools.count(1) if stride == 1 else iter(chosen(lines, stride, start, own=own))
        for n, k in enumerate(numbers):
            if time.monotonic() > end or len(outcome.wrong) >= most:
                outcome.out_of_time = True
                break
            injector = _Injector(kind("time is up"), k, by_signal=(n + start) % signals == 0)
            # It is caught inside of the block or around it, by turns.
            case = _Case(house, phase, injector, caught=(k + start) % 2 == 0)
            try:
                with _heard(case), watched():
                    case.play()
            except Stuck:
                case.wrong.append("stuck")
            if injector.fired is None and k > len(lines):
                break
            outcome.hit += injector.fired is not None
            if case.wrong:
                how = ", by a signal" if injector.by_signal else ""
                outcome.wrong.append(Wrong(f"line {k}, {_said(injector.fired)}{how}", case.wrong))
                del case
                with watched(60):
                    house.renew()
                gc.collect()
            elif phase.commits:
                _take_back(house)
            if n % 100 == 99:
                gc.collect()
    return outcome


@contextmanager
def _heard(case: _Case) -> Iterator[None]:
    """The interrupt comes from a signal, if asked for; and where it is raised in a finalizer, Python tells it here."""
    before, interrupt = sys.unraisablehook, case.injector.interrupt

    def told(unraisable: Any) -> None:
        case.swallowed_by_python = case.swallowed_by_python or unraisable.exc_value is interrupt

    def interrupted(*about: object) -> None:
        raise interrupt

    sys.unraisablehook = told
    handler = signal.signal(signal.SIGUSR1, interrupted) if case.injector.by_signal else None
    try:
        yield
    finally:
        sys.unraisablehook = before
        if case.injector.by_signal:
            signal.signal(signal.SIGUSR1, handler)
