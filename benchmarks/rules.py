"""A rule as a query, beside the `select()` that says the same."""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.bars import Bench, Figure, Unbuilt, bar


@bar("trace a rule of two comparisons and build its statement", peer="hand-written select()", at_most=4.00)
def building(bench: Bench) -> Figure:
    if find_spec("honestwork.domain.rules") is None:
        raise Unbuilt("there are no rules yet")
    raise Unbuilt("rules are there, and their benchmark is still to be written")
