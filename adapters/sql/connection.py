"""The connection of one unit's transaction, as SQLAlchemy's engine would give it."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Connection, CursorResult, Engine, TextualSelect
from sqlalchemy.exc import DBAPIError

from ...domain.errors import Misuse
from ..engine.adoption import renew
from .drivers import State, raise_interrupt_in, state_of

if TYPE_CHECKING:
    from .rows import SqlRows

__all__ = ["UnitConnection"]


class UnitConnection(Connection):
    """A connection that tells the unit of every error, also of those of the user's own statements.

    The unit's own statements pass it by as long as nobody asks for it; see `SqlRows`. It is in the unit's transaction
    from the start.
    """

    def __init__(self, engine: Engine, link: Any, rows: SqlRows) -> None:
        super().__init__(engine, link)
        self._rows = rows
        self._unit = rows.unit
        self._had_begun = False
        self._unread: list[CursorResult[Any]] = []  # results of the user's own statements that may have more rows
        self.begin()

    # Statements, the unit's and the user's own

    def _execute_context(self, *about: Any, **options: Any) -> Any:
        unit = self._unit
        if unit.calls or unit.closed:  # one of the unit's own, or another thread has it, which is told next
            unit.require_this_process()
            unit.require_no_other_call()
            self._require_transaction()
            return super()._execute_context(*about, **options)
        unit.require_usable()
        call = (get_ident(),)
        try:
            unit.begin_call(call)
            self._require_transaction()
            unit.write()
            result = super()._execute_context(*about, **options)
            self._unread = [each for each in (*self._unread, result) if each.cursor is not None]
            if not _only_reads(result.context) and not self._is_ended():
                renew(unit)
            unit.end_call(call)
            return result
        except DBAPIError as error:
            unit.end_call(call)
            self._rows.tell(error)
            raise
        except BaseException as error:
            unit.end_call_by(call, error)
            raise

    def close_results(self) -> None:
        """Close what was not read to its end: SQLite would keep its snapshot for the next unit on this connection."""
        for result in self._unread:
            result.close()

    def execution_options(self, **options: Any) -> Any:
        """Raises Misuse: SQLAlchemy would change this very connection, also for the statements of the unit."""
        raise Misuse(
            "execution_options of the connection would change how the unit of work runs its own statements: give them"
            " to a statement, as in `execute(statement, execution_options={…})`"
        )

    def _require_transaction(self) -> None:
        """Raises UnitFailed where the transaction has been ended by a statement or by the driver's connection."""
        if self._is_ended():
            self._rows.lose_transaction()

    def _is_ended(self) -> bool:
        link = self._dbapi_connection
        if not self._had_begun or link is None or link.dbapi_connection is None:
            return False
        return state_of(link.dbapi_connection, self.dialect) is State.READY

    def _handle_dbapi_exception(self, e: BaseException, *about: Any, **options: Any) -> NoReturn:
        try:
            super()._handle_dbapi_exception(e, *about, **options)
        except DBAPIError as error:
            self._rows.tell(error)
            raise

    def blame(
        self, error: BaseException, statement: str | None = None, parameters: Any = None, cursor: Any = None
    ) -> NoReturn:
        """Raise what SQLAlchemy raises for an error of the driver, and do what it does: the statement went past it."""
        self._handle_dbapi_exception(error, statement, parameters, cursor, _Sent(isinstance(parameters, list)))

    # The transaction is the unit's: what the user might end by this connection or by the ORM's session is refused

    def begin_nested(self) -> Any:
        """Set a savepoint of the unit. Raises Misuse for one that the unit would know nothing of."""
        if not self._unit.calls:
            raise Misuse(
                "begin_nested of the connection would set a savepoint that the objects know nothing of: use"
                " `with uow.nested():` of the unit"
            )
        return super().begin_nested()

    def get_transaction(self) -> Any:
        """Return the transaction to the unit, and to SQLAlchemy's session as it begins. Raises Misuse for others."""
        self._rows.require_ending("get_transaction")
        return super().get_transaction()

    def commit(self) -> None:
        """Commit. Raises Misuse unless it is the unit that does so."""
        self._rows.require_ending("commit")  # here, for SQLAlchemy would forget the transaction after a refusal below
        super().commit()

    def rollback(self) -> None:
        """Roll back. Raises Misuse unless it is the unit that does so."""
        self._rows.require_ending("rollback")
        super().rollback()

    def detach(self) -> None:
        """Raises Misuse: the pool would never get the connection back, nor the database its locks."""
        self._rows.require_ending("detach")
        super().detach()

    def invalidate(self, exception: BaseException | None = None) -> None:
        """Close a connection that is no good. Raises Misuse unless it is the unit that does so."""
        self._rows.require_ending("invalidate")
        super().invalidate(exception)

    def close(self) -> None:
        """Leave the connection to the unit, unless it is the unit that closes it."""
        if self._unit.calls or self._unit.closed:
            super().close()

    def _begin_impl(self, transaction: Any) -> None:
        self._unit.require_open()
        if self._had_begun:
            self._rows.lose_transaction()
        super()._begin_impl(transaction)
        self._had_begun = True

    def _commit_impl(self) -> None:
        self._rows.require_ending("commit")
        super()._commit_impl()

    # SQLAlchemy rolls back after any error. Where a statement is still in flight, the driver would refuse, and its
    # refusal would hide what was raised: such a connection is closed instead, which undoes its transaction too.

    def _rollback_impl(self) -> None:
        self._rows.require_ending("rollback")
        self._close_if_in_flight()
        super()._rollback_impl()

    def _rollback_to_savepoint_impl(self, name: str) -> None:
        self._unit.require_this_process()
        self._close_if_in_flight()
        super()._rollback_to_savepoint_impl(name)

    def _release_savepoint_impl(self, name: str) -> None:
        self._unit.require_this_process()
        super()._release_savepoint_impl(name)

    def _close_if_in_flight(self) -> None:
        link = self._dbapi_connection
        if link is None or link.dbapi_connection is None:
            return
        if state_of(link.dbapi_connection, self.dialect) in (State.IN_FLIGHT, State.CLOSED):
            self.invalidate()

    def _safe_close_cursor(self, cursor: Any) -> None:
        # SQLAlchemy would log and swallow whatever is raised here, and with it an interrupt.
        try:
            cursor.close()
        except self.dialect.loaded_dbapi.Error as error:
            raise_interrupt_in(error)
            self.engine.pool.logger.error("Error closing cursor", exc_info=True)


class _Sent:
    """What SQLAlchemy asks of the execution of a statement after an error."""

    def __init__(self, executemany: bool) -> None:
        self.executemany = executemany

    def handle_dbapi_exception(self, error: BaseException) -> None:
        """No dialect that is supported does anything here."""


def _only_reads(context: Any) -> bool:
    """Return whether a statement that was executed has changed no rows, as far as SQLAlchemy knows what it is."""
    statement = getattr(context.invoked_statement, "element", context.invoked_statement)  # of from_statement()
    if statement is None or isinstance(statement, TextualSelect) or not getattr(statement, "is_select", False):
        return False
    return not any(each.element.is_dml for each in context.compiled.ctes or ())  # WITH changed AS (UPDATE …)
