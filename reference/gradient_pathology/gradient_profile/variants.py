"""Right ways to fit the slope that look unlike the reference."""

from __future__ import annotations

import math
import statistics
import sys

import numpy as np

from reference.bank import public


def _decades(delta_norms):
    norms = np.asarray(delta_norms, dtype=float)
    if np.any(~np.isfinite(norms)):
        raise ValueError("NaN か無限大")
    return np.log10(np.where(norms == 0, np.finfo(float).tiny, norms))


def normal_equations(delta_norms):
    y = _decades(delta_norms)
    x = np.arange(1, len(y) + 1)
    n = len(y)
    return (n * np.sum(x * y) - np.sum(x) * np.sum(y)) / (n * np.sum(x**2) - np.sum(x) ** 2)


def lstsq(delta_norms):
    y = _decades(list(delta_norms))
    (slope, _), *_ = np.linalg.lstsq(np.vstack([np.arange(y.size), np.ones(y.size)]).T, y, rcond=None)
    return float(slope)


def covariance(delta_norms):
    y = _decades(tuple(delta_norms))
    x = np.linspace(0, 1, len(y)) * (len(y) - 1)
    matrix = np.cov(x, y)
    return float(matrix[0, 1] / matrix[0, 0])


def standard_library(delta_norms):
    y = []
    for norm in delta_norms:
        if not math.isfinite(norm):
            raise ValueError(f"a norm is {norm}")
        y.append(math.log10(norm if norm else sys.float_info.min))
    return statistics.linear_regression(range(len(y)), y).slope


def plain_loops(delta_norms):
    total, count = 0.0, 0
    for i, norm in enumerate(delta_norms):
        if math.isnan(norm) or math.isinf(norm):
            raise ValueError
        total, count = total + i, count + 1
    centre = total / count
    top = bottom = 0.0
    for i, norm in enumerate(delta_norms):
        norm = norm + sys.float_info.min  # too small to matter, unless the norm is zero
        top += (i - centre) * math.log10(norm)
        bottom += (i - centre) ** 2
    return top / bottom


def floor_by_maximum(delta_norms):
    norms = np.maximum(np.array(delta_norms), np.finfo(np.float64).smallest_normal)
    if math.isnan(norms.sum()) or np.isinf(norms.max()):
        raise ValueError("有限ではありません")
    y = np.log(norms) / np.log(10)
    x = np.arange(len(y)) - (len(y) - 1) / 2
    return x @ y / (x @ x)


VARIANTS = public(vars())
