"""The other process of `advanced_alchemy`: prints how much longer its repository takes than Session code.

Run with the interpreter of an environment that has advanced-alchemy, and not honestwork.
"""

from __future__ import annotations

import itertools
import json
import sys

from advanced_alchemy.base import BigIntBase
from advanced_alchemy.repository import SQLAlchemySyncRepository
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column, sessionmaker

from benchmarks.hand_written import HandWritten, metadata, plain_engine
from benchmarks.harness import Case, measure

ROWS = 10_000


class Person(BigIntBase):  # type: ignore[misc]  # not installed where types are checked
    __tablename__ = "people"

    name: Mapped[str] = mapped_column(String(50))
    age: Mapped[int] = mapped_column(index=True)


class People(SQLAlchemySyncRepository[Person]):  # type: ignore[misc]
    model_type = Person


def ratios(rounds: int) -> dict[str, float]:
    engine = plain_engine("sqlite://")
    Person.metadata.create_all(engine)
    metadata.create_all(engine)
    by_hand, session_factory = HandWritten(engine), sessionmaker(engine)
    with engine.begin() as connection:
        rows = [{"name": f"user {i}", "age": i // 100} for i in range(ROWS)]
        connection.execute(by_hand.users.insert(), rows)
        connection.execute(Person.__table__.insert(), rows)
    key = itertools.cycle(range(1, ROWS + 1)).__next__
    number = itertools.count().__next__

    def insert() -> None:
        with session_factory() as session:
            People(session=session).add(Person(name=f"name {number()}", age=-1))
            session.commit()

    def change() -> None:
        with session_factory() as session:
            people = People(session=session)
            person = people.get(key())
            person.name = f"name {number()}"
            people.update(person)
            session.commit()

    cases = {
        "insert": (Case(insert), Case(lambda: by_hand.insert(f"name {number()}"))),
        "change": (Case(change), Case(lambda: by_hand.change(key(), f"name {number()}"))),
    }
    return {
        unit: measure({"theirs": theirs, "by hand": plain}, rounds=rounds).ratio("theirs", "by hand")
        for unit, (theirs, plain) in cases.items()
    }


if __name__ == "__main__":
    print(json.dumps(ratios(int(sys.argv[1]))))
