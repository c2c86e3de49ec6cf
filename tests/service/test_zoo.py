"""Inheritance, many-to-many members, ways back to the owner, and violations in the domain's words, on every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import JSON, Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table
from sqlalchemy.orm import relationship

from honestwork.adapters import Mapping, children, owner
from honestwork.domain import Duplicate, ForeignObject, MissingValue, Repository, desc
from honestwork.service_layer import Store, UnitOfWork


class Plain:
    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Each has what its table has."""

        def __setattr__(self, name: str, value: Any) -> None: ...


class NameTaken(Exception):
    pass


class Animal(Plain): ...


class Dog(Animal): ...


class Cat(Animal): ...


class Project(Plain): ...


class Task(Plain): ...


class Label(Plain): ...


mapping = Mapping()
animals = Table(
    "animals",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(20), nullable=False, unique=True),
    Column("lives", Integer),
    Column("notes", JSON),
    Column("version", Integer, nullable=False),
)
dogs = Table(
    "dogs",
    mapping.metadata,
    Column("id", ForeignKey(animals.c.id), primary_key=True),
    Column("bark", String(10), nullable=False),
)
mapping.aggregate(
    Animal, animals, version=animals.c.version, polymorphic_on=animals.c.kind, polymorphic_identity="animal"
)
mapping.aggregate(Cat, inherits=Animal, polymorphic_identity="cat")  # in the table of its base
mapping.aggregate(Dog, dogs, inherits=Animal, polymorphic_identity="dog")  # with a table of its own
mapping.violation("uq_animals_name", NameTaken)

projects = Table(
    "projects",
    mapping.metadata,
    Column("id", String(5), primary_key=True),
    Column("version", Integer, nullable=False),
)
tasks = Table(
    "tasks",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey(projects.c.id), nullable=False),
    Column("title", String(20), nullable=False),
)
labels = Table(
    "labels",
    mapping.metadata,
    Column("project_id", ForeignKey(projects.c.id), primary_key=True),
    Column("name", String(9), primary_key=True),
)
task_labels = Table(
    "task_labels",
    mapping.metadata,
    Column("task_id", ForeignKey(tasks.c.id), primary_key=True),
    Column("project_id", String(5), primary_key=True),
    Column("name", String(9), primary_key=True),
    ForeignKeyConstraint(["project_id", "name"], [labels.c.project_id, labels.c.name]),
)
mapping.member(Label, labels)
mapping.member(
    Task,
    tasks,
    properties={
        "labels": relationship(Label, secondary=task_labels, lazy="selectin", order_by=labels.c.name),
        "project": owner(Project, "tasks"),
    },
)
mapping.aggregate(
    Project,
    projects,
    version=projects.c.version,
    properties={"tasks": children(Task, back_populates="project"), "labels": children(Label)},
)


class Zoo(UnitOfWork):
    animals: Repository[Animal, int]
    cats: Repository[Cat, int]
    dogs: Repository[Dog, int]
    projects: Repository[Project, str]


@pytest.fixture
def uow(make_store: Callable[..., Store]) -> Zoo:
    """A zoo with a dog, a cat and something else, and a project with two tasks."""
    uow = Zoo(make_store(mapping))
    red, blue = Label(name="red"), Label(name="blue")
    with uow:
        uow.dogs.add(Dog(name="Rex", bark="wuff", notes={"fleas": [1]}))
        uow.animals.add(Cat(name="Tom", lives=9))
        uow.animals.add(Animal(name="It"))
        uow.projects.add(
            Project(
                id="p",
                labels=[red, blue],
                tasks=[Task(title="dig", labels=[red, blue]), Task(title="fill", labels=[red])],
            )
        )
        uow.commit()
    return uow


def test_each_comes_back_as_what_it_is(uow: Zoo) -> None:
    with uow:
        rex, tom, it = uow.animals

    assert [type(each) for each in (rex, tom, it)] == [Dog, Cat, Animal]
    assert (rex.bark, rex.lives, tom.lives, it.name) == ("wuff", None, 9, "It")


def test_a_repository_of_a_subclass_holds_that_subclass_alone(uow: Zoo) -> None:
    with uow:
        assert [dog.name for dog in uow.dogs] == ["Rex"]
        assert uow.cats.get(1) is None
        assert uow.cats.count() == 1
        assert uow.dogs[1] is uow.animals[1]


def test_a_change_of_either_table_raises_the_version(uow: Zoo) -> None:
    with uow:
        uow.dogs[1].bark = "wau"
        uow.commit()
        uow.animals[1].notes["fleas"].append(2)
        uow.commit()

    with uow:
        rex = uow.dogs[1]
        assert (rex.bark, rex.notes, rex.version) == ("wau", {"fleas": [1, 2]}, 3)


def test_both_rows_of_an_animal_are_removed(uow: Zoo) -> None:
    with uow:
        uow.animals.remove(uow.animals[1])
        uow.commit()

    with uow:
        assert (uow.dogs.count(), uow.animals.count()) == (0, 2)


def test_a_constraint_of_either_table_is_enforced(uow: Zoo) -> None:
    with uow, pytest.raises(MissingValue) as missing:
        uow.dogs.add(Dog(name="Mute"))
        uow.commit()

    assert (missing.value.table, missing.value.columns) == ("dogs", ("bark",))


def test_a_named_constraint_speaks_the_language_of_the_domain(uow: Zoo) -> None:
    with uow, pytest.raises(NameTaken) as taken:
        uow.cats.add(Cat(name="Rex"))
        uow.commit()

    cause = taken.value.__cause__
    assert isinstance(cause, Duplicate)
    assert (cause.table, cause.columns, cause.constraint) == ("animals", ("name",), "uq_animals_name")


def test_rules_ask_about_subclasses_and_their_own_columns(uow: Zoo) -> None:
    with uow:
        assert [dog.name for dog in uow.dogs.find(lambda dog: dog.bark.startswith("w") and dog.name < "S")] == ["Rex"]
        assert uow.animals.select(lambda each: each.name, order_by=lambda each: desc(each.name)) == ["Tom", "Rex", "It"]
        assert uow.cats.exists(lambda cat: cat.lives is not None and cat.lives > 8)


def test_members_may_be_joined_to_members(uow: Zoo) -> None:
    with uow:
        project = uow.projects["p"]

        assert [[label.name for label in task.labels] for task in project.tasks] == [["blue", "red"], ["red"]]
        assert project.tasks[0].labels[1] in project.labels
        assert project.tasks[0].labels[1] is project.tasks[1].labels[0]


def test_a_link_comes_and_goes_and_raises_the_version(uow: Zoo) -> None:
    with uow:
        project = uow.projects["p"]
        dig, fill = project.tasks
        fill.labels.append(dig.labels.pop(0))
        uow.commit()

    with uow:
        project = uow.projects["p"]
        assert [[label.name for label in task.labels] for task in project.tasks] == [["red"], ["blue", "red"]]
        assert project.version == 2


def test_links_go_with_their_ends(uow: Zoo) -> None:
    with uow:
        project = uow.projects["p"]
        project.tasks.pop(0)
        uow.commit()

    with uow:
        assert [task.title for task in uow.projects["p"].tasks] == ["fill"]

        uow.projects.remove(uow.projects["p"])
        uow.commit()

    with uow:
        assert uow.projects.count() == 0


def test_a_member_knows_its_owner_also_after_the_unit(uow: Zoo) -> None:
    with uow:
        project = uow.projects["p"]

    assert all(task.project is project for task in project.tasks)


def test_a_new_member_knows_its_owner_from_the_start(uow: Zoo) -> None:
    with uow:
        project = uow.projects["p"]
        task = Task(title="rest")
        project.tasks.append(task)

        assert task.project is project

        uow.commit()

    with uow:
        assert [each.title for each in uow.projects["p"].tasks] == ["dig", "fill", "rest"]


def test_a_member_of_another_unit_is_refused_where_it_is_put_in(uow: Zoo) -> None:
    with uow:
        stolen = uow.projects["p"].tasks[0]

    with uow, pytest.raises(ForeignObject):
        uow.projects["p"].tasks.append(stolen)


def test_links_and_subclasses_go_back_with_a_savepoint(uow: Zoo) -> None:
    with uow:
        project, rex = uow.projects["p"], uow.dogs[1]
        with pytest.raises(KeyError), uow.nested():
            project.tasks[0].labels.clear()
            rex.bark = "wau"
            uow.flush()
            raise KeyError

        assert [label.name for label in project.tasks[0].labels] == ["blue", "red"]
        assert rex.bark == "wuff"


def test_a_new_object_may_have_the_key_of_a_removed_one_of_another_subclass(make_store: Callable[..., Store]) -> None:
    vehicles = Mapping()
    table = Table(
        "vehicles",
        vehicles.metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(10), nullable=False),
    )
    vehicle = type("Vehicle", (Plain,), {})
    car, bike = type("Car", (vehicle,), {}), type("Bike", (vehicle,), {})
    vehicles.aggregate(vehicle, table, polymorphic_on=table.c.kind, polymorphic_identity="vehicle")
    vehicles.aggregate(car, inherits=vehicle, polymorphic_identity="car")
    vehicles.aggregate(bike, inherits=vehicle, polymorphic_identity="bike")
    hints = {"vehicles": Repository[vehicle, int], "bikes": Repository[bike, int]}  # type: ignore[valid-type]
    garage: Any = type("Garage", (UnitOfWork,), {"__annotations__": hints})(make_store(vehicles))
    with garage:
        garage.vehicles.add_many([car(id=1), car(id=2)])
        garage.commit()

    with garage:
        garage.vehicles.remove(garage.vehicles[1])
        garage.vehicles.add(car(id=2))
        with pytest.raises(Duplicate):  # it is flushed that the old one goes before the new one comes
            garage.bikes.add(bike(id=1))

    with garage:
        garage.vehicles.remove(garage.vehicles[1])
        garage.bikes.add(bike(id=1))
        garage.commit()

    with garage:
        assert type(garage.vehicles[1]) is bike
