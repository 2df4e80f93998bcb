"""How every fuzzer starts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris


def fuzz(arguments: list[str], one_input: Callable[[bytes], None], seeds: Iterable[bytes]) -> None:
    """Run `one_input` on whatever atheris makes of `seeds`; `arguments` are libFuzzer's."""
    files = [argument for argument in arguments[1:] if not argument.startswith("-")]
    if not files:
        corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        arguments = [*arguments, str(corpus)]
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()
