import numpy as np

from autograder.layers import forward_backward

# %%
def depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    """深さだけを変えて同じ学習をくり返し、損失と勾配ノルムを記録する。

    Args:
        depths: 調べる深さ（Linear 層の数）のリスト
        build_network: build_network(depth, rng) が新しい層のリストを返す
        X, t: 入力 (N, D_in) と目標 (N, D_out)
        lr: 学習率
        steps: 更新の回数
        seed: どの深さでも np.random.default_rng(seed) から始める

    Returns:
        {depth: {"loss": (steps,), "grad_norms": (steps, depth)}}
        どちらも、そのステップの更新「前」の値。grad_norms は Linear 層の grads["W"] のノルムで、入力側から並べる。
    """
    ### BEGIN SOLUTION
    results = {}
    for depth in depths:
        layers = build_network(depth, np.random.default_rng(seed))
        losses, norms = [], []
        for _ in range(steps):
            loss, grad_norms = forward_backward(layers, X, t)
            losses.append(loss)
            norms.append(grad_norms)
            for layer in layers:
                for name in layer.params:
                    layer.params[name] = layer.params[name] - lr * layer.grads[name]
        results[depth] = {"loss": np.array(losses), "grad_norms": np.array(norms)}
    return results
    ### END SOLUTION
