"""One page of a query, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

__all__ = ["Page"]

A = TypeVar("A")


class Page(list[A]):
    """The aggregates of one page, in order. `next` is what to give as `after=` for the page that follows.

        page = uow.users.page(adult, order_by=lambda user: user.name, limit=20)
        while page.next:
            page = uow.users.page(adult, order_by=lambda user: user.name, limit=20, after=page.next)

    It is None on the last page. It is text, opaque, and safe in a URL; it says after which values of the
    order the next page begins, so pages neither repeat nor skip what others add or remove meanwhile. It is
    not secret: it holds the values of the order's keys.
    """

    def __init__(self, aggregates: Iterable[A] = (), *, next: str | None = None) -> None:
        super().__init__(aggregates)
        self.next = next
