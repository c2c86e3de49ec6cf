"""Berths and boats: rows that others refer to, with unique values that may be missing, and keys that return."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from honestwork.adapters import Mapping, children
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork

__all__ = ["Berth", "Boat", "Harbour", "Permit", "berths", "boats", "mapping", "permits", "two_units"]


@dataclass(eq=False)
class Permit:
    """Its attributes have None where the database gives them a value, as classes with defaults do."""

    name: str
    days: int | None = None
    fee: int | None = None
    berth_code: str | None = None
    id: int | None = None


@dataclass(eq=False)
class Berth:
    code: str
    sign: str | None = None
    pier: int | None = None
    place: int | None = None
    depth: int = 0
    permits: list[Permit] = field(default_factory=list)
    inspected: int = field(init=False)
    version: int = field(init=False)


@dataclass(eq=False)
class Boat:
    name: str
    berth: str | None = None


mapping = Mapping()

berths = Table(
    "berths",
    mapping.metadata,
    Column("code", String(9), primary_key=True),
    Column("sign", String(9), unique=True),
    Column("pier", Integer),
    Column("place", Integer),
    Column("depth", Integer, nullable=False),
    Column("inspected", Integer, nullable=False, default=0, onupdate=lambda: 7),
    Column("version", Integer, nullable=False),
    UniqueConstraint("pier", "place"),
)
berths.append_constraint(CheckConstraint(berths.c.depth >= 0, name="ck_berths_depth"))
permits = Table(
    "permits",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("berth_code", ForeignKey("berths.code"), nullable=False),
    Column("name", String(9), nullable=False),
    Column("days", Integer, nullable=False, default=30),
    Column("fee", Integer),
)
permits.append_constraint(CheckConstraint(permits.c.fee > 0, name="ck_permits_fee"))
boats = Table(
    "boats",
    mapping.metadata,
    Column("name", String(9), primary_key=True),
    Column("berth", ForeignKey("berths.code")),
)

mapping.member(Permit, permits)
mapping.aggregate(Berth, berths, version=berths.c.version, properties={"permits": children(Permit)})
mapping.aggregate(Boat, boats)


class Harbour(UnitOfWork):
    berths: Repository[Berth, str]
    boats: Repository[Boat, str]


@contextmanager
def two_units(store: Store) -> Iterator[tuple[Harbour, Harbour]]:
    """Two units of work that have both begun, in one thread; each sees three berths and no boat."""
    with Harbour(store) as uow:
        uow.berths.add_many([Berth("A", sign="first", pier=1), Berth("B", pier=1, place=2), Berth("C", depth=4)])
        uow.commit()
    with Harbour(store) as one, Harbour(store) as two:
        assert one.berths.count() == two.berths.count() == 3
        yield one, two
