"""Known mistakes in `gradient_slope`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.misconceptions import Bank

bank = Bank("gradient_profile", "gradient_slope")

DEPENDS, LINE, SCATTER, ZEROS, NONFINITE, INPUT = (
    f"gradient_profile.{check}"
    for check in ("depends_on_norms", "line", "scatter", "zeros", "nonfinite", "input_stays")
)
TINY = np.finfo(float).tiny


def refuse_nonfinite(norms: np.ndarray) -> None:
    if not np.isfinite(norms).all():
        raise ValueError("a norm is not finite")


def refuse_nothing(norms: np.ndarray) -> None:
    """For mistakes about NaN and infinity."""


def zeros_as(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """A `positive` that puts `value` in the place of zeros."""
    return lambda norms: np.where(norms == 0, value, norms)


ZEROS_AS_TINY = zeros_as(TINY)


def least_squares(decades: np.ndarray) -> float:
    # Not np.polyfit, which on some machines raises for NaN.
    centred = np.arange(len(decades)) - (len(decades) - 1) / 2
    return float(centred @ decades / (centred @ centred))


def slope(
    delta_norms: Any,
    *,
    refuse: Callable = refuse_nonfinite,
    positive: Callable = ZEROS_AS_TINY,
    log: Callable = np.log10,
    fit: Callable = least_squares,
) -> Any:
    """The reference, in steps that can be replaced."""
    norms = np.array(delta_norms, dtype=float)
    refuse(norms)
    return fit(log(positive(norms)))


# --- the logarithm ---------------------------------------------------------------------------------------------------


@bank.add(
    "slope-natural-logarithm",
    fails=(LINE, SCATTER, ZEROS),
    cause=("The natural logarithm is used.", "自然対数を使っています。"),
    hint=(
        "How many decades lie between 0.001 and 0.01, and what does your logarithm say?",
        "0.001 と 0.01 は何桁離れていて、あなたの対数では差がいくつになるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, log=np.log)


@bank.add(
    "slope-binary-logarithm",
    fails=(LINE, SCATTER, ZEROS),
    cause=("The logarithm to base 2 is used.", "底が 2 の対数を使っています。"),
    hint=("To which base does one count decades?", "桁を数えるときの対数の底は、いくつでしょうか？"),
)
def _(delta_norms):
    return slope(delta_norms, log=np.log2)


@bank.add(
    "slope-without-logarithm",
    fails=(LINE, SCATTER),
    cause=("The line is fitted to the norms themselves.", "ノルムの値そのものに直線を当てはめています。"),
    hint=(
        "Norms that shrink by the same factor from layer to layer: on which axis do they form a line?",
        "層ごとに同じ倍率で小さくなるノルムは、どんな目盛りのグラフで直線になるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, log=np.array)


@bank.add(
    "slope-logarithm-twice",
    fails=(LINE, SCATTER),
    cause=("The logarithm is taken of the absolute logarithm once more.", "対数の絶対値の、さらに対数をとっています。"),
    hint=("How often do you take the logarithm?", "対数を何回とっているでしょうか？"),
)
def _(delta_norms):
    return slope(delta_norms, log=lambda norms: np.log10(np.abs(np.log10(norms))))


# --- the line --------------------------------------------------------------------------------------------------------


@bank.add(
    "slope-two-ends",
    fails=(SCATTER,),
    cause=(
        "Only the first and the last layer decide (as they do when all steps are averaged).",
        "最初と最後の層だけで傾きが決まっています（隣り合う層の差の平均でも、同じことになります）。",
    ),
    hint=(
        "Does your answer change when a layer in the middle changes?",
        "途中の層のノルムを変えると、あなたの答えは変わるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: (y[-1] - y[0]) / (len(y) - 1))


@bank.add(
    "slope-median-of-steps",
    fails=(SCATTER,),
    cause=("The median step from layer to layer is returned.", "隣り合う層の差の中央値を返しています。"),
    hint=(
        "Which quantity does least squares make as small as possible?",
        "最小二乗法は、何をできるだけ小さくする方法でしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.median(np.diff(y))))


@bank.add(
    "slope-mean-ratio",
    fails=(SCATTER,),
    cause=(
        "The logarithm is taken of the mean ratio of neighbours.",
        "隣り合うノルムの比を平均してから、対数をとっています。",
    ),
    hint=(
        "Is the logarithm of a mean the mean of the logarithms?",
        "平均の対数は、対数の平均と同じでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, log=np.array, fit=lambda norms: float(np.log10(np.mean(norms[1:] / norms[:-1]))))


@bank.add(
    "slope-per-number-of-layers",
    fails=(LINE,),
    cause=("The total change is divided by the number of layers.", "全体の変化を層の数で割っています。"),
    hint=(
        "How many steps are there between 5 layers?",
        "5 つの層の間には、間隔がいくつあるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: (y[-1] - y[0]) / len(y))


@bank.add(
    "slope-total-decades",
    fails=(LINE, SCATTER),
    cause=(
        "The change over all layers is returned, not that per layer.",
        "1 層あたりではなく、全体での変化を返しています。",
    ),
    hint=(
        "Should a network of twice as many layers have twice the slope?",
        "層の数が 2 倍になると、傾きも 2 倍になるべきでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y) * (len(y) - 1))


@bank.add(
    "slope-output-side-first",
    fails=(LINE, SCATTER, ZEROS),
    cause=("Layers are counted from the output side.", "層を出力側から数えています。"),
    hint=(
        "Which sign should a gradient have that is smaller on the input side?",
        "入力側ほど勾配が小さいとき、傾きの符号はどちらになるはずでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y[::-1]))


@bank.add(
    "slope-without-sign",
    fails=(LINE,),
    cause=("The sign of the slope is dropped.", "傾きの符号を捨てています。"),
    hint=(
        "How do vanishing and exploding differ in your answer?",
        "あなたの答えでは、消失と爆発をどう見分けられるでしょうか？",
    ),
)
def _(delta_norms):
    return abs(slope(delta_norms))


@bank.add(
    "slope-norms-sorted",
    fails=(LINE, SCATTER),
    cause=("Norms are sorted before the fit.", "当てはめの前に、ノルムを並べ替えています。"),
    hint=(
        "Which layer does a norm belong to after sorting?",
        "並べ替えた後、それぞれのノルムはどの層のものになるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(np.sort(y)))


@bank.add(
    "slope-is-the-intercept",
    fails=(LINE, SCATTER, ZEROS),
    cause=("The intercept of the line is returned.", "直線の傾きではなく、切片を返しています。"),
    hint=(
        "In which order does np.polyfit return the coefficients?",
        "np.polyfit は、係数をどの順番で返すでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 1)[1]))


@bank.add(
    "slope-both-coefficients",
    fails=(DEPENDS, LINE, SCATTER),
    cause=("Slope and intercept are returned together.", "傾きと切片を一緒に返しています。"),
    hint=("How many numbers should come back?", "戻り値は、数いくつでしょうか？"),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: np.polyfit(np.arange(len(y)), y, 1))


@bank.add(
    "slope-through-the-origin",
    fails=(LINE, SCATTER),
    cause=("The line is forced through the origin.", "直線が原点を通るものと決めています。"),
    hint=(
        "Must log10 of the first norm be 0?",
        "最初の層の log10 は、必ず 0 になるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.arange(len(y)) @ y / sum(i**2 for i in range(len(y)))))


@bank.add(
    "slope-axes-swapped",
    fails=(SCATTER,),
    cause=(
        "The layer number is fitted to the logarithm.",
        "対数に対して、層番号を当てはめています（x と y が逆です）。",
    ),
    hint=(
        "Which of the two quantities stands on the x axis?",
        "横軸にあるのは、2 つの量のうちどちらでしょうか？",
    ),
)
def _(delta_norms):
    def fit(y):
        x = np.arange(len(y))
        return float(np.polyfit(y, x, 1)[0]) if np.ptp(y) else 0.0

    return slope(delta_norms, fit=fit)


@bank.add(
    "slope-is-the-correlation",
    fails=(LINE, SCATTER),
    cause=("The correlation coefficient is returned.", "傾きではなく、相関係数を返しています。"),
    hint=(
        "Can your answer ever be 2?",
        "あなたの答えが 2 になることはあるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.corrcoef(np.arange(len(y)), y)[0, 1]) if np.ptp(y) else 0.0)


@bank.add(
    "slope-covariance-and-variance-differ",
    fails=(LINE, SCATTER),
    cause=(
        "np.cov divides by N - 1, but np.var, which it is divided by, by N.",
        "np.cov は N - 1 で、np.var は N で割っているため、そろっていません。",
    ),
    hint=(
        "Which denominators do np.cov and np.var use by default?",
        "np.cov と np.var は、それぞれ何で割るのが既定でしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.cov(np.arange(len(y)), y)[0, 1] / np.var(np.arange(len(y)))))


@bank.add(
    "slope-divided-by-deviation",
    fails=(LINE, SCATTER),
    cause=("The covariance is divided by the standard deviation.", "共分散を標準偏差で割っています。"),
    hint=(
        "Would your slope halve if the layers were numbered 0, 2, 4, ...?",
        "層番号を 0, 2, 4, ... と付けると、あなたの傾きは半分になるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(
        delta_norms, fit=lambda y: float(np.cov(np.arange(len(y)), y, ddof=0)[0, 1] / np.std(np.arange(len(y))))
    )


@bank.add(
    "slope-weighted-by-norm",
    fails=(SCATTER,),
    cause=("Large norms weigh more in the fit.", "大きいノルムほど重く扱って当てはめています。"),
    hint=(
        "Does every layer count equally in your line?",
        "あなたの直線では、どの層も同じ重さで扱われているでしょうか？",
    ),
)
def _(delta_norms):
    weights = np.abs(np.array(delta_norms, dtype=float)) + TINY
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 1, w=weights / weights.max())[0]))


@bank.add(
    "slope-of-a-parabola",
    fails=(LINE, SCATTER),
    cause=(
        "A parabola is fitted, and its first coefficient is returned.",
        "放物線を当てはめ、その最初の係数を返しています。",
    ),
    hint=(
        "What is the degree of a straight line?",
        "直線は、何次の多項式でしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: float(np.polyfit(np.arange(len(y)), y, 2)[0]))


@bank.add(
    "slope-last-layer-left-out",
    fails=(SCATTER,),
    cause=("The last layer is left out of the fit.", "最後の層を当てはめに入れていません。"),
    hint=(
        "How many points does your line go through, and how many layers are there?",
        "当てはめに使った点の数と、層の数は同じでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, fit=lambda y: least_squares(y[:-1] if len(y) > 2 else y))


@bank.add(
    "slope-rounded",
    fails=(LINE, SCATTER),
    cause=("The slope is rounded.", "傾きを丸めています。"),
    hint=(
        "Who should round: the calculation or the print?",
        "丸めるのは、計算と表示のどちらの役目でしょうか？",
    ),
)
def _(delta_norms):
    return round(slope(delta_norms), 1)


# --- zeros -----------------------------------------------------------------------------------------------------------


@bank.add(
    "slope-zeros-dropped",
    fails=(ZEROS,),
    cause=("Layers whose norm is zero are left out.", "ノルムが 0 の層を除いています。"),
    hint=(
        "Is a gradient of zero no sign of vanishing?",
        "勾配が 0 であることは、消失のしるしではないのでしょうか？",
    ),
)
def _(delta_norms):
    def fit(y):
        kept = np.isfinite(y)
        return float(np.polyfit(np.flatnonzero(kept), y[kept], 1)[0]) if kept.any() else 0.0

    return slope(delta_norms, positive=np.array, fit=fit)


@bank.add(
    "slope-zeros-dropped-and-renumbered",
    fails=(ZEROS,),
    cause=(
        "Layers whose norm is zero are left out, and the others move up.",
        "ノルムが 0 の層を除き、残りの層を詰めて番号を付けています。",
    ),
    hint=(
        "Which number does the layer behind a zero have in your fit?",
        "ノルムが 0 の層の次の層は、あなたの当てはめで何番になっているでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=lambda norms: norms[norms > 0] if norms.any() else norms + 1)


@bank.add(
    "slope-zeros-not-treated",
    fails=(ZEROS,),
    cause=("The logarithm of zero is taken.", "0 の対数をそのままとっています。"),
    hint=("What is np.log10(0.0)?", "np.log10(0.0) は何になるでしょうか？"),
)
def _(delta_norms):
    return slope(delta_norms, positive=np.array)


@bank.add(
    "slope-zeros-as-epsilon",
    fails=(ZEROS,),
    cause=("Zeros count as np.finfo(float).eps.", "0 を np.finfo(float).eps として数えています。"),
    hint=(
        "What do the names eps and tiny mean in np.finfo?",
        "np.finfo の eps と tiny は、それぞれ何を表しているでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).eps))


@bank.add(
    "slope-zeros-as-small-constant",
    fails=(ZEROS,),
    cause=("1e-12 is added to every norm.", "すべてのノルムに 1e-12 を足しています。"),
    hint=(
        "Which number does the specification put in the place of zero?",
        "仕様では、0 の代わりにどんな数を使うことになっているでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=lambda norms: norms + 1e-12)


@bank.add(
    "slope-zeros-as-subnormal",
    fails=(ZEROS,),
    cause=("Zeros count as the smallest subnormal number.", "0 を、最小の非正規化数として数えています。"),
    hint=(
        "Which of the two limits is meant: smallest_normal or smallest_subnormal?",
        "求められているのは、smallest_normal と smallest_subnormal のどちらでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).smallest_subnormal))


@bank.add(
    "slope-zeros-as-single-precision-tiny",
    fails=(ZEROS,),
    cause=("Zeros count as the smallest number of float32.", "0 を、float32 の最小の数として数えています。"),
    hint=(
        "Which float type are the norms?",
        "ノルムは、どの浮動小数点型でしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(float(np.finfo(np.float32).tiny)))


@bank.add(
    "slope-zeros-become-zero-decades",
    fails=(ZEROS,),
    cause=("The logarithm of zero is replaced by 0.", "0 の対数を 0 に置き換えています。"),
    hint=(
        "Which norm has the logarithm 0?",
        "対数が 0 になるのは、ノルムがいくつのときでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(1.0))


@bank.add(
    "slope-zeros-refused",
    fails=(ZEROS,),
    cause=("A norm of zero raises an exception.", "ノルムが 0 のとき、例外を送出しています。"),
    hint=(
        "Which norms are to be refused, and is zero one of them?",
        "例外を送出するのはどんなノルムのときで、0 はその中に含まれるでしょうか？",
    ),
)
def _(delta_norms):
    def refuse(norms):
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise ValueError("not positive")

    return slope(delta_norms, refuse=refuse)


# --- NaN and infinity ------------------------------------------------------------------------------------------------


@bank.add(
    "slope-nonfinite-unnoticed",
    fails=(NONFINITE,),
    cause=("NaN and infinite norms are not looked for.", "NaN や無限大のノルムを調べていません。"),
    hint=(
        "What comes back when one norm is NaN?",
        "ノルムが 1 つだけ NaN のとき、何が返ってくるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, refuse=refuse_nothing)


@bank.add(
    "slope-infinity-unnoticed",
    fails=(NONFINITE,),
    cause=("Only NaN is looked for, not infinity.", "NaN だけを調べ、無限大を調べていません。"),
    hint=("What does np.isnan(np.inf) give?", "np.isnan(np.inf) は何を返すでしょうか？"),
)
def _(delta_norms):
    def refuse(norms):
        if np.isnan(norms).any():
            raise ValueError("NaN")

    return slope(delta_norms, refuse=refuse)


@bank.add(
    "slope-nan-unnoticed",
    fails=(NONFINITE,),
    cause=("Only infinity is looked for, not NaN.", "無限大だけを調べ、NaN を調べていません。"),
    hint=("What does np.isinf(np.nan) give?", "np.isinf(np.nan) は何を返すでしょうか？"),
)
def _(delta_norms):
    def refuse(norms):
        if np.isinf(norms).any():
            raise ValueError("infinite")

    return slope(delta_norms, refuse=refuse)


@bank.add(
    "slope-nonfinite-left-out",
    fails=(NONFINITE,),
    cause=("Norms that are not finite are left out of the fit.", "有限でないノルムを除いて当てはめています。"),
    hint=(
        "Who learns that a gradient was NaN?",
        "勾配が NaN だったことに、誰が気づけるでしょうか？",
    ),
)
def _(delta_norms):
    return slope([norm for norm in delta_norms if np.isfinite(norm)])


@bank.add(
    "slope-nonfinite-made-finite",
    fails=(NONFINITE,),
    cause=("NaN and infinity are replaced by finite numbers.", "NaN や無限大を、有限の数に置き換えています。"),
    hint=(
        "What does np.nan_to_num hide?",
        "np.nan_to_num は、何を隠してしまうでしょうか？",
    ),
)
def _(delta_norms):
    return slope(np.nan_to_num(delta_norms))


@bank.add(
    "slope-nonfinite-gives-nan",
    fails=(NONFINITE,),
    cause=("NaN is returned instead of an exception raised.", "例外を送出せず、NaN を返しています。"),
    hint=(
        "Does a program stop when it gets a NaN?",
        "NaN を受け取ったプログラムは、そこで止まるでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms) if np.isfinite(delta_norms).all() else float("nan")


@bank.add(
    "slope-nonfinite-asserted",
    fails=(NONFINITE,),
    cause=("An assert is used, which raises AssertionError.", "assert を使っているため、AssertionError になります。"),
    hint=(
        "Which exception does the specification name?",
        "仕様では、どの例外を送出することになっているでしょうか？",
    ),
)
def _(delta_norms):
    def refuse(norms):
        assert np.isfinite(norms).all()

    return slope(delta_norms, refuse=refuse)


# --- the caller's norms ----------------------------------------------------------------------------------------------


@bank.add(
    "slope-zeros-replaced-in-place",
    fails=(INPUT,),
    cause=("Zeros are replaced in the caller's array.", "呼び出し側の配列の 0 を、直接書き換えています。"),
    hint=(
        "Does np.asarray make a copy of an array?",
        "np.asarray に配列を渡すと、コピーは作られるでしょうか？",
    ),
)
def _(delta_norms):
    norms = np.asarray(delta_norms, dtype=float)
    refuse_nonfinite(norms)
    norms[norms == 0] = TINY
    return slope(norms)


@bank.add(
    "slope-logarithms-in-place",
    fails=(INPUT,),
    cause=("The caller's norms are overwritten by their logarithms.", "呼び出し側のノルムを、対数で上書きしています。"),
    hint=(
        "What do the norms look like to the caller after your function?",
        "関数を呼んだ後、呼び出し側のノルムはどうなっているでしょうか？",
    ),
)
def _(delta_norms):
    result = slope(delta_norms)
    for i, norm in enumerate(delta_norms):
        delta_norms[i] = np.log10(norm or TINY)
    return result


@bank.add(
    "slope-caller-reversed",
    fails=(INPUT,),
    cause=("The caller's norms are turned round.", "呼び出し側のノルムの順番を、逆にしてしまっています。"),
    hint=(
        "Does list.reverse() make a new list?",
        "list.reverse() は、新しいリストを作るでしょうか？",
    ),
)
def _(delta_norms):
    result = slope(delta_norms)
    delta_norms[:] = list(delta_norms[::-1])
    return result


@bank.add(
    "slope-list-taken-for-array",
    fails=(LINE, SCATTER, ZEROS),
    cause=("A list is treated like an array.", "リストを NumPy の配列のように扱っています。"),
    hint=(
        "What is [1.0, 0.0] == 0 for a list?",
        "リストのとき、[1.0, 0.0] == 0 は何になるでしょうか？",
    ),
)
def _(delta_norms):
    norms = delta_norms.copy()
    if not np.isfinite(norms).all():
        raise ValueError("not finite")
    norms[norms == 0] = TINY
    return slope(norms)


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add(
    "slope-natural-logarithm-and-zeros-dropped",
    pair=True,
    fails=(LINE, SCATTER, ZEROS),
    cause=(
        "The natural logarithm is used, and zeros are left out.",
        "自然対数を使い、しかも 0 の層を除いています。",
    ),
    hint=(
        "Which unit does your slope have, and which layers does it rest on?",
        "あなたの傾きの単位は何で、どの層を使って計算しているでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, log=np.log, positive=lambda norms: norms[norms > 0] if norms.any() else norms + 1)


@bank.add(
    "slope-two-ends-and-nonfinite-unnoticed",
    pair=True,
    fails=(SCATTER, NONFINITE),
    cause=(
        "Only the two ends decide, and NaN or infinity is not looked for.",
        "両端の層だけで傾きを決め、しかも NaN や無限大を調べていません。",
    ),
    hint=(
        "What would your function say about the norms [1, nan, 1]?",
        "ノルムが [1, nan, 1] のとき、あなたの関数は何を返すでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, refuse=refuse_nothing, fit=lambda y: (y[-1] - y[0]) / (len(y) - 1))


@bank.add(
    "slope-output-side-first-and-epsilon",
    pair=True,
    fails=(LINE, SCATTER, ZEROS),
    cause=(
        "Layers are counted from the output side, and zeros count as eps.",
        "層を出力側から数え、しかも 0 を eps として数えています。",
    ),
    hint=(
        "What does your function say about the norms [0, 1], and what should it say?",
        "ノルムが [0, 1] のとき、あなたの関数の答えはどうなり、正しい答えの符号はどちらでしょうか？",
    ),
)
def _(delta_norms):
    return slope(delta_norms, positive=zeros_as(np.finfo(float).eps), fit=lambda y: least_squares(y[::-1]))
