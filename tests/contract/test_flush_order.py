"""One flush moves unique values and trees of rows about, whatever the order of keys and calls, on every store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import permutations
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Integer,
    Numeric,
    String,
    Table,
    Time,
    UniqueConstraint,
)

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children
from honestwork.domain import Duplicate, ReferenceViolated, Repository
from honestwork.service_layer import Store, UnitOfWork
from tests.stores import MakeStore


@dataclass(eq=False)
class Slot:
    position: int
    name: str


@dataclass(eq=False)
class Profile:
    text: str


@dataclass(eq=False)
class Board:
    title: str
    slots: list[Slot] = field(default_factory=list)
    profile: Profile | None = None
    code: str | None = None
    id: int = field(init=False)


@dataclass(eq=False)
class Comment:
    key: str
    parent_key: str | None = None


class Boards(UnitOfWork):
    boards: Repository[Board, int]
    comments: Repository[Comment, str]


def mapping_of(places: range | None = None, codes: tuple[str, ...] = ()) -> Mapping:
    """Slots with positions from *places* alone, and boards with *codes* alone."""
    mapping = Mapping()
    boards = Table(
        "boards",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("title", String(20), nullable=False, unique=True),
        Column("code", String(5), unique=True),
    )
    slots = Table(
        "slots",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("board_id", ForeignKey(boards.c.id), nullable=False),
        Column("position", Integer, nullable=False),
        Column("name", String(20), nullable=False),
        UniqueConstraint("board_id", "position"),
    )
    if places is not None:
        slots.append_constraint(CheckConstraint(slots.c.position.between(places[0], places[-1]), name="places"))
    if codes:
        boards.append_constraint(CheckConstraint(boards.c.code.in_(codes), name="codes"))
    profiles = Table(
        "profiles",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("board_id", ForeignKey(boards.c.id), nullable=False, unique=True),
        Column("text", String(20), nullable=False),
    )
    comments = Table(
        "comments",
        mapping.metadata,
        Column("key", String(20), primary_key=True),
        Column("parent_key", ForeignKey("comments.key")),
    )

    class OwnSlot(Slot): ...

    class OwnBoard(Board): ...

    class OwnProfile(Profile): ...

    class OwnComment(Comment): ...

    mapping.member(OwnSlot, slots)
    mapping.member(OwnProfile, profiles)
    mapping.aggregate(
        OwnBoard,
        boards,
        properties={
            "slots": children(OwnSlot, order_by=slots.c.position),
            "profile": children(OwnProfile, uselist=False),
        },
    )
    mapping.aggregate(OwnComment, comments)
    return mapping


class World:
    """The classes of one mapping, and its units."""

    def __init__(self, store: Store, mapping: Mapping) -> None:
        self.store = store
        classes: dict[str, Any] = {mapper.class_.__name__[3:]: mapper.class_ for mapper in mapping.mappers}
        self.Board: Any = classes["Board"]
        self.Slot: Any = classes["Slot"]
        self.Profile: Any = classes["Profile"]
        self.Comment: Any = classes["Comment"]
        repository: Any = Repository
        self.unit: Any = type(
            "Unit",
            (UnitOfWork,),
            {
                "__annotations__": {
                    "boards": repository[self.Board, int],
                    "comments": repository[self.Comment, str],
                }
            },
        )

    def done(self, *steps: Callable[[Any], object]) -> None:
        """Do all steps in one unit, and commit."""
        with self.unit(self.store) as uow:
            for step in steps:
                step(uow)
            uow.commit()

    def slots(self, title: str = "x") -> list[tuple[int, str]]:
        with self.unit(self.store) as uow:
            return [(each.position, each.name) for each in uow.boards.one(title=title).slots]

    def comments(self) -> list[tuple[str, str | None]]:
        with self.unit(self.store) as uow:
            return [(each.key, each.parent_key) for each in uow.comments]


@pytest.fixture
def world(make_store: MakeStore) -> World:
    """A board x with the slots a, b and c at 1, 2 and 3."""
    return board_of(make_store, mapping_of())


def board_of(make_store: MakeStore, mapping: Mapping) -> World:
    world = World(make_store(mapping), mapping)
    slots = [world.Slot(number, name) for number, name in enumerate("abc", 1)]
    world.done(lambda uow: uow.boards.add(world.Board("x", slots, world.Profile("old"), "c1")))
    return world


def moved(positions: dict[str, int]) -> Callable[[Any], None]:
    """A step that gives the slots other positions, by their names."""

    def move(uow: Any) -> None:
        for slot in uow.boards.one(title="x").slots:
            slot.position = positions.get(slot.name, slot.position)

    return move


@pytest.mark.parametrize("names", [*permutations("abc")], ids="".join)
def test_positions_are_permuted(names: tuple[str, ...], world: World) -> None:
    world.done(moved({name: number for number, name in enumerate(names, 1)}))

    assert world.slots() == [*enumerate(names, 1)]


@pytest.mark.parametrize("by", [1, -1, 2])
def test_positions_are_shifted(by: int, world: World) -> None:
    world.done(moved({"a": 1 + by, "b": 2 + by, "c": 3 + by}))

    assert world.slots() == [(1 + by, "a"), (2 + by, "b"), (3 + by, "c")]


def test_a_child_is_replaced_by_one_with_the_same_unique_value(world: World) -> None:
    world.done(lambda uow: setattr(uow.boards[1], "slots", [world.Slot(1, "new"), world.Slot(3, "other")]))

    assert world.slots() == [(1, "new"), (3, "other")]


def test_a_child_takes_the_place_of_one_that_goes_while_a_new_one_takes_its_own(world: World) -> None:
    def change(uow: Any) -> None:
        board = uow.boards[1]
        first, second, third = board.slots
        board.slots.remove(first)
        second.position = 1
        board.slots.append(world.Slot(2, "new"))
        third.position, board.slots[-1].position = 2, 3

    world.done(change)

    assert world.slots() == [(1, "b"), (2, "c"), (3, "new")]


def test_the_only_child_is_replaced(world: World) -> None:
    world.done(lambda uow: setattr(uow.boards[1], "profile", world.Profile("new")))

    with world.unit(world.store) as uow:
        assert uow.boards[1].profile.text == "new"


def exchange_profiles(uow: Any) -> None:
    one, other, *_ = uow.boards
    mine, theirs = one.profile, other.profile
    one.profile = other.profile = None
    one.profile, other.profile = theirs, mine


def test_only_children_are_exchanged_by_way_of_a_parent_that_has_none(world: World) -> None:
    world.done(lambda uow: uow.boards.add_many([world.Board("y", [], world.Profile("of y")), world.Board("z")]))

    world.done(exchange_profiles)

    with world.unit(world.store) as uow:
        assert [board.profile and board.profile.text for board in uow.boards] == ["of y", "old", None]


def test_where_all_parents_have_an_only_child_an_exchange_names_both(world: World) -> None:
    world.done(lambda uow: uow.boards.add(world.Board("y", [], world.Profile("of y"))))

    with pytest.raises(Duplicate, match="two rows of this unit exchange values"):
        world.done(exchange_profiles)


def test_only_children_are_exchanged_by_way_of_a_parent_whose_own_goes(world: World) -> None:
    world.done(lambda uow: uow.boards.add_many(world.Board(each, [], world.Profile(f"of {each}")) for each in "yz"))

    def change(uow: Any) -> None:
        z = uow.boards.one(title="z")
        exchange_profiles(uow)
        z.profile = None

    world.done(change)

    with world.unit(world.store) as uow:
        assert [board.profile and board.profile.text for board in uow.boards] == ["of y", "old", None]


@pytest.mark.parametrize("staying", [[], ["w"]], ids=["none", "one"])
def test_only_children_are_not_exchanged_by_way_of_a_parent_that_goes(staying: list[str], world: World) -> None:
    world.done(lambda uow: uow.boards.add(world.Board("y", [], world.Profile("of y"))))
    world.done(lambda uow: uow.boards.add(world.Board("v")))
    world.done(lambda uow: uow.boards.add_many([world.Board(each) for each in staying]))

    def change(uow: Any) -> None:
        v = uow.boards.one(title="v")
        exchange_profiles(uow)
        uow.boards.remove(v)

    if staying:
        world.done(change)
        with world.unit(world.store) as uow:
            assert [board.profile and board.profile.text for board in uow.boards] == ["of y", "old", None]
    else:
        with pytest.raises(Duplicate, match="two rows of this unit exchange values"):
            world.done(change)


def test_titles_of_aggregates_are_exchanged_and_handed_on(world: World) -> None:
    def exchange(uow: Any) -> None:
        x, y, z = uow.boards.all(order_by=lambda board: board.id)
        x.title, y.title = y.title, x.title
        x.code, y.code, z.code = None, x.code, "c1"[::-1]
        uow.boards.remove(z)
        uow.boards.add(world.Board("z", code="cz"))

    world.done(lambda uow: uow.boards.add_many([world.Board("y"), world.Board("z", code="cz")]))

    world.done(exchange)

    with world.unit(world.store) as uow:
        assert sorted((each.title, each.code) for each in uow.boards) == [("x", "c1"), ("y", None), ("z", "cz")]


def test_a_parent_whose_title_is_handed_on_may_give_its_children_to_the_heir(world: World) -> None:
    def hand_on(uow: Any) -> None:
        old = uow.boards[1]
        heir = world.Board("x", code="c1")
        uow.boards.add(heir)
        heir.slots, old.slots = old.slots[:], []
        uow.boards.remove(old)

    world.done(hand_on)

    assert world.slots() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("free", [4, 5, 6])
def test_an_interim_value_satisfies_the_checks_and_no_other_row_has_it(make_store: MakeStore, free: int) -> None:
    world = board_of(make_store, mapping_of(range(1, 7)))
    others = [(position, f"at {position}") for position in (4, 5, 6) if position != free]
    world.done(lambda uow: uow.boards[1].slots.extend([world.Slot(*other) for other in others]))

    world.done(moved({"a": 2, "b": 1}))

    assert world.slots() == [(1, "b"), (2, "a"), (3, "c"), *others]


@pytest.mark.parametrize("free", [4, 5, 6])
def test_an_interim_value_is_none_that_a_new_row_takes(make_store: MakeStore, free: int) -> None:
    world = board_of(make_store, mapping_of(range(1, 7)))
    others = [(position, f"at {position}") for position in (4, 5, 6) if position != free]

    def change(uow: Any) -> None:
        board = uow.boards[1]
        board.slots[0].position, board.slots[1].position = 2, 1
        board.slots.extend([world.Slot(*other) for other in others])

    world.done(change)

    assert world.slots() == [(1, "b"), (2, "a"), (3, "c"), *others]


def test_an_interim_value_may_be_one_that_is_given_up(make_store: MakeStore) -> None:
    world = board_of(make_store, mapping_of(range(1, 4)))

    def change(uow: Any) -> None:
        slots = uow.boards[1].slots
        slots.remove(slots[2])
        slots[0].position, slots[1].position = 2, 1

    world.done(change)

    assert world.slots() == [(1, "b"), (2, "a")]


def test_an_interim_value_serves_one_exchange_after_the_other(make_store: MakeStore) -> None:
    world = board_of(make_store, mapping_of(range(1, 6)))
    world.done(lambda uow: uow.boards[1].slots.extend([world.Slot(4, "d"), world.Slot(5, "e")]))

    def change(uow: Any) -> None:
        slots = uow.boards[1].slots
        slots.remove(slots[4])
        for slot, position in zip(slots, (2, 1, 4, 3), strict=True):
            slot.position = position

    world.done(change)

    assert world.slots() == [(1, "b"), (2, "a"), (3, "d"), (4, "c")]


@dataclass(eq=False)
class Medal:
    metal: str
    day: dt.date
    hour: dt.time
    depth: int
    share: float
    price: Decimal


ORE = Medal("gold", dt.date(2020, 1, 1), dt.time(8), -1, 0.5, Decimal("500.00"))
DUST = Medal("silver", dt.date(2020, 1, 2), dt.time(9), -2, 0.25, Decimal("501.00"))


def test_an_interim_value_is_found_whatever_the_checks_ask_for(make_store: MakeStore) -> None:
    mapping = Mapping()
    types: dict[str, Any] = {
        "metal": String(10),
        "day": Date,
        "hour": Time,
        "depth": Integer,
        "share": Float,
        "price": Numeric(6, 2),
    }
    columns = [Column(name, each, nullable=False, unique=True) for name, each in types.items()]
    medals = Table("medals", mapping.metadata, Column("id", Integer, primary_key=True), *columns)
    for check in (
        medals.c.metal.in_(("gold", "silver", "bronze")),
        medals.c.day < dt.date(2021, 1, 1),
        medals.c.hour < dt.time(12),
        medals.c.depth.between(-5, -1),
        medals.c.share.between(0.0, 1.0),
        medals.c.price.between(Decimal(500), Decimal(600)),
    ):
        medals.append_constraint(CheckConstraint(check, name=f"ck_medals_{len(medals.constraints)}"))

    class OwnMedal(Medal): ...

    mapping.aggregate(OwnMedal, medals)
    repository: Any = Repository
    unit: Any = type("Unit", (UnitOfWork,), {"__annotations__": {"medals": repository[OwnMedal, int]}})
    store = make_store(mapping)
    with unit(store) as uow:
        uow.medals.add_many(OwnMedal(*[getattr(each, name) for name in types]) for each in (ORE, DUST))
        uow.commit()

    with unit(store) as uow:
        one, two = uow.medals
        for name in types:
            mine, theirs = getattr(one, name), getattr(two, name)
            setattr(one, name, theirs)
            setattr(two, name, mine)
        uow.commit()

    with unit(store) as uow:
        assert [[getattr(each, name) for name in types] for each in uow.medals] == [
            [getattr(each, name) for name in types] for each in (DUST, ORE)
        ]


def test_where_no_interim_value_is_left_both_rows_are_named(make_store: MakeStore) -> None:
    world = board_of(make_store, mapping_of(range(1, 4)))

    with pytest.raises(Duplicate, match=r"slots\(board_id, position\) \(those with the keys 1 and 2\)") as caught:
        world.done(moved({"a": 2, "b": 1}))

    assert (caught.value.table, caught.value.columns) == ("slots", ("board_id", "position"))
    assert world.slots() == [(1, "a"), (2, "b"), (3, "c")]


def test_null_is_the_interim_value_of_a_column_that_takes_it(make_store: MakeStore) -> None:
    world = board_of(make_store, mapping_of(codes=("c1", "c2")))
    world.done(lambda uow: uow.boards.add(world.Board("y", code="c2")))

    def exchange(uow: Any) -> None:
        x, y = uow.boards
        x.code, y.code = y.code, x.code

    world.done(exchange)

    with world.unit(world.store) as uow:
        assert [each.code for each in uow.boards] == ["c2", "c1"]


def test_objects_have_their_values_after_an_exchange(world: World) -> None:
    with world.unit(world.store) as uow:
        a, b, _ = uow.boards[1].slots
        a.position, b.position = 2, 1
        uow.flush()

        assert (a.position, b.position) == (2, 1)
        b.name = "still b"
        uow.commit()

    assert world.slots() == [(1, "still b"), (2, "a"), (3, "c")]


def test_an_exchange_is_undone_with_its_block(world: World) -> None:
    with world.unit(world.store) as uow:
        board = uow.boards[1]
        with pytest.raises(KeyError), uow.nested():
            board.slots[0].position, board.slots[1].position = 2, 1
            uow.flush()
            raise KeyError

        assert [(each.position, each.name) for each in board.slots] == [(1, "a"), (2, "b"), (3, "c")]
        uow.commit()

    assert world.slots() == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_a_tree_of_rows_is_added_and_removed_in_any_order(order: tuple[int, ...], world: World) -> None:
    keys = ["b", "a", "c"]  # the parent is not the first of them, nor the last

    def tree() -> list[Any]:
        return [world.Comment(key, parent) for key, parent in zip(keys, [None, *keys], strict=False)]

    world.done(lambda uow: uow.comments.add_many([tree()[number] for number in order]))
    added = world.comments()
    world.done(lambda uow: [uow.comments.remove(each) for each in [uow.comments[keys[n]] for n in range(3)]])

    assert added == [("a", "b"), ("b", None), ("c", "a")]
    assert world.comments() == []


def test_a_stored_row_comes_to_refer_to_a_new_one_and_leaves_one_that_goes(world: World) -> None:
    world.done(lambda uow: uow.comments.add_many([world.Comment("old"), world.Comment("child", "old")]))

    def move(uow: Any) -> None:
        child, old = uow.comments["child"], uow.comments["old"]
        uow.comments.remove(old)
        child.parent_key = "new"
        uow.comments.add(world.Comment("new"))

    world.done(move)

    assert world.comments() == [("child", "new"), ("new", None)]


@dataclass(eq=False)
class Seat:
    room: int
    place: int
    id: int = field(init=False)


def unit_of(store: Store, **classes: Any) -> Any:
    """A unit with a repository of each of these classes."""
    repository: Any = Repository
    annotations = {name: repository[cls, int] for name, cls in classes.items()}
    return type("Unit", (UnitOfWork,), {"__annotations__": annotations})(store)


@pytest.mark.parametrize(
    ("room", "last"), [(int, 9), (int | None, 9), (int, 2)], ids=["not null", "null", "no other place"]
)
def test_columns_that_an_exchange_does_not_concern_are_as_they_were(
    room: Any, last: int, make_store: MakeStore
) -> None:
    class OwnSeat(Seat): ...

    OwnSeat.__annotations__ = {"room": room}

    mapping = Mapping()
    chairs = Table(
        "chairs",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("room", Integer, nullable=room is not int),
        Column("place", Integer, nullable=False),
        UniqueConstraint("room", "place"),
    )
    chairs.append_constraint(CheckConstraint(chairs.c.place.between(1, last), name="places"))
    mapping.aggregate(OwnSeat, chairs)
    uow = unit_of(make_store(mapping), chairs=OwnSeat)
    with uow:
        uow.chairs.add_many([OwnSeat(1, 1), OwnSeat(1, 2)])
        uow.commit()

    with uow:
        one, other = uow.chairs
        one.place, other.place = other.place, one.place
        uow.commit()

    with uow:
        assert [(seat.room, seat.place) for seat in uow.chairs] == [(1, 2), (1, 1)]


def test_exchanges_by_two_constraints_share_rows(make_store: MakeStore) -> None:
    class OwnSeat(Seat): ...

    mapping = Mapping()
    chairs = Table(
        "chairs",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("room", Integer, nullable=False, unique=True),
        Column("place", Integer, nullable=False, unique=True),
    )
    mapping.aggregate(OwnSeat, chairs)
    uow = unit_of(make_store(mapping), chairs=OwnSeat)
    with uow:
        uow.chairs.add_many([OwnSeat(number, number) for number in range(1, 5)])
        uow.commit()

    with uow:
        a, b, c, d = uow.chairs
        a.room, b.room = b.room, a.room
        b.place, c.place = c.place, b.place
        c.room, d.room = d.room, c.room
        uow.commit()

    with uow:
        assert [(seat.room, seat.place) for seat in uow.chairs] == [(2, 1), (1, 3), (4, 2), (3, 4)]


@dataclass(eq=False)
class Report:
    text: str


@dataclass(eq=False)
class Person:
    name: str
    id: int = field(init=False)


@dataclass(eq=False)
class Manager(Person):
    badge: int = 0
    reports: list[Report] = field(default_factory=list)


def test_members_wait_for_the_row_of_a_subclass_that_takes_a_unique_value(make_store: MakeStore) -> None:
    class OwnReport(Report): ...

    class OwnPerson(Person): ...

    class OwnManager(Manager, OwnPerson): ...

    mapping = Mapping()
    people = Table(
        "people",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(10), nullable=False),
        Column("name", String(20), nullable=False),
    )
    managers = Table(
        "managers",
        mapping.metadata,
        Column("id", ForeignKey(people.c.id), primary_key=True),
        Column("badge", Integer, nullable=False, unique=True),
    )
    reports = Table(
        "reports",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("manager_id", ForeignKey(managers.c.id), nullable=False),
        Column("text", String(20), nullable=False),
    )
    mapping.member(OwnReport, reports)
    mapping.aggregate(OwnPerson, people, polymorphic_on=people.c.kind, polymorphic_identity="person")
    properties = {"reports": children(OwnReport)}
    mapping.aggregate(OwnManager, managers, inherits=OwnPerson, polymorphic_identity="manager", properties=properties)
    uow = unit_of(make_store(mapping), people=OwnPerson)
    with uow:
        uow.people.add(OwnManager("old", 1, [OwnReport("a")]))
        uow.commit()

    with uow:
        uow.people.remove(uow.people.one(name="old"))
        uow.people.add(OwnManager("new", 1, [OwnReport("b")]))
        uow.commit()

    with uow:
        assert [(each.name, each.badge, [report.text for report in each.reports]) for each in uow.people] == [
            ("new", 1, ["b"])
        ]


@dataclass(eq=False)
class Item:
    sku: str
    count: int


@dataclass(eq=False)
class Cart:
    name: str
    items: list[Item] = field(default_factory=list)
    id: int = field(init=False)


def carts_of(make_store: MakeStore, cart: type[Cart], item: type[Item]) -> Any:
    """A unit of carts, whose names are unique, with items, whose keys are given."""
    mapping = Mapping()
    carts = Table(
        "carts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), nullable=False, unique=True),
    )
    items = Table(
        "items",
        mapping.metadata,
        Column("sku", String(20), primary_key=True),
        Column("cart_id", ForeignKey(carts.c.id), nullable=False),
        Column("count", Integer, nullable=False),
    )
    mapping.member(item, items)
    mapping.aggregate(cart, carts, properties={"items": children(item)})
    return unit_of(make_store(mapping), carts=cart)


@pytest.mark.parametrize("goes", ["the item", "the cart"])
def test_the_row_of_a_removed_member_is_taken_over_by_a_member_of_a_new_owner(goes: str, make_store: MakeStore) -> None:
    class OwnItem(Item): ...

    class OwnCart(Cart): ...

    uow = carts_of(make_store, OwnCart, OwnItem)
    with uow:
        uow.carts.add(OwnCart("x", [OwnItem("a", 1)]))
        uow.commit()

    with uow:
        old = uow.carts.one(name="x")
        if goes == "the cart":
            uow.carts.remove(old)
        old.items = []
        new = OwnCart("y" if goes == "the item" else "x", [OwnItem("a", 5)])
        uow.carts.add(new)
        uow.flush()
        new.items[0].count += 1
        uow.commit()

    with uow:
        stored = [(each.name, [(item.sku, item.count) for item in each.items]) for each in uow.carts]
        assert stored == ([("x", []), ("y", [("a", 6)])] if goes == "the item" else [("x", [("a", 6)])])


def test_rows_that_refer_to_one_another_in_a_circle_are_refused(world: World) -> None:
    with pytest.raises(ReferenceViolated, match="in a circle") as added:
        world.done(lambda uow: uow.comments.add_many([world.Comment("a", "b"), world.Comment("b", "a")]))
    world.done(
        lambda uow: uow.comments.add_many([world.Comment("a"), world.Comment("b", "a")]),
        lambda uow: setattr(uow.comments["a"], "parent_key", "b"),
    )
    with pytest.raises(ReferenceViolated, match="in a circle") as removed:
        world.done(lambda uow: [uow.comments.remove(each) for each in [*uow.comments]])

    for error in (added.value, removed.value):
        assert (error.table, error.columns, error.constraint) == (
            "comments",
            ("parent_key",),
            "fk_comments_parent_key",
        )
    assert world.comments() == [("a", "b"), ("b", "a")]


MAPPING = mapping_of()


@contextmanager
def in_memory() -> Iterator[Store]:
    yield MemoryStore(MAPPING)


@contextmanager
def in_sqlite() -> Iterator[Store]:
    store = SqlStore("sqlite://", MAPPING)
    store.create_tables()
    try:
        yield store
    finally:
        store.dispose()  # or Python 3.13 warns of its connection


@pytest.mark.parametrize("make", [in_memory, in_sqlite])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_new_arrangement_of_unique_values_is_stored(
    make: Callable[[], AbstractContextManager[Store]], data: st.DataObject
) -> None:
    """Of n slots some go, some stay at other places, and some are new, with all places different in the end."""
    with make() as store:
        rearranged(World(store, MAPPING), data)


def rearranged(world: World, data: st.DataObject) -> None:
    before = data.draw(st.lists(st.integers(0, 8), unique=True, max_size=6))
    staying = data.draw(st.lists(st.sampled_from(before), unique=True)) if before else []
    places = data.draw(st.lists(st.integers(0, 8), unique=True, min_size=len(staying), max_size=8))
    world.done(lambda uow: uow.boards.add(world.Board("x", [world.Slot(place, f"s{place}") for place in before])))

    with world.unit(world.store) as uow:
        board = uow.boards[1]
        slots = {slot.position: slot for slot in board.slots}
        kept = [slots[place] for place in staying]
        for slot, place in zip(kept, places, strict=False):
            slot.position = place
        new = [world.Slot(place, f"n{place}") for place in places[len(kept) :]]
        board.slots = data.draw(st.permutations([*kept, *new]))
        uow.commit()

    names = [*(f"s{place}" for place in staying), *(f"n{place}" for place in places[len(staying) :])]
    assert world.slots() == sorted(zip(places, names, strict=True))
    world.store.dispose()


def test_two_new_objects_with_one_value_are_told_from_one_that_was_stored(world: World) -> None:
    def error(*titles: str) -> Duplicate:
        with pytest.raises(Duplicate) as caught:
            world.done(lambda uow: uow.boards.add_many([world.Board(title) for title in titles]))
        return caught.value

    of_one_unit, of_another = error("new", "new"), error("free", "x")

    assert (of_one_unit.values, of_another.values) == ({"title": "new"}, {"title": "x"})
    assert "two objects of this unit" in str(of_one_unit)
    assert "another row" in str(of_another)
    assert "new" not in str(of_one_unit).split()


def test_of_many_rows_the_one_that_is_a_duplicate_is_named(world: World) -> None:
    world.done(lambda uow: uow.boards.add(world.Board("n70")))

    with pytest.raises(Duplicate) as caught:
        world.done(lambda uow: uow.boards.add_many([world.Board(f"n{number}") for number in range(100)]))

    assert cast("dict[str, Any]", caught.value.values) == {"title": "n70"}


@pytest.mark.parametrize("double", [("old", "new"), ("new", "x")], ids=["key", "other value"])
def test_the_duplicate_is_named_where_rows_before_it_are_written(
    double: tuple[str, str], make_store: MakeStore
) -> None:
    class OwnComment(Comment): ...

    mapping = Mapping()
    comments = Table(
        "comments",
        mapping.metadata,
        Column("key", String(20), primary_key=True),
        Column("parent_key", String(20), unique=True),
    )
    mapping.aggregate(OwnComment, comments)
    uow = unit_of(make_store(mapping), comments=OwnComment)
    with uow:
        uow.comments.add(OwnComment("old", "x"))
        uow.commit()

    with uow, pytest.raises(Duplicate) as caught:
        uow.comments.add_many([OwnComment("first", "f"), OwnComment(*double), OwnComment("last", "l")])
        uow.commit()

    (column,) = caught.value.columns
    expected = {"key": "old"} if column == "key" else {"parent_key": "x"}
    assert cast("dict[str, Any]", caught.value.values) == expected


def test_a_duplicate_among_changes_is_named_also_where_a_part_of_its_values_stays(make_store: MakeStore) -> None:
    class OwnSeat(Seat): ...

    mapping = Mapping()
    chairs = Table(
        "chairs",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("room", Integer, nullable=False),
        Column("place", Integer, nullable=False),
        UniqueConstraint("room", "place"),
    )
    mapping.aggregate(OwnSeat, chairs)
    uow = unit_of(make_store(mapping), chairs=OwnSeat)
    with uow:
        uow.chairs.add_many([OwnSeat(1, 1), OwnSeat(1, 2), OwnSeat(2, 1)])
        uow.commit()

    with uow, pytest.raises(Duplicate) as caught:
        _, second, third = uow.chairs
        second.place = 1
        third.room, third.place = 9, 9
        uow.commit()

    assert cast("dict[str, Any]", caught.value.values) == {"room": 1, "place": 1}


def test_a_member_whose_move_fails_has_the_key_of_its_owner_again(make_store: MakeStore) -> None:
    class OwnItem(Item):
        cart_id: int

    class OwnCart(Cart): ...

    uow = carts_of(make_store, OwnCart, OwnItem)
    with uow:
        uow.carts.add(OwnCart("x", [OwnItem("a", 1)]))
        uow.commit()

    with uow:
        cart = uow.carts.one(name="x")
        item = cart.items[0]
        with pytest.raises(Duplicate), uow.nested():
            cart.items.remove(item)
            uow.carts.add(OwnCart("x", [item]))
        item.count += 1
        uow.commit()

        assert (item.cart_id, cart.items, item.count) == (cart.id, [item], 2)
