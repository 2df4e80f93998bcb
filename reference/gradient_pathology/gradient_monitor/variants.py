"""Right ways to detect problems that look unlike the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autograder.layers import Problem
from reference.bank import public
from reference.gradient_pathology.gradient_monitor.solution import GradientMonitor


class TableOfTests(GradientMonitor):
    """A dict of tests, the first that holds counts."""

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        tests = {
            "nonfinite": lambda norm: math.isnan(norm) or math.isinf(norm),
            "vanishing": lambda norm: norm <= vanish_threshold,
            "exploding": lambda norm: norm >= explode_threshold,
        }
        return [
            Problem(layer, next(kind for kind, holds in tests.items() if holds(norm)), norm, epoch)
            for epoch, norms in self.history[-1:]
            for layer, norm in norms.items()
            if any(holds(norm) for holds in tests.values())
        ]


class SortedAtTheEnd(GradientMonitor):
    """One kind after the other, then back into the record's order."""

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        try:
            epoch, norms = self.history[-1]
        except IndexError:
            return []
        names = list(norms)
        exploding = [name for name in names if explode_threshold < norms[name] < np.inf]
        problems = [Problem(name, "exploding", norms[name], epoch) for name in exploding]
        problems += [Problem(name, "vanishing", norms[name], epoch) for name in names if norms[name] < vanish_threshold]
        problems += [Problem(name, "nonfinite", norms[name], epoch) for name in names if not np.isfinite(norms[name])]
        return sorted(problems, key=lambda problem: names.index(problem.layer))


class HelperMethods(GradientMonitor):
    """異常の見つけ方を小さなメソッドに分ける (Japanese identifiers)."""

    有限でない種類 = frozenset({"inf", "nan", "-inf"})

    def 最新(self):
        return self.history[-1] if self.history else (None, {})

    def 診断(self, ノルム, 下限, 上限):
        if str(float(ノルム)) in self.有限でない種類:
            return "nonfinite"
        return "vanishing" if ノルム < 下限 else "exploding" if ノルム > 上限 else ""

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        エポック, 記録 = self.最新()
        問題 = []
        for 層 in 記録:
            if 種類 := self.診断(記録[層], vanish_threshold, explode_threshold):
                問題.append(Problem(層, 種類, 記録[層], エポック))
        return 問題


@dataclass(frozen=True)
class _Finding(Problem):
    """A problem that also says how far it is off."""

    decades: float = 0.0


class MoreFields(GradientMonitor):
    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        self.last_report = []
        if self.history:
            epoch, norms = self.history[-1]
            for layer in norms:
                norm = np.float64(norms[layer])
                if norm - norm != 0:
                    self.last_report.append(_Finding(layer, "nonfinite", norm, epoch))
                elif not norm >= vanish_threshold:
                    decades = np.log10(max(norm, 1e-300) / vanish_threshold)
                    self.last_report.append(_Finding(layer, "vanishing", norm, epoch, decades))
                elif not norm <= explode_threshold:
                    decades = np.log10(norm / explode_threshold)
                    self.last_report.append(_Finding(layer, "exploding", norm, epoch, decades))
        return self.last_report


class Backwards(GradientMonitor):
    """From the output side, put in front each time; asks a copy of the record."""

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        remaining = dict(self.history[-1][1]) if self.history else {}
        problems = []
        while remaining:
            layer, norm = remaining.popitem()
            kind = {(True, False): "vanishing", (False, True): "exploding"}.get(
                (norm < vanish_threshold, norm > explode_threshold), None
            )
            kind = kind if math.isfinite(norm) else "nonfinite"
            if kind:
                problems.insert(0, Problem(layer, kind, norm, self.history[-1][0]))
        return problems


class ByCounting(GradientMonitor):
    """The names are known: layers are counted from the input side."""

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        problems = []
        epoch, norms = self.history[-1] if self.history else (0, {})
        for i in range(len(norms)):
            norm = norms[f"Linear_{i}"]
            if not np.isfinite(norm):
                problems.append(Problem(f"Linear_{i}", "nonfinite", norm, epoch))
            elif norm < vanish_threshold or norm > explode_threshold:
                kind = "vanishing" if norm < vanish_threshold else "exploding"
                problems.append(Problem(f"Linear_{i}", kind, norm, epoch))
        return problems


class _Illness:
    """A problem of the student's own class, with NumPy's types in its fields."""

    def __init__(self, layer, kind, norm, epoch):
        self.layer, self.kind, self.norm, self.epoch = np.str_(layer), kind, np.float32(norm), np.int64(epoch)


class OwnClasses(GradientMonitor):
    class Problems(list):
        pass

    def detect_problems(self, vanish_threshold=1e-7, explode_threshold=1e3):
        found = super().detect_problems(vanish_threshold, explode_threshold)
        return self.Problems(_Illness(**vars(problem)) for problem in found)


VARIANTS = public(vars())
