"""The parts of a CHECK, put together so that every database and Python say the same of them.

Both readers, of SQLAlchemy's expressions and of text, build with these. What compares with what is told by the rules,
and said in their words. What is told here beside it: that the result of a calculation fits into the 64 bits of all
databases, that an enumeration is compared with its members alone, and what databases do each in their own way.
"""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Enum, LargeBinary, Table
from sqlalchemy.types import TypeDecorator

from ...domain.errors import MappingRefused
from ...rules.facts import Choice, Scalar
from ...rules.formula import FALSE, TRUE, Expr, attr, const, isnull
from ...rules.numbers import in_the_type_of
from ...rules.patterns import literal_part, normal, quoted
from ...rules.standins import NUMBERS, comparable, lift, refuse_inexact, storable, unfit
from ...rules.ternary import NULL, UNKNOWN, all_of, any_of, is_true, negated
from .guards import INTEGERS, guard_for

__all__ = ["Opaque", "Operands", "calculates"]

LARGEST = 2**63 - 1  # of what all databases calculate with
EXACT_DIGITS = 15  # of a float that is written down, which every database reads as the same one
EXACT_POWER = 22
LONGEST_PATTERN = 4_000
LONGEST_TEXT = 2**32
MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
ORDERINGS = ("lt", "le", "gt", "ge")
CASE = "which knows ASCII alone on one database and all letters on another"
UNLIKE: dict[str, str] = {
    "lower": CASE,
    "upper": CASE,
    "ilike": CASE,
    "/": "and databases divide integers without a fraction, or with one, and round differently",
    "concat()": "which ignores NULL on one database and not on the next: write ||",
}


class Opaque:
    """The type of a column of which it can only be asked whether it is NULL."""


class Operands:
    """Builds one formula over the columns of a table. Raises MappingRefused, with one finding.

    *subject* is what has the formula, as the finding names it, and *way_out* what to do where nothing can be written.
    """

    def __init__(self, table: Table, subject: str, way_out: str) -> None:
        self.table = table
        self.subject = subject
        self.way_out = way_out
        self.scalars: dict[Expr, Scalar] = {}

    # --- refusals -------------------------------------------------------------------------------------

    def refuse(self, why: str) -> MappingRefused:
        """The finding; *why* goes on with a verb."""
        return MappingRefused([f"{self.subject} {why}; {self.way_out}"])

    def unlike(self, what: str, spelled: str) -> MappingRefused:
        """The finding for what each database has in its own way, or only one of them has."""
        why = UNLIKE.get(what, "which not every database has, or does in the same way")
        return self.refuse(
            f"has {spelled} in it, {why}: write it with columns, constants, comparisons, + - * %, and, or, not, in,"
            " between, like, is, ||, length, abs and coalesce"
        )

    # --- columns and constants ------------------------------------------------------------------------

    def column(self, name: str) -> Expr:
        column = self.table.columns.get(name)
        if column is None:
            raise self.refuse(f"asks for {name}, which is no column of the table")
        if column is self.table.autoincrement_column and len(self.table.primary_key) == 1:
            raise self.refuse(f"asks for {name}, a generated key, which MariaDB does not allow")
        scalar = _scalar(self.table, column)
        e = attr(0, (name,), scalar.type, nullable=True)
        self.scalars[e] = scalar
        return e

    def constant(self, value: Any) -> Expr:
        """A constant as it is. What it is compared with says what becomes of it."""
        return NULL if value is None else const(value)

    def condition(self, e: Expr) -> Expr:
        """What is asked has to be a condition."""
        if e == NULL:
            return UNKNOWN
        if e.type is not bool:
            raise self.refuse(f"uses {e} ({_name(e.type)}) as a condition: compare it with a value")
        return e

    # --- comparisons ----------------------------------------------------------------------------------

    def compared(self, op: str, one: Expr, other: Expr) -> Expr:
        if NULL in (one, other):
            return UNKNOWN
        if one.op == "const" and one.type is not bool:
            if other.op == "const":
                raise self.refuse(f"compares {one} with {other}, two constants: leave it out")
            one, other, op = other, one, MIRRORED[op]
        if bool in (one.type, other.type):
            return self._of_truths(op, one, other)
        if issubclass(one.type, Choice | enum.Enum) or issubclass(other.type, Choice | enum.Enum):
            return self._of_members(op, one, other)
        if one.type in (Opaque, bytes):
            raise self.refuse(f"compares {one}, of which it can only be asked whether it is NULL")
        if other.op == "const":
            return self._with_constant(op, one, other.args[0])
        if not comparable(one.type, other.type):
            raise self._mixed(one, other)
        refuse_inexact(self, one, other)
        made = Expr(op, (one, other), bool)
        self._require_fit(made)
        return made

    def _with_constant(self, op: str, one: Expr, value: Any) -> Expr:
        if why := unfit(value):
            raise self.refuse(why)
        if isinstance(value, dt.datetime):
            # An hour that comes twice is told apart here, and in UTC there is none.
            value = (value if value.tzinfo is None else value.astimezone(dt.UTC)).replace(fold=0)
        constant = lift(self, value, one)
        if one.type in NUMBERS and constant.type is not one.type:
            op, found = in_the_type_of(one, op, constant.args[0])
            if found is None:
                raise self.refuse(f"compares {one} with {value!r}, which none of its values equals")
            constant = found
        if constant.type is float and not _is_read_alike(constant.args[0]):
            raise self.refuse(
                f"uses {value!r}, which not every database reads as the same float: write at most {EXACT_DIGITS} digits"
            )
        if not storable(constant.args[0]):
            raise self.refuse(f"compares {one} with {value!r}, which is more than 64 bits hold")
        made = Expr(op, (one, constant), bool)
        self._require_fit(made)
        return made

    def _of_truths(self, op: str, one: Expr, other: Expr) -> Expr:
        if one.type is not other.type:
            raise self._mixed(one, other)
        if op in ORDERINGS:
            raise self.refuse(
                f"asks which of {one} and {other} is greater, and both are conditions: write and, or, not"
            )
        if op == "ne":
            return negated(self._of_truths("eq", one, other))
        for condition, constant in ((one, other), (other, one)):
            if constant in (TRUE, FALSE):
                return condition if constant == TRUE else negated(condition)
        return any_of(all_of(one, other), all_of(negated(one), negated(other)))

    def _of_members(self, op: str, one: Expr, other: Expr) -> Expr:
        declared = self._declared(one)
        if op in ORDERINGS:
            raise self.refuse(f"orders {one}, and each database sorts enums in its own way")
        if other.op == "const" and declared is not None:
            value = other.args[0]
            if type(value) is one.type or (one.type is Choice and value in self.scalars[one].choices):
                return Expr(op, (one, const(value)), bool)
        elif declared is not None and declared == self._declared(other):
            return Expr(op, (one, other), bool)
        raise self._mixed(one, other)

    def _declared(self, e: Expr) -> Any:
        """Which enumeration it is: that of PostgreSQL has a name and is compared with no other."""
        kind = _plain(self.table.columns[e.args[1][0]]) if e.op == "attr" else None
        return (kind.name, tuple(kind.enums), kind.enum_class) if isinstance(kind, Enum) else None

    def _mixed(self, one: Expr, other: Expr) -> MappingRefused:
        return self.refuse(
            f"mixes {one} ({_name(one.type)}) with {other} ({_name(other.type)}): databases convert one into the other"
            f" as they please; write a constant of the column's own type"
        )

    def member(self, one: Expr, values: list[Expr]) -> Expr:
        """`one IN (values)`."""
        if not values:
            raise self.refuse(f"asks whether {one} is in an empty list, which is true of no row")
        if one == NULL:
            return UNKNOWN
        if one.op == "const" or not all(each.op == "const" for each in values):
            return any_of(*(self.compared("eq", one, each) for each in values))
        known, found = [each for each in values if each != NULL], []
        for each in known:
            if one.type in NUMBERS and each.type in NUMBERS and _equals_none(one, each.args[0]):
                continue
            found.append(self.compared("eq", one, each))
        if known and not found:
            raise self.refuse(f"compares {one} with {', '.join(map(str, known))}, which none of its values equals")
        if len(found) > 1 and all(each.op == "eq" and each.args[0] == one for each in found):
            constants = tuple(dict.fromkeys(each.args[1] for each in found))
            found = [Expr("in", (one, constants), bool)] if len(constants) > 1 else found[:1]
        return any_of(*found, *([UNKNOWN] if len(known) < len(values) else []))

    def between(self, one: Expr, low: Expr, high: Expr) -> Expr:
        return all_of(self.compared("ge", one, low), self.compared("le", one, high))

    def same(self, one: Expr, other: Expr) -> Expr:
        """`one IS other`, which is never unknown."""
        if other in (NULL, UNKNOWN):
            return self.missing(one)
        if one in (NULL, UNKNOWN):
            return self.missing(other)
        if other in (TRUE, FALSE):
            return is_true(self.condition(one) if other == TRUE else negated(self.condition(one)))
        equal = self.compared("eq", one, other)
        if other.op == "const" or one.op == "const":
            return is_true(equal)
        return is_true(any_of(equal, all_of(self.missing(one), self.missing(other))))

    def missing(self, e: Expr) -> Expr:
        """`e IS NULL`"""
        if e in (NULL, UNKNOWN):
            return TRUE
        if e.type is bool and e.op != "attr":
            return all_of(negated(is_true(e)), negated(is_true(negated(e))))
        found = [isnull(each) for each in dict.fromkeys(e.attributes())]
        return any_of(*found) if found else FALSE

    # --- calculations ---------------------------------------------------------------------------------

    def calculated(self, op: str, one: Expr, other: Expr) -> Expr:
        if NULL in (one, other):
            return NULL
        for each in (one, other):
            if each.type not in (int, Decimal):
                why = "which ends in an error where it is too large, on some databases" if each.type is float else ""
                why = why or "which databases do each in their own way: compare with a constant instead"
                raise self.refuse(f"calculates with {each} ({_name(each.type)}), {why}")
            if each.op == "const":
                # Whatever it stands beside: what an attribute may be compared with, it may be added to.
                lift(self, each.args[0], each)
        if op == "rem":
            divisor = other.args[0] if other.op == "const" else 0
            if one.type is not int or type(divisor) is not int or not 0 < divisor < 2**31:
                raise self.refuse(f"uses {one} % {other}: only whole numbers and a positive constant are divided alike")
        made = Expr(op, (one, other), Decimal if Decimal in (one.type, other.type) else int)
        self._require_fit(made)
        return made

    def turned(self, op: str, e: Expr) -> Expr:
        """`-e` and `abs(e)`"""
        if e == NULL:
            return NULL
        if e.type not in (int, Decimal, float):
            raise self.refuse(f"uses {'-' if op == 'neg' else 'abs()'} of {e} ({_name(e.type)}), which is no number")
        if e.op == "const":
            return const(-e.args[0] if op == "neg" else abs(e.args[0]))
        made = Expr(op, (e,), e.type)
        self._require_fit(made)
        return made

    def instead(self, e: Expr, constant: Expr) -> Expr:
        """`coalesce(e, constant)`"""
        if e.type not in (int, Decimal, float, str) or constant.op != "const" or NULL in (e, constant):
            raise self.refuse(
                f"uses coalesce({e}, {constant}) of {_name(e.type)}: a number or a text has a constant instead of NULL"
            )
        compared = self.compared("eq", e, constant)
        made = Expr("coalesce", (e, compared.args[1]), e.type)
        self._require_fit(made)
        return made

    def _require_fit(self, e: Expr) -> None:
        """Refuse calculations whose result may be larger than what every database calculates with."""
        kinds = {each.type for each in e.children()}
        # Decimals that are calculated are compared as whole numbers, those of the digit that is the last of both.
        if not calculates(e) or float in kinds or (e.type is bool and Decimal not in kinds):
            return
        size, _ = self._size(e)
        if size > LARGEST:
            raise self.refuse(
                f"calculates {e}, which may have {len(str(size))} digits, and not every database calculates with more"
                f" than {len(str(LARGEST)) - 1}: use columns of fewer digits"
            )

    def _size(self, e: Expr) -> tuple[int, int]:
        """How large a number may be, counted in units of its last digit, and how many digits are behind the point."""
        match e.op:
            case "const":
                value = Decimal(e.args[0])
                scale = max(0, -int(value.as_tuple().exponent))
                return max(1, int(abs(value).scaleb(scale))), scale  # of a product in any order, so not 0
            case "attr":
                scalar = self.scalars[e]
                assert scalar.digits is not None
                return (_largest(self.table.columns[e.args[1][0]]) or 10**scalar.digits), scalar.scale
            case "length":
                return self._length(e.args[0]), 0
            case "year" | "month" | "day":
                return dt.MAXYEAR, 0
            case "rem":
                return int(e.args[1].args[0]), 0
        sizes = [self._size(each) for each in e.children()]
        if e.op == "mul":
            return sizes[0][0] * sizes[1][0], sizes[0][1] + sizes[1][1]
        scale = max(each for _, each in sizes)
        raised = [size * 10 ** (scale - each) for size, each in sizes]
        return (sum(raised) if e.op in ("add", "sub") else max(raised)), scale

    def _length(self, e: Expr) -> int:
        """How long a text may be."""
        if e.op == "const":
            return len(e.args[0])
        if e.op in ("concat", "coalesce"):
            return sum(map(self._length, e.args))
        return getattr(_plain(self.table.columns[e.args[1][0]]), "length", None) or LONGEST_TEXT

    # --- texts and dates ------------------------------------------------------------------------------

    def joined(self, one: Expr, other: Expr) -> Expr:
        """`one || other`"""
        if NULL in (one, other):
            return NULL
        for each in (one, other):
            self._require_text(each, "||")
        if one.op == other.op == "const":
            return const(one.args[0] + other.args[0])
        return Expr("concat", (one, other), str)

    def length(self, e: Expr) -> Expr:
        if e == NULL:
            return NULL
        self._require_text(e, "length()")
        return Expr("length", (e,), int) if e.op != "const" else const(len(e.args[0]))

    def part(self, op: str, e: Expr) -> Expr:
        if e.type is not dt.date or op not in ("year", "month", "day"):
            raise self.refuse(f"uses the {op} of {e} ({_name(e.type)}): the year, month and day of a date are known")
        return Expr(op, (e,), int)

    def like(self, e: Expr, pattern: Expr, escape: str | None, *, before: bool = False, behind: bool = False) -> Expr:
        """`e LIKE pattern`, with anything before or behind it."""
        if NULL in (e, pattern):
            return UNKNOWN
        self._require_text(e, "LIKE")
        if pattern.op != "const" or e.op == "const" or not isinstance(pattern.args[0], str):
            raise self.refuse(
                f"compares {e} with the pattern {pattern}: only a column and a constant text are compared"
            )
        self._require_text(pattern, "LIKE")
        written: str = pattern.args[0]
        if escape is None and "\\" in written:
            raise self.refuse(
                f"has a backslash in the pattern {written!r}, which quotes on some databases and not on others: name"
                " another character, ESCAPE '/'"
            )
        whole = f"{'%' * before}{written}{'%' * behind}"
        if escape is not None and len(escape) != 1:
            raise self.refuse(f"has the ESCAPE {escape!r}: it is one character")
        if (made := normal(whole, escape)) is None:
            raise self.refuse(f"has the pattern {whole!r}, in which {escape} quotes what needs no quoting")
        if len(made) > LONGEST_PATTERN:
            raise self.refuse(
                f"has a pattern of more than {LONGEST_PATTERN} characters, which not every database takes"
            )
        simple = literal_part(made)
        if simple is None:
            return Expr("like", (e, const(made)), bool)
        op, part = simple
        return Expr(op, (e, const(part)), bool)

    def quoted(self, pattern: Expr) -> Expr:
        """The pattern that matches a text alone."""
        return const(quoted(pattern.args[0])) if pattern.op == "const" and type(pattern.args[0]) is str else pattern

    def _require_text(self, e: Expr, what: str) -> None:
        if e.type is not str:
            raise self.refuse(f"uses {what} with {e} ({_name(e.type)}), which is no text on every database")
        if e.op == "const" and (why := unfit(e.args[0])):
            raise self.refuse(why)


def calculates(e: Expr) -> bool:
    """Does it add up or multiply numbers?"""
    return e.op in ("add", "sub", "mul", "rem", "neg", "abs") or any(map(calculates, e.children()))


def _equals_none(e: Expr, number: Any) -> bool:
    """Is there no value of the type of *e* that equals the number? What cannot be compared is left to be refused."""
    if not comparable(e.type, type(number)) or type(number) is e.type or e.type is Decimal or unfit(number):
        return False
    return in_the_type_of(e, "eq", number)[1] is None


def _is_read_alike(value: float) -> bool:
    """Is the float the nearest one to what is written, however a database comes by it?"""
    _, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    return len(digits) <= EXACT_DIGITS and abs(int(exponent)) <= EXACT_POWER


def _scalar(table: Table, column: Column[Any]) -> Scalar:
    try:
        guard = guard_for(table.name, column)
    except MappingRefused:  # a finding of the column's own
        return Scalar(Opaque, nullable=True)
    if guard.encode is not None or guard.type is object or isinstance(column.type, LargeBinary):
        return Scalar(Opaque, nullable=True)
    if guard.choices:
        return Scalar(Choice, nullable=True, choices=guard.choices)
    aware = guard.aware if guard.type is dt.datetime else None
    return Scalar(guard.type, nullable=True, aware=aware, digits=guard.digits, scale=guard.scale)


def _largest(column: Column[Any]) -> int | None:
    return next((bound for integer, bound in INTEGERS.items() if isinstance(_plain(column), integer)), None)


def _plain(column: Column[Any]) -> Any:
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type


def _name(kind: type) -> str:
    return {Choice: "an enumeration", Opaque: "of a type of its own"}.get(kind, kind.__name__)
