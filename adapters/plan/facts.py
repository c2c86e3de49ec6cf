"""What a rule may know of a mapped class: what the mapping knows of it, whatever the class annotates."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ...rules.facts import Attribute, Choice, Many, Scalar, Value, annotated
from .entities import EntityPlan, FieldPlan

__all__ = ["facts_of"]


def facts_of(entity: EntityPlan) -> dict[str, Attribute]:
    """What a rule may know of a class: what the mapping knows of it."""
    facts: dict[str, Attribute] = {
        each.attribute: _scalar(each) for each in entity.fields if each.attribute is not None
    }
    for name, value in entity.values.items():
        nullable = all(each.column.nullable for each in value.fields)
        inner = {part: _scalar(each) for part, each in zip(value.names, value.fields, strict=True)}
        if nullable:
            inner = {part: replace(fact, nullable=_may_be_none(value.cls, part)) for part, fact in inner.items()}
        facts[name] = Value(value.cls, inner, nullable)
    for children in entity.children:
        if children.is_collection:
            facts[children.attribute] = Many(children.entity.cls)
    return facts


def _may_be_none(cls: type[Any], part: str) -> bool:
    """May it be None in a value object that is there? All columns are nullable, so only the class can tell."""
    try:
        fact = annotated(cls).get(part)
    except (NameError, TypeError):  # annotated with what cannot be found
        return True
    return fact is None or isinstance(fact, Many) or fact.nullable


def _scalar(each: FieldPlan) -> Scalar:
    guard = each.column.guard
    if guard.choices:
        return Scalar(Choice, each.column.nullable, choices=guard.choices)
    aware = guard.aware if guard.type is datetime else None
    return Scalar(guard.type, each.column.nullable, aware, digits=guard.digits, scale=guard.scale)
