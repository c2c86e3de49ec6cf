"""The repository of one kind of aggregate on a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from sqlalchemy.orm import Session as OrmSession

from ..engine.session_state import one_call
from ..repositories.repository import StoredRepository

if TYPE_CHECKING:
    from .rows import SqlRows

__all__ = ["SqlRepository"]

A = TypeVar("A")
K = TypeVar("K")


class SqlRepository(StoredRepository[A, K]):
    """Aggregates as rows of a database. Made by the store; lives as long as its unit of work.

    Subclass it to write a query in SQL, with its twin in memory; see `twin_of`.
    """

    @property
    @one_call
    def session(self) -> OrmSession:
        """A session of SQLAlchemy in the unit's transaction, for statements that a repository has no words for.

        It ends with the transaction. Objects that it finds are the unit's own. It raises Misuse for what is the unit's
        to do, such as `add` and `commit`.
        """
        return cast("SqlRows", self._session.rows).orm_session()
