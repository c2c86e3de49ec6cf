"""The proof of rules: every production of the grammar under and beside every other, on every store."""
