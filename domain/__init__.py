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
    MappingRefused as MappingRefused,
    MissingValue as MissingValue,
    Misuse as Misuse,
    MultipleFound as MultipleFound,
    NotFound as NotFound,
    NotInUnit as NotInUnit,
    ReferenceViolated as ReferenceViolated,
    Unavailable as Unavailable,
    UnitClosed as UnitClosed,
    UnitFailed as UnitFailed,
    UnitNested as UnitNested,
    UnitReadOnly as UnitReadOnly,
    WrongThread as WrongThread,
)
from .repository import Repository as Repository
