"""The table, for the terminal and for the documentation, and its picture."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import sqlalchemy

from benchmarks.bars import Measured, spelled

__all__ = ["HEADINGS", "cells", "conclusion", "line", "markdown", "svg"]

HEADINGS = ("case", "this project", "peer", "ratio", "bar", "ok", "beside it")
WHY = "README.md#where-a-bar-falls-short"
WIDTHS = (80, 15, 46, 8, 9, 5, 0)


def cells(row: Measured) -> tuple[str, ...]:
    """Return the texts of a row of the table."""
    bar, figure = row.bar, row.figure
    ok = {True: "ok", False: "SHORT", None: "–"}[row.ok]
    if figure is None:
        return (bar.case, "", bar.peer, "", bar.spelled, ok, row.missing)
    value = spelled(figure.value, bar.unit) if bar.peer else ""
    return (bar.case, figure.ours, f"{bar.peer} {figure.peer}".strip(), value, bar.spelled, ok, figure.beside)


def line(texts: Sequence[str]) -> str:
    """Return a row of the table for the terminal."""
    return "  ".join(text.ljust(width) for text, width in zip(texts, WIDTHS, strict=True)).rstrip()


def conclusion(rows: Sequence[Measured]) -> tuple[str, bool]:
    """Return the last line, and whether no bar falls short. Bars that this machine cannot judge do not count."""
    judged = [row for row in rows if row.ok is not None]
    short = [row for row in judged if not row.ok]
    if short:
        return f"bench: {len(short)} of {len(judged)} bars fall short", False
    return f"bench ok: {len(judged)} bars hold", True


def markdown(rows: Sequence[Measured]) -> str:
    """Return the table for the documentation."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    made = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {platform.python_implementation()} {platform.python_version()},"
        f" SQLAlchemy {sqlalchemy.__version__}, {os.cpu_count()} cores, load average {load:.1f}."
        " [How to read it](README.md)."
    )
    table = [HEADINGS, ("---",) * len(HEADINGS), *(cells(row) for row in rows)]
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |" for texts in table]
    lines = [text.replace("| SHORT |", f"| SHORT, [why]({WHY}) |") for text in lines]
    return "\n".join(["# The table", "", made, "", *lines, "", conclusion(rows)[0], ""])


# The picture: a bar for each ratio, a notch at its limit, and a line at 1, where the peer is.

ROW, LEFT, SCALE, TOP, RIGHT = 24, 400, 300, 56, 70
LONGEST = 1.5  # where a bar is cut off
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .quiet { fill: #59636e }
  .holds { fill: #2f7d4f }
  .short { fill: #c0392b }
  .peer { stroke: #59636e; stroke-dasharray: 3 3 }
  .notch { stroke: #1f2328; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .holds { fill: #57ab7a }
    .short { fill: #e5705f }
    .peer { stroke: #9198a1 }
    .notch { stroke: #e6edf3 }
  }
"""


def svg(rows: Sequence[Measured]) -> str:
    """Return the ratios as a picture, readable in light and dark mode."""
    drawn = [(row, row.figure) for row in rows if row.figure is not None and _is_drawn(row)]
    height, width, one = TOP + ROW * len(drawn) + 16, LEFT + int(SCALE * LONGEST) + RIGHT, LEFT + SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-label="What each row takes, as a ratio to its peer">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="20">What each row takes, as a ratio to its peer</text>',
        f'<text class="quiet" x="{LEFT}" y="42">shorter is better; the notch is the bar</text>',
        f'<line class="peer" x1="{one}" x2="{one}" y1="{TOP - 8}" y2="{height - 8}"/>',
    ]
    for number, (row, figure) in enumerate(drawn):
        y = TOP + ROW * number
        length, notch = (SCALE * max(0.0, min(value, LONGEST)) for value in (figure.value, row.bar.limit or 0.0))
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(row.bar.case)}</text>',
            f'<rect class="{"holds" if row.ok else "short"}" x="{LEFT}" y="{y + 2}" width="{length:.0f}" height="14"/>',
            f'<line class="notch" x1="{LEFT + notch:.0f}" x2="{LEFT + notch:.0f}" y1="{y - 1}" y2="{y + 19}"/>',
            f'<text x="{LEFT + max(length, notch) + 8:.0f}" y="{y + 13}">{figure.value:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _is_drawn(row: Measured) -> bool:
    bar = row.bar
    return bar.unit == "×" and not bar.at_least and bar.limit is not None and bar.limit <= LONGEST
