"""What holds for a unit whose connection to a server is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from honestwork.adapters import SqlStore
from honestwork.domain import CommitOutcomeUnknown, Unavailable, UnitFailed
from tests.integration.bank import Account, Bank, balance, sql

__all__ = ["lost_in_a_change", "lost_in_a_commit", "lost_in_a_read"]


def cut(url: str, uow: Bank, *, whose: str, kill: str) -> None:
    """The server ends the connection of an open unit."""
    number = sql(uow, whose)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(kill.format(number))
    engine.dispose()


def lost_in_a_read(store: SqlStore, url: str, *, whose: str, kill: str) -> None:
    with Bank(store) as uow:
        uow.accounts.all()
        cut(url, uow, whose=whose, kill=kill)

        with pytest.raises(Unavailable) as caught:
            uow.accounts.get("Mary")
        assert caught.value.__cause__ is not None
        with pytest.raises(UnitFailed):
            uow.accounts.get("John")

    assert balance(store) == 100  # the pool has a new connection for the next unit


def lost_in_a_change(store: SqlStore, url: str, *, whose: str, kill: str) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.flush()
        cut(url, uow, whose=whose, kill=kill)
        uow.accounts.add(Account("Mary"))

        with pytest.raises(Unavailable):
            uow.flush()
        uow.rollback()
        assert uow.accounts["John"].balance == 100  # the same unit, on a new connection

    assert balance(store) == 100


def lost_in_a_commit(store: SqlStore, url: str, *, whose: str, kill: str) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.flush()
        cut(url, uow, whose=whose, kill=kill)

        with pytest.raises(CommitOutcomeUnknown):
            uow.commit()
        with pytest.raises(UnitFailed):
            uow.accounts.get("John")

    assert balance(store) == 100
