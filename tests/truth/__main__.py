"""The long proof: `make truth`, or `python -m tests.truth`.

Thousands of random programs are played on the store in memory and on SQLite, PostgreSQL and MariaDB; the lies are
planted, one at a time, and each has to be found: in lock-step, by the oracle, or by the test of a guarantee. Other
programs are played on a plain ORM session beside the store in memory and beside that on SQLite. Beside that run the
commands given by `--also`, which have to succeed, and the anomaly scripts: random rules, orders and CHECKs are such
commands, and the last line of each, which is printed, says how many it has played. The last line of all says
`truth ok: N programs, 0 differences, K/K mutants killed`, or what is wrong, and then the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import queue
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from honestwork.testing import Missing, mariadb_database, postgres_database

from .hermitage import EXPECTED, play_all
from .lies import LIES, TOGETHER

__all__ = ["main"]

CHUNK = 125
BUDGET = 5000  # programs for a lie to show in: most show in fifty, the shyest in a thousand, and that ends its hunt

Home = dict[str, str]  # the URLs of one worker's databases, by their names
Work = Callable[[Home], None]


@dataclass(frozen=True)
class Task:
    """One process of `hunt`."""

    database: str
    units: int
    programs: int
    first: int
    lie: int | None = None
    module: str = "hunt"

    def arguments(self, url: str) -> list[str]:
        if self.module == "consult":
            return [url, "--programs", str(self.programs), "--first", str(self.first)]
        given = [url, "--units", str(self.units), "--programs", str(self.programs), "--first", str(self.first)]
        return given if self.lie is None else [*given, "--no-shrink", "--lie", str(self.lie)]


@dataclass
class Tally:
    """What has been found so far."""

    programs: int = 0
    lines: int = 0
    killed: int = 0
    hunted: int = 0
    wrong: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.truth", description=__doc__)
    parser.add_argument("--alone", type=int, default=2000, help="programs of one unit, on SQLite")
    parser.add_argument("--postgres", type=int, default=1000, help="programs of two units, on PostgreSQL")
    parser.add_argument("--mariadb", type=int, default=500, help="programs of two units, on MariaDB")
    parser.add_argument("--oracle", type=int, default=1000, help="programs on each of two stores and on the ORM")
    parser.add_argument("--lies", type=int, default=len(LIES), help="how many lies to plant")
    parser.add_argument("--first", type=int, default=0, help="the number of the first random world")
    parser.add_argument("--also", action="append", default=[], help="a command that has to succeed, too")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    started = time.monotonic()
    tally = Tally()
    works: queue.Queue[Work] = queue.Queue()
    with ExitStack() as stack:
        homes = [_home(stack, number, tally) for number in range(given.processes)]
        for command in given.also:
            works.put(partial(_run, command, tally))
        for task in _tasks(given, set(homes[0])):
            works.put(partial(_hunt, task, tally))
        for store in ("memory", *homes[0]):
            works.put(partial(_play_hermitage, store, tally))
        threads = [threading.Thread(target=_work, args=(works, home)) for home in homes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(f"{round(time.monotonic() - started)} seconds, {tally.lines} lines")
    if tally.wrong:
        print("\n".join(tally.wrong))
        print(f"truth NOT ok: {len(tally.wrong)} findings, {tally.killed}/{tally.hunted} mutants killed")
        return 1
    print(f"truth ok: {tally.programs} programs, 0 differences, {tally.killed}/{tally.hunted} mutants killed")
    return 0


def _home(stack: ExitStack, number: int, tally: Tally) -> Home:
    """Databases for one process; those that are not there are told of."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="honestwork"))
    home = {"sqlite": f"sqlite:///{folder}/proof.db"}
    for name, database in (("postgresql", postgres_database), ("mariadb", mariadb_database)):
        try:
            home[name] = stack.enter_context(database(f"truth{number}"))
        except Missing as missing:
            if number == 0:
                tally.wrong.append(f"not proven on {name}: {missing}")
    return home


def _tasks(given: Any, databases: set[str]) -> list[Task]:
    wanted = [
        ("mariadb", 2, given.mariadb),
        ("postgresql", 2, given.postgres),
        ("postgresql", 3, given.postgres // 10),
        ("sqlite", 1, given.alone),
        ("sqlite", 3, given.alone // 20),
    ]
    found = [
        Task(database, units, min(CHUNK, programs - start), given.first + start // 10)
        for database, units, programs in wanted
        if database in databases
        for start in range(0, programs, CHUNK)
    ]
    found += [
        Task(database, 1, min(CHUNK, given.oracle - start), given.first + start // 10, module="consult")
        for database in ("memory", "sqlite")
        for start in range(0, given.oracle, CHUNK)
    ]
    for number, lie in enumerate(LIES[: given.lies]):
        if lie.shown_by != TOGETHER:
            found.append(Task("sqlite", 1, BUDGET, given.first, number))
        elif "postgresql" in databases:
            found.append(Task("postgresql", 2, BUDGET, given.first, number))
    return found


def _work(works: queue.Queue[Work], home: Home) -> None:
    while True:
        try:
            work = works.get_nowait()
        except queue.Empty:
            return
        work(home)


def _hunt(task: Task, tally: Tally, home: Home) -> None:
    command = [sys.executable, "-m", f"{__package__}.{task.module}", *task.arguments(home.get(task.database, "memory"))]
    process = subprocess.run(command, capture_output=True, text=True)
    _judge(task, process, tally)


def _run(command: str, tally: Tally, home: Home) -> None:
    started = time.monotonic()
    process = subprocess.run(shlex.split(command), capture_output=True, text=True)
    words = (process.stdout + process.stderr).strip().splitlines() or ["nothing"]
    print(f"{command}: {words[-1]}, in {time.monotonic() - started:.1f} s", flush=True)
    if process.returncode:
        tally.wrong.append("\n".join([f"{command}:", *words[-40:]]))


def _judge(task: Task, process: subprocess.CompletedProcess[str], tally: Tally) -> None:
    try:
        found = json.loads(process.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        tally.wrong.append(f"{task}: {process.stderr[-2000:]}")
        return
    tally.lines += found["lines"]
    if task.lie is None:
        tally.programs += found["programs"]
        played = f"{found['programs']} programs of {task.units} units from world {task.first} on"
        beside = " beside the ORM" if task.module == "consult" else ""
        print(f"{task.database}{beside}: {played}, {found['seconds']} s", flush=True)
        if found["difference"]:
            tally.wrong.append(found["difference"])
            print(tally.wrong[-1], flush=True)  # now, for what is shrunk may be mended before the rest is played
        return
    tally.hunted += 1
    name = LIES[task.lie].name
    if found["difference"]:
        tally.killed += 1
        print(f"killed after {found['programs']} programs, {found['seconds']} s: {name}", flush=True)
    else:
        tally.wrong.append(f"not found in {found['programs']} programs: {name}")
        print(tally.wrong[-1], flush=True)


def _play_hermitage(store: str, tally: Tally, home: Home) -> None:
    try:
        outcomes = play_all(store, home.get(store, ""))
    except Exception as error:
        tally.wrong.append(f"the anomalies on {store}: {type(error).__name__}: {error}")
        return
    for script, outcome in outcomes.items():
        if outcome != EXPECTED[script][store]:
            tally.wrong.append(f"{script} on {store}: {outcome}, and not {EXPECTED[script][store]}")


if __name__ == "__main__":
    sys.exit(main())
