"""What a user declares: which classes are aggregates, on which tables; and the doctor that judges it."""

from .mapping import Mapping as Mapping, children as children, owner as owner, value as value
