"""Right training loops that look unlike the reference."""

from __future__ import annotations

from functools import reduce

import numpy as np

from autograder.layers import MSELoss, forward_backward
from reference.bank import public


def library_does_the_passes(layers, optimizer, X, t, epochs, batch_size, rng):
    losses = []
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for rows in np.split(order, range(batch_size, len(X), batch_size)):
            losses.append(forward_backward(layers, X[rows], t[rows])[0])
            optimizer.step(layers)
    return losses


def shuffled_copies(layers, optimizer, X, t, epochs, batch_size, rng):
    losses = np.zeros(0)
    for _ in range(epochs):
        order = np.arange(len(X))
        rng.shuffle(order)
        Xs, ts = X[order], t[order]
        for i in range((len(X) + batch_size - 1) // batch_size):
            xb, tb = (a[i * batch_size : i * batch_size + batch_size] for a in (Xs, ts))
            y = reduce(lambda h, layer: layer.forward(h), layers, xb)
            losses = np.append(losses, ((y - tb) ** 2).mean())
            dout = 2 / y.size * (y - tb)
            for layer in layers[::-1]:
                dout = layer.backward(dout)
            optimizer.step(layers)
    return losses


def order_shuffled_further(layers, optimizer, X, t, epochs, batch_size, rng):
    """One order, shuffled again in each epoch; the rest is a while loop."""
    loss_fn, losses, order = MSELoss(), [], list(range(len(X)))
    for _ in range(epochs):
        rng.shuffle(order)
        left = order[:]
        while left:
            rows, left = left[:batch_size], left[batch_size:]
            out = X[rows]
            for layer in layers:
                out = layer.forward(out)
            losses += [float(loss_fn.forward(out, t[rows]))]
            gradient = loss_fn.backward()
            for i in range(len(layers) - 1, -1, -1):
                gradient = layers[i].backward(gradient)
            optimizer.step(layers)
    return losses


def sorted_random_numbers(layers, optimizer, X, t, epochs, batch_size, rng):
    losses = []
    n = X.shape[0]
    for _ in range(epochs):
        order = np.argsort(rng.random(n))
        for start in range(0, n, batch_size):
            rows = np.sort(order[start : start + batch_size])
            loss, _norms = forward_backward(layers, X[rows], t[rows])
            losses.append(np.array([loss]))
            optimizer.step(layers)
    return tuple(losses)


def everything_watched(layers, optimizer, X, t, epochs, batch_size, rng):
    """Looks at the loss of all data, before and after each step."""
    loss_fn, whole, losses = MSELoss(), [], []

    def forward(x):
        for layer in layers:
            x = layer.forward(x)
        return x

    for _ in range(epochs):
        data = np.concatenate([X, t], axis=1)
        rng.shuffle(data, axis=0)
        for start in range(0, len(X), batch_size):
            batch = data[start : start + batch_size]
            x, target = batch[:, : X.shape[1]], batch[:, X.shape[1] :]
            whole.append(MSELoss().forward(forward(X), t))
            losses.append(loss_fn.forward(forward(x), target))
            dout = loss_fn.backward()
            for layer in reversed(layers):
                dout = layer.backward(dout)
            before = losses[-1]
            optimizer.step(layers)
            assert before == losses[-1]
            whole.append(MSELoss().forward(forward(X), t))
    return losses


def drawn_by_choice(layers, optimizer, X, t, epochs, batch_size, rng):
    steps = []
    for _ in range(epochs):
        left = set(range(len(X)))
        while left:
            rows = rng.choice(sorted(left), size=min(batch_size, len(left)), replace=False)
            left -= set(rows.tolist())
            steps.append(forward_backward(layers, X[rows, :], t[rows, :])[0])
            optimizer.step(layers)
    return steps


VARIANTS = public(vars())
