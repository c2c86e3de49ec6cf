"""A projection reads columns and makes of each row what the function would have made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from honestwork.adapters.queries.evaluation import Objects, compile_values
from honestwork.domain import RuleRefused
from honestwork.rules import trace_columns
from tests.rules_kit.shop import Address, Line, Status, User, user

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


def missing(value: object) -> bool:
    return value is None


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
        lambda u: (u.banned, sum(1 for x in u.lines if not u.banned)),
        lambda u: (u.vip, u.nick, sum(x.qty for x in u.lines if x.note is None and u.nick is None)),
        lambda u: sum(x.qty for x in u.lines if x.note is not None and x.note > "a"),
        lambda u: (len(u.lines), sum(x.qty > 1 for x in u.lines)),
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
        # A stand-in may stand for None, or for True: who asks by `is` would be told what is not so.
        (lambda u: u.nick if u.nick is not None else "?", "asks with `is`"),
        (lambda u: u.nick is None, "asks with `is`"),
        (lambda u: (u.name, u.banned is True), "asks with `is`"),
        (lambda u: u.status is Status.NEW, "asks with `is`"),
        (lambda u: missing(u.nick), "asks with `is`"),
        (lambda u: u.nick == None, "asks whether nick is None"),  # noqa: E711
        (lambda u: u.nick or "?", "branches on `nick != ''`"),
        (lambda u: u.billing.city if u.billing else "?", "asks whether billing is None"),
        (lambda u: u.billing is None, "asks with `is`"),
        (lambda u: u.billing != None, "asks whether billing is None"),  # noqa: E711
        (lambda u: isinstance(u.nick, str), "asks whether nick is None"),
        (lambda u: type(u.score) == int, "asks whether score is None"),  # noqa: E721
        (lambda u: any(each is None for each in (u.nick, u.score)), "asks with `is` in a loop"),
        (lambda u: any(x.qty > 1 for x in u.lines), r"branches on `any\(x1.qty > 1 for x1 in lines\)`"),
        ("name", "is no function, but str"),
    ],
)
def test_what_is_no_projection_is_refused(columns: Callable[[User], Any], words: str) -> None:
    with pytest.raises(RuleRefused, match=words):
        trace_columns(columns, User)
