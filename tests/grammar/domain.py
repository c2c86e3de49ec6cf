"""A domain with one attribute of each type that a rule can ask for, and rows of values that databases get wrong."""

from __future__ import annotations

import datetime as dt
import functools
import random
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

__all__ = ["NAMESPACE", "Colour", "Grain", "Money", "Part", "Range", "Specimen", "Spot", "specimens"]

D = Decimal
BERLIN = ZoneInfo("Europe/Berlin")


class Colour(Enum):
    RED = "r"
    GREEN = "g"
    NONE = ""

    @property
    def is_warm(self) -> bool:
        return self is Colour.RED


class Level(IntEnum):
    """No column has it: a constant of a rule may."""

    LOW = 1
    HIGH = 3


@dataclass(frozen=True)
class Spot:
    """A value object whose first column may be NULL."""

    row: int | None
    name: str

    def is_named(self, name: str) -> bool:
        return self.name == name


@dataclass(frozen=True)
class Pin(Spot):
    """Never stored, and equal to no Spot."""


@functools.total_ordering
@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount < other.amount or (self.amount == other.amount and self.currency < other.currency)


@dataclass(frozen=True, order=True)
class Range:
    low: int
    high: int


@dataclass(eq=False)
class Grain:
    size: int
    weight: Decimal
    mark: str | None = None
    id: int = field(init=False)


@dataclass(eq=False)
class Part:
    number: int
    price: Decimal
    label: str
    maybe: int | None = None
    tag: str | None = None
    is_ok: bool = False
    share: float = 0.0
    made: dt.date = dt.date(2000, 1, 1)
    grains: list[Grain] = field(default_factory=list)
    id: int = field(init=False)


@dataclass(eq=False)
class Specimen:
    id: int
    whole: int
    large: int
    share: float
    price: Decimal
    tax: Decimal
    name: str
    colour: Colour
    is_on: bool
    born: dt.date
    at: dt.datetime
    seen: dt.datetime
    opens: dt.time
    lasts: dt.timedelta
    token: UUID
    code: bytes
    spot: Spot
    cost: Money
    range: Range
    maybe: int | None = None
    ratio: float | None = None
    rebate: Decimal | None = None
    nick: str | None = None
    tone: Colour | None = None
    flag: bool | None = None
    died: dt.date | None = None
    until: dt.datetime | None = None
    gone: dt.datetime | None = None
    other: UUID | None = None
    shuts: dt.time | None = None
    pause: dt.timedelta | None = None
    extra: bytes | None = None
    place: Spot | None = None
    parts: list[Part] = field(default_factory=list)

    LIMIT = 3

    @property
    def is_big(self) -> bool:
        return self.whole > self.LIMIT

    @property
    def title(self) -> str:
        return self.nick or self.name

    def is_over(self, limit: int) -> bool:
        return self.whole > limit

    @property
    def value(self) -> Decimal:
        return self.price + self.tax

    def worth(self) -> Any:
        return sum(part.number * part.price for part in self.parts)


def half(number: int) -> Any:
    """A helper, as rules have them."""
    return number * D("0.5")


MANY_INTS = tuple(range(-300, 400, 1))
MANY_TEXTS = frozenset(f"{letter}{n}" for n in range(200) for letter in "aÉ ") | {"a", "", "A "}
FROZEN = frozenset((1, D("0.30"), 2**53, D("-1.50"), 0))
MANY_DECIMALS = [D(n) / 100 for n in range(-300, 330)]

NAMESPACE: dict[str, Any] = {
    name: globals()[name]
    for name in (
        *("dt", "D", "UUID", "BERLIN", "Colour", "Level", "Spot", "Pin", "Money", "Range", "half"),
        *("MANY_INTS", "MANY_TEXTS", "MANY_DECIMALS", "FROZEN"),
    )
}

# --- rows ---------------------------------------------------------------------------------------------

WORDS = (
    *(
        "a",
        "A",
        "a ",
        " a",
        "",
        "b",
        "ab",
        "aB",
        "%",
        "_",
        "*",
        "?",
        "[a]",
        "/_x",
        "\\",
        "\\%",
        "é",
        "É",
        "e\u0301",
        "Z",
    ),
    *("ba", "😀", "Ж", "ж", "a\tb", "'", '"', "z" * 30, "10", "9"),
)
INTS = (0, 1, 2, 3, -1, -3, 5, 7, 18, -2, 100, 2**31 - 1, -(2**31))
LARGE = (0, 1, 3, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**53 - 1, 2**62, -(2**62), 2**63 - 1, -(2**63), 10**15)
FLOATS = (0.0, -0.0, 1.0, 2.5, 0.1 + 0.2, 0.3, -0.5, 3.0, 1e15, 2.0**53, 1e-7, -1e10, 1.1, 5e-324, 1e300, 2.0**63)
PRICES = tuple(map(D, ("0.00", "0.10", "0.30", "-0.00", "1.50", "-1.50", "0.15", "2.00", "3.33", "999999.99", "-0.01")))
TAXES = tuple(map(D, ("0.0000", "0.2000", "0.1500", "-0.0000", "1.0000", "0.0001", "-1.5000", "2.0000", "9999.9999")))
REBATES = tuple(map(D, ("0.000", "0.100", "123456789012.345", "-0.001", "1.500", "2.000", "-123456789012.345")))
DAYS = (dt.date(1999, 12, 31), dt.date(2000, 1, 1), dt.date(2000, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31))
NAIVE = (
    *(dt.datetime(2024, 3, 31, 2, 30), dt.datetime(2024, 10, 27, 2, 30), dt.datetime(2024, 10, 27, 2, 30, 0, 1)),
    *(dt.datetime(2000, 1, 1), dt.datetime(1999, 12, 31, 23, 59, 59, 999999)),
)
AWARE = (
    *(dt.datetime(2024, 3, 31, 0, 59, 59, tzinfo=dt.UTC), dt.datetime(2024, 3, 31, 1, tzinfo=dt.UTC)),
    *(dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC), dt.datetime(2024, 10, 27, 1, 30, tzinfo=dt.UTC)),
    *(dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)),
)
TIMES = (dt.time(0), dt.time(9, 30), dt.time(23, 59, 59, 999999), dt.time(9, 30, 0, 1))
SPANS = (dt.timedelta(0), dt.timedelta(hours=1), dt.timedelta(days=-1, microseconds=1), dt.timedelta(days=400))
TOKENS = (UUID(int=0), UUID(int=1), UUID(int=2), UUID(int=2 << 96), UUID(int=1 << 96), UUID(int=2**128 - 1))
CODES = (b"", b"a", b"A", b"\0", b"a\0", b"\xff\xfe", b"a ")
SPOTS = tuple(Spot(row, name) for row in (None, 0, 1, 3) for name in ("a", "", "A", "é "))
COSTS = tuple(Money(D(amount), currency) for amount in ("0.10", "0.30", "-1.50", "-0.00") for currency in ("a", "A"))

RANGES = tuple(Range(low, high) for low in (0, 1, -1, 2) for high in (3, 0, 5))


def specimens(seed: int = 0, count: int = 48) -> list[Specimen]:
    """Each value at least once, and in ever other company; NULLs a third of the time."""
    chance = random.Random(f"specimens {seed}")
    decks: dict[str, list[Any]] = {}

    def one(values: Any) -> Any:
        deck = decks.setdefault(repr(values), [])
        if not deck:
            deck.extend(values)
            chance.shuffle(deck)
        return deck.pop()

    def some(values: Any) -> Any:
        return None if chance.random() < 0.35 else one(values)

    def grain() -> Grain:
        return Grain(one(INTS[:9]), one(PRICES), some(WORDS[:8]))

    def part() -> Part:
        return Part(
            number=one(INTS[:10]),
            price=one(PRICES),
            label=one(WORDS[:24]),
            maybe=some(INTS[:8]),
            tag=some(WORDS[:10]),
            is_ok=one((True, False)),
            share=one(FLOATS[:8]),
            made=one(DAYS),
            grains=[grain() for _ in range(one(HOW_MANY))],
        )

    return [
        Specimen(
            id=number,
            whole=one(INTS),
            large=one(LARGE),
            share=one(FLOATS),
            price=one(PRICES),
            tax=one(TAXES),
            name=one(WORDS),
            colour=one(COLOURS),
            is_on=one((True, False)),
            born=one(DAYS),
            at=one(NAIVE),
            seen=one(AWARE),
            opens=one(TIMES),
            lasts=one(SPANS),
            token=one(TOKENS),
            code=one(CODES),
            spot=one(SPOTS),
            cost=one(COSTS),
            range=one(RANGES),
            maybe=some(INTS),
            ratio=some(FLOATS),
            rebate=some(REBATES),
            nick=some(WORDS),
            tone=some(COLOURS),
            flag=some((True, False)),
            died=some(DAYS),
            until=some(NAIVE),
            gone=some(AWARE),
            other=some(TOKENS),
            shuts=some(TIMES),
            pause=some(SPANS),
            extra=some(CODES),
            place=some(SPOTS),
            parts=[part() for _ in range(one(HOW_MANY))],
        )
        for number in range(1, count + 1)
    ]


COLOURS = tuple(Colour)
HOW_MANY = (0, 1, 2, 3, 0, 1)
