"""Transfers between accounts, by processes and threads, while connections are ended and processes killed.

Each process keeps a journal: a line before each attempt and one for what became of it. A line is one write to a file
that is only appended to, so that it outlives the process that is killed right after it. In the end the journals are
compared with the transfers that are stored, and the accounts with the transfers.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text

from honestwork.adapters import SqlStore
from honestwork.domain import BackendError, CommitOutcomeUnknown, Conflict, HonestworkError, Misuse, Unavailable

from .model import Account, Bank, Transfer, mapping
from .report import Report
from .stores import State, administrator, checked_out, left_behind, made, plain_engine, rows, terminate_all

__all__ = ["compare", "run"]

ACCOUNTS = 40
BALANCE = 1000
PROCESSES = 4
THREADS = 16
LOCK_TIMEOUT = 2.0
LIMIT = 20.0  # seconds: a unit waits for a few locks and one connection at most
STARTING = 30.0  # seconds which workers may take to start
CALM = 45.0  # seconds in which all workers do one more unit for each thread, and end


def run(report: Report, seconds: float, databases: dict[str, str], seed: int) -> None:
    small = seconds < 10  # only a look whether all this runs
    for name, url in databases.items():
        _storm(report, name, url, seconds / len(databases), seed, *((2, 4) if small else (PROCESSES, THREADS)))


def _storm(
    report: Report, name: str, url: str, seconds: float, seed: int, processes: int = PROCESSES, threads: int = THREADS
) -> None:
    store = _store(url)
    store.create_tables()
    with Bank(store) as uow:
        uow.accounts.add_many([Account(number, BALANCE) for number in range(ACCOUNTS)])
        uow.commit()
    store.dispose()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="honestwork") as folder:
        births = [0] * processes
        workers = [_worker(url, folder, number, 0, seed, threads) for number in range(processes)]
        start = time.monotonic()
        while time.monotonic() < start + STARTING and not all(_at_work(folder, each, 0) for each in range(processes)):
            time.sleep(0.05)
        start = time.monotonic()
        end, next_kill = start + seconds, start + max(seconds / 8, 1.0)
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.1, 0.5))
            if name != "sqlite":
                report.did(f"{name} connections ended", terminate_all(url, one=True))
            for number, worker in enumerate(workers):
                if worker.poll() is not None and worker.returncode != -signal.SIGKILL:
                    report.fault("outside", f"{name}: a worker ended by itself with {worker.returncode}")
                    births[number] += 1
                    workers[number] = _worker(url, folder, number, births[number], seed, threads)
            number = chance.randrange(processes)
            if time.monotonic() > next_kill and _at_work(folder, number, births[number]):
                next_kill = time.monotonic() + max(seconds / 8, 1.0)
                workers[number].kill()
                workers[number].wait()
                report.did(f"{name} processes killed")
                births[number] += 1
                workers[number] = _worker(url, folder, number, births[number], seed, threads)
        _calm(report, name, workers)
        if name != "sqlite":
            _count_left(report, name, url)
            terminate_all(url)
        journal = [
            line.split(" ", 1)
            for path in sorted(Path(folder).iterdir())
            for line in path.read_text().splitlines()
            if " " in line
        ]
    engine = plain_engine(url)
    compare(report, name, journal, rows(engine))
    engine.dispose()


def _store(url: str) -> SqlStore:
    return made(
        url,
        lock_timeout=LOCK_TIMEOUT,
        statement_timeout=10,
        connect_timeout=5,
        pool_size=THREADS,
        max_overflow=0,
    )


def _worker(url: str, folder: str, number: int, birth: int, seed: int, threads: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        __name__,
        url,
        f"{folder}/{number}-{birth}",
        f"{seed}{number}{birth}",
        str(threads),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _at_work(folder: str, number: int, birth: int) -> bool:
    """Has this worker started to keep its journal?"""
    return Path(folder, f"{number}-{birth}").exists()


def _calm(report: Report, name: str, workers: list[subprocess.Popen[bytes]]) -> None:
    """The storm is over: each worker does one more unit for each thread, and ends."""
    for worker in workers:
        assert worker.stdin is not None
        try:
            worker.stdin.close()
        except BrokenPipeError:
            report.fault("outside", f"{name}: a worker has ended by itself")
    end = time.monotonic() + CALM
    for worker in workers:
        try:
            if worker.wait(max(end - time.monotonic(), 0.1)):
                report.fault("outside", f"{name}: a worker ended with {worker.returncode}")
        except subprocess.TimeoutExpired:
            report.fault("stuck", f"{name}: a worker does not end")
            worker.kill()
            worker.wait()


def _count_left(report: Report, name: str, url: str) -> None:
    """The server has no connection of a process that has ended."""
    table = "pg_stat_activity WHERE datname" if name == "postgres" else "information_schema.processlist WHERE db"
    end, left = time.monotonic() + 5, 1
    with administrator(url) as connection:
        while left and time.monotonic() < end:
            time.sleep(0.1)
            left = connection.execute(
                text(f"SELECT count(*) FROM {table} = :name"), {"name": url.rpartition("/")[2].partition("?")[0]}
            ).scalar_one()
    report.fault("leaked", f"{name}: {left} connections of processes that have ended", left)


def compare(report: Report, name: str, journal: Iterable[list[str]], state: State) -> None:
    """What is stored, against what the journals say. A journal's line is a word and the name of a transfer."""
    said: dict[str, list[str]] = defaultdict(list)
    for word, what in journal:
        said[word].append(what)
    stored = {row[0]: row for row in state["transfers"]}
    for word in ("acknowledged", "conflict", "unavailable", "unknown", "refused", "undone", "read"):
        report.did(f"{name} {word}", len(said[word]))
    for word in ("stuck", "leaked", "outside", "lost"):
        for what in said[word]:
            report.fault(word, f"{name}: {what}")
    missing = [each for each in said["acknowledged"] if each not in stored]
    report.fault("unstored", f"{name}: {missing[:3]}", len(missing))
    never = {each for word in ("conflict", "unavailable", "refused", "undone") for each in said[word]}
    attempted = set(said["attempted"])
    wrong = [each for each in stored if each in never or each not in attempted]
    report.fault("uncommitted", f"{name}: {wrong[:3]}", len(wrong))
    balances = dict.fromkeys((row[0] for row in state["accounts"]), BALANCE)
    for _, source, target, amount in stored.values():
        balances[source] -= amount
        balances[target] += amount
    different = [number for number, balance in state["accounts"] if balances[number] != balance]
    report.fault("lost", f"{name}: accounts {different[:5]} are not what their transfers make them", len(different))


# What runs in a worker: `python -m tests.chaos.transfers URL JOURNAL SEED THREADS`, until its input ends.


class _Journal:
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.name = Path(path).name

    def write(self, word: str, what: str) -> None:
        os.write(self._file, f"{word} {' '.join(what.split())}\n".encode())


class _Client:
    """One thread that transfers."""

    def __init__(self, store: SqlStore, journal: _Journal, number: int, seed: str) -> None:
        self.store = store
        self.journal = journal
        self.number = number
        self.chance = random.Random(f"{seed} {number}")
        self.uow = Bank(store)
        self.count = 0

    def work(self, calm: threading.Event) -> None:
        while not calm.is_set():
            if self.chance.random() < 0.05:
                self.read()
            else:
                self.transfer()
        for _ in range(200):  # others transfer, too, so that a few conflicts are to be expected
            outcome = self.transfer(always=True)
            if outcome != "conflict":
                break
        if outcome != "acknowledged":
            self.journal.write("stuck", f"after the storm a unit ended with {outcome}")

    def transfer(self, *, always: bool = False) -> str:
        self.count += 1
        name = f"{self.journal.name}-{self.number}-{self.count}"
        source, target = self.chance.sample(range(ACCOUNTS), 2)
        amount = self.chance.randint(1, 5)
        undo = not always and self.chance.random() < 0.1
        self.journal.write("attempted", name)
        started = time.monotonic()
        detail = ""
        try:
            with self.uow as uow:
                uow.accounts[source].balance -= amount
                uow.accounts[target].balance += amount
                uow.transfers.add(Transfer(name, source, target, amount))
                if undo:
                    uow.flush()
                    outcome = "undone"
                else:
                    uow.commit()
                    outcome = "acknowledged"
        except CommitOutcomeUnknown:
            outcome = "unknown"
        except Conflict:
            outcome = "conflict"
        except Unavailable:
            outcome = "unavailable"
        except HonestworkError as error:  # a timeout may be one of these, a misuse or a riddle may not
            outcome = "refused"
            if isinstance(error, Misuse | BackendError):
                detail = f"{type(error).__name__}: {error}"
        except BaseException as error:
            outcome, detail = "refused", f"{type(error).__name__}: {error}"
        self.journal.write(outcome, name)
        if detail:
            self.journal.write("outside", detail[:300])
        if (took := time.monotonic() - started) > LIMIT:
            self.journal.write("stuck", f"a unit took {took:.1f} s and ended with {outcome}")
        return outcome

    def read(self) -> None:
        """Whoever reads sees one state of all accounts."""
        try:
            with self.uow.reading() as uow:
                balances = uow.accounts.select(lambda account: account.balance)
        except HonestworkError:
            return
        except BaseException as error:
            self.journal.write("outside", f"{type(error).__name__}: {error}"[:300])
            return
        if sum(balances) != ACCOUNTS * BALANCE:
            self.journal.write("lost", f"a reader saw {sum(balances)} altogether")
        self.journal.write("read", "all")


def _main(url: str, path: str, seed: str, threads: str) -> None:
    store, journal, calm = _store(url), _Journal(path), threading.Event()
    clients = [_Client(store, journal, number, seed) for number in range(int(threads))]
    working = [threading.Thread(target=client.work, args=(calm,), daemon=True) for client in clients]
    for thread in working:
        thread.start()
    sys.stdin.read()
    calm.set()
    end = time.monotonic() + CALM - 10
    for thread in working:
        thread.join(max(end - time.monotonic(), 0.01))
    if hanging := sum(thread.is_alive() for thread in working):
        journal.write("stuck", f"{hanging} threads do not end")
    else:
        for each in left_behind(store):
            journal.write("leaked", each)
        if checked_out(store) == 0:
            store.dispose()
    os._exit(0)


if __name__ == "__main__":
    assert mapping.schema
    _main(*sys.argv[1:])
