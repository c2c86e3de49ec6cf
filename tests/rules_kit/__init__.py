"""The domain, the mapping and the generated rules that the tests of rules share."""
