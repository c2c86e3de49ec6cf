"""What objects read after a flush has failed: what they had before it, whatever was written until then."""

from __future__ import annotations

import pytest

from honestwork.domain import CheckFailed, Conflict, ReferenceViolated
from honestwork.service_layer import Store
from tests.contract.harbour import Berth, Boat, Harbour, Permit, mapping
from tests.stores import MakeStore


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    store = make_store(mapping)
    with Harbour(store) as uow:
        uow.berths.add(Berth("A", permits=[Permit("old", fee=5)]))
        uow.commit()
    return store


def test_a_new_member_has_neither_key_nor_defaults_nor_its_owners_key(store: Store) -> None:
    new = Permit("new", fee=3)
    with Harbour(store) as uow:
        uow.berths["A"].permits.append(new)
        uow.boats.add(Boat("Ada", berth="nowhere"))

        with pytest.raises(ReferenceViolated):
            uow.flush()

        assert vars(new) | {"_sa_instance_state": None} == {
            "name": "new", "days": None, "fee": 3, "berth_code": None, "id": None, "_sa_instance_state": None,
        }  # fmt: skip


def test_a_new_aggregate_has_neither_version_nor_defaults(store: Store) -> None:
    berth = Berth("B", permits=[Permit("good"), Permit("bad", fee=-1)])
    with Harbour(store) as uow:
        uow.berths.add(berth)

        with pytest.raises(CheckFailed):
            uow.flush()

    assert {vars(berth).get(name) for name in ("version", "inspected")} == {None}
    assert [(each.days, each.berth_code, each.id) for each in berth.permits] == [(None, None, None)] * 2


def test_what_has_failed_is_stored_by_another_unit_once_it_is_mended(store: Store) -> None:
    berth = Berth("B", permits=[Permit("good"), Permit("bad", fee=-1)])
    with pytest.raises(CheckFailed), Harbour(store) as uow:
        uow.berths.add(berth)
        uow.flush()
    berth.permits[1].fee = 1

    with Harbour(store) as uow:
        uow.berths.add(berth)
        uow.commit()

    with Harbour(store) as uow:
        found = uow.berths["B"].permits
        assert [(each.name, each.days, each.fee, each.berth_code) for each in found] == [
            ("good", 30, None, "B"),
            ("bad", 30, 1, "B"),
        ]


def test_a_changed_aggregate_keeps_its_version_and_what_an_update_would_have_given_it(store: Store) -> None:
    with Harbour(store) as uow:
        berth = uow.berths["A"]
        berth.depth = 3
        berth.permits.append(Permit("bad", fee=-1))

        with pytest.raises(CheckFailed):
            uow.flush()

        assert (berth.version, berth.inspected, berth.depth) == (1, 0, 3)


def test_after_a_lost_race_an_aggregate_keeps_its_version(store: Store) -> None:
    with Harbour(store) as uow:
        berth = uow.berths["A"]
        with Harbour(store) as other:
            other.berths["A"].depth = 9
            other.commit()
        berth.depth = 3

        with pytest.raises(Conflict):
            uow.flush()

        assert (berth.version, berth.inspected, berth.depth) == (1, 0, 3)
