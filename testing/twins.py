"""Queries written twice, in SQL and in Python, put to the same question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping as Dict
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from hypothesis.strategies import SearchStrategy

from ..adapters.mapping.mapping import Mapping
from ..adapters.memory.store import MemoryStore
from ..adapters.plan.entities import EntityPlan
from ..adapters.sql.store import SqlStore
from ..domain.errors import HonestworkError
from ..service_layer.store import Store
from ..service_layer.unit_of_work import UnitOfWork
from .lockstep.cast import Cast, KeyOf, Role, Values, unconstructed

__all__ = ["assert_twins_agree"]


def assert_twins_agree(
    unit: type[UnitOfWork],
    mapping: Mapping,
    database: str,
    *,
    queries: Dict[str, SearchStrategy[tuple[Any, ...]]],
    examples: int = 50,
    ordered: bool = False,
    make: dict[type[Any], SearchStrategy[Values]] | None = None,
) -> None:
    """Show that each query gives the same answer from memory and from this database:

        def test_the_twins_agree(tmp_path):
            assert_twins_agree(
                Library,
                mapping,
                f"sqlite:///{tmp_path}/twins.db",
                queries={"books.of_busy_authors": st.tuples(st.integers(0, 3))},
            )

    *queries* has the arguments of each query, by the names of its repository and of its method. Both stores are
    filled with the same random aggregates, *examples* times; then both are asked. Lists of aggregates are compared
    without their order unless it is *ordered*; other answers as they are. *make* is that of `assert_truthful`.

    Raises AssertionError with the aggregates, the arguments and the two answers.
    """
    cast = Cast(unit, mapping, make)
    store = SqlStore(database, mapping)
    store.create_tables()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(_aggregates(cast), max_size=8), st.data())
    def agree(aggregates: list[tuple[str, Values]], data: st.DataObject) -> None:
        fake, real = _Filled(unit, MemoryStore(mapping), cast), _Filled(unit, store, cast)
        _empty(store, mapping)
        for name, values in aggregates:
            if fake.takes(name, values):
                real.takes(name, values)
        for query, arguments in queries.items():
            asked = data.draw(arguments, label=query)
            answers = [each.answer(query, asked, ordered=ordered) for each in (fake, real)]
            assert answers[0] == answers[1], (
                f"{query}{asked} answers {answers[0]} from memory and {answers[1]} from the database, of {aggregates}"
            )

    try:
        agree()
    finally:
        store.drop_tables()
        store.dispose()


def _aggregates(cast: Cast) -> SearchStrategy[tuple[str, Values]]:
    return st.one_of([st.tuples(st.just(role.name), role.new) for role in cast.roots])


def _empty(store: SqlStore, mapping: Mapping) -> None:
    with store.engine.begin() as connection:
        for table in reversed(mapping.metadata.sorted_tables):
            connection.execute(table.delete())


class _Filled:
    """A store, and the aggregates that it has taken: those are named by the order of their coming."""

    def __init__(self, unit: type[UnitOfWork], store: Store, cast: Cast) -> None:
        self.uow = unit(store)
        self.cast = cast
        self.taken: dict[tuple[str, Any], int] = {}

    def takes(self, name: str, values: Values) -> bool:
        """Store one more aggregate, if it can be stored."""
        role = self.cast.roles[name]
        try:
            with self.uow:
                aggregate = self._made(role, values)
                getattr(self.uow, role.repository or "").add(aggregate)
                self.uow.commit()
        except HonestworkError:
            return False
        self.taken[name, role.entity.key_of(aggregate)] = len(self.taken)
        return True

    def answer(self, query: str, arguments: tuple[Any, ...], *, ordered: bool) -> Any:
        """What the query says, with aggregates by their names."""
        repository, _, method = query.partition(".")
        with self.uow.reading():
            answer = getattr(getattr(self.uow, repository), method)(*arguments)
            if isinstance(answer, Iterable) and not isinstance(answer, str | bytes | dict):
                named = [self._named(each) for each in answer]
                return named if ordered else sorted(named, key=repr)
            return self._named(answer)

    def _named(self, value: Any) -> Any:
        entity: EntityPlan | None = self.cast.schema.entities.get(type(value))
        if entity is None:
            return value
        return entity.name, self.taken[entity.name, entity.key_of(value)]

    def _made(self, role: Role, values: Values) -> Any:
        if role.given is not None:
            return role.entity.cls(**values)
        made = unconstructed(role.entity)
        members = {children.attribute: children for children in role.children}
        for name, value in values.items():
            if name in members:
                member = self.cast.roles[members[name].entity.cls.__name__]
                value = [self._made(member, each) for each in value]
            elif isinstance(value, KeyOf):
                value = self._key(value)
            setattr(made, name, value)
        return made

    def _key(self, wanted: KeyOf) -> Any:
        known = [key for name, key in self.taken if name == wanted.entity]
        if not known:
            return wanted.otherwise
        key = known[wanted.pick % len(known)]
        return key[wanted.part] if isinstance(key, tuple) else key
