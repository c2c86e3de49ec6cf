"""The arithmetic of the benchmarks, and that they run. No test here depends on how long anything takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import literal, select
from sqlalchemy.orm.attributes import instance_state

from benchmarks import __main__ as program
from benchmarks.bars import Absent, Bar, Bench, Figure, Measured, holds, spelled
from benchmarks.hand_written import plain_engine
from benchmarks.harness import Case, PerItem, measure, measure_per_item, paired_ratio, slope
from benchmarks.memory_units import hydrated
from benchmarks.proxy import MariadbRequests, PostgresRequests, counted
from benchmarks.raw_sqlite import FairLock, RawUnits
from benchmarks.report import HEADINGS, cells, conclusion, markdown, svg


def a_bar(limit: float = 0.80, *, at_least: bool = False, measured: Callable[[Bench], Figure] | None = None) -> Bar:
    return Bar("get by key", "hand-written ORM", limit, "×", at_least, measured or (lambda bench: Figure(1.0)))


def test_ratios_are_paired_round_by_round() -> None:
    # The machine was ten times slower in the second round, for both.
    assert paired_ratio([1.0, 10.0, 3.0], [2.0, 20.0, 4.0]) == 0.5


def test_the_slope_is_what_one_more_costs() -> None:
    assert slope([1, 2, 4], [5.0, 7.0, 11.0]) == pytest.approx(2.0)


def test_work_is_linear_if_an_item_takes_as_long_among_many_as_among_few() -> None:
    # The machine was ten times slower in the second round.
    linear = PerItem(few=[2.0, 20.0, 2.0], many=[2.0, 20.0, 2.0])
    quadratic = PerItem(few=[2.0, 20.0, 2.0], many=[200.0, 2000.0, 200.0])

    assert (linear.ratio, quadratic.ratio) == (1.0, 100.0)


def test_preparing_items_and_putting_them_away_is_not_part_of_the_timed_call() -> None:
    steps: list[str] = []

    @contextmanager
    def opened(count: int) -> Iterator[Callable[[], object]]:
        steps.append(f"prepare {count}")
        yield lambda: steps.append(f"run {count}")
        steps.append(f"put away {count}")

    timings = measure_per_item(opened, few=2, many=50, rounds=2)

    assert (len(timings.few), len(timings.many)) == (2, 2)
    assert steps[-3:] == ["prepare 50", "run 50", "put away 50"]
    assert steps.count("run 50") == 2


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
        (0.0, False, -1.0, True),
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


def postgres_message(kind: str) -> bytes:
    return kind.encode() + (4 + 3).to_bytes(4, "big") + b"abc"


POSTGRES_STARTUP = (4 + 4 + 9).to_bytes(4, "big") + bytes(4) + b"user\x00ann\x00"


@pytest.mark.parametrize(
    ("sent", "round_trips"),
    [
        ("", 0),
        ("Q", 1),
        ("PBDES", 1),
        ("BDEBDEBDEBDES", 1),
        ("BDESH", 1),
        ("BDEHBDES", 2),
        ("QQX", 2),
    ],
)
def test_a_round_trip_to_postgres_ends_with_a_message_that_the_server_answers(sent: str, round_trips: int) -> None:
    whole, in_pieces = PostgresRequests(), PostgresRequests()
    data = POSTGRES_STARTUP + b"".join(map(postgres_message, sent))

    assert whole.count(data) == round_trips
    assert sum(in_pieces.count(data[i : i + 1]) for i in range(len(data))) == round_trips


def test_a_round_trip_to_mariadb_is_a_command_and_logging_in_is_none() -> None:
    login, query, farewell = b"\x03\x00\x00\x01abc", b"\x04\x00\x00\x00\x03abc", b"\x01\x00\x00\x00\x01"
    whole, in_pieces = MariadbRequests(), MariadbRequests()
    data = login + query + query + farewell

    assert whole.count(data) == 2
    assert sum(in_pieces.count(data[i : i + 1]) for i in range(len(data))) == 2


@pytest.mark.parametrize(
    ("database", "round_trips"),
    [
        pytest.param("postgres_url", 4, id="postgres: BEGIN, two statements, COMMIT"),
        pytest.param("mariadb_url", 4, id="mariadb: two statements, COMMIT, the ROLLBACK of the pool"),
    ],
)
def test_the_proxy_counts_the_round_trips_of_a_transaction(
    database: str, round_trips: int, request: pytest.FixtureRequest
) -> None:
    with counted(request.getfixturevalue(database)) as (proxy, url):
        engine = plain_engine(url)
        engine.connect().close()  # the first connection asks the server about itself
        before = proxy.round_trips

        with engine.begin() as connection:
            assert connection.scalar(select(literal("x" * 100_000))) == "x" * 100_000
            connection.execute(select(literal(1)))

        assert proxy.round_trips - before == round_trips
        engine.dispose()


def test_the_hydrated_peer_tracks_changes_as_a_loaded_object_does() -> None:
    user = hydrated(7)
    state = instance_state(user)

    assert (user.id, user.name, state.modified, state.identity) == (7, "ann", False, (7,))
    user.name = "bee"

    assert state.modified
    assert state.committed_state == {"name": "ann"}


def test_the_fair_lock_is_taken_in_the_order_of_asking() -> None:
    lock, order = FairLock(), list[int]()

    def take(number: int) -> None:
        with lock:
            order.append(number)

    with lock:
        threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
        for number, thread in enumerate(threads):
            thread.start()
            while lock.waiting < number + 1:
                thread.join(0.001)
    for thread in threads:
        thread.join()

    assert order == [0, 1, 2, 3, 4]


def test_the_raw_units_lose_no_update(tmp_path: Path) -> None:
    raw = RawUnits(tmp_path / "raw.db", rows=3)

    def work() -> None:
        for _ in range(20):
            raw.add_one(2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert raw.total() == 80
    raw.close()
