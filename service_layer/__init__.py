"""Where use cases live: functions that run inside `with uow:` and know no database."""

from .store import Session as Session, Store as Store
from .unit_of_work import UnitOfWork as UnitOfWork
