"""Where productions can stand: the places in formulas of a grammar, the shortest way to each, and all pairs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

from .productions import SPECIMEN, Grammar, Production, Types

__all__ = ["BESIDE", "UNDER", "Pair", "Place", "Places", "Step", "beside", "places_of", "seen_by"]

UNDER, BESIDE = "under", "beside"
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


class Place(NamedTuple):
    """What may stand there, and objects of which classes can be seen."""

    kind: str
    classes: frozenset[str]


class Step(NamedTuple):
    """From a place to one in a part of what stands there."""

    above: Place
    production: Production
    part: int


class _Siblings(NamedTuple):
    """Two parts of some hosts, and what each of them may be."""

    one: frozenset[str]
    other: frozenset[str]
    hosts: list[Production]


class Places:
    """All places of one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self.depths: dict[Place, int] = {}
        self.steps: dict[Place, list[Step]] = {}  # to each place
        self._seen: dict[str, frozenset[str]] = {}  # for a type: all that can be seen where it stands
        self._under: dict[Pair, list[Production]] = {}  # the hosts of the pair
        self._beside: dict[tuple[Types, frozenset[str], Types, frozenset[str]], _Siblings] = {}
        self._look_around()
        for kind, classes in self._seen.items():
            for production in grammar.making.get(kind, ()):
                if production.needs is None or production.needs in classes:
                    self._note_hosts(production, classes)

    def _look_around(self) -> None:
        start = Place(self._grammar.root, frozenset({SPECIMEN}))
        self.depths[start] = 0
        waiting = [start]
        for place in waiting:
            self._seen[place.kind] = self._seen.get(place.kind, frozenset()) | place.classes
            for production in self._grammar.making.get(place.kind, ()):
                if production.needs is not None and production.needs not in place.classes:
                    continue
                for part, types in enumerate(production.takes):
                    for kind in types:
                        below = Place(kind, seen_by(place.classes, production, part))
                        self.steps.setdefault(below, []).append(Step(place, production, part))
                        if below not in self.depths:
                            self.depths[below] = self.depths[place] + 1
                            waiting.append(below)

    def _note_hosts(self, host: Production, classes: frozenset[str]) -> None:
        parts = [(types, seen_by(classes, host, part)) for part, types in enumerate(host.takes)]
        for part in parts:
            for each in self.fitting(*part):
                self._under.setdefault(Pair(UNDER, each.name, host.name), []).append(host)
        for one, other in combinations(parts, 2):
            if (*one, *other) not in self._beside:
                self._beside[*one, *other] = _Siblings(self._names(*one), self._names(*other), [])
            if len(hosts := self._beside[*one, *other].hosts) < HOSTS:  # others will do
                hosts.append(host)

    def _names(self, types: Types, classes: frozenset[str]) -> frozenset[str]:
        return frozenset(each.name for each in self.fitting(types, classes))

    # --- what generators ask --------------------------------------------------------------------------

    def pairs(self) -> list[Pair]:
        """All that are of this grammar, and not of another one that it has inside."""
        siblings: set[tuple[str, str]] = set()
        for each in self._beside.values():
            siblings |= {pair if pair[0] < pair[1] else pair[::-1] for pair in product(each.one, each.other)}
        own = self._grammar.own
        pairs = [pair for pair in self._under if pair.one in own or pair.other in own]
        return sorted(pairs + [Pair(BESIDE, *pair) for pair in siblings if pair[0] in own or pair[1] in own])

    def fitting(self, types: Types, classes: Iterable[str]) -> list[Production]:
        """What may stand in a part."""
        return [each for each in self._grammar.fitting(types) if each.needs is None or each.needs in classes]

    def hosts(self, pair: Pair) -> list[Production]:
        """Productions that can have the pair in their parts."""
        if pair.how == UNDER:
            return self._under[pair]
        return [
            host
            for each in self._beside.values()
            if (pair.one in each.one and pair.other in each.other)
            or (pair.other in each.one and pair.one in each.other)
            for host in each.hosts
        ]

    def ways(self, pair: Pair, host: Production) -> list[dict[int, Production]]:
        """Which parts of the host may be what, so that the pair is there."""
        classes = self._seen[host.makes]
        fitting = [
            {each.name: each for each in self.fitting(types, seen_by(classes, host, part))}
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

    def nearest(self, host: Production, parts: dict[int, Production]) -> list[Place]:
        """The nearest places where the host can stand with these parts."""
        needed = {host.needs} - {None}
        for part, production in parts.items():
            needed |= {production.needs} - {None} - (set(host.binds) if part in host.inside else set())
        places = [place for place in self.depths if place.kind == host.makes and needed <= place.classes]
        least = min(self.depths[place] for place in places)
        return [place for place in places if self.depths[place] == least]


def seen_by(classes: frozenset[str], production: Production, part: int) -> frozenset[str]:
    """What a part of a production sees."""
    return classes | frozenset(production.binds) if part in production.inside else classes


@lru_cache(None)
def places_of(grammar: Grammar) -> Places:
    """The places of a grammar, which take a second to find."""
    return Places(grammar)
