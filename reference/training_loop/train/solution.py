import numpy as np

from autograder.layers import MSELoss

# %%
def train(layers, optimizer, X, t, epochs, batch_size, rng):
    """ミニバッチでネットワークを学習させる。

    Args:
        layers: 層のリスト（入力側から）
        optimizer: step(layers) を持つもの
        X, t: 入力 (N, D) と目標 (N, K)
        epochs: 全データを何周するか
        batch_size: 1 つのバッチに入れるサンプルの数
        rng: 並べ替えに使う乱数生成器

    Returns:
        losses: 各ステップの、更新する前のバッチの損失（リスト）
    """
    loss_fn = MSELoss()
    losses = []
    ### BEGIN SOLUTION
    for epoch in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            h = X[rows]
            for layer in layers:
                h = layer.forward(h)
            loss = loss_fn.forward(h, t[rows])
            losses.append(loss)
            dout = loss_fn.backward()
            for layer in reversed(layers):
                dout = layer.backward(dout)
            optimizer.step(layers)
    ### END SOLUTION
    return losses
