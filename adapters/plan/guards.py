"""The values, keys and attributes that both stores accept: those that come back as they went in.

Databases change values on their way, each in its own manner: SQLite stores 'abc' in an INTEGER column
and NULL for NaN, PostgreSQL cuts 'abc ' to fit a VARCHAR(3), MariaDB rounds. A fake cannot imitate all
of that and need not: what would not come back equal, from each of them, is refused with BadValue before
any SQL runs, on every store alike.

A guard is made once for each column. Called with a value it returns the value that will be loaded
(`Decimal("1.1")` becomes `Decimal("1.10")` in a column with two decimals, an aware datetime moves to UTC),
or it raises. None is not its business: that is for NOT NULL to judge.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum as PythonEnum, Flag
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    PickleType,
    SmallInteger,
    String,
    Time,
    Uuid,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import method_is_overridden

from ...domain.errors import BadValue, MappingRefused
from ..internals import has_sql_expressions
from .types import Duration, UTCDateTime

__all__ = ["Guard", "guard_for", "spoken_type"]

Check = Callable[[Any], Any]

INTEGERS = {SmallInteger: 2**15, BigInteger: 2**63, Integer: 2**31}
EXACT = "v.__class__ is {type}"
MICROSECONDS = INTEGERS[BigInteger]  # SQLite and MariaDB count those of a timedelta
JSON_LEVELS = 31  # MariaDB refuses what is nested more deeply
EXACT_DIGITS = 15  # SQLite keeps decimals as binary floats, which hold no more


class Guard:
    """What one column accepts. Lives as long as the mapping.

    `attribute` is the column as error messages name it, "users.name". Where a value is mutable, `encode`
    makes the immutable form that a row holds and `decode` a fresh value from it; both are None elsewhere.
    `sure` is an expression over a value `v` and its `{type}`: where it is true, the guard has nothing to say
    (see `codegen.py`). `aware` is true for datetimes with a time zone. `choices` are all the texts that an
    enumeration without a class allows. `digits` is how many digits an int or a Decimal may have, None for anything
    else, and `scale` how many of them are behind the point.
    """

    __slots__ = ("attribute", "aware", "check", "choices", "decode", "digits", "encode", "scale", "sure", "type")

    def __init__(
        self,
        attribute: str,
        type_: type[Any],
        check: Check,
        *,
        encode: Check | None = None,
        decode: Check | None = None,
        sure: str = "",
        aware: bool = False,
        choices: tuple[str, ...] = (),
        digits: int | None = None,
        scale: int = 0,
    ) -> None:
        self.attribute = attribute
        self.type = type_
        self.check = check
        self.encode = encode
        self.decode = decode
        self.sure = sure
        self.aware = aware
        self.choices = choices
        self.digits = digits
        self.scale = scale

    def __call__(self, value: Any) -> Any:
        """The value as it will be loaded. Raises BadValue."""
        try:
            return self.check(value)
        except _Refused as refused:  # the value itself may be a secret, and messages end up in logs
            raise BadValue(
                f"{self.attribute}: expected {refused}, got {refused.got or spoken_type(value)}",
                attribute=self.attribute,
                value=value,
            ) from None

    def key(self, value: Any) -> Any:
        """A value to look for. Raises BadValue, also for None."""
        if value is None:
            raise BadValue(
                f"None is no value of the key {self.attribute}: has the aggregate been flushed?",
                attribute=self.attribute,
            )
        return self(value)


class _Refused(ValueError):
    """Says what was expected, and what came, where that is more than a type."""

    def __init__(self, expected: str, got: str = "") -> None:
        super().__init__(expected)
        self.got = got


def guard_for(table: str, column: Column[Any]) -> Guard:
    """The guard of a column. Raises MappingRefused if values of its type cannot be kept truthfully."""
    attribute = f"{table}.{column.name}"
    declared = column.type
    match declared:
        case UTCDateTime():
            return Guard(attribute, dt.datetime, _utc, aware=True)
        case Duration():
            return Guard(attribute, dt.timedelta, _duration)
        case TypeDecorator() if not isinstance(declared, PickleType):
            return _decorated(attribute, table, column)
        case JSON():
            return Guard(attribute, object, _json, encode=_dumped, decode=json.loads)
        case Boolean():
            return Guard(attribute, bool, _exactly(bool, "True or False"), sure=EXACT)
        case Enum(enum_class=None):
            return Guard(attribute, str, _one_of(declared.enums), choices=tuple(declared.enums))
        case Enum():
            assert declared.enum_class is not None
            kind = declared.enum_class
            return Guard(attribute, kind, _member(kind), sure="" if issubclass(kind, Flag) else EXACT)
        case Integer():
            bound = next(n for kind, n in INTEGERS.items() if isinstance(declared, kind))
            sure = f"{EXACT} and {-bound} <= v < {bound}"
            return Guard(attribute, int, _integer(bound), sure=sure, digits=len(str(bound)))
        case Float(asdecimal=False):
            return Guard(attribute, float, _float)
        case Numeric(asdecimal=True) if declared.precision is not None and declared.scale is not None:
            precision, scale = declared.precision, declared.scale
            digits = min(precision, EXACT_DIGITS)
            return Guard(attribute, Decimal, _decimal(precision, scale), digits=digits, scale=scale)
        case String():
            return Guard(attribute, str, _text(declared.length), sure=_surely_text(declared.length))
        case LargeBinary():
            return Guard(attribute, bytes, _bytes(declared.length), sure="" if declared.length else EXACT)
        case DateTime():
            return Guard(attribute, dt.datetime, _naive_datetime)
        case Date():
            return Guard(attribute, dt.date, _exactly(dt.date, "a date"), sure=EXACT)
        case Time(timezone=False):
            return Guard(attribute, dt.time, _naive_time)
        case Uuid(as_uuid=True):
            return Guard(attribute, UUID, _exactly(UUID, "a UUID"), sure=EXACT)
    raise MappingRefused([f"{attribute} is of the type {declared!r}, whose values are not kept alike everywhere"])


def _exactly(kind: type, spoken: str) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            _refuse_type(value, spoken)
        return value

    return check


def _integer(bound: int) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not int:
            _refuse_type(value, "an int")
        if not -bound <= value < bound:
            raise _Refused(f"an int from {-bound} to {bound - 1}", "another int")
        return value

    return check


def _float(value: Any) -> Any:
    if type(value) is not float:
        _refuse_type(value, "a float")
    if not math.isfinite(value):
        raise _Refused("a finite float", "one that is not finite")
    return value + 0.0  # -0.0 becomes 0.0, as some databases have it


def _decimal(precision: int, scale: int) -> Check:
    digits = min(precision, EXACT_DIGITS)
    quantum = Decimal(1).scaleb(-scale)
    bound = Decimal(1).scaleb(digits - scale)

    def check(value: Any) -> Any:
        if type(value) is not Decimal:
            _refuse_type(value, "a Decimal")
        if not value.is_finite() or abs(value) >= bound or (exact := value.quantize(quantum)) != value:
            raise _Refused(f"a finite Decimal of {digits} digits, {scale} of them after the point", "another Decimal")
        return exact + 0  # no negative zero

    return check


def _text(length: int | None) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str:
            _refuse_type(value, "a str")
        if length is not None and len(value) > length:
            raise _Refused(f"at most {length} characters", f"{len(value)}")
        if "\0" in value or not _encodable(value):
            raise _Refused("text without NUL characters and lone surrogates", "text with some")
        return value

    return check


def _surely_text(length: int | None) -> str:
    short = "" if length is None else f" and len(v) <= {length}"
    return f"{EXACT} and v.isascii() and '\\0' not in v{short}"


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _utc(value: Any) -> Any:
    if type(value) is not dt.datetime:
        _refuse_type(value, "an aware datetime")
    if value.utcoffset() is None:
        raise _Refused("an aware datetime", "one without a time zone")
    try:
        return value.astimezone(dt.UTC).replace(fold=0)
    except OverflowError:
        raise _Refused("a datetime that UTC can express", "one beyond it") from None


def _bytes(length: int | None) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not bytes:
            _refuse_type(value, "bytes")
        if length is not None and len(value) > length:
            raise _Refused(f"at most {length} bytes", f"{len(value)}")
        return value

    return check


def _duration(value: Any) -> Any:
    if type(value) is not dt.timedelta:
        _refuse_type(value, "a timedelta")
    if not -MICROSECONDS <= value // dt.timedelta(microseconds=1) < MICROSECONDS:
        raise _Refused("a timedelta of at most 292,000 years, whose microseconds a BIGINT counts", "a longer one")
    return value


def _naive_datetime(value: Any) -> Any:
    if type(value) is not dt.datetime:
        _refuse_type(value, "a datetime")
    if value.tzinfo is not None:
        raise _Refused("a naive datetime (DateTime(timezone=True) keeps aware ones)", "an aware one")
    return value.replace(fold=0)


def _naive_time(value: Any) -> Any:
    if type(value) is not dt.time:
        _refuse_type(value, "a time")
    if value.tzinfo is not None:
        raise _Refused("a time without time zone", "one with a time zone")
    return value.replace(fold=0)


def _one_of(allowed: list[str]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str or value not in allowed:
            raise _Refused(f"one of {', '.join(map(repr, allowed))}", "another str" if type(value) is str else "")
        return value

    return check


def _member(kind: type[PythonEnum]) -> Check:
    members = list(kind)

    def check(value: Any) -> Any:
        if type(value) is not kind:
            _refuse_type(value, f"a member of {kind.__name__}")
        if value not in members:
            raise _Refused(f"a member of {kind.__name__}", "several of them at once")
        return value

    return check


def _json(value: Any) -> Any:
    try:
        same = _same(json.loads(_dumped(value)), value)
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise _Refused(
            "what survives json.dumps and json.loads (dicts with text keys, lists, text, numbers,"
            f" nested {JSON_LEVELS} levels deep at most)",
            f"a {type(value).__name__} that does not",
        )
    return value


def _dumped(value: Any) -> str:
    return json.dumps(value, allow_nan=False, sort_keys=True)


def _same(one: Any, other: Any, levels: int = JSON_LEVELS) -> bool:
    """Equal, and of equal types all the way down: json makes lists of tuples and text of int keys."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return (
            levels > 0
            and one.keys() == other.keys()
            and all(_same(key, key) and _same(one[key], other[key], levels - 1) for key in one)
        )
    if isinstance(one, list):
        return (
            levels > 0
            and len(one) == len(other)
            and all(_same(ours, theirs, levels - 1) for ours, theirs in zip(one, other, strict=True))
        )
    if isinstance(one, str):
        return "\0" not in one and _encodable(one) and one == other
    # SQLite's JSON makes 1 of 1.0, and a number beyond a double is not the same everywhere.
    if isinstance(one, float):
        return one == other and not one.is_integer()
    if isinstance(one, int) and not isinstance(one, bool):
        return one == other and -(2**53) < one < 2**53
    return bool(one == other)


def _decorated(attribute: str, table: str, column: Column[Any]) -> Guard:
    """A user's own TypeDecorator: what it makes of the value is judged by the type below it."""
    declared = column.type
    assert isinstance(declared, TypeDecorator)
    dialect = DefaultDialect()
    if told := list(_unfollowed(declared, dialect)):
        raise MappingRefused([f"{attribute} is of the type {type(declared).__name__}, {why}" for why in told])
    inner = guard_for(table, Column(column.name, declared.impl_instance))
    binds, loads = _processes(declared)
    if not binds and not loads:
        return inner

    def bind(value: Any) -> Any:
        return declared.process_bind_param(value, dialect) if binds else value

    def load(stored: Any) -> Any:
        return declared.process_result_value(stored, dialect) if loads else stored

    def check(value: Any) -> Any:
        try:
            bound, again = bind(value), bind(value)
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
            raise _Refused(
                f"a value that {type(declared).__name__} accepts", f"{spoken_type(value)} ({type(error).__name__})"
            ) from error
        if bound is None or bound != again:
            raise _Refused(f"a value that {type(declared).__name__} stores in one way, and not as None")
        loaded = load(decode(encode(inner.check(bound))))
        if type(loaded) is not type(value) or loaded != value:
            raise _Refused(f"a value that {type(declared).__name__} gives back as it was")
        return loaded

    encode, decode = inner.encode or _as_it_is, inner.decode or _as_it_is
    return Guard(
        attribute,
        object,
        check,
        encode=lambda value: encode(inner.check(bind(value))),
        decode=lambda stored: load(decode(stored)),
    )


def _unfollowed(declared: TypeDecorator[Any], dialect: Dialect) -> Iterator[str]:
    """What a TypeDecorator may do that cannot be done without a database."""
    overridden = partial(method_is_overridden, declared)
    if overridden(TypeDecorator.load_dialect_impl):
        yield "which is another one on each database (load_dialect_impl): give it one `impl`"
    if overridden(TypeDecorator.bind_processor) or overridden(TypeDecorator.result_processor):
        yield "which has processors of its own: write process_bind_param and process_result_value"
    if has_sql_expressions(declared):
        yield "which lets the database change the value: do it in process_bind_param and process_result_value"
    binds, loads = _processes(declared)
    try:
        bound = declared.process_bind_param(None, dialect) if binds else None
        loaded = declared.process_result_value(None, dialect) if loads else None
    except Exception:
        bound = loaded = NotImplemented
    if bound is not None or loaded is not None:
        yield "which does not take None for None: NULL is for nullable= to judge"


def _processes(declared: TypeDecorator[Any]) -> tuple[bool, bool]:
    """Does a TypeDecorator change values on the way to the database, and on the way back?"""
    return (
        method_is_overridden(declared, TypeDecorator.process_bind_param),
        method_is_overridden(declared, TypeDecorator.process_result_value),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _refuse_type(value: Any, spoken: str) -> NoReturn:
    raise _Refused(spoken)


def spoken_type(value: object) -> str:
    """What a message may say of a value."""
    return type(value).__name__
