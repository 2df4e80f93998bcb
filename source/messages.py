"""Make docs/messages.<language>.md: what `check` says to students about ten kinds of code.

    python source/messages.py

The pages show real output of the kit, so a test can tell when they are out of date.
"""

from __future__ import annotations

import linecache
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(COURSE))

from autograder.checks.exercise import Exercise  # noqa: E402
from autograder.exercises import exercise  # noqa: E402
from autograder.grading.reference import Reference  # noqa: E402
from autograder.locale import LANGUAGES, speaking  # noqa: E402
from autograder.report.text import exercise_text  # noqa: E402
from autograder.student.notebook import judge_here  # noqa: E402
from reference.bank import mistakes  # noqa: E402

INTRODUCTION = {
    "en": "# What `check` says\n\nTen kinds of answers, as a student sees them in a console; in Jupyter as cards.",
    "ja": "# `check` の表示例\n\n10 種類の結果を、コンソールに出るとおりに示します。Jupyter ではカードで表示されます。",
}

RAISES = """\
def clip_gradients(layers, max_norm=1.0):
    total = sum(np.sum(g ** 2) for g in layers.grads.values())
    return total, 1.0
"""

EXAMPLES: list[tuple[str, str, dict[str, str]]] = [
    ("batch_norm_forward", "reference", {"en": "Everything is right", "ja": "すべて正しい"}),
    ("clip_gradients", "stub", {"en": "Not written yet", "ja": "まだ書いていない"}),
    ("clip_gradients", "raises", {"en": "The code raises an error", "ja": "コードがエラーを出す"}),
    (
        "batch_norm_forward",
        "eps-outside-root",
        {"en": "A value is off, the cause is known", "ja": "値が違い、原因が分かる"},
    ),
    ("batch_norm_backward", "parameter-gradients-not-summed", {"en": "The shape is wrong", "ja": "形が違う"}),
    (
        "batch_norm_backward",
        "parameter-gradients-exchanged",
        {"en": "Two results are exchanged", "ja": "2 つの結果が入れ替わっている"},
    ),
    (
        "batch_norm_backward",
        "variance-divided-by-n-minus-1-throughout",
        {"en": "The backward is right, the forward is not", "ja": "逆伝播は正しいが、順伝播が違う"},
    ),
    ("clip_gradients", "clip-nan-unnoticed", {"en": "Something goes unnoticed", "ja": "見落としがある"}),
    (
        "batch_norm_forward",
        "x-changed-in-place",
        {"en": "The caller's data is changed", "ja": "呼び出し側のデータが変わる"},
    ),
    ("gradient_monitor", "monitor-kinds-swapped", {"en": "One check waits for another", "ja": "別の確認を待っている"}),
]


def page(language: str) -> str:
    """The page in `language`."""
    bank = {mistake.id: mistake for mistake in mistakes()}
    parts = [INTRODUCTION[language]]
    with speaking(language):
        for number, (exercise_id, example, title) in enumerate(EXAMPLES, start=1):
            wanted = exercise(exercise_id)
            text = exercise_text(judge_here(wanted, _namespace(wanted, example, bank)))
            parts.append(f'## {number}. {title[language]}\n\n```\n>>> check("{exercise_id}")\n{text}\n```')
    return "\n\n".join(parts) + "\n"


def _namespace(wanted: Exercise, example: str, bank: dict) -> dict:
    """The names that a notebook with that example defines."""
    name = wanted.defines
    if example == "reference":
        return {name: getattr(Reference(COURSE).implementation(wanted), name)}
    if example == "stub":
        return {name: _stub}
    if example == "raises":
        linecache.cache["<cell>"] = (len(RAISES), None, RAISES.splitlines(keepends=True), "<cell>")
        namespace: dict = {}
        exec(compile("import numpy as np", "<cell>", "exec"), namespace)
        exec(compile(RAISES, "<cell>", "exec"), namespace)
        return namespace
    return {name: getattr(bank[example].implementation, name)}


def _stub(*_arguments: object, **_options: object) -> None:
    raise NotImplementedError


def main(target: Path = COURSE / "docs") -> None:
    """Write the pages into `target`."""
    for language in LANGUAGES:
        (target / f"messages.{language}.md").write_text(page(language), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
