"""`make matrix` says aloud what it could not try, and fails for nothing else than a test that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.matrix import __main__ as matrix

ROOT = Path(__file__).parents[1]


def unavailable() -> None:
    raise matrix.Unavailable("there is none")


def failing() -> None:
    raise subprocess.CalledProcessError(1, "pytest")


def test_what_cannot_be_had_is_told_and_is_no_failure() -> None:
    assert matrix.attempt(matrix.Lane("python9.9", unavailable)) == "NOTE: python9.9 was not tried: there is none"


def test_tests_that_fail_are_a_failure() -> None:
    assert matrix.attempt(matrix.Lane("python3.12", failing)) == "matrix python3.12: FAILED, with 1"


def test_an_interpreter_is_taken_only_if_it_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    here = ".".join(map(str, sys.version_info[:2]))
    monkeypatch.setattr(matrix, "installed", lambda version: iter(["/no/python", sys.executable]))
    monkeypatch.setattr(matrix, "downloaded", lambda version: iter([]))

    assert matrix.interpreter(here) == sys.executable
    with pytest.raises(matrix.Unavailable, match=r"no Python 2\.7 is installed"):
        matrix.interpreter("2.7")


def test_what_has_to_pass_before_a_merge_is_both() -> None:
    steps = (ROOT / ".ci" / "run").read_text()

    assert "step make test\n" in steps
    assert "step make matrix\n" in steps


@pytest.mark.parametrize("path", [*matrix.SLICE[:3], *matrix.NODE_SLICE])
def test_a_lane_runs_what_there_is(path: str) -> None:
    assert (ROOT / path.removeprefix("--ignore=")).exists()
