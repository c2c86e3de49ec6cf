"""Where domain and services meet SQLAlchemy: the mapping, and the two stores that serve it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .mapping import Mapping as Mapping, children as children, owner as owner, value as value
from .ports import twin_of as twin_of
from .sql.repository import SqlRepository as SqlRepository
from .sql.rules import explain as explain
from .sql.store import SqlStore as SqlStore

# What production or a test may do without is imported when it is asked for: an application starts in half the time.
if TYPE_CHECKING:
    from .container import Container as Container
    from .memory.repository import MemoryRepository as MemoryRepository
    from .memory.store import MemoryStore as MemoryStore
else:
    _LATE = {"Container": ".container", "MemoryRepository": ".memory.repository", "MemoryStore": ".memory.store"}

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LATE[name], __name__), name)
