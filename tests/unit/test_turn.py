"""The turn to write: one unit at a time, in the order of asking."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from threading import Thread
from types import SimpleNamespace

import pytest

from honestwork.adapters.engine import open_units, turn as module
from honestwork.adapters.engine.turn import Ticket, Turn
from honestwork.domain import Conflict, UnitNested


def ticket() -> Ticket:
    """A ticket of a unit that no other one is inside of."""
    unrelated = Ticket(open_units.begin())
    open_units.end(unrelated.number)
    return unrelated


def interrupted(monkeypatch: pytest.MonkeyPatch, before: Callable[[], None] = lambda: None) -> None:
    """From now on a unit that waits is interrupted, after this was done."""

    def wait(timeout: float) -> None:
        before()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "SimpleQueue", lambda: SimpleNamespace(get=wait, put=lambda _: None))


def test_a_unit_that_comes_again_waits_for_those_that_came_before() -> None:
    turn, done = Turn(5), list[int]()

    def work(number: int) -> None:
        mine = ticket()
        turn.take(mine)
        done.append(number)
        turn.release(mine)

    first, second = ticket(), ticket()
    turn.take(first)
    threads = [Thread(target=work, args=(number,)) for number in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(turn._queue) == number + 1:
            time.sleep(0.001)

    turn.release(first)
    turn.take(second)

    assert done == [0, 1, 2]
    for thread in threads:
        thread.join()


def test_a_unit_that_has_waited_too_long_gets_a_conflict_and_leaves_the_queue() -> None:
    turn, first, late = Turn(0.001), ticket(), ticket()
    turn.take(first)

    with pytest.raises(Conflict, match=r"for 0\.001 seconds"):
        turn.take(late)

    turn.release(first)
    assert turn.is_free


def test_an_interrupted_unit_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    turn, first, second = Turn(5), ticket(), ticket()
    turn.take(first)
    interrupted(monkeypatch)

    with pytest.raises(KeyboardInterrupt):
        turn.take(second)

    turn.release(first)
    assert turn.is_free


def test_a_unit_that_is_interrupted_when_its_turn_has_come_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    turn, first, second = Turn(5), ticket(), ticket()
    turn.take(first)
    interrupted(monkeypatch, before=lambda: turn.release(first))

    with pytest.raises(KeyboardInterrupt):
        turn.take(second)

    assert turn.is_free


def test_to_release_twice_is_the_same_as_once() -> None:
    turn, first, second = Turn(5), ticket(), ticket()
    turn.take(first)
    turn.release(first)
    turn.take(second)

    turn.release(first)

    assert turn.has(second)


def test_the_turn_of_a_unit_that_is_gone_comes_to_the_next_one() -> None:
    turn, mine = Turn(5), ticket()
    lost = [ticket()]
    turn.take(lost[0])
    waiting = Thread(target=turn.take, args=(mine,))
    waiting.start()

    lost.clear()
    gc.collect()
    waiting.join(2)

    assert turn.has(mine)


def test_a_unit_inside_of_the_one_that_has_the_turn_is_refused_at_once() -> None:
    turn = Turn(5)
    outer = Ticket(open_units.begin())
    turn.take(outer)

    with pytest.raises(UnitNested, match="inside another one"):
        turn.take(Ticket(open_units.begin()))

    turn.release(outer)
    open_units.end(outer.number)
    assert turn.is_free


def test_an_event_loop_is_not_made_to_wait() -> None:
    turn, first = Turn(5), ticket()
    turn.take(first)

    async def service() -> None:
        turn.take(ticket())

    with pytest.raises(Conflict, match="block the event loop"):
        asyncio.run(service())


def test_a_bell_that_rings_early_grants_nothing() -> None:
    turn, first, second = Turn(0.05), ticket(), ticket()
    turn.take(first)

    def wait() -> None:
        with pytest.raises(Conflict):
            turn.take(second)

    waiting = Thread(target=wait)
    waiting.start()
    while len(turn._queue) < 2 or (bell := turn._queue[1].bell) is None:
        time.sleep(0.001)

    bell.put(None)
    waiting.join(2)

    assert turn.has(first)
