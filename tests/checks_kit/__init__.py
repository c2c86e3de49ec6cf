"""The tables, rows and generated CHECKs that the tests of CHECKs share."""
