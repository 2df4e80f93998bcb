"""Attacks that take every resource: time, memory, disk, threads, output, and the patience of whoever reads results."""

# ruff: noqa: E501  (the cells are text: lines that say one thing are left whole)

from __future__ import annotations

import textwrap

from tests.hostile.notebooks import (
    CALL,
    PATIENCE,
    TRY,
    WRONG,
    answering,
    attack,
    calling,
    cell,
    monitor_that_finds,
    trying,
)
from tests.sample_class import CODE

_TOUCH = r"""
GB = 2**30

def touch(block, size):
    # Memory counts only where something is written to it.
    for place in range(0, size, 4096):
        block[place] = 1
"""

_STUBBORN = r"""
import signal, threading

def stubborn():
    # Nothing that can be ignored ends this process.
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
"""

_ENDLESS = f"""\
stubborn()
deadline = time.monotonic() + {PATIENCE}
while time.monotonic() < deadline:
    try:
        while time.monotonic() < deadline:
            pass
    except BaseException:
        continue
"""

EXHAUSTIONS = (
    attack(
        "memory",
        "Four gigabytes are taken as bytes, lists, arrays and maps, and written to: the machine would swap or kill.",
        cell(
            r"""
            import mmap
            import numpy as np
            kept = []
            def taken(make):
                for _ in range(16):
                    kept.append(make())
                return len(kept)
            tried("bytes", taken, lambda: bytearray(b"x") * (GB // 4))
            kept.clear()
            tried("arrays", taken, lambda: np.ones(GB // 32))
            kept.clear()
            def mapped():
                block = mmap.mmap(-1, GB // 4)
                touch(block, GB // 4)
                return block
            tried("maps", taken, mapped)
            kept.clear()
            tried("texts", taken, lambda: "x" * (GB // 4))
            kept.clear()
            tried("one array", np.ones, 4 * GB // 8)
            tried("huge array", np.ones, 2**40)
            tried("list", lambda: [0] * (4 * GB // 8))
            """,
            TRY + _TOUCH,
        ),
    ),
    attack(
        "memory-uncounted",
        "Memory is taken where address-space limits do not look: memfd, pipes, shared memory, page tables, files without "
        "a name, locked pages.",
        cell(
            r"""
            import fcntl, mmap, socket
            kept = []
            def memfd():
                fd = os.memfd_create("x")
                kept.append(fd)
                for _ in range(16):
                    os.write(fd, bytes(GB // 16))
            def pipe():
                for _ in range(100):
                    ends = os.pipe()
                    kept.append(ends)
                    fcntl.fcntl(ends[1], 1031, 2**20)  # F_SETPIPE_SZ
                    os.set_blocking(ends[1], False)
                    os.write(ends[1], bytes(2**20))
            def pair():
                for _ in range(100):
                    ends = socket.socketpair()
                    kept.append(ends)
                    ends[0].setblocking(False)
                    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**24)
                    ends[0].send(bytes(2**24))
            def shared():
                fd = os.open("/dev/shm/hostile-memory", os.O_CREAT | os.O_RDWR)
                os.unlink("/dev/shm/hostile-memory")
                kept.append(fd)
                os.write(fd, bytes(GB // 2))
            def unnamed():
                fd = os.open(".", 0o20200000 | os.O_RDWR)
                kept.append(fd)
                for _ in range(16):
                    os.write(fd, bytes(GB // 16))
            def segments():
                for _ in range(16):
                    libc.shmget(0, GB // 16, 0o1600)
            def page_tables():
                for _ in range(200):
                    block = mmap.mmap(-1, GB // 16)
                    for place in range(0, GB // 16, 2**21):
                        block[place] = 1
                    kept.append(block)
            for act in (memfd, pipe, pair, shared, unnamed, segments, page_tables):
                tried(act.__name__, act)
            tried("locked", lambda: libc.mlockall(3) and 1 / 0)
            tried("secret", lambda: os.ftruncate(call("memfd_secret", 0), GB))
            """,
            CALL + _TOUCH,
        ),
    ),
    attack(
        "descriptors",
        "Every descriptor that is to be had is taken, so that nothing else can be opened.",
        trying(r"""
            kept = []
            def take():
                while len(kept) < 10**5:
                    kept.append(os.dup(0))
            tried("descriptors", take)
            print(len(kept))
        """),
    ),
    attack(
        "threads",
        "Five hundred threads spin or sleep, and go on when the cell has ended and its time is over.",
        trying(r"""
            import threading
            def spin():
                deadline = time.monotonic() + 3
                while time.monotonic() < deadline:
                    sum(range(1000))
            def start():
                threads = [threading.Thread(target=spin if i % 5 == 0 else time.sleep, args=() if i % 5 == 0 else (50,))
                           for i in range(500)]
                for thread in threads:
                    thread.start()
                return len(threads)
            tried("threads", start)
        """),
    ),
    attack(
        "fork-storm",
        "Processes that make processes, eight generations deep: 255 of them, where nothing counts them.",
        trying(r"""
            def storm():
                try:
                    for _ in range(8):
                        os.fork()
                    time.sleep(20)
                finally:
                    os._exit(0)
            def start():
                if os.fork() == 0:
                    storm()
            tried("storm", start)
        """),
    ),
    attack(
        "slow-to-die",
        "Finalizers, exit handlers, generators and non-daemon threads that do not let a process end.",
        cell(
            rf"""
            import atexit
            def stay():
                stubborn()
                time.sleep({PATIENCE})
            class Clinging:
                __del__ = lambda self: stay()
            def generator():
                try:
                    while True:
                        yield
                except BaseException:
                    stay()
            kept = [Clinging(), generator()]
            next(kept[1])
            kept.append(kept)
            atexit.register(stay)
            threading.Thread(target=time.sleep, args=({PATIENCE},)).start()
            threading._register_atexit(stay)
            sys.exit(0)
            """,
            TRY + _STUBBORN,
        ),
    ),
    attack(
        "signal-storm",
        "A timer fires a million times a second, and the process interrupts itself from a thread.",
        calling(r"""
            import _thread, signal, threading
            signal.signal(signal.SIGVTALRM, lambda *args: None)
            signal.setitimer(signal.ITIMER_VIRTUAL, 1e-6, 1e-6)
            def interrupt():
                for _ in range(10**4):
                    _thread.interrupt_main(signal.SIGINT)
                    time.sleep(1e-3)
            threading.Thread(target=interrupt, daemon=True).start()
            tried("deadly", lambda: signal.signal(signal.SIGSEGV, lambda *args: None))
            ctypes.string_at(0)
        """),
    ),
    attack(
        "many-files",
        "As many files and folders as come to be in the time there is, then a folder of a thousand levels.",
        trying(r"""
            def files():
                for i in range(10**6):
                    os.close(os.open("f%d" % i, os.O_CREAT | os.O_WRONLY))
                return i
            def links():
                for i in range(10**5):
                    os.symlink("x" * 1000, "l%d" % i)
            def deep():
                home = os.getcwd()
                try:
                    for i in range(1000):
                        os.mkdir("d")
                        os.chdir("d")
                finally:
                    os.chdir(home)
            for act in (deep, links, files):
                tried(act.__name__, act)
        """),
    ),
    attack(
        "disk-filled",
        "A gigabyte is written in files that are each small enough, and kept in files without a name.",
        trying(r"""
            import tempfile
            kept = []
            block = os.urandom(2**20) * 50
            def named():
                for i in range(10):
                    open("big%d" % i, "wb").write(block)
                return i
            def nameless():
                for i in range(10):
                    file = tempfile.TemporaryFile(dir=".")
                    file.write(block)
                    file.flush()
                    kept.append(file)
                return i
            def reserved():
                for i in range(10):
                    os.posix_fallocate(os.open("reserved%d" % i, os.O_CREAT | os.O_RDWR), 0, 50 * 2**20)
            def sparse():
                os.ftruncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 2**40)
            for act in (named, nameless, reserved, sparse):
                tried(act.__name__, act)
            time.sleep(1)
        """),
    ),
    attack(
        "locks-held",
        "Every file that the worker can open is locked, so that the grader or the next worker waits for it.",
        trying(r"""
            import fcntl, glob
            import autograder, matplotlib, msgpack, numpy
            kept = []
            for module in (autograder, matplotlib, msgpack, numpy, os):
                for path in glob.glob(os.path.dirname(module.__file__) + "/**/*", recursive=True)[:400]:
                    try:
                        kept.append(os.open(path, os.O_RDONLY))
                        fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                        fcntl.lockf(kept[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
                        fcntl.fcntl(kept[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)
                    except OSError:
                        pass
            print("held", len(kept))
        """),
    ),
)
"""What takes from the machine: memory, processes, threads, signals, files, locks."""

TRIALS_OF_PATIENCE = (
    attack(
        "memory-in-an-answer",
        "Memory is taken while an answer is looked at, and kept in what is returned.",
        "kept = []\ndef hoard():\n    for _ in range(64):\n        kept.append(bytearray(2**26))\n    return kept",
        answers=answering("hoard()", "gradient_profile", "depth_study"),
    ),
    attack(
        "endless-loop",
        "A loop that swallows every exception and blocks every signal that can be blocked.",
        cell(_ENDLESS, TRY + _STUBBORN),
    ),
    attack(
        "endless-answer",
        "The same while an exercise is looked at; the exercise next to it is answered rightly and must keep "
        "its points.",
        cell("import time", _STUBBORN),
        answers={
            "clip_gradients": CODE["clip_gradients"],
            "gradient_profile": "def gradient_slope(delta_norms):\n" + textwrap.indent(_ENDLESS, "    "),
        },
        may_score=frozenset({"clip_gradients"}),
    ),
    attack(
        "busy-in-c",
        "One call that no signal handler of Python's interrupts: big numbers, patterns, sorting, iterators.",
        "x = 7 ** (7 ** 8)",
        "import re\nre.match(r'(a|a|aa)*$', 'a' * 24 + 'b')",
        "from collections import deque\nfrom itertools import repeat\ndeque(repeat(1, 2 * 10**9), maxlen=0)",
        "sum(range(3 * 10**9))",
        "import numpy as np\na = np.ones((6000, 6000))\nfor _ in range(5):\n    a = a @ a",
        "b'x' * 10**8 in b'y' * 10**9",
        "import sys\nsys.set_int_max_str_digits(0)\nlen(str(3 ** (4 * 10**6)))",
    ),
    attack(
        "just-under-the-limit",
        "Forty cells and every exercise sleep a little less than a cell may: only the limit for all stops them.",
        "import time\nnap = lambda: time.sleep(1.5)",
        *["nap()"] * 40,
        answers=answering("nap()", "gradient_profile", "depth_study"),
    ),
    attack(
        "dies-in-every-cell",
        "Three hundred cells, each of which ends the process: every one costs a new worker, which begins from the top.",
        "import os",
        *[f"os._exit({n % 256})" for n in range(300)],
    ),
    attack(
        "time-turned-back",
        "Clocks, timers and alarms are patched or switched off, so that limits which the code keeps itself never come.",
        cell(
            rf"""
            import contextlib, gc, sys
            real = time.monotonic
            time.monotonic = time.time = time.perf_counter = lambda: 0.0
            from autograder.sandbox import limits
            limits.OutOfTime = type("Never", (Exception,), {{}})
            limits.time_limit = contextlib.nullcontext
            for module in list(sys.modules.values()):
                if hasattr(module, "time_limit"):
                    module.time_limit = lambda seconds: contextlib.nullcontext()
            signal.setitimer = lambda *args: (0.0, 0.0)
            signal.signal = lambda *args: None
            end = real() + {PATIENCE}
            while real() < end:
                pass
            """,
            TRY + "import signal\n",
        ),
        answers=answering("time.sleep(30)", "gradient_profile", "depth_study"),
    ),
    attack(
        "text-flood",
        "Hundreds of megabytes are printed: lines, one line, by streams, by descriptors, by logging and warnings.",
        "for _ in range(3 * 10**6):\n    print('x' * 100)",
        "print('x' * 3 * 10**8)",
        trying(r"""
            import logging, sys, warnings
            for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
                tried("stream", lambda: stream.write("x" * 10**8))
            for fd in (0, 1, 2):
                tried("descriptor", lambda: [os.write(fd, b"x" * 2**16) for _ in range(1000)][-1])
            logging.basicConfig(level=0)
            for _ in range(10**5):
                logging.error("x" * 1000)
                warnings.warn("x" * 1000)
        """),
    ),
    attack(
        "text-in-crumbs",
        "A hundred thousand outputs of one letter each: a letter to stdout, a letter to stderr, by turns.",
        "import sys\nfor _ in range(50_000):\n    sys.stdout.write('x')\n    sys.stderr.write('y')",
        "for n in range(10**5):\n    display(n)",
        "from IPython.display import clear_output\nfor n in range(10**5):\n    print(n)\n    clear_output()",
        "import sys\nfor _ in range(1000):\n    get_ipython().showtraceback((ValueError, ValueError('x' * 1000), None))",
    ),
    attack(
        "pictures",
        "Thousands of figures, and one of three hundred megabytes.",
        "import matplotlib.pyplot as plt\nfor _ in range(2000):\n    plt.figure()",
        "plt.figure(figsize=(300, 300), dpi=100)\nplt.plot([1, 2])\nplt.show()",
        "import numpy as np\nplt.imshow(np.random.rand(4000, 4000))\nplt.show()",
        "plt.figure(figsize=(1e6, 1e6))\nplt.show()",
        "plt.plot(np.random.rand(3 * 10**6), 'o')\nplt.title('x' * 10**6)\nplt.show()",
        "from IPython.display import Image, display\nimport os\nfor _ in range(100):\n"
        "    display(Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + os.urandom(4 * 2**20), format='png'))",
    ),
    attack(
        "exceptions-of-excess",
        "Exceptions with 64 MB of text, a hundred thousand causes, notes and groups: whoever shows them is "
        "busy for long.",
        "raise ValueError('x' * 2**26)",
        cell(r"""
            def chain(n):
                error = ValueError("x")
                for _ in range(n):
                    new = KeyError("y" * 100)
                    new.__cause__ = error
                    error = new
                return error
            raise chain(100_000)
        """),
        "error = ValueError('x')\nerror.__notes__ = ['note'] * 10**6\nraise error",
        "group = ExceptionGroup('g', [ValueError(n) for n in range(10**5)])\nraise group",
        "group = ValueError('x')\nfor _ in range(900):\n    group = ExceptionGroup('g' * 1000, [group])\nraise group",
        "raise SyntaxError('x' * 10**7, ('f' * 10**6, 10**9, 10**9, 'line' * 10**6, -5, -5))",
        "a, b = ValueError(), KeyError()\na.__cause__, b.__context__ = b, a\nraise a",
        answers={"gradient_profile": "def gradient_slope(delta_norms):\n    raise ValueError('x' * 2**26)"},
    ),
    attack(
        "exceptions-that-act",
        "Exceptions and values whose text, class or traceback is computed, never ends, or raises in its turn.",
        cell(rf"""
            import time

            class Endless(Exception):
                def __str__(self):
                    deadline = time.monotonic() + {PATIENCE}
                    while time.monotonic() < deadline:
                        try:
                            time.sleep(1)
                        except BaseException:
                            pass
                    return "x"
                __repr__ = __str__

            class NoText(Exception):
                __str__ = lambda self: 7

            class Quitting(Exception):
                def __str__(self):
                    raise SystemExit

            class Recursive(Exception):
                __str__ = lambda self: str(self)

            class Meta(type):
                __name__ = property(lambda cls: 1 / 0)
                __mro__ = property(lambda cls: iter(lambda: ValueError, 0))
                __repr__ = lambda cls: 1 / 0

            class Nameless(Exception, metaclass=Meta):
                __traceback__ = property(lambda self: 1 / 0)
                __cause__ = property(lambda self: self)
                _render_traceback_ = lambda self: ["x" * 10**8]

            import itertools
            kinds = itertools.cycle([Endless, NoText, Quitting, Recursive, Nameless])

            def fail():
                raise next(kinds)()
        """),
        "raise NoText",
        "raise Quitting",
        "raise Recursive",
        "raise Nameless",
        "raise Endless",
        "Endless()",
        answers=answering("fail()"),
    ),
    attack(
        "deep-recursion",
        "The stack overflows in Python and in C: limits raised, nested containers printed, compared and copied.",
        "import sys\nsys.setrecursionlimit(10**9)\ndef down(n):\n    return down(n + 1)\ndown(0)",
        "nest = []\nfor _ in range(10**6):\n    nest = [nest]\nprint(nest == nest)\nnest",
        "import functools\nf = lambda x: x\nfor _ in range(10**6):\n    f = functools.partial(f)\nf(1)",
        "import copy\nnest = ()\nfor _ in range(10**5):\n    nest = (nest,)\nhash(nest)\ncopy.deepcopy(nest)",
        "eval('(' * 10**5 + ')' * 10**5)",
        "compile('x = ' + '-' * 10**6 + '1', 'x', 'exec')",
        "import json\njson.loads('[' * 10**6)",
        answers={"clip_gradients": "def clip_gradients(layers, max_norm=1.0):\n    return clip_gradients(layers)"},
    ),
    attack(
        "source-hard-to-parse",
        "Cells that are hard on whoever parses them before they run: blank lines without end, nesting, long "
        "chains, magics.",
        "\n" * 200_000 + "1",
        " \n" * 100_000 + "%",
        "x = " + "-" * 100_000 + "1",
        "x = " + "1" + " + 1" * 100_000,
        "x = (lambda: 0)" + "()" * 100_000,
        "x = " + "[" * 150 + "]" * 150,
        "if 0:\n    pass\n" + "elif 0:\n    pass\n" * 20_000,
        "\n".join(f"v{n} = w{n} = {n}" for n in range(100_000)),
        "x = '''" + "\\q" * 100_000 + "'''",
        "%" * 100_000,
        "!" + "x" * 10**6,
        "# " + "あ" * 500_000,
        "\x00\ufeff\u2028" + "é" * 10,
    ),
    attack(
        "arrays-that-are-not-there",
        "Arrays that claim terabytes in a few bytes, point anywhere, or hold what is no number.",
        cell(r"""
            import itertools
            import numpy as np
            from numpy.lib.stride_tricks import as_strided
            made = [
                lambda: np.broadcast_to(0.0, (10**6, 10**6)),
                lambda: as_strided(np.zeros(1), (10**9,), (0,)),
                lambda: as_strided(np.zeros(4), (2, 2), (-8, 2**40)),
                lambda: np.zeros((0, 2**40, 0)),
                lambda: np.zeros((1,) * 64),
                lambda: np.array([object()] * 1000, dtype=object),
                lambda: np.zeros(3, dtype=[("f%d" % n, "f8") for n in range(5000)]),
                lambda: np.zeros(3, dtype="U1000000"),
                lambda: np.zeros(3, dtype="M8[as]"),
                lambda: np.zeros(3, dtype=np.longdouble),
                lambda: np.zeros(3, dtype=">c32") if hasattr(np, "complex256") else 0,
                lambda: np.zeros(3, dtype="V10000"),
                lambda: np.ma.masked_all(3),
                lambda: np.array(np.zeros(3), dtype=np.dtype(("f8", (1000, 1000)))),
                lambda: np.recarray(3, dtype=[("data", "O")]),
                lambda: np.full((3, 3), np.nan),
            ]
            turns = itertools.cycle(made)
        """),
        answers=answering("next(turns)()"),
    ),
    attack(
        "containers-without-end",
        "Lists that hold themselves, or one another many times; a hundred thousand levels; keys that fight back.",
        cell(r"""
            import itertools
            import numpy as np

            own = []
            own.append(own)
            mutual = {}
            mutual["self"] = mutual, [mutual] * 1000
            wide = []
            for _ in range(60):
                wide = [wide, wide]
            nest = []
            for _ in range(100_000):
                nest = [nest]
            chain = {}
            for _ in range(10_000):
                chain = {"k": chain}

            class Key:
                __hash__ = lambda self: 0
                __eq__ = lambda self, other: sum(range(10**5)) < 0
                __repr__ = lambda self: 1 / 0

            class Slow(list):
                __len__ = lambda self: 2**62
                __iter__ = lambda self: itertools.count()

            odd = {Key(): 1 for _ in range(50)} | {(1, 2): 2, frozenset(): 3, np.nan: 4, float("nan"): 5, b"x": 6, 2**70: 7}
            turns = itertools.cycle([own, mutual, wide, nest, chain, odd, Slow(), itertools.count(), [0] * 10**6,
                                     {n: n for n in range(10**6)}, "x" * 10**8, b"x" * 10**8, 10**100000, set(range(99)),
                                     ("x" * 20_000,) * 90_000, {"x" * n: n for n in range(3000)}, range(10**9)])
        """),
        answers=answering("next(turns)"),
    ),
    attack(
        "answers-without-end",
        "Iterators that never end stand for lists, histories and curves; results change their size while "
        "they are copied.",
        cell(rf"""
            import itertools, threading, time

            class Growing(list):
                pass

            growing = Growing([1.0])

            def grow():
                deadline = time.monotonic() + {PATIENCE}
                while time.monotonic() < deadline and len(growing) < 10**6:
                    growing.append(growing[:3])
                    if len(growing) % 7 == 0:
                        del growing[:5]

            threading.Thread(target=grow, daemon=True).start()
            turns = itertools.cycle([itertools.repeat(0.0), growing, (n for n in itertools.count())])
        """),
        answers=answering("next(turns)", "clip_gradients", "gradient_profile", "depth_study")
        | {
            "gradient_monitor": WRONG["gradient_monitor"]
            .replace("return []", "return growing")
            .replace("self.history = []", "self.history = growing")
        },
    ),
    attack(
        "a-thousand-cells",
        "One thousand cells, each of which prints a little, and has a place on the page.",
        *(f"print({n})" for n in range(1000)),
    ),
    attack(
        "texts-in-answers",
        "Answers are as long texts as fit through: names of layers, keys of results, kinds of problems.",
        answers=answering("{('k%d' % n) * 9000: 1 for n in range(40)}")
        | {
            "gradient_monitor": monitor_that_finds('[Problem("A" * 19_000, "B" * 900, 1.0, 1) for _ in range(150)]'),
        },
    ),
)
"""What takes time, or gives too much: stopped by limits that are the same at every level."""
