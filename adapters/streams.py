"""Streams: results too large to be kept, chunk after chunk.

Each chunk is a query of its own, from the last values of the order on, inside of the unit's one snapshot. So
a stream needs no cursor on the server, nothing but one chunk is in memory, and a flush between two
chunks disturbs nobody. An order wants an index, or each chunk sorts anew.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..domain.errors import UnitClosed
from ..rules.order import OrderKey

__all__ = ["STREAMED_AT_ONCE", "Chunk", "Streaming", "values_in"]

A = TypeVar("A")
Place = tuple[object, ...]  # the values of an order's keys in a row
Chunk = tuple[list[A], Place | None]  # what was found, and behind what the rest is

STREAMED_AT_ONCE = 1000


def values_in(keys: Sequence[OrderKey], aggregate: Any) -> Place:
    """The values of an order's keys in this aggregate."""
    from .memory.rules import Objects, compile_values  # who never reads a page needs no store in memory

    values = compile_values([key.expression for key in keys], Objects())
    return values(aggregate)


class Streaming:
    """A session that streams: a stream ends with the transaction whose snapshot it reads."""

    _transactions = 0

    def end_streams(self) -> None:
        """The transaction has ended."""
        self._transactions += 1

    def stream(self, chunk: Callable[[Place | None], Chunk[A]]) -> Iterator[A]:
        """What the chunks hold, the first of which is asked for at once, to be refused at once."""
        found, place = chunk(None)
        return self._go_on(chunk, found, place)

    @abstractmethod
    def require_reader(self) -> None:
        """Raises WrongProcess, UnitInUse for one who may not read this stream."""

    def _go_on(self, chunk: Callable[[Place | None], Chunk[A]], found: list[A], place: Place | None) -> Iterator[A]:
        transaction = self._transactions
        while True:
            for each in found:
                self.require_reader()
                if self._transactions != transaction:
                    raise UnitClosed(
                        "the transaction that this stream reads from has ended, by a commit, a rollback or the end of"
                        " the unit: read it to its end first"
                    )
                yield each
            if place is None:
                return
            found, place = chunk(place)
