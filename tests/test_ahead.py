"""`nbgrader autograde` grades ahead of its loop: what the loop takes is what stands in submitted/ then."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError
from traitlets import TraitError
from traitlets.config.loader import KVArgParseConfigLoader as CommandLine

from autograder.checks.judge import interrupted
from autograder.checks.results import Outcome, SubmissionResult
from autograder.exercises import every_exercise, exercise
from autograder.grading import job
from autograder.grading.course import Course, CourseError
from autograder.grading.grade_class import grade_class
from autograder.grading.gradebook import ClassGradebook
from autograder.grading.job import Grader
from autograder.grading.result_file import NOT_DONE, Stored, remove_result, stored_results, write_result
from autograder.nbgrader_plugins import ahead as plugin
from autograder.nbgrader_plugins import run as worker
from autograder.nbgrader_plugins.ahead import Ahead
from autograder.sandbox.client import Figures
from autograder.sandbox.isolation import Level
from source.release import COURSE
from tests.class_folder import ASSIGNMENT, Inline, executed, grades_in, make_course, run_nothing
from tests.sample_class import CODE, NOTEBOOK, Student, cell_of

RELEASE = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))


def notebook_of(words: str) -> str:
    return json.dumps(Student("", "", {"clip_gradients": CODE["clip_gradients"] + f"\n# {words}"}).notebook(RELEASE))


class AllAtOnce(Inline):
    """The whole line is graded, last ones first, when the first result is asked for."""

    def map(self, function, items):
        return iter([*super().map(function, reversed(list(items)))])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A course folder whose gradebook knows the assignment."""
    folder = make_course(tmp_path_factory.mktemp("ahead") / "course", ())
    before = os.getcwd()
    with ClassGradebook(Course(folder), ASSIGNMENT):
        pass
    os.chdir(before)
    return folder


@pytest.fixture
def loop(folder, monkeypatch):
    """Hands in s0, s1 and s2, and runs nbgrader's own loop over them; what is graded is named, and nothing is run."""
    graded: list[str] = []

    def note(submission):
        source = next(cell.source for cell in submission.cells if cell.grade_id == "clip_gradients")
        graded.append(source.splitlines()[-1].removeprefix("# "))

    host = run_nothing(monkeypatch, note)
    monkeypatch.setattr(plugin, "Pool", AllAtOnce)
    monkeypatch.setattr(plugin, "shared_host", lambda *_a, **_k: host)
    monkeypatch.setattr(plugin, "CORES", 2)
    monkeypatch.setattr(plugin, "FEWEST", 1)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")  # which nbgrader leaves behind when its loop breaks off
    monkeypatch.chdir(folder)
    for name in ("submitted", "autograded"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for student in ("s0", "s1", "s2"):
        hand_in(folder, student, student)
    course = Course(folder)

    def run(before_each=lambda: None, **options):
        graded.clear()
        directory = CourseDirectory(config=course.config, assignment_id=ASSIGNMENT, root=str(folder))
        converter = Autograde(coursedir=directory, config=course.config, **options)
        converter.pre_convert_hook = lambda **_names: before_each()
        converter.start()
        return list(graded)

    return SimpleNamespace(run=run, folder=folder, course=course, host=host)


def hand_in(folder, student, words):
    path = folder / "submitted" / student / ASSIGNMENT / NOTEBOOK
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook_of(words), encoding="utf-8")


def words_in(folder, student):
    cell = cell_of(executed(folder, student), "clip_gradients")
    return "".join(cell["source"]).splitlines()[-1].removeprefix("# ")


def test_everybody_is_graded_once_before_the_loop_comes_to_them(loop):
    assert loop.run() == ["s2", "s1", "s0"]
    assert dict(stored_results(loop.course, ASSIGNMENT)).keys() == {"s0", "s1", "s2"}
    assert loop.run() == [], "nbgrader skips what it has graded"
    assert loop.run(force=True) == ["s2", "s1", "s0"]


def test_what_changes_after_it_was_graded_ahead_is_graded_as_it_is_now(loop):
    turns = iter(range(3))

    def change():
        if next(turns) == 1:  # the loop is at s1
            hand_in(loop.folder, "s1", "changed")
            (loop.folder / "submitted" / "s2" / ASSIGNMENT / "data.csv").write_text("1", encoding="utf-8")

    assert loop.run(change) == ["s2", "s1", "s0", "changed", "s2"]
    assert [words_in(loop.folder, student) for student in ("s0", "s1", "s2")] == ["s0", "changed", "s2"]
    settings = job.Settings(loop.folder, Level.STRONG)
    assert grade_class(loop.course, ASSIGNMENT, settings, 1).unchanged == 3, "each result rests on what is there now"


def test_what_goes_wrong_with_one_is_theirs_alone(loop, monkeypatch):
    read = Grader._read
    monkeypatch.setattr(Grader, "_read", lambda self, handed: 1 / 0 if handed.student == "s1" else read(self, handed))
    with pytest.raises(NbGraderException):
        loop.run()
    assert dict(stored_results(loop.course, ASSIGNMENT)).keys() == {"s0", "s2"}
    assert not (loop.folder / "autograded" / "s1" / ASSIGNMENT / NOTEBOOK).exists()
    monkeypatch.setattr(Grader, "_read", read)
    assert loop.run() == ["s1"], "the next run grades whom this one could not, in this process"


def test_a_checker_that_crashed_is_named_by_both_commands(loop, monkeypatch, caplog):
    unrun = job.grade_submission

    def crashed(*arguments):
        graded = unrun(*arguments)
        found = graded.result.checks["clip_gradients"]
        first = replace(found.items[0], outcome=Outcome.GRADER_ERROR)
        broken = replace(found, items=(first, *found.items[1:]))
        return replace(graded, result=SubmissionResult(graded.result.checks | {found.id: broken}))

    monkeypatch.setattr(job, "grade_submission", crashed)
    loop.run(log=logging.getLogger("autograde"))
    reason = f"The checker crashed (clip_gradients: {exercise('clip_gradients').checks[0].id})"
    assert f"s1: {reason}; full points were given." in caplog.messages
    summary = grade_class(loop.course, ASSIGNMENT, job.Settings(loop.folder, Level.STRONG), 1)
    assert reason in summary.looks["s1"]


def test_a_run_that_was_cut_off_is_continued(loop):
    loop.run()
    targets = {student: loop.folder / "autograded" / student / ASSIGNMENT for student in ("s0", "s1", "s2")}
    for path in targets["s0"].iterdir():
        if path.name == "timestamp.txt":  # nbgrader copies it first of all
            path.chmod(0o644)
        else:
            path.unlink()
    remove_result(targets["s1"])
    unfinished = interrupted(next(iter(every_exercise())), "cut off")
    result = SubmissionResult({unfinished.id: unfinished}).to_json()
    write_result(loop.folder, targets["s2"], Stored(NOT_DONE, "strong", result))
    assert sorted(loop.run()) == ["s0", "s1", "s2"]
    assert dict(stored_results(loop.course, ASSIGNMENT)).keys() == {"s0", "s1", "s2"}


def test_a_folder_that_cannot_be_read_is_theirs_alone(loop, monkeypatch):
    digest = plugin.content_digest

    def unreadable(settled, folder, notebook):
        if folder.parent.name == "s1":
            raise PermissionError(folder)
        return digest(settled, folder, notebook)

    monkeypatch.setattr(plugin, "content_digest", unreadable)
    with pytest.raises(NbGraderException):
        loop.run()
    assert dict(stored_results(loop.course, ASSIGNMENT)).keys() == {"s0", "s2"}


@pytest.mark.parametrize("lacking", ["exporter_class", "autograde_preprocessors"])
def test_a_configuration_that_would_run_code_elsewhere_grades_nobody(loop, monkeypatch, lacking):
    monkeypatch.delitem(loop.course.config.Autograde, lacking)
    with pytest.raises(NbGraderException, match=r"nbgrader_config\.py"):
        loop.run()
    assert not dict(stored_results(loop.course, ASSIGNMENT))


def test_where_code_is_not_kept_from_files_nobody_is_graded_and_nothing_is_removed(loop, monkeypatch):
    monkeypatch.setitem(loop.course.config.RunInWorker, "allow_basic", False)
    loop.run()
    before = grades_in(loop.folder / "gradebook.db")
    loop.host.level = Level.BASIC
    with pytest.raises(NbGraderException, match="RunInWorker.allow_basic"):
        loop.run(force=True)
    assert dict(stored_results(loop.course, ASSIGNMENT)).keys() == {"s0", "s1", "s2"}
    assert grades_in(loop.folder / "gradebook.db") == before


def test_a_preprocessor_of_the_courses_own_sees_reports_and_scores(loop, monkeypatch):
    lists = loop.course.config.Autograde
    monkeypatch.setitem(lists, "autograde_preprocessors", [*lists["autograde_preprocessors"], f"{__name__}.stamp"])
    loop.run()
    assert executed(loop.folder, "s0")["metadata"]["scores"] == len([c for c in RELEASE["cells"] if is_check(c)])


def is_check(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("check_")


def stamp(nb, resources):
    nb.metadata["scores"] = sum(
        output.output_type == "execute_result" for cell in nb.cells if is_check(cell) for output in cell.outputs
    )
    return nb, resources


def test_who_is_excluded_is_not_graded(loop, monkeypatch):
    monkeypatch.setattr(loop.course.config.CourseDirectory, "student_id_exclude", "s1,nobody", raising=False)
    assert loop.run() == ["s2", "s0"]


def test_who_is_excluded_is_not_graded_by_our_command_either_and_what_was_graded_stays(loop, monkeypatch):
    loop.run()
    monkeypatch.setattr(loop.course.config.CourseDirectory, "student_id_exclude", "s1,nobody", raising=False)
    hand_in(loop.folder, "s1", "changed")
    summary = grade_class(loop.course, ASSIGNMENT, job.Settings(loop.folder, Level.STRONG), 1)
    assert (summary.done, summary.unchanged, summary.gone) == (2, 2, {})
    assert words_in(loop.folder, "s1") == "s1"
    with pytest.raises(CourseError, match="student_id_exclude excludes s1"):
        grade_class(loop.course, ASSIGNMENT, job.Settings(loop.folder, Level.STRONG), 1, "s1")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("none", Figures.NONE),
        ("NONE", Figures.NONE),
        ("By-Hand", Figures.BY_HAND),
        ("all", Figures.ALL),
        (None, Figures.BY_HAND),
    ],
)
def test_figures_are_chosen_by_the_names_in_the_help_in_any_case(given, meant, monkeypatch):
    monkeypatch.setattr(worker, "Ahead", lambda _converter, figures, *_others: figures)
    line = [f"--RunInWorker.figures={given}"] if given else []
    assert worker.RunInWorker(config=CommandLine(line, classes=[worker.RunInWorker]).load_config()).ahead(None) is meant


def test_other_figures_are_refused_with_the_names_that_are_known():
    with pytest.raises(TraitError, match="'none'.*'by-hand'.*'all'"):
        worker.RunInWorker(
            config=CommandLine(["--RunInWorker.figures=some"], classes=[worker.RunInWorker]).load_config()
        )


@pytest.mark.parametrize(("at_the_end", "drawn"), [(True, 1), (False, 0)])
def test_figures_are_drawn_after_the_loop_but_not_where_an_error_has_ended_it(loop, monkeypatch, at_the_end, drawn):
    """nbgrader raises its own error in both cases."""
    draws = []
    monkeypatch.setattr(Ahead, "_draw", lambda self: draws.append(self))

    def save(self, handed, graded):
        if handed.student == "s1":
            raise ValueError("its own") if at_the_end else OperationalError("select", {}, Exception("disk I/O error"))

    monkeypatch.setattr(ClassGradebook, "save", save)
    monkeypatch.setattr(ClassGradebook, "penalise", lambda *_arguments: None)
    with pytest.raises(NbGraderException):
        loop.run()
    assert len(draws) == drawn
