"""`check` and `waiting_for`, as a student's notebook calls them."""

import contextlib
import linecache
import sys
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ALL_POINTS, AUTOMATIC, EXERCISES, UNBIASED, namespace_of
from IPython.core.interactiveshell import InteractiveShell

import autograder
from autograder.checks import encoding
from autograder.checks.exercise import Implementation, Observation
from autograder.checks.judge import judge
from autograder.checks.printed import MOST_LINES, MOST_PRINTED
from autograder.checks.results import Outcome
from autograder.exercises import assignments, every_exercise, in_lesson_order
from autograder.exercises.recorded import recorded, trials
from autograder.layers import Layer
from autograder.locale import _, speaking
from autograder.sandbox.limits import Limits, time_limit
from autograder.student.notebook import Report, judge_here, waiting_for
from autograder.student.stops import Stops

pytestmark = pytest.mark.usefixtures("english")

BATCH_NORM = "batch_norm"


def check_in(namespace, name):
    """What `check(name)` gives in a notebook that defines `namespace`."""
    namespace = {**namespace, "check": autograder.check}
    exec(f"result = check({name!r})", namespace)
    return namespace["result"]


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_a_right_solution_is_told_so(exercise, reference):
    report = check_in(namespace_of(exercise.solution, reference=reference), exercise.id)
    assert report.result.full
    assert "everything passed" in repr(report)


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_an_empty_notebook_is_not_attempted(exercise):
    report = check_in({}, exercise.id)
    assert report.result.score == 0
    assert "is not defined: write its cell and run it" in repr(report).splitlines()[0]


def test_a_backward_that_fits_a_wrong_forward_keeps_that_promise():
    names = {"np": np, "Layer": Layer}
    exec(UNBIASED, names)
    report = check_in(names, "batch_norm_backward")
    assert report.result.score == 6.75  # all but the way through the variance, whose formula divides by N
    assert next(item for item in report.result.items if item.id == "own_forward").full


def test_the_report_shows_itself_as_a_card_and_as_text():
    report = check_in({"clip_gradients": lambda layers, max_norm=1.0: (0.0, 1.0)}, "clip_gradients")
    assert isinstance(report, Report)
    assert report._repr_html_().startswith('<div role="group"')
    assert "✗" in repr(report) and "<" not in repr(report).replace("<lambda>", "")


def test_what_a_student_wrote_is_escaped_in_the_table():
    def clip_gradients(layers, max_norm=1.0):
        raise ValueError("<script>alert(1)</script>")

    html = check_in({"clip_gradients": clip_gradients}, "clip_gradients")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_an_error_names_the_students_own_line():
    lines = ["def clip_gradients(layers, max_norm=1.0):\n", "    return layers.nothing\n"]
    linecache.cache["<cell 3>"] = (sum(map(len, lines)), None, lines, "<cell 3>")  # as IPython does for every cell
    namespace = {}
    exec(compile("".join(lines), "<cell 3>", "exec"), namespace)
    text = repr(check_in(namespace, "clip_gradients"))
    assert "AttributeError" in text and "in line 2 of the cell: return layers.nothing" in text


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(ValueError, match='Did you mean "clip_gradients"'):
        check_in({}, "clip_gradient")
    with pytest.raises(ValueError, match='Did you mean "BatchNorm"'):
        check_in({}, "BatchNrom")
    with pytest.raises(ValueError, match="clip_gradients, .*batch_norm_forward"):
        check_in({}, "zzz")
    with pytest.raises(ValueError, match="There is no check"):
        check_in({}, ["clip_gradients"])


def test_where_nbgrader_runs_the_notebook_the_points_come_back_as_a_float(monkeypatch, capsys, reference):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    score = check_in(namespace_of(BATCH_NORM, reference=reference), "batch_norm_forward")
    assert type(score) is float and score == 4.0
    printed = capsys.readouterr()
    assert "batch_norm_forward" in printed.out and printed.err == ""


def test_the_validator_hears_what_is_missing(monkeypatch, capsys):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    assert check_in({}, "clip_gradients") == 0.0
    lines = capsys.readouterr().err.splitlines()
    assert "0 / 6 points" in lines[0] and max(map(len, lines)) <= 83


def from_a_cell(source):
    """What a cell defines; as in IPython, its text is known by a name that is no file's."""
    name = "<a cell>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    namespace = {}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def test_who_interrupts_a_check_sees_their_own_line_and_nothing_of_the_kit():
    source = "def clip_gradients(layers, max_norm=1.0):\n    raise KeyboardInterrupt"
    with pytest.raises(KeyboardInterrupt) as stop:
        check_in(from_a_cell(source), "clip_gradients")
    assert str(stop.value) == "Your code was running.\nin line 2 of the cell: raise KeyboardInterrupt"
    assert stop.value.__suppress_context__


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr("autograder.student.notebook.Limits", lambda: Limits(probe_seconds=0.3))

    source = "def clip_gradients(layers, max_norm=1.0):\n    while True: sum([])"
    report = check_in(from_a_cell(source), "clip_gradients")
    assert "loop that never ends" in repr(report)
    assert "in line 2 of the cell: while True: sum([])" in repr(report)
    assert "</span> stopped" in report._repr_html_() and "raised an error" not in report._repr_html_()


class Waits:
    """The computing time that code was given, in order."""

    def __init__(self, monkeypatch):
        self.given = []
        monkeypatch.setattr("autograder.student.stops.time_limit", self)
        monkeypatch.setattr("autograder.student.notebook.Limits", lambda: Limits(probe_seconds=0.2))
        monkeypatch.setattr(Limits, "after_a_stop", lambda limits: Limits(probe_seconds=0.1))
        monkeypatch.setattr("autograder.student.notebook._stops", Stops())
        monkeypatch.setattr("autograder.sandbox.limits.CLOCK_FACTOR", 100.0)  # however busy the machine is

    def __call__(self, seconds):
        self.given.append(seconds)
        return time_limit(seconds)


@pytest.fixture
def waits(monkeypatch):
    return Waits(monkeypatch)


LOOP = "def clip_gradients(layers, max_norm=1.0):\n    while True: sum([])"


def in_cells(names, *cells):
    """The namespace of an open notebook, after `cells`."""
    return {**names, "get_ipython": None, "In": ["", *cells]}


def test_an_endless_loop_is_waited_for_once_until_another_cell_is_run(waits):
    names, asked = from_a_cell(LOOP), "check('clip_gradients')"
    first = repr(check_in(in_cells(names, LOOP, asked), "clip_gradients"))
    again = repr(check_in(in_cells(names, LOOP, asked, asked), "clip_gradients"))
    shown = in_cells({**names, "hint": autograder.hint}, LOOP, asked, asked, "hint('clip_gradients')")
    exec("result = hint('clip_gradients')", shown)
    assert waits.given == [0.2] and again != first
    for text in (first, again):
        assert "after 0 s of computing" in text and "in line 2 of the cell: while True: sum([])" in text
    assert "It was not run again" in again and "It was not run again" not in first
    assert "Is it a loop?" in repr(shown["result"])
    cells = [LOOP, asked]
    for cell in ("ON.clear()", "%run mine.py", f"{LOOP}\n{asked}"):
        cells.append(cell)
        assert "It was not run again" not in repr(check_in(in_cells(names, *cells), "clip_gradients"))


def test_outside_ipython_nothing_tells_that_code_has_not_changed(waits):
    names = from_a_cell(LOOP)
    for _run in range(2):
        assert "It was not run again" not in repr(check_in(names, "clip_gradients"))
    assert waits.given == [0.2, 0.2]


def test_what_uses_stopped_code_is_given_less(waits):
    names = in_cells({"np": np, "Layer": Layer}, "...", "check()")
    exec(
        UNBIASED.replace("        mean, var = self.running_mean", "        while True: pass\n        mean, var = 0"),
        names,
    )
    for part in ("forward", "backward", "inference", "forward"):
        text = repr(check_in(names, f"batch_norm_{part}"))
    assert waits.given == [0.2, 0.1, 0.1] and "not run again" in text
    exec(LOOP, names)
    text = repr(check_in(names, "clip_gradients"))
    assert waits.given[3:] == [0.2] and "lower than usual" not in text


def test_a_check_leaves_the_notebook_as_it_was(reference, capsys):
    import numpy as np

    np.random.seed(1)
    expected = np.random.random(2).tolist()
    np.random.seed(1)
    first = np.random.random()
    noisy = namespace_of("clip_gradients", reference=reference)
    right = noisy["clip_gradients"]

    def clip_gradients(layers, max_norm=1.0):
        print("noise")
        np.random.random()
        return right(layers, max_norm)

    assert judge_here(
        EXERCISES[[e.id for e in EXERCISES].index("clip_gradients")], {"clip_gradients": clip_gradients}
    ).full
    assert [first, np.random.random()] == expected
    assert capsys.readouterr().out == ""


def test_waiting_for_is_patient_with_stubs_only(capsys):
    with waiting_for("clip_gradients"):
        raise NotImplementedError
    assert "clip_gradients" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError), waiting_for("clip_gradients"):
        raise ZeroDivisionError


def test_a_cell_that_waits_for_several_names_the_one_that_is_not_written(capsys):
    namespace = {"waiting_for": waiting_for}
    stubs = "class SGD:\n    def step(self): raise NotImplementedError\nclass Adam(SGD):\n    def step(self): pass"
    exec(stubs, namespace)
    exec('with waiting_for("sgd"), waiting_for("adam"):\n    SGD().step()', namespace)
    assert capsys.readouterr().out.startswith("Waiting for SGD:")
    exec('with waiting_for("adam"):\n    raise NotImplementedError', namespace)
    assert capsys.readouterr().out.startswith("Waiting for Adam:")
    exec('with waiting_for("depth_study_plot", "sgd"):\n    [SGD().step() for _ in range(2)]', namespace)
    assert capsys.readouterr().out.startswith("Waiting for SGD:")
    del namespace["SGD"]
    exec('with waiting_for("sgd"), waiting_for("adam"):\n    SGD().step()', namespace)
    assert capsys.readouterr().out.startswith("Waiting for SGD:")


def test_a_figure_that_waits_is_not_shown_half_drawn():
    before, _axes = plt.subplots()
    with waiting_for("clip_gradients"):
        plt.figure()
        raise NotImplementedError
    assert plt.get_fignums() == [before.number]
    with waiting_for("clip_gradients"):
        whole = plt.figure()
    assert plt.get_fignums() == [before.number, whole.number]
    with waiting_for("depth_study_plot", "depth_study"):  # graded by hand: half a figure may be worth points
        half = plt.figure()
        raise NotImplementedError
    assert plt.get_fignums() == [before.number, whole.number, half.number]
    plt.close("all")


def test_a_cell_that_uses_what_is_half_right_says_so(reference, monkeypatch, capsys):
    def printed(name, *also):
        with waiting_for(name, *also):
            print("figure")
        return capsys.readouterr().out

    def stub(layer, x):
        raise NotImplementedError

    right, biased = namespace_of("batch_norm", reference=reference), {"np": np, "Layer": Layer}
    exec(UNBIASED, biased)
    assert printed("batch_norm") == "figure\n", "nothing was checked"
    check_in({"BatchNorm": type("BatchNorm", (right["BatchNorm"],), {"forward": stub, "backward": stub})}, "batch_norm")
    assert printed("batch_norm") == "figure\n", "written since, perhaps"
    check_in(biased, "batch_norm")
    for names in (["batch_norm"], ["BatchNorm"], ["depth_study_plot", "depth_study", "batch_norm"]):
        figure, said = printed(*names).splitlines()
        assert figure == "figure" and "batch_norm_backward 6.75 / 8" in said
        assert said.startswith("Last checked: ") and said.endswith("may differ from the text.")
    assert printed("clip_gradients") == "figure\n", "it uses another exercise"
    with waiting_for("batch_norm"):
        raise NotImplementedError
    assert "Last checked" not in capsys.readouterr().out, "there is nothing that differs"
    with monkeypatch.context() as patched:
        patched.setenv("NBGRADER_EXECUTION", "autograde")
        assert printed("batch_norm") == "figure\n"
    check_in(right, "batch_norm")
    assert printed("batch_norm") == "figure\n", "it is mended"


# --- names ------------------------------------------------------------------------------------------------------------


def test_what_is_to_be_written_names_its_exercise(reference):
    namespace = namespace_of("gradient_profile", reference=reference)
    for name in ("gradient_profile", "gradient_slope", namespace["gradient_slope"]):
        exec("result = check(name)", namespace | {"check": autograder.check, "name": name}, found := {})
        assert found["result"].result.id == "gradient_profile" and found["result"].result.full


@pytest.mark.parametrize("name", ["batch_norm", "BatchNorm"])
def test_what_several_exercises_judge_runs_them_all(name, reference):
    report = check_in(namespace_of("batch_norm", reference=reference), name)
    for shown in (repr(report), report._repr_html_()):
        places = [shown.index(f"batch_norm_{part}") for part in ("forward", "backward", "inference")]
        assert places == sorted(places)
    assert repr(report).count("everything passed") == report._repr_html_().count("everything passed") == 3


def test_a_hint_for_several_exercises_is_for_the_first_that_is_not_done(reference):
    names = {"np": np, "Layer": Layer, "hint": autograder.hint}
    exec(UNBIASED, names)
    exec("result = hint('BatchNorm')", names)
    assert names["result"].exercise == "batch_norm_forward"
    right = namespace_of("batch_norm", reference=reference) | {"hint": autograder.hint}
    exec("result = hint('batch_norm')", right)
    assert right["result"].exercise == "batch_norm_inference" and "Everything passed" in repr(right["result"])


def test_what_is_no_exercise_is_said_so():
    with pytest.raises(ValueError, match="There is no check"):
        autograder.check([1])
    with pytest.raises(ValueError, match='no check "check".*Did you mean|no check "check".*Choose one'):
        autograder.check(autograder.check)


def test_a_hint_without_a_name_is_for_the_first_exercise_that_is_not_done(reference):
    namespace = namespace_of("clip_gradients", reference=reference) | {"hint": autograder.hint}
    exec("result = hint()", namespace)
    assert namespace["result"].exercise == "gradient_monitor"


def test_waiting_for_names_what_is_to_be_written(capsys):
    with waiting_for("gradient_profile"):
        raise NotImplementedError
    with waiting_for("gradient_profile"):
        exec("gradient_slope([1, 2])", {})
    assert capsys.readouterr().out.count("Waiting for gradient_slope: write it") == 2
    with pytest.raises(NameError), waiting_for("gradient_profile"):
        exec("gradient_slop([1, 2])", {})


# --- what is said once ------------------------------------------------------------------------------------------------


def test_one_error_is_told_once():
    def clip_gradients(layers, max_norm=1.0):
        return float(sum(g.sum() for layer in layers for g in layer.grads)), 1.0  # these are names

    report = check_in({"clip_gradients": clip_gradients}, "clip_gradients")
    raised = [item.seen for item in report.result.items if item.outcome is Outcome.RAISED]
    assert len(raised) > len(set(raised)), "there is something to repeat"
    for shown in (repr(report), report._repr_html_()):
        assert shown.count("Your code raised AttributeError") == 1


def test_a_promise_about_what_stays_waits_for_clipping_that_does_something():
    report = check_in({"clip_gradients": lambda layers, max_norm=1.0: (0.0, 1.0)}, "clip_gradients")
    items = {item.id: item for item in report.result.items}
    for name in ("small_stay", "nothing_to_clip", "parameters_stay"):
        assert (items[name].outcome, items[name].points) == (Outcome.BLOCKED, 0.0)
        assert items[name].message == f'First: "{items["clips"].sentence}"'
        assert not items[name].causes


def test_a_mistake_of_which_everything_is_seen_explains_better_than_one_that_fits_in_part():
    def clip_gradients(layers, max_norm=1.0):
        gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
        total = float(np.sqrt(sum(np.sum(g * g) for g in gradients)))
        for g in gradients:
            norm = np.linalg.norm(g)
            if norm > max_norm:
                g *= max_norm / norm
        return total, min(1.0, max_norm / total) if total else 1.0

    items = {item.id: item for item in check_in({"clip_gradients": clip_gradients}, "clip_gradients").result.items}
    assert items["scales_all_alike"].causes == ("clip-per-array-with-global-norm",)


# --- see it yourself --------------------------------------------------------------------------------------------------

PRINTS = """
import numpy as np

def clip_gradients(layers, max_norm=1.0):
    for n in range(30):
        print("step", n)
    return 0.0, 1.0
"""


def test_the_first_lines_that_the_code_printed_are_shown_and_no_more():
    report = check_in(from_a_cell(PRINTS), "clip_gradients")
    text = repr(report)
    assert "Your code printed:\n    | step 0\n" in text and "    | step 9\n    | ...\n" in text
    assert "step 10" not in text and text.count("step 0") == 1
    assert "<pre" in report._repr_html_()


def test_what_an_endless_loop_printed_is_shown_as_well(waits):
    source = "def clip_gradients(layers, max_norm=1.0):\n    print('round one')\n    while True: sum([])"
    names = in_cells(from_a_cell(source), source)
    for shown in (repr(check_in(names, "clip_gradients")), repr(check_in(names, "clip_gradients"))):
        assert "Your code printed:\n    | round one\n" in shown and shown.count("round one") == 1
    assert waits.given == [0.2]


def test_a_long_line_is_cut():
    source = "def clip_gradients(layers, max_norm=1.0):\n    print('x' * 10**6)\n    return 0.0, 1.0"
    report = check_in(from_a_cell(source), "clip_gradients")
    assert len(report.result.items[0].printed) == MOST_PRINTED + len("\n...")


def test_what_was_printed_comes_through_the_wire_as_bounded_text():
    data = encoding.unpack(encoding.pack(Observation({"y": 1.0}, printed="a\nb").to_data()))
    assert Observation.from_data(data).printed == "a\nb"
    long = Observation.from_data({"values": {}, "stopped": None, "printed": "line\n" * 10**5}).printed
    assert long == "line\n" * MOST_LINES + "..."
    with pytest.raises(ValueError, match="not an observation"):
        Observation.from_data({"values": {}, "stopped": None, "printed": ["a"]})


def test_prints_of_hidden_cases_are_not_shown(reference):
    wanted = next(exercise for exercise in EXERCISES if exercise.id == "clip_gradients")
    names = from_a_cell("def clip_gradients(layers, max_norm=1.0):\n    print(max_norm)\n    return 0.0, 1.0")
    hidden = [replace(e, public=False) for e in recorded(wanted)]
    seen = [wanted.observe(Implementation(names), e.case) for e in hidden]
    assert all(observation.printed for observation in seen)
    result = judge(wanted, trials(hidden, seen))
    assert not any(item.printed or item.case is not None for item in result.items)


def test_an_example_is_the_input_of_the_check_that_the_card_begins_with(reference):
    namespace = namespace_of("clip_gradients", reference=reference)
    right = namespace["clip_gradients"]

    def clip_gradients(layers, max_norm=1.0):
        return right([layer for layer in layers if not any(g is None for g in layer.grads.values())], max_norm)

    names = {"clip_gradients": clip_gradients, "example": autograder.example, "check": autograder.check}
    exec("report, given = check('clip_gradients'), example('clip_gradients')", names)
    given = names["given"]
    assert "some gradients are None" in repr(names["report"])
    assert any(value is None for layer in given.layers for value in layer.grads.values())
    assert clip_gradients(given.layers, given.max_norm) != right(given.layers, given.max_norm)


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_every_exercise_has_an_example_which_is_a_copy(exercise, reference):
    names = {"example": autograder.example, **namespace_of(exercise.solution, reference=reference)}
    exec(f"one, other = example({exercise.id!r}), example({exercise.defines!r})", names)
    one = vars(names["one"])
    assert one and "title" not in one
    arrays = [value for value in one.values() if isinstance(value, np.ndarray)]
    for value in arrays:
        value[:] = np.nan
    assert not any(np.isnan(value).any() for value in vars(names["other"]).values() if isinstance(value, np.ndarray))


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_an_example_prints_the_lines_that_run_it_and_nothing_in_it_is_for_the_checker_alone(
    exercise, reference, capsys
):
    own = next(known for known in assignments().values() if exercise in known)
    names = {"np": np, "plt": plt, "example": autograder.example}
    names |= namespace_of(*dict.fromkeys(other.solution for other in own), reference=reference)
    exec(f"given = example({exercise.id!r})", names)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "Run your code on it:" and all(line.startswith("    ") for line in lines)
    code = textwrap.dedent("\n".join(lines))
    exec(code, names)
    plt.close("all")
    used = {name for name in vars(names["given"]) if f"given.{name}" in code or "vars(given)" in code}
    assert used == set(vars(names["given"]))


# --- what was judged, and what comes next -----------------------------------------------------------------------------

RIGHT = "def gradient_slope(delta_norms):\n    return 0.0"


def in_ipython(*cells):
    """The names of an IPython session after these cells, whose first has the number 1."""
    names = {"get_ipython": None, "In": [""], "check": autograder.check}
    for number, source in enumerate(cells, start=1):
        names["In"].append(source)
        name = f"<cell {number} {hash(source)}>"
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
        with contextlib.suppress(SyntaxError):
            try:
                exec(compile(source, name, "exec"), names)
            except Exception as error:
                sys.last_value = error
    return names


def notes_of(names, exercise="gradient_profile"):
    """The last lines of the report."""
    exec(f"report = check({exercise!r})", names)
    return repr(names["report"])


@pytest.fixture(autouse=True)
def no_last_error(monkeypatch):
    monkeypatch.setattr("autograder.student.notebook._latest", {})
    vars(sys).pop("last_value", None)
    yield
    vars(sys).pop("last_value", None)


def test_the_cell_that_was_judged_is_named():
    assert "Judged: `gradient_slope` from cell [2]." in notes_of(in_ipython("x = 1", RIGHT))
    assert "Judged: `gradient_slope` from cell [3]." in notes_of(in_ipython(RIGHT, "x = 1", RIGHT))
    assert "Judged" not in notes_of(from_a_cell(RIGHT) | {"check": autograder.check})


@pytest.mark.parametrize("other", ["gradient_slop", "grad_slope"])
def test_a_function_that_was_renamed_is_told_so(other):
    renamed = RIGHT.replace("gradient_slope", other)
    said = f"Cell [2] defines `{other}`; the exercise needs `gradient_slope`."
    assert f"Judged: `gradient_slope` from cell [1]. {said}" in notes_of(in_ipython(RIGHT, renamed))
    assert said in notes_of(in_ipython("x = 1", renamed)) and "Judged" not in notes_of(in_ipython("x = 1", renamed))
    assert said not in notes_of(in_ipython(renamed, renamed, RIGHT))


def test_a_function_of_the_lesson_is_no_renamed_one():
    """Where the answer was not run yet, one that is given has a name like it, and another first line."""
    given = "def gradient_slope_of(layers):\n    return 0.0"
    assert "needs" not in notes_of(in_ipython("x = 1", given))


def test_a_helper_is_no_renamed_function():
    helper = "def gradient_slopes(all_norms):\n    found = []\n    for norms in all_norms:\n        found += [1]\n"
    assert "needs" not in notes_of(in_ipython(RIGHT, helper))


def test_a_cell_that_failed_does_not_count_and_is_told_so():
    failing = f"nothing_of_this_name\n{RIGHT}"
    said = notes_of(in_ipython(RIGHT, failing))
    assert "from cell [1]. Cell [2] ended with an error, so its `gradient_slope` does not count." in said


def test_after_full_points_the_card_says_how_far_in_all_and_what_comes_next(reference):
    names = namespace_of("clip_gradients", "gradient_monitor", reference=reference) | {"check": autograder.check}
    said = notes_of(names, "clip_gradients")
    assert (
        f"So far in this session: 6 / {ALL_POINTS:g} points. Next: `gradient_monitor` (6.1 The GradientMonitor class)"
        in said
    )
    assert 'href="#6.1-The-GradientMonitor-class"' in names["report"]._repr_html_()
    assert f"10 / {ALL_POINTS:g} points. Next: `batch_norm_forward`" in notes_of(names, "gradient_monitor")


def test_optional_mark_comes_last_and_is_marked(reference):
    core = {e.solution for e in EXERCISES} - {"gradient_profile"}
    names = namespace_of(*core, reference=reference) | {"check": autograder.check, "hint": autograder.hint}
    said = [notes_of(names, exercise.id) for exercise in EXERCISES if exercise.id != "gradient_profile"][-1]
    by_hand = "To be graded by a person: depth_study_plot (2), depth_study_findings (2)."
    first = "Write these first, if you have not yet."
    following = "Next: `gradient_profile` (6.3 Measuring the slope) (optional)"
    assert f"32 / {ALL_POINTS:g} points. The checks of the core path pass. {by_hand} {first} {following}" in said
    exec("overview, hinted = check(), hint()", names)
    assert "Measuring the slope (optional): nothing written yet" in repr(names["overview"])
    assert f'{by_hand} {first} Next: `check("gradient_profile")`' in repr(names["overview"])
    assert names["hinted"].exercise == "gradient_profile"
    begun = namespace_of("clip_gradients", "gradient_monitor", reference=reference) | {"hint": autograder.hint}
    exec("hinted = hint()", begun)
    assert begun["hinted"].exercise == "batch_norm_forward"


@pytest.mark.parametrize("call", ["check", "hint"])
def test_what_a_person_grades_is_told_so(call, capsys):
    exec(f"result = {call}('depth_study_plot')", names := {call: getattr(autograder, call)})
    assert names["result"] is None
    assert capsys.readouterr().out == "A person grades depth_study_plot (2 points): there is nothing to check here.\n"
    with pytest.raises(ValueError, match="A person grades depth_study_plot"):
        autograder.example("depth_study_plot")


def test_an_unknown_name_is_answered_with_those_of_this_notebook():
    for call in ("check", "hint", "example"):
        with pytest.raises(ValueError, match="Choose one of these: ") as unknown:
            exec(f"{call}('8.1')", {call: getattr(autograder, call), "clip_gradients": None})
        assert (
            str(unknown.value).partition(": ")[2]
            == ", ".join(e.id for e in in_lesson_order("gradient-pathology")) + "."
        )


def test_when_all_checks_pass_the_hand_graded_cells_are_still_open(reference):
    names = namespace_of(*{e.solution for e in EXERCISES}, reference=reference) | {"check": autograder.check}
    said = [notes_of(names, exercise.id) for exercise in EXERCISES][-1]
    assert (
        f"{AUTOMATIC:g} / {ALL_POINTS:g} points. To be graded by a person: depth_study_plot (2), "
        "depth_study_findings (2)." in said
    )
    assert "Well done" not in said


def test_a_failing_card_names_the_hint_the_example_and_the_section():
    said = notes_of(in_ipython(RIGHT))
    assert '`hint("gradient_profile")` gives a hint, `example("gradient_profile")` the input.' in said
    assert said.endswith("Read again: 6.3 Measuring the slope")


def test_what_a_library_writes_past_python_is_not_shown(capfd):
    """LAPACK complains of every NaN that it meets, on the standard output of the process."""
    source = "import numpy as np\ndef gradient_slope(norms):\n    x = np.arange(len(norms))\n"
    names = from_a_cell(f"{source}    return np.polyfit(np.log10(norms), x, 1)[0]")
    with contextlib.suppress(np.linalg.LinAlgError):
        names["gradient_slope"](np.array([np.nan, 1.0, 2.0]))
    assert "DLASCL" in capfd.readouterr().out or not sys.platform.startswith("linux")
    check_in(names, "gradient_profile")
    assert capfd.readouterr() == ("", "")
    print("as before", flush=True)
    assert capfd.readouterr().out == "as before\n"


# --- no frame of the kit ----------------------------------------------------------------------------------------------


def test_a_misspelt_id_and_an_interrupt_are_shown_without_frames(monkeypatch):
    with pytest.raises(ValueError) as unknown:
        check_in({}, "clip_gradient")
    assert unknown.value._render_traceback_() == [
        'ValueError: There is no check "clip_gradient". Did you mean "clip_gradients"?'
    ]
    source = "def clip_gradients(layers, max_norm=1.0):\n    raise KeyboardInterrupt"
    with pytest.raises(KeyboardInterrupt) as stop:
        check_in(from_a_cell(source), "clip_gradients")
    assert stop.value._render_traceback_() == [f"KeyboardInterrupt: {stop.value}"]

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.student.notebook.judge", interrupted)
    with pytest.raises(KeyboardInterrupt) as stop:
        check_in(from_a_cell(RIGHT), "gradient_profile")
    assert stop.value._render_traceback_() == ["KeyboardInterrupt: The check was interrupted."]


def test_ipython_shows_the_message_alone(capsys):
    shell = InteractiveShell()
    shell.run_cell("from autograder import check\ncheck('clip_gradient')")
    shown = capsys.readouterr().out
    assert "Did you mean" in shown and "autograder" not in shown and "check(" not in shown


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("layers[0].grad", "'Linear' object has no attribute 'grad'. Did you mean: 'grads'?"),
        ("totl", "name 'totl' is not defined. Did you mean: 'total'?"),
        ("np.aray(total)", "module 'numpy' has no attribute 'aray'. Did you mean: 'array'?"),
        ("np.ones(3) + np.ones(4)", "operands could not be broadcast together with shapes (3,) (4,)"),
        ("clip()", "clip() missing 1 required positional argument: 'g'"),
    ],
)
def test_python_speaks_for_itself(line, words):
    source = (
        f"import numpy as np\ndef clip(g): pass\ndef clip_gradients(layers, max_norm=1.0):\n    total = 0\n    {line}"
    )
    text = repr(check_in(from_a_cell(source), "clip_gradients"))
    assert words in text and f"in line 5 of the cell: {line}\n" in text
    assert text.count("Did you mean") <= 1 and "autograder" not in text


OWN_ERRORS = {
    "raise": "if len(layers) > 1:\n        raise ValueError('not finite')",
    "raise in one line": "if layers: raise KeyError(len(layers))",
    "raise of what has a name": "error = ValueError('not finite')\n    raise error",
    "assert": "assert not layers, 'not finite'",
    "": "raise ValueErorr(layers)",  # the name is the error
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("word", "lines"), OWN_ERRORS.items(), ids=OWN_ERRORS)
def test_an_error_of_ones_own_in_an_ordinary_case_is_told_as_that(word, lines, language):
    with speaking(language):
        text = repr(check_in(from_a_cell(f"def clip_gradients(layers, max_norm=1.0):\n    {lines}"), "clip_gradients"))
        start, end = _("Your own `{word}` stops an input that is allowed.").split("{word}")
    told = "".join(text.split())
    assert told.count("".join((start + word.split(" ")[0] + end).split()) if word else "".join(end.split())) == bool(
        word
    )


def test_an_example_with_curves_has_the_expected_ones_which_are_the_references(reference, capsys):
    names = {"example": autograder.example, **namespace_of("depth_study", reference=reference)}
    exec("given = example('depth_study')", names)
    given = names["given"]
    exec("mine = depth_study(given.depths, given.build_network, given.X, given.t, **given.options)", names)
    assert given.expected.keys() == set(given.depths) == names["mine"].keys()
    for depth, curves in given.expected.items():
        for name in ("loss", "grad_norms"):
            np.testing.assert_allclose(names["mine"][depth][name], curves[name], rtol=1e-9)


def test_an_error_in_a_function_of_another_cell_is_told_at_the_line_that_calls_it():
    given = "x = 1\n\ndef half(value):\n    return value / 2"
    answer = "def gradient_slope(delta_norms):\n    start = None\n    return half(start)"
    said = notes_of(in_ipython(given, answer))
    assert "in line 3 of the cell: return half(start)  →  return value / 2" in said
