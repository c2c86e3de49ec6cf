"""Every private name that this package uses, with the reason why nothing public does.

A private name may move with any release of SQLAlchemy. So each stands here once, in a small function, and
`tests/test_internals.py` looks for all of them in the version that is installed: one that has moved fails there, by
its name and with the docstring of the function that uses it.

Two kinds of names cannot be used from here, and are listed instead: `OVERRIDDEN` has those that our subclasses of
SQLAlchemy's classes override or inherit, `OUTSIDE` those of drivers and of the standard library. No other file of the
package may use a private name that is not its own.

This module imports SQLAlchemy and nothing of the package, so that every room may import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from logging import INFO
from typing import Any, NamedTuple

from sqlalchemy import Connection, Constraint, CursorResult, Dialect, Engine, Result
from sqlalchemy.orm import ClassManager, Mapper, RelationshipProperty, Session, registry
from sqlalchemy.orm.identity import IdentityMap
from sqlalchemy.orm.state import InstanceState
from sqlalchemy.pool import Pool, PoolProxiedConnection, QueuePool
from sqlalchemy.pool.base import _ConnectionFairy, _ConnectionRecord
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlalchemy.util import immutabledict

__all__ = [
    "CLEANS_UP",
    "OUTSIDE",
    "OVERRIDDEN",
    "PENDING_MUTATIONS",
    "REPORTS_TO",
    "ConnectionRecord",
    "Outside",
    "Overridden",
    "clear_orphaned",
    "commit_all",
    "constructor_of_states",
    "creation_order",
    "deletes_orphans",
    "expire_connections",
    "has_listeners",
    "has_sql_expressions",
    "insert_batches",
    "is_for_mapped_class",
    "is_heard",
    "is_orphan",
    "is_orphaned",
    "is_type_bound",
    "managers_of",
    "must_be_unique",
    "note_change",
    "options_of_pool",
    "plain_rows",
    "reconstructor_of",
    "record_of",
    "replace_insert_batches",
    "report_to_nobody",
    "reverse_of",
    "set_deleted",
    "set_variants",
    "sort_key_of",
    "variants_of",
    "without_annotations",
]


# Objects in memory

PENDING_MUTATIONS = "_pending_mutations"
"""Where a state has changes of collections that are not loaded, if any. To read the attribute would create it."""


def commit_all(state: InstanceState[Any], values: dict[str, Any]) -> None:
    """Take what an object has now for what is stored. The public way is a flush of an ORM session."""
    state._commit_all(values)


REPORTS_TO = "_instance_dict"
"""Where a state has a weak reference to what it reports its changes to. The public way is to add it to a session."""


CLEANS_UP = "_cleanup"
"""What a state does when its object is garbage. `ClassManager.new_instance()` would be three calls more an object."""


def report_to_nobody(state: InstanceState[Any]) -> None:
    """Let an object report its changes to nobody. The public way is to expunge it from its session."""
    state.__dict__.pop(REPORTS_TO, None)


def set_deleted(state: InstanceState[Any], deleted: bool) -> None:
    """Note whether the row of an object is deleted. `InstanceState.deleted` can only be read."""
    state._deleted = deleted


def note_change(state: Any, values: dict[str, Any], attribute: Any, before: Any, is_collection: bool) -> None:
    """Note that an attribute changes, and what it had *before*. `flag_modified()` does not take what it had."""
    state._modified_event(values, attribute, before, is_collection)


def is_orphaned(state: InstanceState[Any]) -> bool:
    """Return whether an owner let go of an object while no session had it. Only the ORM's own flush asks for it."""
    return state._orphaned_outside_of_session


def clear_orphaned(state: InstanceState[Any]) -> None:
    """Note that a unit has an object that an owner let go of. Only a session of the ORM does so, when it gets one."""
    state._orphaned_outside_of_session = False


def is_orphan(mapper: Mapper[Any], state: InstanceState[Any]) -> bool:
    """Return whether an object is without an owner and must have one. Only the ORM's own flush asks for it."""
    return mapper._is_orphan(state)


# What is mapped


def managers_of(mapping: registry) -> Iterable[ClassManager[Any]]:
    """The managers of the mapped classes, in the order of mapping. `registry.mappers` is a set, without an order."""
    return mapping._managers


def constructor_of_states(manager: ClassManager[Any]) -> type[Any]:
    """The class of an object's state. `ClassManager.new_instance()` would be three calls more for each object."""
    return manager._state_constructor


def deletes_orphans(mapper: Mapper[Any]) -> bool:
    """Return whether a class is the child of another by delete-orphan. Only the relationships of the others tell it."""
    return bool(mapper._delete_orphans)


def sort_key_of(mapper: Mapper[Any]) -> str:
    """The name by which the ORM's flush sorts classes. Nothing public tells its order, and ours has to be the same."""
    return mapper._sort_key


def reconstructor_of(mapper: Mapper[Any]) -> Callable[[Any], None] | None:
    """The method that is marked `@reconstructor`, if any. Its mark on the function is as private."""
    return mapper._reconstructor


def reverse_of(relation: RelationshipProperty[Any]) -> Iterable[RelationshipProperty[Any]]:
    """The relationships that are this one from the other side. `back_populates` tells it only where it is written."""
    return relation._reverse_property


# Tables and types


def creation_order(constraint: Constraint) -> int:
    """The number of a constraint among all that were made. `Table.constraints` is a set, without an order."""
    return constraint._creation_order


def is_type_bound(constraint: Constraint) -> bool:
    """Return whether a type has made this constraint, such as a Boolean's CHECK. No public attribute tells it."""
    return constraint._type_bound


def variants_of(declared: TypeEngine[Any]) -> Mapping[str, TypeEngine[Any]]:
    """The types that `with_variant()` gave to a type, by dialect. They can be given in public, and not read."""
    return declared._variant_mapping


def set_variants(declared: TypeEngine[Any], variants: Mapping[str, TypeEngine[Any]]) -> None:
    """Replace the variants of a type. `with_variant()` refuses a dialect that has one, and can take none away."""
    declared._variant_mapping = immutabledict(variants)


def has_sql_expressions(declared: TypeDecorator[Any]) -> bool:
    """Return whether SQL is written around values, by the type or the one it decorates. Nothing public asks both."""
    return declared._has_bind_expression or declared._has_column_expression


def without_annotations(element: Any) -> Any:
    """The column that a join condition means. The ORM annotates copies, and has no public way back to the column."""
    return element._deannotate() if hasattr(element, "_deannotate") else element


# Statements and results


def is_for_mapped_class(statement: Any) -> bool:
    """Return whether a statement names mapped classes. `is_orm_statement` says it of the outermost statement alone."""
    return statement._propagate_attrs.get("compile_state_plugin") == "orm"  # type: ignore[no-any-return]


def must_be_unique(result: Result[Any]) -> bool:
    """Return whether rows come several times, so that reading them without `unique()` raises."""
    return bool(result._unique_filter_state)


def plain_rows(result: CursorResult[Any]) -> Sequence[tuple[Any, ...]]:
    """All rows as tuples. `Result.all()` makes a `Row` of each, and nobody asks for its names."""
    return result._raw_all_tuples()


def has_listeners(engine: Engine) -> bool:
    """Return whether somebody listens to the statements of an engine. Nothing public tells it of all events at once."""
    return engine._has_events


def is_heard(engine: Engine) -> bool:
    """Return whether statements are listened to or logged, as far as that seldom changes. See `has_listeners`."""
    return engine._has_events or engine.logger.isEnabledFor(INFO) or _is_heard_of(engine.dialect)


def _is_heard_of(dialect: Dialect) -> bool:
    events: Any = dialect.dispatch
    return dialect._has_events and any(map(bool, (events.do_execute, events.do_executemany, events.handle_error)))


def insert_batches(dialect: Dialect) -> Callable[..., Any]:
    """What cuts an INSERT of many rows into statements. The public page size counts rows, and servers count bytes."""
    return dialect._deliver_insertmanyvalues_batches


def replace_insert_batches(dialect: Dialect, deliver: Callable[..., Any]) -> None:
    """Let something else cut an INSERT of many rows into statements. No event comes before it is cut."""
    dialect._deliver_insertmanyvalues_batches = deliver  # type: ignore[method-assign]


# Connections

ConnectionRecord = _ConnectionRecord
"""The place of a connection in a pool. `ConnectionPoolEntry`, its public face, can neither be made nor connected."""


def record_of(link: Any) -> Any:
    """The place in the pool of a connection that is checked out. Only there can be said what happens at its return."""
    return link._connection_record


def expire_connections(pool: Pool, link: PoolProxiedConnection, error: BaseException) -> None:
    """Let every connection that is as old as this one be replaced. In public, only an error in a statement does so."""
    pool._invalidate(link, error, _checkin=False)


def options_of_pool(pool: QueuePool) -> dict[str, Any]:
    """What a pool was made with, for another like it. `recreate()` takes no options of a subclass."""
    return {
        "creator": pool._creator,
        "pool_size": pool._pool.maxsize,
        "max_overflow": pool._max_overflow,
        "pre_ping": pool._pre_ping,
        "use_lifo": pool._pool.use_lifo,
        "timeout": pool.timeout(),
        "recycle": pool._recycle,
        "echo": pool.echo,
        "logging_name": pool._orig_logging_name,
        "reset_on_return": pool._reset_on_return,
        "_dispatch": pool.dispatch,
        "dialect": pool._dialect,
    }


# Names that are used elsewhere, for they cannot be used from here


class Overridden(NamedTuple):
    """Names of a class of SQLAlchemy that a class of ours overrides, or reads as its own."""

    of: type[Any]
    names: dict[str, str]  # each with its reason


OVERRIDDEN = {
    "honestwork.adapters.engine.tracking.Changes": Overridden(
        IdentityMap,
        {
            "_modified": "states add themselves to this set when they change; no event tells of every change",
            "_fast_discard": "called for a state whose object is garbage",
        },
    ),
    "honestwork.adapters.sql.connection.UnitConnection": Overridden(
        Connection,
        {
            "_execute_context": "statements that are not prepared pass here; an event would slow down all others",
            "_handle_dbapi_exception": "every error passes here; the event `handle_error` is heard of a whole engine",
            "_begin_impl": "begins the transaction; who hears the event `begin` slows down every statement",
            "_commit_impl": "commits the transaction, which only the unit may do",
            "_rollback_impl": "rolls it back, which only the unit may do, and not over a statement in flight",
            "_rollback_to_savepoint_impl": "rolls back to a savepoint; not in a child process, nor over a statement",
            "_release_savepoint_impl": "releases a savepoint; not in a child process",
            "_safe_close_cursor": "would log and swallow an interrupt that is raised while a cursor closes",
            "_dbapi_connection": "the connection, if there is one; `connection` raises where it is closed or invalid",
        },
    ),
    "honestwork.adapters.sql.orm_session.OrmSessionOnDemand": Overridden(
        Session,
        {"_merge": "called by `merge_frozen_result()`, beside `merge()`"},
    ),
    "honestwork.adapters.sql.orm_session._View": Overridden(
        IdentityMap,
        {"_add_unpresent": "called for every object that a statement has made; the class has no public constructor"},
    ),
    "honestwork.adapters.sql.pool.Loan": Overridden(
        _ConnectionFairy,
        {
            "_connection_record": "dialects and the pool read it of what is checked out",
            "_close_special": "called by `Connection.close()` in the place of `close()`",
        },
    ),
    "honestwork.adapters.sql.pool.UnitPool": Overridden(
        QueuePool,
        {
            "_pool": "the queue of a pool, in which ours has its places",
            "_queue_class": "what makes this queue",
            "_do_get": "checks a place out; the documented way to write a pool",
            "_do_return_conn": "takes a place back; the documented way to write a pool",
            "_dialect": "what the engine has given to the pool after it was made",
            "_max_overflow": "an option of the pool, which has a public name only when it is given",
        },
    ),
}
"""By the class of ours."""


class Outside(NamedTuple):
    """A private name of a driver or of the standard library."""

    owner: str  # what has it
    files: tuple[str, ...]  # that use it, from the root of the package
    reason: str


OUTSIDE = {
    "_start_query": Outside(
        "psycopg.Connection",
        ("adapters/sql/engines.py",),
        "begins a transaction now: in public, psycopg sends the BEGIN with the first statement",
    ),
    "_read_timeout": Outside(
        "pymysql.Connection",
        ("adapters/sql/engines.py",),
        "how long an answer may take: in public, it is said once for connecting and for statements",
    ),
    "_write_timeout": Outside(
        "pymysql.Connection",
        ("adapters/sql/engines.py",),
        "how long sending may take: in public, it is said once for connecting and for statements",
    ),
    "_sock": Outside(
        "pymysql.Connection",
        ("adapters/sql/engines.py",),
        "the socket, whose keepalive PyMySQL has no options for",
    ),
    "_force_close": Outside(
        "pymysql.Connection",
        ("adapters/sql/drivers.py", "testing/lockstep/referee.py"),
        "closes the socket: `close()` would send a farewell, and raises where it was closed already",
    ),
    "_frozen_setattrs": Outside(
        "attr._make",
        ("adapters/mapping/doctor/classes.py",),
        "the name by which a frozen class is known: older releases of attrs have no other mark",
    ),
    "_getframe": Outside(
        "sys",
        ("service_layer/unit_of_work.py",),
        "where a unit is defined and opened: `inspect.currentframe()` is the same with a call more",
    ),
    "_get_running_loop": Outside(
        "asyncio",
        ("adapters/engine/open_units.py", "adapters/engine/session_state.py"),
        "the loop, or None: `get_running_loop()` raises where there is none, which every unit would pay for",
    ),
    "_is_owned": Outside(
        "threading.RLock",
        ("adapters/memory/store.py",),
        "whether this thread holds a lock: an interrupt may have come between taking it and noting that",
    ),
}
"""By the name."""
