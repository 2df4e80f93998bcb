"""Right ways to write Adam that look unlike the reference."""

from __future__ import annotations

import math

import numpy as np

from reference.bank import public
from reference.training_loop.adam.solution import Adam


class AsPyTorch(Adam):
    """In place, with the state of each array under its id."""

    def step(self, layers):
        self.t += 1
        for layer in layers:
            for name, p in layer.params.items():
                g = layer.grads.get(name)
                if g is None:
                    continue
                m = self.m.setdefault(id(p), np.zeros_like(p))
                v = self.v.setdefault(id(p), np.zeros_like(p))
                m += (g - m) * (1 - self.beta1)
                v *= self.beta2
                v += (1 - self.beta2) * np.square(g)
                denominator = np.sqrt(v) / math.sqrt(1 - self.beta2**self.t) + self.eps
                p += -(self.lr / (1 - self.beta1**self.t)) * m / denominator


class AllGradientsKept(Adam):
    """The averages as sums over all gradients so far, as in the paper's derivation."""

    def step(self, layers):
        self.t += 1
        for i, layer in enumerate(layers):
            for name, p in layer.params.items():
                if layer.grads[name] is None:
                    continue
                all_of_them = self.m.setdefault((i, name), [])
                all_of_them.append(layer.grads[name].copy())
                ages = range(len(all_of_them) - 1, -1, -1)
                first = [self.beta1**age for age in ages]
                second = [self.beta2**age for age in ages]
                m = sum(w * g for w, g in zip(first, all_of_them)) / sum(first)
                v = sum(w * g**2 for w, g in zip(second, all_of_them)) / sum(second)
                p -= self.lr * m / (np.sqrt(v) + self.eps)


class RunningProducts(Adam):
    """The powers of beta are carried along."""

    def step(self, layers):
        left = self.m.setdefault("left", [1.0, 1.0])
        left[0] *= self.beta1
        left[1] *= self.beta2
        for i, layer in enumerate(layers):
            for name in list(layer.params):
                g = layer.grads[name]
                if g is not None:
                    m, v = self.v.get((i, name), (0.0, 0.0))
                    m, v = m + (1 - self.beta1) * (g - m), v + (1 - self.beta2) * (g * g - v)
                    self.v[i, name] = m, v
                    root = np.sqrt(v / (1 - left[1]))
                    layer.params[name] -= self.lr * (m / (1 - left[0])) / (root + self.eps)


VARIANTS = public(vars())
