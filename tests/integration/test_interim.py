"""Many rows that exchange their unique values ask a database few questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, String, Table, UniqueConstraint, event

from honestwork.adapters import Mapping, SqlStore
from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

PAIRS = 60


class Peg:
    def __init__(self, number: int) -> None:
        self.number = number
        self.colour, self.mark = f"c{number}", f"m{number}"
        self.board, self.hole = number // 2, number % 2


mapping = Mapping()
pegs = Table(
    "pegs",
    mapping.metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("colour", String(9), nullable=False, unique=True),
    Column("mark", String(9), nullable=False, unique=True),
    Column("board", Integer, nullable=False),
    Column("hole", Integer, nullable=False),
    UniqueConstraint("board", "hole"),
)
mapping.aggregate(Peg, pegs)


class Pegs(UnitOfWork):
    pegs: Repository[Peg, int]


def exchange_colours(found: list[Peg]) -> None:
    for one, other in zip(found[::2], found[1::2], strict=True):
        one.colour, other.colour = other.colour, one.colour


def exchange_holes(found: list[Peg]) -> None:
    for one, other in zip(found[::2], found[1::2], strict=True):
        one.hole, other.hole = other.hole, one.hole


def pass_colours_on_and_marks_back(found: list[Peg]) -> None:
    """Each waits for both of its neighbours, so that nearly all have an interim value at once."""
    colours, marks = [peg.colour for peg in found], [peg.mark for peg in found]
    for number, peg in enumerate(found):
        peg.colour, peg.mark = colours[number - 1], marks[(number + 1) % len(found)]


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_url", "mariadb_url"])
@pytest.mark.parametrize(
    ("rearrange", "most"), [(exchange_colours, 1), (exchange_holes, 1), (pass_colours_on_and_marks_back, 9)]
)
def test_many_exchanges_take_few_questions(
    url: str, rearrange: Callable[[list[Peg]], None], most: int, request: pytest.FixtureRequest
) -> None:
    store = SqlStore(request.getfixturevalue(url), mapping)
    store.create_tables()
    questions = []

    def note(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            questions.append(statement)

    try:
        with Pegs(store) as uow:
            uow.pegs.add_many([Peg(number) for number in range(2 * PAIRS)])
            uow.commit()
        with Pegs(store) as uow:
            found = uow.pegs.all()
            rearrange(found)
            expected = [(peg.colour, peg.mark, peg.hole) for peg in found]
            event.listen(store.engine, "before_cursor_execute", note)

            uow.flush()

            event.remove(store.engine, "before_cursor_execute", note)
            uow.commit()
        with Pegs(store) as uow:
            assert [(peg.colour, peg.mark, peg.hole) for peg in uow.pegs.all()] == expected
        assert 1 <= len(questions) <= most
    finally:
        store.drop_tables()
        store.dispose()
