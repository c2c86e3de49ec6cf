"""The statements that read the rows of a class: prepared once for each store, and compiled once by SQLAlchemy.

One statement finds the rows of the roots, and one more each kind of member of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
    tuple_,
)

from ..engine.rows import Found
from ..plan.codegen import fitter
from ..plan.entities import ChildrenPlan, EntityPlan, FieldPlan, LinksPlan, MembersPlan, Part, ordering
from ..plan.tables import Key, Row
from ..plan.unreadable import unread, wrong
from .prepared import Prepared

if TYPE_CHECKING:
    from .store import SqlStore

__all__ = ["Reading"]

KEYS_AT_ONCE = 500  # databases limit the parameters of a statement,
BYTES_AT_ONCE = 500_000  # and its length


class Reading:
    """How the rows of one class, and of its subclasses, are read. Lives as long as the store."""

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
        self.in_order = self.select.order_by(*self.keys)  # of their keys
        self.count: Select[Any] = select(func.count()).select_from(self.joined).where(*self.of_this_class)
        self._pieces: dict[type[Any], Callable[[Row], Row]] = {}
        self._members: dict[MembersPlan, MembersReading] = {}
        self._fitters: dict[tuple[FieldPlan | None, ...], Callable[[Row], bool]] = {}

    def column(self, table: str, name: str) -> Column[Any]:
        found: Column[Any] = self.tables[table].c[name]
        return found

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

    def prepared(self, statement: Any, names: Sequence[str]) -> Prepared:
        """A statement that gives the columns of a row, and maybe more; compiled at its first use."""
        types = [each.type for each in statement.selected_columns]
        return Prepared(self.store.engine, statement, names, types=types)

    @cached_property
    def by_key(self) -> Prepared:
        """The row with one key, whose parts are the parameters."""
        names = [f"key_{n}" for n in range(len(self.keys))]
        same = (column == bindparam(name) for column, name in zip(self.keys, names, strict=True))
        return self.prepared(self.select.where(*same), names)

    @cached_property
    def by_keys(self) -> Select[Any]:
        """The rows with several keys, the parameter `keys`."""
        return self.select.where(one_of(self.keys, "keys"))

    def key_slices(self, keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
        """The keys, as many at once as a statement takes."""
        return slices(keys, self.keys)

    def members(self, relation: MembersPlan) -> MembersReading:
        """How the members of this class are read."""
        found = self._members.get(relation)
        if found is None:
            if isinstance(relation, LinksPlan):
                found = _links(self.store, self.entity, relation)
            else:
                assert isinstance(relation, ChildrenPlan)
                found = _children(self.store, self.entity, relation)
            self._members[relation] = found
        return found

    # Rows

    def found(self, rows: Sequence[Row]) -> list[Found]:
        """The rows of the entity from those of a statement. Raises UnreadableRow."""
        entity, is_mixed = self.entity, self.is_mixed
        encoders = self.encoders
        if not (is_mixed or encoders) and all(map(entity.fits, rows)):
            return [*zip(repeat(entity), rows)]
        found: list[Found] = []
        for row in rows:
            if is_mixed:
                entity, row = self._actual(row)
                encoders = self.store.reading(entity).encoders
            entity.require_fitting(row)
            found.append((entity, _encoded(row, encoders) if encoders else row))
        return found

    @cached_property
    def encoders(self) -> list[tuple[int, Callable[[Any], Any]]]:
        """Where a row holds another form of a value than the database gives: (position, encode)."""
        return [
            (each.position, each.column.encoded) for each in self.entity.fields if each.column.guard.encode is not None
        ]

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


class MembersReading:
    """How one kind of members is read, for many owners at once.

    *statement* selects the members' rows; the owner's key stands in the *places* of such a row, and is asked
    for in their columns.
    """

    def __init__(
        self,
        reading: Reading,
        owner: EntityPlan,
        plan: MembersPlan,
        statement: Select[Any],
        places: dict[int, Column[Any]],
    ) -> None:
        self.reading = reading
        self.owner_key: Callable[[Row], Any] = itemgetter(*places)
        self.width = len(reading.columns)  # of a member's row
        self.is_plain = max(places) < self.width  # does the owner's key stand in the member's own row?
        self.columns = list(places.values())
        ordered = statement.order_by(*ordering(owner.mapper.relationships[plan.attribute]))
        self.of_many = ordered.where(one_of(self.columns, "owners"))
        names = [f"owner_{n}" for n in range(len(self.columns))]
        same = (column == bindparam(name) for column, name in zip(self.columns, names, strict=True))
        self.of_one = reading.prepared(ordered.where(*same), names)

    def of(self, rows: Sequence[Row]) -> list[list[Found]]:
        """The rows that `of_one` has given, as those of its one owner."""
        return [self.reading.found(rows if self.is_plain else [row[: self.width] for row in rows])]

    def by_owner(self, keys: Sequence[Key], rows: Iterable[Row]) -> list[list[Found]]:
        """The rows that the statements have given, for each of the owners."""
        found: dict[Key, list[Row]] = {key: [] for key in keys}
        for row in rows:
            found.setdefault(self.owner_key(row), []).append(row[: self.width])
        return [self.reading.found(found[key]) for key in keys]


def one_of(columns: Sequence[Column[Any]], name: str) -> ColumnElement[bool]:
    """The condition that these columns have one of the values of a parameter."""
    values: BindParameter[Any] = bindparam(name, expanding=True)
    return columns[0].in_(values) if len(columns) == 1 else tuple_(*columns).in_(values)


def slices(keys: Sequence[Key], columns: Sequence[Column[Any]]) -> Iterator[Sequence[Key]]:
    """Keys in these columns, as many at once as a statement takes."""
    at_once = max(1, min(KEYS_AT_ONCE // len(columns), BYTES_AT_ONCE // sum(map(_bytes, columns))))
    return (keys[start : start + at_once] for start in range(0, len(keys), at_once))


def _encoded(row: Row, encoders: list[tuple[int, Callable[[Any], Any]]]) -> Row:
    encoded = [*row]
    for position, encode in encoders:
        with suppress(TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError):
            encoded[position] = encode(row[position])  # else it cannot be decoded, which says what is wrong
    return tuple(encoded)


def _bytes(column: Column[Any]) -> int:
    """How long a value of a key may be as a literal."""
    length: int | None = getattr(column.type, "length", None)
    return 50 if length is None else 2 + 8 * length  # four bytes for a character, each of which may be escaped


def _children(store: SqlStore, owner: EntityPlan, plan: ChildrenPlan) -> MembersReading:
    """Members whose own rows refer to their owner."""
    reading = store.reading(plan.entity)
    repeated = {source: attribute for attribute, source in plan.adopted}
    positions = [plan.entity.by_name[repeated[attribute]].position for attribute in owner.key_attributes]
    return MembersReading(reading, owner, plan, reading.select, {each: reading.columns[each] for each in positions})


def _links(store: SqlStore, owner: EntityPlan, plan: LinksPlan) -> MembersReading:
    """Members that rows of another table join to their owner."""
    reading = store.reading(plan.entity)
    columns = list(store.metadata.tables[plan.table.name].columns)
    pairs = zip(plan.member_positions, reading.keys, strict=True)
    same = and_(*(columns[position] == key for position, key in pairs))
    owners = [columns[position] for position in plan.owner_positions]
    statement = reading.select.add_columns(*owners).join(columns[0].table, same)
    return MembersReading(reading, owner, plan, statement, dict(enumerate(owners, len(reading.columns))))
