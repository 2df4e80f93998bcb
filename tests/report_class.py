"""A made-up class for tests of the class report: results and a gradebook without any notebook behind them.

`python -m tests.report_class FOLDER` makes one to look at.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbgrader.api import Gradebook

from autograder.checks.results import Ending, ExerciseResult, Item, Outcome, SubmissionResult
from autograder.exercises import assignments
from autograder.exercises.recorded import known_mistakes
from autograder.grading.result_file import Stored, write_result
from source.release import COURSE

ASSIGNMENT = "gradient-pathology"
EXERCISES = assignments()[ASSIGNMENT]
NOTEBOOK = tuple(reversed(EXERCISES))
"""The order in the made-up notebook, which is not that of the modules."""
ODD = EXERCISES[1]
"""The exercise in which the special students' code does something special; the first has a check without spread."""
BY_HAND = {"depth_study_plot": 2.0, "depth_study_findings": 2.0}
POINTS = sum(check.points for exercise in EXERCISES for check in exercise.checks)
STUDENTS = 100

HOSTILE_ID = "=HYPERLINK('evil')&lt;" if os.name == "nt" else "=HYPERLINK(\"evil\")<script>alert('id')"
"""As far as the name of a folder can be hostile."""
HOSTILE_NAME = "</td><script>alert(1)</script>"
HOSTILE_MESSAGE = 'Your code raised E: ]]>\x00\x1b[31m\ud7ff\uffff<img src="http://evil/x.png" onerror="alert(2)">&amp;'

UNREADABLE, ABSENT, UNGRADED, NOT_STORED, NOT_BOOKED = "s000", "s001", "s002", "s003", "s004"
SLOW, CRASHED, MENDED, BROKEN, LATE, OVERRULED, OPEN = "s005", "s006", "s007", "s008", "s009", "s010", "s011"


ENDINGS = {SLOW: Ending.OUT_OF_TIME, CRASHED: Ending.PROCESS_ENDED}


@dataclass
class MadeClass:
    """What was made.

    Attributes:
        judged: student -> result, of all that could be judged.
        hand: student -> points given by hand, in all.
    """

    folder: Path
    judged: dict[str, SubmissionResult] = field(default_factory=dict)
    hand: dict[str, float] = field(default_factory=dict)


def make_class(folder: Path, students: int = STUDENTS) -> MadeClass:
    """A course folder with `students` students, the last of whom is hostile; the first are the special ones above."""
    made = MadeClass(folder)
    (folder / "source" / ASSIGNMENT).mkdir(parents=True)
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    (folder / "submitted" / UNGRADED / ASSIGNMENT).mkdir(parents=True)
    random_ = random.Random(1)
    ids = [*(f"s{i:03}" for i in range(students - 1)), HOSTILE_ID]
    for student in ids:
        if student not in (UNREADABLE, ABSENT, UNGRADED):
            made.judged[student] = _special(student, _result(random_))
            made.hand[student] = random_.choice([0.0, 1.0, 2.0, 3.0, 4.0])
    for student, result in made.judged.items():
        if student != NOT_STORED:
            write(folder, student, result, "basic" if student == SLOW else "full")
    write(folder, UNREADABLE, SubmissionResult(message="This file is no notebook."))
    _write_gradebook(made, ids)
    return made


def write(folder: Path, student: str, result: SubmissionResult, isolation: str = "full") -> None:
    """Put a result where grading would."""
    (folder / "reference").mkdir(exist_ok=True)
    write_result(folder, folder / "autograded" / student / ASSIGNMENT, Stored("digest", isolation, result.to_json()))


def _result(random_: random.Random) -> SubmissionResult:
    ability = random_.gauss(0, 1.2)
    checks = {}
    for difficulty, exercise in enumerate(EXERCISES):
        stuck = random_.random() < 0.08
        mistakes = known_mistakes(exercise).causes[:4]
        behaviour = f"{exercise.id}-{random_.randrange(30)}"  # of what no cause explains
        items = []
        for number, check in enumerate(exercise.checks):
            passes = random_.random() < 1 / (1 + math.exp(0.4 * difficulty - 1.5 - ability))
            if difficulty == number == 0:  # a check without spread
                items.append(_item(check, Outcome.PASSED, 1.0))
            elif stuck:
                items.append(_item(check, Outcome.NOT_ATTEMPTED, 0.0, "Nothing here yet."))
            elif passes:
                items.append(_item(check, Outcome.PASSED, 1.0))
            else:
                chosen = sorted(random_.sample(range(len(mistakes)), random_.choice([0, 0, 1, 1, 2])))
                causes = tuple(mistakes[place].id for place in chosen)  # in the bank's order, as in a diagnosis
                outcome = random_.choice([Outcome.FAILED, Outcome.FAILED, Outcome.RAISED, Outcome.BLOCKED])
                share = random_.choice([0.0, 0.0, 0.5]) if outcome is Outcome.FAILED else 0.0
                items.append(_item(check, outcome, share, "y[2, 0] is 3.8, but 2.8 was expected.", causes))
                if not causes and outcome in (Outcome.FAILED, Outcome.RAISED):
                    items[-1] = replace(items[-1], behaviour=behaviour)
        checks[exercise.id] = ExerciseResult(exercise.id, tuple(items))
    return SubmissionResult(checks)


def _item(check, outcome: Outcome, share: float, message: str = "", causes: tuple[str, ...] = ()) -> Item:
    return Item(check.id, check.sentence, outcome, share * check.points, check.points, message, causes)


def _special(student: str, result: SubmissionResult) -> SubmissionResult:
    everything = {
        SLOW: (Outcome.STOPPED, 0.0, "Your code was stopped."),
        CRASHED: (Outcome.STOPPED, 0.0, "Your code ended the Python process."),
        BROKEN: (Outcome.GRADER_ERROR, 1.0, "The checker crashed here."),
        HOSTILE_ID: (Outcome.RAISED, 0.0, HOSTILE_MESSAGE),
    }
    if student in everything:
        items = tuple(_item(check, *everything[student]) for check in ODD.checks)
        result.checks[ODD.id] = ExerciseResult(ODD.id, items, ending=ENDINGS.get(student))
    mended = (f"<b>mended</b> {HOSTILE_NAME}", "Cell order.") if student == MENDED else ()
    return SubmissionResult(result.checks, mended=mended)


def new_gradebook(folder: Path) -> Gradebook:
    """The gradebook of a course, empty as yet. nbgrader calls `alembic` by name to make one."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "gradient-pathology")


def _write_gradebook(made: MadeClass, ids: list[str]) -> None:
    with new_gradebook(made.folder) as book:
        book.add_assignment(ASSIGNMENT)
        book.add_notebook("gradient_pathology", ASSIGNMENT)
        automatic = {f"check_{e.id}": sum(check.points for check in e.checks) for e in NOTEBOOK}
        for name, points in {**automatic, **BY_HAND}.items():
            kind = "code" if "check" in name else "markdown"
            book.add_source_cell(name, "gradient_pathology", ASSIGNMENT, cell_type=kind)
            book.add_grade_cell(name, "gradient_pathology", ASSIGNMENT, max_score=points, cell_type=kind)
        for number, student in enumerate(ids):
            if student == NOT_BOOKED:
                continue
            last = HOSTILE_NAME if student == HOSTILE_ID else f"Name {number}"
            book.add_student(
                student, first_name="太郎", last_name=last, email=f"{number}@example.org", lms_user_id=f"{number}"
            )
            if student not in (ABSENT, UNGRADED):
                _book(made, student, book.add_submission(ASSIGNMENT, student))
        book.db.commit()


def _book(made: MadeClass, student: str, submission) -> None:
    (notebook,) = submission.notebooks
    result = made.judged.get(student)
    for grade in notebook.grades:
        if grade.name in BY_HAND:
            grade.manual_score = None if student == OPEN else made.hand.get(student, 0.0) / 2
            grade.needs_manual_grade = student == OPEN
        else:
            grade.auto_score = result.checks[grade.name.removeprefix("check_")].score if result else 0.0
            grade.needs_manual_grade = False
            if student == OVERRULED and grade.name == "check_depth_study":
                grade.manual_score = 5.5
    if student == LATE:
        notebook.late_submission_penalty = 3.0


if __name__ == "__main__":
    make_class(Path(sys.argv[1]))
