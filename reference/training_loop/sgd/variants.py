"""Right ways to write SGD that look unlike the reference."""

from __future__ import annotations

import numpy as np

from reference.bank import public
from reference.training_loop.sgd.solution import SGD


class KeyedByArray(SGD):
    """The state belongs to the array itself; an old array keeps its id."""

    def step(self, layers):
        for layer in layers:
            for name, p in layer.params.items():
                g = layer.grads.get(name)
                if g is None:
                    continue
                v = self.velocity.setdefault(id(p), np.zeros_like(p))
                v *= self.momentum
                v += g
                p -= self.lr * v


class ListOfPairs(SGD):
    """All parameters in one list, made anew in each step, and a list of velocities beside it."""

    def step(self, layers):
        names = [(layer, name) for layer in layers for name in sorted(layer.params)]
        if not self.velocity:
            self.velocity = [np.zeros(layer.params[name].shape) for layer, name in names]
        for (layer, name), v in zip(names, self.velocity):
            if layer.grads[name] is None:
                continue
            v[...] = self.momentum * v + layer.grads[name]
            np.subtract(layer.params[name], self.lr * v, out=layer.params[name])


class VelocityOnLayer(SGD):
    """The state lies on the layer, named after this optimizer."""

    def step(self, layers):
        for layer in layers:
            state = self.velocity.setdefault(id(layer), {})
            for name in ("W", "b"):
                if name in layer.params and layer.grads[name] is not None:
                    if name not in state:
                        state[name] = layer.grads[name].copy()
                    else:
                        state[name] = self.momentum * state[name] + layer.grads[name]
                    layer.params[name][:] = layer.params[name] - self.lr * state[name]


class LastStepKept(SGD):
    """What is kept is the last step itself, not a velocity."""

    def step(self, layers):
        kept = {}
        for i in reversed(range(len(layers))):
            for name, g in layers[i].grads.items():
                if g is None:
                    continue
                change = -self.lr * g
                if (i, name) in self.velocity:
                    change = change + self.momentum * self.velocity[i, name]
                kept[i, name] = change
                layers[i].params[name] += change
        self.velocity = kept


VARIANTS = public(vars())
