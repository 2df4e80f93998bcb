"""The reference solutions are right: against closed forms that share no line with them, and against PyTorch.

`pytorch_values.npz` holds PyTorch's answers and was made by `make_pytorch_values.py`.
"""

from pathlib import Path

import numpy as np
import pytest

from autograder.exercises import assignments
from autograder.grading.reference import Reference
from autograder.layers import ACTIVATIONS, Linear, Problem

EXACT = 1e-12
"""Share of the natural scale. Two correct float64 forms of these formulas differ by 4e-14 of it at most (200 seeds)."""


@pytest.fixture
def rng():
    return np.random.default_rng(76)


@pytest.fixture(scope="module")
def solved():
    """Every name that the reference defines."""
    reference = Reference(Path(__file__).parents[1])
    exercises = assignments()["gradient-pathology"]
    return {e.defines: getattr(reference.implementation(e), e.defines) for e in exercises}


def close(got, expected, tolerance=EXACT, axis=None):
    """Equal but for `tolerance` of the largest expected value (of each column, with axis=0)."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = np.max(np.abs(expected), axis=axis)
    assert np.max(np.abs(got - expected) / np.where(scale > 0, scale, 1)) < tolerance


# --- against closed forms ---------------------------------------------------------------------------------------------


def test_running_statistics_are_a_geometric_mean_of_batches(solved, rng):
    """After batches 1..k: m^k * initial + sum of (1 - m) m^(k - i) * batch_i."""
    momentum, batches = 0.7, [rng.standard_normal((n, 2)) + 3 for n in (5, 8, 6)]
    layer = solved["BatchNorm"](2, momentum=momentum)
    for batch in batches:
        layer.forward(batch)
    weights = [0.3 * 0.7**2, 0.3 * 0.7, 0.3]
    close(layer.running_mean, sum(w * np.add.reduce(b) / len(b) for w, b in zip(weights, batches, strict=True)))
    variances = [np.add.reduce(b**2) / len(b) - (np.add.reduce(b) / len(b)) ** 2 for b in batches]
    close(layer.running_var, 0.7**3 + sum(w * v for w, v in zip(weights, variances, strict=True)))


def network_with(*grads):
    """Layers that hold these gradients."""
    layers = [Linear(2, 2) for _ in grads]
    for layer, values in zip(layers, grads, strict=True):
        layer.grads = {name: None if g is None else np.array(g, dtype=float) for name, g in values.items()}
    return layers


def as_one_vector(layers):
    return np.concatenate([g.ravel() for layer in layers for g in layer.grads.values() if g is not None])


def test_the_norm_of_three_and_four_is_five(solved):
    layers = network_with({"W": [[3.0]], "b": None}, {}, {"gamma": [4.0]})
    assert solved["clip_gradients"](layers, max_norm=2.5) == (5.0, 0.5)
    np.testing.assert_array_equal(as_one_vector(layers), [1.5, 2.0])
    assert layers[0].grads["b"] is None
    assert solved["clip_gradients"](layers, max_norm=7.0) == (2.5, 1.0)
    np.testing.assert_array_equal(as_one_vector(layers), [1.5, 2.0])


def normal_equations(y):
    """The slope of the line through (i, y_i): (n sum(i y) - sum(i) sum(y)) / (n sum(i^2) - sum(i)^2)."""
    n, i = len(y), range(len(y))
    return (n * sum(a * b for a, b in zip(i, y, strict=True)) - sum(i) * sum(y)) / (
        n * sum(a * a for a in i) - sum(i) ** 2
    )


@pytest.mark.parametrize("n", [2, 3, 20])
def test_the_slope_solves_the_normal_equations(solved, rng, n):
    decades = rng.uniform(-12, 3, n)
    assert solved["gradient_slope"](list(10**decades)) == pytest.approx(normal_equations(decades), rel=1e-10)


def test_a_tenth_per_layer_is_one_decade_and_zero_the_smallest_normal_number(solved):
    assert solved["gradient_slope"]([1e-3, 1e-2, 1e-1]) == pytest.approx(1.0, rel=EXACT)
    tiny = np.log10(np.finfo(float).tiny)
    assert solved["gradient_slope"](np.array([0.0, 1.0])) == pytest.approx(-tiny, rel=EXACT)


def test_the_monitor_names_each_illness(solved):
    monitor = solved["GradientMonitor"]()
    assert monitor.detect_problems() == []
    monitor.history = [
        (3, {"Linear_0": 1e-9}),
        (8, {"Linear_0": 1e-8, "Linear_1": 1.0, "Linear_2": 2e3, "Linear_3": np.inf}),
    ]
    assert monitor.detect_problems() == [
        Problem("Linear_0", "vanishing", 1e-8, 8),
        Problem("Linear_2", "exploding", 2e3, 8),
        Problem("Linear_3", "nonfinite", np.inf, 8),
    ]


# --- against PyTorch -------------------------------------------------------------------------------------------------


def pytorch_values():
    """group -> case -> name -> value."""
    groups = {}
    with np.load(Path(__file__).with_name("pytorch_values.npz")) as values:
        for path in values.files:
            if path.count("/") == 2:
                group, case, name = path.split("/")
                groups.setdefault(group, {}).setdefault(case, {})[name] = values[path]
    return groups


PYTORCH = pytorch_values()


def cases(group):
    return pytest.mark.parametrize("values", PYTORCH[group].values(), ids=PYTORCH[group])


@cases("batch_norm")
def test_batch_norm_agrees_with_pytorch(solved, values):
    layer = solved["BatchNorm"](len(values["gamma"]), eps=float(values["eps"]), momentum=float(values["momentum"]))
    for suffix in ("", "_predict"):
        layer.training = not suffix
        layer.params["gamma"], layer.params["beta"] = values["gamma"], values["beta"]
        x, dout = values[f"x{suffix}"], values[f"dout{suffix}"]
        close(layer.forward(x), values[f"y{suffix}"], axis=0)
        dx = layer.backward(dout)
        # The natural scale of dx: what it would be if mean and variance were constants.
        variance = np.var(x, axis=0) if layer.training else values["running_var"]
        scale = np.abs(values["gamma"] * dout).max(axis=0) / np.sqrt(variance + values["eps"])
        assert np.max(np.abs(dx - values[f"dx{suffix}"]) / scale) < EXACT
        close(layer.grads["gamma"], values[f"dgamma{suffix}"])
        close(layer.grads["beta"], values[f"dbeta{suffix}"])
        close(layer.running_mean, values["running_mean"])
        close(layer.running_var, values["running_var"])


@cases("clip")
def test_clipping_agrees_with_pytorch(solved, values):
    names = [name for name in values if name.startswith("grad")]
    layers = network_with({name: values[name] for name in names})
    norm, _ = solved["clip_gradients"](layers, float(values["max_norm"]))
    assert norm == pytest.approx(float(values["total_norm"]), rel=EXACT)
    # PyTorch divides by norm + 1e-6, which shortens the gradients by another 1e-6 / norm.
    for name in names:
        close(layers[0].grads[name], values[name.replace("grad", "clipped")], 1.01e-6 / norm + EXACT)


@cases("network")
def test_training_agrees_with_pytorch(solved, values, request):
    weights = [values[name] for name in values if name.startswith("W")]
    activation = request.node.callspec.id.split("_")[0]

    def build(depth, rng):
        layers = []
        for i, weight in enumerate(weights):
            layers.append(Linear(*weight.shape))
            layers[-1].params["W"] = weight.copy()
            if i < depth - 1:
                layers += [solved["BatchNorm"](weight.shape[1])] * request.node.callspec.id.endswith("batch_norm")
                layers.append(ACTIVATIONS[activation]())
        return layers

    depth, steps = len(weights), len(values["loss"])
    run = solved["depth_study"]([depth], build, values["X"], values["t"], lr=float(values["lr"]), steps=steps)[depth]
    close(run["loss"], values["loss"], 1e-10)  # rounding grows from step to step
    close(run["grad_norms"], values["grad_norms"], 1e-10, axis=0)
