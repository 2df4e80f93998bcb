"""Whatever a hand-in holds, everybody else is graded, and its student has what is due, or is named for a look."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import time
import tracemalloc
import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from conftest import code_cell, draws, small_notebook
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from nbgrader.converters import Autograde
from sqlalchemy.exc import IntegrityError, OperationalError

from autograder.cli.class_table import write_results
from autograder.grading import grade_class as classwork
from autograder.grading import gradebook
from autograder.grading.course import Course, CourseError
from autograder.grading.grade_class import grade_class
from autograder.grading.gradebook import ClassGradebook
from autograder.grading.job import Grader, Settings
from autograder.grading.lookalike import lookalikes, note_on
from autograder.grading.read_class import read_class
from autograder.grading.reference import Reference
from autograder.grading.result_file import DRAFT, FILE_NAME, stored_results
from autograder.grading.timestamp import read_timestamp
from autograder.notebooks.attachments import TIMESTAMP
from autograder.notebooks.load import MAX_BRACKETS, MAX_NOTEBOOK_BYTES, UnreadableNotebook, read_notebook
from autograder.report.class_record import Standing
from autograder.sandbox.isolation import Level
from source.release import COURSE
from tests.class_folder import ASSIGNMENT, Inline, grade, grades_in, hand_in, make_course, run_nothing, times_in, total
from tests.sample_class import CODE, NOTEBOOK, Student

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="links and odd names need no privilege there")
RELEASE = json.loads((COURSE / "release" / ASSIGNMENT / NOTEBOOK).read_text(encoding="utf-8"))
ANSWERED = Student("", "", answers={"clip_gradients": CODE["clip_gradients"]}).notebook(RELEASE)
"""6 points, in a moment."""

SIX = json.dumps(ANSWERED).encode()
IN_OTHER_ENCODINGS = [json.dumps(ANSWERED, ensure_ascii=False).encode(code, "replace") for code in ("utf-16", "cp932")]
STUB = json.dumps(RELEASE).encode()


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("AUTOGRADER_LANG", "en")


# --- time stamps ------------------------------------------------------------------------------------------------------

TOKYO = "2027-01-15 23:00:00 Asia/Tokyo"


@pytest.fixture
def stamped(tmp_path):
    """What is read where `timestamp.txt` holds some bytes."""

    def read(content: bytes) -> tuple[datetime | None, str]:
        (tmp_path / TIMESTAMP).write_bytes(content)
        return read_timestamp(tmp_path)

    return read


def test_without_a_file_there_is_no_time_and_nothing_to_say(tmp_path):
    assert read_timestamp(tmp_path) == (None, "")
    assert read_timestamp(tmp_path / "nowhere") == (None, "")


@pytest.mark.parametrize(
    "content",
    [
        TOKYO.encode("utf-8-sig"),
        TOKYO.encode("utf-16"),
        TOKYO.encode("utf-16-le"),
        TOKYO.encode("utf-16-be"),
        f"{TOKYO}\r\n\r\n".encode("utf-16"),
        TOKYO.encode() + b"\0\0\0",
        f"\n  {TOKYO} \r\n".encode(),
        "２０２７－０１－１５　２３：００：００　Asia/Tokyo".encode("cp932"),
        b"2027-01-15 23:00:00 JST",
        b"2027-01-15 23:00:00 +0900",
        b"2027-01-15T23:00:00+09:00",
        b"2027-01-15 14:00:00",
        b"2027-01-15 14:00:00.000000 UTC",
        b"Fri Jan 15 23:00:00 JST 2027",
        b"Fri, 15 Jan 2027 14:00:00 GMT",
        b"2027-01-15 11:00 PM Asia/Tokyo",
    ],
)
def test_what_editors_shells_and_nbgrader_write_is_read_with_its_zone(stamped, content):
    assert stamped(content) == (datetime(2027, 1, 15, 14), "")


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"handed in on paper", '"handed in on paper"'),
        ("2027年1月15日 23時".encode("cp932"), "2027年1月15日"),
        ("1月15日に提出".encode(), "1月15日に提出"),
        (b"0001-01-01 00:00:00 Asia/Tokyo", "0001-01-01"),
        (b"0001-01-01 00:00:00", "0001-01-01"),
        (b"9999-12-31 23:59:59 -0900", "9999"),
        (b"2027-02-30 10:00:00", "2027-02-30"),
        (b"2027-01-15 25:00:00 UTC", "25:00"),
        (b"2027-01-15 23:00:00 PDT", "PDT"),
        (b"2027-01-15 23:00:00 Mars/Base", "Mars"),
        (b"2027-01-15 23:00:00 ../../etc/passwd", "passwd"),
        (b"23:00", "23:00"),
        (b"January 2027", "January"),
        (b"friday", "friday"),
        (b"", "empty"),
        (b" \r\n\0\0", "empty"),
        (b"\xff\xfe", "empty"),
        (b"\x81\xff\x00", "not text"),
        (b"1" * 900, "..."),
        (b"2027-01-15 23:00:00 " + b"A" * 900, "AAA"),  # no system has a file of such a name
        (b"1 A" + b"-" * 900 + b"!", "---"),  # nor may any text take longer to read than it is long
        (b"1 A" + b"/-" * 400 + b"!", "/-"),
        (b" " * 10_000, "too large"),
    ],
)
def test_what_says_no_time_is_named_with_what_to_do(stamped, content, seen):
    time, why = stamped(content)
    assert time is None
    assert seen in why and TIMESTAMP in why and "2027-01-15 23:00:00 Asia/Tokyo" in why and "grade again" in why


@LINUX
def test_a_folder_a_link_or_a_pipe_for_a_time_stamp_is_not_waited_for(tmp_path):
    (tmp_path / "elsewhere").write_text(TOKYO, encoding="utf-8")
    make = {
        "folder": os.mkdir,
        "link": lambda path: os.symlink(tmp_path / "elsewhere", path),
        "to nowhere": lambda path: os.symlink(tmp_path / "nowhere", path),
        "to itself": lambda path: os.symlink(path, path),
        "pipe": os.mkfifo,
    }
    for name, how in make.items():
        (tmp_path / name).mkdir()
        how(tmp_path / name / TIMESTAMP)
        time, why = read_timestamp(tmp_path / name)
        assert time is None and "a folder or a link" in why


ZONES = ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Kiritimati"]


@draws(200, suppress=tuple(HealthCheck))
@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
    zone=st.sampled_from(ZONES),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp932"]),
    after=st.sampled_from(["", "\n", "\r\n", "  ", "\0", "\0\0\n"]),
    form=st.sampled_from(["%Y-%m-%d %H:%M:%S.%f {zone}", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y/%m/%d %H:%M:%S.%f %z"]),
)
def test_every_time_that_can_be_read_is_the_right_one(tmp_path_factory, moment, zone, encoding, after, form):
    aware = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    folder = tmp_path_factory.getbasetemp()
    (folder / TIMESTAMP).write_bytes((aware.strftime(form).replace("{zone}", zone) + after).encode(encoding))
    time, why = read_timestamp(folder)
    hour = timedelta(hours=1)  # a local time of autumn, when clocks are put back, may mean two
    assert why == "" and (time == moment or ("{zone}" in form and aware.fold and abs(time - moment) == hour))


@draws(300, suppress=tuple(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.from_regex(r"[0-9 :/.+TZ-]{1,30}( [A-Za-z/_+0-9]{1,20})?", fullmatch=True).map(str.encode),
    )
)
def test_any_time_stamp_is_a_time_or_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    (folder / TIMESTAMP).write_bytes(content)
    time, why = read_timestamp(folder)
    assert (time is None) == bool(why) and (time is None or time.tzinfo is None)
    why.encode("utf-8")


# --- ids that look alike ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ("taro", "Taro", "case"),
        ("José", unicodedata.normalize("NFD", "José"), "NFC"),
        ("hanako", "hanako ", "spaces"),
        ("hanako", " Hanako", "spaces"),
        ("山田 太郎", "山田\u3000太郎", "width"),
        ("s1234", "ｓ１２３４", "width"),
        ("strasse", "STRASSE", "case"),
        ("taro", "ta\u200bro", "spaces"),
    ],
)
def test_ids_that_people_take_for_the_same_are_named_with_what_differs(one, other, difference):
    assert lookalikes([one, other, "somebody"]) == {one: (other,), other: (one,)}
    note = note_on(other, (one,))
    assert f'"{one}"' in note and f'"{other}"' in note and difference in note


def test_ids_that_differ_in_more_are_different():
    assert lookalikes(["taro", "taro1", "tarou", "jose", "josé", "a-b", "a_b", "ab"]) == {}


# --- notebooks: encodings, conflicts, outputs -------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp932"])
def test_a_notebook_is_read_in_the_encodings_that_editors_write(tmp_path, encoding):
    notebook = small_notebook(extra=[code_cell("課題 = '勾配消失'")])
    (tmp_path / NOTEBOOK).write_bytes(json.dumps(notebook, ensure_ascii=False).encode(encoding))
    assert read_notebook(tmp_path / NOTEBOOK) == notebook


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_marks_of_a_conflict_are_named(write_notebook, end):
    lines = json.dumps(ANSWERED, indent=1).split("\n")
    lines[5:6] = ["<<<<<<< HEAD", lines[5], "=======", lines[5] + " ", ">>>>>>> theirs"]
    with pytest.raises(UnreadableNotebook, match=r"(?s)Git conflict.*line 6.*hand it in again"):
        read_notebook(write_notebook(end.join(lines)))


def test_marks_that_a_student_writes_about_are_no_conflict(write_notebook):
    text = "<<<<<<< HEAD\n=======\n>>>>>>> theirs"
    assert read_notebook(write_notebook(small_notebook(extra=[code_cell(text)])))
    with pytest.raises(UnreadableNotebook, match="not JSON"):
        read_notebook(write_notebook(json.dumps(small_notebook(extra=[code_cell(text)]))[:-2]))


def with_output(text: str) -> str:
    notebook = small_notebook(extra=[code_cell("plot()")])
    notebook["cells"][-len(RELEASED_CHECKS) - 1]["outputs"] = "@"
    return json.dumps(notebook).replace('"@"', text)


RELEASED_CHECKS = [cell for cell in small_notebook()["cells"] if cell["source"].startswith("check(")]
BRACKETS = {
    "a plot of a million points": lambda: "[%s0]" % ("[1, 2]," * MAX_BRACKETS),
    "too deep": lambda: "[" * MAX_BRACKETS + "]" * MAX_BRACKETS,
    "almost too many, deep": lambda: "[" * (MAX_BRACKETS - 1000) + "]" * (MAX_BRACKETS - 1000),
    "without an end": lambda: "[" * 99 + "[1]," * MAX_BRACKETS + "[",
    "texts without an end": lambda: "[" + '["[' * MAX_BRACKETS,
    "in a text": lambda: json.dumps(["[" * MAX_BRACKETS]),
}


@pytest.mark.parametrize("make", BRACKETS.values(), ids=BRACKETS)
def test_too_many_brackets_are_refused_in_little_time_and_memory(write_notebook, make):
    path = write_notebook(with_output(make()))
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(UnreadableNotebook, match="too much data for a notebook.*outputs|not JSON"):
        read_notebook(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 15  # measured: below 1 s
    assert peak < MAX_NOTEBOOK_BYTES + 5 * path.stat().st_size


# --- the guard --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick_course(tmp_path_factory):
    """A course whose gradebook knows the assignment; the reference is left out, as nothing is run."""
    folder = make_course(tmp_path_factory.mktemp("quick") / "course", ())
    before = os.getcwd()
    course = Course(folder)
    with ClassGradebook(course, ASSIGNMENT):
        pass
    yield course
    os.chdir(before)


@pytest.fixture
def grade_quickly(quick_course, monkeypatch):
    """Grades as `autograder grade` does, in this process and without running anything."""

    monkeypatch.setattr(classwork, "Pool", Inline)
    monkeypatch.setattr(Reference, "prepare", lambda *_arguments: None)
    run_nothing(monkeypatch)
    monkeypatch.chdir(quick_course.folder)
    shutil.rmtree(quick_course.folder / "submitted", ignore_errors=True)

    def run(student="*"):
        return grade_class(quick_course, ASSIGNMENT, Settings(quick_course.folder, Level.STRONG), 1, student)

    return run


def test_whatever_goes_wrong_with_one_is_theirs_alone(quick_course, grade_quickly, monkeypatch, tmp_path):
    names = ["digest", "exits", "grader", "look", "save", "zz-last"]
    for name in names:
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})

    def failing_for(student, error, function, place):
        def wrapper(*arguments, **options):
            if arguments[place].student == student:
                raise error
            return function(*arguments, **options)

        return wrapper

    with monkeypatch.context() as patch:
        too_large = failing_for("digest", OverflowError("too large"), classwork._Run._is_new, 1)
        patch.setattr(classwork._Run, "_is_new", too_large)
        patch.setattr(Grader, "_read", failing_for("grader", ZeroDivisionError("\ud800"), Grader._read, 1))
        patch.setattr(Grader, "_write", failing_for("exits", SystemExit(3), Grader._write, 1))
        patch.setattr(ClassGradebook, "save", failing_for("save", UnicodeError("odd"), ClassGradebook.save, 1))
        patch.setattr(classwork, "read_timestamp", lambda folder: 1 / 0 if folder.parts[-2] == "look" else (None, ""))
        summary = grade_quickly()
    assert summary.graded == 1 and summary.broken.keys() == set(names) - {"zz-last"}
    assert "OverflowError: too large" in summary.broken["digest"] and "SystemExit" in summary.broken["exits"]
    write_results(tmp_path / "out.json", quick_course, ASSIGNMENT)
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["submissions"]
    assert all("Not graded" in rows[name]["message"] and rows[name]["status"] == "failed" for name in summary.broken)
    record = {student.id: student for student in read_class(quick_course, ASSIGNMENT).students}
    assert record["grader"].standing is Standing.NOT_GRADED and record["grader"].score is None, "no 0 for our fault"
    assert grade_quickly().graded == 5, "the others are unchanged"
    assert grade_quickly().unchanged == 6


def result_in(course, student):
    return course.folder / "autograded" / student / ASSIGNMENT / FILE_NAME


def test_a_result_counts_for_this_submission_of_this_course_only(quick_course, grade_quickly):
    for name in ("edited", "foreign", "gone", "mine"):
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})
    assert grade_quickly().graded == 4 and grade_quickly().unchanged == 4
    right = {name: result_in(quick_course, name).read_bytes() for name in ("edited", "foreign", "gone", "mine")}
    result_in(quick_course, "edited").chmod(0o600)
    result_in(quick_course, "edited").write_bytes(right["edited"].replace(b'"score": 0.0', b'"score": 9.0', 1))
    result_in(quick_course, "foreign").chmod(0o600)
    result_in(quick_course, "foreign").write_bytes(right["mine"])
    result_in(quick_course, "gone").unlink()
    known = {student.id: student.result for student in read_class(quick_course, ASSIGNMENT).students}
    assert [known[name] is None for name in right] == [True, True, True, False]
    summary = grade_quickly()
    assert (summary.graded, summary.unchanged) == (3, 1)
    assert {name: result_in(quick_course, name).read_bytes() for name in right} == right
    secret = quick_course.folder / "reference" / "secret.txt"
    before = secret.read_text(encoding="ascii")
    try:
        secret.write_text("1" * 64, encoding="ascii")
        assert not list(stored_results(quick_course, ASSIGNMENT))
        secret.rename(secret.with_name("aside"))
        (quick_course.folder / "reference").rename(quick_course.folder / "solutions")
        assert not list(stored_results(quick_course, ASSIGNMENT)), "nor does a course that cannot grade believe any"
    finally:
        (quick_course.folder / "solutions").rename(quick_course.folder / "reference")
        secret.with_name("aside").unlink()
        secret.write_text(before, encoding="ascii")


def test_whoever_changes_the_reference_grades_everybody_anew(quick_course, grade_quickly):
    hand_in(quick_course.folder, "one", {NOTEBOOK: SIX})
    grade_quickly()
    for name in ("solution.py", "mistakes.toml"):
        assert grade_quickly().unchanged == 1
        path = next(quick_course.folder.glob(f"reference/**/clip_gradients/{name}"))
        path.write_bytes(path.read_bytes() + b"\n# changed\n")
        assert grade_quickly().graded == 1


def test_what_a_student_hands_in_for_a_result_is_not_copied(quick_course, grade_quickly):
    names = {"file": FILE_NAME, "upper": "RESULT.json", "draft": DRAFT, "inside": f"{FILE_NAME}/{FILE_NAME}"}
    (result_in(quick_course, "inside") / "inside").mkdir(parents=True)  # as nbgrader copies it
    for student, name in names.items():
        hand_in(quick_course.folder, student, {NOTEBOOK: SIX, name: b"{}", "data.csv": b"1"})
    assert grade_quickly().graded == len(names) and grade_quickly().unchanged == len(names)
    for student in names:
        beside = {path.name for path in result_in(quick_course, student).parent.iterdir()}
        assert beside == {NOTEBOOK, FILE_NAME, "data.csv"}


def test_grading_that_is_cut_off_leaves_no_result_whatever_was_handed_in_before(
    quick_course, grade_quickly, monkeypatch
):
    hand_in(quick_course.folder, "back", {NOTEBOOK: SIX})
    assert grade_quickly().graded == 1
    handed_in = quick_course.folder / "submitted" / "back" / ASSIGNMENT / NOTEBOOK
    handed_in.write_bytes(STUB)

    def cut_off(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(classwork, "write_result", cut_off)
        with pytest.raises(KeyboardInterrupt):  # before the result is written
            grade_quickly()
    handed_in.write_bytes(SIX)
    assert grade_quickly().graded == 1, "notebook and gradebook are the stub's"


def test_whom_our_grader_failed_is_graded_by_nbgrader_too(quick_course, grade_quickly, monkeypatch):
    for name in ("failed", "done"):
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})
        shutil.rmtree(result_in(quick_course, name).parent, ignore_errors=True)
    read = Grader._read

    def reading(self, handed):
        return 1 / 0 if handed.student == "failed" else read(self, handed)

    monkeypatch.setattr(Grader, "_read", reading)
    assert grade_quickly().broken.keys() == {"failed"}
    assert [path.name for path in result_in(quick_course, "failed").parent.iterdir()] == [FILE_NAME]
    converter = Autograde(coursedir=quick_course.directory)
    monkeypatch.setattr(quick_course.directory, "notebook_id", "*")
    assert converter.init_destination(ASSIGNMENT, "failed") and not converter.init_destination(ASSIGNMENT, "done")
    assert result_in(quick_course, "done").is_file()


def test_what_a_failed_save_left_behind_harms_nobody(quick_course, grade_quickly, monkeypatch):
    for name in ("a", "b"):
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})
    save = ClassGradebook.save

    def saving(self, handed, graded):
        if handed.student == "a":  # what no database can hold
            graded.scores.update(dict.fromkeys(graded.scores, object()))
        save(self, handed, graded)

    with monkeypatch.context() as patch:
        patch.setattr(ClassGradebook, "save", saving)
        summary = grade_quickly()
    assert summary.broken.keys() == {"a"} and summary.graded == 1
    assert grade_quickly().graded == 1


def test_who_is_booked_is_not_graded_for_the_first_time_after_a_failure(quick_course, grade_quickly, monkeypatch):
    hand_in(quick_course.folder, "booked", {NOTEBOOK: SIX})
    summary = grade_quickly()
    assert (summary.graded, summary.first) == (1, 1)
    result_in(quick_course, "booked").unlink()
    hand_in(quick_course.folder, "new", {NOTEBOOK: SIX})
    with monkeypatch.context() as patch:
        patch.setattr(Grader, "_read", lambda *_arguments: 1 / 0)
        assert grade_quickly().broken.keys() == {"booked", "new"}
    summary = grade_quickly()
    assert (summary.graded, summary.first) == (2, 1)


@pytest.mark.parametrize(
    ("error", "seconds", "expected"),
    [
        (OperationalError, 0.0, [0.25, 0.5, 0.75, *[1.0] * 6]),
        (OperationalError, 5.0, [0.0] * 9),
        (IntegrityError, 0.0, []),
    ],
    ids=["refused at once", "SQLite has waited", "booked by another"],
)
def test_what_fails_at_once_is_tried_again_after_a_pause(monkeypatch, error, seconds, expected):
    tries, pauses, clock = [], [], itertools.count(0.0, seconds)

    def method(_gradebook):
        tries.append(error("", {}, Exception("connection refused")))
        raise tries[-1]

    monkeypatch.setattr(gradebook, "sleep", pauses.append)
    monkeypatch.setattr(gradebook, "monotonic", lambda: next(clock))
    with pytest.raises((CourseError, IntegrityError), match="connection refused"):
        gradebook._patient(method)(SimpleNamespace(forget=lambda: None))
    assert len(tries) == gradebook.LOCKED_TRIES and pauses == expected


def test_a_gradebook_that_cannot_be_used_still_ends_the_run(quick_course, grade_quickly, monkeypatch):
    hand_in(quick_course.folder, "locked", {NOTEBOOK: SIX})

    def locked(*_arguments):
        raise CourseError("locked")

    monkeypatch.setattr(ClassGradebook, "save", locked)
    with pytest.raises(CourseError, match="locked"):
        grade_quickly()


def test_a_hand_in_that_was_removed_is_named_and_its_grades_stay(quick_course, grade_quickly):
    for name in ("removed", "stays"):
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})
    assert "removed" not in grade_quickly().gone
    before = grades_in(quick_course.folder / "gradebook.db")["removed"]
    shutil.rmtree(quick_course.folder / "submitted" / "removed")
    summary = grade_quickly()
    assert "removed" in summary.gone["removed"] and "stays" not in summary.gone
    assert grades_in(quick_course.folder / "gradebook.db")["removed"] == before
    assert grade_quickly("st*").gone.keys() <= {"stays"}, "nobody but those that were asked for"


@LINUX
def test_an_id_that_looks_like_one_of_the_roster_is_named_and_graded_as_it_is(quick_course, grade_quickly):
    with ClassGradebook(quick_course, ASSIGNMENT) as gradebook:
        for name in ("jiro", "keiko", "André"):
            gradebook._gradebook.update_or_create_student(name, first_name="x")
    look_alike = {"Jiro": "jiro", "keiko ": "keiko", unicodedata.normalize("NFD", "André"): "André"}
    for name in [*look_alike, "nobody else"]:
        hand_in(quick_course.folder, name, {NOTEBOOK: SIX})
    summary = grade_quickly()
    assert summary.looks.keys() == look_alike.keys()
    for name, other in look_alike.items():
        assert f'"{name}"' in summary.looks[name] and f'"{other}"' in summary.looks[name]
    graded = grades_in(quick_course.folder / "gradebook.db")
    assert look_alike.keys() <= graded.keys() and not graded.keys() & set(look_alike.values())
    assert grade_quickly().looks.keys() == look_alike.keys(), "however often one grades"


STAMPS = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.just(TOKYO.encode("utf-16")),
    st.sampled_from([lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere"), os.mkfifo]),
)
NAMES = st.one_of(
    st.sampled_from(["taro", "Taro", "hanako ", "山田", "-x", "a%s", "a'b", "a\nb", "[ab]", "*", "~", "x" * 200]),
    st.binary(min_size=1, max_size=20).map(lambda raw: os.fsdecode(raw.replace(b"/", b"_").replace(b"\0", b"_"))),
).filter(lambda name: name not in (".", "..") and not name.startswith("."))
FILES = st.dictionaries(
    st.one_of(
        st.sampled_from([NOTEBOOK, "a.IPYNB", "a.ipynb.json", "x.csv", f"in/{NOTEBOOK}", "a\udcff.ipynb", "b.ipynb"]),
        NAMES.map(lambda name: f"{name[:20]}.ipynb"),
    ),
    st.one_of(
        st.sampled_from([SIX, STUB, SIX[:-9], b"", b"{}", b"[" * 500, *IN_OTHER_ENCODINGS]),
        st.binary(max_size=40),
        st.sampled_from([None, lambda path: path.symlink_to("/etc/passwd"), os.mkfifo]),
    ),
    max_size=3,
)


@LINUX
@draws(30, suppress=tuple(HealthCheck))
@given(st.dictionaries(NAMES, st.tuples(STAMPS, FILES), max_size=3))
@example({"\udcff": (b"\xff", {}), "x": (os.mkfifo, {"a\udcff.ipynb": None})})
@example({"*": (None, {})})
def test_no_hand_in_ends_grading_before_the_last_student(quick_course, grade_quickly, hand_ins):
    submitted = quick_course.folder / "submitted"
    shutil.rmtree(submitted, ignore_errors=True)
    for name, (stamp, files) in hand_ins.items():
        hand_in(quick_course.folder, name, {**files, **({} if stamp is None else {TIMESTAMP: stamp})})
    hand_in(quick_course.folder, "zz-last", {NOTEBOOK: SIX + b"\n" * len(hand_ins), TIMESTAMP: TOKYO.encode()})
    summary = grade_quickly()
    assert summary.broken == {}
    unnamed = sum(name != os.fsencode(name).decode("utf-8", "replace") for name in hand_ins)
    assert summary.graded + summary.unchanged + summary.penalised == len(hand_ins) + 1 - unnamed
    assert times_in(quick_course.folder)["zz-last"].startswith("2027-01-15 14:00:00")
    for name, (stamp, _files) in hand_ins.items():
        folder = submitted / name / ASSIGNMENT
        if read_timestamp(folder)[0] is None and stamp is not None:
            assert name.encode("utf-8", "replace").decode() in summary.looks


# --- through the command ----------------------------------------------------------------------------------------------

FAT = json.dumps(ANSWERED).replace('"outputs": []', '"outputs": [%s0]' % ("[1, 2]," * MAX_BRACKETS), 1)
KINDS = {
    "bom": ({NOTEBOOK: STUB, TIMESTAMP: TOKYO.encode("utf-8-sig")}, 0.0, "2027-01-15 14:00:00", ""),
    "copy": ({NOTEBOOK: STUB, "gradient_pathology-Copy1.ipynb": SIX}, 6.0, None, "Copy1"),
    "conflict": ({NOTEBOOK: b"<<<<<<< HEAD\n{}\n=======\n{\n>>>>>>> x\n"}, 0.0, None, "Git"),
    "cp932": ({NOTEBOOK: IN_OTHER_ENCODINGS[1]}, 6.0, None, ""),
    "empty": ({NOTEBOOK: b"", "gradient_pathology (1).ipynb": SIX}, 6.0, None, "(1)"),
    "folder": ({NOTEBOOK: SIX, TIMESTAMP: None}, 6.0, None, "timestamp.txt"),
    "outputs": ({NOTEBOOK: FAT.encode()}, 0.0, None, "出力を消して"),
    "pdf": ({"report.pdf": b"%PDF-1.7"}, 0.0, None, "report.pdf"),
    "txt": ({"gradient_pathology.ipynb.txt": SIX}, 6.0, None, "gradient_pathology.ipynb.txt"),
    "upper": ({"Gradient_Pathology.IPYNB": SIX}, 6.0, None, "IPYNB"),
    "utf16": ({NOTEBOOK: IN_OTHER_ENCODINGS[0], TIMESTAMP: TOKYO.encode("utf-16")}, 6.0, "2027-01-15 14:00:00", ""),
    "words": ({NOTEBOOK: STUB, TIMESTAMP: b"handed in on paper"}, 0.0, None, "handed in on paper"),
    "zz-good": ({NOTEBOOK: SIX}, 6.0, None, ""),
}
"""Student -> what is handed in, points, the time in the gradebook, and what is said."""


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = make_course(tmp_path_factory.mktemp("kinds") / "course", ())
    for student, (files, *_expected) in KINDS.items():
        hand_in(folder, student, files)
    done = grade(folder, "--json", str(folder / "out.json"))
    results = json.loads((folder / "out.json").read_text(encoding="utf-8"))["submissions"]
    return folder, done.stdout, results


def test_every_kind_of_hand_in_has_what_is_due(graded):
    folder, _said, _results = graded
    found, times = grades_in(folder / "gradebook.db"), times_in(folder)
    expected = {student: (points, when) for student, (_files, points, when, _said) in KINDS.items()}
    assert {student: (total(found[student]), times[student] and times[student][:19]) for student in found} == expected


@pytest.mark.parametrize("student", [student for student, kind in KINDS.items() if kind[-1]])
def test_what_is_odd_about_it_is_said(graded, student):
    _folder, said, results = graded
    words = " ".join([results[student]["message"], *results[student]["mended"], *said.split()])
    assert KINDS[student][-1] in words and student in said


def test_nothing_is_said_of_what_is_not_odd(graded):
    _folder, said, _results = graded
    assert Counter(word in said for word in ("bom", "cp932", "utf16", "zz-good")) == {False: 4}
