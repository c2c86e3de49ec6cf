"""What programs do to trees of members, to links, value objects and subclasses: memory says what SQLite says."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import relationship

from honestwork.adapters import Mapping, children, value
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork
from tests.idioms import World, compare

MEMBERS_OF_MEMBERS = """
one.parts[0].bits.append(Bit("z"))
one.parts[0].bits.pop()
one.parts[0].bits[0], one.parts[0].bits[1] = one.parts[0].bits[1], one.parts[0].bits[0]
one.parts[1].bits.append(one.parts[0].bits.pop())
one.parts[1].bits.extend(one.parts[0].bits); one.parts.pop(0)
one.parts[0].bits, one.parts[1].bits = one.parts[1].bits, one.parts[0].bits
one.parts[0], one.parts[1] = one.parts[1], one.parts[0]
one.parts.pop(0)
one.parts[0].bits[0].text = "x"; one.parts.pop(0)
one.parts[0].text = "x"; one.parts[0].bits.clear()
one.parts[0] = Part("n", one.parts[0].bits)
one.parts = [Part("n", [bit for part in one.parts for bit in part.bits])]
one.parts.clear(); one.parts.append(Part("k", [Bit("b")]))
x = one.parts.pop(0); two.parts.append(x)
x = one.parts.pop(0); x.bits.pop(); two.parts.append(x)
x = one.parts.pop(0); two.parts[0].bits.append(x.bits.pop())
two.parts.append(one.parts[0])
two.parts.append(one.parts.pop(0)); remove(two)
two.parts[0].bits.append(one.parts[0].bits.pop()); remove(one)
remove(one); two.parts.append(one.parts[0])
remove(one); two.parts[0].bits.append(one.parts[0].bits[0])
x = Part("n", [Bit("q")]); one.parts.append(x); x.bits.pop()
x = Part("n", [Bit("q")]); one.parts.append(x); one.parts.remove(x); two.parts.append(x)
x = Part("n", [Bit("q")]); one.parts.append(x); one.parts.remove(x); two.parts[0].bits.extend(x.bits)
three.parts.append(one.parts.pop(0))
one.parts.append(three.parts.pop(0))
three.parts[0].bits.append(one.parts[0].bits.pop())
remove(three); one.parts.extend(three.parts)
del one.parts
del one.parts[0].bits
x = one.parts[0]; two.parts.append(x); list(uow.orders); one.parts.remove(x)
x = one.parts[0]; two.parts.append(x); uow.flush(); one.parts = one.parts[1:]
two.parts.append(one.parts[0]); uow.commit(); remove(one)
two.parts.append(one.parts[0]); uow.flush(); one.parts.append(Part("n")); uow.flush(); one.parts[0].text = "x"
bit = one.parts[0].bits[0]; x = Part("n", [bit]); two.parts.append(x); two.parts.remove(x); bit.text = "kk"
bits = one.parts[0].bits[:]; one.parts[0].bits.clear(); one.parts[0] = Part("n", bits); one.parts.clear()
x = one.parts.pop(0); uow.flush(); two.parts.append(Part("n", x.bits))
x = one.parts[0]; uow.rollback(); uow.orders["2"].parts.append(x)
x = one.parts[0]; uow.rollback(); uow.orders["1"]; x.text = "stale"; uow.orders["2"].parts.append(x)
x = next(uow.orders.stream()); one.parts.append(Part("n", [x.parts[0].bits[0]]))
x = one.parts[0]; two.parts.append(Part("n", [x.bits[0]])); uow.flush(); two.parts.pop(); uow.flush(); add(one)
""".strip().splitlines()

LINKS = """
one.marks.append(one.tags[0])
one.marks.append(one.marks[0])
one.marks.append(one.marks[0]); one.marks.pop()
one.marks.append(two.tags[0])
one.marks.pop()
one.marks.remove(one.marks[0])
one.marks[:] = one.marks[::-1]
one.marks[0], one.marks[1] = one.marks[1], one.marks[0]
one.marks = []
one.marks = one.tags
one.tags.remove(one.marks[0])
x = one.marks[0]; one.marks.remove(x); one.tags.remove(x)
x = one.marks[0]; one.marks.remove(x); one.tags.remove(x); two.tags.append(x); two.marks.append(x)
x = Tag("n"); one.tags.append(x); one.marks.append(x)
x = Tag("n"); one.marks.append(x)
x = Tag("n"); one.marks.append(x); one.tags.append(x)
x = Tag("n"); one.tags.append(x); one.marks.append(x); one.tags.remove(x)
x = Tag("n"); one.tags.append(x); one.marks.append(x); one.marks.remove(x)
two.tags.append(one.tags[0])
two.tags.append(one.tags.pop(0))
one.tags[0], one.tags[1] = one.tags[1], one.tags[0]
one.tags.clear()
one.marks.clear(); one.tags.clear()
one.marks.clear(); one.tags.clear(); one.tags.append(Tag("r")); one.marks.append(one.tags[0])
three.marks.append(three.tags[0]); three.tags.reverse()
del one.marks
""".strip().splitlines()

VALUES = """
one.price = Money(1, "EUR")
one.price = None
one.price = Money(one.price.amount + 1, one.price.currency)
one.price = Money(None, None)
one.price = Money(None, "X")
one.price = Money(5, None)
one.price = Money(5, "LONG")
one.price = two.price
one.price, two.price = two.price, one.price
one.price = "5 EUR"
two.price = Money(None, None)
two.price = Money(1, "X"); uow.flush(); two.price = Money(None, None)
two.price = Money(None, None); two.tags[0].text = "q"
three.price = Money(9, "USD")
three.price = Money(None, None)
del one.price
del one.parts[0].text
del one.parts[0].bits[0].text
del three.extra
""".strip().splitlines()

SUBCLASSES = """
three.own.append(Own("z"))
three.own.pop()
three.own[0], three.own[1] = three.own[1], three.own[0]
three.own.clear(); three.parts.clear(); three.marks.clear(); three.tags.clear()
three.extra = 5
three.kind = "order"
remove(three); add(three); three.own.pop()
remove(three); add(Order("3"))
remove(three); add(Order("3", list(three.parts)))
remove(one); add(Special("1"))
remove(one); x = Special("1", [Part("n")]); x.own.append(Own("o")); add(x)
remove(one); x = Order("1", [Part("n", [Bit("m")])], [Tag("u")]); x.marks.append(x.tags[0]); add(x)
del three.own
""".strip().splitlines()

MEMBERS_OF_SUBCLASSES = """
three.parts[0].screws.append(Screw("z"))
three.parts[0].screws[0].text = "x"
three.parts[0].screws.pop()
three.parts[0].screws[0], three.parts[0].screws[1] = three.parts[0].screws[1], three.parts[0].screws[0]
one.parts.append(three.parts.pop(0))
one.parts.append(three.parts.pop(0)); remove(three)
one.parts.append(three.parts[0]); remove(three)
x = three.parts.pop(0); uow.flush(); one.parts.append(x)
one.parts.append(Kit("n", [Bit("q")], [Screw("r")]))
x = Kit("n", [Bit("q")], [Screw("r")]); one.parts.append(x); one.parts.remove(x); two.parts.append(x)
x = Kit("n", three.parts[0].bits, three.parts[0].screws); three.parts[0] = x
remove(three); add(three)
remove(three)
""".strip().splitlines()

BLOCKS = """
with suppress(LookupError), uow.nested():
    x = Order("4")
    add(x)
    uow.flush()
    remove(x)
    uow.flush()
    raise LookupError
add(Order("4"))

with suppress(LookupError), uow.nested():
    x = Part("n", [Bit("q")])
    one.parts.append(x)
    uow.flush()
    one.parts.remove(x)
    uow.flush()
    raise LookupError
one.parts.append(x)
uow.flush()
x.text = "r"

with suppress(LookupError), uow.nested():
    two.parts.append(one.parts[0])
    remove(one)
    uow.flush()
    raise LookupError
one.parts[0].text = "kk"
remove(one)

with suppress(LookupError), uow.nested():
    with uow.nested():
        one.parts[0].bits.append(one.parts[1].bits.pop())
    two.parts.append(one.parts.pop(0))
    raise LookupError
one.parts[0].bits[0].text = "x"
""".strip().split("\n\n")

MISTAKES = """
one.parts.append(None)
one.parts.append("text")
one.parts.append(Tag("wrong"))
one.parts = [Tag("wrong")]
one.parts = None
one.parts[0].bits = None
one.marks = None
one.marks.append(Part("wrong"))
one.number = "9"
one.version = 7
del one.number
del one.version
""".strip().splitlines()


class Text:
    def __init__(self, text: str) -> None:
        self.text = text


class Bit(Text): ...


class Tag(Text): ...


class Own(Text): ...


class Screw(Text): ...


class Part(Text):
    def __init__(self, text: str, bits: list[Bit] | None = None) -> None:
        super().__init__(text)
        self.bits = bits or []


class Kit(Part):
    def __init__(self, text: str, bits: list[Bit] | None = None, screws: list[Screw] | None = None) -> None:
        super().__init__(text, bits)
        self.size = 0
        self.screws = screws or []


@dataclass(frozen=True)
class Money:
    amount: int | None
    currency: str | None


class Order:
    def __init__(self, number: str, parts: list[Part] | None = None, tags: list[Tag] | None = None) -> None:
        self.number = number
        self.parts = parts or []
        self.tags = tags or []
        self.marks: list[Tag] = []
        self.price: Money | None = None


class Special(Order):
    def __init__(self, number: str, parts: list[Part] | None = None, tags: list[Tag] | None = None) -> None:
        super().__init__(number, parts, tags)
        self.extra = 0
        self.own: list[Own] = []


class Shop(UnitOfWork):
    orders: Repository[Order, str]
    specials: Repository[Special, str]


def mapped() -> Mapping:
    mapping = Mapping()

    def texts(name: str, **owner: str) -> Table:
        ((column, target),) = owner.items()
        return Table(
            name,
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            Column(column, ForeignKey(target), nullable=False),
            Column("text", String(9), nullable=False),
        )

    orders = Table(
        "orders",
        mapping.metadata,
        Column("number", String(9), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("kind", String(9), nullable=False),
        Column("amount", Integer),
        Column("currency", String(3)),
    )
    specials = Table(
        "specials",
        mapping.metadata,
        Column("number", ForeignKey("orders.number"), primary_key=True),
        Column("extra", Integer, nullable=False),
    )
    tags = texts("tags", number="orders.number")
    marks = Table(
        "marks",
        mapping.metadata,
        Column("number", ForeignKey("orders.number"), primary_key=True),
        Column("tag_id", ForeignKey("tags.id"), primary_key=True),
    )
    mapping.member(Bit, texts("bits", part_id="parts.id"))
    parts = texts("parts", number="orders.number")
    parts.append_column(Column("kind", String(9), nullable=False))
    kits = Table(
        "kits",
        mapping.metadata,
        Column("id", ForeignKey("parts.id"), primary_key=True),
        Column("size", Integer, nullable=False),
    )
    mapping.member(
        Part,
        parts,
        polymorphic_on=parts.c.kind,
        polymorphic_identity="part",
        properties={"bits": children(Bit)},
    )
    mapping.member(Screw, texts("screws", kit_id="kits.id"))
    mapping.member(Kit, kits, inherits=Part, polymorphic_identity="kit", properties={"screws": children(Screw)})
    mapping.member(Tag, tags)
    mapping.member(Own, texts("owns", number="specials.number"))
    mapping.aggregate(
        Order,
        orders,
        version=orders.c.version,
        polymorphic_on=orders.c.kind,
        polymorphic_identity="order",
        properties={
            "parts": children(Part),
            "tags": children(Tag),
            "marks": relationship(Tag, secondary=marks, lazy="selectin", order_by=tags.c.id),
            "price": value(Money, orders.c.amount, orders.c.currency),
        },
    )
    mapping.aggregate(
        Special, specials, inherits=Order, polymorphic_identity="special", properties={"own": children(Own)}
    )
    return mapping


def made() -> list[Order]:
    one = Order("1", [Part("a", [Bit("b"), Bit("c")]), Part("d", [Bit("e")])], [Tag("f"), Tag("g"), Tag("h")])
    two = Order("2", [Part("i", [Bit("j")])], [Tag("k")])
    three = Special("3", [Kit("l", [Bit("m")], [Screw("q"), Screw("r")])], [Tag("n")])
    one.marks, two.marks, three.marks = [one.tags[0], one.tags[2]], [two.tags[0]], [three.tags[0]]
    one.price = Money(3, "EUR")
    three.own = [Own("o"), Own("p")]
    return [one, two, three]


def words(found: list[Order]) -> dict[str, Any]:
    classes = {cls.__name__: cls for cls in (Bit, Tag, Own, Screw, Part, Kit, Money, Order, Special)}
    return {**classes, "suppress": suppress, **dict(zip(("one", "two", "three"), found, strict=True))}


def shown(order: Order) -> tuple[Any, ...]:
    return (
        type(order),
        order.number,
        [(part.text, [bit.text for bit in part.bits], screws_of(part)) for part in order.parts],
        [tag.text for tag in order.tags],
        [tag.text for tag in order.marks],
        order.price,
        (order.extra, [own.text for own in order.own]) if isinstance(order, Special) else None,
    )


def change(order: Order) -> None:
    for part in order.parts:
        for each in (part, *part.bits, *(part.screws if isinstance(part, Kit) else ())):
            each.text += "!"
    for tag in order.tags:
        tag.text += "!"


def screws_of(part: Part) -> list[str] | None:
    return [screw.text for screw in part.screws] if isinstance(part, Kit) else None


def repository(uow: Any, order: Order | None) -> Any:
    return uow.specials if isinstance(order, Special) else uow.orders


WORLD = World(mapped(), Shop, ["1", "2", "3"], made, words, shown, change, repository)


IDIOMS = [*MEMBERS_OF_MEMBERS, *LINKS, *VALUES, *SUBCLASSES, *MEMBERS_OF_SUBCLASSES, *BLOCKS, *MISTAKES]


@pytest.mark.parametrize("idiom", IDIOMS)
def test_memory_says_what_sqlite_says(idiom: str) -> None:
    compare(WORLD, idiom)
