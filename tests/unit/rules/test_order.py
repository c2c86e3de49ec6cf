"""Orders are traced into keys, and always total."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from honestwork.domain import RuleRefused, asc, desc, nulls_first, nulls_last
from honestwork.rules import Attribute, Scalar, after, trace_order
from tests.rules_kit.shop import User


def traced(order_by: Callable[[User], object] | None) -> str:
    return ", ".join(map(str, trace_order(order_by, User, key=["id"])))


@pytest.mark.parametrize(
    ("order_by", "keys"),
    [
        (None, "id"),
        (lambda u: u.age, "age, id"),
        (lambda u: (desc(u.score), u.name), "score desc nulls last, name, id"),
        (lambda u: nulls_first(desc(u.score)), "score desc nulls first, id"),
        (lambda u: desc(nulls_first(u.score)), "score desc nulls first, id"),
        (lambda u: nulls_last(asc(nulls_first(desc(u.score)))), "score nulls last, id"),
        (lambda u: u.name.lower(), "name.lower(), id"),
        (lambda u: (u.id, u.age), "id, age"),
        (lambda u: (u.age, desc(u.age)), "age, id"),
        (lambda u: -u.age, "-age, id"),
        (lambda u: (u.address.city, u.billing.zip), "address.city, billing.zip nulls last, id"),
        (lambda u: (u.banned, len(u.lines)), "banned, sum(1 for x1 in lines), id"),
        (
            lambda u: desc(sum(x.qty for x in u.lines if x.note is not None)),
            "sum(x1.qty for x1 in lines if x1.note is not None) desc, id",
        ),
    ],
)
def test_an_order_is_traced_and_ends_with_the_key(order_by: Callable[[User], object] | None, keys: str) -> None:
    assert traced(order_by) == keys


@pytest.mark.parametrize(
    ("order_by", "words"),
    [
        (lambda u: u.status, "orders by status: the members of an enum have no order"),
        (lambda u: u.age if u.banned else u.id, r"uses banned \(bool\) as a condition"),
        (lambda u: u.age if u.age > 3 else u.id, "branches on `age > 3`"),
        (lambda u: max(u.age, u.id), "branches on"),
        (lambda u: 3, "orders by int 3"),
        (lambda u: u.lines, "orders by"),
        (lambda u: u.address, "orders by a whole Address"),
        (lambda u: u, "orders by a whole User"),
        (lambda u: u.name.strip(), r"uses \.strip"),
        (lambda u: u.foo, r"reads User\.foo"),
        (lambda u: None, "orders by NoneType None"),
        (lambda u: u.nick if u.nick is not None else u.name, "asks with `is`"),
        (lambda u: u.name if u.banned is True else u.nick, "asks with `is`"),
        (lambda u: u.nick == None, "asks whether nick is None"),  # noqa: E711
        ("name", "is no function, but str: write `lambda user: user.name`"),
    ],
)
def test_what_has_no_order_is_refused(order_by: Callable[[User], object], words: str) -> None:
    with pytest.raises(RuleRefused, match=words):
        traced(order_by)


def test_the_key_may_have_several_columns() -> None:
    class Seat:
        row: str
        number: int

    keys = trace_order(lambda seat: desc(seat.number), Seat, key=["row", "number"])

    assert ", ".join(map(str, keys)) == "number desc, row"


def test_what_comes_after_a_row_is_a_formula() -> None:
    keys = trace_order(lambda u: (desc(u.score), u.name), User, key=["id"])

    assert str(after(keys, [3, "J", 7])) == (
        "score is None or (score is not None and score < 3)"
        " or (score is not None and score == 3 and name > 'J')"
        " or (score is not None and score == 3 and name == 'J' and id > 7)"
    )
    assert str(after(keys, [None, "J", 7])) == (
        "(score is None and name > 'J') or (score is None and name == 'J' and id > 7)"
    )


def test_an_order_can_be_over_attributes_that_are_not_annotated() -> None:
    class Plain:
        pass

    facts: dict[type, dict[str, Attribute]] = {Plain: {"number": Scalar(int)}}

    keys = trace_order(None, Plain, key=["number"], facts=facts.__getitem__)

    assert str(keys[0]) == "number"
