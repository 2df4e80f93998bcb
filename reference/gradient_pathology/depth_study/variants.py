"""Right ways to write the depth study that look unlike the reference."""

from __future__ import annotations

import copy

import numpy as np

from autograder.layers import Linear, MSELoss, forward_backward
from reference.bank import public


def own_loop_and_loss(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    result = {}
    for depth in depths:
        net = build_network(depth, np.random.default_rng(seed))
        loss = np.zeros(steps)
        grad_norms = np.zeros((steps, depth))
        for step in range(steps):
            y = X
            for layer in net:
                y = layer.forward(y)
            loss[step] = ((y - t) ** 2).sum() / y.size
            dout = (y - t) * (2.0 / y.size)
            for layer in net[::-1]:
                dout = layer.backward(dout)
            linear = [layer for layer in net if isinstance(layer, Linear)]
            for i, layer in enumerate(linear):
                grad_norms[step, i] = np.sqrt((layer.grads["W"] ** 2).sum())
            for layer in net:
                for key in layer.params:
                    layer.params[key] -= lr * layer.grads[key]
        result[depth] = {"loss": loss, "grad_norms": grad_norms}
    return result


def _descend(layers, lr):
    for layer in layers:
        for name, parameter in layer.params.items():
            np.subtract(parameter, lr * layer.grads[name], out=parameter)


def lists_of_plain_floats(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    def run(depth):
        layers = build_network(depth, np.random.default_rng(seed))
        record = {"loss": [], "grad_norms": []}
        for _ in range(steps):
            loss, norms = forward_backward(layers, X, t)
            record["loss"].append(float(loss))
            record["grad_norms"].append([float(norm) for norm in norms])
            for layer in layers:
                layer.params = {name: p - lr * layer.grads[name] for name, p in layer.params.items()}
        return record

    return dict(zip(depths, map(run, depths)))


def lists_of_numpy_floats(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    runs = {}
    for depth in reversed(depths):
        layers, loss_fn = build_network(depth, np.random.default_rng(seed)), MSELoss()
        runs[depth] = {"loss": [], "grad_norms": []}
        while len(runs[depth]["loss"]) < steps:
            h = X
            for layer in layers:
                h = layer.forward(h)
            runs[depth]["loss"] += [np.float64(loss_fn.forward(h, t))]
            norms, dout = [], loss_fn.backward()
            for layer in reversed(layers):
                dout = layer.backward(dout)
                if isinstance(layer, Linear):
                    norms.insert(0, np.linalg.norm(layer.grads["W"]))
                for name, gradient in layer.grads.items():  # dout is through: this layer may change now
                    layer.params[name] = layer.params[name] + (-lr) * gradient
            runs[depth]["grad_norms"].append(np.array(norms))
    return runs


def side_by_side(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    """All depths take their first step, then all their second."""
    networks = {depth: build_network(depth, np.random.default_rng(seed)) for depth in depths}
    results = {depth: {"grad_norms": [], "loss": []} for depth in depths}
    for _ in range(steps):
        for depth, layers in networks.items():
            loss, norms = forward_backward(layers, X, t)
            results[depth]["loss"].append(loss)
            results[depth]["grad_norms"].append(norms)
            for layer in layers:
                for name in reversed(layer.params):
                    layer.params[name] *= 1.0
                    layer.params[name] -= np.multiply(lr, layer.grads[name])
    return results


def recursive_on_copies(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    if not depths:
        return {}
    depth, *rest = depths
    layers = copy.deepcopy(build_network(depth, np.random.default_rng(seed)))
    losses, norms = [], []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            loss, row = forward_backward(copy.deepcopy(layers), X.copy(), t.copy())
            losses.append(loss)
            norms.append(row)
            forward_backward(layers, X, t)
            _descend(layers, lr)
    return {depth: {"loss": losses, "grad_norms": norms}} | recursive_on_copies(
        rest, build_network, X, t, lr, steps, seed
    )


def one_run_for_each_curve(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    """The norms come from a second run on a network of copied layers."""

    def run(depth, part):
        layers = [copy.deepcopy(layer) for layer in build_network(depth, np.random.default_rng(seed))]
        rows = []
        for _ in range(steps):
            rows.append(forward_backward(layers, X, t)[part])
            _descend(layers, lr)
        return rows

    return {depth: {"loss": run(depth, 0), "grad_norms": run(depth, 1)} for depth in depths}


def names_of_the_lesson(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    """Each parameter by its name; the norms lie transposed in memory."""
    runs = {}
    for depth in map(np.int64, depths):
        layers, loss, norms = (
            build_network(depth, np.random.default_rng(seed)),
            np.zeros(steps),
            np.zeros((depth, steps)),
        )
        for step in range(steps):
            loss[step], norms[:, step] = forward_backward(layers, X, t)
            for layer in layers:
                for name in ("W", "b", "gamma", "beta"):
                    if name in layer.params:
                        np.copyto(layer.params[name], layer.params[name] - lr * layer.grads[name])
        runs[depth] = {"loss": loss, "grad_norms": norms.T}
    return runs


VARIANTS = public(vars())
