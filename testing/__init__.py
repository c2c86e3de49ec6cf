"""Proofs for users: that the fakes tell the truth, and that a program survives its races and failures."""

# Nothing is imported here: to find planted lies, the proof has to start before the stores are imported.
