"""Right ways to clip gradients that look unlike the reference."""

from __future__ import annotations

import functools
import math

import numpy as np

from reference.bank import public


def _refuse(gradients, error=ValueError):
    if not all(np.isfinite(g).all() for g in gradients):
        raise error("勾配が有限ではありません")


def _present(layers):
    return [g for layer in layers for g in layer.grads.values() if g is not None]


def epsilon_in_coefficient(layers, max_norm=1.0):
    _refuse(_present(layers))
    total_norm = np.sqrt(sum((g**2).sum() for g in _present(layers)))
    clip_coef = max_norm / (total_norm + 1e-6)
    if clip_coef < 1:
        for layer in layers:
            for key, g in layer.grads.items():
                if g is not None:
                    layer.grads[key] = g * clip_coef
    return float(total_norm), float(min(clip_coef, 1.0))


def at_least(layers, max_norm=1.0):
    _refuse(_present(layers))
    total_norm = math.sqrt(math.fsum(np.sum(np.square(g)) for g in _present(layers)))
    clip_coef = 1.0
    if total_norm >= max_norm:
        clip_coef = max_norm / total_norm
        for g in _present(layers):
            g[...] = g * clip_coef
    return [total_norm, clip_coef]


def norm_of_norms(layers, max_norm=1.0):
    norms = [np.linalg.norm(g) for g in _present(layers)]
    total_norm = np.linalg.norm(norms)
    if math.isnan(total_norm) or math.isinf(total_norm):
        raise FloatingPointError("not finite")
    clip_coef = np.minimum(1.0, max_norm / (total_norm + 1e-8))
    for g in _present(layers):
        g *= clip_coef
    return total_norm, clip_coef


def plain_loops(layers, max_norm=1.0):
    squares = []
    for layer in layers:
        for g in layer.grads.values():
            if g is None:
                continue
            for x in g.ravel().tolist():
                if not -math.inf < x < math.inf:
                    raise RuntimeError("not finite")
                squares.append(x * x)
    total_norm = math.fsum(squares) ** 0.5
    if total_norm <= max_norm:
        return total_norm, 1.0
    for layer in layers:
        for key in layer.grads:
            if layer.grads[key] is not None:
                for index in np.ndindex(layer.grads[key].shape):
                    layer.grads[key][index] *= max_norm / total_norm
    return total_norm, max_norm / total_norm


def dot_products(layers, max_norm=1.0):
    def squared(g):
        flat = g.ravel()
        return np.dot(flat, flat)

    total_norm = np.float64(sum(map(squared, _present(layers)))) ** 0.5
    if not np.isfinite(total_norm):
        raise OverflowError("not finite")
    scale = np.float64(1)
    if total_norm > max_norm:
        scale = np.float64(max_norm) / total_norm
        for layer in layers:
            layer.grads.update({k: scale * g for k, g in layer.grads.items() if g is not None})
    return total_norm, scale


def recursive(layers, max_norm=1.0):
    def squares(rest):
        if not rest:
            return 0.0
        return sum(np.vdot(g, g) for g in rest[0].grads.values() if g is not None) + squares(rest[1:])

    total_norm = float(squares(list(layers)) ** 0.5)
    if total_norm - total_norm != 0:
        raise ArithmeticError("NaN or inf")
    clip_coef = _shrink(layers, max_norm / total_norm) if total_norm > max_norm else 1.0
    return np.array(total_norm), np.array([clip_coef])


def _shrink(layers, factor):
    for g in _present(layers):
        g *= factor
    return factor


def reduced(layers, max_norm=1.0):
    gradients = _present(layers)
    if any(not np.isfinite(np.sum(g)) for g in gradients):
        raise ValueError("non-finite")
    total_norm = np.sqrt(functools.reduce(lambda total, g: total + np.sum(g * g), gradients, 0.0))
    if total_norm > max_norm:
        clip_coef = max_norm / total_norm
        [np.copyto(g, g * clip_coef) for g in gradients]
        return total_norm, clip_coef
    return total_norm, 1


def scaled_by_the_largest(layers, max_norm=1.0):
    _refuse(_present(layers))
    largest = max((np.abs(g).max() for g in _present(layers)), default=0.0)
    if not largest:
        return 0.0, 1.0
    total_norm = largest * np.sqrt(sum(np.sum((g / largest) ** 2) for g in _present(layers)))
    clip_coef = np.clip(max_norm / total_norm, 0.0, 1.0)
    if clip_coef < 1:
        for layer in layers:
            layer.grads = dict(zip(layer.grads, (g if g is None else clip_coef * g for g in layer.grads.values())))
    return total_norm, clip_coef


def names_of_parameters(layers, max_norm=1.0):
    """Gradients by the names of the parameters, a sum in extended precision, and a factor in single precision."""
    found = [(layer, name) for layer in layers for name in layer.params if layer.grads.get(name) is not None]
    if not all(np.isfinite(layer.grads[name]).all() for layer, name in found):
        raise OverflowError("a gradient is not finite")
    squares = (np.sum(np.square(layer.grads[name], dtype=np.longdouble)) for layer, name in found)
    total_norm = np.sqrt(sum(squares, np.longdouble(0)))
    clip_coef = np.float32(max_norm / max(total_norm, max_norm))
    if clip_coef < 1:
        for layer, name in found:
            layer.grads[name] = layer.grads[name] * clip_coef
    return total_norm, clip_coef


def the_four_names(layers, max_norm=1.0):
    """The lesson's layers have gradients of these names only."""
    names = ("W", "b", "gamma", "beta")
    found = [(x.grads, n) for x in layers for n in names if x.grads.get(n) is not None]
    _refuse([grads[n] for grads, n in found])
    total_norm = np.sqrt(sum(np.vdot(grads[n], grads[n]) for grads, n in found))
    if total_norm <= max_norm:
        return total_norm, 1.0
    for grads, n in found:
        grads[n] *= max_norm / total_norm
    return total_norm, max_norm / total_norm


VARIANTS = public(vars())
