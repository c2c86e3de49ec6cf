"""A pool of connections that no interrupt can upset, and into which no open transaction returns.

SQLAlchemy's `QueuePool` counts what is checked out, under locks. A signal between two of its lines leaves a count
that is wrong or a lock that is held, and its reset swallows a timeout that is an `Exception`. Here each step is a
single operation of a `deque`, and a connection's place is in one of three: resting, unused, or on loan.

A `Loan` is a connection that is checked out. It ends in one of two ways: the connection goes back, after the
driver has said that it is outside of a transaction (one that is in a transaction is rolled back first); or it is
closed, and its place goes back without it. A loan that is dropped is noted by a weak reference, whose callback is
C code: a collection may happen anywhere, also in the middle of a line of this module. Whoever asks next takes
what was noted back.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any
from weakref import ref

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState, QueuePool

from ..internals import ConnectionRecord, options_of_pool
from .drivers import State, cut, raise_interrupt_in, state_of

__all__ = ["Loan", "UnitPool", "drop", "give_back"]

LOOK_AGAIN = 0.05  # seconds until a waiting thread looks for places that dropped loans have left


class _Dropped(ref["Loan"]):
    """Noted in the pool when a loan is dropped without being ended."""

    __slots__ = ("record",)
    record: ConnectionRecord


class Places:
    """The places of a pool that are not on loan: those with a connection, and those without."""

    def __init__(self, maxsize: int, use_lifo: bool = False) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self.queue: deque[Any] = deque()  # the connections that rest; the name is that of SQLAlchemy's queue
        self.unused: deque[Any] = deque()

    def qsize(self) -> int:
        return len(self.queue)


class UnitPool(QueuePool):
    """The pool of a store that was made from a URL. Takes the options of `QueuePool`.

    With `keep=True` it never closes its connection: that of a database in memory, which would be gone with it.
    """

    _pool: Places  # type: ignore[assignment]
    _queue_class = Places  # type: ignore[assignment]

    def __init__(self, creator: Any, *, keep: bool = False, **options: Any) -> None:
        super().__init__(creator, **options)
        self.keep = keep
        self._records: set[ConnectionRecord] = set()  # every place, also those on loan
        self._dropped: deque[_Dropped] = deque()
        self._bells: deque[SimpleQueue[None]] = deque()  # of the threads that wait, in order
        if self._is_limited:
            self._pool.unused.extend(self._new_place() for _ in range(self._pool.maxsize + self._max_overflow))

    # What SQLAlchemy asks of a pool

    def connect(self) -> PoolProxiedConnection:
        """Check a connection out. Raises `sqlalchemy.exc.TimeoutError` if none is free in time."""
        loan = Loan(self)
        try:
            loan.begin()
            return loan
        except BaseException:
            loan.break_off()
            raise

    def recreate(self) -> UnitPool:
        return type(self)(keep=self.keep, **options_of_pool(self))

    def dispose(self) -> None:
        self.take_back_dropped()
        while True:
            try:
                record = self._pool.queue.pop()
            except IndexError:
                return
            record.close()
            self._pool.unused.append(record)

    def checkedin(self) -> int:
        self.take_back_dropped()
        return len(self._pool.queue)

    def checkedout(self) -> int:
        self.take_back_dropped()
        return len(self._records) - len(self._pool.queue) - len(self._pool.unused)

    def threads(self) -> list[int]:
        """The threads that have checked out what is in use."""
        loans: list[Any] = [record.fairy_ref() for record in list(self._records) if record.fairy_ref is not None]
        return [loan.thread for loan in loans if isinstance(loan, Loan)]

    def overflow(self) -> int:
        return self.checkedin() + self.checkedout() - self._pool.maxsize

    def _do_get(self) -> ConnectionPoolEntry:
        loan = Loan(self)
        self.find_place(loan)
        place: ConnectionPoolEntry = loan._connection_record
        return place

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self.put(record)

    # What loans ask of it

    def find_place(self, loan: Loan) -> None:
        """Give a loan its place, with a connection if one rests. Waits for as long as the pool's timeout."""
        if self._dropped:
            self.take_back_dropped()
        places = self._pool
        deadline = 0.0
        while True:
            with suppress(IndexError):
                loan._connection_record = places.queue.pop() if places.use_lifo else places.queue.popleft()
                return
            with suppress(IndexError):
                loan._connection_record = places.unused.pop()
                return
            if not self._is_limited:
                loan._connection_record = self._new_place()
                return
            now = time.monotonic()
            deadline = deadline or now + self.timeout()
            if now >= deadline:
                raise PoolTimeout(
                    f"all {len(self._records)} connections of the pool are in use, and none came back within"
                    f" {self.timeout():g} s (pool_size={self._pool.maxsize}, max_overflow={self._max_overflow})"
                )
            self._wait(min(deadline - now, LOOK_AGAIN))
            self.take_back_dropped()

    def put(self, record: Any) -> None:
        """Take a place back: to rest, if it has a connection and fewer rest than the pool keeps."""
        if record.dbapi_connection is None:
            self._pool.unused.append(record)
        elif len(self._pool.queue) < self._pool.maxsize or not self._pool.maxsize:
            self._pool.queue.append(record)
        else:
            self.close(record)
            self._pool.unused.append(record)

    def ring(self) -> None:
        """Wake the thread that has waited longest for a place."""
        if self._bells:
            with suppress(IndexError):  # another thread may ring it meanwhile
                self._bells.popleft().put(None)

    def close(self, record: Any) -> None:
        """Close the connection of a place, now, without farewell."""
        connection = record.dbapi_connection
        if connection is None:
            return
        if self.dispatch.close:
            self.dispatch.close(connection, record)
        record.finalize_callback.clear()
        record.info.clear()
        record.dbapi_connection = None
        cut(connection, self._dialect)

    def watch(self, loan: Loan, record: ConnectionRecord) -> None:
        """Note it if this loan is dropped."""
        dropped = _Dropped(loan, self._dropped.append)
        dropped.record = record
        record.fairy_ref = dropped  # type: ignore[assignment]

    def take_back_dropped(self) -> None:
        """Take back the places of loans that were dropped. Their connections are closed."""
        while self._dropped:
            try:
                dropped = self._dropped.popleft()
            except IndexError:
                return
            record: Any = dropped.record
            if record.fairy_ref is dropped:  # else the loan had ended
                record.fairy_ref = None
                Loan(self, record).break_off()

    @property
    def _is_limited(self) -> bool:
        return self._max_overflow >= 0 and self._pool.maxsize > 0

    def _new_place(self) -> ConnectionRecord:
        record = ConnectionRecord(self, connect=False)
        self._records.add(record)
        return record

    def _wait(self, seconds: float) -> None:
        bell: SimpleQueue[None] = SimpleQueue()
        self._bells.append(bell)
        with suppress(Empty):
            bell.get(timeout=seconds)
        with suppress(ValueError):
            self._bells.remove(bell)


def give_back(link: Any, dialect: Any) -> None:
    """Give a connection back outside of a transaction, or close it where that cannot be had.

    A pool of the user's own resets it in its own way, once more.
    """
    if isinstance(link, Loan):
        link.close()
        return
    try:
        if link.dbapi_connection is None or is_settled(link, dialect):
            link.close()
        else:
            link.invalidate()
    except BaseException:
        if link.dbapi_connection is not None:
            link.invalidate()
        raise


def drop(link: Any, dialect: Any) -> None:
    """Let go of a connection from a finalizer: close it, and note that its place in the pool is free."""
    if not isinstance(link, Loan):
        link.invalidate()
    elif (record := link._connection_record) is not None:
        if not link._pool.keep:
            cut(record.dbapi_connection, dialect)
        link._pool._dropped.append(record.fairy_ref)


def is_settled(link: Any, dialect: Any) -> bool:
    """End what is open on a connection, and return whether it is outside of a transaction."""
    state = state_of(link.dbapi_connection, dialect)
    if state in (State.OPEN, State.FAILED, State.UNTOLD):
        try:
            dialect.do_rollback(link)
        except dialect.loaded_dbapi.Error as error:
            raise_interrupt_in(error)
            return False
        state = state_of(link.dbapi_connection, dialect)
    return state is State.READY or state is State.UNTOLD


def _finalize(record: Any) -> None:
    """Do what was to be done before the connection rests, each thing at least once."""
    while record.finalize_callback:
        record.finalize_callback[-1](record.dbapi_connection)
        record.finalize_callback.pop()


class Loan(PoolProxiedConnection):
    """A connection that is checked out of a `UnitPool`: what SQLAlchemy's connections talk to.

    It is ended once, by `close` or `invalidate`; both do nothing when it has ended.
    """

    dbapi_connection: Any = None
    _connection_record: Any = None
    reading = False  # is the transaction to refuse writes, and
    begun = False  # has it begun? See `engines`

    def __init__(self, pool: UnitPool, record: ConnectionRecord | None = None) -> None:
        self._pool = pool
        self.thread = get_ident()
        if record is not None:
            self._connection_record = record
            self.dbapi_connection = record.dbapi_connection

    def begin(self) -> None:
        """Find a place and connect it, unless it is connected."""
        pool = self._pool
        pool.find_place(self)
        record = self._connection_record
        pool.watch(self, record)
        self.dbapi_connection = record.get_connection()
        if pool.dispatch.checkout:
            pool.dispatch.checkout(self.dbapi_connection, record, self)

    def close(self) -> None:
        """Give the connection back, outside of a transaction, or close it where that cannot be had."""
        record = self._connection_record
        if record is None:
            return
        try:
            if record.dbapi_connection is not None and not self._make_ready(record):
                self._pool.close(record)
            if self._pool.dispatch.checkin:
                self._pool.dispatch.checkin(record.dbapi_connection, record)
            record.fairy_ref = None
            self.dbapi_connection = self._connection_record = None
            self._pool.put(record)  # nothing may follow here: from now on it can be another's
        except BaseException:
            self._put_back(record)
            raise
        self._pool.ring()

    def break_off(self) -> None:
        """Close the connection, and give its place back. A database in memory is kept, and its transaction undone."""
        record = self._connection_record
        if record is not None:
            self._put_back(record)

    def invalidate(self, e: BaseException | None = None, soft: bool = False) -> None:
        """Close the connection: now, or with *soft* before the next one uses it."""
        record = self._connection_record
        if record is None:
            return
        if self._pool.dispatch.invalidate and not soft:
            self._pool.dispatch.invalidate(record.dbapi_connection, record, e)
        if soft:
            record.invalidate(e, soft=True)
        else:
            self.break_off()

    def _make_ready(self, record: Any) -> bool:
        """End what is open on the connection, and return whether it is outside of a transaction."""
        if not is_settled(self, self._pool._dialect):
            return False
        _finalize(record)
        if self._pool.dispatch.reset:
            state_of_reset = PoolResetState(transaction_was_reset=True, terminate_only=False, asyncio_safe=True)
            self._pool.dispatch.reset(record.dbapi_connection, record, state_of_reset)
        return True

    def _put_back(self, record: Any) -> None:
        """After whatever went wrong: nothing is in use, and nobody gets this connection again."""
        pool = self._pool
        self.dbapi_connection = self._connection_record = None
        if record.fairy_ref is not None and record.fairy_ref() is not self:
            return  # it was back, and another has it
        record.fairy_ref = None
        if record in pool._pool.queue or record in pool._pool.unused:
            return  # it was back already
        if pool.keep and record.dbapi_connection is not None:
            record.dbapi_connection.rollback()
            _finalize(record)
        else:
            pool.close(record)
        pool.put(record)
        pool.ring()

    # What SQLAlchemy and drivers read

    @property
    def driver_connection(self) -> Any:  # type: ignore[override]
        return self.dbapi_connection

    @property
    def is_valid(self) -> bool:
        return self.dbapi_connection is not None

    @property
    def is_detached(self) -> bool:
        return False

    @property
    def info(self) -> Any:
        return {} if self._connection_record is None else self._connection_record.info

    @property
    def record_info(self) -> Any:
        return None if self._connection_record is None else self._connection_record.record_info

    def detach(self) -> None:
        """Take the connection out of the pool, for good: it is closed by whoever has it."""
        record = self._connection_record
        connection = self.dbapi_connection
        record.dbapi_connection = record.fairy_ref = None
        self._connection_record = None
        self.dbapi_connection = connection
        self._pool.put(record)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        return self.dbapi_connection.cursor(*arguments, **options)

    def commit(self) -> None:
        self.dbapi_connection.commit()

    def rollback(self) -> None:
        self.dbapi_connection.rollback()

    def _close_special(self, transaction_reset: bool = False) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dbapi_connection, name)
