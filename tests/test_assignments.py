"""What holds for every assignment beside the demo's: a few students, the same verdict wherever they are judged."""

import json
from types import SimpleNamespace

import pytest

from autograder.exercises import assignments
from source.build import editions, lessons
from source.release import notebook_of
from tests.class_folder import executed, grade, grades_in, make_course, nbgrader, total
from tests.places import checked_in_a_notebook, checked_in_the_shell, shown, verdicts, verdicts_when_graded
from tests.sample_class import ASSIGNMENT, Student, right_answers, slips

OTHERS = [assignment for assignment in lessons() if assignment != ASSIGNMENT]
STUDENTS = ("right", "untouched", "slip", "another-slip")


@pytest.fixture(scope="module", params=OTHERS)
def graded(request, tmp_path_factory):
    """A course whose students handed in the English edition, graded by our command and, beside it, by nbgrader's."""
    edition = editions()[f"{request.param}-en"].assignment
    answers = (right_answers(edition), {}, slips(request.param, 0), slips(request.param, 1))
    students = tuple(Student(name, "", given) for name, given in zip(STUDENTS, answers, strict=True))
    ours, theirs = (make_course(tmp_path_factory.mktemp(name), students, edition) for name in ("ours", "theirs"))
    grade(ours, "--json", str(ours / "results.json"), assignment=edition)
    nbgrader(theirs, "generate_assignment", edition)
    nbgrader(theirs, "autograde", edition)
    return SimpleNamespace(
        edition=edition, worth={e.id: e.points for e in assignments()[request.param]}, ours=ours, theirs=theirs
    )


@pytest.mark.parametrize("student", STUDENTS)
def test_notebook_shell_and_grading_agree(graded, student, tmp_path, kernel):
    path = graded.ours / "submitted" / student / graded.edition / notebook_of(graded.edition)
    in_the_shell = checked_in_the_shell(path, tmp_path / "result.json")
    for course in (graded.ours, graded.theirs):
        assert verdicts_when_graded(executed(course, student, graded.edition), graded.worth) == shown(in_the_shell)
    assert verdicts(checked_in_a_notebook(path, kernel)) == verdicts(in_the_shell)


def test_both_gradebooks_and_the_results_have_the_same_points(graded):
    ours, theirs = (grades_in(course / "gradebook.db") for course in (graded.ours, graded.theirs))
    assert ours == theirs and ours.keys() == set(STUDENTS)
    results = json.loads((graded.ours / "results.json").read_text(encoding="utf-8"))["submissions"]
    scores = {student: total(grades) for student, grades in ours.items()}
    assert scores == {student: results[student]["score"] for student in STUDENTS}
    assert scores["untouched"] == 0 < scores["slip"] < scores["right"] == sum(graded.worth.values())
