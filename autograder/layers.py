"""The course library: the layers, the loss and the network builder that the exercises are written against.

Arrays are float64. A batch `x` has shape (N, D): N examples, D features. `forward` keeps in `cache` what `backward`
needs; `backward(dout)` takes the gradient of the loss with respect to the layer's output and returns the one with
respect to its input, leaving the gradients of the parameters in `grads` under the names used in `params`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

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
    """One step of a network.

    Attributes:
        params: name -> parameter array.
        grads: name -> gradient array of the same shape, or None before the first backward.
        cache: whatever `forward` keeps for `backward`.
        training: True while the network learns, False when it only predicts.
    """

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray | None] = {}
        self.cache: dict[str, object] = {}
        self.training = True

    @abstractmethod
    def forward(self, x: np.ndarray) -> np.ndarray:
        """The output (N, D_out) for a batch `x` (N, D_in)."""

    @abstractmethod
    def backward(self, dout: np.ndarray) -> np.ndarray:
        """dL/dx (N, D_in) from `dout` = dL/dy (N, D_out) of the last forward; sets `grads`."""


class Linear(Layer):
    """y = x W + b, with W of shape (in_features, out_features) and b of shape (out_features,), zero at first.

    Args:
        init: the standard deviation of W's normal entries: "xavier" sqrt(2 / (in + out)) [Glorot & Bengio 2010, in the
            normal form], "he" sqrt(2 / in) [He et al. 2015], "normal" 0.01, "large" 1.0.
        rng: where W is drawn from; a fresh generator if None.

    Raises:
        ValueError: `init` is none of these names.
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
    """y = 1 / (1 + exp(-x)); its derivative y (1 - y) is at most 1/4."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        # exp of a negative number only, so that no finite x overflows.
        e = np.exp(-np.abs(x))
        y = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
        self.cache["y"] = y
        return y

    def backward(self, dout: np.ndarray) -> np.ndarray:
        y = self.cache["y"]
        return dout * y * (1 - y)


class Tanh(Layer):
    """y = tanh(x); its derivative 1 - y^2 is at most 1, which it is at 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.tanh(x)
        self.cache["y"] = y
        return y

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout * (1 - self.cache["y"] ** 2)


class ReLU(Layer):
    """y = max(0, x); at 0 the derivative is taken from the left."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["positive"] = x > 0
        return np.maximum(x, 0)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return np.where(self.cache["positive"], dout, 0.0)


class LeakyReLU(Layer):
    """y = x where x > 0, else negative_slope * x; at 0 the derivative is taken from the left."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.cache["positive"] = x > 0
        return np.where(x > 0, x, self.negative_slope * x)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return np.where(self.cache["positive"], dout, self.negative_slope * dout)


class MSELoss:
    """The mean squared error over all N * D elements: mean((y - t)^2)."""

    def __init__(self) -> None:
        self.cache: dict[str, np.ndarray] = {}

    def forward(self, y: np.ndarray, t: np.ndarray) -> float:
        """The loss of predictions `y` (N, D) for targets `t` (N, D).

        Raises:
            ValueError: the shapes differ. NumPy would broadcast (N, 1) and (N,) to (N, N) without a word.
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


ACTIVATIONS = {"sigmoid": Sigmoid, "relu": ReLU, "tanh": Tanh, "leaky_relu": LeakyReLU}


def build_deep_network(
    n_layers: int,
    activation: str = "sigmoid",
    init: str = "xavier",
    norm: type[Layer] | None = None,
    rng: np.random.Generator | None = None,
    width: int = 10,
    in_features: int = 2,
    out_features: int = 1,
) -> list[Layer]:
    """A network of `n_layers` Linear layers with an activation between each two.

    Args:
        n_layers: the number of Linear layers, at least 2.
        activation: "sigmoid", "relu", "tanh" or "leaky_relu".
        init: see `Linear`.
        norm: a layer class such as `BatchNorm`, made with `norm(width)` and put before each activation.
        rng: where the weights are drawn from, input side first; a fresh generator if None.

    Raises:
        ValueError: fewer than 2 layers, or an unknown activation or init.
    """
    if n_layers < 2:
        raise ValueError(_("build_deep_network: n_layers is {n}; it must be at least 2.").format(n=n_layers))
    _require_one_of("activation", activation, ACTIVATIONS)
    rng = np.random.default_rng() if rng is None else rng
    sizes = [in_features] + [width] * (n_layers - 1)
    layers: list[Layer] = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers.append(Linear(n_in, n_out, init=init, rng=rng))
        if norm is not None:
            layers.append(norm(n_out))
        layers.append(ACTIVATIONS[activation]())
    layers.append(Linear(width, out_features, init=init, rng=rng))
    return layers


def forward_backward(layers: Sequence[Layer], X: np.ndarray, t: np.ndarray) -> tuple[float, list[float]]:
    """One forward and one backward pass of `MSELoss` through `layers`; parameters stay as they are.

    Returns:
        The loss, and the norm of `grads["W"]` of every Linear layer, input side first.
    """
    loss_fn = MSELoss()
    h = X
    for layer in layers:
        h = layer.forward(h)
    loss = loss_fn.forward(h, t)
    dout = loss_fn.backward()
    for layer in reversed(layers):
        dout = layer.backward(dout)
    return loss, [np.linalg.norm(layer.grads["W"]) for layer in layers if isinstance(layer, Linear)]


@dataclass(frozen=True)
class Problem:
    """What a gradient monitor found in one layer; `str(problem)` is a warning sentence.

    Attributes:
        layer: the layer's name, such as "Linear_0".
        kind: "vanishing", "exploding" or "nonfinite".
        norm: the gradient norm that was seen.
        epoch: when it was seen.
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


def _require_one_of(what: str, name: str, known: dict[str, object]) -> None:
    if name not in known:
        raise ValueError(
            _("{what} is {name!r}; it must be one of {known}.").format(what=what, name=name, known=", ".join(known))
        )
