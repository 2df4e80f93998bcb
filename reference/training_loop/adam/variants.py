"""A right way to write Adam that looks unlike the reference."""

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


VARIANTS = public(vars())
