"""The collection of all users: a port, which every store serves."""

from __future__ import annotations

from honestwork.domain import Repository

from .user import User


class Users(Repository[User, int]):
    """All users, by their ids."""

    def of_age(self, age: int) -> list[User]:
        """Those who are at least so old, in the order of their ids."""
        return [user for user in self if user.age >= age]
