"""Mutants that no test can see, each with the reason why.

A mutant is known by its file, by what stands there and by what the mutant says instead. Once the line has changed it is
no longer known, and has to be looked at again.
"""

from __future__ import annotations

from .mutants import Mutant
from .subjects import ROOT

__all__ = ["EXPLAINED", "reason"]

EXPLAINED: dict[tuple[str, str, str], str] = {}


def reason(mutant: Mutant) -> str | None:
    """Why nothing can tell the mutant from the code, or None where that is not known."""
    return EXPLAINED.get((str(mutant.path.relative_to(ROOT)), mutant.true, mutant.false))
