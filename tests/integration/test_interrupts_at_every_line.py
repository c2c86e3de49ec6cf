"""An interrupt at any line of a unit's life comes out as it is, and leaves nothing behind.

Here every line of this project is hit with one of two kinds of interrupt on memory, SQLite, PostgreSQL and MariaDB,
and a sample of the lines of SQLAlchemy, the driver and Python. `EVERY_LINE=1` hits all of them with both, which takes
an hour; `make chaos` hits as many as it can.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from honestwork.testing import mariadb_database, postgres_database
from tests.chaos.lines import INTERRUPTS, Phase, chosen, hit_every_line, judged, phases_of
from tests.chaos.stores import KINDS, House
from tests.chaos.waits import WAITS, Wait, interrupt_a_wait
from tests.conftest import WORKER, or_say_so

EVERY_LINE = os.environ.get("EVERY_LINE") == "1"
# With 2, each own line is hit by one of the two interrupts. These two stores differ from SQLite on a file in little.
OWN = {"memory": 2, "postgres": 4, "mariadb": 6, "sqlite-deferred": 12, "sqlite-memory": 12}
DATABASES = {"postgres": postgres_database, "mariadb": mariadb_database}

main_thread_only = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="a signal is heard in the main thread alone"
)


@pytest.fixture(scope="module")
def houses() -> Iterator[dict[str, House]]:
    """A furnished store of each kind that was asked for."""
    made: dict[str, House] = {}
    yield made
    for house in made.values():
        house.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The URLs of databases of their own, whose connections can be ended without harm to other tests."""
    with ExitStack() as stack:
        yield _Servers(stack)


class _Servers(dict[str, str]):
    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __missing__(self, kind: str) -> str:
        url = self[kind] = self._stack.enter_context(or_say_so(DATABASES[kind](f"{WORKER}_lines")))
        return url


@pytest.fixture
def house(request: pytest.FixtureRequest, servers: dict[str, str], houses: dict[str, House]) -> House:
    kind: str = request.param
    if kind not in houses:
        houses[kind] = House(kind, servers[kind] if kind in DATABASES else None)
    return houses[kind]


CASES = [
    pytest.param(kind, phase, interrupt, id=f"{kind}-{phase.name}-{interrupt}")
    for kind in KINDS
    for phase in phases_of(kind)
    for interrupt in INTERRUPTS
]


@main_thread_only
@pytest.mark.parametrize(("house", "phase", "interrupt"), CASES, indirect=["house"])
def test_an_interrupt_at_any_line_comes_out_and_leaves_nothing_behind(
    house: House, phase: Phase, interrupt: str
) -> None:
    if EVERY_LINE:
        outcome = hit_every_line(house, phase, interrupt)
    else:
        outcome = hit_every_line(house, phase, interrupt, stride=20_000, own=OWN.get(house.kind, 4), seconds=10, most=8)

    assert outcome.hit
    assert not outcome.wrong, outcome.table()


@main_thread_only
@pytest.mark.parametrize(
    ("house", "wait", "interrupt"),
    [
        pytest.param(kind, wait, interrupt, id=f"{wait.name}-{kind}-{interrupt}")
        for wait in WAITS
        for kind in wait.kinds
        for interrupt in INTERRUPTS
    ],
    indirect=["house"],
)
def test_an_interrupt_of_a_statement_in_flight_comes_out_and_leaves_nothing_behind(
    house: House, wait: Wait, interrupt: str
) -> None:
    wrong = interrupt_a_wait(house, wait, INTERRUPTS[interrupt])

    assert not wrong, "; ".join(wrong)


def test_all_own_lines_are_hit_by_one_of_the_two_interrupts_and_each_line_by_some_offset() -> None:
    own = [(f"/house/adapters/{number}.py", number, "") for number in range(10)]
    other = [("/site-packages/other.py", number, "") for number in range(10)]
    lines = [*own, *other, *own]

    one, two = (set(chosen(lines, 1000, offset, own=2)) for offset in (0, 1))
    rotated = {k for offset in range(7) for k in chosen(lines, 7, offset, own=2)}

    assert one | two == set(range(1, 11))
    assert not one & two
    assert rotated == set(range(1, 31))


def test_what_did_not_come_out_as_it_was_raised_is_told() -> None:
    raised = KeyboardInterrupt()

    assert judged(raised, raised) == []
    assert judged(None, raised) == ["the interrupt was swallowed"]
    assert judged(ValueError(), raised) == ["ValueError came out in its place"]
