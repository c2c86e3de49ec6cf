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

# In a fresh interpreter; the calibration runs in the same one, a moment later.
PROGRAM = """
import json, time
begun = time.process_time()
import sqlalchemy, sqlalchemy.orm
theirs = time.process_time()
import honestwork.adapters
ours = time.process_time()
from benchmarks.harness import calibration
calibration.run()
loop = time.process_time()
for _ in range(20):
    calibration.run()
loop = (time.process_time() - loop) / 20
print(json.dumps([(theirs - begun) / loop, (ours - theirs) / loop]))
"""


@bar("import of honestwork.adapters, beyond SQLAlchemy's own", at_most=60, unit="ms")
def imported(bench: Bench) -> Figure:
    # Compiled once and then read, as it is where a program is installed, whatever the caller's settings are.
    cache = bench.enter(TemporaryDirectory())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": cache}
    _once(environment)
    theirs, ours = zip(*(_once(environment) for _ in range(bench.rounds(15))), strict=True)
    seconds, seconds_of_theirs = (statistics.median(loops) * REFERENCE for loops in (ours, theirs))
    return Figure(
        seconds * 1e3, spelled(seconds * 1e3, "ms"), beside=f"SQLAlchemy's own {spelled(seconds_of_theirs * 1e3, 'ms')}"
    )


def _once(environment: dict[str, str]) -> tuple[float, float]:
    """How many times as long as the calibration each of the two imports takes."""
    command = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    theirs, ours = json.loads(printed)
    return theirs, ours
