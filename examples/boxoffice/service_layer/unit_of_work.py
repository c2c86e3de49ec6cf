"""What one business transaction of the box office can reach."""

from __future__ import annotations

from honestwork.domain import Repository
from honestwork.service_layer import UnitOfWork

from ..domain.show import Show


class BoxOffice(UnitOfWork):
    shows: Repository[Show, str]
