"""What goes back into a pool of connections, what does not, and what the next unit gets."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.orm import Session as OrmSession

from honestwork.adapters import SqlRepository, SqlStore
from honestwork.adapters.sql.drivers import State, state_of
from honestwork.domain import (
    BackendError,
    Duplicate,
    HonestworkError,
    Misuse,
    Unavailable,
    UnitFailed,
    UnitReadOnly,
)
from tests.chaos.stores import administrator
from tests.integration.bank import Account, Bank, accounts, balance, mapping, sql

DATABASES = ["sqlite", "postgres", "mariadb"]
SERVERS = ["postgres", "mariadb"]
OWNERS = ["url", "engine"]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., SqlStore]]:
    """Makes stores on one database, from its URL or from an Engine, in which John has 100."""
    made: list[SqlStore] = []

    def make(owner: str = "url", *, engine: Engine | None = None, **options: Any) -> SqlStore:
        database: str | Engine = engine or (url if owner == "url" else create_engine(url))
        store = SqlStore(database, mapping, durability="process", **options)
        made.append(store)
        if len(made) == 1:
            store.create_tables()
            with Bank(store) as uow:
                uow.accounts.add(Account("John", 100))
                uow.commit()
        return store

    yield make

    if made:
        made[0].drop_tables()
    for store in made:
        store.dispose()


@pytest.fixture
def store(make: Callable[..., SqlStore]) -> SqlStore:
    return make()


@pytest.fixture(params=OWNERS)
def either(request: pytest.FixtureRequest, make: Callable[..., SqlStore]) -> SqlStore:
    """A store that was made from a URL, and one that was made from an Engine."""
    return make(request.param)


def in_use(store: SqlStore) -> int:
    return int(store.engine.pool.checkedout())  # type: ignore[attr-defined]


def states(store: SqlStore) -> set[State]:
    """Where the connections that rest in the pool stand."""
    resting = [each.dbapi_connection for each in list(store.engine.pool._pool.queue)]  # type: ignore[attr-defined]
    return {state_of(each, store.engine.dialect) for each in resting if each is not None}


def is_at_rest(store: SqlStore) -> bool:
    """No connection is in use, and those in the pool are outside of a transaction."""
    gc.collect()
    return in_use(store) == 0 and states(store) <= {State.READY}


def works(store: SqlStore) -> bool:
    """The next units see what was committed, and nothing else, and can commit."""
    with Bank(store) as uow:
        seen = [(each.owner, each.balance) for each in uow.accounts]
        uow.accounts["John"].balance += 1
        uow.commit()
    with Bank(store) as uow:
        uow.accounts["John"].balance -= 1
        uow.commit()
    return seen == [("John", 100)]


# What goes back

CHANGE = "UPDATE accounts SET balance = 777"


def dropped_core_connection(store: SqlStore) -> None:
    connection = store.engine.connect()
    connection.execute(text(CHANGE))
    del connection


def dropped_core_transaction(store: SqlStore) -> None:
    connection = store.engine.connect()
    connection.begin()
    connection.execute(text(CHANGE))
    connection.begin_nested()
    del connection


def dropped_orm_session(store: SqlStore) -> None:
    session = OrmSession(store.engine)
    session.execute(text(CHANGE))
    del session


def dropped_raw_connection(store: SqlStore) -> None:
    raw = store.engine.raw_connection()
    cursor = raw.cursor()
    if store.engine.dialect.name == "sqlite":  # of itself the driver begins nothing
        cursor.execute("BEGIN")
    cursor.execute(CHANGE)
    del raw, cursor


def dropped_result(store: SqlStore) -> None:
    store.engine.connect().execution_options(stream_results=True).execute(accounts.select())


def closed_raw_connection(store: SqlStore) -> None:
    raw = store.engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute("BEGIN" if store.engine.dialect.name != "postgresql" else "SELECT 1")
    cursor.execute(CHANGE)
    raw.close()


def begun_through_the_hatch(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.all()
        repository = uow.accounts
        assert isinstance(repository, SqlRepository)
        if store.engine.dialect.name != "sqlite":  # which has one already
            repository.session.connection().exec_driver_sql("BEGIN")
        repository.session.execute(text(CHANGE))


def failed_in_the_unit(store: SqlStore) -> None:
    with suppress(HonestworkError), Bank(store) as uow:
        uow.accounts["John"].balance = 777
        uow.flush()
        sql(uow, "SELECT nonsense FROM nowhere")


def interrupted(store: SqlStore) -> None:
    def interrupt(*about: Any) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt), Bank(store) as uow:
        uow.accounts["John"].balance = 777
        uow.flush()
        event.listen(store.engine, "before_cursor_execute", interrupt)
        try:
            uow.accounts.count()
        finally:
            event.remove(store.engine, "before_cursor_execute", interrupt)


@pytest.mark.parametrize(
    "leave",
    [
        dropped_core_connection,
        dropped_core_transaction,
        dropped_orm_session,
        dropped_raw_connection,
        dropped_result,
        closed_raw_connection,
        begun_through_the_hatch,
        failed_in_the_unit,
        interrupted,
    ],
)
def test_a_connection_goes_back_outside_of_a_transaction_and_nothing_of_it_is_stored(
    leave: Callable[[SqlStore], None], store: SqlStore
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of drivers, for what is dropped here
        warnings.filterwarnings("ignore", "The garbage collector")
        leave(store)
        gc.collect()

    assert is_at_rest(store)
    assert works(store)


@pytest.mark.parametrize("url", SERVERS, indirect=True)  # sqlite3 runs statements in the calling thread
def test_a_connection_with_a_statement_in_flight_is_closed(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts.all()
        raw = uow.accounts._session.rows._link.dbapi_connection  # type: ignore[attr-defined]
        if store.engine.dialect.name == "postgresql":
            raw.pgconn.send_query(b"SELECT pg_sleep(5)")
        else:
            raw._honestwork_busy = True
            raw._execute_command(3, "SELECT SLEEP(5)")

    assert state_of(raw, store.engine.dialect) is State.CLOSED
    assert is_at_rest(store)
    assert works(store)


@pytest.mark.parametrize("owner", OWNERS)
def test_a_reading_unit_leaves_no_connection_that_refuses_changes(owner: str, make: Callable[..., SqlStore]) -> None:
    store = make(owner)
    for leave in ("well", "error", "refused", "dropped"):
        with suppress(KeyError, UnitReadOnly):
            if leave == "dropped":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ResourceWarning)
                    reading = Bank(store).reading().__enter__()
                    reading.accounts.all()
                    del reading
                    gc.collect()
                continue
            with Bank(store).reading() as uow:
                uow.accounts["John"].balance = 5
                if leave == "error":
                    raise KeyError
                if leave == "refused":
                    uow.flush()

        assert works(store)
        with store.engine.begin() as connection:
            connection.execute(accounts.update().values(balance=100))


# Commit means stored


def test_an_error_of_a_statement_through_the_hatch_fails_the_unit(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 777
        uow.flush()
        with pytest.raises(BackendError):
            sql(uow, "SELECT nonsense FROM nowhere")

        for attempt in (uow.commit, uow.flush, uow.accounts.count):
            with pytest.raises(UnitFailed):
                attempt()

    assert works(store)


def test_an_error_of_a_statement_through_the_hatch_is_one_of_the_domain(store: SqlStore) -> None:
    with Bank(store) as uow:
        repository = uow.accounts
        assert isinstance(repository, SqlRepository)

        with pytest.raises(Duplicate) as caught:
            repository.session.execute(text("INSERT INTO accounts (owner, balance, version) VALUES ('John', 1, 1)"))

        assert caught.value.table == "accounts"
        with pytest.raises(UnitFailed):
            uow.commit()
    assert works(store)


def test_after_an_error_through_the_hatch_a_unit_goes_on_with_a_rollback(store: SqlStore) -> None:
    with Bank(store) as uow:
        with suppress(BackendError):
            sql(uow, "SELECT nonsense FROM nowhere")
        uow.rollback()
        uow.accounts["John"].balance = 100
        uow.commit()

    assert works(store)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)  # it alone answers COMMIT with ROLLBACK
def test_a_transaction_that_the_server_has_failed_is_never_acknowledged(store: SqlStore) -> None:
    with Bank(store) as uow:
        uow.accounts["John"].balance = 777
        uow.flush()
        raw = uow.accounts._session.rows._link.dbapi_connection  # type: ignore[attr-defined]
        with suppress(Exception), raw.cursor() as cursor:  # behind the back of the unit
            cursor.execute("SELECT nonsense")

        with pytest.raises(UnitFailed, match="nothing of it is stored"):
            uow.commit()

    assert works(store)


# Connections that have died in the pool


@pytest.mark.parametrize("url", SERVERS, indirect=True)
def test_the_first_unit_after_the_server_has_closed_all_connections_works(either: SqlStore) -> None:
    terminate(either, several(either, 3))
    began = time.monotonic()

    assert works(either)
    assert balance(either) == 100
    assert time.monotonic() - began < 5
    assert in_use(either) == 0


@pytest.mark.parametrize("url", ["mariadb"], indirect=True)  # it alone closes what was idle for long
def test_the_first_unit_after_an_idle_timeout_of_the_server_works(either: SqlStore) -> None:
    with either.engine.begin() as connection:
        connection.exec_driver_sql("SET SESSION wait_timeout = 1")
    time.sleep(1.6)

    assert works(either)


@pytest.mark.parametrize("url", SERVERS, indirect=True)
def test_a_server_that_is_gone_for_good_is_asked_once_more_and_no_oftener(make: Callable[..., SqlStore]) -> None:
    attempts: list[int] = []
    store = make("engine")
    store.engine.dispose()

    @event.listens_for(store.engine, "do_connect")
    def refuse(*about: Any) -> None:
        attempts.append(1)
        raise store.engine.dialect.loaded_dbapi.OperationalError(2003, "no server")

    with pytest.raises(HonestworkError), Bank(store) as uow:
        uow.accounts.all()
    event.remove(store.engine, "do_connect", refuse)

    assert len(attempts) == 1  # no connection was had, so none had died
    assert works(store)


def several(store: SqlStore, count: int) -> list[int]:
    """Have as many connections in the pool, and return their numbers, by which the server knows them."""
    which = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}
    connections = [store.engine.connect() for _ in range(count)]
    numbers: list[int] = []
    if (query := which.get(store.engine.dialect.name)) is not None:  # a file has one writer, and no server
        numbers = [int(each.exec_driver_sql(query).scalar_one()) for each in connections]
    for connection in connections:
        connection.close()
    return numbers


def terminate(store: SqlStore, numbers: list[int]) -> None:
    """The server ends these connections."""
    kill = "SELECT pg_terminate_backend({})" if store.engine.dialect.name == "postgresql" else "KILL {}"
    with administrator(store.engine.url.render_as_string(hide_password=False)) as connection:
        for number in numbers:
            connection.exec_driver_sql(kill.format(number))


# Pools


def test_a_unit_that_gets_no_connection_in_time_is_told_the_limits(make: Callable[..., SqlStore]) -> None:
    store = make(pool_size=1, max_overflow=1, pool_timeout=0.1, begin="deferred")
    first, second = Bank(store), Bank(store)
    with first, second:
        first.accounts.all()
        second.accounts.all()
        began = time.monotonic()

        with pytest.raises(Unavailable, match=r"pool_size=1, max_overflow=1"), Bank(store) as third:
            third.accounts.all()

        assert time.monotonic() - began < 3
    assert in_use(store) == 0
    assert works(store)


def test_a_unit_waits_for_a_connection_that_comes_back_in_time(make: Callable[..., SqlStore]) -> None:
    store = make(pool_size=1, max_overflow=0, pool_timeout=10, begin="deferred")
    done: list[bool] = []
    with Bank(store) as uow:
        uow.accounts.all()
        waiting = threading.Thread(target=lambda: done.append(balance(store) == 100))
        waiting.start()
        time.sleep(0.1)
        assert done == []
    waiting.join(10)

    assert done == [True]


def test_no_more_connections_rest_than_the_pool_keeps(make: Callable[..., SqlStore]) -> None:
    store = make(pool_size=2, max_overflow=3)

    several(store, 5)

    assert store.engine.pool.checkedin() == 2  # type: ignore[attr-defined]
    assert works(store)


def test_a_connection_that_is_older_than_pool_recycle_is_replaced(make: Callable[..., SqlStore]) -> None:
    store = make(pool_recycle=60)
    made: list[object] = []
    event.listen(store.engine, "connect", lambda connection, record: made.append(connection))
    assert works(store)
    assert made == []

    for record in store.engine.pool._pool.queue:  # type: ignore[attr-defined]
        record.starttime -= 61
    assert works(store)

    assert len(made) == 1


def test_an_engine_of_ones_own_keeps_its_pool_and_its_reset(url: str, make: Callable[..., SqlStore]) -> None:
    engine = create_engine(url, pool_size=3)
    pool, resets = engine.pool, list[object]()
    event.listen(engine, "reset", lambda *about: resets.append(about))
    store = make(engine=engine)

    assert works(store)

    assert store.engine is engine
    assert engine.pool is pool
    assert engine.pool.size() == 3  # type: ignore[attr-defined]
    assert resets


@pytest.mark.parametrize("url", SERVERS, indirect=True)  # SQLite has one isolation level
def test_an_engine_of_ones_own_with_connections_that_were_made_before_gets_snapshots_and_its_isolation_back(
    url: str, make: Callable[..., SqlStore]
) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        before = connection.get_isolation_level()
    store = make(engine=engine)

    with Bank(store) as uow:
        uow.accounts.all()
        with engine.begin() as connection:
            connection.execute(accounts.update().values(balance=5))
        assert uow.accounts.count(balance=100) == 1  # one snapshot

    with engine.connect() as connection:
        assert connection.get_isolation_level() == before
        connection.execute(accounts.update().values(balance=100))
        connection.commit()


def test_a_pool_that_keeps_nothing_serves_units_as_well(url: str, make: Callable[..., SqlStore]) -> None:
    store = make(engine=create_engine(url, poolclass=NullPool))

    assert works(store)


def test_a_misuse_loses_no_connection(store: SqlStore) -> None:
    for _ in range(20):  # more than the pool has
        with suppress(Misuse), Bank(store) as uow:
            uow.accounts.all()
            uow.__enter__()

    assert is_at_rest(store)
    assert works(store)
