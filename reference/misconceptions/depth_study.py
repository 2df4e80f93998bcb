"""Known mistakes in `depth_study`: the reference in steps, each mistake with one or two steps of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.layers import Linear, forward_backward
from reference.misconceptions import Bank

bank = Bank("depth_study", "depth_study")

FIRST_LOSS, FIRST_NORMS, LOSSES, NORMS, SETTINGS, DEPTHS, PARAMETERS, OVERFLOW = (
    f"depth_study.{check}"
    for check in (
        "initial_loss",
        "initial_gradients",
        "loss_curve",
        "gradient_curves",
        "settings",
        "depths",
        "all_parameters",
        "overflow",
    )
)


def descend(layers: list[Any], lr: float) -> None:
    """One step of gradient descent on every parameter."""
    for layer in layers:
        for name in layer.params:
            layer.params[name] = layer.params[name] - lr * layer.grads[name]


def train(
    layers: list[Any],
    X: np.ndarray,
    t: np.ndarray,
    lr: float,
    steps: int,
    *,
    measure: Callable = forward_backward,
    update: Callable = descend,
    goes_on: Callable = lambda loss: True,
) -> dict[str, np.ndarray]:
    """The record of one depth, in steps that can be replaced; training ends early where `goes_on` says no."""
    losses, norms = [], []
    for _ in range(steps):
        loss, grad_norms = measure(layers, X, t)
        losses.append(loss)
        norms.append(grad_norms)
        if not goes_on(loss):
            break
        update(layers, lr)
    return {"loss": np.array(losses), "grad_norms": np.array(norms)}


def study(
    depths: list[int],
    build_network: Callable,
    X: np.ndarray,
    t: np.ndarray,
    lr: float = 0.1,
    steps: int = 200,
    seed: int = 0,
    *,
    train: Callable = train,
    start: Callable = lambda seed, depth: np.random.default_rng(seed),
    **parts: Callable,
) -> dict[int, Any]:
    """The reference, in steps that can be replaced."""
    return {depth: train(build_network(depth, start(seed, depth)), X, t, lr, steps, **parts) for depth in depths}


def measuring(change: Callable) -> Callable:
    """A `measure` whose gradient norms are `change(layers, norms)`."""

    def measure(layers, X, t):
        loss, norms = forward_backward(layers, X, t)
        return loss, change(layers, norms)

    return measure


def backward_with(loss_and_gradient: Callable) -> Callable:
    """A `measure` with a loss of its own: `loss_and_gradient(error)`."""

    def measure(layers, X, t):
        h = X
        for layer in layers:
            h = layer.forward(h)
        loss, dout = loss_and_gradient(h - t)
        for layer in reversed(layers):
            dout = layer.backward(dout)
        return loss, [np.linalg.norm(layer.grads["W"]) for layer in weight_layers(layers)]

    return measure


def weight_layers(layers: list[Any]) -> list[Any]:
    return [layer for layer in layers if isinstance(layer, Linear)]


def changed(change: Callable) -> Callable:
    """A `train` whose record is `change(record)`."""
    return lambda *args: change(train(*args))


# --- the same start for every depth ----------------------------------------------------------------------------------


@bank.add(
    "depth-one-generator-for-all",
    fails=(DEPTHS,),
    cause=(
        "One random generator is used up by all depths in turn.",
        "1 つの乱数生成器を、すべての深さで使い回しています。",
    ),
    hint=(
        "Does the second depth begin with the same random numbers if you study it alone?",
        "2 番目の深さだけを単独で調べたとき、同じ乱数から始まるでしょうか？",
    ),
)
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    rng = np.random.default_rng(seed)
    return study(depths, build_network, X, t, lr, steps, start=lambda *_: rng)


@bank.add(
    "depth-seed-ignored",
    fails=(FIRST_LOSS, FIRST_NORMS, SETTINGS),
    cause=(
        "The seed is fixed in the code; the argument is not used.",
        "シードがコードの中で固定され、引数 seed が使われていません。",
    ),
    hint=(
        "Does anything change when you call the function with another seed?",
        "別の seed で呼ぶと、何かが変わるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, start=lambda *_: np.random.default_rng(0), **settings)


@bank.add(
    "depth-seed-differs-by-depth",
    fails=(FIRST_LOSS, FIRST_NORMS, SETTINGS),
    cause=("Each depth gets a seed of its own.", "深さごとに別のシードを使っています。"),
    hint=(
        "Which things should differ between two depths that are compared, and which should not?",
        "2 つの深さを比べるとき、変えてよいものと、そろえるべきものは何でしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, start=lambda seed, depth: np.random.default_rng(seed + depth), **settings)


@bank.add(
    "depth-unseeded",
    fails=(FIRST_LOSS, FIRST_NORMS, SETTINGS),
    cause=(
        "Something is drawn at random without the seed, such as the network's weights.",
        "重みなどの乱数が、seed を使わずに作られています。",
    ),
    hint=(
        "Which seed does each random generator start from, and what happens if you call the function twice?",
        "どの乱数生成器も seed から始まっているでしょうか？ 同じ引数で 2 回呼ぶと、結果は同じになるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, start=lambda *_: np.random.default_rng(next(unforeseen)), **settings)


unforeseen = itertools.count(76)
"""Stands for what the system would draw, so that a recording of it comes out the same."""


@bank.add(
    "depth-legacy-random-state",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=(
        "np.random.seed and the global generator are used instead of np.random.default_rng(seed).",
        "np.random.default_rng(seed) ではなく、np.random.seed とグローバルな乱数を使っています。",
    ),
    hint=(
        "Which random generator does the specification pass to build_network?",
        "仕様では、build_network にどの乱数生成器を渡すことになっているでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, start=lambda seed, depth: np.random.RandomState(seed), **settings)


@bank.add(
    "depth-one-network-for-all",
    fails=(DEPTHS,),
    cause=("All depths train one and the same network.", "すべての深さで、同じ 1 つのネットワークを学習しています。"),
    hint=(
        "How many layers has the network that you train for the second depth?",
        "2 番目の深さで学習しているネットワークは、何層でしょうか？",
    ),
)
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    layers = build_network(depths[0], np.random.default_rng(seed))
    return study(depths, lambda *_: layers, X, t, lr, steps)


@bank.add(
    "depth-new-network-every-step",
    fails=(LOSSES, NORMS),
    cause=("The network is built anew at every step.", "ステップのたびにネットワークを作り直しています。"),
    hint=(
        "What happens to what the network has learnt when build_network is called again?",
        "build_network をもう一度呼ぶと、それまでに学んだことはどうなるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: None, **settings)


@bank.add(
    "depth-counts-one-less",
    fails=(FIRST_NORMS,),
    cause=("The network has one Linear layer too many.", "Linear 層が 1 つ多いネットワークを作っています。"),
    hint=(
        "How many Linear layers does a network of depth 5 have here?",
        "ここでの「深さ 5」のネットワークには、Linear 層がいくつあるでしょうか？",
    ),
)
def _(depths, build_network, *args, **settings):
    return study(depths, lambda depth, rng: build_network(depth + 1, rng), *args, **settings)


# --- the update ------------------------------------------------------------------------------------------------------


@bank.add(
    "depth-weights-only-updated",
    fails=(LOSSES, NORMS),
    cause=("Biases are never updated.", "バイアスを更新していません。"),
    hint=("Which names does layer.params have?", "layer.params には、どんな名前が入っているでしょうか？"),
)
def _(*args, **settings):
    def update(layers, lr):
        for layer in layers:
            if "W" in layer.params:
                layer.params["W"] = layer.params["W"] - lr * layer.grads["W"]

    return study(*args, update=update, **settings)


@bank.add(
    "depth-linear-layers-only-updated",
    fails=(PARAMETERS,),
    cause=("Only Linear layers are updated.", "Linear 層のパラメータだけを更新しています。"),
    hint=(
        "Which other layers can have parameters?",
        "Linear 層のほかに、パラメータを持つ層はないでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(weight_layers(layers), lr), **settings)


@bank.add(
    "depth-only-w-and-b-updated",
    fails=(PARAMETERS,),
    cause=('Only parameters named "W" and "b" are updated.', '"W" と "b" という名前のパラメータだけを更新しています。'),
    hint=(
        "What are the parameters of a normalisation layer called?",
        "正規化層のパラメータには、どんな名前が付いているでしょうか？",
    ),
)
def _(*args, **settings):
    def update(layers, lr):
        for layer in layers:
            for name in {"W", "b"} & layer.params.keys():
                layer.params[name] = layer.params[name] - lr * layer.grads[name]

    return study(*args, update=update, **settings)


@bank.add(
    "depth-ascent",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("Parameters move up the gradient.", "パラメータを勾配の向きに動かしています（損失を上る向きです）。"),
    hint=("Does your loss fall during training?", "学習が進むにつれて、損失は下がっているでしょうか？"),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, -lr), **settings)


@bank.add(
    "depth-learning-rate-fixed",
    fails=(SETTINGS,),
    cause=(
        "The learning rate is always 0.1; the argument is not used.",
        "学習率がいつも 0.1 で、引数 lr が使われていません。",
    ),
    hint=("What should training do with lr=0?", "lr=0 で呼ぶと、学習はどうなるはずでしょうか？"),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 0.1), **settings)


@bank.add(
    "depth-learning-rate-forgotten",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("The gradient is subtracted without the learning rate.", "勾配に学習率を掛けずに引いています。"),
    hint=("Where does lr appear in your update?", "更新の式の中で、lr はどこに出てくるでしょうか？"),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 1.0), **settings)


@bank.add(
    "depth-learning-rate-by-depth",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("The learning rate is divided by the depth.", "学習率を深さで割っています。"),
    hint=(
        "How many things differ between your networks besides the depth?",
        "あなたのネットワークどうしで、深さのほかに違うものはいくつあるでしょうか？",
    ),
)
def _(*args, **settings):
    def slower(layers, X, t, lr, steps):
        return train(layers, X, t, lr / len(weight_layers(layers)), steps)

    return study(*args, train=slower, **settings)


@bank.add(
    "depth-learning-rate-decays",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("The learning rate shrinks from step to step.", "学習率がステップごとに小さくなっています。"),
    hint=(
        "Is the tenth step as large for its gradient as the first?",
        "10 ステップ目でも、最初のステップと同じ学習率が使われているでしょうか？",
    ),
)
def _(*args, **settings):
    def decaying(layers, X, t, lr, steps):
        rates = iter(lr * 0.9**step for step in range(steps))
        return train(layers, X, t, lr, steps, update=lambda layers, lr: descend(layers, next(rates)))

    return study(*args, train=decaying, **settings)


@bank.add(
    "depth-momentum",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=(
        "Momentum is used instead of plain gradient descent.",
        "ふつうの勾配降下法ではなく、モメンタムを使っています。",
    ),
    hint=(
        "Should a step depend on earlier gradients here?",
        "ここでの更新は、過去の勾配に左右されるべきでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, train=lambda *run: train(*run, update=remembering(0.9)), **settings)


@bank.add(
    "depth-gradients-accumulate",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("Gradients of all steps so far are added up.", "これまでの全ステップの勾配を足し合わせています。"),
    hint=(
        "Which weights do the gradients of earlier steps belong to?",
        "前のステップの勾配は、どの時点の重みについてのものでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, train=lambda *run: train(*run, update=remembering(1.0)), **settings)


def remembering(momentum: float) -> Callable:
    """An `update` by velocities, which are new with every call of this function."""
    velocities: dict[tuple[int, str], np.ndarray] = {}

    def update(layers, lr):
        for i, layer in enumerate(layers):
            for name in layer.params:
                velocities[i, name] = momentum * velocities.get((i, name), 0.0) + layer.grads[name]
                layer.params[name] = layer.params[name] - lr * velocities[i, name]

    return update


@bank.add(
    "depth-two-updates-a-step",
    fails=(LOSSES, NORMS, SETTINGS),
    cause=("Every gradient is applied twice.", "1 つの勾配で 2 回更新しています。"),
    hint=("How often is the update run in one step?", "1 ステップの中で、更新は何回実行されるでしょうか？"),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(layers, 2 * lr), **settings)


@bank.add(
    "depth-gradients-clipped",
    fails=(SETTINGS, OVERFLOW),
    cause=("Gradients are clipped before the update.", "更新の前に勾配をクリッピングしています。"),
    hint=(
        "Is clipping part of plain gradient descent?",
        "ふつうの勾配降下法に、クリッピングは含まれるでしょうか？",
    ),
)
def _(*args, **settings):
    def update(layers, lr):
        total = np.sqrt(sum(np.sum(g**2) for layer in layers for g in layer.grads.values()))
        descend(layers, lr * min(1.0, 0.1 / total))

    return study(*args, update=update, **settings)


@bank.add(
    "depth-mini-batches",
    fails=(FIRST_LOSS, FIRST_NORMS, LOSSES),
    cause=("Each step sees only some of the examples.", "ステップごとに、一部のサンプルだけを使っています。"),
    hint=(
        "How many examples does full-batch gradient descent use in a step?",
        "フルバッチの勾配降下法では、1 ステップに何個のサンプルを使うでしょうか？",
    ),
)
def _(*args, **settings):
    rng = np.random.default_rng(0)

    def measure(layers, X, t):
        rows = rng.choice(len(X), len(X) // 2, replace=False)
        return forward_backward(layers, X[rows], t[rows])

    return study(*args, measure=measure, **settings)


# --- the loss --------------------------------------------------------------------------------------------------------


@bank.add(
    "depth-summed-squares",
    fails=(FIRST_LOSS, FIRST_NORMS, LOSSES),
    cause=("Squared errors are added, not averaged.", "誤差の二乗を平均せず、合計しています。"),
    hint=(
        "Should the loss double when every example is there twice?",
        "すべてのサンプルを 2 回ずつ並べると、損失は 2 倍になるべきでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.sum(error**2), 2 * error)), **settings)


@bank.add(
    "depth-mean-over-examples-only",
    fails=(SETTINGS,),
    cause=(
        "The loss is divided by N, not by the number of all elements.",
        "損失を全要素の数ではなく、N だけで割っています。",
    ),
    hint=(
        "With two outputs, how many squared errors are there?",
        "出力が 2 つのとき、誤差の二乗は全部でいくつあるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(
        *args, measure=backward_with(lambda error: (np.sum(error**2) / len(error), 2 * error / len(error))), **settings
    )


@bank.add(
    "depth-half-squared-error",
    fails=(FIRST_LOSS, FIRST_NORMS, LOSSES),
    cause=("Half the mean squared error is used.", "平均二乗誤差の半分を使っています。"),
    hint=(
        "Which loss does MSELoss compute for a single error of 2?",
        "誤差が 2 のサンプル 1 つに対して、MSELoss の値はいくつになるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.mean(error**2) / 2, error / error.size)), **settings)


@bank.add(
    "depth-gradient-without-two",
    fails=(FIRST_NORMS, LOSSES, NORMS),
    cause=(
        "The loss is right, but its derivative lacks a factor.",
        "損失は正しいのですが、その微分の係数が足りません。",
    ),
    hint=(
        "Does a small change of the output change your loss as much as your derivative says?",
        "出力を少し変えたときの損失の変化は、あなたの微分の値と合っているでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=backward_with(lambda error: (np.mean(error**2), error / error.size)), **settings)


@bank.add(
    "depth-root-of-the-loss",
    fails=(FIRST_LOSS, LOSSES),
    cause=("The root of the loss is recorded.", "損失の平方根を記録しています。"),
    hint=("Does your number agree with MSELoss?", "記録した値は、MSELoss の値と一致しているでしょうか？"),
)
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": np.sqrt(run["loss"])}), **settings)


@bank.add(
    "depth-loss-after-update",
    fails=(FIRST_LOSS, LOSSES, OVERFLOW),
    cause=("The loss is taken after the update.", "更新した後の損失を記録しています。"),
    hint=(
        "What is the loss before anything has been learnt, and where is it in your record?",
        "まだ何も学習していないときの損失は、記録のどこにあるでしょうか？",
    ),
)
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][1:], "grad_norms": run["grad_norms"][:-1]}

    return study(*args, train=later, **settings)


@bank.add(
    "depth-both-after-update",
    fails=(FIRST_LOSS, FIRST_NORMS, OVERFLOW),
    cause=(
        "The loss and the gradient norms are both taken after the update.",
        "損失も勾配ノルムも、更新した後の値を記録しています。",
    ),
    hint=(
        "With steps=1, does your record hold what the untrained network shows?",
        "steps=1 で呼んだとき、記録に入るのは、まだ何も学習していないネットワークの値でしょうか？",
    ),
)
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        return {name: values[1:] for name, values in train(layers, X, t, lr, steps + 1).items()}

    return study(*args, train=later, **settings)


@bank.add(
    "depth-overflow-becomes-numbers",
    fails=(OVERFLOW,),
    cause=(
        "NaN and infinity are replaced by numbers in the record.",
        "記録の中の NaN や無限大を、ふつうの数に置きかえています。",
    ),
    hint=(
        "Can someone who reads your record see that the training overflowed?",
        "あなたの記録を見た人は、学習がオーバーフローしたことに気づけるでしょうか？",
    ),
)
def _(*args, **settings):
    def numbers(run):
        return {name: np.nan_to_num(values) for name, values in run.items()}

    return study(*args, train=changed(numbers), **settings)


@bank.add(
    "depth-targets-flattened",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("The targets are flattened to one dimension.", "目標 t を 1 次元に平らにしています。"),
    hint=("What are the shapes of y and t?", "y と t の shape は、それぞれどうなっているでしょうか？"),
)
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, t.ravel(), *args, **settings)


@bank.add(
    "depth-inputs-rescaled",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("X is standardised inside the function.", "関数の中で X を標準化しています。"),
    hint=(
        "Does the network see the X that was passed?",
        "ネットワークに入っているのは、渡された X そのものでしょうか？",
    ),
)
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, (X - X.mean(axis=0)) / X.std(axis=0), t, *args, **settings)


@bank.add(
    "depth-targets-rescaled",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("t is standardised inside the function.", "関数の中で t を標準化しています。"),
    hint=(
        "Is the loss computed with the t that was passed?",
        "損失は、渡された t そのもので計算しているでしょうか？",
    ),
)
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, (t - t.mean(axis=0)) / t.std(axis=0), *args, **settings)


@bank.add(
    "depth-targets-centred",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("The mean of t is subtracted inside the function.", "関数の中で t から平均を引いています。"),
    hint=(
        "Is the loss computed with the t that was passed?",
        "損失は、渡された t そのもので計算しているでしょうか？",
    ),
)
def _(depths, build_network, X, t, *args, **settings):
    return study(depths, build_network, X, t - t.mean(axis=0), *args, **settings)


# --- the gradient norms ----------------------------------------------------------------------------------------------


@bank.add(
    "depth-norms-output-side-first",
    fails=(FIRST_NORMS, NORMS),
    cause=("Gradient norms are listed from the output side.", "勾配ノルムを出力側から並べています。"),
    hint=(
        "In which order does the backward pass visit the layers, and in which is your list?",
        "逆伝播はどの順に層を通り、あなたのリストはどの順に並んでいるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: norms[::-1]), **settings)


@bank.add(
    "depth-norms-after-update",
    fails=(FIRST_NORMS, NORMS),
    cause=("Gradient norms are taken after the update.", "更新した後の勾配ノルムを記録しています。"),
    hint=(
        "Do the loss and the gradient norms of a step belong to the same weights?",
        "同じステップの損失と勾配ノルムは、同じ重みで計算されているでしょうか？",
    ),
)
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][:-1], "grad_norms": run["grad_norms"][1:]}

    return study(*args, train=later, **settings)


@bank.add(
    "depth-norms-of-first-step",
    fails=(NORMS,),
    cause=(
        "The gradient norms of the first step stand in every row.",
        "最初のステップの勾配ノルムが、全部の行に入っています。",
    ),
    hint=(
        "Do the rows of your grad_norms differ from each other?",
        "grad_norms の行どうしを比べると、違いがあるでしょうか？",
    ),
)
def _(*args, **settings):
    def first(run):
        return run | {"grad_norms": np.tile(run["grad_norms"][0], (len(run["loss"]), 1))}

    return study(*args, train=changed(first), **settings)


@bank.add(
    "depth-norms-of-last-step",
    fails=(FIRST_NORMS, NORMS),
    cause=(
        "All rows of grad_norms are one list that is overwritten.",
        "grad_norms のすべての行が、上書きされる同じ 1 つのリストです。",
    ),
    hint=(
        "When you append the same list again, does it hold the old values still?",
        "同じリストを何度も append したとき、前の値は残っているでしょうか？",
    ),
)
def _(*args, **settings):
    def last(run):
        return run | {"grad_norms": np.tile(run["grad_norms"][-1], (len(run["loss"]), 1))}

    return study(*args, train=changed(last), **settings)


@bank.add(
    "depth-norms-with-bias",
    fails=(FIRST_NORMS, NORMS),
    cause=("The bias gradient is part of each norm.", "ノルムにバイアスの勾配も含めています。"),
    hint=(
        "Which gradient of a Linear layer should be measured?",
        "Linear 層のどの勾配を測ることになっているでしょうか？",
    ),
)
def _(*args, **settings):
    def with_bias(layers, norms):
        biases = [np.linalg.norm(layer.grads["b"]) for layer in weight_layers(layers)]
        return np.hypot(norms, biases)

    return study(*args, measure=measuring(with_bias), **settings)


@bank.add(
    "depth-norms-of-weights",
    fails=(FIRST_NORMS, NORMS),
    cause=(
        "The norms are those of the weights, not of their gradients.",
        "勾配ではなく、重みのノルムを記録しています。",
    ),
    hint=("Do you read params or grads?", "読んでいるのは params と grads のどちらでしょうか？"),
)
def _(*args, **settings):
    def of_weights(layers, norms):
        return [np.linalg.norm(layer.params["W"]) for layer in weight_layers(layers)]

    return study(*args, measure=measuring(of_weights), **settings)


@bank.add(
    "depth-mean-absolute-gradient",
    fails=(FIRST_NORMS, NORMS),
    cause=(
        "The mean absolute gradient is recorded instead of the norm.",
        "ノルムではなく、勾配の絶対値の平均を記録しています。",
    ),
    hint=("What is the norm of [3, -4]?", "[3, -4] のノルムはいくつでしょうか？"),
)
def _(*args, **settings):
    def mean_absolute(layers, norms):
        return [np.abs(layer.grads["W"]).mean() for layer in weight_layers(layers)]

    return study(*args, measure=measuring(mean_absolute), **settings)


@bank.add(
    "depth-squared-norms",
    fails=(FIRST_NORMS, NORMS),
    cause=("The squares of the norms are recorded.", "ノルムの二乗を記録しています。"),
    hint=(
        "By how much does your number grow when the gradient doubles?",
        "勾配が 2 倍になると、記録している値は何倍になるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.square(norms)), **settings)


@bank.add(
    "depth-norms-in-decades",
    fails=(FIRST_NORMS, NORMS),
    cause=("Logarithms of the norms are recorded.", "ノルムの対数を記録しています。"),
    hint=(
        "Who takes the logarithm: the record or the plot?",
        "対数をとるのは、記録とグラフのどちらの役目でしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.log10(norms)), **settings)


@bank.add(
    "depth-norms-relative-to-output-layer",
    fails=(FIRST_NORMS, NORMS),
    cause=("Norms are divided by that of the last layer.", "ノルムを最後の層のノルムで割っています。"),
    hint=(
        "Is your norm of the last layer always the same?",
        "あなたの記録では、最後の層のノルムがいつも同じ値になっていないでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.array(norms) / norms[-1]), **settings)


@bank.add(
    "depth-norms-sorted",
    fails=(FIRST_NORMS, NORMS),
    cause=("Norms are sorted by size.", "ノルムを大きさの順に並べ替えています。"),
    hint=(
        "Which layer does the first entry of a row belong to?",
        "各行の最初の値は、どの層のものでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: sorted(norms, reverse=True)), **settings)


@bank.add(
    "depth-one-norm-a-step",
    fails=(FIRST_NORMS,),
    cause=("Only the mean norm over all layers is recorded.", "全部の層の平均ノルムだけを記録しています。"),
    hint=(
        "Can your record show which layer's gradient vanishes?",
        "あなたの記録から、どの層の勾配が消えているか分かるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, measure=measuring(lambda layers, norms: np.mean(norms)), **settings)


@bank.add(
    "depth-invented-curves",
    fails=(FIRST_LOSS, FIRST_NORMS, LOSSES),
    cause=(
        "The curves come from a formula, not from training.",
        "学習した結果ではなく、式で作った曲線を返しています。",
    ),
    hint=(
        "Do your curves change when X and t change?",
        "X や t を変えると、あなたの曲線も変わるでしょうか？",
    ),
)
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    return {
        depth: {
            "loss": 1 / np.arange(1, steps + 1),
            "grad_norms": np.outer(np.ones(steps), 0.25 ** np.arange(depth)[::-1]),
        }
        for depth in depths
    }


# --- the form of the result ------------------------------------------------------------------------------------------


@bank.add(
    "depth-keys-are-words",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("The keys of the result are strings.", "結果の辞書のキーが文字列になっています。"),
    hint=(
        "With which key will the plot look for depth 5?",
        "グラフを描くとき、深さ 5 の結果はどんなキーで取り出すでしょうか？",
    ),
)
def _(*args, **settings):
    return {str(depth): run for depth, run in study(*args, **settings).items()}


@bank.add(
    "depth-other-names",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("The entries have other names than the specification says.", "結果の中の名前が、仕様と違っています。"),
    hint=(
        "How does the specification spell the two names?",
        "仕様では、2 つの名前はどう書かれているでしょうか？",
    ),
)
def _(*args, **settings):
    return study(
        *args, train=changed(lambda run: {"losses": run["loss"], "gradient_norms": run["grad_norms"]}), **settings
    )


@bank.add(
    "depth-only-last",
    fails=(DEPTHS,),
    cause=("The result holds the last depth alone.", "結果に最後の深さだけが入っています。"),
    hint=(
        "Where is the dict created: before or inside the loop over depths?",
        "結果の辞書を作っているのは、深さのループの前と中のどちらでしょうか？",
    ),
)
def _(depths, *args, **settings):
    return study(depths[-1:], *args, **settings)


@bank.add(
    "depth-only-first",
    fails=(DEPTHS,),
    cause=("The function returns after the first depth.", "最初の深さが終わったところで return しています。"),
    hint=(
        "How far is your return statement indented?",
        "return の字下げは、どの深さになっているでしょうか？",
    ),
)
def _(depths, *args, **settings):
    return study(depths[:1], *args, **settings)


@bank.add(
    "depth-lists-shared",
    fails=(DEPTHS,),
    cause=("All depths append to the same lists.", "すべての深さの記録が、同じリストに追加されています。"),
    hint=(
        "What is in your lists when the second depth begins?",
        "2 番目の深さが始まるとき、リストには何が入っているでしょうか？",
    ),
)
def _(*args, **settings):
    losses, norms = [], []

    def shared(run):
        losses.extend(run["loss"])
        norms.extend(run["grad_norms"])
        return {"loss": losses, "grad_norms": norms}

    return study(*args, train=changed(shared), **settings)


@bank.add(
    "depth-norms-transposed",
    fails=(FIRST_NORMS,),
    cause=(
        "grad_norms has one row a layer, not one row a step.",
        "grad_norms の行がステップではなく、層になっています。",
    ),
    hint=(
        "What shape does grad_norms have, and which one is asked for?",
        "grad_norms の shape はどうなっていて、求められている shape は何でしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"grad_norms": run["grad_norms"].T}), **settings)


@bank.add(
    "depth-last-loss-only",
    fails=(FIRST_LOSS,),
    cause=("Only the last loss is kept.", "最後の損失だけを残しています。"),
    hint=(
        "Can a curve be drawn from what you return?",
        "返している値から、曲線を描けるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, train=changed(lambda run: run | {"loss": run["loss"][-1]}), **settings)


@bank.add(
    "depth-list-of-runs",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("A list is returned instead of a dict.", "辞書ではなくリストを返しています。"),
    hint=(
        "How does one find the run of depth 20 in your result?",
        "あなたの結果から、深さ 20 の記録をどうやって取り出すでしょうか？",
    ),
)
def _(*args, **settings):
    return list(study(*args, **settings).values())


@bank.add(
    "depth-returns-nothing",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=("Nothing is returned.", "何も返していません。"),
    hint=("Where does your function return its result?", "関数の結果は、どこで return しているでしょうか？"),
)
def _(*args, **settings):
    study(*args, **settings)


@bank.add(
    "depth-steps-ignored",
    fails=(FIRST_LOSS, FIRST_NORMS),
    cause=(
        "There are always 200 steps; the argument is not used.",
        "いつも 200 ステップで、引数 steps が使われていません。",
    ),
    hint=(
        "How long is the loss curve with steps=10?",
        "steps=10 で呼ぶと、損失の記録の長さはいくつになるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, **settings | {"steps": 200})


@bank.add(
    "depth-one-record-too-many",
    fails=(FIRST_LOSS,),
    cause=("There is one record more than there are steps.", "記録がステップ数より 1 つ多くなっています。"),
    hint=(
        "How many records are there with steps=1?",
        "steps=1 で呼ぶと、記録はいくつになるでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, train=lambda layers, X, t, lr, steps: train(layers, X, t, lr, steps + 1), **settings)


# --- overflow --------------------------------------------------------------------------------------------------------


@bank.add(
    "depth-stops-at-overflow",
    fails=(OVERFLOW,),
    cause=("Training stops when the loss is no longer finite.", "損失が有限でなくなると、学習を打ち切っています。"),
    hint=(
        "How long is the record of a training that overflows?",
        "途中でオーバーフローした学習の記録は、長さがいくつになっているでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, goes_on=np.isfinite, **settings)


@bank.add(
    "depth-raises-at-overflow",
    fails=(OVERFLOW,),
    cause=(
        "An exception is raised when the loss is no longer finite.",
        "損失が有限でなくなると、例外を送出しています。",
    ),
    hint=(
        "What happens to the depths that were already studied?",
        "例外が出ると、それまでに調べた深さの記録はどうなるでしょうか？",
    ),
)
def _(*args, **settings):
    def goes_on(loss):
        if not np.isfinite(loss):
            raise FloatingPointError("the loss is not finite")
        return True

    return study(*args, goes_on=goes_on, **settings)


@bank.add(
    "depth-overflowing-run-left-out",
    fails=(OVERFLOW,),
    cause=(
        "A depth whose training overflows is left out of the result.",
        "オーバーフローした深さを、結果から除いています。",
    ),
    hint=(
        "Is a training that diverged not a finding too?",
        "発散した学習も、1 つの発見ではないでしょうか？",
    ),
)
def _(*args, **settings):
    return {depth: run for depth, run in study(*args, **settings).items() if np.isfinite(run["loss"]).all()}


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add(
    "depth-reversed-and-after-update",
    pair=True,
    fails=(FIRST_NORMS, FIRST_LOSS, LOSSES),
    cause=(
        "Norms are listed from the output side, and everything is taken after the update.",
        "ノルムを出力側から並べ、しかも更新の後で測っています。",
    ),
    hint=(
        "At which weights is row 0 measured, and which layer is its first entry?",
        "0 行目はどの時点の重みで測られ、その最初の値はどの層のものでしょうか？",
    ),
)
def _(*args, **settings):
    def later(layers, X, t, lr, steps):
        run = train(layers, X, t, lr, steps + 1)
        return {"loss": run["loss"][1:], "grad_norms": run["grad_norms"][1:, ::-1]}

    return study(*args, train=later, **settings)


@bank.add(
    "depth-one-generator-and-weights-only",
    pair=True,
    fails=(DEPTHS, LOSSES, SETTINGS),
    cause=(
        "All depths share one generator, and only weights are updated.",
        "すべての深さで乱数生成器を使い回し、しかも W だけを更新しています。",
    ),
    hint=(
        "What is the same at the start of each depth, and what has changed after one step?",
        "各深さの始まりで同じものは何で、1 ステップの後に変わっているものは何でしょうか？",
    ),
)
def _(depths, build_network, X, t, lr=0.1, steps=200, seed=0):
    rng = np.random.default_rng(seed)

    def update(layers, lr):
        for layer in weight_layers(layers):
            layer.params["W"] = layer.params["W"] - lr * layer.grads["W"]

    return study(depths, build_network, X, t, lr, steps, start=lambda *_: rng, update=update)


@bank.add(
    "depth-half-squared-error-and-bias-in-norms",
    pair=True,
    fails=(FIRST_LOSS, FIRST_NORMS, LOSSES),
    cause=(
        "Half the squared error is used, and the bias gradient is part of the norms.",
        "二乗誤差の半分を使い、しかもノルムにバイアスの勾配を含めています。",
    ),
    hint=(
        "Do your first loss and first norms agree with forward_backward?",
        "最初の損失とノルムは、forward_backward の結果と一致しているでしょうか？",
    ),
)
def _(*args, **settings):
    halved = backward_with(lambda error: (np.mean(error**2) / 2, error / error.size))

    def measure(layers, X, t):
        loss, norms = halved(layers, X, t)
        return loss, np.hypot(norms, [np.linalg.norm(layer.grads["b"]) for layer in weight_layers(layers)])

    return study(*args, measure=measure, **settings)


@bank.add(
    "depth-linear-only-and-learning-rate-fixed",
    pair=True,
    fails=(PARAMETERS, SETTINGS),
    cause=(
        "Only Linear layers are updated, always with a learning rate of 0.1.",
        "Linear 層だけを、いつも学習率 0.1 で更新しています。",
    ),
    hint=(
        "Which arguments and which layers does your update use?",
        "あなたの更新では、どの引数とどの層を使っているでしょうか？",
    ),
)
def _(*args, **settings):
    return study(*args, update=lambda layers, lr: descend(weight_layers(layers), 0.1), **settings)
