import numpy as np

# %%
def gradient_slope(delta_norms):
    """層番号に対する log10(勾配ノルム) の最小二乗直線の傾き（1 層あたり何桁か）。

    Args:
        delta_norms: 各層の出力についての勾配のノルム。入力側から、長さ 2 以上

    Returns:
        傾き (float)。入力側ほど勾配が小さければ正

    Raises:
        ValueError: NaN または無限大がある
    """
    ### BEGIN SOLUTION
    norms = np.array(delta_norms, dtype=float)
    if not np.isfinite(norms).all():
        raise ValueError("ノルムに NaN または無限大があります")
    norms[norms == 0] = np.finfo(float).tiny
    x, y = np.arange(len(norms)), np.log10(norms)
    return float(np.polyfit(x, y, 1)[0])
    ### END SOLUTION
