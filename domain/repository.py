"""The port through which services reach aggregates: a collection, by key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from .errors import MultipleFound, NotFound

__all__ = ["Repository"]

A = TypeVar("A")
K = TypeVar("K")


class Repository(ABC, Generic[A, K]):
    """The collection of all aggregates of one kind, as one unit of work sees it.

    *A* is the class of the aggregate's root, *K* the type of its key: `int`, `str`, `UUID`, or a tuple of
    them in the order of the primary key's columns. A repository lives as long as its unit of work, and
    is reached as an attribute of it:

        with uow:
            uow.users.add(User("John Doe", 30))
            john = uow.users[1]                 # NotFound when there is none
            nobody = uow.users.get(99)          # None when there is none
            adults = uow.users.find_by(age=30)
            uow.commit()

    Both stores make repositories of their own, so there is nothing to implement. Whoever writes one by
    hand (a fake that fails on purpose, a remote collection) implements the four abstract methods: the
    others are defined by them, plainly, and say what each store has to agree with.

    Subclass the port to give a collection a name and queries of its own; every store serves it:

        class Users(Repository[User, int]):
            def of_age(self, age: int) -> list[User]:
                return self.find_by(age=age)
    """

    @abstractmethod
    def add(self, aggregate: A) -> None:
        """Put a new aggregate into the collection. It is stored by `flush` or `commit`, with all its children.

        Adding it twice is the same as adding it once; adding one that was removed, before the next
        flush, takes the removal back.

        Raises ForeignObject if another unit of work has loaded or added it, AlreadyRemoved if its row
        has been deleted in this unit.
        """

    @abstractmethod
    def remove(self, aggregate: A) -> None:
        """Take an aggregate out of the collection, with all its children. Twice is the same as once.

        Raises NotInUnit if this unit has neither loaded nor added it, ForeignObject if another one has.
        """

    @abstractmethod
    def get(self, key: K) -> A | None:
        """The aggregate with this key, whole, or None. The same object each time within one unit.

        Raises BadValue if the key is not of the type of the primary key.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[A]:
        """All aggregates, in the order of their keys, as they are when the iteration begins."""

    @property
    def aggregate_name(self) -> str:
        """What error messages call one member of this collection."""
        return type(self).__name__

    def add_many(self, aggregates: Iterable[A]) -> None:
        """Add them all, in this order, or none of them if one is refused."""
        for aggregate in list(aggregates):
            self.add(aggregate)

    def __getitem__(self, key: K) -> A:
        """The aggregate with this key. Raises NotFound if there is none."""
        if (found := self.get(key)) is None:
            raise NotFound(
                f"no {self.aggregate_name} has the key {key!r}: it was never stored, or it was removed;"
                " use get(key) where a missing one is no mistake"
            )
        return found

    def __contains__(self, key: object) -> bool:
        """Is there an aggregate with this key?"""
        return self.get(key) is not None  # type: ignore[arg-type]  # a wrong type is refused by get

    def __len__(self) -> int:
        """How many aggregates there are."""
        return self.count()

    def __bool__(self) -> bool:
        # Without this, `if uow.users:` would count a whole table.
        return True

    def all(self) -> list[A]:
        """All aggregates, in the order of their keys."""
        return list(self)

    def find_by(self, **equal: object) -> list[A]:
        """The aggregates whose attributes have just these values, in the order of their keys.

        `find_by(nickname=None)` finds those that have none.

        Raises BadValue if an attribute is unknown, or if the value is not of its type.
        """
        return [
            aggregate for aggregate in self if all(getattr(aggregate, name) == value for name, value in equal.items())
        ]

    def first(self, **equal: object) -> A | None:
        """The one with the lowest key among those that have these values, or None."""
        return next(iter(self.find_by(**equal)), None)

    def one(self, **equal: object) -> A:
        """The only one that has these values. Raises NotFound if there is none, MultipleFound if several."""
        found = self.find_by(**equal)
        if not found:
            raise NotFound(f"no {self.aggregate_name} has {_spelled(equal)}; use first() where that is no mistake")
        if len(found) > 1:
            raise MultipleFound(
                f"several of {self.aggregate_name} have {_spelled(equal)} and one was asked for;"
                " is a unique constraint missing, or is find_by() meant?"
            )
        return found[0]

    def count(self, **equal: object) -> int:
        """How many have these values; how many there are, without any."""
        return len(self.find_by(**equal))

    def exists(self, **equal: object) -> bool:
        """Does any of them have these values?"""
        return self.first(**equal) is not None


def _spelled(equal: dict[str, object]) -> str:
    return " and ".join(f"{name} = {value!r}" for name, value in equal.items()) or "been stored"
