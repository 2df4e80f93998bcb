"""The audit itself: it passes on this course, and it fails when any single check stops checking."""

import contextlib
import dataclasses
import io
import json
import subprocess
import sys
from copy import copy
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import COURSE

from autograder import cli
from autograder.checks import encoding, values
from autograder.checks.exercise import Exercise, Observation
from autograder.checks.judge import judge
from autograder.checks.sketches import PROJECTIONS, departures, noise_between, sketches_of
from autograder.exercises import every_exercise
from autograder.exercises.recorded import RECORDINGS, known_from, known_mistakes, made_of, recorded, trials
from reference import bank
from reference.audit import causes as audit_of_causes
from reference.audit import checks as audit_of_checks
from reference.audit.checks import Audit, Material, audit_checks, audit_seed
from reference.fingerprints import new_books
from reference.mutants.known import observe_bank
from reference.mutants.known import told as told_of
from reference.mutants.words import words_of
from reference.record import digest
from tests.judging import judged
from tests.slips import mutants_in, styles_of

CHECKS = [f"{exercise.id}.{check.id}" for exercise in every_exercise() for check in exercise.checks]


@pytest.fixture(scope="module", autouse=True)
def looked_at_once():
    """What an implementation shows on a case is looked at once; whatever checks there are judge it anew. Slips are
    made once, too."""
    seen, observe = {}, Exercise.observe

    def remembered(exercise, implementation, case):
        key = exercise.id, implementation, encoding.pack(values.to_record(case))
        if key not in seen:
            seen[key] = observe(exercise, implementation, case)
        return seen[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exercise, "observe", remembered)
        patch.setattr(audit_of_causes, "styles", styles_of)
        patch.setattr(audit_of_causes, "mutants", mutants_in)
        yield


@pytest.fixture(scope="module")
def material():
    return Material(COURSE)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """What `autograder audit` prints of this course, and writes; it takes a minute, so it runs once."""
    target = tmp_path_factory.mktemp("audit") / "audit.json"
    options = cli.parser().parse_args(["audit", "--seeds", "1", "--jobs", "1", "--json", str(target)])
    with contextlib.chdir(COURSE), contextlib.redirect_stdout(io.StringIO()) as said:
        code = options.run(options)
    return SimpleNamespace(code=code, said=said.getvalue(), **json.loads(target.read_text(encoding="utf-8")))


def test_the_checks_of_this_course_pass_their_audit(audited):
    assert audited.passed, (audited.survivors, audited.false_rejects, audited.idle_checks)
    assert audited.mistakes == len(bank.mistakes())
    assert audited.right == len(bank.variants()) + len({exercise.solution for exercise in every_exercise()})
    assert audited.smallest_wrong["error"] > 10, "a decade above the tolerance at least"
    assert audited.largest_right["error"] < 0.5
    assert set(audited.only_caught_by) == set(CHECKS)


def test_students_are_told_true_causes(audited, material):
    causes = audited.causes
    n = sum(bool(mistake.cause) for mistake in material.mistakes)
    assert len(causes["right"]) >= 0.95 * n
    assert causes["wrong"] == []
    assert len(causes["left_out_wrong"]) < 0.02 * n


COST_MORE = """
cache-of-first-forward x-hat-clipped mean-subtracted-twice gamma-and-beta-kept-from-the-start
kept-x-hat-changed-afterwards clip-nothing-written depth-returns-after-the-first-step depth-every-second-step
monitor-nan-overwritten monitor-healthy-layer-ends-all monitor-vanishing-layer-ends-all monitor-mean-over-layers
monitor-prints monitor-counts monitor-norm-rounded slope-norms-sorted slope-square-of-the-sum slope-is-a-constant
adam-one-average-for-all sgd-one-velocity-for-all train-epochs-ignored train-batches-of-all train-single-examples
train-drawn-with-replacement train-step-once-per-epoch train-no-step train-no-backward
"""
"""Known mistakes that also lose checks which their entries do not name."""


def test_a_mistake_loses_the_checks_that_it_names_and_no_others(audited, material):
    """What follows from a mistake is not charged again."""
    single = [mistake for mistake in material.mistakes if not mistake.pair]
    more = {mistake.id for mistake in single if audited.catches[mistake.id].keys() != set(mistake.fails)}
    assert more == set(COST_MORE.split())


def test_the_command_prints_a_summary(audited):
    assert audited.code == 0, audited.said[-2000:]
    assert "0 survivors, 0 false" in audited.said and "margins" in audited.said


@cache
def only(exercise_id):
    """What takes part in an audit of one exercise."""
    return Material(COURSE, only=[exercise_id])


@pytest.mark.parametrize("name", CHECKS)
def test_without_its_assertion_a_check_fails_the_audit(name, audited, material, monkeypatch):
    assert not [survivor for survivor in audited.survivors if survivor["check"] == name], "the check does catch them"
    exercise_id, check_id = name.split(".")
    exercise = next(exercise for exercise in every_exercise() if exercise.id == exercise_id)
    idle = [
        dataclasses.replace(check, test=lambda case, seen, expected: seen.read.add("nothing"))
        if check.id == check_id
        else check
        for check in exercise.checks
    ]
    few = copy(only(exercise_id))
    few.reference, few.variants = material.reference, []
    few.mistakes = [mistake for mistake in material.mistakes if name in mistake.fails]
    monkeypatch.setattr(exercise, "checks", idle)
    monkeypatch.setattr(audit_of_checks, "MATRIX_SEEDS", 0)  # so that the exercises which a mistake names judge alone
    survivors = {survivor.mistake for survivor in audit_seed(few, seed=0).survivors if survivor.check == name}
    assert survivors >= {mistake.id for mistake in few.mistakes} != set()


def test_a_check_that_catches_nothing_is_named():
    audit = Audit(checks=["a.one", "a.two"], named={"m": ("a.one",)}, catches={"m": {"a.one": 1}})
    assert audit.idle_checks() == ["a.two"] and not audit.passed
    assert audit.only_caught_by("a.one") == ["m"]


def told(exercise_id, code):
    """The causes that are named for `code`, by check."""
    exercise = next(exercise for exercise in every_exercise() if exercise.id == exercise_id)
    result = judged(exercise, {exercise.defines: code})
    return {item.id: item.causes for item in result.items if item.points < item.max}


def test_a_freedom_that_is_granted_hides_no_mistake_beside_it(monkeypatch, material):
    mistakes = [mistake for mistake in material.mistakes if mistake.solution == "clip_gradients" and not mistake.pair]
    exact = {mistake.id: told("clip_gradients", mistake.implementation.clip_gradients) for mistake in mistakes}
    assert sum(map(bool, exact.values())) == len(mistakes)
    edited, factor = bank.edited, "clip_coef = max_norm / "
    free = factor + "(total_norm + 1e-6 * (total_norm > 0))"  # whoever divides by zero goes on doing so
    monkeypatch.setattr(bank, "edited", lambda *texts: edited(*texts).replace(factor + "total_norm", free))
    again = {m.id: m.implementation.clip_gradients for m in bank.mistakes() if m.id in exact}
    assert {id: told("clip_gradients", clip_gradients) for id, clip_gradients in again.items()} == exact


def test_another_coefficient_beside_wrong_gradients_hides_no_cause():
    right, idle = (bank.slip("clip_gradients", edit).clip_gradients for edit in ({}, {"g *= clip_coef": "pass"}))

    def per_layer(layers, max_norm=1.0):
        total, coefficient = idle(layers, max_norm)
        norms = [right([layer], max_norm)[0] for layer in layers]
        return total, min(coefficient, 1 / max(norms, default=1.0))

    causes = told("clip_gradients", per_layer)
    assert "clip-per-layer-with-global-norm" in causes["scales_all_alike"]


def test_what_is_drawn_without_the_seed_is_told_although_it_never_shows_the_same():
    unseeded = bank.slip("depth_study", {"depth, np.random.default_rng(seed)": "depth, np.random.default_rng()"})
    assert told("depth_study", unseeded.depth_study) == {"seed": ("depth-unseeded",)}


def test_a_mistake_that_starts_alike_and_goes_on_otherwise_is_not_the_cause():
    """A variance that starts at 0 is after one batch what it is if it were blended with the old mean."""

    zero_start = bank.slip("batch_norm", {"self.running_var = np.ones": "self.running_var = np.zeros"})
    causes = told("batch_norm_inference", zero_start.BatchNorm)
    assert "running-variance-from-running-mean" not in causes["running_statistics"]


def test_a_cause_that_fails_a_check_which_passes_is_not_said():
    """Batch statistics in prediction agree with an inverted flag there, but training is right."""

    always = {"if self.training:": "if True:", '"training": self.training': '"training": True'}
    causes = told("batch_norm_inference", bank.slip("batch_norm", always).BatchNorm)
    assert all("training-flag-inverted" not in named for named in causes.values())


def test_code_that_crashes_everywhere_gets_no_cause():
    """Another mistake that crashes everywhere, too, has nothing to do with it."""

    right = bank.slip("depth_study", {})

    def crashing(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
        return right.depth_study(depths, build_network, X.T, t, lr, steps, seed)

    causes = told("depth_study", crashing)
    assert causes and not any(causes.values())


def test_shapes_that_do_not_fit_are_not_taken_for_others():
    """They do not where the first layer is left out, nor where the targets are flattened."""

    def first_layer_left_out(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
        for depth in depths:
            y = X
            for layer in build_network(depth, np.random.default_rng(seed))[1:]:
                y = layer.forward(y)

    causes = set(told("depth_study", first_layer_left_out).values())
    assert causes <= {(), ("the-first-of-the-layers-is-left-out",)}


def test_exceptions_beside_what_is_left_undone_tell_nothing():
    """Nobody knows what else would be wrong: no condition of this code asks for None."""

    def nothing_scaled(layers, max_norm=1.0):
        gradients = [g for layer in layers for g in layer.grads.values()]
        if not all(np.isfinite(g).all() for g in gradients):
            raise ValueError
        total_norm = np.sqrt(sum((g**2).sum() for g in gradients))
        return total_norm, min(1.0, max_norm / total_norm) if total_norm > 0 else 1.0

    causes = told("clip_gradients", nothing_scaled)
    assert {"none_skipped", "factor"} <= causes.keys() and not any(causes.values())


def test_two_mistakes_at_once_get_a_cause_each():
    two = bank.slip("batch_norm", {"dout.sum(axis=0)": "dout.mean(axis=0)", " - dx_hat.mean(axis=0)": ""})
    causes = told("batch_norm_backward", two.BatchNorm)
    assert causes["dbeta"] == ("dbeta-averaged",)
    assert causes["dx_through_mean"] == ("mean-path-missing",)


def test_two_mistakes_in_one_number_are_told_together():
    two = bank.slip("adam", {"np.sqrt(v_hat)": "v_hat", "param -= ": "param += "})
    adam = next(exercise for exercise in every_exercise() if exercise.id == "adam")
    item = next(item for item in judged(adam, {"Adam": two.Adam}).items if item.id == "first_steps")
    assert set(item.causes) == {"adam-root-forgotten", "adam-uphill"} and not item.words
    assert item.message.count(" And: ") == 1 and " Or: " not in item.message


def test_a_check_is_told_the_one_of_two_mistakes_that_it_is_about():
    """eps stands outside the root in forward; dx lacks gamma, and only that has to do with its direct path."""
    edits = {"std = np.sqrt(var + self.eps)": "std = np.sqrt(var) + self.eps", 'dout * self.cache["gamma"]': "dout"}
    two = bank.slip("batch_norm", edits)
    (cause,) = told("batch_norm_backward", two.BatchNorm)["dx_direct"]
    assert "gamma" in cause and "eps" not in cause


def test_two_mistakes_that_leave_nothing_done_are_not_told():
    two = bank.slip("clip_gradients", {"if total_norm > max_norm": "if False", "g**2": "g**2 * 0"})
    assert not any(told("clip_gradients", two.clip_gradients).values())


@pytest.mark.parametrize(
    ("solution", "edits", "check", "cause"),
    [
        (  # gamma and beta take part where the limit is passed, and the limit is another one
            "clip_gradients",
            {
                "if total_norm > max_norm": "if total_norm > 1.0",
                "for g in layer.grads.values() if": 'for n, g in layer.grads.items() if n in "Wb" and',
            },
            "small_stay",
            {"clip-compares-with-one", "clip-compares-the-square"},
        ),
        (  # in other records
            "gradient_monitor",
            {'"nonfinite"': '"exploding"', "self.history[-1]": "self.history[0]"},
            "nonfinite",
            {"monitor-nonfinite-called-exploding"},
        ),
    ],
)
def test_a_mistake_that_another_one_hides_in_part_is_told(solution, edits, check, cause):
    code = bank.slip(solution, edits)
    exercise = next(exercise for exercise in every_exercise() if exercise.solution == solution)
    assert set(told(exercise.id, getattr(code, exercise.defines))[check]) == cause


def test_inputs_that_are_left_as_they_are_tell_a_mistake_whatever_comes_out_elsewhere():
    """The first layer is left out of the scaling, and the others are scaled to length 1."""

    def unit_norm(layers, max_norm=1.0):
        gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
        if not all(np.isfinite(g).all() for g in gradients):
            raise ValueError
        total_norm = np.sqrt(sum((g**2).sum() for g in gradients))
        if total_norm > max_norm:
            for g in (g for layer in layers[1:] for g in layer.grads.values() if g is not None):
                g /= total_norm
        return total_norm, min(1.0, max_norm / total_norm) if total_norm > 0 else 1.0

    causes = told("clip_gradients", unit_norm)
    assert causes["scales_all_alike"] == ("the-first-of-the-layers-is-left-out",) and not causes["factor"]


def test_values_are_compared_part_by_part_and_lists_of_another_length_have_other_parts():
    long, short = (sketches_of([Observation({"n": {"a": "x", "b": ["y", "z"][:n]}})])[0] for n in (2, 1))
    assert sorted(long) == ["n/str a", "n/str b/0 of 2", "n/str b/1 of 2"]
    assert departures([short], [long])[0].keys() == {"n/str b/0 of 1", "n/str b/0 of 2", "n/str b/1 of 2"}


def test_what_rounding_leaves_of_zero_is_no_departure():
    nearly, zero, other = (sketches_of([Observation({"slope": value})]) for value in (4.2e-14, 0.0, 0.1))
    noise = {(0, "slope"): 10 * noise_between(nearly[0]["slope"], zero[0]["slope"])}
    assert departures(zero, nearly) != [{}]
    assert departures(zero, nearly, noise) == [{}]
    assert departures(other, nearly, noise) == [{"slope": other[0]["slope"]}]


def test_a_right_solution_is_told_no_cause():
    for exercise in every_exercise():
        seen = [expectation.expected for expectation in recorded(exercise)]
        result = judge(exercise, trials(recorded(exercise), seen), lambda: pytest.fail("nothing is read of mistakes"))
        assert result.full


@pytest.mark.parametrize("exercise", every_exercise(), ids=lambda exercise: exercise.id)
def test_a_fingerprint_gives_no_solution_away(exercise):
    """It holds names, forms and a few projections: of no array more than a handful of numbers, and no code."""
    known = known_mistakes(exercise)
    assert known.causes and len(known.causes) == len(known.fails) == len(known.shows)
    assert known.shows.max() < max(map(len, known.pools)) and len(known.pools) == len(known.places)
    assert all(is_sketch(sketch) for pool in known.pools for sketch in pool)
    assert {len(pair) for pair in known.at_once.values()} <= {1, 2} and all(map(str.isalnum, known.at_once))


def test_all_fingerprints_are_small():
    assert sum(path.stat().st_size for path in RECORDINGS.glob("*.mistakes.msgpack")) < 2_000_000


def is_sketch(value):
    if value is None:
        return True
    kind, *rest = value
    if kind == "large":
        return not rest
    if kind == "numbers":
        shape, odd, size, projections = rest
        return len(odd) == 3 and type(size) is float and len(projections) == PROJECTIONS and len(shape) <= 3
    texts = all(type(text) is str and "\n" not in text for text in rest)
    return texts and kind in ("raised", "opaque", "word") and len(rest) == 1 + (kind == "raised" and len(rest) == 2)


def exercises_of(solution):
    return [exercise for exercise in every_exercise() if exercise.solution == solution]


SOLUTIONS = sorted({exercise.solution for exercise in every_exercise()})


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_nothing_that_fingerprints_are_made_of_has_changed(solution):
    exercises = exercises_of(solution)
    assert {made_of(exercise) for exercise in exercises} == {digest(exercises)}


@pytest.mark.slow
@pytest.mark.parametrize("solution", SOLUTIONS)
def test_recorded_fingerprints_are_those_of_the_bank(material, solution):
    """Every mistake of the bank is looked at again."""
    exercises = exercises_of(solution)
    books = new_books(solution)
    known = observe_bank([mistake for mistake in material.mistakes if mistake.solution == solution], books)
    words = {m.id for m in material.mistakes} | words_told(solution)
    for exercise in exercises:
        name, recorded = exercise.id, known_mistakes(exercise)
        fresh = known_from(books[name].to_bytes(told_of(name, known, [], {})))
        n = len(fresh.causes)
        assert list(recorded.causes[:n]) == list(fresh.causes) and recorded.fails[:n] == fresh.fails
        assert {cause.id for cause in recorded.causes[n:]} <= words


def words_told(solution):
    """The ids of all that slips can be told as."""
    return {words_of(solution, slip.change).id for style in styles_of(solution) for slip in mutants_in(style)} | {""}


def test_one_exercise_is_audited_with_all_that_look_at_its_cell():
    only = Material(COURSE, only=["batch_norm_forward"])
    (exercises,) = only.by_solution().values()
    assert [exercise.id.removeprefix("batch_norm_") for exercise in exercises] == ["backward", "forward", "inference"]
    assert {mistake.solution for mistake in only.mistakes} == {"batch_norm"} == {v.solution for v in only.variants}
    audit = audit_checks(COURSE, seeds=1, only=["gradient_profile"])
    assert audit.passed and {check.split(".")[0] for check in audit.checks} == {"gradient_profile"}


def test_outside_a_course_folder_the_command_says_what_it_needs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "autograder", "audit", "--seeds", "1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and "reference" in done.stderr and "Traceback" not in done.stderr
