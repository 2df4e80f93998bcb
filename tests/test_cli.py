"""`autograder check`, as typed in a shell: what it prints, what it writes, and its exit codes."""

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ALL_POINTS, AUTOMATIC, EXERCISES, code_cell, small_notebook

import autograder
from autograder import check, cli, waiting_for
from autograder.__main__ import main
from autograder.checks.results import SubmissionResult
from autograder.cli.class_table import print_summary
from autograder.grading.grade_class import Summary
from autograder.locale import LANGUAGES, speaking
from autograder.report.console import print_submission, running_notebook
from source.catalogue import translations
from tests.class_folder import command

pytest_plugins = ["pytester"]

EVIL = 'def clip_gradients(*arguments, **options):\n    raise ValueError("\\x1b]0;owned\\x07\\x1b[2J")'
WRONG_CLIP = "def clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0"


def run(*arguments, **variables):
    """The command in this process, where `variables` alone say something about the language; in English without any."""
    said = ("AUTOGRADER_LANG", "LANG", "LANGUAGE", "LC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(said)}
    return command(*arguments, environment=kept | variables)


def test_full_marks_exit_with_0(write_notebook):
    line = [sys.executable, "-m", "autograder", "check", str(write_notebook(small_notebook())), "--lang", "en"]
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0 and f"{AUTOMATIC:g} / {ALL_POINTS:g}" in done.stdout
    assert done.stderr.startswith("Running the notebook") and done.stderr.count("\n") == 1
    assert "Running" not in done.stdout


def test_what_goes_on_is_said_before_the_notebook_runs(write_notebook, monkeypatch, capsys):
    said = []

    def grade(submission, **_files):
        said.append(capsys.readouterr())
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.check, "grade_submission", grade)
    with pytest.raises(KeyboardInterrupt):
        cli.main(["check", str(write_notebook(small_notebook())), "--lang", "en"])
    assert "Running the notebook" in said[0].err and said[0].out == ""


def test_in_a_terminal_what_goes_on_is_said_while_it_does(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with speaking("en"), running_notebook():
        for _look in range(1000):
            shown = sys.stderr.getvalue()
            if "Running the notebook" in shown:
                break
            time.sleep(0.01)
    assert "Running the notebook" in shown
    assert sys.stderr.getvalue().endswith("\x1b[2K"), "it is taken away"


def test_something_missing_exits_with_1_and_is_explained(write_notebook):
    done = run("check", write_notebook(small_notebook(clip_gradients=WRONG_CLIP)))
    assert done.returncode == 1
    assert "total_norm is 0" in done.stdout and "case: exploding gradients" in done.stdout


def test_an_unreadable_notebook_exits_with_2_and_one_sentence(write_notebook, tmp_path):
    target = tmp_path / "out.json"
    done = run("check", write_notebook('{"cells": ['), "--json", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert "gradient_pathology.ipynb" in done.stderr and "Traceback" not in done.stderr
    (submission,) = json.loads(target.read_text(encoding="utf-8"))["submissions"].values()
    assert submission["status"] == "failed" and submission["message"] in done.stderr


def test_missing_cells_exit_with_2_and_the_rest_is_judged(write_notebook):
    notebook = small_notebook()
    notebook["cells"] = [c for c in notebook["cells"] if "depth_study" not in c["metadata"]["nbgrader"]["grade_id"]]
    done = run("check", write_notebook(notebook))
    assert done.returncode == 2
    assert f"30 / {ALL_POINTS:g}" in done.stdout and "lacks these cells of the assignment: depth_study" in done.stdout


def test_the_package_has_what_notebooks_import_and_nothing_else():
    namespace = {}
    exec("from autograder import *", namespace)
    assert {"check", "hint", "use_language", "waiting_for"} <= set(namespace)
    with pytest.raises(ImportError):
        exec("from autograder import chekc")


def commands():
    """The sub-commands by name."""
    (action,) = (a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction))
    return action.choices


def help_of(name, language, **variables):
    """What `--help` prints."""
    done = run(*name.split(), "--help", "--lang", language, **variables)
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize("name", ["", *commands()])
def test_every_help_shows_an_example(name):
    assert re.search(rf"example: .*autograder {name}", help_of(name, "en"))


@pytest.mark.parametrize("module", cli.COMMANDS, ids=lambda module: module.__name__)
def test_a_help_says_what_the_command_does_in_the_language_asked_for(module):
    name = module.__name__.split(".")[-1]
    assert module.run.__doc__ in help_of(name, "en", COLUMNS="300")
    translated = translations()[module.run.__doc__]
    assert translated and translated in help_of(name, "ja", COLUMNS="300")


@pytest.mark.parametrize("name", ["", *commands()])
def test_a_help_is_of_one_language(name):
    """In Japanese every line but the usage and the example says something in Japanese."""
    usage, *lines = re.split(r"\n(?=\S)|\n(?=  \S)", help_of(name, "ja").strip())
    assert "--lang" in usage and usage.startswith("使い方: autograder") and lines[-1].startswith("例: ")
    said = [line for line in lines if not re.fullmatch(r"\s*([A-Z]+|\{[a-z,]+\})\s*", line)]
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", line) for line in said)


@pytest.mark.parametrize("arguments", [["--lang", "en", "check"], ["check", "--lang", "en"]])
def test_the_language_may_stand_anywhere(arguments):
    done = run(*arguments, "/nowhere.ipynb", AUTOGRADER_LANG="ja")
    assert "nowhere.ipynb cannot be read" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["check", "nowhere.ipynb"],
        ["check", "a.ipynb", "--json", "nowhere/out.json"],
        ["doctor", "--json", "."],
        ["completion", "fortran"],
        ["audit", "--exercise", "nothing"],
        ["grade", "gradient-pathology", "--course", "nowhere"],
        ["report", "gradient-pathology", "--course", "nowhere"],
        ["pack", "nowhere.ipynb"],
    ],
)
def test_a_wrong_command_or_path_is_one_line_and_2(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


WRONG_LINES = {
    "nothing": [],
    "no such command": ["nonsense"],
    "no notebook": ["check"],
    "an option that is none": ["check", "a.ipynb", "--nonsense"],
    "an option without its value": ["grade", "a", "--jobs"],
    "a value that is none of the choices": ["grade", "a", "--figures", "some"],
    "a value for an option that takes none": ["grade", "a", "--allow-basic=1"],
    "an option that could be two": ["grade", "a", "--j", "1"],
    "a number that is none": ["grade", "a", "--jobs", "0"],
    "an id with a space": ["pack", "--student", "a b"],
}


@pytest.mark.parametrize("arguments", WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_wrong_command_line_is_answered_in_sentences_of_one_language(arguments):
    said = {language: run(*arguments, AUTOGRADER_LANG=language).stderr for language in LANGUAGES}
    assert said["en"].isascii()
    choices = "[a-z, -]+(?= から選んで)"  # in quotes before Python 3.13
    names = rf"autograder( \w+)?|--?[\w-]+(=\S*)?|'[^']*'|{choices}|NOTEBOOK|COMMAND|ID|A-Z|a-z"
    assert not re.search("[a-z]{2}", re.sub(names, "", said["ja"])), said["ja"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no folder in which nobody can write")
def test_results_that_cannot_be_written_are_one_line_and_2(write_notebook):
    done = run("check", write_notebook(small_notebook()), "--json", "/proc/out.json")
    _running, *error = done.stderr.splitlines()
    assert done.returncode == 2 and len(error) == 1 and "/proc/out.json" in error[0]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_a_file_name_that_is_no_text_is_checked_like_any_other(write_notebook, tmp_path):
    path = write_notebook(small_notebook())
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/" + "課題.ipynb".encode("shift_jis"))
    path.rename(odd)
    done = run("check", odd, "--json", tmp_path / "out.json")
    assert done.returncode == 0 and done.stderr.count("\n") == 1 and f"{AUTOMATIC:g} / {ALL_POINTS:g}" in done.stdout
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["submissions"]) == 1


@pytest.mark.parametrize("shell", cli.completion.SHELLS)
def test_completion_knows_every_command(shell):
    done = run("completion", shell)
    assert done.returncode == 0
    assert all(name in done.stdout for name in commands()) and "--watch" in done.stdout


def test_bash_completes_commands_options_and_files(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "lesson.ipynb").touch()
    (tmp_path / "completion").write_text(run("completion", "bash").stdout, encoding="utf-8")

    def completed(*words):
        line = f"source completion; COMP_WORDS=({' '.join(words)!s}); COMP_CWORD={len(words) - 1}; "
        line += "_shtab_autograder; echo ${COMPREPLY[@]}"
        return subprocess.run([bash, "-c", line], cwd=tmp_path, capture_output=True, text=True).stdout.split()

    assert completed("autograder", "do") == ["doctor"]
    assert completed("autograder", "check", "--wa") == ["--watch"]
    assert completed("autograder", "check", "less") == ["lesson.ipynb"]
    (tmp_path / "source" / "gradient-pathology").mkdir(parents=True)
    for student in ("aoki", "baba", "a$(touch${IFS}evil)"):
        (tmp_path / "submitted" / student).mkdir(parents=True)
    assert completed("autograder", "grade", "gr") == ["gradient-pathology"]
    assert completed("autograder", "grade", "gradient-pathology", "--student", "ba") == ["baba"]
    assert "aoki" in completed("autograder", "grade", "gradient-pathology", "--student", "a")
    assert not (tmp_path / "evil").exists()
    assert completed("autograder", "report", "gradient-pathology", "--format", "ca") == ["canvas"]


def test_json_holds_every_item(write_notebook, tmp_path):
    target = tmp_path / "out.json"
    run("check", write_notebook(small_notebook(clip_gradients=WRONG_CLIP)), "--json", target)
    results = json.loads(target.read_text(encoding="utf-8"))
    assert results["assignment"] == "gradient-pathology" and results["isolation"] in ("full", "strong", "basic")
    submission = results["submissions"]["gradient_pathology"]
    assert (submission["status"], submission["max"]) == ("graded", AUTOMATIC)
    assert submission["score"] == sum(check["score"] for check in submission["checks"].values()) < AUTOMATIC
    clip = submission["checks"]["clip_gradients"]
    assert clip["max"] == 6.0 and clip["score"] == sum(item["points"] for item in clip["items"])
    items = {item["id"]: item for item in clip["items"]}
    assert set(items["clips"]) == {"id", "outcome", "points", "max", "message", "cause", "causes", "behaviour"}
    assert (items["clips"]["outcome"], items["clips"]["points"], items["clips"]["max"]) == ("failed", 0.0, 0.25)


def test_cells_that_fail_in_a_clean_run_are_listed(write_notebook):
    notebook = small_notebook(extra=[code_cell("print(only_in_my_kernel)"), code_cell("x = 1\ny = = 2")])
    done = run("check", write_notebook(notebook))
    assert done.returncode == 0
    assert "NameError: name 'only_in_my_kernel' is not defined" in done.stdout
    assert "SyntaxError: invalid syntax (line 2 of the cell)" in done.stdout and "ipython" not in done.stdout


def test_control_characters_of_a_student_do_not_reach_the_terminal(write_notebook):
    out = run("check", write_notebook(small_notebook(clip_gradients=EVIL))).stdout
    assert "owned" in out
    assert "\x1b" not in out and "\x07" not in out


@pytest.mark.parametrize(
    "report",
    [
        lambda words: print_submission(SubmissionResult(message=words), [words], {}),
        lambda words: print_summary(Summary(looks={"s1": words})),
    ],
    ids=["check", "grade"],
)
def test_no_words_become_a_picture_or_a_colour(report, capsys):
    report("KeyError: ':key:' in x[:100:] [red]")
    assert "KeyError: ':key:' in x[:100:] [red]" in capsys.readouterr().out


# --- which language ---------------------------------------------------------------------------------------------------

JAPANESE_TEXT = re.compile("[ぁ-んァ-ヶ一-龠]")


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own language counts there")
@pytest.mark.parametrize("variables", [{}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}, {"LANG": "de_DE.UTF-8"}])
def test_the_command_speaks_english_to_everybody_but_japanese(variables):
    said = run("--help", **variables).stdout
    assert said.startswith("usage: ") and said.isascii()


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"LANG": "ja_JP.UTF-8"}, ["--help"]),
        ({"AUTOGRADER_LANG": "ja", "LC_ALL": "C"}, ["--help"]),
        ({"AUTOGRADER_LANG": "en", "LC_ALL": "C"}, ["--help", "--lang", "ja"]),
    ],
)
def test_the_command_speaks_japanese_where_it_is_asked_to(variables, arguments):
    assert run(*arguments, **variables).stdout.startswith("使い方: ")


class Terminal(io.TextIOWrapper):
    """Standard output or error in an encoding of its own, as Python opens it."""

    def __init__(self, encoding, errors="strict"):
        super().__init__(io.BytesIO(), encoding, errors)

    @property
    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ["ascii", "euc_jp"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["check", "{notebook}"], 1),
        (["check", "nowhere.ipynb"], 2),
        (["--x"], 2),
        (["completion", "zsh"], 0),
    ],
    ids=["help", "a notebook", "no notebook", "no option", "completion"],
)
def test_a_terminal_that_cannot_show_japanese_gets_question_marks(
    arguments, code, encoding, write_notebook, monkeypatch
):
    """And one that can gets Japanese, in its own encoding."""
    notebook = write_notebook(small_notebook(clip_gradients=WRONG_CLIP))
    streams = {"stdout": Terminal(encoding), "stderr": Terminal(encoding, "backslashreplace")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setenv("AUTOGRADER_LANG", "ja")
    monkeypatch.setattr(sys, "argv", ["autograder", *(argument.format(notebook=notebook) for argument in arguments)])
    with pytest.raises(SystemExit) as ending:
        main()
    said = "".join(stream.shown for stream in streams.values())
    assert ending.value.code == code and "Traceback" not in said
    assert JAPANESE_TEXT.search(said) if encoding == "euc_jp" else "??" in said


@pytest.mark.parametrize("encoding", ["ascii", "euc_jp"])
def test_nor_does_a_notebook_fail_there_that_is_run_as_a_script(encoding, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal(encoding))
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with speaking("ja"):
        check("clip_gradients")
        with waiting_for("clip_gradients"):
            raise NotImplementedError
    said = sys.stdout.shown
    assert said.startswith("clip_gradients") and said.count("\n") == 2
    assert JAPANESE_TEXT.search(said) if encoding == "euc_jp" else "??" in said


@pytest.mark.parametrize(("language", "words"), [("en", "is missing"), ("ja", "がありません")])
def test_a_package_that_is_missing_is_named_in_the_language_asked_for(language, words, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.setattr(sys, "argv", ["autograder", "completion", "bash", "--lang", language])
    with pytest.raises(SystemExit) as ending:
        main()
    said = capsys.readouterr()
    assert (ending.value.code, said.out) == (2, "")
    assert "shtab" in said.err and words in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(("language", "words"), [("en", "is missing"), ("ja", "がありません")])
def test_so_it_is_where_the_command_itself_cannot_be_imported(language, words):
    """`-S` leaves out the folder of packages: nothing is there but the kit and Python's own."""
    variables = os.environ | {"PYTHONUTF8": "1", "PYTHONPATH": str(Path(autograder.__file__).parents[1])}
    line = [sys.executable, "-S", "-m", "autograder", "check", "--lang", language]
    done = subprocess.run(line, env=variables, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and done.stderr.count("\n") == 1


# --- pytest --submission ----------------------------------------------------------------------------------------------


@pytest.fixture
def pytest_on(pytester, write_notebook):
    """pytest on a notebook, in this process: its exit code and what it says."""

    def run(notebook, *arguments):
        path = write_notebook(notebook)
        done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--submission", path, *arguments)
        return done.ret, str(done.stdout) + str(done.stderr)

    return run


def test_pytest_shows_one_test_a_check_and_tells_once_why_an_exercise_was_stopped(pytest_on):
    wrong = {
        "clip_gradients": WRONG_CLIP,
        "gradient_profile": "def gradient_slope(delta_norms):\n    import os\n    os._exit(0)",
        "depth_study": EVIL.replace("clip_gradients", "depth_study"),
    }
    code, text = pytest_on(small_notebook(**wrong), "--pyargs", "autograder", "-rN")
    number = {exercise.id: len(exercise.checks) for exercise in EXERCISES}
    assert code == 1
    assert "clip_gradients::total_norm" in text and "total_norm is 0" in text and "Traceback" not in text
    assert all(text.count(f"_ {name}::") == number[name] for name in ("gradient_profile", "depth_study"))
    assert text.count("ended the Python process") == 1
    assert text.count("Same as above.") >= number["gradient_profile"] - 1
    assert "owned" in text and "\x1b" not in text and "\x07" not in text


@pytest.mark.parametrize(
    ("notebook", "arguments", "words"),
    [
        (small_notebook(), [], ["--pyargs autograder"]),
        ("{", ["--pyargs", "autograder"], ["gradient_pathology.ipynb", "JSON"]),
    ],
    ids=["without the package", "no submission"],
)
def test_pytest_says_what_is_missing(pytest_on, notebook, arguments, words):
    code, text = pytest_on(notebook, *arguments)
    assert code == 4 and all(word in text for word in words)


def test_the_plugin_is_quiet_in_other_test_runs(pytester):
    pytester.makepyfile(test_own="def test_one():\n    assert True\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
