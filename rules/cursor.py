"""Cursors: where a page ended, as a text that can be put into a URL.

A cursor holds the values of the order's keys in the last row of the page. It belongs to that order: read
back with another one it is refused, and so is one that was cut off or edited.

A cursor comes back from a stranger. Reading one costs little time and memory whatever it is, and gives values
that a row could have, or raises RuleRefused. It is no secret: whoever can read it can write one, unless it is
signed. A *secret* signs cursors by HMAC-SHA256, over the values, the order and *about*, which names the class.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

from ..domain.errors import RuleRefused
from .order import OrderKey
from .standins import storable, unfit

__all__ = ["MAX_CURSOR", "read_cursor", "write_cursor"]

MAX_CURSOR = 65_536
"""How many characters a cursor may have."""

_SIGNATURE = 16  # bytes
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


def write_cursor(
    keys: Sequence[OrderKey], values: Sequence[object], *, secret: bytes | None = None, about: str = ""
) -> str:
    """Return the cursor of a row: *values* are those of the *keys* in it.

    Raises RuleRefused if it would have more than `MAX_CURSOR` characters, or holds an infinite number.
    """
    written = [
        None if value is None else _WRITERS[key.expression.type](value) for key, value in zip(keys, values, strict=True)
    ]
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise RuleRefused(f"the order {_spelled(keys)} has a key that is infinite here: order by something finite")
    payload = _json([_fingerprint(keys), _checksum(written), *written]).encode("utf-8", "surrogatepass")
    cursor = _text(payload if secret is None else _signature(secret, about, keys, payload) + payload)
    if len(cursor) > MAX_CURSOR:
        raise RuleRefused(
            f"the cursor of a row in the order {_spelled(keys)} has {len(cursor):,} characters, at most"
            f" {MAX_CURSOR:,} are allowed: order by something shorter than a long text"
        )
    return cursor


def read_cursor(
    keys: Sequence[OrderKey], cursor: str, *, secret: bytes | None = None, about: str = ""
) -> tuple[object, ...]:
    """Return the values in a cursor that `write_cursor` has written for the same *keys*, *secret* and *about*.

    Raises RuleRefused if it was written for other keys, is damaged or not signed, or holds what no row holds.
    """
    if not isinstance(cursor, str):
        _damaged(cursor)
    if len(cursor) > MAX_CURSOR:
        raise RuleRefused(
            f"the cursor {_shown(cursor)} has {len(cursor):,} characters, at most {MAX_CURSOR:,} are allowed: give"
            " `page.next` back as it is, or begin again with after=None"
        )
    if "+" in cursor or "/" in cursor:  # of the other alphabet, which Python takes too, and warns of since 3.15
        _damaged(cursor)
    try:
        payload = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        _damaged(cursor, error)
    if secret is not None:
        signature, payload = payload[:_SIGNATURE], payload[_SIGNATURE:]
        if not hmac.compare_digest(signature, _signature(secret, about, keys, payload)):
            raise RuleRefused(
                f"the cursor {_shown(cursor)} is not signed with the cursor_key of this store for this class and order:"
                " it was made by another store or query, or by a stranger; begin again with after=None"
            )
    try:
        order, checksum, *written = json.loads(payload.decode(), parse_float=_refused, parse_constant=_refused)
        if checksum != _checksum(written):
            raise ValueError("checksum")
    except (ValueError, TypeError, RecursionError) as error:
        _damaged(cursor, error)
    if order != _fingerprint(keys):
        raise RuleRefused(
            f"the cursor was made by another order than this one, {_spelled(keys)}: rows would be"
            " skipped or repeated; give it to the query it came from, or begin again with after=None"
        )
    try:
        values = tuple(_value(key, each) for key, each in zip(keys, written, strict=True))
    except (ValueError, TypeError, ArithmeticError) as error:
        _damaged(cursor, error)
    if write_cursor(keys, values, secret=secret, about=about) != cursor:  # there is one spelling of everything
        _damaged(cursor)
    return values


def _value(key: OrderKey, written: Any) -> object:
    """What a cursor holds of one key. Raises ValueError, TypeError, ArithmeticError for what no row holds."""
    kind = key.expression.type
    if written is None:
        if not key.expression.nullable:
            raise ValueError("a value is missing")
        return None
    if type(written) is not (kind if kind in (bool, int) else str):
        raise TypeError(f"expected {kind.__name__}, got {type(written).__name__}")
    value = _READERS[kind](written)
    if (why := unfit(value)) or not storable(value):
        raise ValueError(why or "more than 64 bits")
    if isinstance(value, datetime) and key.aware not in (None, value.tzinfo is not None):
        raise ValueError("with a time zone beside those without")
    return value


def _refused(number: str) -> NoReturn:
    raise ValueError(f"{number}: a float is written as a text")


def _damaged(cursor: object, error: Exception | None = None) -> NoReturn:
    raise RuleRefused(
        f"the cursor {_shown(cursor)} is damaged: it was cut off or edited on its way, or is no cursor at all;"
        " give `page.next` back as it is, or begin again with after=None"
    ) from error


def _shown(cursor: object) -> str:
    if not isinstance(cursor, str):
        return f"of the type {type(cursor).__name__}"
    return repr(cursor) if len(cursor) <= 100 else f"{cursor[:100]!r}..."


def _spelled(keys: Sequence[OrderKey]) -> str:
    return ", ".join(map(str, keys))


def _fingerprint(keys: Sequence[OrderKey]) -> str:
    return _digest(_parts(keys))


def _parts(keys: Sequence[OrderKey]) -> list[str]:
    return [f"{key} {key.expression.type.__name__}" for key in keys]


def _checksum(written: list[Any]) -> str:
    return _digest(written)


def _digest(value: object) -> str:
    # Against mix-ups and accidents, so a few digits do.
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def _signature(secret: bytes, about: str, keys: Sequence[OrderKey], payload: bytes) -> bytes:
    signed = _json([about, *_parts(keys)]).encode("utf-8", "surrogatepass") + b"\n" + payload
    return hmac.digest(secret, signed, "sha256")[:_SIGNATURE]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).decode().rstrip("=")
