import matplotlib.pyplot as plt
import numpy as np

from autograder import waiting_for

# depth_study, build_sigmoid, build_sigmoid_bn, X and t come from other cells of the notebook.
# ruff: noqa: F821

# %%
# depth_study と BatchNorm を書き終えてから、with の中に字下げして書いてください。採点基準は上の表のとおりです。
with waiting_for("depth_study_plot", "depth_study", "batch_norm"):
    ### BEGIN SOLUTION
    depths = [5, 10, 20]
    arms = {
        "BatchNorm なし": depth_study(depths, build_sigmoid, X, t),
        "BatchNorm あり": depth_study(depths, build_sigmoid_bn, X, t),
    }

    fig, axes = plt.subplots(2, 2, figsize=(12, 8), sharex="row", sharey="row")
    for (title, results), (top, bottom) in zip(arms.items(), axes.T):
        for depth, marker, first in zip(depths, "os^", (0, 8, 16)):
            loss, norms = results[depth]["loss"], results[depth]["grad_norms"][0]
            top.plot(loss, marker=marker, markevery=(first, 25), label=f"{depth} 層")
            bottom.semilogy(np.arange(1, depth + 1), norms, marker=marker, label=f"{depth} 層")
            print(f"{title} {depth:2} 層: 最後の 50 ステップの損失の中央値 {np.median(loss[-50:]):.3f}, 最初の |dW| は 1 層目 {norms[0]:.1e}, 出力層 {norms[-1]:.1e}")
        top.axhline(1.0, color="gray", linestyle=":", label="何も学ばない (1.0)")
        top.set(title=f"シグモイド、{title}", xlabel="ステップ", ylabel="損失")
        bottom.set(xlabel="層番号（入力側から）", ylabel="学習開始時の |dW|（対数）", xticks=[1, 5, 10, 15, 20])
        top.legend()
        bottom.legend()
    plt.show()
    ### END SOLUTION
