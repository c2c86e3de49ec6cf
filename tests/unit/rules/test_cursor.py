"""A cursor comes back as it was written, to the order it was written for, or is refused."""

from __future__ import annotations

import base64
import datetime as dt
import json
import time
import tracemalloc
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st

from honestwork.domain import RuleRefused, desc
from honestwork.rules import OrderKey, read_cursor, trace_order, write_cursor
from honestwork.rules.cursor import MAX_CURSOR, _checksum, _fingerprint
from honestwork.rules.formula import attr
from tests.rules_kit.shop import User

KEYS = trace_order(lambda u: (desc(u.score), u.name), User, key=["id"])
VALUES: dict[type, st.SearchStrategy[object]] = {
    bool: st.booleans(),
    int: st.integers(-(2**63) + 1, 2**63 - 1),  # what no row can hold was made up
    str: st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(-(10**15), 10**15, allow_nan=False, allow_infinity=False, places=20),
    UUID: st.uuids(),
    dt.date: st.dates(),
    dt.datetime: st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    dt.time: st.times(),
}


@settings(deadline=None)
@given(st.data())
def test_every_value_comes_back_with_its_type(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    values = tuple(data.draw(st.none() | VALUES[kind]) for kind in kinds)
    keys = [OrderKey(attr(0, (f"a{i}",), kind, True)) for i, kind in enumerate(kinds)]

    read = read_cursor(keys, write_cursor(keys, values))

    assert read == values
    assert [type(each) for each in read] == [type(each) for each in values]


def test_a_cursor_can_stand_in_a_url() -> None:
    cursor = write_cursor(KEYS, [3, "é ?&=/", 7])

    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [
        trace_order(lambda u: (u.score, u.name), User, key=["id"]),
        trace_order(lambda u: desc(u.score), User, key=["id"]),
        trace_order(lambda u: (desc(u.score), u.nick), User, key=["id"]),
        trace_order(None, User, key=["id"]),
    ],
)
def test_a_cursor_of_another_order_is_refused(other: tuple[OrderKey, ...]) -> None:
    cursor = write_cursor(KEYS, [3, "J", 7])

    with pytest.raises(RuleRefused, match="made by another order"):
        read_cursor(other, cursor)


@pytest.mark.parametrize("damage", ["", "x", "é", "AAAA", "W10", "bnVsbA", "not a cursor", "[]"])
def test_what_is_no_cursor_is_refused(damage: str) -> None:
    with pytest.raises(RuleRefused, match="is damaged"):
        read_cursor(KEYS, damage)


def test_a_cursor_that_lost_or_changed_a_character_is_refused() -> None:
    cursor = write_cursor(KEYS, [3, "Jo", 7])

    for i in range(len(cursor) - 1):  # the last character has bits that are not used
        lost, changed = cursor[:i] + cursor[i + 1 :], cursor[:i] + ("A" if cursor[i] != "A" else "B") + cursor[i + 1 :]
        for damaged in (lost, changed):
            with pytest.raises(RuleRefused):
                read_cursor(KEYS, damaged)


# --- from strangers -----------------------------------------------------------------------------------

KEY = bytes(range(32))
ALL = [OrderKey(attr(0, (f"a{kind.__name__}",), kind, True)) for kind in VALUES]
AWARE = [OrderKey(attr(0, ("at",), dt.datetime), aware=True)]
NAIVE = [OrderKey(attr(0, ("at",), dt.datetime), aware=False)]


def text_of(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).decode().rstrip("=")


def forged(keys: Sequence[OrderKey], values: list[Any], spelled: str | None = None) -> str:
    """A cursor that a stranger has made, who knows how it is done. *spelled* is the JSON of the values."""
    inner = json.dumps(values)[1:-1] if spelled is None else spelled
    try:
        known = json.loads(f"[{inner}]")
    except (ValueError, RecursionError):
        known = []
    payload = f'["{_fingerprint(keys)}","{_checksum(known)}"{"," if inner else ""}{inner}]'
    return text_of(payload.encode("utf-8", "surrogatepass"))


def one(kind: type, nullable: bool = False) -> list[OrderKey]:
    return [OrderKey(attr(0, ("a",), kind, nullable))]


NASTY: dict[str, tuple[Sequence[OrderKey], Any]] = {
    "an exponent": (one(Decimal), forged(one(Decimal), ["1e100000000"])),
    "an exponent of a zero": (one(Decimal), forged(one(Decimal), ["0E-100000000"])),
    "a small exponent": (one(Decimal), forged(one(Decimal), ["1E-100000000"])),
    "an exponent beyond all": (one(Decimal), forged(one(Decimal), ["1e99999999999999999999"])),
    "a Decimal of no column": (one(Decimal), forged(one(Decimal), ["1" * 70])),
    "NaN": (one(Decimal), forged(one(Decimal), ["NaN"])),
    "a signalling NaN": (one(Decimal), forged(one(Decimal), ["sNaN"])),
    "Infinity": (one(Decimal), forged(one(Decimal), ["-Infinity"])),
    "a float NaN": (one(float), forged(one(float), ["nan"])),
    "a float infinity": (one(float), forged(one(float), ["inf"])),
    "a float beyond floats": (one(float), forged(one(float), ["0x1p+99999"])),
    "JSON's NaN": (one(float), forged(one(float), [], "NaN")),
    "JSON's Infinity": (one(float), forged(one(float), [], "Infinity")),
    "JSON's float": (one(float), forged(one(float), [], "1.5")),
    "a float for an int": (one(int), forged(one(int), [], "1.0")),
    "a large int": (one(int), forged(one(int), [2**63])),
    "a huge int": (one(int), forged(one(int), [], "9" * 4000)),
    "an int that Python does not read": (one(int), forged(one(int), [], "9" * 40_000)),
    "a text for an int": (one(int), forged(one(int), ["7"])),
    "a bool for an int": (one(int), forged(one(int), [True])),
    "an int for a bool": (one(bool), forged(one(bool), [1])),
    "a list": (one(str), forged(one(str), [["a"]])),
    "a dict": (one(str), forged(one(str), [{"a": 1}])),
    "a NUL": (one(str), forged(one(str), ["a\0"])),
    "a lone surrogate": (one(str), forged(one(str), [], '"\ud800"')),
    "an escaped surrogate": (one(str), forged(one(str), [], '"\\ud800"')),
    "None for what has a value": (one(int), forged(one(int), [None])),
    "a naive datetime": (AWARE, forged(AWARE, ["2024-01-01T00:00:00"])),
    "an aware datetime": (NAIVE, forged(NAIVE, ["2024-01-01T00:00:00+00:00"])),
    "a datetime that UTC has not": (AWARE, forged(AWARE, ["0001-01-01T00:00:00+10:00"])),
    "a datetime spelled in another way": (NAIVE, forged(NAIVE, ["20240101T000000"])),
    "a date that is none": (one(dt.date), forged(one(dt.date), ["2024-02-30"])),
    "a time with a zone": (one(dt.time), forged(one(dt.time), ["10:00:00+01:00"])),
    "a UUID in braces": (one(UUID), forged(one(UUID), ["{00000000-0000-0000-0000-000000000000}"])),
    "too few values": (KEYS, forged(KEYS, [1, "a"])),
    "too many values": (KEYS, forged(KEYS, [1, "a", 2, 3])),
    "no values": (KEYS, forged(KEYS, [])),
    "spaces in the JSON": (one(int), forged(one(int), [], " 7")),
    "more behind the JSON": (one(int), text_of(base64.urlsafe_b64decode(forged(one(int), [7]) + "==") + b" 1")),
    "deep lists": (one(str), text_of(b"[" * 40_000)),
    "deep lists that end": (one(str), text_of(b"[" * 20_000 + b"]" * 20_000)),
    "deep dicts": (one(str), text_of(b'{"":' * 12_000)),
    "UTF-16": (one(int), text_of('["a","b",7]'.encode("utf-16"))),
    "no UTF-8": (one(int), text_of(b'["\xff","",7]')),
    "bits that are not used": (one(int), forged(one(int), [77])[:-1] + "~"),
    "more than a cursor": (one(str), "A" * 10_000_000),
    "just more than a cursor": (one(str), "A" * (MAX_CURSOR + 1)),
    "base64 of the other alphabet": (one(str), "a+b/"),
    "bytes": (one(int), b"AAAA"),
    "None": (one(int), None),
    "surrogates": (one(int), "\ud800"),
    "a number": (one(int), 7),
}


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("secret", [None, KEY], ids=["unsigned", "signed"])
def test_a_cursor_of_a_stranger_is_refused_and_costs_little(nasty: str, secret: bytes | None) -> None:
    keys, cursor = NASTY[nasty]
    tracemalloc.start()
    begin = time.perf_counter()

    with pytest.raises(RuleRefused, match=r"give `page.next` back as it is, or|begin again with after=None") as caught:
        read_cursor(keys, cursor, secret=secret)

    seconds, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert seconds < 1
    assert len(str(caught.value)) < 1000


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_cursor_is_read_or_refused_whatever_it_is(data: st.DataObject) -> None:
    """Random texts, random JSON behind a right checksum, and cursors with a character changed."""
    values = [data.draw(VALUES[kind]) for kind in VALUES]
    cursor = write_cursor(ALL, values)
    place = data.draw(st.integers(0, len(cursor)))
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
    mutated = data.draw(
        st.one_of(
            st.text(max_size=50),
            st.binary(max_size=50).map(text_of),
            st.text("ABCz09-_=", max_size=3).map(lambda part: cursor[:place] + part + cursor[place + 1 :]),
            st.lists(anything, max_size=len(ALL) + 1).map(lambda made: forged(ALL, made)),
            st.lists(st.text(max_size=9), min_size=len(ALL), max_size=len(ALL)).map(lambda made: forged(ALL, made)),
        )
    )

    try:
        read = read_cursor(ALL, mutated)
    except RuleRefused:
        return

    assert write_cursor(ALL, read) == mutated


def test_a_cursor_is_not_longer_than_can_be_read() -> None:
    keys = one(str)

    assert read_cursor(keys, write_cursor(keys, ["x" * 49_000])) == ("x" * 49_000,)
    with pytest.raises(RuleRefused, match="order by something shorter"):
        write_cursor(keys, ["x" * 50_000])


def test_an_order_by_what_is_infinite_has_no_cursor() -> None:
    with pytest.raises(RuleRefused, match="order by something finite"):
        write_cursor(one(float), [float("inf")])


# --- signed -------------------------------------------------------------------------------------------


def test_a_signed_cursor_comes_back() -> None:
    cursor = write_cursor(KEYS, [3, "Jo", 7], secret=KEY, about="User")

    assert read_cursor(KEYS, cursor, secret=KEY, about="User") == (3, "Jo", 7)


@pytest.mark.parametrize(
    ("secret", "about", "keys"),
    [
        (bytes(32), "User", KEYS),
        (KEY, "Order", KEYS),
        (KEY, "User", trace_order(lambda u: (u.score, u.name), User, key=["id"])),
        (None, "User", KEYS),
    ],
    ids=["another key", "another class", "another order", "no key"],
)
def test_a_signed_cursor_is_of_its_key_class_and_order(
    secret: bytes | None, about: str, keys: Sequence[OrderKey]
) -> None:
    cursor = write_cursor(KEYS, [3, "Jo", 7], secret=KEY, about="User")

    with pytest.raises(RuleRefused):
        read_cursor(keys, cursor, secret=secret, about=about)


def test_an_unsigned_cursor_is_refused_where_there_is_a_key() -> None:
    with pytest.raises(RuleRefused, match="not signed with the cursor_key"):
        read_cursor(KEYS, write_cursor(KEYS, [3, "Jo", 7]), secret=KEY)


def test_no_character_of_a_signed_cursor_can_be_changed() -> None:
    cursor = write_cursor(KEYS, [3, "Jo", 7], secret=KEY)

    for i in range(len(cursor)):
        changed = cursor[:i] + ("A" if cursor[i] != "A" else "B") + cursor[i + 1 :]
        with pytest.raises(RuleRefused):
            read_cursor(KEYS, changed, secret=KEY)
