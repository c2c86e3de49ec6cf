"""One store that a program is played on."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from enum import Enum
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm.attributes import instance_dict

from ...adapters.plan.schema import Schema
from ...domain import desc, nulls_first
from ...domain.errors import HonestworkError
from ...service_layer.store import Store
from ...service_layer.unit_of_work import UnitOfWork
from .cast import unconstructed
from .observation import Eye, Renaming, Seen, error_seen

__all__ = ["Outcome", "Side", "Undo"]


RESULTS = ("result_", "found_", "page_", "stream_")  # what a program calls results that are no objects


class Undo(Exception):
    """Raised in blocks by programs that want them undone."""


class Outcome(NamedTuple):
    """What came of one line."""

    seen: Seen
    error: Exception | None

    @property
    def is_foreseen(self) -> bool:
        """No error, or one that is documented."""
        return self.error is None or isinstance(self.error, HonestworkError)


class Side:
    """A store, its units of work `u0`, `u1`, … and the objects `o1`, `o2`, … that a program has got from it.

    A program is a list of lines of Python. Beside the units, the objects and the mapped classes it knows:

    - `enter(u0)`, `enter(u0, reading=True)`, `leave(u0)`, `leave(u0, Undo())`: the two ends of a `with` block;
    - `nest(u0)`, `unnest(u0)`, `unnest(u0, Undo())`: the two ends of `with u0.nested():`;
    - `new(User, name="a")`: an object made without its `__init__`, and its attributes assigned;
    - `take(stream_1, 2)`: the next two, or fewer, of what a stream gives;
    - `crash()`: what a power cut does to every unit that is in a transaction;
    - `scramble(o1)`: change, in place, every mutable value that can be reached from an object;
    - `forget()`: drop the objects that the program holds, and collect the garbage.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        unit: type[UnitOfWork],
        units: int,
        schema: Schema,
        renaming: Renaming,
        crash: Callable[[], None],
    ) -> None:
        self.name = name
        self.store = store
        self.schema = schema
        self.units = [unit(store) for _ in range(units)]
        self.paths: dict[str, str] = {}  # the source that led to an object first
        self.eye = Eye(schema, renaming, self.name_of)
        self._names: dict[int, str] = {}
        self._count = 0
        self._blocks: dict[int, list[AbstractContextManager[Any]]] = {id(each): [] for each in self.units}
        self.namespace: dict[str, Any] = {
            **vocabulary(schema),
            **{f"u{number}": each for number, each in enumerate(self.units)},
            **{word.__name__: word for word in _words(self)},
            "crash": crash,
        }

    def run(self, code: CodeType, path: str) -> Outcome:
        """Evaluate one line; if it gives something, it is known as *path* from now on."""
        try:
            self.namespace[path] = value = eval(code, self.namespace)  # our own line
            if type(value) in self.schema.entities:
                return Outcome(self.eye.state(value, path), None)
            return Outcome(self.eye.result(value, path), None)
        except Exception as error:
            return Outcome(error_seen(error), error)

    def name_of(self, instance: object, path: str) -> str:
        """The name of an object: the one it has, or else the one it is assigned to, or else the next."""
        known = self._names.get(id(instance))
        if known is None:
            is_named = path.isidentifier() and not path.startswith(RESULTS)
            known = self._names[id(instance)] = path if is_named else self.next_name()
            self.namespace[known] = instance
            self.paths[known] = path
        return known

    def next_name(self) -> str:
        """A name that no object has had."""
        while f"o{self._count + 1}" in self.paths:
            self._count += 1
        return f"o{self._count + 1}"

    def skip_names(self, names: Iterable[str]) -> None:
        """Objects that only the other side has got have these names, which are used up."""
        for name in names:
            self.paths.setdefault(name, "")

    def entity_name(self, name: str) -> str:
        return type(self.namespace[name]).__name__

    def close(self) -> None:
        """End whatever the program has left open."""
        for unit in self.units:
            with suppress(Exception):
                self.leave(unit, Undo())

    # The words of programs

    def new(self, cls: type[Any], **values: Any) -> Any:
        instance = unconstructed(self.schema.entities[cls])
        for name, value in values.items():
            setattr(instance, name, value)
        return instance

    def enter(self, unit: UnitOfWork, *, reading: bool = False) -> None:
        block: AbstractContextManager[Any] = unit.reading() if reading else unit
        block.__enter__()
        self._blocks[id(unit)].append(block)

    def leave(self, unit: UnitOfWork, error: Exception | None = None) -> None:
        blocks = self._blocks[id(unit)]
        raised = None
        while blocks:
            try:
                self._end(blocks.pop(), raised or error)
            except Exception as instead:
                raised = instead
        if raised is not None:
            raise raised

    def nest(self, unit: UnitOfWork) -> None:
        block = unit.nested()
        block.__enter__()
        self._blocks[id(unit)].append(block)

    def unnest(self, unit: UnitOfWork, error: Exception | None = None) -> None:
        self._end(self._blocks[id(unit)].pop(), error)

    def forget(self) -> None:
        for name in [*self.paths, *(name for name in self.namespace if name.startswith(RESULTS))]:
            self.namespace.pop(name, None)
        self._names.clear()
        gc.collect()

    def take(self, stream: Iterator[Any], count: int) -> list[Any]:
        return list(islice(stream, count))

    def scramble(self, instance: object) -> None:
        for value in list(instance_dict(instance).values()):
            _scramble(value)

    def _end(self, block: AbstractContextManager[Any], error: Exception | None) -> None:
        if error is None:
            block.__exit__(None, None, None)
            return
        try:
            block.__exit__(type(error), error, error.__traceback__)
        except Exception as raised:
            if raised is not error:
                raise


def _words(side: Side) -> list[Callable[..., Any]]:
    return [side.new, side.enter, side.leave, side.nest, side.unnest, side.forget, side.take, side.scramble]


def _scramble(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _scramble(each)
        with suppress(Exception):
            value["scrambled"] = True
    elif type(value) is list:
        for each in value:
            _scramble(each)
        value.append("scrambled")


def vocabulary(schema: Schema) -> dict[str, Any]:
    """The names that the source of values needs."""
    words: dict[str, Any] = {"datetime": datetime, "Decimal": Decimal, "UUID": UUID, "Undo": Undo}
    words |= {"desc": desc, "nulls_first": nulls_first}
    for entity in schema.entities.values():
        words[entity.cls.__name__] = entity.cls
        for value in entity.values.values():
            words[value.cls.__name__] = value.cls
        for each in entity.fields:
            if issubclass(each.column.guard.type, Enum):
                words[each.column.guard.type.__name__] = each.column.guard.type
    return words
