"""What programs do to lists of members, in all the ways that Python has for it: memory says what SQLite says.

Also where the members are equal to one another, and where they know their owner.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import attribute_keyed_dict

from honestwork.adapters import Mapping, children, owner
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork
from tests.idioms import World, compare

ONE_LIST = """
here.append(Note("z"))
here.pop()
del here[0]
del here[0:2]
here[1:2] = []
here[:] = here[::-1]
here.sort(key=lambda each: each.text, reverse=True)
here.remove(here[1])
here.remove(Note("same"))
here[0], here[2] = here[2], here[0]
here[0], here[1], here[2] = here[2], here[0], here[1]
here.insert(0, here.pop())
here.insert(0, here[1])
here += [Note("y")]
here.extend([Note("y"), Note("x")])
here *= 2
here.clear()
here.reverse()
here[0] = Note("new")
here[0] = here[0]
here[0] = here[1]
here[1:] = [here[0]]
here[:0] = [Note("k")]
here.append(here[0])
here.append(here[0]); here.pop(0)
here.append(here[0]); here.pop()
here[0].text = "changed"
here.pop(0).text = "gone"
one.notes = [here[1]]
one.notes = []
one.notes = here + here
one.notes = [here[0], Note("same")]
one.notes = tuple(here)
x = Note("v"); here.append(x); here.remove(x)
x = Note("v"); here.append(x); here.remove(x); here.append(x)
x = here.pop(0); here.append(x)
x = here.pop(0); uow.flush(); here.append(x)
here.clear(); uow.flush(); here.append(Note("z"))
remove(one); here.append(Note("q"))
remove(one); add(one); here.pop()
remove(one); add(Order("1", [Note("again")]))
remove(one); add(Order("1", list(here)))
one.parcel = Parcel("z")
one.parcel = None
x = one.parcel; one.parcel = None; one.parcel = x
x = one.parcel; one.parcel = Parcel("y"); one.parcel = x
x = one.parcel; one.parcel = Parcel("y"); x.text = "gone"
""".strip().splitlines()

TWO_LISTS = """
there.append(here[0])
there.append(here.pop(0))
x = here[0]; here.remove(x); there.append(x)
x = here.pop(); uow.flush(); there.append(x)
there.extend(here)
there.extend(here); here.clear()
two.notes = here
two.notes = list(here)
two.notes = here; one.notes = []
one.notes, two.notes = two.notes, one.notes
here[0], there[0] = there[0], here[0]
here.append(here[0]); there.append(here[0])
three = Order("3", here); add(three)
three = Order("3", []); add(three); three.notes.extend(here)
three = Order("3", []); add(three); three.notes.append(here.pop(0)); remove(three)
three = Order("3", []); three.notes.append(here.pop()); uow.flush(); add(three)
three = Order("3", []); three.notes.append(here.pop()); remove(one)
three = Order("3", [Note("n")]); add(three); here.append(three.notes[0])
three = Order("3", [Note("n")]); add(three); here.append(three.notes.pop())
three = Order("3", [Note("n")]); add(three); remove(three); here.append(three.notes[0])
remove(one); there.append(here[0])
remove(one); there.extend(here)
there.append(here[0]); remove(one)
there.append(here.pop(0)); remove(one)
remove(two); there.append(here.pop())
remove(two); there.append(here.pop()); add(two)
x = there.pop(); remove(two); here.append(x)
two.parcel = one.parcel
two.parcel, one.parcel = one.parcel, two.parcel
""".strip().splitlines()

OWNERS = """
Note("z", one)
here[0].order = None
here[0].order = two
here[0].order = one
x = Note("z"); x.order = one; x.order = two
x = Note("z"); x.order = one; x.order = None
x = Note("z"); here.append(x); x.order = None
x = here[0]; x.order = None; x.order = one
x = here[0]; x.order = two; x.order = one
x = here[0]; x.order = two; there.remove(x)
x = here[0]; x.order = two; there.remove(x); here.append(x)
three = Order("3", []); here[0].order = three; add(three)
three = Order("3", []); here[0].order = three
remove(one); Note("q", one)
""".strip().splitlines()

OTHERS = """
one.keyed["z"] = Keyed("z")
one.keyed.pop("a")
del one.keyed["b"]
one.keyed.clear()
one.keyed = {}
one.keyed["a"] = Keyed("a")
one.keyed.update({"y": Keyed("y")})
one.keyed |= {"y": Keyed("y")}
one.keyed.setdefault("k", Keyed("k"))
x = one.keyed.pop("a"); one.keyed["a"] = x
x = one.keyed.pop("a"); two.keyed["a"] = x
one.keyed["a"], one.keyed["b"] = one.keyed["b"], one.keyed["a"]
one.keyed["wrong"] = Keyed("right")
one.keyed["b"].text = "zz"; two.keyed["a"] = one.keyed["a"]; remove(one)
one.tags.add(Tag("z"))
one.tags.clear()
one.tags = set()
one.tags |= {Tag("w")}
one.tags -= set(one.tags)
one.tags ^= {Tag("t")}
one.tags.update([Tag("w"), Tag("v")])
one.tags = {*one.tags, Tag("u")}
one.tags = [Tag("list")]
x = min(one.tags, key=lambda each: each.text); one.tags.remove(x); one.tags.add(x)
x = Tag("z"); one.tags.add(x); one.tags.add(x); one.tags.remove(x)
x = min(one.tags, key=lambda each: each.text); two.tags.add(x)
two.tags.update(one.tags); remove(one)
""".strip().splitlines()


class Member:
    def __init__(self, text: str, order: Any = None) -> None:
        self.text = text
        if order is not None:
            self.order = order

    id: int


def world(*, equal: bool, owned: bool) -> World:
    """Orders with notes, tags, keyed members and a parcel; notes may be equal, and may know their order."""

    class Note(Member):
        if equal:

            def __eq__(self, other: object) -> bool:
                return type(other) is type(self) and other.__dict__.get("text") == self.text

            __hash__ = None  # type: ignore[assignment]

    class Parcel(Member): ...

    class Tag(Member): ...

    class Keyed(Member): ...

    class Order:
        tags: set[Tag]
        keyed: dict[str, Keyed]
        parcel: Parcel | None

        def __init__(self, number: str, notes: list[Note]) -> None:
            self.number = number
            self.notes = notes

    mapping = Mapping()
    orders = Table(
        "orders",
        mapping.metadata,
        Column("number", String(9), primary_key=True),
        Column("version", Integer, nullable=False),
    )
    for cls in (Note, Parcel, Tag, Keyed):
        table = Table(
            cls.__name__.lower(),
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            Column("order_number", ForeignKey("orders.number"), nullable=False),
            Column("text", String(9), nullable=False),
        )
        mapping.member(cls, table, properties={"order": owner(Order, "notes")} if owned and cls is Note else {})
    known: dict[str, Any] = {"back_populates": "order"} if owned else {}
    mapping.aggregate(
        Order,
        orders,
        version=orders.c.version,
        properties={
            "notes": children(Note, **known),
            "tags": children(Tag, collection=set),
            "keyed": children(Keyed, collection=attribute_keyed_dict("text")),
            "parcel": children(Parcel, uselist=False),
        },
    )

    class Shop(UnitOfWork):
        orders: Repository[Order, str]

    def made() -> list[Any]:
        one = Order("1", [Note("same"), Note("same"), Note("other")])
        two = Order("2", [Note("same")])
        one.tags, one.keyed = {Tag("a"), Tag("b")}, {"a": Keyed("a"), "b": Keyed("b")}
        one.parcel, two.parcel = Parcel("p"), Parcel("q")
        return [one, two]

    def words(found: list[Any]) -> dict[str, Any]:
        one, two = found
        classes = {cls.__name__: cls for cls in (Note, Parcel, Tag, Keyed, Order)}
        return {**classes, "one": one, "two": two, "here": one.notes, "there": two.notes}

    return World(mapping, Shop, ["1", "2"], made, words, shown, change)


def shown(order: Any) -> tuple[Any, ...]:
    return (
        order.number,
        [(each.text, getattr(getattr(each, "order", None), "number", None)) for each in order.notes],
        sorted(each.text for each in order.tags),
        sorted((name, each.text) for name, each in order.keyed.items()),
        order.parcel and order.parcel.text,
    )


def change(order: Any) -> None:
    parcel = [order.parcel] if order.parcel is not None else []
    for member in (*order.notes, *order.tags, *order.keyed.values(), *parcel):
        member.text += "!"


WORLDS = {
    (equal, owned): world(equal=equal, owned=owned) for equal in (False, True) for owned in (False, True)
}  # fmt: skip


def cases() -> list[Any]:
    wanted = [(idiom, key) for idiom in (*ONE_LIST, *TWO_LISTS) for key in WORLDS]
    wanted += [(idiom, (equal, True)) for idiom in OWNERS for equal in (False, True)]
    wanted += [(idiom, (False, False)) for idiom in OTHERS]
    return [
        pytest.param(WORLDS[key], idiom, id=f"{idiom}{' (equal)' * key[0]}{' (owned)' * key[1]}")
        for idiom, key in wanted
    ]


@pytest.mark.parametrize(("world", "idiom"), cases())
def test_memory_says_what_sqlite_says(world: World, idiom: str) -> None:
    compare(world, idiom)
