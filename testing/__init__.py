"""Proofs for users: that the fakes tell the truth, and that a program survives its races and failures."""

from .rules import check_rules as check_rules
