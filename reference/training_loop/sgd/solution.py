import numpy as np

# %%
class SGD:
    """確率的勾配降下法。momentum が 0 なら、ふつうの勾配降下法。

    Args:
        lr: 学習率 η
        momentum: 前のステップの動きをどれだけ引き継ぐか μ（0 以上 1 未満）
    """

    def __init__(self, lr=0.1, momentum=0.0):
        self.lr = lr
        self.momentum = momentum
        self.velocity = {}  # 各パラメータの速度 v を入れる場所（使い方は自由）

    def step(self, layers):
        """grads を使って、すべての層の params を 1 ステップ動かす。"""
        ### BEGIN SOLUTION
        for index, layer in enumerate(layers):
            for name, param in layer.params.items():
                grad = layer.grads[name]
                if grad is None:
                    continue
                v = self.momentum * self.velocity.get((index, name), 0.0) + grad
                self.velocity[index, name] = v
                param -= self.lr * v
        ### END SOLUTION
