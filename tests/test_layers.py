"""The course library: every derivative is exact, every refusal says what to do."""

import warnings

import numpy as np
import pytest

from autograder import layers as library
from autograder.checks.numeric import central_differences
from autograder.layers import (
    ACTIVATIONS,
    Layer,
    LeakyReLU,
    Linear,
    MSELoss,
    Problem,
    ReLU,
    Sigmoid,
    Tanh,
    build_deep_network,
    forward_backward,
)
from autograder.locale import speaking

STEP = 1e-5
TOLERANCE = 1e-9
"""Central differences with this step err by 4.2e-11 of the gradient's scale at most (these layers, 200 draws)."""


@pytest.fixture
def rng():
    return np.random.default_rng(76)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def close(got, expected, tolerance=1e-13):
    """Equal but for rounding; 1e-13 is some hundred units in the last place of the largest value."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


def away_from_zero(rng, shape=(6, 4)):
    """Values on both sides of the kink of ReLU, none within a step of it."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.1, 3, shape)


# --- derivatives ---------------------------------------------------------------------------------------------------

LAYERS = {
    "Sigmoid": Sigmoid,
    "Tanh": Tanh,
    "ReLU": ReLU,
    "LeakyReLU": LeakyReLU,
    "LeakyReLU with another slope": lambda: LeakyReLU(0.3),
    "Linear": lambda: Linear(4, 3, rng=np.random.default_rng(1)),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_backward_is_the_derivative_of_forward(make, rng):
    layer, x = make(), away_from_zero(rng)
    dout = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    close(dx, central_differences(layer.forward, x, dout, STEP), TOLERANCE)


@pytest.mark.parametrize("layer, slope", [(ReLU(), 0.0), (LeakyReLU(), 0.01), (LeakyReLU(0.3), 0.3)])
def test_rectifiers_keep_positives_and_scale_the_rest_zero_included(layer, slope):
    x, dout = np.array([[-2.0, 0.0, 3.0]]), np.array([[10.0, 20.0, 30.0]])
    close(layer.forward(x), [[-2 * slope, 0.0, 3.0]])
    close(layer.backward(dout), [[10 * slope, 20 * slope, 30.0]])


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_leaves_its_arguments_alone_and_repeats_itself(make, rng):
    layer, x = make(), away_from_zero(rng)
    before = x.copy()
    dout = rng.standard_normal(layer.forward(x).shape)
    dout_before = dout.copy()
    np.testing.assert_array_equal(layer.backward(dout), layer.backward(dout))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(dout, dout_before)


def test_sigmoid_saturates_without_overflow():
    layer = Sigmoid()
    np.testing.assert_array_equal(layer.forward(np.array([[-1000.0, 0.0, 1000.0]])), [[0.0, 0.5, 1.0]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 3))), [[0.0, 0.25, 0.0]])


def test_sigmoid_keeps_full_precision_in_its_lower_tail():
    close(Sigmoid().forward(np.array([-700.0])) / np.exp(-700.0), 1.0)


# --- layers --------------------------------------------------------------------------------------------------------


def test_a_new_layer_has_no_parameters_and_is_in_training():
    layer = ReLU()
    assert (layer.params, layer.grads, layer.cache, layer.training) == ({}, {}, {}, True)
    assert ReLU().params is not layer.params


def test_layer_itself_is_abstract():
    with pytest.raises(TypeError):
        Layer()


def test_what_the_library_says_is_public_exists():
    assert all(hasattr(library, name) for name in library.__all__)


DEVIATIONS = {"xavier": np.sqrt(2 / 500), "he": np.sqrt(2 / 300), "normal": 0.01, "large": 1.0}
"""For 300 inputs and 200 outputs: sqrt(2 / (in + out)) and sqrt(2 / in); the last two as CONTRACT says."""


@pytest.mark.parametrize("init, deviation", DEVIATIONS.items())
def test_each_init_has_its_deviation(init, deviation, rng):
    layer = Linear(300, 200, init=init, rng=rng)
    # The standard error of a deviation from n values is 1 / sqrt(2 n) of it, 0.3 % here; that of the mean 0.4 %.
    assert layer.params["W"].std() == pytest.approx(deviation, rel=0.012)
    assert abs(layer.params["W"].mean()) < 0.016 * deviation


def test_a_new_linear_layer_has_shapes_zero_bias_and_no_gradients():
    layer = Linear(4, 3)
    assert (layer.params["W"].shape, layer.params["W"].dtype) == ((4, 3), np.float64)
    np.testing.assert_array_equal(layer.params["b"], np.zeros(3))
    assert layer.grads == {"W": None, "b": None}


def test_linear_draws_from_the_generator_it_is_given_and_else_from_a_fresh_one():
    same = [Linear(4, 3, rng=np.random.default_rng(5)).params["W"] for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(Linear(4, 3).params["W"], Linear(4, 3).params["W"])


# --- loss ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3)])
def test_loss_is_the_mean_over_all_elements_and_backward_its_derivative(shape, rng):
    y, t = rng.standard_normal(shape), rng.standard_normal(shape)
    loss = MSELoss()
    assert loss.forward(y, t) == pytest.approx(sum((a - b) ** 2 for a, b in zip(y.flat, t.flat, strict=True)) / y.size)
    numerical = central_differences(lambda value: MSELoss().forward(value, t), y, np.ones(()), STEP)
    close(loss.backward(), numerical, TOLERANCE)
    close(loss.backward(), 2 * (y - t) / (shape[0] * shape[1]))


@pytest.mark.parametrize("y, t", [((4, 1), (4,)), ((4, 2), (4, 1)), ((3, 1), (4, 1))])
def test_loss_refuses_shapes_that_differ_and_names_both(y, t):
    with speaking("en"), pytest.raises(ValueError) as error:
        MSELoss().forward(np.zeros(y), np.zeros(t))
    assert str(error.value) == (
        f"MSELoss: predictions have shape {y} and targets have shape {t}; give both the same shape (N, D)."
    )


# --- networks ------------------------------------------------------------------------------------------------------


class Scale(Layer):
    """A stand-in for a normalisation: it only knows its width."""

    def __init__(self, n_features):
        super().__init__()
        self.n_features = n_features

    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


@pytest.mark.parametrize("n_layers", [2, 3, 10])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_has_n_linear_layers_with_an_activation_between_each_two(n_layers, activation):
    kinds = [type(layer) for layer in build_deep_network(n_layers, activation)]
    assert kinds == [Linear, ACTIVATIONS[activation]] * (n_layers - 1) + [Linear]


def test_norm_stands_before_each_activation_with_the_width_of_its_input():
    network = build_deep_network(3, "tanh", norm=Scale, width=7)
    assert [type(layer) for layer in network] == [Linear, Scale, Tanh, Linear, Scale, Tanh, Linear]
    assert [layer.n_features for layer in network if isinstance(layer, Scale)] == [7, 7]


def test_sizes_run_from_in_features_through_width_to_out_features():
    network = build_deep_network(4, width=7, in_features=3, out_features=2)
    shapes = [layer.params["W"].shape for layer in network if isinstance(layer, Linear)]
    assert shapes == [(3, 7), (7, 7), (7, 7), (7, 2)]


def test_the_defaults_are_a_sigmoid_network_from_two_features_to_one():
    network = build_deep_network(2)
    assert [type(layer) for layer in network] == [Linear, Sigmoid, Linear]
    assert [network[0].params["W"].shape, network[2].params["W"].shape] == [(2, 10), (10, 1)]


@pytest.mark.parametrize("change", [{"norm": Scale}, {"activation": "relu"}])
def test_networks_that_differ_in_norm_or_activation_start_from_the_same_weights(change):
    plain, changed = (
        [
            layer.params["W"]
            for layer in build_deep_network(5, rng=np.random.default_rng(3), **kw)
            if isinstance(layer, Linear)
        ]
        for kw in ({}, change)
    )
    assert all(map(np.array_equal, plain, changed))


def test_init_reaches_every_linear_layer(rng):
    network = build_deep_network(4, init="normal", width=200, rng=rng)
    assert all(layer.params["W"].std() < 0.012 for layer in network if isinstance(layer, Linear))


REFUSED = {
    "one layer": ({"n_layers": 1}, "build_deep_network: n_layers is 1; it must be at least 2."),
    "activation": (
        {"n_layers": 3, "activation": "ReLU"},
        "activation is 'ReLU'; it must be one of sigmoid, relu, tanh, leaky_relu.",
    ),
    "init": ({"n_layers": 3, "init": "He"}, "init is 'He'; it must be one of xavier, he, normal, large."),
}


@pytest.mark.parametrize("arguments, message", REFUSED.values(), ids=REFUSED)
def test_a_network_that_cannot_be_built_is_refused_with_a_reason(arguments, message):
    with speaking("en"), pytest.raises(ValueError) as error:
        build_deep_network(**arguments)
    assert str(error.value) == message


def test_forward_backward_keeps_the_parameters_and_sets_every_gradient(rng):
    network = build_deep_network(3, rng=rng)
    before = [{name: value.copy() for name, value in layer.params.items()} for layer in network]
    forward_backward(network, rng.standard_normal((6, 2)), rng.standard_normal((6, 1)))
    for layer, params in zip(network, before, strict=True):
        for name, value in params.items():
            np.testing.assert_array_equal(layer.params[name], value)
            assert layer.grads[name].shape == value.shape


def test_a_layer_is_shown_with_its_name_and_shapes():
    assert repr(build_deep_network(2)) == "[Linear(W (2, 10), b (10,)), Sigmoid(), Linear(W (10, 1), b (1,))]"


# --- problems ------------------------------------------------------------------------------------------------------

SENTENCES = {
    "vanishing": "Warning: the gradient of Linear_0 may be vanishing (epoch 7, norm 1.50e-09)",
    "exploding": "Warning: the gradient of Linear_0 may be exploding (epoch 7, norm 1.50e-09)",
    "nonfinite": "Warning: the gradient of Linear_0 is not finite (epoch 7, norm 1.50e-09)",
    "odd": "Warning: odd in Linear_0 (epoch 7, norm 1.50e-09)",
}


@pytest.mark.parametrize("kind, sentence", SENTENCES.items())
def test_a_problem_reads_as_a_sentence(kind, sentence):
    with speaking("en"):
        assert str(Problem("Linear_0", kind, 1.5e-9, 7)) == sentence


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("norm", [0.0, np.nan, np.inf])
def test_a_problem_names_layer_epoch_and_norm_in_japanese_too(kind, norm):
    with speaking("ja"):
        text = str(Problem("Linear_3", kind, norm, 12))
    assert "Linear_3" in text and "12" in text and f"{norm:.2e}" in text


def test_problems_are_frozen_values():
    problem = Problem("Linear_0", "vanishing", 1e-9, 7)
    assert problem == Problem("Linear_0", "vanishing", 1e-9, 7)
    with pytest.raises(AttributeError):
        problem.kind = "exploding"
