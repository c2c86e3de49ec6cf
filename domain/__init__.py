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
    RuleRefused as RuleRefused,
    TooLarge as TooLarge,
    Unavailable as Unavailable,
    UnitClosed as UnitClosed,
    UnitFailed as UnitFailed,
    UnitInUse as UnitInUse,
    UnitNested as UnitNested,
    UnitReadOnly as UnitReadOnly,
    WrongProcess as WrongProcess,
)
from .page import Page as Page
from .repository import Repository as Repository
from .rules import (
    Rule as Rule,
    all_of as all_of,
    any_of as any_of,
    asc as asc,
    desc as desc,
    negate as negate,
    nulls_first as nulls_first,
    nulls_last as nulls_last,
    rule as rule,
)
