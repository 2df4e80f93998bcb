"""The process that workers come from: levels, what each keeps from students' code, what happens when it is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest

from autograder.checks import encoding
from autograder.grading.grade_submission import grade_submission
from autograder.notebooks.submission import submission_of
from autograder.sandbox import fork_server, frames, isolation, privileges
from autograder.sandbox.folder import clear, is_too_full
from autograder.sandbox.fork_server import Host, HostBroken, HostLost
from autograder.sandbox.isolation import Level
from autograder.sandbox.limits import Limits
from tests.conftest import AUTOMATIC, COURSE, code_cell, levels, small_notebook

linux = pytest.mark.skipif(sys.platform != "linux", reason="levels above basic are of Linux")
of_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("setpriv") is None, reason="not root on Linux"
)


def available(level):
    """A host at `level`, or a skipped test where this machine has no such level."""
    try:
        return Host(level, own_code=True)
    except HostBroken as error:
        pytest.skip(f"no level {level} here: {error}")


def outputs_of(source, on):
    """What one cell prints in a worker of the host `on`."""
    submission = submission_of(small_notebook(extra=[code_cell(source)]), "test")
    graded = grade_submission(submission, limits=Limits(cell_seconds=5.0), host=on)
    index = max(cell.index for cell in submission.cells if cell.source == source)
    return graded.run.outputs[index], graded.result


@pytest.fixture(scope="module")
def best():
    """A host at the best level there is here."""
    with Host(own_code=True) as on:
        yield on


@pytest.mark.parametrize("level", levels())
def test_the_reference_has_full_marks_and_students_code_has_no_hand_on_anything_but_its_folder(level, tmp_path):
    (tmp_path / "other").write_text("not yours")
    tries = f"""
import os, socket, subprocess
from pathlib import Path
def t(f, *a):
    try:
        f(*a)
    except OSError as e:
        return
    print("GOT", f, a)
if {level is not Level.BASIC}:
    t(os.fork)
    t(subprocess.run, ["true"])
    t(socket.socket)
    t(os.kill, os.getppid(), 0)
    t(os.listdir, {str(tmp_path)!r})
    t(open, {str(tmp_path / "other")!r})
    t(os.chmod, {str(tmp_path / "other")!r}, 0)
    t(os.truncate, {str(tmp_path / "other")!r}, 0)
    t(os.memfd_create, "x")
    t(os.mkfifo, "pipe")
Path("mine").write_text("mine")
print(Path("mine").read_text(), os.listdir())
"""
    with available(level) as on:
        outputs, result = outputs_of(tries, on)
    assert [output.get("text") for output in outputs] == ["mine ['mine']\n"]
    assert result.score == result.max == AUTOMATIC


def test_a_worker_finds_nothing_of_the_one_before(best):
    outputs_of("open('left', 'w').write('x')\nimport builtins\nbuiltins.left = 1\nos = 1", best)
    outputs, _result = outputs_of("import os, builtins\nprint(os.listdir(), hasattr(builtins, 'left'))", best)
    assert outputs[0]["text"] == "[] False\n"


def test_random_numbers_of_the_global_generators_are_the_same_every_time(best):
    source = "import random\nimport numpy as np\nprint(random.random(), np.random.rand())"
    first, second = (outputs_of(source, best)[0] for _ in range(2))
    assert first == second


@linux
def test_a_worker_that_fills_its_folder_is_stopped_and_others_are_not(best):
    fill = "import time\nfor n in range(100000):\n    open(str(n), 'w').close()\ntime.sleep(3)"
    outputs, result = outputs_of(fill, best)
    assert outputs[-1]["output_type"] == "error"
    assert result.score == AUTOMATIC, "the cell is left out when a new worker takes over"


@linux
def test_the_warm_parent_may_be_killed_between_and_during_submissions(best):
    best._process.kill()
    time.sleep(0.2)
    _outputs, result = outputs_of("pass", best)
    assert result.score == AUTOMATIC
    # SIGKILL comes while the cell waits; the submission is begun anew, and nobody blames the student.
    killer = threading.Timer(1.5, os.killpg, (best._process.pid, signal.SIGKILL))
    killer.start()
    _outputs, result = outputs_of("import time\ntime.sleep(3)", best)
    killer.join()
    assert result.score == AUTOMATIC


def test_a_host_that_does_not_answer_is_lost_and_comes_again(best):
    if not fork_server.FORKS:
        pytest.skip("every worker is a process of its own here")
    best._control.close()
    with pytest.raises(HostLost):
        best.start()
    with best.start() as worker:
        frames.send(worker, encoding.pack({"limits": vars(Limits()), "language": "en"}), 10.0)
        assert encoding.unpack(frames.receive(worker, 10.0)) == {"ready": True}


@linux
def test_no_process_and_no_folder_is_left_when_a_host_is_closed():
    on = Host(own_code=True)
    scratch, process = on._scratch, on._process
    worker = on.start()
    on.close()
    worker.close()
    assert process.poll() is not None and not scratch.exists()


@linux
def test_the_folder_of_a_killed_process_is_removed_by_the_next(tmp_path, monkeypatch):
    for odd in ("autograder-1x-kept", f"autograder-{10**30}-kept", f"autograder-{os.getpid()}-kept"):
        (tmp_path / odd).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = "import os\nfrom autograder.sandbox.fork_server import Host\non = Host(own_code=True)\nos._exit(7)"
    killed = subprocess.run([sys.executable, "-c", source], env={**os.environ, "TMPDIR": str(tmp_path)})
    assert killed.returncode == 7 and len(list(tmp_path.iterdir())) == 4
    with Host(own_code=True) as on:
        assert sorted(path.name.split("-")[-1] for path in tmp_path.iterdir() if path != on._scratch) == ["kept"] * 3
    assert len(list(tmp_path.iterdir())) == 3


def test_a_level_that_is_not_there_says_why(monkeypatch):
    monkeypatch.setattr(isolation.shutil, "which", lambda name: None)
    with pytest.raises(HostBroken, match="bubblewrap"):
        Host(Level.FULL)
    on = Host(own_code=True)
    on.close()
    assert on.level is not Level.FULL and "bubblewrap" in on.unavailable[Level.FULL]


@linux
def test_a_level_that_does_not_hold_is_not_taken(monkeypatch):
    available(Level.STRONG).close()
    monkeypatch.setattr(fork_server, "readable_paths", lambda: [*isolation.readable_paths(), isolation.Path("/tmp")])
    with pytest.raises(HostBroken, match="students' code could still read"):
        Host(Level.STRONG, guarded=(isolation.Path("/tmp"),))


@linux
def test_a_trial_of_a_level_that_takes_too_long_is_made_again(monkeypatch):
    available(Level.STRONG).close()
    possible, late = Host._possible, [TimeoutError()]

    def slow_at_first(on):
        if late:
            raise late.pop()
        return possible(on)

    monkeypatch.setattr(Host, "_possible", slow_at_first)
    Host(Level.STRONG).close()
    assert not late


ONLY_SETUID = "-all,+setuid,+setgid"
CONTAINER = "-sys_admin,-dac_read_search"
"""What is missing where root works in a container (Docker's default, among others)."""


def as_root_with(capabilities, source, *arguments):
    """What `source` prints where root has only these capabilities, in the form that setpriv knows."""
    line = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
    limited = ["setpriv", f"--bounding-set={capabilities}", *line] if capabilities else line
    done = subprocess.run(limited, cwd=COURSE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@of_root
@pytest.mark.parametrize(
    ("capabilities", "uid", "reads", "held"),
    [
        ("", "61200", "closed", [privileges.DAC_READ_SEARCH]),
        (CONTAINER, "61200", "closed", [privileges.DAC_OVERRIDE]),
        (ONLY_SETUID, "0", "closed", []),
        ("-all", "0", "closed", []),
        ("", "61200", "open", []),
        (ONLY_SETUID, "61200", "open", []),
    ],
)
def test_root_gives_up_all_but_what_reading_python_takes(capabilities, uid, reads, held, tmp_path):
    """Where Python lies in a folder that is closed to others, as below /root, and where it does not."""
    for folder, mode in ((tmp_path, 0o755), *((parent, 0o755) for parent in tmp_path.parents[:-2])):
        folder.chmod(mode)
    for name, mode in (("closed", 0o700), ("open", 0o755)):
        (tmp_path / name).mkdir(mode)
        (tmp_path / name).chmod(mode)
    source = """
        import os, sys
        from autograder.sandbox import privileges
        privileges.drop(61200, [sys.argv[1]])
        assert os.listdir(sys.argv[1]) == []
        assert len(set(os.getresuid())) == 1
        print(os.getuid(), *privileges._held())
    """
    assert as_root_with(capabilities, source, tmp_path / reads) == [uid, *map(str, held)]


@of_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no command unshare")
def test_root_of_a_container_that_has_one_user_alone_is_held_as_that_user():
    source = "from autograder.sandbox import privileges; privileges.drop(61200, ['/']); print(privileges._held())"
    line = ["unshare", "--map-root-user", sys.executable, "-c", source]
    done = subprocess.run(line, cwd=COURSE, capture_output=True, text=True, timeout=60)
    if "unshare failed" in done.stderr:
        pytest.skip("no user namespaces here")
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


@of_root
@pytest.mark.parametrize("capabilities", [CONTAINER, ONLY_SETUID, "-all"])  # with all of them: tests.hostile
def test_root_grades_with_whatever_capabilities_it_has_and_its_workers_read_nothing_of_the_course(capabilities):
    available(Level.STRONG).close()
    source = f"""
        from pathlib import Path
        from autograder.sandbox.fork_server import Host
        from tests.test_isolation import outputs_of
        tries = "import os, ctypes, struct\\n"
        tries += "for path in ('/etc/shadow', '/root', {str(COURSE)!r} + '/reference', '/proc/1/environ'):\\n"
        tries += "    for act in (open, os.listdir, os.unlink, lambda p: open(p, 'a')):\\n"
        tries += "        try: act(path)\\n"
        tries += "        except OSError: continue\\n"
        tries += "        print('GOT', path)"
        with Host(guarded=(Path({str(COURSE / "reference")!r}),)) as on:
            outputs, result = outputs_of(tries, on)
            print(on.level, result.score, outputs)
    """
    level, score, outputs = as_root_with(capabilities, source)
    assert level in ("strong", "full") and (score, outputs) == (f"{AUTOMATIC}", "[]")


@of_root
def test_root_never_runs_others_code_as_root():
    with Host(guarded=(isolation.Path(__file__).parent,)) as on:
        outputs, _result = outputs_of("import os\nprint(os.getuid(), os.geteuid(), os.getgroups())", on)
    uid, euid, groups = outputs[0]["text"].split(maxsplit=2)
    assert uid == euid and int(uid) >= isolation.FIRST_UID and groups == "[]\n"


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_folder_of_any_depth_is_cleared_and_links_are_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    box = tmp_path / "box"
    box.mkdir()
    (box / "link").symlink_to(kept)
    here = os.getcwd()
    os.chdir(box)
    try:
        for _ in range(2000):  # far beyond the longest path
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        open("file", "w").close()
    finally:
        os.chdir(here)
    assert is_too_full(box, 2**40, 10**9), "a folder that cannot be looked through counts as full"
    assert clear(box)
    assert list(box.iterdir()) == [] and (kept / "file").exists()


def test_a_folder_is_too_full_by_bytes_or_by_entries(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").mkdir()
    assert not is_too_full(tmp_path, 10**6, 10)
    assert is_too_full(tmp_path, 10**4, 10)
    assert is_too_full(tmp_path, 10**6, 1)
