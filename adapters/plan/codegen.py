"""Small functions written for one class each: they run for every object, so they are written out.

A loop over a class's columns costs more than what it does. Instead of looping, the source of a function
with one line a column is put together once, when the plan is made; for a class with a name and an age:

    def fill(d, row):
        d['id'], d['name'], d['age'], = row

    def guard(d):
        v = d.get('name')
        if v is not None and not (v.__class__ is str and v.isascii() and '\\0' not in v and len(v) <= 80):
            d['name'] = guard_1(v)
        …

    def change(d, row, changes):
        v = d.setdefault('name', None)
        if v is not None and not (v.__class__ is str and v.isascii() and '\\0' not in v and len(v) <= 80):
            v = d['name'] = guard_1(v)
        if v != row[1]:
            changes[1] = v

    def new_row(d):
        return (None, d.get('name'), default_2() if (v := d.get('age')) is None else v,)

    def hydrate(row, key, unit, reference):
        o = new(cls)
        d = o.__dict__
        s = d['_sa_instance_state'] = new_state(State)
        s.class_ = cls
        s.manager = manager
        s.committed_state = {}
        s.expired_attributes = set()
        s.obj = ref(o, s._cleanup)
        d['id'], d['name'], d['age'], = row
        s._instance_dict = reference
        s.key = (identity, (key,), None)
        s.honestwork_owner = unit
        return o

    def claim(s, key, unit, reference):
        s._instance_dict = reference
        s.key = (identity, (key,), None)
        s.honestwork_owner = unit

*d* is the object's `__dict__`, and *s* its state. Attribute names are written with repr, so that no name can be more
than a name. Each function has its source as `__source__`: print it to read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from ..internals import CLEANS_UP, REPORTS_TO, constructor_of_states

if TYPE_CHECKING:
    from sqlalchemy.orm import ClassManager
    from sqlalchemy.orm.state import InstanceState

    from .entities import FieldPlan
    from .guards import Guard
    from .tables import Key, Row

# A column of another database's making may hold whole numbers where the class has floats.
ALSO_READ: dict[type[Any], tuple[type[Any], ...]] = {float: (int,)}
REPORTING = f"s.{REPORTS_TO} = reference"

__all__ = [
    "ALSO_READ",
    "changer",
    "claimer",
    "filler",
    "fitter",
    "guarder",
    "hydrator",
    "key_guarder",
    "new_row_maker",
    "teller",
]


def filler(fields: Sequence[FieldPlan]) -> Callable[[dict[str, Any], Sequence[Any]], None]:
    """Give an object the values of a row; what the row has beyond the fields is passed over."""
    targets = [f"d[{each.attribute!r}]" if each.attribute is not None else "_" for each in fields]
    return _function("def fill(d, row):", [f"{', '.join(targets)}, *_ = row" if targets else "pass"], {})


def new_row_maker(fields: Sequence[FieldPlan], version: FieldPlan | None) -> Callable[[dict[str, Any]], Row]:
    """The row of a new object in one table: what the object has, and the defaults where it has nothing.

    A key that the store generates is None.
    """
    names: dict[str, Any] = {}
    parts = []
    for each in fields:
        column, number = each.column, each.position
        names[f"default_{number}"], names[f"encoded_{number}"] = column.given, column.encoded
        held = "None" if each.attribute is None else f"d.get({each.attribute!r})"
        encoded = "v" if column.guard.encode is None else f"encoded_{number}(v)"
        if column.generated:
            parts.append("None")
        elif each is version:
            parts.append("1")
        elif column.default is not None:
            parts.append(f"default_{number}() if (v := {held}) is None else {encoded}")
        else:
            parts.append(held if encoded == "v" else f"encoded_{number}({held})")
    return _function("def new_row(d):", [f"return ({', '.join(parts)},)"], names)


def teller(fields: Sequence[FieldPlan], values: Iterable[str]) -> Callable[[dict[str, Any], Row], None]:
    """Give an object what stands in its row: keys, defaults, versions. *values* are its value objects."""
    names: dict[str, Any] = {}
    lines = [f"d.pop({name!r}, None)" for name in values]  # a value object is made again from its columns
    targets = []
    documents = []
    for place, each in enumerate(fields):
        if each.attribute is None:
            targets.append("_")
        elif each.column.guard.encode is None:
            targets.append(f"d[{each.attribute!r}]")
        else:
            names[f"decoded_{place}"] = each.column.decoded
            targets.append("_")
            absent = f"(v := d.get({each.attribute!r})) is None"
            if each.column.onupdate is not None:
                names[f"differs_{place}"] = each.column.differs
                absent += f" or differs_{place}(v, row[{place}])"
            documents += [
                f"if {absent}:",
                f"    d[{each.attribute!r}] = decoded_{place}(row[{place}])",
            ]
    return _function("def tell(d, row):", [*lines, f"{', '.join(targets)}, = row", *documents], names)


def hydrator(
    cls: type[Any],
    manager: ClassManager[Any],
    fields: Sequence[FieldPlan],
    identity: type[Any],
    *,
    compound: bool,
    apart: bool,
) -> Callable[..., Any]:
    """An object made of the values of its row, as the ORM makes them when it loads: without running `__init__`.

    It is claimed as `claimer` does it; one that is to live *apart* reports to nobody, neither changes nor its end. Its
    state is made without a call, which would take a third of the time: with what its constructor would give it.
    """
    state = constructor_of_states(manager)
    names = {
        "cls": cls,
        "new": cls.__new__,
        "manager": manager,
        "State": state,
        "new_state": state.__new__,
        "ref": ref,
        "identity": identity,
    }
    targets = [f"d[{each.attribute!r}]" if each.attribute is not None else "_" for each in fields]
    lines = [
        "o = new(cls)",
        "d = o.__dict__",
        f"s = d[{manager.STATE_ATTR!r}] = new_state(State)",
        "s.class_ = cls",
        "s.manager = manager",
        "s.committed_state = {}",
        "s.expired_attributes = set()",
        f"s.obj = ref(o{'' if apart else f', s.{CLEANS_UP}'})",
        f"{', '.join(targets)}, = row",
        *([] if apart else [REPORTING]),
        *_claimed(compound),
        "return o",
    ]
    return _function(f"def hydrate(row, key, unit{'' if apart else ', reference'}):", lines, names)


def claimer(identity: type[Any], *, compound: bool) -> Callable[[InstanceState[Any], Key, Any, Any], None]:
    """Note on the state of an object which row it stands for, whose it is, and who hears of its changes."""
    return _function("def claim(s, key, unit, reference):", [REPORTING, *_claimed(compound)], {"identity": identity})


def _claimed(compound: bool) -> list[str]:
    return [
        f"s.key = (identity, {'key' if compound else '(key,)'}, None)",
        "s.honestwork_owner = unit",
    ]


def key_guarder(guard: Guard) -> Callable[[Any], Any]:
    """Guard a key that is looked for. Raises BadValue, also for None."""
    sure = guard.sure.format(type="type") or "False"
    names = {"guard": guard.key, "type": guard.type}
    return _function("def guard_key(v):", [f"return v if {sure} else guard(v)"], names)


def guarder(fields: Sequence[FieldPlan]) -> Callable[[dict[str, Any]], None]:
    """Guard an object's values, and keep them as they will be loaded. Raises BadValue."""
    names: dict[str, Any] = {}
    lines = []
    for each in fields:
        lines += [f"v = d.get({each.attribute!r})", *_guarded(each, names)]
    return _function("def guard(d):", lines or ["pass"], names)


def changer(field: FieldPlan, *, guarded: bool) -> Callable[[dict[str, Any], Row, dict[int, Any]], None]:
    """Guard the new value of one attribute, and add it to the changes of a row. What was deleted is None from now on.

    Raises BadValue.
    """
    names: dict[str, Any] = {}
    lines = [f"v = d.setdefault({field.attribute!r}, None)", *(_guarded(field, names) if guarded else ())]
    if field.column.guard.encode is not None:
        names["encoded"] = field.column.encoded
        lines.append("v = encoded(v)")
    lines += [f"if v != row[{field.position}]:", f"    changes[{field.position}] = v"]
    return _function("def change(d, row, changes):", lines, names)


def _guarded(field: FieldPlan, names: dict[str, Any]) -> list[str]:
    """Lines that guard the value *v* of an attribute."""
    guard, number = field.column.guard, field.position
    names[f"guard_{number}"], names[f"type_{number}"] = guard, guard.type
    sure = f" and not ({guard.sure.format(type=f'type_{number}')})" if guard.sure else ""
    return [f"if v is not None{sure}:", f"    v = d[{field.attribute!r}] = guard_{number}(v)"]


def fitter(fields: Sequence[FieldPlan | None]) -> Callable[[Row], bool]:
    """Does a row that a database gave have what its class may have? `ColumnPlan.fits` says it for one value.

    None stands for a value of the row that is nobody's.
    """
    names: dict[str, Any] = {}
    conditions = []
    for number, each in enumerate(fields):
        if each is None or each.attribute is None:
            continue
        v, kind = f"v{number}", each.column.guard.type
        if kind is object:
            conditions += [] if each.column.nullable else [f"{v} is not None"]
            continue
        choices = [kind, *ALSO_READ.get(kind, ())]
        names.update({f"type_{number}_{place}": choice for place, choice in enumerate(choices)})
        told = " or ".join(f"{v}.__class__ is type_{number}_{place}" for place in range(len(choices)))
        told = f"{v} is None or {told}" if each.column.nullable else told
        conditions.append(f"({told})")
    lines = [f"{', '.join(f'v{number}' for number in range(len(fields)))}, = row"] if fields else []
    return _function("def fits(row):", [*lines, f"return {' and '.join(conditions) or 'True'}"], names)


def _function(head: str, lines: list[str], names: dict[str, Any]) -> Callable[..., Any]:
    source = "\n    ".join([head, *lines])
    exec(compile(source, f"<{head}>", "exec"), names)
    function: Any = names[head.split("(")[0].removeprefix("def ")]
    function.__source__ = source
    return function  # type: ignore[no-any-return]
