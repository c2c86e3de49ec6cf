"""The tables of the box office, and the aggregate that is kept in them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Numeric, String, Table, UniqueConstraint

from honestwork.adapters import Mapping, children, value

from ..domain.money import Money
from ..domain.show import SeatTaken, Show, Ticket

mapping = Mapping()

shows = Table(
    "shows",
    mapping.metadata,
    Column("code", String(20), primary_key=True),
    Column("title", String(80), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("seats_in_row", Integer, nullable=False),
    Column("amount", Numeric(10, 2), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("version", Integer, nullable=False),
)
CheckConstraint(shows.c.amount >= 0, name="price_is_not_negative")

tickets = Table(
    "tickets",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("show_code", ForeignKey(shows.c.code), nullable=False),
    Column("seat", String(4), nullable=False),
    Column("holder", String(80), nullable=False),
    Column("amount", Numeric(10, 2), nullable=False),
    Column("currency", String(3), nullable=False),
    UniqueConstraint("show_code", "seat", name="one_ticket_for_a_seat"),
)

mapping.member(Ticket, tickets, properties={"price": value(Money, tickets.c.amount, tickets.c.currency)})
mapping.aggregate(
    Show,
    shows,
    version=shows.c.version,
    properties={
        "price": value(Money, shows.c.amount, shows.c.currency),
        "tickets": children(Ticket, order_by=tickets.c.id),
    },
)

# Whoever breaks it hears it in the words of the box office.
mapping.violation("one_ticket_for_a_seat", SeatTaken)
