"""The type checker refuses what the tracer refuses, at the same line."""

from __future__ import annotations

from pathlib import Path

from mypy import api

ACCEPTED = Path(__file__).with_name("rules.py")

BEGINNING = """
from dataclasses import dataclass
from honestwork.domain import Rule, all_of, rule
from honestwork.domain.rules import trace, trace_columns

@dataclass(eq=False)
class User:
    id: int
    name: str
    age: int
    score: int | None = None

@dataclass(eq=False)
class Other:
    id: int

@dataclass
class Row:
    id: int

def adult(user: User) -> bool:
    return user.age >= 18

@rule
def famous(user: User) -> bool:
    return user.score is not None

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
}


def test_what_is_right_is_accepted() -> None:
    out, errors, status = api.run(["--strict", "--no-error-summary", str(ACCEPTED)])

    assert (out, errors, status) == ("", "", 0)


def test_what_is_wrong_is_rejected(tmp_path: Path) -> None:
    snippets = tmp_path / "snippets.py"
    snippets.write_text(BEGINNING + "".join(f"{source}\n" for source, _ in REJECTED.values()))
    first = BEGINNING.count("\n") + 1

    out, _, _ = api.run(["--strict", "--no-error-summary", str(snippets)])

    found = {int(line.split(":")[1]): line for line in out.splitlines() if ": error:" in line}
    for number, (name, (_, codes)) in enumerate(REJECTED.items(), first):
        assert any(f"[{code}]" in found.get(number, "") for code in codes.split("|")), f"{name}: {found.get(number)}"
    assert min(found) >= first
