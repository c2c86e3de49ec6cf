"""The grammar of rules, played: a small slice here, and all pairs of productions by `make truth`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from honestwork.adapters import MemoryStore, SqlStore
from tests.grammar.generator import Generator
from tests.grammar.odd import ODD
from tests.grammar.play import play_with
from tests.grammar.productions import ORDERS, PROJECTIONS, RULES, Grammar
from tests.grammar.referee import Fault, Referee
from tests.grammar.tables import mapping

from .conftest import DATABASES


@pytest.fixture(scope="module", params=DATABASES)
def referee(request: pytest.FixtureRequest) -> Iterator[Referee]:
    """One who knows the specimens as plain objects, in memory, and in a database."""
    fixture = DATABASES[request.param]
    folder = request.getfixturevalue("tmp_path_factory").mktemp("grammar")
    url = f"sqlite:///{folder}/grammar.db" if fixture is None else request.getfixturevalue(fixture)
    store = SqlStore(url, mapping, durability="process")
    store.create_tables()
    with Referee({"memory": MemoryStore(mapping), request.param: store}) as made:
        yield made
    store.drop_tables()
    store.dispose()


def test_a_slice_of_the_grammar_has_one_answer(referee: Referee) -> None:
    played = play_with(referee, rules=120, orders=6, projections=40, seed=1)

    assert [fault for each in played for fault in each.faults] == []
    assert all(each.refused < each.count / 2 for each in played), "the generator has become too wild"


def test_rules_of_odd_shapes_have_one_answer(referee: Referee) -> None:
    refused = [source for source in ODD if referee.judge_source(f"lambda u: {source}").is_refused]

    assert len(refused) < len(ODD) / 8


@pytest.mark.parametrize("grammar", [RULES, ORDERS, PROJECTIONS], ids=lambda grammar: grammar.root)
def test_a_seed_makes_the_same_formulas_each_time(grammar: Grammar) -> None:
    one, other = Generator(grammar, 7), Generator(grammar, 7)

    assert [str(one.next()[0]) for _ in range(50)] == [str(other.next()[0]) for _ in range(50)]


def test_each_formula_plays_the_pair_that_it_was_made_for() -> None:
    generator = Generator(RULES, 3)

    for _ in range(300):
        tree, pair = generator.next()

        assert pair in set(tree.pairs())


def test_what_all_refuse_counts_as_played_and_is_counted_apart() -> None:
    generator = Generator(RULES, 4)

    while not generator.score.only_refused:
        tree, pair = generator.next()
        generator.score.note(tree, pair, is_refused=True)

    assert generator.score.played == len(generator.score.only_refused)
    assert not generator.score.answered


def test_the_referee_finds_an_answer_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    from honestwork.adapters.queries import evaluation

    monkeypatch.setitem(evaluation._COMPARISONS, "le", "<")

    with Referee({"memory": MemoryStore(mapping)}) as referee, pytest.raises(Fault, match="the function"):
        referee.judge_source("lambda u: u.whole <= 3")
