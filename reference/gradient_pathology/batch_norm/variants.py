"""Right but unusual ways to write BatchNorm. All are float64 and exact to rounding, but for `SinglePrecision`."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics

import numpy as np

from autograder.checks.numeric import central_differences
from autograder.layers import Layer
from reference.bank import public
from reference.gradient_pathology.batch_norm.solution import BatchNorm


class _Given(BatchNorm):
    """The constructor, which the notebook gives, and a plain update of the running statistics."""

    def learn(self, mean, var):
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var


class _Plain(_Given):
    """An ordinary solution, for variants that are unusual in one method."""

    def moments(self, x):
        return x.mean(axis=0), x.var(axis=0)

    def forward(self, x):
        self.mean, self.var = self.running_mean, self.running_var
        if self.training:
            self.mean, self.var = self.moments(x)
            self.learn(self.mean, self.var)
        self.x, self.trained, self.gamma = x, self.training, self.params["gamma"]
        self.std = np.sqrt(self.var + self.eps)
        self.x_hat = (x - self.mean) / self.std
        return self.gamma * self.x_hat + self.params["beta"]

    def backward(self, dout):
        self.grads["gamma"] = np.sum(dout * self.x_hat, axis=0)
        self.grads["beta"] = np.sum(dout, axis=0)
        dx_hat = dout * self.gamma
        if self.trained:
            dx_hat = dx_hat - dx_hat.mean(axis=0) - self.x_hat * (dx_hat * self.x_hat).mean(axis=0)
        return dx_hat / self.std


# --- other formulas ---------------------------------------------------------------------------------------------------


class CompactThreeTerms(_Plain):
    """One line with dgamma and dbeta in it."""

    def backward(self, dout):
        dbeta, dgamma, n = dout.sum(0), (dout * self.x_hat).sum(0), dout.shape[0]
        self.grads.update(gamma=dgamma, beta=dbeta)
        if self.trained:
            return self.gamma / self.std / n * (n * dout - dbeta - self.x_hat * dgamma)
        return self.gamma / self.std * dout


class StagedGraph(_Plain):
    """Node by node along the computational graph, as in Kratzert's well-known text, with the term that is always 0."""

    def backward(self, dout):
        N, D = dout.shape
        self.grads["beta"] = np.sum(dout, axis=0)
        self.grads["gamma"] = np.sum(dout * self.x_hat, axis=0)
        dxhat = dout * self.gamma
        if not self.trained:
            return dxhat / self.std
        xmu, ivar = self.x - self.mean, 1 / self.std
        divar = np.sum(dxhat * xmu, axis=0)
        dxmu1 = dxhat * ivar
        dsqrtvar = -1 / (self.std**2) * divar
        dvar = 0.5 / np.sqrt(self.var + self.eps) * dsqrtvar
        dsq = 1 / N * np.ones((N, D)) * dvar
        dxmu2 = 2 * xmu * dsq
        dmu = -1 * np.sum(dxmu1 + dxmu2, axis=0)
        return (dxmu1 + dxmu2) + 1 / N * np.ones((N, D)) * dmu


class PaperFormulas(_Plain):
    """The three derivatives as Ioffe & Szegedy print them, the power -3/2 included."""

    def backward(self, dout):
        m = len(dout)
        dx_hat = dout * self.gamma
        v = self.var + self.eps
        self.grads = {"beta": dout.sum(axis=0), "gamma": (dout * self.x_hat).sum(axis=0)}
        if not self.trained:
            return dx_hat * v**-0.5
        d_var = (dx_hat * (self.x - self.mean) * -0.5 * v**-1.5).sum(axis=0)
        d_mean = (-dx_hat * v**-0.5).sum(axis=0) + d_var * (-2 * (self.x - self.mean)).mean(axis=0)
        return dx_hat * v**-0.5 + d_var * 2 * (self.x - self.mean) / m + d_mean / m


# --- another library, another precision ------------------------------------------------------------------------------


class StandardLibrary(_Plain):
    """`statistics` for mean and variance, `math.fsum` for sums; gradients are lists."""

    def moments(self, x):
        columns = x.T.tolist()
        return (np.array([f(column) for column in columns]) for f in (statistics.fmean, statistics.pvariance))

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["gamma"] = [math.fsum(column) for column in (dout * self.x_hat).T]
        self.grads["beta"] = [math.fsum(column) for column in dout.T]
        return dx


class SinglePrecision(_Plain):
    """float32 throughout, parameters, running statistics and results included."""

    def forward(self, x):
        x, gamma, beta = map(np.float32, (x, self.params["gamma"], self.params["beta"]))
        mean, var = np.float32(self.running_mean), np.float32(self.running_var)
        if self.training:
            mean, var = self.moments(x)
            self.learn(mean, var)
            self.running_mean, self.running_var = np.float32(self.running_mean), np.float32(self.running_var)
        self.trained, self.gamma, self.std = self.training, gamma, np.sqrt(var + np.float32(self.eps))
        self.x_hat = (x - mean) / self.std
        return gamma * self.x_hat + beta

    def backward(self, dout):
        return super().backward(np.float32(dout))


# --- other layouts, other places to keep things -----------------------------------------------------------------------


class FeaturesFirst(_Given):
    """Works on the transpose and hands out transposed views."""

    def forward(self, x):
        rows = x.T
        if self.training:
            mean, var = rows.mean(axis=1), rows.var(axis=1)
            self.learn(mean, var)
        else:
            mean, var = self.running_mean, self.running_var
        self.kept = (rows - mean[:, None]) / np.sqrt(var + self.eps)[:, None], var, self.training, self.params["gamma"]
        return (self.params["gamma"][:, None] * self.kept[0] + self.params["beta"][:, None]).T

    def backward(self, dout):
        x_hat, var, training, gamma = self.kept
        rows = dout.T
        self.grads["gamma"], self.grads["beta"] = (rows * x_hat).sum(axis=1), rows.sum(axis=1)
        d = rows * (gamma / np.sqrt(var + self.eps))[:, None]
        if training:
            d = d - d.mean(axis=1, keepdims=True) - x_hat * (d * x_hat).mean(axis=1, keepdims=True)
        return d.T


class DimensionsKeptInside(_Given):
    """keepdims everywhere inside; what goes out has lost the extra dimension."""

    def forward(self, x):
        mean, var = self.running_mean[None, :], self.running_var[None, :]
        if self.training:
            mean, var = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
            self.learn(mean.reshape(-1), var.reshape(-1))
        gamma = self.params["gamma"].reshape(1, -1)
        self.cache["tuple"] = x, mean, var, gamma, self.training
        return gamma * (x - mean) / np.sqrt(var + self.eps) + self.params["beta"].reshape(1, -1)

    def backward(self, dout):
        x, mean, var, gamma, training = self.cache["tuple"]
        std = np.sqrt(var + self.eps)
        x_hat = (x - mean) / std
        dgamma, dbeta = np.sum(dout * x_hat, axis=0, keepdims=True), np.sum(dout, axis=0, keepdims=True)
        self.grads["gamma"], self.grads["beta"] = dgamma.squeeze(axis=0), dbeta.ravel()
        return gamma / std * (dout - training * (dbeta + x_hat * dgamma) / len(x))


class RecomputedInBackward(_Given):
    """Keeps x alone and computes the statistics again in backward."""

    def forward(self, x):
        self.x = x.copy()
        self.last_was_training = bool(self.training)
        mean, var = self.statistics()
        if self.training:
            self.learn(mean, var)
        return self.params["gamma"] * (self.x - mean) / np.sqrt(var + self.eps) + self.params["beta"]

    def statistics(self):
        if self.last_was_training:
            return self.x.mean(axis=0), self.x.var(axis=0)
        return self.running_mean, self.running_var

    def backward(self, dout):
        mean, var = self.statistics()
        x_hat = (self.x - mean) / np.sqrt(var + self.eps)
        self.grads["gamma"], self.grads["beta"] = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
        dx_hat = dout * self.params["gamma"]  # nobody replaces params between forward and backward
        if self.last_was_training:
            dx_hat = dx_hat - dx_hat.mean(axis=0) - x_hat * (x_hat * dx_hat).mean(axis=0)
        return dx_hat / np.sqrt(var + self.eps)


class BuffersByShape(_Plain):
    """Output and gradient go into buffers that are used again for every batch of the same size."""

    def buffer(self, name, values):
        kept = self.cache.setdefault((name, values.shape), np.empty(values.shape))
        kept[:] = values
        return kept

    def forward(self, x):
        return self.buffer("y", super().forward(x))

    def backward(self, dout):
        return self.buffer("dx", super().backward(dout))


class RunningAsProperties(_Plain):
    """running_mean and running_var are properties over one array."""

    @property
    def running_mean(self):
        return self.stats[0]

    @running_mean.setter
    def running_mean(self, value):
        self.__dict__.setdefault("stats", np.zeros((2, len(value))))[0] = value

    @property
    def running_var(self):
        return self.stats[1]

    @running_var.setter
    def running_var(self, value):
        self.stats[1] = value


@dataclasses.dataclass
class _Memory:
    """What `DataclassMemory` keeps."""

    x_hat: np.ndarray
    std: np.ndarray
    gamma: np.ndarray
    trained: bool


class DataclassMemory(_Given):
    """Another order of setting up, a dataclass for the cache, early returns."""

    def __init__(self, n_features, eps=1e-5, momentum=0.9):
        self.n_features = n_features
        Layer.__init__(self)
        self.eps, self.momentum = eps, momentum
        self.params = {"beta": np.zeros(n_features), "gamma": np.ones(n_features)}
        self.grads = dict.fromkeys(self.params)
        self.running_mean, self.running_var = np.zeros(n_features), np.ones(n_features)
        self.memory = None

    def forward(self, x):
        if not self.training:
            return self._finish(x, self.running_mean, self.running_var)
        mean = x.mean(axis=0)
        var = np.mean(np.square(x - mean), axis=0)
        self.learn(mean, var)
        return self._finish(x, mean, var)

    def _finish(self, x, mean, var):
        std = np.sqrt(var + self.eps)
        self.memory = _Memory((x - mean) / std, std, self.params["gamma"].copy(), self.training)
        return self.memory.gamma * self.memory.x_hat + self.params["beta"]

    def backward(self, dout):
        m = self.memory
        self.grads["gamma"], self.grads["beta"] = np.sum(m.x_hat * dout, axis=0), np.sum(dout, axis=0)
        if not m.trained:
            return dout * m.gamma / m.std
        g = m.gamma * dout
        return (g - np.mean(g, axis=0) - m.x_hat * np.mean(g * m.x_hat, axis=0)) / m.std


def _checked(method):
    """A decorator of the student's own, with asserts on what goes in and out."""

    @functools.wraps(method)
    def wrapper(self, array):
        assert array.ndim == 2 and array.shape[1] == len(self.params["gamma"])
        result = method(self, array)
        assert result.shape == array.shape and np.isfinite(result).all()
        return result

    return wrapper


class DecoratedWithAsserts(_Plain):
    """Decorated methods that look at shapes."""

    @_checked
    def forward(self, x):
        return super().forward(x)

    @_checked
    def backward(self, dout):
        assert (self.x_hat.shape, self.trained in (True, False)) == (dout.shape, True)
        return super().backward(dout)


class ModeReadInBackward(BatchNorm):
    """backward asks for the mode itself, as nobody changes it between a forward and its backward."""

    def forward(self, x):
        if self.training:
            self.mean, self.var = x.mean(axis=0), x.var(axis=0)
            self.running_mean += (1 - self.momentum) * (self.mean - self.running_mean)
            self.running_var += (1 - self.momentum) * (self.var - self.running_var)
        self.x = x
        mean, var = (self.mean, self.var) if self.training else (self.running_mean, self.running_var)
        return self.params["gamma"] * (x - mean) / np.sqrt(var + self.eps) + self.params["beta"]

    def backward(self, dout):
        mean, var = (self.mean, self.var) if self.training else (self.running_mean, self.running_var)
        std = np.sqrt(var + self.eps)
        x_hat = (self.x - mean) / std
        self.grads["gamma"], self.grads["beta"] = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
        dx = dout * self.params["gamma"] / std
        return dx - dx.mean(axis=0) - x_hat * (dx * x_hat).mean(axis=0) if self.training else dx


class NumericalDx(_Plain):
    """The numerical gradient of the own forward for dx."""

    def backward(self, dout):
        dx = super().backward(dout)
        if self.trained:
            twin = type(self)(len(self.gamma), self.eps)
            twin.params = self.params
            dx = central_differences(twin.forward, self.x, dout, 1e-5 * self.std)
        return dx


class SinglePrecisionMoments(SinglePrecision):
    """float32, and E[x^2] - mean^2."""

    def moments(self, x):
        mean = x.mean(axis=0)
        return mean, (x**2).mean(axis=0) - mean**2


VARIANTS = public(vars())
