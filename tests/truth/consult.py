"""Plays random programs on a store and on the ORM until they differ, or until there were enough of them.

    python -m tests.truth.consult sqlite:///proof.db --programs 500

With a lie planted, finding a difference is a success: that is for the caller to judge.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence

from .lies import LIES
from .planting import plant


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.truth.consult")
    parser.add_argument("database", help="the URL of the store's database, or `memory`")
    parser.add_argument("--oracle", default="sqlite://", help="the URL of the ORM's own database")
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--lie", type=int)
    parser.add_argument("--no-shrink", action="store_true")
    given = parser.parse_args(arguments)
    if given.lie is not None:
        plant(LIES[given.lie])
    from .oracle import consult  # imported late, for a lie has to be planted before

    warnings.simplefilter("ignore")  # Hypothesis finds the strategies large
    found = consult(
        given.database, programs=given.programs, first=given.first, shrink=not given.no_shrink, oracle=given.oracle
    )
    print(json.dumps(found))
    return 1 if found["difference"] else 0


if __name__ == "__main__":
    sys.exit(main())
