"""The collection of all users: a port, which every store serves."""

from __future__ import annotations

from honestwork.domain import Repository

from .user import User, at_least


class Users(Repository[User, int]):
    """All users, by their ids."""

    def of_age(self, age: int) -> list[User]:
        """Those who are at least so old, in the order of their ids."""
        return self.find(at_least(age))
