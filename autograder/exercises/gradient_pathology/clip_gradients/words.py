"""What a wrong number of `clip_gradients` is, in words: found from the numbers, however the code is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from autograder.checks.expect import is_close
from autograder.exercises.gradient_pathology.clip_gradients.probe import Network
from autograder.exercises.gradient_pathology.measures import Arrays, measures
from autograder.locale import _


def _parts(grads: Network) -> Iterator[tuple[str, Arrays]]:
    """Which gradients may have been measured."""
    named = [(i, key, array) for i, layer in enumerate(grads) for key, array in layer.items()]
    yield _("all gradients"), [array for _i, _key, array in named]
    for key in dict.fromkeys(key for _i, key, _array in named):
        yield f'layer.grads["{key}"]', [array for _i, other, array in named if other == key]
    for i in (0, len(grads) - 1):
        yield _("all gradients but those of layers[{i}]").format(i=i), [array for j, _key, array in named if j != i]
        yield _("the gradients of layers[{i}]").format(i=i), [array for j, _key, array in named if j == i]
    for i, key, array in (named[0], named[-1]):
        name = f'layers[{i}].grads["{key}"]'
        yield (
            _("all gradients but {name}").format(name=name),
            [other for _i, _key, other in named if other is not array],
        )
        yield name, [array]


def norm_in_words(total: float, grads: Network) -> str:
    """What `total` is of which gradients; "" if it is nothing that people take for the norm."""
    found = (
        _("total_norm is {measure} of {part}.").format(measure=measure, part=part)
        for part, arrays in _parts(grads)
        for measure, value in measures(arrays)
        if is_close(total, value)
    )
    return next(found, "")


def factor_in_words(name: str, factor: float, totals: Iterable[float], max_norm: float) -> str:
    """The formula that gives `factor` with one of the `totals`; "" if none of those does that people write."""
    for total in totals:
        formulas = {
            "max_norm": max_norm,
            "1 / total_norm": 1 / total,
            "total_norm / max_norm": total / max_norm,
            "max_norm / total_norm ** 2": max_norm / total**2,
            "(max_norm / total_norm) ** 2": (max_norm / total) ** 2,
            "sqrt(max_norm / total_norm)": np.sqrt(max_norm / total),
            "max_norm * total_norm": max_norm * total,
        }
        for formula, value in formulas.items():
            if is_close(factor, value):
                return _("{output} is the same as {formula}.").format(output=name, formula=formula)
    return ""
