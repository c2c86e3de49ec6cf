"""A `Duplicate` has the values that two rows were to have, whatever the database tells of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    Numeric,
    String,
    Table,
    Time,
    UniqueConstraint,
    Uuid,
)

from honestwork.adapters import Mapping
from honestwork.domain import Duplicate, Repository
from honestwork.service_layer import UnitOfWork
from tests.stores import MakeStore

NOON = dt.datetime(2024, 2, 29, 12)
OF_MANY_TYPES: dict[str, tuple[Any, list[Any]]] = {
    "datetimes": (DateTime(), [NOON, NOON + dt.timedelta(microseconds=120), NOON + dt.timedelta(days=1)]),
    "aware datetimes": (
        DateTime(timezone=True),
        [NOON.replace(tzinfo=dt.UTC), dt.datetime(2024, 7, 1, 3, 4, 5, 600, tzinfo=dt.UTC)],
    ),
    "dates": (Date(), [NOON.date(), dt.date(2024, 3, 1)]),
    "times": (Time(), [dt.time(12), dt.time(12, 30, 1, 5)]),
    "decimals": (Numeric(8, 3), [Decimal("1.5"), Decimal(2), Decimal("-0.125")]),
    "truths": (Boolean(), [False, True]),
    "uuids": (Uuid(), [UUID(int=1), UUID(int=2**100)]),
    "texts": (String(20), ["a", "b, c-d", "e) = (f"]),
    "floats": (Double(), [1.0, 0.1, 1e300]),
}


@pytest.mark.parametrize(("kind", "values"), OF_MANY_TYPES.values(), ids=[*OF_MANY_TYPES])
@pytest.mark.parametrize("last_is_taken", [True, False])
def test_a_duplicate_among_changes_is_named_whatever_its_type(
    kind: Any, values: list[Any], last_is_taken: bool, make_store: MakeStore
) -> None:
    class Locker:
        def __init__(self, number: int, value: Any, shelf: str = "free") -> None:
            self.number, self.value, self.shelf = number, value, shelf

    mapping = Mapping()
    lockers = Table(
        "lockers",
        mapping.metadata,
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("value", kind, nullable=False),
        Column("shelf", String(9), nullable=False),
        UniqueConstraint("shelf", "value"),
    )
    mapping.aggregate(Locker, lockers)
    unit = type("Lockers", (UnitOfWork,), {"__annotations__": {"lockers": Repository[Locker, int]}})
    uow: Any = unit(make_store(mapping))
    taken = values[-1 if last_is_taken else 0]
    with uow:
        uow.lockers.add_many([Locker(0, taken, "x"), *(Locker(n, each, f"{n}") for n, each in enumerate(values, 1))])
        uow.commit()

    with uow, pytest.raises(Duplicate) as caught:
        for locker in uow.lockers.find(lambda locker: locker.shelf != "x"):
            locker.shelf = "x"
        uow.commit()

    assert caught.value.values == {"shelf": "x", "value": taken}
