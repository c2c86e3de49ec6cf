"""What the code of a rule does that running it does not show.

Most of a rule shows when it is run on stand-ins. This does not:

* `is` asks no object, so a stand-in cannot answer it: what is compared has to be known before;
* a constant container right of an `in` is asked by Python itself, for one element after the other;
* what a rule changes, imports or suspends, it would change, import or suspend on each path.

All of it is told from the syntax tree (`source`). Without a source, as in a program that is shipped as bytecode alone,
what is left are the instructions and the places they were written at. They are believed where they leave no doubt,
and of the Pythons whose compiler was tried; whatever else might compare by identity is refused, with the way out.
"""

from __future__ import annotations

import ast
import dis
import inspect
import sys
import types
from collections.abc import Iterator
from typing import NamedTuple

from .source import Place, place, syntax_of

__all__ = ["UNSEEN", "Compared", "Written", "read"]

UNSEEN = "..."  # what is compared with, where neither a source nor the instructions tell

_TRIED = (3, 15)  # the newest Python whose instructions are read without a source


class Compared(NamedTuple):
    """What stands beside an `is`: a dotted name, whose root is not the code's own; without a root anything else."""

    text: str
    line: int
    root: str = ""
    path: tuple[str, ...] = ()
    closed: bool = False  # is the root a variable of a function around, and no global one?


class Written(NamedTuple):
    refusal: str | None
    identities: tuple[Compared, ...]  # what is compared by identity, other than with None, True and False
    asks_identity: bool
    containers: frozenset[int]  # which constants stand right of an `in`


def read(code: types.CodeType) -> Written:
    """What is written in a code object itself, without the functions and generators within it."""
    nodes = syntax_of(code, _tells)
    told = _from_instructions(code) if nodes is None else _from_nodes(nodes, code)
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        refusal = f"is async (line {code.co_firstlineno}): a rule returns a bool, and awaits nothing"
        return Written(refusal, told.identities, told.asks_identity, told.containers)
    return told


def _matches(line: int) -> str:
    return f"matches a class pattern (line {line}): compare the attributes one by one"


def _imports(line: int) -> str:
    return f"imports inside of the function (line {line}): import at the top of the module"


def _changes(what: str, line: int) -> str:
    return f"changes `{what}` (line {line}): a rule only looks"


def _suspends(line: int) -> str:
    return f"yields or awaits (line {line}): a rule returns a bool"


# --- the syntax tree ----------------------------------------------------------------------------------

_IDENTITY, _MEMBERSHIP = (ast.Is, ast.IsNot), (ast.In, ast.NotIn)
_LITERALS = (ast.Tuple, ast.List, ast.Set)


def _tells(node: ast.AST) -> bool:
    """Does the node say something that running it does not show?"""
    if isinstance(node, ast.Compare):
        return any(isinstance(op, (*_IDENTITY, *_MEMBERSHIP)) for op in node.ops)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(
        node, ast.MatchSingleton | ast.MatchClass | ast.Import | ast.ImportFrom | ast.Yield | ast.YieldFrom | ast.Await
    )


def _from_nodes(nodes: tuple[ast.AST, ...], code: types.CodeType) -> Written:
    refusals = [why for node in nodes if (why := _refusal_of(node, code))]
    pairs = [pair for node in nodes if isinstance(node, ast.Compare) for pair in _pairs(node)]
    identical = [(left, right) for left, op, right in pairs if isinstance(op, _IDENTITY)]
    asked = [pair for pair in identical if not any(map(_is_singleton, pair))]
    return Written(
        refusals[0] if refusals else None,
        tuple(_compared(left, right, code) for left, right in asked),
        bool(identical) or any(isinstance(node, ast.MatchSingleton) for node in nodes),
        _containers([right for _, op, right in pairs if isinstance(op, _MEMBERSHIP)], code),
    )


def _pairs(node: ast.Compare) -> Iterator[tuple[ast.expr, ast.cmpop, ast.expr]]:
    """`a is b in c` compares a with b, and b with c."""
    return zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)


def _refusal_of(node: ast.AST, code: types.CodeType) -> str | None:
    match node:
        case ast.MatchClass():
            return _matches(node.lineno)
        case ast.Import() | ast.ImportFrom():
            return _imports(node.lineno)
        case ast.Attribute():
            return _changes(node.attr, node.lineno)
        case ast.Subscript():
            return _changes("an element", node.lineno)
        case ast.Name() if not _is_own(node.id, code):
            return _changes(node.id, node.lineno)
        case ast.Yield() | ast.YieldFrom() | ast.Await():
            return _suspends(node.lineno)
    return None


def _is_own(name: str, code: types.CodeType) -> bool:
    """Is it a variable of the code itself, and neither a global one nor one of a function around it?"""
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return True  # the body of a class
    own = code.co_varnames + code.co_cellvars
    return name in own or (name.startswith("__") and any(each.endswith(name) for each in own))  # _Class__name


def _is_singleton(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _compared(left: ast.expr, right: ast.expr, code: types.CodeType) -> Compared:
    for node in (right, left):
        path: list[str] = []
        root = node
        while isinstance(root, ast.Attribute):
            path.insert(0, root.attr)
            root = root.value
        if isinstance(root, ast.Name) and not _is_own(root.id, code):
            return Compared(ast.unparse(node), node.lineno, root.id, tuple(path), root.id in code.co_freevars)
    return Compared(ast.unparse(right), right.lineno)


def _containers(nodes: list[ast.expr], code: types.CodeType) -> frozenset[int]:
    """The compiler makes one constant of a display of constants, and leaves it where the display was written."""
    displays = {
        ((each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset))
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, _LITERALS)
    }
    return frozenset(index for index, at in _constant_containers(code) if at in displays)


def _constant_containers(code: types.CodeType) -> Iterator[tuple[int, Place | None]]:
    for each in dis.get_instructions(code):
        if each.opcode in dis.hasconst and isinstance(each.argval, tuple | frozenset) and each.arg is not None:
            yield each.arg, place(each.positions)


# --- the instructions alone ---------------------------------------------------------------------------

_OWN = ("FAST", "NAME")  # variables of the function, and of the body of a class
_NAMES = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
_CHAINING = ("COPY", "SWAP", "COMPARE_OP", "CONTAINS_OP")  # of which `a is b is c` has some at its place


class _Located(NamedTuple):
    name: str
    value: object
    is_constant: bool
    place: Place


def _from_instructions(code: types.CodeType) -> Written:
    instructions = list(dis.get_instructions(code))
    located = [
        _Located(each.opname, each.argval, each.opcode in dis.hasconst or "CONST" in each.opname, at)
        for each in instructions
        if (at := place(each.positions)) is not None
    ]
    refusals = [why for each in instructions if (why := _refusal_by(each, code))]
    if sys.version_info > (*_TRIED, sys.maxsize):
        refusals.append(
            f"has no source that Python {sys.version_info[0]}.{sys.version_info[1]} finds: keep it beside the bytecode"
        )
    compares = [each for each in instructions if each.opname == "IS_OP" and not _is_guard(each, located)]
    found = (_compared_by(each, located, code) for each in compares)
    return Written(
        refusals[0] if refusals else None,
        tuple(each for each in found if each is not None),
        bool(compares) or any(each.opname.endswith(("IF_NONE", "IF_NOT_NONE")) for each in instructions),
        frozenset(index for index, at in _constant_containers(code) if at is not None and _is_member_of(at, located)),
    )


def _refusal_by(instruction: dis.Instruction, code: types.CodeType) -> str | None:
    name, what, line = instruction.opname, instruction.argval, code.co_firstlineno
    if name == "MATCH_CLASS":
        return _matches(line)
    if name == "IMPORT_NAME":
        return _imports(line)
    is_own = any(each in name for each in _OWN) or ("DEREF" in name and what in code.co_cellvars)
    if name.startswith(("STORE_", "DELETE_")) and not is_own:
        return _changes(what if isinstance(what, str) else "an element", line)
    if name in ("YIELD_VALUE", "GET_AWAITABLE", "SEND") and code.co_name != "<genexpr>":
        return _suspends(line)
    return None


def _is_guard(instruction: dis.Instruction, located: list[_Located]) -> bool:
    """Python 3.14 asks whether `any` is its own any(), at the place of the name. A comparison is longer than that."""
    return any(each.place == place(instruction.positions) and each.name in _NAMES for each in located)


def _compared_by(instruction: dis.Instruction, located: list[_Located], code: types.CodeType) -> Compared | None:
    """What is right of an `is`; None for None, True and False.

    What ends where the comparison ends is right of its last operator, and there is but one operator in it.
    """
    unknown = Compared(UNSEEN, code.co_firstlineno)
    if (whole := place(instruction.positions)) is None:
        return unknown
    ending = [each for each in located if each.place[0] >= whole[0] and each.place[1] == whole[1]]
    if any(each.place == whole and _is_singleton_load(each) for each in ending):
        return None  # case None:
    operands = [each.place for each in ending if each.place != whole]
    if not operands or any(each.name in _CHAINING for each in ending):
        return unknown
    right = [each for each in located if _within(each.place, min(operands))]
    if all(map(_is_singleton_load, right)):
        return None
    root, *path = sorted(right, key=lambda each: each.place[1])
    if root.name not in _NAMES or any(each.name != "LOAD_ATTR" for each in path):
        return unknown
    names = [str(each.value) for each in (root, *path)]
    if _is_own(names[0], code):
        return unknown
    return Compared(".".join(names), code.co_firstlineno, names[0], tuple(names[1:]), names[0] in code.co_freevars)


def _is_singleton_load(located: _Located) -> bool:
    return located.is_constant and (located.value is None or isinstance(located.value, bool))


def _is_member_of(at: Place, located: list[_Located]) -> bool:
    """Is it alone there, as the names of the arguments of a call are not, and within an `in`?"""
    return any(each.name == "CONTAINS_OP" and _within(at, each.place) for each in located) and not any(
        each.place != at and _within(each.place, at) for each in located
    )


def _within(inner: Place, outer: Place) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
