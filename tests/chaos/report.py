"""What the parts of the chaos proof count, and how they hand it to the process that adds it up."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from honestwork.domain import HonestworkError

__all__ = ["FAULTS", "Part", "Report"]

# What must never happen, by the name under which it is counted.
FAULTS = {
    "lost": "lost",
    "uncommitted": "stored though uncommitted",
    "unstored": "acknowledged though not stored",
    "stuck": "stuck",
    "leaked": "leaked",
    "outside": "errors outside the tree",
}
MOST_NOTES = 12  # of each fault


@dataclass
class Report:
    """Faults and deeds, counted. Threads share one."""

    faults: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def did(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.done[what] += times

    def fault(self, kind: str, note: str, times: int = 1) -> None:
        """Count what must never happen. *kind* is a key of FAULTS."""
        assert kind in FAULTS, kind
        if times:
            with self._lock:
                self.faults[kind] += times
                if sum(each.startswith(kind) for each in self.notes) < MOST_NOTES:
                    self.notes.append(f"{kind}: {note}")

    def failed(self, note: str, error: BaseException) -> None:
        """Count an error where there should be none: a unit that does not work is stuck."""
        kind = "stuck" if isinstance(error, HonestworkError) else "outside"
        self.fault(kind, f"{note}: {type(error).__name__}: {str(error)[:160]}")

    def within(self, seconds: float, note: str, work: Callable[[], object]) -> bool:
        """Do work in a thread, and wait so long and no longer. Returns whether it ended."""
        errors: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, daemon=True)
        started = time.monotonic()
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            self.fault("stuck", f"{note}: not done after {time.monotonic() - started:.1f} s")
            return False
        for error in errors:
            self.failed(note, error)
        return True

    def add(self, other: Report) -> None:
        self.faults += other.faults
        self.done += other.done
        self.notes += other.notes

    def to_json(self) -> str:
        return json.dumps({"faults": self.faults, "done": self.done, "notes": self.notes})

    @classmethod
    def from_json(cls, text: str) -> Report:
        read = json.loads(text)
        return cls(Counter(read["faults"]), Counter(read["done"]), list(read["notes"]))

    def __str__(self) -> str:
        return ", ".join(f"{words} {self.faults[kind]}" for kind, words in FAULTS.items())


# A part of the proof: it fills the report for so many seconds, on these databases (URLs by name), from a seed.
Part = Callable[[Report, float, dict[str, str], int], None]
