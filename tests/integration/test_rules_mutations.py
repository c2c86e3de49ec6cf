"""The judge is judged: each of these bugs, planted in a compiler, must be found by it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from honestwork.adapters.queries import evaluation as memory
from honestwork.adapters.sql import decimals, rules as sql
from honestwork.rules import formula, order
from honestwork.rules.trace import Tracer
from tests.rules_kit import directed
from tests.rules_kit.judge import Judge, engine
from tests.rules_kit.orders import walk_all

tracing = sys.modules[Tracer.__module__]  # the package has a function of the module's name
Plant = Callable[[pytest.MonkeyPatch], None]


def _swap(op: str, other: str) -> Plant:
    """One operator is compiled as another."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = sql._Compiler.value

        def wrong(self: Any, e: formula.Expr, like: Any = None) -> Any:
            return right(self, formula.Expr(other, e.args, e.type) if e.op == op else e, like)

        patch.setattr(sql._Compiler, "value", wrong)

    return plant


def guards_always_go(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(formula, "_strict", lambda e, attribute: True)


def null_counts_as_strict(patch: pytest.MonkeyPatch) -> None:
    right = formula._strict
    patch.setattr(formula, "_strict", lambda e, attribute: e.op == "isnull" or right(e, attribute))


def none_is_not_different(patch: pytest.MonkeyPatch) -> None:
    # `x != 1` without `x IS NULL OR`: what SQL does when nobody helps it
    right = formula.or_

    def wrong(*parts: formula.Expr) -> formula.Expr:
        nulls = [part for part in parts if part.op == "isnull"]
        rest = [part for part in parts if part.op != "isnull"]
        return right(*(rest if nulls and any(part.op in ("ne", "notin") for part in rest) else parts))

    patch.setattr("honestwork.rules.formula.or_", wrong)


def members_union_where_they_intersect(patch: pytest.MonkeyPatch) -> None:
    right = formula._merged
    patch.setattr(formula, "_merged", lambda op, a, b: right("or" if op == "and" else "and", a, b))


def in_keeps_the_first_member(patch: pytest.MonkeyPatch) -> None:
    right = formula.member
    patch.setattr(formula, "member", lambda subject, values, positive=True: right(subject, values[:1], positive))


def opposite_of_less_is_greater(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(formula._OPPOSITE, "lt", "gt")


def wildcards_stay_wild(patch: pytest.MonkeyPatch) -> None:
    templates = {"startswith": "{}*", "endswith": "*{}", "contains": "*{}*"}
    patch.setattr(sql._Pattern, "process_bind_param", lambda self, value, _: templates[self.kind].format(value))


def ends_are_beginnings(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(sql._PATTERNS, "endswith", sql._PATTERNS["startswith"])


def like_ignores_case(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql, "_Matches", lambda subject, pattern: sa.func.lower(subject).op("GLOB")(sa.func.lower(pattern)))


def modulo_of_the_database(patch: pytest.MonkeyPatch) -> None:
    right = sql._Compiler._unary

    def wrong(self: Any, e: formula.Expr) -> Any:
        return self.value(e.args[0]) % self.value(e.args[1]) if e.op == "mod" else right(self, e)

    patch.setattr(sql._Compiler, "_unary", wrong)


def decimals_stay_floats(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decimals, "_read", Decimal)  # of a float, all its binary digits


def exists_forgets_its_condition(patch: pytest.MonkeyPatch) -> None:
    right = sql._Compiler._children
    patch.setattr(
        sql._Compiler,
        "_children",
        lambda self, outer, path, inner, cls, where, what: right(self, outer, path, inner, cls, formula.TRUE, what),
    )


def sum_of_nothing_is_null(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sa.func, "coalesce", lambda value, _: value, raising=False)


def memory_forgets_none(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory._Writer, "_any", lambda self, parts, known: self._all(parts, known))


def memory_confuses_siblings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(memory.Rows, "column", lambda self, row, path: f"{row}[{min(self.positions[path], 3)}]")


def lookups_do_not_matter(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(memory._COMPARISONS, "le", "<")


def _atom(op: str, wrong: Callable[[str], str]) -> Plant:
    """The memory store writes other source for one operator."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = memory._Writer._atom

        def atom(self: Any, e: formula.Expr, known: Any) -> str:
            source = right(self, e, known)
            return wrong(source) if e.op == op else source

        patch.setattr(memory._Writer, "_atom", atom)

    return plant


def memory_adds_up_all_children(patch: pytest.MonkeyPatch) -> None:
    right = memory._Writer._children

    def wrong(self: Any, e: formula.Expr, known: Any) -> tuple[str, str, str]:
        row, rows, condition = right(self, e, known)
        return row, rows, "True" if e.op == "sum" else condition

    patch.setattr(memory._Writer, "_children", wrong)


def memory_does_not_ask_for_none(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(formula.Expr, "nullables", lambda self: ())


def a_question_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    # The tree of a rule, cut where a question was answered by no.
    patch.setattr(tracing, "branch", lambda question, then, other: formula.branch(question, then, formula.FALSE))


def an_answer_is_taken_for_its_opposite(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tracing, "polarity", lambda e: (formula.polarity(e)[0], True))


BUGS: dict[str, Plant] = {
    "memory: not is nothing": _atom("not", lambda source: source.removeprefix("not ")),
    "memory: any is all": _atom("exists", lambda source: source.replace("any(", "all(", 1)),
    "memory: startswith is endswith": _atom("startswith", lambda source: source.replace("startswith", "endswith")),
    "memory: in is not in": _atom("in", lambda source: source.replace(" in ", " not in ")),
    "!= is ==": _swap("ne", "eq"),
    "> is >=": _swap("gt", "ge"),
    "<= is <": _swap("le", "lt"),
    "IS NULL is IS NOT NULL": _swap("isnull", "notnull"),
    "NOT IN is IN": _swap("notin", "in"),
    "contains is startswith": _swap("contains", "startswith"),
    "- is +": _swap("sub", "add"),
    "upper is lower": _swap("upper", "lower"),
}
BUGS |= {
    plant.__name__.replace("_", " "): plant
    for plant in (
        *(guards_always_go, null_counts_as_strict, none_is_not_different, members_union_where_they_intersect),
        *(in_keeps_the_first_member, opposite_of_less_is_greater, wildcards_stay_wild, ends_are_beginnings),
        *(like_ignores_case, modulo_of_the_database, decimals_stay_floats, exists_forgets_its_condition),
        *(memory_adds_up_all_children, memory_does_not_ask_for_none),
        *(a_question_is_forgotten, an_answer_is_taken_for_its_opposite),
        *(sum_of_nothing_is_null, memory_forgets_none, memory_confuses_siblings, lookups_do_not_matter),
    )
}


@pytest.fixture
def judge() -> Iterator[Judge]:
    # An engine of its own for each bug: what another one has compiled would hide it.
    lite = engine("sqlite://")
    yield Judge({"sqlite": lite})
    lite.dispose()


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    BUGS[bug](monkeypatch)

    with judge.about(directed.users), pytest.raises((AssertionError, TypeError)):
        judge.all(directed.SHAPES)


# --- orders and pages ---------------------------------------------------------------------------------


def nulls_go_where_they_like(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql._NullsLast, "place", "FIRST")


def descending_is_ascending(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sa.ColumnElement, "desc", sa.ColumnElement.asc)


def the_next_page_repeats_the_last_row(patch: pytest.MonkeyPatch) -> None:
    right = order._beyond

    def wrong(key: order.OrderKey, value: object) -> Any:
        beyond, equal = right(key, value)
        return (formula.or_(beyond, equal) if key.expression.args[1] == ("id",) else beyond), equal

    patch.setattr(order, "_beyond", wrong)


def the_next_page_forgets_the_nulls(patch: pytest.MonkeyPatch) -> None:
    right = order._beyond

    def wrong(key: order.OrderKey, value: object) -> Any:
        beyond, equal = right(key, value)
        parts = [part for part in beyond.args if part.op != "isnull"] if beyond.op == "or" else [beyond]
        return formula.or_(*parts), equal

    patch.setattr(order, "_beyond", wrong)


def the_next_page_goes_back(patch: pytest.MonkeyPatch) -> None:
    right = order._beyond
    patch.setattr(order, "_beyond", lambda key, value: right(order.OrderKey(key.expression, not key.descending), value))


def memory_sorts_nulls_first(patch: pytest.MonkeyPatch) -> None:
    right = memory._Writer.sort_key
    patch.setattr(
        memory._Writer,
        "sort_key",
        lambda self, key: right(self, order.OrderKey(key.expression, key.descending, not key.nulls_first)),
    )


PAGE_BUGS: list[Plant] = [
    *(nulls_go_where_they_like, descending_is_ascending, the_next_page_repeats_the_last_row),
    *(the_next_page_forgets_the_nulls, the_next_page_goes_back, memory_sorts_nulls_first),
]


@pytest.mark.parametrize("plant", PAGE_BUGS)
def test_a_bug_in_orders_and_pages_is_found(plant: Plant, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)

    with judge.about(directed.users), pytest.raises(AssertionError):
        walk_all(judge)
