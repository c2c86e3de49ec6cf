"""Wiring with dependency-injector: one store for the application, a fresh unit of work for each use."""

from __future__ import annotations

from typing import Any

from dependency_injector import containers, providers

from ..service_layer.store import Store
from .mapping.mapping import Mapping
from .sql.store import SqlStore

__all__ = ["Container"]


class Container(containers.DeclarativeContainer):
    """Where an application gets its units of work from. Made once, when the application starts:

        container = Container(mapping=mapping, unit=Directory)
        container.config.database.from_value("sqlite:///users.db")
        register("John Doe", 30, uow=container.uow())

    The store is a Singleton and the unit a Factory: a unit is for one thread at a time, so it is never shared.
    A test puts the fake in the place of the database with one line:

        container.store.override(providers.Object(MemoryStore(mapping)))
    """

    config = providers.Configuration()
    mapping = providers.Dependency(instance_of=Mapping)
    unit = providers.Dependency(instance_of=type)
    store: providers.Provider[Store] = providers.Singleton(SqlStore, config.database, mapping)
    # Any, for no type can say that it makes what `unit` is: write `uow: Directory = container.uow()`.
    uow: providers.Provider[Any] = providers.Factory(lambda unit, store: unit(store), unit, store)
