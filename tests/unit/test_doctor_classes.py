"""Classes that the ORM maps in ways of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, event, select
from sqlalchemy.ext.mutable import MutableComposite
from sqlalchemy.orm import column_property, composite, reconstructor

from honestwork.adapters import Mapping, value
from tests.unit.doctoring import Thing, fresh, said_of, said_of_table


class Shifting(MutableComposite):
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda table: {"version": table.c.n, "version_id_generator": lambda v: (v or 0) + 10}, "no plain count"),
        (lambda table: {"version": table.c.n, "version_id_generator": False}, "no plain count"),
        (lambda table: {"version": table.c.text}, "no plain count"),
        (lambda table: {"version": table.c.filled}, "the store counts it"),
        (lambda table: {"primary_key": [table.c.n]}, "another primary key"),
        (lambda table: {"eager_defaults": False}, "what the database gives"),
        (lambda table: {"passive_deletes": True}, "rows of its subclasses"),
        (lambda table: {"properties": {"n": column_property(table.c.n, table.c.m)}}, "several columns of one table"),
        (lambda table: {"properties": {"twice": column_property(table.c.n * 2)}}, "computed by the database"),
        (lambda table: {"properties": {"place": composite(Shifting, table.c.n, table.c.m)}}, "changed in place"),
    ],
)
def test_a_way_of_mapping_is_refused(options: Any, said: str) -> None:
    (finding,) = said_of_table(
        Column("n", Integer, nullable=False),
        Column("m", Integer, nullable=False),
        Column("text", String(5), nullable=False),
        Column("filled", Integer, nullable=False, default=1),
        options=options,
    )

    assert said in finding


def test_what_is_no_table_of_the_mapping_is_refused() -> None:
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))
    others = Table("others", mapping.metadata, Column("id", ForeignKey("things.id"), primary_key=True))
    mapping.aggregate(fresh(), things.join(others), properties={"id": [things.c.id, others.c.id]})
    mapping.aggregate(fresh(), select(things).subquery())
    mapping.aggregate(fresh(), Table("elsewhere", MetaData(), Column("id", Integer, primary_key=True)))

    assert ["is not mapped to a table" in finding for finding in said_of(mapping)] == [True] * 3


@pytest.mark.parametrize("hook", ["before_insert", "after_update", "before_delete"])
def test_a_hook_of_the_orms_flush_is_refused(hook: str) -> None:
    cls = fresh()
    event.listen(cls, hook, lambda mapper, connection, target: None, propagate=True)

    (finding,) = said_of_table(cls=cls)

    assert hook in finding


def test_a_value_object_that_subclasses_inherit_is_accepted() -> None:
    mapping = Mapping()
    base = fresh()
    things = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(5), nullable=False),
        Column("x", Integer, nullable=False),
        Column("y", Integer, nullable=False),
    )
    place = {"place": value(Point, things.c.x, things.c.y)}
    mapping.aggregate(base, things, properties=place, polymorphic_on=things.c.kind, polymorphic_identity="a")
    mapping.aggregate(fresh(base), inherits=base, polymorphic_identity="b")

    assert said_of(mapping) == []


def said_of_joined(
    *own: Column[Any], base: dict[str, Any] | None = None, version: bool = False, columns: Any = ()
) -> list[str]:
    """Of a class and a joined subclass that has these columns of its own."""
    mapping = Mapping()
    root = fresh()
    things = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("kind", String(5), nullable=False),
        *columns,
    )
    tools = Table(
        "tools",
        mapping.metadata,
        Column("id", ForeignKey("things.id", ondelete="CASCADE"), primary_key=True),
        *own,
    )
    mapping.aggregate(root, things, polymorphic_on=things.c.kind, polymorphic_identity="a", **(base or {}))
    mapping.aggregate(
        fresh(root),
        tools,
        inherits=root,
        polymorphic_identity="b",
        version=tools.c.version if version else None,
        properties={each.name: [tools.c[each.name], things.c[each.name]] for each in columns},
    )
    return said_of(mapping)


def touched() -> Column[Any]:
    return Column("touched", Integer, nullable=False, default=0, onupdate=1)


def test_a_cascade_from_a_base_to_its_subclass_has_nothing_to_do() -> None:
    assert said_of_joined() == []


def test_what_the_database_gives_to_a_subclass_is_not_left_for_later() -> None:
    (finding,) = said_of_joined(base={"eager_defaults": "auto"})

    assert "what the database gives" in finding


def test_a_version_of_a_subclass_is_refused() -> None:
    (finding,) = said_of_joined(Column("version", Integer, nullable=False), version=True)

    assert "a version of its own" in finding


def test_one_name_in_two_tables_is_refused_where_updates_give_values() -> None:
    (finding,) = said_of_joined(touched(), columns=[touched()])

    assert "in each of two tables" in finding


def test_a_reconstructor_is_refused() -> None:
    class Woken(Thing):
        @reconstructor
        def wake(self) -> None: ...

    (finding,) = said_of_table(cls=Woken)

    assert "@reconstructor" in finding


def inherited(kind: Column[Any] | None, *, own_key: str = "id", identities: tuple[Any, Any] = ("a", "b")) -> list[str]:
    """What is said of a class that inherits, with a table of its own."""
    mapping = Mapping()
    base, sub = fresh(), None
    columns = [Column("id", Integer, primary_key=True), *([kind] if kind is not None else [])]
    things = Table("things", mapping.metadata, *columns)
    own = Table("own", mapping.metadata, Column(own_key, ForeignKey("things.id"), primary_key=True))
    sub = type("Sub", (base,), {})
    if kind is None:
        mapping.aggregate(base, things)
        mapping.aggregate(sub, own, inherits=base)
    else:
        mapping.aggregate(base, things, polymorphic_on=things.c.kind, polymorphic_identity=identities[0])
        mapping.aggregate(sub, own, inherits=base, polymorphic_identity=identities[1])
    return said_of(mapping)


def test_inheritance_is_accepted_where_a_column_tells_the_classes() -> None:
    assert inherited(Column("kind", String(5), nullable=False)) == []


def test_inheritance_without_a_column_that_tells_the_classes_is_refused() -> None:
    (finding,) = inherited(None)

    assert "no column tells" in finding


def test_an_identity_that_its_column_cannot_hold_is_refused() -> None:
    (finding,) = inherited(Column("kind", String(5), nullable=False), identities=("a", "b" * 6))

    assert "polymorphic_identity of Sub" in finding


def test_a_key_that_is_another_attribute_in_the_subclass_is_refused() -> None:
    (finding,) = inherited(Column("kind", String(5), nullable=False), own_key="thing_id")

    assert "call the column as the base" in finding


def test_an_annotation_that_allows_none_where_the_column_does_not_is_refused() -> None:
    @dataclass(eq=False)
    class Person:
        id: str
        nick: str | None
        age: int | None = None

    (finding,) = said_of_table(
        Column("nick", String(9), nullable=False),
        Column("age", Integer, nullable=False, default=0),  # None becomes the default
        cls=Person,
    )

    assert "annotate it without None" in finding
