"""The arithmetic of the benchmarks, and that they run. No test here depends on how long anything takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as program
from benchmarks.bars import Absent, Bar, Bench, Figure, Measured, holds, spelled
from benchmarks.harness import REFERENCE, Case, Timings, measure, paired_difference, paired_ratio, slope
from benchmarks.report import HEADINGS, cells, conclusion, markdown, svg


def a_bar(limit: float = 0.80, *, at_least: bool = False, measured: Callable[[Bench], Figure] | None = None) -> Bar:
    return Bar("get by key", "hand-written ORM", limit, "×", at_least, measured or (lambda bench: Figure(1.0)))


def test_ratios_are_paired_round_by_round() -> None:
    # The machine was ten times slower in the second round, for both.
    assert paired_ratio([1.0, 10.0, 3.0], [2.0, 20.0, 4.0]) == 0.5


def test_differences_are_paired_round_by_round() -> None:
    assert paired_difference([3.0, 30.0, 5.0], [2.0, 20.0, 4.0]) == 1.0


def test_the_slope_is_what_one_more_costs() -> None:
    assert slope([1, 2, 4], [5.0, 7.0, 11.0]) == pytest.approx(2.0)


def test_an_absolute_figure_is_told_for_the_reference_machine() -> None:
    twice_as_fast = Timings(cpu={"ours": [5e-6] * 3, "bare": [3e-6] * 3, "calibration": [REFERENCE / 2] * 3})

    assert twice_as_fast.calibrated("ours") == pytest.approx(10e-6)
    assert twice_as_fast.calibrated_difference("ours", "bare") == pytest.approx(4e-6)


def test_each_call_is_prepared() -> None:
    prepared: list[int] = []
    case = Case(lambda: prepared.pop(), lambda count: prepared.extend(range(count)))

    timings = measure({"case": case}, rounds=3)

    assert (prepared, len(timings.cpu["case"]), len(timings.wall["case"])) == ([], 3, 3)


def test_without_a_batch_a_turn_is_one_call() -> None:
    calls: list[str] = []

    measure({"a": Case(lambda: calls.append("a")), "b": Case(lambda: calls.append("b"))}, rounds=2, batch=None)

    assert sorted(calls) == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("limit", "at_least", "value", "held"),
    [
        (0.80, False, 0.84, True),
        (0.80, False, 0.85, False),
        (60.0, True, 57.2, True),
        (60.0, True, 57.0, False),
        (0.0, False, 0.0, True),
        (0.0, False, 1.0, False),
    ],
)
def test_a_bar_holds_within_five_percent(limit: float, at_least: bool, value: float, held: bool) -> None:
    assert holds(a_bar(limit, at_least=at_least), value) is held


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8, "×", "0.80"),
        (60, "×", "60"),
        (12.42, "×", "12.42"),
        (15, "µs", "15 µs"),
        (14.96, "µs", "15 µs"),
        (1500.4, "µs", "1500 µs"),
        (0, "", "0"),
        (0.1, "", "0.10"),
    ],
)
def test_figures_are_spelled(value: float, unit: str, text: str) -> None:
    assert spelled(value, unit) == text


def test_what_this_machine_cannot_judge_is_neither_held_nor_short() -> None:
    def absent(bench: Bench) -> Figure:
        raise Absent("no PostgreSQL")

    rows = program.run([a_bar(measured=absent), a_bar(0.5), a_bar(2.0)], quick=True)

    assert [row.ok for row in rows] == [None, False, True]
    assert conclusion(rows) == ("bench: 1 of 2 bars fall short", False)
    assert conclusion([rows[0], rows[2]]) == ("bench ok: 1 bars hold", True)


def test_a_row_without_a_bar_is_neither_held_nor_short_and_is_not_drawn() -> None:
    told = Bar("commit with FULL", "with NORMAL", None, "×", False, lambda bench: Figure(8.0, "300 µs", "40 µs"))

    rows = program.run([told, a_bar(2.0)], quick=True)

    assert cells(rows[0]) == ("commit with FULL", "300 µs", "with NORMAL 40 µs", "8.00", "–", "–", "")
    assert conclusion(rows) == ("bench ok: 1 bars hold", True)
    assert "commit with FULL" not in svg(rows)


def test_the_table_and_the_picture_show_every_row() -> None:
    held = Measured(a_bar(), Figure(0.7, "7 µs", "10 µs"), ok=True)
    missing = Measured(a_bar(), None, "no PostgreSQL")

    assert cells(held) == ("get by key", "7 µs", "hand-written ORM 10 µs", "0.70", "≤ 0.80", "ok", "")
    assert cells(missing) == ("get by key", "", "hand-written ORM", "", "≤ 0.80", "–", "no PostgreSQL")
    assert f"| {' | '.join(cells(held))} |" in markdown([held, missing])
    assert f"| {' | '.join(HEADINGS)} |" in markdown([held, missing])
    assert len(list(ElementTree.fromstring(svg([held, missing])).iter("{http://www.w3.org/2000/svg}rect"))) == 1


def test_a_quick_run_prints_its_rows_and_leaves_the_documentation_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "DOCUMENTS", tmp_path / "documents")

    status = program.main(["--quick", "--only", "bytes of a committed row"])

    heading, row, last = capsys.readouterr().out.splitlines()
    assert heading.startswith("case")
    assert row.startswith("memory: bytes of a committed row")
    assert (status, last) in [(0, "bench ok: 1 bars hold"), (1, "bench: 1 of 1 bars fall short")]
    assert not (tmp_path / "documents").exists()


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["--only", "no such row"])

    assert "--list names them" in capsys.readouterr().err
