"""The proof finds lies: those planted in the memory store, one at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.truth.lies import LIES, Lie
from tests.truth.planting import occurrences, planted

ROOT = Path(__file__).parents[2]
QUICK = [
    "a rollback keeps what was written",
    "find does not flush",
    "each get makes an object of its own",
    "rows come in the order of insertion",
    "values of changed objects are not guarded",
    "a default replaces 0 and False",
    "deletes come before inserts",
    "NOT NULL is not enforced",
    "a new row replaces one with the same key",
    "new rows may refer to nothing",
]


@pytest.mark.parametrize("lie", LIES, ids=[lie.name for lie in LIES])
def test_what_a_lie_replaces_stands_in_the_source_once(lie: Lie) -> None:
    assert occurrences(lie) == 1, f"{lie.module} does not say what {lie.name!r} denies: mend the lie"
    assert planted(lie)


def test_lies_have_names_of_their_own() -> None:
    assert len({lie.name for lie in LIES}) == len(LIES) >= 40


@pytest.mark.parametrize("name", QUICK)
def test_ten_lies_are_found(name: str, tmp_path: Path) -> None:
    number = [lie.name for lie in LIES].index(name)
    command = [sys.executable, "-m", "tests.truth.hunt", f"sqlite:///{tmp_path / 'proof.db'}"]

    hunted = subprocess.run([*command, "--no-shrink", "--lie", str(number)], cwd=ROOT, capture_output=True, text=True)

    assert hunted.stdout, hunted.stderr
    assert hunted.returncode == 1, f"not found: {name}"
