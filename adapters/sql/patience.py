"""Connections that do not wait for a silent PostgreSQL for ever."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

__all__ = ["make_patient"]


def make_patient(connection: Any, seconds: float) -> None:
    """From now on, close this psycopg connection where the server has not answered a statement for so long.

    The server is told of a limit of its own, a little shorter: this one is for servers that hang, and for networks
    that swallow what is sent. psycopg asks every 0.1 s whether anything has come. The limit is looked at then, so a
    statement that is answered at once pays for a generator and nothing else.
    """
    wait = connection.wait

    def wait_patiently(gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        return wait(patient(gen), *arguments, **options)

    def patient(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        deadline = time.monotonic() + seconds
        ready = None
        try:
            while True:
                ready = yield gen.send(ready)
                if not ready and time.monotonic() > deadline:
                    connection.pgconn.finish()
                    raise OperationalError(f"the server has not answered for {seconds:g} seconds")
        except StopIteration as end:
            return end.value

    from psycopg import OperationalError

    connection.wait = wait_patiently
