"""What is asked of a repository, understood once for both stores: a formula, an order, a piece of the result.

Every refusal happens here, before a store is asked, so it happens alike on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...domain.repository import require_count
from ...rules.formula import TRUE, Expr, and_, attr, const, isnull, not_, notnull
from ...rules.order import OrderKey, after, trace_order
from ...rules.trace import trace
from ..plan.entities import EntityPlan, FieldPlan
from ..plan.schema import Schema
from .conditions import conditions

__all__ = ["Query", "query"]


class Query(NamedTuple):
    """One question about the aggregates of one class."""

    entity: EntityPlan
    formula: Expr
    keys: tuple[OrderKey, ...]
    limit: int | None = None
    offset: int = 0


def query(
    schema: Schema,
    entity: EntityPlan,
    rule: Callable[[Any], bool] | None = None,
    equal: Mapping[str, object] | None = None,
    *,
    order_by: Callable[[Any], object] | None = None,
    limit: int | None = None,
    offset: int = 0,
    behind: Callable[[Sequence[OrderKey]], Sequence[object]] | None = None,
) -> Query:
    """What is asked by a rule, by values of attributes, or by both. Raises RuleRefused, BadValue, ValueError.

    *behind* gives the values of the order's keys in a row; what is asked for comes after it.
    """
    require_count("limit", limit)
    require_count("offset", offset)
    facts = schema.facts.__getitem__
    formula = TRUE if rule is None else trace(rule, entity.cls, facts=facts)
    if equal:
        formula = and_(formula, *[_equals(*each) for each in conditions(entity, equal)])
    keys = entity.key_order if order_by is None else trace_order(
        order_by, entity.cls, key=entity.key_attributes, facts=facts
    )  # fmt: skip
    if behind is not None:
        formula = and_(formula, after(keys, behind(keys)))
    return Query(entity, formula, keys, limit, offset)


def _equals(place: FieldPlan, value: Any) -> Expr:
    attribute = attr(0, (place.attribute or "",), place.column.guard.type, place.column.nullable)
    if value is None:
        return isnull(attribute)
    present = notnull(attribute) if place.column.nullable else TRUE
    if isinstance(value, bool):
        return and_(present, attribute if value else not_(attribute))
    return and_(present, Expr("eq", (attribute, const(value)), bool))
