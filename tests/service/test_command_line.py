"""The command line of the directory: as a program of its own, and called within this one."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.users.cli import main

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "examples.users"]

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program runs, and where it keeps users.db unless it is told otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Calls the program within this process: (exit status, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def john(run: Run) -> str:
    """The id of John Doe, 30, in users.db."""
    _, printed, _ = run("add", "John Doe", "30")
    return printed.split()[-1]


def rows() -> list[tuple[object, ...]]:
    """What is in users.db, in plain SQL."""
    connection = sqlite3.connect("users.db")
    found = connection.execute("SELECT id, name, age FROM users ORDER BY id").fetchall()
    connection.close()
    return found


def test_who_is_added_is_in_the_database(run: Run) -> None:
    assert run("add", "John Doe", "30") == (0, "John Doe has the id 1\n", "")
    assert rows() == [(1, "John Doe", 30)]


def test_the_database_can_be_chosen(run: Run) -> None:
    assert run("--database", "sqlite:///others.db", "add", "John Doe", "30")[0] == 0
    assert run("list", "--database", "sqlite:///others.db")[1] == "     1  John Doe, 30\n"
    assert run("list") == (0, "", "")


def test_what_can_be_done_with_a_user(run: Run, john: str) -> None:
    assert run("rename", john, "John Roe") == (0, "1 is called John Roe\n", "")
    assert run("set-age", john, "40") == (0, "1 is 40\n", "")
    assert run("birthday", john) == (0, "1 is 41 now\n", "")
    assert run("show", john) == (0, "John Roe, 41\n", "")
    assert rows() == [(1, "John Roe", 41)]
    assert run("remove", john) == (0, "1 is removed\n", "")
    assert rows() == []


def test_a_listing_can_ask_for_an_age(run: Run, john: str) -> None:
    run("add", "Mary Major", "17")

    assert run("list") == (0, "     1  John Doe, 30\n     2  Mary Major, 17\n", "")
    assert run("list", "--min-age", "18") == (0, "     1  John Doe, 30\n", "")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["show", "99"], "there is no user with the id 99"),
        (["rename", "99", "Nobody"], "there is no user with the id 99"),
        (["set-age", "-1", "3"], "there is no user with the id -1"),
        (["birthday", "0"], "there is no user with the id 0"),
        (["remove", str(2**31)], "users.id: expected an int from"),
        (["remove", str(2**63)], "users.id: expected an int from"),
        (["add", "", "30"], "a user needs a name"),
        (["add", "   ", "30"], "a user needs a name"),
        (["add", "John\nDoe", "30"], "a name is one line of text"),
        (["add", "x" * 81, "30"], "expected at most 80 characters, got 81"),
        (["add", "John Doe", "-1"], "it cannot be -1"),
        (["add", "John Doe", str(2**31)], "users.age: expected an int from"),
        (["rename", "1", ""], "a user needs a name"),
        (["set-age", "1", "-1"], "it cannot be -1"),
    ],
)
def test_what_the_directory_does_not_allow_is_one_line_and_changes_nothing(
    words: list[str], complaint: str, run: Run, john: str
) -> None:
    status, printed, complained = run(*words)

    assert (status, printed) == (1, "")
    assert complaint in complained
    assert complained.startswith("users: ")
    assert complained.count("\n") == 1
    assert rows() == [(1, "John Doe", 30)]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["add"],
        ["add", "John Doe"],
        ["add", "John Doe", "thirty"],
        ["add", "John Doe", "30.5"],
        ["add", "John Doe", "9" * 5000],
        ["show", "1", "2"],
        ["show", "one"],
        ["list", "--min-age", ""],
        ["list", "--database"],
    ],
)
def test_a_misspelled_command_is_one_line_and_changes_nothing(words: list[str], run: Run, john: str) -> None:
    status, printed, complained = run(*words)

    assert (status, printed) == (2, "")
    assert complained.startswith("python -m examples.users")
    assert complained.count("\n") == 1
    assert len(complained) < 300
    assert rows() == [(1, "John Doe", 30)]


@pytest.mark.parametrize(
    ("database", "complaint"),
    [
        ("", "no database URL"),
        ("users.db", "no database URL"),
        ("nosuch://host/name", "not supported"),
        ("sqlite+nosuch:///users.db", "no driver that is known here"),
        ("oracle://host/name", "not supported"),
        ("postgresql://127.0.0.1:port/name", "no database URL"),
        ("sqlite://users.db", "no database URL"),
        ("postgresql://127.0.0.1:1/name", "cannot be reached"),
        ("mariadb+pymysql://127.0.0.1:1/name", "cannot be reached"),
        ("mariadb://127.0.0.1:1/name", "cannot be reached"),
        ("sqlite:///missing/folder/users.db", "the database refused"),
        ("sqlite:///text.db", "file is not a database"),
        ("sqlite:///folder.db", "the database refused"),
        ("sqlite:///file:users.db?mode=ro&uri=true", "read-only"),
        ("sqlite:///other_table.db", "the database refused"),
    ],
)
@pytest.mark.parametrize("words", [["add", "Mary Major", "17"], ["demo"]], ids=["add", "demo"])
def test_trouble_with_the_database_is_one_line_and_changes_nothing(
    database: str, complaint: str, words: list[str], run: Run, john: str, folder: Path
) -> None:
    (folder / "text.db").write_text("This is not a database, and long enough to be none. " * 100)
    (folder / "folder.db").mkdir()
    connection = sqlite3.connect("other_table.db")
    connection.execute("CREATE TABLE users (nickname)")
    connection.close()

    status, printed, complained = run(*words, "--database", database)

    assert status == 1
    assert not printed or words == ["demo"]
    assert complaint in complained
    assert complained.count("\n") == 1
    assert rows() == [(1, "John Doe", 30)]


def test_the_demo_walks_through_every_operation_and_leaves_nothing_behind(run: Run, folder: Path) -> None:
    status, printed, complained = run("demo")

    assert (status, complained) == (0, "")
    steps = [line.split("  ")[0] for line in printed.splitlines() if not line.startswith(" ")]
    assert steps == [
        *("Connect", "Add", "By key", "All", "Filtered", "Update", "Roll back", "Forget", "Refused", "Delete", "Close")
    ]
    assert "age = 31, and commit: John Doe, 31 is in the database." in printed
    assert "rollback(): John Doe, 31 again." in printed
    assert list(folder.iterdir()) == []


def test_the_demo_leaves_the_users_of_a_database_that_is_named(run: Run, john: str) -> None:
    assert run("--database", "sqlite:///users.db", "demo")[0] == 0
    assert rows() == [(1, "John Doe", 30)]


@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_the_demo_runs_on_a_server(database: str, run: Run, request: pytest.FixtureRequest) -> None:
    status, printed, complained = run("demo", "--database", request.getfixturevalue(database))

    assert (status, complained) == (0, "")
    assert "Left: Mary Major, 17." in printed


def test_the_demo_does_not_show_a_password(run: Run, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres_url").replace("postgres@", "postgres:secret@")

    _, printed, complained = run("demo", "--database", url)

    assert "secret" not in printed + complained


def program(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *words], text=True, capture_output=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def test_the_program_runs_from_a_shell(john: str) -> None:
    done = program("list")

    assert (done.returncode, done.stdout, done.stderr) == (0, "     1  John Doe, 30\n", "")


def test_the_program_tells_a_shell_what_failed() -> None:
    done = program("show", "99")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "users: there is no user with the id 99\n")


def test_the_program_explains_itself() -> None:
    done = program("--help")

    assert done.returncode == 0
    assert all(command in done.stdout for command in ("add", "rename", "set-age", "birthday", "list", "demo"))


def test_echo_shows_the_sql_beside_the_output() -> None:
    done = program("add", "John Doe", "30", "--echo")

    assert done.stdout == "John Doe has the id 1\n"
    assert "INSERT INTO users (name, age) VALUES (?, ?)" in done.stderr


def test_a_terminal_that_knows_few_letters_is_no_reason_to_fail() -> None:
    done = program("add", "Zoë", "30", env={**os.environ, "PYTHONIOENCODING": "ascii"})

    assert (done.returncode, done.stdout, done.stderr) == (0, "Zo\\xeb has the id 1\n", "")


def test_a_name_that_is_no_text_is_one_line() -> None:
    done = subprocess.run([*map(str.encode, PROGRAM), b"add", b"\xff", b"30"], capture_output=True, timeout=60)

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"expected text without NUL characters and lone surrogates" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are different there")
def test_a_reader_that_stops_reading_is_no_trouble(john: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run([*PROGRAM, "list"], stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)

    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this machine has no /dev/full")
def test_a_full_disk_is_one_line(john: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stderr == "users: cannot go on: [Errno 28] No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send there")
def test_ctrl_c_ends_the_program_without_a_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/name"
        # Where the tests run in the background, SIGINT is ignored, and a child would inherit that.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        waiting = subprocess.Popen(
            [*PROGRAM, "list", "--database", database], stderr=subprocess.PIPE, preexec_fn=heeding
        )
        silent.settimeout(60)
        with silent.accept()[0]:
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=60)

    assert (waiting.returncode, said) == (130, b"")
