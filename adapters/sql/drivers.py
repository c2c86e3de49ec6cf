"""What a driver knows of its connection, asked without a round trip.

A connection may go back into the pool only outside of a transaction. The three drivers that are tested tell where
theirs stands; of any other driver nothing is known, and it is rolled back to be sure.

| driver   | tells                                     | a statement in flight                                |
|----------|-------------------------------------------|------------------------------------------------------|
| sqlite3  | `in_transaction`                          | never: statements run in the calling thread          |
| psycopg  | libpq's transaction status                | the status ACTIVE, or its lock is held; in a         |
|          |                                           | pipeline, `mark_busy` notes it                       |
| PyMySQL  | the flag IN_TRANS of the server's answer  | `mark_busy` notes it, for the driver itself does not |
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from sqlite3 import ProgrammingError
from typing import Any

from ...domain.interrupts import came_from_outside, interrupt_behind

__all__ = ["State", "cut", "end_pipelines_quietly", "interrupt_in", "mark_busy", "raise_interrupt_in", "state_of"]

BUSY = "_honestwork_busy"  # an attribute of a driver's connection: statements were sent, and not all answers read
DRIVERS = ("psycopg", "pymysql")  # those that raise errors of their own over an interrupt
IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS of the MySQL protocol
IDLE, INTRANS, INERROR = 0, 2, 3  # PQTRANS_* of libpq


class State(Enum):
    """Where a connection stands."""

    READY = "outside of a transaction"
    OPEN = "in a transaction, with no statement in flight"
    FAILED = "in a transaction that the server has failed"
    IN_FLIGHT = "a statement was sent, and its answer not read"
    CLOSED = "the connection is closed"
    UNTOLD = "the driver does not tell"


def state_of(connection: Any, dialect: Any) -> State:
    """Where a driver's connection stands."""
    told = STATES.get(dialect.driver)
    return State.UNTOLD if told is None else told(connection)


def _of_sqlite(connection: Any) -> State:
    try:
        return State.OPEN if connection.in_transaction else State.READY
    except ProgrammingError:
        return State.CLOSED


def _of_psycopg(connection: Any) -> State:
    if connection.closed:
        return State.CLOSED
    if connection.lock.locked() or connection.pgconn.pipeline_status:  # an interrupted call has not let go of it
        return State.IN_FLIGHT
    if getattr(connection, BUSY, False):
        return State.IN_FLIGHT
    status = connection.pgconn.transaction_status
    if status == IDLE:
        return State.READY
    return State.OPEN if status == INTRANS else State.FAILED if status == INERROR else State.IN_FLIGHT


def _of_pymysql(connection: Any) -> State:
    if not connection.open:
        return State.CLOSED
    if getattr(connection, BUSY, False):
        return State.IN_FLIGHT
    return State.OPEN if connection.server_status & IN_TRANSACTION else State.READY


STATES: dict[str, Callable[[Any], State]] = {
    "pysqlite": _of_sqlite,
    "psycopg": _of_psycopg,
    "pymysql": _of_pymysql,
}


def mark_busy(dialect: Any) -> None:
    """From now on, note on each connection of PyMySQL while a statement of it is in flight.

    On those of psycopg, note it of pipelines: one that is interrupted while it ends looks as if it had ended, but the
    server still waits for its last message, and answers nothing else.
    """

    def wrapped(name: str, connection_of: Any) -> None:
        call = getattr(dialect, name)

        def marked(first: Any, *arguments: Any, **options: Any) -> None:
            connection = connection_of(first)
            setattr(connection, BUSY, True)
            try:
                call(first, *arguments, **options)
            except dialect.loaded_dbapi.Error as error:
                # The server has answered, or the driver has closed the connection.
                setattr(connection, BUSY, interrupt_in(error) is not None)
                raise
            setattr(connection, BUSY, False)

        setattr(dialect, name, marked)

    wrapped("do_executemany", lambda cursor: cursor.connection)
    if dialect.driver == "psycopg":
        return
    for name in ("do_execute", "do_execute_no_params"):
        wrapped(name, lambda cursor: cursor.connection)
    for name in ("do_commit", "do_rollback"):
        wrapped(name, lambda connection: connection.dbapi_connection)


def end_pipelines_quietly(dialect: Any) -> None:
    """From now on, read all answers of a pipeline of psycopg before it ends, also where a statement of it has failed.

    Else psycopg finds out as it ends it, and logs a warning beside the error that is raised anyway.
    """
    errors = dialect.loaded_dbapi.Error

    def executemany(cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        with cursor.connection.pipeline() as pipeline:
            try:
                cursor.executemany(statement, parameters)
            except errors as error:
                if interrupt_in(error) is None:
                    with _ignored(errors):
                        pipeline.sync()
                raise

    dialect.do_executemany = executemany


def interrupt_in(error: BaseException | None) -> BaseException | None:
    """Return the interrupt because of which a driver has raised this error of its own.

    The pipelines of psycopg cut its traceback. It is known by its class then: neither the driver's nor Python's own.
    """
    if (interrupt := interrupt_behind(error, *DRIVERS, "contextlib")) is not None:
        return interrupt
    while error is not None:
        error = error.__context__
        trace = None if error is None else error.__traceback__
        if trace is None or not str(trace.tb_frame.f_globals.get("__name__", "")).startswith(DRIVERS):
            return None
        if type(error).__module__.partition(".")[0] not in (*DRIVERS, *sys.stdlib_module_names):
            return error
    return None


def raise_interrupt_in(error: BaseException | None) -> None:
    """Raise the interrupt because of which a driver has raised this error, if there is one."""
    if (interrupt := interrupt_in(error)) is not None:
        raise interrupt


def cut(connection: Any, dialect: Any) -> None:
    """Close a connection at once, whatever it is in the middle of, and let the server know where that is quick.

    Its transaction is undone by the server.
    """
    errors = dialect.loaded_dbapi.Error
    with _ignored(errors, OSError):
        if dialect.driver == "psycopg":
            _cut_psycopg(connection, errors)
        elif dialect.driver == "pymysql":
            connection._force_close()  # close() would send a farewell, and fail if it was closed already
        else:
            if dialect.driver == "pysqlite" and connection.in_transaction:
                connection.rollback()  # a cursor that is still alive would keep the file locked after the end
            connection.close()


@contextmanager
def _ignored(*errors: type[BaseException]) -> Iterator[None]:
    """As `contextlib.suppress`, but for what a signal raises, which may be a TimeoutError."""
    try:
        yield
    except errors as error:
        if came_from_outside(error):
            raise


def _cut_psycopg(connection: Any, errors: Any) -> None:
    if _of_psycopg(connection) is State.IN_FLIGHT:
        with _ignored(errors, OSError):  # else the server goes on with the statement, and keeps its locks until its end
            connection.cancel_safe(timeout=1)
    connection.close()
