"""Asks the function and every store, and says whether they agree.

The function over plain objects is the truth. A store may refuse the question, as long as all of them do; whatever
else differs is a fault: another answer, an error of another class, or an answer where the function raises.
"""

from __future__ import annotations

import functools
import itertools
import linecache
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any

from honestwork.domain import RuleRefused, desc, nulls_first
from honestwork.rules.numbers import EXACT
from honestwork.service_layer import Store

from .domain import NAMESPACE, Specimen, specimens
from .generator import Tree
from .numbers import is_beyond
from .tables import Collection

__all__ = ["Fault", "Referee", "Verdict", "function_of"]

_numbers = itertools.count()
_NAMES = NAMESPACE | {"desc": desc, "nulls_first": nulls_first}


@dataclass(frozen=True)
class Verdict:
    """How a question went: it was answered by all, or refused by all, or goes beyond the numbers of databases."""

    is_refused: bool
    why: str = ""


class Fault(Exception):
    """They do not agree."""


def function_of(source: str) -> Callable[[Any], Any]:
    """The function that a source text spells, with the text where `inspect` and tracebacks look for it."""
    filename = f"<grammar {next(_numbers)}>"
    is_lambda = source.startswith("lambda")
    text = f"asked = {source}\n" if is_lambda else f"def asked(u):\n{textwrap.indent(source, '    ')}\n"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace = dict(_NAMES)
    exec(compile(text, filename, "exec"), namespace)
    made: Callable[[Any], Any] = namespace["asked"]
    return made


class Referee:
    """Knows the same specimens as plain objects and in some stores."""

    def __init__(self, stores: Mapping[str, Store], *, seed: int = 0) -> None:
        self.people = specimens(seed)
        self._stores = stores
        self._units: dict[str, Collection] = {}
        self._open = ExitStack()
        for store in stores.values():
            with Collection(store) as uow:
                uow.specimens.add_many(specimens(seed))
                uow.commit()

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Referee:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- questions ------------------------------------------------------------------------------------

    def judge_rule(self, tree: Tree) -> Verdict:
        return self.judge_source(str(tree), tree)

    def judge_source(self, source: str, tree: Tree | None = None) -> Verdict:
        """Judge a rule that may be written by hand."""
        with _forgotten_after():
            rule = function_of(source)
            expected = self._ids(rule)
            return self._compare(source, tree, expected, lambda uow: [each.id for each in uow.specimens.find(rule)])

    def judge_order(self, tree: Tree, size: int, part: int) -> Verdict:
        """Walk all the pages of a *size*, there and back again; of all, or without one *part* of three."""
        with _forgotten_after():
            order = function_of(f"return {tree}")
            rule = function_of(f"lambda u: u.id % 3 != {part}")
            keys = [
                (_value_of(part.parts[0] if part.parts else part), *_MARKS[part.production.name]) for part in tree.parts
            ]
            expected = [each.id for each in _sorted(filter(rule, self.people), keys)]
            verdict = self._compare(str(tree), tree, expected, lambda uow: _by_order(uow, rule, order, size))
            if not verdict.is_refused:
                back = function_of(f"return {_backwards(tree)}")
                self._compare(f"{tree}, backwards", tree, expected[::-1], lambda uow: _by_order(uow, rule, back, size))
            return verdict

    def judge_projection(self, tree: Tree) -> Verdict:
        with _forgotten_after():
            columns = function_of(f"return {tree}")
            values = [_value_of(part) for part in tree.parts]
            spells = [_of_value if _has_sum(part) else spelled for part in tree.parts]
            expected = [
                [spell(value(each)) for value, spell in zip(values, spells, strict=True)] for each in self.people
            ]
            return self._compare(
                str(tree),
                tree,
                expected,
                lambda uow: [
                    [spell(value) for value, spell in zip(_flat(row), spells, strict=True)]
                    for row in uow.specimens.select(columns)
                ],
            )

    # --- answers --------------------------------------------------------------------------------------

    def _ids(self, rule: Callable[[Specimen], Any]) -> Any:
        try:
            return [each.id for each in self.people if rule(each)]
        except Exception as error:
            return error

    def _compare(self, source: str, tree: Tree | None, expected: Any, ask: Callable[[Collection], Any]) -> Verdict:
        refusals: dict[str, str] = {}
        is_excused = False
        for name in self._stores:
            try:
                found = ask(self._unit(name))
            except RuleRefused as refusal:
                refusals[name] = str(refusal)
                continue
            except Exception as error:
                self._leave(name)
                if self._is_beyond(tree):
                    is_excused = True
                    continue
                raise Fault(f"{name} raises {type(error).__name__}({error})\n{source}") from error
            if isinstance(expected, Exception):
                raise Fault(f"{name} answers, and the function raises {expected!r}\n{source}")
            if found != expected:
                if not self._is_beyond(tree):
                    raise Fault(f"{name} {_difference(found, expected)}\n{source}")
                is_excused = True
        alike = len(refusals) in (0, len(self._stores)) and len(set(refusals.values())) <= 1
        if not alike and not self._is_beyond(tree):
            raise Fault(f"refused by {refusals} of {', '.join(self._stores)}\n{source}")
        why = next(iter(refusals.values()), "goes beyond 64 bits" if is_excused else "")
        return Verdict(bool(why), why)

    def _is_beyond(self, tree: Tree | None) -> bool:
        return tree is not None and is_beyond(tree, self.people)

    def _unit(self, name: str) -> Collection:
        if name not in self._units:
            uow = Collection(self._stores[name])
            uow.__enter__()
            self._units[name] = uow
            self._open.callback(self._leave, name)
        return self._units[name]

    def _leave(self, name: str) -> None:
        if (uow := self._units.pop(name, None)) is not None:
            uow.__exit__(None, None, None)


def _difference(found: list[Any], expected: list[Any]) -> str:
    if found and isinstance(found[0], list):
        number = next(number for number, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
        return f"reads {found[number]} of the row {number + 1}, the function {expected[number]}"
    return f"finds {found}, the function {expected}"


@contextmanager
def _forgotten_after() -> Iterator[None]:
    known = set(linecache.cache)
    yield
    for filename in linecache.cache.keys() - known:
        del linecache.cache[filename]


# --- orders -------------------------------------------------------------------------------------------

# For a kind of key: is it descending, and are its NULLs first?
_MARKS = {
    "a key": (False, False),
    "a bool as a key": (False, False),
    "desc": (True, False),
    "nulls first": (False, True),
    "nulls first, desc": (True, True),
}
_OPPOSITES = {(False, False): "nulls_first(desc({}))", (True, False): "nulls_first({})"}
_OPPOSITES |= {(False, True): "desc({})", (True, True): "{}"}


def _value_of(tree: Tree) -> Callable[[Specimen], Any]:
    """A key or a column as a function of its own: what is computed from None is None."""
    function = function_of(f"return {tree}")

    def value(specimen: Specimen) -> Any:
        try:
            return function(specimen)
        except (TypeError, AttributeError):
            return None

    return value


def _sorted(people: Iterable[Specimen], keys: Sequence[tuple[Callable[[Specimen], Any], bool, bool]]) -> list[Specimen]:
    found = sorted(people, key=lambda each: each.id)
    for value, is_descending, are_first in reversed(keys):
        known = {each.id: value(each) for each in found}
        present = [each for each in found if known[each.id] is not None]
        missing = [each for each in found if known[each.id] is None]

        def compare(one: Specimen, other: Specimen) -> int:
            a, b = known[one.id], known[other.id]  # noqa: B023  # used within this turn
            order: int = (a > b) - (a < b)
            return -order if is_descending else order  # noqa: B023

        present.sort(key=functools.cmp_to_key(compare))
        found = missing + present if are_first else present + missing
    return found


def _backwards(tree: Tree) -> str:
    keys = [
        _OPPOSITES[_MARKS[part.production.name]].format(part.parts[0] if part.parts else part) for part in tree.parts
    ]
    return f"({', '.join(keys)}, desc(u.id))"


def _by_order(uow: Collection, rule: Callable[[Any], bool], order: Callable[[Any], Any], size: int) -> list[int]:
    """All in this order; as pages give them, where that is something else."""
    whole = [each.id for each in uow.specimens.find(rule, order_by=order)]
    paged: list[int] = []
    after = None
    while len(paged) <= len(whole):
        page = uow.specimens.page(rule, order_by=order, limit=size, after=after)
        paged += [each.id for each in page]
        after = page.next
        if after is None:
            break
    return whole if paged == whole else paged


# --- projections --------------------------------------------------------------------------------------


def _flat(row: Any) -> Iterator[Any]:
    for each in row:
        if type(each) is tuple:
            yield from _flat(each)
        else:
            yield each


def spelled(value: Any) -> str:
    """A value with its type and all its digits; a zero has no sign."""
    if is_dataclass(value):
        return f"{type(value).__name__}({', '.join(spelled(getattr(value, each.name)) for each in fields(value))})"
    if isinstance(value, float | Decimal) and value == 0:
        value = abs(value)
    return f"{type(value).__name__} {value!r}"


def _has_sum(tree: Tree) -> bool:
    return any("sum" in each.production.template or "worth" in each.production.template for each in tree.all())


def _of_value(value: Any) -> str:
    """A number whatever its digits are: in Python a sum of nothing is the int that it began with."""
    if isinstance(value, int | Decimal) and type(value) is not bool:
        return f"{Decimal(value).normalize(EXACT) + 0:f}"
    return spelled(value)
