"""Plays random rules, orders and projections on some stores, and counts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from honestwork.service_layer import Store

from .generator import Generator, Score, Tree
from .productions import ORDERS, PROJECTIONS, RULES, Grammar
from .referee import Fault, Referee, Verdict

__all__ = ["Played", "play", "play_with"]

SIZES = (1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)  # of pages: the small ones take long


@dataclass
class Played:
    """What came of the questions of one grammar."""

    kind: str
    score: Score
    count: int = 0
    refused: int = 0
    seconds: float = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.count} {self.kind}s, {self.refused} refused, {self.count / max(self.seconds, 0.001):.0f} a second"
        )


def play(
    stores: Mapping[str, Store], *, rules: int, orders: int, projections: int, seed: int = 0, most_faults: int = 1
) -> list[Played]:
    """Play so many of each on these stores."""
    with Referee(stores, seed=seed) as referee:
        return play_with(
            referee, rules=rules, orders=orders, projections=projections, seed=seed, most_faults=most_faults
        )


def play_with(
    referee: Referee, *, rules: int, orders: int, projections: int, seed: int = 0, most_faults: int = 1
) -> list[Played]:
    """Have so many of each judged; a kind ends with its last fault that is allowed."""
    chance = random.Random(seed)

    def judge_order(tree: Tree) -> Verdict:
        return referee.judge_order(tree, chance.choice(SIZES), chance.randrange(4))

    return [
        _played(RULES, referee.judge_rule, rules, seed, most_faults),
        _played(ORDERS, judge_order, orders, seed, most_faults),
        _played(PROJECTIONS, referee.judge_projection, projections, seed, most_faults),
    ]


def _played(grammar: Grammar, judge: Callable[[Tree], Verdict], count: int, seed: int, most_faults: int) -> Played:
    generator = Generator(grammar, seed)
    played = Played(grammar.root, generator.score)
    started = time.monotonic()
    while played.count < count and len(played.faults) < most_faults:
        tree, target = generator.next()
        played.count += 1
        try:
            is_refused = judge(tree).is_refused
        except Fault as fault:
            played.faults.append(_shrunk(tree, judge, str(fault)))
            continue
        played.refused += is_refused
        generator.score.note(tree, target, is_refused=is_refused)
    played.seconds = time.monotonic() - started
    return played


def _shrunk(tree: Tree, judge: Callable[[Tree], Verdict], fault: str) -> str:
    """The fault of the smallest condition in the rule that has one."""
    if tree.production.makes != "rule":
        return fault
    whole = next(each for each in RULES.productions if each.name == "a function")
    conditions = [each for each in tree.all() if each.production.makes == "bool" and len(each.seen) == 1]
    for condition in sorted(conditions, key=lambda each: len(str(each))):
        try:
            judge(Tree(whole, "", (), "", (condition,), condition.seen))
        except Fault as smaller:
            return str(smaller)
    return fault
