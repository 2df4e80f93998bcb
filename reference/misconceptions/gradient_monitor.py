"""Known mistakes in `GradientMonitor`: the reference in steps, each mistake a subclass with a step of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.layers import Linear, Problem
from reference.gradient_pathology.gradient_monitor import GradientMonitor
from reference.misconceptions import Bank

bank = Bank("gradient_monitor", "GradientMonitor")

KINDS, NONFINITE, THRESHOLDS, NEWEST, HEALTHY, STAYS = (
    f"gradient_monitor.{check}" for check in ("kinds", "nonfinite", "thresholds", "newest", "healthy", "history_stays")
)


class Steps(GradientMonitor):
    """The reference, in steps that can be overridden."""

    def detect_problems(self, vanish_threshold: float = 1e-7, explode_threshold: float = 1e3) -> Any:
        if not self.history:
            return []
        epoch, norms = self.record_to_judge()
        found = []
        for layer, norm in self.layers_to_judge(norms):
            kind = self.kind(norm, vanish_threshold, explode_threshold)
            if kind is not None:
                found.append(self.problem(layer, kind, norm, epoch))
        return self.report(found)

    def record_to_judge(self) -> tuple[int, dict[str, float]]:
        return self.history[-1]

    def layers_to_judge(self, norms: dict[str, float]) -> list[tuple[Any, float]]:
        return list(norms.items())

    def kind(self, norm: float, vanish: float, explode: float) -> str | None:
        return self.nonfinite(norm) or self.finite(norm, vanish, explode)

    def nonfinite(self, norm: float) -> str | None:
        return None if np.isfinite(norm) else "nonfinite"

    def finite(self, norm: float, vanish: float, explode: float) -> str | None:
        return "vanishing" if norm < vanish else "exploding" if norm > explode else None

    def problem(self, layer: Any, kind: str, norm: float, epoch: int) -> Any:
        return Problem(layer, kind, norm, epoch)

    def report(self, found: list[Any]) -> Any:
        return found


# --- NaN and infinity ------------------------------------------------------------------------------------------------


@bank.add(
    "monitor-nonfinite-unnoticed",
    fails=(NONFINITE,),
    cause=("Norms are only compared with the thresholds.", "ノルムを閾値と比べているだけです。"),
    hint=(
        "What do nan < 1e-7 and nan > 1e3 give?",
        "nan < 1e-7 と nan > 1e3 は、それぞれ何になるでしょうか？",
    ),
)
class _(Steps):
    def nonfinite(self, norm):
        return None


@bank.add(
    "monitor-infinity-counts-as-exploding",
    fails=(NONFINITE,),
    cause=(
        "Only NaN is called nonfinite; infinity counts as exploding.",
        'NaN だけを "nonfinite" とし、無限大を "exploding" としています。',
    ),
    hint=(
        "Which kind does the specification give to an infinite norm?",
        "仕様では、無限大のノルムはどの種類になるでしょうか？",
    ),
)
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isnan(norm) else None


@bank.add(
    "monitor-nan-unnoticed",
    fails=(NONFINITE,),
    cause=(
        "Only infinity is called nonfinite; NaN is missed.",
        '無限大だけを "nonfinite" とし、NaN を見逃しています。',
    ),
    hint=("What does np.isinf(np.nan) give?", "np.isinf(np.nan) は何を返すでしょうか？"),
)
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isinf(norm) else None


@bank.add(
    "monitor-nonfinite-called-exploding",
    fails=(NONFINITE,),
    cause=('NaN and infinity are called "exploding".', 'NaN と無限大を "exploding" としています。'),
    hint=("How many kinds of illness are there?", "異常の種類は、全部でいくつあるでしょうか？"),
)
class _(Steps):
    def nonfinite(self, norm):
        return None if np.isfinite(norm) else "exploding"


@bank.add(
    "monitor-kinds-of-nonfinite",
    fails=(NONFINITE,),
    cause=('The kinds are called "nan" and "inf".', '種類の名前を "nan" や "inf" としています。'),
    hint=(
        "Which three words may stand in Problem.kind?",
        "Problem.kind に入れてよい 3 つの言葉は何でしょうか？",
    ),
)
class _(Steps):
    def nonfinite(self, norm):
        return None if np.isfinite(norm) else str(norm)


@bank.add(
    "monitor-nonfinite-skipped",
    fails=(NONFINITE,),
    cause=("Norms that are not finite are skipped.", "有限でないノルムを飛ばしています。"),
    hint=(
        "Is a layer whose gradient is NaN healthy?",
        "勾配が NaN になった層は、健康だと言えるでしょうか？",
    ),
)
class _(Steps):
    def layers_to_judge(self, norms):
        return [(layer, norm) for layer, norm in norms.items() if np.isfinite(norm)]


@bank.add(
    "monitor-nonfinite-hides-the-rest",
    fails=(NONFINITE,),
    cause=(
        "Where a norm is not finite, no other problem is reported.",
        "有限でないノルムがあると、ほかの問題を報告していません。",
    ),
    hint=(
        "If one layer is infinite, may another one vanish at the same time?",
        "ある層が無限大のとき、同時に別の層の勾配が消えていることはないでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        return [problem for problem in found if problem.kind == "nonfinite"] or found


# --- thresholds ------------------------------------------------------------------------------------------------------


@bank.add(
    "monitor-thresholds-ignored",
    fails=(THRESHOLDS,),
    cause=(
        "The thresholds are fixed in the code; the arguments are not used.",
        "閾値がコードの中で固定され、引数が使われていません。",
    ),
    hint=(
        "Does the answer change when you pass other thresholds?",
        "別の閾値を渡すと、結果は変わるでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1e-7, 1e3)


@bank.add(
    "monitor-thresholds-swapped",
    fails=(KINDS, THRESHOLDS),
    cause=("The two thresholds are mixed up.", "2 つの閾値を取り違えています。"),
    hint=(
        "Which threshold does a small norm have to be compared with?",
        "小さすぎるノルムは、どちらの閾値と比べればよいでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, explode, vanish)


@bank.add(
    "monitor-kinds-swapped",
    fails=(KINDS, THRESHOLDS),
    cause=('"vanishing" and "exploding" are mixed up.', '"vanishing" と "exploding" を取り違えています。'),
    hint=("Is a vanishing gradient small or large?", "「消失」している勾配は、小さいでしょうか、大きいでしょうか？"),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        kind = super().finite(norm, vanish, explode)
        return {"vanishing": "exploding", "exploding": "vanishing"}.get(kind)


@bank.add(
    "monitor-squares-compared",
    fails=(THRESHOLDS,),
    cause=("The squares of the norms are compared with the thresholds.", "ノルムの二乗を閾値と比べています。"),
    hint=(
        "Is a norm of 1e-5 below a threshold of 1e-7?",
        "ノルム 1e-5 は、閾値 1e-7 より小さいでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm**2, vanish, explode)


@bank.add(
    "monitor-thresholds-widened",
    fails=(THRESHOLDS,),
    cause=(
        "Norms that come near a threshold are reported, too.",
        "閾値に近づいただけのノルムも、問題として報告しています。",
    ),
    hint=(
        "From which norm on is there a problem, according to the specification?",
        "仕様では、ノルムがいくつになったら問題でしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1.2 * vanish, explode / 1.2)


@bank.add(
    "monitor-decades-rounded",
    fails=(THRESHOLDS,),
    cause=(
        "Norms are rounded to whole decades before they are compared.",
        "ノルムを桁に丸めてから、閾値と比べています。",
    ),
    hint=(
        "What is left of the difference between 9e-8 and 1.1e-7 when you compare?",
        "比べるとき、9e-8 と 1.1e-7 の違いは残っているでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(10.0 ** np.round(np.log10(norm)) if norm > 0 else norm, vanish, explode)


@bank.add(
    "monitor-relative-to-largest",
    fails=(KINDS, THRESHOLDS),
    cause=(
        "Norms are divided by the largest one before they are compared.",
        "ノルムを最大値で割ってから、閾値と比べています。",
    ),
    hint=(
        "Can a layer explode in your monitor if all norms are divided by the largest?",
        "すべてのノルムを最大値で割ると、「爆発」と判定される層はあるでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm / max(self.history[-1][1].values()), vanish, explode)


@bank.add(
    "monitor-zero-skipped",
    fails=(KINDS,),
    cause=("A norm of zero is not seen as a problem.", "ノルムがちょうど 0 の層を、問題と見なしていません。"),
    hint=(
        "Is a gradient of exactly zero below the threshold?",
        "ちょうど 0 の勾配は、閾値より小さいでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, vanish, explode) if norm else None


@bank.add(
    "monitor-only-vanishing",
    fails=(KINDS, THRESHOLDS),
    cause=("Exploding gradients are not looked for.", "勾配爆発を調べていません。"),
    hint=("What becomes of a norm of 1e6?", "ノルムが 1e6 の層は、どう判定されるでしょうか？"),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return "vanishing" if norm < vanish else None


# --- which record ----------------------------------------------------------------------------------------------------


@bank.add(
    "monitor-first-record",
    fails=(NEWEST,),
    cause=("The first record is judged.", "最初の記録を調べています。"),
    hint=("Which record shows how the network is now?", "いまの状態を表しているのは、どの記録でしょうか？"),
)
class _(Steps):
    def record_to_judge(self):
        return self.history[0]


@bank.add(
    "monitor-largest-epoch",
    fails=(NEWEST,),
    cause=("The record with the largest epoch is judged.", "エポックの番号が最大の記録を調べています。"),
    hint=(
        "Is the record that was added last always the one with the largest epoch?",
        "最後に追加された記録は、いつもエポックの番号が最大だと言えるでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        return max(self.history, key=lambda record: record[0])


@bank.add(
    "monitor-mean-of-history",
    fails=(NEWEST,),
    cause=("Norms are averaged over all records.", "すべての記録のノルムを平均しています。"),
    hint=(
        "If a gradient exploded long ago, is the network still ill?",
        "ずっと前に勾配が爆発したネットワークは、いまも異常だと言えるでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        epoch, newest = self.history[-1]
        return epoch, {layer: float(np.mean([norms[layer] for _, norms in self.history])) for layer in newest}


@bank.add(
    "monitor-every-record",
    fails=(NEWEST,),
    cause=("The problems of all records are reported.", "すべての記録の問題を報告しています。"),
    hint=(
        "When the network has recovered, is your list empty again?",
        "ネットワークが回復したとき、リストは空に戻るでしょうか？",
    ),
)
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        history, found = self.history, []
        for i in range(len(history)):
            self.history = history[: i + 1]
            found += super().detect_problems(*thresholds, **named)
        self.history = history
        return found


@bank.add(
    "monitor-no-record-crashes",
    fails=(HEALTHY,),
    cause=(
        "The newest record is read even when there is none.",
        "記録がないときにも、最後の記録を読もうとしています。",
    ),
    hint=(
        "What is history[-1] of an empty list?",
        "空のリストで history[-1] を読むと、どうなるでしょうか？",
    ),
)
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        self.history[-1]
        return super().detect_problems(*thresholds, **named)


@bank.add(
    "monitor-epochs-merged",
    fails=(NEWEST,),
    cause=(
        "Records of the same epoch are merged into one.",
        "エポックの番号が同じ記録を、1 つにまとめています。",
    ),
    hint=(
        "If an epoch is recorded twice, which record was added last, and which layers are in it?",
        "同じエポックが 2 回記録されたとき、最後に追加された記録はどれで、そこにはどの層が入っているでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        newest, _ = self.history[-1]
        merged = {}
        for epoch, norms in self.history:
            if epoch == newest:
                merged |= norms
        return newest, merged


@bank.add(
    "monitor-older-records-dropped",
    fails=(STAYS,),
    cause=("Older records are removed from history.", "古い記録を history から消しています。"),
    hint=(
        "What can plot() still show after you asked for problems?",
        "問題を調べた後で plot() を呼ぶと、何が描けるでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        self.history = self.history[-1:]
        return self.history[-1]


@bank.add(
    "monitor-history-sorted",
    fails=(STAYS,),
    cause=("history itself is sorted by epoch.", "history そのものをエポックの順に並べ替えています。"),
    hint=(
        "Is history still in the order in which the records were added?",
        "history は、記録を追加した順番のままになっているでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        newest = self.history[-1]
        self.history.sort(key=lambda record: record[0])
        return newest


@bank.add(
    "monitor-record-used-up",
    fails=(STAYS,),
    cause=("The newest record is taken out of history (pop).", "最後の記録を history から取り出しています（pop）。"),
    hint=(
        "What does history hold after you asked, and what if you ask again?",
        "調べた後の history には何が残り、もう一度調べるとどうなるでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        return self.history.pop()


@bank.add(
    "monitor-problems-pile-up",
    fails=(NEWEST,),
    cause=("Problems are added to a list that is never emptied.", "問題を追加しているリストが、一度も空に戻りません。"),
    hint=(
        "If you ask twice, is every problem reported once?",
        "2 回続けて調べても、それぞれの問題は 1 回ずつ報告されるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        self.problems = [*getattr(self, "problems", []), *found]
        return self.problems


@bank.add(
    "monitor-history-shared",
    fails=(HEALTHY,),
    cause=(
        "history belongs to the class, so that all monitors share it.",
        "history がクラスのもので、すべてのモニターが共有しています。",
    ),
    hint=(
        "Does a monitor that you have just made know of other networks?",
        "作ったばかりのモニターに、ほかのネットワークの記録が入っていないでしょうか？",
    ),
)
class _(Steps):
    history = []  # noqa: RUF012 (this is the mistake)

    def __init__(self):
        pass


# --- which layers ----------------------------------------------------------------------------------------------------


@bank.add(
    "monitor-first-problem-only",
    fails=(KINDS,),
    cause=("Only the first problem is reported.", "最初に見つけた問題だけを報告しています。"),
    hint=(
        "Is your return statement inside the loop?",
        "return は、ループの中にあるでしょうか、外にあるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        return found[:1]


@bank.add(
    "monitor-ends-only",
    fails=(KINDS,),
    cause=("Only the first and the last layer are looked at.", "最初と最後の層だけを調べています。"),
    hint=("Can a layer in the middle be ill?", "途中の層に異常が起きることはないでしょうか？"),
)
class _(Steps):
    def layers_to_judge(self, norms):
        return [*norms.items()][:: max(1, len(norms) - 1)]


@bank.add(
    "monitor-mean-over-layers",
    fails=(KINDS, NONFINITE),
    cause=("The mean norm of all layers is judged.", "全部の層のノルムの平均を調べています。"),
    hint=(
        "Does your list say which layer is ill?",
        "あなたのリストから、どの層に異常があるか分かるでしょうか？",
    ),
)
class _(Steps):
    def layers_to_judge(self, norms):
        return [(next(iter(norms)), float(np.mean(list(norms.values()))))]


@bank.add(
    "monitor-extremes-only",
    fails=(KINDS,),
    cause=("Only the smallest and the largest norm are looked at.", "最小と最大のノルムだけを調べています。"),
    hint=("Can two layers vanish at once?", "2 つの層の勾配が同時に消えることはないでしょうか？"),
)
class _(Steps):
    def layers_to_judge(self, norms):
        extremes = {min(norms, key=norms.get), max(norms, key=norms.get)}
        return [(layer, norm) for layer, norm in norms.items() if layer in extremes]


@bank.add(
    "monitor-sorted-by-name",
    fails=(NEWEST,),
    cause=("Problems are sorted by the layers' names.", "問題を層の名前の順に並べ替えています。"),
    hint=(
        "In which order should the problems stand?",
        "問題は、どの順番で並べることになっているでしょうか？",
    ),
)
class _(Steps):
    def layers_to_judge(self, norms):
        return sorted(norms.items())


@bank.add(
    "monitor-grouped-by-kind",
    fails=(NEWEST,),
    cause=("Problems are grouped by their kind.", "問題を種類ごとにまとめて並べています。"),
    hint=(
        "When the layers are read from first to last, in which order do the problems come?",
        "層を記録の順に見ていくと、問題はどの順番で見つかるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        return sorted(found, key=lambda problem: ["vanishing", "exploding", "nonfinite"].index(problem.kind))


# --- what is reported ------------------------------------------------------------------------------------------------


@bank.add(
    "monitor-returns-tuple",
    fails=(NEWEST,),
    cause=("A tuple is returned instead of a list.", "リストではなく、タプルを返しています。"),
    hint=(
        "Can another problem be appended to what you return?",
        "あなたの戻り値に、append で問題を 1 つ足せるでしょうか？",
    ),
)
class _(Steps):
    def detect_problems(self, *args, **thresholds):
        return tuple(super().detect_problems(*args, **thresholds))


@bank.add(
    "monitor-none-when-healthy",
    fails=(HEALTHY,),
    cause=("A healthy network gives None.", "健康なネットワークに対して None を返しています。"),
    hint=(
        "Can `for problem in monitor.detect_problems()` run on your answer for a healthy network?",
        "健康なネットワークのとき、戻り値を `for problem in ...` で回せるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        return found or None


@bank.add(
    "monitor-none-without-record",
    fails=(HEALTHY,),
    cause=("Without a record the answer is None.", "記録がないとき、None を返しています。"),
    hint=(
        "Which list says that there is no problem?",
        "「問題がない」ことを表すリストは、どんなリストでしょうか？",
    ),
)
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        return super().detect_problems(*thresholds, **named) if self.history else None


@bank.add(
    "monitor-prints",
    fails=(KINDS, NONFINITE, THRESHOLDS),
    cause=("Problems are printed and not returned.", "問題を表示しているだけで、返していません。"),
    hint=(
        "Can another part of the program read your answer?",
        "プログラムのほかの部分は、あなたの結果を受け取れるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        print(*found, sep="\n")


@bank.add(
    "monitor-yields",
    fails=(NEWEST,),
    cause=("A generator is returned instead of a list.", "リストではなく、ジェネレータを返しています。"),
    hint=(
        "What does len() say about your answer?",
        "戻り値に len() を使うと、どうなるでしょうか？",
    ),
)
class _(Steps):
    def report(self, found):
        yield from found


@bank.add(
    "monitor-no-problem-objects",
    fails=(KINDS, NONFINITE, THRESHOLDS),
    cause=(
        "Problems are not Problem objects, but strings, dicts or tuples.",
        "Problem ではなく、文字列や辞書、タプルで返しています。",
    ),
    hint=(
        "Which class from autograder.layers holds one problem?",
        "1 つの問題を表すために、autograder.layers にはどんなクラスがあるでしょうか？",
    ),
)
class _(Steps):
    def problem(self, *fields):
        return vars(super().problem(*fields))


@bank.add(
    "monitor-layer-by-number",
    fails=(KINDS, NONFINITE, THRESHOLDS),
    cause=("The layer is given by its number, not by its name.", "層を名前ではなく、番号で表しています。"),
    hint=(
        "What are the keys of the norms in history?",
        "history にあるノルムの辞書では、何がキーになっているでしょうか？",
    ),
)
class _(Steps):
    def layers_to_judge(self, norms):
        return list(enumerate(norms.values()))


@bank.add(
    "monitor-fields-swapped",
    fails=(KINDS, NONFINITE, THRESHOLDS),
    cause=("The fields of Problem are given in another order.", "Problem に渡す値の順番が違っています。"),
    hint=("What is the first field of Problem?", "Problem の最初のフィールドは何でしょうか？"),
)
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(kind, layer, norm, epoch)


@bank.add(
    "monitor-norm-and-epoch-swapped",
    fails=(KINDS,),
    cause=("Norm and epoch are given to Problem in the wrong order.", "Problem に渡すノルムとエポックの順番が逆です。"),
    hint=(
        "What do problem.norm and problem.epoch show for one of your problems?",
        "見つけた問題の problem.norm と problem.epoch を表示すると、どんな値が出るでしょうか？",
    ),
)
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, epoch, norm)


@bank.add(
    "monitor-number-of-record-for-epoch",
    fails=(KINDS,),
    cause=(
        "The epoch is the record's place in history.",
        "エポックではなく、記録が history の何番目かを入れています。",
    ),
    hint=(
        "If recording starts at epoch 10, which epoch does your problem show?",
        "エポック 10 から記録を始めたとき、あなたの Problem にはどのエポックが入るでしょうか？",
    ),
)
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, norm, len(self.history) - 1)


@bank.add(
    "monitor-norm-rounded",
    fails=(KINDS,),
    cause=("The norm is rounded.", "ノルムを丸めています。"),
    hint=(
        "What is left of a norm of 1e-12 after rounding?",
        "1e-12 というノルムを丸めると、何が残るでしょうか？",
    ),
)
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, round(norm, 4), epoch)


# --- changes to what was given ---------------------------------------------------------------------------------------


@bank.add(
    "monitor-records-every-layer-number",
    fails=(KINDS,),
    cause=(
        "record was changed: activation layers are counted in the names.",
        "record が変更され、名前の番号に活性化層も数えられています。",
    ),
    hint=(
        "Which name does the second Linear layer get?",
        "2 番目の Linear 層には、どんな名前が付くでしょうか？",
    ),
)
class _(Steps):
    def record(self, epoch, layers):
        norms = {
            f"Linear_{i}": float(np.linalg.norm(layer.grads["W"]))
            for i, layer in enumerate(layers)
            if isinstance(layer, Linear) and layer.grads["W"] is not None
        }
        self.history.append((epoch, norms))


@bank.add(
    "monitor-records-sums",
    fails=(KINDS,),
    cause=(
        "record was changed: it adds up the gradient's entries.",
        "record が変更され、勾配の成分の合計を記録しています。",
    ),
    hint=("What does your record hold for the gradient [3, -4]?", "勾配が [3, -4] のとき、何が記録されるでしょうか？"),
)
class _(Steps):
    def record(self, epoch, layers):
        linear = [layer for layer in layers if isinstance(layer, Linear) and layer.grads["W"] is not None]
        self.history.append((epoch, {f"Linear_{i}": abs(layer.grads["W"].sum()) for i, layer in enumerate(linear)}))


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add(
    "monitor-nonfinite-unnoticed-in-first-record",
    pair=True,
    fails=(NONFINITE, NEWEST),
    cause=(
        "The first record is judged, and only by comparing with the thresholds.",
        "最初の記録を、閾値と比べるだけで調べています。",
    ),
    hint=(
        "Which record do you read, and what do you do with a NaN in it?",
        "どの記録を読み、そこに NaN があったら、どうしているでしょうか？",
    ),
)
class _(Steps):
    def record_to_judge(self):
        return self.history[0]

    def nonfinite(self, norm):
        return None


@bank.add(
    "monitor-thresholds-ignored-and-zero-skipped",
    pair=True,
    fails=(KINDS, THRESHOLDS),
    cause=(
        "The thresholds are fixed in the code, and a norm of zero is skipped.",
        "閾値がコードの中で固定され、しかもノルムが 0 の層を飛ばしています。",
    ),
    hint=(
        "What does your monitor say about a norm of 0, and what changes with other thresholds?",
        "ノルムが 0 の層はどう判定され、閾値を変えると何が変わるでしょうか？",
    ),
)
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1e-7, 1e3) if norm else None


@bank.add(
    "monitor-first-problem-and-nan-unnoticed",
    pair=True,
    fails=(KINDS, NONFINITE),
    cause=(
        "Only the first problem is reported, and NaN is not looked for.",
        "最初の問題だけを報告し、しかも NaN を調べていません。",
    ),
    hint=(
        "With the norms [1e-9, nan], how many problems are there, and of which kinds?",
        "ノルムが [1e-9, nan] のとき、問題はいくつあり、それぞれどの種類でしょうか？",
    ),
)
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isinf(norm) else None

    def report(self, found):
        return found[:1]
