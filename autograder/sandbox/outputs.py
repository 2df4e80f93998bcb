"""The outputs of one cell in the notebook format, within limits.

The worker's shell collects what a cell puts out. The trusted side collects once more what the worker claims, because a
student's code may have bypassed the shell.
"""

from __future__ import annotations

import re
from typing import Any

from autograder.locale import _
from autograder.sandbox.limits import Limits

MIME_TYPES = ("text/plain", "text/latex", "image/png")
"""The media types that are kept of a display: none that a browser would run."""

MOST_OUTPUTS = 200
"""How many outputs of one cell are kept."""


class CellOutputs:
    """Collects one cell's outputs in order, within limits."""

    def __init__(self, limits: Limits) -> None:
        self.items: list[dict[str, Any]] = []
        self._cut_off = "\n" + _("... the rest of this output was cut off.") + "\n"
        self._text_left = limits.text_chars - len(self._cut_off)
        self._image_left = limits.image_bytes

    @classmethod
    def claimed(cls, outputs: Any, limits: Limits) -> list[dict[str, Any]]:
        """What a worker says that a cell put out, as far as it has a valid form."""
        kept = cls(limits)
        for output in outputs if type(outputs) is list else []:
            match output:
                case {"output_type": str("stream"), "name": str("stdout" | "stderr") as name, "text": str(text)}:
                    kept.stream(name, text)
                case {"output_type": str("display_data"), "data": dict(data)}:
                    kept.display(data)
                case {"output_type": str("execute_result"), "data": dict(data), "execution_count": count}:
                    if type(count) is int and count >= 0:
                        kept.display(data, count)
                case {"output_type": str("error"), "ename": str(name), "evalue": str(value), "traceback": list(lines)}:
                    if all(type(line) is str for line in lines):
                        kept.error(name, value, lines)
        return kept.items

    def stream(self, name: str, text: str) -> None:
        """Text that the cell printed."""
        text = self._within_cap(text)
        last = self.items[-1] if self.items else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        elif text:
            self._add(output_type="stream", name=name, text=text)

    def display(self, data: dict[Any, Any], execution_count: int | None = None) -> None:
        """A displayed object or, with `execution_count`, the cell's result."""
        kept: dict[str, str] = {}
        for mime in MIME_TYPES:
            if not isinstance(data.get(mime), str):
                continue
            text = str.__str__(data[mime])  # it may be of a student's class
            if mime != "image/png":
                kept[mime] = self._within_cap(text)
            elif len(text) <= self._image_left and re.fullmatch(r"[A-Za-z0-9+/=\s]*", text):
                self._image_left -= len(text)
                kept[mime] = text
        if kept and execution_count is None:
            self._add(output_type="display_data", data=kept, metadata={})
        elif kept:
            self._add(output_type="execute_result", data=kept, metadata={}, execution_count=execution_count)

    def error(self, name: str, value: str, lines: list[str]) -> None:
        """A traceback. Its message is kept however much came before: reports tell it."""
        lines = [self._within_cap(line) for line in lines]
        self._add(output_type="error", ename=name[:200], evalue=value[:2000], traceback=lines)

    @property
    def has_error(self) -> bool:
        """Whether the cell reported an error."""
        return any(item["output_type"] == "error" for item in self.items)

    def _add(self, **output: Any) -> None:
        room = MOST_OUTPUTS if output["output_type"] == "error" else MOST_OUTPUTS - 1  # an error may follow
        if len(self.items) < room:
            self.items.append(output)

    def _within_cap(self, text: str) -> str:
        if self._text_left <= 0:
            return ""
        if len(text) > self._text_left:
            text = text[: self._text_left] + self._cut_off
            self._text_left = 0
        else:
            self._text_left -= len(text)
        return text
