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
from conftest import EXERCISES, code_cell, small_notebook

import autograder
from autograder import check, cli, waiting_for
from autograder.__main__ import main
from autograder.checks.results import SubmissionResult
from autograder.cli.class_table import print_summary
from autograder.grading.grade_class import Summary
from autograder.locale import LANGUAGES, speaking
from autograder.report.console import print_submission, running_notebook
from source.catalogue import translations

EVIL = 'def clip_gradients(layers, max_norm=1.0):\n    raise ValueError("\\x1b]0;owned\\x07\\x1b[2J")'
WRONG_CLIP = "def clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0"


def run(*arguments):
    """(exit code, stdout, stderr) of the command in a process of its own, in English."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, arguments)], capture_output=True, text=True, encoding="utf-8"
    )
    return done.returncode, done.stdout, done.stderr


def test_full_marks_exit_with_0(write_notebook):
    code, out, err = run("check", write_notebook(small_notebook()), "--lang", "en")
    assert code == 0 and "36 / 40" in out
    assert err.startswith("Running the notebook") and err.count("\n") == 1 and "Running" not in out


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
    code, out, _err = run("check", write_notebook(small_notebook(clip_gradients=WRONG_CLIP)))
    assert code == 1
    assert "total_norm is 0" in out and "case: exploding gradients" in out


def test_an_unreadable_notebook_exits_with_2_and_one_sentence(write_notebook, tmp_path):
    target = tmp_path / "out.json"
    code, out, err = run("check", write_notebook('{"cells": ['), "--lang", "en", "--json", target)
    assert (code, out) == (2, "")
    assert "gradient_pathology.ipynb" in err and "Traceback" not in err
    (submission,) = json.loads(target.read_text(encoding="utf-8"))["submissions"].values()
    assert submission["status"] == "failed" and submission["message"] in err


def test_missing_cells_exit_with_2_and_the_rest_is_judged(write_notebook):
    notebook = small_notebook()
    notebook["cells"] = [c for c in notebook["cells"] if "depth_study" not in c["metadata"]["nbgrader"]["grade_id"]]
    code, out, _err = run("check", write_notebook(notebook))
    assert code == 2
    assert "30 / 40" in out and "lacks these cells of the assignment: depth_study" in out


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


def help_of(command, language, capsys):
    """What `--help` prints."""
    with speaking(None), pytest.raises(SystemExit) as ending:
        cli.main([*command.split(), "--help", "--lang", language])
    assert ending.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["", *commands()])
def test_every_help_shows_an_example(command, capsys):
    assert re.search(rf"example: .*autograder {command}", help_of(command, "en", capsys))


@pytest.mark.parametrize("module", cli.COMMANDS, ids=lambda module: module.__name__)
def test_a_help_says_what_the_command_does_in_the_language_asked_for(module, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    command = module.__name__.split(".")[-1]
    assert module.run.__doc__ in help_of(command, "en", capsys)
    translated = translations()[module.run.__doc__]
    assert translated and translated in help_of(command, "ja", capsys)


@pytest.mark.parametrize("command", ["", *commands()])
def test_a_help_is_of_one_language(command, capsys):
    """In Japanese every line but the usage and the example says something in Japanese."""
    usage, *lines = re.split(r"\n(?=\S)|\n(?=  \S)", help_of(command, "ja", capsys).strip())
    assert "--lang" in usage and usage.startswith("使い方: autograder") and lines[-1].startswith("例: ")
    said = [line for line in lines if not re.fullmatch(r"\s*([A-Z]+|\{[a-z,]+\})\s*", line)]
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", line) for line in said)


@pytest.mark.parametrize("arguments", [["--lang", "en", "check"], ["check", "--lang", "en"]])
def test_the_language_may_stand_anywhere(arguments, tmp_path, capsys):
    with speaking("ja"), pytest.raises(SystemExit):
        cli.main([*arguments, str(tmp_path / "nowhere.ipynb")])
    assert "nowhere.ipynb cannot be read" in capsys.readouterr().err


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
def test_a_wrong_command_or_path_is_one_line_and_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ending:
        cli.main(arguments)
    said = capsys.readouterr()
    assert (ending.value.code, said.out) == (2, "")
    assert said.err.count("\n") == 1 and "Traceback" not in said.err


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
def test_a_wrong_command_line_is_answered_in_sentences_of_one_language(arguments, capsys):
    said = {}
    for language in LANGUAGES:
        with speaking(language), pytest.raises(SystemExit):
            cli.main(arguments)
        said[language] = capsys.readouterr().err
    assert said["en"].isascii()
    choices = "[a-z, -]+(?= から選んで)"  # in quotes before Python 3.13
    names = rf"autograder( \w+)?|--?[\w-]+(=\S*)?|'[^']*'|{choices}|NOTEBOOK|COMMAND|ID|A-Z|a-z"
    assert not re.search("[a-z]{2}", re.sub(names, "", said["ja"])), said["ja"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no folder in which nobody can write")
def test_results_that_cannot_be_written_are_one_line_and_2(write_notebook, capsys):
    with pytest.raises(SystemExit) as ending:
        cli.main(["check", str(write_notebook(small_notebook())), "--json", "/proc/out.json"])
    running, *error = capsys.readouterr().err.splitlines()
    assert ending.value.code == 2 and len(error) == 1 and "/proc/out.json" in error[0]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_a_file_name_that_is_no_text_is_checked_like_any_other(write_notebook, tmp_path):
    path = write_notebook(small_notebook())
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/" + "課題.ipynb".encode("shift_jis"))
    path.rename(odd)
    code, out, err = run("check", odd, "--lang", "en", "--json", tmp_path / "out.json")
    assert code == 0 and err.count("\n") == 1 and "36 / 40" in out
    assert len(json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["submissions"]) == 1


@pytest.mark.parametrize("shell", cli.completion.SHELLS)
def test_completion_knows_every_command(shell, capsys):
    with pytest.raises(SystemExit) as ending:
        cli.main(["completion", shell])
    assert ending.value.code == 0
    out = capsys.readouterr().out
    assert all(command in out for command in commands()) and "--watch" in out


def test_bash_completes_commands_options_and_files(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "lesson.ipynb").touch()
    (tmp_path / "completion").write_text(run("completion", "bash")[1], encoding="utf-8")

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


def test_json_holds_every_item(write_notebook, tmp_path, capsys):
    target = tmp_path / "out.json"
    with pytest.raises(SystemExit) as ending:
        cli.main(["check", str(write_notebook(small_notebook(clip_gradients=WRONG_CLIP))), "--json", str(target)])
    assert ending.value.code == 1
    results = json.loads(target.read_text(encoding="utf-8"))
    assert results["assignment"] == "gradient-pathology" and results["isolation"] in ("full", "strong", "basic")
    submission = results["submissions"]["gradient_pathology"]
    assert (submission["status"], submission["max"]) == ("graded", 36.0)
    assert submission["score"] == sum(check["score"] for check in submission["checks"].values()) < 36
    clip = submission["checks"]["clip_gradients"]
    assert clip["max"] == 6.0 and clip["score"] == sum(item["points"] for item in clip["items"])
    items = {item["id"]: item for item in clip["items"]}
    assert set(items["clips"]) == {"id", "outcome", "points", "max", "message", "cause", "causes", "behaviour"}
    assert (items["clips"]["outcome"], items["clips"]["points"], items["clips"]["max"]) == ("failed", 0.0, 0.25)


def test_cells_that_fail_in_a_clean_run_are_listed(write_notebook):
    notebook = small_notebook(extra=[code_cell("print(only_in_my_kernel)"), code_cell("x = 1\ny = = 2")])
    code, out, _err = run("check", write_notebook(notebook))
    assert code == 0
    assert "NameError: name 'only_in_my_kernel' is not defined" in out
    assert "SyntaxError: invalid syntax (line 2 of the cell)" in out and "ipython" not in out


def test_control_characters_of_a_student_do_not_reach_the_terminal(write_notebook):
    _code, out, _err = run("check", write_notebook(small_notebook(clip_gradients=EVIL)))
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


def run_with(variables, *arguments, options=()):
    """The command, in an environment in which `variables` alone say something about language and encoding."""
    said = ("AUTOGRADER_LANG", "LANG", "LANGUAGE", "LC_", "PYTHONIOENCODING", "PYTHONUTF8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(said)}
    line = [sys.executable, *options, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(line, env=kept | variables, capture_output=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own language counts there")
@pytest.mark.parametrize("variables", [{}, {"LANG": "C"}, {"LC_ALL": "C.UTF-8"}, {"LANG": "de_DE.UTF-8"}])
def test_the_command_speaks_english_to_everybody_but_japanese(variables):
    done = run_with({"PYTHONUTF8": "1"} | variables, "--help")
    assert done.stdout.startswith(b"usage: ") and done.stdout.isascii()


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"LANG": "ja_JP.UTF-8"}, ["--help"]),
        ({"AUTOGRADER_LANG": "ja", "LC_ALL": "C"}, ["--help"]),
        ({"AUTOGRADER_LANG": "en", "LC_ALL": "C"}, ["--help", "--lang", "ja"]),
    ],
)
def test_the_command_speaks_japanese_where_it_is_asked_to(variables, arguments):
    done = run_with({"PYTHONUTF8": "1"} | variables, *arguments)
    assert done.stdout.decode("utf-8").startswith("使い方: ")


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
def test_a_terminal_that_cannot_show_japanese_gets_question_marks(arguments, code, encoding, write_notebook):
    """And one that can gets Japanese, in its own encoding."""
    notebook = write_notebook(small_notebook(clip_gradients=WRONG_CLIP))
    arguments = [argument.format(notebook=notebook) for argument in arguments]
    done = run_with({"LANG": "ja_JP.eucJP", "AUTOGRADER_LANG": "ja", "PYTHONIOENCODING": encoding}, *arguments)
    said = (done.stdout + done.stderr).decode(encoding)
    assert done.returncode == code and "Traceback" not in said
    assert JAPANESE_TEXT.search(said) if encoding == "euc_jp" else "??" in said


@pytest.mark.parametrize("encoding", ["ascii", "euc_jp"])
def test_nor_does_a_notebook_fail_there_that_is_run_as_a_script(encoding, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with speaking("ja"):
        check("clip_gradients")
        with waiting_for("clip_gradients"):
            raise NotImplementedError
    stdout.flush()
    said = stdout.buffer.getvalue().decode(encoding)
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
    course = str(Path(autograder.__file__).parents[1])
    done = run_with({"PYTHONUTF8": "1", "PYTHONPATH": course}, "check", "--lang", language, options=["-S"])
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr.decode("utf-8") and done.stderr.count(b"\n") == 1


# --- pytest --submission ----------------------------------------------------------------------------------------------


def pytest_on(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
    )
    return done.returncode, done.stdout + done.stderr


def test_pytest_shows_one_test_a_check(write_notebook, tmp_path):
    notebook = write_notebook(small_notebook(clip_gradients=WRONG_CLIP))
    code, text = pytest_on("--submission", notebook.name, "--pyargs", "autograder", cwd=tmp_path)
    assert code == 1
    assert "clip_gradients::total_norm" in text and "total_norm is 0" in text
    assert "30 passed" not in text and "failed" in text and "Traceback" not in text


def test_pytest_tells_once_why_an_exercise_was_stopped(write_notebook, tmp_path):
    ends = "def clip_gradients(layers, max_norm=1.0):\n    import os\n    os._exit(0)"
    notebook = write_notebook(small_notebook(clip_gradients=ends))
    _code, text = pytest_on("--submission", notebook.name, "--pyargs", "autograder", "-k", "clip", "-rN", cwd=tmp_path)
    promises = next(len(e.checks) for e in EXERCISES if e.id == "clip_gradients")
    assert f"{promises} failed" in text
    assert text.count("ended the Python process") == 1 and text.count("Same as above.") == promises - 1


def test_control_characters_of_a_student_do_not_reach_pytests_terminal(write_notebook, tmp_path):
    notebook = write_notebook(small_notebook(clip_gradients=EVIL))
    _code, text = pytest_on("--submission", notebook.name, "--pyargs", "autograder", "-k", "clips", cwd=tmp_path)
    assert "owned" in text and "\x1b" not in text and "\x07" not in text


def test_pytest_without_the_package_is_told_what_is_missing(write_notebook, tmp_path):
    write_notebook(small_notebook())
    code, text = pytest_on("--submission", "gradient_pathology.ipynb", cwd=tmp_path)
    assert code == 4 and "--pyargs autograder" in text


def test_pytest_refuses_what_is_no_submission(write_notebook, tmp_path):
    write_notebook("{", name="broken.ipynb")
    code, text = pytest_on("--submission", "broken.ipynb", "--pyargs", "autograder", cwd=tmp_path)
    assert code != 0 and "broken.ipynb" in text and "JSON" in text


def test_the_plugin_is_quiet_in_other_test_runs(tmp_path):
    (tmp_path / "test_own.py").write_text("def test_one():\n    assert True\n")
    code, text = pytest_on(cwd=tmp_path)
    assert code == 0 and "1 passed" in text
