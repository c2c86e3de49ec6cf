"""Orders and pages: every store puts the same rows in the same places."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from honestwork.adapters.queries import evaluation as memory
from honestwork.adapters.sql import rules as sql
from honestwork.rules import trace, trace_columns, trace_order
from tests.rules_kit import directed
from tests.rules_kit.judge import Judge, rows_of
from tests.rules_kit.orders import ORDERS, walk
from tests.rules_kit.shop import User
from tests.rules_kit.tables import users


@pytest.mark.parametrize("name", ORDERS)
def test_everyone_sorts_alike_and_goes_on_alike(name: str, judge: Judge) -> None:
    keys = trace_order(ORDERS[name], User, key=["id"])

    with judge.about(directed.users):
        walk(judge, keys)


def test_a_projection_reads_the_same_values_everywhere(judge: Judge) -> None:
    projection = trace_columns(
        lambda u: (u.id, u.name.lower(), u.status, u.billing, len(u.lines), sum(x.qty * x.price for x in u.lines)), User
    )
    rule = trace(lambda u: u.age > 0, User)

    with judge.about(directed.users):
        rows, layout = rows_of(judge.people)
        values = memory.compile_values(projection.expressions, layout)
        expected = [projection.build(values(row)) for row in memory.compile_scan(rule, layout)(rows)]
        statement = (
            sa.select(*[sql.column(each, User) for each in projection.expressions])
            .where(sql.where(rule, User))
            .order_by(users.c.id)
        )
        for name, session in judge.sessions.items():
            assert [projection.build(row) for row in session.execute(statement)] == expected, name

    assert len(expected) > 5
