"""What programs do to aggregates and to their unit: memory says what SQLite says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Integer, String, Table

from honestwork.adapters import Mapping
from honestwork.domain import Duplicate, HonestworkError, Repository
from honestwork.service_layer import UnitOfWork
from tests.idioms import World, compare

LINES = """
add(Product("x"))
add(Product("1"))
add(Product("x", "s1"))
remove(one)
remove(two)
remove(two); add(two)
remove(two); add(Product("2"))
remove(two); add(Product("2", "s2", 5))
remove(two); uow.flush(); add(Product("2"))
remove(two); uow.flush(); add(two)
remove(two); uow.flush(); two.quantity = 9
remove(two); two.quantity = 9
two.quantity = 9; remove(two)
two.quantity = 9; remove(two); add(two)
remove(two); remove(two)
remove(two); uow.products.get("2")
remove(two); uow.products.get("2"); add(Product("2", "s2"))
remove(two); add(Product("4", "s2"))
add(Product("4", "s2")); remove(two)
one.sku, two.sku = two.sku, one.sku
two.sku = None; add(Product("4", "s2"))
two.sku = "s1"
one.code = "9"
one.code = "1"
one.code = None
del one.code
del one.quantity
del one.sku
del one.data
one.data["k"] = 1
one.data["a"].append(2)
one.data["a"].clear()
one.data = None
one.data = {"z": (1, 2)}
one.data = {1: 2}
one.data = float("nan")
one.data = one.data
one.data = dict(one.data)
three.data.append(3); uow.flush(); three.data.append(4)
three.data.append(3); uow.products.get("3").data.append(4)
three.data.append(object())
x = Product("5"); add(x); remove(x)
x = Product("5"); add(x); remove(x); add(x)
x = Product("5"); add(x); uow.flush(); remove(x); add(x)
x = Product("5"); add(x); uow.flush(); remove(x); uow.flush(); add(x)
x = Product("5"); add(x); add(x)
x = Product("5"); add(x); uow.flush(); add(x)
x = Product("5"); add(x); uow.flush(); x.quantity = 3
x = Product("5"); add(x); uow.flush(); x.quantity = 3; uow.flush(); remove(x)
add(one)
add("no")
remove(Product("7"))
remove("no")
uow.commit()
uow.commit(); one.quantity = 4
one.quantity = 4; uow.commit(); one.quantity = 5; uow.rollback()
uow.rollback()
uow.rollback(); one.quantity = 7
uow.rollback(); uow.products["1"].quantity = 7
add(Product("5")); uow.rollback()
x = Product("5"); add(x); uow.flush(); uow.rollback(); add(x)
x = Product("5"); add(x); uow.commit(); uow.rollback(); x.quantity = 4
x = Product("5"); add(x); uow.commit(); remove(x); uow.rollback(); remove(x)
remove(two); uow.rollback(); remove(two)
remove(two); uow.commit(); add(two)
remove(two); uow.commit(); add(Product("2", "s2"))
remove(two); uow.flush(); uow.rollback(); add(two)
one.quantity = -1
one.quantity = "x"
one.quantity = None
one.quantity = 2**40
one.quantity = True
one.quantity = 1.0
one.sku = "x" * 30
one.sku = 5
one.version = 9
one.version += 1
one.version = one.version
one.status = None
one.status = "old"
one.touched = 7
one.touched = None
one.quantity = one.quantity
one.quantity = 8; one.quantity = 1
x = Product("5"); x.status = "given"; add(x)
x = Product("5"); x.status = None; add(x)
x = Product("5"); x.touched = 9; add(x)
x = Product("5"); x.version = 9; add(x)
x = Product("5"); del x.sku; add(x)
x = Product("5"); x.extra = 1; add(x); uow.flush(); x.extra
list(uow.products)
uow.products.find(lambda p: p.quantity > 1)[0].quantity = 9
uow.products.remove_where(lambda p: p.quantity > 1)
uow.products.remove_where(lambda p: p.quantity > 99)
uow.products.add_many([Product("6"), Product("7")])
uow.products.add_many([Product("6"), Product("6")])
uow.products.add_many([Product("6"), Product("1")])
uow.products.add_many(x for x in [Product("6"), "no"])
uow.products.add_many([])
len(uow.products); add(Product("6")); assert len(uow.products) == len(list(uow.products))
uow.products.select(lambda p: (p.code, p.quantity))
uow.products.page(limit=1).items[0].quantity = 7
ann.favourite = None
ann.favourite = "2"
ann.favourite = "nope"
ann.favourite = "5"; add(Product("5"))
add(Product("5")); ann.favourite = "5"
bob.favourite = "2"; remove(two)
ann.favourite = None; remove(one)
remove(ann); remove(one)
remove(one); remove(ann)
remove(one); ann.favourite = "2"
remove(one); add(Product("1"))
remove(ann); add(Customer("ann@"))
add(Customer("ann@")); remove(ann)
ann.email, bob.email = bob.email, ann.email
ann.email = "bob@"
ann.id = 77
ann.id = ann.id
del ann.id
x = Customer("new"); x.id = 99; add(x)
x = Customer("new"); add(x); uow.flush(); x.id = 5
x = Customer("new"); add(x); uow.flush(); x.favourite = "2"; uow.flush(); x.favourite = None
x = Customer("new"); add(x); x.id
x = Customer("ann@"); add(x)
""".strip().splitlines()

BLOCKS = """
with suppress(Stop), uow.nested():
    one.quantity = 5
    raise Stop

with suppress(Stop), uow.nested():
    remove(two)
    raise Stop

with suppress(Stop), uow.nested():
    remove(two)
    uow.flush()
    add(Product("2"))
    raise Stop

with suppress(Stop), uow.nested():
    add(Product("5"))
    uow.flush()
    raise Stop

x = Product("5")
with suppress(Stop), uow.nested():
    add(x)
    uow.flush()
    raise Stop
add(x)

x = Product("5")
with suppress(Stop), uow.nested():
    add(x)
    raise Stop
x.quantity = 4
add(x)

with suppress(Duplicate), uow.nested():
    add(Product("1"))
one.quantity = 6

with suppress(Duplicate), uow.nested():
    one.quantity = 9
    two.sku = "s1"

with suppress(Duplicate), uow.nested():
    one.data["a"].append(5)
    two.sku = "s1"

one.data["a"].append(5)
with suppress(Stop), uow.nested():
    one.data["a"].append(6)
    raise Stop

with uow.nested():
    one.quantity = 5

with uow.nested():
    with suppress(Stop), uow.nested():
        one.quantity = 5
        raise Stop
    two.quantity = 6

with suppress(Stop), uow.nested():
    with uow.nested():
        one.quantity = 5
        remove(two)
    raise Stop

with suppress(Stop), uow.nested():
    uow.rollback()

with suppress(HonestworkError), uow.nested():
    uow.commit()

with suppress(HonestworkError):
    two.sku = "s1"
    uow.flush()
uow.rollback()
uow.products["1"].quantity = 3

with suppress(HonestworkError):
    two.sku = "s1"
    uow.flush()
one.quantity = 3

with suppress(HonestworkError):
    uow.products["nope"]
one.quantity = 3

with suppress(HonestworkError):
    add("no")
one.quantity = 3

with suppress(HonestworkError), uow.nested():
    two.quantity = -1
two.quantity = 3

with suppress(HonestworkError), uow.nested():
    two.quantity = "bad"
two.quantity = 3

with suppress(HonestworkError), uow.nested():
    two.code = "9"
two.quantity = 3

with suppress(HonestworkError), uow.nested():
    remove(one)
one.quantity = 3

with suppress(HonestworkError), uow.nested():
    x = Product("5")
    add(x)
    add(Product("5"))
add(x)

with suppress(HonestworkError), uow.nested():
    ann.favourite = "nope"
ann.favourite = "2"

x = Customer("n")
with suppress(Stop), uow.nested():
    add(x)
    uow.flush()
    raise Stop
x.id if hasattr(x, "id") else 0
add(x)

x = Customer("n")
add(x)
with suppress(Stop), uow.nested():
    x.email = "m"
    raise Stop

x = Customer("n")
add(x)
with suppress(Stop), uow.nested():
    remove(x)
    uow.flush()
    raise Stop
x.email = "k"
""".strip().split("\n\n")


class Product:
    status: str
    touched: int
    version: int

    def __init__(self, code: str, sku: str | None = None, quantity: int = 0, data: Any = None) -> None:
        self.code = code
        self.sku = sku
        self.quantity = quantity
        self.data = data


class Customer:
    id: int

    def __init__(self, email: str, favourite: str | None = None) -> None:
        self.email = email
        self.favourite = favourite


class Shop(UnitOfWork):
    products: Repository[Product, str]
    customers: Repository[Customer, int]


class Both:
    """The aggregates of two repositories, by a key of each."""

    def __init__(self, uow: Shop) -> None:
        self.uow = uow

    def __getitem__(self, key: str) -> Any:
        return self.uow.customers.one(email=key) if "@" in key else self.uow.products[key]

    def __iter__(self) -> Iterator[Any]:
        yield from self.uow.products
        yield from self.uow.customers


class Stop(Exception):
    pass


def mapped() -> Mapping:
    mapping = Mapping()
    products = Table(
        "products",
        mapping.metadata,
        Column("code", String(9), primary_key=True),
        Column("sku", String(9), unique=True),
        quantity := Column("quantity", Integer, nullable=False),
        Column("data", JSON),
        Column("status", String(9), nullable=False, default="new"),
        Column("touched", Integer, nullable=False, default=0, onupdate=1),
        Column("version", Integer, nullable=False),
        CheckConstraint(quantity >= 0, name="quantity"),
    )
    customers = Table(
        "customers",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(20), nullable=False, unique=True),
        Column("favourite", ForeignKey("products.code")),
    )
    mapping.aggregate(Product, products, version=products.c.version)
    mapping.aggregate(Customer, customers)
    return mapping


def made() -> list[Any]:
    products = [Product("1", "s1", 1, {"a": [1]}), Product("2", "s2", 2), Product("3", None, 3, [1, 2])]
    return [*products, Customer("ann@", "1"), Customer("bob@")]


def words(found: list[Any]) -> dict[str, Any]:
    known = {each.__name__: each for each in (Product, Customer, Stop, Duplicate, HonestworkError, suppress)}
    return {**known, **dict(zip(("one", "two", "three", "ann", "bob"), found, strict=True))}


def shown(aggregate: Any) -> tuple[Any, ...]:
    names = ("code", "sku", "quantity", "data", "status", "touched", "version", "email", "favourite")
    return tuple(repr(getattr(aggregate, name, None)) for name in names)


def change(aggregate: Any) -> None:
    if isinstance(aggregate, Customer):
        aggregate.email += "!"
    else:
        aggregate.quantity = aggregate.quantity + 10 if isinstance(aggregate.quantity, int) else 5


def repository(uow: Any, aggregate: Any) -> Any:
    if aggregate is None:
        return Both(uow)
    return uow.customers if isinstance(aggregate, Customer) else uow.products


WORLD = World(mapped(), Shop, ["1", "2", "3", "ann@", "bob@"], made, words, shown, change, repository)


@pytest.mark.parametrize("idiom", [*LINES, *BLOCKS])
def test_memory_says_what_sqlite_says(idiom: str) -> None:
    compare(WORLD, idiom)
