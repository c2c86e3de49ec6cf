"""The three stand-ins a rule meets instead of data: `Symbol`, `Thing` and `Items`.

* `Symbol` stands for one value that only the database knows: a text, a number, a date. What a query can
  do with such a value is defined here, operation by operation; everything else raises RuleRefused.
* `Thing` stands for an object: the aggregate, a value object, a child. Reading an attribute gives a real
  value where there are few (None, bool, enum), a `Symbol` where there are many; properties and methods
  of the class are run on the stand-in itself.
* `Items` stands for a collection of children.

A stand-in has one attribute of its own, `__standin__`, so that no attribute of a domain class is ever
shadowed. All it wants to know it asks the tracer there.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol
from uuid import UUID

from ..domain.errors import RuleRefused
from .facts import SCALARS, Attribute, Many, Scalar, Value
from .formula import FALSE, TRUE, Expr, and_, attr, const, isnull, leaves, reduce, scopes, to_formula, with_leaves
from .numbers import in_the_type_of, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .trace import Tracer

__all__ = [
    "CACHED",
    "NUMBERS",
    "STANDINS",
    "Items",
    "Symbol",
    "Thing",
    "comparable",
    "equal_to",
    "exists",
    "lift",
    "refuse_inexact",
    "refuse_none",
    "shown",
    "storable",
    "total",
    "unfit",
]

NUMBERS = (int, float, Decimal)
FRACTIONS = (float, Decimal)
_LARGEST = 2**63 - 1  # the largest whole number that all databases store
_LONGEST, _FINEST = 65, 76  # digits of a Decimal before and after the point: of DECIMAL, and of a product of two
_EXACT_DIGITS = 15  # of a Decimal, which SQLite keeps as a binary float
_CALCULATED_DIGITS = 28  # of a Decimal, to which Python rounds what it calculates
CACHED = type(functools.cache(len))  # what functools.cache and lru_cache make of a function
_made = tuple.__new__  # what the constructors of Expr and its like call, where a query makes most of them


# --- constants ----------------------------------------------------------------------------------------


def comparable(a: type, b: type) -> bool:
    """May a database compare these two types, and find what Python finds?"""
    if a is b:
        return True
    if issubclass(a, NUMBERS) and issubclass(b, NUMBERS):
        return {a, b} != {Decimal, float}
    return issubclass(b, a) and a in (str, bytes)  # a StrEnum beside a str


def shown(value: Any) -> str:
    """A value as error messages show it."""
    if type(value) is Symbol:
        return str(value.__standin__.e)
    if type(value) in STANDINS:
        return f"a whole {value.__standin__.cls.__name__}"
    if isinstance(value, list | tuple | set | dict):
        return f"a {type(value).__name__.strip('_').lower()}"  # a stand-in may be in it
    return f"{type(value).__name__} {value!r}"


def storable(value: Any) -> bool:
    """Can a column hold it? Whole numbers beyond 64 bits equal nothing that is stored."""
    return type(value) is not int or -_LARGEST - 1 <= value <= _LARGEST


def unfit(value: Any) -> str:
    """Why no database can be asked about a constant; empty if each of them can."""
    if isinstance(value, FRACTIONS) and not (math.isfinite(value) if isinstance(value, float) else value.is_finite()):
        return f"uses {value!r}, which not every database can store; compare with a finite number"
    if isinstance(value, Decimal) and not _is_of_a_column(value):
        return (
            f"uses {value!r}: a column holds at most {_LONGEST} digits before the point and {_FINEST} after it;"
            " compare with a number that it could hold"
        )
    if isinstance(value, str) and ("\0" in value or not _encodable(value)):
        return f"uses {value!r}: a NUL character or a lone surrogate is in no text that a database stores"
    if isinstance(value, time) and value.tzinfo is not None:
        return f"uses {value!r}: a time that a database stores has no time zone"
    if isinstance(value, datetime) and value.tzinfo is not None and not _in_utc(value):
        return f"uses {value!r}, which is no datetime any more in UTC; compare with one that is"
    if isinstance(value, timedelta) and not -_LARGEST <= value // timedelta(microseconds=1) <= _LARGEST:
        return f"uses {value!r}, whose microseconds are more than 64 bits hold"
    return ""


def _is_of_a_column(value: Decimal) -> bool:
    # What is asked first costs nothing, whatever the exponent is.
    if not -2 * _FINEST <= value.adjusted() < _LONGEST:
        return False
    digits, exponent = value.as_tuple()[1:]
    return (
        int(exponent) < _LONGEST and len("".join(map(str, digits)).rstrip("0")) - len(digits) <= int(exponent) + _FINEST
    )


def _digits(value: Decimal) -> int:
    return len("".join(map(str, value.as_tuple().digits)).strip("0"))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_utc(value: datetime) -> bool:
    try:
        value.astimezone(UTC)
    except OverflowError:
        return False
    return True


class Asking(Protocol):
    """Whoever builds a formula: the tracer of a rule, or the reader of a CHECK."""

    @property
    def scalars(self) -> Mapping[Expr, Scalar]:
        """What is known of the attributes in it."""

    def refuse(self, why: str) -> Exception:
        """The error that says so."""


def lift(t: Asking, value: Any, like: Expr) -> Expr:
    """The other operand of a comparison or of arithmetic with *like*, as an expression."""
    kind = type(value)
    if kind is like.type and (kind is int or (kind is str and value.isascii() and "\0" not in value)):
        # What follows would find the same, and this is most of what is compared.
        return _made(Expr, ("const", (value,), kind))
    if kind is Symbol:
        other: Expr = value.__standin__.e
    elif kind not in STANDINS and isinstance(value, SCALARS):
        if why := unfit(value):
            raise t.refuse(why)
        if isinstance(value, Decimal) and _digits(value) > _EXACT_DIGITS:
            raise t.refuse(
                f"uses {value!r}: of more than {_EXACT_DIGITS} digits not every database tells one number from the"
                " next; quantize() it"
            )
        if isinstance(value, datetime):
            _refuse_other_zone(t, like, value)
        other = const(_stored_as(value, like.type))
    else:
        raise t.refuse(
            f"compares {like} with {shown(value)}: only single values (str, int, Decimal, date, UUID, ...)"
            " have a twin in the database; compare an attribute of it, such as its id"
        )
    if not comparable(like.type, other.type):
        raise t.refuse(
            f"mixes {like} ({like.type.__name__}) with {other} ({other.type.__name__}): databases convert"
            f" one into the other as they please; convert the constant to {like.type.__name__} first"
        )
    return other


def _stored_as(value: Any, kind: type) -> Any:
    """The plain constant that equals *value*, of the type that it is stored in: 1 for True and for an IntEnum of 1."""
    if isinstance(value, int):
        return Decimal(int(value)) if kind is Decimal else int(value)
    if isinstance(value, str) and kind is str:
        return str.__str__(value)
    return value


def equal_to(t: Tracer, e: Expr, value: Any) -> Expr | None:
    """The constant of the type of *e* that equals *value*; None if nothing that *e* may be equals it."""
    if isinstance(value, NUMBERS) and e.type in NUMBERS and not comparable(e.type, type(value)):
        lift(t, value, e)  # which refuses it: Python finds some of them equal, and others not
    if not comparable(e.type, type(value)):
        return None
    constant = lift(t, value, e)
    if e.type in NUMBERS and constant.type is not e.type:
        _, same = in_the_type_of(e, "eq", constant.args[0])
    else:
        same = constant
    if same is not None and storable(same.args[0]):
        return same
    if e.type in NUMBERS:
        _refuse_wide(t, e, constant.args[0])
    return None


def refuse_inexact(t: Asking, one: Expr, other: Expr) -> None:
    """Refuse to compare what not every database compares as Python does."""
    if {one.type, other.type} == {int, float}:
        whole = one if one.type is int else other
        known = measure(t.scalars, whole, rows=9)
        if known is not None and sum(known) > _EXACT_DIGITS:
            raise t.refuse(
                f"compares {one} with {other}: a float cannot express every whole number of more than"
                f" {_EXACT_DIGITS} digits, and databases convert it to one; store one of them in the type of the other"
            )
    if one.type is datetime:
        awareness = [None if each not in t.scalars else t.scalars[each].aware for each in (one, other)]
        if None not in awareness and awareness[0] != awareness[1]:
            raise t.refuse(
                f"compares {one} with {other}: one has a time zone and the other has none, so there is no telling"
                " which comes first; store both with a time zone"
            )


def _refuse_other_zone(t: Asking, like: Expr, value: datetime) -> None:
    aware, fact = value.tzinfo is not None, t.scalars.get(like)
    if fact is not None and fact.aware not in (None, aware):
        raise t.refuse(
            f"compares {like} with {value!r}: one has a time zone and the other has none, so there is no telling"
            f" which comes first; give the constant {'none' if aware else 'one'}"
        )
    if aware and value.utcoffset() != value.replace(fold=not value.fold).utcoffset():
        raise t.refuse(
            f"compares {like} with {value!r}, an hour that comes twice or never in its time zone: Python finds it equal"
            " to no time of another zone; compare with value.astimezone(UTC)"
        )


# --- one value ----------------------------------------------------------------------------------------


class SymbolState(NamedTuple):
    t: Tracer
    e: Expr


_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def _comparison(op: str) -> Callable[[Symbol, Any], Any]:
    def compare(self: Symbol, other: Any) -> Any:
        t, e = self.__standin__
        if other is None:
            refuse_none(t, e)
            # Python finds nothing equal to None, and raises a TypeError for `<`: so do we.
            return op == "ne" if op in ("eq", "ne") else NotImplemented
        if e.op == "uuid_int":
            return _compare_uuids(t, op, e.args[0], other)
        value = lift(t, other, e)
        asked, given = op, None
        if value.op == "const":
            number = value.args[0]
            if value.type is not e.type and e.type in NUMBERS:
                asked, found = in_the_type_of(e, op, number)
                if found is None:
                    return _beyond(t, op, e, number)
                value, given = found, number
            if not storable(value.args[0]):
                return _beyond(t, op, e, number)
        else:
            refuse_inexact(t, e, value)
            if repr(value) < repr(e):  # one spelling for `a < b` and `b > a`
                return t.decide(Expr(_MIRRORED[op], (value, e), bool))
        return t.decide(_made(Expr, (asked, (e, value), bool)), given)

    return compare


def _compare_uuids(t: Tracer, op: str, e: Expr, other: Any) -> Any:
    # UUID.__eq__ and its like compare `self.int` with `other.int`, and so arrive here.
    value = other.__standin__.e.args[0] if type(other) is Symbol else const(UUID(int=other))
    return t.decide(Expr(op, (e, value), bool))


def _beyond(t: Tracer, op: str, e: Expr, number: Any) -> bool:
    """The answer for a number that is none of the values *e* may have, whatever row it is."""
    _refuse_wide(t, e, number)
    return op == "ne" or (op in ("lt", "le") and number > 0) or (op in ("gt", "ge") and number < 0)


def _refuse_wide(t: Tracer, e: Expr, number: Any) -> None:
    if e.op != "attr" and abs(number) > _LARGEST:
        raise t.refuse(f"compares {e} with {number}, which is more than 64 bits hold")


def refuse_none(t: Tracer, e: Expr) -> None:
    """In an order or a projection a stand-in may stand for None, and nobody may ask whether it does."""
    if t.straight and e.nullable:
        raise t.refuse(
            f"asks whether {e} is None: it must be made of expressions, without conditions; what is computed from"
            " None is None"
        )


def _arithmetic(op: str, *, swapped: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def calculate(self: Symbol, other: Any) -> Symbol:
        t, e = self.__standin__
        if e.type is str and op == "add":
            if other is None:
                raise TypeError('can only concatenate str (not "NoneType") to str')
            text = lift(t, other, e)
            return t.calculated(Expr("concat", (text, e) if swapped else (e, text), str))
        if e.type not in NUMBERS:
            raise t.refuse(
                f"does arithmetic on {e} ({e.type.__name__}), which no two databases do alike;"
                " compute the bound outside: `user.born <= today - timedelta(days=365)`"
            )
        if other is None:
            raise TypeError(f"unsupported operand type(s) for {op}: {e.type.__name__!r} and 'NoneType'")
        number = lift(t, other, e)
        if number.op == "const":
            if not storable(number.args[0]):
                raise t.refuse(f"calculates with {number}, which is more than 64 bits hold")
            if number.type is int and e.type is float:
                number = const(float(number.args[0]))
        kind = next(kind for kind in (Decimal, float, int) if kind in (e.type, number.type))
        made = Expr(op, (number, e) if swapped else (e, number), kind)
        known = measure(t.scalars, made) if kind is Decimal else None
        digits = 0 if known is None else known[0] + max(0, known[1])
        if digits > _CALCULATED_DIGITS:
            raise t.refuse(
                f"calculates {made}, which may have {digits} digits: Python rounds to {_CALCULATED_DIGITS},"
                " and databases do not; calculate with columns of fewer digits, or outside of the rule"
            )
        return t.calculated(made)

    return calculate


def _refusal(what: str) -> Callable[..., Any]:
    def refuse(self: Symbol, *_: Any, **__: Any) -> NoReturn:
        t, e = self.__standin__
        raise t.refuse(f"uses {what} on {e}")

    return refuse


def _part_of_date(op: str) -> Any:
    def part(self: Symbol) -> Symbol:
        t, e = self.__standin__
        if e.type is not date:
            hint = "; the answer depends on the time zone, compare with two datetimes" if e.type is datetime else ""
            raise t.refuse(f"uses .{op} of {e} ({e.type.__name__}){hint}")
        return Symbol(t, Expr(op, (e,), int))

    return property(part)


class Symbol:
    """One value that only the database knows. Its comparisons answer with a real bool: the tracer decides."""

    __slots__ = ("__standin__",)
    __standin__: SymbolState

    def __init__(self, t: Tracer, e: Expr) -> None:
        object.__setattr__(self, "__standin__", _made(SymbolState, (t, e)))

    # So that isinstance(user.name, str) says what it says of the real value.
    __class__ = property(lambda self: self.__standin__.e.type)

    __eq__, __ne__ = _comparison("eq"), _comparison("ne")
    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("lt", "le", "gt", "ge"))

    __add__, __radd__ = _arithmetic("add"), _arithmetic("add", swapped=True)
    __sub__, __rsub__ = _arithmetic("sub"), _arithmetic("sub", swapped=True)
    __mul__, __rmul__ = _arithmetic("mul"), _arithmetic("mul", swapped=True)

    __truediv__ = __rtruediv__ = _refusal("/ (databases divide integers without a fraction, and round differently)")
    __floordiv__ = __rfloordiv__ = _refusal("// (its sign differs between databases)")
    __divmod__ = __rdivmod__ = __rmod__ = _refusal("% or divmod()")
    __pow__ = __rpow__ = _refusal("**")
    __round__ = _refusal("round() (Python rounds half to even, databases half up)")
    __int__ = _refusal("int() (databases round where Python cuts off)")
    __float__ = _refusal("float()")
    __index__ = _refusal("an index, or range(),")
    __trunc__ = __floor__ = __ceil__ = _refusal("trunc(), floor() or ceil()")
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _refusal("a bitwise operator (`and`, `or` are meant?)")
    __lshift__ = __rshift__ = __rlshift__ = __rrshift__ = _refusal("a bitwise shift")
    __invert__ = _refusal("~ (`not` is meant?)")
    __hash__ = _refusal("hash() (a dict, or a set made on the way: look it up in a tuple instead)")
    __str__ = __format__ = _refusal("str(), an f-string or % formatting (compare the attributes one by one)")
    __repr__ = _refusal("repr()")
    __bytes__ = _refusal("bytes()")
    __iter__ = __next__ = __reversed__ = _refusal("a loop")
    __getitem__ = _refusal("an index or a slice (startswith() and endswith() are meant?)")
    __len__ = _refusal("len() in a function that the tracer cannot see into (write it in the rule itself)")
    __reduce_ex__ = __copy__ = __deepcopy__ = _refusal("copy or pickle")

    def __getattr__(self, name: str) -> Any:
        t, e = self.__standin__
        if name == "int" and e.type is UUID:
            return Symbol(t, Expr("uuid_int", (e,), int))
        if name in ("numerator", "denominator"):
            raise t.refuse(
                f"compares a Decimal or Fraction with {e} ({e.type.__name__}); write {e} on the left, and give a"
                " collection of them a name outside of the rule"
            )
        raise t.refuse(f"uses .{name} of {e} ({e.type.__name__}), which has no twin in every database")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        t, e = self.__standin__
        raise t.refuse(f"assigns .{name} of {e}")

    def __mod__(self, divisor: Any) -> Symbol:
        t, e = self.__standin__
        if e.type is not int or type(divisor) is not int or not 0 < divisor < 2**31:
            raise t.refuse(f"uses % on {e}: only an int attribute by a positive int constant gives one sign everywhere")
        return t.calculated(Expr("mod", (e, const(divisor)), int))

    def __neg__(self) -> Symbol:
        return _number(self, "neg", "-")

    def __pos__(self) -> Symbol:
        return self

    def __abs__(self) -> Symbol:
        return _number(self, "abs", "abs()")

    def __bool__(self) -> bool:
        t, e = self.__standin__
        if e.type is str:
            return t.decide(Expr("ne", (e, const("")), bool))
        if e.type in NUMBERS:
            return t.decide(Expr("ne", (e, const(e.type(0))), bool))
        if e.type in (date, datetime, time, UUID):
            return True
        raise t.refuse(f"uses {e} ({e.type.__name__}) as a condition; compare it with a value")

    # Texts. `__getattr__` refuses every other method.

    def startswith(self, prefix: Any) -> bool:
        return _text_test(self, "startswith", prefix)

    def endswith(self, suffix: Any) -> bool:
        return _text_test(self, "endswith", suffix)

    def __contains__(self, part: Any) -> bool:
        return _text_test(self, "contains", part)

    def lower(self) -> Symbol:
        return _text(self, "lower")

    def upper(self) -> Symbol:
        return _text(self, "upper")

    # Dates.

    year, month, day = _part_of_date("year"), _part_of_date("month"), _part_of_date("day")


def _number(symbol: Symbol, op: str, name: str) -> Symbol:
    t, e = symbol.__standin__
    if e.type not in NUMBERS:
        raise t.refuse(f"uses {name} on {e} ({e.type.__name__})")
    return t.calculated(Expr(op, (e,), e.type))


def _text(symbol: Symbol, op: str) -> Symbol:
    t, e = symbol.__standin__
    if e.type is not str:
        raise t.refuse(f"uses .{op}() of {e} ({e.type.__name__})")
    return t.calculated(Expr(op, (e,), str))


def _text_test(symbol: Symbol, op: str, part: Any) -> bool:
    t, e = symbol.__standin__
    if isinstance(part, tuple):
        return any(_text_test(symbol, op, each) for each in part)
    if part is None:
        raise TypeError(f"{op} needs a str, not None")
    if e.type is not str or type(part) in STANDINS or not isinstance(part, str):
        raise t.refuse(f"uses {op} on {e} with {shown(part)}: only a text attribute and a constant text make a pattern")
    return t.decide(Expr(op, (e, lift(t, part, e)), bool))


# --- an object ----------------------------------------------------------------------------------------


class ThingState(NamedTuple):
    t: Tracer
    cls: type
    scope: int
    path: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    optional: bool  # inside a value object that may be None: each of its columns may be NULL


def _refusal_of_thing(what: str) -> Callable[..., Any]:
    def refuse(self: Thing, *_: Any) -> NoReturn:
        t, cls = self.__standin__.t, self.__standin__.cls
        raise t.refuse(f"uses {what} on a {cls.__name__}; use its attributes one by one")

    return refuse


class Thing:
    """An object that only the database knows: the aggregate, a value object of it, or one of its children.

    What is the same on every path, and that is most of what is read, stands beside `__standin__` once it was read,
    where Python finds it by itself.
    """

    __standin__: ThingState

    def __init__(
        self,
        t: Tracer,
        cls: type,
        scope: int,
        path: tuple[str, ...] = (),
        attributes: Mapping[str, Attribute] | None = None,
        optional: bool = False,
    ) -> None:
        known = t.facts(cls) if attributes is None else attributes
        object.__setattr__(self, "__standin__", _made(ThingState, (t, cls, scope, path, known, optional)))

    @property  # type: ignore[misc]  # read-only, as nothing here can be assigned
    def __class__(self) -> type:
        t, cls, _, path, *_ = self.__standin__
        if not path and type.__subclasses__(cls):  # a value object is made of its columns, and of just this class
            # Reached from code the tracer cannot see into: isinstance(user, Admin) would quietly be False.
            raise t.refuse(f"asks for the class of a {cls.__name__}, which has subclasses; {_BY_ATTRIBUTE}")
        return cls

    def __getattr__(self, name: str) -> Any:
        t, _, scope, path, attributes, optional = self.__standin__
        fact = attributes.get(name)
        if type(fact) is Scalar:
            e = attr(scope, (*path, name), fact.type, fact.nullable or optional)
            if fact.aware is not None or fact.digits is not None:
                t.scalars[e] = fact
            if fact.nullable or fact.type not in _MANY_VALUED:
                return t.read(fact, e)
            symbol = Symbol(t, e)
            object.__setattr__(self, name, symbol)
            return symbol
        if type(fact) is Value:
            return _read_value(t, fact, scope, (*path, name))
        if type(fact) is Many:
            return Items(t, scope, (*path, name), fact.cls)
        return _member_of_class(self, name)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise self.__standin__.t.refuse(f"assigns {self.__standin__.cls.__name__}.{name}: a rule only looks")

    def __eq__(self, other: Any) -> Any:
        t, cls, _, path, *_ = self.__standin__
        if other is None:
            _refuse_missing(self)
            return False
        if not path:
            raise t.refuse(f"compares a whole {cls.__name__}; compare its key: `user.id == other_id`")
        return _compare(self, "__eq__", other)

    def __ne__(self, other: Any) -> Any:
        if other is not None and self.__standin__.path and _defines_ne(self, other):
            return _compare(self, "__ne__", other)
        return not self == other

    def __lt__(self, other: Any) -> Any:
        return _compare(self, "__lt__", other)

    def __le__(self, other: Any) -> Any:
        return _compare(self, "__le__", other)

    def __gt__(self, other: Any) -> Any:
        return _compare(self, "__gt__", other)

    def __ge__(self, other: Any) -> Any:
        return _compare(self, "__ge__", other)

    def __bool__(self) -> bool:
        t, cls, *_ = self.__standin__
        _refuse_missing(self)
        if hasattr(cls, "__bool__") or hasattr(cls, "__len__"):
            raise t.refuse(f"uses a {cls.__name__} as a condition; ask for an attribute of it")
        return True

    __hash__ = _refusal_of_thing("hash() (a dict or a set)")
    __str__ = _refusal_of_thing("str() or an f-string")
    __repr__ = _refusal_of_thing("repr()")
    __reduce_ex__ = _refusal_of_thing("copy or pickle")
    __dir__ = _refusal_of_thing("dir() or vars()")
    __dict__ = property(__dir__)


_MANY_VALUED = frozenset((str, int, float, Decimal, date, datetime, time, timedelta, bytes, UUID))

_BY_ATTRIBUTE = (
    "a query tells subclasses apart by an attribute only: give the class one, such as `kind`, and compare it"
)


def _refuse_missing(thing: Thing) -> None:
    t, _, _, path, _, optional = thing.__standin__
    if optional and t.straight:
        raise t.refuse(
            f"asks whether {'.'.join(path)} is None: it must be made of expressions, without conditions; what is"
            " read of it is None where it is"
        )


def _read_value(t: Tracer, fact: Value, scope: int, path: tuple[str, ...]) -> Thing | None:
    if fact.nullable and not t.straight:
        # The columns are NULL all together or not at all, so one that always has a value answers for all.
        always = [name for name, inner in fact.attributes.items() if not inner.nullable]
        names = always[:1] or list(fact.attributes)
        columns = (attr(scope, (*path, name), fact.attributes[name].type, nullable=True) for name in names)
        if t.decide(and_(*map(isnull, columns))):
            return None
    return Thing(t, fact.cls, scope, path, fact.attributes, optional=fact.nullable)


def _member_of_class(thing: Thing, name: str) -> Any:
    """A property, a method or a constant of the class the stand-in stands for."""
    t, cls, _, path, *_ = thing.__standin__
    try:
        raw = inspect.getattr_static(cls, name)
    except AttributeError:
        if name.startswith("__"):  # Python itself is asking, for a protocol the class does not have
            raise AttributeError(name) from None
        raise t.refuse(
            f"reads {cls.__name__}.{name}, which is neither mapped nor annotated, nor a property or method of the class"
        ) from None
    for subclass in () if path else _descendants(cls):
        if name in vars(subclass):
            raise t.refuse(
                f"uses {cls.__name__}.{name}, which {subclass.__name__} overrides: which of them runs depends on"
                f" the row; {_BY_ATTRIBUTE}"
            )
    if isinstance(raw, property) and raw.fget is not None:
        return t.instrument(raw.fget)(thing)
    if isinstance(raw, functools.cached_property):
        return t.instrument(raw.func)(thing)
    if isinstance(raw, types.FunctionType):
        return functools.partial(t.instrument(raw), thing)
    if isinstance(raw, staticmethod):
        return t.instrument(raw.__func__)
    if isinstance(raw, classmethod):
        return functools.partial(t.instrument(raw.__func__), cls)
    if isinstance(raw, CACHED):
        return functools.partial(t.instrument(raw.__wrapped__), thing)
    if isinstance(raw, functools.partialmethod):
        return t.instrument(raw.__get__(thing, cls))
    if isinstance(raw, functools.singledispatchmethod):
        return functools.partial(_run_dispatched, raw.dispatcher, thing)
    if isinstance(raw, SCALARS) or raw is None or isinstance(raw, tuple | list | set | frozenset):
        return t.seen(raw)  # a constant of the class
    raise t.refuse(
        f"reads {cls.__name__}.{name}, which is neither a column, nor a value object, nor a collection of children:"
        " a single child, and one that several aggregates share, have no query"
    )


def _run_dispatched(dispatcher: Any, thing: Thing, first: Any, /, *others: Any, **named: Any) -> Any:
    t = thing.__standin__.t
    if type(first) is Symbol:
        refuse_none(t, first.__standin__.e)
    return t.instrument(dispatcher.dispatch(_class_of(first)))(thing, first, *others, **named)


def _descendants(cls: type) -> list[type]:
    children: list[type] = type.__subclasses__(cls)
    return [each for child in children for each in (child, *_descendants(child))]


# --- comparisons of value objects ---------------------------------------------------------------------

_REFLECTED = {"__lt__": "__gt__", "__gt__": "__lt__", "__le__": "__ge__", "__ge__": "__le__"}
_SIGNS = {"__lt__": "<", "__gt__": ">", "__le__": "<=", "__ge__": ">="}


def _compare(thing: Thing, method: str, other: Any) -> Any:
    """Compare a value object as Python does: by the method of one class, or of the other one."""
    cls, kind = thing.__standin__.cls, _class_of(other)
    reflected = _REFLECTED.get(method, method)
    turns = [(thing, method, other), (other, reflected, thing)]
    if kind is not cls and issubclass(kind, cls):
        turns.reverse()
    if kind is cls:
        turns = turns[:1]
    for one, name, another in turns:
        answer = _run_own(thing.__standin__.t, one, name, another)
        if answer is not NotImplemented:
            return answer
    if method in ("__eq__", "__ne__"):
        return method == "__ne__"  # two objects that know nothing of one another
    raise TypeError(f"{_SIGNS[method]!r} not supported between instances of {cls.__name__!r} and {kind.__name__!r}")


def _class_of(value: Any) -> type:
    kind: type = (
        value.__standin__.cls
        if type(value) is Thing
        else value.__standin__.e.type
        if type(value) is Symbol
        else type(value)
    )
    return kind


def _defining(cls: type, method: str) -> type:
    return next((each for each in cls.__mro__ if method in vars(each)), object)


def _defines_ne(thing: Thing, other: Any) -> bool:
    """Has one of the two a != of its own, which is more than the opposite of ==?"""
    for cls in (thing.__standin__.cls, _class_of(other)):
        found = vars(_defining(cls, "__ne__")).get("__ne__")
        if isinstance(found, types.FunctionType) and not found.__module__.startswith("attr"):
            return True
    return False


def _run_own(t: Tracer, one: Any, method: str, other: Any) -> Any:
    """Run a comparison that the class of a value object defines; NotImplemented if it defines none for the other."""
    cls = _class_of(one)
    owner = _defining(cls, method)
    function = vars(owner).get(method)
    if not isinstance(function, types.FunctionType):
        if issubclass(_class_of(other), cls if owner is object else owner):  # by identity, or as tuples do
            raise t.refuse(
                f"uses {method} of {cls.__name__}, which does not define it in Python: compare its attributes"
            )
        return NotImplemented  # a class that knows no value object
    ordering = function.__code__.co_name.removeprefix("_")
    if function.__module__ == "functools" and ordering in _ORDERINGS:
        return _by_total_ordering(t, one, ordering, other)
    if function.__code__.co_filename.startswith("<"):  # written by @dataclass or attrs
        if _class_of(other) is not cls:
            return NotImplemented
        if dataclasses.is_dataclass(owner):  # which Python writes otherwise in each version
            names = [field.name for field in dataclasses.fields(owner) if field.compare]
            if method == "__eq__":
                return all(getattr(one, name) == getattr(other, name) for name in names)
        return function(one, other)
    return t.instrument(function)(one, other)


# What functools.total_ordering adds, from which method, and what it makes of the answer.
_ORDERINGS: dict[str, tuple[str, Callable[[bool, Callable[[], bool]], bool]]] = {
    "gt_from_lt": ("__lt__", lambda less, equal: not less and not equal()),
    "le_from_lt": ("__lt__", lambda less, equal: less or equal()),
    "ge_from_lt": ("__lt__", lambda less, equal: not less),
    "ge_from_le": ("__le__", lambda least, equal: not least or equal()),
    "lt_from_le": ("__le__", lambda least, equal: least and not equal()),
    "gt_from_le": ("__le__", lambda least, equal: not least),
    "lt_from_gt": ("__gt__", lambda more, equal: not more and not equal()),
    "ge_from_gt": ("__gt__", lambda more, equal: more or equal()),
    "le_from_gt": ("__gt__", lambda more, equal: not more),
    "le_from_ge": ("__ge__", lambda most, equal: not most or equal()),
    "gt_from_ge": ("__ge__", lambda most, equal: most and not equal()),
    "lt_from_ge": ("__ge__", lambda most, equal: not most),
}


def _by_total_ordering(t: Tracer, one: Any, name: str, other: Any) -> Any:
    root, combined = _ORDERINGS[name]
    answer = _run_own(t, one, root, other)
    return answer if answer is NotImplemented else combined(bool(answer), lambda: bool(one == other))


# --- a collection -------------------------------------------------------------------------------------


class ItemsState(NamedTuple):
    t: Tracer
    scope: int
    path: tuple[str, ...]
    cls: type


def _refusal_of_items(what: str) -> Callable[..., Any]:
    def refuse(self: Items, *_: Any) -> NoReturn:
        t, path = self.__standin__.t, self.__standin__.path
        name = ".".join(path)
        raise t.refuse(f"{what} the collection {name}; write any(... for x in {name}), or all(), sum(), len()")

    return refuse


class Items:
    """The children of an aggregate: `any all len sum` and a truth test over them have a query."""

    __slots__ = ("__standin__",)
    __standin__: ItemsState

    def __init__(self, t: Tracer, scope: int, path: tuple[str, ...], cls: type) -> None:
        object.__setattr__(self, "__standin__", ItemsState(t, scope, path, cls))

    def __iter__(self) -> Items:
        return self  # any(... for line in order.lines) begins so; see `instrument.any_`

    def __bool__(self) -> bool:
        return self.__standin__.t.decide(exists(self, lambda _: True))

    __next__ = _refusal_of_items("loops over")
    __len__ = _refusal_of_items("takes len(), in a function that the tracer cannot see into, of")
    __contains__ = _refusal_of_items("uses `in` on")
    __getitem__ = _refusal_of_items("takes one element of")
    __eq__ = _refusal_of_items("compares")
    __hash__ = _refusal_of_items("uses hash() on")
    __repr__ = __str__ = _refusal_of_items("uses str() on")

    def __getattr__(self, name: str) -> Any:
        return _refusal_of_items(f"uses .{name} of")(self)


STANDINS: tuple[type, ...] = (Symbol, Thing, Items)


def exists(items: Items, body: Callable[[Thing], Any]) -> Expr:
    """Is there an element for which *body* is true?"""
    t, outer, path, cls = items.__standin__
    inner = t.depth
    element = Thing(t, cls, inner)
    where = t.condition(lambda: TRUE if body(element) else FALSE)
    return FALSE if where is FALSE else Expr("exists", (outer, path, inner, cls, where), bool)


def total(items: Items, body: Callable[[Thing], Iterable[Any]]) -> Any:
    """The sum of all that *body* gives for the elements; 0 for none, as in Python."""
    t, cls = items.__standin__.t, items.__standin__.cls
    inner = t.depth
    element = Thing(t, cls, inner)

    def summand() -> Expr | None:
        value: Any = 0
        for each in body(element):
            value = each if type(each) is Symbol and type(value) is int and value == 0 else value + each
        if type(value) is Symbol:
            e: Expr = value.__standin__.e
            for each in e.nullables():
                if t.known(isnull(each)) is not False:  # read before the loop, in an order or a projection
                    raise _adds_none(t, e, each)
            return e
        if value == 0:
            return None  # adds nothing either way
        return const(int(value) if isinstance(value, bool) else value)

    tree = t.explore(summand)
    values = {value for value in leaves(tree) if value is not None}
    if not values:
        return 0
    if len(values) > 1 and any(value.op != "const" for value in values):
        raise t.refuse(f"adds up several different expressions ({', '.join(sorted(map(str, values)))}) in one sum()")
    result: Any = 0
    for value in sorted(values, key=str):
        if value.type not in (int, Decimal):
            raise t.refuse(
                f"adds up {value} ({value.type.__name__}): only int and Decimal have one sum in whatever order;"
                " a sum of floats depends on it"
            )
        part = _added_up(items, inner, tree, value)
        if type(part) is Symbol:
            result = part if type(result) is int else result + part
    return result


def _adds_none(t: Tracer, e: Expr, attribute: Expr) -> RuleRefused:
    return t.refuse(f"adds up {e}, and {attribute} may be None: there is no sum of that")


def _added_up(items: Items, inner: int, tree: Any, value: Expr) -> Symbol | int:
    """The sum of *value* over the elements for which the *tree* ends in it."""
    t, outer, path, cls = items.__standin__
    where = to_formula(reduce(with_leaves(tree, lambda each: TRUE if each == value else FALSE)))
    if where is FALSE:
        return 0
    if inner in scopes(value):
        return Symbol(t, Expr("sum", (outer, path, inner, cls, where, value), value.type))
    # An aggregate of what the outer rows alone have would be one of the outer query, in SQL.
    for each in value.nullables():
        if t.straight:
            raise _adds_none(t, value, each)
        if t.decide(isnull(each)):  # then no element comes to it, and 0 * NULL is NULL
            return 0
    count = Symbol(t, Expr("sum", (outer, path, inner, cls, where, const(1)), int))
    return count if value == const(1) else count * (value.args[0] if value.op == "const" else Symbol(t, value))
