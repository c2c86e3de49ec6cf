"""Where domain and services meet SQLAlchemy: the mapping, and the two stores that serve it."""

from .container import Container as Container
from .mapping import Mapping as Mapping, children as children, owner as owner, value as value
from .memory.repository import MemoryRepository as MemoryRepository
from .memory.store import MemoryStore as MemoryStore
from .ports import twin_of as twin_of
from .sql.repository import SqlRepository as SqlRepository
from .sql.rules import explain as explain
from .sql.store import SqlStore as SqlStore
