"""What one business transaction of the directory can reach."""

from __future__ import annotations

from honestwork.service_layer import UnitOfWork

from ..domain.users import Users


class Directory(UnitOfWork):
    users: Users
