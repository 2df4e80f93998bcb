"""How a wrong result came about, in words and formulas: found from the numbers, however the code is written.

Each function returns a sentence that is true of the student's numbers, or "" where it knows none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.checks.exercise import Failed
from autograder.checks.numeric import TOLERANCE
from autograder.exercises.gradient_pathology.batch_norm.shared import Batch, column_slope
from autograder.locale import _


def in_words(words: Callable[[], str], judge: Callable[..., None], *args: Any) -> None:
    """`judge`, whose failure is told in these words before its numbers, if there are any."""
    try:
        judge(*args)
    except Failed as failed:
        if failed.unwritten:
            raise
        raise Failed(" ".join(filter(None, [words(), failed.reason])), failed.picture) from None


def formula_in_words(label: str, y: np.ndarray, batch: Batch, eps: float, known: dict[str, np.ndarray]) -> str:
    """By which formula an output came about, as one line of code, if it is a simple one.

    Args:
        known: running statistics that may be in it.
    """
    x, gamma, beta = batch["x"], batch["gamma"], batch["beta"]
    outputs = {"{}": (1, 0), "{} + beta": (1, beta), "gamma * {}": (gamma, 0), "gamma * {} + beta": (gamma, beta)}
    for formula, (factor, shift) in outputs.items():
        x_hat = (y - shift) / factor
        slope = column_slope(x, x_hat)
        if not slope.all():
            continue
        root = 1 / slope
        mean = _name_of(x.mean(axis=0) - x_hat.mean(axis=0) * root, _means(x, known), np.abs(root))
        divisor = _name_of(root, _roots(x, eps, known), np.abs(root))
        straight = (x - x.mean(axis=0)) * slope + x_hat.mean(axis=0)
        if mean is not None and divisor is not None and _are_close(x_hat, straight, np.abs(x_hat).max(axis=0)):
            centred = f"x - {mean}" if mean else "x"
            if mean and (divisor or formula.startswith("gamma")):
                centred = f"({centred})"
            return _("{output} is {formula}.").format(output=label, formula=formula.format(centred + divisor))
    return ""


def _means(x: np.ndarray, known: dict[str, np.ndarray]) -> dict[str, Any]:
    running = {name: value for name, value in known.items() if name == "running_mean"}
    return running | {"x.mean(axis=0)": x.mean(axis=0), "x.mean()": x.mean(), "": 0.0}


def _roots(x: np.ndarray, eps: float, known: dict[str, np.ndarray]) -> dict[str, Any]:
    squares = np.square(x - x.mean(axis=0))
    variances = {name: value for name, value in known.items() if name == "running_var"} | {
        "x.var(axis=0)": x.var(axis=0),
        "x.var()": x.var(),
        "x.var(axis=0, ddof=1)": squares.sum(axis=0) / max(len(x) - 1, 1),
        "((x - x.mean(axis=0)) ** 2).mean()": squares.mean(),
        "((x - x.mean(axis=0)) ** 2).sum(axis=0)": squares.sum(axis=0),
    }
    roots: dict[str, Any] = {"": 1.0}
    for words, var in variances.items():
        roots |= {
            f" / sqrt({words} + eps)": np.sqrt(var + eps),
            f" / sqrt({words})": np.sqrt(var),
            f" / (sqrt({words}) + eps)": np.sqrt(var) + eps,
            f" / ({words} + eps)": var + eps,
            f" / {words}": var,
            f" / sqrt(sqrt({words}) + eps)": np.sqrt(np.sqrt(var) + eps),
            f" / sqrt({words} + 1e-5)": np.sqrt(var + 1e-5),
        }
    return roots


def _name_of(value: np.ndarray, candidates: dict[str, Any], scale: np.ndarray) -> str | None:
    """The first of the candidates that is the value."""
    return next((name for name, candidate in candidates.items() if _are_close(value, candidate, scale)), None)


def _are_close(one: np.ndarray, other: Any, scale: np.ndarray) -> bool:
    return bool(np.all(np.abs(one - other) <= TOLERANCE * scale))


def sum_in_words(terms: dict[str, list[np.ndarray]], after: list[np.ndarray]) -> str:
    """The sum of multiples of `terms` that gives `after` in every batch and column, as one line of code."""
    matrix, wanted = np.stack([np.concatenate(batches) for batches in terms.values()], axis=1), np.concatenate(after)
    share, _residuals, rank, _values = np.linalg.lstsq(matrix, wanted, rcond=None)
    if len(wanted) < 6 or rank < len(terms):  # a few numbers fit nearly anything
        return ""
    if not _are_close(matrix @ share, wanted, np.abs(wanted).max()):
        return ""
    parts = [_times(value, term) for value, term in zip(share, terms, strict=True) if abs(value) > 1e-4]
    return " + ".join(parts).replace("+ -", "- ")


def _times(value: float, term: str) -> str:
    share = f"{value:.4g}"
    return share if term == "1" else term if share == "1" else f"{share} * {term}"


def factor_in_words(factor: np.ndarray, batch: Batch, root: np.ndarray) -> str:
    """What backward hands dout on by, if it is made of the same things as the right factor."""
    gamma, n = batch["gamma"], len(batch["x"])
    made_of = {
        "1": np.ones_like(root),
        "gamma": gamma,
        "1 / sqrt(var + eps)": 1 / root,
        "gamma * sqrt(var + eps)": gamma * root,
        "gamma / (var + eps)": gamma / root**2,
        "abs(gamma) / sqrt(var + eps)": np.abs(gamma) / root,
        "1 / gamma / sqrt(var + eps)": 1 / gamma / root,
        "gamma / sqrt(var + eps) / N": gamma / root / n,
        "N * gamma / sqrt(var + eps)": gamma / root * n,
    }
    for words, value in made_of.items():
        if _are_close(factor, value, np.abs(value)):
            return _("backward(dout) hands dout on times {factor}, which is not the slope of forward.").format(
                factor=words
            )
    return ""


def way_in_words(way: str, own: np.ndarray, right: np.ndarray, scale: np.ndarray, root: np.ndarray) -> str:
    """How what comes through the mean or the variance differs from what should."""
    ratio = float((own * right).sum() / np.square(right).sum())
    if _are_close(own, 0, scale):
        return _("Nothing of backward(dout) comes through {way}.").format(way=way)
    if _are_close(own, -right, scale):
        return _("What comes through {way} has the wrong sign.").format(way=way)
    if _are_close(own, ratio * right, scale):
        return _("What comes through {way} is {ratio:.4g} times what it should be.").format(way=way, ratio=ratio)
    scaled = [own * root**power for power in range(-2, 3)]  # the roots may stand outside the sum
    if any(_are_close(one, one[0], np.abs(one[0])) for one in scaled):
        return _("What comes through {way} is one number for all columns: is an axis forgotten?").format(way=way)
    return ""
