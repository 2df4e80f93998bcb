"""Hostile notebooks as data: what a student could try against the grader, its machine, and whoever reads its pages.

Nothing here is run by being imported. A harness puts an attack into the released notebook (`Attack.notebook`), fills in
the paths that the attack may know (`Attack.aimed_at`), and grades it as any other, inside a sandbox of its own: an
unprivileged user, a read-only system, its own process and network namespaces. Cells that could do harm refuse to run
as root, or without such a harness, and say so (`REFUSAL`).

A hostile notebook is withstood if it earns nothing that its honest answers do not earn, its worker leaves nothing
behind, the secret appears in nothing that comes out, and the grader goes on to the next notebook in time. Every attack
tries several ways, swallows its own errors, and prints a line that starts with `GOT` for each step that worked. Whether
a step may work depends on the isolation level; that it leaves a trace does not.

Attacks are bounded: what would go on for ever ends by itself within `PATIENCE` seconds, and what would grow without
end stops at a few times the limits, so that a sandbox that fails costs a test and not a machine.
"""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.sample_class import Notebook, also, cell_of

PLACEHOLDERS = ("course", "canary", "outside", "secret", "grader_pid")
"""What stands in braces in the text of attacks:

- `course`: a course folder with source/, reference/, gradebook.db and submitted/other/
- `canary`: a file that must keep its content, "canary" and a newline, and its mode and time stamp
- `outside`: an empty folder that the same user may write to, and that must stay empty
- `secret`: a file whose content must appear in no output, message or result
- `grader_pid`: the process id of the grader
"""

REFUSAL = "hostile notebooks are run by a harness, and never as root"
"""What cells say that would not run; a harness that sees it has tested nothing."""

PATIENCE = 60
"""Seconds after which whatever an attack started would end by itself."""


@dataclass(frozen=True)
class Attack:
    """One hostile notebook.

    Attributes:
        id: unique.
        description: what it does, and what that would bring if nothing stopped it.
        cells: code cells that stand after the setup cell.
        answers: grade_id of a solution cell -> what stands in it; the others stay stubs.
        may_score: exercises that the notebook solves honestly.
        floor: points that are left to it all the same: promises, such as that of a shape, which an answer that knows
            nothing keeps as well.
    """

    id: str
    description: str
    cells: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    may_score: frozenset[str] = frozenset()
    floor: float = 0.0

    def aimed_at(self, paths: Mapping[str, str]) -> Attack:
        """This attack with `paths` (placeholder -> text) filled in."""

        def fill(text: str) -> str:
            for name, value in paths.items():
                text = text.replace("{" + name + "}", str(value))
            return text

        answers = {grade_id: fill(text) for grade_id, text in self.answers.items()}
        return replace(self, cells=tuple(map(fill, self.cells)), answers=answers)

    def notebook(self, release: Notebook) -> Notebook:
        """What is handed in: `release` with the answers, and the extra cells after its setup cell."""
        notebook: Notebook = copy.deepcopy(release)
        for grade_id, answer in self.answers.items():
            cell_of(notebook, grade_id)["source"] = answer.splitlines(keepends=True)
        return also(*self.cells, after="setup")(notebook)


def attack(id: str, description: str, *cells: str, **more: Any) -> Attack:
    """An `Attack` with these cells."""
    return Attack(id, description, cells, **more)


# --- tools that cells begin with --------------------------------------------------------------------------------------

TRY = r"""
import os, sys, time
if os.geteuid() == 0 or "{outside}"[0] == "{":
    raise RuntimeError("hostile notebooks are run by a harness, and never as root")

def tried(what, act, *args):
    try:
        found = act(*args)
    except BaseException as error:
        print("failed:", what, "--", type(error).__name__, str(error)[:200])
        if type(error).__name__ == "OutOfTime":
            raise  # what was found so far is shown, where a cell that will not end loses its outputs
    else:
        print("GOT", what, repr(found)[:2000])
        return found
"""
"""`tried(what, act, *args)` swallows every error but the end of its time, and tells of success."""

_NUMBERS = {
    "socket": (41, 198),
    "clone": (56, 220),
    "kill": (62, 129),
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "rt_sigqueueinfo": (129, 138),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "mount": (165, 40),
    "sethostname": (170, 161),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "unshare": (272, 97),
    "utimensat": (280, 88),
    "fallocate": (285, 47),
    "perf_event_open": (298, 241),
    "prlimit64": (302, 261),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "finit_module": (313, 273),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "userfaultfd": (323, 282),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "memfd_secret": (447, 447),
    "fchmodat2": (452, 452),
    "setxattrat": (463, 463),
}
"""Numbers of system calls on x86-64 and on arm64."""

CALL = (
    TRY
    + f"""
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
ARM = platform.machine() == "aarch64"
NUMBERS = {_NUMBERS!r}
"""
    + r"""
def call(name, *args):
    args = [ctypes.c_long(arg) if type(arg) is int else arg for arg in args]
    result = libc.syscall(ctypes.c_long(NUMBERS[name][ARM]), *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"""
)
"""`call(name, *args)` makes a system call that no library wraps."""

CHILD = r"""
def child(how):
    # What a process does that got away: it leaves a file, and stays.
    try:
        os.close(os.open("{outside}/child-" + how, os.O_CREAT | os.O_WRONLY))
    finally:
        time.sleep(30)
        os._exit(0)
"""

SPEAK = (
    TRY
    + r"""
import msgpack, stat, struct

def lines():
    # Descriptors that may lead to the grader.
    for fd in range(3, 256):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            yield fd

def write(data):
    for fd in lines():
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest):]
        except OSError as error:
            print(fd, error)
        else:
            print("wrote to", fd)

def frame(message):
    return struct.pack(">I", len(message)) + message

def say(message):
    write(frame(msgpack.packb(message)))
"""
)
"""`say(message)` writes a frame of the student's own to wherever the grader may be listening."""

RECORDED = r"""
import numpy as np
from autograder.checks import encoding, values
from autograder.exercises import assignments
from autograder.exercises import exercise
from autograder.checks.exercise import Exercise, Observation
from autograder.exercises.recorded import recorded

honest_observe = Exercise.observe
same = lambda a, b: encoding.pack(values.to_record(a)) == encoding.pack(values.to_record(b))
"""
"""The public cases and what the reference shows on them: they are in the students' package, for anyone to read."""

WRONG = {
    "clip_gradients": "def clip_gradients(layers, max_norm=1.0):\n    return 0.0, 1.0",
    "gradient_monitor": textwrap.dedent("""
        class GradientMonitor:
            def __init__(self):
                self.history = []

            def record(self, epoch, layers):
                pass

            def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
                return []
    """),
    "gradient_profile": "def gradient_slope(delta_norms):\n    return 0.0",
    "batch_norm": textwrap.dedent("""
        class BatchNorm(Layer):
            def __init__(self, n_features, eps=1e-5, momentum=0.9):
                super().__init__()
                self.params = {"gamma": np.ones(n_features), "beta": np.zeros(n_features)}
                self.grads = {"gamma": None, "beta": None}
                self.running_mean, self.running_var = np.zeros(n_features), np.ones(n_features)

            def forward(self, x):
                return x

            def backward(self, dout):
                return np.zeros_like(dout)
    """),
    "depth_study": "def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):\n    return {}",
}
"""Answers that run and earn nothing: only a forged verdict could give points for them."""


def answering(value: str, *cells: str) -> dict[str, str]:
    """Solution cells (all, unless named: what takes long takes it each time) in which everything asked for is the
    expression `value`."""
    batch_norm = f"""
        class BatchNorm(Layer):
            def __init__(self, n_features, eps=1e-5, momentum=0.9):
                super().__init__()
                self.running_mean = self.running_var = None
                self.n = n_features

            def forward(self, x):
                self.running_mean = self.running_var = {value}
                return {value}

            def backward(self, dout):
                self.grads = dict(gamma={value}, beta={value})
                return {value}
    """
    answers = {
        "clip_gradients": f"def clip_gradients(layers, max_norm=1.0):\n    return {value}",
        "gradient_monitor": monitor_that_finds(value),
        "gradient_profile": f"def gradient_slope(delta_norms):\n    return {value}",
        "batch_norm": textwrap.dedent(batch_norm),
        "depth_study": f"def depth_study(depths, build_network, X, t, **settings):\n    return {value}",
    }
    return {name: answers[name] for name in cells or answers}


def carrying(text: str) -> dict[str, str]:
    """Solution cells that put the expression `text` wherever reports show something of an answer: the name and message
    of an exception, the name of a class, keys, fields of a problem."""
    name = f"({text}).replace(chr(0), '')[:99] or 'x'"
    return {
        "clip_gradients": f"def clip_gradients(layers, max_norm=1.0):\n    raise ValueError({text})",
        "gradient_monitor": monitor_that_finds(f"[Problem({text}, {text}, 1.0, {text})]"),
        "gradient_profile": f"def gradient_slope(delta_norms):\n    return type({name}, (), {{}})()",
        "batch_norm": WRONG["batch_norm"].replace("return x", f"raise type({name}, (Exception,), {{}})({text})"),
        "depth_study": f"def depth_study(*args, **settings):\n    return {{{text}: 1, '`' + {text} + '`': {text}}}",
    }


def monitor_that_finds(value: str) -> str:
    """A GradientMonitor that records nothing and whose problems are the expression `value`."""
    return cell(f"""
        class GradientMonitor:
            def __init__(self):
                self.history = []

            def record(self, epoch, layers):
                pass

            def detect_problems(self, **thresholds):
                return {value}
    """)


def cell(body: str, tools: str = "") -> str:
    """The text of a cell that begins with `tools`."""
    return (tools + "\n" + textwrap.dedent(body)).strip() + "\n"


trying, calling, speaking, recalling = (partial(cell, tools=tools) for tools in (TRY, CALL, SPEAK, RECORDED))
"""The same, with the tools above."""
