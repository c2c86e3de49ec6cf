"""Telling an interrupt from an error of the code that was running.

Ctrl-C is a KeyboardInterrupt, which no `except Exception` catches. The soft time limits of job queues are ordinary
exceptions, raised by a signal's handler between any two instructions. Code that translates whatever a user's
function raises has to let those out as they are.
"""

from __future__ import annotations

import dis
import signal
from types import TracebackType

__all__ = ["came_from_outside", "interrupt_behind"]

# Instructions that call no Python code: a frame above one of them was put there by a signal or by a trace function.
_CALLS_NOTHING = (
    *("COPY", "EXTENDED_ARG", "JUMP", "LOAD_CLOSURE", "LOAD_CONST", "LOAD_DEREF", "LOAD_FAST", "LOAD_GLOBAL"),
    *("LOAD_SMALL_INT", "MAKE_CELL", "NOP", "POP_EXCEPT", "PUSH_EXC_INFO", "PUSH_NULL", "RESUME", "RETURN"),
    *("STORE_FAST", "SWAP"),
)
_AFTER_YIELD = 0b11  # of the argument of a RESUME: where a generator stands into which an error is thrown, since 3.13


NO_CODE = 8  # bytes: the code object that C and Cython put into a traceback for a function of theirs


def came_from_outside(error: BaseException) -> bool:
    """Return whether a signal's handler raised this, and not the code that it interrupted."""
    handlers = {getattr(signal.getsignal(each), "__code__", None) for each in signal.valid_signals()}
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code in handlers:
            return True
        if frame.tb_next is not None and _instruction(frame).startswith(_CALLS_NOTHING):
            return True
        frame = frame.tb_next
    return False


def interrupt_behind(error: BaseException | None, *modules: str) -> BaseException | None:
    """Return the interrupt because of which code of these modules has raised an error of its own.

    An older error, in whose handler the service runs, is none of it: it has left these modules long ago.
    """
    while error is not None and isinstance(error, Exception) and not came_from_outside(error):
        error = error.__context__
        if error is None or error.__traceback__ is None:
            return None
        if not str(error.__traceback__.tb_frame.f_globals.get("__name__", "")).startswith(modules):
            return None
        if not isinstance(error, Exception) or came_from_outside(error):
            return error
    return None


def _instruction(frame: TracebackType) -> str:
    """The instruction that a frame was in. A call's place is that of the last of its cache entries."""
    code, place = frame.tb_frame.f_code.co_code, frame.tb_lasti
    if len(code) <= NO_CODE:
        return ""
    while (name := dis.opname[code[place]]) == "CACHE":
        place -= 2
    return "" if name == "RESUME" and code[place + 1] & _AFTER_YIELD else name
