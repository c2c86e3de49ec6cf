"""A show and its money, without any store."""

from __future__ import annotations

from decimal import Decimal

import pytest

from examples.boxoffice.domain.money import Money
from examples.boxoffice.domain.show import NoSuchSeat, NotSold, SeatTaken, Show

EUROS_20 = Money(Decimal(20), "EUR")


@pytest.fixture
def hamlet() -> Show:
    return Show("HAMLET", "Hamlet", rows=2, seats_in_row=4, price=EUROS_20)


def test_a_seat_is_sold_once(hamlet: Show) -> None:
    hamlet.sell("A1", "Ada")

    with pytest.raises(SeatTaken):
        hamlet.sell("A1", "Grace")

    assert [ticket.holder for ticket in hamlet.tickets] == ["Ada"]


@pytest.mark.parametrize("seat", ["A1", "A4", "B1", "B4"])
def test_the_hall_has_the_seats_of_its_rows(seat: str, hamlet: Show) -> None:
    assert hamlet.sell(seat, "Ada").seat == seat


@pytest.mark.parametrize("seat", ["A0", "A5", "C1", "a1", "A01", "A", ""])
def test_the_hall_has_no_other_seats(seat: str, hamlet: Show) -> None:
    with pytest.raises(NoSuchSeat):
        hamlet.sell(seat, "Ada")


def test_a_refund_pays_back_what_was_paid(hamlet: Show) -> None:
    hamlet.sell("A1", "Ada")
    hamlet.price = Money(Decimal(25), "EUR")

    assert hamlet.refund("A1") == EUROS_20
    assert hamlet.tickets == []


def test_what_is_not_sold_is_not_refunded(hamlet: Show) -> None:
    with pytest.raises(NotSold):
        hamlet.refund("A1")


def test_takings_add_up(hamlet: Show) -> None:
    hamlet.sell("A1", "Ada")
    hamlet.sell("A2", "Grace")

    assert hamlet.takings() == Money(Decimal(40), "EUR")


def test_a_show_that_sold_nothing_took_nothing(hamlet: Show) -> None:
    assert hamlet.takings() == Money(Decimal(0), "EUR")


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(ValueError, match=r"20\.00 EUR and 1\.00 GBP cannot be added"):
        EUROS_20 + Money(Decimal(1), "GBP")
