"""The chaos proof, for a second or two on SQLite and memory, so that it does not rot; and what it would tell."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.__main__ import PARTS
from tests.chaos.report import FAULTS, Report
from tests.chaos.stores import State
from tests.chaos.transfers import BALANCE, compare

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("part", PARTS)
def test_a_short_storm_does_no_harm(part: str) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--only", part, "--databases", "sqlite", "--seconds", "2"]

    done = subprocess.run([*command, "--seed", "1"], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"chaos ok: lost 0, .*, errors outside the tree 0", done.stdout.splitlines()[-1])


def test_the_parts_share_all_of_the_time() -> None:
    assert sum(PARTS.values()) == pytest.approx(1)


def compared(*journal: str, transfers: list[tuple[str, int, int, int]], balances: tuple[int, int]) -> Report:
    report = Report()
    state: State = {"transfers": list(transfers), "accounts": list(enumerate(balances))}
    compare(report, "here", [line.split(" ", 1) for line in journal], state)
    return report


def test_what_was_acknowledged_and_is_stored_is_fine() -> None:
    report = compared(
        "attempted a",
        "acknowledged a",
        "attempted b",
        "unknown b",
        "attempted c",  # and then the process was killed
        transfers=[("a", 0, 1, 5), ("c", 1, 0, 1)],
        balances=(BALANCE - 4, BALANCE + 4),
    )

    assert not report.faults
    assert report.done["here acknowledged"] == 1


@pytest.mark.parametrize(
    ("journal", "transfers", "balances", "fault"),
    [
        (["attempted a", "acknowledged a"], [], (BALANCE, BALANCE), "unstored"),
        (["attempted a", "conflict a"], [("a", 0, 1, 5)], (BALANCE - 5, BALANCE + 5), "uncommitted"),
        (["attempted a", "undone a"], [("a", 0, 1, 5)], (BALANCE - 5, BALANCE + 5), "uncommitted"),
        ([], [("a", 0, 1, 5)], (BALANCE - 5, BALANCE + 5), "uncommitted"),
        (["attempted a", "acknowledged a"], [("a", 0, 1, 5)], (BALANCE - 5, BALANCE), "lost"),
        (["stuck a unit took 30 s"], [], (BALANCE, BALANCE), "stuck"),
        (["outside ValueError"], [], (BALANCE, BALANCE), "outside"),
        (["leaked 1 connection"], [], (BALANCE, BALANCE), "leaked"),
    ],
)
def test_what_is_lost_or_stored_against_the_journal_is_counted(
    journal: list[str], transfers: list[tuple[str, int, int, int]], balances: tuple[int, int], fault: str
) -> None:
    report = compared(*journal, transfers=transfers, balances=balances)

    assert dict(report.faults) == {fault: 1}


def test_a_report_is_handed_over_whole() -> None:
    report = Report()
    report.fault("stuck", "a unit")
    report.did("units", 3)

    handed = Report.from_json(report.to_json())

    assert (handed.faults, handed.done, handed.notes) == (report.faults, report.done, ["stuck: a unit"])
    assert all(words in str(handed) for words in FAULTS.values())


def test_work_that_does_not_end_is_stuck_and_an_error_is_told() -> None:
    report = Report()

    assert not report.within(0.01, "waits", lambda: time.sleep(0.3))
    assert report.within(5, "fails", lambda: 1 / 0)
    assert dict(report.faults) == {"stuck": 1, "outside": 1}
