"""Rules as nobody would write them, and as somebody has: each Python lays them out in its own way.

They are texts, so that they stand as they are written, whatever a formatter thinks of it. A rule whose title ends in
`+` may be refused where its source is not to be had.
"""

from __future__ import annotations

import functools
import itertools
import linecache
import operator
import types
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from honestwork.domain import all_of, any_of, negate, rule

from . import shop
from .shop import Address, Line, Status, User

__all__ = ["ODD", "REFUSED", "made"]

Predicate = Callable[[Any], Any]


def missing(value: object) -> bool:
    return value is None


NAMES = {
    "Address": Address,
    "Decimal": Decimal,
    "Line": Line,
    "Status": Status,
    "User": User,
    "all_of": all_of,
    "any_of": any_of,
    "functools": functools,
    "itertools": itertools,
    "missing": missing,
    "negate": negate,
    "operator": operator,
    "shop": shop,
    "wanted": ("Jo", "a"),
    "rule_": rule,
}


def made(title: str, text: str, *, with_source: bool = True) -> Predicate:
    """The `rule` that a text defines, as a module of its own would."""
    name = f"<{title}>"
    if with_source:
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    else:
        linecache.cache.pop(name, None)
    module = types.ModuleType("odd")
    vars(module).update(NAMES)
    exec(compile(text, name, "exec", dont_inherit=True), vars(module))
    found: Predicate = vars(module)["rule"]
    return found


def _blocks(text: str) -> dict[str, str]:
    found = {}
    for block in text.strip().split("\n\n\n"):
        title, _, source = block.partition("\n")
        assert title.startswith("# "), title
        assert title not in found, title
        found[title.removeprefix("# ")] = source + "\n"
    return found


ODD = _blocks(r'''
# is None, returned
rule = lambda u: u.nick is None


# is not None, returned
rule = lambda u: u.nick is not None


# not is None
rule = lambda u: not u.nick is None


# not (is None)
rule = lambda u: not (u.nick is None)


# not not
rule = lambda u: not not u.nick is None


# None is +
rule = lambda u: None is u.nick


# None is not +
rule = lambda u: None is not u.nick and u.nick == "Jo"


# is (None) +
rule = lambda u: u.nick is (None)


# (is) +
rule = lambda u: ((u.nick) is not ((None)))


# is None is True
rule = lambda u: (u.nick is None) is True


# is None is False, in a chain of constants +
rule = lambda u: (u.nick is None) is False is not None


# is None == is None
rule = lambda u: (u.nick is None) == (u.vip is None)


# is None != is None
rule = lambda u: (u.nick is None) != (u.score is None)


# is None & is None
rule = lambda u: (u.nick is None) & (u.vip is None)


# is None ^ is None
rule = lambda u: (u.nick is None) ^ (u.vip is None)


# is None as a number
rule = lambda u: (u.nick is None) + (u.vip is None) + (u.score is None) >= 2


# is None in a tuple of bools
rule = lambda u: (u.nick is None) in (True,)


# is None, and
rule = lambda u: u.nick is None and u.score is None and u.vip is None


# is None, or
rule = lambda u: u.nick is None or u.score is None or u.vip is None


# is None, and or
rule = lambda u: u.nick is None and u.score is not None or u.vip is None and u.age > 3


# is None, or and
rule = lambda u: (u.nick is None or u.age > 3) and (u.score is None or u.age < 9)


# or is None
rule = lambda u: (u.nick or None) is None


# and is None
rule = lambda u: (u.nick and u.score) is None


# a conditional expression is None
rule = lambda u: (u.nick if u.age > 3 else u.score) is None


# a conditional expression of is None
rule = lambda u: u.score is None if u.nick is None else u.score is not None


# nested conditional expressions
rule = lambda u: u.age > 3 if u.nick is None else u.age > 4 if u.score is None else u.age > 5 if u.vip else u.age > 6


# a condition in the condition
rule = lambda u: u.age > 3 if (u.score is None if u.nick is None else u.vip is None) else u.age < 9


# walrus is None
rule = lambda u: (n := u.nick) is None or n == "Jo"


# walrus is not None, in an if
def rule(u):
    if (n := u.nick) is not None and n.startswith("B"):
        return True
    return (s := u.score) is not None and s > 3


# walrus in a chain
rule = lambda u: 3 < (n := u.age) < 40 and n != 30


# walrus in a condition of a condition
rule = lambda u: (a if (a := u.score) is not None else 0) > 2


# is an enum's member
rule = lambda u: u.status is Status.OPEN


# is an enum's member of a module
rule = lambda u: u.status is shop.Status.OPEN


# an enum's member is +
rule = lambda u: Status.OPEN is u.status


# is not an enum's member, not +
rule = lambda u: not (u.status is not Status.OPEN)


# is one of two members
rule = lambda u: u.status is Status.OPEN or u.status is Status.NEW


# is a member, over two lines +
rule = lambda u: (
    u.status
    is Status
    .OPEN
)


# is a member, closed over
def maker(wanted):
    return lambda u: u.status is wanted
rule = maker(Status.OPEN)


# is a member, of a class that is closed over
def maker(kind):
    return lambda u: u.status is kind.OPEN or u.status is kind.CLOSED
rule = maker(Status)


# is a member, in a function in a function
def maker(wanted):
    def rule(u):
        def same():
            return u.status is wanted
        return same()
    return rule
rule = maker(Status.OPEN)


# is a type
rule = lambda u: type(u.age) is int and u.age > 3


# is True
rule = lambda u: (u.age > 3) is True


# is False, of a nullable bool
rule = lambda u: u.vip is False


# is not True
rule = lambda u: u.vip is not True


# several lambdas on one line
rule = all_of(lambda u: u.nick is None, lambda u: u.score is None, lambda u: u.age in {30, 2})


# several lambdas on one line, the first of which has no query
other, rule = (lambda u: u.name is NAMES[0]), (lambda u: u.nick is None)


# the same lambda twice on one line
rule = any_of(lambda u: u.nick is None, lambda u: u.nick is None)


# lambdas in a dict
rule = {"a": lambda u: u.age > 3, "b": lambda u: u.nick is None}["b"]


# lambdas in a list comprehension
rule = [lambda u, n=n: u.age > n and u.nick is None for n in (1, 29)][1]


# lambdas of a loop
rules = []
for n in (1, 29):
    rules.append(lambda u, n=n: u.age > n or u.vip is None)
rule = rules[1]


# a lambda that makes a lambda
rule = (lambda n: lambda u: u.age > n and u.nick is None)(3)


# a lambda in a default
rule = lambda u, f=lambda u: u.nick is None: f(u)


# a lambda called on the spot
rule = lambda u: (lambda n: n is None)(u.nick)


# a lambda beside what yields
def fixture():
    yield lambda u: u.nick is None
rule = next(fixture())


# a lambda in what awaits
async def find(rule):
    return rule
async def run():
    return await find(lambda u: u.nick is None)
try:
    run().send(None)
except StopIteration as stop:
    rule = stop.value


# a lambda in what is assigned
class Holder:
    pass
holder = Holder()
holder.rule = lambda u: u.nick is None
rule = holder.rule


# a lambda in what is compared by identity
saved = object()
if (rule := lambda u: u.nick is None) is saved:
    rule = None


# a lambda of many lines
rule = (
    lambda u:
        u.nick
        is
        None
        and
        u.age
        in (
            30,
            2,
        )
)


# a lambda with a backslash
rule = lambda u: u.nick \
    is \
    None


# a lambda behind other letters
rule, ß = (lambda u: "é" != u.name and u.nick is None), "日本"


# a tab before it
def rule(u):
	if u.nick is None:
		return u.age > 3
	return u.score is not None


# a semicolon
def rule(u): n = u.nick; return n is None


# one line of if
def rule(u):
    if u.nick is None: return True
    if u.score is None: return False
    return u.vip is None


# early returns
def rule(u):
    if u.nick is None:
        return u.age > 3
    elif u.score is None:
        return u.age > 4
    else:
        if u.vip is None:
            return False
    return True


# a decorator
def twice(f):
    @functools.wraps(f)
    def inner(u):
        return f(u) and f(u)
    return inner
@twice
def rule(u):
    return u.nick is None


# several decorators, over several lines
def either(*fs):
    def decorate(f):
        return lambda u: f(u) or any(each(u) for each in fs)
    return decorate
@either(
    lambda u: u.vip is None,
    lambda u: u.nick is None,
)
@either(lambda u: u.age > 99)
def rule(u):
    return u.score is None


# a rule of rules
@rule_
def first(u): return u.nick is None
@rule_
def second(u): return any(line.qty > 3 for line in u.lines)
rule = first & ~second | second & negate(first)


# a method
class Policy:
    __limit = 3
    def allows(self, u):
        __n = u.nick
        return __n is None and u.age > self.__limit
rule = Policy().allows


# a static method and a class method
class Policy:
    @staticmethod
    def nameless(u): return u.nick is None
    @classmethod
    def scoreless(cls, u): return u.score is None
rule = lambda u: Policy.nameless(u) or Policy.scoreless(u)


# a callable object
class Policy:
    def __call__(self, u):
        return u.nick is None or self.more(u)
    def more(self, u):
        return u.vip is not None
rule = Policy()


# a class within a rule
def rule(u):
    class Limit:
        low = 3
        high = 31
    return Limit.low < u.age < Limit.high and u.nick is None


# a function within a rule
def rule(u):
    def nameless():
        return u.nick is None
    def scoreless(v):
        return v.score is None
    return nameless() or scoreless(u)


# a function within a rule that is called twice
def rule(u):
    def missing(value):
        return value is None
    return missing(u.nick) and missing(u.score) or missing(u.vip)


# a variable that is closed over and changed in its own function
def rule(u):
    n = u.age
    n = n + 1
    return (lambda: n > 30)()


# a loop
def rule(u):
    for name in ("a", "Jo"):
        if u.name == name:
            return u.nick is None
    return u.nick is not None


# a loop with else, break and continue
def rule(u):
    for name in "ab", "Jo", "a":
        if name == "ab":
            continue
        if u.name == name:
            break
    else:
        return u.nick is None
    return u.nick is not None


# a while
def rule(u):
    n = 3
    while n:
        n -= 1
        if u.age == n:
            return True
    return u.nick is None


# try and finally
def rule(u):
    try:
        if u.nick is None:
            return u.age > 3
    finally:
        done = True
    return done and u.score is not None


# try, except, else
def rule(u):
    try:
        more = u.score > 3
    except TypeError as error:
        return u.nick is None
    else:
        return more


# with
import contextlib
def rule(u):
    with contextlib.nullcontext():
        return u.nick is None


# assert
def rule(u):
    assert u is not None
    return u.nick is None


# match a literal
def rule(u):
    match u.age:
        case 30: return True
        case 2 | 3: return u.nick is None
        case _: return False


# match None and True
def rule(u):
    match u.vip:
        case None: return u.age > 3
        case True: return u.age > 20
        case False: return True


# match members
def rule(u):
    match u.status:
        case Status.NEW | Status.OPEN: return u.nick is None
        case Status.CLOSED if u.age > 3: return True
    return False


# match a tuple
def rule(u):
    match (u.nick, u.score):
        case (None, None): return True
        case (None, score): return score > 3
        case (nick, _): return nick == "Jo"


# match with as
def rule(u):
    match u.nick:
        case None as n: return n is None and u.age > 3
        case n: return n != "Jo"


# match with a guard
def rule(u):
    match u.age:
        case n if n > 20: return u.nick is None
        case n if n in {2, -1}: return True
    return False


# a list comprehension
rule = lambda u: any([u.name == x for x in ("a", "Jo")]) and u.nick is None


# a list comprehension with is
rule = lambda u: [x is None for x in (u.nick, u.score, u.vip)].count(True) == 2


# a set comprehension of constants
rule = lambda u: "Jo" in {x.title() for x in ("jo", "a")} and u.nick is None


# a dict comprehension
rule = lambda u: {k: v is None for k, v in (("a", u.nick), ("b", u.score))} == {"a": True, "b": True}


# nested comprehensions
rule = lambda u: any([all([x is None for x in row]) for row in ((u.nick, u.score), (u.vip, u.nick))])


# a comprehension with a condition
rule = lambda u: len([1 for x in (u.age, u.score, u.id) if x is not None if x != 5]) > 1


# any
rule = lambda u: any(line.qty > 3 for line in u.lines)


# all
rule = lambda u: all(line.qty > 3 for line in u.lines)


# not any
rule = lambda u: not any(line.qty > 3 for line in u.lines)


# any with is None
rule = lambda u: any(line.note is None for line in u.lines)


# all with is not None
rule = lambda u: all(line.note is not None for line in u.lines if line.qty > 0)


# any in a condition
def rule(u):
    if any(line.note is None for line in u.lines):
        return u.nick is None
    return all(line.qty == 0 for line in u.lines) and u.score is not None


# any is True
rule = lambda u: any(line.qty > 3 for line in u.lines) is True


# any == all
rule = lambda u: any(line.qty > 3 for line in u.lines) == all(line.qty > 3 for line in u.lines)


# any of any
rule = lambda u: any(any(line.sku == x for x in ("a", "X1")) for line in u.lines)


# any with two loops
rule = lambda u: any(line.sku == x for line in u.lines for x in ("a", "X1"))


# any with a walrus in its own body
rule = lambda u: any((lambda n: n > 3 and n < 9)(line.qty) for line in u.lines)


# any by another name
some = any
rule = lambda u: any(line.qty > 3 for line in u.lines) or u.nick is None


# any over a tuple
rule = lambda u: any(x is None for x in (u.nick, u.score))


# all over a tuple
rule = lambda u: all(x is not None for x in (u.nick, u.score))


# list and tuple and set of a generator
rule = lambda u: (
    list(x is None for x in (u.nick, u.vip)) == [True, True]
    and tuple(x for x in (1, 2)) == (1, 2)
    and set(x for x in "ab") == {"a", "b"}
)


# sum
rule = lambda u: sum(line.qty for line in u.lines if line.note is None) > 3


# sum of bools over a tuple
rule = lambda u: sum(x is None for x in (u.nick, u.score, u.vip)) > 1


# len and not
rule = lambda u: not u.lines or len(u.lines) == 1 and u.nick is not None


# a generator with a name
def rule(u):
    large = (line.qty > 3 for line in u.lines)
    return any(large) and u.nick is not None


# map and filter
rule = lambda u: any(map(lambda x: x is None, (u.nick, u.score))) and list(filter(None, (u.age > 3,))) == [True]


# functools.reduce
rule = lambda u: functools.reduce(lambda a, b: a or b is None, (u.nick, u.score), False)


# operator
rule = lambda u: operator.is_not(u.age > 3, None) and operator.attrgetter("age")(u) > 3


# itertools
rule = lambda u: all(itertools.starmap(lambda a, b: a is None or a != b, ((u.nick, "Jo"), (u.score, 5))))


# in a tuple
rule = lambda u: u.name in ("a", "Jo")


# in a set
rule = lambda u: u.name in {"a", "Jo"}


# in a list
rule = lambda u: u.age in [30, 2, -1]


# in of a negative and a sum
rule = lambda u: u.age in {-1, 1 + 1, 60 // 2}


# in of texts that are put together
rule = lambda u: u.name in {"J" "o", "a" + ""}


# in of nothing
rule = lambda u: u.name in () or u.name in []


# in of one
rule = lambda u: u.name in ("Jo",) or u.nick in {None} if u.nick is None else False


# not in, not
rule = lambda u: not u.name not in {"a", "Jo"}


# in of a conditional expression
rule = lambda u: u.name in (("a", "b") if u.age > 3 else ("Jo", "%_x"))


# in in a chain
rule = lambda u: u.age in (30, 2) != (30,)


# in a nested tuple
rule = lambda u: (u.age, u.nick is None) in ((30, True), (2, False))


# in two sets
rule = lambda u: u.name in {"a", "Jo"} and u.age in {30, 3} and u.nick not in {"Bo"}


# the same set twice
rule = lambda u: u.name in {"a", "Jo"} or u.nick in {"a", "Jo"}


# a set with a name and one without
rule = lambda u: u.name in wanted and u.name in {"a", "Jo"}


# in of a call with names
def both(*, first, second):
    return first, second
rule = lambda u: u.name in both(first="a", second="Jo")


# a chain
rule = lambda u: 3 <= u.age < 40 != u.id


# a chain of three attributes
rule = lambda u: u.id < u.age < 40 > u.id


# a chain of equalities
rule = lambda u: u.nick == u.name == "Jo" or u.name == "Jo" != u.nick


# a chain with in
rule = lambda u: 1 < u.age in {30, 2}


# and in or in not
rule = lambda u: not (u.age > 3 and (u.nick is None or not (u.score is None or u.vip is not None)))


# a text in braces
rule = lambda u: f"{'x'}" == "x" and u.nick is None


# is within a text in braces
rule = lambda u: f"{wanted is None}{wanted is not None}" == "FalseTrue" and u.nick is None


# star arguments
def over(n, /, *more, limit=3, **rest):
    return n > limit and more is not None
rule = lambda u: over(*(u.age,), **{"limit": 2})


# star in a display
rule = lambda u: u.name in (*("a",), *("Jo",))


# unpacking
def rule(u):
    nick, (score, *rest) = u.nick, (u.score, u.vip)
    return nick is None and score is None and rest == [None]


# augmented assignment
def rule(u):
    n = u.age
    n += 1
    n *= 2
    return n > 61 or u.nick is None


# an annotated variable
def rule(u):
    n: int = u.age
    return n > 3 and u.nick is None


# del of a variable
def rule(u):
    n = u.nick
    missing = n is None
    del n
    return missing


# global, only read
limit = 29
def rule(u):
    global limit
    return u.age > limit and u.nick is None


# a docstring and pass
def rule(u):
    """Is it?"""
    pass
    ...
    return u.nick is None


# an if that is never
def rule(u):
    if False:
        return u.name is u.nick
    return u.nick is None


# a value object
rule = lambda u: u.address == Address("Oslo", None) or u.billing is None


# a value object that may be None, in a chain of and
rule = lambda u: u.billing is not None and u.billing.zip is not None and u.billing.zip in {"1", "01"}


# a property
rule = lambda u: u.label == "Bob" and u.status.live
''')

REFUSED = _blocks(r"""
# is another attribute
rule = lambda u: u.nick is u.name


# is a text
rule = lambda u: u.name is wanted[0]


# is an argument
rule = lambda u, other=3: u.age is other


# is a variable
def rule(u):
    other = u.name
    return u.nick is other


# is a variable that hides a member
OPEN = Status.OPEN
def rule(u):
    OPEN = u.nick
    return u.name is OPEN


# is a closed-over variable that hides a member
OPEN = Status.OPEN
def rule(u):
    OPEN = u.nick
    return (lambda: u.name is OPEN)()


# is a default or None
rule = lambda u: u.name is (u.nick or None)


# is a conditional expression
rule = lambda u: u.name is (u.nick if u.age > 3 else None)


# is a conditional expression that ends in a member
rule = lambda u: u.name is (u.nick if u.nick is not None else Status.OPEN)


# is what a walrus holds
rule = lambda u: u.name is (n := u.nick)


# is what a call makes of None
rule = lambda u: u.name is max(u.name, u.nick or "")


# is not another
rule = lambda u: u.nick is not u.name


# not is another
rule = lambda u: not u.nick is u.name


# a chain is another is None
rule = lambda u: u.nick is u.name is None


# not a chain is another is None
rule = lambda u: not u.nick is u.name is None


# not a chain of variables, in brackets
def rule(u):
    a, b = u.name, u.nick
    return not (a is b is not None)


# a chain is None is another
rule = lambda u: None is u.nick is u.name


# a chain is another == None
rule = lambda u: u.nick is u.name == None


# a chain of variables is another == None
def rule(u):
    a, b = u.name, u.nick
    return a is b == None


# a chain of variables is another is None
def rule(u):
    a, b = u.name, u.nick
    return a is b is None


# a chain of variables is another in
def rule(u):
    a, b = u.name, u.nick
    return a is b in (None,)


# is another, within a lambda
rule = lambda u: (lambda n: n is u.name)(u.nick)


# is another, within a generator
rule = lambda u: any(x is u.name for x in (u.nick,))


# is another, within a generator over children
rule = lambda u: any(line.note is line.sku for line in u.lines)


# is another, within a list comprehension
rule = lambda u: [x for x in (u.nick,) if x is u.name] != []


# is another, within a helper
def same(a, b):
    return a is b
rule = lambda u: same(u.name, u.nick)


# is another, in an if
def rule(u):
    if u.name is u.nick:
        return True
    return False


# is another, in a while
def rule(u):
    while u.name is u.nick:
        return True
    return False


# is another, in a guard
def rule(u):
    match u.age:
        case n if u.name is u.nick: return True
    return False


# is another, in an assert
def rule(u):
    assert u.name is not u.nick
    return True


# is another, in a text in braces
rule = lambda u: f"{u.name is u.nick}" == "True"


# is another, in a default of an inner function
def rule(u):
    def inner(same=u.name is u.nick):
        return same
    return inner()


# is another, in a condition
rule = lambda u: u.age > 3 if u.name is u.nick else u.age < 3


# is another, beside any
rule = lambda u: any(line.qty > 3 for line in u.lines) and u.name is u.nick


# is another, beside is None
rule = lambda u: u.nick is None or u.name is u.nick


# any is another
rule = lambda u: any(line.qty > 3 for line in u.lines) is (u.age > 3)


# is another, on the line of a good one
rule, other = (lambda u: u.name is u.nick), (lambda u: u.nick is None)


# is an object
FAVOURITE = object()
rule = lambda u: u.name is FAVOURITE


# is an object of a class
class Holder:
    favourite = "Jo"
rule = lambda u: u.name is Holder.favourite


# a class pattern
def rule(u):
    match u:
        case User(age=30): return True
    return False


# an import
def rule(u):
    import math
    return u.age > 3


# an import from
def rule(u):
    from math import pi
    return u.age > 3


# a star target
def rule(u):
    box = [1]
    box[0], n = u.age, 3
    return n > 2


# an attribute in a for
class Holder:
    pass
def rule(u):
    for Holder.n in (1, 2):
        pass
    return u.age > 3


# an attribute in a with
import contextlib
class Holder:
    pass
def rule(u):
    with contextlib.nullcontext(3) as Holder.n:
        return u.age > 3


# an augmented attribute
class Holder:
    n = 1
def rule(u):
    Holder.n += 1
    return u.age > 3


# an attribute that is called as a variable
class Holder:
    n = 1
def rule(u):
    n = u.age
    Holder.n = 3
    return (lambda: n > 3)()


# an attribute over lines
class Holder:
    n = 1
def rule(u):
    (Holder
        .n) = 3
    return u.age > 3


# a slice
box = [1, 2]
def rule(u):
    box[:1] = [3]
    return u.age > 3


# an annotated attribute
class Holder:
    n = 1
def rule(u):
    Holder.n: int = 3
    return u.age > 3


# del of an element
box = {"a": 1}
def rule(u):
    del box["a"]
    return u.age > 3


# a global
def rule(u):
    global written
    written = 3
    return u.age > 3


# a global walrus
def rule(u):
    global written
    return (written := u.age) > 3


# a nonlocal of a function around
def maker():
    n = 1
    def rule(u):
        nonlocal n
        n += 1
        return u.age > n
    return rule
rule = maker()


# a walrus out of a generator
rule = lambda u: any((n := line.qty) > 3 for line in u.lines) and n > 3


# a yield
def rule(u):
    yield u.age > 3


# a yield in a lambda
rule = lambda u: (yield u.age > 3)


# a yield from
def rule(u):
    yield from (u.age > 3,)


# an await
async def rule(u):
    return u.age > 3
""")
