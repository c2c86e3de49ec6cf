"""A check for the whole application: is there a query for every rule in these modules?"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from ..domain import Rule, RuleRefused
from ..rules import Facts, annotated, trace
from ..rules.facts import SCALARS
from ..rules.trace import named

__all__ = ["check_rules"]


def check_rules(*modules: types.ModuleType, facts: Facts = annotated) -> int:
    """Trace every rule in the *modules*, so that a refusal shows in a test and not in production.

        def test_rules() -> None:
            assert check_rules(myapp.domain.users, myapp.domain.orders) == 12

    Rules are the module-level `@rule` functions, and the functions that take one object of a class
    and are annotated to return a bool. Those that are imported from elsewhere are left to the module
    they come from. No database and no mapping is needed. Returns how many rules there are.

    Raises RuleRefused, with every refusal in its message. For instance:

        2 of 12 rules are refused:
          1. rule lucky (users.py:7) uses / (databases divide integers without a fraction ...) on age
          2. rule senior (users.py:11) raises TypeError('>' not supported ...) when score is None: ...
    """
    rules = [found for module in modules for found in _rules(module)]
    refusals = []
    for predicate, cls in rules:
        try:
            trace(predicate, cls if isinstance(cls, type) else _found(predicate, cls), facts=facts)
        except RuleRefused as refusal:
            refusals.append(str(refusal))
    if refusals:
        lines = "\n".join(f"  {number}. {refusal}" for number, refusal in enumerate(refusals, 1))
        raise RuleRefused(f"{len(refusals)} of {len(rules)} rules are refused:\n{lines}")
    return len(rules)


def _rules(module: types.ModuleType) -> Iterator[tuple[Callable[[Any], bool], type | NameError]]:
    for value in vars(module).values():
        if isinstance(value, Rule) and value.__module__ == module.__name__:
            try:
                cls = _subject(value.predicate)
            except NameError as error:
                yield value, error
                continue
            if cls is not None:  # those made of others by & | ~ name no class: the others are checked on their own
                yield value, cls
        elif isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            try:
                hints = typing.get_type_hints(value)
            except NameError as error:
                if value.__annotations__.get("return") in (bool, "bool") and value.__code__.co_argcount == 1:
                    yield value, error
                continue
            returns = hints.pop("return", None)
            if returns is bool and len(hints) == value.__code__.co_argcount == 1:
                (cls,) = hints.values()
                if isinstance(cls, type) and not issubclass(cls, SCALARS):
                    yield value, cls


def _subject(predicate: Callable[[Any], bool]) -> type | None:
    """The class that annotates the first parameter of *predicate*, if any does. Raises NameError if it is not there."""
    plain: Any = inspect.unwrap(predicate)
    while isinstance(plain, functools.partial):
        plain = plain.func
    parameter = next(iter(inspect.signature(predicate).parameters), "")
    hint = typing.get_type_hints(plain).get(parameter)
    return hint if isinstance(hint, type) else None


def _found(predicate: object, missing: NameError) -> type:
    raise RuleRefused(
        f"rule {named(predicate)} is annotated with {missing.name}, which is not there when it runs: import it outside"
        " of `if TYPE_CHECKING`"
    ) from missing
