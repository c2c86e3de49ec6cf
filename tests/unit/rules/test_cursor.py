"""A cursor comes back as it was written, to the order it was written for, or is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st

from honestwork.domain import RuleRefused
from honestwork.domain.rules import OrderKey, desc, read_cursor, trace_order, write_cursor
from honestwork.domain.rules.formula import attr
from tests.rules_kit.shop import User

KEYS = trace_order(lambda u: (desc(u.score), u.name), User, key=["id"])
VALUES: dict[type, st.SearchStrategy[object]] = {
    bool: st.booleans(),
    int: st.integers(-(2**63) + 1, 2**63 - 1),  # what no row can hold was made up
    str: st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    float: st.floats(allow_nan=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
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
