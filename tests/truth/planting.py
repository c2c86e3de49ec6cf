"""Plants a lie: the source of one module is changed while it is imported. Nothing on disk is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from .lies import Lie

__all__ = ["change", "occurrences", "plant", "planted"]

ADAPTERS = Path(__file__).parents[2] / "adapters"


def plant(lie: Lie) -> None:
    """From now on the module says what is false. It must not have been imported yet."""
    change(f"honestwork.adapters.{lie.module}", lambda source: source.replace(lie.true, lie.false))


def change(module: str, changed: Callable[[str], str]) -> None:
    """From now on the source of the module is what *changed* makes of it. It must not have been imported yet."""
    if module in sys.modules:
        raise RuntimeError(f"{module} is imported already: it is changed before")
    sys.meta_path.insert(0, _Finder(module, changed))


def occurrences(lie: Lie) -> int:
    """How often the words that the lie replaces stand in the source; once is right."""
    return _source(lie).count(lie.true)


def planted(lie: Lie) -> CodeType:
    """The module with the lie in it. Raises SyntaxError if that is no Python."""
    return compile(_source(lie).replace(lie.true, lie.false), lie.module, "exec")


def _source(lie: Lie) -> str:
    return (ADAPTERS / f"{lie.module.replace('.', '/')}.py").read_text("utf-8")


class _Finder(MetaPathFinder):
    def __init__(self, module: str, changed: Callable[[str], str]) -> None:
        self.module = module
        self.changed = changed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self.changed)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, changed: Callable[[str], str]) -> None:
        super().__init__(fullname, path)
        self.changed = changed

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        return compile(self.changed(source), self.path, "exec")
