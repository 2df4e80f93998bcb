"""What the checks of `depth_study` demand."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks.exercise import Observation
from autograder.checks.numeric import TOLERANCE
from autograder.exercises.gradient_pathology.depth_study.probe import DEFAULTS, Study, depth_study
from autograder.exercises.gradient_pathology.depth_study.record import CURVES, Run, runs_of, shared
from autograder.locale import _

MOST_LISTED = 4
"""The largest number of parameters that are listed."""


@depth_study.check(points=0.5, on=("training", "depths"))
def test_seed(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth starts anew: `build_network` is given `np.random.default_rng(seed)`, and seed is 0 by default."""
    run, wanted = runs_of(case, seen, expected)[0], (DEFAULTS | case.given)["seed"]
    if not seen["trained"]:
        run.fail(run.unwritten)
    for i, rng in enumerate(seen["generators"], start=1):
        if rng["type"] != "Generator":
            kind = rng["type"]
            if kind == "NoneType":
                run.fail(
                    _("Network {i} was built without an rng: build_network was given the depth alone, or None."), i=i
                )
            run.fail(_("Network {i} got an rng of type {kind}, not `np.random.default_rng(seed)`."), i=i, kind=kind)
        if rng["seed"] is None:
            run.fail(_("The generator of network {i} was not made from the seed."), i=i)
        if rng["seed"] != str(wanted):
            got = rng["seed"]
            run.fail(_("The generator of network {i} has the seed {got}, not {wanted}."), i=i, got=got, wanted=wanted)
        if not rng["new"]:
            run.fail(_("The generator of network {i} was used before; each network needs a new one."), i=i)


@depth_study.check(points=0.5, on=("training", "small"))
def test_record(case: Study, seen: Observation, expected: Observation) -> None:
    """The result is a dict with "loss" (steps,) and "grad_norms" (steps, depth) under each depth."""
    for run in runs_of(case, seen, expected):
        run.require_form()
        run.require_begun()


@depth_study.check(points=1.0, on="training")
def test_loss(case: Study, seen: Observation, expected: Observation) -> None:
    """Each loss is the `MSELoss` of all examples, and the gradients are its derivatives."""
    for run in runs_of(case, seen, expected):
        if run.result is not None:  # without one, the gradients alone tell
            run.require_right("loss")
        if run.trained_right:
            continue
        if run.own is None or np.isnan(run.own["derivative"]).any():
            run.fail(run.unwritten)
        times, rest = run.own["derivative"]
        if rest > TOLERANCE:
            run.fail(_("The gradients in the layers are not the derivatives of MSELoss."))
        if abs(times - 1) > TOLERANCE:
            run.fail(_("The gradients in the layers are {n:.4g} times the derivatives of MSELoss."), n=times)


@depth_study.check(points=0.75, on=("training", "depths"))
def test_gradient_norms(case: Study, seen: Observation, expected: Observation) -> None:
    """Each row of gradient norms holds those of the Linear layers' weights, input side first."""
    runs = runs_of(case, seen, expected)
    for run in runs:
        # What only several depths at once break is charged as "depths".
        if len(runs) == 1 or run.shift("loss") is not None and not shared(run, runs):
            run.require_right("grad_norms")


@depth_study.check(points=0.5, on="training")
def test_before_update(case: Study, seen: Observation, expected: Observation) -> None:
    """The loss and the gradient norms of a step are taken before its update."""
    for run in runs_of(case, seen, expected):
        run.require_begun()
        for what in CURVES:
            shift, curve = run.shift(what), run.curves[what]
            if shift == 1:
                run.fail(_("{name} begins with the values after the first update."), name=run.name(what))
            if shift == -1 and curve is not None and len(curve) == case.steps:  # another length is another promise
                run.fail(_("{name} begins one row late: its second row holds the first values."), name=run.name(what))


@depth_study.check(points=1.0, on="training")
def test_update(case: Study, seen: Observation, expected: Observation) -> None:
    """Every step moves all weights and biases against the gradients of that step."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right:
            _require_descent(run)


def _require_descent(run: Run) -> None:
    own, curve = _training_of(run), run.curves["loss"]
    for step, (factors, astray) in enumerate(zip(own["factors"], own["astray"], strict=True)):
        usual = next((factor for factor in factors if factor > 0), np.nan)
        for name, factor, rest in zip(run.seen["parameters"][run.built], factors, astray, strict=True):
            about = {"step": step, "name": name, "factor": factor, "usual": usual}
            if rest > TOLERANCE and step:
                run.fail(
                    _(
                        "In step 0 every parameter follows its gradient, but in step {step} {name} does not: does "
                        "the update use something of an earlier step, such as its gradients?"
                    ),
                    **about,
                )
            if rest > TOLERANCE:
                run.fail(_("In step {step}, {name} does not move in the direction of its gradient."), **about)
            if factor == 0:
                moved = np.isfinite(factors) & (factors != 0)
                moving = [name for name, one in zip(run.seen["parameters"][run.built], moved, strict=True) if one]
                if 0 < len(moving) <= MOST_LISTED:
                    text = _("In step {step}, only {moving} changed; {name} stayed as it was.")
                    run.fail(text, **about, moving=", ".join(moving))
                run.fail(_("In step {step}, {name} stays as it was."), **about)
            if factor < 0:
                run.fail(_("In step {step}, {name} moves along its gradient, not against it."), **about)
            if abs(factor - usual) > TOLERANCE * usual:
                run.fail(
                    _("In step {step}, {name} moves by {factor:.4g} times its gradient, others by {usual:.4g}."),
                    **about,
                )
    if own["built"] > 1:
        run.fail(
            _("build_network was called {n} times for depth {depth}: is it inside the loop over steps?"), n=own["built"]
        )
    n = len(own["factors"])
    if n < min(run.case.steps, run.case.steps if curve is None else len(curve)) - 1:  # one less is another promise
        run.fail(_("In {steps} steps, the number of updates is {n}: are they inside the loop over steps?"), n=n)


def _training_of(run: Run) -> dict[str, Any]:
    if run.own is None or run.unwritten:
        run.fail(run.unwritten)
    return run.own


@depth_study.check(points=0.5, on="training")
def test_settings(case: Study, seen: Observation, expected: Observation) -> None:
    """lr and steps take effect; if they are left out, they are 0.1 and 200."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right:
            _require_learning_rate(run)
        n = seen["default steps"]
        if n != DEFAULTS["steps"]:
            run.fail(_("Without `steps`, {n} steps are taken, not {wanted}."), n=n, wanted=DEFAULTS["steps"])


def _require_learning_rate(run: Run) -> None:
    own, lr = _training_of(run), (DEFAULTS | run.case.given)["lr"]
    for factors, astray in zip(own["factors"], own["astray"], strict=True):
        rates = np.abs(factors[np.isfinite(factors) & (factors != 0)])
        # Where parameters move elsewhere, or by different factors, another promise fails.
        along = (
            2 * len(rates) >= len(factors) and not np.any(astray > TOLERANCE) and np.ptp(rates) <= TOLERANCE * rates[0]
        )
        if along and abs(rates[0] - lr) > TOLERANCE * lr:
            n = len(run.case.X)
            if abs(rates[0] * n - lr) <= TOLERANCE * lr:
                text = _(
                    "An update moves by {got:.4g} times the gradients; that is lr / {n}, and {n} is the number of "
                    "examples. By what has MSELoss divided already?"
                )
                run.fail(text, got=rates[0], n=n)
            run.fail(_("An update moves by {got:.4g} times the gradients; lr is {lr}."), got=rates[0], lr=lr)


@depth_study.check(points=0.5, on="depths")
def test_depths(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth has the record of its own network."""
    runs, built = runs_of(case, seen, expected), seen["parameters"]
    for run in runs:
        if built and run.depth not in built and len(built) < len(runs):
            depths = ", ".join(map(str, built))
            run.fail(_("build_network was called for depth {depths}, but not for {depth}."), depths=depths)
        if pair := shared(run, runs):
            text = _("{name} and {other} begin with the same numbers: does each depth have a record of its own?")
            run.fail(text, name=pair[0], other=pair[1])
        run.require_begun()


@depth_study.check(points=0.5, on="depths")
def test_all_parameters(case: Study, seen: Observation, expected: Observation) -> None:
    """gamma and beta of normalization layers are updated as weights and biases are."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right and (run.own is not None or not seen["trained"]):
            own = _training_of(run)
            for name, factor in zip(seen["parameters"][run.built], own["factors"][0], strict=True):
                if factor == 0 and name.endswith(('["gamma"]', '["beta"]')):
                    run.fail(_("{name} was not updated."), name=name)


@depth_study.check(points=0.25, on="overflow")
def test_overflow(case: Study, seen: Observation, expected: Observation) -> None:
    """A training that overflows goes on and records what it sees."""
    for run in runs_of(case, seen, expected):
        run.require_begun()
        for what in CURVES:
            got, (*_right, truth), name = run.curves[what], run.truths(what), run.name(what)
            if got is None or got.shape[1] != truth.shape[1] or run.stays_finite(what):
                continue
            if not np.any(got):
                run.require_right(what)
            if len(got) < case.steps - 1:  # one less is another promise
                text = _("{name} ends after {n} of {steps} steps.")
                if not np.isfinite(truth[len(got)]).all():
                    text = _("{name} ends after {n} of {steps} steps, where its values overflow.")
                run.fail(text, name=name, n=len(got))
            if np.isfinite(got).all() and not np.isfinite(truth[-1]).all():
                run.fail(_("The run of depth {depth} overflows, but all of {name} is finite."), name=name)
