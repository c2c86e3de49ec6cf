"""A CHECK is evaluated without a database as each database evaluates it.

How many random ones are tried is a matter of time: 60 here, the same in each run, and as many others as one likes by
`CHECKS=2000 pytest -k random_checks`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    NullPool,
    String,
    Table,
    and_,
    create_engine,
    func,
    not_,
    or_,
)

from honestwork.adapters import Mapping
from honestwork.adapters.plan.checks import read_condition
from honestwork.adapters.plan.tables import Check
from honestwork.adapters.queries.checks import predicate
from honestwork.domain import MappingRefused
from tests.checks_kit import generate, things as kit
from tests.checks_kit.judge import Checked, connected

CHECKS = int(os.environ.get("CHECKS", "60"))
URLS = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "mariadb": "mariadb_url"}


class Thing:
    pass


mapping = Mapping()
things = Table(
    "things",
    mapping.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("a", Integer),
    Column("b", Integer),
    Column("word", String(10)),
    Column("flag", Boolean),
)
mapping.aggregate(Thing, things)

INTEGERS = st.integers(-3, 3)
WORDS = st.text(alphabet="abAé ☃", max_size=3)
COMPARISONS = ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"]
ROWS = st.tuples(st.just(1), *[st.none() | each for each in (INTEGERS, INTEGERS, WORDS, st.booleans())])


def compared(one: Any, how: str, other: Any) -> Any:
    return getattr(one, how)(other)


numbers = st.recursive(
    st.sampled_from([things.c.a, things.c.b, func.char_length(things.c.word)]),
    lambda inner: st.builds(
        lambda one, how, other: getattr(one, how)(other),
        inner,
        st.sampled_from(["__add__", "__sub__", "__mul__"]),
        inner | INTEGERS,
    ),
    max_leaves=3,
)
leaves = st.one_of(
    st.builds(compared, numbers, st.sampled_from(COMPARISONS), numbers | INTEGERS),
    st.builds(compared, st.just(things.c.word), st.sampled_from(COMPARISONS), WORDS),
    st.builds(lambda one, low, high: one.between(low, high), numbers, numbers | INTEGERS, INTEGERS),
    st.builds(lambda low, high: ~things.c.a.between(low, high), INTEGERS, INTEGERS),
    st.builds(lambda given_: things.c.a.in_(given_), st.lists(st.none() | INTEGERS, min_size=1, max_size=3)),
    st.builds(lambda given_: things.c.a.not_in(given_), st.lists(st.none() | INTEGERS, min_size=1, max_size=3)),
    st.builds(lambda given_: things.c.word.in_(given_), st.lists(WORDS, min_size=1, max_size=3)),
    st.sampled_from([column.is_(None) for column in things.c] + [column.is_not(None) for column in things.c]),
    st.sampled_from([things.c.flag, ~things.c.flag, things.c.flag.is_(True), things.c.flag.is_(False)]),
    st.sampled_from([things.c.flag.is_not(True), things.c.flag == True, things.c.flag != True]),  # noqa: E712
)
EXPRESSIONS = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: and_(*parts), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: or_(*parts), st.lists(inner, min_size=2, max_size=3)),
        st.builds(not_, inner),
    ),
    max_leaves=5,
)


@pytest.fixture(params=["sqlite_url", "postgres_url", "mariadb_url"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A transaction in which there is the table."""
    engine = create_engine(request.getfixturevalue(request.param), poolclass=NullPool)
    with engine.connect() as connection:
        if request.param == "sqlite_url":
            driver: Any = connection.connection.dbapi_connection
            driver.create_function("char_length", 1, lambda text: None if text is None else len(text))
        mapping.metadata.create_all(connection)
        yield connection
        connection.rollback()
        mapping.metadata.drop_all(connection)
        connection.commit()


def fails(connection: Connection, expression: Any) -> bool:
    """Is the expression false, and not true or unknown, in the database?"""
    spelled = expression.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    question = f"SELECT count(*) FROM things WHERE NOT ({str(spelled).replace('%%', '%')})"
    return connection.exec_driver_sql(question).scalar() == 1


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=ROWS, expressions=st.lists(EXPRESSIONS, min_size=1, max_size=8))
def test_a_check_passes_where_the_database_lets_it_pass(
    connection: Connection, row: tuple[Any, ...], expressions: list[Any]
) -> None:
    plan = mapping.schema.tables["things"]
    connection.execute(things.delete())
    connection.execute(things.insert().values(row))

    for expression in expressions:
        try:
            formula = read_condition(expression, things, "it", "")
        except MappingRefused:  # too large a number may come out of it
            continue
        holds = predicate(plan, Check("check", (), formula), {})  # any columns: they only name the error
        assert holds(row) is not fails(connection, expression)


@pytest.fixture(params=URLS)
def judge(request: pytest.FixtureRequest) -> Iterator[Checked]:
    with connected(request.getfixturevalue(URLS[request.param])) as judge:
        yield judge


def test_random_checks_let_the_same_rows_pass(judge: Checked) -> None:
    """Memory and the CHECK of a table agree; so do both readers, and PostgreSQL's own reading of either language.

    SQLite and MariaDB read some of it in ways of their own, which is why it is written for them.
    """
    played = refused = 0

    @settings(
        max_examples=CHECKS,
        deadline=None,
        database=None,
        derandomize="CHECKS" not in os.environ,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(generate.checks, kit.rows)
    def run(check: generate.Written, rows: list[kit.Row]) -> None:
        nonlocal played, refused
        played += 1
        try:
            passing = judge.agree(check.expression, rows)
            of_text = kit.says(kit.plan_of(kit.made(check.text)))
        except MappingRefused:
            refused += 1
            return
        assert [of_text(row) for row in rows] == passing, check
        for spelled in (check.expression, check.text) if judge.name == "postgresql" else ():
            assert judge.answers(spelled, rows) in (passing, None), check

    run()

    assert played >= CHECKS
    assert refused < played / 5, f"{refused} of {played} were refused: the generator has become too wild"
