"""The plain flush: what most units write, written by statements that were prepared once.

The ORM's flush sorts out what belongs together: collections and their owners, classes over several tables,
rows that change places. Most units write nothing of that kind, but new aggregates of a single object, and new
values in columns. These are written here, and the rows and the objects become what the ORM would make
of them: table by table, those that are referred to first, the updates by key and then the inserts in the
order of adding; versions are checked by the count of rows. Measured, the ORM takes four times as long.

It applies where all there is to write is plain:

- nothing is removed;
- new objects are of classes of one table, without members, owner and value objects, whose every column the
  program fills, but for a generated key;
- changed objects are roots of such classes, or of classes with members of which none has come or gone;
- the database computes nothing on their tables, and nobody listens to what the ORM's flush would tell.

Otherwise the ORM writes it all. Nobody can see the difference, but by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.orm.state import InstanceState

from ..entities import EntityPlan
from ..instances import Given, identity
from ..tables import Key
from .changes import look_over_values, remember_documents

if TYPE_CHECKING:
    from .session import SqlSession
    from .store import SqlStore

__all__ = ["Writer", "flushed_plainly", "is_overheard"]

Values = dict[str, Any]  # the `__dict__` of an object
Noted = tuple[InstanceState[Any], Values]  # the ORM's notes about an object, and its values
Parameters = dict[str, Any]

ROWS_AT_ONCE = 1000  # what Python makes of so many parameters is gone before it makes more

# What the ORM's flush tells of, and how many listen to it in this package.
OF_THE_SESSION = {"before_flush": 1, "after_flush": 1, "after_flush_postexec": 0, "pending_to_persistent": 1}
OF_THE_MAPPER = ("before_insert", "after_insert", "before_update", "after_update")


def flushed_plainly(session: SqlSession) -> bool:
    """Write all there is to write and give True, if it is plain; else do nothing.

    Raises what the ORM's flush raises, and leaves the ORM's transaction as that does: rolled back.
    """
    plan = _plan(session)
    if plan is None:
        return False
    orm = session.orm
    session.given = Given(new for new in orm._new.values() if plan[type(new)].writer.entity.defaulted)
    modified = orm.identity_map._modified
    count = len(modified)
    look_over_values(session, list(orm._new.values()), [state.obj() for state in modified])
    if len(modified) < count:  # a new object has taken the key of one whose row is gone
        for work in plan.values():
            work.changed = [noted for noted in work.changed if noted[0] in modified]
    session.keep_stored()
    try:
        for work in plan.values():
            work.write(orm)
    except BaseException:
        orm._autobegin_t()._begin().rollback(_capture_exception=True)  # as the ORM's flush does
        raise
    _settle(session, plan)
    return True


class _Work:
    """What there is to write of one class, and the keys and versions that come of it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.new: list[Noted] = []
        self.changed: list[Noted] = []
        self.keys: list[Key] = []  # of the new ones
        self.versions: list[tuple[Values, int]] = []  # of the changed ones

    def write(self, orm: Session) -> None:
        if self.changed:
            self.versions = self.writer.write_changed(orm, self.changed)
        if self.new:
            self.keys = self.writer.write_new(orm.connection(), self.new)


Plan = dict[type[Any], _Work]


def _plan(session: SqlSession) -> Plan | None:
    """The work, in the order of its tables; None if any of it is not plain."""
    orm, store = session.orm, session.store
    if orm._deleted or is_overheard(orm):
        return None
    plan: Plan = {}
    for state, new in orm._new.items():
        work = plan.get(type(new))
        if work is None:
            work = plan[type(new)] = _Work(store.writer(type(new)))
            if not work.writer.takes_new or work.writer.is_overheard():
                return None
        work.new.append((state, instance_dict(new)))
    for state in orm.identity_map._modified:
        work = plan.get(state.class_)
        if work is None:
            work = plan[state.class_] = _Work(store.writer(state.class_))
            if work.writer.is_overheard():
                return None
        noted = state, state.dict
        if not work.writer.takes(*noted):
            return None
        work.changed.append(noted)
    if len(plan) == 1:
        return plan
    order = store.schema.order
    return dict(sorted(plan.items(), key=lambda work: order[work[1].writer.entity.table.name]))


def is_overheard(orm: Session) -> bool:
    """Does anybody but this package listen to what the session tells of a flush?"""
    return any(len(getattr(orm.dispatch, event)) > ours for event, ours in OF_THE_SESSION.items())


def _settle(session: SqlSession, plan: Plan) -> None:
    """The objects stand for their rows now, as they do after the ORM's flush."""
    orm = session.orm
    known, transaction = orm.identity_map, orm._autobegin_t()
    for work in plan.values():
        writer, entity = work.writer, work.writer.entity
        for values, version in work.versions:
            writer.give_version(values, version)
        for (state, values), key in zip(work.new, work.keys, strict=True):
            writer.give(values, key)
            state.key = identity(entity, key)
            known.replace(state)
            transaction._new[state] = True  # to be forgotten, should the transaction be rolled back
        for state, _ in work.changed:
            transaction._dirty[state] = True  # to be loaded again then
        InstanceState._commit_all_states((*work.new, *work.changed), known)
        session.stored(entity, [orm._new.pop(state) for state, _ in work.new])
    for entity, instance in session.documents:
        remember_documents(entity, instance)


class Writer:
    """How the rows of one class are written. Made once for each store, with its statements."""

    def __init__(self, store: SqlStore, entity: EntityPlan) -> None:
        self.entity = entity
        self.mapper = entity.mapper
        self.is_simple = _is_simple(entity)
        self.takes_new = self.is_simple and _takes_new(entity)
        self.takes_changed = self.is_simple and _takes_changed(entity)
        if not self.is_simple:
            return
        table: Table = store.metadata.tables[entity.table.name]
        columns = {each.attribute: table.c[each.column.name] for each in entity.fields if each.attribute is not None}
        self.version = None if entity.version is None else entity.version.attribute
        self.next_version: Callable[[Any], int] = cast("Any", self.mapper.version_id_generator)
        self.generated = entity.key_attributes[0] if entity.table.generated is not None else None
        self.column_keys = {attribute: column.key for attribute, column in columns.items()}
        self.filled = [(column, name) for name, column in self.column_keys.items() if name != self.generated]
        self.is_equal: dict[str, Callable[[Any, Any], Any]] = {
            name: self.mapper.class_manager[name].impl.is_equal for name in columns
        }
        self.insert = table.insert()
        self.insert_many = self.insert.returning(*table.primary_key, sort_by_parameter_order=True)
        self.insert_rising = self.insert.returning(*table.primary_key)
        matched = [*entity.key_attributes, *([self.version] if self.version is not None else [])]
        # No column has a name like these: a parameter that is named as a column is a value for it.
        self.where = {f"honestwork where {name}": name for name in matched}
        self.update = table.update().where(
            *(columns[name] == bindparam(key, type_=columns[name].type) for key, name in self.where.items())
        )

    def is_overheard(self) -> bool:
        """Does anybody listen to what is written of this class?"""
        told: Any = self.mapper.dispatch
        return any(getattr(told, event) for event in OF_THE_MAPPER) or bool(
            self.mapper.class_manager.dispatch.refresh_flush
        )

    def takes(self, state: InstanceState[Any], values: Values) -> bool:
        """Is this a plain change: of columns, all of which are known?"""
        if not self.takes_changed:
            return False
        return all(name in self.column_keys and name in values for name in state.committed_state) and all(
            name in values for name in self.where.values()
        )

    def write_changed(self, orm: Session, changed: list[Noted]) -> list[tuple[Values, int]]:
        """Update the rows of these objects, if they differ; else no transaction begins. Gives their new versions.

        Raises StaleDataError if any of the rows is not there any more, or not with the version that it had.
        """
        versions: list[tuple[Values, int]] = []
        by_key: Any = self.mapper._persistent_sortkey_fn
        in_order = sorted(changed, key=lambda noted: by_key(noted[0])) if len(changed) > 1 else changed
        for _, group in groupby(self._changes(in_order, versions), key=lambda parameters: parameters.keys()):
            self._update(orm.connection(), list(group))
        return versions

    def _changes(self, noted: list[Noted], versions: list[tuple[Values, int]]) -> Iterator[Parameters]:
        for state, values in noted:
            before = state.committed_state
            changed = {
                self.column_keys[name]: values[name]
                for name in before
                if self.is_equal[name](values[name], before[name]) is not True
            }
            if not changed:
                continue
            if self.version is not None:
                versions.append((values, self.next_version(values[self.version])))
                changed[self.column_keys[self.version]] = versions[-1][1]
            for key, name in self.where.items():
                changed[key] = values[name]
            yield changed

    def _update(self, connection: Connection, rows: list[Parameters]) -> None:
        dialect = connection.dialect
        # Only a statement for each says for each whether its version was there.
        batches = [rows] if self.version is None else rows
        matched = sum(connection.execute(self.update, batch).rowcount for batch in batches)
        if matched != len(rows) and (len(batches) == len(rows) or dialect.supports_sane_multi_rowcount):
            raise StaleDataError(f"{matched} of {len(rows)} rows of {self.entity.table.name} were there to be updated")

    def write_new(self, connection: Connection, new: list[Noted]) -> list[Key]:
        """Insert the rows of these objects. Gives their keys."""
        keys: list[Key] = []
        for start in range(0, len(new), ROWS_AT_ONCE):
            keys += self._insert(connection, [self._row(values) for _, values in new[start : start + ROWS_AT_ONCE]])
        return keys if self.generated is not None else [self.entity.key_of(state.obj()) for state, _ in new]

    def _insert(self, connection: Connection, rows: list[Parameters]) -> list[Key]:
        """Gives the keys that the database has generated."""
        if self.generated is None:
            connection.execute(self.insert, rows)
            return []
        if len(rows) > 1 and connection.dialect.insert_executemany_returning_sort_by_parameter_order:
            if connection.dialect.name == "sqlite":
                # SQLAlchemy would insert them one by one, for SQLite may give keys back in any order. But the keys
                # of an AUTOINCREMENT, which every table of a mapping has, rise with each row.
                return sorted(connection.execute(self.insert_rising, rows).scalars())
            return list(connection.execute(self.insert_many, rows).scalars())
        keys: list[Any] = [connection.execute(self.insert, row).inserted_primary_key for row in rows]
        return [key for (key,) in keys]

    def _row(self, values: Values) -> Parameters:
        row = {column: values.get(name) for column, name in self.filled}
        if self.version is not None:
            row[self.column_keys[self.version]] = self.next_version(None)
        return row

    def give(self, values: Values, key: Key) -> None:
        """Tell a new object what the row has that it has not."""
        if self.generated is not None:
            values[self.generated] = key
        if self.version is not None:
            values[self.version] = self.next_version(None)

    def give_version(self, values: Values, version: int) -> None:
        """Tell a changed object its new version."""
        assert self.version is not None
        values[self.version] = version


def _is_simple(entity: EntityPlan) -> bool:
    """Is an object of this class one row, of which the ORM has nothing more to think?"""
    mapper: Mapper[Any] = entity.mapper
    return (
        entity.is_root
        and entity.is_plain
        and not entity.values
        and not mapper._delete_orphans
        and not mapper._readonly_props
        and mapper.batch
        and mapper.eager_defaults is not True
        and not mapper._version_id_has_server_side_value
        and mapper.version_id_generator is not False
        and all(len(attribute.columns) == 1 for attribute in mapper.column_attrs)
    )


def _takes_new(entity: EntityPlan) -> bool:
    table: Any = entity.mapper.local_table
    return (
        not entity.mapper.relationships
        and not entity.mapper._insert_orm_defaults[table]
        and not any(column.type.should_evaluate_none for column in table.columns)
        and all(column is table.autoincrement_column or column.server_default is None for column in table.columns)
        and all(each.attribute is not None or table.c[each.column.name].default is None for each in entity.fields)
    )


def _takes_changed(entity: EntityPlan) -> bool:
    table: Any = entity.mapper.local_table
    return all(column.onupdate is None and column.server_onupdate is None for column in table.columns)
