"""Imports point left: domain <- rules <- service_layer <- adapters <- testing. Every folder is where the wheel has it.

Each check is a function that gives sentences, one for each violation; each is shown to fail before it is believed.
"""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "rules", "service_layer", "adapters", "testing")
ROOMS = ("plan", "objects", "queries", "engine", "repositories", "mapping", "memory", "sql")  # of adapters
APART = {"memory", "sql"}  # rooms that know nothing of each other
USERS = ("tests", "examples", "benchmarks")

# What a layer may never import, whoever asks for it: the first two import the standard library and nothing else.
STDLIB_ONLY = ("domain", "rules")
TOOLS = {"pytest", "hypothesis"}
FORBIDDEN = {"service_layer": TOOLS | {"sqlalchemy", "dependency_injector"}, "adapters": TOOLS}


class Import(NamedTuple):
    line: int
    target: str  # honestwork.domain.errors, sqlalchemy.orm
    relative: bool


def imports(source: str, module: str = "", *, is_package: bool = False) -> Iterator[Import]:
    """What *source* imports, also inside of functions and for type checking alone; relative names spelled out."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, name.name, False) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            # `from .. import domain` names the layer only here.
            names = [f".{name.name}" for name in node.names] if not node.module else [""]
            yield from (Import(node.lineno, target + name, bool(node.level)) for name in names)


def layer_violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """How a module of the package breaks the order of the layers."""
    layer = module.split(".")[1]
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    found = []
    for line, target, relative in imports(source, module, is_package=is_package):
        first, _, rest = target.partition(".")
        if relative and (first != "honestwork" or rest.partition(".")[0] not in LAYERS):
            found.append(f"{module}:{line} leaves the package, to {target!r}")
        elif relative and rest.partition(".")[0] not in allowed:
            found.append(f"{module}:{line} imports {target}, which is further to the right")
        elif not relative and first in ("honestwork", *LAYERS):
            found.append(f"{module}:{line} imports {target} by its full name: inside of the package, by dots")
        elif not relative and layer in STDLIB_ONLY and first not in sys.stdlib_module_names:
            found.append(f"{module}:{line} imports {target}: {layer} has the standard library and nothing else")
        elif not relative and first in FORBIDDEN.get(layer, ()):
            found.append(f"{module}:{line} imports {target}, which {layer} has to do without")
    return found


def room_violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """How a module of adapters breaks the order of the rooms. What private names are used for has every room."""
    here = module.split(".")[2:3]
    found = []
    for line, target, _ in imports(source, module, is_package=is_package):
        if not target.startswith("honestwork.adapters."):
            continue
        room = target.split(".")[2]
        if here == ["internals"]:
            found.append(f"{module}:{line} imports {target}: internals has SQLAlchemy and nothing else")
        elif here and here[0] in ROOMS and room not in ROOMS and room != "internals":
            found.append(f"{module}:{line} imports {target}, which stands outside of the rooms")
        elif here and here[0] in ROOMS and room in ROOMS:
            if ROOMS.index(room) > ROOMS.index(here[0]):
                found.append(f"{module}:{line} imports {target}, which is a later room")
            elif {room, *here} == APART:
                found.append(f"{module}:{line} imports {target}: {here[0]} and {room} know nothing of each other")
    return found


def user_violations(source: str, path: str) -> list[str]:
    """How a test, an example or a benchmark reaches a layer by the name of its folder."""
    return [
        f"{path}:{line} imports {target}: there is only honestwork.{target}"
        for line, target, relative in imports(source)
        if not relative and target.partition(".")[0] in LAYERS
    ]


def unlisted_packages(pyproject: str, root: Path) -> set[str]:
    """The folders that hold modules and are not in the wheel, and the names in the wheel that have no folder."""
    listed = set(tomllib.loads(pyproject)["tool"]["setuptools"]["packages"])
    existing = {
        ".".join(["honestwork", *path.parent.relative_to(root).parts])
        for layer in LAYERS
        for path in (root / layer).rglob("*.py")
    }
    return listed ^ existing


def unmarked_folders(root: Path) -> list[str]:
    """The folders that hold modules and have no `__init__.py`, and the layers that hide their types."""
    folders = {path.parent for layer in LAYERS for path in (root / layer).rglob("*.py")}
    missing = [folder / "__init__.py" for folder in folders if not (folder / "__init__.py").exists()]
    missing += [root / layer / "py.typed" for layer in LAYERS if not (root / layer / "py.typed").exists()]
    return sorted(str(path.relative_to(root)) for path in missing)


def public_names(source: str) -> list[str]:
    """The names that a module offers: those of `__all__`, and those it re-exports as themselves."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            names += [name.asname for name in node.names if name.asname == name.name]
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names += ast.literal_eval(node.value)
    return names


def unexported_names(source: str) -> list[str]:
    """What an `__init__.py` imports without offering it, so that a strict type checker refuses its use."""
    offered = set(public_names(source))
    return [
        name.asname or name.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.level
        for name in node.names
        if (name.asname or name.name) not in offered
    ]


def modules() -> Iterator[tuple[str, Path]]:
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(["honestwork", *(parts[:-1] if parts[-1] == "__init__" else parts)]), path


MODULES = dict(modules())
PACKAGES = {module: path for module, path in MODULES.items() if path.name == "__init__.py"}


def test_imports_point_left() -> None:
    found = [
        violation
        for module, path in MODULES.items()
        for violation in layer_violations(path.read_text("utf-8"), module, is_package=module in PACKAGES)
    ]

    assert found == []


def test_the_rooms_of_adapters_import_in_one_direction() -> None:
    rooms = {path.parent.name for path in (ROOT / "adapters").glob("*/__init__.py")}
    found = [
        violation
        for module, path in MODULES.items()
        if module.startswith("honestwork.adapters")
        for violation in room_violations(path.read_text("utf-8"), module, is_package=module in PACKAGES)
    ]

    assert rooms == {*ROOMS}
    assert found == []


def test_nobody_imports_a_layer_by_the_name_of_its_folder() -> None:
    found = [
        violation
        for folder in USERS
        for path in (ROOT / folder).rglob("*.py")
        for violation in user_violations(path.read_text("utf-8"), str(path.relative_to(ROOT)))
    ]

    assert found == []


def test_every_folder_is_in_the_wheel_and_nothing_else_is() -> None:
    assert unlisted_packages((ROOT / "pyproject.toml").read_text("utf-8"), ROOT) == set()


def test_every_folder_is_a_package_and_every_layer_is_typed() -> None:
    assert unmarked_folders(ROOT) == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_exists_and_is_shown(module: str) -> None:
    """Also where it is imported when it is asked for."""
    loaded = importlib.import_module(module)

    names = public_names(MODULES[module].read_text("utf-8"))

    assert [name for name in names if not hasattr(loaded, name) or name not in dir(loaded)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_at_the_door_of_a_package_is_public(package: str) -> None:
    assert unexported_names(PACKAGES[package].read_text("utf-8")) == []


def test_users_are_shown_one_door_to_testing() -> None:
    shown = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py")]

    assert [path.name for path in shown if "honestwork.testing." in path.read_text("utf-8")] == []


def test_no_module_is_loaded_twice_under_two_names() -> None:
    program = f"""
import importlib, os, sys
for module in {list(MODULES)}:
    importlib.import_module(module)
loaded = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
layers = tuple({str(ROOT)!r} + os.sep + layer + os.sep for layer in {LAYERS})
ours = [file for file in map(os.path.realpath, loaded) if file.startswith(layers)]
print(sorted(set(sys.modules) & set({LAYERS})), len(ours), len(ours) - len(set(ours)))
"""
    # In the root, where `import domain` would find the folder.
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": ""}, text=True, capture_output=True
    )

    assert (printed.stderr, printed.stdout) == ("", f"[] {len(MODULES)} 0\n")


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("honestwork.domain.errors", "import sqlalchemy", "standard library and nothing else"),
        ("honestwork.domain.errors", "from sqlalchemy.orm import Session", "standard library and nothing else"),
        ("honestwork.domain.errors", "def late():\n    import tenacity", "errors:2"),
        ("honestwork.domain.errors", "from ..service_layer import Store", "further to the right"),
        ("honestwork.domain.rule", "from ..rules.trace import trace", "further to the right"),
        ("honestwork.rules.trace", "import sqlalchemy", "standard library and nothing else"),
        ("honestwork.rules.trace", "from ..service_layer import Store", "further to the right"),
        ("honestwork.rules.trace", "from ..adapters.sql import store", "further to the right"),
        ("honestwork.domain.errors", "from .. import adapters", "further to the right"),
        ("honestwork.service_layer.store", "from ..adapters.mapping import Mapping", "further to the right"),
        ("honestwork.service_layer.store", "if TYPE_CHECKING:\n    import sqlalchemy.orm", "has to do without"),
        ("honestwork.service_layer.store", "import dependency_injector", "has to do without"),
        ("honestwork.adapters.sql.store", "from ...testing import lockstep", "further to the right"),
        ("honestwork.adapters.sql.store", "import pytest", "has to do without"),
        ("honestwork.adapters.sql.store", "from honestwork.domain import Repository", "by dots"),
        ("honestwork.adapters.sql.store", "import domain.errors", "by dots"),
        ("honestwork.adapters.store", "from ...domain import Repository", "leaves the package"),
        ("honestwork.adapters.store", "from ..examples import users", "leaves the package"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str, reason: str) -> None:
    (violation,) = layer_violations(source, module)

    assert reason in violation


@pytest.mark.parametrize(
    ("module", "source", "is_package"),
    [
        ("honestwork.domain", "from .errors import Misuse as Misuse", True),
        ("honestwork.domain.errors", "import os.path\nfrom collections import abc", False),
        ("honestwork.rules.trace", "import dis\nfrom ..domain.rule import Rule\nfrom .facts import Facts", False),
        ("honestwork.service_layer.retry", "import tenacity\nfrom ..domain.errors import Conflict", False),
        ("honestwork.adapters.sql", "from ..schema import Plan\nfrom .store import SqlStore as SqlStore", True),
        ("honestwork.adapters.sql.store", "import sqlalchemy\nfrom ...service_layer import Store", False),
        ("honestwork.testing.lockstep", "import hypothesis, pytest\nfrom ..adapters.sql import SqlStore", False),
    ],
)
def test_an_import_that_points_left_is_not_found(module: str, source: str, is_package: bool) -> None:
    assert layer_violations(source, module, is_package=is_package) == []


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("honestwork.adapters.plan.tables", "from ..objects.instances import Given", "a later room"),
        ("honestwork.adapters.engine.flush", "from ..repositories import ports", "a later room"),
        ("honestwork.adapters.engine.flush", "from .. import sql", "a later room"),
        ("honestwork.adapters.mapping.doctor.tables", "def late():\n    from ...memory import rows", "a later room"),
        ("honestwork.adapters.memory.rows", "from ..sql.rows import SqlRows", "a later room"),
        (
            "honestwork.adapters.sql.rows",
            "if TYPE_CHECKING:\n    from ..memory import MemoryRows",
            "of each other",
        ),
        ("honestwork.adapters.sql.rows", "from ..container import Container", "outside of the rooms"),
        ("honestwork.adapters.internals", "from .plan.tables import Row", "nothing else"),
    ],
)
def test_a_planted_import_of_a_later_room_is_found(module: str, source: str, reason: str) -> None:
    (violation,) = room_violations(source, module)

    assert reason in violation


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("honestwork.adapters.sql.rows", "from ..engine.rows import Rows\nfrom .pool import UnitPool"),
        ("honestwork.adapters.plan.tables", "from ..internals import is_type_bound\nfrom ...domain import errors"),
        ("honestwork.adapters.mapping.doctor.tables", "from ..mapping import Mapping"),
        ("honestwork.adapters.container", "from .sql.store import SqlStore"),
        ("honestwork.adapters.internals", "from sqlalchemy.orm import Mapper"),
    ],
)
def test_an_import_of_an_earlier_room_is_not_found(module: str, source: str) -> None:
    assert room_violations(source, module) == []


def test_a_planted_import_of_a_folder_is_found() -> None:
    found = user_violations(
        "import honestwork.domain\nfrom .domain import user\nfrom domain import errors", "tests/x.py"
    )

    assert found == ["tests/x.py:3 imports domain: there is only honestwork.domain"]


def test_a_forgotten_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "domain" / "rules").mkdir(parents=True)
    (tmp_path / "domain" / "__init__.py").touch()
    (tmp_path / "domain" / "rules" / "rule.py").touch()

    found = unlisted_packages('[tool.setuptools]\npackages = ["honestwork.domain", "honestwork.gone"]', tmp_path)

    assert found == {"honestwork.domain.rules", "honestwork.gone"}


def test_a_missing_marker_is_found(tmp_path: Path) -> None:
    for layer in LAYERS:
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "py.typed").touch()
    (tmp_path / "adapters" / "py.typed").unlink()
    (tmp_path / "domain" / "errors.py").touch()

    assert unmarked_folders(tmp_path) == ["adapters/py.typed", "domain/__init__.py"]


def test_public_names_are_read_from_both_ways_of_writing_them() -> None:
    source = 'from .a import B as B, C, D as E\nfrom os import path\n__all__ = ["C", "F"]'

    assert public_names(source) == ["B", "C", "F"]
    assert unexported_names(source) == ["E"]
