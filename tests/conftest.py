"""The databases that tests ask for by name. None of them is touched by a run that asks for none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from honestwork.testing import Missing, Unwanted, mariadb_database, postgres_database

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL database that belongs to this process alone; its tests share it."""
    with or_say_so(postgres_database(WORKER)) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The URL of a MariaDB database that belongs to this process alone; its tests share it."""
    with or_say_so(mariadb_database(WORKER)) as url:
        yield url


@contextmanager
def or_say_so(database: AbstractContextManager[str]) -> Iterator[str]:
    """A missing database is a reason to skip, but not where a green run must mean that all was tested."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(database)
        except Missing as missing:
            if os.environ.get("CI") == "true" and not isinstance(missing, Unwanted):
                pytest.fail(f"{missing}; where CI=true nothing is skipped by accident", pytrace=False)
            pytest.skip(str(missing))
        yield url
