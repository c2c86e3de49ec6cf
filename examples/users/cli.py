"""The command line: from words to services, and from what they answer to words again.

It ends with 0 when the command is done, with 2 when it is misspelled, and with 1 when the directory or its
database does not allow it; there is one line on stderr then, and nothing has changed.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import reprlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from honestwork.adapters import Container
from honestwork.domain import HonestworkError, NotFound

from .demo import walk_through
from .domain.user import InvalidUser
from .service_layer import services
from .wiring import connected

DATABASE = "sqlite:///users.db"

Command = Callable[[argparse.Namespace, Container], None]


def main(words: Sequence[str] | None = None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows few letters is no reason to fail
    given = _parser().parse_args(words)
    if given.echo:
        _show_sql()
    try:
        with _database_of(given) as database, connected(database) as container:
            given.run(given, container)
        print(end="", flush=True)
    except NotFound as error:
        return _complain(f"there is no user with the id {given.id}" if "id" in given else str(error))
    except (InvalidUser, HonestworkError) as error:
        return _complain(str(error))
    except OSError as error:
        # Nobody reads on (`| head`), or the disk is full. What is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if isinstance(error, BrokenPipeError) else _complain(f"cannot go on: {error}")
    return 0


def _add(given: argparse.Namespace, container: Container) -> None:
    print(f"{given.name} has the id {services.register(given.name, given.age, uow=container.uow())}")


def _rename(given: argparse.Namespace, container: Container) -> None:
    services.rename(given.id, given.name, uow=container.uow())
    print(f"{given.id} is called {given.name}")


def _set_age(given: argparse.Namespace, container: Container) -> None:
    services.set_age(given.id, given.age, uow=container.uow())
    print(f"{given.id} is {given.age}")


def _birthday(given: argparse.Namespace, container: Container) -> None:
    print(f"{given.id} is {services.birthday(given.id, uow=container.uow())} now")


def _list(given: argparse.Namespace, container: Container) -> None:
    for entry in services.list_users(min_age=given.min_age, uow=container.uow()):
        print(f"{entry.id:>6}  {entry.name}, {entry.age}")


def _show(given: argparse.Namespace, container: Container) -> None:
    entry = services.show(given.id, uow=container.uow())
    print(f"{entry.name}, {entry.age}")


def _remove(given: argparse.Namespace, container: Container) -> None:
    services.remove(given.id, uow=container.uow())
    print(f"{given.id} is removed")


def _demo(given: argparse.Namespace, container: Container) -> None:
    walk_through(container)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m examples.users", description="A directory of users.")
    _add_options(parser, database=None, echo=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Command, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        # The options may stand before the command or after it; after it, they must not undo those before.
        _add_options(added, database=argparse.SUPPRESS, echo=argparse.SUPPRESS)
        return added

    add = command("add", _add, "put a user into the directory")
    add.add_argument("name", metavar="NAME")
    add.add_argument("age", metavar="AGE", type=_number)
    rename = command("rename", _rename, "give a user another name")
    rename.add_argument("id", metavar="ID", type=_number)
    rename.add_argument("name", metavar="NAME")
    set_age = command("set-age", _set_age, "correct the age of a user")
    set_age.add_argument("id", metavar="ID", type=_number)
    set_age.add_argument("age", metavar="AGE", type=_number)
    birthday = command("birthday", _birthday, "make a user a year older")
    birthday.add_argument("id", metavar="ID", type=_number)
    listing = command("list", _list, "show all users, or those of an age")
    listing.add_argument("--min-age", metavar="AGE", type=_number, default=0, help="only who is at least so old")
    show = command("show", _show, "show one user")
    show.add_argument("id", metavar="ID", type=_number)
    remove = command("remove", _remove, "take a user out of the directory")
    remove.add_argument("id", metavar="ID", type=_number)
    command("demo", _demo, "walk through everything, on a database of its own unless one is named")
    return parser


def _add_options(parser: argparse.ArgumentParser, *, database: str | None, echo: bool | str) -> None:
    parser.add_argument("--database", metavar="URL", default=database, help=f"where the users are ({DATABASE})")
    parser.add_argument("--echo", action="store_true", default=echo, help="show the SQL")


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help tells more)\n")


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{reprlib.repr(word)} is no whole number") from None


@contextmanager
def _database_of(given: argparse.Namespace) -> Iterator[str]:
    """The database that is named, or a file: one that goes away for the demo, and one that stays for the rest."""
    if given.database is not None:
        yield given.database
    elif given.run is not _demo:
        yield DATABASE
    else:
        with tempfile.TemporaryDirectory(prefix="users-") as folder:
            yield f"sqlite:///{Path(folder, 'users.db').as_posix()}"


def _show_sql() -> None:
    # Before the engine is made, for that is when SQLAlchemy asks whether anybody listens.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logger = logging.getLogger("sqlalchemy.engine")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " " * 11 + " ".join(record.getMessage().split())


def _complain(message: str) -> int:
    print(f"users: {message}", file=sys.stderr)
    return 1
