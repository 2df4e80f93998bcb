"""The small class that the browser tests and the screenshots show, in the English edition."""

from __future__ import annotations

from pathlib import Path

from nbgrader.api import Gradebook

from tests.class_folder import grade, make_course
from tests.sample_class import Student, right_answers

EDITION = "gradient-pathology-en"
RIGHT = right_answers(EDITION)
EPS_OUTSIDE = RIGHT["batch_norm"].replace("np.sqrt(var + self.eps)", "np.sqrt(var) + self.eps")
"""A BatchNorm with one mistake, which the card can name."""

STUDENTS = (
    Student("aoki", "right", RIGHT),
    Student("fujii", "eps stands outside the root", RIGHT | {"batch_norm": EPS_OUTSIDE}),
    Student("mori", "half done", {"clip_gradients": RIGHT["clip_gradients"]}),
)
NAMES = {"aoki": ("Haruka", "Aoki"), "fujii": ("Ren", "Fujii"), "mori": ("Sora", "Mori")}


def graded_course(folder: Path) -> Path:
    """A course folder in which the class is graded, but for what is graded by hand."""
    course = make_course(folder, STUDENTS, EDITION)
    grade(course, "--allow-basic", assignment=EDITION)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student, (first, last) in NAMES.items():
            gradebook.update_or_create_student(student, first_name=first, last_name=last)
    return course
