"""Where the default order of writes would break a constraint that another order keeps."""

from __future__ import annotations

from ..schema import Schema
from .writes import Write

__all__ = ["arranged"]


def arranged(schema: Schema, writes: list[Write]) -> list[Write]:
    return writes
