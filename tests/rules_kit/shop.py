"""A domain with one of everything that a rule can meet. Plain Python, no SQLAlchemy."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

NO_TOKEN = UUID(int=0)


class Status(enum.Enum):
    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"

    @property
    def live(self) -> bool:
        return self is not Status.CLOSED


@dataclass(frozen=True)
class Address:
    city: str
    zip: str | None

    def in_city(self, name: str) -> bool:
        return self.city == name


@dataclass(eq=False)
class Line:
    id: int
    sku: str
    qty: int
    price: Decimal
    note: str | None = None


@dataclass(eq=False)
class User:
    id: int
    name: str
    age: int
    banned: bool
    status: Status
    born: dt.date
    balance: Decimal
    token: UUID = NO_TOKEN
    nick: str | None = None
    score: int | None = None
    vip: bool | None = None
    address: Address = field(default_factory=lambda: Address("", None))
    billing: Address | None = None
    lines: list[Line] = field(default_factory=list)

    ADULT = 18

    @property
    def is_adult(self) -> bool:
        return self.age >= self.ADULT

    def older_than(self, n: int) -> bool:
        return self.age > n

    @property
    def label(self) -> str:
        return self.nick or self.name

    def total_over(self, limit: Decimal) -> bool:
        return sum(line.qty * line.price for line in self.lines) > limit


def user(id: int = 1, **changes: object) -> User:
    """A user of whom only what is said is of interest."""
    plain: dict[str, object] = {
        "name": "Jo",
        "age": 30,
        "banned": False,
        "status": Status.NEW,
        "born": dt.date(2000, 1, 1),
        "balance": Decimal("1.50"),
    }
    return User(id=id, **(plain | changes))  # type: ignore[arg-type]
