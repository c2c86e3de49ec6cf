"""The proof finds lies: those planted in the memory store, one at a time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from honestwork.testing.truth.lies import LIES, Lie
from honestwork.testing.truth.planting import occurrences

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


def test_lies_have_names_of_their_own() -> None:
    assert len({lie.name for lie in LIES}) == len(LIES) >= 40


def test_ten_lies_are_found(tmp_path: Path) -> None:
    numbers = [number for number, lie in enumerate(LIES) if lie.name in QUICK]

    with ThreadPoolExecutor(2) as pool:
        survivors = list(pool.map(lambda number: _survives(number, tmp_path), numbers))

    assert [LIES[number].name for number, survives in zip(numbers, survivors, strict=True) if survives] == []


def _survives(number: int, folder: Path) -> bool:
    url = f"sqlite:///{folder / f'{number}.db'}"
    command = [sys.executable, "-m", "honestwork.testing.truth.hunt", url, "--no-shrink", "--lie", str(number)]
    hunted = subprocess.run(command, capture_output=True, text=True)
    assert hunted.stdout, hunted.stderr
    return hunted.returncode == 0
