"""The judge, once for each database there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rules_kit.judge import Judge, engine
from tests.rules_kit.tables import shop

DATABASES = {"sqlite": None, "postgresql": "postgres_url", "mariadb": "mariadb_url"}


@pytest.fixture(scope="module", params=DATABASES)
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    name = request.param
    fixture = DATABASES[name]
    database = engine("sqlite://" if fixture is None else request.getfixturevalue(fixture))
    yield Judge({name: database})
    shop.metadata.drop_all(database)
    database.dispose()
