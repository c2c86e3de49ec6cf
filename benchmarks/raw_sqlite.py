"""The driver alone behind a fair lock: the least that threads pay who share a SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from pathlib import Path
from types import TracebackType

__all__ = ["FairLock", "RawUnits"]


class FairLock:
    """A lock that threads get in the order of asking, as they get the turn to write from a store."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()  # the first one belongs to the thread that has the lock

    @property
    def waiting(self) -> int:
        """How many threads wait for the lock."""
        return max(0, len(self._waiting) - 1)

    def __enter__(self) -> None:
        mine = threading.Lock()
        with self._guard:
            self._waiting.append(mine)
            is_first = self._waiting[0] is mine
            mine.acquire()
        if not is_first:
            mine.acquire()  # released by the thread before this one

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._waiting.popleft()
            if self._waiting:
                self._waiting[0].release()


class RawUnits:
    """Get, change and commit through `sqlite3`, with one connection for each thread."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path = path
        self._lock = FairLock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        connection = self._connected()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)")
        connection.executemany("INSERT INTO users (name, age) VALUES (?, 0)", [("ann",)] * rows)

    def add_one(self, key: int) -> None:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self._local.connection = connection = self._connected()
        with self._lock:
            connection.execute("BEGIN IMMEDIATE")
            (age,) = connection.execute("SELECT age FROM users WHERE id = ?", (key,)).fetchone()
            connection.execute("UPDATE users SET age = ? WHERE id = ?", (age + 1, key))
            connection.execute("COMMIT")

    def total(self) -> int:
        (total,) = self._connections[0].execute("SELECT sum(age) FROM users").fetchone()
        return int(total)

    def reset(self) -> None:
        self._connections[0].execute("UPDATE users SET age = 0")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        self._connections.append(connection)
        return connection
