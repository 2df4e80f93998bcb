"""The course library: layers, a loss, and the network builder that the exercises use.

Arrays are float64. A batch `x` has shape (N, D): N examples, D features. `forward` stores in `cache` what `backward`
needs. `backward(dout)` takes the gradient of the loss with respect to the layer's output, returns the gradient with
respect to its input, and stores the gradients of the parameters in `grads`, under the names in `params`.

    >>> network = build_deep_network(3, activation="tanh", rng=np.random.default_rng(0))
    >>> loss, norms = forward_backward(network, X, t)   # X: (N, 2), t: (N, 1); norms: 3 floats
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from autograder.locale import _

__all__ = [
    "Layer",
    "Linear",
    "Sigmoid",
    "ReLU",
    "Tanh",
    "LeakyReLU",
    "MSELoss",
    "build_deep_network",
    "forward_backward",
    "Problem",
]


class Layer(ABC):
    """One layer of a network.

    Attributes:
        params: name -> parameter array.
        grads: name -> gradient array of the same shape, or None before the first backward.
        cache: whatever `forward` keeps for `backward`.
        training: True while the network learns, False when it only predicts.

    A layer without parameters needs only the two methods:

        class Double(Layer):
            def forward(self, x):          # (N, D) -> (N, D)
                return 2 * x

            def backward(self, dout):      # (N, D) -> (N, D)
                return 2 * dout
    """

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, Any] = {}
        self.cache: dict[str, Any] = {}
        self.training = True

    def __repr__(self) -> str:
        shapes = (f"{name} {np.shape(array)}" for name, array in getattr(self, "params", {}).items())
        return f"{type(self).__name__}({', '.join(shapes)})"

    @abstractmethod
    def forward(self, x: np.ndarray) -> np.ndarray:
        """The output (N, D_out) for a batch `x` (N, D_in)."""

    @abstractmethod
    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dL/dx (N, D_in) for `dout` = dL/dy (N, D_out) of the last forward; sets `grads`."""


class Linear(Layer):
    """y = x W + b, with W of shape (in_features, out_features) and b of shape (out_features,), initially zero.

    Args:
        init: the standard deviation of W's normal entries: "xavier" sqrt(2 / (in + out)) [Glorot & Bengio 2010, normal
            version], "he" sqrt(2 / in) [He et al. 2015], "normal" 0.01, "large" 1.0.
        rng: the random generator for W; a new one if None.

    Raises:
        ValueError: `init` is none of these names.

    >>> Linear(3, 2, init="he").forward(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, init: str = "xavier", rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        deviations = {
            "xavier": np.sqrt(2.0 / (in_features + out_features)),
            "he": np.sqrt(2.0 / in_features),
            "normal": 0.01,
            "large": 1.0,
        }
        _require_one_of("init", init, deviations)
        rng = np.random.default_rng() if rng is None else rng
        self.params["W"] = rng.standard_normal((in_features, out_features)) * deviations[init]
        self.params["b"] = np.zeros(out_features)
        self.grads["W"] = None
        self.grads["b"] = None

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["x"] = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.grads["W"] = self.cache["x"].T @ dout
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), elementwise; its derivative y (1 - y) is at most 1/4."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        # exp of negative numbers only: no finite x overflows.
        e = np.exp(-np.abs(x))
        y = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
        self.cache["y"] = y
        return y

    def backward(self, dout: np.ndarray) -> np.ndarray:
        y = self.cache["y"]
        return dout * y * (1 - y)


class Tanh(Layer):
    """y = tanh(x), elementwise; its derivative 1 - y^2 is at most 1, at x = 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.tanh(x)
        self.cache["y"] = y
        return y

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout * (1 - self.cache["y"] ** 2)


class ReLU(Layer):
    """y = max(0, x), elementwise; the derivative at 0 is 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["positive"] = x > 0
        return np.maximum(x, 0)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return np.where(self.cache["positive"], dout, 0.0)


class LeakyReLU(Layer):
    """y = x if x > 0, otherwise negative_slope * x; the derivative at 0 is negative_slope."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["positive"] = x > 0
        return np.where(x > 0, x, self.negative_slope * x)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return np.where(self.cache["positive"], dout, self.negative_slope * dout)


class MSELoss:
    """The mean squared error over all N * D elements: mean((y - t)^2).

    >>> float(MSELoss().forward(np.array([[1.0], [3.0]]), np.zeros((2, 1))))
    5.0
    """

    def __init__(self) -> None:
        self.cache: dict[str, np.ndarray] = {}

    def forward(self, y: np.ndarray, t: np.ndarray) -> float:
        """The loss of predictions `y` (N, D) for targets `t` (N, D).

        Raises:
            ValueError: the shapes differ. (NumPy would silently broadcast (N, 1) and (N,) to (N, N).)
        """
        if np.shape(y) != np.shape(t):
            raise ValueError(
                _(
                    "MSELoss: predictions have shape {y} and targets have shape {t}; give both the same shape (N, D)."
                ).format(y=np.shape(y), t=np.shape(t))
            )
        self.cache["error"] = y - t
        return np.mean(self.cache["error"] ** 2)

    def backward(self) -> np.ndarray:
        """dL/dy (N, D) of the last forward."""
        error = self.cache["error"]
        return 2 * error / error.size


ACTIVATIONS: dict[str, Callable[[], Layer]] = {"sigmoid": Sigmoid, "relu": ReLU, "tanh": Tanh, "leaky_relu": LeakyReLU}


def build_deep_network(
    n_layers: int,
    activation: str = "sigmoid",
    init: str = "xavier",
    norm: Callable[[int], Layer] | None = None,
    rng: np.random.Generator | None = None,
    width: int = 10,
    in_features: int = 2,
    out_features: int = 1,
) -> list[Layer]:
    """A network of `n_layers` Linear layers with an activation after each but the last.

    Args:
        n_layers: the number of Linear layers, at least 2.
        activation: "sigmoid", "relu", "tanh" or "leaky_relu".
        init: see `Linear`.
        norm: a layer class such as `BatchNorm`; `norm(width)` goes before each activation.
        rng: the random generator for the weights, input side first; a new one if None.
        width: the features of the hidden layers.
        in_features, out_features: the network maps (N, in_features) to (N, out_features).

    Returns:
        The layers, input side first.

    Raises:
        ValueError: fewer than 2 layers, or an unknown activation or init.

    >>> [type(layer).__name__ for layer in build_deep_network(2)]
    ['Linear', 'Sigmoid', 'Linear']
    """
    if n_layers < 2:
        raise ValueError(_("build_deep_network: n_layers is {n}; it must be at least 2.").format(n=n_layers))
    _require_one_of("activation", activation, ACTIVATIONS)
    rng = np.random.default_rng() if rng is None else rng
    sizes = [in_features] + [width] * (n_layers - 1)
    layers: list[Layer] = []
    for n_in, n_out in pairwise(sizes):
        layers.append(Linear(n_in, n_out, init=init, rng=rng))
        if norm is not None:
            layers.append(norm(n_out))
        layers.append(ACTIVATIONS[activation]())
    layers.append(Linear(width, out_features, init=init, rng=rng))
    return layers


def forward_backward(layers: Sequence[Layer], X: np.ndarray, t: np.ndarray) -> tuple[float, list[float]]:
    """One forward and one backward pass of `MSELoss` through `layers`; the parameters do not change.

    Args:
        X: inputs (N, D_in).
        t: targets (N, D_out).

    Returns:
        The loss, and the norm of `grads["W"]` of every Linear layer, input side first.

    Raises:
        ValueError: the network's output and `t` differ in shape.

    >>> loss, norms = forward_backward(build_deep_network(3), np.ones((4, 2)), np.zeros((4, 1)))
    >>> len(norms)
    3
    """
    loss_fn = MSELoss()
    h = X
    for layer in layers:
        h = layer.forward(h)
    loss = loss_fn.forward(h, t)
    dout = loss_fn.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)
    norms = [np.linalg.norm(layer.grads["W"]) for layer in layers if isinstance(layer, Linear)]
    return loss, norms  # type: ignore[return-value]  # NumPy's float64 is a float


@dataclass(frozen=True)
class Problem:
    """A problem that a gradient monitor found in one layer; `str(problem)` is a warning.

    Attributes:
        layer: the layer's name, such as "Linear_0".
        kind: "vanishing", "exploding" or "nonfinite".
        norm: the gradient norm.
        epoch: the epoch in which it occurred.

    >>> print(Problem("Linear_0", "vanishing", norm=1e-9, epoch=3))
    Warning: the gradient of Linear_0 may be vanishing (epoch 3, norm 1.00e-09)
    """

    layer: str
    kind: str
    norm: float
    epoch: int

    def __str__(self) -> str:
        sentences = {
            "vanishing": _("Warning: the gradient of {layer} may be vanishing (epoch {epoch}, norm {norm:.2e})"),
            "exploding": _("Warning: the gradient of {layer} may be exploding (epoch {epoch}, norm {norm:.2e})"),
            "nonfinite": _("Warning: the gradient of {layer} is not finite (epoch {epoch}, norm {norm:.2e})"),
        }
        sentence = sentences.get(self.kind, _("Warning: {kind} in {layer} (epoch {epoch}, norm {norm:.2e})"))
        return sentence.format(layer=self.layer, kind=self.kind, norm=self.norm, epoch=self.epoch)


def _require_one_of(what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(
            _("{what} is {name!r}; it must be one of {known}.").format(what=what, name=name, known=", ".join(known))
        )
