"""What is mutated, and by which tests it is held."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "SUBJECTS", "TESTS", "Subject", "module_of"]

ROOT = Path(__file__).parents[2]

# What traces the interpreter itself is left out, for that is how the reach of a test is found.
TESTS = (
    "tests/contract",
    "tests/unit",
    "tests/integration",
    "tests/test_state_machine.py",
    "--ignore=tests/contract/test_interrupts.py",
    "--ignore=tests/integration/test_interrupts_at_every_line.py",
    "--ignore=tests/integration/test_forks.py",
    "--ignore=tests/unit/test_told_in_order.py",
)


@dataclass(frozen=True)
class Subject:
    """One part of the package that a wrong answer could come from."""

    name: str
    paths: tuple[Path, ...]


def _files(folder: str, *names: str) -> tuple[Path, ...]:
    return tuple(ROOT / folder / f"{name}.py" for name in names)


SUBJECTS = (
    Subject("rows in memory", _files("adapters/memory", "rows", "searching", "store", "tables")),
    Subject("the flush", _files("adapters/engine", "flush", "interim", "order", "writes")),
    Subject(
        "the evaluator of rules",
        (
            *_files("adapters/queries", "conditions", "evaluation", "query"),
            *_files("rules", "cursor", "formula", "numbers", "order", "projection"),
        ),
    ),
    Subject("the compiler of rules", _files("adapters/sql", "decimals", "rules")),
)


def module_of(path: Path) -> str:
    """The name that the file is imported by."""
    return ".".join(("honestwork", *path.relative_to(ROOT).with_suffix("").parts))
