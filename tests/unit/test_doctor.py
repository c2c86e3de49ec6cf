"""The doctor refuses what the stores could not serve alike, all of it at once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    PickleType,
    String,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import composite, relationship

from honestwork.adapters import Mapping, MemoryStore, SqlStore, children
from honestwork.domain import MappingRefused


class Thing:
    pass


class Part:
    pass


def findings(*columns: Any, after: Callable[[Table], object] = lambda table: None, **options: Any) -> list[str]:
    """What the doctor says of a table with these columns beside its key."""

    class Own(Thing):
        pass

    mapping = Mapping()
    table = Table("things", mapping.metadata, Column("id", Integer, primary_key=True), *columns)
    after(table)
    mapping.aggregate(Own, table, **options)
    try:
        mapping.check()
    except MappingRefused as refused:
        return refused.findings
    return []


def test_a_healthy_table_has_no_findings() -> None:
    assert findings(Column("name", String(80), nullable=False), Column("note", String)) == []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("code", CHAR(5)), "CHAR"),
        (Column("amount", Numeric()), "precision and scale"),
        (Column("amount", Numeric(10)), "precision and scale"),
        (Column("blob", PickleType), "things.blob"),
        (Column("tags", ARRAY(Integer)), "things.tags"),
        (Column("name", String(9, collation="NOCASE")), "collation"),
        (Column("total", Integer, Computed("id * 2")), "computed by the database"),
        (Column("at", Integer, server_default=func.random(), nullable=False), "only a database can compute"),
        (Column("at", Integer, default=func.random(), nullable=False), "computed by the database"),
        (Column("state", Integer, default=7), "may be NULL and has a default"),
    ],
)
def test_a_column_that_databases_treat_in_their_own_ways_is_refused(column: Column[Any], said: str) -> None:
    (finding,) = findings(column)

    assert said in finding


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (lambda table: table.append_constraint(CheckConstraint("n > now()", name="ck_n")), "the check ck_n of t"),
        (lambda table: table.append_constraint(UniqueConstraint("n", name="uq_n", deferrable=True)), "deferrable"),
        (lambda table: Index("ix_n", table.c.n, unique=True, sqlite_where=table.c.n > 0), "partial unique index"),
        (lambda table: Index("ix_n", func.abs(table.c.n), unique=True), "over an expression"),
    ],
)
def test_a_constraint_that_not_every_database_has_is_refused(after: Callable[[Table], object], said: str) -> None:
    (finding,) = findings(Column("n", Integer), after=after)

    assert said in finding


def test_a_check_that_only_a_database_reads_is_accepted_with_its_meaning_in_python() -> None:
    mapping = Mapping()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("n", Integer),
        CheckConstraint("n & 1 > 0", name="ck_n"),
    )
    mapping.aggregate(type("Own", (Thing,), {}), table)
    mapping.check_twin("ck_n", lambda row: None if row["n"] is None else row["n"] > 0)

    mapping.check()


def test_a_generated_always_key_is_refused() -> None:
    mapping = Mapping()
    table = Table("things", mapping.metadata, Column("id", Integer, Identity(always=True), primary_key=True))
    mapping.aggregate(type("Own", (Thing,), {}), table)

    with pytest.raises(MappingRefused, match="GENERATED ALWAYS"):
        mapping.check()


def test_a_table_without_a_primary_key_is_refused() -> None:
    mapping = Mapping()
    Table("loose", mapping.metadata, Column("n", Integer))

    with pytest.raises(MappingRefused, match="no primary key"):
        mapping.check()


def foreign_key(**options: Any) -> list[str]:
    """What the doctor says of a reference between two aggregates."""
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True), Column("code", String(5)))
    things.append_constraint(UniqueConstraint("code"))
    target = options.pop("target", "things.id")
    others = Table(
        "others",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey(target, **options), nullable=False),
    )
    mapping.aggregate(type("Own", (Thing,), {}), things)
    mapping.aggregate(type("Other", (Thing,), {}), others)
    try:
        mapping.check()
    except MappingRefused as refused:
        return refused.findings
    return []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ondelete": "CASCADE"}, "ON DELETE CASCADE"),
        ({"ondelete": "SET NULL"}, "ON DELETE SET NULL"),
        ({"onupdate": "CASCADE"}, "ON UPDATE CASCADE"),
        ({"deferrable": True}, "deferrable"),
        ({"target": "things.code"}, "primary key"),
    ],
)
def test_a_foreign_key_that_acts_behind_the_unit_is_refused(options: dict[str, Any], said: str) -> None:
    (finding,) = foreign_key(**options)

    assert said in finding


def test_a_plain_foreign_key_between_aggregates_is_accepted() -> None:
    assert foreign_key(ondelete="RESTRICT") == []


def owned(**options: Any) -> list[str]:
    """What the doctor says of a relationship from a thing to its parts."""
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))
    parts = Table(
        "parts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=options.pop("nullable", False)),
        Column("rank", Integer, nullable=options.pop("rank", False)),
    )
    part = type("OwnPart", (Part,), {})
    (mapping.aggregate if options.pop("as_root", False) else mapping.member)(part, parts)
    relation = relationship(part, **options) if options.pop("by_hand", False) else children(part, **options)
    mapping.aggregate(type("Own", (Thing,), {}), things, properties={"parts": relation})
    try:
        mapping.check()
    except MappingRefused as refused:
        return refused.findings
    return []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by_hand": True, "lazy": "selectin"}, "delete-orphan"),
        ({"by_hand": True, "cascade": "all, delete-orphan"}, "loaded lazily"),
        ({"nullable": True}, "without its owner"),
        ({"as_root": True}, "an aggregate of its own"),
    ],
)
def test_a_relation_that_does_not_keep_an_aggregate_together_is_refused(options: dict[str, Any], said: str) -> None:
    assert any(said in finding for finding in owned(**options))


def test_children_keep_an_aggregate_together() -> None:
    assert owned() == []


def test_an_order_that_may_be_null_is_refused() -> None:
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))
    parts = Table(
        "parts",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
        Column("rank", Integer),
    )
    part = type("OwnPart", (Part,), {})
    mapping.member(part, parts)
    mapping.aggregate(
        type("Own", (Thing,), {}), things, properties={"parts": children(part, order_by=parts.c.rank.desc())}
    )

    with pytest.raises(MappingRefused, match="may be NULL"):
        mapping.check()


def test_a_frozen_entity_and_a_value_object_that_is_not_frozen_are_refused() -> None:
    @dataclass(frozen=True)
    class Frozen:
        id: int

    @dataclass
    class Loose:
        x: int
        y: int

    mapping = Mapping()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("x", Integer, nullable=False),
        Column("y", Integer, nullable=False),
    )
    mapping.aggregate(Frozen, table, properties={"place": composite(Loose, table.c.x, table.c.y)})

    with pytest.raises(MappingRefused) as refused:
        mapping.check()

    assert len(refused.value.findings) == 2


def test_an_entity_with_slots_is_refused_when_it_is_mapped() -> None:
    class Slim:
        __slots__ = ("id",)

    mapping = Mapping()
    table = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))

    with pytest.raises(MappingRefused, match="slots"):
        mapping.aggregate(Slim, table)


def test_an_annotation_that_forgets_none_is_refused() -> None:
    @dataclass(eq=False)
    class Person:
        id: int
        nick: str

    mapping = Mapping()
    table = Table("people", mapping.metadata, Column("id", Integer, primary_key=True), Column("nick", String(9)))
    mapping.aggregate(Person, table)

    with pytest.raises(MappingRefused, match="annotated str"):
        mapping.check()


def test_a_reference_to_another_aggregate_by_object_is_refused() -> None:
    mapping = Mapping()
    things = Table("things", mapping.metadata, Column("id", Integer, primary_key=True))
    others = Table(
        "others",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("thing", ForeignKey("things.id"), nullable=False),
    )
    thing = type("Own", (Thing,), {})
    mapping.aggregate(thing, things)
    mapping.aggregate(type("Other", (Thing,), {}), others, properties={"it": relationship(thing)})

    with pytest.raises(MappingRefused, match="keep its key"):
        mapping.check()


def test_every_finding_is_reported_at_once_and_by_every_store() -> None:
    mapping = Mapping()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("code", CHAR(5)),
        Column("amount", Numeric()),
        Column("n", Integer, server_default=text("random()"), nullable=False),
    )
    mapping.aggregate(type("Own", (Thing,), {}), table)

    with pytest.raises(MappingRefused) as from_memory:
        MemoryStore(mapping)
    with pytest.raises(MappingRefused) as from_sql:
        SqlStore("sqlite://", mapping)

    assert len(from_memory.value.findings) == 3
    assert from_memory.value.findings == from_sql.value.findings
