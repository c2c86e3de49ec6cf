"""Sixteen threads that get, change and commit the same hundred rows.

Each unit adds one to the age of a user, so the sum of the ages falls short by the updates that were lost. Python runs
one thread at a time and SQLite has one writer, so sixteen threads can at best do as much as one: the question is how
much more CPU time a unit takes, and how long the slowest wait.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Shop
from benchmarks.hand_written import plain_engine
from benchmarks.harness import Case, measure
from benchmarks.honest import HonestUnits
from benchmarks.peers import fill_users, keys, postgres_url
from benchmarks.raw_sqlite import RawUnits
from honestwork.domain import Conflict

THREADS = 16
ROWS = 100
SECONDS = 0.8
PAUSE = 0.002  # before another attempt, at most


@dataclass
class Run:
    """The units that a number of threads did in a short while."""

    cpu: float = 0.0  # seconds of the whole process
    done: int = 0
    conflicts: int = 0
    lost: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)  # seconds from the first attempt to the commit

    @property
    def cpu_of_a_unit(self) -> float:
        return self.cpu / self.done

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.waits, n=100)[98] if len(self.waits) > 1 else 0.0


@dataclass(frozen=True)
class Runs:
    """Rounds of one thread alone and of all of them, taking turns."""

    alone: list[Run]
    together: list[Run]

    def sum_of(self, count: str) -> int:
        return sum(getattr(run, count) for run in self.together)

    @property
    def cpu_more(self) -> float:
        """Seconds of CPU time that a unit takes more among all threads than in one."""
        pairs = zip(self.together, self.alone, strict=True)
        return statistics.median(together.cpu_of_a_unit - alone.cpu_of_a_unit for together, alone in pairs)

    def cpu_of_units(self) -> tuple[str, str]:
        """Return the CPU time of a unit among all threads, and in one."""
        together, alone = (
            spelled(statistics.median(run.cpu_of_a_unit for run in runs) * 1e6, "µs")
            for runs in (self.together, self.alone)
        )
        return together, alone


@bar("SQLite file, 16 threads on 100 rows: errors", at_most=0, unit="")
def sqlite_errors(bench: Bench) -> Figure:
    runs = bench.shared(on_sqlite_file)
    errors = sum((run.errors for run in runs.together), Counter[str]())
    conflicts = runs.sum_of("conflicts")
    said = ", ".join(f"{count} {name}" for name, count in errors.items())
    return Figure(sum(errors.values()) + conflicts, str(sum(errors.values()) + conflicts), beside=said)


@bar("SQLite file, 16 threads on 100 rows: lost updates", at_most=0, unit="")
def sqlite_lost(bench: Bench) -> Figure:
    return _lost(bench.shared(on_sqlite_file), bench.shared(by_hand_on_sqlite_file))


@bar("SQLite file, 16 threads on 100 rows: p99", at_most=100, unit="ms")
def sqlite_p99(bench: Bench) -> Figure:
    runs, by_hand = bench.shared(on_sqlite_file), bench.shared(by_hand_on_sqlite_file)
    seconds = statistics.median(run.p99 for run in runs.together)
    raw = statistics.median(run.p99 for run in bench.shared(raw_on_sqlite_file).together)
    beside = f"raw sqlite3 {spelled(raw * 1e3, 'ms')}, by hand {by_hand.p99 * 1e3:.0f} ms"
    return Figure(seconds * 1e3, spelled(seconds * 1e3, "ms"), beside=beside)


@bar("SQLite file, 16 threads on 100 rows: CPU that a unit takes more", peer="one thread", at_most=60, unit="µs")
def sqlite_cpu(bench: Bench) -> Figure:
    runs, raw = bench.shared(on_sqlite_file), bench.shared(raw_on_sqlite_file)
    beside = "raw sqlite3 with a fair lock {} v {}".format(*raw.cpu_of_units())
    return Figure(runs.cpu_more * 1e6, *runs.cpu_of_units(), f"{beside}: {spelled(raw.cpu_more * 1e6, 'µs')} more")


@bar("SQLite file: get, change, commit with synchronous=FULL", peer="with NORMAL, as in the rows above")
def sqlite_durable(bench: Bench) -> Figure:
    """Measure the default, `durability="power"`: each commit waits for the disk. No bar: disks differ."""
    folder = bench.shared(_folder)
    cases: dict[str, Case] = {}
    for durability in ("power", "process"):
        units = HonestUnits(f"sqlite:///{folder / f'{durability}.db'}", durability=durability)
        bench.enter(disposed(units))
        fill_users(units.engine, units.users, ROWS)
        key, name = keys(ROWS), itertools.count().__next__
        cases[durability] = Case(lambda units=units, key=key, name=name: units.change(key(), f"{name()}"))  # type: ignore[misc]
    timings = measure(cases, rounds=bench.rounds(61))
    full, normal = (statistics.median(timings.wall[each]) * 1e6 for each in cases)
    return Figure(timings.wall_ratio(*cases), spelled(full, "µs"), spelled(normal, "µs"), beside="by the wall clock")


@bar("PostgreSQL, 16 threads on 100 rows: lost updates", at_most=0, unit="")
def postgres_lost(bench: Bench) -> Figure:
    return _lost(bench.shared(on_postgres), bench.shared(by_hand_on_postgres))


@bar("PostgreSQL, 16 threads on 100 rows: retries per unit", at_most=0.10, unit="")
def postgres_retries(bench: Bench) -> Figure:
    runs = bench.shared(on_postgres)
    retries = runs.sum_of("conflicts") / runs.sum_of("done")
    errors = sum((run.errors for run in runs.together), Counter[str]())
    said = ", ".join(f"{count} {name}" for name, count in errors.items())
    return Figure(retries, f"{retries:.3f}", beside=said)


@contextmanager
def disposed(units: HonestUnits) -> Iterator[None]:
    yield
    units.store.dispose()


def on_sqlite_file(bench: Bench) -> Runs:
    return _rounds(bench, f"sqlite:///{bench.shared(_folder) / 'ours.db'}")


def on_postgres(bench: Bench) -> Runs:
    return _rounds(bench, bench.shared(postgres_url))


def raw_on_sqlite_file(bench: Bench) -> Runs:
    raw = RawUnits(bench.shared(_folder) / "raw.db", ROWS)

    def run(threads: int, seconds: float) -> Run:
        raw.reset()
        done = _all_at_once(raw.add_one, threads, seconds, sqlite3.OperationalError)
        done.lost = done.done - raw.total()
        return done

    try:
        return _taking_turns(bench, run)
    finally:
        raw.close()


def by_hand_on_sqlite_file(bench: Bench) -> Run:
    return _by_hand(bench, f"sqlite:///{bench.shared(_folder) / 'plain.db'}")


def by_hand_on_postgres(bench: Bench) -> Run:
    return _by_hand(bench, bench.shared(postgres_url))


def _lost(runs: Runs, by_hand: Run) -> Figure:
    lost = runs.sum_of("lost")
    return Figure(lost, str(lost), beside=f"by hand {by_hand.lost} of {by_hand.done}")


def _rounds(bench: Bench, url: str) -> Runs:
    honest = HonestUnits(url)
    try:
        fill_users(honest.engine, honest.users, ROWS)
        return _taking_turns(bench, partial(_run, honest))
    finally:
        honest.store.dispose()


def _taking_turns(bench: Bench, run: Callable[[int, float], Run]) -> Runs:
    """Run one thread and all of them in turn. *run* takes the number of threads and the seconds."""
    runs = Runs([], [])
    run(1, 0.1)  # connections are made, statements compiled
    for _ in range(bench.rounds(30) // 6 or 1):
        runs.alone.append(run(1, SECONDS))
        runs.together.append(run(THREADS, SECONDS))
    return runs


def _run(honest: HonestUnits, threads: int, seconds: float) -> Run:
    users = honest.users
    with honest.engine.begin() as connection:
        connection.execute(update(users).values(age=0))

    def unit(key: int) -> None:
        with Shop(honest.store) as uow:
            uow.users[key].age += 1
            uow.commit()

    run = _all_at_once(unit, threads, seconds, Conflict)
    with honest.engine.connect() as connection:
        run.lost = run.done - int(connection.scalar(select(func.sum(users.c.age))) or 0)
    return run


def _by_hand(bench: Bench, url: str) -> Run:
    """Do the same with the driver's defaults, for information."""
    engine = plain_engine(url)
    try:
        hand_written.metadata.drop_all(engine)
        hand_written.metadata.create_all(engine)
        fill_users(engine, hand_written.users, ROWS)
        with engine.begin() as connection:
            connection.execute(update(hand_written.users).values(age=0))

        def unit(key: int) -> None:
            with Session(engine) as session:
                session.get_one(hand_written.User, key).age += 1
                session.commit()

        run = _all_at_once(unit, THREADS, SECONDS, DBAPIError)
        with engine.connect() as connection:
            run.lost = run.done - int(connection.scalar(select(func.sum(hand_written.users.c.age))) or 0)
        return run
    finally:
        engine.dispose()


def _all_at_once(unit: Callable[[int], None], threads: int, seconds: float, retried: type[Exception]) -> Run:
    run, guard = Run(), threading.Lock()
    stop = time.perf_counter() + seconds

    def work(number: int) -> None:
        chance, mine = random.Random(number), Run()
        while (begin := time.perf_counter()) < stop:
            key = chance.randint(1, ROWS)
            while True:
                try:
                    unit(key)
                except retried:
                    mine.conflicts += 1
                    time.sleep(chance.random() * PAUSE)
                    continue
                except Exception as error:
                    mine.errors[type(error).__name__] += 1
                else:
                    mine.done += 1
                    mine.waits.append(time.perf_counter() - begin)
                break
        with guard:
            run.done += mine.done
            run.conflicts += mine.conflicts
            run.errors += mine.errors
            run.waits += mine.waits

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    begun = time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run.cpu = time.process_time() - begun
    return run


def _folder(bench: Bench) -> Path:
    return Path(bench.enter(tempfile.TemporaryDirectory()))
