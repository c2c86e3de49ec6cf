"""A user, and what is true of every user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


def at_least(age: int) -> Callable[[User], bool]:
    """The rule of who is so old: true of a user, and a query of the directory."""
    return lambda user: user.age >= age


class InvalidUser(ValueError):
    """What is given describes no user."""


@dataclass(eq=False)
class User:
    """Somebody in the directory. The id comes from the store, when the user is first stored."""

    name: str
    age: int
    id: int = field(init=False)

    def __post_init__(self) -> None:
        self.rename(self.name)
        self.set_age(self.age)

    def rename(self, name: str) -> None:
        if not name.strip():
            raise InvalidUser("a user needs a name, and a blank one is none")
        if name.splitlines() != [name]:
            raise InvalidUser(f"a name is one line of text, and {name!r} has several")
        self.name = name

    def set_age(self, age: int) -> None:
        if age < 0:
            raise InvalidUser(f"an age is counted from birth, so it cannot be {age}")
        self.age = age

    def celebrate_birthday(self) -> None:
        self.set_age(self.age + 1)
