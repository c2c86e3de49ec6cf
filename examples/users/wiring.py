"""The one place that knows which database the services run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from honestwork.adapters import Container

from .adapters.orm import mapping
from .service_layer.unit_of_work import Directory


@contextmanager
def connected(database: str) -> Iterator[Container]:
    """A container on this database, its tables in place; what it holds is released in the end."""
    container = Container(mapping=mapping, unit=Directory)
    container.config.database.from_value(database)
    store = container.store()
    try:
        store.create_tables()
        yield container
    finally:
        store.dispose()
