"""Makes formulas of a grammar, each for the sake of a pair that has not been played yet.

A pair is a production under another one, or one beside another under a common parent. Which pairs there are follows
from the grammar; which of them have been played is kept in a `Score`. The same seed makes the same formulas, as long as
the referee says the same of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from .places import UNDER, Pair, Place, Step, beside, places_of
from .productions import SPECIMEN, Grammar, Production, Types

__all__ = ["Generator", "Score", "Tree"]

TRIES = 4  # of a pair, before it counts as refused
CANDIDATES = 30  # of which the one that plays most pairs stands where nothing is wanted


Names = tuple[tuple[str, str], ...]  # the variables that can be seen, each with its class


@dataclass(frozen=True)
class Tree:
    """A production that is made use of: with its variables, one of its picks, and what stands in its parts."""

    production: Production
    owner: str
    bound: tuple[str, ...]
    pick: str
    parts: tuple[Tree, ...]
    seen: Names

    def __str__(self) -> str:
        v, w = (*self.bound, "", "")[:2]
        k = f"({self.pick})" if re.search(r"^-|\*\*|' \*| \+ ", self.pick) else self.pick
        return self.production.template.format(*self.parts, o=self.owner, v=v, w=w, k=k)

    def all(self) -> Iterator[Tree]:
        yield self
        for part in self.parts:
            yield from part.all()

    def pairs(self) -> Iterator[Pair]:
        for tree in self.all():
            for part in tree.parts:
                yield Pair(UNDER, part.production.name, tree.production.name)
            for one, other in combinations(tree.parts, 2):
                yield beside(one.production, other.production)


@dataclass
class Score:
    """Which pairs there are, which were answered, and which were refused by every store alike."""

    wanted: dict[Pair, None]
    answered: set[Pair] = field(default_factory=set)
    refused: set[Pair] = field(default_factory=set)
    _tries: dict[Pair, int] = field(default_factory=dict)

    def note(self, tree: Tree, target: Pair | None, *, is_refused: bool) -> None:
        if not is_refused:
            self.answered.update(tree.pairs())
            return
        refused = {each.production.name for each in tree.all() if each.production.is_refused}
        for pair in tree.pairs():
            if pair.one in refused or pair.other in refused:
                self.refused.add(pair)
        if target is not None and target not in self.answered:
            # Something else in it may be what is refused: another formula will tell.
            self._tries[target] = tries = self._tries.get(target, 0) + 1
            if tries >= TRIES:
                self.refused.add(target)

    def is_open(self, pair: Pair) -> bool:
        return pair not in self.answered and pair not in self.refused

    @property
    def played(self) -> int:
        return sum(not self.is_open(pair) for pair in self.wanted)

    @property
    def only_refused(self) -> list[Pair]:
        return [pair for pair in self.wanted if pair in self.refused and pair not in self.answered]

    @property
    def missing(self) -> list[Pair]:
        return [pair for pair in self.wanted if self.is_open(pair)]


class Generator:
    """Makes formulas of one grammar. *score* tells it what has been played, so note there what came of each."""

    def __init__(self, grammar: Grammar, seed: int) -> None:
        self.grammar = grammar
        self.chance = random.Random(f"{grammar.root} {seed}")
        self._places = places_of(grammar)
        wanted = self._places.pairs()
        self.chance.shuffle(wanted)
        self.score = Score(dict.fromkeys(wanted))
        self._queue: list[Pair] = []
        self._is_done = False

    def next(self) -> tuple[Tree, Pair | None]:
        """A formula, and the pair that it was made for: None if all have been played."""
        while self._queue:
            pair = self._queue.pop()
            if self.score.is_open(pair):
                return self._for(pair), pair
        if not self._is_done:
            self._queue = self.score.missing[::-1]
            self._is_done = not self._queue
            return self.next()
        return self._whole(), None

    def _for(self, pair: Pair) -> Tree:
        host = self.chance.choice(self._places.hosts(pair))
        chosen = self.chance.choice(self._places.ways(pair, host))
        place = self.chance.choice(self._places.nearest(host, chosen))
        return self._above(place, lambda seen: self._made(host, seen, 1, chosen))

    def _above(self, place: Place, make: Callable[[Names], Tree]) -> Tree:
        """The whole formula in which *make* makes what stands in a place."""
        depths = self._places.depths
        steps: list[Step] = []
        while depths[place]:
            nearer = [step for step in self._places.steps[place] if depths[step.above] < depths[place]]
            step = self.chance.choice(nearer)
            steps.append(step)
            place = step.above
        return self._down(steps, (("u", SPECIMEN),), make)

    def _down(self, steps: list[Step], seen: Names, make: Callable[[Names], Tree]) -> Tree:
        if not steps:
            return make(seen)
        *rest, (_, production, place) = steps
        return self._made(production, seen, 1, {}, {place: lambda names: self._down(rest, names, make)})

    def _whole(self) -> Tree:
        """Any formula, and not a small one."""
        return self._filled((self.grammar.root,), (("u", SPECIMEN),), self.chance.choice((3, 4, 5)), None, [])

    def _made(
        self,
        production: Production,
        seen: Names,
        budget: int,
        chosen: dict[int, Production],
        given: dict[int, Callable[[Names], Tree]] | None = None,
    ) -> Tree:
        owners = [name for name, cls in seen if cls == production.needs]
        bound = tuple(f"{'pgx'[number]}{len(seen)}" for number, _ in enumerate(production.binds))
        inside = (*seen, *zip(bound, production.binds, strict=True))
        parts: dict[int, Tree] = {}
        for part in sorted(
            range(len(production.takes)), key=lambda part: part not in (given or {}) and part not in chosen
        ):
            names = inside if part in production.inside else seen
            if given and part in given:
                parts[part] = given[part](names)
            elif part in chosen:
                parts[part] = self._made(chosen[part], names, budget, {})
            else:
                beside_it = [each.production for each in parts.values()]
                parts[part] = self._filled(production.takes[part], names, budget, production, beside_it)
        return Tree(
            production,
            self.chance.choice(owners) if owners else "",
            bound,
            self.chance.choice(production.picks),
            tuple(parts[part] for part in range(len(production.takes))),
            seen,
        )

    def _filled(
        self, types: Types, seen: Names, budget: int, above: Production | None, others: list[Production]
    ) -> Tree:
        """Something for a part of which nothing is wanted: it had better play pairs too."""
        fitting = [each for each in self._places.fitting(types, {cls for _, cls in seen}) if not each.is_refused]
        if budget <= 0:
            fitting = [each for each in fitting if not each.takes] or fitting
        some = self.chance.sample(fitting, min(len(fitting), CANDIDATES))
        best = max(some, key=lambda each: self._worth(each, above, others))
        return self._made(best, seen, budget - (best.makes != "key"), {})

    def _worth(self, production: Production, above: Production | None, others: list[Production]) -> int:
        # A comparison of two constants asks nothing of anybody.
        worth = -3 if production.is_constant and all(each.is_constant for each in others) else 0
        pairs = [beside(production, each) for each in others]
        if above is not None:
            pairs.append(Pair(UNDER, production.name, above.name))
        for pair in pairs:
            worth += 1 if self.score.is_open(pair) and pair not in self.score._tries else 0
            worth -= 10 if pair in self.score.refused or pair in self.score._tries else 0
        return worth
