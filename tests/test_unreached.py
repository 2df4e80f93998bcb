"""Lines of a student's code that never run, and what keeps them from it: true whatever the code looks like."""

import itertools
import linecache
import math
import sys
import textwrap
from contextlib import suppress

import numpy as np
import pytest
from conftest import SOLUTIONS, small_notebook

from autograder.checks.exercise import Implementation, Observation
from autograder.checks.judge import judge
from autograder.checks.unreached import MOST_STEPS, Steps, Unreached, nowhere, overlooking
from autograder.exercises import every_exercise, exercise
from autograder.exercises.recorded import recorded
from autograder.layers import Layer, Linear, Problem
from autograder.locale import speaking
from autograder.notebooks.submission import submission_of
from autograder.report.text import exercise_text
from autograder.sandbox.client import run_submission
from autograder.student.notebook import judge_here
from reference.mutants.sources import Mutant, styles

NUMBERS = itertools.count()


def cell(source, **names):
    """What a cell with this source defines."""
    name = f"<cell {next(NUMBERS)}>"
    source = textwrap.dedent(source).lstrip()
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), names)
    return names


def followed(source, *inputs, name="f"):
    """What is unreached in all calls of `f` in the cell, one case each."""
    cases = each_followed(source, *inputs, name=name)
    return nowhere(cases[0], cases)


def each_followed(source, *inputs, name="f"):
    """All that is unreached in each call of `f` in the cell."""
    function = cell(source, np=np, math=math)[name]
    cases = []
    for given in inputs:
        steps = Steps(function)
        with suppress(ValueError, ZeroDivisionError):
            list(steps.of(map(function, [given])))
        cases.append(steps.unreached)
    return cases


CODE = {
    "a condition that is never true": (
        """
        def f(x):
            y = 0
            if x < 0:
                y = x
            return y
        """,
        "In this case, line 4, `y = x`, does not run: the condition in line 3, `if x < 0:`, is never true.",
    ),
    "a condition that is always true": (
        """
        def f(x):
            if x > 0:
                return 1
            else:
                y = 2
            return y
        """,
        "In this case, line 5, `y = 2`, does not run: the condition in line 2, `if x > 0:`, is always true.",
    ),
    "a branch after one that always comes first": (
        """
        def f(x):
            found = []
            if x is not None:
                found.append("vanishing")
            elif x > 1e3:
                found.append("exploding")
            return found
        """,
        "In this case, line 5, `elif x > 1e3:`, does not run: "
        "the condition in line 3, `if x is not None:`, is always true.",
    ),
    "a loop without rounds": (
        """
        def f(x):
            y = 0
            for i in range(int(x), 0):
                y += i
            return y
        """,
        "In this case, line 4, `y += i`, does not run: "
        "the loop in line 3, `for i in range(int(x), 0):`, has no rounds.",
    ),
    "a loop through nothing": (
        """
        def f(x):
            found = []
            norms = [] if x else [x]
            for norm in norms:
                found.append(norm)
            return found
        """,
        "In this case, line 5, `found.append(norm)`, does not run: "
        "the loop in line 4, `for norm in norms:`, has no rounds. "
        "What it goes through is made in line 3, `norms = [] if x else [x]`.",
    ),
    "a return in the loop": (
        """
        def f(x):
            total = 0
            for i in range(3):
                total += i
                if total >= 0:
                    return total
            scaled = total * x
            return scaled
        """,
        "In this case, line 7, `scaled = total * x`, does not run: `return total` in line 6 comes first.",
    ),
    "a return in every round": (
        """
        def f(x):
            found = []
            for i in range(3):
                if i > x:
                    found.append(i)
                return found
        """,
        "Line 6, `return found`, ends the loop in line 3 in its first round.",
    ),
    "continue": (
        """
        def f(x):
            total = 0
            for i in range(3):
                if i >= 0:
                    continue
                total += i
            return total
        """,
        "In this case, line 6, `total += i`, does not run: the condition in line 4, `if i >= 0:`, is always true.",
    ),
    "a return that is no branch's end": (
        """
        def f(x):
            try:
                return x
            finally:
                y = 0
            y += 1
            return y
        """,
        "In this case, line 6, `y += 1`, does not run: `return x` in line 3 comes first.",
    ),
    "an inner function": (
        """
        def f(x):
            def part(y):
                if y == 7:
                    y = 8
                return y
            return part(x)
        """,
        "In this case, line 4, `y = 8`, does not run: the condition in line 3, `if y == 7:`, is never true.",
    ),
    "a condition on two lines": (
        """
        def f(x):
            y = 0
            if (x < 0
                    and x > 1):
                y = x
            return y
        """,
        "In this case, line 5, `y = x`, does not run: the condition in line 3, `if (x < 0`, is never true.",
    ),
}


@pytest.mark.parametrize(("source", "sentence"), CODE.values(), ids=CODE)
def test_a_line_that_never_runs_is_told_with_the_line_that_keeps_it_from_running(source, sentence):
    assert followed(source, 1.0, 2.0).told == sentence
    with speaking("ja"):
        told = followed(source, 1.0, 2.0).told
    assert told != sentence and "行目" in told


NOTHING = {
    "what runs for one of the inputs": "def f(x):\n    y = 0\n    if x > 1:\n        y = x\n    return y",
    "what refuses bad input": "def f(x):\n    if x < 0:\n        raise ValueError(x)\n    return x",
    "what prints": "def f(x):\n    y = 0\n    if x < 0:\n        print(x)\n    return y",
    "an early return": "def f(x):\n    if x < 0:\n        return 0.0\n    return x",
    "a loop whose values cannot be made": "def f(x):\n    y = 0\n    for i in range(int(1 / (x - x))):\n        y += i",
    "a condition that raises": "def f(x):\n    y = 0\n    if 1 / (x - x):\n        y = 1\n    return y",
    "a loop that takes too long": f"def f(x):\n    y = 0\n    for i in range({MOST_STEPS}):\n        y += i\n"
    "    if x < 0:\n        y = 1\n    return y",
    "one line": "def f(x):\n    if x < 0: y = 1\n    return x",
    "a function that is not called": "def f(x):\n    return x\n\ndef g(x):\n    if x:\n        x = 2\n    return x",
    "a loop that asks whether there is one": "def f(x):\n    for v in [1, x]:\n        return True\n    return False",
    "the first that is not None": "def f(x):\n    for v in [None, x]:\n        if v is None:\n            continue\n"
    "        return v",
    "the last one": "def f(x):\n    for v in [1, x]:\n        v = v * 2\n    return v",
    "read in each round of an inner loop": "def f(x):\n    y = []\n    for v in [1, x]:\n        for i in range(3):\n"
    "            y.append(v)\n            v = v * 2\n    return y",
    "a line of the notebook's own": "def f(x):\n    y = 0\n    if x < 0:\n        y = 1\n    return y\n",
}


@pytest.mark.parametrize("source", NOTHING.values(), ids=NOTHING)
def test_nothing_is_told_where_it_is_not_seen(source, request):
    if "notebook's own" in request.node.callspec.id:
        names = cell(source)
        name = names["f"].__code__.co_filename
        text = "%time f(1)\n" + source
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        steps = Steps(names["f"])
        assert list(steps.of(map(names["f"], [1.0]))) == [0]
        assert steps.unreached == ()
    else:
        assert followed(source, 1.0, 2.0) is None


def test_a_line_that_is_kept_from_running_in_two_ways_is_not_told():
    source = """
    def f(x):
        y = 0
        for i in range(3):
            if x == 0:
                continue
            elif x > 0:
                break
            y += i
        return y
    """
    assert followed(source, 0.0).told.startswith("In this case, line 6, `elif x > 0:`, does not run")
    assert followed(source, 1.0).told == "In this case, line 8, `y += i`, does not run: `break` in line 7 comes first."
    assert followed(source, 0.0, 1.0) is None


def test_a_line_that_runs_for_nothing_is_told_though_its_loop_has_no_rounds_elsewhere():
    source = """
    def f(x):
        for g in x:
            g = g * 2
        return x
    """
    told = "Line 3, `g = g * 2`, gives the name `g` a new value, which nothing reads"
    assert followed(source, [1], []).told.startswith(told)
    assert followed(source, [], [1]) is None


REFUSALS = {
    "a condition that is never true": (
        """
        def f(x):
            if x == np.inf:
                raise ValueError('infinite')
            return x
        """,
        "In this case, line 3, `raise ValueError('infinite')`, does not run: "
        "the condition in line 2, `if x == np.inf:`, "
        "is never true.",
    ),
    "a test that is not reached": (
        """
        def f(x):
            if x > 1:
                y = x
                if np.isnan(x):
                    raise ValueError("NaN")
            return x
        """,
        "In this case, line 3, `y = x`, does not run: the condition in line 2, `if x > 1:`, is never true.",
    ),
    "a return before the test": (
        """
        def f(x):
            if not x > 1:
                return x
            if np.isnan(x):
                raise ValueError("NaN")
            return x
        """,
        "In this case, line 4, `if np.isnan(x):`, does not run: "
        "the condition in line 2, `if not x > 1:`, is always true.",
    ),
}


@pytest.mark.parametrize(("source", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_what_keeps_an_exception_from_being_raised_is_told(source, sentence):
    (case,) = each_followed(source, float("nan"))
    assert overlooking(case).told == sentence


@pytest.mark.parametrize("test", ["nan == True", "x.nan == 1", "x == parse('nan')"])
def test_what_is_only_called_nan_is_no_comparison_with_it(test):
    source = f"""
    def f(x):
        nan, parse = np.isnan(x), float
        if nan or {test}:
            x = 0
        return x
    """
    (case,) = each_followed(source, float("nan"))
    assert overlooking(case) is None


@pytest.mark.parametrize("test", ["x == np.nan", "np.nan != x", "x == float('nan')", "x > 1 or x == math.nan"])
def test_a_comparison_with_nan_is_told(test):
    (case,) = each_followed(f"def f(x):\n    if {test}:\n        x = 0\n    return x", float("nan"))
    told = f"Line 2, `if {test}:`, compares with NaN, which is equal to nothing, not even to itself."
    assert overlooking(case).told == told


def test_of_two_lines_that_might_raise_none_is_told():
    source = """
    def f(x):
        if x is np.nan:
            raise ValueError("NaN")
        if x == np.inf:
            raise ValueError("infinite")
        return x
    """
    (case,) = each_followed(source, float("nan"))
    assert overlooking(case) is None


def test_a_debugger_keeps_its_place():
    def tracer(_frame, _event, _about):
        return None

    function = cell("def f(x):\n    y = 0\n    if x < 0:\n        y = 1\n    return y")["f"]
    sys.settrace(tracer)
    try:
        steps = Steps(function)
        assert list(steps.of(map(function, [1.0]))) == [0]
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(None)
    assert steps.unreached == ()


def test_a_decorated_function_is_followed_into_its_cell():
    source = """
    import functools

    def twice(function):
        @functools.wraps(function)
        def both(x):
            return function(x), function(x)
        return both

    @twice
    def f(x):
        y = 0
        if x < 0:
            y = x
        return y
    """
    assert followed(source, 1.0).told.startswith("In this case, line 13, `y = x`, does not run")


class Odd:
    """Runs code of its own wherever something is asked of it."""

    def __getattribute__(self, name):
        raise KeyboardInterrupt(name)


class OddClass(type):
    def __getattribute__(cls, name):
        raise KeyboardInterrupt(name)


def test_nothing_is_asked_of_what_is_no_function():
    for definition in (Odd(), OddClass("Odd", (), {}), 3, None, len, np.sum):
        assert Steps(definition).unreached == ()


def test_a_long_chain_of_conditions_is_no_error():
    chain = "".join(f"    elif x == {i}:\n        y = {i}\n" for i in range(900))
    assert followed(f"def f(x):\n    if x == -1:\n        y = -1\n{chain}    return x", 3000.0) is not False


def test_code_in_a_file_is_not_followed():
    steps = Steps(textwrap.dedent)
    assert list(steps.of(map(textwrap.dedent, [" x"]))) == ["x"]
    assert steps.unreached == () and sys.gettrace() is None


@pytest.mark.parametrize("solution", ["clip_gradients", "batch_norm", "gradient_profile", "gradient_monitor", "adam"])
def test_right_solutions_have_no_such_line(solution):
    own = [one for one in every_exercise() if one.solution == solution]
    for style in styles(solution):
        code = Mutant(style, ()).implementation()
        for one in own:
            cases = [one.observe(code, given.case, follow=True).unreached for given in recorded(one)]
            assert all(nowhere(case, cases) is None for case in cases)


CLIP = """
import numpy as np

def clip_gradients(layers, max_norm=1.0):
    gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
    if not all(np.isfinite(g).all() for g in gradients):
        raise ValueError("not finite")
    total_norm = float(np.sqrt(sum(np.sum(g**2) for g in gradients)))
    clip_coef = 1.0
    if total_norm < max_norm:
        clip_coef = max_norm / total_norm
        for g in gradients:
            g *= clip_coef
    return total_norm, clip_coef
"""


TOLD = (
    "In this case, line 10, `clip_coef = max_norm / total_norm`, does not run: the condition in line 9, "
    "`if total_norm < max_norm:`, is never true. "
)


def in_a_worker():
    submission = submission_of(small_notebook(clip_gradients=CLIP.lstrip("\n")), "test")
    clip = exercise("clip_gradients")
    run = run_submission(submission, {clip.id: [recorded(clip), recorded(clip)]})
    return judge(clip, run.trials[clip.id])


@pytest.mark.parametrize(
    "judged", [lambda: judge_here(exercise("clip_gradients"), cell(CLIP)), in_a_worker], ids=["notebook", "worker"]
)
def test_the_first_failure_begins_with_it(judged):
    """The condition is the wrong way round; where it is true, something is changed that should stay."""
    items = [item for item in judged().items if item.unreached]
    assert [item.id for item in items] == ["factor"]
    assert items[0].message.startswith(TOLD)


def test_a_copy_that_is_not_put_back_is_told_and_not_the_branch_for_other_inputs():
    """`else` is right where it runs."""
    copies = CLIP.replace("< max_norm", "> max_norm").replace("    clip_coef = 1.0\n", "", 1)
    copies = copies.replace("g *= clip_coef", "g = g * clip_coef\n    else:\n        clip_coef = 1.0")
    result = judge_here(exercise("clip_gradients"), cell(copies))
    (item,) = (item for item in result.items if item.unreached)
    assert item.message.startswith(
        "Line 11, `g = g * clip_coef`, gives the name `g` a new value, which nothing reads: what the loop in line 10 "
        "goes through stays as it is. After the call the gradients are unchanged"
    )
    text = exercise_text(result)
    assert text.count("After the call the gradients are unchanged") == 1 and "(failed, see above)" in text


def test_a_gradient_that_is_not_refused_is_told_with_the_test_that_misses_it():
    late = CLIP.replace("< max_norm", "> max_norm").replace(
        "if not all(np.isfinite(g).all()", "if any(np.isnan(g).any()"
    )
    result = judge_here(exercise("clip_gradients"), cell(late))
    (item,) = (item for item in result.items if not item.full)
    assert item.id == "nonfinite" and item.cause
    assert (
        item.words.startswith("In this case, line 6, `raise ValueError(") and "line 5, `if any(np.isnan" in item.words
    )


def test_a_cause_comes_before_it():
    early = SOLUTIONS["gradient_monitor"].replace("        return problems\n", "            return problems\n")
    assert early != SOLUTIONS["gradient_monitor"]
    result = judge_here(exercise("gradient_monitor"), cell(early, np=np, Linear=Linear, Problem=Problem))
    item = next(item for item in result.items if not item.full)
    assert item.cause and item.unreached.why == "one round"
    assert item.message.startswith(f"{item.cause}\n{item.unreached.told}")


def lines_told(source, name="clip_gradients", **names):
    result = judge_here(exercise(name), cell(source, np=np, **names))
    assert not result.full
    return [item.unreached.source for item in result.items if item.unreached]


BRANCH = "    if max_norm is None:\n        max_norm = 1.0\n"
REFUSAL = "    if max_norm <= 0:\n        raise ValueError('max_norm must be positive')\n"


@pytest.mark.parametrize("more", [BRANCH, REFUSAL], ids=["a default", "a refusal of something else"])
def test_what_has_nothing_to_do_with_nan_is_not_told_beside_a_cause(more):
    unnoticed = CLIP.replace("< max_norm", "> max_norm").replace(
        '    if not all(np.isfinite(g).all() for g in gradients):\n        raise ValueError("not finite")\n', more
    )
    assert more in unnoticed and lines_told(unnoticed) == []


def test_a_comparison_with_nan_is_told_in_the_card_of_a_monitor():
    wrong = SOLUTIONS["gradient_monitor"].replace("not np.isfinite(norm)", "norm == np.nan or norm == np.inf")
    lines = lines_told(wrong, "gradient_monitor", Linear=Linear, Problem=Problem)
    assert lines == ["if norm == np.nan or norm == np.inf:"]


def test_a_sentence_that_rests_on_numbers_stays_beside_a_line():
    kept = CLIP.replace("< max_norm", "> max_norm").replace(
        "            g *= clip_coef", "            _ = g * clip_coef"
    )
    kept = kept.replace("    clip_coef = 1.0\n", "    clip_coef = 1.0\n" + BRANCH, 1)
    result = judge_here(exercise("clip_gradients"), cell(kept))
    item = next(item for item in result.items if item.unreached)
    assert "clip_coef is below 1, but no gradient is multiplied by it" in item.words
    assert exercise_text(result).count("clip_coef is below 1") == 1


RENAMED = {
    "read in the loop": "for g in x:\n        g = g * 2\n        y = g",
    "nothing of the old value": "for g in x:\n        g = 2",
    "another name": "for g in x:\n        y = g * 2",
    "an element": "for i, g in enumerate(x):\n        x[i] = g * 2",
    "in place": "for g in x:\n        g *= 2",
}


@pytest.mark.parametrize("loop", RENAMED.values(), ids=RENAMED)
def test_a_loops_variable_may_get_a_new_value_that_is_read(loop):
    assert followed(f"def f(x):\n    {loop}\n    return x", [1, 2]) is None


MONITOR = """
from autograder.layers import Problem

class GradientMonitor:
    def __init__(self):
        self.history = []

    def record(self, epoch, layers):
        pass

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        problems = []
        for layer, norm in (self.history[-1][1] if self.history else {}).items():
            if norm != norm or norm == float("inf"):
                problems.append(Problem(layer, "nonfinite", norm, self.history[-1][0]))
            elif norm < vanish_threshold:
                problems.append(Problem(layer, "vanishing", norm, self.history[-1][0]))
        return problems
"""


def test_a_right_branch_for_other_inputs_is_not_told_while_another_is_missing():
    """The branch for NaN runs only in records that are wrong for another reason."""
    result = judge_here(exercise("gradient_monitor"), cell(MONITOR))
    assert not result.full and not any(item.unreached for item in result.items)


def test_nothing_is_told_of_a_cell_that_is_run_in_part():
    """The branch for inference does not run in training, where backward is wrong."""
    wrong = SOLUTIONS["batch_norm"].replace("dx_hat.mean(axis=0)", "dout.mean(axis=0)")
    assert wrong != SOLUTIONS["batch_norm"]
    names = cell(wrong, np=np, Layer=Layer)
    for name in ("batch_norm_forward", "batch_norm_backward"):
        seen = [
            exercise(name).observe(Implementation(names), one.case, follow=True) for one in recorded(exercise(name))
        ]
        assert not any(one.unreached for one in seen)
    assert not any(item.unreached for item in judge_here(exercise("batch_norm_backward"), names).items)


def test_what_took_long_is_not_run_again(monkeypatch):
    monkeypatch.setattr("autograder.student.notebook.QUICK", 0.0)
    assert not any(item.unreached for item in judge_here(exercise("clip_gradients"), cell(CLIP)).items)


@pytest.mark.parametrize(
    "data",
    [
        None,
        "line",
        [1],
        [1, "x", "because", 0, "", 0, "", False, True],
        (1, "x", "", 0, "", 0, "", False, True),
        [True, "x", "", 0, "", 0, "", False, True],
        [1, "x", "", 0, "", 0, "", 0, 1],
    ],
    ids=repr,
)
def test_what_is_no_line_is_refused(data):
    with pytest.raises(ValueError, match="not a"):
        Unreached.from_data(data)
    with pytest.raises(ValueError, match="not a"):
        Observation.from_data({"values": {}, "stopped": None, "unreached": [data]})


def test_long_lines_are_cut():
    one = Unreached.from_data([1, "x" * 10_000, "never", 2, "y" * 10_000, 3, "z" * 10_000, True, False])
    assert max(map(len, (one.source, one.by_source, one.from_source))) < 1000
    assert Unreached.from_data(one.to_data()) == one
