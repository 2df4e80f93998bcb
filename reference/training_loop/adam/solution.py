import numpy as np

# %%
class Adam:
    """Adam: 勾配の平均 m を、勾配の 2 乗の平均 v の平方根で割って進む。

    Args:
        lr: 学習率 η
        beta1, beta2: 平均 m, v が前の値をどれだけ残すか β1, β2
        eps: 0 で割らないための小さな数 ε
    """

    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.t = 0  # これまでの step の回数（使い方は自由）
        self.m, self.v = {}, {}  # 各パラメータの平均を入れる場所（使い方は自由）

    def step(self, layers):
        """grads を使って、すべての層の params を 1 ステップ動かす。"""
        ### BEGIN SOLUTION
        self.t += 1
        for index, layer in enumerate(layers):
            for name, param in layer.params.items():
                grad = layer.grads[name]
                if grad is None:
                    continue
                key = index, name
                m = self.beta1 * self.m.get(key, 0.0) + (1 - self.beta1) * grad
                v = self.beta2 * self.v.get(key, 0.0) + (1 - self.beta2) * grad**2
                self.m[key], self.v[key] = m, v
                m_hat = m / (1 - self.beta1**self.t)
                v_hat = v / (1 - self.beta2**self.t)
                param -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        ### END SOLUTION
