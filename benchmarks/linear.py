"""Work that must stay linear: the cost per item at 10,000 items over that at 100."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Line, Order, Shop, User
from benchmarks.harness import Case, PerItem, Timings, measure, measure_per_item
from benchmarks.mapping import mapping
from honestwork.adapters import MemoryStore, SqlStore

FEW, MANY = 100, 10_000
LIMIT = 1.30

Store = MemoryStore | SqlStore
STORES: dict[str, Callable[[], Store]] = {
    "memory": lambda: MemoryStore(mapping),
    "SQLite :memory:": lambda: SqlStore("sqlite://", mapping),
}


def removing(name: str, bench: Bench) -> Figure:
    """Remove n orders with two lines each, and flush."""
    many, store = bench.size(MANY), STORES[name]()
    store.create_tables()
    with Shop(store) as uow:
        for size in (FEW, many):
            uow.orders.add_many(Order(f"order {i}", size, [Line("red", 1), Line("blue", 2)]) for i in range(size))
        uow.commit()

    @contextmanager
    def opened(size: int) -> Iterator[Callable[[], object]]:
        with Shop(store) as uow:  # nothing is committed, so the next call finds the same orders
            doomed = uow.orders.find_by(batch=size)
            assert len(doomed) == size

            def run() -> None:
                for order in doomed:
                    uow.orders.remove(order)
                uow.flush()

            yield run

    return _figure_per_item(measure_per_item(opened, few=FEW, many=many, rounds=bench.rounds(5)))


for name in STORES:
    bar(f"remove 10,000 aggregates, each, {name}", peer=f"of {FEW}", at_most=LIMIT)(partial(removing, name))


def storing(bench: Bench) -> Figure:
    """Add an order with n lines, and flush; remove it, and flush."""
    store = STORES["memory"]()

    @contextmanager
    def opened(size: int) -> Iterator[Callable[[], object]]:
        with Shop(store) as uow:
            order = Order("order", size, [Line(f"line {i}", 1) for i in range(size)])

            def run() -> None:
                uow.orders.add(order)
                uow.flush()
                uow.orders.remove(order)
                uow.flush()

            yield run

    return _figure_per_item(measure_per_item(opened, few=FEW, many=bench.size(MANY), rounds=bench.rounds(5)))


bar("store and remove an aggregate of 10,000 members, each, memory", peer=f"of {FEW}", at_most=LIMIT)(storing)


def failing(name: str, bench: Bench) -> Timings:
    """Time a nested() block that changes one user and fails, in units that have loaded 100 and 10,000 users."""
    return measure(
        {
            "few": bench.enter(_failing(STORES[name](), FEW)),
            "many": bench.enter(_failing(STORES[name](), bench.size(MANY))),
        },
        rounds=bench.rounds(61),
    )


IN_A_STORE = {name: partial(failing, name) for name in STORES}


def failing_per_item(name: str, bench: Bench) -> Figure:
    return _figure(bench.shared(IN_A_STORE[name]), items=bench.size(MANY) / FEW)


def failing_per_block(name: str, bench: Bench) -> Figure:
    return _figure(bench.shared(IN_A_STORE[name]))


for name in STORES:
    case = "a nested() that fails with 10,000 loaded"
    bar(f"{case}, for each, {name}", peer=f"with {FEW}", at_most=LIMIT)(partial(failing_per_item, name))
    bar(f"{case}, in all, {name}", peer=f"with {FEW}")(partial(failing_per_block, name))


def _figure_per_item(timings: PerItem) -> Figure:
    many, few = (spelled(min(seconds) * 1e6, "µs") for seconds in (timings.many, timings.few))
    return Figure(timings.ratio, many, few)


def _figure(timings: Timings, items: float = 1.0) -> Figure:
    """Return the ratio of a call with many to one with few, divided by how many times more items there are."""
    many, few = (spelled(timings.median(case) * 1e6, "µs") for case in ("many", "few"))
    return Figure(timings.ratio("many", "few") / items, many, few, "in all" if items > 1 else "")


class _Failed(Exception):
    """The block is left by this error."""


@contextmanager
def _failing(store: Store, count: int) -> Iterator[Case]:
    store.create_tables()
    with Shop(store) as uow:
        uow.users.add_many(User(f"user {i}", i) for i in range(count))
        uow.commit()
    number = itertools.count().__next__
    with Shop(store) as uow:
        loaded = uow.users.all()

        def run() -> None:
            try:
                with uow.nested():
                    loaded[count // 2].name = f"name {number()}"
                    raise _Failed
            except _Failed:
                pass

        yield Case(run)
        assert loaded[count // 2].name == f"user {count // 2}"
