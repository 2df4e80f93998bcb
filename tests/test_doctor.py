"""`autograder doctor`: what is in order is said to be, and what is not, with what to do."""

import json
import subprocess
import sys
from collections import namedtuple
from importlib import metadata
from types import SimpleNamespace

import pytest
from conftest import COURSE

from autograder import cli
from autograder.__main__ import main
from autograder.cli import course_folder
from autograder.cli import environment as doctor
from autograder.cli.environment import Finding, State
from autograder.sandbox.fork_server import HostBroken
from autograder.sandbox.isolation import Level


def test_this_installation_is_in_order_and_written_to_a_file(tmp_path, capsys):
    target = tmp_path / "doctor.json"
    with pytest.raises(SystemExit) as ending:
        cli.main(["doctor", "--course", str(COURSE), "--json", str(target), "--lang", "en"])
    out = capsys.readouterr().out
    assert ending.value.code == 0, out
    findings = {f["what"]: f for f in json.loads(target.read_text(encoding="utf-8"))["findings"]}
    assert {"Python", "Jupyter kernel", "isolation", "test run", "alembic", "exchange folder"} <= set(findings)
    assert findings["test run"]["state"] == "ok"
    assert all(f"{f['what']}: " in out for f in findings.values())
    assert "Everything works." in out


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [(State.WRONG, 1, ["wrong", "a: is torn", "→ Sew it.", "Wrong: 1."]), (State.LOOK, 0, ["look", "a: is torn"])],
)
def test_something_wrong_exits_with_1_and_something_to_look_at_is_no_failure(monkeypatch, capsys, state, code, words):
    monkeypatch.setattr(doctor, "examine", lambda _course: [Finding("a", state, "is torn", "Sew it.")])
    with pytest.raises(SystemExit) as ending:
        cli.main(["doctor", "--lang", "en"])
    out = capsys.readouterr().out
    assert ending.value.code == code and all(word in out for word in words)


@pytest.mark.parametrize("error", [ImportError("torn"), ValueError("no JSON"), OSError("no space"), SystemExit(3)])
def test_what_breaks_in_the_looking_is_a_finding_and_the_rest_is_looked_at(monkeypatch, tmp_path, error):
    def broken(*_arguments):
        raise error

    for name in ("packages", "kernel", "nbgrader", "workers", "disk"):
        monkeypatch.setattr(doctor, name, broken)
    findings = {f.what: f for f in doctor.examine(tmp_path)}
    wrong = {name for name, finding in findings.items() if finding.state is State.WRONG}
    assert wrong == {"packages", "Jupyter kernel", "nbgrader", "isolation", "disk space"}
    assert findings["disk space"].seen == f"{type(error).__name__}: {error}"
    assert findings["processors"].state is State.OK


OTHER = "#!/bin/sh\nexit 1\n"
SCRIPTS = pytest.mark.skipif(sys.platform == "win32", reason="needs an executable script")


@pytest.mark.parametrize(
    ("spec", "script", "state", "words"),
    [
        ("python", None, State.OK, ""),
        (sys.executable, None, State.OK, ""),
        (None, None, State.WRONG, "ipykernel install"),
        ("torn", None, State.WRONG, ""),
        pytest.param("{folder}/other-python", OTHER, State.WRONG, "other-python", marks=SCRIPTS),
        ("{folder}/other-python", None, State.WRONG, "other-python"),
    ],
    ids=["python", "this one", "missing", "torn", "without the kit", "gone"],
)
def test_the_kernel_must_be_one_of_this_environment(monkeypatch, tmp_path, spec, script, state, words):
    import jupyter_client.kernelspec as kernelspec

    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)  # which brings a kernel of its own
    monkeypatch.setattr(kernelspec.KernelSpecManager, "_kernel_dirs_default", lambda _self: [str(tmp_path)])
    if script:
        (tmp_path / "other-python").write_text(script)
        (tmp_path / "other-python").chmod(0o755)
    if spec:
        argv = [spec.format(folder=tmp_path), "-m", "ipykernel_launcher"]
        described = json.dumps({"argv": argv, "display_name": "Python", "language": "python"})
        (tmp_path / "python3").mkdir()
        (tmp_path / "python3" / "kernel.json").write_text("{" if spec == "torn" else described)
    (found,) = doctor._in_any_case("Jupyter kernel", doctor.kernel)
    assert found.state is state and words in found.seen + found.advice


def test_packages_that_do_not_fit_are_named_with_the_command_that_mends_it():
    found = doctor.packages(["numpy>=99", "no-such-package-here>=1", "rich>=1", "other; extra == 'unknown'"])
    assert found.state is State.WRONG
    assert "numpy (" in found.seen and "no-such-package-here (missing)" in found.seen and "rich" not in found.seen
    assert 'pip install "numpy>=99" "no-such-package-here>=1"' in found.advice


def test_a_font_that_is_gone_is_wrong(monkeypatch):
    import matplotlib_fontja

    assert doctor.font().state is State.OK
    monkeypatch.setattr(matplotlib_fontja, "get_font_ttf_path", lambda: "/nowhere.ttf")
    assert doctor.font().state is State.WRONG


def test_a_language_without_messages_is_worth_a_look(monkeypatch):
    monkeypatch.setenv("AUTOGRADER_LANG", "fr")
    found = doctor.language()
    assert found.state is State.LOOK and "ja, en" in found.advice


def have_installed(monkeypatch, is_there):
    """Of what is installed, only packages of whose name `is_there` can be found."""
    version = metadata.version

    def installed(name):
        if not is_there(name):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", installed)


def test_students_need_no_nbgrader(monkeypatch, tmp_path):
    have_installed(monkeypatch, lambda name: name != "nbgrader")
    findings = {f.what: f for f in doctor.examine(tmp_path)}
    assert findings["nbgrader"].state is State.OK and "only instructors need it" in findings["nbgrader"].seen
    assert not {"alembic", "course folder", "reference/"} & set(findings)
    assert findings["isolation"].state is State.OK and not findings["isolation"].advice


def test_why_isolation_is_weak_is_said_where_others_are_graded_and_nowhere_else(monkeypatch, tmp_path):
    host = SimpleNamespace(level=Level.BASIC, unavailable={Level.FULL: "PermissionError", Level.STRONG: "no pyseccomp"})
    monkeypatch.setattr(doctor, "shared_host", lambda: host)
    monkeypatch.setattr(doctor, "trial", lambda _host: Finding("test run", State.OK, ""))
    isolation, _trial = doctor.workers(tmp_path)
    assert (isolation.state, isolation.seen) == (State.OK, "basic; any level is enough for your own notebook.")
    make_course(tmp_path)
    isolation, _trial = doctor.workers(tmp_path)
    assert isolation.state is State.LOOK and "PermissionError" in isolation.seen and "pyseccomp" in isolation.seen
    have_installed(monkeypatch, lambda name: name != "nbgrader")
    assert next(doctor.workers(tmp_path)).state is State.OK


def test_the_command_begins_where_a_missing_package_is_noticed():
    (script,) = metadata.entry_points(group="console_scripts", name="autograder")
    assert script.load() is main


def make_course(folder, exchange=None):
    """What tells an instructor's folder: nbgrader's settings and source/."""
    lines = ["c = get_config()", *([f"c.Exchange.root = {str(exchange)!r}"] if exchange else [])]
    (folder / "nbgrader_config.py").write_text("\n".join(lines))
    (folder / "source").mkdir()
    folder.chmod(0o700)
    return folder


@pytest.mark.parametrize("config", [True, False])
def test_a_student_who_has_nbgrader_needs_nothing_of_an_instructors(monkeypatch, tmp_path, config):
    if config:  # as on a hub, for the exchange
        (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    has = {"nbgrader", "numpy"}  # nothing else of the extra
    have_installed(monkeypatch, has.__contains__)
    monkeypatch.setattr(doctor.metadata, "requires", lambda _name: ["numpy", "landlockpy; extra == 'instructor'"])
    monkeypatch.setattr(doctor.shutil, "which", lambda *_arguments, **_more: None)  # no alembic
    (line,) = doctor.nbgrader(tmp_path)
    assert line.state is State.OK and "run this in the course folder" in line.seen
    assert doctor.packages(grades=doctor.grades_in(tmp_path)).state is State.OK
    if not config:
        make_course(tmp_path)
        findings = {f.what: f.state for f in doctor.nbgrader(tmp_path)}
        assert findings["alembic"] is State.WRONG
        assert doctor.packages(grades=doctor.grades_in(tmp_path)).state is State.WRONG


def test_a_course_without_reference_is_wrong(tmp_path):
    findings = {f.what: f for f in doctor.nbgrader(make_course(tmp_path))}
    assert findings["reference/"].state is State.WRONG


def exchange(course):
    return {f.what: f for f in doctor.nbgrader(course)}["exchange folder"]


def test_the_exchange_is_the_one_of_the_configuration(tmp_path):
    for name in ("new", "closed", "broken"):
        (tmp_path / name).mkdir()
    course = make_course(tmp_path / "new", tmp_path / "new" / "exchange")
    assert (exchange(course).state, exchange(course).seen) == (State.OK, str(course / "exchange"))
    (tmp_path / "file").touch()
    assert exchange(make_course(tmp_path / "closed", tmp_path / "file")).state is State.LOOK
    broken = make_course(tmp_path / "broken")
    (broken / "nbgrader_config.py").write_text("1 / 0\n")
    found = {f.what: f for f in doctor.nbgrader(broken)}["nbgrader_config.py"]
    assert found.state is State.WRONG and "division by zero" in found.seen


def rights(course):
    return {f.what: f for f in doctor.nbgrader(course)}["permissions"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize("mode", [0o755, 0o711, 0o777, 0o750, 0o733])
@pytest.mark.parametrize("inside", [False, True], ids=["exchange elsewhere", "exchange inside"])
def test_a_course_folder_that_is_open_to_others_is_named_with_the_command_that_closes_it(
    tmp_path, monkeypatch, mode, inside
):
    monkeypatch.setattr(course_folder, "_is_own_group", lambda _path: False)
    course = tmp_path / "our course"
    course.mkdir()
    make_course(course, course / "exchange" if inside else tmp_path / "exchange")
    for name in ("reference", "submitted", "exchange"):
        (course / name).mkdir()
        (course / name).chmod(0o777)
    (course / "gradebook.db").touch(0o644)
    assert rights(course).state is State.OK, "nobody else can get in"
    course.chmod(mode)
    found = rights(course)
    assert found.state is State.LOOK
    assert (
        all(name in found.seen for name in ("reference", "submitted", "gradebook.db")) and "exchange" not in found.seen
    )
    command = found.advice.removeprefix("Run: ")
    assert command.startswith("chmod go-rw" if inside else "chmod 700")
    subprocess.run(["sh", "-c", command], check=True)
    assert rights(course).state is State.OK
    assert (course / "exchange").stat().st_mode & 0o777 == 0o777
    assert not inside or course.stat().st_mode & 0o011 == mode & 0o011, "students still get to the exchange"


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
def test_a_group_that_shares_the_course_may_look_into_it(tmp_path):
    course = make_course(tmp_path)
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.groupshared = True\n")
    course.chmod(0o770)
    assert rights(course).state is State.OK
    course.chmod(0o775)
    assert rights(course).advice == f"Run: chmod 770 {course}"


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
def test_an_exchange_that_would_come_to_lie_in_a_closed_folder_is_spoken_of(tmp_path):
    course = make_course(tmp_path, tmp_path / "exchange")
    course.chmod(0o755)
    found = rights(course)
    assert found.advice.startswith(f"Run: chmod 700 {course}") and "NBGRADER_EXCHANGE" in found.advice


def test_why_a_level_is_not_to_be_had_is_said():
    found = doctor.isolation(Level.STRONG, {Level.FULL: "bubblewrap is not installed"})
    assert found.state is State.OK
    assert found.seen == "strong; full is not available: bubblewrap is not installed"
    found = doctor.isolation(Level.BASIC, {})
    assert found.state is State.LOOK and "bubblewrap" in found.advice


def test_workers_that_do_not_start_are_wrong(monkeypatch, tmp_path):
    def broken():
        raise HostBroken("no Python")

    monkeypatch.setattr(doctor, "shared_host", broken)
    (found,) = doctor.workers(tmp_path)
    assert found.state is State.WRONG and found.seen == "no Python" and found.advice


@pytest.mark.parametrize(("free", "state"), [(5e9, State.OK), (5e8, State.LOOK), (5e6, State.WRONG)])
def test_a_disk_is_full_before_nothing_is_left(monkeypatch, tmp_path, free, state):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: usage(free))
    assert doctor.disk(tmp_path).state is state
