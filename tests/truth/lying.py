"""Stores that lie, made of public behaviour alone: what they deny stays true however a flush is written.

A unit of work gets each of them in the place of its store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import inspect

from honestwork.adapters import SqlStore

__all__ = ["DeletesFirst", "KeepsSavepoints", "LosesRemovals", "forgetting_updates"]


class Through:
    """Does all that the other does."""

    def __init__(self, other: Any) -> None:
        self.other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self.other, name)


class DeletesFirst(Through):
    """A store whose flush deletes before it inserts: each removal is flushed at once."""

    def open(self, *, reading: bool = False) -> Any:
        session: Any = Through(self.other.open(reading=reading))
        make = session.other.repository
        session.repository = lambda port, aggregate: _Repository(make(port, aggregate), session.other.flush)
        return session


class LosesRemovals(Through):
    """A store that leaves every removal out."""

    def open(self, *, reading: bool = False) -> Any:
        session: Any = Through(self.other.open(reading=reading))
        make = session.other.repository
        session.repository = lambda port, aggregate: _Repository(make(port, aggregate), None)
        return session


class KeepsSavepoints(Through):
    """A store whose blocks are not undone."""

    def open(self, *, reading: bool = False) -> Any:
        session: Any = Through(self.other.open(reading=reading))
        session.nested = lambda: _kept(session.other)
        return session


class _Repository(Through):
    """A repository that does something after each removal, or removes nothing."""

    def __init__(self, other: Any, after: Any) -> None:
        super().__init__(other)
        self.after = after

    def remove(self, aggregate: Any) -> None:
        if self.after is not None:
            self.other.remove(aggregate)
            self.after()

    def __getitem__(self, key: Any) -> Any:
        return self.other[key]

    def __contains__(self, key: Any) -> bool:
        return key in self.other

    def __len__(self) -> int:
        return len(self.other)


@contextmanager
def _kept(session: Any) -> Iterator[None]:
    session.flush()
    yield


def forgetting_updates(store: SqlStore) -> SqlStore:
    """The same store, whose SQLite database counts each update from now on, and leaves the row as it was."""
    catalog = inspect(store.engine)
    with store.engine.begin() as connection:
        for table in catalog.get_table_names():
            key = catalog.get_pk_constraint(table)["constrained_columns"]
            others = [each["name"] for each in catalog.get_columns(table) if each["name"] not in (*key, "version")]
            if others:
                connection.exec_driver_sql(
                    f"CREATE TRIGGER IF NOT EXISTS forget_{table} AFTER UPDATE ON {table}"
                    f" BEGIN UPDATE {table} SET {', '.join(f'{name} = OLD.{name}' for name in others)}"
                    f" WHERE {' AND '.join(f'{name} = OLD.{name}' for name in key)}; END"
                )
    return store
