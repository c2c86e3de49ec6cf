"""What exceeds a limit of a database: rows are cut into statements, and a single value is one clear error."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg.errors
import pymysql.err
import pytest
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, Text, event
from sqlalchemy.exc import DBAPIError

from honestwork.adapters import Mapping, SqlStore, children
from honestwork.adapters.sql import limits
from honestwork.adapters.sql.errors import translated
from honestwork.domain import Repository, RuleRefused, TooLarge, UnitFailed, all_of, negate, rule
from honestwork.service_layer import UnitOfWork


@dataclass(eq=False)
class Page:
    text: str
    scan: bytes = b""
    id: int = field(init=False)


@dataclass(eq=False)
class Book:
    title: str
    pages: list[Page] = field(default_factory=list)


@dataclass(eq=False)
class Note:
    text: str
    scan: bytes = b""
    id: int = field(init=False)


mapping = Mapping()
books = Table("books", mapping.metadata, Column("title", String(20), primary_key=True))
pages = Table(
    "pages",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("book", ForeignKey(books.c.title), nullable=False),
    Column("text", Text, nullable=False),
    Column("scan", LargeBinary, nullable=False),
)
notes = Table(
    "notes",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("scan", LargeBinary, nullable=False),
)
mapping.member(Page, pages)
mapping.aggregate(Book, books, properties={"pages": children(Page)})
mapping.aggregate(Note, notes)


class Library(UnitOfWork):
    books: Repository[Book, str]
    notes: Repository[Note, int]


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    yield from library(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[SqlStore]:
    yield from library(mariadb_url)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[SqlStore]:
    yield from library(sqlite_url)


def library(url: str) -> Iterator[SqlStore]:
    store = SqlStore(url, mapping, durability="process")
    store.create_tables()
    yield store
    store.drop_tables()
    store.dispose()


# --- many rows ----------------------------------------------------------------------------------------


def test_many_long_rows_are_stored_at_once(store: SqlStore) -> None:
    """40 MB, where MariaDB takes 16 MB at once."""
    with Library(store) as uow:
        uow.notes.add_many([Note(f"{number:20}" * 1000, b"'") for number in range(2000)])
        uow.commit()

    with Library(store) as uow:
        assert uow.notes.count() == 2000
        assert [int(note.text[:20]) for note in uow.notes.find(lambda note: note.id % 100 == 0)]


def test_many_long_members_are_stored_at_once(store: SqlStore) -> None:
    with Library(store) as uow:
        uow.books.add(Book("long", [Page("é" * 20_000, b"'" * 20_000) for _ in range(600)]))
        uow.commit()

    with Library(store) as uow:
        assert [(len(page.text), page.scan) for page in uow.books["long"].pages[::599]] == [(20_000, b"'" * 20_000)] * 2


def test_many_long_rows_are_changed_and_removed_at_once(store: SqlStore) -> None:
    with Library(store) as uow:
        uow.notes.add_many([Note("") for _ in range(1000)])
        uow.commit()

    with Library(store) as uow:
        for note in uow.notes:
            note.text = "x" * 20_000
        uow.commit()
        uow.notes.remove_where(lambda note: len(note.text) == 20_000)
        uow.commit()

    with Library(store) as uow:
        assert uow.notes.count() == 0


def test_rows_are_cut_to_what_a_server_takes(mariadb: SqlStore) -> None:
    """Given: a server that takes 200 kB at once. The connection refuses what is longer."""

    @event.listens_for(mariadb.engine, "connect")
    def lower(connection: Any, _: Any) -> None:
        setattr(connection, limits.NOTE, 200_000)

    mariadb.dispose()
    with Library(mariadb) as uow:
        uow.notes.add_many([Note("'" * 20_000) for _ in range(100)])
        uow.books.add(Book("long", [Page("\\" * 20_000) for _ in range(100)]))
        uow.commit()

    with Library(mariadb) as uow:
        assert (uow.notes.count(), len(uow.books["long"].pages)) == (100, 100)


# --- one value ----------------------------------------------------------------------------------------


def test_a_value_that_is_too_large_is_one_clear_error(mariadb: SqlStore) -> None:
    with Library(mariadb) as uow:
        uow.notes.add(Note("x" * 17_000_000))

        with pytest.raises(TooLarge, match=r"max_allowed_packet \(16,777,216\).*split the value") as caught:
            uow.flush()
        with pytest.raises(UnitFailed):
            uow.notes.count()
        uow.rollback()
        uow.notes.add(Note("small"))
        uow.commit()

    assert (caught.value.limit, caught.value.value) == ("max_allowed_packet", 16_777_216)
    assert isinstance(caught.value.__cause__, DBAPIError)
    with Library(mariadb) as uow:
        assert [note.text for note in uow.notes] == ["small"]


@pytest.mark.parametrize("note", [Note("é" * 9_000_000), Note("", b"'" * 9_000_000)], ids=["bytes", "escapes"])
def test_what_is_sent_is_measured(mariadb: SqlStore, note: Note) -> None:
    """Nine million characters, of which each is two bytes on its way."""
    with Library(mariadb) as uow, pytest.raises(TooLarge):
        uow.notes.add(Note(note.text, note.scan))
        uow.commit()


def test_a_statement_of_just_the_allowed_length_is_sent(mariadb: SqlStore) -> None:
    with mariadb.engine.connect() as connection:
        allowed = connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one()
        statement = "SELECT 1 -- "

        assert connection.exec_driver_sql(statement + "x" * (allowed - len(statement) - 2)).scalar_one() == 1
        with pytest.raises(DBAPIError, match="max_allowed_packet"):
            connection.exec_driver_sql(statement + "x" * (allowed - len(statement) - 1))
        assert connection.exec_driver_sql("SELECT 2").scalar_one() == 2


def test_a_block_in_which_a_value_is_too_large_is_undone_alone(mariadb: SqlStore) -> None:
    with Library(mariadb) as uow:
        uow.notes.add(Note("first"))
        with pytest.raises(TooLarge), uow.nested():
            uow.notes.add(Note("x" * 17_000_000))
        uow.commit()

    with Library(mariadb) as uow:
        assert [note.text for note in uow.notes] == ["first"]


def test_a_changed_value_and_one_that_is_looked_for_can_be_too_large(mariadb: SqlStore) -> None:
    with Library(mariadb) as uow:
        uow.notes.add(Note("small"))
        uow.commit()
        text = "x" * 17_000_000

        with pytest.raises(TooLarge):
            uow.notes.find(lambda note: note.text == text)
        uow.rollback()
        uow.notes.find(lambda note: note.text == "small")[0].text = text
        with pytest.raises(TooLarge):
            uow.commit()


def test_a_value_that_is_too_large_on_sqlite(sqlite: SqlStore) -> None:
    @event.listens_for(sqlite.engine, "connect")
    def lower(connection: sqlite3.Connection, _: Any) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)

    sqlite.dispose()
    with Library(sqlite) as uow:
        uow.notes.add(Note("x" * 1_000_001))
        with pytest.raises(TooLarge, match="SQLITE_LIMIT_LENGTH") as caught:
            uow.commit()
        with pytest.raises(UnitFailed):
            uow.notes.count()

    assert caught.value.limit == "SQLITE_LIMIT_LENGTH"
    with Library(sqlite) as uow:
        uow.notes.add(Note("small"))
        uow.commit()


# --- errors of drivers --------------------------------------------------------------------------------


def from_sqlite(words: str) -> Exception:
    return DBAPIError("SELECT", None, sqlite3.OperationalError(words))


def from_psycopg(state: str | None, words: str) -> Exception:
    kind: Callable[[str], Exception] = psycopg.OperationalError if state is None else psycopg.errors.lookup(state)
    return DBAPIError("SELECT", None, kind(words))


def from_mariadb(number: int) -> Exception:
    return DBAPIError("SELECT", None, pymysql.err.OperationalError(number, "no words"))


@pytest.mark.parametrize(
    ("error", "limit", "value"),
    [
        (from_sqlite("string or blob too big"), "SQLITE_LIMIT_LENGTH", 1_000_000_000),
        (from_sqlite("query string is too large"), "SQLITE_LIMIT_SQL_LENGTH", None),
        (from_sqlite("too many SQL variables"), "SQLITE_LIMIT_VARIABLE_NUMBER", None),
        (from_sqlite("Expression tree is too large (maximum depth 1000)"), "SQLITE_LIMIT_EXPR_DEPTH", 1000),
        (from_sqlite("parser stack overflow"), "the depth of SQLite's parser", None),
        (from_sqlite("too many terms in compound SELECT"), "SQLITE_LIMIT_COMPOUND_SELECT", 500),
        (from_psycopg("54000", "index row size 3000 exceeds btree maximum"), "a limit of PostgreSQL", None),
        (from_psycopg("54001", "stack depth limit exceeded"), "max_stack_depth", None),
        (from_psycopg("54011", "target lists can have at most 1664 entries"), "the columns of a row", 1664),
        (
            from_psycopg(None, "sending query failed: number of parameters must be between 0 and 65535"),
            "the parameters of a statement",
            65535,
        ),
        (from_psycopg("XX000", "invalid memory alloc request size 2000000004"), "the size of a value", 2**30 - 1),
        (from_mariadb(1153), "max_allowed_packet", None),
        (from_mariadb(1118), "the size of a row", None),
        (from_mariadb(1436), "thread_stack", None),
        (from_mariadb(1390), "the parameters of a statement", 65535),
        (OverflowError("string is longer than INT_MAX bytes"), "the size of a value", 2**31 - 1),
    ],
)
def test_a_limit_is_told_by_its_name(error: Exception, limit: str, value: int | None) -> None:
    found = translated(error, mapping.schema)

    assert isinstance(found, TooLarge)
    assert (found.limit, found.value) == (limit, value)
    assert limit in str(found)


def test_a_message_that_postgresql_closes_the_connection_for_is_too_large() -> None:
    text = "x" * 2**20
    error = DBAPIError("SELECT", {"a": [text] * 2**10}, psycopg.OperationalError("server closed the connection"))
    error.connection_invalidated = True

    assert isinstance(translated(error, mapping.schema), TooLarge)


# --- rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        lambda note: sum_of(note.id, 90) > 0,
        lambda note: text_of(note.text, 90) == "",
        lambda note: abs_of(note.id, 9) == 0,
        lambda note: abs_of(note.id, 90) == 0,
        lambda note: doubled(note.id, 90) == 0,
        lambda note: doubled(note.id, 7) == 0,
        lambda note: all(note.id != number for number in range(95)) and any(note.text != str(n) for n in range(3)),
        lambda note: any(note.id == n or note.text == str(n) for n in range(40)),
    ],
)
def test_the_largest_rules_are_answered_or_refused(store: SqlStore, rule: Callable[[Note], bool]) -> None:
    with Library(store) as uow, suppress(RuleRefused):
        uow.notes.find(rule)


def sum_of(number: int, count: int) -> int:
    for _ in range(count):
        number = number + 1
    return number


def doubled(number: int, count: int) -> int:
    for _ in range(count):
        number = number + number
    return number


def abs_of(number: int, count: int) -> int:
    for _ in range(count):
        number = abs(number)
    return number


def text_of(text: str, count: int) -> str:
    for _ in range(count):
        text = text.lower() + "x"
    return text


@pytest.mark.parametrize(
    "nested", [lambda inner: all_of(inner, positive), negate, rule], ids=["all_of", "negate", "rule"]
)
def test_rules_within_rules_without_end_are_refused(store: SqlStore, nested: Callable[[Any], Any]) -> None:
    endless: Callable[[Note], bool] = positive
    for _ in range(5000):
        endless = nested(endless)

    with Library(store) as uow, pytest.raises(RuleRefused, match="too many functions within functions"):
        uow.notes.find(endless)


def positive(note: Note) -> bool:
    return note.id > 0
