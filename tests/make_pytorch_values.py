"""Makes pytorch_values.npz, what PyTorch answers on the inputs that test_reference.py gives to the reference.

PyTorch is no dependency of this project. To make the file again:

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy
    /tmp/torch/bin/python tests/make_pytorch_values.py

Names in the file are "group/case/value". Everything is float64.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # sums in one order, so that the file is the same on every machine

MOMENTUM = 0.8
"""Ours: the share that the old running value keeps. PyTorch's is the share of the new one."""

NORMALISATIONS = {
    # name: (N, standard deviations of the columns, eps)
    "wide": (6, (2.0, 3.0, 5.0), 1e-5),
    "mixed": (7, (3e-3, 1e-2, 0.3, 1.0, 5.0), 1e-5),
    "large_eps": (8, (0.1, 0.3, 1.0), 0.02),
    "batch_of_two": (2, (0.3, 1.0), 1e-5),
}
CLIPPINGS = {"above": (40.0, 1.5), "below": (0.7, 1.5), "tiny_limit": (3.0, 1e-3)}  # name: (norm of all, max_norm)
NETWORKS = {
    # name: (sizes, activation, whether BatchNorm stands before it)
    "tanh": ((2, 6, 6, 1), "tanh", False),
    "sigmoid": ((2, 5, 5, 5, 2), "sigmoid", False),
    "relu": ((2, 8, 1), "relu", False),
    "sigmoid_batch_norm": ((2, 6, 6, 6, 1), "sigmoid", True),
}
STEPS, LR, EXAMPLES = 12, 0.1, 16


def main():
    """Write the file."""
    rng = np.random.default_rng(76)
    values = {}
    for group, cases, make in (
        ("batch_norm", NORMALISATIONS, batch_norm),
        ("clip", CLIPPINGS, clip),
        ("network", NETWORKS, network),
    ):
        for name, settings in cases.items():
            values.update({f"{group}/{name}/{key}": value for key, value in make(rng, *settings).items()})
    np.savez_compressed(Path(__file__).with_name("pytorch_values.npz"), torch=np.array(torch.__version__), **values)


def batch_norm(rng, n, spreads, eps):
    """A training step and then a prediction on other data, each with the gradients for a random upstream gradient."""
    d = len(spreads)
    given = {
        "x": rng.uniform(-3, 3, d) * spreads + rng.standard_normal((n, d)) * spreads,
        "dout": rng.standard_normal((n, d)),
        "gamma": rng.uniform(0.5, 2, d) * np.where(np.arange(d) % 2, 1, -1),
        "beta": rng.normal(0.5, 1, d),
        "x_predict": rng.standard_normal((n + 1, d)) * spreads,
        "dout_predict": rng.standard_normal((n + 1, d)),
    }
    mean, var = torch.zeros(d), torch.ones(d)
    out = {}
    for suffix, training in (("", True), ("_predict", False)):
        x, gamma, beta = (torch.tensor(given[k], requires_grad=True) for k in (f"x{suffix}", "gamma", "beta"))
        y = F.batch_norm(x, mean, var, gamma, beta, training, momentum=1 - MOMENTUM, eps=eps)
        y.backward(torch.tensor(given[f"dout{suffix}"]))
        out |= {f"y{suffix}": y, f"dx{suffix}": x.grad, f"dgamma{suffix}": gamma.grad, f"dbeta{suffix}": beta.grad}
        if training:
            out["running_mean"] = mean.clone()
            # PyTorch moves towards the unbiased variance (N - 1), this course towards the biased one (N): the batch's
            # part of the running value is converted here, the part of the initial ones stays. The prediction below
            # starts from the converted value.
            var = MOMENTUM + (var - MOMENTUM) * (n - 1) / n
            out["running_var"] = var.clone()
    return given | {"eps": eps, "momentum": MOMENTUM} | {k: v.detach().numpy() for k, v in out.items()}


def clip(rng, total, max_norm):
    """`clip_grad_norm_` on three parameters."""
    grads = [rng.standard_normal(shape) for shape in ((3, 4), (4,), (4, 2))]
    size = np.sqrt(sum(np.sum(g**2) for g in grads))
    grads = [g * total / size for g in grads]
    parameters = [torch.zeros(g.shape, requires_grad=True) for g in grads]
    for parameter, g in zip(parameters, grads, strict=True):
        parameter.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clipped = {f"clipped{i}": p.grad.numpy() for i, p in enumerate(parameters)}
    return {f"grad{i}": g for i, g in enumerate(grads)} | {"max_norm": max_norm, "total_norm": norm.numpy()} | clipped


def network(rng, sizes, activation, normalised):
    """A small network trained by gradient descent: losses and norms of the weights' gradients before each update."""
    weights = [rng.standard_normal(shape) * np.sqrt(2 / sum(shape)) for shape in pairwise(sizes)]
    X = rng.uniform(-1, 1, (EXAMPLES, sizes[0]))
    t = np.sin(np.pi * X[:, :1]) + np.linspace(0.3, 1, sizes[-1]) * X[:, 1:] ** 2
    steps = []
    for i, weight in enumerate(weights):
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weight.T))  # PyTorch keeps (out, in)
            linear.bias.zero_()
        steps.append(linear)
        if i < len(weights) - 1:
            steps += [torch.nn.BatchNorm1d(weight.shape[1])] * normalised
            steps.append({"tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU}[activation]())
    model = torch.nn.Sequential(*steps)
    optimiser = torch.optim.SGD(model.parameters(), lr=LR)
    losses, norms = [], []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = F.mse_loss(model(torch.tensor(X)), torch.tensor(t))
        loss.backward()
        losses.append(loss.item())
        norms.append([s.weight.grad.norm().item() for s in steps if isinstance(s, torch.nn.Linear)])
        optimiser.step()
    initial = {f"W{i}": weight for i, weight in enumerate(weights)}
    return initial | {"X": X, "t": t, "lr": LR, "loss": np.array(losses), "grad_norms": np.array(norms)}


if __name__ == "__main__":
    main()
