"""Streams: results too large to be kept, chunk after chunk.

Each chunk is a query of its own, from the last values of the order on, inside of the unit's one snapshot. So
a stream needs no cursor on the server, nothing but one chunk is in memory, and a flush between two
chunks disturbs nobody. An order wants an index, or each chunk sorts anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..domain.errors import UnitClosed
from ..domain.rules.cursor import write_cursor
from ..domain.rules.order import OrderKey

__all__ = ["STREAMED_AT_ONCE", "Chunk", "Streaming", "cursor_after"]

A = TypeVar("A")
Chunk = tuple[list[A], str | None]  # what was found, and the cursor of what follows

STREAMED_AT_ONCE = 1000


def cursor_after(keys: Sequence[OrderKey], aggregate: Any) -> str:
    """Where what comes after this aggregate begins."""
    from .memory.rules import Objects, compile_values  # who never reads a page needs no store in memory

    values = compile_values([key.expression for key in keys], Objects())
    return write_cursor(keys, values(aggregate))


class Streaming:
    """A session that streams: a stream ends with the transaction whose snapshot it reads."""

    _transactions = 0

    def end_streams(self) -> None:
        """The transaction has ended."""
        self._transactions += 1

    def stream(self, chunk: Callable[[str | None], Chunk[A]]) -> Iterator[A]:
        """What the chunks hold, the first of which is asked for at once, to be refused at once."""
        found, cursor = chunk(None)
        return self._go_on(chunk, found, cursor)

    def _go_on(self, chunk: Callable[[str | None], Chunk[A]], found: list[A], cursor: str | None) -> Iterator[A]:
        transaction = self._transactions
        while True:
            for each in found:
                if self._transactions != transaction:
                    raise UnitClosed(
                        "the transaction that this stream reads from has ended, by a commit, a rollback or the end of"
                        " the unit: read it to its end first"
                    )
                yield each
            if cursor is None:
                return
            found, cursor = chunk(cursor)
