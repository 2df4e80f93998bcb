"""How a wrong result came about, in words and formulas: found from the numbers, however the code is written.

Each function returns a sentence that is true of the student's numbers, or "" where it knows none.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np

from autograder.checks.numeric import TOLERANCE, written
from autograder.exercises.gradient_pathology.batch_norm.shared import Batch, column_slope, spread_of
from autograder.locale import _

EXACT = 1e-12
"""Where two formulas are closer than the tolerance, the one is told that agrees like this, as double precision does."""


@np.errstate(all="ignore")
def formula_in_words(label: str, y: np.ndarray, batch: Batch, eps: float, known: dict[str, np.ndarray]) -> str:
    """By which formula an output came about, as one line of code, if it is a simple one.

    Args:
        known: running statistics that may be in it.
    """
    formula = next(filter(None, (_formula(y, batch, eps, known, tolerance) for tolerance in (EXACT, TOLERANCE))), "")
    if not formula:
        return _rows_in_words(label, (y - batch["beta"]) / batch["gamma"])
    sentences = [_("{output} is the same as {formula}.").format(output=label, formula=formula)]
    unseen = {_("(gamma is 1 here.)"): (batch["gamma"], 1), _("(beta is 0 here.)"): (batch["beta"], 0)}
    sentences += [text for text, (values, value) in unseen.items() if np.all(values == value)]
    if "sqrt" in formula and "eps" not in formula:
        sentences.append(_("self.eps (here {eps}) does not appear in it.").format(eps=written(eps, 4)))
    return " ".join(sentences)


def _rows_in_words(label: str, x_hat: np.ndarray) -> str:
    """Whether the rows are normalised, in place of the columns."""
    if not (
        _are_close(x_hat.mean(axis=1), 0, np.abs(x_hat).max(axis=1)) and np.all(np.abs(x_hat.var(axis=1) - 1) < 0.1)
    ):
        return ""
    return _("{output} has mean 0 and variance 1 in every row, not in every column.").format(output=label)


def _formula(y: np.ndarray, batch: Batch, eps: float, known: dict[str, np.ndarray], tolerance: float) -> str:
    x, gamma, beta = batch["x"], batch["gamma"], batch["beta"]
    outputs = {"{}": (1, 0), "{} + beta": (1, beta), "gamma * {}": (gamma, 0), "gamma * {} + beta": (gamma, beta)}
    for formula, (factor, shift) in outputs.items():
        x_hat = (y - shift) / factor
        slope = column_slope(x, x_hat)
        straight = (x - x.mean(axis=0)) * slope + x_hat.mean(axis=0)
        if not slope.all() or not _are_close(x_hat, straight, np.abs(x_hat).max(axis=0)):
            continue
        root = 1 / slope
        centre = x.mean(axis=0) - x_hat.mean(axis=0) * root
        mean = _name_of(centre, _means(x, known), np.abs(root), tolerance)
        divisor = None if mean is None else divisor_in_words(root, x, eps, mean, centre, known, tolerance)
        if divisor is not None:
            centred = f"x - {mean}" if mean else "x"
            if mean and (divisor or formula.startswith("gamma")):
                centred = f"({centred})"
            return formula.format(centred + divisor)
    return ""


def reductions(words: str, values: np.ndarray) -> dict[str, Any]:
    """What `values` (N, D) add up to, over the examples or over everything, divided by one number or another."""
    n, d = values.shape
    sums = {f"{words}.sum(axis=0)": values.sum(axis=0), f"{words}.sum()": values.sum()}
    divisors = {" / N": n, " / (N * D)": n * d, "": 1, " / (N - 1)": n - 1, " / D": d}
    divided = {
        name + by: value / divisor
        for (name, value), (by, divisor) in product(sums.items(), divisors.items())
        if divisor > 0
    }
    means = {f"{words}.sum(axis=0) / N": f"{words}.mean(axis=0)", f"{words}.sum() / (N * D)": f"{words}.mean()"}
    return {means.get(name, name): value for name, value in divided.items()}


def _means(x: np.ndarray, known: dict[str, np.ndarray]) -> dict[str, Any]:
    running = {name: value for name, value in known.items() if name == "running_mean"}
    return running | reductions("x", x) | {"": 0.0, "np.median(x, axis=0)": np.median(x, axis=0)}


def variances(x: np.ndarray, mean: str = "x.mean(axis=0)", centre: Any = None) -> dict[str, Any]:
    """What may be taken for the variance of x (N, D), also of a forward that takes off another `mean`, `centre`."""
    squares = {"x.mean(axis=0)": np.square(x - x.mean(axis=0)), "": np.square(x)}
    if centre is not None:
        squares[mean] = np.square(x - centre)
    simple: dict[str, Any] = {"x.var(axis=0)": x.var(axis=0), "x.var()": x.var()}
    if len(x) > 1:
        simple["x.var(axis=0, ddof=1)"] = x.var(axis=0, ddof=1)
    for name, values in squares.items():
        simple |= reductions(f"((x - {name}) ** 2)" if name else "(x ** 2)", values)
    return simple


def divisor_in_words(
    root: np.ndarray,
    x: np.ndarray,
    eps: float,
    mean: str = "x.mean(axis=0)",
    centre: Any = None,
    known: dict[str, np.ndarray] | None = None,
    tolerance: float = TOLERANCE,
) -> str | None:
    """By what x - mean is divided, as the end of a line of code: " / sqrt(x.var(axis=0) + eps)"."""
    if _are_close(root, 1.0, root, tolerance):
        return ""
    if not (root > 0).all():
        return None
    running = {name: value for name, value in (known or {}).items() if name == "running_var"}
    for words, var in (running | variances(x, mean, centre)).items():
        std = np.sqrt(var)
        for base, power, value in (
            (words, 2, var),
            (f"sqrt({words})", 1, std),
            (words, 1, var),
            (f"sqrt({words})", 2, std),
        ):
            added = _added(root**power, np.broadcast_to(value, root.shape), eps, len(x), power * tolerance)
            if added is not None:
                inner = base + added.replace("+ -", "- ")
                brackets = "sqrt({})" if power == 2 else "({})" if re.search(" [-+/] ", inner) else "{}"
                return " / " + brackets.format(inner)
    return None


def _added(value: np.ndarray, base: np.ndarray, eps: float, n: int, tolerance: float) -> str | None:
    """What is added to `base` to give `value`, as it is written: eps, nothing, or one number that can be told."""
    added = value - base
    if np.ptp(added) > 2 * tolerance * np.abs(value).max():  # it is not one number: most are told apart here
        return None
    names = {" + eps": eps, "": 0.0}
    seen = np.abs(added) > 1e3 * tolerance * np.abs(value)  # so three of its digits are known
    if seen.any() and np.ptp(base) > 0:  # to one number for all columns one could add anything
        number = float(added[np.argmin(base)])
        constant, times = float(f"{number:.1g}"), float(f"{number / eps:.2g}")
        names |= {f" + {written(constant)}": constant, " - eps": -eps, " + eps ** 2": eps**2, " + sqrt(eps)": eps**0.5}
        names |= {" + N * eps": n * eps, " + eps / N": eps / n, f" + {times:g} * eps": times * eps}
        names |= {f" + {written(number, 3)}": number} if seen.sum() > 1 else {}
    return _name_of(value, {name: base + one for name, one in names.items()}, np.abs(value), tolerance)


def _name_of(value: np.ndarray, candidates: dict[str, Any], scale: np.ndarray, tolerance: float) -> str | None:
    """The first of the candidates that is the value."""
    names = (name for name, candidate in candidates.items() if _are_close(value, candidate, scale, tolerance))
    return next(names, None)


def _are_close(one: np.ndarray, other: Any, scale: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    return bool(np.all(np.isfinite(scale)) and np.all(np.abs(one - other) <= tolerance * scale))


def _product_in_words(value: np.ndarray, batch: Batch, eps: float, scale: np.ndarray, unit: Any = 1.0) -> str:
    """As which multiple of powers of gamma and of the root one can write `value`, if it is one times `unit`."""
    gamma, var, root, n = batch["gamma"], batch["x"].var(axis=0), spread_of(batch, eps), len(batch["x"])
    gammas: dict[Any, Any] = {
        ("gamma", ""): gamma,
        ("", ""): 1.0,
        ("gamma ** 2", ""): gamma**2,
        ("gamma ** 3", ""): gamma**3,
    }
    gammas |= {("", "gamma"): 1 / gamma, ("abs(gamma)", ""): np.abs(gamma), ("", "abs(gamma)"): 1 / np.abs(gamma)}
    roots: dict[Any, Any] = {("", "sqrt(var + eps)"): 1 / root, ("", ""): 1.0, ("sqrt(var + eps)", ""): root}
    roots |= {("", "(var + eps)"): root**-2, ("(var + eps)", ""): root**2, ("", "sqrt(var + eps) ** 3"): root**-3}
    roots |= {("", "sqrt(var)"): var**-0.5, ("", "var"): 1 / var}
    for ((above, below), one), ((root_above, root_below), other) in product(gammas.items(), roots.items()):
        made = one * other * unit
        times = float((value / scale * (made / scale)).sum() / np.square(made / scale).sum())
        if times and _are_close(value, times * made, scale):
            over, under = _count(abs(times), n)
            factors = " * ".join(filter(None, [over, above, root_above])) or "1"
            sign = "-" if times < 0 else ""
            return " / ".join(filter(None, [sign + factors, below, root_below, under]))
    return ""


def _count(times: float, n: int) -> tuple[str, str]:
    """A number as it stands above and below the line: made of the number of examples, if it is."""
    counts = {("", ""): 1, ("N", ""): n, ("", "N"): 1 / n, ("(1 - 1 / N)", ""): 1 - 1 / n, ("(N - 1)", ""): n - 1}
    counts |= {("", "(N - 1)"): 1 / (n - 1)} if n > 1 else {}
    return next(
        (name for name, count in counts.items() if abs(times - count) <= TOLERANCE * count), (f"{times:.4g}", "")
    )


@np.errstate(all="ignore")
def factor_in_words(factor: np.ndarray, batch: Batch, eps: float) -> str:
    """What backward hands dout on by, if it is made of the same things as the right factor."""
    words = _product_in_words(factor, batch, eps, np.abs(factor))
    if not words:
        roots = (divisor_in_words(batch["gamma"] / factor, batch["x"], eps, tolerance=t) for t in (EXACT, TOLERANCE))
        words = next((f"gamma{root}" for root in roots if root is not None), "")
    text = _("backward(dout) multiplies dout by {factor}, which is not the slope of forward.")
    return text.format(factor=words) if words else ""


@np.errstate(all="ignore")
def way_in_words(way: str, own: np.ndarray, right: np.ndarray, scale: np.ndarray, batch: Batch, eps: float) -> str:
    """How what comes through the mean or the variance differs from what should."""
    ratio = float((own * right).sum() / np.square(right).sum())
    if _are_close(own, 0, scale):
        text = _("Nothing of backward(dout) comes through {way}: it is not there yet, or comes out as 0.")
        return text.format(way=way)
    if _are_close(own, -right, scale):
        return _("What comes through {way} has the wrong sign.").format(way=way)
    if _are_close(own, ratio * right, scale):
        text = _("What comes through {way} is {ratio} times what it should be.")
        return f"{text.format(way=way, ratio=f'{ratio:.4g}')} {_about_examples(ratio, len(batch['x']))}".rstrip()
    root = spread_of(batch, eps)
    scaled = [own * root**power for power in range(-2, 3)]  # the roots may stand outside the sum
    if any(_are_close(one, one[0], np.abs(one[0])) for one in scaled):
        return _("A sum in what comes through {way} runs over all columns at once: is an axis missing?").format(way=way)
    words = _product_in_words(own, batch, eps, scale, unit=right)
    if re.search(r"\d\.\d{3}", words):  # nobody writes such a number: it comes from elsewhere, such as a wrong forward
        return ""
    text = _("What comes through {way} is {ratio} times what it should be.")
    return f"{text.format(way=way, ratio=words)} {_asked_of(words)}" if words else ""


def _about_examples(ratio: float, n: int) -> str:
    """What to look for, if `ratio` is the number of examples, or one divided by it."""
    if np.isclose(ratio, n):
        return _("This is N, the number of examples: is a division by N missing?")
    if np.isclose(ratio, 1 / n):
        return _("This is 1 / N, and N the number of examples: divided by N once too often?")
    return ""


def _asked_of(words: str) -> str:
    """The derivative to look at, where what came through is wrong by this factor."""
    if "gamma" in words:
        return _("What is the gradient with respect to x_hat, in terms of dout?")
    return _("Which power of (var + eps) does each of your derivatives have?") if "var" in words else ""
