"""What a lesson says of its experiments, compared with what they print: for tests of the numbers below "Notice"."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys

from source.build import Edition

SCRIPT = """
import sys, nbformat
namespace = {"__name__": "__main__"}
for cell in nbformat.read(sys.argv[1], as_version=4).cells:
    if cell.cell_type == "code" and not cell.id.startswith("check_"):
        print("\\x1e" + cell.id)
        exec(compile(cell.source, cell.id, "exec"), namespace)
"""


class Printed:
    """What every cell printed, and the numbers in it."""

    def __init__(self, text):
        self._lines = {}
        for part in text.split("\x1e")[1:]:
            cell, *lines = re.sub(r"\n {4}(?=\S)", " ", part).splitlines()  # a line that is indented goes on
            self._lines[cell] = lines

    def __call__(self, cell, start, place, line=None):
        """The number at `place` after `start` in the line that begins with it (in `line` of several)."""
        found = [one.strip() for one in self._lines[cell] if one.strip().startswith(start)]
        if line is None:
            assert len(found) == 1, (cell, start, found)
        return self._numbers(found[line or 0][len(start) :])[place]

    def first(self, cell, word):
        """The first line, counted from 0, that has `word` in it."""
        return next((place for place, line in enumerate(self._lines[cell]) if word in line), None)

    def lines(self, cell, *words):
        """How many lines have all these words in them."""
        return sum(all(word in line for word in words) for line in self._lines[cell])

    def column(self, cell, end, place):
        """The number at `place` in the line that ends with `end`."""
        (line,) = [line for line in self._lines[cell] if line.endswith(end)]
        return self._numbers(line)[place]

    def total(self, cell, start, *places):
        """The numbers at `places` after `start`, summed over all lines that begin with it."""
        rests = [line.strip()[len(start) :] for line in self._lines[cell] if line.strip().startswith(start)]
        assert len(rests) == 2
        return sum(self._numbers(rest)[place] for rest in rests for place in places)

    @staticmethod
    def _numbers(text):
        return [float(number) for number in re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]


def run(edition: Edition) -> Printed:
    """What the experiments print, with the solutions."""
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(edition.notebook)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=True)
    return Printed(done.stdout)


def words_of(quotation: str) -> str:
    """The quotation without the marks « » around its number."""
    return quotation.replace("«", "").replace("»", "")


def number_in(quotation: str) -> str:
    """The number between these marks."""
    return re.search("«(.+)»", quotation)[1]


def agrees(value, claimed):
    """Whether `value`, rounded as `claimed` is, reads like it; a bare power of ten gives the order of magnitude."""
    claimed = {"one": "1"}.get(claimed, claimed)
    power = re.fullmatch(r"10\^\{(-?\d+)\}", claimed)
    if power:
        return abs(math.log10(value) - int(power[1])) < 0.6
    claimed = re.sub(r" \\times 10\^\{?(-?\d+)\}?", r"e\1", claimed).replace(",", "").rstrip("%")
    mantissa, _, exponent = claimed.partition("e")
    decimals = len(mantissa.partition(".")[2])
    zeros = len(mantissa) - len(mantissa.rstrip("0")) if not decimals and float(mantissa) else 0
    unit = 10.0 ** (zeros - decimals + int(exponent or 0))
    return abs(value - float(claimed)) <= 0.5 * unit * (1 + 1e-9)
