"""Proofs for users: that the fakes tell the truth, and that a program survives its races and failures."""

# The stores are not imported from here: to find planted lies, the proof has to start before they are.
from .rules import check_rules as check_rules
