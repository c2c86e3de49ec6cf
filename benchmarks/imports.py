"""The CPU time of importing the adapters, beyond SQLAlchemy, which an application imports anyway."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bars import Bench, Figure, bar, spelled

ROOT = Path(__file__).parents[1]

# In a fresh interpreter. SQLAlchemy's objects are hidden from the garbage collector, as in all measurements: it makes
# 48,000, and the first full collection comes 2,400 objects later, whoever makes them.
PROGRAM = """
import gc, json, sys, time
begun = time.process_time()
import sqlalchemy, sqlalchemy.orm
theirs = time.process_time() - begun
if "frozen" in sys.argv:
    gc.freeze()
begun = time.process_time()
import honestwork.adapters
print(json.dumps([theirs, time.process_time() - begun]))
"""


@bar("import of honestwork.adapters, beyond SQLAlchemy's own", at_most=60, unit="ms")
def imported(bench: Bench) -> Figure:
    # Bytecode is compiled once and then read, as in an installed program, whatever the caller's settings are.
    cache = bench.enter(TemporaryDirectory())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": cache}
    _once(environment)
    theirs, ours = _median(bench.rounds(15), environment, "frozen")
    _, collected = _median(bench.rounds(15), environment)
    return Figure(
        ours,
        spelled(ours, "ms"),
        beside=f"SQLAlchemy's own {spelled(theirs, 'ms')}; {spelled(collected, 'ms')} with a full garbage collection",
    )


def _median(rounds: int, environment: dict[str, str], *arguments: str) -> tuple[float, float]:
    """Return the milliseconds that each of the two imports takes."""
    theirs, ours = zip(*(_once(environment, *arguments) for _ in range(rounds)), strict=True)
    return statistics.median(theirs) * 1e3, statistics.median(ours) * 1e3


def _once(environment: dict[str, str], *arguments: str) -> tuple[float, float]:
    """Return the seconds of CPU time that each of the two imports takes in a new interpreter."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    theirs, ours = json.loads(printed)
    return theirs, ours
