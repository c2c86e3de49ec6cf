"""The instructions of Pythons to come are read as those of this one: what was recorded there is read here."""

from __future__ import annotations

import dis
import linecache
from collections.abc import Callable

import pytest

from honestwork.rules.written import Written, read
from tests.rules_kit.streams import SOURCES, codes, recorded

EXPECTED: dict[str, tuple[list[str], bool, list[object]]] = {
    # what is compared by identity; whether `is` is asked; the containers right of an `in`
    "is None": ([], True, []),
    "is not None, in an if": ([], True, []),
    "is True": ([], True, []),
    "is a member": (["Status.OPEN"], True, []),
    "is another": (["u.name"], True, []),
    "a chain": (["u.name"], True, []),
    "any": ([], False, []),
    "all, with is None": ([], True, []),
    "list and set": ([], False, []),
    "any is another": (["u.vip"], True, []),
    "match": ([], True, []),
    "in": ([], False, [(), (1, -1), frozenset({"", "Jo"})]),
}
READ_AS = {"is another": "...", "a chain": "...", "any is another": "..."}  # without a source: of what it has no name


@pytest.fixture(params=["3.14", "3.15", "as it is here"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Written]]:
    """Reads the codes of a source, with the instructions that another Python has made of it."""

    def read_all(title: str) -> list[Written]:
        made = codes(SOURCES[title])
        if request.param != "as it is here":
            streams = recorded(request.param, title)
            monkeypatch.setattr(dis, "get_instructions", lambda code: streams[made.index(code)])
        return [read(code) for code in made]

    return read_all


def test_the_sources_are_expected() -> None:
    assert EXPECTED.keys() == SOURCES.keys()


@pytest.mark.parametrize("title", SOURCES)
@pytest.mark.parametrize("with_source", [True, False])
def test_instructions_of_another_python_say_the_same(
    title: str, with_source: bool, reading: Callable[[str], list[Written]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = SOURCES[title].splitlines(keepends=True)
    if with_source:
        monkeypatch.setitem(linecache.cache, "<recorded>", (len(lines), None, lines, "<recorded>"))

    found = reading(title)

    compared, asks, _ = EXPECTED[title]
    texts = compared if with_source else [READ_AS.get(title, each) for each in compared]
    assert [each.refusal for each in found] == [None] * len(found)
    assert {each.text for one in found for each in one.identities} == set(texts)
    assert any(each.asks_identity for each in found) is asks


@pytest.mark.parametrize("version", ["3.14", "3.15"])
@pytest.mark.parametrize("with_source", [True, False])
def test_the_containers_right_of_an_in_are_found_in_instructions_of_another_python(
    version: str, with_source: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,), (stream,) = codes(SOURCES["in"]), recorded(version, "in")
    lines = SOURCES["in"].splitlines(keepends=True)
    if with_source:
        monkeypatch.setitem(linecache.cache, "<recorded>", (len(lines), None, lines, "<recorded>"))
    monkeypatch.setattr(dis, "get_instructions", lambda code: stream)

    found = read(code).containers

    values = [each.argval for each in stream if each.opname == "LOAD_CONST" and each.arg in found]
    assert sorted(values, key=repr) == EXPECTED["in"][2]


@pytest.mark.parametrize("version", ["3.14", "3.15"])
def test_what_was_recorded_has_what_a_reader_of_layouts_mistakes(version: str) -> None:
    asked = {title: [each.opname for stream in recorded(version, title) for each in stream] for title in SOURCES}

    assert "IS_OP" in asked["any"]
    assert asked["list and set"].count("IS_OP") == {"3.14": 1, "3.15": 3}[version]
    assert ("LOAD_COMMON_CONSTANT" in asked["is None"]) is (version == "3.15")
