"""Numbers of several types in one comparison become numbers of one type, with the same answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, strategies as st

from honestwork.rules import trace
from honestwork.rules.numbers import plain
from tests.rules_kit.shop import User


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (lambda u: u.age in (1, 2.5), "age == 1"),
        (lambda u: u.age in (0.5, 2.5), "False"),
        (lambda u: u.age not in (1.0, 2, 2.5), "age not in (1, 2)"),
        (lambda u: u.age == 1 or u.age == 2.5, "age == 1"),
        (lambda u: u.age < 2.5, "age <= 2"),
        (lambda u: u.age <= -2.5, "age <= -3"),
        (lambda u: u.age > 2.5, "age > 2"),
        (lambda u: u.age >= Decimal("2.5"), "age > 2"),
        (lambda u: u.age >= 2.0, "age >= 2"),
        (lambda u: u.age < 1e300, "True"),
        (lambda u: u.age in (2**70, 3), "age == 3"),
        (lambda u: u.balance == 2, "balance == Decimal('2')"),
    ],
)
def test_a_number_is_asked_for_in_the_type_of_the_attribute(rule: Callable[[Any], bool], asked: str) -> None:
    assert str(trace(rule, User)) == asked


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(0, 6))
def test_a_decimal_has_one_spelling(number: Decimal, zeros: int) -> None:
    with localcontext() as context:
        context.prec = 5
        spelled = plain(number)

        assert Decimal(spelled) == number
        assert plain(Decimal(f"{number:f}" + "0" * zeros)) == spelled
