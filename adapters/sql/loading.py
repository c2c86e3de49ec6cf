"""How aggregates are loaded: their rows by plain statements, prepared once; the objects as the ORM makes them.

One statement finds the roots, and one more each kind of member of all of them. What was loaded is an
ordinary persistent object of the ORM's session, which takes care of it from then on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, FromClause, Select, Table, and_, bindparam, func, select, tuple_
from sqlalchemy.orm.attributes import instance_dict, instance_state

from ...domain.errors import UnreadableRow
from ..entities import ChildrenPlan, EntityPlan, FieldPlan, LinksPlan, MembersPlan, Part, ordering
from ..generated import fitter
from ..instances import fill, identity, set_children, set_members
from ..ownership import NOBODY, set_owner
from ..tables import Key, Row
from ..unreadable import unread, wrong

if TYPE_CHECKING:
    from .session import SqlSession
    from .store import SqlStore

__all__ = ["Loader"]

OWNERS_AT_ONCE = 500  # databases limit the parameters of a statement,
BYTES_AT_ONCE = 500_000  # and its length


class Loader:
    """Loads the objects of one class, and of its subclasses. Made once for each store, with its statements.

    A key's parts are the parameters `key_0`, `key_1`, … of `by_key`.
    """

    def __init__(self, store: SqlStore, entity: EntityPlan) -> None:
        self.store = store
        self.entity = entity
        self.is_mixed = entity.discriminator is not None  # rows of several classes
        self.tables = store.metadata.tables
        self._starts: dict[str, int] = {}  # where the columns of each table begin in a row
        self.columns: list[Column[Any]] = []
        self.joined = self._join()
        self.keys = [self.column(entity.table.name, name) for name in entity.table.key_columns]
        self.of_this_class = self._of_this_class()
        self.select: Select[Any] = select(*self.columns).select_from(self.joined).where(*self.of_this_class)
        self.by_key: Select[Any] = self.select.where(
            *(column == bindparam(f"key_{number}") for number, column in enumerate(self.keys))
        )
        self.count: Select[Any] = select(func.count()).select_from(self.joined).where(*self.of_this_class)
        self._pieces: dict[type[Any], Callable[[Row], Row]] = {}
        self._fitters: dict[tuple[FieldPlan | None, ...], Callable[[Row], bool]] = {}

    def column(self, table: str, name: str) -> Column[Any]:
        found: Column[Any] = self.tables[table].c[name]
        return found

    def key_parameters(self, key: Key) -> dict[str, Any]:
        """The parameters of `by_key`."""
        return {f"key_{number}": part for number, part in enumerate(key if isinstance(key, tuple) else (key,))}

    def place(self, position: int) -> Column[Any]:
        """The column of a place in the entity's row."""
        return self.columns[position]

    # Statements

    def _join(self) -> FromClause:
        joined: FromClause = self._add(self.entity.parts[0])
        for part in self.entity.parts[1:]:
            joined = joined.join(self._add(part), self._same_key(part))
        subclasses = [each for each in self.entity.subclasses.values() if self.entity.covers(each)]
        for part in (part for subclass in subclasses for part in subclass.parts):
            if part.table.name not in self._starts:
                joined = joined.outerjoin(self._add(part), self._same_key(part))
        return joined

    def _add(self, part: Part) -> Table:
        table = self.tables[part.table.name]
        self._starts[part.table.name] = len(self.columns)
        self.columns.extend(table.columns)
        return table

    def _same_key(self, part: Part) -> ColumnElement[bool]:
        base = self.entity.table
        return and_(
            *(
                self.column(base.name, name) == self.column(part.table.name, own)
                for name, own in zip(base.key_columns, part.table.key_columns, strict=True)
            )
        )

    def _of_this_class(self) -> list[ColumnElement[bool]]:
        """Where several classes share a table, the rows of this one and of its subclasses."""
        entity = self.entity
        if entity.discriminator is None or entity.mapper.inherits is None:
            return []
        kinds = [kind for kind, each in entity.subclasses.items() if entity.covers(each)]
        return [self.place(entity.discriminator.position).in_(kinds)]

    @cached_property
    def members(self) -> list[_Members]:
        """How the members of this class are loaded; those of a subclass stand with the subclass."""
        return [
            *(_children(self.store, self.entity, children) for children in self.entity.children),
            *(_links(self.store, self.entity, links) for links in self.entity.links),
        ]

    # Objects

    def load(self, session: SqlSession, rows: Iterable[Row]) -> list[Any]:
        """The objects that stand for these rows, whole. They belong to the session. Raises UnreadableRow."""
        new: dict[EntityPlan, list[Any]] = {self.entity: []}
        again: dict[EntityPlan, list[Any]] = {}
        try:
            return self._load(session, rows, new, again)
        except UnreadableRow:
            session.forget_unread(chain.from_iterable(new.values()), is_mixed_up=bool(again))
            raise

    def _load(
        self,
        session: SqlSession,
        rows: Iterable[Row],
        new: dict[EntityPlan, list[Any]],
        again: dict[EntityPlan, list[Any]],
    ) -> list[Any]:
        known, unit_key, is_mixed = session.orm.identity_map, session.orm.hash_key, self.is_mixed
        entity = self.entity
        loaded: list[Any] = []
        for row in rows:
            if is_mixed:
                entity, row = self._actual(row)
            name = identity(entity, entity.table.key(row))
            instance = known.get(name)
            if instance is not None and type(instance) is not entity.cls and session.renewed:
                # Another unit has stored one of another subclass in its place since it was loaded.
                session.part_with(instance)
                instance = None
            if instance is None:
                entity.require_fitting(row)
                instance = entity.hydrate(row)
                state = instance_state(instance)
                state.key = name
                if entity.refusing_values:
                    entity.build_values(instance, entity.table.key(row))
                state.session_id = unit_key
                known._add_unpresent(state, name)
                new.setdefault(entity, []).append(instance)
            elif session.renewed:
                entity.require_fitting(row)
                fill(entity, instance, row)
                state = instance_state(instance)
                state._commit_all(instance_dict(instance), known)
                state.expired_attributes.clear()  # its members follow
                if entity.refusing_values:
                    entity.build_values(instance, entity.table.key(row))
                session.remember(entity, instance)
                again.setdefault(entity, []).append(instance)
            loaded.append(instance)
        for entity, instances in new.items():
            session.hold(entity, instances)
        for found in (new, again):
            for entity, instances in found.items():
                for members in self.store.loader(entity).members:
                    members.load(session, instances)
        return loaded

    def load_apart(self, session: SqlSession, rows: Iterable[Row], known: dict[Any, Any] | None = None) -> list[Any]:
        """The objects that stand for these rows, whole. They belong to nobody.

        *known* are those that belong to the same load, by their identities: members may be shared.
        """
        entity, is_mixed, is_alone = self.entity, self.is_mixed, known is None and not self.members
        known = {} if known is None else known
        loaded: list[Any] = []
        new: dict[EntityPlan, list[Any]] = {}
        for row in rows:
            if is_mixed:
                entity, row = self._actual(row)
            name = identity(entity, entity.table.key(row))
            instance = None if is_alone else known.get(name)
            if instance is None:
                entity.require_fitting(row)
                instance = entity.hydrate(row)
                instance_state(instance).key = name
                if entity.refusing_values:
                    entity.build_values(instance, entity.table.key(row))
                set_owner(instance, NOBODY)
                if not is_alone:
                    known[name] = instance
                    new.setdefault(entity, []).append(instance)
            loaded.append(instance)
        for entity, instances in new.items():
            for members in self.store.loader(entity).members:
                members.load_apart(session, instances, known)
        return loaded

    def require_fitting(self, places: tuple[FieldPlan | None, ...], rows: Iterable[Row]) -> None:
        """Raises UnreadableRow if one of these values, each of a place or None, is not what its attribute may have."""
        if (fits := self._fitters.get(places)) is None:
            fits = self._fitters[places] = fitter(places)
        for row in rows:
            if not fits(row):
                place, value = next(
                    (place, value)
                    for place, value in zip(places, row, strict=True)
                    if place is not None and not place.column.fits(value)
                )
                table = next(part.table.name for part in self.entity.parts if place in self.entity.fields[part.piece])
                raise unread(wrong(place, value), table=table, column=place.column.name)

    def _actual(self, row: Row) -> tuple[EntityPlan, Row]:
        """(class, values) of a row: the subclass that it says it is, and the pieces of it that are its own."""
        actual = self.entity.of_row(row)
        if actual.cls not in self._pieces:
            positions = [
                self._starts[part.table.name] + number
                for part in actual.parts
                for number in range(len(part.table.columns))
            ]
            self._pieces[actual.cls] = itemgetter(*positions)
        return actual, self._pieces[actual.cls](row)


class _Members:
    """Loads one kind of members, for many owners at once.

    *statement* selects the members' rows; the owner's key stands in the *places* of such a row, and is asked
    for in *columns*.
    """

    def __init__(
        self,
        loader: Loader,
        owner: EntityPlan,
        plan: MembersPlan,
        statement: Select[Any],
        places: dict[int, Column[Any]],
    ) -> None:
        self.loader = loader
        self.owner = owner
        self.plan = plan
        self.owner_key: Callable[[Row], Any] = itemgetter(*places)
        self.width = len(loader.columns)  # of a member's row
        columns = list(places.values())
        self.at_once = max(1, min(OWNERS_AT_ONCE // len(columns), BYTES_AT_ONCE // sum(map(_bytes, columns))))
        ordered = statement.order_by(*ordering(owner.mapper.relationships[plan.attribute]))
        if len(columns) == 1:
            self.of_one: Select[Any] | None = ordered.where(columns[0] == bindparam("owner"))
            self.of_many = ordered.where(columns[0].in_(bindparam("owners", expanding=True)))
        else:
            self.of_one = None
            self.of_many = ordered.where(tuple_(*columns).in_(bindparam("owners", expanding=True)))

    def load(self, session: SqlSession, owners: list[Any]) -> None:
        """Give each of the owners its members."""
        rows = self._rows_of(session, owners)
        self._give_all(owners, rows, self.loader.load(session, chain.from_iterable(rows)))

    def load_apart(self, session: SqlSession, owners: list[Any], known: dict[Any, Any]) -> None:
        """The same for owners that belong to nobody."""
        rows = self._rows_of(session, owners)
        self._give_all(owners, rows, self.loader.load_apart(session, chain.from_iterable(rows), known))

    def _rows_of(self, session: SqlSession, owners: list[Any]) -> list[list[Row]]:
        """For each of the owners the rows of its members."""
        keys = [self.owner.key_of(owner) for owner in owners]
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in self._rows(session, keys):
            found[self.owner_key(row)].append(row[: self.width])
        return [found.get(key, []) for key in keys]

    def _give_all(self, owners: list[Any], rows: list[list[Row]], members: list[Any]) -> None:
        remaining = iter(members)
        for owner, own in zip(owners, rows, strict=True):
            self._give(owner, list(islice(remaining, len(own))))

    def _rows(self, session: SqlSession, keys: list[Any]) -> Iterable[Row]:
        if len(keys) == 1 and self.of_one is not None:
            return session.rows(self.of_one, {"owner": keys[0]})
        return [
            row
            for start in range(0, len(keys), self.at_once)
            for row in session.rows(self.of_many, {"owners": keys[start : start + self.at_once]})
        ]

    def _give(self, owner: Any, members: list[Any]) -> None:
        if isinstance(self.plan, ChildrenPlan):
            set_children(owner, self.plan, members)
        else:
            set_members(owner, self.plan.attribute, members)


def _bytes(column: Column[Any]) -> int:
    """How long a value of a key may be as a literal."""
    length: int | None = getattr(column.type, "length", None)
    return 50 if length is None else 2 + 8 * length  # four bytes for a character, each of which may be escaped


def _children(store: SqlStore, owner: EntityPlan, plan: ChildrenPlan) -> _Members:
    """Members whose own rows refer to their owner."""
    loader = store.loader(plan.entity)
    repeated = {source: attribute for attribute, source in plan.adopted}
    positions = [plan.entity.by_name[repeated[attribute]].position for attribute in owner.key_attributes]
    return _Members(loader, owner, plan, loader.select, {each: loader.columns[each] for each in positions})


def _links(store: SqlStore, owner: EntityPlan, plan: LinksPlan) -> _Members:
    """Members that rows of another table join to their owner."""
    loader = store.loader(plan.entity)
    columns = list(store.metadata.tables[plan.table.name].columns)
    pairs = zip(plan.member_positions, loader.keys, strict=True)
    same = and_(*(columns[position] == key for position, key in pairs))
    owners = [columns[position] for position in plan.owner_positions]
    statement = loader.select.add_columns(*owners).join(columns[0].table, same)
    return _Members(loader, owner, plan, statement, dict(enumerate(owners, len(loader.columns))))
