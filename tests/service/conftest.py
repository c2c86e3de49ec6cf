"""Every service test runs on the store in memory and on each database there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stores import STORES, MakeStore, stores_of_a_kind


@pytest.fixture(params=STORES)
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    with stores_of_a_kind(request, lock_timeout=5.0) as make:
        yield make
