"""Hostile notebooks, graded like any others: none gains a point, and none leaves anything outside its worker.

They run only in `tests.outer_sandbox`: read-only machine, no network, an unprivileged user.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

from autograder.exercises import exercise
from tests import outer_sandbox
from tests.class_folder import make_course
from tests.hostile import ATTACKS, CLASSES, trial
from tests.hostile.notebooks import REFUSAL

pytestmark = pytest.mark.bubblewrap


of_root = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="not root")


LUCK = 0.5
"""In one draw of thirty a promise happens to ask for what a recording answers."""


def one_process_each():
    """Each class can run beside the others; all but the one with most kinds of attacks are `slow`."""
    for level, as_root, threats in CLASSES:
        marks = [pytest.mark.slow] if as_root or level != "full" or "patience" in threats else []
        marks += [of_root] if as_root else []
        name = "-".join([level, *(["as-root"] if as_root else []), *threats])
        yield pytest.param(level, as_root, threats, id=name, marks=marks)


@pytest.mark.parametrize(("level", "as_root", "threats"), list(one_process_each()))
def test_no_attack_gains_a_point_or_leaves_a_trace(level, as_root, threats, tmp_path):
    attacks = [attack for threat in threats for attack in ATTACKS[threat]]
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    make_course(tmp_path / "course", ())
    line = [sys.executable, "-c", trial.START, str(tmp_path), level, *(attack.id for attack in attacks)]
    done = outer_sandbox.run(line, tmp_path, seconds=900, as_root=as_root)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    found = json.loads((tmp_path / "trial.json").read_text(encoding="utf-8"))

    came = found["attacks"]
    assert came.keys() == {attack.id for attack in attacks} != set()
    assert {name: attack for name, attack in came.items() if attack["broken"] or attack["level"] != level} == {}
    executed = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("course/autograded/*/*/*.ipynb")]
    outputs = [output for notebook in executed for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert len(executed) == len(attacks)
    assert [o for o in outputs if o.get("evalue") == REFUSAL] == [], "attacks that refuse to run prove nothing"

    fair = {a.id: a.floor + LUCK * bool(a.floor) + sum(exercise(name).points for name in a.may_score) for a in attacks}
    assert {name: attack["score"] for name, attack in came.items() if attack["score"] > fair[name]} == {}
    assert found["traces"] == []
    assert found["pages"] == []
