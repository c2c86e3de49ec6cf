"""What the standard library makes of a class is understood: the rule has the answer of the function."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from honestwork.adapters.queries.evaluation import Objects, compile_scan
from honestwork.domain import RuleRefused
from honestwork.rules import trace, trace_order


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(self: object, *args: object, **named: object) -> Any:
        return function(self, *args, **named)

    return inner


@functools.total_ordering
@dataclass(frozen=True)
class Less:
    amount: int

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Less):
            return NotImplemented
        return self.amount < other.amount


@functools.total_ordering
@dataclass(frozen=True)
class LessOrEqual:
    amount: int

    def __le__(self, other: object) -> bool:
        return self.amount <= other.amount if isinstance(other, LessOrEqual) else NotImplemented


@functools.total_ordering
@dataclass(frozen=True)
class Greater:
    amount: int

    def __gt__(self, other: object) -> bool:
        return self.amount > other.amount if type(other) is Greater else NotImplemented


@functools.total_ordering
@dataclass(frozen=True)
class GreaterOrEqual:
    amount: int

    def __ge__(self, other: object) -> bool:
        return isinstance(other, GreaterOrEqual) and self.amount >= other.amount


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int


class Line:
    amount: int

    def __init__(self, amount: int) -> None:
        self.amount = amount

    @functools.cached_property
    def large(self) -> bool:
        return self.amount > 3


@dataclass(eq=False)
class Thing:
    id: int
    name: str
    age: int
    nick: str | None
    less: Less
    less_or_equal: LessOrEqual
    greater: Greater
    greater_or_equal: GreaterOrEqual
    version: Version
    lines: list[Line] = field(default_factory=list)

    years = property(operator.attrgetter("age"))
    older_than = functools.partialmethod(lambda self, n, more=0: self.age > n + more, 3)

    @functools.cached_property
    def nameless(self) -> bool:
        return self.nick is None

    @functools.lru_cache  # noqa: B019  # somebody does
    def cached(self, n: int) -> bool:
        return self.age > n or self.nick is None

    @property
    @functools.cache  # noqa: B019
    def cached_property(self) -> bool:
        return self.nick is not None

    @logged
    def wrapped(self, n: int) -> bool:
        return self.age > n and self.nick is not None

    @functools.singledispatchmethod
    def like(self, other: object) -> bool:
        return False

    @like.register
    def _(self, other: str) -> bool:
        return self.name == other

    @like.register
    def _(self, other: int) -> bool:
        return self.age == other

    @typing.final
    def marked(self) -> bool:
        return self.nick is None


def thing(id: int, name: str, age: int, nick: str | None, *amounts: int) -> Thing:
    at = age % 5
    versions = (Less(at), LessOrEqual(at), Greater(at), GreaterOrEqual(at), Version(at, id))
    return Thing(id, name, age, nick, *versions, [Line(amount) for amount in amounts])


THINGS = [thing(1, "Jo", 30, None, 1, 5), thing(2, "a", 3, "Jo"), thing(3, "b", 4, "b", 7), thing(4, "", 32, "")]

ORDERED = {
    f"{name} {sign}": lambda each, name=name, compare=compare, kind=kind: compare(getattr(each, name), kind(3))
    for name, kind in {
        "less": Less,
        "less_or_equal": LessOrEqual,
        "greater": Greater,
        "greater_or_equal": GreaterOrEqual,
    }.items()
    for sign, compare in {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }.items()
}
RULES: dict[str, Callable[[Any], bool]] = ORDERED | {
    "a total ordering, mirrored": lambda each: Less(2) <= each.less,
    "a total ordering, in max()": lambda each: max(each.less, Less(3)) == Less(3),
    "a total ordering, in sorted()": lambda each: sorted([each.less, Less(3)])[1] == Less(3),
    "an ordered dataclass": lambda each: each.version >= Version(3, 2),
    "attrgetter as a property": lambda each: each.years > 3,
    "partialmethod": lambda each: each.older_than() and not each.older_than(more=1),
    "cached_property": lambda each: each.nameless,
    "cached_property of a child": lambda each: any(line.large for line in each.lines),
    "lru_cache": lambda each: each.cached(4),
    "cache as a property": lambda each: each.cached_property,
    "wraps": lambda each: each.wrapped(3),
    "singledispatchmethod": lambda each: each.like("a") or each.like(30) or each.like(None),
    "singledispatchmethod of an attribute": lambda each: each.like(each.nick) and each.like(each.name),
    "final": lambda each: each.marked(),
    "a cached rule": functools.cache(lambda each: each.nick is None),
    "attrgetter as a rule": operator.attrgetter("nameless"),
    "methodcaller as a rule": operator.methodcaller("cached", 3),
    "attrgetter of two": lambda each: operator.attrgetter("name", "age")(each) == ("a", 3),
    "reduce": lambda each: functools.reduce(operator.or_, (each.age > 3, each.name == "a")),
    "chain": lambda each: any(itertools.chain((each.nick is None,), (each.name == x for x in ("a", "c")))),
    "suppress": lambda each: _suppressed(each),
}


def _suppressed(each: Any) -> bool:
    with contextlib.suppress(TypeError):
        return len(each.nick) > 1
    return False


@pytest.mark.parametrize("title", RULES)
def test_a_rule_over_what_the_standard_library_made_has_the_answer_of_the_function(title: str) -> None:
    rule = RULES[title]

    found = compile_scan(trace(rule, Thing), Objects())(THINGS)

    assert [each.id for each in found] == [each.id for each in THINGS if rule(each)]


def test_is_is_refused_in_what_was_cached_too() -> None:
    class Other(Thing):
        @functools.cache  # noqa: B019
        def same(self) -> bool:
            return self.nick is self.name

    with pytest.raises(RuleRefused, match=r"compares with `is self\.name`"):
        trace(lambda each: each.same(), Other)


def test_an_order_does_not_ask_what_match_asks() -> None:
    def key(each: Thing) -> object:
        match each.nick:
            case None:
                return each.age
            case _:
                return each.id

    with pytest.raises(RuleRefused, match="asks with `is`"):
        trace_order(key, Thing, key=["id"])
