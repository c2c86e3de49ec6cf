"""`make mutation`: which mutants there are, which tests are tried on them, and how a dead one is told from a living."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.mutation.__main__ import FIRST, KnownTest, _rounds
from tests.mutation.mutants import Mutant, mutants_of, sample
from tests.mutation.subjects import ROOT, SUBJECTS, Subject, module_of
from tests.mutation.survivors import EXPLAINED
from tests.mutation.trial import DIED, LIVED

SOURCE = '''"""Of numbers."""

from __future__ import annotations

__all__ = ["is_small"]


def is_small(number: int | None) -> bool:
    """Whether it is."""
    if number is None:
        raise ValueError("a number was expected" + "!")
    return number < 10
'''
NUMBERS = ROOT / "rules" / "numbers.py"
PROVEN = "tests/unit/rules/test_numbers.py::test_a_decimal_has_one_spelling"


def mutants(tmp_path: Path, seed: int = 1) -> list[Mutant]:
    path = tmp_path / "numbers.py"
    path.write_text(SOURCE, "utf-8")
    return list(mutants_of(path, seed))


def test_what_is_computed_is_changed_and_no_annotation_and_no_message(tmp_path: Path) -> None:
    found = {(mutant.first, mutant.false) for mutant in mutants(tmp_path)}

    assert found == {(10, "if number is not None:"), (12, "return number <= 10"), (12, "return number < 11")}


def test_each_mutant_is_the_file_with_one_change(tmp_path: Path) -> None:
    for mutant in mutants(tmp_path):
        assert mutant.source.replace(mutant.false, mutant.true) == SOURCE


def test_a_sample_is_the_same_for_the_same_seed_and_takes_of_each_file_its_share(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("x = 1 + 2\n" * 30, "utf-8")
    other.write_text("x = 1 + 2\n" * 10, "utf-8")
    subject = Subject("both", (one, other))

    drawn = sample(subject, 40, seed=7)

    assert drawn == sample(subject, 40, seed=7) != sample(subject, 40, seed=8)
    assert len(drawn) == 40
    assert sum(mutant.path == one for mutant in drawn) == 30


def test_the_files_of_all_subjects_are_there() -> None:
    assert [path for subject in SUBJECTS for path in subject.paths if not path.is_file()] == []


def test_only_tests_that_reach_a_mutant_are_tried_and_the_most_telling_ones_before_the_others() -> None:
    mutant = Mutant(NUMBERS, 5, 6, "", "", "")
    reaching = [KnownTest(f"near {n}", 0.1 * n, {str(NUMBERS): set(range(5, 10 + n))}) for n in range(FIRST * 2)]
    far = KnownTest("far", 0.0, {str(NUMBERS): {1, 2, 3}})

    first, others = _rounds(mutant, [far, *reaching])

    assert len(first) <= FIRST
    assert first[0].name == "near 0"
    assert {test.name for test in (*first, *others)} == {test.name for test in reaching}


def test_a_mutant_dies_where_a_test_fails_and_lives_where_none_does() -> None:
    script = f"""
from tests.mutation.trial import start
from tests.test_mutation import NUMBERS, Mutant

source = NUMBERS.read_text("utf-8")
for more in ("UNUSED = 1", "plain = str"):
    process = start(Mutant(NUMBERS, 1, 1, "", "", source + more), [{PROVEN!r}])
    process.join()
    print(process.exitcode)
"""

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stdout.split() == [str(LIVED), str(DIED)], done.stderr
    assert module_of(NUMBERS) == "honestwork.rules.numbers"


def test_every_explanation_is_of_a_line_that_stands_in_its_file() -> None:
    gone = [
        (file, true) for file, true, _ in EXPLAINED if true not in " ".join((ROOT / file).read_text("utf-8").split())
    ]

    assert gone == [], "the line has changed: look at it again"
