"""The services of the box office, on every store. Above all: a seat is sold once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from examples.boxoffice.adapters.orm import mapping
from examples.boxoffice.domain.money import Money
from examples.boxoffice.domain.show import NoSuchSeat, NotSold, SeatTaken, Ticket
from examples.boxoffice.service_layer import services
from examples.boxoffice.service_layer.unit_of_work import BoxOffice
from honestwork.domain import BadValue, CheckFailed, Conflict, Duplicate, NotFound
from honestwork.service_layer import Store

EUROS_20 = Money(Decimal("20.00"), "EUR")


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(mapping)


@pytest.fixture
def uow(store: Store) -> BoxOffice:
    """A box office that plays Hamlet."""
    uow = BoxOffice(store)
    services.plan_show("HAMLET", "Hamlet", rows=2, seats_in_row=4, price=EUROS_20, uow=uow)
    return uow


def holders(store: Store) -> dict[str, str]:
    """Who sits where in Hamlet, as a fresh unit sees it."""
    uow = BoxOffice(store)
    with uow.reading():
        return {ticket.seat: ticket.holder for ticket in uow.shows["HAMLET"].tickets}


def test_a_seat_is_sold_at_the_price_of_the_show(uow: BoxOffice, store: Store) -> None:
    assert services.sell("HAMLET", "A1", "Ada", uow=uow) == EUROS_20
    assert holders(store) == {"A1": "Ada"}


def test_a_seat_is_sold_once(uow: BoxOffice, store: Store) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)

    with pytest.raises(SeatTaken, match="the seat A1 of Hamlet is sold"):
        services.sell("HAMLET", "A1", "Grace", uow=uow)

    assert holders(store) == {"A1": "Ada"}


def test_the_same_seat_of_another_show_is_another_seat(uow: BoxOffice, store: Store) -> None:
    services.plan_show("LEAR", "King Lear", rows=1, seats_in_row=1, price=EUROS_20, uow=uow)

    services.sell("HAMLET", "A1", "Ada", uow=uow)
    services.sell("LEAR", "A1", "Grace", uow=uow)

    assert holders(store) == {"A1": "Ada"}


@pytest.mark.parametrize("seat", ["C1", "A5", "A0", "a1", "", "A01", "A 1"])
def test_a_seat_that_the_hall_does_not_have_is_not_sold(seat: str, uow: BoxOffice, store: Store) -> None:
    with pytest.raises(NoSuchSeat):
        services.sell("HAMLET", seat, "Ada", uow=uow)

    assert holders(store) == {}


def test_a_show_that_is_not_planned_sells_nothing(uow: BoxOffice) -> None:
    with pytest.raises(NotFound, match="no Show has the key 'MACBETH'"):
        services.sell("MACBETH", "A1", "Ada", uow=uow)


def test_a_refund_frees_the_seat(uow: BoxOffice, store: Store) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)

    assert services.refund("HAMLET", "A1", uow=uow) == EUROS_20
    assert holders(store) == {}

    services.sell("HAMLET", "A1", "Grace", uow=uow)
    assert holders(store) == {"A1": "Grace"}


def test_what_is_not_sold_is_not_refunded(uow: BoxOffice) -> None:
    with pytest.raises(NotSold):
        services.refund("HAMLET", "A1", uow=uow)


def test_takings_are_what_was_paid_and_not_refunded(uow: BoxOffice) -> None:
    services.plan_show("LEAR", "King Lear", rows=1, seats_in_row=1, price=Money(Decimal("0.10"), "GBP"), uow=uow)
    for seat in ("A1", "A2", "A3"):
        services.sell("HAMLET", seat, "Ada", uow=uow)
    services.refund("HAMLET", "A2", uow=uow)

    assert services.takings(uow=uow) == [
        ("HAMLET", "Hamlet", 2, Money(Decimal("40.00"), "EUR")),
        ("LEAR", "King Lear", 0, Money(Decimal("0.00"), "GBP")),
    ]


def test_a_ticket_keeps_its_price_when_that_of_the_show_changes(uow: BoxOffice) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)
    with uow:
        uow.shows["HAMLET"].price = Money(Decimal("25.00"), "EUR")
        uow.commit()

    assert services.sell("HAMLET", "A2", "Grace", uow=uow) == Money(Decimal("25.00"), "EUR")
    assert services.takings(uow=uow)[0].amount == Money(Decimal("45.00"), "EUR")


def test_shows_can_be_found_by_their_price(uow: BoxOffice) -> None:
    with uow.reading():
        assert [show.code for show in uow.shows.find_by(price=EUROS_20)] == ["HAMLET"]
        assert uow.shows.find_by(price=Money(Decimal("20.00"), "GBP")) == []


def test_a_code_is_given_to_one_show(uow: BoxOffice, store: Store) -> None:
    with pytest.raises(Duplicate) as refused:
        services.plan_show("HAMLET", "Hamlet, again", rows=1, seats_in_row=1, price=EUROS_20, uow=uow)

    assert (refused.value.table, refused.value.columns) == ("shows", ("code",))
    assert services.takings(uow=BoxOffice(store))[0].title == "Hamlet"


@pytest.mark.parametrize(
    ("price", "error"),
    [
        (Money(Decimal("-0.01"), "EUR"), CheckFailed),
        (Money(Decimal("0.001"), "EUR"), BadValue),
        (Money(Decimal("NaN"), "EUR"), BadValue),
        (Money(Decimal(10) ** 8, "EUR"), BadValue),
        (Money(Decimal(1), "EURO"), BadValue),
    ],
)
def test_a_price_that_cannot_be_kept_is_refused(
    price: Money, error: type[Exception], uow: BoxOffice, store: Store
) -> None:
    with pytest.raises(error):
        services.plan_show("LEAR", "King Lear", rows=1, seats_in_row=1, price=price, uow=uow)

    assert [show.code for show in services.takings(uow=BoxOffice(store))] == ["HAMLET"]


def test_removing_a_show_removes_its_tickets(uow: BoxOffice) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)

    with uow:
        uow.shows.remove(uow.shows["HAMLET"])
        uow.commit()
    services.plan_show("HAMLET", "Hamlet, the return", rows=1, seats_in_row=1, price=EUROS_20, uow=uow)

    assert services.takings(uow=uow) == [("HAMLET", "Hamlet, the return", 0, Money(Decimal("0.00"), "EUR"))]


def test_a_group_gets_all_of_its_seats_or_none(uow: BoxOffice, store: Store) -> None:
    services.sell("HAMLET", "A2", "Ada", uow=uow)

    with pytest.raises(SeatTaken), uow:
        for seat in ("A1", "A2", "A3"):
            uow.shows["HAMLET"].sell(seat, "Grace")
        uow.commit()

    assert holders(store) == {"A2": "Ada"}


def test_a_seat_that_could_not_be_had_leaves_the_unit_usable(uow: BoxOffice, store: Store) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)
    with pytest.raises(SeatTaken):
        services.sell("HAMLET", "A1", "Grace", uow=uow)

    services.sell("HAMLET", "A2", "Grace", uow=uow)

    assert holders(store) == {"A1": "Ada", "A2": "Grace"}


def test_what_a_savepoint_undoes_is_not_sold(uow: BoxOffice, store: Store) -> None:
    with uow:
        show = uow.shows["HAMLET"]
        show.sell("A1", "Ada")
        with pytest.raises(ZeroDivisionError), uow.nested():
            show.sell("A2", "Grace")
            uow.flush()
            raise ZeroDivisionError
        uow.commit()

    assert holders(store) == {"A1": "Ada"}


def test_the_schema_refuses_the_second_ticket_that_the_aggregate_did_not_see(uow: BoxOffice, store: Store) -> None:
    services.sell("HAMLET", "A1", "Ada", uow=uow)

    with pytest.raises(SeatTaken) as refused, uow:
        uow.shows["HAMLET"].tickets.append(Ticket("A1", "Grace", EUROS_20))
        uow.commit()

    cause = refused.value.__cause__
    assert isinstance(cause, Duplicate)
    assert (cause.table, cause.columns) == ("tickets", ("show_code", "seat"))
    assert holders(store) == {"A1": "Ada"}


@pytest.mark.parametrize("seat", ["A1", "A2"])
def test_two_units_that_sell_seats_of_one_show_do_not_both_succeed(seat: str, uow: BoxOffice, store: Store) -> None:
    """Also when the seats differ: any change in a show raises its version."""
    with pytest.raises(Conflict), uow:
        uow.shows["HAMLET"].sell(seat, "Grace")
        services.sell("HAMLET", "A1", "Ada", uow=BoxOffice(store))
        uow.commit()

    assert holders(store) == {"A1": "Ada"}


class Overtaken(BoxOffice):
    """A unit that is overtaken between its look at the show and its commit, once."""

    rival: Callable[[], object] | None = None

    def commit(self) -> None:
        rival, self.rival = self.rival, None
        if rival is not None:
            rival()
        super().commit()


def test_who_comes_second_by_a_blink_hears_that_the_seat_is_taken(uow: BoxOffice, store: Store) -> None:
    overtaken = Overtaken(store)
    overtaken.rival = lambda: services.sell("HAMLET", "A1", "Ada", uow=uow)

    with pytest.raises(SeatTaken):
        services.sell("HAMLET", "A1", "Grace", uow=overtaken)

    assert holders(store) == {"A1": "Ada"}


def test_who_comes_second_by_a_blink_gets_another_seat(uow: BoxOffice, store: Store) -> None:
    overtaken = Overtaken(store)
    overtaken.rival = lambda: services.sell("HAMLET", "A1", "Ada", uow=uow)

    services.sell("HAMLET", "A2", "Grace", uow=overtaken)

    assert holders(store) == {"A1": "Ada", "A2": "Grace"}


def test_of_two_threads_that_want_one_seat_exactly_one_gets_it(uow: BoxOffice, store: Store) -> None:
    for seat in ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4"):
        together = threading.Barrier(2)
        answers: dict[str, object] = {}

        def buy(holder: str, seat: str, together: threading.Barrier, answers: dict[str, object]) -> None:
            together.wait()
            try:
                answers[holder] = services.sell("HAMLET", seat, holder, uow=BoxOffice(store))
            except Exception as error:
                answers[holder] = error

        threads = [threading.Thread(target=buy, args=(name, seat, together, answers)) for name in ("Ada", "Grace")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        winners = [holder for holder, answer in answers.items() if answer == EUROS_20]
        assert winners == [holders(store)[seat]]
        (lost,) = [answer for answer in answers.values() if answer != EUROS_20]
        assert isinstance(lost, SeatTaken | Conflict)


def test_a_show_is_offered_until_its_last_seat_is_sold(uow: BoxOffice) -> None:
    services.plan_show("FAUST", "Faust", rows=1, seats_in_row=1, price=EUROS_20, uow=uow)

    assert services.offered(uow=uow) == ["Faust", "Hamlet"]

    services.sell("FAUST", "A1", "Ada", uow=uow)

    assert services.offered(uow=uow) == ["Hamlet"]
