"""Formulas as Python functions over rows: what the in-memory store runs where the SQL store sends SQL.

    adults = compile_scan(trace(adult, User), layout)
    adults(rows)                            # those for which it is true

One function is generated for each formula, and it reads as a person would have written it:

    def make(c0, c1):
        def scan(rows):
            return [r for r in rows if r[2] >= c0 and r[1].startswith(c1)]
        return scan

The constants are arguments, so a rule with other constants has the same source, and the same source is
compiled once. A row is a tuple, and a `Layout` says which of its positions belongs to which attribute.

SQL knows a third answer, unknown, and a filter counts it as false. There is no third answer here: a
condition that a NULL could make unknown asks `is not None` first, unless that is known already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Protocol

from ...rules.formula import TRUE, Expr
from ...rules.numbers import EXACT, remainder
from ...rules.order import OrderKey
from ...rules.patterns import matcher

__all__ = [
    "Layout",
    "Objects",
    "Rows",
    "compile_condition",
    "compile_scan",
    "compile_sort",
    "compile_values",
    "lookups",
]

Row = tuple[Any, ...]
Path = tuple[str, ...]
Known = frozenset[Expr]
"""The attributes that are known to have a value, at one place in a condition."""


class Layout(Protocol):
    """Where the values of an attribute are, and the children of a collection."""

    def column(self, row: str, path: Path) -> str:
        """The source that reads an attribute of the row in the variable *row*."""

    def children(self, path: Path) -> tuple[Callable[[Any], Collection[Any]], Layout]:
        """The children of a row, and their layout."""


@dataclass(frozen=True)
class Rows:
    """Rows that are tuples: the position of each attribute in them, and their children.

    >>> lines = Rows({("sku",): 1, ("quantity",): 2})
    >>> orders = Rows({("id",): 0, ("address", "city"): 1}, {("lines",): (lines_of, lines)})
    """

    positions: Mapping[Path, int]
    collections: Mapping[Path, tuple[Callable[[Row], Collection[Row]], Rows]] = field(default_factory=dict)

    def column(self, row: str, path: Path) -> str:
        return f"{row}[{self.positions[path]}]"

    def children(self, path: Path) -> tuple[Callable[[Any], Collection[Any]], Layout]:
        return self.collections[path]


class Objects:
    """Rows that are objects: the attributes are read where they are."""

    def column(self, row: str, path: Path) -> str:
        whole = ".".join((row, *path))
        return whole if len(path) == 1 else f"(None if {row}.{path[0]} is None else {whole})"

    def children(self, path: Path) -> tuple[Callable[[Any], Collection[Any]], Layout]:
        (name,) = path
        return lambda parent: getattr(parent, name), self


# --- what a store calls -------------------------------------------------------------------------------


def compile_scan(formula: Expr, layout: Layout) -> Callable[[Iterable[Any]], list[Any]]:
    """A function from rows to those of them for which the formula is true, in their order."""
    writer = _Writer(layout)
    condition = writer.condition(formula, frozenset())
    body = "list(rows)" if condition == "True" else f"[r0 for r0 in rows if {condition}]"
    return writer.function("rows", body)


def compile_condition(formula: Expr, layout: Layout) -> Callable[[Any], bool]:
    """A function from a row to whether the formula is true of it."""
    writer = _Writer(layout)
    return writer.function("r0", writer.condition(formula, frozenset()))


def compile_values(expressions: Sequence[Expr], layout: Layout) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a row to the values of the expressions; what is computed from None is None."""
    writer = _Writer(layout)
    values = "".join(f"{writer.value_or_none(each)}, " for each in expressions)
    return writer.function("r0", f"({values})")


def compile_sort(keys: Sequence[OrderKey], layout: Layout) -> Callable[[list[Any]], None]:
    """A function that sorts a list of rows in place."""
    writer = _Writer(layout)
    steps = []
    # Sorting is stable, so the last key comes first; neighbours of one direction are one sort.
    for descending, group in reversed(_runs(keys)):
        parts = "".join(writer.sort_key(key) for key in group)
        steps.append(f"rows.sort(key=lambda r0: ({parts}), reverse={descending})")
    return writer.function("rows", f"({', '.join(steps)}, None)[-1]")


def lookups(formula: Expr) -> dict[Path, tuple[Any, ...]]:
    """The attributes that can only have a few values where the formula is true, and these values.

        >>> lookups(trace(lambda user: user.id in (1, 2) and user.age > 3, User))
        {('id',): (1, 2)}

    A store that has an index on one of them looks there, and scans what it finds.
    """
    found: dict[Path, tuple[Any, ...]] = {}
    for part in formula.args if formula.op == "and" else (formula,):
        if part.op in ("eq", "in") and part.args[0].op == "attr":
            attribute, compared = part.args
            if part.op == "in":
                found[attribute.args[1]] = tuple([each.args[0] for each in compared])
            elif compared.op == "const":
                found[attribute.args[1]] = compared.args
    return found


def _runs(keys: Sequence[OrderKey]) -> list[tuple[bool, list[OrderKey]]]:
    runs: list[tuple[bool, list[OrderKey]]] = []
    for key in keys:
        if not runs or runs[-1][0] != key.descending:
            runs.append((key.descending, []))
        runs[-1][1].append(key)
    return runs


# --- writing source -----------------------------------------------------------------------------------

_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in", "notin": "not in"}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "mod": "%", "concat": "+"}


class _Writer:
    """Writes the source of one function, and gathers the constants it is made with."""

    def __init__(self, layout: Layout) -> None:
        self.layouts = {0: layout}
        self.constants: list[Any] = []
        self.is_exact = False  # does it calculate with Decimals?

    def function(self, argument: str, body: str) -> Callable[[Any], Any]:
        names = ", ".join(f"c{i}" for i in range(len(self.constants)))
        source = f"def make({names}):\n    def run({argument}):\n        return {body}\n    return run\n"
        made: Callable[[Any], Any] = _compiled(source)(*self.constants)
        return _exactly(made) if self.is_exact else made

    def constant(self, value: Any) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    # --- conditions -----------------------------------------------------------------------------------

    def condition(self, e: Expr, known: Known) -> str:
        """Source that is True where the formula is true, and False where it is false or unknown."""
        match e.op:
            case "const":
                return str(e.args[0] is True)
            case "istrue":
                return f"({self.condition(e.args[0], known)})"
            case "not" if e.args[0].op == "istrue":
                return f"(not {self.condition(e.args[0], known)})"
            case "and":
                return self._all(e.args, known)
            case "or":
                return self._any(e.args, known)
            case "isnull" | "notnull":
                return f"{self.value(e.args[0])} is {'not ' if e.op == 'notnull' else ''}None"
        missing = [each for each in e.nullables() if each not in known]
        checks = [f"{self.value(each)} is not None" for each in missing]
        return " and ".join([*checks, self._atom(e, known.union(missing))])

    def _all(self, parts: Sequence[Expr], known: Known) -> str:
        written = []
        for part in parts:
            written.append(_grouped(part, self.condition(part, known)))
            known = known.union(_present_if(part))
        return " and ".join(written)

    def _any(self, parts: Sequence[Expr], known: Known) -> str:
        written = []
        for part in parts:
            written.append(_grouped(part, self.condition(part, known)))
            if part.op == "isnull":  # what follows is asked only where this one has a value
                known = known | {part.args[0]}
        return "(" + " or ".join(written) + ")"

    def _atom(self, e: Expr, known: Known) -> str:
        match e.op:
            case "not":
                return f"not {self._atom(e.args[0], known)}"
            case "in" | "notin":
                members = self.constant(frozenset(each.args[0] for each in e.args[1]))
                return f"{self.value(e.args[0])} {_COMPARISONS[e.op]} {members}"
            case "startswith" | "endswith":
                return f"{self.value(e.args[0])}.{e.op}({self.value(e.args[1])})"
            case "contains":
                return f"({self.value(e.args[1])} in {self.value(e.args[0])})"
            case "like":
                return f"{self.constant(matcher(e.args[1].args[0]))}({self.value(e.args[0])})"
            case "attr":
                return self.value(e)
            case "exists":
                row, rows, condition = self._children(e, known)
                if condition == "True":
                    return f"(len({rows}) > 0)"
                return f"any({condition} for {row} in {rows})"
        return f"({self.value(e.args[0])} {_COMPARISONS[e.op]} {self.value(e.args[1])})"

    def _children(self, e: Expr, known: Known) -> tuple[str, str, str]:
        """The variable for a child, the source of the children, and the condition on one."""
        outer, path, inner, _, formula = e.args[:5]
        children_of, layout = self.layouts[outer].children(path)
        self.layouts[inner] = layout
        condition = "True" if formula is TRUE else self.condition(formula, known)
        return f"r{inner}", f"{self.constant(children_of)}(r{outer})", condition

    # --- values ---------------------------------------------------------------------------------------

    def value(self, e: Expr) -> str:
        """Source of a value, where no attribute in it is None."""
        self.is_exact |= e.type is Decimal and e.op not in ("attr", "const")
        match e.op:
            case "const":
                return self.constant(e.args[0])
            case "attr":
                scope, path, _ = e.args
                return self.layouts[scope].column(f"r{scope}", path)
            case "sum":
                row, rows, condition = self._children(e, frozenset())
                if e.args[5] == Expr("const", (1,), int) and condition == "True":
                    return f"len({rows})"
                kept = "" if condition == "True" else f" if {condition}"
                return f"sum({self.value(e.args[5])} for {row} in {rows}{kept})"
            case "lower" | "upper":
                return f"{self.value(e.args[0])}.{e.op}()"
            case "length" | "abs":
                return f"{'len' if e.op == 'length' else 'abs'}({self.value(e.args[0])})"
            case "neg":
                return f"(-{self.value(e.args[0])})"
            case "coalesce":
                one, constant = e.args
                missing = " or ".join(f"{self.value(each)} is None" for each in one.nullables()) or "False"
                return f"({self.value(constant)} if {missing} else {self.value(one)})"
            case "rem":
                return f"{self.constant(remainder)}({self.value(e.args[0])}, {self.value(e.args[1])})"
            case "year" | "month" | "day":
                return f"{self.value(e.args[0])}.{e.op}"
        return f"({self.value(e.args[0])} {_ARITHMETIC[e.op]} {self.value(e.args[1])})"

    def value_or_none(self, e: Expr) -> str:
        """Source of a value, which is None where an attribute in it is."""
        if e.op == "attr" or not e.nullable:
            return self.value(e)
        missing = " or ".join(f"{self.value(each)} is None" for each in e.nullables())
        return f"(None if {missing} else {self.value(e)})"

    def sort_key(self, key: OrderKey) -> str:
        """Source of the one or two elements of a tuple that sorts by this key."""
        value = self.value_or_none(key.expression)
        if not key.expression.nullable:
            return f"{value}, "
        # Two rows without a value are level: the None in both is the same object, and never compared with `<`.
        none_is_last = key.nulls_first == key.descending
        return f"{value} is {'' if none_is_last else 'not '}None, {value}, "


def _present_if(e: Expr) -> Iterable[Expr]:
    """The attributes that have a value where *e* is true."""
    if e.op in ("notnull", "istrue"):
        return (e.args[0],) if e.op == "notnull" else _present_if(e.args[0])
    if e.op == "not" and e.args[0].op == "istrue":
        return ()
    if e.op in ("and", "or", "isnull"):
        return [each for part in e.args for each in _present_if(part)] if e.op == "and" else ()
    return e.nullables()


def _grouped(part: Expr, source: str) -> str:
    return f"({source})" if " and " in source and part.op != "and" else source


def _exactly(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, which rounds no Decimal."""

    def run(argument: Any) -> Any:
        with localcontext(EXACT):
            return function(argument)

    return run


@lru_cache(1024)
def _compiled(source: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(compile(source, "<rule>", "exec"), namespace)
    made: Callable[..., Any] = namespace["make"]
    return made
