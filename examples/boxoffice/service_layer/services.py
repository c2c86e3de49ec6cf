"""What can be done at the box office: one function for each use case."""

from __future__ import annotations

from typing import NamedTuple

from honestwork.domain import Conflict

from ..domain.money import Money
from ..domain.show import Show, on_sale
from .unit_of_work import BoxOffice


class Takings(NamedTuple):
    """What a show has brought in."""

    code: str
    title: str
    sold: int
    amount: Money


def plan_show(code: str, title: str, *, rows: int, seats_in_row: int, price: Money, uow: BoxOffice) -> None:
    with uow:
        uow.shows.add(Show(code, title, rows, seats_in_row, price))
        uow.commit()


def sell(code: str, seat: str, holder: str, *, uow: BoxOffice) -> Money:
    """The holder has the seat. What it costs. Raises SeatTaken, also to who comes second by a blink."""
    try:
        return _sell(code, seat, holder, uow)
    except Conflict:
        # Somebody has changed this show since we looked. A fresh unit sees what they have done, and the show
        # itself says whether it was about this seat.
        return _sell(code, seat, holder, uow)


def refund(code: str, seat: str, *, uow: BoxOffice) -> Money:
    """The seat is free again. What is to be paid back."""
    with uow:
        amount = uow.shows[code].refund(seat)
        uow.commit()
        return amount


def offered(*, uow: BoxOffice) -> list[str]:
    """The titles of the shows that have a seat left, from A to Z."""
    with uow.reading():
        return uow.shows.select(lambda show: show.title, on_sale, order_by=lambda show: show.title)


def takings(*, uow: BoxOffice) -> list[Takings]:
    """What each show has brought in, by their codes."""
    with uow.reading():
        return [Takings(show.code, show.title, len(show.tickets), show.takings()) for show in uow.shows]


def _sell(code: str, seat: str, holder: str, uow: BoxOffice) -> Money:
    with uow:
        ticket = uow.shows[code].sell(seat, holder)
        uow.commit()
        return ticket.price
