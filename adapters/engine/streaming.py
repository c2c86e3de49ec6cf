"""Streams: results too large to be kept, chunk after chunk.

Each chunk is a query of its own, from the last values of the order on, inside of the unit's one snapshot. So
a stream needs no cursor on the server, nothing but one chunk is in memory, and a flush between two
chunks disturbs nobody. An order wants an index, or each chunk sorts anew.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

from ...domain.errors import UnitClosed
from ...service_layer import process
from .rows import Place

__all__ = ["Chunk", "Streaming"]

A = TypeVar("A")
Chunk = tuple[list[A], Place | None]  # what was found, and behind what the rest is


class Streaming:
    """A session that streams: a stream ends with the transaction whose snapshot it reads."""

    _usable_in: process.Process | None  # see `Usable`
    transaction = 0  # the number of the present one: what was loaded in an earlier one may have changed since

    def end_streams(self) -> None:
        """The transaction has ended."""
        self.transaction += 1

    def stream(self, chunk: Callable[[Place | None], Chunk[A]]) -> Iterator[A]:
        """What the chunks hold, the first of which is asked for at once, to be refused at once."""
        found, place = chunk(None)
        return self._go_on(chunk, found, place)

    @abstractmethod
    def require_reader(self) -> None:
        """Raises WrongProcess, UnitInUse for one who may not read this stream."""

    def _go_on(self, chunk: Callable[[Place | None], Chunk[A]], found: list[A], place: Place | None) -> Iterator[A]:
        transaction = self.transaction
        while True:
            for each in found:
                if self._usable_in is not process.this:  # else anybody may go on here
                    self.require_reader()
                if self.transaction != transaction:
                    raise UnitClosed(
                        "the transaction that this stream reads from has ended, by a commit, a rollback or the end of"
                        " the unit: read it to its end first"
                    )
                yield each
            if place is None:
                return
            found, place = chunk(place)
