"""A user, without any store."""

from __future__ import annotations

import pytest

from examples.users.domain.user import InvalidUser, User


def test_a_user_has_a_name_and_an_age() -> None:
    user = User("John Doe", 30)

    assert (user.name, user.age) == ("John Doe", 30)


@pytest.mark.parametrize("name", ["", " ", "\t", "\u3000"])
def test_a_blank_name_is_none(name: str) -> None:
    with pytest.raises(InvalidUser, match="blank"):
        User(name, 30)


@pytest.mark.parametrize("name", ["John\nDoe", "John\r", "\u2028John"])
def test_a_name_is_one_line(name: str) -> None:
    with pytest.raises(InvalidUser, match="one line"):
        User(name, 30)


def test_an_age_is_not_negative() -> None:
    with pytest.raises(InvalidUser, match="-1"):
        User("John Doe", -1)


def test_a_refused_change_leaves_the_user_as_it_was() -> None:
    user = User("John Doe", 30)

    with pytest.raises(InvalidUser):
        user.rename("")
    with pytest.raises(InvalidUser):
        user.set_age(-1)

    assert (user.name, user.age) == ("John Doe", 30)


def test_a_birthday_makes_a_user_one_year_older() -> None:
    user = User("John Doe", 0)

    user.celebrate_birthday()

    assert user.age == 1


def test_two_users_of_the_same_name_and_age_are_two() -> None:
    assert User("John Doe", 30) != User("John Doe", 30)
