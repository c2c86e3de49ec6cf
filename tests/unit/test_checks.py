"""What a CHECK may say, so that memory and every database say the same of it."""

from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Time,
    TypeDecorator,
    Uuid,
    and_,
    case,
    column,
    extract,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    text,
    true,
)
from sqlalchemy.engine.url import make_url
from sqlalchemy.schema import CreateTable

from honestwork.adapters import Mapping, MemoryStore
from honestwork.adapters.plan.checks import read_condition
from honestwork.adapters.queries.evaluation import Rows, compile_condition
from honestwork.domain import MappingRefused
from tests.unit.doctoring import fresh


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Reversed(TypeDecorator[str]):
    impl = String(5)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]


class Plain(TypeDecorator[str]):
    impl = String(5)
    cache_ok = True


NAMES: dict[str, Any] = {
    "number": Integer,
    "count": Integer,
    "small": SmallInteger,
    "big": BigInteger,
    "real": Float,
    "price": Numeric(10, 2),
    "fee": Numeric(10, 2),
    "day": Date,
    "at": DateTime(timezone=True),
    "local": DateTime,
    "clock": Time,
    "span": Interval,
    "text": String(5),
    "plain": Plain,
    "reversed": Reversed,
    "colour": Enum(Colour),
    "word": Enum("a", "b", name="word"),
    "term": Enum("a", "b", name="term"),
    "data": LargeBinary,
    "json": JSON,
    "key": Uuid,
    "flag": Boolean,
    "done": Boolean,
}
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def declared(check: Any, mapping: Mapping | None = None) -> Table:
    """A mapped table with this CHECK: an expression of its columns `c`, or a text."""
    mapping = mapping or Mapping()
    table = Table(
        "things",
        mapping.metadata,
        Column("id", Integer, primary_key=True),
        *(Column(name, kind) for name, kind in NAMES.items()),
    )
    table.append_constraint(CheckConstraint(check(table.c) if callable(check) else check, name="ck"))
    mapping.aggregate(fresh(), table)
    return table


def store(check: Any) -> MemoryStore:
    mapping = Mapping()
    declared(check, mapping)
    return MemoryStore(mapping)


def finding(check: Any) -> str:
    """What the doctor says of it."""
    with pytest.raises(MappingRefused) as caught:
        store(check)
    (said,) = caught.value.findings
    return said


def written(check: Any, dialect: str) -> str:
    """The CHECK, as a database is told of it."""
    sql = str(CreateTable(declared(check)).compile(dialect=make_url(f"{dialect}://").get_dialect()()))
    return " ".join(sql.partition(" CHECK ")[2].split()).removesuffix(")").strip()


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda c: c.price >= 0.1, "mixes price (Decimal) with 0.1 (float)"),
        (lambda c: c.price == c.real, "mixes price (Decimal) with real (float)"),
        (lambda c: c.real == c.big, "a float cannot express every whole number"),
        (lambda c: c.real >= 0.30000000000000004, "write at most 15 digits"),
        (lambda c: c.real >= 9007199254740993, "write at most 15 digits"),
        (lambda c: c.real >= float("nan"), "compare with a finite number"),
        (lambda c: c.price >= Decimal("Infinity"), "compare with a finite number"),
        (lambda c: c.price >= Decimal("1.0000000000000001"), "of more than 15 digits"),
        (lambda c: c.number >= 10**30, "more than 64 bits hold"),
        (lambda c: c.number == 0.5, "which none of its values equals"),
        (lambda c: c.number.in_([0.5, Decimal("1.5")]), "which none of its values equals"),
        (lambda c: c.number * c.real > 1, "calculates with real (float)"),
        (lambda c: c.real * 2 > 0.5, "calculates with real (float)"),
        (lambda c: c.number + c.count - 1 > 2 * c.big, "more than 18"),
        (lambda c: -c.big > 0, "more than 18"),
        (lambda c: func.abs(c.big) > 0, "more than 18"),
        (lambda c: c.price * c.number > 1, "may have 20 digits"),
        (lambda c: c.number % c.count == 1, "a positive constant"),
        (lambda c: c.number % -2 == 1, "a positive constant"),
        (lambda c: c.number / 2 > 1, "round differently"),
        (lambda c: c.at - c.at > dt.timedelta(1), "calculates with at (datetime)"),
        (lambda c: c.at + c.span > NOON, "calculates with at (datetime)"),
        (lambda c: c.day - c.day > 1, "calculates with day (date)"),
        (lambda c: c.day >= NOON, "mixes day (date)"),
        (lambda c: c.at >= dt.date(2024, 1, 1), "mixes at (datetime)"),
        (lambda c: c.local >= NOON, "give the constant none"),
        (lambda c: c.at >= NOON.replace(tzinfo=None), "give the constant one"),
        (lambda c: c.local == c.at, "store both with a time zone"),
        (lambda c: c.clock >= dt.time(12, tzinfo=dt.UTC), "has no time zone"),
        (lambda c: extract("year", c.at) > 2000, "uses the year of at (datetime)"),
        (lambda c: extract("dow", c.day) > 1, "the year, month and day of a date"),
        (lambda c: c.colour < Colour.BLUE, "sorts enums in its own way"),
        (lambda c: c.colour != "RED", "mixes colour (Colour) with 'RED' (str)"),
        (lambda c: c.colour.in_(["RED"]), "mixes colour (Colour) with 'RED' (str)"),
        (lambda c: c.word > "a", "sorts enums in its own way"),
        (lambda c: c.word == "c", "mixes word (an enumeration)"),
        (lambda c: c.word == c.term, "mixes word (an enumeration)"),
        (lambda c: c.word == c.text, "mixes word (an enumeration)"),
        (lambda c: func.length(c.word) > 1, "no text on every database"),
        (lambda c: c.reversed == "ab", "only be asked whether it is NULL"),
        (lambda c: func.length(c.reversed) > 1, "no text on every database"),
        (lambda c: c.json != {}, "only be asked whether it is NULL"),
        (lambda c: c.data != b"", "only be asked whether it is NULL"),
        (lambda c: func.length(c.number) > 1, "no text on every database"),
        (lambda c: c.number.in_([]), "an empty list"),
        (lambda c: c.number.not_in([]), "an empty list"),
        (lambda c: c.number.in_([1, 0.5]) & (c.price == 0.5), "mixes price (Decimal) with 0.5 (float)"),
        (lambda c: c.number.between(5, 1, symmetric=True), "which not every database has"),
        (lambda c: c.text > 1, "mixes text (str) with 1 (int)"),
        (lambda c: c.text > "a\0", "a NUL character"),
        (lambda c: c.text.like("\ud800"), "a lone surrogate"),
        (lambda c: c.text.like("50\\%"), "name another character, ESCAPE '/'"),
        (lambda c: c.text.like("/a", escape="/"), "quotes what needs no quoting"),
        (lambda c: c.text.like(c.plain), "a constant text"),
        (lambda c: c.text.like("_" * 4001), "more than 4000 characters"),
        (lambda c: c.text.ilike("a"), "knows ASCII alone"),
        (lambda c: func.lower(c.text) == c.text, "knows ASCII alone"),
        (lambda c: func.concat(c.text, "a") == "aa", "write ||"),
        (lambda c: func.coalesce(c.number, c.count) > 1, "a constant instead of NULL"),
        (lambda c: func.coalesce(c.number, 0.5) > 1, "which none of its values equals"),
        (
            lambda c: func.coalesce(c.day, dt.date(2024, 1, 1)) > dt.date(2024, 1, 1),
            "a number or a text has a constant",
        ),
        (lambda c: func.nullif(c.number, 0) > 1, "which not every database has"),
        (lambda c: case((c.number > 1, c.count), else_=0) > 1, "which not every database has"),
        (lambda c: c.text.regexp_match("a"), "which not every database has"),
        (lambda c: c.text.op("~")("a"), "which not every database has"),
        (lambda c: c.text.collate("C") == "a", "which not every database has"),
        (lambda c: c.flag > c.flag, "write and, or, not"),
        (lambda c: c.flag == 1, "mixes flag (bool) with 1 (int)"),
        (lambda c: c.number == True, "mixes number (int) with True (bool)"),  # noqa: E712
        (lambda c: and_(c.number, c.flag), "uses number (int) as a condition"),
        (lambda c: literal(1) == literal(1), "two constants"),
        (lambda c: c.id > 0, "a generated key, which MariaDB does not allow"),
        (lambda c: column("nobody") > 0, "no column of the table"),
        (lambda c: or_(c.flag, text("number > 0 AND count > 0")), "a text within an expression"),
        (lambda c: or_(c.flag, literal_column("number > 0")), "which not every database has"),
    ],
)
def test_what_databases_answer_each_in_their_own_way_is_refused(check: Any, said: str) -> None:
    told = finding(check)

    assert told.startswith("the check ck of things ")
    assert told.endswith("mapping.check_twin('ck', lambda row: …)")
    assert said in told


@pytest.mark.parametrize(
    "check",
    [
        lambda c: c.price >= Decimal("0.1"),
        lambda c: c.price >= 1,
        lambda c: c.price.between(0, c.fee),
        lambda c: c.price + c.fee == 1,
        lambda c: c.price * 2 > 1,
        lambda c: c.number + c.count - 1 > 2 * c.count,
        lambda c: c.number * c.count > c.big,
        lambda c: c.number.in_([1, 0.5]),
        lambda c: c.number % 2 == 1,
        lambda c: c.number > 2.5,
        lambda c: c.real > c.number,
        lambda c: c.real > 0.5,
        lambda c: func.abs(c.real) > 1,
        lambda c: c.day >= dt.date(2024, 1, 1),
        lambda c: extract("year", c.day) * 100 + extract("month", c.day) > 202401,
        lambda c: c.at.between(NOON, NOON),
        lambda c: c.clock >= dt.time(12),
        lambda c: c.span > dt.timedelta(1),
        lambda c: c.colour != Colour.RED,
        lambda c: c.colour.in_([Colour.RED, None]),
        lambda c: c.word.in_(["a"]),
        lambda c: (c.text > "a") == (func.length(c.plain) > 1),
        lambda c: func.char_length(c.text + "a") > func.character_length(c.plain),
        lambda c: c.text.startswith("a") | c.text.contains("b", autoescape=True) | ~c.text.endswith("c", escape="!"),
        lambda c: c.json.is_not(None) | c.data.is_(None) | c.reversed.is_(None),
        lambda c: c.key == c.key,
        lambda c: c.number.is_(c.count) | c.number.is_distinct_from(3),
        lambda c: c.flag & ~c.flag,
        lambda c: c.flag == True,  # noqa: E712
        lambda c: not_(or_(c.flag, null(), true())),
        lambda c: column("number") > 0,
    ],
)
def test_what_all_databases_answer_alike_is_accepted(check: Any) -> None:
    store(check)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("number >", "no condition in SQL"),
        ("number > 0; DROP TABLE things", "no condition in SQL"),
        ("", "no condition in SQL"),
        ("number", "uses number (int) as a condition"),
        ("nobody > 0", "asks for nobody, which is no column"),
        ("others.number > 0", "asks for others.number, which is no column"),
        ('"Number" > 0', "asks for Number, which is no column"),
        ("number > :bound", "which not every database has"),
        ("number = '1'", "mixes number (int) with '1' (str)"),
        ("text = 1", "mixes text (str) with 1 (int)"),
        ("text::int > 1", "which not every database has"),
        ("number > (SELECT 1)", "which not every database has"),
        ("text ILIKE 'a'", "knows ASCII alone"),
        ("lower(text) = text", "knows ASCII alone"),
        ("number / 2 > 1", "round differently"),
        ("day > '01.02.2024'", "has '01.02.2024' for a date"),
        ("day > '2024-02-30'", "has '2024-02-30' for a date"),
        ("day > current_date", "which not every database has"),
        ("at > '2024-01-01 12:00:00'", "give the constant one"),
        ("at > TIMESTAMP '2024-01-01 12:00:00+01:00'", "and it is the other"),
        ("local > TIMESTAMP WITH TIME ZONE '2024-01-01 12:00'", "and it is the other"),
        ("span > INTERVAL '1 month'", "which not every database has"),
        ("colour = 'GREEN'", "none of RED, BLUE"),
        ("number BETWEEN SYMMETRIC 3 AND 1", "which not every database has"),
        ("big * (big * 0) = 0", "more than 18"),
        ("flag = done IS NULL", "put it in parentheses"),
        ("flag IS NULL = done", "put it in parentheses"),
        ("number < count = flag", "put it in parentheses"),
        ("flag = NOT done", "put it in parentheses"),
        ("CASE WHEN flag THEN 1 ELSE 2 END = 1", "which not every database has"),
    ],
)
def test_a_text_that_not_every_database_reads_alike_is_refused(check: str, said: str) -> None:
    told = finding(check)

    assert told.startswith("the check ck of things ")
    assert said in told


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("number > 0 AND NOT (count IN (1, 2.5, NULL))", lambda c: (c.number > 0) & c.count.not_in([1, 2.5, None])),
        ("NUMBER <> 1 OR things.count = -(2)", lambda c: (c.number != 1) | (c.count == -2)),
        ("number BETWEEN count AND 3", lambda c: c.number.between(c.count, 3)),
        ("number NOT BETWEEN 1 AND 3", lambda c: ~c.number.between(1, 3)),
        ("number IS NOT DISTINCT FROM count", lambda c: c.number.is_(c.count)),
        ("flag IS NOT TRUE AND number IS NULL", lambda c: c.flag.is_not(True) & c.number.is_(None)),
        ("flag = 1", lambda c: c.flag),
        ("(flag = done) IS NULL", lambda c: (c.flag == c.done).is_(None)),
        ("number - count - 1 = 2 OR flag AND done", lambda c: (c.number - c.count - 1 == 2) | c.flag & c.done),
        ("price + fee >= 0.30", lambda c: c.price + c.fee >= Decimal("0.30")),
        ("real >= 0.5 AND 1 < number", lambda c: (c.real >= 0.5) & (c.number > 1)),
        (
            "coalesce(price, 0) + coalesce(fee, 0.5) > 1 AND coalesce(text, '') <> 'a'",
            lambda c: (
                (func.coalesce(c.price, 0) + func.coalesce(c.fee, Decimal("0.5")) > 1)
                & (func.coalesce(c.text, "") != "a")
            ),
        ),
        ("abs(small) % 2 = 1", lambda c: func.abs(c.small) % 2 == 1),
        ("text NOT LIKE 'a/%%' ESCAPE '/'", lambda c: ~c.text.like("a/%%", escape="/")),
        ("length(text || plain) <= 5", lambda c: func.length(c.text + c.plain) <= 5),
        ("text = 'it''s'", lambda c: c.text == "it's"),
        ("day >= '2024-01-01'", lambda c: c.day >= dt.date(2024, 1, 1)),
        ("day >= DATE '2024-01-01'", lambda c: c.day >= dt.date(2024, 1, 1)),
        ("at > TIMESTAMP WITH TIME ZONE '2024-01-01 13:00:00+01:00'", lambda c: c.at > NOON),
        ("local > '2024-01-01 12:00'", lambda c: c.local > NOON.replace(tzinfo=None)),
        ("span > INTERVAL '36 hours'", lambda c: c.span > dt.timedelta(days=1.5)),
        ("colour = 'RED' AND word <> 'a'", lambda c: (c.colour == Colour.RED) & (c.word != "a")),
        ("extract(year from day) > 2000", lambda c: extract("year", c.day) > 2000),
    ],
)
def test_a_text_means_what_the_expression_means(text: str, expression: Any) -> None:
    assert written(text, "postgresql") == written(expression, "postgresql")


SPELLED: list[tuple[Any, dict[str, str]]] = [
    (lambda c: c.number.in_([5, 0.5, 6]), {"": "(number IN (5, 6))"}),
    (lambda c: c.price > Decimal("1E+2"), {"": "(price > 100)"}),
    (lambda c: c.real > 1.0, {"": "(real > 1.0e0)", "mysql": "(`real` > 1.0e0)"}),
    (lambda c: c.text.like("a_%"), {"": "(text LIKE 'a_%%' ESCAPE '/')", "sqlite": "(text GLOB 'a?*')"}),
    (lambda c: c.text == "\\", {"": "(text = '\\')", "mysql": "(text = '\\\\')"}),
    (
        lambda c: c.at > dt.datetime(2024, 1, 1, 5, tzinfo=dt.timezone(dt.timedelta(hours=5))),
        {
            "sqlite": "(at > '2024-01-01 00:00:00.000000')",
            "postgresql": "(at > '2024-01-01 00:00:00+00:00')",
            "mysql": "(at > '2024-01-01 00:00:00')",
        },
    ),
    (
        lambda c: c.span > dt.timedelta(hours=-1),
        {"": "(span > -3600000000)", "postgresql": "(span > INTERVAL '-1 days 82800.000000 seconds')"},
    ),
    (
        lambda c: c.number * c.count > 1,
        {"": "(number * count > 1)", "postgresql": "(CAST(number AS BIGINT) * count > 1)"},
    ),
    (
        lambda c: c.price * 2 > c.fee,
        {
            "": "(price * 2 > fee)",
            "sqlite": "(CAST(round(price * 100) AS INTEGER) * 2 > CAST(round(fee * 100) AS INTEGER))",
        },
    ),
    (
        lambda c: c.number.is_(c.count),
        {
            "": "((number = count OR number IS NULL AND count IS NULL) IS true)",
            "sqlite": "((number = count OR number IS NULL AND count IS NULL) IS 1)",
        },
    ),
    (lambda c: (~c.flag).is_(True), {"postgresql": "((NOT flag) IS true)"}),
]


@pytest.mark.parametrize(("check", "spelled"), SPELLED)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_each_database_is_told_in_its_own_words(check: Any, spelled: dict[str, str], dialect: str) -> None:
    expected = spelled.get(dialect) or spelled.get("", "")

    assert expected == "" or written(check, dialect) == expected


@pytest.mark.parametrize("where", [lambda c: c.number > 0, lambda c: text("number > 0")])
def test_the_condition_of_an_index_is_read_as_a_check_is(where: Any) -> None:
    table = declared("flag")
    formula = read_condition(where(table.c), table, "the index ix of things", "leave it out")
    holds = compile_condition(formula, Rows({("number",): 0}))

    assert [holds((number,)) for number in (1, 0, None)] == [True, False, False]


def test_an_index_whose_condition_cannot_be_read_is_told() -> None:
    table = declared("flag")

    with pytest.raises(MappingRefused, match=r"^[^;]*the index ix of things has .* in it, [^;]*; leave it out"):
        read_condition(func.now() > table.c.at, table, "the index ix of things", "leave it out")


def test_without_sqlglot_a_text_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)

    told = finding("number > 0")

    assert "pip install 'honestwork[checks]'" in told
    assert "CheckConstraint(things.c.column >= 0)" in told
    assert "mapping.check_twin('ck'" in told


@pytest.mark.skipif(sys.platform == "emscripten", reason="starts no process")
def test_sqlglot_is_imported_where_a_text_is_met_and_not_before() -> None:
    program = """
import sys
from sqlalchemy import CheckConstraint, Column, Integer, Table
from honestwork.adapters import Mapping, MemoryStore
from honestwork.adapters.plan.checks import read_condition
from honestwork.adapters.queries.evaluation import Rows, compile_condition
for check in (lambda c: c.n > 0, lambda c: "n > 0"):
    mapping = Mapping()
    table = Table("things", mapping.metadata, Column("id", Integer, primary_key=True), Column("n", Integer))
    table.append_constraint(CheckConstraint(check(table.c), name="ck"))
    mapping.aggregate(type("Thing", (), {}), table)
    MemoryStore(mapping)
    print("sqlglot" in sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (printed.stderr, printed.stdout) == ("", "False\nTrue\n")


def test_a_check_with_a_twin_may_say_what_it_likes() -> None:
    mapping = Mapping()
    declared("lower(text) = text", mapping)
    mapping.check_twin("ck", lambda row: row["text"] is None or row["text"].lower() == row["text"])

    mapping.check()
