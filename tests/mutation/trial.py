"""The tests of one mutant, in a process of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import pytest
from hypothesis import Phase, settings

from tests.truth.planting import change

from .mutants import Mutant
from .subjects import ROOT, module_of

__all__ = ["DIED", "LIVED", "start"]

LIVED, DIED = 0, 1


def start(mutant: Mutant | None, tests: Sequence[str]) -> BaseProcess:
    """Start the tests, in their order; the first that fails ends them. The exit code is LIVED or DIED.

    The process is a fork of this one, so that pytest and SQLAlchemy need not be imported again and again. honestwork
    must not have been imported.
    """
    process = get_context("fork").Process(target=_try, args=(mutant, tests))
    process.start()
    return process


def _try(mutant: Mutant | None, tests: Sequence[str]) -> None:
    os.setsid()  # what hangs is ended with all that it has started
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.chdir(ROOT)
    # That an example fails is enough; the smallest one is not looked for.
    settings.register_profile("mutation", settings.default, phases=[Phase.explicit, Phase.generate], database=None)
    settings.load_profile("mutation")
    if mutant is not None:
        change(module_of(mutant.path), lambda source: mutant.source)
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    quiet = ["-q", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is imported already
    ended = pytest.main([*files, "-x", *quiet, "-p", "no:cacheprovider", "-p", "no:xdist"], plugins=[_Chosen(tests)])
    os._exit(LIVED if ended == pytest.ExitCode.OK else DIED)


class _Chosen:
    """Runs these tests, in this order, and no others."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )
