"""Instructions as compilers of other Pythons lay them out, written down there: `python -m tests.rules_kit.streams`.

What they differ in is where a reader of instructions goes wrong. Python 3.14 asks by `is` whether `any` is its own
any(); 3.15 asks that of list(), tuple() and set() too, and loads None, True and False as no other constant.
"""

from __future__ import annotations

import dis
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["RECORDED", "SOURCES", "Instruction", "codes", "recorded"]

RECORDED = Path(__file__).with_suffix(".json")

SOURCES = {
    "is None": "rule = lambda u: u.nick is None\n",
    "is not None, in an if": "def rule(u):\n    if u.nick is not None:\n        return u.age > 3\n    return False\n",
    "is True": "rule = lambda u: u.vip is True or u.vip is False\n",
    "is a member": "rule = lambda u: u.status is Status.OPEN\n",
    "is another": "rule = lambda u: u.nick is u.name\n",
    "a chain": "rule = lambda u: u.nick is u.name is None\n",
    "any": "rule = lambda u: any(line.qty > 3 for line in u.lines)\n",
    "all, with is None": "rule = lambda u: all(line.note is None for line in u.lines) and u.nick is None\n",
    "list and set": "rule = lambda u: list(x for x in u.a) == [] and set(x for x in u.b) and tuple(x for x in u.c)\n",
    "any is another": "rule = lambda u: any(line.qty > 3 for line in u.lines) is u.vip\n",
    "match": "def rule(u):\n    match u.vip:\n        case None: return True\n        case True: return False\n",
    "in": "rule = lambda u: u.name in {'', 'Jo'} and u.age in (1, -1) and u.nick in () and u.f(a=(1, 2))\n",
}


class Instruction(NamedTuple):
    """What a reader asks of `dis.Instruction`."""

    opname: str
    arg: int | None
    argval: Any
    positions: dis.Positions

    @property
    def opcode(self) -> int:
        return dis.opmap.get(self.opname, -1)  # the number of this Python, which may know no such instruction


def codes(source: str) -> list[types.CodeType]:
    """The code of the functions and generators in a source, the outer ones first."""

    def inner(code: types.CodeType) -> Iterator[types.CodeType]:
        for each in code.co_consts:
            if isinstance(each, types.CodeType):
                yield each
                yield from inner(each)

    return list(inner(compile(source, "<recorded>", "exec", dont_inherit=True)))


def recorded(version: str, title: str) -> list[list[Instruction]]:
    """What the compiler of a Python made of a source, for each of its codes."""
    streams = json.loads(RECORDED.read_text())[version][title]
    return [[Instruction(name, arg, _read(it), dis.Positions(*at)) for name, arg, it, *at in each] for each in streams]


def _written(value: Any) -> Any:
    if isinstance(value, tuple | frozenset):
        return {type(value).__name__: list(value) if isinstance(value, tuple) else sorted(value, key=repr)}
    return value if value is None or isinstance(value, bool | int | str) else {"other": type(value).__name__}


def _read(value: Any) -> Any:
    match value:
        case {"tuple": items}:
            return tuple(items)
        case {"frozenset": items}:
            return frozenset(items)
        case {"other": _}:
            return object()
    return value


def _stream(code: types.CodeType) -> list[list[Any]]:
    return [
        [each.opname, each.arg, _written(each.argval), *(each.positions or (None,) * 4)]
        for each in dis.get_instructions(code)
    ]


def _spread(value: Any, levels: int) -> str:
    """JSON with an instruction on each line."""
    if not levels or not value:
        return json.dumps(value)
    items = value.items() if isinstance(value, dict) else [(None, each) for each in value]
    lines = [(f"{json.dumps(key)}: " if key else "") + _spread(each, levels - 1) for key, each in items]
    opened, closed = "{}" if isinstance(value, dict) else "[]"
    return opened + "\n" + ",\n".join(lines) + "\n" + closed


def main() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    known[version] = {title: [_stream(code) for code in codes(source)] for title, source in SOURCES.items()}
    RECORDED.write_text(_spread(known, 4) + "\n")


if __name__ == "__main__":
    main()
