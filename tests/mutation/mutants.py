"""Mutants of a file: mutmut says what could be changed; which of its changes count is said here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
from mutmut.mutation.mutators import mutation_operators

from .subjects import ROOT, Subject

__all__ = ["Mutant", "mutants_of", "sample"]


@dataclass(frozen=True)
class Mutant:
    """A file with one change in it."""

    path: Path
    first: int  # the lines that are changed, from 1
    last: int
    true: str  # what stands there
    false: str  # what stands there instead
    source: str = field(repr=False, compare=False)  # the whole file with the change

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.first}\n    - {self.true}\n    + {self.false}"


def sample(subject: Subject, size: int, seed: int) -> list[Mutant]:
    """So many mutants of a subject, the same for the same seed; from each file as many as its share of them all."""
    sizes = {path: len(_places(path)[1]) for path in subject.paths}
    turns = sorted((place / count, path) for path, count in sizes.items() for place in range(count))
    left = {path: mutants_of(path, seed) for path in sizes}
    found: list[Mutant] = []
    for _, path in turns:
        if len(found) == size:
            break
        if (mutant := next(left[path], None)) is not None:
            found.append(mutant)
    return found


def mutants_of(path: Path, seed: int) -> Iterator[Mutant]:
    """All mutants of a file that count, in a random order. No two of them are the same."""
    module, places = _places(path)
    random.Random(f"{seed} {path.name}").shuffle(places)
    seen = {module.code}
    for node, other in places:
        changed = module.deep_replace(node, other)
        assert isinstance(changed, cst.Module)
        if changed.code not in seen and _compiles(changed.code):
            seen.add(changed.code)
            yield _mutant(path, module.code.splitlines(), changed.code)


def _mutant(path: Path, lines: list[str], source: str) -> Mutant:
    changed = source.splitlines()
    first = next(place for place, pair in enumerate(zip(lines, changed, strict=False)) if pair[0] != pair[1])
    longer = len(changed) - len(lines)
    last = len(lines) - 1
    while last > first and lines[last] == changed[last + longer]:
        last -= 1
    true = " ".join(line.strip() for line in lines[first : last + 1])
    false = " ".join(line.strip() for line in changed[first : last + 1 + longer])
    return Mutant(path, first + 1, last + 1, true, false, source)


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _places(path: Path) -> tuple[cst.Module, list[tuple[cst.CSTNode, cst.CSTNode]]]:
    module = cst.parse_module(path.read_text("utf-8"))
    visitor = _Visitor()
    module.visit(visitor)
    return module, visitor.places


class _Visitor(cst.CSTVisitor):
    """Collects what can be changed, and what it can be changed to.

    Left out is what nothing evaluates (annotations, docstrings), what every test needs in order to begin (imports,
    decorators, slots), and the words of errors: where they matter they have tests of their own, and of the mutants
    they would be the greater part.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _left_out(node):
            return False
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                self.places += [(node, other) for other in operator(node)]
        return True


def _left_out(node: cst.CSTNode) -> bool:
    match node:
        case cst.Annotation() | cst.Import() | cst.ImportFrom() | cst.Raise() | cst.Decorator():
            return True
        case cst.If(test=cst.Name(value="TYPE_CHECKING")):
            return True
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="__all__" | "__slots__"))]):
            return True
        case cst.Assign(value=cst.Call(func=cst.Name(value="TypeVar"))):
            return True
        case cst.Call(func=cst.Name(value="cast")):
            return True
    return False
