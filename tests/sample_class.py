"""A class of sample students: what each hands in, and what the course must make of it.

The demo and the tests run the whole course on them. Every notebook is the released one with its solution cells filled
in, as a student would, and then, for some, with what else happens to notebooks. Answers stand here as in the Japanese
edition; in a notebook of the English one, comments, texts and findings are put in English.
"""

from __future__ import annotations

import copy
import json
import re
import textwrap
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from autograder.exercises import assignments
from autograder.grading.reference import CELL
from autograder.notebooks.submission import language_of
from reference.bank import edited, folder_of
from source.build import editions, solution_text
from source.translation import JAPANESE, english_code, read_catalogue

Notebook = dict[str, Any]
Mishap = Callable[[Notebook], Notebook]

ASSIGNMENT = "gradient-pathology"
"""The assignment of these students, in its Japanese edition."""

NOTEBOOK = "gradient_pathology.ipynb"
"""Its file, in both editions."""

POINTS = {
    "clip_gradients": 6.0,
    "gradient_monitor": 4.0,
    "gradient_profile": 4.0,
    "batch_norm_forward": 4.0,
    "batch_norm_backward": 8.0,
    "batch_norm_inference": 4.0,
    "depth_study": 6.0,
}
"""The automatic points, in the order of the notebook."""

BY_HAND = {"depth_study_plot": 2.0, "depth_study_findings": 2.0}
"""The points that an instructor gives."""

BATCH_NORM = frozenset({"batch_norm_forward", "batch_norm_backward", "batch_norm_inference"})


@dataclass(frozen=True)
class Student:
    """One student's notebook, and what must come of it.

    Attributes:
        id: as in the gradebook.
        description: what is special about the notebook, in one line.
        answers: grade_id of a solution cell -> what the student put there.
        loses: the exercises in which points are lost; all others are full.
        score: the automatic score, or None where it is partial credit.
        mishap: what else happened to the notebook; it gives a notebook, or the text of the file.
        unreadable: words of the reason why it cannot be graded; "" if it can.
        mended: grade_ids of the cells that grading puts right.
        runs_in_a_notebook: False if the code would stop or hang the student's own Jupyter.
    """

    id: str
    description: str
    answers: dict[str, str] = field(default_factory=dict)
    loses: frozenset[str] = frozenset()
    score: float | None = None
    mishap: Callable[[Notebook], Notebook | str] = lambda notebook: notebook
    unreadable: str = ""
    mended: tuple[str, ...] = ()
    runs_in_a_notebook: bool = True

    @property
    def by_hand(self) -> set[str]:
        """The cells that wait for an instructor."""
        return set() if self.unreadable else self.answers.keys() & BY_HAND.keys()

    def notebook(self, release: Notebook) -> Notebook | str:
        """What the student hands in: `release` with the answers in it, or the text of what is no notebook."""
        notebook = copy.deepcopy(release)
        for grade_id, answer in self.answers.items():
            cell = cell_of(notebook, grade_id)
            answer = worded(answer, notebook)
            if cell["cell_type"] == "markdown":  # the question stays; its last paragraph is the place for the answer
                answer = "".join(cell["source"]).rpartition("\n\n")[0] + "\n\n" + answer
            cell["source"] = answer.splitlines(keepends=True)
        return self.mishap(notebook)


def write_class(release_notebook: Path, folder: Path, students: tuple[Student, ...] = ()) -> None:
    """Write every student's notebook to `folder`/student/assignment/, as in nbgrader's submitted/."""
    release = json.loads(release_notebook.read_text(encoding="utf-8"))
    for student in students or CLASS:
        target = folder / student.id / release["metadata"]["autograder"]["assignment"] / release_notebook.name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = student.notebook(release)
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1)
        target.write_text(text, encoding="utf-8", newline="\n")


def worded(answer: str, notebook: Notebook) -> str:
    """`answer` in the words of the notebook's edition; names in code stay."""
    if language_of(notebook) != "en" or not JAPANESE.search(answer):
        return answer
    answer = answer.replace(RIGHT["depth_study_findings"], FINDINGS)
    return english_code(answer, _words()) if JAPANESE.search(answer) else answer


@cache
def _words() -> dict[str, str]:
    return read_catalogue(editions()[ASSIGNMENT].text)


def hurried(student: Student) -> Student:
    """The same student, but for the plot, whose networks learn for two steps: a matter of moments, not of seconds."""
    if "depth_study_plot" not in student.answers:
        return student
    plot = student.answers["depth_study_plot"].replace("X, t)", "X, t, steps=2)")
    return replace(student, answers=student.answers | {"depth_study_plot": plot})


def cell_of(notebook: Notebook, grade_id: str) -> dict[str, Any]:
    """The cell that nbgrader calls `grade_id`."""
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


# --- solution cells ---------------------------------------------------------------------------------------------------

_SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION(?:\n|\Z)", re.DOTALL | re.MULTILINE)


def reference(grade_id: str) -> str:
    """The reference's solution cell, as a student would have written it."""
    return _SOLUTION.sub(lambda match: match[2], solution_text(grade_id))


def right_answers(assignment: str) -> dict[str, str]:
    """Solution cell -> the answer in the instructor's notebook of `assignment`, as a student would have written it."""
    path = editions()[assignment].notebook
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    solved = (cell for cell in cells if cell["metadata"].get("nbgrader", {}).get("solution"))
    return {cell["metadata"]["nbgrader"]["grade_id"]: _answer(cell) for cell in solved}


def _answer(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":  # the question stands above
        return _SOLUTION.search(source)[2].strip()
    return _SOLUTION.sub(lambda match: match[2], source)


def slips(assignment: str, number: int) -> dict[str, str]:
    """Solution cell -> the bank's mistake of this number in it (from 0), as a student would have written it."""
    cells = {exercise.solution for exercise in assignments()[assignment]}
    return {cell: list(mistaken(cell).values())[number][0] for cell in cells}


def mistaken(cell: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The bank's mistakes in a solution cell by their ids, as students would have written them; the exercises that
    each fails."""
    folder = folder_of(cell)
    solution = (folder / "solution.py").read_text(encoding="utf-8")
    found = {}
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]
    for id, entry in (pair for table in tables for pair in table.items()):
        if isinstance(entry, dict) and "fails" in entry:
            text = edited(solution, entry.get("edit", {}), entry.get("code", "")).split(CELL)[1]
            fails = frozenset(check.split(".")[0] for check in entry["fails"])
            found[id] = _SOLUTION.sub(lambda match: match[2], text), fails
    return found


def written(grade_id: str, *bodies: str) -> str:
    """The cell with the student's own `bodies` where it asks for code, one after the other."""
    rest = iter(bodies)
    text = _SOLUTION.sub(
        lambda match: textwrap.indent(textwrap.dedent(next(rest)).strip("\n") + "\n", match[1]), solution_text(grade_id)
    )
    if next(rest, None) is not None:
        raise ValueError(f"{grade_id} asks for fewer pieces of code")
    return text


def changed(grade_id: str, *changes: tuple[str, str]) -> str:
    """The reference's cell with each old text replaced by a new one, once."""
    text = reference(grade_id)
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} stands {text.count(old)} times in the reference's {grade_id}")
        text = text.replace(old, new)
    return text


CODE = {
    grade_id: reference(grade_id)
    for grade_id in ("clip_gradients", "gradient_monitor", "gradient_profile", "batch_norm", "depth_study")
}
"""Right answers to all that is graded automatically; most who make a mistake below answered nothing else."""

RIGHT = CODE | {
    "depth_study_plot": reference("depth_study_plot"),
    "depth_study_findings": (
        "BatchNorm がないと、1 層目の |dW| は 5 層で 3.4e-3、10 層で 3.5e-6、20 層で 9.2e-13 と小さくなり、"
        "損失はどれも約 1.0 のままだった。勾配が 1 層ごとに W と σ'（0.25 以下）を掛けられるからだと思う。\n\n"
        "BatchNorm があると 1 層目の |dW| は 1.4～3.7 でほぼ一定で、損失は 0.128、0.027、0.065 まで下がった。"
        "深さの順ではない。"
    ),
}

STAGED = {
    "clip_gradients": written(
        "clip_gradients",
        """
        二乗和 = 0.0
        for 層 in layers:
            for 名前 in 層.grads:
                勾配 = 層.grads[名前]
                if 勾配 is None:
                    continue
                for 値 in 勾配.flatten():
                    if np.isnan(値) or np.isinf(値):
                        raise ValueError(名前, 値)
                    二乗和 = 二乗和 + 値 ** 2
        全体のノルム = 二乗和 ** 0.5

        係数 = 1.0
        if 全体のノルム > max_norm:
            係数 = max_norm / (全体のノルム + 1e-6)
            for 層 in layers:
                for 名前 in 層.grads:
                    if 層.grads[名前] is not None:
                        層.grads[名前] = 層.grads[名前] * 係数
        return 全体のノルム, 係数
    """,
    ),
    "gradient_monitor": written(
        "gradient_monitor",
        """
        問題の一覧 = []
        if len(self.history) > 0:
            エポック, ノルム表 = self.history[-1]
            for 名前 in ノルム表.keys():
                ノルム = ノルム表[名前]
                if np.isnan(ノルム) or np.isinf(ノルム):
                    種類 = "nonfinite"
                elif ノルム < vanish_threshold:
                    種類 = "vanishing"
                elif ノルム > explode_threshold:
                    種類 = "exploding"
                else:
                    continue
                問題の一覧.append(Problem(layer=名前, kind=種類, norm=ノルム, epoch=エポック))
        return 問題の一覧
    """,
    ),
    "gradient_profile": written(
        "gradient_profile",
        """
        xの列 = []
        yの列 = []
        for 番号, ノルム in enumerate(delta_norms):
            if not np.isfinite(ノルム):
                raise ValueError(番号, ノルム)
            xの列.append(番号)
            yの列.append(np.log10(ノルム if ノルム > 0 else np.finfo(float).tiny))
        xの平均 = sum(xの列) / len(xの列)
        yの平均 = sum(yの列) / len(yの列)
        分子 = sum((x - xの平均) * (y - yの平均) for x, y in zip(xの列, yの列))
        分母 = sum((x - xの平均) ** 2 for x in xの列)
        return 分子 / 分母
    """,
    ),
    "batch_norm": written(
        "batch_norm",
        """
        N, D = x.shape
        if not self.training:
            偏差 = x - self.running_mean
            標準偏差 = np.sqrt(self.running_var + self.eps)
            正規化 = 偏差 / 標準偏差
            self.推論 = (正規化, 標準偏差)
            return self.params["gamma"] * 正規化 + self.params["beta"]
        平均 = 1.0 / N * np.sum(x, axis=0)
        偏差 = x - 平均
        分散 = 1.0 / N * np.sum(偏差 ** 2, axis=0)
        標準偏差 = np.sqrt(分散 + self.eps)
        逆数 = 1.0 / 標準偏差
        正規化 = 偏差 * 逆数
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * 平均
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * 分散
        self.推論 = None
        self.訓練 = (正規化, 偏差, 逆数, 標準偏差, 分散)
        return self.params["gamma"] * 正規化 + self.params["beta"]
    """,
        """
        N, D = dout.shape
        gamma = self.params["gamma"]
        self.grads["beta"] = np.sum(dout, axis=0)
        if self.推論 is not None:
            正規化, 標準偏差 = self.推論
            self.grads["gamma"] = np.sum(dout * 正規化, axis=0)
            return dout * gamma / 標準偏差
        正規化, 偏差, 逆数, 標準偏差, 分散 = self.訓練
        self.grads["gamma"] = np.sum(dout * 正規化, axis=0)
        d正規化 = dout * gamma
        d逆数 = np.sum(d正規化 * 偏差, axis=0)
        d偏差1 = d正規化 * 逆数
        d標準偏差 = -1.0 / (標準偏差 ** 2) * d逆数
        d分散 = 0.5 * 1.0 / np.sqrt(分散 + self.eps) * d標準偏差
        d二乗 = 1.0 / N * np.ones((N, D)) * d分散
        d偏差2 = 2 * 偏差 * d二乗
        dx1 = d偏差1 + d偏差2
        d平均 = -1 * np.sum(d偏差1 + d偏差2, axis=0)
        dx2 = 1.0 / N * np.ones((N, D)) * d平均
        return dx1 + dx2
    """,
    ),
    "depth_study": written(
        "depth_study",
        """
        結果 = {}
        for 深さ in depths:
            層の列 = build_network(深さ, np.random.default_rng(seed))
            損失の記録 = np.zeros(steps)
            ノルムの記録 = np.zeros((steps, 深さ))
            for ステップ in range(steps):
                損失関数 = MSELoss()
                h = X
                for 層 in 層の列:
                    h = 層.forward(h)
                損失の記録[ステップ] = 損失関数.forward(h, t)
                dout = 損失関数.backward()
                for 層 in reversed(層の列):
                    dout = 層.backward(dout)
                線形層 = [層 for 層 in 層の列 if isinstance(層, Linear)]
                for 番号, 層 in enumerate(線形層):
                    ノルムの記録[ステップ, 番号] = np.sqrt(np.sum(層.grads["W"] ** 2))
                for 層 in 層の列:
                    for 名前 in 層.params:
                        層.params[名前] -= lr * 層.grads[名前]
            結果[深さ] = {"loss": 損失の記録, "grad_norms": ノルムの記録}
        return 結果
    """,
    ),
    "depth_study_plot": RIGHT["depth_study_plot"],
    "depth_study_findings": RIGHT["depth_study_findings"],
}

TERSE = {
    "clip_gradients": written(
        "clip_gradients",
        """
        flat = [np.ravel(g) for l in layers for g in l.grads.values() if g is not None]
        n = np.linalg.norm(np.concatenate(flat)) if flat else 0.0
        if not np.isfinite(n):
            raise ArithmeticError(f"norm is {n}")
        c = min(1.0, max_norm / n) if n else 1.0
        for l in layers:
            l.grads = {k: g if g is None else g * c for k, g in l.grads.items()}
        return n, c
    """,
    ),
    "gradient_monitor": written(
        "gradient_monitor",
        """
        def kind(v):
            return ("nonfinite" if v != v or v == np.inf else "vanishing" if v < vanish_threshold
                    else "exploding" if v > explode_threshold else None)

        return [Problem(k, kind(v), v, e) for e, r in self.history[-1:] for k, v in r.items() if kind(v)]
    """,
    ),
    "gradient_profile": written(
        "gradient_profile",
        """
        d = np.asarray(delta_norms, float)
        if not np.all(np.isfinite(d)):
            raise ValueError(d)
        A = np.vander(np.arange(d.size), 2)
        return np.linalg.lstsq(A, np.log10(np.maximum(d, np.finfo(float).tiny)), rcond=None)[0][0]
    """,
    ),
    "batch_norm": written(
        "batch_norm",
        """
        x = np.asarray(x, np.float32)
        if self.training:
            m = np.einsum("nd->d", x) / len(x)
            v = np.einsum("nd,nd->d", x - m, x - m) / len(x)
            for s, b in ((self.running_mean, m), (self.running_var, v)):
                s *= self.momentum
                s += (1 - self.momentum) * b
        else:
            m, v = self.running_mean, self.running_var
        self.i = (v + self.eps) ** -0.5
        self.z, self.g, self.t = (x - m) * self.i, self.params["gamma"].copy(), self.training
        return self.z * self.g + self.params["beta"]
    """,
        """
        self.grads.update(gamma=list(np.einsum("nd,nd->d", dout, self.z)), beta=list(np.einsum("nd->d", dout)))
        if not self.t:
            return np.einsum("nd,d,d->nd", dout, self.g, self.i)
        N = len(dout)
        P = (np.eye(N)[..., None] - 1 / N) - np.einsum("nd,md->nmd", self.z, self.z) / N
        return np.einsum("nmd,md,d,d->nd", P, dout, self.g, self.i)
    """,
    ),
    "depth_study": written(
        "depth_study",
        """
        def run(d):
            net = build_network(d, np.random.default_rng(seed))
            for _ in range(steps):
                yield forward_backward(net, X, t)
                for l in net:
                    l.params = {k: p - lr * np.asarray(l.grads[k]) for k, p in l.params.items()}

        return {d: dict(zip(("loss", "grad_norms"), map(list, zip(*run(d))))) for d in depths}
    """,
    ),
    "depth_study_plot": RIGHT["depth_study_plot"],
    "depth_study_findings": RIGHT["depth_study_findings"],
}

NOISY = {
    **RIGHT,
    "clip_gradients": changed(
        "clip_gradients",
        (
            "clip_coef = max_norm / total_norm\n",
            "clip_coef = max_norm / total_norm\n        print('clip!', total_norm)\n",
        ),
    ),
    "gradient_profile": changed(
        "gradient_profile",
        ("norms = np.array(", "import warnings\n    warnings.warn('TODO')\n    norms = np.array("),
    ),
    "batch_norm": changed(
        "batch_norm",
        ("std = np.sqrt", "import sys\n        print('forward', x.shape, file=sys.stderr)\n        std = np.sqrt"),
    ),
}

FINDINGS = (
    "Without BatchNorm, |dW| of layer 1 shrinks from 3.4e-3 (5 layers) to 3.5e-6 (10) and 9.2e-13 (20), and every "
    "loss stays at about 1.0. I think it is because the gradient is multiplied by W and σ' (at most 0.25) at each "
    "layer.\n\n"
    "With BatchNorm, |dW| of layer 1 is nearly constant, 1.4 to 3.7, and the losses fall to 0.128, 0.027 and "
    "0.065, which is not the order of depth."
)
"""What students found, in English."""


# --- what else happens to notebooks -----------------------------------------------------------------------------------


def code(source: str, **fields: Any) -> dict[str, Any]:
    """A code cell of the student's own, without an id."""
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "metadata": {}, "source": lines, "outputs": [], "execution_count": 1} | fields


def also(*sources: str, after: str = "check_clip_gradients", outputs: tuple[Any, ...] = ()) -> Mishap:
    """The student's own cells stand below the cell `after`."""

    def happen(notebook: Notebook) -> Notebook:
        place = notebook["cells"].index(cell_of(notebook, after)) + 1
        cells = [code(source, id=f"own-{i}", outputs=[*outputs]) for i, source in enumerate(sources)]
        notebook["cells"][place:place] = cells
        return notebook

    return happen


SCRIPT = "<script>alert('from wada')</script>"
"""What must not reach anybody's browser; `from wada` finds it."""


def _copied_and_deleted(notebook: Notebook) -> Notebook:
    """The batch_norm cell stands twice, the first with an early attempt; the last test cell is gone."""
    answer = cell_of(notebook, "batch_norm")
    attempt = copy.deepcopy(answer) | {"id": "copy-of-batch-norm"}
    early = worded(written("batch_norm", "return x", "return dout"), notebook)
    attempt["source"] = early.splitlines(keepends=True)
    notebook["cells"].insert(notebook["cells"].index(answer), attempt)
    notebook["cells"].remove(cell_of(notebook, "check_depth_study"))
    return notebook


def cut_off(notebook: Notebook) -> str:
    """The file as an interrupted upload leaves it."""
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    return text[: len(text) // 2]


def of_another_assignment(notebook: Notebook) -> Notebook:
    """Last week's notebook under this week's name."""
    mark = cell_of(notebook, "batch_norm")["metadata"]["nbgrader"] | {"grade_id": "train_xor"}
    cell = code("def train_xor():\n    return 0.0", id="xor", metadata={"nbgrader": mark})
    return notebook | {"cells": [cell], "metadata": {"kernelspec": notebook["metadata"]["kernelspec"]}}


# --- the class --------------------------------------------------------------------------------------------------------

FULL = sum(POINTS.values())


def erring(id: str, description: str, mistakes: dict[str, str], others: dict[str, str] = CODE) -> Student:
    """Solution cell -> the id of the bank's mistake that this student makes in it; `others` are the right answers."""
    found = {cell: mistaken(cell)[name] for cell, name in mistakes.items()}
    loses = frozenset().union(*(fails for _text, fails in found.values()))
    return Student(id, description, others | {cell: text for cell, (text, _fails) in found.items()}, loses)


CLASS = (
    Student("aoki", "right, in a few lines", RIGHT, score=FULL),
    Student("baba", "right, step by step with loops and Japanese names", STAGED, score=FULL),
    Student("chiba", "right: einsum, float32, lists, new dicts, statistics in place", TERSE, score=FULL),
    Student(
        "doi",
        "right, but prints, warns, and leaves a failing cell and `!ls` behind",
        NOISY,
        score=FULL,
        mishap=also("!ls", "print(cliped)", "%timeit -n 1 -r 1 sum(range(10))"),
    ),
    erring("endo", "clips every layer separately", {"clip_gradients": "clip-per-layer"}),
    erring("fujii", "eps is outside the square root", {"batch_norm": "eps-outside-root"}),
    erring("goto", "gradients of gamma and beta swapped", {"batch_norm": "parameter-gradients-exchanged"}),
    erring(
        "hara",
        "treats the batch's mean and variance as constants in backward",
        {"batch_norm": "statistics-as-constants"},
        RIGHT,
    ),
    erring(
        "ito",
        "does not notice NaN",
        {"clip_gradients": "clip-nonfinite-unnoticed", "gradient_monitor": "monitor-nonfinite-unnoticed"},
    ),
    erring(
        "kato",
        "records the loss after the update",
        {"depth_study": "depth-loss-after-update"},
        CODE | {"depth_study_findings": RIGHT["depth_study_findings"]},
    ),
    Student(
        "mori",
        "half finished: only clipping and monitor",
        {name: CODE[name] for name in ("clip_gradients", "gradient_monitor")},
        loses=POINTS.keys() - {"clip_gradients", "gradient_monitor"},
        score=10.0,
    ),
    Student("nagai", "handed in the notebook untouched", loses=frozenset(POINTS), score=0.0),
    Student(
        "ono",
        "a loop in clip_gradients never ends and swallows exceptions",
        CODE
        | {
            "clip_gradients": written(
                "clip_gradients",
                """
            while True:
                try:
                    total_norm = np.sqrt(sum(np.sum(g**2) for layer in layers for g in layer.grads.values()))
                except:
                    pass
        """,
            )
        },
        loses=frozenset({"clip_gradients"}),
        score=30.0,
        runs_in_a_notebook=False,
    ),
    Student(
        "oshima",
        "gradient_slope ends the whole process",
        CODE | {"gradient_profile": written("gradient_profile", "import os\nos._exit(0)")},
        loses=frozenset({"gradient_profile"}),
        score=32.0,
        runs_in_a_notebook=False,
    ),
    Student(
        "saito",
        "right, with the batch_norm cell copied and a test cell deleted",
        RIGHT,
        score=FULL,
        mishap=_copied_and_deleted,
        mended=("batch_norm", "check_depth_study"),
    ),
    Student(
        "sato",
        "a syntax error in BatchNorm",
        RIGHT
        | {
            "batch_norm": changed(
                "batch_norm", ("if self.training:\n            mean,", "if self.training\n            mean,")
            )
        },
        loses=BATCH_NORM,
        score=20.0,
    ),
    Student(
        "tanaka", "the file was cut off while uploading", RIGHT, frozenset(POINTS), 0.0, cut_off, unreadable="JSON"
    ),
    Student(
        "ueda",
        "handed in another assignment's notebook",
        {},
        frozenset(POINTS),
        0.0,
        of_another_assignment,
        unreadable="gradient-pathology",
    ),
    Student(
        "wada",
        "right, and displays HTML with a script",
        RIGHT | {"depth_study_findings": RIGHT["depth_study_findings"] + "\n\n" + SCRIPT},
        score=FULL,
        mishap=also(
            f'from IPython.display import HTML, display\ndisplay(HTML("""{SCRIPT}"""))',
            outputs=({"output_type": "display_data", "metadata": {}, "data": {"text/html": SCRIPT}},),
        ),
    ),
)
