"""What is installed is honestwork and nothing else, also beside somebody's own `domain`.

The wheel is built here, or named by HONESTWORK_WHEEL.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "rules", "service_layer", "adapters", "testing")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("HONESTWORK_WHEEL"):
        return ROOT / given
    # From a copy, for setuptools writes beside the sources, and what an older build has left there would go in.
    copy = tmp_path_factory.mktemp("source") / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__"))
    # Without isolation nothing is downloaded; by way of the sdist, so that it is seen to be whole.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(copy / "dist"), cwd=copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as an installer leaves it: a wheel without scripts is just unpacked."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_installed(program: str, installed: Path, cwd: Path, *before: Path) -> str:
    """Run *program* where nothing of the checkout can be found: -S leaves the links of the editable install out."""
    path = [*before, installed, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return run(sys.executable, "-S", "-c", program, cwd=cwd, PYTHONPATH=os.pathsep.join(map(str, path)))


def test_the_wheel_holds_every_module_and_nothing_else(files: set[str]) -> None:
    modules = {
        f"honestwork/{path.relative_to(ROOT).as_posix()}"
        for layer in LAYERS
        for path in [*(ROOT / layer).rglob("*.py"), ROOT / layer / "py.typed"]
    }

    packed = {name for name in files if not PurePosixPath(name).parts[0].endswith(".dist-info")}

    assert packed == modules


def test_the_wheel_says_what_it_is(files: set[str], installed: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (information,) = installed.glob("*.dist-info")

    metadata = (information / "METADATA").read_text("utf-8")

    assert f"Version: {project['version']}" in metadata
    assert "License-Expression: MIT" in metadata
    assert f"{information.name}/licenses/LICENSE" in files
    assert (ROOT / "README.md").read_text("utf-8").strip() in metadata


def test_it_works_beside_a_domain_of_the_users_own(installed: Path, tmp_path: Path) -> None:
    for layer in LAYERS:
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "__init__.py").write_text(f"mine = {layer!r}\n")
    program = f"""
import importlib, pathlib, sys
for layer in {LAYERS}:
    mine, theirs = importlib.import_module(layer), importlib.import_module("honestwork." + layer)
    assert mine.mine == layer
    assert not hasattr(theirs, "mine")
    assert pathlib.Path(theirs.__file__).is_relative_to({str(installed)!r}), theirs.__file__
print("both")
"""

    assert run_installed(program, installed, tmp_path, tmp_path) == "both\n"


def test_it_needs_no_driver_and_no_test_framework(installed: Path, files: set[str], tmp_path: Path) -> None:
    """Everything but `honestwork.testing` can be imported with the runtime dependencies alone."""
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in files
        if name.endswith(".py") and not name.startswith("honestwork/testing/")
    )
    program = f"""
import importlib, sys
for absent in ("pytest", "hypothesis", "psycopg", "pymysql", "sqlglot"):
    sys.modules[absent] = None
for module in {modules}:
    importlib.import_module(module)
print("done")
"""

    assert run_installed(program, installed, tmp_path) == "done\n"


def test_the_proofs_for_users_need_no_driver_and_nothing_of_this_checkout(installed: Path, tmp_path: Path) -> None:
    program = """
import sys
for absent in ("psycopg", "pymysql", "tests"):
    sys.modules[absent] = None
from honestwork.testing import RepositoryContract, assert_truthful, assert_twins_agree, check_rules, replay
print("done")
"""

    assert run_installed(program, installed, tmp_path) == "done\n"
