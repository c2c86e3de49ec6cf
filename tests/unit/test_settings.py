"""What a store is told: wrong settings are refused by name, right ones reach the driver and the database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import create_engine, event, make_url

from honestwork.adapters import SqlStore
from honestwork.adapters.sql import engines
from honestwork.adapters.sql.engines import in_memory
from honestwork.domain import (
    BackendError,
    BadValue,
    Conflict,
    HonestworkError,
    LockTimeout,
    StatementTimeout,
    Unavailable,
)
from tests.chaos.proxy import PASS, SILENT, Proxy
from tests.integration.bank import Account, Bank, bank, mapping, sql

SERVERS = ["postgres", "mariadb"]
SLACK = 3.0  # seconds that a busy machine may take longer


class Heard(Exception):
    """What the driver was told is known."""


def option(store: SqlStore, name: str) -> Any:
    """What the driver is told when it connects."""
    told: dict[str, Any] = {}

    @event.listens_for(store.engine, "do_connect")
    def hear(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        told.update(options)
        raise Heard

    with suppress(Heard):
        store.engine.connect()
    return told[name]


# Refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("begin", "exclusive"),
        ("begin", None),
        ("durability", "fast"),
        ("durability", True),
        ("lock_timeout", -1),
        ("lock_timeout", "5"),
        ("lock_timeout", True),
        ("lock_timeout", float("nan")),
        ("lock_timeout", float("inf")),
        ("lock_timeout", None),
        ("connect_timeout", None),
        ("connect_timeout", 1e12),
        ("statement_timeout", 1e12),
        ("statement_timeout", -0.1),
        ("statement_timeout", "60s"),
        ("connect_timeout", -1),
        ("connect_timeout", [10]),
        ("pool_size", 0),
        ("pool_size", 1.5),
        ("pool_size", "5"),
        ("pool_size", True),
        ("max_overflow", -1),
        ("max_overflow", 2.0),
        ("pool_timeout", -1),
        ("pool_recycle", "1h"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(BadValue, match=rf"^{name}"):
        SqlStore("sqlite://", mapping, **{name: value})


@pytest.mark.parametrize("name", ["isolation_level", "poolclass", "pool_pre_ping", "timeout", "pool_reset_on_return"])
def test_an_unknown_option_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        SqlStore("sqlite://", mapping, **{name: 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pool_size", 5),
        ("max_overflow", 5),
        ("pool_timeout", 1.0),
        ("pool_recycle", 60.0),
        ("connect_args", {"timeout": 1}),
        ("echo", True),
        ("hide_parameters", False),
    ],
)
def test_what_an_engine_of_ones_own_decides_is_refused_beside_it(name: str, value: Any) -> None:
    with pytest.raises(BadValue, match=f"{name}: an Engine of your own decides this"):
        SqlStore(create_engine("sqlite://"), mapping, **{name: value})


def test_all_that_an_engine_of_ones_own_decides_is_told_at_once() -> None:
    with pytest.raises(BadValue, match=r"^pool_size, echo: an Engine"):
        SqlStore(create_engine("sqlite://"), mapping, echo=True, pool_size=2)


def test_an_engine_of_ones_own_takes_the_settings_of_units() -> None:
    engine = create_engine("sqlite://")

    store = SqlStore(engine, mapping, begin="deferred", lock_timeout=1, statement_timeout=None, durability="process")

    assert store.engine is engine


# SQLite


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+pysqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
        "sqlite:///file:%3Amemory%3A?uri=true",
        "sqlite:///file:?uri=true",
        "sqlite:///file:/x?vfs=memdb&uri=true",
    ],
)
def test_a_database_in_memory_is_known_by_its_url(url: str) -> None:
    assert in_memory(make_url(url))

    store = SqlStore(url, mapping)

    assert store.engine.pool.size() == 1  # type: ignore[attr-defined]
    store.create_tables()
    with Bank(store) as uow:
        uow.accounts.add(Account("John"))
        uow.commit()
    with Bank(store) as uow:
        assert "John" in uow.accounts
    store.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///memory",
        "sqlite:///memory.db",
        "sqlite:///:memory:.db",
        "sqlite:///x.db?mode=memory",  # without uri=true it says nothing
        "sqlite:///file:x?mode=memory",
        "sqlite:///file:x?mode=memory&uri=false",
        "sqlite:///file:x.db?mode=rwc&uri=true",
        "sqlite:///file:memory?uri=true",
        "sqlite:///file:x.db?vfs=unix&uri=true",
        "sqlite:////tmp/:memory:/x.db",
    ],
)
def test_a_file_is_known_by_its_url(url: str) -> None:
    assert not in_memory(make_url(url))


@pytest.mark.parametrize(("durability", "synchronous"), [("power", 2), ("process", 1)])
@pytest.mark.parametrize("owner", ["url", "engine"])
def test_the_durability_of_a_file_is_told_to_sqlite(
    durability: str, synchronous: int, owner: str, sqlite_url: str
) -> None:
    database: Any = sqlite_url if owner == "url" else create_engine(sqlite_url)
    store = SqlStore(database, mapping, durability=durability)

    with Bank(store) as uow:
        assert sql(uow, "PRAGMA synchronous") == synchronous
        assert sql(uow, "PRAGMA journal_mode") == "wal"
    store.dispose()


def test_a_commit_survives_a_power_cut_unless_the_store_is_told_otherwise(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url, mapping)

    with Bank(store) as uow:
        assert sql(uow, "PRAGMA synchronous") == 2  # FULL: each commit waits for the disk
    store.dispose()


def test_a_deferred_unit_waits_for_the_lock_of_a_second_writer_as_long_as_its_lock_timeout(sqlite_url: str) -> None:
    with bank(sqlite_url, begin="deferred", lock_timeout=0.3) as store, Bank(store) as holder:
        holder.accounts.add(Account("Mary"))
        holder.flush()
        began = time.monotonic()

        with Bank(store) as uow, pytest.raises(LockTimeout):
            uow.accounts.add(Account("Ada"))
            uow.flush()

        assert 0.25 < time.monotonic() - began < 0.3 + SLACK


def test_a_deferred_unit_gets_the_lock_when_the_second_writer_commits_in_time(sqlite_url: str) -> None:
    with bank(sqlite_url, begin="deferred", lock_timeout=5) as store:
        holding = threading.Event()

        def hold() -> None:
            with Bank(store) as uow:
                uow.accounts.add(Account("Mary"))
                uow.flush()
                holding.set()
                time.sleep(0.2)
                uow.rollback()

        thread = threading.Thread(target=hold)
        thread.start()
        assert holding.wait(5)
        with Bank(store) as uow:
            uow.accounts.add(Account("Ada"))
            uow.commit()
        thread.join()

        with Bank(store) as uow:
            assert "Ada" in uow.accounts


def test_a_deferred_unit_whose_snapshot_is_out_of_date_does_not_wait(sqlite_url: str) -> None:
    with bank(sqlite_url, begin="deferred", lock_timeout=5) as store, Bank(store) as uow:
        uow.accounts.all()
        with Bank(store) as other:
            other.accounts.add(Account("Mary"))
            other.commit()
        began = time.monotonic()

        with pytest.raises(Conflict):
            uow.accounts.add(Account("Ada"))
            uow.flush()

        assert time.monotonic() - began < 2


# Connecting


@pytest.mark.parametrize(
    ("url", "options", "name", "value"),
    [
        ("sqlite:///x.db", {"lock_timeout": 3.0}, "timeout", 3.0),
        ("sqlite:///x.db?timeout=7", {}, "timeout", 7.0),
        ("sqlite:///x.db", {"connect_args": {"timeout": 9}}, "timeout", 9),
        ("sqlite:///x.db?timeout=7", {"connect_args": {"timeout": 9}}, "timeout", 9),
        ("postgresql://h/n", {}, "connect_timeout", 10),
        ("postgresql://h/n", {"connect_timeout": 4.0}, "connect_timeout", 4),
        ("postgresql://h/n", {"connect_timeout": 0.5}, "connect_timeout", 2),
        ("postgresql://h/n?connect_timeout=33", {}, "connect_timeout", "33"),
        ("postgresql://h/n", {"connect_args": {"connect_timeout": 5}}, "connect_timeout", 5),
        ("postgresql://h/n", {}, "keepalives_idle", 30),
        ("postgresql://h/n?keepalives_idle=99", {}, "keepalives_idle", "99"),
        ("postgresql://h/n", {"connect_args": {"application_name": "shop"}}, "application_name", "shop"),
        ("mariadb://h/n", {}, "connect_timeout", 10),
        ("mariadb://h/n?read_timeout=33", {}, "read_timeout", 33),
        ("mariadb://h/n", {"connect_args": {"read_timeout": 5}}, "read_timeout", 5),
    ],
)
def test_what_the_url_and_connect_args_say_goes_before_the_defaults(
    url: str, options: dict[str, Any], name: str, value: object
) -> None:
    assert option(SqlStore(url, mapping, **options), name) == value


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_accepts_and_says_nothing_is_given_up(server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        scheme = "postgresql" if server == "postgres" else "mariadb"
        store = SqlStore(f"{scheme}://nobody@127.0.0.1:{silent.getsockname()[1]}/none", mapping, connect_timeout=2)
        began = time.monotonic()

        with pytest.raises(Unavailable), Bank(store) as uow:
            uow.accounts.all()

        assert time.monotonic() - began < 2 + SLACK


# Statements


SLEEP = {"postgres": "SELECT pg_sleep(20)", "mariadb": "SELECT SLEEP(20) FROM accounts"}
SHOW = {
    "postgres": ("SHOW lock_timeout", "SHOW statement_timeout"),
    "mariadb": ("SELECT @@innodb_lock_wait_timeout", "SELECT @@max_statement_time"),
}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{server}_url")
    return found


@pytest.mark.parametrize(
    ("options", "lock", "statement"),
    [
        ({}, ("5s", 5), ("1min", 60)),
        ({"lock_timeout": 2, "statement_timeout": 3}, ("2s", 2), ("3s", 3)),
        ({"lock_timeout": 0, "statement_timeout": None}, ("1ms", 0), ("0", 0)),
    ],
)
def test_timeouts_are_told_to_the_server(
    options: dict[str, Any], lock: tuple[str, int], statement: tuple[str, int], server: str, url: str
) -> None:
    store = SqlStore(url, mapping, **options)
    which = SERVERS.index(server)

    with Bank(store) as uow:
        told = [sql(uow, query) for query in SHOW[server]]

    assert told == [lock[which], statement[which]]
    store.dispose()


def test_a_statement_that_takes_longer_than_its_timeout_is_ended(server: str, url: str) -> None:
    with bank(url, statement_timeout=0.2) as store:
        began = time.monotonic()

        with pytest.raises(StatementTimeout), Bank(store) as uow:
            sql(uow, SLEEP[server])

        assert time.monotonic() - began < 0.2 + SLACK
        with Bank(store) as uow:
            assert "John" in uow.accounts


def test_a_unit_waits_for_a_lock_no_longer_than_its_lock_timeout(url: str) -> None:
    with bank(url, lock_timeout=1) as store, Bank(store) as holder:
        holder.accounts["John"].balance = 1
        holder.flush()
        began = time.monotonic()

        with pytest.raises(LockTimeout), Bank(store) as uow:
            uow.accounts["John"].balance = 2
            uow.flush()

        assert 0.9 < time.monotonic() - began < 1 + SLACK


# Silence in the middle of a unit


@contextmanager
def falling_silent(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqlStore, Proxy]]:
    """A store whose server can be silenced: half a second later its connection is closed."""
    monkeypatch.setattr(engines, "GRACE", 0.3)
    with bank(url), Proxy(url) as proxy:
        store = SqlStore(proxy.url, mapping, connect_timeout=2, statement_timeout=0.2)
        yield store, proxy
        store.dispose()


def flushed(uow: Bank) -> None:
    uow.accounts.add(Account("Mary"))
    uow.flush()


def in_a_block(uow: Bank) -> None:
    with uow.nested():
        uow.accounts.count(balance=1)


SILENCED: dict[str, Callable[[Bank], Any]] = {
    "read": lambda uow: uow.accounts.count(balance=1),
    "flush": lambda uow: flushed(uow),
    "nested": lambda uow: in_a_block(uow),
    "commit": lambda uow: uow.commit(),
}


@pytest.mark.parametrize("what", SILENCED)
def test_a_unit_does_not_wait_for_a_server_that_falls_silent(
    what: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_silent(url, monkeypatch) as (store, proxy):
        began = time.monotonic()
        with pytest.raises(HonestworkError), Bank(store) as uow:
            uow.accounts["John"].balance = 1
            uow.flush()
            proxy.mode = SILENT
            SILENCED[what](uow)

        assert time.monotonic() - began < 1 + SLACK
        proxy.mode = PASS
        with Bank(store) as uow:
            assert uow.accounts["John"].balance == 100
        assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_to_leave_the_block_of_a_server_that_has_fallen_silent_takes_no_longer(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with falling_silent(url, monkeypatch) as (store, proxy):
        began = time.monotonic()
        with Bank(store) as uow:
            uow.accounts["John"].balance = 1
            uow.flush()
            proxy.mode = SILENT

        assert time.monotonic() - began < 1 + SLACK
        proxy.mode = PASS
        with Bank(store) as uow:
            assert uow.accounts["John"].balance == 100


@pytest.mark.parametrize(
    ("server", "query"), [("mariadb", "charset=xx"), ("mariadb", "ssl_ca=missing.pem"), ("mariadb", "nonsense=1")]
)
def test_options_that_the_driver_does_not_take_are_an_error_of_the_tree(
    server: str, query: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{server}_url")
    store = SqlStore(f"{url}?{query}", mapping)

    with pytest.raises(BackendError, match="check those in the store's URL"), Bank(store) as uow:
        uow.accounts.get("John")
