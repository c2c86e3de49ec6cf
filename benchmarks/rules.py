"""A rule as a query, beside the `select()` that says the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, select

from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import User
from benchmarks.harness import Case, measure
from benchmarks.mapping import mapping, users
from honestwork.adapters.sql.rules import where
from honestwork.rules import trace


def older(age: int) -> Callable[[User], bool]:
    # A function of its own for each value, for that is how rules with parameters are made.
    return lambda user: user.age >= age and user.name < "m"


@bar("trace a rule of two comparisons and build its statement", peer="hand-written select()", at_most=4.00)
def building(bench: Bench) -> Figure:
    facts, age = mapping.schema.facts.__getitem__, itertools.cycle(range(100)).__next__

    def traced() -> Select[Any]:
        return select(User).where(where(trace(older(age()), User, facts=facts), User))

    def by_hand() -> Select[Any]:
        return select(User).where(users.c.age >= age(), users.c.name < "m")

    timings = measure({"ours": Case(traced), "by hand": Case(by_hand)}, rounds=bench.rounds(241))
    ours, theirs = (spelled(timings.median(side) * 1e6, "µs") for side in ("ours", "by hand"))
    return Figure(timings.ratio("ours", "by hand"), ours, theirs)
