"""Random rules, as source text, and random users for them to be about.

The texts are full of what databases get wrong: capitals, blanks, the wildcards of LIKE and GLOB, letters
outside of ASCII. The numbers are few, so that they meet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from .shop import Address, Line, Status, User

NAMESPACE: dict[str, Any] = {"dt": dt, "Decimal": Decimal, "UUID": UUID, "Status": Status, "Address": Address}

texts = st.text(alphabet="aAbJ%_/*?[]é ß", max_size=3)
numbers = st.integers(-3, 4)
amounts = st.integers(-400, 400).map(lambda n: Decimal(n) / 100)
days = st.dates(dt.date(1999, 12, 30), dt.date(2000, 1, 3))


def predicate(source: str) -> Callable[[User], bool]:
    """The rule that a source text spells."""
    made: Callable[[User], bool] = eval(f"lambda u: {source}", dict(NAMESPACE))
    return made


# --- users --------------------------------------------------------------------------------------------

addresses = st.builds(Address, texts, st.none() | texts)
users = st.lists(
    st.fixed_dictionaries(
        {
            "name": texts,
            "age": numbers,
            "banned": st.booleans(),
            "status": st.sampled_from(Status),
            "born": days,
            "balance": amounts,
            "nick": st.none() | texts,
            "score": st.none() | numbers,
            "vip": st.none() | st.booleans(),
            "address": addresses,
            "billing": st.none() | addresses,
            "lines": st.lists(st.tuples(texts, numbers, amounts, st.none() | texts), max_size=3),
        }
    ),
    min_size=1,
    max_size=6,
)


def made(rows: list[dict[str, Any]]) -> list[User]:
    """The users of such rows, numbered."""
    found = []
    for i, row in enumerate(rows):
        lines = [Line(i * 100 + j, *values) for j, values in enumerate(row["lines"])]
        found.append(User(**(row | {"id": i, "lines": lines})))
    return found


# --- conditions ---------------------------------------------------------------------------------------


def _literal(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(repr)


def _conditions(number: list[str], maybe: list[str], text: list[str], maybe_text: list[str]) -> st.SearchStrategy[str]:
    """Conditions on attributes of these names, the `maybe` ones being None at times, and guarded in some idiom."""

    def spelled(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(template.format, *parts)

    order, same = st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.sampled_from(["==", "!="])
    end = st.sampled_from(["startswith", "endswith"])
    plain, plain_text = st.sampled_from(number), st.sampled_from(text)
    some, some_text = st.sampled_from(maybe), st.sampled_from(maybe_text)
    small, word = _literal(numbers), _literal(texts)
    n = st.one_of(
        plain,
        spelled("abs({})", plain),
        spelled("({} + {})", plain, small),
        spelled("({} - {})", plain, plain),
        spelled("({} * {})", plain, plain),
        spelled("(-{})", plain),
        spelled("({} % {})", plain, st.integers(1, 3).map(repr)),
    )
    t = st.one_of(plain_text, spelled("{}.lower()", plain_text), spelled("({} + {})", plain_text, word))
    return st.one_of(
        spelled("{} {} {}", n, order, n | small),
        spelled("{} < {} <= {}", small, n, small),
        spelled("{} {} {}", t, order, t | word),
        spelled("{} in {}", n, _literal(st.lists(numbers, max_size=3))),
        spelled("{} not in {}", t, _literal(st.lists(texts, max_size=3).map(tuple))),
        spelled("{0} != {1} and {0} != {2}", plain, small, small),
        spelled("{0} == {1} or {0} == {2}", plain_text, word, word),
        spelled("{0} in {2} or {0} not in {3}", n, n, *[_literal(st.lists(numbers, max_size=3))] * 2),
        spelled("len({}) {} {}", t, order, small),
        spelled("{}.{}({})", t, end, word),
        spelled("{} in {}", word, t),
        spelled("bool({})", some_text | t | some),
        # Attributes that may be None.
        spelled("{} {} {}", some, same, n | some | small | st.just("None")),
        spelled("{} {} {}", some_text, same, t | some_text | word),
        spelled("{} in {}", some, _literal(st.lists(st.none() | numbers, max_size=3))),
        spelled("{0} != {1} and {0} != {2}", some, small, small),
        spelled("{0} is not None and {0} {1} {2}", some, order, small | n),
        spelled("{0} is None or {0} {1} {2}", some, order, small),
        spelled("not ({0} is not None and {0} {1} {2})", some, order, small),
        spelled("({} or 0) {} {}", some, order, small),
        spelled("({0} if {0} is not None else {1}) {2} {3}", some, n, order, small),
        spelled("({} or {}) == {}", some_text, t, word),
        spelled("{0} is not None and {0}.{1}({2})", some_text, end, word),
        spelled("{0} is None or not {0}.{1}({2})", some_text, end, word),
        spelled("{0} is not None and ({0} {1} {2} or {3} > {2})", some, order, small, n),
        spelled("{0} is not None and ({0} < {1} or {0} >= {1})", some, small),
        spelled("({0} is not None and {0} < {1}) or ({0} is not None and {0} >= {1})", some, small),
        # Not guarded: refused, unless something around it guards.
        spelled("{} {} {}", some, order, small),
    )


_of_line = _conditions(["x.qty", "u.age"], ["u.score"], ["x.sku"], ["x.note", "u.nick"])
_of_user = st.one_of(
    _conditions(["u.age", "u.id"], ["u.score"], ["u.name", "u.address.city"], ["u.nick", "u.address.zip"]),
    st.sampled_from(
        [
            *("u.banned", "not u.banned", "u.vip is None", "u.vip is True", "u.vip is not False", "bool(u.vip)"),
            *("u.vip == u.banned", "u.status is Status.NEW", "u.status != Status.OPEN", "u.status.live"),
            *("u.status in (Status.NEW, Status.CLOSED)", "u.is_adult", "u.older_than(2)", "u.total_over(2)"),
            *("u.label == 'J'", "u.label.startswith('a')", "bool(u.lines)", "not u.lines"),
            *("u.address == Address('a', None)", "u.billing is None", "u.billing == Address('a', None)"),
            *("u.billing is not None and u.billing.city != 'a'", "u.billing is None or u.billing.zip is None"),
            *("u.born.year == 2000", "u.born.month > 3", "u.born.day <= 2"),
        ]
    ),
    st.builds("u.born {} dt.{!r}".format, st.sampled_from(["<", "==", ">="]), days.map(lambda day: _Day(day))),
    st.builds("u.balance {} {}".format, st.sampled_from(["<", "==", ">="]), _literal(amounts)),
    st.builds("u.balance * u.age {} {}".format, st.sampled_from(["<", "==", ">="]), _literal(amounts)),
    st.builds("{}({} for x in u.lines)".format, st.sampled_from(["any", "all", "not any"]), _of_line),
    st.builds("{}({} for x in u.lines if {})".format, st.sampled_from(["any", "all"]), _of_line, _of_line),
    st.builds("len(u.lines) {} {}".format, st.sampled_from(["<", "==", ">="]), _literal(numbers)),
    st.builds("sum(x.qty for x in u.lines if {}) > {}".format, _of_line, _literal(numbers)),
    st.builds("sum(x.qty * x.price for x in u.lines) {} {}".format, st.sampled_from(["<=", "=="]), _literal(amounts)),
)


class _Day:
    def __init__(self, day: dt.date) -> None:
        self.day = day

    def __repr__(self) -> str:
        return f"date({self.day.year}, {self.day.month}, {self.day.day})"


sources = st.recursive(
    _of_user.map("({})".format),
    lambda part: st.one_of(
        st.builds("({} and {})".format, part, part),
        st.builds("({} or {})".format, part, part),
        st.builds("(not {})".format, part),
        st.builds("({} if {} else {})".format, part, part, part),
    ),
    max_leaves=5,
)
