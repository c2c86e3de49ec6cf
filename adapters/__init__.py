"""Where domain and services meet SQLAlchemy: the mapping, and the two stores that serve it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .mapping.mapping import Mapping, children, owner, value
from .repositories.ports import twin_of
from .sql.repository import SqlRepository
from .sql.rules import explain
from .sql.store import SqlStore

# What production or a test may do without is imported when it is asked for: an application starts in half the time.
if TYPE_CHECKING:
    from .container import Container
    from .memory.repository import MemoryRepository
    from .memory.store import MemoryStore
else:
    _LATE = {"Container": ".container", "MemoryRepository": ".memory.repository", "MemoryStore": ".memory.store"}

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LATE[name], __name__), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATE})


__all__ = [
    "Container",
    "Mapping",
    "MemoryRepository",
    "MemoryStore",
    "SqlRepository",
    "SqlStore",
    "children",
    "explain",
    "owner",
    "twin_of",
    "value",
]
