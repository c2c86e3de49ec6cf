"""Cursors: where a page ended, as a text that can be put into a URL.

A cursor holds the values of the order's keys in the last row of the page. It belongs to that order: read
back with another one it is refused, and so is one that was cut off or edited. It is no secret, and not
signed: who can read it can write one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..errors import RuleRefused
from .order import OrderKey
from .standins import storable, unfit

__all__ = ["read_cursor", "write_cursor"]

_WRITERS: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    int: int,
    str: str,
    float: float.hex,
    Decimal: str,
    UUID: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
}
_READERS: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    int: int,
    str: str,
    float: float.fromhex,
    Decimal: Decimal,
    UUID: UUID,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    time: time.fromisoformat,
}


def write_cursor(keys: Sequence[OrderKey], values: Sequence[object]) -> str:
    """The cursor of a row: *values* are those of the *keys* in it."""
    written = [
        None if value is None else _WRITERS[key.expression.type](value) for key, value in zip(keys, values, strict=True)
    ]
    text = json.dumps([_fingerprint(keys), _checksum(written), *written], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def read_cursor(keys: Sequence[OrderKey], cursor: str) -> tuple[object, ...]:
    """The values in a cursor that `write_cursor` has written for the same *keys*.

    Raises RuleRefused if it was written for other keys, or is damaged.
    """
    try:
        text = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        order, checksum, *written = json.loads(text)
        if checksum != _checksum(written):
            raise ValueError("checksum")
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(cursor) from error
    if order != _fingerprint(keys):
        raise RuleRefused(
            f"the cursor was made by another order than this one, {', '.join(map(str, keys))}: rows would be"
            " skipped or repeated; give it to the query it came from, or begin again with after=None"
        )
    try:
        values = tuple(
            None if value is None else _READERS[key.expression.type](value)
            for key, value in zip(keys, written, strict=True)
        )
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _damaged(cursor) from error
    # What is computed may be infinite; all else was a value of a row, unless somebody has made it up.
    if any(not isinstance(value, float | Decimal) and (unfit(value) or not storable(value)) for value in values):
        raise _damaged(cursor)
    return values


def _damaged(cursor: object) -> RuleRefused:
    return RuleRefused(
        f"the cursor {cursor!r} is damaged: it was cut off or edited on its way, or is no cursor at all;"
        " give `page.next` back as it is, or begin again with after=None"
    )


def _fingerprint(keys: Sequence[OrderKey]) -> str:
    return _digest([f"{key} {key.expression.type.__name__}" for key in keys])


def _checksum(written: list[Any]) -> str:
    return _digest(written)


def _digest(value: object) -> str:
    # Against mix-ups and accidents, so a few digits do.
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]
