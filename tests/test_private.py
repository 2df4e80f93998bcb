"""The private cases: drawn once from the course's secret, audited, shared by a class, and out of students' reach."""

import shutil
import stat
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from autograder.checks.encoding import pack
from autograder.checks.values import to_record
from autograder.exercises import every_exercise, exercise
from autograder.exercises.recorded import recorded
from autograder.grading.private import MAKER, MOST_DRAWS, SERIES, BadDraws, kept_series, make
from autograder.grading.reference import NoReference, Reference
from reference import bank
from reference.audit.draws import fault
from source.release import COURSE

SLOPE = exercise("gradient_profile")
CELL = "gradient_pathology/gradient_profile"
READ = "    norms = np.array(delta_norms, dtype=float)\n"


@pytest.fixture
def course(tmp_path):
    """A course whose reference holds one solution, and no bank."""
    folder = tmp_path / "reference" / CELL
    folder.mkdir(parents=True)
    shutil.copy(COURSE / "reference" / CELL / "solution.py", folder)
    return tmp_path


def inputs(series):
    return pack([to_record(expectation.case) for expectation in series])


def test_a_submission_gets_the_same_cases_at_every_regrade(course):
    first, again = (Reference(course).expectations(SLOPE, b"a notebook") for _time in range(2))
    assert inputs(first) == inputs(again)
    assert not any(expectation.public for expectation in first)


def test_a_class_shares_a_few_series_and_none_of_them_is_public(course):
    reference = Reference(course)
    handed_out = {inputs(reference.expectations(SLOPE, b"%d" % student)) for student in range(200)}
    assert len(handed_out) == SERIES
    assert inputs(recorded(SLOPE)) not in handed_out


def test_expected_values_are_the_references(course):
    reference = Reference(course)
    implementation = reference.implementation(SLOPE)
    for expectation in reference.expectations(SLOPE, b"a notebook"):
        values, kept = SLOPE.observe(implementation, expectation.case).values, expectation.expected.values
        assert values.keys() == kept.keys()
        if expectation.group != "nonfinite":  # an error, whose message is not kept
            np.testing.assert_equal(values, kept)


def test_another_secret_or_solution_gives_other_cases_or_values(course):
    def now():
        return Reference(course).expectations(SLOPE, b"a notebook")

    first = now()
    solution = course / "reference" / CELL / "solution.py"
    solution.write_text(solution.read_text(encoding="utf-8") + "\n\ngradient_slope = len\n", encoding="utf-8")
    changed = now()
    assert inputs(changed) == inputs(first)
    assert changed[0].expected.values["slope"] == len(changed[0].case.norms)
    (course / "reference" / "secret.txt").write_text("another", encoding="ascii")
    assert inputs(now()) != inputs(first)


def test_nobody_else_can_read_what_is_kept(course):
    Reference(course).expectations(SLOPE, b"a notebook")
    kept = course / "reference" / "private"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (kept, kept / f"{SLOPE.id}.msgpack")}
    assert modes == {"private": 0o700, f"{SLOPE.id}.msgpack": 0o600}


def test_a_file_cut_short_is_made_again(course):
    first = Reference(course).expectations(SLOPE, b"a notebook")
    path = course / "reference" / "private" / f"{SLOPE.id}.msgpack"
    path.write_bytes(path.read_bytes()[:1000])
    assert inputs(Reference(course).expectations(SLOPE, b"a notebook")) == inputs(first)


def test_a_cluster_gets_the_cases_that_were_made_here(course):
    reference = Reference(course)
    reference.prepare([SLOPE])
    files = reference.files()
    assert (
        files[f"private/{SLOPE.id}.msgpack"] == (course / "reference" / "private" / f"{SLOPE.id}.msgpack").read_bytes()
    )


def test_draws_that_misjudge_are_refused(course):
    reference = Reference(course)
    (course / "reference" / "private").mkdir()
    drawn = []

    def every_second_is_bad(exercise, series):
        drawn.append(inputs(series))
        return "wrong" if len(drawn) % 2 else ""

    make(reference, SLOPE, every_second_is_bad)
    assert [inputs(series) for series in kept_series(reference, SLOPE)] == drawn[1 : 2 * SERIES : 2]
    with pytest.raises(BadDraws, match=f"{MOST_DRAWS - SERIES + 1} of {MOST_DRAWS - SERIES + 1} draws: wrong"):
        make(reference, SLOPE, lambda exercise, series: "wrong")


def test_the_most_common_fault_is_told_with_its_own_number(course):
    faults = iter(["rare", *["common", ""] * 2, *["rare"] * 2, *["common"] * (MOST_DRAWS - SERIES - 4)])
    with pytest.raises(BadDraws) as told:
        make(Reference(course), SLOPE, lambda exercise, series: next(faults))
    assert str(told.value) == f"{SLOPE.id}, in {MOST_DRAWS - SERIES - 2} of {MOST_DRAWS - SERIES + 1} draws: common"


def test_the_bank_says_what_a_draw_misjudges(reference):
    series = reference.expect(SLOPE, np.random.default_rng(76))
    assert fault(SLOPE, series) == ""
    without_nonfinite = [expectation for expectation in series if expectation.group != "nonfinite"]
    assert fault(SLOPE, without_nonfinite).endswith("passes nonfinite")


def give_bank(course):
    """This exercise's reference in place of what is there, with the bank and without private cases."""
    shutil.rmtree(course / "reference")
    shutil.copytree(COURSE / "reference", course / "reference", ignore=shutil.ignore_patterns("private", "__pycache__"))
    for other in {e.solution for e in every_exercise()} - {SLOPE.solution}:  # the kit makes the cases of all
        shutil.rmtree(next((course / "reference").glob(f"*/{other}")))


def test_the_audit_makes_them_in_a_process_of_its_own(course):
    give_bank(course)
    (course / "reference" / "private").mkdir()
    subprocess.run([sys.executable, "-m", MAKER, SLOPE.id], cwd=course, check=True)
    assert [path.stem for path in (course / "reference" / "private").iterdir()] == [SLOPE.id]
    assert all(fault(SLOPE, series) == "" for series in kept_series(Reference(course), SLOPE))


def test_a_reference_that_cannot_be_audited_is_told_in_one_line(course):
    (course / "reference" / "audit").mkdir()
    (course / "reference" / "audit" / "draws.py").write_text("import sys\nsys.exit('no bank')\n", encoding="utf-8")
    for folder in ("", "audit"):
        (course / "reference" / folder / "__init__.py").touch()
    with pytest.raises(NoReference, match="cannot be made .no bank."):
        Reference(course).expectations(SLOPE, b"a notebook")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (READ, "    delta_norms = np.asarray(delta_norms) ** 2\n" + READ, "fails line"),
        ("np.log10(norms)", "np.log(norms)", "mistakes.toml: "),
    ],
)
def test_a_solution_that_the_bank_contradicts_is_told_so_and_nothing_is_graded(course, old, new, says):
    give_bank(course)
    solution = course / "reference" / "gradient_pathology" / "gradient_profile" / "solution.py"
    right = solution.read_text(encoding="utf-8")
    assert right.count(old) == 1
    solution.write_text(right.replace(old, new), encoding="utf-8")
    with pytest.raises(NoReference) as told:
        Reference(course).expectations(SLOPE, b"a notebook")
    said = str(told.value)
    assert said.startswith("The private cases cannot be made: a solution and the bank of known mistakes disagree (")
    assert says in said and "\n" not in said


def test_a_wrong_factor_in_the_solution_is_found_though_no_right_variant_fails(reference):
    clip = exercise("clip_gradients")
    wrong = bank.slip("clip_gradients", {"max_norm / total_norm": "2 * max_norm / total_norm"})
    series = reference.expect(clip, np.random.default_rng(76))
    assert fault(clip, series) == ""
    shown = tuple(replace(one, expected=clip.observe(wrong, one.case)) for one in series)
    assert fault(clip, shown).startswith("the solution fails ") and "factor" in fault(clip, shown)
