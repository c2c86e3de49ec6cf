"""Makes formulas of a grammar, each for the sake of a pair that has not been played yet.

A pair is a production under another one, or one beside another under a common parent. Which pairs there are follows
from the grammar; which of them have been played is kept in a `Score`. The same seed makes the same formulas, as long as
the referee says the same of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from .productions import SPECIMEN, Grammar, Production, Types

__all__ = ["Generator", "Pair", "Score", "Tree"]

UNDER, BESIDE = "under", "beside"
TRIES = 4  # of a pair, before it counts as refused
HOSTS = 4  # in which two parts are tried beside one another


class Pair(NamedTuple):
    """One production under another, or beside it: then in the order of their names."""

    how: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.one!r} {self.how} {self.other!r}"


def beside(one: Production, other: Production) -> Pair:
    return Pair(BESIDE, *sorted((one.name, other.name)))


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


class _State(NamedTuple):
    """A place in a formula: what may stand there, and objects of which classes can be seen."""

    kind: str
    classes: frozenset[str]


class _Step(NamedTuple):
    """From a place to one in a part of what stands there."""

    above: _State
    production: Production
    part: int


class Generator:
    """Makes formulas of one grammar. *score* tells it what has been played, so note there what came of each."""

    def __init__(self, grammar: Grammar, seed: int) -> None:
        self.grammar = grammar
        self.chance = random.Random(f"{grammar.root} {seed}")
        self._depths: dict[_State, int] = {}
        self._steps: dict[_State, list[_Step]] = {}
        self._hosts: dict[Pair, list[Production]] = {}  # those that have the pair in their parts
        self._met: dict[tuple[Types, frozenset[str], Types, frozenset[str]], int] = {}  # two parts, and in how many hosts
        self._look_around()
        self._note_pairs()
        wanted = sorted(pair for pair in self._hosts if any(name in grammar.own for name in pair[1:]))
        self.chance.shuffle(wanted)
        self.score = Score(dict.fromkeys(wanted))
        self._queue: list[Pair] = []

    # --- what there is --------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Find every place there is, and the shortest way there."""
        start = _State(self.grammar.root, frozenset({SPECIMEN}))
        self._depths[start] = 0
        waiting = [start]
        for state in waiting:
            for production in self.grammar.making.get(state.kind, ()):
                if production.needs is not None and production.needs not in state.classes:
                    continue
                for part, types in enumerate(production.takes):
                    for kind in types:
                        below = _State(kind, _seen_by(state.classes, production, part))
                        self._steps.setdefault(below, []).append(_Step(state, production, part))
                        if below not in self._depths:
                            self._depths[below] = self._depths[state] + 1
                            waiting.append(below)

    def _note_pairs(self) -> None:
        self._seen: dict[str, frozenset[str]] = {}  # for a type: all that can be seen where it stands
        for kind, classes in self._depths:
            self._seen[kind] = self._seen.get(kind, frozenset()) | classes
        for kind, classes in self._seen.items():
            for production in self.grammar.making.get(kind, ()):
                if production.needs is None or production.needs in classes:
                    self._note_pairs_of(production, classes)

    def _note_pairs_of(self, host: Production, classes: frozenset[str]) -> None:
        seen = [_seen_by(classes, host, part) for part, _ in enumerate(host.takes)]
        for types, known in zip(host.takes, seen, strict=True):
            for each in self._fitting(types, known):
                self._hosts.setdefault(Pair(UNDER, each.name, host.name), []).append(host)
        for (one, at_one), (other, at_other) in combinations(zip(host.takes, seen, strict=True), 2):
            place = (one, at_one, other, at_other)
            self._met[place] = times = self._met.get(place, 0) + 1
            if times > HOSTS:  # others will do
                continue
            names = [[each.name for each in self._fitting(*each)] for each in ((one, at_one), (other, at_other))]
            pairs = {(left, right) if left < right else (right, left) for left in names[0] for right in names[1]}
            for pair in pairs:
                self._hosts.setdefault(Pair(BESIDE, *pair), []).append(host)

    def _fitting(self, types: Types, classes: Iterable[str]) -> list[Production]:
        return [each for each in self.grammar.fitting(types) if each.needs is None or each.needs in classes]

    # --- formulas -------------------------------------------------------------------------------------

    def next(self) -> tuple[Tree, Pair | None]:
        """A formula, and the pair that it was made for: None if all have been played."""
        while self._queue:
            pair = self._queue.pop()
            if self.score.is_open(pair):
                return self._for(pair), pair
        if missing := self.score.missing:
            self._queue = missing[::-1]
            return self.next()
        return self._whole(), None

    def _for(self, pair: Pair) -> Tree:
        host = self.chance.choice(self._hosts[pair])
        chosen = self.chance.choice(self._ways(pair, host))
        needed = {host.needs} - {None}
        for part, production in chosen.items():
            needed |= {production.needs} - {None} - (set(host.binds) if part in host.inside else set())
        places = [state for state in self._depths if state.kind == host.makes and needed <= state.classes]
        least = min(self._depths[state] for state in places)
        place = self.chance.choice([state for state in places if self._depths[state] == least])
        return self._above(place, lambda seen: self._made(host, seen, 1, chosen))

    def _ways(self, pair: Pair, host: Production) -> list[dict[int, Production]]:
        """Which parts of the host may be what, so that the pair is there."""
        classes = self._seen[host.makes]
        fitting = [
            {each.name: each for each in self._fitting(types, _seen_by(classes, host, part))}
            for part, types in enumerate(host.takes)
        ]
        if pair.how == UNDER:
            return [{part: known[pair.one]} for part, known in enumerate(fitting) if pair.one in known]
        return [
            {one: fitting[one][left], other: fitting[other][right]}
            for one, other in combinations(range(len(fitting)), 2)
            for left, right in ((pair.one, pair.other), (pair.other, pair.one))
            if left in fitting[one] and right in fitting[other]
        ]

    def _above(self, state: _State, make: Callable[[Names], Tree]) -> Tree:
        """The whole formula in which *make* makes what stands in a place."""
        steps: list[_Step] = []
        while self._depths[state]:
            nearer = [step for step in self._steps[state] if self._depths[step.above] < self._depths[state]]
            step = self.chance.choice(nearer)
            steps.append(step)
            state = step.above
        return self._down(steps, (("u", SPECIMEN),), make)

    def _down(self, steps: list[_Step], seen: Names, make: Callable[[Names], Tree]) -> Tree:
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
        for part in sorted(range(len(production.takes)), key=lambda part: part not in (given or {}) and part not in chosen):
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
        fitting = [each for each in self._fitting(types, {cls for _, cls in seen}) if not each.is_refused]
        if budget <= 0:
            fitting = [each for each in fitting if not each.takes] or fitting
        some = self.chance.sample(fitting, min(len(fitting), 6))
        best = max(some, key=lambda each: self._worth(each, above, others))
        return self._made(best, seen, budget - 1, {})

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


def _seen_by(classes: frozenset[str], production: Production, part: int) -> frozenset[str]:
    return classes | frozenset(production.binds) if part in production.inside else classes
