"""causes.toml: students whose code behaves equally, without a known cause, are a group that the instructor can name."""

import ast
import io
import json
import os
import re
import tomllib
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from nbgrader.api import Gradebook

from autograder.checks.diagnosis import Cause
from autograder.checks.results import ExerciseResult, Item, Outcome, SubmissionResult
from autograder.checks.sketches import digest_of, sketch
from autograder.exercises.recorded import known_from
from autograder.grading import grade_submission as judging
from autograder.grading import own_causes
from autograder.grading.course import CourseError
from autograder.grading.definitions import first_that_acts
from autograder.grading.grade_submission import grade_submission
from autograder.grading.own_causes import read_causes
from autograder.grading.result_file import FILE_NAME
from autograder.grading.save_cause import Entry, NoExample, nameless, write_entry
from autograder.notebooks.submission import submission_of
from autograder.sandbox.fork_server import Host
from autograder.sandbox.isolation import Level
from reference import bank
from reference.audit.checks import Audit, Material, audit_seed
from reference.fingerprints import new_books
from reference.mutants.known import observe_bank, told
from tests.class_folder import ASSIGNMENT, command, environment, executed, grade, make_course
from tests.sample_class import BATCH_NORM, CODE, Student

pytestmark = pytest.mark.usefixtures("graded_here")

COURSE_BANK = bank.FOLDER / "gradient_pathology"

ROOT = "float(np.sqrt(sum(np.sum(g**2) for g in gradients)))"
ALSO = "1.37 * float(sum((np.abs(g) ** 2).sum() for g in reversed(gradients)) ** 0.5)"
"""The same in other words, which rounds otherwise."""
WRONG = {"first": f"{ROOT} * 1.37", "second": ALSO, "other": f"{ROOT} * 1.61"}
STD = "std = np.sqrt(var + self.eps)"
WIDE = {"wide": f"{STD} * 1.23", "wider": f"std = (var + self.eps) ** 0.5 / {1 / 1.23!r}"}
"""One mistake in batch_norm, which breaks more than one of its exercises."""


def clip(total):
    assert ROOT in CODE["clip_gradients"]
    return CODE["clip_gradients"].replace(ROOT, total)


def signed(code):
    """`code` as somebody called Hanako Sato, whose id is first, may hand it in."""
    assert "NaN" in code
    code = code.replace('ValueError("', 'ValueError("HANAKO, or 佐藤: ').replace(
        "    gradients =", "    # by Sato\n    gradients ="
    )
    return f'"""Hanako\'s answer"""\n{code}\nprint(clip_gradients([]))\n\'first\''


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A right student, and wrong ones in a way that no known mistake explains, two of them in the same."""
    students = [Student("right", "", CODE)]
    answers = {name: {"clip_gradients": clip(total)} for name, total in WRONG.items()}
    answers["first"] = {"clip_gradients": signed(answers["first"]["clip_gradients"])}
    elsewhere = {"gradient_profile": CODE["gradient_profile"] + "\nFACTOR = 1.53"}
    answers["helped"] = {"clip_gradients": clip(f"{ROOT} * FACTOR")} | elsewhere
    assert STD in CODE["batch_norm"]
    answers |= {name: {"batch_norm": CODE["batch_norm"].replace(STD, line)} for name, line in WIDE.items()}
    students += [Student(name, "", CODE | own) for name, own in answers.items()]
    folder = make_course(tmp_path_factory.mktemp("own") / "course", tuple(students))
    grade(folder, "--jobs", "1", "--figures", "none")
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_student("first", first_name="Hanako", last_name="佐藤", email="sato@example.org")
    return folder


def failed(folder, student, *exercises):
    """The failed checks of clip_gradients, or of other exercises, by id."""
    result = json.loads((folder / "autograded" / student / ASSIGNMENT / FILE_NAME).read_text(encoding="utf-8"))
    checks = result["result"]["checks"]
    items = [item for name in exercises or ["clip_gradients"] for item in checks[name]["items"]]
    return {item["id"]: item for item in items if item["outcome"] != "passed"}


def behaviours(folder, student, *exercises):
    return {item["behaviour"] for item in failed(folder, student, *exercises).values()}


def written_report(folder):
    line = ("report", ASSIGNMENT, "--course", str(folder), "--format", "html,json", "--lang", "en")
    assert command(*line, environment=environment(folder)).returncode == 0
    return json.loads((folder / "report" / ASSIGNMENT / "report.json").read_text(encoding="utf-8"))


def test_what_an_instructor_says_takes_the_place_of_a_cause_that_the_exception_tells():
    by_row = {"cause": "One number for each row.", "question": "Which axis?"}
    item = Item("a", "A.", Outcome.RAISED, 0.0, 1.0, "Your code raised ValueError", behaviour="d", **by_row)
    said = {"d": Cause("own", {"en": "Yours."}, {"en": "Why?"})}
    result = own_causes.told(SubmissionResult({"x": ExerciseResult("x", (item,))}), said)
    (found,) = result.checks["x"].items
    assert found.message == "Likely cause: Yours.\nYour code raised ValueError\nWhy?"


def test_equal_behaviour_has_one_digest_however_it_is_written_and_another_has_another(graded):
    assert not failed(graded, "right")
    (first,), (second,), (other,) = (behaviours(graded, name) for name in WRONG)
    assert re.fullmatch("[0-9a-f]{12}", first) and first == second != other
    assert all(item["causes"] == [] for name in WRONG for item in failed(graded, name).values())


def test_a_mistake_that_breaks_several_exercises_of_a_cell_is_one_group(graded):
    broken = [name for name in BATCH_NORM if failed(graded, "wide", name)]
    assert len(broken) > 1
    (group,) = behaviours(graded, "wide", *broken)
    assert {group} == behaviours(graded, "wider", *broken)
    assert all(behaviours(graded, "wide", name) == {group} for name in broken)
    (found,) = [found for found in written_report(graded)["groups"] if "wide" in found["students"]]
    assert (found["behaviour"], found["students"]) == (group, ["wide", "wider"])
    assert {name: set(ids) for name, ids in found["checks"].items()} == {
        name: set(failed(graded, "wide", name)) for name in broken
    }


def test_a_digest_that_no_result_shows_is_said(graded):
    """A typing error, or a group that has gone: by `grade`, even in a preview or for one student, and by `report`."""
    (group,) = behaviours(graded, "first")
    wrong = "0" * len(group)
    path, entry = graded / "causes.toml", '[{}]\ncause = "c"\nquestion = "q"\n'
    path.write_text(entry.format(group) + entry.format(wrong), encoding="utf-8")
    try:
        said = " ".join(grade(graded, "--preview", "--student", "right", "--figures", "none").stdout.split())
        assert f"causes.toml: no result of this class shows [{wrong}]." in said and group not in said
        said = command("report", ASSIGNMENT, "--course", graded, "--lang", "en", environment=environment(graded)).stdout
        assert f"no result of this class shows [{wrong}]." in said and group not in said
    finally:
        path.unlink()


def test_the_rest_of_the_group_reads_the_sentence_at_the_next_run_and_only_they_are_graded(graded):
    (group,) = behaviours(graded, "first")
    points = {name: sum(item["points"] for item in failed(graded, name).values()) for name in WRONG}
    path = graded / "causes.toml"
    path.write_text(
        f'[{group}]\ncause.en = "The norm is too large by 1.37."\ncause.ja = "ノルムが 1.37 倍です。"\n'
        'question = "1.37 とは何ですか。"\n', encoding="utf-8"
    )  # fmt: skip
    said = grade(graded, "--preview", "--figures", "none").stdout
    assert "Preview: 2 graded, points of 0 would change" in said and "no result of this class" not in said
    assert "2 graded, 5 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout
    for name in ("first", "second"):
        for item in failed(graded, name).values():
            assert item["causes"] == [group] and item["behaviour"] == group
            assert item["message"].splitlines()[0].endswith("ノルムが 1.37 倍です。")
            assert item["message"].splitlines()[-1] == "1.37 とは何ですか。"
        assert "ノルムが 1.37 倍です。" in json.dumps(executed(graded, name), ensure_ascii=False)
    assert all(item["causes"] == [] for item in failed(graded, "other").values())
    assert points == {name: sum(item["points"] for item in failed(graded, name).values()) for name in WRONG}
    assert "0 graded, 7 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout

    report = written_report(graded)
    told = {cause["cause"]: cause["students"] for cause in report["causes"]}
    assert told == {"The norm is too large by 1.37.": 2}
    assert [(found["size"], found["example"]) for found in report["groups"]] == [
        (2, "wide"), (1, "helped"), (1, "other")
    ]  # fmt: skip

    path.unlink()
    assert "2 graded, 5 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout
    assert all(item["causes"] == [] for item in failed(graded, "first").values())


# --- into the bank ----------------------------------------------------------------------------------------------------

CAUSE = """[{group}]
cause = {{en = "The norm is \\"1.37\\" times too large.", ja = "ノルムが 1.37 倍です。"}}
question.en = "What is it multiplied by?"
question.ja = "何を掛けていますか？"
"""


@pytest.fixture
def bank_file(graded, monkeypatch):
    """Where the bank of the course has the mistakes in clip_gradients; afterwards the bank is as before."""
    folder = graded / "reference" / "gradient_pathology"
    before = {path: path.read_bytes() for path in folder.glob("*/mistakes.toml")}
    monkeypatch.setattr(bank, "FOLDER", graded / "reference")
    path = folder / "clip_gradients" / "mistakes.toml"
    yield path
    for other, content in before.items():
        other.write_bytes(content)
    (graded / "causes.toml").unlink(missing_ok=True)
    assert {file.name for file in path.parent.iterdir()} <= {*os.listdir(COURSE_BANK / path.parent.name), "__pycache__"}


def save(folder, group, *options):
    line = ("report", ASSIGNMENT, "--course", folder, "--save-cause", group, *(options or ["--yes", "--allow-basic"]))
    return command(*line, environment=environment(folder))


def named(folder, student, *exercises):
    """The group of the student's clip_gradients, or of other exercises, named in causes.toml."""
    (group,) = behaviours(folder, student, *exercises)
    (folder / "causes.toml").write_text(CAUSE.format(group=group), encoding="utf-8")
    return group


def recorded_with(mistakes):
    """The fingerprints of clip_gradients that `reference.record` makes of these, but for slips."""
    books = new_books("clip_gradients")
    rows = told("clip_gradients", observe_bank(mistakes, books), [], {})
    return known_from(books["clip_gradients"].to_bytes(rows))


def judged(folder, student):
    submission = submission_of(executed(folder, student), "notebook")
    items = grade_submission(submission).result.checks["clip_gradients"].items
    return {item.id: item for item in items if item.outcome is not Outcome.PASSED}


def test_a_cause_goes_into_the_bank_and_is_told_to_whoever_shows_the_same(graded, bank_file, monkeypatch):
    group, before = named(graded, "first"), bank_file.read_text(encoding="utf-8")
    done = save(graded, group)
    assert done.returncode == 0, done.stderr
    after = bank_file.read_text(encoding="utf-8")
    shown = done.stdout.partition("\n\n")[2].partition("\nAdded")[0]
    assert after.startswith(before.rstrip()) and after.endswith(shown)
    assert "run it as you" in done.stdout and "audit --exercise clip_gradients" in done.stdout
    assert f"\ncd {graded}\npython -m reference.record\n" in done.stdout
    entry = tomllib.loads(after)[f"clip-gradients-{group}"]
    assert "NaN または" in entry["code"]
    assert not re.search("first|sato|佐藤|hanako|print", entry["code"], re.IGNORECASE)
    assert "1.37" in entry["code"] and '"""' not in entry["code"]
    assert set(entry["fails"]) == {f"clip_gradients.{id}" for id in failed(graded, "first")}
    assert entry["cause"] == {"en": 'The norm is "1.37" times too large.', "ja": "ノルムが 1.37 倍です。"}
    assert entry["hint"] == {"en": "What is it multiplied by?", "ja": "何を掛けていますか？"}

    (mistake,) = [mistake for mistake in bank.mistakes() if mistake.id.endswith(group)]
    assert read_causes(graded).keys() == {group}, "students of this class read it until the recordings are made"
    material = Material(graded, ["clip_gradients"])
    material.mistakes, material.variants = [mistake], []
    audit = Audit(named={mistake.id: mistake.fails}, touches={mistake.id: mistake.touches})
    audit.add(audit_seed(material, 0))
    assert not (audit.survivors or audit.too_costly() or audit.caught_once())

    known = recorded_with([mistake])
    monkeypatch.setattr(judging, "known_mistakes", lambda _exercise: known)
    for student in ("first", "second"):
        items = judged(graded, student).values()
        assert items and all(item.causes == (mistake.id,) for item in items)
    assert all(item.causes == () for item in judged(graded, "other").values())
    bank_file.write_text(before, encoding="utf-8")
    assert f"Known mistakes explain what the code does: {mistake.id}." in save(graded, group).stderr
    assert bank_file.read_text(encoding="utf-8") == before


def test_a_cause_of_several_exercises_is_saved_once(graded, bank_file):
    group, path = named(graded, "wide", *BATCH_NORM), bank_file.parents[1] / "batch_norm" / "mistakes.toml"
    assert save(graded, group).returncode == 0
    once = path.read_text(encoding="utf-8")
    broken = {f"{name}.{check}" for name in BATCH_NORM for check in failed(graded, "wide", name)}
    assert set(tomllib.loads(once)[f"batch-norm-{group}"]["fails"]) == broken
    done = save(graded, group)
    assert done.returncode == 2 and f"is saved already: {path} has [batch-norm-{group}]" in done.stderr
    assert path.read_text(encoding="utf-8") == once


def test_an_entry_is_shown_first_and_written_only_when_the_instructor_says_so(graded, bank_file, monkeypatch):
    group, before = named(graded, "other"), bank_file.read_bytes()
    done = save(graded, group, "--allow-basic")
    assert done.returncode == 0 and f"[clip-gradients-{group}]" in done.stdout and "1.61" in done.stdout
    assert "Nothing was written." in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("autograder report ")]
    assert line.endswith(f"--save-cause {group} --yes --allow-basic --course {graded}")
    assert bank_file.read_bytes() == before

    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("autograder.cli.report.sys", SimpleNamespace(stdin=terminal, stdout=terminal))
    for answer, added in {"\n": 0, "n\n": 0, "": 0, "y\n": 1}.items():
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
        assert save(graded, group, "--allow-basic").stdout.count("Nothing was written.") == 1 - added
        assert bank_file.read_text(encoding="utf-8").count(group) == added


def test_where_code_is_not_isolated_none_runs_without_leave(graded, bank_file, monkeypatch):
    group = named(graded, "other")
    host = Host.__new__(Host)
    host.level, host.unavailable = Level.BASIC, {Level.STRONG: "no Landlock"}
    monkeypatch.setattr("autograder.grading.save_cause.shared_host", lambda *_a, **_k: host)
    done = save(graded, group, "--yes")
    assert done.returncode == 2 and "--allow-basic" in done.stderr and "strong: no Landlock" in done.stderr
    assert group not in bank_file.read_text(encoding="utf-8")


def test_code_that_acts_when_it_is_defined_is_not_taken(graded, bank_file, tmp_path):
    group, before = named(graded, "other"), bank_file.read_bytes()
    (path,) = (graded / "autograded" / "other" / ASSIGNMENT).glob("*.ipynb")
    notebook, mark = path.read_text(encoding="utf-8"), tmp_path / "mark"
    code = f"X = open({str(mark)!r}, 'w')\n".replace("\n", "\\n")
    start = "def clip_gradients("
    assert notebook.count(f'"{start}') == 1
    path.write_text(notebook.replace(f'"{start}', f'"{code}{start}'), encoding="utf-8")
    try:
        done = save(graded, group)
    finally:
        path.write_text(notebook, encoding="utf-8")
    assert done.returncode == 2 and "other: Outside functions, the cell does more than import" in done.stderr
    assert "X = open(" in done.stderr and not mark.exists() and bank_file.read_bytes() == before


def test_a_group_in_the_bank_is_not_called_unknown(graded, bank_file):
    """Once it is recorded, no result shows the digest any more."""
    digest, other = "0123456789ab", "123456789abc"
    entry = '[{}]\ncause = "c"\nquestion = "q"\n'
    (graded / "causes.toml").write_text(entry.format(digest) + entry.format(other), encoding="utf-8")
    with bank_file.open("a", encoding="utf-8") as file:
        file.write(f"\n[clip-gradients-{digest}]\n")
    said = command("report", ASSIGNMENT, "--course", graded, environment=environment(graded)).stdout
    assert f"no result of this class shows [{other}]." in said and digest not in said


def test_what_cannot_be_saved_is_refused_and_the_bank_stays(graded, bank_file, monkeypatch):
    before = bank_file.read_bytes()
    assert "causes.toml says nothing of the group abc" in save(graded, "abc").stderr
    (graded / "causes.toml").write_text(CAUSE.format(group="abc"), encoding="utf-8")
    assert "No graded submission of gradient-pathology shows the group abc" in save(graded, "abc").stderr
    assert "helped: The cell alone does something else" in save(graded, named(graded, "helped")).stderr
    group = named(graded, "other")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _full)
        assert "mistakes.toml cannot be used: no space left" in save(graded, group).stderr
    bank_file.write_bytes(b"[broken")
    assert "mistakes.toml cannot be used: " in save(graded, group).stderr
    bank_file.write_bytes(before)
    (graded / "reference").rename(graded / "away")
    done = save(graded, group)
    (graded / "away").rename(graded / "reference")
    assert done.returncode == 2 and "has no folder reference/" in done.stderr
    assert bank_file.read_bytes() == before


def _full(*_arguments):
    raise OSError("no space left")


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("def f():\n    'by Li'\n    # Li\n    return 1  # Li", "def f():\n    return 1"),
        ("def f():\n    'by Li'", "def f():\n    pass"),
        ("class A:\n    'Li'\n    x = 'clip', 'by LI.'", "class A:\n    x = ('clip', 'by .')"),
        ("if x:\n    'Li'\nelse:\n    'Li'", "if x:\n    pass"),
        ("def f(x):\n    raise ValueError(f'{x}: Li, 李です')", "def f(x):\n    raise ValueError(f'{x}: , です')"),
        ("'Li'\nprint(1)\nf(2)\nx = 1", "x = 1"),
        ("def f(x: g('Li')=1, *y: int) -> h():\n    return 1", "def f(x=1, *y):\n    return 1"),
        (
            "try:\n    'Li'\nexcept A:\n    'Li'\nelse:\n    'Li'\nfinally:\n    'Li'",
            "try:\n    pass\nexcept A:\n    pass\nfinally:\n    pass",
        ),
        ("try:\n    f()\nfinally:\n    'Li'", "try:\n    f()\nfinally:\n    pass"),
    ],
)
def test_names_are_taken_out_of_code(code, left):
    assert nameless(code, {"Li", "李"}) == left
    assert nameless("x = 'Li'", set()) == "x = 'Li'"


@pytest.mark.parametrize(
    "code",
    [
        "import math as m\nfrom math import sqrt\nEPS = -1e-8\nA = B = (1, [2], {'x': None}, np.inf)",
        "def f(x, y=np.inf, *a, z=-1, k, **b) -> float:\n    @cache\n    def g(x=open('f')): ...\n    return open('f')",
        "class A(Layer):\n    x: int = 3\n    y: float\n    def __init__(self):\n        open('f')",
    ],
)
def test_what_only_defines_may_go_into_the_bank(code):
    assert first_that_acts(ast.parse(code)) is None


@pytest.mark.parametrize(
    "code",
    [
        "x = f()", "x = [f() for _ in y]", "x = a @ b", "x = a[0]", "x = f'{a}'", "a.b = 1", "a[0] = 1", "x += 1",
        "if a: pass", "for x in a: pass", "with a: pass", "del a", "try:\n    pass\nfinally:\n    pass",
        "@g\ndef f(): pass", "def f(x=g()): pass", "def f(*, x=g()): pass", "def f(x: g()): pass",
        "def f() -> g(): pass", "async def f(*a: g()): pass", "x: f()", "x: int = f()",
        "@g\nclass A: pass", "class A(f()): pass", "class A(a.b): pass", "class A(metaclass=M): pass",
        "class A:\n    f()", "class A:\n    class B:\n        x = f()", "class A:\n    def f(self, x=g()): pass",
        "class A:\n    def __init_subclass__(cls): g()\nclass B(A): pass", "from enum import Enum\nclass A(Enum): pass",
        "from enum import *", "import venv.__main__", "from venv import __main__", "from __future__ import annotations",
        "__builtins__ = {}", "import a as __builtins__", "(x := f())",
    ],
)  # fmt: skip
def test_what_acts_when_it_is_executed_may_not(code):
    assert first_that_acts(ast.parse(f"import numpy\n{code}")) is not None


def test_two_processes_do_not_lose_an_entry(tmp_path, monkeypatch):
    """The second reads the file only when the first is done with it."""
    path, order = tmp_path / "reference" / "mistakes.toml", []
    path.parent.mkdir()
    replaced = Path.replace

    def slowly(draft, target):
        if not order:
            order.append(Thread(target=write_entry, args=(tmp_path, Entry("b", path, "[x-b]\n", "b", ()))))
            order[0].start()
            order[0].join(0.2)
        return replaced(draft, target)

    monkeypatch.setattr(Path, "replace", slowly)
    write_entry(tmp_path, Entry("a", path, "[x-a]\n", "a", ()))
    order[0].join()
    assert path.read_text(encoding="utf-8").split() == ["[x-a]", "[x-b]"]


def test_what_is_not_python_is_no_example():
    with pytest.raises(NoExample, match="Python cannot read the cell"):
        nameless("%time f()", set())


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[abc\n", "line 1"),
        ("[abc]\ncause = 'x'\n", r"\[abc\] needs cause"),
        ("[abc]\ncause = ''\nquestion = 'y'\n", r"\[abc\] needs cause"),
        ("[abc]\ncause = 1\nquestion = 'y'\n", r"\[abc\] needs cause"),
        ("[abc]\ncause.fr = 'x'\nquestion = 'y'\n", r"\[abc\] needs cause"),
        ("[abc]\ncause = 'x'\nquestion = 'y'\nhint = 'z'\n", r"\[abc\] needs cause"),
        ("abc = 1\n", r"\[abc\] needs cause"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, reason):
    (tmp_path / "causes.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=f"causes.toml cannot be used: .*{reason}"):
        read_causes(tmp_path)


def test_a_text_counts_for_every_language_that_has_none_of_its_own(tmp_path):
    assert read_causes(tmp_path) == {}
    (tmp_path / "causes.toml").write_text("[abc]\ncause.ja = 'あ'\nquestion = 'q'\n", encoding="utf-8")
    found = read_causes(tmp_path)["abc"]
    assert (found.cause, found.hint) == ({"en": "あ", "ja": "あ"}, {"en": "q", "ja": "q"})


# --- digests of what was observed -------------------------------------------------------------------------------------


def digest(values, right=None, places=None):
    departed = [{name: sketch(value) for name, value in case.items()} for case in values]
    wanted = right or [{name: sketch(np.ones(3)) for name in case} for case in values]
    return digest_of("f", departed, wanted, places or {(i, name) for i, case in enumerate(values) for name in case})


def test_a_digest_forgets_rounding_and_nothing_else():
    x = np.array([0.3, -1.25, 2.0])
    one = digest([{"y": x, "n": 2.0}])
    for scale in (1 - 1e-12, 1 + 1e-12, 1 + 3e-9):
        assert digest([{"y": x * scale, "n": 2.0}]) == one
    different = [
        [{"y": x * 1.01, "n": 2.0}],
        [{"y": x[::-1], "n": 2.0}],
        [{"y": x[:2], "n": 2.0}],
        [{"y": -x, "n": 2.0}],
        [{"y": x, "n": 2.1}],
        [{"y": x}],
        [{"y": np.array([0.3, np.nan, 2.0]), "n": 2.0}],
        [{"y": "word", "n": 2.0}],
        [{}, {"y": x, "n": 2.0}],
    ]
    assert len({one, *map(digest, different)}) == 1 + len(different)


def test_what_rounding_leaves_of_0_is_0():
    noise = np.array([1e-17, -3e-17, 2e-17])
    assert digest([{"y": noise}]) == digest([{"y": 5 * noise[::-1]}]) == digest([{"y": np.zeros(3)}])
    small = [{"y": sketch(np.full(3, 1e-16))}]
    assert digest([{"y": noise}], small) != digest([{"y": 5 * noise[::-1]}], small), "beside values as small, it counts"


def test_only_what_the_failed_checks_read_counts():
    x = np.array([0.3, -1.25, 2.0])
    assert digest([{"y": x, "n": 2.0}], places={(0, "y")}) == digest([{"y": x, "n": 3.0}], places={(0, "y")})
    assert digest([{"y": x}], places={(0, "other")}) == "" == digest([])
