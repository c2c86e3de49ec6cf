"""What random programs have found, and nobody had thought of."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, String, Table, func
from sqlalchemy.orm import relationship

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children
from honestwork.domain import (
    AlreadyRemoved,
    BadValue,
    CheckFailed,
    Conflict,
    Duplicate,
    KeyChanged,
    ReferenceViolated,
    Repository,
    UnitReadOnly,
)
from honestwork.service_layer import Store, UnitOfWork
from tests.contract.shop import Customer, Discount, Line, Order, Product, Seat, Shop, stored, two_units
from tests.stores import STORES


def test_an_aggregate_that_takes_over_a_key_keeps_nothing_of_the_old_one(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1", sku="old", quantity=3, rating=5))
        uow.commit()

    with uow:
        old = uow.products["A1"]
        new = Product("A1", quantity=1)
        uow.products.add(new)
        uow.products.remove(old)
        uow.commit()

    with Shop(store) as fresh:
        found = fresh.products["A1"]
        assert (found.sku, found.quantity, found.rating) == (None, 1, None)


def test_keys_are_given_in_the_order_of_adding_also_where_one_was_taken_back(uow: Shop) -> None:
    with uow:
        taken_back, first, second = (Customer(f"{name}@example.org") for name in "abc")
        uow.customers.add(taken_back)
        uow.customers.add(first)
        uow.customers.remove(taken_back)
        uow.customers.add(second)
        uow.flush()

        assert first.id < second.id


def test_an_aggregate_that_a_savepoint_has_not_changed_stays_as_it_is(uow: Shop) -> None:
    with uow:
        order = Order([Line("b", 1), Line("a", 2)])
        other = Order([Line("x", 1)])
        uow.orders.add(order)
        uow.orders.add(other)
        uow.commit()
        order.lines.append(Line("0", 3))
        uow.flush()
        as_it_is = [line.product for line in order.lines]

        with pytest.raises(ZeroDivisionError), uow.nested():
            other.lines.clear()
            uow.flush()
            raise ZeroDivisionError

        assert [line.product for line in order.lines] == as_it_is
        assert [line.product for line in other.lines] == ["x"]


def test_a_change_of_a_removed_object_is_undone_with_its_removal(uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1", sku="s"))
        uow.commit()
        product = uow.products["A1"]

        with pytest.raises(ZeroDivisionError), uow.nested():
            uow.products.remove(product)
            product.sku = "t"
            uow.flush()
            raise ZeroDivisionError

        assert uow.products["A1"] is product
        assert product.sku == "s"


def test_an_assigned_key_is_told_before_a_bad_value_of_another_object(uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1"))
        uow.products.add(Product("B2"))
        uow.commit()
        uow.products["A1"].quantity = "many"  # type: ignore[assignment]
        with pytest.raises(BadValue):
            uow.flush()
        uow.rollback()
        one, two = uow.products.all()
        one.quantity = "many"  # type: ignore[assignment]
        two.code = "C3"

        with pytest.raises(KeyChanged):
            uow.flush()


def test_a_reading_unit_refuses_a_known_key_because_it_reads(store: Store, uow: Shop) -> None:
    with uow:
        uow.products.add(Product("A1"))
        uow.commit()
        uow.products.get("A1")
        uow.products.add(Product("A1"))
        with pytest.raises(Duplicate):
            uow.flush()

    with Shop(store).reading() as reading:
        reading.products.get("A1")
        reading.products.add(Product("A1"))

        with pytest.raises(UnitReadOnly):
            reading.flush()


def test_what_takes_over_a_key_has_its_own_defaults(store: Store, uow: Shop) -> None:
    sold = Product("A1")
    sold.status, sold.shelf, sold.is_sold = "sold", 12, True
    stored(store, sold)

    with uow:
        old, new = uow.products["A1"], Product("A1")
        new.shelf = None  # type: ignore[assignment]
        uow.products.add(new)
        uow.products.remove(old)
        uow.commit()

    with Shop(store) as fresh:
        found = fresh.products["A1"]
        assert (found.status, found.shelf, found.is_sold) == ("new", 11, False)


def test_a_member_whose_row_is_deleted_cannot_be_put_back(store: Store, uow: Shop) -> None:
    order = Order([Line("LAMP", discounts=[Discount(5)])])
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        gone = found.lines.pop()
        uow.flush()

        with pytest.raises(AlreadyRemoved):
            found.lines.append(gone)
        with pytest.raises(AlreadyRemoved):
            uow.orders.add(Order([gone]))


def test_members_of_a_removed_aggregate_cannot_be_put_back_into_it(store: Store, uow: Shop) -> None:
    order = Order([Line("LAMP"), Line("RUG")])
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        uow.orders.remove(found)
        uow.flush()

        with pytest.raises(AlreadyRemoved):
            found.lines = found.lines[:1]


def test_a_member_can_be_taken_out_though_an_aggregate_that_it_was_in_is_garbage(store: Store, uow: Shop) -> None:
    order = Order([Line("LAMP"), Line("RUG")])
    stored(store, order)

    with uow:
        found = uow.orders[order.id]
        Order(lines=[found.lines[0]])
        gc.collect()
        found.lines.pop(0)
        uow.commit()

        assert [line.product for line in found.lines] == ["RUG"]


def test_what_a_savepoint_has_changed_is_read_again_where_the_key_alone_is_known(store: Store, uow: Shop) -> None:
    stored(store, Product("A1", quantity=1))

    with uow:
        with pytest.raises(ZeroDivisionError), uow.nested():
            product = uow.products["A1"]
            product.quantity = 2
            uow.flush()
            raise ZeroDivisionError
        uow.flush()
        uow.commit()

    with Shop(store) as fresh:
        assert product.quantity == 1
        assert (fresh.products["A1"].quantity, fresh.products["A1"].version) == (1, 1)


def test_a_key_that_this_unit_has_an_object_for_is_taken_though_others_have_freed_it(store: Store) -> None:
    stored(store, Customer("a@example.org"), Product("A1"))

    with two_units(store) as (one, two):
        one.products.get("A1")
        two.products.remove(two.products["A1"])
        two.commit()
        one.products.add(Product("A1"))

        with pytest.raises(Duplicate):
            one.flush()


def test_a_changed_json_value_is_read_again_where_a_savepoint_is_undone(store: Store, uow: Shop) -> None:
    stored(store, Product("A1", details={"size": 1}))

    with uow:
        with pytest.raises(Duplicate), uow.nested():
            product = uow.products["A1"]
            product.details = {"size": 2}
            uow.flush()
            uow.products.add(Product("A1"))
        uow.flush()
        uow.flush()
        uow.commit()

        assert (product.code, product.details, product.version) == ("A1", {"size": 1}, 1)


@pytest.mark.parametrize("first", ["spoil", "remove"])
def test_nobody_asks_whether_what_a_removed_object_has_can_be_stored(store: Store, uow: Shop, first: str) -> None:
    stored(store, Product("A1"))

    with uow:
        product = uow.products["A1"]
        if first == "spoil":
            product.details = {"size": float("nan")}
        uow.products.remove(product)
        uow.flush()
        product.details = {"size": float("nan")}
        uow.products.add(Product("A2"))
        uow.commit()

        assert "A1" not in uow.products


@pytest.mark.parametrize("first", ["spoil", "take out"])
def test_nobody_asks_whether_what_a_member_that_is_taken_out_has_can_be_stored(
    store: Store, uow: Shop, first: str
) -> None:
    order = Order([Line("a", 1), Line("b", 2)])
    stored(store, order)

    with uow:
        lines = uow.orders[order.id].lines
        line = lines[1]
        if first == "spoil":
            line.quantity = "many"  # type: ignore[assignment]
        lines.remove(line)
        line.quantity = "many"  # type: ignore[assignment]
        uow.commit()

    with uow:
        assert [line.product for line in uow.orders[order.id].lines] == ["a"]


def test_members_of_what_another_unit_has_removed_cannot_go_to_its_heir(store: Store) -> None:
    order = Order([Line("DESK")])
    stored(store, order)
    with Shop(store) as uow:
        there = uow.orders[order.id]
        uow.commit()
        with Shop(store) as other:
            other.orders.remove(other.orders[order.id])
            other.commit()
        uow.orders.add(Order([there.lines[0]], id=order.id))

        with pytest.raises(Conflict):
            uow.commit()


class Gadget:
    def __init__(self, name: str) -> None:
        self.name = name

    id: int
    touched: int


class Track:
    def __init__(self, title: str) -> None:
        self.title = title


class Album:
    def __init__(self, title: str, tracks: list[Track]) -> None:
        self.title = title
        self.tracks = tracks
        self.singles = tracks[:1]


class Gadgets(UnitOfWork):
    gadgets: Repository[Gadget, int]
    albums: Repository[Album, str]


given: list[object] = []
mapping = Mapping()
gadgets = Table(
    "gadgets",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    name := Column("name", String(9), nullable=False),
    Column("touched", Integer, nullable=False, default=0, onupdate=lambda: given.pop()),
    CheckConstraint(func.length(name) <= 3, name="ck_gadgets_name"),
)
mapping.aggregate(Gadget, gadgets)
albums = Table("albums", mapping.metadata, Column("title", String(9), primary_key=True))
tracks = Table(
    "tracks",
    mapping.metadata,
    Column("title", String(9), primary_key=True),
    Column("album", ForeignKey(albums.c.title), nullable=False),
)
singles = Table(
    "singles",
    mapping.metadata,
    Column("album", ForeignKey(albums.c.title), primary_key=True),
    Column("track", ForeignKey(tracks.c.title), primary_key=True),
)
mapping.member(Track, tracks)
mapping.aggregate(
    Album,
    albums,
    properties={
        "tracks": children(Track),
        "singles": relationship(Track, secondary=singles, lazy="selectin", order_by=tracks.c.title),
    },
)


@pytest.fixture(params=STORES)
def box(request: pytest.FixtureRequest) -> Iterator[Gadgets]:
    """A unit of work on a store that has gadgets."""
    store: Store = MemoryStore(mapping)
    if request.param != "memory":
        store = SqlStore(request.getfixturevalue(f"{request.param}_url"), mapping, durability="process")
    store.create_tables()
    yield Gadgets(store)
    store.drop_tables()
    store.dispose()


@pytest.fixture
def two_boxes(box: Gadgets) -> tuple[Gadgets, Gadgets]:
    """Two units of work on one such store."""
    return box, Gadgets(box._store)


def test_what_onupdate_gives_is_guarded(box: Gadgets) -> None:
    with box:
        box.gadgets.add(Gadget("a"))
        box.commit()
        (gadget,) = box.gadgets
        gadget.name = "b"
        given.append("now")

        with pytest.raises(BadValue):
            box.flush()

    with box:
        (gadget,) = box.gadgets
        gadget.name = "b"
        given.append(7)
        box.flush()

        assert gadget.touched == 7


@pytest.mark.parametrize("tracks", [(), ("Blue",), ("Blue", "River"), ("River",)])
def test_an_aggregate_that_takes_over_a_key_has_the_links_that_it_says(box: Gadgets, tracks: tuple[str, ...]) -> None:
    with box:
        box.albums.add(Album("Hejira", [Track("Blue"), Track("Amelia")]))
        box.commit()

    with box:
        old = box.albums["Hejira"]
        box.albums.add(Album("Hejira", [Track(title) for title in tracks]))
        box.albums.remove(old)
        box.commit()

    with box:
        album = box.albums["Hejira"]
        assert [track.title for track in album.tracks] == [*tracks]
        assert [track.title for track in album.singles] == [*tracks[:1]]


def test_a_member_is_linked_once_however_often_it_comes(box: Gadgets) -> None:
    with box:
        box.albums.add(Album("Hejira", [Track("Amelia"), Track("Coyote")]))
        box.commit()

    with box:
        album = box.albums["Hejira"]
        amelia, coyote = album.tracks
        album.singles.extend([amelia, coyote, coyote])
        box.commit()

        assert album.singles == [amelia, coyote]

    with box:
        assert len(box.albums["Hejira"].singles) == 2


@pytest.mark.parametrize("is_stored", [False, True], ids=["new", "stored"])
def test_a_member_that_no_owner_has_any_more_cannot_be_linked(box: Gadgets, is_stored: bool) -> None:
    with box:
        album = Album("Hejira", [Track("Amelia")])
        box.albums.add(album)
        if is_stored:
            box.commit()

        album.singles.append(album.tracks.pop())
        with pytest.raises(ReferenceViolated):
            box.flush()


@pytest.mark.parametrize("first", ["append", "remove"])
def test_what_is_linked_twice_can_be_removed(box: Gadgets, first: str) -> None:
    with box:
        box.albums.add(Album("Hejira", [Track("Amelia")]))
        box.commit()

    with box:
        album = box.albums["Hejira"]
        if first == "remove":
            box.albums.remove(album)
        album.singles.append(album.tracks[0])
        box.albums.remove(album)
        box.commit()

        assert box.albums.count() == 0


def test_an_error_of_an_onupdate_comes_out_as_it_is(box: Gadgets) -> None:
    with box:
        box.gadgets.add(Gadget("a"))
        box.commit()
        (gadget,) = box.gadgets
        gadget.name = "b"

        with pytest.raises(IndexError):  # there is nothing to give
            box.flush()


def test_a_check_of_a_length_counts_characters(box: Gadgets) -> None:
    with box:
        box.gadgets.add(Gadget("éé☃"))
        box.commit()
        box.gadgets.add(Gadget("éé☃s"))

        with pytest.raises(CheckFailed):
            box.flush()


def test_classes_are_written_in_one_order_whatever_joins_their_members(box: Gadgets) -> None:
    with box:
        box.albums.add(Album("Hejira", []))
        box.commit()

    with box:
        box.gadgets.add(Gadget("too long"))
        box.albums.add(Album("Hejira", [Track("Coyote")]))

        with pytest.raises(Duplicate):
            box.flush()


def test_an_object_does_not_hear_of_what_others_have_changed_beside_it(store: Store) -> None:
    stored(store, Seat("A", 1, guest="John"))
    with two_units(store) as (uow, other):
        seat = uow.seats["A", 1]
        uow.commit()
        other.seats["A", 1].meal = "soup"
        other.commit()
        seat.guest = "Jane"
        uow.flush()

        assert (seat.guest, seat.meal) == ("Jane", None)
        seat.guest = "Jim"
        uow.commit()

    with Shop(store) as fresh:
        assert (fresh.seats["A", 1].guest, fresh.seats["A", 1].meal) == ("Jim", "soup")


def test_what_another_unit_has_parted_cannot_be_parted_again(two_boxes: tuple[Gadgets, Gadgets]) -> None:
    one, two = two_boxes
    with one:
        one.albums.add(Album("Hejira", [Track("Amelia"), Track("Coyote")]))
        one.commit()

    with one, two:
        album = one.albums["Hejira"]
        one.commit()
        two.albums["Hejira"].singles.clear()
        two.commit()
        album.singles.clear()

        with pytest.raises(Conflict):
            one.commit()
