"""Known mistakes in BatchNorm's forward, backward and inference, each one step of `Staged` done wrong."""

from __future__ import annotations

import numpy as np

from autograder.layers import Layer
from reference.misconceptions import Bank

bank = Bank("batch_norm", "BatchNorm")

STANDARDISES = "batch_norm_forward.standardises"
AFFINE = "batch_norm_forward.gamma_and_beta"
SMALL_SPREAD = "batch_norm_forward.small_spread"
CONSTANT = "batch_norm_forward.constant_columns"
INPUT_STAYS = "batch_norm_forward.input_stays"
DBETA = "batch_norm_backward.dbeta"
DGAMMA = "batch_norm_backward.dgamma"
DX = "batch_norm_backward.dx"
OWN_FORWARD = "batch_norm_backward.own_forward"
REPEATABLE = "batch_norm_backward.repeatable"
RUNNING = "batch_norm_inference.running_statistics"
PREDICTION = "batch_norm_inference.prediction"
SINGLE_ROW = "batch_norm_inference.single_row"
LEARNS_NOTHING = "batch_norm_inference.prediction_learns_nothing"
PREDICTION_BACKWARD = "batch_norm_inference.backward_of_prediction"


class Staged(Layer):
    """The reference with one method for each step, so that a mistake is the step it is made in.

    A forward leaves what backward needs in attributes; `trained` is the mode it ran in.
    """

    def __init__(self, n_features, eps=1e-5, momentum=0.9):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.params.update(gamma=np.ones(n_features), beta=np.zeros(n_features))
        self.grads.update(gamma=None, beta=None)
        self.running_mean = np.zeros(n_features)
        self.running_var = np.ones(n_features)

    def forward(self, x):
        self.x, self.trained = x, self.is_training()
        self.gamma, self.beta = self.params["gamma"], self.params["beta"]
        if self.trained:
            self.mean = self.mean_of(x)
            self.var = self.var_of(x)
            self.std = self.std_of(self.var)
            self.update_running()
        else:
            self.mean, self.var = self.running_statistics()
            self.std = self.running_std()
        self.x_hat = self.normalise(x)
        return self.affine() if self.trained else self.predict()

    def is_training(self):
        return self.training

    def mean_of(self, x):
        return x.mean(axis=0)

    def var_of(self, x):
        return x.var(axis=0)

    def std_of(self, var):
        return np.sqrt(var + self.eps)

    def normalise(self, x):
        return (x - self.mean) / self.std

    def affine(self):
        return self.gamma * self.x_hat + self.beta

    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.var)

    def blend(self, running, batch):
        return self.momentum * running + (1 - self.momentum) * batch

    def running_statistics(self):
        return self.running_mean, self.running_var

    def running_std(self):
        return self.std_of(self.var)

    def predict(self):
        return self.affine()

    def backward(self, dout):
        self.grads["gamma"], self.grads["beta"] = self.dgamma(dout), self.dbeta(dout)
        return self.dx(dout) if self.trained else self.dx_of_prediction(dout)

    def dgamma(self, dout):
        return (dout * self.x_hat).sum(axis=0)

    def dbeta(self, dout):
        return dout.sum(axis=0)

    def dx(self, dout):
        dx_hat = self.dx_hat(dout)
        return (dx_hat - self.mean_path(dx_hat) - self.variance_path(dx_hat)) / self.backward_std()

    def dx_hat(self, dout):
        return dout * self.gamma

    def mean_path(self, dx_hat):
        return dx_hat.mean(axis=0)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).mean(axis=0)

    def backward_std(self):
        return self.std

    def dx_of_prediction(self, dout):
        return dout * self.gamma / self.std


# --- forward: statistics ----------------------------------------------------------------------------------------------


@bank.add(
    "variance-divided-by-n-minus-1",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("The variance is divided by N - 1.", "分散を N - 1 で割っています。"),
    hint=(
        "Which denominator does the exercise ask for, that of the batch's own variance or that of an estimate?",
        "仕様の分散は、バッチそのものの分散でしょうか、それとも母集団の分散の推定でしょうか？",
    ),
)
class UnbiasedVariance(Staged):
    def var_of(self, x):
        return x.var(axis=0, ddof=1)


@bank.add(
    "variance-divided-by-n-minus-1-throughout",
    fails=(STANDARDISES, DX, RUNNING),
    cause=(
        "The variance is divided by N - 1, in forward and in backward alike.",
        "順伝播でも逆伝播でも、分散を N - 1 で割っています。",
    ),
    hint=(
        "Your backward fits your forward; does the output's own variance come out as 1?",
        "逆伝播は順伝播と合っています。では、出力そのものの分散は 1 になっていますか？",
    ),
)
class UnbiasedThroughout(UnbiasedVariance):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * len(dx_hat) / (len(dx_hat) - 1)


@bank.add(
    "variance-not-divided",
    fails=(STANDARDISES, SMALL_SPREAD, RUNNING),
    cause=(
        "The squares are summed for the variance, but not divided by N.",
        "分散を求めるとき、2 乗を足しただけで N で割っていません。",
    ),
    hint=(
        "If every example appeared twice in the batch, should the output change?",
        "どの例もバッチに 2 回ずつ入れたら、出力は変わるべきでしょうか？",
    ),
)
class SummedVariance(Staged):
    def var_of(self, x):
        return np.square(x - self.mean_of(x)).sum(axis=0)


@bank.add(
    "variance-divided-by-d",
    fails=(STANDARDISES, SMALL_SPREAD, RUNNING),
    cause=("The variance is divided by the number of features.", "分散を特徴の数 D で割っています。"),
    hint=(
        "How many numbers did you add up for one column's variance?",
        "1 つの列の分散のために、いくつの数を足しましたか？",
    ),
)
class VarianceOverD(Staged):
    def var_of(self, x):
        return np.square(x - self.mean_of(x)).sum(axis=0) / x.shape[1]


@bank.add(
    "mean-divided-by-d",
    fails=(STANDARDISES, SMALL_SPREAD, RUNNING),
    cause=("The mean is divided by the number of features.", "平均を特徴の数 D で割っています。"),
    hint=(
        "How many numbers did you add up for one column's mean?",
        "1 つの列の平均のために、いくつの数を足しましたか？",
    ),
)
class MeanOverD(Staged):
    def mean_of(self, x):
        return x.sum(axis=0) / x.shape[1]


@bank.add(
    "batch-size-of-first-forward",
    fails=(AFFINE, REPEATABLE, RUNNING),
    cause=(
        "The batch size of the first forward is kept and used for later batches.",
        "最初の forward のバッチの大きさを覚えて、次からも使っています。",
    ),
    hint=("What if the next batch has a different number of rows?", "次のバッチの行数が違ったら、どうなりますか？"),
)
class FirstBatchSize(Staged):
    def mean_of(self, x):
        self.n = getattr(self, "n", len(x))
        return x.sum(axis=0) / self.n

    def var_of(self, x):
        return np.square(x - self.mean).sum(axis=0) / self.n


@bank.add(
    "statistics-per-example",
    fails=(STANDARDISES, DX, RUNNING),
    cause=(
        "Mean and variance are taken along each row, not down each column.",
        "平均と分散を、列ごとではなく行ごとに求めています。",
    ),
    hint=(
        "Does a statistic here belong to a feature or to an example?",
        "ここでの統計量は、特徴のものでしょうか、例のものでしょうか？",
    ),
)
class PerExample(Staged):
    def mean_of(self, x):
        return x.mean(axis=1, keepdims=True)

    def var_of(self, x):
        return x.var(axis=1, keepdims=True)


@bank.add(
    "one-mean-for-all-columns",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("One mean is taken over the whole array.", "配列全体で 1 つの平均を求めています。"),
    hint=("How many means do D features have?", "特徴が D 個あるとき、平均はいくつ必要ですか？"),
)
class OneMean(Staged):
    def mean_of(self, x):
        return x.mean()


@bank.add(
    "one-variance-for-all-columns",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("One variance is taken over the whole array.", "配列全体で 1 つの分散を求めています。"),
    hint=("How many variances do D features have?", "特徴が D 個あるとき、分散はいくつ必要ですか？"),
)
class OneVariance(Staged):
    def var_of(self, x):
        return x.var()


@bank.add(
    "mean-square-for-variance",
    fails=(STANDARDISES, DX, RUNNING),
    cause=(
        "The mean square is used as the variance, without taking the mean off first.",
        "平均を引かずに、2 乗の平均を分散としています。",
    ),
    hint=(
        "If you add 100 to a column, should its variance change?",
        "列のすべての値に 100 を足したら、分散は変わるべきでしょうか？",
    ),
)
class MeanSquare(Staged):
    def var_of(self, x):
        return np.square(x).mean(axis=0)


@bank.add(
    "mean-absolute-deviation",
    fails=(STANDARDISES, SMALL_SPREAD, RUNNING),
    cause=(
        "The mean absolute deviation stands in for the standard deviation.",
        "標準偏差の代わりに、偏差の絶対値の平均を使っています。",
    ),
    hint=("In which order come squaring, averaging and the root?", "2 乗、平均、平方根は、どの順番に計算しますか？"),
)
class AbsoluteDeviation(Staged):
    def var_of(self, x):
        return np.abs(x - self.mean).mean(axis=0) ** 2


@bank.add(
    "median-for-mean",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("The median is subtracted in place of the mean.", "平均ではなく中央値を引いています。"),
    hint=(
        "Which middle makes a column of the output sum to zero?",
        "どの「真ん中」を引けば、出力の列の合計が 0 になりますか？",
    ),
)
class Median(Staged):
    def mean_of(self, x):
        return np.median(x, axis=0)


@bank.add(
    "last-row-left-out",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("The statistics leave out the last row of the batch.", "統計量の計算で、バッチの最後の行が抜けています。"),
    hint=("Which rows does your loop or slice reach?", "ループやスライスは、どの行まで届いていますか？"),
)
class LastRowLeftOut(Staged):
    def mean_of(self, x):
        return x[:-1].mean(axis=0)

    def var_of(self, x):
        return x[:-1].var(axis=0)


@bank.add(
    "running-statistics-in-training",
    fails=(STANDARDISES, AFFINE, DX),
    cause=(
        "The training forward normalises with the running statistics.",
        "訓練時の順伝播で、移動統計量を使って正規化しています。",
    ),
    hint=(
        "Which statistics make this very batch come out with mean 0?",
        "いまのバッチの平均が 0 になるのは、どの統計量を使ったときですか？",
    ),
)
class RunningInTraining(Staged):
    def update_running(self):
        super().update_running()
        self.mean, self.var = self.running_statistics()
        self.std = self.running_std()


@bank.add(
    "variance-around-running-mean",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("The variance is taken around the running mean.", "分散を、移動平均のまわりで求めています。"),
    hint=(
        "Around which middle is this batch's variance measured?",
        "いまのバッチの分散は、どの値のまわりで測るものですか？",
    ),
)
class VarianceAroundRunningMean(Staged):
    def var_of(self, x):
        return np.square(x - self.running_mean).mean(axis=0)


@bank.add(
    "training-flag-inverted",
    fails=(STANDARDISES, DX, RUNNING),
    cause=("Training and prediction are the wrong way round.", "訓練時と推論時の処理が逆になっています。"),
    hint=("Which branch runs while `training` is True?", "`training` が True のとき、どちらの枝が実行されますか？"),
)
class InvertedFlag(Staged):
    def is_training(self):
        return not self.training


# --- forward: eps -----------------------------------------------------------------------------------------------------


@bank.add(
    "eps-forgotten",
    fails=(SMALL_SPREAD, CONSTANT, DX),
    cause=("eps is left out.", "eps が入っていません。"),
    hint=(
        "What does your output become when a feature never varies?",
        "値がまったく変わらない列では、出力はどうなりますか？",
    ),
)
class NoEps(Staged):
    def std_of(self, var):
        return np.sqrt(var)


@bank.add(
    "eps-outside-root",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=("eps is added to the standard deviation, outside the root.", "eps を根号の外で、標準偏差に足しています。"),
    hint=("What exactly stands under the root in the formula?", "式の根号の中には、何が入っていますか？"),
)
class EpsOutside(Staged):
    def std_of(self, var):
        return np.sqrt(var) + self.eps


@bank.add(
    "root-of-eps-added",
    fails=(STANDARDISES, SMALL_SPREAD, DX),
    cause=(
        "The roots of the variance and of eps are taken one by one and added.",
        "分散と eps の平方根を別々に取ってから足しています。",
    ),
    hint=("Is the root of a sum the sum of the roots?", "和の平方根は、平方根の和と同じでしょうか？"),
)
class RootOfEps(Staged):
    def std_of(self, var):
        return np.sqrt(var) + np.sqrt(self.eps)


@bank.add(
    "eps-squared",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=("eps is squared before it is added.", "eps を 2 乗してから足しています。"),
    hint=(
        "In which units is eps, those of x or those of the variance?",
        "eps の単位は、x と同じでしょうか、分散と同じでしょうか？",
    ),
)
class EpsSquared(Staged):
    def std_of(self, var):
        return np.sqrt(var + self.eps**2)


@bank.add(
    "eps-as-lower-bound",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=(
        "eps bounds the variance from below, where it should always take part.",
        "eps を分散の下限として使っています。",
    ),
    hint=(
        "Does eps also take part in your code when the variance is larger than eps?",
        "分散が eps より大きいとき、あなたのコードの eps は計算に加わっていますか？",
    ),
)
class EpsAsBound(Staged):
    def std_of(self, var):
        return np.sqrt(np.maximum(var, self.eps))


@bank.add(
    "eps-only-for-zero-variance",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=("eps is used only where the variance is zero.", "分散が 0 の列だけで eps を使っています。"),
    hint=(
        "Is the formula another one for columns that vary a little?",
        "少しだけ値が変わる列では、式が別のものになるのでしょうか？",
    ),
)
class EpsOnlyForZero(Staged):
    def std_of(self, var):
        return np.sqrt(np.where(var == 0, self.eps, var))


@bank.add(
    "nan-replaced",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=(
        "eps is left out and the NaN of constant columns is replaced by 0.",
        "eps を使わず、値が一定の列で出る NaN を 0 に置きかえています。",
    ),
    hint=("Where does the NaN come from that you hide?", "隠している NaN は、どこから来たのでしょうか？"),
)
class NanReplaced(NoEps):
    def normalise(self, x):
        return np.nan_to_num(super().normalise(x), posinf=0, neginf=0)


@bank.add(
    "eps-fixed-1e-8",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=("eps is written into the code as 1e-8.", "eps をコードの中に 1e-8 と書いています。"),
    hint=(
        "Does another eps in the constructor change your output?",
        "コンストラクタで別の eps を渡すと、出力は変わりますか？",
    ),
)
class Eps1e8(Staged):
    def std_of(self, var):
        return np.sqrt(var + 1e-8)


@bank.add(
    "eps-fixed-10e-7",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=(
        "eps is written into the code as 10e-7, which is 1e-6.",
        "eps をコードの中に 10e-7（つまり 1e-6）と書いています。",
    ),
    hint=(
        "Where does your code read the eps that the layer was given?",
        "層に渡された eps を、コードのどこで読んでいますか？",
    ),
)
class Eps10e7(Staged):
    def std_of(self, var):
        return np.sqrt(var + 10e-7)


@bank.add(
    "eps-fixed-default",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=(
        "The default 1e-5 is written into the code where eps belongs.",
        "eps の場所に、既定値の 1e-5 を直接書いています。",
    ),
    hint=("What if somebody makes the layer with eps=0.01?", "だれかが eps=0.01 で層を作ったら、どうなりますか？"),
)
class EpsDefault(Staged):
    def std_of(self, var):
        return np.sqrt(var + 1e-5)


@bank.add(
    "eps-in-numerator",
    fails=(SMALL_SPREAD, PREDICTION),
    cause=("eps is added above the fraction bar too.", "eps を分子にも足しています。"),
    hint=("Which part of the fraction is in danger of being zero?", "分数のどの部分が 0 になるおそれがありますか？"),
)
class EpsInNumerator(Staged):
    def normalise(self, x):
        return (x - self.mean + self.eps) / self.std


@bank.add(
    "eps-twice",
    fails=(SMALL_SPREAD, DX, PREDICTION),
    cause=("eps is added twice, under the root and after it.", "eps を、根号の中と外で 2 回足しています。"),
    hint=("How often does eps stand in the formula?", "式の中に eps は何回出てきますか？"),
)
class EpsTwice(Staged):
    def std_of(self, var):
        return np.sqrt(var + self.eps) + self.eps


# --- forward: normalising, gamma and beta -----------------------------------------------------------------------------


@bank.add(
    "divided-by-variance",
    fails=(STANDARDISES, SMALL_SPREAD, DX),
    cause=("x is divided by the variance; the root is missing.", "分散でそのまま割っていて、平方根がありません。"),
    hint=("If x is multiplied by 10, should the output change?", "x を 10 倍したら、出力は変わるべきでしょうか？"),
)
class DividedByVariance(Staged):
    def std_of(self, var):
        return var + self.eps


@bank.add(
    "root-taken-twice",
    fails=(STANDARDISES, SMALL_SPREAD, DX),
    cause=(
        "The root is taken of the standard deviation, which is a root already.",
        "すでに平方根である標準偏差の、もう一度平方根を取っています。",
    ),
    hint=(
        "What does np.std return, and what belongs under the root?",
        "np.std は何を返しますか。根号の中に入るのは何でしょうか？",
    ),
)
class RootTwice(Staged):
    def std_of(self, var):
        return np.sqrt(np.sqrt(var) + self.eps)


@bank.add(
    "not-centred",
    fails=(STANDARDISES, SMALL_SPREAD, DGAMMA),
    cause=(
        "x is divided by the standard deviation, but the mean is not subtracted.",
        "標準偏差で割っていますが、平均を引いていません。",
    ),
    hint=(
        "What is the mean of a column of your output while beta is 0?",
        "beta が 0 のとき、出力の列の平均はいくつですか？",
    ),
)
class NotCentred(Staged):
    def normalise(self, x):
        return x / self.std


@bank.add(
    "not-scaled",
    fails=(STANDARDISES, SMALL_SPREAD, DX),
    cause=(
        "The mean is subtracted, but x is not divided by the standard deviation.",
        "平均を引いていますが、標準偏差で割っていません。",
    ),
    hint=(
        "What is the spread of a column of your output while gamma is 1?",
        "gamma が 1 のとき、出力の列のばらつきはいくつですか？",
    ),
)
class NotScaled(Staged):
    def std_of(self, var):
        return np.ones_like(var)


@bank.add(
    "missing-brackets",
    fails=(STANDARDISES, SMALL_SPREAD, PREDICTION),
    cause=(
        "Brackets are missing: only the mean is divided by the standard deviation.",
        "かっこが足りず、平均だけが標準偏差で割られています。",
    ),
    hint=("Which operation does Python do first in your line?", "その行で、Python はどの演算を先に行いますか？"),
)
class MissingBrackets(Staged):
    def normalise(self, x):
        return x - self.mean / self.std


@bank.add(
    "min-max-scaling",
    fails=(STANDARDISES, SMALL_SPREAD, DGAMMA),
    cause=("Columns are scaled to their minimum and maximum.", "列を最小値と最大値で正規化しています。"),
    hint=("Which two numbers of a column does BatchNorm use?", "BatchNorm が使う、列の 2 つの数は何でしょうか？"),
)
class MinMax(Staged):
    def normalise(self, x):
        if not self.trained:
            return super().normalise(x)
        return (x - x.min(axis=0)) / (np.ptp(x, axis=0) + self.eps)


@bank.add(
    "gamma-and-beta-ignored",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=(
        "The normalised x is returned without gamma and beta.",
        "正規化した x を、gamma も beta も使わずに返しています。",
    ),
    hint=(
        "With gamma = 2 and beta = 5, what mean and spread should come out?",
        "gamma = 2、beta = 5 なら、出力の平均とばらつきはいくつになるはずですか？",
    ),
)
class NoAffine(Staged):
    def affine(self):
        return self.x_hat.copy()


@bank.add(
    "gamma-ignored",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=("gamma is not used in forward.", "順伝播で gamma を使っていません。"),
    hint=("What in your output changes when gamma doubles?", "gamma を 2 倍にすると、出力の何が変わりますか？"),
)
class GammaIgnored(Staged):
    def affine(self):
        return self.x_hat + self.beta


@bank.add(
    "beta-ignored",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=("beta is not used in forward.", "順伝播で beta を使っていません。"),
    hint=("What in your output changes when beta grows by 1?", "beta を 1 増やすと、出力の何が変わりますか？"),
)
class BetaIgnored(Staged):
    def affine(self):
        return self.gamma * self.x_hat


@bank.add(
    "gamma-and-beta-exchanged",
    fails=(STANDARDISES, AFFINE, PREDICTION),
    cause=("gamma and beta have changed places in forward.", "順伝播で gamma と beta が入れかわっています。"),
    hint=("Which of the two should move the mean alone?", "平均だけを動かすのは、どちらのパラメータですか？"),
)
class ExchangedParameters(Staged):
    def affine(self):
        return self.beta * self.x_hat + self.gamma


@bank.add(
    "beta-scaled-by-gamma",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=(
        "beta is added before gamma multiplies, so it is scaled too.",
        "gamma を掛ける前に beta を足しているので、beta まで拡大されています。",
    ),
    hint=(
        "If gamma changes, should the mean of the output move?",
        "gamma が変わると、出力の平均は動くべきでしょうか？",
    ),
)
class BetaScaled(Staged):
    def affine(self):
        return self.gamma * (self.x_hat + self.beta)


@bank.add(
    "beta-subtracted",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=("beta is subtracted.", "beta を引いています。"),
    hint=(
        "Into which direction should a positive beta move the output?",
        "beta が正のとき、出力はどちらへ動くはずですか？",
    ),
)
class BetaSubtracted(Staged):
    def affine(self):
        return self.gamma * self.x_hat - self.beta


@bank.add(
    "gamma-without-sign",
    fails=(AFFINE, SMALL_SPREAD, PREDICTION),
    cause=("The absolute value of gamma is used.", "gamma の絶対値を使っています。"),
    hint=("What should a negative gamma do to a column?", "gamma が負のとき、その列はどうなるべきでしょうか？"),
)
class AbsoluteGamma(Staged):
    def affine(self):
        return np.abs(self.gamma) * self.x_hat + self.beta


@bank.add(
    "gamma-averaged",
    fails=(AFFINE, SMALL_SPREAD, DX),
    cause=("The average of gamma is used for all columns.", "すべての列に、gamma の平均を使っています。"),
    hint=("How many numbers is gamma?", "gamma は、いくつの数でできていますか？"),
)
class AveragedGamma(Staged):
    def affine(self):
        self.gamma = self.gamma.mean()
        return super().affine()


@bank.add(
    "one-added-to-gamma",
    fails=(STANDARDISES, AFFINE, PREDICTION),
    cause=("gamma is treated as an offset from 1.", "gamma を「1 からの差」として扱っています。"),
    hint=(
        "Which value does gamma start with, and what does it do then?",
        "gamma の初期値はいくつで、そのとき何をしますか？",
    ),
)
class OneAddedToGamma(Staged):
    def affine(self):
        return (1 + self.gamma) * self.x_hat + self.beta


@bank.add(
    "parameters-of-init",
    fails=(AFFINE, DX, PREDICTION),
    cause=(
        "gamma and beta are kept in attributes once and not read from params again.",
        "gamma と beta を最初に属性に写したままで、params から読み直していません。",
    ),
    hint=(
        "Where does forward read gamma after an optimiser has put a new array there?",
        "オプティマイザが新しい配列を入れたあと、forward は gamma をどこから読みますか？",
    ),
)
class ParametersOfInit(Staged):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = self.params["gamma"], self.params["beta"]

    def normalise(self, x):
        self.gamma, self.beta = self.kept
        return super().normalise(x)


@bank.add(
    "x-changed-in-place",
    fails=(INPUT_STAYS,),
    cause=("The caller's x is changed in place.", "呼び出し側の x を、その場で書き換えています。"),
    hint=("Is x the same before and after your forward?", "forward の前とあとで、x は同じですか？"),
)
class XInPlace(Staged):
    def normalise(self, x):
        x -= self.mean
        x /= self.std
        return x


@bank.add(
    "forward-returns-pair",
    fails=(STANDARDISES, AFFINE, PREDICTION),
    cause=("forward returns a pair: the output and a cache.", "forward が、出力と cache の組を返しています。"),
    hint=("What does the next layer's forward receive?", "次の層の forward は、何を受け取りますか？"),
)
class ForwardReturnsPair(Staged):
    def forward(self, x):
        return super().forward(x), self.cache


@bank.add(
    "forward-returns-nothing",
    fails=(STANDARDISES, AFFINE, PREDICTION),
    cause=("forward computes, but returns nothing.", "forward は計算していますが、何も返していません。"),
    hint=(
        "What does Python hand back from a function that ends without a word?",
        "最後に何も書かない関数から、Python は何を返しますか？",
    ),
)
class ForwardReturnsNothing(Staged):
    def forward(self, x):
        super().forward(x)


@bank.add(
    "forward-returns-x",
    fails=(STANDARDISES, AFFINE, INPUT_STAYS),
    cause=("forward returns x itself.", "forward が x をそのまま返しています。"),
    hint=("Print the output beside x: what has changed?", "出力と x を並べて表示してみましょう。何が変わりましたか？"),
)
class ForwardReturnsX(Staged):
    def affine(self):
        return self.x


# --- backward: gamma and beta -----------------------------------------------------------------------------------------


@bank.add(
    "dbeta-averaged",
    fails=(DBETA, PREDICTION_BACKWARD),
    cause=("The gradient of beta is averaged over the batch.", "beta の勾配を、バッチで平均しています。"),
    hint=("Has the loss divided by N already?", "N で割る計算は、損失の中ですでに済んでいませんか？"),
)
class DbetaAveraged(Staged):
    def dbeta(self, dout):
        return dout.mean(axis=0)


@bank.add(
    "dgamma-averaged",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma is averaged over the batch.", "gamma の勾配を、バッチで平均しています。"),
    hint=("Has the loss divided by N already?", "N で割る計算は、損失の中ですでに済んでいませんか？"),
)
class DgammaAveraged(Staged):
    def dgamma(self, dout):
        return (dout * self.x_hat).mean(axis=0)


@bank.add(
    "dbeta-over-everything",
    fails=(DBETA, PREDICTION_BACKWARD),
    cause=("dout is summed over the whole array for beta.", "beta の勾配で、dout を配列全体で合計しています。"),
    hint=("What is the shape of beta?", "beta の形は何ですか？"),
)
class DbetaOverEverything(Staged):
    def dbeta(self, dout):
        return dout.sum()


@bank.add(
    "dgamma-over-everything",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma is summed over the whole array.", "gamma の勾配を、配列全体で合計しています。"),
    hint=("What is the shape of gamma?", "gamma の形は何ですか？"),
)
class DgammaOverEverything(Staged):
    def dgamma(self, dout):
        return np.sum(dout * self.x_hat)


@bank.add(
    "dbeta-along-rows",
    fails=(DBETA, PREDICTION_BACKWARD),
    cause=("dout is summed along the rows for beta.", "beta の勾配で、dout を行に沿って合計しています。"),
    hint=("Over which axis was beta spread out in forward?", "順伝播で、beta はどの軸に沿って広げられましたか？"),
)
class DbetaAlongRows(Staged):
    def dbeta(self, dout):
        return dout.sum(axis=1)


@bank.add(
    "dgamma-along-rows",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma is summed along the rows.", "gamma の勾配を、行に沿って合計しています。"),
    hint=("Over which axis was gamma spread out in forward?", "順伝播で、gamma はどの軸に沿って広げられましたか？"),
)
class DgammaAlongRows(Staged):
    def dgamma(self, dout):
        return (dout * self.x_hat).sum(axis=1)


@bank.add(
    "dgamma-without-eps",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=(
        "The gradient of gamma uses an x normalised without eps.",
        "gamma の勾配に、eps なしで正規化した x を使っています。",
    ),
    hint=("Is that normalised x the one that forward made?", "その正規化した x は、順伝播が作ったものと同じですか？"),
)
class DgammaWithoutEps(Staged):
    def dgamma(self, dout):
        return (dout * (self.x - self.mean) / np.sqrt(self.var)).sum(axis=0)


@bank.add(
    "parameter-gradients-not-summed",
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=(
        "The gradients of gamma and beta keep one row for every example.",
        "gamma と beta の勾配に、例ごとの行が残っています。",
    ),
    hint=("How many examples does one gamma act upon?", "1 つの gamma は、いくつの例に影響しますか？"),
)
class NotSummed(Staged):
    def dgamma(self, dout):
        return dout * self.x_hat

    def dbeta(self, dout):
        return dout.copy()


@bank.add(
    "parameter-gradients-keep-dimension",
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=("The gradients of gamma and beta have shape (1, D).", "gamma と beta の勾配の形が (1, D) になっています。"),
    hint=("Do a parameter and its gradient have the same shape?", "パラメータとその勾配は、同じ形をしていますか？"),
)
class KeptDimension(Staged):
    def dgamma(self, dout):
        return super().dgamma(dout)[np.newaxis]

    def dbeta(self, dout):
        return super().dbeta(dout)[np.newaxis]


@bank.add(
    "parameter-gradients-exchanged",
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=("The gradients of gamma and beta have changed places.", "gamma の勾配と beta の勾配が入れかわっています。"),
    hint=(
        "Which of the two parameters met the normalised x in forward?",
        "順伝播で、正規化された x と出会ったのはどちらのパラメータですか？",
    ),
)
class ExchangedGradients(Staged):
    def dgamma(self, dout):
        return super().dbeta(dout)

    def dbeta(self, dout):
        return super().dgamma(dout)


@bank.add(
    "one-array-for-both-gradients",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=(
        "One array serves as both gradients, so the later one overwrites the earlier.",
        "2 つの勾配が同じ配列を指していて、あとの値が前の値を上書きしています。",
    ),
    hint=("How many arrays do the two names stand for?", "2 つの名前は、いくつの配列を指していますか？"),
)
class OneArrayForBoth(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["gamma"][...] = self.grads["beta"]
        return dx


@bank.add(
    "dgamma-with-x",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma uses x as it came in.", "gamma の勾配に、入力されたままの x を使っています。"),
    hint=("What did gamma multiply in forward?", "順伝播で、gamma は何に掛けられましたか？"),
)
class DgammaWithX(Staged):
    def dgamma(self, dout):
        return (dout * self.x).sum(axis=0)


@bank.add(
    "dgamma-with-centred-x",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=(
        "The gradient of gamma uses x less its mean, not yet divided.",
        "gamma の勾配に、平均を引いただけでまだ割っていない x を使っています。",
    ),
    hint=("What did gamma multiply in forward?", "順伝播で、gamma は何に掛けられましたか？"),
)
class DgammaWithCentred(Staged):
    def dgamma(self, dout):
        return (dout * (self.x - self.mean)).sum(axis=0)


@bank.add(
    "dgamma-with-y",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma uses the layer's output.", "gamma の勾配に、層の出力 y を使っています。"),
    hint=(
        "Did gamma multiply the output, or did it help to make it?",
        "gamma は出力に掛けられたのでしょうか、それとも出力を作る側でしょうか？",
    ),
)
class DgammaWithY(Staged):
    def dgamma(self, dout):
        return (dout * self.affine()).sum(axis=0)


@bank.add(
    "dgamma-with-gamma",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=(
        "gamma itself is still a factor in its gradient.",
        "gamma の勾配の中に、gamma 自身が掛けられたまま残っています。",
    ),
    hint=(
        "How does y change when gamma grows by a little: does it matter how large gamma is?",
        "gamma が少し増えたときの y の変化は、gamma の大きさによりますか？",
    ),
)
class DgammaWithGamma(Staged):
    def dgamma(self, dout):
        return (dout * self.gamma * self.x_hat).sum(axis=0)


@bank.add(
    "dbeta-with-gamma",
    fails=(DBETA, PREDICTION_BACKWARD),
    cause=("The gradient of beta carries the factor gamma.", "beta の勾配に、gamma が掛けられています。"),
    hint=("Does gamma stand before beta in the formula of y?", "y の式で、beta の前に gamma は付いていますか？"),
)
class DbetaWithGamma(Staged):
    def dbeta(self, dout):
        return (dout * self.gamma).sum(axis=0)


@bank.add(
    "dgamma-without-dout",
    fails=(DGAMMA, PREDICTION_BACKWARD),
    cause=("The gradient of gamma is made without dout.", "gamma の勾配に dout が入っていません。"),
    hint=(
        "What happens to your gradient of gamma when dout doubles?",
        "dout を 2 倍にすると、gamma の勾配はどうなりますか？",
    ),
)
class DgammaWithoutDout(Staged):
    def dgamma(self, dout):
        return self.x_hat.sum(axis=0)


@bank.add(
    "dbeta-without-dout",
    fails=(DBETA, PREDICTION_BACKWARD),
    cause=(
        "The gradient of beta is the batch size, whatever dout is.",
        "beta の勾配が、dout に関係なくバッチの大きさになっています。",
    ),
    hint=(
        "What happens to your gradient of beta when dout doubles?",
        "dout を 2 倍にすると、beta の勾配はどうなりますか？",
    ),
)
class DbetaWithoutDout(Staged):
    def dbeta(self, dout):
        return np.ones_like(dout).sum(axis=0)


@bank.add(
    "gradients-named-w-and-b",
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=("The gradients are stored under the names W and b.", "勾配を W と b という名前で入れています。"),
    hint=(
        "Under which names do this layer's parameters stand in params?",
        "この層のパラメータは、params の中でどんな名前ですか？",
    ),
)
class NamedLikeLinear(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        self.grads = {"W": self.grads["gamma"], "b": self.grads["beta"]}
        return dx


@bank.add(
    "gradients-not-stored",
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=("grads is never set.", "grads に何も入れていません。"),
    hint=(
        "Where does an optimiser look for the gradient of gamma?",
        "オプティマイザは、gamma の勾配をどこから取り出しますか？",
    ),
)
class NotStored(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        self.grads = {"gamma": None, "beta": None}
        return dx


@bank.add(
    "gradients-returned-too",
    fails=(DX, REPEATABLE, PREDICTION_BACKWARD),
    cause=(
        "backward returns three things: dx and both gradients.",
        "backward が dx と 2 つの勾配の、3 つを返しています。",
    ),
    hint=(
        "What does the layer before this one expect as its dout?",
        "1 つ前の層は、dout として何を受け取るはずですか？",
    ),
)
class GradientsReturned(Staged):
    def backward(self, dout):
        return super().backward(dout), self.grads["gamma"], self.grads["beta"]


@bank.add(
    "gradients-added-up",
    fails=(REPEATABLE,),
    cause=(
        "The gradients of gamma and beta are added to those of the call before.",
        "gamma と beta の勾配を、前の呼び出しの値に足し込んでいます。",
    ),
    hint=(
        "What do the gradients become when backward is called twice?",
        "backward を 2 回呼ぶと、勾配はどうなりますか？",
    ),
)
class AddedUp(Staged):
    def backward(self, dout):
        before = {name: 0 if grad is None else grad for name, grad in self.grads.items()}
        dx = super().backward(dout)
        self.grads = {name: before[name] + grad for name, grad in self.grads.items()}
        return dx


# --- backward: dx -----------------------------------------------------------------------------------------------------


@bank.add(
    "statistics-as-constants",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The batch's mean and variance are treated as constants in backward.",
        "逆伝播で、バッチの平均と分散を定数として扱っています。",
    ),
    hint=("By how many paths does x reach the output?", "x から出力までの道は、いくつありますか？"),
)
class Constants(Staged):
    def dx(self, dout):
        return self.dx_of_prediction(dout)


@bank.add(
    "mean-path-missing",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient that flows through the mean is missing.", "平均を通る勾配が抜けています。"),
    hint=(
        "If every dout of a column is equal, what must dx be?",
        "1 つの列の dout がすべて等しいとき、dx はどうなるはずですか？",
    ),
)
class NoMeanPath(Staged):
    def mean_path(self, dx_hat):
        return 0.0


@bank.add(
    "variance-path-missing",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient that flows through the variance is missing.", "分散を通る勾配が抜けています。"),
    hint=(
        "If x is stretched a little, does the output change, and does your dx know?",
        "x を少し引き伸ばすと、出力は変わりますか。あなたの dx はそれを知っていますか？",
    ),
)
class NoVariancePath(Staged):
    def variance_path(self, dx_hat):
        return 0.0


@bank.add(
    "mean-path-sign",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient through the mean has the wrong sign.", "平均を通る勾配の符号が逆です。"),
    hint=("Which way does y move when the mean grows?", "平均が大きくなると、y はどちらへ動きますか？"),
)
class MeanPathSign(Staged):
    def mean_path(self, dx_hat):
        return -dx_hat.mean(axis=0)


@bank.add(
    "variance-path-sign",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient through the variance has the wrong sign.", "分散を通る勾配の符号が逆です。"),
    hint=("Which way does y move when the variance grows?", "分散が大きくなると、y はどちらへ動きますか？"),
)
class VariancePathSign(Staged):
    def variance_path(self, dx_hat):
        return -super().variance_path(dx_hat)


@bank.add(
    "mean-path-summed",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradient through the mean grows with the size of the batch.",
        "平均を通る勾配が、バッチの大きさとともに大きくなります。",
    ),
    hint=("How much does the mean move when one x moves?", "x が 1 つ動くと、平均はどれだけ動きますか？"),
)
class MeanPathSummed(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0)


@bank.add(
    "variance-path-summed",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradient through the variance grows with the size of the batch.",
        "分散を通る勾配が、バッチの大きさとともに大きくなります。",
    ),
    hint=("How much does the variance move when one x moves?", "x が 1 つ動くと、分散はどれだけ動きますか？"),
)
class VariancePathSummed(Staged):
    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0)


@bank.add(
    "paths-summed",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradients through mean and variance grow with the size of the batch.",
        "平均を通る勾配も分散を通る勾配も、バッチの大きさとともに大きくなります。",
    ),
    hint=(
        "Sum or mean: what does your dx become when every example stands twice in the batch?",
        "合計でしょうか、平均でしょうか。どの例も 2 回ずつ入れると、dx はどうなりますか？",
    ),
)
class PathsSummed(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0)


@bank.add(
    "dx-n-times-too-large",
    fails=(DX, OWN_FORWARD),
    cause=(
        "dx is too large by a factor that grows with the batch.",
        "dx が大きすぎます。その倍率は、バッチが大きいほど大きくなります。",
    ),
    hint=(
        "How does the size of your dx compare with that of dout / std?",
        "dx の大きさを、dout / 標準偏差の大きさと比べるとどうですか？",
    ),
)
class NTimesDx(Staged):
    def dx(self, dout):
        return len(dout) * super().dx(dout)


@bank.add(
    "dx-divided-by-n",
    fails=(DX, OWN_FORWARD),
    cause=("dx is divided by N once more.", "dx を N でもう一度割っています。"),
    hint=("Who has divided by the batch size already?", "バッチの大きさで割る計算は、どこかでもう済んでいませんか？"),
)
class DxOverN(Staged):
    def dx(self, dout):
        return super().dx(dout) / len(dout)


@bank.add(
    "d-for-n-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=(
        "backward divides by the number of features.",
        "逆伝播で、特徴の数で割っています。",
    ),
    hint=("Which axis of x counts the examples?", "x のどの軸が、例の数を表していますか？"),
)
class DForN(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0) / dx_hat.shape[1]

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0) / dx_hat.shape[1]


@bank.add(
    "paths-averaged-along-rows",
    fails=(DX, OWN_FORWARD),
    cause=(
        "backward averages along the rows, not down the columns.",
        "逆伝播で、列ごとではなく行に沿って平均しています。",
    ),
    hint=("Which elements of x went into the same mean?", "同じ平均に入ったのは、x のどの要素ですか？"),
)
class PathsAlongRows(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.mean(axis=1, keepdims=True)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).mean(axis=1, keepdims=True)


@bank.add(
    "n-minus-1-in-variance-path",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient through the variance divides by N - 1.", "分散を通る勾配で N - 1 で割っています。"),
    hint=("By what did your forward divide?", "順伝播では、何で割りましたか？"),
)
class NMinus1InPath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * len(dx_hat) / (len(dx_hat) - 1)


@bank.add(
    "n-minus-1-std-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=(
        "backward divides by a standard deviation made with N - 1.",
        "逆伝播で、N - 1 で求めた標準偏差を使っています。",
    ),
    hint=(
        "Is the standard deviation in backward the same number as in forward?",
        "逆伝播の標準偏差は、順伝播と同じ数ですか？",
    ),
)
class NMinus1StdInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.x.var(axis=0, ddof=1) + self.eps)


@bank.add(
    "variance-path-doubled",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient through the variance is twice too large.", "分散を通る勾配が 2 倍になっています。"),
    hint=(
        "Which factors come out when you differentiate the square, and which when you differentiate the root?",
        "2 乗を微分すると何が出て、平方根を微分すると何が出ますか？",
    ),
)
class VariancePathDoubled(Staged):
    def variance_path(self, dx_hat):
        return 2 * super().variance_path(dx_hat)


@bank.add(
    "variance-path-halved",
    fails=(DX, OWN_FORWARD),
    cause=("The gradient through the variance is half of what it should be.", "分散を通る勾配が半分になっています。"),
    hint=(
        "Which factors come out when you differentiate the square, and which when you differentiate the root?",
        "2 乗を微分すると何が出て、平方根を微分すると何が出ますか？",
    ),
)
class VariancePathHalved(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) / 2


@bank.add(
    "variance-path-with-centred-x",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradient through the variance has the wrong unit: it grows with the spread of x.",
        "分散を通る勾配の単位が合わず、x のばらつきとともに大きくなります。",
    ),
    hint=("In which units is each term of dx?", "dx のそれぞれの項の単位は何ですか？"),
)
class VariancePathWithCentred(Staged):
    def variance_path(self, dx_hat):
        return (self.x - self.mean) * (dx_hat * self.x_hat).mean(axis=0)


@bank.add(
    "variance-path-with-x",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradient through the variance uses x as it came in.",
        "分散を通る勾配に、入力されたままの x を使っています。",
    ),
    hint=(
        "If 100 is added to a column of x, should dx change?",
        "x の列に 100 を足したら、dx は変わるべきでしょうか？",
    ),
)
class VariancePathWithX(Staged):
    def variance_path(self, dx_hat):
        return self.x / self.std * (dx_hat * self.x_hat).mean(axis=0)


@bank.add(
    "exponent-of-variance",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The variance stands with a wrong power in the gradient through it.",
        "分散を通る勾配で、分散の指数が違っています。",
    ),
    hint=("What happens to an exponent when you differentiate?", "べき乗を微分すると、指数はどうなりますか？"),
)
class ExponentOfVariance(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * self.std**2


@bank.add(
    "paths-not-summed-over-batch",
    fails=(DX, OWN_FORWARD),
    cause=(
        "The gradients of mean and variance are not summed over the batch.",
        "平均と分散の勾配を、バッチについて合計していません。",
    ),
    hint=(
        "How many numbers should the gradient of one column's variance be?",
        "1 つの列の分散の勾配は、いくつの数になるはずですか？",
    ),
)
class PathsPerExample(Staged):
    def mean_path(self, dx_hat):
        return dx_hat / len(dx_hat)

    def variance_path(self, dx_hat):
        return self.x_hat**2 * dx_hat / len(dx_hat)


@bank.add(
    "dout-summed-too-early",
    fails=(DX, OWN_FORWARD),
    cause=(
        "dout is summed over the batch before the direct path is taken, so all rows of dx look alike.",
        "dout を先にバッチで合計しているので、例ごとの違いが消えています。",
    ),
    hint=(
        "At which step may you forget which example a gradient belongs to?",
        "どの段階なら、勾配がどの例のものかを忘れてもよいでしょうか？",
    ),
)
class SummedTooEarly(Staged):
    def dx_hat(self, dout):
        return np.broadcast_to((dout * self.gamma).sum(axis=0), dout.shape)


@bank.add(
    "gamma-missing-in-dx",
    fails=(DX, OWN_FORWARD),
    cause=("gamma is missing in dx.", "dx に gamma が入っていません。"),
    hint=("Does your dx change when gamma doubles?", "gamma を 2 倍にすると、dx は変わりますか？"),
)
class NoGammaInDx(Staged):
    def dx_hat(self, dout):
        return dout


@bank.add(
    "gamma-in-direct-path-only",
    fails=(DX, OWN_FORWARD),
    cause=(
        "gamma multiplies the direct path alone, not those through mean and variance.",
        "gamma を直通の道だけに掛けていて、平均と分散の道に掛けていません。",
    ),
    hint=("Which of the paths pass by gamma on their way back?", "逆向きにたどるとき、gamma を通る道はどれですか？"),
)
class GammaInDirectPathOnly(Staged):
    def mean_path(self, dx_hat):
        return super().mean_path(dx_hat / self.gamma)

    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat / self.gamma)


@bank.add(
    "gamma-missing-in-variance-path",
    fails=(DX, OWN_FORWARD),
    cause=("gamma is missing in the path through the variance.", "分散を通る道に gamma が入っていません。"),
    hint=(
        "If gamma doubles, does every term of your dx double?",
        "gamma を 2 倍にすると、dx のどの項も 2 倍になりますか？",
    ),
)
class NoGammaInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat / self.gamma)


@bank.add(
    "gamma-averaged-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=(
        "backward uses the average of gamma for all columns.",
        "逆伝播で、すべての列に gamma の平均を使っています。",
    ),
    hint=("Does each column have a gamma of its own?", "どの列にも、自分の gamma があるのではありませんか？"),
)
class GammaAveragedInBackward(Staged):
    def dx_hat(self, dout):
        return dout * self.gamma.mean()


@bank.add(
    "gamma-without-sign-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=("backward uses the absolute value of gamma.", "逆伝播で gamma の絶対値を使っています。"),
    hint=(
        "If gamma is negative, which way does y go when x grows?",
        "gamma が負なら、x が増えると y はどちらへ動きますか？",
    ),
)
class AbsoluteGammaInBackward(Staged):
    def dx_hat(self, dout):
        return dout * np.abs(self.gamma)


@bank.add(
    "not-divided-by-std-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=("dx is not divided by the standard deviation.", "dx を標準偏差で割っていません。"),
    hint=("If x is measured in metres, in which unit is dx?", "x の単位がメートルなら、dx の単位は何ですか？"),
)
class NotDividedInBackward(Staged):
    def backward_std(self):
        return 1.0


@bank.add(
    "divided-by-variance-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=("dx is divided by the variance.", "dx を分散で割っています。"),
    hint=("If x is measured in metres, in which unit is dx?", "x の単位がメートルなら、dx の単位は何ですか？"),
)
class VarianceInBackward(Staged):
    def backward_std(self):
        return self.var + self.eps


@bank.add(
    "multiplied-by-std-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=("dx is multiplied by the standard deviation.", "dx に標準偏差を掛けています。"),
    hint=(
        "If a column is spread wider, does y react more or less to one of its elements?",
        "列のばらつきが大きいほど、y は 1 つの x に強く反応しますか、弱く反応しますか？",
    ),
)
class TimesStdInBackward(Staged):
    def backward_std(self):
        return 1 / self.std


@bank.add(
    "eps-forgotten-in-backward",
    fails=(DX,),
    cause=("The standard deviation in backward lacks eps.", "逆伝播の標準偏差に eps が入っていません。"),
    hint=(
        "Is the standard deviation in backward the same number as in forward?",
        "逆伝播の標準偏差は、順伝播と同じ数ですか？",
    ),
)
class NoEpsInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.var)


@bank.add(
    "eps-twice-in-backward",
    fails=(DX,),
    cause=(
        "eps is added once more in backward, to a variance that has it already.",
        "すでに eps を足した分散に、逆伝播でもう一度 eps を足しています。",
    ),
    hint=(
        "Has the value that you kept from forward already had its eps?",
        "順伝播から取っておいた値には、もう eps が入っていませんか？",
    ),
)
class EpsTwiceInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.var + 2 * self.eps)


@bank.add(
    "eps-subtracted-in-backward",
    fails=(DX,),
    cause=("eps is subtracted under the root in backward.", "逆伝播で、根号の中から eps を引いています。"),
    hint=("Which value stood under the root in forward?", "順伝播で、根号の中にあった値は何ですか？"),
)
class EpsSubtracted(Staged):
    def backward_std(self):
        return np.sqrt(np.abs(self.var - self.eps))


@bank.add(
    "eps-forgotten-in-variance-path",
    fails=(DX,),
    cause=(
        "eps is left out where the root of the variance is differentiated.",
        "平方根を分散で微分するところで、eps が抜けています。",
    ),
    hint=(
        "In which places of the formula does the variance stand together with eps?",
        "式の中で、分散が eps といっしょに出てくるのはどこですか？",
    ),
)
class NoEpsInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * (self.std / np.sqrt(self.var)) ** 3


@bank.add(
    "x-hat-without-eps-in-variance-path",
    fails=(DX,),
    cause=(
        "The path through the variance uses a normalised x made without eps.",
        "分散を通る道で、eps なしで正規化した x を使っています。",
    ),
    hint=(
        "Is the normalised x in backward the one that forward made?",
        "逆伝播で使う正規化した x は、順伝播が作ったものと同じですか？",
    ),
)
class OtherXHatInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * self.std**2 / self.var


@bank.add(
    "operator-slip-in-dx",
    fails=(DX, OWN_FORWARD),
    cause=(
        "A bracket of the compact formula ends too early, so 1 / std multiplies the first terms alone.",
        "まとめた式のかっこが早く閉じていて、1 / 標準偏差が最初の項だけに掛かっています。",
    ),
    hint=(
        "What does your line say when all its brackets are written?",
        "その行の式は、かっこをすべて書くとどうなりますか？",
    ),
)
class OperatorSlip(Staged):
    def dx(self, dout):
        dx_hat = self.dx_hat(dout)
        return (dx_hat - self.mean_path(dx_hat)) / self.std - self.variance_path(dx_hat)


@bank.add(
    "dx-is-zero",
    fails=(DX, REPEATABLE),
    cause=("backward returns zeros.", "backward が 0 だけを返しています。"),
    hint=(
        "With which dout is zero the right answer, and with which is it not?",
        "どんな dout なら 0 が正解で、どんな dout なら正解ではないでしょうか？",
    ),
)
class ZeroDx(Staged):
    def dx(self, dout):
        return np.zeros_like(dout)


@bank.add(
    "dx-is-dout",
    fails=(DX, PREDICTION_BACKWARD),
    cause=("backward returns dout as it came.", "backward が dout をそのまま返しています。"),
    hint=("Does y change by 1 when x changes by 1?", "x が 1 変わると、y も 1 変わりますか？"),
)
class DxIsDout(Staged):
    def dx(self, dout):
        return dout

    dx_of_prediction = dx


@bank.add(
    "backward-returns-nothing",
    fails=(DX, REPEATABLE, PREDICTION_BACKWARD),
    cause=("backward sets grads, but returns nothing.", "backward は grads を設定していますが、何も返していません。"),
    hint=("What does the layer before this one receive?", "1 つ前の層は、何を受け取りますか？"),
)
class BackwardReturnsNothing(Staged):
    def backward(self, dout):
        super().backward(dout)


@bank.add(
    "running-statistics-in-backward",
    fails=(DX, OWN_FORWARD),
    cause=(
        "backward of a training batch divides by the running standard deviation.",
        "訓練時の逆伝播で、移動統計量の標準偏差を使っています。",
    ),
    hint=("By which standard deviation did forward divide?", "順伝播では、どの標準偏差で割りましたか？"),
)
class RunningInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.running_var + self.eps)


@bank.add(
    "dout-changed-in-place",
    fails=(REPEATABLE,),
    cause=("The caller's dout is changed in place.", "呼び出し側の dout を、その場で書き換えています。"),
    hint=("Is dout the same before and after your backward?", "backward の前とあとで、dout は同じですか？"),
)
class DoutInPlace(Staged):
    def dx_hat(self, dout):
        dout *= self.gamma
        return dout


@bank.add(
    "x-changed-in-backward",
    fails=(REPEATABLE,),
    cause=(
        "backward changes the x that forward has kept, and that is the caller's array.",
        "順伝播で取っておいた x を backward が書き換えていますが、それは呼び出し側の配列です。",
    ),
    hint=(
        "Is the x in your cache a copy, or the caller's own array?",
        "cache に入れた x はコピーですか、それとも呼び出し側の配列そのものですか？",
    ),
)
class XInBackward(Staged):
    def backward(self, dout):
        self.x -= self.mean
        return super().backward(dout)


@bank.add(
    "cache-changed-in-backward",
    fails=(REPEATABLE,),
    cause=("backward changes what forward has kept for it.", "順伝播で取っておいた値を、backward が書き換えています。"),
    hint=(
        "What does a second call of backward find where the first one found the normalised x?",
        "backward をもう一度呼んだとき、取っておいた値はまだ同じですか？",
    ),
)
class CacheChanged(Staged):
    def variance_path(self, dx_hat):
        self.x_hat *= (dx_hat * self.x_hat).mean(axis=0)
        return self.x_hat


@bank.add(
    "cache-emptied-in-backward",
    fails=(REPEATABLE,),
    cause=(
        "backward removes what forward has kept, so that it runs only once.",
        "順伝播で取っておいた値を backward が消すので、1 回しか呼べません。",
    ),
    hint=("What is left for a second call of backward?", "backward をもう一度呼ぶとき、必要な値は残っていますか？"),
)
class CacheEmptied(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        del self.x_hat
        return dx


@bank.add(
    "cache-of-first-forward",
    fails=(REPEATABLE,),
    cause=(
        "What the first forward kept is never replaced.",
        "最初の forward で取っておいた値を、そのあと更新していません。",
    ),
    hint=("To which forward does this backward belong?", "この backward は、どの forward に対応していますか？"),
)
class CacheOfFirst(Staged):
    def forward(self, x):
        y = super().forward(x)
        self.cache = self.cache or {"x_hat": self.x_hat, "std": self.std, "trained": self.trained}
        return y

    def backward(self, dout):
        vars(self).update(self.cache)
        return super().backward(dout)


@bank.add(
    "cache-shared-by-layers",
    fails=(REPEATABLE,),
    cause=(
        "All layers keep their values in the same place, a global or class variable.",
        "グローバル変数やクラス変数に値を置いているので、すべての層が同じ場所を使っています。",
    ),
    hint=(
        "When a network has two BatchNorm layers, whose values does backward find?",
        "BatchNorm の層が 2 つあるとき、backward が見つけるのはどちらの層の値ですか？",
    ),
)
class SharedCache(Staged):
    kept = {}

    def forward(self, x):
        y = super().forward(x)
        self.kept.update(x_hat=self.x_hat, std=self.std, gamma=self.gamma, trained=self.trained)
        return y

    def backward(self, dout):
        vars(self).update(self.kept)
        return super().backward(dout)


# --- running statistics -----------------------------------------------------------------------------------------------


@bank.add(
    "running-statistics-never-move",
    fails=(RUNNING, LEARNS_NOTHING),
    cause=("The running statistics are never updated.", "移動統計量を一度も更新していません。"),
    hint=(
        "What do running_mean and running_var hold after a training batch?",
        "訓練バッチのあと、running_mean と running_var には何が入っていますか？",
    ),
)
class NeverMove(Staged):
    def update_running(self):
        pass


@bank.add(
    "momentum-exchanged",
    fails=(RUNNING,),
    cause=(
        "momentum weighs the new batch, and its rest the old value.",
        "momentum を新しいバッチのほうに掛けています。",
    ),
    hint=(
        "With momentum 0.9, how far should one batch move the running mean?",
        "momentum が 0.9 なら、1 つのバッチで移動平均はどれだけ動くはずですか？",
    ),
)
class MomentumExchanged(Staged):
    def blend(self, running, batch):
        return (1 - self.momentum) * running + self.momentum * batch


@bank.add(
    "momentum-fixed",
    fails=(RUNNING,),
    cause=("momentum is written into the code as 0.9.", "momentum をコードの中に 0.9 と書いています。"),
    hint=(
        "What changes in your layer when it is made with another momentum?",
        "別の momentum で層を作ると、何が変わりますか？",
    ),
)
class MomentumFixed(Staged):
    def blend(self, running, batch):
        return 0.9 * running + 0.1 * batch


@bank.add(
    "running-statistics-replaced",
    fails=(RUNNING,),
    cause=(
        "The running statistics are replaced by those of the last batch.",
        "移動統計量を、最後のバッチの統計量で置きかえています。",
    ),
    hint=(
        "What remains of earlier batches after the last one?",
        "最後のバッチのあと、それより前のバッチのことは残っていますか？",
    ),
)
class Replaced(Staged):
    def blend(self, running, batch):
        return batch


@bank.add(
    "first-batch-replaces-running-statistics",
    fails=(RUNNING,),
    cause=(
        "The first batch replaces the initial running statistics.",
        "最初のバッチで、移動統計量の初期値を置きかえています。",
    ),
    hint=("Does the rule make an exception for the first batch?", "更新の式に、最初のバッチだけの例外はありますか？"),
)
class FirstBatchReplaces(Staged):
    def update_running(self):
        if self.cache:
            return super().update_running()
        self.running_mean, self.running_var = self.mean, self.var
        self.cache["started"] = True


@bank.add(
    "cumulative-average",
    fails=(RUNNING,),
    cause=(
        "The running statistics are the plain average of all batches so far.",
        "移動統計量が、これまでのバッチの単純な平均になっています。",
    ),
    hint=("Which part does momentum play in your update?", "あなたの更新の中で、momentum はどんな役をしていますか？"),
)
class Cumulative(Staged):
    def update_running(self):
        n = self.cache["n"] = self.cache.get("n", 0) + 1
        self.running_mean = self.running_mean + (self.mean - self.running_mean) / n
        self.running_var = self.running_var + (self.var - self.running_var) / n


@bank.add(
    "old-value-not-reduced",
    fails=(RUNNING,),
    cause=(
        "The batch's share is added, but the old value is not reduced.",
        "バッチの分を足していますが、古い値を減らしていません。",
    ),
    hint=(
        "Where does your running mean go after a thousand equal batches?",
        "同じバッチを 1000 回見せると、移動平均はどこへ行きますか？",
    ),
)
class NotReduced(Staged):
    def blend(self, running, batch):
        return running + (1 - self.momentum) * batch


@bank.add(
    "new-share-not-weighed",
    fails=(RUNNING,),
    cause=(
        "The old value is reduced, but the batch is added in full.",
        "古い値は減らしていますが、バッチの値をそのまま全部足しています。",
    ),
    hint=("Do your two weights sum to 1?", "2 つの重みを足すと 1 になりますか？"),
)
class NotWeighed(Staged):
    def blend(self, running, batch):
        return self.momentum * running + batch


@bank.add(
    "running-variance-divided-by-n-minus-1",
    fails=(RUNNING,),
    cause=(
        "The running variance takes in a variance divided by N - 1.",
        "移動分散に、N - 1 で割った分散を入れています。",
    ),
    hint=(
        "Which variance does the exercise want in the running statistics?",
        "仕様では、移動統計量にどの分散を入れますか？",
    ),
)
class UnbiasedRunningVar(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.x.var(axis=0, ddof=1))


@bank.add(
    "running-variance-holds-std",
    fails=(RUNNING,),
    cause=("The running variance takes in the standard deviation.", "移動分散に、標準偏差を入れています。"),
    hint=(
        "After many batches of one kind, to what should running_var come close?",
        "同じようなバッチを何度も見せると、running_var は何に近づくはずですか？",
    ),
)
class RunningStd(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, np.sqrt(self.var))


@bank.add(
    "running-variance-holds-eps",
    fails=(RUNNING,),
    cause=(
        "The running variance takes in the variance with eps already added.",
        "移動分散に、eps を足したあとの分散を入れています。",
    ),
    hint=("How often is eps added until a prediction comes out?", "予測が出るまでに、eps は何回足されますか？"),
)
class RunningVarWithEps(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.var + self.eps)


@bank.add(
    "running-std-averaged",
    fails=(RUNNING,),
    cause=(
        "The standard deviations are averaged and squared again for the running variance.",
        "標準偏差を平均してから 2 乗して、移動分散にしています。",
    ),
    hint=("Is the square of an average the average of the squares?", "平均の 2 乗は、2 乗の平均と同じでしょうか？"),
)
class RunningStdAveraged(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(np.sqrt(self.running_var), np.sqrt(self.var)) ** 2


@bank.add(
    "running-statistics-exchanged",
    fails=(RUNNING,),
    cause=(
        "The running mean takes in the variance, and the running variance the mean.",
        "移動平均に分散を、移動分散に平均を入れています。",
    ),
    hint=("Which of the two may become negative?", "負になってもよいのは、2 つのうちどちらですか？"),
)
class RunningExchanged(Staged):
    def update_running(self):
        self.running_mean, self.running_var = (
            self.blend(self.running_mean, self.var),
            self.blend(self.running_var, self.mean),
        )


@bank.add(
    "running-variance-from-running-mean",
    fails=(RUNNING,),
    cause=(
        "The running variance is blended with the old running mean.",
        "移動分散の更新に、古い移動平均を使っています。",
    ),
    hint=(
        "Which name stands on both sides of each update, and is it the same?",
        "それぞれの更新で、左辺と右辺に出てくる名前は同じですか？",
    ),
)
class CopiedLine(Staged):
    def update_running(self):
        self.running_var = self.blend(self.running_mean, self.var)
        self.running_mean = self.blend(self.running_mean, self.mean)


@bank.add(
    "only-running-mean-moves",
    fails=(RUNNING, LEARNS_NOTHING),
    cause=("Only the running mean is updated.", "移動平均だけを更新していて、移動分散を更新していません。"),
    hint=("How many statistics does a prediction need?", "予測には、いくつの統計量が必要ですか？"),
)
class OnlyMeanMoves(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)


@bank.add(
    "running-statistics-of-output",
    fails=(RUNNING,),
    cause=(
        "The running statistics follow the normalised x.",
        "移動統計量が、入力ではなく正規化した x の統計量になっています。",
    ),
    hint=("Whose mean will be subtracted in a prediction?", "予測のときに引くのは、何の平均ですか？"),
)
class RunningOfOutput(Staged):
    def affine(self):
        if self.trained:
            self.running_mean = self.blend(self.running_mean, self.x_hat.mean(axis=0))
            self.running_var = self.blend(self.running_var, self.x_hat.var(axis=0))
        return super().affine()

    def update_running(self):
        pass


@bank.add(
    "running-statistics-keep-dimension",
    fails=(RUNNING,),
    cause=("The running statistics have shape (1, D).", "移動統計量の形が (1, D) になっています。"),
    hint=("What shape had running_mean when the layer was made?", "層を作ったとき、running_mean はどんな形でしたか？"),
)
class RunningKeepsDimension(Staged):
    def blend(self, running, batch):
        return np.atleast_2d(super().blend(running, batch))


@bank.add(
    "running-statistics-move-in-backward",
    fails=(RUNNING,),
    cause=(
        "The running statistics move in backward, not in forward.",
        "移動統計量を、forward ではなく backward で更新しています。",
    ),
    hint=("Which call has seen the batch first?", "そのバッチを最初に見るのは、どのメソッドですか？"),
)
class MoveInBackward(Staged):
    def update_running(self):
        pass

    def backward(self, dout):
        if self.trained:
            super().update_running()
        return super().backward(dout)


@bank.add(
    "running-statistics-move-in-prediction",
    fails=(LEARNS_NOTHING,),
    cause=("The running statistics move in predictions too.", "推論のときにも移動統計量を更新しています。"),
    hint=("Should looking at test data change the model?", "テストデータを見ただけで、モデルは変わるべきでしょうか？"),
)
class MoveInPrediction(Staged):
    def predict(self):
        self.running_mean = self.blend(self.running_mean, self.mean_of(self.x))
        self.running_var = self.blend(self.running_var, self.var_of(self.x))
        return super().predict()


# --- inference --------------------------------------------------------------------------------------------------------


@bank.add(
    "batch-statistics-in-prediction",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=("Predictions use the statistics of their own batch.", "推論のときにも、そのバッチの統計量を使っています。"),
    hint=(
        "Does the answer for one example depend on which others stand beside it?",
        "1 つの例の予測が、いっしょに入れたほかの例によって変わりませんか？",
    ),
)
class BatchInPrediction(Staged):
    def running_statistics(self):
        return self.x.mean(axis=0), self.x.var(axis=0)


@bank.add(
    "training-flag-ignored",
    fails=(PREDICTION, LEARNS_NOTHING, PREDICTION_BACKWARD),
    cause=(
        "The layer does the same in training and in prediction.",
        "訓練時と推論時で、まったく同じことをしています。",
    ),
    hint=("Where does your forward look at `training`?", "forward のどこで `training` を見ていますか？"),
)
class FlagIgnored(Staged):
    def is_training(self):
        return True


@bank.add(
    "mode-of-first-forward",
    fails=(PREDICTION, LEARNS_NOTHING),
    cause=(
        "The mode of the first forward is kept for good.",
        "最初の forward のときのモードを、ずっと使い続けています。",
    ),
    hint=(
        "When does your code look at `training`: once, or at every forward?",
        "`training` を見るのは 1 回だけですか、forward のたびですか？",
    ),
)
class ModeOfFirst(Staged):
    def is_training(self):
        return self.cache.setdefault("mode", self.training)


@bank.add(
    "never-back-to-training",
    fails=(PREDICTION,),
    cause=(
        "After the first prediction the layer never trains again.",
        "一度推論すると、そのあと訓練モードに戻りません。",
    ),
    hint=(
        "What happens when `training` becomes True again after a prediction?",
        "推論のあとで `training` をまた True にすると、どうなりますか？",
    ),
)
class NeverBack(Staged):
    def is_training(self):
        self.cache["predicts"] = self.cache.get("predicts", False) or not self.training
        return not self.cache["predicts"]


@bank.add(
    "constants-after-prediction",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "After a prediction, backward takes the statistics for constants in training too.",
        "一度推論すると、訓練に戻ってからの backward でも統計量を定数として扱っています。",
    ),
    hint=(
        "When training goes on after a prediction, what does backward still know of that prediction?",
        "推論のあとで訓練を続けたとき、backward に推論のときの情報が残っていませんか？",
    ),
)
class ConstantsAfterPrediction(Staged):
    def backward(self, dout):
        self.trained = self.trained and not self.cache.get("predicted")
        return super().backward(dout)

    def predict(self):
        self.cache["predicted"] = True
        return super().predict()


@bank.add(
    "statistics-of-first-prediction",
    fails=(PREDICTION,),
    cause=(
        "What the first prediction made of the running statistics is used for all later ones.",
        "最初の推論のときの移動統計量を、その後の推論でもずっと使っています。",
    ),
    hint=(
        "If training goes on after a prediction, does the next prediction know?",
        "推論のあとで訓練を続けたら、次の推論にそれは反映されますか？",
    ),
)
class StatisticsOfFirstPrediction(Staged):
    def running_statistics(self):
        return self.cache.setdefault("statistics", super().running_statistics())


@bank.add(
    "batch-statistics-unless-one-row",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "Predictions use the running statistics only for a single row.",
        "推論のとき、1 行だけの入力でしか移動統計量を使っていません。",
    ),
    hint=(
        "What decides which statistics are used: the number of rows or the mode?",
        "どちらの統計量を使うかは、行の数で決まるのでしょうか、モードで決まるのでしょうか？",
    ),
)
class BatchUnlessOneRow(Staged):
    def running_statistics(self):
        return super().running_statistics() if len(self.x) == 1 else (self.x.mean(axis=0), self.x.var(axis=0))


@bank.add(
    "single-row-refused",
    fails=(SINGLE_ROW,),
    cause=("A single row is refused, also in prediction.", "推論のときも、1 行だけの入力を受けつけていません。"),
    hint=(
        "Which of the two modes needs several rows to compute statistics from?",
        "統計量を計算するために複数の行が必要なのは、2 つのモードのどちらですか？",
    ),
)
class SingleRowRefused(Staged):
    def forward(self, x):
        if len(x) < 2:
            raise ValueError("a batch needs two rows")
        return super().forward(x)


@bank.add(
    "prediction-without-gamma-and-beta",
    fails=(PREDICTION, SINGLE_ROW),
    cause=("Predictions leave out gamma and beta.", "推論のとき、gamma と beta を使っていません。"),
    hint=("What has the layer learnt besides the statistics?", "層が学んだのは、統計量だけでしょうか？"),
)
class PredictionWithoutAffine(Staged):
    def predict(self):
        return self.x_hat.copy()


@bank.add(
    "prediction-without-eps",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=("Predictions leave out eps.", "推論のとき、eps を使っていません。"),
    hint=(
        "Is the formula in prediction the same as in training, but for the statistics?",
        "推論時の式は、統計量のほかは訓練時と同じですか？",
    ),
)
class PredictionWithoutEps(Staged):
    def running_std(self):
        return np.sqrt(self.var)


@bank.add(
    "prediction-with-eps-fixed",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "Predictions use the default 1e-5, whatever eps the layer was given.",
        "推論のとき、層に渡された eps ではなく既定値の 1e-5 を使っています。",
    ),
    hint=(
        "Do training and prediction read eps from the same place?",
        "訓練時と推論時は、eps を同じ場所から読んでいますか？",
    ),
)
class PredictionEpsFixed(Staged):
    def running_std(self):
        return np.sqrt(self.var + 1e-5)


@bank.add(
    "prediction-with-eps-outside-root",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=("Predictions add eps outside the root.", "推論のとき、eps を根号の外で足しています。"),
    hint=(
        "Is the formula in prediction the same as in training, but for the statistics?",
        "推論時の式は、統計量のほかは訓練時と同じですか？",
    ),
)
class PredictionEpsOutside(Staged):
    def running_std(self):
        return np.sqrt(self.var) + self.eps


@bank.add(
    "prediction-divided-by-variance",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "Predictions divide by the running variance; the root is missing.",
        "推論のとき、移動分散でそのまま割っていて、平方根がありません。",
    ),
    hint=("Is running_var a variance or a standard deviation?", "running_var は分散ですか、標準偏差ですか？"),
)
class PredictionOverVariance(Staged):
    def running_std(self):
        return self.var + self.eps


@bank.add(
    "prediction-only-centred",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "Predictions subtract the running mean, but divide by nothing.",
        "推論のとき、移動平均を引くだけで、何でも割っていません。",
    ),
    hint=("What is running_var kept for?", "running_var は、何のために覚えているのでしょうか？"),
)
class PredictionOnlyCentred(Staged):
    def running_std(self):
        return np.ones_like(self.var)


@bank.add(
    "prediction-missing-brackets",
    fails=(PREDICTION,),
    cause=(
        "In predictions only the running mean is divided: brackets are missing.",
        "推論の式でかっこが足りず、移動平均だけが割られています。",
    ),
    hint=("Which operation does Python do first in your line?", "その行で、Python はどの演算を先に行いますか？"),
)
class PredictionMissingBrackets(Staged):
    def normalise(self, x):
        return super().normalise(x) if self.trained else x - self.mean / self.std


@bank.add(
    "x-changed-in-prediction",
    fails=(LEARNS_NOTHING,),
    cause=("Predictions change the caller's x in place.", "推論のとき、呼び出し側の x を書き換えています。"),
    hint=("Is x the same before and after a prediction?", "推論の前とあとで、x は同じですか？"),
)
class XInPrediction(Staged):
    def normalise(self, x):
        if not self.trained:
            x -= self.mean
            return x / self.std
        return super().normalise(x)


@bank.add(
    "prediction-returns-x",
    fails=(PREDICTION,),
    cause=("A prediction returns x itself.", "推論のとき、x をそのまま返しています。"),
    hint=(
        "Does the next layer expect other numbers in prediction than in training?",
        "次の層は、推論のときだけ違う大きさの数を待っているのでしょうか？",
    ),
)
class PredictionReturnsX(Staged):
    def predict(self):
        return self.x


@bank.add(
    "bias-corrected-statistics",
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "Predictions correct the running statistics for their start, as Adam does.",
        "推論のとき、Adam のように移動統計量の初期値の影響を補正しています。",
    ),
    hint=(
        "Are the numbers that your prediction uses those in running_mean and running_var?",
        "予測に使っている数は、running_mean と running_var の値そのものですか？",
    ),
)
class BiasCorrected(Staged):
    def update_running(self):
        super().update_running()
        self.cache["n"] = self.cache.get("n", 0) + 1

    def running_statistics(self):
        share = 1 - self.momentum ** self.cache.get("n", np.inf)
        return self.running_mean / share, self.running_var / share


@bank.add(
    "training-backward-in-prediction",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "backward after a prediction uses the formula for training.",
        "推論のあとの backward で、訓練時の式を使っています。",
    ),
    hint=("Are the statistics functions of x in a prediction?", "推論のとき、統計量は x の関数でしょうか？"),
)
class TrainingBackward(Staged):
    def dx_of_prediction(self, dout):
        return self.dx(dout)


@bank.add(
    "only-training-forward-keeps-values",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "Only a training forward keeps what backward needs.",
        "backward に必要な値を、訓練時の forward でしか取っておいていません。",
    ),
    hint=("What does backward find after a prediction?", "推論のあとの backward は、どの値を見つけますか？"),
)
class OnlyTrainingKeeps(Staged):
    def forward(self, x):
        before = dict(vars(self))
        y = super().forward(x)
        if not self.trained:
            self.__dict__ = before
        return y


@bank.add(
    "last-batch-std-in-prediction-backward",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "backward after a prediction divides by the standard deviation of the last training batch.",
        "推論のあとの backward で、最後の訓練バッチの標準偏差で割っています。",
    ),
    hint=("By which standard deviation did that forward divide?", "その forward は、どの標準偏差で割りましたか？"),
)
class LastBatchStd(Staged):
    def update_running(self):
        super().update_running()
        self.batch_std = self.std

    def dx_of_prediction(self, dout):
        return dout * self.gamma / self.batch_std


@bank.add(
    "no-parameter-gradients-in-prediction",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "backward after a prediction does not set the gradients of gamma and beta.",
        "推論のあとの backward で、gamma と beta の勾配を設定していません。",
    ),
    hint=("Do gamma and beta take part in a prediction?", "gamma と beta は、推論に加わっていませんか？"),
)
class NoGradientsInPrediction(Staged):
    def backward(self, dout):
        return super().backward(dout) if self.trained else self.dx_of_prediction(dout)


@bank.add(
    "prediction-backward-without-gamma",
    fails=(PREDICTION_BACKWARD,),
    cause=("gamma is missing in dx after a prediction.", "推論のあとの dx に gamma が入っていません。"),
    hint=("Which factors stood before x in that forward?", "その forward で、x には何が掛けられていましたか？"),
)
class PredictionBackwardWithoutGamma(Staged):
    def dx_of_prediction(self, dout):
        return dout / self.std


@bank.add(
    "prediction-backward-without-std",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "dx after a prediction is not divided by the running standard deviation.",
        "推論のあとの dx を、移動統計量の標準偏差で割っていません。",
    ),
    hint=("Which factors stood before x in that forward?", "その forward で、x には何が掛けられていましたか？"),
)
class PredictionBackwardWithoutStd(Staged):
    def dx_of_prediction(self, dout):
        return dout * self.gamma


@bank.add(
    "dout-changed-in-prediction-backward",
    fails=(PREDICTION_BACKWARD,),
    cause=(
        "backward after a prediction changes the caller's dout in place.",
        "推論のあとの backward で、呼び出し側の dout を書き換えています。",
    ),
    hint=("Is dout the same before and after your backward?", "backward の前とあとで、dout は同じですか？"),
)
class DoutInPrediction(Staged):
    def dx_of_prediction(self, dout):
        dout *= self.gamma
        return dout / self.std


# --- two at once ------------------------------------------------------------------------------------------------------


@bank.add(
    "eps-and-momentum-fixed",
    pair=True,
    fails=(SMALL_SPREAD, RUNNING),
    cause=(
        "eps and momentum are both written into the code.",
        "eps と momentum を、どちらもコードの中に直接書いています。",
    ),
    hint=(
        "Which of the constructor's arguments does your code really read?",
        "コンストラクタの引数のうち、コードが本当に読んでいるのはどれですか？",
    ),
)
class EpsAndMomentumFixed(EpsDefault, MomentumFixed):
    pass


@bank.add(
    "eps-outside-root-and-momentum-exchanged",
    pair=True,
    fails=(SMALL_SPREAD, DX, RUNNING),
    cause=(
        "eps stands outside the root, and momentum weighs the new batch.",
        "eps が根号の外にあり、momentum を新しいバッチのほうに掛けています。",
    ),
    hint=(
        "What stands under the root, and which value should momentum hold on to?",
        "根号の中には何が入りますか。また、momentum はどちらの値を残すためのものですか？",
    ),
)
class EpsOutsideMomentumExchanged(EpsOutside, MomentumExchanged):
    pass


@bank.add(
    "eps-forgotten-and-gradients-averaged",
    pair=True,
    fails=(SMALL_SPREAD, DGAMMA, DBETA),
    cause=(
        "eps is left out, and the gradients of gamma and beta are averaged.",
        "eps が入っておらず、gamma と beta の勾配をバッチで平均しています。",
    ),
    hint=(
        "What becomes of a constant column, and how often is the gradient divided by N?",
        "値が一定の列はどうなりますか。また、勾配は全部で何回 N で割られますか？",
    ),
)
class NoEpsGradientsAveraged(NoEps, DgammaAveraged, DbetaAveraged):
    pass


@bank.add(
    "n-minus-1-and-momentum-exchanged",
    pair=True,
    fails=(STANDARDISES, DX, RUNNING),
    cause=(
        "The variance is divided by N - 1, and momentum weighs the new batch.",
        "分散を N - 1 で割り、momentum を新しいバッチのほうに掛けています。",
    ),
    hint=(
        "Are these the conventions of this exercise, or those of a library that you know?",
        "それはこの演習の約束でしょうか、それとも、知っているライブラリの約束でしょうか？",
    ),
)
class LibraryConventions(UnbiasedVariance, MomentumExchanged):
    pass


@bank.add(
    "mean-path-and-gamma-missing",
    pair=True,
    fails=(DX, OWN_FORWARD),
    cause=("dx lacks both the path through the mean and gamma.", "dx に、平均を通る道も gamma も入っていません。"),
    hint=(
        "Does your dx react to gamma, and does each of its columns sum to zero?",
        "dx は gamma に反応しますか。また、dx の各列の合計は 0 になりますか？",
    ),
)
class NoMeanPathNoGamma(NoMeanPath, NoGammaInDx):
    pass


@bank.add(
    "statistics-as-constants-and-gradients-added-up",
    pair=True,
    fails=(DX, REPEATABLE),
    cause=(
        "Mean and variance are treated as constants in backward, and gradients are added up.",
        "逆伝播で平均と分散を定数として扱い、勾配を足し込んでいます。",
    ),
    hint=(
        "By how many paths does x reach the output, and what does a second backward leave in grads?",
        "x から出力までの道はいくつありますか。また、2 回目の backward のあと、grads はどうなりますか？",
    ),
)
class ConstantsAddedUp(Constants, AddedUp):
    pass


@bank.add(
    "gradients-exchanged-and-averaged",
    pair=True,
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=(
        "The gradients of gamma and beta have changed places and are averaged.",
        "gamma と beta の勾配が入れかわり、さらに平均されています。",
    ),
    hint=(
        "Which parameter met the normalised x, and who divides by N?",
        "正規化された x と出会ったのはどちらのパラメータですか。また、N で割るのはだれの仕事ですか？",
    ),
)
class ExchangedAndAveraged(ExchangedGradients, DgammaAveraged, DbetaAveraged):
    pass


@bank.add(
    "x-and-dout-changed-in-place",
    pair=True,
    fails=(INPUT_STAYS, REPEATABLE),
    cause=("Both x and dout are changed in place.", "x も dout も、その場で書き換えています。"),
    hint=("Whose arrays are x and dout?", "x と dout は、だれの配列でしょうか？"),
)
class BothInPlace(XInPlace, DoutInPlace):
    pass


@bank.add(
    "dimension-kept-everywhere",
    pair=True,
    fails=(DGAMMA, DBETA, RUNNING),
    cause=(
        "Gradients and running statistics all have shape (1, D).",
        "勾配も移動統計量も、形が (1, D) になっています。",
    ),
    hint=("Which of your arrays have one dimension more than gamma?", "gamma より次元が 1 つ多い配列はどれですか？"),
)
class DimensionKeptEverywhere(KeptDimension, RunningKeepsDimension):
    pass


@bank.add(
    "gradients-named-w-and-b-and-not-summed",
    pair=True,
    fails=(DGAMMA, DBETA, PREDICTION_BACKWARD),
    cause=(
        "The gradients are called W and b and keep one row for every example.",
        "勾配の名前が W と b になっていて、例ごとの行も残っています。",
    ),
    hint=(
        "Do the gradients have the names and the shapes of the parameters?",
        "勾配は、パラメータと同じ名前と同じ形をしていますか？",
    ),
)
class NamedLikeLinearNotSummed(NamedLikeLinear, NotSummed):
    pass


@bank.add(
    "prediction-without-eps-gamma-and-beta",
    pair=True,
    fails=(PREDICTION, PREDICTION_BACKWARD),
    cause=("Predictions leave out eps, gamma and beta.", "推論のとき、eps も gamma も beta も使っていません。"),
    hint=(
        "In what should the prediction differ from the training forward, and in what not?",
        "推論時の forward は、訓練時とどこが違い、どこが同じはずですか？",
    ),
)
class PredictionWithoutEpsAndAffine(PredictionWithoutEps, PredictionWithoutAffine):
    pass


@bank.add(
    "batch-statistics-in-prediction-and-momentum-exchanged",
    pair=True,
    fails=(RUNNING, PREDICTION, PREDICTION_BACKWARD),
    cause=(
        "momentum weighs the new batch, and predictions use their own batch anyway.",
        "momentum を新しいバッチのほうに掛け、推論ではそのバッチの統計量を使っています。",
    ),
    hint=(
        "What are the running statistics kept for, and how quickly should they move?",
        "移動統計量は何のために覚えますか。また、どのくらいの速さで動くはずですか？",
    ),
)
class BatchInPredictionMomentumExchanged(BatchInPrediction, MomentumExchanged):
    pass


@bank.add(
    "eps-and-gamma-missing-in-backward",
    pair=True,
    fails=(DX, OWN_FORWARD),
    cause=("backward leaves out eps and gamma.", "逆伝播に eps も gamma も入っていません。"),
    hint=(
        "Which of the numbers that forward used does your backward not see?",
        "順伝播で使った数のうち、逆伝播に出てこないものはどれですか？",
    ),
)
class NoEpsNoGammaInBackward(NoEpsInBackward, NoGammaInDx):
    pass


@bank.add(
    "n-minus-1-and-eps-outside-root",
    pair=True,
    fails=(STANDARDISES, SMALL_SPREAD, DX),
    cause=(
        "The variance is divided by N - 1, and eps stands outside the root.",
        "分散を N - 1 で割り、eps を根号の外で足しています。",
    ),
    hint=(
        "Which two parts of the standard deviation does the exercise spell out?",
        "標準偏差について、仕様がわざわざ決めている 2 つのことは何ですか？",
    ),
)
class UnbiasedEpsOutside(UnbiasedVariance, EpsOutside):
    pass
