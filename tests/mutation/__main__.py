"""The tests are tried on code that is wrong on purpose: `make mutation`, or `python -m tests.mutation`.

Of each subject a sample of mutants is made, the same for the same seed. Each has to be killed: one of the tests that
reach its lines has to fail. What survives is printed, and has to be explained in `survivors.py`. The last line says
`mutation ok: …` with the score of each subject, or what is wrong, and then the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from .mutants import Mutant, sample
from .subjects import ROOT, SUBJECTS, TESTS, Subject
from .survivors import reason
from .trial import LIVED, start

__all__ = ["main"]

ENOUGH = 0.95  # of a sample has to be killed
FIRST = 24  # tests that are tried before all the others: nearly every mutant dies there
PATIENCE = 30.0  # seconds that tests may take beside three times of what they took before


@dataclass
class KnownTest:
    """What is known of one test."""

    name: str
    seconds: float
    lines: dict[str, set[int]]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(map(len, self.lines.values()))

    def reaches(self, mutant: Mutant) -> bool:
        lines = self.lines.get(str(mutant.path), set())
        return any(line in lines for line in range(mutant.first, mutant.last + 1))


@dataclass(eq=False)
class Trial:
    """A mutant while its tests run."""

    subject: Subject
    mutant: Mutant
    rounds: list[list[KnownTest]]  # the tests that are still to be run
    process: BaseProcess | None = None
    until: float = 0.0
    lived: bool = True

    def go_on(self) -> None:
        tests = self.rounds.pop(0)
        self.until = time.monotonic() + PATIENCE + 3 * sum(test.seconds for test in tests)
        self.process = start(self.mutant, [test.name for test in tests])

    def is_over(self) -> bool:
        """Whether the last round is over; the next one is started where there is one."""
        assert self.process is not None
        if self.process.is_alive():
            if time.monotonic() < self.until:
                return False
            os.killpg(self.process.pid or 0, signal.SIGKILL)  # a mutant that never ends is as good as dead
        self.process.join()
        self.lived = self.process.exitcode == LIVED
        if self.lived and self.rounds:
            self.go_on()
            return False
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.mutation", description=__doc__)
    parser.add_argument("--subject", action="append", default=[], help="part of a subject's name; else all of them")
    parser.add_argument("--sample", type=int, default=300, help="mutants of each subject")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--reach", type=Path, help="a file that keeps which test reaches what, for another run")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    subjects = [each for each in SUBJECTS if not given.subject or any(part in each.name for part in given.subject)]
    tests = _reach(given.processes, given.reach)
    print(f"{len(tests)} tests, reach known after {time.monotonic() - started:.0f} s", flush=True)
    _need_life(tests)
    waiting = [
        Trial(subject, mutant, _rounds(mutant, tests))
        for subject in subjects
        for mutant in sample(subject, given.sample, given.seed)
    ]
    survivors: dict[str, list[Mutant]] = {subject.name: [] for subject in subjects}
    for count, trial in enumerate(_played(list(waiting), given.processes), 1):
        if trial.lived:
            survivors[trial.subject.name].append(trial.mutant)
            print(f"survived ({count} of {len(waiting)}): {trial.mutant}", flush=True)
    return _judge(subjects, waiting, survivors, time.monotonic() - started)


def _reach(processes: int, kept: Path | None) -> list[KnownTest]:
    """All tests, with the lines that each of them reaches."""
    if kept is None or not kept.exists():
        found = _measured(processes)
        if kept is not None:
            kept.write_text(json.dumps(found), "utf-8")
    else:
        found = json.loads(kept.read_text("utf-8"))
    return [
        KnownTest(name, each["seconds"], {file: set(lines) for file, lines in each["lines"].items()})
        for name, each in sorted(found.items())
    ]


def _measured(processes: int) -> dict[str, Any]:
    files = "\n".join(str(path) for subject in SUBJECTS for path in subject.paths)
    with tempfile.TemporaryDirectory(prefix="honestwork") as folder:
        command = [sys.executable, "-m", "pytest", "-p", "tests.mutation.reach", "-q", "-n", str(processes), *TESTS]
        environment = {**os.environ, "REACH_FILES": files, "REACH_FOLDER": folder}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the tests fail without any mutant:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return {
            name: each for file in Path(folder).glob("*.json") for name, each in json.loads(file.read_text()).items()
        }


def _need_life(tests: Sequence[KnownTest]) -> None:
    """Without any mutant the tests have to pass, in the process that a trial has: else all would count as killed."""
    process = start(None, [test.name for test in tests if test.seconds < 0.1][:: len(tests) // 50 or 1])
    process.join()
    if process.exitcode != LIVED:
        raise SystemExit("tests fail where nothing is wrong: run them with pytest first")


def _rounds(mutant: Mutant, tests: Sequence[KnownTest]) -> list[list[KnownTest]]:
    """The tests that reach the mutant: first some that reach little else, and some that reach much in a short time."""
    reaching = [test for test in tests if test.reaches(mutant)]
    if not reaching:  # it runs while the module is imported, or never
        reaching = sorted(tests, key=lambda test: test.seconds)[:FIRST]
    closest = sorted(reaching, key=lambda test: (test.size, test.seconds))[: FIRST // 2]
    broadest = sorted(reaching, key=lambda test: (-test.size / (test.seconds + 0.05), test.name))[: FIRST // 2]
    first = list({test.name: test for test in (*closest, *broadest)}.values())
    names = {test.name for test in first}
    others = sorted((test for test in reaching if test.name not in names), key=lambda test: test.seconds)
    return [first, others] if others else [first]


def _played(trials: list[Trial], processes: int) -> Iterator[Trial]:
    """The trials, each when it is over."""
    trials.reverse()
    running: list[Trial] = []
    while trials or running:
        while trials and len(running) < processes:
            running.append(trials.pop())
            running[-1].go_on()
        over = [trial for trial in running if trial.is_over()]
        running = [trial for trial in running if trial not in over]
        yield from over
        time.sleep(0.02)


def _judge(
    subjects: Sequence[Subject], trials: Sequence[Trial], survivors: dict[str, list[Mutant]], seconds: float
) -> int:
    wrong = 0
    scores = []
    for subject in subjects:
        size = sum(trial.subject is subject for trial in trials)
        lived = survivors[subject.name]
        unexplained = [mutant for mutant in lived if reason(mutant) is None]
        score = (size - len(lived)) / size
        scores.append(f"{subject.name} {score:.1%}")
        wrong += len(unexplained) + (score < ENOUGH)
        print(f"{subject.name}: {size - len(lived)} of {size} killed, {score:.1%}; {len(unexplained)} not explained")
        for mutant in lived:
            print(f"  {mutant}\n    {reason(mutant) or 'NOT EXPLAINED'}")
    print(f"{seconds:.0f} seconds")
    print(f"mutation {'NOT ok' if wrong else 'ok'}: {', '.join(scores)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
