"""Random programs: mostly sensible, over small domains so that things collide, with a good share of nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ...adapters.plan.tables import Reference
from .asking import AddMany, Ask, Drain, RemoveWhere, Turn
from .canned import Early, Overtaken, Refer, ReferAstray, Regret, Spoil, Succeed
from .cast import Cast, Role, Values, named
from .questions import orders, projections, rules
from .steps import (
    Add,
    AddAgain,
    Change,
    Collect,
    Crash,
    Enter,
    Foreign,
    Link,
    Look,
    Misuse,
    Nest,
    Note,
    Poke,
    Race,
    Rearrange,
    Remove,
    Replace,
    Scramble,
    Settle,
    Step,
    Swap,
)

__all__ = ["programs"]

PICKS = st.integers(0, 7)
LOOKS = ["get", "get known", "all", "find_by", "first", "item", "contains", "len", "one", "count", "exists"]
ASKS = ["find", "find", "find", "all", "first", "one", "count", "exists", "select"]
LINKING = ["append", "append", "append", "pop", "assign", "append again", "exchange", "reverse", "clear"]
COLLECTING = [
    "append", "append", "change", "change", "pop", "remove", "insert", "replace", "move", "reverse", "clear",
    "append again", "exchange", "assign", "assign a slice", "assign none",
]  # fmt: skip
MISUSES = ["use closed", "enter twice", "commit inside", "rollback inside", "key", "version", "wrong class",
    "unknown attribute", "forget"]  # fmt: skip


def programs(cast: Cast, units: int) -> SearchStrategy[list[Step]]:
    """Programs of up to forty steps, in so many units of work."""
    unit = st.integers(0, units - 1)
    step = _steps(cast, unit, units)
    batch = st.lists(step, max_size=10)
    return st.builds(
        lambda seeds, *batches: [*seeds, *(each for batch in batches for each in batch)],
        _beginnings(cast, units),
        *[batch] * 4,
    )


def _beginnings(cast: Cast, units: int) -> SearchStrategy[list[Step]]:
    """Some committed rows, and every unit reading them: conflicts are rare without."""
    adds = st.lists(st.one_of([_add(role, st.just(0)) for role in cast.roots]), max_size=6)
    reads: list[Step] = [
        Look(unit=unit, role=role, how="all", key=None, equal={}, pick=0)
        for unit in range(units)
        for role in cast.roots
    ]
    end: list[list[Step]] = [[], [Settle(0, "commit")], [Settle(0, "commit"), Settle(0, "leave"), *reads]]
    return st.builds(
        lambda adds, end: [step for add in adds for step in (add, Settle(0, "commit"))] + end,
        adds,
        st.sampled_from(end),
    )


def _steps(cast: Cast, unit: SearchStrategy[int], units: int) -> SearchStrategy[Step]:
    choices: list[SearchStrategy[Any]] = []
    for role in cast.roots:
        look = st.builds(Look, unit, st.just(role), st.sampled_from(LOOKS), role.key, _equal(role), PICKS)
        choices += [_add(role, unit), _add(role, unit), look, look, look]
        choices += _asking(role, unit)
        choices.append(st.builds(Replace, unit, st.just(role), PICKS, role.new, st.booleans(), st.booleans()))
        choices += [_rearranged(role, unit)] * 2 if _collecting(role, unit) else []
        choices.append(
            st.builds(Misuse, unit, st.just(role), PICKS, st.sampled_from(MISUSES), st.sampled_from([0, 77, "c"]))
        )
        choices += _canned(role, unit)
    mutations = {role.name: _mutations(role, unit) for role in cast.roots}
    for member in cast.roles.values():
        choices += _changes(member, unit)
    choices += [_regret(role, unit) for role in cast.roots]
    choices += [each for found in mutations.values() for each in found]
    settle = st.builds(
        Settle, unit, st.sampled_from(["commit", "flush", "commit", "rollback", "flush", "leave", "leave undone"])
    )
    choices += [settle] * (3 + len(cast.roots))
    nest = st.builds(Nest, unit, st.sampled_from(["begin", "end", "undo"]))
    choices += [nest, nest]
    choices += [
        st.builds(AddAgain, unit, PICKS, st.booleans()),
        st.builds(Note, unit, PICKS, st.integers(1, 2)),
        st.builds(Foreign, unit, PICKS, st.sampled_from(["add", "remove"])),
        st.builds(Scramble, unit, PICKS),
        st.builds(Enter, unit, st.booleans()),
        st.builds(Crash, unit, st.sampled_from(cast.roots)),
    ]
    if units > 1:
        choices += [_races(cast, role, units) for role in cast.roots] * 6
        choices += [_early(role, units) for role in cast.roots] * 2
        choices += [_overtaken(role, units) for role in cast.roots] * 2
        choices += [each for role in cast.roots for each in _refer(role, units)] * 2
    return st.one_of(choices)


def _canned(role: Role, unit: SearchStrategy[int]) -> list[SearchStrategy[Any]]:
    this = st.just(role)
    found: list[SearchStrategy[Any]] = [
        st.builds(Succeed, unit, this, PICKS, st.just(each.name), each.usual, role.new) for each in role.changeable
    ]
    for reference in role.references:
        target, _ = role.referred(reference)
        if target.repository:
            targets, values = (st.lists(each.new, min_size=3, max_size=3).map(tuple) for each in (target, role))
            found.append(
                st.builds(ReferAstray, unit, this, st.just(reference), targets, values, role.astray(reference))
            )
    if role.documents:
        json = st.sampled_from(role.documents).map("lambda each: each.{}".format)
        every = st.just("lambda each: True")
        found.append(st.builds(Ask, unit, this, st.just("select"), every, st.none(), json, st.none(), st.just(0)))
        found.append(unit.flatmap(lambda one: st.builds(Spoil, st.just(one), this, _poke(role, st.just(one)))))
    return found


def _regret(role: Role, unit: SearchStrategy[int]) -> SearchStrategy[Step]:
    def regret(one: int) -> SearchStrategy[Step]:
        changes = [*_mutations(role, st.just(one)), *_member_changes(role, st.just(one))]
        few = st.lists(st.one_of(changes), min_size=1, max_size=3).map(tuple)
        return st.builds(Regret, st.just(one), few, few)

    return unit.flatmap(regret)


def _member_changes(role: Role, unit: SearchStrategy[int]) -> list[SearchStrategy[Any]]:
    members = [role.cast.roles[each.entity.cls.__name__] for each in role.children]
    return [change for member in members for change in [*_changes(member, unit), *_member_changes(member, unit)]]


def _early(role: Role, units: int) -> SearchStrategy[Step]:
    def pair(one: int) -> SearchStrategy[Step]:
        change = st.one_of(_mutations(role, st.just((one + 1) % units), flush=False))
        return st.builds(Early, st.just(one), st.just(role), st.sampled_from(["unit", "block"]), change)

    return st.integers(0, units - 1).flatmap(pair)


def _overtaken(role: Role, units: int) -> SearchStrategy[Step]:
    def pair(one: int) -> SearchStrategy[Step]:
        change = st.one_of(_mutations(role, st.just((one + 1) % units), flush=False))
        return st.builds(Overtaken, st.just(one), st.just(role), st.lists(change, min_size=2, max_size=3).map(tuple))

    return st.integers(0, units - 1).flatmap(pair)


def _refer(role: Role, units: int) -> list[SearchStrategy[Step]]:
    def pair(one: int, reference: Reference, target: Role) -> SearchStrategy[Step]:
        when: Any = st.sampled_from(["stored", "removed", "going"])
        other = st.just((one + 1) % units)
        return st.builds(Refer, st.just(one), other, st.just(role), role.new, st.just(reference), target.new, when)

    targets = [(reference, role.referred(reference)[0]) for reference in role.references]
    return [
        st.one_of([pair(one, reference, target) for one in range(units)])
        for reference, target in targets
        if target.repository
    ]


def _poke(role: Role, unit: SearchStrategy[int]) -> SearchStrategy[Poke]:
    values = st.sampled_from([1, None, [2], {"n": "v"}, (3,)])
    return st.builds(Poke, unit, st.just(role), PICKS, st.sampled_from(role.documents), st.integers(0, 2), values)


def _asking(role: Role, unit: SearchStrategy[int]) -> list[SearchStrategy[Any]]:
    this, rule, order = st.just(role), rules(role), orders(role)
    limit = st.one_of(st.none(), st.integers(0, 3))
    ask = st.builds(
        Ask, unit, this, st.sampled_from(ASKS), rule, order, projections(role), limit, st.sampled_from([0, 0, 1])
    )
    between = st.one_of(st.none(), st.one_of(_mutations(role, unit)))
    change = st.one_of(st.none(), *_collecting(role, unit))
    return [
        *[ask] * 4,
        st.builds(Turn, unit, this, rule, order, st.integers(1, 2), between),
        st.builds(Drain, unit, this, rule, order, st.sampled_from([None, None, "flush", "commit", "rollback"]), change),
        st.builds(RemoveWhere, unit, this, rule, st.booleans()),
        st.builds(
            AddMany, unit, this, st.lists(role.new, max_size=3).map(tuple), st.one_of(st.none(), st.none(), PICKS)
        ),
    ]


def _races(cast: Cast, role: Role, units: int) -> SearchStrategy[Step]:
    """Two changes, each by a unit of its own; in half of the cases the very same change."""

    def pair(one: int) -> SearchStrategy[Step]:
        other = (one + 1) % units
        mine, theirs = (st.one_of(_mutations(role, st.just(each), flush=False)) for each in (one, other))
        related = [st.one_of(_mutations(each, st.just(other), flush=False)) for each in cast.roots]
        return st.builds(
            Race,
            st.just(one),
            st.just(role),
            mine,
            st.one_of(theirs, theirs, *related),
            st.sampled_from(["commit", "commit", "flush", "rollback"]),
        )

    return st.one_of([pair(one) for one in range(units)])


def _mutations(role: Role, unit: SearchStrategy[int], *, flush: bool = True) -> list[SearchStrategy[Any]]:
    flushing = st.booleans() if flush else st.just(False)
    found: list[SearchStrategy[Any]] = [
        _add(role, unit),
        st.builds(Remove, unit, st.just(role), PICKS, flushing),
    ]
    if (changes := _assigned(role)) is not None:
        change = st.builds(Change, unit, st.just(role), PICKS, changes, flushing)
        found += [change, change]
    found += _collecting(role, unit)
    return found


def _changes(role: Role, unit: SearchStrategy[int]) -> list[SearchStrategy[Any]]:
    found: list[SearchStrategy[Any]] = []
    if (changes := _assigned(role)) is not None:
        found.append(st.builds(Change, unit, st.just(role), PICKS, changes, st.booleans()))
    if role.repository is None:
        found += _collecting(role, unit)
    if role.documents:
        poke = _poke(role, unit)
        found += [poke, poke]
    names = [each.name for each in role.changeable]
    if names and role.repository:
        found.append(st.builds(Swap, unit, st.just(role), st.tuples(PICKS, PICKS), st.sampled_from(names)))
    return found


def _collecting(role: Role, unit: SearchStrategy[int]) -> list[SearchStrategy[Any]]:
    found: list[SearchStrategy[Any]] = []
    for children in role.children:
        if not children.is_collection:
            continue
        member = role.cast.roles[children.entity.cls.__name__]
        found += [
            st.builds(
                Collect,
                unit,
                st.just(role),
                PICKS,
                st.just(children.attribute),
                st.just(member),
                st.sampled_from(COLLECTING),
                member.new,
                PICKS,
                st.booleans(),
            )
        ] * 2
    for links in role.links:
        member = role.cast.roles[links.entity.cls.__name__]
        found += [
            st.builds(
                Link,
                unit,
                st.just(role),
                PICKS,
                st.just(links.attribute),
                st.just(member),
                st.sampled_from(LINKING),
                PICKS,
                st.booleans(),
            )
        ] * 2
    return found


def _rearranged(role: Role, unit: SearchStrategy[int]) -> SearchStrategy[Step]:
    changes = st.lists(st.one_of(_collecting(role, unit)), min_size=1, max_size=3).map(tuple)
    return st.builds(Rearrange, unit, st.just(role), role.new, changes, _links(role))


def _assigned(role: Role) -> SearchStrategy[Values] | None:
    if not (role.changeable or role.references):
        return None
    return role.once("assignments", lambda: st.one_of(_assignments(role)))


def _assignments(role: Role) -> list[SearchStrategy[Values]]:
    """One attribute changes; sometimes to something that it may not like."""
    found: list[SearchStrategy[Values]] = []
    for each in role.changeable:
        usual, nasty = named(each.name, each.usual), named(each.name, each.nasty)
        found += [usual, usual, usual, usual, nasty]
    return found + [role.reference(each) for each in role.references for _ in range(4)]


def _add(role: Role, unit: SearchStrategy[int]) -> SearchStrategy[Step]:
    return st.builds(Add, unit, st.just(role), role.new, st.booleans(), _links(role))


def _links(role: Role) -> SearchStrategy[int | None]:
    """Which members of a new aggregate to join; None for none of them."""
    has_links = any(each.links for each in role.cast.roles.values())
    return st.one_of(st.none(), st.integers(0, 2)) if has_links else st.none()


def _equal(role: Role) -> SearchStrategy[Values]:
    """A condition on one attribute, or none."""
    found: list[SearchStrategy[Values]] = [st.just({})]
    for each in role.searchable:
        usual, nasty = named(each.name, each.usual), named(each.name, each.nasty)
        found += [usual, usual, nasty]
    return st.one_of(found)
