"""The doctor: what in a mapping cannot be served truthfully, found before anything is stored.

A database does more than can be imitated exactly: it computes defaults, runs triggers, sorts by the rules of
a language. Whatever would make the stores differ is refused here, for all stores, with every finding at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...plan.declared import mappers_of
from .classes import of_class
from .relations import of_relation
from .tables import of_names, of_table, of_tables

if TYPE_CHECKING:
    from ..mapping import Mapping

__all__ = ["findings"]


def findings(mapping: Mapping) -> list[str]:
    """A sentence for each reason to refuse the mapping; none if it is healthy."""
    found = [*of_tables(mapping), *of_names(mapping)]
    for table in mapping.metadata.tables.values():
        found += of_table(table, mapping)
    for mapper in mappers_of(mapping):
        found += of_class(mapper, mapping)
        for relation in mapper.relationships:
            found += of_relation(relation, mapping)
    return list(dict.fromkeys(found))
