"""What a rule does is told from what its author wrote, on every Python, with its source and without."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import py_compile
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from honestwork.adapters.queries.evaluation import Objects, compile_scan
from honestwork.domain import RuleRefused
from honestwork.rules import instrument, trace
from tests.rules_kit import shop
from tests.rules_kit.odd import ODD, REFUSED, made
from tests.rules_kit.shop import User

from .test_supported import PEOPLE


@pytest.fixture(autouse=True)
def nothing_is_read_yet() -> Iterator[None]:
    instrument._plan.cache_clear()
    yield
    instrument._plan.cache_clear()


def told(rule: Callable[[User], bool]) -> str:
    try:
        return str(trace(rule, User))
    except RuleRefused as refusal:
        return str(refusal)


@pytest.mark.parametrize("title", ODD)
def test_an_odd_rule_finds_those_for_whom_the_function_is_true(title: str) -> None:
    rule = made(title, ODD[title])

    found = compile_scan(trace(rule, User), Objects())(PEOPLE)

    assert [each.id for each in found] == [each.id for each in PEOPLE if rule(each)]


@pytest.mark.parametrize("title", ODD)
def test_an_odd_rule_without_its_source_is_the_same_or_is_refused(title: str) -> None:
    formula, alone = (told(made(title, ODD[title], with_source=each)) for each in (True, False))

    assert alone == formula or (title.endswith("+") and "compares with `is" in alone)


def test_a_refusal_says_that_there_is_no_source() -> None:
    rule = made("no source", "rule = lambda user: user.nick is (None)\n", with_source=False)

    with pytest.raises(RuleRefused, match="as plainly as that, for its source cannot be found"):
        trace(rule, User)


@pytest.mark.parametrize("title", REFUSED)
@pytest.mark.parametrize("with_source", [True, False])
def test_what_running_it_would_not_tell_is_refused(title: str, with_source: bool) -> None:
    rule = made(title, REFUSED[title], with_source=with_source)

    with pytest.raises(RuleRefused, match=r"compares with `is|changes|imports|yields or awaits|is async|class pattern"):
        trace(rule, User)


def test_a_value_of_a_function_around_is_told_from_a_global_of_the_same_name() -> None:
    def maker(Status: object) -> Callable[[User], bool]:
        return lambda user: user.status is Status

    assert str(trace(maker(shop.Status.OPEN), User)) == "status == Status.OPEN"
    with pytest.raises(RuleRefused, match="compares with `is Status`"):
        trace(maker("open"), User)


def test_a_source_that_was_edited_since_it_was_imported_is_not_believed(tmp_path: Path) -> None:
    # The two texts differ in nothing that a place would tell.
    file = tmp_path / "edited.py"
    file.write_text("FAVOURITE = 'Jo'\nrule = lambda user: user.name is FAVOURITE\n")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    file.write_text("FAVOURITE = 'Jo'\nrule = lambda user: user.name is None     \n")

    with pytest.raises(RuleRefused, match="compares with `is FAVOURITE`"):
        trace(names["rule"], User)


def test_a_source_whose_places_were_moved_since_it_was_imported_is_not_believed(tmp_path: Path) -> None:
    # Of the same length, so that the places of the one lie in other pieces of the other.
    file = tmp_path / "moved.py"
    file.write_text("rules = [lambda user:      user.nick is None, lambda user: user.nick is user.name]\n")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    file.write_text("rules = [lambda user: user.nick is None, lambda user:      user.nick is user.name]\n")

    good, bad = names["rules"]

    assert str(trace(good, User)) == "nick is None"
    with pytest.raises(RuleRefused, match="compares with `is"):
        trace(bad, User)


def test_a_module_that_was_edited_and_is_loaded_again_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "again.py"
    formulas = []
    for text in ("None is user.nick", "None is not (user.nick)"):
        file.write_text(f"rule = lambda user: {text}\n")
        names: dict[str, Any] = {}
        exec(compile(file.read_text(), str(file), "exec"), names)
        formulas.append(str(trace(names["rule"], User)))

    assert formulas == ["nick is None", "nick is not None"]


def test_code_that_a_hook_has_changed_before_it_was_compiled_is_read_without_its_source(tmp_path: Path) -> None:
    class Checked(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> ast.AST:
            assert node.value is not None
            call = ast.Call(ast.Name("bool", ast.Load()), [node.value], [])
            return ast.fix_missing_locations(ast.copy_location(ast.Return(call), node))

    file = tmp_path / "hooked.py"
    file.write_text(
        "def rule(user):\n    return user.nick is None\n\ndef bad(user):\n    return user.nick is user.name\n"
    )
    names: dict[str, Any] = {}
    exec(compile(Checked().visit(ast.parse(file.read_text())), str(file), "exec"), names)

    assert str(trace(names["rule"], User)) == "nick is None"
    with pytest.raises(RuleRefused, match="compares with `is"):
        trace(names["bad"], User)


def test_a_program_that_is_shipped_as_bytecode_alone_has_the_same_rules(tmp_path: Path) -> None:
    source = tmp_path / "shipped.py"
    source.write_text("rule = lambda user: user.nick is None and any(line.note is None for line in user.lines)\n")
    py_compile.compile(str(source), str(tmp_path / "shipped.pyc"))
    source.unlink()
    spec = importlib.util.spec_from_file_location("shipped", tmp_path / "shipped.pyc")
    assert spec is not None
    assert spec.loader is not None
    shipped = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shipped)

    assert str(trace(shipped.rule, User)) == "nick is None and any(x1.note is None for x1 in lines)"


def test_a_rule_in_a_zip_archive_has_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped_rules.py", "rule = lambda user: (None) is not (user.nick)\n")
    monkeypatch.syspath_prepend(tmp_path / "zipped.zip")

    rule = importlib.import_module("zipped_rules").rule

    assert str(trace(rule, User)) == "nick is not None"


@pytest.mark.skipif(sys.platform == "emscripten", reason="starts no process")
@pytest.mark.parametrize("how", ["-c", "-"])
def test_rules_are_told_apart_on_the_command_line_of_python(how: str) -> None:
    program = textwrap.dedent(
        """
        from honestwork.domain import RuleRefused
        from honestwork.rules import trace
        class User:
            name: str
            nick: str | None
        rule = lambda user: user.nick is None or user.name in ("Jo", "a")
        print(trace(rule, User))
        def other(user): return user.nick is user.name
        try:
            print(trace(other, User))
        except RuleRefused as refusal:
            print("compares with" in str(refusal))
        """
    )
    command = [sys.executable, *how.split(), *([program] if how.endswith("c") else [])]

    done = subprocess.run(command, input=program, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "nick is None or name in ('Jo', 'a')\nTrue\n"


@pytest.mark.skipif(sys.platform == "emscripten", reason="starts no process")
def test_a_file_is_read_where_python_keeps_no_columns(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        textwrap.dedent(
            """
            from honestwork.domain import RuleRefused
            from honestwork.rules import trace
            class User:
                name: str
                nick: str | None
                age: int
            rule = lambda user: (user.nick is None
                and user.age > 3)
            print(trace(rule, User))
            rule, other = (lambda user: user.nick is None), (lambda user: user.nick is user.name)
            for each in rule, other:
                try:
                    print(trace(each, User))
                except RuleRefused as refusal:
                    print("compares with" in str(refusal))
            """
        )
    )
    command = [sys.executable, "-X", "no_debug_ranges", "rules.py"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)

    # Of two on one line there is no telling which of them is wrong.
    assert done.stdout == "nick is None and age > 3\nTrue\nTrue\n"


def test_the_source_of_a_module_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    title, text = "once", "rules = [lambda u: u.nick is None, lambda u: u.age in {1, 2}]\nrule = rules.pop\n"
    pop, parse = made(title, text), ast.parse
    parsed: list[str] = []

    def counted(source: str) -> ast.Module:
        parsed.append(source)
        return parse(source)

    monkeypatch.setattr(ast, "parse", counted)

    formulas = [str(trace(pop(), User)) for _ in range(2)]  # type: ignore[call-arg]

    assert (formulas, parsed) == (["age in (1, 2)", "nick is None"], [text])
