"""A projection reads columns and makes of each row what the function would have made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from honestwork.adapters.memory.rules import Objects, compile_values
from honestwork.domain import RuleRefused
from honestwork.domain.rules import trace_columns
from tests.rules_kit.shop import Address, Line, User, user

PEOPLE = [
    user(1, address=Address("Oslo", None), lines=[Line(1, "a", 2, 3)]),  # type: ignore[arg-type]
    user(2, name="É", nick="n", vip=True, billing=Address("Rome", "1")),
]


@dataclass(frozen=True)
class Row:
    id: int
    name: str
    kind: str = "row"

    def __post_init__(self) -> None:
        if self.id > 1 and not self.name:  # it is called with the values of each row
            raise ValueError(self.name)

    @classmethod
    def of(cls, u: User) -> Row:
        return cls(u.id, u.name)


class Pair(NamedTuple):
    left: object
    right: object


class Plain:
    def __init__(self, user: User) -> None:
        self.name = user.name


@pytest.mark.parametrize(
    "columns",
    [
        lambda u: u.name,
        lambda u: (u.id, u.name),
        lambda u: (u.id, u.name.lower(), len(u.name), u.age * 2),
        lambda u: (u.nick, u.vip, u.status, u.born, u.balance),
        lambda u: Row(u.id, u.name),
        lambda u: Row(u.id, name=u.name, kind="other"),
        lambda u: Pair(u.id, Pair(u.name, "constant")),
        lambda u: (u.address, u.billing),
        lambda u: (u.address.city, ("nested", u.age, None)),
        lambda u: len(u.lines),
        lambda u: (u.id, u.id, u.age),
    ],
)
def test_a_projection_makes_what_the_function_makes(columns: Callable[[User], Any]) -> None:
    projection = trace_columns(columns, User)

    values = compile_values(projection.expressions, Objects())

    assert [projection.build(values(each)) for each in PEOPLE] == [columns(each) for each in PEOPLE]


def test_each_expression_is_read_once() -> None:
    assert str(trace_columns(lambda u: (u.id, u.name, u.id), User).expressions) == "(id, name)"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (lambda u: u, "returns a whole User"),
        (lambda u: u.lines, "returns a whole Line"),
        (lambda u: [u.id], "returns a list"),
        (lambda u: f"{u.id}", "f-string"),
        (lambda u: u.name if u.age > 3 else None, "branches on `age > 3`"),
        (lambda u: Row.of(u), "branches on `id > 1`"),
        (lambda u: Plain(u), "returns a whole User"),
    ],
)
def test_what_is_no_projection_is_refused(columns: Callable[[User], Any], words: str) -> None:
    with pytest.raises(RuleRefused, match=words):
        trace_columns(columns, User)
