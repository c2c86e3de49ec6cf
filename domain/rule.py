"""What users write: plain predicates, and `@rule` for those that are to be combined.

def adult(user: User) -> bool:                      # a rule
    return user.age >= 18

def older_than(age: int) -> Callable[[User], bool]: # a rule with a parameter
    return lambda user: user.age > age

@rule
def banned(user: User) -> bool:                     # a rule that has & | ~, and a name
    return user.banned

users.find(adult)
users.find(~banned & older_than(60))
users.find(all_of(adult, negate(banned)))
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Rule", "all_of", "any_of", "negate", "rule"]

A = TypeVar("A")


class Rule(Generic[A]):
    """A predicate with `&`, `|` and `~`. Calling it is calling the predicate.

    >>> adult = Rule(lambda user: user.age >= 18, name="adult")
    >>> adult & ~Rule(lambda user: user.banned, name="banned")
    <rule adult and not banned>
    """

    def __init__(self, predicate: Callable[[A], bool], *, name: str | None = None) -> None:
        functools.update_wrapper(self, predicate, updated=())
        self.predicate = predicate
        self.name = _name(predicate) if name is None else name

    def __call__(self, candidate: A, /) -> bool:
        return self.predicate(candidate)

    def __and__(self, other: Callable[[A], bool]) -> Rule[A]:
        return all_of(self, other)

    def __rand__(self, other: Callable[[A], bool]) -> Rule[A]:
        return all_of(other, self)

    def __or__(self, other: Callable[[A], bool]) -> Rule[A]:
        return any_of(self, other)

    def __ror__(self, other: Callable[[A], bool]) -> Rule[A]:
        return any_of(other, self)

    def __invert__(self) -> Rule[A]:
        return negate(self)

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


def rule(predicate: Callable[[A], bool]) -> Rule[A]:
    """A predicate as a `Rule`, for use as a decorator."""
    return Rule(predicate)


def all_of(*rules: Callable[[A], bool]) -> Rule[A]:
    """The rule that all of these hold; without any, always."""
    return Rule(lambda candidate: all(each(candidate) for each in rules), name=_joined(" and ", rules))


def any_of(*rules: Callable[[A], bool]) -> Rule[A]:
    """The rule that at least one of these holds; without any, never."""
    return Rule(lambda candidate: any(each(candidate) for each in rules), name=_joined(" or ", rules))


def negate(rule: Callable[[A], bool]) -> Rule[A]:
    """The rule that this one does not hold."""
    name = _name(rule)
    return Rule(lambda candidate: not rule(candidate), name=f"not ({name})" if " " in name else f"not {name}")


def _name(predicate: Callable[[A], bool]) -> str:
    return getattr(predicate, "name", None) or getattr(predicate, "__name__", None) or type(predicate).__name__


def _joined(word: str, rules: tuple[Callable[[A], bool], ...]) -> str:
    names = [_name(each) for each in rules]
    return word.join(f"({name})" if " or " in name or " and " in name else name for name in names)
