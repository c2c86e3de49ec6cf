"""A pytest plugin that writes down which test reaches which lines: `-p tests.mutation.reach`.

`REACH_FILES` holds the files, one in a line, and `REACH_FOLDER` says where the finding goes: a file of JSON for each
process, `{test: {"seconds": …, "lines": {file: [line, …]}}}`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

__all__: list[str] = []

FILES = [line for line in os.environ.get("REACH_FILES", "").splitlines() if line]
FOLDER = Path(os.environ.get("REACH_FOLDER", "."))
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


class Reach:
    """Counts the lines of each test under the test's name."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, include=FILES, config_file=False)
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.perf_counter() - started, 4)

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data = self.coverage.get_data()
        tests: dict[str, Any] = {name: {"seconds": took, "lines": {}} for name, took in self.seconds.items()}
        for file in data.measured_files():
            for line, names in data.contexts_by_lineno(file).items():
                for name in names:
                    if name in tests:
                        tests[name]["lines"].setdefault(file, []).append(line)
        (FOLDER / f"{WORKER}.json").write_text(json.dumps(tests), "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if FILES and ("PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None)):
        reach = Reach()
        reach.coverage.start()
        config.pluginmanager.register(reach, "reach")
