"""A program that prints all that is reported, generated and written of two mappings: one is healthy, one is not.

Before that it allocates objects of sizes that depend on its argument, so that sets hashed by address come in another
order each time.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

chance = random.Random(sys.argv[1])
garbage: list[Any] = []


def stir() -> None:
    """Leave holes of many sizes in the heap."""
    made = [[bytearray(chance.randrange(1, 2000)), {}, object(), [None] * chance.randrange(60)] for _ in range(3000)]
    garbage.extend(chance.sample(made, chance.randrange(500, 2500)))


stir()

from sqlalchemy import (  # noqa: E402
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite  # noqa: E402
from sqlalchemy.orm import relationship  # noqa: E402
from sqlalchemy.schema import CreateIndex, CreateTable  # noqa: E402

from honestwork.adapters import Mapping, MemoryStore, children, value  # noqa: E402
from honestwork.domain import MappingRefused  # noqa: E402

NUMBERS = range(8)


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(eq=False)
class Tag:
    id: int = field(init=False)


def healthy() -> Mapping:
    mapping = Mapping()
    before: Table | None = None
    for number in NUMBERS:
        stir()
        name = f"t{(number * 3) % 8}"
        table = Table(
            name,
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            *(Column(f"c{each}", Integer, nullable=False, index=each % 2 == 0) for each in NUMBERS),
            *(Column(f"x{each}", String(20), nullable=False, unique=each % 2 == 0) for each in NUMBERS),
            *(CheckConstraint(f"c{each} > {each}", name=f"ck_{name}_{9 - each}") for each in range(5)),
            *(UniqueConstraint(f"c{each}", f"c{each + 1}") for each in NUMBERS[:-1]),
            Column("kind", Enum("a", "b", name=f"kind_{name}"), nullable=False),
            Column("amount", Numeric(10, 2), nullable=False),
            Column("currency", String(3), nullable=False),
        )
        for each in range(5):
            mapping.check_twin(f"ck_{name}_{9 - each}", lambda row: True)
            Index(f"ix_{name}_{9 - each}", table.c.x1, unique=each % 2 == 0)
        if before is not None:
            for each in range(5):
                table.append_column(Column(f"r{each}", ForeignKey(before.c.id)))
            table.append_constraint(ForeignKeyConstraint(["c3"], [before.c.id]))
            table.append_constraint(ForeignKeyConstraint(["c3"], [before.c.id], name=f"fk_{name}_again"))
        line = Table(
            f"lines_{name}",
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            Column("owner", ForeignKey(table.c.id), nullable=False),
        )
        tags = Table(f"tags_{name}", mapping.metadata, Column("id", Integer, primary_key=True))
        joining = Table(
            f"joining_{name}",
            mapping.metadata,
            Column("t", ForeignKey(table.c.id), primary_key=True),
            Column("tag", ForeignKey(tags.c.id), primary_key=True),
        )
        member, tag = type("Line", (), {}), type("Tag", (Tag,), {})
        mapping.member(member, line)
        mapping.member(tag, tags)
        properties = {
            "price": value(Money, table.c.amount, table.c.currency),
            "lines": children(member),
            "tags": relationship(tag, secondary=joining, lazy="selectin"),
        }
        mapping.aggregate(type("Thing", (), {}), table, properties=properties)
        before = table
    return mapping


def ill() -> Mapping:
    mapping = Mapping()
    for number in NUMBERS:
        stir()
        mapping.violation(f"nothing_{(number * 3) % 8}", type(f"Error{number}", (Exception,), {}))
        mapping.check_twin(f"nothing_{(number * 5) % 8}", lambda row: True)
    for number in NUMBERS:
        stir()
        name = f"t{(number * 3) % 8}"
        table = Table(
            name,
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            *(Column(f"c{each}", String(5000), nullable=True) for each in NUMBERS),
            *(UniqueConstraint(f"c{each}", name="one_name") for each in NUMBERS),
            *(CheckConstraint(f"c{each} > 'a'", name="one_name") for each in NUMBERS),
        )
        for each in NUMBERS:
            Index(f"one_name_{each % 3}", table.c[f"c{7 - each}"], unique=True)
            table.append_constraint(ForeignKeyConstraint(["c1"], [table.c.id], name=f"fk_{name}_{7 - each}"))
        members = Table(
            f"members_{name}",
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            *(Column(f"owner_{each}", ForeignKey(table.c.id)) for each in NUMBERS),
        )
        member = type("Member", (), {})
        mapping.member(member, members, properties={"owner_1": members.c.owner_2, "owner_2": members.c.owner_1})
        owning: dict[str, Any] = {
            f"members_{each}": relationship(member, foreign_keys=members.c[f"owner_{7 - each}"]) for each in NUMBERS
        }
        swapped = {"c1": table.c.c2, "c2": table.c.c1}
        mapping.aggregate(type("Thing", (), {}), table, properties=owning | swapped)
    return mapping


def plan(mapping: Mapping) -> None:
    schema = mapping.schema
    print(list(schema.tables), schema.order, [each.class_.__name__ for each in schema.classes_in_order])
    for table in schema.tables.values():
        constraints: list[Any] = [*table.uniques, *table.references, *table.checks]
        print(table.name, [(each.name, each.columns) for each in constraints])
        print([(each.table, each.columns, each.name) for each in table.referrers])
    for entity in schema.entities.values():
        print(entity.name, entity.table.name, entity.searchable, [each.attribute for each in entity.relations])
        functions: list[Any] = [
            *entity.changers.values(),
            entity.guard_new,
            entity.fill,
            entity.hydrate,
            entity.hydrate_apart,
        ]
        for function in functions:
            print(function.__source__)


try:
    ill().check()
except MappingRefused as refused:
    print(refused)
mapping = healthy()
plan(mapping)
print(MemoryStore(mapping).fidelity())
makers: list[Any] = [sqlite.dialect, postgresql.dialect, mysql.dialect]
for dialect in [make() for make in makers]:
    for table in mapping.metadata.sorted_tables:
        elements: list[Any] = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
        for element in elements:
            print(element.compile(dialect=dialect))
