"""What PostgreSQL does beyond the contract of all stores."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator

import pytest
from psycopg import Pipeline
from sqlalchemy import select

from honestwork.adapters import SqlStore
from honestwork.adapters.sql.rules import CASE, CASE_COLLATIONS, where
from honestwork.domain import BackendError, Conflict, Duplicate, RuleRefused, Unavailable, UnitReadOnly
from honestwork.rules import trace
from tests.integration.bank import Account, Bank, balance, bank, mapping, sql
from tests.integration.servers import lost_in_a_change, lost_in_a_commit, lost_in_a_read


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStore]:
    with bank(postgres_url, lock_timeout=0.05) as store:
        yield store


@pytest.mark.parametrize(
    ("setting", "value"),
    [("transaction_isolation", "repeatable read"), ("transaction_read_only", "off"), ("lock_timeout", "50ms")],
)
def test_a_unit_runs_with(store: SqlStore, setting: str, value: str) -> None:
    with Bank(store) as uow:
        assert sql(uow, f"SHOW {setting}") == value


@pytest.mark.parametrize(
    ("setting", "value"), [("transaction_isolation", "repeatable read"), ("transaction_read_only", "on")]
)
def test_a_reading_unit_runs_with(store: SqlStore, setting: str, value: str) -> None:
    with Bank(store).reading() as uow:
        assert sql(uow, f"SHOW {setting}") == value


def test_the_database_itself_refuses_changes_in_a_reading_unit(store: SqlStore) -> None:
    with Bank(store).reading() as uow, pytest.raises(UnitReadOnly):
        sql(uow, "UPDATE accounts SET balance = 0")

    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        uow.commit()
    assert balance(store) == 1


def test_a_refused_batch_leaves_nothing_in_the_log_but_the_error(
    store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    """psycopg warns that it has ignored a second error, if it notices the first one before all is sent."""
    with Bank(store) as uow:
        uow.accounts.add_many([Account(f"no. {number}", number=str(number)) for number in range(900)])
        uow.commit()

    for _ in range(4):
        with Bank(store) as uow, pytest.raises(Duplicate):
            for account in uow.accounts:
                account.number = "same"
            uow.flush()

    assert [record.message for record in caplog.records if record.name == "psycopg"] == []


def test_raw_sql_is_part_of_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 1
        assert sql(uow, "SELECT balance FROM accounts") == 1

    assert balance(store) == 100


def test_a_timeout_of_nothing_does_not_wait_for_ever(postgres_url: str) -> None:
    with bank(postgres_url, lock_timeout=0) as store, Bank(store) as one, Bank(store) as two:
        one.accounts["John"].balance = 1
        two.accounts["John"].balance = 2
        one.flush()
        began = time.monotonic()

        with pytest.raises(Conflict):
            two.flush()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("lost", [lost_in_a_read, lost_in_a_change, lost_in_a_commit])
def test_a_connection_may_be(store: SqlStore, postgres_url: str, lost: Callable[..., None]) -> None:
    lost(store, postgres_url, whose="SELECT pg_backend_pid()", kill="SELECT pg_terminate_backend({})")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = SqlStore("postgresql+psycopg://nobody@127.0.0.1:1/nothing", mapping)
    with Bank(store) as uow, pytest.raises(Unavailable):
        uow.accounts.all()


def test_a_database_that_is_not_there_is_not_worth_another_attempt(postgres_url: str) -> None:
    store = SqlStore(postgres_url.replace("honestwork_", "no_such_", 1), mapping)
    with Bank(store) as uow, pytest.raises(BackendError, match="check the user"):
        uow.accounts.all()
    store.dispose()


# --- collations ---------------------------------------------------------------------------------------


def test_the_collation_of_lower_and_upper_is_one_that_the_server_has(store: SqlStore) -> None:
    with Bank(store) as uow:
        known = sql(uow, "SELECT array_agg(collname) FROM pg_collation")
        version = int(str(sql(uow, "SHOW server_version_num")))

    assert isinstance(known, list)
    assert getattr(store.engine.dialect, CASE) == next((each for each in CASE_COLLATIONS if each in known), None)
    assert version < 180_000 or getattr(store.engine.dialect, CASE) is not None


@pytest.mark.parametrize("collation", CASE_COLLATIONS)
def test_lower_and_upper_are_those_of_python(store: SqlStore, collation: str) -> None:
    """Of every letter that Python's Unicode knows; PostgreSQL may know newer ones."""
    letters = [chr(point) for point in range(1, 0x110000) if unicodedata.category(chr(point)) not in ("Cs", "Cn")]
    texts = [*letters, "ΑΣ", "ΣΑΣ.", "ΑΣ Α", "ΑΣ\u0301Α", "straße", "İI", "Α\u00adΣ", "Α'Σ"]
    with Bank(store) as uow:
        if not sql(uow, f"SELECT count(*) FROM pg_collation WHERE collname = '{collation}'"):
            pytest.skip(f"the server has no {collation}")
        connection = uow.accounts.session.connection()  # type: ignore[attr-defined]
        for name in ("lower", "upper"):
            found = connection.exec_driver_sql(
                f'SELECT {name}(text COLLATE "{collation}") FROM unnest(%s::text[]) WITH ORDINALITY AS t(text, n)'
                " ORDER BY n",
                (texts,),
            ).scalars()
            different = [text for text, answer in zip(texts, found, strict=True) if getattr(text, name)() != answer]

            assert [text for text in different if not _is_newer(getattr(text, name)(), text)] == []


def _is_newer(answer: str, text: str) -> bool:
    """A letter whose other case came with a newer Unicode: Python leaves it as it is."""
    return answer == text and len(text) == 1


def test_without_a_collation_lower_and_upper_are_refused_before_anything_is_asked(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.engine.dialect, CASE, None, raising=False)

    with Bank(store) as uow:
        uow.accounts.count()
        for ask in (
            lambda: uow.accounts.find(lambda account: account.owner.lower() == "john"),
            lambda: uow.accounts.all(order_by=lambda account: account.owner.upper()),
            lambda: uow.accounts.select(lambda account: account.owner.lower()),
            lambda: uow.accounts.remove_where(lambda account: account.owner.upper() == "JOHN"),
        ):
            with pytest.raises(RuleRefused, match="built without ICU and is older than version 18"):
                ask()
        assert uow.accounts["John"].balance == 100  # the unit goes on
        assert uow.accounts.exists(lambda account: account.owner.startswith("J"))


def test_a_collation_of_postgresql_itself_is_used_where_there_is_no_icu(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bank(store) as uow:
        uow.accounts.count()
    monkeypatch.setattr(store.engine.dialect, CASE, "pg_unicode_fast")
    statement = select(where(trace(lambda account: account.owner.lower() == "john", Account), Account))

    assert 'COLLATE "pg_unicode_fast"' in str(statement.compile(dialect=store.engine.dialect))


def test_an_interrupt_whose_traceback_psycopg_has_cut_comes_out(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many rows are inserted in a pipeline, whose end raises errors again, without their tracebacks."""

    class TookTooLong(Exception):
        pass

    def interrupted(pipeline: Pipeline) -> None:
        raise TookTooLong

    with Bank(store) as uow:
        uow.accounts.add_many([Account("Ada", 1), Account("Mary", 1)])

        with monkeypatch.context() as patched, pytest.raises(TookTooLong):
            patched.setattr(Pipeline, "_exit_gen", interrupted)
            uow.flush()

        uow.rollback()
        assert uow.accounts.count() == 1


def test_a_pipeline_whose_end_was_interrupted_is_not_waited_for(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error the server answers nothing before the last message of a pipeline, which was never sent."""

    class TookTooLong(Exception):
        pass

    def interrupted(pipeline: Pipeline) -> None:
        raise TookTooLong

    with Bank(store) as uow:
        uow.accounts.add_many([Account("Ada", 1), Account("John", 1)])

        with monkeypatch.context() as patched, pytest.raises(TookTooLong):
            patched.setattr(Pipeline, "_enqueue_sync", interrupted)
            uow.flush()

        started = time.monotonic()
        uow.rollback()
        assert uow.accounts.count() == 1
        assert time.monotonic() - started < 5
