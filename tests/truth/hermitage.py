"""The anomalies of isolation, as scripts, and what each store makes of them.

They are those of Hermitage (https://github.com/ept/hermitage) and of Fekete's papers, played through a repository.
There are two rows: 1 has the value 10, 2 has 20. A script says who does what: `1 set 1 11` is unit 1, which sets
the value of row 1 to 11 and flushes. The words:

    get k · eq v · mod n       read a row; the rows with a value; the rows whose value is a multiple
    set k v · mut k v          change a row, with a flush or without
    add k v · rm k             insert and delete, with a flush
    commit · rollback

Nobody waits: where a database would, its lock timeout passes, and that is a LockTimeout. A unit that gets an error is
rolled back and plays no more. An outcome tells what was read, who got which error, and the rows in the end.

The fake does what PostgreSQL does, on every line. Write skew (`G2`) is allowed by snapshot isolation: both
units commit. Within one aggregate it is not, for a change of any part of it raises the version of its root.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sqlalchemy import Column, Integer, Table

from honestwork.adapters.mapping import Mapping
from honestwork.adapters.memory.store import MemoryStore
from honestwork.adapters.sql.store import SqlStore
from honestwork.domain.errors import HonestworkError
from honestwork.domain.repository import Repository
from honestwork.service_layer.store import Store
from honestwork.service_layer.unit_of_work import UnitOfWork

__all__ = ["EXPECTED", "SCRIPTS", "play_all", "play_script"]

SCRIPTS = {
    "G0 dirty write": "1 set 1 11 | 2 set 1 12 | 1 set 2 21 | 1 commit | 2 set 2 22 | 2 commit",
    "G1a aborted read": "1 set 1 101 | 2 get 1 | 1 rollback | 2 get 1 | 2 commit",
    "G1b intermediate read": "1 set 1 101 | 2 get 1 | 1 set 1 11 | 1 commit | 2 get 1 | 2 commit",
    "G1c circular information flow": "1 set 1 11 | 2 set 2 22 | 1 get 2 | 2 get 1 | 1 commit | 2 commit",
    "OTV observed transaction vanishes": (
        "1 set 1 11 | 1 set 2 19 | 2 set 1 12 | 1 commit | 3 get 1 | 2 set 2 18 | 3 get 2 | 2 commit"
        " | 3 get 2 | 3 get 1 | 3 commit"
    ),
    "PMP predicate read": "1 eq 30 | 2 add 3 30 | 2 commit | 1 mod 3 | 1 commit",
    "PMP predicate read, twice": "1 mod 5 | 2 set 1 12 | 2 commit | 1 mod 5 | 1 mod 6 | 1 get 1 | 1 commit",
    "PMP predicate write": "1 mod 5 | 1 mut 1 20 | 1 set 2 30 | 2 eq 20 | 2 rm 2 | 1 commit | 2 commit",
    "P4 lost update": "1 get 1 | 2 get 1 | 1 set 1 11 | 2 set 1 12 | 1 commit | 2 commit",
    "P4 lost update, one after the other": "1 get 1 | 2 get 1 | 1 mut 1 11 | 1 commit | 2 mut 1 12 | 2 commit",
    "P4 update of a deleted row": "1 get 1 | 2 get 1 | 1 rm 1 | 1 commit | 2 set 1 12 | 2 commit",
    "P4 delete of an updated row": "1 get 1 | 2 get 1 | 1 set 1 11 | 1 commit | 2 rm 1 | 2 commit",
    "P4 delete of a deleted row": "1 get 1 | 2 get 1 | 1 rm 1 | 1 commit | 2 rm 1 | 2 commit",
    "duplicate insert, committed": "1 add 3 30 | 1 commit | 2 add 3 31 | 2 commit",
    "duplicate insert, after the snapshot": "2 get 1 | 1 add 3 30 | 1 commit | 2 add 3 31 | 2 commit",
    "duplicate insert, pending": "1 add 3 30 | 2 add 3 31 | 1 commit | 2 commit",
    "duplicate insert, rolled back": "1 add 3 30 | 1 rollback | 2 add 3 31 | 2 commit",
    "G-single read skew": "1 get 1 | 2 get 1 | 2 get 2 | 2 set 1 12 | 2 set 2 18 | 2 commit | 1 get 2 | 1 commit",
    "G-single with predicates": "1 mod 5 | 2 set 1 12 | 2 commit | 1 mod 3 | 1 commit",
    "G-single with a write": "1 get 1 | 2 set 1 12 | 2 set 2 18 | 2 commit | 1 eq 20 | 1 rm 2 | 1 commit",
    "G2-item write skew": "1 get 1 | 1 get 2 | 2 get 1 | 2 get 2 | 1 set 1 11 | 2 set 2 21 | 1 commit | 2 commit",
    "G2 write skew on a predicate": "1 mod 3 | 2 mod 3 | 1 add 3 30 | 2 add 4 42 | 1 commit | 2 commit",
    "G2 two edges": "1 mod 1 | 2 set 2 25 | 2 commit | 3 mod 1 | 3 commit | 1 set 1 0 | 1 commit",
    "deadlock": "1 set 1 11 | 2 set 2 22 | 1 set 2 21 | 2 set 1 12 | 1 commit | 2 commit",
    "different rows": "1 set 1 11 | 2 set 2 22 | 1 commit | 2 commit",
}


class Row:
    """An aggregate with a value, and no version: what is seen here is the isolation alone."""

    def __init__(self, id: int, value: int) -> None:
        self.id = id
        self.value = value


class Rows(UnitOfWork):
    """The units of the scripts."""

    rows: Repository[Row, int]


def mapping() -> Mapping:
    made = Mapping()
    table = Table(
        "hermitage",
        made.metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("value", Integer, nullable=False),
    )
    made.aggregate(Row, table)
    return made


_mapping = mapping()


def play_all(name: str, url: str) -> dict[str, str]:
    """The outcomes of all scripts, on the store in memory or on a database."""
    if name == "memory":
        return {script: play_script(MemoryStore(_mapping), steps) for script, steps in SCRIPTS.items()}
    store = SqlStore(url, _mapping, begin="deferred", lock_timeout=0.05, durability="process")
    store.create_tables()
    try:
        return {script: play_script(store, steps) for script, steps in SCRIPTS.items()}
    finally:
        store.drop_tables()
        store.dispose()


def play_script(store: Store, script: str) -> str:
    """What comes of a script: what was read, who got which error, and the rows in the end."""
    with Rows(store) as fresh:
        for row in fresh.rows:
            fresh.rows.remove(row)
        fresh.commit()
        fresh.rows.add_many([Row(1, 10), Row(2, 20)])
        fresh.commit()
    actors: dict[str, _Actor] = {}
    outcomes = []
    for step in script.split(" | "):
        who, word, *numbers = step.split()
        if who not in actors:
            actors[who] = _Actor(store)
        actor = actors[who]
        if not actor.is_dead and (outcome := actor.play(word, *map(int, numbers))):
            outcomes.append(f"{who} {word}: {outcome}" if not numbers else f"{who} {word} {numbers[0]}: {outcome}")
    for actor in actors.values():
        actor.leave()
    with Rows(store) as last:
        outcomes.append(" ".join(f"{row.id}={row.value}" for row in last.rows))
    return "; ".join(outcomes)


class _Actor:
    """One unit of a script."""

    def __init__(self, store: Store) -> None:
        self.unit = Rows(store)
        self.unit.__enter__()
        self.is_dead = False

    def play(self, word: str, *numbers: int) -> str:
        try:
            return str(getattr(self, word)(*numbers))
        except HonestworkError as error:
            self.leave()
            return type(error).__name__

    def leave(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            with suppress(HonestworkError):
                self.unit.__exit__(None, None, None)

    def get(self, key: int) -> Any:
        return getattr(self.unit.rows.get(key), "value", "gone")

    def eq(self, value: int) -> Any:
        return [row.id for row in self.unit.rows.find_by(value=value)]

    def mod(self, number: int) -> Any:
        return [row.id for row in self.unit.rows if row.value % number == 0]

    def mut(self, key: int, value: int) -> str:
        row = self.unit.rows.get(key)
        if row is None:
            return "gone"
        row.value = value
        return ""

    def set(self, key: int, value: int) -> str:
        outcome = self.mut(key, value)
        self.unit.flush()
        return outcome

    def add(self, key: int, value: int) -> str:
        self.unit.rows.add(Row(key, value))
        self.unit.flush()
        return ""

    def rm(self, key: int) -> str:
        row = self.unit.rows.get(key)
        if row is None:
            return "gone"
        self.unit.rows.remove(row)
        self.unit.flush()
        return ""

    def commit(self) -> str:
        self.unit.commit()
        return ""

    def rollback(self) -> str:
        self.unit.rollback()
        return ""


def _as(memory: str, **different: str) -> dict[str, str]:
    """PostgreSQL answers as the fake does; others are named where they do not."""
    return {"memory": memory, "postgresql": memory, "mariadb": memory, "sqlite": memory, **different}


EXPECTED: dict[str, dict[str, str]] = {
    "G0 dirty write": _as(
        "2 set 1: LockTimeout; 1=11 2=21",
    ),
    "G1a aborted read": _as(
        "2 get 1: 10; 2 get 1: 10; 1=10 2=20",
    ),
    "G1b intermediate read": _as(
        "2 get 1: 10; 2 get 1: 10; 1=11 2=20",
    ),
    "G1c circular information flow": _as(
        "1 get 2: 20; 2 get 1: 10; 1=11 2=22",
        sqlite="2 set 2: LockTimeout; 1 get 2: 20; 1=11 2=20",
    ),
    "OTV observed transaction vanishes": _as(
        "2 set 1: LockTimeout; 3 get 1: 11; 3 get 2: 19; 3 get 2: 19; 3 get 1: 11; 1=11 2=19",
    ),
    "PMP predicate read": _as(
        "1 eq 30: []; 1 mod 3: []; 1=10 2=20 3=30",
    ),
    "PMP predicate read, twice": _as(
        "1 mod 5: [1, 2]; 1 mod 5: [1, 2]; 1 mod 6: []; 1 get 1: 10; 1=12 2=20",
    ),
    "PMP predicate write": _as(
        "1 mod 5: [1, 2]; 2 eq 20: [2]; 2 rm 2: LockTimeout; 1=20 2=30",
    ),
    "P4 lost update": _as(
        "1 get 1: 10; 2 get 1: 10; 2 set 1: LockTimeout; 1=11 2=20",
    ),
    "P4 lost update, one after the other": _as(
        "1 get 1: 10; 2 get 1: 10; 2 commit: Conflict; 1=11 2=20",
    ),
    "P4 update of a deleted row": _as(
        "1 get 1: 10; 2 get 1: 10; 2 set 1: Conflict; 2=20",
    ),
    "P4 delete of an updated row": _as(
        "1 get 1: 10; 2 get 1: 10; 2 rm 1: Conflict; 1=11 2=20",
    ),
    "P4 delete of a deleted row": _as(
        "1 get 1: 10; 2 get 1: 10; 2 rm 1: Conflict; 2=20",
    ),
    "duplicate insert, committed": _as(
        "2 add 3: Duplicate; 1=10 2=20 3=30",
    ),
    "duplicate insert, after the snapshot": _as(
        "2 get 1: 10; 2 add 3: Duplicate; 1=10 2=20 3=30",
        mariadb="2 get 1: 10; 2 add 3: Conflict; 1=10 2=20 3=30",
        sqlite="2 get 1: 10; 2 add 3: Conflict; 1=10 2=20 3=30",
    ),
    "duplicate insert, pending": _as(
        "2 add 3: LockTimeout; 1=10 2=20 3=30",
    ),
    "duplicate insert, rolled back": _as(
        "1=10 2=20 3=31",
    ),
    "G-single read skew": _as(
        "1 get 1: 10; 2 get 1: 10; 2 get 2: 20; 1 get 2: 20; 1=12 2=18",
    ),
    "G-single with predicates": _as(
        "1 mod 5: [1, 2]; 1 mod 3: []; 1=12 2=20",
    ),
    "G-single with a write": _as(
        "1 get 1: 10; 1 eq 20: [2]; 1 rm 2: Conflict; 1=12 2=18",
    ),
    "G2-item write skew": _as(
        "1 get 1: 10; 1 get 2: 20; 2 get 1: 10; 2 get 2: 20; 1=11 2=21",
        sqlite="1 get 1: 10; 1 get 2: 20; 2 get 1: 10; 2 get 2: 20; 2 set 2: LockTimeout; 1=11 2=20",
    ),
    "G2 write skew on a predicate": _as(
        "1 mod 3: []; 2 mod 3: []; 1=10 2=20 3=30 4=42",
        sqlite="1 mod 3: []; 2 mod 3: []; 2 add 4: LockTimeout; 1=10 2=20 3=30",
    ),
    "G2 two edges": _as(
        "1 mod 1: [1, 2]; 3 mod 1: [1, 2]; 1=0 2=25",
        sqlite="1 mod 1: [1, 2]; 3 mod 1: [1, 2]; 1 set 1: Conflict; 1=10 2=25",
    ),
    "deadlock": _as(
        "1 set 2: LockTimeout; 1=12 2=22",
        sqlite="2 set 2: LockTimeout; 1=11 2=21",
    ),
    "different rows": _as(
        "1=11 2=22",
        sqlite="2 set 2: LockTimeout; 1=11 2=20",
    ),
}
