"""A row that has several versions at once, for units that began at different times, is asked for by its values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from honestwork.domain import Duplicate
from honestwork.service_layer import Store
from tests.contract.harbour import Berth, Harbour, mapping
from tests.stores import MakeStore

SIGNS = ["first", "second", "third"]


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(mapping)


@contextmanager
def a_reader_of_each_version(store: Store) -> Iterator[list[Harbour]]:
    """Three readers, each of which sees the berth A with another sign; none of them sees the newest one."""
    with ExitStack() as stack:
        readers = []
        for sign in (*SIGNS, "fourth"):
            with Harbour(store) as uow:
                berth = uow.berths.get("A")
                if berth is None:
                    uow.berths.add_many([Berth("A", sign=sign), Berth("B")])
                else:
                    berth.sign = sign
                uow.commit()
            if sign != "fourth":
                reader = stack.enter_context(Harbour(store).reading())
                assert reader.berths.exists(lambda berth: berth.code == "B")
                readers.append(reader)
        yield readers


def test_each_unit_finds_a_row_by_the_value_that_it_sees_and_by_no_other(store: Store) -> None:
    with a_reader_of_each_version(store) as readers:
        found = [
            [[berth.sign for berth in reader.berths.find(lambda berth: berth.sign == sign)] for sign in SIGNS]  # noqa: B023
            for reader in readers
        ]

    assert found == [[["first"], [], []], [[], ["second"], []], [[], [], ["third"]]]


def test_a_version_that_nobody_sees_any_more_is_not_found_again(store: Store) -> None:
    with a_reader_of_each_version(store):
        pass

    with Harbour(store) as uow:
        assert [berth.code for berth in uow.berths.find(lambda berth: berth.sign in SIGNS)] == []
        assert [berth.code for berth in uow.berths.find(lambda berth: berth.sign == "fourth")] == ["A"]


def test_a_value_that_a_row_has_given_up_is_free_and_taken_again_by_another_row(store: Store) -> None:
    with a_reader_of_each_version(store), Harbour(store) as uow:
        uow.berths["B"].sign = "first"
        uow.commit()

        uow.berths["A"].depth = 7  # the row that had the value before is one that this unit writes
        uow.berths.add(Berth("C", sign="first"))
        with pytest.raises(Duplicate):
            uow.flush()


def test_an_older_reader_still_sees_its_version_when_a_younger_one_has_ended(store: Store) -> None:
    with Harbour(store) as uow:
        uow.berths.add(Berth("A", sign="first"))
        uow.commit()
    with Harbour(store).reading() as older:
        assert older.berths.exists(lambda berth: berth.sign == "first")
        with Harbour(store) as uow:
            uow.berths["A"].sign = "second"
            uow.commit()
        with Harbour(store).reading() as younger:
            assert younger.berths.exists(lambda berth: berth.sign == "second")
        with Harbour(store) as uow:
            uow.berths["A"].sign = "third"
            uow.commit()

        assert [berth.code for berth in older.berths.find(lambda berth: berth.sign == "first")] == ["A"]
        assert older.berths["A"].sign == "first"


def test_when_the_oldest_reader_has_ended_the_others_still_see_their_versions(store: Store) -> None:
    with a_reader_of_each_version(store) as (oldest, middle, youngest):
        oldest.rollback()

        assert [berth.sign for berth in middle.berths.find(lambda berth: berth.code == "A")] == ["second"]
        assert [berth.sign for berth in youngest.berths.find(lambda berth: berth.code == "A")] == ["third"]
