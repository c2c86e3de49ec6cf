"""What your own tests call, each for your own mapping.

`assert_truthful` plays random programs on the fake and on a database, and `replay` plays one of them again.
`assert_twins_agree` does the same for a query that is written twice. `RepositoryContract` holds the tests that
every repository passes. `check_rules` traces all rules of a module. `postgres_database` and `mariadb_database` make
a database for as long as a block lasts, on a server that is found, and `throw_away_postgres` makes the server.

This is the only door: the modules behind it may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported when asked for: check_rules needs no Hypothesis, and only the databases of PostgreSQL need its driver.
if TYPE_CHECKING:
    from .conformance import RepositoryContract
    from .databases import Missing, Unwanted, mariadb_database, postgres_database
    from .lockstep.truthful import assert_truthful, replay
    from .postgres_server import find_binaries, throw_away_postgres
    from .rules import check_rules
    from .twins import assert_twins_agree
else:
    _LATE = {
        "Missing": ".databases",
        "RepositoryContract": ".conformance",
        "Unwanted": ".databases",
        "assert_truthful": ".lockstep.truthful",
        "assert_twins_agree": ".twins",
        "check_rules": ".rules",
        "find_binaries": ".postgres_server",
        "mariadb_database": ".databases",
        "postgres_database": ".databases",
        "replay": ".lockstep.truthful",
        "throw_away_postgres": ".postgres_server",
    }

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_LATE[name], __name__), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATE})


__all__ = [
    "Missing",
    "RepositoryContract",
    "Unwanted",
    "assert_truthful",
    "assert_twins_agree",
    "check_rules",
    "find_binaries",
    "mariadb_database",
    "postgres_database",
    "replay",
    "throw_away_postgres",
]
