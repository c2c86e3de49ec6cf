"""Random worlds: a mapping, its classes, and a unit of work with a repository for each aggregate.

A world is made of a seed and is the same for the same seed, so that `world(17)` in a regression test is all
that is needed to have it back. Together the worlds hold what the contract speaks of: every type of column,
nullable or not, with defaults and checks and unique constraints, every kind of key, references between
aggregates, children in and out of order, members joined to members, subclasses in the table of their base and in
one of their own, value objects, and versions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, make_dataclass
from enum import Enum
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Enum as EnumType,
    ForeignKeyConstraint,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Time,
    UniqueConstraint,
    Uuid,
    and_,
    func,
    not_,
    or_,
)
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import class_mapper, relationship
from sqlalchemy.types import TypeEngine

from honestwork.adapters.mapping import Mapping, children, value
from honestwork.domain.repository import Repository
from honestwork.service_layer.unit_of_work import UnitOfWork

__all__ = ["Colour", "Pair", "World", "world"]


class Colour(Enum):
    """What enum columns hold."""

    RED = "r"
    GREEN = "g"


@dataclass(frozen=True)
class Pair:
    """What value objects are."""

    number: int | None
    text: str | None


@dataclass(frozen=True)
class World:
    """A mapping and a class of units of work on it. Lives as long as anybody cares to keep it."""

    seed: int
    mapping: Mapping
    unit: type[UnitOfWork]

    def __repr__(self) -> str:
        return f"world({self.seed})"


@cache
def world(seed: int) -> World:
    """The world of this seed."""
    return _Maker(seed).world()


COMPARABLE: list[TypeEngine[Any]] = [
    Integer(),
    Integer(),
    String(3),
    String(8),
    SmallInteger(),
    BigInteger(),
    Numeric(6, 2),
    Date(),
    DateTime(timezone=True),
    Uuid(),
]
OTHERS: list[TypeEngine[Any]] = [
    String(),
    Boolean(),
    Double(),
    DateTime(),
    Time(),
    Interval(),
    EnumType(Colour, length=8, native_enum=False),
    JSON(),
    JSON(),
    LargeBinary(),
]
KIN: list[TypeEngine[Any]] = [Integer(), String(3)]
KEYS = ["generated", "int", "text", "pair", "uuid"]


class _Maker:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.more = random.Random(f"inheritance and links {seed}")
        self.mapping = Mapping()
        self.aggregates: list[tuple[type[Any], Table]] = []
        self.subclasses: list[type[Any]] = []  # those that have a repository of their own

    def world(self) -> World:
        for name in ("Alpha", "Beta", "Gamma")[: self.random.choice([1, 2, 2, 3])]:
            self.aggregate(name)
        served = [*(cls for cls, _ in self.aggregates), *self.subclasses]
        hints = {f"{cls.__name__.lower()}s": Repository[cls, Any] for cls in served}  # type: ignore[valid-type]
        unit = type("Unit", (UnitOfWork,), {"__annotations__": hints, "__module__": __name__})
        return World(self.seed, self.mapping, unit)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def aggregate(self, name: str) -> None:
        columns = [*self.key(), *self.columns()]
        constraints = self.constraints(columns)
        if self.aggregates and self.chance(0.7):
            self.refer(columns, constraints)
        version = Column("version", Integer, nullable=False) if self.chance(0.5) else None
        pair = self.pair() if self.chance(0.3) else []
        kinds = self.more.choice([*[[]] * 5, ["Kin"], ["Own"], ["Kin", "Own"]])
        kind = [Column("kind", String(8), nullable=False)] if kinds else []
        kin: list[Column[Any]] = [Column("kin", self.more.choice(KIN), nullable=True)] if "Kin" in kinds else []
        table = Table(
            f"{name.lower()}_{self.seed}",
            self.mapping.metadata,
            *columns,
            *pair,
            *kind,
            *kin,
            *([version] if version is not None else []),
            *constraints,
        )
        properties: dict[str, Any] = {"pair": value(Pair, *pair)} if pair else {}
        if pair:
            properties |= {f"_{column.name}": column for column in pair}
        if self.chance(0.6):
            properties["parts"] = self.children(f"{name}Part", table, deeper=self.chance(0.3))
        if self.more.random() < 0.25:
            properties |= self.links(name, table, properties)
        cls = self.class_of(name, table)
        options: dict[str, Any] = {"polymorphic_on": kind[0], "polymorphic_identity": "base"} if kinds else {}
        if kin:
            options["exclude_properties"] = ["kin"]
        self.mapping.aggregate(cls, table, version=version, properties=properties, **options)
        self.aggregates.append((cls, table))
        for each in kinds:
            self.subclass(f"{name}{each}", cls, table)

    def subclass(self, name: str, base: type[Any], table: Table) -> None:
        """A kind of aggregate: in the table of its base with a column more, or with a table of its own."""
        cls = type(name, (base,), {"__module__": __name__})
        options: dict[str, Any] = {"inherits": base, "polymorphic_identity": name.lower()[-3:]}
        if name.endswith("Kin"):
            self.mapping.aggregate(cls, properties={"kin": table.c.kin}, **options)
        else:
            key = [
                Column(column.name, column.type, primary_key=True, autoincrement=False) for column in table.primary_key
            ]
            extra = [self.column(letter) for letter in "xy"[: self.more.randint(1, 2)]]
            reference = ForeignKeyConstraint([each.name for each in key], list(table.primary_key))
            own = Table(f"{name.lower()}_{self.seed}", self.mapping.metadata, *key, *extra, reference)
            self.mapping.aggregate(cls, own, **options)
        if self.more.random() < 0.5:
            self.subclasses.append(cls)

    def links(self, name: str, table: Table, properties: dict[str, Any]) -> dict[str, Any]:
        """Tags inside of the aggregate, and a collection of some of them: of the root, or of each of its parts."""
        tags = self.children(f"{name}Tag", table, deeper=False)
        tag = tags.argument
        parts = properties.get("parts")
        holder = self.mapping.metadata.tables[f"{name.lower()}part_{self.seed}"] if parts is not None else table
        target = self.mapping.metadata.tables[f"{name.lower()}tag_{self.seed}"]
        joining: list[Any] = []
        for prefix, side in (("holder", holder), ("tag", target)):
            ends = [
                Column(f"{prefix}_{column.name}", column.type, primary_key=True, autoincrement=False)
                for column in side.primary_key
            ]
            joining += [*ends, ForeignKeyConstraint([each.name for each in ends], list(side.primary_key))]
        link = Table(f"{name.lower()}link_{self.seed}", self.mapping.metadata, *joining)
        marks = relationship(tag, secondary=link, lazy="selectin", order_by=list(target.primary_key))
        if parts is None:
            return {"tags": tags, "marks": marks}
        class_mapper(parts.argument, configure=False).add_property("marks", marks)
        return {"tags": tags}

    def children(self, name: str, parent: Table, *, deeper: bool) -> Any:
        key, reference = self.member_key(parent)
        columns = [*key, *self.columns()]
        order = self.random.choice(["none", "none", "list", "column", "descending"])
        if order == "list":
            columns.append(Column("position", Integer, nullable=False))
        elif order != "none":
            columns.append(Column("rank", Integer, nullable=False))
        table = Table(
            f"{name.lower()}_{self.seed}",
            self.mapping.metadata,
            *columns,
            reference,
            *self.constraints([column for column in columns if column.name not in reference.column_keys]),
        )
        properties = {"bits": self.children(f"{name}Bit", table, deeper=False)} if deeper else {}
        cls = self.class_of(name, table)
        self.mapping.member(cls, table, properties=properties)
        match order:
            case "list":
                return children(cls, order_by=table.c.position, collection=ordering_list("position"))
            case "column":
                return children(cls, order_by=table.c.rank)
            case "descending":
                return children(cls, order_by=table.c.rank.desc())
        return children(cls)

    def member_key(self, parent: Table) -> tuple[list[Column[Any]], ForeignKeyConstraint]:
        """The key of a child, and its reference to the parent: two columns or more, often one inside of the other."""
        inside = self.chance(0.25)
        refers = [
            Column(f"owner_{column.name}", column.type, nullable=False, primary_key=inside, autoincrement=False)
            for column in parent.primary_key
        ]
        own = [Column("line", Integer, primary_key=True, autoincrement=False)] if inside else self.key()
        reference = ForeignKeyConstraint([each.name for each in refers], list(parent.primary_key))
        return [*own, *refers], reference

    def key(self) -> list[Column[Any]]:
        match self.random.choice(KEYS):
            case "generated":
                return [Column("id", Integer, primary_key=True)]
            case "int":
                return [Column("id", Integer, primary_key=True, autoincrement=False)]
            case "text":
                return [Column("id", String(4), primary_key=True)]
            case "uuid":
                return [Column("id", Uuid(), primary_key=True)]
        return [
            Column("code", String(3), primary_key=True),
            Column("number", Integer, primary_key=True, autoincrement=False),
        ]

    def columns(self) -> list[Column[Any]]:
        return [self.column(name) for name in "abcd"[: self.random.randint(1, 4)]]

    def column(self, name: str) -> Column[Any]:
        comparable = self.chance(0.6)
        kind = self.random.choice(COMPARABLE if comparable else OTHERS)
        nullable = self.chance(0.5)
        options: dict[str, Any] = {}
        if not nullable and isinstance(kind, Integer) and self.chance(0.5):
            options = self.random.choice(
                [{"default": 7}, {"default": 7, "onupdate": 9}, {"server_default": "8"}, {"onupdate": 9}]
            )
        elif not nullable and type(kind) is String and kind.length and self.chance(0.3):
            options = self.random.choice([{"default": "d"}, {"server_default": "s"}])
        elif not nullable and isinstance(kind, Boolean) and self.chance(0.5):
            options = {"default": False}
        return Column(name, kind, nullable=nullable, unique=comparable and self.chance(0.3), **options)

    def constraints(self, columns: list[Column[Any]]) -> list[Any]:
        plain = [column for column in columns if isinstance(column.type, Integer | String) and _is_short(column)]
        found: list[Any] = []
        if len(plain) > 1 and self.chance(0.4):
            found.append(UniqueConstraint(*[column.name for column in self.random.sample(plain, 2)]))
        numbers = [column for column in plain if isinstance(column.type, Integer) and not column.primary_key]
        texts = [column for column in plain if isinstance(column.type, String) and not column.primary_key]
        if numbers and self.chance(0.5):
            found.append(CheckConstraint(self.condition(numbers), name="numbers"))
        if texts and self.chance(0.3):
            found.append(CheckConstraint(self.random.choice([_short, _not_b])(texts[0]), name="texts"))
        return found

    def condition(self, numbers: list[Column[Any]]) -> ColumnElement[bool]:
        one, other = self.random.choice(numbers), self.random.choice(numbers)
        return self.random.choice(
            [
                one >= 0,
                one.between(0, 9),
                or_(one.is_(None), one != 2),
                and_(one > -5, not_(other == 3)),
                one.in_([0, 1, 2, 7, 8, 9]),
                or_(one <= other, other < 2),
            ]
        )

    def refer(self, columns: list[Column[Any]], constraints: list[Any]) -> None:
        """Let an aggregate refer to another one, by its key."""
        _, target = self.random.choice(self.aggregates)
        nullable = self.chance(0.5)
        own = [
            Column(f"{target.name.split('_')[0]}_{column.name}", column.type, nullable=nullable)
            for column in target.primary_key
        ]
        columns += own
        constraints.append(ForeignKeyConstraint([each.name for each in own], list(target.primary_key)))

    def pair(self) -> list[Column[Any]]:
        nullable = self.chance(0.5)
        return [Column("pair_number", Integer, nullable=nullable), Column("pair_text", String(3), nullable=nullable)]

    def class_of(self, name: str, table: Table) -> type[Any]:
        if self.chance(0.5):
            return type(name, (), {"__module__": __name__})
        fields = [
            (column.name, column.type.python_type | None if column.nullable else column.type.python_type)
            for column in table.columns
            if not column.name.startswith("pair_")
        ]
        return make_dataclass(name, fields, eq=self.chance(0.3), namespace={"__module__": __name__})


def _is_short(column: Column[Any]) -> bool:
    return not isinstance(column.type, EnumType) and (not isinstance(column.type, String) or bool(column.type.length))


def _short(text: Column[Any]) -> ColumnElement[bool]:
    return func.length(text) <= 2


def _not_b(text: Column[Any]) -> ColumnElement[bool]:
    return text != "b"
