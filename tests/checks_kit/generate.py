"""Random CHECKs, drawn from a grammar: each in the words of SQLAlchemy and in those of SQL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

import sqlalchemy as sa
from hypothesis import strategies as st

from . import things
from .things import UUIDS, Colour

__all__ = ["Written", "checks"]

NAMESPACE: dict[str, Any] = {"sa": sa, "dt": dt, "Decimal": Decimal, "Colour": Colour, "UUIDS": UUIDS}


class Written(NamedTuple):
    """One CHECK in two languages; *source* is a Python expression over the columns `c`."""

    source: str
    text: str

    def expression(self, c: Any) -> Any:
        return eval(self.source, NAMESPACE | {"c": c})


Spelled = st.SearchStrategy[Written]


def column(*names: str) -> Spelled:
    return st.sampled_from([Written(f"c.{name}", name) for name in names])


def spelled(python: str, sql: str, *parts: Spelled) -> Spelled:
    def fill(*given: Written) -> Written:
        return Written(python.format(*[each.source for each in given]), sql.format(*[each.text for each in given]))

    return st.builds(fill, *parts)


def choice(*pairs: tuple[str, str]) -> Spelled:
    return st.sampled_from([Written(*pair) for pair in pairs])


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# --- constants --------------------------------------------------------------------------------------------

whole = things.NUMBERS.map(lambda n: Written(repr(n), str(n)))
large = st.sampled_from([Written(repr(n), str(n)) for n in (2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1)])
halves = st.integers(-5, 5).map(lambda n: Written(f"Decimal({str(n / 2)!r})", str(n / 2)))
amounts = things.CENTS.map(lambda n: Written(f"Decimal({str(n)!r})", str(n)))
floats = st.sampled_from([Written(repr(x), repr(x)) for x in (0.0, 0.1, 0.5, -0.5, 1.0, 2.0, 0.3)])
words = things.TEXTS.filter(lambda each: ":" not in each).map(lambda each: Written(repr(each), text(each)))
days = things.DAYS.map(lambda day: Written(f"dt.{day!r}".replace("datetime.", ""), f"DATE '{day}'"))
locals_ = things.MOMENTS.map(lambda at: Written(f"dt.{at!r}".replace("datetime.", ""), f"TIMESTAMP '{at}'"))
ZONES = st.sampled_from([0, 5, -3]).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
moments = st.builds(lambda at, zone: at.astimezone(zone), things.AWARE, ZONES).map(
    lambda at: Written(f"dt.datetime.fromisoformat({at.isoformat()!r})", f"TIMESTAMP WITH TIME ZONE '{at}'")
)
clocks = choice(("dt.time(12)", "TIME '12:00:00'"), ("dt.time(12, 0, 0, 1)", "TIME '12:00:00.000001'"))
spans = choice(
    ("dt.timedelta(days=1)", "INTERVAL '1 day'"),
    ("dt.timedelta(hours=-25)", "INTERVAL '-25 hours'"),
    ("dt.timedelta(0)", "INTERVAL '0 days'"),
)
codes = st.sampled_from([Written(f"UUIDS[{n}]", text(str(each))) for n, each in enumerate(UUIDS)])
colours = choice(("Colour.RED", "'RED'"), ("Colour.BLUE", "'BLUE'"))
kinds = choice(("'new'", "'new'"), ("'old'", "'old'"))

# --- values -----------------------------------------------------------------------------------------------

text_columns = column("word", "name")
texts = text_columns | spelled("sa.func.coalesce({}, {})", "coalesce({}, {})", text_columns, words)
texts |= spelled("({}.concat({}))", "({} || {})", text_columns, text_columns | words)
numbers = column("a", "b", "small") | spelled("sa.func.char_length({})", "char_length({})", texts)
numbers |= spelled("sa.func.coalesce({}, {})", "coalesce({}, {})", column("a", "b", "small"), whole)
numbers |= spelled("sa.extract('day', {})", "extract(day from {})", column("day", "due"))
integers = st.recursive(
    numbers,
    lambda inner: st.one_of(
        spelled("({} + {})", "({} + {})", inner, inner | whole),
        spelled("({} + {})", "({} + {})", whole, inner),
        spelled("({} - {})", "({} - {})", inner | whole, inner),
        spelled("({} * {})", "({} * {})", inner, whole | inner),
        spelled("({} % 3)", "({} % 3)", inner),
        spelled("(-{})", "(- {})", inner),
        spelled("sa.func.abs({})", "abs({})", inner),
    ),
    max_leaves=3,
)
decimals = st.recursive(
    column("price", "tax") | spelled("sa.func.coalesce({}, {})", "coalesce({}, {})", column("price", "tax"), amounts),
    lambda inner: st.one_of(
        spelled("({} + {})", "({} + {})", inner, inner | amounts | whole | numbers),
        spelled("({} - {})", "({} - {})", inner | amounts, inner),
        spelled("({} * {})", "({} * {})", inner, whole | amounts | column("tax", "small")),
        spelled("(-{})", "(- {})", inner),
        spelled("sa.func.abs({})", "abs({})", inner),
    ),
    max_leaves=3,
)

# --- conditions -------------------------------------------------------------------------------------------

orders = choice(*((op, op) for op in ("<", "<=", ">", ">=")), ("==", "="), ("!=", "<>"))
sames = choice(("==", "="), ("!=", "<>"))


def _about(values: Spelled, constants: Spelled, orders: Spelled = orders) -> Spelled:
    """All that can be asked of values of one kind."""
    other = values | constants
    found = [
        spelled("({0} {2} {1})", "({0} {2} {1})", values, other, orders),
        spelled("({1} {2} {0})", "({1} {2} {0})", values, other, orders),
        spelled("{}.is_(None)", "({} IS NULL)", values),
        spelled("{}.is_not(None)", "({} IS NOT NULL)", values),
        spelled("{}.is_distinct_from({})", "({} IS DISTINCT FROM {})", values, other),
        spelled("{}.is_not_distinct_from({})", "({} IS NOT DISTINCT FROM {})", values, other),
        *[_membership(values, constants, *each) for each in product((1, 3), (("in_", "IN"), ("not_in", "NOT IN")))],
        spelled("{}.in_([{}, None])", "({} IN ({}, NULL))", values, constants),
        spelled("{}.not_in([None, {}])", "({} NOT IN (NULL, {}))", values, constants),
    ]
    if orders is not sames:
        found += [
            spelled("{}.between({}, {})", "({} BETWEEN {} AND {})", values, other, other),
            spelled("(~{}.between({}, {}))", "({} NOT BETWEEN {} AND {})", values, other, other),
        ]
    return st.one_of(found)


def _membership(values: Spelled, constants: Spelled, members: int, words: tuple[str, str]) -> Spelled:
    listed = ", ".join(["{}"] * members)
    return spelled(f"{{}}.{words[0]}([{listed}])", f"({{}} {words[1]} ({listed}))", values, *[constants] * members)


def _likes() -> Spelled:
    parts = st.lists(st.sampled_from(["%", "_", "a", "A", "*", "?", "[", "]", "b", "é", "'"]), max_size=4).map("".join)
    patterns = parts.map(lambda each: Written(repr(each), text(each)))
    quoted = parts.map(lambda each: each.replace("%", "/%")).map(lambda each: Written(repr(each), text(each)))
    return st.one_of(
        spelled("{}.like({})", "({} LIKE {})", texts, patterns),
        spelled("{}.not_like({})", "({} NOT LIKE {})", texts, patterns),
        spelled("{}.like({}, escape='/')", "({} LIKE {} ESCAPE '/')", texts, quoted),
    )


flags = column("flag", "done")
atoms = st.one_of(
    _about(integers, whole | large | halves),
    _about(column("a", "big"), whole | large),
    _about(decimals, amounts | whole),
    spelled("({} {} {})", "({} {} {})", column("price", "tax"), orders, column("a", "big", "tax")),
    spelled("({} {} {})", "({} {} {})", column("real"), orders, column("a", "small", "real")),
    _about(column("real"), floats),
    _about(texts, words),
    _likes(),
    _about(column("day", "due"), days),
    _about(column("at", "until"), moments),
    _about(column("local"), locals_),
    _about(column("clock"), clocks),
    _about(column("span"), spans),
    _about(column("code"), codes),
    _about(column("colour", "tint"), colours, sames),
    _about(column("kind"), kinds, sames),
    flags,
    spelled("({} == True)", "({} = TRUE)", flags),
    spelled("({} {} {})", "({} {} {})", flags, sames, flags),
    spelled("{}.is_(True)", "({} IS TRUE)", flags),
    spelled("{}.is_not(False)", "({} IS NOT FALSE)", flags),
    spelled("{}.is_(None)", "({} IS NULL)", flags),
)
checks: Spelled = st.recursive(
    atoms,
    lambda inner: st.one_of(
        spelled("sa.and_({}, {})", "({} AND {})", inner, inner),
        spelled("sa.or_({}, {})", "({} OR {})", inner, inner),
        spelled("sa.and_({}, {}, {})", "({} AND {} AND {})", inner, inner, inner),
        spelled("sa.not_({})", "(NOT {})", inner),
        spelled("(({}) == ({}))", "(({}) = ({}))", inner, inner),
        spelled("(({}) != ({}))", "(({}) <> ({}))", inner, inner),
        spelled("({}).is_(True)", "({} IS TRUE)", inner),
        spelled("({}).is_not(False)", "({} IS NOT FALSE)", inner),
        spelled("({}).is_(None)", "({} IS NULL)", inner),
    ),
    max_leaves=5,
)
