"""Two tables that refer to each other: of each flush the rows that are referred to are stored first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import Column, ForeignKey, String, Table

from honestwork.adapters import Mapping
from honestwork.domain import ReferenceViolated, Repository
from honestwork.service_layer import UnitOfWork
from tests.stores import MakeStore


@dataclass(eq=False)
class Cabin:
    name: str
    guide: str | None = None


@dataclass(eq=False)
class Guide:
    name: str
    cabin: str | None = None


class Valley(UnitOfWork):
    cabins: Repository[Cabin, str]
    guides: Repository[Guide, str]


mapping = Mapping()
cabins = Table(
    "cabins",
    mapping.metadata,
    Column("name", String(9), primary_key=True),
    Column("guide", ForeignKey("guides.name", use_alter=True, name="fk_cabins_guide")),
)
guides = Table(
    "guides",
    mapping.metadata,
    Column("name", String(9), primary_key=True),
    Column("cabin", ForeignKey("cabins.name", name="fk_guides_cabin")),
)
mapping.aggregate(Cabin, cabins)
mapping.aggregate(Guide, guides)


@pytest.fixture
def uow(make_store: MakeStore) -> Valley:
    return Valley(make_store(mapping))


@pytest.mark.parametrize(("guide", "cabin"), [("Ann", None), (None, "Hut"), (None, None)])
def test_rows_are_stored_and_removed_whichever_refers_to_the_other(
    uow: Valley, guide: str | None, cabin: str | None
) -> None:
    with uow:
        uow.cabins.add(Cabin("Hut", guide))
        uow.guides.add(Guide("Ann", cabin))
        uow.commit()

    with uow:
        assert (uow.cabins["Hut"].guide, uow.guides["Ann"].cabin) == (guide, cabin)
        hut, ann = uow.cabins["Hut"], uow.guides["Ann"]
        uow.cabins.remove(hut)
        uow.guides.remove(ann)
        uow.commit()

    with uow:
        assert (len(uow.cabins), len(uow.guides)) == (0, 0)


def test_rows_that_refer_to_each_other_are_told(uow: Valley) -> None:
    with uow, pytest.raises(ReferenceViolated, match="in a circle"):
        uow.cabins.add(Cabin("Hut", "Ann"))
        uow.guides.add(Guide("Ann", "Hut"))
        uow.commit()
