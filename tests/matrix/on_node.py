"""What `on_node.mjs` runs: pytest, on a Python without processes, threads and drivers of databases."""

import os
import sys
import types

sys.path[:0] = ["/m/site", "/m/repo"]
os.chdir("/m/repo")
for driver in ("psycopg", "pymysql"):  # which the suites import, and nothing here uses
    sys.modules.setdefault(driver, types.ModuleType(driver))

import pytest  # noqa: E402  # it lies in /m/site

print(sys.version, flush=True)
options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib --strict-markers -ra"]
int(pytest.main([*options, "-k", "not postgres and not mariadb", *arguments]))  # type: ignore[name-defined]  # noqa: F821  # by on_node.mjs
