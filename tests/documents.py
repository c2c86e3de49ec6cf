"""Runs what a document shows: its Python, block after block, and the examples that it calls."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

__all__ = ["Block", "blocks", "run_console", "run_python"]

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w+-]*)")
CONSOLE = ("console", "sh", "shell", "bash")


class Block(NamedTuple):
    language: str
    line: int  # of the first line inside of the fence
    text: str


def blocks(document: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown document."""
    lines = iter(enumerate(document.splitlines(), 1))
    for start, line in lines:
        if (opened := FENCE.match(line)) is None:
            continue
        inside = []
        for _, line in lines:
            if line.strip().startswith(opened["fence"]) and not line.strip().strip(opened["fence"][0]):
                break
            inside.append(line)
        else:
            raise SyntaxError(f"the block that opens in line {start} is never closed")
        yield Block(opened["language"], start + 1, textwrap.dedent("\n".join(inside)) + "\n")


def run_python(document: str, path: Path) -> None:
    """Run the Python blocks of *document* as one module, and the tests in it as soon as their block has run.

    Tracebacks show the lines of the document. A block that fails raises AssertionError with its place.
    """
    module = ModuleType(f"document_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where `typing.get_type_hints` and `pickle` look for it
    try:
        for block in blocks(document):
            if block.language == "python":
                _run_block(block, module, path)
    finally:
        del sys.modules[module.__name__]


def _run_block(block: Block, module: ModuleType, path: Path) -> None:
    known = set(vars(module))
    try:
        # Empty lines before the block give its lines the numbers that they have in the document.
        code = compile("\n" * (block.line - 1) + block.text, str(path), "exec", dont_inherit=True)
        exec(code, vars(module))
        for name in [name for name in vars(module) if name.startswith("test_") and name not in known]:
            vars(module)[name]()
    except Exception as error:
        raise AssertionError(f"{path}:{_line(error, path) or block.line}: {type(error).__name__}: {error}") from error


def _line(error: Exception, path: Path) -> int | None:
    """The last line of the document that took part in the error."""
    if isinstance(error, SyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def run_console(document: str, path: Path, root: Path) -> None:
    """Run every `$ python -m examples...` of *document*, and compare what it prints with what is shown, if anything.

    `...` in what is shown stands for anything. Other commands are for people.
    """
    for block in blocks(document):
        if block.language in CONSOLE:
            for command, shown, line in _commands(block):
                if command.startswith("python -m examples"):
                    _run_command(command, shown, f"{path}:{line}", root)


def _commands(block: Block) -> Iterator[tuple[str, str, int]]:
    """Each command of the block, what is shown below it, and its line."""
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = lines[start].removeprefix("$ ").partition("  #")[0].strip()
        yield command, "\n".join(lines[start + 1 : end]).strip(), block.line + start


def _run_command(command: str, shown: str, place: str, root: Path) -> None:
    # -c and not -m, for the folder that this runs in is not the root of the checkout.
    module, *arguments = shlex.split(command)[2:]
    program = (
        f"import runpy, sys; sys.path.insert(0, {str(root)!r}); sys.argv[1:] = {arguments!r};"
        f" runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{place}: `{command}` fails:\n{done.stdout}{done.stderr}"
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = not shown or doctest.OutputChecker().check_output(shown + "\n", done.stdout, flags)
    assert same, f"{place}: `{command}` prints something else than is shown:\n{done.stdout}"
