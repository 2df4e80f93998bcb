"""Hints for each check, in the order of the lesson: where to look, then which formula. They point, and no more.

The question that belongs to a diagnosed mistake, and the section of the lesson, are added to them when they are given.
"""

from __future__ import annotations

from autograder.exercises import Guide, Words


def _words(en: str, ja: str) -> Words:
    return {"en": en, "ja": ja}


_CLIPPING = Guide(
    _words('Section 2.2, "Gradient clipping"', "セクション 2.2「勾配クリッピング」"),
    {
        "clips": (
            _words(
                "Print what your function returns for large gradients, and one of them before and after the call.",
                "大きな勾配について、関数の戻り値と、呼び出しの前後の勾配を 1 つ表示してください。",
            ),
            _words(
                "Which of your lines measure the gradients, and which write into `layer.grads`?",
                "勾配を測っている行はどれですか。`layer.grads` に書き込む行はどれですか。",
            ),
        ),
        "total_norm": (
            _words(
                "Look at where you walk through the layers: which arrays in `grads` do you meet, and which are "
                "passed over?",
                "層をたどるところを見てください。`grads` のどの配列を数え、どれを飛ばしていますか。",
            ),
            _words(
                "In the formula of the norm three sums stand under one root. What is inside your root, and what "
                "outside?",
                "ノルムの式では、1 つの根号の中に和が 3 つあります。あなたの根号の中と外には何がありますか。",
            ),
        ),
        "factor": (
            _words(
                "Print one gradient of the caller before and after the call: is it the array that you changed, and by "
                "which number was it multiplied?",
                "呼び出し側の勾配を 1 つ、呼び出しの前と後で表示してください。書き換えたのは、その配列ですか。"
                "何が掛けられていますか。",
            ),
            _words(
                "Which lines write into `layer.grads` or into its arrays, and which only give a name a new value? And "
                "which two numbers stand in the formula of c?",
                "`layer.grads` やその配列に書き込む行はどれですか。名前に新しい値を付けるだけの行はどれですか。"
                "また、c の式にある 2 つの数は何ですか。",
            ),
        ),
        "scales_all_alike": (
            _words(
                "Divide every gradient after the call by the same gradient before it: which number comes out for each?",
                "呼び出しの後の勾配を、前の同じ勾配で割ってみてください。それぞれいくつになりますか。",
            ),
            _words(
                "The direction of g must stay: the formula of c holds the joint norm. How many values of c may "
                "there be?",
                "g の向きは変わりません。c の式にあるのは全体のノルムです。c の値はいくつあってよいでしょうか。",
            ),
        ),
        "coefficient": (
            _words(
                "Look at what you return beside the norm, in both cases: gradients too long, gradients short enough.",
                "ノルムと一緒に返している値を、勾配が長すぎる場合と短い場合の両方で見てください。",
            ),
            _words("What does the `min` in the formula of c do?", "c の式にある `min` は何をしていますか。"),
        ),
        "small_stay": (
            _words(
                "Call your function with gradients of norm 0.5 and `max_norm=1.0`, and compare them before and after.",
                "ノルムが 0.5 の勾配と `max_norm=1.0` で関数を呼び、前と後を比べてください。",
            ),
            _words(
                "When does the specification multiply, and what is c otherwise?",
                "仕様では、どんなときに掛け算をしますか。それ以外のとき c はいくつですか。",
            ),
        ),
        "none_skipped": (
            _words(
                "Set one entry of `grads` to None and call your function: what changes beside that entry?",
                "`grads` の 1 つを None にして関数を呼んでください。その要素のほかに、何が変わりますか。",
            ),
            _words(
                "Where does your function ask whether a gradient is there, and what does it leave in its place?",
                "勾配があるかどうかを、関数のどこで調べていますか。ないときは、そこに何を残しますか。",
            ),
        ),
        "nothing_to_clip": (
            _words(
                "Call your function with `[]`, and with a layer whose `grads` hold only `None`.",
                "`[]` と、`grads` が `None` だけの層で、関数を呼んでみてください。",
            ),
            _words(
                "What is the norm of nothing, and is there a division by it?",
                "何もないときのノルムはいくつですか。それで割っているところはありませんか。",
            ),
        ),
        "nonfinite": (
            _words(
                "Follow one NaN through your function: which comparison meets it first, and what comes of it?",
                "NaN を 1 つ、関数の中で追ってください。最初に出会う比較はどれで、結果はどうなりますか。",
            ),
            _words(
                "What is the total norm when one gradient is NaN or infinite? And has anything been changed by then?",
                "勾配に NaN や無限大があると、全体のノルムはどうなりますか。その時点で、"
                "もう何かを書き換えていませんか。",
            ),
        ),
        "parameters_stay": (
            _words(
                "Look for every place where you assign something: is it always in `grads`?",
                "代入しているところをすべて見てください。どれも `grads` に対するものですか。",
            ),
            _words(
                "Clipping is a rule for g alone. Which step of training changes the parameters?",
                "クリッピングは g だけの規則です。パラメータを変えるのは、学習のどの段階ですか。",
            ),
        ),
    },
)

_MONITOR = Guide(
    _words('Section 6.1, "The class GradientMonitor"', "セクション 6.1「GradientMonitor クラス」"),
    {
        "layers": (
            _words(
                "Print the newest record, and walk through it with your eyes: for which layers should there be a "
                "problem?",
                "最新の記録を表示し、目で順に追ってください。どの層に問題があるはずですか。",
            ),
            _words(
                "Does your loop reach every layer? What becomes of a norm of exactly 0?",
                "ループはすべての層に届いていますか。ちょうど 0 のノルムはどうなりますか。",
            ),
        ),
        "kinds": (
            _words(
                "Print the kind that you give to a norm of 1e-9, and to one of 1e6.",
                "ノルムが 1e-9 のときと 1e6 のとき、どの種類になるかを表示してください。",
            ),
            _words(
                "The specification says for each kind in which direction a norm leaves its threshold.",
                "仕様には、種類ごとに、ノルムが閾値をどちら側に外れるかが書いてあります。",
            ),
        ),
        "nonfinite": (
            _words(
                "Try `float('nan') < 1e-7` and `float('nan') > 1e3` in a cell.",
                "セルで `float('nan') < 1e-7` と `float('nan') > 1e3` を試してください。",
            ),
            _words(
                "An infinite norm is also above a threshold: which kind should be looked for first?",
                "無限大のノルムは閾値も超えています。どの種類を先に調べるべきですか。",
            ),
        ),
        "thresholds": (
            _words(
                "Look for numbers in your method: does any of them stand where a parameter should?",
                "メソッドの中の数字を探してください。引数を使うべきところに数字が書かれていませんか。",
            ),
            _words(
                "Each kind has its own threshold. Which one stands in which of your comparisons?",
                "種類ごとに閾値があります。どの比較にどの閾値を使っていますか。",
            ),
        ),
        "newest": (
            _words(
                "Look at what your method reads of `history`, and what it leaves behind: what if there are two "
                "records?",
                "`history` のどこを読み、何を残しているかを見てください。記録が 2 つのときはどうなりますか。",
            ),
            _words(
                "The newest record is the one that was added last. Are epochs always counted upwards?",
                "最新の記録とは、最後に追加された記録です。エポックの番号は、いつも増えていくでしょうか。",
            ),
        ),
        "list_of_problems": (
            _words(
                "Print your answer, its type, and the four fields of its first problem.",
                "戻り値とその型、最初の問題の 4 つのフィールドを表示してください。",
            ),
            _words(
                "Layers keep the order of the record. Does anything in your code sort or regroup them?",
                "層は記録の順番のままです。コードのどこかで並べ替えたり、まとめ直したりしていませんか。",
            ),
        ),
        "healthy": (
            _words(
                "Ask a new monitor, and one whose only record is healthy: what comes back?",
                "新しい monitor と、正常な記録だけを持つ monitor に尋ねてください。何が返りますか。",
            ),
            _words(
                "What does your method return when it comes to its end without having found anything?",
                "何も見つけずに最後まで来たとき、メソッドは何を返しますか。",
            ),
        ),
        "history_stays": (
            _words(
                "Copy `history`, ask twice, and compare both answers and both histories.",
                "`history` をコピーしておき、2 回尋ねて、答えと `history` をそれぞれ比べてください。",
            ),
            _words(
                "Which of your lines change a list or a dictionary that they did not make?",
                "自分で作っていないリストや辞書を変える行はどれですか。",
            ),
        ),
    },
)

_SLOPE = Guide(
    _words('Section 6.3, "Measuring the slope"', "セクション 6.3「坂を測る」"),
    {
        "depends_on_norms": (
            _words(
                "Print what your function returns, and its type, for two different lists of norms.",
                "違うノルムのリスト 2 つについて、関数の戻り値とその型を表示してください。",
            ),
            _words(
                "Which of your lines look at the norms, and does what they find reach the answer?",
                "ノルムを見ている行はどれですか。そこで得たものは、答えまで届いていますか。",
            ),
        ),
        "line": (
            _words(
                "Try three norms that you can do by heart: 0.01, 0.1, 1. By how many decades does each step rise? "
                "Is your answer that one number?",
                "暗算できる 3 つのノルム 0.01、0.1、1 で試してください。1 歩ごとに何桁上がりますか。"
                "答えは、その数 1 つですか。",
            ),
            _words(
                "The line is fitted to log10 of the norms over the layer number. Which logarithm, which axis, "
                "which sign?",
                "直線は、層番号に対するノルムの log10 に当てはめます。対数の底、軸、符号は合っていますか。",
            ),
        ),
        "scatter": (
            _words(
                "Change one norm in the middle of the list: does your slope change?",
                "リストの途中のノルムを 1 つ変えてください。傾きは変わりますか。",
            ),
            _words(
                "Least squares: the a and b for which the squared distances of all layers from a l + b are "
                "smallest together.",
                "最小二乗法では、"
                "すべての層について a l + b からのずれの二乗を合わせたものが最小になる a と b をとります。",
            ),
        ),
        "zeros": (
            _words(
                "Call your function with a zero in the list, and look at what log10 makes of it.",
                "0 を含むリストで関数を呼び、log10 の結果を見てください。",
            ),
            _words(
                "The specification names the number that a zero counts as. What happens to the other norms?",
                "0 を何とみなすかは仕様に書いてあります。ほかのノルムはどうなりますか。",
            ),
        ),
        "nonfinite": (
            _words(
                "Call your function with NaN, and with infinity: what comes back?",
                "NaN と無限大で関数を呼んでください。何が返ってきますか。",
            ),
            _words(
                "Which function of NumPy tells whether a number is finite, and where in your function must that "
                "be asked?",
                "数が有限かどうかを調べる NumPy の関数は何ですか。関数のどこで調べるべきですか。",
            ),
        ),
        "list": (
            _words(
                "Call your function with `[0.01, 0.1, 1.0]` and with an array of these: where do the two part?",
                "`[0.01, 0.1, 1.0]` と、それを配列にしたもので関数を呼んでください。どこから違ってきますか。",
            ),
            _words(
                "Which of your lines need an array, and where does the list become one?",
                "配列でないと動かない行はどれですか。リストは、どこで配列になりますか。",
            ),
        ),
        "input_stays": (
            _words(
                "Print the caller's array before and after the call.",
                "渡した配列を、呼び出しの前後で表示してください。",
            ),
            _words(
                "Is your array the caller's own or a copy?",
                "使っている配列は、渡されたそのものですか、コピーですか。",
            ),
        ),
    },
)

_BATCH_NORM = _words('Section 8.1, "Implementing Batch Normalization"', "セクション 8.1「Batch Normalization の実装」")

_FORWARD = Guide(
    _BATCH_NORM,
    {
        "standardises": (
            _words(
                "Print the mean and the variance of each column of your output. Along which axis should they be "
                "0 and 1?",
                "出力の各列の平均と分散を表示してください。0 と 1 になるのは、どの軸についてですか。",
            ),
            _words(
                "The formulas of μ and σ² each begin with 1/N and a sum over i. What is N, and what does i count?",
                "μ と σ² の式は、どちらも 1/N と i についての和で始まります。N は何で、i は何を数えますか。",
            ),
        ),
        "gamma_and_beta": (
            _words(
                "Set `gamma` and `beta` to numbers of your own before a forward, and look at the mean and spread "
                "of each column.",
                "順伝播の前に `gamma` と `beta` を好きな値にして、各列の平均と広がりを見てください。",
            ),
            _words(
                "The last formula makes y of x̂. Where does your code read `gamma` and `beta`, and when?",
                "最後の式は x̂ から y を作ります。コードは `gamma` と `beta` をどこで、いつ読んでいますか。",
            ),
        ),
        "small_spread": (
            _words(
                "Try a column of equal values, and one with a spread of 0.003: print the denominator.",
                "値がすべて等しい列と、広がりが 0.003 の列を試し、分母を表示してください。",
            ),
            _words(
                "In the formula of x̂, where exactly does ε stand, and which ε does your layer use?",
                "x̂ の式で、ε は正確にはどこにありますか。層はどの ε を使っていますか。",
            ),
        ),
        "constant_columns": (
            _words(
                "Make a column of equal values, and print its variance and your denominator.",
                "値がすべて等しい列を作り、その分散と、あなたの分母を表示してください。",
            ),
            _words(
                "What keeps the denominator of the formula away from 0?",
                "式の分母が 0 にならないのは、何のおかげですか。",
            ),
        ),
        "input_stays": (
            _words(
                "Keep a copy of x, call `forward(x)`, and compare.",
                "x のコピーをとっておき、`forward(x)` を呼んでから比べてください。",
            ),
            _words(
                "Which of your lines write into an array that they did not make? What do two layers share?",
                "自分で作っていない配列に書き込む行はどれですか。2 つの層が共有しているものは何ですか。",
            ),
        ),
    },
)

_BACKWARD = Guide(
    _BATCH_NORM,
    {
        "dbeta": (
            _words(
                'Look at the shape of `grads["beta"]`, and at how often each element of beta is used in one forward.',
                '`grads["beta"]` の形と、beta の各要素が 1 回の順伝播で何度使われるかを見てください。',
            ),
            _words(
                "In y = γ x̂ + β, what is the derivative of one y with respect to β? What joins the examples of "
                "a batch?",
                "y = γ x̂ + β で、1 つの y を β で微分すると何ですか。バッチの例はどうまとめますか。",
            ),
        ),
        "dgamma": (
            _words(
                'Look at the shape of `grads["gamma"]`, and at what of the forward it needs.',
                '`grads["gamma"]` の形と、順伝播の何が必要かを見てください。',
            ),
            _words(
                "In y = γ x̂ + β, what stands beside γ? The specification says whether the batch is summed or averaged.",
                "y = γ x̂ + β で、γ に掛かっているものは何ですか。バッチについて合計か平均かは、仕様に書いてあります。",
            ),
        ),
        "dx_direct": (
            _words(
                "Print dx beside dout: by what is each column of dout multiplied?",
                "dx を dout と並べて表示してください。dout の各列には何が掛かっていますか。",
            ),
            _words(
                "y = γ x̂ + β, and x̂ is a fraction: what does each of the two formulas multiply dout by?",
                "y = γ x̂ + β で、x̂ は分数です。この 2 つの式は、dout にそれぞれ何を掛けますか。",
            ),
        ),
        "dx_through_mean": (
            _words(
                "Print the column sums of your dx: all should be 0 within rounding. If not, a path is missing.",
                "dx の列ごとの合計を表示してください。丸め誤差の範囲で 0 のはずです。違うなら、道が足りません。",
            ),
            _words(
                "Every x of a column is in μ. How much of μ is one x, and which x̂ does μ reach?",
                "μ には列のすべての x が入っています。1 つの x は μ のどれだけを占め、μ はどの x̂ に影響しますか。",
            ),
        ),
        "dx_through_variance": (
            _words(
                "Print the column sums of dx * x̂: where eps is small beside σ², they should be nearly 0.",
                "dx * x̂ の列ごとの合計を表示してください。eps が σ² よりずっと小さければ、ほぼ 0 になるはずです。",
            ),
            _words(
                "Three paths lead from x to the loss: straight to x̂, through μ, through σ². Write down the derivative "
                "along each, then which of them touch all examples of the column.",
                "x から損失までの道は 3 本です。x̂ への直通、μ を通る道、σ² を通る道。それぞれの微分と、"
                "列のすべての例に影響するのはどれかを書き出してください。",
            ),
        ),
        "own_forward": (
            _words(
                "Move one x a little, and see by how much the sum of dout * y changes: that is its derivative.",
                "x を 1 つ少しだけ動かし、dout * y の合計がどれだけ変わるかを見てください。それが微分です。",
            ),
            _words(
                "Does your backward differentiate the very lines of your forward, or another formula?",
                "あなたの backward は、あなたの forward の式そのものを微分していますか。それとも別の式ですか。",
            ),
        ),
        "repeatable": (
            _words(
                "Call `backward(dout)` twice after one forward, and compare dx and both gradients.",
                "1 回の順伝播のあとに `backward(dout)` を 2 回呼び、dx と 2 つの勾配を比べてください。",
            ),
            _words(
                "What does backward write to, beside `grads`? Which values are still the same at the second call?",
                "逆伝播は `grads` のほかに何へ書き込みますか。2 回目の呼び出しでも同じままの値はどれですか。",
            ),
        ),
        "last_forward": (
            _words(
                "Call forward with two batches, then `backward(dout)`: from which batch are the values that it reads?",
                "2 つのバッチで順に forward を呼び、それから `backward(dout)` を呼びます。"
                "読んでいる値は、どちらのバッチのものですか。",
            ),
            _words(
                "Where does forward leave what backward needs? Is that place this layer's own, and new each time?",
                "forward は、backward に必要なものをどこに残していますか。そこはこの層だけのもので、毎回変わりますか。",
            ),
        ),
    },
)

_INFERENCE = Guide(
    _BATCH_NORM,
    {
        "running_statistics": (
            _words(
                "Print `running_mean` and `running_var` after one training forward: how far did they move from 0 "
                "and 1?",
                "訓練時の順伝播を 1 回行い、`running_mean` と `running_var` を表示してください。"
                "0 と 1 からどれだけ動きましたか。",
            ),
            _words(
                "In the update formula, which of the two terms gets the larger share while momentum is 0.9?",
                "更新の式で momentum が 0.9 のとき、2 つの項のうち割合が大きいのはどちらですか。",
            ),
        ),
        "prediction": (
            _words(
                "Set `training = False` and give one row alone: which statistics does the output depend on?",
                "`training = False` にして 1 行だけ入力してください。出力はどの統計量で決まりますか。",
            ),
            _words(
                "The formula of x̂ stays; only μ and σ² are other numbers. What of eps, γ and β?",
                "x̂ の式は同じで、μ と σ² の値だけが変わります。eps、γ、β はどうですか。",
            ),
        ),
        "single_row": (
            _words(
                "Set `training = False`, and give your layer an array of shape (1, D).",
                "`training = False` にして、形が (1, D) の配列を層に渡してください。",
            ),
            _words(
                "Does anything in the prediction depend on how many rows there are?",
                "推論の計算の中に、行の数によって変わるところはありますか。",
            ),
        ),
        "prediction_learns_nothing": (
            _words(
                "Compare the running statistics before and after a forward with `training = False`.",
                "`training = False` の順伝播の前後で、移動統計量を比べてください。",
            ),
            _words(
                "In which of the two modes does the update formula apply?",
                "更新の式を使うのは、2 つのモードのどちらですか。",
            ),
        ),
        "backward_of_prediction": (
            _words(
                "In prediction, does the output of one row depend on the other rows of the batch?",
                "推論のとき、ある行の出力は、バッチのほかの行によりますか。",
            ),
            _words(
                "Of the three paths from x to the loss, which are left when μ and σ² are constants?",
                "μ と σ² が定数なら、x から損失までの 3 本の道のうち、どれが残りますか。",
            ),
        ),
        "back_in_training": (
            _words(
                "Predict once, set `training = True` again, and compare a training step with that of a new layer.",
                "一度推論してから `training = True` に戻し、訓練の 1 ステップを新しい層のものと比べてください。",
            ),
            _words(
                "What does a prediction leave behind in the layer? What decides which branch runs next?",
                "推論は層に何を残しますか。次にどちらの枝が実行されるかは、何で決まりますか。",
            ),
        ),
    },
)

_DEPTH = Guide(
    _words('Section 8.2, "A study of depth"', "セクション 8.2「深さの研究」"),
    {
        "seed": (
            _words(
                "Ask for two depths at once, then for the second alone: are its losses the same?",
                "2 つの深さをまとめて調べ、次に 2 つ目だけを調べてください。損失は同じになりますか。",
            ),
            _words(
                "The weights come from the generator that you hand over. From which seed, and made anew for "
                "which loop?",
                "重みは、渡した生成器から作られます。シードは何で、どのループごとに作り直しますか。",
            ),
        ),
        "record": (
            _words(
                "Call your function with `steps=3` and two depths, and print keys and shapes of what comes back.",
                "`steps=3` と 2 つの深さで関数を呼び、戻り値のキーと形を表示してください。",
            ),
            _words(
                "How does the specification spell the two names, and which axis of `grad_norms` is that of the steps?",
                "仕様では 2 つの名前はどう書かれ、`grad_norms` のどちらの軸がステップですか。",
            ),
        ),
        "loss": (
            _words(
                "Compare your first loss, and one gradient, with those of `forward_backward` on the untrained network.",
                "最初の損失と勾配の 1 つを、学習前のネットワークでの `forward_backward` の結果と比べてください。",
            ),
            _words(
                "Over how many numbers does `MSELoss` take its mean, and what is the derivative of that mean?",
                "`MSELoss` はいくつの数の平均をとりますか。その平均の微分は何ですか。",
            ),
        ),
        "gradient_norms": (
            _words(
                "Print the names of the layers beside your norms: which layers are counted, and in which order?",
                "ノルムの横に層の名前を表示してください。どの層を、どの順に数えていますか。",
            ),
            _words(
                "The norm of a matrix here is the root of the sum of the squares of all its entries, for W alone.",
                "ここでの行列のノルムは、W だけについて、すべての成分の二乗和の平方根です。",
            ),
        ),
        "before_update": (
            _words(
                "Look at the order of forward, backward, recording and updating within one step.",
                "1 ステップの中の、順伝播、逆伝播、記録、更新の順番を見てください。",
            ),
            _words(
                "Loss and norms of one row belong to the same weights: those before that row's update.",
                "同じ行の損失とノルムは、同じ重み、つまりその行の更新より前の重みについての値です。",
            ),
        ),
        "update": (
            _words(
                "Print one W and one b before and after the first step: what happened to each?",
                "W と b を 1 つずつ、最初のステップの前と後で表示してください。それぞれに何が起きましたか。",
            ),
            _words(
                "One step of gradient descent: parameter, minus lr times its gradient. With gradients of which "
                "forward?",
                "勾配降下の 1 歩は、パラメータから lr × 勾配を引くことです。どの順伝播の勾配ですか。",
            ),
        ),
        "settings": (
            _words(
                "Call your function with another lr and other steps: does the result change as it should?",
                "lr と steps を変えて関数を呼んでください。結果は期待どおりに変わりますか。",
            ),
            _words(
                "By which number is a gradient multiplied in your update, at every step and at every depth?",
                "更新の中で、勾配に掛けている数は何ですか。どのステップでも、どの深さでも同じですか。",
            ),
        ),
        "depths": (
            _words(
                "Ask for two depths at once, and print the keys and shapes of what comes back.",
                "2 つの深さをまとめて調べ、戻り値のキーと形を表示してください。",
            ),
            _words(
                "What of one depth is still there when the next one begins?",
                "次の深さが始まるとき、前の深さの何が残っていますか。",
            ),
        ),
        "all_parameters": (
            _words(
                "Print the names in `params` of every layer of a network with normalisation layers.",
                "正規化層のあるネットワークで、各層の `params` にある名前を表示してください。",
            ),
            _words(
                "Which layers, and which names, does your update reach?",
                "あなたの更新は、どの層の、どの名前に届いていますか。",
            ),
        ),
        "overflow": (
            _words(
                "Train with a very large lr, and look at what your record holds after the first NaN.",
                "とても大きな lr で学習させ、最初の NaN のあとの記録を見てください。",
            ),
            _words(
                "The specification says what is recorded then. Does any line of yours stop, skip or replace it?",
                "そのときに何を記録するかは、仕様に書いてあります。途中で止めたり、飛ばしたり、"
                "置きかえたりする行はありませんか。",
            ),
        ),
    },
)

GUIDES = {
    "clip_gradients": _CLIPPING,
    "gradient_monitor": _MONITOR,
    "gradient_profile": _SLOPE,
    "batch_norm_forward": _FORWARD,
    "batch_norm_backward": _BACKWARD,
    "batch_norm_inference": _INFERENCE,
    "depth_study": _DEPTH,
}
"""In the order of the lesson."""
