"""Random rules, orders and projections, as source: what a repository is asked in Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Enum, Integer, Numeric, String

from .cast import Role
from .source import source
from .values import usual

__all__ = ["orders", "projections", "rules"]

Sources = SearchStrategy[str]
SAME, ORDERED = ["==", "!="], ["<", "<=", ">", ">=", "==", "!="]


def rules(role: Role) -> Sources:
    """Rules about one object: what can be asked, mostly; seldom what is refused."""
    return role.once("rules", lambda: _rules(role))


def _rules(role: Role) -> Sources:
    members = list(_of_members(role))
    own = _conditions(role, "each").map(str)  # in one piece, or each of its many kinds would count as one choice here
    of_members = [st.one_of(members).map(str)] if members else []
    leaves = st.one_of([own, own, st.just("True"), *of_members, *of_members, *of_members])
    formulas = st.recursive(
        leaves,
        lambda part: st.one_of(
            st.builds("({} and {})".format, part, part),
            st.builds("({} or {})".format, part, part),
            st.builds("not ({})".format, part),
        ),
        max_leaves=3,
    )
    # Most conditions leave few rows, and a limit or an order is seen by those who have many.
    return st.one_of(st.just("True"), formulas, formulas).map("lambda each: {}".format)


def orders(role: Role) -> SearchStrategy[str | None]:
    """Orders over some of the attributes; None for that of the keys."""
    return role.once("orders", lambda: _orders(role))


def _orders(role: Role) -> SearchStrategy[str | None]:
    keys = [f"each.{name}" for name, column in _columns(role) if _is_sortable(column)]
    if not keys:
        return st.none()
    key = st.builds(
        str.format, st.sampled_from(["{}", "{}", "desc({})", "nulls_first({})", "nulls_first(desc({}))"]), _of(keys)
    )
    several = st.lists(key, min_size=1, max_size=3)
    spelled = several.map(lambda found: f"lambda each: ({', '.join(found)},)")
    return st.one_of(st.none(), spelled, spelled)


def projections(role: Role) -> Sources:
    """What to select of each object."""
    return role.once("projections", lambda: _projections(role))


def _projections(role: Role) -> Sources:
    columns = [name for name, column in role.columns if not role.cast.renaming.is_made_up(column)]
    names = [f"each.{name}" for name in (*columns, *role.entity.values)] or ["None"]
    several = st.lists(_of(names), min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda found: f"lambda each: ({', '.join(found)},)"), _of(names).map("lambda each: {}".format)
    )


def _columns(role: Role) -> list[tuple[str, Column[Any]]]:
    """What can be compared between two stores: not what each of them makes up."""
    return [
        (name, column)
        for name, column in role.columns
        if name in role.entity.searchable and not role.cast.renaming.is_made_up(column)
    ]


def _conditions(role: Role, name: str) -> Sources:
    """Conditions on the attributes of an object of this name."""
    return role.once(("conditions", name), lambda: _made_conditions(role, name))


def _made_conditions(role: Role, name: str) -> Sources:
    found: list[Sources] = [st.just(f"{name} is not None")]
    for attribute, column in _columns(role):
        path = f"{name}.{attribute}"
        found += _of_nullable(path, column) if column.nullable else _of_present(path, column)
    for attribute, plan in role.entity.values.items():
        path = f"{name}.{attribute}"
        texts = [f"{path} is None", f"{path} is not None"]
        texts += [f"{path} is not None and {path}.{part} is None" for part in plan.names]
        found += [_of(texts)]
    return st.one_of(found)


def _of_present(path: str, column: Column[Any]) -> list[Sources]:
    """Conditions on what is never None."""
    value = st.sampled_from(usual(column)).map(source)
    several = st.lists(value, max_size=3).map(lambda found: f"[{', '.join(found)}]")
    found = [
        st.builds(f"{path} {{}} {{}}".format, _of(ORDERED if _is_sortable(column) else SAME), value),
        st.builds(f"{path} {{}} {{}}".format, _of(["in", "not in"]), several),
    ]
    match column.type:
        case Boolean():
            found += [_of([path, f"not {path}"])]
        case Enum():
            pass
        case String():
            found += [
                st.builds(f"{path}.{{}}({{}})".format, _of(["startswith", "endswith"]), value),
                st.builds(f"{{}} in {path}".format, value),
                st.builds(f"len({path}) {{}} {{}}".format, _of(ORDERED), st.integers(0, 3)),
            ]
        case BigInteger():
            pass  # what a calculation makes of it may be beyond 64 bits, which no database can say
        case Integer():
            found += [st.builds(f"{path} {{}} {{}} > {{}}".format, _of("+-*"), st.integers(-1, 2), st.integers(-2, 9))]
        case Date() | DateTime() if not isinstance(column.type, DateTime) or not column.type.timezone:
            found += [st.builds(f"{path}.{{}} > 1".format, _of(["month", "day"]))]
    return found


def _of_nullable(path: str, column: Column[Any]) -> list[Sources]:
    """Conditions on what may be None: guarded in one idiom or another, and sometimes not at all."""
    present = st.one_of(_of_present(path, column))
    found = [
        _of([f"{path} is None", f"{path} is not None"]),
        present.map(lambda condition: f"({path} is not None and {condition})"),
        present.map(lambda condition: f"({path} is None or {condition})"),
        present.map(lambda condition: f"not ({path} is not None and {condition})"),
        st.builds(f"{path} {{}} {{}}".format, _of(SAME), st.sampled_from(usual(column)).map(source)),
        present,
    ]
    if isinstance(column.type, Integer):
        found.append(st.builds(f"({path} or 0) {{}} {{}}".format, _of(ORDERED), st.integers(-1, 3)))
    return found


def _of_members(role: Role) -> Iterable[Sources]:
    """Conditions on the children of an object."""
    for children in role.children:
        if children.is_collection:
            path = f"each.{children.attribute}"
            member = role.cast.roles[children.entity.cls.__name__]
            yield _of([f"bool({path})", f"not {path}"])
            yield st.builds(f"len({path}) {{}} {{}}".format, _of(ORDERED), st.integers(0, 2))
            yield st.builds(f"{{}}({{}} for x in {path})".format, _of(["any", "all"]), _conditions(member, "x"))


def _is_sortable(column: Column[Any]) -> bool:
    return isinstance(column.type, Integer | Numeric | String | Date | DateTime) and not isinstance(column.type, Enum)


def _of(choices: Any) -> Sources:
    return st.sampled_from(list(choices))
