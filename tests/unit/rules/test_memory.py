"""Rows in memory: one generated function, the indexes it can use, and its sorts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from honestwork.adapters.queries import evaluation as memory
from honestwork.adapters.queries.evaluation import Rows, compile_scan, compile_sort, compile_values, lookups
from honestwork.domain import desc, nulls_first
from honestwork.rules import trace, trace_columns, trace_order
from tests.rules_kit.shop import User

LAYOUT = Rows({("id",): 0, ("name",): 1, ("age",): 2, ("score",): 3})
ROWS = [(1, "Jo", 30, None), (2, "Jane", 10, 7), (3, "Al", 30, 2), (4, "J", 40, None)]


def _aged(age: int, u: User) -> bool:
    return u.age == age


def test_a_rule_is_one_list_comprehension(monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []
    compiled = memory._compiled

    def noted(source: str) -> Callable[..., Any]:
        sources.append(source)
        return compiled(source)

    monkeypatch.setattr(memory, "_compiled", noted)

    scan = compile_scan(trace(lambda u: u.age >= 18 and u.name.startswith("J"), User), LAYOUT)

    assert scan(ROWS) == [ROWS[0], ROWS[3]]
    assert sources == [
        "def make(c0, c1):\n"
        "    def run(rows):\n"
        "        return [r0 for r0 in rows if (r0[2] >= c0) and r0[1].startswith(c1)]\n"
        "    return run\n"
    ]


def test_a_rule_with_other_constants_is_compiled_once() -> None:
    memory._compiled.cache_clear()

    for age in range(5):
        compile_scan(trace(functools.partial(_aged, age), User), LAYOUT)

    assert memory._compiled.cache_info().misses == 1


def test_guards_are_asked_once() -> None:
    scan = compile_scan(trace(lambda u: u.score is not None and 1 < u.score < 5, User), LAYOUT)

    assert scan(ROWS) == [ROWS[2]]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (lambda u: u.id == 7, {("id",): (7,)}),
        (lambda u: u.id == 7 and u.age > 3, {("id",): (7,)}),
        (lambda u: u.name == "a" and u.id in (1, 2), {("name",): ("a",), ("id",): (1, 2)}),
        (lambda u: u.score == 7, {("score",): (7,)}),
        (lambda u: u.address.city == "a", {("address", "city"): ("a",)}),
        (lambda u: u.id == 7 or u.age > 3, {}),
        (lambda u: u.id != 7, {}),
        (lambda u: u.id == u.age, {}),
        (lambda u: u.id + 1 == 7, {}),
        (lambda u: u.name.lower() == "a", {}),
    ],
)
def test_equalities_can_be_looked_up(rule: object, found: dict[object, object]) -> None:
    assert lookups(trace(rule, User)) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order_by", "ids"),
    [
        (lambda u: u.name, [3, 4, 2, 1]),
        (lambda u: desc(u.name), [1, 2, 4, 3]),
        (lambda u: u.score, [3, 2, 1, 4]),
        (lambda u: desc(u.score), [2, 3, 1, 4]),
        (lambda u: nulls_first(u.score), [1, 4, 3, 2]),
        (lambda u: nulls_first(desc(u.score)), [1, 4, 2, 3]),
        (lambda u: (u.age, desc(u.name)), [2, 1, 3, 4]),
        (lambda u: (desc(u.age), u.score), [4, 3, 1, 2]),
        (None, [1, 2, 3, 4]),
    ],
)
def test_rows_are_sorted_in_place(order_by: object, ids: list[int]) -> None:
    rows = list(ROWS)

    compile_sort(trace_order(order_by, User, key=["id"]), LAYOUT)(rows)  # type: ignore[arg-type]

    assert [row[0] for row in rows] == ids


def _next_score(u: Any) -> tuple[int, str]:
    return u.score + 1, u.name


def test_what_is_computed_from_none_is_none() -> None:
    values = compile_values(trace_columns(_next_score, User).expressions, LAYOUT)

    assert [values(row) for row in ROWS[:2]] == [(None, "Jo"), (8, "Jane")]
