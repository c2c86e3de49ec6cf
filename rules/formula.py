"""Formulas: what a rule asks, as a tree that both stores can compile.

There is one kind of node, `Expr`: an operator, its arguments, and the Python type of its value.

    age >= 18 and name.startswith("J")

    Expr("and")
    ├── Expr("ge")          ── Expr("attr", (0, ("age",), False)), Expr("const", (18,))
    └── Expr("startswith")  ── Expr("attr", (0, ("name",), False)), Expr("const", ("J",))

| operators                                         | arguments                                             |
|---------------------------------------------------|-------------------------------------------------------|
| const                                             | a Python value                                        |
| attr                                              | scope, path, may it be NULL                           |
| eq ne lt le gt ge                                 | two values                                            |
| in notin                                          | a value, a tuple of constants                         |
| isnull notnull                                    | an attribute                                          |
| startswith endswith contains like                 | a text, a constant                                    |
| and or not                                        | formulas; `not` only around what has no opposite      |
| exists                                            | outer scope, path, inner scope, class, formula        |
| sum                                               | the same, and the value to add up                     |
| add sub mul mod rem neg abs · concat lower upper  | values                                                |
| length · year month day                           | a value                                               |
| coalesce                                          | a value, and the constant that it is where NULL       |
| istrue                                            | a formula of SQL's own logic: see `ternary`           |

A *scope* is 0 for the aggregate itself and counts up for each collection that a rule looks into.

Formulas are two-valued where they come from: each question about an attribute that may be None is asked
behind the question whether it is None. And they are in negation normal form, `not` stands at the atoms
only, so a formula can only become true by one of its atoms becoming true. `strip_guards` lives on that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

__all__ = [
    "FALSE",
    "TRUE",
    "Expr",
    "Node",
    "and_",
    "attr",
    "branch",
    "const",
    "isnull",
    "leaves",
    "member",
    "not_",
    "notnull",
    "opposite_of",
    "or_",
    "polarity",
    "reduce",
    "scopes",
    "strip_guards",
    "to_formula",
    "with_leaves",
]


class Expr(NamedTuple):
    """A node of a formula: an operator, its arguments, and the type of its value.

    Equal when all three are. 1 == True == 1.0 in Python; as questions to a database these are three, and the
    type tells them apart.
    """

    op: str
    args: tuple[Any, ...]
    type: type[Any]

    def __repr__(self) -> str:
        return _spell(self)

    def children(self) -> Iterator[Expr]:
        """The expressions this one is made of, those inside a collection apart."""
        if self.op not in ("exists", "sum"):
            yield from (argument for argument in self.args if isinstance(argument, Expr))

    def attributes(self) -> Iterator[Expr]:
        """The attributes whose being NULL would make this value NULL."""
        if self.op == "attr":
            yield self
        for child in self.children() if self.op != "coalesce" else ():
            yield from child.attributes()

    def nullables(self) -> tuple[Expr, ...]:
        """The attributes that may be NULL, each once."""
        return tuple(dict.fromkeys(attribute for attribute in self.attributes() if attribute.args[2]))

    @property
    def nullable(self) -> bool:
        """May this value be NULL?"""
        return bool(self.nullables())


def const(value: Any) -> Expr:
    """A constant. True and False are always the same two objects, so that `is` tells them."""
    if value is True or value is False:
        return TRUE if value else FALSE
    return Expr("const", (value,), type(value))


def attr(scope: int, path: tuple[str, ...], type_: type, nullable: bool = False) -> Expr:
    return Expr("attr", (scope, path, nullable), type_)


def isnull(attribute: Expr) -> Expr:
    return Expr("isnull", (attribute,), bool)


def notnull(attribute: Expr) -> Expr:
    return Expr("notnull", (attribute,), bool)


TRUE, FALSE = Expr("const", (True,), bool), Expr("const", (False,), bool)

_OPPOSITE = {"eq": "ne", "lt": "ge", "gt": "le", "in": "notin", "isnull": "notnull"}
_NEGATIVE = {no: yes for yes, no in _OPPOSITE.items()}
_OPPOSITE |= _NEGATIVE


def scopes(e: Expr) -> set[int]:
    """The scopes whose attributes an expression reads, apart from those that it opens itself."""
    if e.op == "attr":
        return {e.args[0]}
    if e.op in ("exists", "sum"):
        outer, _, inner, *_ = e.args
        return ({outer} | set().union(*map(scopes, e.args[4:]))) - {inner}
    return set().union(*map(scopes, e.children())) if e.op not in ("in", "notin") else scopes(e.args[0])


# --- and, or, not -------------------------------------------------------------------------------------


def not_(e: Expr) -> Expr:
    """The opposite, with every `not` pushed down to the atoms."""
    if e is TRUE or e is FALSE:
        return FALSE if e is TRUE else TRUE
    if e.op in _OPPOSITE:
        return Expr(_OPPOSITE[e.op], e.args, bool)
    if e.op == "not":
        opposite: Expr = e.args[0]
        return opposite
    if e.op in ("and", "or"):
        return (or_ if e.op == "and" else and_)(*map(not_, e.args))
    return Expr("not", (e,), bool)


def opposite_of(op: str) -> str | None:
    """The operator that is true where this one is false, and unknown where it is unknown; None if there is none."""
    return _OPPOSITE.get(op)


def polarity(e: Expr) -> tuple[Hashable, bool]:
    """What a formula asks, and the answer that makes it true: `x != 3` and `x == 3` ask the same."""
    if e.op == "not":
        return e.args[0][:2], False
    positive = _NEGATIVE.get(e.op)
    return (e[:2], True) if positive is None else ((positive, e.args), False)


def and_(*parts: Expr) -> Expr:
    return _junction("and", parts, absorbing=FALSE, neutral=TRUE)


def or_(*parts: Expr) -> Expr:
    return _junction("or", parts, absorbing=TRUE, neutral=FALSE)


def _junction(op: str, parts: Iterable[Expr], absorbing: Expr, neutral: Expr) -> Expr:
    kept: dict[Expr, None] = {}  # ordered, each part once
    memberships: dict[Expr, Expr] = {}  # subject -> the one atom that says which values it may have
    for part in _flat(op, parts):
        if part is absorbing:
            return absorbing
        if part is neutral:
            continue
        if kept and part.op not in ("and", "or") and not_(part) in kept:
            return absorbing
        if (subject := _subject(part)) is not None:
            if (earlier := memberships.get(subject)) is not None:
                part = _merged(op, earlier, part)
                if part is absorbing:
                    return absorbing
                if part is neutral:
                    del kept[earlier], memberships[subject]
                    continue
                # The place of the first one is kept: the SQL reads as the rule does.
                kept = {(part if each == earlier else each): None for each in kept}
            memberships[subject] = part
        kept[part] = None
    # a or (a and b) is a; a and (a or b) is a
    dual = "or" if op == "and" else "and"
    parts = [part for part in kept if not (part.op == dual and any(each in kept for each in part.args))]
    if not parts:
        return neutral
    return parts[0] if len(parts) == 1 else Expr(op, tuple(parts), bool)


def _flat(op: str, parts: Iterable[Expr]) -> Iterator[Expr]:
    for part in parts:
        if part.op == op:
            yield from part.args
        else:
            yield part


# --- membership: x == a, x != a, x in (a, b), x not in (a, b) -----------------------------------------


def member(subject: Expr, values: tuple[Expr, ...], positive: bool = True) -> Expr:
    """`subject in values`, or `not in`, in its shortest form."""
    if not values:
        return FALSE if positive else TRUE
    if len(values) == 1:
        return Expr("eq" if positive else "ne", (subject, values[0]), bool)
    return Expr("in" if positive else "notin", (subject, values), bool)


def _subject(e: Expr) -> Expr | None:
    """What a membership atom is about; None for any other atom."""
    if e.op in ("in", "notin") or (e.op in ("eq", "ne") and e.args[1].op == "const"):
        subject: Expr = e.args[0]
        return subject
    return None


def _values(e: Expr) -> tuple[Expr, ...]:
    """The constants of a membership atom."""
    return e.args[1] if e.op in ("in", "notin") else (e.args[1],)


def _merged(op: str, a: Expr, b: Expr) -> Expr:
    """Two membership atoms about one subject, joined by *op*, as one."""
    subject, in_a, in_b = a.args[0], _values(a), _values(b)
    positive_a, positive_b = a.op in ("eq", "in"), b.op in ("eq", "in")
    if positive_a == positive_b:
        known = frozenset(in_b)
        both = tuple(value for value in in_a if value in known)
        either = in_a + _without_those(in_b, in_a)
        return member(subject, either if (op == "or") == positive_a else both, positive_a)
    inside, outside = (in_a, in_b) if positive_a else (in_b, in_a)
    if op == "or":  # x in inside or x not in outside
        return member(subject, _without_those(outside, inside), positive=False)
    return member(subject, _without_those(inside, outside))


def _without_those(values: tuple[Expr, ...], others: tuple[Expr, ...]) -> tuple[Expr, ...]:
    known = frozenset(others)
    return tuple(value for value in values if value not in known)


# --- decision trees -----------------------------------------------------------------------------------


class Node:
    """`if cond: then else: other`. The leaves of a tree are TRUE and FALSE."""

    __slots__ = ("cond", "other", "then")

    def __init__(self, cond: Expr, then: Tree, other: Tree) -> None:
        self.cond, self.then, self.other = cond, then, other

    def __eq__(self, to: object) -> bool:
        return isinstance(to, Node) and (self.cond, self.then, self.other) == (to.cond, to.then, to.other)

    __hash__ = None  # type: ignore[assignment]


Tree = Expr | Node


def branch(question: Expr, then: Any, other: Any) -> Any:
    """The tree that asks a question; without it where both answers lead to the same."""
    return then if then == other else Node(question, then, other)


def leaves(tree: Any) -> list[Any]:
    """What is at the ends of a tree that is not one of TRUE and FALSE yet."""
    return leaves(tree.then) + leaves(tree.other) if isinstance(tree, Node) else [tree]


def with_leaves(tree: Any, leaf: Callable[[Any], Expr]) -> Tree:
    """The same questions, with other ends."""
    if not isinstance(tree, Node):
        return leaf(tree)
    made: Tree = branch(tree.cond, with_leaves(tree.then, leaf), with_leaves(tree.other, leaf))
    return made


def reduce(tree: Tree) -> Tree:
    """Merge decisions that share an exit, the outermost first.

    That order gives back the `and` and `or` as they were written: `(a or b) and (c or d)` stays a
    conjunction, where the innermost first would make a disjunction of three of it.
    """
    if isinstance(tree, Node) and type(tree.then) is Expr and type(tree.other) is Expr:
        return tree  # one question, with two answers: there is nothing to merge
    tree = _merge_exits(tree)
    if not isinstance(tree, Node) or not (isinstance(tree.then, Node) or isinstance(tree.other, Node)):
        return tree
    return _merge_exits(Node(tree.cond, reduce(tree.then), reduce(tree.other)))


def _merge_exits(tree: Tree) -> Tree:
    while isinstance(tree, Node):
        cond, then, other = tree.cond, tree.then, tree.other
        if cond is TRUE or then == other:
            tree = then
        elif cond is FALSE:
            tree = other
        elif isinstance(other, Node) and other.then == then:
            tree = Node(or_(cond, other.cond), then, other.other)
        elif isinstance(other, Node) and other.other == then:
            tree = Node(or_(cond, not_(other.cond)), then, other.then)
        elif isinstance(then, Node) and then.other == other:
            tree = Node(and_(cond, then.cond), then.then, other)
        elif isinstance(then, Node) and then.then == other:
            tree = Node(and_(cond, not_(then.cond)), then.other, other)
        else:
            return tree
    return tree


def to_formula(tree: Tree) -> Expr:
    """A (reduced) decision tree as a formula."""
    if isinstance(tree, Expr):
        return tree
    if tree.then is TRUE and tree.other is FALSE:
        return tree.cond
    yes, no = to_formula(tree.then), to_formula(tree.other)
    if yes is TRUE:
        return or_(tree.cond, no)
    if yes is FALSE:
        return and_(not_(tree.cond), no)
    if no is FALSE:
        return and_(tree.cond, yes)
    if no is TRUE:
        return or_(not_(tree.cond), yes)
    return or_(and_(tree.cond, yes), and_(not_(tree.cond), no))


# --- guards -------------------------------------------------------------------------------------------


def strip_guards(e: Expr) -> Expr:
    """Drop each `x IS NOT NULL` beside an atom that is not true anyway where x is NULL.

    Sound in a filter only, where unknown counts as false: `score is not None and score > 3` becomes
    `score > 3`. Each atom must be *strict*, that is unknown where one of its attributes is NULL.
    """
    if e.op == "and":
        parts = [strip_guards(part) for part in e.args]
        return _raw(
            "and",
            [
                part
                for i, part in enumerate(parts)
                if part.op != "notnull"
                or not any(_strict(each, part.args[0]) for j, each in enumerate(parts) if j != i)
            ],
        )
    if e.op == "or":
        parts = [strip_guards(part) for part in e.args]
        nulls = {part.args[0] for part in parts if part.op == "isnull"}
        # x IS NULL OR (x IS NOT NULL AND p)  is  x IS NULL OR p
        return _raw("or", [_without(nulls, part) if part.op == "and" else part for part in parts])
    return e


def _without(nulls: set[Expr], conjunction: Expr) -> Expr:
    kept = [part for part in conjunction.args if part.op != "notnull" or part.args[0] not in nulls]
    return _raw("and", kept)


def _raw(op: str, parts: list[Expr]) -> Expr:
    # Nothing is simplified here: `x < 3 OR x >= 3` is no longer true of every x once its guard is gone.
    flat = tuple(dict.fromkeys(_flat(op, parts)))
    if not flat:
        return TRUE if op == "and" else FALSE
    return flat[0] if len(flat) == 1 else Expr(op, flat, bool)


def _strict(e: Expr, attribute: Expr) -> bool:
    """Is *e* never true where the attribute is NULL?"""
    if e.op == "and":
        return any(_strict(part, attribute) for part in e.args)
    if e.op == "or":
        return all(_strict(part, attribute) for part in e.args)
    return e.op != "isnull" and attribute in e.attributes()


# --- text ---------------------------------------------------------------------------------------------

_INFIX = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "in": "in", "notin": "not in"}
_INFIX |= {"add": "+", "sub": "-", "mul": "*", "mod": "%", "rem": "%", "concat": "+", "and": "and", "or": "or"}
_INFIX |= {"like": "LIKE"}
_LOOSE = ("and", "or", "not")


def _spell(e: Expr) -> str:
    """The formula in the words of Python, for error messages and `explain`."""
    match e.op:
        case "const":
            value = e.args[0]
            return f"{e.type.__name__}.{value.name}" if isinstance(value, Enum) else repr(value)
        case "attr":
            scope, path, _ = e.args
            return ".".join(path if scope == 0 else (f"x{scope}", *path))
        case "isnull" | "notnull":
            return f"{e.args[0]} is {'not ' if e.op == 'notnull' else ''}None"
        case "in" | "notin":
            return f"{_tight(e.args[0])} {_INFIX[e.op]} ({', '.join(map(str, e.args[1]))})"
        case "not" | "neg":
            return ("not " if e.op == "not" else "-") + _tight(e.args[0])
        case "contains":
            return f"{e.args[1]} in {_tight(e.args[0])}"
        case "startswith" | "endswith":
            return f"{_tight(e.args[0])}.{e.op}({e.args[1]})"
        case "lower" | "upper":
            return f"{_tight(e.args[0])}.{e.op}()"
        case "year" | "month" | "day":
            return f"{_tight(e.args[0])}.{e.op}"
        case "coalesce":
            return f"coalesce({e.args[0]}, {e.args[1]})"
        case "istrue":
            return f"{_tight(e.args[0])} IS TRUE"
        case "abs" | "length":
            return f"{'abs' if e.op == 'abs' else 'len'}({e.args[0]})"
        case "exists":
            outer, path, inner, _, where = e.args
            return f"any({where} for x{inner} in {_collection(outer, path)})"
        case "sum":
            outer, path, inner, _, where, value = e.args
            condition = "" if where is TRUE else f" if {where}"
            return f"sum({value} for x{inner} in {_collection(outer, path)}{condition})"
    return f" {_INFIX[e.op]} ".join(map(_tight, e.args))


def _collection(scope: int, path: tuple[str, ...]) -> str:
    return ".".join(path if scope == 0 else (f"x{scope}", *path))


def _tight(e: Expr) -> str:
    return f"({e})" if e.op in _INFIX and e.op not in ("eq", "ne", "lt", "le", "gt", "ge", "in", "notin") else str(e)
