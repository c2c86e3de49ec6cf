"""What a unit is about to send to the database: looked over before the ORM's flush does it.

The ORM notices assignments and changes of collections. What it does not notice or does not care about
is added here: values that would not come back, keys that were assigned, JSON values that were changed in
place, roots whose members have changed, and the order of classes that no relationship joins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified, instance_dict, instance_state
from sqlalchemy.orm.unitofwork import _DeleteAll, _SaveUpdateAll

from ...domain.errors import Duplicate
from ..aggregates import members_touched
from ..entities import EntityPlan
from ..instances import identity
from ..lookover import look_over_changed, look_over_new, look_over_removed, refuse_members_of
from ..schema import Schema
from ..violations import read_only, violation

if TYPE_CHECKING:
    from .session import SqlSession

__all__ = ["look_over", "look_over_values", "mark_changed_documents", "remember_documents", "watch_documents"]

DOCUMENTS = "honestwork: the JSON values as they are stored"


def look_over(orm: Session, schema: Schema, unit: SqlSession, context: Any) -> None:
    """Called by the ORM before each flush. Raises BadValue, KeyChanged, MissingValue and Duplicate."""
    new, assigned = list(orm.new), list(orm.dirty)
    look_over_values(unit, new, assigned)
    if orm._deleted:
        look_over_removed((schema.entities[type(each)], each) for each in orm._deleted.values())
    dirty = [each for each in assigned if orm.is_modified(each)]
    touched = {id(each) for each in (*new, *dirty)}
    if touched and schema.has_versioned_members:
        _raise_versions(orm, schema, unit, touched)
    _order_classes(schema, context, {type(each) for each in (*new, *dirty, *orm.deleted)})


def look_over_values(unit: SqlSession, new: list[object], assigned: list[object]) -> None:
    """Refuse new and changed objects for what they hold. Raises BadValue, KeyChanged, MissingValue and Duplicate."""
    entities = unit.store.schema.entities
    if new and unit.store.schema.giving_keys:
        _give_keys_of_owners(unit, new)
    look_over_new((entities[type(instance)], instance) for instance in new)
    # Also an equal value is kept as it will be loaded: Decimal("1") as Decimal("1.00").
    look_over_changed([(entities[type(instance)], instance) for instance in assigned])
    for instance in new:  # what is wrong in itself comes first
        entity = entities[type(instance)]
        if entity.table.generated is None:
            _look_over_key(unit.orm, unit, entity, instance)


def _give_keys_of_owners(unit: SqlSession, new: list[object]) -> None:
    """Where the owner's key is part of a member's, the ORM would find a key that is taken too late."""
    arrived = {id(instance) for instance in new}
    for owner in (*unit.held, *new):
        for children in unit.store.schema.giving_keys.get(type(owner), ()):
            for member in children.members(owner):
                for attribute, source in children.adopted if id(member) in arrived else ():
                    if (key := instance_dict(owner).get(source)) is not None:
                        instance_dict(member)[attribute] = key


def _look_over_key(orm: Session, unit: SqlSession, entity: EntityPlan, instance: object) -> None:
    """The ORM would warn, and put the new object in the place of the loaded one, before the database refuses it."""
    key = entity.key_of(instance)
    loaded = orm.identity_map.get(identity(entity, key))
    if loaded is None:
        return
    if loaded in orm.deleted or entity.mapper._is_orphan(instance_state(loaded)):
        _complete(entity, instance)
        return
    if unit.renewed and not unit.has_row(entity, key):
        refuse_members_of(entity.of(loaded), loaded, instance)
        unit.part_with(loaded)  # another unit has removed it since this one has committed
        return
    if unit.reading:
        raise read_only()
    table = entity.table
    raise violation(Duplicate, table.name, table.key_columns, table.key_name)


def _complete(entity: EntityPlan, instance: object) -> None:
    """The ORM is going to update the old row, and would leave in it what the new object does not say."""
    values = instance_dict(instance)
    for attribute, each in entity.by_name.items():
        if attribute != each.attribute or attribute in entity.adopted or each is entity.version:
            continue
        if attribute in entity.key_attributes:
            continue
        had = given = values.get(attribute)
        if had is None and each.column.default is not None:
            given = each.column.guard(each.column.default())
        if had is None or attribute not in instance_state(instance).committed_state:
            values.pop(attribute, None)  # what was not assigned is no change to the ORM
            setattr(instance, attribute, given)


def _raise_versions(orm: Session, schema: Schema, unit: SqlSession, touched: set[int]) -> None:
    for root in list(unit.held):
        entity = schema.entities[type(root)]
        if entity.version is None or not entity.children:
            continue
        if instance_state(root).persistent and root not in orm.deleted and members_touched(entity, root, touched):
            # An assignment makes the ORM write the row, and check that it still has the version before.
            version = entity.version.attribute or ""
            unit.raised.append((root, version, getattr(root, version)))
            setattr(root, version, getattr(root, version) + 1)


def _order_classes(schema: Schema, context: Any, flushed: set[type[Any]]) -> None:
    """Tell the ORM which rows go first, which can be seen through constraints.

    By itself it knows of foreign keys only where there is a relationship, and puts the rest in the order of names, as
    far as relationships allow.
    """
    mappers = {mapper for cls in flushed for mapper in schema.entities[cls].flushed_with}
    in_order = [mapper for mapper in schema.classes_in_order if mapper in mappers]
    if len(in_order) < 2:
        return
    save, delete = cast("Any", _SaveUpdateAll), cast("Any", _DeleteAll)
    for first, second in pairwise(in_order):
        context.dependencies.add((save(context, first), save(context, second)))
        context.dependencies.add((delete(context, second), delete(context, first)))
    context.dependencies.add((save(context, in_order[-1]), delete(context, in_order[-1])))


def watch_documents(entity: EntityPlan) -> None:
    """From now on remember the JSON values of this class's objects, as they are loaded."""
    if entity.documents:
        event.listen(entity.cls, "load", lambda instance, context: remember_documents(entity, instance))
        event.listen(entity.cls, "refresh", lambda instance, context, names: remember_documents(entity, instance))


def remember_documents(entity: EntityPlan, instance: object) -> None:
    instance_state(instance).info[DOCUMENTS] = _encoded(entity, instance)


def remembered_documents(instance: object) -> dict[str, Any]:
    """The JSON values of an object as its row holds them."""
    found: dict[str, Any] = instance_state(instance).info.get(DOCUMENTS, {})
    return found


def mark_changed_documents(entity: EntityPlan, instance: object) -> None:
    """Tell the ORM of JSON values that were changed in place."""
    stored = remembered_documents(instance)
    if not stored:
        return
    values = instance_dict(instance)
    for attribute, each in entity.documents:
        if attribute not in values:
            continue
        if each.column.differs(values[attribute], stored[attribute]):
            flag_modified(instance, attribute)
        else:  # to the ORM it has changed, if it was changed in place before an equal value was assigned
            instance_state(instance).committed_state.pop(attribute, None)


def _encoded(entity: EntityPlan, instance: object) -> dict[str, Any]:
    values = instance_dict(instance)
    found = {}
    for attribute, each in entity.documents:
        try:
            found[attribute] = each.column.encoded(values.get(attribute))
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
            found[attribute] = None  # of an object that goes: nobody asks whether what it has can be stored
    return found
