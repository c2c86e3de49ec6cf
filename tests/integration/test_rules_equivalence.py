"""One rule, one answer: the plain function, the in-memory store, and every database there is.

The directed shapes are one for each construct; the random ones are what nobody thought of. How many of
those is a matter of time: 300 here, and as many as one likes by `RULES=5000 pytest -k random`. They go to the compilers
themselves; what goes through a repository is drawn from a grammar, see `test_rules_grammar`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.rules_kit import directed, generate
from tests.rules_kit.judge import Judge, made

RULES = int(os.environ.get("RULES", "300"))
EACH = 6  # rules for each set of users


def test_every_directed_shape_has_one_answer(judge: Judge) -> None:
    with judge.about(directed.users):
        judge.all(directed.SHAPES)

    assert judge.refused == 0


def random_rules(judge: Judge, rules: int) -> None:
    """Judge about this many random rules."""

    @settings(
        max_examples=max(1, rules // EACH),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.lists(generate.sources, min_size=EACH, max_size=EACH), generate.users)
    def run(sources: list[str], rows: list[dict[str, object]]) -> None:
        with judge.about(lambda: made(rows)):
            judge.all(sources)

    run()


def test_random_rules_have_one_answer(judge: Judge) -> None:
    judge.judged = judge.refused = 0

    random_rules(judge, RULES)

    assert judge.judged > RULES / 2, f"{judge.refused} of {RULES} were refused: the generator has become too wild"
