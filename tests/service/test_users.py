"""The services of the directory, on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from dependency_injector import providers

from examples.users.adapters.orm import mapping
from examples.users.domain.user import InvalidUser, User
from examples.users.domain.users import Users
from examples.users.service_layer import services
from examples.users.service_layer.services import Entry
from examples.users.service_layer.unit_of_work import Directory
from honestwork.adapters import Container
from honestwork.domain import BadValue, CheckFailed, NotFound, Unavailable, UnitReadOnly
from honestwork.service_layer import Store

MakeStore = Callable[..., Store]


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(mapping)


@pytest.fixture
def uow(store: Store) -> Directory:
    return Directory(store)


def stored(store: Store) -> list[Entry]:
    """What a fresh unit sees."""
    return services.list_users(uow=Directory(store))


def test_who_is_registered_can_be_shown(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    assert services.show(john, uow=Directory(store)) == (john, "John Doe", 30)


def test_ids_rise(uow: Directory) -> None:
    first = services.register("John Doe", 30, uow=uow)
    second = services.register("Mary Major", 17, uow=uow)

    assert second > first


def test_the_id_of_one_who_is_removed_is_not_given_again(uow: Directory) -> None:
    services.register("John Doe", 30, uow=uow)
    mary = services.register("Mary Major", 17, uow=uow)
    services.remove(mary, uow=uow)

    richard = services.register("Richard Roe", 45, uow=uow)

    assert richard > mary


def test_a_user_can_be_renamed(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    services.rename(john, "John Roe", uow=uow)

    assert stored(store) == [(john, "John Roe", 30)]


def test_an_age_can_be_corrected(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    services.set_age(john, 31, uow=uow)

    assert stored(store) == [(john, "John Doe", 31)]


def test_a_birthday_tells_the_new_age(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    assert services.birthday(john, uow=uow) == 31
    assert stored(store) == [(john, "John Doe", 31)]


def test_who_is_removed_is_gone(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)
    mary = services.register("Mary Major", 17, uow=uow)

    services.remove(john, uow=uow)

    assert stored(store) == [(mary, "Mary Major", 17)]


def test_a_listing_is_in_the_order_of_ids_and_can_ask_for_an_age(uow: Directory) -> None:
    john = services.register("John Doe", 30, uow=uow)
    services.register("Mary Major", 17, uow=uow)
    richard = services.register("Richard Roe", 18, uow=uow)

    found = services.list_users(min_age=18, uow=uow)

    assert found == [(john, "John Doe", 30), (richard, "Richard Roe", 18)]


def test_a_name_may_be_in_any_script(uow: Directory, store: Store) -> None:
    names = ["Zoë O'Hara", "Łukasz", "أمينة", "小川 🌊", "x" * 80, "🌊" * 80, "  spaces kept  "]

    for name in names:
        services.register(name, 30, uow=uow)

    assert [entry.name for entry in stored(store)] == names


@pytest.mark.parametrize(
    "service",
    [
        lambda user_id, uow: services.show(user_id, uow=uow),
        lambda user_id, uow: services.rename(user_id, "Nobody", uow=uow),
        lambda user_id, uow: services.set_age(user_id, 1, uow=uow),
        lambda user_id, uow: services.birthday(user_id, uow=uow),
        lambda user_id, uow: services.remove(user_id, uow=uow),
    ],
    ids=["show", "rename", "set_age", "birthday", "remove"],
)
@pytest.mark.parametrize(("unknown", "error"), [(99, NotFound), (-1, NotFound), (2**31, BadValue), (2**70, BadValue)])
def test_an_unknown_id_is_refused(
    service: Callable[[int, Directory], object], unknown: int, error: type[Exception], uow: Directory, store: Store
) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with pytest.raises(error):
        service(unknown, uow)

    assert stored(store) == [(john, "John Doe", 30)]


@pytest.mark.parametrize(
    ("name", "age", "error"),
    [
        ("", 30, InvalidUser),
        (" \t", 30, InvalidUser),
        ("John\nDoe", 30, InvalidUser),
        ("John Doe", -1, InvalidUser),
        ("x" * 81, 30, BadValue),
        ("John\0Doe", 30, BadValue),
        ("John Doe", 2**31, BadValue),
    ],
)
def test_what_describes_no_user_is_refused_and_not_stored(
    name: str, age: int, error: type[Exception], uow: Directory, store: Store
) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with pytest.raises(error):
        services.register(name, age, uow=uow)
    with pytest.raises(error):
        services.rename(john, name, uow=uow)
        services.set_age(john, age, uow=uow)

    assert stored(store) == [(john, "John Doe", 30)]


def test_a_failed_service_leaves_a_unit_that_can_be_used_again(uow: Directory, store: Store) -> None:
    with pytest.raises(BadValue):
        services.register("x" * 81, 30, uow=uow)

    john = services.register("John Doe", 30, uow=uow)

    assert stored(store) == [(john, "John Doe", 30)]


def test_what_the_domain_forgets_to_check_the_schema_refuses(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with pytest.raises(CheckFailed) as refused, uow:
        uow.users[john].age = -1
        uow.commit()

    assert refused.value.constraint == "age_is_not_negative"
    assert (refused.value.table, refused.value.columns) == ("users", ("age",))
    assert stored(store) == [(john, "John Doe", 30)]


def test_what_is_not_committed_is_not_stored(uow: Directory, store: Store) -> None:
    with uow:
        uow.users.add(User("John Doe", 30))
        uow.flush()

    assert stored(store) == []


def test_an_exception_undoes_the_unit(uow: Directory, store: Store) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with pytest.raises(ZeroDivisionError), uow:
        uow.users[john].age = 31
        uow.users.add(User("Mary Major", 17))
        uow.flush()
        raise ZeroDivisionError

    assert stored(store) == [(john, "John Doe", 30)]


def test_a_rollback_undoes_what_was_flushed(uow: Directory) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with uow:
        uow.users[john].age = 99
        uow.flush()
        uow.rollback()

        assert uow.users[john].age == 30


def test_the_services_that_only_look_do_so_in_a_unit_that_refuses_changes(uow: Directory) -> None:
    john = services.register("John Doe", 30, uow=uow)

    with pytest.raises(UnitReadOnly), uow.reading():
        uow.users[john].age = 31
        uow.flush()


class FailingUsers(Users):
    """A collection whose database has gone away, written by hand."""

    def add(self, aggregate: User) -> NoReturn:
        raise Unavailable("the line is dead")

    def remove(self, aggregate: User) -> NoReturn:
        raise Unavailable("the line is dead")

    def get(self, key: int) -> NoReturn:
        raise Unavailable("the line is dead")

    def __iter__(self) -> Iterator[User]:
        raise Unavailable("the line is dead")


def test_a_repository_written_by_hand_can_take_the_place_of_the_stores(store: Store) -> None:
    uow = Directory(store, users=FailingUsers())

    with pytest.raises(Unavailable, match="the line is dead"):
        services.register("John Doe", 30, uow=uow)
    with pytest.raises(Unavailable, match="the line is dead"):
        services.list_users(uow=uow)

    assert stored(store) == []


def test_a_repository_of_another_name_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="Directory has no repository named user: it names users"):
        Directory(store, user=FailingUsers())


@pytest.fixture
def container(store: Store) -> Container:
    container = Container(mapping=mapping, unit=Directory)
    container.config.database.from_value("postgresql://127.0.0.1:1/nowhere")
    container.store.override(providers.Object(store))
    return container


def test_one_line_puts_another_store_in_the_place_of_the_database(container: Container, store: Store) -> None:
    john = services.register("John Doe", 30, uow=container.uow())

    assert stored(store) == [(john, "John Doe", 30)]


def test_a_container_gives_a_fresh_unit_each_time_and_always_the_same_store(container: Container) -> None:
    one: Directory = container.uow()
    other: Directory = container.uow()

    assert one is not other
    assert container.store() is container.store()
    with one:
        one.users.add(User("John Doe", 30))
        one.commit()
    with other:
        assert len(other.users) == 1
