"""The catalogue of hostile notebooks, looked at and never run: complete, well formed, and worth nothing by itself."""

from __future__ import annotations

import json
import re
import warnings
from itertools import chain

import numpy as np
import pytest
from conftest import EXERCISES, SETUP
from IPython.core.inputtransformer2 import TransformerManager

from autograder.checks.exercise import Observation
from autograder.checks.judge import judge
from autograder.exercises.recorded import recorded, trials
from autograder.notebooks.submission import submission_of
from autograder.student.notebook import judge_here
from source.release import COURSE
from tests.hostile import ATTACKS, CLASSES, PLACEHOLDERS, WRONG
from tests.hostile.forging import FORGED
from tests.hostile.notebooks import CHILD, REFUSAL, TRY
from tests.sample_class import NOTEBOOK, POINTS

ALL = tuple(chain(*ATTACKS.values()))
BY_ID = {attack.id: attack for attack in ALL}
RELEASE = json.loads((COURSE / "release" / "gradient-pathology" / NOTEBOOK).read_text(encoding="utf-8"))
PATHS = {name: f"/nowhere/{name}" for name in PLACEHOLDERS} | {"grader_pid": "4194304"}
HARD_TO_PARSE = "source-hard-to-parse"
"""Its cells are there to be no good Python."""

every_attack = pytest.mark.parametrize("attack", ALL, ids=list(BY_ID))


def texts(attack):
    return [*attack.cells, *attack.answers.values()]


def test_there_are_many_attacks_of_every_kind_and_no_two_of_one_name():
    assert len(BY_ID) == len(ALL) >= 80
    assert all(len(attacks) >= 10 for attacks in ATTACKS.values())


def test_every_attack_is_graded_and_those_on_walls_at_both_levels_and_by_root():
    on_walls = ("resource", "escape", "steal")
    for way, expected in ((("full", False), ATTACKS), (("strong", False), on_walls), (("strong", True), on_walls)):
        graded = [threat for *how, threats in CLASSES if tuple(how) == way for threat in threats]
        assert sorted(graded) == sorted(expected)


@every_attack
def test_an_attack_says_what_it_does_and_names_what_exists(attack):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", attack.id)
    assert attack.description.endswith(".") and len(attack.description.split()) >= 8
    assert attack.cells or attack.answers
    assert attack.answers.keys() <= {exercise.solution for exercise in EXERCISES}
    assert attack.may_score <= POINTS.keys() and 0 <= attack.floor < 8.5


@every_attack
def test_an_attack_fits_the_released_notebook_and_is_python_as_jupyter_reads_it(attack):
    aimed = attack.aimed_at(PATHS)
    notebook = aimed.notebook(RELEASE)
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    start = [cell["id"] for cell in notebook["cells"]].index("setup") + 1
    assert tuple(sources[start : start + len(aimed.cells)]) == aimed.cells
    assert set(aimed.answers.values()) <= set(sources)
    assert len(notebook["cells"]) == len(RELEASE["cells"]) + len(attack.cells)
    submission = submission_of(notebook, attack.id)
    assert submission.missing == () and len(submission.exercises) == len(EXERCISES)
    for source in texts(aimed):
        assert not any("{" + name + "}" in source for name in PLACEHOLDERS)
        if attack.id != HARD_TO_PARSE:
            with warnings.catch_warnings(action="ignore"):
                compile(TransformerManager().transform_cell(source), attack.id, "exec", flags=0x2000)  # top-level await


def test_every_path_is_aimed_at():
    for name in PLACEHOLDERS:
        users = [attack.id for attack in ALL if any("{" + name + "}" in source for source in texts(attack))]
        assert len(users) >= 3, f"{name} is hardly used: {users}"


@every_attack
def test_what_could_do_harm_refuses_to_run_as_root_or_by_accident(attack):
    dangerous = re.compile(r"\b(fork|kill|killpg|mount|unshare|syscall|execv|system|unlink|rmtree)\(")
    for source in attack.cells:
        if "child(" in source or dangerous.search(source):
            if source.startswith(("!", "%")) or "os.getpid()" in source:
                continue  # a shell command in a folder that does not exist; what hits the worker alone
            assert REFUSAL in source, source[:300]
    assert attack not in ATTACKS["escape"] or not attack.cells or REFUSAL in attack.cells[0]


def test_the_refusal_comes_before_everything_else():
    statements = [line for line in TRY.strip().splitlines() if not line.startswith(("import", " "))]
    assert statements[0].startswith("if os.geteuid() == 0") and REFUSAL in TRY
    assert "os._exit" in CHILD


def test_the_wrong_answers_that_forgers_start_from_earn_nothing():
    namespace: dict = {}
    exec(SETUP + "\n".join(WRONG.values()), namespace)
    results = {exercise.id: judge_here(exercise, namespace) for exercise in EXERCISES}
    assert {name: result.score for name, result in results.items()} == dict.fromkeys(POINTS, 0.0)


def claimed(alter):
    """What an attacker claims of each case who knows the recordings, and nothing else."""

    def claim(exercise, case):
        for known in recorded(exercise):
            if known.case.title == case.title:
                return alter(known.expected, case)
        return Observation({})

    return claim


def forged():
    tools = {"Observation": Observation}
    exec(FORGED, tools)  # a pure function of data
    return tools["forged"]


@pytest.mark.parametrize(
    ("name", "claim"),
    [("recordings-by-title", claimed(lambda expected, case: expected)), ("recordings-with-inputs", claimed(forged()))],
    ids=["recorded values", "recorded values with the case's inputs"],
)
def test_claims_without_knowledge_earn_the_floor_and_no_more(reference, name, claim):
    total = 0.0
    for exercise in EXERCISES:
        expectations = [*recorded(exercise), *reference.expect(exercise, np.random.default_rng(76))]
        claims = [claim(exercise, expectation.case) for expectation in expectations]
        total += judge(exercise, trials(expectations, claims)).score
    assert 0 < total <= BY_ID[name].floor
