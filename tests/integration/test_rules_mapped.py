"""Rules on mapped classes of every shape: aliases, inheritance, trees, grandchildren, private attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, composite, registry, relationship

from honestwork.adapters.sql import rules as sql
from honestwork.domain import desc
from honestwork.rules import Scalar, Value, after, trace, trace_columns, trace_order

shapes = registry()


@dataclass(eq=False)
class Part:
    id: int
    weight: int


@dataclass(eq=False)
class Folder:
    """A tree, with parts in each node, of two kinds."""

    id: int
    name: str
    folders: list[Folder] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


@dataclass(eq=False)
class Archive(Folder):
    shelf: str | None = None


class Span:
    """A value object that is no dataclass."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __composite_values__(self) -> tuple[int, int]:
        return self.low, self.high


class Account:
    """A class that annotates nothing, with its state behind properties."""

    def __init__(self, id: int, owner: str, span: Span) -> None:
        self._id, self._owner, self.span = id, owner, span

    @property
    def owner(self) -> str:
        return self._owner


folders = sa.Table(
    "folders",
    shapes.metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.ForeignKey("folders.id")),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("name", sa.String(10), nullable=False),
    sa.Column("shelf", sa.String(10)),
)
parts = sa.Table(
    "parts",
    shapes.metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("folder_id", sa.ForeignKey("folders.id")),
    sa.Column("weight", sa.Integer, nullable=False),
)
accounts = sa.Table(
    "accounts",
    shapes.metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner_name", sa.String(10), nullable=False),
    sa.Column("low", sa.Integer, nullable=False),
    sa.Column("high", sa.Integer, nullable=False),
)
shapes.map_imperatively(Part, parts)
shapes.map_imperatively(
    Folder,
    folders,
    polymorphic_on=folders.c.kind,
    polymorphic_identity="folder",
    properties={"folders": relationship(Folder, cascade="all, delete-orphan"), "parts": relationship(Part)},
)
shapes.map_imperatively(Archive, inherits=Folder, polymorphic_identity="archive")
shapes.map_imperatively(
    Account,
    accounts,
    properties={
        "_id": accounts.c.id,
        "_owner": accounts.c.owner_name,
        "_low": accounts.c.low,
        "_high": accounts.c.high,
        "span": composite(Span, "_low", "_high"),
    },
)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://")
    shapes.metadata.create_all(engine)
    with Session(engine) as session:
        leaf = Folder(3, "leaf", parts=[Part(1, 5)])
        session.add(Folder(1, "root", folders=[Folder(2, "branch", folders=[leaf]), Archive(4, "old", shelf="A")]))
        session.add(Archive(5, "alone", parts=[Part(2, 1), Part(3, 7)]))
        session.add_all([Account(1, "Jo", Span(1, 5)), Account(2, "Al", Span(2, 3))])
        session.flush()
        yield session
    engine.dispose()


def found(session: Session, rule: Callable[[Any], bool], cls: type, entity: Any = None) -> list[int]:
    entity = entity or cls
    statement = sa.select(entity).where(sql.where(trace(rule, cls), entity))
    return sorted(each.id for each in session.scalars(statement))


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (lambda f: f.name == "leaf", [3]),
        (lambda f: any(x.name == "leaf" for x in f.folders), [2]),
        (lambda f: any(any(y.name == "leaf" for y in x.folders) for x in f.folders), [1]),
        (lambda f: any(any(y.weight > 4 for y in x.parts) for x in f.folders), [2]),
        (lambda f: any(x.name > f.name for x in f.folders), [2]),
        (lambda f: len(f.folders) == 2, [1]),
        (lambda f: sum(x.weight for x in f.parts) == 8, [5]),
        (lambda f: any(sum(y.weight for y in x.parts) == 5 for x in f.folders), [2]),
        (lambda f: not f.folders and not f.parts, [4]),
        (lambda f: any(x.weight > 4 for x in f.parts) or any(x.name == "old" for x in f.folders), [1, 3, 5]),
    ],
)
def test_trees_and_grandchildren(rule: Callable[[Folder], bool], ids: list[int], session: Session) -> None:
    assert found(session, rule, Folder) == ids
    assert found(session, rule, Folder, aliased(Folder)) == ids


def test_a_rule_on_a_subclass_finds_that_subclass_alone(session: Session) -> None:
    assert found(session, lambda a: a.id > 1, Archive) == [4, 5]
    assert found(session, lambda a: a.shelf is None or a.shelf == "B", Archive) == [5]
    assert found(session, lambda f: f.id > 1, Folder) == [2, 3, 4, 5]
    assert found(session, lambda a: all(x.name != a.name for x in a.folders), Archive) == [4, 5]


def test_a_collection_of_a_subclass_keeps_to_its_kind(session: Session) -> None:
    rule = trace(lambda f: len(f.folders) == 1, Folder)

    assert list(session.scalars(sa.select(folders.c.id).where(sql.where(rule, Folder)))) == [2]


def facts(cls: type) -> dict[str, Any]:
    """What a store knows from its mapping."""
    assert cls is Account
    span = Value(Span, {"low": Scalar(int), "high": Scalar(int)})
    return {"_id": Scalar(int), "_owner": Scalar(str), "span": span}


def test_private_attributes_are_reached_through_properties(session: Session) -> None:
    rule = trace(lambda a: a.owner == "Jo", Account, facts=facts)
    keys = trace_order(lambda a: desc(a.owner), Account, key=["_id"], facts=facts)
    names = trace_columns(lambda a: a.owner, Account, facts=facts)

    matching = session.scalars(sa.select(Account).where(sql.where(rule, Account)))
    ordered = session.scalars(sa.select(Account).order_by(*sql.order_by(keys, Account)))
    following = session.scalars(sa.select(Account).where(sql.where(after(keys, ["Jo", 1]), Account)))
    columns = session.execute(sa.select(*[sql.column(each, Account) for each in names.expressions]))

    assert [each.owner for each in matching] == ["Jo"]
    assert [each.owner for each in ordered] == ["Jo", "Al"]
    assert [each.owner for each in following] == ["Al"]
    assert sorted(map(names.build, columns)) == ["Al", "Jo"]


def test_a_value_object_that_is_no_dataclass(session: Session) -> None:
    rule = trace(lambda a: a.span.high - a.span.low > 2, Account, facts=facts)

    assert [each.owner for each in session.scalars(sa.select(Account).where(sql.where(rule, Account)))] == ["Jo"]


def test_constants_are_parameters_so_that_a_statement_is_compiled_once(session: Session) -> None:
    engine = session.get_bind()
    assert isinstance(engine, sa.Engine)
    cache = engine._compiled_cache
    assert cache is not None

    def ask(name: str, ids: list[int]) -> None:
        rule = trace(
            lambda f: f.name.startswith(name) and f.id in ids and any(x.weight > len(ids) for x in f.parts), Folder
        )
        session.execute(sa.select(folders.c.id).where(sql.where(rule, Folder)))

    ask("a", [1, 2])
    before = len(cache)
    for n in range(2, 30):
        ask("ab" * n, list(range(n)))

    assert len(cache) == before
