"""Proofs for users: that the fakes tell the truth, and that a program survives its races and failures."""
