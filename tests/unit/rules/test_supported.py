"""Every construct that has a query gives the SQL a person would write, and the function's own answer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from honestwork.adapters.queries.evaluation import Objects, compile_scan
from honestwork.adapters.sql.rules import explain
from honestwork.rules import trace
from tests.rules_kit.shop import Address, Line, Status, User, user
from tests.rules_kit.supported import SUPPORTED

PEOPLE = [
    user(1),
    user(2, name="Joe", nick="Bob", score=5, lines=[Line(1, "X1", 5, Decimal(30))], billing=Address("Rome", "1")),
    user(3, name="a", banned=True, vip=True, status=Status.CLOSED, address=Address("Oslo", None)),
    user(4, name="%_x", age=2, nick="Jo", score=1, address=Address("Rome", "01"), born=dt.date(1999, 1, 1)),
    user(5, name="", age=-1, vip=False, status=Status.OPEN, nick="", lines=[Line(2, "a", 0, Decimal(1), "x")]),
]


@pytest.mark.parametrize("construct", SUPPORTED)
def test_the_sql_is_what_a_person_would_write(construct: str) -> None:
    rule, expected = SUPPORTED[construct]

    _, actual = explain(rule, User, "postgresql").split("\n")

    assert actual.replace("users.", "") == expected.replace("users.", "")


@pytest.mark.parametrize("construct", SUPPORTED)
@pytest.mark.parametrize("dialect", ["sqlite", "mariadb"])
def test_there_is_sql_for_every_dialect(construct: str, dialect: str) -> None:
    assert explain(SUPPORTED[construct][0], User, dialect)


@pytest.mark.parametrize("construct", SUPPORTED)
def test_the_query_finds_those_for_whom_the_function_is_true(construct: str) -> None:
    rule, _ = SUPPORTED[construct]

    found = compile_scan(trace(rule, User), Objects())(PEOPLE)

    assert [each.id for each in found] == [each.id for each in PEOPLE if rule(each)]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("sqlite", "users.name GLOB 'J*' AND users.city = 'a'"),
        ("postgresql", "users.name LIKE 'J%' ESCAPE '/' AND users.city = 'a'"),
        (
            "mariadb",
            "users.name LIKE 'J%' COLLATE utf8mb4_nopad_bin ESCAPE '/' AND users.city = 'a' COLLATE utf8mb4_nopad_bin",
        ),
    ],
)
def test_each_dialect_compares_texts_as_python_does(dialect: str, expected: str) -> None:
    explained = explain(lambda u: u.name.startswith("J") and u.address.city == "a", User, dialect)

    assert explained.split("\n")[1] == expected
