"""What the checks of `clip_gradients` demand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed, Observation
from autograder.checks.expect import array, close, is_close, number, pair, refused, same, unchanged
from autograder.exercises.gradient_pathology.clip_gradients.probe import OTHERS, Clipping, Network, clip_gradients
from autograder.exercises.gradient_pathology.clip_gradients.words import factor_in_words, norm_in_words
from autograder.locale import _

MOST_LISTED = 4
"""How many gradients a message names."""


def _answer(seen: Observation, name: str) -> Any:
    """The part of the answer that is called `name`."""
    if name not in seen.values:
        pair("clip_gradients", seen["result"], "return total_norm, clip_coef")
    return seen[name]


def _each(what: str, before: Network, after: Network) -> Iterator[tuple[str, Any, Any]]:
    """(name, before, after) of every array."""
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        for key in old:
            name = f'layers[{i}].{what}["{key}"]'
            if type(new) is not dict or key not in new:
                raise Failed(_("{name} is gone after clipping.").format(name=name))
            yield name, old[key], new[key]


def _each_gradient(case: Clipping, seen: Observation, note: str = "") -> Iterator[tuple[str, Any, Any]]:
    seen["exception" + note]
    return _each("grads", case.others if note else case.grads, seen["grads" + note])


def _factors(case: Clipping, seen: Observation, note: str = "") -> dict[str, float]:
    """By name, the number that every gradient was multiplied by, or the nearest one."""
    return {
        name: float(np.sum(array(name, after, before.shape) * before) / np.sum(before**2))
        for name, before, after in _each_gradient(case, seen, note)
    }


def _own(seen: Observation, name: str) -> float | None:
    """The number that came back as `name`, if it depends on the network: what rests on it is judged against it."""
    answers = []
    for key in (name, name + OTHERS):
        with contextlib.suppress(Failed):
            answers.append(number(name, seen[key] if key in seen.values else None))
    return answers[0] if len(answers) == 2 and np.all(np.isfinite(answers)) and _differ(*answers) else None


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > 1e-3 * max(abs(one), abs(other))


def _right_coefficients(case: Clipping, seen: Observation, expected: Observation) -> list[float]:
    """The right coefficient, and that which belongs to the own `total_norm`."""
    own = _own(seen, "total_norm")
    return [expected["clip_coef"]] + ([] if own is None else [case.max_norm / max(own, case.max_norm)])


def _require_something_scaled(case: Clipping, seen: Observation) -> None:
    """Where gradients are too long, in this network and in the other one."""
    gradients = [*_each_gradient(case, seen), *_each_gradient(case, seen, OTHERS)]
    if all(same(before, after) for _name, before, after in gradients):
        text = _("After the call the gradients are unchanged.")
        words = _("Nothing has been scaled yet, the result was not put into layer.grads, or a condition leaves it out.")
        if is_close(seen.values.get("clip_coef"), 1.0) and _own(seen, "total_norm"):
            text = _("After the call the gradients are unchanged, and clip_coef is 1.")
            words = _(
                "Nothing has been scaled yet, a `return` comes first, or clip_coef or the comparison with max_norm "
                "comes out wrong."
            )
        elif 0 < (_own(Observation(seen.values), "clip_coef") or 0.0) < 1:
            words = _(
                "clip_coef is below 1, but no gradient is multiplied by it, or the products are not put into "
                "layer.grads."
            )
        raise Failed(text, words=words, unwritten=True)


def _require_a_product(case: Clipping, seen: Observation) -> None:
    """No array holds one number throughout."""
    for name, before, after in _each_gradient(case, seen):
        if np.ptp(before) > 0 and np.ptp(array(name, after, before.shape)) == 0:
            text = _("Every element of {name} is the same number now: was the gradient left out of the product?")
            raise Failed(text.format(name=name))


def _close_factor(case: Clipping, seen: Observation, expected: Observation, name: str, factor: float) -> None:
    """`factor` is right; if not, the formula that gives it is told, if it is a known one."""
    coefficients = _right_coefficients(case, seen, expected)  # the last is that of the student's own norm
    right = coefficients[-1] if coefficients[-1] < 1 else coefficients[0]
    totals = [expected["total_norm"], _own(seen, "total_norm") or expected["total_norm"]]
    close(name, factor, right, words=lambda: factor_in_words(name, factor, totals, case.max_norm))


def _require_as_in_the_other(
    case: Clipping, seen: Observation, expected: Observation, words: Callable[[], str], with_numbers: bool = True
) -> None:
    """The answer is that for the other network, and so are the gradients, unless they are right; None stays None."""
    right = _right_coefficients(case, seen, expected)
    others = [after for _name, _before, after in _each_gradient(case, seen, OTHERS)]
    for name in ("total_norm", "clip_coef") if with_numbers else ():
        if {name, name + OTHERS} <= seen.values.keys() and not same(seen[name], seen[name + OTHERS]):
            close(name, seen[name], number(name, seen[name + OTHERS]), words=words)
    for (name, before, after), other in zip(_each_gradient(case, seen), others, strict=True):
        if before is not None and any(is_close(after, factor * before) for factor in right):
            continue
        if before is not None and same(before, after) and not same(before, other):
            raise Failed(_("{name} was not scaled, but other gradients were.").format(name=name))
        if before is not None:
            close(name, after, array(name, other, before.shape))
        elif after is not None:
            raise Failed(_("{name} was None and should stay None.").format(name=name))


@clip_gradients.check(points=0.25, on="long")
def test_clips(case: Clipping, seen: Observation, expected: Observation) -> None:
    """For gradients that are too long, the function measures their length or scales them down."""
    factors = _factors(case, seen)
    name, factor = next(iter(factors.items()))
    if any(_own(seen, part) for part in ("total_norm", "clip_coef")):
        return
    if _differ(factor, _factors(case, seen, OTHERS)[name]):
        return
    total = number("total_norm", _answer(seen, "total_norm"))
    if np.isnan(total):
        raise Failed(_("total_norm is nan: is that the root of a negative number, or 0 divided by 0?"))
    text = _(
        "total_norm is {total:.6g} for every network, and {name} is multiplied by {factor:.6g}: nothing is measured."
    )
    raise Failed(text.format(total=total, name=name, factor=factor), unwritten=True)


@clip_gradients.check(points=1.0, on=("long", "small"), needs=("clips",))
def test_total_norm(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`total_norm` is the length of all gradients taken as one vector, before clipping."""
    total = number("total_norm", _answer(seen, "total_norm"))

    def words() -> str:
        factors = _factors(case, Observation(seen.values)).values()  # what words are made of is not what the check asks
        if any(is_close(total, factor) for factor in factors if 0 < factor < 1):
            return _("total_norm is the factor that gradients are multiplied by: are the two returned in this order?")
        return norm_in_words(total, case.grads)

    close("total_norm", total, expected["total_norm"], words=words)


@clip_gradients.check(points=0.75, on=("long", "small"))
def test_factor(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are too long are multiplied by `max_norm / total_norm`."""
    factors = _factors(case, seen)
    right = _right_coefficients(case, seen, expected)
    # One gradient is enough: whether all are scaled alike is the next promise.
    if not any(is_close(factor, wanted) for factor in factors.values() for wanted in right):
        _require_something_scaled(case, seen)
        name, factor = next(iter(factors.items()))
        _require_a_product(case, seen)
        _close_factor(case, seen, expected, _("The factor of {name}").format(name=name), factor)


@clip_gradients.check(points=0.5, on="long", needs=("clips",))
def test_scales_all_alike(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Where gradients are too long, all are multiplied by the same factor."""
    _require_something_scaled(case, seen)
    factors = _factors(case, seen)
    touched = {name: before for name, before, _after in _each_gradient(case, seen) if _differ(factors[name], 1.0)}
    length = np.sqrt(sum(np.sum(before**2) for before in touched.values()))
    # Whose norm leaves some gradients out, and who therefore leaves them alone, has broken the first promise only.
    left_out = is_close(_own(seen, "total_norm"), length)
    first = next(iter(touched or factors))
    for name, before, after in _each_gradient(case, seen):
        if not is_close(after, factors[name] * before):
            raise Failed(_("The elements of {name} are multiplied by different numbers.").format(name=name))
        if not is_close(factors[name], factors[first]) and not (left_out and name not in touched):
            left = [other for other in factors if other not in touched]
            text = _("{first} is multiplied by {factor:.6g}, but {name} by {other:.6g}.")
            one, other = factors[first], factors[name]
            if is_close(one, other**2) or is_close(other, one**2):
                text = _(
                    "{first} is multiplied by {factor:.6g}, but {name} by {other:.6g}: one is the square of the other, "
                    "as happens when an array is scaled twice."
                )
            if name in left:
                text = _("Nothing was done to {left}, but {first} is multiplied by {factor:.6g}.")
            shown = ", ".join(left[:MOST_LISTED]) + ", ..." * (len(left) > MOST_LISTED)
            about = {"first": first, "factor": factors[first], "name": name, "other": factors[name]}
            raise Failed(text.format(left=shown, **about))


@clip_gradients.check(points=0.5, on=("long", "below"), needs=("clips",))
def test_coefficient(case: Clipping, seen: Observation, expected: Observation) -> None:
    """`clip_coef` is the factor that was applied, never above 1."""
    coefficient = number("clip_coef", _answer(seen, "clip_coef"))
    right = _right_coefficients(case, seen, expected)
    applied = [factor for factor in _factors(case, seen).values() if 0 < factor < 1]
    if not any(is_close(coefficient, wanted) for wanted in right + applied):
        if expected["clip_coef"] < 1:
            _require_something_scaled(case, seen)
        _close_factor(case, seen, expected, "clip_coef", coefficient)


@clip_gradients.check(points=0.75, on=("long", "below"), needs=("clips",))
def test_small_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are short enough stay exactly as they were, and no others do."""
    if expected["clip_coef"] < 1:
        _require_something_scaled(case, seen)
        return
    own = _right_coefficients(case, seen, expected)[-1]
    for name, before, after in _each_gradient(case, seen):
        if own == 1 or not is_close(after, own * before):
            unchanged(name, before, after)


@clip_gradients.check(points=0.5, on="network", needs=("clips",))
def test_every_layer(case: Clipping, seen: Observation, expected: Observation) -> None:
    """In normalization layers `gamma` and `beta` count like `W` and `b`; layers without gradients are skipped."""

    def words() -> str:
        return _(
            "Put into Linear layers, the same gradients give a different answer: what does your code do with a layer "
            "that has no gradients, and with gamma and beta?"
        )

    _require_as_in_the_other(case, seen, expected, words)


@clip_gradients.check(points=0.75, on="missing", needs=("clips",))
def test_none_skipped(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Gradients that are None stay None, and everything else is as if they were zero."""

    def words() -> str:
        return _("Zeros in the place of None give another answer: what does your code do where a gradient is None?")

    # A mean over all elements, say, is another one with zeros, and charged already.
    measured = is_close(seen.values.get("total_norm" + OTHERS), expected["total_norm"])
    _require_as_in_the_other(case, seen, expected, words, measured)


@clip_gradients.check(points=0.25, on="nothing", needs=("clips",))
def test_nothing_to_clip(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Without any gradient the answer is `(0.0, 1.0)`."""
    close("total_norm", _answer(seen, "total_norm"), 0.0)
    close("clip_coef", _answer(seen, "clip_coef"), 1.0)


@clip_gradients.check(points=0.5, on="nonfinite", needs=("clips",))
def test_nonfinite(case: Clipping, seen: Observation, expected: Observation) -> None:
    """A NaN or infinite gradient raises `ValueError` and leaves every gradient as it was."""
    raised = seen.raised("exception")
    nan = any(np.isnan(array).any() for layer in case.grads for array in layer.values())
    what = _("a gradient that is NaN") if nan else _("an infinite gradient")
    refused(what, raised, "ValueError", "ArithmeticError", "RuntimeError")
    for name, before, after in _each("grads", case.grads, seen["grads"]):
        unchanged(name, before, after)


@clip_gradients.check(points=0.25, on=("long", "small"), needs=("clips",))
def test_parameters_stay(case: Clipping, seen: Observation, expected: Observation) -> None:
    """Parameters are not touched, and no gradient is added."""
    seen["exception"]
    for i, (before, after) in enumerate(zip(case.grads, seen["grads"], strict=True)):
        for name in set(after if type(after) is dict else ()) - before.keys():
            raise Failed(_("layers[{i}].grads has the new name {name!r}.").format(i=i, name=name))
    for name, before, after in _each("params", case.params, seen["params"]):
        unchanged(name, before, after)
