"""The proof finds lies, planted one at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.truth.lies import ALONE, LIES, ORACLE, TOGETHER, Lie
from tests.truth.planting import occurrences, planted

ROOT = Path(__file__).parents[2]
QUICK = [
    "a rollback keeps what was written",
    "each search makes objects of its own",
    "rows come in the order of insertion",
    "values of changed objects are not guarded",
    "unique values cannot be exchanged",
    "a unique value that a removed row hands on is a Duplicate",
    "NOT NULL is not enforced",
    "a new row replaces one with the same key",
    "new rows may refer to nothing",
    "generated keys come in another order",
]


@pytest.mark.parametrize("lie", LIES, ids=[lie.name for lie in LIES])
def test_what_a_lie_replaces_stands_in_the_source_once(lie: Lie) -> None:
    assert occurrences(lie) == 1, f"{lie.module} does not say what {lie.name!r} denies: mend the lie"
    assert planted(lie)


def test_lies_have_names_of_their_own() -> None:
    assert len({lie.name for lie in LIES}) == len(LIES) >= 40


def test_a_lie_about_what_all_stores_share_is_not_looked_for_in_lock_step() -> None:
    own = ("memory.", "sql.", "queries.checks", "queries.evaluation")

    assert [lie.name for lie in LIES if lie.shown_by in (ALONE, TOGETHER) and not lie.module.startswith(own)] == []


@pytest.mark.parametrize("test", sorted({lie.shown_by for lie in LIES} - {ALONE, TOGETHER, ORACLE}))
def test_the_test_of_a_guarantee_is_there(test: str) -> None:
    file, _, name = test.partition("::")

    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize("name", QUICK)
def test_ten_lies_are_found(name: str, tmp_path: Path) -> None:
    number = [lie.name for lie in LIES].index(name)
    command = [sys.executable, "-m", "tests.truth.hunt", f"sqlite:///{tmp_path / 'proof.db'}"]

    hunted = subprocess.run([*command, "--no-shrink", "--lie", str(number)], cwd=ROOT, capture_output=True, text=True)

    assert hunted.stdout, hunted.stderr
    assert hunted.returncode == 1, f"not found: {name}"
