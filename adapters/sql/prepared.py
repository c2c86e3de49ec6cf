"""Statements that are compiled once, and sent to the driver as they are.

SQLAlchemy looks a statement up in its cache, sorts its parameters and wraps its result anew each time, which costs
several times what the driver takes. A `Prepared` does this once: it keeps the text, the places of the parameters, and
what their types and those of the result do to values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter, methodcaller
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, Executable
from sqlalchemy.types import TypeEngine

from ..plan.tables import Row

__all__ = ["ROW_COUNT", "Prepared"]

Process = Callable[[Any], Any]
FETCH_ALL: Callable[[Any], Sequence[Row]] = methodcaller("fetchall")
ROW_COUNT: Callable[[Any], int] = attrgetter("rowcount")
LAST_KEY: Callable[[Any], Any] = attrgetter("lastrowid")


class Prepared:
    """A statement of Core and the names of its parameters, whose values are given in this order.

    *types* are those of its result's columns; an INSERT for which the database is to generate a key *gives* this key,
    and one that returns another value gives that. It is compiled by the first unit that has a connection, for only then
    is it known what the server can do. Lives as long as the store.
    """

    text = ""  # in the dialect of the driver

    def __init__(
        self,
        engine: Engine,
        statement: Any,
        names: Sequence[str],
        *,
        types: Sequence[TypeEngine[Any]] = (),
        gives_key: bool = False,
        gives_value: bool = False,
    ) -> None:
        self.engine = engine
        self.statement: Executable = statement
        self.names = tuple(names)
        self.types = types
        self.gives_key = gives_key
        self.gives_value = gives_value
        self.given: Callable[[Any], Any] = _only_value if gives_value else ROW_COUNT
        self.packed: Callable[[Sequence[Any]], Any] = self._compile_and_pack
        self.fetched: Callable[[Any], Sequence[Row]] = self._describe_and_fetch
        self.processed: Callable[[Sequence[Row]], Sequence[Row]] | None = None

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        """The parameters as SQLAlchemy takes them."""
        return dict(zip(self.names, values, strict=True))

    def given_by(self, result: CursorResult[Any]) -> Any:
        """What `given` takes from a cursor, from a result of SQLAlchemy."""
        if self.gives_value:
            return result.scalar_one()
        if not self.gives_key:
            return result.rowcount
        (key,) = cast("tuple[Any]", result.inserted_primary_key)
        return key

    def _compile_and_pack(self, values: Sequence[Any]) -> Any:
        """Called at first: compile the statement, and let its parameters be packed as it wants them."""
        self._compile()
        return self.packed(values)

    def _compile(self) -> None:
        dialect = self.engine.dialect
        options: dict[str, Any] = {}
        if (translated := self.engine.get_execution_options().get("schema_translate_map")) is not None:
            options = {"schema_translate_map": translated, "render_schema_translate": True}
        compiled: Any = self.statement.compile(dialect=dialect, column_keys=[*self.names], **options)  # type: ignore[attr-defined]
        binds: dict[str, Any] = compiled.binds
        if (
            compiled.insert_prefetch
            or compiled.update_prefetch
            or compiled.literal_execute_params
            or compiled.post_compile_params
            or binds.keys() != {*self.names}
        ):  # it needs more than parameters
            self.packed = lambda values: None
            return
        processors = [binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in self.names]
        if self.gives_key:
            self.given = LAST_KEY if compiled.postfetch_lastrowid else _only_value
        self.text = compiled.string
        if compiled.positional:
            self.packed = _by_place([self.names.index(name) for name in compiled.positiontup], processors)
        else:
            escaped = compiled.escaped_bind_names
            self.packed = _by_name([escaped.get(name, name) for name in self.names], processors)

    def _describe_and_fetch(self, cursor: Any) -> Sequence[Row]:
        """Called at first: some types want to know what the driver says of a column."""
        codes = [each[1] for each in cursor.description]
        self.processed = _processing([*map(self._processor, self.types, codes)])
        self.fetched = FETCH_ALL
        return FETCH_ALL(cursor)

    def _processor(self, declared: TypeEngine[Any], code: Any) -> Process | None:
        """What a type does to a value of a result."""
        dialect = self.engine.dialect
        return declared.dialect_impl(dialect).result_processor(dialect, code)


def _only_value(cursor: Any) -> Any:
    return cursor.fetchone()[0]


def _by_place(places: list[int], processors: list[Process | None]) -> Callable[[Sequence[Any]], Any]:
    if not any(processors):
        if places == [*range(len(processors))]:
            return tuple
        return itemgetter(*places) if len(places) > 1 else lambda values: (values[places[0]],)
    steps = [(place, processors[place]) for place in places]
    return lambda values: tuple(
        [values[place] if process is None else process(values[place]) for place, process in steps]
    )


def _by_name(names: list[str], processors: list[Process | None]) -> Callable[[Sequence[Any]], Any]:
    if not any(processors):
        return lambda values: dict(zip(names, values, strict=True))
    steps = [*zip(names, processors, strict=True)]
    return lambda values: {
        name: value if process is None else process(value) for (name, process), value in zip(steps, values, strict=True)
    }


def _processing(processors: list[Process | None]) -> Callable[[Sequence[Row]], Sequence[Row]] | None:
    """What makes the rows of a result of those that the driver gives, if anything does."""
    if not any(processors):
        return None
    places = [f"v{n}" for n in range(len(processors))]
    values = [f"p{n}(v{n})" if process is not None else f"v{n}" for n, process in enumerate(processors)]
    known = {f"p{n}": process for n, process in enumerate(processors)}
    source = f"lambda rows: [({', '.join(values)},) for {', '.join(places)}, in rows]"
    found: Callable[[Sequence[Row]], Sequence[Row]] = eval(source, known)
    return found
