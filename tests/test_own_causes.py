"""causes.toml: students whose code behaves equally, without a known cause, are a group that the instructor can name."""

import json
import re

import numpy as np
import pytest

from autograder.checks.sketches import digest_of, sketch
from autograder.grading.course import CourseError
from autograder.grading.own_causes import read_causes
from autograder.grading.result_file import FILE_NAME
from tests.class_folder import ASSIGNMENT, command, environment, executed, grade, make_course
from tests.sample_class import CODE, Student

ROOT = "float(np.sqrt(sum(np.sum(g**2) for g in gradients)))"
ALSO = "1.37 * float(sum((np.abs(g) ** 2).sum() for g in reversed(gradients)) ** 0.5)"
"""The same in other words, which rounds otherwise."""
WRONG = {"first": f"{ROOT} * 1.37", "second": ALSO, "other": f"{ROOT} * 1.61"}


def clip(total):
    assert ROOT in CODE["clip_gradients"]
    return CODE["clip_gradients"].replace(ROOT, total)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A right student, and wrong ones in a way that no known mistake explains, two of them in the same."""
    students = [Student("right", "", CODE)]
    students += [Student(name, "", CODE | {"clip_gradients": clip(total)}) for name, total in WRONG.items()]
    folder = make_course(tmp_path_factory.mktemp("own") / "course", tuple(students))
    grade(folder, "--jobs", "1", "--figures", "none")
    return folder


def failed(folder, student):
    """The failed checks of clip_gradients, by id."""
    result = json.loads((folder / "autograded" / student / ASSIGNMENT / FILE_NAME).read_text(encoding="utf-8"))
    items = result["result"]["checks"]["clip_gradients"]["items"]
    return {item["id"]: item for item in items if item["outcome"] != "passed"}


def behaviours(folder, student):
    return {item["behaviour"] for item in failed(folder, student).values()}


def test_equal_behaviour_has_one_digest_however_it_is_written_and_another_has_another(graded):
    assert not failed(graded, "right")
    (first,), (second,), (other,) = (behaviours(graded, name) for name in WRONG)
    assert re.fullmatch("[0-9a-f]{12}", first) and first == second != other
    assert all(item["causes"] == [] for name in WRONG for item in failed(graded, name).values())


def test_the_rest_of_the_group_reads_the_sentence_at_the_next_run_and_only_they_are_graded(graded):
    (group,) = behaviours(graded, "first")
    points = {name: sum(item["points"] for item in failed(graded, name).values()) for name in WRONG}
    path = graded / "causes.toml"
    path.write_text(
        f'[{group}]\ncause.en = "The norm is too large by 1.37."\ncause.ja = "ノルムが 1.37 倍です。"\n'
        'question = "1.37 とは何ですか。"\n', encoding="utf-8"
    )  # fmt: skip
    assert "Preview: 2 graded, points of 0 would change" in grade(graded, "--preview", "--figures", "none").stdout
    assert "2 graded, 2 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout
    for name in ("first", "second"):
        for item in failed(graded, name).values():
            assert item["causes"] == [group] and item["behaviour"] == group
            assert item["message"].splitlines()[0].endswith("ノルムが 1.37 倍です。")
            assert item["message"].splitlines()[-1] == "1.37 とは何ですか。"
        assert "ノルムが 1.37 倍です。" in json.dumps(executed(graded, name), ensure_ascii=False)
    assert all(item["causes"] == [] for item in failed(graded, "other").values())
    assert points == {name: sum(item["points"] for item in failed(graded, name).values()) for name in WRONG}
    assert "0 graded, 4 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout

    line = ("report", ASSIGNMENT, "--course", str(graded), "--format", "html,json", "--lang", "en")
    assert command(*line, environment=environment(graded)).returncode == 0
    report = json.loads((graded / "report" / ASSIGNMENT / "report.json").read_text(encoding="utf-8"))
    told = {cause["cause"]: cause["students"] for cause in report["causes"]}
    assert told == {"The norm is too large by 1.37.": 2}
    assert [(found["size"], found["example"]) for found in report["groups"]] == [(1, "other")]

    path.unlink()
    assert "2 graded, 2 unchanged" in grade(graded, "--jobs", "1", "--figures", "none").stdout
    assert all(item["causes"] == [] for item in failed(graded, "first").values())


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
