"""Every private name of others that the package uses stands in `adapters/internals.py`, and exists.

A release of SQLAlchemy, of a driver or of Python that moves one fails here, by its name and the reason for its use.
Each check is shown to fail before it is believed.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import re
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psycopg
import pymysql
import pytest
from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Integer, MetaData, Table, create_engine, select
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session, registry, relationship
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.identity import IdentityMap
from sqlalchemy.pool import Pool, QueuePool, base as pools
from sqlalchemy.types import TypeDecorator

from honestwork.adapters.internals import OUTSIDE, OVERRIDDEN
from honestwork.adapters.plan.codegen import hydrator

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "rules", "service_layer", "adapters", "testing")
INTERNALS = "adapters/internals.py"
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for layer in LAYERS
    for path in sorted((ROOT / layer).rglob("*.py"))
}
PRIVATE = re.compile(r"_[a-zA-Z]\w*")
OURS = "_honestwork"  # begins the names of attributes that we give to objects of others


class Use(NamedTuple):
    line: int
    name: str
    of_self: bool = False


def uses(node: ast.AST) -> Iterator[Use]:
    """The private names in a module: attributes, options, imports, and strings that are nothing but such a name."""
    pieces = {id(piece) for each in ast.walk(node) if isinstance(each, ast.JoinedStr) for piece in each.values}
    for each in ast.walk(node):
        names: list[str] = []
        match each:
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) | ast.keyword(arg=str(name)):
                names = [name]
            case ast.ImportFrom(level=0):
                names = [*(each.module or "").split("."), *(alias.name for alias in each.names)]
            case ast.Import():
                names = [part for alias in each.names for part in alias.name.split(".")]
        for name in names:
            if PRIVATE.fullmatch(name) and not name.startswith(OURS) and id(each) not in pieces:
                yield Use(each.lineno, name, isinstance(each, ast.Attribute) and _is_self(each.value))  # type: ignore[attr-defined]


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def defined(node: ast.AST) -> set[str]:
    """The attributes that classes define: in their bodies, and by assignment to attributes of self."""
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and _is_self(each.value):
            found.add(each.attr)
        for inner in each.body if isinstance(each, ast.ClassDef) else ():
            match inner:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                    found.add(name)
    return found


INHERITED = {name for source in SOURCES.values() for name in defined(ast.parse(source))}


def strangers(path: str, source: str) -> list[str]:
    """The private names that a module uses and does not define, unless a table of `internals.py` allows them in it."""
    tree = ast.parse(source)
    allowed = defined(tree) | {name for name, each in OUTSIDE.items() if path in each.files}
    inherited = INHERITED
    for cls, overridden in OVERRIDDEN.items():
        if _path(cls) == path:
            allowed |= overridden.names.keys()
            inherited = set()  # what a class of this module has and does not define may be SQLAlchemy's
    return [
        f"{path}:{use.line} uses {use.name}, a private name of others: give it a function in {INTERNALS}"
        for use in uses(tree)
        if use.name not in allowed and not (use.of_self and use.name in inherited)
    ]


def _path(cls: str) -> str:
    return "/".join(cls.split(".")[1:-1]) + ".py"


def unlisted_overrides(cls: type[Any], definition: ast.ClassDef, listed: Collection[str]) -> list[str]:
    """The private names that a class of ours defines and a base class of others has too, unless they are listed."""
    theirs: set[str] = set()
    for base in cls.__mro__[1:]:
        if not base.__module__.startswith("honestwork."):
            theirs |= {*vars(base), *vars(base).get("__annotations__", ())}
            theirs |= set(dir(SAMPLES[base])) if base in SAMPLES else set()
    found = {name for name in defined(definition) & theirs if PRIVATE.fullmatch(name)}
    return [
        f"{cls.__name__} overrides {name}: list it in OVERRIDDEN of {INTERNALS}" for name in sorted(found - set(listed))
    ]


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """The classes of the package that have a base, by their full names."""
    for path, source in SOURCES.items():
        module = "honestwork." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and node.bases:
                yield f"{module}.{node.name}", node


def reasons(source: str) -> dict[str, str]:
    """The private names that `internals.py` uses itself, each with the docstring of the function that does."""
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and ast.unparse(node).startswith(("OVERRIDDEN", "OUTSIDE")):
            continue  # names that are used elsewhere
        why = (ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None) or "see there"
        for use in uses(node):
            found.setdefault(use.name, why)
    return found


def missing(name: str, where: object, why: str) -> str | None:
    """A sentence if an object has no attribute of this name, or a function no such argument."""
    has = name in inspect.signature(where).parameters if inspect.isfunction(where) else hasattr(where, name)
    return None if has else f"{name} is gone from {where!r}, which was used for: {why}"


# What has the names, in the versions that are installed


class Node:
    """A class with a relationship to itself."""


mapping = registry(metadata=MetaData())
nodes = Table(
    "nodes",
    mapping.metadata,
    Column("id", Integer, primary_key=True),
    Column("parent", ForeignKey("nodes.id")),
    CheckConstraint("id > 0"),
)
mapper = mapping.map_imperatively(Node, nodes, properties={"children": relationship(Node)})
mapping.configure()
manager = mapper.class_manager
state = instance_state(Node())
pool = QueuePool(lambda: None)  # type: ignore[arg-type]
engine = create_engine("sqlite://", poolclass=QueuePool)
with engine.connect() as connection:
    result = connection.execute(select(1))
    fairy = connection.connection
engine.dispose()

SAMPLES: dict[type[Any], object] = {
    Connection: connection,
    IdentityMap: IdentityMap(),
    QueuePool: pool,
    Session: Session(),
    type(fairy): fairy,
}

SQLALCHEMY: dict[str, object] = {
    "_ConnectionFairy": pools,
    "_ConnectionRecord": pools,
    "_checkin": Pool._invalidate,
    "_cleanup": state,
    "_commit_all": state,
    "_connection_record": fairy,
    "_creation_order": nodes.primary_key,
    "_creator": pool,
    "_deannotate": nodes.c.id,
    "_delete_orphans": mapper,
    "_deleted": state,
    "_deliver_insertmanyvalues_batches": DefaultDialect(),
    "_dialect": pool,
    "_dispatch": Pool.__init__,
    "_has_bind_expression": TypeDecorator,
    "_has_column_expression": TypeDecorator,
    "_has_events": engine,
    "_instance_dict": state,
    "_invalidate": pool,
    "_is_orphan": mapper,
    "_managers": mapping,
    "_max_overflow": pool,
    "_modified_event": state,
    "_orig_logging_name": pool,
    "_orphaned_outside_of_session": state,
    "_pending_mutations": state,
    "_pool": pool,
    "_pre_ping": pool,
    "_propagate_attrs": select(1),
    "_raw_all_tuples": result,
    "_reconstructor": mapper,
    "_recycle": pool,
    "_reset_on_return": pool,
    "_reverse_property": mapper.relationships["children"],
    "_sort_key": mapper,
    "_state_constructor": manager,
    "_type_bound": nodes.primary_key,
    "_unique_filter_state": result,
    "_variant_mapping": Integer(),
}
"""What has the names that `internals.py` uses itself."""

OTHERS: dict[str, object] = {
    "attr._make": None,  # attrs is no dependency: a user may have it
    "asyncio": asyncio,
    "psycopg.Connection": psycopg.Connection,
    "pymysql.Connection": pymysql.Connection(defer_connect=True),
    "sys": sys,
    "threading.RLock": threading.RLock(),
}
"""What has the names of OUTSIDE."""


@pytest.mark.parametrize("name", reasons(SOURCES[INTERNALS]))
def test_a_name_that_is_used_of_sqlalchemy_exists(name: str) -> None:
    why = reasons(SOURCES[INTERNALS])[name]

    assert name in SQLALCHEMY, "say above what has it"
    assert missing(name, SQLALCHEMY[name], why) is None


def test_no_name_is_looked_for_that_is_not_used() -> None:
    assert SQLALCHEMY.keys() - reasons(SOURCES[INTERNALS]) == set()


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, overridden in OVERRIDDEN.items() for name in overridden.names]
)
def test_a_name_that_is_overridden_exists_in_sqlalchemy_and_is_used(cls: str, name: str) -> None:
    path, overridden = _path(cls), OVERRIDDEN[cls]

    assert missing(name, SAMPLES[overridden.of], overridden.names[name]) is None
    assert name in {use.name for use in uses(ast.parse(SOURCES[path]))} | defined(ast.parse(SOURCES[path]))


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_of_a_driver_or_of_python_exists_and_is_used(name: str) -> None:
    outside = OUTSIDE[name]
    where = OTHERS[outside.owner]

    assert where is None or missing(name, where, outside.reason) is None
    assert [path for path in outside.files if name not in {use.name for use in uses(ast.parse(SOURCES[path]))}] == []


@pytest.mark.parametrize("path", [path for path in SOURCES if path != INTERNALS])
def test_no_module_uses_a_private_name_of_others(path: str) -> None:
    assert strangers(path, SOURCES[path]) == []


def test_every_private_name_that_a_class_overrides_is_listed() -> None:
    found = []
    for name, definition in classes():
        module, _, cls = name.rpartition(".")
        listed = OVERRIDDEN[name].names if name in OVERRIDDEN else ()
        found += unlisted_overrides(getattr(importlib.import_module(module), cls), definition, listed)

    assert found == []


@pytest.mark.parametrize("apart", [False, True])
def test_a_state_that_is_made_without_its_constructor_has_what_the_constructor_gives(apart: bool) -> None:
    id_alone: Any = [SimpleNamespace(attribute="id")]
    hydrate = hydrator(Node, manager, id_alone, Node, compound=False, apart=apart)

    node = hydrate((7,), 7, None) if apart else hydrate((7,), 7, None, lambda: None)

    expected, made = manager.new_instance(), instance_state(node)
    theirs = instance_state(expected)
    slots = [name for name in type(theirs).__slots__ if name not in ("__dict__", "__weakref__")]
    assert [name for name in slots if type(getattr(made, name)) is not type(getattr(theirs, name))] == []
    assert vars(theirs).keys() - vars(made).keys() == set()
    assert (made.obj(), made.class_, made.manager) == (node, theirs.class_, theirs.manager)
    assert (made.committed_state, made.expired_attributes) == (theirs.committed_state, theirs.expired_attributes)


# The checks are shown to fail


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("state._commit_all({})", "_commit_all"),
        ("def f(state):\n    state._deleted = True", "_deleted"),
        ("getattr(constraint, '_type_bound', False)", "_type_bound"),
        ("'_pending_mutations' in state.__dict__", "_pending_mutations"),
        ("pool._of_ours(_checkin=False)\nclass A:\n    def _of_ours(self): ...", "_checkin"),
        ("from sqlalchemy.pool.base import _ConnectionRecord", "_ConnectionRecord"),
        ("import sqlalchemy.orm._typing", "_typing"),
        ("from sqlalchemy.orm._typing import x", "_typing"),
        ("class A(B):\n    def f(self):\n        return self._sort_key", "_sort_key"),
        ("def _sort_key(mapper):\n    return mapper._sort_key", "_sort_key"),  # a function is no attribute
    ],
)
def test_a_planted_use_is_found(source: str, name: str) -> None:
    (found,) = strangers("adapters/engine/planted.py", source)

    assert f" uses {name}," in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("adapters/planted.py", "class A:\n    _n = 0\n    def f(self, other):\n        return other._n"),
        ("adapters/planted.py", "class A:\n    def __init__(self):\n        self._n = 0\nprint(A()._n)"),
        ("adapters/planted.py", "from .other import _helper\n_helper()"),
        ("adapters/planted.py", "BUSY = '_honestwork_busy'"),
        ("adapters/planted.py", "name = f'{table}_pkey'"),
        ("adapters/planted.py", "class A(Usable):\n    def f(self):\n        return self._has_failed"),
        ("adapters/sql/drivers.py", "connection._force_close()"),
        ("adapters/sql/pool.py", "pool._do_get()"),
    ],
)
def test_a_name_of_our_own_or_of_the_tables_is_not_found(path: str, source: str) -> None:
    assert strangers(path, source) == []


def test_what_is_inherited_of_sqlalchemy_is_not_taken_for_our_own() -> None:
    source = "class UnitPool(QueuePool):\n    def f(self):\n        return self._store"  # which other classes have

    assert "_store" in INHERITED
    assert len(strangers("adapters/sql/pool.py", source)) == 1


def test_a_planted_override_is_found() -> None:
    source = "class Planted(QueuePool):\n    def _do_get(self): ...\n    def _of_us(self):\n        self._creator = 1"
    names: dict[str, Any] = {"QueuePool": QueuePool, "__name__": "honestwork.planted"}
    exec(source, names)
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)

    found = unlisted_overrides(names["Planted"], definition, ["_do_get"])

    assert found == ["Planted overrides _creator: list it in OVERRIDDEN of adapters/internals.py"]


def test_a_name_that_has_moved_is_found_with_the_reason() -> None:
    source = 'def sort_key(mapper):\n    """The name by which the flush sorts."""\n    return mapper._moved'
    ((name, why),) = reasons(source).items()

    assert str(missing(name, mapper, why)).endswith("which was used for: The name by which the flush sorts.")
    assert missing("_moved", Pool.__init__, why) is not None
