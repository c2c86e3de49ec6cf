"""The grammar of rules, orders and projections as data: what may stand where, by the types of values.

A production makes an expression of one type out of expressions of others. Its template is Python: `{0}` and `{1}`
are the parts, `{o}` is a variable for an object of the class that it *needs*, `{v}` and `{w}` are those that it
*binds* for its parts, and `{k}` is one of its *picks*, constants and the like that differ in nothing else.

Nearly all that the table in docs/rules.md supports is here, and some of what is refused: a production that every store
refuses alike is as much a part of the contract.

Keys of an order and columns of a projection are expressions without conditions, but for the inside of an aggregate.
Their productions are those of rules in another suit: the types begin with "=", see `straight`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

__all__ = ["ORDERS", "PROJECTIONS", "RULES", "Grammar", "Production"]

SPECIMEN, PART, GRAIN = "Specimen", "Part", "Grain"
INT_TURN, DECIMAL_TURN, TEXT_TURN = "an int of a loop", "a Decimal of a loop", "a text of a loop"
Types = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Production:
    name: str
    makes: str
    template: str
    takes: tuple[Types, ...] = ()
    needs: str | None = None
    binds: tuple[str, ...] = ()  # the classes of {v} and {w}
    inside: tuple[int, ...] = ()  # the parts that see them
    picks: tuple[str, ...] = ("",)
    is_branch: bool = False  # does it ask something, so that no order or projection may have it?

    is_refused: bool = False  # does every store refuse what has it?

    @property
    def is_constant(self) -> bool:
        return not self.takes and self.needs is None


@dataclass(frozen=True, eq=False)
class Grammar:
    """The productions, and the type of what a whole rule, order or projection is; *own* are not those of another."""

    root: str
    productions: tuple[Production, ...]
    own: frozenset[str]
    making: dict[str, list[Production]] = field(init=False)

    def __post_init__(self) -> None:
        making: dict[str, list[Production]] = {}
        for each in self.productions:
            making.setdefault(each.makes, []).append(each)
        object.__setattr__(self, "making", making)

    @lru_cache(None)  # noqa: B019  # there are three grammars
    def fitting(self, types: Types) -> tuple[Production, ...]:
        """The productions that make one of these types."""
        return tuple(each for kind in types for each in self.making.get(kind, ()))


def straight(productions: tuple[Production, ...]) -> Iterator[Production]:
    """The productions that make no branch, for types with a mark; what is inside of an aggregate stays as it was."""
    for each in productions:
        if each.is_branch or each.makes == "rule" or each.makes in ("bool", "child"):
            continue
        takes = tuple(
            types if number in each.inside else tuple(dict.fromkeys("=" + kind.rstrip("?") for kind in types))
            for number, types in enumerate(each.takes)
        )
        yield dataclasses.replace(each, name="=" + each.name, makes="=" + each.makes.rstrip("?"), takes=takes)


def p(name: str, makes: str, template: str, *takes: str | Types, **more: object) -> Production:
    """A production; a type that stands alone is a tuple of one."""
    parts = tuple((each,) if isinstance(each, str) else each for each in takes)
    return Production(name, makes, template, parts, **more)  # type: ignore[arg-type]


# --- attributes ---------------------------------------------------------------------------------------

ATTRIBUTES = {
    SPECIMEN: {
        **{"whole": "int", "large": "int", "share": "float", "price": "decimal", "tax": "decimal", "name": "text"},
        **{"colour": "colour", "is_on": "bool", "born": "date", "at": "naive", "seen": "aware", "opens": "time"},
        **{
            "lasts": "delta",
            "token": "uuid",
            "code": "bytes",
            "spot": "spot",
            "cost": "money",
            "range": "range",
            "maybe": "int?",
        },
        **{"ratio": "float?", "rebate": "decimal?", "nick": "text?", "tone": "colour?", "flag": "bool?"},
        **{"died": "date?", "until": "naive?", "gone": "aware?", "other": "uuid?", "shuts": "time?"},
        **{"pause": "delta?", "extra": "bytes?", "place": "spot?"},
        **{"spot.row": "int?", "spot.name": "text", "cost.amount": "decimal", "cost.currency": "text"},
        **{"range.low": "int", "range.high": "int"},
        **{"title": "text", "is_big": "bool", "value": "decimal"},
    },
    PART: {
        **{"number": "int", "price": "decimal", "label": "text", "maybe": "int?", "tag": "text?", "is_ok": "bool"},
        **{"share": "float", "made": "date"},
    },
    GRAIN: {"size": "int", "weight": "decimal", "mark": "text?"},
}
BRANCHES = {"title", "is_big"}


def attributes() -> Iterator[Production]:
    for cls, known in ATTRIBUTES.items():
        for path, kind in known.items():
            asks = path in BRANCHES or kind == "bool"
            yield p(f"{cls}.{path}", kind, "{o}." + path, needs=cls, is_branch=asks)
    yield p(
        "a place's row", "int?", "({o}.place.row if {o}.place is not None else None)", needs=SPECIMEN, is_branch=True
    )
    yield p(
        "a place's name", "text?", "({o}.place.name if {o}.place is not None else None)", needs=SPECIMEN, is_branch=True
    )
    yield p("=a place's row", "=int", "{o}.place.row", needs=SPECIMEN)
    yield p("=a place's name", "=text", "{o}.place.name", needs=SPECIMEN)
    yield p("an int of a loop", "int", "{o}", needs=INT_TURN)
    yield p("a Decimal of a loop", "decimal", "{o}", needs=DECIMAL_TURN)
    yield p("a text of a loop", "text", "{o}", needs=TEXT_TURN)


# --- constants ----------------------------------------------------------------------------------------

DATES = ("dt.date(2000, 1, 1)", "dt.date(1999, 12, 31)", "dt.date(1, 1, 1)")
NAIVE = ("dt.datetime(2024, 10, 27, 2, 30)", "dt.datetime(2000, 1, 1)", "dt.datetime(2024, 3, 31, 2, 30)")
AWARE = (
    "dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)",
    "dt.datetime(2024, 3, 31, 3, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))",
    "dt.datetime(2000, 1, 1, 1, tzinfo=BERLIN)",
)
TWICE_OR_NEVER = "an hour that comes twice or never"
TWICE = (
    "dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)",
    "dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN)",
    "dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN)",
)
# Pairs of a kind and its picks: what is in one of them differs in nothing a store should care about.
CONSTANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "int": {
        "a small int": ("0", "1", "3", "-1", "2", "7"),
        "a large int": ("2**31", "2**53", "2**53 + 1", "-2**53 - 1", "2**63 - 1", "-2**63"),
        "a huge int": ("2**63", "-2**63 - 1", "10**30"),
        "a bool as an int": ("True", "False"),
        "an IntEnum": ("Level.LOW", "Level.HIGH"),
    },
    "float": {
        "a float": ("0.5", "2.5", "0.1 + 0.2", "0.3", "1.1", "-0.5"),
        "a whole float": ("1.0", "3.0", "0.0", "-0.0", "2.0**31"),
        "a large float": ("2.0**53", "2.0**63", "1e300", "-1e300", "5e-324"),
    },
    "decimal": {
        "a Decimal": ("D('0.30')", "D('0.1')", "D('1.5')", "D('-1.50')", "D('3.33')", "D('0.15')"),
        "a whole Decimal": ("D(1)", "D('3.000')", "D('2E0')", "D('-1')", "D('1E1')"),
        "a zero Decimal": ("D(0)", "D('-0.00')", "D('0.0')"),
        "a fine Decimal": ("D('0.0001')", "D('0.005')", "D('2.345')", "D('0.30000001')", "D('-0.0000000001')"),
        "a large Decimal": ("D('123456789012.345')", "D('1E20')", "D('999999.99')", "D('-1E30')"),
    },
    "text": {
        "a word": ("'a'", "'A'", "'b'", "'ab'", "'aB'", "'Z'", "'10'"),
        "an empty text": ("''",),
        "a text with blanks": ("'a '", "' a'", "'A '", "'a\\tb'"),
        "a text with wildcards": ("'%'", "'_'", "'*'", "'?'", "'[a]'", "'/_x'", "'\\\\'", "'\\\\%'", '"\'"', "'\"'"),
        "a text beyond ASCII": ("'é'", "'É'", "'e\\u0301'", "'😀'", "'Ж'", "'ж'"),
        "a long text": ("'z' * 30", "'z' * 45", "'x' * 5000"),
    },
    "date": {"a date": DATES},
    "naive": {"a datetime": NAIVE},
    "aware": {"a datetime with a zone": AWARE, TWICE_OR_NEVER: TWICE},
    "time": {"a time": ("dt.time(9, 30)", "dt.time(0)", "dt.time(23, 59, 59, 999999)")},
    "delta": {"a timedelta": ("dt.timedelta(0)", "dt.timedelta(hours=1)", "dt.timedelta(days=-1, microseconds=1)")},
    "uuid": {"a UUID": ("UUID(int=0)", "UUID(int=2)", "UUID(int=2 << 96)", "UUID(int=2**128 - 1)")},
    "bytes": {"bytes": ("b''", "b'a'", "b'A'", "b'a\\0'", "b'\\xff\\xfe'", "b'a '")},
    "colour": {"a member": ("Colour.RED", "Colour.GREEN", "Colour.NONE")},
    "spot": {
        "a Spot": ("Spot(1, 'a')", "Spot(0, '')", "Spot(3, 'A')"),
        "a Spot without a row": ("Spot(None, 'a')", "Spot(None, '')"),
        "a Pin": ("Pin(1, 'a')", "Pin(None, '')"),
    },
    "money": {"Money": ("Money(D('0.1'), 'a')", "Money(D('0.30'), 'A')", "Money(D('-1.5'), 'a')", "Money(D(0), 'a')")},
    "range": {"a Range": ("Range(1, 3)", "Range(0, 0)", "Range(-1, 5)")},
    "bool": {"True or False": ("True", "False")},
}


def constants() -> Iterator[Production]:
    for kind, known in CONSTANTS.items():
        for name, picks in known.items():
            is_branch = kind in ("bool", "spot", "money", "range")
            yield p(name, kind, "{k}", picks=picks, is_branch=is_branch, is_refused=name == TWICE_OR_NEVER)
    yield p("None", "none", "None")
    for kind in ("text", "int"):  # what patterns and remainders take
        for name, picks in CONSTANTS[kind].items():
            if kind == "text":
                yield p(f"{name} as a pattern", "word", "{k}", picks=picks)
    yield p("a divisor", "divisor", "{k}", picks=("1", "2", "3", "7", "1000"))


# --- conditions ---------------------------------------------------------------------------------------

NUMBER = ("int", "float", "decimal")
MAYBE_NUMBER = ("int?", "float?", "decimal?")
FRACTIONS = {"floats": ("int", "float"), "Decimals": ("int", "decimal")}  # what may stand beside each
FAMILIES: dict[str, Types] = {  # what is compared with one another
    **FRACTIONS,
    "texts": ("text",),
    "dates": ("date",),
    "datetimes": ("naive",),
    "aware": ("aware",),
    "times": ("time",),
    "spans": ("delta",),
    "UUIDs": ("uuid",),
    "bytes": ("bytes",),
    "colours": ("colour",),
    "spots": ("spot",),
    "money": ("money",),
    "ranges": ("range",),
}
UNORDERED = {"colours", "bytes", "spans", "spots"}
NULLABLE = {kind for known in ATTRIBUTES.values() for kind in known.values() if kind.endswith("?")}
OPERATORS = {"equal": "==", "unequal": "!=", "less": "<", "least": "<=", "more": ">", "most": ">="}


def maybe(types: Types) -> Types:
    return tuple(f"{kind}?" for kind in types if f"{kind}?" in NULLABLE)


def comparisons() -> Iterator[Production]:
    for family, types in FAMILIES.items():
        for name, sign in OPERATORS.items():
            if sign in ("==", "!="):
                either = (*types, *maybe(types))
                yield p(f"{family} {name}", "bool", f"({{0}} {sign} {{1}})", (*either, "none"), either)
            elif family not in UNORDERED:
                yield p(f"{family} {name}", "bool", f"({{0}} {sign} {{1}})", types, types)
                if some := maybe(types):
                    yield p(
                        f"{family} {name}, guarded", "bool", f"({{0}} is not None and {{0}} {sign} {{1}})", some, types
                    )
        if some := maybe(types):
            yield p(f"{family} is None", "bool", "({0} is None)", some)
            yield p(f"{family} is not None", "bool", "({0} is not None)", some)
        constant = tuple(f"constant {kind}" for kind in types)
        both = (*types, *maybe(types))
        yield p(f"{family} in one or two", "bool", "({0} in ({1}, {2}))", both, (*constant, "none"), constant)
        yield p(f"{family} not in", "bool", "({0} not in [{1}, {2}, {3}])", both, *[(*constant, "none")] * 3)
    yield p("mixed ==", "bool", "({0} == {1})", ("int", "text", "date", "naive"), ("aware", "uuid"), is_refused=True)
    yield p("a Decimal beside a float", "bool", "({0} < {1})", "decimal", "float", is_refused=True)
    yield p("less of what may be None", "bool", "({0} < {1})", MAYBE_NUMBER, NUMBER, is_refused=True)
    yield p("texts between", "bool", "({0} <= {1} < {2})", "text", "text", "text")
    for family, types in FRACTIONS.items():
        some = maybe(types)
        yield p(f"{family} between", "bool", "({0} < {1} <= {2})", types, types, types)
        yield p(f"{family} unless None", "bool", "({0} is None or {0} >= {1})", some, types)
        yield p(f"not guarded {family}", "bool", "(not ({0} is not None and {0} < {1}))", some, types)
        yield p(f"equal {family}", "bool", "({0} == {1} or {0} == {2})", (*types, "int?"), types, types)
    yield p(
        "guarded sum",
        "bool",
        "({0} is not None and {0} + {1} <= {2})",
        ("int?", "decimal?"),
        "int",
        FRACTIONS["Decimals"],
    )
    yield p("two guarded", "bool", "({0} is not None and {1} is not None and {0} < {1})", "int?", ("int?", "decimal?"))
    yield p("equal to no one", "bool", "({0} != {1} and {0} != {2})", ("text", "text?"), "text", "text")
    yield p(
        "in a set of constants", "bool", "({0} in {{{1}, {2}}})", ("int", "float"), "constant int", "constant float"
    )
    yield p("in a frozenset", "bool", "({0} in FROZEN)", ("int", "int?", "decimal"))
    yield p("in a mixed tuple", "bool", "({0} in ({1}, {2}))", ("int", "int?"), "constant int", "constant decimal")
    yield p("in nothing", "bool", "({0} in ())", ("int", "text", "decimal?"))
    yield p("in many ints", "bool", "({0} in MANY_INTS)", ("int", "int?", "float"))
    yield p("not in many Decimals", "bool", "({0} not in MANY_DECIMALS)", ("decimal", "decimal?", "int"))
    yield p("in many texts", "bool", "({0} in MANY_TEXTS)", ("text", "text?"))
    yield p("is a colour", "bool", "({0} is {k})", ("colour", "colour?"), picks=("Colour.RED", "Colour.NONE"))
    yield p("warm", "bool", "{0}.is_warm", "colour")


def as_constants() -> Iterator[Production]:
    """Constants in a collection: those of the grammar, but nothing else."""
    for kind, known in CONSTANTS.items():
        for name, picks in known.items():
            is_refused = name == TWICE_OR_NEVER
            yield p(f"{name} in a collection", f"constant {kind}", "{k}", picks=picks, is_refused=is_refused)


def logic() -> Iterator[Production]:
    yield p("and", "bool", "({0} and {1})", "bool", "bool")
    yield p("or", "bool", "({0} or {1})", "bool", "bool")
    yield p("not", "bool", "(not {0})", "bool")
    yield p("if", "bool", "({0} if {1} else {2})", "bool", "bool", "bool")
    yield p("bools equal", "bool", "({0} == {1})", ("bool", "bool?"), ("bool", "bool?"))
    yield p("bools unequal", "bool", "({0} != {1})", ("bool", "bool?"), "bool")
    yield p("&", "bool", "({0} & {1})", "bool", "bool")
    yield p("|", "bool", "({0} | {1})", "bool", "bool")
    yield p("is True", "bool", "({0} is True)", ("bool?", "bool"))
    yield p("is not False", "bool", "({0} is not False)", ("bool?", "bool"))
    yield p("flag is None", "bool", "({0} is None)", "bool?")
    yield p("truth", "bool", "bool({0})", (*NUMBER, "text", *MAYBE_NUMBER, "text?", "bool?", "spot?"))
    yield p("no truth", "bool", "(not {0})", (*NUMBER, "text", *MAYBE_NUMBER, "text?", "bool?"))


def texts() -> Iterator[Production]:
    for name, template in {
        "startswith": "{0}.startswith({1})",
        "endswith": "{0}.endswith({1})",
        "contains": "({1} in {0})",
        "contains not": "({1} not in {0})",
    }.items():
        yield p(name, "bool", template, "text", "word")
    yield p("startswith one of", "bool", "{0}.startswith(({1}, {2}))", "text", "word", "word")
    yield p("startswith, guarded", "bool", "({0} is not None and {0}.startswith({1}))", "text?", "word")
    yield p("contains not, guarded", "bool", "({0} is None or {1} not in {0})", "text?", "word")
    yield p("starts with what is stored", "bool", "{0}.startswith({o}.name)", "text", needs=SPECIMEN, is_refused=True)
    yield p("lower", "text", "{0}.lower()", "text")
    yield p("upper", "text", "{0}.upper()", "text")
    yield p("concatenation", "text", "({0} + {1})", "text", "text")
    yield p("text or default", "text", "({0} or {1})", "text?", "text", is_branch=True)
    yield p("text if not None", "text", "({0} if {0} is not None else {1})", "text?", "text", is_branch=True)
    yield p("text if", "text", "({0} if {1} else {2})", "text", "bool", "text", is_branch=True)
    yield p("value of a member", "text", "{0}.value", "colour", is_branch=True)
    yield p("len", "int", "len({0})", "text")


def numbers() -> Iterator[Production]:
    for kind, others in {"int": ("int",), "decimal": ("int", "decimal"), "float": ("int", "float")}.items():
        for name, sign in {"+": "+", "-": "-", "*": "*"}.items():
            yield p(f"{kind} {name}", kind, f"({{0}} {sign} {{1}})", kind, others)
            if kind != "int":
                yield p(f"int {name} {kind}", kind, f"({{0}} {sign} {{1}})", "int", kind)
        yield p(f"{kind} neg", kind, "(-{0})", kind)
        yield p(f"{kind} abs", kind, "abs({0})", kind)
        yield p(f"{kind} if", kind, "({0} if {1} else {2})", kind, "bool", kind, is_branch=True)
        yield p(f"{kind} or default", kind, "({0} or {1})", f"{kind}?", kind, is_branch=True)
        yield p(f"{kind} if not None", kind, "({0} if {0} is not None else {1})", f"{kind}?", kind, is_branch=True)
        yield p(f"{kind} max", kind, "max({0}, {1})", kind, kind, is_branch=True)
    yield p("decimal + float", "float", "({0} + {1})", "decimal", "float", is_refused=True)
    yield p("min of mixed", "decimal", "min({0}, {1})", "int", "decimal", is_branch=True)
    yield p("%", "int", "({0} % {1})", "int", "divisor")
    yield p("a bool as a number", "int", "({0})", "bool", is_branch=True)
    yield p("year", "int", "{0}.year", "date")
    yield p("month", "int", "{0}.month", "date")
    yield p("day", "int", "{0}.day", "date")
    yield p("a helper", "decimal", "half({0})", "int")
    for kind in ("date", "naive", "aware", "uuid"):
        yield p(f"{kind} if not None", kind, "({0} if {0} is not None else {1})", f"{kind}?", kind, is_branch=True)
        yield p(f"{kind} max", kind, "max({0}, {1})", kind, kind, is_branch=True)
    yield p("//", "int", "({0} // 2)", "int", is_refused=True)


def values() -> Iterator[Production]:
    yield p("name of a spot", "text", "{0}.name", "spot", is_branch=True)
    yield p("row of a spot", "int?", "{0}.row", "spot", is_branch=True)
    yield p("amount", "decimal", "{0}.amount", "money", is_branch=True)
    yield p("method of a spot", "bool", "{0}.is_named({1})", "spot", "text")
    yield p("spot, guarded", "bool", "({0} is not None and {0}.name == {1})", "spot?", "text")
    yield p("spot if not None", "spot", "({0} if {0} is not None else {1})", "spot?", "spot", is_branch=True)
    yield p("method", "bool", "{o}.is_over({0})", "int", needs=SPECIMEN)
    yield p("colour if not None", "colour", "({0} or {1})", "colour?", "colour", is_branch=True)


# --- aggregates ---------------------------------------------------------------------------------------


def aggregates() -> Iterator[Production]:
    for outer, name, inner in ((SPECIMEN, "parts", PART), (PART, "grains", GRAIN)):
        more = {"needs": outer, "binds": (inner,)}

        def of(
            what: str, makes: str, template: str, *takes: str | Types, loop: str = "", **extra: object
        ) -> Production:
            source = f"for {{v}} in {{o}}.{name}" + loop  # noqa: B023  # called within this turn
            given = {**more, "inside": tuple(range(len(takes))), **extra}  # noqa: B023
            return p(f"{what} of {name}", makes, template.replace("LOOP", source), *takes, **given)  # noqa: B023

        yield of("any", "bool", "any({0} LOOP)", "bool")
        yield of("all", "bool", "all({0} LOOP)", "bool")
        yield of("any if", "bool", "any({0} LOOP if {1})", "bool", "bool")
        yield of("all if", "bool", "all({0} LOOP if {1})", "bool", "bool")
        for kind, picks, loop in (
            (INT_TURN, ("(1, 2)", "(3, 0, -1)", "[2]", "()", "(1, 2**53, 0)"), "int"),
            (DECIMAL_TURN, ("(D('0.1'), D(2))", "(D('1.50'), D('-0.00'))"), "decimal"),
            (TEXT_TURN, ("('a', 'b')", "('', 'A ')"), "text"),
        ):
            both: dict[str, Any] = {"binds": (inner, kind), "picks": picks, "loop": " for {w} in {k}"}
            yield of(f"any over {loop}", "bool", "any({0} LOOP)", "bool", **both)
            if loop == "int":
                yield of(f"all over {loop}", "bool", "all({0} LOOP if {1})", "bool", "bool", **both)
                yield of(f"sum over {loop}", "int", "sum({0} LOOP)", "int", **both)
                yield of(f"sum over {loop} if", "int", "sum({0} LOOP if {1})", "int", "bool", **both)
        yield of("sum", "int", "sum({0} LOOP)", "int")
        yield of("sum if", "int", "sum({0} LOOP if {1})", "int", "bool")
        yield of("Decimal sum", "decimal", "sum({0} LOOP)", "decimal")
        yield of("Decimal sum if", "decimal", "sum({0} LOOP if {1})", "decimal", "bool")
        yield of("float sum", "float", "sum({0} LOOP)", "float", is_refused=True)
        yield of("count if", "int", "sum(1 LOOP if {0})", "bool")
        yield of("sum of truths", "int", "sum({0} LOOP)", "bool")
        yield of("sum with a start", "decimal", "sum(({0} LOOP), {1})", "decimal", "decimal", inside=(0,))
        yield p(f"len of {name}", "int", f"len({{o}}.{name})", needs=outer)
        yield p(f"no {name}", "bool", f"(not {{o}}.{name})", needs=outer)
        yield p(f"some {name}", "bool", f"bool({{o}}.{name})", needs=outer)
    yield p("method with a sum", "decimal", "{o}.worth()", needs=SPECIMEN)
    yield p("a list comprehension", "int", "len([1 for _ in {o}.parts])", needs=SPECIMEN, is_refused=True)


# --- wholes -------------------------------------------------------------------------------------------


def wholes() -> Iterator[Production]:
    yield p("a lambda", "rule", "lambda u: {0}", "bool")
    yield p("a function", "rule", "return {0}", "bool")
    yield p("an early return", "rule", "if {0}:\n    return {1}\nreturn {2}", "bool", "bool", "bool")
    yield p(
        "match", "rule", "match {0}:\n    case Colour.RED:\n        return {1}\n    case _:\n        return {2}",
        ("colour", "colour?"), "bool", "bool",
    )  # fmt: skip
    yield p("walrus", "rule", "return (n := {0}) > {1} or n == {2}", "int", "int", "int")
    yield p("a variable", "rule", "text = {0}\nreturn text == {1} or {2}", "text", "text", "bool")
    yield p("a loop over constants", "rule", "for n in (1, 3):\n    if {0} == n:\n        return {1}\nreturn {2}",
            "int", "bool", "bool")  # fmt: skip
    yield p("try", "rule", "try:\n    return {0} < {1}\nexcept TypeError:\n    return {2}", "int?", "int", "bool")


_EXPRESSIONS = (
    *(*attributes(), *constants(), *comparisons(), *as_constants(), *logic(), *texts(), *numbers(), *values()),
    *aggregates(),
)
_PLAIN = tuple(each for each in _EXPRESSIONS if not each.makes.startswith("="))
_STRAIGHT = tuple(each for each in _EXPRESSIONS if each.makes.startswith("=")) + tuple(straight(_PLAIN))
_ORDERED = tuple("=" + kind for kind in ("int", "float", "decimal", "text", "date", "naive", "aware", "time", "uuid"))
_SHOWN = (*_ORDERED, *("=" + kind for kind in ("bool", "colour", "bytes", "delta", "spot", "money", "range")))


def orders() -> Iterator[Production]:
    yield p("one key", "order", "({0},)", "key")
    yield p("three keys", "order", "({0}, {1}, {2})", "key", "key", "key")
    yield p("four keys", "order", "({0}, {1}, {2}, {3})", "key", "key", "key", "key")
    yield p("a key", "key", "{0}", _ORDERED)
    yield p("desc", "key", "desc({0})", _ORDERED)
    yield p("nulls first", "key", "nulls_first({0})", _ORDERED)
    yield p("nulls first, desc", "key", "nulls_first(desc({0}))", _ORDERED)
    yield p("a bool as a key", "key", "{o}.is_on", needs=SPECIMEN)


def projections() -> Iterator[Production]:
    yield p("a column", "projection", "({0},)", _SHOWN)
    yield p("four columns", "projection", "({0}, {1}, ({2},), {3})", _SHOWN, _SHOWN, _SHOWN, _SHOWN)
    yield p("three columns", "projection", "({0}, ({1}, {2}))", _SHOWN, _SHOWN, _SHOWN)
    for kind in ("is_on", "flag"):
        yield p(f"={kind}", "=bool", f"{{o}}.{kind}", needs=SPECIMEN)


def _grammar(root: str, own: Iterable[Production], others: Iterable[Production] = ()) -> Grammar:
    mine = tuple(own)
    return Grammar(root, (*mine, *others), frozenset(each.name for each in mine))


RULES = _grammar("rule", (*_PLAIN, *wholes()))
# Expressions without branches are the same in both: what they are made of is counted in projections.
ORDERS = _grammar("order", orders(), (*_STRAIGHT, *_PLAIN))
PROJECTIONS = _grammar("projection", (*projections(), *_STRAIGHT), _PLAIN)
