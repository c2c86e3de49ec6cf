"""Plays random programs until the stores differ, or until there were enough of them.

    python -m tests.truth.hunt postgresql+psycopg://… --units 2 --programs 500 --lie 12

With a lie planted, finding a difference is a success: that is for the caller to judge. A lie that does not show in
lock-step is looked for where it shows: the programs are played against the oracle, or the test of a guarantee is run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import pytest

from .lies import ALONE, LIES, ORACLE, TOGETHER
from .planting import plant

__all__ = ["ask_oracle", "hunt", "run_test"]

PER_WORLD = 10


def hunt(database: str, *, units: int, programs: int, first: int, shrink: bool = True) -> dict[str, Any]:
    """Play so many programs in worlds from *first* on. Gives their number, and the difference if there is one."""
    # Imported late, for a lie has to be planted before.
    from honestwork.testing.lockstep.cast import Cast
    from honestwork.testing.lockstep.programs import programs as random_programs
    from honestwork.testing.lockstep.truthful import play, search, staged

    from .worlds import world

    warnings.simplefilter("ignore")
    played = lines = 0
    started = time.monotonic()
    difference = ""
    seed = first
    while played < programs and not difference:
        found = world(seed)
        cast = Cast(found.unit, found.mapping)

        with staged(found.unit, found.mapping, database) as stage:

            def one(steps: Any) -> None:
                nonlocal played, lines
                played += 1
                lines += len(play(stage, cast, steps, units))  # noqa: B023  # called within this turn

            try:
                search(
                    random_programs(cast, units),
                    one,
                    examples=min(PER_WORLD, programs - played),
                    setting=f"world({seed}).unit, world({seed}).mapping, {database!r}, units={units}",
                    seed=seed,
                    shrink=shrink,
                )
            except AssertionError as error:
                difference = str(error)
        seed += 1
    seconds = round(time.monotonic() - started, 1)
    return {"programs": played, "lines": lines, "worlds": seed - first, "seconds": seconds, "difference": difference}


def ask_oracle(*, programs: int, first: int, shrink: bool = True) -> dict[str, Any]:
    """Play so many programs on the store in memory and on a plain session of the ORM."""
    from .oracle import consult  # late, as above

    warnings.simplefilter("ignore")
    return consult("memory", programs=programs, first=first, shrink=shrink)


def run_test(test: str) -> dict[str, Any]:
    """Run the test of a guarantee, by its id; that it fails is the difference. Raises RuntimeError if it cannot run."""
    started = time.monotonic()
    with redirect_stdout(sys.stderr):
        ended = pytest.main([test, "-q", "-x", "-p", "no:cacheprovider"])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"{test} did not run: {ended!r}")
    difference = "" if ended == pytest.ExitCode.OK else f"{test} fails"
    seconds = round(time.monotonic() - started, 1)
    return {"programs": 1, "lines": 0, "worlds": 0, "seconds": seconds, "difference": difference}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.truth.hunt")
    parser.add_argument("database")
    parser.add_argument("--units", type=int, default=1)
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--lie", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    given = parser.parse_args(arguments)
    shown_by = ALONE
    if given.lie is not None:
        plant(LIES[given.lie])
        shown_by = LIES[given.lie].shown_by
    how_long: Any = {"programs": given.programs, "first": given.first, "shrink": not given.no_shrink}
    if shown_by in (ALONE, TOGETHER):
        found = hunt(given.database, units=given.units, **how_long)
    elif shown_by == ORACLE:
        found = ask_oracle(**how_long)
    else:
        found = run_test(shown_by)
    print(json.dumps(found))
    return 1 if found["difference"] else 0


if __name__ == "__main__":
    sys.exit(main())
