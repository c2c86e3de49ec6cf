"""`python -m benchmarks`: measure every row of the table, and report whether all bars hold."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from benchmarks.bars import BARS, Absent, Bar, Bench, Measured, holds
from benchmarks.report import HEADINGS, cells, conclusion, line, markdown, svg

# In the order of the table. Importing a group adds its rows.
GROUPS = (
    "sql_units",
    "round_trips",
    "advanced_alchemy",
    "memory_units",
    "snapshots",
    "linear",
    "growth",
    "rules",
    "threads",
    "imports",
)

DOCUMENTS = Path(__file__).parents[1] / "docs" / "benchmarks"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", default="", help="the rows whose case or peer contains this")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see whether it runs")
    parser.add_argument("--list", action="store_true", help="name the rows and measure nothing")
    given = parser.parse_args(arguments)
    for group in GROUPS:
        import_module(f"benchmarks.{group}")
    chosen = [bar for bar in BARS if given.only.lower() in f"{bar.case} {bar.peer}".lower()]
    if not chosen:
        parser.error(f"no row's case or peer contains {given.only!r}; --list names them")
    if given.list:
        for bar in chosen:
            print(f"{bar.case}, v {bar.peer}, {bar.spelled}" if bar.peer else f"{bar.case}, {bar.spelled}")
        return 0
    rows = run(chosen, quick=given.quick)
    if not given.quick and len(chosen) == len(BARS):
        DOCUMENTS.mkdir(parents=True, exist_ok=True)
        (DOCUMENTS / "table.md").write_text(markdown(rows), "utf-8")
        (DOCUMENTS / "ratios.svg").write_text(svg(rows), "utf-8")
    if unknown := sum(row.figure is None for row in rows):
        print(f"{unknown} bars could not be judged on this machine")
    last, ok = conclusion(rows)
    print(last)
    return 0 if ok else 1


def run(chosen: list[Bar], *, quick: bool) -> list[Measured]:
    """Measure the rows, and print each one at once."""
    print(line(HEADINGS))
    rows = []
    with ExitStack() as stack:
        bench = Bench(quick=quick, stack=stack)
        for bar in chosen:
            row = judged(bar, bench)
            print(line(cells(row)), flush=True)
            rows.append(row)
    return rows


def judged(bar: Bar, bench: Bench) -> Measured:
    try:
        figure = bar.measure(bench)
    except Absent as absent:
        return Measured(bar, None, str(absent), ok=None)
    return Measured(bar, figure, ok=holds(bar, figure.value))


if __name__ == "__main__":
    sys.exit(main())
