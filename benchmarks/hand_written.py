"""The peers: SQLAlchemy as it is written by hand, with its defaults, and a unit of work as the book teaches it.

The classes repeat those of the domain, since they need a mapping of their own. Nothing here imports honestwork, so that
a peer in another environment can be compared with the same code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, String, Table, create_engine, event, select
from sqlalchemy.orm import Session, registry, relationship, sessionmaker

__all__ = [
    "BookUnits",
    "HandWritten",
    "Line",
    "Order",
    "User",
    "accounts",
    "lines",
    "metadata",
    "notes",
    "orders",
    "plain_engine",
    "projects",
    "tasks",
    "users",
]

metadata = MetaData()  # the tables have names of their own, so that both sides fit into one database

users = Table(
    "plain_users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
    Column("age", Integer, nullable=False, index=True),
)
orders = Table(
    "plain_orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(50), nullable=False),
    Column("batch", Integer, nullable=False, index=True),
)
lines = Table(
    "plain_lines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", ForeignKey("plain_orders.id"), nullable=False, index=True),
    Column("sku", String(50), nullable=False),
    Column("quantity", Integer, nullable=False),
)
projects = Table(
    "plain_projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch", Integer, nullable=False, index=True),
)
tasks = Table(
    "plain_tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("plain_projects.id"), nullable=False, index=True),
    Column("title", String(50), nullable=False),
)
notes = Table(
    "plain_notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("plain_projects.id"), nullable=False, index=True),
    Column("text", String(50), nullable=False),
)
accounts = Table(
    "plain_accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False, unique=True),
)


@dataclass(eq=False)
class User:
    name: str
    age: int
    id: int = field(init=False)


@dataclass(eq=False)
class Line:
    sku: str
    quantity: int
    id: int = field(init=False)


@dataclass(eq=False)
class Order:
    reference: str
    batch: int
    lines: list[Line] = field(default_factory=list)
    id: int = field(init=False)


_registry = registry(metadata=metadata)
_registry.map_imperatively(User, users)
_registry.map_imperatively(Line, lines)
_registry.map_imperatively(
    Order,
    orders,
    properties={
        "lines": relationship(Line, lazy="selectin", cascade="all, delete-orphan", order_by=lines.c.id),
    },
)
_registry.configure()


def plain_engine(url: str) -> Engine:
    """An engine with SQLAlchemy's defaults, and foreign keys, which SQLite has to be told to keep."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA foreign_keys=ON"))
    return engine


class HandWritten:
    """The units of work as Session code."""

    users, orders, lines = users, orders, lines

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = sessionmaker(engine)

    def get(self, key: int) -> None:
        with self.session() as session:
            session.get(User, key)

    def change(self, key: int, name: str) -> None:
        with self.session() as session:
            user = session.get_one(User, key)
            user.name = name
            session.commit()

    def insert(self, name: str) -> None:
        with self.session() as session:
            session.add(User(name, -1))
            session.commit()

    def delete(self, key: int) -> None:
        with self.session() as session:
            session.delete(session.get_one(User, key))
            session.commit()

    def get_order(self, key: int) -> None:
        with self.session() as session:
            _ = session.get_one(Order, key).lines

    def change_lines(self, key: int, quantity: int, count: int = 1) -> None:
        with self.session() as session:
            for line in session.get_one(Order, key).lines[:count]:
                line.quantity = quantity
            session.commit()

    def insert_order(self, reference: str, count: int = 5) -> int:
        with self.session() as session:
            order = Order(reference, -1, [Line(f"sku {i}", i) for i in range(count)])
            session.add(order)
            session.flush()  # the key is read before the commit, which expires it
            key = order.id
            session.commit()
            return key

    def find(self, age: int) -> None:
        # Ordered by key, as the other side answers.
        of_age: Any = users.c.age == age
        with self.session() as session:
            session.scalars(select(User).where(of_age).order_by(users.c.id)).all()

    def iterate(self) -> int:
        with self.session() as session:
            return sum(1 for _ in session.scalars(select(User).execution_options(yield_per=1000)))

    def add_many(self, new: list[User]) -> list[int]:
        with self.session() as session:
            session.add_all(new)
            session.flush()  # the keys are read before the commit, which expires them
            keys = [user.id for user in new]
            session.commit()
            return keys


class BookUnits:
    """The same through a unit of work in the book's style: a repository that remembers, a rollback on every exit."""

    users = users

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = sessionmaker(engine)

    def get(self, key: int) -> None:
        with _BookUnit(self.session) as uow:
            uow.users.get(key)

    def change(self, key: int, name: str) -> None:
        with _BookUnit(self.session) as uow:
            uow.users.get(key).name = name
            uow.commit()

    def insert(self, name: str) -> None:
        with _BookUnit(self.session) as uow:
            uow.users.add(User(name, -1))
            uow.commit()

    def delete(self, key: int) -> None:
        with _BookUnit(self.session) as uow:
            uow.session.delete(uow.users.get(key))
            uow.commit()


class _BookRepository:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.seen: set[User] = set()

    def add(self, user: User) -> None:
        self.session.add(user)
        self.seen.add(user)

    def get(self, key: int) -> User:
        user = self.session.get_one(User, key)
        self.seen.add(user)
        return user


class _BookUnit:
    def __init__(self, session_factory: sessionmaker[Session]) -> None:
        self.session_factory = session_factory

    def __enter__(self) -> Self:
        self.session = self.session_factory()
        self.users = _BookRepository(self.session)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.rollback()
        self.session.close()

    def commit(self) -> None:
        self.session.commit()
