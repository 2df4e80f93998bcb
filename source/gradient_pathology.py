# %% [markdown]
# # Notebook 76: 勾配の病理学 ― 消失・爆発・鞍点
#
# *Gradient Pathology: Vanishing, Exploding, and Saddle Points*
#
# ## このノートブックの位置づけ
#
# **Unit 0.0「ニューラルエンジンの深部」** の最後のノートブックです。学習が失敗するしくみを理解し、診断と対策の方法を学びます。
# 医学の病理学と同じように、症状に名前をつけるだけでなく、**何を測ればその病気だと言えるのか** を常に問います。
#
# ### 学習目標
#
# 1. **勾配消失問題** のメカニズムと対策を、数値で説明できる
# 2. **勾配爆発問題** のメカニズムを説明し、クリッピングを実装できる（クリッピングでは治らない場合の見分け方は発展）
# 3. **鞍点と局所解** をヘッセ行列の固有値で見分けられる（発展）
# 4. **勾配のモニタリング** ツールを実装できる（ツールの見落としとその補い方は発展）
# 5. **Batch Normalization** の順伝播・逆伝播・推論を実装できる
#
# ### 前提知識
#
# - Notebook 70～75 の内容（特に 73・74 の逆伝播と、75 の SGD・Momentum・Adam）。ほかに必要な数学は、使うところで復習します
#
# ## 目次
#
# **★ は基本コース** です（約 4 時間 35 分）。そのうち 25 分は、次の「演習と採点のしかた」です。★ のない部分は発展で、飛ばしても先へ進めます。
#
# 1. [勾配消失問題](#1-勾配消失問題)（★ 25 分）
# 2. [勾配爆発問題](#2-勾配爆発問題)（★ 40 分、発展 20 分、演習 2.2: 勾配クリッピング）
# 3. [活性化関数の選択](#3-活性化関数の選択)（発展 20 分）
# 4. [重みの初期化](#4-重みの初期化)（★ 20 分、発展 20 分）
# 5. [鞍点と局所解](#5-鞍点と局所解)（発展 35 分）
# 6. [勾配モニタリングツール](#6-勾配モニタリングツール)（★ 15 分、発展 50 分、演習 6.1: GradientMonitor、演習 6.3: gradient_slope）
# 7. [最適化手法の比較](#7-最適化手法の比較)（発展 30 分）
# 8. [BatchNorm とそのほかの対策](#8-BatchNorm-とそのほかの対策)（★ 145 分、発展 30 分、演習 8.1: BatchNorm、演習 8.2: 深さの研究）
# 9. [Unit 0.0 総まとめ](#9-Unit-0.0-総まとめ)（★ 5 分、発展 5 分）

# %% [markdown]
# ## 演習と採点のしかた
#
# *★ 基本コース・25 分（準備運動と部品を含む）*
#
# 演習は全部で {{all}} 点です。6.3 は発展ですが、その {{gradient_profile}} 点も合計に入ります。基本コースだけなら {{clip_gradients + gradient_monitor + batch_norm + depth_study + depth_study_plot + depth_study_findings}} 点です。
#
# | 演習 | 書くもの | 採点 | 点数 | 時間の目安 |
# |---|---|---|---|---|
# | 2.2 | 関数 `clip_gradients` | 自動 | {{clip_gradients}} | 20 分 |
# | 6.1 | クラス `GradientMonitor` | 自動 | {{gradient_monitor}} | 10 分 |
# | 6.3（発展） | 関数 `gradient_slope` | 自動 | {{gradient_profile}} | 15 分 |
# | 8.1 | クラス `BatchNorm`（順伝播 {{batch_norm_forward}}、逆伝播 {{batch_norm_backward}}、推論 {{batch_norm_inference}}） | 自動 | {{batch_norm}} | 75 分 |
# | 8.2 | 関数 `depth_study` | 自動 | {{depth_study}} | 15 分 |
# | 8.2 | 図 {{depth_study_plot}}、考察 {{depth_study_findings}} | 手動 | {{depth_study_plot + depth_study_findings}} | 35 分 |
#
# 1. 解答セルの `raise NotImplementedError` を消し、自分のコードを書いて実行します。
# 2. すぐ下の `check("...")` のセルを実行します。結果、点数、直すための手がかりが表示されます。何度でも実行でき、部分点もあります。
# 3. 行き詰まったら、新しいセルを作り、最後の行に `hint("clip_gradients")` のように書いて実行します（名前は、その演習の `check` と同じです）。実行するたびに、ヒントが 1 つずつ表示されます。うまくいかなかった入力を自分で試すには、`given = example("clip_gradients")` で受け取り、次の行に `clip_gradients(given.layers, given.max_norm)` のように書きます。関数の中に書いた `print` の出力も、`check` の結果（カード）に表示されます。
#
# 本文は **予想 → 実験 → 注目** の順に進みます。`predict` のセルを実行し、選択肢を選ぶと、すぐに答えが出ます（ボタンが出なければ、`predict("1.1", "b")` のように書いて実行します）。採点はしません。次に実験を実行し、「注目」を開いてください。図を描くコードも折りたたんであります。`…` をクリックすると開きます。
#
# <details>
# <summary><b>解答と提出の決まり（提出する前に読んでください）</b></summary>
#
# - **関数・クラス・引数の名前を変えないでください。** 解答セルと `check` のセルを、消したり分割したりしないでください（セルを追加するのは自由です）。
# - `# 実験:` で始まるセルは **実験セル** です。まだ解いていない演習の解答を使う実験セルを実行すると、エラーにはならず、どの演習の解答が必要かが 1 行で表示されます。解答を書いてから、もう一度実行してください。
# - 解答セルの中で、実験セルで作った変数を使わないでください。採点では、時間を節約するため、変更されていない実験セルを実行しません。ほかのセル（セットアップ、`X` や `t` を作るセル、ほかの解答セルなど）で定義した名前は使えます。
# - **提出する前に、カーネルを再起動してすべてのセルを実行してください**（Kernel メニューの Restart Kernel and Run All Cells…、1 分ほど）。消したセルの変数が残っていて、たまたま動いているだけ、という失敗を防げます。ターミナルで `autograder check gradient_pathology.ipynb` を実行すると、採点と同じように、まっさらな状態からセルを順に実行した結果を確認できます（変更されていない実験セルは飛ばすので、数秒で終わります）。
#
# `check` が調べるのは、このノートブックに書いてある条件だけです。各演習の「仕様」に書いていないことで減点されることはありません。名前を書かずに `check()` を実行すると、すべての演習の進み具合が表示されます。
#
# </details>

# %% locked="setup"
# 環境セットアップ（このセルは変更しないでください）
import matplotlib.pyplot as plt
import matplotlib_fontja  # 日本語フォントを同梱しているので、どの OS でもラベルが表示される
import numpy as np
from cycler import cycler

from autograder import check, example, hint, predict, show, slider, use_exercises, use_language, waiting_for
from autograder.layers import (
    Layer, LeakyReLU, Linear, MSELoss, Problem, ReLU, Sigmoid, Tanh, build_deep_network, forward_backward,
)

use_language("ja")
use_exercises("gradient-pathology")

# 色覚によらず見分けやすい配色 (Okabe-Ito)。線種も変えて、色だけに頼らない。
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]
LINES = ["-", "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (5, 4))]
plt.rcParams.update({
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINES),
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "legend.fontsize": 9,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "text.hinting": "none",  # 小さな漢字の線がつぶれないようにする
})

print("環境セットアップ完了")

# %% [markdown] prose="warm-up"
# ### 準備運動: 1 行書いて確かめる
#
# 層の `backward(dout)` は、`dout` = $\partial L/\partial$(層の出力) を受け取り、$\partial L/\partial$(層の入力) を返します（$L$ は損失で、`dout` の形は出力と同じです）。計算に必要な値は、`forward` が `cache` に保存しておきます。`Sigmoid` が保存するのは出力 $y = \sigma(z) = 1 / (1 + e^{-z})$ です。導関数 $\sigma'(z)$ は、$y$ だけで書けるからです。
#
# 次のセルの `...` を、`y` を使った 1 行の式に書き換えて実行してください（点数はありません。行き詰まったら、[1.1](#1.1-勾配は掛け算で伝わる) の式を見てください）。下に表示される `check()` の一覧で、演習の進み具合が分かります。演習は本文中に順に出てくるので、いまは 1 つも解答していなくてもかまいません。

# %% experiment="warm-up-sigmoid"
# 準備運動: return の右の ... を 1 行の式に書き換えて、このセルを実行してください
def sigmoid_derivative(y):
    """シグモイドの出力 y = σ(z) から、導関数 σ'(z) の値を求める。"""
    return ...


layer, z = Sigmoid(), np.array([[-2.0, 0.0, 2.0]])
y = layer.forward(z)
yours, expected = sigmoid_derivative(y), layer.backward(np.ones_like(z))
if yours is ...:
    print("まだ書かれていません。")
elif np.shape(yours) == np.shape(expected) and np.allclose(yours, expected):
    print("正解です。z = -2, 0, 2 での導関数:", yours)
else:
    print(f"違います。あなたの値: {yours}、正しい値: {expected}")
check()

# %% [markdown]
# ### このノートブックで使う部品
#
# 前のノートブックで作った層は、`autograder.layers` にまとめてあります。
#
# - `Linear(in_features, out_features, init="xavier", rng=None)`: `params["W"]` の形は (入力, 出力)、`params["b"]` の形は (出力,)。`init` は、重みの初期値（平均 0 の正規乱数）の決め方で、`"xavier"`（標準偏差 $\sqrt{2/(n_\text{in}+n_\text{out})}$、幅 10 なら 0.32）、`"he"`（$\sqrt{2/n_\text{in}}$、0.45）、`"normal"`（0.01）、`"large"`（1.0）のどれか。はじめの 2 つの式の根拠は 4.1 で説明します。ここでは、それぞれ「中くらいの重み」「やや大きい重み」になると考えてください
# - `Sigmoid`、`Tanh`、`ReLU`、`LeakyReLU`: 学習するパラメータがないので、`params` も `grads` も空の辞書
# - `MSELoss`: 全要素（N×D 個）についての平均二乗誤差
# - `build_deep_network(n_layers, activation="sigmoid", init="xavier", norm=None, rng=None)`: Linear 層が `n_layers` 個（2 以上）、その間に活性化が `n_layers - 1` 個あるネットワーク（層のリスト）。幅（隠れ層のユニットの数）は 10、入力は 2、出力は 1。`norm` に層のクラスを渡すと、各活性化の直前に、その層が 1 つずつ入る
# - `forward_backward(layers, X, t)`: 順伝播と逆伝播を 1 回行い、`(損失, 各 Linear 層の grads["W"] のノルム)` を返す（ノルムは入力側から順に並べる）
#
# <details>
# <summary><b>層のコードを読む</b>（演習で層を書くときの手本になります）</summary>
#
# `Layer` はすべての層の親クラスです。`params` と `grads` は、名前をキー、配列を値とする辞書です。`training` は学習中かどうかを表し、ネットワークを使う側が切り替えます。
#
# {{code Layer}}
#
# `Linear` は $y = xW + b$ です。`backward` は `grads` を設定し、$x$ についての勾配を返します（`_require_one_of` は、`init` が決められた名前以外なら `ValueError` を送出します）。
#
# {{code Linear}}
#
# `Sigmoid` では、$|x|$ が大きくてもオーバーフローしないように、指数関数は必ず $e^{-|x|}$ の形で計算します。
#
# {{code Sigmoid}}
#
# `ReLU` は、どの要素が正だったかを保存します。$x = 0$ での導関数は 0 とします。
#
# {{code ReLU}}
#
# `Tanh` の導関数も、出力だけで書けます。
#
# {{code Tanh}}
#
# `MSELoss` では、(N, 1) と (N,) のように形が違うまま計算すると、NumPy が警告なしに (N, N) に広げてしまうので、先に `ValueError` を送出します（`_(...)` は、エラーメッセージを翻訳する関数です）。
#
# {{code MSELoss}}
#
# `forward_backward` は、すべての層を順にたどってから、逆順にたどります。
#
# {{code forward_backward}}
#
# </details>
#
# 次のセルでは、データと測定用の関数を用意します。乱数の **生成器はデータ用と重み用で別々** で、どちらもシードを固定してあるので、どの実験も、何度実行しても同じ結果になります。

# %%
def sine_task(n=100, seed=76):
    """目標は sin(πx1) + 0.5 x2^2。入力も目標も平均 0・分散 1 にそろえる。

    目標の分散が 1 なので、平均値 0 を出力するだけの「何も学習していない」ネットワークの損失がちょうど 1.0 になる。
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    t = np.sin(np.pi * x[:, :1]) + 0.5 * x[:, 1:] ** 2
    return (x - x.mean(axis=0)) / x.std(axis=0), (t - t.mean(axis=0)) / t.std(axis=0)


X, t = sine_task()  # X (100, 2), t (100, 1)


def output_gradient_norms(layers, X, t):
    """δ = ∂L/∂z（z は Linear 層の出力）のノルムを、Linear 層ごとに入力側から並べる。"""
    loss_fn = MSELoss()
    h = X
    for layer in layers:
        h = layer.forward(h)
    loss_fn.forward(h, t)
    dout = loss_fn.backward()
    norms = []
    for layer in reversed(layers):
        if isinstance(layer, Linear):
            norms.append(np.linalg.norm(dout))
        dout = layer.backward(dout)
    return norms[::-1]


def median_over_seeds(measure, seeds=20):
    """measure(rng) を 20 通りの重みで測り、中央値をとる。特定の乱数に結果が左右されないようにするため。"""
    return np.median([measure(np.random.default_rng(seed)) for seed in range(seeds)], axis=0)


def decades_per_layer(norms):
    """両端の層の比から、勾配が 1 層あたり何桁変わるかを測る。正なら入力側ほど小さい（消失）、負なら爆発。"""
    return (np.log10(norms[-1]) - np.log10(norms[0])) / (len(norms) - 1)


def scale_weights(layers, factor):
    """Linear 層の W を factor 倍して、同じ層のリストを返す。"""
    for layer in layers:
        if isinstance(layer, Linear):
            layer.params["W"] *= factor
    return layers


def sgd_update(layers, lr):
    """全パラメータを、勾配の逆向きに 1 ステップ動かす。"""
    for layer in layers:
        for name in layer.params:
            layer.params[name] -= lr * layer.grads[name]

# %% [markdown]
# ---
#
# ## 1 勾配消失問題
#
# ### 1.1 勾配は掛け算で伝わる
#
# *★ 基本コース・10 分*
#
# $l$ 番目の Linear 層の出力を $z^{(l)} = h^{(l-1)} W^{(l)} + b^{(l)}$、活性化を $h^{(l)} = \phi(z^{(l)})$ とします。
# **層の出力についての勾配** $\delta^{(l)} = \partial L / \partial z^{(l)}$ は、出力側から 1 層ずつ、次のように伝わります（$\odot$ は要素ごとの積）。
#
# $$\delta^{(l)} = \left(\delta^{(l+1)} W^{(l+1)\top}\right) \odot \phi'(z^{(l)})$$
#
# 掛けられるのは **重み** と **活性化の導関数** の 2 つです。このうち導関数には上限があります。
#
# - シグモイド: $\sigma'(z) = \sigma(z)(1 - \sigma(z)) \le 0.25$
# - tanh: $\tanh'(z) = 1 - \tanh^2(z) \le 1$（等号は $z = 0$ のときだけ）
#
# Linear 層の数を **深さ** $d$ とします。活性化は $d - 1$ 個なので、シグモイドの導関数の積は最大でも $0.25^{\,d-1}$ です。
# ただし、これは **導関数だけ** の上限です。実際の勾配には重みも掛かるので、重みしだいで、これより小さくも大きくもなります。このような掛け算のくり返しで勾配が指数関数的に消失・爆発することは、古くから知られています（Bengio et al., 1994）。
#
# 以後、$|\delta|$ は、全サンプル・全ユニットの要素を 1 本のベクトルとみなしたときの長さを表します。両端の比 $|\delta^{(1)}| / |\delta^{(d)}|$ の $d - 1$ 乗根を、**1 層あたりの倍率** と呼びます。標準偏差は sd と書きます。

# %% experiment="predict-1-1"
predict("1.1")

# %% tags=["experiment"]
# 実験: シグモイドの導関数と、勾配が届く割合
z = np.linspace(-6, 6, 401)[:, None]
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2))
for activation, name in [(Sigmoid(), "σ'"), (Tanh(), "tanh'")]:
    activation.forward(z)
    left.plot(z, activation.backward(np.ones_like(z)), label=name)
left.axhline(0.25, color="gray", linestyle=":", label="0.25")
left.set(xlabel="z", ylabel="導関数の値", title="導関数には上限がある")
left.legend()

depths = np.array([2, 5, 10, 15, 20])
right.semilogy(depths, 0.25 ** (depths - 1.0), color="gray", linestyle=":", label=r"導関数の積の上限 $0.25^{d-1}$")
for label, init, factor, marker in [("sd=0.01", "normal", 1, "o"), ("Xavier", "xavier", 1, "s"), ("Xavier の 6 倍", "xavier", 6, "^")]:
    ratios = []
    for depth in depths:
        norms = median_over_seeds(
            lambda rng: output_gradient_norms(scale_weights(build_deep_network(depth, "sigmoid", init, rng=rng), factor), X, t)
        )
        ratios.append(norms[0] / norms[-1])
    right.semilogy(depths, ratios, marker=marker, label=label)
    print(f"{label}: 20 層の両端の比 {ratios[-1]:.1e}、1 層あたり {ratios[-1] ** (1 / 19):.4f} 倍")
right.set(xlabel="深さ d（Linear 層の数）", ylabel=r"$|\delta^{(1)}| / |\delta^{(d)}|$（対数）", title="シグモイドのネットワークで、勾配が入力側まで届く割合", xticks=depths)
right.legend()
show("左: シグモイドと tanh の導関数。最大値はシグモイドが 0.25、tanh が 1。右: 深さ 2 から 20 での、入力側に届く勾配の割合。Xavier は導関数の積の上限に沿って下がり、sd=0.01 はもっと急に、Xavier の 6 倍は緩やかに下がる。")

print(f"導関数の積の上限: 10 層 {0.25**9:.2e}、20 層 {0.25**19:.2e}")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - Xavier では 1 層あたり約 0.23 倍で、上限の 0.25 に近い値です。20 層では約 $10^{-12}$ 倍になり、入力側の層には勾配がほとんど届きません。
# - sd=0.01 では 1 層あたり約 0.008 倍です。$0.25^{d-1}$ は「最悪の場合」の値ではありません。重みが小さければ、勾配はこれよりもっと小さくなります。
# - Xavier の 6 倍では約 0.70 倍で、導関数だけの上限 0.25 を **超えます**。消失は活性化だけでは決まらず、活性化と重みの組み合わせで決まります。
#
# </details>

# %% [markdown]
# ### 1.2 公平な比較: 変えるのは一度に 1 つだけ
#
# *★ 基本コース・15 分*
#
# 「シグモイドでは勾配が消え、ReLU では保たれる」とよく言われます。しかし、小さな重みのシグモイドと He 初期化の ReLU を比べても、
# 差が活性化のせいなのか、初期化のせいなのかは分かりません。そこで、実験を 2 つに分けます。
#
# - **左**: 初期化を同じ（Xavier）にして、活性化だけを変える
# - **中央**: 活性化を同じ（シグモイド）にして、初期化だけを変える
#
# 右の図では、測るものによって見え方がどう変わるかを調べます。重みの勾配は $\partial L/\partial W^{(l)} = h^{(l-1)\top} \delta^{(l)}$ で、順伝播の値 $h$ と逆伝播の値 $\delta$ の **積** です（以後、この勾配を $dW$ と書きます）。
# tanh のネットワークを sd=0.01 で初期化すると、$h$ は出力側ほど小さく、$\delta$ は入力側ほど小さくなります。
#
# 層番号に対する $\log_{10}|\delta|$ の傾きを **坂** と呼び、1 層あたりの桁数（10 倍で 1 桁）で表します。ここでは両端の 2 層だけから求めるので、坂は $-\log_{10}$(1 層あたりの倍率) です。0.23 倍なら 0.64 桁（正: 消失。図では右上がり）、4 倍なら -0.6 桁（負: 爆発。図では右下がり）になります。

# %% experiment="predict-1-2"
predict("1.2")

# %% tags=["experiment"]
# 実験: 変えるのは一度に 1 つだけ
depth = 10
numbers = np.arange(1, depth + 1)
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 4.4), sharey=True)
activations = {"sigmoid": (COLORS[0], "o-"), "tanh": (COLORS[1], "s--"), "relu": (COLORS[2], "^-.")}
inits = {"normal": ("sd=0.01", COLORS[3], "D:"), "xavier": ("Xavier", COLORS[0], "o-"), "he": ("He", COLORS[4], "v--")}

print("δ の坂（1 層あたりの桁数。正: 入力側ほど小さい）と、1 層目の |δ|。10 層、20 通りの中央値")
print(f"{'':10}{'sd=0.01':>20}{'Xavier':>20}{'He':>20}")
print(" " * 10 + f"{'坂':>9}{'|δ|':>10}" * 3)
for activation, (color, style) in activations.items():
    line = f"{activation:10}"
    for init, (label, init_color, init_style) in inits.items():
        norms = median_over_seeds(lambda rng: output_gradient_norms(build_deep_network(depth, activation, init, rng=rng), X, t))
        line += f"{decades_per_layer(norms):>10.2f}{norms[0]:>10.1e}"
        if init == "xavier":
            left.semilogy(numbers, norms, style, color=color, label=activation)
        if activation == "sigmoid":  # 左の図と同じネットワーク（Xavier のシグモイド）は、同じ色と印にする
            middle.semilogy(numbers, norms, init_style, color=init_color, label=label)
    print(line)
left.set(title="初期化は同じ (Xavier)、\n活性化だけ違う", ylabel=r"$|\delta|$（対数）")
middle.set(title="活性化は同じ (sigmoid)、\n初期化だけ違う", ylabel=r"$|\delta|$（対数）")

for measure, name, label, color, style in [
    (output_gradient_norms, "|δ| ", r"$|\delta|$", COLORS[5], "P-"),
    (lambda *net: forward_backward(*net)[1], "|dW|", r"$|dW|$", COLORS[6], "X--"),
]:
    norms = median_over_seeds(lambda rng: measure(build_deep_network(depth, "tanh", "normal", rng=rng), X, t))
    right.semilogy(numbers, norms, style, color=color, label=label)
    print(f"tanh, sd=0.01 の {name}: 1 層目 {norms[0]:.1e}, 出力層 {norms[-1]:.1e}, 1 層あたり {decades_per_layer(norms):.2f} 桁")
right.set(title="tanh (sd=0.01):\n何を測るかで見え方が違う", ylabel="ノルム（対数）")
for ax in (left, middle, right):
    ax.set_xlabel("層番号（入力側から）")
    ax.legend()
show("層番号に対する勾配のノルム（対数）の図が、同じ目盛りで 3 枚。左: Xavier では、シグモイドの坂が最も急で、tanh はほぼ水平。中央: シグモイドは sd=0.01 で最も急、He では緩やか。右: tanh の sd=0.01 では、|δ| は坂になるが、|dW| は平ら。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - **同じ Xavier でも**、シグモイドでは勾配が 1 層あたり 0.64 桁ずつ減りますが、tanh では 0.05 桁、ReLU では 0.19 桁です。
# - **同じシグモイドでも**、sd=0.01 では 2.13 桁ずつ減り、1 層目では Xavier より 13 桁以上小さくなります。「小さな重みのシグモイド」と「He の ReLU」では、1 層目の $|\delta|$ に約 18.6 桁の差があります。このうち 14.4 桁は、シグモイドのまま初期化を sd=0.01 から He に変えたときの差です（残りは、He のまま活性化を ReLU に変えたときの差です）。
# - ReLU でも、sd=0.01 では 1 層あたり 1.7 桁減ります。「ReLU なら勾配は保たれる」とは言えません。
# - 右の図では、$|dW|$ はどの層でも $10^{-14}$ 程度でほぼ平らで、坂になるのは $|\delta|$ だけです。重みの勾配を **層どうしで比べる** だけでは、この消失に気づけません。
#
# </details>

# %% [markdown]
# ---
#
# ## 2 勾配爆発問題
#
# ### 2.1 問題の概要
#
# *★ 基本コース・15 分*
#
# 勾配消失とは逆に、1 層あたりの倍率が 1 を超えると、勾配は指数関数的に **大きく** なります。重みの標準偏差を $s_w$、幅を $n$ とします。
# 逆伝播で $W$ を 1 つ通ると、$\delta$ の各要素は、平均 0 の独立な重みを掛けた $n$ 個の項の和になります。1 つの項の分散は $s_w^2\,\mathrm{E}[\delta^2]$ で、独立な項の和の分散は、各項の分散の和です。したがって、分散は $n s_w^2$ 倍になり、ReLU ではさらに、およそ半分の要素だけが残ります。そのため、$|\delta|$ の 1 層あたりの倍率は、およそ
#
# $$\sqrt{\tfrac{1}{2}\, n\, s_w^2}$$
#
# です。He 初期化では、この式の値が 1 になるように $s_w^2 = 2/n$ とします。
#
# **原因**: 重みの初期値が大きすぎる、学習率が大きすぎる、同じ重みを何度も掛ける構造になっている（再帰型ネットワーク RNN など）

# %% experiment="predict-2-1"
predict("2.1")

# %% tags=["experiment"]
# 実験: 勾配爆発を δ と |dW| で見る
depth = 10
numbers = np.arange(1, depth + 1)
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), sharey=True)
for label, init, factor, marker in [("He", "he", 1, "o"), ("sd=1", "large", 1, "s"), ("sd=2", "large", 2, "^")]:
    build = lambda rng: scale_weights(build_deep_network(depth, "relu", init, rng=rng), factor)
    delta = median_over_seeds(lambda rng: output_gradient_norms(build(rng), X, t))
    weight = median_over_seeds(lambda rng: forward_backward(build(rng), X, t)[1])
    left.semilogy(numbers, delta, marker=marker, label=label)
    right.semilogy(numbers, weight, marker=marker, label=label)
    sigma = np.sqrt(2 / 10) if init == "he" else factor
    print(f"{label:4}: δ は 1 層ごとに {10 ** -decades_per_layer(delta):.2f} 倍（理論の目安 {np.sqrt(10 * sigma**2 / 2):.2f} 倍）"
          f"、|dW| は 1 層目 {weight[0]:.1e} / 出力層 {weight[-1]:.1e}")
left.set(title="層の出力についての勾配", ylabel=r"$|\delta|$（対数）")
right.set(title="重みの勾配", ylabel=r"$|dW|$（対数）")
for ax in (left, right):
    ax.set_xlabel("層番号（入力側から）")
left.legend()
right.legend(loc="lower right", bbox_to_anchor=(1, 0.2))
show("左: |δ| は、sd=1 と sd=2 では入力側へ向かって増え、He ではほぼ水平。右: |dW| は、どれもほぼ水平で、sd が大きいほど高い。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 左: sd=2 では、$|\delta|$ は出力側から入力側へ 1 層進むごとに約 4 倍になります。どの初期化でも理論の目安より 1 割ほど小さいのは、幅が 10 と狭く、重みによるばらつきが大きいためです。倍率の分布が大きい側に裾を引くので、中央値は、二乗平均から求めた理論の目安より小さくなります。
# - 右: sd=1 と sd=2 の $|dW|$ は巨大ですが、層による差はほとんどありません。順伝播の値は出力側ほど大きく、δ は入力側ほど大きいので、積をとると打ち消し合います。「どの層で爆発したか」は、$|dW|$ の図では分かりません。
# - 爆発は順伝播でも起きています。出力が大きいので、δ は逆伝播の出発点である出力層ですでに巨大です。
#
# </details>
#
# 次に、sd=2 のネットワークを最大 6 ステップ学習させます（パラメータを 1 回更新することを、1 **ステップ** と呼びます）。損失が有限でなくなったら、そこで打ち切ります。**わざとオーバーフローさせるので、警告（RuntimeWarning）が出ます。** 病気の最初の兆候は、警告として現れることが多いので、ここでは隠しません。

# %% experiment="predict-2-1-2"
predict("2.1.2")

# %% tags=["experiment"]
# 実験: 発散の様子（わざとオーバーフローさせるので、警告が出ます）
layers = scale_weights(build_deep_network(10, "relu", "large", rng=np.random.default_rng(0)), 2.0)
for step in range(6):
    loss, norms = forward_backward(layers, X, t)
    print(f"ステップ {step}: 損失 {loss:.2e}, 最大の |dW| {np.max(norms):.2e}")
    if not np.isfinite(loss):
        break
    sgd_update(layers, lr=0.01)

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# 損失はたった 1 ステップで $10^{12}$ の桁から $10^{143}$ の桁へ跳ね上がり、次のステップで NaN になります。大きな重みが巨大な勾配を生み、その勾配が重みをさらに大きくする、という悪循環です。一度 NaN になったパラメータは、それ以上何ステップ進めても元に戻りません。
#
# </details>

# %% [markdown]
# ### 2.2 勾配クリッピング
#
# *★ 基本コース・25 分*
#
# すべての勾配を 1 本の長いベクトル $g$ とみなし、その長さが上限を超えたら、**向きを変えずに** 縮めます（Pascanu et al., 2013）。
#
# $$\|g\| = \sqrt{\sum_{\text{層}} \sum_{\text{名前}} \sum_i g_i^2}, \qquad g \leftarrow c\, g, \qquad c = \min\left(1, \frac{\text{max\_norm}}{\|g\|}\right)$$
#
# #### 演習 2.2: `clip_gradients`（{{clip_gradients}} 点、自動採点）
#
# `clip_gradients(layers, max_norm=1.0)` を書いてください。戻り値は `(total_norm, clip_coef)` です。
#
# **仕様**
#
# - `total_norm` は、すべての層の `grads` にあるすべての配列をまとめた L2 ノルムで、**クリッピング前** の値です。`W` と `b` の勾配のほか、正規化層（8.1）が持つ `gamma` と `beta` の勾配も含めます。値が `None` のもの（まだ一度も逆伝播していない層の勾配）と、勾配を持たない層（`grads` が空）は飛ばします。対象となる勾配が 1 つもなければ、`(0.0, 1.0)` を返します。
# - `total_norm > max_norm` なら、すべての勾配に **同じ係数** を掛け、全体のノルムを `max_norm` にします。`params` は変えません。
# - それ以外なら、勾配は変えず、`clip_coef == 1.0` とします。
# - `clip_coef` は実際に掛けた係数です。1 を超えることはありません。
# - 勾配のどこかに NaN か無限大があれば、`ValueError` を送出（raise）します。このとき、すべての勾配は元のままにしておきます。
#
# <details>
# <summary><b>許される違いと、採点しないこと</b></summary>
#
# - 相対誤差は 1e-5 まで許されます。係数は、`max_norm / total_norm` でも `max_norm / (total_norm + 1e-6)` でも正解です。
# - 配列をその場で書き換えても、`layer.grads[name]` に新しい配列を入れても、`grads` を同じ名前（キー）の新しい辞書に取り替えてもかまいません。
# - ノルムと `max_norm` の差が 1e-6 以内のときは、縮めても縮めなくても正解です。
# - `ValueError` の代わりに `ArithmeticError` や `RuntimeError` を送出しても正解です。
# - 渡される層は、このノートブックに出てくる種類のものだけです。
#
# **採点しないこと**: 有限な勾配の 2 乗がオーバーフローする（またはアンダーフローして 0 になる）場合、2 つの層が同じ配列を共有する場合、`max_norm` が正の有限な数でない場合
#
# </details>

# %% solution="clip_gradients"

# %% check="clip_gradients"
check("clip_gradients")

# %% [markdown]
# ### 2.3 クリッピングで治るもの、治らないもの
#
# *発展・10 分。基本コースの続きは [4.1](#4.1-分散を保つ) です*
#
# 自分で書いた `clip_gradients` を試します。
#
# 1. sd=2 のネットワークの勾配を 1 回クリッピングし、全体のノルムが本当に `max_norm` になるかを確かめる
# 2. He 初期化のネットワークに **5 倍に拡大した入力** を与え、学習率 0.1 で 80 ステップ学習させる。12 通りの重みで、クリッピングの有無による違いを見る
# 3. sd=2 のネットワークを、クリッピングしながら、ふつうの入力で 80 ステップ学習させる。5 通りの重みで、He 初期化のネットワークと比べる
#
# ここではわざと発散させ、発散した個数をプログラムで数えます。同じ警告が何度も出ないように、この実験では（6.4 と 8.3 でも）NumPy の警告を止めています。

# %% experiment="predict-2-3"
predict("2.3")

# %% tags=["experiment"]
# 実験: クリッピングで治るもの、治らないもの
def train_until_overflow(layers, inputs, lr, steps, max_norm=None):
    """損失の記録を返す。損失か勾配が有限でなくなったら、そこで打ち切る。"""
    losses = []
    for _ in range(steps):
        loss, norms = forward_backward(layers, inputs, t)
        if not np.isfinite([loss, *norms]).all():
            break
        losses.append(loss)
        if max_norm is not None:
            clip_gradients(layers, max_norm)
        sgd_update(layers, lr)
    return losses


def he_network(seed):
    return build_deep_network(10, "relu", "he", rng=np.random.default_rng(seed))


def sd_2_network(seed):
    return scale_weights(build_deep_network(10, "relu", "large", rng=np.random.default_rng(seed)), 2.0)


def summary(runs, steps):
    """発散したもの、学習できなかったもの（最後の損失が 0.9 以上）、学習できたものの個数。"""
    finished = [losses[-1] for losses in runs if len(losses) == steps]
    learned = sum(loss < 0.9 for loss in finished)
    return f"{len(runs)} 個のうち {len(runs) - len(finished)} 個が発散、{len(finished) - learned} 個は学習できず、{learned} 個が学習できた"


with waiting_for("clip_gradients"), np.errstate(over="ignore", invalid="ignore"):
    layers = sd_2_network(0)
    forward_backward(layers, X, t)
    total_norm, clip_coef = clip_gradients(layers, max_norm=1.0)
    new_norm, _ = clip_gradients(layers, max_norm=1e300)  # 上限がないのと同じ: 測るだけ
    print(f"1. 前のノルム {total_norm:.3e}, 係数 {clip_coef:.3e}, 後のノルム {new_norm:.6f}")

    steps = 80
    without, clipped = [[train_until_overflow(he_network(seed), 5 * X, 0.1, steps, m) for seed in range(12)] for m in (None, 1.0)]
    print("2. クリッピングなし:", summary(without, steps))
    print("2. クリッピングあり:", summary(clipped, steps))
    bad, good = [[train_until_overflow(build(seed), X, 0.1, steps, 1.0) for seed in range(5)] for build in (sd_2_network, he_network)]
    print("3. sd=2 とクリッピング:", summary(bad, steps))
    print("   最後の損失:", ", ".join(f"{losses[-1]:.1e}" for losses in bad))
    print("3. He とクリッピング:  ", summary(good, steps))
    print("   最後の損失:", ", ".join(f"{losses[-1]:.1e}" for losses in good))

    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
    for ax, runs, color, dash, label in [
        (left, without, COLORS[1], "--", "クリッピングなし"),
        (left, clipped, COLORS[0], "-", "クリッピングあり"),
        (right, bad, COLORS[1], "--", "sd=2、クリッピングあり"),
        (right, good, COLORS[0], "-", "He、クリッピングあり"),
    ]:
        for losses in runs:
            ax.loglog(np.arange(1, len(losses) + 1), losses, color=color, linestyle=dash, linewidth=1.2, alpha=0.7)
        ax.plot([], [], color=color, linestyle=dash, label=label)
    ends = [len(losses) + 1 for losses in without if len(losses) < steps]
    for i, end in enumerate(ends):  # 同じステップの印は、縦にずらして並べる
        left.plot(end, 1e7 / 4 ** ends[:i].count(end), "x", color="black", markersize=8)
    left.plot([], [], "x", color="black", label="発散したステップ")
    left.set(title="He 初期化、入力 5 倍、12 通りの重み", ylim=(3e-2, 3e7))
    right.set(title="悪い初期値は、クリッピングでは治らない（5 通りの重み）")
    for ax, place in [(left, "upper right"), (right, "center left")]:
        ax.axhline(1.0, color="gray", linestyle=":", label="何も学習しない (1.0)")
        ax.set(xlabel="ステップ（1 から、対数）", ylabel="損失（対数）")
        ax.legend(loc=place)
    show("左: 入力 5 倍の 12 個の損失。クリッピングなしでは 5 個が発散し、3 個が 1.0 あたりで止まる。クリッピングありでは全部が下がる。右: クリッピングありでも、sd=2 の損失は巨大なままか 1.0 で止まり、He の損失は下がる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 1: 係数は $10^{-13}$ ほどなので、もし小数点以下 4 桁で表示したら「0.0000」となり、正しいかどうかは分かりません。確かめるべきなのは、クリッピング後の **全体のノルム** が 1 になることです。
# - 2: クリッピングがないと、12 個のうち学習できたのは 4 個だけで、5 個は発散しました。クリッピングがあれば、12 個とも学習できました。ときどき大きくなりすぎる更新を、クリッピングが抑えるからです。
# - 3: sd=2 では、損失が NaN になることはありませんが、学習できたネットワークは 1 個もありません。損失は、巨大なままか、1.0 で止まるかのどちらかです。1.0 で止まるのは、ある層の ReLU のユニットがすべて、どの入力にも 0 しか出さなくなる（3.2 の「死んだユニット」）からです。クリッピングが抑えるのは **1 ステップの大きさ** だけで、悪い初期値を治すわけではありません。初期値の治し方は、セクション 4 で扱います。
#
# </details>

# %% [markdown] prose="rnn-question"
# ### 2.4 クリッピングが必要なところ: RNN
#
# *発展・10 分*
#
# 再帰型ネットワーク（RNN）では、同じ重みが時刻の数だけ掛かります。隠れ状態は
#
# $$h_t = \tanh([x_t, h_{t-1}]\, W + b)$$
#
# です（$[x_t, h_{t-1}]$ は、2 つを横につないだベクトルです）。逆伝播では、勾配が時刻を 1 つさかのぼるごとに、**同じ** 重み（$W$ のうち $h_{t-1}$ に掛かる行）と $\tanh'$ が掛かります。深いネットワークと同じことが、時間の方向に起きるのです（Pascanu et al., 2013）。
#
# 課題は、20 個の入力を順に読み、**最初の 1 個** を出力することです。まず、$h_{t-1}$ に掛かる重みを 0.5 倍、1 倍、2 倍にして、$|\partial L/\partial h_t|$ を測ります（もとの重みは 10×10 の直交行列で、掛けてもベクトルの長さが変わりません）。次に、1 倍の RNN を、大きめの学習率 0.7 で 100 ステップ学習させます。クリッピングには、あなたの `clip_gradients` を使います。

# %% experiment="predict-2-4"
predict("2.4")

# %% experiment="rnn"
# 実験: RNN の勾配とクリッピング
class RNN(Layer):
    """h_t = tanh([x_t, h_(t-1)] W + b)。x は (N, T, 1)、戻り値は最後の h (N, width)。"""

    def __init__(self, width, scale, rng):
        super().__init__()
        orthogonal, _ = np.linalg.qr(rng.standard_normal((width, width)))
        self.params = {"W": np.vstack([0.5 * rng.standard_normal((1, width)), scale * orthogonal]), "b": np.zeros(width)}
        self.grads = {"W": None, "b": None}

    def forward(self, x):
        h, self.cache["steps"] = np.zeros((len(x), len(self.params["b"]))), []
        for step in range(x.shape[1]):
            joined = np.hstack([x[:, step], h])
            h = np.tanh(joined @ self.params["W"] + self.params["b"])
            self.cache["steps"].append((joined, h))
        return h

    def backward(self, dout):
        self.grads = {name: np.zeros_like(value) for name, value in self.params.items()}
        norms = []
        for joined, h in reversed(self.cache["steps"]):
            norms.append(np.linalg.norm(dout))
            dz = dout * (1 - h**2)
            self.grads["W"] += joined.T @ dz  # 同じ重みなので、時刻について足す
            self.grads["b"] += dz.sum(axis=0)
            dout = (dz @ self.params["W"].T)[:, 1:]
        self.norms = norms[::-1]  # 時刻ごとの |∂L/∂h|
        return dout


def rnn(scale, seed):
    rng = np.random.default_rng(seed)
    return [RNN(10, scale, rng), Linear(10, 1, rng=rng)]


def rnn_losses(layers, max_norm=None, steps=100):
    """損失の記録を返す。100 万を超えたら発散とみなし、そこで打ち切る。"""
    losses = []
    while len(losses) < steps and losses[-1:] < [1e6]:
        losses.append(forward_backward(layers, sequences, first)[0])
        if max_norm is not None:
            clip_gradients(layers, max_norm)
        sgd_update(layers, 0.7)
    return losses


sequences = np.random.default_rng(76).standard_normal((64, 20, 1))
first = sequences[:, 0] / sequences[:, 0].std()
with waiting_for("clip_gradients"):
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
    for scale, marker in [(0.5, "o"), (1.0, "s"), (2.0, "^")]:
        norms = []
        for seed in range(20):
            layers = rnn(scale, seed)
            forward_backward(layers, sequences, first)
            norms.append(layers[0].norms)
        norms = np.median(norms, axis=0)
        left.semilogy(np.arange(1, 21), norms, marker=marker, label=f"重み {scale:g} 倍")
        print(f"重み {scale:g} 倍: 時刻 1 の勾配 {norms[0]:.1e}, 時刻 20 の勾配 {norms[-1]:.1e}, 1 時刻さかのぼるごとに {(norms[0] / norms[-1]) ** (1 / 19):.2f} 倍")
    for max_norm, label, color, dash in [(None, "クリッピングなし", COLORS[1], "--"), (1.0, "クリッピングあり", COLORS[0], "-")]:
        runs = [rnn_losses(rnn(1.0, seed), max_norm) for seed in range(6)]
        for losses in runs:
            right.loglog(np.arange(1, len(losses) + 1), losses, color=color, linestyle=dash, linewidth=1.2)
        right.plot([], [], color=color, linestyle=dash, label=label)
        diverged = sum(losses[-1] >= 1e6 for losses in runs)
        learned = sum(np.mean(losses[-10:]) < 0.9 for losses in runs)
        print(f"{label}: {len(runs)} 個のうち {diverged} 個が発散、{learned} 個が学習できた")
    left.set(title="時刻ごとの |∂L/∂h|（20 通りの中央値）", xlabel="時刻", ylabel="ノルム（対数）", xticks=[1, 5, 10, 15, 20])
    right.set(title="学習率 0.7 での損失（6 通りの重み）", xlabel="ステップ（1 から、対数）", ylabel="損失（対数）", ylim=(3e-2, 3e7))
    right.axhline(1.0, color="gray", linestyle=":", label="何も学習しない (1.0)")
    left.legend()
    right.legend(loc="upper left")
    show("左: 20 時刻分の勾配のノルム（対数）。過去へさかのぼるにつれて、重み 0.5 倍では急に下がり、1 倍では緩やかに下がり、2 倍では上がる。右: 6 個ずつの損失。クリッピングなしでは 100 万を超えて線が途切れ、クリッピングありでは 1.0 より下がる。")

# %% [markdown] prose="rnn-notice"
# <details>
# <summary><b>注目</b></summary>
#
# - 左: 1 時刻さかのぼるごとに、勾配は 0.5 倍の重みで 0.44 倍、1 倍で 0.80 倍、2 倍で 1.15 倍になります。重みが直交行列（1 倍）でも勾配が少しずつ消えるのは、$\tanh'$ が 1 より小さいからです。
# - 右: クリッピングがないと 6 個とも発散し、クリッピングがあれば 6 個とも学習できます。初期値は正常なので、2.3 の sd=2 のネットワークと違い、大きすぎる 1 ステップを防ぐだけで十分です。
# - クリッピングは、消失には効きません。0.5 倍の RNN では、時刻 1 の勾配は $6 \times 10^{-8}$ です。LSTM には、消失を防ぐための、足し算の通り道があります。8.3 の残差接続と同じ考え方です。
#
# </details>

# %% [markdown]
# ---
#
# ## 3 活性化関数の選択
#
# ### 3.1 各活性化関数の特性比較
#
# *発展・10 分*
#
# 導関数 $\phi'$ が小さくならない範囲がどれくらい広いかを、4 つの活性化関数で比べます。
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}}, \qquad \tanh z = 2\sigma(2z) - 1$$
#
# $$\text{ReLU}(z) = \max(0, z), \qquad \text{Leaky ReLU}(z) = \max(0.01z, z)$$
#
# 導関数は、層の `backward` に 1 を渡して求めます。

# %% experiment="predict-3-1"
predict("3.1")

# %% tags=["experiment"]
# 実験: 活性化関数とその導関数
z = np.linspace(-6, 6, 601)[:, None]
fig, axes = plt.subplots(1, 4, figsize=(12, 3.6), sharey=True)
print(f"{'導関数':9}{'z=-4':>12}{'z=4':>12}{'max':>12}")
for ax, activation in zip(axes, [Sigmoid(), Tanh(), ReLU(), LeakyReLU()]):
    name = type(activation).__name__
    y = activation.forward(z)
    derivative = activation.backward(np.ones_like(z))
    at = {value: derivative[np.argmin(np.abs(z - value)), 0] for value in (-4, 4)}
    print(f"{name:12}{at[-4]:>12.4f}{at[4]:>12.4f}{derivative.max():>12.4f}")
    if isinstance(activation, (ReLU, LeakyReLU)):
        derivative[np.abs(z) < 1e-9] = np.nan  # z = 0 では微分できないので、線をつながない
    ax.plot(z, y, label=r"$\phi(z)$")
    ax.plot(z, derivative, label=r"$\phi'(z)$")
    ax.set(title=name, xlabel="z", xticks=[-6, -3, 0, 3, 6], ylim=(-1.2, 2.2))  # 4 つとも同じ目盛りにして、導関数を比べられるようにする
    ax.legend(loc="upper left")
show("4 つの活性化関数と導関数を、同じ目盛りで並べた図。シグモイドの導関数は低い山、tanh は高さ 1 の細い山、ReLU は正の側で 1、負の側で 0、Leaky ReLU は負の側で 0.01。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - $|z| = 4$ での導関数は、シグモイドが 0.018、tanh が 0.0013 です。原点では tanh がシグモイドの 4 倍ですが、先に飽和するのは tanh のほうです。
# - ReLU は、正の側では $z$ がいくら大きくても勾配をそのまま通し、負の側ではまったく通しません。$z$ が正負どちらの向きに 0 から大きく離れても勾配が残るのは Leaky ReLU だけで、負の側では 0.01 倍です。
#
# </details>
#
# | 関数 | 出力の範囲 | 勾配 | 注意点 |
# |---|---|---|---|
# | Sigmoid | (0, 1) | 最大 0.25。両側で 0 に近づく（飽和） | 出力がいつも正で、平均が 0 にならない。深いネットワークの隠れ層には向かない |
# | Tanh | (-1, 1) | 最大 1。両側で飽和 | 重みが大きいと飽和する |
# | ReLU | [0, ∞) | 正の側で 1、負の側で 0 | すべての入力で 0 になる「死んだユニット」が生じることがある |
# | Leaky ReLU | (-∞, ∞) | 正の側で 1、負の側で 0.01 | 負の側の勾配は、0 ではないが小さい |
#
# $z = 0$ では、ReLU は微分できません。このコースの実装では、左側からの微分係数である 0 を使います。

# %% [markdown]
# ### 3.2 「不活性」と「死んだ」は違う
#
# *発展・10 分*
#
# ReLU のユニットが、ある入力に対して 0 を出力するのは正常です（**不活性**）。入力によって 0 になったりならなかったりするからこそ、非線形な関数を表せます。
# 問題になるのは、**データ中のすべての入力に対して** 0 を出力するユニットです（**死んだユニット**）。ユニット $j$ に入る重みの勾配は、サンプル $i$ についての和
#
# $$\frac{\partial L}{\partial W_{kj}} = \sum_i h_{ik}\, \delta_{ij}$$
#
# で、$\delta_{ij}$ には $\phi'(z_{ij})$ が掛かっています。すべてのサンプルで $\phi'(z_{ij}) = 0$ なら和も 0 になり、死んでいるあいだ、そのユニットに入る重みは更新されません。

# %% experiment="predict-3-2"
predict("3.2")

# %% tags=["experiment"]
# 実験: 不活性の割合と、死んだユニットの割合
def inactive_and_dead(activation, seed, n_layers=20):
    """各活性化層の、不活性の割合（ユニット×入力の平均）と、死んだユニット（全入力で導関数 0）の割合。"""
    layers = build_deep_network(n_layers, activation, "he", rng=np.random.default_rng(seed))
    h = np.random.default_rng(760).standard_normal((1000, 2))
    shares = []
    for layer in layers:
        h = layer.forward(h)
        if isinstance(layer, (ReLU, LeakyReLU)):
            closed = h <= 0
            no_gradient = layer.backward(np.ones_like(h)) == 0
            shares.append((closed.mean(), no_gradient.all(axis=0).mean()))
    return np.array(shares)


fig, ax = plt.subplots(figsize=(8, 4.4))
for activation, marker in [("relu", "o"), ("leaky_relu", "s")]:
    inactive, dead = np.mean([inactive_and_dead(activation, seed) for seed in range(20)], axis=0).T
    numbers = np.arange(1, len(dead) + 1)
    ax.plot(numbers, 100 * inactive, marker=marker, label=f"{activation}: 負の側にある割合")
    ax.plot(numbers, 100 * dead, marker=marker, label=f"{activation}: 死んだユニット")
    print(f"{activation:10}: 負の側にある割合は 1 層目 {inactive[0]:.0%} / 19 層目 {inactive[-1]:.0%}、"
          f"\n    死んだユニットは 1 層目 {dead[0]:.0%} / 4 層目 {dead[3]:.0%} / 9 層目 {dead[8]:.0%} / 19 層目 {dead[-1]:.0%}")
ax.set(title="学習前の 20 層のネットワーク（幅 10、He 初期化、20 通りの平均）", xlabel="活性化層の番号（入力側から）", ylabel="割合 [%]", ylim=(-3, 100), xticks=numbers[::2])
ax.legend()
show("活性化層の番号に対する割合。負の側にある割合は、どの層でも約 50%。ReLU の死んだユニットは 0% から始まり、深い層で 40% を超える。Leaky ReLU では 0% のまま。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 不活性の割合（ユニットと入力の組で数えます）は、どの層でもおよそ半分です。半分が不活性であること自体は正常です。
# - 死んだユニットは 1 層目にはありませんが、深い層ほど増え、19 層目では 40% を超えます。深い層では、入力が変わっても、1 つのユニットの $z$ の符号が変わりにくくなるからです（いつも負なら、そのユニットは死んでいます）。不活性の割合だけを見ていると、この変化に気づけません。ReLU のネットワークが深いほど、ある層のユニットがはじめからすべて死んでいる確率が高いことは、理論でも示されています（Lu et al., 2020）。学習中に、大きすぎる更新でユニットが死ぬこともあります。
# - Leaky ReLU は負の側でも勾配を通すので、死んだユニットはありません。ただし、負の側の勾配は 0.01 倍なので、「生きているが、ほとんど更新されない」ことはあります。
#
# </details>

# %% [markdown]
# ---
#
# ## 4 重みの初期化
#
# ### 4.1 分散を保つ
#
# *★ 基本コース・20 分*
#
# 入力が $n_\text{in}$ 個、出力が $n_\text{out}$ 個の層で、重みの分散が $s_w^2$ なら、2.1 と同じ理由で、順伝播では $z$ の分散が約 $n_\text{in}s_w^2$ 倍、逆伝播では δ の分散が約 $n_\text{out}s_w^2$ 倍になり、さらに活性化の影響が加わります。
#
# - **Xavier**（Glorot & Bengio, 2010）: 順伝播での分散の倍率と逆伝播での倍率を、どちらも 1 に近づけるための折衷案で、$s_w = \sqrt{2/(n_\text{in} + n_\text{out})}$ とします。**原点付近での活性化の導関数が 1** だと仮定しています（tanh では 1 です）。
# - **He**（He et al., 2015）: ReLU で半分に減る分を、重みの分散を 2 倍にして補います。$s_w = \sqrt{2/n_\text{in}}$ とします。

# %% experiment="predict-4-1"
predict("4.1")

# %% experiment="histograms"
# 実験: 活性化の分布を層ごとに見る
def activations_of(layers, h):
    """各活性化層の出力を、入力側から並べる。"""
    outputs = []
    for layer in layers:
        h = layer.forward(h)
        if not isinstance(layer, Linear):
            outputs.append(h)
    return outputs


inputs = np.random.default_rng(760).standard_normal((1000, 2))
fig, axes = plt.subplots(2, 4, figsize=(12, 6.6), sharex="row", sharey=True)
print("「両端にある値」は、値域の両端から 5% 以内にある値の割合（tanh では、絶対値が 0.9 を超えるもの）")
for row, (activation, lowest) in zip(axes, [("sigmoid", 0), ("tanh", -1)]):
    for ax, (init, label) in zip(row, [("normal", "sd=0.01"), ("xavier", "Xavier"), ("he", "He"), ("large", "sd=1")]):
        outputs = activations_of(build_deep_network(6, activation, init, rng=np.random.default_rng(0)), inputs)
        for i, (h, color) in enumerate(zip(outputs, plt.cm.viridis(np.linspace(0, 0.9, 5))), start=1):
            counts, edges = np.histogram(h, bins=60, range=(lowest, 1))
            ax.stairs(i + 0.9 * counts / counts.max(), edges, baseline=i, fill=True, color=color)  # 高さは層ごとにそろえる
        ends = np.mean(np.abs(2 * (outputs[-1] - lowest) / (1 - lowest) - 1) > 0.9)  # 値域の両端の 5% ずつ
        print(f"{activation:7} {label:7}: 標準偏差は 1 層目 {outputs[0].std():.1e}, 5 層目 {outputs[-1].std():.1e}、5 層目で両端にある値 {ends:.0%}")
        ax.set(title=f"{activation} {label}", xlabel="活性化の値", yticks=range(1, 6))
for ax in axes[:, 0]:
    ax.set_ylabel("層番号（入力側から）")
show("5 つの層のヒストグラムを下から順に積んだ図が 8 枚。どの層も同じ高さに描いてある。上の段は sigmoid、下の段は tanh で、左から sd=0.01、Xavier、He、sd=1。sigmoid は、sd=0.01 では全層が 0.5 の 1 本の柱になり、ほかの初期化では、深い層が何本もの細い柱に分かれる。tanh は、sd=0.01 では全層が 0 の 1 本の柱で（深い層ほど細いことは、表示された標準偏差で分かる）、Xavier では広がりが保たれ、sd=1 では -1 と 1 の両端に集まる。")

# %% [markdown] prose="histograms-notice"
# <details>
# <summary><b>注目</b></summary>
#
# - tanh では違いがはっきり出ます。sd=0.01 では、深い層ほど値が 0 に集まり、5 層目の標準偏差は $1.4 \times 10^{-8}$ です（図ではどの層も同じ細い柱なので、表示された値で見分けます）。Xavier では広がりが保たれます（5 層目で 0.29）。sd=1 では、5 層目の値の 59% で絶対値が 0.9 を超えます。この範囲では tanh が **飽和** していて（入力が変わっても出力がほとんど変わらず）、導関数は 0.19 より小さくなります。
# - sd=0.01 のシグモイドでは、値はすべて 0.5 のすぐ近くに集まります。Xavier でも、深い層の分布は細い柱に分かれます。ユニットがそれぞれ、どの入力にもほぼ同じ値を出力しているからです（4.2）。表示された標準偏差が小さくならないのは、ユニット間の違いも含むからです。
#
# </details>
#
# シグモイドの原点での導関数は 1/4 で、これを 1 とみなす Xavier の仮定は成り立ちません。
# これを補うには、重みを 4 倍にする必要があります（この倍率を **ゲイン** と呼びます）。

# %% experiment="predict-4-1-2"
predict("4.1.2")

# %% tags=["experiment"]
# 実験: ゲインと初期化
def final_loss(layers, steps=200, lr=0.1):
    for _ in range(steps):
        loss, _ = forward_backward(layers, X, t)
        sgd_update(layers, lr)
    return loss


fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
print("シグモイド 10 層: δ の 1 層あたりの桁数と、SGD 200 ステップ後の損失\n    （3 通りの中央値。1.0 なら何も学習していない）")
for gain, marker in [(1, "o"), (2, "s"), (4, "^")]:
    build = lambda rng: scale_weights(build_deep_network(10, "sigmoid", "xavier", rng=rng), gain)
    norms = median_over_seeds(lambda rng: output_gradient_norms(build(rng), X, t))
    loss = median_over_seeds(lambda rng: final_loss(build(rng)), seeds=3)
    left.semilogy(np.arange(1, 11), norms, marker=marker, label=f"ゲイン {gain}")
    print(f"  ゲイン {gain}: {decades_per_layer(norms):.2f} 桁、損失 {loss:.3f}")
left.set(title="シグモイド: Xavier × ゲイン", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）")
left.legend()

depths = [3, 5, 10, 15, 20]
print("ReLU: 1 層目の |δ|")
for init, marker in [("he", "o"), ("xavier", "s")]:
    firsts = np.array([
        [output_gradient_norms(build_deep_network(depth, "relu", init, rng=np.random.default_rng(seed)), X, t)[0] for seed in range(20)]
        for depth in depths
    ])
    low, middle, high = np.quantile(firsts, [0.1, 0.5, 0.9], axis=1)
    right.semilogy(depths, middle, marker=marker, label=f"{init}（帯は 20 通りの 10～90%）")
    right.fill_between(depths, low, high, alpha=0.15)
    print(f"  {init:7}", ", ".join(f"{depth} 層 {value:.1e}" for depth, value in zip(depths, middle)))
right.set(title="ReLU: He と Xavier", xlabel="Linear 層の数", ylabel=r"$|\delta^{(1)}|$（対数）", xticks=depths)
right.legend()
show("左: シグモイドの |δ|。ゲインが 1、2、4 と増えるにつれて、坂が緩やかになる。右: ReLU の 1 層目の |δ|。深くなると、Xavier は急に、He は緩やかに下がる。線は 20 通りの重みの中央値、帯はその 10～90%。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - シグモイドでは、ゲインが 1（ふつうの Xavier）や 2 だと、10 層のネットワークの損失は 200 ステップ後も 1.0 のままです。つまり、何も学習できていません。ゲイン 4 では坂が 0.64 桁から 0.22 桁へと緩やかになり、損失は 0.2 まで下がります。
# - それでも坂は 0 にはなりません。重みを大きくすると、$z$ が原点から離れて飽和し、$\sigma'$ が小さくなるからです。ゲイン 4 だけでは、シグモイドの勾配消失を治しきれません。
# - ReLU では、3 層から 20 層にすると、1 層目の勾配は He では約 1/7、Xavier では 1/1000 以下になります。Xavier では、He に比べて 1 層ごとにさらに $\sqrt{1/2}$ 倍になり（0.15 桁ずつ余計に減り）、20 層では約 500 倍の差がつきます。He でも中央値が少しずつ下がり、帯も広くなるのは、幅が 10 しかないためです。
#
# </details>
#
# **初期化の指針**: tanh には Xavier、ReLU には He を使います。シグモイドを深いネットワークで使うなら、ゲイン、BatchNorm（8.1）、残差接続（8.3）のどれかが必要です。

# %% [markdown]
# ### 4.2 信号は生きているか: ユニットごとに、サンプルによる違いを見る
#
# *発展・10 分。基本コースの続きは [6.1](#6.1-GradientMonitor-クラス) です*
#
# 順伝播の健康診断には、活性化の標準偏差がよく使われます。ただし、**測り方** に注意が必要です。
#
# - **全体の標準偏差**: 全ユニット・全サンプルをひとまとめにして測る
# - **ユニットごとの標準偏差**: 1 つのユニットの値が、サンプルによってどれだけ変わるかを測る（それをユニットについて平均する）
#
# ネットワークが入力を区別できるかどうかは、後者で決まります。ユニット $j$ の平均を $\bar h_j$、標準偏差を $s_j$ とすると、全体の分散は 2 つの部分に分かれます。
#
# $$s_\text{all}^2 = \frac1D \sum_{j=1}^{D} s_j^2 + \operatorname{Var}_j(\bar h_j)$$
#
# 第 1 項はサンプルによる違い、つまり入力についての情報です。第 2 項はユニットどうしの違いにすぎません。ユニットどうしがどれだけ違っていても、どのサンプルでも同じ値を出力するなら、情報は失われています。

# %% experiment="predict-4-2"
predict("4.2")

# %% tags=["experiment"]
# 実験: 活性化の標準偏差を 2 通りに測る
fig, axes = plt.subplots(1, 2, figsize=(12, 4.6), sharey=True)
inputs = np.random.default_rng(760).standard_normal((1000, 2))
for ax, activation in zip(axes, ["sigmoid", "relu"]):
    print(f"{activation}（6 層、5 番目の活性化）")
    for i, (init, label) in enumerate([("normal", "sd=0.01"), ("xavier", "Xavier"), ("he", "He"), ("large", "sd=1")]):
        h, per_unit, pooled = inputs, [], []
        for layer in build_deep_network(6, activation, init, rng=np.random.default_rng(0)):
            h = layer.forward(h)
            if not isinstance(layer, Linear):
                per_unit.append(h.std(axis=0).mean())
                pooled.append(h.std())
        numbers = np.arange(1, len(pooled) + 1)
        ax.semilogy(numbers, per_unit, color=COLORS[i], linestyle="-", marker="os^D"[i], label=label)
        ax.semilogy(numbers, pooled, color=COLORS[i], linestyle=":", marker="os^D"[i], markerfacecolor="none")
        print(f"  {label:7}: 全体の標準偏差 {pooled[-1]:.1e}, ユニットごとの標準偏差 {per_unit[-1]:.1e}")
    ax.set(title=f"{activation}（実線: ユニットごと、点線: 全体）", xlabel="活性化層の番号（入力側から）", ylabel="標準偏差（対数）", xticks=numbers)
    ax.legend()
show("層ごとの活性化の標準偏差。左のシグモイド sd=0.01 では、全体の値は水平なのに、ユニットごとの値は 8 桁下がる。右の ReLU では、He はほぼ水平、Xavier は下がり、sd=1 は上がる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - sd=0.01 のシグモイドでは、全体の標準偏差は $2.6 \times 10^{-3}$ ですが、ユニットごとの標準偏差は $1.3 \times 10^{-11}$ です。8 桁も違います。信号は消えているのに、全体の値からはそれが分かりません。
# - Xavier のシグモイドでも、ユニットごとの標準偏差は層ごとに下がります。シグモイドの導関数が小さいこと（原点で 1/4、4.1）が、順伝播にも効いているからです。
# - ReLU では、ユニットごとの標準偏差は、He ならほぼ一定で、Xavier なら緩やかに減り、sd=1 なら増え続けます（順伝播の爆発）。
#
# </details>

# %% [markdown] prose="slider-question"
# ### 4.3 重みの大きさを動かしてみる
#
# *発展・10 分*
#
# Xavier の重みを 0.1 倍から 10 倍まで変えて、10 層のネットワークの坂を測ります。図の下のスライダーを動かすと、その倍率での $|\delta|$ が描かれます（ipywidgets がない環境では、1 倍の図だけが表示されます）。

# %% experiment="predict-4-3"
predict("4.3")

# %% experiment="weight-scale"
# 実験: 重みの大きさと坂
scales = np.geomspace(0.1, 10, 17)
profiles = {}  # 活性化 -> 倍率ごと、層ごとの |δ| (17, 10)
for activation in ("sigmoid", "tanh", "relu"):
    build = lambda scale, seed: scale_weights(build_deep_network(10, activation, "xavier", rng=np.random.default_rng(seed)), scale)
    by_seed = [[output_gradient_norms(build(scale, seed), X, t) for seed in range(9)] for scale in scales]
    profiles[activation] = np.median(by_seed, axis=1)
slopes = {activation: np.array([decades_per_layer(norms) for norms in by_scale]) for activation, by_scale in profiles.items()}


def loss_after_200(layers):
    for _ in range(200):
        loss, _norms = forward_backward(layers, X, t)
        sgd_update(layers, 0.1)
    return loss


def draw_scale(i):
    """左: i 番目の倍率での |δ|。右: 倍率と坂。図を言葉で説明した文を返す。"""
    fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
    for (activation, norms), marker in zip(profiles.items(), "os^"):
        left.semilogy(np.arange(1, 11), norms[i], marker=marker, label=f"{activation}: {slopes[activation][i]:+.2f}")
        right.semilogx(scales, slopes[activation], marker=marker, label=activation)
    right.axhline(0, color="gray", linestyle="-", linewidth=1)
    right.axvline(scales[i], color="black", linestyle=":")
    left.set(title=f"重み {scales[i]:.2f} 倍（凡例の数は坂）", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）")
    right.set(title="重みの倍率と坂（正: 消失、負: 爆発）", xlabel="Xavier の何倍か（対数）", ylabel="坂 [桁/層]")
    left.legend()
    right.legend()
    found = ", ".join(f"{activation} {slope[i]:+.2f}" for activation, slope in slopes.items())
    return f"重み {scales[i]:.2f} 倍での坂（1 層あたりの桁数）: {found}"


for activation in slopes:
    print(f"{activation:8}", ", ".join(f"{scales[i]:.2f} 倍 {slopes[activation][i]:+.2f}" for i in (0, 4, 8, 12, 16)))
for i in (8, 14, 16):
    runs = [build_deep_network(10, "sigmoid", "xavier", rng=np.random.default_rng(seed)) for seed in range(5)]
    losses = [loss_after_200(scale_weights(layers, scales[i])) for layers in runs]
    print(f"sigmoid {scales[i]:.2f} 倍: 200 ステップで {len(losses)} 個のうち {sum(loss < 0.9 for loss in losses)} 個が学習できた")
draw_scale(8)
show("左: 重み 1 倍での 10 層の |δ|。シグモイドは急な坂、tanh はほぼ水平、ReLU は緩やかな坂。右: 重みの倍率に対する坂。3 つとも倍率とともに下がる。ReLU は 1.5 倍あたりで 0 を横切ってどこまでも下がり、tanh は 1 倍あたりで横切って 0 に近い負の値で止まり、シグモイドは 10 倍でようやく 0 に近づく。")
slider(draw_scale, {f"× {scale:.2f}": i for i, scale in enumerate(scales)}, start="× 1.00")

# %% [markdown] prose="slider-notice"
# <details>
# <summary><b>注目</b></summary>
#
# - 倍率が小さいうちは、右の図の 3 本の線は平行に下がります。重みを 10 倍にすると、1 層あたりの倍率もほぼ 10 倍になり、坂が 1 桁下がるからです。線どうしの差は、活性化による分だけです。
# - 大きな重みでは差が出ます。ReLU は飽和しないので、坂はそのまま下がり続け、10 倍では 1 層あたり -0.82 桁の激しい爆発になります。tanh では飽和によって勾配が抑えられ、坂は -0.27 桁で止まります。
# - シグモイドは 1 倍で 0.64 桁、10 倍で 0.02 桁です。坂だけを見れば、消失は治ったように見えます。しかし、10 倍のネットワークで学習できたのは 5 個のうち 3 個だけでした。5.62 倍なら 5 個とも学習できました。10 倍ではユニットが飽和しすぎています。坂が平らだというだけでは、健康とは言えません。
#
# </details>

# %% [markdown]
# ---
#
# ## 5 鞍点と局所解
#
# ### 5.1 勾配が 0 の点を分類する
#
# *発展・15 分*
#
# 勾配が 0 になる点（**停留点**）には、極小・極大・鞍点があります。**鞍点** は、極小でも極大でもない停留点で、典型的には、ある方向では極小、別の方向では極大になります。
#
# 停留点は **ヘッセ行列** $H$（2 階微分を並べた対称行列）で分類できます。停留点から小さなベクトル $v$ だけ動くと、$f$ は約 $\frac12 v^\top H v$ だけ変わります。$v$ が固有値 $\lambda$ の固有ベクトル（$Hv = \lambda v$）なら、これは $\frac12 \lambda |v|^2$ です。つまり、固有値が正の方向では上がり、負の方向では下がります。
#
# | 固有値 | 種類 |
# |---|---|
# | すべて正 | 極小 |
# | すべて負 | 極大 |
# | 正と負が混ざる | **鞍点**（負の固有値の方向に下がれる） |
#
# 0 でない固有値の符号がそろっていて 0 も混ざるときや、すべて 0 のときは、2 階微分だけでは決まりません（7.2 に、すべて 0 の例があります）。
#
# $f(x, y) = x^2 - y^2$ なら、原点のヘッセ行列の固有値は $2$ と $-2$ なので、原点は鞍点です。
# もう少し複雑な例として、Himmelblau 関数（Himmelblau, 1972）$f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2$ の停留点をすべて求めて分類します。停留点はニュートン法で探します。勾配 $g$ を 1 次式で近似し、近似した勾配が 0 になる点へ移る操作 $p \leftarrow p - H^{-1} g$ をくり返します。

# %%
def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def himmelblau_gradient(x, y):
    a, b = x**2 + y - 11, x + y**2 - 7
    return np.array([4 * x * a + 2 * b, 2 * a + 4 * y * b])


def himmelblau_hessian(x, y):
    return np.array([[12 * x**2 + 4 * y - 42, 4 * (x + y)], [4 * (x + y), 12 * y**2 + 4 * x - 26]])


def himmelblau_critical_points():
    """停留点の配列 (9, 2)。200 個の出発点からニュートン法で勾配 0 の点を探し、重複を除く。"""
    found = []
    for point in np.random.default_rng(5).uniform(-5, 5, (200, 2)):
        for _ in range(30):
            point = point - np.linalg.solve(himmelblau_hessian(*point), himmelblau_gradient(*point))
        is_new = all(np.linalg.norm(point - other) > 1e-6 for other in found)
        if np.linalg.norm(himmelblau_gradient(*point)) < 1e-9 and is_new:
            found.append(point)
    return np.array(sorted(found, key=lambda point: himmelblau(*point)))


def descend(gradient, start, lr, steps):
    """勾配降下の軌跡 (steps + 1, 2)。"""
    path = [np.array(start, dtype=float)]
    for _ in range(steps):
        path.append(path[-1] - lr * gradient(*path[-1]))
    return np.array(path)

# %% experiment="predict-5-1"
predict("5.1")

# %% tags=["experiment"]
# 実験: 停留点の分類と勾配降下
points = himmelblau_critical_points()
kinds = {0: ("極小", "*", COLORS[0]), 1: ("鞍点", "X", COLORS[1]), 2: ("極大", "^", COLORS[6])}
print("      x         y          f      ヘッセ行列の固有値   種類")
for x, y in points:
    eigenvalues = np.linalg.eigvalsh(himmelblau_hessian(x, y))
    kind = kinds[int((eigenvalues < 0).sum())][0]
    print(f"{x:9.5f} {y:9.5f} {himmelblau(x, y):10.4f}   {eigenvalues[0]:8.2f} {eigenvalues[1]:8.2f}     {kind}")

fig = plt.figure(figsize=(12, 4.6))
surface, left, right = fig.add_subplot(1, 3, 1, projection="3d"), fig.add_subplot(1, 3, 2), fig.add_subplot(1, 3, 3)
grid = np.linspace(-2, 2, 101)
across, along = np.meshgrid(grid, grid)
surface.plot_surface(across, along, across**2 - along**2, cmap="coolwarm", alpha=0.7, linewidth=0)
surface.plot(grid, 0 * grid, grid**2, color=COLORS[6], linestyle="-", label="y = 0: 極小", zorder=5)
surface.plot(0 * grid, grid, -(grid**2), color=COLORS[6], linestyle="--", label="x = 0: 極大", zorder=5)
surface.plot(0, 0, 0, "X", color=COLORS[1], markersize=12, linestyle="none", label="鞍点", zorder=6)
surface.set(title="鞍点: ある方向では極小、\n別の方向では極大", xlabel="x", ylabel="y", zlabel="f", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
surface.view_init(elev=28, azim=35)
surface.legend(loc="upper left")
levels = np.arange(-4, 4.1, 0.5)
dashes = ["--" if level < 0 else "-" for level in levels]
contours = left.contour(grid, grid, grid[None, :] ** 2 - grid[:, None] ** 2, levels=levels, cmap="coolwarm", linestyles=dashes)
arrows = np.linspace(-1.75, 1.75, 8)
left.quiver(arrows, arrows, *np.broadcast_arrays(-2 * arrows[None, :], 2 * arrows[:, None]), alpha=0.6)
left.plot(0, 0, "X", color=COLORS[1], markersize=12, label="鞍点", linestyle="none")
left.set(title="$f = x^2 - y^2$\n（破線は負、矢印は勾配の逆向き）", xlabel="x", ylabel="y", aspect="equal")
left.legend(loc="upper right")
fig.colorbar(contours, ax=left, label="f", shrink=0.65)

grid = np.linspace(-5, 5, 201)
right.contour(grid, grid, np.log1p(himmelblau(grid[None, :], grid[:, None])), levels=25, cmap="Greys", linestyles="-", linewidths=0.7)
print("\n勾配降下（学習率 0.01、200 ステップ）")
for i, start in enumerate([(-4, -4), (4, 4), (-4, 4), (4, -4), (0, 0)]):
    path = descend(himmelblau_gradient, start, lr=0.01, steps=200)
    color = [COLORS[2], COLORS[3], COLORS[4], COLORS[5], COLORS[7]][i]  # 停留点の印に使う色は避ける
    right.plot(*path.T, color=color, linestyle="-", marker=".", markersize=4, linewidth=1.5)
    right.plot(*start, "o", color=color, markeredgecolor="black", markersize=8)
    print(f"  {str(start):8} → ({path[-1, 0]:.4f}, {path[-1, 1]:.4f}), f = {himmelblau(*path[-1]):.1e}")
for index, (kind, marker, color) in kinds.items():
    chosen = [p for p in points if (np.linalg.eigvalsh(himmelblau_hessian(*p)) < 0).sum() == index]
    right.plot(*np.transpose(chosen), marker, color=color, markersize=14, markeredgecolor="white", label=kind, linestyle="none", zorder=5)
right.set(title="Himmelblau 関数の停留点と\n勾配降下（○が出発点）", xlabel="x", ylabel="y", aspect="equal", xlim=(-5, 5), ylim=(-5, 6.4))
right.legend(loc="upper center", ncols=3, columnspacing=1, handletextpad=0.3)
show("左: 鞍点の立体図。y = 0 の線に沿って極小、x = 0 の線に沿って極大。中央: 同じ関数の等高線と、勾配の逆向きの矢印。右: Himmelblau 関数の等高線、9 個の停留点、5 つの出発点から 4 つの極小への軌跡。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 左の立体図では、鞍点は実線に沿って極小、破線に沿って極大です。
# - Himmelblau 関数の停留点は 9 つで、極小 4、鞍点 4、極大 1 です。
# - 4 つの極小はどれも $f = 0$ なので、**すべて大域的最小** です。この関数では、どの極小に収束しても優劣はありません。行き先は出発点で変わりますが（(4, 4) と (0, 0) はどちらも (3, 2) へ行きます）、「大域的最小を逃す」例にはなりません。そのような例は 5.3 で見ます。
#
# </details>

# %% [markdown]
# ### 5.2 学習率の上限はヘッセ行列が決める
#
# *発展・10 分*
#
# 極小の近くでは、固有値 $\lambda$ の固有ベクトルの方向のずれが、1 ステップごとに $(1 - \eta\lambda)$ 倍になります（$\eta$ は学習率）。ずれが小さくなるのは $|1 - \eta\lambda| < 1$ のときです。すべての方向で小さくなるには
#
# $$\eta < \frac{2}{\lambda_\text{max}}$$
#
# が必要です（前のノートブックの「細長い谷」での上限と同じ式です）。

# %% experiment="predict-5-2"
predict("5.2")

# %% tags=["experiment"]
# 実験: 学習率の上限
minimum = next(p for p in himmelblau_critical_points() if p[0] < -3.5 and p[1] < -3)
largest = np.linalg.eigvalsh(himmelblau_hessian(*minimum))[-1]
print(f"最大固有値 {largest:.1f}、学習率の上限 2/λ = {2 / largest:.5f}")
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8))
for lr, marker in [(0.010, "o"), (0.014, "s"), (0.016, "^")]:
    path = descend(himmelblau_gradient, (-4, -4), lr, 500)
    values = [himmelblau(*p) for p in path]
    left.semilogy(values[:51], marker=marker, markevery=5, label=f"学習率 {lr:.3f}")
    right.plot(*path[:9].T, marker=marker, linewidth=1.2, label=f"学習率 {lr:.3f}")
    print(f"学習率 {lr:.3f}: 1 ステップの倍率 1 - ηλ = {1 - lr * largest:+.2f}、\n    最後の 4 ステップの f =", ", ".join(f"{value:.2e}" for value in values[-4:]))
left.set(title="(-4, -4) からの勾配降下", xlabel="ステップ", ylabel="f（対数）")
gx, gy = np.linspace(-4.5, -3.0, 101), np.linspace(-4.1, -2.6, 101)
right.contour(gx, gy, himmelblau(gx[None, :], gy[:, None]), levels=15, cmap="Greys", linewidths=0.7, linestyles="-")
right.plot(*minimum, "*", color="black", markersize=12, linestyle="none", label="極小", zorder=5)
right.set(title="はじめの 8 ステップ", xlabel="x", ylabel="y", aspect="equal", xlim=(-4.5, -3.0), ylim=(-4.1, -2.6))
left.legend()
right.legend(loc="lower right")
show("左: 学習率 0.010 と 0.014 では f が 0 まで下がり、0.016 では下がりきらない。右: 極小のまわりの最初の 8 ステップ。学習率が大きいほど、極小を飛び越える。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# 上限のすぐ下（0.014）では、曲率が最も大きい方向（$\lambda_\text{max}$ の固有ベクトル）のずれが 1 ステップごとに -0.87 倍になります。極小を行き過ぎては戻ることをくり返しますが、$f$ は 0 まで下がります。0.010 なら -0.34 倍なので、ここでは学習率の小さいほうが速く収束します。上限のすぐ上（0.016）では -1.14 倍です。ずれが大きくなり、極小のまわりを跳ね続けて止まりません。「損失が下がりきらずに振動する」ときは、まず学習率を疑います。
#
# </details>
#
# ### 5.3 大域的最小を逃す例と、鞍点が多数を占める理由
#
# *発展・10 分*
#
# 極小ごとに値が違う関数では、出発点によっては大域的最小を逃します。Styblinski-Tang 関数（Styblinski & Tang, 1990）$f(x, y) = \frac12 \sum_{u \in \{x, y\}} (u^4 - 16u^2 + 5u)$ で見てみましょう。
#
# では、パラメータが何百万個もあるネットワークの損失は、局所解だらけなのでしょうか。停留点でのヘッセ行列を、**ランダムな対称行列**（成分が正規乱数の対称行列。その集団は、ガウス型直交集団 GOE と呼ばれます）だと考えてみます。固有値がちょうど 0 になることはまずないので、極小であるためには、**すべて** の固有値が正でなければなりません。

# %% experiment="predict-5-3"
predict("5.3")

# %% tags=["experiment"]
# 実験: 大域的最小を逃す関数、ランダムな対称行列
def styblinski_tang(x, y):
    return 0.5 * (x**4 - 16 * x**2 + 5 * x + y**4 - 16 * y**2 + 5 * y)


def styblinski_tang_gradient(x, y):
    return np.array([2 * x**3 - 16 * x + 2.5, 2 * y**3 - 16 * y + 2.5])


fig, (left, right) = plt.subplots(1, 2, figsize=(12, 5.2))
grid = np.linspace(-4.5, 4.5, 181)
levels = np.r_[np.arange(-78, 0, 6), np.arange(0, 121, 20)]
contours = left.contour(grid, grid, styblinski_tang(grid[None, :], grid[:, None]), levels=levels, cmap="cividis", linestyles="-", linewidths=0.8)
fig.colorbar(contours, ax=left, label="f")
for i, start in enumerate([(-4, -4), (0, 0), (4, 4), (0.3, 0.3), (-4, 4)]):
    path = descend(styblinski_tang_gradient, start, lr=0.01, steps=500)
    left.plot(*path.T, color=COLORS[i], linestyle="-", linewidth=2)
    left.plot(*start, "o", color=COLORS[i], markeredgecolor="black", markersize=8)
    left.plot(*path[-1], "*", color=COLORS[i], markeredgecolor="white", markersize=15)
    left.text(path[-1, 0], path[-1, 1] - 0.45, f"{styblinski_tang(*path[-1]):.1f}", ha="center", va="top", backgroundcolor="white", fontsize=9)
    print(f"Styblinski-Tang {str(start):10} → ({path[-1, 0]:.3f}, {path[-1, 1]:.3f}), f = {styblinski_tang(*path[-1]):.3f}")
left.set(title="Styblinski-Tang（○: 出発点、★: 到着点）", xlabel="x", ylabel="y", aspect="equal")

rng = np.random.default_rng(53)
dimensions = np.arange(1, 7)
shares = {"すべて正（極小）": [], "正負が混ざる（鞍点）": []}
for n in dimensions:
    a = rng.standard_normal((20_000, n, n))
    eigenvalues = np.linalg.eigvalsh((a + a.transpose(0, 2, 1)) / 2)
    positive = (eigenvalues > 0).sum(axis=1)
    shares["すべて正（極小）"].append((positive == n).mean())
    shares["正負が混ざる（鞍点）"].append(((positive > 0) & (positive < n)).mean())
    print(f"ランダムな対称行列 {n} 次元: すべて正 {shares['すべて正（極小）'][-1]:.4f}, 正負が混ざる {shares['正負が混ざる（鞍点）'][-1]:.4f}")
for (label, values), marker in zip(shares.items(), "os"):
    values = np.array(values)
    right.semilogy(dimensions[values > 0], values[values > 0], marker=marker, label=label)
right.set(title="ランダムな対称行列の固有値の符号（2 万個ずつ）", xlabel="次元", ylabel="割合（対数）", xticks=dimensions)
right.legend(loc="lower left")
show("左: Styblinski-Tang 関数の等高線と 5 本の軌跡。到着点の f は -78.3、-64.2、-50.1 の 3 種類。右: ランダムな対称行列の固有値がすべて正である割合。次元とともに急に下がり、正負が混ざる割合は 1 に近づく。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - Styblinski-Tang では、(-4, -4) と (0, 0) は大域的最小 $f \approx -78.33$ に収束しますが、(4, 4) と (0.3, 0.3) は $-50.06$、(-4, 4) は $-64.20$ で止まります。(0, 0) と (0.3, 0.3) のような近い出発点からでも、別の極小に行き着きます。
# - ランダムな対称行列では、固有値がすべて正になる割合は 5 次元で 1 万個に 1 個ほどまで減り（6 次元では 2 万個のうち 1 個もありません）、ほとんどの行列では正負が混ざります（鞍点にあたります）。これが、高次元では局所解より鞍点のほうが多いと考えられる理由の 1 つです（Dauphin et al., 2014）。実際のネットワークのヘッセ行列は完全なランダム行列ではないので、これは目安であって、証明ではありません。
#
# </details>

# %% [markdown]
# ---
#
# ## 6 勾配モニタリングツール
#
# ### 6.1 GradientMonitor クラス
#
# *★ 基本コース・15 分*
#
# 学習中の各層の勾配ノルムを記録し、異常を知らせるツールを作ります。簡単なツールによくあるやり方で、$|dW|$ を決まった閾値と比べます。1.2 で見たように、これには見落としがあります（6.2 で確かめ、6.3 で補います）。
#
# #### 演習 6.1: `GradientMonitor`（{{gradient_monitor}} 点、自動採点）
#
# `__init__`、`record`、`plot` は用意してあります。`history` は `(epoch, {層の名前: ノルム})` のリストです。毎回、全データを使うので、1 エポックは 1 ステップです。勾配を持つ Linear 層を入力側から `Linear_0`、`Linear_1`、… と呼びます。記録するのは Linear 層の `grads["W"]` のノルムだけで、`b`、`gamma`、`beta` は調べません。
# `detect_problems(vanish_threshold=1e-7, explode_threshold=1e3)` を書いてください。
#
# **仕様**
#
# - **最後に追加された** 記録を調べ、見つけた問題を `Problem(layer, kind, norm, epoch)` のリストにして、記録の中の順番どおりに返します。`layer` は層の名前（`"Linear_0"` など）、`norm` はその勾配ノルム、`epoch` はその記録のエポックです。
# - `kind` は次のどれかです。
#   - `"nonfinite"`: ノルムが NaN か無限大（`"exploding"` とはしない）
#   - `"vanishing"`: ノルムが `vanish_threshold` より小さい
#   - `"exploding"`: ノルムが `explode_threshold` より大きい
# - 記録が 1 つもないときや、問題がないときは、空のリストを返します。戻り値はタプルではなくリストです。
# - `history` は変えません。
#
# **採点しないこと**: ノルムがちょうど閾値に等しい場合。用意してあるメソッドは、働きが同じなら、書き直しても減点しません。
#
# `Problem` は `autograder.layers` にあるデータクラスで、`print` すると警告文が表示されます。
#
# > **考えてみましょう**: `nan < 1e-7`、`nan > 1e3`、`nan == nan` は、それぞれ `True` ですか、`False` ですか。
#
# <details>
# <summary><b>答え</b></summary>
#
# 3 つとも `False` です。NaN は、どの数より小さくも大きくもなく、自分自身とも等しくありません。NaN や無限大かどうかは、`np.isnan` や `np.isfinite` で調べます。
#
# </details>

# %% solution="gradient_monitor"

# %% check="gradient_monitor"
check("gradient_monitor")

# %% [markdown]
# ### 6.2 使ってみる: 見つかる病気、見つからない病気
#
# *発展・10 分。基本コースの続きは [8.1](#8.1-Batch-Normalization-の実装) です*
#
# 2 つのネットワークを監視します。課題は `sine_task` です（損失 1.0 は「何も学習していない」ことを意味します）。
#
# - **A**: 8 層のシグモイド、Xavier、学習率 0.1 で 100 エポック
# - **B**: 2.1 で発散した 10 層の ReLU（sd=2、学習率 0.01）を 4 エポック。ここでも **オーバーフローの警告が出ます**（同じ行の警告は、2 回目から省かれることもあります）。警告から分かるのは行番号だけですが、モニターからは層とエポックが分かります

# %% experiment="predict-6-2"
predict("6.2")

# %% tags=["experiment"]
# 実験: 2 つのネットワークを監視する
def watch(layers, lr, epochs):
    monitor = GradientMonitor()
    losses = []
    for epoch in range(epochs):
        loss, _ = forward_backward(layers, X, t)
        losses.append(loss)
        monitor.record(epoch, layers)
        sgd_update(layers, lr)
    return monitor, losses


with waiting_for("gradient_monitor"):
    monitor, losses = watch(build_deep_network(8, "sigmoid", "xavier", rng=np.random.default_rng(0)), lr=0.1, epochs=100)
    print(f"A: 損失 {losses[0]:.6f} → {losses[-1]:.6f}、検出された問題: {monitor.detect_problems() or 'なし'}")
    first, last = list(monitor.history[0][1].values()), list(monitor.history[-1][1].values())
    print(f"   |dW| の最初/最後の層の比: エポック 0 では {first[0] / first[-1]:.1e}、エポック 99 では {last[0] / last[-1]:.1e}")

    layers = scale_weights(build_deep_network(10, "relu", "large", rng=np.random.default_rng(0)), 2.0)
    sick_monitor, losses = watch(layers, lr=0.01, epochs=4)
    print("B: 損失", " → ".join(f"{loss:.1e}" for loss in losses))
    problems = sick_monitor.detect_problems()
    print(f"   検出された問題は {len(problems)} 個。はじめの 2 個:")
    for problem in problems[:2]:
        print("  ", problem)

    in_order = plt.cm.viridis(np.linspace(0, 0.9, 8))  # 層の順に並ぶ色
    with plt.rc_context({"axes.prop_cycle": cycler(color=in_order) + cycler(linestyle=LINES)}):
        monitor.plot()
    show("8 層の勾配ノルムの推移。はじめは入力側の層ほど小さく、学習が進むにつれて、出力側の層のノルムが下がって差が縮まる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - B では NaN を検出できました。NaN は `<` で比べても `>` で比べても `False` になるので、`"nonfinite"` は別に調べる必要があります。
# - A では、損失が 1.0 からほとんど動かず、ネットワークは何も学習していません。それなのに、モニターは **問題を 1 つも報告しません**。どの層のノルムも $10^{-7}$ より大きいので、固定した閾値では病気に見えないのです。
# - 最初と最後の層の $|dW|$ の比も頼りになりません。エポック 0 では $2 \times 10^{-4}$ ですが、損失が動かないままのエポック 99 では 1.5 で、健康なネットワークのように見えます。出力層のバイアスが動いて、出力の平均が目標の平均と一致すると、誤差の合計がほぼ 0 になるからです。出力側の層では $h$ がどのサンプルでもほとんど同じなので、サンプルについての和が打ち消し合い、$dW$ が小さくなります。1 層目の $dW$ はほとんど変わりません。
#
# </details>
#
# 閾値だけでは足りません。δ の **坂** を測るツールが必要です（6.3）。

# %% [markdown]
# ### 6.3 坂を測る
#
# *発展・25 分*
#
# セクション 1 で見たように、消失は 1 層あたりほぼ一定の桁数で進みます。つまり、$\log_{10}|\delta^{(l)}|$ は層番号 $l$ に対してほぼ直線的に変わります。
# `decades_per_layer` は両端の 2 点だけで傾きを測るので、その 2 層の値のばらつきに左右されます。すべての層を使って、直線
#
# $$\log_{10} |\delta^{(l)}| \approx a\, l + b$$
#
# を当てはめるほうが、結果が安定します。**最小二乗法** では、縦方向のずれの二乗和が最小になる $a$ と $b$ を選びます。$y_l = \log_{10}|\delta^{(l)}|$ とし、$l$ と $y_l$ の平均を $\bar l$、$\bar y$ とすると、傾きは
#
# $$a = \frac{\sum_l (l - \bar l)(y_l - \bar y)}{\sum_l (l - \bar l)^2}$$
#
# です（`np.polyfit(l, y, 1)` が返す 1 つ目の値も $a$ です。引数はこの順に渡します）。$a$ が坂で、「1 層あたり何桁減るか」を表します。
#
# #### 演習 6.3（発展）: `gradient_slope`（{{gradient_profile}} 点、自動採点）
#
# `gradient_slope(delta_norms)` を書いてください。戻り値は傾き $a$（`float` または `np.float64`）です。
#
# **仕様**
#
# - `delta_norms` は、各層の出力についての勾配のノルムを入力側から並べたもので、リストまたは 1 次元配列、長さは 2 以上です。**渡された `delta_norms` を書き換えてはいけません。**
# - 層番号に対する `log10(ノルム)` の最小二乗直線の傾きを返します。入力側ほど小さい（消失）なら正、入力側ほど大きい（爆発）なら負です。番号を 0 から始めても 1 から始めても傾きは同じです。
# - ノルムが 0 のところは `np.finfo(float).tiny` とみなします（`log10(0)` は計算できないため）。
# - NaN か無限大が含まれていたら `ValueError` を送出します。
#
# **採点しないこと**: ノルムが 0 より大きく `np.finfo(float).tiny` より小さい場合

# %% solution="gradient_profile"

# %% check="gradient_profile"
check("gradient_profile")

# %% [markdown]
# 6 つのネットワーク（8 層、重みの乱数シードは 0）で、$|dW|$ の範囲と δ の坂を比べます。坂 × 7（両端の層の間隔）が、ネットワーク全体で失われる（負なら増える）桁数です。ここでは、絶対値が 2 桁を超えたら「病気」とします。

# %% experiment="predict-6-3"
predict("6.3")

# %% tags=["experiment"]
# 実験: δ の坂で診断する
def network(activation, init, factor=1.0, epochs=0):
    layers = scale_weights(build_deep_network(8, activation, init, rng=np.random.default_rng(0)), factor)
    for _ in range(epochs):
        forward_backward(layers, X, t)
        sgd_update(layers, 0.1)
    return layers


networks = {
    "sigmoid Xavier (学習前)": network("sigmoid", "xavier"),
    "sigmoid Xavier (100 ステップ後)": network("sigmoid", "xavier", epochs=100),
    "tanh sd=0.01": network("tanh", "normal"),
    "tanh Xavier": network("tanh", "xavier"),
    "relu He": network("relu", "he"),
    "relu sd=2": network("relu", "large", 2.0),
}
with waiting_for("gradient_profile"):
    rows = []
    for name, layers in networks.items():
        delta = output_gradient_norms(layers, X, t)
        weight = forward_backward(layers, X, t)[1]
        rows.append((name, delta, weight, gradient_slope(delta)))

    fig, ax = plt.subplots(figsize=(9, 5.2))
    print("|dW| の最小   |dW| の最大   坂 [桁/層]   全体 [桁]   判定")
    for (name, delta, weight, slope), marker in zip(rows, "os^Dvx"):
        total = slope * (len(delta) - 1)
        verdict = "消失" if total > 2 else "爆発" if total < -2 else "健康"
        print(f"{min(weight):10.1e} {max(weight):12.1e} {slope:12.2f} {total:11.1f}      {verdict}   {name}")
        ax.semilogy(np.arange(1, 9), delta, marker=marker, label=f"{name}: {slope:.2f}")
    ax.set(title="δ のノルムと坂（凡例の数は 1 層あたりの桁数）", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）", xlim=(0.7, 13))
    ax.set_xticks(range(1, 9))
    ax.legend(loc="center right")
    show("6 つのネットワークの、層番号に対する |δ|。シグモイドの 2 つと tanh sd=0.01 は入力側へ向かって下がり、tanh Xavier と ReLU He は水平、ReLU sd=2 は入力側へ向かって上がる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 8 層のシグモイドの坂は、学習前が 0.64、まだ何も学習していない 100 ステップ後も 0.63 です。$|dW|$ はどちらの時点でも 6.1 の 2 つの閾値の間に収まるので、閾値では病気に気づけません。両端の層の比を見ても、100 ステップ後には見落とします。坂なら、どちらの時点でも病気に気づけます。tanh sd=0.01 では、$|dW|$ から分かるのは、平らで $10^{-7}$ より小さいことだけですが、坂からは、勾配が層ごとに消えていくことが分かります。
# - tanh Xavier と ReLU He の坂は 0 に近く、誤検出はありません。
# - 坂も万能ではありません。2.3 で発散したネットワークは He 初期化で、坂を測っても正常です。学習率が大きすぎるという病気は、坂には現れません。1 つの数値だけで診断せず、損失・$|dW|$・δ・活性化を合わせて見ます。
#
# </details>

# %% [markdown]
# ### 6.4 1 ステップの長さを測る: 更新量と重みの比
#
# *発展・15 分*
#
# 6.3 の坂では見つからない「学習率が大きすぎる病気」も、1 ステップの長さを重みの長さと比べると見つかります。SGD では、$l$ 番目の Linear 層の **更新量と重みの比** は
#
# $$r^{(l)} = \frac{|\eta\, dW^{(l)}|}{|W^{(l)}|}$$
#
# です（$\eta$ は学習率）。$10^{-3}$ ほどが目安だとよく言われます（Karpathy et al., n.d.）。これは経験則で、層によって値も違うので、1 つの層が目安から外れただけでは異常と判断できません。それでも、極端な値の意味ははっきりしています。$10^{-6}$ なら、その層の重みが自分の長さと同じだけ動くのに、100 万ステップかかります。1 を超えれば、1 ステップの長さが重みの長さを上回ります。
#
# 10 層のネットワークと入力の組み合わせ 4 通りで、学習前の比を測ります（学習率 0.1、20 通りの重み）。右の図では、ReLU + He（ふつうの入力と、2.3 の 5 倍の入力）について、最初の 1 ステップでの比の最大値と、クリッピングなしで 60 ステップ学習させたあとの損失との関係を見ます。

# %% experiment="predict-6-4"
predict("6.4")

# %% tags=["experiment"]
# 実験: 更新量と重みの比
def update_ratios(layers, inputs, lr=0.1):
    """各 Linear 層の |lr * dW| / |W|（入力側から）。"""
    norms = forward_backward(layers, inputs, t)[1]
    weights = [layer.params["W"] for layer in layers if isinstance(layer, Linear)]
    return np.array([lr * norm / np.linalg.norm(W) for norm, W in zip(norms, weights)])


def loss_after(layers, inputs, lr=0.1, steps=60):
    for _ in range(steps):
        loss, _norms = forward_backward(layers, inputs, t)
        sgd_update(layers, lr)
    return loss


fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
for (activation, init, scale), marker in zip([("sigmoid", "xavier", 1), ("tanh", "xavier", 1), ("relu", "he", 1), ("relu", "he", 5)], "os^D"):
    build = lambda rng: build_deep_network(10, activation, init, rng=rng)
    label = f"{activation} {init}、入力 {scale} 倍"
    ratios = median_over_seeds(lambda rng: update_ratios(build(rng), scale * X))
    (line,) = left.semilogy(np.arange(1, 11), ratios, marker=marker, label=label)
    print(f"{label}: 比の中央値は 1 層目 {ratios[0]:.1e}, 出力層 {ratios[-1]:.1e}")
    if activation == "relu":
        with np.errstate(over="ignore", invalid="ignore"):  # 2.3 と同じく、わざと発散させて数える
            largest = np.array([update_ratios(build(np.random.default_rng(seed)), scale * X).max() for seed in range(20)])
            losses = np.array([loss_after(build(np.random.default_rng(seed)), scale * X) for seed in range(20)])
        learned = losses < 0.9
        right.loglog(largest, np.fmin(losses, 5.0), marker, color=line.get_color(), label=label)  # NaN も 5 になる
        print(f"  最大の比が 1 以下: {(largest <= 1).sum()} 個のうち {learned[largest <= 1].sum()} 個が学習できた、"
              f"1 を超える: {(largest > 1).sum()} 個のうち {learned[largest > 1].sum()} 個が学習できた")
left.axhline(1e-3, color="gray", linestyle=":", label="よくある目安 0.001")
left.set(title="学習前の、更新量と重みの比（20 通りの中央値）", xlabel="層番号（入力側から）", ylabel="更新量 / 重み（対数）")
right.axvline(1, color="gray", linestyle=":")
right.set(title="最初の 1 ステップと、学習の結果（発散は 5 とする）", xlabel="最大の比（対数）", ylabel="60 ステップ後の損失（対数）", ylim=(0.08, 8))
for ax in (left, right):
    ax.legend()
show("左: 更新量と重みの比。シグモイドは 1 層目で 10 の -7 乗まで下がり、ほかは層による差がずっと小さい。右: 最初の 1 ステップの最大の比と 60 ステップ後の損失。比が 1 を超えると、ほとんどの損失は 1 前後か、それより大きい。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - tanh の比は、どの層でも $10^{-2}$ の桁にそろっています。シグモイドでは、出力層の 0.14 から 1 層目の $1.6 \times 10^{-7}$ まで 6 桁近く下がります。1 層目の重みが自分の長さと同じだけ動くには、600 万ステップほどかかる計算です。これも、消失の現れ方の 1 つです。
# - 入力が 5 倍の ReLU では、出力層の比の中央値が 1.5 です。ふつうの入力と合わせた 40 個（20 個ずつ）で見ると、最大の比が 1 を超えた 14 個のうち、学習できたのは 2 個だけでした。1 以下の 26 個では 23 個が学習できました。坂に現れなかった病気が、たった 1 ステップの測定で分かります。
# - それでも万能ではありません。比が 1 を超えても学習できたものが 2 個、1 以下でも学習できなかったものが 3 個あります。比は、損失や坂と合わせて判断します。
#
# </details>

# %% [markdown]
# ---
#
# ## 7 最適化手法の比較
#
# ### 7.1 鞍点での挙動比較
#
# *発展・10 分*
#
# $x^2 - y^2$ は下に有界でないので、鞍点から「脱出」すると、そのまま発散します。そこで、下に有界な関数
#
# $$f(x, y) = \frac{x^2}{2} + \frac{y^4}{4} - \frac{y^2}{2}$$
#
# を使います。原点が鞍点（固有値 $1$ と $-1$）、$(0, \pm 1)$ が極小（$f = -1/4$）です。
#
# 出発点は $(1, y_0)$ です。$y_0$ が 0 に近いほど、鞍点へまっすぐ向かいます。SGD、Momentum、Adam の学習率は **どれも 0.1** にそろえ、$|y| > 0.5$ になるまでのステップ数を「脱出までのステップ数」とします。
#
# SGD では、原点の近くで $y$ が 1 ステップごとに $1 + \eta$ 倍になるので、ステップ数はおよそ $\ln(0.5 / y_0) / \ln(1 + \eta)$ です。

# %%
def sgd_step(position, gradient, state, lr=0.1):
    return position - lr * gradient


def momentum_step(position, gradient, state, lr=0.1, momentum=0.9):
    state["v"] = momentum * state.get("v", 0.0) - lr * gradient
    return position + state["v"]


def adam_step(position, gradient, state, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
    state["t"] = state.get("t", 0) + 1
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * gradient
    state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * gradient**2
    m_hat = state["m"] / (1 - beta1 ** state["t"])
    v_hat = state["v"] / (1 - beta2 ** state["t"])
    return position - lr * m_hat / (np.sqrt(v_hat) + eps)

# %% experiment="predict-7-1"
predict("7.1")

# %% tags=["experiment"]
# 実験: 鞍点からの脱出
def saddle_path(step, y0, max_steps=1000):
    """(1, y0) から、|y| > 0.5 になるまで（または max_steps まで）の軌跡。"""
    path, state = [np.array([1.0, y0])], {}
    while abs(path[-1][1]) <= 0.5 and len(path) <= max_steps:
        x, y = path[-1]
        path.append(step(path[-1], np.array([x, y**3 - y]), state))
    return np.array(path)


optimizers = {"SGD": (sgd_step, "o"), "Momentum": (momentum_step, "s"), "Adam": (adam_step, "^")}
starts = [1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12]
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8))
gx, gy = np.linspace(-1.1, 1.1, 111), np.linspace(-0.3, 0.65, 96)
left.contour(gx, gy, gx[None, :] ** 2 / 2 + gy[:, None] ** 4 / 4 - gy[:, None] ** 2 / 2, levels=20, cmap="Greys", linewidths=0.8, linestyles="-")
left.plot(0, 0, "X", color="black", markersize=12, linestyle="none", label="鞍点", zorder=5)
for name, (step, marker) in optimizers.items():
    left.plot(*saddle_path(step, 1e-4).T, marker=marker, linewidth=1.2, label=name)
    counts = [len(saddle_path(step, y0)) - 1 for y0 in starts]
    right.semilogx(starts, counts, marker=marker, label=name)
    stuck = saddle_path(step, 0.0)
    print(f"{name:9}y0 =", ", ".join(f"{y0:.0e}: {count}" for y0, count in zip(starts, counts)), f"\n    y0 = 0: 1000 ステップ後も y={stuck[-1, 1]}")
right.semilogx(starts, np.log(0.5 / np.array(starts)) / np.log(1.1), color="gray", linestyle=":", label="SGD の理論値")
right.set(title="脱出までのステップ数（学習率はすべて 0.1）", xlabel=r"$y_0$（対数）", ylabel="ステップ数")
left.set(title=r"$y_0 = 10^{-4}$ からの軌跡", xlabel="x", ylabel="y", ylim=(-0.3, 0.65))
left.legend(loc="upper left")
right.legend()
show("左: 鞍点の近くを通る、SGD、Momentum、Adam の軌跡。右: 出発点の y が小さくなるほど、SGD と Momentum のステップ数は直線的に増え、Adam はほとんど変わらない。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - $y_0 = 0$ でなければ、SGD は鞍点に捕まりません。ステップ数は $\log(1/y_0)$ に対して直線的に増えるだけで、理論値とよく合います。$y_0$ を 1 万分の 1 にしても、約 97 ステップ（$\ln 10^4 / \ln 1.1$）増えるだけです。
# - Momentum は慣性のおかげで速くなりますが、増え方はやはり対数的です。$y_0$ を 1 万分の 1 にして増えるのは約 34 ステップで、SGD の約 1/3 です。
# - Adam のステップ数は 5～8 で、$y_0$ が変わってもほとんど同じです。勾配をその大きさで割るので、勾配が小さくても、1 ステップの長さは学習率とほぼ同じになります。$y_0$ が Adam の `eps`（$10^{-8}$）より小さくなると、わずかに遅れます。
# - $y_0 = 0$ では **どの手法も脱出できません**。勾配の $y$ 成分がちょうど 0 だからです。実際の学習では、初期値やミニバッチのばらつきのおかげで、このような偶然は続きません。
#
# </details>

# %% [markdown]
# ### 7.2 深いほど鞍点は平らになる
#
# *発展・10 分*
#
# では、なぜ鞍点が問題になるのでしょうか。重みが 1 個ずつの線形層を $d$ 個重ねたネットワーク $w_1 w_2 \cdots w_d$ に、入力 1 に対する目標 1 を学習させます。
#
# $$f(w) = \tfrac12 (w_1 w_2 \cdots w_d - 1)^2$$
#
# $d \ge 2$ なら、原点は停留点です。$d = 2$ では固有値が $\pm 1$ のふつうの鞍点ですが、$d \ge 3$ では **ヘッセ行列の成分がすべて 0** になり、平らな鞍点になります。
# すべての重みを同じ小さな値 $w_0$ から始めると、どれも同じように動くので、1 変数だけ計算すれば済みます。
# 原点の近くでは、1 ステップで $w$ が $\eta w^{d-1}$ だけ増えます。$d \ge 3$ なら、抜け出すまでのステップ数の目安は
#
# $$\frac{1}{\eta\,(d-2)\,w_0^{\,d-2}}$$
#
# です（$w$ の変化を連続とみなし、微分方程式 $dw/dn = \eta w^{d-1}$ を解いた値。$n$ はステップ数）。

# %% experiment="predict-7-2"
predict("7.2")

# %% tags=["experiment"]
# 実験: 深い線形ネットワークの学習にかかるステップ数
def losses_until_learned(depth, init, lr=0.1, max_steps=100_000):
    """f の記録。0.01 を下回るまで（または max_steps まで）。"""
    w, losses = init, [0.5 * (init**depth - 1) ** 2]
    while losses[-1] >= 0.01 and len(losses) <= max_steps:
        w -= lr * (w**depth - 1) * w ** (depth - 1)
        losses.append(0.5 * (w**depth - 1) ** 2)
    return losses


fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
for init, depths, marker in [(0.1, [1, 2, 3, 4, 5], "o"), (0.01, [1, 2, 3, 4], "s")]:
    runs = [losses_until_learned(depth, init) for depth in depths]
    steps = [len(losses) - 1 for losses in runs]
    estimates = [1 / (0.1 * (depth - 2) * init ** (depth - 2)) for depth in depths[2:]]
    print(f"初期値 {init:<5}", ", ".join(f"深さ {depth}: {count}" for depth, count in zip(depths, steps)))
    print(f"  目安 {init:<5}", ", ".join(f"深さ {depth}: {count:.0f}" for depth, count in zip(depths[2:], estimates)))
    right.semilogy(depths, steps, marker=marker, label=f"初期値 {init}")
    right.semilogy(depths[2:], estimates, marker="x", markersize=9, linestyle="none", color="black", zorder=5)
    if init == 0.1:
        for depth, losses in zip(depths, runs):
            left.semilogx(np.arange(1, len(losses) + 1), losses, label=f"深さ {depth}")
right.plot([], [], "x", color="black", markersize=9, label="目安")
left.set(title="初期値 0.1: 止まって見えたあと、突然下がる", xlabel="ステップ（1 から、対数）", ylabel="f")
right.set(title="f < 0.01 になるまでのステップ数", xlabel="深さ d", ylabel="ステップ数（対数）", xticks=range(1, 6))
left.legend()
right.legend()
show("左: 深さ 1 から 5 の f の推移。深いほど長く平らで、そのあと急に下がる。右: 深さに対するステップ数（対数）。目安の × 印とほぼ重なる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 初期値 0.1 では、深さ 2 なら 33 ステップ、深さ 5 なら約 100 倍の 3341 ステップかかります。初期値 0.01 なら、深さ 4 ですでに 50009 ステップです。3341 も 50009 も、目安の 3333、50000 とほとんど同じです。
# - 左の図では、深いネットワークの $f$ は長いあいだほとんど動かず、そのあと急に下がります。止まっているように見えても、学習が終わったとは限りません。
# - 原点の近くの勾配の大きさ $w^{d-1}$ は、ほかの層の重みの積です。つまり **勾配消失そのもの** です。このモデルでは、消失と鞍点は別々の病気ではありません。小さな重みの深いネットワークは、平らな鞍点のすぐそばから学習を始めているのです（Saxe et al., 2014）。
#
# </details>
#
# ### 7.3 Adam でも補えない小さな勾配
#
# *発展・10 分*
#
# Adam（Kingma & Ba, 2015）は、勾配がどれほど小さくても、いつもと同じ長さだけ進むはずです。では、Adam なら 20 層のシグモイドも学習できるでしょうか。更新式
#
# $$\Delta\theta = -\eta\, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# の分母に注目してください。最初の 1 ステップでは $\hat m = g$、$\sqrt{\hat v} = |g|$ なので、1 ステップの長さは学習率の $|g| / (|g| + \epsilon)$ 倍です。勾配が $\epsilon$ よりずっと小さければ、この値は 1 よりずっと小さくなります。

# %% experiment="predict-7-3"
predict("7.3")

# %% tags=["experiment"]
# 実験: Adam の eps と、消えた勾配
def sigmoid_network(seed):
    return build_deep_network(20, "sigmoid", "xavier", rng=np.random.default_rng(seed))


def adam_losses(layers, eps, steps=170):
    states = [{name: {} for name in layer.params} for layer in layers]
    losses = []
    for _ in range(steps):
        losses.append(forward_backward(layers, X, t)[0])
        for layer, state in zip(layers, states):
            for name in layer.params:
                layer.params[name] = adam_step(layer.params[name], layer.grads[name], state[name], lr=0.01, eps=eps)
    return losses


layers = sigmoid_network(0)
_, norms = forward_backward(layers, X, t)
print(f"学習前の |dW|: 1 層目 {norms[0]:.1e}, 10 層目 {norms[9]:.1e}, 20 層目 {norms[-1]:.1e}")
gradients = [np.abs(layer.grads["W"]) for layer in layers if isinstance(layer, Linear)]
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
for eps, color, dash, marker in [(1e-30, COLORS[0], "-", "o"), (1e-8, COLORS[1], "--", "s")]:
    first_step = [np.mean(g / (g + eps)) for g in gradients]
    left.semilogy(np.arange(1, 21), first_step, color=color, linestyle=dash, marker=marker, label=f"eps = {eps:.0e}")
    runs = [adam_losses(sigmoid_network(seed), eps) for seed in range(4)]
    for losses in runs:
        right.plot(losses, color=color, linestyle=dash, marker=marker, markevery=[-1], linewidth=1.5)
    right.plot([], [], color=color, linestyle=dash, marker=marker, label=f"eps = {eps:.0e}")
    learned = sum(losses[-1] < 0.9 for losses in runs)
    print(f"eps = {eps:.0e}: 最初の 1 ステップ / 学習率は 1 層目 {first_step[0]:.1e}、"
          f"\n    170 ステップで {len(runs)} 個のうち {learned} 個が学習できた、最後の損失", ", ".join(f"{losses[-1]:.3f}" for losses in runs))
left.set(title="最初の 1 ステップの長さ（重みの平均）", xlabel="層番号（入力側から）", ylabel="1 ステップの長さ / 学習率（対数）", xticks=[1, 5, 10, 15, 20])
right.set(title="シグモイド 20 層、Adam（4 通りの重み）", xlabel="ステップ", ylabel="損失", ylim=(0, 1.5))
left.legend()
right.legend()
show("左: 最初の 1 ステップの長さと学習率の比。eps が 1e-30 なら全層で 1、1e-8 なら入力側へ向かって下がる。右: 損失。1e-8 の 4 個は 1.0 のままで、1e-30 の 4 個のうち 2 個は下がる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 1 層目の勾配のノルムは $10^{-12}$ ほど、1 つの成分は $2 \times 10^{-13}$ ほどで、既定の $\epsilon = 10^{-8}$ よりずっと小さい値です。そのため、1 層目の最初の 1 ステップの長さは、平均すると学習率の $1.5 \times 10^{-5}$ 倍ほどにしかなりません。4 個とも損失は 1.0 のままです。
# - $\epsilon$ を極端に小さくすると、どの層でも 1 ステップの長さが学習率と同じになり、4 個のうち 2 個が学習し始めます。原因の 1 つが $\epsilon$ だったと分かります。
# - ただし、これは実用的な対策ではありません（float16 では、これほど小さな勾配は 0 になります）。消えた勾配を最適化手法で補うより、**勾配が消えないネットワークを作る** ほうが先です。その代表が、次の Batch Normalization です。
#
# </details>

# %% [markdown]
# ---
#
# ## 8 BatchNorm とそのほかの対策
#
# ### 8.1 Batch Normalization の実装
#
# *★ 基本コース・95 分*
#
# Batch Normalization（Ioffe & Szegedy, 2015）は、活性化に入る前の値を、特徴（列）ごとに平均 0・分散 1 にそろえてから、$\gamma$ を掛け、$\beta$ を足します（どちらも学習するパラメータです）。バッチの $i$ 番目のサンプル、$j$ 番目の特徴について
#
# $$\mu_j = \frac1N \sum_i x_{ij}, \qquad \sigma_j^2 = \frac1N \sum_i (x_{ij} - \mu_j)^2, \qquad \hat x_{ij} = \frac{x_{ij} - \mu_j}{\sqrt{\sigma_j^2 + \epsilon}}, \qquad y_{ij} = \gamma_j \hat x_{ij} + \beta_j$$
#
# です（ここでの $\sigma_j^2$ は分散で、シグモイドの $\sigma$ とは関係ありません）。$\sum_i$ はサンプルについての和で、NumPy では `axis=0` です。そのため $\mu$ と $\sigma^2$ の形は (D,) です。たとえば `x` の形が (4, 3) なら、$\mu$ は列ごとに 1 個、合わせて 3 個の数です。(N, D) の配列との演算では、NumPy がどの行にも同じ (D,) の値を使います。
#
# 学習が終わったネットワークを使うとき（**推論**）は、サンプルが 1 つだけのこともあり、バッチの平均と分散を使えるとは限りません。そこで、訓練中にバッチの平均と分散の移動平均（**移動統計量**）を記録しておき、推論ではそれを使います。`momentum` は、このとき前の値を残す割合です（SGD の momentum とは別のものです）。
#
# #### 演習 8.1: `BatchNorm`（{{batch_norm}} 点、自動採点。順伝播 {{batch_norm_forward}}、逆伝播 {{batch_norm_backward}}、推論 {{batch_norm_inference}}）
#
# `forward` と `backward` を書いてください。解答セルは 1 つで、順伝播、逆伝播、推論の順に書き足していけます。それぞれの仕様は、対応する `check` の上に書いてあります。`__init__(self, n_features, eps=1e-5, momentum=0.9)` は用意してあります。`params` には `gamma`（すべて 1）と `beta`（すべて 0）が入り、`grads` の値はどちらも `None` です。属性 `self.running_mean`（すべて 0）、`self.running_var`（すべて 1）、`self.training`（はじめは `True`）も設定してあります。`gamma`、`beta`、移動統計量の形は、どれも `(n_features,)` です。
#
# **仕様: 3 つの部分に共通すること**
#
# - `x` と `dout` は呼び出し側のものなので、書き換えてはいけません。
# - `forward` で計算した値を `backward` で使うには、`self.cache` や属性に保存しておきます（どこに保存してもかまいません）。`backward` は、同じ層で最後に呼ばれた `forward` についての勾配を求めます。
#
# <details>
# <summary><b>細かい条件: 呼び出し側の動作、許される誤差、採点しないこと</b></summary>
#
# - `params` の配列は、`forward` の前に新しい配列に取り替えられたり、その場で書き換えられたりすることがあります。呼び出し側が `x` の配列に別の値を入れ、次の `forward` で使い回すこともあります。`forward` と、対応する `backward` の間では、呼び出し側も `x` を変えません。
# - バッチの大きさは、呼び出しごとに変わることがあります。
# - 層どうしは独立です。BatchNorm の層がいくつもあるネットワークでは、1 つの層の `forward` と `backward` の間に、ほかの BatchNorm の層も呼ばれます。
# - 移動統計量は、その場で書き換えても、新しい配列に取り替えてもかまいません。
# - 調べる入力は float64 で、訓練時は N ≥ 2 です。`gamma` は 0 にならず、列の |平均| は標準偏差の 100 倍以下です（値が一定の列を除く）。誤差は、比べる値の大きさの目安（たとえば dx なら、その列の $|\gamma\,dout| / \sqrt{\sigma^2 + \epsilon}$ の最大値）に対する割合で、1e-5 まで許します。途中の計算が float32 でも正解になります。
#
# **採点しないこと**: `forward` と、対応する `backward` の間に `self.training` が変わる場合（`backward` で `self.training` を見ても、`forward` で保存した値を使っても正解です）
#
# </details>
#
# **仕様: 順伝播（{{batch_norm_forward}} 点）** `forward(x)`: x は (N, D)、戻り値も (N, D)
#
# - `self.training` が `True` のとき、そのバッチの統計量を使います。分散は **N で割り**（N-1 ではありません）、`eps` は **根号の中** に足します。そのあと `gamma` を掛け、`beta` を足します。
# - 値が一定の列では、出力は `beta` になります（NaN にしてはいけません）。

# %% solution="batch_norm"

# %% check="batch_norm_forward"
check("batch_norm_forward")

# %% [markdown]
# **逆伝播の組み立て方**
#
# まず、$\gamma$ と $\beta$ の勾配です。どちらも 1 列に 1 つの数で、その列のすべてのサンプルに共通して使われます。たとえば $\beta_j$ を少し増やすと、その列のどの $y_{ij}$ も同じだけ増えるので、$\beta_j$ の勾配は、`dout` をサンプルについて合計したものです。$\gamma_j$ では、`dout` に $\partial y_{ij} / \partial \gamma_j$ を掛けてから合計します。
#
# 次に `dx` です。下の図は、計算グラフ（Notebook 72）です。$x$ から $\hat x$ までの道は 3 本あり（直通の道、平均 $\mu_j$ を通る道、分散 $\sigma_j^2$ を通る道）、`dx` は、3 本の道を通って戻ってくる勾配の合計です。どの道も $\partial L / \partial \hat x_{ij}$ から始まります。これは `dout` に `gamma` を掛けたものです。直通の道では、これに $1/\sqrt{\sigma_j^2+\epsilon}$ が掛かります。
#
# **平均を通る道** を計算してみます。平均も分散も 1 列に 1 つの数で、その列の **すべての** サンプルに使われるので、そこへ戻ってくる勾配は、バッチの行（サンプル $i$）について **合計** します（`axis=0`、形は (D,)）。
#
# $$\frac{\partial L}{\partial \mu_j} = \sum_i \frac{\partial L}{\partial \hat x_{ij}}\, \frac{\partial \hat x_{ij}}{\partial \mu_j} = -\frac{1}{\sqrt{\sigma_j^2 + \epsilon}} \sum_i \frac{\partial L}{\partial \hat x_{ij}}$$
#
# $\mu_j$ は、列の各 $x_{ij}$ を $1/N$ 倍して足し合わせたものです。そこで、この勾配に $\partial \mu_j / \partial x_{ij} = 1/N$ を掛けると、平均を通って `dx` に加わる分になります。列の中では、どの行でも同じ値です。**分散を通る道** も、同じ手順で求められます。$\sigma_j^2$ についての勾配を、やはりサンプルについての合計として求め、$\partial \sigma_j^2 / \partial x_{ij}$ を掛けます。自分で計算してください。このとき $\mu_j$ は定数とみなせます。$\mu_j$ から $\sigma_j^2$ への矢印の勾配は、$\partial \sigma_j^2 / \partial \mu_j = -\frac2N \sum_i (x_{ij} - \mu_j) = 0$ だからです。
#
# 次の性質は、自分の `backward`（訓練時）を確かめるのに使えます。
#
# - 各列で `dx` の合計は 0（$x$ の列に定数を足しても $y$ は変わらないから）
# - 各列で `dx * x_hat` の合計は、`eps` によるわずかな分を除いて 0
# - `dout` の列に定数を足しても `dx` は変わらない
# - `gamma` を 2 倍すると `dx` も 2 倍になる

# %% experiment="batch-norm-graph"
# 実験: BatchNorm の計算グラフ
places = {"x": (0, 0), r"\mu": (2.2, 1.2), r"\sigma^2": (2.2, -1.2), r"\hat x": (4.4, 0), r"\gamma": (5.0, -1.2), r"\beta": (6.2, -1.2), "y": (6.2, 0), "L": (7.8, 0)}
fig, ax = plt.subplots(figsize=(11, 4))
for name, place in places.items():
    ax.text(*place, f"${name}$", fontsize=17, ha="center", va="center", zorder=3, bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": "black"})
for start, end, color, dash in [
    ("x", r"\hat x", COLORS[0], "-"), ("x", r"\mu", COLORS[1], "--"), (r"\mu", r"\hat x", COLORS[1], "--"), ("x", r"\sigma^2", COLORS[2], "-."),
    (r"\sigma^2", r"\hat x", COLORS[2], "-."), (r"\mu", r"\sigma^2", COLORS[7], ":"),
    (r"\hat x", "y", "black", "-"), (r"\gamma", "y", "black", "-"), (r"\beta", "y", "black", "-"), ("y", "L", "black", "-"),
]:
    arrow = {"arrowstyle": "-|>", "color": color, "linestyle": dash, "linewidth": 2, "shrinkA": 20, "shrinkB": 20}
    ax.annotate("", places[end], places[start], arrowprops=arrow)
for place, text, color in [((3.1, 0.16), "直通", COLORS[0]), ((0.9, 1.15), "平均を通る", COLORS[1]), ((0.9, -1.25), "分散を通る", COLORS[2]), ((1.55, -0.36), "この矢印の\n勾配は 0", "dimgray")]:
    ax.text(*place, text, color=color, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
ax.set(title="BatchNorm の計算グラフ（順伝播の向き。逆伝播は矢印を逆にたどり、3 本の道の勾配を x で足す）", xlim=(-0.6, 8.4), ylim=(-1.8, 1.8), aspect="equal")
ax.axis("off")
show("BatchNorm の計算グラフ。x から x̂ へは 3 本の道がある。直通の矢印、平均 μ を通る矢印、分散 σ^2 を通る矢印。μ から σ^2 へも点線の矢印があり、その勾配は 0。x̂ と γ、β から y へ、y から損失 L へ続く。")

# %% [markdown] prose="backward-specification"
# **仕様: 逆伝播（{{batch_norm_backward}} 点）** `backward(dout)`: dout は (N, D)、戻り値 dx も (N, D)
#
# - 訓練時の `forward` を微分して得られる勾配を返します。`check` は、(1) この節のはじめの式の微分と一致するか、(2) あなた自身の `forward` の微分と一致するかを、別々に調べます（`forward` が間違っていても、それに合った勾配なら部分点がつきます）。
# - `grads["gamma"]` と `grads["beta"]` に、それぞれ形 (D,) の勾配を入れます。バッチについて **合計** します（損失がすでに平均なので、ここでもう一度平均してはいけません）。呼ばれるたびに **上書き** し、前の値に足しません。
# - 1 回の `forward` のあとに 2 回呼んでも、同じ結果になります。

# %% [markdown]
# #### 自分で確かめる: 勾配チェックに `dout = 1` を使わない
#
# `check` を実行する前に、Notebook 73 の勾配チェックで、自分の `backward` を確かめます。損失を
#
# $$L = \sum_{ij} \text{dout}_{ij}\, y_{ij}$$
#
# とし、$L$ の数値微分と、自分の `backward` が返す `dx` を比べます（推論はまだ書いていなくてかまいません）。`dout` には、すべて 1 の配列と、乱数の配列を使います。

# %% experiment="predict-8-1"
predict("8.1")

# %% tags=["experiment"]
# 実験: dout = 1 の勾配チェック
def numerical_dx(layer, x, dout, h=1e-5):
    """中心差分による ∂(Σ dout * y)/∂x。"""
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        dx[index] = np.sum(dout * (layer.forward(x + step) - layer.forward(x - step))) / (2 * h)
    return dx


with waiting_for("batch_norm"):
    rng = np.random.default_rng(81)
    x = rng.standard_normal((8, 3))
    layer = BatchNorm(3)
    layer.params["gamma"] = rng.uniform(0.5, 2.0, 3)
    for label, dout in [("dout = 1   ", np.ones((8, 3))), ("乱数の dout", rng.standard_normal((8, 3)))]:
        numeric = numerical_dx(layer, x, dout)
        layer.forward(x)
        analytic = layer.backward(dout)
        print(f"{label}: 数値微分の最大 {np.abs(numeric).max():.1e}, "
              f"\n    0 を返す backward の誤差: {np.abs(numeric).max():.1e}, あなたの backward の誤差: {np.abs(numeric - analytic).max():.1e}")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# `dout` がすべて 1 のチェックでは、0 を返すだけの `backward` も合格してしまいます。各列の $\hat x$ の合計はいつも 0 なので、$L$ は $x$ によらず一定となり、正しい `dx` も 0 になるからです。このチェックでは **ほとんど何も確かめられません**。分散を通る道が抜けていても気づけません。乱数の `dout` なら `dx` の絶対値の最大は 3.8 なので、0 を返す `backward` の間違いがはっきり分かります。あなたの `backward` が正しければ、乱数の `dout` でも誤差はほぼ 0 です。
#
# </details>

# %% check="batch_norm_backward"
check("batch_norm_backward")

# %% [markdown] prose="inference-specification"
# **仕様: 推論（{{batch_norm_inference}} 点）**
#
# - 訓練時の `forward` のたびに、移動統計量を `running = momentum * running + (1 - momentum) * バッチの値` で更新します。分散は、ここでも N で割ったものを使います。
# - `self.training` が `False` のとき、`forward` は移動統計量と `gamma`・`beta` を使い、移動統計量は **変えません**。`backward` は **その** `forward` を微分して得られる勾配を返し、`grads` にも値を入れます。`self.training` は、層を使う側が切り替えます。1 行だけの入力（N = 1）も受け付けます。

# %% check="batch_norm_inference"
check("batch_norm_inference")

# %% [markdown]
# #### BatchNorm は坂を平らにするか
#
# 同じ重みのネットワークで、BatchNorm の有無だけを変えて、δ の坂を測ります。シグモイドでは、逆伝播で掛かる $\sigma'$ と $\gamma / \sqrt{\sigma_j^2 + \epsilon}$ について、それぞれ平均と中央値も測ります。

# %% experiment="predict-8-1-2"
predict("8.1.2")

# %% tags=["experiment"]
# 実験: BatchNorm と δ の坂
def backward_factors(layers):
    """逆伝播で掛かるもの: σ' の平均と、γ/√(σ²+ε) の中央値。"""
    h, derivatives, scales = X, [], []
    for layer in layers:
        if isinstance(layer, BatchNorm):
            scales.append(layer.params["gamma"] / np.sqrt(h.var(axis=0) + layer.eps))
        h = layer.forward(h)
        if isinstance(layer, Sigmoid):
            derivatives.append(h * (1 - h))
    return np.mean(derivatives), np.median(scales)


with waiting_for("batch_norm"):
    print("δ の 1 層あたりの桁数（20 通りの中央値。正: 消失、負: 爆発）")
    fig, axes = plt.subplots(1, 2, figsize=(12, 4.4), sharey=True)
    for ax, (activation, init) in zip(axes, [("sigmoid", "xavier"), ("relu", "he")]):
        for norm, label, marker in [(None, "BatchNorm なし", "o"), (BatchNorm, "BatchNorm あり", "s")]:
            slopes = []
            for n in (10, 20):
                build = lambda seed: build_deep_network(n, activation, init, norm, rng=np.random.default_rng(seed))
                profiles = [output_gradient_norms(build(seed), X, t) for seed in range(20)]
                slopes.append(np.median([decades_per_layer(norms) for norms in profiles]))
            print(f"  {activation:7} {init:6} {label}: 10 層 {slopes[0]:+.2f}, 20 層 {slopes[1]:+.2f}、20 層の全体 {19 * slopes[1]:+.1f} 桁")
            ax.semilogy(np.arange(1, 21), np.median(profiles, axis=0), marker=marker, label=f"{label}: {slopes[1]:+.2f}")
        ax.set(title=f"{activation} {init}、20 層（凡例の数は 1 層あたりの桁数）", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）", xticks=[1, 5, 10, 15, 20])
        ax.legend()
    derivative, scale = median_over_seeds(lambda rng: backward_factors(build_deep_network(20, "sigmoid", "xavier", BatchNorm, rng=rng)))
    print(f"  シグモイド 20 層、BatchNorm あり: σ' の平均 {derivative:.2f}、γ/√(σ²+ε) の中央値 {scale:.1f}")
    show("20 層の |δ| の図が、同じ目盛りで 2 枚。左のシグモイドは、BatchNorm なしでは急な坂。右の ReLU は、BatchNorm なしではほぼ水平。BatchNorm ありでは、どちらも入力側へ向かって少しずつ増える。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - シグモイドでは、1 層あたり 0.64 桁の坂が -0.08 桁になり、消失はなくなります。BatchNorm を入れても、$\sigma'$ が 0.25 以下であることは変わりません（平均 0.20）。しかし、BatchNorm の逆伝播では、さらに $\gamma / \sqrt{\sigma_j^2 + \epsilon}$ が掛かります。シグモイドの出力はばらつきが小さく、次の層の $z$ の標準偏差も小さいので、この値は約 5 になります。Xavier の重みの倍率はほぼ 1 なので、$\sigma'$ による減少は、この約 5 倍でほぼ打ち消されます。
# - ReLU の坂は -0.11 桁ほどです。$|\delta|$ は、入力側へ 1 層進むごとに約 1.3 倍になります。
# - どちらも符号は負、つまり **緩やかな爆発** です。20 層全体では、シグモイドで 1.5 桁、ReLU で 2.1 桁になります。BatchNorm を入れただけの（残差接続のない）深いネットワークで、勾配が深さとともに指数関数的に大きくなることは、理論でも示されています（Yang et al., 2019）。
# - 原論文では、効果の理由は「内部共変量シフト（学習中に各層の入力の分布が変わり続けること）の抑制」だとされましたが、反論もあります（Santurkar et al., 2018）。
#
# </details>

# %% [markdown]
# #### 訓練と推論で出力が変わる
#
# *発展・5 分。基本コースの続きは [8.2](#8.2-深さの研究) です*
#
# 訓練時の出力は、同じバッチの **ほかのサンプル** にも左右されます。推論時は移動統計量を使うので、左右されません。
# BatchNorm を入れた 5 層の ReLU のネットワークを学習させながら、同じ重みでの損失を、訓練モードと推論モードの両方で測ります。移動統計量の初期値 0 と 1 の影響は、$k$ ステップ後に $0.9^k$ だけ残ります（100 ステップで $3 \times 10^{-5}$）。

# %% experiment="predict-8-1-3"
predict("8.1.3")

# %% tags=["experiment"]
# 実験: 訓練モードと推論モード
def set_training(layers, training):
    for layer in layers:
        layer.training = training


def output_of(layers, h):
    for layer in layers:
        h = layer.forward(h)
    return h


with waiting_for("batch_norm"):
    layers = build_deep_network(5, "relu", "he", norm=BatchNorm, rng=np.random.default_rng(0))
    steps, in_training, in_inference = np.arange(101), [], []
    for step in steps:
        set_training(layers, False)
        in_inference.append(np.mean((output_of(layers, X) - t) ** 2))  # 推論は移動統計量を変えないので、先に測る
        set_training(layers, True)
        in_training.append(forward_backward(layers, X, t)[0])
        sgd_update(layers, 0.1)
    for step in (0, 10, 20, 50, 100):
        print(f"ステップ {step:3}: 訓練モードの損失 {in_training[step]:.2f}, 推論モードの損失 {in_inference[step]:.2f}")

    set_training(layers, False)
    alone = [output_of(layers, X[i : i + 1]).item() for i in range(3)]
    set_training(layers, True)
    wrong = [output_of(layers, X[i : i + 1]).item() for i in range(3)]
    print("目標:                  ", ", ".join(f"{value:+.2f}" for value in t[:3, 0]))
    print("1 行ずつ、推論モード:  ", ", ".join(f"{value:+.2f}" for value in alone))
    print("1 行ずつ、訓練モード:  ", ", ".join(f"{value:+.2f}" for value in wrong))

    fig, ax = plt.subplots(figsize=(8, 4.2))
    ax.semilogy(steps, in_training, label="訓練モード")
    ax.semilogy(steps, in_inference, label="推論モード")
    ax.set(title="同じ重みの、2 つのモードの損失", xlabel="ステップ", ylabel="損失（対数）")
    ax.legend()
    show("100 ステップの損失（対数）。はじめは推論モードが訓練モードより大きく、しだいに一致する。どちらもところどころ跳ねる。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 学習前の損失は、訓練モードで 1.07、推論モードで 1.53 です。10 ステップ後は、0.22 と 0.46 です。推論モードのほうが大きいのは、移動統計量が初期値の 0 と 1 から始まり、変わっていくバッチの統計量を遅れて追いかけるからです。100 ステップ後には、どちらも 0.03 になります。推論モードの損失が大きいときは、過学習を疑う前に、移動統計量が追いついているかを確かめます。
# - 訓練モードのまま 1 行だけを入力すると、その 1 行の平均はその行自身なので $\hat x = 0$ となり、出力は **何を入力しても -0.13** です。`training = False` を忘れたときの症状です。しかも、呼び出すたびに、`running_mean` はその 1 行の値へ、`running_var` は 0 へずれていきます。
# - 損失がところどころ跳ねるのは、学習率 0.1 が大きめだからです（5.2 の「行き過ぎ」です）。0.01 で試すと、ほとんど跳ねなくなります。
#
# </details>

# %% [markdown]
# ### 8.2 深さの研究
#
# *★ 基本コース・50 分*
#
# シグモイドのネットワークを 5 層、10 層、20 層にして学習を比べ、勾配消失が学習にどう影響するか、BatchNorm を入れると何が変わるかを調べます。
#
# 記録するのは $|dW|$ です。シグモイドのネットワークの隠れ層では、$h$ がどこでも 0.5 前後なので、学習前の $|dW|$ の坂は $|\delta|$ の坂に近くなるからです（1.2 の tanh では違いました。シグモイドでも、学習が進むと違ってきます）。
#
# > **予想してみましょう**（答えは、あとの図と考察で確かめます）: 20 層のネットワークの 1 層目の $|dW|$ は、5 層のときより何桁小さいでしょうか。BatchNorm を入れた場合はどうでしょうか。
#
# #### 演習 8.2: `depth_study`（{{depth_study}} 点、自動採点）
#
# `depth_study(depths, build_network, X, t, lr=0.1, steps=200, seed=0)` を書いてください。
#
# **仕様**
#
# - 各 `depth` について、まず `layers = build_network(depth, np.random.default_rng(seed))` でネットワークを作ります。呼ぶたびに新しい層のリストが返ります。
# - 次に、全データを使うふつうの勾配降下を `steps` 回（1 以上）行います。損失は `MSELoss` です。**すべての層のすべてのパラメータ** から `lr * 勾配` を引きます。`forward_backward` と `sgd_update` を使ってもかまいません。
# - 戻り値は辞書 `{depth: {"loss": (steps,), "grad_norms": (steps, depth)}}` です。
#   - `"loss"`: 各ステップの、**更新する前** の損失
#   - `"grad_norms"`: 各 Linear 層の `grads["W"]` のノルム。入力側から並べた、**更新する前** の値
# - 途中でオーバーフローしても止めず、NaN や無限大をそのまま記録します。有限な数に置き換えてはいけません。
#
# <details>
# <summary><b>細かい条件</b></summary>
#
# - 層は、このノートブックにある Linear、活性化、`gamma` と `beta` を持つ正規化層です。`W` を持つのは Linear 層だけです。
# - 戻り値の中身は配列でもリストでもよく、ほかのキーを加えてもかまいません。記録の精度は float32 で十分です。
# - 有限でない値が最初に現れたら、それ以降の値は（その値も含めて）比べません。
# - 順伝播を余分に行ってもかまいません。
#
# </details>

# %% solution="depth_study"

# %% check="depth_study"
check("depth_study")

# %% [markdown]
# #### 図（{{depth_study_plot}} 点、手動採点）
#
# 次の 2 つのネットワークについて、深さ 5・10・20、課題 `X, t`、既定の学習率・ステップ数・シードで `depth_study` を実行し、結果を図にしてください。
#
# - `build_sigmoid`: シグモイド、Xavier
# - `build_sigmoid_bn`: 同じ重みで、各活性化の前に BatchNorm が入る
#
# 図に入れるもの: (a) 損失の推移、(b) 学習開始時（ステップ 0）の層ごとの勾配ノルム（対数軸）。戻り値を変数 `result` に入れた場合、5 層のネットワークの (b) の値は `result[5]["grad_norms"][0]` で取り出せます。軸ラベルと凡例をつけ、深さと BatchNorm の有無が見分けられるようにします。BatchNorm ありのネットワークには既定の学習率が大きめなので、損失がところどころ跳ねます。BatchNorm なしの損失は、3 本ともすぐに 1.0 のあたりまで下がって重なります。これは図の誤りではありません。実際に、どの深さでも損失がそこから下がらないのです（線種や印を変えれば、重なっていても見分けられます）。5 層のネットワークでは、1 層目の勾配は 20 層のときほど小さくなりませんが、それでも、200 ステップでは 1 層目の重みが数 % しか動きません。1000 ステップまで続けると、その間に損失が下がり始めます。
#
# | 点 | 採点基準 |
# |---|---|
# | 2 | (a) と (b) の両方があり、3 つの深さと BatchNorm の有無を見分けて比べられる。軸ラベルと凡例があり、勾配は対数軸 |
# | 1 | (a) か (b) の一方がない、BatchNorm ありとなしの一方しかない、または軸ラベル・凡例・対数軸のどれかが欠けている |
# | 0 | 図がない、または `depth_study` の結果に基づいていない |

# %%
def build_sigmoid(depth, rng):
    return build_deep_network(depth, "sigmoid", "xavier", rng=rng)


def build_sigmoid_bn(depth, rng):
    return build_deep_network(depth, "sigmoid", "xavier", norm=BatchNorm, rng=rng)

# %% solution="depth_study_plot" points=2

# %% [markdown] solution="depth_study_findings" points=2
# #### 考察（{{depth_study_findings}} 点、手動採点）
#
# 自分の図から分かったことを、300～500 字で書いてください。次の 3 つに触れてください。
#
# 1. 学習開始時の 1 層目の勾配は、深さによってどう違ったか。それぞれのネットワークの損失は、1.0（何も学習していないネットワークの損失）よりどこまで下がったか。下がらなければ、そう書く（図に使った **数値** を `print` して引用する。損失は跳ねるので、最後の 50 ステップの中央値をとる）
# 2. それはなぜか（1 層さかのぼるたびに勾配に何が掛かるかを使って説明する）
# 3. BatchNorm は何を変えたか。BatchNorm ありでは、20 層の損失は 5 層の損失より大きかったか（シードは 1 つだけなので、小さな差は偶然かもしれない）
#
# | 点 | 採点基準 |
# |---|---|
# | 2 | 1 と 3 を数値で述べ、2 のしくみ（$W$ と $\phi'$ が 1 層ごとに掛かること）を正しく説明している |
# | 1 | 数値による観察か、しくみの説明の一方だけが正しい |
# | 0 | 書いていない、または図と食い違う |
#
# **あなたの答え**
#
# ### BEGIN SOLUTION
# BatchNorm なしでは、学習開始時の 1 層目の |dW| は 5 層で 3.4e-3、10 層で 3.5e-6、20 層で 9.2e-13 と、深いほど小さい。損失（最後の 50 ステップの中央値）は 0.999、1.000、1.000 で、どの深さでも、平均を出力するだけのときの 1.0 をはっきり下回ることはなかった。
#
# 勾配には、1 層さかのぼるごとに W と σ' が掛けられる。σ' は 0.25 以下で、Xavier の W の倍率はほぼ 1 なので、1 層あたり約 0.23 倍（0.64 桁）になり、それが 1 層ごとに掛かるので、勾配は指数関数的に小さくなる。出力層の |dW| は 0.5～2.6 あるので、勾配は生まれているのに入力側へ届いていない。
#
# BatchNorm ありでは、1 層目の |dW| も 1.4～3.7 で、層によらずほぼ一定になった。損失の中央値は 0.1、0.03、0.07 まで下がった。20 層は 5 層より悪くなく、最も小さいのは 10 層である。1 つのシードだけなので、深さの優劣までは決められない。
# ### END SOLUTION

# %% [markdown] prose="residual-question"
# ### 8.3 残差接続
#
# *発展・10 分。基本コースの続きは [9](#9-Unit-0.0-総まとめ) です*
#
# 勾配の通り道に、掛け算を通らない近道を作ることもできます。その方法の 1 つが **残差接続** です（He et al., 2016）。Linear と活性化の 1 組を **ブロック** $F$ とし、その出力を $F(h)$ ではなく $h + F(h)$ にします（論文では、足したあとに ReLU も通します）。ここでは、ブロックの出力についての勾配を $\delta$ と書きます。逆伝播では
#
# $$\frac{\partial L}{\partial h} = \delta + \delta\, \frac{\partial F}{\partial h}$$
#
# となり、第 1 項の $\delta$ が、そのまま入力側に届きます。20 層のネットワークで、残差接続の有無だけを変えて比べます（学習率 0.01）。

# %% experiment="predict-8-3"
predict("8.3")

# %% experiment="residual"
# 実験: 残差接続
class Block(Layer):
    """Linear と活性化を 1 つにまとめた層。F(h) = φ(hW + b)。shortcut なら h + F(h) を返す。"""

    def __init__(self, n_in, activation, init, shortcut, rng):
        super().__init__()
        self.linear, self.activation, self.shortcut = Linear(n_in, 10, init, rng), activation(), shortcut
        self.params, self.grads = self.linear.params, self.linear.grads

    def forward(self, h):
        F = self.activation.forward(self.linear.forward(h))
        return h + F if self.shortcut else F

    def backward(self, dout):
        dh = self.linear.backward(self.activation.backward(dout))
        return dout + dh if self.shortcut else dh  # 近道は、dout をそのまま入力側へ渡す


def block_network(activation, init, shortcut, seed, depth=20):
    rng = np.random.default_rng(seed)
    first = Block(2, activation, init, False, rng)  # 入力は 2 個なので、1 層目には近道がない
    return [first] + [Block(10, activation, init, shortcut, rng) for _ in range(depth - 2)] + [Linear(10, 1, init, rng)]


def loss_and_output_gradients(layers):
    """損失と、各ブロックの出力についての勾配のノルム（入力側から）。"""
    loss_fn, h, norms = MSELoss(), X, []
    for layer in layers:
        h = layer.forward(h)
    loss = loss_fn.forward(h, t)
    dout = loss_fn.backward()
    for layer in reversed(layers):
        norms.append(np.linalg.norm(dout))
        dout = layer.backward(dout)
    return loss, norms[::-1]


fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
arms = [("sigmoid", Sigmoid, "xavier", False), ("sigmoid", Sigmoid, "xavier", True), ("relu", ReLU, "he", False), ("relu", ReLU, "he", True)]
for k, ((name, activation, init, shortcut), marker) in enumerate(zip(arms, "os^D")):
    label = f"{name}、{'残差接続あり' if shortcut else '残差接続なし'}"
    build = lambda seed: block_network(activation, init, shortcut, seed)
    start = [loss_and_output_gradients(build(seed)) for seed in range(20)]
    norms = np.median([norms for _, norms in start], axis=0)
    (line,) = left.semilogy(np.arange(1, 21), norms, marker=marker, label=label)
    runs = []
    with np.errstate(over="ignore", invalid="ignore"):  # 発散した個数を数えるので、警告は止める
        for seed in range(5):
            layers, losses = build(seed), []
            while len(losses) < 200 and np.isfinite(losses[-1:]).all():
                losses.append(loss_and_output_gradients(layers)[0])
                sgd_update(layers, 0.01)
            runs.append(losses)
            steps = np.arange(1, len(losses) + 1)
            style = {"color": line.get_color(), "linestyle": line.get_linestyle(), "marker": marker, "markevery": (10 * k, 40)}
            right.loglog(steps, losses, **style, linewidth=1.2)  # 印の位置をずらして、重なる線も見分けられるようにする
    learned = sum(losses[-1] < 0.9 for losses in runs)
    ends = [len(losses) for losses in runs if not np.isfinite(losses[-1])]
    diverged = len(ends)
    for i, end in enumerate(ends):  # 同じステップの印は、縦にずらして並べる
        right.plot(end, 1e12 / 10 ** ends[:i].count(end), marker, color=line.get_color(), label="発散したステップ" if i == 0 else None)
    print(f"{label}: 坂 {np.median([decades_per_layer(norms) for _, norms in start]):+.2f} 桁/層、学習前の損失の中央値 {np.median([loss for loss, _ in start]):.1e}、"
          f"\n    200 ステップで {len(runs)} 個のうち {learned} 個が学習でき、{diverged} 個が発散")
left.set(title="20 層の |δ|（20 通りの中央値）", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）", xticks=[1, 5, 10, 15, 20])
right.set(title="学習率 0.01 での損失（5 通りの重み）", xlabel="ステップ（1 から、対数）", ylabel="損失（対数）", ylim=(3e-2, 1e13))
left.legend()
right.legend()
show("左: 20 層の各層の |δ|。残差接続のない sigmoid は入力側へ向かって 12 桁ほど減り、残差接続のある sigmoid は水平、残差接続のある ReLU は入力側へ向かって増える。右: 学習率 0.01 での損失。残差接続のない sigmoid は 1.0 から動かず、残差接続のある sigmoid は下がる。残差接続のある ReLU は数ステップで線が途切れる。")

# %% [markdown] prose="residual-notice"
# <details>
# <summary><b>注目</b></summary>
#
# - シグモイドでは、坂が 0.61 桁から -0.01 桁へと平らになり、学習できるネットワークは、5 個中 0 個から 3 個に増えます。BatchNorm を使わなくても、消失はなくなります。
# - ReLU では、逆に悪化します。残差接続がなければ 5 個のうち 3 個が学習できるのに、残差接続を入れると **5 個とも発散** します。$h$ に $F(h)$ を足すたびに値が大きくなり、学習前の損失がすでに $4 \times 10^7$ もあるからです。坂も 1 層あたり -0.18 桁と負になり、爆発を示しています。
# - 残差接続は消失には効きますが、爆発には効きません。実際の ResNet では、$F$ の中に BatchNorm を入れて、値が大きくなりすぎるのを防ぎます。
#
# </details>

# %% [markdown] prose="layer-norm-question"
# ### 8.4 Layer Normalization
#
# *発展・10 分*
#
# BatchNorm は、列（特徴）ごとに、バッチのサンプルについて平均と分散をとります。**Layer Normalization**（Ba et al., 2016）は、行（サンプル）ごとに、その層のユニットについてとります。ほかのサンプルを使わないので、訓練と推論が同じ計算になり、入力が 1 行だけでも使えます。Transformer で使われるのは LayerNorm です（RNN で使われることもあります）。
#
# では、シグモイドの勾配消失にも、BatchNorm と同じように効くでしょうか。20 層のネットワークで坂を比べ、シグモイドを学習率 0.1 で 60 ステップ学習させます。

# %% experiment="predict-8-4"
predict("8.4")

# %% experiment="layer-norm"
# 実験: LayerNorm と BatchNorm
class LayerNorm(Layer):
    """行ごとに平均 0・分散 1 にそろえてから、gamma を掛け、beta を足す。"""

    def __init__(self, n_features, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.params = {"gamma": np.ones(n_features), "beta": np.zeros(n_features)}
        self.grads = {"gamma": None, "beta": None}

    def forward(self, x):
        inverse = 1 / np.sqrt(x.var(axis=1, keepdims=True) + self.eps)
        x_hat = (x - x.mean(axis=1, keepdims=True)) * inverse
        self.cache = {"x_hat": x_hat, "inverse": inverse}
        return self.params["gamma"] * x_hat + self.params["beta"]

    def backward(self, dout):
        x_hat, inverse = self.cache["x_hat"], self.cache["inverse"]
        self.grads = {"gamma": (dout * x_hat).sum(axis=0), "beta": dout.sum(axis=0)}
        d = dout * self.params["gamma"]
        return inverse * (d - d.mean(axis=1, keepdims=True) - x_hat * (d * x_hat).mean(axis=1, keepdims=True))


def last_per_unit(layers):
    """最後の活性化の、ユニットごとの標準偏差の平均（4.2）。"""
    h = X
    for layer in layers[:-1]:
        h = layer.forward(h)
    return h.std(axis=0).mean()


def trained_loss(layers, steps=60):
    for _ in range(steps):
        loss, _norms = forward_backward(layers, X, t)
        sgd_update(layers, 0.1)
    return loss


with waiting_for("batch_norm"):
    fig, axes = plt.subplots(1, 2, figsize=(12, 4.4), sharey=True)
    for ax, (activation, init) in zip(axes, [("sigmoid", "xavier"), ("relu", "he")]):
        for norm, label, marker in [(None, "正規化なし", "o"), (BatchNorm, "BatchNorm", "s"), (LayerNorm, "LayerNorm", "^")]:
            build = lambda seed: build_deep_network(20, activation, init, norm, rng=np.random.default_rng(seed))
            by_seed = [output_gradient_norms(build(seed), X, t) for seed in range(10)]
            slope = np.median([decades_per_layer(norms) for norms in by_seed])
            print(f"{activation:8}{label:10}: 坂 {slope:+.2f} 桁/層")
            if activation == "sigmoid":
                spread = np.median([last_per_unit(build(seed)) for seed in range(10)])
                losses = [trained_loss(build(seed)) for seed in range(3)]
                print(f"  ユニットごとの標準偏差 {spread:.1e}、60 ステップ後の損失 {', '.join(f'{loss:.2f}' for loss in losses)}")
            ax.semilogy(np.arange(1, 21), np.median(by_seed, axis=0), marker=marker, label=f"{label}: {slope:+.2f}")
        ax.set(title=f"{activation} {init}、20 層（凡例の数は坂）", xlabel="層番号（入力側から）", ylabel=r"$|\delta|$（対数）", xticks=[1, 5, 10, 15, 20])
        ax.legend()
    show("20 層の |δ| の図が 2 枚。左のシグモイドは、正規化なしで急な坂、LayerNorm で少し緩い坂、BatchNorm でほぼ水平。右の ReLU は、正規化なしと LayerNorm でほぼ水平、BatchNorm で入力側へ向かって少し上がる。")

# %% [markdown] prose="layer-norm-notice"
# <details>
# <summary><b>注目</b></summary>
#
# - シグモイドでは、LayerNorm の坂は 0.44 桁で、正規化なしの 0.64 桁より少し緩やかなだけです。BatchNorm は -0.08 桁でした。60 ステップ後の損失も、LayerNorm では 3 個とも 1.00 のままです。BatchNorm なら 0.3 より小さくなります。
# - 理由は 4.2 の「ユニットごとの標準偏差」にあります。BatchNorm は、列ごとに **サンプルによる違い** を広げ直すので、最後の活性化でも標準偏差が 0.22 あります。LayerNorm が行ごとに広げ直すのは **ユニットどうしの違い** です。サンプルによる違いは $1.3 \times 10^{-9}$ まで小さくなっていて、順伝播の信号は出力側まで届いていません。
# - ReLU では、LayerNorm の坂は 0.03 桁で、正規化なしの 0.04 桁とほとんど変わりません。BatchNorm のような緩やかな爆発（-0.11 桁）は起きません。正規化は「入れれば治る薬」ではなく、何をそろえるかで効き目が変わります。
#
# </details>

# %% [markdown] prose="pytorch"
# ### 8.5 同じことを PyTorch で
#
# *発展・5 分*
#
# このノートブックで書いたものは、PyTorch にもあります。名前が同じでも **仕様が違う** ものがあるので、注意してください。
#
# | このノートブック | PyTorch | 違い |
# |---|---|---|
# | `Linear(..., init="he")` | `nn.init.kaiming_normal_(w, nonlinearity="relu")` | 重みの形が (出力, 入力) で、転置になっている |
# | `clip_gradients(layers, 1.0)` | `nn.utils.clip_grad_norm_(parameters, 1.0)` | ノルムだけを返す。NaN があっても、既定では例外にならない |
# | `BatchNorm(D, momentum=0.9)` | `nn.BatchNorm1d(D, momentum=0.1)` | `momentum` は **新しい** 値の割合。移動分散だけは N-1 で割る |
# | `layer.training = False` | `model.eval()` | |
#
# <details>
# <summary><b>コードと、その結果（PyTorch 2.2）</b></summary>
#
# ```python
# import torch
# from torch import nn
#
# x = torch.tensor([[1.0, 2.0], [3.0, -1.0], [-2.0, 0.5], [4.0, 1.5]], dtype=torch.float64)
# bn = nn.BatchNorm1d(2, momentum=0.1, dtype=torch.float64)
# print(bn(x))  # [[-0.218218, 1.091085], [0.654653, -1.527519], [-1.527524, -0.218217], [1.091088, 0.654651]]
# print(bn.running_mean)  # [0.15, 0.075]
# print(bn.running_var)  # [1.6, 1.075]
#
# weight = nn.Parameter(torch.zeros(2, 2))
# bias = nn.Parameter(torch.zeros(1))
# weight.grad, bias.grad = torch.tensor([[1.0, 2.0], [2.0, 4.0]]), torch.tensor([12.0])
# print(nn.utils.clip_grad_norm_([weight, bias], max_norm=1.0))  # 13.0
# print(bias.grad)  # [0.923077]
# ```
#
# あなたの `BatchNorm` でも、同じ `x` に対する出力と `running_mean` は同じになりますが、`running_var` は [1.425, 1.03125] になります。
#
# </details>

# %% [markdown]
# ---
#
# ## 9 Unit 0.0 総まとめ
#
# *★ 基本コース・5 分*
#
# ### 診断の手引き
#
# | 症状 | 何を測るか | まず試すこと |
# |---|---|---|
# | 損失が最初からほとんど動かない | δ の坂（正で急、1.2・発展 6.3）、ユニットごとの活性化の標準偏差（発展 4.2） | 活性化と初期化の組み合わせを見直す（tanh + Xavier、ReLU + He、4.1）、BatchNorm（8.1）、残差接続（発展 8.3） |
# | 損失が急に増える、NaN になる | `"nonfinite"` / `"exploding"`（6.1）、δ の坂（負、1.2・発展 6.3）、更新量と重みの比（1 を超える、発展 6.4） | 初期の重みと学習率を小さくする、クリッピング（2.2） |
# | 損失が振動して下がりきらない | 学習率と $2/\lambda_\text{max}$ の関係（発展 5.2） | 学習率を下げる |
# | しばらく止まってから急に下がる | 勾配ノルム（しばらく小さければ鞍点の近く、発展 7.1・7.2） | Momentum や Adam を使う、初期値を大きくする |
# | 一部のユニットがいつも 0 | 死んだユニットの割合（全入力で 0、発展 3.2） | 学習率を下げる、Leaky ReLU |
#
# ### 学習したこと
#
# *発展・5 分*
#
# | ノートブック | テーマ | キーポイント |
# |-------------|--------|-------------|
# | **70** | 微分の再発見 | 数値微分、偏微分、勾配ベクトル |
# | **71** | 連鎖律の解剖 | 合成関数の微分、分岐と合流 |
# | **72** | 計算グラフ | ノードとエッジ、トポロジカルソート |
# | **73** | 逆伝播（スカラー） | backward() の実装、勾配チェック |
# | **74** | 逆伝播（行列） | バッチ処理、行列微分、MLP |
# | **75** | 学習ループ | SGD、Momentum、Adam、XOR 問題 |
# | **76** | 勾配の病理学 | 消失・爆発、初期化、鞍点、BatchNorm |
#
# ### 習得したスキル
#
# 1. **数学的理解**: 微分、連鎖律、勾配の意味
# 2. **実装力**: NumPy だけを使ったニューラルネットワークの実装
# 3. **デバッグ力**: 勾配チェック、モニタリング
# 4. **診断力**: 一度に 1 つだけ変えて測り、学習の問題を特定して対策する力
#
# ### 次のステップへ
#
# このユニットで学んだ逆伝播のしくみは、次の発展的なトピックの基礎になります。
#
# - **CNN**: 畳み込み層の逆伝播
# - **RNN/LSTM**: 時間方向の逆伝播（BPTT）。同じ重みを何度も掛けるので、消失と爆発が最もはっきり現れます
# - **ResNet / Transformer**: 残差接続（8.3）と、Attention の勾配
# - **自動微分ライブラリ**: PyTorch / JAX の内部のしくみ

# %% [markdown]
# ---
#
# ## 参考文献
#
# 1. Himmelblau, D. M. (1972). *Applied Nonlinear Programming*. McGraw-Hill.
# 2. Styblinski, M. A., & Tang, T.-S. (1990). Experiments in nonconvex optimization: Stochastic approximation with function smoothing and simulated annealing. *Neural Networks*, 3(4), 467-483. doi:10.1016/0893-6080(90)90029-K
# 3. Bengio, Y., Simard, P., & Frasconi, P. (1994). Learning long-term dependencies with gradient descent is difficult. *IEEE Transactions on Neural Networks*, 5(2), 157-166. doi:10.1109/72.279181
# 4. Glorot, X., & Bengio, Y. (2010). Understanding the difficulty of training deep feedforward neural networks. *AISTATS 2010*, PMLR 9, 249-256.
# 5. Pascanu, R., Mikolov, T., & Bengio, Y. (2013). On the difficulty of training recurrent neural networks. *ICML 2013*, PMLR 28(3), 1310-1318. arXiv:1211.5063
# 6. Dauphin, Y. N., Pascanu, R., Gulcehre, C., Cho, K., Ganguli, S., & Bengio, Y. (2014). Identifying and attacking the saddle point problem in high-dimensional non-convex optimization. *NIPS 2014*, 2933-2941. arXiv:1406.2572
# 7. Saxe, A. M., McClelland, J. L., & Ganguli, S. (2014). Exact solutions to the nonlinear dynamics of learning in deep linear neural networks. *ICLR 2014*. arXiv:1312.6120
# 8. He, K., Zhang, X., Ren, S., & Sun, J. (2015). Delving deep into rectifiers: Surpassing human-level performance on ImageNet classification. *ICCV 2015*, 1026-1034. arXiv:1502.01852
# 9. Ioffe, S., & Szegedy, C. (2015). Batch normalization: Accelerating deep network training by reducing internal covariate shift. *ICML 2015*, PMLR 37, 448-456. arXiv:1502.03167
# 10. Kingma, D. P., & Ba, J. (2015). Adam: A method for stochastic optimization. *ICLR 2015*. arXiv:1412.6980
# 11. He, K., Zhang, X., Ren, S., & Sun, J. (2016). Deep residual learning for image recognition. *CVPR 2016*, 770-778. arXiv:1512.03385
# 12. Ba, J. L., Kiros, J. R., & Hinton, G. E. (2016). Layer normalization. arXiv:1607.06450
# 13. Santurkar, S., Tsipras, D., Ilyas, A., & Madry, A. (2018). How does batch normalization help optimization? *NeurIPS 2018*, 2483-2493. arXiv:1805.11604
# 14. Yang, G., Pennington, J., Rao, V., Sohl-Dickstein, J., & Schoenholz, S. S. (2019). A mean field theory of batch normalization. *ICLR 2019*. arXiv:1902.08129
# 15. Lu, L., Shin, Y., Su, Y., & Karniadakis, G. E. (2020). Dying ReLU and initialization: Theory and numerical examples. *Communications in Computational Physics*, 28(5), 1671-1706. doi:10.4208/cicp.OA-2020-0165
# 16. Karpathy, A., et al. (n.d.). CS231n: Deep Learning for Computer Vision, course notes, "Neural Networks Part 3: Learning and Evaluation". https://cs231n.github.io/neural-networks-3/
