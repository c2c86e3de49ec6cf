"""`python -m examples.boxoffice` sells a few seats."""

from __future__ import annotations

from decimal import Decimal

from honestwork.adapters import SqlStore

from .adapters.orm import mapping
from .domain.money import Money
from .domain.show import SeatTaken
from .service_layer import services
from .service_layer.unit_of_work import BoxOffice


def main() -> None:
    store = SqlStore("sqlite://", mapping)
    store.create_tables()
    uow = BoxOffice(store)

    services.plan_show("HAMLET-1", "Hamlet", rows=2, seats_in_row=4, price=Money(Decimal(20), "EUR"), uow=uow)
    for seat, holder in (("A1", "Ada"), ("A2", "Grace"), ("A1", "Edsger")):
        try:
            print(f"{holder} pays {services.sell('HAMLET-1', seat, holder, uow=uow)} for {seat}")
        except SeatTaken as error:
            print(f"{holder} goes home: {error}")
    print(f"Grace gets {services.refund('HAMLET-1', 'A2', uow=uow)} back")
    for show in services.takings(uow=uow):
        print(f"{show.title}: {show.sold} sold, {show.amount}")
    store.dispose()


if __name__ == "__main__":
    main()
