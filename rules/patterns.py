"""Patterns of LIKE, told apart from the texts in them: `%` stands for any text, and `_` for one character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["ESCAPE", "as_glob", "literal_part", "matcher", "normal", "quoted"]

ESCAPE = "/"


def normal(pattern: str, escape: str | None) -> str | None:
    """The same pattern, escaped by `/`. None if what it escapes is neither a wildcard nor the escape itself."""
    written = []
    characters = iter(pattern)
    for each in characters:
        if each != escape:
            written.append(each if each in "%_" else quoted(each))
        elif (escaped := next(characters, "")) in ("%", "_", escape):
            written.append(quoted(escaped))
        else:
            return None
    return "".join(written)


def quoted(text: str) -> str:
    """The normal pattern that matches this text alone."""
    return "".join(ESCAPE + each if each in (ESCAPE, "%", "_") else each for each in text)


def tokens(pattern: str) -> Iterable[tuple[str, bool]]:
    """The characters of a normal pattern, and for each of them whether it is a wildcard."""
    characters = iter(pattern)
    for each in characters:
        if each == ESCAPE:
            yield next(characters), False
        else:
            yield each, each in "%_"


def literal_part(pattern: str) -> tuple[str, str] | None:
    """The operator that a simple pattern stands for, and its text: `'ab%'` is `startswith`. None for all others."""
    found = list(tokens(pattern))
    first = bool(found) and found[0] == ("%", True)
    last = len(found) > first and found[-1] == ("%", True)
    inner = found[first : len(found) - last]
    if any(is_wild for _, is_wild in inner):
        return None
    op = {(False, False): "eq", (False, True): "startswith", (True, False): "endswith", (True, True): "contains"}
    return op[first, last], "".join(each for each, _ in inner)


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a text matches a normal pattern, in a time that grows with its length alone."""
    segments = [""]
    for each, is_wild in tokens(pattern):
        if is_wild and each == "%":
            segments.append("")
        else:
            segments[-1] += "." if is_wild else re.escape(each)
    first, *others = segments
    if not others:
        compiled = re.compile(first, re.DOTALL)
    else:  # where a segment is found first is as good a place as any: nothing is tried again
        *inner, last = others
        compiled = re.compile(first + "".join(f"(?>.*?{each})" for each in inner) + f".*{last}", re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def as_glob(pattern: str) -> str:
    """The pattern of SQLite's GLOB, which does not ignore case as its LIKE does."""
    wild = {"%": "*", "_": "?"}
    return "".join(
        wild[each] if is_wild else f"[{each}]" if each in "*?[" else each for each, is_wild in tokens(pattern)
    )
