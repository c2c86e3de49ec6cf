"""The same programs on a plain `sqlalchemy.orm.Session`, with no code of honestwork between.

The classes are mapped by the same imperative mapping, made a second time: no store is ever made from it, so none of
our listeners hears what the programs do. The engine is SQLAlchemy's own recipe for each database. What is written here
is what a user of SQLAlchemy would write by hand, and nothing of the flush: that is the ORM's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import CodeType
from typing import Any, get_args, get_type_hints

from sqlalchemy import Connection, DefaultClause, Engine, ForeignKeyConstraint, and_, create_engine, event, select
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import Session, SessionTransaction, class_mapper, object_mapper, relationship
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import FlushError, StaleDataError
from sqlalchemy.orm.interfaces import ONETOMANY
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from honestwork.adapters import Mapping
from honestwork.domain.errors import ConstraintViolated, Duplicate
from honestwork.service_layer import UnitOfWork

from .claims import is_broken, is_taken_twice

__all__ = ["PlainDatabase", "PlainSide", "kind_of"]

Rows = dict[str, list[dict[str, Any]]]  # by the names of their tables

SQLITE = {
    "SQLITE_CONSTRAINT_UNIQUE": "Duplicate",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "Duplicate",
    "SQLITE_CONSTRAINT_ROWID": "Duplicate",
    "SQLITE_CONSTRAINT_NOTNULL": "MissingValue",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "ReferenceViolated",
    "SQLITE_CONSTRAINT_CHECK": "CheckFailed",
}
POSTGRESQL = {
    "23505": "Duplicate",
    "23502": "MissingValue",
    "23503": "ReferenceViolated",
    "23514": "CheckFailed",
    "40001": "Conflict",
}
MARIADB = {
    1062: "Duplicate",
    1048: "MissingValue",
    1364: "MissingValue",
    1451: "ReferenceViolated",
    1452: "ReferenceViolated",
    4025: "CheckFailed",
    1020: "Conflict",
}


def kind_of(error: Exception) -> str:
    """The name of the honestwork error that stands for this one; the name of its own class where none does."""
    if isinstance(error, StaleDataError):
        return "Conflict"
    if isinstance(error, FlushError) and "NULL identity key" in str(error):
        return "MissingValue"  # the ORM notices it before SQLite does, which takes NULL for a key
    driver: Any = error.orig if isinstance(error, DBAPIError) else None
    codes = (getattr(driver, "sqlite_errorname", None), getattr(driver, "sqlstate", None), *getattr(driver, "args", ()))
    for known in (SQLITE, POSTGRESQL, MARIADB):
        for code in codes:
            if isinstance(code, str | int) and code in known:
                return known[code]  # type: ignore[index]
    return type(error).__name__


class PlainDatabase:
    """A database for the ORM alone: its tables are made here, and dropped by `dispose`. Lives as long as its mapping.

    *mapping* must be one that no store was made from, and never will be.
    """

    def __init__(self, mapping: Mapping, unit: type[UnitOfWork], url: str) -> None:
        mapping.check()  # completes types and names as for a store; makes no schema, and so no listeners
        self.mapping = mapping
        self.classes = {mapper.class_.__name__: mapper.class_ for mapper in mapping.mappers}
        hints = {name: get_args(hint) for name, hint in get_type_hints(unit).items()}  # `users: Repository[User, int]`
        self.served = {name: given[0] for name, given in hints.items() if given and given[0] in self.classes.values()}
        self.tables = mapping.metadata.sorted_tables
        _relate(mapping)
        self.engine = _engine(url)
        mapping.metadata.drop_all(self.engine)
        mapping.metadata.create_all(self.engine)

    def clear(self) -> None:
        """Leave no row behind."""
        with self.engine.begin() as connection:
            for table in reversed(self.tables):
                connection.execute(table.delete())

    def rows(self) -> Rows:
        """All committed rows, in the order of their keys."""
        with self.engine.begin() as connection:
            return {table.name: list(_rows(connection, table)) for table in self.tables}

    def dispose(self) -> None:
        """Drop the tables and close all connections."""
        self.mapping.metadata.drop_all(self.engine)
        self.engine.dispose()


class PlainSide:
    """The units `u0`, `u1`, … and the objects of one program, on the ORM alone. Lives as long as the program.

    It understands the lines that `testing/lockstep/side.py` describes, but for those that only a store can.
    """

    def __init__(self, database: PlainDatabase, units: int, words: dict[str, Any]) -> None:
        self.tables = dict(database.mapping.metadata.tables)
        self.units = [PlainUnit(database) for _ in range(units)]
        self.namespace: dict[str, Any] = {
            **words,
            **database.classes,
            **{f"u{number}": each for number, each in enumerate(self.units)},
            **{word.__name__: word for word in (new, enter, leave, nest, unnest)},
        }

    def run(self, code: CodeType, path: str) -> Exception | None:
        """Evaluate one line; what it gives is known as *path* from now on. Returns the error that it raised."""
        try:
            self.namespace[path] = eval(code, self.namespace)  # our own line
        except Exception as error:
            return error
        return None

    def name(self, name: str, path: str) -> Any:
        """The object at this path, known as *name* from now on."""
        self.namespace[name] = found = eval(path, self.namespace)
        return found

    def is_going(self, name: str) -> bool:
        """Is this an object that the next flush deletes?"""
        return any(self.namespace[name] in each.session.deleted for each in self.units if each.session is not None)

    def breaks(self, error: ConstraintViolated) -> bool:
        """Do the objects of a session break what this error of a store says that they break?"""
        return any(is_broken(each.session, self.tables, error) for each in self.units if each.session is not None)

    def loses_one(self, error: ConstraintViolated) -> bool:
        """Does this error of a store name two new objects, of which the ORM may store one in the row of the other?"""
        open_ = [each.session for each in self.units if each.session is not None]
        return isinstance(error, Duplicate) and any(is_taken_twice(each, self.tables, error) for each in open_)

    def close(self) -> None:
        """End whatever the program has left open."""
        for unit in self.units:
            with suppress(Exception):
                leave(unit)


class PlainUnit:
    """What a `UnitOfWork` is to a user of the ORM: a session, and its savepoints."""

    def __init__(self, database: PlainDatabase) -> None:
        self.engine = database.engine
        self.session: Any = None
        self.blocks: list[SessionTransaction] = []
        self.known: list[object] = []  # what this transaction has added or read
        for name, cls in database.served.items():
            setattr(self, name, PlainRepository(self, cls))

    def flush(self) -> None:
        self.session.flush()

    def commit(self) -> None:
        self.session.commit()
        self.known.clear()

    def know(self, found: Iterable[object]) -> None:
        """What a transaction reads for the first time is as it is stored, and its collections are in their order."""
        for instance in found:
            if not any(each is instance for each in self.known):
                self.known.append(instance)
                self.session.refresh(instance)

    def rollback(self) -> None:
        undo(self.session)
        self.known.clear()
        self.session.close()  # after a FlushError the ORM keeps objects in its identity map that it has not stored


class PlainRepository:
    """What a repository is to a user of the ORM. Each read flushes, then asks for everything, and picks in Python."""

    def __init__(self, unit: PlainUnit, cls: type[Any]) -> None:
        self.unit = unit
        self.cls = cls
        self.key = [class_mapper(cls).get_property_by_column(each).key for each in class_mapper(cls).primary_key]

    def add(self, instance: Any) -> None:
        session, mapper = self.unit.session, object_mapper(instance)
        self.unit.known.append(instance)
        if instance in session.deleted:
            session.add_all([instance, *_members(instance)])  # else the ORM would delete the members all the same
            return
        key = tuple(mapper.primary_key_from_instance(instance))
        removed = [each for each in session.deleted if isinstance(each, mapper.base_mapper.class_)]
        if instance not in session.new and any(instance_state(each).identity == key for each in removed):
            session.flush()  # else the ORM would keep the old row
        session.add(instance)

    def add_many(self, instances: list[object]) -> None:
        self.unit.known += instances
        self.unit.session.add_all(instances)

    def remove(self, instance: object) -> None:
        session = self.unit.session
        if instance in session.new:
            session.expunge(instance)
        elif not instance_state(instance).was_deleted:  # the ORM would delete what has taken over its key
            for member in _members(instance):
                if member in session.new:
                    session.expunge(member)  # else the ORM would insert it without an owner
            session.delete(instance)

    def all(self) -> list[Any]:
        return self._found(lambda instance: True)

    def get(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        return next(iter(self._found(lambda each: tuple(getattr(each, name) for name in self.key) == parts)), None)

    def find_by(self, **equal: Any) -> list[Any]:
        return self._found(lambda each: all(getattr(each, name) == value for name, value in equal.items()))

    def _found(self, is_wanted: Callable[[Any], bool]) -> list[Any]:
        self.unit.session.flush()
        stored = self.unit.session.scalars(select(self.cls).order_by(*class_mapper(self.cls).primary_key))
        found = [each for each in stored if is_wanted(each)]
        self.unit.know(found)
        return found

    def first(self, **equal: Any) -> Any:
        return next(iter(self.find_by(**equal)), None)

    def count(self, **equal: Any) -> int:
        return len(self.find_by(**equal))

    __getitem__ = get
    one = first
    exists = count

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return len(self.all())


def _members(instance: Any) -> list[Any]:
    """All that is deleted with an object."""
    return [each[0] for each in object_mapper(instance).cascade_iterator("delete", instance_state(instance))]


# The words of programs


def new(cls: type[Any], **values: Any) -> Any:
    """An object made without its `__init__`, and its attributes assigned."""
    mapper = class_mapper(cls)
    instance = mapper.class_manager.new_instance()
    if mapper.polymorphic_on is not None:  # as the ORM's own listener to `__init__` does
        setattr(instance, mapper.get_property_by_column(mapper.polymorphic_on).key, mapper.polymorphic_identity)
    # All that a column can have by itself is said: where the object takes over the row of one that goes, the ORM
    # updates what was assigned, and leaves the rest as it was.
    for column in mapper.columns:
        name, default = mapper.get_property_by_column(column).key, column.default or column.server_default
        if default is None and column.nullable:
            setattr(instance, name, None)
        elif isinstance(default, ScalarElementColumnDefault):
            setattr(instance, name, default.arg)
        elif isinstance(default, DefaultClause):
            setattr(instance, name, column.type.python_type(default.arg))
    for name, value in values.items():
        setattr(instance, name, value)
    return instance


def enter(unit: PlainUnit) -> None:
    # Objects stay readable after a commit, and collections keep the order that the program has given them. Each read
    # of a program flushes; that of an attribute which a savepoint has expired does not.
    unit.session = Session(unit.engine, expire_on_commit=False, autoflush=False)
    event.listen(unit.session, "before_flush", _raise_versions)


def leave(unit: PlainUnit, error: Exception | None = None) -> None:
    session, unit.session = unit.session, None
    unit.blocks.clear()
    unit.known.clear()
    if session is not None:
        undo(session)  # close() alone would leave new objects detached, and not new again
        session.close()


def undo(session: Session) -> None:
    """Roll back, and load again what that has expired: after the session it could not be read any more."""
    session.rollback()
    for instance in [*session]:
        with suppress(InvalidRequestError):  # its row is gone
            session.refresh(instance)


def nest(unit: PlainUnit) -> None:
    unit.blocks.append(unit.session.begin_nested())


def unnest(unit: PlainUnit, error: Exception | None = None) -> None:
    block = unit.blocks.pop()
    if error is None:
        block.__exit__(None, None, None)
        return
    block.__exit__(type(error), error, error.__traceback__)
    for each in list(unit.session):
        if instance_state(each).expired:
            unit.session.refresh(each)  # an equal value is a change to the ORM where it has expired the old one


def _raise_versions(session: Session, *_: object) -> None:
    """Let the version of a root rise with any change of its members: an assignment updates its row."""
    for root in session.identity_map.values():
        version = object_mapper(root).version_id_col
        if version is None or root in session.deleted:
            continue
        if any(session.is_modified(each) or each in session.new for each in (root, *_members(root))):
            name = object_mapper(root).get_property_by_column(version).key
            setattr(root, name, getattr(root, name) + 1)  # the ORM sets the very same, for it counts by itself


def _engine(url: str) -> Engine:
    """SQLAlchemy's recipe for each database: a real BEGIN and foreign keys on SQLite, snapshots elsewhere."""
    if not url.startswith("sqlite"):
        return create_engine(url, isolation_level="REPEATABLE READ")
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def configure(driver: Any, _: object) -> None:
        driver.isolation_level = None  # the driver begins nothing by itself
        driver.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _relate(mapping: Mapping) -> None:
    """Tell the ORM of the foreign keys between aggregates: it orders the tables of a flush by relationships alone.

    Each is a relationship that nobody reads or sets.
    """
    mappers = {mapper.local_table: mapper for mapper in mapping.mappers if not mapper.single}
    related = {
        frozenset(remote for _, remote in each.local_remote_pairs)
        for mapper in mapping.mappers
        for each in mapper.relationships
        if each.direction is ONETOMANY
    }
    for table, mapper in mappers.items():
        constraints = [each for each in table.constraints if isinstance(each, ForeignKeyConstraint)]  # type: ignore[attr-defined]
        for number, constraint in enumerate(sorted(constraints, key=lambda each: tuple(each.column_keys))):
            columns = [element.parent for element in constraint.elements]
            target = mappers[constraint.referred_table]
            if frozenset(columns) in related or target is mapper.inherits:
                continue
            joined = and_(*(element.parent == element.column for element in constraint.elements))
            mapper.add_property(
                f"refers_{number}",
                relationship(target.class_, primaryjoin=joined, foreign_keys=columns, cascade="", lazy="raise"),
            )
    mapping.configure()


def _rows(connection: Connection, table: Any) -> Iterator[dict[str, Any]]:
    for row in connection.execute(select(table).order_by(*table.primary_key)):
        yield dict(zip(table.c.keys(), row, strict=True))
