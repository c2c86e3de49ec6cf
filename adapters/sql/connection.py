"""The connection of one unit's transaction, as SQLAlchemy's engine would give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .drivers import State, state_of

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["UnitConnection"]


class UnitConnection(Connection):
    """A connection that tells the unit of every error, also of those of the user's own statements."""

    def __init__(self, engine: Engine, link: Any, unit: SqlSession) -> None:
        super().__init__(engine, link)
        self._unit = unit

    def _handle_dbapi_exception(self, e: BaseException, *about: Any, **options: Any) -> NoReturn:
        try:
            super()._handle_dbapi_exception(e, *about, **options)
        except DBAPIError as error:
            self._unit.tell(error)
            raise

    # SQLAlchemy rolls back after any error. Where a statement is still in flight, the driver would refuse, and its
    # refusal would hide what was raised: such a connection is closed instead, which undoes its transaction too.

    def _rollback_impl(self) -> None:
        self._close_if_in_flight()
        super()._rollback_impl()

    def _rollback_to_savepoint_impl(self, name: str) -> None:
        self._close_if_in_flight()
        super()._rollback_to_savepoint_impl(name)

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
        except self.dialect.loaded_dbapi.Error:
            self.engine.pool.logger.error("Error closing cursor", exc_info=True)
