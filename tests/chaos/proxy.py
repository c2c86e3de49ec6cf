"""A TCP proxy of our own on this machine, between a store and its server, which loses what it is told to lose."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

__all__ = ["CUT", "DROP", "PASS", "SILENT", "SWALLOW", "Proxy"]

PASS = "pass"
SILENT = "silent"  # it takes what comes, and says nothing
SWALLOW = "swallow"  # the server never hears of COMMIT
DROP = "drop"  # the server commits, and its answer is lost
CUT = "cut"  # of the answer, three bytes arrive


class Proxy:
    """Listens on a port of its own for as long as the block. `mode` may be set at any time."""

    def __init__(self, url: str, mode: str = PASS) -> None:
        there = make_url(url)
        default = 5432 if there.get_backend_name() == "postgresql" else 3306
        self._target = (there.host or "127.0.0.1", there.port or default)
        self.mode = mode
        self.lost = 0  # how many commits were hit
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self.url = there.set(host="127.0.0.1", port=self.port).render_as_string(hide_password=False)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in [self._listening, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            self._sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(self._target) as server:
                self._sockets.append(server)
                self._pass_on(client, server)
        except (OSError, ValueError):  # one of the two has gone
            return

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        committing = False
        while True:
            ready, _, _ = select.select([client, server], [], [])
            if client in ready:
                if not (said := client.recv(65536)):
                    return
                if self.mode == SILENT:
                    continue
                if self.mode != PASS and b"COMMIT" in said.upper():
                    if self.mode == SWALLOW:
                        self.lost += 1
                        return
                    committing = True
                server.sendall(said)
            if server in ready:
                if not (said := server.recv(65536)):
                    return
                if self.mode == SILENT:
                    continue
                if committing:
                    self.lost += 1
                    if self.mode == CUT:
                        client.sendall(said[:3])
                    return
                client.sendall(said)
