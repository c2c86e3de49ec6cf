"""A CHECK lets the same rows pass on every store, however it is written."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    Numeric,
    String,
    Table,
    and_,
    extract,
    func,
    not_,
    or_,
)

from honestwork.adapters import Mapping
from honestwork.domain import CheckFailed, Repository
from honestwork.service_layer import Store, UnitOfWork
from tests.stores import MakeStore

Rows = tuple[dict[str, Any], ...]
P5 = dt.timezone(dt.timedelta(hours=5))


class Grade(enum.Enum):
    GOOD = "g"
    BAD = "b"


class Room:
    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


COLUMNS: dict[str, Any] = {
    "a": Integer,
    "b": Integer,
    "big": BigInteger,
    "real": Float,
    "net": Numeric(10, 2),
    "tax": Numeric(6, 4),
    "gross": Numeric(12, 4),
    "name": String(9),
    "nick": String(9),
    "day": Date,
    "at": DateTime(timezone=True),
    "local": DateTime,
    "span": Interval,
    "flag": Boolean,
    "grade": Enum(Grade, name="checked_grade"),
}


class Verdicts:
    """Which rows pass a CHECK on one store."""

    def __init__(self, make_store: MakeStore) -> None:
        self.make_store = make_store

    def __call__(self, check: Callable[[Any], Any] | str, *rows: dict[str, Any]) -> list[bool]:
        mapping = Mapping()
        table = Table(
            "checked_rooms",
            mapping.metadata,
            Column("id", Integer, primary_key=True),
            *(Column(name, kind) for name, kind in COLUMNS.items()),
        )
        written = check(table.c) if callable(check) else check
        table.append_constraint(CheckConstraint(written, name="ck_checked_rooms"))
        cls: Any = type("Room", (Room,), {})
        mapping.aggregate(cls, table)
        rooms: Any = type("Rooms", (UnitOfWork,), {"__annotations__": {"rooms": Repository[cls, int]}})
        store = self.make_store(mapping)
        return [passes(store, rooms, cls, row) for row in rows]


def passes(store: Store, rooms: Any, cls: Any, row: dict[str, Any]) -> bool:
    broken = None
    with rooms(store) as uow:
        uow.rooms.add(cls(**row))
        try:
            uow.commit()
        except CheckFailed as failed:
            broken = failed.table, failed.constraint
    assert broken in (None, ("checked_rooms", "ck_checked_rooms"))
    return broken is None


@pytest.fixture
def verdicts(make_store: MakeStore) -> Verdicts:
    return Verdicts(make_store)


def test_what_is_unknown_passes_and_so_does_its_opposite(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2, "b": 1}, {"a": 0, "b": 1}, {"a": None, "b": 1}, {"a": None, "b": 9}, {})

    assert verdicts(lambda c: and_(c.a > 1, c.b < 5), *rows) == [True, False, True, False, True]


def test_the_opposite_of_what_is_unknown_passes(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2, "b": 1}, {"a": 0, "b": 9}, {"a": None, "b": 1}, {"a": None, "b": 9}, {})

    assert verdicts(lambda c: not_(or_(c.a > 1, c.b < 5)), *rows) == [False, True, False, True, True]


def test_a_bound_that_is_missing_is_unknown(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 3, "b": 3}, {"a": 0, "b": 1}, {"a": 2, "b": None}, {"a": 4, "b": None}, {"b": 9})

    assert verdicts(lambda c: c.a.between(c.b, 3), *rows) == [True, False, True, False, True]


def test_not_between_bounds_of_which_one_is_missing(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2, "b": 1}, {"a": 0, "b": 1}, {"a": 2, "b": None}, {"a": 4, "b": None})

    assert verdicts(lambda c: ~c.a.between(c.b, 3), *rows) == [False, True, True, True]


def test_is_tells_numbers_apart_and_not_objects(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 1000, "b": int("1000")}, {"a": 1000, "b": 1001}, {"a": 1000, "b": None}, {})

    assert verdicts(lambda c: c.a.is_(c.b), *rows) == [True, False, False, True]


def test_is_not_a_number(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": int("1000")}, {"a": 1001}, {"a": None})

    assert verdicts(lambda c: c.a.is_not(1000), *rows) == [False, True, True]


def test_a_condition_may_be_asked_whether_it_is_true(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2, "flag": True}, {"a": 0, "flag": True}, {"a": None, "flag": True}, {"a": 2, "flag": None})

    assert verdicts(lambda c: and_(c.a > 1, c.flag).is_(True), *rows) == [True, False, False, False]


def test_what_is_not_true_may_be_missing(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2}, {"a": 0}, {"a": None})

    assert verdicts(lambda c: or_((c.a > 1).is_(True), c.a >= 5), *rows) == [True, False, True]


def test_a_condition_may_be_asked_whether_it_is_unknown(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2}, {"a": 0}, {"a": None})

    assert verdicts(lambda c: (c.a > 1).is_(None), *rows) == [False, False, True]


def test_what_is_computed_from_a_null_is_null(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 1, "b": None}, {"a": 1, "b": 1}, {})

    assert verdicts(lambda c: (c.a + c.b).is_(None), *rows) == [True, False, True]


def test_conditions_may_be_equal(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2, "b": 2}, {"a": 0, "b": 2}, {"a": 0, "b": 0}, {"a": None, "b": 0}, {})

    assert verdicts(lambda c: (c.a > 1) == (c.b > 1), *rows) == [True, False, True, True, True]


def test_a_null_among_constants_makes_no_row_fail(verdicts: Verdicts) -> None:
    assert verdicts(lambda c: c.a.in_([1, None]), {"a": 1}, {"a": 2}, {}) == [True, True, True]


def test_a_null_among_constants_that_are_excluded(verdicts: Verdicts) -> None:
    assert verdicts(lambda c: c.a.not_in([1, None]), {"a": 1}, {"a": 2}, {}) == [False, True, True]


def test_each_constant_is_what_it_is_and_not_of_the_type_of_the_first(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 0}, {"a": 5}, {"a": 6})

    assert verdicts(lambda c: c.a.in_([5, 0.5, Decimal("6.5")]), *rows) == [False, True, False]


def test_a_fraction_beside_whole_numbers_is_not_rounded(verdicts: Verdicts) -> None:
    rows: Rows = ({"a": 2}, {"a": -2}, {"a": 3}, {"a": -3})

    assert verdicts(lambda c: and_(c.a < 2.5, c.a > -2.5), *rows) == [True, True, False, False]


def test_whole_numbers_are_calculated_beyond_the_width_of_their_columns(verdicts: Verdicts) -> None:
    most = 2**31 - 1
    rows: Rows = (
        {"a": most, "b": most, "big": most**2},
        {"a": most, "b": most, "big": most**2 - 1},
        {"a": most, "b": most},
    )

    assert verdicts(lambda c: c.a * c.b <= c.big, *rows) == [True, False, True]


@pytest.mark.parametrize(
    "check",
    [
        lambda c: 1 + c.a > c.b,
        lambda c: c.a + (c.b + c.net) > c.b,
        lambda c: 1 + (c.a + c.net) > c.b,
        "a + (b + net) > b",
        "1 + a > 1 + (b - 1)",
        "a - (b - (a + (0 - b))) = 0",
        lambda c: c.a + (c.a + (c.b - c.b)) > c.b,
    ],
)
def test_a_calculation_is_wide_enough_wherever_its_parentheses_are(verdicts: Verdicts, check: Any) -> None:
    most = 2**31 - 1

    assert verdicts(check, {"a": most, "b": most, "net": Decimal("0.01"), "big": 2**62}) == [True]


def test_a_remainder_has_the_sign_of_what_is_divided(verdicts: Verdicts) -> None:
    assert verdicts(lambda c: c.a % 3 == -1, {"a": -4}, {"a": 2}, {"a": -1}, {"a": 5}) == [True, False, True, False]


def test_decimals_are_exact_to_the_last_digit(verdicts: Verdicts) -> None:
    right = {"net": Decimal("0.10"), "tax": Decimal("0.2000"), "gross": Decimal("0.3000")}
    rows: Rows = (
        right,
        right | {"gross": Decimal("0.3001")},
        right | {"net": Decimal("99999999.99")},
        right | {"tax": None},
    )

    assert verdicts(lambda c: c.net + c.tax == c.gross, *rows) == [True, False, False, True]


def test_sums_of_decimals_are_members_of_a_list(verdicts: Verdicts) -> None:
    rows: Rows = ({"net": Decimal("0.1"), "tax": Decimal("0.2")}, {"net": Decimal("0.1"), "tax": Decimal("0.3")})

    assert verdicts(lambda c: (c.net + c.tax).in_([Decimal("0.3"), 7]), *rows) == [True, False]


def test_sums_of_decimals_are_no_members_of_a_list(verdicts: Verdicts) -> None:
    rows: Rows = ({"net": Decimal("0.1"), "tax": Decimal("0.2")}, {"net": Decimal("0.1"), "tax": Decimal("0.3")})

    assert verdicts(lambda c: (c.net + c.tax).not_in([Decimal("0.3"), 7]), *rows) == [False, True]


def test_a_constant_stands_for_what_is_missing(verdicts: Verdicts) -> None:
    some = {"net": Decimal("0.1"), "gross": Decimal("0.3")}
    rows: Rows = (some, some | {"tax": Decimal("0.2")}, some | {"tax": Decimal("0.1")}, {"gross": Decimal("0.2")}, {})

    assert verdicts(lambda c: func.coalesce(c.net, 0) + func.coalesce(c.tax, Decimal("0.2")) == c.gross, *rows) == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_a_text_stands_for_what_is_missing(verdicts: Verdicts) -> None:
    rows: Rows = ({"name": "a"}, {"name": "A"}, {"name": None})

    assert verdicts(lambda c: func.coalesce(c.name, "a") == "a", *rows) == [True, False, True]


def test_products_of_decimals_are_exact(verdicts: Verdicts) -> None:
    rows: Rows = (
        {"net": Decimal("1.10"), "tax": Decimal("0.1000")},
        {"net": Decimal("1.10"), "tax": Decimal("0.1001")},
    )

    assert verdicts(lambda c: c.net * c.tax <= Decimal("0.11"), *rows) == [True, False]


def test_floats_are_compared_with_floats(verdicts: Verdicts) -> None:
    rows: Rows = ({"real": 0.1}, {"real": 0.1 + 1e-17}, {"real": 0.09999999999999999}, {"real": 1e300})

    assert verdicts(lambda c: c.real >= 0.1, *rows) == [True, True, False, True]


def test_a_time_is_compared_whatever_its_zone_is(verdicts: Verdicts) -> None:
    rows: Rows = (
        {"at": dt.datetime(2024, 1, 1, 1, tzinfo=dt.UTC)},
        {"at": dt.datetime(2023, 12, 31, 23, 59, tzinfo=dt.UTC)},
        {"at": dt.datetime(2024, 1, 1, 4, 59, 59, 999_999, tzinfo=P5)},
    )

    assert verdicts(lambda c: c.at >= dt.datetime(2024, 1, 1, 5, tzinfo=P5), *rows) == [True, False, False]


def test_a_time_without_a_zone_is_exact_to_the_microsecond(verdicts: Verdicts) -> None:
    noon = dt.datetime(2024, 1, 1, 12)
    rows: Rows = ({"local": noon}, {"local": noon + dt.timedelta(microseconds=1)})

    assert verdicts(lambda c: c.local <= noon, *rows) == [True, False]


def test_an_interval_is_exact_to_the_microsecond(verdicts: Verdicts) -> None:
    limit = dt.timedelta(days=-30_000, microseconds=1)
    rows: Rows = ({"span": limit}, {"span": limit - dt.timedelta(microseconds=1)}, {"span": dt.timedelta(1)})

    assert verdicts(lambda c: c.span >= limit, *rows) == [True, False, True]


def test_the_parts_of_a_date_are_numbers(verdicts: Verdicts) -> None:
    rows: Rows = ({"day": dt.date(2023, 12, 31)}, {"day": dt.date(2024, 1, 1)}, {"day": None})

    assert verdicts(lambda c: extract("year", c.day) * 100 + extract("month", c.day) > 202_312, *rows) == [
        False,
        True,
        True,
    ]


def test_texts_are_compared_by_code_point_and_counted_in_characters(verdicts: Verdicts) -> None:
    rows: Rows = ({"name": "éé", "nick": "☃"}, {"name": "éé", "nick": "☃a"}, {"name": "Éé", "nick": "☃"})

    assert verdicts(lambda c: and_(c.name == "éé", func.length(c.name + c.nick) <= 3), *rows) == [True, False, False]


def test_a_pattern_knows_case_and_quotes_nothing_by_itself(verdicts: Verdicts) -> None:
    rows: Rows = tuple({"name": name} for name in ("a*b", "A*b", "ab", "axb", "a*\nb", "a*"))

    assert verdicts(lambda c: c.name.like("a*%b"), *rows) == [True, False, False, False, True, False]


def test_a_text_begins_and_ends_and_holds(verdicts: Verdicts) -> None:
    rows: Rows = tuple({"name": name} for name in ("a%-z", "z%-a", "a-z", "a%z", "A%-z"))

    assert verdicts(
        lambda c: and_(
            c.name.startswith("a"),
            c.name.endswith("z"),
            c.name.contains("%", autoescape=True),
            ~c.name.contains("%z", autoescape=True),
        ),
        *rows,
    ) == [True, False, False, False, False]


def test_a_backslash_is_a_character_like_any_other(verdicts: Verdicts) -> None:
    rows: Rows = tuple({"name": name} for name in ("\\", "\\\\", "it's %s", ""))

    assert verdicts(lambda c: c.name.in_(["\\", "it's %s"]), *rows) == [True, False, True, False]


def test_members_of_an_enumeration_are_equal_or_not(verdicts: Verdicts) -> None:
    rows: Rows = ({"grade": Grade.GOOD, "flag": False}, {"grade": Grade.BAD, "flag": False}, {"grade": Grade.BAD}, {})

    assert verdicts(lambda c: or_(c.grade != Grade.BAD, c.flag), *rows) == [True, False, True, True]


@pytest.mark.parametrize(
    ("text", "row", "other"),
    [
        ("a > 0 AND (b IN (1, 2.5) OR b IS NULL)", {"a": 1}, {"a": 1, "b": 2}),
        ("net >= 0.1", {"net": Decimal("0.1")}, {"net": Decimal("0.09")}),
        ("name NOT LIKE 'a%'", {"name": "A"}, {"name": "a"}),
        ("name = 'a\\b' OR length(name) < 2", {"name": "a\\b"}, {"name": "ab"}),
        (
            "at >= TIMESTAMP WITH TIME ZONE '2024-01-01 05:00:00+05:00'",
            {"at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)},
            {"at": dt.datetime(2024, 1, 1, 4, tzinfo=P5)},
        ),
        ("span <= INTERVAL '1 day'", {"span": dt.timedelta(1)}, {"span": dt.timedelta(1, 0, 1)}),
        ("grade = 'GOOD'", {"grade": Grade.GOOD}, {"grade": Grade.BAD}),
        ("a IS DISTINCT FROM b", {"a": 1}, {}),
    ],
)
def test_a_check_may_be_written_as_text(
    verdicts: Verdicts, text: str, row: dict[str, Any], other: dict[str, Any]
) -> None:
    assert verdicts(text, row, other) == [True, False]


def test_the_columns_of_a_text_are_named_by_its_error(make_store: MakeStore) -> None:
    mapping = Mapping()
    table = Table(
        "checked_halls",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("seats", Integer),
        Column("taken", Integer),
        CheckConstraint("taken <= seats", name="ck_checked_halls"),
    )
    cls: Any = type("Hall", (Room,), {})
    mapping.aggregate(cls, table)
    halls: Any = type("Halls", (UnitOfWork,), {"__annotations__": {"halls": Repository[cls, int]}})

    with halls(make_store(mapping)) as uow:
        uow.halls.add(cls(seats=1, taken=2))
        with pytest.raises(CheckFailed) as caught:
            uow.commit()

    assert caught.value.columns == ("taken", "seats")


def test_a_check_at_a_column_is_one_of_the_table(make_store: MakeStore) -> None:
    mapping = Mapping()
    table = Table(
        "checked_desks",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        Column("number", Integer, CheckConstraint("number > 0", name="ck_checked_desks")),
    )
    cls: Any = type("Desk", (Room,), {})
    mapping.aggregate(cls, table)
    desks: Any = type("Desks", (UnitOfWork,), {"__annotations__": {"desks": Repository[cls, int]}})

    with desks(make_store(mapping)) as uow:
        uow.desks.add(cls(number=0))
        with pytest.raises(CheckFailed) as caught:
            uow.commit()

    assert (caught.value.constraint, caught.value.columns) == ("ck_checked_desks", ("number",))
