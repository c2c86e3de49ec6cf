"""What can be done with the directory: one function for each use case, one unit of work in each.

They take and return plain data, and raise `InvalidUser` or an error of `honestwork.domain`; whichever it
is, nothing of the unit has been stored.
"""

from __future__ import annotations

from typing import NamedTuple

from ..domain.user import User, at_least
from .unit_of_work import Directory


class Entry(NamedTuple):
    """What the directory tells about a user."""

    id: int
    name: str
    age: int


def register(name: str, age: int, *, uow: Directory) -> int:
    with uow:
        user = User(name, age)
        uow.users.add(user)
        uow.commit()
        return user.id


def rename(user_id: int, name: str, *, uow: Directory) -> None:
    with uow:
        uow.users[user_id].rename(name)
        uow.commit()


def set_age(user_id: int, age: int, *, uow: Directory) -> None:
    with uow:
        uow.users[user_id].set_age(age)
        uow.commit()


def birthday(user_id: int, *, uow: Directory) -> int:
    """The user is a year older. The new age."""
    with uow:
        user = uow.users[user_id]
        user.celebrate_birthday()
        uow.commit()
        return user.age


def remove(user_id: int, *, uow: Directory) -> None:
    with uow:
        uow.users.remove(uow.users[user_id])
        uow.commit()


def show(user_id: int, *, uow: Directory) -> Entry:
    with uow.reading():
        return _entry(uow.users[user_id])


def list_users(*, min_age: int = 0, uow: Directory) -> list[Entry]:
    """The users who are at least so old, in the order of their ids."""
    with uow.reading():
        return uow.users.select(lambda user: Entry(user.id, user.name, user.age), at_least(min_age))


def _entry(user: User) -> Entry:
    return Entry(user.id, user.name, user.age)
