"""Patterns of LIKE: told apart from the texts in them, and matched without a database."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from honestwork.rules.patterns import as_glob, literal_part, matcher, normal, quoted

PATTERNS = st.lists(st.sampled_from(["%", "_", "a", "A", "b", "\n", "é", "*", "."]), max_size=6).map("".join)
TEXTS = st.text(alphabet="aAb\né*.", max_size=6)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PATTERNS, TEXTS)
def test_a_pattern_matches_as_its_regular_expression_does(pattern: str, text: str) -> None:
    wild = {"%": ".*", "_": "."}
    expected = re.fullmatch("".join(wild.get(each) or re.escape(each) for each in pattern), text, re.DOTALL)

    assert matcher(pattern)(text) == (expected is not None)


def test_many_wildcards_take_no_longer_than_one() -> None:
    assert not matcher("%a" * 30 + "b")("a" * 5_000)


@pytest.mark.parametrize(
    ("pattern", "escape", "expected"),
    [
        ("a%", None, "a%"),
        ("50!%", "!", "50/%"),
        ("a/b", None, "a//b"),
        ("!!_", "!", "!_"),
        ("a!", "!", None),
        ("!a", "!", None),
        ("%%", "%", "/%"),
    ],
)
def test_a_pattern_is_quoted_in_one_way(pattern: str, escape: str | None, expected: str | None) -> None:
    assert normal(pattern, escape) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ab", ("eq", "ab")),
        ("", ("eq", "")),
        ("ab%", ("startswith", "ab")),
        ("%ab", ("endswith", "ab")),
        ("%ab%", ("contains", "ab")),
        ("%/%%", ("contains", "%")),
        ("%", ("endswith", "")),
        ("a%b", None),
        ("a_", None),
    ],
)
def test_a_simple_pattern_is_a_beginning_an_end_or_a_part(pattern: str, expected: tuple[str, str] | None) -> None:
    assert literal_part(pattern) == expected


@given(TEXTS)
def test_a_quoted_text_matches_itself(text: str) -> None:
    assert matcher(quoted(text))(text)


def test_glob_has_wildcards_of_its_own() -> None:
    assert as_glob("a_%*?[]/%") == "a?*[*][?][[]]%"
