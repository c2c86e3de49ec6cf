"""The port through which services reach aggregates: a collection, by key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from .errors import MultipleFound, NotFound, RuleRefused
from .order import in_order
from .page import Page

__all__ = ["OrderBy", "Repository", "Rule"]

A = TypeVar("A")
K = TypeVar("K")
R = TypeVar("R")
LARGEST_COUNT = 2**63 - 1
Rule = Callable[[A], bool]
OrderBy = Callable[[A], object]


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

    def all(self, *, order_by: OrderBy[A] | None = None) -> list[A]:
        """All aggregates; in the order of their keys, or of `order_by`."""
        return in_order(self, order_by)

    def find(
        self, rule: Rule[A], *, order_by: OrderBy[A] | None = None, limit: int | None = None, offset: int = 0
    ) -> list[A]:
        """The aggregates for which the rule is true.

        A rule is a plain function, and so is an order; see `docs/rules.md` for what they may do:

            uow.users.find(lambda user: user.age >= 18, order_by=lambda user: (desc(user.age), user.name))

        Without an order it is that of the keys, and where an order leaves two on a level, their keys decide.

        Raises RuleRefused if no query can answer the rule exactly, ValueError for a negative limit or offset.
        """
        require_count("limit", limit)
        require_count("offset", offset)
        found = in_order((each for each in self if rule(each)), order_by)
        return found[offset:] if limit is None else found[offset : offset + limit]

    def find_by(self, **equal: object) -> list[A]:
        """The aggregates whose attributes have just these values, in the order of their keys.

        `find_by(nickname=None)` finds those that have none.

        Raises BadValue if an attribute is unknown, or if the value is not of its type.
        """
        return [each for each in self if has_values(each, equal)]

    def first(self, rule: Rule[A] | None = None, /, *, order_by: OrderBy[A] | None = None, **equal: object) -> A | None:
        """The first, in this order, of those that satisfy the rule and have these values; None if there is none."""
        found = in_order((each for each in self._those(rule, equal)), order_by)
        return found[0] if found else None

    def one(self, rule: Rule[A] | None = None, /, **equal: object) -> A:
        """The only one that satisfies the rule and has these values.

        Raises NotFound if there is none, MultipleFound if there are several.
        """
        return self._only(self._those(rule, equal), rule, equal)

    def count(self, rule: Rule[A] | None = None, /, **equal: object) -> int:
        """How many satisfy the rule and have these values; how many there are, without either."""
        return len(self._those(rule, equal))

    def exists(self, rule: Rule[A] | None = None, /, **equal: object) -> bool:
        """Does any satisfy the rule and have these values?"""
        return bool(self._those(rule, equal))

    def page(
        self,
        rule: Rule[A] | None = None,
        *,
        order_by: OrderBy[A] | None = None,
        limit: int,
        after: str | None = None,
    ) -> Page[A]:
        """At most *limit* aggregates, from *after* on: the `next` of the page before, or None for the first.

        Raises RuleRefused for a cursor that is damaged, or was made by another order; ValueError for a
        limit below 1.
        """
        require_page(limit)
        # A collection written by hand counts; the stores look for the values of the keys.
        start = 0 if after is None else counted(after)
        found = self.find(rule or everything, order_by=order_by, limit=limit + 1, offset=start)
        return Page(found[:limit], next=str(start + limit) if len(found) > limit else None)

    def stream(self, rule: Rule[A] | None = None, *, order_by: OrderBy[A] | None = None) -> Iterator[A]:
        """All that satisfy the rule, one after the other, in constant memory: for reading.

        What it yields is not kept by the unit, and changes of it are not stored: fetch it by its key to change
        it. Ending the transaction ends the stream; going on with it raises UnitClosed.
        """
        return iter(self.find(rule or everything, order_by=order_by))

    def select(
        self,
        columns: Callable[[A], R],
        rule: Rule[A] | None = None,
        *,
        order_by: OrderBy[A] | None = None,
        limit: int | None = None,
    ) -> list[R]:
        """What *columns* makes of each that satisfies the rule, without building the aggregates:

            uow.users.select(lambda user: (user.id, user.name), adult)
            uow.users.select(lambda user: Contact(user.name, user.email), order_by=lambda user: user.name)

        Raises RuleRefused if it computes something no query can.
        """
        return [columns(each) for each in self.find(rule or everything, order_by=order_by, limit=limit)]

    def remove_where(self, rule: Rule[A]) -> int:
        """Remove all that satisfy the rule, with their children, and say how many they were."""
        found = self.find(rule)
        for each in found:
            self.remove(each)
        return len(found)

    def _those(self, rule: Rule[A] | None, equal: dict[str, object]) -> list[A]:
        return [each for each in self if (rule is None or rule(each)) and has_values(each, equal)]

    def _only(self, found: list[A], rule: Rule[A] | None, equal: dict[str, object]) -> A:
        if not found:
            raise NotFound(f"no {self.aggregate_name} {_spelled(rule, equal)}; use first() where that is no mistake")
        if len(found) > 1:
            raise MultipleFound(
                f"several of {self.aggregate_name} {_spelled(rule, equal)} and one was asked for;"
                " is a unique constraint missing, or is find() meant?"
            )
        return found[0]


def everything(aggregate: object) -> bool:
    """The rule that holds for all."""
    return True


def require_count(name: str, count: int | None) -> None:
    """Raises ValueError unless it is None, or a whole number from 0 on that a database can count to."""
    if count is not None and (type(count) is not int or not 0 <= count <= LARGEST_COUNT):
        raise ValueError(f"{name}={count!r}: a whole number from 0 to {LARGEST_COUNT} is wanted")


def require_page(limit: int) -> None:
    """Raises ValueError for a page that could never end."""
    if type(limit) is not int or not 1 <= limit < LARGEST_COUNT:
        raise ValueError(f"limit={limit!r}: a page has at least one place, and fewer than {LARGEST_COUNT}")


def counted(after: str) -> int:
    """The place that the cursor of a collection written by hand says. Raises RuleRefused."""
    if not after.isdecimal():
        raise RuleRefused(f"the cursor {after!r} was not made by this collection: give back `page.next` as it is")
    return int(after)


def has_values(aggregate: object, equal: dict[str, object]) -> bool:
    """Has the aggregate these values of its attributes?"""
    return all(getattr(aggregate, name) == value for name, value in equal.items())


def _spelled(rule: Rule[Any] | None, equal: dict[str, object]) -> str:
    parts = [] if rule is None else [f"satisfies {getattr(rule, 'name', None) or getattr(rule, '__name__', rule)}"]
    if equal:
        parts.append(f"has {' and '.join(f'{name} = {value!r}' for name, value in equal.items())}")
    return " and ".join(parts) or "has been stored"
