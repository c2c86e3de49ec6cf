"""What happens to a rule's code before it runs on stand-ins.

A rule is not run as it is but as a copy, with the same code and other surroundings:

* `any all len sum type isinstance` are replaced, because the built-in ones insist on real objects;
* constant containers that stand right of `in`, and those among the globals, defaults and closed-over
  variables, become ones whose `in` asks one question (`id IN (...)`) instead of one for each element;
* functions, rules and modules among them are wrapped, so that a helper that is called with a stand-in is
  copied in the same way.

What is refused before it runs, because running it would not tell, is read from its syntax (`written`).
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..domain.order import asc
from ..domain.rule import Rule
from .facts import SCALARS
from .formula import Expr, member
from .source import announce
from .standins import (
    CACHED,
    STANDINS,
    Items,
    Symbol,
    Thing,
    equal_to,
    exists,
    refuse_none,
    shown,
    total,
)
from .written import UNSEEN, Compared, read

if TYPE_CHECKING:
    from .trace import Tracer

__all__ = ["instrument", "refuse_identity", "seen"]


# --- functions ----------------------------------------------------------------------------------------


def instrument(function: Any, t: Tracer) -> Any:
    """A copy of *function* that can be run on stand-ins; the function itself if it has no code of its own."""
    if not isinstance(function, types.FunctionType):
        return _instrument_callable(function, t)
    plan = _plan_of(function)
    if plan.refusal is not None:
        raise t.refuse(plan.refusal)
    for compared in plan.identities:
        _refuse_identity(compared, function, t)
    if plan.sees_itself_only and not t.straight and _is_given_values_only(function):
        return function  # a copy would be the same
    surroundings = function.__globals__
    visible = {name: seen(surroundings[name], t) for name in plan.names if name in surroundings}
    visible["__builtins__"] = _BUILTINS
    if t.straight:
        visible[_TRACER] = t
    visible["__name__"] = surroundings.get("__name__")
    defaults, closure, keywords = function.__defaults__, function.__closure__, function.__kwdefaults__
    copy = types.FunctionType(
        plan.code,
        visible,
        function.__name__,
        defaults and tuple([seen(value, t) for value in defaults]),
        closure and tuple([_seen_cell(cell, t) for cell in closure]),
    )
    if keywords:
        copy.__kwdefaults__ = {name: seen(value, t) for name, value in keywords.items()}
    return copy


def _is_given_values_only(function: types.FunctionType) -> bool:
    """Are its defaults and closed-over variables, if it has any, just numbers, texts and the like?"""
    if function.__defaults__ is not None or function.__kwdefaults__ is not None:
        return False
    if (closure := function.__closure__) is None:
        return True
    try:
        return _SEEN_AS_THEY_ARE.issuperset([type(cell.cell_contents) for cell in closure])
    except ValueError:  # not assigned yet
        return False


def _instrument_callable(function: Any, t: Tracer) -> Any:
    if isinstance(function, functools.partial):
        keywords = {name: seen(value, t) for name, value in function.keywords.items()}
        return functools.partial(t.instrument(function.func), *(seen(each, t) for each in function.args), **keywords)
    if isinstance(function, Rule):
        return t.instrument(function.predicate)
    if isinstance(function, CACHED):
        return t.instrument(function.__wrapped__)
    if isinstance(function, types.MethodType):
        return functools.partial(t.instrument(function.__func__), function.__self__)
    call = vars(type(function)).get("__call__")
    if isinstance(call, types.FunctionType) and not isinstance(function, type):
        return functools.partial(t.instrument(call), function)
    return function


def seen(value: Any, t: Tracer) -> Any:
    """A constant of a rule's surroundings as the rule is to see it."""
    kind = type(value)
    if kind in _SEEN_AS_THEY_ARE:
        return value
    if (seeing := _SEEING.get(kind)) is not None:
        return seeing(seen(each, t) if type(each) in _CALLABLE else each for each in value)
    if kind in (types.FunctionType, types.MethodType, functools.partial, CACHED):
        return value if getattr(value, "__module__", None) == _ORDER else _seen_function(value, t)
    if kind is Rule:
        return Rule(_seen_function(value.predicate, t))
    if kind is types.ModuleType and value.__name__.partition(".")[0] not in sys.stdlib_module_names:
        return _Module(value, t)
    if t.construct is not None and isinstance(value, type):
        return t.construct(value)
    if _is_used_up(value):
        raise t.refuse(f"uses a {kind.__name__} from outside, which is used up after one run: make it a tuple")
    return value


def _is_used_up(value: Any) -> bool:
    """Does a loop over it leave nothing for the next one?"""
    return type(value) not in STANDINS and isinstance(value, Iterator)


_SEEN_AS_THEY_ARE = frozenset((*SCALARS, types.NoneType))


def _seen_function(function: Any, t: Tracer) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        # Without a stand-in among the arguments it is the business of the function alone what it does.
        if any(type(each) in STANDINS for each in (*args, *kwargs.values())):
            return t.instrument(function)(*args, **kwargs)
        made = function(*args, **kwargs)
        return seen(made, t) if type(made) in _CALLABLE else made  # older_than(18) makes a rule

    return call


def _seen_cell(cell: types.CellType, t: Tracer) -> types.CellType:
    try:
        return types.CellType(seen(cell.cell_contents, t))
    except ValueError:  # not assigned yet
        return cell


class _Module:
    """A module whose functions are seen as those that are imported by name."""

    __slots__ = ("__standin__",)  # no name that a module could have

    def __init__(self, module: types.ModuleType, t: Tracer) -> None:
        self.__standin__ = (module, t)

    def __getattr__(self, name: str) -> Any:
        module, t = self.__standin__
        return seen(getattr(module, name), t)


# --- code ---------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """What one code object needs. It knows no values, so it can be kept for as long as the code lives."""

    code: types.CodeType
    names: tuple[str, ...]  # of the globals and built-ins it may use
    sees_itself_only: bool  # no such names, and no constants that are to be seen as something else
    identities: tuple[Compared, ...]  # what is compared by identity
    asks_identity: bool  # by `is`, outside of what is asked of each child
    refusal: str | None


_NOTHING = object()


def _plan_of(function: types.FunctionType) -> _Plan:
    announce(function)
    return _plan(function.__code__)


@functools.lru_cache(4096)
def _plan(code: types.CodeType) -> _Plan:
    written = read(code)
    refusal, asks_identity = written.refusal, written.asks_identity
    identities = list(written.identities)
    names = [each.argval for each in dis.get_instructions(code) if each.opcode in dis.hasname and _is_variable(each)]
    constants = list(code.co_consts)
    for i in written.containers:
        constants[i] = _SEEING[type(constants[i])](constants[i])
    for i, constant in enumerate(constants):
        if isinstance(constant, types.CodeType):
            inner = _plan(constant)
            constants[i], refusal = inner.code, refusal or inner.refusal
            names += inner.names
            identities += [_seen_from(code, each) for each in inner.identities]
            asks_identity |= inner.asks_identity and not (_is_body(constant) and _LOOPS.intersection(code.co_names))
    same = all(seen is there for seen, there in zip(constants, code.co_consts, strict=True))
    made = code if same else code.replace(co_consts=tuple(constants))
    return _Plan(made, tuple(names), same and not names, tuple(identities), asks_identity, refusal)


_LOOPS = frozenset(("any", "all", "sum"))


def _seen_from(outer: types.CodeType, compared: Compared) -> Compared:
    """What an inner function compares with. Of a variable of the function around it nothing is known."""
    if compared.closed and compared.root in outer.co_cellvars:
        return Compared(compared.text, compared.line)
    return compared


def _is_variable(instruction: dis.Instruction) -> bool:
    """Is the name that it uses one of a variable? More names than these do no harm."""
    return "ATTR" not in instruction.opname and "METHOD" not in instruction.opname


def _is_body(code: types.CodeType) -> bool:
    return code.co_name == "<genexpr>"


def refuse_identity(function: object, t: Tracer) -> None:
    """In an order or a projection a stand-in may stand for None, and for True: `is` would not tell."""
    if isinstance(function, types.FunctionType) and _plan_of(function).asks_identity:
        raise t.refuse(
            f"asks with `is` (line {function.__code__.co_firstlineno}), and must be made of expressions, without"
            " conditions; what is computed from None is None, so there is no need to ask"
        )


def _refuse_identity(compared: Compared, function: types.FunctionType, t: Tracer) -> None:
    """`x is Status.NEW` means something in a query, `x is other` does not."""
    if compared.root:
        try:
            value = _variable(compared, function)
            for name in compared.path:
                value = getattr(value, name)
        except (AttributeError, ValueError):
            value = _NOTHING
        if value is None or value is NotImplemented or isinstance(value, bool | type | Enum):
            return
    unseen = ", as plainly as that, for its source cannot be found" if compared.text == UNSEEN else ""
    raise t.refuse(
        f"compares with `is {compared.text}` (line {compared.line}): a row has no identity; use ==, or write None or"
        f" the member of an enum right of the `is`{unseen}"
    )


def _variable(compared: Compared, function: types.FunctionType) -> Any:
    """Raises ValueError for a variable of a function around that has no value yet."""
    if compared.closed:
        return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))[
            compared.root
        ].cell_contents
    return function.__globals__.get(compared.root, getattr(builtins, compared.root, _NOTHING))


# --- containers ---------------------------------------------------------------------------------------


class _Membership:
    """A constant container whose `in` asks one question instead of one for each element."""

    def __contains__(self, value: Any) -> bool:
        if type(value) is Thing:
            return any(value == each for each in self)  # type: ignore[attr-defined]
        if type(value) is not Symbol:
            return super().__contains__(value)  # type: ignore[misc, no-any-return]
        t, e = value.__standin__
        _, atom = t.memberships.get((id(self), e)) or (None, None)
        if atom is None:
            atom = _membership(t, e, self)
            t.memberships[id(self), e] = (self, atom)  # keeps the container, or its id could be another's
        return t.decide(atom)


def _membership(t: Tracer, e: Expr, container: Any) -> Expr:
    constants = []
    for value in container:
        if value is None:
            continue  # no Symbol is None: that was the question before
        if type(value) in STANDINS or not isinstance(value, SCALARS):
            raise t.refuse(f"looks for {e} in a collection that holds {shown(value)}; only constants make an IN")
        if (constant := equal_to(t, e, value)) is not None:
            constants.append(constant)
    if isinstance(container, set | frozenset):
        constants.sort(key=repr)  # a set is iterated in another order in each process; a statement should not be
    return member(e, tuple(dict.fromkeys(constants)))


class _Tuple(_Membership, tuple[Any, ...]):
    pass


class _List(_Membership, list[Any]):
    pass


class _Set(_Membership, set[Any]):
    pass


class _FrozenSet(_Membership, frozenset[Any]):
    pass


_SEEING: dict[type, Callable[..., Any]] = {tuple: _Tuple, list: _List, set: _Set, frozenset: _FrozenSet}
_ORDER = asc.__module__  # desc() and its like take stand-ins as they are
_TRACER = "__tracer__"  # the global variable by which a generator knows who runs it
_CALLABLE = (types.FunctionType, types.MethodType, functools.partial, CACHED, Rule)


# --- built-in functions -------------------------------------------------------------------------------


def _body_of(iterable: Any) -> tuple[Items, Callable[[Thing], Iterator[Any]]] | None:
    """`f(x) for x in items if c(x)` as the items and a function of one element; None for anything else.

    The function gives what the generator yields for that element: one value, none where the `if` leaves it out,
    or several where a second loop follows. It is made of the generator's own code, which takes its elements from
    whatever iterator it is called with.
    """
    if not isinstance(iterable, types.GeneratorType) or (frame := iterable.gi_frame) is None:
        return None
    variables = frame.f_locals
    items = variables.get(".0")
    if type(items) is not Items:
        tracer = frame.f_globals.get(_TRACER)
        if tracer is not None and tracer.straight and _plan(iterable.gi_code).asks_identity:
            raise tracer.refuse("asks with `is` in a loop, and must be made of expressions, without conditions")
        return None
    t = items.__standin__.t
    for name in iterable.gi_code.co_freevars:
        if _is_used_up(variables.get(name)):
            raise t.refuse(
                f"goes through `{name}` for each element, and it is used up after the first one: make it a tuple"
            )
    closed = tuple(
        types.CellType(variables[name]) if name in variables else types.CellType()
        for name in iterable.gi_code.co_freevars
    )
    make = types.FunctionType(iterable.gi_code, frame.f_globals, "genexpr", (), closed)
    # It is left as it is, so that whoever else draws from it meets the items, which refuse to be looped over.
    t.use_once(iterable)
    return items, lambda element: make(iter([element]))


def _any(iterable: Any, /) -> bool:
    if (found := _body_of(iterable)) is None:
        return any(iterable)
    items, body = found
    return items.__standin__.t.decide(exists(items, lambda element: any(body(element))))


def _all(iterable: Any, /) -> bool:
    if (found := _body_of(iterable)) is None:
        return all(iterable)
    items, body = found
    return not items.__standin__.t.decide(exists(items, lambda element: not all(body(element))))


def _len(value: Any, /) -> Any:
    if type(value) is Items:
        return total(value, lambda _: (1,))
    if type(value) is not Symbol:
        return len(value)
    t, e = value.__standin__
    if e.type is not str:
        raise t.refuse(f"takes len() of {e} ({e.type.__name__})")
    return Symbol(t, Expr("length", (e,), int))


def _sum(iterable: Any, /, start: Any = 0) -> Any:
    if (found := _body_of(iterable)) is None:
        return sum(iterable, start)
    result = total(*found)
    return result if type(start) is int and start == 0 else start + result


def _isinstance(value: Any, kinds: Any, /) -> bool:
    if type(value) is Symbol:
        refuse_none(value.__standin__.t, value.__standin__.e)
    if type(value) is not Thing:
        return isinstance(value, kinds)
    t, cls, _, path, *_ = value.__standin__
    for kind in _single_kinds(kinds):
        if issubclass(cls, kind):
            return True
        if not path and issubclass(kind, cls):
            raise t.refuse(
                f"asks isinstance(..., {kind.__name__}): a query tells subclasses apart by an attribute only;"
                " give the class one, such as `kind`, and compare it"
            )
    return False


def _single_kinds(kinds: Any) -> list[Any]:
    if isinstance(kinds, tuple):
        return [single for kind in kinds for single in _single_kinds(kind)]
    return list(typing.get_args(kinds)) if isinstance(kinds, types.UnionType) else [kinds]


def _type(*args: Any) -> Any:
    if len(args) == 1 and type(args[0]) is Symbol:
        refuse_none(args[0].__standin__.t, args[0].__standin__.e)
    # `type(user.age) is int` holds of the stand-in for an int, as it does of the int.
    return args[0].__class__ if len(args) == 1 and type(args[0]) in STANDINS else type(*args)


_BUILTINS = dict(vars(builtins)) | {
    "any": _any,
    "all": _all,
    "len": _len,
    "sum": _sum,
    "isinstance": _isinstance,
    "type": _type,
}
