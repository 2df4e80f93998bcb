"""What the checks of `depth_study` demand."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.numeric import TOLERANCE
from autograder.exercises.gradient_pathology.depth_study.probe import DEFAULT_STEPS, Study, depth_study
from autograder.exercises.gradient_pathology.depth_study.record import CURVES, Run, runs_of
from autograder.locale import _


@depth_study.check(points=0.5, on=("training", "depths"))
def test_seed(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth starts anew: `build_network` is given `np.random.default_rng(seed)`, and seed is 0 by default."""
    if not seen["trained"]:
        first = runs_of(case, seen, expected)[0]
        first.fail(first.unwritten)
    wanted = case.settings.get("seed", 0)
    for i, got in enumerate(seen["generators"], start=1):
        if got["type"] != "Generator":
            raise Failed(
                _("Network {i} was built with an rng of type {kind}; `np.random.default_rng(seed)` is asked for.").format(
                    i=i, kind=got["type"][:60]
                )
            )
        if got["seed"] is None:
            raise Failed(_("The generator of network {i} was not made from the seed.").format(i=i))
        if got["seed"] != wanted:
            raise Failed(
                _("The generator of network {i} was made with the seed {got}, and not {wanted}.").format(
                    i=i, got=got["seed"], wanted=wanted
                )
            )
        if not got["new"]:
            raise Failed(
                _("The generator of network {i} was used before; each network needs a new one.").format(i=i)
            )


@depth_study.check(points=0.5, on="training")
def test_record(case: Study, seen: Observation, expected: Observation) -> None:
    """The result is a dict with "loss" (steps,) and "grad_norms" (steps, depth) under each depth."""
    for run in runs_of(case, seen, expected):
        run.require_form()
        run.require_any()


@depth_study.check(points=1.0, on="training")
def test_loss(case: Study, seen: Observation, expected: Observation) -> None:
    """Each loss is the `MSELoss` of all examples, and the gradients are its derivatives."""
    for run in runs_of(case, seen, expected):
        run.require_right("loss")
        if run.trained_right or run.own is None:
            continue
        times, rest = run.own["derivative"]
        if np.isnan(times):
            run.fail(run.unwritten)
        if rest > TOLERANCE:
            run.fail(_("The losses are right, but the gradients in the layers are not their derivatives."))
        if abs(times - 1) > TOLERANCE:
            run.fail(
                _("The losses are right, but the gradients in the layers are {times:.4g} times their derivatives.").format(
                    times=times
                )
            )


@depth_study.check(points=1.0, on=("training", "depths"))
def test_gradient_norms(case: Study, seen: Observation, expected: Observation) -> None:
    """Each row of gradient norms holds those of the Linear layers' weights, input side first."""
    alone = len(case.depths) == 1
    if not alone and seen.raised("result"):
        return
    for run in runs_of(case, seen, expected):
        # What only several depths at once break is charged once, as "depths".
        if alone or run.shift("loss") is not None and not run.shared():
            run.require_right("grad_norms")


@depth_study.check(points=0.5, on="training")
def test_before_update(case: Study, seen: Observation, expected: Observation) -> None:
    """The loss and the gradient norms of a step are taken before its update."""
    for run in runs_of(case, seen, expected):
        run.require_any()
        for what in CURVES:
            name, shift, curve = run.name(what), run.shift(what), run.curve(what)
            if shift == 1:
                run.fail(_("{name} begins with what is seen after the first update.").format(name=name))
            if shift == -1 and curve is not None and len(curve) == case.steps:  # another length is another promise
                run.fail(_("{name} begins one row late: its second row is what is seen first.").format(name=name))


@depth_study.check(points=1.0, on="training")
def test_update(case: Study, seen: Observation, expected: Observation) -> None:
    """Every step moves all weights and biases against the gradients of that step."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right:
            _require_descent(run)


def _updates_of(run: Run) -> dict[str, Any]:
    """How the own network was trained, if it was."""
    if run.own is None or run.unwritten:
        run.fail(run.unwritten)
    return run.own


def _require_descent(run: Run) -> None:
    own, curve = _updates_of(run), run.curve("loss")
    for step, (factors, astray) in enumerate(zip(own["factors"], own["astray"], strict=True)):
        first = next((factor for factor in factors if factor > 0), np.nan)
        for name, factor, off in zip(run.parameters, factors, astray, strict=True):
            where = {"step": step, "name": name}
            if off > TOLERANCE:
                run.fail(_("In step {step}, {name} is not moved along its gradient.").format(**where))
            if factor == 0:
                run.fail(_("In step {step}, {name} is not moved.").format(**where))
            if factor < 0:
                run.fail(_("In step {step}, {name} is moved up its gradient, and not down.").format(**where))
            if abs(factor - first) > TOLERANCE * first:
                run.fail(
                    _("In step {step}, {name} is moved by {got:.4g} times its gradient, others by {first:.4g}.").format(
                        **where, got=factor, first=first
                    )
                )
    if own["built"] > 1:
        run.fail(
            _(
                "build_network was called {n} times for depth {depth}, so that training began anew each time: call it "
                "before the loop over steps."
            ).format(n=own["built"], depth=run.depth)
        )
    steps = min(run.case.steps, len(curve) if curve is not None else run.case.steps)
    if len(own["factors"]) < steps - 1:  # one less is counted in the record
        run.fail(
            _("In {steps} steps, the network of depth {depth} was updated only {n} times.").format(
                steps=steps, depth=run.depth, n=len(own["factors"])
            )
        )


@depth_study.check(points=0.5, on="training")
def test_settings(case: Study, seen: Observation, expected: Observation) -> None:
    """lr and steps count, and where they are left out they are 0.1 and 200."""
    for run in runs_of(case, seen, expected):
        if run.trained_right:
            continue
        own = _updates_of(run)
        for factors, astray in zip(own["factors"], own["astray"], strict=True):
            rates = np.abs(factors[np.isfinite(factors) & (factors != 0)])
            if np.any(astray > TOLERANCE) or not rates.size:
                continue  # not along the gradients: another promise fails, as it does where the factors differ
            if np.ptp(rates) <= TOLERANCE * rates[0] and abs(rates[0] - case.lr) > TOLERANCE * case.lr:
                run.fail(
                    _("An update moves the parameters by {got:.4g} times their gradients; lr is {wanted}.").format(
                        got=rates[0], wanted=case.lr
                    )
                )
    if "lr" not in case.settings and seen["default steps"] != DEFAULT_STEPS:
        raise Failed(
            _("Without `steps`, {got} steps are taken, and not {wanted}.").format(
                got=seen["default steps"], wanted=DEFAULT_STEPS
            )
        )


@depth_study.check(points=0.5, on="depths")
def test_depths(case: Study, seen: Observation, expected: Observation) -> None:
    """Each depth has the record of its own network."""
    for run in runs_of(case, seen, expected):
        built = seen["parameters"]
        if run.depth not in built and len(built) < len(case.depths):
            run.fail(
                _("build_network was called for depth {built}, but not for depth {depth}.").format(
                    built=", ".join(map(str, built)), depth=run.depth
                )
            )
        what = run.shared()
        if what:
            run.fail(_("{name} begins with the record of another depth.").format(name=run.name(what)))
        run.require_any()


@depth_study.check(points=0.25, on="depths")
def test_all_parameters(case: Study, seen: Observation, expected: Observation) -> None:
    """gamma and beta of normalisation layers are updated as weights and biases are."""
    for run in runs_of(case, seen, expected):
        if not run.trained_right and (run.own is not None or not seen["trained"]):
            own = _updates_of(run)
            for name, factor in zip(run.parameters, own["factors"][0], strict=True):
                if ("gamma" in name or "beta" in name) and factor == 0:
                    run.fail(_("{name} was not updated.").format(name=name))


@depth_study.check(points=0.25, on="overflow")
def test_overflow(case: Study, seen: Observation, expected: Observation) -> None:
    """A training that overflows goes on and records what it sees."""
    for run in runs_of(case, seen, expected):
        run.require_any()
        for what in CURVES:
            got, wanted = run.curve(what), run.truth(what)
            if got is None or got.shape[1] != wanted.shape[1] or np.isfinite(wanted[-1]).all():
                continue
            if len(got) < case.steps - 1:  # one less is counted in the record
                run.fail(
                    _("{name} ends after {n} of {steps} steps, where its values overflow.").format(
                        name=run.name(what), n=len(got), steps=case.steps
                    )
                )
            if np.isfinite(got[-1]).all():
                run.fail(
                    _("The run of depth {depth} overflows, but {name} ends with finite values.").format(
                        depth=run.depth, name=run.name(what)
                    )
                )
