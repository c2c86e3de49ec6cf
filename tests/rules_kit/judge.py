"""The judge: one rule, some users, and every way to ask. All must answer as the plain function does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from honestwork.adapters.queries import evaluation as memory
from honestwork.adapters.sql import rules as sql
from honestwork.domain import RuleRefused
from honestwork.rules import formula as formulas, trace
from honestwork.rules.order import OrderKey

from .generate import made, predicate
from .shop import User
from .tables import lines, shop, users

_COLUMNS: list[tuple[str, ...]] = [
    *[
        (name,)
        for name in ("id", "name", "age", "banned", "status", "born", "balance", "token", "nick", "score", "vip")
    ],
    *[("address", "city"), ("address", "zip"), ("billing", "city"), ("billing", "zip")],
]
_LINE = ["id", "sku", "qty", "price", "note"]


class Judge:
    """Asks the memory store's compiler and each database, in transactions that are always rolled back."""

    def __init__(self, engines: dict[str, sa.Engine]) -> None:
        self.engines = engines
        self.sessions: dict[str, Session] = {}
        self.people: list[User] = []
        self.refused = self.judged = 0

    @contextmanager
    def about(self, people: Callable[[], list[User]]) -> Iterator[None]:
        """In this block, every way to ask is about the same people."""
        self.people = people()
        with ExitStack() as stack:
            for name, engine in self.engines.items():
                session = self.sessions[name] = stack.enter_context(Session(engine))
                session.execute(sa.insert(users), [_row(each) for each in self.people])
                children = [_line(each, line) for each in self.people for line in each.lines]
                if children:
                    session.execute(sa.insert(lines), children)
            yield
            self.sessions.clear()

    def judge(self, rule: Callable[[User], bool], description: object = "") -> None:
        """Raises AssertionError if one of them answers differently."""
        try:
            formula = trace(rule, User)
        except RuleRefused as refusal:
            # A rule that is partial, or too long. Every construct in it is known to the tracer.
            if not any(each in str(refusal) for each in ("raises TypeError", "raises AttributeError", "paths")):
                raise
            self.refused += 1
            return
        expected = [each.id for each in self.people if rule(each)]
        self.judged += 1
        for way, answer in self.answers(formula):
            assert answer == expected, f"{way} finds {answer}, the function {expected}: {description or formula}"

    def all(self, sources: Iterable[str]) -> None:
        for source in sources:
            self.judge(predicate(source), source)

    def answers(self, formula: formulas.Expr) -> Iterator[tuple[str, list[int]]]:
        rows, layout = rows_of(self.people)
        yield "memory", [row[0] for row in memory.compile_scan(formula, layout)(rows)]
        yield (
            "memory, guards stripped",
            [row[0] for row in memory.compile_scan(formulas.strip_guards(formula), layout)(rows)],
        )
        yield "objects", [each.id for each in memory.compile_scan(formula, memory.Objects())(self.people)]
        statement = sa.select(users.c.id).where(sql.where(formula, User)).order_by(users.c.id)
        for name, session in self.sessions.items():
            yield name, list(session.scalars(statement))

    def ordered(self, keys: Sequence[OrderKey], formula: formulas.Expr) -> Iterator[tuple[str, list[int]]]:
        """The rows for which the formula is true, in this order, as everyone sorts them."""
        rows, layout = rows_of(self.people)
        found = memory.compile_scan(formula, layout)(rows)
        memory.compile_sort(keys, layout)(found)
        yield "memory", [row[0] for row in found]
        statement = sa.select(users.c.id).where(sql.where(formula, User)).order_by(*sql.order_by(keys, User))
        for name, session in self.sessions.items():
            yield name, list(session.scalars(statement))


def rows_of(people: list[User]) -> tuple[list[tuple[Any, ...]], memory.Rows]:
    """The people as an in-memory store keeps them: tuples, with those of their children apart."""
    rows, children = [], {}
    for each in people:
        rows.append(tuple(_value(each, path) for path in _COLUMNS))
        children[each.id] = [tuple(getattr(line, name) for name in _LINE) for line in each.lines]
    line = memory.Rows({(name,): i for i, name in enumerate(_LINE)})
    positions = {path: i for i, path in enumerate(_COLUMNS)}
    return rows, memory.Rows(positions, {("lines",): (lambda row: children[row[0]], line)})


def _value(user: User, path: tuple[str, ...]) -> Any:
    value: Any = user
    for name in path:
        value = None if value is None else getattr(value, name)
    return value


def _row(user: User) -> dict[str, Any]:
    columns: dict[tuple[str, ...], str] = {("address", "city"): "city", ("address", "zip"): "zip"}
    columns |= {("billing", "city"): "billing_city", ("billing", "zip"): "billing_zip"}
    return {columns.get(path, path[0]): _value(user, path) for path in _COLUMNS}


def _line(user: User, line: Any) -> dict[str, Any]:
    return {"user_id": user.id} | {name: getattr(line, name) for name in _LINE}


def engine(url: str) -> sa.Engine:
    """An engine with the tables of the shop, made anew."""
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        sql.register_functions(connection)
        if engine.dialect.name == "postgresql":
            with connection.cursor() as cursor:
                sql.learn_collations(engine.dialect, cursor)
            connection.rollback()

    shop.metadata.drop_all(engine)
    shop.metadata.create_all(engine)
    return engine


__all__ = ["Judge", "engine", "made", "rows_of"]
