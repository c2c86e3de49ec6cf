"""The conformance kit, used as its users use it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, String, Table

from honestwork.adapters import Mapping, MemoryStore, SqlStore
from honestwork.domain import Repository
from honestwork.service_layer import Store, UnitOfWork
from honestwork.testing import RepositoryContract
from tests.contract import shop


class User:
    id: int

    def __init__(self, name: str, age: int) -> None:
        self.name = name
        self.age = age


class Directory(UnitOfWork):
    users: Repository[User, int]


mapping = Mapping()
users = Table(
    "users",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("age", Integer, nullable=False),
)
mapping.aggregate(User, users)


class TestUsers(RepositoryContract[User, int]):
    unit, repository = Directory, "users"

    @pytest.fixture(params=["memory", "sqlite"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        made: Store = MemoryStore(mapping)
        if request.param == "sqlite":
            made = SqlStore(f"sqlite:///{tmp_path}/test.db", mapping, durability="process")
            made.create_tables()
        yield made
        made.dispose()

    def new(self, number: int) -> User:
        return User(f"user {number}", 30)

    def change(self, aggregate: User) -> None:
        aggregate.age += 1

    def key(self, aggregate: User) -> int:
        return aggregate.id


class OnBoth:
    """The shop of the contract, which has one of everything."""

    @pytest.fixture(params=["memory", "sqlite"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        made: Store = MemoryStore(shop.mapping)
        if request.param == "sqlite":
            made = SqlStore(f"sqlite:///{tmp_path}/test.db", shop.mapping, durability="process")
            made.create_tables()
        yield made
        made.dispose()


class TestOrders(OnBoth, RepositoryContract[shop.Order, UUID]):
    """Members in lists, members of members, a single member, a value object, a version."""

    unit, repository = shop.Shop, "orders"

    def new(self, number: int) -> shop.Order:
        return shop.Order(
            lines=[shop.Line("LAMP", number, [shop.Discount(5)])],
            stops=[shop.Stop("Rome"), shop.Stop("Oslo")],
            parcel=shop.Parcel(3),
            price=shop.Money(Decimal(1), "EUR"),
        )

    def change(self, aggregate: shop.Order) -> None:
        aggregate.lines[0].discounts[0].percent += 1
        aggregate.stops.insert(0, shop.Stop("Bonn"))
        aggregate.parcel = None

    def key(self, aggregate: shop.Order) -> UUID:
        return aggregate.id


class TestCustomers(OnBoth, RepositoryContract[shop.Customer, int]):
    """A set of members, a private attribute, an attribute that is not mapped."""

    unit, repository = shop.Shop, "customers"

    def new(self, number: int) -> shop.Customer:
        made = shop.Customer(f"{number}@example.org")
        made.addresses.update((shop.Address("Rome"), shop.Address("Oslo")))
        return made

    def change(self, aggregate: shop.Customer) -> None:
        aggregate.lend(1)

    def key(self, aggregate: shop.Customer) -> int:
        return aggregate.id


class TestSamples(OnBoth, RepositoryContract[shop.Sample, UUID]):
    """JSON that is changed in place."""

    unit, repository = shop.Shop, "samples"

    def new(self, number: int) -> shop.Sample:
        return shop.Sample(document={"a": [number]}, price=Decimal("1.1"))

    def change(self, aggregate: shop.Sample) -> None:
        aggregate.document["a"].append(1)

    def key(self, aggregate: shop.Sample) -> UUID:
        return aggregate.id


class Idle(TestSamples):
    __test__ = False

    def change(self, aggregate: shop.Sample) -> None:
        """Nothing that can be seen."""


class Alike(TestSamples):
    __test__ = False

    def key(self, aggregate: shop.Sample) -> UUID:
        return UUID(int=1)


@pytest.mark.parametrize(("kit", "complaint"), [(Idle, "change.. changes nothing"), (Alike, "they are not three")])
def test_a_kit_that_tests_nothing_says_so(kit: type[TestSamples], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        kit().test_there_is_something_to_test(shop.Shop(MemoryStore(shop.mapping)))
