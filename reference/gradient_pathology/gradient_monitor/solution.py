import matplotlib.pyplot as plt
import numpy as np

from autograder.layers import Linear, Problem

# %%
class GradientMonitor:
    """学習中の勾配を監視するツール。

    history には (epoch, {層の名前: 勾配ノルム}) が記録順に並ぶ。
    勾配を持つ Linear 層を、入力側から Linear_0, Linear_1, ... と呼ぶ。
    """

    def __init__(self):
        self.history = []

    def record(self, epoch, layers):
        """現在の勾配ノルムを history に加える。"""
        with_gradient = [layer for layer in layers if isinstance(layer, Linear) and layer.grads["W"] is not None]
        self.history.append(
            (epoch, {f"Linear_{i}": float(np.linalg.norm(layer.grads["W"])) for i, layer in enumerate(with_gradient)})
        )

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        """最後の記録から Problem(layer, kind, norm, epoch) のリストを作る。問題がなければ空のリスト。"""
        ### BEGIN SOLUTION
        if not self.history:
            return []
        epoch, norms = self.history[-1]
        problems = []
        for layer, norm in norms.items():
            if not np.isfinite(norm):
                problems.append(Problem(layer, "nonfinite", norm, epoch))
            elif norm < vanish_threshold:
                problems.append(Problem(layer, "vanishing", norm, epoch))
            elif norm > explode_threshold:
                problems.append(Problem(layer, "exploding", norm, epoch))
        return problems
        ### END SOLUTION

    def plot(self):
        """勾配ノルムの推移を片対数グラフに描き、(fig, ax) を返す。"""
        fig, ax = plt.subplots(figsize=(9, 5))
        names = dict.fromkeys(name for _, norms in self.history for name in norms)
        for name in names:
            points = [(epoch, norms[name]) for epoch, norms in self.history if name in norms]
            ax.semilogy(*zip(*points), label=name)
        ax.set(xlabel="エポック", ylabel="勾配ノルム（対数）", title="各層の勾配ノルムの推移")
        if names:
            ax.legend(fontsize=8, ncols=2)
        ax.grid(True, alpha=0.3)
        return fig, ax
