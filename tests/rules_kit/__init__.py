"""The domain, the mapping and the generated rules that the tests of rules share."""

from . import tables as tables  # the classes are mapped before any test makes an object of them
