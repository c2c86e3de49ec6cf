"""The ORM's session is within reach, and the transaction stays the unit's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from honestwork.adapters import SqlStore
from honestwork.domain import Misuse, UnitFailed, UnitInUse
from tests.integration.bank import Account, Bank, balance, bank

SLEEP = {"postgresql": "SELECT pg_sleep(0.4)", "mariadb": "SELECT SLEEP(0.4)", "mysql": "SELECT SLEEP(0.4)"}


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """A bank with an account of John, who has 100."""
    with bank(request.getfixturevalue(f"{request.param}_url")) as made:
        yield made


@pytest.mark.parametrize(
    "end",
    [
        lambda session: session.commit(),
        lambda session: session.rollback(),
        lambda session: session.close(),
        lambda session: session.reset(),
        lambda session: session.get_transaction().rollback(),
        lambda session: session.connection().rollback(),
        lambda session: session.connection().commit(),
    ],
    ids=["commit", "rollback", "close", "reset", "transaction", "connection rollback", "connection commit"],
)
def test_the_session_does_not_end_the_units_transaction(end: Callable[[Any], None], store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        session = uow.accounts.session  # type: ignore[attr-defined]

        with pytest.raises(Misuse, match="of the unit"):
            end(session)

    assert balance(store) == 100


@pytest.mark.parametrize(
    "end",
    [
        lambda session: session.execute(text("ROLLBACK")),
        lambda session: session.connection().connection.dbapi_connection.rollback(),
    ],
    ids=["statement", "driver"],
)
def test_after_the_transaction_was_ended_beneath_it_a_unit_stores_nothing(
    end: Callable[[Any], None], store: SqlStore
) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        end(uow.accounts.session)  # type: ignore[attr-defined]

        with pytest.raises(UnitFailed):
            uow.commit()
        uow.rollback()
        end(uow.accounts.session)  # type: ignore[attr-defined]
        uow.accounts.add(Account("Mary"))
        with pytest.raises(UnitFailed):
            uow.flush()

    with Bank(store) as uow:
        assert [(account.owner, account.balance) for account in uow.accounts] == [("John", 100)]


def test_a_block_of_the_sessions_connection_leaves_it_to_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        with uow.accounts.session.connection() as connection:  # type: ignore[attr-defined]
            assert connection.execute(text("SELECT balance FROM accounts")).scalar() == 1

        uow.commit()

    assert balance(store) == 1


@pytest.mark.parametrize("store", ["postgres", "mariadb"], indirect=True)  # SQLite has no statement that sleeps
def test_a_statement_of_the_session_is_a_call_of_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        session = uow.accounts.session  # type: ignore[attr-defined]
        slow = Thread(target=lambda: session.execute(text(SLEEP[store.engine.dialect.name])))
        slow.start()
        time.sleep(0.15)

        with pytest.raises(UnitInUse):
            uow.accounts.get("John")
        with pytest.raises(UnitInUse):
            uow.close()
        slow.join()
        assert uow.accounts["John"].balance == 100
