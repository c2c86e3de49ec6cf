"""A TCP proxy that counts round trips: the messages of a client after which it waits for the server.

The count is taken from the protocol and not from the clock, so it is the same in each run:

| protocol   | a round trip is                                                                            |
|------------|--------------------------------------------------------------------------------------------|
| PostgreSQL | a Query, Sync or Flush message, whatever a pipeline sent before it; a Flush after a Sync   |
|            | asks for nothing more                                                                      |
| MariaDB    | a packet that opens a command (its sequence number is 0), but for the last one, COM_QUIT   |

Logging in is not counted. Connections have to be unencrypted.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from sqlalchemy import URL, make_url

__all__ = ["CountingProxy", "MariadbRequests", "PostgresRequests", "counted"]

COM_QUIT = 1


class Requests(Protocol):
    """Counts the requests in what one connection's client sends."""

    def count(self, data: bytes) -> int: ...


class PostgresRequests:
    """Counts requests in PostgreSQL's protocol. Lives as long as a connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._has_started = False
        self._is_answered = True  # whether all messages so far belong to a request that is counted

    def count(self, data: bytes) -> int:
        """Return how many requests have become complete with this data."""
        self._rest += data
        found = 0
        while True:
            head = 1 if self._has_started else 0  # the first message, which opens the session, has no type
            if len(self._rest) < head + 4:
                return found
            length = head + int.from_bytes(self._rest[head : head + 4], "big")
            if len(self._rest) < length:
                return found
            kind = self._rest[:1] if self._has_started else b""
            is_request = kind in (b"Q", b"S") or (kind == b"H" and not self._is_answered)
            found += is_request
            self._is_answered = is_request or kind == b"H"
            self._has_started = True
            self._rest = self._rest[length:]


class MariadbRequests:
    """Counts requests in MariaDB's protocol. Lives as long as a connection."""

    def __init__(self) -> None:
        self._rest = b""

    def count(self, data: bytes) -> int:
        """Return how many requests have become complete with this data."""
        self._rest += data
        found = 0
        while len(self._rest) >= 4:
            length = 4 + int.from_bytes(self._rest[:3], "little")
            if len(self._rest) < length:
                break
            found += self._rest[3] == 0 and self._rest[4] != COM_QUIT
            self._rest = self._rest[length:]
        return found


class CountingProxy:
    """Passes connections on to a server, and counts their round trips. Use it as a context manager."""

    def __init__(self, connect: Callable[[], socket.socket], requests: Callable[[], Requests]) -> None:
        self.round_trips = 0
        self._connect = connect
        self._requests = requests
        self._guard = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    def __enter__(self) -> CountingProxy:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop listening, and wait until all connections have been closed by their clients."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        requests = self._requests()

        def counting(data: bytes) -> None:
            # Counted before it is sent: a client that has its answer finds its request counted.
            with self._guard:
                self.round_trips += requests.count(data)

        with client, self._connect() as server:
            back = threading.Thread(target=_forward, args=(server, client, None), daemon=True)
            back.start()
            _forward(client, server, counting)
            back.join()


@contextmanager
def counted(url: str) -> Iterator[tuple[CountingProxy, str]]:
    """Put a proxy before the server of this URL, and yield it with the URL that goes through it."""
    server = make_url(url)
    is_postgres = server.get_backend_name() == "postgresql"
    plain = {"sslmode": "disable", "gssencmode": "disable"} if is_postgres else {"ssl_disabled": "true"}
    requests: Callable[[], Requests] = PostgresRequests if is_postgres else MariadbRequests
    with CountingProxy(lambda: _connected(server), requests) as proxy:
        through = server.set(host="127.0.0.1", port=proxy.port).difference_update_query(["host", "port"])
        yield proxy, through.update_query_dict(plain).render_as_string(hide_password=False)


def _connected(url: URL) -> socket.socket:
    given = url.query.get("host")
    host = given if isinstance(given, str) else url.host or "127.0.0.1"
    port = url.port or (5432 if url.get_backend_name() == "postgresql" else 3306)
    if host.startswith("/"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(f"{host}/.s.PGSQL.{port}")
        return connection
    return socket.create_connection((host, port))


def _forward(source: socket.socket, sink: socket.socket, seen: Callable[[bytes], None] | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if seen is not None:
                seen(data)
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
