"""What every repository has to do, as tests that users inherit for their own aggregates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, Generic, TypeVar

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.interfaces import MANYTOONE

from ..domain.errors import AlreadyRemoved, ForeignObject, NotFound, NotInUnit, UnitClosed
from ..domain.repository import Repository
from ..service_layer.store import Store
from ..service_layer.unit_of_work import UnitOfWork

__all__ = ["RepositoryContract"]

A = TypeVar("A")
K = TypeVar("K")


class RepositoryContract(ABC, Generic[A, K]):
    """A dozen tests of one repository, on whatever store the fixture `store` gives:

        class TestUsers(RepositoryContract[User, int]):
            unit, repository = Directory, "users"

            @pytest.fixture(params=["memory", "sqlite"])
            def store(self, request, tmp_path):
                if request.param == "memory":
                    return MemoryStore(mapping)
                store = SqlStore(f"sqlite:///{tmp_path}/test.db", mapping, durability="process")
                store.create_tables()
                return store

            def new(self, number):
                return User(f"user {number}", 30)

            def change(self, user):
                user.age += 1

            def key(self, user):
                return user.id

    A hand-written repository is tested by a `unit` whose constructor puts it in the place of the store's.

    `new` is called with 0, 1 and 2, and gives aggregates that can be stored beside each other; `change` changes
    one so that it can be seen by `state`, which is compared with `==`. By default that is whatever is mapped, down
    to the members of the aggregate; of a class that is not mapped, all public attributes.
    """

    unit: type[UnitOfWork]
    repository: str

    @abstractmethod
    def new(self, number: int) -> A:
        """A new aggregate, different for each number."""

    @abstractmethod
    def change(self, aggregate: A) -> None:
        """Change it, in a way that can be stored."""

    @abstractmethod
    def key(self, aggregate: A) -> K:
        """Its key, when it has been stored."""

    def state(self, aggregate: A) -> Any:
        """What is compared: numbers, text and the like, by attribute, with the members and theirs."""
        return _state(aggregate)

    @pytest.fixture
    def uow(self, store: Store) -> UnitOfWork:
        """A unit of work on the store."""
        return self.unit(store)

    def of(self, uow: UnitOfWork) -> Repository[A, K]:
        """The repository that is tested."""
        found: Repository[A, K] = getattr(uow, self.repository)
        return found

    def stored(self, uow: UnitOfWork, number: int = 0) -> K:
        """The key of a new aggregate that has been committed."""
        with uow:
            aggregate = self.new(number)
            self.of(uow).add(aggregate)
            uow.commit()
            return self.key(aggregate)

    def test_there_is_something_to_test(self, uow: UnitOfWork) -> None:
        with uow:
            beside = [self.new(number) for number in range(3)]
            for each in beside:
                self.of(uow).add(each)
            uow.commit()
            keys = [self.key(each) for each in beside]
            before = self.state(beside[0])
            self.change(beside[0])
            uow.commit()
            after = self.state(beside[0])

        assert len(set(keys)) == 3, f"new(0), new(1) and new(2) have the keys {keys}: they are not three"
        assert before != after, f"change() changes nothing that state() shows, which is {after}"

    def test_what_is_committed_is_loaded(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)

        with uow:
            loaded = self.of(uow)[key]
            assert self.key(loaded) == key
            assert key in self.of(uow)
            assert [self.key(each) for each in self.of(uow)] == [key]

    def test_what_is_not_committed_is_lost(self, uow: UnitOfWork) -> None:
        with uow:
            self.of(uow).add(self.new(0))

        with uow:
            assert len(self.of(uow)) == 0

    def test_a_unit_sees_its_own_changes(self, uow: UnitOfWork) -> None:
        with uow:
            added = self.new(0)
            self.of(uow).add(added)
            assert self.of(uow).all() == [added]
            assert self.of(uow).get(self.key(added)) is added

    def test_a_missing_one_is_none_or_not_found(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)

        with uow:
            self.of(uow).remove(self.of(uow)[key])
            assert self.of(uow).get(key) is None
            assert key not in self.of(uow)
            with pytest.raises(NotFound):
                self.of(uow)[key]

    def test_an_aggregate_is_the_same_object_each_time(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)

        with uow:
            assert self.of(uow)[key] is self.of(uow)[key]
            assert self.of(uow).all()[0] is self.of(uow)[key]

    def test_a_change_is_stored(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)

        with uow:
            changed = self.of(uow)[key]
            self.change(changed)
            uow.commit()
            expected = self.state(changed)

        with uow:
            loaded = self.state(self.of(uow)[key])
            assert loaded == expected

    def test_a_rollback_takes_a_change_back(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)
        with uow:
            before = self.state(self.of(uow)[key])

        with uow:
            self.change(self.of(uow)[key])
            uow.rollback()
            again = self.state(self.of(uow)[key])
            assert again == before

    def test_an_error_takes_everything_back(self, uow: UnitOfWork) -> None:
        with pytest.raises(ZeroDivisionError), uow:
            self.of(uow).add(self.new(0))
            uow.flush()
            raise ZeroDivisionError

        with uow:
            assert self.of(uow).all() == []

    def test_a_savepoint_takes_back_its_block_alone(self, uow: UnitOfWork) -> None:
        with uow:
            first = self.new(0)
            self.of(uow).add(first)
            with pytest.raises(ZeroDivisionError), uow.nested():
                self.of(uow).add(self.new(1))
                uow.flush()
                raise ZeroDivisionError
            assert self.of(uow).all() == [first]

    def test_no_object_is_shared_by_two_units(self, uow: UnitOfWork) -> None:
        with uow:
            kept = self.new(0)
            self.of(uow).add(kept)
            uow.commit()
            key, before = self.key(kept), self.state(kept)

        self.change(kept)

        with uow:
            assert self.of(uow)[key] is not kept
            loaded = self.state(self.of(uow)[key])
            assert loaded == before

    def test_adding_and_removing_twice_is_the_same_as_once(self, uow: UnitOfWork) -> None:
        with uow:
            once = self.new(0)
            self.of(uow).add(once)
            self.of(uow).add(once)
            uow.commit()
            assert len(self.of(uow)) == 1
            self.of(uow).remove(once)
            self.of(uow).remove(once)
            uow.commit()
            assert len(self.of(uow)) == 0

    def test_a_removal_can_be_taken_back_before_the_flush_and_not_after(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)

        with uow:
            found = self.of(uow)[key]
            self.of(uow).remove(found)
            self.of(uow).add(found)
            assert key in self.of(uow)
            self.of(uow).remove(found)
            uow.flush()
            with pytest.raises(AlreadyRemoved):
                self.of(uow).add(found)

    def test_objects_of_other_units_are_refused(self, uow: UnitOfWork) -> None:
        key = self.stored(uow)
        with uow:
            foreign = self.of(uow)[key]

        with uow:
            with pytest.raises(ForeignObject):
                self.of(uow).add(foreign)
            with pytest.raises(ForeignObject):
                self.of(uow).remove(foreign)
            with pytest.raises(NotInUnit):
                self.of(uow).remove(self.new(1))

    def test_a_repository_ends_with_its_unit(self, uow: UnitOfWork) -> None:
        with uow:
            left = self.of(uow)

        with pytest.raises(UnitClosed):
            left.all()


def _state(value: Any) -> Any:
    match value:
        case list() | tuple():
            return [_state(each) for each in value]
        case set() | frozenset():
            return sorted((_state(each) for each in value), key=repr)
        case dict():
            return {key: _state(each) for key, each in value.items()}
    if isinstance(noted := inspect(value, raiseerr=False), InstanceState):
        owners = {relation.key for relation in noted.mapper.relationships if relation.direction is MANYTOONE}
        names = [*noted.mapper.column_attrs.keys(), *noted.mapper.composites.keys(), *noted.mapper.relationships.keys()]
        return {name: _state(getattr(value, name)) for name in names if name not in owners}
    if isinstance(value, Enum) or not hasattr(value, "__dict__"):
        return value
    if any("__eq__" in vars(base) for base in type(value).__mro__[:-1]):
        return value  # a value object
    return {name: _state(each) for name, each in vars(value).items() if not name.startswith("_")}
