"""A rule as a query, compared with the `select()` that says the same. No row is found, so loading costs nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from benchmarks import hand_written
from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import Shop, User
from benchmarks.harness import Case, measure
from benchmarks.peers import POPULATION, on_sqlite


def of_age(age: int) -> Callable[[User], bool]:
    # A new function for each value: rules with parameters are made like this.
    return lambda user: user.age == age and user.name < "a"


@bar("find by a rule of two comparisons, nothing found", peer="hand-written ORM", at_most=1.50)
def finding(bench: Bench) -> Figure:
    peers, age = bench.shared(on_sqlite), itertools.cycle(range(POPULATION // 100)).__next__
    plain: Any = hand_written.users.c

    def by_rule() -> None:
        with Shop(peers.ours.store) as uow:
            assert uow.users.find(of_age(age())) == []

    def by_hand() -> None:
        with peers.by_hand.session() as session:
            wanted = select(hand_written.User).where(plain.age == age(), plain.name < "a").order_by(plain.id)
            assert session.scalars(wanted).all() == []

    timings = measure({"ours": Case(by_rule), "by hand": Case(by_hand)}, rounds=bench.rounds(241))
    ours, theirs = (spelled(timings.median(side) * 1e6, "µs") for side in ("ours", "by hand"))
    return Figure(timings.ratio("ours", "by hand"), ours, theirs)
