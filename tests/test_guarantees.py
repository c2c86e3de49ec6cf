"""Every promise of docs/guarantees.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROMISES = (ROOT / "docs" / "guarantees.md").read_text()
PROOFS = sorted(set(re.findall(r"`(tests/(?:\w+/)+)?(test_\w+\.py)(?:::(test_\w+))?`", PROMISES)))


@pytest.mark.parametrize(("folder", "file", "test"), PROOFS)
def test_a_promise_is_backed_by_a_test(folder: str, file: str, test: str) -> None:
    source = (ROOT / (folder or "tests/contract") / file).read_text()
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]

    assert not test or test in names


def test_there_is_a_proof_in_every_row() -> None:
    rows = [line for line in PROMISES.splitlines() if line.startswith("| ") and "---" not in line]
    promises = [row for row in rows if not row.startswith(("| Promise", "|---"))]

    assert promises
    assert [row for row in promises if not re.search(r"`(tests/(?:\w+/)+)?test_", row)] == []
