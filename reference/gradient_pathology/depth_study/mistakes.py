"""Known mistakes in `depth_study`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.layers import Linear, forward_backward
from reference.bank import Bank

bank = Bank(__file__, "depth_study")


def descend(layers: list[Any], lr: float) -> None:
    """One step of gradient descent on every parameter."""
    for layer in layers:
        for name in layer.params:
            layer.params[name] = layer.params[name] - lr * layer.grads[name]


def train(
    layers: list[Any],
    X: np.ndarray,
    t: np.ndarray,
    lr: float,
    steps: int,
    *,
    measure: Callable = forward_backward,
    update: Callable = descend,
    goes_on: Callable = lambda loss: True,
) -> dict[str, np.ndarray]:
    """The record of one depth, in steps that can be replaced; training ends early where `goes_on` says no."""
    losses, norms = [], []
    for _ in range(steps):
        loss, grad_norms = measure(layers, X, t)
        losses.append(loss)
        norms.append(grad_norms)
        if not goes_on(loss):
            break
        update(layers, lr)
    return {"loss": np.array(losses), "grad_norms": np.array(norms)}


def study(
    depths: list[int],
    build_network: Callable,
    X: np.ndarray,
    t: np.ndarray,
    lr: float = 0.1,
    steps: int = 200,
    seed: int = 0,
    *,
    train: Callable = train,
    start: Callable = lambda seed, depth: np.random.default_rng(seed),
    **parts: Callable,
) -> dict[int, Any]:
    """The reference, in steps that can be replaced."""
    return {depth: train(build_network(depth, start(seed, depth)), X, t, lr, steps, **parts) for depth in depths}


def measuring(change: Callable) -> Callable:
    """A `measure` whose gradient norms are `change(layers, norms)`."""

    def measure(layers, X, t):
        loss, norms = forward_backward(layers, X, t)
        return loss, change(layers, norms)

    return measure


def backward_with(loss_and_gradient: Callable) -> Callable:
    """A `measure` with a loss of its own: `loss_and_gradient(error)`."""

    def measure(layers, X, t):
        h = X
        for layer in layers:
            h = layer.forward(h)
        loss, dout = loss_and_gradient(h - t)
        for layer in reversed(layers):
            dout = layer.backward(dout)
        return loss, [np.linalg.norm(layer.grads["W"]) for layer in weight_layers(layers)]

    return measure


def weight_layers(layers: list[Any]) -> list[Any]:
    return [layer for layer in layers if isinstance(layer, Linear)]


def changed(change: Callable) -> Callable:
    """A `train` whose record is `change(record)`."""
    return lambda *args: change(train(*args))


# --- the same start for every depth ----------------------------------------------------------------------------------


@bank.add("depth-one-generator-for-all")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    rng = np.random.default_rng(seed)
    return study(depths, build_network, X, t, lr, steps, start=lambda *_: rng)


@bank.add("depth-seed-ignored")
def _(*args, **settings):
    return study(*args, start=lambda *_: np.random.default_rng(0), **settings)


@bank.add("depth-seed-differs-by-depth")
def _(*args, **settings):
    return study(*args, start=lambda seed, depth: np.random.default_rng(seed + depth), **settings)


@bank.add("depth-unseeded")
def _(*args, **settings):
    return study(*args, start=lambda *_: np.random.default_rng(), **settings)


@bank.add("depth-legacy-random-state")
def _(*args, **settings):
    return study(*args, start=lambda seed, depth: np.random.RandomState(seed), **settings)


@bank.add("depth-one-network-for-all")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    layers = build_network(depths[0], np.random.default_rng(seed))
    return study(depths, lambda *_: layers, X, t, lr, steps)


@bank.add("depth-nothing-learnt")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: None, **settings)


@bank.add("depth-counts-one-less")
def _(depths, build_network, *args, **settings):
    return study(depths, lambda depth, rng: build_network(depth + 1, rng), *args, **settings)


@bank.add("depth-built-in-every-step")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    def anew(depth):
        runs = [train(build_network(depth, np.random.default_rng(seed)), X, t, lr, 1) for _ in range(steps)]
        return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}

    return {depth: anew(depth) for depth in depths}


@bank.add("depth-seed-for-a-generator")
def _(*args, **settings):
    return study(*args, start=lambda seed, depth: seed, **settings)


# --- the update ------------------------------------------------------------------------------------------------------


@bank.add("depth-weights-only-updated")
def _(*args, **settings):
    def update(layers, lr):
        for layer in layers:
            if "W" in layer.params:
                layer.params["W"] = layer.params["W"] - lr * layer.grads["W"]

    return study(*args, update=update, **settings)


@bank.add("depth-update-asks-every-layer-for-w")
def _(*args, **settings):
    def update(layers, lr):
        for layer in layers:
            layer.params["W"] = layer.params["W"] - lr * layer.grads["W"]
            layer.params["b"] = layer.params["b"] - lr * layer.grads["b"]

    return study(*args, update=update, **settings)


@bank.add("depth-linear-layers-only-updated")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(weight_layers(layers), lr), **settings)


@bank.add("depth-only-w-and-b-updated")
def _(*args, **settings):
    def update(layers, lr):
        for layer in layers:
            for name in {"W", "b"} & layer.params.keys():
                layer.params[name] = layer.params[name] - lr * layer.grads[name]

    return study(*args, update=update, **settings)


@bank.add("depth-ascent")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, -lr), **settings)


@bank.add("depth-learning-rate-fixed")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 0.1), **settings)


@bank.add("depth-learning-rate-forgotten")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 1.0), **settings)


@bank.add("depth-learning-rate-by-depth")
def _(*args, **settings):
    def slower(layers, X, t, lr, steps):
        return train(layers, X, t, lr / len(weight_layers(layers)), steps)

    return study(*args, train=slower, **settings)


@bank.add("depth-learning-rate-decays")
def _(*args, **settings):
    def decaying(layers, X, t, lr, steps):
        rates = iter(lr * 0.9**step for step in range(steps))
        return train(layers, X, t, lr, steps, update=lambda layers, lr: descend(layers, next(rates)))

    return study(*args, train=decaying, **settings)


@bank.add("depth-momentum")
def _(*args, **settings):
    return study(*args, train=lambda *run: train(*run, update=remembering(0.9)), **settings)


@bank.add("depth-gradients-accumulate")
def _(*args, **settings):
    return study(*args, train=lambda *run: train(*run, update=remembering(1.0)), **settings)


def remembering(momentum: float) -> Callable:
    """An `update` by velocities, which are new with every call of this function."""
    velocities: dict[tuple[int, str], np.ndarray] = {}

    def update(layers, lr):
        for i, layer in enumerate(layers):
            for name in layer.params:
                velocities[i, name] = momentum * velocities.get((i, name), 0.0) + layer.grads[name]
                layer.params[name] = layer.params[name] - lr * velocities[i, name]

    return update


@bank.add("depth-two-updates-a-step")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 2 * lr), **settings)


@bank.add("depth-gradients-clipped")
def _(*args, **settings):
    def update(layers, lr):
        total = np.sqrt(sum(np.sum(g**2) for layer in layers for g in layer.grads.values()))
        descend(layers, lr * min(1.0, 0.1 / total))

    return study(*args, update=update, **settings)


@bank.add("depth-mini-batches")
def _(*args, **settings):
    rng = np.random.default_rng(0)

    def measure(layers, X, t):
        rows = rng.choice(len(X), len(X) // 2, replace=False)
        return forward_backward(layers, X[rows], t[rows])

    return study(*args, measure=measure, **settings)


@bank.add("depth-first-examples-only")
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X[:32], t[:32], *args, **settings)


@bank.add("depth-clipped-in-place")
def _(*args, **settings):
    def update(layers, lr):
        total = np.sqrt(sum(np.sum(g**2) for layer in layers for g in layer.grads.values()))
        for layer in layers:
            layer.grads = {name: g * min(1.0, 0.1 / total) for name, g in layer.grads.items()}
        descend(layers, lr)

    return study(*args, update=update, **settings)


@bank.add("depth-update-after-the-loop")
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps, update=lambda layers, lr: None)
        descend(layers, lr)
        return run

    return study(*args, train=later, **settings)


# --- the loss --------------------------------------------------------------------------------------------------------


@bank.add("depth-summed-squares")
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.sum(error**2), 2 * error)), **settings)


@bank.add("depth-mean-over-examples-only")
def _(*args, **settings):
    return study(
        *args, measure=backward_with(lambda error: (np.sum(error**2) / len(error), 2 * error / len(error))), **settings
    )


@bank.add("depth-half-squared-error")
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.mean(error**2) / 2, error / error.size)), **settings)


@bank.add("depth-gradient-without-two")
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.mean(error**2), error / error.size)), **settings)


@bank.add("depth-root-of-the-loss")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": np.sqrt(run["loss"])}), **settings)


@bank.add("depth-half-the-loss-recorded")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": run["loss"] / 2}), **settings)


@bank.add("depth-loss-smoothed")
def _(*args, **settings):
    def smooth(run):
        return run | {"loss": np.convolve(run["loss"], [0.5, 0.5])[: len(run["loss"])]}

    return study(*args, train=changed(smooth), **settings)


@bank.add("depth-loss-after-update")
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][1:], "grad_norms": run["grad_norms"][:-1]}

    return study(*args, train=later, **settings)


@bank.add("depth-both-after-update")
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        return {name: values[1:] for name, values in train(layers, X, t, lr, steps + 1).items()}

    return study(*args, train=later, **settings)


@bank.add("depth-overflow-becomes-numbers")
def _(*args, **settings):
    def numbers(run):
        return {name: np.nan_to_num(values) for name, values in run.items()}

    return study(*args, train=changed(numbers), **settings)


@bank.add("depth-targets-flattened")
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, t.ravel(), *args, **settings)


@bank.add("depth-inputs-rescaled")
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, (X - X.mean(axis=0)) / X.std(axis=0), t, *args, **settings)


@bank.add("depth-targets-rescaled")
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, (t - t.mean(axis=0)) / t.std(axis=0), *args, **settings)


@bank.add("depth-targets-centred")
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, t - t.mean(axis=0), *args, **settings)


@bank.add("depth-losses-added-up")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": np.cumsum(run["loss"])}), **settings)


@bank.add("depth-losses-are-texts")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": [f"{loss:.4f}" for loss in run["loss"]]}), **settings)


# --- the gradient norms ----------------------------------------------------------------------------------------------


@bank.add("depth-norms-output-side-first")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: norms[::-1]), **settings)


@bank.add("depth-norms-after-update")
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][:-1], "grad_norms": run["grad_norms"][1:]}

    return study(*args, train=later, **settings)


@bank.add("depth-norms-of-first-step")
def _(*args, **settings):
    def first(run):
        return run | {"grad_norms": np.tile(run["grad_norms"][0], (len(run["loss"]), 1))}

    return study(*args, train=changed(first), **settings)


@bank.add("depth-norms-of-last-step")
def _(*args, **settings):
    def last(run):
        return run | {"grad_norms": np.tile(run["grad_norms"][-1], (len(run["loss"]), 1))}

    return study(*args, train=changed(last), **settings)


@bank.add("depth-norms-with-bias")
def _(*args, **settings):
    def with_bias(layers, norms):
        biases = [np.linalg.norm(layer.grads["b"]) for layer in weight_layers(layers)]
        return np.hypot(norms, biases)

    return study(*args, measure=measuring(with_bias), **settings)


@bank.add("depth-norms-of-weights")
def _(*args, **settings):
    def of_weights(layers, norms):
        return [np.linalg.norm(layer.params["W"]) for layer in weight_layers(layers)]

    return study(*args, measure=measuring(of_weights), **settings)


@bank.add("depth-mean-absolute-gradient")
def _(*args, **settings):
    def mean_absolute(layers, norms):
        return [np.abs(layer.grads["W"]).mean() for layer in weight_layers(layers)]

    return study(*args, measure=measuring(mean_absolute), **settings)


@bank.add("depth-squared-norms")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.square(norms)), **settings)


@bank.add("depth-norms-in-decades")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.log10(norms)), **settings)


@bank.add("depth-norms-relative-to-output-layer")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.array(norms) / norms[-1]), **settings)


@bank.add("depth-norms-sorted")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: sorted(norms, reverse=True)), **settings)


@bank.add("depth-norms-ask-every-layer-for-w")
def _(*args, **settings):
    def of_every_layer(layers, norms):
        return [np.linalg.norm(layer.grads["W"]) for layer in layers]

    return study(*args, measure=measuring(of_every_layer), **settings)


@bank.add("depth-one-norm-a-step")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.mean(norms)), **settings)


@bank.add("depth-every-other-layer-taken-for-linear")
def _(*args, **settings):
    def every_other(layers, norms):
        found = [np.linalg.norm(layer.grads.get("W", 0.0)) for layer in layers[::2]]
        return (found + [0.0] * len(norms))[: len(norms)]

    return study(*args, measure=measuring(every_other), **settings)


@bank.add("depth-activations-counted")
def _(*args, **settings):
    def of_all_layers(layers, norms):
        return [np.linalg.norm(layer.grads.get("W", 0.0)) for layer in layers]

    return study(*args, measure=measuring(of_all_layers), **settings)


@bank.add("depth-norm-of-last-layer-only")
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: norms[-1:]), **settings)


@bank.add("depth-norms-never-emptied")
def _(*args, **settings):
    def growing(run):
        steps, norms = len(run["loss"]), run["grad_norms"].ravel()
        return run | {"grad_norms": np.tile(norms, (steps, 1))}

    return study(*args, train=changed(growing), **settings)


@bank.add("depth-norms-in-one-list")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"grad_norms": run["grad_norms"].ravel()}), **settings)


@bank.add("depth-norms-missing")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: {"loss": run["loss"]}), **settings)


@bank.add("depth-invented-curves")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return {
        depth: {
            "loss": 1 / np.arange(1, steps + 1),
            "grad_norms": np.outer(np.ones(steps), 0.25 ** np.arange(depth)[::-1]),
        }
        for depth in depths
    }


# --- the form of the result ------------------------------------------------------------------------------------------


@bank.add("depth-keys-are-words")
def _(*args, **settings):
    return {str(depth): run for depth, run in study(*args, **settings).items()}


@bank.add("depth-other-names")
def _(*args, **settings):
    return study(
        *args, train=changed(lambda run: {"losses": run["loss"], "gradient_norms": run["grad_norms"]}), **settings
    )


@bank.add("depth-only-last")
def _(depths, *args, **settings):
    return study(depths[-1:], *args, **settings)


@bank.add("depth-only-first")
def _(depths, *args, **settings):
    return study(depths[:1], *args, **settings)


@bank.add("depth-only-last-has-its-key")
def _(depths, *args, **settings):
    return {depth if depth == depths[-1] else "x": run for depth, run in study(depths, *args, **settings).items()}


@bank.add("depth-first-relabelled")
def _(depths, *args, **settings):
    (first,) = study(depths[:1], *args, **settings).values()
    steps = len(first["loss"])
    return {d: first | {"grad_norms": np.resize(first["grad_norms"], (steps, d))} for d in depths}


@bank.add("depth-lists-shared")
def _(*args, **settings):
    losses, norms = [], []

    def shared(run):
        losses.extend(run["loss"])
        norms.extend(run["grad_norms"])
        return {"loss": losses, "grad_norms": norms}

    return study(*args, train=changed(shared), **settings)


@bank.add("depth-losses-shared")
def _(*args, **settings):
    losses = []

    def shared(run):
        losses.extend(run["loss"])
        return run | {"loss": losses}

    return study(*args, train=changed(shared), **settings)


@bank.add("depth-curves-as-a-pair")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: tuple(run.values())), **settings)


@bank.add("depth-curves-before-depths")
def _(*args, **settings):
    runs = study(*args, **settings)
    return {name: {depth: run[name] for depth, run in runs.items()} for name in ("loss", "grad_norms")}


@bank.add("depth-norms-transposed")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"grad_norms": run["grad_norms"].T}), **settings)


@bank.add("depth-last-loss-only")
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": run["loss"][-1]}), **settings)


@bank.add("depth-last-values-only")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    last = changed(lambda run: {name: values[-1] for name, values in run.items()})
    return study(depths, build_network, X, t, lr, steps, seed, train=last)


@bank.add("depth-list-of-runs")
def _(*args, **settings):
    return list(study(*args, **settings).values())


@bank.add("depth-returns-nothing")
def _(*args, **settings):
    study(*args, **settings)


@bank.add("depth-steps-ignored")
def _(*args, **settings):
    return study(*args, **settings | {"steps": 200})


@bank.add("depth-one-record-too-many")
def _(*args, **settings):
    return study(*args, train=lambda layers, X, t, lr, steps: train(layers, X, t, lr, steps + 1), **settings)


@bank.add("depth-one-record-too-few")
def _(*args, **settings):
    return study(*args, train=lambda layers, X, t, lr, steps: train(layers, X, t, lr, steps - 1), **settings)


@bank.add("depth-start-recorded-twice")
def _(*args, **settings):
    def twice(run):
        return {name: np.concatenate([rows[:1], rows]) for name, rows in run.items()}

    return study(*args, train=changed(twice), **settings)


@bank.add("depth-row-0-left-empty")
def _(*args, **settings):
    return study(*args, train=padded(1, 0), **settings)


@bank.add("depth-last-row-left-empty")
def _(*args, **settings):
    return study(*args, train=padded(0, 1), **settings)


def padded(before: int, after: int) -> Callable:
    """A `train` that leaves so many rows of its arrays at zero."""

    def shorter(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps - before - after)
        return {name: np.pad(rows, [(before, after), *[(0, 0)] * (rows.ndim - 1)]) for name, rows in run.items()}

    return shorter


@bank.add("depth-returns-after-the-first-step")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return study(depths[:1], build_network, X, t, lr, 1, seed)


# --- overflow --------------------------------------------------------------------------------------------------------


@bank.add("depth-stops-at-overflow")
def _(*args, **settings):
    return study(*args, goes_on=np.isfinite, **settings)


@bank.add("depth-stops-before-nan")
def _(*args, **settings):
    def finite(run):
        n = np.argmax(np.isnan([*run["loss"], np.nan]))
        return {name: rows[:n] for name, rows in run.items()}

    return study(*args, train=changed(finite), **settings)


@bank.add("depth-raises-at-overflow")
def _(*args, **settings):
    def goes_on(loss):
        if not np.isfinite(loss):
            raise FloatingPointError("the loss is not finite")
        return True

    return study(*args, goes_on=goes_on, **settings)


@bank.add("depth-overflowing-run-left-out")
def _(*args, **settings):
    return {depth: run for depth, run in study(*args, **settings).items() if np.isfinite(run["loss"]).all()}


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add("depth-reversed-and-after-update")
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][1:], "grad_norms": run["grad_norms"][1:, ::-1]}

    return study(*args, train=later, **settings)


@bank.add("depth-one-generator-and-weights-only")
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    rng = np.random.default_rng(seed)

    def update(layers, lr):
        for layer in weight_layers(layers):
            layer.params["W"] = layer.params["W"] - lr * layer.grads["W"]

    return study(depths, build_network, X, t, lr, steps, start=lambda *_: rng, update=update)


@bank.add("depth-half-squared-error-and-bias-in-norms")
def _(*args, **settings):
    halved = backward_with(lambda error: (np.mean(error**2) / 2, error / error.size))

    def measure(layers, X, t):
        loss, norms = halved(layers, X, t)
        return loss, np.hypot(norms, [np.linalg.norm(layer.grads["b"]) for layer in weight_layers(layers)])

    return study(*args, measure=measure, **settings)


@bank.add("depth-linear-only-and-learning-rate-fixed")
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(weight_layers(layers), 0.1), **settings)
