"""Formulas as SQLAlchemy expressions: the SQL that a person would write, with the same answer everywhere.

    select(User).where(where(trace(adult, User), User)).order_by(*order_by(keys, User))

Constants become bind parameters, so SQLAlchemy compiles a statement once and finds it in its cache after.

Databases differ where Python does not. What is done about it:

| Python         | what goes wrong                              | what is written instead                |
|----------------|----------------------------------------------|----------------------------------------|
| startswith, in | LIKE ignores case on SQLite and on MariaDB   | GLOB; LIKE with a binary collation     |
| == of texts    | ignores case and trailing blanks on MariaDB  | a binary collation                     |
| < of texts     | follows the language of the database         | COLLATE "C", utf8mb4_nopad_bin         |
| lower, upper   | ASCII alone on SQLite, and under COLLATE "C" | Python's own on SQLite; see `CASE`     |
| len            | bytes on MariaDB                             | char_length                            |
| %              | has the sign of the dividend                 | (x % n + n) % n                        |
| + - * of ints  | 32 bits on PostgreSQL                        | CAST(x AS BIGINT)                      |
| + * of Decimal | floats on SQLite                             | functions of ours: see `decimals`      |
| order of UUIDs | by the node first on MariaDB                 | CAST(x AS CHAR(36))                    |
| order of None  | first or last                                | NULLS LAST; x IS NULL, x on MariaDB    |
| in many values | a limit on the parameters of a statement     | one parameter: see `_Many`             |

A collation is written only where the column has not got it already, and beside the constant rather than
the column, so that an index is of use.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.url import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from ...domain.errors import RuleRefused
from ...rules.facts import Facts, annotated
from ...rules.formula import TRUE, Expr, strip_guards
from ...rules.order import OrderKey
from ...rules.trace import trace
from ..internals import variants_of
from ..mapping.spelling import OPERATORS, Length, Wide
from .decimals import CALCULATIONS, EXACTLY, Apart, ByValue, Number, register_decimals

__all__ = ["MANY", "column", "explain", "learn_collations", "order_by", "register_functions", "where"]

Column = sa.ColumnElement[Any]

MANY, MANY_IN_ALL = 500, 5_000
"""The set of an `in` with more values is sent as one parameter, also if all sets of a rule have more together."""

MARIADB = ("mysql", "mariadb")
BINARY = {"postgresql": '"C"', "mysql": "utf8mb4_nopad_bin", "mariadb": "utf8mb4_nopad_bin"}
"""The collations that compare as Python does: by code point, and 'a' is not 'a '."""


def where(formula: Expr, entity: Any) -> sa.ColumnElement[bool]:
    """The condition for a WHERE on *entity*, a mapped class or an alias of one."""
    return _Compiler(entity).condition(formula)


def column(expression: Expr, entity: Any) -> Column:
    """The value of an expression, for a SELECT of columns."""
    return _Compiler(entity).value(expression)


def order_by(keys: Sequence[OrderKey], entity: Any) -> list[Any]:
    """The elements of an ORDER BY on *entity*."""
    compiler = _Compiler(entity)
    return [_ordered(key, compiler.value(key.expression)) for key in keys]


def register_functions(dbapi_connection: Any) -> None:
    """Give SQLite the lower() and upper() of Python, for it knows ASCII alone, and SQLite and MariaDB exact Decimals.

    To be called once for each new connection, by the listener for the engine's "connect" event that also
    sets the pragmas. The connections of other databases are left as they are.
    """
    if hasattr(dbapi_connection, "create_function"):
        for name, function in (("lower", str.lower), ("upper", str.upper), (DECODED, _decoded)):
            dbapi_connection.create_function(name, 1, _null_strict(function), deterministic=True)
    register_decimals(dbapi_connection)


def learn_collations(dialect: Dialect, cursor: Any) -> None:
    """Note, at the first connection to a PostgreSQL server, by which collation it has Python's lower() and upper()."""
    if hasattr(dialect, CASE):
        return
    # A server that was built without ICU has none of its collations.
    cursor.execute(
        "SELECT collname FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace"
        " AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))"
    )
    known = {name for (name,) in cursor.fetchall()}
    setattr(dialect, CASE, next((each for each in CASE_COLLATIONS if each in known), None))


def explain(rule: Callable[[Any], bool], cls: type, dialect: str | None = None, *, facts: Facts = annotated) -> str:
    """What a rule stands for: its formula, and the condition in SQL if a *dialect* is named.

        >>> print(explain(adult, User, "postgresql"))
        age >= 18 and name.startswith('J')
        users.age >= 18 AND users.name LIKE 'J%' ESCAPE '/'

    Raises RuleRefused if no query can answer the rule.
    """
    formula = trace(rule, cls, facts=facts)
    if dialect is None:
        return str(formula)
    statement = sa.select(sa.literal(1)).select_from(cls).where(where(formula, cls))
    text = str(statement.compile(dialect=_dialect(dialect), compile_kwargs={"literal_binds": True}))
    return f"{formula}\n{' '.join(text.split()).partition(' WHERE ')[2]}"


# --- formulas -----------------------------------------------------------------------------------------

_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


class _Compiler:
    """Compiles formulas on one entity. Scope 0 is the entity itself; EXISTS and sums open others."""

    def __init__(self, entity: Any) -> None:
        self.entities: dict[int, Any] = {0: entity}
        self.members = 0  # of sets: parameters of the statement

    def condition(self, formula: Expr) -> sa.ColumnElement[bool]:
        # A condition is asked for where unknown counts as false, so guards can go.
        return cast("sa.ColumnElement[bool]", self.value(strip_guards(formula)))

    def value(self, e: Expr, like: TypeEngine[Any] | None = None) -> Column:
        match e.op:
            case "const":
                return _constant(e.args[0], like)
            case "attr":
                scope, path, _ = e.args
                return _attribute(self.entities[scope], path)
            case "and":
                return sa.and_(*[self.value(part) for part in e.args])
            case "or":
                return sa.or_(*[self.value(part) for part in e.args])
            case "not":
                return self._negated(e.args[0])
            case "isnull":
                return self.value(e.args[0]).is_(None)
            case "notnull":
                return self.value(e.args[0]).is_not(None)
            case "in" | "notin":
                return self._membership(e)
            case "startswith" | "endswith" | "contains":
                return _Matches(self.value(e.args[0]), _pattern(e))
            case "exists":
                outer, path, inner, cls, formula = e.args
                return self._children(outer, path, inner, cls, formula, sa.literal_column("1")).exists()
            case "sum":
                return self._sum(e)
        if e.op in OPERATORS:
            return self._binary(e)
        return self._unary(e)

    def _negated(self, e: Expr) -> Column:
        if e.op in ("startswith", "endswith", "contains"):
            return _MatchesNot(self.value(e.args[0]), _pattern(e))
        return sa.not_(self.value(e))

    def _membership(self, e: Expr) -> Column:
        subject = self.value(e.args[0])
        constants = [each.args[0] for each in e.args[1]]
        subject_type = subject.type
        subject = _Exactly(subject) if e.args[0].type is str and not _is_binary(subject_type) else subject
        kind = EXACTLY if _is_calculated(e.args[0]) else _bind_type(constants, subject_type)
        self.members += len(constants)
        if len(constants) > MANY or self.members > MANY_IN_ALL:
            return (_Among if e.op == "in" else _NotAmong)(subject, constants, kind or subject_type)
        members = sa.bindparam(None, constants, type_=kind, expanding=True, unique=True)
        return subject.in_(members) if e.op == "in" else subject.not_in(members)

    def _binary(self, e: Expr) -> Column:
        first, second = e.args
        if e.type is Decimal:
            return CALCULATIONS[e.op](self._operand(first), self._operand(second))
        if _is_calculated(first) or _is_calculated(second):
            right = self._number(second)
            right = right if e.op in ("eq", "ne") else ByValue(right)
            return cast(Column, OPERATORS[e.op](self._number(first), right))
        calculated = e.type if e.op not in _COMPARISONS and e.type is int else None
        left = None if first.op == "const" else self.value(first)
        right = self.value(second, like=_LARGE if calculated else left.type if left is not None else None)
        if left is None:
            left = self.value(first, like=_LARGE if calculated else right.type)
        if e.op in _COMPARISONS:
            if first.type in (str, UUID):
                # On the right, so that an index on the attribute at the left is of use.
                ordering = e.op not in ("eq", "ne")
                right = _for_order(left, right, first.type) if ordering else _for_equality(left, right, first.type)
                left = _ByCodePoint(left) if ordering and first.type is UUID else left
        elif e.type is int and first.op in ("attr", "length") and second.op != "const":
            left = _wide(left)  # beside a constant it is wide enough: that is sent as a BIGINT
        if second.op == e.op and e.op in ("add", "mul"):
            right = Apart(right)
        return cast(Column, OPERATORS[e.op](left, right))

    def _unary(self, e: Expr) -> Column:
        if e.op == "concat":
            left, right = (self.value(each, like=sa.String()) for each in e.args)
            return left.concat(right)
        operand = self.value(e.args[0])
        if e.type is Decimal:
            return CALCULATIONS[e.op](operand)
        match e.op:
            case "neg":
                return -_wide(operand)
            case "abs":
                return sa.func.abs(_wide(operand), type_=operand.type)
            case "lower":
                return _Lower(operand)
            case "upper":
                return _Upper(operand)
            case "length":
                return Length(operand)
            case "mod":
                divisor = self.value(e.args[1], like=_LARGE)
                return (operand % divisor + divisor) % divisor
            case _:
                return sa.extract(e.op, operand)

    def _operand(self, e: Expr) -> Column:
        """A number in a calculation with Decimals."""
        return sa.bindparam(None, e.args[0], type_=EXACTLY, unique=True) if e.op == "const" else self.value(e)

    def _number(self, e: Expr) -> Column:
        """A number beside a calculation with Decimals."""
        return self._operand(e) if e.op == "const" or _is_calculated(e) else Number(self.value(e))

    # --- children -------------------------------------------------------------------------------------

    def _children(
        self, outer: int, path: tuple[str, ...], inner: int, cls: type, formula: Expr, what: Any
    ) -> sa.Select[Any]:
        """`SELECT what FROM children WHERE they are those of the outer entity AND formula`."""
        parent = self.entities[outer]
        link = getattr(parent, path[0])
        if isinstance(parent, type) and not any(_same_table(each, cls) for each in self.entities.values()):
            child, join = cls, link.property.primaryjoin
        else:  # a table that is in use outside already: under another name
            child = aliased(cls)
            join = link.of_type(child).__clause_element__()
        self.entities[inner] = child
        statement = sa.select(what).select_from(child).where(join)
        if formula is not TRUE:
            statement = statement.where(self.condition(formula))
        return statement.correlate(*[each for scope, each in self.entities.items() if scope < inner])

    def _sum(self, e: Expr) -> Column:
        outer, path, inner, cls, formula, value = e.args
        if value == Expr("const", (1,), int):
            return self._children(outer, path, inner, cls, formula, sa.func.count()).scalar_subquery()
        # The columns of the children are known only once their scope is open.
        opened = self._children(outer, path, inner, cls, formula, sa.literal_column("1"))
        added = self.value(value)
        total = CALCULATIONS["sum"](added) if value.type is Decimal else sa.func.coalesce(sa.func.sum(added), 0)
        return opened.with_only_columns(total, maintain_column_froms=True).scalar_subquery()


def _is_calculated(e: Expr) -> bool:
    """Is it the result of a calculation with Decimals?"""
    return e.type is Decimal and e.op not in ("attr", "const")


def _same_table(entity: Any, cls: type) -> bool:
    mine: Any = sa.inspect(cls)
    return sa.inspect(entity).mapper.base_mapper is mine.base_mapper


def _attribute(entity: Any, path: tuple[str, ...]) -> Column:
    name = path[0] if len(path) == 1 else _inside(sa.inspect(entity).mapper, *path)
    # The expression, which is made once, and not the attribute, which looks up its type each time it is asked.
    return cast(Column, getattr(entity, name).expression)


@lru_cache(1024)
def _inside(mapper: Any, attribute: str, name: str) -> str:
    """The mapped attribute that holds one value of a value object."""
    composite = mapper.composites[attribute]
    names = list(inspect.signature(composite.composite_class).parameters)
    return cast(str, composite.props[names.index(name)].key)


# --- constants ----------------------------------------------------------------------------------------

_TEXT, _WHOLE, _LARGE, _EXACT = sa.String(), sa.Integer(), sa.BigInteger(), sa.Numeric()
_FLOAT: TypeEngine[Any] = sa.Double()


def _constant(value: Any, like: TypeEngine[Any] | None) -> Column:
    if value is True or value is False:
        return sa.literal(value, like) if like is not None else (sa.true() if value else sa.false())
    return sa.bindparam(None, value, type_=_bind_type([value], like), unique=True)


def _bind_type(values: list[Any], like: TypeEngine[Any] | None) -> TypeEngine[Any] | None:
    """The type to send constants in: that of the column, except where it would cut them to fit.

    `name = 'Johnny'` on a VARCHAR(4) must not become a comparison with 'John', nor 2.345 become 2.35 or 2.
    """
    kind = type(values[0])
    if isinstance(like, sa.types.TypeDecorator):
        return like
    if kind is int and (like is None or isinstance(like, sa.Integer)):
        large = isinstance(like, sa.BigInteger) or any(abs(value) >= 2**31 for value in values)
        return _LARGE if large else _WHOLE
    if kind is str and (like is None or (isinstance(like, sa.String) and not isinstance(like, sa.Enum))):
        return _TEXT
    if kind is Decimal:
        return _EXACT
    return _FLOAT if kind is float else like


# --- sets ---------------------------------------------------------------------------------------------

DECODED = "honestwork_decoded"  # a function that SQLite gets from us


class _Many(sa.types.TypeDecorator[Any]):
    """The values of a large set, as one parameter; *each* is the type of one value.

    Databases limit the parameters of a statement (65,535 on PostgreSQL, 32,766 or 250,000 on SQLite), and SQLAlchemy
    writes each of them into the statement. PostgreSQL takes an array, SQLite a JSON text; PyMySQL makes a list of
    literals of a sequence.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, each: TypeEngine[Any]) -> None:
        super().__init__()
        self.each = each

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.ARRAY(self.each))
        return dialect.type_descriptor(sa.String() if dialect.name == "sqlite" else sa.types.NullType())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        process = self.each.dialect_impl(dialect).bind_processor(dialect)
        values = value if process is None else [process(each) for each in value]
        return tuple(values) if dialect.name in MARIADB else json.dumps([_encoded(each) for each in values])

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        process: Callable[[Any], str] = self.each.dialect_impl(dialect).literal_processor(dialect) or repr
        return lambda values: ", ".join(map(process, values))


def _encoded(value: Any) -> Any:
    """A value of SQLite as JSON: texts and whole numbers are themselves; what JSON would change is in a list."""
    if isinstance(value, bytes | memoryview):
        return [value.hex()]
    return [value.hex(), ""] if isinstance(value, float) else value


def _decoded(value: str) -> Any:
    encoded, *is_float = json.loads(value)
    return float.fromhex(encoded) if is_float else bytes.fromhex(encoded)


class _Among(FunctionElement[bool]):
    """`value IN (a large set)`."""

    inherit_cache = True
    type = sa.Boolean()
    operator = "IN"

    def __init__(self, value: Column, constants: list[Any], each: TypeEngine[Any]) -> None:
        super().__init__(value, sa.bindparam(None, constants, type_=_Many(each), unique=True))

    def self_group(self, against: Any = None) -> Any:
        return self  # as of every condition


class _NotAmong(_Among):
    inherit_cache = True
    operator = "NOT IN"


def _compile_among(element: Any, compiler: Any, **kw: Any) -> str:
    value, constants = element.clauses
    subject = compiler.process(value.self_group(against=sa.sql.operators.in_op), **kw)
    many: str = compiler.process(constants, **kw)
    match compiler.dialect.name:
        case _ if kw.get("literal_binds"):
            many = f"({many})"
        case "postgresql":
            # The planner takes an array in a subquery for a short one, and hashes it whatever its length is; it would
            # go through `ANY(array)` from the beginning for each row once the statement is prepared.
            many = f"(SELECT unnest((SELECT {many})))"
        case "sqlite":
            value_of = f"CASE type WHEN 'array' THEN {DECODED}(value) ELSE value END"
            many = f"(SELECT {value_of} FROM json_each({many}))"
    asked = f"{subject} {element.operator} {many}"
    return asked if element.operator == "IN" else f"({asked})"


compiles(_Among)(_compile_among)
compiles(_NotAmong)(_compile_among)


# --- texts --------------------------------------------------------------------------------------------


class _Pattern(sa.types.TypeDecorator[str]):
    """Sends a part of a text as the pattern that finds it: GLOB on SQLite, LIKE everywhere else."""

    impl = sa.String
    cache_ok = True

    def __init__(self, kind: str, is_long: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.is_long = is_long  # longer than SQLite lets a pattern be, which compares it as it is then

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (self.is_long and dialect.name == "sqlite"):
            return value
        if dialect.name == "sqlite":
            part, rest = "".join(f"[{each}]" if each in "*?[" else each for each in value), "*"
        else:
            part, rest = "".join(f"/{each}" if each in "/%_" else each for each in value), "%"
        return {"startswith": part + rest, "endswith": rest + part, "contains": rest + part + rest}[self.kind]

    process_literal_param = process_bind_param  # type: ignore[assignment]


_PATTERNS = {kind: _Pattern(kind) for kind in ("startswith", "endswith", "contains")}
_LONG_PATTERNS = {kind: _Pattern(kind, is_long=True) for kind in _PATTERNS}
_LONG = 4_000  # SQLite takes patterns of 50,000 bytes; a character has up to four, and three where it is escaped
_LONG_ON_SQLITE = {
    "startswith": "substr({0}, 1, length({1})) {2} {1}",
    "endswith": "substr({0}, -length({1})) {2} {1}",
    "contains": "(instr({0}, {1}) > 0) {2} 1",
}


def _pattern(e: Expr) -> Column:
    part = e.args[1].args[0]
    patterns = _LONG_PATTERNS if len(part) > _LONG else _PATTERNS
    return sa.bindparam(None, part, type_=patterns[e.op], unique=True)


class _Test(FunctionElement[bool]):
    """A condition with an SQL of its own in each dialect."""

    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> Any:
        return self  # it is a condition as it stands; `(...) = 1` around it would cost the index


class _Matches(_Test):
    inherit_cache = True


class _MatchesNot(_Test):
    inherit_cache = True


def _compile_match(element: Any, compiler: Any, **kw: Any) -> str:
    subject, pattern = (compiler.process(each, **kw) for each in element.clauses)
    negation = "NOT " if isinstance(element, _MatchesNot) else ""
    kind = element.clauses.clauses[1].type
    if compiler.dialect.name == "sqlite" and kind.is_long:
        return _LONG_ON_SQLITE[kind.kind].format(subject, pattern, "!=" if negation else "=")
    if compiler.dialect.name == "sqlite":
        return f"{subject} {negation}GLOB {pattern}"
    collation = "" if compiler.dialect.name == "postgresql" else _collate(compiler)
    return f"{subject} {negation}LIKE {pattern}{collation} ESCAPE '/'"


compiles(_Matches)(_compile_match)
compiles(_MatchesNot)(_compile_match)


def _collate(compiler: Any) -> str:
    collation = BINARY.get(compiler.dialect.name)
    return f" COLLATE {collation}" if collation else ""


class _Text(FunctionElement[str]):
    inherit_cache = True
    type = sa.String()


class _ByCodePoint(FunctionElement[Any]):
    """A text or a UUID that is compared by code point; see `_for_order`."""

    inherit_cache = True

    def __init__(self, value: Column) -> None:
        super().__init__(value)
        self.type: TypeEngine[Any] = value.type if isinstance(value.type, sa.Uuid) else _TEXT


class _Exactly(_Text):
    """A text that equals only itself."""

    inherit_cache = True


def _for_order(left: Column, right: Column, kind: type) -> Column:
    return right if kind is str and _is_binary(left.type) else _ByCodePoint(right)


def _for_equality(left: Column, right: Column, kind: type) -> Column:
    return right if kind is UUID or _is_binary(left.type) else _Exactly(right)


@compiles(_ByCodePoint)
def _compile_by_code_point(element: Any, compiler: Any, **kw: Any) -> str:
    (value,) = element.clauses
    text: str = compiler.process(value, **kw)
    if isinstance(value.type, sa.Uuid):
        # MariaDB sorts its UUIDs by the node first; as texts they sort as in Python.
        native = compiler.dialect.name == "mariadb" and value.type.native_uuid
        return f"CAST({text} AS CHAR(36))" if native else text
    return text + ("" if _collation(value.type, compiler.dialect) else _collate(compiler))


@compiles(_Exactly)
def _compile_exactly(element: Any, compiler: Any, **kw: Any) -> str:
    (value,) = element.clauses
    text: str = compiler.process(value, **kw)
    mariadb = compiler.dialect.name in ("mysql", "mariadb")
    return text + _collate(compiler) if mariadb and not _collation(value.type, compiler.dialect) else text


def _collation(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """Does the column have the binary collation already?"""
    wanted = BINARY.get(dialect.name, "").strip('"')
    return getattr(type_.dialect_impl(dialect), "collation", None) == wanted


def _is_binary(type_: TypeEngine[Any]) -> bool:
    """Has the mapping given this column the binary collation of each database? Then nothing need be said."""
    variants = variants_of(type_)
    found = {name: getattr(variant, "collation", None) for name, variant in variants.items()}
    return found.get("postgresql") == "C" and BINARY["mysql"] in (found.get("mysql"), found.get("mariadb"))


CASE = "honestwork_case"
"""Where a dialect of PostgreSQL notes the collation by which lower() and upper() are Python's; None if it has none."""

CASE_COLLATIONS = ("und-x-icu", "pg_unicode_fast")
"""Under COLLATE "C", lower() knows ASCII alone. ICU knows what Python knows, and so does PostgreSQL 18 by itself."""


class _Lower(_Text):
    inherit_cache = True
    name = "lower"


class _Upper(_Text):
    inherit_cache = True
    name = "upper"


def _compile_case(element: Any, compiler: Any, **kw: Any) -> str:
    text = compiler.process(element.clauses, **kw)
    if compiler.dialect.name == "postgresql":
        collation = getattr(compiler.dialect, CASE, CASE_COLLATIONS[0])
        if collation is None:
            raise RuleRefused(
                f"{element.name}() cannot be asked of this PostgreSQL server: it was built without ICU and is older"
                f" than version 18, so it knows ASCII alone; use a server with ICU or PostgreSQL 18,"
                f" or keep the {element.name} text in a column of its own"
            )
        return f'{element.name}({text} COLLATE "{collation}") COLLATE "C"'
    return f"{element.name}({text})"


compiles(_Lower)(_compile_case)
compiles(_Upper)(_compile_case)


def _null_strict(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else function(text)


# --- numbers ------------------------------------------------------------------------------------------


def _wide(value: Column) -> Column:
    narrow = isinstance(value.type, sa.Integer) and not isinstance(value.type, sa.BigInteger)
    return Wide(value.self_group(against=sa.sql.operators.mul)) if narrow else value


# --- orders -------------------------------------------------------------------------------------------


class _NullsPlaced(FunctionElement[Any]):
    """A key of an order whose NULLs are where they are wanted: (key with direction, is it NULL with direction)."""

    inherit_cache = True


class _NullsLast(_NullsPlaced):
    inherit_cache = True
    place = "LAST"


class _NullsFirst(_NullsPlaced):
    inherit_cache = True
    place = "FIRST"


def _ordered(key: OrderKey, value: Column) -> Any:
    kind = key.expression.type
    if kind is UUID or (kind is str and not _is_binary(value.type)):
        value = _ByCodePoint(value)
    elif _is_calculated(key.expression):
        value = ByValue(value)
    directed = value.desc() if key.descending else value.asc()
    if not key.expression.nullable:
        return directed
    missing = value.is_(None)
    return _NullsFirst(directed, missing.desc()) if key.nulls_first else _NullsLast(directed, missing.asc())


def _compile_placed(element: Any, compiler: Any, **kw: Any) -> str:
    directed, missing = (compiler.process(each, **kw) for each in element.clauses)
    if compiler.dialect.name in ("mysql", "mariadb"):
        return f"{missing}, {directed}"
    return f"{directed} NULLS {element.place}"


compiles(_NullsLast)(_compile_placed)
compiles(_NullsFirst)(_compile_placed)


def _dialect(name: str) -> Dialect:
    """A dialect to show SQL in. Named parameters, or every % would be shown twice."""
    kind: Any = make_url(f"{name}://").get_dialect()
    return cast(Dialect, kind(paramstyle="named"))
