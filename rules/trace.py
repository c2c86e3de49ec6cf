"""Runs a plain predicate on a stand-in, once for each path through it, and writes down what it asks.

Take this rule, and follow it by hand:

    def adult(user: User) -> bool:
        return user.age >= 18 and user.name.startswith("J")

`trace(adult, User)` calls `adult` with a `Thing`, which stands for any user. Reading `.age` gives a
`Symbol`, which stands for any age. `symbol >= 18` is `Symbol.__ge__`, and it must answer now, with a real
True or False: that is what `Tracer.decide` is for. It writes the question down and picks an answer.
When the rule returns, the last answer that was True becomes False, and the rule is run again:

    run 1:  age >= 18? True     name.startswith("J")? True      returns True
    run 2:  age >= 18? True     name.startswith("J")? False     returns False
    run 3:  age >= 18? False                                    returns False

The runs are the branches of a decision tree, and the tree is the rule:

    age >= 18 ─┬─ True ── name.startswith("J") ─┬─ True ── TRUE
               │                                └─ False ─ FALSE
               └─ False ─ FALSE

`formula.reduce` merges what shares an exit, and `age >= 18 and name.startswith("J")` is back. Nothing is
translated: `and`, early returns, `match`, helpers and properties are simply executed by Python, so they
mean what they mean in Python. Only what running a rule does not show is read from its source: an `is`, and
what the rule would change (`written`).

The principle is *make it concrete, or make it loud*:

* What has few values is handed out as the value. An attribute that may be None is a question ("is it
  None?"), and then the real None or a stand-in for what is not; a bool is a question and then True or
  False; an enum is a question for each member and then the member itself. So `is None`, `is Status.NEW`,
  `PRIORITY[user.status]` and `user.nickname or "?"` need no support: they happen.
* A comparison answers with a real bool, so `not`, `==` and `is True` on top of it need none either.
* Whatever is left, a `Symbol` either records or refuses. A path that raises refuses the whole rule, and
  says in which world it did: a rule has an answer for every row.

An `any(line.quantity > 3 for line in order.lines)` is a trace in the trace: the body is explored on a
stand-in for one line, and the outer run goes on with the one question "is there such a line?".

The files: `standins` (what a rule meets instead of data), `instrument` (what happens to the rule's code
before it runs, so that `len`, `any` and `in` see the stand-ins), `source` (the syntax tree of a code object),
`written` (what is read from it), `formula` (trees and their algebra).
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Hashable, Iterable
from enum import Enum, Flag
from typing import Any, TypeVar

from ..domain.errors import RuleRefused
from ..domain.interrupts import came_from_outside
from .facts import Facts, Scalar, annotated
from .formula import FALSE, TRUE, Expr, branch, const, isnull, not_, polarity, reduce, to_formula
from .instrument import instrument, refuse_identity, seen
from .standins import Items, Symbol, Thing, shown

__all__ = ["MAX_PATHS", "Tracer", "explain", "trace"]

A = TypeVar("A")

MAX_PATHS = 256
MAX_QUESTIONS = 100
MAX_CALCULATIONS = 100
MAX_DEPTH, DEPTHS = 100, {"abs": 10, "mod": 7, "lower": 5, "upper": 5, "neg": 2}
"""How deep an expression may be, and what an operation that is translated in many steps counts for."""
MAX_SIZE = 500
"""How many parts an expression may have: `x = x + x` in a loop doubles them."""
MAX_SCOPES = 8
"""How many collections deep a rule may look."""


def trace(predicate: Callable[[A], bool], cls: type[A], *, facts: Facts = annotated) -> Expr:
    """The formula that is true for just those objects of *cls* for which *predicate* returns true.

        >>> trace(lambda user: user.age >= 18 and user.name.startswith("J"), User)
        age >= 18 and name.startswith('J')

    *facts* tells the attributes of a class, its annotations by default.

    Raises RuleRefused if the predicate does anything that a query could not answer exactly.
    """
    t = Tracer("rule", predicate, facts)
    require_function(t, predicate, "user.age >= 18")
    try:
        run, candidate = instrument(predicate, t), Thing(t, cls, 0)
        return t.condition(functools.partial(t.answer, run, candidate))
    except RecursionError as error:
        raise t.refuse(_TOO_DEEP) from error


def explain(rule: Callable[[A], bool], cls: type[A], *, facts: Facts = annotated) -> str:
    """Return the formula of a rule as text, in the words of Python.

        >>> explain(adult, User)
        'age >= 18'

    `honestwork.adapters.explain` adds the condition in SQL.

    Raises RuleRefused if no query can answer the rule.
    """
    return str(trace(rule, cls, facts=facts))


MORE = object()
"""There is another path: what `Scope.next_path` says instead of giving the tree."""
_NOWHERE = (sys.maxsize, True)
_LEAF = (None, 0, 1)
_TOO_DEEP = (
    "is made of too many functions within functions, or calls itself without end: give all_of() or any_of() all rules"
    " at once"
)
_NOTHING_GIVEN: dict[Hashable, bool] = {}


class Scope:
    """What is being explored: the whole rule, or the body of an any(), all() or sum() in it."""

    def __init__(self, outer: Scope | None) -> None:
        self.outer = outer
        # Not what follows from what was answered, only that itself: the SQL is to read as the rule does.
        self._given = _NOTHING_GIVEN if outer is None else outer.answered()
        self.asked: list[Expr] = []  # the questions of the path that is being run
        self.script: list[bool] = []  # and the answers to them
        self.position = 0  # how many of them this run has come to
        self.given: dict[int, object] = {}  # for a question: the constant, where it asks for another one
        # Where in `asked` a matter is, and for which answer; found out when a further question wants to know.
        self._places: dict[Hashable, tuple[int, bool]] = {}
        self._thens: list[Any] = []  # for each answer that is False: the tree of when it was True

    def known(self, question: Expr) -> bool | None:
        """What follows from the answers so far, if anything does."""
        if not (self.position or self._given):
            return None
        matter, yes = polarity(question)
        place, said = self._placed().get(matter, _NOWHERE)
        if place < self.position:
            return self.script[place] is (said is yes)
        given = self._given.get(matter)
        return None if given is None else given is yes

    def ask(self, question: Expr) -> bool:
        """A new question. The first answer to it is True."""
        self.asked.append(question)
        self.script.append(True)
        self.position += 1
        return True

    def answered(self) -> dict[Hashable, bool]:
        """What has been answered, here and further out."""
        places = self._placed().items()
        return self._given | {matter: self.script[at] is yes for matter, (at, yes) in places if at < self.position}

    def _placed(self) -> dict[Hashable, tuple[int, bool]]:
        for place in range(len(self._places), len(self.asked)):
            matter, yes = polarity(self.asked[place])
            self._places[matter] = place, yes
        return self._places

    def answers(self) -> list[tuple[Expr, bool]]:
        return list(zip(self.asked[: self.position], self.script, strict=False))

    def next_path(self, end: Any) -> Any:
        """Turn the last True into False and forget what came after it. Gives MORE, or the tree when no path is left.

        The *end* of the path is a leaf of it; each answer that has been True and False becomes a node.
        """
        while self.script and not self.script[-1]:
            self.script.pop()
            end = branch(self.asked.pop(), self._thens.pop(), end)
            if len(self._places) > len(self.asked):
                self._places.popitem()  # they are in the order of the questions
        if not self.script:
            return end
        self.script[-1] = False
        self._thens.append(end)
        self.position = 0
        return MORE


class Tracer:
    """One trace: what the stand-ins ask, the paths explored, and the refusal if there was one."""

    construct: Callable[[type], Any] | None = None  # see projection
    refusal: RuleRefused | None = None
    _paths = _calculations = 0

    def __init__(self, kind: str, function: object, facts: Facts, *, straight: bool = False) -> None:
        self.kind, self.function, self.facts = kind, function, facts
        # Is it an order key or a column that is being run: one expression, no branches, None allowed? The body of a
        # sum() in it is not.
        self.straight = straight
        self.scalars: dict[Expr, Scalar] = {}  # of the attributes that were read: what is known of them
        self._scopes: list[Scope] = []
        self._measures: dict[int, tuple[Expr | None, int, int]] = {}  # depth and size of what was calculated
        self._instrumented: dict[object, Any] = {}
        self.memberships: dict[tuple[int, Expr], tuple[object, Expr]] = {}  # see instrument.Membership
        self._used: dict[int, object] = {}  # generators, which are kept, or the id of one could be another's

    @property
    def depth(self) -> int:
        """How many scopes are open. The same on every replay, so it can number them."""
        return len(self._scopes)

    def refuse(self, why: str) -> RuleRefused:
        """The error to raise. It is remembered: an `except Exception` in the rule cannot swallow it."""
        if self.refusal is None:
            self.refusal = RuleRefused(f"{self.kind} {named(self.function)} {why}")
        return self.refusal

    # --- questions and paths --------------------------------------------------------------------------

    def decide(self, question: Expr, given: object = None) -> bool:
        """The answer to a question, on the path that is being run.

        *given* is the constant that the rule has, where the question asks for another one that comes to the same.
        """
        scope = self._scopes[-1]
        place = scope.position
        if place < len(scope.asked) and scope.asked[place] == question and scope.given.get(place) == given:
            # as on the run before
            scope.position += 1
            return scope.script[place]
        if question.op == "const":
            return bool(question.args[0])
        if self.straight:
            raise self.refuse(f"branches on `{question}`: it must be made of expressions, without conditions")
        if (known := scope.known(question)) is not None:
            return known
        if place < len(scope.asked):
            raise self.refuse(
                f"is not deterministic: it asked `{scope.asked[place]}` and, run again, `{question}`;"
                " pass random numbers and the time as arguments"
            )
        if place >= MAX_QUESTIONS:
            raise self.refuse(
                f"asks more than {MAX_QUESTIONS} questions on one path, as a loop over a stored value does;"
                " compare the value with a constant, or with `in` a collection of them"
            )
        if given is None:
            scope.given.pop(place, None)
        else:
            scope.given[place] = given
        return scope.ask(question)

    def known(self, question: Expr) -> bool | None:
        """What follows from the answers on the path that is being run, if anything does."""
        return self._scopes[-1].known(question)

    def explore(self, body: Callable[[], Any]) -> Any:
        """Run *body* once for each path through it: the tree of its questions, with what it returned as leaves."""
        if len(self._scopes) > MAX_SCOPES:
            raise self.refuse(f"looks more than {MAX_SCOPES} collections deep, as a function that calls itself does")
        scope = Scope(self._scopes[-1] if self._scopes else None)
        straight, self.straight = self.straight, self.straight and not self._scopes
        self._scopes.append(scope)
        try:
            while True:
                self._paths += 1
                if self._paths > MAX_PATHS:
                    raise self.refuse(
                        f"has more than {MAX_PATHS} paths: each `(a or b)` that is followed by more doubles them;"
                        " query for a part of it, or ask the question in fewer conditions"
                    )
                if scope.outer is None:
                    self._calculations = 0
                try:
                    end = body()
                except RuleRefused:
                    raise
                except RecursionError as error:
                    raise self.refusal or self.refuse(_TOO_DEEP) from error
                except Exception as error:
                    if came_from_outside(error):
                        raise
                    raise self.refusal or self.refuse(_raised(error, scope.answers())) from error
                if self.refusal is not None:  # swallowed by the rule
                    raise self.refusal
                if scope.position < len(scope.asked):
                    raise self.refuse("is not deterministic: it asked less than on the run before")
                if (tree := scope.next_path(end)) is not MORE:
                    return tree
        finally:
            self._scopes.pop()
            self.straight = straight

    def condition(self, body: Callable[[], Expr]) -> Expr:
        """The formula of a *body* that returns TRUE or FALSE at the end of each path."""
        return to_formula(reduce(self.explore(body)))

    def answer(self, predicate: Callable[[Thing], Any], candidate: Thing) -> Expr:
        """TRUE or FALSE for what a predicate returns, which has to have the sense of a bool."""
        value = predicate(candidate)
        if value is True:
            return TRUE
        if value is False:
            return FALSE
        if type(value) in (Symbol, Items):
            return TRUE if value else FALSE
        raise self.refuse(f"returns {shown(value)} and not a bool; is a `return` missing, or `not` meant by `~`?")

    # --- values ---------------------------------------------------------------------------------------

    def read(self, fact: Scalar, e: Expr) -> Any:
        """The value of an attribute: the real one where there are few, else a stand-in."""
        if self.straight:
            return Symbol(self, e)
        if fact.nullable and self.decide(isnull(e)):
            return None
        if fact.type is bool:
            return self.decide(e)
        if values := fact.choices or _members(fact.type):
            *others, last = values
            for each in others:
                if self.decide(Expr("eq", (e, const(each)), bool)):
                    return each
            return last
        return Symbol(self, e)

    def calculated(self, e: Expr) -> Symbol:
        """The result of an operation. A loop that goes on and on would make an expression too deep for anybody."""
        self._calculations += 1
        if self._calculations > MAX_CALCULATIONS:
            raise self.refuse(f"calculates more than {MAX_CALCULATIONS} times on one path, as a loop does")
        parts = [self._measures.get(id(each), _LEAF) for each in e.args]
        depth = DEPTHS.get(e.op, 1) + max([each[1] for each in parts])
        size = 1 + sum([each[2] for each in parts])
        if depth > MAX_DEPTH or size > MAX_SIZE:
            raise self.refuse(
                f"makes an expression that is nested too deeply, or has more than {MAX_SIZE} parts, as a loop does;"
                " calculate with constants outside of the rule"
            )
        self._measures[id(e)] = e, depth, size
        return Symbol(self, e)

    # --- code -----------------------------------------------------------------------------------------

    def instrument(self, function: Any) -> Any:
        """The function as it is run on stand-ins."""
        if self.straight:
            refuse_identity(function, self)
        try:
            found = self._instrumented.get(function)
        except TypeError:  # a callable without a hash
            return instrument(function, self)
        if found is None:
            found = self._instrumented[function] = instrument(function, self)
        return found

    def use_once(self, generator: object) -> None:
        """Raises RuleRefused if a generator is used again: what is left of it only the rows would tell."""
        if id(generator) in self._used:
            raise self.refuse("goes through one generator twice: write `any(... for ...)` each time")
        self._used[id(generator)] = generator

    def seen(self, value: Any) -> Any:
        """A constant of the rule's surroundings as the rule is to see it."""
        return seen(value, self)


def _members(kind: type) -> Iterable[Any]:
    # Flags have values between their members.
    return kind if issubclass(kind, Enum) and not issubclass(kind, Flag) else ()


def _raised(error: Exception, answers: list[tuple[Expr, bool]]) -> str:
    asked = [question if answer else not_(question) for question, answer in answers]
    world = " and ".join(f"({each})" if each.op == "or" else str(each) for each in asked)
    what = f"raises {type(error).__name__}({error})" + (f" when {world}" if world else "")
    if "Symbol" in str(error) or "'Thing'" in str(error):  # a stand-in, in the words of a TypeError
        return f"{what}: it hands an attribute to something that needs its value, which only the database knows"
    example = ", as in `user.score is not None and user.score > 3`" if "None" in str(error) else ""
    return f"{what}: a rule has an answer for every row the mapping allows; ask first{example}"


def require_function(t: Tracer, function: object, example: str) -> None:
    """Raises RuleRefused for a condition of SQLAlchemy, the name of an attribute, or whatever else was given."""
    if not callable(function):
        raise t.refuse(f"is no function, but {type(function).__name__}: write `lambda user: {example}`")


def named(function: object) -> str:
    """What error messages call a function: its name, and where it is written."""
    while isinstance(function, functools.partial) or hasattr(function, "predicate"):
        function = function.func if isinstance(function, functools.partial) else function.predicate
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    name = name.rpartition("<locals>.")[2]
    plain = getattr(function, "__func__", function)
    if isinstance(plain, types.FunctionType):
        code = plain.__code__
        return f"{name} ({code.co_filename.replace(chr(92), '/').rpartition('/')[2]}:{code.co_firstlineno})"
    return name
