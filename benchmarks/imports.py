"""How long it takes to import the adapters, beyond SQLAlchemy, which an application imports anyway."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.harness import REFERENCE

ROOT = Path(__file__).parents[1]

# In a fresh interpreter; the calibration runs in the same one, a moment later. What SQLAlchemy has made is hidden from
# the garbage collector, as in all measurements: 48,000 objects, whose first full collection is due 2,400 objects later.
PROGRAM = """
import gc, json, sys, time
begun = time.process_time()
import sqlalchemy, sqlalchemy.orm
theirs = time.process_time() - begun
if "frozen" in sys.argv:
    gc.freeze()
begun = time.process_time()
import honestwork.adapters
ours = time.process_time() - begun
from benchmarks.harness import calibration
calibration.run()
loop = time.process_time()
for _ in range(20):
    calibration.run()
loop = (time.process_time() - loop) / 20
print(json.dumps([theirs / loop, ours / loop]))
"""


@bar("import of honestwork.adapters, beyond SQLAlchemy's own", at_most=60, unit="ms")
def imported(bench: Bench) -> Figure:
    # Compiled once and then read, as it is where a program is installed, whatever the caller's settings are.
    cache = bench.enter(TemporaryDirectory())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": cache}
    _once(environment)
    theirs, ours = _median(bench.rounds(15), environment, "frozen")
    _, collected = _median(bench.rounds(15), environment)
    return Figure(
        ours,
        spelled(ours, "ms"),
        beside=f"SQLAlchemy's own {spelled(theirs, 'ms')}; {spelled(collected, 'ms')} with a collection of its objects",
    )


def _median(rounds: int, environment: dict[str, str], *arguments: str) -> tuple[float, float]:
    """What each of the two imports takes, in milliseconds of the reference machine."""
    theirs, ours = zip(*(_once(environment, *arguments) for _ in range(rounds)), strict=True)
    return statistics.median(theirs) * REFERENCE * 1e3, statistics.median(ours) * REFERENCE * 1e3


def _once(environment: dict[str, str], *arguments: str) -> tuple[float, float]:
    """How many times as long as the calibration each of the two imports takes."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    theirs, ours = json.loads(printed)
    return theirs, ours
