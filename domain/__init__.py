"""What a domain needs to speak of storage without knowing any: collections of aggregates, and errors."""

from .errors import (
    AlreadyRemoved as AlreadyRemoved,
    BackendError as BackendError,
    BadValue as BadValue,
    CheckFailed as CheckFailed,
    CommitOutcomeUnknown as CommitOutcomeUnknown,
    Conflict as Conflict,
    ConstraintViolated as ConstraintViolated,
    Duplicate as Duplicate,
    ForeignObject as ForeignObject,
    HonestworkError as HonestworkError,
    KeyChanged as KeyChanged,
    LockTimeout as LockTimeout,
    MappingRefused as MappingRefused,
    MissingValue as MissingValue,
    Misuse as Misuse,
    MultipleFound as MultipleFound,
    NotFound as NotFound,
    NotInUnit as NotInUnit,
    ReadOnlyDatabase as ReadOnlyDatabase,
    ReferenceViolated as ReferenceViolated,
    RuleRefused as RuleRefused,
    StatementTimeout as StatementTimeout,
    TooLarge as TooLarge,
    Unavailable as Unavailable,
    UnitClosed as UnitClosed,
    UnitFailed as UnitFailed,
    UnitInUse as UnitInUse,
    UnitNested as UnitNested,
    UnitReadOnly as UnitReadOnly,
    UnreadableRow as UnreadableRow,
    WrongProcess as WrongProcess,
)
from .order import asc as asc, desc as desc, nulls_first as nulls_first, nulls_last as nulls_last
from .page import Page as Page
from .repository import Repository as Repository
from .rule import Rule as Rule, all_of as all_of, any_of as any_of, negate as negate, rule as rule
