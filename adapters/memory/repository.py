"""The repository of one kind of aggregate in memory."""

from __future__ import annotations

from typing import TypeVar

from ..repositories.repository import StoredRepository

__all__ = ["MemoryRepository"]

A = TypeVar("A")
K = TypeVar("K")


class MemoryRepository(StoredRepository[A, K]):
    """Aggregates as rows in memory. Made by the store; lives as long as its unit of work.

    Subclass it to write the twin of a query in SQL; see `twin_of`.
    """
