"""What is reported, generated or written is the same on every machine: no order comes from an address or a hash."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROGRAM = Path(__file__).with_name("told_in_order.py")


def told(seed: int) -> str:
    """What the program prints in a fresh interpreter, whose hashes and addresses are its own."""
    allocator = {"PYTHONMALLOC": "malloc"} if seed % 2 else {}
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), **allocator}
    done = subprocess.run(
        [sys.executable, PROGRAM, str(seed)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_say_the_same_of_a_mapping_in_the_same_order() -> None:
    """Findings, plans, generated code, fidelity and DDL."""
    with ThreadPoolExecutor(2) as pool:
        first, *others = pool.map(told, range(4))

    assert "the mapping is refused" in first
    for other in others:
        assert other.splitlines() == first.splitlines()
