"""An IPython shell that runs notebook cells and returns their outputs in the notebook format."""

from __future__ import annotations

import ast
import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import print_figure
from IPython.utils.text import LSString, SList

from autograder.locale import _
from autograder.sandbox.limits import Limits, OutOfTime, time_limit
from autograder.sandbox.outputs import CellOutputs


class _Stream(io.TextIOBase):
    """Writes to the outputs of the current cell: a log handler may keep a stream from an earlier cell."""

    encoding = "UTF-8"

    def __init__(self, name: str, shell: CellShell) -> None:
        self._name, self._shell = name, shell

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.outputs.stream(self._name, str.__str__(text))
        return len(text)

    def writable(self) -> bool:
        return True


class _Publisher(DisplayPublisher):
    def publish(self, data: dict[str, Any], metadata: Any = None, source: Any = None, **kwargs: Any) -> None:
        self.shell.outputs.display(data)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.items.clear()


class _DisplayHook(DisplayHook):
    shell: Any

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        self.shell.outputs.display(format_dict, self.shell.execution_count)

    def finish_displayhook(self) -> None:
        pass


class CellShell(InteractiveShell):
    """Runs cells like a Jupyter kernel, with magics, top-level await, display and inline figures."""

    outputs: CellOutputs
    display_formatter: Any

    def __init__(self, **kwargs: Any) -> None:
        HistoryManager.enabled = False  # type: ignore[assignment]  # for all: the trait itself goes
        super().__init__(display_pub_class=_Publisher, displayhook_class=_DisplayHook, **kwargs)
        self.display_pub = _Publisher(parent=self, shell=self)
        # Whatever format the student asks for (svg, say), a figure also comes as PNG, which is what is kept. The format
        # chosen for Figure itself goes first; nothing that is chosen removes what stands for its base class.
        draw = partial(print_figure, fmt="png", base64=True, bbox_inches="tight")
        self.display_formatter.formatters["image/png"].for_type_by_name("matplotlib.figure", "FigureBase", draw)
        self._streams = {name: _Stream(name, self) for name in ("stdout", "stderr")}
        self._transforms = self._all_transforms()
        self._parsed: tuple[str, ast.AST] | None = None
        self.compile.ast_parse = partial(self._parse_once, self.compile.ast_parse)  # type: ignore[method-assign]

    # IPython tokenises a cell, compiles it to look for `await`, and parses it. What is Python anyway is parsed once.

    def transform_cell(self, raw_cell: str) -> str:
        """The cell as Python. One line may be a magic without its "%", and "In [1]:" would be an annotation."""
        one_line = len(raw_cell.splitlines()) == 1 or not raw_cell[:1].strip()
        if not one_line and "In [" not in raw_cell and self._all_transforms() == self._transforms:
            cell = raw_cell if raw_cell.endswith("\n") else raw_cell + "\n"
            with suppress(SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
                self._parsed = cell, self.compile.ast_parse(cell, "<>")
                return cell
        return super().transform_cell(raw_cell)

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None, **details: Any) -> bool:
        """Whether the cell awaits something."""
        if re.search("await|async", transformed_cell or raw_cell) is None:
            return False
        return super().should_run_async(raw_cell, transformed_cell=transformed_cell, **details)

    def _all_transforms(self) -> list[Any]:
        """What changes cells before they are parsed; a notebook may add to it."""
        manager = self.input_transformer_manager
        transforms = [*manager.cleanup_transforms, *manager.line_transforms, *manager.token_transformers]
        return [*transforms, *self.input_transformers_post]

    def _parse_once(self, parse: Any, source: str, filename: str = "<unknown>", symbol: str = "exec") -> Any:
        parsed, self._parsed = self._parsed, None
        return parsed[1] if parsed and (parsed[0], "exec") == (source, symbol) else parse(source, filename, symbol)

    def system(self, cmd: str) -> None:
        """Run `!command`; if processes are forbidden, the cell continues as after a failing command."""
        try:
            self.system_piped(cmd)
        except OSError:
            print(_("Shell commands are not run here."), file=sys.stderr)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """The output of a command, for `lines = !command`."""
        try:
            return super().getoutput(cmd, split, depth + 1)
        except OSError:
            print(_("Shell commands are not run here."), file=sys.stderr)
            return SList() if split else LSString("")

    def run(self, source: str, figures: bool, seconds: float, limits: Limits) -> list[dict[str, Any]]:
        """The outputs of one cell. Figures are drawn only if `figures`; a cell that takes too long is stopped."""
        self.outputs = outputs = CellOutputs(limits)
        self.display_formatter.formatters["image/png"].enabled = figures
        before = sys.displayhook, sys.stdin
        sys.stdin = io.StringIO()  # input() ends at once with EOFError
        try:
            with redirect_stdout(self._streams["stdout"]), redirect_stderr(self._streams["stderr"]):
                try:
                    with time_limit(seconds):
                        result = self.run_cell(source, store_history=True)
                    if isinstance(result.error_in_exec, OutOfTime) and not outputs.has_error:
                        # Time ran out while IPython formatted a traceback: one of a million calls takes long.
                        self._report_out_of_time()
                except OutOfTime:
                    self._report_out_of_time()
                except BaseException as error:
                    outputs.error(type(error).__name__, "", [])
        finally:
            sys.displayhook, sys.stdin = before
        return outputs.items

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no screen: figures are drawn inline, whatever `%matplotlib` requests."""

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        if issubclass(etype, OutOfTime):
            self._report_out_of_time()
        else:
            try:
                text = str(evalue)
            except Exception:  # a student's __str__ may itself be broken
                text = ""
            self.outputs.error(etype.__name__, text, stb)

    def _report_out_of_time(self) -> None:
        text = _("This cell was stopped because it took too long. Is there a loop that never ends?")
        self.outputs.error("TimeoutError", text, [f"TimeoutError: {text}"])
