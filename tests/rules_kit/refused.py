"""Everything that has no exact query, with the words that tell its author why."""

from __future__ import annotations

import copy
import datetime as dt
import math
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .shop import Status, User

FAVOURITE = object()


class Admin(User):
    pass


def loop(u: User) -> bool:
    for line in u.lines:  # noqa: SIM110  # the loop is the point
        if line.qty > 3:
            return True
    return False


def swallow(u: User) -> bool:
    try:
        return f"{u.name}" == "x"
    except Exception:
        return True


def many_questions(u: User) -> bool:
    for i in range(200):
        if u.age == i * 7:
            return u.name == str(i)
    return False


def endless(u: User) -> bool:
    n = 0
    while u.age > n:
        n += 1
    return n > 3


def many_calculations(u: User) -> bool:
    age = u.age
    for _ in range(200_000):
        age = age + 1
    return age > 3


def many_paths(u: User) -> bool:
    return all([(u.age > i or u.id < i) for i in range(10)])  # noqa: C419


def forgot(u: User) -> bool:  # type: ignore[return]
    u.age > 18  # noqa: B015


def writes_global(u: User) -> bool:
    global written
    written = 1  # type: ignore[name-defined]
    return True


def writes_attribute(u: User) -> bool:
    u.age = 3
    return True


def writes_nonlocal() -> Callable[[User], bool]:
    n = 0

    def sneaky(u: User) -> bool:
        nonlocal n
        n += 1
        return u.age > n

    return sneaky


def imports(u: User) -> bool:
    import json

    return bool(json)


async def waits(u: User) -> bool:
    return u.age > 3


def yields(u: User):  # type: ignore[no-untyped-def]
    yield u.age > 3


def matches_class(u: User) -> bool:
    match u:
        case Admin():
            return True
        case _:
            return False


def twice(u: User) -> bool:
    large = (line.qty > 3 for line in u.lines)
    return any(large) and any(large)


def drawn_from(u: User) -> bool:
    large = (line.qty > 3 for line in u.lines)
    return any(large) or next(large, False)


def deletes(u: User) -> bool:
    del u.nick
    return True


def sets_an_element(u: User) -> bool:
    seen: dict[str, int] = {}
    seen["age"] = u.age
    return True


class CurrencyMismatch(Exception):
    pass


class Coins:
    """A value object that does not compare with everything."""

    def __lt__(self, other: object) -> bool:
        raise CurrencyMismatch("EUR and USD")


def names_a_status(u: User) -> bool:
    return {"new": True}[u.status.value]


def changes_its_mind() -> Callable[[User], bool]:
    runs: list[int] = []

    def moody(u: User) -> bool:
        runs.append(1)
        return u.age > len(runs) and u.id > 1

    return moody


def is_old(n: int) -> bool:
    return n > 60


def asserted(u: User) -> bool:
    assert u.age > 3
    return True


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    # None
    "unguarded comparison": (lambda u: u.score >= 18, "raises TypeError(.*) when score is None"),
    "unguarded method": (lambda u: u.nick.startswith("x"), "raises AttributeError(.*) when nick is None"),
    "unguarded sum": (lambda u: u.score + 1 > 3, "raises TypeError"),
    "unguarded value object": (lambda u: u.billing.city == "x", "when billing.city is None"),
    "unguarded len": (lambda u: len(u.nick) > 3, "raises TypeError"),
    "unguarded in a helper": (lambda u: is_old(u.score), "raises TypeError(.*) when score is None"),
    "unguarded child": (lambda u: any(x.note < "a" for x in u.lines), "raises TypeError(.*) when x1.note is None"),
    # any path that raises
    "a helper that raises": (names_a_status, "raises KeyError.* when status != Status.NEW"),
    "a value object that raises": (
        lambda u: u.banned or Coins() < Coins(),
        "raises CurrencyMismatch.* when not banned",
    ),
    "an assertion": (lambda u: asserted(u), "raises AssertionError.* when age <= 3"),
    # identity and classes
    "is an object": (lambda u: u.name is FAVOURITE, "compares with `is FAVOURITE`"),
    "is a favourite": (lambda u: u is FAVOURITE, "compares with `is FAVOURITE`"),
    "is an argument": (lambda u, other="a": u.name is other, "compares with `is"),  # type: ignore[misc]
    "== of entities": (lambda u: u == FAVOURITE, "compares a whole User; compare its key"),
    "type of what has subclasses": (lambda u: type(u) is User, "asks for the class of a User, which has subclasses"),
    "isinstance of a subclass": (lambda u: isinstance(u, Admin), "asks isinstance"),
    "class pattern": (matches_class, "matches a class pattern"),
    # formatting and text methods
    "f-string": (lambda u: f"{u.name}!" == "x!", "an f-string"),
    "% formatting": (lambda u: "%s" % u.name == "x", "% formatting"),  # noqa: UP031
    "join": (lambda u: " ".join([u.name, u.nick or ""]) == "x", "raises TypeError"),
    "regular expression": (lambda u: re.match("x", u.name) is not None, "raises TypeError"),
    "strip": (lambda u: u.name.strip() == "x", r"uses \.strip of name"),
    "replace": (lambda u: u.name.replace("a", "b") == "x", r"uses \.replace of name"),
    "index": (lambda u: u.name[0] == "J", "an index or a slice"),
    "slice": (lambda u: u.name[:1] == "J", "an index or a slice"),
    "in a constant text": (lambda u: u.name in "abc", "raises TypeError"),
    "prefix of an attribute": (lambda u: u.name.startswith(u.nick or "x"), "constant text"),
    "str()": (lambda u: str(u.age) == "3", r"uses str\(\)"),
    "call": (lambda u: u.name() == "x", "raises TypeError"),
    "format of a whole object": (lambda u: str(u) == "x", "str"),
    # hashing
    "dict.get": (lambda u: {"a": 1}.get(u.name, 0) > 0, "hash"),
    "in a dict": (lambda u: u.name in {"a": 1}, "hash"),
    "in a set made on the way": (lambda u: u.name in set(["a", "b"]), "hash"),  # noqa: C405
    "set of attributes": (lambda u: len({u.age, u.id}) == 2, "hash"),
    # types
    "int == str": (lambda u: u.age == "18", r"mixes age \(int\) with '18' \(str\)"),
    "str == int": (lambda u: u.name == 3, "mixes name"),
    "date == datetime": (lambda u: u.born == dt.datetime(2000, 1, 1), "mixes born"),
    "date < datetime": (lambda u: u.born < dt.datetime(2000, 1, 1), "mixes born"),
    "Decimal * float": (lambda u: u.balance * 1.5 > 3, "mixes balance"),
    "Decimal > float": (lambda u: u.balance > 1.5, "mixes balance"),
    "NaN": (lambda u: u.age > float("nan"), "nan"),
    "infinity": (lambda u: u.age > float("inf"), "inf"),
    "NUL": (lambda u: u.name == "a\0b", "NUL"),
    "lone surrogate": (lambda u: u.name == "\ud800", "lone surrogate"),
    "lone surrogate in a pattern": (lambda u: u.name.startswith("\ud800"), "lone surrogate"),
    "infinite Decimal": (lambda u: u.balance < Decimal("Infinity"), "finite"),
    "enormous Decimal": (lambda u: u.balance < Decimal("1E+400"), "at most 65 digits before the point"),
    "Decimal of many digits": (lambda u: u.balance > Decimal("1.499999999999999999999"), "more than 15 digits"),
    "one of many digits, among others": (lambda u: u.balance in (1, Decimal(1) / 3), "left|more than 15 digits"),
    "bytes": (lambda u: u.name == b"a", "mixes name"),
    "Decimal on the left of an int": (lambda u: Decimal("1.5") < u.age, "write age on the left"),
    # arithmetic
    "/": (lambda u: u.age / 2 > 3, "uses /"),
    "//": (lambda u: u.age // 2 > 3, "uses //"),
    "% by an attribute": (lambda u: u.age % u.id == 0, "uses %"),
    "**": (lambda u: u.age**2 > 3, r"uses \*\*"),
    "round": (lambda u: round(u.balance) == 3, "round"),
    "int()": (lambda u: int(u.balance) > 3, "int"),
    "float()": (lambda u: float(u.balance) > 3, r"uses float\(\)"),
    "divmod": (lambda u: divmod(u.age, 2) == (0, 1), "divmod"),
    "floor": (lambda u: math.floor(u.balance) > 3, "floor"),
    "date arithmetic": (lambda u: (dt.date.today() - u.born).days > 3, "does arithmetic on born"),
    "bitwise": (lambda u: u.age & 1 == 1, "bitwise"),
    "large arithmetic": (lambda u: u.age + 10**30 > 3, "64 bits"),
    # collections
    "loop": (loop, "loops over the collection lines"),
    "list comprehension": (lambda u: any([x.qty > 3 for x in u.lines]), "loops over"),  # noqa: C419
    "two loops": (lambda u: any(x.qty > y.qty for x in u.lines for y in u.lines), "loops over"),
    "filter": (lambda u: len(list(filter(lambda x: x.qty > 1, u.lines))) > 0, "collection lines"),
    "next": (lambda u: next((x for x in u.lines if x.qty > 1), None) is not None, "loops over"),
    "max": (lambda u: max(x.qty for x in u.lines) > 3, "loops over"),
    "one element": (lambda u: u.lines[0].qty > 3, "one element"),
    "a generator that is used twice": (twice, "goes through one generator twice"),
    "a generator that is drawn from again": (drawn_from, "loops over"),
    "append": (lambda u: u.lines.append(FAVOURITE) or True, r"uses \.append of the collection lines"),
    "== of collections": (lambda u: u.lines == [], "compares the collection lines"),
    "in a collection": (lambda u: FAVOURITE in u.lines, "uses `in`"),
    "sum of different things": (
        lambda u: sum(x.qty if x.sku == "a" else x.id for x in u.lines) > 3,
        "several different expressions",
    ),
    "sum of texts": (lambda u: sum(x.sku for x in u.lines) == 3, "adds up"),
    "sum of what may be None": (lambda u: sum(x.note for x in u.lines) == 3, "raises TypeError"),
    # writing
    "assignment": (writes_attribute, "changes `age`"),
    "global": (writes_global, "changes `written`"),
    "nonlocal": (writes_nonlocal(), "changes `n`"),
    "import": (imports, "imports"),
    "async": (waits, "is async"),
    "generator": (yields, "yields"),
    "del": (deletes, "changes `nick`"),
    "element": (sets_an_element, "changes `an element`"),
    "setattr": (lambda u: u.__setattr__("age", 3) or True, r"assigns User\.age"),
    # what is returned
    "nothing": (forgot, "returns NoneType None, not a bool|returns NoneType None and not a bool"),
    "~ of a comparison": (lambda u: ~(u.age > 18), "returns int|Bitwise inversion"),
    "~ of a bool": (lambda u: ~u.banned, "returns int|Bitwise inversion"),
    "an object": (lambda u: [u.age], "returns a list and not a bool"),
    "a condition of SQLAlchemy": (FAVOURITE, "is no function, but object: write `lambda user:"),  # type: ignore[dict-item]
    # attributes
    "unknown": (lambda u: u.foo == 1, r"reads User\.foo"),
    "hasattr": (lambda u: hasattr(u, "foo"), r"reads User\.foo"),
    "vars": (lambda u: vars(u)["age"] > 3, "TypeError|__dict__|vars"),
    "copy": (lambda u: copy.copy(u).age > 3, "copy"),
    "enum truth": (lambda u: u.status > Status.NEW, "raises TypeError"),
    # shape
    "swallowed": (swallow, "an f-string"),
    "many questions": (many_questions, "more than 100 questions"),
    "endless loop": (endless, "more than 100 questions"),
    "many calculations": (many_calculations, "calculates more than 100 times"),
    "many paths": (many_paths, "more than 256 paths"),
    "random": (lambda u: u.age > random.random() and u.id > 1, "not deterministic"),
    "changes its mind": (changes_its_mind(), "not deterministic"),
}
