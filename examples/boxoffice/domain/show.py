"""A show, and the rule that it lives by: no seat is sold twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from .money import Money


class BoxOfficeError(Exception):
    """The box office does not do this."""


class SeatTaken(BoxOfficeError):
    """Somebody has a ticket for this seat."""


class NoSuchSeat(BoxOfficeError):
    """The hall has no such seat."""


class NotSold(BoxOfficeError):
    """Nobody has a ticket for this seat."""


@dataclass(eq=False)
class Ticket:
    """The right to one seat, at the price that was paid for it."""

    seat: str
    holder: str
    price: Money


@dataclass(eq=False)
class Show:
    """One evening. Its code is given by those who plan it, and never changes."""

    code: str
    title: str
    rows: int
    seats_in_row: int
    price: Money
    tickets: list[Ticket] = field(default_factory=list)

    def sell(self, seat: str, holder: str) -> Ticket:
        if not self._has(seat):
            raise NoSuchSeat(f"{self.title} has no seat {seat}")
        if self._ticket(seat) is not None:
            raise SeatTaken(f"the seat {seat} of {self.title} is sold")
        ticket = Ticket(seat, holder, self.price)
        self.tickets.append(ticket)
        return ticket

    def refund(self, seat: str) -> Money:
        """The seat is free again. What is to be paid back."""
        if (ticket := self._ticket(seat)) is None:
            raise NotSold(f"the seat {seat} of {self.title} is not sold")
        self.tickets.remove(ticket)
        return ticket.price

    def is_sold_out(self) -> bool:
        return len(self.tickets) == self.rows * self.seats_in_row

    def takings(self) -> Money:
        return sum((ticket.price for ticket in self.tickets), Money(Decimal(0), self.price.currency))

    def _ticket(self, seat: str) -> Ticket | None:
        return next((ticket for ticket in self.tickets if ticket.seat == seat), None)

    def _has(self, seat: str) -> bool:
        """Seats are called A1, A2, … in the first row, B1, B2, … in the second."""
        return any(
            seat == f"{chr(ord('A') + row)}{number}"
            for row in range(self.rows)
            for number in range(1, self.seats_in_row + 1)
        )


def on_sale(show: Show) -> bool:
    """The rule of what a customer may be offered."""
    return not show.is_sold_out()
