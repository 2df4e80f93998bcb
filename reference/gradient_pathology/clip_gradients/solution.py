import numpy as np

# %%
def clip_gradients(layers, max_norm=1.0):
    """全勾配をまとめた L2 ノルムが max_norm を超えたら、すべての勾配を同じ係数で縮める。

    Args:
        layers: 層のリスト。各層の勾配は layer.grads にある（名前 -> 配列、または None）
        max_norm: ノルムの上限

    Returns:
        (total_norm, clip_coef): クリッピング前のノルムと、勾配に掛けた係数（1 以下）

    Raises:
        ValueError: 勾配に NaN または無限大がある
    """
    ### BEGIN SOLUTION
    gradients = [g for layer in layers for g in layer.grads.values() if g is not None]
    if not all(np.isfinite(g).all() for g in gradients):
        raise ValueError("勾配に NaN または無限大があります")
    total_norm = float(np.sqrt(sum(np.sum(g**2) for g in gradients)))
    clip_coef = 1.0
    if total_norm > max_norm:
        clip_coef = max_norm / total_norm
        for g in gradients:
            g *= clip_coef
    return total_norm, clip_coef
    ### END SOLUTION
