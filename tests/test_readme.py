"""Everything that is shown is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import Block, blocks, run_console, run_python

ROOT = Path(__file__).parents[1]
DOCUMENTS = [str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]]

BROKEN = """# A document

```python
x = 1
```

Words between.

```python
y = x + 1


def halve(number):
    return number / (y - 2)


halve(3)
```
"""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_python_of_a_document_runs(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    run_python((ROOT / document).read_text("utf-8"), ROOT / document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_examples_that_a_document_calls_run(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    run_console((ROOT / document).read_text("utf-8"), ROOT / document, ROOT)


def test_a_block_that_fails_is_reported_with_file_and_line() -> None:
    with pytest.raises(AssertionError, match=r"^broken\.md:14: ZeroDivisionError: division by zero"):
        run_python(BROKEN, Path("broken.md"))


def test_a_block_that_is_no_python_is_reported_with_file_and_line() -> None:
    with pytest.raises(AssertionError, match=r"^broken\.md:3: SyntaxError"):
        run_python("\n```python\nx = (\n```\n", Path("broken.md"))


def test_a_test_that_is_shown_is_run() -> None:
    document = "```python\ndef test_that_fails():\n    assert 1 == 2\n```\n"

    with pytest.raises(AssertionError, match=r"^shown\.md:3: AssertionError"):
        run_python(document, Path("shown.md"))


def test_annotations_of_a_document_can_be_read_back() -> None:
    document = (
        "```python\nfrom __future__ import annotations\nclass A: pass\nclass B:\n    a: A\n```\n\n"
        "```python\nimport typing\nassert typing.get_type_hints(B) == {'a': A}\n```\n"
    )

    run_python(document, Path("hints.md"))


def test_blocks_are_found_in_lists_and_in_longer_fences() -> None:
    document = "1. First:\n\n   ```python\n   x = 1\n   ```\n\n````md\n```python\nnot run\n```\n````\n"

    found = list(blocks(document))

    assert found == [Block("python", 4, "x = 1\n"), Block("md", 8, "```python\nnot run\n```\n")]


def test_an_example_that_prints_something_else_is_reported(tmp_path: Path) -> None:
    (tmp_path / "examples.py").write_text("import sys\nprint('hello', *sys.argv[1:])\n")
    right = "```console\n$ make nothing\n$ python -m examples to you  # a greeting\nhello ... you\n```\n"
    wrong = "```console\n$ python -m examples\ngood bye\n```\n"

    run_console(right, Path("right.md"), tmp_path)

    with pytest.raises(AssertionError, match=r"^wrong\.md:2: .* prints something else"):
        run_console(wrong, Path("wrong.md"), tmp_path)


def test_an_example_that_fails_is_reported(tmp_path: Path) -> None:
    (tmp_path / "examples.py").write_text("raise SystemExit('no')\n")

    with pytest.raises(AssertionError, match=r"^failing\.md:2: `python -m examples` fails:\nno"):
        run_console("```sh\n$ python -m examples\n```\n", Path("failing.md"), tmp_path)
