"""Value objects, times and dates in rules: compared as their classes compare them, or refused, on every store alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, DateTime, Integer, String, Table

from honestwork.adapters import Mapping, value
from honestwork.domain import Repository, RuleRefused
from honestwork.service_layer import Store, UnitOfWork
from tests.stores import MakeStore

Predicate = Callable[[Any], bool]
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Money:
    amount: int
    currency: str


@dataclass(frozen=True)
class Refund(Money):
    pass


@dataclass(frozen=True)
class Place:
    street: str | None
    city: str


class Spot(NamedTuple):
    row: int
    seat: int

    def __composite_values__(self) -> tuple[int, int]:
        return (self.row, self.seat)


class Ticket:
    def __init__(self, code: int) -> None:
        self.code = code

    def __composite_values__(self) -> tuple[int]:
        return (self.code,)


@dataclass(frozen=True)
class Name:
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and self.text.lower() == other.text.lower()

    def __hash__(self) -> int:
        return hash(self.text.lower())


class Anything:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money)

    __hash__ = None  # type: ignore[assignment]


@total_ordering
@dataclass(frozen=True)
class Moment:
    at: dt.datetime

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Moment):
            return NotImplemented
        return self.at < other.at


@total_ordering
@dataclass(frozen=True)
class Grade:
    points: int

    def __ge__(self, other: object) -> bool:
        return self.points >= other.points if isinstance(other, Grade) else NotImplemented


@dataclass(eq=False)
class Visit:
    id: int
    price: Money
    name: Name
    at: Moment
    grade: Grade
    spot: Spot = field(default_factory=lambda: Spot(1, 2))
    ticket: Ticket = field(default_factory=lambda: Ticket(7))
    place: Place | None = None
    aware: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    naive: dt.datetime = dt.datetime(2026, 1, 1)


mapping = Mapping()
visits = Table(
    "visits",
    mapping.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("name_", String(20), nullable=False),
    Column("at_", DateTime, nullable=False),
    Column("grade_", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("seat", Integer, nullable=False),
    Column("code", Integer, nullable=False),
    Column("street", String(20)),
    Column("city", String(20)),
    Column("aware", DateTime(timezone=True), nullable=False),
    Column("naive", DateTime, nullable=False),
)
c = visits.c
mapping.aggregate(
    Visit,
    visits,
    properties={
        "price": value(Money, c.amount, c.currency),
        "name": value(Name, c.name_),
        "at": value(Moment, c.at_),
        "grade": value(Grade, c.grade_),
        "spot": value(Spot, c.row, c.seat),
        "ticket": value(Ticket, c.code),
        "place": value(Place, c.street, c.city),
    },
)


class Visits(UnitOfWork):
    visits: Repository[Visit, int]


def noon(day: int) -> Moment:
    return Moment(dt.datetime(2026, 1, day, 12))


@pytest.fixture
def filled(make_store: MakeStore) -> Store:
    store = make_store(mapping)
    with Visits(store) as uow:
        uow.visits.add_many(
            [
                Visit(1, Money(5, "EUR"), Name("Jo"), noon(1), Grade(1), place=Place("High Street", "Oslo")),
                Visit(2, Money(7, "EUR"), Name("JO"), noon(2), Grade(2), place=Place(None, "Oslo")),
                Visit(3, Money(5, "USD"), Name("Al"), noon(3), Grade(3)),
            ]
        )
        uow.commit()
    return store


REFUND, FIVE, ANYTHING, OSLO = Refund(5, "EUR"), Money(5, "EUR"), Anything(), Place(None, "Oslo")
REFUNDS, PLACES, NONE, NOWHERE = (REFUND, FIVE), (OSLO, None), (REFUND,), (None,)

VALUES: dict[str, Predicate] = {
    "==": lambda v: v.price == FIVE,
    "== of a subclass": lambda v: v.price == REFUND,
    "!= of a subclass": lambda v: v.price != REFUND,
    "on its right": lambda v: REFUND == v.price,  # noqa: SIM300
    "in a tuple": lambda v: v.price in REFUNDS,
    "in a tuple made on the way": lambda v: v.price in (Refund(5, "EUR"), Money(7, "EUR")),
    "in none": lambda v: v.price in NONE,
    "of another class": lambda v: v.price == v.name,
    "what equals anything": lambda v: v.price == ANYTHING,
    "and something else": lambda v: v.name == ANYTHING,
    "a text": lambda v: v.name == "Jo",
    "an == of its own": lambda v: v.name == Name("jo"),
    "a != of its own ==": lambda v: v.name != Name("jo"),
    "in what has an == of its own": lambda v: v.name in (Name("AL"), Name("x")),
    "a number": lambda v: v.spot == 5,
    "an object of another class": lambda v: v.spot == Ticket(7),
    "isinstance of a subclass": lambda v: isinstance(v.price, Refund),
    "None": lambda v: v.place is None,
    "not None": lambda v: v.place is not None and v.place.street is None,
    "== of what may be None": lambda v: v.place == OSLO,
    "!= of what may be None": lambda v: v.place != OSLO,
    "in what has None": lambda v: v.place in PLACES,
    "not in what has None": lambda v: v.place not in PLACES,
    "in None alone": lambda v: v.place in NOWHERE,
    "<": lambda v: v.at < noon(2),
    "<=": lambda v: v.at <= noon(2),
    ">": lambda v: v.at > noon(2),
    ">=": lambda v: v.at >= noon(2),
    "from >=": lambda v: v.grade < Grade(2),
    "<= from >=": lambda v: v.grade <= Grade(2),
    "> from >=": lambda v: v.grade > Grade(2),
    "on its right, <=": lambda v: noon(2) <= v.at,
    "of a subclass, by the zone": lambda v: v.aware == dt.datetime(2026, 1, 1, 1, tzinfo=BERLIN),
}


def test_value_objects_are_compared_as_their_classes_do(filled: Store) -> None:
    with Visits(filled) as uow:
        every = list(uow.visits)
        for name, rule in VALUES.items():
            expected = [visit.id for visit in every if rule(visit)]

            assert [visit.id for visit in uow.visits.find(rule)] == expected, name


NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TIMES: dict[str, tuple[Predicate, str]] = {
    "aware beside naive": (lambda v: v.aware > v.naive, "one has a time zone"),
    "aware == naive": (lambda v: v.aware == v.naive, "one has a time zone"),
    "naive != aware": (lambda v: v.naive != v.aware, "one has a time zone"),
    "naive in aware": (lambda v: v.naive in (NEW_YEAR, NEW_YEAR), "one has a time zone"),
    "an hour that comes twice": (lambda v: v.aware == dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "comes twice"),
    "the second of them": (lambda v: v.aware < dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), "comes twice"),
    "an hour that never comes": (lambda v: v.aware != dt.datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), "comes twice"),
}


@pytest.mark.parametrize("time", TIMES)
def test_times_that_python_does_not_compare_as_a_database_are_refused(time: str, filled: Store) -> None:
    rule, words = TIMES[time]

    with Visits(filled) as uow, pytest.raises(RuleRefused, match=words):
        uow.visits.count(rule)


def test_a_value_object_that_has_no_order_is_refused(filled: Store) -> None:
    with Visits(filled) as uow, pytest.raises(RuleRefused, match="'<' not supported between instances of 'Moment' and"):
        uow.visits.count(lambda v: v.at < v.grade)


@pytest.mark.parametrize(
    "rule",
    [
        lambda v: v.spot == Spot(1, 2),
        lambda v: v.spot == (1, 2),
        lambda v: v.spot != (1, 2),
        lambda v: v.spot in ((1, 2), (3, 4)),
        lambda v: v.spot < (2, 1),
        lambda v: v.ticket == Ticket(7),
    ],
)
def test_what_compares_outside_of_python_or_by_identity_is_refused(rule: Predicate, filled: Store) -> None:
    with (
        Visits(filled) as uow,
        pytest.raises(RuleRefused, match="does not define it in Python: compare its attributes"),
    ):
        uow.visits.count(rule)
