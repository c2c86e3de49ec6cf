"""Where honestwork is meant to differ from the ORM, each with its reason. All else that differs is a mistake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from honestwork.domain import errors
from honestwork.testing.lockstep import asking, canned, steps

__all__ = ["BETTER", "COMPARED", "EITHER", "HELPED", "LEFT_OUT", "OF_READS", "OURS_ALONE", "kept"]

# The errors that the ORM and its database know as well: they come at the same line, and are of the same kind.
COMPARED = (
    errors.Duplicate,
    errors.MissingValue,
    errors.ReferenceViolated,
    errors.CheckFailed,
    errors.Conflict,
)

# The errors of rules that only honestwork has. The ORM is not asked about a line that raises one: it would go on.
OURS_ALONE: dict[type[Exception], str] = {
    errors.BadValue: "values that the database would change or refuse are refused by their class; the ORM sends them",
    errors.KeyChanged: "keys never change; the ORM updates the key, and only sometimes the rows that refer to it",
    errors.ForeignObject: "an object belongs to one unit; the ORM takes a detached one into the next session",
    errors.AlreadyRemoved: "a removed object never comes back; the ORM refuses some of these, in words of its own",
    errors.NotInUnit: "only what the unit has can be removed; the ORM calls it an InvalidRequestError",
    errors.UnitFailed: "nothing but a rollback follows an error; the ORM says PendingRollbackError, and not always",
    errors.UnitNested: "commit and rollback inside of a block would end what is around it, which the ORM does",
    errors.UnitClosed: "there is no session outside of the block",
}

# Errors of a read that has flushed: the ORM's read does that, too, and raises nothing.
OF_READS: dict[type[Exception], str] = {
    errors.NotFound: "what is missing is an error of `repository[key]` and `one()`",
    errors.MultipleFound: "more than one is an error of `one()`",
}

# What `plain_orm.py` and `oracle.py` do for the ORM, as those who know it would, or keep from it.
HELPED = {
    "the version of a root rises with its members": "any change in an aggregate raises it; the ORM's is the row's own",
    "what a savepoint has expired is loaded at once": "an equal value is no change, but to the ORM once it is expired",
    "reads flush": "every read of ours flushes first; the ORM's `get` does not, where it knows the object",
    "objects stay readable after a commit": "`expire_on_commit=False`; ours keep what they have, and their order",
    "what a transaction reads is up to date": "its collections are in their order; the ORM keeps what it had",
    "objects stay readable after their unit": "they are loaded again before it ends; a rollback has expired the ORM's",
    "a rollback begins a fresh session": "after a FlushError the ORM keeps objects that it has not stored",
    "foreign keys are relationships": "the ORM orders tables by relationships alone; ours by foreign keys",
    "a new object says all its columns": "one that takes over a row is new to us; the ORM keeps what it does not say",
    "a key is taken over after a flush": "the same: `add()` of ours flushes the removal of the object that had the key",
    "a removed object is removed once": "the ORM would delete the row that has been given its key since",
    "new members of a removed owner are expunged": "they go with it; the ORM inserts them without an owner",
    "members come back with their owner": "adding a removed object again is for all of it; the ORM deletes its members",
    "the collections of removed objects are left alone": "what is put there goes with the owner, as above",
    "two new objects never share a key": "a Duplicate of ours; in the row of a removed one the ORM stores the second",
    "two members are joined once": "a link that is there twice is stored once; the ORM inserts it twice",
    "of several errors each side may name another": "if what ours names is really broken, which `claims.py` finds out",
}

# Kinds of errors that the ORM raises where our flush finds an order of writing in which nothing is broken.
BETTER: dict[str, str] = {
    "Duplicate": "a unique value is handed on within one flush: whoever gives it up is written first",
    "ReferenceViolated": "rows of one table that refer to each other are inserted parents first, and deleted last",
}

# Kinds of errors, ours and the ORM's, of which both are right.
EITHER: dict[tuple[str, str], str] = {
    ("ReferenceViolated", "MissingValue"): "a member that no owner has any more, and that is linked, is not written, so"
    " that the link is broken; the ORM writes it without its owner",
}

# What the ORM is not asked to play.
LEFT_OUT: dict[type[steps.Step], str] = {
    asking.Ask: "a rule is a function, which the ORM does not know; rules have a proof of their own",
    asking.Turn: "pages are asked for by rules",
    asking.Drain: "streams are asked for by rules",
    asking.RemoveWhere: "it removes what a rule finds",
    canned.Spoil: "it changes JSON in place, which the ORM does not notice without `Mutable`",
    steps.Poke: "it changes JSON in place, which the ORM does not notice without `Mutable`",
    steps.Scramble: "it changes JSON in place, after the unit",
    steps.Crash: "the ORM is asked about a flush, and not about what a server does when the power goes",
    steps.Enter: "only reading units are entered by a step of their own, and the ORM has none",
    steps.Foreign: "objects of other units are refused, which the ORM takes",
    steps.Misuse: "what no program should do is refused by rules that the ORM does not have",
}


def kept(program: Iterable[Any]) -> list[Any]:
    """A program without what the ORM is not asked to play."""
    return [_thinned(step) for step in program if not _is_left_out(step)]


def _is_left_out(step: steps.Step) -> bool:
    match step:
        case steps.AddAgain(undone=True):
            return True  # what a flush has given to a new object is taken back with it; the ORM leaves it there
        case asking.AddMany(known=int()):
            return True  # the ORM refuses none; with us, those before the one that is refused have been added
        case steps.Collect(how="exchange"):
            return True  # in `a[0], a[1] = a[1], a[0]` the ORM hears that each of them goes, and forgets a new one
    return type(step) in LEFT_OUT


def _thinned(step: steps.Step) -> steps.Step:
    match step:
        case steps.Rearrange():
            return replace(step, changes=tuple(kept(step.changes)))
        case canned.Regret():
            return replace(step, inside=tuple(kept(step.inside)), after=tuple(kept(step.after)))
    return step
