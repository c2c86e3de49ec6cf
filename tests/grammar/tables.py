"""The mapping of the domain."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    Time,
    Uuid,
)

from honestwork.adapters import Mapping, children, value
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

from .domain import Colour, Grain, Money, Part, Range, Specimen, Spot

__all__ = ["Collection", "mapping"]

mapping = Mapping()


def _colour() -> Enum:
    return Enum(Colour, native_enum=False, values_callable=lambda kind: [member.value for member in kind])


grains = Table(
    "specimen_grains",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("part_id", ForeignKey("specimen_parts.id"), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("weight", Numeric(8, 2), nullable=False),
    Column("mark", String(40)),
)
parts = Table(
    "specimen_parts",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("specimen_id", ForeignKey("specimens.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
    Column("label", String(40), nullable=False),
    Column("maybe", Integer),
    Column("tag", Text),
    Column("is_ok", Boolean, nullable=False),
    Column("share", Double, nullable=False),
    Column("made", Date, nullable=False),
)
specimens = Table(
    "specimens",
    mapping.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("whole", Integer, nullable=False),
    Column("large", BigInteger, nullable=False),
    Column("share", Double, nullable=False),
    Column("price", Numeric(8, 2), nullable=False),
    Column("tax", Numeric(8, 4), nullable=False),
    Column("name", String(40), nullable=False),
    Column("colour", _colour(), nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("born", Date, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("seen", DateTime(timezone=True), nullable=False),
    Column("opens", Time, nullable=False),
    Column("lasts", Interval, nullable=False),
    Column("token", Uuid, nullable=False),
    Column("code", LargeBinary, nullable=False),
    Column("spot_row", Integer),
    Column("spot_name", String(40), nullable=False),
    Column("cost_amount", Numeric(8, 2), nullable=False),
    Column("cost_currency", String(3), nullable=False),
    Column("range_low", Integer, nullable=False),
    Column("range_high", Integer, nullable=False),
    Column("maybe", Integer),
    Column("ratio", Double),
    Column("rebate", Numeric(15, 3)),
    Column("nick", Text),
    Column("tone", _colour()),
    Column("flag", Boolean),
    Column("died", Date),
    Column("until", DateTime),
    Column("gone", DateTime(timezone=True)),
    Column("other", Uuid),
    Column("shuts", Time),
    Column("pause", Interval),
    Column("extra", LargeBinary),
    Column("place_row", Integer),
    Column("place_name", String(40)),
)
mapping.member(Grain, grains)
mapping.member(Part, parts, properties={"grains": children(Grain, order_by=grains.c.id)})
mapping.aggregate(
    Specimen,
    specimens,
    properties={
        "spot": value(Spot, specimens.c.spot_row, specimens.c.spot_name),
        "cost": value(Money, specimens.c.cost_amount, specimens.c.cost_currency),
        "range": value(Range, specimens.c.range_low, specimens.c.range_high),
        "place": value(Spot, specimens.c.place_row, specimens.c.place_name),
        "parts": children(Part, order_by=parts.c.id),
    },
)


class Collection(UnitOfWork):
    """A unit of work over the specimens."""

    specimens: Repository[Specimen, int]
