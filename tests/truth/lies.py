"""Lies, each of which makes the store in memory a bad fake: the proof has to find every one of them.

A proof that finds nothing may be blind. So these are planted, one at a time, in the source of the memory
store; they are what the fakes on the market do, and what our own has done while it was built. One
that is not found shows a hole in the random programs, and that is mended there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["LIES", "Lie"]

REPOSITORY, SEARCHING, SESSION, FLUSH = "memory.repository", "memory.searching", "memory.session", "memory.flush"
TRANSACTION, TABLES, INSTANCES, CHECKS, STORE, RULES = (
    "memory.transaction",
    "memory.tables",
    "memory.instances",
    "memory.checks",
    "memory.store",
    "memory.rules",
)
GENERATED = "generated"


class Lie(NamedTuple):
    """What is claimed falsely, and the change of the source that does it.

    `where` it shows: to a unit that is "alone", or only to units that work "together".
    """

    name: str
    where: Literal["alone", "together"]
    module: str
    true: str
    false: str


LIES = [
    # What becomes of a unit
    Lie("leaving the block commits", "alone", SESSION,
        "        self.close_for_good()\n        self.changes", "        self.write(); self.transaction.commit(); self.close_for_good()\n"
        "        self.changes"),
    Lie("a rollback keeps what was written", "alone", TRANSACTION,
        "        if self._overlays:\n            self._overlays = {}\n", ""),
    Lie("a unit goes on after an error", "alone", SESSION,
        "        except Exception as error:\n            self.fail()\n", "        except Exception as error:\n"),
    Lie("a reading unit writes", "alone", TRANSACTION, "        if self.reading:\n", "        if False:\n"),
    Lie("a savepoint does not take rows back", "alone", TRANSACTION,
        "for overlay, key, before in reversed(journal[self._writes :]):", "for overlay, key, before in ():"),
    Lie("a savepoint does not take objects back", "alone", SESSION,
        "        self.session._return_to(self.written)\n", ""),
    Lie("a generated key stays on an object that was undone", "alone", INSTANCES,
        "    known.entity.renew(known.instance)\n", ""),
    Lie("what a failing flush has given stays", "alone", SESSION,
        "            flush.given.take_back()\n            own", "            own"),
    Lie("what was done to a removed object stays when its removal is undone", "alone", SESSION,
        "            if known.state.modified:  # also", "            if False:  # also"),
    Lie("members that change places are taken for orphans", "alone", FLUSH,
        "            changed=[known.instance for known in self.changed.values()],\n", "            changed=[],\n"),
    # What a unit sees
    Lie("get does not flush", "alone", REPOSITORY,
        "            session.write()\n            row = session.transaction.view", "            row = session.transaction.view"),
    Lie("find does not flush", "alone", SEARCHING, "        self.session.flush()\n", ""),
    Lie("each get makes an object of its own", "alone", SESSION,
        "known = self._known[entity.identity_class].get(key)\n", "known = None\n"),
    Lie("two units share their objects", "together", SESSION,
        "self._known: dict[type[Any], dict[Key, Known]] = defaultdict(dict)\n",
        "self._known: dict[type[Any], dict[Key, Known]] = store.__dict__.setdefault('shared', defaultdict(dict))\n"),
    Lie("two units share JSON values", "alone", SESSION,
        "            values = entity.decoded(row) if entity.documents else row\n",
        "            shared = self.store.__dict__.setdefault('json', {})\n"
        "            values = shared.setdefault((entity.name, row), entity.decoded(row))\n"),
    Lie("a removed object is still found", "alone", REPOSITORY,
        "            key = entity.table.key_guard(key)\n",
        "            key = entity.table.key_guard(key)\n"
        "            if (known := session._known[entity.identity_class].get(key)):\n"
        "                session.end_call(call); return known.instance\n"),
    Lie("objects are not read anew after a commit", "together", SESSION,
        "        self.written.clear()\n        self.renewed = True\n", "        self.written.clear()\n"),
    Lie("rows come in the order of insertion", "alone", SEARCHING,
        "            compile_sort(asked.keys, self.layout)(found)\n", "            pass\n"),
    Lie("children come in the order of insertion", "alone", SESSION,
        "in sorted(rows, key=lambda found: members.order(found[1])):", "in rows:"),
    Lie("a condition is ignored", "alone", SEARCHING, "answered = asked.formula is TRUE or", "answered = True or"),
    Lie("rows that an index has not are not found", "alone", SEARCHING,
        "        found = self._indexed(named)\n", "        found = self._indexed(named) or []\n"),
    # What is stored
    Lie("changes inside of JSON values are lost", "alone", INSTANCES,
        "        if attribute in values and each.column.differs(", "        if False and each.column.differs("),
    Lie("values of new objects are not guarded", "alone", FLUSH,
        "            look_over_new(self.new.values())\n", "            pass\n"),
    Lie("values of changed objects are not guarded", "alone", FLUSH,
        "            look_over_changed([(known.entity, known.instance) for known in self.changed.values()])\n",
        "            pass\n"),
    Lie("None is stored where there is a default", "alone", GENERATED,
        "if (v := {held}) is None else {encoded}",
        "if {each.attribute!r} not in d else None if (v := {held}) is None else {encoded}"),
    Lie("a default replaces 0 and False", "alone", GENERATED,
        "if (v := {held}) is None else {encoded}", "if not (v := {held}) else {encoded}"),
    Lie("onupdate never fires", "alone", FLUSH,
        "    if stored is before and not part.table.has_onupdate:\n", "    if stored is before:\n"),
    Lie("the version rises without a change", "alone", FLUSH,
        "            if wanted != known.row or id(known.instance) in self.raised:\n", "            if True:\n"),
    Lie("a change of a child leaves the version", "alone", FLUSH,
        "        if not self.schema.has_versioned_members:\n", "        if True:\n"),
    Lie("a version does not rise", "alone", FLUSH, "row[version.position] + 1, *row", "row[version.position], *row"),
    Lie("a row that is taken over keeps its version", "alone", FLUSH,
        "old + 1 if each is entity.version else new\n", "old if each is entity.version else new\n"),
    Lie("a generated key is given twice", "alone", TABLES,
        "            self.rows.pop(key, None)\n        self.changed = time\n",
        "            self.rows.pop(key, None)\n"
        "            if self.plan.generated is not None: self.sequence = max([0, *self.rows])\n        self.changed = time\n"),
    Lie("orphans are kept", "alone", FLUSH,
        "        self.removed = dict(session.removed)\n        for ident",
        "        self.removed = dict(session.removed)\n"
        "        if not any(each.entity.is_root for each in self.removed.values()): self.removed = {}\n        for ident"),
    Lie("children survive their owner", "alone", FLUSH,
        "            removed=[known.instance for known in session.removed.values()],\n", "            removed=[],\n"),
    Lie("a new member that nobody has is stored", "alone", SESSION,
        "        elif self.pending.pop(id(member), None) is not None:\n            set_owner", "        elif False:\n            set_owner"),
    Lie("a child that moves keeps its owner", "alone", FLUSH,
        "            for attribute, source in children.adopted:\n",
        "            for attribute, source in children.adopted if self.session.known(member) is None else ():\n"),
    Lie("removing a new object does nothing", "alone", REPOSITORY,
        "            session.detach(self._entity, aggregate)\n", "            pass\n"),
    Lie("adding a removed object does not take the removal back", "alone", REPOSITORY,
        "                session.removed.pop(id(aggregate), None)\n", ""),
    Lie("a deleted object can be added again", "alone", REPOSITORY,
        "                already_removed(entity, aggregate)\n            foreign(entity, aggregate)  #",
        "                state.key = None\n            else: foreign(entity, aggregate)  #"),
    Lie("objects of ended units are taken", "alone", REPOSITORY,
        "            foreign(entity, aggregate)  #", "            pass  #"),
    # The order of writing, as constraints see it
    Lie("deletes come before inserts", "alone", FLUSH,
        "        self._find_raised()\n",
        "        self._find_raised()\n        for gone in reversed(self._tables_to_write()):\n            self._delete(gone)\n"),
    Lie("inserts come before updates", "alone", FLUSH,
        "            if self.changed:\n                self._update(table)\n            if self.new:\n                self._insert(table)\n",
        "            self._insert(table)\n            self._update(table)\n"),
    Lie("a key cannot be taken over in one flush", "alone", FLUSH,
        "                if known.key == key and known.entity.identity_class is entity.identity_class\n            ),\n            None,\n        )\n\n    def _adopt",
        "                if False\n            ),\n            None,\n        )\n\n    def _adopt"),
    # Constraints
    Lie("NOT NULL is not enforced", "alone", TRANSACTION,
        "        for column in plan.required:\n", "        for column in ():\n"),
    Lie("checks never fail", "alone", TRANSACTION, "            if not holds(row):\n", "            if False:\n"),
    Lie("a check fails where it is unknown", "alone", CHECKS,
        "    return lambda row: value(row) is not False\n", "    return lambda row: value(row) is True\n"),
    Lie("checks look at new rows only", "alone", TRANSACTION,
        "        self._check_row(table, row)\n        self._claim_row(table, key)\n", "        self._claim_row(table, key)\n"),
    Lie("a new row replaces one with the same key", "alone", TRANSACTION,
        "        if self._newest(table, key) is not None:\n", "        if False:\n"),
    Lie("unique is not enforced for new rows", "alone", TRANSACTION,
        "            self._check_uniques(table, key, row, None)\n", "            pass\n"),
    Lie("unique is not enforced for changed rows", "alone", TRANSACTION,
        "            self._check_uniques(table, key, row, old)\n", "            pass\n"),
    Lie("a unique value is not given up by a change", "alone", TABLES,
        "                if old is not None:\n                    index.drop(key, old)\n", ""),
    Lie("NULLs collide", "alone", TRANSACTION,
        "            if value is None or (old is not None and unique.values(old) == value):\n                continue\n",
        "            if value is None and any(unique.values(each) is None and other != key"
        " for other, each in table.rows.items()): value = next(iter(table.uniques[number].keys), 0)\n"
        "            if value is None or (old is not None and unique.values(old) == value):\n                continue\n"
        "            if unique.values(row) is None:\n"
        "                raise violation(Duplicate, table.plan.name, unique.columns, unique.name)\n"),
    Lie("Duplicate names the key and not the columns", "alone", TRANSACTION,
        "violation(Duplicate, plan.name, unique.columns, unique.name)",
        "violation(Duplicate, plan.name, plan.key_columns, unique.name)"),
    Lie("CheckFailed names no columns", "alone", TRANSACTION,
        "raise violation(CheckFailed, plan.name, check.columns, check.name)",
        "raise violation(CheckFailed, plan.name, (), check.name)"),
    Lie("new rows may refer to nothing", "alone", TRANSACTION,
        "            self._check_references(table, row, None)\n", "            pass\n"),
    Lie("changed rows may refer to nothing", "alone", TRANSACTION,
        "            self._check_references(table, row, known)\n", "            pass\n"),
    Lie("a row that others refer to can be deleted", "alone", TRANSACTION,
        "            self._check_unreferred(reference, key)\n", "            pass\n"),
    # What is asked in Python
    Lie("columns are read as rows hold them", "alone", SEARCHING,
        "if column.guard.decode is not None:", "if False:"),
    Lie("a limit is ignored", "alone", SEARCHING,
        "        end = None if asked.limit is None else asked.offset + asked.limit\n", "        end = None\n"),
    Lie("an offset is ignored", "alone", SEARCHING, "return found[asked.offset : end]", "return found[:end]"),
    Lie("a descending order ascends", "alone", RULES, "reverse={descending})", "reverse=False)"),
    Lie("NULLs come first where they should be last", "alone", RULES,
        "none_is_last = key.nulls_first == key.descending", "none_is_last = key.nulls_first != key.descending"),
    Lie("a rule asks the children of everybody", "alone", SEARCHING,
        "        found = session.transaction.referring(children.reference, entity.table.key(owner))\n",
        "        found = session.transaction.scan(session.store.tables[children.entity.table.name])\n"),
    Lie("a stream outlives its transaction", "alone", SESSION,
        "        self.written.clear()\n        self.renewed = True\n        self.end_streams()\n",
        "        self.written.clear()\n        self.renewed = True\n"),
    Lie("what a stream gives belongs to the unit", "alone", SESSION,
        "set_owner(instance, NOBODY)\n", "set_owner(instance, self)\n"),
    # Subclasses, and members joined to members
    Lie("a repository of a subclass finds its siblings", "alone", SESSION,
        "        if not entity.covers(actual):\n            return None\n        row = base_row\n", "        row = base_row\n"),
    Lie("links are not stored", "alone", FLUSH,
        "                    self.transaction.insert(self.tables[table.name], key, row)\n\n    def _part",
        "                    pass\n\n    def _part"),
    Lie("links stay where members are parted", "alone", FLUSH,
        "                self._unlink(links, instance, member)\n", "                pass\n"),
    Lie("links outlive their holder", "alone", FLUSH,
        "                        self._unlink(links, known.instance, member)\n", "                        pass\n"),
    # When the power goes
    Lie("a crash keeps what was not committed", "alone", TRANSACTION,
        "        self.end()\n        self.crashed = True\n", "        self.crashed = True\n"),
    Lie("nobody hears of a crash", "alone", TRANSACTION,
        "        if self.crashed:\n            self.lost()\n", "        if False:\n            self.lost()\n"),
    Lie("a unit goes on after a crash", "alone", TRANSACTION, "            self.lost()\n", ""),
    # Units that work together
    Lie("lost updates", "together", TRANSACTION,
        "        if table.stamps.get(key, 0) > snapshot:  #", "        if False:  #"),
    Lie("a deletion does not look whether the row has changed", "together", TRANSACTION,
        "        self.require_writing()\n        self._claim_row(table, key)\n", "        self.require_writing()\n"),
    Lie("the snapshot moves", "together", TRANSACTION,
        "self.begin() if self.snapshot is None else self.snapshot)", "self.store.begin(self))"),
    Lie("the snapshot is taken when the unit begins", "together", SESSION,
        "        self.transaction = Transaction(store, self.fail, reading=reading)\n",
        "        self.transaction = Transaction(store, self.fail, reading=reading)\n        self.transaction.begin()\n"),
    Lie("the snapshot is taken by a savepoint", "together", TRANSACTION,
        "        self.require_alive()\n        return Savepoint(self)\n",
        "        self.begin()\n        return Savepoint(self)\n"),
    Lie("old versions of rows are not kept", "together", STORE,
        "            self._publish(overlays, time, keep=others)\n        except", "            self._publish(overlays, time, keep=False)\n"
        "        except"),
    Lie("old versions of rows are forgotten too early", "together", TABLES,
        "while len(versions) > 1 and versions[1][0] <= oldest:", "while len(versions) > 1:"),
    Lie("what is not committed is seen by others", "together", TRANSACTION,
        "        overlay.put(key, row)\n\n",
        "        overlay.put(key, row)\n"
        "        if row is not None: self.store.tables[overlay.plan.name].put(key, row)\n\n"),
    Lie("rows are not locked", "together", TRANSACTION,
        "        if where.setdefault(which, self) is not self:\n", "        where[which] = self\n        if False:\n"),
    Lie("locks are never released", "together", TRANSACTION,
        "        if self._held:\n            self._release()\n", ""),
    Lie("a savepoint keeps its locks", "together", TRANSACTION,
        "            transaction._release(self._locks)\n", ""),
    Lie("unique looks into the snapshot only", "together", TRANSACTION,
        "                if other == key or (overlay is not None and other in overlay.rows):\n",
        "                if other == key or self.view(table, other) is None:\n"),
    Lie("keys look into the snapshot only", "together", TRANSACTION,
        "        if self._newest(table, key) is not None:\n            raise violation",
        "        if self.view(table, key) is not None:\n            raise violation"),
    Lie("unique values of others that are not committed are free", "together", TRANSACTION,
        "            self._lock(table.claims, (number, value))\n", "            pass\n"),
    Lie("a duplicate of a value that is being given up is final", "together", TRANSACTION,
        "                self._require_unlocked(table.locks, other)  #", "                pass  #"),
    Lie("a key that is being deleted is a Duplicate", "together", TRANSACTION,
        "        self._require_unlocked(table.locks, key)\n        if key", "        if key"),
    Lie("references look at the newest rows", "together", TRANSACTION,
        "            if (seen := self.view(targets, target)) is None:\n",
        "            if (seen := self._newest(targets, target)) is None:\n"),
    Lie("a reference to a row that is being deleted is fine", "together", TRANSACTION,
        "            if owner is not self and _is_known", "            if False and _is_known"),
    Lie("a reference to a row that others have deleted is fine", "together", TRANSACTION,
        "            if _is_known_otherwise(targets.plan, seen, self._newest", "            if False and _is_known_otherwise(targets.plan, seen, self._newest"),
    Lie("a row can be deleted while others refer to it anew", "together", TRANSACTION,
        "            self._share(targets, target)\n", "            pass\n"),
    Lie("new children lock their owner", "together", TRANSACTION,
        "            self._share(targets, target)\n",
        "            self._share(targets, target); self._lock(targets.locks, target)\n"),
]  # fmt: skip
