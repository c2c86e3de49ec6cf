"""The type checker refuses what the tracer refuses, at the same line; mypy does, and pyright where it is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

ACCEPTED = Path(__file__).with_name("rules.py")

BEGINNING = """
from collections.abc import Callable
from dataclasses import dataclass, field
from honestwork.domain import Repository, all_of, any_of, desc, negate, rule
from honestwork.rules import trace, trace_columns

@dataclass(eq=False)
class Line:
    quantity: int

@dataclass(eq=False)
class User:
    id: int
    name: str
    age: int
    score: int | None = None
    lines: list[Line] = field(default_factory=list[Line])

@dataclass(eq=False)
class Other:
    id: int

@dataclass
class Row:
    id: int

def adult(user: User) -> bool:
    return user.age >= 18

def older_than(age: int) -> Callable[[User], bool]:
    return lambda user: user.age > age

@rule
def famous(user: User) -> bool:
    return user.score is not None

def made() -> Repository[User, int]: ...  # type: ignore[empty-body]

users = made()

"""

REJECTED = {
    "a misspelled attribute": ("trace(lambda user: user.nme == 'x', User)", "attr-defined"),
    "a comparison with None": ("trace(lambda user: user.score > 3, User)", "operator"),
    "no bool": ("trace(lambda user: user.name, User)", "misc|return-value|arg-type"),
    "another type": ("trace(lambda user: user.age == '18', User)", "comparison-overlap"),
    "a rule about another class": ("trace(adult, Other)", "arg-type"),
    "rules about two classes": ("famous & (lambda other: other.title == 'x')", "attr-defined"),
    "& of bare functions": ("adult & adult", "operator"),
    "a condition of SQLAlchemy": ("trace(User.age >= 18, User)", "misc|arg-type"),
    "a row of the wrong columns": ("x: Row = trace_columns(lambda u: Row(u.name), User).build([1])", "arg-type"),
    "find: a misspelled attribute": ("users.find(lambda user: user.nme == 'x')", "attr-defined"),
    "find: a comparison with None": ("users.find(lambda user: user.score > 3)", "operator"),
    "find: a method of None": ("users.find(lambda user: user.score.real > 3)", "union-attr"),
    "find: no bool": ("users.find(lambda user: user.name)", "return-value|arg-type"),
    "find: a bool": ("users.find(True)", "arg-type"),
    "find: a rule about another class": ("all_of(famous, lambda o: o.title == 'x')", "attr-defined"),
    "find: the maker of a rule": ("users.find(older_than)", "arg-type"),
    "find: a parameter of another type": ("users.find(older_than('18'))", "arg-type"),
    "find: a child's misspelled attribute": ("users.find(lambda u: any(x.qty > 3 for x in u.lines))", "attr-defined"),
    "find: an option that there is not": ("users.find(adult, sorted_by=lambda user: user.name)", "call-arg"),
    "find: a limit that is no number": ("users.find(adult, limit='3')", "arg-type"),
    "order: a misspelled attribute": ("users.all(order_by=lambda user: desc(user.nme))", "attr-defined"),
    "page: without a limit": ("users.page(adult)", "call-arg"),
    "select: another type": ("names: list[int] = users.select(lambda user: user.name)", "arg-type|return-value|misc"),
    "first: None is not thought of": ("users.first(adult).name", "union-attr"),
    "negate: what is no rule": ("negate(3)", "arg-type"),
    "any_of: what is no rule": ("any_of(adult, 'adult')", "arg-type"),
}

Lines = dict[int, str]
"""What a checker says of each line that it finds something wrong with."""


def by_mypy(path: Path) -> Lines:
    out, errors, _ = api.run(["--strict", "--no-error-summary", str(path)])
    assert errors == ""
    return {int(line.split(":")[1]): line for line in reversed(out.splitlines()) if ": error:" in line}


def by_pyright(path: Path, tmp_path: Path, *, mode: str = "strict", files: int = 1) -> Lines:
    if importlib.util.find_spec("basedpyright") is None:
        missing = "pyright is not installed: `make pyright` installs it, and runs this test"
        (pytest.fail if os.environ.get("PYRIGHT") == "required" else pytest.skip)(missing)
    settings = {
        "include": [str(path)],
        "extraPaths": [str(ACCEPTED.parents[2])],
        "typeCheckingMode": mode,
        "reportUnusedExpression": False,
    }
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    ran = subprocess.run([*command, "--project", str(config)], capture_output=True, text=True)
    found = json.loads(ran.stdout)
    assert found["summary"]["filesAnalyzed"] >= files, ran.stderr
    return {each["range"]["start"]["line"] + 1: each["message"] for each in found["generalDiagnostics"]}


@pytest.fixture
def snippets(tmp_path: Path) -> Path:
    path = tmp_path / "snippets.py"
    path.write_text(BEGINNING + "".join(f"{source}\n" for source, _ in REJECTED.values()))
    return path


FIRST = BEGINNING.count("\n") + 1


def test_mypy_accepts_what_is_right() -> None:
    assert by_mypy(ACCEPTED) == {}


def test_mypy_rejects_what_is_wrong(snippets: Path) -> None:
    found = by_mypy(snippets)

    for number, (name, (_, codes)) in enumerate(REJECTED.items(), FIRST):
        assert any(f"[{code}]" in found.get(number, "") for code in codes.split("|")), f"{name}: {found.get(number)}"
    assert min(found) >= FIRST


def test_pyright_accepts_what_is_right(tmp_path: Path) -> None:
    assert by_pyright(ACCEPTED, tmp_path) == {}


def test_pyright_accepts_the_examples(tmp_path: Path) -> None:
    assert by_pyright(ACCEPTED.parents[2] / "examples", tmp_path, mode="standard", files=20) == {}


def test_pyright_rejects_what_is_wrong(snippets: Path, tmp_path: Path) -> None:
    found = by_pyright(snippets, tmp_path)

    assert [name for number, name in enumerate(REJECTED, FIRST) if number not in found] == []
    assert min(found) >= FIRST
