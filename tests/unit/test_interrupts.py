"""An interrupt is told from an error of the code that was running, on every Python."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from honestwork.domain.interrupts import came_from_outside


@contextmanager
def told(found: list[bool]) -> Iterator[None]:
    try:
        yield
    except ArithmeticError as error:
        found.append(came_from_outside(error))


def failing() -> None:
    raise ZeroDivisionError


def test_an_error_that_is_thrown_into_a_generator_is_no_interrupt() -> None:
    found: list[bool] = []

    with told(found):
        failing()
    with told(found), told([]):
        pass
    with told(found):
        raise ZeroDivisionError

    assert found == [False, False]


@pytest.mark.skipif(not hasattr(signal, "raise_signal") or not hasattr(signal, "SIGUSR1"), reason="has no signals")
def test_what_a_handler_raises_is_an_interrupt_also_within_a_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []

    def handler(*_: object) -> None:
        raise ZeroDivisionError

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with told(found):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert found == [True]
