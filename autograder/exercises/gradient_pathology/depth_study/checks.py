"""What the checks of `depth_study` demand."""

from __future__ import annotations

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import is_close, kind_of
from autograder.exercises.gradient_pathology.depth_study.probe import Study, depth_study
from autograder.exercises.gradient_pathology.depth_study.run import CURVES, Run, runs_of
from autograder.locale import _


@depth_study.check(points=0.5, on=("training", "depths"))
def test_seed(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth starts anew: `build_network` is given `np.random.default_rng(seed)`, and seed is 0 by default."""
    runs_of(case, seen, expected)
    if seen["starts alike"] is False:
        raise Failed(_("Two calls with the same seed begin with different random numbers."))
    wanted = expected["draws"][0]
    for i, draw in enumerate(seen["draws"], start=1):
        if not is_close("", draw, wanted):
            raise Failed(
                _("The generator of network {i} is not what np.random.default_rng(seed) gives anew.").format(i=i)
            )
    if not seen["states"]:
        raise Failed(_("No data went through a network that build_network has made."))


@depth_study.check(points=0.5, on="training")
def test_record(case: Study, seen: Observation, expected: Observation) -> None:
    """The result is a dict with "loss" (steps,) and "grad_norms" (steps, depth) under each depth."""
    result = seen["result"]
    if type(result) is not dict:
        raise Failed(_("depth_study should return a dict, but it is {kind}.").format(kind=kind_of(result)))
    for run in runs_of(case, seen, expected):
        run.record = result.get(run.depth)
        run.require_record()
        for what in CURVES:
            run.require_form(what)
        run.require_any()


@depth_study.check(points=1.0, on="training")
def test_loss(case: Study, seen: Observation, expected: Observation) -> None:
    """Each loss is the `MSELoss` of all examples, and the gradients are its derivatives."""
    for run in runs_of(case, seen, expected):
        run.require_right("loss")
        if run.trained_right or run.own is None:
            continue
        run.updates()  # the losses of a network that never learns are no study
        if not is_close("", run.own.grads[0], run.own.true_grads[0]):
            raise Failed(_("The first loss is right, but the gradients in the layers are not its derivatives."))


@depth_study.check(points=1.0, on=("training", "depths"))
def test_gradient_norms(case: Study, seen: Observation, expected: Observation) -> None:
    """Each row of gradient norms holds those of the Linear layers' weights, input side first."""
    for run in runs_of(case, seen, expected):
        if len(case.depths) == 1 or run.shift("loss") is not None:  # of what belongs to another depth, another promise
            run.require_right("grad_norms")


@depth_study.check(points=0.5, on="training")
def test_before_update(case: Study, seen: Observation, expected: Observation) -> None:
    """The loss and the gradient norms of a step are taken before its update."""
    for run in runs_of(case, seen, expected):
        for what in CURVES:
            if run.shift(what) == 1:
                name = run.name(what)
                raise Failed(_("{name} begins with what is seen after the first update.").format(name=name))
        run.require_any()


@depth_study.check(points=1.0, on="training")
def test_update(case: Study, seen: Observation, expected: Observation) -> None:
    """Every step moves all weights and biases against the gradients of that step."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right:
            _require_descent(run)


def _require_descent(run: Run) -> None:
    for step, (factor, move, wanted) in enumerate(zip(*run.updates(), strict=True)):
        if not factor > 0:
            raise Failed(_("The update of step {step} does not go against the gradients.").format(step=step))
        if not is_close("", move, wanted):
            worst = int(np.argmax(np.abs(move - wanted)))
            raise Failed(
                _("In step {step}, {name} was moved by {got:.4g}; its gradient asks for {wanted:.4g}.").format(
                    step=step, name=run.parameter_names()[worst], got=-move[worst], wanted=-wanted[worst]
                )
            )


@depth_study.check(points=0.5, on="training")
def test_settings(case: Study, seen: Observation, expected: Observation) -> None:
    """lr and steps count, and where they are left out they are 0.1 and 200."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right:
            _require_learning_rate(run)
    if "default steps" in expected.values and seen["default steps"] != expected["default steps"]:
        raise Failed(
            _("Without `steps`, {got} steps are taken, and not {wanted}.").format(
                got=kind_of(seen["default steps"]), wanted=expected["default steps"]
            )
        )


def _require_learning_rate(run: Run) -> None:
    """Updates that go straight along the gradients, in whichever direction, go by lr."""
    straight = [
        abs(f)
        for f, move, wanted in zip(*run.updates(), strict=True)
        if is_close("", move, np.where(move != 0, wanted, 0))
    ]
    for factor in straight or [np.nan]:
        if not is_close("", factor, run.case.lr):
            raise Failed(
                _("An update moves the parameters by {got:.4g} times their gradients; lr is {wanted}.").format(
                    got=factor, wanted=run.case.lr
                )
            )


@depth_study.check(points=0.5, on="depths")
def test_depths(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth has the record of its own network."""
    for run in runs_of(case, seen, expected):
        run.require_record()
        run.require_any()


@depth_study.check(points=0.25, on="depths")
def test_all_parameters(case: Study, seen: Observation, expected: Observation) -> None:
    """gamma and beta of normalisation layers are updated as weights and biases are."""
    runs = runs_of(case, seen, expected)
    recorded = [run for run in runs if type(run.record) is dict]
    if not recorded:
        runs[0].require_form("loss")
    for run in recorded:
        if not run.trained_right:
            _factors, moves, wanted = run.updates()
            for name, move, should in zip(run.parameter_names(), moves[0], wanted[0], strict=False):
                if ("gamma" in name or "beta" in name) and should and not move:
                    raise Failed(_("{name} was not updated.").format(name=name))


@depth_study.check(points=0.25, on="overflow")
def test_overflow(case: Study, seen: Observation, expected: Observation) -> None:
    """A training that overflows goes on and records what it sees."""
    for run in runs_of(case, seen, expected):
        run.require_record()
        run.require_any()
        for what in CURVES:
            got, wanted = run.curve(what), expected["result"][run.depth][what]
            if got is None:
                run.require_form(what)
            elif np.any(np.isfinite(got[-1]) & np.isnan(wanted[-1])):
                raise Failed(
                    _(
                        'By its last step, the run of depth {depth} has overflowed, but result[{depth}]["{what}"] ends '
                        "with a finite value."
                    ).format(depth=run.depth, what=what)
                )
