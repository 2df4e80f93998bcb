"""Known mistakes in `GradientMonitor`: the reference in steps, each mistake a subclass with a step of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.layers import Linear, Problem
from reference.bank import Bank
from reference.gradient_pathology.gradient_monitor.solution import GradientMonitor

bank = Bank(__file__, "GradientMonitor")


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


@bank.add("monitor-nonfinite-unnoticed")
class _(Steps):
    def nonfinite(self, norm):
        return None


@bank.add("monitor-infinity-counts-as-exploding")
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isnan(norm) else None


@bank.add("monitor-nan-unnoticed")
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isinf(norm) else None


@bank.add("monitor-nonfinite-called-exploding")
class _(Steps):
    def nonfinite(self, norm):
        return None if np.isfinite(norm) else "exploding"


@bank.add("monitor-kinds-of-nonfinite")
class _(Steps):
    def nonfinite(self, norm):
        return None if np.isfinite(norm) else str(norm)


@bank.add("monitor-nonfinite-skipped")
class _(Steps):
    def layers_to_judge(self, norms):
        return [(layer, norm) for layer, norm in norms.items() if np.isfinite(norm)]


@bank.add("monitor-nonfinite-hides-the-rest")
class _(Steps):
    def report(self, found):
        return [problem for problem in found if problem.kind == "nonfinite"] or found


@bank.add("monitor-ends-at-nan")
class _(Steps):
    def layers_to_judge(self, norms):
        values = list(norms.values())
        return list(norms.items())[: next((i + 1 for i, norm in enumerate(values) if np.isnan(norm)), None)]


@bank.add("monitor-nan-overwritten")
class _(Steps):
    def record_to_judge(self):
        epoch, norms = self.history[-1]
        norms.update({layer: np.inf for layer, norm in norms.items() if np.isnan(norm)})
        return epoch, norms


# --- thresholds ------------------------------------------------------------------------------------------------------


@bank.add("monitor-thresholds-ignored")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1e-7, 1e3)


@bank.add("monitor-explode-threshold-ignored")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, vanish, 1e3)


@bank.add("monitor-thresholds-swapped")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, explode, vanish)


@bank.add("monitor-kinds-swapped")
class _(Steps):
    def finite(self, norm, vanish, explode):
        kind = super().finite(norm, vanish, explode)
        return {"vanishing": "exploding", "exploding": "vanishing"}.get(kind)


@bank.add("monitor-squares-compared")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm**2, vanish, explode)


@bank.add("monitor-thresholds-widened")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1.2 * vanish, explode / 1.2)


@bank.add("monitor-decades-rounded")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(10.0 ** np.round(np.log10(norm)) if norm > 0 else norm, vanish, explode)


@bank.add("monitor-relative-to-largest")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm / max(self.history[-1][1].values()), vanish, explode)


@bank.add("monitor-zero-skipped")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, vanish, explode) if norm else None


@bank.add("monitor-only-vanishing")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return "vanishing" if norm < vanish else None


# --- which record ----------------------------------------------------------------------------------------------------


@bank.add("monitor-first-record")
class _(Steps):
    def record_to_judge(self):
        return self.history[0]


@bank.add("monitor-largest-epoch")
class _(Steps):
    def record_to_judge(self):
        return max(self.history, key=lambda record: record[0])


@bank.add("monitor-mean-of-history")
class _(Steps):
    def record_to_judge(self):
        epoch, newest = self.history[-1]
        return epoch, {layer: float(np.mean([norms[layer] for _, norms in self.history])) for layer in newest}


@bank.add("monitor-every-record")
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        history, found = self.history, []
        for i in range(len(history)):
            self.history = history[: i + 1]
            found += super().detect_problems(*thresholds, **named)
        self.history = history
        return found


@bank.add("monitor-no-record-crashes")
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        self.history[-1]
        return super().detect_problems(*thresholds, **named)


@bank.add("monitor-older-records-dropped")
class _(Steps):
    def record_to_judge(self):
        self.history = self.history[-1:]
        return self.history[-1]


@bank.add("monitor-history-sorted")
class _(Steps):
    def record_to_judge(self):
        newest = self.history[-1]
        self.history.sort(key=lambda record: record[0])
        return newest


@bank.add("monitor-record-used-up")
class _(Steps):
    def record_to_judge(self):
        return self.history.pop()


@bank.add("monitor-problems-pile-up")
class _(Steps):
    def report(self, found):
        self.problems = [*getattr(self, "problems", []), *found]
        return self.problems


@bank.add("monitor-first-answer-kept")
class _(Steps):
    def report(self, found):
        return self.__dict__.setdefault("answer", found)


@bank.add("monitor-marks-the-record")
class _(Steps):
    def report(self, found):
        self.history[-1][1]["seen"] = 1.0
        return found


@bank.add("monitor-history-shared")
class _(Steps):
    history = []  # noqa: RUF012 (this is the mistake)

    def __init__(self):
        pass


# --- which layers ----------------------------------------------------------------------------------------------------


@bank.add("monitor-first-problem-only")
class _(Steps):
    def report(self, found):
        return found[:1]


@bank.add("monitor-one-problem-a-kind")
class _(Steps):
    def report(self, found):
        first = {problem.kind: problem for problem in reversed(found)}
        return [problem for problem in found if problem is first[problem.kind]]


@bank.add("monitor-ends-only")
class _(Steps):
    def layers_to_judge(self, norms):
        return [*norms.items()][:: max(1, len(norms) - 1)]


@bank.add("monitor-mean-over-layers")
class _(Steps):
    def layers_to_judge(self, norms):
        return [(next(iter(norms)), float(np.mean(list(norms.values()))))]


@bank.add("monitor-extremes-only")
class _(Steps):
    def layers_to_judge(self, norms):
        extremes = {min(norms, key=norms.get), max(norms, key=norms.get)}
        return [(layer, norm) for layer, norm in norms.items() if layer in extremes]


@bank.add("monitor-sorted-by-name")
class _(Steps):
    def layers_to_judge(self, norms):
        return sorted(norms.items())


@bank.add("monitor-grouped-by-kind")
class _(Steps):
    def report(self, found):
        return sorted(found, key=lambda problem: ["vanishing", "exploding", "nonfinite"].index(problem.kind))


@bank.add("monitor-first-layer-only")
class _(Steps):
    def layers_to_judge(self, norms):
        return list(norms.items())[:1]


@bank.add("monitor-list-begins-anew")
class _(Steps):
    def layers_to_judge(self, norms):
        return list(norms.items())[-1:]


@bank.add("monitor-the-rest-explodes")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return "vanishing" if norm < vanish else "exploding"


@bank.add("monitor-healthy-layers-too")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, vanish, explode) or "healthy"


@bank.add("monitor-comparisons-turned")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return "vanishing" if norm > vanish else "exploding" if norm < explode else None


@bank.add("monitor-infinity-reported-twice")
class _(Steps):
    def report(self, found):
        twice = {
            problem: [problem, Problem(problem.layer, "exploding", problem.norm, problem.epoch)] for problem in found
        }
        return [p for problem in found for p in (twice[problem] if problem.norm == np.inf else [problem])]


@bank.add("monitor-refuses-nonfinite")
class _(Steps):
    def nonfinite(self, norm):
        if not np.isfinite(norm):
            raise ValueError("not finite")


# --- what is reported ------------------------------------------------------------------------------------------------


@bank.add("monitor-returns-tuple")
class _(Steps):
    def detect_problems(self, *args, **thresholds):
        return tuple(super().detect_problems(*args, **thresholds))


@bank.add("monitor-none-when-healthy")
class _(Steps):
    def report(self, found):
        return found or None


@bank.add("monitor-none-without-record")
class _(Steps):
    def detect_problems(self, *thresholds, **named):
        return super().detect_problems(*thresholds, **named) if self.history else None


@bank.add("monitor-prints")
class _(Steps):
    def report(self, found):
        print(*found, sep="\n")


@bank.add("monitor-yields")
class _(Steps):
    def report(self, found):
        yield from found


@bank.add("monitor-no-problem-objects")
class _(Steps):
    def problem(self, *fields):
        return vars(super().problem(*fields))


@bank.add("monitor-sentences")
class _(Steps):
    def problem(self, *fields):
        return str(super().problem(*fields))


@bank.add("monitor-counts")
class _(Steps):
    def report(self, found):
        return len(found)


@bank.add("monitor-layer-by-number")
class _(Steps):
    def layers_to_judge(self, norms):
        return list(enumerate(norms.values()))


@bank.add("monitor-fields-swapped")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(kind, layer, norm, epoch)


@bank.add("monitor-norm-and-epoch-swapped")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, epoch, norm)


@bank.add("monitor-norm-missing")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, None, epoch)


@bank.add("monitor-number-of-record-for-epoch")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, norm, len(self.history) - 1)


@bank.add("monitor-norm-rounded")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind, round(norm, 4), epoch)


@bank.add("monitor-kinds-in-capitals")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return Problem(layer, kind.upper(), norm, epoch)


@bank.add("monitor-kinds-alone")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return kind


@bank.add("monitor-names-alone")
class _(Steps):
    def problem(self, layer, kind, norm, epoch):
        return layer


@bank.add("monitor-dictionary")
class _(Steps):
    def report(self, found):
        return {problem.layer: problem.kind for problem in found}


@bank.add("monitor-problem-without-a-list")
class _(Steps):
    def report(self, found):
        return found[0] if found else []


# --- changes to what was given ---------------------------------------------------------------------------------------


@bank.add("monitor-records-every-layer-number")
class _(Steps):
    def record(self, epoch, layers):
        norms = {
            f"Linear_{i}": float(np.linalg.norm(layer.grads["W"]))
            for i, layer in enumerate(layers)
            if isinstance(layer, Linear) and layer.grads["W"] is not None
        }
        self.history.append((epoch, norms))


@bank.add("monitor-records-sums")
class _(Steps):
    def record(self, epoch, layers):
        linear = [layer for layer in layers if isinstance(layer, Linear) and layer.grads["W"] is not None]
        self.history.append((epoch, {f"Linear_{i}": abs(layer.grads["W"].sum()) for i, layer in enumerate(linear)}))


# --- two mistakes at once --------------------------------------------------------------------------------------------


@bank.add("monitor-nonfinite-unnoticed-in-first-record")
class _(Steps):
    def record_to_judge(self):
        return self.history[0]

    def nonfinite(self, norm):
        return None


@bank.add("monitor-thresholds-ignored-and-zero-skipped")
class _(Steps):
    def finite(self, norm, vanish, explode):
        return super().finite(norm, 1e-7, 1e3) if norm else None


@bank.add("monitor-first-problem-and-nan-unnoticed")
class _(Steps):
    def nonfinite(self, norm):
        return "nonfinite" if np.isinf(norm) else None

    def report(self, found):
        return found[:1]
