"""Relationships that hold more, or less, than an aggregate's members."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import JSON, Column, Enum, ForeignKey, Integer, String, Table, and_
from sqlalchemy.orm import foreign, relationship
from sqlalchemy.types import TypeDecorator

from honestwork.adapters import Mapping, children
from tests.unit.doctoring import Member, fresh, said_of, said_of_members


class Decorated(TypeDecorator[str]):
    impl = Enum("a", "b", name="decorated")
    cache_ok = True


def owner() -> Column[Any]:
    return Column("thing", ForeignKey("things.id"), nullable=False)


@pytest.mark.parametrize(
    ("relation", "columns", "said"),
    [
        (
            lambda cls, a, b: children(cls, primaryjoin=and_(a.c.id == b.c.thing, b.c.rank > 1)),
            list,
            "more than a foreign",
        ),
        (
            lambda cls, a, b: children(cls, primaryjoin=a.c.id == foreign(b.c.thing)),
            lambda: [Column("thing", String(5), nullable=False)],
            "no foreign key",
        ),
        (lambda cls, a, b: children(cls, post_update=True), list, "post_update"),
        (lambda cls, a, b: children(cls, lazy="dynamic"), list, "write children("),
        (lambda cls, a, b: children(cls, lazy="write_only"), list, "loaded lazily"),
        (lambda cls, a, b: children(cls, lazy="raise"), list, "loaded lazily"),
        (lambda cls, a, b: children(cls, viewonly=True, cascade=""), list, "viewonly"),
        (lambda cls, a, b: {"one": children(cls), "two": children(cls, overlaps="one")}, list, "hold the same"),
        (
            lambda cls, a, b: children(cls, order_by=b.c.kind),
            lambda: [owner(), Column("kind", Enum("a", "b", name="k"), nullable=False)],
            "sorts in its own way",
        ),
        (
            lambda cls, a, b: children(cls, order_by=b.c.kind),
            lambda: [owner(), Column("kind", JSON, nullable=False)],
            "sorts in its own way",
        ),
        (lambda cls, a, b: children(cls, order_by=b.c.rank + 1), list, "no column of its members"),
        (lambda cls, a, b: children(cls, order_by=-b.c.rank), list, "no column of its members"),
        (lambda cls, a, b: children(cls, order_by=b.c.rank.nulls_last()), list, "no column of its members"),
        (
            lambda cls, a, b: children(cls, order_by=b.c.kind),
            lambda: [owner(), Column("kind", Decorated(), nullable=False)],
            "sorts in its own way",
        ),
        (
            lambda cls, a, b: children(cls, foreign_keys=b.c.thing),
            lambda: [owner(), Column("other", ForeignKey("things.id", ondelete="CASCADE"), nullable=False)],
            "behind the unit of work",
        ),
    ],
)
def test_a_collection_is_refused(relation: Any, columns: Any, said: str) -> None:
    (finding,) = said_of_members(relation, *columns())

    assert said in finding


def test_members_of_two_owners_are_refused() -> None:
    """A row would need both of them, and in memory it has one."""
    mapping = Mapping()
    line, pack, order = fresh(), fresh(), fresh()
    orders = Table("orders", mapping.metadata, Column("id", Integer, primary_key=True))
    packs = Table(
        "packs",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("order_id", ForeignKey("orders.id"), nullable=False),
    )
    lines = Table(
        "lines",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("order_id", ForeignKey("orders.id"), nullable=False),
        Column("pack_id", ForeignKey("packs.id"), nullable=False),
    )
    mapping.member(line, lines)
    mapping.member(pack, packs, properties={"lines": children(line)})
    mapping.aggregate(order, orders, properties={"lines": children(line), "packs": children(pack)})

    (finding,) = said_of(mapping)

    assert "a member has one owner" in finding


def linked(
    *more: Column[Any], as_root: bool = False, own_key: bool = False, foreign_keys: bool = True, **options: Any
) -> list[str]:
    """What is said of members that a table of their own joins to their owners."""
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", String(5), primary_key=True))
    labels = Table("labels", mapping.metadata, Column("id", String(5), primary_key=True))
    kinds: list[Any] = [ForeignKey("things.id"), ForeignKey("labels.id")] if foreign_keys else [String(5), String(5)]
    joined = Table(
        "joined",
        mapping.metadata,
        *([Column("id", Integer, primary_key=True)] if own_key else []),
        Column("thing", kinds[0], primary_key=not own_key, nullable=False),
        Column("label", kinds[1], primary_key=not own_key, nullable=False),
        *more,
    )
    if not foreign_keys:
        options["primaryjoin"] = things.c.id == foreign(joined.c.thing)
        options["secondaryjoin"] = labels.c.id == foreign(joined.c.label)
    label = fresh(Member)
    (mapping.aggregate if as_root else mapping.member)(label, labels)
    relation = relationship(label, secondary=joined, **{"lazy": "selectin", **options})
    mapping.aggregate(fresh(), things, properties={"labels": relation})
    return said_of(mapping)


def test_members_that_a_table_joins_are_accepted() -> None:
    assert linked() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"as_root": True}, "an aggregate of its own"),
        ({"cascade": "all"}, "others may be joined to"),
        ({"foreign_keys": False}, "no foreign keys of joined"),
        ({"own_key": True}, "make the two its primary key"),
        ({"lazy": "select"}, 'say lazy="selectin"'),
        ({"uselist": False}, "a table that can join many"),
    ],
)
def test_members_that_a_table_joins_are_refused(options: dict[str, Any], said: str) -> None:
    (finding,) = linked(**options)

    assert said in finding


def test_members_that_a_table_joins_to_others_of_their_class_are_refused() -> None:
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", String(5), primary_key=True))
    labels = Table(
        "labels",
        mapping.metadata,
        Column("id", String(5), primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    joined = Table(
        "joined",
        mapping.metadata,
        Column("one", ForeignKey("labels.id"), primary_key=True),
        Column("other", ForeignKey("labels.id"), primary_key=True),
    )
    label = fresh(Member)
    ends: dict[str, Any] = {"primaryjoin": labels.c.id == joined.c.one, "secondaryjoin": labels.c.id == joined.c.other}
    mapping.member(label, labels, properties={"next": relationship(label, joined, lazy="selectin", **ends)})
    mapping.aggregate(fresh(), things, properties={"labels": children(label)})

    (finding,) = said_of(mapping)

    assert "makes a circle" in finding


def test_the_name_of_another_attributes_column_is_refused_where_there_are_members() -> None:
    def swapped(cls: Any, things: Table, members: Table) -> Any:
        return {"members": children(cls), "name": things.c.id, "id": things.c.name}

    findings = said_of_members(swapped, owner(), things=[Column("name", String(5), nullable=False)])

    assert ["has the name of the column of" in finding for finding in findings] == [True, True]


def test_a_joining_table_with_more_in_it_is_refused() -> None:
    (finding,) = linked(Column("rank", Integer, nullable=False, default=1))

    assert "map it as a class with mapping.member" in finding
