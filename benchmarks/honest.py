"""This project's side of the comparison: the same units of work, as a service writes them."""

from __future__ import annotations

from benchmarks import mapping
from benchmarks.domain import Shop, User
from honestwork.adapters import SqlStore

__all__ = ["HonestUnits"]


class HonestUnits:
    """Each makes a unit of its own, as an application does for each request."""

    users, orders, lines = mapping.users, mapping.orders, mapping.lines

    def __init__(self, url: str, *, durability: str = "process") -> None:
        """On SQLite files no commit waits for the disk, unless *durability* says so: that time is the disk's."""
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

    def change_line(self, key: int, quantity: int) -> None:
        with Shop(self.store) as uow:
            uow.orders[key].lines[2].quantity = quantity
            uow.commit()

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
