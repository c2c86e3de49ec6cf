"""`@rule` makes of a predicate an object that combines and has a name."""

from __future__ import annotations

import functools
import types

import pytest

from honestwork.domain import Rule, RuleRefused, all_of, any_of, negate, rule
from honestwork.rules import Attribute, Scalar, explain, trace
from honestwork.testing import check_rules
from tests.rules_kit.shop import User, user


@rule
def adult(user: User) -> bool:
    """Old enough."""
    return user.age >= 18


@rule
def banned(user: User) -> bool:
    return user.banned


def named_jo(user: User) -> bool:
    return user.name == "Jo"


@pytest.mark.parametrize(
    ("combined", "formula", "name"),
    [
        (adult & banned, "age >= 18 and banned", "adult and banned"),
        (adult | banned, "age >= 18 or banned", "adult or banned"),
        (~adult, "age < 18", "not adult"),
        (~adult & ~banned, "age < 18 and not banned", "not adult and not banned"),
        ((adult | banned) & named_jo, "(age >= 18 or banned) and name == 'Jo'", "(adult or banned) and named_jo"),
        (named_jo & adult, "name == 'Jo' and age >= 18", "named_jo and adult"),
        (named_jo | adult, "name == 'Jo' or age >= 18", "named_jo or adult"),
        (all_of(adult, named_jo), "age >= 18 and name == 'Jo'", "adult and named_jo"),
        (any_of(adult, named_jo), "age >= 18 or name == 'Jo'", "adult or named_jo"),
        (negate(named_jo), "name != 'Jo'", "not named_jo"),
        (negate(all_of(adult, banned)), "age < 18 or not banned", "not (adult and banned)"),
        (all_of(), "True", ""),
        (any_of(), "False", ""),
    ],
)
def test_rules_combine(combined: Rule[User], formula: str, name: str) -> None:
    person = user(age=20)

    assert str(trace(combined, User)) == formula
    assert combined.name == name
    assert repr(combined) == f"<rule {name}>"
    assert combined(person) == eval(formula, {}, vars(person))


def test_a_rule_keeps_the_name_and_the_words_of_its_function() -> None:
    assert (adult.__doc__, adult.name) == ("Old enough.", "adult")


def test_a_rule_is_used_inside_another() -> None:
    assert str(trace(lambda u: adult(u) and (adult & banned)(u), User)) == "age >= 18 and banned"


def test_a_rule_is_explained_by_its_formula() -> None:
    assert explain(adult, User) == "age >= 18"
    assert explain(adult & banned, User) == "age >= 18 and banned"
    assert explain(Rule(functools.partial(lambda age, user: user.age > age, 3)), User) == "age > 3"


class Account:
    """A class that annotates nothing."""

    def __init__(self, owner, limit):  # type: ignore[no-untyped-def]
        self._owner = owner
        self._limit = limit

    @property
    def owner(self):  # type: ignore[no-untyped-def]
        return self._owner


def test_a_store_can_know_what_a_class_does_not_say() -> None:
    facts: dict[type, dict[str, Attribute]] = {Account: {"_owner": Scalar(str), "_limit": Scalar(int, nullable=True)}}

    assert str(trace(lambda a: a.owner == "Jo", Account, facts=facts.__getitem__)) == "_owner == 'Jo'"
    assert (
        str(trace(lambda a: a._limit is None or a._limit > 3, Account, facts=facts.__getitem__))
        == "_limit is None or _limit > 3"
    )
    with pytest.raises(RuleRefused, match=r"reads Account\._owner, which is neither mapped nor annotated"):
        trace(lambda a: a.owner == "Jo", Account)


class Hidden:
    _name: str
    __secret: int = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def secret(self) -> int:
        return self.__secret


def test_private_attributes_are_reached_through_properties() -> None:
    assert str(trace(lambda h: h.name.startswith("J"), Hidden)) == "_name.startswith('J')"
    assert str(trace(lambda h: h.secret == 3, Hidden)) == "_Hidden__secret == 3"


class Sneaky:
    """Attributes with the names a stand-in might have used for itself."""

    t: int
    cls: str
    path: str
    scope: int
    exists: bool
    items: int


def test_a_stand_in_shadows_no_attribute() -> None:
    rule = lambda s: s.t == s.scope and s.cls == s.path and s.exists and s.items > 1  # noqa: E731

    assert str(trace(rule, Sneaky)) == "scope == t and cls == path and exists and items > 1"


# --- check_rules --------------------------------------------------------------------------------------


def module(source: str) -> types.ModuleType:
    made = types.ModuleType("shop_rules")
    made.__dict__.update(User=User, rule=rule, named_jo=named_jo)
    exec(compile(source, "shop_rules.py", "exec"), made.__dict__)
    return made


def test_all_rules_of_a_module_are_checked_and_counted() -> None:
    good = module(
        "@rule\ndef a(user: User) -> bool: return user.age > 1\n"
        "def b(user: User) -> bool: return user.banned\n"
        "c = a & b\n"
        "def no_rule(user: User) -> int: return 1\n"
        "def nor_this(name: str) -> bool: return f'{name}' == 'x'\n"
        "def nor_that(a: User, b: User) -> bool: return a is b\n"
    )

    assert check_rules(good) == 2


def test_all_refusals_are_told_at_once() -> None:
    bad = module(
        "def a(user: User) -> bool: return user.age / 2 > 1\n"
        "def b(user: User) -> bool: return user.banned\n"
        "def c(user: User) -> bool: return user.score > 3\n"
    )

    with pytest.raises(
        RuleRefused, match=r"2 of 3 rules are refused:\n  1\. rule a \(.*\) uses /.*\n  2\. rule c .*None"
    ):
        check_rules(bad)


def test_an_annotation_that_cannot_be_found_is_told_with_the_rule_that_has_it() -> None:
    lost = module(
        "from __future__ import annotations\n"
        "def a(user: Guest) -> bool: return user.age > 1\n"
        "@rule\ndef b(user: Guest) -> bool: return user.banned\n"
        "def no_rule(guest: Guest) -> int: return 1\n"
    )

    with pytest.raises(
        RuleRefused, match=r"(?s)2 of 2 rules.*a \(shop_rules.py:2\) is annotated with Guest.*2\. rule b"
    ):
        check_rules(lost)
