"""This project's side of the comparison: the units of work as a service writes them."""

from __future__ import annotations

from contextlib import suppress

from benchmarks import mapping
from benchmarks.domain import Account, Line, Note, Order, Project, Shop, Task, User
from honestwork.adapters import SqlStore
from honestwork.domain import Duplicate

__all__ = ["HonestUnits"]


class HonestUnits:
    """Each method runs a unit of its own, as an application does for each request."""

    users, orders, lines = mapping.users, mapping.orders, mapping.lines

    def __init__(self, url: str, *, durability: str = "process") -> None:
        """Create the tables anew. *durability* is "process" because the time of a disk is not compared."""
        self.store = SqlStore(url, mapping.mapping, durability=durability)
        self.store.drop_tables()
        self.store.create_tables()
        self.engine = self.store.engine

    def get(self, key: int) -> None:
        with Shop(self.store) as uow:
            uow.users.get(key)

    def change(self, key: int, name: str) -> None:
        with Shop(self.store) as uow:
            uow.users[key].name = name
            uow.commit()

    def insert(self, name: str) -> None:
        with Shop(self.store) as uow:
            uow.users.add(User(name, -1))
            uow.commit()

    def delete(self, key: int) -> None:
        with Shop(self.store) as uow:
            uow.users.remove(uow.users[key])
            uow.commit()

    def get_order(self, key: int) -> None:
        with Shop(self.store) as uow:
            _ = uow.orders[key].lines

    def change_lines(self, key: int, quantity: int, count: int = 1) -> None:
        with Shop(self.store) as uow:
            for line in uow.orders[key].lines[:count]:
                line.quantity = quantity
            uow.commit()

    def insert_order(self, reference: str, count: int = 5) -> int:
        with Shop(self.store) as uow:
            order = Order(reference, -1, [Line(f"sku {i}", i) for i in range(count)])
            uow.orders.add(order)
            uow.commit()
            return order.id

    def insert_projects(self, count: int) -> None:
        """Store so many projects whose batch is their number, each with two tasks and two notes."""
        with Shop(self.store) as uow:
            uow.projects.add_many(
                Project(count, [Task("draw"), Task("build")], [Note("dear"), Note("late")]) for _ in range(count)
            )
            uow.commit()

    def find_projects(self, batch: int) -> int:
        with Shop(self.store) as uow:
            found = uow.projects.find_by(batch=batch)
            assert all(len(project.tasks) == len(project.notes) == 2 for project in found)
            return len(found)

    def find(self, age: int) -> None:
        with Shop(self.store) as uow:
            uow.users.find_by(age=age)

    def iterate(self) -> int:
        with Shop(self.store) as uow:
            return sum(1 for _ in uow.users.stream())

    def add_many(self, new: list[User]) -> list[int]:
        with Shop(self.store) as uow:
            uow.users.add_many(new)
            uow.commit()
            return [user.id for user in new]

    def insert_account(self, name: str) -> None:
        """Insert an account; a name that is taken makes the flush fail."""
        with suppress(Duplicate), Shop(self.store) as uow:
            uow.accounts.add(Account(name))
            uow.commit()
