"""The chaos proof: `make chaos`, or `python -m tests.chaos [--seconds N] [--only NAME] [--databases NAMES]`.

Units run while connections and processes are killed, processes fork, statements are interrupted, units are abandoned
and servers fall silent. The last line says `chaos ok: lost 0, stored though uncommitted 0, …`, or `chaos FAILED: …`,
and then the exit status is 1. Each part runs in a process group of its own, which is killed when its time is up.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from honestwork.testing import Missing, Unwanted, mariadb_database, postgres_database

from .report import Report

__all__ = ["PARTS", "main"]

# The parts, and what share of the time each has.
PARTS = {
    "transfers": 0.34,
    "forks": 0.10,
    "interrupts": 0.34,
    "abandoned": 0.07,
    "silent": 0.06,
    "commits": 0.09,
}
SECONDS = 380.0  # altogether, to which the parts' beginnings and ends are added
GRACE = 75.0  # seconds which a part may take beyond its share
MARK = "report: "


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="altogether, for all parts")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part to run, with all the time")
    parser.add_argument("--databases", default="sqlite,postgres,mariadb", help="those to run on")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="for what is left to chance")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", action="append", default=[], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.part:
        return _run_here(given.part, given.seconds, given.url, given.seed)
    started = time.monotonic()
    names = given.only or list(PARTS)
    whole = sum(PARTS[name] for name in names)
    total = Report()
    print(f"seed {given.seed}", flush=True)
    for name in names:
        report = _run(name, given.seconds * PARTS[name] / whole, given.databases.split(","), given.seed)
        total.add(report)
        done = ", ".join(f"{what} {count}" for what, count in sorted(report.done.items()))
        print(f"{name}: {report}; {done}", *report.notes, sep="\n  ", flush=True)
    print(f"{round(time.monotonic() - started)} seconds")
    print(f"chaos {'FAILED' if total.faults else 'ok'}: {total}")
    return 1 if total.faults else 0


def _run(name: str, seconds: float, databases: Sequence[str], seed: int) -> Report:
    """Run a part in a process group of its own, on databases of its own, and kill what is left of it."""
    report = Report()
    with ExitStack() as stack:
        urls = _databases(stack, name, databases, report)
        command = [sys.executable, "-m", __package__ or "tests.chaos", "--part", name]
        command += ["--seconds", str(seconds), "--seed", str(seed)]
        for database, url in urls.items():
            command += ["--url", f"{database}={url}"]
        output = stack.enter_context(tempfile.TemporaryFile("w+"))
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(seconds + GRACE)
        except subprocess.TimeoutExpired:
            report.fault("stuck", f"{name} was not done {GRACE:.0f} s after its {seconds:.0f} s")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        lines = output.read().splitlines()
        told = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
        if told:
            report.add(Report.from_json(told[-1]))
        elif not report.faults:
            report.fault("outside", "\n    ".join(["it ended without a report:", *lines[-15:]]))
    return report


def _databases(stack: ExitStack, part: str, wanted: Sequence[str], report: Report) -> dict[str, str]:
    urls = {}
    if "sqlite" in wanted:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="honestwork", ignore_cleanup_errors=True))
        urls["sqlite"] = f"sqlite:///{folder}/chaos.db"
    for name, database in (("postgres", postgres_database), ("mariadb", mariadb_database)):
        if name in wanted:
            try:
                urls[name] = stack.enter_context(database(f"chaos_{part}"))
            except Unwanted:
                print(f"{part}: without {name}, as asked for", flush=True)
            except Missing as missing:
                report.fault("outside", f"not proven on {name}: {missing}")
    return urls


def _run_here(part: str, seconds: float, urls: Sequence[str], seed: int) -> int:
    report = Report()
    module = importlib.import_module(f"{__package__}.{part}")
    watch = threading.Timer(seconds + GRACE - 10, _give_up, (report, part, seconds))
    watch.daemon = True
    watch.start()
    try:
        module.run(report, seconds, dict(url.split("=", 1) for url in urls), seed)
    except BaseException as error:
        report.fault("outside", f"{part} itself broke: {type(error).__name__}: {str(error)[:300]}")
    _tell(report)
    return 0


def _give_up(report: Report, part: str, seconds: float) -> None:
    report.fault("stuck", f"{part} was not done {GRACE - 10:.0f} s after its {seconds:.0f} s")
    _tell(report)


def _tell(report: Report) -> None:
    """Hand the report to the parent, and end: threads that hang are told of already, and must not keep the process."""
    print(f"\n{MARK}{report.to_json()}", flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
