"""The limits of databases: what is cut into pieces to stay below them, and the error for what exceeds them.

MariaDB takes statements up to `max_allowed_packet`, and closes the connection on a longer one. So the length of a
statement is compared before it is sent. SQLAlchemy inserts up to 1,000 rows by one statement, of whatever length;
here it takes fewer rows where they are long.

Most limits have a code of their own. SQLite and psycopg tell the others by words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Date, DateTime, Integer, Interval, LargeBinary, Numeric, String, Time, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from ...domain.errors import TooLarge
from ..internals import insert_batches, replace_insert_batches
from ..plan.types import Duration, UTCDateTime

__all__ = ["OVERFLOWS", "cut_by_bytes", "exceeded", "measure_statements"]

BYTES_AT_ONCE = {"mysql": 1_000_000, "mariadb": 1_000_000, "postgresql": 10_000_000}
"""How long the values of a statement that inserts several rows may be. Longer ones are not faster."""

OVERFLOWS = "longer than INT_MAX bytes"  # what the OverflowError of sqlite3 says of a text or a BLOB of 2 GB
PACKET, PACKET_TOO_LARGE = "max_allowed_packet", 1153
NOTE = "honestwork_allowed"  # bytes: on a connection, and on the error of a statement that is longer
MESSAGE = 2**30 - 1  # bytes of a message that PostgreSQL takes, and of one value
SPLIT = "split the value, or keep it outside of the database and store its address"
FEWER = "ask for less at once"

Limit = tuple[str, int | None, str]  # name, value, way out

# By the words of the error: SQLite has one code, or none, for all of them.
SQLITE: dict[str, Limit] = {
    "string or blob too big": ("SQLITE_LIMIT_LENGTH", 1_000_000_000, SPLIT),
    "query string is too large": ("SQLITE_LIMIT_SQL_LENGTH", None, FEWER),
    "too many SQL variables": ("SQLITE_LIMIT_VARIABLE_NUMBER", None, FEWER),
    "Expression tree is too large": ("SQLITE_LIMIT_EXPR_DEPTH", 1000, "write a rule of fewer conditions"),
    "parser stack overflow": ("the depth of SQLite's parser", None, "write a rule of fewer levels"),
    "too many terms in compound SELECT": ("SQLITE_LIMIT_COMPOUND_SELECT", 500, FEWER),
    "too many columns": ("SQLITE_LIMIT_COLUMN", 2000, "select fewer columns"),
    "too many arguments on function": ("SQLITE_LIMIT_FUNCTION_ARG", None, FEWER),
    "LIKE or GLOB pattern too complex": ("SQLITE_LIMIT_LIKE_PATTERN_LENGTH", 50_000, "look for a shorter text"),
    "at most 64 tables in a join": ("the tables of a SELECT", 64, "write a rule over fewer collections"),
}
POSTGRESQL: dict[str, Limit] = {
    "54000": ("a limit of PostgreSQL", None, SPLIT),
    "54001": ("max_stack_depth", None, "write a rule of fewer levels, or raise the setting"),
    "54011": ("the columns of a row", 1664, "select fewer columns"),
    "54023": ("the arguments of a function", 100, FEWER),
}
PSYCOPG: dict[str, Limit] = {
    "number of parameters must be between": ("the parameters of a statement", 65_535, FEWER),
    "invalid memory alloc request size": ("the size of a value", MESSAGE, SPLIT),
    "out of memory\nDETAIL:  Cannot enlarge string buffer": ("the size of a value", MESSAGE, SPLIT),
}
MARIADB: dict[int, Limit] = {
    PACKET_TOO_LARGE: (PACKET, None, f"{SPLIT}; or raise the setting"),
    1162: (PACKET, None, "ask for less of it; or raise the setting"),
    1301: (PACKET, None, "ask for less of it; or raise the setting"),
    1104: ("max_join_size", None, FEWER),
    1117: ("the columns of a row", None, "select fewer columns"),
    1118: ("the size of a row", None, "use Text or LargeBinary for the long columns"),
    1119: ("thread_stack", None, "write a rule of fewer levels, or raise the setting"),
    1436: ("thread_stack", None, "write a rule of fewer levels, or raise the setting"),
    1197: ("max_binlog_cache_size", None, "store less in one unit, or raise the setting"),
    1390: ("the parameters of a statement", 65_535, FEWER),
}


# --- errors -------------------------------------------------------------------------------------------


def exceeded(error: BaseException) -> TooLarge | None:
    """The error for a limit that was exceeded; None if the error of the driver is about something else."""
    if isinstance(error, OverflowError):
        return _too_large(("the size of a value", 2**31 - 1, SPLIT), str(error))
    if not isinstance(error, DBAPIError):
        return None
    driver: Any = error.orig
    words = str(driver.args[-1] if driver.args else driver)
    limit = _limit(driver, words)
    if limit is None and error.connection_invalidated and type(driver).__module__.startswith("psycopg"):
        # PostgreSQL closes the connection, and does not say why.
        length = sum(_bytes(each) for each in _values(error.params))
        limit = ("the size of a message", MESSAGE, SPLIT) if length > MESSAGE else None
    return None if limit is None else _too_large(limit, words)


def _limit(driver: Any, words: str) -> Limit | None:
    if type(driver).__module__.startswith("sqlite3"):
        return next((limit for begin, limit in SQLITE.items() if words.startswith(begin)), None)
    code = driver.args[0] if driver.args else None
    if isinstance(code, int):
        name, value, way_out = MARIADB.get(code, ("", None, ""))
        return (name, getattr(driver, NOTE, value), way_out) if name else None
    state = getattr(driver, "sqlstate", None) or ""
    by_words = next((limit for part, limit in PSYCOPG.items() if part in words), None)
    return by_words or POSTGRESQL.get(state, POSTGRESQL["54000"] if state.startswith("54") else None)


def _too_large(limit: Limit, words: str) -> TooLarge:
    name, value, way_out = limit
    known = "" if value is None else f" ({value:,})"
    return TooLarge(
        f"a value or a statement exceeds {name}{known}: {words.strip().splitlines()[0]}; {way_out}",
        limit=name,
        value=value,
    )


def _values(parameters: Any) -> Iterator[Any]:
    """The values in the parameters of a statement, or of several."""
    if isinstance(parameters, dict):
        yield from _values(list(parameters.values()))
    elif isinstance(parameters, list | tuple):
        for each in parameters:
            yield from _values(each)
    else:
        yield parameters


# --- statements ---------------------------------------------------------------------------------------


def measure_statements(connection: Any) -> None:
    """Let a new connection of PyMySQL refuse a statement that the server would close it for."""
    if not type(connection).__module__.startswith("pymysql") or hasattr(connection, NOTE):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        ((allowed,),) = cursor.fetchall()
    setattr(connection, NOTE, allowed)
    connection.query = _measuring(connection, allowed)
    if allowed <= connection.cursorclass.max_stmt_length:
        connection.cursorclass = type(
            connection.cursorclass.__name__, (connection.cursorclass,), {"max_stmt_length": allowed - 2}
        )


def _measuring(connection: Any, allowed: int) -> Callable[..., int]:
    """The connection's `query`, for statements that are short enough."""
    from pymysql.err import OperationalError

    send: Callable[..., int] = connection.query

    def query(sql: Any, unbuffered: bool = False) -> int:
        if 4 * len(sql) >= allowed:
            sql = sql.encode(connection.encoding, "surrogateescape") if isinstance(sql, str) else sql
            if len(sql) > allowed - 2:  # the server counts two bytes more
                error = OperationalError(
                    PACKET_TOO_LARGE, f"the statement has {len(sql):,} bytes and {PACKET} is {allowed:,}"
                )
                setattr(error, NOTE, allowed)
                raise error
        return send(sql, unbuffered)

    return query


def cut_by_bytes(dialect: Dialect) -> None:
    """From now on fewer rows are inserted by one statement where they are long."""
    budget = BYTES_AT_ONCE.get(dialect.name)
    default: Any = dialect
    if budget is None or hasattr(default, NOTE):
        return
    deliver = insert_batches(dialect)
    setattr(default, NOTE, budget)

    def deliver_by_bytes(
        connection: Any, cursor: Any, statement: Any, parameters: Any, sizes: Any, context: Any
    ) -> Iterator[Any]:
        most = min(budget, getattr(connection.connection.dbapi_connection, NOTE, budget) // 2)
        at_once = context.execution_options.get(PAGE, default.insertmanyvalues_page_size)
        bound = _bound(context.compiled.statement.table)
        if (bound is None or bound * at_once > most) and (fit := max(1, most // _longest(parameters))) < at_once:
            context.execution_options = context.execution_options.union({PAGE: fit})
        batches: Iterator[Any] = deliver(connection, cursor, statement, parameters, sizes, context)
        return batches

    replace_insert_batches(dialect, deliver_by_bytes)


PAGE = "insertmanyvalues_page_size"


@lru_cache(1024)
def _bound(table: Any) -> int | None:
    """How many bytes a row has at most as literals, as far as the columns say it: then no row need be looked at."""
    lengths = [SHORT if isinstance(column.type, BOUNDED) else _length(column.type) for column in table.columns]
    return None if None in lengths else sum(2 * 4 * length + 32 for length in lengths if length is not None)


def _length(declared: Any) -> int | None:
    length: int | None = getattr(declared, "length", None) if isinstance(declared, String | LargeBinary) else None
    return length


SHORT = 80  # characters of a number, a date or a UUID
BOUNDED = (Integer, Numeric, Boolean, Date, DateTime, Time, Interval, Uuid, UTCDateTime, Duration)


def _longest(rows: Iterable[Any]) -> int:
    """How many bytes the longest of these rows may have as literals, in which each may be escaped."""
    longest = 1
    for row in rows:
        length = 32 * len(row)
        for value in row.values() if isinstance(row, dict) else row:
            kind = type(value)
            if kind is str:
                length += 2 * len(value) if value.isascii() else 8 * len(value)
            elif kind is not int:
                length += 2 * _bytes(value)
        longest = max(longest, length)
    return longest


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else 4 * len(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    inner = getattr(value, "obj", None)  # of psycopg's Binary
    return len(inner) if isinstance(inner, bytes | bytearray) else 0
