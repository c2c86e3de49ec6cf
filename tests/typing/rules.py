"""What type checkers must accept of rules, with no plugin and no cast. Checked, and never run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import assert_type

from honestwork.adapters.queries.evaluation import Objects, compile_scan
from honestwork.adapters.sql.rules import explain
from honestwork.domain import (
    Page,
    Repository,
    Rule,
    all_of,
    any_of,
    asc,
    desc,
    negate,
    nulls_first,
    nulls_last,
    rule,
)
from honestwork.rules import Expr, OrderKey, Projection, trace, trace_columns, trace_order
from honestwork.service_layer import UnitOfWork


@dataclass(eq=False)
class Line:
    sku: str
    quantity: int


@dataclass(eq=False)
class User:
    id: int
    name: str
    age: int
    score: int | None = None
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    id: int
    name: str


def adult(user: User) -> bool:
    return user.age >= 18


def older(age: int, user: User) -> bool:
    return user.age > age


def older_than(age: int) -> Callable[[User], bool]:
    return lambda user: user.age > age


@rule
def famous(user: User) -> bool:
    return user.score is not None and user.score > 1000


assert_type(famous, Rule[User])
assert_type(famous & adult, Rule[User])
assert_type(famous | older_than(3), Rule[User])
assert_type(~famous, Rule[User])
assert_type(adult & famous, Rule[User])
assert_type(all_of(adult, famous), Rule[User])
assert_type(any_of(adult, older_than(3)), Rule[User])
assert_type(negate(adult), Rule[User])
assert_type(famous(User(1, "Jo", 3)), bool)

assert_type(trace(adult, User), Expr)
trace(famous, User)
trace(older_than(3), User)
trace(functools.partial(older, 3), User)
trace(lambda user: user.age > 3 and user.name.startswith("J"), User)
trace(lambda user: any(line.quantity > 3 for line in user.lines), User)
trace(lambda user: user.score is None or user.score > 3, User)

assert_type(trace_order(lambda user: (desc(user.score), asc(user.name)), User, key=["id"]), tuple[OrderKey, ...])
trace_order(lambda user: nulls_first(nulls_last(user.score)), User, key=["id"])

assert_type(trace_columns(lambda user: (user.id, user.name), User), Projection[tuple[int, str]])
assert_type(trace_columns(lambda user: Row(user.id, user.name), User), Projection[Row])
assert_type(trace_columns(lambda user: Row(user.id, user.name), User).build([1, "Jo"]), Row)

compile_scan(trace(adult, User), Objects())
assert_type(explain(adult, User, "postgresql"), str)


class Users(Repository[User, int]):
    def grown_up(self) -> list[User]:
        return self.find(adult, order_by=lambda user: user.name)


class Directory(UnitOfWork):
    users: Users


def ask(uow: Directory) -> None:
    users = uow.users
    assert_type(users.grown_up(), list[User])

    assert_type(users.find(adult), list[User])
    assert_type(users.find(famous & older_than(60), limit=3, offset=6), list[User])
    assert_type(users.find(~famous, order_by=lambda user: (desc(user.score), user.name)), list[User])
    assert_type(users.find(functools.partial(older, 18)), list[User])
    assert_type(users.find(all_of(adult, negate(famous))), list[User])
    assert_type(users.find(lambda user: user.age > 3 and user.name in ("Jo", "Al")), list[User])
    assert_type(users.find(lambda user: any(line.quantity > 3 for line in user.lines)), list[User])
    assert_type(users.find(lambda user: sum(line.quantity for line in user.lines) > 3), list[User])

    assert_type(users.all(order_by=lambda user: user.name), list[User])
    assert_type(users.find_by(name="Jo", age=3), list[User])
    assert_type(users.first(adult, order_by=lambda user: nulls_first(user.score)), User | None)
    assert_type(users.first(name="Jo"), User | None)
    assert_type(users.one(adult, name="Jo"), User)
    assert_type(users.count(adult), int)
    assert_type(users.exists(famous), bool)
    assert_type(users.remove_where(adult), int)

    page = users.page(adult, order_by=lambda user: desc(user.age), limit=20)
    assert_type(page, Page[User])
    assert_type(page[0], User)
    assert_type(page.next, str | None)
    assert_type(users.page(limit=20, after=page.next), Page[User])
    assert_type(users.stream(adult, order_by=lambda user: user.name), Iterator[User])

    assert_type(users.select(lambda user: user.name), list[str])
    assert_type(users.select(lambda user: (user.id, user.name), adult), list[tuple[int, str]])
    assert_type(users.select(lambda user: Row(user.id, user.name.lower()), adult, limit=3), list[Row])
    assert_type(users.select(lambda user: (user.score, len(user.lines))), list[tuple[int | None, int]])
