"""Beside advanced-alchemy, in an environment of its own, so that its dependencies never decide ours.

Both are compared with the same Session code in their own process, and those ratios with each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.bars import Absent, Bench, Figure, bar
from benchmarks.harness import measure
from benchmarks.peers import on_sqlite

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-peers"
PYTHON = ENVIRONMENT / "bin" / "python"
WANTED = ("advanced-alchemy==1.12.0", "sqlalchemy>=2.1,<2.2")


def beside(unit: str, bench: Bench) -> Figure:
    theirs = bench.shared(_theirs)[unit]
    cases = bench.shared(on_sqlite).cases(unit)
    timings = measure({side: cases[side] for side in ("ours", "by hand")}, rounds=bench.rounds(241))
    ours = timings.ratio("ours", "by hand")
    return Figure(ours / theirs, f"{ours:.2f} of by hand", f"{theirs:.2f} of by hand")


for unit, (name, limit) in {"insert": ("insert", 0.55), "change": ("update", 0.50)}.items():
    bar(f"{name}, SQLite :memory:", peer="advanced-alchemy", at_most=limit)(partial(beside, unit))


def _theirs(bench: Bench) -> dict[str, float]:
    _install()
    command = [str(PYTHON), "-m", "benchmarks.advanced_alchemy_units", str(bench.rounds(241))]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        raise Absent(f"advanced-alchemy does not run: {result.stderr.strip().splitlines()[-1]}")
    ratios: dict[str, float] = json.loads(result.stdout)
    return ratios


def _install() -> None:
    """Make the environment, unless an earlier run has. Raises Absent where there is no way to get the package."""
    done = ENVIRONMENT / ".installed"
    if done.exists() and done.read_text("utf-8") == str(WANTED):
        return
    uv = [sys.executable, "-m", "uv", "--quiet"]
    for command in (
        [*uv, "venv", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
        [*uv, "pip", "install", "--python", str(PYTHON), *WANTED],
    ):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise Absent(f"advanced-alchemy cannot be installed: {result.stderr.strip().splitlines()[-1]}")
    done.write_text(str(WANTED), "utf-8")
