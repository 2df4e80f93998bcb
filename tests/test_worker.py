"""The process that runs students' code: outputs, limits, restarts, and how little a worker is believed."""

import math
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from conftest import AUTOMATIC, SOLUTIONS, UNBIASED, code_cell, small_notebook

from autograder.checks.exercise import Stopped
from autograder.checks.results import Ending, Outcome
from autograder.exercises import exercise
from autograder.exercises.recorded import recorded
from autograder.grading.grade_submission import grade_submission
from autograder.locale import speaking
from autograder.notebooks.submission import submission_of
from autograder.sandbox import client, frames
from autograder.sandbox.client import Figures, WorkerDied, run_submission
from autograder.sandbox.fork_server import Host, HostBroken
from autograder.sandbox.limits import CLOCK_FACTOR, Limits, OutOfTime, time_limit
from autograder.sandbox.outputs import MOST_OUTPUTS, CellOutputs

QUICK = Limits(cell_seconds=2.0, probe_seconds=2.0)
SWALLOWING = """while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
"""The body of a function that does not stop by itself. (With the inner loop in one line, Python 3.11 stops it.)"""


def clipping(body):
    """A solution cell with this body."""
    return f"def clip_gradients(layers, max_norm=1.0):\n    {body}"


def run_cells(*sources, figures=Figures.ALL, limits=QUICK):
    """The outputs of extra cells of an otherwise empty notebook."""
    extra = [code_cell(source) for source in sources]
    notebook = small_notebook(extra=extra, **dict.fromkeys(SOLUTIONS, ""))
    submission = submission_of(notebook, "test")
    run = run_submission(submission, {}, figures, limits)
    first = len(notebook["cells"]) - len(submission.exercises) - len(extra)
    return [run.outputs[first + i] for i in range(len(extra))]


def scores(limits=QUICK, extra=(), **solutions):
    graded = grade_submission(submission_of(small_notebook(extra=list(extra), **solutions), "test"), limits=limits)
    return {name: result.score for name, result in graded.result.checks.items()}, graded


# --- cells ------------------------------------------------------------------------------------------------------------


def test_outputs_have_the_notebook_format_and_keep_their_order():
    (outputs,) = run_cells("print('a')\ndisplay(1)\nimport sys\nprint('b', file=sys.stderr)\nprint('c')\n2")
    kinds = [(output["output_type"], output.get("name")) for output in outputs]
    assert kinds == [
        ("stream", "stdout"),
        ("display_data", None),
        ("stream", "stderr"),
        ("stream", "stdout"),
        ("execute_result", None),
    ]
    assert outputs[-1]["data"] == {"text/plain": "2"}


def test_an_error_is_an_output_and_the_next_cell_runs():
    first, second = run_cells("x = 1\nraise KeyError('gone')", "print(x)")
    assert (first[-1]["output_type"], first[-1]["ename"]) == ("error", "KeyError")
    assert second[0]["text"] == "1\n"


def test_figures_are_drawn_only_where_somebody_looks():
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('勾配')\nplt.show()"
    (drawn,), (not_drawn,) = run_cells(plot), run_cells(plot, figures=Figures.NONE)
    assert "image/png" in drawn[0]["data"]
    assert "image/png" not in not_drawn[0]["data"]
    assert not [output for output in drawn if output["output_type"] == "stream"], "no glyph is missing"


def test_long_output_is_cut_and_says_so():
    (outputs,) = run_cells("for i in range(10**6): print('x' * 50)", limits=Limits(text_chars=10_000))
    assert len(outputs) == 1 and len(outputs[0]["text"]) < 11_000
    assert outputs[0]["text"].rstrip().endswith((".", "。"))


def test_an_error_is_told_however_much_was_put_out_before_it():
    (outputs,) = run_cells(
        "import sys\nfor i in range(300): print(i, file=[sys.stdout, sys.stderr][i % 2])\nprint('x' * 10**6)\n1 / 0"
    )
    assert len(outputs) == MOST_OUTPUTS
    assert (outputs[-1]["ename"], outputs[-1]["evalue"]) == ("ZeroDivisionError", "division by zero")


def test_only_text_latex_and_png_come_back():
    source = (
        "from IPython.display import HTML, Javascript, display\ndisplay(HTML('<script>x</script>'), Javascript('x'))"
    )
    (outputs,) = run_cells(source)
    assert {mime for output in outputs for mime in output["data"]} == {"text/plain"}


AS_IN_JUPYTER = {
    "two lines": "x = 1\nx",
    "a magic": "x = 1\n%time x",
    "the output of a command": "x = 1\nnames = !ls",
    "a command in a block": "if True:\n    !ls",
    "a question": "x = 1\nx?",
    "a percent sign between operands": "x = 7 \\\n% 3\nx",
    "a magic in a text": 'x = """\n%time\n!ls\n"""',
    "a magic without its sign": "pwd",
    "an automatic call": ",print a b",
    "a prompt that would be Python": "In [1]: x = 1\n   ...: x",
    "indented": "    x = 1\n    x",
    "empty lines first": "\n\nx = 1\nx",
    "await": "import asyncio\nawait asyncio.sleep(0)",
    "no Python": "x = 1\nx = (",
    "a whole cell's magic": "%%time\nx = 1",
    "texts of several lines": 'print("""a\n  b""")\nprint(f"{1!r}")',
}


def test_every_cell_is_read_as_jupyter_reads_it():
    """Python is not put through IPython's transformations, unless a notebook adds some of its own."""
    compare = f"""
from IPython.core.interactiveshell import InteractiveShell
shell, cells = get_ipython(), {list(AS_IN_JUPYTER.values())!r}
print([cell for cell in cells if shell.transform_cell(cell) != InteractiveShell.transform_cell(shell, cell)])
print([shell.should_run_async(cell, transformed_cell=cell) for cell in ("x = 1\\nx", "x = 1\\nawait x")])
shell.input_transformers_post.append(lambda lines: [line.replace("one", "1") for line in lines])
"""
    compared, added = run_cells(compare, "x = one\nprint(x)")
    assert [output["text"] for output in (*compared, *added)] == ["[]\n[False, True]\n", "1\n"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("input('name? ')", "EOFError"),
        ("import reference", "ModuleNotFoundError"),
        pytest.param(
            "import numpy as np\nnp.ones(10**10)",
            "MemoryError",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="no address space limit on Windows"),
        ),
    ],
)
def test_what_a_worker_does_not_give_is_an_error_at_once(source, error):
    (outputs,) = run_cells(source, limits=Limits(memory_bytes=2**30))
    assert outputs[-1]["ename"] == error


def test_a_worker_has_a_folder_of_its_own_that_is_gone_afterwards_and_inherits_no_secret(monkeypatch):
    monkeypatch.setenv("API_TOKEN", "secret")
    (outputs,) = run_cells("import os\nopen('left.txt', 'w').write('x')\nprint(os.getcwd(), 'API_TOKEN' in os.environ)")
    folder, has_secret = outputs[0]["text"].rsplit(maxsplit=1)
    assert folder != os.getcwd() and not os.path.exists(folder) and has_secret == "False"


# --- probes -----------------------------------------------------------------------------------------------------------


BREAKS = {
    "endless": (SWALLOWING, Outcome.STOPPED),
    "exit": ("import os\n    os._exit(0)", Outcome.STOPPED),
    "segfault": ("import ctypes\n    ctypes.string_at(0)", Outcome.STOPPED),
    "sys.exit": ("import sys\n    sys.exit(0)", Outcome.RAISED),
    "interrupt": ("raise KeyboardInterrupt", Outcome.RAISED),
    "recursion": ("return clip_gradients(layers, max_norm)", Outcome.RAISED),
    "huge": ("return np.ones(10**7), 1.0", Outcome.FAILED),
    "syntax": ("return (", Outcome.RAISED),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_goes_wrong_in_one_exercise_costs_that_exercise_only(name):
    body, first = BREAKS[name]
    by_exercise, graded = scores(clip_gradients=clipping(body))
    ending = Ending.OUT_OF_TIME if name == "endless" else Ending.PROCESS_ENDED if first is Outcome.STOPPED else None
    assert by_exercise["clip_gradients"] == 0
    assert sum(by_exercise.values()) == 30
    assert all(item.message for item in graded.result.checks["clip_gradients"].items)
    assert graded.result.checks["clip_gradients"].items[0].outcome is first
    assert {name: check.ending for name, check in graded.result.checks.items() if check.ending} == (
        {"clip_gradients": ending} if ending else {}
    )


def test_a_cell_that_kills_the_process_costs_only_itself():
    by_exercise, graded = scores(extra=[code_cell("import os\nos._exit(1)")])
    assert sum(by_exercise.values()) == AUTOMATIC
    assert any("Stopped" in error for error in graded.cell_errors)


def test_a_submission_has_a_time_budget_that_cells_cannot_use_up_twice():
    endless = [code_cell(f"while True: {i}") for i in range(10)]
    by_exercise, graded = scores(Limits(cell_seconds=5.0, total_seconds=2.0), extra=endless)
    assert len(graded.cell_errors) == 10, "every endless cell is stopped"
    assert sum(by_exercise.values()) == AUTOMATIC, "and the exercises, which are right, are still looked at"


def test_what_a_worker_claims_is_looked_at():
    good = {"output_type": "stream", "name": "stdout", "text": "x"}
    assert CellOutputs.claimed([good], Limits()) == [good]
    assert CellOutputs.claimed([{**good, "extra": 1}], Limits()) == [good]
    for bad in (
        None,
        {**good, "text": 3},
        {**good, "name": "log"},
        {"output_type": []},
        {"output_type": "display_data", "data": {"text/html": "<b>"}, "metadata": {}},
        {"output_type": "display_data", "data": {b"text/plain": "x"}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "x"}, "metadata": {}, "execution_count": -1},
        {"output_type": "update"},
        {"output_type": "display_data", "data": {"text/plain": ["x"]}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": [1]},
    ):
        assert not CellOutputs.claimed([bad], Limits())


def test_a_worker_that_does_not_answer_at_all_is_ended_before_the_next(monkeypatch):
    events = []

    class Silent:
        def start(self):
            events.append("start")
            ours, self.theirs = socket.socketpair()
            return ours

        def reap(self):
            events.append("reap")

    monkeypatch.setattr(client, "START_SECONDS", 0.1)
    submission = submission_of(small_notebook(), "test")
    run = run_submission(submission, {"clip_gradients": [recorded(exercise("clip_gradients"))]}, host=Silent())
    assert events == ["start", "reap"] * client.MOST_HOSTS
    assert run.trials["clip_gradients"].ending is Ending.PROCESS_ENDED


def test_a_broken_installation_is_no_students_fault(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(HostBroken):
        Host()


# --- time -------------------------------------------------------------------------------------------------------------

HAS_TIMERS = pytest.mark.skipif(sys.platform == "win32", reason="no interval timers on Windows")
MEASURED = pytest.mark.skipif(sys.platform != "linux", reason="only there is computing measured from outside")
LOOP = clipping("while True: pass")


def seen_of(*names, limits=QUICK, extra=(), host=None, **solutions):
    """What is observed of the exercises `names` alone, on their public cases, and the cells' outputs."""
    submission = submission_of(small_notebook(extra=[code_cell(cell) for cell in extra], **solutions), "test")
    cases = {name: [recorded(exercise(name))] for name in names}
    with speaking("en"):
        return run_submission(submission, cases, limits=limits, host=host)


@pytest.fixture
def given(monkeypatch):
    """(cell or exercise, seconds of computing that it was given), in order."""
    found, run = [], client.Worker._run

    def watched(worker, message, seconds, *most_text):
        what = message["probe"]["exercise"] if "probe" in message else message["cell"]["source"]
        found.append((what, seconds))
        return run(worker, message, seconds, *most_text)

    monkeypatch.setattr(client.Worker, "_run", watched)
    return found


@HAS_TIMERS
def test_waiting_is_no_computing():
    nap = SOLUTIONS["clip_gradients"] + "\nimport time\nright = clip_gradients\n"
    nap += "def clip_gradients(*arguments, **named):\n    time.sleep(0.15)\n    return right(*arguments, **named)"
    run = seen_of("clip_gradients", limits=Limits(probe_seconds=1.5), clip_gradients=nap)
    cases = len(recorded(exercise("clip_gradients")))
    assert 1.5 < 0.15 * cases < 1.5 * CLOCK_FACTOR, "it sleeps longer than it may compute"
    assert len(run.trials["clip_gradients"]) == cases


@MEASURED
def test_a_machine_that_is_busy_with_others_takes_no_points():
    with Host() as host:
        tree = psutil.Process(host._process.pid)
        before = {process.pid for process in tree.children(recursive=True)}

        def hold_up():
            while not (new := [p for p in tree.children(recursive=True) if p.pid not in before]):
                time.sleep(0.01)
            time.sleep(0.3)
            new[0].suspend()
            time.sleep(2.5)
            new[0].resume()

        other = threading.Thread(target=hold_up)
        other.start()
        busy = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\nprint('done')"
        run = seen_of("clip_gradients", limits=QUICK, extra=[busy], host=host)
        other.join()
    assert [output["text"] for outputs in run.outputs.values() for output in outputs] == ["done\n"]
    assert not isinstance(run.trials["clip_gradients"], str)


@MEASURED
@pytest.mark.parametrize(
    "body",
    [
        SWALLOWING,
        "sum(range(10**12))",
        "import signal\n    for timer in range(3): signal.setitimer(timer, 0)\n    while True: pass",
    ],
    ids=["what swallows its end", "native code", "timers switched off"],
)
def test_code_that_does_not_stop_by_itself_is_killed_soon_after(body, monkeypatch):
    monkeypatch.setattr(client, "GRACE_SECONDS", grace := 0.5)
    monkeypatch.setattr(client, "CLOCK_FACTOR", 100.0)  # so that the clock has no say, however busy the machine is
    limits = Limits(probe_seconds=1.0)
    run = seen_of("clip_gradients", "gradient_profile", limits=limits, clip_gradients=clipping(body))
    reason = run.trials["clip_gradients"]
    assert isinstance(reason, Stopped)
    computed = int(re.fullmatch(r"Your code was stopped after (\d+) s of computing\. Is there .*", reason)[1])
    assert 1 <= computed <= 1 + grace + 1
    assert not isinstance(run.trials["gradient_profile"], str)


def test_who_waits_for_a_message_looks_on_even_while_it_drips_in():
    ours, theirs = socket.socketpair()
    looks, ended = [], threading.Event()

    def look():
        looks.append(time.monotonic())
        if len(looks) == 2:
            raise WorkerDied("looped")

    def drip():
        theirs.sendall(struct.pack(">I", 1000))
        while not ended.wait(0.05):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    with ours, theirs, pytest.raises(WorkerDied):
        try:
            frames.receive(ours, 60.0, look)
        finally:
            ended.set()
            dripping.join()
    assert looks[1] - looks[0] >= frames.LOOK_SECONDS


def test_code_that_only_waits_is_stopped_by_the_clock():
    source = clipping("import time; time.sleep(1000)")
    run = seen_of("clip_gradients", limits=Limits(probe_seconds=0.5), clip_gradients=source)
    assert run.trials["clip_gradients"].startswith(f"Your code was stopped after {0.5 * CLOCK_FACTOR:.0f} s on")


def test_where_computing_cannot_be_measured_the_clock_ends_what_does_not_stop(monkeypatch):
    monkeypatch.setattr(Host, "computing_seconds", lambda host: math.nan)
    run = seen_of("clip_gradients", limits=Limits(probe_seconds=0.5), clip_gradients=clipping(SWALLOWING))
    assert "s on the clock" in run.trials["clip_gradients"]


@HAS_TIMERS
def test_an_endless_loop_costs_its_time_once(given, monkeypatch):
    short = Limits(cell_seconds=0.5, probe_seconds=0.6)
    monkeypatch.setattr(Limits, "after_a_stop", lambda limits: short)
    through = "def through():\n    return clip_gradients([])"
    run = seen_of(
        *("clip_gradients", "gradient_profile"),
        limits=Limits(cell_seconds=1.0, probe_seconds=1.2),
        extra=["1 + 1", through, "through()", "clip_gradients([])", "gradient_slope([1.0, 2.0])"],
        clip_gradients=LOOP,
    )
    assert given[-7:] == [
        ("1 + 1", 1.0),
        (through, 1.0),
        ("through()", 1.0),
        ("clip_gradients([])", 0.5),
        ("gradient_slope([1.0, 2.0])", 1.0),
        ("clip_gradients", 0.6),
        ("gradient_profile", 1.2),
    ]
    sentence, why = run.trials["clip_gradients"].split("\n")
    assert sentence.startswith("Your code was stopped after") and why.startswith("The limit is lower than usual")
    assert not isinstance(run.trials["gradient_profile"], str)


@HAS_TIMERS
def test_checks_of_one_class_share_one_wait(given, monkeypatch):
    monkeypatch.setattr(Limits, "after_a_stop", lambda limits: Limits(probe_seconds=0.5))
    loop = UNBIASED.replace("        mean, var = self.running_mean", "        while True: pass\n        mean, var = 0")
    assert loop != UNBIASED
    names = [f"batch_norm_{part}" for part in ("backward", "forward", "inference")]
    seen_of(*names, limits=Limits(probe_seconds=1.0), batch_norm=loop)
    assert given[-3:] == list(zip(names, (1.0, 0.5, 0.5), strict=True))


def test_what_uses_stopped_code_keeps_time_that_right_code_does_not_need():
    assert Limits().after_a_stop() == Limits(cell_seconds=5.0, probe_seconds=2.0)
    assert Limits(cell_seconds=60.0, probe_seconds=30.0).after_a_stop() == Limits(cell_seconds=30.0, probe_seconds=6.0)
    assert Limits(cell_seconds=1.0, probe_seconds=1.0).after_a_stop() == Limits(cell_seconds=1.0, probe_seconds=1.0)


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers on Windows")
def test_time_limit_stops_a_loop_that_swallows_exceptions():
    with pytest.raises(OutOfTime), time_limit(0.1):
        while True:
            try:  # noqa: SIM105  # as students write it
                time.sleep(0.01)
            except Exception:
                pass


@HAS_TIMERS
def test_a_limit_within_another_leaves_that_one_as_it_was(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.limits.CLOCK_FACTOR", 100.0)  # however busy the machine is
    start = time.process_time()
    with pytest.raises(OutOfTime), time_limit(0.2):
        with time_limit(5.0):
            pass
        while True:
            pass
    assert 0.2 <= time.process_time() - start < 2.0
    stopped = pytest.raises(OutOfTime, match="after 0 s of computing")
    with speaking("en"), stopped, time_limit(0.2), time_limit(1000.0):
        while True:
            pass


# --- processes that will not go ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on Windows")
@pytest.mark.parametrize(
    "source",
    [
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(20)\n    os._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    ],
    ids=["a child that outlives its worker", "a worker that stops itself"],
)
def test_the_grader_does_not_wait_for_a_process_that_stays(source):
    start = time.monotonic()
    by_exercise, _graded = scores(Limits(cell_seconds=1.0), extra=[code_cell(source)])
    assert sum(by_exercise.values()) == AUTOMATIC
    assert time.monotonic() - start < 15, "the child sleeps for 20 s"


# --- a warm parent beside the imports ---------------------------------------------------------------------------------

EARLY = """
import sys
from autograder.sandbox import fork_server
print("numpy" in sys.modules)
fork_server.start_early()
host = fork_server.shared_host()
print(host is fork_server.shared_host(), fork_server._early, host._scratch)
"""


def test_the_warm_parent_starts_before_numpy_is_imported_and_is_the_one_that_is_used():
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, check=True)
    numpy, used = done.stdout.splitlines()
    assert numpy == "False"
    assert used.startswith("True {} ")
    assert not Path(used.split()[-1]).exists(), "it ends with its process"


def test_a_warm_parent_that_was_started_in_vain_ends_too(tmp_path):
    notebook = tmp_path / "no_notebook.ipynb"
    notebook.write_text("nothing", encoding="utf-8")
    line = [sys.executable, "-m", "autograder", "check", str(notebook)]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 2 and "is not a notebook" in done.stderr
    assert list(tmp_path.iterdir()) == [notebook]
