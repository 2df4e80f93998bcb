"""Grading all that a class handed in: what is new or changed, in parallel, so that nbgrader can go on from there.

Grader processes, here or on a cluster, read, run and judge; this process alone writes the gradebook and the results. A
submission counts as done when its result is written, after all else.

Nothing that a hand-in holds ends the run: `_Run.alone` catches what goes wrong with one, and says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from autograder.checks.results import SubmissionResult
from autograder.exercises import every_exercise
from autograder.grading import process
from autograder.grading.by_hand import by_hand
from autograder.grading.changes import Booked, Change, Part, change_between, checks_between, parts_between
from autograder.grading.course import CopiedCourse, Course, CourseError, Handed
from autograder.grading.digest import content_digest, settings_digest
from autograder.grading.gradebook import ClassGradebook, LatePolicyError
from autograder.grading.job import Assignment, GradedFolder, Settings
from autograder.grading.lookalike import lookalikes, note_on
from autograder.grading.own_causes import never_shown, read_causes, with_causes
from autograder.grading.pool import Pool
from autograder.grading.reference import Reference
from autograder.grading.remote import RemotePool
from autograder.grading.result_file import NOT_DONE, Stored, read_result, write_result
from autograder.grading.timestamp import read_timestamp
from autograder.locale import _, current_language
from autograder.notebooks.load import as_text
from autograder.notebooks.submission import CHECK_PREFIX
from autograder.report.class_record import result_of
from autograder.report.class_words import reasons_in
from autograder.sandbox.folder import scratch_folder


@dataclass
class Summary:
    """What came of a run of grading.

    Attributes:
        graded, unchanged: how many submissions were graded now, and how many skipped because nothing has changed.
        first: how many were graded for the first time: they had neither a result nor points in the gradebook.
        penalised: how many were skipped but for their late penalty: the due date, the policy or the time stamp is new.
        looks: student -> why somebody should look at the submission by hand, graded now or before.
        mended: student -> what was put right.
        broken: student -> what went wrong in the grader itself; these are not graded.
        gone: student -> the folder in submitted/ that there no longer is, although it has been graded.
        changes: student -> how points that were there before have changed.
        other_worth: (hand-graded cell, its points before, its points now) -> how many keep what they were given for it.
        never_shown: digests in causes.toml that no result of the course shows.
        to_draw, drawn: how many submissions have figures for hand grading that are drawn after all points are booked,
            and of how many they are.
    """

    graded: int = 0
    unchanged: int = 0
    first: int = 0
    penalised: int = 0
    looks: dict[str, str] = field(default_factory=dict)
    mended: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    other_worth: Counter[tuple[str, float, float]] = field(default_factory=Counter)
    never_shown: tuple[str, ...] = ()
    to_draw: int = 0
    drawn: int = 0

    def look(self, student: str, *reasons: str) -> None:
        """Name `student` for a look, for these reasons, too, if there are any."""
        if told := " ".join(filter(None, [self.looks.get(student), *reasons])):
            self.looks[student] = told

    @property
    def done(self) -> int:
        """How many submissions have been dealt with."""
        return self.graded + self.unchanged + self.penalised + len(self.broken)


def grade_class(
    course: Course,
    assignment: str,
    settings: Settings,
    jobs: int,
    student: str = "*",
    progress: Callable[[Summary, int], None] = lambda summary, total: None,
    preview: bool = False,
    scheduler: str | None = None,
) -> Summary:
    """Grade what is handed in for `assignment`.

    Args:
        student: a student's id, or a pattern.
        progress: called with the summary so far and the number of submissions in all, after every submission.
        preview: whether nothing is kept, neither in the gradebook nor in the course folder.
        scheduler: the address of a Dask cluster to grade on; None for `jobs` processes here.

    Raises:
        CourseError: the assignment is not there, nobody has handed it in but who is excluded, or the cluster cannot be
            used.
    """
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder())
        aside = scratch / "preview" if preview else None
        if aside:
            aside.mkdir(mode=0o700)
        gradebook = stack.enter_context(ClassGradebook(CopiedCourse(course, aside) if aside else course, assignment))
        run = _Run(course, assignment, settings, gradebook, aside)
        handed_in = run.handed_in(student)
        total, longest = len(handed_in), 2 * settings.limits.total_seconds + 60.0
        pool: Pool | RemotePool
        if scheduler is not None:
            pool = RemotePool(scheduler, total, longest, settings, run.prepared)
        else:
            needed = (settings, run.prepared, scratch, current_language())
            pool = Pool(max(1, min(jobs, total)), longest, scratch, process.prepare, *needed)
        with pool:
            progress(run.summary, total)
            for handed, done in pool.map(process.grade, run.changed(handed_in)):
                run.save(handed, done)
                progress(run.summary, total)
            run.summary.never_shown = never_shown(course, assignment, run.prepared.causes)
            drawing = [] if preview else run.undrawn
            run.summary.to_draw = len(drawing)
            progress(run.summary, total)
            for handed, failure in pool.map(process.draw, drawing):
                run.drew(handed, failure)
                progress(run.summary, total)
    return run.summary


def assignment_of(course: Course, name: str, gradebook: ClassGradebook) -> Assignment:
    """What grader processes must know of the assignment `name`, whose private cases are made before they start.

    Raises:
        CourseError: none of its exercises is this kit's.
        NoReference: they cannot be made.
    """
    exercises = [e for e in every_exercise() if CHECK_PREFIX + e.id in gradebook.released]
    if not exercises:
        raise CourseError(
            _(
                "{name} has no exercise of this kit, so nothing was graded. Grade it with nbgrader in a course folder "
                "of its own."
            ).format(name=name)
        )
    Reference(course.folder).prepare(exercises)
    notebook = gradebook.notebook
    metadata, given = course.metadata(name, notebook), course.given_texts(name, notebook)
    return Assignment(notebook, gradebook.released, metadata, given, read_causes(course.folder))


def keep_result(course: Course, assignment: Assignment, target: Path, digest: str, graded: GradedFolder) -> Stored:
    """Write the result of a submission into the folder `target`, after all else."""
    result = graded.result.to_json()
    digest = with_causes(digest, result, assignment.causes)
    points = {name: cell.points or 0.0 for name, cell in by_hand(assignment.released).items()}
    stored = Stored(digest, graded.isolation, result, graded.drawn, points)
    write_result(course.folder, target, stored)
    return stored


def figures_done(course: Course, handed: Handed, failure: BaseException | None) -> str:
    """Note with a submission's result that its figures are drawn; where they are not, a sentence that says so."""
    try:
        if failure is not None:
            raise failure
        if stored := read_result(course.folder, handed.target):
            write_result(course.folder, handed.target, replace(stored, drawn=True))
        return ""
    except Exception as error:  # whatever a hand-in may bring about; the next run tries again
        reason = as_text(f"{type(error).__name__}: {error}")
        return _("The figures could not be drawn ({reason}); run the command again.").format(reason=reason)


class _Run:
    """One run of grading, with what it writes to."""

    def __init__(
        self, course: Course, assignment: str, settings: Settings, gradebook: ClassGradebook, aside: Path | None = None
    ) -> None:
        """`aside`: where notebooks and results go in place of autograded/."""
        self.prepared = assignment_of(course, assignment, gradebook)
        self.summary = Summary()
        self._course, self._assignment, self._level = course, assignment, settings.level or settings.weakest
        self._gradebook, self._settled = gradebook, settings_digest(settings, self.prepared)
        self._aside = aside
        self._begun: dict[str, tuple[str, tuple[Booked, Stored] | None]] = {}  # the digest, and what was there before
        self._booked = gradebook.submitters()  # before this run
        self.undrawn: list[Handed] = []

    def handed_in(self, student: str) -> list[Handed]:
        """What there is to grade: everybody's but who is excluded, as with `nbgrader autograde`.

        Everybody is named whose folder, or its name, is not as it should be.
        """
        everything = list(self._course.handed_in(self._assignment, student))
        if not everything:
            raise CourseError(
                _("Nobody has submitted {name}: there is no folder {folder}.").format(
                    name=self._assignment, folder=self._folder(student)
                )
            )
        excluded = self._course.excluded
        if all(handed.student in excluded for handed in everything):
            raise CourseError(
                _("There is nothing to grade: {setting} excludes {students}.").format(
                    setting="c.CourseDirectory.student_id_exclude",
                    students=", ".join(handed.student for handed in everything),
                )
            )
        handed_in = [handed for handed in everything if handed.has_id and handed.student not in excluded]
        for handed in everything:
            if not handed.has_id:
                reason = _(
                    "The name of this folder is not UTF-8, so it cannot be a student's id. Rename it, and grade again."
                )
                self.summary.look(as_text(handed.student), reason)
        here = {handed.student for handed in handed_in}
        alike = lookalikes(here | self._gradebook.students())
        for name in sorted(here & alike.keys()):
            self.summary.look(name, note_on(name, alike[name]))
        for name, reason in self._gradebook.doubts(here).items():
            if fnmatchcase(name, student):
                self.summary.look(name, reason)
        for name in sorted(self._booked - here.union(excluded)):
            if fnmatchcase(name, student):
                self.summary.gone[name] = str(self._folder(name))
        return handed_in

    def changed(self, handed_in: list[Handed]) -> Iterator[Handed]:
        """Those of `handed_in` that have to be graded."""
        for handed in handed_in:
            with self.alone(handed):
                self.summary.look(handed.student, read_timestamp(handed.folder)[1])
                if self._is_new(handed):
                    yield self._put(handed)

    def save(self, handed: Handed, done: GradedFolder | BaseException) -> None:
        """Write what came of a submission: executed notebook, gradebook and result, in this order."""
        digest, earlier = self._begun.pop(handed.student)
        with self.alone(handed):
            if isinstance(done, BaseException):
                self._fail(handed, done)
            else:
                self._gradebook.save(handed, done)
                self._penalise(handed)
                now = keep_result(self._course, self.prepared, handed.target, digest, done)
                self._note(handed, done)
                if earlier:
                    booked, before = earlier
                    self._note_worth(handed, before.by_hand, now.by_hand)
                    why = checks_between(before.result, now.result), parts_between(before.digest, now.digest)
                    self._note_change(handed, booked, self._gradebook.booked(handed), *why)
                elif handed.student not in self._booked:
                    self.summary.first += 1

    def drew(self, handed: Handed, failure: BaseException | None) -> None:
        """Note that a submission's figures are drawn, or that they are not; its points are booked in any case."""
        problem = figures_done(self._course, handed, failure)
        self.summary.look(handed.student, problem)
        self.summary.drawn += not problem

    @contextmanager
    def alone(self, handed: Handed) -> Iterator[None]:
        """The one place where what goes wrong with a submission is caught, so that it is that student's alone.

        Only what is wrong with the course as a whole goes on from here, such as a gradebook that is not to be had.
        """
        try:
            yield
        except CourseError:
            raise
        except Exception as error:  # whatever a hand-in may bring about
            self._gradebook.forget()
            self._fail(handed, error)

    def _fail(self, handed: Handed, error: BaseException) -> None:
        """Say in place of a result why there is none: the submission is graded again next time."""
        reason = as_text(f"{type(error).__name__}: {error}")
        self.summary.broken[handed.student] = reason
        message = _("Not graded because the grader failed; run the command again")
        failure = SubmissionResult(message=f"{message}: {reason}")
        with suppress(OSError):  # the disk may be full
            stored = Stored(NOT_DONE, self._level, failure.to_json())
            write_result(self._course.folder, self._put(handed).target, stored)

    def _is_new(self, handed: Handed) -> bool:
        digest = content_digest(self._settled, handed.folder, self.prepared.notebook)
        stored = read_result(self._course.folder, handed.target)
        same = stored and stored.digest == with_causes(digest, stored.result, self.prepared.causes)
        if stored and same and self._gradebook.has(handed):
            if not stored.drawn:
                self.undrawn.append(handed)
            self.summary.look(handed.student, *reasons_in(result_of(stored.result)))
            states = self._penalise(handed)
            if states:
                self.summary.penalised += 1
                self._note_change(handed, *states)
            else:
                self.summary.unchanged += 1
            return False
        was_done = stored and stored.digest != NOT_DONE
        self._begun[handed.student] = digest, (self._gradebook.booked(handed), stored) if stored and was_done else None
        return True

    def _put(self, handed: Handed) -> Handed:
        """The same with the folder that is written to."""
        return replace(handed, target=self._aside / handed.student) if self._aside else handed

    def _note_change(
        self, handed: Handed, before: Booked, after: Booked, checks: tuple[Part, ...] = (), why: tuple[str, ...] = ()
    ) -> None:
        if change := change_between(before, after, checks, why):
            self.summary.changes[handed.student] = change

    def _note_worth(self, handed: Handed, earlier: Mapping[str, float], now: Mapping[str, float]) -> None:
        """Count the points by hand that stay although their cell is worth other points than before."""
        changed = {cell: (earlier[cell], now[cell]) for cell in earlier.keys() & now if earlier[cell] != now[cell]}
        for cell in changed.keys() & self._gradebook.given(handed) if changed else ():
            self.summary.other_worth[cell, *changed[cell]] += 1

    def _penalise(self, handed: Handed) -> tuple[Booked, Booked] | None:
        """The state before and after, if the late penalty, worked out anew, is another than before."""
        try:
            return self._gradebook.penalise(handed)
        except LatePolicyError as error:
            self.summary.look(handed.student, as_text(str(error)))
            return None

    def _folder(self, student: str) -> Path:
        directory = self._course.directory
        return Path(directory.submitted_directory) / student / self._assignment

    def _note(self, handed: Handed, done: GradedFolder) -> None:
        self.summary.graded += 1
        if not done.drawn:
            self.undrawn.append(handed)
        if done.result.mended:
            self.summary.mended[handed.student] = done.result.mended
        self.summary.look(handed.student, *reasons_in(done.result))
