"""The proof that a fake tells the truth about a database: random programs, played on both."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed as with_seed, settings
from hypothesis.strategies import SearchStrategy
from sqlalchemy.exc import SAWarning

from ...adapters.mapping.mapping import Mapping
from ...adapters.sql.engines import in_memory
from ...adapters.sql.store import SqlStore
from ...service_layer.unit_of_work import UnitOfWork
from .cast import Cast, Values
from .player import Player
from .programs import programs
from .referee import Difference, Referee, Stage
from .steps import Step

__all__ = ["assert_truthful", "play", "replay", "search", "staged", "told"]


def assert_truthful(
    unit: type[UnitOfWork],
    mapping: Mapping,
    database: str,
    *,
    examples: int = 200,
    units: int = 2,
    make: dict[type[Any], SearchStrategy[Values]] | None = None,
) -> None:
    """Show that `MemoryStore(mapping)` and this database cannot be told apart by programs that use *unit*:

        def test_the_fake_tells_the_truth(tmp_path):
            assert_truthful(Directory, mapping, f"sqlite:///{tmp_path}/proof.db")

    It plays *examples* random programs on both, in so many interleaved *units* of work, and compares what they can
    see: results, errors, identity, the state of objects, and the committed rows. The database must be one that
    can be emptied: its tables are made before, emptied for each program, and dropped in the end.

    Objects are made without their constructors and filled attribute by attribute. Where a class does not like
    that, *make* gives a strategy of constructor arguments for it:
    `make={User: st.fixed_dictionaries({"name": st.sampled_from(["John", "Jane"])})}`.

    Raises AssertionError with the shortest program that Hypothesis could find, as a test to be pasted beside this one:
    it knows your mapping as `mapping`.
    """
    cast = Cast(unit, mapping, make)
    # A file is likely to be gone when the test that is told here runs.
    where = 'f"sqlite:///{tmp_path}/proof.db"' if database.startswith("sqlite:///") else repr(database)
    setting = f"{unit.__name__}, mapping, {where}, units={units}"
    with staged(unit, mapping, database) as stage:
        search(
            programs(cast, units),
            lambda steps: play(stage, cast, steps, units),
            examples=examples,
            setting=setting,
        )


def replay(unit: type[UnitOfWork], mapping: Mapping, database: str, program: str, *, units: int = 1) -> None:
    """Play one program, given as lines of Python, on the fake and on a database. Raises AssertionError if they differ.

    The lines may use what `Side` knows: units `u0`, `u1`, …, objects by any name, `enter`, `leave`, `nest`, `unnest`,
    `new`. An error is no end: it is compared, and the next line follows.
    """
    with staged(unit, mapping, database) as stage:
        referee = Referee(stage, units)
        try:
            for line in dedent(program).strip().splitlines():
                if line.strip() and not line.startswith("#"):
                    referee.play(line.partition("  # ")[0].rstrip())
        finally:
            referee.close()


@contextmanager
def staged(unit: type[UnitOfWork], mapping: Mapping, database: str) -> Iterator[Stage]:
    """A stage on a database, with its tables made before and dropped after."""
    store = SqlStore(database, mapping, begin="deferred", lock_timeout=0.03, durability="process")
    # MariaDB may still be purging what the last program has left. A database in memory is the store's alone.
    patient = store if in_memory(store.engine.url) else SqlStore(database, mapping, durability="process")
    patient.create_tables()
    try:
        with warnings.catch_warnings():
            # The ORM warns of what programs do wrong on purpose; what counts is the error that follows.
            warnings.simplefilter("ignore", SAWarning)
            yield Stage(unit, store, mapping)
    finally:
        if patient is not store:
            store.dispose()
        patient.drop_tables()
        patient.dispose()


def play(stage: Stage, cast: Cast, steps: list[Step], units: int) -> list[str]:
    """Play one program on a stage; gives its lines. Raises Difference."""
    referee = Referee(stage, units)
    try:
        Player(referee, cast).perform(steps)
    finally:
        referee.close()
    return referee.lines


def search(
    strategy: SearchStrategy[Any],
    play_one: Callable[[Any], object],
    *,
    examples: int,
    setting: str,
    seed: int | None = None,
    shrink: bool = True,
) -> None:
    """Play so many programs. Raises AssertionError for the shortest one on which the stores differ."""
    failed: list[Difference] = []

    def body(drawn: Any) -> None:
        try:
            play_one(drawn)
        except Difference as difference:
            failed[:] = [difference]
            raise

    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    configured = settings(
        max_examples=examples,
        phases=phases,
        database=None,
        deadline=None,
        derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
    )
    test = configured(given(strategy)(body))
    if seed is not None:
        test = with_seed(seed)(test)
    try:
        test()
    except Difference:
        raise AssertionError(told(failed[0], setting)) from None


def told(difference: Difference, setting: str) -> str:
    """A difference as a test that can be pasted; *setting* is the source of the first arguments of `replay`."""
    *before, last = _needed(difference.lines)
    program = "\n".join(f"        {line}" for line in [*before, f"{last}  # here they differ"])
    fixture = "tmp_path" if "{tmp_path}" in setting else ""
    return (
        f"the fake and {difference.dialect} differ:\n\n"
        f"    memory: {difference.memory}\n    {difference.dialect}: {difference.database}\n\n"
        f"from honestwork.testing import replay\n\n\n"
        f"def test_the_fake_tells_the_truth({fixture}):\n"
        f'    replay({setting}, program=r"""\n{program}\n    """)\n'
    )


def _needed(lines: list[str]) -> list[str]:
    """Without the lines that only name something that is never spoken of again."""
    kept: list[str] = []
    for line in reversed(lines):
        given = re.match(r"(o\d+) = ((?:found_\d+\[\d+\])|(?:list\(.*\)\[\d+\]))$", line)
        if given and not any(re.search(rf"\b{given[1]}\b", later) for later in kept):
            continue
        kept.append(line)
    return kept[::-1]
