"""What programs do to lists of members, in all the ways that Python has for it: memory says what SQLite says.

Each idiom runs at several moments in the life of two orders: when they are stored, before and after they are added, in
a block that is undone, before one of them is removed. What the objects have then, and what a fresh unit reads, has
to be the same on both stores, also where members are equal to one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table, text
from sqlalchemy.orm import attribute_keyed_dict

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children, owner
from honestwork.domain import HonestworkError, Repository
from honestwork.service_layer import Store, UnitOfWork

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
uow.orders.remove(one); here.append(Note("q"))
uow.orders.remove(one); uow.orders.add(one); here.pop()
uow.orders.remove(one); uow.orders.add(Order("1", [Note("again")]))
uow.orders.remove(one); uow.orders.add(Order("1", list(here)))
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
three = Order("3", here); uow.orders.add(three)
three = Order("3", []); uow.orders.add(three); three.notes.extend(here)
three = Order("3", []); uow.orders.add(three); three.notes.append(here.pop(0)); uow.orders.remove(three)
three = Order("3", []); three.notes.append(here.pop()); uow.flush(); uow.orders.add(three)
three = Order("3", []); three.notes.append(here.pop()); uow.orders.remove(one)
three = Order("3", [Note("n")]); uow.orders.add(three); here.append(three.notes[0])
three = Order("3", [Note("n")]); uow.orders.add(three); here.append(three.notes.pop())
three = Order("3", [Note("n")]); uow.orders.add(three); uow.orders.remove(three); here.append(three.notes[0])
uow.orders.remove(one); there.append(here[0])
uow.orders.remove(one); there.extend(here)
there.append(here[0]); uow.orders.remove(one)
there.append(here.pop(0)); uow.orders.remove(one)
uow.orders.remove(two); there.append(here.pop())
uow.orders.remove(two); there.append(here.pop()); uow.orders.add(two)
x = there.pop(); uow.orders.remove(two); here.append(x)
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
three = Order("3", []); here[0].order = three; uow.orders.add(three)
three = Order("3", []); here[0].order = three
uow.orders.remove(one); Note("q", one)
""".strip().splitlines()

KEYED = """
one.keyed["z"] = Keyed("z")
one.keyed.pop("a")
del one.keyed["b"]
one.keyed.clear()
one.keyed = {}
one.keyed["a"] = Keyed("a")
one.keyed.update({"y": Keyed("y")})
one.keyed.setdefault("k", Keyed("k"))
x = one.keyed.pop("a"); one.keyed["a"] = x
x = one.keyed.pop("a"); two.keyed["a"] = x
one.keyed["a"], one.keyed["b"] = one.keyed["b"], one.keyed["a"]
one.keyed["wrong"] = Keyed("right")
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
two.tags.update(one.tags); uow.orders.remove(one)
""".strip().splitlines()

MOMENTS = ["stored", "changed after", "flushed and changed", "new", "added late", "undone", "flushed and undone",
    "undone and again", "twice", "before a removal"]  # fmt: skip


class Member:
    def __init__(self, text: str, order: Any = None) -> None:
        self.text = text
        if order is not None:
            self.order = order

    id: int


def world(*, equal: bool, owned: bool) -> dict[str, Any]:
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
        def __init__(self, number: str, notes: list[Any]) -> None:
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
    mapping.aggregate(
        Order,
        orders,
        version=orders.c.version,
        properties={
            "notes": children(Note, **({"back_populates": "order"} if owned else {})),
            "tags": children(Tag, collection=set),
            "keyed": children(Keyed, collection=attribute_keyed_dict("text")),
            "parcel": children(Parcel, uselist=False),
        },
    )

    class Shop(UnitOfWork):
        orders: Repository[Order, str]

    sqlite = SqlStore("sqlite://", mapping)
    sqlite.create_tables()
    classes = {cls.__name__: cls for cls in (Note, Parcel, Tag, Keyed, Order, Shop)}
    return {"mapping": mapping, "sqlite": sqlite, **classes}


WORLDS = {
    (equal, owned): world(equal=equal, owned=owned) for equal in (False, True) for owned in (False, True)
}  # fmt: skip


def cases() -> list[Any]:
    for_all = [(idiom, key) for idiom in (*ONE_LIST, *TWO_LISTS) for key in WORLDS]
    for_some = [(idiom, (equal, True)) for idiom in OWNERS for equal in (False, True)]
    return [
        pytest.param(idiom, key, id=f"{idiom}{' (equal)' * key[0]}{' (owned)' * key[1]}")
        for idiom, key in (*for_all, *for_some, *((idiom, (False, False)) for idiom in KEYED))
    ]


@pytest.mark.parametrize(("idiom", "key"), cases())
@pytest.mark.filterwarnings("ignore:Object of type")  # a hint of the ORM: an owner was given that is not stored
def test_memory_says_what_sqlite_says(idiom: str, key: tuple[bool, bool]) -> None:
    words = WORLDS[key]
    act: Callable[[dict[str, Any]], None] = lambda names: exec(idiom, names)  # noqa: E731

    for moment in MOMENTS:
        memory = played(MemoryStore(words["mapping"]), words, act, moment)
        with emptied(words["sqlite"]) as store:
            sqlite = played(store, words, act, moment)

        assert memory == sqlite, moment


@contextmanager
def emptied(store: SqlStore) -> Iterator[SqlStore]:
    """A store that counts its keys from one again: making its tables for each moment takes longer than the moment."""
    yield store
    with store.engine.begin() as connection:
        for table in reversed(store.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("DELETE FROM sqlite_sequence"))


def played(store: Store, words: dict[str, Any], act: Callable[[dict[str, Any]], None], moment: str) -> tuple[Any, ...]:
    """(what the objects had, the error, what is stored)"""
    uow = words["Shop"](store)
    seen: list[Any] = []
    error = ""
    try:
        live(uow, words, act, moment, seen)
    except (HonestworkError, LookupError, TypeError, ValueError) as raised:
        error = type(raised).__name__
    with uow:
        found = [shown(order) for order in uow.orders]
        keys = [each.id for order in uow.orders for each in order.notes] if "undone" not in moment else []
    return seen, error, found, keys


def live(uow: Any, words: dict[str, Any], act: Callable[[dict[str, Any]], None], moment: str, seen: list[Any]) -> None:
    orders = first, second = made(words)

    def do() -> None:
        act({**words, "uow": uow, "one": first, "two": second, "here": first.notes, "there": second.notes})

    if moment in ("new", "added late"):
        with uow:
            if moment == "new":
                uow.orders.add_many(orders)
            do()
            if moment == "added late":
                uow.orders.add_many(orders)
            uow.flush()
            change(orders)
            seen += map(shown, orders)
            uow.commit()
        return
    with uow:
        uow.orders.add_many(orders)
        uow.commit()
    with uow:
        orders = first, second = [uow.orders[number] for number in "12"]
        if "undone" in moment:
            with suppress(KeyboardInterrupt), uow.nested():
                do()
                if moment == "flushed and undone":
                    uow.flush()
                raise KeyboardInterrupt
            seen += map(shown, orders)
        if moment != "undone" and moment != "flushed and undone":
            do()
        if moment in ("flushed and changed", "twice"):
            uow.flush()
        if moment == "twice":
            do()
        if moment in ("changed after", "flushed and changed", "undone", "flushed and undone"):
            change(orders)
        if moment == "before a removal":
            uow.orders.remove(second)
        uow.commit()
        if moment != "before a removal":
            seen += map(shown, orders)


def made(words: dict[str, Any]) -> list[Any]:
    note, tag, keyed = words["Note"], words["Tag"], words["Keyed"]
    one = words["Order"]("1", [note("same"), note("same"), note("other")])
    two = words["Order"]("2", [note("same")])
    one.tags, one.keyed = {tag("a"), tag("b")}, {"a": keyed("a"), "b": keyed("b")}
    one.parcel, two.parcel = words["Parcel"]("p"), words["Parcel"]("q")
    return [one, two]


def change(orders: list[Any]) -> None:
    """Everything that the orders have, so that what is lost shows."""
    for order in orders:
        parcel = [order.parcel] if order.parcel is not None else []
        for member in (*order.notes, *order.tags, *order.keyed.values(), *parcel):
            member.text += "!"


def shown(order: Any) -> tuple[Any, ...]:
    return (
        order.number,
        [(each.text, getattr(getattr(each, "order", None), "number", None)) for each in order.notes],
        sorted(each.text for each in order.tags),
        sorted((name, each.text) for name, each in order.keyed.items()),
        order.parcel and order.parcel.text,
    )
