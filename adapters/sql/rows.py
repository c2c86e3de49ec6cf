"""The rows of one unit of work in a database: one connection, one transaction after the other.

A transaction begins with the first statement, on a connection of the pool, and the connection goes back when it ends.
Statements that are prepared go to the driver, all others through a connection of SQLAlchemy's that is made when one is
needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sqlalchemy import Connection, Executable, NestedTransaction, Select, literal, select
from sqlalchemy.exc import DBAPIError, InvalidRequestError, StatementError

from ...domain.errors import Misuse, Unavailable, UnitFailed
from ...rules.formula import TRUE, Expr
from ...rules.projection import Projection, of_type
from ..engine.rows import Change, Deletion, Found, Place, Rows, Savepoint
from ..engine.turn import Ticket, Turn
from ..internals import has_listeners, is_heard, plain_rows
from ..plan.entities import EntityPlan, FieldPlan, MembersPlan
from ..plan.tables import Key, Row, TablePlan, Unique
from ..plan.violations import conflict, read_only
from ..queries.query import Query
from .connection import UnitConnection
from .drivers import State, state_of
from .engines import begun
from .errors import DRIVER_ERRORS, has_no_savepoint, is_lost, raised
from .prepared import ROW_COUNT, Prepared
from .reading import one_of, slices
from .rules import column, order_by, where
from .unreadable import unreadable
from .written import Written

if TYPE_CHECKING:
    from ..engine.session import EngineSession
    from .orm_session import OrmSessionOnDemand
    from .reading import Reading
    from .store import SqlStore

__all__ = ["SqlRows"]

R = TypeVar("R")


class SqlRows(Rows):
    """The rows that one unit of work sees and writes, in a database. Lives as long as its session."""

    def __init__(self, store: SqlStore, turn: Turn | None, *, reading: bool) -> None:
        self.store = store
        self.schema = store.schema
        self.reading = reading
        self._engine = store.engine
        self._dialect: Any = store.engine.dialect
        self._turn = turn
        self._ticket: Ticket | None = None
        self._link: Any = None  # the pooled connection of the present transaction, as SQLAlchemy's pool gives it
        self._connection: UnitConnection | None = None  # the same, as SQLAlchemy's engine gives it
        self._orm: OrmSessionOnDemand | None = None  # SQLAlchemy's session over it, if one was asked for
        self._savepoints: list[SqlSavepoint] = []  # those that are not set, for nothing was done since
        self._is_lost = False  # the connection, and the transaction with it
        self._is_undone = False  # the whole transaction, by the database: MariaDB does so in a block that lost a race

    def serve(self, unit: EngineSession) -> None:
        self.unit = unit
        if self._turn is not None:
            unit.be_numbered()
            self._ticket = Ticket(unit.number)

    # Reading

    def by_key(self, entity: EntityPlan, key: Key) -> Found | None:
        reading = self.store.reading(entity)
        found = reading.found(self.read(reading.by_key, key if key.__class__ is tuple else (key,)))
        return found[0] if found else None

    def by_keys(self, entity: EntityPlan, keys: Sequence[Key]) -> list[Found]:
        reading = self.store.reading(entity)
        if len(keys) == 1:
            found_one = self.by_key(entity, keys[0])
            return [] if found_one is None else [found_one]
        found: list[Found] = []
        for some in reading.key_slices(keys):
            found += reading.found(self.rows(reading.by_keys, {"keys": some}))
        return found

    def members(self, owner: EntityPlan, relation: MembersPlan, keys: Sequence[Key]) -> list[list[Found]]:
        reading = self.store.reading(owner).members(relation)
        if len(keys) == 1:
            key = keys[0]
            return reading.of(self.read(reading.of_one, key if key.__class__ is tuple else (key,)))
        slices_of_keys = slices(keys, reading.columns)
        rows = [row for some in slices_of_keys for row in self.rows(reading.of_many, {"owners": some})]
        return reading.by_owner(keys, rows)

    def matching(self, asked: Query) -> Sequence[Found]:
        reading = self.store.reading(asked.entity)
        statement = _select(reading, asked)
        return reading.found(self.rows(statement.offset(asked.offset) if asked.offset else statement))

    def placed(self, asked: Query, last: int) -> tuple[Sequence[Found], Place | None]:
        reading, entity = self.store.reading(asked.entity), asked.entity
        places = [_place(entity, key.expression) for key in asked.keys]
        computed = [key.expression for key, place in zip(asked.keys, places, strict=True) if place is None]
        statement = _select(reading, asked)
        if not computed:
            rows = self.rows(statement)
        else:
            rows = self.rows(statement.add_columns(*[column(each, entity.cls) for each in computed]))
        width = len(reading.columns)
        found = reading.found([row[:width] for row in rows] if computed else rows)
        if len(rows) <= last:
            return found, None
        row = rows[last]
        beside = iter([of_type(each, value) for each, value in zip(computed, row[width:], strict=True)])
        return found, tuple([next(beside) if place is None else row[place.position] for place in places])

    def count(self, asked: Query) -> int:
        return int(self.rows(self.store.reading(asked.entity).count.where(*_where(asked)))[0][0])

    def exists(self, asked: Query) -> bool:
        reading = self.store.reading(asked.entity)
        statement = select(literal(1)).select_from(reading.joined).where(*reading.of_this_class)
        return bool(self.rows(statement.where(*_where(asked)).limit(1)))

    def values(self, asked: Query, wanted: Projection[Any]) -> Iterable[Sequence[Any]]:
        reading, entity = self.store.reading(asked.entity), asked.entity
        values = [column(each, entity.cls) for each in wanted.expressions] or [literal(1)]
        statement = select(*values).select_from(reading.joined).where(*reading.of_this_class)
        rows = self.rows(statement.where(*_where(asked)).order_by(*_order(reading, asked)).limit(asked.limit))
        if wanted.expressions:
            reading.require_fitting(tuple([_place(entity, each) for each in wanted.expressions]), rows)
        return rows

    def taken(self, table: TablePlan, unique: Unique, values: Sequence[Any]) -> set[Any]:
        writing, names = self.store.writing(table), unique.columns
        columns = writing.columns_named(names)
        statement = select(*columns).where(one_of(columns, "values"))
        sent = writing.sent_for(names, values if len(names) > 1 else [(value,) for value in values])
        rows = [row for some in slices(sent, columns) for row in self.rows(statement, {"values": some})]
        found = [writing.encoded_for(names, row) for row in rows]
        return {row if len(names) > 1 else row[0] for row in found}

    def some_keys(self, table: TablePlan, limit: int) -> Sequence[Key]:
        columns = self.store.writing(table).keys
        found = self.rows(select(*columns).order_by(*columns).limit(limit))
        return [row if len(columns) > 1 else row[0] for row in found]

    def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Row]:
        """The rows of a statement, which runs in this unit's transaction."""
        return self._run(lambda rows, _: rows._fetched(statement, parameters))

    def _fetched(self, statement: Executable, parameters: Any) -> Sequence[Row]:
        # As plain tuples, which is how the ORM reads them too: nobody asks for a column by its name.
        connection = self.connection()
        result = connection.execute(statement, parameters)
        try:
            return plain_rows(result)
        except Exception as error:
            row = unreadable(connection, statement, parameters, error)
            if row is None:
                raise
            raise row from error

    # Prepared statements. They go straight to the driver, unless somebody is to hear of them or has asked for
    # SQLAlchemy's connection, which may be listened to.

    def read(self, prepared: Prepared, values: Sequence[Any]) -> Sequence[Row]:
        """The rows of a prepared statement."""
        try:
            parameters = self._packed(prepared, values)
            if parameters is None:
                return self._fetched(prepared.statement, prepared.named(values))
            cursor = self._sent(self._dialect.do_execute, prepared, parameters)
            try:
                found = self._taken(prepared.fetched, cursor, prepared, parameters)
                return found if prepared.processed is None else prepared.processed(found)
            except Exception as error:
                row = unreadable(self.connection(), prepared.statement, prepared.named(values), error)
                if row is None:
                    raise
                raise row from error
        except DRIVER_ERRORS as error:
            self._raise(error)

    def run(self, prepared: Prepared, values: Sequence[Any]) -> Any:
        """Run a prepared statement. Return the number of rows that it has matched, or the key of an INSERT."""
        parameters = self._packed(prepared, values)
        if parameters is None:
            return prepared.given_by(self.connection().execute(prepared.statement, prepared.named(values)))
        cursor = self._sent(self._dialect.do_execute, prepared, parameters)
        return self._taken(prepared.given, cursor, prepared, parameters)

    def run_each(self, prepared: Prepared, values: Sequence[Sequence[Any]], given: list[Any]) -> None:
        """Run a prepared statement for each of several values, and note what it has *given* so far."""
        if self._packed(prepared, values[0]) is None:
            given.extend(self.run(prepared, each) for each in values)
            return
        text, pack, take, send = prepared.text, prepared.packed, prepared.given, self._dialect.do_execute
        parameters = cursor = None
        try:
            cursor = self._link.cursor()
            for each in values:
                parameters = pack(each)
                send(cursor, text, parameters, None)
                given.append(take(cursor))
            cursor.close()
        except BaseException as error:
            self.connection().blame(error, text, parameters, cursor)

    def run_together(self, prepared: Prepared, values: Sequence[Sequence[Any]]) -> int:
        """Let the driver run a statement for all of several values. Return how many rows it has matched in all."""
        parameters = [self._packed(prepared, each) for each in values]
        if None in parameters:
            return self.connection().execute(prepared.statement, [*map(prepared.named, values)]).rowcount
        cursor = self._sent(self._dialect.do_executemany, prepared, parameters)
        return self._taken(ROW_COUNT, cursor, prepared, parameters)

    def _packed(self, prepared: Prepared, values: Sequence[Any]) -> Any:
        """The parameters for the driver, or None where SQLAlchemy is to send the statement."""
        if self._link is None:
            self._begin()
        self.unit.require_this_process()
        return None if self._connection is not None or has_listeners(self._engine) else prepared.packed(values)

    def _sent(self, send: Callable[..., None], prepared: Prepared, parameters: Any) -> Any:
        """Let the driver run a statement. Return its cursor."""
        cursor = None
        try:
            cursor = self._link.cursor()
            send(cursor, prepared.text, parameters, None)
            return cursor
        except BaseException as error:
            self.connection().blame(error, prepared.text, parameters, cursor)

    def _taken(self, take: Callable[[Any], R], cursor: Any, prepared: Prepared, parameters: Any) -> R:
        """What a statement has given."""
        try:
            taken = take(cursor)
            cursor.close()
            return taken
        except BaseException as error:
            self.connection().blame(error, prepared.text, parameters, cursor)

    # Writing

    @property
    def has_begun(self) -> bool:
        """Has the transaction begun, and with it what it sees?"""
        return self._link is not None

    def require_writing(self) -> None:
        if self.reading:
            self._run(lambda rows, _: rows.connection())  # a database that is gone is told first
            raise read_only()

    def insert(self, table: TablePlan, rows: Sequence[Row]) -> Sequence[Row]:
        writing = self.store.writing(table)
        given: list[Any] = []
        try:
            return writing.insert(self, rows, given)
        except DRIVER_ERRORS as error:
            self._raise(error, Written(self, table, writing.failing(rows, given)))

    def update(self, table: TablePlan, changes: Sequence[Change]) -> None:
        if not self._run(self.store.writing(table).update, table, changes):
            raise conflict()

    def delete(self, table: TablePlan, deletions: Sequence[Deletion]) -> int:
        matched = self._run(self.store.writing(table).delete, table, deletions)
        if matched != len(deletions) and any(each.version is not None for each in deletions):
            raise conflict()
        return matched

    def _run(
        self, work: Callable[[SqlRows, Sequence[Any]], R], table: TablePlan | None = None, written: Sequence[Any] = ()
    ) -> R:
        """Do something in this unit's transaction; with the errors of the domain for those of the driver."""
        try:
            return work(self, written)
        except DRIVER_ERRORS as error:
            self._raise(error, None if table is None else Written(self, table, written))

    def _raise(self, error: Exception, written: Written | None = None) -> NoReturn:
        """Raise the error of the domain for one of the driver."""
        self.fail_by(error)
        raised(error, self.schema, reading=self.reading, written=written)

    # The connection

    def connection(self) -> UnitConnection:
        """SQLAlchemy's connection in this unit's transaction, which begins now if none has begun."""
        if self._link is None:
            self._begin()
        if self._connection is None:
            self._connection = UnitConnection(self._engine, self._link, self)
        return self._connection

    def _begin(self) -> None:
        """Begin a transaction."""
        self.unit.require_open()
        engine = self._engine
        try:
            self.take_turn()
            self._link = begun(engine, reading=self.reading)
            if self._savepoints or is_heard(engine):
                connection = self.connection()
                for savepoint in self._savepoints:
                    savepoint.set(connection)
                self._savepoints.clear()
        except DRIVER_ERRORS as error:
            self.tell(error)
            raise

    def orm_session(self) -> OrmSessionOnDemand:
        """A session of SQLAlchemy over the present transaction, after a flush."""
        from .orm_session import OrmSessionOnDemand  # most units do without

        self.unit.flush()
        if self._orm is None:
            self._orm = OrmSessionOnDemand(self.unit, self._run(lambda rows, _: rows.connection()))
            self._orm.connection()  # it asks for the transaction now, which is shown to nobody later
        return self._orm

    def take_turn(self) -> None:
        if self._ticket is not None and self._ticket.place is None:
            assert self._turn is not None
            self._turn.take(self._ticket)

    def require_ending(self, what: str) -> None:
        """Raises Misuse unless it is the unit that ends its transaction; WrongProcess."""
        self.unit.require_this_process()
        if not self.unit.calls and not self.unit.closed:
            raise Misuse(
                f"{what} of the session or the connection would end the transaction of the unit of work: call"
                " commit() or rollback() of the unit, or leave its block"
            )

    def lose_transaction(self) -> NoReturn:
        """Raises UnitFailed: the transaction has been ended, and not by the unit."""
        self.unit.fail()
        self.unit.was_interrupted = True  # what SQLAlchemy believes of it is not true
        raise UnitFailed(
            "this unit's transaction has been ended, by an earlier error or by a statement of your own, and nothing of"
            " it is stored: leave the block and run the service again in a fresh unit, or call rollback() first"
        )

    def tell(self, error: Exception) -> None:
        """Called with each error of the database. What the user's own statements raise is translated here.

        All others are translated where they are caught, also those of leaving the block.
        """
        if not self.unit.calls and not self.unit.closed:
            self.fail_by(error)
            raised(error, self.schema, reading=self.reading)

    def fail_by(self, error: Exception) -> None:
        """Fail the unit because of an error of the driver."""
        self.unit.fail()
        self._is_lost = self._is_lost or is_lost(error)
        self._is_undone = self._is_undone or has_no_savepoint(error)

    # The transaction

    def savepoint(self) -> SqlSavepoint:
        savepoint = SqlSavepoint(self)
        if self._link is None:
            self._savepoints.append(savepoint)  # the snapshot is still taken by the first statement
        else:
            self._run(lambda rows, _: savepoint.set(rows.connection()))
        return savepoint

    def commit(self) -> None:
        self._end_orm()
        if self._link is not None:
            self._require_alive()
            try:
                if self._connection is None and not has_listeners(self._engine):
                    self._commit()
                else:
                    self.connection().commit()
            except DRIVER_ERRORS as error:
                self.fail_by(error)
                raised(error, self.schema, committing=True)
        self._end_transaction()

    def _commit(self) -> None:
        try:
            self._dialect.do_commit(self._link)
        except BaseException as error:
            self.connection().blame(error)

    def end(self) -> None:
        self._end_orm()
        self._end_transaction()
        self._is_lost = self._is_undone = False

    def interrupted(self, error: BaseException) -> BaseException:
        return _first_raised(error)

    def abandon(self) -> None:
        self._ticket = None  # the turn is free from now on
        if self._link is not None:
            self.store.drop(self._link)
            self._link = self._connection = None

    def leave_to_parent(self) -> None:
        self.store.leave_to_parent(self._orm, self._connection, self._link)

    def _require_alive(self) -> None:
        """Raises UnitFailed where the server has failed the transaction, for it would answer COMMIT with a rollback.

        Raises Unavailable where the connection is closed: nothing can have been stored.
        """
        connection = self._link.dbapi_connection
        match State.CLOSED if connection is None else state_of(connection, self._dialect):
            case State.FAILED | State.IN_FLIGHT | State.READY:
                self.lose_transaction()
            case State.CLOSED:
                self.unit.fail()
                self._is_lost = True
                raise Unavailable("the connection was lost before the commit: run the service again in a fresh unit")

    def _end_transaction(self) -> None:
        if self._connection is not None:
            self._connection.close_results()
        if self._link is not None:
            self.store.give_back(self._link)
            self._link = self._connection = None
        if self._savepoints:
            self._savepoints.clear()
        if self._ticket is not None and self._ticket.place is not None:
            assert self._turn is not None
            self._turn.release(self._ticket)

    def _end_orm(self) -> None:
        if self._orm is not None:
            self._orm.let_go()
            self._orm = None  # last, for an interrupt lets it be done again


class SqlSavepoint(Savepoint):
    """A savepoint in a database. It is set when the transaction has begun, at once or later."""

    _savepoint: NestedTransaction | None = None

    def __init__(self, rows: SqlRows) -> None:
        self._rows = rows

    def set(self, connection: Connection) -> None:
        """Set it in the transaction of this connection."""
        self._savepoint = connection.begin_nested()

    def release(self) -> None:
        rows = self._rows
        if self._savepoint is None:
            self._forget()
            return
        try:
            self._savepoint.commit()
        except DRIVER_ERRORS as error:
            rows.fail_by(error)
            raised(error, rows.schema)

    def rollback(self) -> bool:
        rows = self._rows
        try:
            if self._savepoint is None:
                self._forget()
            elif not rows._is_lost:
                self._savepoint.rollback()
                # On a connection that is gone SQLAlchemy does nothing, and says nothing.
                rows._is_lost = rows.connection().invalidated
        except DRIVER_ERRORS as error:
            rows.fail_by(error)
            if not (rows._is_undone or rows.unit.was_interrupted):
                raised(error, rows.schema)
        if rows._is_lost and not rows.unit.was_interrupted:
            raise Unavailable("the connection was lost, and this unit's transaction with it: run the service again")
        return not rows._is_undone

    def _forget(self) -> None:
        with suppress(ValueError):
            self._rows._savepoints.remove(self)


def _select(reading: Reading, asked: Query) -> Select[Any]:
    """The rows that a query asks for. Each clause is a copy of the statement, so none is added that says nothing."""
    entity = asked.entity
    in_order = asked.keys is entity.key_order
    statement = reading.in_order if in_order else reading.select.order_by(*order_by(asked.keys, entity.cls))
    if asked.formula is not TRUE:
        statement = statement.where(where(asked.formula, entity.cls))
    return statement if asked.limit is None else statement.limit(asked.limit)


def _where(asked: Query) -> list[Any]:
    return [] if asked.formula is TRUE else [where(asked.formula, asked.entity.cls)]


def _order(reading: Reading, asked: Query) -> list[Any]:
    entity = asked.entity
    return reading.keys if asked.keys is entity.key_order else order_by(asked.keys, entity.cls)


def _place(entity: EntityPlan, expression: Expr) -> FieldPlan | None:
    """The place that an expression reads as it is, if it does nothing else."""
    if expression.op != "attr":
        return None
    variable, path, _ = expression.args
    if variable != 0:
        return None
    if len(path) == 1:
        return entity.by_name.get(path[0])
    value = entity.values.get(path[0])
    return None if value is None or path[1] not in value.names else value.fields[value.names.index(path[1])]


def _first_raised(error: BaseException) -> BaseException:
    """What was raised before SQLAlchemy raised an error of its own because of it.

    It wraps whatever a function of the mapping raises; and where it is interrupted between two steps, it asserts in
    a `finally` that it was not, as psycopg does.
    """
    first: BaseException | None = error
    while first is not None and not isinstance(first, DBAPIError):
        if isinstance(first, StatementError):
            first = first.orig
        elif isinstance(first, AssertionError | InvalidRequestError) and _is_of_a_library(first):
            first = first.__context__
        else:
            return first
    return first or error


def _is_of_a_library(error: BaseException) -> bool:
    """Return whether SQLAlchemy or psycopg has raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is None or trace.tb_frame.f_globals.get("__name__", "").startswith(("sqlalchemy.", "psycopg."))
