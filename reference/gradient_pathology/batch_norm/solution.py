import numpy as np

from autograder.layers import Layer

# %%
class BatchNorm(Layer):
    """Batch Normalization: 列（特徴）ごとに y = gamma * (x - 平均) / sqrt(分散 + eps) + beta

    訓練時 (training = True) はバッチの統計量を、推論時 (training = False) は移動統計量を使う。
    """

    def __init__(self, n_features, eps=1e-5, momentum=0.9):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.params["gamma"] = np.ones(n_features)
        self.params["beta"] = np.zeros(n_features)
        self.grads["gamma"] = None
        self.grads["beta"] = None
        self.running_mean = np.zeros(n_features)
        self.running_var = np.ones(n_features)

    def forward(self, x):
        """x (N, D) -> y (N, D)。訓練時は移動統計量も更新する。"""
        ### BEGIN SOLUTION
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        std = np.sqrt(var + self.eps)
        x_hat = (x - mean) / std
        self.cache = {"x_hat": x_hat, "std": std, "gamma": self.params["gamma"], "training": self.training}
        return self.params["gamma"] * x_hat + self.params["beta"]
        ### END SOLUTION

    def backward(self, dout):
        """dout (N, D) -> dx (N, D)。grads["gamma"] と grads["beta"]（各 (D,)）も設定する。"""
        ### BEGIN SOLUTION
        x_hat, std = self.cache["x_hat"], self.cache["std"]
        self.grads["gamma"] = (dout * x_hat).sum(axis=0)
        self.grads["beta"] = dout.sum(axis=0)
        dx_hat = dout * self.cache["gamma"]
        if self.cache["training"]:
            # 平均も分散も x の関数なので、その 2 つの道を通る勾配を引く。
            dx_hat = dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)
        return dx_hat / std
        ### END SOLUTION
