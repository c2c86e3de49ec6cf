"""Every construct that has a query, with the SQL that a person would write for it (PostgreSQL)."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from honestwork.domain import all_of, any_of, negate, rule

from .shop import Address, Status, User

Predicate = Callable[[Any], Any]


def adult(user: User) -> bool:
    return user.age >= 18 and user.name.startswith("J")


def older_than(n: int) -> Predicate:
    return lambda u: u.age > n


def older_with_lines(n: int) -> Predicate:
    return lambda u: u.age > n and any(line.qty > 0 for line in u.lines)


def one_of(names: Collection[str]) -> Predicate:
    return lambda u: u.name in names


def missing(value: object) -> bool:
    return value is None


def nameless(u: User) -> bool:
    return missing(u.nick)


def live(status: Status) -> bool:
    return status is not Status.CLOSED


@rule
def early_bird(u: User) -> bool:
    return u.age > 3


@rule
def frequent(u: User) -> bool:
    return bool(u.lines)


def early(u: User) -> bool:
    if u.banned:
        return False
    if u.status is Status.CLOSED:
        return u.age > 60
    return u.age > 18


def is_joe(u: User) -> bool:
    return u.name.lower() == "joe"


def nullsafe(u: User) -> bool:
    if u.score is None:
        return True
    return u.score > 3


def matcher(u: User) -> bool:
    match u.status:
        case Status.NEW | Status.OPEN:
            return u.age > 1
        case _:
            return False


def match_none(u: User) -> bool:
    match u.nick:
        case None:
            return False
        case "Bo" | "Jo":
            return True
        case _:
            return u.age == 1


def tried(u: User) -> bool:
    try:
        return u.score > 3  # type: ignore[operator]
    except TypeError:
        return False


class Policy:
    limit = 7

    def allows(self, u: User) -> bool:
        return u.age > self.limit


class Older:
    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, u: User) -> bool:
        return any(line.qty > self.n for line in u.lines)


allowed = ("a", "b", "c")
thousand = list(range(1000))
allowed_set = {"a", "b"}
wanted = "X1"
somebody = UUID(int=7)
offices = (Address("Oslo", None), Address("Rome", "1"))
PRIORITY = {Status.NEW: 1, Status.OPEN: 2, Status.CLOSED: 3}
older_still = functools.partial(lambda n, u: u.age > n, 5)
line_of = "SELECT 1 FROM lines WHERE users.id = lines.user_id AND"

SUPPORTED: dict[str, tuple[Predicate, str]] = {
    # and, or, not
    "adult": (adult, "age >= 18 AND name LIKE 'J%' ESCAPE '/'"),
    "enum in, not bool": (
        lambda u: u.status in (Status.NEW, Status.OPEN) and not u.banned,
        "status IN ('new', 'open') AND NOT banned",
    ),
    "cnf": (
        lambda u: (u.age > 1 or u.name == "a") and (u.age < 9 or u.name == "b"),
        "(age > 1 OR name = 'a') AND (age < 9 OR name = 'b')",
    ),
    "dnf": (
        lambda u: (u.age > 1 and u.name == "a") or (u.age < 9 and u.name == "b"),
        "age > 1 AND name = 'a' OR age < 9 AND name = 'b'",
    ),
    "chain": (lambda u: 18 <= u.age < 65, "age >= 18 AND age < 65"),
    "a constant": (lambda u: True, "true"),
    "! of and": (lambda u: not (u.age > 1 and u.name == "a"), "age <= 1 OR name != 'a'"),
    # in
    "in a tuple": (lambda u: u.name in ("a", "b"), "name IN ('a', 'b')"),
    "in a set": (lambda u: u.name in {"a", "b"}, "name IN ('a', 'b')"),
    "in a global": (lambda u: u.name in allowed, "name IN ('a', 'b', 'c')"),
    "not in a global set": (lambda u: u.name not in allowed_set, "(name NOT IN ('a', 'b'))"),
    "in a list": (lambda u: u.age in [1, 2, 3], "age IN (1, 2, 3)"),
    "in a closed-over list": (one_of(["a", "b"]), "name IN ('a', 'b')"),
    "in a closed-over set": (one_of({"b", "a"}), "name IN ('a', 'b')"),
    "in a closed-over frozenset": (one_of(frozenset({"b", "a"})), "name IN ('a', 'b')"),
    "in a default argument": (lambda u, names=("a", "b"): u.name in names, "name IN ('a', 'b')"),  # type: ignore[misc]
    "in a thousand": (lambda u: u.id in thousand, f"id IN ({', '.join(map(str, range(1000)))})"),
    "in a range": (lambda u: u.age in range(3), "age IN (0, 1, 2)"),
    "in with None": (lambda u: u.age in (1, None), "age = 1"),
    "nullable in with None": (lambda u: u.score in (1, None), "score IS NULL OR score = 1"),
    "nullable not in": (lambda u: u.score not in (1, 2), "score IS NULL OR (score NOT IN (1, 2))"),
    "in nothing": (lambda u: u.name in (), "false"),  # noqa: RUF060
    "in another type": (lambda u: u.age in ("1", 2), "age = 2"),
    "in large numbers": (lambda u: u.age in (10**30, 2), "age = 2"),
    "!= twice": (lambda u: u.age != 1 and u.age != 2, "(age NOT IN (1, 2))"),
    "== twice": (lambda u: u.age == 1 or u.age == 2, "age IN (1, 2)"),
    # control flow
    "early returns": (
        early,
        "NOT banned AND (status IN ('new', 'open') AND age > 18 OR (status NOT IN ('new', 'open')) AND age > 60)",
    ),
    "ternary": (
        lambda u: u.age > 3 if u.banned else u.age > 5,
        "banned AND age > 3 OR NOT banned AND age > 5",
    ),
    "match": (matcher, "status IN ('new', 'open') AND age > 1"),
    "match None": (match_none, "nick IS NOT NULL AND (nick IN ('Bo', 'Jo') OR age = 1)"),
    "walrus": (lambda u: (x := u.age) > 3 and x < 10, "age > 3 AND age < 10"),
    "try": (tried, "score > 3"),
    "max": (lambda u: max(u.age, u.id) > 3, "age < id AND id > 3 OR age >= id AND age > 3"),
    "sorted": (lambda u: sorted([u.age, u.id])[1] > 3, "age > id AND age > 3 OR age <= id AND id > 3"),
    "& of two bools": (lambda u: (u.age > 18) & (u.name == "x"), "age > 18 AND name = 'x'"),
    "+ of two bools": (lambda u: (u.age > 3) + (u.id > 3) >= 1, "age > 3 OR id > 3"),
    "== of two bools": (lambda u: (u.age > 3) == (u.id > 3), "age > 3 AND id > 3 OR age <= 3 AND id <= 3"),
    "is True": (lambda u: (u.age > 3) is True, "age > 3"),
    "== True": (lambda u: (u.age > 3) == True, "age > 3"),  # noqa: E712  # it means what it means
    # None
    "is None": (lambda u: u.nick is None, "nick IS NULL"),
    "guarded": (
        lambda u: u.nick is not None and u.nick.startswith("J"),
        "nick LIKE 'J%' ESCAPE '/'",
    ),
    "nullable ==": (lambda u: u.nick == "B", "nick = 'B'"),
    "nullable !=": (lambda u: u.nick != "B", "nick IS NULL OR nick != 'B'"),
    "== None": (lambda u: u.nick == None, "nick IS NULL"),  # noqa: E711  # it means what it means
    "null-safe return": (nullsafe, "score IS NULL OR score > 3"),
    "or a default": (lambda u: (u.score or 0) > 3, "score != 0 AND score > 3"),
    "ternary default": (lambda u: (u.score if u.score is not None else 0) > 3, "score > 3"),
    "nullable bool is True": (lambda u: u.vip is True, "vip"),
    "nullable bool is not False": (lambda u: u.vip is not False, "vip IS NULL OR vip"),
    "bool() of a nullable bool": (lambda u: bool(u.vip), "vip"),
    "is None, two calls down": (lambda u: nameless(u), "nick IS NULL"),
    "nullable == attribute": (lambda u: u.nick == u.name, "name = nick"),
    "nullable == nullable": (lambda u: u.nick == u.address.zip, "nick IS NULL AND zip IS NULL OR zip = nick"),
    "nullable or equal": (lambda u: u.score == u.age or u.score is None, "score IS NULL OR age = score"),
    # enums
    "enum property": (lambda u: u.status.live, "status IN ('new', 'open')"),
    "enum is": (lambda u: u.status is Status.OPEN, "status = 'open'"),
    "enum ==": (lambda u: u.status == Status.OPEN, "status = 'open'"),
    "enum in": (lambda u: u.status not in (Status.NEW, Status.OPEN), "(status NOT IN ('new', 'open'))"),
    "enum .name": (lambda u: u.status.name.startswith("N"), "status = 'new'"),
    "enum as an argument": (lambda u: live(u.status), "status IN ('new', 'open')"),
    "enum .value": (lambda u: u.status.value == "new", "status = 'new'"),
    "enum against str": (lambda u: u.status == "new", "false"),
    "dict by enum": (lambda u: PRIORITY[u.status] >= 2, "status != 'new'"),
    # functions
    "closure": (older_than(18), "age > 18"),
    "default argument": (lambda u, n=5: u.age > n, "age > 5"),  # type: ignore[misc]  # of no declared type
    "partial": (functools.partial(lambda n, u: u.age > n, 5), "age > 5"),
    "partial by keyword": (functools.partial(lambda u, n: u.age > n, n=3), "age > 3"),
    "partial among globals": (lambda u: older_still(u) or u.age == 1, "age > 5 OR age = 1"),
    "bound method": (Policy().allows, "age > 7"),
    "callable object": (Older(3), f"EXISTS ({line_of} lines.qty > 3)"),
    "rule made on the way": (lambda u: older_with_lines(18)(u), f"age > 18 AND (EXISTS ({line_of} lines.qty > 0))"),
    "helper": (lambda u: is_joe(u) or u.age == 3, 'lower(name COLLATE "und-x-icu") COLLATE "C" = \'joe\' OR age = 3'),
    "other rules": (
        lambda u: early_bird(u) and not frequent(u),
        "age > 3 AND NOT (EXISTS (SELECT 1 FROM lines WHERE users.id = lines.user_id))",
    ),
    "& | ~ of rules": (
        early_bird & ~frequent | adult,
        "age > 3 AND NOT (EXISTS (SELECT 1 FROM lines WHERE users.id = lines.user_id))"
        " OR age >= 18 AND name LIKE 'J%' ESCAPE '/'",
    ),
    "all_of": (
        all_of(early_bird, negate(frequent)),
        "age > 3 AND NOT (EXISTS (SELECT 1 FROM lines WHERE users.id = lines.user_id))",
    ),
    "any_of": (any_of(early_bird, older_than(60)), "age > 3 OR age > 60"),
    "getattr": (lambda u: getattr(u, "age") > 3, "age > 3"),  # noqa: B009
    # the class itself
    "property": (lambda u: u.is_adult, "age >= 18"),
    "class constant": (lambda u: u.age > u.ADULT, "age > 18"),
    "method": (lambda u: u.older_than(3) and not u.is_adult, "age > 3 AND age < 18"),
    "property with a default": (
        lambda u: u.label == "Bob",
        "(nick IS NULL OR nick = '') AND name = 'Bob' OR nick = 'Bob'",
    ),
    "type is": (lambda u: type(u.age) is int, "true"),
    "type ==": (lambda u: type(u.age) == int, "true"),  # noqa: E721
    "isinstance of a type": (lambda u: isinstance(u.name, str), "true"),
    "isinstance of the class": (lambda u: isinstance(u, User), "true"),
    # value objects
    "value object": (lambda u: u.address.city == "Oslo", "city = 'Oslo'"),
    "value object, guarded": (
        lambda u: u.address.zip is not None and u.address.zip.startswith("0"),
        "zip LIKE '0%' ESCAPE '/'",
    ),
    "value object ==": (lambda u: u.address == Address("Oslo", None), "city = 'Oslo' AND zip IS NULL"),
    "value object in": (
        lambda u: u.address in offices,
        "city = 'Oslo' AND (zip IS NULL OR city = 'Rome' AND zip = '1') OR city = 'Rome' AND zip = '1'",
    ),
    "value object method": (lambda u: u.address.in_city("Rome"), "city = 'Rome'"),
    "value object or None": (
        lambda u: u.billing is not None and u.billing.city == "Rome",
        "billing_city = 'Rome'",
    ),
    "value object != ": (
        lambda u: u.billing is None or u.billing.city != "Rome",
        "billing_city IS NULL OR billing_city != 'Rome'",
    ),
    # children
    "any": (lambda u: any(x.sku == wanted for x in u.lines), f"EXISTS ({line_of} lines.sku = 'X1')"),
    "any if": (
        lambda u: any(x.qty > 3 for x in u.lines if x.sku == "a"),
        f"EXISTS ({line_of} lines.sku = 'a' AND lines.qty > 3)",
    ),
    "all": (lambda u: all(x.qty > 0 for x in u.lines), f"NOT (EXISTS ({line_of} lines.qty <= 0))"),
    "all if": (
        lambda u: all(x.qty > 0 for x in u.lines if x.sku == "a"),
        f"NOT (EXISTS ({line_of} lines.sku = 'a' AND lines.qty <= 0))",
    ),
    "any nullable": (lambda u: any(x.note == "x" for x in u.lines), f"EXISTS ({line_of} lines.note = 'x')"),
    "all nullable": (lambda u: all(x.note != "x" for x in u.lines), f"NOT (EXISTS ({line_of} lines.note = 'x'))"),
    "all of a nullable text": (
        lambda u: all(x.note for x in u.lines),
        f"NOT (EXISTS ({line_of} (lines.note IS NULL OR lines.note = '')))",
    ),
    "correlated": (lambda u: any(x.qty > u.age for x in u.lines), f"EXISTS ({line_of} users.age < lines.qty)"),
    "no children": (lambda u: not u.lines, "NOT (EXISTS (SELECT 1 FROM lines WHERE users.id = lines.user_id))"),
    "len": (lambda u: len(u.lines) > 2, "(SELECT count(*) AS count_1 FROM lines WHERE users.id = lines.user_id) > 2"),
    "len == 0": (
        lambda u: len(u.lines) == 0,
        "(SELECT count(*) AS count_1 FROM lines WHERE users.id = lines.user_id) = 0",
    ),
    "sum": (
        lambda u: sum(x.qty * x.price for x in u.lines) > 100,
        "(SELECT coalesce(sum(lines.qty * lines.price), 0) AS coalesce_1 FROM lines"
        " WHERE users.id = lines.user_id) > 100",
    ),
    "sum if": (
        lambda u: sum(x.qty for x in u.lines if x.sku == "a") > 5,
        "(SELECT coalesce(sum(lines.qty), 0) AS coalesce_1 FROM lines WHERE users.id = lines.user_id"
        " AND lines.sku = 'a') > 5",
    ),
    "sum of bools": (
        lambda u: sum(x.qty > 3 for x in u.lines) >= 2,
        "(SELECT count(*) AS count_1 FROM lines WHERE users.id = lines.user_id AND lines.qty > 3) >= 2",
    ),
    "sum in a method": (
        lambda u: u.total_over(Decimal(5)),
        "(SELECT coalesce(sum(lines.qty * lines.price), 0) AS coalesce_1 FROM lines"
        " WHERE users.id = lines.user_id) > 5",
    ),
    # texts
    "len of a text": (lambda u: len(u.name) > 3, "length(name) > 3"),
    "contains": (lambda u: "b" in u.name, "name LIKE '%b%' ESCAPE '/'"),
    "lower": (lambda u: u.name.lower() == "jo", 'lower(name COLLATE "und-x-icu") COLLATE "C" = \'jo\''),
    "upper": (lambda u: u.name.upper() == "JO", 'upper(name COLLATE "und-x-icu") COLLATE "C" = \'JO\''),
    "any prefix": (
        lambda u: any(u.name.startswith(p) for p in allowed),
        "name LIKE 'a%' ESCAPE '/' OR name LIKE 'b%' ESCAPE '/' OR name LIKE 'c%' ESCAPE '/'",
    ),
    "tuple of prefixes": (
        lambda u: u.name.startswith(("a", "b")),
        "name LIKE 'a%' ESCAPE '/' OR name LIKE 'b%' ESCAPE '/'",
    ),
    "endswith": (lambda u: u.name.endswith("son"), "name LIKE '%son' ESCAPE '/'"),
    "contains, escaped": (lambda u: "%_x" in u.name, "name LIKE '%/%/_x%' ESCAPE '/'"),
    "truth of a text": (lambda u: bool(u.name), "name != ''"),
    "a text as the answer": (lambda u: u.name, "name != ''"),
    "+ of texts": (lambda u: u.name + "!" == "Jo!", "(name || '!') = 'Jo!'"),
    "< of texts": (lambda u: u.name < "M", "name < 'M'"),
    "< of texts in another collation": (lambda u: u.address.city < "M", "city < 'M' COLLATE \"C\""),
    # numbers and dates
    "arithmetic": (
        lambda u: abs(u.age - u.id) * 2 > 10,
        "abs(CAST(age AS BIGINT) - id) * 2 > 10",
    ),
    "+ of numbers": (lambda u: u.age + 1 > u.id, "age + 1 > id"),
    "attribute against attribute": (lambda u: u.age > u.id, "age > id"),
    "modulo": (lambda u: u.id % 2 == 0, "(id % 2 + 2) % 2 = 0"),
    "negative": (lambda u: -u.age < -3, "-CAST(age AS BIGINT) < -3"),
    "date": (lambda u: u.born <= dt.date(2000, 1, 1), "born <= '2000-01-01'"),
    "date, mirrored": (lambda u: dt.date(2000, 1, 1) >= u.born, "born <= '2000-01-01'"),
    "year": (lambda u: u.born.year == 2000, "EXTRACT(year FROM born) = 2000"),
    "month and day": (
        lambda u: u.born.month == 12 and u.born.day == 31,
        "EXTRACT(month FROM born) = 12 AND EXTRACT(day FROM born) = 31",
    ),
    "Decimal": (lambda u: u.balance >= Decimal("1.5"), "balance >= 1.5"),
    "UUID": (lambda u: u.token == somebody, "token = '00000000-0000-0000-0000-000000000007'"),
    "UUID, mirrored": (lambda u: somebody == u.token, "token = '00000000-0000-0000-0000-000000000007'"),
    "float without fraction": (lambda u: u.age > 3.0, "age > 3"),
    "number beyond 64 bits": (lambda u: u.age > 10**30, "false"),
    "True as a number": (lambda u: u.age == True, "age = 1"),  # noqa: E712  # it means what it means
}
