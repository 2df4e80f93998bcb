"""BatchNorm as beginners write it: what one slip costs, and what is said of code that is not finished.

The slips were written by somebody who knew the contract alone, in two ways of writing that real students have: step by
step, and in one line. The bank holds other ways of being wrong, which the audit judges.
"""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import BATCH_NORM_START

from autograder.checks.results import Outcome
from autograder.exercises import assignments, guide
from autograder.layers import Layer
from autograder.locale import _, speaking
from autograder.report.text import exercise_text
from autograder.report.words import Story
from autograder.student.hints import hints_for
from tests.judging import edited, judged

EXERCISES = [exercise for exercise in assignments()["gradient-pathology"] if exercise.solution == "batch_norm"]

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("english")]


def grade(code):
    """Exercise -> result, of the code of a cell, with the causes that a student would read."""
    names = {"np": np, "Layer": Layer}
    exec(code, names)
    return {exercise.id.removeprefix("batch_norm_"): judged(exercise, names) for exercise in EXERCISES}


def first_failure(result):
    return next((item for item in result.items if item.points < item.max), None)


STAGED = """
    def forward(self, x):
        if self.training:
            mu = x.mean(axis=0)
            var = x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mu
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
            std = np.sqrt(var + self.eps)
            x_hat = (x - mu) / std
        else:
            mu = self.running_mean
            var = self.running_var
            std = np.sqrt(self.running_var + self.eps)
            x_hat = (x - self.running_mean) / std
        self.x, self.mu, self.var, self.std, self.x_hat = x, mu, var, std, x_hat
        return self.params["gamma"] * x_hat + self.params["beta"]

    def backward(self, dout):
        N = dout.shape[0]
        self.grads["beta"] = dout.sum(axis=0)
        self.grads["gamma"] = (dout * self.x_hat).sum(axis=0)
        dxhat = dout * self.params["gamma"]
        if not self.training:
            return dxhat / self.std
        xmu = self.x - self.mu
        dvar = np.sum(dxhat * xmu * -0.5 * (self.var + self.eps) ** -1.5, axis=0)
        dmu = np.sum(-dxhat / self.std, axis=0) + dvar * np.mean(-2 * xmu, axis=0)
        dx = dxhat / self.std + dvar * 2 * xmu / N + dmu / N
        return dx
"""


COMPACT = """
    def forward(self, x):
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean *= self.momentum
            self.running_mean += (1 - self.momentum) * mean
            self.running_var *= self.momentum
            self.running_var += (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        inv_std = 1 / np.sqrt(var + self.eps)
        x_hat = (x - mean) * inv_std
        self.cache = {"x_hat": x_hat, "inv_std": inv_std}
        return self.params["gamma"] * x_hat + self.params["beta"]

    def backward(self, dout):
        x_hat, inv_std = self.cache["x_hat"], self.cache["inv_std"]
        N, D = dout.shape
        self.grads["gamma"] = np.sum(dout * x_hat, axis=0)
        self.grads["beta"] = np.sum(dout, axis=0)
        dxhat = dout * self.params["gamma"]
        if not self.training:
            return dxhat * inv_std
        return inv_std / N * (N * dxhat - dxhat.sum(axis=0) - x_hat * (dxhat * x_hat).sum(axis=0))
"""

STYLES = {"staged": STAGED, "compact": COMPACT}


@pytest.mark.parametrize("style", STYLES)
def test_each_style_has_full_marks(style):
    assert all(result.full for result in grade(BATCH_NORM_START + STYLES[style]).values())


@dataclass(frozen=True)
class Slip:
    """One slip: `edits` of a style, and what the first failing check of `exercise` says first.

    Attributes:
        core: the exercises whose core it touches.
    """

    edits: dict
    exercise: str
    says: str
    core: tuple = ()


NO_PATHS = (
    "backward(dout) is dout times one number in each column: nothing of it comes through mean and variance, "
    "or it comes out as 0."
)
NO_WAY = "Nothing of backward(dout) comes through {way}: it is not there yet, or comes out as 0."


# What many slips have in common.
MEAN, VAR = "mu = x.mean(axis=0)", "var = x.var(axis=0)"
MOVE_MEAN = "self.momentum * self.running_mean + (1 - self.momentum) * mu"
MOVE_VAR = "self.momentum * self.running_var + (1 - self.momentum) * var"
Y = 'self.params["gamma"] * x_hat + self.params["beta"]'
DX = "inv_std / N * (N * dxhat - dxhat.sum(axis=0) - x_hat * (dxhat * x_hat).sum(axis=0))"
PREDICTED_MEAN = "            mu = self.running_mean\n"
PREDICT = "            x_hat = (x - self.running_mean) / std\n"
PREDICT_STD = "np.sqrt(self.running_var + self.eps)"

STAGED_SLIPS = {
    "mean without axis": Slip(
        {MEAN: "mu = x.mean()"}, "forward", "forward(x) is the same as (x - x.mean()) / sqrt(x.var(axis=0) + eps)."
    ),
    "statistics of shape (1, D)": Slip(
        {"x.mean(axis=0)": "x.mean(axis=0, keepdims=True)", "x.var(axis=0)": "x.var(axis=0, keepdims=True)"},
        "inference",
        "After training batch 1, running_mean should have shape (3,), but it has shape (1, 3).",
    ),
    "ddof = 1": Slip(
        {VAR: "var = x.var(axis=0, ddof=1)"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(x.var(axis=0, ddof=1) + eps).",
    ),
    "ddof = 1 in running_var": Slip(
        {"(1 - self.momentum) * var": "(1 - self.momentum) * x.var(axis=0, ddof=1)"},
        "inference",
        "running_var moves as 0.9 * running_var + 0.1 * x.var(axis=0, ddof=1), and momentum is 0.9.",
    ),
    "eps outside in training": Slip(
        {"np.sqrt(var + self.eps)": "(np.sqrt(var) + self.eps)"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / (sqrt(x.var(axis=0)) + eps) + beta.",
    ),
    "eps missing in training": Slip(
        {"np.sqrt(var + self.eps)": "np.sqrt(var)"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(x.var(axis=0)) + beta.",
    ),
    "eps missing in prediction": Slip(
        {PREDICT_STD: "np.sqrt(self.running_var)"},
        "inference",
        "With training = False, forward(x) is the same as gamma * (x - running_mean) / sqrt(running_var) + beta.",
    ),
    "running statistics in training": Slip(
        {"x_hat = (x - mu) / std": "x_hat = (x - self.running_mean) / np.sqrt(self.running_var + self.eps)"},
        "forward",
        "",
        core=("forward",),
    ),
    "flag wrong way round": Slip(
        {"        if self.training:": "        if not self.training:"},
        "forward",
        "With training = True, forward(x) does not use the statistics of x, but with training = False it does.",
        core=("inference",),
    ),
    "running_var starts at 0": Slip(
        {"self.running_var = np.ones": "self.running_var = np.zeros"},
        "inference",
        "running_var starts at 0; __init__ is given with 1.",
    ),
    "momentum exchanged": Slip(
        {
            MOVE_MEAN: "(1 - self.momentum) * self.running_mean + self.momentum * mu",
            MOVE_VAR: "(1 - self.momentum) * self.running_var + self.momentum * var",
        },
        "inference",
        "running_mean moves as 0.1 * running_mean + 0.9 * mean, and momentum is 0.9.",
    ),
    "bracket too late": Slip(
        {
            "(1 - self.momentum) * mu": "(1 - self.momentum * mu)",
            "(1 - self.momentum) * var": "(1 - self.momentum * var)",
        },
        "inference",
        "After training batch 1, running_mean[",
    ),
    "running_var from running_mean": Slip(
        {"self.momentum * self.running_var +": "self.momentum * self.running_mean +"},
        "inference",
        "After training batch 1, running_var[",
    ),
    "running_var learns std": Slip(
        {"(1 - self.momentum) * var": "(1 - self.momentum) * np.sqrt(var)"},
        "inference",
        "running_var moves as 0.9 * running_var + 0.1 * x.std(axis=0), and momentum is 0.9.",
    ),
    "replaced": Slip(
        {MOVE_MEAN: "mu", MOVE_VAR: "var"},
        "inference",
        "running_mean moves as 0 * running_mean + 1 * mean, and momentum is 0.9.",
    ),
    "moved in prediction too": Slip(
        {PREDICTED_MEAN: f"            mu = 0\n            self.running_mean = {MOVE_MEAN}\n{PREDICTED_MEAN}"},
        "inference",
        "running_mean should stay as it was, but it was changed.",
    ),
    "batch variance in prediction": Slip(
        {"var = self.running_var\n": "var = x.var(axis=0)\n", PREDICT_STD: "np.sqrt(var + self.eps)"},
        "inference",
        "With training = False, forward(x) is the same as "
        "gamma * (x - running_mean) / sqrt(x.var(axis=0) + eps) + beta.",
        core=("inference",),
    ),
    "prediction keeps nothing": Slip(
        {PREDICT: PREDICT.replace("x_hat =", "return self.params['gamma'] *")[:-1] + " + self.params['beta']\n"},
        "inference",
        "backward meets an array of 7 rows",
    ),
    "training backward in prediction": Slip(
        {"        if not self.training:\n            return dxhat / self.std\n": ""}, "inference", "backward(dout)["
    ),
    "dvar without axis": Slip(
        {" ** -1.5, axis=0)": " ** -1.5)"},
        "backward",
        "A sum in what comes through the variance runs over all columns at once: is an axis missing?",
    ),
    "dmu without axis": Slip(
        {"np.sum(-dxhat / self.std, axis=0)": "np.sum(-dxhat / self.std)"},
        "backward",
        "A sum in what comes through the mean runs over all columns at once: is an axis missing?",
    ),
    "dgamma without axis": Slip(
        {"self.x_hat).sum(axis=0)": "self.x_hat).sum()"},
        "backward",
        'grads["gamma"] should have shape (3,), but it has shape ().',
    ),
    "dgamma averaged": Slip({"self.x_hat).sum(axis=0)": "self.x_hat).mean(axis=0)"}, "backward", 'grads["gamma"]['),
    "wrong power": Slip(
        {"** -1.5": "** -0.5"},
        "backward",
        "What comes through the variance is (var + eps) times what it should be. Which power of (var + eps) does",
    ),
    "half forgotten": Slip(
        {"* -0.5 *": "* -1 *"}, "backward", "What comes through the variance is 2 times what it should be."
    ),
    "wrong sign": Slip({"* -0.5 *": "* 0.5 *"}, "backward", "What comes through the variance has the wrong sign."),
    "dmu not divided by N": Slip(
        {"dmu / N": "dmu"}, "backward", "What comes through the mean is 6 times what it should be."
    ),
    "x in place": Slip(
        {MEAN: "x -= 1; mu = x.mean(axis=0)"}, "forward", "x should stay as it was, but it was changed."
    ),
    "returned together": Slip(
        {"return dx\n": 'return dx, self.grads["gamma"], self.grads["beta"]\n'},
        "backward",
        "backward(dout) returned 3 values; one array is asked for.",
    ),
    "dout in place": Slip(
        {'dxhat = dout * self.params["gamma"]': 'dout *= self.params["gamma"]; dxhat = dout'},
        "backward",
        "dout should stay as it was, but it was changed.",
    ),
}


COMPACT_SLIPS = {
    "eps a constant": Slip(
        {"var + self.eps": "var + 1e-5"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(x.var(axis=0) + 1e-5) + beta.",
    ),
    "root missing": Slip(
        {"1 / np.sqrt(var + self.eps)": "1 / (var + self.eps)"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / (x.var(axis=0) + eps).",
        core=("forward",),
    ),
    "std under the root": Slip(
        {"x.var(axis=0)": "x.std(axis=0)"},
        "forward",
        "forward(x) is the same as (x - x.mean(axis=0)) / sqrt(sqrt(x.var(axis=0)) + eps).",
        core=("forward",),
    ),
    "gamma unused": Slip({Y: 'x_hat + self.params["beta"]'}, "forward", "forward(x)["),
    "brackets": Slip({"(x - mean) * inv_std": "x - mean * inv_std"}, "forward", "forward(x)[", core=("forward",)),
    "forward with cache": Slip(
        {f"return {Y}": f"return {Y}, self.cache"}, "forward", "forward(x) returned 2 values; one array is asked for."
    ),
    "dx = dout / std": Slip(
        {DX: "dout * inv_std"},
        "backward",
        "backward(dout) multiplies dout by 1 / sqrt(var + eps), which is not the slope of forward.",
        core=("backward",),
    ),
    "dx = 0": Slip({DX: "np.zeros_like(dout)"}, "backward", "backward(dout)[3, 0] is 0, but", core=("backward",)),
    "N forgotten": Slip(
        {"(N * dxhat": "(dxhat"},
        "backward",
        "backward(dout) multiplies dout by gamma / sqrt(var + eps) / N, which is not the slope of forward.",
    ),
    "cache of the class": Slip(
        {"self.cache = {": "BatchNorm.kept = {", "self.cache[": "self.kept["},
        "backward",
        "After a forward with another batch, ",
    ),
    "cache used up": Slip(
        {'self.cache["x_hat"], self.cache["inv_std"]': 'self.cache.pop("x_hat"), self.cache.pop("inv_std")'},
        "backward",
        "Your code raised KeyError: 'x_hat'",
    ),
    "misspelt": Slip(
        {"var = self.running_mean, self.running_var": "var = self.running_mu, self.running_var"},
        "inference",
        "Your code raised AttributeError: 'BatchNorm' object has no attribute 'running_mu'",
        core=("inference",),
    ),
    "one row refused": Slip(
        {"def forward(self, x):\n": "def forward(self, x):\n        if len(x) < 2:\n            raise ValueError\n"},
        "inference",
        "Your code raised ValueError",
    ),
}


SLIPS = {f"staged: {name}": (STAGED, slip) for name, slip in STAGED_SLIPS.items()}
SLIPS |= {f"compact: {name}": (COMPACT, slip) for name, slip in COMPACT_SLIPS.items()}


@pytest.mark.parametrize(("style", "slip"), SLIPS.values(), ids=SLIPS)
def test_one_slip_costs_what_it_breaks_and_is_told_first(style, slip):
    results = grade(edited(BATCH_NORM_START + style, slip.edits))
    for name, result in results.items():
        share = 2 / 3 if name in slip.core else 1 / 3
        assert result.score >= (1 - share) * result.max - 1e-9, name
    failure = first_failure(results[slip.exercise])
    assert failure.told.startswith(slip.says)
    assert not any(word in item.message for item in each_item(results) for word in (" -0,", "but nan", "nan was"))


DVAR = "np.sum(dxhat * xmu * -0.5 * (self.var + self.eps) ** -1.5, axis=0)"
DMU, ON_TO_MEAN = "np.sum(-dxhat / self.std, axis=0)", "dvar * np.mean(-2 * xmu, axis=0)"
DVAR_EACH, DMU_EACH = "(dxhat * xmu * -0.5 * (self.var + self.eps) ** -1.5)", "(-dxhat / self.std)"
DVAR_ROWS, DMU_ROWS = DVAR.replace("axis=0", "axis=1, keepdims=True"), DMU.replace("axis=0", "axis=1, keepdims=True")
COMPACT_DX = "return inv_std / N * (N * dxhat - dxhat.sum(axis=0) - x_hat * (dxhat * x_hat).sum(axis=0))"
THROUGH_MEAN, THROUGH_VARIANCE = "dx_through_mean", "dx_through_variance"
BOTH = {THROUGH_MEAN, THROUGH_VARIANCE}


def compact(mean, variance):
    return COMPACT, {COMPACT_DX: f"return inv_std * (dxhat - {mean} - x_hat * {variance})"}


MEAN, VARIANCE = "dxhat.mean(axis=0)", "(dxhat * x_hat).mean(axis=0)"

SUMMED_WRONG = {  # style, edits, the paths that are wrong, and what is told of them
    "dmu": (STAGED, {DMU: DMU_EACH}, {THROUGH_MEAN}, "not summed"),
    "dvar": (STAGED, {DVAR: DVAR_EACH}, {THROUGH_VARIANCE}, "not summed"),
    "dvar, and on through the mean": (
        STAGED,
        {DVAR: DVAR_EACH, ON_TO_MEAN: "np.mean(dvar * -2 * xmu, axis=0)"},
        {THROUGH_VARIANCE},
        "not summed",
    ),
    "dmu and dvar": (STAGED, {DMU: DMU_EACH, DVAR: DVAR_EACH}, BOTH, "not summed"),
    "a share of the mean": (*compact("dxhat / N", VARIANCE), {THROUGH_MEAN}, "not summed"),
    "no mean of dxhat": (*compact("dxhat", VARIANCE), {THROUGH_MEAN}, "taken off again element by element"),
    "dmu by row": (STAGED, {DMU: DMU_ROWS}, {THROUGH_MEAN}, "within each row"),
    "both by row": (STAGED, {DMU: DMU_ROWS, DVAR: DVAR_ROWS}, BOTH, "within each row"),
    "variance by row": (
        *compact(MEAN, "(dxhat * x_hat).mean(axis=1, keepdims=True)"),
        {THROUGH_VARIANCE},
        "within each row",
    ),
}
IN_JAPANESE = {
    "not summed": "バッチについて合計(して|されて)いません",
    "within each row": "行ごと|行に沿って|行の方向",
    "taken off again element by element": "要素ごとに引いて打ち消し",
}


@pytest.mark.parametrize(("style", "edits", "wrong", "says"), SUMMED_WRONG.values(), ids=SUMMED_WRONG)
def test_a_path_summed_the_wrong_way_costs_itself_and_is_named(style, edits, wrong, says):
    code = edited(BATCH_NORM_START + style, edits)
    result = grade(code)["backward"]
    lost = {item.id: item for item in result.items if item.points < item.max}
    assert lost.keys() == {*wrong, "own_forward"} and result.score >= 2 / 3 * result.max
    names = {THROUGH_MEAN: "mean", THROUGH_VARIANCE: "variance"}
    for way in wrong:
        assert re.search(f"{says}|not averaged" if says == "not summed" else says, lost[way].message), lost[way].message
        assert names[way] in lost[way].message and "not there yet" not in lost[way].message
        assert hints_for(lost[way], guide("batch_norm_backward"))
    with speaking("ja"):
        told = {item.id: item.message for item in grade(code)["backward"].items}
    for way in wrong:
        pattern = IN_JAPANESE[says] + ("|平均していません" if says == "not summed" else "")
        assert re.search(pattern, told[way]), told[way]


def test_a_path_that_is_missing_beside_one_that_is_not_summed_is_told_as_missing():
    """Each path is told as it is: what one gives is not taken for the other's."""
    mean_alone = edited(BATCH_NORM_START + STAGED, {DMU: DMU_EACH, "dvar * 2 * xmu / N + ": ""})
    variance_alone = edited(BATCH_NORM_START + STAGED, {DVAR: DVAR_EACH, " + dmu / N": ""})
    for code, unsummed, missing in ((mean_alone, THROUGH_MEAN, "variance"), (variance_alone, THROUGH_VARIANCE, "mean")):
        result = grade(code)["backward"]
        told = {item.id: item.told for item in result.items if item.points < item.max}
        assert told.keys() == {*BOTH, "own_forward"}
        assert "is not summed over the batch." in told[unsummed]
        assert told[f"dx_through_{missing}"].startswith(NO_WAY.format(way=f"the {missing}"))


@pytest.mark.parametrize(
    "dx", ["dxhat - dxhat", "dxhat * 0.5", "dxhat * x_hat", "dxhat ** 2", "dxhat * (1 + 1 / N) - dxhat.mean(axis=0)"]
)
def test_what_hands_dout_on_by_a_wrong_factor_fails_the_direct_path(dx):
    lost = lost_of(edited(BATCH_NORM_START + COMPACT, {COMPACT_DX: f"return inv_std * ({dx})"}))
    assert "dx_direct" in lost


def lost_of(code):
    return {item.id for item in grade(code)["backward"].items if item.points < item.max}


AXIS = {
    "forward, mean": ({"mu = x.mean(axis=0)": "mu = x.mean(axis=1)"}, "forward"),
    "backward, dvar": ({DVAR: DVAR.replace("axis=0", "axis=1")}, "backward"),
}
BY_ROW = "One of the arrays has one number for each row, but every column needs a number of its own."


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("edits", "exercise"), AXIS.values(), ids=AXIS)
def test_an_array_by_row_is_told_once_with_the_error_and_asks_for_the_axis(edits, exercise, language):
    with speaking(language):
        result = grade(edited(BATCH_NORM_START + STAGED, edits))[exercise]
        story, text = Story.of(result), exercise_text(result)
        cause, question = _(BY_ROW), _("Which axis runs over the rows of the batch?")
    assert story.first.outcome is Outcome.RAISED and story.first.question == question
    assert (story.first.cause, story.first.seen.count("could not be broadcast")) == (cause, 1)
    assert " ".join(text.split()).count(" ".join(cause.split())) == 1 or language == "ja"
    told = [item.cause for item in story.open] + [item.question for item in story.open]
    assert not any(told) and "keepdims" not in text and ", 1)" not in text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_where_only_the_branch_for_inference_is_missing_hints_are_about_that_branch(language):
    code = edited(BATCH_NORM_START + STAGED, {"if self.training:": "if True:", "if not self.training:": "if False:"})
    with speaking(language):
        result = grade(edited(code, {}))["inference"]
        items = {item.id: item for item in result.items}
        hints = {name: hints_for(items[name], guide(result.id)) for name in ("prediction", "single_row")}
    assert items["running_statistics"].outcome is Outcome.PASSED and items["prediction"].unwritten
    for given in hints.values():
        assert "self.training" in given[0].text and not any("running_mean" in note.text for note in given)


NOT_KEPT = {
    "a name of forward": ("self.std", "std", "name 'std' is not defined", "given a value|値を入れている"),
    "an attribute": ("self.std", "self.spread", "no attribute 'spread'", "into this object|オブジェクトや辞書に入れる"),
    "a key": ("self.std", 'self.cache["std"]', "KeyError", "into this object|オブジェクトや辞書に入れる"),
    "None": ("self.std", "None", "NoneType", "is one of them None|None になって"),
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("old", "new", "error", "says"), NOT_KEPT.values(), ids=NOT_KEPT)
def test_hints_fit_the_error(old, new, error, says, language):
    forward, backward = STAGED.split("    def backward")
    code = BATCH_NORM_START + forward + "    def backward" + backward.replace(old, new)
    with speaking(language):
        item = first_failure(grade(code)["backward"])
        hints = hints_for(item, guide("batch_norm_backward"))
    assert error in item.seen and re.search(says, hints[0].text) and len(hints) == 2
    assert "Print its variables" not in hints[0].text and "その行の変数を表示" not in hints[0].text


def each_item(results):
    return [item for result in results.values() for item in result.items]


def test_a_flag_that_is_read_the_wrong_way_round_throughout_is_charged_where_the_mode_is_asked_for():
    code = STAGED.replace("if not self.training", "if NOT").replace("if self.training", "if not self.training")
    results = grade(BATCH_NORM_START + code.replace("if NOT", "if self.training"))
    lost = {item.id for item in each_item(results) if item.points < item.max}
    assert lost == {"standardises", "running_statistics"}
    told = {item.cause for item in each_item(results) if item.cause}
    assert told == {"Likely cause: Training and inference are the wrong way round."}


# --- how a wrong result came about ------------------------------------------------------------------------------------

ROOT, OWN = "np.sqrt(var + self.eps)", "mean, var = x.mean(axis=0), x.var(axis=0)"
PREDICTED, NEW_VAR = "np.sqrt(self.running_var + self.eps)", "(1 - self.momentum) * var"
NEW_MEAN = "(1 - self.momentum) * mean"
DX = "return inv_std / N * (N * dxhat - dxhat.sum(axis=0) - x_hat * (dxhat * x_hat).sum(axis=0))"
X, SQUARES = "x - x.mean(axis=0)", "((x - x.mean(axis=0)) ** 2)"
PREDICTION = "With training = False, forward(x) is the same as gamma * (x - running_mean) / sqrt(running_var"
HANDS_ON = "backward(dout) multiplies dout by "

WORDS = {
    "an own eps outside": (
        COMPACT,
        {ROOT: "(np.sqrt(var) + 5e-3)"},
        f"forward(x) is the same as ({X}) / (sqrt(x.var(axis=0)) + 0.005)",
    ),
    "eps times 4": (
        COMPACT,
        {ROOT: "np.sqrt(var + 4 * self.eps)"},
        f"forward(x) is the same as ({X}) / sqrt(x.var(axis=0) + 4 * eps)",
    ),
    "eps times N": (
        COMPACT,
        {ROOT: "np.sqrt(var + len(x) * self.eps)"},
        f"forward(x) is the same as ({X}) / sqrt(x.var(axis=0) + N * eps)",
    ),
    "eps taken off": (
        COMPACT,
        {ROOT: "np.sqrt(var - self.eps / 20)"},
        f"forward(x) is the same as ({X}) / sqrt(x.var(axis=0) - 0.05 * eps)",
    ),
    "an own eps in prediction": (
        STAGED,
        {PREDICTED: "np.sqrt(self.running_var + 2e-3)"},
        f"{PREDICTION} + 0.002) + beta.",
    ),
    "half of eps in prediction": (
        STAGED,
        {PREDICTED: "np.sqrt(self.running_var + self.eps / 2)"},
        f"{PREDICTION} + 0.5 * eps)",
    ),
    "sum of squares / D": (
        COMPACT,
        {OWN: f"mean = x.mean(axis=0); var = {SQUARES}.sum(axis=0) / x.shape[1]"},
        f"forward(x) is the same as ({X}) / sqrt({SQUARES}.sum(axis=0) / D + eps).",
    ),
    "sum of all squares / (N - 1)": (
        COMPACT,
        {OWN: f"mean = x.mean(axis=0); var = {SQUARES}.sum() / (len(x) - 1)"},
        f"forward(x) is the same as ({X}) / sqrt({SQUARES}.sum() / (N - 1) + eps).",
    ),
    "sum of all x / N": (
        COMPACT,
        {OWN: "mean = x.sum() / len(x); var = ((x - mean) ** 2).mean(axis=0)"},
        "forward(x) is the same as (x - x.sum() / N) / sqrt(((x - x.sum() / N) ** 2).mean(axis=0) + eps).",
    ),
    "sum of squares learnt": (
        COMPACT,
        {NEW_VAR: "(1 - self.momentum) * ((x - mean) ** 2).sum(axis=0)"},
        f"running_var moves as 0.9 * running_var + 0.1 * {SQUARES}.sum(axis=0), and momentum is 0.9.",
    ),
    "mean square of all learnt": (
        COMPACT,
        {NEW_VAR: "(1 - self.momentum) * (x ** 2).sum() / len(x)"},
        "running_var moves as 0.9 * running_var + 0.1 * (x ** 2).sum() / N, and momentum is 0.9.",
    ),
    "mean / D learnt": (
        COMPACT,
        {NEW_MEAN: "(1 - self.momentum) * x.sum(axis=0) / x.shape[1]"},
        "running_mean moves as 0.9 * running_mean + 0.1 * x.sum(axis=0) / D, and momentum is 0.9.",
    ),
    "gamma cubed": (
        COMPACT,
        {DX: DX.replace("inv_std /", 'self.params["gamma"] ** 2 * inv_std /')},
        f"{HANDS_ON}gamma ** 3 / sqrt(",
    ),
    "the sign": (COMPACT, {DX: DX.replace("return", "return -")}, f"{HANDS_ON}-gamma / sqrt(var + eps), which"),
    "another eps in backward": (
        COMPACT,
        {DX: DX.replace("inv_std", "(inv_std ** -2 + 1) ** -0.5", 1)},
        f"{HANDS_ON}gamma / sqrt(x.var(axis=0) + 1)",
    ),
    "gamma missing in the mean": (
        COMPACT,
        {DX: DX.replace("dxhat.sum(axis=0) -", "dout.sum(axis=0) -")},
        "What comes through the mean is 1 / gamma times what it should be. What is the gradient with respect to x_hat, "
        "in terms of dout?",
    ),
}


@pytest.mark.parametrize(("style", "edits", "says"), WORDS.values(), ids=WORDS)
def test_a_wrong_result_is_told_as_the_formula_that_gives_it(style, edits, says):
    results = grade(edited(BATCH_NORM_START + style, edits))
    assert any(item.told.startswith(says) for item in each_item(results)), [item.told for item in each_item(results)]


@pytest.mark.parametrize(
    "edits",
    [
        {DX: DX.replace(old, new)}
        for old, new in (
            ("(dxhat * x_hat).sum(axis=0)", "6 * (dxhat * x_hat).sum(axis=0)"),
            ("dxhat.sum(axis=0) -", "N * dxhat.mean(axis=1, keepdims=True) -"),
            ("(dxhat * x_hat).sum(axis=0)", "(dxhat * x_hat)"),
            ("inv_std / N *", "inv_std *"),
        )
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_wrong_dx_is_never_told_as_a_formula_that_holds_the_right_one(edits, language):
    with speaking(language):
        told = "\n".join(map(str, each_item(grade(edited(BATCH_NORM_START + COMPACT, edits)))))
    assert not re.search(r"mean\(axis=0\)\)? [-*]|x_hat \* \(", told)


def test_a_formula_says_which_parameters_it_cannot_show():
    gone = first_failure(grade(edited(BATCH_NORM_START + COMPACT, {OWN: "mean, var = x.mean(), x.var()"}))["forward"])
    assert "/ sqrt(x.var() + eps). (gamma is 1 here.) (beta is 0 here.) forward(x)[" in gone.seen
    for edit, said in (({ROOT: "np.sqrt(var)"}, ") + beta. (gamma is 1 here.) self.eps"),):
        assert said in first_failure(grade(edited(BATCH_NORM_START + COMPACT, edit))["forward"]).seen


@pytest.mark.parametrize("eps", ["np.maximum(var, self.eps)", "var + np.arange(1, 1 + len(var)) * self.eps"])
def test_no_eps_is_told_where_there_is_none_that_explains_all_columns(eps):
    item = first_failure(grade(edited(BATCH_NORM_START + COMPACT, {ROOT: f"np.sqrt({eps})"}))["forward"])
    assert item.seen.startswith("forward(x)[")


@pytest.mark.parametrize("factor", ["1e-200", "1e160", "1e300"])
def test_no_formula_is_told_of_what_is_out_of_all_proportion(factor):
    wild = {"x_hat = (x - mean) * inv_std": f"x_hat = (x - mean) * inv_std * {factor}", DX: f"{DX} * {factor}"}
    for name, result in grade(edited(BATCH_NORM_START + COMPACT, wild)).items():
        item = first_failure(result)
        assert item is None or not re.search(r" is the same as \(x - |multiplies dout by", item.told), (name, item.seen)


def test_an_own_eps_is_told_beside_that_of_the_layer_in_both_languages():
    code = edited(BATCH_NORM_START + COMPACT, {ROOT: "np.sqrt(var + 3e-4)"})
    assert (
        ") + beta. (gamma is 1 here.) self.eps (here 2.954e-5) does not appear in it."
        in first_failure(grade(code)["forward"]).seen
    )
    with speaking("ja"):
        assert "この式に self.eps（ここでは 2.954e-5）は出てきません。" in first_failure(grade(code)["forward"]).seen


# --- not finished ----------------------------------------------------------------------------------------------------

MEAN = "mean = x.mean(axis=0)\n"
STATISTICS = MEAN + "var = x.var(axis=0)\n"
LEARN = """self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
"""
X_HAT = "std = np.sqrt(var + self.eps)\nx_hat = (x - mean) / std\n"
KEEP = "self.x_hat, self.std = x_hat, std\n"
OUTPUT = 'return self.params["gamma"] * x_hat + self.params["beta"]\n'


def indented(lines):
    return "".join(f"    {line}\n" for line in lines.splitlines())


def forward(training, prediction):
    return f"if self.training:\n{indented(training)}else:\n{indented(prediction)}{X_HAT}{KEEP}{OUTPUT}"


FORWARD = forward(STATISTICS + LEARN, "mean, var = self.running_mean, self.running_var")
GRADS = 'self.grads["beta"] = dout.sum(axis=0)\nself.grads["gamma"] = (dout * self.x_hat).sum(axis=0)\n'
DX_HAT = 'dx_hat = dout * self.params["gamma"]\n'
PATHS = "dx_hat = dx_hat - dx_hat.mean(axis=0) - self.x_hat * (dx_hat * self.x_hat).mean(axis=0)\n"
BACKWARD = f"{GRADS}{DX_HAT}if self.training:\n{indented(PATHS)}return dx_hat / self.std\n"


def written(forward=FORWARD, backward=BACKWARD):
    methods = (("forward(self, x)", forward), ("backward(self, dout)", backward))
    return BATCH_NORM_START + "".join(f"\n    def {name}:\n{indented(indented(body))}" for name, body in methods)


RETURNED = "{name} returned None: is the result worked out, and is there a `return`?"
UNCHANGED = "{name} does not normalize x yet."
UNUSED = (
    'forward(x) is the same whatever params["gamma"] and params["beta"] are: it does not use them, or has kept earlier '
    "ones."
)
UNMOVED = (
    "Nothing moves running_mean and running_var in training yet, or the new values are not put into self.running_mean "
    "and self.running_var."
)
NO_BRANCH = (
    "With training = False, forward(x) is what it is in training: it uses the statistics of x. Is there a branch for "
    "inference yet?"
)
STILL = "{name} never moves."
UNSEEN = "With training = False, forward(x) is the same whatever running_mean and running_var are."
UNSET = "{name} is still None: is it set in backward?"
HANDED_ON = "backward(dout) multiplies dout by {factor}, which is not the slope of forward."
RAISED = "Your code raised {error}"
IS = "{output} is the same as {formula}."
PREDICTED = "With training = False, forward(x)"
NO_FORWARD, NO_PREDICTION = (RETURNED, {"name": "forward(x)"}), (RETURNED, {"name": PREDICTED})
NO_BACKWARD = RETURNED, {"name": "backward(dout)"}

Y_ALONE = STATISTICS + X_HAT + KEEP + OUTPUT

UNFINISHED_FORWARDS = {
    "pass": ("pass", "standardises", *NO_FORWARD),
    "return x": ("return x", "standardises", UNCHANGED, {"name": "forward(x)"}),
    "gamma x + beta": (
        'return self.params["gamma"] * x + self.params["beta"]',
        "small_spread",
        UNCHANGED,
        {"name": "forward(x)"},
    ),
    "mean and variance": (STATISTICS, "gamma_and_beta", *NO_FORWARD),
    "centred": (
        MEAN + "return x - mean",
        "standardises",
        IS,
        {"output": "forward(x)", "formula": "x - x.mean(axis=0)"},
    ),
    "x_hat without return": (STATISTICS + X_HAT, "constant_columns", *NO_FORWARD),
    "x_hat": (STATISTICS + X_HAT + "return x_hat", "gamma_and_beta", UNUSED, {}),
}
UNFINISHED_PREDICTIONS = {
    "pass, prediction": ("pass", "prediction", *NO_PREDICTION),
    "nothing learnt": (Y_ALONE, "running_statistics", UNMOVED, {}),
    "no branch": (Y_ALONE, "prediction", NO_BRANCH, {}),
    "no branch, one row": (Y_ALONE, "single_row", NO_BRANCH, {}),
    "no branch, back": (Y_ALONE, "back_in_training", NO_BRANCH, {}),
    "learnt into locals": (
        STATISTICS + LEARN.replace("self.running_mean =", "r =").replace("self.running_var =", "s =") + X_HAT + OUTPUT,
        "running_statistics",
        UNMOVED,
        {},
    ),
    "running_var not yet": (
        STATISTICS + LEARN.splitlines()[0] + "\n" + X_HAT + OUTPUT,
        "running_statistics",
        STILL,
        {"name": "running_var"},
    ),
    "else: pass": (forward(STATISTICS + LEARN, "pass"), "prediction", RAISED, {"error": "UnboundLocalError"}),
    "else: return x": (forward(STATISTICS + LEARN, "return x"), "prediction", UNCHANGED, {"name": PREDICTED}),
    "no else": (
        "if self.training:\n" + indented(STATISTICS + LEARN + X_HAT + KEEP + OUTPUT),
        "prediction",
        *NO_PREDICTION,
    ),
    "x_hat = x": (
        forward(STATISTICS + LEARN, "return self.params['gamma'] * x + self.params['beta']"),
        "prediction",
        UNSEEN,
        {},
    ),
}
UNFINISHED_BACKWARDS = {
    "pass": ("pass", "dbeta", UNSET, {"name": 'grads["beta"]'}),
    "pass, dx": ("pass", "dx_direct", *NO_BACKWARD),
    "return dout": ("return dout", "dx_direct", HANDED_ON, {"factor": "1"}),
    "only beta": (GRADS.splitlines()[0], "dgamma", UNSET, {"name": 'grads["gamma"]'}),
    "dx_hat": (GRADS + DX_HAT + "return dx_hat", "dx_direct", HANDED_ON, {"factor": "gamma"}),
    "direct": (GRADS + DX_HAT + "return dx_hat / self.std", "dx_through_mean", NO_PATHS, {}),
    "direct, variance": (GRADS + DX_HAT + "return dx_hat / self.std", "dx_through_variance", NO_PATHS, {}),
    "mean alone": (
        GRADS + DX_HAT + "return (dx_hat - dx_hat.mean(axis=0)) / self.std",
        "dx_through_variance",
        NO_WAY,
        {"way": "the variance"},
    ),
    "variance alone": (
        GRADS + DX_HAT + PATHS.replace(" - dx_hat.mean(axis=0)", "") + "return dx_hat / self.std",
        "dx_through_mean",
        NO_WAY,
        {"way": "the mean"},
    ),
    "all without return": (GRADS + DX_HAT + PATHS + "dx = dx_hat / self.std", "dx_through_variance", *NO_BACKWARD),
    "forward not begun": ("pass", "own_forward", *NO_FORWARD),
    "nothing kept": (BACKWARD, "dbeta", RAISED, {"error": "AttributeError"}),
}


def unfinished():
    """(code, exercise, check, message, what is in it) of every unfinished code."""
    for name, (body, *wanted) in UNFINISHED_FORWARDS.items():
        yield pytest.param(written(body, "pass"), "forward", *wanted, id=f"forward: {name}")
    for name, (body, *wanted) in UNFINISHED_PREDICTIONS.items():
        yield pytest.param(written(body, "pass"), "inference", *wanted, id=f"inference: {name}")
    for name, (body, *wanted) in UNFINISHED_BACKWARDS.items():
        before = {"forward not begun": "pass", "nothing kept": FORWARD.replace(KEEP, "")}.get(name, FORWARD)
        yield pytest.param(written(before, body), "backward", *wanted, id=f"backward: {name}")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("code", "exercise", "check", "template", "details"), list(unfinished()))
def test_unfinished_code_is_told_what_is_missing(code, exercise, check, template, details, language):
    with speaking(language):
        details = {name: _(text) for name, text in details.items()}
        wanted = _(template).format(**details) if template != RAISED else details["error"]
        item = next(item for item in grade(code)[exercise].items if item.id == check)
    assert item.told.startswith(wanted) if template != RAISED else wanted in item.seen.splitlines()[0]
    assert item.cause == "" or template in (IS, HANDED_ON, NO_PATHS, NO_WAY, STILL, UNSEEN)


@pytest.mark.parametrize("code", [written("pass", "pass"), written("return x", "return dout")])
def test_code_that_is_not_begun_earns_nothing(code):
    assert all(result.score == 0 for result in grade(code).values())


def test_the_finished_code_has_full_marks():
    assert {item.outcome for item in each_item(grade(written()))} == {Outcome.PASSED}


@pytest.mark.parametrize("name", ["backwards", "_backward"])
def test_a_missing_method_costs_only_what_it_would_do(name):
    """As in a class whose stub of `backward` is deleted, or written with another name."""
    results = grade(written().replace("def backward(", f"def {name}("))
    missing = [item for item in each_item(results) if item.points < item.max]
    assert results["forward"].full and results["backward"].score == 0 and results["inference"].score == 3.5
    assert {item.outcome for item in missing} == {Outcome.NOT_ATTEMPTED}
    assert {item.message.partition(":")[0] for item in missing} == {"`backward` is not defined"}
