"""Where domain and services meet SQLAlchemy: the mapping, and the two stores that serve it."""

from .container import Container as Container
from .mapping import Mapping as Mapping, children as children, value as value
from .memory.repository import MemoryRepository as MemoryRepository
from .memory.store import MemoryStore as MemoryStore
from .sql.repository import SqlRepository as SqlRepository
from .sql.store import SqlStore as SqlStore
