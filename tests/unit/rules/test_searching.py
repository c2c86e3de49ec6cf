"""How rows are found in memory: an index is asked for what it knows, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table

from honestwork.adapters import Mapping, MemoryStore
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork


@dataclass(eq=False)
class Animal:
    code: str
    kind: str = field(default="animal", init=False)
    id: int = field(init=False)


@dataclass(eq=False)
class Dog(Animal):
    collar: str
    kind: str = field(default="dog", init=False)


mapping = Mapping()
animals = Table(
    "animals",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("code", String(10), nullable=False, unique=True),
)
dogs = Table(
    "dogs",
    mapping.metadata,
    Column("id", ForeignKey("animals.id"), primary_key=True),
    Column("code", String(10), nullable=False),  # of the collar: named as the base's column is, and not unique
)
mapping.aggregate(Animal, animals, polymorphic_on=animals.c.kind, polymorphic_identity="animal")
mapping.aggregate(
    Dog,
    dogs,
    inherits=Animal,
    polymorphic_identity="dog",
    properties={"code": animals.c.code, "collar": dogs.c.code},
)


class Zoo(UnitOfWork):
    animals: Repository[Animal, int]
    dogs: Repository[Dog, int]


@pytest.fixture
def uow() -> Zoo:
    uow = Zoo(MemoryStore(mapping))
    with uow:
        for animal in (Animal("a"), Dog("b", "red"), Dog("c", "red"), Dog("red", "blue")):
            uow.animals.add(animal)
        uow.commit()
    return uow


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (lambda dog: dog.collar == "red", ["b", "c"]),
        (lambda dog: dog.code == "red", ["red"]),
        (lambda dog: dog.code in ("b", "red") and dog.collar == "red", ["b"]),
        (lambda dog: dog.id in (2, 3, 99), ["b", "c"]),
        (lambda dog: dog.code == "a", []),
        (lambda dog: dog.code == "b" or dog.collar == "blue", ["b", "red"]),
    ],
)
def test_an_index_answers_for_its_own_column_alone(uow: Zoo, rule: Callable[[Dog], bool], expected: list[str]) -> None:
    with uow:
        found = uow.dogs.find(rule)

        assert [dog.code for dog in found] == expected
        assert uow.dogs.count(rule) == len(expected)
