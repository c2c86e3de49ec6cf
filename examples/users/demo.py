"""A walk through all that can be done with a session, now that a unit of work owns it."""

from __future__ import annotations

from sqlalchemy import make_url

from honestwork.adapters import Container
from honestwork.domain import ConstraintViolated

from .domain.user import User
from .service_layer import services
from .service_layer.unit_of_work import Directory


def walk_through(container: Container) -> None:
    """Every step is a unit of its own, so what a step sees is what the steps before it have committed."""
    uow: Directory = container.uow()
    _connect(container)
    john, mary = _add(uow)
    _query(uow, john)
    _update(uow, john)
    _roll_back(uow, john)
    _refuse(uow, john)
    _delete(uow, john)
    _close(uow)
    services.remove(mary, uow=uow)


def _connect(container: Container) -> None:
    _tell(
        "Connect",
        f"{make_url(container.config.database())!r}",  # the repr hides a password
        "One engine, one pool, and the tables are there. Sessions are the business of the units.",
    )


def _add(uow: Directory) -> tuple[int, int]:
    with uow:
        john = User(name="John Doe", age=30)
        uow.users.add(john)
        uow.commit()

    mary = services.register("Mary Major", 17, uow=uow)
    _tell("Add", f"{_told(john)} has the id {john.id}: the database gave it.", f"Mary Major, 17 has the id {mary}.")
    return john.id, mary


def _query(uow: Directory, john: int) -> None:
    with uow.reading():
        _tell("By key", f"users[{john}] is {_told(uow.users[john])}.", f"users.get(0) is {uow.users.get(0)}.")
        _tell("All", f"There are {len(uow.users)}: {_list(uow.users.all()[:5])}.")
        _tell(
            "Filtered",
            f"find_by(age=30) finds {_list(uow.users.find_by(age=30)[:5])}.",
            f"of_age(18), a query of the directory's own, finds {_list(uow.users.of_age(18)[:5])}.",
        )


def _update(uow: Directory, john: int) -> None:
    with uow:
        uow.users[john].age = 31
        uow.commit()

    _tell("Update", f"age = 31, and commit: {_stored(john, uow)} is in the database.")


def _roll_back(uow: Directory, john: int) -> None:
    with uow:
        uow.users[john].age = 99
        uow.flush()
        inside = _told(uow.users[john])
        uow.rollback()
        undone = _told(uow.users[john])
    _tell("Roll back", f"age = 99, and flush: {inside} inside of the unit.", f"rollback(): {undone} again.")

    with uow:
        uow.users[john].age = 99
    _tell("Forget", f"age = 99, and no commit: {_stored(john, uow)} is in the database all the same.")


def _refuse(uow: Directory, john: int) -> None:
    refusal = "nothing"
    with uow:
        uow.users[john].age = -1
        try:
            uow.commit()
        except ConstraintViolated as error:
            refusal = str(error)
    _tell("Refused", f"age = -1, and commit: {refusal}.", f"{_stored(john, uow)} is what is stored.")


def _delete(uow: Directory, john: int) -> None:
    with uow:
        uow.users.remove(uow.users[john])
        uow.commit()

    with uow.reading():
        _tell("Delete", f"users.get({john}) is {uow.users.get(john)}. Left: {_list(uow.users.all()[:5])}.")


def _close(uow: Directory) -> None:
    _tell("Close", "Every block has closed its session as it ended. At the end the pool is closed, too.")


def _stored(user_id: int, uow: Directory) -> str:
    """The user as a fresh unit sees it."""
    entry = services.show(user_id, uow=uow)
    return f"{entry.name}, {entry.age}"


def _told(user: User) -> str:
    return f"{user.name}, {user.age}"


def _list(users: list[User]) -> str:
    return "; ".join(map(_told, users)) or "nobody"


def _tell(step: str, *sentences: str) -> None:
    for sentence in sentences:
        print(f"{step:<11}{sentence}", flush=True)
        step = ""
