"""What the framework adds: a unit on an SqlStore, beside the leanest ORM code that does the same.

Both run on the engine of the store, so both begin alike, and both load by a statement that was built once. What is left
is the framework's own Python: the unit, the session, the repository, the guard, the look over what has changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from benchmarks.bars import Bench, Figure, bar, spelled
from benchmarks.domain import User
from benchmarks.harness import Case, calibration, measure
from benchmarks.mapping import users
from benchmarks.peers import POPULATION, keys, on_sqlite

BY_KEY = select(User).where(users.c.id == bindparam("key"))


def own_python(unit: str, bench: Bench) -> Figure:
    honest = bench.shared(on_sqlite).ours
    engine, key, number = honest.engine, keys(POPULATION), itertools.count().__next__

    def opened() -> Session:
        return Session(engine, autoflush=False, expire_on_commit=False, close_resets_only=False)

    def get() -> None:
        with opened() as session:
            session.scalars(BY_KEY, {"key": key()}).one()

    def change() -> None:
        with opened() as session:
            session.scalars(BY_KEY, {"key": key()}).one().name = f"name {number()}"
            session.commit()

    def insert() -> None:
        with opened() as session:
            session.add(User(f"name {number()}", -1))
            session.commit()

    both: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "get": (lambda: honest.get(key()), get),
        "change": (lambda: honest.change(key(), f"name {number()}"), change),
        "insert": (lambda: honest.insert(f"name {number()}"), insert),
    }
    ours, bare = both[unit]
    timings = measure({"ours": Case(ours), "bare": Case(bare), "calibration": calibration}, rounds=bench.rounds(241))
    return Figure(
        timings.calibrated_difference("ours", "bare") * 1e6,
        spelled(timings.calibrated("ours") * 1e6, "µs"),
        spelled(timings.calibrated("bare") * 1e6, "µs"),
    )


for unit, spelled_out in {"get": "get by key", "change": "get, change, commit", "insert": "insert"}.items():
    bar(f"own Python of a unit: {spelled_out}", peer="the leanest ORM code", at_most=25, unit="µs")(
        partial(own_python, unit)
    )
