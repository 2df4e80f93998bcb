"""Notebooks as students hand them in: damaged, renamed, full of noise, but rarely wrong.

Each is the released notebook with every right answer in it, and then one thing that happens to notebooks. Where that
cannot be held against the student, all automatic points are due.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.sample_class import (
    CODE,
    NOISY,
    POINTS,
    RIGHT,
    STAGED,
    TERSE,
    Mishap,
    Notebook,
    Student,
    also,
    cell_of,
    code,
    cut_off,
    of_another_assignment,
    written,
)

FILE = "gradient_pathology.ipynb"
Content = Notebook | str | bytes

SOLUTIONS = tuple(CODE)
CHECKS = tuple(f"check_{name}" for name in POINTS)


@dataclass(frozen=True)
class Clumsy:
    """One notebook.

    Attributes:
        id: short name.
        description: what happened to it, in one line.
        happen: from the notebook with all right answers to what is handed in: a notebook, or the content of the file.
        honest: whether it must get all automatic points.
        mended: words that the notes on what was mended must hold; () if nothing is to be said.
        file: its path in the submitted folder.
        unreadable: words of the reason why it cannot be graded; "" if it can.
        answers: the right answers that are in it.
        beside: name -> content of the files that are handed in with it.
        prints: what its own cells must print when they run in a worker: there they work as in Jupyter.
    """

    id: str
    description: str
    happen: Callable[[Notebook], Content] = lambda notebook: notebook
    honest: bool = True
    mended: tuple[str, ...] = ()
    file: str = FILE
    unreadable: str = ""
    answers: tuple[tuple[str, str], ...] = tuple(RIGHT.items())
    beside: tuple[tuple[str, bytes], ...] = ()
    prints: str = ""

    def content(self, release: Notebook) -> bytes:
        """The file's bytes."""
        content = self.happen(Student(self.id, self.description, dict(self.answers)).notebook(release))
        if isinstance(content, dict):
            content = json.dumps(content, ensure_ascii=False, indent=1)
        return content if isinstance(content, bytes) else content.encode("utf-8")


def by_id(cases: Iterable[Clumsy]) -> pytest.MarkDecorator:
    """A test of every one of `cases`."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


# --- what happens to notebooks ----------------------------------------------------------------------------------------


def without(*grade_ids: str) -> Mishap:
    """Cells were deleted."""

    def happen(notebook: Notebook) -> Notebook:
        for grade_id in grade_ids:
            notebook["cells"].remove(cell_of(notebook, grade_id))
        return notebook

    return happen


def pieces(grade_id: str, *sources: str) -> Mishap:
    """One cell became several with the same mark, as Jupyter's split and copy do."""

    def happen(notebook: Notebook) -> Notebook:
        cell = cell_of(notebook, grade_id)
        place = notebook["cells"].index(cell)
        notebook["cells"][place : place + 1] = [
            copy.deepcopy(cell) | {"id": f"piece-{i}", "source": source.splitlines(keepends=True)}
            for i, source in enumerate(sources)
        ]
        return notebook

    return happen


def altered(grade_id: str, **fields: Any) -> Mishap:
    """Fields of a cell changed."""

    def happen(notebook: Notebook) -> Notebook:
        cell_of(notebook, grade_id).update(fields)
        return notebook

    return happen


def every_cell(change: Callable[[dict[str, Any]], None], **fields: Any) -> Mishap:
    """Another program changed all cells, and fields of the notebook."""

    def happen(notebook: Notebook) -> Notebook:
        for cell in notebook["cells"]:
            change(cell)
        return notebook | fields

    return happen


def _text(notebook: Notebook) -> str:
    return json.dumps(notebook, ensure_ascii=False)


def _untouched_copy(notebook: Notebook) -> Notebook:
    """A copy of the stub, made for safety, stands below the answer."""
    answer = cell_of(notebook, "gradient_profile")
    text = written("gradient_profile", "# ここにコードを書いてください\nraise NotImplementedError").strip()
    stub = copy.deepcopy(answer) | {"id": "backup", "source": text.splitlines(keepends=True)}
    notebook["cells"].insert(notebook["cells"].index(answer) + 1, stub)
    return notebook


def _copied_test(notebook: Notebook) -> Notebook:
    """A test cell was copied to try something out in the copy."""
    test = cell_of(notebook, "check_batch_norm_forward")
    trial = copy.deepcopy(test) | {"id": "trial", "source": ["bn = BatchNorm(3)\n", "print(bn.forward(np.eye(3)))"]}
    notebook["cells"].insert(notebook["cells"].index(test), trial)
    return notebook


def _tests_first(notebook: Notebook) -> Notebook:
    """All test cells were moved to the top, and the written answers to the very end."""
    checks = [cell_of(notebook, name) for name in CHECKS]
    rest = [cell for cell in notebook["cells"] if cell not in checks]
    return notebook | {"cells": checks + rest}


def _only_answers(notebook: Notebook) -> Notebook:
    """The answers were pasted into a new notebook, with the lines that check them."""
    setup = "".join(cell_of(notebook, "setup")["source"])
    cells = [code(setup)]
    cells += [code(RIGHT[name]) for name in SOLUTIONS]
    cells += [code(f'check("{name.removeprefix("check_")}")') for name in CHECKS]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def _one_cell(notebook: Notebook) -> Notebook:
    """All answers were pasted into one cell."""
    setup = "".join(cell_of(notebook, "setup")["source"])
    source = "\n\n\n".join([setup, *(RIGHT[name] for name in SOLUTIONS)])
    return {"cells": [code(source, id="all")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _merged(notebook: Notebook) -> Notebook:
    """A solution cell was merged with the test cell below it."""
    cell = cell_of(notebook, "clip_gradients")
    cell["source"] = [*cell["source"], "\n", "\n", 'check("clip_gradients")']
    return without("check_clip_gradients")(notebook)


def _merged_into_test(notebook: Notebook) -> Notebook:
    """The same, but the test cell's mark stayed."""
    test = cell_of(notebook, "check_clip_gradients")
    test["source"] = [*cell_of(notebook, "clip_gradients")["source"], "\n", "\n", *test["source"]]
    return without("clip_gradients")(notebook)


def _format_3(notebook: Notebook) -> Notebook:
    """As IPython saved it until 2015."""
    cells = []
    for cell in notebook["cells"]:
        old = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            old |= {"input": cell["source"], "outputs": [], "language": "python", "collapsed": False}
        else:
            old |= {"source": cell["source"]}
        cells.append(old)
    worksheets = [{"cells": cells, "metadata": {}}]
    return {"metadata": {"name": "gradient_pathology"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": worksheets}


def _lose_id(cell: dict[str, Any]) -> None:
    cell.pop("id", None)


def _lose_metadata(cell: dict[str, Any]) -> None:
    cell["metadata"] = {}


def _as_colab(cell: dict[str, Any]) -> None:
    cell.pop("id", None)
    cell["metadata"] = {"id": "x1Yz", "colab": {"base_uri": "https://localhost:8080/"}, "outputId": "0"}


def _as_vs_code(cell: dict[str, Any]) -> None:
    cell["id"] = f"{zlib.crc32(''.join(cell['source']).encode()):08x}"
    cell["metadata"] = {"vscode": {"languageId": "python"}}


def _as_future(cell: dict[str, Any]) -> None:
    cell["colour"] = "blue"
    cell["metadata"]["collapsed"] = "perhaps"


def _with_crlf(cell: dict[str, Any]) -> None:
    cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def _same_id(cell: dict[str, Any]) -> None:
    cell["id"] = "the same"


def _odd_cells(notebook: Notebook) -> Notebook:
    """What only a broken program writes."""
    cells = notebook["cells"]
    cells[3:3] = [7, None, "text", [], {}, {"cell_type": "heading", "source": 3, "metadata": None}]
    for cell in cells[20:]:
        if cell["cell_type"] == "code":
            cell["outputs"] = "none"
            cell["execution_count"] = "first"
            cell["attachments"] = {"a.png": 3}
    cells[1]["attachments"] = [1]
    cells[1]["metadata"] = 0
    return notebook


def _planted(notebook: Notebook) -> Notebook:
    """Test cells come with more points than there are."""
    for name in CHECKS:
        cell = cell_of(notebook, name)
        cell["outputs"] = [
            {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "99.0"}}
        ]
        cell["metadata"]["nbgrader"]["points"] = 99
    return notebook


def _flags(notebook: Notebook) -> Notebook:
    """The marks of cells were changed by hand."""
    cell_of(notebook, "check_depth_study")["metadata"]["nbgrader"] |= {"grade": False, "locked": False}
    cell_of(notebook, "depth_study_plot")["metadata"]["nbgrader"] |= {"points": 20}
    cell_of(notebook, "batch_norm")["metadata"]["nbgrader"] |= {"solution": False, "schema_version": 1}
    return notebook


def _foreign_mark(notebook: Notebook) -> Notebook:
    """A cell of another assignment was pasted in."""
    mark = cell_of(notebook, "batch_norm")["metadata"]["nbgrader"] | {"grade_id": "train_xor"}
    notebook["cells"].append(code("x = 1", id="foreign", metadata={"nbgrader": mark}))
    return notebook


def _kernel(name: str, language: str) -> Mishap:
    return every_cell(
        lambda cell: None,
        metadata={"kernelspec": {"name": name, "display_name": name, "language": language}},
    )


def _setup_extended(notebook: Notebook) -> Notebook:
    """The student added an import to the read-only setup cell, and needs it."""
    setup = cell_of(notebook, "setup")
    setup["source"] = [*setup["source"], "\n", "import math as 数学"]
    cell = cell_of(notebook, "gradient_monitor")
    cell["source"] = "".join(cell["source"]).replace("np.isfinite(", "数学.isfinite(")
    return notebook


def _odd_numbers(notebook: Notebook) -> str:
    """Numbers that JSON does not have, and one that is too long."""
    notebook["metadata"]["odd"] = "ODD"
    return _text(notebook).replace('"ODD"', f"[NaN, -Infinity, 1e999, {'7' * 10_000}]")


# --- the notebooks ----------------------------------------------------------------------------------------------------

NOISE = (
    Clumsy("stderr", "prints to stderr and warns in every call", answers=tuple(NOISY.items())),
    Clumsy("in-place", "statistics changed in place, lists, new dicts", answers=tuple(TERSE.items())),
    Clumsy("unicode-names", "Japanese identifiers throughout", answers=tuple(STAGED.items())),
    Clumsy("own-cells", "cells of the student's own", also("a = 1\na", "print(a + 1)", "")),
    Clumsy("scratch-error", "a scratch cell fails", also("print(cliped)", "1 / 0", "def f(:")),
    Clumsy("input", "a scratch cell asks for input", also('name = input("お名前は？")\nprint(name)')),
    Clumsy("shell", "shell escapes and magics", also("!ls", "%pip --version", "%%bash\necho hi", "%timeit -n1 -r1 1")),
    Clumsy("widgets", "matplotlib's interactive backends", also("%matplotlib notebook", "%matplotlib widget")),
    Clumsy("plots", "thirty figures", also("for i in range(30):\n    plt.figure()\n    plt.plot([i])\n    plt.show()")),
    Clumsy("huge-output", "prints 5 MB", also("for i in range(5000):\n    print('x' * 1000)")),
    Clumsy("await", "top-level await", also("import asyncio\nawait asyncio.sleep(0)")),
    Clumsy("files", "writes a file and reads it", also("np.save('w.npy', np.eye(2))\nnp.load('w.npy')")),
    Clumsy("chdir", "goes to another folder", also("import os\nos.makedirs('a', exist_ok=True)\nos.chdir('a')")),
    Clumsy("pool", "tries multiprocessing", also("from multiprocessing import Pool\nPool(2).map(abs, [1, -1])")),
    Clumsy(
        "threads",
        "leaves a thread behind",
        also("import threading, time\nthreading.Thread(target=time.sleep, args=(5,), daemon=True).start()"),
    ),
    Clumsy("logging", "logs everything", also("import logging\nlogging.basicConfig(level=10)\nlogging.warning('w')")),
    Clumsy("exit", "sys.exit() in a scratch cell", also("import sys\nsys.exit()", "exit()")),
    Clumsy("endless", "a scratch cell at the end never ends", also("while True:\n    pass", after="check_depth_study")),
    Clumsy(
        "strict-numpy",
        "NumPy and warnings raise errors",
        also("np.seterr(all='raise')\nimport warnings\nwarnings.simplefilter('error')"),
    ),
    Clumsy("del-check", "deletes check", also("del check")),
    Clumsy("shadow-check", "check is a number", also("check = 3")),
    Clumsy("shadow-print", "print is a list", also("print = []")),
    Clumsy(
        "shadow-np",
        "np is a string: no answer can work after that",
        also('np = "numpy"', after="check_depth_study"),
        honest=False,
    ),
    Clumsy(
        "again", "a class is defined again, as it was", also(RIGHT["batch_norm"], after="check_batch_norm_inference")
    ),
)


def works(id: str, description: str, *sources: str, **fields: Any) -> Clumsy:
    """Cells that run without an error in Jupyter, and must in a worker: the last one shows it by printing "done"."""
    return Clumsy(id, description, also(*sources, "print('done')"), prints="done", **fields)


LIBRARIES = (
    works(
        "arrays-on-disk",
        "saves arrays, a figure and JSON, and loads them",
        "np.savez('a.npz', x=np.eye(2))\nassert np.load('a.npz')['x'].sum() == 2\nnp.savetxt('a.csv', np.eye(2))",
        "plt.plot([1, 2])\nplt.savefig('a.png', dpi=100)\nplt.close()\nimport json\n"
        "json.dump({'a': 1}, open('a.json', 'w'))",
    ),
    works(
        "temporary-files",
        "temporary files and folders",
        "import tempfile, os\nwith tempfile.TemporaryDirectory() as d:\n    open(os.path.join(d, 'a'), 'w').write('x')",
        "with tempfile.NamedTemporaryFile('w', suffix='.txt') as f:\n    f.write('x')",
    ),
    works(
        "copies-files",
        "copies and moves files",
        "import shutil, pathlib\npathlib.Path('a.txt').write_text('x')\npathlib.Path('d').mkdir()",
        "shutil.copy('a.txt', 'b.txt')\nshutil.copy2('a.txt', 'c.txt')\nshutil.copytree('d', 'e')\n"
        "shutil.move('b.txt', 'd')",
        "shutil.make_archive('all', 'zip', 'd')\nshutil.unpack_archive('all.zip', 'f')\nshutil.rmtree('d')",
    ),
    works(
        "database",
        "an SQLite database",
        "import sqlite3\nwith sqlite3.connect('a.db') as db:\n    db.execute('create table t (x)')\n"
        "    db.execute('insert into t values (1)')",
        "assert sqlite3.connect('a.db').execute('select x from t').fetchall() == [(1,)]",
    ),
    works(
        "log-file",
        "logs to a file and to the screen",
        "import logging\n"
        "logging.basicConfig(level=logging.DEBUG, handlers=[logging.FileHandler('a.log'), logging.StreamHandler()])",
        "logging.info('epoch 1')\nassert 'epoch 1' in open('a.log').read()",
    ),
    works(
        "thread-pool",
        "a thread pool, and a thread that prints",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as pool:\n"
        "    assert list(pool.map(abs, [-1, -2])) == [1, 2]\nassert round(np.linalg.svd(np.eye(50))[1].sum()) == 50",
        "import threading\nthread = threading.Thread(target=print, args=('from a thread',))\nthread.start()\n"
        "thread.join()",
    ),
    works(
        "event-loop",
        "asyncio, with tasks",
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0.01)\n    return x",
        "assert await asyncio.gather(f(1), f(2)) == [1, 2]\nawait asyncio.to_thread(print, 'x')",
    ),
    works(
        "about-the-machine",
        "asks about processors, platform, user, host and memory",
        "import os, platform, getpass, socket, sys, multiprocessing\n"
        "print(os.cpu_count(), platform.platform(), getpass.getuser())",
        "print(socket.gethostname(), multiprocessing.cpu_count(), os.path.expanduser('~'), platform.processor())",
        "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)",
    ),
    works(
        "times-and-zones",
        "time zones, clocks, locales",
        "import time, datetime, locale, zoneinfo, calendar\n"
        "print(datetime.datetime.now(zoneinfo.ZoneInfo('Asia/Tokyo')))",
        "locale.setlocale(locale.LC_ALL, '')\nprint(time.strftime('%c'), time.perf_counter(), locale.getlocale())",
        "import os\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\nassert time.timezone == -9 * 3600",
    ),
    works(
        "magics",
        "magics that measure, hide, write and look",
        "%%time\nsum(range(10))",
        "%timeit -n1 -r1 sum(range(10))\n%time x = 1",
        "%%capture out\nprint('hidden')",
        "assert out.stdout == 'hidden\\n'\n%pwd\n%who\n%lsmagic\n%precision 3\n%env HOME",
        "%%timeit -n1 -r1\nsum(range(10))",
        "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n%load_ext autoreload\n%autoreload 2",
        "%prun -q sum(range(10))",
    ),
    works(
        "shell-lines",
        "shell lines, which do nothing here but do no harm either",
        "!ls -la\n!pip install -q numpy\n%pip install -q numpy\nfiles = !ls\n!nvidia-smi",
    ),
    works(
        "own-module",
        "writes a module and imports it",
        "%%writefile own_tools.py\ndef double(x):\n    return 2 * x",
        "import own_tools\nfrom own_tools import double\nassert double(2) == own_tools.double(2) == 4\n"
        "%run own_tools.py",
    ),
    works(
        "own-classes",
        "data classes, pickle, inspect, copies",
        "from dataclasses import dataclass\nimport pickle, inspect, copy\n@dataclass\nclass Run:\n    lr: float = 0.1",
        "assert pickle.loads(pickle.dumps(Run(0.2))) == copy.deepcopy(Run(0.2))\n"
        "assert 'max_norm' in inspect.getsource(clip_gradients)",
        "if __name__ == '__main__':\n    print('main')",
    ),
    works(
        "streams",
        "writes to the streams themselves",
        "import sys\nsys.stdout.write('a\\n')\nsys.stdout.flush()\nprint('b', end='', flush=True)\n"
        "print(file=sys.stderr)",
        "assert sys.stdout.encoding.lower() == 'utf-8' and sys.stdout.writable() and not sys.stdout.isatty()",
        "from contextlib import redirect_stdout\nimport io\nwith redirect_stdout(io.StringIO()) as f:\n    print('c')",
    ),
    works(
        "displays",
        "displays that change: clear_output, handles, progress",
        "from IPython.display import clear_output, display, Markdown, HTML, Latex, Image, ProgressBar",
        "for i in range(3):\n    clear_output(wait=True)\n    print(i)",
        "h = display('a', display_id=True)\nh.update('b')\ndisplay(Markdown('**a**'), HTML('<b>a</b>'), Latex('$a$'))",
        "for _ in ProgressBar(3):\n    pass",
        "plt.plot([1])\nplt.savefig('i.png')\nImage('i.png')",
    ),
    works(
        "plots-of-all-kinds",
        "styles, fonts, animations and interactive calls",
        "plt.style.use('ggplot')\nplt.rcParams['font.family'] = 'No Such Font'\nplt.ion()\n"
        "plt.plot([1, 2], label='勾配')\nplt.legend()"
        "\nplt.show(block=False)\nplt.pause(0.01)\nplt.rcdefaults()",
        "from mpl_toolkits.mplot3d import Axes3D\nfig = plt.figure()\nfig.add_subplot(projection='3d')\n"
        "plt.tight_layout()\nplt.show()",
        "from matplotlib.animation import FuncAnimation\nfig, ax = plt.subplots()\n"
        "FuncAnimation(fig, lambda i: ax.plot([i]), frames=2)"
        ".to_jshtml()\nplt.close('all')",
    ),
    works(
        "warnings-and-printing",
        "settings of NumPy and of warnings",
        "import warnings\nwarnings.warn('w')\nwarnings.filterwarnings('ignore')\n"
        "np.set_printoptions(precision=2)\nnp.random.seed(0)",
        "np.seterr(all='ignore')\nnp.float64(1) / 0",
    ),
    works(
        "measuring",
        "profiles, traces memory, collects garbage, raises the recursion limit",
        "import cProfile, gc, tracemalloc, sys, timeit\ngc.collect()\ntracemalloc.start()\nsys.setrecursionlimit(5000)",
        "print(tracemalloc.get_traced_memory(), timeit.timeit('1', number=10))\ntracemalloc.stop()\n"
        "cProfile.run('sum([1])')",
    ),
    works(
        "imports-again",
        "star imports again",
        "from autograder.layers import *\nfrom math import *\nfrom autograder import check",
    ),
    works("browser", "opens a browser", "import webbrowser\nwebbrowser.open('https://example.org')"),
    works(
        "dates-of-files",
        "looks at files",
        "import os, glob, pathlib\nprint(os.listdir('.'), glob.glob('*'), os.stat('.'), os.getcwd())",
    ),
)

OWN_CELL = (
    Clumsy("missing-library", "libraries that are not here", also("import no_such_library", "import tensorflow as tf")),
    Clumsy(
        "subprocess", "starts programs", also("import subprocess\nsubprocess.run(['ls'])", "import os\nos.system('ls')")
    ),
    Clumsy(
        "process-pool",
        "a process pool",
        also(
            "from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as p:\n"
            "    print(list(p.map(abs, [-1])))"
        ),
    ),
    Clumsy("password", "asks for a password", also("import getpass\ngetpass.getpass()")),
    Clumsy("network", "downloads data", also("import urllib.request\nurllib.request.urlopen('http://localhost:9/x')")),
    Clumsy("permissions", "changes permissions", also("open('a', 'w').close()\nimport os\nos.chmod('a', 0o600)")),
    Clumsy(
        "debugger",
        "leaves a breakpoint in",
        also("breakpoint()", "import pdb; pdb.set_trace()", "%pdb on\n1 / 0", "%debug"),
    ),
    Clumsy(
        "absent-locale",
        "a locale that is not here",
        also("import locale\nlocale.setlocale(locale.LC_ALL, 'ja_JP.SJIS')"),
    ),
    Clumsy(
        "kernel",
        "speaks to the kernel",
        also("get_ipython().kernel.do_shutdown(True)", "%connect_info", "%reset_selective -f zz"),
    ),
    Clumsy(
        "endless-recursion",
        "recursion without end",
        also("import sys\nsys.setrecursionlimit(10**6)\ndef f(n):\n    return f(n + 1)\nf(0)"),
    ),
    Clumsy(
        "own-streams",
        "puts streams of its own in place",
        also("import sys, io\nsys.stdout = io.StringIO()\nsys.stderr = None"),
    ),
    Clumsy(
        "own-alarm",
        "handles signals",
        also("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsignal.alarm(0)"),
    ),
    Clumsy("null-byte", "a null byte in a cell", also("x = '\0'")),
    Clumsy("deep-code", "parentheses without end", also("(" * 10_000, "-" * 50_000 + "1", "lambda:" * 5_000 + "0")),
    Clumsy(
        "another-backend",
        "a backend that needs a screen",
        also("import matplotlib\nmatplotlib.use('TkAgg')\nplt.plot([1])\nplt.show()"),
    ),
)

BESIDE = (
    works(
        "data-beside",
        "reads a data file of its own",
        "assert np.loadtxt('データ.csv', delimiter=',').tolist() == [1, 2]",
        beside=(("データ.csv", b"1,2\n"),),
    ),
    works(
        "module-beside",
        "imports a module of its own",
        "from helper import double\nassert double(2) == 4",
        beside=(("helper.py", b"def double(x):\n    return 2 * x\n"),),
    ),
    works(
        "shadowing",
        "modules with names of installed ones lie beside the notebook",
        "import numpy, random, numpy.polynomial, xml.dom\nassert random.random() < 1",
        beside=tuple(
            (f"{name}.py", b"1 / 0\n") for name in ("numpy", "random", "autograder", "xml", "scipy", "IPython")
        ),
    ),
)

SHAPE = (
    Clumsy(
        "copied-answer",
        "an early attempt stands above the answer",
        pieces("gradient_profile", "def gradient_slope(delta_norms):\n    return 0.0", RIGHT["gradient_profile"]),
        mended=("gradient_profile",),
    ),
    Clumsy(
        "untouched-copy", "an untouched copy stands below the answer", _untouched_copy, mended=("gradient_profile",)
    ),
    Clumsy(
        "copied-test", "a copied test cell serves as a scratch cell", _copied_test, mended=("check_batch_norm_forward",)
    ),
    Clumsy(
        "split-solution",
        "a solution in two cells",
        pieces("clip_gradients", "EPSILON = 1e-6", RIGHT["clip_gradients"], ""),
        mended=("clip_gradients",),
    ),
    Clumsy(
        "split-findings",
        "question and answer in two cells",
        pieces("depth_study_findings", "#### 考察（2 点、手動採点）", RIGHT["depth_study_findings"]),
        mended=("depth_study_findings",),
    ),
    Clumsy(
        "split-class",
        "a class cut in two, which no notebook can run",
        pieces("batch_norm", *RIGHT["batch_norm"].split("    def backward", 1)),
        honest=False,
        mended=("batch_norm",),
    ),
    Clumsy("merged", "a solution cell merged with its test cell", _merged, mended=("check_clip_gradients",)),
    Clumsy(
        "merged-into-test", "the same, under the test cell's name", _merged_into_test, mended=("check_clip_gradients",)
    ),
    Clumsy("tests-first", "test cells moved to the top", _tests_first),
    Clumsy("no-tests", "all test cells deleted", without(*CHECKS), mended=CHECKS),
    Clumsy("no-setup", "the read-only setup cell deleted", without("setup"), mended=("setup",)),
    Clumsy("setup-extended", "an import added to the setup cell", _setup_extended, mended=("setup",)),
    Clumsy(
        "setup-reformatted",
        "blank lines added to the setup cell",
        lambda n: altered("setup", source=["\n", *cell_of(n, "setup")["source"], "\n", "\n"])(n),
    ),
    Clumsy(
        "test-changed",
        "a test cell says something else",
        altered("check_depth_study", source="4.0"),
        mended=("check_depth_study",),
    ),
    Clumsy(
        "solution-as-text",
        "a solution cell turned into text",
        altered("batch_norm", cell_type="markdown"),
        mended=("batch_norm",),
    ),
    Clumsy(
        "solution-as-raw",
        "a solution cell turned into raw",
        altered("depth_study", cell_type="raw"),
        mended=("depth_study",),
    ),
    Clumsy(
        "test-as-text",
        "a test cell turned into text",
        altered("check_gradient_monitor", cell_type="markdown"),
        mended=("check_gradient_monitor",),
    ),
    Clumsy(
        "findings-as-code",
        "the written answer turned into code",
        altered("depth_study_findings", cell_type="code"),
        mended=("depth_study_findings",),
    ),
    Clumsy("flags", "marks changed by hand", _flags, mended=("check_depth_study", "depth_study_plot", "batch_norm")),
    Clumsy("foreign-mark", "a graded cell of another assignment pasted in", _foreign_mark, mended=("1",)),
    Clumsy("planted", "test cells come with 99 points", _planted, mended=CHECKS),
)

FORMAT = (
    Clumsy("lost-marks", "all metadata lost", every_cell(_lose_metadata, metadata={}), mended=("setup", *CHECKS)),
    Clumsy(
        "colab",
        "saved by Colab: metadata and ids lost",
        every_cell(_as_colab, metadata={"colab": {"provenance": []}}, nbformat_minor=0),
        mended=(*SOLUTIONS, *CHECKS, "depth_study_findings"),
    ),
    Clumsy(
        "vs-code",
        "saved by VS Code: metadata lost, ids new",
        every_cell(_as_vs_code),
        mended=(*SOLUTIONS, *CHECKS, "depth_study_plot"),
    ),
    Clumsy("only-answers", "answers pasted into a new notebook", _only_answers, mended=(*SOLUTIONS, *CHECKS)),
    Clumsy("one-cell", "all answers pasted into one cell", _one_cell, mended=CHECKS),
    Clumsy("no-ids", "cells without ids", every_cell(_lose_id)),
    Clumsy("same-ids", "all ids the same, and invalid", every_cell(_same_id)),
    Clumsy("format-3", "saved by IPython 2", _format_3),
    Clumsy("format-4.0", "saved by IPython 3", every_cell(_lose_id, nbformat_minor=0)),
    Clumsy("future-minor", "saved by a Jupyter to come", every_cell(_as_future, nbformat_minor=9, signature="x")),
    Clumsy("future-major", "saved by a Jupyter of another age", every_cell(lambda cell: None, nbformat=5)),
    Clumsy("xpython", "another Python kernel", _kernel("xpython", "python")),
    Clumsy("julia", "a kernel of another language", _kernel("julia-1.9", "julia"), mended=("julia",)),
    Clumsy("odd-cells", "cells that are none, odd outputs", _odd_cells, mended=("4",)),
    Clumsy("crlf", "Windows line ends in the cells", every_cell(_with_crlf)),
    Clumsy("byte-order-mark", "UTF-8 with a byte order mark", lambda n: _text(n).encode("utf-8-sig")),
    Clumsy("utf-16", "UTF-16", lambda n: _text(n).encode("utf-16")),
    Clumsy("shift-jis", "saved by an old editor", lambda n: _text(n).encode("cp932", "replace")),
    Clumsy("odd-numbers", "NaN and endless integers in metadata", _odd_numbers),
    Clumsy("half-a-character", "half an emoji in a cell", lambda n: json.dumps(also("x = '\ud83d'")(n))),
    Clumsy(
        "double-keys",
        "keys that stand twice",
        lambda n: _text(n).replace('{"cells"', '{"cells": [], "metadata": 3, "cells"'),
    ),
    Clumsy("renamed", "downloaded twice", file="gradient_pathology (1).ipynb"),
    Clumsy("japanese-name", "the file has a Japanese name", file="課題.ipynb"),
    Clumsy("folder", "the file lies in a folder", file="提出/gradient_pathology.ipynb"),
)

UNREADABLE = (
    Clumsy("empty", "an empty file", lambda n: "", honest=False, unreadable="empty"),
    Clumsy("cut-off", "half a file", cut_off, honest=False, unreadable="JSON"),
    Clumsy("pdf", "a PDF", lambda n: b"%PDF-1.7\n\xe2\xe3\xcf\xd3", honest=False, unreadable="JSON"),
    Clumsy("list", "a list", lambda n: "[1, 2]", honest=False, unreadable="notebook"),
    Clumsy("script", "the code without the notebook", lambda n: RIGHT["batch_norm"], honest=False, unreadable="JSON"),
    Clumsy("too-deep", "lists in lists in lists", lambda n: "[" * 100_000, honest=False, unreadable="JSON"),
    Clumsy(
        "deep",
        "a little less deep",
        lambda n: _text(n)[:-1] + ', "x": ' + "[" * 200 + "]" * 200 + "}",
        honest=False,
        unreadable="nested",
    ),
    Clumsy(
        "other-assignment",
        "another assignment's notebook",
        of_another_assignment,
        honest=False,
        unreadable="gradient-pathology",
    ),
)

READABLE = (*NOISE, *LIBRARIES, *OWN_CELL, *BESIDE, *SHAPE, *FORMAT)
CLUMSY = (*READABLE, *UNREADABLE)
