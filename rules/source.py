"""Finds what a code object was compiled from: its part of the syntax tree, where the source is there and is the one.

An instruction knows the piece of source that it was compiled from, from line and column to line and column; so does a
node of the tree. Neither knows more of the other, and no more is needed: what an instruction lies in, its code does.

    lambda user: user.nickname is None          a comparison in the tree, from column 13 to 34
                 ──────────────────────
                 LOAD_FAST, LOAD_ATTR …         whatever the compiler has made of it, it lies in there

How a Python lays out a comparison, this does not read. That is another thing in each version, and the same piece of
source in all of them: several lambdas on a line are apart, a comprehension is where it stands, inlined or not.

A source may be another one by now: edited since it was imported, or changed by an import hook before it was compiled.
So it is compiled again, and believed only if the same code comes out.
"""

from __future__ import annotations
import __future__

import ast
import dis
import functools
import inspect
import linecache
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Place", "announce", "place", "syntax_of"]

Place = tuple[tuple[int, int], tuple[int, int]]
"""A piece of source, from line and column to line and column."""

_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.GeneratorExp,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.ClassDef,
)


class _Entry(NamedTuple):
    place: Place
    held: tuple[ast.AST, ...]  # the nodes of interest there, from the outermost in the same scope to the innermost
    starts: tuple[int, ...]  # the lines in which the functions around begin


class _Statements(NamedTuple):
    entries: list[_Entry]  # the outer ones before the inner ones
    codes: frozenset[tuple[types.CodeType, bytes]]  # with their places, which Python 3.11.0 does not compare


def announce(function: types.FunctionType) -> None:
    """Let the source be found also where it is no file: in a zip archive, for one, only the module's loader has it."""
    if function.__code__.co_filename not in linecache.cache and function.__globals__.get("__spec__") is not None:
        linecache.lazycache(function.__code__.co_filename, function.__globals__)


def syntax_of(code: types.CodeType, is_of_interest: Callable[[ast.AST], bool]) -> tuple[ast.AST, ...] | None:
    """The nodes of interest in *code* itself; None where its source is not to be had, or is another one by now."""
    linecache.checkcache(code.co_filename)
    lines = tuple(linecache.getlines(code.co_filename))
    try:
        found = _statements(lines, code.co_firstlineno, code.co_flags & _FUTURES, is_of_interest)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return _nodes(code, found.entries) if (code, code.co_linetable) in found.codes else None


def place(positions: dis.Positions | None) -> Place | None:
    """Where an instruction was written; None for one that the compiler added, and where Python keeps no columns."""
    line, end_line, column, end_column = positions or (None,) * 4
    if line is None or end_line is None or column is None or end_column is None:
        return None
    return ((line, column), (end_line, end_column)) if (line, column) < (end_line, end_column) else None


def _nodes(code: types.CodeType, entries: list[_Entry]) -> tuple[ast.AST, ...]:
    places = {at for each in dis.get_instructions(code) if (at := place(each.positions)) is not None}
    if not places:  # python -X no_debug_ranges: all of the functions that begin in its line, which is never less
        held = [entry.held for entry in entries if code.co_firstlineno in entry.starts]
        return tuple(dict.fromkeys(node for each in held for node in each))
    first, last = min(start for start, _ in places), max(end for _, end in places)
    near = [entry for entry in entries if entry.place[0] < last and first < entry.place[1]]
    innermost = [_held_at(each, near) for each in sorted(places)]
    return tuple(dict.fromkeys(node for held in innermost for node in held))


def _held_at(at: Place, entries: list[_Entry]) -> tuple[ast.AST, ...]:
    around = [entry for entry in entries if entry.place[0] <= at[0] and at[1] <= entry.place[1]]
    return around[-1].held if around else ()


@functools.lru_cache(8)
def _tree(lines: tuple[str, ...]) -> ast.Module:
    return ast.parse("".join(lines))


@functools.lru_cache(64)
def _statements(
    lines: tuple[str, ...], line: int, flags: int, is_of_interest: Callable[[ast.AST], bool]
) -> _Statements:
    """The statements of a module that stand in one line, compiled, with their entries."""
    body = [each for each in _tree(lines).body if _first_line(each) <= line <= (each.end_lineno or 0)]
    return _compiled(tuple(body), flags, is_of_interest)


@functools.lru_cache(64)
def _compiled(body: tuple[ast.stmt, ...], flags: int, is_of_interest: Callable[[ast.AST], bool]) -> _Statements:
    module = compile(ast.Module(list(body), []), "", "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    entries = [entry for each in body for entry in _entries(each, _MODULE, is_of_interest)]
    return _Statements(entries, frozenset((code, code.co_linetable) for code in _codes(module)))


def _first_line(statement: ast.stmt | ast.expr) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def _entries(node: ast.AST, outer: _Entry, is_of_interest: Callable[[ast.AST], bool]) -> Iterator[_Entry]:
    """A scope holds nothing of what is around it: a lambda in an `await` does not await."""
    entry = outer
    if isinstance(node, _SCOPES):
        starts = outer.starts if isinstance(node, ast.ClassDef) else (*outer.starts, _first_line(node))
        yield (entry := _Entry(_place_of(node), (), starts))
    elif is_of_interest(node):
        yield (entry := _Entry(_place_of(node), (*outer.held, node), outer.starts))
    for child in ast.iter_child_nodes(node):
        yield from _entries(child, entry, is_of_interest)


_MODULE = _Entry(((0, 0), (0, 0)), (), ())


def _place_of(node: ast.AST) -> Place:
    assert isinstance(node, ast.stmt | ast.expr | ast.pattern)
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)


_FUTURES = ~inspect.CO_NESTED & functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
