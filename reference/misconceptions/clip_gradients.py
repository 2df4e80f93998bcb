"""Known mistakes in `clip_gradients`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from reference.misconceptions import Bank

bank = Bank("clip_gradients", "clip_gradients")

CLIPS, NORM, ALIKE, COEF, SMALL, NONE, EMPTY, NONFINITE, PARAMS = (
    f"clip_gradients.{check}"
    for check in (
        "clips",
        "total_norm",
        "scales_all_alike",
        "coefficient",
        "small_stay",
        "none_skipped",
        "nothing_to_clip",
        "nonfinite",
        "parameters_stay",
    )
)


def every_gradient(layers: list[Any]) -> list[np.ndarray]:
    """All gradients that are there, layer by layer."""
    return [g for layer in layers for g in layer.grads.values() if g is not None]


def only(*names: str) -> Callable[[list[Any]], list[np.ndarray]]:
    """A `gather` that looks at these names alone."""
    return lambda layers: [layer.grads[n] for layer in layers for n in names if layer.grads.get(n) is not None]


def refuse_nonfinite(gradients: list[np.ndarray]) -> None:
    if not all(np.isfinite(g).all() for g in gradients):
        raise ValueError("a gradient is not finite")


def refuse_nothing(gradients: list[np.ndarray]) -> None:
    """For mistakes about NaN and infinity."""


def global_norm(gradients: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(g**2) for g in gradients)))


def multiply(arrays: Iterable[np.ndarray], factor: float) -> None:
    for array in arrays:
        array *= factor


def clip(
    layers: list[Any],
    max_norm: float = 1.0,
    *,
    gather: Callable = every_gradient,
    refuse: Callable = refuse_nonfinite,
    norm: Callable = global_norm,
    too_long: Callable = lambda total, limit: total > limit,
    factor: Callable = lambda total, limit: limit / total,
    scale: Callable = multiply,
) -> tuple[float, float]:
    """The reference, in steps that can be replaced."""
    gradients = gather(layers)
    refuse(gradients)
    total = norm(gradients)
    if not too_long(total, max_norm):
        return total, 1.0
    coefficient = factor(total, max_norm)
    scale(gradients, coefficient)
    return total, coefficient


# --- which norm ------------------------------------------------------------------------------------------------------


@bank.add(
    "clip-per-layer",
    fails=(NORM, ALIKE),
    cause=("Each layer is clipped on its own.", "層ごとに別々にクリッピングしています。"),
    hint=(
        "If all gradients of the network were written into one vector, how long would that vector be?",
        "ネットワーク全体の勾配を 1 本のベクトルに並べると、その長さはいくつになるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    results = [clip([layer], max_norm) for layer in layers] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add(
    "clip-per-layer-with-global-norm",
    fails=(ALIKE,),
    cause=(
        "Each layer is clipped by its own norm, and not by the global one that is returned.",
        "返しているノルムは全体のものですが、クリッピングは層ごとのノルムで行っています。",
    ),
    hint=(
        "Is every layer multiplied by the coefficient that you return?",
        "どの層にも、戻り値の係数が掛けられているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    answer = clip(layers, max_norm, scale=lambda gradients, factor: None)
    for layer in layers:
        clip([layer], max_norm)
    return answer


@bank.add(
    "clip-per-array-with-global-norm",
    fails=(ALIKE,),
    cause=(
        "Each gradient array is clipped by its own norm, and not by the global one that is returned.",
        "返しているノルムは全体のものですが、クリッピングは配列ごとのノルムで行っています。",
    ),
    hint=(
        "Which norm should decide whether, and how much, a single array is scaled?",
        "1 つの配列を縮めるかどうか、どれだけ縮めるかは、何のノルムで決まるのでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    answer = clip(layers, max_norm, scale=lambda gradients, factor: None)
    for g in every_gradient(layers):
        clip([], max_norm, gather=lambda _, g=g: [g])
    return answer


@bank.add(
    "clip-per-array",
    fails=(NORM, ALIKE),
    cause=("Each gradient array is clipped on its own.", "勾配の配列 1 つずつを別々にクリッピングしています。"),
    hint=(
        "After clipping, do W and b of a layer still have the ratio they had before?",
        "クリッピングの後も、W と b の勾配の大きさの比は前と同じでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    results = [clip([], max_norm, gather=lambda _, g=g: [g]) for g in every_gradient(layers)] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add(
    "clip-sum-of-norms",
    fails=(NORM, ALIKE),
    cause=("The norms of the arrays are added up.", "配列ごとのノルムをそのまま足し合わせています。"),
    hint=(
        "Two sides of a right triangle are 3 and 4: is the third one 7?",
        "直角三角形の 2 辺が 3 と 4 のとき、斜辺の長さは 7 になるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(sum(np.linalg.norm(g) for g in gradients)))


@bank.add(
    "clip-root-forgotten",
    fails=(NORM, ALIKE),
    cause=("The sum of squares is used without its root.", "二乗の和のまま、平方根をとらずに使っています。"),
    hint=(
        "If every gradient doubles, by how much does your total_norm grow?",
        "すべての勾配を 2 倍にすると、あなたの total_norm は何倍になるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm(gradients) ** 2)


@bank.add(
    "clip-largest-norm",
    fails=(NORM, ALIKE),
    cause=(
        "The largest norm of a single array stands for all.",
        "1 つの配列の最大のノルムだけを、全体のノルムとして使っています。",
    ),
    hint=(
        "Do the gradients with smaller norms add nothing to the total length?",
        "ノルムが小さいほうの勾配は、全体の長さに何も加えないのでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(max(map(np.linalg.norm, gradients), default=0.0)))


@bank.add(
    "clip-largest-entry",
    fails=(NORM, ALIKE),
    cause=("The largest absolute entry is taken for the norm.", "絶対値が最大の成分をノルムとしています。"),
    hint=(
        "What is the length of the vector [1, 1, 1, 1], and what does your code say?",
        "ベクトル [1, 1, 1, 1] の長さはいくつで、あなたのコードではいくつになるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(max((np.abs(g).max() for g in gradients), default=0.0)))


@bank.add(
    "clip-sum-of-absolute-values",
    fails=(NORM, ALIKE),
    cause=(
        "Absolute values are added instead of squares (the L1 norm).",
        "二乗ではなく絶対値を足しています（L1 ノルム）。",
    ),
    hint=(
        "Which of the norms does the exercise ask for: L1, L2 or the largest entry?",
        "この演習で求められているのは、L1、L2、最大値のうち、どのノルムでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(sum(np.abs(g).sum() for g in gradients)))


@bank.add(
    "clip-mean-square",
    fails=(NORM, ALIKE),
    cause=("Squares are averaged instead of added.", "二乗の和ではなく、二乗の平均を使っています。"),
    hint=(
        "Should the length of a vector change when a zero is appended to it?",
        "ベクトルの最後に 0 を付け足すと、長さは変わるべきでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(np.sqrt(sum(np.mean(g**2) for g in gradients))))


@bank.add(
    "clip-summed-before-squared",
    fails=(NORM, ALIKE),
    cause=("Entries are added before they are squared.", "二乗する前に成分を足しています。"),
    hint=(
        "What does your norm give for the gradient [1, -1]?",
        "勾配が [1, -1] のとき、あなたのノルムはいくつになるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: float(np.sqrt(sum(np.sum(g) ** 2 for g in gradients))))


@bank.add(
    "clip-spectral-norm",
    fails=(NORM, ALIKE),
    cause=(
        "np.linalg.norm(g, 2) is used, which for a matrix is its largest singular value.",
        "np.linalg.norm(g, 2) を使っています。行列に対しては最大特異値になります。",
    ),
    hint=(
        "What does ord=2 mean in the documentation of np.linalg.norm when the array is two-dimensional?",
        "np.linalg.norm の説明では、2 次元配列に対する ord=2 は何を意味しているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: np.sqrt(sum(np.linalg.norm(g, 2) ** 2 for g in gradients)))


# --- which gradients -------------------------------------------------------------------------------------------------


@bank.add(
    "clip-weights-only",
    fails=(NORM, ALIKE),
    cause=('Only grads["W"] is measured and scaled.', 'grads["W"] だけを測り、縮めています。'),
    hint=(
        'What does layer.grads hold besides "W"?',
        'layer.grads には、"W" のほかに何が入っているでしょうか？',
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=only("W"))


@bank.add(
    "clip-weights-and-biases-only",
    fails=(NORM, ALIKE),
    cause=('Only the names "W" and "b" are looked at.', '"W" と "b" という名前だけを見ています。'),
    hint=(
        "What are the gradients of a normalisation layer called?",
        "正規化層の勾配には、どんな名前が付いているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=only("W", "b"))


@bank.add(
    "clip-biases-left-out",
    fails=(NORM, ALIKE),
    cause=("Gradients with respect to biases are left out.", "バイアス b の勾配を見ていません。"),
    hint=(
        "Which gradients of a Linear layer does your loop visit?",
        "あなたのループは、Linear 層のどの勾配を見ているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    def all_but_biases(layers):
        return [g for layer in layers for name, g in layer.grads.items() if name != "b" and g is not None]

    return clip(layers, max_norm, gather=all_but_biases)


@bank.add(
    "clip-norm-of-weights-only",
    fails=(NORM, ALIKE),
    cause=(
        "Everything is scaled, but only weights are measured.",
        "すべてを縮めていますが、ノルムは W だけで測っています。",
    ),
    hint=(
        "Did you visit the same gradients when you measured as when you scaled?",
        "ノルムを測るときと縮めるときとで、同じ勾配を見ているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: global_norm([g for g in gradients if g.ndim == 2]))


@bank.add(
    "clip-scales-weights-only",
    fails=(ALIKE,),
    cause=(
        "Everything is measured, but only weights are scaled.",
        "すべてを測っていますが、縮めているのは W だけです。",
    ),
    hint=(
        "Which gradients differ before and after the call, and which do not?",
        "呼び出しの前後で変わった勾配と、変わっていない勾配はどれでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: multiply([g for g in gradients if g.ndim == 2], c))


@bank.add(
    "clip-last-layer-skipped",
    fails=(NORM, ALIKE),
    cause=("The loop ends before the last layer.", "ループが最後の層の手前で終わっています。"),
    hint=("How many layers does your loop visit?", "あなたのループは、いくつの層を回っているでしょうか？"),
)
def _(layers, max_norm=1.0):
    return clip(layers[:-1], max_norm)


@bank.add(
    "clip-stops-at-first-empty-layer",
    fails=(NORM, ALIKE),
    cause=(
        "The loop stops at the first layer without gradients.",
        "勾配のない層に出会うと、そこでループを終えています。",
    ),
    hint=(
        "What happens to the layers behind the first activation?",
        "最初の活性化層より後ろの層は、どうなっているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    end = next((i for i, layer in enumerate(layers) if not layer.grads), len(layers))
    return clip(layers[:end], max_norm)


@bank.add(
    "clip-none-crashes",
    fails=(NONE, EMPTY),
    cause=("Entries that are None are squared like arrays.", "None の勾配も、配列と同じように二乗しようとしています。"),
    hint=(
        "What does layer.grads hold before the first backward?",
        "backward を一度も呼んでいない層の grads には、何が入っているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [g for layer in layers for g in layer.grads.values()])


@bank.add(
    "clip-every-layer-has-weights",
    fails=(CLIPS, NORM, ALIKE),
    cause=(
        'grads["W"] and grads["b"] are read from every layer.',
        'どの層からも grads["W"] と grads["b"] を読もうとしています。',
    ),
    hint=(
        "Does an activation layer have a weight?",
        "活性化層は重みを持っているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [layer.grads[n] for layer in layers for n in ("W", "b")])


@bank.add(
    "clip-none-becomes-zeros",
    fails=(NONE,),
    cause=("Entries that are None are replaced by zeros.", "None の勾配を 0 の配列に置き換えています。"),
    hint=(
        "Is a gradient that was never computed the same as a gradient of zero?",
        "まだ計算されていない勾配は、0 の勾配と同じものでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    for layer in layers:
        layer.grads = {n: np.zeros_like(layer.params[n]) if g is None else g for n, g in layer.grads.items()}
    return clip(layers, max_norm)


@bank.add(
    "clip-none-dropped",
    fails=(NONE,),
    cause=(
        "The new grads lack the names whose gradient is None.",
        "作り直した grads から、None だった名前が消えています。",
    ),
    hint=(
        "Does layer.grads have the same names before and after the call?",
        "呼び出しの前と後で、layer.grads の名前はそろっているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    for layer in layers:
        layer.grads = {name: g for name, g in layer.grads.items() if g is not None}
    return clip(layers, max_norm)


# --- how they are scaled ---------------------------------------------------------------------------------------------


@bank.add(
    "clip-by-value",
    fails=(ALIKE,),
    cause=("Each entry is cut off at max_norm.", "成分を 1 つずつ max_norm で切り取っています。"),
    hint=(
        "Does the gradient still point in the same direction after clipping?",
        "クリッピングの後も、勾配は同じ向きを指しているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    for g in every_gradient(layers):
        np.clip(g, -max_norm, max_norm, out=g)
    return total, coefficient


@bank.add(
    "clip-always-rescales",
    fails=(SMALL, COEF),
    cause=(
        "Gradients are brought to max_norm even when they are short.",
        "ノルムが小さいときも、max_norm に合わせて拡大しています。",
    ),
    hint=(
        "What should happen when the norm is already below max_norm?",
        "ノルムがすでに max_norm より小さいときは、どうなるべきでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total > 0)


@bank.add(
    "clip-loop-variable-rebound",
    fails=(CLIPS, ALIKE),
    cause=(
        "Scaled copies are made, but not put back into layer.grads.",
        "縮めた配列を作っていますが、layer.grads に戻していません。",
    ),
    hint=(
        "What does layer.grads hold after the call?",
        "呼び出しの後、layer.grads の中身はどうなっているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: [g * c for g in gradients])


@bank.add(
    "clip-factor-inverted",
    fails=(ALIKE, COEF),
    cause=("The factor is upside down.", "係数の分子と分母が逆です。"),
    hint=(
        "Is the norm larger or smaller after your clipping?",
        "あなたのクリッピングの後、ノルムは大きくなるでしょうか、小さくなるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: total / limit)


@bank.add(
    "clip-factor-is-the-limit",
    fails=(ALIKE, COEF),
    cause=("Gradients are multiplied by max_norm itself.", "勾配に max_norm そのものを掛けています。"),
    hint=(
        "What does your code do with max_norm=1.0 when the norm is 100?",
        "max_norm=1.0 でノルムが 100 のとき、あなたのコードは勾配をどう変えるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: limit)


@bank.add(
    "clip-to-unit-norm",
    fails=(ALIKE, COEF),
    cause=("Gradients are brought to norm 1, whatever max_norm is.", "max_norm に関係なく、ノルムを 1 にしています。"),
    hint=(
        "What norm comes out of your code with max_norm=5?",
        "max_norm=5 で呼ぶと、クリッピング後のノルムはいくつになるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: 1 / total)


@bank.add(
    "clip-limit-ignored",
    fails=(ALIKE, COEF, SMALL),
    cause=("max_norm is not used; the limit is always 1.", "引数 max_norm を使わず、上限がいつも 1 になっています。"),
    hint=(
        "Does the result change when you pass another max_norm?",
        "max_norm に別の値を渡すと、結果は変わるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, 1.0)


@bank.add(
    "clip-compares-with-one",
    fails=(ALIKE, SMALL),
    cause=("Whether to clip is decided by comparing with 1.", "クリッピングするかどうかを、1 と比べて決めています。"),
    hint=(
        "With max_norm=2 and a norm of 1.5, does your code clip?",
        "max_norm=2 でノルムが 1.5 のとき、あなたのコードはクリッピングするでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total > 1)


@bank.add(
    "clip-compares-the-square",
    fails=(ALIKE, SMALL),
    cause=("The squared norm is compared with max_norm.", "ノルムの二乗を max_norm と比べています。"),
    hint=(
        "Are the two sides of your comparison the same kind of quantity?",
        "比べている 2 つの量は、同じ種類のものでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: total**2 > limit)


@bank.add(
    "clip-large-epsilon",
    fails=(ALIKE, COEF),
    cause=(
        "A constant of 1e-2 is added to the norm before dividing.",
        "割る前に、ノルムに 1e-2 という定数を足しています。",
    ),
    hint=(
        "How large is the number you add, compared with a norm of 1?",
        "足している数は、ノルム 1 と比べてどのくらいの大きさでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, factor=lambda total, limit: limit / (total + 1e-2))


@bank.add(
    "clip-scales-while-measuring",
    fails=(ALIKE,),
    cause=(
        "Gradients are scaled while the norm is still being added up.",
        "ノルムを足している途中で、勾配を縮めています。",
    ),
    hint=(
        "At the first gradient, does your code already know the norm of all of them?",
        "最初の勾配を縮める時点で、全体のノルムはもう分かっているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    squares = 0.0
    for g in every_gradient(layers):
        squares += np.sum(g**2)
        g *= min(1.0, max_norm / np.sqrt(squares))
    return total, coefficient


@bank.add(
    "clip-scales-once-per-layer",
    fails=(ALIKE,),
    cause=(
        "The loop that scales everything runs once for every layer.",
        "全体を縮めるループが、層の数だけくり返されています。",
    ),
    hint=(
        "How often is one and the same gradient multiplied?",
        "同じ 1 つの勾配に、係数は何回掛けられているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, scale=lambda gradients, c: [multiply(gradients, c) for _ in layers])


@bank.add(
    "clip-scales-parameters",
    fails=(CLIPS, ALIKE),
    cause=("Parameters are scaled instead of gradients.", "勾配ではなくパラメータを縮めています。"),
    hint=("What is to be clipped: params or grads?", "クリッピングするのは params と grads のどちらでしょうか？"),
)
def _(layers, max_norm=1.0):
    parameters = [p for layer in layers for p in layer.params.values()]
    return clip(layers, max_norm, scale=lambda gradients, c: multiply(parameters, c))


@bank.add(
    "clip-scales-parameters-too",
    fails=(PARAMS,),
    cause=("Parameters are scaled along with the gradients.", "勾配と一緒に、パラメータまで縮めています。"),
    hint=(
        "Compare layer.params before and after: should clipping change the network?",
        "呼び出しの前後で layer.params を比べてみましょう。クリッピングでネットワーク自体は変わるべきでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    parameters = [p for layer in layers for p in layer.params.values()]
    return clip(layers, max_norm, scale=lambda gradients, c: multiply(gradients + parameters, c))


# --- what is returned ------------------------------------------------------------------------------------------------


@bank.add(
    "clip-norm-after-clipping",
    fails=(NORM,),
    cause=("The norm after clipping is returned.", "クリッピングした後のノルムを返しています。"),
    hint=(
        "Which norm would show you in a log that the gradients exploded?",
        "あとで記録を見て勾配爆発に気づけるのは、クリッピング前と後のどちらのノルムでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    _, coefficient = clip(layers, max_norm)
    return global_norm(every_gradient(layers)), coefficient


@bank.add(
    "clip-coefficient-above-one",
    fails=(COEF,),
    cause=(
        "The returned coefficient grows above 1 when nothing is clipped.",
        "クリッピングしないとき、1 より大きい係数を返しています。",
    ),
    hint=(
        "If the gradients stay as they are, which factor was applied to them?",
        "勾配がそのままのとき、掛けた係数はいくつだと言えるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm)
    return total, max_norm / total if total else coefficient


@bank.add(
    "clip-coefficient-always-one",
    fails=(COEF,),
    cause=(
        "The coefficient that was applied is not returned.",
        "実際に掛けた係数を返していません（いつも 1.0 です）。",
    ),
    hint=(
        "Which number were the gradients multiplied by, and which do you return?",
        "勾配に掛けた数と、返している数は同じでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[0], 1.0


@bank.add(
    "clip-returns-swapped",
    fails=(NORM, COEF, EMPTY),
    cause=("The two results are returned in the wrong order.", "2 つの戻り値の順番が逆です。"),
    hint=(
        "In which order does the specification name the two results?",
        "仕様では、2 つの戻り値はどの順番で書かれているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[::-1]


@bank.add(
    "clip-returns-norm-only",
    fails=(NORM, COEF, EMPTY),
    cause=("Only the norm is returned.", "ノルムだけを返しています。"),
    hint=("How many values should come back?", "戻り値はいくつ必要でしょうか？"),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm)[0]


@bank.add(
    "clip-returns-nothing",
    fails=(NORM, COEF, EMPTY),
    cause=("Nothing is returned; the results are only printed.", "何も返していません（表示しているだけです）。"),
    hint=(
        "What does `result = clip_gradients(layers)` put into result?",
        "`result = clip_gradients(layers)` と書くと、result には何が入るでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    print(clip(layers, max_norm))


# --- nothing to clip -------------------------------------------------------------------------------------------------


@bank.add(
    "clip-divides-by-zero-norm",
    fails=(EMPTY,),
    cause=(
        "The coefficient is computed even when the norm is 0.",
        "ノルムが 0 のときにも、割り算で係数を計算しています。",
    ),
    hint=(
        "What is the norm when there is no gradient at all, and what is done with it?",
        "勾配が 1 つもないときのノルムはいくつで、その後どんな計算に使われるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, too_long=lambda total, limit: limit / total < 1)


@bank.add(
    "clip-concatenates-nothing",
    fails=(EMPTY,),
    cause=("Arrays are concatenated even when there are none.", "配列が 1 つもないときにも、連結しようとしています。"),
    hint=(
        "What does np.concatenate do with an empty list?",
        "np.concatenate に空のリストを渡すと、何が起こるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, norm=lambda gradients: np.linalg.norm(np.concatenate([g.ravel() for g in gradients])))


@bank.add(
    "clip-empty-gives-none",
    fails=(EMPTY,),
    cause=("Without gradients the function returns None.", "勾配がないとき、None を返しています。"),
    hint=(
        "What does the training loop do with None when it unpacks two values?",
        "学習ループが 2 つの値を受け取ろうとしたとき、None が返るとどうなるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm) if every_gradient(layers) else None


@bank.add(
    "clip-empty-gives-zero-factor",
    fails=(EMPTY,),
    cause=("Without gradients the coefficient is 0.", "勾配がないとき、係数を 0 にしています。"),
    hint=(
        "Which factor leaves things as they are?",
        "掛けても何も変わらない係数は、いくつでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm) if every_gradient(layers) else (0.0, 0.0)


# --- NaN and infinity ------------------------------------------------------------------------------------------------


@bank.add(
    "clip-nonfinite-unnoticed",
    fails=(NONFINITE,),
    cause=("NaN and infinite gradients are not looked for.", "勾配の NaN や無限大を調べていません。"),
    hint=(
        "Is nan > max_norm true or false, and what does your code do next?",
        "nan > max_norm は True と False のどちらになり、その後あなたのコードは何をするでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing)


@bank.add(
    "clip-nonfinite-scales",
    fails=(NONFINITE,),
    cause=("NaN and infinite gradients are not looked for.", "勾配の NaN や無限大を調べていません。"),
    hint=(
        "Is nan <= max_norm true or false, and what does your code do next?",
        "nan <= max_norm は True と False のどちらになり、その後あなたのコードは何をするでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing, too_long=lambda total, limit: not total <= limit)


@bank.add(
    "clip-infinity-unnoticed",
    fails=(NONFINITE,),
    cause=("Only NaN is looked for, not infinity.", "NaN だけを調べ、無限大を調べていません。"),
    hint=("Is infinity a NaN?", "無限大は NaN に含まれるでしょうか？"),
)
def _(layers, max_norm=1.0):
    def refuse(gradients):
        if any(np.isnan(g).any() for g in gradients):
            raise ValueError("NaN")

    return clip(layers, max_norm, refuse=refuse)


@bank.add(
    "clip-nan-unnoticed",
    fails=(NONFINITE,),
    cause=("Only infinity is looked for, not NaN.", "無限大だけを調べ、NaN を調べていません。"),
    hint=("Is NaN infinite, or even equal to itself?", "NaN は無限大でしょうか、そもそも自分自身と等しいでしょうか？"),
)
def _(layers, max_norm=1.0):
    def refuse(gradients):
        if any(np.isinf(g).any() for g in gradients):
            raise ValueError("infinite")

    return clip(layers, max_norm, refuse=refuse)


@bank.add(
    "clip-only-weights-must-be-finite",
    fails=(NONFINITE,),
    cause=("Only weight gradients are checked for NaN and infinity.", "NaN と無限大を、W の勾配だけで調べています。"),
    hint=(
        "Can a bias gradient be infinite too?",
        "バイアスの勾配が無限大になることはないでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=lambda gradients: refuse_nonfinite(g for g in gradients if g.ndim == 2))


@bank.add(
    "clip-nonfinite-made-zero",
    fails=(NONFINITE,),
    cause=(
        "NaN and infinity are replaced by finite numbers without a word.",
        "NaN や無限大を、黙って有限の数に置き換えています。",
    ),
    hint=(
        "If a gradient is NaN, who should be told?",
        "勾配が NaN になったことを、誰が知るべきでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    for g in every_gradient(layers):
        np.nan_to_num(g, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return clip(layers, max_norm)


@bank.add(
    "clip-nonfinite-left-out",
    fails=(NONFINITE,),
    cause=("Gradients that are not finite are left out.", "有限でない勾配を飛ばして計算しています。"),
    hint=(
        "The optimiser takes its step next: what will the NaN that you left out do?",
        "飛ばした NaN は、次のパラメータ更新で何を引き起こすでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, gather=lambda layers: [g for g in every_gradient(layers) if np.isfinite(g).all()])


@bank.add(
    "clip-nonfinite-zeroes-all",
    fails=(NONFINITE,),
    cause=(
        "Where a gradient is not finite, all gradients are set to zero and nothing is raised.",
        "有限でない勾配があるとき、例外を出さずにすべての勾配を 0 にしています。",
    ),
    hint=(
        "If this happens at every step, how would anyone find out that nothing is learnt?",
        "これが毎ステップ起きたら、何も学習していないことにどうやって気づけるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    try:
        return clip(layers, max_norm)
    except ValueError:
        multiply(every_gradient(layers), 0.0)
        return 0.0, 0.0


@bank.add(
    "clip-nonfinite-only-warned",
    fails=(NONFINITE,),
    cause=("A warning is given, but no exception is raised.", "警告は出しますが、例外を送出していません。"),
    hint=(
        "Does the code after a warning still run?",
        "警告が出た後も、続きのコードは実行されるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    try:
        return clip(layers, max_norm)
    except ValueError as error:
        warnings.warn(str(error), stacklevel=2)
        return float("nan"), 1.0


@bank.add(
    "clip-nonfinite-asserted",
    fails=(NONFINITE,),
    cause=("An assert is used, which raises AssertionError.", "assert を使っているため、AssertionError になります。"),
    hint=(
        "Which exception does the specification name?",
        "仕様では、どの例外を送出することになっているでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    def refuse(gradients):
        assert all(np.isfinite(g).all() for g in gradients)

    return clip(layers, max_norm, refuse=refuse)


@bank.add(
    "clip-nonfinite-found-too-late",
    fails=(NONFINITE,),
    cause=("The exception comes after gradients have been scaled.", "勾配を縮めた後で例外を送出しています。"),
    hint=(
        "When your exception is raised, are the gradients still what they were?",
        "例外が出た時点で、勾配はまだ元のままでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    result = clip(layers, max_norm, refuse=refuse_nothing)
    refuse_nonfinite(every_gradient(layers))
    return result


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add(
    "clip-weights-only-and-per-array",
    pair=True,
    fails=(NORM, ALIKE),
    cause=(
        "Each weight is clipped on its own, and nothing else is.",
        "W だけを、しかも 1 つずつ別々にクリッピングしています。",
    ),
    hint=(
        "Which gradients belong to the one vector whose length is limited?",
        "長さを制限する 1 本のベクトルには、どの勾配が含まれるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    results = [clip([layer], max_norm, gather=only("W")) for layer in layers] or [(0.0, 1.0)]
    return max(total for total, _ in results), min(coefficient for _, coefficient in results)


@bank.add(
    "clip-root-forgotten-and-nonfinite-unnoticed",
    pair=True,
    fails=(NORM, ALIKE, NONFINITE),
    cause=(
        "The root is missing, and NaN or infinite gradients are not looked for.",
        "平方根をとっておらず、NaN や無限大も調べていません。",
    ),
    hint=(
        "What would your total_norm be for the gradients [3, 4], and for [nan, 4]?",
        "勾配が [3, 4] のときと [nan, 4] のとき、あなたの total_norm はそれぞれいくつになるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, max_norm, refuse=refuse_nothing, norm=lambda gradients: global_norm(gradients) ** 2)


@bank.add(
    "clip-limit-ignored-and-always-rescales",
    pair=True,
    fails=(ALIKE, COEF, SMALL),
    cause=("Gradients are always brought to norm 1.", "どんなときも、ノルムを 1 に合わせています。"),
    hint=(
        "What happens to a gradient of norm 0.1, and what with max_norm=5?",
        "ノルムが 0.1 のときや max_norm=5 のとき、勾配はどうなるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(layers, 1.0, too_long=lambda total, limit: total > 0)


@bank.add(
    "clip-rebound-and-norm-after-clipping",
    pair=True,
    fails=(NORM, ALIKE),
    cause=(
        "Scaled copies are not put back, and the norm of the copies is returned.",
        "縮めた配列を layer.grads に戻さず、その配列のノルムを返しています。",
    ),
    hint=(
        "Does the norm that you return belong to the gradients in layer.grads?",
        "返しているノルムは、layer.grads に入っている勾配のものでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    total, coefficient = clip(layers, max_norm, scale=lambda gradients, c: None)
    return total * coefficient, coefficient


@bank.add(
    "clip-sum-of-norms-of-weights-and-biases",
    pair=True,
    fails=(NORM, ALIKE),
    cause=(
        'The norms of "W" and "b" are added up, and other names are left out.',
        '"W" と "b" のノルムをそのまま足し、ほかの名前は見ていません。',
    ),
    hint=(
        "Which arrays did you visit, and how do lengths at right angles add up?",
        "どの配列を見たでしょうか、また、直交する 2 つの長さはどのように合わさるでしょうか？",
    ),
)
def _(layers, max_norm=1.0):
    return clip(
        layers, max_norm, gather=only("W", "b"), norm=lambda gradients: float(sum(map(np.linalg.norm, gradients)))
    )
