# %% [markdown]
# # Notebook 75: 学習ループ ― SGD・Momentum・Adam
#
# *The Training Loop: SGD, Momentum, and Adam*
#
# ## このノートブックの位置づけ
#
# 逆伝播（Notebook 73・74）で、損失の勾配を求められるようになりました。ここでは、その勾配を使ってパラメータを動かし、XOR を学習させます。勾配から「どちらへ進むか」は分かりますが、**どれだけ進むか** は分かりません。それをどう決めるかが、このノートブックのテーマです。
#
# ### 学習目標
#
# 1. **SGD** と **Momentum** の更新を書き、細長い谷でなぜ差が出るのかを説明できる
# 2. **Adam** を書き、バイアス補正がないと何が起こるのかを数値で説明できる
# 3. ミニバッチの **学習ループ** を書き、XOR を学習させることができる
#
# ### 前提知識
#
# - Notebook 70-74 の内容（勾配、逆伝播、行列の形）
#
# ## 目次
#
# **★ は基本コース** です（約 1 時間 50 分）。このノートブックは、すべて基本コースです。
#
# 1. [細長い谷を下る](#1-細長い谷を下る)（★ 35 分、演習 1.2: SGD）
# 2. [ステップの大きさをそろえる](#2-ステップの大きさをそろえる)（★ 35 分、演習 2.2: Adam）
# 3. [学習ループ](#3-学習ループ)（★ 30 分、演習 3.1: train）
# 4. [まとめ](#4-まとめ)（★ 5 分）

# %% [markdown]
# ## 演習と採点のしかた
#
# *★ 基本コース・5 分*
#
# 演習は全部で {{all}} 点で、すべて自動で採点されます。
#
# | 演習 | 書くもの | 点数 | 時間の目安 |
# |---|---|---|---|
# | 1.2 | クラス `SGD` | {{sgd}} | 20 分 |
# | 2.2 | クラス `Adam` | {{adam}} | 25 分 |
# | 3.1 | 関数 `train` | {{train}} | 20 分 |
#
# 1. 解答セルの `raise NotImplementedError` を消し、自分のコードを書いて実行します。
# 2. すぐ下の `check("...")` のセルを実行します。部分点があり、何度でも実行できます。名前を書かずに `check()` を実行すると、すべての演習の進み具合が表示されます。
# 3. 行き詰まったら、新しいセルで `hint("sgd")` のように実行します。`given = example("sgd")` とすると、うまくいかなかった入力を受け取れます。`optimizer = SGD(**given.settings)` を作り、`optimizer.step(given.layers)` で最初の 1 ステップを試せます。
#
# 本文は **予想 → 実験 → 注目** の順に進みます。`predict` のセルを実行し、選択肢を選ぶと（ボタンが出なければ、`predict("1.1", "b")` と書くと）、すぐに答えが出ます。採点はしません。次に実験を実行し、「注目」を開いてください。図を描くコードも折りたたんであります。
#
# <details>
# <summary><b>解答と提出の決まり（提出する前に読んでください）</b></summary>
#
# - **関数・クラス・引数の名前を変えないでください。** 解答セルと `check` のセルを、消したり分割したりしないでください（セルを追加するのは自由です）。
# - まだ解いていない演習を使う **実験セル** を実行すると、どの演習の解答が必要かが 1 行で表示されます。解答を書いてから、もう一度実行してください。解答セルの中で、実験セルで作った変数を使わないでください。
# - **提出する前に、カーネルを再起動してすべてのセルを実行してください**（Kernel メニューの Restart Kernel and Run All Cells…）。
#
# `check` が調べるのは、このノートブックに書いてある条件だけです。「仕様」に書いていないことで減点されることはありません。
#
# </details>

# %% locked="setup"
# 環境セットアップ（このセルは変更しないでください）
import matplotlib.pyplot as plt
import matplotlib_fontja  # 日本語フォントを同梱しているので、どの OS でもラベルが表示される
import numpy as np
from cycler import cycler

from autograder import check, example, hint, predict, show, use_exercises, use_language, waiting_for
from autograder.layers import Layer, Linear, MSELoss, ReLU, Sigmoid, Tanh, build_deep_network, forward_backward

use_language("ja")
use_exercises("training-loop")

# 色覚によらず見分けやすい配色 (Okabe-Ito)。線種も変えて、色だけに頼らない。
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"]
plt.rcParams.update({
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=["-", "--", "-.", ":", (0, (8, 2))]),
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "lines.linewidth": 2,
})

print("環境セットアップ完了")

# %% [markdown]
# ### このノートブックで使う部品
#
# 前のノートブックで作った層は、`autograder.layers` にまとめてあります。どの層も、`params`（名前 → パラメータの配列）と `grads`（同じ名前 → 勾配の配列、まだなければ `None`）という 2 つの辞書を持ちます。`Linear` には `W` と `b` があり、`Tanh` などの活性化では 2 つとも空です。
#
# {{code Linear}}
#
# 損失は、すべての要素についての平均二乗誤差です。`backward()` は、平均をとるための割り算まで済ませた導関数を返します。
#
# {{code MSELoss}}

# %%
LAMBDA = np.array([1.0, 25.0])  # 谷の曲がり具合: 第 1 の方向は緩やか、第 2 の方向は急


def height(point):
    """谷の高さ f(p) = (p1^2 + 25 p2^2) / 2。point (..., 2)。"""
    return 0.5 * (LAMBDA * point**2).sum(axis=-1)


def descend(optimizer, steps=60, scale=1.0):
    """点 (-10, 1) から、scale 倍した谷を optimizer で下り、通った点 (steps + 1, 2) を返す。"""
    layer = Linear(1, 2)
    layer.params["W"][:] = [-10.0, 1.0]
    path = [layer.params["W"][0].copy()]
    for _ in range(steps):
        layer.grads = {"W": scale * LAMBDA * layer.params["W"], "b": np.zeros(2)}
        optimizer.step([layer])
        path.append(layer.params["W"][0].copy())
    return np.array(path)


def steps_until(values, limit):
    """values が limit を下回ったまま戻らなくなるまでのステップ数。戻るなら None。"""
    above = np.flatnonzero(~(np.asarray(values) < limit))
    first = above[-1] + 1 if len(above) else 0
    return int(first) if first < len(values) else None

# %% [markdown]
# ---
#
# ## 1 細長い谷を下る
#
# ### 1.1 学習率には上限がある
#
# *★ 基本コース・10 分*
#
# いちばん簡単な更新では、勾配 $g$ に **学習率** $\eta$ を掛けた分だけ、勾配の逆向きに進みます。この更新 1 回を、1 **ステップ** と呼びます。
#
# $$p \leftarrow p - \eta\, g$$
#
# 損失の曲がり具合が方向によって違うと、何が起こるでしょうか。谷 $f(p) = \frac{1}{2}(p_1^2 + 25\, p_2^2)$ では、勾配は $g = (p_1,\; 25\, p_2)$ です。1 ステップごとに、$p_1$ は $1 - \eta$ 倍、$p_2$ は $1 - 25\,\eta$ 倍になります。

# %% experiment="predict-1-1"
predict("1.1")

# %% tags=["experiment"]
# 実験: 学習率を変えて谷を下る
fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
x, y = np.meshgrid(np.linspace(-11, 3, 200), np.linspace(-1.5, 1.5, 200))
left.contour(x, y, height(np.stack([x, y], axis=-1)), levels=[0.5, 2, 8, 18, 32, 50], colors="gray", linewidths=0.8)
for lr, marker in [(0.03, "o"), (0.07, "s"), (0.082, "^")]:
    path = np.array([-10.0, 1.0]) * (1 - lr * LAMBDA) ** np.arange(61)[:, None]
    if lr < 0.08:
        left.plot(*path.T, marker=marker, markersize=3, linewidth=1, label=f"η = {lr}")
    right.semilogy(height(path), label=f"η = {lr}")
    print(f"η = {lr}: 1 ステップごとに p1 は {1 - lr:.3f} 倍、p2 は {1 - 25 * lr:.2f} 倍、60 ステップ後の高さ {height(path)[-1]:.2g}")
left.set(xlabel="p1", ylabel="p2", title="谷を下る道すじ")
right.set(xlabel="ステップ", ylabel="高さ f（対数）", title="高さの変化")
left.legend()
right.legend()
show("左: 細長い谷の等高線と、学習率 0.03 と 0.07 で下った道すじ。0.07 の道すじは急な方向にジグザグに折れ、緩やかな方向へは少しずつ進む。右: 高さの変化（対数）。0.03 と 0.07 は下がり、0.082 は途中から上がり続ける。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 0.07 では、急な方向の倍率が -0.75 倍なので、谷をまたいで行き来します。それでも 60 ステップ後の高さは 0.0083 で、0.03 の 1.3 よりずっと低くなります。
# - 0.082 では急な方向の倍率が -1.05 倍になり、1 ステップごとに谷底から遠ざかって、高さは 4400 まで上がります。上限は $2 / 25 = 0.08$ で、**いちばん急な方向** が決めます。
# - ところが緩やかな方向は、0.07 でも 1 ステップで 0.93 倍にしかなりません。学習率はこれ以上上げられないのに、進みは遅いままです。
#
# </details>

# %% [markdown]
# ### 1.2 演習: SGD と Momentum
#
# *★ 基本コース・20 分*
#
# 緩やかな方向では、勾配がいつも同じ向きです。急な方向では、1 ステップごとに向きが変わります。そこで、これまでの動きを覚えておきます。勾配を足しこんでいく **速度** $v$ を使うと、同じ向きの勾配は積み重なり、向きの変わる勾配は打ち消し合います。
#
# $$v \leftarrow \mu\, v + g, \qquad p \leftarrow p - \eta\, v$$
#
# $v$ は 0 から始めます。$\mu$ は、前の速度をどれだけ残すかを決める数で、momentum（慣性）と呼びます。$\mu = 0$ なら、ふつうの勾配降下法（SGD）です。
#
# 演習（{{sgd}} 点、自動採点）: クラス `SGD` の `step(layers)` を書いてください。
#
# **仕様**
#
# - `layers` は層のリストで、毎回同じものが渡されます。各層の `params` のすべての配列を、`grads` の同じ名前の勾配を使って 1 ステップ動かします。パラメータのない層もあります。
# - **配列そのものを書き換えてください**（`p -= ...`）。`params` に新しい配列を入れると、もとの配列を参照しているほかのコードには、更新が伝わりません。
# - 勾配が `None` のパラメータは動かさず、ほかはすべて動かします。
# - 速度は **パラメータごと** に別々です。2 つの層の `W` は、名前が同じでも別のパラメータです。
# - `__init__` は用意してあります。速度をどこにどう保存するかは自由です。$v \leftarrow \mu\, v - \eta\, g$、$p \leftarrow p + v$ と書いても、同じ結果になるので正解です。
# - 採点しないこと: `step` の後に `grads` に残る値、途中で `lr` や `momentum` を変えたときの動き、戻り値。

# %% solution="sgd"

# %% check="sgd"
check("sgd")

# %% [markdown]
# ### 1.3 ボールを転がす
#
# *★ 基本コース・5 分*
#
# 学習率 0.07 のまま、momentum を 0、0.5、0.9 にして、同じ谷をあなたの `SGD` で下ります。

# %% experiment="predict-1-3"
predict("1.3")

# %% tags=["experiment"]
# 実験: momentum を変えて谷を下る
with waiting_for("sgd"):
    for momentum in [0.0, 0.5, 0.9]:
        heights = height(descend(SGD(lr=0.07, momentum=momentum), steps=200))
        print(f"momentum {momentum}: {steps_until(heights, 0.01)} ステップで 0.01 より下に落ち着く（10 ステップ後の高さ {heights[10]:.2g}）")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 0.5 では 24 ステップで、momentum なしの 59 ステップの半分以下です。
# - 0.9 では 83 ステップかかります。momentum が大きすぎると、勢いのついたボールのように、谷底を通り過ぎては戻ることをくり返します。同じ勾配が続くと、速度は勾配の $1 / (1 - \mu)$ 倍（0.9 なら 10 倍）まで大きくなるからです。
#
# </details>

# %% [markdown]
# ---
#
# ## 2 ステップの大きさをそろえる
#
# ### 2.1 移動平均は、はじめのうち小さすぎる
#
# *★ 基本コース・10 分*
#
# 学習率を 0.08 より上げられなかったのは、急な方向の勾配が大きすぎるからでした。それなら、勾配をその **ふだんの大きさ** で割ればよいはずです。**Adam**（Kingma & Ba, 2015）は、パラメータの要素ごとに 2 つの平均を持ちます。勾配の平均 $m$ と、勾配の 2 乗の平均 $v$（momentum の速度とは別のもの）です。どちらも、前の値に新しい値を少しずつ混ぜていく移動平均で、$\beta$ が 1 に近いほど、前の値を長く残します。
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# どちらも 0 から始まるので、はじめのうちは小さすぎます。勾配がずっと同じ $g$ なら、$t$ ステップ目には $m = (1 - \beta_1^t)\, g$、$v = (1 - \beta_2^t)\, g^2$ です。
#
# 小さすぎる $m$ と $v$ を補正せず、そのまま使って $\eta\, m / \sqrt{v}$ だけ進むと、どうなるでしょうか。$\beta_1 = 0.9$、$\beta_2 = 0.999$ で調べます。

# %% experiment="predict-2-1"
predict("2.1")

# %% tags=["experiment"]
# 実験: 勾配が同じまま続くときの、1 ステップの長さ
t_axis = np.arange(1, 5001)
ratio = (1 - 0.9**t_axis) / np.sqrt(1 - 0.999**t_axis)
fig, ax = plt.subplots(figsize=(7, 3.6))
ax.semilogx(t_axis, ratio, label="補正なし")
ax.semilogx(t_axis, np.ones_like(ratio), label="補正あり")
ax.set(xlabel="ステップ t（対数）", ylabel="1 ステップの長さ / η", title="勾配が同じまま続くときの 1 ステップ")
ax.legend()
show("ステップ（対数）に対する 1 ステップの長さ。補正のない線は 3 倍あまりから始まり、12 ステップ目に 6.6 倍まで上がって、1000 ステップを過ぎても 1 より上にある。補正した線は、いつも 1。")
print(f"補正なし: 最初の 1 ステップ {ratio[0]:.2f} 倍、最大は {ratio.argmax() + 1} ステップ目の {ratio.max():.1f} 倍")
print(f"補正なし: 1.1 倍より長いのは {np.flatnonzero(ratio > 1.1)[-1] + 1} ステップ目まで")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 補正しないと、最初の 1 ステップは $\eta$ の 3.16 倍、12 ステップ目には 6.6 倍になります。$v$ は $m$ よりゆっくり大きくなるので、割る数が小さすぎるのです。
# - その影響は長く残り、1750 ステップ目まで 1.1 倍より長いままです。$m$ を $1 - \beta_1^t$ で、$v$ を $1 - \beta_2^t$ で割れば、最初から $\eta$ になります。これを **バイアス補正** と呼びます。
#
# </details>

# %% [markdown]
# ### 2.2 演習: Adam
#
# *★ 基本コース・25 分*
#
# 補正した平均を使って 1 ステップ進みます。$t$ はステップの番号で、最初の 1 ステップが $t = 1$ です。
#
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}, \qquad p \leftarrow p - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}$$
#
# 演習（{{adam}} 点、自動採点）: クラス `Adam` の `step(layers)` を書いてください。
#
# **仕様**
#
# - `layers` とその `params`、`grads`、`None` の扱い、配列そのものを書き換えることは、1.2 と同じです。
# - $t$ は `step` を呼ぶたびに 1 増えます。パラメータごとに数えても、`None` がなければ結果は同じです。
# - $\varepsilon$ は **平方根の外** で、$\sqrt{\hat v}$ に足します。勾配がずっと 0 の要素は動きません（0 で割って NaN になってはいけません）。
# - $m$ と $v$ は **パラメータごと** に別々です。
# - `__init__` は用意してあります。平均をどこにどう保存するかは自由です。
# - 採点しないこと: `step` の後に `grads` に残る値、途中で設定を変えたときの動き、途中から現れる勾配、戻り値。
#
# 自分のコードは、次の式で確かめられます。勾配が同じ $g$ のままなら、パラメータは毎ステップ $-\eta\, g / (|g| + \varepsilon)$ だけ動きます。

# %% solution="adam"

# %% check="adam"
check("adam")

# %% experiment="predict-2-2"
predict("2.2")

# %% tags=["experiment"]
# 実験: 損失の単位を変える（谷の高さを 100 倍にする）
with waiting_for("sgd"), waiting_for("adam"), np.errstate(over="ignore", invalid="ignore"):
    for name, make in [("SGD ", lambda: SGD(lr=0.07)), ("Adam", lambda: Adam(lr=0.3))]:
        one, other = (descend(make(), steps=60, scale=scale) for scale in (1.0, 100.0))
        print(f"{name}: 60 ステップ後の高さは、もとの谷で {height(one[-1]):.2g}、100 倍の谷で {height(other[-1]):.2g}")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# 損失を 100 倍にしただけで、SGD の高さは $10^{270}$ ほどまで跳ね上がります。Adam ではどちらの谷でも 0.1 で、道すじが変わりません。勾配の大きさで割っているので、損失を何倍にしても、1 ステップの長さは変わりません。その代わり、Adam は谷底でも同じ長さだけ進もうとするので、この谷では SGD の 0.0083 より高いところにとどまります。
#
# </details>

# %% [markdown]
# ---
#
# ## 3 学習ループ
#
# ### 3.1 演習: 学習ループ
#
# *★ 基本コース・20 分*
#
# 学習は、次の 4 つのくり返しです。**順伝播** で予測し、**損失** を測り、**逆伝播** で勾配を求め、オプティマイザー（SGD や Adam）でパラメータを **1 ステップ** 動かします。データは小さな **バッチ** に分け、1 ステップごとに 1 つ使います。すべてのバッチを 1 周することを **エポック** と呼びます。
#
# > **考えてみましょう**: 損失は、1 ステップ進む前と後のどちらで測るべきでしょうか。逆伝播で得た勾配は、どちらの損失の勾配でしょうか。
#
# 演習（{{train}} 点、自動採点）: 関数 `train(layers, optimizer, X, t, epochs, batch_size, rng)` を書いてください。
#
# **仕様**
#
# - エポックごとに、すべてのサンプルの **新しい順番** を `rng` で決めます。決め方は自由です（`rng.permutation`、`rng.shuffle` など）。`rng` 以外の乱数は使わず、`rng` を作り直すこともしません。
# - その順番で先頭から `batch_size` 個ずつバッチにします。割り切れないときは、最後のバッチに残りが入ります。`X` の行と `t` の行の対応は崩しません。
# - バッチごとに、すべての層の順伝播、`MSELoss` の損失、すべての層の逆伝播（最後の層から最初の層へ）を行い、その後で `optimizer.step(layers)` を **1 回** 呼びます。
# - 戻り値は、各ステップの **更新する前の**、そのバッチの損失を並べたものです（ステップの数だけの数のリスト、または配列）。
# - `X` と `t` を書き換えてはいけません。順伝播を余分に行うのは自由です。`forward_backward` を使ってもかまいません。`(layers, X, t)` を渡すと、順伝播と逆伝播を 1 回行い、損失と、各 Linear 層の `grads["W"]` のノルムを返します。
# - 採点しないこと: `epochs` や `batch_size` が 0 のとき、データが空のとき。
#
# 採点では、各ステップで `optimizer` に渡った勾配を、バッチの損失の **数値微分**（中心差分）と比べます。どのバッチが使われたかを見るために、`layers` の先頭に、値をそのまま通す層を 1 つ入れます。

# %% solution="train"

# %% check="train"
check("train")

# %% [markdown]
# ### 3.2 XOR を学習させる
#
# *★ 基本コース・10 分*
#
# XOR は、1 本の直線では分けられない、いちばん小さな問題です。幅 8（隠れ層のユニットが 8 個）の tanh のネットワークを、20 通りの初期値から学習させます。サンプルは 4 個だけなので、全部を 1 つのバッチにします。1 エポックが 1 ステップです。
#
# 同じ勾配が続くなら、momentum 0.9 は学習率を 10 倍にするのと同じです。では、学習率を上げれば、momentum の代わりになるでしょうか。

# %% experiment="predict-3-2"
predict("3.2")

# %% tags=["experiment"]
# 実験: XOR を 4 つの設定で学習させる
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
t = np.array([[0.0], [1.0], [1.0], [0.0]])
with waiting_for("sgd"), waiting_for("adam"), waiting_for("train"), np.errstate(over="ignore", invalid="ignore"):
    settings = {
        "SGD, η = 0.1": lambda: SGD(lr=0.1),
        "SGD, η = 1": lambda: SGD(lr=1.0),
        "Momentum 0.9, η = 0.1": lambda: SGD(lr=0.1, momentum=0.9),
        "Adam, η = 0.1": lambda: Adam(lr=0.1),
    }
    fig, ax = plt.subplots(figsize=(7, 4))
    for name, make in settings.items():
        runs = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            layers = build_deep_network(2, "tanh", rng=rng, width=8)
            runs.append(train(layers, make(), X, t, epochs=400, batch_size=4, rng=rng))
        losses = np.nan_to_num(np.array(runs, dtype=float), nan=np.inf)
        needed = [steps_until(run, 0.01) for run in losses]
        learned = [steps for steps in needed if steps is not None]
        print(f"{name}: {len(learned)} / 20 が学習できた", end="\n" if not learned else "")
        if learned:
            print(f"、損失が 0.01 を切るまで {np.median(learned):.0f} ステップ（中央値）")
        ax.semilogy(np.median(losses, axis=0), label=name)
    ax.set(xlabel="ステップ", ylabel="損失（対数、中央値）", title="XOR の学習", ylim=(1e-6, 10))
    ax.legend()
    show("ステップに対する XOR の損失（対数、20 通りの中央値）。学習率 0.1 の SGD はゆっくり、momentum 0.9 と Adam は速く下がる。学習率 1 の SGD はすぐに図の上端を超える。")

# %% [markdown]
# <details>
# <summary><b>注目</b></summary>
#
# - 学習率 0.1 の SGD では 203 ステップかかります。momentum 0.9 を加えると 48 ステップになり、20 通りすべてが学習できます。
# - 学習率を 1 に上げた SGD は、20 通りのどれも学習できず、発散します。急な方向の上限を超えるからです。momentum は、向きのそろった方向でだけ速くなるので、学習率を上げるのとは違います。
# - Adam は 42 ステップです。ただし、これは学習率 0.1 での結果です。**比べる前に、それぞれの学習率を選ぶ** ことを忘れないでください。
#
# </details>

# %% [markdown]
# ---
#
# ## 4 まとめ
#
# *★ 基本コース・5 分*
#
# | | 保存しておくもの | 1 ステップ | 気をつけること |
# |---|---|---|---|
# | SGD | なし | $\eta\, g$ | 学習率の上限は、最も急な方向が決める |
# | Momentum | 速度 $v$ | $\eta\, v$ | $\mu$ が大きすぎると行き過ぎる。同じ勾配が続けば $1 / (1 - \mu)$ 倍 |
# | Adam | 平均 $m$ と $v$、ステップの番号 $t$ | $\eta\, \hat m / (\sqrt{\hat v} + \varepsilon)$ | バイアス補正、$\varepsilon$ は平方根の外 |
#
# PyTorch では `torch.optim.SGD(parameters, lr, momentum)` と `torch.optim.Adam(parameters, lr)` が同じ式で計算します。次の Notebook 76 では、勾配そのものが消えたり爆発したりする病気を調べます。
#
# ### 参考文献
#
# 1. Polyak, B. T. (1964). Some methods of speeding up the convergence of iteration methods. *USSR Computational Mathematics and Mathematical Physics*, 4(5), 1-17.
# 2. Sutskever, I., Martens, J., Dahl, G., & Hinton, G. (2013). On the importance of initialization and momentum in deep learning. *ICML 2013*, PMLR 28(3), 1139-1147.
# 3. Kingma, D. P., & Ba, J. (2015). Adam: A method for stochastic optimization. *ICLR 2015*. arXiv:1412.6980
