"""The anomalies of isolation: what the fake makes of them is what PostgreSQL does."""

from __future__ import annotations

import pytest

from tests.truth.hermitage import EXPECTED, SCRIPTS, play_all


@pytest.mark.parametrize("name", ["memory", "sqlite", "postgresql", "mariadb"])
def test_every_anomaly_comes_out_as_written(name: str, request: pytest.FixtureRequest) -> None:
    url = "" if name == "memory" else request.getfixturevalue(f"{name.replace('postgresql', 'postgres')}_url")

    assert play_all(name, url) == {script: EXPECTED[script][name] for script in SCRIPTS}


def test_the_fake_expects_what_postgresql_does() -> None:
    assert all(EXPECTED[script]["memory"] == EXPECTED[script]["postgresql"] for script in SCRIPTS)


def test_write_skew_is_allowed_between_aggregates() -> None:
    assert EXPECTED["G2-item write skew"]["memory"].endswith("1=11 2=21")
