"""Nothing that comes from a student breaks, holds up or bloats the process that judges it, whatever it is.

Longer: `pytest tests/test_fuzz.py --hypothesis-profile long`.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import unicodedata
from pathlib import PurePosixPath

import numpy as np
import pytest
from conftest import COURSE, EXERCISES, parsed
from hypothesis import given
from hypothesis import strategies as st

from autograder.checks import values
from autograder.checks.encoding import pack
from autograder.checks.exercise import Observation
from autograder.checks.results import ExerciseResult, Item, Outcome
from autograder.checks.values import simplify
from autograder.exercises.recorded import recorded
from autograder.nbgrader_plugins.zip_collect.archives import Refused, safe_path
from autograder.notebooks.cells import names_in
from autograder.notebooks.load import MAX_BRACKETS, MAX_NOTEBOOK_BYTES, UnreadableNotebook, read_notebook
from autograder.notebooks.mend import mend, released_in
from autograder.notebooks.submission import digest, submission_of
from autograder.report.csv_safe import cell as csv_cell
from autograder.report.csv_safe import neutral
from autograder.report.html import exercise_html
from autograder.report.text import printable
from autograder.sandbox import frames
from autograder.sandbox.client import Worker, WorkerDied
from autograder.sandbox.limits import Limits
from autograder.sandbox.outputs import MIME_TYPES, MOST_OUTPUTS, CellOutputs
from tests.fuzzing import fuzz, judge_and_report, mutated, odd, odd_data, peak_of
from tests.sample_class import RIGHT, Student

pytestmark = pytest.mark.slow

RELEASE = json.loads((COURSE / "release/gradient-pathology/gradient_pathology.ipynb").read_text(encoding="utf-8"))
RELEASED = released_in(RELEASE)
ANSWERED = json.dumps(Student("s", "right", RIGHT).notebook(RELEASE), ensure_ascii=False)

# --- frames -----------------------------------------------------------------------------------------------------------


def received(chunks, seconds=2.0, pause=0.0, hang_up=True):
    """What `frames.receive` makes of a stream, and how long it takes."""
    ours, theirs = socket.socketpair()

    def speak():
        try:
            for chunk in chunks:
                theirs.sendall(chunk)
                time.sleep(pause)
        except OSError:
            pass
        if hang_up:
            theirs.close()

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    start = time.monotonic()
    try:
        return frames.receive(ours, seconds), time.monotonic() - start
    except (frames.Closed, TimeoutError) as error:
        return error, time.monotonic() - start
    finally:
        ours.close()
        speaker.join()
        theirs.close()


@fuzz(50)
@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=5))
def test_any_stream_is_a_message_or_closed(stream, cuts):
    chunks = [stream[a:b] for a, b in zip([0, *np.cumsum(cuts)], [*np.cumsum(cuts), len(stream)], strict=True)]
    sent = b"".join(chunks)
    length = struct.unpack(">I", sent[:4])[0] if len(sent) >= 4 else None
    message, _seconds = received(chunks)
    if length is not None and length <= len(sent) - 4:
        assert message == sent[4 : 4 + length]
    else:
        assert isinstance(message, frames.Closed)


@pytest.mark.parametrize(
    ("chunks", "pause", "error"),
    [
        ([b"\xff\xff\xff\xff"], 0.0, frames.Closed),
        ([struct.pack(">I", values.MAX_BYTES + 1)], 0.0, frames.Closed),
        ([struct.pack(">I", 100), *[b"x"] * 20], 0.1, TimeoutError),
        ([b"\x00", b"\x00", b"\x00", b"\x64", *[b"x"] * 16], 0.1, TimeoutError),
        ([struct.pack(">I", 100)], 0.0, TimeoutError),
        ([], 0.0, TimeoutError),
    ],
    ids=["too long", "a little too long", "dripping", "dripping from the start", "nothing follows", "silent"],
)
def test_a_stream_cannot_gain_time_or_memory(chunks, pause, error):
    tracemalloc.start()
    got, seconds = received(chunks, 0.5, pause, hang_up=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(got, error) and seconds < 1.5 and peak < 2**20


# --- what is made of a reply ------------------------------------------------------------------------------------------

output_like = st.fixed_dictionaries(
    {"output_type": st.one_of(st.sampled_from(["stream", "display_data", "execute_result", "error"]), odd)},
    optional={
        "name": st.one_of(st.sampled_from(["stdout", "stderr"]), odd),
        "text": odd,
        "data": st.one_of(
            st.dictionaries(st.one_of(st.sampled_from(MIME_TYPES), st.text(max_size=9)), odd, max_size=3), odd
        ),
        "metadata": st.one_of(st.just({}), odd),
        "execution_count": odd,
        "ename": odd,
        "evalue": odd,
        "traceback": st.one_of(st.lists(odd, max_size=3), odd),
        "extra": odd,
    },
)


@fuzz(200)
@given(st.one_of(odd, st.lists(st.one_of(output_like, odd_data), max_size=6)))
def test_outputs_are_taken_in_the_notebook_format_only(outputs):
    import nbformat

    limits = Limits(text_chars=60, image_bytes=10)
    kept = CellOutputs.claimed(outputs, limits)
    assert len(kept) <= MOST_OUTPUTS
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "", "execution_count": None, "outputs": kept}
    nbformat.validate({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    assert sum(len(text) for output in kept for text in [output.get("text", ""), *output.get("traceback", [])]) <= 60


class ForgedHost:
    """Hands out connections to a worker that answers everything with the same reply."""

    def __init__(self, reply):
        self._reply = pack(simplify(reply))

    def start(self):
        ours, theirs = socket.socketpair()

        def answer():
            with theirs:
                try:
                    while True:
                        frames.receive(theirs)
                        frames.send(theirs, self._reply)
                except frames.Closed:
                    pass

        threading.Thread(target=answer, daemon=True).start()
        return ours

    def reap(self):
        pass

    def computing_seconds(self):
        return float("nan")


parts = st.one_of(odd_data, st.dictionaries(st.text(max_size=9), st.one_of(st.binary(), odd_data.map(pack))))
replies = st.one_of(
    odd_data,
    st.dictionaries(
        st.sampled_from(["out_of_time", "too_large", "broke", "observations", "outputs"]), odd_data, max_size=3
    ),
    st.fixed_dictionaries(
        {"observations": st.lists(st.fixed_dictionaries({"values": parts, "end": odd_data.map(pack)}), max_size=9)}
    ),
)


@fuzz(150)
@given(st.sampled_from(EXERCISES), replies)
def test_a_forged_reply_is_a_sentence_or_observations_and_earns_nothing(exercise, reply):
    expected = recorded(exercise)
    try:
        with Worker(ForgedHost(reply), Limits(), time.monotonic() + 60) as worker:
            seen = worker.probe(exercise, expected)
    except WorkerDied as death:
        seen = str(death)
    except Exception as error:
        assert type(error).__name__ == "HostLost" and type(reply) is not dict, error
        return
    if isinstance(seen, str):
        assert seen and len(seen) < 300
    else:
        assert all(isinstance(observation, Observation) for observation in seen)
        judge_and_report(exercise, expected, seen)


@pytest.mark.parametrize("key", [10**6, 2**62, -1, "deep", None, 0.5])
def test_a_depth_that_was_forged_is_no_end_of_work(key):
    (exercise,) = (exercise for exercise in EXERCISES if exercise.id == "depth_study")
    expected = recorded(exercise)
    forged = [{"states": {key: np.ones((2, 2, 3))}, "result": {d: {} for d in e.case.depths}} for e in expected]
    seen = [Observation(e.expected.values | values) for e, values in zip(expected, forged, strict=True)]
    judge_and_report(exercise, expected, seen)


TEXTS = "x" * values.MAX_TEXT
BOMBS = {
    "one long text among many": [TEXTS, *["x"] * 5_000],
    "numbers and a long text": [[TEXTS], *[[1.0]] * 5_000],
    "a tuple of texts": (TEXTS,) * 100,
}
"""NumPy would make an array of each as wide as the longest text: gigabytes."""


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_texts_in_place_of_numbers_cost_no_memory(exercise, bomb):
    expected = recorded(exercise)

    def with_texts(value):
        if type(value) is not dict or all(type(item) is str for item in value.values()):  # its keys would be answers
            return bomb
        return {key: with_texts(item) for key, item in value.items()}

    seen = [Observation({name: with_texts(value) for name, value in e.expected.values.items()}) for e in expected]
    result, peak = peak_of(judge_and_report, exercise, expected, seen)
    assert result.score == 0 and peak < 10 * values.MAX_BYTES


# --- notebooks --------------------------------------------------------------------------------------------------------

TOKENS = rb""""cells" "source" "nbgrader" null [ ] { } " \ud800 NaN 1e999 \u0000""".split()


def read_and_mend(content, folder):
    """Reading keeps all that it promises of a file; the mended notebook, or None."""
    path = folder / "n.ipynb"
    path.write_bytes(content)
    try:
        notebook = read_notebook(path)
        submission_of(notebook, "n").cells_to_run()
    except UnreadableNotebook as error:
        assert str(error)
        return None
    mend(notebook, RELEASED)
    text = json.dumps(notebook, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert mend(notebook, RELEASED) == [] and notebook == json.loads(text)
    submission_of(notebook, "n").cells_to_run()
    return notebook


@fuzz(100)
@given(content=st.one_of(st.binary(max_size=200), mutated(st.just(ANSWERED.encode("utf-8")), TOKENS)))
def test_any_file_is_a_notebook_or_unreadable(content, tmp_path_factory):
    read_and_mend(content, tmp_path_factory.getbasetemp())


def with_cells(*sources):
    notebook = json.loads(ANSWERED)
    notebook["cells"] += [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": 1}
        for source in sources
    ]
    return notebook


def chain_of_experiments(n):
    """Each needs the next: none may cost a look through all the others."""
    notebook = with_cells(*(f"v{i} = v{i + 1}" for i in range(n)), "print(v0)")
    for cell in notebook["cells"][-n - 1 : -1]:
        cell["metadata"] = {"autograder": {"experiment": digest(cell["source"])}}
    return notebook


def unmarked_copies(n):
    notebook = json.loads(ANSWERED)
    notebook["cells"] = [{**cell, "id": None, "metadata": {}} for cell in notebook["cells"] for _ in range(n)]
    return notebook


HEAVY_NOTEBOOKS = {
    "a long name": lambda: with_cells("x" * 10**6),
    "spaces": lambda: with_cells(" " * 5 * 10**6),
    "much code": lambda: with_cells("x = 1\n" * 10**6),
    "many cells": lambda: with_cells(*(f"x = {i}" for i in range(5000))),
    "a chain of experiments": lambda: chain_of_experiments(2000),
    "unmarked copies": lambda: unmarked_copies(50),
    "copies with marks": lambda: {**RELEASE, "cells": RELEASE["cells"] * 50},
    "empty lists": lambda: {**RELEASE, "x": [[]] * MAX_BRACKETS},
}


@pytest.mark.parametrize("make", HEAVY_NOTEBOOKS.values(), ids=HEAVY_NOTEBOOKS)
def test_no_notebook_takes_long(make, tmp_path):
    content = json.dumps(make()).encode()
    start = time.process_time()
    read_and_mend(content, tmp_path)
    assert time.process_time() - start < 15  # measured: 2 s


def test_a_file_of_brackets_takes_no_memory(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_bytes(b'{"cells": [' + b"[]," * (2 * MAX_BRACKETS) + b"0]}")
    refusal, peak = peak_of(read_notebook, path)
    assert isinstance(refusal, UnreadableNotebook)
    assert peak < MAX_NOTEBOOK_BYTES + 5 * path.stat().st_size  # room is made for the largest file, and most given back


HOSTILE_SOURCES = """
"(" * 10_000
"-" * 100_000 + "1"
"lambda:" * 5_000 + "0"
"not " * 30_000 + "1"
"[" * 200 + "]" * 200
"[" * 90 + "]" * 90
"x" + ".a" * 60_000
"x" + "[0]" * 40_000
"f()" + "()" * 60_000
"1" + "+1" * 60_000
"1" + "**1" * 30_000
"1" + " if 1 else 1" * 9_000
"x" + "=x" * 60_000
"if 1: pass\\n" + "elif 1: pass\\n" * 9_000
"".join(" " * i + "if 1:\\n" for i in range(99)) + " " * 99 + "pass"
"".join(" " * i + "def f():\\n" for i in range(300)) + " " * 300 + "pass"
"f'" + "{f'" * 100 + "x" + "'}" * 100 + "'"
"f'" + "{1:" * 1000 + "}" * 1000 + "'"
"@a\\n" * 9_000 + "def f(): pass"
"x" * 1_000_000
"é" * 150_000
"x: " + "(" * 150 + "int" + ")" * 150
"9" * 5_000
"9" * 150_000
"\\0"
"x = '\\ud800'"
"\\x0c" * 150_000
"\\\\\\n" * 60_000
"# -*- coding: utf-7 -*-\\nx = '+AGE-'"
"# coding: no-such\\nx = 1"
"class A" + "(A" * 5_000 + ")" * 5_000 + ": pass"
"def f(" + ",".join(f"a{i}" for i in range(20_000)) + "): pass"
"global " + ",".join(f"a{i}" for i in range(20_000))
"print(" + "yield " * 20_000 + ")"
"match x:\\n case " + "[" * 500 + "]" * 500 + ": pass"
"async\\n" * 30_000
"def \\n" * 40_000
"%" * 150_000
"%magic\\n" * 20_000
"{" * 90 + "1" + "for x in y}" * 90
"from __future__ import braces"
""".strip().splitlines()


def test_no_source_crashes_the_interpreter_that_looks_at_it():
    """In a process of its own: what overflows a parser's stack would take these tests along."""
    program = """
import sys
from autograder.notebooks.cells import defines, names_in
from autograder.notebooks.undefined import _syntax_error
sys.stdout.reconfigure(errors="replace")
for line in sys.stdin:
    source = eval(line)
    names_in(source), defines(source, "f"), _syntax_error(source[:20_000])
    print("seen", flush=True)
"""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], input="\n".join(HOSTILE_SOURCES), capture_output=True, text=True, timeout=120
    )
    seen = done.stdout.count("seen")
    assert done.returncode == 0 and seen == len(HOSTILE_SOURCES), (HOSTILE_SOURCES[seen : seen + 1], done.stderr[-500:])
    assert time.monotonic() - start < 60  # measured: 4 s


PIECES = """def f( ): class x = ( ) lambda : f'{ }' % ! yield await import ''' \\ # é * @ match case _: ;""".split()
PIECES += ["\n", "    ", "\t", "\0", "\ud800", "yield ", "global x", "match x:"]
code_like = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@fuzz(200)
@given(st.one_of(code_like, st.text(max_size=50)))
def test_any_source_has_names(source):
    makes, uses = names_in(source)
    assert not makes & uses and all(isinstance(name, str) for name in makes | uses)


# --- reports ----------------------------------------------------------------------------------------------------------

texts = st.text(st.sampled_from("<>&\"'`=+-@\t\r\n\0\x1b\x9bab1,;|{}\u202e＝é$\\/"), max_size=20)


@fuzz(300)
@given(st.one_of(texts, st.text()))
def test_no_cell_of_a_spreadsheet_is_a_formula(text):
    for written in (neutral(text), next(csv.reader(io.StringIO(csv_cell(text), newline="")), [""])[0]):
        assert not written.startswith(("\t", "\r", "\n"))
        for part in re.split(r"[,;|\t\r\n]", written):  # where one spreadsheet or another ends a cell
            shown = part.lstrip(" \u200b\ufeff")
            assert not shown.startswith(("=", "@", "＝", "＋", "－", "＠"))
            if shown.startswith(("+", "-")):
                float(written)
    assert neutral(text).replace("'", "") == text.replace("\0", "").replace("'", "")


def tags_of(text):
    """Which elements a page has, with their attributes."""
    return [(element.name, sorted(element.attrs)) for element in parsed(text).find_all(True) if element.name != "code"]


def a_result(*messages):
    return ExerciseResult(
        "clip_gradients", tuple(Item(f"i{n}", m, Outcome.FAILED, 0.0, 1.0, m) for n, m in enumerate(messages))
    )


@fuzz(200)
@given(texts, texts)
def test_no_message_is_markup(one, other):
    same_lines = ("".join(c if c == "\n" else "x" for c in text) for text in (one, other))
    plain = exercise_html(a_result(*map("".join, zip("12", same_lines, strict=True))))
    assert tags_of(exercise_html(a_result("1" + one, "2" + other))) == tags_of(plain)
    assert html.escape("<script>") in exercise_html(a_result("<script>", other))


@fuzz(100)
@given(st.text())
def test_nothing_printable_drives_a_terminal(text):
    assert not any(ord(c) < 32 and c not in "\n\t" or 127 <= ord(c) < 160 for c in printable(text))


def test_nothing_printable_reorders_a_line():
    controls = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # of Unicode's bidirectional algorithm
    reordering = [chr(c) for c in range(0x10000) if unicodedata.bidirectional(chr(c)) in controls]
    assert len(reordering) == 9 and printable("a".join(reordering)) == "a" * 8


# --- names of files ---------------------------------------------------------------------------------------------------


@fuzz(300)
@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "C:", "\0", "nul", " ", "~", "．．", "é"])).map("".join),
    )
)
def test_every_path_that_is_taken_stays_inside(name):
    try:
        path = safe_path(name)
    except Refused as refused:
        assert str(refused)
        return
    assert isinstance(path, PurePosixPath) and not path.is_absolute() and ".." not in path.parts and path.parts
    inside = os.path.normpath(os.path.join("/folder", str(path)))
    assert inside.startswith("/folder/") and "\0" not in inside and "\\" not in inside and ":" not in inside
    assert safe_path(str(path)) == path, "what is safe stays as it is"
