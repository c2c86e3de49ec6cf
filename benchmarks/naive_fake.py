"""The fake that one writes in an afternoon: a dict of the same mapped objects, which checks nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from benchmarks.domain import User

__all__ = ["NaiveUnit"]


class _NaiveRepository:
    def __init__(self, rows: dict[int, User]) -> None:
        self.rows = rows
        self.seen: set[User] = set()

    def add(self, user: User) -> None:
        user.id = len(self.rows) + 1
        self.rows[user.id] = user
        self.seen.add(user)

    def __getitem__(self, key: int) -> User:
        user = self.rows[key]
        self.seen.add(user)
        return user


class NaiveUnit:
    def __init__(self, rows: dict[int, User]) -> None:
        self.rows = rows

    def __enter__(self) -> Self:
        self.users = _NaiveRepository(self.rows)
        self.committed = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rollback()

    def commit(self) -> None:
        self.committed = True

    def rollback(self) -> None:
        """Nothing, as everywhere."""
